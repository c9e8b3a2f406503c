#!/bin/sh
# SPDX-License-Identifier: MIT
# Which definition runs is known only by running: the marker follows it.  The
# names of private methods are those of the text.
cat >p.py <<'END'
import sys
if sys.argv:
    def f(x):
        return x + 1
else:
    def f(x):
        return x + 2
def plain(h):
    return lambda *a: h(*a)
try:
    @plain
    def g(x):
        return x
except ImportError:
    def g(x):
        return -x
class A:
    def __m(self):
        return 5
    class __B:
        def m(self): return 6
def h(x):
    return x
import functools
@functools.wraps(h, updated=["__dict__"])
def h(x, old=h):
    return old(x)
END
show() {
    cwm trace p.py --format cwm "$@" | grep -oE '.*# << START_OF_TRACE|<.call_sep.>[^<]*<.action_sep.>.*'
    cwm trace p.py --json "$@" | grep -oE '"verdict": "[a-z_]*"|"entry": "[^"]*"'
}
show --entry f --args 1
show --entry g --args 1
show --entry A.__m --args 'A()'
show --entry A.__m --args 'A()' --wrap-main
show --entry A.__B.m --args 'A._A__B()'
show --entry h --args 3
# a text that is too long is cut between characters
printf 'raise SystemExit("é" * 3000)\n' >exit.py
printf 'raise SystemExit("a" + "é" * 3000)\n' >exit2.py
for p in exit exit2; do
    cwm trace $p.py --json |
        grep -oE '"detail": "[^"]*"' | grep -cE 'ufffd|�'
done
cwm trace p.py --entry "a$(printf 'é%.0s' $(seq 60))" 2>&1 |
    grep -oE "no function '[^']*'"
