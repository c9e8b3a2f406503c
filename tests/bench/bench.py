#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench.py --build FOLDER [--quick] [--out FILE] -- the speed claims, measured.

Everything is CPU time (user + system), the contestants take turns in one run,
the median of the turns counts, and claims are ratios.  Prints a section in
Markdown; --out puts it into FILE too, in the place of the one that is there.
Exits 1 where a claim does not hold (not with --quick: too few turns to say).
"""
import argparse
import ctypes
import datetime
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import report

ROOT = report.ROOT
HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = f"{ROOT}/../shared/bench/trace_workload.py"
PYTHON = "/usr/bin/python3"  # the default worker's
TRIVIAL = "def f():\n    x = 1\n    return x\n"
# Two line events for each turn, each with a value of 200 bytes that changes.
BULK = ("def f(n):\n    s = 'x' * 200\n    for i in range(n):\n"
        "        s = s[1:] + 'y'\n    return n\n")


class Bench(report.Section):
    def __init__(self, options):
        super().__init__()
        self.build = os.path.abspath(options.build)
        self.cwm = f"{self.build}/cwm"
        self.quick = options.quick
        self.n_flat = 2000 if self.quick else options.jobs


def adopt_orphans():
    """bubblewrap ends before its child is waited for: whoever is left behind
    becomes ours, so that its CPU time is counted, too."""
    PR_SET_CHILD_SUBREAPER = 36
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphans():
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


def run(command, **more):
    """(exit status, stdout, CPU seconds of the process and its children)"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **more)
    reap_orphans()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime - before.ru_utime
           + after.ru_stime - before.ru_stime)
    if done.returncode not in (0, 1):
        print(done.stderr.decode(errors="replace"), file=sys.stderr)
        sys.exit(f"bench: {' '.join(command)}: exit {done.returncode}")
    return done.returncode, done.stdout.decode(), cpu


def spread(values):
    return f"{statistics.median(values):.3g}" \
        f" ({min(values):.3g} - {max(values):.3g})"


# ---- tracing ---------------------------------------------------------------

def python_turn(hook, workload, scale, out):
    return json.loads(run([PYTHON, "-I", f"{HERE}/pytrace.py", hook, workload,
                           "main", scale, out])[1])


def same_text(bench, workload, folder):
    """A tracer that wrote something else would be no measure for ours."""
    run([bench.cwm, "trace", workload, "--entry", "main", "--args", "3",
         "--format", "cwm", "--max-frames", "1000000", "--max-trace-bytes",
         "1G", "-o", f"{folder}/ours"])
    with open(f"{folder}/ours", encoding="utf-8") as f:
        ours = f.read()
    frames = ours[ours.index("<|call_sep|>"):]
    for hook in ("python", "tuned"):
        python_turn(hook, workload, "3", f"{folder}/theirs")
        with open(f"{folder}/theirs", encoding="utf-8") as f:
            if frames != f.read() + "<|end_of_text|>":
                sys.exit(f"bench: cwm and the tracer in Python ({hook}) give "
                         "different text")


