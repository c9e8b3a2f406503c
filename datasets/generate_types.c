/* SPDX-License-Identifier: MIT */
/* generate_types.c -- the generator's types: elements, bounds, literals. */
#include "datasets/generate_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

struct type_info {
    const char *annotation;
    enum gen_type element; /* what iterating gives; itself: not iterable */
    bool is_sequence;
    uint8_t param_weight, local_weight, accumulator_weight;
};

/* The last one is that of names which may not be looked at. */
static const struct type_info types[T_N_TYPES + 1] = {
    [T_N_TYPES] = {"None", T_N_TYPES, false, 0, 0, 0},
    [T_INT] = {"int", T_INT, false, 44, 46, 40},
    [T_FLOAT] = {"float", T_FLOAT, false, 3, 3, 2},
    [T_BOOL] = {"bool", T_BOOL, false, 4, 6, 5},
    [T_STR] = {"str", T_STR, true, 50, 26, 20},
    [T_LI] = {"list[int]", T_INT, true, 50, 16, 24},
    [T_LS] = {"list[str]", T_STR, true, 24, 12, 18},
    [T_LLI] = {"list[list[int]]", T_LI, true, 9, 3, 4},
    [T_LPI] = {"list[tuple[int, int]]", T_PII, true, 8, 3, 4},
    [T_LPS] = {"list[tuple[str, int]]", T_PSI, true, 9, 3, 4},
    [T_DSI] = {"dict[str, int]", T_STR, false, 14, 5, 13},
    [T_DII] = {"dict[int, int]", T_INT, false, 4, 2, 5},
    [T_DSL] = {"dict[str, list[int]]", T_STR, false, 5, 1, 6},
    [T_DSS] = {"dict[str, str]", T_STR, false, 4, 2, 3},
    [T_SI] = {"set[int]", T_INT, false, 4, 4, 6},
    [T_SS] = {"set[str]", T_STR, false, 2, 3, 5},
    [T_PII] = {"tuple[int, int]", T_INT, false, 4, 3, 1},
    [T_PSI] = {"tuple[str, int]", T_PSI, false, 1, 1, 0},
    [T_TI] = {"tuple[int, ...]", T_INT, true, 3, 2, 2},
    [T_LF] = {"list[float]", T_FLOAT, true, 2, 1, 2},
};

uint32_t gen_weighted(struct gen_draft *d, const uint8_t *weights, uint32_t n)
{
    uint32_t sum = 0;
    uint32_t at;

    for (uint32_t i = 0; i < n; i++) {
        sum += weights[i];
    }
    at = gen_pick(d, sum);
    for (uint32_t i = 0; i < n; i++) {
        if (at < weights[i]) {
            return i;
        }
        at -= weights[i];
    }
    return n - 1;
}

static void add_number(struct cwm_buf *out, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    cwm_buf_add(out, digits + at, sizeof digits - at);
}

/* One directive; p stands behind its %, and is returned behind it. */
static const char *add_directive(struct cwm_buf *out, const char *p,
                                 va_list *args)
{
    static const char spaces[] = "                                ";
    const char *s;

    switch (*p) {
    case 's':
        s = va_arg(*args, const char *);
        cwm_buf_add(out, s, strlen(s));
        break;
    case 'c':
        cwm_buf_addc(out, (char)va_arg(*args, int));
        break;
    case 'u':
        add_number(out, va_arg(*args, unsigned));
        break;
    case 'l':
        add_number(out, va_arg(*args, unsigned long));
        p++;
        break;
    case '*': { /* always an empty text behind it: indentation */
        size_t n = (size_t)va_arg(*args, int);

        (void)va_arg(*args, const char *);
        cwm_buf_add(out, spaces, n < sizeof spaces ? n : sizeof spaces - 1);
        p++;
        break;
    }
    default:
        cwm_buf_addc(out, *p);
    }
    return p + 1;
}

