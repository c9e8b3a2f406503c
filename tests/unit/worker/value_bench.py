# SPDX-License-Identifier: MIT
"""Nanoseconds a value by kind, beside repr() of the same.

usage: value_bench.py MODULE_DIR      (best of five; the machine should be idle)
"""
import collections
import dataclasses
import enum
import fractions
import random
import sys
import timeit

sys.path.insert(0, sys.argv[1])
import cwm_value  # noqa: E402


class Plain:
    pass


class Pure:
    def __init__(self):
        self.x = 1

    def __repr__(self):
        return f"Pure({self.x})"


class Contained:
    def __repr__(self):
        text = "Contained"
        return text


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Data:
    x: int
    y: str


Point = collections.namedtuple("Point", "x y")
rng = random.Random(1)
VALUES = {
    "None": None,
    "int, 1 digit": 7,
    "int, 6 digits": 123456,
    "int, 18 digits": 123456789012345678,
    "int, 30 digits": 10**29,
    "float 3.5": 3.5,
    "float, 17 digits": 1 / 3,
    "str, 5": "hello",
    "str, 40": "x" * 40,
    "str, 40 to escape": "it's \n" * 7,
    "str, 40 wide": "\xe9" * 40,
    "list of 16 ints": [rng.randrange(100) for _ in range(16)],
    "list of 16 floats": [rng.random() for _ in range(16)],
    "dict of 15 str: int": {"key%d" % i: i * 7 for i in range(15)},
    "6 x 6 lists": [[i * 6 + j for j in range(6)] for i in range(6)],
    "set of 16": set(range(16)),
    "list of 10**6": list(range(10**6)),
    "str of 10**6": "x" * 10**6,
    "plain object": Plain(),
    "__repr__, pure": Pure(),
    "__repr__, contained": Contained(),
    "named tuple": Point(1, 2),
    "data class": Data(1, "a"),
    "enum": Color.RED,
    "counter": collections.Counter("abracadabra"),
    "deque": collections.deque([1, 2, 3]),
    "fraction": fractions.Fraction(1, 2),
    "module": random,
    "exception": ValueError("x"),
}


def main():
    with open(__file__, encoding="utf-8") as f:
        cwm_value.start(65536, f.read(), main.__code__.co_filename)
    print("%-22s %12s %12s" % ("value", "ns", "repr() ns"))
    for name, value in VALUES.items():
        once = cwm_value.ns_per_value(value, 5)
        times = max(5, min(100000, int(2e7 / once)))
        ours = min(cwm_value.ns_per_value(value, times) for _ in range(5))
        calls = max(1, min(20000, times // 10))
        theirs = min(timeit.repeat(lambda: repr(value), number=calls,
                                   repeat=3)) / calls * 1e9
        print("%-22s %12.1f %12.1f" % (name, ours, theirs))


main()