def tracing(bench):
    workload = SHARED
    if not os.path.exists(workload):
        workload = f"{HERE}/workload.py"
    scale = "20" if bench.quick else "159"
    turns = 2 if bench.quick else 7
    null = f"{bench.build}/tests/nullhook.so"
    seconds = {"plain": [], "null hook": [], "python": [], "tuned": [],
               "cwm run": [], "cwm all": []}
    n_lines = n_frames = 0
    with tempfile.TemporaryDirectory() as folder:
        same_text(bench, workload, folder)
        for _ in range(turns):
            for name, hook in (("plain", "plain"), ("null hook", null),
                               ("python", "python"), ("tuned", "tuned")):
                os.sync()  # what one wrote is not written while the next runs
                got = python_turn(hook, workload, scale, f"{folder}/text")
                seconds[name].append(got["cpu_s"])
                n_lines = got["lines"] or n_lines
            os.sync()
            out = run([f"{bench.build}/bench_trace", workload, "main", scale,
                       "2"])[1].splitlines()
            got = json.loads(out[-1])
            if got["verdict"] != "ok":
                sys.exit(f"bench: the workload ended as {got['verdict']}")
            if got["lines"] != n_lines:
                sys.exit(f"bench: {got['lines']} lines traced, {n_lines} by "
                         "the tracer in Python: they must see the same")
            n_frames = got["frames"]
            seconds["cwm run"].append(got["run_cpu_us"] / 1e6)
            seconds["cwm all"].append(
                (got["run_cpu_us"] + got["host_cpu_us"]) / 1e6)
    middle = {k: statistics.median(v) for k, v in seconds.items()}
    bench.say("### Tracing\n")
    bench.say(f"`{os.path.basename(workload)}`, {n_lines} line events, "
              f"{n_frames} frames, full values, {turns} turns. Of the others "
              "the call alone is measured; of cwm the whole run: the fork, the "
              "program's module level, the call, the end. The tracers in "
              "Python and cwm write the same bytes (checked).\n")
    bench.say("| | CPU s: median (min - max) | M lines/s | times plain |")
    bench.say("|---|---|---|---|")
    titles = {"plain": "plain run", "null hook": "C hook that does nothing",
              "python": "tracer in Python, same text",
              "tuned": "the same, its JSON put together by hand",
              "cwm run": "cwm: the run in the jail, records written",
              "cwm all": "cwm: the same, and records checked by the host"}
    for name, title in titles.items():
        bench.say(f"| {title} | {spread(seconds[name])} | "
                  f"{n_lines / middle[name] / 1e6:.2f} | "
                  f"{middle[name] / middle['plain']:.1f} |")
    bench.say("\n| claim | measured | target | holds |\n|---|---|---|---|")
    ratio = middle["python"] / middle["cwm run"]
    bench.claim("times the rate of the tracer in Python", f"{ratio:.1f}",
                ">= 15", ratio >= 15)
    ratio = middle["null hook"] / middle["cwm run"]
    bench.claim("share of the null hook's rate", f"{ratio:.2f}", ">= 0.2",
                ratio >= 0.2)
    bench.say()


# ---- small jobs --------------------------------------------------------------

def write_jobs(path, n, source=TRIVIAL, args=""):
    with open(path, "w", encoding="utf-8") as f:
        for i in range(n):
            f.write(json.dumps({"id": str(i), "source": source, "entry": "f",
                                "args": args}) + "\n")


def jobs_command(bench, jobs, out, workers, *more):
    if os.path.exists(out):
        os.unlink(out)
    return [bench.cwm, "trace", "--jobs", jobs, "-o", out, "--workers",
            str(workers), *more]


def bwrap_command(*command):
    """As jails for Python are usually made of it: every namespace, the host's
    files read-only; no system call filter, no limits.  The folders of other
    packages are hidden, lest their start-up hooks be counted against it."""
    folders = run([PYTHON, "-I", "-c", "import site\n"
                   "print('\\n'.join(site.getsitepackages()))"])[1].split()
    packages = [word for path in folders if os.path.isdir(path)
                for word in ("--tmpfs", path)]
    return ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc",
            "/proc", "--tmpfs", "/tmp", *packages, "--unshare-all",
            "--die-with-parent", *command]


def small_jobs(bench):
    n_jobs = 200 if bench.quick else 3000
    turns = 2 if bench.quick else 7
    n_each = 3 if bench.quick else 10
    python = [PYTHON, "-c", "pass"]
    bwrap = bwrap_command(*python) if shutil.which("bwrap") else []
    ms = {"cwm": [], "start": [], "bwrap": [], "python": []}
    with tempfile.TemporaryDirectory() as folder:
        jobs, one = f"{folder}/jobs.jsonl", f"{folder}/one.jsonl"
        out = f"{folder}/out.jsonl"
        write_jobs(jobs, n_jobs)
        write_jobs(one, 1)
        for _ in range(turns):
            ms["cwm"].append(
                1000 * run(jobs_command(bench, jobs, out, 1))[2] / n_jobs)
            ms["start"].append(
                1000 * run(jobs_command(bench, one, out, 1))[2])
            for _ in range(n_each):
                ms["python"].append(1000 * run(python)[2])
                if bwrap:
                    ms["bwrap"].append(1000 * run(bwrap)[2])
    small_jobs_report(bench, f"{turns} turns of {n_jobs} jobs", bwrap, ms)


