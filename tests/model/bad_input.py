#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bad_input.py --cwm PROGRAM -- what cannot be used is named, nothing is lost.

Checkpoints that are cut, hold no numbers or another vocabulary; prompts and
programs that are longer than the model; a disk without room, also in the
middle of a run's checkpoint: each ends with its exit code and a message that
says what it is about.
"""
import argparse
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

import predict_command
import train_command

N_WORDS = 300
TRAIN = ["train", "shards", "--tokenizer", "tok.json"]


class Test(train_command.Test):
    def without_room(self, n_bytes, *words):
        """As on a disk that is full behind n_bytes of a file."""
        done = subprocess.run(
            ["sh", "-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"",
             str(n_bytes // 512), self.cwm, *map(str, words)],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            check=False, text=True)
        self.check(f"without room: exit code {done.returncode}",
                   done.returncode == 3, done.stderr)
        return done

    def expect(self, code, want, *words):
        done = self.run(*words, code=code)
        self.check(f"{words}: no word of '{want}'", want in done.stderr,
                   done.stderr)

    def variant(self, config=None, weights=None):
        """The checkpoint with another config or other weights."""
        folder = self.folder / "variant"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder / "m", folder)
        if config:
            path = folder / "config.json"
            path.write_text(json.dumps(dict(json.loads(path.read_text()),
                                            **config)))
        if weights is not None:
            (folder / "model.safetensors").write_bytes(weights)
        return folder

    def checkpoints(self):
        predict_command.write_checkpoint(self.folder / "m", N_WORDS)
        data = (self.folder / "m/model.safetensors").read_bytes()
        go = ["--ids", "ids.json", "--max-new", 3]
        (self.folder / "ids.json").write_text("[[1, 2, 3]]")
        self.run("model", "generate", "m", *go)
        for cut, want in ((0, "it is no safetensors file"),
                          (7, "it is no safetensors file"),
                          (100, "its header has"),
                          (len(data) // 2, "was the file cut?"),
                          (len(data) - 1, "was the file cut?")):
            folder = self.variant(weights=data[:cut])
            self.expect(3, want, "model", "generate", folder, *go)
        for bad in (float("nan"), float("inf")):
            folder = self.variant(
                weights=data[:-400] + struct.pack("<f", bad) + data[-396:])
            self.expect(3, "is not finite", "model", "generate", folder, *go)
            self.expect(3, "is not finite", "model", "logits", folder, "--ids",
                        "ids.json", "-o", "out.f32")
            self.expect(3, "is not finite", *TRAIN, "-o", "x", "--init",
                        folder, "--steps", 1, "--row-tokens", 64)
        folder = self.variant(config={"vocab_size": N_WORDS - 1})
        self.expect(3, f"the config asks for {N_WORDS - 1} x 32", "model",
                    "info", folder)
        folder = self.variant(config={"num_hidden_layers": 3,
                                      "layer_types": None})
        self.expect(3, "it has no tensor 'model.layers.2.", "model", "info",
                    folder)

    def lengths(self):
        (self.folder / "long.json").write_text(json.dumps([[1] * 2048]))
        (self.folder / "beyond.json").write_text(json.dumps([[N_WORDS]]))
        self.expect(2, "2051 tokens: it was made for 2048", "model",
                    "generate", "m", "--ids", "long.json", "--max-new", 3)
        self.expect(2, f"the id {N_WORDS}", "model", "generate", "m", "--ids",
                    "beyond.json", "--max-new", 3)
        (self.folder / "program.py").write_text(
            predict_command.PROGRAM +
            "".join(f"x{i} = {i}\n" for i in range(2000)))
        shutil.copy(self.folder / "tok.json", self.folder / "m/tokenizer.json")
        call = ["--entry", "total", "--args", "[1, 2]"]
        self.expect(2, "and the model was made for 2048", "predict",
                    "program.py", "--model", "m", *call)
        (self.folder / "small").mkdir()
        predict_command.write_checkpoint(self.folder / "small", 200)
        shutil.copy(self.folder / "tok.json", self.folder / "small/tokenizer.json")
        self.expect(3, "and the model has 200 words", "predict", "program.py",
                    "--model", "small", *call)
        self.expect(2, "it has 200 words", *TRAIN, "-o", "x", "--init",
                    "small", "--steps", 1, "--row-tokens", 64)

    def devices(self):
        self.expect(2, "cannot compute in fp8 on a CPU", *TRAIN, "-o", "x8",
                    "--steps", 1, "--row-tokens", 64, "--type", "fp8",
                    "--device", "cpu")

    def no_room(self):
        self.expect(3, "could not write '/dev/full'", "model", "logits", "m",
                    "--ids", "ids.json", "-o", "/dev/full")
        go = ["--max-seconds", 1, "--json"]
        step = json.loads(self.train("run", *go, steps=9000).stdout)["step"]
        before = self.weights("run")
        size = (self.folder / "run/last/model.safetensors").stat().st_size
        done = self.without_room(size // 2, *TRAIN, "-o", "run", "--steps",
                                 9000, *go, *train_command.SIZE, "--type",
                                 "bf16")
        self.check("no word of the file that has no room",
                   "could not write" in done.stderr, done.stderr)
        self.check("the last good state is gone",
                   self.weights("run") == before)
        left = sorted(path.name for path in (self.folder / "run").iterdir())
        self.check(f"something is left: {left}",
                   not any("partial" in name or "new" in name
                           for name in left))
        done = self.train("run", *go, steps=9000)
        self.check("it does not go on",
                   json.loads(done.stdout)["step"] > step, done.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cwm-bad-input-") as name:
        test = Test(options.cwm.resolve(), pathlib.Path(name))
        (test.folder / "m").mkdir()
        test.make_shards()
        test.checkpoints()
        test.lengths()
        test.devices()
        test.no_room()
    return 1 if test.bad else 0


if __name__ == "__main__":
    sys.exit(main())
