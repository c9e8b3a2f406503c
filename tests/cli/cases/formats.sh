#!/bin/sh
# SPDX-License-Identifier: MIT
# The three forms, and how the form is chosen.
cat >p.py <<'PYTHON'
def double(x):
    y = 2 * x
    return y


def f(n):
    total = 0
    for i in range(n):
        total += double(i)
    return total
PYTHON
any_version() {
    sed 's/"python": "[0-9.]*"/"python": "X"/; s/CPython [0-9.]*/CPython X/'
}

cwm trace p.py --entry f --args 2 | any_version
cwm trace p.py --entry f --args 2 --format cwm
echo
cwm trace p.py --entry f --args 2 --json | any_version
cwm trace p.py --entry f --args 2 --format jsonl --full-locals |
    any_version
cwm trace p.py --entry f --args 2 -o t.jsonl
cwm trace p.py --entry f --args 2 --format jsonl | cmp - t.jsonl
cwm trace p.py --entry f --args 2 -o t.cwm
cwm trace p.py --entry f --args 2 --format cwm | cmp - t.cwm
cwm trace p.py --entry f --args 2 -o t.txt
cwm trace p.py --entry f --args 2 | cmp - t.txt
cwm trace p.py --entry f --args 2 --wrap-main --format cwm | tail -n 4
echo
cwm trace - --entry double --args 4 --format cwm <p.py | tail -n 3
echo
cwm trace p.py --entry double --args 4 --plain --json | any_version
sed 's/def double(x):/def double(x):  # << START_OF_TRACE/' p.py >marked.py
cwm trace marked.py --args 4 --format cwm | head -n 1
ls
