# SPDX-License-Identifier: MIT
"""Tracing a program does not change what it does.

    survive.py PYTHON (--direct WORKER | --cwm CWM) [CASE...]

Every program of cases.py is run plain by PYTHON and traced: standard output,
standard error and exit status have to be equal, and the trace has to end for
the right reason and show what the case expects.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

import cases
import direct

# What a plain run gets from the environment.
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}


class Run:
    def __init__(self, out, err, status):
        self.out, self.err, self.status = out, err, status
        self.reason = None
        self.shown = []
        self.is_text = False  # bytes that are no UTF-8 came as U+FFFD


def run_plain(python, source, stdin):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "main.py"), "w",
                  encoding="utf-8") as f:
            f.write(source)
        done = subprocess.run([python, "-B", "-s", "main.py"], input=stdin,
                              cwd=folder, env=ENVIRONMENT,
                              capture_output=True, timeout=60)
        prefix = os.path.realpath(folder).encode() + b"/"
    return Run(done.stdout.replace(prefix, b""),
               done.stderr.replace(prefix, b""), done.returncode)


def run_direct(worker, source, stdin, limits):
    how = direct.run(worker, source, stdin=stdin, **limits)
    run = Run(how.out, how.err, how.status)
    if how.records:
        if how.records.end:
            run.reason = how.records.end["reason"]
        run.shown = [f["full"] for f in how.records.frames if "full" in f]
    return run


def run_cwm(cwm, python, source, stdin, limits):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "main.py")
        with open(path, "w", encoding="utf-8") as f:
            f.write(source)
        stdin_path = os.path.join(folder, "stdin")
        with open(stdin_path, "wb") as f:
            f.write(stdin)
        command = [cwm, "trace", path, "--format", "jsonl", "--stdin",
                   stdin_path, "--python", python, "--full-locals"]
        # A busy machine is slow: time is no part of what is compared.
        for name, value in {"timeout_ms": 30000, **limits}.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        done = subprocess.run(command, capture_output=True, timeout=120)
    record = json.loads(done.stdout)
    run = Run(record["stdout"].encode("utf-8", "surrogatepass"),
              record["stderr"].encode("utf-8", "surrogatepass"), None)
    run.reason = record["verdict"]
    run.is_text = True
    run.shown = [f["locals"] for f in record["frames"] if f["locals"]]
    return run


ADDRESS = re.compile(rb"0x[0-9a-f]+")


def differences(name, plain, traced, expected):
    for what in ("out", "err", "status"):
        want, got = getattr(plain, what), getattr(traced, what)
        if what == "err" and got is not None:
            want, got = ADDRESS.sub(b"0x", want), ADDRESS.sub(b"0x", got)
        if traced.is_text and what != "status":
            want = want.decode("utf-8", "replace").encode()
        if got is not None and got != want:
            yield "%s: std%s differs" % (name, what) if what != "status" \
                else "%s: the exit status differs" % name
            yield "    plain:  %r" % (want,)
            yield "    traced: %r" % (got,)
    reason = expected.get("reason", "ok")
    if reason is not None and traced.reason != reason or \
            reason is None and traced.reason == "ok":
        yield "%s: ended as %s, not %s" % (name, traced.reason, reason)
    for variable, text in expected.get("shows", ()):
        if not any(s.get(variable) == text for s in traced.shown):
            texts = sorted({s[variable] for s in traced.shown
                            if variable in s})
            yield "%s: no frame shows %s as %r, but as %r" % (
                name, variable, text, texts[:5])


def main():
    python, how, program = sys.argv[1:4]
    wanted = sys.argv[4:] or list(cases.CASES)
    version = tuple(json.loads(subprocess.run(
        [python, "-c", "import sys; print(list(sys.version_info[:2]))"],
        capture_output=True, check=True).stdout))
    failed = 0
    for name in wanted:
        source, expected = cases.CASES[name]
        if version < expected.get("since", (3, 9)):
            continue
        stdin = expected.get("stdin", b"")
        limits = {k: v for k, v in expected.items() if k.startswith("max_")}
        plain = run_plain(python, source, stdin)
        if how == "--direct":
            traced = run_direct(program, source, stdin, limits)
        else:
            traced = run_cwm(program, python, source, stdin, limits)
        lines = list(differences(name, plain, traced, expected))
        failed += bool(lines)
        for line in lines:
            print(line)
    print("%d of %d cases differ" % (failed, len(wanted)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
