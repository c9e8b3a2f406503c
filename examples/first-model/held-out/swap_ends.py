def swap_ends(items):
    first = items[0]
    items[0] = items[-1]
    items[-1] = first
    return items
