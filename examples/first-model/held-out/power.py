def power(base, n):
    result = 1
    for _ in range(n):
        result *= base
    return result
