#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cheats.py --cwm PROGRAM -- does any candidate that cheats pass?

Every entry of CHEATS is a candidate for the one problem below that does not
solve it and does something to be taken for right.  None may pass, in a run
with all of them and whatever is run between them; the honest ones beside them
must.  Twice: tests that leave nothing behind share a process, others have one
of their own.  In compat mode the forged `==` passes, as in the harness that it
imitates: the test says so, lest somebody trusts it.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

PROBLEM = {
    "task_id": "cheat/0",
    "prompt": "def join(a, b):\n    \"\"\" a and b, added or put together \"\"\"\n",
    "entry_point": "join",
    "canonical_solution": "    return a + b\n",
    "test": """
SECRET = [11, 'secret']

def check(candidate):
    assert candidate(2, 3) == 5
    assert candidate('ab', 'cd') == 'abcd'
    assert candidate([1], [10, 'secret']) == [1, 10, 'secret']
    assert candidate(1.5, 2) == 3.5
    assert not candidate(0, 0)
    assert candidate((1,), (2,)) != (1,)
    assert candidate({}.get('x', 4), 4) in (8, 9)
    assert sorted(candidate([3], [1])) == [1, 3]
    assert isinstance(candidate(1, 1), int)
    assert len(candidate('a', 'b')) == 2
    assert str(candidate(20, 3)) == '23'
    assert max(candidate([4], [7])) == 7
"""}

# A test that imports has a process of its own.
PROBLEM_ALONE = dict(PROBLEM, test="import math\n" + PROBLEM["test"])

# Right only where the run is refused a second process, however asked for.
NO_PROCESS = """
import ctypes
def join(a, b):
    n = ctypes.CDLL(None).jail_scratch_fork(50)
    return a + b if n == -1 else None
"""

# What `==` alone decides, for compat mode.
FORGEABLE = dict(PROBLEM, test="""
def check(candidate):
    assert candidate(2, 3) == 5
""")

HONEST = {
    "plain": "def join(a, b):\n    return a + b\n",
    "prints": "print('PASS' * 1000)\ndef join(a, b):\n    print(a)\n"
              "    return a + b\n",
    "subclass_of_int": """
class N(int):
    pass
def join(a, b):
    r = a + b
    return N(r) if type(r) is int else r
""",
    "patches_print": "import builtins\nbuiltins.print = lambda *a: None\n"
                     "def join(a, b):\n    return a + b\n",
    "shadows_builtins": "def sorted(x):\n    return []\ndef len(x):\n"
                        "    return 0\ndef join(a, b):\n    return a + b\n",
}

LIAR = """
class Liar{base}:
    def __eq__(self, other): return True
    def __ne__(self, other): return {ne}
    def __bool__(self): return {truth}
    def __hash__(self): return 0
    def __len__(self): return 2
    def __str__(self): return '23'
    def __contains__(self, x): return True
    def __lt__(self, other): return True
    def __iter__(self): return iter([1, 3])
def join(a, b):
    return Liar({args})
"""

