# SPDX-License-Identifier: MIT
"""Methods that need no scratch process, and those that only look like it.

usage: value_pure.py MODULE_DIR
"""
import collections
import dataclasses
import sys
import traceback

sys.path.insert(0, sys.argv[1])
import cwm_value  # noqa: E402

LOG = []
REPR = repr  # the tests put another under its name


class Base:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Fields(Base):
    def __repr__(self):
        """A docstring."""
        return f"Fields(a={self.a}, b={self.b!r}, c={self.c!s}) {{}} {'x'}"


class Percent(Base):
    def __repr__(self):
        return "%s<%r, %d%%, %.2f>" % (self.__class__.__name__, self.a, self.i,
                                       self.f)


class Single(Base):
    def __repr__(self):
        return "Single(%r)" % self.a


class Format(Base):
    def __repr__(self):
        return "{}({!r}, {:>5}, {{{}}})".format(type(self).__name__, self.a,
                                                self.i, self.b)


class FormatNamed(Base):
    def __repr__(self):
        return "{x!r}/{0}/{y:.3f}".format(self.b, x=self.a, y=self.f)


class Plus(Base):
    def __repr__(self):
        return "Plus(" + repr(self.a) + ", " + str(self.b) + ", " + self.s + ")"


class Join(Base):
    def __repr__(self):
        return "[" + ", ".join(map(str, self.items)) + "]"


class JoinRepr(Base):
    def __repr__(self):
        return "|".join(repr(x) for x in self.items) + "|".join(
            [f"{y}" for y in self.items])


class JoinRaw(Base):
    def __repr__(self):
        return f"JoinRaw({', '.join(self.words)}, {len(self.items)})"


class Either(Base):
    def __repr__(self):
        return (f"Either({self.a!r}" + (f", {self.n}" if self.n is not None
                                        else "") + ")")


class Truth(Base):
    def __repr__(self):
        return "full" if self.items else "empty"


class Spec(Base):
    def __repr__(self):
        return f"({self.f:.2f}, {self.i:03d}, {self.s:>8}|{self.i:,})"


class Private(Base):
    def __init__(self):
        self.__hidden = 5

    def __repr__(self):
        return f"Private({self.__hidden})"


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a

    def __repr__(self):
        return f"Slotted({self.a!r})"


class HalfSlotted(Slotted):
    def __repr__(self):
        return f"Half({self.b})"


class Str(Base):
    def __str__(self):
        return f"str of {self.a}"


class Both(Base):
    def __str__(self):
        return f"<{self.a}>"

    def __repr__(self):
        return str(self)


class Alias(Base):
    def __str__(self):
        return f"Alias {self.a}"

    __repr__ = __str__


class Holds(Base):
    def __repr__(self):
        return f"Holds({self.inner}, {self.inner!r}, {self.inner.a})"


class Node:
    def __init__(self, value, next=None):
        self.value = value
        self.next = next

    def __repr__(self):
        return f"Node({self.value}, {self.next})"


class ClassAttr(Base):
    kind = "shared"

    def __repr__(self):
        return f"{self.kind}:{self.a}"


class Outer:
    class Inner(Base):
        def __repr__(self):
            return f"{type(self).__qualname__}.{self.a}"


def local_class():
    class Local(Base):
        def __repr__(self):
            return f"{self.__class__.__qualname__}({self.a})"
    return Local


Local = local_class()


@dataclasses.dataclass
class Data:
    node: object


class LinkedList(Base):
    def __repr__(self):
        """Nodes by an attribute walk."""
        text = ""
        node = self.head
        while node:
            text += f"<{node.value}> ---> "
            node = node.next
        text += "<END>"
        return text


class LinkedParts(Base):
    def __repr__(self) -> str:
        parts: list = []
        node = self.head
        while node is not None:
            parts.append(repr(node.value))
            node = node.next
        return "List([" + ", ".join(parts) + "])"


class FromSelf(Base):
    def __repr__(self):
        text = f"{self.value}"
        here = self
        while here.next is not None:
            here = here.next
            text = text + "," + str(here.value)
        return f"({text}) of {self.value!r}{here.value}"


class Early(Base):
    def __repr__(self):
        if self.items is None:
            return "Early()"
        elif not self.items:
            return f"{self.__class__.__name__}(empty)"
        out = [str(self.a), "b"]
        for x in self.items:
            if x is None:
                continue
            if not x:
                break
            out.append(f"{x!r}:")
        return f"{self.a}[{'; '.join(out)}]"


