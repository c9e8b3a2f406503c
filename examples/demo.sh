#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo.sh -- the main job on real input, once everything is built: the trace
# of one small program, then of hundreds of calls into the standard library;
# then a store of traces, its statistics, and training files made from it.
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
echo
store=build/demo/traces.db
lib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
echo "== $cwm dataset build --store $store examples STDLIB/... generate:200"
"$cwm" dataset build --store "$store" examples "$lib/bisect.py" \
    "$lib/colorsys.py" "$lib/fractions.py" "$lib/heapq.py" "$lib/string.py" \
    "$lib/textwrap.py" generate:200 2>&1
"$cwm" dataset stats --store "$store" --html build/demo/stats.html | head -n 14
echo "   a page with plots: build/demo/stats.html"
echo
echo "== $cwm dataset export --store $store -o build/demo/export"
"$cwm" dataset export --store "$store" -o build/demo/export --overwrite 2>&1
ls build/demo/export
