#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Our traces against a second, independent tracer, program by program.

usage: differential.py CWM JOBS.jsonl [--every N] [--keep FOLDER]

Both run in the jail: the tracer in C as `cwm trace --jobs`, and
reference_tracer.py as the program of `cwm trace --jobs --plain`, which gets
the job on its standard input.  Exit 1 when a trace differs or too few could be
compared.
"""
import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# Wide enough that hardly a program of the corpora meets one.
LIMITS = ["--timeout-ms", "20000", "--max-output-bytes", "33554432",
          "--max-trace-bytes", "33554432", "--max-frames", "10000",
          "--memory-mb", "1024"]


def text_of(record):
    out = []
    for frame in record["frames"]:
        state = ("" if frame["locals"] is None
                 else json.dumps(frame["locals"]))
        text = (f"<|{frame['event']}_sep|>{state}<|action_sep|>"
                f"{frame['source']}\n")
        text = text.replace("\n\n", "\n") if frame["source"].endswith("\n") \
            else text
        if frame["arg"] is not None:
            text += "<|arg_sep|>" + json.dumps(frame["arg"])
        out.append(text + "<|frame_sep|>")
    return out


def run(cwm, jobs, out, extra):
    command = [cwm, "trace", "--jobs", str(jobs), "-o", str(out), *LIMITS,
               *extra]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return {r["id"]: r for r in map(json.loads, open(out))}


def first_difference(ours, theirs):
    for i, (a, b) in enumerate(zip(ours, theirs)):
        if a != b:
            return f"frame {i}\n    ours:      {a!r}\n    reference: {b!r}"
    longer = "ours" if len(ours) > len(theirs) else "reference"
    rest = (ours + theirs)[min(len(ours), len(theirs))] if ours else "?"
    return (f"{len(ours)} frames against {len(theirs)}; {longer} goes on "
            f"with {rest!r}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cwm")
    parser.add_argument("jobs")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--keep")
    options = parser.parse_args()
    work = pathlib.Path(options.keep or tempfile.mkdtemp(prefix="cwm-diff-"))
    work.mkdir(exist_ok=True)
    jobs = [json.loads(line) for line in open(options.jobs)][::options.every]
    reference = (HERE / "reference_tracer.py").read_text()
    with open(work / "ours.in", "w") as f:
        for job in jobs:
            print(json.dumps(job), file=f)
    with open(work / "reference.in", "w") as f:
        for job in jobs:
            print(json.dumps({"id": job["id"], "source": reference,
                              "stdin": json.dumps(job)}), file=f)
    ours = run(options.cwm, work / "ours.in", work / "ours.out", [])
    theirs = run(options.cwm, work / "reference.in", work / "reference.out",
                 ["--plain"])
    counts = collections.Counter()
    for job in jobs:
        mine, other = ours[job["id"]], theirs[job["id"]]
        frames = [f + "<|frame_sep|>"
                  for f in other["stdout"].split("<|frame_sep|>")[:-1]]
        if other["verdict"] != "ok" or not frames:
            counts[f"not compared: reference {other['verdict']}"] += 1
            continue
        if mine["verdict"] not in ("ok", "exception", "exit"):
            counts[f"not compared: ours {mine['verdict']}"] += 1
            continue
        text = text_of(mine)
        if text == frames:
            counts["same"] += 1
            continue
        counts["different"] += 1
        if counts["different"] <= 20:
            print(f"{job['id']}({job['args'][:80]}): "
                  f"{first_difference(text, frames)}")
    for name, n in sorted(counts.items()):
        print(f"{n:6} {name}")
    if counts["different"] or counts["same"] < 0.7 * len(jobs):
        sys.exit(1)


if __name__ == "__main__":
    main()
