/* SPDX-License-Identifier: MIT */
/* generate_stmt.c -- statements and blocks. */
#include "datasets/generate_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void gen_line(struct gen_draft *d)
{
    uint64_t steps = (uint64_t)d->steps + d->trips;

    if (steps > d->settings->max_steps) {
        d->is_broken = true;
    } else {
        d->steps = (uint32_t)steps;
    }
    gen_printf(d->out, "%*s", (int)(4 * d->indent), "");
}

void gen_end(struct gen_draft *d)
{
    cwm_buf_addc(d->out, '\n');
}

struct gen_scope gen_open(struct gen_draft *d, uint32_t trips, bool is_loop)
{
    struct gen_scope scope = {
        .n_vars = d->n_vars, .trips = d->trips, .in_loop = d->in_loop};

    d->indent++;
    d->block_depth++;
    d->trips *= trips ? trips : 1;
    d->in_loop = d->in_loop || is_loop;
    return scope;
}

/*
 * Takes out the line that binds `var` and that nothing followed up, unless its
 * block would be empty without it.
 */
static void remove_line(struct gen_draft *d, int var)
{
    struct gen_var *v = &d->vars[var];
    size_t at = v->line_at;
    size_t end = at + v->line_len;

    if (v->line_len == 0 || d->out->failed != CWM_OK || end > d->out->len ||
        (end == d->out->len && at >= 2 &&
         memcmp(d->out->data + at - 2, ":\n", 2) == 0)) {
        return;
    }
    memmove(d->out->data + at, d->out->data + end, d->out->len - end);
    d->out->len -= end - at;
    d->out->data[d->out->len] = '\0';
    for (int i = 0; i < d->n_vars; i++) {
        if (d->vars[i].line_at > at) {
            d->vars[i].line_at -= end - at;
        }
    }
    v->line_len = 0;
    v->is_used = true; /* nothing is left to be done about it */
    v->type = T_N_TYPES;
}

void gen_remove_unused(struct gen_draft *d, int first)
{
    for (int i = d->n_vars - 1; i >= first; i--) {
        if (!d->vars[i].is_used) {
            remove_line(d, i);
        }
    }
}

void gen_close(struct gen_draft *d, struct gen_scope scope)
{
    gen_remove_unused(d, scope.n_vars);
    d->indent--;
    d->block_depth--;
    d->trips = scope.trips;
    d->in_loop = scope.in_loop;
    d->n_vars = scope.n_vars;
}

/* What a block has named and not looked at goes into some accumulator. */
static void use_leftovers(struct gen_draft *d, int first)
{
    for (int i = first; i < d->n_vars; i++) {
        for (int tries = 0; tries < 3 && !d->vars[i].is_used; tries++) {
            struct gen_mark mark = gen_mark(d);
            struct gen_draft kept = *d;

            if (!d->vars[i].is_element && gen_update_any(d, 1) &&
                !d->vars[i].is_used) {
                gen_cut(d, mark);
                memcpy(d->vars, kept.vars, sizeof d->vars);
            }
        }
    }
}

void gen_block(struct gen_draft *d, unsigned n_least, unsigned n_most,
               unsigned depth)
{
    unsigned n = gen_between(d, n_least, n_most);
    int first = d->n_vars;
    bool any = false;

    for (unsigned i = 0; i < n; i++) {
        any = gen_statement(d, depth) || any;
    }
    use_leftovers(d, first);
    if (!any && n_least > 0) {
        if (!gen_update_any(d, 1)) {
            gen_line(d);
            cwm_buf_adds(d->out, d->in_loop ? "continue" : "pass");
            gen_end(d);
        }
    }
}

/* ---- branches ---- */

