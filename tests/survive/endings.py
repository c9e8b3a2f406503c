# SPDX-License-Identifier: MIT
"""How a run ends: entries, arguments, limits, and what END says of it.

    endings.py WORKER
"""
import sys

import direct

FAILED = []


def check(name, got, want):
    if got != want:
        FAILED.append(name)
        print("%s:\n    got  %r\n    want %r" % (name, got, want))


def end(name, source, want, status=0, **how):
    run = direct.run(WORKER, source, **how)
    got = dict(run.records.end or {})
    got.pop("flags", None)
    check(name, got, want)
    check(name + " (status)", run.status, status)
    return run


def functions():
    add = "def f(a, b=2, *c, d=4):\n    return a, b, c, d\n"
    end("positional and keyword", add, {
        "reason": "ok", "result": "(1, 2, (), 9)"},
        entry="f", args="1, d=9")
    end("arguments in the program's namespace", "k = [7]\n" + add, {
        "reason": "ok", "result": "(7, 'x', (), 4)"},
        entry="f", args="*k,\n'x'  # a comment")
    end("method", "class A:\n    @staticmethod\n    def m(x):\n"
        "        return x\n", {"reason": "ok", "result": "3"},
        entry="A.m", args="3")
    end("last definition counts", "def f(): return 1\ndef f(): return 2\n",
        {"reason": "ok", "result": "2"}, entry="f")
    end("generator is drained", "def f():\n    yield 1\n    yield 2\n"
        "    return 'end'\n", {"reason": "ok", "result": "'end'"}, entry="f")
    end("coroutine is awaited", "import asyncio\nasync def f(n):\n"
        "    await asyncio.sleep(0)\n    return n\n",
        {"reason": "ok", "result": "5"}, entry="f", args="5")
    run = end("asynchronous generator", "async def f():\n    yield 1\n"
              "    yield 2\n", {"reason": "ok", "result": "None"}, entry="f")
    check("its frames", [f["event"] for f in run.records.frames],
          "call line return call line return call return".split())
    run = end("wrapped entry", "import functools\n@functools.lru_cache()\n"
              "def f(n):\n    return n if n < 2 else f(n - 1)\n",
              {"reason": "ok", "result": "1"}, entry="f", args="3")
    check("starts at the decorator", run.records.frames[0]["line"], 2)
    run = end("a decorator's wrapper is not recorded",
              "def deco(g):\n    def w(*a):\n        x = 1\n"
              "        return g(*a)\n    return w\n"
              "@deco\ndef f(a):\n    return a\n",
              {"reason": "ok", "result": "2"}, entry="f", args="2")
    check("only the entry", [f["line"] for f in run.records.frames],
          [6, 8, 8])
    run = end("untraced", add, {"reason": "ok", "result": "(1, 2, (), 4)"},
              entry="f", args="1", traced=0)
    check("no frames", run.records.frames, [])


def failures():
    add = "def f(a):\n    return a\n"
    end("too few arguments", add, {
        "reason": "bad_args", "type": "TypeError", "message":
        "f() missing 1 required positional argument: 'a'"}, 1, entry="f")
    end("arguments that raise", add, {
        "reason": "bad_args", "type": "ZeroDivisionError",
        "message": "division by zero"}, 1, entry="f", args="1/0")
    run = direct.run(WORKER, add, entry="f", args="1 +")
    check("arguments that do not parse", run.records.end["reason"],
          "bad_args")
    end("TypeError of the body is its own", "def f(a):\n    return len(a)\n",
        {"reason": "exception", "type": "TypeError",
         "message": "object of type 'int' has no len()"}, 1,
        entry="f", args="1")
    end("no such name", add, {
        "reason": "no_entry", "type": "NameError", "message": "g"}, 1,
        entry="g", entry_line=1)
    end("deleted by the module", add + "del f\n", {
        "reason": "no_entry", "type": "NameError", "message": "f"}, 1,
        entry="f")
    end("module level raises", add + "raise ValueError('m')\n", {
        "reason": "module_exception", "type": "ValueError",
        "message": "m"}, 1, entry="f", args="1")
    end("module level exits", add + "raise SystemExit(3)\n", {
        "reason": "exit", "type": "SystemExit", "message": "3",
        "detail": "3"}, 3, entry="f", args="1")
    run = direct.run(WORKER, "x = 1\ny = (\n")
    check("syntax error", (run.records.end["reason"],
                           run.records.end["type"],
                           run.records.end["detail"].split(":")[0]),
          ("syntax_error", "SyntaxError", "2"))
    end("exit code", "import sys\ndef f():\n    sys.exit('bye')\n", {
        "reason": "exit", "type": "SystemExit", "message": "bye",
        "detail": "'bye'"}, 1, entry="f")
    end("memory", "def f():\n    return bytearray(1 << 60)\n", {
        "reason": "memory", "type": "MemoryError", "message": ""}, 1,
        entry="f")
    end("own exception", "class E(Exception):\n    def __str__(self):\n"
        "        print('called')\n        return 's'\n"
        "def f():\n    raise E(1, 'two')\n", {
            "reason": "exception", "type": "E", "message": "(1, 'two')"}, 1,
        entry="f")
    end("key error", "def f():\n    return {}['k']\n", {
        "reason": "exception", "type": "KeyError", "message": "'k'"}, 1,
        entry="f")


