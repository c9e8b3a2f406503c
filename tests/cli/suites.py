#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""suites.py --cwm PROGRAM -- `pytest:` sources of `cwm dataset build`.

Over the repositories in tests/suites: what is traced, that frames stand on
the lines that they show, that a store is the same for any number of workers,
shards, places of the checkout and kills, that `check` makes episodes again,
what hostile tests cannot do, virtual environments, and repositories that
cannot be used.  Exit status: 0 all as it should be, 1 not, 77 no pytest.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITES = ROOT / "tests" / "suites"
PYTHON = "/usr/bin/python3"
failures = []


def expect(what, good, *more):
    if not good:
        failures.append(what)
        print(f"FAILED: {what}", *more)


def run(*words):
    return subprocess.run([str(word) for word in words], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, check=False)


class Cwm:
    """The program, in a folder of its own."""

    def __init__(self, program, folder):
        self.program = program
        self.folder = folder

    def dataset(self, verb, store, *words):
        return run(self.program, "dataset", verb, "--store",
                   self.folder / store, *words)

    def build(self, store, source, *words):
        done = self.dataset("build", store, "--json", *words, source)
        expect(f"{store} is built", done.returncode == 0, done.stderr)
        return done

    def stats(self, store):
        done = self.dataset("stats", store, "--json")
        expect(f"{store} has statistics", done.returncode == 0, done.stderr)
        return done.stdout

    def traces(self, store):
        out = self.folder / f"{store}.out"
        done = self.dataset("export", store, "-o", out, "--plain",
                            "--near-duplicates", "0", "--full-locals")
        expect(f"{store} is exported", done.returncode == 0, done.stderr)
        rows = []
        for path in sorted(out.glob("*-*.jsonl")):
            rows += [json.loads(line) for line in open(path, encoding="utf-8")]
        return rows


def test_of(row):
    return json.loads(row["args"])["test"]


def check_row(row):
    """A trace whose frames stand on the lines that they show."""
    name = f"{row['entry']} of {row['args']}"
    lines = row["context"].split("\n")
    marked = [line for line in lines if line.endswith("# << START_OF_TRACE")]
    expect(f"{name}: one line is marked", len(marked) == 1, row["context"])
    word = row["entry"].rsplit(".", 1)[-1]
    expect(f"{name}: the marked line is its own",
           bool(marked) and f"def {word}(" in marked[0], marked)
    for frame in row["frames"]:
        line = lines[frame["line"] - 1].removesuffix("  # << START_OF_TRACE")
        expect(f"{name}: line {frame['line']}",
               line == frame["source"].rstrip("\n"), line, frame["source"])
    first, last = row["frames"][0], row["frames"][-1]
    expect(f"{name}: begins with its call",
           first["event"] == "call" and first["depth"] == 0
           and first["function"] == row["entry"], first)
    expect(f"{name}: ends with its return",
           last["event"] == "return" and last["depth"] == 0, last)
    expect(f"{name}: nothing says where it ran",
           "/tmp/cwm" not in json.dumps(row), row)
    expect(f"{name}: it can be compiled", compiles(row["context"]),
           row["context"])


def compiles(text):
    try:
        compile(text, "context", "exec")
    except SyntaxError:
        return False
    return True


def check_shop(cwm, shop):
    """What is traced, and what of it is kept."""
    cwm.build("shop.db", f"pytest:{shop}", "--workers", "2")
    rows = cwm.traces("shop.db")
    for row in rows:
        check_row(row)
    by_entry = collections.defaultdict(list)
    for row in rows:
        by_entry[row["entry"]].append(row)
    for entry in ("net", "total", "check", "patient", "traced.<locals>.wrapper",
                  "fib", "squares", "sum_of_squares", "opened", "both",
                  "report", "many", "new_stock", "describe", "Stock.__init__",
                  "Stock.add", "Stock.cheapest", "Stock.size", "find"):
        # entered ones need not be episodes: but these are called often
        called = any(entry == frame["function"] for row in rows
                     for frame in row["frames"])
        expect(f"{entry} is traced", called)
    functions = {frame["function"] for row in rows for frame in row["frames"]}
    expect("no function of a test is traced",
           not any(name.startswith(("test_", "TestCheck", "stock"))
                   for name in functions), functions)
    left = [row["exception"]["type"] for row in by_entry["squares"]
            if "test_squares_left" in test_of(row)]
    expect("a generator that is left ends so", left == ["GeneratorExit"], left)
    raised = [row for row in by_entry["check"] if row["verdict"] == "exception"]
    expect("an exception is a verdict",
           raised and raised[0]["exception"]["type"] == "ValueError"
           and raised[0]["exception"]["message"] == "too much: 4"
           if by_entry["check"] else True, by_entry["check"])
    labels = {row.get("label") for row in rows
              if "test_fails" in test_of(row)}
    expect("a failed test is labelled", labels == {"failed"}, labels)
    most = collections.Counter((row["entry"], test_of(row).split("::")[0])
                               for row in rows)
    expect("at most 8 of a function and file", max(most.values()) <= 8, most)
    origins = {(row["origin"], row["licence"]) for row in rows}
    expect("the licence is known",
           {name for _, name in origins} == {"MIT"}, origins)
    return rows