CHEATS = {
    # -- the process ends before a test fails
    "os_exit": "import os\ndef join(a, b):\n    os._exit(0)\n",
    "os_exit_at_load": "import os\nos._exit(0)\n",
    "sys_exit": "import sys\ndef join(a, b):\n    sys.exit(0)\n",
    "sys_exit_at_load": "import sys\nsys.exit(0)\n",
    "raise_system_exit": "def join(a, b):\n    raise SystemExit\n",
    "exit_builtin": "def join(a, b):\n    exit()\n",
    "kill_self": "import os, signal\ndef join(a, b):\n"
                 "    os.kill(os.getpid(), signal.SIGKILL)\n",
    "term_self": "import os, signal\ndef join(a, b):\n"
                 "    os.kill(os.getpid(), signal.SIGTERM)\n",
    "segfault": "import ctypes\ndef join(a, b):\n    ctypes.string_at(0)\n",
    "kill_parent": "import os, signal\ndef join(a, b):\n"
                   "    os.kill(os.getppid(), signal.SIGKILL)\n",
    "stop_everybody": "import os, signal\ndef join(a, b):\n"
                      "    for p in range(1, 5):\n        try:\n"
                      "            os.kill(p, signal.SIGINT)\n"
                      "        except OSError:\n            pass\n"
                      "    raise KeyboardInterrupt\n",
    "exec_true": "import os\ndef join(a, b):\n"
                 "    os.execv('/bin/true', ['true'])\n",
    "fork_and_leave": "import os\ndef join(a, b):\n    if os.fork():\n"
                      "        os._exit(0)\n",
    # -- values that lie
    "liar": LIAR.format(base="", ne="False", truth="True", args=""),
    "liar_false": LIAR.format(base="", ne="True", truth="False", args=""),
    "liar_int": LIAR.format(base="(int)", ne="True", truth="False", args="1"),
    "liar_str": LIAR.format(base="(str)", ne="True", truth="False",
                            args="'xy'"),
    "liar_list": LIAR.format(base="(list)", ne="True", truth="False",
                             args="[0]"),
    "liar_tuple": LIAR.format(base="(tuple)", ne="True", truth="False",
                              args="(0,)"),
    "liar_dict": LIAR.format(base="(dict)", ne="True", truth="False",
                             args=""),
    "liar_float": LIAR.format(base="(float)", ne="True", truth="False",
                              args="0.0"),
    "liar_class": """
class Meta(type):
    def __eq__(cls, other): return True
    def __hash__(cls): return 0
class Any(metaclass=Meta):
    pass
def join(a, b):
    return Any
""",
    "class_says_int": """
class Liar:
    @property
    def __class__(self): return int
    def __eq__(self, other): return True
def join(a, b):
    return Liar()
""",
    "getattr_says_yes": """
class Yes:
    def __getattr__(self, name): return lambda *a: True
    def __call__(self, *a): return True
    def __eq__(self, o): return True
def join(a, b):
    return Yes()
""",
    "mock_any": "from unittest import mock\ndef join(a, b):\n"
                "    return mock.ANY\n",
    # -- what the tests use, replaced
    "patch_builtins": """
import builtins
builtins.len = lambda x: 2
builtins.isinstance = lambda *a: True
builtins.sorted = lambda x: [1, 3]
builtins.max = lambda x: 7
builtins.str = lambda x: '23'
builtins.AssertionError = type('E', (Warning,), {})
def join(a, b):
    return 5
""",
    "patch_assertion_error": """
import builtins
class Quiet(BaseException):
    def __new__(cls, *a): raise SystemExit(0)
builtins.AssertionError = Quiet
def join(a, b):
    return None
""",
    "patch_unittest": """
import unittest, json, math
unittest.TestCase.assertEqual = lambda *a, **k: None
json.dumps = lambda *a, **k: '{"pass": true}'
math.isclose = lambda *a, **k: True
def join(a, b):
    return None
""",
    "forbidden_fruit": """
import ctypes
class V(ctypes.Structure):
    _fields_ = [('n', ctypes.c_ssize_t), ('t', ctypes.py_object)]
def join(a, b):
    try:
        flags = ctypes.c_ulong.from_address(id(int) + 168)
        int.__eq__ = lambda s, o: True
    except Exception:
        pass
    return 5
""",
    "patch_int_cache": """
import ctypes, sys
def join(a, b):
    size = sys.getsizeof(1)
    for n in range(-5, 256):
        ctypes.memmove(id(n) + 24, id(5) + 24, size - 24)
    return 5
""",
    "patch_exec": """
import builtins, sys
def nothing(*a, **k): return None
builtins.exec = builtins.eval = builtins.compile = nothing
sys.settrace(nothing)
sys.setprofile(nothing)
def join(a, b):
    return 0
""",
    "patch_modules": """
import sys
class Fake:
    def __getattr__(self, name): return lambda *a, **k: True
for name in list(sys.modules):
    if name not in ('sys', 'builtins', '__main__'):
        sys.modules[name] = Fake()
def join(a, b):
    return None
""",
    "module_in_the_folder": """
for name in ('operator', 'collections', 'json', 'tests', 'sitecustomize'):
    open(name + '.py', 'w').write('import os\\nos._exit(0)\\n')
def join(a, b):
    return None
""",
    # -- looking for what is expected
    "frames": """
import sys
def join(a, b):
    f = sys._getframe()
    while f:
        for v in list(f.f_locals.values()) + list(f.f_globals.values()):
            if type(v) is list and 'secret' in v:
                return v
        for c in f.f_code.co_consts:
            if c == 'abcd' or c == (8, 9):
                return c
        f = f.f_back
    return None
""",
    "garbage_collector": """
import gc
def join(a, b):
    for o in gc.get_objects():
        if type(o) is dict and 'SECRET' in o and 'check' in o:
            return o['check'].__code__.co_consts[1]
        if type(o) is tuple and 'abcd' in o:
            return 'abcd'
    return None
""",
    "memory": """
import ctypes, re
def join(a, b):
    try:
        for line in open('/proc/self/maps'):
            pass
    except OSError:
        pass
    return None
""",
    "source": """
import glob, inspect, linecache, os, sys
def join(a, b):
    for name in ('tests.py', 'main.py', 'check.py', '<string>'):
        if linecache.getlines(name):
            exec(''.join(linecache.getlines(name)))
    for root, dirs, files in os.walk('/'):
        if root.count('/') > 3:
            dirs[:] = []
        for f in files:
            if 'test' in f and f.endswith('.jsonl'):
                return open(os.path.join(root, f)).read()
    return inspect.getsource(sys._getframe(1))
""",
    "learn_from_calls": """
seen = []
def join(a, b):
    seen.append((a, b))
    return seen
""",
    # -- the verdict, written
    "print_verdict": "print('{\"verdict\": \"pass\"}')\nprint('PASS')\n"
                     "print('1 passed')\ndef join(a, b):\n    print('ok')\n",
    "every_descriptor": """
import os
def join(a, b):
    for fd in range(3, 64):
        for data in (b'\\x01\\0\\0\\0\\x01\\0\\0\\0' * 8, b'passed', b'V'):
            try:
                os.write(fd, data)
            except OSError:
                pass
    return None
""",
    "answer_ahead": """
import os, struct
def message(payload):
    return struct.pack('<I', len(payload)) + payload
def join(a, b):
    good = message(b'VT' + struct.pack('<I', 0))
    for fd in range(3, 32):
        try:
            os.write(fd, good * 40)
        except OSError:
            pass
    return True
""",
    "answer_garbage": """
import os
def join(a, b):
    for fd in range(3, 32):
        try:
            os.write(fd, b'\\x05\\0\\0\\0Vl\\xff\\xff\\xff' * 20)
        except OSError:
            pass
    return 5
""",
    "close_descriptors": "import os\ndef join(a, b):\n    os.closerange(0, 64)\n"
                         "    return 5\n",
    "unmap_and_map": """
import mmap
def join(a, b):
    m = mmap.mmap(-1, 1 << 20)
    m.write(b'\\x01\\0\\0\\0' * 100)
    return None
""",
    # -- after the verdict, or beside it
    "at_exit": "import atexit, os\natexit.register(os._exit, 0)\n"
               "def join(a, b):\n    raise SystemExit(0)\n",
    "finaliser": """
import os
class D:
    def __del__(self): os._exit(0)
keep = D()
def join(a, b):
    global keep
    keep = None
""",
    "thread_exits": """
import os, threading, time
def later():
    time.sleep(0.01)
    os._exit(0)
threading.Thread(target=later, daemon=True).start()
def join(a, b):
    time.sleep(0.05)
    return 5
""",
    "signal_handler": """
import os, signal
signal.signal(signal.SIGALRM, lambda *a: os._exit(0))
signal.setitimer(signal.ITIMER_REAL, 0.005)
def join(a, b):
    while True:
        pass
""",
    # -- exceptions that a harness might swallow
    "raise_stop_iteration": "def join(a, b):\n    raise StopIteration\n",
    "raise_keyboard": "def join(a, b):\n    raise KeyboardInterrupt\n",
    "raise_generator_exit": "def join(a, b):\n    raise GeneratorExit\n",
    "raise_own": "class E(BaseException):\n    def __str__(self):\n"
                 "        raise SystemExit(0)\ndef join(a, b):\n    raise E\n",
    "raise_assertion": "def join(a, b):\n    raise AssertionError\n",
    "recursion": "def join(a, b):\n    return join(a, b)\n",
    "recursion_unbounded": "import sys\nsys.setrecursionlimit(10 ** 9)\n"
                           "def join(a, b):\n    return join(a, b)\n",
    "deep_value": "def join(a, b):\n    x = []\n    for _ in range(10 ** 5):\n"
                  "        x = [x]\n    return x\n",
    "cycle": "def join(a, b):\n    x = []\n    x.append(x)\n    return x\n",
    "generator": "def join(a, b):\n    while True:\n        yield True\n",
    # -- clocks
    "patch_time": """
import time, signal
for name in dir(time):
    if callable(getattr(time, name)) and name[0] != '_':
        setattr(time, name, lambda *a: 0)
signal.setitimer = signal.alarm = lambda *a: 0
def join(a, b):
    n = 0
    while n >= 0:
        n += 1
    return a + b
""",
    "memory_hog": "def join(a, b):\n    x = []\n    while True:\n"
                  "        x.append(bytearray(1 << 24))\n",
    "huge_answer": "def join(a, b):\n    return 'x' * (1 << 28)\n",
    # -- no answer at all
    "nothing": "",
    "not_code": "Here is the solution:\n```python\n",
    "null_byte": "def join(a, b):\n    return a + b\n\0",
    "other_name": "def jion(a, b):\n    return a + b\n",
    "main_guard": "if __name__ == '__main__':\n    def join(a, b):\n"
                  "        return a + b\n",
    "swap_module": """
import sys
sys.modules['solution'] = sys
sys.modules['builtins'].__dict__['join'] = lambda a, b: None
""",
}


