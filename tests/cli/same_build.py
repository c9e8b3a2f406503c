#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""same_build.py --cwm PROGRAM SOURCE... -- one store, however it is made.

The same sources are built with one worker, with three, and in three shards
that are merged in another order: `cwm dataset stats --json`, which has the
content hash, must say the same of all.  Where it does not, what differs is
told program by program.  Exit status: 0 the same, 1 not, 77 no such source.
"""
import argparse
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

SHARDS = 3
# Of a trace: what was asked of which program, and what came of it.
ROWS = """SELECT o.path, t.entry, t.args, t.verdict, t.detail, t.frames,
                 hex(t.content)
          FROM trace t JOIN origin o ON o.program = t.program"""


def run(arguments):
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, check=False,
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments)}: {done.returncode}: {done.stderr}")
    return done.stdout


def rows(store):
    with sqlite3.connect(store) as db:
        return set(db.execute(ROWS))


def tell_difference(one, other):
    ones, others = rows(one), rows(other)
    for name, found in (("only in the first", ones - others),
                        ("only in the second", others - ones)):
        print(f"{len(found)} traces {name}")
        for row in sorted(found, key=str)[:20]:
            print("   ", *row)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True)
    parser.add_argument("--options", default="", help="of `dataset build`")
    parser.add_argument("source", nargs="+")
    options = parser.parse_args()
    for source in options.source:
        if ":" not in source and not pathlib.Path(source).exists():
            print(f"{source} is not there")
            return 77
    build = [options.cwm, "dataset", "build", *options.options.split()]
    with tempfile.TemporaryDirectory(prefix="cwm-same-") as folder:
        def store(name):
            return os.path.join(folder, f"{name}.db")

        run([*build, "--store", store("one"), "--workers", "1",
             *options.source])
        run([*build, "--store", store("three"), "--workers", "3",
             *options.source])
        parts = []
        for k in range(1, SHARDS + 1):
            parts.insert(0, store(f"part{k}"))
            run([*build, "--store", parts[0], "--workers", "2",
                 "--shard", f"{k}/{SHARDS}", *options.source])
        run([options.cwm, "dataset", "merge", "--store", store("merged"),
             *parts])
        status = 0
        stats = {name: run([options.cwm, "dataset", "stats", "--json",
                            "--store", store(name)])
                 for name in ("one", "three", "merged")}
        for name in ("three", "merged"):
            if stats[name] != stats["one"]:
                print(f"one worker: {stats['one']}{name}: {stats[name]}")
                tell_difference(store("one"), store(name))
                status = 1
        if status == 0:
            print(f"three times the same: {stats['one'][:400]}")
        return status


if __name__ == "__main__":
    sys.exit(main())