def check_settings(cwm, shop):
    chosen = ("--tests", "*test_stock.py::test_total")
    cwm.build("all.db", f"pytest:{shop}", *chosen, "--enter", "1000",
              "--test-functions")
    rows = cwm.traces("all.db")
    entries = {row["entry"] for row in rows}
    expect("with --enter 1000 everything is below the test and its fixture",
           entries == {"test_total", "stock"}, entries)
    depth = max(frame["depth"] for row in rows for frame in row["frames"])
    expect("the depth is used", 2 <= depth <= 4, depth)
    cwm.build("none.db", f"pytest:{shop}", *chosen, "--enter", "0")
    rows = cwm.traces("none.db")
    alien = [(row["entry"], frame["function"]) for row in rows
             for frame in row["frames"]
             if frame["function"] != row["entry"]
             and "<" not in frame["function"]]
    expect("with --enter 0 nothing is entered", not alien, alien)
    expect("what is passed by is an episode of its own",
           {"total", "find", "net"} <= {row["entry"] for row in rows})


def check_same(cwm, shop, folder):
    """Workers, shards, places and kills do not show."""
    expected = cwm.stats("shop.db")
    cwm.build("one.db", f"pytest:{shop}", "--workers", "1")
    expect("workers do not show", cwm.stats("one.db") == expected)
    for k in (1, 2):
        cwm.build(f"part{k}.db", f"pytest:{shop}", "--shard", f"{k}/2")
    cwm.dataset("merge", "both.db", folder / "part1.db", folder / "part2.db")
    expect("shards do not show", cwm.stats("both.db") == expected)
    shutil.copytree(shop, folder / "at" / "another" / "place" / "shop")
    for seed in range(3):
        command = [cwm.program, "dataset", "build", "--store",
                   folder / "killed.db",
                   f"pytest:{folder}/at/another/place/shop"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            process.wait(random.Random(seed).uniform(0.3, 4) if seed < 2
                         else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    expect("kills and places do not show", cwm.stats("killed.db") == expected)


def check_again(cwm, shop, folder):
    done = cwm.dataset("check", "shop.db", "--json")
    expect("without its repository nothing is made again",
           '"retraced": 0' in done.stdout and "--repository" in done.stderr
           and done.returncode == 0, done.stdout, done.stderr)
    done = cwm.dataset("check", "shop.db", "--json", "--sample", "12",
                       "--repository", shop)
    found = json.loads(done.stdout)
    expect("episodes are made again", found["retraced"] > 0
           and found["wrong"] == 0 and done.returncode == 0, found,
           done.stderr)
    other = folder / "changed" / "shop"
    shutil.copytree(shop, other)
    path = other / "shop" / "prices.py"
    path.write_text(path.read_text(encoding="utf-8").replace(
        "price * 100", "price * 101"), encoding="utf-8")
    done = cwm.dataset("check", "shop.db", "--json", "--sample", "1000",
                       "--repository", other)
    expect("a repository that is another now is found out",
           done.returncode == 1 and "another episode" in done.stderr,
           done.stderr)


def check_hostile(cwm, folder):
    hostile = folder / "hostile"
    shutil.copytree(SUITES / "hostile", hostile)
    before = sorted(str(path) for path in hostile.rglob("*"))
    done = cwm.build("hostile.db", f"pytest:{hostile}", "--timeout-ms", "1500",
                     "--episodes", "100")
    rows = cwm.traces("hostile.db")
    seen = collections.defaultdict(list)
    for row in rows:
        check_row(row)
        seen[test_of(row).split("::")[1]].append(row)
    for name in ("before", "exit", "sys_exit", "kill", "fork", "subprocess",
                 "network", "settrace", "write", "write_beside", "private",
                 "forge", "memory", "after"):
        expect(f"test_{name} costs nothing but itself",
               seen[f"test_{name}"], sorted(seen))
    for name in ("loop", "clock", "thread"):
        expect(f"of test_{name} nothing is kept", not seen[f"test_{name}"])
    expect("chance that a seed governs is kept, other is not",
           len(seen["test_random"]) == 1, seen["test_random"])
    expect("what is unstable is counted",
           json.loads(done.stdout)["unstable"] >= 2, done.stdout)
    expect("a trace function that the test sets does not hinder",
           len(seen["test_settrace"]) == 2)
    labels = {name: seen[f"test_{name}"][0]["label"]
              for name in ("before", "exit", "kill", "write")
              if seen[f"test_{name}"]}
    expect("outcomes are labels",
           labels == {"before": "passed", "exit": "crashed",
                      "kill": "crashed", "write": "failed"}, labels)
    after = sorted(str(path) for path in hostile.rglob("*"))
    expect("nothing was written", before == after, set(after) - set(before))


def check_checkout(cwm, shop, folder):
    """A git checkout with a virtual environment of its own."""
    checkout = folder / "git" / "shop"
    shutil.copytree(shop, checkout)
    version = run(PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info"
                  "[:2])").stdout.strip()
    for words in (["init", "-q"], ["add", "."],
                  ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q",
                   "-m", "a"]):
        run("git", "-C", checkout, *words)
    commit = run("git", "-C", checkout, "rev-parse", "HEAD").stdout.strip()
    done = run(PYTHON, "-m", "venv", "--without-pip", "--system-site-packages",
               checkout / ".venv")
    packages = checkout / ".venv" / "lib" / f"python{version}" / "site-packages"
    if done.returncode != 0:  # python3-venv is another package
        packages.mkdir(parents=True)
        (checkout / ".venv" / "bin").mkdir()
        (checkout / ".venv" / "bin" / "python").symlink_to(PYTHON)
        (checkout / ".venv" / "pyvenv.cfg").write_text(
            "home = /usr/bin\ninclude-system-site-packages = true\n",
            encoding="utf-8")
    (packages / "helper_of_venv.py").write_text(
        "def twice(x):\n    return 2 * x\n", encoding="utf-8")
    evidence = folder / "evidence"
    (packages / "evil.pth").write_text(
        f"import os; os.environ['EVIL'] = '1'; open({str(evidence)!r}, 'w')\n",
        encoding="utf-8")
    (checkout / "shop" / "uses.py").write_text(
        "import os\n\nfrom helper_of_venv import twice\n\n\n"
        "def four():\n    return twice(2), os.environ.get('EVIL')\n",
        encoding="utf-8")
    (checkout / "tests" / "test_uses.py").write_text(
        "from shop import uses\n\n\ndef test_four():\n    uses.four()\n",
        encoding="utf-8")
    cwm.build("git.db", f"pytest:{checkout}", "--tests", "*test_uses*")
    rows = cwm.traces("git.db")
    expect("the environment's packages are seen",
           [row["result"] for row in rows] == ["(4, '1')"], rows)
    expect("the commit is noted", rows and rows[0]["commit"] == commit, rows)
    expect("code of the environment runs in the jail alone",
           not evidence.exists())
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.write_text(f"#!/bin/sh\ntouch {evidence}\n", encoding="utf-8")
    python.chmod(0o755)
    done = cwm.dataset("build", "no.db", f"pytest:{checkout}")
    expect("an interpreter in the repository is not run",
           done.returncode == 2 and "no interpreter of this machine" in
           done.stderr and not evidence.exists(), done.stderr)


def check_useless(cwm, folder):
    """Repositories that cannot be used are named with the reason."""
    def attempt(name, files, pattern, status=0):
        repository = folder / "useless" / name
        for path, text in files.items():
            (repository / path).parent.mkdir(parents=True, exist_ok=True)
            (repository / path).write_text(text, encoding="utf-8")
        done = cwm.dataset("build", f"{name}.db", f"pytest:{repository}")
        expect(f"{name}: {pattern}", done.returncode == status
               and re.search(pattern, done.stderr), done.stderr)

    test = "def test_a():\n    pass\n"
    attempt("empty", {"a.py": "x = 1\n"}, "no tests were found")
    attempt("untraced", {"test_a.py": test}, r"no episode came of its 1 tests")
    attempt("conftest", {"conftest.py": "import nothing_there\n",
                         "test_a.py": test},
            "cannot be collected: .*nothing_there")
    attempt("broken", {"test_a.py": "def test_a(:\n", "f.py":
                       "def f():\n    return 1\n", "test_b.py":
                       "import f\n\n\ndef test_b():\n    f.f()\n"},
            "(?s)test_a.py: cannot be collected.*1 programs, 1 traces")
    attempt("ends", {"test_a.py": "import os\nos._exit(1)\n", "f.py":
                     "def f():\n    return 1\n", "test_b.py":
                     "import f\n\n\ndef test_b():\n    f.f()\n"},
            "(?s)test_a.py: collecting ends the process.*1 programs, 1 traces")
    attempt("nopytest", {
        "test_a.py": test, ".venv/pyvenv.cfg":
        "home = /usr/bin\ninclude-system-site-packages = false\n",
        ".venv/lib/python3.1/site-packages/_pytest/__init__.py": ""},
        "leads nowhere", 2)
    (folder / "useless/nopytest/.venv/bin").mkdir()
    (folder / "useless/nopytest/.venv/bin/python").symlink_to(PYTHON)
    attempt("nopytest", {}, "no pytest: install it")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True)
    options = parser.parse_args()
    if run(PYTHON, "-c", "import pytest").returncode != 0:
        print("there is no pytest (Debian: python3-pytest)")
        return 1 if os.environ.get("CWM_MUST_WORK") == "1" else 77
    with tempfile.TemporaryDirectory(prefix="cwm-suites-") as name:
        folder = pathlib.Path(name)
        cwm = Cwm(os.path.abspath(options.cwm), folder)
        shop = folder / "shop"
        shutil.copytree(SUITES / "shop", shop)
        check_shop(cwm, shop)
        check_settings(cwm, shop)
        check_same(cwm, shop, folder)
        check_again(cwm, shop, folder)
        check_hostile(cwm, folder)
        check_checkout(cwm, shop, folder)
        check_useless(cwm, folder)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
