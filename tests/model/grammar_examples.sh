#!/bin/sh
# SPDX-License-Identifier: MIT
#
# grammar_examples.sh CWM CHECK TOKENIZER EXAMPLES -- the examples' traces and
# those of the standard library's functions are accepted by the grammar.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# 1 is "some lines are no jobs or no programs", which others look into
"$4/trace_jobs.sh" "$1" "$4/stdlib_calls.jsonl" "$folder/traces.jsonl" ||
    [ $? -eq 1 ]
"$2" "$3" "$folder/traces.jsonl"
