#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""coverage.py BUILD [FILE...] -- which lines the tests ran, by gcov.

Prints the share of lines that were run, for each file and folder of ours and
for the whole; of each FILE also the lines that were not.  A file that is
built more than once (the worker, for each CPython) counts as one: a line was
run when it was run anywhere.
"""
import collections
import concurrent.futures
import glob
import json
import os
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
OURS = ("cwm/", "sandbox/", "tracer/", "datasets/", "eval/")


def counts_of(note):
    """[(file, {line: count})] of one object, run or not."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", note],
                          cwd=os.path.dirname(note), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True)
    found = []
    for text in done.stdout.splitlines():
        report = json.loads(text)
        for entry in report["files"]:
            path = os.path.normpath(os.path.join(
                report["current_working_directory"], entry["file"]))
            name = os.path.relpath(path, ROOT)
            if name.startswith(OURS):
                found.append((name, {at["line_number"]: at["count"]
                                     for at in entry["lines"]}))
    return found


def all_counts(build):
    files = collections.defaultdict(collections.Counter)
    notes = glob.glob(f"{os.path.abspath(build)}/**/*.gcno", recursive=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(counts_of, notes):
            for name, counts in found:
                files[name].update(counts)
    return files


def ranges(numbers):
    """'3, 7-9' of the numbers 3, 7, 8, 9."""
    spans = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{a}-{b}" if a < b else str(a) for a, b in spans)


def row(name, n_run, n_all):
    share = 100 * n_run / n_all if n_all else 100
    print(f"{name:<44} {n_run:>6} of {n_all:>6} {share:>6.1f} %")


def main():
    files = all_counts(sys.argv[1])
    if not files:
        sys.exit(f"coverage.py: '{sys.argv[1]}' is no build with --coverage")
    folders = collections.defaultdict(dict)
    for name, counts in sorted(files.items()):
        sums = (sum(1 for c in counts.values() if c), len(counts))
        folders[os.path.dirname(name)][name] = sums
    for folder, members in folders.items():
        for name, sums in members.items():
            row(f"  {name}", *sums)
        row(f"{folder}/", *map(sum, zip(*members.values())))
    row("all", *map(sum, zip(*(s for m in folders.values()
                               for s in m.values()))))
    for name in sys.argv[2:]:
        missing = sorted(n for n, c in files[name].items() if not c)
        print(f"{name}, not run: {ranges(missing) or 'nothing'}")


if __name__ == "__main__":
    main()
