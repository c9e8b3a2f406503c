/* SPDX-License-Identifier: MIT */
/*
 * generate_expr.c -- an expression of a type: a variable, a literal, one of
 * the table's patterns, or one of the special forms; tried, and cut back when
 * it is not what was wanted.
 */
#include "datasets/generate_internal.h"

#include <inttypes.h>
#include <string.h>

#define MAX_TRIES 4
/* The first bit for helpers in a mark's `used`; variables have those below. */
#define HELPER_BIT 48

struct gen_mark gen_mark(const struct gen_draft *d)
{
    struct gen_mark mark = {
        .len = d->out->len, .steps = d->steps, .n_vars = d->n_vars};

    for (int i = 0; i < d->n_vars; i++) {
        mark.used |= (uint64_t)d->vars[i].is_used << i;
    }
    for (int i = 0; i < d->n_helpers; i++) {
        mark.used |= (uint64_t)d->helpers[i].is_used << (HELPER_BIT + i);
    }
    return mark;
}

void gen_cut(struct gen_draft *d, struct gen_mark mark)
{
    bool is_longer = d->out->len > mark.len;

    if (is_longer) {
        d->out->len = mark.len;
        d->out->data[mark.len] = '\0';
    }
    d->steps = mark.steps;
    d->n_vars = mark.n_vars;
    if (!is_longer) {
        return; /* nothing written, nothing used */
    }
    for (int i = 0; i < d->n_vars; i++) {
        d->vars[i].is_used = mark.used >> i & 1;
    }
    for (int i = 0; i < d->n_helpers; i++) {
        d->helpers[i].is_used = mark.used >> (HELPER_BIT + i) & 1;
    }
}

bool gen_charge(struct gen_draft *d, uint32_t n)
{
    uint64_t steps = (uint64_t)d->trips * n + d->steps;

    if (steps > d->settings->max_steps) {
        return false;
    }
    d->steps = (uint32_t)steps;
    return true;
}

int gen_push_var(struct gen_draft *d, const char *name, enum gen_type type,
                 struct gen_bound bound)
{
    struct gen_var *v;

    if (d->n_vars == GEN_MAX_VARS) {
        d->is_broken = true;
        d->n_vars--; /* the draft is thrown away: any place will do */
    }
    v = &d->vars[d->n_vars];
    *v = (struct gen_var){.type = type,
                          .bound = bound,
                          .base = bound,
                          .indexes = -1,
                          .is_tainted = true,
                          .trips = d->trips};
    memcpy(v->name, name, strlen(name) + 1);
    return d->n_vars++;
}

struct gen_value gen_value_of(const struct gen_draft *d, int var)
{
    const struct gen_var *v = &d->vars[var];

    return (struct gen_value){
        .bound = v->bound, .precedence = P_ATOM, .is_tainted = v->is_tainted};
}

static bool has_wanted(const struct gen_value *value, unsigned want)
{
    return (!(want & W_VARIABLE) || !value->is_constant) &&
           (!(want & W_NONEMPTY) || value->bound.nonempty) &&
           (!(want & W_NONNEG) || value->bound.nonneg) &&
           (!(want & W_TAINTED) || value->is_tainted);
}

int gen_variable(struct gen_draft *d, enum gen_type type, unsigned want)
{
    uint8_t weights[GEN_MAX_VARS];
    uint32_t n = 0;

    for (int i = 0; i < d->n_vars; i++) {
        const struct gen_var *v = &d->vars[i];
        struct gen_value value;

        weights[i] = 0;
        if (v->type != type || i == d->hidden) {
            continue;
        }
        value = gen_value_of(d, i);
        if (has_wanted(&value, want)) {
            weights[i] = (uint8_t)((v->is_used ? 2 : 6) * (v->is_element + 1));
            n++;
        }
    }
    return n ? (int)gen_weighted(d, weights, (uint32_t)d->n_vars) : -1;
}

void gen_use(struct gen_draft *d, int var)
{
    d->vars[var].is_used = true;
    cwm_buf_adds(d->out, d->vars[var].name);
}

/* Small constants, as people write them, and short texts. */
static struct gen_bound constant_bound(struct gen_draft *d, enum gen_type type)
{
    struct gen_bound bound = {.mag = 10, .nonneg = true, .nonempty = true};

    if (gen_chance(d, 200)) {
        bound.mag = 100;
    }
    if (gen_is_iterable(type) && type != T_STR) {
        bound.len = 4;
        bound.inner = 6;
        bound.inner_full = true;
    } else if (type == T_STR) {
        bound.len = 6;
    }
    return bound;
}

