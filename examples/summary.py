#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""summary.py TRACES.jsonl -- what is in a file of traces, in two lines."""
import json
import os
import sys


def main():
    path = sys.argv[1]
    programs = set()
    n_traces = n_calls = n_lines = 0
    with open(path, encoding="utf-8") as f:
        for line in f:
            trace = json.loads(line)
            n_traces += 1
            programs.add(trace["context"].replace("  # << START_OF_TRACE", ""))
            n_calls += trace["counts"]["calls"]
            n_lines += trace["counts"]["lines"]
    print(f"{n_traces} calls into {len(programs)} programs: {n_lines} lines, "
          f"{n_calls} calls of functions")
    print(f"{path}: {os.path.getsize(path) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
