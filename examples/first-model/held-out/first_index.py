def first_index(items, wanted):
    for i in range(len(items)):
        if items[i] == wanted:
            return i
    return -1
