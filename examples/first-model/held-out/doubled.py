def doubled(items):
    result = []
    for item in items:
        result.append(item * 2)
    return result
