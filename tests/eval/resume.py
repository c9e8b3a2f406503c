#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""resume.py --cwm PROGRAM -- a kill loses nothing, and nothing is run twice.

Many samples are judged with a store; the run is killed again and again, later
each time.  In the end the verdicts are those of a run that nobody touched, a
further run runs no program, and other samples with one new program run one.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

N = 120
N_KILLS = 6


def problem():
    return {"task_id": "t/0", "prompt": "def f(x):\n", "entry_point": "f",
            "canonical_solution": "    return x + 1\n",
            "test": "def check(c):\n    assert c(1) == 2\n"}


def sample(i):
    """Every third one is right; each takes a hundredth of a second."""
    return {"task_id": "t/0", "completion":
            "    n = 0\n    for i in range(150000):\n        n += i\n"
            f"    return x + 1 + {i % 3} * {i}\n"}


def command(cwm, folder, store, workers=2):
    return [cwm, "eval", "passk", "--problems", folder / "p.jsonl",
            "--samples", folder / "s.jsonl", "--k", "1,2", "--json", "--each",
            "--workers", str(workers), "--store", store]


def verdicts(cwm, folder, store, workers=2):
    done = subprocess.run(command(cwm, folder, store, workers), check=False,
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.returncode}: {done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [r["verdict"] for r in lines[:-1]], lines[-1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    cwm = parser.parse_args().cwm
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "p.jsonl").write_text(json.dumps(problem()) + "\n")
        (folder / "s.jsonl").write_text("".join(
            json.dumps(sample(i)) + "\n" for i in range(N)))
        start = time.monotonic()
        plain, totals = verdicts(cwm, folder, folder / "plain.db", 1)
        seconds = time.monotonic() - start
        if plain.count("pass") != N // 3 or totals["run"] != N:
            wrong.append(f"plain: {plain.count('pass')} passed, {totals}")
        kills = 0
        for i in range(N_KILLS):
            run = subprocess.Popen(command(cwm, folder, folder / "k.db"),
                                   stdout=subprocess.DEVNULL)
            time.sleep(seconds * (i + 2) / (N_KILLS + 4))
            kills += run.poll() is None
            run.kill()
            run.wait()
        killed, totals = verdicts(cwm, folder, folder / "k.db")
        if killed != plain:
            wrong.append("verdicts differ from those of an unbroken run")
        if totals["run"] >= N:
            wrong.append("nothing was kept of the runs that were killed")
        again, totals = verdicts(cwm, folder, folder / "k.db")
        if again != plain or totals["run"] != 0:
            wrong.append(f"a second run ran {totals['run']} programs")
        with open(folder / "s.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"task_id": "t/0",
                                   "completion": "    return x - 1\n"}) + "\n")
        more, totals = verdicts(cwm, folder, folder / "k.db")
        if more != plain + ["fail"] or totals["run"] != 1:
            wrong.append(f"one sample more ran {totals['run']} programs")
    for line in wrong:
        print(line)
    print(f"{kills} runs killed, {len(wrong)} wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
