#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compare_programs.py --build FOLDER [-n N] CORPUS.jsonl.zst -- the tables.

Generated programs beside real functions (those of CORPUS that stand at the
top of their file), in Markdown: what they are made of, by their syntax trees;
and what their traces are like: real functions are called as their doctests
call them, everything in the jail.
"""
import argparse
import ast
import collections
import io
import json
import subprocess
import sys
import tempfile

CONSTRUCTS = [
    ("for", ast.For), ("while", ast.While), ("if", ast.If),
    ("try", ast.Try), ("raise", ast.Raise), ("assert", ast.Assert),
    ("comprehension", (ast.ListComp, ast.SetComp, ast.DictComp,
                       ast.GeneratorExp)),
    ("lambda", ast.Lambda), ("f-string", ast.JoinedStr),
    ("slice", ast.Slice), ("augmented assignment", ast.AugAssign),
    ("conditional expression", ast.IfExp), ("break", ast.Break),
    ("continue", ast.Continue), ("yield", (ast.Yield, ast.YieldFrom)),
    ("nested function", ast.FunctionDef), ("dict literal", ast.Dict),
]
SHARES = (0.1, 0.5, 0.9)


def depth_of(node, depth=0):
    """Levels of blocks in each other."""
    blocks = (ast.For, ast.While, ast.If, ast.With, ast.Try)
    inner = depth + isinstance(node, blocks)
    return max([inner] + [depth_of(child, inner)
                          for child in ast.iter_child_nodes(node)])


def body_of(function):
    """Without its docstring."""
    body = function.body
    if isinstance(body[0], ast.Expr) and \
            isinstance(body[0].value, ast.Constant) and \
            isinstance(body[0].value.value, str):
        body = body[1:]
    return body


class Static:
    def __init__(self):
        self.n = 0
        self.lines, self.depths, self.params = [], [], []
        self.constructs = collections.Counter()
        self.methods = collections.Counter()
        self.builtins = collections.Counter()

    def add(self, function):
        body = body_of(function)
        if not body:
            return
        self.n += 1
        self.lines.append(sum(isinstance(node, ast.stmt) for statement in body
                              for node in ast.walk(statement)))
        self.depths.append(max(depth_of(statement) for statement in body))
        self.params.append(len(function.args.args))
        nodes = [node for statement in body for node in ast.walk(statement)]
        for name, kind in CONSTRUCTS:
            self.constructs[name] += any(isinstance(n, kind) for n in nodes)
        methods, builtins = set(), set()
        for node in nodes:
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Attribute):
                methods.add(node.func.attr)
            elif isinstance(node.func, ast.Name) and \
                    hasattr(__builtins__, node.func.id):
                builtins.add(node.func.id)
        self.methods.update(methods)
        self.builtins.update(builtins)


def quantiles(values):
    values = sorted(values)
    return " / ".join(str(values[int(len(values) * share)])
                      for share in SHARES)


def real_jobs(corpus):
    """Static figures of the corpus, and its doctests' calls as jobs."""
    static, jobs = Static(), []
    text = subprocess.run(["zstd", "-dc", corpus], check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    for line in io.StringIO(text):
        row = json.loads(line)
        try:
            tree = ast.parse(row["source"])
        except SyntaxError:
            continue
        for function in tree.body:
            if not isinstance(function, ast.FunctionDef):
                continue
            static.add(function)
            for args in doctest_calls(function):
                jobs.append({"id": f"{row['path']}:{len(jobs)}",
                             "source": row["source"],
                             "entry": function.name, "args": args,
                             "max_frames": 5000, "timeout_ms": 2000})
    return static, jobs


def doctest_calls(function):
    doc = ast.get_docstring(function) or ""
    calls = []
    for line in doc.splitlines():
        if not line.strip().startswith(">>> "):
            continue
        try:
            tree = ast.parse(line.strip()[4:])
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and \
                    isinstance(node.func, ast.Name) and \
                    node.func.id == function.name and len(calls) < 2:
                calls.append(", ".join(
                    [ast.unparse(a) for a in node.args] +
                    [ast.unparse(k) for k in node.keywords]))
    return calls


def type_of(text):
    """The type of a value, by how its text begins."""
    if text is None:
        return "none given"
    for start, name in (("'", "str"), ('"', "str"), ("[", "list"),
                        ("(", "tuple"), ("<", "object"), ("set(", "set"),
                        ("True", "bool"), ("False", "bool"),
                        ("None", "None")):
        if text.startswith(start):
            return name
    if text.startswith("{"):
        return "dict" if text == "{}" or ": " in text else "set"
    if text[:1].isdigit() or text[:1] == "-":
        return "float" if any(c in text for c in ".en") else "int"
    return "object"


class Dynamic:
    def __init__(self, build, jobs):
        self.verdicts = collections.Counter()
        self.types = collections.Counter()
        self.results = collections.Counter()
        self.frames, self.calls = [], []
        with tempfile.TemporaryDirectory() as folder:
            path, out = f"{folder}/jobs.jsonl", f"{folder}/out.jsonl"
            with open(path, "w", encoding="utf-8") as f:
                for job in jobs:
                    f.write(json.dumps(job) + "\n")
            subprocess.run([f"{build}/cwm", "trace", "--jobs", path, "-o",
                            out], check=True, stderr=subprocess.DEVNULL)
            with open(out, encoding="utf-8") as f:
                for line in f:
                    self.add(json.loads(line))

    def add(self, record):
        verdict = record["verdict"]
        self.verdicts[verdict] += 1
        if verdict not in ("ok", "exception"):
            return
        self.frames.append(record["counts"]["frames"])
        self.calls.append(record["counts"]["calls"])
        for frame in record["frames"]:
            for value in (frame["locals"] or {}).values():
                if value != "..":
                    self.types[type_of(value)] += 1
        if verdict == "ok":
            self.results[type_of(record["result"])] += 1


def table(title, names, rows):
    print(f"\n| {title} | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def share(part, whole):
    return f"{100 * part / max(whole, 1):.1f} %"


def common(a, b, n):
    """The most common of either, with both shares."""
    names = [k for k, _ in a.most_common(n)]
    names += [k for k, _ in b.most_common(n) if k not in names]
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("-n", type=int, default=2000)
    parser.add_argument("corpus")
    options = parser.parse_args()

    real, jobs = real_jobs(options.corpus)
    made, made_jobs = Static(), []
    text = subprocess.run([f"{options.build}/tests/write_programs",
                           str(options.n), "1"], check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    for line in io.StringIO(text):
        job = json.loads(line)
        made_jobs.append(job)
        if job["id"].endswith(".0"):
            entry = [f for f in ast.parse(job["source"]).body
                     if f.name == job["entry"]]
            made.add(entry[0])
    columns = ("generated", "real")
    table("functions", columns, [
        ("number", made.n, real.n),
        ("statements, 10 / 50 / 90 %", quantiles(made.lines),
         quantiles(real.lines)),
        ("nesting", quantiles(made.depths), quantiles(real.depths)),
        ("parameters", quantiles(made.params), quantiles(real.params))])
    table("functions with", columns, [
        (name, share(made.constructs[name], made.n),
         share(real.constructs[name], real.n)) for name, _ in CONSTRUCTS])
    table("functions that call", columns, [
        (f"`.{name}()`", share(made.methods[name], made.n),
         share(real.methods[name], real.n))
        for name in common(made.methods, real.methods, 10)] + [
        (f"`{name}()`", share(made.builtins[name], made.n),
         share(real.builtins[name], real.n))
        for name in common(made.builtins, real.builtins, 10)])
    a = Dynamic(options.build, made_jobs)
    b = Dynamic(options.build, jobs)
    table("traces", columns, [
        ("number", sum(a.verdicts.values()), sum(b.verdicts.values())),
        ("frames, 10 / 50 / 90 %", quantiles(a.frames), quantiles(b.frames)),
        ("calls", quantiles(a.calls), quantiles(b.calls))] + [
        (f"verdict `{v}`", share(a.verdicts[v], sum(a.verdicts.values())),
         share(b.verdicts[v], sum(b.verdicts.values())))
        for v in common(a.verdicts, b.verdicts, 4)])
    table("values of", columns, [
        (f"locals: {t}", share(a.types[t], sum(a.types.values())),
         share(b.types[t], sum(b.types.values())))
        for t in common(a.types, b.types, 8)] + [
        (f"results: {t}", share(a.results[t], sum(a.results.values())),
         share(b.results[t], sum(b.results.values())))
        for t in common(a.results, b.results, 8)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
