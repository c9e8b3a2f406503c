#!/bin/sh
# SPDX-License-Identifier: MIT
# What the program reads, and where our own input may come from.
cat >p.py <<'PYTHON'
total = 0
for line in open(0):
    total += int(line)
print(total)
PYTHON
out() {
    sed 's/.*"stdout": "\([^"]*\)".*/\1/'
}
printf '1\n2\n' >in.txt
cwm trace p.py --json | out
cwm trace p.py --stdin in.txt --json | out
printf '5\n6\n' | cwm trace p.py --stdin - --json | out
cwm trace - --stdin in.txt --json <p.py | out
jobs='{"id": 1, "path": "p.py", "stdin": "20\n22\n"}'
printf '%s\n' "$jobs" | cwm trace --jobs - 2>err.txt | out
printf '%s\n' "$jobs" | zstd -q | cwm trace --jobs - 2>err.txt | out
mkdir sub
cp p.py sub
printf '%s\n' "$jobs" >sub/jobs.jsonl
cwm trace --jobs sub/jobs.jsonl 2>err.txt | out
