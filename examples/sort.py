"""Recursion: a merge sort with a key."""


def merge(left, right, key):
    merged = []
    while left and right:
        side = right if key(right[0]) < key(left[0]) else left
        merged.append(side.pop(0))
    return merged + left + right


def merge_sort(items, key=lambda item: item):
    if len(items) < 2:
        return list(items)
    middle = len(items) // 2
    left = merge_sort(items[:middle], key)
    right = merge_sort(items[middle:], key)
    return merge(left, right, key)
