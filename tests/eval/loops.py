#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""loops.py --cwm PROGRAM -- timeouts that are known before the time is over.

SEEN never end, and come back to where they were, and GROWING never end although
they do not, since they count or make a list longer: they are a timeout without
having used their limit.  ENDING look as if they did, too, but depend on
something that a glance at the loop's variables does not show: each must pass.
Then tests that make the same call: one that never ends is not waited for again
and again, and one that does not end a second time is right the first time.
"""
import argparse
import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

LIMIT_MS = 2000
# Room for lists that grow all that time, as reckoned from above.
MEMORY_MB = 65536

SEEN = {
    "pass": "def f(n):\n    while n > 0:\n        pass\n",
    "times nought": "def f(n):\n    power = 0\n    while power < n:\n"
                    "        power = power * n\n",
    "round and round": """
def f(n):
    a, b = list(range(10)), []
    while a:
        for i in range(len(a)):
            if i % 2 == 0:
                b.append(a[i])
        for i in range(len(a)):
            if i % 2 != 0:
                b.append(a[i])
        a, b = b, []
""",
    "comprehension": "def f(n):\n    s = 'hello'\n    while len(s) > 2:\n"
                     "        s = ''.join([c for c in sorted(s)])\n",
    "generator": "def f(n):\n    s = 'hello'\n    while len(s) > 2:\n"
                 "        s = ''.join(c for c in sorted(s))\n",
    "helper": "def g(x):\n    t = 0\n    for i in range(500):\n        t += i\n"
              "    return x\ndef f(n):\n    while n:\n        n = g(n)\n",
    "within for": "def f(n):\n    for i in range(3):\n        j = 0\n"
                  "        while j < 5:\n            if j == 3:\n"
                  "                continue\n            j += 1\n",
    "caught": "def f(n):\n    while True:\n        try:\n            int('x')\n"
              "        except ValueError:\n            pass\n",
}

GROWING = {
    "counts": "def f(n):\n    while n:\n        n += 1\n",
    "counts down": "def f(n):\n    while n < 9:\n        n -= 3\n",
    "past it": "def f(n):\n    while n != 10:\n        n += 2\n",
    "list": "def f(n):\n    a = []\n    s = 'a|'\n    while len(s) != 0:\n"
            "        a.append(len(s) % 4)\n        s = s.strip('|')\n",
    "list of numbers": "def f(n):\n    a = [n]\n    while n > 0:\n"
                       "        n = n + 1 if n % 2 == 1 else n + 2\n"
                       "        a.append(n)\n    return a\n",
    "odd and even": "def f(n):\n    while True:\n        if n % 2 == 0:\n"
                    "            if 0 <= n <= 2:\n                return n\n"
                    "            n = n + 1\n        else:\n"
                    "            n = n + 1\n",
    "own length": "def f(n):\n    a = [1, 2]\n    i = 0\n"
                  "    while i < len(a):\n        a.insert(3 * i, n)\n"
                  "        i += 1\n",
    "while list": "def f(n):\n    a = [1]\n    while a:\n        a += [n]\n",
    "behind the end": "def f(n):\n    s = 'abcdef'\n    i, j, k = 0, 6, 0\n"
                      "    while j >= 6:\n        if s[i:j] == 'abc':\n"
                      "            k += 1\n        i += 1\n        j += 1\n",
    "sum": "def f(n):\n    a, i, t = [5, 7], 0, 0\n    while i < 2:\n"
           "        t += a[i] * 3\n        i = (i + 1) % 2\n    return t\n",
    "in a for": "def f(n):\n    for i in range(3):\n        k = 9\n"
                "        while k > 5:\n            for j in range(3):\n"
                "                k += 1\n",
    "two loops": "def f(n):\n    t = 0\n    while True:\n        i = 0\n"
                 "        while i < 3:\n            i += 1\n"
                 "        t += i\n",
}

LONG = "".join(f"            x = {i}\n" for i in range(200))

# Takes a while and changes nothing.
TURN = "        for j in range(150):\n            k = j\n"

ENDING = {
    "for over equal items": "def f(n):\n    x = 0\n"
                            "    for x in [7] * 3000000:\n        x = 7\n"
                            "    return 1\n",
    "long for": "def f(n):\n    x = 0\n    k = [0] * 60000\n"
                "    for x in k:\n        if n:\n" + LONG +
                "        x = 0\n    return 1\n",
    "while in for": "def f(n):\n    for _ in [7] * 600000:\n        k = 0\n"
                    "        while k < 2:\n            k += 1\n"
                    "        k = 0\n    return 1\n",
    "global": "c = 0\ndef f(n):\n    global c\n    while n:\n        c += 1\n"
              "        if c > 900000:\n            return 1\n",
    "global container": "memo = {}\ndef f(n):\n    while n:\n"
                        "        memo[len(memo)] = 1\n"
                        "        if len(memo) > 900000:\n"
                        "            return 1\n",
    "function's attribute": "def f(n):\n    while n:\n        f.m.append(1)\n"
                            "        if len(f.m) > 900000:\n"
                            "            return 1\nf.m = []\n",
    "default argument": "def g(x=[]):\n    x.append(1)\n"
                        "    return len(x) < 900000\n"
                        "def f(n):\n    while g():\n        n = 1\n"
                        "    return 1\n",
    "closure": "def f(n):\n    c = [0]\n    def g():\n        c[0] += 1\n"
               "    while c[0] < 900000:\n        g()\n    return 1\n",
    "nonlocal": "def f(n):\n    c = 0\n    def g():\n        nonlocal c\n"
                "        c += 1\n        return c < 900000\n"
                "    while g():\n        n = 1\n    return 1\n",
    "iterator": "def f(n):\n    it = iter([1] * 900000 + [0])\n"
                "    while next(it):\n        n = 1\n    return 1\n",
    "generator": "def g():\n    for i in range(900000):\n        yield 1\n"
                 "    yield 0\ndef f(n):\n    it = g()\n    while next(it):\n"
                 "        n = 1\n    return 1\n",
    "instance": "class A:\n    n = 0\n    def __bool__(self):\n"
                "        self.n += 1\n        return self.n < 900000\n"
                "def f(n):\n    a = A()\n    while a:\n        n = 1\n"
                "    return 1\n",
    "random": "import random\ndef f(n):\n"
              "    while random.random() > 0.000001:\n        n = 1\n"
              "    return 1\n",
    "clock": "import time\ndef f(n):\n    t = time.process_time()\n"
             "    while time.process_time() - t < 0.05:\n        n = 1\n"
             "    return 1\n",
    "counts late": "def f(n):\n    k = 0\n    while True:\n"
                   "        k = (k + 1) % 900000\n        if k == 899999:\n"
                   "            return 1\n",
    "counts": "def f(n):\n    while n < 900000:\n        n += 1\n"
              "    return 1\n",
    "counts down": "def f(n):\n    while n != -900000:\n        n -= 1\n"
                   "    return 1\n",
    "counts by threes": "def f(n):\n    while n != 1800000:\n"
                        "        n += 3\n    return 1\n",
    "to another": "def f(n):\n    m = 600000\n    while n != m:\n"
                  "        n += 1\n        m -= 2 if n % 2 else 0\n"
                  "    return 1\n",
    "falls behind": "def f(n):\n    m = 900000\n    while n < m:\n"
                    "        n += 2\n        m += 1\n    return 1\n",
    "nought some day": "def f(n):\n    n = -700000\n    while n:\n"
                       "        n += 1\n    return 1\n",
    "not nought": "def f(n):\n    n = -700000\n    while not not n:\n"
                  "        n += 1\n    return 1\n",
    "negated": "def f(n):\n    while -n > -900000:\n        n += 1\n"
               "    return 1\n",
    "doubled": "def f(n):\n    while 2 * n - 5 < 900000:\n        n += 1\n"
               "    return 1\n",
    "rest": "def f(n):\n    while n % 700001:\n        n += 1\n"
            "    return 1\n",
    "rest of a rest": "def f(n):\n    while n % 700001 % 2 or n < 9:\n"
                      "        n += 2\n    return 1\n",
    "quotient": "def f(n):\n    while n // 7 < 600000:\n        n += 7\n"
                "    return 1\n",
    "product": "def f(n):\n    m = -700000\n    while n * m < 0:\n"
               "        n += 1\n        m += 1\n    return 1\n",
    "length": "def f(n):\n    a = []\n    while len(a) < 500000:\n"
              "        a.append(n)\n    return 1\n",
    "length of another": "def f(n):\n    a, i = [1] * 900000, 0\n"
                         "    while i < len(a):\n        a.append(n)\n"
                         "        i += 2\n    return 1\n",
    "last of the list": "def f(n):\n    a = [1]\n"
                        "    while a[-1] < 900000:\n        n += 1\n"
                        "        a.append(n)\n    return 1\n",
    "another name": "def f(n):\n    a = []\n    b = a\n"
                    "    while len(b) < 900000:\n        a.append(n)\n"
                    "    return 1\n",
    "within another": "def f(n):\n    a = []\n    b = [a]\n"
                      "    while len(b[0]) < 900000:\n"
                      "        a.append(n)\n    return 1\n",
    "held by a closure": "def f(n):\n    a = []\n    def g():\n"
                         "        return len(a) < 900000\n"
                         "    while g():\n        a.append(n)\n"
                         "    return 1\n",
    "a new name each turn": "def f(n):\n    a, b = [], []\n"
                            "    while len(b) < 900000:\n"
                            "        a.append(n)\n        b = a\n"
                            "    return 1\n",
    "as long as": "def f(n):\n    a = [n]\n    b = [n] * 1500\n"
                  "    while a != b:\n        a.append(n)\n" + 6 * TURN +
                  "    return 1\n",
    "least of a list": "def f(n):\n    a = [1]\n    n = 3000\n"
                       "    while min(a) > 0:\n        n -= 1\n"
                       "        a.append(n)\n    return 1\n",
    "turns round": "def f(n):\n    m = -900000\n    while n < 9:\n"
                   "        n += m\n        m += 1\n    return 1\n",
    "difference": "def f(n):\n    m = 900000\n    while m - n > 0:\n"
                  "        n += 2\n        m += 1\n    return 1\n",
    "counted in a place": "def f(n):\n    a = [0]\n"
                          "    while a[0] < 900000:\n        a[0] += 1\n"
                          "        n += 1\n    return 1\n",
    "in the list": "def f(n):\n    a, n = [0], 1\n    k = 0\n"
                   "    while 900000 not in a[-2:]:\n        n += 1\n"
                   "        a.append(n)\n    return 1\n",
    "slice grows": "def f(n):\n    s = 'ab' * 6000\n    n = 0\n"
                   "    while len(s[:n]) < 12000:\n        n += 1\n" +
                   TURN + "    return 1\n",
    "slice from the end": "def f(n):\n    s = 'ab' * 6000\n    n = -1\n"
                          "    while s[n:] != s:\n        n -= 1\n" +
                          TURN + "    return 1\n",
    "index": "def f(n):\n    s = 'a' * 12000 + 'b'\n    n = 0\n"
             "    while s[n] == 'a':\n        n += 1\n" + TURN +
             "    return 1\n",
    "beyond the index": "def g(n):\n    s = 'a' * 12000\n"
                        "    while s[n]:\n        n += 1\n" + TURN +
                        "def f(n):\n    try:\n        g(n)\n"
                        "    except IndexError:\n        return 1\n",
    "range ends": "def f(n):\n    n = -900000\n    while True:\n"
                  "        for i in range(5, n):\n            return 1\n"
                  "        n += 1\n",
    "text": "def f(n):\n    while '900000' not in str(n):\n"
            "        n += 1\n    return 1\n",
    "kept by another call": "def g(x, m=900000):\n    return x < m\n"
                            "def f(n):\n    while g(n):\n        n += 1\n"
                            "    return 1\n",
    "in a cell": "def f(n):\n    def g():\n        return n < 900000\n"
                 "    while g():\n        n += 1\n    return 1\n",
    "in a place": "def f(n):\n    a = [0]\n    while a[0] < 900000:\n"
                  "        n += 1\n        a[0] = n\n    return 1\n",
    "in a dict": "def f(n):\n    d = {}\n    while len(d) < 900000:\n"
                 "        n += 1\n        d[n] = 1\n    return 1\n",
    "one of them": "def f(n):\n    while n not in (900000, 1):\n"
                   "        n += 1\n    return 1\n",
    "truth of a pair": "def f(n):\n    n = -900000\n    while n or 0:\n"
                       "        n += 1\n    return 1\n",
    "between": "def f(n):\n    while not 900000 <= n <= 900009:\n"
               "        n += 1\n    return 1\n",
    "true is one": "def f(n):\n    n = -900000\n    while n != True:\n"
                   "        n += 1\n    return 1\n",
    "a float": "def f(n):\n    while n < 9e5:\n        n += 1\n"
               "    return 1\n",
    "a float grows": "def f(n):\n    x = 0.0\n    while x < 9e5:\n"
                     "        x += 1\n    return 1\n",
    "power": "def f(n):\n    while n ** 2 < 9e10:\n        n += 1\n"
             "    return 1\n",
    "bits": "def f(n):\n    while not n & 1048576:\n        n += 1\n"
            "    return 1\n",
    "shift": "def f(n):\n    while n >> 20 == 0:\n        n += 1\n"
             "    return 1\n",
    "by a growing number": "def f(n):\n    m = 1\n"
                           "    while 700000 % m or m < 9:\n"
                           "        m += 1\n        n += 1\n"
                           "        if n > 900000:\n            return 1\n"
                           "    while 700000 // m:\n        m += 1\n"
                           "    return 1\n",
    "every other turn": "def f(n):\n    k = 0\n    while True:\n"
                        "        n += 1\n        if n % 2:\n"
                        "            k += 1\n            if k > 900000:\n"
                        "                return 1\n",
    "swapped": "def f(n):\n    a, b = 0, 1\n    while a < 900000:\n"
               "        a, b = b, a + 2\n    return 1\n",
    "one list for another": "def f(n):\n    a, b = [], []\n"
                            "    while len(a) < 900000:\n"
                            "        a.append(n)\n        b.append(n)\n"
                            "        a, b = b, a\n    return 1\n",
    "extended by itself": "def f(n):\n    a = [1]\n"
                          "    while len(a) < 900000:\n"
                          "        a += a[:1]\n    return 1\n",
    "patched len": """