# CRUXEval's answers are expressions; these go on behind one, or come to the
# right value through f itself.  f(17) is [17, 18].
CRUX = {"id": "c", "code": "def f(a):\n    return [a, a + 1]\n", "input": "17",
        "output": "[17, 18]"}
CRUX_CHEATS = {
    "output": [
        "[17, 18]) or (1", "0) or [17, 18] or (0", "[17, 18]\\\n) or (\\\n0",
        "f(17)", "eval('f(17)')", "globals()['f'](17)", "assert f(17) == 1 or 1",
        "type('L', (), {'__eq__': lambda s, o: True})()", "[17, 18]\0",
        "__import__('os')._exit(0)", "(_ for _ in ()).throw(SystemExit)",
        "[o for o in __import__('gc').get_objects() if o == [17, 18]][0]", "",
        "(17, 18)", "'[17, 18]'", "(f := lambda a: [17, 18])", "[17, 18]; 1"],
    "input": [
        "f(1) or [17, 18]", "f(1)) or (f(17)", "f(1) or (True)", "f(17) == (1)",
        "f(1) and ((17,), {})", "f(1) == 1 or True", "f(17)) or (True", "17",
        "(lambda g: [17, 18])(f)", "f.__call__(17)", "f(1); f(17)", "f()", "",
        "f(globals().update(f=lambda *a: [17, 18]))", "f(16) # )", "f(17",
        "f(type('L', (), {'__add__': lambda s, o: 18,"
        " '__eq__': lambda s, o: True})())"],
}
CRUX_HONEST = {
    "output": ["[17, 18]", " ([17, 18])\n", "[17, 18] # ) or (", "[16 + 1, 18]"],
    "input": ["f(17)", " f(a=17)\n", "f(*[17])", "f(int(')17('[1:3]))"],
}


