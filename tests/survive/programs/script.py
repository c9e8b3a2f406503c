#!/usr/bin/env python3
"""A script: its module level is what is traced."""
import math
from collections import deque
from math import floor as down

LIMIT = 3
queue = deque([1])


def step(n):
    return n + LIMIT


class Thing:
    size = 2

    def grow(self):
        self.size += 1
        return self.size


thing = Thing()
for i in range(LIMIT):
    queue.append(step(i))
    value = thing.grow()
squares = [x * x for x in queue]
del i
total = sum(squares)
i = "again"
add = lambda a, b: a + b
try:
    add(1, "2")
except TypeError as error:
    message = str(error)
if __name__ == "__main__":
    print(down(math.sqrt(total)), message)
