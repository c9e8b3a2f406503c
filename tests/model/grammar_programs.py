#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""grammar_programs.py --cwm PROGRAM --grammar model_grammar TOKENIZER

True traces that the grammar must take, step by step: of programs/ with every
interpreter there is a worker for, and of generated programs.  In programs/ is
what CPython traces in another order than the lines', and not alike in each
version: `finally` and `with` that lead back to a `return`, statements of many
lines, what is thrown into generators and coroutines, patterns.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

PROGRAMS = pathlib.Path(__file__).parent / "programs"
# programs of three traces each
N_GENERATED = int(os.environ.get("GENERATED", "700"))


def run(*words):
    done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, text=True)
    if done.returncode != 0:
        sys.exit(f"{words}: {done.returncode} {done.stderr}")
    return done.stdout


def trace_all(cwm, python, out):
    """Whole, and from main() on; how many frames that were."""
    n = 0
    with open(out, "w", encoding="utf-8") as f:
        for path in sorted(PROGRAMS.glob("*.py")):
            if path.name == "matching.py" and python.startswith("3.9"):
                continue
            for entry in ([], ["--entry", "main"]):
                text = run(cwm, "trace", path, *entry, "--python", python,
                           "--format", "jsonl")
                record = json.loads(text)
                if record["verdict"] != "ok":
                    sys.exit(f"{path} {python}: {record['verdict']} "
                             f"{record['exception']}")
                n += len(record["frames"])
                f.write(text)
    return n


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    parser.add_argument("--grammar", required=True, type=pathlib.Path)
    parser.add_argument("tokenizer", type=pathlib.Path)
    options = parser.parse_args()
    if not options.tokenizer.exists():
        print(f"SKIPPED: there is no tokenizer '{options.tokenizer}' here")
        return 77
    pythons = json.loads(run(options.cwm, "check", "--json"))["pythons"]
    with tempfile.TemporaryDirectory(prefix="cwm-grammar-") as name:
        folder = pathlib.Path(name)
        files = []
        for python in pythons:
            files.append(folder / f"{python['version']}.jsonl")
            n = trace_all(options.cwm, python["version"], files[-1])
            print(f"CPython {python['version']}: {n} frames")
        run(options.cwm, "dataset", "build", "--store", folder / "store",
            "--seed", 404, f"generate:{N_GENERATED}")
        run(options.cwm, "dataset", "export", "--store", folder / "store",
            "--format", "jsonl", "--plain", "-o", folder / "export")
        files += sorted((folder / "export").glob("t*.jsonl"))
        return subprocess.run([options.grammar, options.tokenizer, *files],
                              check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
