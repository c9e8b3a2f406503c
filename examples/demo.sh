#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo.sh -- the main job on real input, once everything is built: the trace
# of one small program, then of hundreds of calls into the standard library.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
cwm=build/cwm
out=build/demo/traces.jsonl

mkdir -p build/demo
echo "== $cwm trace examples/strawberry.py"
"$cwm" trace examples/strawberry.py
echo
echo "== $cwm trace --jobs examples/stdlib_calls.jsonl -o $out"
# the summary, talk elsewhere, is what is to be seen here
examples/trace_jobs.sh "$cwm" examples/stdlib_calls.jsonl "$out" \
    --overwrite 2>&1
examples/summary.py "$out"