bool gen_return_early(struct gen_draft *d)
{
    struct gen_mark mark = gen_mark(d);
    struct gen_value value;

    if (d->result == T_N_TYPES) {
        return false;
    }
    gen_line(d);
    cwm_buf_adds(d->out, "return ");
    if (!gen_expression(d, d->result, 1, gen_chance(d, 650) ? W_VARIABLE : 0,
                        P_LOWEST, &value)) {
        gen_cut(d, mark);
        return false;
    }
    gen_end(d);
    d->result_bound = gen_bound_or(d->result_bound, value.bound);
    return true;
}

/* The block of an if: what one does when something is the case. */
static void branch(struct gen_draft *d, unsigned depth, bool may_leave)
{
    struct gen_scope scope = gen_open(d, 1, false);
    uint32_t kind = gen_pick(d, 100);

    if (may_leave && kind < 22 && d->in_loop) {
        gen_line(d);
        cwm_buf_adds(d->out, kind < 14 ? "continue" : "break");
        gen_end(d);
    } else if (may_leave && kind < 34 && d->is_entry && gen_return_early(d)) {
        /* that was it */
    } else if (kind < 72 && gen_update_any(d, depth)) {
        /* the most common */
    } else {
        gen_block(d, 1, 2, depth);
    }
    gen_close(d, scope);
}

/* "if COND:", with a fact that holds inside of the block. */
static bool if_filled(struct gen_draft *d, unsigned depth)
{
    int var = -1;
    struct gen_scope scope;

    for (int i = d->n_vars - 1; i >= 0; i--) {
        const struct gen_var *v = &d->vars[i];

        if (gen_is_iterable(v->type) && !v->bound.nonempty &&
            v->bound.len > 1 && v->type != T_PII && gen_chance(d, 500)) {
            var = i;
            break;
        }
    }
    if (var < 0) {
        return false;
    }
    gen_line(d);
    cwm_buf_adds(d->out, "if ");
    gen_use(d, var);
    cwm_buf_addc(d->out, ':');
    gen_end(d);
    scope = gen_open(d, 1, false);
    d->vars[var].frozen++;
    d->vars[var].bound.nonempty = true;
    gen_block(d, 1, 2, depth);
    d->vars[var].bound.nonempty = false;
    d->vars[var].frozen--;
    gen_close(d, scope);
    return true;
}

static bool statement_if(struct gen_draft *d, unsigned depth)
{
    struct gen_value condition;
    uint32_t n_elifs = 0;

    if (d->block_depth >= d->settings->max_depth) {
        return false;
    }
    if (gen_chance(d, 90) && if_filled(d, depth)) {
        return true;
    }
    gen_line(d);
    cwm_buf_adds(d->out, "if ");
    if (!gen_condition(d, 2, P_OR, &condition)) {
        return false;
    }
    cwm_buf_addc(d->out, ':');
    gen_end(d);
    branch(d, depth, true);
    while (n_elifs < 3 && gen_chance(d, 180)) {
        struct gen_mark mark = gen_mark(d);

        gen_line(d);
        cwm_buf_adds(d->out, "elif ");
        if (!gen_condition(d, 2, P_OR, &condition)) {
            gen_cut(d, mark);
            break;
        }
        cwm_buf_addc(d->out, ':');
        gen_end(d);
        branch(d, depth, true);
        n_elifs++;
    }
    if (gen_chance(d, n_elifs ? 600 : 330)) {
        gen_line(d);
        cwm_buf_adds(d->out, "else:");
        gen_end(d);
        branch(d, depth, false);
    }
    return true;
}

