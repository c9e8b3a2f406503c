/* SPDX-License-Identifier: MIT */
/*
 * generate_helper.c -- functions that the entry calls: plain ones, generators,
 * lambdas, and those that call themselves on something smaller.
 */
#include "datasets/generate_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What the arguments of a helper must fit into. */
static struct gen_bound param_bound(struct gen_draft *d, enum gen_type type)
{
    struct gen_bound bound = gen_bound_of_type(d, type);

    bound.nonempty = gen_chance(d, 300) && gen_is_iterable(type);
    bound.inner_full = false;
    if (type == T_INT) {
        bound.mag = gen_chance(d, 500) ? 1000 : 100000;
        bound.nonneg = gen_chance(d, 300);
    } else if (type == T_LI) {
        bound.mag = 100000;
        bound.nonneg = false;
        bound.len = 12;
    } else if (type == T_STR) {
        bound.len = 30;
        bound.mag = GEN_MAX_MAG;
        bound.inner = GEN_MAX_LEN;
        bound.nonneg = false;
    }
    return bound;
}

static void add_param(struct gen_draft *d, struct gen_helper *h,
                      enum gen_type type, struct gen_bound bound)
{
    char name[GENERATE_NAME_BYTES];

    gen_name_variable(d, type, name);
    h->params[h->n_params] = type;
    h->bounds[h->n_params++] = bound;
    gen_push_var(d, name, type, bound);
    d->vars[d->n_vars - 1].is_param = true;
}

static void write_header(struct gen_draft *d, const struct gen_helper *h)
{
    gen_line(d);
    gen_printf(d->out, "def %s(", h->name);
    for (unsigned i = 0; i < h->n_params; i++) {
        gen_printf(d->out, "%s%s", i ? ", " : "",
                   d->vars[d->first_var + (int)i].name);
    }
    cwm_buf_adds(d->out, "):\n");
}

static bool uses_all_params(const struct gen_draft *d,
                            const struct gen_helper *h)
{
    for (unsigned i = 0; i < h->n_params; i++) {
        if (!d->vars[d->first_var + (int)i].is_used) {
            return false;
        }
    }
    return true;
}

/* return EXPRESSION, with every parameter in it or before it. */
static bool write_result(struct gen_draft *d, const struct gen_helper *h)
{
    struct gen_mark mark = gen_mark(d);
    struct gen_value value;

    for (int i = 0; i < 8; i++) {
        gen_line(d);
        cwm_buf_adds(d->out, "return ");
        if (gen_expression(d, h->result, 2 + (i > 3), W_VARIABLE | W_TAINTED,
                           P_LOWEST, &value) &&
            uses_all_params(d, h)) {
            gen_end(d);
            d->result_bound = gen_bound_or(d->result_bound, value.bound);
            return true;
        }
        gen_cut(d, mark);
    }
    return false;
}

static bool plain_function(struct gen_draft *d, struct gen_helper *h)
{
    static const enum gen_type results[] = {T_INT, T_INT, T_STR, T_BOOL,
                                            T_INT, T_LI,  T_LS,  T_STR};
    static const enum gen_type params[] = {T_INT, T_INT, T_STR, T_LI,
                                           T_STR, T_LS,  T_INT, T_LI};
    uint32_t n = gen_chance(d, 600) ? 1 : 2;
    struct gen_scope scope;

    h->result = results[gen_pick(d, ARRAY_LEN(results))];
    for (uint32_t i = 0; i < n; i++) {
        enum gen_type type = params[gen_pick(d, ARRAY_LEN(params))];

        add_param(d, h, type, param_bound(d, type));
    }
    write_header(d, h);
    scope = gen_open(d, 1, false);
    scope.n_vars = d->first_var;
    d->result = h->result;
    d->in_loop = false;
    if (gen_chance(d, 250)) {
        struct gen_mark mark = gen_mark(d);
        struct gen_value condition;

        gen_line(d);
        cwm_buf_adds(d->out, "if ");
        if (gen_condition(d, 1, P_OR, &condition)) {
            struct gen_scope inner;

            cwm_buf_addc(d->out, ':');
            gen_end(d);
            inner = gen_open(d, 1, false);
            if (gen_return_early(d)) {
                gen_close(d, inner);
            } else {
                gen_close(d, inner);
                gen_cut(d, mark);
            }
        } else {
            gen_cut(d, mark);
        }
    }
    if (gen_chance(d, 450)) {
        gen_block(d, 0, 2, 2);
    }
    if (!write_result(d, h)) {
        return false;
    }
    gen_close(d, scope);
    return true;
}

