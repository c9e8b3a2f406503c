/* SPDX-License-Identifier: MIT */
/*
 * unique_programs.c N -- does the generator repeat itself?
 *
 * N programs, and the same with every name that is no keyword or built-in
 * called by its order of appearance, every number 0 and every string '': none
 * may stand there twice as it is, less than 1 % twice in the second form.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "datasets/generate.h"

#define MAX_NAMES 128

/* Names that mean something: they stay. */
static const char *const fixed[] = {
    "def",      "return", "if",        "elif",  "else",       "for",
    "while",    "in",     "not",       "and",   "or",         "is",
    "try",      "except", "finally",   "raise", "assert",     "break",
    "continue", "pass",   "lambda",    "yield", "as",         "len",
    "range",    "sum",    "max",       "min",   "abs",        "sorted",
    "set",      "list",   "dict",      "tuple", "str",        "int",
    "float",    "bool",   "enumerate", "zip",   "map",        "filter",
    "any",      "all",    "reversed",  "round", "ord",        "chr",
    "divmod",   "pow",    "bin",       "hex",   "isinstance", "None",
    "True",     "False",  "f",
};

static uint64_t hash_of(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001B3);
    }
    return hash;
}

static bool is_fixed(const char *word, size_t len)
{
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (strlen(fixed[i]) == len && memcmp(fixed[i], word, len) == 0) {
            return true;
        }
    }
    return false;
}

struct names {
    const char *words[MAX_NAMES];
    size_t lens[MAX_NAMES];
    size_t n;
};

static size_t number_of(struct names *names, const char *word, size_t len)
{
    for (size_t i = 0; i < names->n; i++) {
        if (names->lens[i] == len && memcmp(names->words[i], word, len) == 0) {
            return i;
        }
    }
    if (names->n < MAX_NAMES) {
        names->words[names->n] = word;
        names->lens[names->n++] = len;
    }
    return names->n - 1;
}

static void normalise(const char *p, struct cwm_buf *out)
{
    struct names names = {.n = 0};

    cwm_buf_clear(out);
    while (*p) {
        if (*p == '\'') {
            p += 1 + strcspn(p + 1, "'");
            p += *p != '\0';
            cwm_buf_adds(out, "''");
        } else if (isalpha((unsigned char)*p) || *p == '_') {
            size_t len = 1;

            while (isalnum((unsigned char)p[len]) || p[len] == '_') {
                len++;
            }
            if (is_fixed(p, len) ||
                (out->len && out->data[out->len - 1] == '.')) {
                cwm_buf_add(out, p, len); /* methods stay, too */
            } else {
                cwm_buf_addf(out, "v%zu", number_of(&names, p, len));
            }
            p += len;
        } else if (isdigit((unsigned char)*p)) {
            while (isdigit((unsigned char)*p) || *p == '.') {
                p++;
            }
            cwm_buf_addc(out, '0');
        } else {
            cwm_buf_addc(out, *p++);
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static uint64_t count_repeats(uint64_t *hashes, size_t n)
{
    uint64_t n_repeats = 0;

    qsort(hashes, n, sizeof *hashes, compare);
    for (size_t i = 1; i < n; i++) {
        n_repeats += hashes[i] == hashes[i - 1];
    }
    return n_repeats;
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 20000;
    uint64_t *exact = calloc(n + 1, sizeof *exact);
    uint64_t *normal = calloc(n + 1, sizeof *normal);
    struct generate_settings settings;
    struct generated g;
    struct cwm_buf source;
    struct cwm_buf text;
    struct cwm_err err = {0};
    uint64_t n_exact;
    uint64_t n_normal;
    clock_t ticks = 0;

    if (!exact || !normal) {
        return 3;
    }
    generate_settings_default(&settings);
    generated_init(&g);
    cwm_buf_init(&source, 1 << 20);
    cwm_buf_init(&text, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        clock_t begin = clock();

        if (generate_program(&settings, 7, i, &source, &g, &err) != CWM_OK) {
            fprintf(stderr, "program %zu: %s\n", i, err.message);
            return 1;
        }
        ticks += clock() - begin;
        normalise(source.data, &text);
        exact[i] = hash_of(source.data, source.len);
        normal[i] = hash_of(text.data, text.len);
    }
    n_exact = count_repeats(exact, n);
    n_normal = count_repeats(normal, n);
    printf("%zu programs, %.0f a second of CPU time: %" PRIu64
           " exact repeats, %" PRIu64 " (%.3f %%) after normalising\n",
           n, (double)n * CLOCKS_PER_SEC / (double)(ticks ? ticks : 1), n_exact,
           n_normal, 100.0 * (double)n_normal / (double)n);
    free(exact);
    free(normal);
    generated_release(&g);
    cwm_buf_release(&source);
    cwm_buf_release(&text);
    return n_exact == 0 && n_normal * 100 < n ? 0 : 1;
}
