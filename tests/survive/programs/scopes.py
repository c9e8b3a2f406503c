import functools


def trace_calls(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        result = function(*args, **kwargs)
        return result
    return wrapper


class Meta(type):
    def __new__(mcls, name, bases, names):
        cls = super().__new__(mcls, name, bases, names)
        cls.tag = name.lower()
        return cls


class Base(metaclass=Meta):
    limit = 3

    def __init__(self, value):
        self.value = value

    @property
    def double(self):
        return self.value * 2

    @classmethod
    def make(cls, value):
        return cls(value)

    @staticmethod
    def plain(x):
        return x + 1

    def __repr__(self):
        return "Base(%r)" % (self.value,)


class Derived(Base):
    def __init__(self, value):
        super().__init__(value)
        self.extra = [value]


@trace_calls
def decorated(a, b=2, *rest, c, d=4, **more):
    x = a
    del x
    y = b
    x = y
    return (a, b, rest, c, d, more, x, y)


def closures(n):
    count = 0

    def bump(by):
        nonlocal count
        count += by
        return count

    def deep():
        def deeper():
            return n + count
        return deeper()
    bump(1)
    bump(2)
    return deep(), [bump(i) for i in range(2)], count


def loops():
    for i in range(3):
        if i == 1:
            continue
        j = i
    else:
        k = "else"
    while True:
        j += 1
        if j > 4:
            break
    (lambda z: z + j)(1)
    w = sorted([3, 1, 2], key=lambda v: -v)
    return i, j, k, w


def errors():
    try:
        try:
            [].pop()
        except IndexError as e:
            raise RuntimeError("again") from e
        finally:
            cleanup = 1
    except RuntimeError as error:
        text = str(error)
    try:
        return text
    finally:
        text = "changed"


def main():
    class Local(Derived):
        field: int = 7
        other = [q for q in range(2)]

        def method(self):
            return __class__.__name__
    a = Local.make(5)
    b = a.double, a.method(), Base.plain(1), a.tag
    c = decorated(1, c=3, z=26)
    c2 = decorated(*[1, 2, 3], **{"c": 9})
    d = closures(10)
    e = loops()
    f = errors()
    exec("hidden = 1\nfor _ in range(2): hidden += 1", {})
    g = eval("1 + 1")
    h = (n := 5) + n
    s = {1, 2} | {3}
    print("output", g, h)
    first, *others = [1, 2, 3]
    return a, b, c, c2, d, e, f, s, first, others
