#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""job_array.py --cwm PROGRAM -- examples/slurm/build.sh on a real Slurm.

munged, slurmctld and slurmd are started for this test alone: own folder, own
ports, this machine as the one node.  A store is built by a job array of three
tasks.  In mid-run the process of one task is killed, and another task is put
back into the queue as after the failure of a node.  In the end the merged
store must have the statistics, content hash included, and the exported files,
byte for byte, of a single build.  Exit status: 0 so it is, 1 not, 77 there is
no Slurm here.
"""
import argparse
import contextlib
import filecmp
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAEMONS = ("munged", "slurmctld", "slurmd")
COMMANDS = ("sbatch", "squeue", "scontrol", "sinfo")
TASKS = 3
SOURCES = [str(ROOT / "examples"), "generate:900"]
WAIT_S = 600

CONFIG = """ClusterName=cwm
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,requeue_setup_env_fail
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ReturnToService=2
MinJobAge=300
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """A cluster of one node in `folder`, as a context."""

    def __init__(self, folder):
        self.folder = folder
        self.host = socket.gethostname().split(".")[0]
        self.processes = []
        self.environment = dict(os.environ)
        for name in list(self.environment):
            if name.startswith("SLURM"):
                del self.environment[name]
        self.environment["SLURM_CONF"] = f"{folder}/slurm.conf"

    def _start(self, name, *arguments):
        with open(f"{self.folder}/{name}.out", "wb") as out:
            self.processes.append(subprocess.Popen(
                [shutil.which(name), *arguments], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, env=self.environment))

    def __enter__(self):
        folder = self.folder
        for name in ("state", "spool"):
            os.mkdir(f"{folder}/{name}")
        with open(f"{folder}/munge.key", "wb") as f:
            f.write(os.urandom(1024))
        os.chmod(f"{folder}/munge.key", 0o400)
        with open(f"{folder}/slurm.conf", "w", encoding="ascii") as f:
            f.write(CONFIG.format(
                folder=folder, host=self.host, port=free_port(),
                node_port=free_port(), cpus=os.cpu_count()))
        self._start("munged", "--foreground", "--force",
                    f"--socket={folder}/munge.socket",
                    f"--key-file={folder}/munge.key",
                    f"--pid-file={folder}/munge.pid",
                    f"--log-file={folder}/munge.log",
                    f"--seed-file={folder}/munge.seed")
        wait_for("munged", lambda: os.path.exists(f"{folder}/munge.socket"))
        self._start("slurmctld", "-D", "-i")
        self._start("slurmd", "-D", "-N", self.host)
        wait_for("a node that is idle", lambda: "idle" in self.ask(
            "sinfo", "--noheader", "--format=%T", may_fail=True))
        return self

    def __exit__(self, *exception):
        if exception[0]:
            self.show_logs()
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            if process.poll() is None:
                process.kill()
                process.wait()

    def show_logs(self):
        for name in sorted(os.listdir(self.folder)):
            if name.endswith((".log", ".out")):
                path = os.path.join(self.folder, name)
                with open(path, errors="replace", encoding="utf-8") as f:
                    lines = f.readlines()[-15:]
                print(f"--- {name}\n{''.join(lines)}", end="")

    def ask(self, *arguments, may_fail=False, **more):
        environment = {**self.environment, **more}
        done = subprocess.run(arguments, capture_output=True, text=True,
                              check=False, env=environment, cwd=self.folder,
                              stdin=subprocess.DEVNULL)
        if done.returncode != 0 and not may_fail:
            raise RuntimeError(f"{arguments}: {done.returncode}: "
                               f"{done.stdout}{done.stderr}")
        return done.stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, is_there, seconds=60):
    end = time.monotonic() + seconds
    while not is_there():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not there after {seconds} s")
        time.sleep(0.2)


