#!/bin/sh
# SPDX-License-Identifier: MIT
# What this machine gives; and a trace is refused where a wall is missing.
cwm check >text.txt
echo "-> $?"
sed -n '/^ *user-ns/,/^ *cgroup/p' text.txt | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'
tail -n 1 text.txt | sed 's/ as .*//'
cwm check --json | python3 -c '
import json, sys
told = json.load(sys.stdin)
print(sorted(told), all(w["up"] for w in told["walls"] if w["required"]))'
cwm --version | sed 's/ .*//' | uniq
