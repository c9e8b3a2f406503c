#!/bin/sh
# SPDX-License-Identifier: MIT
# Colours and the progress bar: on a terminal only, and not against a wish.
command -v script >/dev/null || exit 77
printf 'def f(n):\n    return n\n' >p.py
i=0
while [ $i -lt 40 ]; do
    echo "{\"id\": $i, \"path\": \"p.py\", \"entry\": \"f\", \"args\": \"1\"}"
    i=$((i + 1))
done >jobs.jsonl
esc=$(printf '\033')

colours() {
    script -qec "$1" /dev/null </dev/null | grep -c "$esc\\[[0-9;]*m" |
        sed 's/^0$/none/; s/^[0-9][0-9]*$/some/'
}

export TERM=xterm
colours "cwm trace p.py --entry f --args 1"
colours "NO_COLOR=1 cwm trace p.py --entry f --args 1"
colours "NO_COLOR= cwm trace p.py --entry f --args 1"
colours "TERM=dumb cwm trace p.py --entry f --args 1"
colours "cwm trace p.py --entry f --args 1 -o t.txt; cat t.txt"
colours "cwm trace p.py --entry f --args 1 --json"
colours "cwm trace p.py --entry f --args 1 | cat"
bar() {
    script -qec "$1" /dev/null </dev/null | grep -c '/40 ' |
        sed 's/^0$/no bar/; s/^[0-9][0-9]*$/a bar/'
}
bar "cwm trace --jobs jobs.jsonl -o out.jsonl"
bar "TERM=dumb cwm trace --jobs jobs.jsonl -o out2.jsonl"
bar "cwm trace --jobs jobs.jsonl -o out3.jsonl 2>&1 | cat"
cmp out.jsonl out2.jsonl
echo "# records that go to the terminal stand alone there"
bar "cwm trace --jobs jobs.jsonl"
script -qec "cwm trace --jobs jobs.jsonl" /dev/null </dev/null | tr -d '\r' |
    head -n 40 | cmp - out.jsonl

# A line that does not fit ends at a whole number: all these jobs are ok.
i=0
while [ $i -lt 400 ]; do
    echo "{\"id\": $i, \"path\": \"p.py\", \"entry\": \"f\", \"args\": \"1\"}"
    i=$((i + 1))
done >more.jsonl
for columns in 58 59 60 61 62; do
    script -qec "stty cols $columns
        cwm trace --jobs more.jsonl -o $columns.jsonl" /dev/null </dev/null |
        tr '\r' '\n' | sed -n 's|.* \([0-9]*\)/400 .* ok \([0-9]*\)$|\1 \2|p'
done | awk '$1 != $2 { print $1 " jobs, ok " $2 }'