def builder_of(store):
    """The process that builds this store, or None."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
            if b"build" in words and store.encode() in words and \
                    b"dataset" in words[:3]:
                return int(pid)
    return None


def is_under_way(cwm, store):
    """Some of its items are committed."""
    done = subprocess.run([cwm, "dataset", "stats", "--store", store,
                           "--json"], capture_output=True, text=True,
                          check=False)
    return done.returncode == 0 and '"items": 0,' not in done.stdout


def disturb(slurm, cwm, store, array):
    """Kill one task's process, requeue another task."""
    for k, how in ((1, "kill"), (2, "requeue")):
        part = f"{store}.{k}"
        wait_for(f"task {k} in mid-run", lambda p=part: builder_of(p) and
                 is_under_way(cwm, p), WAIT_S)
        if how == "kill":
            os.kill(builder_of(part), signal.SIGKILL)
        else:
            slurm.ask("scontrol", "requeue", f"{array}_{k}")
        print(f"task {k}: {how}")


def build_by_slurm(slurm, cwm, store):
    out = slurm.ask(str(ROOT / "examples/slurm/build.sh"), store, *SOURCES,
                    CWM=cwm, CWM_TASKS=str(TASKS),
                    CWM_SBATCH="--cpus-per-task=1")
    merge = out.split()[-1]
    jobs = slurm.ask("squeue", "--noheader", "--array", "--format=%F %j")
    array = next(line.split()[0] for line in jobs.splitlines()
                 if line.split()[1] == "cwm-build")
    disturb(slurm, cwm, store, array)

    def state():
        return slurm.ask("scontrol", "show", "job", merge, may_fail=True)

    wait_for("the merge job's end", lambda: "JobState=COMPLETED" in state() or
             "JobState=FAILED" in state() or "Dependency:never" in state(),
             WAIT_S)
    if "JobState=COMPLETED" not in state():
        raise RuntimeError(f"the merge job: {state()}")
    for k in (1, 2):
        job = slurm.ask("scontrol", "show", "job", f"{array}_{k}")
        if "Restarts=1" not in job:
            raise RuntimeError(f"task {k} was not started again: {job}")


def look(cwm, folder):
    """The statistics of store.db in there; its files are in export/."""
    def ask(*arguments):
        return subprocess.run([cwm, "dataset", *arguments, "--store",
                               "store.db"], check=True, capture_output=True,
                              text=True, cwd=folder).stdout

    ask("export", "-o", "export", "--plain")
    return ask("stats", "--json")


def compare(cwm, one, many):
    stats, other_stats = look(cwm, one), look(cwm, many)
    if stats != other_stats:
        print(f"a single build: {stats}the job array: {other_stats}")
        return 1
    one, many = f"{one}/export", f"{many}/export"
    names = sorted(os.listdir(one))
    same, differ, missing = filecmp.cmpfiles(one, many, names, shallow=False)
    if differ or missing or names != sorted(os.listdir(many)):
        print(f"these files differ: {differ} {missing}")
        return 1
    print(f"the same content and {len(same)} equal files: {stats[:200]}")
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True)
    options = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [n for n in DAEMONS + COMMANDS if not shutil.which(n)]
    if missing or os.getuid() != 0:
        print("SKIPPED: " + (f"no {' '.join(missing)} here; Debian's "
                             "slurm-wlm has them" if missing
                             else "only root can start slurmd"))
        return 1 if os.environ.get("CWM_MUST_WORK") == "1" else 77
    with tempfile.TemporaryDirectory(prefix="cwm-slurm-") as folder:
        one, many = f"{folder}/one", f"{folder}/many"
        os.mkdir(one)
        os.mkdir(many)
        subprocess.run([options.cwm, "dataset", "build", "--store",
                        f"{one}/store.db", *SOURCES], check=True,
                       capture_output=True)
        with Slurm(folder) as slurm:
            build_by_slurm(slurm, options.cwm, f"{many}/store.db")
        return compare(options.cwm, one, many)


if __name__ == "__main__":
    sys.exit(main())
