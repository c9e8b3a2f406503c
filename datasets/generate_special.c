/* SPDX-License-Identifier: MIT */
/*
 * generate_special.c -- expressions that bring names of their own or call
 * others: comprehensions, lambdas, helper calls, entries by a loop's index.
 *
 * The body of a comprehension stands in front of what it goes through, but
 * its names come from there; so the latter is written first and moved.
 */
#include "datasets/generate_internal.h"

#include <inttypes.h>
#include <string.h>

struct moved {
    char text[GEN_TEXT_BYTES];
    size_t len;
};

/* Takes what was written from `at` on out of the text. */
static bool take(struct gen_draft *d, size_t at, struct moved *ret)
{
    ret->len = d->out->len - at;
    if (ret->len >= sizeof ret->text || d->out->failed != CWM_OK) {
        return false;
    }
    memcpy(ret->text, d->out->data + at, ret->len);
    d->out->len = at;
    d->out->data[at] = '\0';
    return true;
}

int gen_push_elements(struct gen_draft *d, const struct gen_iter *it)
{
    int first = d->n_vars;

    for (unsigned i = 0; i < it->n; i++) {
        char name[GENERATE_NAME_BYTES];
        int var;

        if (it->types[i] == T_INT && (it->indexes[i] >= 0 || it->n == 1) &&
            (it->indexes[i] >= 0 || gen_chance(d, 300))) {
            gen_name_index(d, name);
        } else {
            gen_name_element(d, it->types[i], name);
        }
        var = gen_push_var(d, name, it->types[i], it->bounds[i]);
        d->vars[var].indexes = (int16_t)it->indexes[i];
        d->vars[var].is_element = true;
        d->vars[var].is_tainted = it->is_tainted;
    }
    return first;
}

/* " for a, b in ITERABLE", behind a body. */
static void write_for(struct gen_draft *d, const struct gen_iter *it, int first,
                      const struct moved *iterable)
{
    cwm_buf_adds(d->out, " for ");
    for (unsigned i = 0; i < it->n; i++) {
        const struct gen_var *v = &d->vars[(unsigned)first + i];

        cwm_buf_adds(d->out, i ? ", " : "");
        cwm_buf_adds(d->out, it->is_nested && i == 1 ? "(" : "");
        cwm_buf_adds(d->out, v->is_used ? v->name : "_");
    }
    cwm_buf_adds(d->out, it->is_nested ? ")" : "");
    cwm_buf_adds(d->out, " in ");
    cwm_buf_add(d->out, iterable->text, iterable->len);
}

/* The parts of a comprehension's body. */
struct body {
    enum gen_type types[2]; /* key and value, or the element */
    struct gen_value values[2];
    unsigned n;
    const char *open, *close;
};

static bool write_body(struct gen_draft *d, struct body *body, unsigned depth)
{
    for (unsigned i = 0; i < body->n; i++) {
        size_t at;

        cwm_buf_adds(d->out, i ? ": " : "");
        at = d->out->len;
        if (!gen_expression(d, body->types[i], depth, W_VARIABLE, P_OR,
                            &body->values[i])) {
            return false;
        }
        gen_make_fresh(d, at, body->types[i], body->values[i].precedence);
    }
    return true;
}

/* Uses at least one of the loop's own variables. */
static bool uses_elements(const struct gen_draft *d, int first, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (d->vars[(unsigned)first + i].is_used) {
            return true;
        }
    }
    return false;
}

/*
 * OPEN body for ... in ... [if ...] CLOSE.  Its own names are gone behind it.
 * *ret_n: how many elements at most.
 */
static bool comprehension(struct gen_draft *d, struct body *body,
                          unsigned depth, uint32_t filter_permille,
                          uint32_t *ret_n, bool *ret_filtered,
                          bool *ret_tainted)
{
    size_t at = d->out->len;
    int n_vars = d->n_vars;
    uint32_t trips = d->trips;
    struct gen_iter it;
    struct moved iterable;
    struct gen_value condition = {0};
    bool done = false;
    int first;

    if (d->element_depth >= 1 || !gen_iterable(d, depth > 1 ? 1 : 0, &it) ||
        !take(d, at, &iterable) || !gen_charge(d, it.trips + 2)) {
        return false;
    }
    first = gen_push_elements(d, &it);
    d->trips *= it.trips ? it.trips : 1;
    d->element_depth++;
    cwm_buf_adds(d->out, body->open);
    if (!write_body(d, body, depth - 1) || !uses_elements(d, first, it.n)) {
        goto out;
    }
    *ret_filtered = gen_chance(d, filter_permille);
    at = d->out->len;
    if (*ret_filtered) {
        struct moved test;

        if (!gen_condition(d, depth > 1 ? depth - 1 : 1, P_OR, &condition) ||
            !take(d, at, &test)) {
            goto out;
        }
        write_for(d, &it, first, &iterable);
        cwm_buf_adds(d->out, " if ");
        cwm_buf_add(d->out, test.text, test.len);
    } else {
        write_for(d, &it, first, &iterable);
    }
    cwm_buf_adds(d->out, body->close);
    *ret_n = it.trips;
    *ret_tainted = it.is_tainted || body->values[0].is_tainted;
    done = true;
out:
    d->element_depth--;
    d->trips = trips;
    d->n_vars = n_vars;
    return done;
}

