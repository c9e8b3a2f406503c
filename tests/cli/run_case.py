#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run_case.py --cwm PROGRAM [--nobody] CASE.sh -- run one case, tell what
differed; with --nobody as an ordinary user, where root runs the tests.

The script runs under `sh -u` in an empty folder that is gone afterwards, with
`cwm` on PATH and $ROOT the source tree.  Beside it lie
    CASE.sh.stdout.exact or CASE.sh.stdout.glob   what it must print
    CASE.sh.stderr.exact or CASE.sh.stderr.glob   the same; default: anything
    CASE.sh.exit                                  status; default: 0
In a glob `*` stands for any text within a line, and a line `...` for any
lines; nothing else is special.  Exit 77 of the script means that it cannot
run here; with CWM_MUST_WORK=1 that is a failure.
"""
import argparse
import difflib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

NOBODY = 65534
ROOT = pathlib.Path(__file__).resolve().parents[2]


def to_regex(glob):
    """A glob of whole lines as a compiled regular expression."""
    parts = []
    for line in glob.splitlines(keepends=True):
        if line.rstrip("\n") == "...":
            parts.append(r"(?:.*\n)*")
        else:
            parts.append(re.escape(line).replace(r"\*", ".*"))
    return re.compile("".join(parts))


def differs(name, actual, case):
    """What is wrong with one stream, or ''."""
    exact = case.with_name(f"{case.name}.{name}.exact")
    glob = case.with_name(f"{case.name}.{name}.glob")
    if exact.exists():
        expected = exact.read_text()
        if actual == expected:
            return ""
    elif glob.exists():
        expected = glob.read_text()
        if to_regex(expected).fullmatch(actual):
            return ""
    else:
        return "" if name == "stderr" else f"no {exact.name} or {glob.name}\n"
    lines = difflib.unified_diff(expected.splitlines(keepends=True),
                                 actual.splitlines(keepends=True),
                                 f"expected {name}", f"actual {name}")
    return "".join(line if line.endswith("\n") else line + "\n(no newline)\n"
                   for line in lines)


def for_nobody(cwm, folder):
    """Copies of cwm and the default worker that another user can reach."""
    programs = pathlib.Path(folder, "programs")
    programs.mkdir()
    traced = subprocess.run([cwm, "trace", "-", "--json"], input=b"1\n",
                            capture_output=True, check=True)
    version = json.loads(traced.stdout)["python"]
    worker = "cwm-worker-" + ".".join(version.split(".")[:2])
    for name in (cwm.name, worker):
        shutil.copy(cwm.parent / name, programs / name)
    work = pathlib.Path(folder, "work")
    work.mkdir()
    os.chown(work, NOBODY, NOBODY)
    return programs / cwm.name, str(work)


def run(cwm, case, folder, as_nobody):
    user = {}
    if as_nobody and os.geteuid() == 0:
        cwm, folder = for_nobody(cwm, folder)
        case = shutil.copy(case, f"{cwm.parent}/{case.name}")
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    environment = {
        "PATH": f"{cwm.parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "ROOT": str(ROOT),
        "HOME": folder,
        "LC_ALL": "C.UTF-8",
        "CWM_MUST_WORK": os.environ.get("CWM_MUST_WORK", ""),
        "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""),
    }
    return subprocess.run(["sh", "-u", str(case)], cwd=folder,
                          env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, check=False, **user)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    parser.add_argument("--accept", action="store_true",
                        help="write what it printed as .exact")
    parser.add_argument("--nobody", action="store_true")
    parser.add_argument("case", type=pathlib.Path)
    options = parser.parse_args()
    case = options.case.resolve()
    with tempfile.TemporaryDirectory(prefix="cwm-cli-") as folder:
        os.chmod(folder, 0o755)
        done = run(options.cwm.resolve(), case, folder, options.nobody)
    out = done.stdout.decode(errors="backslashreplace")
    err = done.stderr.decode(errors="backslashreplace")
    if options.accept:
        case.with_name(f"{case.name}.stdout.exact").write_text(out)
        sys.stderr.write(err)
        return 0
    status_file = case.with_name(f"{case.name}.exit")
    expected = int(status_file.read_text()) if status_file.exists() else 0
    if done.returncode == 77 and expected != 77:
        sys.stderr.write(err)
        return 1 if os.environ.get("CWM_MUST_WORK") == "1" else 77
    wrong = differs("stdout", out, case) + differs("stderr", err, case)
    if done.returncode != expected:
        wrong += f"exit status {done.returncode}, not {expected}\n"
    if wrong:
        print(f"{case.name}:\n{wrong}", end="")
        if err:
            print(f"its standard error:\n{err}", end="")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
