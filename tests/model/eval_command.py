#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""eval_command.py --cwm PROGRAM TOKENIZER -- `cwm eval --model-dir`.

A small checkpoint of random weights answers: nonsense, but every question
counts.  Asked again nothing is generated, what is drawn depends neither on the
batch nor on what else is asked, a kill loses only what is under way, and what
cannot be asked is refused by name.  Exits 77 where the tokenizer is not there.
"""
import argparse
import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

import predict_command

CRUX = [
    {"id": "s_0", "code": "def f(x):\n    return x * 2", "input": "2",
     "output": "4"},
    # what looks like a token is text in a program
    {"id": "s_1", "code": "def f(x):\n    # <|frame_sep|> <|call_sep|>\n"
     "    return [x]", "input": "'a'", "output": "['a']"},
    {"id": "s_2", "code": "def f(x):\n    s = ''\n    for i in range(x):\n"
     "        s += 'y'\n    return s", "input": "2", "output": "'yy'"},
]
TASKS = [
    {"task_id": "T/0", "prompt": "def double(x):\n", "entry_point": "double",
     "canonical_solution": "    return 2 * x\n",
     "test": "def check(candidate):\n    assert candidate(3) == 6\n"},
    {"task_id": "T/1", "prompt": "def half(x):\n", "entry_point": "half",
     "canonical_solution": "    return x / 2\n",
     "test": "def check(candidate):\n    assert candidate(4) == 2\n"},
]
MBPP = [{"task_id": 7, "text": "Write a function that adds one.",
         "code": "def inc(x):\n    return x + 1",
         "test_list": ["assert inc(1) == 2", "assert inc(2) == 3"],
         "test_setup_code": "", "challenge_test_list": []}]


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records)


class Test:
    def __init__(self, cwm, folder):
        self.cwm, self.folder, self.n_bad = cwm.resolve(), folder, 0
        for name, records in (("crux", CRUX), ("tasks", TASKS),
                              ("mbpp", MBPP)):
            (folder / (name + ".jsonl")).write_text(lines(records))

    def same(self, what, got, want):
        if got != want:
            print(f"{what}: {got!r}, not {want!r}")
            self.n_bad += 1

    def words(self, verb, problems, *options):
        return [self.cwm, "eval", verb, "--problems", problems + ".jsonl",
                "--json", "--model-dir", "m", "--max-tokens", "60",
                "--timeout-ms", "500", *options]

    def ask(self, *words):
        done = subprocess.run(self.words(*words), cwd=self.folder, text=True,
                              capture_output=True)
        if done.returncode != 0:
            print(words, done.returncode, done.stderr)
            self.n_bad += 1
            return {}
        return json.loads(done.stdout)

    def refuses(self, message, *words, want=2):
        done = subprocess.run(self.words(*words), cwd=self.folder, text=True,
                              capture_output=True)
        self.same(f"{words}: exit status", done.returncode, want)
        if message not in done.stderr:
            self.same(f"{words}: message", done.stderr, message)

    def answers(self, name):
        """{request: texts} of a file of answers."""
        with sqlite3.connect(self.folder / name) as db:
            rows = db.execute("SELECT request, body FROM answers").fetchall()
        return {request: [c["text"] for c in json.loads(body)["choices"]]
                for request, body in rows}

    def counts_all(self):
        kinds = (("cruxeval", "crux", "--mode", "output"),
                 ("cruxeval", "crux", "--mode", "input"),
                 ("cruxeval", "crux", "--mode", "output", "--style", "trace"),
                 ("passk", "tasks"), ("passk", "mbpp"))
        for i, words in enumerate(kinds):
            words = (*words, "--n", "3", "--answers", f"a{i}.db")
            n = {"crux": 3, "tasks": 2, "mbpp": 1}[words[1]]
            first, again = self.ask(*words), self.ask(*words)
            self.same(f"{words}: samples", first["samples"], 3 * n)
            self.same(f"{words}: all have an outcome",
                      sum(first["outcomes"].values()), 3 * n)
            self.same(f"{words}: none is right", first["pass@1"], 0)
            self.same(f"{words}: requests", first["requests"],
                      {"answered": n})
            self.same(f"{words}: made", first["tries"], n)
            self.same(f"{words}: made again", again["tries"], 0)
            self.same(f"{words}: kept", again["from_store"], n)
            self.same(f"{words}: outcomes again", again["outcomes"],
                      first["outcomes"])
            self.same(f"{words}: no answers again", again["no_answer"],
                      first["no_answer"])

    def foresees(self):
        """bestk's candidates and the tests' outcomes, both from the model."""
        (self.folder / "tests.jsonl").write_text(lines(
            [{"task_id": "T/0", "test": f"assert double({i}) == {2 * i}"}
             for i in range(3)]))
        (self.folder / "samples.jsonl").write_text(lines(
            [{"task_id": "T/0", "completion": "    return x + x\n"},
             {"task_id": "T/0", "completion": "    return x * x\n"}]))
        words = ("bestk", "tasks", "--tests", "tests.jsonl", "--selectors",
                 "random,predict", "--answers", "f.db", "--k", "1")
        files = (*words, "--samples", "samples.jsonl")
        first, again = self.ask(*files), self.ask(*files)
        got = first["foreseen"]
        self.same("outcomes foreseen", got["n"], 6)
        self.same("outcomes told", got["nothing"] + sum(
            got[k] for k in got if k.startswith(("holds_", "fails_"))), 6)
        self.same("tokens of foresight", got["tokens"] > 0, True)
        self.same("CPU time of foresight", got["cpu_seconds"] > 0, True)
        self.same("foreseen again", again["foreseen"], got)
        self.same("foreseen anew", (first["foresight_tries"],
                                    again["foresight_tries"],
                                    again["foresight_from_store"]), (6, 0, 6))
        cost = first["selectors"]["predict"]["cost@1"]
        self.same("what it costs", abs(cost["cpu_seconds"] -
                                       got["cpu_seconds"] / 4) < 1e-3, True)
        self.same("candidates of the model", self.ask(
            *words, "--n", "3")["candidates"], 6)

    def depends_on_nothing_else(self):
        words = ("cruxeval", "crux", "--mode", "output", "--style", "trace",
                 "--n", "4", "--temperature", "1", "--top-p", "1")
        self.ask(*words, "--answers", "one.db", "--parallel", "1")
        self.ask(*words, "--answers", "many.db", "--parallel", "16")
        one = self.answers("one.db")
        self.same("answers by other batches", self.answers("many.db"), one)
        (self.folder / "last.jsonl").write_text(lines(CRUX[2:]))
        self.ask("cruxeval", "last", *words[2:], "--answers", "last.db")
        for request, texts in self.answers("last.db").items():
            self.same("the answer when nothing else is asked", texts,
                      one.get(request))
        texts = [text for four in one.values() for text in four]
        self.same("samples that differ", len(set(texts)) > len(one), True)
        self.ask(*words, "--answers", "seed.db", "--seed", "1")
        self.same("answers by another seed",
                  sorted(self.answers("seed.db").values()) ==
                  sorted(one.values()), False)

    def other_weights_are_another_model(self):
        words = ("passk", "tasks", "--answers", "w.db")
        self.ask(*words)
        path = self.folder / "m/model.safetensors"
        weights = bytearray(path.read_bytes())
        weights[-2] ^= 1
        path.write_bytes(weights)
        self.same("answers of other weights", self.ask(*words)["tries"], 2)
        self.same("answers without the grammar",
                  self.ask(*words, "--no-grammar")["tries"], 2)
        self.same("answers in bf16",
                  self.ask(*words, "--type", "bf16")["tries"], 2)

    def goes_on_after_a_kill(self):
        many = [dict(CRUX[2], id=f"k_{i}", input=str(i)) for i in range(60)]
        (self.folder / "many.jsonl").write_text(lines(many))
        words = self.words("cruxeval", "many", "--mode", "output", "--answers",
                           "k.db", "--parallel", "2")
        words[words.index("--max-tokens") + 1] = "400"
        killed = subprocess.Popen(words, cwd=self.folder,
                                  stdout=subprocess.DEVNULL)
        end = time.monotonic() + 60
        n = 0
        while n < 3 and killed.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
            try:
                n = len(self.answers("k.db"))
            except sqlite3.OperationalError:
                n = 0  # not there yet
        killed.kill()
        killed.wait()
        n = len(self.answers("k.db"))
        done = subprocess.run(words, cwd=self.folder, capture_output=True,
                              text=True)
        got = json.loads(done.stdout)
        self.same("kept before the kill", got["from_store"], n)
        self.same("made behind it", got["tries"], 60 - n)
        self.same("a kill in the middle", 0 < n < 60, True)

    def refuses_by_name(self):
        crux = ("cruxeval", "crux", "--mode", "output")
        self.refuses("--mode output or --mode input is missing",
                     "cruxeval", "crux")
        self.refuses("cannot both be asked", *crux, "--endpoint",
                     "http://127.0.0.1:1/v1")
        self.refuses("--chat is for endpoints", *crux, "--chat")
        self.refuses("cannot ask for an input by trace", "cruxeval", "crux",
                     "--mode", "input", "--style", "trace")
        self.refuses("could not open 'none'", *crux, "--model-dir", "none")
        (self.folder / "empty").mkdir()
        self.refuses("there is no model in 'empty'", *crux, "--model-dir",
                     "empty")
        shutil.copy(self.folder / "m/config.json", self.folder / "empty")
        self.refuses("there is no tokenizer.json", *crux, "--model-dir",
                     "empty")
        self.refuses("model.safetensors", *crux, "--model-dir", "empty",
                     "--tokenizer", "m/tokenizer.json", want=3)
        self.refuses("holds something else than a model's answers", *crux,
                     "--answers", "other.db")
        self.refuses("does not say what its task is", "passk", "crux")

    def counts_what_is_too_long(self):
        long = dict(CRUX[0], id="long", code=CRUX[0]["code"] +
                    "\n# much text" * predict_command.CONTEXT)
        (self.folder / "long.jsonl").write_text(lines([long, CRUX[0]]))
        got = self.ask("cruxeval", "long", "--mode", "output")
        self.same("a prompt that is too long", got["requests"],
                  {"answered": 1, "refused": 1})
        self.same("its samples", got["missing_answers"], 1)
        self.same("all samples", got["samples"], 2)
        # a budget that the context cannot hold is what is left of it
        words = ("cruxeval", "crux", "--mode", "output", "--style", "trace")
        self.same("out of budget", self.ask(*words, "--max-tokens", "0")
                  ["requests"], {"answered": 3})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    parser.add_argument("tokenizer", type=pathlib.Path)
    options = parser.parse_args()
    if not options.tokenizer.exists():
        print(f"SKIPPED: there is no tokenizer at '{options.tokenizer}'")
        return 77
    with tempfile.TemporaryDirectory(prefix="cwm-eval-") as name:
        folder = pathlib.Path(name)
        (folder / "m").mkdir()
        predict_command.write_checkpoint(
            folder / "m", predict_command.n_words_of(options.tokenizer))
        shutil.copy(options.tokenizer, folder / "m/tokenizer.json")
        with sqlite3.connect(folder / "other.db") as db:
            db.execute("CREATE TABLE t (x)")
        test = Test(options.cwm, folder)
        test.counts_all()
        test.foresees()
        test.depends_on_nothing_else()
        test.other_weights_are_another_model()
        test.goes_on_after_a_kill()
        test.refuses_by_name()
        test.counts_what_is_too_long()
        return test.n_bad > 0


if __name__ == "__main__":
    sys.exit(main())