static bool int_of_generator(struct gen_draft *d, unsigned depth,
                             struct gen_value *ret)
{
    static const char *const opens[] = {"sum(", "sum(1", "max((", "min((",
                                        "len({"};
    static const char *const closes[] = {")", ")", "), default=0)",
                                         "), default=0)", "})"};
    static const uint8_t weights[] = {34, 26, 18, 10, 8};
    uint32_t kind = gen_weighted(d, weights, ARRAY_LEN(weights));
    struct body body = {.types = {T_INT},
                        .n = kind == 1 ? 0 : 1,
                        .open = opens[kind],
                        .close = closes[kind]};
    uint32_t n = 0;
    bool filtered = false;
    bool tainted = false;

    if (kind == 1) { /* what is counted is told by the condition alone */
        body.open = "";
        body.n = 1;
        body.types[0] = T_BOOL;
        body.open = "sum(";
    }
    if (!comprehension(d, &body, depth, kind == 1 ? 200 : 350, &n, &filtered,
                       &tainted)) {
        return false;
    }
    *ret = (struct gen_value){.precedence = P_ATOM, .is_tainted = tainted};
    ret->bound.nonneg = body.values[0].bound.nonneg || kind == 1 || kind == 4;
    ret->bound.mag = body.values[0].bound.mag;
    if (kind == 0) {
        ret->bound.mag *= n + 1;
    } else if (kind == 1 || kind == 4) {
        ret->bound.mag = n;
    }
    return true;
}

static bool bool_of_generator(struct gen_draft *d, unsigned depth,
                              struct gen_value *ret)
{
    struct body body = {.types = {T_BOOL},
                        .n = 1,
                        .open = gen_chance(d, 500) ? "any(" : "all(",
                        .close = ")"};
    uint32_t n = 0;
    bool filtered = false;
    bool tainted = false;

    if (!comprehension(d, &body, depth > 1 ? depth : 2, 200, &n, &filtered,
                       &tainted)) {
        return false;
    }
    *ret = (struct gen_value){.precedence = P_ATOM, .is_tainted = tainted};
    return true;
}

static bool str_of_generator(struct gen_draft *d, unsigned depth,
                             struct gen_value *ret)
{
    static const char *const opens[] = {"''.join(", "' '.join(", "'-'.join(",
                                        "','.join(", "''.join("};
    struct body body = {.types = {T_STR},
                        .n = 1,
                        .open = opens[gen_pick(d, ARRAY_LEN(opens))],
                        .close = ")"};
    uint32_t n = 0;
    bool filtered = false;
    bool tainted = false;

    if (!comprehension(d, &body, depth, 400, &n, &filtered, &tainted)) {
        return false;
    }
    *ret = (struct gen_value){.precedence = P_ATOM, .is_tainted = tainted};
    ret->bound.len = n * (body.values[0].bound.len + 1);
    ret->bound.vocab = body.values[0].bound.vocab;
    return true;
}

/* [..], {..}, {..: ..}, tuple(..): a container by a comprehension. */
static bool container_of_generator(struct gen_draft *d, enum gen_type type,
                                   unsigned depth, struct gen_value *ret)
{
    struct body body = {.n = 1, .open = "[", .close = "]"};
    uint32_t n = 0;
    bool filtered = false;
    bool tainted = false;
    struct gen_bound b = {0};

    body.types[0] = gen_element(type);
    if (type == T_SI || type == T_SS) {
        body.open = "{";
        body.close = "}";
    } else if (type == T_TI) {
        body.open = "tuple(";
        body.close = ")";
    } else if (type == T_DSI || type == T_DII || type == T_DSS ||
               type == T_DSL) {
        body.n = 2;
        body.types[1] = type == T_DSS ? T_STR : type == T_DSL ? T_LI : T_INT;
        body.open = "{";
        body.close = "}";
    } else if (type == T_PII || type == T_PSI) {
        return false;
    }
    if (!comprehension(d, &body, depth, type == T_LI ? 450 : 300, &n, &filtered,
                       &tainted)) {
        return false;
    }
    b = body.values[0].bound;
    if (body.n == 2) {
        b = gen_bound_or(b, body.values[1].bound);
        b.nonneg = body.values[1].bound.nonneg &&
                   (type != T_DII || body.values[0].bound.nonneg);
    }
    b.inner = type == T_LPS ? b.inner : b.len;
    b.inner_full = type == T_LPS ? b.inner_full
                                 : body.values[0].bound.nonempty && body.n == 1;
    b.len = n;
    b.nonempty = false;
    if (body.types[0] == T_INT && body.n == 1) {
        b.inner = 0;
        b.inner_full = false;
    }
    *ret = (struct gen_value){
        .bound = b, .precedence = P_ATOM, .is_tainted = tainted};
    return true;
}