/* if not xs: return ...; from there on xs is not empty. */
static bool statement_guard(struct gen_draft *d)
{
    struct gen_scope scope;
    int var = -1;

    for (int i = 0; i < d->n_vars; i++) {
        const struct gen_var *v = &d->vars[i];

        if (gen_is_iterable(v->type) && !v->bound.nonempty && v->is_param &&
            !v->is_mutable && v->type != T_PII) {
            var = i;
        }
    }
    if (var < 0 || d->block_depth != 1 || d->result == T_N_TYPES ||
        d->in_loop) {
        return false;
    }
    gen_line(d);
    cwm_buf_adds(d->out, "if not ");
    cwm_buf_adds(d->out, d->vars[var].name);
    cwm_buf_addc(d->out, ':');
    gen_end(d);
    scope = gen_open(d, 1, false);
    gen_line(d);
    cwm_buf_adds(d->out, "return ");
    {
        struct gen_value value;

        if (!gen_expression(d, d->result, 0, 0, P_LOWEST, &value)) {
            gen_close(d, scope);
            return false;
        }
        d->result_bound = gen_bound_or(d->result_bound, value.bound);
    }
    gen_end(d);
    gen_close(d, scope);
    d->vars[var].bound.nonempty = true;
    d->vars[var].is_used = true;
    d->vars[var].frozen++; /* for good */
    return true;
}

/* ---- unpacking ---- */

static bool statement_unpack(struct gen_draft *d)
{
    int pair = gen_variable(d, gen_chance(d, 600) ? T_PII : T_PSI, 0);
    int list = gen_variable(d, gen_chance(d, 600) ? T_LI : T_LS, W_NONEMPTY);
    char first[GENERATE_NAME_BYTES];
    char second[GENERATE_NAME_BYTES];
    enum gen_type type;
    struct gen_bound bound;

    if (pair >= 0) {
        bool is_text = d->vars[pair].type == T_PSI;

        bound = d->vars[pair].bound;
        type = is_text ? T_STR : T_INT;
        gen_name_variable(d, type, first);
        gen_line(d);
        bound.len = is_text ? bound.inner : 0;
        bound.nonempty = is_text && bound.inner_full;
        bound.inner = 0;
        gen_push_var(d, first, type, bound);
        gen_name_variable(d, T_INT, second);
        bound.len = 0;
        bound.nonempty = false;
        gen_push_var(d, second, T_INT, bound);
        gen_printf(d->out, "%s, %s = ", first, second);
        gen_use(d, pair);
        gen_end(d);
        return true;
    }
    if (list < 0) {
        return false;
    }
    bound = d->vars[list].bound;
    type = d->vars[list].type;
    gen_name_element(d, gen_element(type), first);
    gen_line(d);
    gen_push_var(d, first, gen_element(type), gen_element_bound(type, bound));
    gen_name_variable(d, type, second);
    bound.nonempty = false;
    gen_push_var(d, second, type, bound);
    if (gen_chance(d, 700)) {
        gen_printf(d->out, "%s, *%s = ", first, second);
    } else {
        gen_printf(d->out, "*%s, %s = ", second, first);
    }
    gen_use(d, list);
    gen_end(d);
    return true;
}

/* a, b = b, a + ... of two that may change. */
static bool statement_swap(struct gen_draft *d)
{
    int a = -1;
    int b = -1;
    bool fits;

    for (int i = 0; i < d->n_vars; i++) {
        const struct gen_var *v = &d->vars[i];

        if (v->is_mutable && v->frozen == 0 && v->type == T_INT) {
            b = a;
            a = i;
        }
    }
    if (b < 0) {
        return false;
    }
    fits = gen_fits(d->vars[a].bound, d->vars[b].base) &&
           gen_fits(d->vars[b].bound, d->vars[a].base);
    gen_line(d);
    if (fits) {
        gen_printf(d->out, "%s, %s = %s, %s", d->vars[a].name, d->vars[b].name,
                   d->vars[b].name, d->vars[a].name);
    } else {
        gen_printf(d->out, "%s, %s = %s %% 50, %s %% 50", d->vars[a].name,
                   d->vars[b].name, d->vars[b].name, d->vars[a].name);
    }
    gen_end(d);
    return true;
}

/* ---- try ---- */

/* "NAME = " something that may raise; the exception's name, or NULL. */
static const char *risky_value(struct gen_draft *d, enum gen_type *ret_type,
                               struct gen_bound *ret_bound)
{
    struct gen_value a;
    struct gen_value b;

