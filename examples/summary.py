#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""summary.py TRACES.jsonl -- what is in a file of traces."""
import collections
import json
import os
import sys


def main():
    path = sys.argv[1]
    verdicts = collections.Counter()
    modules = set()
    n_frames = n_lines = 0
    with open(path, encoding="utf-8") as f:
        for line in f:
            trace = json.loads(line)
            verdicts[trace["verdict"]] += 1
            modules.add(trace["context"].replace("  # << START_OF_TRACE", ""))
            n_frames += trace["counts"]["frames"]
            n_lines += trace["counts"]["lines"]
    print(f"traces    {sum(verdicts.values())}, of {len(modules)} programs")
    for verdict, n in verdicts.most_common():
        print(f"verdict   {verdict}: {n}")
    print(f"frames    {n_frames}, {n_lines} of them lines")
    print(f"file      {path}, {os.path.getsize(path) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
