def gcd(a, b):
    while b > 0:
        rest = a % b
        a = b
        b = rest
    return a
