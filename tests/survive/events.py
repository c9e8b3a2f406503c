# SPDX-License-Identifier: MIT
"""Every frame that the worker records is the frame that a tracer in pure
Python sees under the same interpreter.

    events.py WORKER PYTHON
"""
import json
import os
import subprocess
import sys
import tempfile

import direct

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = (("generators", "main"), ("scopes", "main"), ("script", ""),
            ("coroutines", "main"), ("recursion", "main"), ("containers", "main"))


def reference(python, path, entry):
    with tempfile.TemporaryDirectory() as folder:
        env = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [python, "-B", os.path.join(HERE, "reference.py"), path, entry],
            capture_output=True, cwd=folder, env=env, timeout=60)
    lines = done.stdout.decode().splitlines()
    frames = [json.loads(x) for x in lines if x.startswith('{"event"')]
    assert frames, done.stderr.decode()
    return frames


def full_locals(frames):
    """The worker's frames with every local in full, as the reference has."""
    out = []
    for f in frames:
        g = {k: f[k] for k in ("event", "line", "depth")}
        if "full" in f:
            g["locals"] = f["full"]
        if "arg" in f:
            g["arg"] = f["arg"]
        out.append(g)
    return out


def compare(name, got, want):
    for i, (g, w) in enumerate(zip(got, want)):
        same = g == w and list(g.get("locals", ())) == list(
            w.get("locals", ()))
        if not same:
            print("%s: frame %d differs\n  worker:    %s\n  reference: %s" %
                  (name, i, json.dumps(g), json.dumps(w)))
            for j in range(max(0, i - 3), i):
                print("  before: %s" % json.dumps(want[j]))
            return False
    if len(got) != len(want):
        i = min(len(got), len(want))
        print("%s: the worker has %d frames, the reference %d; next: %s" %
              (name, len(got), len(want), (got + want)[i:][:1]
               if len(got) > i else want[i]))
        return False
    return True


def main():
    worker, python = sys.argv[1:3]
    failed = 0
    for name, entry in PROGRAMS:
        path = os.path.join(HERE, "programs", name + ".py")
        with open(path) as f:
            source = f.read()
        run = direct.run(worker, source, entry=entry)
        got = full_locals(run.records.frames)
        if not compare(name, got, reference(python, path, entry)):
            failed += 1
        if run.records.end["reason"] != "ok":
            print("%s: ended as %s" % (name, run.records.end))
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
