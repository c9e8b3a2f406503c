def items():
    xs = [1, 2, 3]
    keep = 0
    keep = 1
    xs[1] = 5
    keep = 2
    keep = 3
    xs[0], xs[2] = xs[2], xs[0]
    keep = 4
    keep = 5
    xs[0] = 3.0
    keep = 6
    keep = 7
    xs[0] = True
    keep = 8
    keep = 9
    xs[0] = 1
    keep = 10
    keep = 11
    xs[0] = 0.0
    keep = 12
    keep = 13
    xs[0] = -0.0
    keep = 14
    keep = 15
    xs[0] = "short"
    keep = 16
    keep = 17
    xs[0] = "shorr"
    keep = 18
    keep = 19
    xs[0] = b"shorr"
    keep = 20
    keep = 21
    xs[0] = None
    xs.append(())
    keep = 22
    keep = 23
    xs[3] = []
    keep = 24
    keep = 25
    xs[3].append(1)
    keep = 26
    keep = 27
    xs[3] = (1,)
    keep = 28
    keep = 29
    xs = tuple(xs)
    keep = 30
    return xs, keep


def mappings():
    d = {"a": 1, "b": [2, {"c": 3}]}
    keep = 0
    keep = 1
    d["b"][1]["c"] = 4
    keep = 2
    keep = 3
    d["a"] = d.pop("a")
    keep = 4
    keep = 5
    d[1] = d.pop("b")
    keep = 6
    keep = 7
    d[True] = "overwrites 1, keeps its key"
    keep = 8
    keep = 9
    del d["a"]
    d["z"] = 26
    keep = 10
    keep = 11
    d.clear()
    keep = 12
    keep = 13
    d = []
    keep = 14
    keep = 15
    d = ()
    keep = 16
    keep = 17
    d = set()
    keep = 18
    keep = 19
    d = frozenset()
    keep = 20
    keep = 21
    d = bytearray(b"x")
    keep = 22
    d[0] = 65
    keep = 23
    return d, keep


def numbers():
    n = 2 ** 30 - 1
    keep = 0
    n += 1
    keep = 1
    n = -n
    keep = 2
    n = 2 ** 60 - 1
    keep = 3
    n += 1
    keep = 4
    n = 2 ** 64
    keep = 5
    n = -(2 ** 64)
    keep = 6
    n = float(2 ** 64)
    keep = 7
    n = float("nan")
    keep = 8
    n = -n
    keep = 9
    n = 1j
    keep = 10
    n = -1j
    keep = 11
    return n, keep


def large(size):
    xs = list(range(size))
    keep = 0
    keep = 1
    xs[-1] = -1
    keep = 2
    keep = 3
    xs[0] = [xs[0]]
    keep = 4
    keep = 5
    return len(xs), keep


class Base:
    def __init__(self):
        self.n = 0

    def bump(self):
        self.n += 1
        return self


class Point(tuple):
    pass


class Names(dict):
    pass


def subclasses():
    p = Point((1, 2))
    n = Names(a=1)
    keep = 0
    keep = 1
    n["a"] = 2
    keep = 2
    b = Base().bump()
    keep = 3
    b.bump()
    keep = 4
    xs = [b, p, n]
    keep = 5
    keep = 6
    n["b"] = 3
    keep = 7
    return len(xs)


def main():
    return (items(), mappings(), str(numbers()), large(20), large(159),
            large(160), large(161), subclasses())