    *ret_type = T_INT;
    switch (gen_pick(d, 5)) {
    case 0:
        cwm_buf_adds(d->out, "int(");
        if (!gen_expression(d, T_STR, 1, W_VARIABLE, P_ATOM, &a)) {
            return NULL;
        }
        cwm_buf_adds(d->out, a.bound.len > 6 ? "[:6])" : ")");
        *ret_bound = (struct gen_bound){.mag = 999999};
        return "ValueError";
    case 1: {
        int var = gen_variable(d, gen_chance(d, 700) ? T_DSI : T_DII, 0);

        if (var < 0) {
            return NULL;
        }
        gen_use(d, var);
        cwm_buf_addc(d->out, '[');
        if (!gen_expression(d, d->vars[var].type == T_DSI ? T_STR : T_INT, 1,
                            W_VARIABLE, P_OR, &a)) {
            return NULL;
        }
        cwm_buf_addc(d->out, ']');
        *ret_bound = (struct gen_bound){.mag = d->vars[var].bound.mag,
                                        .nonneg = d->vars[var].bound.nonneg};
        return "KeyError";
    }
    case 2: {
        int var = gen_variable(d, gen_chance(d, 650) ? T_LI : T_LS, 0);

        if (var < 0) {
            return NULL;
        }
        gen_use(d, var);
        cwm_buf_addc(d->out, '[');
        if (!gen_expression(d, T_INT, 1, W_VARIABLE, P_OR, &a)) {
            return NULL;
        }
        cwm_buf_addc(d->out, ']');
        *ret_type = gen_element(d->vars[var].type);
        *ret_bound = gen_element_bound(d->vars[var].type, d->vars[var].bound);
        return "IndexError";
    }
    case 3:
        if (!gen_expression(d, T_INT, 1, W_VARIABLE, P_PRODUCT, &a)) {
            return NULL;
        }
        cwm_buf_adds(d->out, gen_chance(d, 600) ? " // " : " % ");
        if (!gen_expression(d, T_INT, 1, W_VARIABLE, P_UNARY, &b)) {
            return NULL;
        }
        *ret_bound = (struct gen_bound){
            .mag = a.bound.mag > b.bound.mag ? a.bound.mag : b.bound.mag};
        ret_bound->mag++;
        return "ZeroDivisionError";
    default: {
        int var = gen_variable(d, gen_chance(d, 600) ? T_LI : T_LS, 0);

        if (var < 0) {
            return NULL;
        }
        gen_use(d, var);
        cwm_buf_adds(d->out, ".index(");
        if (!gen_expression(d, gen_element(d->vars[var].type), 1, W_VARIABLE,
                            P_OR, &a)) {
            return NULL;
        }
        cwm_buf_addc(d->out, ')');
        *ret_bound =
            (struct gen_bound){.mag = d->vars[var].bound.len, .nonneg = true};
        return "ValueError";
    }
    }
}

