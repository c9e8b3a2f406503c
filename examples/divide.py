"""An exception that nobody catches: the trace shows it leave each scope."""


def ratio(part, whole):
    return part / whole


def shares(counts):
    whole = sum(counts)
    return [ratio(count, whole) for count in counts]
