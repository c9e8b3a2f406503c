#!/bin/sh
# SPDX-License-Identifier: MIT
# A repr() that does not end on one line of the program is tried again on the
# next; a type whose reprs never end is given up in the end.  What the texts of
# a run cost together is counted: it ends at the same frame each time.
cat >ring.py <<'PYTHON'
class Node:
    def __init__(self, data):
        self.data, self.next = data, self
    def __repr__(self):
        return f"node {self.data}"

class Ring:
    def __init__(self):
        self.head = Node(0)
    def __iter__(self):
        node = self.head
        while True:
            yield node.data
            node = node.next
            if node is self.head:
                break
    def __repr__(self):
        return "->".join(str(item) for item in iter(self))

def f():
    ring = Ring()
    other = Node(1)
    for i in range(3):
        other.next, ring.head.next = other, other
        other.next = ring.head
PYTHON
cwm trace ring.py --entry f --full-locals --json >ring.jsonl
grep -oE '"line": [0-9]+|"ring": "[^"]*"' ring.jsonl | paste -sd' ' |
    grep -oE '2[0-9] "ring": "[^"]*"'
cat >hangs.py <<'PYTHON'
class Hangs:
    def __repr__(self):
        n = 0
        while True:
            n += len(str(n))

def f():
    h = Hangs()
    for i in range(2000):
        pass
PYTHON
cwm trace hangs.py --entry f --json --timeout-ms 5000 |
    grep -oE '"verdict": "[a-z_]*"'
cat >many.py <<'PYTHON'
from pprint import pformat

class Node:
    def __init__(self, value):
        self.value = value
    def __repr__(self):
        return pformat({"value": self.value}, indent=1)

def f(n):
    node = Node(1)
    for i in range(n):
        node.value = i
    return node
PYTHON
cwm trace many.py --entry f --args 100 --json --timeout-ms 400 >many.jsonl
grep -oE '"verdict": "[a-z_]*", "detail": "[a-z ]*"|"counts": .*' many.jsonl
cwm trace many.py --entry f --args 100 --json --timeout-ms 400 | cmp - many.jsonl
cwm trace many.py --entry f --args 100 --json --timeout-ms 8000 |
    grep -oE '"verdict": "[a-z_]*"'
