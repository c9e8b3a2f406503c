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
rm -f "$out" "$out.partial"
echo "== $cwm trace examples/strawberry.py"
"$cwm" trace examples/strawberry.py
echo
echo "== $cwm trace --jobs examples/stdlib_calls.jsonl -o $out"
examples/trace_jobs.sh "$cwm" examples/stdlib_calls.jsonl "$out" || {
    status=$?
    # 1: some calls end in an exception, as they are meant to
    [ "$status" -eq 1 ] || exit "$status"
}
echo
examples/summary.py "$out"
