#!/bin/sh
# SPDX-License-Identifier: MIT
# A trace that chance decides, which no seed of ours governs, is left out and
# counted; what the same program does without it stays.
cat >lots.py <<'PYTHON'
import random

def drawn(n):
    """
    >>> drawn(3)
    """
    random.seed(None)
    return [random.randint(0, 10 ** 9) for _ in range(n)]

def fresh(n):
    """
    >>> fresh(2)
    """
    return random.Random().getrandbits(60 + n)

def seeded(n):
    """
    >>> seeded(3)
    """
    random.seed(n)
    return random.randint(0, 10 ** 9)
PYTHON
for store in one two; do
    cwm dataset build --store $store.db --max-inputs 1 --json lots.py \
        2>/dev/null | grep -oE '"(traces|unstable)": [0-9]+'
    cwm dataset stats --store $store.db --json >$store.json
done
cmp one.json two.json
