#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run_programs.py [--alone] [--python PYTHON] CWM [NAME...]

Hostile Python programs through `cwm trace`, as this user and, when that is
root, as nobody too.  All in one batch for one worker, with a canary behind
each that prints whatever could be left of it; with --alone, each by itself.
Prints what differed.

The programs lie in programs/*.py, many to a file, each behind a head:

    #: program NAME
    #: what is tried, in words
    #: verdict VERDICT[, DETAIL]   what is expected ("any": any); default ok
    #: stdout TEXT                 as JSON, or any; default "held\\n" for ok
    #: limits {"timeout_ms": 300}  fields of the job; see LIMITS
    #: each N = A B ...            once for every value, with N replaced
    #: repeat N                    so often
    #: frames any                  the trace may be empty

programs/prelude.py is put before each, programs/canary.py is the canary.  The
module level is not traced, the function main is; the prelude has one for those
that have none.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent / "programs"
NOBODY = 65534
SKIP = 77
MARKER = "cwm-attack-marker"
SECRET = "cwm-secret-0f3a"
# Real time ends nobody whom it is not meant to end, on a busy machine too.
LIMITS = {"timeout_ms": 10000, "wall_ms": 60000, "memory_mb": 96,
          "disk_mb": 8, "max_output_bytes": 65536}
HEAD = re.compile(r"#: (\w+) ?(.*)")
WORDS = {"program", "verdict", "stdout", "limits", "each", "repeat", "frames"}


class Program:
    def __init__(self, name):
        self.name = name
        self.verdict, self.detail = "ok", None
        self.stdout = None
        self.limits = dict(LIMITS)
        self.frames = "some"
        self.repeat = 1
        self.each = None
        self.lines = []

    def take(self, word, rest):
        if word == "verdict":
            self.verdict, _, self.detail = rest.partition(", ")
        elif word == "limits":
            self.limits.update(json.loads(rest))
        elif word == "each":
            self.each = rest.removeprefix("N = ").split()
        elif word == "repeat":
            self.repeat = int(rest)
        elif word == "stdout":
            self.stdout = rest
        elif word == "frames":
            self.frames = rest

    def jobs(self, prelude):
        """(id, source) of each."""
        body = "\n".join(self.lines)
        if self.each:
            for n, value in enumerate(self.each):
                yield f"{self.name}-{n}", \
                    prelude + re.sub(r"\bN\b", lambda _: value, body)
        else:
            for n in range(self.repeat):
                yield self.name + (f"-{n}" if n else ""), prelude + body

    def wanted_stdout(self):
        if self.stdout == "any" or self.verdict != "ok" and not self.stdout:
            return None
        return json.loads(self.stdout) if self.stdout else "held\n"

    def differs(self, record):
        if self.verdict == "any":
            return ""
        got = record["verdict"], record["detail"]
        if got[0] != self.verdict or self.detail and got[1] != self.detail:
            return (f"{got} instead of {(self.verdict, self.detail)}; "
                    f"{record['exception']} {record['stderr'][-300:]}"
                    f"{record['stdout'][-300:]}")
        wanted = self.wanted_stdout()
        if wanted is not None and record["stdout"] != wanted:
            return f"printed {record['stdout'][-1500:]!r}"
        if self.frames == "some" and self.verdict == "ok" and \
                record["counts"]["frames"] == 0:
            return "no frames"
        if len(record["stdout"]) + len(record["stderr"]) > \
                self.limits["max_output_bytes"]:
            return "too much output"
        return ""


def read_programs(names):
    programs = []
    for path in sorted(HERE.glob("*.py")):
        if path.stem in ("prelude", "canary"):
            continue
        for line in path.read_text().split("\n"):
            head = HEAD.fullmatch(line)
            if head and head[1] == "program":
                programs.append(Program(head[2]))
            elif head and head[1] in WORDS and programs:
                programs[-1].take(head[1], head[2])
            elif programs:
                programs[-1].lines.append(line)
    unknown = set(names) - {p.name for p in programs}
    if unknown or not programs:
        sys.exit(f"no program {sorted(unknown)}")
    return [p for p in programs if not names or p.name in names]


class User:
    """Who runs `cwm`, from a folder that everybody may read.

    prefix: words before `cwm`; options: words behind `trace`.
    """

    def __init__(self, name, folder, options, prefix=()):
        self.name = name
        self.cwm = str(folder / "cwm")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-",
                                                    dir=folder))
        self.prefix = prefix
        self.options = options
        self.ids = {}
        if name == "nobody":
            os.chown(self.folder, NOBODY, NOBODY)
            self.ids = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        (self.folder / SECRET).write_text(SECRET)

    def run(self, *args):
        """(exit status, stdout, stderr, what was left)."""
        environment = {"PATH": "/usr/bin:/bin", "CWM_SECRET": SECRET,
                       "TMPDIR": str(self.folder)}
        with subprocess.Popen(
                [*self.prefix, self.cwm, "trace", *self.options, *args],
                cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                **self.ids) as p:
            out, err = p.communicate()
        return p.returncode, out, err.decode(), self.left_by(p.pid)

    def left_by(self, pid):
        # Not by glob(): groups of other runs come and go while it looks.
        return [f"cgroup {folder}/{name}"
                for folder, names, _ in os.walk("/sys/fs/cgroup")
                for name in names if name.startswith(f"cwm-{pid}-")]


def processes_of(folder):
    """Processes that run a program of this folder, by name or by file."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        for name in ("cmdline", "exe"):
            try:
                text = os.readlink(f"/proc/{entry}/exe") if name == "exe" \
                    else pathlib.Path(f"/proc/{entry}/cmdline").read_text(
                        errors="replace")
            except OSError:
                continue
            if f"{folder}/cwm" in text and entry not in found and \
                    "run_programs" not in text:
                found.append(entry)
    return found


def folders_left():
    """Private folders in /tmp that stay: others' runs, too, have some."""
    left = None
    for _ in range(50):
        now = set(pathlib.Path("/tmp").glob("cwm-run-*"))
        left = now if left is None else left & now
        if not left:
            break
        time.sleep(0.2)
    return [f"folder {path}" for path in left]


def left_on_the_host(folder):
    left = [f"process {pid}" for pid in processes_of(folder)]
    left += folders_left()
    for place in ("/tmp", "/dev/shm", "/var/tmp", "/", str(folder)):
        left += [f"{place}/{name}" for name in os.listdir(place)
                 if name.startswith(MARKER)]
    mounts = pathlib.Path("/proc/self/mounts").read_text().split("\n")
    return left + [m for m in mounts if m.startswith("cwm ")]


def try_batch(user, programs, prelude, canaries=True):
    """One worker runs them all, with the canary behind each."""
    bad = []
    canary = prelude + (HERE / "canary.py").read_text() if canaries else ""
    jobs = [{"id": "canary", "source": canary, **LIMITS,
             **({"entry": "main"} if canaries else {})}]
    wanted = [None]
    for program in programs:
        for name, source in program.jobs(prelude):
            jobs.append({"id": name, "source": source, "entry": "main",
                         **program.limits})
            jobs.append(jobs[0])
            wanted += [program, None]
    path = user.folder / "jobs.jsonl"
    path.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    status, out, err, left = user.run("--jobs", str(path), "--workers", "1",
                                      "--format", "jsonl")
    lines = out.split(b"\n")[:-1]
    if status != 0 or len(lines) != len(jobs):
        return [f"status {status}, {len(lines)} records for {len(jobs)} "
                f"jobs: {err}"]
    for n, line in enumerate(lines):
        record = json.loads(line)
        if record["id"] != jobs[n]["id"]:
            bad.append(f"record {n} is of {record['id']}")
        elif wanted[n]:
            why = wanted[n].differs(record)
            bad += [f"{record['id']}: {why}"] if why else []
        elif line != lines[0] or record["verdict"] != "ok":
            bad.append(canary_differs(jobs[n - 1]["id"], record,
                                      json.loads(lines[0])))
    return bad + left


def canary_differs(name, record, first):
    old = first["stdout"].split("\n")
    rows = [f"    {a}\n    {b}" for a, b in
            zip(old, record["stdout"].split("\n")) if a != b]
    return (f"behind {name} another run sees ({record['verdict']}, "
            f"{record['detail']}) {record['stderr'][-500:]}\n" +
            "\n".join(rows))


def try_alone(user, program, name, source):
    path = user.folder / f"{name}.py"
    path.write_text(source)
    limits = []
    for field, value in program.limits.items():
        limits += ["--" + field.replace("_", "-"), str(value)]
    status, out, err, left = user.run(
        str(path), "--entry", "main", "--format", "jsonl", *limits)
    try:
        record = json.loads(out)
    except ValueError:
        return [f"{name}: status {status}, {err.strip()}"]
    why = program.differs(record)
    bad = [f"{name}: {why}"] if why else []
    if status != 0 and not program.verdict == "any":
        bad.append(f"{name}: status {status}, {err.strip()}")
    return bad + [f"{name} left {thing}" for thing in left]


def try_each_alone(user, programs, prelude):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(try_alone, user, program, name, source)
                for program in programs
                for name, source in program.jobs(prelude)]
        return [line for run in runs for line in run.result()]


def no_jail(user):
    """A line that begins with SKIP or FAIL where this user has none at all."""
    status, _, err, _ = user.run("--jobs", os.devnull)
    must = os.environ.get("CWM_MUST_WORK") or os.environ.get("CI")
    return "" if status == 0 else \
        f"{'FAIL' if must else 'SKIP'} {user.name}: {err.strip()}"


def copy_programs(cwm, folder, others=()):
    """`cwm` and its workers where everybody may run them."""
    folder.chmod(0o755)
    for path in [cwm, *cwm.parent.glob("cwm-worker-*"), *others]:
        copy = folder / path.name
        shutil.copyfile(path, copy)
        copy.chmod(0o755)


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--python", metavar="PYTHON")
    parser.add_argument("cwm", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    programs = read_programs(args.names)
    prelude = (HERE / "prelude.py").read_text()
    extra = ["--python", args.python] if args.python else []
    n_bad = 0
    with tempfile.TemporaryDirectory(prefix="cwm-programs-") as name:
        folder = pathlib.Path(name)
        copy_programs(args.cwm.resolve(), folder)
        for who in ("root", "nobody") if os.geteuid() == 0 else ("user",):
            user = User(who, folder, extra)
            why = no_jail(user)
            if why:
                print(why)
                return SKIP if why.startswith("SKIP") else 1
            start = time.monotonic()
            bad = try_each_alone(user, programs, prelude) if args.alone \
                else try_batch(user, programs, prelude)
            bad += left_on_the_host(folder)
            for line in bad:
                print(f"FAIL {who}: {line}")
            print(f"{who}: {len(programs)} programs, {len(bad)} failed, "
                  f"{time.monotonic() - start:.1f} s")
            n_bad += len(bad)
    return n_bad != 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
