#!/bin/sh
# SPDX-License-Identifier: MIT
# Entries that are not there, arguments that do not parse or do not fit.
try() {
    "$@" >out.txt 2>err.txt
    echo "-> $? ($(wc -c <out.txt) bytes)"
    cat err.txt
}

cat >p.py <<'PYTHON'
class A:
    def m(self, x):
        def inner():
            return x
        return inner()

def f(a, b=2):
    return a + b

def boom():
    raise ValueError("no")
PYTHON
try cwm trace p.py --entry g
try cwm trace p.py --entry A
try cwm trace p.py --entry A.n
try cwm trace p.py --entry inner
try cwm trace p.py --args '1, 2'
try cwm trace p.py --wrap-main
try cwm trace p.py --entry f
try cwm trace p.py --entry f --args '1, 2, 3'
try cwm trace p.py --entry f --args '1, c=3'
try cwm trace p.py --entry f --args '1 +'
try cwm trace p.py --entry f --args 'nothing_of_that_name'
try cwm trace p.py --entry f --args '1), print('
try cwm trace p.py --entry f --args '1), print(' --wrap-main
try cwm trace p.py --entry f --args '1 +' --wrap-main
try cwm trace p.py --entry f --args 'boom()'
ls
