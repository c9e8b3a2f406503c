/* SPDX-License-Identifier: MIT */
/* generate_bounds.c -- what a filled pattern can come to. */
#include "datasets/generate_rules.h"

#include <string.h>

static uint32_t text_len(enum gen_type type, struct gen_bound bound)
{
    return type == T_INT || type == T_FLOAT ? 16 : bound.len;
}

/* Numbers. */
static bool bound_number(const struct rule *r, const struct holes *h,
                         struct gen_bound *b)
{
    struct gen_bound first = h->values[0].bound;
    struct gen_bound second = h->n > 1 ? h->values[1].bound : first;

    switch (r->how) {
    case H_INT:
    case H_SIGNED:
        b->mag = r->arg;
        b->nonneg = r->how == H_INT;
        b->len = r->type == T_STR ? r->arg : 0; /* 'x' * (n % 5) */
        return true;
    case H_SUM:
        b->mag = first.mag + (h->n > 1 ? second.mag : first.mag);
        b->nonneg = first.nonneg && second.nonneg;
        return true;
    case H_DIFF:
        b->mag = first.mag + (h->n > 1 ? second.mag : 0);
        b->nonneg = r->precedence == P_ATOM; /* abs() */
        return true;
    case H_MUL:
        if (first.mag > GEN_MAX_MAG || second.mag > GEN_MAX_MAG ||
            first.mag > GEN_MAX_MAG / (second.mag + 1)) {
            b->mag = GEN_MAX_MAG + 1;
        } else {
            b->mag = first.mag * second.mag;
        }
        b->nonneg = (first.nonneg && second.nonneg) || h->n == 1;
        return true;
    case H_DIV:
        b->mag = first.mag;
        b->nonneg = first.nonneg && second.nonneg;
        return true;
    case H_MOD:
        b->mag = h->values[h->n - 1].bound.mag - 1;
        b->nonneg = true;
        return true;
    case H_BITS:
        b->mag = 2 * (first.mag > second.mag ? first.mag : second.mag) + 1;
        b->nonneg = first.nonneg && second.nonneg;
        return true;
    case H_LEN:
        b->mag = first.len + r->arg;
        if (r->type == T_INT && h->types[0] == T_LS &&
            strstr(r->pattern, "map(len")) {
            b->mag = (uint64_t)first.len * first.inner;
        }
        b->nonneg = true;
        return true;
    case H_TOTAL:
        b->mag = first.mag * (first.len + 1);
        if (h->types[0] == T_LLI) {
            b->mag = first.mag * (first.inner + 1);
        }
        if (b->mag < first.len) {
            b->mag = first.len;
        }
        b->nonneg = first.nonneg;
        b->len = r->arg == 2 ? 2 : r->arg ? first.len : 0;
        b->nonempty = r->arg == 2;
        return true;
    default:
        return false;
    }
}

/* Texts and containers that are made of the first hole. */
static bool bound_same(const struct rule *r, const struct holes *h,
                       struct gen_bound *b)
{
    struct gen_bound first = h->values[0].bound;
    uint64_t times = h->n > 1 ? h->values[1].bound.mag : 1;