def small_jobs_report(bench, turns, bwrap, ms):
    titles = {"cwm": "cwm, a job of many: source analysis, the run, its JSON "
                     "record, a share of the start",
              "start": "cwm, one job alone: the start of cwm and of a worker",
              "python": "`python3 -c pass`, no jail",
              "bwrap": "the same in bubblewrap"}
    bench.say("### A trivial job, every wall up\n")
    bench.say("`cwm trace --jobs` of a function of two lines, one worker; "
              f"{turns}.\n")
    if bwrap:
        bench.say("bubblewrap has every namespace, but no filter of system "
                  f"calls and no limits: `{' '.join(bwrap)}`.\n")
    bench.say("| | CPU ms: median (min - max) |\n|---|---|")
    for name, title in titles.items():
        if ms[name]:
            bench.say(f"| {title} | {spread(ms[name])} |")
    mine = statistics.median(ms["cwm"])
    bench.say("\n| claim | measured | target | holds |\n|---|---|---|---|")
    bench.claim("CPU ms a job", f"{mine:.2f}", "<= 1.5", mine <= 1.5)
    if ms["bwrap"]:
        ratio = statistics.median(ms["bwrap"]) / mine
        bench.claim("times cheaper than bubblewrap + python3", f"{ratio:.1f}",
                    ">= 10", ratio >= 10)
    else:
        bench.say("\nbubblewrap is not installed: not compared.")
    bench.say()


# ---- memory over many jobs ---------------------------------------------------

