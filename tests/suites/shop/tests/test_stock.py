# SPDX-License-Identifier: MIT
import pytest

from shop import prices


def test_total(stock):
    assert prices.total([("tea", 2), ("cake", 1)], stock) == 20


def test_missing(stock):
    with pytest.raises(KeyError):
        prices.total([("milk", 2)], stock)


def test_cheapest(stock):
    assert stock.cheapest() == "tea"
    assert stock.size == 2


def test_opened(stock):
    with prices.opened(stock) as it:
        assert prices.report(it) == "CAKE: FAIR; TEA: CHEAP"


def test_new_stock():
    assert prices.new_stock({"a": 1, "b": 2}).size == 2


def test_fails(stock):
    assert prices.net(stock.prices["tea"]) == 6
