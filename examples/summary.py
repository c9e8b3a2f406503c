#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""summary.py TRACES.jsonl -- what is in a file of traces, in two lines."""
import json
import os
import sys

MARKER = "  # << START_OF_TRACE"


def main():
    path = sys.argv[1]
    modules = set()
    n_library = n_examples = n_calls = n_lines = 0
    with open(path, encoding="utf-8") as f:
        for line in f:
            trace = json.loads(line)
            if trace["id"].startswith("examples."):
                n_examples += 1
            else:
                n_library += 1
                modules.add(trace["context"].replace(MARKER, ""))
            n_calls += trace["counts"]["calls"]
            n_lines += trace["counts"]["lines"]
    print(f"programs: {n_library} calls into {len(modules)} modules of the "
          f"standard library, {n_examples} into examples/")
    print(f"in them: {n_calls} calls, {n_lines} lines; "
          f"{os.path.getsize(path) / 1e6:.1f} MB in {path}")


if __name__ == "__main__":
    main()
