# SPDX-License-Identifier: MIT
import asyncio

import pytest

from shop import prices


@pytest.mark.parametrize("price, want", [(120, 100), (6, 5), (0, 0)])
def test_net(price, want):
    assert prices.net(price) == want


class TestCheck:
    def test_ok(self):
        assert prices.check(2.5) == 2

    def test_too_much(self):
        with pytest.raises(ValueError):
            prices.check(4)

    def test_patient(self):
        assert prices.patient(9) == 3


def test_fib():
    assert prices.fib(5) == 5


def test_sum_of_squares():
    assert prices.sum_of_squares(3) == 5


def test_squares_left():
    squares = prices.squares(9)
    assert next(squares) == 0


def test_both():
    assert asyncio.run(prices.both(1, 2)) == 3


def test_many():
    assert prices.many(40) > 0
