#!/bin/sh
# SPDX-License-Identifier: MIT
# Problems and samples that are not there, no problems, or not of each other.
try() {
    "$@" >out.txt 2>err.txt
    echo "-> $? ($(wc -l <out.txt) lines)"
    cat err.txt
}

cat >p.jsonl <<'JSON'
{"task_id": "t/0", "prompt": "def f(x):\n", "entry_point": "f", "canonical_solution": "    return x\n", "test": "def check(c):\n    assert c(1) == 1\n"}
{"task_id": "t/0", "prompt": "def f(x):\n", "entry_point": "f", "test": "def check(c):\n    pass\n"}
{"task_id": "t/1", "prompt": "def g(x):\n", "entry_point": "g", "test": "def check(c):\n    assert c(1) == 1\n"}
{"task_id": "t/2"}
JSON
cat >s.jsonl <<'JSON'
{"task_id": "t/0", "completion": "    return x\n"}
{"task_id": "t/0", "completion": ""}
{"task_id": "t/0", "completion": "I am sorry.\n"}
{"task_id": "t/9", "completion": "    return x\n"}
{"task_id": "t/0", "answer": "    return x\n"}
{"task_id": "t/0", "completion":
JSON
echo '{"task_id": "t/7", "completion": "x"}' >other.jsonl
echo '{"text": "x"}' >none.jsonl
echo 'no store' >not.db

try cwm eval
try cwm eval pask
try cwm eval passk
try cwm eval passk --problems p.jsonl
try cwm eval passk --problems nowhere.jsonl --samples s.jsonl
try cwm eval passk --problems none.jsonl --samples s.jsonl
try cwm eval passk --problems p.jsonl --samples other.jsonl
try cwm eval passk --problems p.jsonl --samples s.jsonl --k 1,x
try cwm eval passk --problems p.jsonl --samples s.jsonl --store not.db
try cwm eval cruxeval --problems p.jsonl
try cwm eval passk --problems p.jsonl --samples s.jsonl --k 1,2,5
cat out.txt