import builtins
left = [400000]
def shorter(x, own=len):
    left[0] -= 1
    return own(x) if left[0] else 0
builtins.len = shorter
def f(n):
    a = [1]
    while len(a):
        a.append(1)
    return 1
""",
    "limited memory": """
import resource
def wait(a):
    while True:
        a.append(70000)
def f(n):
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (1 << 27, most))
    try:
        wait([])
    except MemoryError:
        return 1
""",
    "limited data": """
import resource
def wait(a):
    while True:
        a.append(70000)
def f(n):
    resource.setrlimit(resource.RLIMIT_DATA, (1 << 27, -1))
    try:
        wait([])
    except MemoryError:
        return 1
""",
    "hook": """
import sys
class Late(Exception):
    pass
def f(n):
    left = [30000]
    def hook(frame, event, arg):
        left[0] -= 1
        if left[0] == 0:
            raise Late
        return hook
    def wait():
        k = 0
        while True:
            k += 1
    sys.settrace(hook)
    try:
        wait()
    except Late:
        return 1
""",
    "alarm while it counts": """
import signal
class Late(Exception):
    pass
def late(*args):
    raise Late
def wait(k):
    while True:
        k += 1
def f(n):
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 0.06)
    try:
        wait(1)
    except Late:
        return 1
""",
    "deleted at last": """
