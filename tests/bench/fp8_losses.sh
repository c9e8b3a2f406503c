#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fp8_losses.sh CWM TOKENIZER FOLDER -- does a model learn as well with products
# of 8 bits?  The same shards, seeds and steps with --type bf16 and --type fp8,
# on a GPU; prints the losses on held-out traces, which are judged in bf16 in
# both.  FOLDER/*.jsonl.zst are traces, if there are any; else they are made:
# some minutes of CPU time.
set -eu
if [ $# -ne 3 ]; then
    echo "usage: fp8_losses.sh CWM TOKENIZER FOLDER" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
cwm=$1
tokenizer=$2
folder=$3
mkdir -p "$folder"

set -- "$folder"/*.jsonl.zst
if [ ! -e "$1" ]; then
    "$cwm" dataset build --store "$folder/traces.db" --seed 777 \
        --programs "$here/../../examples/generated-model/programs.json" \
        generate:22000
    "$cwm" dataset export --store "$folder/traces.db" -o "$folder/rows" \
        --overwrite --format jsonl --validation 0 --test 0
    mv "$folder"/rows/train-*.jsonl.zst "$folder"
    set -- "$folder"/*.jsonl.zst
fi
"$cwm" pack --tokenizer "$tokenizer" --max-tokens 3000 --held-out 0.02 \
    -o "$folder/shards" --overwrite "$@"

# learn SIZE TYPE SEED STEPS RATE
learn() {
    run=$folder/run-$1-$2-$3
    rm -rf "$run"
    "$cwm" train "$folder/shards" --tokenizer "$tokenizer" -o "$run" \
        --device cuda --size "$1" --window 512 --type "$2" --seed "$3" \
        --rows 16 --row-tokens 4096 --packing whole --steps "$4" --rate "$5" \
        --final-part 0.02 --warmup-steps 100 --weight-context 0.1 \
        --save-every 0 --judge-every 200 --judge-batches 16 2>&1 |
        grep held-out | sed "s/^/$1 $2 seed $3: /"
}

for seed in 6 7; do
    learn 32m bf16 $seed 1200 1.5e-3
    learn 32m fp8 $seed 1200 1.5e-3
done
learn 88m bf16 6 500 1e-3
learn 88m fp8 6 500 1e-3
