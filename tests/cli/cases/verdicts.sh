#!/bin/sh
# SPDX-License-Identifier: MIT
# How a program ends is a result: status 0, and the verdict says it.
try() {
    cat >p.py
    cwm trace p.py --timeout-ms 500 --json "$@" >out.jsonl 2>err.txt
    echo "-> $?"
    sed 's/^{"id": "p.py", \("verdict": "[a-z_]*", "detail": [^,]*\),.*/\1/' \
        out.jsonl
    cat err.txt
}

echo 'x = 1' | try
echo '1 / 0' | try
echo 'raise SystemExit("bye")' | try
echo 'import sys; sys.exit(3)' | try
echo 'import os; os._exit(4)' | try
echo 'sum(range(10**12))' | try --wall-ms 100000
echo 'import time; time.sleep(60)' | try --wall-ms 700
printf 'while True:\n    pass\n' | try --max-frames 50
printf 'x = "a" * 1000\nwhile True:\n    x += "b"\n' | try --max-trace-bytes 9000
echo 'print("x" * 5000)' | try --max-output-bytes 1000
echo 'x = bytearray(900 << 20)' | try --memory-mb 64
echo 'import os; os.kill(os.getpid(), 11)' | try
echo 'import os; os.abort()' | try