void gen_printf(struct cwm_buf *out, const char *format, ...)
{
    const char *p = format;
    va_list args;

    va_start(args, format);
    while (*p) {
        size_t n = strcspn(p, "%");

        cwm_buf_add(out, p, n);
        p += n;
        if (*p) {
            p = add_directive(out, p + 1, &args);
        }
    }
    va_end(args);
}

const char *gen_type_annotation(enum gen_type type)
{
    return types[type].annotation;
}

bool gen_is_iterable(enum gen_type type)
{
    return type == T_STR || types[type].element != type;
}

bool gen_is_sequence(enum gen_type type)
{
    return types[type].is_sequence;
}

enum gen_type gen_element(enum gen_type type)
{
    return types[type].element;
}

static uint8_t weight_here(const struct gen_draft *d, enum gen_type type,
                           uint8_t weight)
{
    return !d->settings->plain || gen_is_plain_type(type) ? weight : 0;
}

enum gen_type gen_param_type(struct gen_draft *d)
{
    uint8_t weights[T_N_TYPES];

    for (int i = 0; i < T_N_TYPES; i++) {
        weights[i] = weight_here(d, (enum gen_type)i, types[i].param_weight);
    }
    return (enum gen_type)gen_weighted(d, weights, T_N_TYPES);
}

enum gen_type gen_local_type(struct gen_draft *d)
{
    uint8_t weights[T_N_TYPES];

    for (int i = 0; i < T_N_TYPES; i++) {
        weights[i] = weight_here(d, (enum gen_type)i, types[i].local_weight);
    }
    return (enum gen_type)gen_weighted(d, weights, T_N_TYPES);
}

enum gen_type gen_accumulator_type(struct gen_draft *d)
{
    uint8_t weights[T_N_TYPES];

    for (int i = 0; i < T_N_TYPES; i++) {
        weights[i] =
            weight_here(d, (enum gen_type)i, types[i].accumulator_weight);
    }
    return (enum gen_type)gen_weighted(d, weights, T_N_TYPES);
}

struct gen_bound gen_element_bound(enum gen_type type, struct gen_bound bound)
{
    struct gen_bound element = bound;

    if (type == T_STR) {
        element.len = 1;
        element.nonempty = true;
        return element;
    }
    element.len = bound.inner;
    element.nonempty = bound.inner_full;
    if (type == T_LPS) {
        element.len = 2;
        element.nonempty = true;
        return element; /* the pair keeps `inner` for its text */
    }
    element.inner = 0;
    element.inner_full = false;
    if (types[type].element == T_INT || types[type].element == T_FLOAT) {
        element.len = 0;
        element.nonempty = false;
    }
    if (type == T_LPI) {
        element.len = 2;
        element.nonempty = true;
    }
    return element;
}

static struct gen_bound bound_of_numbers(struct gen_draft *d)
{
    static const uint16_t mags[] = {9, 10, 12, 20, 30, 50, 100, 100, 200, 999};
    struct gen_bound bound = {0};

    bound.mag = mags[gen_pick(d, ARRAY_LEN(mags))];
    if (bound.mag > d->settings->max_number) {
        bound.mag = d->settings->max_number;
    }
    bound.nonneg = gen_chance(d, 650);
    return bound;
}

struct gen_bound gen_bound_of_type(struct gen_draft *d, enum gen_type type)
{
    static const uint8_t vocabs[VOCAB_N] = {26, 10, 13, 9, 4, 16, 7, 14, 4};
    struct gen_bound bound = bound_of_numbers(d);
    uint32_t most = d->settings->max_items;

