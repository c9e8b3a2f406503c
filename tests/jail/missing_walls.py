#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""missing_walls.py CWM DENY -- machines that lack a wall of the jail.

DENY (tests/support/deny.c) refuses system calls, as hardened machines,
containers and old kernels do.  For each wall, as this user and, when that is
root, as nobody too:

- `cwm check` exits 1, says that this wall is missing and why, and no other;
- `cwm trace` exits 3, prints nothing, and names the wall and the option;
- with the options it runs, and says what it does without;
- hostile programs come to nothing all the same, where other walls stand.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import run_programs

EPERM, ENOSYS, EOPNOTSUPP = 1, 38, 95
NEWNS, NEWUTS, NEWIPC = 0x20000, 0x4000000, 0x8000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
# An ordinary user has the others only inside of a user namespace.
ALL_NS = ["user-ns", "pid-ns", "mount-ns", "net-ns", "ipc-ns", "uts-ns"]


def unshare(flag, error=EPERM):
    return [f"unshare={error}:0:{flag:#x}", f"clone={error}:0:{flag:#x}"]


# What the machine does not give; the walls that root lacks; those that nobody
# lacks, where they are others; programs that still must come to nothing.
ANYWHERE = ["sockets", "denied", "flood_both", "fork_bomb", "kill_parent",
            "sleep", "spin", "records_forged_whole", "every_descriptor_closed",
            "memory_by_touch", "prctl_tricks", "refused"]
CASES = [
    ("no user namespaces", unshare(NEWUSER), ["user-ns"], ALL_NS,
     ["host_files_opened", *ANYWHERE]),
    ("user namespaces used up", unshare(NEWUSER, 28), ["user-ns"], ALL_NS, []),
    ("no pid namespaces", unshare(NEWPID), ["pid-ns"], None,
     ["host_files", "disk_filled", *ANYWHERE]),
    ("no mount namespaces", unshare(NEWNS), ["mount-ns"], None,
     ["host_files_opened", *ANYWHERE]),
    ("no mounts", [f"mount={EPERM}", f"fsopen={EPERM}",
                   f"open_tree={EPERM}", f"move_mount={EPERM}"],
     ["mount-ns"], None, ["host_files_opened"]),
    ("old mounts only", [f"fsopen={ENOSYS}", f"open_tree={ENOSYS}",
                         f"move_mount={ENOSYS}", f"mount_setattr={ENOSYS}"],
     ["mount-ns"], None, []),
    ("mounts that cannot be protected", [f"mount_setattr={ENOSYS}"],
     ["mount-ns"], None, ["host_files_opened"]),
    ("no pivot_root", [f"pivot_root={EPERM}"], ["mount-ns"], None, []),
    ("no network namespaces", unshare(NEWNET), ["net-ns"], None,
     ["network_libraries", "socket_pairs_stay_inside", *ANYWHERE]),
    ("no ipc namespaces", unshare(NEWIPC), ["ipc-ns"], None, ANYWHERE),
    ("no uts namespaces", unshare(NEWUTS), ["uts-ns"], None, ANYWHERE),
    ("no filters", [f"seccomp={ENOSYS}"], ["seccomp"], None,
     ["host_files", "secrets", "disk_filled", "flood_both", "spin", "sleep",
      "sleep_and_catch_all", "memory_at_once", "kill_parent",
      "kill_everybody", "threads_outlive_the_main_one", "survivors",
      "records_forged_whole", "every_descriptor_closed"]),
    ("filters without a listener", ["seccomp=16:1:0x8"], ["seccomp"], None,
     ["host_files", *ANYWHERE]),
    ("filters refused", [f"seccomp={EPERM}"], ["seccomp"], None, []),
    ("no limits", [f"setrlimit={EPERM}", f"prlimit64={EPERM}"], ["limits"],
     None, ["host_files", "sockets", "denied", "flood_both", "spin", "sleep"]),
    # A second wall round the files: without it the first is enough.
    ("no Landlock", [f"landlock_create_ruleset={EOPNOTSUPP}"], [], None,
     ["host_files", "host_files_by_other_names", "write_everywhere",
      *ANYWHERE]),
    ("no namespaces", [f"unshare={EPERM}"], ALL_NS, None,
     ["host_files_opened", "disk_deep", "leave_files",
      *ANYWHERE]),
    ("neither users nor mounts", unshare(NEWUSER) + unshare(NEWNS),
     ["user-ns", "mount-ns"], ALL_NS,
     ["host_files_opened", "disk_deep", *ANYWHERE]),
    ("neither mounts nor filters", [f"seccomp={ENOSYS}", *unshare(NEWNS)],
     ["mount-ns", "seccomp"], None,
     ["host_files_opened", "flood_both", "spin", "sleep", "survivors"]),
    ("neither limits nor filters",
     [f"seccomp={ENOSYS}", f"setrlimit={EPERM}", f"prlimit64={EPERM}"],
     ["seccomp", "limits"], None, ["host_files", "flood_both", "spin"]),
    # Where the first is not there either, it is asked for.
    ("neither mounts nor Landlock",
     [f"landlock_create_ruleset={ENOSYS}", *unshare(NEWNS)],
     ["mount-ns", "landlock"], None, []),
]


