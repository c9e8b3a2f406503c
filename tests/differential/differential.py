#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Our traces against a second, independent tracer, program by program.

usage: differential.py CWM [--python X.Y] [--stdlib JOBS.jsonl]
                       [--corpora FOLDER] [--every N] [--keep FOLDER]

Both run in the jail: the tracer in C as `cwm trace --jobs`, and
reference_tracer.py as the program of `cwm trace --jobs --plain`, which gets
the job on its standard input.  Exit 1 when a trace differs or too few could be
compared; 77 when the corpora are not there and all else is well.

A program that looks at its own frames may run differently under any tracer
that is written in Python.  Such a job counts as different unless all of this
holds: its text names one of the functions that look (LOOKS), or a generator
that was given up ends later (f_locals keeps what it held last); it does come to
something else when a Python function calls it, or traces it and does no more
than read f_locals, or the traces part there; and ours comes to what the plain
run does.
A job for which two runs of the reference differ is not compared either.
What id() says differs between any two processes: it is not compared.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import corpus_jobs

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MAX_FRAMES = 4000
# Wide enough that hardly a program of the corpora meets one.
LIMITS = ["--timeout-ms", "10000", "--max-output-bytes", "33554432",
          "--max-trace-bytes", "33554432", "--max-frames", str(MAX_FRAMES),
          "--memory-mb", "1024"]
LOOKS = re.compile(r"\b(locals|vars|globals|_getframe|f_locals|f_back|"
                   r"currentframe|settrace|gettrace|getrefcount)\b")
# Where the kernel puts memory that is asked for; what a symbol table's entry
# calls its number is one of the C library's.
ID = re.compile(r"\b1407\d{11}\b|0x7f[0-9a-f]{10}\b|(?<=symtable entry top\()\d+")
ENDED = ("ok", "exception", "exit")
STOPPED = ("frame_limit", "byte_limit", "timeout", "memory")


def text_of(record):
    """The frames' text, made anew from the JSON."""
    out = []
    for frame in record["frames"]:
        state = ("" if frame["locals"] is None
                 else json.dumps(frame["locals"]))
        text = (f"<|{frame['event']}_sep|>{state}<|action_sep|>"
                f"{frame['source']}")
        if frame["arg"] is not None:
            text += "<|arg_sep|>" + json.dumps(frame["arg"])
        out.append(text)
    return [ID.sub("ID", text) for text in out]


def frames_of(reference):
    return ID.sub("ID", reference["stdout"]).split("<|frame_sep|>")[:-1]


def trace(options, jobs, work, name, *extra):
    """Records of `jobs` by their id."""
    with open(work / f"{name}.in", "w", encoding="utf-8") as f:
        for job in jobs:
            print(json.dumps(job), file=f)
    out = work / f"{name}.out"
    command = [options.cwm, "trace", "--jobs", str(work / f"{name}.in"),
               "-o", str(out), "--overwrite", *LIMITS, *extra]
    if options.python:
        command += ["--python", options.python]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    with open(out, encoding="utf-8") as f:
        return {r["id"]: r for r in map(json.loads, f)}


def reference_jobs(jobs, **more):
    reference = (HERE / "reference_tracer.py").read_text()
    return [{"id": job["id"], "source": reference,
             "stdin": json.dumps(job | more)} for job in jobs]


def parts_at_a_look(mine, other):
    """Does the first difference follow a line that looks at frames, or is it
    the end of a generator?"""
    ours, theirs = text_of(mine), frames_of(other)
    same = [a == b for a, b in zip(ours, theirs)]
    i = same.index(False) if False in same else len(same)
    if any("GeneratorExit" in text for text in ours[i + 1:i + 2]):
        return True
    return any(LOOKS.search(f["source"])
               for f in mine["frames"][max(i - 1, 0):i + 1])


def first_difference(ours, theirs):
    for i, (a, b) in enumerate(zip(ours, theirs)):
        if a != b:
            return f"frame {i}\n    ours:      {a!r}\n    reference: {b!r}"
    longer = "ours" if len(ours) > len(theirs) else "reference"
    rest = (ours + theirs)[min(len(ours), len(theirs))] if ours else "?"
    return (f"{len(ours)} frames against {len(theirs)}; {longer} goes on "
            f"with {rest!r}")