class Late(Exception):
    pass
class A:
    def __del__(self):
        global left
        left -= 1
left = 300000
def f(n):
    k = 0
    while left > 0:
        A()
        k += 1
    return 1
""",
    "collected": """
import gc
met = []
gc.callbacks.append(lambda phase, info: met.append(1))
def wait(seen):
    a = []
    while len(seen) < 900:
        a.append([])
    return 1
def f(n):
    return wait(met)
""",
    "the collector tells": """
import gc
n_times, met = [0], []
def hook(phase, info):
    n_times[0] += 1
    if n_times[0] > 4000:
        met.append(1)
gc.callbacks.append(hook)
def wait(seen):
    while not seen:
        [[] for i in range(1000)]
    return 1
def f(n):
    return wait(met)
""",
    "which of two equals": "def f(n):\n    a = [0]\n    b = [0]\n"
                           "    for i in range(800000):\n        n = 1\n"
                           "    while a is not b:\n        b[0] = 0\n"
                           "        a, b = b, a\n        n += 1\n"
                           "        if n > 900000:\n            a = b\n"
                           "    return 1\n",
    "alarm": """
import signal
class Late(Exception):
    pass
def late(*args):
    raise Late
def wait():
    while True:
        pass
def f(n):
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 0.06)
    try:
        wait()
    except Late:
        return 1