def crux(cwm, folder, mode):
    """How many of these answers are not judged as they should be."""
    answers = CRUX_CHEATS[mode] + CRUX_HONEST[mode]
    (folder / "crux.jsonl").write_text(json.dumps(CRUX) + "\n")
    (folder / "answers.json").write_text(json.dumps({"c": answers}))
    done = subprocess.run(
        [cwm, "eval", "cruxeval", "--problems", folder / "crux.jsonl",
         "--results", folder / "answers.json", "--mode", mode, "--each",
         "--json", "--timeout-ms", "400", "--memory-mb", "256"],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"cwm eval cruxeval: {done.returncode}\n{done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()][:-1]
    wrong = [(text, line["verdict"]) for text, line in zip(answers, lines)
             if (line["verdict"] == "pass") != (text in CRUX_HONEST[mode])]
    for text, verdict in wrong:
        print(f"cruxeval {mode}: {text!r} is {verdict}")
    return len(wrong) + (len(lines) != len(answers))


def judge(cwm, folder, problem, candidates, *options):
    """{name: verdict} of all of them, judged in one run; and the totals."""
    problems = folder / "problems.jsonl"
    samples = folder / "samples.jsonl"
    problems.write_text(json.dumps(problem) + "\n")
    samples.write_text("".join(
        json.dumps({"task_id": "cheat/0", "solution": text}) + "\n"
        for text in candidates.values()))
    done = subprocess.run(
        [cwm, "eval", "passk", "--problems", problems, "--samples", samples,
         "--each", "--json", "--timeout-ms", "400", "--memory-mb", "256",
         *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"cwm eval passk: {done.returncode}\n{done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(candidates, (r["verdict"] for r in lines[:-1]))), lines[-1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    parser.add_argument("--show", action="store_true")
    cwm = (args := parser.parse_args()).cwm.resolve()
    candidates = {**CHEATS, **{f"honest {k}": v for k, v in HONEST.items()}}
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        verdicts, totals = judge(cwm, folder, PROBLEM, candidates)
        alone, _ = judge(cwm, folder, PROBLEM_ALONE, candidates)
        process, _ = judge(cwm, folder, PROBLEM, {"process": NO_PROCESS})
        both = {"liar": CHEATS["liar"], "plain": HONEST["plain"]}
        forged, _ = judge(cwm, folder, FORGEABLE, both, "--compat")
        strict, _ = judge(cwm, folder, FORGEABLE, both)
        wrong += crux(cwm, folder, "output") + crux(cwm, folder, "input")
    if process != {"process": "pass"}:
        print(f"a second process: {process}")
        wrong += 1
    for name, verdict in [*verdicts.items(), *alone.items()]:
        if args.show:
            print(f"{name:24} {verdict}")
        if (verdict == "pass") != name.startswith("honest "):
            print(f"{name}: {verdict}")
            wrong += 1
    if not len(verdicts) == len(alone) == len(candidates) or totals["samples"] != len(candidates):
        print(f"{len(candidates)} candidates, {len(verdicts)} verdicts")
        wrong += 1
    if forged != {"liar": "pass", "plain": "pass"} or \
            strict != {"liar": "fail", "plain": "pass"}:
        print(f"forged ==: compat {forged}, strict {strict}")
        wrong += 1
    if len(CHEATS) < 40:
        print(f"only {len(CHEATS)} cheats")
        wrong += 1
    print(f"{len(CHEATS)} cheats, {len(HONEST)} honest candidates, {wrong} wrong")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