static bool write_constant(struct gen_draft *d, enum gen_type type,
                           struct gen_value *ret)
{
    struct gen_bound bound = constant_bound(d, type);

    if (gen_is_iterable(type) && type != T_STR && d->in_fstring) {
        return false;
    }
    gen_literal(d, type, bound, d->out);
    *ret = (struct gen_value){
        .bound = bound, .precedence = P_ATOM, .is_constant = true};
    return true;
}

static bool write_atom(struct gen_draft *d, enum gen_type type, unsigned want,
                       struct gen_value *ret)
{
    int var = gen_chance(d, 850) || want ? gen_variable(d, type, want) : -1;

    if (var >= 0) {
        gen_use(d, var);
        *ret = gen_value_of(d, var);
        return true;
    }
    if (want & (W_VARIABLE | W_NAME | W_TAINTED)) {
        return false;
    }
    return write_constant(d, type, ret);
}

static void parenthesise(struct gen_draft *d, size_t at)
{
    if (cwm_buf_adds(d->out, "()") == CWM_OK) {
        memmove(d->out->data + at + 1, d->out->data + at, d->out->len - at - 2);
        d->out->data[at] = '(';
    }
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_';
}

const char *gen_find_name(const char *text, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = text; (p = strstr(p, name)) != NULL; p += len) {
        if ((p == text || !is_word(p[-1])) && !is_word(p[len])) {
            return p;
        }
    }
    return NULL;
}

bool gen_has_name(const char *text, const char *name)
{
    return gen_find_name(text, name) != NULL;
}

bool gen_is_name(const struct gen_draft *d, size_t at)
{
    while (at < d->out->len && is_word(d->out->data[at])) {
        at++;
    }
    return at == d->out->len;
}

void gen_make_fresh(struct gen_draft *d, size_t at, enum gen_type type,
                    unsigned precedence)
{
    const char *text = d->out->data + at;
    size_t len = d->out->len - at;
    size_t word = 0;
    const char *maker =
        type == T_DSI || type == T_DII || type == T_DSS || type == T_DSL
            ? "dict"
        : type == T_SI || type == T_SS ? "set"
                                       : "list";
    bool is_call = false;

    if (!gen_is_iterable(type) || type == T_STR || type == T_TI ||
        type == T_PII || d->out->failed != CWM_OK) {
        return;
    }
    while (word < len && is_word(text[word])) {
        word++;
    }
    if (gen_is_name(d, at)) {
        cwm_buf_adds(d->out, *maker == 'l' ? "[:]" : ".copy()");
        return;
    }
    for (int i = 0; i < d->n_helpers; i++) {
        is_call = is_call || (strlen(d->helpers[i].name) == word &&
                              memcmp(d->helpers[i].name, text, word) == 0);
    }
    if (is_call || precedence < P_BITOR || strstr(text, ".get(") ||
        text[len - 1] == ']') {
        if (text[0] == '[' || strstr(text, "[:")) {
            return; /* a list that is written down, or a slice */
        }
        if (cwm_buf_adds(d->out, maker) == CWM_OK &&
            cwm_buf_adds(d->out, "()") == CWM_OK) {
            size_t n = strlen(maker) + 1;

            memmove(d->out->data + at + n, d->out->data + at, len);
            memcpy(d->out->data + at, maker, n - 1);
            d->out->data[at + n - 1] = '(';
            d->out->data[d->out->len - 1] = ')';
        }
    }
}

static bool is_sane(const struct gen_value *value)
{
    return value->bound.mag <= GEN_MAX_MAG && value->bound.len <= GEN_MAX_LEN &&
           value->bound.inner <= GEN_MAX_LEN;
}

static bool write_some(struct gen_draft *d, enum gen_type type, unsigned depth,
                       unsigned want, struct gen_value *ret)
{
    uint32_t kind = gen_pick(d, 100);

    if (depth == 0 || (want & (W_ATOM | W_NAME)) || kind < 24) {
        return write_atom(d, type, want, ret);
    }
    if (kind < 70) {
        return gen_rule(d, type, depth, ret);
    }
    return gen_special(d, type, depth, ret);
}

bool gen_expression(struct gen_draft *d, enum gen_type type, unsigned depth,
                    unsigned want, unsigned precedence,
                    struct gen_value *ret_value)
{
    struct gen_mark mark = gen_mark(d);
    bool is_atom = depth == 0 || (want & (W_ATOM | W_NAME));

