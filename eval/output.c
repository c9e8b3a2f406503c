/* SPDX-License-Identifier: MIT */
/* output.c -- see output.h. */
#include "eval/output.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

bool output_is_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
    static const char white[] = " \t\r\n";
    size_t i = 0;
    size_t j = 0;

    for (;;) {
        size_t x = i;
        size_t y = j;
        bool a_line;
        bool b_line;

        while (x < a_len && a[x] && strchr(" \t\r", a[x])) {
            x++;
        }
        while (y < b_len && b[y] && strchr(" \t\r", b[y])) {
            y++;
        }
        a_line = x >= a_len || a[x] == '\n';
        b_line = y >= b_len || b[y] == '\n';
        if (a_line != b_line) {
            return false;
        }
        if (a_line) {
            if (x >= a_len || y >= b_len) {
                i = x;
                j = y;
                break;
            }
            i = x + 1;
            j = y + 1;
        } else if (i < a_len && j < b_len && a[i] == b[j]) {
            i++;
            j++;
        } else {
            return false;
        }
    }
    while (i < a_len && a[i] && strchr(white, a[i])) {
        i++;
    }
    while (j < b_len && b[j] && strchr(white, b[j])) {
        j++;
    }
    return i == a_len && j == b_len;
}

/* ---- LiveCodeBench's ---- */

struct part {
    const char *data;
    size_t len;
};

static bool is_white(char c)
{
    return c != '\0' && strchr(" \t\r\n\f\v", c) != NULL;
}

static struct part trimmed(const char *data, size_t len)
{
    while (len > 0 && is_white(data[len - 1])) {
        len--;
    }
    while (len > 0 && is_white(*data)) {
        data++;
        len--;
    }
    return (struct part){data, len};
}

/* What stands before the next `end` goes to *ret_part; false: nothing is
 * left.  *left moves behind it, and is NULL behind the last one. */
static bool next_line(struct part *left, struct part *ret_part)
{
    const char *end;

    if (!left->data) {
        return false;
    }
    end = memchr(left->data, '\n', left->len);
    *ret_part =
        trimmed(left->data, end ? (size_t)(end - left->data) : left->len);
    if (!end) {
        left->data = NULL;
        return true;
    }
    left->len -= (size_t)(end + 1 - left->data);
    left->data = end + 1;
    return true;
}

static bool next_word(struct part *left, struct part *ret_word)
{
    size_t n = 0;

    *left = trimmed(left->data, left->len);
    while (n < left->len && !is_white(left->data[n])) {
        n++;
    }
    *ret_word = (struct part){left->data, n};
    left->data += n;
    left->len -= n;
    return n > 0;
}

enum number_kind { NUMBER_ZERO, NUMBER_FINITE, NUMBER_INFINITE, NUMBER_NONE };

/* As it is written: the digits from the first to the last that is no zero, a
 * point among them or not, times a power of ten. */
struct number {
    enum number_kind kind;
    bool is_negative;
    const char *first, *last;
    long long power; /* of the last one */
};

/* Exponents beyond are taken for no numbers. */
#define MAX_POWER 1000000000000000000LL

static bool read_power(struct part t, long long *ret_power)
{
    bool is_negative = t.len > 0 && *t.data == '-';
    size_t i = t.len > 0 && (*t.data == '-' || *t.data == '+');
    long long power = 0;

    if (i == t.len) {
        return false;
    }
    for (; i < t.len; i++) {
        if (!isdigit((unsigned char)t.data[i]) || power > MAX_POWER / 10 - 10) {
            return false;
        }
        power = power * 10 + (t.data[i] - '0');
    }
    *ret_power = is_negative ? -power : power;
    return true;
}

/* Digits and one point at most, up to an exponent; false: no number. */
static bool read_digits(struct part t, struct number *n)
{
    bool has_point = false;
    bool has_digit = false;
    long long power = 0; /* of the digit at hand, but for the exponent's */
    size_t i;

    for (i = 0; i < t.len && t.data[i] != 'e' && t.data[i] != 'E'; i++) {
        const char *c = &t.data[i];

        if (*c == '.' && !has_point) {
            has_point = true;
        } else if (isdigit((unsigned char)*c)) {
            has_digit = true;
            power -= has_point;
            n->power = *c != '0' ? power : n->power + (n->first && !has_point);
            n->last = *c != '0' ? c : n->last;
            n->first = *c != '0' && !n->first ? c : n->first;
        } else {
            return false;
        }
    }
    if (i < t.len) {
        const struct part exponent = {t.data + i + 1, t.len - i - 1};

        if (!read_power(exponent, &power)) {
            return false;
        }
        n->power += power;
    }
    n->kind = n->first ? NUMBER_FINITE : NUMBER_ZERO;
    return has_digit;
}

static bool is_word(struct part t, const char *word)
{
    return t.len == strlen(word) && strncasecmp(t.data, word, t.len) == 0;
}

/* False: no number.  One that is not a number is equal to none. */
static bool read_number(struct part t, struct number *n)
{
    *n = (struct number){.kind = NUMBER_NONE};
    if (t.len > 0 && (*t.data == '-' || *t.data == '+')) {
        n->is_negative = *t.data == '-';
        t.data++;
        t.len--;
    }
    if (is_word(t, "inf") || is_word(t, "infinity")) {
        n->kind = NUMBER_INFINITE;
        return true;
    }
    return is_word(t, "nan") || read_digits(t, n);
}

static bool are_equal(const struct number *a, const struct number *b)
{
    const char *i = a->first;
    const char *j = b->first;

    if (a->kind != b->kind || a->kind == NUMBER_NONE) {
        return false;
    }
    if (a->kind == NUMBER_ZERO) {
        return true;
    }
    if (a->is_negative != b->is_negative || a->power != b->power) {
        return false;
    }
    while (i && j && i <= a->last && j <= b->last) {
        i += *i == '.';
        j += *j == '.';
        if (*i++ != *j++) {
            return false;
        }
    }
    return !i || (i > a->last && j > b->last);
}

static bool are_equal_numbers(struct part a, struct part b)
{
    struct part x;
    struct part y;
    struct number m;
    struct number n;

    for (;;) {
        const bool more = next_word(&a, &x);

        if (more != next_word(&b, &y)) {
            return false;
        }
        if (!more) {
            return true;
        }
        if (!read_number(x, &m) || !read_number(y, &n) || !are_equal(&m, &n)) {
            return false;
        }
    }
}

bool output_is_same_livecode(const char *a, size_t a_len, const char *b,
                             size_t b_len)
{
    struct part left_a = trimmed(a ? a : "", a ? a_len : 0);
    struct part left_b = trimmed(b ? b : "", b ? b_len : 0);
    struct part x;
    struct part y;

    for (;;) {
        const bool more = next_line(&left_a, &x);

        if (more != next_line(&left_b, &y)) {
            return false;
        }
        if (!more) {
            return true;
        }
        if ((x.len != y.len || memcmp(x.data, y.data, x.len) != 0) &&
            !are_equal_numbers(x, y)) {
            return false;
        }
    }
}
