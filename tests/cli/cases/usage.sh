#!/bin/sh
# SPDX-License-Identifier: MIT
# Every misuse has one line, the nearest right word, and status 2.
try() {
    "$@" </dev/null 2>&1
    echo "-> $?"
}

printf 'def f():\n    return 1\n' >p.py
try cwm
try cwm trcae p.py
try cwm nothing-like-it
try cwm help trcae
try cwm trace
try cwm trace p.py q.py
try cwm trace --entri f p.py
try cwm trace p.py --entry
try cwm trace p.py --wrap-main=1
try cwm trace p.py --timeout-ms 0
try cwm trace p.py --timeout-ms 5s
try cwm trace p.py --max-value-bytes 17M
try cwm trace p.py --format josnl
try cwm trace p.py --allow-missing secomp
try cwm trace p.py --allow-missing nonsense
try cwm trace p.py --workers 2
try cwm trace p.py --overwrite
try cwm trace p.py --jobs jobs.jsonl
try cwm trace --jobs jobs.jsonl --entry f
try cwm trace --jobs jobs.jsonl --format cwm
try cwm trace - --stdin -
try cwm check now
try cwm trace p.py --python ./no-such-python
try cwm trace p.py --python no-such-python
try cwm trace p.py --python 2.7.18 | sed 's/there are: .*/there are: .../'
