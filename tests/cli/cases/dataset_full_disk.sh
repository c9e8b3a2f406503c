#!/bin/sh
# SPDX-License-Identifier: MIT
# No room for the store: told, status 3; what was committed stays, is whole,
# and the same command goes on once there is room.  A store that may only be
# read is read.
mkdir small
cat >inside.sh <<'SH'
mount -t tmpfs -o size=700k small small || exit 77
cwm dataset build --store small/a.db generate:1500 2>err.txt
echo "-> $?"
grep -o 'cwm dataset: could not .* full' err.txt | sed 's/could not .* in/could not ... in/'
cwm dataset check --store small/a.db --sample 0 >check.txt 2>&1
echo "-> $?"
tail -n 1 check.txt | sed 's/.*: //'
mount -o remount,size=64m small
cwm dataset build --store small/a.db generate:1500 2>err.txt
echo "-> $?"
cwm dataset stats --store small/a.db --json >filled.json
cwm dataset build --store b.db generate:1500 2>err.txt
cwm dataset stats --store b.db --json | cmp - filled.json && echo "the same"
ls small
mount -o remount,ro small
cwm dataset stats --store small/a.db --json | cmp - filled.json && echo "read"
SH
if [ "$(id -u)" = 0 ]; then
    unshare -m sh -u inside.sh
else
    unshare -r -m sh -u inside.sh
fi
