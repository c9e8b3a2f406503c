#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""batches.py --cwm PROGRAM [--seed N] -- a batch is stopped, and goes on.

400 jobs are traced with 1, 2 and 5 workers; each such run is stopped again
and again, at moments that the seed gives, by SIGINT, SIGTERM or SIGKILL, and
started again with the same command until it is done.  What is in the file is
always the beginning of what an uninterrupted run writes: whole records, and
after SIGKILL at most one more that is cut.  At the end the two are equal.

Then, lines far too long: the memory of the one process stays bounded.
"""
import argparse
import json
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import tempfile

N_JOBS = 400
STOPS_EACH = 9
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
# What the long lines below need: two threads, a line and its job each.
MOST_MB = 400


def write_jobs(path):
    """Jobs of many kinds and lengths; some lines are none."""
    loop = "def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n"
    with open(path, "w", encoding="utf-8") as f:
        for i in range(N_JOBS):
            job = {"id": f"job {i}", "source": loop, "entry": "f",
                   "args": str(i * 7 % 90)}
            if i % 20 == 3:
                job = {"id": i, "source": "import time\ntime.sleep(0.15)\n"}
            elif i % 20 == 7:
                job["args"] = ""
            elif i % 20 == 11:
                job = {"id": f"é{i}", "source": "x = 'é' * 9000\ny = x\n" * 9}
            elif i % 20 == 15:
                job["max_frames"] = 5
            print(json.dumps(job, ensure_ascii=i % 2 == 0), file=f)
            if i % 100 == 50:
                print("no job", file=f)


def command(options, folder, out, workers):
    return [options.cwm, "trace", "--jobs", str(folder / "jobs.jsonl"), "-o",
            str(folder / out), "--workers", str(workers)]


def stop_once(argv, out, number, delay):
    """Exit status after the signal; -1: it was done before."""
    run = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:
        run.wait(delay)
        return -1
    except subprocess.TimeoutExpired:
        run.send_signal(number)
    return run.wait()


def check_beginning(out, whole, number):
    """What is wrong with the file, or ''."""
    text = out.read_bytes() if out.exists() else b""
    full = text[:text.rfind(b"\n") + 1]
    if text != full and number != signal.SIGKILL:
        return f"half a record is there: {text[len(full):][:80]!r}"
    for line in full.splitlines():
        json.loads(line)
    if not whole.startswith(full):
        return "it is not the beginning of what a whole run writes"
    return ""


def stop_and_go_on(options, folder, whole, workers, dice):
    out = folder / f"out-{workers}.jsonl"
    argv = command(options, folder, out.name, workers)
    n_stops, n_grown, size = 0, 0, 0
    reach = 0.7  # seconds; more where the machine is busy
    expected = {signal.SIGINT: 130, signal.SIGTERM: 143,
                signal.SIGKILL: -9}
    while n_stops < STOPS_EACH:
        number = SIGNALS[n_stops % len(SIGNALS)]
        status = stop_once(argv, out, number, dice.uniform(0.02, reach))
        if status == -1:
            break
        n_stops += 1
        wrong = check_beginning(out, whole, number)
        if not wrong and status not in (expected[number],
                                        -number):  # not yet caught
            wrong = f"exit status {status} after {number.name}"
        if wrong:
            sys.exit(f"{workers} workers, stop {n_stops}: {wrong}")
        now = out.stat().st_size if out.exists() else 0
        n_grown += now > size
        reach = min(reach * 1.3, 10) if now <= size else reach
        size = now
    done = subprocess.run(argv, stderr=subprocess.PIPE, text=True)
    if done.returncode != 1 or "Traceback" in done.stderr:
        sys.exit(f"{workers} workers: exit {done.returncode} at the end\n"
                 f"{done.stderr}")
    if out.read_bytes() != whole:
        sys.exit(f"{workers} workers: other bytes than in one go")
    left = sorted(p.name for p in folder.glob(f"{out.name}*"))
    if left != [out.name]:
        sys.exit(f"{workers} workers: left behind: {left}")
    print(f"{workers} workers: stopped {n_stops} times, {n_grown} of them "
          f"with something new")
    return n_stops, n_grown


def check_long_lines(options, folder):
    jobs, out = folder / "long.jsonl", folder / "long-out.jsonl"
    with open(jobs, "w", encoding="utf-8") as f:
        for i in range(6):
            size = 50_000_000 if i % 2 else 20_000_000
            print(json.dumps({"id": i, "source": "#" * size + "\nx = 1\n"}),
                  file=f)
    done = subprocess.run([options.cwm, "trace", "--jobs", str(jobs), "-o",
                           str(out), "--workers", "2"],
                          stderr=subprocess.PIPE, text=True)
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    told = [line for line in done.stderr.splitlines() if "skipped" in line]
    ids = [json.loads(line)["id"] for line in open(out, encoding="utf-8")]
    if done.returncode != 1 or len(told) != 3 or ids != ["0", "2", "4"]:
        sys.exit(f"long lines: exit {done.returncode}, ids {ids}\n"
                 f"{done.stderr}")
    if most > MOST_MB:
        sys.exit(f"long lines: {most} MB of memory, more than {MOST_MB}")
    print(f"lines of 20 and 50 MB: at most {most} MB of memory")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.cwm = os.path.abspath(options.cwm)
    dice = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="cwm-batches-") as name:
        folder = pathlib.Path(name)
        write_jobs(folder / "jobs.jsonl")
        done = subprocess.run(command(options, folder, "whole.jsonl", 3),
                              stderr=subprocess.PIPE, text=True)
        whole = (folder / "whole.jsonl").read_bytes()
        if done.returncode != 1 or whole.count(b"\n") != N_JOBS:
            sys.exit(f"exit {done.returncode}, {whole.count(10)} records\n"
                     f"{done.stderr}")
        ids = [json.loads(line)["id"] for line in whole.splitlines()]
        with open(folder / "jobs.jsonl", encoding="utf-8") as f:
            wanted = [str(json.loads(line)["id"]) for line in f
                      if line.startswith("{")]
        if ids != wanted:
            sys.exit("the records are not in the order of the jobs")
        counts = [stop_and_go_on(options, folder, whole, workers, dice)
                  for workers in (1, 2, 5)]
        n_stops, n_grown = map(sum, zip(*counts))
        if n_stops < 15 or n_grown < 8:
            sys.exit(f"only {n_stops} stops, {n_grown} of them on the way: "
                     "the jobs are too few")
        check_long_lines(options, folder)


if __name__ == "__main__":
    main()
