"""Nested loops and a comprehension, a scope of its own before Python 3.12."""


def primes_below(limit):
    composite = set()
    primes = []
    for number in range(2, limit):
        if number in composite:
            continue
        primes.append(number)
        composite |= {m for m in range(number * number, limit, number)}
    return primes
