#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""static.py --cwm PROGRAM RECORDED... -- `cwm verify --static` on true traces.

A recorded trace has no finding.  With one fault seeded it has one of the
fault's kind; where less can be asked of a program (generators and
comprehensions leave and resume scopes unseen) some kinds need not be found,
and the share that is has a floor.  Exits 77 where nothing is recorded.
"""
import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys

END = "<|frame_sep|>"
# The least share of seeded faults of a kind that must be found.
FLOORS = {"format": 1, "entry": 1, "source": 1, "name": 0.99, "scopes": 0.85,
          "successor": 0.9, "diff": 0.6}


def seed(kind, frames, draw):
    """The frames with one fault; None: there is no place for it."""
    frames = list(frames)
    states = [i for i, f in enumerate(frames)
              if f.startswith(("<|call_sep|>{", "<|line_sep|>{"))]
    lines = [i for i in states if frames[i].startswith("<|line_sep|>")]
    if kind == "format":
        at = draw.choice(states)
        frames[at] = frames[at].replace("<|action_sep|>", "", 1)
    elif kind == "entry":
        del frames[0]
    elif kind == "source":
        at = draw.choice(range(len(frames)))
        frames[at] = frames[at].replace("<|action_sep|>",
                                        "<|action_sep|>no line: ", 1)
    elif kind == "name":
        at = draw.choice(states)
        head, brace, rest = frames[at].partition("{")
        frames[at] = head + brace + '"no_name": "1"' + (
            "" if rest.startswith("}") else ", ") + rest
    elif kind == "scopes":
        del frames[-1]
    elif kind == "diff":
        at = frames[0].find('": "')
        if at < 0:
            return None
        end = frames[0].index('"', at + 4)
        if frames[0][end - 1] == "\\":
            return None
        frames[0] = frames[0][:at + 4] + ".." + frames[0][end:]
    else:  # successor: the function's first line comes behind its second
        at = [i for i in lines if i + 1 in lines and i > 0
              and frames[i - 1].startswith("<|call_sep|>")]
        if not at or frames[at[0]] == frames[at[0] + 1]:
            return None
        i = at[0]
        one, two = (f.partition("<|action_sep|>") for f in frames[i:i + 2])
        frames[i] = one[0] + one[1] + two[2]
        frames[i + 1] = two[0] + two[1] + one[2]
        if one[2] == two[2]:
            return None
    return frames


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True)
    parser.add_argument("recorded", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    jobs, draw = [], random.Random(1)
    for path in args.recorded:
        if not path.exists():
            print(f"{path} is not there")
            return 77
        text = subprocess.run(["zstd", "-dcq", path], check=True,
                              stdout=subprocess.PIPE).stdout
        for record in map(json.loads, text.splitlines()):
            frames = [f + END for f in record["text"].split(END)[:-1]]
            if not all(f.startswith("<|") for f in frames):
                continue  # a value holds the token's name
            for kind in ["true", *FLOORS]:
                made = frames if kind == "true" else seed(kind, frames, draw)
                if made:
                    jobs.append({"id": f"{record['id']} {kind}",
                                 "source": record["context"],
                                 "prediction": "".join(made)})
    done = subprocess.run(
        [args.cwm, "verify", "--predicted", "-", "--static", "--json"],
        input="".join(json.dumps(job) + "\n" for job in jobs), text=True,
        stdout=subprocess.PIPE)
    n_made, n_found, wrong = collections.Counter(), collections.Counter(), 0
    for said in map(json.loads, done.stdout.splitlines()[:-1]):
        kind = said["id"].split()[-1]
        found = {p["problem"] for p in said["problems"]}
        n_made[kind] += 1
        n_found[kind] += kind in found
        if kind == "true" and found:
            print(said["id"], said["problems"][0])
            wrong += 1
    for kind, floor in FLOORS.items():
        share = n_found[kind] / max(n_made[kind], 1)
        print(f"{kind}: {n_found[kind]} of {n_made[kind]} found")
        wrong += share < floor
    print(f"{n_made['true']} true traces")
    return 1 if wrong or n_made["true"] < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
