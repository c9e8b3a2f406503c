#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples.py --cwm PROGRAM --jobs JOBS -- the examples' jobs end as meant.

Every job must end with the verdict `ok`, those whose id ends in .raises with
`exception`, each with frames of its own; two runs with different numbers of
workers give the same bytes.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def trace(options, workers, folder):
    out = f"{folder}/traces-{workers}.jsonl"
    done = subprocess.run(
        [f"{ROOT}/examples/trace_jobs.sh", options.cwm, options.jobs, out,
         "--workers", str(workers)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode not in (0, 1):
        print(f"exit {done.returncode}\n{done.stdout}")
        sys.exit(1)
    with open(out, "rb") as f:
        return f.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cwm", required=True)
    parser.add_argument("--jobs", required=True)
    options = parser.parse_args()
    with open(options.jobs, encoding="utf-8") as f:
        ids = [json.loads(line)["id"] for line in f]
    with tempfile.TemporaryDirectory() as folder:
        one = trace(options, 1, folder)
        three = trace(options, 3, folder)
    n_bad = 0
    if one != three:
        print("1 worker and 3 workers give different bytes")
        n_bad += 1
    traces = [json.loads(line) for line in one.splitlines()]
    if [t["id"] for t in traces] != ids:
        print("the traces are not those of the jobs, in their order")
        n_bad += 1
    for t in traces:
        want = "exception" if t["id"].endswith(".raises") else "ok"
        if t["verdict"] != want or len(t["frames"]) < 2:
            n_bad += 1
            print(f"{t['id']}: {t['verdict']} ({t.get('detail')}), "
                  f"{len(t['frames'])} frames, {t['exception']}")
    print(f"{len(traces)} jobs, {n_bad} not as meant")
    sys.exit(1 if n_bad or not traces else 0)


if __name__ == "__main__":
    main()
