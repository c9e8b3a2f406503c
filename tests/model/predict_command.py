#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""predict_command.py --cwm PROGRAM --grammar CHECK TOKENIZER -- `cwm predict`.

A small checkpoint of random weights for TOKENIZER's words predicts traces of a
small program: nonsense, but within the grammar.  With and without shortcuts
it must be the same text, the grammar's own test must accept what came out,
`cwm verify` must be able to read it, and --compare must tell the difference.
Exits 77 where the tokenizer is not there.
"""
import argparse
import array
import json
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile

WIDTH, HEADS, FFN, LAYERS, CONTEXT = 32, 2, 48, 2, 2048
PROGRAM = '''"""A loop and a call."""


def twice(n):
    return 2 * n


def total(xs):
    s = 0
    for x in xs:
        s += twice(x)
    return s
'''


def write_checkpoint(folder, n_words):
    """Random weights, as Hugging Face lays them out."""
    shapes = {"model.embed_tokens.weight": [n_words, WIDTH],
              "model.norm.weight": [WIDTH]}
    for i in range(LAYERS):
        name = f"model.layers.{i}."
        for part in "qkvo":
            shapes[f"{name}self_attn.{part}_proj.weight"] = [WIDTH, WIDTH]
        shapes[name + "mlp.gate_proj.weight"] = [FFN, WIDTH]
        shapes[name + "mlp.up_proj.weight"] = [FFN, WIDTH]
        shapes[name + "mlp.down_proj.weight"] = [WIDTH, FFN]
        shapes[name + "input_layernorm.weight"] = [WIDTH]
        shapes[name + "post_attention_layernorm.weight"] = [WIDTH]
    source = random.Random(5)
    header, values = {}, array.array("f")
    for name, shape in shapes.items():
        begin = 4 * len(values)
        n = shape[0] * (shape[1] if len(shape) > 1 else 1)
        values.extend(source.gauss(0, 0.2) + (len(shape) == 1)
                      for _ in range(n))
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [begin, 4 * len(values)]}
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(
        struct.pack("<Q", len(text)) + text + values.tobytes())
    (folder / "config.json").write_text(json.dumps({
        "model_type": "cwm", "hidden_size": WIDTH, "intermediate_size": FFN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS, "head_dim": WIDTH // HEADS,
        "vocab_size": n_words, "max_position_embeddings": CONTEXT,
        "sliding_window": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "tie_word_embeddings": True, "hidden_act": "silu",
        "layer_types": ["full_attention", "sliding_attention"],
        "eos_token_id": [0]}))


def n_words_of(tokenizer):
    data = json.loads(tokenizer.read_text())
    ids = list(data["model"]["vocab"].values())
    return max(ids + [t["id"] for t in data["added_tokens"]]) + 1


class Test:
    def __init__(self, options, folder):
        self.cwm, self.grammar = options.cwm.resolve(), options.grammar
        self.tokenizer, self.folder = options.tokenizer, folder
        self.n_bad = 0
        (folder / "program.py").write_text(PROGRAM)

    def bad(self, *words):
        print(*words)
        self.n_bad += 1

    def predict(self, *words, want=0, says=""):
        done = subprocess.run(
            [self.cwm, "predict", self.folder / "program.py", "--model",
             self.folder, "--max-new", "300", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != want:
            self.bad(f"{words}: exit {done.returncode}, not {want}:",
                     done.stderr.decode())
        if says not in done.stderr.decode():
            self.bad(f"{words}: no word of '{says}':", done.stderr.decode())
        return done.stdout.decode()

    def check_forms(self, seed):
        call = ["--entry", "total", "--args", "[1, 2]", "--seed", str(seed)]
        wrapped = [*call, "--wrap-main"]
        for words in (call, wrapped):
            text = self.predict(*words, "--format", "cwm")
            if text != self.predict(*words, "--format", "cwm",
                                    "--no-shortcuts"):
                self.bad("shortcuts change the text")
            record = json.loads(self.predict(*words, "--format", "jsonl"))
            head = text[:text.index("<|frame_sep|>") + len("<|frame_sep|>")]
            if record["prediction"] + "<|end_of_text|>" != text[len(head):] \
                    and record["prediction"] != text[len(head):]:
                self.bad("jsonl has another text than cwm")
            self.check_grammar(head, record["prediction"])
            (self.folder / "pred.jsonl").write_text(json.dumps(record) + "\n")
            done = subprocess.run(
                [self.cwm, "verify", "--predicted",
                 self.folder / "pred.jsonl", "--json"],
                stdout=subprocess.PIPE)
            if done.returncode != 0:
                self.bad("verify cannot read the prediction")
            if not self.predict(*words):
                self.bad("nothing is shown")
            side = self.predict(*words, "--compare", want=1)
            if "predicted" not in side or "≠" not in side:
                self.bad("no first difference is marked:", side)
        if '"xs": "[1, 2]"' not in self.predict(*call, "--format", "cwm"):
            self.bad("the call's frame was not given")

    def check_grammar(self, head, prediction):
        """The frames that are whole are a true trace's, cut off."""
        at = prediction.rfind("<|frame_sep|>") + len("<|frame_sep|>")
        start = len("<|begin_of_text|><|trace_context_start|>")
        context = head[start:-len("<|frame_sep|>")]
        (self.folder / "trace.jsonl").write_text(json.dumps(
            {"id": "predicted", "entry": "x", "context": context,
             "text": prediction[:at]}) + "\n")
        done = subprocess.run([self.grammar, self.tokenizer,
                               self.folder / "trace.jsonl"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            self.bad("the grammar refuses it:", done.stdout.decode())

    def check_errors(self):
        self.predict("--entry", "none", want=2)
        self.predict("--entry", "total", "--args", "][", want=2)
        self.predict("--entry", "total", "--args", "1, 2, 3", want=2,
                     says="TypeError: total() takes 1 positional argument")
        self.predict("--entry", "total", "--tokenizer",
                     str(self.folder / "config.json"), want=3)
        (self.folder / "program.py").write_text("def total(:\n    pass\n")
        self.predict("--entry", "total", "--args", "1", want=2,
                     says="SyntaxError: invalid syntax")
        (self.folder / "program.py").write_text(
            PROGRAM + "# much text\n" * CONTEXT)
        self.predict("--entry", "total", want=2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    parser.add_argument("--grammar", required=True, type=pathlib.Path)
    parser.add_argument("tokenizer", type=pathlib.Path)
    options = parser.parse_args()
    if not options.tokenizer.exists():
        print(f"SKIPPED: there is no tokenizer at '{options.tokenizer}'")
        return 77
    with tempfile.TemporaryDirectory(prefix="cwm-predict-") as name:
        folder = pathlib.Path(name)
        write_checkpoint(folder, n_words_of(options.tokenizer))
        shutil.copy(options.tokenizer, folder / "tokenizer.json")
        test = Test(options, folder)
        for seed in range(3):
            test.check_forms(seed)
        test.check_errors()
    print(f"{test.n_bad} not as meant")
    return 1 if test.n_bad else 0


if __name__ == "__main__":
    sys.exit(main())
