def reverse(items):
    out = []
    i = len(items) - 1
    while i >= 0:
        out.append(items[i])
        i -= 1
    return out
