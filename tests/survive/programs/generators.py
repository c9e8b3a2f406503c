import contextlib


def numbers(n):
    i = 0
    while i < n:
        got = yield i
        if got:
            i = got
        i += 1
    return "end"


def chain(n):
    first = yield from numbers(n)
    try:
        yield first
    except KeyError as error:
        yield str(error)
    finally:
        last = True
    del last


@contextlib.contextmanager
def managed(name):
    level = 1
    try:
        yield name
    finally:
        level = 0


def main():
    it = chain(3)
    out = [next(it), it.send(None), it.send(1)]
    try:
        out.append(next(it))
        out.append(it.throw(KeyError("k")))
    except StopIteration as stop:
        out.append(stop.value)
    left_open = numbers(5)
    next(left_open)
    never_begun = numbers(5)
    closed = numbers(9)
    next(closed)
    closed.close()
    thrown = numbers(2)
    try:
        thrown.throw(ValueError("before its start"))
    except ValueError:
        pass
    thrown = numbers(2)
    next(thrown)
    try:
        thrown.throw(ValueError("in the middle"))
    except ValueError:
        pass
    with managed("m") as m, contextlib.suppress(ZeroDivisionError):
        x = 1
        x / 0
    total = sum(a * a for a in range(4) if a % 2)
    pairs = [(a, b) for a in range(2) for b in "xy"]
    names = {k: v for k, v in zip("ab", (1, 2))}
    return out, m, total, pairs, names
