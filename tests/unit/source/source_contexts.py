# SPDX-License-Identifier: MIT
"""source_contexts.py -- contexts against the recorded traces' own.

For every record of FOLDER/*.jsonl.zst the context that source.h makes must be
the record's, and must be found again by its marker.  Exit 0, 1 on a
difference, 77 where the folder is not there.
"""
import argparse
import glob
import json
import os
import subprocess
import sys

from source_ask import ask


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dump", required=True)
    parser.add_argument("folder")
    options = parser.parse_args()
    files = sorted(glob.glob(os.path.join(options.folder, "*.jsonl.zst")))
    if not files:
        print("SKIPPED: no recorded traces in %s, nothing was compared"
              % options.folder)
        return 77
    n_bad = 0
    questions = []
    wants = []
    for file in files:
        text = subprocess.run(["zstdcat", file], check=True,
                              stdout=subprocess.PIPE).stdout
        for line in text.splitlines():
            job = json.loads(line)
            source, entry = job["source"], job["entry"]
            if job["wrap_main"]:
                source += ("\n\ndef main():\n    return %s(%s)\n"
                           % (entry, job["args"]))
                entry = "main"
            questions.append(("context", entry, source.encode()))
            questions.append(("context", "", job["context"].encode()))
            wants += [(job["id"], job["context"])] * 2
    for (name, want), got in zip(wants, ask(options.dump, questions)):
        if got.get("context") != want:
            n_bad += 1
            print("%s: wanted %r\n got %r" % (name, want, got))
    print("%d contexts, %d differences" % (len(wants), n_bad))
    return 1 if n_bad else 0


if __name__ == "__main__":
    sys.exit(main())