/* def f(xs): for x in xs: [if ...:] yield ... */
static bool generator_function(struct gen_draft *d, struct gen_helper *h)
{
    enum gen_type type = gen_chance(d, 700) ? T_LI : T_STR;
    struct gen_scope scope;
    struct gen_loop loop;
    struct gen_value value;
    struct gen_value condition;
    bool filters = gen_chance(d, 450);
    uint32_t trips;

    h->is_generator = true;
    h->result = gen_chance(d, 600) ? T_LI : T_LS;
    add_param(d, h, type, param_bound(d, type));
    write_header(d, h);
    scope = gen_open(d, 1, false);
    d->result = T_N_TYPES; /* nothing is returned */
    if (!gen_for_open(d, &loop)) {
        return false;
    }
    trips = d->trips;
    gen_line(d);
    if (filters) {
        cwm_buf_adds(d->out, "if ");
        if (!gen_condition(d, 2, P_OR, &condition)) {
            return false;
        }
        gen_printf(d->out, ":\n%*s", (int)(4 * d->indent + 4), "");
    }
    cwm_buf_adds(d->out, "yield ");
    if (!gen_charge(d, 3) || !gen_expression(d, gen_element(h->result), 2,
                                             W_VARIABLE, P_OR, &value)) {
        return false;
    }
    gen_end(d);
    if (!gen_for_uses_variables(d, &loop)) {
        return false;
    }
    gen_for_close(d, &loop);
    gen_close(d, scope);
    d->result_bound = value.bound;
    d->result_bound.inner = h->result == T_LS ? value.bound.len : 0;
    d->result_bound.inner_full = h->result == T_LS && value.bound.nonempty;
    d->result_bound.len = trips;
    d->result_bound.nonempty = false;
    return d->vars[d->first_var].is_used;
}

/* ---- recursion ---- */

/* f(xs): nothing left, or the first of xs and f(xs[1:]) */
static bool recursion_over_list(struct gen_draft *d, struct gen_helper *h)
{
    static const char *const joins[] = {" + ", " + ", " - "};
    struct gen_bound bound = {
        .mag = 1000, .len = 8, .vocab = VOCAB_WORDS, .inner = GEN_MAX_LEN};
    struct gen_bound head_bound = {.mag = 1000};
    struct gen_bound limit = {.mag = 1000000};
    struct gen_value value;
    bool builds = gen_chance(d, 350);
    const char *xs;
    char head[GENERATE_NAME_BYTES];
    int var;

    add_param(d, h, T_LI, bound);
    xs = d->vars[d->first_var].name;
    h->result = builds ? T_LI : T_INT;
    write_header(d, h);
    d->indent++;
    gen_line(d);
    gen_printf(d->out, "if not %s:\n%*sreturn %s\n", xs,
               (int)(4 * d->indent + 4), "", builds ? "[]" : "0");
    gen_name_element(d, T_INT, head);
    gen_line(d);
    gen_printf(d->out, gen_chance(d, 500) ? "%s = %s[0]\n" : "%s, *_ = %s\n",
               head, xs);
    var = gen_push_var(d, head, T_INT, head_bound);
    d->vars[var].is_element = true;
    if (gen_chance(d, 450)) { /* some are passed over */
        struct gen_mark mark = gen_mark(d);

        gen_line(d);
        cwm_buf_adds(d->out, "if ");
        if (gen_condition(d, 2, P_OR, &value)) {
            gen_printf(d->out, ":\n%*sreturn %s(%s[1:])\n",
                       (int)(4 * d->indent + 4), "", h->name, xs);
        } else {
            gen_cut(d, mark);
        }
    }
    gen_line(d);
    cwm_buf_adds(d->out, builds ? "return [" : "return ");
    if (!gen_expression_within(d, T_INT, 2, W_VARIABLE, P_SUM, limit, &value)) {
        return false;
    }
    if (gen_chance(d, 150) && !builds) {
        gen_printf(d->out, " - %s(%s[2:])\n", h->name, xs);
    } else {
        gen_printf(d->out, "%s%s(%s[1:])\n",
                   builds ? "] + " : joins[gen_pick(d, 3)], h->name, xs);
    }
    d->indent--;
    d->steps += 8 * 6;
    d->result_bound = (struct gen_bound){
        .mag = builds ? value.bound.mag : value.bound.mag * 9, .len = 9};
    if (!builds) {
        d->result_bound.len = 0;
    }
    return true;
}

