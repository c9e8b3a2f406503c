#!/bin/sh
# SPDX-License-Identifier: MIT
# Files, texts and arguments that are unusual, or wrong in unusual ways: a line
# that says why, nothing on standard output, or a trace.
try() {
    "$@" >out.txt 2>err.txt
    echo "-> $?$([ -s out.txt ] && echo " and a trace")"
    cat err.txt
}

echo "# what is no file"
try cwm trace ''
ln -s loop loop
try cwm trace loop
try cwm trace "$(head -c 300 /dev/zero | tr '\0' a)" 2>&1 | cut -c 1-40
try cwm trace /dev/zero
try cwm trace /dev/null
mkfifo pipe
echo 'x = 1' >pipe &
try cwm trace pipe
try cwm trace - </dev/null
echo "# what is no text"
printf '\377\376x\0=\0001\0\n\0' >p.py
try cwm trace p.py
printf '\357\273\277# coding: latin-1\nx = 1\n' >p.py
try cwm trace p.py
printf '\357\273\277' >p.py
try cwm trace p.py
printf '# coding: cp1252\nx = "\200"\n' >p.py
try cwm trace p.py
grep -c '€' out.txt
printf '# coding: cp1252\nx = "\201"\n' >p.py
try cwm trace p.py
printf '# coding: ascii\nx = "\351"\n' >p.py
try cwm trace p.py
printf '#!/usr/bin/python\n# -*- coding: latin-1 -*-\nx = "\351"\n' >p.py
try cwm trace p.py
printf '# coding: utf-16\nx = 1\n' >p.py
try cwm trace p.py
echo "# what cannot be compiled"
program() {
    python3 -c "print($1)" >p.py
    try cwm trace p.py
}
program "'x = ' + '(' * 5000 + ')' * 5000"
program "'x = ' + '-' * 100000 + '1'"
program "'x = ' + '+'.join(['1'] * 200000)"
program "'if 1:\n' + ''.join(' ' * i + 'if 1:\n' for i in range(1, 150))"
program "'#' * (65 << 20)"
program "'#' * (60 << 20)"
program "'return 5'"
program "'x = 1 ' + chr(92)" | sed 's/:[0-9]*: SyntaxError: .*/.../'
program "'x = 1' + chr(26)"
echo "# arguments"
echo 'def f(a): return a' >p.py
try cwm trace p.py --entry f --args "$(printf '\377')"
try cwm trace p.py --entry f --args "$(head -c 100000 /dev/zero | tr '\0' '(')" |
    cut -c 1-60
try cwm trace p.py --entry f --args 'a=1, a=2'
try cwm trace p.py --entry f --args '(yield)'
try cwm trace p.py --entry f --args 'exit(3)'
try cwm trace p.py --entry f --args '*[1]'
try cwm trace p.py --entry f --args 'x for x in [1]'
try cwm trace p.py --entry 'f(1)'
echo "# closed descriptors"
try cwm trace - <&-
cwm trace p.py >&- 2>err.txt || cat err.txt
cwm trace p.py >&- 2>&- || echo "nothing can be said"
cwm trace p.py --entry f --args 1 <&- 2>&- | head -n 1
cwm trace p.py -o '' 2>&1
ls