def compare(mine, other):
    """("same", ""), ("different", how) or ("not compared: why", "")."""
    theirs = frames_of(other)
    ours = text_of(mine)
    raised = other["exception"] and other["exception"]["type"]
    if raised == "Unsupported":
        return f"not compared: {other['exception']['message']}", ""
    if other["verdict"] == "exception" and not ours:
        if mine["exception"] and mine["exception"]["type"] == raised:
            return "same: it raises before the entry", ""
        return "different", (f"reference raises {other['exception']}, ours "
                             f"{mine['verdict']} {mine['exception']}")
    if other["verdict"] in STOPPED + ("output_limit",):
        return f"not compared: reference {other['verdict']}", ""
    if other["verdict"] != "ok" and len(theirs) < MAX_FRAMES:
        return "different", (f"reference: {other['verdict']}, "
                             f"{other['exception']}")
    if mine["verdict"] in STOPPED and mine["verdict"] != "frame_limit":
        theirs = theirs[:len(ours)]
    elif mine["verdict"] not in ENDED + ("frame_limit", "bad_args"):
        return "different", f"ours ends with {mine['verdict']}"
    if ours != theirs:
        return "different", first_difference(ours, theirs)
    return "same", ""


def looking(options, jobs, at_look, ours, work):
    """Those of the jobs that do run differently when they are looked at."""
    jobs = [job for job in jobs
            if LOOKS.search(job["source"]) or job["id"] in at_look]
    if not jobs:
        return set()
    untraced = trace(options, reference_jobs(jobs, outcome="untraced"), work,
                     "untraced", "--plain")
    observed = trace(options, reference_jobs(jobs, outcome="observed"), work,
                     "observed", "--plain")
    plain = trace(options, jobs, work, "plain", "--plain")
    found = set()
    for name in (job["id"] for job in jobs):
        result, raised = plain[name]["result"], plain[name]["exception"]
        outcomes = {raised["type"] if raised else result,
                    untraced[name]["stdout"], observed[name]["stdout"]}
        if (len(outcomes) > 1 or name in at_look) and all(
                ours[name][key] == plain[name][key]
                for key in ("verdict", "result", "exception", "stdout")):
            found.add(name)
    return found


def stdlib_jobs(options, path):
    """The jobs of examples/, with their files' text in them."""
    ask = [{"id": "where", "source": "import os\nprint(os.__file__)\n"}]
    with tempfile.TemporaryDirectory() as folder:
        told = trace(options, ask, pathlib.Path(folder), "where", "--plain")
    stdlib = os.path.dirname(told["where"]["stdout"].strip())
    with open(path, encoding="utf-8") as f:
        for job in map(json.loads, f):
            name = job.pop("path").replace("@STDLIB@", stdlib).replace(
                "@EXAMPLES@", str(ROOT / "examples"))
            if os.path.exists(name):  # not every version has every module
                with open(name, encoding="utf-8") as program:
                    yield job | {"source": program.read()}


def all_jobs(options):
    jobs = []
    if options.stdlib:  # they are few, and all there is without the corpora
        every = max(options.every // 4, 1)
        jobs += list(stdlib_jobs(options, options.stdlib))[::every]
    if options.corpora and options.corpora.exists():
        jobs += list(corpus_jobs.jobs_in(options.corpora))[::options.every]
    return jobs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cwm")
    parser.add_argument("--python")
    parser.add_argument("--stdlib")
    parser.add_argument("--corpora", type=pathlib.Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--keep")
    options = parser.parse_args()
    jobs = all_jobs(options)
    with tempfile.TemporaryDirectory(prefix="cwm-diff-") as folder:
        work = pathlib.Path(options.keep or folder)
        work.mkdir(exist_ok=True)
        ours = trace(options, jobs, work, "ours")
        theirs = trace(options, reference_jobs(jobs, max_frames=MAX_FRAMES),
                       work, "reference", "--plain")
        found = {job["id"]: compare(ours[job["id"]], theirs[job["id"]])
                 for job in jobs}
        differ = [job for job in jobs if found[job["id"]][0] == "different"]
        at_look = {job["id"] for job in differ if parts_at_a_look(
            ours[job["id"]], theirs[job["id"]])}
        again = trace(options, reference_jobs(differ, max_frames=MAX_FRAMES),
                      work, "again", "--plain") if differ else {}
        for name, record in again.items():
            if frames_of(record) != frames_of(theirs[name]):
                found[name] = "not compared: it is not deterministic", ""
        differ = [job for job in differ
                  if found[job["id"]][0] == "different"]
        for name in looking(options, differ, at_look, ours, work):
            found[name] = "not compared: it looks at its own frames", ""
    for name, (kind, how) in found.items():
        if kind == "different":
            print(f"{name}: {how[:4000]}")
    counts = collections.Counter(kind for kind, _ in found.values())
    for kind, n in sorted(counts.items()):
        print(f"{n:6} {kind}")
    n_same = sum(n for kind, n in counts.items() if kind.startswith("same"))
    if counts["different"] or not jobs or n_same < 0.9 * len(jobs):
        sys.exit(1)
    if options.corpora and not options.corpora.exists():
        print(f"SKIPPED: the corpora; there is no {options.corpora}")
        sys.exit(77)


if __name__ == "__main__":
    main()
