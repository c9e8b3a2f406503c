# SPDX-License-Identifier: MIT
# What CPython traces in an order that is not the lines' own.
import contextlib

class CM:
    def __init__(self, eat=False):
        self.eat = eat
    def __enter__(self):
        return self
    def __exit__(self, t, v, tb):
        return self.eat

def ret_in_finally(n):
    for i in range(n):
        try:
            if i == 0:
                continue
            elif i == 1:
                with CM() as c, CM(
                        True) as d:
                    raise KeyError(
                        i)
            elif i == 2:
                return i
        except (ValueError,
                KeyError) as e:
            pass
        except TypeError:
            raise
        else:
            x = i
        finally:
            y = (i,
                 n)
    else:
        z = 3
    return -1

def loops(n):
    """doc"""
    total = 0
    while True:
        total += 1
        if total > n: break
        while 1:
            if total % 2:
                break
            else:
                pass
            for j in (1, 2): total += j
            else:
                continue
            break
    else:
        total = 0
    while total > 0 and (
            total != 3):
        total -= 1
    return [
        a
        for a in range(total)
        if a
    ], {k:
        v for k, v in
        enumerate("ab")}, {q for
                           q in (1, 2)}

def deco(*a):
    def inner(f):
        return f
    return inner

def nested(x=[i for i in (1, 2)]):
    """d"""
    global G
    G = 1
    @deco(1,
          2)
    @deco()
    class A(object,
            metaclass=type):
        """doc"""
        a: int
        b: int = 3
        def m(self,
              q=lambda: 3):
            return q()
        c = [
            1,
            2]
        for z in c: pass
    l = lambda y: (
        y +
        1)
    return A().m() + l(
        A().m(
        )) + sum(
            t
            for t in x
    )

def gen(n):
    try:
        for i in range(n):
            got = yield i
            if got:
                yield (
                    got)
    except GeneratorExit:
        raise
    except ValueError as e:
        yield 9
    finally:
        n = 0

def gens():
    g = gen(3)
    a = [next(g), g.send(5), next(g)]
    try:
        g.throw(ValueError("a"))
        g.throw(KeyError("b"))
    except KeyError:
        a.append(1)
    for v in gen(2):
        if v:
            break
    def outer():
        r = yield from gen(1)
        with contextlib.suppress(ZeroDivisionError):
            yield 1 / 0
        return r
    a += list(outer())
    h = gen(4)
    next(h)
    h.close()
    return a, any(
        x > 0 for
        x in gen(3))

class It:
    def __init__(self):
        self.n = 0
    def __iter__(self):
        return self
    def __next__(self):
        self.n += 1
        if self.n > 2:
            raise StopIteration
        return self.n

def iters():
    out = []
    for a in It():
        out.append(a)
    b = [c for c in It()]
    d, e = It()
    f = next(It(), 0)
    return out, b, list(It()), max(
        It(), key=lambda k: -k)

def unwinding(k):
    try:
        try:
            with CM():
                assert k > 0, (
                    "no")
                if k == 1:
                    return unwinding(
                        0)
                q = {}["x"]
        finally:
            for _ in range(1):
                w = 1
    except AssertionError as e:
        if k:
            raise ValueError from e
        return "assert"
    except KeyError:
        try:
            raise
        except KeyError:
            del k
    else:
        return 1
    finally:
        r = 2

def nofinal(k):
    try:
        for i in range(2):
            with CM():
                with CM():
                    if k == i:
                        break
                    if k > 3:
                        continue
                    return i
    finally:
        pass

def rec(n):
    if n == 0:
        raise RuntimeError("deep")
    try:
        return rec(n - 1)
    finally:
        n = -n

def ifs(a, b):
    if a: c = 1; d = 2
    elif b and (
            a or
            b): c = 2
    else: c = 3
    if False:
        c = 4
    if not a and __debug__:
        c = 5
    if a:
        if b:
            pass
    x = a if b else (
        b)
    assert True
    ...
    "str"
    return x; y = 1

import asyncio

class ACM:
    async def __aenter__(self):
        await asyncio.sleep(0)
        return 1
    async def __aexit__(self, *a):
        await asyncio.sleep(0)

async def agen(n):
    for i in range(n):
        yield i
        await asyncio.sleep(0)

async def work(n):
    t = 0
    async with ACM() as a:
        async for x in agen(n):
            t += x
        else:
            t += 100
    u = [y async for y in agen(2)
         if y]
    try:
        await fails()
    except ValueError:
        t += 1
    async for z in agen(3):
        return t, u

async def fails():
    await asyncio.sleep(0)
    raise ValueError

def co():
    r = []
    c = work(2)
    try:
        while True:
            c.send(None)
    except StopIteration as e:
        r.append(e.value)
    return r

def co2():
    async def both():
        return await asyncio.gather(work(1), work(2))
    return asyncio.run(both())

class Desc:
    def __get__(self, o, t=None):
        return 5
    def __del__(self):
        x = 1

class Has:
    d = Desc()
    def __eq__(self, o):
        return True
    def __lt__(self, other): return True

def implicit():
    h = Has()
    a = h.d
    b = h == 3
    c = sorted([Has(), Has()])
    Desc()
    return a, b

def match_like(x):
    return x
def strange(n):
    try: return 1
    finally: n = 2
def strange2(n):
    with CM(): return 1
def strange3(n):
    for i in range(3):
        try:
            try:
                pass
            finally:
                if i == 2:
                    return 7
                if i == 1:
                    continue
        except ValueError:
            pass
def strange4(n):
    while n:
        n -= 1
        try:
            continue
        finally:
            a = 1
            b = 2
    x: int
    y: int = 3
    try:
        raise ValueError
    except:
        pass
def strange5(n):
    try:
        n()
    except TypeError as e:
        try:
            n.a
        except AttributeError as f:
            return (
                e,
                f)
        finally:
            del n
def strange6():
    def f(a,
          b=1,
          *, c: int =
          2) -> int:
        return (a
                + b
                + c
                )
    return f(
        f(1),
        b=f(
            2,
            3),
        c=4)
def strange7():
    a = [1,
         2]
    a[0] = \
        a[1]
    b = """
x"""
    for i, j in [
            (1, 2),
            (3, 4)
    ]:
        if (i and
                j): continue
    return {
        'a': a,
        **{'b':
           b},
    }
def main():
    out = []
    out.append([ret_in_finally(n) for n in range(4)])
    for f, args in [(loops, (0,)), (loops, (3,)), (loops, (8,)), (nested, ()), (gens, ()), (iters, ()), (unwinding, (0,)), (unwinding, (1,)), (unwinding, (2,)),
                    (nofinal, (0,)), (nofinal, (1,)), (nofinal, (5,)), (rec, (3,)), (ifs, (0, 1)), (ifs, (1, 0)), (ifs, (0, 0)), (co, ()), (co2, ()), (implicit, ()),
                    (strange, (1,)), (strange2, (1,)), (strange3, (1,)), (strange4, (3,)), (strange5, (3,)), (strange6, ()), (strange7, ())]:
        try:
            out.append(f(*args))
        except Exception as e:
            out.append(repr(e))
    return out
