def average(numbers):
    total = sum(numbers)
    count = len(numbers)
    return total // count