/* f(n): small n at once, else from f(n - k) or f(n // k) */
static bool recursion_over_number(struct gen_draft *d, struct gen_helper *h)
{
    bool halves = gen_chance(d, 350);
    bool twice = !halves && gen_chance(d, 300);
    struct gen_bound bound = {.mag = halves ? 10000 : twice ? 7 : 12};
    struct gen_bound limit = {.mag = 5000};
    struct gen_value value;
    uint32_t base = gen_between(d, 1, 2);
    uint32_t step = gen_between(d, 2, 4);
    const char *n;

    bound.nonneg = gen_chance(d, 500);
    add_param(d, h, T_INT, bound);
    n = d->vars[d->first_var].name;
    h->result = T_INT;
    write_header(d, h);
    d->indent++;
    gen_line(d);
    gen_printf(d->out, "if %s %s %" PRIu32 ":\n%*sreturn ", n,
               gen_chance(d, 500) ? "<" : "<=", base, (int)(4 * d->indent + 4),
               "");
    if (gen_chance(d, 500)) {
        gen_printf(d->out, "%s\n", n);
    } else {
        gen_printf(d->out, "%" PRIu32 "\n", gen_pick(d, 3));
    }
    d->vars[d->first_var].is_used = true;
    if (gen_chance(d, 350)) {
        struct gen_mark mark = gen_mark(d);

        gen_line(d);
        cwm_buf_adds(d->out, "if ");
        if (gen_condition(d, 1, P_OR, &value)) {
            gen_printf(d->out, ":\n%*sreturn %s(%s %s %" PRIu32 ") + 1\n",
                       (int)(4 * d->indent + 4), "", h->name, n,
                       halves ? "//" : "-", halves ? step : 1);
        } else {
            gen_cut(d, mark);
        }
    }
    gen_line(d);
    gen_printf(d->out, "return %s(%s %s %" PRIu32 ") ", h->name, n,
               halves ? "//" : "-",
               halves  ? step
               : twice ? 1
                       : base);
    if (twice) {
        gen_printf(d->out, "+ %s(%s - 2) ", h->name, n);
    }
    cwm_buf_adds(d->out, "+ ");
    if (!gen_expression_within(d, T_INT, 2, twice ? 0 : W_VARIABLE, P_PRODUCT,
                               limit, &value)) {
        return false;
    }
    gen_end(d);
    d->indent--;
    d->steps += twice ? 220 : 80;
    d->result_bound = (struct gen_bound){
        .mag = (value.bound.mag + 12) * (twice ? 100 : 16) + 10000};
    return true;
}

