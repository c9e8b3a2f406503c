#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""crash_build.py --cwm PROGRAM [--kills N] [--seed S] -- SIGKILL a build.

A build is killed at N moments (drawn from the seed), each time gone on with
by the same command, until it is complete.  Whenever it was killed the store
must pass `check`; in the end its statistics, content hash included, must be
those of a build that nobody disturbed.  Exit status: 0 they are, 1 not.
"""
import argparse
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(arguments, **options):
    return subprocess.run(arguments, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False, **options)


def stats(cwm, store):
    done = run([cwm, "dataset", "stats", "--store", store, "--json"])
    if done.returncode != 0:
        sys.exit(f"stats failed: {done.stderr}")
    return done.stdout


def build(cwm, store, sources, seconds=None):
    """True when it ended by itself."""
    process = subprocess.Popen(
        [cwm, "dataset", "build", "--store", store, "--workers", "2",
         "--mutants", "1", *sources],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    try:
        _, talk = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    if process.returncode != 0:
        sys.exit(f"build ended with {process.returncode}: {talk}")
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="cwm-crash-") as folder:
        # a copy: who works on the examples meanwhile does not change it
        shutil.copytree(ROOT / "examples", os.path.join(folder, "examples"))
        sources = [os.path.join(folder, "examples"),
                   f"generate:{max(360, 20 * options.kills)}"]
        whole = os.path.join(folder, "whole.db")
        start = time.monotonic()
        build(options.cwm, whole, sources)
        length = time.monotonic() - start
        store = os.path.join(folder, "killed.db")
        killed = 0
        ended = 0
        while killed < options.kills:
            # most moments early in a run, some in its start, none behind it
            pause = draw.uniform(0.02, 2.2 * length / options.kills + 0.3)
            if build(options.cwm, store, sources, pause):
                ended += 1
                if ended > 1:  # it is complete: begin another
                    break
                continue
            killed += 1
            if os.path.exists(store):
                done = run([options.cwm, "dataset", "check", "--store", store,
                            "--sample", "0"])
                if done.returncode not in (0, 2):
                    sys.exit(f"after kill {killed}: {done.stdout}"
                             f"{done.stderr}")
                if done.returncode == 2 and "no store" not in done.stderr:
                    sys.exit(f"after kill {killed}: {done.stderr}")
        build(options.cwm, store, sources)
        expected, actual = stats(options.cwm, whole), stats(options.cwm, store)
        if expected != actual:
            print(f"expected {expected}\nactual   {actual}")
            return 1
        print(f"{killed} kills: the same content")
        return 0 if killed >= min(3, options.kills) else 1


if __name__ == "__main__":
    sys.exit(main())
