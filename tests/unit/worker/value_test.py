# SPDX-License-Identifier: MIT
"""Values that fight back: their text, and that rendering them changed nothing.

usage: value_test.py MODULE_DIR [NAME...]
"""
import collections
import dataclasses
import enum
import gc
import os
import sys
import time
import traceback

sys.path.insert(0, sys.argv[1])
import cwm_value  # noqa: E402

MAX_BYTES = 65536
TESTS = []
LOG = []


def test(function):
    TESTS.append(function)
    return function


def text(value):
    data, _ = cwm_value.render(value)
    return data.decode("utf-8", "surrogatepass")


def same(value, want):
    got = text(value)
    if got != want:
        raise AssertionError("got %.300r, want %.300r" % (got, want))


def lost(value):
    same(value, "<unrepresentable %s object>" % type(value).__name__)


# ---- reprs with effects ----

@test
def repr__does_not_reach_the_program():
    class Counts:
        n = 0
        items = []

        def __repr__(self):
            Counts.n += 1
            self.seen = True
            Counts.items.append(1)
            LOG.append(self)
            return "Counts(%d)" % Counts.n

    c = Counts()
    same(c, "Counts(1)")
    same([c, c], "[Counts(1), Counts(2)]")
    same(c, "Counts(1)")
    assert Counts.n == 0 and Counts.items == [] and LOG == []
    assert "seen" not in c.__dict__


@test
def repr__that_raises_makes_the_whole_value_unrepresentable():
    for kind in (Exception, KeyboardInterrupt, SystemExit, GeneratorExit,
                 RecursionError, MemoryError):
        class Raises:
            def __repr__(self):
                raise kind("no")

        lost(Raises())
        lost([1, Raises()])
        lost({"a": (1, [Raises()])})
        lost({1, Raises()})


@test
def repr__that_never_ends_is_stopped():
    class Loops:
        def __repr__(self):
            while True:
                pass

    class LoopsInC:
        def __repr__(self):
            return str(sum(range(10**13)))

    for kind in (Loops, LoopsInC):
        begin = time.monotonic()
        lost(kind())
        assert time.monotonic() - begin < 8
        begin = time.monotonic()
        for _ in range(50):
            lost([kind()])  # not tried again
        assert time.monotonic() - begin < 1


@test
def repr__that_recurses_is_stopped():
    class Recurses:
        def __repr__(self):
            return repr(self)

    class Deep:
        def __init__(self, inner):
            self.inner = inner

        def __repr__(self):
            return "Deep(%r)" % (self.inner,)

    lost(Recurses())
    lost([Recurses()])
    value = None
    for _ in range(20):
        value = Deep(value)
    same(value, "Deep(" * 20 + "None" + ")" * 20)


@test
def repr__that_prints_is_silent():
    class Prints:
        def __repr__(self):
            print("out")
            print("err", file=sys.stderr, flush=True)
            os.write(1, b"fd 1\n")
            return "Prints()"

    read, write = os.pipe()
    saved = os.dup(1), os.dup(2)
    try:
        os.dup2(write, 1)
        os.dup2(write, 2)
        got = text(Prints())
    finally:
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        os.close(write)
    printed = os.read(read, 1000)
    os.close(read)
    assert got in ("Prints()", "<unrepresentable Prints object>"), got
    assert printed == b"", printed


@test
def repr__that_returns_no_str_is_unrepresentable():
    for wrong in (1, None, b"x", [], NotImplemented):
        class Wrong:
            def __repr__(self):
                return wrong

        lost(Wrong())

    class NoRepr:
        __repr__ = None

    lost(NoRepr())


@test
def repr__that_returns_surrogates_or_a_str_subclass():
    class Text(str):
        def __str__(self):
            raise ValueError

        def __len__(self):
            return 99

        def __repr__(self):
            return "no"

    class Surrogates:
        def __repr__(self):
            return "a\ud800b\0\U0001f600"

    class Sub:
        def __repr__(self):
            return Text("subclass")

    same(Surrogates(), "a\ud800b\0\U0001f600")
    same(Sub(), "subclass")
    same(Text("x"), "no")
    data, _ = cwm_value.render(Surrogates())
    assert data == b"a\xed\xa0\x80b\0\xf0\x9f\x98\x80", data


