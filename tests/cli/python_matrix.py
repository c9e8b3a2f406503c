#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""python_matrix.py --cwm PROGRAM -- --python, with every worker there is.

For each interpreter that a worker was built for: it is named by version, path,
link and relative path; what syntax is, it decides; and an environment that its
own `venv` makes gives programs the packages that are in it.  Then what is no
interpreter, or one without a worker.  Exit 77 where no `venv` can be made.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# First version that takes it, the program, where older ones see the error.
SYNTAX = [
    ((3, 10), "x = 1\nmatch x:\n    case 1:\n        y = 2\n", 2),
    ((3, 11), "try:\n    pass\nexcept* ValueError:\n    pass\n", 3),
    ((3, 12), "x = 1\ntype A = int\n", 2),
    ((3, 12), "x = 'a'\ny = f'{x + f\"{'b'}\"}'\n", 2),
    ((3, 12), "def f[T](x: T) -> T:\n    return x\nf(1)\n", 1),
    ((3, 14), "try:\n    pass\nexcept A, B:\n    pass\n", 3),
    ((3, 14), "x = 1\ny = t'{x}'\n", 2),
]
USES_PACKAGE = "import mine.inner\nx = mine.inner.twice(21)\nprint(x)\n"

n_bad = 0
n_checked = 0


def expect(what, got, want):
    global n_bad, n_checked
    n_checked += 1
    if got != want:
        n_bad += 1
        print(f"{what}: {got!r}, not {want!r}")


def trace(cwm, program, python, cwd, *more):
    done = subprocess.run(
        [cwm, "trace", "-", "--python", python, "--json", *more], cwd=cwd,
        input=program, capture_output=True, text=True, check=False)
    record = json.loads(done.stdout) if done.stdout else {}
    return done.returncode, record, done.stderr


def check_names(cwm, version, python, cwd):
    """However it is named it is this one."""
    link = cwd / f"link-{version}"
    link.symlink_to(python)
    names = [version, ".".join(version.split(".")[:2]), str(python),
             str(link), f"./{link.name}", os.path.relpath(python, cwd)]
    for name in names:
        status, record, err = trace(cwm, "x = 1\n", name, cwd)
        expect(f"--python {name}", (status, record.get("python"), err),
               (0, version, ""))


def check_syntax(cwm, version, cwd):
    numbers = tuple(map(int, version.split(".")[:2]))
    for first, program, line in SYNTAX:
        status, record, err = trace(cwm, program, version, cwd)
        what = f"{version}: {program!r}"
        if numbers >= first and first[1] == 14 and "A" in program:
            expect(what, status, 0)
        elif numbers >= first:
            expect(what, (status, record.get("verdict")), (0, "ok"))
        else:
            detail = record.get("detail") or ""
            place, _, column = detail.partition(":")
            expect(what, (status, record.get("verdict"), place),
                   (1, "syntax_error", str(line)))
            start = f"cwm trace: standard input:{line}:{column}: SyntaxError: "
            expect(f"{what}: message", err[:len(start)], start)


def check_venv(cwm, version, python, cwd):
    folder = cwd / f"venv-{version}"
    made = subprocess.run([python, "-m", "venv", "--without-pip", folder],
                          capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return False
    package = next(folder.glob("lib/python3*/site-packages")) / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("def twice(x):\n    return 2 * x\n")
    for name in (str(folder / "bin" / "python"),
                 f"{folder.name}/bin/python3"):
        status, record, err = trace(cwm, USES_PACKAGE, name, cwd)
        expect(f"--python {name}",
               (status, record.get("python"), record.get("verdict"),
                record.get("stdout"), err), (0, version, "ok", "42\n", ""))
    _, record, _ = trace(cwm, USES_PACKAGE, version, cwd)
    expect(f"{version} outside its environment", record["exception"],
           {"type": "ModuleNotFoundError", "message": "No module named 'mine'"})
    (package / "inner.py").write_text("def twice(x):\n    return 3 * x\n")
    _, record, _ = trace(cwm, USES_PACKAGE, str(folder / "bin" / "python"),
                         cwd)
    expect(f"{version}: the package as it is now", record["stdout"], "63\n")
    shutil.rmtree(folder)
    return True


def refuses(cwm, cwd, python, status, *parts):
    got, _, err = trace(cwm, "x = 1\n", python, cwd)
    expect(f"--python {python}", got, status)
    for part in parts:
        expect(f"--python {python}: {err!r} has {part!r}", part in err, True)
    lines = err.splitlines()
    expect(f"--python {python}: one line and a hint",
           len(lines) == 1 or (len(lines) == 2
                               and lines[1].startswith("hint: ")), True)


def check_refusals(cwm, cwd):
    (cwd / "script").write_text("#!/bin/sh\necho hello\n")
    (cwd / "script").chmod(0o755)
    (cwd / "fails").write_text("#!/bin/sh\nexit 3\n")
    (cwd / "fails").chmod(0o755)
    (cwd / "text").write_text("no program\n")
    (cwd / "data").write_bytes(b"\0\1\2")
    (cwd / "data").chmod(0o755)
    (cwd / "nowhere").symlink_to("not-there")
    # It answers as a Python for which there is no worker.
    (cwd / "old").write_text("#!/bin/sh\n"
                             "printf 'cwm 3 2 1\\n/usr/old\\n/usr/old/py\\n'\n")
    (cwd / "old").chmod(0o755)
    for name in ("script", "fails", "data"):
        refuses(cwm, cwd, f"./{name}", 2, f"cannot use './{name}' as the "
                "interpreter: it does not answer as a Python does")
    refuses(cwm, cwd, "./text", 2, "Permission denied")
    refuses(cwm, cwd, ".", 2, "cannot use '.' as the interpreter")
    refuses(cwm, cwd, "./missing", 2, "No such file or directory")
    refuses(cwm, cwd, "./nowhere", 2, "No such file or directory")
    refuses(cwm, cwd, "no-such-python", 2, "cannot use 'no-such-python'")
    refuses(cwm, cwd, "", 2, "cannot use ''")
    refuses(cwm, cwd, "3.2", 3, "no worker was built for '3.2'", "there are:",
            "hint: ")
    refuses(cwm, cwd, "./old", 3, "no worker was built for './old'",
            "3.2 of /usr/old", "hint: ")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=os.path.abspath)
    options = parser.parse_args()
    told = subprocess.run([options.cwm, "check", "--json"],
                          capture_output=True, check=False)
    pythons = json.loads(told.stdout)["pythons"]
    n_venvs = 0
    # Not below /tmp: the jail has one of its own.
    with tempfile.TemporaryDirectory(prefix="cwm-pythons-",
                                     dir="/var/tmp") as name:
        cwd = pathlib.Path(name)
        for told in pythons:
            version = told["version"]
            minor = ".".join(version.split(".")[:2])
            python = pathlib.Path(told["prefix"], "bin", f"python{minor}")
            check_names(options.cwm, version, python, cwd)
            check_syntax(options.cwm, version, cwd)
            n_venvs += check_venv(options.cwm, version, python, cwd)
        check_refusals(options.cwm, cwd)
    print(f"{len(pythons)} interpreters, {n_venvs} environments, "
          f"{n_checked} checks, {n_bad} wrong")
    if n_bad or not pythons:
        sys.exit(1)
    if not n_venvs:
        print("SKIPPED: environments: no `python -m venv` works here")
        sys.exit(1 if os.environ.get("CWM_MUST_WORK") == "1" else 77)


if __name__ == "__main__":
    main()