def limits():
    loop = "def f():\n    i = 0\n    while True:\n        i += 1\n"
    for n in (1, 2, 3, 100):
        run = end("frame limit %d" % n, loop, {"reason": "frame_limit"},
                  entry="f", max_frames=n)
        check("frames", len(run.records.frames), n)
    # The shared memory always has room for END behind the last record.
    grow = "def f():\n    s = 'x'\n    while True:\n        s += 'y' * 9\n"
    for n in (0, 1, 10, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 5000,
              200000):
        run = end("byte limit %d" % n, grow, {"reason": "byte_limit"},
                  entry="f", max_trace_bytes=n, max_frames=10**6)
        check("bytes", run.stream_bytes <= n + 3, True)
    many = "\n".join("    v%d = %d" % (i, i) for i in range(300))
    for n in range(3000, 3040):
        end("byte limit %d in a head" % n, "def f():\n%s\n" % many,
            {"reason": "byte_limit"}, entry="f", max_trace_bytes=n)
    run = end("three hundred locals", "def f():\n%s\n" % many,
              {"reason": "ok", "result": "None"}, entry="f")
    check("the last state", len(run.records.frames[-2]["full"]), 299)
    for n in (0, 1, 5, 4096, 10000):
        run = end("output limit %d" % n, "import sys\nwhile True:\n"
                  "    print('line')\n    sys.stderr.write('e')\n",
                  {"reason": "output_limit"}, max_output_bytes=n,
                  max_frames=10**6)
        check("output", len(run.out) + len(run.err), n)
    for traced in (0, 1):
        run = end("output limit at module level", "print('x' * 99)\n"
                  "def f():\n    pass\n", {"reason": "output_limit"},
                  entry="f", max_output_bytes=9, traced=traced, args="")
        check("output", len(run.out), 9)
    end("output at the limit", "print('abcd')\n", {
        "reason": "ok", "result": "None"}, max_output_bytes=5)
    run = end("value limit", "def f():\n    s = '\\u00e9' * 99\n"
              "    return s\n", {"reason": "ok", "result":
                                 "'" + "\u00e9" * 8 + "\u2026"},
              entry="f", max_value_bytes=20)
    check("value limit of a state", run.records.frames[-2]["full"],
          {"s": "'" + "\u00e9" * 8 + "\u2026"})
    run = direct.run(WORKER, "def f():\n    raise ValueError('x' * 100)\n",
                     entry="f", max_value_bytes=40)
    arg = run.records.frames[2]["arg"]
    check("value limit of a triple", (len(arg.encode()), arg[-1:]),
          (40, "\u2026"))


def names():
    run = direct.run(WORKER, "def f():\n    \u00e9t\u00e9 = 1\n"
                     "    \u540d = 2\n    return \u540d\n", entry="f")
    check("names beyond ASCII", run.records.frames[-2]["full"],
          {"\u00e9t\u00e9": "1", "\u540d": "2"})
    check("qualified name", direct.run(
        WORKER, "class A:\n    def m(self):\n        def g():\n"
        "            return 1\n        return g()\ndef f():\n"
        "    return A().m()\n", entry="f").records.functions,
        ["f", "A.m", "A.m.<locals>.g"])


WORKER = sys.argv[1]
functions()
failures()
limits()
names()
print("%d checks failed" % len(FAILED))
sys.exit(1 if FAILED else 0)