@test
def repr__that_ends_the_process():
    class Exits:
        def __repr__(self):
            os._exit(0)

    class Kills:
        def __repr__(self):
            os.kill(os.getpid(), 9)

    class Breaks:
        def __repr__(self):
            import ctypes
            ctypes.string_at(0)
            return "never"

    lost(Exits())
    lost(Kills())
    lost(Breaks())


# ---- objects that lie ----

@test
def class__lies_are_not_believed():
    class Liar:
        @property
        def __class__(self):
            LOG.append("asked")
            return int

    same(Liar(), "<%s.Liar object>" % (__name__ + "." + "class__lies_are_not"
                                       "_believed.<locals>"))
    assert LOG == []


@test
def class__with_a_metaclass_repr():
    class Meta(type):
        def __repr__(cls):
            LOG.append(cls)
            return "Meta!"

    class C(metaclass=Meta):
        pass

    same(C, "Meta!")
    assert LOG == []
    assert text(C()).endswith("C object>")


@test
def attributes__traps_are_not_sprung():
    class Trap:
        def __get__(self, obj, kind):
            LOG.append("get")
            return "trapped"

    class Traps:
        a = Trap()

        def __getattr__(self, name):
            LOG.append(name)
            return 1

        def __getattribute__(self, name):
            LOG.append(name)
            return object.__getattribute__(self, name)

        def __repr__(self):
            return "Traps(%s, %s)" % (self.a, self.b)

    same(Traps(), "Traps(trapped, 1)")
    assert LOG == []

    class Property:
        @property
        def a(self):
            LOG.append("a")
            return 5

        def __repr__(self):
            return f"Property({self.a})"

    same(Property(), "Property(5)")
    assert LOG == []


@test
def subclasses__with_their_own_protocols():
    class L(list):
        def __iter__(self):
            LOG.append(1)
            return iter("no")

        def __len__(self):
            LOG.append(2)
            return 0

    class D(dict):
        def __missing__(self, key):
            LOG.append(3)

        def items(self):
            LOG.append(4)
            return []

        def __iter__(self):
            LOG.append(5)
            return iter(())

        def __len__(self):
            return 0

    class S(set):
        def __iter__(self):
            LOG.append(6)
            return iter([1, 2])

    class I(int):
        def __repr__(self):
            return "I!"

    class DR(dict):
        def __repr__(self):
            return "DR " + dict.__repr__(self)

    for value in (L([1, 2]), D(a=1), S([5]), I(3), [I(3)], {I(3): I(4)},
                  DR(a=1)):
        before = list(LOG)
        got = text(value)
        assert LOG == before
        want = repr(value)
        del LOG[:]
        assert got == want, (got, want)


@test
def keys__are_not_compared():
    class Key:
        def __init__(self, h):
            self.h = h

        def __hash__(self):
            return self.h

        def __eq__(self, other):
            LOG.append("eq")
            return False

        def __repr__(self):
            return "Key"

    class Holder:
        def __repr__(self):
            return f"Holder({self.a})"

    holder = Holder()
    holder.__dict__[Key(hash("a"))] = 1
    holder.a = 2
    del LOG[:]
    same(holder, "Holder(2)")
    ordered = collections.OrderedDict()
    k = [Key(1), Key(1), Key(1)]
    for x in k:
        ordered[x] = 1
    ordered.move_to_end(k[0])
    del LOG[:]
    text(ordered)
    assert LOG == [], LOG