class Matrix(Base):
    def __str__(self):
        text = "Matrix of " + str(len(self.rows)) + "\n"
        for row in self.rows:
            text += "["
            for cell in row:
                text += str(cell) + " "
            text += "]\n"
        return text

    def __repr__(self):
        return str(self)


class Rows(Base):
    def __repr__(self):
        lines = []
        for row in self.rows:
            lines.append(" ".join(str(x) for x in row))
        return "\n".join(lines)


class Dicts(Base):
    def __repr__(self):
        s = ''
        for key, value in self.d.items():
            s += f"{key}={value!r};"
        for key in self.d:
            s += str(key)
        for value in self.d.values():
            s += str(value)
        for key in self.d.keys():
            s += repr(key)
        return s


class Tree(Base):
    def __repr__(self):
        if self.left is None and self.right is None:
            return f"'{self.value}'"
        text = str(self.value)
        if self.left is not None or not self.right:
            text += f"<{self.left}"
        else:
            pass
        if not (self.right is None or self.left is None):
            text += f">{self.right!r}"
        return text


class Unless(Base):
    def __repr__(self):
        if self.a is not None:
            return "short"
        import string
        LOG.append(string)
        return "long"


class Optional(Base):
    def __repr__(self):
        text = f"Optional(a={self.a}"
        if self.n is not None:
            text += f", n={self.n}"
        return f"{text})"


class Empty(Base):
    def __repr__(self):
        parts = []
        for x in self.items:
            parts.append(x)
        return "".join(parts)


class Spins(Base):
    def __repr__(self):
        node = self.head
        while node:
            node = node.next
        return "never"


def chain(n):
    node = None
    for i in range(n):
        node = Node(i, node)
    return node


COMMON = dict(a="it's", b=[1, "x"], c=None, i=7, f=1.5, s="text", n=None,
              items=[1, "two", 3.0, None], words=["p", "q"])

PURE = [
    Fields(**COMMON), Percent(**COMMON), Single(a=1), Single(a=[1]),
    Format(**COMMON), FormatNamed(**COMMON), Plus(**COMMON), Join(**COMMON),
    Join(items=()), Join(items=[Node(1)]), JoinRepr(**COMMON),
    JoinRaw(**COMMON), Either(**COMMON), Either(a=1, n=2), Truth(items=[]),
    Truth(items={1: 2}), Truth(items=Base()), Spec(**COMMON), Private(),
    Slotted([1]), Both(a=1), Both(a=Str(a=2)), Alias(a=3),
    Holds(inner=Alias(a=1)), Holds(inner=Both(a="q")),
    Node(1, Node(2, Node("three"))), ClassAttr(a=1), Outer.Inner(a=1),
    Local(a=2), Data(Node(1)), [Node(1), {"k": Node(Data(Node(None)))}],
    collections.deque([Node(" at 0x12")]), {Node(1): Node(2)},
    Fields(a=1 << 100, b=float("nan"), c=True),
    LinkedList(head=None), LinkedList(head=chain(3)), LinkedParts(head=None),
    LinkedParts(head=chain(40)), LinkedParts(head=Node("x", Node([1, 2.5]))),
    LinkedList(head=Node(LinkedParts(head=Node(LinkedList(head=chain(2)))))),
    FromSelf(value=1, next=FromSelf(value="b", next=None)),
    Early(items=None), Early(items=[]), Early(items=[1, None, "x"], a="a"),
    Early(items=(1, 0, 2), a=None), Early(items={1: 2, "k": None}, a=2),
    Matrix(rows=[[1, 2], [3.5, "x"], []]), Matrix(rows=()),
    Rows(rows=[(1, 2), [3]]), Rows(rows=[]), Rows(rows=[[Tree(
        value=1, left=None, right=None)]]),
    Dicts(d={}), Dicts(d={"a": 1, 2: [3]}), Unless(a=1),
    Tree(value=1, left=Tree(value=2, left=None, right=None), right=Tree(
        value=3, left=None, right=Tree(value=4, left=None, right=None))),
    Optional(a=1, n=None), Optional(a=1, n=2), Empty(items=[]),
    Empty(items=["a", "b"]), [Optional(a=chain(5), n=chain(70))],
]


# ---- and those that are contained ----

class Property(Base):
    @property
    def a(self):
        LOG.append("property")
        return 1

    def __repr__(self):
        return f"Property({self.a})"


class Getattr(Base):
    def __getattr__(self, name):
        LOG.append("getattr")
        return 2

    def __repr__(self):
        return f"Getattr({self.missing})"


