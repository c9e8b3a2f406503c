#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""golden.py --cwm PROGRAM RECORDED.jsonl.zst -- equal, byte for byte?

Every line of RECORDED is a job and what a slow, independent tracer gave for
it.  All jobs go through `cwm trace --jobs`; the text form is put together
from the records that come out and compared, with context, result, exception
and number of frames.  A few go through `cwm trace FILE --format cwm` too.

The interpreter must be the one in the file's name (..._cpython310): the
default worker's, or one that `--python` reaches.  Exits 77, saying so, where
the file or such an interpreter is not there.
"""
import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

BEGIN = "<|begin_of_text|><|trace_context_start|>"
END = "<|end_of_text|>"
N_SHOWN = 3     # differences printed in full
SINGLE_STEP = 97  # every so many jobs, one as a single file too
JOB_KEYS = ("id", "source", "entry", "args", "wrap_main")


def skip(why):
    print(f"SKIPPED: {why}")
    print("The golden traces were NOT compared.")
    sys.exit(77)


def frame_text(frame):
    """One frame of a JSON record in the text form."""
    source = frame["source"]
    if not source.endswith("\n"):
        source += "\n"
    text = f"<|{frame['event']}_sep|>"
    if frame["event"] in ("call", "line"):
        text += json.dumps(frame["locals"])
    text += f"<|action_sep|>{source}"
    if frame["event"] in ("return", "exception"):
        text += f"<|arg_sep|>{json.dumps(frame['arg'])}"
    return text + "<|frame_sep|>"


def show_difference(what, want, got):
    """The first place where two texts part, with what stands around it."""
    n = min(len(want), len(got))
    at = next((i for i in range(n) if want[i] != got[i]), n)
    start = max(0, at - 120)
    print(f"  {what} differs at character {at}:")
    print(f"    want ...{want[start:at + 120]!r}")
    print(f"    got  ...{got[start:at + 120]!r}")


def compare(record, trace):
    """Prints what differs; True when nothing does."""
    text = "".join(frame_text(f) for f in trace["frames"])
    exception = trace["exception"]
    checks = [
        ("context", record["context"], trace["context"]),
        ("text", record["text"], text),
        ("result", record["result"], trace["result"]),
        ("exception", record["exception"], exception),
        ("frames", record["frames"], len(trace["frames"])),
        ("counts.frames", record["frames"], trace["counts"]["frames"]),
    ]
    for what, want, got in checks:
        if want == got:
            continue
        print(f"{record['id']}: verdict {trace['verdict']}")
        if isinstance(want, str) and isinstance(got, str):
            show_difference(what, want, got)
        else:
            print(f"  {what}: want {want!r}, got {got!r}")
        return False
    return True


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def version_of(cwm, more):
    """The interpreter's version behind `cwm trace ...`, or None and why."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as f:
        f.write("def f():\n    return 1\n")
        f.flush()
        status, out, err = run([cwm, "trace", f.name, "--entry", "f",
                                "--format", "jsonl", *more])
    if status not in (0, 1) or not out:
        return None, err.strip()
    return json.loads(out)["python"], ""


def interpreter_options(cwm, wanted):
    """Options that make cwm use `wanted` ("3.10"), or None."""
    version, why = version_of(cwm, [])
    if version is None:
        print(f"cwm cannot trace: {why}")
        sys.exit(1)
    if version.startswith(wanted + "."):
        return []
    candidates = [shutil.which(f"python{wanted}"), *sorted(glob.glob(
        os.path.expanduser(f"~/.pyenv/versions/{wanted}.*/bin/python3")))]
    for path in filter(None, candidates):
        version, why = version_of(cwm, ["--python", path])
        if version and version.startswith(wanted + "."):
            return ["--python", path]
        print(f"cwm does not take {path}: {why or version}")
    return None


def check_jobs(cwm, more, records, folder):
    jobs = f"{folder}/jobs.jsonl"
    traces = f"{folder}/traces.jsonl"
    with open(jobs, "w", encoding="utf-8") as f:
        for record in records:
            f.write(json.dumps({k: record[k] for k in JOB_KEYS}) + "\n")
    status, _, err = run([cwm, "trace", "--jobs", jobs, "-o", traces, *more])
    if status not in (0, 1):
        print(f"cwm trace --jobs: exit {status}\n{err}")
        return len(records)
    n_bad = 0
    with open(traces, encoding="utf-8") as f:
        lines = f.read().split("\n")[:-1]
    for record, line in zip(records, lines):
        trace = json.loads(line)
        if trace["id"] != record["id"]:
            print(f"order: {trace['id']} where {record['id']} belongs")
            return n_bad + 1
        if n_bad < N_SHOWN:
            n_bad += not compare(record, trace)
        else:
            n_bad += record["text"] != "".join(map(frame_text,
                                                   trace["frames"]))
    if len(lines) != len(records):
        print(f"{len(lines)} traces for {len(records)} jobs")
        n_bad += abs(len(records) - len(lines))
    return n_bad


def check_single(cwm, more, record, folder):
    """The same call by a file on the command line, in the text form."""
    path = f"{folder}/program.py"
    with open(path, "w", encoding="utf-8") as f:
        f.write(record["source"])
    wrap = ["--wrap-main"] if record["wrap_main"] else []
    status, out, err = run([cwm, "trace", path, "--entry", record["entry"],
                            "--args", record["args"], *wrap,
                            "--format", "cwm", *more])
    want = (BEGIN + record["context"] + "<|frame_sep|>" + record["text"]
            + END)
    got = out.decode(errors="replace")
    if got.endswith("\n") and not want.endswith("\n"):
        got = got[:-1]
    if status == 0 and got == want:
        return 0
    print(f"{record['id']} as a file: exit {status} {err.strip()}")
    show_difference("the text", want, got)
    return 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cwm", required=True)
    parser.add_argument("recorded")
    options = parser.parse_args()
    if not os.path.exists(options.recorded):
        skip(f"there is no {os.path.basename(options.recorded)} here")
    major, minor = re.search(r"cpython(\d)(\d+)", options.recorded).groups()
    more = interpreter_options(options.cwm, f"{major}.{minor}")
    if more is None:
        skip(f"no worker for CPython {major}.{minor} was built")
    text = subprocess.run(["zstd", "-dcq", options.recorded], check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    records = [json.loads(line) for line in text.split("\n") if line]
    with tempfile.TemporaryDirectory() as folder:
        n_bad = check_jobs(options.cwm, more, records, folder)
        singles = records[::SINGLE_STEP]
        n_bad_single = sum(check_single(options.cwm, more, r, folder)
                           for r in singles)
    print(f"{len(records)} jobs compared, {n_bad} differ; "
          f"{len(singles)} single files, {n_bad_single} differ")
    sys.exit(1 if n_bad or n_bad_single or not records else 0)


if __name__ == "__main__":
    main()
