#!/bin/sh
# SPDX-License-Identifier: MIT
# A line that is no job is told and skipped; all others are traced.
python3 - <<'PYTHON'
import json
f = '"source": "def f(x):\\n    return x + 1\\n", "entry": "f"'
lines = [
    '{"id": "a", %s, "args": "1"}' % f,
    "not json",
    '["a", "list"]',
    '{"source": "x = 1"}',
    '{"id": "lacks a program"}',
    '{"id": "b", "source": 5}',
    "",
    "   ",
    '{"id": "c", "path": "missing.py"}',
    '{"id": "d", %s, "timeout_ms": "soon"}' % f,
    '{"id": "e", %s, "timeout_ms": 0}' % f,
    json.dumps({"id": "big", "source": "#" * 50_000_000}),
    '{"id": "syntax", "source": "def f(:"}',
    '{"id": "entry", "source": "x = 1", "entry": "g"}',
    '{"id": "args", %s, "args": "1, 2"}' % f,
    '{"id": "nul", "source": "x = \\u0000"}',
    '{"id": "more", %s, "args": "2", "max_trace_bytes": 8388608}' % f,
    '{"id": "raises", "source": "1 / 0", "extra": {"a": [1, 2.5e3, null]}}',
    '{"id": "z", %s, "args": "3"}' % f,
]
open("jobs.jsonl", "w").write("\n".join(lines))  # no newline at the end
PYTHON
cwm trace --jobs jobs.jsonl -o out.jsonl --workers 2 2>err.txt
echo "-> $?"
sed 's/ in .* CPython.*/ .../; s/(.* frames.s)/(...)/' err.txt
sed 's/^\({"id": "[^"]*", "verdict": "[a-z_]*", "detail": \).*\(, "python"\).*\("result": [^,]*\),.*/\1.. \3/' out.jsonl
cwm trace --jobs jobs.jsonl -o out.jsonl 2>err.txt
echo "-> $?"
tail -n 2 err.txt
echo "# the file itself"
cwm trace --jobs missing.jsonl -o new.jsonl 2>&1
echo "-> $?"
cwm trace --jobs . 2>&1
echo "-> $?"
: >empty.jsonl
cwm trace --jobs empty.jsonl -o new.jsonl 2>err.txt
echo "-> $?"
wc -c new.jsonl
ls