static bool statement_try(struct gen_draft *d, unsigned depth)
{
    const char *exception;
    char name[GENERATE_NAME_BYTES];
    enum gen_type type = T_INT;
    struct gen_bound bound;
    struct gen_bound fallback = {.mag = 9, .nonneg = true};
    struct gen_scope scope;
    int var;

    if (d->block_depth >= d->settings->max_depth) {
        return false;
    }
    gen_name_variable(d, T_INT, name);
    gen_line(d);
    cwm_buf_adds(d->out, "try:");
    gen_end(d);
    scope = gen_open(d, 1, false);
    gen_line(d);
    gen_printf(d->out, "%s = ", name);
    exception = risky_value(d, &type, &bound);
    if (!exception) {
        gen_close(d, scope);
        return false;
    }
    gen_end(d);
    gen_close(d, scope);
    gen_line(d);
    gen_printf(d->out,
               gen_chance(d, 150) ? "except (%s, TypeError):" : "except %s:",
               exception);
    gen_end(d);
    scope = gen_open(d, 1, false);
    if (gen_chance(d, 300)) {
        gen_update_any(d, 1);
    }
    gen_line(d);
    if (d->in_loop && gen_chance(d, 250)) {
        cwm_buf_adds(d->out, "continue");
    } else {
        gen_printf(d->out, "%s = ", name);
        if (type == T_INT) {
            bool is_minus = gen_chance(d, 300);

            cwm_buf_adds(d->out, is_minus ? "-" : "");
            gen_printf(d->out, "%" PRIu32, is_minus ? 1 : gen_pick(d, 4));
            fallback.nonneg = !is_minus;
        } else {
            cwm_buf_adds(d->out, "''");
            fallback = (struct gen_bound){0};
        }
        bound = gen_bound_or(bound, fallback);
    }
    gen_end(d);
    gen_close(d, scope);
    var = gen_push_var(d, name, type, bound);
    if (gen_chance(d, 120)) {
        gen_line(d);
        cwm_buf_adds(d->out, gen_chance(d, 500) ? "else:" : "finally:");
        gen_end(d);
        scope = gen_open(d, 1, false);
        d->vars[var].is_used = true;
        /* it is bound in every case but one: do not look at it in finally */
        d->vars[var].type = T_N_TYPES;
        gen_block(d, 1, 1, depth > 1 ? depth - 1 : 1);
        gen_close(d, scope);
        d->vars[var].type = type;
        d->vars[var].is_used = false;
    }
    return true;
}

/* ---- where a program raises ---- */

/* A check that fails: few inputs are that large. */
static bool raise_by_check(struct gen_draft *d)
{
    static const char *const errors[] = {
        "ValueError", "ValueError", "RuntimeError", "TypeError", "KeyError"};
    static const char *const texts[] = {"too small", "not enough", "invalid",
                                        "out of range", "cannot continue"};
    const char *text = texts[gen_pick(d, ARRAY_LEN(texts))];
    char what[GENERATE_NAME_BYTES + 8];
    uint64_t limit;
    int var = -1;

    for (int i = 0; i < d->n_vars; i++) {
        const struct gen_var *v = &d->vars[i];
        bool is_counted = gen_is_iterable(v->type) || v->type == T_INT;

        if (is_counted && v->is_param && (var < 0 || gen_chance(d, 500))) {
            var = i;
        }
    }
    if (var < 0) {
        return false;
    }
    d->vars[var].is_used = true;
    snprintf(what, sizeof what,
             gen_is_iterable(d->vars[var].type) ? "len(%s)" : "%s",
             d->vars[var].name);
    limit = gen_is_iterable(d->vars[var].type) ? d->vars[var].bound.len
                                               : d->vars[var].bound.mag;
    limit += 1 + gen_pick(d, 5);
    if (gen_chance(d, 250)) {
        gen_printf(d->out, "assert %s > %" PRIu64 ", '%s'", what, limit, text);
        gen_end(d);
        return true;
    }
    gen_printf(d->out, "if %s < %" PRIu64 ":\n%*s", what, limit,
               (int)(4 * d->indent + 4), "");
    if (gen_chance(d, 500)) {
        gen_printf(d->out, "raise %s('%s')",
                   errors[gen_pick(d, ARRAY_LEN(errors))], text);
    } else {
        gen_printf(d->out, "raise %s(f\"%s: {%s}\")",
                   errors[gen_pick(d, ARRAY_LEN(errors))], text, what);
    }
    gen_end(d);
    return true;
}