@test
def exceptions__with_odd_arguments():
    class E(Exception):
        def __init__(self, *args):
            pass

        @property
        def args(self):
            LOG.append(1)
            return "no"

    for e in (E(), E(1), E(1, "a"), ValueError(ValueError(1)), OSError(2, "x"),
              KeyError("k"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
              SyntaxError("m", ("f", 1, 2, "t")), StopIteration([1])):
        same(e, repr(e))
    e = ValueError()
    e.args = ([1], {})
    same(e, repr(e))
    e.args = (e,)  # no mark: too deep, or too long
    assert text(e)[:4] == "<unr" or text(e)[-1] == "\u2026"
    assert LOG == []


# ---- recursion ----

@test
def cycles__are_marked_as_repr_marks_them():
    class Node:
        def __init__(self):
            self.items = [self]

        def __repr__(self):
            return "Node(%r)" % (self.items,)

    a = []
    a.append(a)
    d = {"d": a}
    d["self"] = d
    a.append(d)
    t = (a, d)
    a.append(t)
    q = collections.deque([a])
    q.append(q)
    dd = collections.defaultdict(list)
    dd["x"] = dd
    o = collections.OrderedDict(a=1)
    o["o"] = o
    for value in (a, d, t, q, dd, o, [a, a], [q, d]):
        same(value, repr(value))
    same(Node(), repr(Node()))

    class Marks:
        def __init__(self):
            self.items = [1]
            self.items.append(self)

        def __repr__(self):
            return "Marks(%r)" % (self.items,)

    m = Marks()
    same(m.items, "<unrepresentable list object>"
         if raises(repr, m.items) else repr(m.items))

    @dataclasses.dataclass
    class Ring:
        next: object
        items: list

    r = Ring(None, [])
    r.next = r
    r.items.append(r)
    same(r, repr(r))
    same([r, r.items], repr([r, r.items]))


def raises(function, *args):
    try:
        function(*args)
    except Exception:
        return True
    return False


def nested(make, n):
    value = make(None)
    for _ in range(n - 1):
        value = make(value)
    return value


@test
def depth__has_repr_s_own_limit():
    @dataclasses.dataclass
    class Data:
        x: object

    Point = collections.namedtuple("Point", "x")
    makers = {
        "list": lambda v: [v],
        "tuple": lambda v: (v,),
        "dict": lambda v: {1: v},
        "frozenset": lambda v: frozenset([v]),
        "deque": lambda v: collections.deque([v]),
        "values": lambda v: {1: v}.values(),
        "items": lambda v: {1: v}.items(),
        "ordered": lambda v: collections.OrderedDict(a=v),
        "exception": lambda v: ValueError(v),
        "exception 2": lambda v: ValueError(v, 1),
        "slice": lambda v: slice(1, v, 2),
    }
    cwm_value.start(1 << 20)
    for name, make in makers.items():
        low, high = 1, 12000
        while high - low > 1:
            middle = (low + high) // 2
            # from a bare stack
            if BARE(nested(make, middle)):
                low = middle
            else:
                high = middle
        got = text(nested(make, low))
        bad = text(nested(make, low + 1))
        assert not got.startswith("<unrepr"), (name, low, got[:50])
        assert bad.startswith("<unrepr"), (name, low, bad[:50])
    cwm_value.start(MAX_BYTES)
    lost(nested(makers["list"], 200000))


def bare():
    """A function that tells whether repr() works from a bare stack."""
    import threading

    def ask(value):
        result = []

        def run():
            try:
                repr(value)
                result.append(True)
            except RecursionError:
                result.append(False)

        # A thread's stack: its first frames are threading's own (3).
        limit = sys.getrecursionlimit()
        threading.stack_size(512 * 1024 * 1024)
        t = threading.Thread(target=run)
        t.run = run
        if sys.version_info < (3, 12):
            sys.setrecursionlimit(limit + EXTRA)
        t.start()
        t.join()
        sys.setrecursionlimit(limit)
        return result[0]

    return ask


EXTRA = 2  # _bootstrap, _bootstrap_inner above run
BARE = bare()


@test
def depth__does_not_depend_on_the_program_s_stack():
    value = nested(lambda v: [v], 900 if sys.version_info < (3, 12) else 500)
    class Deep:
        def __init__(self, inner):
            self.inner = inner

        def __repr__(self):
            LOG.count(1)
            return "Deep(%r)" % (self.inner,)

    other = nested(Deep, 100)
    want = text(value), text(other)
    assert want[1].startswith("Deep(Deep(")

    def down(n):
        if n == 0:
            return text(value), text(other)
        return down(n - 1)

    limit = sys.getrecursionlimit()
    assert down(limit - 60) == want


# ---- size ----

@test
def size__is_paid_for_what_is_kept():
    for value in (list(range(10**6)), "x" * 10**7, {i: i for i in range(10**6)},
                  set(range(10**6)), b"\xff" * 10**7, tuple([1.5] * 10**6),
                  ["é" * 10**6] * 10, collections.deque(range(10**6)),
                  collections.OrderedDict.fromkeys(range(10**5))):
        begin = time.process_time()
        data, cut = cwm_value.render(value)
        spent = time.process_time() - begin
        assert cut and MAX_BYTES - 4 < len(data) <= MAX_BYTES
        assert spent < 0.02, (type(value), spent)
        want = repr(value).encode()
        assert data.endswith(b"\xe2\x80\xa6")
        assert want.startswith(data[:-3])
        data.decode("utf-8")


@test
def size__cut_at_every_length():
    value = ["aé😀", 1.5, {"k\n": (None, -12345678901234567890)}, b"\xff",
             "it's", {1, 2}, "\ud800", int, ValueError("x")]
    want = repr(value).encode("utf-8", "surrogatepass")
    for n in range(3, len(want) + 3):
        cwm_value.start(n)
        data, cut = cwm_value.render(value)
        if n >= len(want):
            assert data == want and not cut
            continue
        assert cut and data.endswith(b"\xe2\x80\xa6") and len(data) <= n
        assert want.startswith(data[:-3]) and len(data) > n - 4
        data.decode("utf-8", "surrogatepass")
    cwm_value.start(MAX_BYTES)


@test
def strings__every_character():
    for code in range(0x110000):
        value = chr(code) + "a'"[code & 1]
        got = cwm_value.render(value)[0]
        if got != repr(value).encode("utf-8", "surrogatepass"):
            raise AssertionError("U+%04X: got %r" % (code, got))


@test
def floats__short_and_long():
    for i in range(100000):
        for value in (i / 100, i * 1e-7, i * 1.1, i / 3, -i / 1024,
                      i * 1e13 + 0.5):
            if cwm_value.render(value)[0] != repr(value).encode():
                same(value, repr(value))


@test
def ints__of_any_size():
    limit = getattr(sys, "get_int_max_str_digits", lambda: 0)()
    for digits in (1, 17, 18, 19, 20, 100, 4299, 4300):
        same(10 ** (digits - 1), repr(10 ** (digits - 1)))
        same(-(10**digits - 1), repr(-(10**digits - 1)))
    big = 10 ** (10**5)
    if limit:
        lost(big)
        lost([big])
        sys.set_int_max_str_digits(0)
    data, cut = cwm_value.render(big)
    assert cut and data[:5] == b"10000"
    if limit:
        sys.set_int_max_str_digits(limit)


# ---- nothing is changed ----

@test
def rendering__leaves_no_trace():
    import datetime
    import decimal
    import re

    class Plain:
        def __init__(self):
            self.a = 1

    class Own:
        def __init__(self):
            self.a = 1

        def __repr__(self):
            return f"Own({self.a!r})"

    Point = collections.namedtuple("Point", "x y")

    class Color(enum.Enum):
        RED = 1

    @dataclasses.dataclass
    class Data:
        x: int

    values = [1, 1.5, "a", b"b", [1, [2]], (1,), {"a": {}}, {1}, Plain(), Own(),
              Point(1, 2), Color.RED, Data(1), collections.deque([1]),
              collections.OrderedDict(a=1), collections.Counter("aab"),
              ValueError("x"), sys, int, len, [].append, rendering__leaves,
              re.compile("a"), re.match("a", "a"), decimal.Decimal("1.5"),
              datetime.datetime(2020, 1, 1), iter([]), (x for x in ()),
              range(3), slice(1), {}.keys(), object(), 10**50, "é'\"",
              collections.defaultdict(int), __import__("array").array("i", [1]),
              datetime.timezone.utc, memoryview(b"")]
    for value in values:
        cwm_value.render_to(value)  # caches of the interpreter fill here
    gc.collect()
    gc.disable()
    try:
        footprint(None, id)  # a free tuple for get_count()
        for value in values:
            before = footprint(value, id)
            after = footprint(value, cwm_value.render_to)
            assert before == after, (value, before, after)
    finally:
        gc.enable()
    assert sys.exc_info() == (None, None, None)


def footprint(value, function):
    """What a call changes of reference counts and of allocation counts."""
    kind = type(value)
    count = gc.get_count
    own = sys.getrefcount(value)
    its = sys.getrefcount(kind)
    allocated = count()
    function(value)
    allocated_then = count()
    return (sys.getrefcount(value) - own, sys.getrefcount(kind) - its,
            allocated_then[0] - allocated[0], allocated_then[1:])


def rendering__leaves():
    pass


@test
def rendering__works_inside_a_trace_function():
    class Own:
        def __repr__(self):
            local = 1
            LOG.append(1)
            return "Own%d" % local

    seen = []

    def tracer(frame, event, arg):
        if frame.f_code is traced.__code__:
            for value in frame.f_locals.values():
                seen.append(text(value))
        return tracer

    def traced():
        value = Own()
        other = [value]
        return other

    sys.settrace(tracer)
    try:
        traced()
    finally:
        sys.settrace(None)
    assert "Own1" in seen and "[Own1]" in seen, seen
    assert LOG == []


@test
def rendering__works_beside_other_threads():
    import threading

    class Own:
        def __repr__(self):
            x = 0
            for i in range(2000):
                x += i
            return "Own"

    stop = []

    def spin():
        while not stop:
            pass

    threads = [threading.Thread(target=spin) for _ in range(2)]
    for t in threads:
        t.start()
    try:
        for _ in range(5):
            same([Own()], "[Own]")
    finally:
        stop.append(1)
        for t in threads:
            t.join()


# ---- what is removed ----

@test
def addresses__are_removed_but_not_from_strings():
    o = object()
    same([o, " at 0x12ab>", b" at 0x1"], "[<object object>, ' at 0x12ab>', "
         "b' at 0x1']")

    class Own:
        def __repr__(self):
            LOG.count(1)
            return "Own(%r)" % (o,)

    same(Own(), "Own(<object object>)")
    same(sys, "<module 'sys' (built-in)>")
    same(collections, "<module 'collections'>")
    same(type(sys)("made"), "<module 'made'>")
    same(memoryview(b""), "<memory>")
    same(addresses__are_removed_but_not_from_strings,
         "<function addresses__are_removed_but_not_from_strings>")
    same([].append, "<built-in method append of list object>")


# ---- snapshots ----

@test
def snapshots__vouch_for_equal_text_only():
    values = [None, True, False, 0, 1, -1, 2**59, -(2**59), 2**60, 2**70, 0.0,
              -0.0, 1.0, float("nan"), "", "a", "b", "ab", "é", "\xff",
              "\u0101", "\U0001f600", "x" * 16, "x" * 17, "x\0", "x\0\0", [],
              {}, (), set(), [1], b"", frozenset(), int, "1", 1 + 0j]
    for a in values:
        for b in values:
            vouched = cwm_value.same(a, b)
            if vouched:
                assert repr(a) == repr(b), (a, b)
            elif a is b and type(a) in (bool, float, type(None)):
                raise AssertionError("no snapshot of %r" % (a,))
    assert cwm_value.same("x" * 16, "".join(["x"] * 16))
    assert not cwm_value.same(1, True) and not cwm_value.same(0.0, -0.0)
    assert not cwm_value.same("\xff", "\u00ff\u0101"[1:])


def main():
    names = sys.argv[2:]
    failures = 0
    cwm_value.start(MAX_BYTES)
    for function in TESTS:
        if names and not any(n in function.__name__ for n in names):
            continue
        del LOG[:]
        try:
            function()
        except BaseException:
            failures += 1
            print("FAILED", function.__name__)
            traceback.print_exc(limit=-2, file=sys.stdout)
    print("%s: %d tests, %d failed" % (sys.version.split()[0], len(TESTS),
                                       failures))
    sys.exit(failures > 0)


main()
