/* SPDX-License-Identifier: MIT */
/*
 * generate_plain.c -- programs for a first model: numbers and lists of them.
 *
 * A model of a million weights that learns for some minutes cannot learn all
 * of Python.  With `plain` set a draft is thrown away where its text holds
 * anything but numbers, truth values, lists of numbers, their operators,
 * loops, branches and the calls below.  What is left out is told by looking at
 * the text: the grammar stays one, and a draft costs some microseconds.
 *
 * Left out as well: scopes inside of the function (comprehensions, lambdas),
 * since each of their steps is a frame; floats, so true division; powers and
 * shifts; exceptions.
 *
 * At the level GEN_PLAIN_FEW there are fewer things still, each of which is
 * seen often, therefore: no slices, no whole division, no `else` of a loop, no
 * sums, sorted copies and absolute values.
 */
#include <ctype.h>
#include <string.h>

#include "datasets/generate_internal.h"

bool gen_is_plain_type(enum gen_type type)
{
    return type == T_INT || type == T_BOOL || type == T_LI;
}

static const char *const calls[] = {"abs", "append", "len",    "max",
                                    "min", "range",  "sorted", "sum"};

static const char *const few_calls[] = {"append", "len", "max", "min", "range"};

static const char *const left_out[] = {"except", "lambda", "None",
                                       "assert", "raise",  "nonlocal"};

static bool is_among(const char *word, size_t len, const char *const *words,
                     size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Behind "def " a name with a parenthesis is no call. */
static bool is_defined(const char *text, const char *word)
{
    return word - text >= 4 && memcmp(word - 4, "def ", 4) == 0;
}

/* A loop's `for` is the first word of its line. */
static bool is_comprehension(const char *text, const char *word)
{
    while (word > text && word[-1] == ' ') {
        word--;
    }
    return word > text && word[-1] != '\n';
}

static bool is_plain_word(const char *text, const char *word, size_t len,
                          bool few)
{
    if (is_among(word, len, left_out, ARRAY_LEN(left_out)) ||
        (len == 3 && memcmp(word, "for", 3) == 0 &&
         is_comprehension(text, word))) {
        return false;
    }
    return word[len] != '(' || is_defined(text, word) ||
           (few ? is_among(word, len, few_calls, ARRAY_LEN(few_calls))
                : is_among(word, len, calls, ARRAY_LEN(calls)));
}

static bool is_plain_sign(const char *text, const char *p)
{
    switch (*p) {
    case '/':
        return p[1] == '/' || (p > text && p[-1] == '/');
    case '*': /* not a power, not an unpacked list */
        return p[1] == ' ' || p[1] == '=';
    case '<':
    case '>':
        return p[1] != *p;
    case '.':
        return strncmp(p, ".append(", 8) == 0;
    default:
        return !strchr("'\"{}&|^~@", *p);
    }
}

/* A colon that ends no line is a slice's; an `else` that stands under no `if`
 * and `elif` of its own depth is a loop's. */
static bool is_few_sign(const char *text, const char *p)
{
    switch (*p) {
    case ':':
        return p[1] == '\n' || p[1] == '\0';
    case '/':
        return p[1] != '/' && (p == text || p[-1] != '/');
    default:
        return true;
    }
}

/* The `else` of the line at `line` belongs to a loop. */
static bool is_loops_else(const char *text, const char *line)
{
    size_t depth = strspn(line, " ");

    if (strncmp(line + depth, "else:", 5) != 0) {
        return false;
    }
    while (line > text) {
        size_t here;

        line--; /* the end of the line before, then its beginning */
        while (line > text && line[-1] != '\n') {
            line--;
        }
        here = strspn(line, " ");
        if (here <= depth) {
            return strncmp(line + here, "if ", 3) != 0 &&
                   strncmp(line + here, "elif ", 5) != 0;
        }
    }
    return true;
}

static bool has_loops_else(const char *text)
{
    const char *line = text;

    while (line) {
        if (is_loops_else(text, line)) {
            return true;
        }
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return false;
}

bool gen_is_plain(const char *text, uint32_t level)
{
    const bool few = level >= GEN_PLAIN_FEW;
    const char *p = text;

    while (*p) {
        size_t len = 0;

        while (isalnum((unsigned char)p[len]) || p[len] == '_') {
            len++;
        }
        if (len > 0
                ? !is_plain_word(text, p, len, few)
                : !is_plain_sign(text, p) || (few && !is_few_sign(text, p))) {
            return false;
        }
        p += len > 0 ? len : 1;
    }
    return !few || !has_loops_else(text);
}
