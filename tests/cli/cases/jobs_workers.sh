#!/bin/sh
# SPDX-License-Identifier: MIT
# The same bytes for any number of workers, whoever is done first.
python3 - <<'PYTHON'
import json
slow = "def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\n"
with open("jobs.jsonl", "w") as out:
    for i in range(60):
        n = 400 if i % 9 == 0 else i % 7
        job = {"id": f"job-{i}", "source": slow, "entry": "f", "args": str(n)}
        if i % 11 == 5:
            job["source"] = "def f(n):\n    return 1 / 0\n"
        if i % 13 == 7:
            job["max_frames"] = 3
        if i % 17 == 3 and i > 30:
            job = {"id": job["id"], "source": "while True: pass",
                   "timeout_ms": 50, "max_frames": 1000000,
                   "max_trace_bytes": 1 << 30}
            job["source"] = "import time\ntime.sleep(9)\n"
            job["wall_ms"] = 800
        print(json.dumps(job), file=out)
PYTHON
for workers in 1 2 3; do
    cwm trace --jobs jobs.jsonl --workers $workers -o out$workers.jsonl \
        2>err.txt
    echo "-> $?"
    grep verdicts err.txt
done
cmp out1.jsonl out2.jsonl
cmp out1.jsonl out3.jsonl
cwm trace --jobs jobs.jsonl 2>err.txt | cmp - out1.jsonl
wc -l out1.jsonl
cwm trace --jobs jobs.jsonl -o out4.jsonl --json 2>err.txt |
    sed 's/"seconds": [0-9.]*, "workers": [0-9]*, "python": "[0-9.]*"/.../'