    bound.vocab = (uint8_t)gen_weighted(d, vocabs, VOCAB_N);
    bound.nonempty = gen_chance(d, 600);
    bound.inner_full = gen_chance(d, 700);
    if (type == T_INT) {
        if (gen_chance(d, 450)) {
            bound.mag = gen_between(d, 4, 12);
            if (bound.mag > d->settings->max_number) {
                bound.mag = d->settings->max_number;
            }
        }
        bound.nonempty = bound.inner_full = false;
    } else if (type == T_STR) {
        bound.len = gen_between(d, 6, most * 2);
        if (bound.vocab == VOCAB_SENTENCE) {
            bound.len = 30;
        }
        bound.inner_full = false;
    } else if (type == T_PII || type == T_PSI) {
        bound.len = 2;
        bound.nonempty = true;
        bound.inner = type == T_PSI ? 8 : 0;
    } else if (gen_is_iterable(type)) {
        bound.len = gen_between(d, most < 5 ? most : 5, most);
        bound.inner = 8;
        if (bound.vocab == VOCAB_SENTENCE) {
            bound.vocab = VOCAB_WORDS;
        }
        if (type == T_LLI || type == T_DSL) {
            bound.len = bound.len > 5 ? 5 : bound.len;
            bound.inner = 5;
        }
    } else {
        bound.nonempty = bound.inner_full = false;
    }
    if (types[type].element == T_INT && type != T_DII) {
        bound.inner = 0;
        bound.inner_full = false;
    }
    return bound;
}

bool gen_fits(struct gen_bound inner, struct gen_bound outer)
{
    return inner.mag <= outer.mag && inner.len <= outer.len &&
           inner.inner <= outer.inner && inner.nonempty >= outer.nonempty &&
           inner.inner_full >= outer.inner_full && inner.nonneg >= outer.nonneg;
}

struct gen_bound gen_bound_or(struct gen_bound a, struct gen_bound b)
{
    struct gen_bound c = a;

    c.mag = a.mag > b.mag ? a.mag : b.mag;
    c.len = a.len > b.len ? a.len : b.len;
    c.inner = a.inner > b.inner ? a.inner : b.inner;
    c.nonempty = a.nonempty && b.nonempty;
    c.inner_full = a.inner_full && b.inner_full;
    c.nonneg = a.nonneg && b.nonneg;
    return c;
}

/* ---- literals ---- */

static void int_literal(struct gen_draft *d, struct gen_bound bound,
                        struct cwm_buf *out)
{
    uint64_t limit =
        d->settings->max_number < 999 ? d->settings->max_number : 1000;
    uint64_t most = bound.mag > limit ? limit : bound.mag;
    uint64_t n;

    if (gen_chance(d, 500) && most > 12) {
        most = 12; /* small numbers meet each other more often */
    }
    n = gen_between(d, 0, (uint32_t)most);
    if (!bound.nonneg && n > 0 && gen_chance(d, 350)) {
        cwm_buf_addc(out, '-');
    }
    gen_printf(out, "%" PRIu64, n);
}

/* Letters, digits and such, of the vocabulary; never a quote or backslash. */
static void text_of(struct gen_draft *d, struct gen_bound bound,
                    struct cwm_buf *out)
{
    uint32_t least = bound.nonempty ? 1 : 0;
    uint32_t len = bound.len > 24 ? 24 : bound.len;
    uint32_t n = 0;

    len = len > least ? gen_between(d, least + (len > 4), len) : len;
    if (bound.len <= 1 ||
        (bound.vocab != VOCAB_WORDS && bound.vocab != VOCAB_COMMANDS &&
         bound.vocab != VOCAB_SENTENCE)) {
        char last = 'a';

        for (uint32_t i = 0; i < len; i++) {
            /* runs of one character, now and then */
            if (i == 0 || !gen_chance(d, 250)) {
                last = gen_char(d, bound.vocab);
            }
            cwm_buf_addc(out, last);
        }
        return;
    }
    do {
        const char *word = gen_word(d, bound.vocab);
        uint32_t room = bound.len - n;
        size_t word_len = strlen(word);

        if (n > 0) {
            cwm_buf_addc(out, ' ');
            room--;
        }
        if (word_len > room) {
            word_len = room;
        }
        if (word_len > 0 && bound.vocab == VOCAB_SENTENCE &&
            gen_chance(d, 150)) {
            cwm_buf_addc(out, (char)(word[0] - 'a' + 'A'));
            cwm_buf_add(out, word + 1, word_len - 1);
        } else {
            cwm_buf_add(out, word, word_len);
        }
        n += (uint32_t)word_len + (n > 0);
    } while (bound.vocab == VOCAB_SENTENCE && n + 4 < bound.len &&
             gen_chance(d, 800));
}

