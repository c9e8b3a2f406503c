#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""reproduce.py --cwm PROGRAM --data FOLDER PART... -- published numbers.

Parts: humaneval, mbpp, sanitized, cruxeval (canonical solutions: all of them
pass, by execution), codet (the row of CodeGen-16B in CodeT's paper: pass@1, 10
and 100 of its own samples, timeout 0.1 s) and cells (CRUXEval's published
table, from the recorded generations, which are run again).
"""
import argparse
import csv
import json
import pathlib
import subprocess
import sys

CANONICAL = {
    "humaneval": ("human-eval/data/HumanEval.jsonl.gz", 164),
    "mbpp": ("mbpp/mbpp.jsonl", 974),
    "sanitized": ("mbpp/sanitized-mbpp.json", 427),
    "cruxeval": ("cruxeval/data/cruxeval.jsonl", 800),
}

CODET = "codet/HumanEval_codegen16B_temp0.8_topp0.95_num100_max300_%s.jsonl"
CODET_ROW = {"pass@1": "22.12", "pass@10": "50.38", "pass@100": "73.78"}


def ask(cwm, verb, *options):
    done = subprocess.run([cwm, "eval", verb, "--json", *map(str, options)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"cwm eval {verb}: {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def canonical(cwm, data, part):
    name, n = CANONICAL[part]
    got = ask(cwm, "passk", "--problems", data / name, "--canonical")
    print(f"{part}: {got['outcomes']}")
    return got["outcomes"] != {"pass": n}


def codet(cwm, data):
    got = ask(cwm, "passk", "--problems",
              data / "codet/HumanEval_for_code_generation.jsonl", "--samples",
              data / (CODET % "code_solution"), "--timeout-ms", 100,
              "--k", "1,10,100")
    row = {k: f"{got[k]:.2f}" for k in CODET_ROW}
    print(f"codet: {row}")
    return row != CODET_ROW


def published(data):
    """{(model, column): score} of the table."""
    with open(data / "cruxeval-results/data.csv", encoding="utf-8") as file:
        return {(row["Model"].split(" (")[0], column): row[column]
                for row in csv.DictReader(file)
                for column in ("i@1", "i@5", "o@1", "o@5")}


def cells(cwm, data):
    """@1 is of the generations at temperature 0.2, @5 of those at 0.8."""
    table = published(data)
    wrong = 0
    for path in sorted((data / "cruxeval-results").glob("*_temp*.json")):
        model, temperature, task = path.stem.rsplit("_", 2)
        k = 1 if temperature == "temp0.2" else 5
        expected = table[model, f"{task[0]}@{k}"]
        got = ask(cwm, "cruxeval", "--problems",
                  data / "cruxeval/data/cruxeval.jsonl", "--results", path,
                  "--compat", "--k", k)
        score = got[f"pass@{k}"]
        is_right = abs(score - float(expected)) <= 0.1
        wrong += not is_right
        print(f"{path.stem} @{k}: {score:.2f}, published {expected}"
              f"{'' if is_right else ' WRONG'}")
    return wrong != 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("parts", nargs="+")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"{args.data} is not there")
        return 77
    wrong = 0
    for part in args.parts:
        if part in CANONICAL:
            wrong += canonical(args.cwm, args.data, part)
        else:
            wrong += {"codet": codet, "cells": cells}[part](args.cwm,
                                                            args.data)
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
