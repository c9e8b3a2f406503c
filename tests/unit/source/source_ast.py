# SPDX-License-Identifier: MIT
"""source_ast.py -- definitions by source.h against CPython's own parser.

Over the running interpreter's standard library, or over the programs of a
JSONL file ("source" of each object): every function's and class's qualified
name, kind, number of parameters and lines, and the first line of code.  Files
that CPython cannot compile are counted and left out.  Exit 0, 1 on a
difference (each is printed), 77 where the JSONL file is not there.
"""
import argparse
import ast
import json
import os
import subprocess
import sys
import sysconfig
import warnings

from source_ask import ask


class Walker(ast.NodeVisitor):
    """Definitions in the order of the text, named as Python names them."""

    def __init__(self):
        self.prefix = []
        self.found = []

    def visit_def(self, node, kind, joint):
        first = min([d.lineno for d in node.decorator_list] + [node.lineno])
        params = 0
        if kind != 2:
            a = node.args
            params = (len(a.posonlyargs) + len(a.args) + len(a.kwonlyargs)
                      + bool(a.vararg) + bool(a.kwarg))
        body = node.body[0]
        body_line = min([d.lineno for d in getattr(body, "decorator_list", [])]
                        + [body.lineno])
        self.found.append({
            "kind": kind, "qualname": "".join(self.prefix) + node.name,
            "first": first, "body": body_line, "last": node.end_lineno,
            "params": params})
        self.prefix.append(node.name + joint)
        for child in node.body:
            self.visit(child)
        self.prefix.pop()

    def visit_FunctionDef(self, node):
        self.visit_def(node, 0, ".<locals>.")

    def visit_AsyncFunctionDef(self, node):
        self.visit_def(node, 1, ".<locals>.")

    def visit_ClassDef(self, node):
        self.visit_def(node, 2, ".")


def expected(data):
    """What CPython says, or None when it cannot compile the text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    walker = Walker()
    walker.visit(tree)
    first_code = 0
    if tree.body:
        node = tree.body[0]
        first_code = min([d.lineno for d in
                          getattr(node, "decorator_list", [])] + [node.lineno])
    return {"defs": walker.found, "first_code": first_code}


def differences(want, got):
    if "error" in got:
        return ["refused: " + got["error"]]
    out = []
    if got["first_code"] != want["first_code"]:
        out.append("first code line %d, not %d"
                   % (got["first_code"], want["first_code"]))
    if len(got["defs"]) != len(want["defs"]):
        names = [[d["qualname"] for d in x["defs"]] for x in (got, want)]
        out.append("%d definitions, not %d: %s" % (
            len(names[0]), len(names[1]),
            sorted(set(names[0]) ^ set(names[1]))[:5]))
        return out
    for i, (w, g) in enumerate(zip(want["defs"], got["defs"])):
        bad = {k: (g[k], v) for k, v in w.items() if g[k] != v}
        if bad:
            out.append("%s: (ours, CPython's) %s" % (w["qualname"], bad))
        if not g["first"] <= g["def"] <= g["colon"] <= g["body"] <= g["last"]:
            out.append("%s: lines out of order: %s" % (w["qualname"], g))
        if g["kind"] != 2 and g["at"][0] != i:
            out.append("%s: source_def_at(%d) is %d, not %d"
                       % (w["qualname"], g["first"], g["at"][0], i))
    return out


def stdlib_paths(every):
    paths = []
    for top, dirs, files in os.walk(sysconfig.get_paths()["stdlib"]):
        dirs[:] = sorted(d for d in dirs
                         if d not in ("dist-packages", "site-packages"))
        paths += [os.path.join(top, f) for f in sorted(files)
                  if f.endswith(".py")]
    return paths[::every]


def programs(options):
    """(name, bytes) of each program."""
    if options.jsonl:
        text = subprocess.run(["zstdcat", options.jsonl], check=True,
                              stdout=subprocess.PIPE).stdout
        for line in text.splitlines():
            job = json.loads(line)
            yield job["path"], job["source"].encode()
    else:
        for path in stdlib_paths(options.every):
            with open(path, "rb") as file:
                yield path, file.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dump", required=True)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--jsonl")
    options = parser.parse_args()
    if options.jsonl and not os.path.exists(options.jsonl):
        print("SKIPPED: %s is not there, nothing was compared" % options.jsonl)
        return 77
    cases = list(programs(options))
    answers = ask(options.dump, [("defs", "", data) for _, data in cases])
    n_bad = n_defs = n_left_out = n_noticed = n_false = 0
    for (path, data), got in zip(cases, answers):
        want = expected(data)
        if want is None:
            n_left_out += 1
            n_noticed += "error" in got or got["syntax"][0] > 0
            continue
        n_defs += len(want["defs"])
        if got.get("syntax", [0])[0]:
            n_false += 1
            print("%s: a syntax error at %s that CPython does not see"
                  % (path, got["syntax"]))
        for text in differences(want, got):
            n_bad += 1
            print("%s: %s" % (path, text))
    print("%d files, %d definitions, %d differences; CPython refuses %d, of "
          "which we notice %d; %d errors that are none"
          % (len(cases), n_defs, n_bad, n_left_out, n_noticed, n_false))
    if not n_defs:
        print("no definitions: nothing was compared")
        return 1
    return 1 if n_bad else 0


if __name__ == "__main__":
    sys.exit(main())