# What a machine may lack besides walls: an error that says what, no result.
FAILURES = [
    ("memfd_create=24", "could not make [0-9]+ bytes of shared memory"),
    ("socketpair=24", "could not open what a worker needs"),
    ("signalfd4=24", "could not open descriptors"),
    ("eventfd2=24", "could not open descriptors"),
    ("sethostname=1", "could not set the host name"),
    ("capset=1", "could not drop rights"),
    ("capget=1", "could not ask for rights"),
    ("clone=11", "could not fork in the jail"),
    ("sendmsg=32", "it ended at once"),
    ("fallocate=95", "could not clear shared memory"),
    ("close_range=38", "could not confine a run: its child ended early"),
    ("landlock_add_rule=22", "could not confine a run"),
    ("landlock_restrict_self=1", "could not confine a run: .* not permitted"),
]


class Machine:
    def __init__(self, user, prefix):
        self.user = user
        self.prefix = prefix

    def run(self, *args):
        return subprocess.run(
            [*self.prefix, self.user.cwm, *args], cwd=self.user.folder,
            env={"PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, **self.user.ids)


def check_check(machine, missing):
    """What `cwm check` says wrong."""
    p = machine.run("check", "--json")
    found = json.loads(p.stdout)
    walls = {w["wall"]: w for w in found["walls"]}
    lacks = {n for n, w in walls.items() if w["required"] and not w["up"]}
    if lacks != set(missing):
        yield f"cwm check: {sorted(lacks)} are missing, not {missing}"
    for name in missing:
        if not walls[name]["detail"]:
            yield f"cwm check does not say why there is no {name}"
    if p.returncode != (1 if missing else 0) or found["runs"] != (not missing):
        yield f"cwm check: status {p.returncode}, runs: {found['runs']}"
    text = machine.run("check").stdout
    for name in missing:
        if f"--allow-missing {name}" not in text.split("\n")[-2]:
            yield f"the last line of cwm check does not offer {name}"


def check_trace(machine, missing):
    """Refused once for every wall, each time with the option that helps."""
    options = []
    left = set(missing)
    (machine.user.folder / "one.py").write_text("print(1)\n")
    (machine.user.folder / "one.jsonl").write_text(
        '{"id": "one", "source": "print(1)"}\n')
    while left:
        p = machine.run("trace", "one.py", "--format", "cwm", *options)
        named = [n for n in left if f"the wall '{n}'" in p.stderr and
                 f"--allow-missing {n}" in p.stderr]
        if p.returncode != 3 or p.stdout or len(named) != 1:
            yield (f"cwm trace {' '.join(options)}: status {p.returncode}, "
                   f"{p.stdout[:60]!r}, {p.stderr!r}; {sorted(left)} left")
            return
        p = machine.run("trace", "--jobs", "one.jsonl", *options)
        if p.returncode != 3 or p.stdout or named[0] not in p.stderr:
            yield f"--jobs: status {p.returncode}, {p.stderr!r}"
        options += ["--allow-missing", named[0]]
        left.remove(named[0])
    for what in (["one.py", "--format", "jsonl"], ["--jobs", "one.jsonl"]):
        p = machine.run("trace", *what, *options)
        if p.returncode != 0 or '"verdict": "ok"' not in p.stdout:
            yield f"with {options}: status {p.returncode}, {p.stderr!r}"
        said = {n for n in ALL_NS + ["seccomp", "landlock", "limits"]
                if f"runs without the wall '{n}'" in p.stderr}
        if said != set(missing):
            yield f"it says that it runs without {sorted(said)}: {p.stderr!r}"


def check_no_way(machine):
    """Somebody has to end a run's processes: no option does without both."""
    p = machine.run("trace", "one.py", *[
        word for name in ALL_NS + ["seccomp"]
        for word in ("--allow-missing", name)])
    if p.returncode != 3 or p.stdout or \
            "with neither pid-ns nor seccomp" not in p.stderr:
        yield f"status {p.returncode}, {p.stdout!r}, {p.stderr!r}"


def check_failures(user, deny):
    for rule, why in FAILURES:
        p = Machine(user, [deny, rule, "--"]).run("trace", "one.py")
        if p.returncode != 3 or p.stdout or \
                not re.search(f"cwm trace: .*{why}", p.stderr):
            yield (f"{rule}: status {p.returncode}, {p.stdout[:60]!r}, "
                   f"{p.stderr!r} instead of '{why}'")


def try_programs(who, folder, prefix, missing, names):
    """Hostile programs in what is left of the jail."""
    options = [word for name in missing for word in ("--allow-missing", name)]
    user = run_programs.User(who, folder, options, prefix)
    # Where pids count on or the folder has a number, runs can tell; where no
    # limit can be set none can be asked for either.
    canaries = not {"pid-ns", "mount-ns", "limits"} & set(missing)
    prelude = (run_programs.HERE / "prelude.py").read_text()
    return run_programs.try_batch(user, run_programs.read_programs(names),
                                  prelude, canaries) + \
        run_programs.left_on_the_host(folder)


def check_case(who, folder, deny, case):
    _, rules, as_root, as_nobody, names = case
    missing = as_root if who == "root" or as_nobody is None else as_nobody
    prefix = [deny, *rules, "--"]
    machine = Machine(run_programs.User(who, folder, []), prefix)
    yield from check_check(machine, missing)
    yield from check_trace(machine, missing)
    if names:
        yield from try_programs(who, folder, prefix, missing, names)


def check_user(who, folder, deny):
    """Every line that is wrong, with the machine it is about."""
    for case in CASES:
        for line in check_case(who, folder, deny, case):
            yield f"{case[0]}: {line}"
    user = run_programs.User(who, folder, [])
    (user.folder / "one.py").write_text("print(1)\n")
    rules = [f"seccomp={ENOSYS}", *unshare(NEWPID)]
    for line in check_no_way(Machine(user, [deny, *rules, "--"])):
        yield f"neither pids nor filters: {line}"
    yield from check_failures(user, deny)
    yield from run_programs.left_on_the_host(folder)


def main():
    cwm, deny = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
    n_bad = 0
    with tempfile.TemporaryDirectory(prefix="cwm-walls-") as name:
        folder = pathlib.Path(name)
        run_programs.copy_programs(cwm, folder, [deny])
        for who in ("root", "nobody") if os.geteuid() == 0 else ("user",):
            why = run_programs.no_jail(run_programs.User(who, folder, []))
            if why:
                print(why)
                return run_programs.SKIP if why.startswith("SKIP") else 1
            bad = list(check_user(who, folder, str(folder / deny.name)))
            for line in bad:
                print(f"FAIL {who}, {line}")
            n_bad += len(bad)
            print(f"{who}: {len(CASES) + 1 + len(FAILURES)} machines, "
                  f"{len(bad)} wrong")
    return n_bad != 0


if __name__ == "__main__":
    sys.exit(main())
