#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""published_layout.py --cwm PROGRAM -- facebook/cwm by its headers alone.

A folder laid out as the published 32B checkpoint is: its config.json, its 14
files and their index, with every tensor's name, type, shape and place; the
values, 65 GB, are a hole in each file.  `cwm model info` must accept it and
count its parameters; with one tensor of another shape, or one that no file
has, it must say which.
"""
import argparse
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

LAYERS, WIDTH, FFN, HEADS, KV_HEADS, D_HEAD, WORDS = \
    64, 6144, 21504, 48, 8, 128, 128256
N_FILES = 14
CONFIG = {
    "architectures": ["CwmForCausalLM"], "model_type": "cwm",
    "num_hidden_layers": LAYERS, "hidden_size": WIDTH,
    "intermediate_size": FFN, "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS, "head_dim": D_HEAD, "vocab_size": WORDS,
    "max_position_embeddings": 131072, "sliding_window": 8192,
    "rms_norm_eps": 1e-5, "tie_word_embeddings": False,
    "attention_bias": False, "mlp_bias": False, "hidden_act": "silu",
    "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009],
    "torch_dtype": "bfloat16",
    "layer_types": ["full_attention" if i % 4 == 0 or i == LAYERS - 1
                    else "sliding_attention" for i in range(LAYERS)],
    "rope_parameters": {
        "rope_type": "llama3", "rope_theta": 1000000.0, "factor": 16.0,
        "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192},
}


def tensors():
    """Name and shape of each, in the order in which they lie."""
    q, kv = HEADS * D_HEAD, KV_HEADS * D_HEAD
    yield "model.embed_tokens.weight", [WORDS, WIDTH]
    for i in range(LAYERS):
        for name, shape in (
                ("input_layernorm", [WIDTH]),
                ("mlp.down_proj", [WIDTH, FFN]), ("mlp.gate_proj", [FFN, WIDTH]),
                ("mlp.up_proj", [FFN, WIDTH]),
                ("post_attention_layernorm", [WIDTH]),
                ("self_attn.k_proj", [kv, WIDTH]),
                ("self_attn.o_proj", [WIDTH, q]),
                ("self_attn.q_proj", [q, WIDTH]),
                ("self_attn.v_proj", [kv, WIDTH])):
            yield f"model.layers.{i}.{name}.weight", shape
    yield "model.norm.weight", [WIDTH]
    yield "lm_head.weight", [WORDS, WIDTH]


def count(shape):
    n = 1
    for dim in shape:
        n *= dim
    return n


def write_file(path, some):
    """Headers are written, values are a hole."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in some:
        end = at + 2 * count(shape)
        header[name] = {"dtype": "BF16", "shape": shape,
                        "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.truncate(8 + len(text) + at)


def write_checkpoint(folder, change=lambda name, shape: shape):
    all_of_them = list(tensors())
    each = -(-len(all_of_them) // N_FILES)
    weight_map = {}
    for number in range(N_FILES):
        name = f"model-{number + 1:05}-of-{N_FILES:05}.safetensors"
        some = [(key, change(key, shape)) for key, shape in
                all_of_them[number * each:(number + 1) * each]]
        some = [(key, shape) for key, shape in some if shape]
        write_file(folder / name, some)
        weight_map.update((key, name) for key, _ in some)
    (folder / "model.safetensors.index.json").write_text(json.dumps(
        {"metadata": {"total_size": 0}, "weight_map": weight_map}))
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2))
    return sum(count(shape) for _, shape in all_of_them)


def info(program, folder):
    done = subprocess.run([program, "model", "info", folder, "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    program = parser.parse_args().cwm.resolve()
    odd = "model.layers.40.self_attn.k_proj.weight"
    bad = 0
    with tempfile.TemporaryDirectory(prefix="cwm-layout-") as name:
        folder = pathlib.Path(name)
        n = write_checkpoint(folder)
        code, out, err = info(program, folder)
        got = json.loads(out) if code == 0 else {}
        want = {"parameters": n, "layers": 64, "sliding_layers": 47,
                "window": 8192, "context": 131072, "vocabulary": WORDS}
        if {key: got.get(key) for key in want} != want or n < 32e9:
            print(f"want {want}\ngot {code} {out} {err}")
            bad += 1
        write_checkpoint(folder, lambda key, shape:
                         shape[::-1] if key == odd else shape)
        code, out, err = info(program, folder)
        if code != 3 or f"'{odd}': the config asks for 1024 x 6144" not in err:
            print(f"another shape: {code} {out} {err}")
            bad += 1
        write_checkpoint(folder, lambda key, shape:
                         None if key == odd else shape)
        code, out, err = info(program, folder)
        if code != 3 or f"it has no tensor '{odd}'" not in err:
            print(f"a tensor less: {code} {out} {err}")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
