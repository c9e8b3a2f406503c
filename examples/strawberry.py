"""How many times does each letter stand in a word?"""


def clean(word):
    return word.strip().lower()


def add(counts, letter):
    counts[letter] = counts.get(letter, 0) + 1


def count_letters(word):
    counts = {}
    for letter in clean(word):
        add(counts, letter)
    return counts


def main():  # << START_OF_TRACE
    counts = count_letters("Strawberry")
    return counts["r"]


if __name__ == "__main__":
    print(main())