    switch (r->how) {
    case H_SAME:
    case H_ABS:
        *b = first;
        if (r->how == H_ABS) {
            b->mag *= r->type == T_INT ? 2 : 1; /* max - min */
            b->nonneg = true;
        }
        if (r->type == T_INT || r->type == T_FLOAT) {
            b->len = b->inner = 0;
            b->nonempty = b->inner_full = false;
        }
        return true;
    case H_SHRINK:
        *b = first;
        b->nonempty = false;
        return true;
    case H_REPEAT:
        *b = first;
        if (r->type == T_STR) {
            b->len = (uint32_t)(first.len * times);
        } else {
            b->inner = r->type == T_LS ? first.len : 0;
            b->inner_full = r->type == T_LS && first.nonempty;
            b->len = (uint32_t)times;
            b->nonempty = true;
        }
        return true;
    case H_ELEM:
        if (h->types[0] == T_INT) { /* divmod(a, b)[0] */
            b->mag = first.mag + 1;
            b->nonneg = first.nonneg;
        } else {
            *b = gen_element_bound(h->types[0], first);
        }
        return true;
    case H_KEYS:
        *b = first;
        if (r->type == T_LI || r->type == T_SI || r->type == T_DII) {
            b->inner = 0;
            b->inner_full = false;
        }
        if (r->type == T_LLI || h->types[0] == T_DSS) {
            b->inner_full = false;
        }
        return true;
    case H_ROWS:
        *b = first;
        b->len = first.inner;
        b->inner = first.len;
        b->nonempty = false;
        b->inner_full = true;
        return true;
    case H_FLAT:
        b->mag = first.mag;
        b->len = first.len * first.inner;
        b->nonneg = first.nonneg;
        if (r->type == T_INT) {
            b->mag = first.mag * (b->len + 1);
            b->len = 0;
        }
        return true;
    case H_WIDE:
        *b = first;
        if (h->n > 1 && h->values[1].bound.mag > b->len) {
            b->len = (uint32_t)h->values[1].bound.mag;
        }
        b->nonempty = true;
        return true;
    case H_RANGE:
        b->mag = first.mag;
        b->nonneg = true;
        b->len =
            first.mag > GEN_MAX_LEN ? GEN_MAX_LEN + 1 : (uint32_t)first.mag;
        return true;
    case H_SPLIT:
        b->len = first.len + 1;
        b->inner = first.len;
        b->vocab = first.vocab == VOCAB_SENTENCE ? VOCAB_WORDS : first.vocab;
        b->nonempty = strchr(r->pattern, 'q') != NULL;
        return true;
    default:
        return false;
    }
}

/* All holes' bounds, and their lengths together. */
struct gathered {
    struct gen_bound all;
    uint32_t len, text; /* sums */
    bool any_full, all_full;
};

static struct gathered gather(const struct holes *h)
{
    struct gathered g = {.all = h->values[0].bound, .all_full = true};

    for (unsigned i = 0; i < h->n; i++) {
        struct gen_bound one = h->values[i].bound;

        g.all = gen_bound_or(g.all, one);
        g.len += one.len;
        g.text += text_len(h->types[i], one);
        g.any_full = g.any_full || one.nonempty;
        if (gen_is_iterable(h->types[i])) {
            g.all_full = g.all_full && one.nonempty;
        }
    }
    return g;
}

/* The holes are the items. */
static bool bound_items(const struct rule *r, const struct holes *h,
                        struct gen_bound *b)
{
    struct gathered g = gather(h);
    struct gen_bound all = g.all;
    uint32_t sum_len = g.len;
    bool all_full = g.all_full;

    switch (r->how) {
    case H_LIST:
        b->mag = all.mag + (r->type == T_PII);
        b->nonneg = all.nonneg;
        b->len = h->n;
        b->inner = sum_len;
        b->inner_full = sum_len > 0 && all_full;
        b->nonempty = true;
        b->vocab = all.vocab;
        return true;
    case H_NEST:
        b->mag = all.mag;
        b->nonneg = all.nonneg;
        b->len = h->n + 1;
        b->inner = sum_len + 1;
        b->nonempty = true;
        if (r->type == T_LI) { /* groups.get(key, []) */
            b->len = h->values[0].bound.inner;
            b->mag = h->values[0].bound.mag;
            b->nonneg = h->values[0].bound.nonneg;
            b->inner = 0;
            b->nonempty = false;
        }
        return true;
    case H_ZIP:
        b->mag = all.mag > all.len ? all.mag : all.len;
        b->nonneg = all.nonneg;
        b->len = h->values[0].bound.len;
        b->inner = h->values[0].bound.inner;
        b->inner_full = h->values[0].bound.inner_full;
        if (r->type == T_DSS) {
            b->inner = all.inner;
            b->inner_full = all.inner_full;
        }
        b->vocab = h->values[0].bound.vocab;
        return true;
    default:
        return false;
    }
}

/* What gathers all holes. */
static bool bound_gathered(const struct rule *r, const struct holes *h,
                           struct gen_bound *b)
{
    struct gathered g = gather(h);
    struct gen_bound all = g.all;
    uint32_t sum_len = g.len;
    uint32_t sum_text = g.text;
    bool any_full = g.any_full;