/* f(s): a text turned, thinned or spread. */
static bool recursion_over_text(struct gen_draft *d, struct gen_helper *h)
{
    struct gen_bound bound = {
        .len = 9, .mag = GEN_MAX_MAG, .inner = GEN_MAX_LEN};
    struct gen_bound limit = {
        .len = 8, .mag = GEN_MAX_MAG, .inner = GEN_MAX_LEN};
    struct gen_value value;
    bool behind = gen_chance(d, 500);
    char head[GENERATE_NAME_BYTES];
    const char *s;
    int var;

    add_param(d, h, T_STR, bound);
    s = d->vars[d->first_var].name;
    h->result = T_STR;
    write_header(d, h);
    d->indent++;
    gen_line(d);
    gen_printf(d->out, "if len(%s) < %" PRIu32 ":\n%*sreturn %s\n", s,
               gen_between(d, 1, 2), (int)(4 * d->indent + 4), "", s);
    gen_name_element(d, T_STR, head);
    gen_line(d);
    gen_printf(d->out, "%s, rest = %s[0], %s[1:]\n", head, s, s);
    bound.len = 1;
    bound.nonempty = true;
    var = gen_push_var(d, head, T_STR, bound);
    d->vars[var].is_element = true;
    if (gen_chance(d, 500)) {
        struct gen_mark mark = gen_mark(d);

        gen_line(d);
        cwm_buf_adds(d->out, "if ");
        if (gen_condition(d, 1, P_OR, &value)) {
            gen_printf(d->out, ":\n%*sreturn %s(rest)\n",
                       (int)(4 * d->indent + 4), "", h->name);
        } else {
            gen_cut(d, mark);
        }
    }
    gen_line(d);
    cwm_buf_adds(d->out, "return ");
    if (behind) {
        gen_printf(d->out, "%s(rest) + ", h->name);
    }
    if (!gen_expression_within(d, T_STR, 2, W_VARIABLE, P_PRODUCT, limit,
                               &value)) {
        return false;
    }
    if (!behind) {
        gen_printf(d->out, " + %s(rest)", h->name);
    }
    gen_end(d);
    d->indent--;
    d->steps += 9 * 6;
    d->result_bound = (struct gen_bound){.len = 10 * 8 + 2};
    return d->vars[var].is_used;
}

/* f(a, b): Euclid and its kin. */
static bool recursion_over_two(struct gen_draft *d, struct gen_helper *h)
{
    struct gen_bound bound = {.mag = 1000, .nonneg = true};
    struct gen_value value;
    const char *a;
    const char *b;
    bool is_plain = gen_chance(d, 300);

    add_param(d, h, T_INT, bound);
    add_param(d, h, T_INT, bound);
    a = d->vars[d->first_var].name;
    b = d->vars[d->first_var + 1].name;
    d->vars[d->first_var].is_used = d->vars[d->first_var + 1].is_used = true;
    h->result = T_INT;
    write_header(d, h);
    d->indent++;
    gen_line(d);
    gen_printf(d->out, "if %s == 0:\n%*sreturn ", b, (int)(4 * d->indent + 4),
               "");
    if (is_plain) {
        gen_printf(d->out, "%s\n", a);
        value.bound.mag = 1000;
    } else if (gen_expression_within(d, T_INT, 1, 0, P_LOWEST,
                                     (struct gen_bound){.mag = 100000},
                                     &value)) {
        gen_end(d);
    } else {
        return false;
    }
    gen_line(d);
    gen_printf(d->out, "return %s(%s, %s %% %s)", h->name, b, a, b);
    if (!is_plain || gen_chance(d, 400)) {
        gen_printf(d->out, " + %s",
                   gen_chance(d, 500)   ? "1"
                   : gen_chance(d, 500) ? a
                                        : b);
    }
    gen_end(d);
    d->indent--;
    d->steps += 20 * 3;
    d->result_bound = (struct gen_bound){.mag = value.bound.mag + 20 * 1000};
    return true;
}

/* Items of nested lists, at any depth: the argument is a list of lists. */
static bool recursion_over_nested(struct gen_draft *d, struct gen_helper *h)
{
    struct gen_bound bound = {.mag = 1000, .len = 5, .inner = 6};
    struct gen_bound leaf = {.mag = 1000};
    struct gen_bound limit = {.mag = 100000};
    bool counts_depth = gen_chance(d, 300);
    struct gen_value value;
    const char *xs;
    int var;

    add_param(d, h, T_LLI, bound);
    xs = d->vars[d->first_var].name;
    if (!gen_name_is_free(d, "total") || !gen_name_is_free(d, "item")) {
        return false;
    }
    h->result = T_INT;
    write_header(d, h);
    d->indent++;
    gen_line(d);
    gen_printf(d->out, "total = %" PRIu32 "\n", gen_pick(d, 2));
    gen_line(d);
    gen_printf(d->out, "for item in %s:\n", xs);
    d->indent++;
    gen_line(d);
    cwm_buf_adds(d->out, "if isinstance(item, list):\n");
    d->indent++;
    gen_line(d);
    if (counts_depth) {
        gen_printf(d->out, "total = max(total, %s(item) + 1)\n", h->name);
    } else {
        gen_printf(d->out, "total += %s(item)\n", h->name);
    }
    d->indent--;
    gen_line(d);
    cwm_buf_adds(d->out, "else:\n");
    d->indent++;
    d->n_vars = d->first_var; /* in here it is no list of lists */
    var = gen_push_var(d, "item", T_INT, leaf);
    d->vars[var].is_element = true;
    gen_line(d);
    cwm_buf_adds(d->out, "total += ");
    if (!gen_expression_within(d, T_INT, 2, W_VARIABLE, P_LOWEST, limit,
                               &value)) {
        return false;
    }
    gen_end(d);
    d->indent -= 2;
    gen_line(d);
    cwm_buf_adds(d->out, "return total\n");
    d->indent--;
    d->steps += 5 * 6 * 4 + 40;
    d->result_bound = (struct gen_bound){.mag = (value.bound.mag + 2) * 40};
    return true;
}

