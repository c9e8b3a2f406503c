def is_sorted(items):
    i = 0
    while i < len(items) - 1:
        if items[i] > items[i + 1]:
            return False
        i += 1
    return True