/* One statement's text that raises for every input; false: not possible. */
static bool raise_by_use(struct gen_draft *d, const char *name)
{
    enum { FORMS = 8 };
    uint32_t form = gen_pick(d, FORMS);
    static const enum gen_type wanted[FORMS] = {T_LI,  T_LS, T_DSI, T_INT,
                                                T_STR, T_LI, T_STR, T_DSS};
    int var = gen_variable(d, wanted[form], 0);
    const struct gen_var *v;

    if (var < 0) {
        return false;
    }
    v = &d->vars[var];
    gen_printf(d->out, "%s = ", name);
    gen_use(d, var);
    switch (form) {
    case 0:
        if (gen_chance(d, 500)) {
            gen_printf(d->out, "[len(%s)]", v->name);
        } else {
            gen_printf(d->out, "[%" PRIu32 "]", v->bound.len);
        }
        return true;
    case 1:
        gen_printf(d->out, ".index('%s!')", gen_word(d, VOCAB_WORDS));
        return true;
    case 2:
        gen_printf(d->out, "['missing_%s']", gen_word(d, VOCAB_WORDS));
        return true;
    case 3:
        if (!v->bound.nonneg) {
            return false;
        }
        if (gen_chance(d, 500)) {
            gen_printf(d->out, " %% (%s // %" PRIu64 ")", v->name,
                       v->bound.mag + 1);
        } else {
            gen_printf(d->out, "[%" PRIu32 "]", gen_pick(d, 3));
        }
        return true;
    case 4:
        if (v->bound.vocab == VOCAB_DIGITS || v->bound.vocab == VOCAB_BINARY) {
            gen_printf(d->out, " + %" PRIu32, gen_between(d, 1, 9));
            return true;
        }
        gen_printf(d->out, ".%s(%" PRIu32 ")",
                   gen_chance(d, 500) ? "push" : "startswith", gen_pick(d, 9));
        return true;
    case 5:
        gen_printf(d->out, " + '%s'", gen_word(d, VOCAB_WORDS));
        return true;
    case 6:
        gen_printf(d->out, "[%" PRIu32 "]", v->bound.len + gen_pick(d, 4));
        return true;
    default:
        gen_printf(d->out, ".get('missing_%s').upper()",
                   gen_word(d, VOCAB_WORDS));
        return true;
    }
}

bool gen_raise_place(struct gen_draft *d)
{
    struct gen_mark mark = gen_mark(d);

    for (int i = 0; i < 6; i++) {
        bool done;

        gen_line(d);
        if (gen_chance(d, 420)) {
            done = raise_by_check(d);
        } else {
            char name[GENERATE_NAME_BYTES];

            gen_name_variable(d, T_INT, name);
            done = raise_by_use(d, name);
            if (done) {
                int var =
                    gen_push_var(d, name, T_INT, (struct gen_bound){.mag = 9});

                d->vars[var].is_used = true; /* need not be */
                gen_end(d);
            }
        }
        if (done) {
            d->raised = true;
            return true;
        }
        gen_cut(d, mark);
    }
    return false;
}

/* ---- any statement ---- */

static bool statement_new(struct gen_draft *d, unsigned depth)
{
    enum gen_type type = gen_local_type(d);

    return gen_assign_new(d, type, gen_chance(d, 250), depth) >= 0;
}

bool gen_statement(struct gen_draft *d, unsigned depth)
{
    static const uint8_t weights[] = {27, 24, 22, 8, 4, 4, 4, 2, 2};
    struct gen_mark mark = gen_mark(d);

    if (d->steps + d->trips * 6 > d->settings->max_steps) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        bool done = false;

        switch (gen_weighted(d, weights, ARRAY_LEN(weights))) {
        case 0:
            done = statement_new(d, depth);
            break;
        case 1:
            done = gen_update_any(d, depth);
            break;
        case 2:
            done = statement_if(d, depth > 1 ? depth - 1 : 1);
            break;
        case 3:
            done = gen_for(d, depth > 1 ? depth - 1 : 1);
            break;
        case 4:
            done = gen_while(d, depth > 1 ? depth - 1 : 1);
            break;
        case 5:
            done = statement_try(d, depth);
            break;
        case 6:
            done = statement_unpack(d);
            break;
        case 7:
            done = statement_swap(d);
            break;
        default:
            done = statement_guard(d);
        }
        if (done) {
            return true;
        }
        gen_cut(d, mark);
    }
    return false;
}
