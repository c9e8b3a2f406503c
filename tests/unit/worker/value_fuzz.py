# SPDX-License-Identifier: MIT
"""Values at random, all kinds nested in all: their text against repr().

usage: value_fuzz.py MODULE_DIR [SEED [COUNT]]
"""
import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import random
import re
import struct
import sys
import time
import types

sys.path.insert(0, sys.argv[1])
import cwm_value  # noqa: E402

SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 1
COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 20000
MAX_BYTES = 65536
rng = random.Random(SEED)


class Plain:
    pass


class ListSub(list):
    pass


class TupleSub(tuple):
    pass


class DictSub(dict):
    pass


class SetSub(set):
    pass


class FrozenSub(frozenset):
    pass


class IntSub(int):
    pass


class FloatSub(float):
    pass


class StrSub(str):
    pass


class BytesSub(bytes):
    pass


class ArraySub(bytearray):
    pass


class Oops(Exception):
    pass


class Meta(type):
    pass


class WithMeta(metaclass=Meta):
    pass


class Outer:
    class Inner:
        pass

    def method(self):
        pass


class Color(enum.Enum):
    RED = 1
    GREEN = "g"
    BOTH = (1, [2])


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Bits(enum.Flag):
    A = 1
    B = 2
    C = 4


class IntBits(enum.IntFlag):
    A = 1
    B = 2


class Word(str, enum.Enum):
    X = "x"


@dataclasses.dataclass
class Empty:
    pass


@dataclasses.dataclass
class Data:
    first: object
    second: object = None


@dataclasses.dataclass(frozen=True)
class Frozen:
    first: object
    second: object
    third: object = dataclasses.field(default=1, repr=False)
    fourth: int = 4

    if sys.version_info >= (3, 10):
        fifth: int = dataclasses.field(default=5, kw_only=True)


@dataclasses.dataclass
class Slots:
    __slots__ = ("a", "b")
    a: object
    b: object


ALPHABETS = [
    "abcdefghij KLMNOP0123456789_-.,:",
    "ab'\"\\\n\r\t\0\x01\x1f\x7f ",
    "aé\xa0\xad\xff\x80ß'",
    "aλж\u2026\u200b\ud800\udfff中\u0378'\"",
    "a😀\U0010ffff\U000e0001𝒳\u3000",
]


def text():
    alphabet = rng.choice(ALPHABETS)
    n = rng.choice([0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 64, 200])
    return "".join(rng.choice(alphabet) for _ in range(n))


def number():
    pick = rng.randrange(8)
    if pick == 0:
        return rng.randrange(-10, 10)
    if pick == 1:
        return rng.randrange(-1000, 100000)
    if pick == 2:
        return rng.choice([-1, 1]) * (1 << rng.randrange(0, 130))
    if pick == 3:
        return rng.choice([-1, 1]) * ((1 << rng.randrange(0, 130)) - 1)
    if pick == 4:
        return rng.choice([-1, 1]) * 10 ** rng.randrange(0, 40)
    if pick == 5:
        return rng.randrange(-(10**60), 10**60)
    if pick == 6:
        return IntSub(rng.randrange(-(10**30), 10**30))
    return rng.choice([True, False])


def real():
    pick = rng.randrange(8)
    if pick == 0:
        return rng.choice([0.0, -0.0, float("inf"), float("-inf"),
                           float("nan"), 5e-324, 1e16, 1e15, 1e22, 1e-5,
                           0.0001, 123456789012345678.0, 9007199254740993.0])
    if pick == 1:
        return rng.randrange(-10**9, 10**9) / 10 ** rng.randrange(0, 12)
    if pick == 2:
        return round(rng.uniform(-1000, 1000), rng.randrange(0, 6))
    if pick == 3:
        return struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
    if pick == 4:
        return rng.random()
    if pick == 5:
        return float(rng.randrange(-(2**60), 2**60))
    if pick == 6:
        return rng.uniform(-1, 1) * 10.0 ** rng.randrange(-10, 20)
    return FloatSub(rng.uniform(-10, 10))


