#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""manual.py --cwm PROGRAM MANUAL.md -- does the page tell the truth?

Every ```console block is run: `$ ` starts a command, `> ` continues it, the
lines up to the next command are what it must print on both streams.  In them
`*` stands for any text within a line and a line `...` for any lines.  All
blocks run one after the other in one empty folder, where `examples` is the
source tree's and `build` the program's.  Versions of CPython, times and rates
stand for any.  In a manual (*.1.md) the list between `<!-- options: NAME -->`
and `<!-- end -->` must be what `cwm --dump-options NAME` prints.
"""
import argparse
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import run_case

VARIES = re.compile(r"(?<=CPython )3\.\d+\.\d+|\d+(?= frames/s)"
                    r"|(?<=jobs in )[^(*]+\(\d+ jobs/s\), \d+ workers?")


def console_blocks(text):
    """(line number, [(command, expected), ...]) of every block."""
    for match in re.finditer(r"^```console\n(.*?)^```$", text, re.M | re.S):
        steps = []
        for line in match.group(1).splitlines():
            if line.startswith("$ "):
                steps.append([line[2:], ""])
            elif line.startswith("> ") and not steps[-1][1]:
                steps[-1][0] += "\n" + line[2:]
            else:
                steps[-1][1] += line + "\n"
        yield text.count("\n", 0, match.start()) + 1, steps


def run_blocks(cwm, manual, folder):
    """The number of commands, and how many printed something else."""
    os.symlink(run_case.ROOT / "examples", folder / "examples")
    os.symlink(cwm.parent, folder / "build")
    environment = {"PATH": f"{cwm.parent}:/usr/local/bin:/usr/bin:/bin",
                   "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    n = wrong = 0
    for at, steps in console_blocks(manual.read_text()):
        for command, expected in steps:
            done = subprocess.run(["sh", "-c", command], cwd=folder,
                                  env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False)
            actual = done.stdout.decode(errors="backslashreplace")
            if actual and not actual.endswith("\n"):
                actual += "\n"
            expected = VARIES.sub("*", expected)
            n += 1
            if not run_case.to_regex(expected).fullmatch(actual):
                wrong += 1
                print(f"{manual.name}:{at}: $ {command}")
                sys.stdout.writelines(difflib.unified_diff(
                    expected.splitlines(True), actual.splitlines(True),
                    "the manual", "the program"))
    return n, wrong


def option_lists(cwm, manual):
    """The number of lists, and how many are not the program's."""
    text = manual.read_text()
    n = wrong = 0
    for match in re.finditer(r"<!-- options: (\w+) -->\n(.*?)<!-- end -->",
                             text, re.S):
        done = subprocess.run([cwm, "--dump-options", match.group(1)],
                              capture_output=True, text=True, check=True)
        n += 1
        if match.group(2).strip() != done.stdout.strip():
            wrong += 1
            sys.stdout.writelines(difflib.unified_diff(
                (match.group(2).strip() + "\n").splitlines(True),
                (done.stdout.strip() + "\n").splitlines(True),
                f"{manual.name}: {match.group(1)}", "the option table"))
    return n, wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    parser.add_argument("manual", type=pathlib.Path)
    options = parser.parse_args()
    cwm = options.cwm.resolve()
    with tempfile.TemporaryDirectory(prefix="cwm-manual-") as folder:
        commands = run_blocks(cwm, options.manual, pathlib.Path(folder))
    is_manual = options.manual.name.endswith(".1.md")
    lists = option_lists(cwm, options.manual)
    print(f"{commands[0]} commands, {commands[1]} differ; "
          f"{lists[0]} lists of options, {lists[1]} differ")
    if not commands[0] or is_manual and not lists[0]:
        print("nothing to compare")
        return 1
    return 1 if commands[1] or lists[1] else 0


if __name__ == "__main__":
    sys.exit(main())
