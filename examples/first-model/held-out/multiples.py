def multiples(k, n):
    out = []
    for i in range(n):
        out.append(i * k)
    return out