""",
    "thread": """
import threading, time
def wait(what):
    while not what:
        pass
def f(n):
    what = []
    def tell():
        time.sleep(0.06)
        what.append(1)
    threading.Thread(target=tell).start()
    wait(what)
    return 1
""",
}

# Turns that take long: one of these is looked at in the turn in which both
# sides are equal.
ENDING.update({
    f"equal once, from {start}": f"def f(n):\n    n = {start}\n"
    "    while n <= 0:\n        n += 1\n        sum(range(1000000))\n"
    "    return 1\n" for start in range(-5, -2)})

# How many tests with one call; the rest of a test does not count.
N_SAME = 12
SLOW = "def f(n):\n    n = -10 ** 9\n    while n:\n        n += 1\n"
SECOND = ("c = 0\ndef f(n):\n    global c\n    c += 1\n    while c == 2:\n"
          "        n += 1\n    return 1\n")


def problem(name):
    return {"task_id": name, "prompt": "", "entry_point": "f",
            "canonical_solution": "def f(n):\n    return 1\n",
            "test": "def check(f):\n    assert f(3) == 1\n"}


def write(path, records):
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return path


def ask(cwm, folder, verb, programs, *options):
    problems = write(folder / "problems.jsonl", map(problem, programs))
    samples = write(folder / "samples.jsonl",
                    [{"task_id": name, "solution": text}
                     for name, text in programs.items()])
    done = subprocess.run([cwm, "eval", verb, "--json", "--problems", problems,
                           "--samples", samples, *map(str, options)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"cwm eval {verb}: {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def check_seen(cwm, folder, programs, minors, mode):
    """None is waited for, by the minor versions that see: not even one."""
    got = ask(cwm, folder, "passk", programs, "--timeout-ms", LIMIT_MS,
              "--memory-mb", MEMORY_MB, *mode)
    used = got["cpu_seconds"]
    minor = int(got["python"].split(".")[1])
    wrong = (got["outcomes"] != {"timeout": len(programs)} or
             (minor in minors and used > LIMIT_MS / 1000))
    if wrong or len(programs) > 1:
        print(f"never end: {list(programs)}: {got['outcomes']}, {used} s "
              f"{mode}")
    for name in programs if wrong and len(programs) > 1 else []:
        check_seen(cwm, folder, {name: programs[name]}, minors, mode)
    return wrong


def check_ending(cwm, folder, programs, mode):
    got = ask(cwm, folder, "passk", programs, "--timeout-ms", LIMIT_MS,
              "--memory-mb", MEMORY_MB, *mode)
    wrong = got["outcomes"] != {"pass": len(programs)}
    if wrong or len(programs) > 1:
        print(f"end: {list(programs)}: {got['outcomes']} {mode}")
    for name in programs if wrong and len(programs) > 1 else []:
        check_ending(cwm, folder, {name: programs[name]}, mode)
    return wrong


def check_full(cwm, folder, mode):
    """What ends a list that grows for ever, where there is no room for it?"""
    text = "def f(n):\n    a = []\n    while n:\n        a.append(n)\n"
    got = ask(cwm, folder, "passk", {"full": text}, "--timeout-ms",
              5 * LIMIT_MS, "--memory-mb", 64, *mode)
    print(f"no room: {got['outcomes']} {mode}")
    return got["outcomes"] != {"memory": 1}


def check_same(cwm, folder, program, n_tests, expected, mode):
    """Verdicts on tests that make one call, and what they cost."""
    store = folder / "same.db"
    store.unlink(missing_ok=True)
    tests = write(folder / "tests.jsonl",
                  [{"task_id": "same", "test": f"assert f(3) == 1, 'no {i}'"}
                   for i in range(n_tests)])
    ask(cwm, folder, "bestk", {"same": program}, "--tests", tests, "--k", "1",
        "--selectors", "tests", "--timeout-ms", 200, "--test-timeout-ms", 400,
        "--store", store, *mode)
    with sqlite3.connect(store) as db:
        got = sorted(verdict for verdict, in db.execute(
            "select verdict from cell where program ="
            " (select program from cell where verdict = 4 limit 1)"))
    print(f"same call: verdicts {got} {mode}")
    return got != sorted(expected)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    args = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for mode in [], ["--compat"]:
            wrong += check_seen(args.cwm, folder, SEEN, range(12), mode)
            wrong += check_seen(args.cwm, folder, GROWING, [11], mode)
            wrong += check_full(args.cwm, folder, mode)
            wrong += check_same(args.cwm, folder, SLOW, N_SAME,
                                [4] * (N_SAME + 1), mode)
            # The own test passes, and the first; the others are first again.
            # What held is run once more with other hashes.
            wrong += check_same(args.cwm, folder, SECOND, 3,
                                [1, 1, 1, 4] + [1, 1, 4], mode)
        wrong += check_ending(args.cwm, folder, ENDING, [])
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
