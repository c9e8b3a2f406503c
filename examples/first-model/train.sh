#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC1091,SC2154 # settings come from recipe.sh
#
# train.sh CWM FOLDER -- a first model, from nothing: programs are made and
# traced, a tokenizer and a transformer learn from them on the CPU, and both
# what is learned and what an untrained model does are scored on programs that
# neither has seen.  Everything goes into FOLDER; what was stopped goes on with
# the same command.  recipe.sh has the settings; FIRST_MODEL=SETTING=VALUE...
# changes some of them, for a try.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -ne 2 ]; then
    echo "usage: train.sh CWM FOLDER" >&2
    exit 2
fi
cwm=$1
out=$2
. "$here/recipe.sh"
for setting in ${FIRST_MODEL:-}; do
    eval "${setting%%=*}=\${setting#*=}"
done
mkdir -p "$out"

# stage NAME COMMAND... -- once; its time is noted behind those before it.
stage() {
    name=$1
    shift
    if [ -e "$out/$name.done" ]; then
        return
    fi
    echo "== $name" >&2
    begin=$(date +%s)
    "$@"
    echo "$name $(($(date +%s) - begin))" >>"$out/seconds.txt"
    : >"$out/$name.done"
}

# ---- data ------------------------------------------------------------------

programs() {
    "$cwm" dataset build --store "$out/traces.db" --seed "$seed" \
        --programs "$here/programs.json" "generate:$programs"
    "$cwm" dataset export --store "$out/traces.db" -o "$out/traces" \
        --overwrite --plain --validation 0 --test "$test_permille"
}

tokenizer() {
    "$cwm" dataset build --store "$out/words.db" --seed "$tokenizer_seed" \
        --programs "$here/programs.json" "generate:$tokenizer_programs"
    "$cwm" dataset export --store "$out/words.db" -o "$out/words" \
        --overwrite --plain --format cwm --validation 0 --test 0
    "$cwm" tokenizer train "$out/words/train-00000.jsonl" \
        --vocab-size "$vocabulary" --digits-apart -o "$out/tokenizer.json"
}

shards() {
    "$cwm" pack --tokenizer "$out/tokenizer.json" --out "$out/shards" \
        --held-out 0.01 --max-tokens "$max_tokens" "$out"/traces/train-*.jsonl
    # of these nothing is learned, but a run wants something to learn from
    "$cwm" pack --tokenizer "$out/tokenizer.json" --out "$out/test" \
        --held-out 0.9 --max-tokens "$max_tokens" "$out"/traces/test-*.jsonl
}

# ---- learning --------------------------------------------------------------

# A run's folder, its shards, options.  Words of the recipe are split.
learn() {
    run=$1
    from=$2
    shift 2
    # shellcheck disable=SC2086
    "$cwm" train "$out/$from" --tokenizer "$out/tokenizer.json" -o "$out/$run" \
        $model $batches $learning --type "$type" --seed "$seed" --json "$@" \
        >"$out/$run.json"
}

train() {
    learn run shards --steps "$steps" --save-every 200 --judge-every 400 \
        --judge-traces "$judged_while"
}

# ---- scores ----------------------------------------------------------------

# The held-out traces.  A step at a rate of 0 changes nothing; it is the one
# that a run must have to be judged behind it.
judge() {
    name=$1
    shift
    rm -rf "$out/$name-test"
    learn "$name-test" test --steps 1 --rate 0 --judge-batches 64 \
        --judge-traces "$judged" --judge-seconds 300 "$@"
}

# Programs that people wrote: MODEL's predictions, then their scores.
written() {
    name=$1
    rm -f "$out/$name.jsonl"
    while read -r program args; do
        "$cwm" predict "$here/held-out/$program.py" --entry "$program" \
            --args "$args" --model "$out/$2" --greedy --max-new 600 \
            --format jsonl >>"$out/$name.jsonl"
    done <"$here/held-out/calls.txt"
    "$cwm" verify --predicted "$out/$name.jsonl" --json |
        tail -n 1 >"$out/$name.json"
    "$cwm" verify --predicted "$out/$name.jsonl"
}

stage programs programs
stage tokenizer tokenizer
stage shards shards
stage train train
stage untrained judge untrained
stage trained judge trained --init "$out/run/last"
stage untrained-written written untrained-written untrained-test/last
stage trained-written written trained-written run/last
cat "$out/seconds.txt"
echo "the model: $out/run/last"