class Calls(Base):
    def name(self):
        LOG.append("call")
        return 1

    def __repr__(self):
        return f"Calls({self.name()})"


class Statements(Base):
    def __repr__(self):
        LOG.append("statement")
        return f"Statements({self.a})"


class Walrus(Base):
    def __repr__(self):
        return f"{(x := self.a)}"


class Default(Base):
    def __repr__(self, a=LOG.append("default")):
        return f"Default({self.a})"


def decorator(function):
    def wrapper(self):
        LOG.append("decorator")
        return function(self)
    return wrapper


class Decorated(Base):
    @decorator
    def __repr__(self):
        return f"Decorated({self.a})"


class FormatsItself(Base):
    def __format__(self, spec):
        LOG.append("format")
        return "formatted"


class Appends(Base):
    def __repr__(self):
        out = self.items
        out.append("more")
        return "".join(out)


class AppendsThen(Base):
    def __repr__(self):
        text = ""
        for x in self.items:
            self.items.append(x)
            text += str(x)
        return text


class Assigns(Base):
    def __repr__(self):
        text = "x"
        self.count = LOG.append("assigned")
        return text


class Prepends(Base):
    def __repr__(self):
        text = ""
        for x in self.items:
            text = str(x) + text
        return text


class Slices(Base):
    def __repr__(self):
        text = ""
        for x in self.items:
            text += str(x) + ", "
        return text[:-2]


class Twice(Base):
    def __repr__(self):
        text = "a"
        text += "b"
        return text + text


class Shadow(Base):
    def __repr__(self):
        str = LOG.append
        text = "a"
        text += f"{str(self.a)}"
        return text


class ShadowLater(Base):
    def __repr__(self):
        text = f"{len(self.items)}"
        if self.a:
            return text
        len = self.a
        return text


class Unbound(Base):
    def __repr__(self):
        text = ""
        if self.a is None:
            node = self.a
        text += repr(node)
        return text


class NextSelf(Base):
    def __repr__(self):
        text = ""
        while self is not None:
            text += f"{self.a},"
            self = self.next
        return text


class Global(Base):
    def __repr__(self):
        global COLLECTED
        COLLECTED = ""
        COLLECTED += str(self.a)
        return COLLECTED


class Iterates(Base):
    def __iter__(self):
        LOG.append("iter")
        return iter([1, 2])

    def __repr__(self):
        text = ""
        for x in self:
            text += str(x)
        return text


class Tries(Base):
    def __repr__(self):
        text = ""
        try:
            text += str(self.missing)
        except AttributeError:
            text += "none"
        return text


class Elses(Base):
    def __repr__(self):
        text = ""
        for x in self.items:
            text += str(x)
        else:
            text += "else"
        return text


class VarBefore(Base):
    def __repr__(self):
        node = self.a
        text = "x"
        node = self.n
        return f"{node}{text}{node}"


class ItemsTrap(dict):
    def items(self):
        LOG.append("items")
        return [(1, 2)]


class StrSub(str):
    def __str__(self):
        LOG.append("str")
        return "no"

    def __format__(self, spec):
        LOG.append("strformat")
        return "sub"


class BoolTrap(Base):
    def __bool__(self):
        LOG.append("bool")
        return False


class IterTrap(list):
    def __iter__(self):
        LOG.append("iter")
        return iter("no")


class ClassTrap(Base):
    @property
    def __class__(self):
        LOG.append("class")
        return int

    def __repr__(self):
        return f"{self.__class__.__name__}({self.a})"


class Meta(type):
    @property
    def __name__(cls):
        LOG.append("meta")
        return "Lies"


class MetaTrap(Base, metaclass=Meta):
    def __repr__(self):
        return f"{type(self).__name__}({self.a})"


class Descriptor:
    def __get__(self, obj, kind):
        LOG.append("get")
        return "got"


class Described(Base):
    a = Descriptor()

    def __repr__(self):
        return f"Described({self.a})"


class Own(Base):
    def __repr__(self):
        return f"Own({self.a})"


class Long(Base):
    def __repr__(self):
        text = ""
        for x in self.items:
            text += x
        return text


def patched():
    class Patched(Base):
        def __repr__(self):
            return "P" + repr(self.a)
    return Patched


