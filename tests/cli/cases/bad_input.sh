#!/bin/sh
# SPDX-License-Identifier: MIT
# Files that are no programs: one line each, nothing on standard output.
try() {
    "$@" >out.txt 2>err.txt
    echo "-> $? ($(wc -c <out.txt) bytes)"
    cat err.txt
}

try cwm trace missing.py
mkdir folder.py
try cwm trace folder.py
printf 'x = 1\ny = "\377"\n' >latin.py
try cwm trace latin.py
printf 'x = 1\ny = "\000"\n' >nul.py
try cwm trace nul.py
printf '# coding: klingon\nx = 1\n' >klingon.py
try cwm trace klingon.py
printf 'def f(:\n    pass\n' >syntax.py
try cwm trace syntax.py
try cwm trace syntax.py --entry f
try cwm trace syntax.py --entry g
printf 'def f():\n\treturn 1\n        return 2\n' >tabs.py
try cwm trace tabs.py --entry f

echo "# readable, though odd"
printf '\357\273\277# coding: utf-8\ndef f():\n    return "\303\251"\n' >bom.py
try cwm trace bom.py --entry f -o bom.cwm
head -n 2 bom.cwm
printf '# coding: latin-1\ndef f():\n    return "\351"\n' >latin.py
try cwm trace latin.py --entry f -o latin.cwm
head -n 2 latin.cwm
printf 'def f():\r\n    return 1\r\n' >crlf.py
try cwm trace crlf.py --entry f -o crlf.cwm
head -n 2 crlf.cwm
for text in '' '# only a comment' '\n\n'; do
    printf '%b' "$text" >empty.py
    try cwm trace empty.py -o empty.jsonl
    sed 's/.*\("verdict": "[a-z_]*"\).*\("frames": [[][]]\).*/\1 \2/' \
        empty.jsonl
done
try cwm trace empty.py --entry f

echo "# a file that may not be read"
printf 'x = 1\n' >secret.py
chmod 000 secret.py
if [ "$(id -u)" -eq 0 ]; then
    cp "$(command -v cwm)" ./cwm-copy
    chmod 755 cwm-copy
    try setpriv --reuid=65534 --regid=65534 --clear-groups \
        ./cwm-copy trace secret.py
    rm cwm-copy
else
    try cwm trace secret.py
fi
echo "# standard input of the program"
try cwm trace bom.py --stdin missing.txt
ls
