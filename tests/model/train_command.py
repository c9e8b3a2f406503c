#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""train_command.py --cwm PROGRAM -- `cwm train` from traces to a checkpoint.

Records of traces are made by hand (no interpreter is needed), packed, and
learned from: once straight through, once stopped half-way by a signal and once
by the clock; the weights must be the same bytes.  What cannot be done is told
in one line and leaves the state as it was.
"""
import argparse
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
from command_test import CommandTest

SIZE = ["--layers", "2", "--width", "32", "--heads", "4", "--kv-heads", "2",
        "--ffn", "48", "--rows", "4", "--row-tokens", "64", "--threads", "2",
        "--warmup-steps", "5", "--rate", "5e-3", "--accumulate", "2"]


def record(number):
    """One trace, as `cwm trace --jobs` writes it: s = n, then n added."""
    n = number % 50
    source = ["def f(n):\n", "    s = n\n", "    s = s + n\n",
              "    return s\n"]
    frames = []
    for line, (values, arg) in enumerate(
            [({"n": str(n)}, None), ({"n": ".."}, None),
             ({"n": "..", "s": str(n)}, None),
             ({"n": "..", "s": str(2 * n)}, None)], 1):
        frames.append({"event": "call" if line == 1 else "line", "line": line,
                       "depth": 0, "function": "f", "locals": values,
                       "source": source[line - 1], "arg": arg})
    frames.append({"event": "return", "line": 4, "depth": 0, "function": "f",
                   "locals": None, "source": source[3], "arg": str(2 * n)})
    context = source[0][:-1] + "  # << START_OF_TRACE\n" + "".join(source[1:])
    return {"id": str(number), "verdict": "ok", "detail": None,
            "python": "3.11.2", "entry": "f", "context": context + f"# {number}"
            "\n", "frames": frames}


class Test(CommandTest):
    def train(self, run, *words, code=0, steps=40, kind="bf16"):
        return self.run("train", "shards", "--tokenizer", "tok.json", "-o",
                        run, "--steps", steps, "--type", kind, *SIZE, *words,
                        code=code)

    def weights(self, run):
        return [(self.folder / run / "last" / name).read_bytes()
                for name in ("model.safetensors", "moments1.safetensors",
                             "moments2.safetensors")]

    def make_shards(self):
        records = [record(n) for n in range(200)]
        (self.folder / "traces.jsonl").write_text(
            "".join(json.dumps(r) + "\n" for r in records))
        texts = [{"text": r["context"]} for r in records]
        texts += [{"text": json.dumps(f["locals"]) + f["source"]}
                  for r in records for f in r["frames"]]
        (self.folder / "texts.jsonl").write_text(
            "".join(json.dumps(t) + "\n" for t in texts))
        self.run("tokenizer", "train", "texts.jsonl", "--vocab-size", 300,
                 "-o", "tok.json")
        self.run("tokenizer", "train", "texts.jsonl", "--vocab-size", 280,
                 "-o", "other.json")
        self.run("pack", "traces.jsonl", "--tokenizer", "tok.json", "-o",
                 "shards", "--held-out", "0.2")

    def learns(self):
        done = self.train("straight", "--json")
        result = json.loads(done.stdout)
        self.check(f"not finished: {result}", result["finished"])
        self.check(f"nothing learned: {result}", result["held_out_loss"] < 3.0)
        log = [json.loads(line) for line in
               (self.folder / "straight/log.jsonl").read_text().splitlines()]
        steps = [line for line in log if "loss" in line]
        self.check(f"{len(steps)} steps in the log", len(steps) == 40)
        self.check("the loss did not fall",
                   steps[-1]["loss"] < steps[0]["loss"] - 1)
        self.check("no judgement in the log",
                   any("held_out_loss" in line for line in log))
        again = self.train("straight")
        self.check("it went on behind its end", "step           40 of 40" in
                   again.stdout, again.stdout)
        info = json.loads(self.run("model", "info", "straight/last",
                                   "--json").stdout)
        self.check(f"info: {info}", info["layers"] == 2 and
                   info["context"] == 64)

    def goes_on_when_stopped(self):
        process = subprocess.Popen(
            [self.cwm, "train", "shards", "--tokenizer", "tok.json", "-o",
             "stopped", "--steps", "40", *SIZE], cwd=self.folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        log = self.folder / "stopped/log.jsonl"
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            if log.exists() and log.read_text().count("\n") >= 3:
                process.send_signal(signal.SIGINT)
                break
            time.sleep(0.005)
        _, talk = process.communicate(timeout=60)
        self.check(f"exit code {process.returncode}, not 130",
                   process.returncode == 130, talk)
        self.check("it does not say where it stopped",
                   "stopped behind step" in talk and "of 40, which is saved"
                   in talk, talk)
        self.train("stopped")
        self.check("stopped and gone on: other weights",
                   self.weights("stopped") == self.weights("straight"))

    def goes_on_in_pieces(self):
        for _ in range(400):
            done = self.train("pieces", "--max-seconds", 1, "--json",
                              steps=300)
            if json.loads(done.stdout)["finished"]:
                break
        self.train("whole", steps=300)
        self.check("in pieces: other weights",
                   self.weights("pieces") == self.weights("whole"))

    def predicts_held_out_traces(self):
        """Now and then, and what is learned stays the same."""
        done = self.train("judged", "--context", 512, "--judge-traces", 6,
                          "--judge-every", 20, "--json")
        result = json.loads(done.stdout)["traces"]
        log = [json.loads(line) for line in
               (self.folder / "judged/log.jsonl").read_text().splitlines()]
        judged = [line for line in log if "traces" in line]
        self.check(f"judged at {judged}", [line["step"] for line in judged]
                   == [20, 40])
        self.check(f"another result than in the log: {result}",
                   judged[-1]["traces"] == result)
        self.check(f"not all were predicted: {result}",
                   result["wanted"] == result["predicted"] == 6)
        for name in ("trace_exact_match", "state_exact_match",
                     "action_exact_match", "output_pass_at_1"):
            self.check(f"{name}: {result}", 0 <= result[name] <= 1)
        # the grammar leaves few lines, and the call's own is given
        self.check(f"no action is right: {result}",
                   result["action_exact_match"] > 0.19)
        self.check("the terminal is not told", "of 6 held-out traces"
                   in done.stderr, done.stderr)
        self.check("judging changed the weights",
                   self.weights("judged") == self.weights("straight"))
        done = self.train("tight", "--judge-traces", 6, code=2)
        self.check("no trace fits: another message",
                   "there is no held-out trace" in done.stderr, done.stderr)

    def begins_with_a_checkpoint(self):
        done = self.train("further", "--init", "straight/last", "--json",
                          steps=10)
        loss = json.loads(done.stdout)["loss"]
        self.check(f"--init forgot what was learned: {loss}", loss < 3.0)
        done = self.train("wider", "--init", "straight/last", "--ffn", "999",
                          code=2)
        self.check("another shape than --init's is not named",
                   "--ffn is 999" in done.stderr, done.stderr)

    def refuses(self):
        before = self.weights("straight")
        for words, code, want in [
                (["--rate", "7e-3"], 2, "the run there has 'rate=0.005'"),
                (["--rope-theta", "1"], 2, "--rope-theta is a number"),
                (["--rate", "fast"], 2, "--rate is a number"),
                (["--heads", "5"], 2, "cannot make a model of width 32"),
                (["--heads", "1"], 2, "--heads and --kv-heads choose them"),
                (["--context", "32"], 2, "with a context of 32"),
                (["--tokenizer", "other.json"], 3, "tokenizer")]:
            done = self.train("straight", *words, code=code)
            self.check(f"{words}: another message", want in done.stderr,
                       done.stderr)
        done = self.train("new", "--rate", "10", "--decay", "10", code=3)
        self.check("no word about what happened",
                   "cannot go on at step" in done.stderr, done.stderr)
        path = self.folder / "straight/last/moments1.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
        done = self.train("straight", code=3)
        self.check("a cut state is not named", "moments1.safetensors" in
                   done.stderr, done.stderr)
        self.check("refusing changed the weights",
                   self.weights("straight")[0] == before[0])
        self.run("train", "shards", code=2)
        self.run("train", "nowhere", "--tokenizer", "tok.json", "-o", "x",
                 code=2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cwm-train-") as name:
        test = Test(options.cwm.resolve(), pathlib.Path(name))
        test.make_shards()
        test.learns()
        test.goes_on_when_stopped()
        test.goes_on_in_pieces()
        test.predicts_held_out_traces()
        test.begins_with_a_checkpoint()
        test.refuses()
    return 1 if test.bad else 0


if __name__ == "__main__":
    sys.exit(main())