static void str_literal(struct gen_draft *d, struct gen_bound bound,
                        struct cwm_buf *out)
{
    cwm_buf_addc(out, '\'');
    if (bound.nonempty || gen_chance(d, 930)) {
        text_of(d, bound, out);
    }
    cwm_buf_addc(out, '\'');
}

static void item(struct gen_draft *d, enum gen_type type,
                 struct gen_bound bound, struct cwm_buf *out)
{
    struct gen_bound text = {
        .len = bound.inner, .nonempty = bound.inner_full, .vocab = bound.vocab};

    switch ((int)type) {
    case T_DSI:
    case T_DSS:
    case T_DSL:
        str_literal(d, text, out);
        cwm_buf_adds(out, ": ");
        if (type == T_DSI) {
            int_literal(d, bound, out);
        } else if (type == T_DSS) {
            str_literal(d, text, out);
        } else {
            gen_literal(d, T_LI, gen_element_bound(T_LLI, bound), out);
        }
        break;
    case T_DII:
        int_literal(d, bound, out);
        cwm_buf_adds(out, ": ");
        int_literal(d, bound, out);
        break;
    default:
        gen_literal(d, types[type].element, gen_element_bound(type, bound),
                    out);
    }
}

static void items(struct gen_draft *d, enum gen_type type,
                  struct gen_bound bound, const char *open, const char *close,
                  struct cwm_buf *out)
{
    uint32_t most = bound.len > 8 ? 8 : bound.len;
    uint32_t n = most;

    if (n > 0 && (bound.nonempty || gen_chance(d, 930))) {
        n = gen_between(d, n > 2 ? 2 : 1, most);
    } else {
        n = 0;
    }
    if (n == 0 && (type == T_SI || type == T_SS)) {
        cwm_buf_adds(out, "set()");
        return;
    }
    cwm_buf_adds(out, open);
    for (uint32_t i = 0; i < n; i++) {
        cwm_buf_adds(out, i ? ", " : "");
        item(d, type, bound, out);
    }
    cwm_buf_adds(out, type == T_TI && n == 1 ? ",)" : close);
}

void gen_literal(struct gen_draft *d, enum gen_type type,
                 struct gen_bound bound, struct cwm_buf *out)
{
    struct gen_bound text = {
        .len = bound.inner, .nonempty = bound.inner_full, .vocab = bound.vocab};

    switch ((int)type) {
    case T_INT:
        int_literal(d, bound, out);
        break;
    case T_FLOAT:
        int_literal(d, bound, out);
        cwm_buf_adds(out, gen_chance(d, 500) ? ".5" : ".25");
        break;
    case T_BOOL:
        cwm_buf_adds(out, gen_chance(d, 500) ? "True" : "False");
        break;
    case T_STR:
        str_literal(d, bound, out);
        break;
    case T_PII:
    case T_PSI:
        cwm_buf_addc(out, '(');
        if (type == T_PII) {
            int_literal(d, bound, out);
        } else {
            str_literal(d, text, out);
        }
        cwm_buf_adds(out, ", ");
        int_literal(d, bound, out);
        cwm_buf_addc(out, ')');
        break;
    case T_DSI:
    case T_DII:
    case T_DSL:
    case T_DSS:
    case T_SI:
    case T_SS:
        items(d, type, bound, "{", "}", out);
        break;
    case T_TI:
        items(d, type, bound, "(", ")", out);
        break;
    default:
        items(d, type, bound, "[", "]", out);
    }
}
