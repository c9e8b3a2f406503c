#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""model_command.py --cwm PROGRAM FOLDER -- `cwm model` on a checkpoint.

FOLDER holds a checkpoint, expected.json and expected_logits.f32: `logits`
must be within 2e-4 of the largest, `generate` the same tokens, in one batch
and one by one; cut into several files with an index it must give the same
bytes.  Exits 77 where it is not there.
"""
import argparse
import array
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

TOLERANCE = 2e-4


def cwm(program, *words):
    done = subprocess.run([program, "model", *map(str, words)],
                          stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def logits_of(program, checkpoint, ids, folder):
    (folder / "ids.json").write_text(json.dumps(ids))
    cwm(program, "logits", checkpoint, "--ids", folder / "ids.json",
        "-o", folder / "out.f32")
    values = array.array("f")
    values.frombytes((folder / "out.f32").read_bytes())
    return values


def shard(checkpoint, folder, n_files):
    """The same weights in n_files, tensor by tensor in turn, and an index."""
    data = (checkpoint / "model.safetensors").read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    tensors = json.loads(data[8:start])
    tensors.pop("__metadata__", None)
    headers, values = [{} for _ in range(n_files)], [b""] * n_files
    weight_map = {}
    for at, (name, tensor) in enumerate(sorted(tensors.items())):
        number = at % n_files
        begin, end = tensor["data_offsets"]
        place = len(values[number])
        values[number] += data[start + begin:start + end]
        headers[number][name] = dict(
            tensor, data_offsets=[place, len(values[number])])
        weight_map[name] = f"model-{number}.safetensors"
    folder.mkdir()
    for number in range(n_files):
        header = json.dumps(headers[number]).encode()
        (folder / f"model-{number}.safetensors").write_bytes(
            struct.pack("<Q", len(header)) + header + values[number])
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map}))
    shutil.copy(checkpoint / "config.json", folder)


def check_samples(run, program, checkpoint, expected, folder):
    """Lists of several lengths, sampled: the same in any batch."""
    lists = [expected["greedy_prompt"], expected["input_ids"][1][:5]]
    (folder / "ids.json").write_text(json.dumps(lists))
    words = ["generate", checkpoint, "--ids", folder / "ids.json",
             "--max-new", 12, "--samples", 3, "--temperature", "0.9",
             "--top-p", "0.95", "--seed", 5, "--logprobs"]
    alone = run(program, *words, "--batch", 1)
    bad = 0
    if alone != run(program, *words):
        print("what is sampled depends on the batch")
        bad += 1
    rows = [json.loads(line) for line in alone.splitlines()]
    places = [(row["list"], row["sample"]) for row in rows]
    if places != [(i, k) for i in range(2) for k in range(3)]:
        print(f"order: {places}")
        bad += 1
    if any(len(row["ids"]) != len(row["logprobs"]) or len(row["ids"]) > 12
           or max(row["logprobs"]) > 0 for row in rows):
        print(f"rows: {rows}")
        bad += 1
    if rows[0]["ids"] == rows[1]["ids"] == rows[2]["ids"]:
        print("three samples are one")
        bad += 1
    stop = rows[0]["ids"][4]
    first = json.loads(run(program, *words, "--stop", stop).splitlines()[0])
    if first["end"] != "stop" or first["ids"][-1] != stop:
        print(f"not stopped by {stop}: {first}")
        bad += 1
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    parser.add_argument("checkpoint", type=pathlib.Path)
    options = parser.parse_args()
    program, checkpoint = options.cwm.resolve(), options.checkpoint
    if not os.access(checkpoint / "model.safetensors", os.R_OK):
        print(f"skipped: no fixtures at '{checkpoint}'")
        return 77
    expected = json.loads((checkpoint / "expected.json").read_text())
    want = array.array("f")
    want.frombytes((checkpoint / "expected_logits.f32").read_bytes())
    bad = 0
    with tempfile.TemporaryDirectory(prefix="cwm-model-") as name:
        folder = pathlib.Path(name)
        got = logits_of(program, checkpoint, expected["input_ids"], folder)
        one_by_one = array.array("f")
        for ids in expected["input_ids"]:
            one_by_one += logits_of(program, checkpoint, [ids], folder)
        if len(got) != len(want):
            print(f"{len(got)} logits, not {len(want)}")
            return 1
        largest = max(map(abs, want))
        worst = max(abs(a - b) for a, b in zip(got, want)) / largest
        print(f"largest difference {worst:.2e} of the largest logit")
        bad += not worst <= TOLERANCE
        if got != one_by_one:
            print("the batch's logits are not those of its sequences alone")
            bad += 1
        shard(checkpoint, folder / "sharded", 3)
        if got != logits_of(program, folder / "sharded",
                            expected["input_ids"], folder):
            print("the logits of the checkpoint in three files differ")
            bad += 1
        (folder / "ids.json").write_text(
            json.dumps([expected["greedy_prompt"]] * 2))
        lines = cwm(program, "generate", checkpoint, "--ids",
                    folder / "ids.json", "--max-new",
                    len(expected["greedy_continuation"]), "--greedy",
                    "--json").splitlines()
        for line in lines:
            if json.loads(line)["ids"] != expected["greedy_continuation"]:
                print(f"want {expected['greedy_continuation']}\ngot  {line}")
                bad += 1
        bad += len(lines) != 2
        bad += check_samples(cwm, program, checkpoint, expected, folder)
    info = json.loads(cwm(program, "info", checkpoint, "--json"))
    if info["parameters"] != 394304 or info["sliding_layers"] != 6:
        print(f"info: {info}")
        bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
