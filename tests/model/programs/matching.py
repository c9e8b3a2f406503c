# SPDX-License-Identifier: MIT
def matching(x):
    match x:
        case 0:
            return 0
        case [a, b] if (a >
                        b):
            r = a
        case {"k": v,
              "l": w}:
            r = v
        case str() | bytes():
            r = 5
        case _:
            pass
    match x:
        case int():
            r = 1
    return 2
def main():
    return [matching(v) for v in (0, [2, 1], [1, 2], {"k": 1, "l": 2}, "s", 3.5, 4)]