CONTAINED = [
    Property(), Getattr(), Calls(), Statements(a=1), Walrus(a=1), Default(a=1),
    Decorated(a=1), Fields(a=FormatsItself(), b=1, c=1),
    Fields(a=StrSub("x"), b=1, c=1), Truth(items=BoolTrap()),
    Join(items=IterTrap([1])), ClassTrap(a=1), MetaTrap(a=1), Described(),
    Single(a=(1,)), Percent(a=1, i=True, f=1.5), Plus(a=1, b=StrSub("q"), s="x"),
    Percent(a=1, i=2, f=True),
    Appends(items=["a"]), AppendsThen(items=[]), Assigns(), Prepends(
        items=[1, 2]), Slices(items=[1, 2]), Twice(), Shadow(a=1), NextSelf(
        a=1, next=None), Global(a=1), Iterates(), Tries(), Elses(items=[1]),
    VarBefore(a=1, n=2), Dicts(d=ItemsTrap({3: 4})), LinkedList(
        head=BoolTrap(value=1, next=None)), Early(items=IterTrap([1]), a=1),
    Early(items=[BoolTrap()], a=1), Empty(items=[StrSub("x")]),
    Empty(items={"a"}), Unless(a=None), Matrix(rows=[range(3)]),
    Long(items=["x" * 3000] * 30),
]

RAISE = [Fields(a=1), Slotted.__new__(Slotted), HalfSlotted(1), Plus(
    a=1, b=2, s=3), JoinRaw(words=[1], items=[]), Spec(f="x", i=1, s=""),
    Single(a=(1, 2)), ShadowLater(items=[1], a=1), Unbound(a=1),
    LinkedList(head=1), Dicts(d=[1]), Matrix(rows=[1]), Empty(items=[1]),
    Rows(rows=None), Node(1, None)]
RAISE[-1].next = RAISE[-1]


def text(value):
    return cwm_value.render(value)[0].decode("utf-8", "surrogatepass")


def check(values, may_fork):
    failures = 0
    for value in values:
        forks = cwm_value.forks()
        got = text(value)
        got = text(value)
        forks = cwm_value.forks() - forks
        asked = list(LOG)
        try:
            want = REPR(value)
        except Exception:
            want = "<unrepresentable %s object>" % type(value).__name__
        del LOG[:]
        if len(want) > MAX_BYTES:
            want = want[:MAX_BYTES - 3] + "\u2026"
        if got != want or asked:
            failures += 1
            print("%r, want %r, effects %r" % (got[:200], want[:200], asked))
        # One process makes the recipe (more for several methods), none else.
        if not may_fork:
            before = cwm_value.forks()
            text(value)
            if cwm_value.forks() != before:
                failures += 1
                print("%r needs a process each time" % got[:100])
        elif may_fork == "must" and forks == 0:
            failures += 1
            print("%r was taken for pure" % got)
    return failures


def check_shadows():
    """A program that redefines what a recipe takes for granted."""
    failures = 0
    value = Plus(**COMMON)
    for name in ("repr", "str"):
        globals()[name] = lambda x: LOG.append(x) or "mine"
        failures += check([value], "must")
        del globals()[name]
    import builtins
    saved = builtins.str
    builtins.str = lambda x: "mine"
    failures += check([value], "must")
    builtins.str = saved
    failures += check([value], False)
    # Another class of the same text, and one whose text is not the program's.
    failures += check([patched()(a=1), patched()(a=2)], False)
    space = {"Base": Base}
    code = compile("class X(Base):\n    def __repr__(self):\n"
                   "        return 'X' + repr(self.a)\n", FILE, "exec")
    exec(code, space)
    failures += check([space["X"](a=1)], "must")
    # What has no end is not shown, whether it writes or not.
    ring = Node(1)
    ring.next = ring
    for endless in (LinkedList(head=ring), Spins(head=ring)):
        if text(endless) != "<unrepresentable %s object>" % (
                type(endless).__name__):
            failures += 1
            print("endless: %r" % text(endless)[:100])
    Own.__repr__ = Fields.__repr__
    failures += check([Own(**COMMON)], False)
    return failures


FILE = check.__code__.co_filename
MAX_BYTES = 65536


def main():
    with open(__file__, encoding="utf-8") as f:
        source = f.read()
    cwm_value.start(MAX_BYTES, source, FILE)
    failures = 0
    del LOG[:]
    try:
        failures += check(PURE, False)
        failures += check(CONTAINED, "must")
        failures += check(RAISE, True)
        failures += check_shadows()
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        failures += 1
    print("%s: %d methods, %d failed" % (
        sys.version.split()[0], len(PURE) + len(CONTAINED) + len(RAISE),
        failures))
    sys.exit(failures > 0)


main()
