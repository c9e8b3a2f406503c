#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""generate_command.py --cwm PROGRAM -- `cwm train --generate`.

The weights must be the same bytes with one worker and with three, straight
through and in two pieces, and when workers are killed on the way.  What cannot
be done is told in one line.
"""
import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
from command_test import CommandTest

PROGRAMS = {"plain": 2, "max_phases": 1, "max_depth": 2, "max_items": 3,
            "max_number": 9, "n_inputs": 2, "exception_permille": 0,
            "weights": {"accumulate": 1, "straight": 1}}
SIZE = ["--layers", "1", "--width", "32", "--heads", "2", "--kv-heads", "2",
        "--ffn", "48", "--rows", "2", "--row-tokens", "768", "--packing",
        "whole", "--max-tokens", "600", "--threads", "1", "--seed", "3",
        "--held-out", "12", "--steps", "12", "--judge-every", "0"]


class Test(CommandTest):
    def words(self, run, *more):
        return ["train", "--generate", "--programs", "programs.json",
                "--tokenizer", "tok.json", "-o", run, *SIZE, *more]

    def weights(self, run):
        return (self.folder / run / "last/model.safetensors").read_bytes()

    def prepare(self):
        (self.folder / "programs.json").write_text(json.dumps(PROGRAMS))
        text = "def f(values):\n    total = 0\n    for i in values:\n"
        (self.folder / "texts.jsonl").write_text(
            (json.dumps({"text": text}) + "\n") * 20)
        self.run("tokenizer", "train", "texts.jsonl", "--vocab-size", 300,
                 "-o", "tok.json")

    def learns_the_same_by_any_workers(self):
        done = self.run(*self.words("one", "--workers", "1", "--json",
                                    "--judge-traces", "2"))
        made = json.loads(done.stdout)["generated"]
        self.check(f"what was made: {made}", made["traces"] > 0 and
                   made["failed"] == 0 and made["held_out_traces"] > 0)
        self.check("held-out programs are not told", "held out: 12 programs"
                   in done.stderr, done.stderr)
        self.run(*self.words("three", "--workers", "3"))
        self.check("three workers: other weights",
                   self.weights("one") == self.weights("three"))

    def goes_on(self):
        """Stopped by a signal, gone on with by another number of workers."""
        process = subprocess.Popen(
            [self.cwm, *self.words("pieces", "--workers", "2")],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        self.wait_for_steps(process, "pieces", 3)
        process.send_signal(signal.SIGINT)
        _, talk = process.communicate(timeout=60)
        self.check(f"stopped: exit code {process.returncode}",
                   process.returncode == 130, talk)
        done = self.run(*self.words("pieces", "--workers", "1"))
        self.check("no word of the count", "from number " in done.stderr,
                   done.stderr)
        self.check("in pieces: other weights",
                   self.weights("one") == self.weights("pieces"))
        done = self.run(*self.words("pieces", "--workers", "1",
                                    "--held-out", "13"), code=2)
        self.check("other programs: no word", "made by other settings"
                   in done.stderr, done.stderr)

    def wait_for_steps(self, process, run, n):
        log = self.folder / run / "log.jsonl"
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            if log.exists() and log.read_text().count("\n") >= n:
                return
            time.sleep(0.002)

    def survives_killed_workers(self):
        process = subprocess.Popen(
            [self.cwm, *self.words("killed", "--workers", "2")],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        self.wait_for_steps(process, "killed", 1)
        for child in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                head, tail = child.read_text().rsplit(")", 1)
            except OSError:
                continue
            if int(tail.split()[1]) == process.pid and "worker" in head:
                os.kill(int(child.parent.name), signal.SIGKILL)
        _, talk = process.communicate(timeout=120)
        self.check(f"killed: exit code {process.returncode}",
                   process.returncode == 0, talk)
        self.check("workers killed: other weights",
                   self.weights("one") == self.weights("killed"))

    def refuses(self):
        for words, want in [
                (self.words("x", "shards"), "one source too many"),
                (self.words("x", "--held-out", "0", "--judge-traces", "2"),
                 "--held-out is 0"),
                (self.words("x", "--allow-missing", "roof"), "no wall 'roof'"),
                (["train", "shards", "--programs", "programs.json",
                  "--tokenizer", "tok.json", "-o", "x"], "--generate")]:
            done = self.run(*words, code=2)
            self.check(f"{words}: another message", want in done.stderr,
                       done.stderr)
        (self.folder / "programs.json").write_text('{"plain": 3}')
        done = self.run(*self.words("x"), code=2)
        self.check("no file is named", "programs.json: 'plain' is 3"
                   in done.stderr, done.stderr)
        (self.folder / "programs.json").write_text(json.dumps(PROGRAMS))
        done = self.run(*self.words("y", "--max-tokens", "20"), code=2)
        self.check("nothing fits: another message",
                   "no document fits" in done.stderr, done.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cwm-generate-") as name:
        test = Test(options.cwm.resolve(), pathlib.Path(name))
        test.prepare()
        test.learns_the_same_by_any_workers()
        test.goes_on()
        test.survives_killed_workers()
        test.refuses()
    return 1 if test.bad else 0


if __name__ == "__main__":
    sys.exit(main())
