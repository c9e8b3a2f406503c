# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034
#
# recipe.sh -- a first model's settings, read by train.sh.  What the programs
# are made of stands in programs.json.

# Programs, two calls of each, and the seed that they are made from.
programs=68000
seed=1

# The tokenizer learns from other programs, and keeps digits apart: numbers
# are read and written digit by digit.
tokenizer_programs=1500
tokenizer_seed=2
vocabulary=1024

# Families of programs (near duplicates are one) in a thousand that the model
# never sees: those the scores are of.
test_permille=20
# Longer traces, in tokens, are left out: they would take the time of many.
max_tokens=320

# The model: about a million weights.  Rows are long, since the room that is
# left over in a row is lost; attention stays within a trace.
model="--layers 4 --width 128 --heads 2 --kv-heads 2 --ffn 384 --window 0"
batches="--rows 2 --row-tokens 2048 --packing whole"
steps=7000
learning="--rate 2e-3 --final-part 0.02 --warmup-steps 100 --decay 0.05
--weight-context 0.2"
type=bf16

# Traces that are predicted while it learns, and in the end.
judged_while=48
judged=200