    switch (r->how) {
    case H_OR:
        *b = all;
        if (r->type == T_INT) {
            b->len = b->inner = 0;
            b->nonempty = b->inner_full = false;
        }
        if (r->type == T_STR && h->types[0] == T_DSS) {
            b->len = all.len > all.inner ? all.len : all.inner;
            b->nonempty = false;
            b->inner = 0;
        }
        if (strstr(r->pattern, "or [")) {
            b->nonempty = b->nonneg = false;
            b->len += 1;
        }
        return true;
    case H_CONCAT:
        *b = all;
        b->len = sum_len;
        b->nonempty = any_full && !strstr(r->pattern, "[:");
        b->inner_full = all.inner_full;
        if (strstr(r->pattern, "%0")) {
            b->len = 2 * h->values[0].bound.len;
            b->nonneg = h->values[0].bound.nonneg;
        }
        return true;
    case H_MORE:
        *b = h->values[0].bound;
        b->len += r->arg;
        b->mag = all.mag;
        b->nonneg = all.nonneg;
        b->nonempty = true;
        if (r->type == T_LS || r->type == T_DSI) {
            struct gen_bound more = h->values[1].bound;

            b->inner = b->inner > more.len ? b->inner : more.len;
            b->inner_full = b->inner_full && more.nonempty;
        }
        if (r->type == T_DSI) {
            b->nonneg = b->nonneg && h->values[h->n - 1].bound.nonneg;
        }
        return true;
    case H_TEXT:
        b->len = sum_text + r->arg;
        b->nonempty = true;
        b->vocab = VOCAB_MIXED;
        return true;
    default:
        return false;
    }
}

/* Numbers and texts of another kind than the first hole. */
static void bound_other(const struct rule *r, const struct holes *h,
                        struct gen_bound *b)
{
    struct gen_bound first = h->values[0].bound;

    switch (r->how) {
    case H_DIGITS: /* str(), or a list of them */
        b->len = r->arg ? first.len : 14;
        b->inner = r->arg ? 14 : 0;
        b->inner_full = r->arg;
        b->nonempty = r->arg ? first.nonempty : true;
        b->vocab = VOCAB_DIGITS;
        break;
    case H_JOIN: {
        struct gen_bound list = h->values[h->n - 1].bound;

        b->len = list.len * (list.inner + 2);
        b->vocab = list.vocab;
        break;
    }
    case H_CHAR:
        b->len = r->arg == 1 ? 1 : first.len;
        b->inner = r->arg == 1 ? 0 : 1;
        b->inner_full = r->arg != 1;
        b->nonempty = r->arg == 1 ? true : first.nonempty;
        b->vocab = first.vocab;
        if (r->precedence == P_BITAND) {
            b->nonempty = false;
        }
        break;
    case H_CODES:
        b->mag = r->arg;
        b->nonneg = true;
        b->len = r->arg == 9 ? 14 : first.len;
        b->nonempty = r->arg == 9 || first.nonempty;
        break;
    case H_LENS:
        b->mag = first.len > first.inner ? first.len : first.inner;
        if (h->n > 1 && h->values[1].bound.len > b->mag) {
            b->mag = h->values[1].bound.len;
        }
        b->nonneg = true;
        b->len = first.len;
        b->inner = h->types[0] == T_STR ? 1 : first.inner;
        b->inner_full = h->types[0] == T_STR || first.inner_full;
        b->nonempty = first.nonempty;
        b->vocab = first.vocab;
        if (r->type == T_INT) {
            b->len = b->inner = 0;
            b->nonempty = b->inner_full = false;
        } else if (r->type == T_STR) { /* pair[0] */
            b->len = first.inner;
            b->nonempty = first.inner_full;
            b->inner = 0;
        } else if (r->type == T_PSI) {
            b->len = 2;
            b->inner = first.len;
            b->inner_full = first.nonempty;
            b->nonempty = true;
        } else if (r->type == T_DII) {
            b->mag += first.mag;
            b->nonneg = first.nonneg;
            b->inner = 0;
        } else if (r->type == T_LI) {
            b->inner = 0;
            b->inner_full = false;
        }
        break;
    default: /* H_BOOL */
        break;
    }
}

void gen_rule_bound(const struct rule *r, const struct holes *h,
                    struct gen_value *ret)
{
    *ret = (struct gen_value){.precedence = r->precedence, .is_constant = true};
    if (!bound_number(r, h, &ret->bound) && !bound_same(r, h, &ret->bound) &&
        !bound_gathered(r, h, &ret->bound) && !bound_items(r, h, &ret->bound)) {
        bound_other(r, h, &ret->bound);
    }
    for (unsigned i = 0; i < h->n; i++) {
        ret->is_tainted = ret->is_tainted || h->values[i].is_tainted;
        ret->is_constant = ret->is_constant && h->values[i].is_constant;
    }
}
