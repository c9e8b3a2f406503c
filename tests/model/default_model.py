#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""default_model.py --cwm PROGRAM MODELS -- `cwm predict` without --model.

The program is copied to where it would be installed, with its workers and the
models; what it finds there must predict a whole trace, be it right or not.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

PROGRAM = """def f(a):
    b = a + 1
    return b
"""


def predict(cwm, folder, **more):
    return subprocess.run(
        [cwm, "predict", "p.py", "--entry", "f", "--args", "3", "--greedy",
         "--device", "cpu", "--compare"], cwd=folder, check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **more})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    parser.add_argument("models", type=pathlib.Path)
    options = parser.parse_args()
    options.models = options.models.resolve()
    bad = 0
    size = sum(f.stat().st_size for f in options.models.rglob("*"))
    if size > 36_000_000:
        print(f"the models take {size} bytes")
        bad += 1
    with tempfile.TemporaryDirectory(prefix="cwm-default-") as name:
        root = pathlib.Path(name)
        (root / "bin").mkdir()
        (root / "p.py").write_text(PROGRAM)
        for program in [options.cwm, *options.cwm.parent.glob("cwm-worker-*")]:
            shutil.copy2(program, root / "bin")
        done = predict(root / "bin/cwm", root, CWM_MODEL="")
        if done.returncode != 2 or "a model are needed" not in done.stderr:
            print(f"without a model: {done.returncode} {done.stderr}")
            bad += 1
        (root / "share/cwm").mkdir(parents=True)
        (root / "share/cwm/models").symlink_to(options.models)
        for more in {"CWM_MODEL": ""}, {
                "CWM_MODEL": str(options.models / "generated-25m")}:
            done = predict(root / "bin/cwm", root, **more)
            if "valid trace format     100.00 %" not in done.stdout:
                print(f"{more}: {done.returncode}\n{done.stdout}{done.stderr}")
                bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