def leaf():
    pick = rng.randrange(12)
    if pick < 3:
        return number()
    if pick < 5:
        return real()
    if pick < 8:
        return text()
    if pick == 8:
        return None
    if pick == 9:
        return rng.choice([..., NotImplemented, StrSub(text()),
                           complex(real(), real()),
                           range(rng.randrange(9)),
                           range(number(), number(), rng.randrange(1, 5)),
                           range(9, 2, -3), slice(None, text(), number())])
    data = bytes(rng.choice([rng.randrange(256), 39, 34, 92, 97])
                 for _ in range(rng.randrange(20)))
    return rng.choice([bytes, bytearray, BytesSub, ArraySub])(data)


def named():
    """Things whose text holds names or addresses."""
    obj = Plain()
    return rng.choice([
        obj, Plain, Outer.Inner, Outer().method, Outer.method, WithMeta, Meta,
        WithMeta(), int, type, len, [].append, {}.get, str.upper, int.__add__,
        (1).__add__, object(), iter([1]), iter(()), iter("ab"), iter({}),
        iter({1}), reversed([1]), enumerate([]), zip(), map(int, []),
        (x for x in ()), lambda: 0, sys, re, types.FunctionType.__get__,
        int.real, property(), memoryview(b"ab"), types.CellType(1),
        types.CellType(), collections.OrderedDict, range(3).__iter__(),
        ValueError, Oops, collections.deque, type(None), Exception.args,
        dict.fromkeys, dict.__dict__["fromkeys"], super(Outer, Outer()),
        sys.stdout.__class__, text.__code__, sys._getframe(),
    ])


def hashable(depth):
    pick = rng.randrange(8)
    if pick < 6 or depth <= 0:
        value = leaf()
        while isinstance(value, (bytearray, slice)):
            value = leaf()
        return value
    if pick == 6:
        return tuple(hashable(depth - 1) for _ in range(rng.randrange(4)))
    return frozenset(hashable(depth - 1) for _ in range(rng.randrange(4)))


def value(depth):
    pick = rng.randrange(24)
    n = rng.choice([0, 0, 1, 1, 2, 3, 5, 9])
    if depth <= 0 or pick < 7:
        return leaf()
    if pick < 10:
        return [value(depth - 1) for _ in range(n)]
    if pick < 12:
        return tuple(value(depth - 1) for _ in range(n))
    if pick < 14:
        return {hashable(depth - 1): value(depth - 1) for _ in range(n)}
    if pick == 14:
        return {hashable(depth - 1) for _ in range(n)}
    if pick == 15:
        return frozenset(hashable(depth - 1) for _ in range(n))
    if pick == 16:
        return rng.choice([ListSub, TupleSub, SetSub, FrozenSub])(
            hashable(depth - 1) for _ in range(n))
    if pick == 17:
        return DictSub({hashable(1): value(depth - 1) for _ in range(n)})
    if pick == 18:
        kind = rng.choice([ValueError, KeyError, Oops, OSError, StopIteration,
                           SystemExit])
        try:
            return kind(*[value(depth - 1) for _ in range(rng.randrange(4))])
        except TypeError:
            return None
    if pick == 19:
        items = {hashable(1): value(depth - 1) for _ in range(n)}
        return rng.choice([dict.keys, dict.values, dict.items])(items)
    if pick == 20:
        return slice(value(depth - 1), value(depth - 1), value(depth - 1))
    if pick == 21:
        items = [value(depth - 1)]
        items.append(items)
        table = {1: items, 2: value(0)}
        table[3] = table
        return rng.choice([items, table, (items, table)])
    return extra(depth, n)