/* An element of a list by a loop's index: xs[i]. */
static bool by_index(struct gen_draft *d, enum gen_type type,
                     struct gen_value *ret)
{
    for (int i = d->n_vars - 1; i >= 0; i--) {
        int list = d->vars[i].indexes;

        if (list >= 0 && gen_element(d->vars[list].type) == type &&
            gen_chance(d, 800)) {
            gen_use(d, list);
            cwm_buf_addc(d->out, '[');
            gen_use(d, i);
            cwm_buf_addc(d->out, ']');
            *ret =
                (struct gen_value){.bound = gen_element_bound(
                                       d->vars[list].type, d->vars[list].bound),
                                   .precedence = P_ATOM,
                                   .is_tainted = d->vars[list].is_tainted};
            return true;
        }
    }
    return false;
}

/* "lambda x: BODY" over an element of the type. */
static bool lambda(struct gen_draft *d, enum gen_type type,
                   struct gen_bound bound, enum gen_type result, unsigned depth,
                   uint32_t n_calls, struct gen_value *ret)
{
    char name[GENERATE_NAME_BYTES];
    uint32_t trips = d->trips;
    int n_vars = d->n_vars;
    int var;
    bool done;

    if (d->element_depth >= 1 || !gen_charge(d, 3 * n_calls + 1)) {
        return false;
    }
    gen_name_element(d, type, name);
    gen_printf(d->out, "lambda %s: ", name);
    var = gen_push_var(d, name, type, bound);
    d->vars[var].is_element = true;
    d->trips *= n_calls ? n_calls : 1;
    d->element_depth++;
    done = result == T_BOOL
               ? gen_condition(d, depth, P_OR, ret)
               : gen_expression(d, result, depth, W_VARIABLE, P_OR, ret);
    done = done && d->vars[var].is_used;
    d->element_depth--;
    d->trips = trips;
    d->n_vars = n_vars;
    return done;
}

/* sorted(), max(), min() by a key. */
static bool by_key(struct gen_draft *d, enum gen_type type, unsigned depth,
                   struct gen_value *ret)
{
    static const enum gen_type holders[] = {T_LI, T_LS, T_LLI, T_LPI, T_LPS};
    enum gen_type held = type;
    bool picks = false;
    struct gen_value list;
    struct gen_value key;

    for (size_t i = 0; i < ARRAY_LEN(holders); i++) {
        if (gen_element(holders[i]) == type) {
            held = holders[i];
            picks = true;
        }
    }
    if (gen_is_sequence(type) && type != T_STR && type != T_TI &&
        gen_chance(d, 700)) {
        held = type;
        picks = false;
    }
    if (held == type && !gen_is_sequence(type)) {
        return false;
    }
    if (held == T_STR || held == T_TI || held == T_LF) {
        return false;
    }
    cwm_buf_adds(d->out, !picks               ? "sorted("
                         : gen_chance(d, 600) ? "max("
                                              : "min(");
    if (!gen_expression(d, held, depth - 1,
                        W_VARIABLE | (picks ? W_NONEMPTY : 0), P_OR, &list)) {
        return false;
    }
    cwm_buf_adds(d->out, ", key=");
    if (!lambda(d, gen_element(held), gen_element_bound(held, list.bound),
                gen_chance(d, 750) ? T_INT : T_STR, depth - 1, list.bound.len,
                &key)) {
        return false;
    }
    if (!picks && gen_chance(d, 250)) {
        cwm_buf_adds(d->out, ", reverse=True");
    }
    cwm_buf_addc(d->out, ')');
    *ret = list;
    ret->precedence = P_ATOM;
    if (picks) {
        ret->bound = gen_element_bound(held, list.bound);
    }
    return true;
}

/* list(map(lambda ...)), list(filter(lambda ...)). */
static bool by_map(struct gen_draft *d, enum gen_type type, unsigned depth,
                   struct gen_value *ret)
{
    bool filters = gen_chance(d, 500);
    enum gen_type from = filters || gen_chance(d, 500) ? type : T_LI;
    size_t at;
    struct gen_value list;
    struct gen_value body;
    struct moved moved;

