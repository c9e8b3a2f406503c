#!/bin/sh
# SPDX-License-Identifier: MIT
# Train, encode, decode; the same bytes for any threads; every misuse told.
try() {
    "$@" 2>&1
    echo "-> $?"
}

cat >texts.jsonl <<'JSON'
{"text": "<|call_sep|>{\"s\": \"'volume'\"}<|action_sep|>def f(s):\n<|frame_sep|>"}
{"id": 7, "text": "<|line_sep|>{\"s\": \"'volume'\", \"n\": \"12345\"}<|action_sep|>    return f(s)\n<|frame_sep|>"}
{"text": "    return \"\u00e9\" + '' # \ud83d\ude80\n"}
{"text": ""}
JSON
cat texts.jsonl texts.jsonl texts.jsonl >more.jsonl

try cwm tokenizer train more.jsonl -o own.json --vocab-size 300
for threads in 1 3 8; do
    cwm tokenizer train more.jsonl --vocab-size 300 --threads $threads |
        cmp - own.json
done
cwm tokenizer train - --vocab-size 300 <more.jsonl | cmp - own.json
zstd -q more.jsonl -o more.zst
cwm tokenizer train more.zst --vocab-size 300 | cmp - own.json

cwm tokenizer encode --tokenizer own.json --special <texts.jsonl >ids.jsonl
sed 's/^{"id": 7, /{/' texts.jsonl >plain.jsonl
cwm tokenizer decode --tokenizer own.json <ids.jsonl | cmp - plain.jsonl
for threads in 1 2 5; do
    cwm tokenizer encode --tokenizer own.json --threads $threads \
        <texts.jsonl | cwm tokenizer decode --tokenizer own.json |
        cmp - plain.jsonl
done
echo '{"ids": [195]}' | cwm tokenizer decode --tokenizer own.json
cwm tokenizer info --tokenizer own.json --json | cut -d, -f 1-3

echo '{"text": "ok"} ' >bad.jsonl
echo '{"texts": "no"}' >>bad.jsonl
try cwm tokenizer encode --tokenizer own.json <bad.jsonl
try cwm tokenizer train bad.jsonl
printf '{"ids": [1]}\n{"ids": [-1]}\n' >bad.jsonl
try cwm tokenizer decode --tokenizer own.json <bad.jsonl
echo '{"ids": [4000000]}' | try cwm tokenizer decode --tokenizer own.json
echo 'no tokenizer' >no.json
try cwm tokenizer info --tokenizer no.json
echo '{"model": {"type": "Unigram"}}' >no.json
try cwm tokenizer info --tokenizer no.json
try cwm tokenizer info --tokenizer missing.json
try cwm tokenizer info
try cwm tokenizer
try cwm tokenizer encoed
try cwm tokenizer nothing
try cwm tokenizer encode texts.jsonl --tokenizer own.json
try cwm tokenizer train
try cwm tokenizer train missing.jsonl
try cwm tokenizer train more.jsonl --vocab-size 10
