#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""judge_speed.py --cwm PROGRAM --problems HumanEval.jsonl.gz [--rounds N]

HumanEval's canonical programs with their tests, three ways, one after the
other in every round, with as many workers each:
    fresh   an interpreter of its own for every program
    fork    a warm interpreter forks for every program; no jail at all
    cwm     cwm eval passk --canonical, with all of its start
Printed are the best and the median of wall and CPU seconds, and the ratios of
the best.  Exit status 1: cwm is not 10 times as fast as fresh, or not faster
than fork.
"""
import argparse
import concurrent.futures
import gzip
import json
import os
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True)
    parser.add_argument("--problems", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--python", default="/usr/bin/python3")
    args = parser.parse_args()
    texts = list(programs(args.problems))
    ways = {
        "fresh": (fresh, texts, args.workers, args.python),
        "fork": (fork, texts, args.workers, args.python),
        "cwm": (judged, args.cwm, args.problems, args.workers),
    }
    times = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, call in ways.items():
            wall, cpu, passed = measure(*call)
            if passed != len(texts):
                sys.exit(f"{name}: {passed} of {len(texts)} passed")
            times[name].append((wall, cpu))
    best = {}
    for name, list_ in times.items():
        walls, cpus = zip(*list_)
        best[name] = min(walls), min(cpus)
        print(f"{name:6} wall best {min(walls):6.3f} s, median "
              f"{statistics.median(walls):6.3f} s; CPU best "
              f"{min(cpus):6.3f} s")
    for name in ("fresh", "fork"):
        print(f"cwm against {name}: {best[name][0] / best['cwm'][0]:.1f} times "
              f"as fast, {best[name][1] / best['cwm'][1]:.1f} by CPU time")
    return not (best["fresh"][0] >= 10 * best["cwm"][0] and
                best["fork"][0] > best["cwm"][0])


if __name__ == "__main__":
    sys.exit(main())
