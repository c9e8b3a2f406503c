# SPDX-License-Identifier: MIT
"""Prices with and without tax."""
import contextlib
import functools
import math

from .stock import Stock, describe, find

RATES = {
    "full": 20,
    "low": 5,
}
LIMIT = 3
NOT_NAMED = [1, 2]


def net(price, rate="full"):
    """Without the tax."""
    return round(price * 100 / (100 + RATES[rate]), 2)


def total(items, stock):
    result = 0
    for name, n in items:
        price = find(stock, name)
        result += sum(net(price) for _ in range(n))
    return result


def check(x):
    if x > LIMIT:
        raise ValueError("too much: %d" % x)
    return math.floor(x)


def patient(x):
    try:
        return check(x)
    except ValueError:
        return LIMIT


def traced(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper


@traced
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def squares(n):
    for i in range(n):
        yield i * i


def sum_of_squares(n):
    result = 0
    for square in squares(n):
        result += square
    return result


@contextlib.contextmanager
def opened(stock):
    stock.add("tea", 6)
    yield stock
    stock.prices.clear()


async def later(x):
    return check(x)


async def both(x, y):
    return await later(x) + await later(y)


def report(stock):
    return describe(stock).upper()


def many(n):
    result = 0
    for i in range(n):
        result += net(i)
    return result


def new_stock(prices):
    stock = Stock()
    for name, price in prices.items():
        stock.add(name, price)
    return stock
