# SPDX-License-Identifier: MIT
"""A workload for bench.py: loops, calls, recursion, containers, strings."""


class Stack:
    def __init__(self):
        self.items = []
        self.n_pushed = 0

    def push(self, item):
        self.items.append(item)
        self.n_pushed += 1
        if len(self.items) > 8:
            raise OverflowError("full")


def collatz(number):
    steps = 0
    while number != 1:
        number = 3 * number + 1 if number % 2 else number // 2
        steps += 1
    return steps


def insertion_sort(values):
    values = list(values)
    for i in range(1, len(values)):
        value = values[i]
        j = i
        while j > 0 and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value
    return values


def count_words(text):
    counts = {}
    for word in text.split():
        word = word.strip(".,;").lower()
        counts[word] = counts.get(word, 0) + 1
    return counts


def ackermann(m, n):
    if m == 0:
        return n + 1
    if n == 0:
        return ackermann(m - 1, 1)
    return ackermann(m - 1, ackermann(m, n - 1))


def halves(value):
    while value > 0.01:
        yield value
        value /= 2


def main(scale):
    text = "It was the best of times, it was the worst of times. " * 2
    stack = Stack()
    refused = 0
    results = []
    for turn in range(int(scale)):
        steps = collatz(27 + turn)
        values = insertion_sort([(turn * 31 + k * 47) % 97 for k in range(16)])
        counts = count_words(text)
        depth = ackermann(2, 2)
        total = sum(halves(float(turn + 1)))
        try:
            stack.push(turn)
        except OverflowError:
            stack.items.clear()
            refused += 1
        results.append((turn, steps, values[0], len(counts), depth, total))
        if len(results) > 8:
            results.pop(0)
    return refused, results[-1]


if __name__ == "__main__":
    print(main(159))
