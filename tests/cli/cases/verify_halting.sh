#!/bin/sh
# SPDX-License-Identifier: MIT
# Does it end within the budget, and in how many steps?  Predictions that are
# right, wrong, cut off, or say nothing; a table, and one line of totals.
cat >p.py <<'END'
def f(n):
    while n != 3:
        n += 1
    return n
END
trace() { # ARGS: the text of its trace
    cwm trace p.py --entry f --args "$1" --max-frames 12 --format cwm
}
line() { # ID ARGS PREDICTED [MORE]
    python3 -c 'import json, sys
line = {"id": sys.argv[1], "path": "p.py", "entry": "f", "args": sys.argv[2],
        "prediction": open(sys.argv[3]).read()}
print(json.dumps({**line, **json.loads(sys.argv[4])}))' "$1" "$2" "$3" "${4:-{\}}"
}
trace 2 >short.txt # 6 frames
trace 0 >long.txt  # 10 frames
trace 4 >never.txt # stopped at 12
head -c 300 short.txt >cut.txt
{
    line right 2 short.txt
    line slow 2 long.txt
    line lost 0 never.txt
    line cut 2 cut.txt
    line dumb 2 /dev/null
    line loop 4 never.txt
    line hope 4 short.txt
    line budget 4 long.txt '{"finish_reason": "length"}'
} >pred.jsonl
cwm verify --predicted pred.jsonl --max-frames 12 |
    sed -n '/^first div/p; /^halting/,$p'
cwm verify --predicted pred.jsonl --max-frames 12 --json >scores.jsonl
python3 - <<'END'
import json
for text in open("scores.jsonl"):
    line = json.loads(text)
    print(line.get("id", "total"), line["halting"])
for name in ("frames_exact_by_frames", "trace_exact_by_frames"):
    print(name, line[name])
print(line["mean_share_before_divergence"])
END
