#!/bin/sh
# SPDX-License-Identifier: MIT
# Traces into shards: the same for any threads and from packed files; stopped
# and gone on with; what is left out is told; misuse is.
try() {
    "$@" 2>&1 | sed 's/ in [0-9.]* s, / in TIME, /
s/ ([0-9.]* M\/s), [0-9]* threads*/ (RATE)/'
}

cat >jobs.py <<'END'
import json
for i in range(60):
    source = f"def f(a):\n    b = a * {i % 20}\n    return [b] * {i % 7 + 1}\n"
    print(json.dumps({"id": i, "source": source, "entry": "f",
                      "args": str(i), "wrap_main": i % 3 == 0}))
print(json.dumps({"id": "none", "source": "def f(:"}))
END
python3 jobs.py >jobs.jsonl
cwm trace --jobs jobs.jsonl -o traces.jsonl 2>/dev/null
python3 - >texts.jsonl <<'END'
import json
for text in open("traces.jsonl"):
    for frame in json.loads(text)["frames"]:
        print(json.dumps({"text": json.dumps(frame["locals"])
                          + frame["source"]}))
END
cwm tokenizer train texts.jsonl --vocab-size 320 -o tok.json 2>/dev/null

pack() {
    try cwm pack --tokenizer tok.json --held-out 0.2 --shard-tokens 500 "$@"
}
pack -o a traces.jsonl --workers 1
pack -o b traces.jsonl --workers 3 --json
diff -r a b && echo same
zstd -q traces.jsonl
gzip -k traces.jsonl
pack -o c traces.jsonl.zst >/dev/null
pack -o d - <traces.jsonl.gz >/dev/null
for shard in a/*.shard; do
    cmp "$shard" "c/${shard#a/}"
    cmp "$shard" "d/${shard#a/}"
done
find a -type f | sed 's/-.*//' | sort | uniq -c

# The same again; other settings; other traces; anew.
pack -o a traces.jsonl
pack -o a traces.jsonl --max-tokens 100
head -n 30 traces.jsonl >part.jsonl
pack -o f part.jsonl >/dev/null
pack -o f traces.jsonl
pack -o f traces.jsonl --overwrite
diff -r a f && echo same

echo oops >bad.jsonl
echo '{"context": "", "frames": [{}]}' >>bad.jsonl
head -n 2 traces.jsonl >>bad.jsonl
cwm pack --tokenizer tok.json -o g bad.jsonl >out 2>&1
echo "-> $?"
grep skipped out
printf 'x' >>a/train-00000.shard
rm a/shards.json
pack -o a traces.jsonl | sed 's/.*records/N records/'

pack traces.jsonl
pack -o h
exec 2>&1
cwm pack --tokenizer tok.json -o h none.jsonl
echo "-> $?"
cwm pack --tokenizer none.json -o h traces.jsonl
echo "-> $?"
cwm pack --tokenizer tok.json -o h traces.jsonl --held-out 2
echo "-> $?"
cwm pack --tokenizer tok.json -o tok.json/x traces.jsonl
echo "-> $?"
