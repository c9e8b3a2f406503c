#!/bin/sh
# SPDX-License-Identifier: MIT
# Help in all its forms is a result: standard output, status 0.
try() {
    "$@" >out.txt 2>err.txt
    echo "-> $?, $(wc -c <err.txt) bytes of talk"
    head -n 1 out.txt
}

try cwm help
grep -c '^  trace ' out.txt
try cwm --help
try cwm -h
for command in trace check tokenizer model; do
    try cwm help $command
    mv out.txt help.txt
    cwm $command --help | cmp - help.txt
    cwm $command -h | cmp - help.txt
    grep -cE '^ *(-.*|Exit status:)' help.txt | sed 's/^[1-9][0-9]*$/options/'
done
awk 'length > 80' help.txt
try cwm --version
cwm help >/dev/full 2>err.txt
echo "-> $?"
cat err.txt
cwm --dump-options trcae 2>&1
echo "-> $?"
echo "# without any worker"
mkdir none
export CWM_WORKER_DIR="$PWD/none"
cwm check >out.txt
echo "-> $?"
grep -A 1 '^Pythons' out.txt | sed "s|$PWD|...|"
tail -n 1 out.txt | sed 's/ as .*:/ as ...:/'
cwm check --json | sed 's/.*\("pythons": [[][^]]*[]]\).*/\1/'
cwm --version | tail -n 1
echo 'x = 1' >p.py
cwm trace p.py 2>&1 | sed "s|$PWD|...|"
echo '{"id": 1, "path": "p.py"}' | cwm trace --jobs - 2>&1 | sed "s|$PWD|...|"
