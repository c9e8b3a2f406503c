#!/bin/sh
# SPDX-License-Identifier: MIT
# A reader that leaves: a clear line, status 3, no signal.
printf 'for i in range(3000):\n    pass\n' >p.py
i=0
while [ $i -lt 50 ]; do
    echo "{\"id\": $i, \"path\": \"p.py\"}"
    i=$((i + 1))
done >jobs.jsonl
{
    cwm trace p.py --json 2>err1.txt
    echo "-> $?" >status1.txt
} | head -c 20 >head.txt
cat status1.txt err1.txt
{
    cwm trace --jobs jobs.jsonl 2>err2.txt
    echo "-> $?" >status2.txt
} | head -n 1 >head.txt
cat status2.txt
head -n 1 err2.txt
{
    cwm help trace 2>err3.txt
    echo "-> $?" >status3.txt
} | true
grep -q -e '-> 0' -e '-> 3' status3.txt || cat status3.txt
