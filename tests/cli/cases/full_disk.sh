#!/bin/sh
# SPDX-License-Identifier: MIT
# No room: a clear line, status 3, whole lines only, and it goes on later.
printf 'x = "%s"\ny = x\n' "$(head -c 300 /dev/zero | tr '\0' a)" >p.py
i=0
while [ $i -lt 300 ]; do
    echo "{\"id\": $i, \"path\": \"p.py\"}"
    i=$((i + 1))
done >jobs.jsonl

cwm trace p.py >/dev/full 2>err.txt
echo "-> $?"
cat err.txt
cwm trace p.py -o /dev/full 2>&1
echo "-> $?"
cwm trace --jobs jobs.jsonl >/dev/full 2>err.txt
echo "-> $?"
head -n 1 err.txt
cwm trace --jobs jobs.jsonl -o none/out.jsonl 2>&1
echo "-> $?"

mkdir small
cat >inside.sh <<'SH'
mount -t tmpfs -o size=128k small small || exit 77
cwm trace --jobs jobs.jsonl -o small/out.jsonl 2>err.txt
echo "-> $?"
grep 'cwm trace' err.txt
tail -c 1 small/out.jsonl | od -An -c
n=$(wc -l <small/out.jsonl)
[ "$n" -gt 5 ] && [ "$n" -lt 300 ] || echo "not in the middle: $n"
mount -o remount,size=4m small
cwm trace --jobs jobs.jsonl -o small/out.jsonl 2>err.txt
echo "-> $?"
cwm trace --jobs jobs.jsonl 2>err.txt | cmp - small/out.jsonl
ls small
dd if=/dev/zero of=small/fill bs=4k 2>dd.txt
echo old >small/old.jsonl 2>dd.txt
cwm trace p.py -o small/new.jsonl 2>&1
echo "-> $?"
ls small
SH
if [ "$(id -u)" -eq 0 ]; then
    unshare --mount sh -u inside.sh
else
    unshare --map-root-user --mount sh -u inside.sh
fi