    /* whether there is an atom or none does not depend on chance */
    for (int i = is_atom ? MAX_TRIES - 1 : 0; i < MAX_TRIES; i++) {
        unsigned tried = i + 1 < MAX_TRIES ? depth : 0;

        if (write_some(d, type, tried, want, ret_value) &&
            has_wanted(ret_value, want) && is_sane(ret_value)) {
            if (ret_value->precedence < precedence) {
                parenthesise(d, mark.len);
                ret_value->precedence = P_ATOM;
            }
            return true;
        }
        gen_cut(d, mark);
    }
    return false;
}

/* What is too large is wrapped: e % 97, text[:8]. */
static bool write_wrapped(struct gen_draft *d, enum gen_type type,
                          unsigned depth, unsigned want, struct gen_bound limit,
                          struct gen_value *ret)
{
    static const uint32_t nice[] = {1009, 1000, 256, 101, 100, 97, 50, 26,
                                    13,   10,   7,   5,   4,   3,  2};
    size_t i = 0;

    if (type == T_INT && limit.mag > 0) {
        while (i + 1 < ARRAY_LEN(nice) &&
               (nice[i] > limit.mag + 1 || gen_chance(d, 300))) {
            i++;
        }
        if (nice[i] > limit.mag + 1 ||
            !gen_expression(d, type, depth, want & ~(unsigned)W_NONNEG,
                            P_PRODUCT, ret)) {
            return false;
        }
        gen_printf(d->out, " %% %" PRIu32, nice[i]);
        ret->bound.mag = nice[i] - 1;
        ret->bound.nonneg = true;
        ret->precedence = P_PRODUCT;
        return true;
    }
    if (gen_is_sequence(type) && limit.len > 0) {
        if (!gen_expression(d, type, depth, want, P_ATOM, ret)) {
            return false;
        }
        gen_printf(d->out, "[:%" PRIu32 "]", limit.len);
        ret->bound.len = limit.len;
        return true;
    }
    return false;
}

bool gen_expression_within(struct gen_draft *d, enum gen_type type,
                           unsigned depth, unsigned want, unsigned precedence,
                           struct gen_bound limit, struct gen_value *ret_value)
{
    struct gen_mark mark = gen_mark(d);

    want |= (limit.nonempty ? W_NONEMPTY : 0) | (limit.nonneg ? W_NONNEG : 0);
    if (!gen_is_iterable(type)) {
        want &= ~(unsigned)W_NONEMPTY;
    }
    for (int i = 0; i < MAX_TRIES; i++) {
        unsigned tried = (unsigned)i < depth ? depth - (unsigned)i : 0;
        bool done =
            i == 1
                ? write_wrapped(d, type, tried, want, limit, ret_value)
                : gen_expression(d, type, tried, want, precedence, ret_value);

        if (done && gen_fits(ret_value->bound, limit) &&
            has_wanted(ret_value, want)) {
            if (ret_value->precedence < precedence) {
                parenthesise(d, mark.len);
                ret_value->precedence = P_ATOM;
            }
            return true;
        }
        gen_cut(d, mark);
    }
    if (want & (W_VARIABLE | W_TAINTED | W_NAME)) {
        return false;
    }
    ret_value->bound = constant_bound(d, type);
    if (!gen_fits(ret_value->bound, limit)) {
        ret_value->bound = limit; /* its size, and what it must be */
        ret_value->bound.nonempty = limit.len > 0;
        ret_value->bound.inner_full = limit.inner > 0;
    }
    gen_literal(d, type, ret_value->bound, d->out);
    ret_value->precedence = P_ATOM;
    ret_value->is_constant = true;
    ret_value->is_tainted = false;
    return true;
}

bool gen_condition(struct gen_draft *d, unsigned depth, unsigned precedence,
                   struct gen_value *ret_value)
{
    struct gen_mark mark = gen_mark(d);

    for (int i = 0; i < MAX_TRIES; i++) {
        if ((gen_chance(d, 850) ? gen_rule(d, T_BOOL, depth, ret_value)
                                : gen_special(d, T_BOOL, depth, ret_value)) &&
            !ret_value->is_constant && ret_value->is_tainted) {
            if (ret_value->precedence < precedence) {
                parenthesise(d, mark.len);
                ret_value->precedence = P_ATOM;
            }
            return true;
        }
        gen_cut(d, mark);
    }
    return gen_expression(d, T_BOOL, 0, W_VARIABLE, precedence, ret_value);
}
