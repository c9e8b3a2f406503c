# SPDX-License-Identifier: MIT
"""What is there, and what it costs."""


class Stock:
    """Prices by name."""

    def __init__(self):
        self.prices = {}

    def __repr__(self):
        return f"Stock({self.prices!r})"

    def add(self, name, price):
        self.prices[name] = price
        return self

    def cheapest(self):
        return min(self.prices, key=lambda name: self.prices[name])

    @property
    def size(self):
        return len(self.prices)


def find(stock, name):
    return stock.prices[name]


def describe(stock):
    """Longer than what is shown whole where it is only named."""
    lines = []
    for name in sorted(stock.prices):
        price = stock.prices[name]
        if price > 100:
            word = "dear"
        elif price > 10:
            word = "fair"
        else:
            word = "cheap"
        lines.append(f"{name}: {word}")
    if not lines:
        return "nothing"
    return "; ".join(lines)
