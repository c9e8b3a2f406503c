#!/bin/sh
# SPDX-License-Identifier: MIT
# The same bytes again; the seed is the only thing that changes them.
cat >p.py <<'PYTHON'
import os, random, sys, time

def f():
    a = random.random()
    b = {str(i) for i in range(5)}
    c = sorted(os.environ), os.getcwd(), os.listdir("."), sys.argv
    d = time.tzname, sys.flags.hash_randomization, os.getpid()
    e = object()
    return a, b, c, d, e
PYTHON
cwm trace p.py --entry f --json >1.jsonl
cwm trace p.py --entry f --json >2.jsonl
cmp 1.jsonl 2.jsonl
cwm trace p.py --entry f --json --seed 1 >3.jsonl
cmp -s 1.jsonl 3.jsonl && echo "the seed does nothing"
mkdir elsewhere
cp p.py elsewhere
(
    cd elsewhere || exit
    FOO=1 TZ=Asia/Tokyo cwm trace "$PWD/p.py" --entry f --json >../4.jsonl
)
cmp 1.jsonl 4.jsonl
# Addresses are the same, too, whatever the limits are that we run under.
cat >ids.py <<'PYTHON'
xs = [object() for _ in range(20)]
print([xs.index(x) for x in set(xs)], id(xs), hash(None), id([0] * 100000))
PYTHON
cwm trace ids.py --json >5.jsonl
for limit in 2048 65536 unlimited; do
    (
        # shellcheck disable=SC3045 # dash and bash have it
        ulimit -S -s $limit || exit
        cwm trace ids.py --json >6.jsonl
    )
    cmp 5.jsonl 6.jsonl || echo "differs where the stack's limit is $limit"
done
sed 's/.*"result": "\(.*\)", "exception".*/\1/' 1.jsonl
