#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""leavings.py --cwm PROGRAM -- does a test's code reach another program's run?

Tests share a process where they can leave nothing behind (judge_plain.h).  One
worker judges honest candidates of these problems in turn: each first test
tries to leave something, the one behind it would see it.  Besides: a test that
catches everything does not pass without its candidate, and who runs behind a
candidate that dies or hangs, or behind a test that fills the memory, is judged
as ever.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

PLAIN = "def f(a):\n    return a\n"

# What a test leaves: alone in its process it passes or fails by itself.
LEAVINGS = {
    "builtin": "import builtins\nbuiltins.len = lambda x: 7\n",
    "class_of_remotes": "type(f).ghost = 5\n",
    "setattr": "setattr(type(f), 'ghost', 5)\n",
    "class_by_pattern": "def g():\n    yield 1\nmatch g():\n"
                        "    case object(gi_frame=x):\n"
                        "        x.f_globals['ghost'] = 1\n",
    "subclasses": "for c in object.__subclasses__():\n"
                  "    if c.__name__ == 'Remote':\n"
                  "        c.ghost = 5\n",
    "by_frames": "def g():\n    yield h.gi_frame\nh = g()\n"
                 "x = next(h)\nx.f_builtins['len'] = lambda x: 7\n",
    "by_traceback": "try:\n    1 / 0\nexcept Exception as e:\n"
                    "    e.__traceback__.tb_frame.f_builtins['len'] = max\n",
    "by_module": "import math\nmath.floor = lambda x: 7\n",
    "by_sys": "import sys\nsys.setrecursionlimit(60)\n",
    "finaliser": "class D:\n    def __del__(self): f(8)\nkept = [D()]\n"
                 "kept.append(kept)\n",
    "generator": "def g():\n    try:\n        yield 1\n    finally:\n"
                 "        f(9)\nkept = [g()]\nnext(kept[0])\n"
                 "kept.append(kept)\n",
    "names": "ghost = 5\nlen = None\nf = None\n",
    "prelude": "helper.ghost = 5\n",
}

# Sees what any of them left.
LOOKS = """
import math
def deep(n):
    return n and deep(n - 1)
""" # with an import: in a process of its own
LOOKS_PLAIN = """
assert len([1]) == 1
try:
    ghost
    assert False
except NameError:
    pass
try:
    f.ghost
    assert False
except AttributeError:
    pass
def deep(n):
    return n and 1 + deep(n - 1)
assert deep(100) == 100
assert [f(i) for i in range(20)] == list(range(20))
"""

# (candidate, test, verdicts that are right)
HARD = {
    "catches_exit": ("import os\ndef f(a):\n    os._exit(0)\n",
                     "try:\n    f(1)\nexcept BaseException:\n    pass\n",
                     ("crash",)),
    "catches_hang": ("def f(a):\n    while True:\n        pass\n",
                     "try:\n    f(1)\nexcept BaseException:\n    pass\n",
                     ("timeout",)),
    "catches_and_goes_on": ("import os\ndef f(a):\n    os._exit(0)\n",
                            "for _ in range(1000):\n    try:\n        f(1)\n"
                            "    except BaseException:\n        pass\n",
                            ("crash",)),
    "killed": ("import os\ndef f(a):\n    os.kill(os.getpid(), 9)\n",
               "assert f(1) == 1\n", ("memory", "crash")),
    "answers_and_leaves": ("import os, threading\ndef f(a):\n"
                           "    threading.Timer(0, os._exit, (0,)).start()\n"
                           "    return a\n",
                           "assert f(1) == 1\nassert f(2) == 3\n",
                           ("fail", "crash")),
    "hungry_test": (PLAIN, "assert f(1) == 1\nx = 'x' * 10 ** 11\n",
                    ("memory",)),
    "deep_test": (PLAIN, "def g(): return g()\ng()\n", ("error",)),
    "no_test": (PLAIN, "assert f(1) ==\n", ("bad_test",)),
}


def problems_and_samples():
    """[(task, candidate, test, verdicts that are right or None)]"""
    rows = []
    for name, text in LEAVINGS.items():
        rows.append((f"leave/{name}", PLAIN, text, None))
        rows.append((f"look/{name}", PLAIN, LOOKS_PLAIN, ("pass",)))
        rows.append((f"alone/{name}", PLAIN, LOOKS + LOOKS_PLAIN, ("pass",)))
    for name, (candidate, text, right) in HARD.items():
        rows.append((f"hard/{name}", candidate, text, right))
        rows.append((f"behind/{name}", PLAIN, LOOKS_PLAIN, ("pass",)))
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    cwm = parser.parse_args().cwm.resolve()
    rows = problems_and_samples()
    with tempfile.TemporaryDirectory() as folder:
        problems = pathlib.Path(folder, "problems.jsonl")
        samples = pathlib.Path(folder, "samples.jsonl")
        problems.write_text("".join(
            json.dumps({"task_id": task, "prompt": "", "entry_point": "f",
                        "canonical_solution": PLAIN,
                        "test": text + "def check(candidate):\n    pass\n"}) +
            "\n" for task, _, text, _ in rows))
        samples.write_text("".join(
            json.dumps({"task_id": task, "solution": candidate}) + "\n"
            for task, candidate, _, _ in rows))
        done = subprocess.run(
            [cwm, "eval", "passk", "--problems", problems, "--samples",
             samples, "--each", "--json", "--workers", "1", "--timeout-ms",
             "300", "--memory-mb", "256"],
            capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"cwm eval passk: {done.returncode}\n{done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()][:-1]
    found = [(line["task_id"], line["verdict"]) for line in lines]
    wrong = 0
    for (task, _, _, right), (name, verdict) in zip(rows, found):
        if task != name or (right and verdict not in right):
            print(f"{task}: {name} is {verdict}, not {right}")
            wrong += 1
    if len(found) != len(rows):
        print(f"{len(rows)} candidates, {len(found)} verdicts")
        wrong += 1
    print(f"{len(rows)} programs, {wrong} wrong")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
