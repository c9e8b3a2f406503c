"""A generator: every `yield` hands over, every `next` resumes."""


def fibonacci(limit):
    a, b = 0, 1
    while a <= limit:
        yield a
        a, b = b, a + b


def total(limit):
    result = 0
    for number in fibonacci(limit):
        if number % 2 == 0:
            result += number
    return result
