#!/bin/sh
# SPDX-License-Identifier: MIT
# Lines, encodings and files that are unusual, or wrong in unusual ways.
as_nobody() {
    if [ "$(id -u)" -eq 0 ]; then
        cp "$(command -v cwm)" cwm-copy
        chmod 755 cwm-copy
        setpriv --reuid=65534 --regid=65534 --clear-groups ./cwm-copy "$@"
    else
        cwm "$@"
    fi
}

python3 - <<'PYTHON'
f = b'"source": "def f(x):\\n    return x + 1\\n", "entry": "f"'
lines = [
    b'\xef\xbb\xbf{"id": "byte order mark", "source": "1"}',
    b'{"id": "latin", "source": "x = \'\xe9\'"}',
    b"\xff\xfe",
    b'{"id": "twice", %s, "args": "1"}' % f,
    b'{"id": "twice", %s, "args": "2"}' % f,
    b"",
    b'{"id": "surrogate", "source": "\\ud800"}',
    b'{"id": null, "source": "1"}',
    b'{"id": 1.5, "source": "1"}',
    b'{"id": true, "source": "1"}',
    b'{"id": 7e2, "source": "1"}',
    b'{"id": "", "source": "1"}',
    b'{"id": "\\u001b[31m", "source": 5}',
    b'{"id": "deep", "x": ' + b"[" * 100000 + b"]" * 100000 + b"}",
    b'{"id": "nul\\u0000", "source": "1"}',
    b'{"id": "rest", "source": "1"} x',
    b'{"id": "in", "source": "1", "stdin": 5}',
    b'{"id": "wrap", "source": "1", "wrap_main": "yes"}',
    b'{"id": "both", "source": "1", "path": "p.py"}',
    b'{"id": "no name", "source": "1", "entry": ""}',
    b'{"id": "no path", "path": ""}',
    b'{"id": "folder", "path": "."}',
    b'{"id": "seed", "source": "1", "seed": -1}',
    b'{"id": "real", "source": "1", "memory_mb": 1e3}',
    b'{"id": "z", %s, "args": "3"}' % f,
]
open("jobs.jsonl", "wb").write(b"\r\n".join(lines) + b"\r\n")
open("wide.jsonl", "wb").write('{"id": "a", "source": "1"}\n'.encode("utf-16"))
open("blank.jsonl", "wb").write(b"\r\n\n \t\r\n")
PYTHON
cwm trace --jobs jobs.jsonl -o out.jsonl --workers 2 2>err.txt
echo "-> $?"
grep -a skipped err.txt
cut -d, -f 1,2 out.jsonl
for jobs in wide blank; do
    cwm trace --jobs $jobs.jsonl -o $jobs.out 2>err.txt
    echo "$jobs -> $? ($(wc -c <$jobs.out) bytes)"
    grep -a skipped err.txt
done
echo "# files that cannot be used, told before anything is run"
chmod 000 wide.jsonl
try() {
    "$@" 2>&1
    echo "-> $?"
}
try as_nobody trace --jobs wide.jsonl
try cwm trace --jobs jobs.jsonl -o .
try cwm trace --jobs jobs.jsonl -o none/out.jsonl
echo 'x = 1' >p.py
try cwm trace p.py -o none/out.jsonl
try cwm trace p.py -o ./p.py
try cwm trace p.py -o /
mkdir closed
chmod 555 closed
echo '{"id": 1, "source": "1"}' >one.jsonl
chmod 644 one.jsonl p.py
try as_nobody trace p.py -o closed/out.jsonl
try as_nobody trace --jobs one.jsonl -o closed/out.jsonl
cat p.py