def resident_kb(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def flat_memory(bench):
    samples = []
    with tempfile.TemporaryDirectory() as folder:
        jobs, out = f"{folder}/jobs.jsonl", f"{folder}/out.jsonl"
        write_jobs(jobs, bench.n_flat)
        started = time.monotonic()
        child = subprocess.Popen(
            jobs_command(bench, jobs, out, os.cpu_count()),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def sample():
            while child.poll() is None:
                samples.append(resident_kb(child.pid))
                time.sleep(0.05)
        thread = threading.Thread(target=sample)
        thread.start()
        thread.join()
        seconds = time.monotonic() - started
        with open(out, encoding="utf-8") as f:
            n_out = sum(1 for _ in f)
    samples = [s for s in samples if s]
    if n_out != bench.n_flat or len(samples) < 8:
        sys.exit(f"bench: {n_out} traces of {bench.n_flat} jobs")
    eighth = len(samples) // 8
    early = max(samples[eighth:2 * eighth])
    late = max(samples[-eighth:])
    bench.say(f"### {bench.n_flat} trivial jobs, {os.cpu_count()} workers\n")
    bench.say(f"{seconds:.0f} s, {bench.n_flat / seconds:.0f} jobs/s; "
              f"resident memory of cwm, sampled {len(samples)} times.\n")
    bench.say("| claim | measured | target | holds |\n|---|---|---|---|")
    growth = late / early
    bench.claim("last eighth's peak over second eighth's",
                f"{late} / {early} KB = {growth:.2f}", "<= 1.1", growth <= 1.1)
    bench.say()


# ---- the cost of a trace's bytes -----------------------------------------------

def cost_of_bytes(bench):
    """The cost of a job less that of one with the shortest trace.  Of longer
    traces there are fewer, so that every file is of the same length: what
    its pages cost the kernel depends on how many of them it was lent."""
    turns = 3 if bench.quick else 7
    n_longest = 4 if bench.quick else 20
    turns_of = {0: [], 1000: [], 4000: [], 16000: []}
    n_bytes = {}
    with tempfile.TemporaryDirectory() as folder:
        jobs, out = f"{folder}/jobs.jsonl", f"{folder}/out.jsonl"
        for _ in range(turns):
            for n, seconds in turns_of.items():
                n_jobs = n_longest * 16000 // max(n, 1000)
                write_jobs(jobs, n_jobs, BULK, str(n))
                seconds.append(run(jobs_command(
                    bench, jobs, out, 1, "--max-frames", "1000000",
                    "--max-trace-bytes", "8388608"))[2] / n_jobs)
                n_bytes[n] = os.path.getsize(out) / n_jobs
    middle = {n: statistics.median(v) for n, v in turns_of.items()}
    bench.say("### What a trace's bytes cost\n")
    bench.say(f"The same program with longer traces, {n_longest} jobs a turn of "
              "the longest, of the others as many as give the same bytes; "
              "source analysis, reading and JSON output included.\n")
    bench.say("| line events | JSON bytes a job | CPU ms a job | ms for each "
              "MB above the shortest |\n|---|---|---|---|")
    rates = {}
    for n, cpu in middle.items():
        more = (n_bytes[n] - n_bytes[0]) / 1e6
        rates[n] = (cpu - middle[0]) / more * 1000 if n else 0
        bench.say(f"| {2 * n} | {n_bytes[n]:.0f} | {cpu * 1000:.2f} | "
                  f"{f'{rates[n]:.2f}' if n else '-'} |")
    bench.say("\n| claim | measured | target | holds |\n|---|---|---|---|")
    ratio = rates[16000] / rates[4000] if rates[4000] > 0 else 99
    bench.claim("a byte of the longest trace over one of the middle one",
                f"{ratio:.2f}", "<= 1.2", ratio <= 1.2)
    bench.say()


# ---- how records leave the jail ------------------------------------------------

def transport(bench):
    turns = "5" if bench.quick else "40"
    out = run([f"{bench.build}/tests/bench_transport", turns])[1]
    best = {}
    for line in out.splitlines():
        got = json.loads(line)
        best.setdefault(got["bytes"], {})[got["way"]] = got["cpu_us"]
    bench.say("### Shared memory or pipe\n")
    bench.say("Records of 32 bytes from a child to its parent, least CPU time "
              "of both, in ms, fork and exit included. Shared memory and a "
              "write for each record lose nothing when the child is killed; "
              "a buffered pipe loses what it holds.\n")
    bench.say("| bytes | shared memory | pipe, a write each | pipe, 64 KB "
              "buffered |\n|---|---|---|---|")
    for size, ways in best.items():
        row = " | ".join(f"{ways[w] / 1000:.2f}"
                         for w in ("shared", "pipe", "buffered"))
        bench.say(f"| {size} | {row} |")
    bench.say()


# ---- the report ------------------------------------------------------------------

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=f"{ROOT}/build-release")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--jobs", type=int, default=100000)
    parser.add_argument("--out")
    options = parser.parse_args()
    adopt_orphans()
    bench = Bench(options)
    load = os.getloadavg()[0]
    if load > 0.3 and not bench.quick:
        print(f"bench: the machine is busy: load average {load:.1f}",
              file=sys.stderr)
    bench.say("## The tracer\n")
    bench.say(f"{datetime.date.today()}, commit {report.commit()}, "
              f"`./dev bench`; {report.machine()}, load average {load:.1f} "
              f"at the start; CPython {run([PYTHON, '-V'])[1].split()[1]}.")
    bench.say("CPU time (user + system), contestants in turns, medians.\n")
    tracing(bench)
    small_jobs(bench)
    cost_of_bytes(bench)
    transport(bench)
    flat_memory(bench)
    if options.out:
        report.put_section(options.out, "tracer", "\n".join(bench.lines))
    bench.tell_misses()
    sys.exit(1 if bench.misses and not options.quick else 0)


if __name__ == "__main__":
    main()
