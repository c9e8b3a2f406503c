#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Jobs out of ../shared/data: calls found in doctests and asserts.

usage: corpus_jobs.py SHARED_DATA > JOBS.jsonl
One job a line: {"id", "source", "entry", "args"}, or without an entry: a
script.  Evaluation data: these jobs are for tests of the tracer only, never
for training.
"""
import ast
import doctest
import json
import pathlib
import subprocess
import sys


def calls_in(text, functions):
    """(entry, args) of every plain call to one of `functions` in `text`."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
                and node.func.id in functions):
            inside = [ast.unparse(a) for a in node.args]
            inside += [ast.unparse(k) for k in node.keywords]
            yield node.func.id, ", ".join(inside)


def top_functions(source):
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()
    return {n.name for n in tree.body
            if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))}


def jobs_of(name, source, tests):
    functions = top_functions(source)
    seen = set()
    for test in tests:
        for entry, args in calls_in(test, functions):
            if (entry, args) in seen or len(args) > 4000:
                continue
            seen.add((entry, args))
            yield {"id": f"{name}:{entry}:{len(seen)}", "source": source,
                   "entry": entry, "args": args}


def zstd_lines(path):
    data = subprocess.run(["zstd", "-dc", str(path)], check=True,
                          capture_output=True).stdout
    return [json.loads(line) for line in data.decode().splitlines()]


def doctests(source):
    parser = doctest.DocTestParser()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef,
                             ast.ClassDef, ast.Module)):
            try:
                examples = parser.get_examples(ast.get_docstring(node) or "")
            except ValueError:
                continue
            for example in examples:
                yield example.source


def jobs_in(data):
    """Every job of the corpora in the folder `data`."""
    with open(data / "mbpp" / "sanitized-mbpp.json", encoding="utf-8") as f:
        rows = json.load(f)
    for row in rows:
        yield from jobs_of(f"mbpp/{row['task_id']}", row["code"],
                           row["test_list"])
        script = "\n".join([row["code"], *row["test_list"], ""])
        yield {"id": f"mbpp/{row['task_id']}:script",
               "source": script.replace("\r\n", "\n")}
    for corpus in ("quixbugs", "thealgorithms"):
        for row in zstd_lines(data / f"{corpus}.jsonl.zst"):
            source = row["source"]
            tests = list(doctests(source))
            if corpus == "quixbugs":
                tests += [line.strip()[4:] for line in source.splitlines()
                          if line.strip().startswith(">>> ")]
            yield from jobs_of(f"{corpus}/{row['path']}", source, tests)


if __name__ == "__main__":
    for each in jobs_in(pathlib.Path(sys.argv[1])):
        print(json.dumps(each))