def library(depth):
    """Classes of the standard library, and what makes their like."""
    a, b = value(depth - 1), value(depth - 1)
    zone = rng.choice([None, datetime.timezone.utc, datetime.timezone(
        datetime.timedelta(hours=2), "Z'")])
    return rng.choice([
        Color.RED, Color.BOTH, Color.GREEN, Level.HIGH, Bits.A, Bits.A | Bits.C,
        Bits(0), IntBits.A | IntBits.B, Word.X, Empty(), Data(a, b), Data(a),
        Frozen(a, b), Slots(a, b), fractions.Fraction(rng.randrange(99), 7),
        decimal.Decimal("1.50"), datetime.date(2024, 2, 29),
        datetime.datetime(2024, 1, 2, 3, 4, 5, 6, zone),
        datetime.time(1, 2, 3, tzinfo=zone), datetime.timedelta(1, 2, 3),
        re.compile("a'b", re.I), re.compile(b"x"), re.match("(a)", "ab"),
        time.gmtime(0), staticmethod(len) if sys.version_info >= (3, 10) else 0,
        array.array("d", [1.5, 2]), array.array("i"), collections.Counter(
            rng.choice("abcdefg") for _ in range(20)),
    ])


def extra(depth, n):
    pick = rng.randrange(13)
    if pick > 8:
        return library(depth)
    items = [value(depth - 1) for _ in range(n)]
    table = {hashable(1): value(depth - 1) for _ in range(n)}
    if pick == 0:
        return collections.deque(items, rng.choice([None, n, n + 3]))
    if pick == 1:
        return collections.OrderedDict(table)
    if pick == 2:
        made = collections.defaultdict(rng.choice([None, int, list]))
        made.update(table)
        return made
    if pick == 3:
        return types.MappingProxyType(table)
    if pick == 4:
        return types.SimpleNamespace(**{"a%d" % i: v
                                        for i, v in enumerate(items)})
    if pick == 5:
        import functools
        return functools.partial(int, *items)
    if pick == 6:
        return collections.namedtuple(
            "Point", ["f%d" % i for i in range(n)])(*items)
    if pick == 7:
        return rng.choice([collections.OrderedDict.keys,
                           collections.OrderedDict.values,
                           collections.OrderedDict.items])(
                               collections.OrderedDict(table))
    return collections.Counter({hashable(0): rng.randrange(9)
                                for _ in range(n)})


ADDRESS = re.compile(r" (?:at|@) 0x[0-9a-fA-F]+")
MODULE = re.compile(r"(<module '[^']*') from '[^']*'>")
CODE_FILE = re.compile(r"(file [\"'])/[^\"']*/")


def expected(v, strip):
    try:
        s = repr(v)
    except Exception:
        return "<unrepresentable %s object>" % type(v).__name__
    if strip:
        s = MODULE.sub(r"\1>", ADDRESS.sub("", s))
        s = CODE_FILE.sub(r"\1", s)
    return s


def check(v, strip):
    want = expected(v, strip).encode("utf-8", "surrogatepass")
    got, cut = cwm_value.render(v)
    if len(want) > MAX_BYTES:
        keep = want[:MAX_BYTES - 3].decode("utf-8", "ignore").encode()
        want = keep + b"\xe2\x80\xa6"
        assert cut
    if got == want:
        return True
    for i in range(max(len(got), len(want))):
        if got[i:i + 1] != want[i:i + 1]:
            break
    print("differs at byte", i, "of a", type(v).__name__)
    print("  repr:", want[max(0, i - 60):i + 60])
    print("  ours:", got[max(0, i - 60):i + 60])
    return False


def main():
    failures = 0
    cwm_value.start(MAX_BYTES)
    for _ in range(COUNT):
        failures += not check(value(rng.randrange(5)), False)
    for _ in range(COUNT // 20):
        v = named()
        failures += not check(rng.choice([v, [v], (v, 1), {"k": v}]), True)
    for _ in range(COUNT):
        failures += not check(real(), False)
        failures += not check(text(), False)
        failures += not check(number(), False)
    print("%s: %d values, %d scratch processes, %d differ" % (
        sys.version.split()[0], COUNT * 4, cwm_value.forks(), failures))
    sys.exit(failures > 0)


main()
