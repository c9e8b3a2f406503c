#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench_model.py -- the model's speed beside this machine's own limits.

Calls the programs in C (generating, training, tokenizing) one after the other
and prints a section in Markdown; with --out it takes its place in that file.
The rates that figures are shares of (memory read, products of oneDNN) are
measured by the same threads in the same run.
"""
import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile

import report

ROOT = report.ROOT
# Of other machines than this one (Zen 5, 2 threads, quiet): the step of
# llm.c's CPU benchmark, and what products in fp32 reach there.
LLMC_STEP_S, LLMC_FP32_GFLOPS = 3.36, 480
TIKTOKEN = "tiktoken@1.0.22"


def json_lines(*command, **more):
    done = subprocess.run([str(word) for word in command], check=True,
                          stdout=subprocess.PIPE, text=True, **more)
    return [json.loads(line) for line in done.stdout.splitlines()]


def generating(out, build, threads):
    rows = json_lines(f"{build}/tests/bench_generate", "--threads", threads)
    out.say("\n### Generating\n")
    out.say("110 M parameters (12 layers, 768 channels, 12 heads, 2,048 of the "
            "feed-forward part, 32,000 words), random weights; "
            f"{threads} threads.\n")
    out.say("| weights | memory read, GB/s | one at a time, tokens/s | of the "
            "read rate | prompt of 512, tokens/s | of oneDNN's product rate | "
            "one sample behind it | 16 samples | ratio |")
    out.say("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        share = f"{row['prompt_share']:.0%} of {row['product_gflops']}" \
            if "prompt_share" in row else "-"
        out.say(f"| {row['type']} | {row['read_gbs']} | {row['single']} | "
                f"{row['single_share']:.0%} | {row['prompt']} | {share} | "
                f"{row['behind']} | {row['samples']} | "
                f"{row['samples_ratio']} |")
    bf16, int8 = rows[0], rows[1]
    out.say("\n| claim | measured | target | holds |\n|---|---|---|---|")
    for row in (bf16, int8):
        out.claim(f"{row['type']} weights, share of the read rate",
                  f"{row['single_share']:.2f}", ">= 0.85",
                  row["single_share"] >= 0.85)
    out.claim("prompt in bf16, share of oneDNN's rate",
              f"{bf16['prompt_share']:.2f}", ">= 0.7",
              bf16["prompt_share"] >= 0.7)
    out.claim("16 samples over one, bf16", f"{bf16['samples_ratio']:.1f}",
              ">= 6", bf16["samples_ratio"] >= 6)


def training(out, build, threads):
    rows = json_lines(f"{build}/tests/bench_train", threads)
    out.say("\n### Training\n")
    out.say("GPT-2's 124 M parameters in this architecture; the best of some "
            f"steps, {threads} thread{'s'[:threads > 1]}. llm.c's CPU benchmark (B=4, T=64) "
            f"takes {LLMC_STEP_S} s on another machine, which multiplies at "
            f"{LLMC_FP32_GFLOPS} GFLOP/s in fp32; the last column is what that "
            "would be here, by the fp32 product rate of this run, over our "
            "step.\n")
    out.say("| type | B x T | s a step | tokens/s | GFLOP/s | of the product "
            "rate | memory, MB | times llm.c there | times llm.c, scaled |")
    out.say("|---|---|---|---|---|---|---|---|---|")
    fp32_rate = rows[0]["product_gflops"]
    for row in rows:
        here = LLMC_STEP_S * LLMC_FP32_GFLOPS / fp32_rate
        short = row["rows"] * row["row_tokens"] == 256
        row["raw"] = LLMC_STEP_S / row["step_s"]
        row["scaled"] = here / row["step_s"]
        out.say(f"| {row['type']} | {row['rows']} x {row['row_tokens']} | "
                f"{row['step_s']:.2f} | {row['tokens_per_s']} | "
                f"{row['gflops']} | {row['share']:.0%} of "
                f"{row['product_gflops']} | {row['mbytes']} | "
                + (f"{row['raw']:.1f} | {row['scaled']:.1f} |"
                   if short else "- | - |"))
    out.say("\n| claim | measured | target | holds |\n|---|---|---|---|")
    for row in rows:
        if row["row_tokens"] == 64:
            want = 6 if row["type"] == "bf16" else 4
            out.claim(f"{row['type']}, times llm.c's step, scaled to this "
                      "machine", f"{row['scaled']:.1f}", f">= {want}",
                      row["scaled"] >= want)
        else:
            out.claim(f"{row['type']} at B=8 T=512, share of the product rate",
                      f"{row['share']:.2f}", ">= 0.7", row["share"] >= 0.7)


def write_texts(path, build):
    """Traces of the examples, as the text that models learn."""
    jobs = []
    with open(f"{ROOT}/examples/stdlib_calls.jsonl", encoding="utf-8") as f:
        for line in f:
            job = json.loads(line)
            if job["id"].startswith("examples."):
                jobs.append(job)
    with open(path, "w", encoding="utf-8") as f:
        for job in jobs:
            words = [f"{build}/cwm", "trace",
                     job["path"].replace("@EXAMPLES@", f"{ROOT}/examples")]
            for name in ("entry", "args"):
                if name in job:
                    words += [f"--{name}", job[name]]
            done = subprocess.run([*words, "--format", "cwm"],
                                  stdout=subprocess.PIPE, check=False)
            f.write(json.dumps({"text": done.stdout.decode()}) + "\n")


def tokenizing(out, build):
    vocabulary = f"{ROOT}/../shared/fixtures/tokenizer/tokenizer.model"
    out.say("\n### Tokenizing\n")
    if not os.path.exists(vocabulary):
        out.say("Not measured: there is no tiktoken file in "
                "`../shared/fixtures`.")
        return
    with tempfile.TemporaryDirectory(prefix="cwm-bench-") as folder:
        texts = f"{folder}/texts.jsonl"
        write_texts(texts, build)
        ours, = json_lines(f"{build}/tests/bench_tokenizer", vocabulary, texts)
        subprocess.run(["npm", "install", "--silent", "--no-audit",
                        "--ignore-scripts", "--prefix", folder, TIKTOKEN],
                       check=True, stdout=subprocess.DEVNULL)
        env = dict(os.environ, NODE_PATH=f"{folder}/node_modules")
        peer, = json_lines("node", f"{ROOT}/tests/bench/"
                           "bench_tokenizer_peer.js", vocabulary, texts,
                           env=env)
    out.say(f"Traces of the examples, {ours['bytes']} bytes, one thread, CPU "
            f"time, medians; both give the same ids (checked: "
            f"{ours['tokens']} of them).\n")
    out.say("| | MB/s |\n|---|---|")
    out.say(f"| cwm | {ours['median_mb_s']} |")
    out.say(f"| {TIKTOKEN} of npm (Rust, WebAssembly) | "
            f"{peer['median_mb_s']} |")
    out.say("\n| claim | measured | target | holds |\n|---|---|---|---|")
    ratio = ours["median_mb_s"] / peer["median_mb_s"]
    same = (ours["tokens"], ours["id_sum"]) == (peer["tokens"], peer["id_sum"])
    out.claim("times tiktoken's rate, same ids",
              f"{ratio:.1f}{'' if same else ', other ids'}", ">= 1",
              same and ratio >= 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=f"{ROOT}/build-release")
    parser.add_argument("--threads", type=int,
                        default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    out = report.Section()
    out.say("## The model\n")
    out.say(f"{datetime.date.today()}, commit {report.commit()}, "
            f"`./dev bench model`; {report.machine()}, load average "
            f"{load:.1f} at the start.")
    generating(out, options.build, options.threads)
    training(out, options.build, options.threads)
    tokenizing(out, options.build)
    if options.out:
        report.put_section(options.out, "model", "\n".join(out.lines))
    out.tell_misses()
    sys.exit(1 if out.misses else 0)


if __name__ == "__main__":
    main()
