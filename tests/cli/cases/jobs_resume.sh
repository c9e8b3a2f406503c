#!/bin/sh
# SPDX-License-Identifier: MIT
# However a run was stopped, the same command goes on to the same bytes.
python3 - <<'PYTHON'
import json
with open("jobs.jsonl", "w") as out:
    for i in range(120):
        text = f"import time\ntime.sleep(0.02)\nx = {i}\ny = x * 2\n"
        print(json.dumps({"id": f"j{i}", "source": text}), file=out)
        if i == 60:
            print("no job", file=out)
PYTHON
cwm trace --jobs jobs.jsonl -o whole.jsonl --workers 2 2>err.txt
echo "-> $?"

# Stop it by $1 once it has written something.
stop_by() {
    rm -f out.jsonl out.jsonl.resume
    cwm trace --jobs jobs.jsonl -o out.jsonl --workers 2 2>err.txt &
    pid=$!
    while [ ! -s out.jsonl ]; do
        sleep 0.05
    done
    sleep 0.3
    kill -"$1" $pid
    wait $pid
    echo "$1 -> $?"
    n=$(wc -l <out.jsonl)
    [ "$n" -gt 0 ] && [ "$n" -lt 120 ] || echo "not in the middle: $n"
    head -n "$n" whole.jsonl | cmp - out.jsonl
    ls out.jsonl*
}

go_on() {
    cwm trace --jobs jobs.jsonl -o out.jsonl --workers "$1" 2>err.txt
    echo "-> $?"
    cmp out.jsonl whole.jsonl
    ls out.jsonl*
}

stop_by INT
tail -n 1 err.txt | cut -d'(' -f1
grep hint err.txt
go_on 1
stop_by TERM
go_on 3
stop_by KILL
go_on 2
echo "# a line that was cut by the kill"
stop_by INT
printf '{"id": "j77", "verd' >>out.jsonl
go_on 2
echo "# already complete"
cwm trace --jobs jobs.jsonl -o out.jsonl 2>&1 | tail -n 2
echo "# what must not go on"
stop_by INT
cp out.jsonl before.jsonl
cwm trace --jobs jobs.jsonl -o out.jsonl --seed 1 2>&1 |
    sed 's/options seed.*options seed/options seed ... seed/; s/ full_locals .*//'
cwm trace --jobs jobs.jsonl -o out.jsonl --max-frames 9 >log.txt 2>&1
echo "-> $?"
sed 's/"j5"/"other"/' jobs.jsonl >other.jsonl
cwm trace --jobs other.jsonl -o out.jsonl >log.txt 2>&1
echo "-> $?"
rm out.jsonl.resume
cwm trace --jobs jobs.jsonl -o out.jsonl 2>&1
echo "-> $?"
cwm trace --jobs other.jsonl -o whole.jsonl 2>&1 | cut -d: -f2-
cmp before.jsonl out.jsonl
cwm trace --jobs jobs.jsonl -o ./jobs.jsonl --overwrite 2>&1
cwm trace --jobs jobs.jsonl -o out.jsonl --overwrite 2>log.txt
echo "-> $?"
cmp out.jsonl whole.jsonl
echo "# many at once write different files, or are told"
rm out.jsonl
cwm trace --jobs jobs.jsonl -o out.jsonl 2>err.txt &
pid=$!
while [ ! -s out.jsonl ]; do
    sleep 0.05
done
cwm trace --jobs jobs.jsonl -o out.jsonl 2>&1
echo "-> $?"
wait $pid
cmp out.jsonl whole.jsonl
