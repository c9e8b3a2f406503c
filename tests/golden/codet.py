#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""codet.py --cwm PROGRAM --store FILE FOLDER -- CodeT's published row.

Runs CodeGen-16B's samples on its own tests (HumanEval) and compares what
`cwm eval bestk --compat` says with what was published, to 0.1.  Takes some ten
minutes of CPU time at first; FILE keeps the verdicts for the next time.
Exits 77 where the data is not there.
"""
import argparse
import json
import pathlib
import subprocess
import sys

SAMPLED = "HumanEval_codegen16B_temp0.8_topp0.95_num100_max300_"
NEAR = 0.1

# (selector, figure, published)
ROW = [("random", "pass@1", 22.12), ("random", "pass@10", 50.38),
       ("random", "pass@100", 73.78), ("codet", "pass@1", 36.76),
       ("codet", "pass@2", 44.74), ("codet", "pass@10", 59.36)]
TESTS = {"generated": 9124, "different": 8331, "tasks_without": 9}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("folder", type=pathlib.Path)
    args = parser.parse_args()
    problems = args.folder / "HumanEval_for_code_generation.jsonl"
    if not problems.exists():
        print(f"{problems} is not there")
        return 77
    done = subprocess.run(
        [args.cwm, "eval", "bestk", "--json", "--compat",
         "--timeout-ms", "1000", "--test-timeout-ms", "100",
         "--problems", problems, "--store", args.store,
         "--samples", args.folder / (SAMPLED + "code_solution.jsonl"),
         "--tests", args.folder / (SAMPLED + "test_case.jsonl"),
         "--selectors", "random,codet", "--k", "1,2,10,100"],
        stdout=subprocess.PIPE, check=True)
    said = json.loads(done.stdout)
    wrong = 0
    for name, number in TESTS.items():
        if said["tests"][name] != number:
            print(f"{name}: {said['tests'][name]} tests, not {number}")
            wrong += 1
    for selector, figure, published in ROW:
        got = said["selectors"][selector][figure]
        print(f"{selector} {figure}: {got:.2f}, published {published:.2f}")
        wrong += abs(got - published) > NEAR
    return 1 if wrong else 0


sys.exit(main())
