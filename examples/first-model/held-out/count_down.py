def count_down(n):
    out = []
    while n > 0:
        out.append(n)
        n -= 1
    return out