static bool recursive_function(struct gen_draft *d, struct gen_helper *h)
{
    switch (gen_pick(d, 5)) {
    case 0:
        return recursion_over_list(d, h);
    case 1:
        return recursion_over_number(d, h);
    case 2:
        return recursion_over_text(d, h);
    case 3:
        return recursion_over_two(d, h);
    default:
        return recursion_over_nested(d, h);
    }
}

/* name = lambda x: ..., or a function inside of the function. */
static bool local_function(struct gen_draft *d, struct gen_helper *h)
{
    static const enum gen_type params[] = {T_INT, T_STR, T_INT, T_LI};
    enum gen_type type = params[gen_pick(d, ARRAY_LEN(params))];
    bool is_lambda = gen_chance(d, 550);
    struct gen_value value;
    size_t at;

    h->result = gen_chance(d, 650)   ? T_INT
                : gen_chance(d, 500) ? T_BOOL
                                     : T_STR;
    h->is_local = true;
    add_param(d, h, type, param_bound(d, type));
    if (is_lambda) {
        gen_line(d);
        gen_printf(d->out, "%s = lambda %s: ", h->name,
                   d->vars[d->first_var].name);
    } else {
        write_header(d, h);
        d->indent++;
        gen_line(d);
        cwm_buf_adds(d->out, "return ");
    }
    d->vars[d->first_var].is_element = true; /* looked at first */
    at = d->out->len;
    if (!gen_expression(d, h->result, 2, W_VARIABLE, P_LOWEST, &value) ||
        !d->vars[d->first_var].is_used || gen_is_name(d, at)) {
        return false;
    }
    gen_end(d);
    if (!is_lambda) {
        d->indent--;
    }
    d->result_bound = value.bound;
    d->steps += 3;
    return true;
}

bool gen_helper_function(struct gen_draft *d, bool is_recursive)
{
    struct gen_mark mark = gen_mark(d);
    struct gen_draft kept = *d;
    struct gen_helper *h;
    bool is_local = d->is_entry;
    bool done;

    if (d->n_helpers == GEN_MAX_HELPERS) {
        return false;
    }
    h = &d->helpers[d->n_helpers];
    *h = (struct gen_helper){0};
    gen_name_function(d, T_INT, h->name);
    d->first_var = d->n_vars;
    d->trips = 1;
    d->steps = 0;
    d->is_entry = false;
    d->result_bound = (struct gen_bound){
        .nonempty = true, .inner_full = true, .nonneg = true};
    if (is_local) {
        done = local_function(d, h);
    } else if (is_recursive) {
        done = recursive_function(d, h);
    } else {
        done = gen_chance(d, 250) ? generator_function(d, h)
                                  : plain_function(d, h);
    }
    h->result_bound = d->result_bound;
    h->steps = d->steps;
    if (!done || d->is_broken || h->steps > d->settings->max_steps / 6 ||
        h->result_bound.mag > GEN_MAX_MAG / 1000) {
        struct gen_draft failed = *d;

        *d = kept;
        d->random = failed.random; /* or it would be the same once more */
        gen_cut(d, mark);
        return false;
    }
    kept.helpers[kept.n_helpers++] = *h;
    kept.random = d->random;
    for (int i = 0; i < kept.n_vars; i++) {
        kept.vars[i].is_used = d->vars[i].is_used;
    }
    *d = kept;
    if (!is_local) {
        cwm_buf_adds(d->out, "\n\n");
    }
    return true;
}