    if (type != T_LI && type != T_LS) {
        return false;
    }
    at = d->out->len;
    if (!gen_expression(d, from, depth - 1, W_VARIABLE, P_OR, &list) ||
        !take(d, at, &moved)) {
        return false;
    }
    cwm_buf_adds(d->out, filters ? "list(filter(" : "list(map(");
    if (!lambda(d, gen_element(from), gen_element_bound(from, list.bound),
                filters ? T_BOOL : gen_element(type), depth - 1, list.bound.len,
                &body)) {
        return false;
    }
    cwm_buf_adds(d->out, ", ");
    cwm_buf_add(d->out, moved.text, moved.len);
    cwm_buf_adds(d->out, "))");
    *ret = list;
    ret->precedence = P_ATOM;
    if (filters) {
        ret->bound.nonempty = false;
    } else {
        ret->bound = body.bound;
        ret->bound.inner = type == T_LS ? body.bound.len : 0;
        ret->bound.inner_full = type == T_LS && body.bound.nonempty;
        ret->bound.len = list.bound.len;
        ret->bound.nonempty = list.bound.nonempty;
    }
    return true;
}

bool gen_call(struct gen_draft *d, int helper, unsigned depth,
              struct gen_value *ret_value)
{
    struct gen_helper *h = &d->helpers[helper];

    if (!gen_charge(d, h->steps + 1)) {
        return false;
    }
    gen_printf(d->out, h->is_generator ? "list(%s(" : "%s(", h->name);
    for (unsigned i = 0; i < h->n_params; i++) {
        struct gen_value argument;

        cwm_buf_adds(d->out, i ? ", " : "");
        if (!gen_expression_within(d, h->params[i], depth - 1,
                                   i == 0 ? W_VARIABLE : 0, P_OR, h->bounds[i],
                                   &argument)) {
            return false;
        }
    }
    cwm_buf_adds(d->out, h->is_generator ? "))" : ")");
    h->is_used = true;
    *ret_value = (struct gen_value){
        .bound = h->result_bound, .precedence = P_ATOM, .is_tainted = true};
    return true;
}

static bool call_helper(struct gen_draft *d, enum gen_type type, unsigned depth,
                        struct gen_value *ret)
{
    int chosen = -1;

    for (int i = 0; i < d->n_helpers; i++) {
        if (d->helpers[i].result == type &&
            (chosen < 0 || !d->helpers[i].is_used || gen_chance(d, 400))) {
            chosen = i;
        }
    }
    return chosen >= 0 && gen_call(d, chosen, depth, ret);
}

static bool conditional(struct gen_draft *d, enum gen_type type, unsigned depth,
                        struct gen_value *ret)
{
    struct gen_value condition;
    struct gen_value other;

    if (!gen_expression(d, type, depth - 1, W_VARIABLE, P_OR, ret)) {
        return false;
    }
    cwm_buf_adds(d->out, " if ");
    if (!gen_condition(d, 1, P_OR, &condition)) {
        return false;
    }
    cwm_buf_adds(d->out, " else ");
    if (!gen_expression(d, type, depth - 1, 0, P_OR, &other)) {
        return false;
    }
    ret->bound = gen_bound_or(ret->bound, other.bound);
    ret->precedence = P_LOWEST;
    return true;
}

static bool by_generator(struct gen_draft *d, enum gen_type type,
                         unsigned depth, struct gen_value *ret)
{
    if (type == T_INT) {
        return int_of_generator(d, depth, ret);
    }
    if (type == T_BOOL) {
        return bool_of_generator(d, depth, ret);
    }
    if (type == T_STR) {
        return str_of_generator(d, depth, ret);
    }
    return type != T_FLOAT && container_of_generator(d, type, depth, ret);
}

bool gen_special(struct gen_draft *d, enum gen_type type, unsigned depth,
                 struct gen_value *ret_value)
{
    static const uint8_t weights[] = {32, 22, 12, 8, 20, 6};
    uint32_t kind = gen_weighted(d, weights, ARRAY_LEN(weights));

    if (d->in_fstring && kind != 1 && kind != 4) {
        return false;
    }
    depth = depth ? depth : 1;
    switch (kind) {
    case 0:
        return by_generator(d, type, depth, ret_value);
    case 1:
        return by_index(d, type, ret_value);
    case 2:
        return by_key(d, type, depth, ret_value);
    case 3:
        return by_map(d, type, depth, ret_value);
    case 4:
        return call_helper(d, type, depth, ret_value);
    default:
        return type != T_BOOL && conditional(d, type, depth, ret_value);
    }
}
