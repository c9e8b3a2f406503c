#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""first_model.py --build FOLDER --work FOLDER [--out FILE] -- the first model.

Runs examples/first-model/train.sh and prints what came of it as a section in
Markdown; --out puts it into FILE too, in the place of the one that is there.
What is done in the work folder already is not done again, and its time is
that of the run that did it.
"""
import argparse
import datetime
import json
import os
import resource
import subprocess
import sys

import report

LIMIT_S = 20 * 60
SCORES = (("whole traces exact", "trace_exact_match"),
          ("states exact", "state_exact_match"),
          ("source lines exact", "action_exact_match"),
          ("results right", "output_pass_at_1"))


def load(work, name):
    with open(f"{work}/{name}.json", encoding="utf-8") as f:
        return json.load(f)


def seconds(work):
    with open(f"{work}/seconds.txt", encoding="utf-8") as f:
        pairs = [line.split() for line in f]
    return {name: int(s) for name, s in pairs}


def percent(value):
    return "-" if value is None else f"{100 * value:.1f} %"


def table(work):
    """What is scored, by model: held-out traces, then those of people."""
    models = ("untrained", "trained")
    test = {m: load(work, f"{m}-test") for m in models}
    written = {m: load(work, f"{m}-written")["scores"] for m in models}
    yield "| | untrained | trained |"
    yield "|---|---|---|"
    yield "| loss per token, held-out | " + " | ".join(
        f"{test[m]['held_out_loss']:.3f}" for m in models) + " |"
    for what, name in SCORES:
        yield f"| held-out programs: {what} | " + " | ".join(
            percent(test[m]["traces"][name]) for m in models) + " |"
    for what, name in SCORES:
        yield f"| programs written by hand: {what} | " + " | ".join(
            percent(written[m][name]) for m in models) + " |"
    yield ""
    yield ("The frame of the call, which is given, counts among the states and "
           "lines: nearly all of the untrained model's share.")


def section(work, load_average, cpu_s):
    run = load(work, "run")
    test = load(work, "trained-test")["traces"]
    spent = seconds(work)
    made = sum(s for name, s in spent.items()
               if name in ("programs", "tokenizer", "shards", "train"))
    lines = [
        "## A first model", "",
        f"{datetime.date.today()}, commit {report.commit()}, "
        f"`tests/bench/first_model.py`; {report.machine()}, load average "
        f"{load_average:.1f} at the start.", "",
        f"`examples/first-model/train.sh`: {run['step']} steps, "
        f"{run['tokens'] / 1e6:.1f} M tokens; greedy, under the grammar, from "
        f"the call on. {test['predicted']} held-out traces of generated "
        "programs, and the calls of examples/first-model/held-out.", "",
        *table(work), "",
        "| claim | measured | target | holds |",
        "|---|---|---|---|",
        f"| seconds for programs, tokenizer, shards and training | {made} | "
        f"<= {LIMIT_S} | {'yes' if made <= LIMIT_S else '**no**'} |", "",
        "Seconds by stage: "
        + ", ".join(f"{name} {s}" for name, s in spent.items()) + "."]
    if cpu_s > 60:
        lines[-1] += f" CPU time of all: {cpu_s:.0f} s."
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=f"{report.ROOT}/build-release")
    parser.add_argument("--work", required=True)
    parser.add_argument("--out")
    options = parser.parse_args()
    load_average = os.getloadavg()[0]
    done = subprocess.run(
        [f"{report.ROOT}/examples/first-model/train.sh",
         f"{os.path.abspath(options.build)}/cwm", options.work], check=False)
    if done.returncode != 0:
        sys.exit(f"first_model: train.sh: exit {done.returncode}")
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = section(options.work, load_average,
                   spent.ru_utime + spent.ru_stime)
    print(text)
    if options.out:
        report.put_section(options.out, "first model", text)


if __name__ == "__main__":
    main()
