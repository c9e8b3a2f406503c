def positives(numbers):
    kept = []
    for n in numbers:
        if n > 0:
            kept.append(n)
    return kept
