#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""judge_speed.py --cwm PROGRAM --problems HumanEval.jsonl.gz [--rounds N]

HumanEval's canonical programs with their tests, three ways, one after the
other in every round, with as many workers each:
    fresh   an interpreter of its own for every program
    fork    a warm interpreter forks for every program; no jail at all
    cwm     cwm eval passk --canonical, with all of its start
The first two twice: with what `python3` on PATH is, which may be a script that
looks for the interpreter, and with /usr/bin/python3, started directly.
Printed are the best and the median of wall and CPU seconds, and the ratios of
the best.  Exit status 1: with PATH's, cwm is not 10 times as fast as fresh, or
not faster than fork.
"""
import argparse
import concurrent.futures
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import time


def programs(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            p = json.loads(line)
            yield (p["prompt"] + p["canonical_solution"] + "\n" + p["test"] +
                   f"\ncheck({p['entry_point']})\n")


def fresh(texts, workers, python):
    def one(text):
        return subprocess.run([python, "-c", text], check=False,
                              stdout=subprocess.DEVNULL).returncode == 0
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(one, texts))


FORKER = """
import collections, functools, itertools, json, math, os, re, string, sys
import typing
texts = json.load(sys.stdin)
passed = 0
for text in texts:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            exec(text, {})
            code = 0
        finally:
            os._exit(code)
    passed += os.waitpid(pid, 0)[1] == 0
print(passed)
"""


def fork(texts, workers, python):
    runs = []
    for i in range(workers):
        run = subprocess.Popen([python, "-c", FORKER], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
        run.stdin.write(json.dumps(texts[i::workers]))
        run.stdin.close()
        runs.append(run)
    return sum(int(run.stdout.read()) + 0 * run.wait() for run in runs)


def judged(cwm, problems, workers):
    done = subprocess.run([cwm, "eval", "passk", "--problems", problems,
                           "--canonical", "--json", "--workers", str(workers)],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["outcomes"].get("pass", 0)


def measure(function, *args):
    """Wall and CPU seconds, and what came out."""
    before = os.times()
    start = time.monotonic()
    result = function(*args)
    wall = time.monotonic() - start
    after = os.times()
    cpu = (after.children_user + after.children_system -
           before.children_user - before.children_system)
    return wall, cpu, result


SYSTEM = "/usr/bin/python3"


def ways_of(texts, args):
    """What is measured, by name, and the interpreters' names."""
    pythons = {"PATH's": shutil.which("python3")}
    if os.path.realpath(pythons["PATH's"]) != os.path.realpath(SYSTEM):
        pythons["direct"] = SYSTEM
    ways = {}
    for which, python in pythons.items():
        print(f"{which} python3: {python}")
        ways["fresh", which] = fresh, texts, args.workers, python
        ways["fork", which] = fork, texts, args.workers, python
    ways["cwm", ""] = judged, args.cwm, args.problems, args.workers
    return ways


def report(name, times):
    walls, cpus = zip(*times)
    print(f"{' '.join(name):13} wall best {min(walls):6.3f} s, median "
          f"{statistics.median(walls):6.3f} s; CPU best {min(cpus):6.3f} s")
    return min(walls), min(cpus)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True)
    parser.add_argument("--problems", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    texts = list(programs(args.problems))
    ways = ways_of(texts, args)
    times = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, call in ways.items():
            wall, cpu, passed = measure(*call)
            if passed != len(texts):
                sys.exit(f"{' '.join(name)}: {passed} of {len(texts)} passed")
            times[name].append((wall, cpu))
    best = {name: report(name, list_) for name, list_ in times.items()}
    wall, cpu = best.pop(("cwm", ""))
    for name, (other_wall, other_cpu) in best.items():
        print(f"cwm against {' '.join(name)}: {other_wall / wall:.1f} times as "
              f"fast, {other_cpu / cpu:.1f} by CPU time")
    return not (best["fresh", "PATH's"][0] >= 10 * wall and
                best["fork", "PATH's"][0] > wall)


if __name__ == "__main__":
    sys.exit(main())
