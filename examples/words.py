# A script without functions: it reads standard input, it is traced whole.
import sys

counts = {}
for line in sys.stdin:
    for word in line.split():
        counts[word] = counts.get(word, 0) + 1

for word in sorted(counts, key=lambda w: (-counts[w], w)):
    print(counts[word], word)
