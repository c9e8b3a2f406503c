def difference(values):
    high = max(values)
    low = min(values)
    return high - low
