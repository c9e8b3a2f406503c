#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""loading.py --cwm PROGRAM -- how much memory a checkpoint takes.

A bf16 checkpoint of N bytes in two files is made ready and generates a token,
in each type.  Beside the weights in the type that is computed in (bf16: N,
int8: half of it, fp32: twice) there may be no more than one matrix a second
time, and what does not grow with the model.  Kept in fp32, as it once was,
bf16 would take 3 N.
"""
import argparse
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

LAYERS, WIDTH, FFN, HEADS, WORDS = 6, 1024, 4096, 8, 8192
D_HEAD = WIDTH // HEADS
BLOCK = 1 << 20
# the program, its libraries, activations, the cache; measured: 25 MB
FIXED_BYTES = 48 << 20


def tensors():
    yield "model.embed_tokens.weight", [WORDS, WIDTH]
    for i in range(LAYERS):
        name = f"model.layers.{i}."
        yield name + "input_layernorm.weight", [WIDTH]
        yield name + "mlp.down_proj.weight", [WIDTH, FFN]
        yield name + "mlp.gate_proj.weight", [FFN, WIDTH]
        yield name + "mlp.up_proj.weight", [FFN, WIDTH]
        yield name + "post_attention_layernorm.weight", [WIDTH]
        for part in "koqv":
            yield f"{name}self_attn.{part}_proj.weight", [WIDTH, WIDTH]
    yield "model.norm.weight", [WIDTH]
    yield "lm_head.weight", [WORDS, WIDTH]


def write_file(path, some, values, odd):
    """odd: 1 for values that do not lie as numbers do."""
    header, at = {}, 0
    for name, shape in some:
        n = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": shape,
                        "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8 + odd)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        left = at
        while left > 0:
            f.write(values[:min(left, BLOCK)])
            left -= BLOCK
    return at


def write_checkpoint(folder):
    source = random.Random(1)
    # bf16: any fraction and sign, exponents of 1/128 to 1/16
    values = b"".join(struct.pack("<H", source.getrandbits(1) << 15 |
                                  source.randrange(120, 124) << 7 |
                                  source.getrandbits(7))
                      for _ in range(BLOCK // 2))
    every = list(tensors())
    files = {"model-1.safetensors": every[:len(every) // 2],
             "model-2.safetensors": every[len(every) // 2:]}
    n = sum(write_file(folder / name, some, values, odd)
            for odd, (name, some) in enumerate(files.items()))
    (folder / "model.safetensors.index.json").write_text(json.dumps(
        {"weight_map": {tensor: name for name, some in files.items()
                        for tensor, _ in some}}))
    (folder / "config.json").write_text(json.dumps({
        "model_type": "cwm", "hidden_size": WIDTH, "intermediate_size": FFN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS, "head_dim": D_HEAD, "vocab_size": WORDS,
        "max_position_embeddings": 512, "sliding_window": 64,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": False}))
    (folder / "ids.json").write_text("[[1, 2, 3]]")
    return n


def peak_bytes(program, folder, kind):
    """Of the whole run, pages of mapped files included."""
    with subprocess.Popen(
            [program, "model", "generate", folder, "--ids",
             folder / "ids.json", "--max-new", "2", "--greedy", "--json",
             "--device", "cpu", "--threads", "1", "--type", kind],
            stdout=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    program = parser.parse_args().cwm.resolve()
    bad = 0
    with tempfile.TemporaryDirectory(prefix="cwm-loading-") as name:
        folder = pathlib.Path(name)
        n = write_checkpoint(folder)
        matrix = 2 * 2 * FFN * WIDTH  # gate and up, as they are stored
        for kind, share in (("bf16", 1), ("int8", 0.5), ("fp32", 2)):
            code, got = peak_bytes(program, folder, kind)
            # the embedding's rows are kept as bf16 beside int8
            words = 2 * WORDS * WIDTH if kind == "int8" else 0
            most = share * (n + matrix) + words + matrix + FIXED_BYTES
            print(f"{kind}: a checkpoint of {n >> 20} MB takes {got >> 20} MB "
                  f"({got / n:.2f} times), {int(most) >> 20} MB are allowed")
            bad += code != 0 or got > most
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
