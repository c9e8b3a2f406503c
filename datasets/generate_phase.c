/* SPDX-License-Identifier: MIT */
/*
 * generate_phase.c -- the plans that a function's body is made of.
 *
 * A plan fixes little: that there is a table, a stack, a state; what goes in
 * and out, and when, are expressions and conditions like any others.  Plans
 * with a table, a stack or a matrix are in generate_table.c.
 */
#include "datasets/generate_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void gen_put_line(struct gen_draft *d, const char *format, ...)
{
    char text[GEN_TEXT_BYTES];
    va_list args;

    gen_line(d);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cwm_buf_adds(d->out, text);
    gen_end(d);
}

bool gen_open_if(struct gen_draft *d, uint32_t permille, struct gen_scope *ret)
{
    struct gen_mark mark = gen_mark(d);
    struct gen_value condition;

    if (!gen_chance(d, permille)) {
        return false;
    }
    gen_line(d);
    cwm_buf_adds(d->out, "if ");
    if (!gen_condition(d, 2, P_OR, &condition)) {
        gen_cut(d, mark);
        return false;
    }
    cwm_buf_addc(d->out, ':');
    gen_end(d);
    *ret = gen_open(d, 1, false);
    return true;
}

static bool phase_accumulate(struct gen_draft *d)
{
    enum gen_type type = gen_chance(d, 400) && d->result < T_N_TYPES
                             ? d->result
                             : gen_accumulator_type(d);
    unsigned depth = gen_between(d, 1, d->settings->max_expression_depth);
    int var = gen_accumulator(d, type);
    struct gen_loop loop;
    struct gen_scope scope;
    bool done;

    if (!gen_for_open(d, &loop)) {
        return false;
    }
    gen_block(d, 0, 1, depth);
    if (gen_open_if(d, 520, &scope)) {
        done = gen_update(d, var, depth);
        if (gen_chance(d, 200)) {
            gen_statement(d, depth);
        }
        gen_close(d, scope);
        if (done && gen_chance(d, 220)) {
            gen_put_line(d, "else:");
            scope = gen_open(d, 1, false);
            if (!gen_update(d, var, depth)) {
                gen_put_line(d, "continue");
            }
            gen_close(d, scope);
        }
    } else {
        done = gen_update(d, var, depth);
    }
    if (gen_chance(d, 180)) {
        gen_statement(d, depth);
    }
    done = done && (gen_for_uses_variables(d, &loop) || gen_chance(d, 100));
    gen_for_close(d, &loop);
    return done;
}

/* for ...: if ...: return; or break, with an else behind the loop. */
static bool phase_search(struct gen_draft *d)
{
    bool breaks = gen_chance(d, 450);
    int var =
        breaks ? gen_accumulator(d, gen_chance(d, 700) ? T_INT : T_STR) : -1;
    struct gen_loop loop;
    struct gen_scope scope;
    bool done;

    if (!gen_for_open(d, &loop)) {
        return false;
    }
    gen_block(d, 0, 1, 2);
    if (!gen_open_if(d, 1000, &scope)) {
        gen_for_close(d, &loop);
        return false;
    }
    if (breaks) {
        gen_update(d, var, 2);
        gen_put_line(d, "break");
        done = true;
    } else {
        done = gen_return_early(d);
    }
    gen_close(d, scope);
    if (gen_chance(d, 300)) {
        gen_update_any(d, 2);
    }
    gen_for_close(d, &loop);
    if (breaks && gen_chance(d, 450)) {
        gen_put_line(d, "else:");
        scope = gen_open(d, 1, false);
        if (!gen_update_any(d, 2)) {
            gen_put_line(d, "pass");
        }
        gen_close(d, scope);
    }
    return done;
}

static bool phase_while(struct gen_draft *d)
{
    int number = -1;

    gen_accumulator(d, gen_accumulator_type(d));
    if (gen_chance(d, 550)) {
        char name[GENERATE_NAME_BYTES];
        struct gen_value value;
        struct gen_bound limit = {.mag = 100000, .nonneg = true};

        gen_name_variable(d, T_INT, name);
        gen_line(d);
        gen_printf(d->out, "%s = ", name);
        if (!gen_expression_within(d, T_INT, 2, W_VARIABLE | W_TAINTED,
                                   P_LOWEST, limit, &value)) {
            return false;
        }
        gen_end(d);
        number = gen_push_var(d, name, T_INT, value.bound);
        d->vars[number].is_mutable = true;
    } else if (gen_chance(d, 500)) {
        gen_assign_new(d, gen_chance(d, 600) ? T_LI : T_LS, true, 2);
    }
    return gen_while(d, 2);
}

/* ---- strings ---- */

/* Runs of equal items: aaab -> a3b1, and the like. */
static bool string_runs(struct gen_draft *d)
{
    int text = gen_variable(d, T_STR, 0);
    struct gen_scope scope;
    struct gen_bound item = {.len = 1, .nonempty = true};
    const char *s;
    uint32_t len;
    int acc;
    int var;

    if (text < 0 || !gen_name_is_free(d, "i") || !gen_name_is_free(d, "j") ||
        !gen_name_is_free(d, "ch") || !gen_name_is_free(d, "run")) {
        return false;
    }
    len = d->vars[text].bound.len;
    if (len < 2 || len > 24 || !gen_charge(d, 3 * len)) {
        return false;
    }
    s = d->vars[text].name;
    d->vars[text].is_used = true;
    acc = gen_accumulator(d, gen_chance(d, 500)   ? T_STR
                             : gen_chance(d, 500) ? T_LPS
                                                  : T_DSI);
    gen_put_line(d, "i = 0");
    gen_put_line(d, "while i < len(%s):", s);
    scope = gen_open(d, len, true);
    d->in_loop = false;
    gen_put_line(d, "j = i");
    gen_put_line(d, "while j < len(%s) and %s[j] == %s[i]:", s, s, s);
    gen_put_line(d, "    j += 1");
    gen_put_line(d, "ch, run = %s[i], j - i", s);
    item.vocab = d->vars[text].bound.vocab;
    var = gen_push_var(d, "ch", T_STR, item);
    d->vars[var].is_element = true;
    var = gen_push_var(d, "run", T_INT,
                       (struct gen_bound){.mag = len, .nonneg = true});
    d->vars[var].is_element = true;
    if (!gen_update(d, acc, 2)) {
        gen_close(d, scope);
        return false;
    }
    if (gen_chance(d, 300)) {
        gen_update_any(d, 2);
    }
    gen_put_line(d, "i = j");
    gen_close(d, scope);
    return true;
}

/* for ch in text: by the kind of character. */
static bool string_classes(struct gen_draft *d)
{
    static const char *const tests[] = {"isupper()", "islower()", "isdigit()",
                                        "isalpha()", "isspace()", "isalnum()"};
    int text = gen_variable(d, T_STR, 0);
    struct gen_scope scope;
    struct gen_scope branch;
    struct gen_bound item = {.len = 1, .nonempty = true};
    char name[GENERATE_NAME_BYTES];
    const char *s;
    uint32_t first = gen_pick(d, ARRAY_LEN(tests));
    int acc;
    int var;

    if (text < 0 || d->vars[text].bound.len < 2 ||
        d->vars[text].bound.len > 40) {
        return false;
    }
    acc = gen_accumulator(d, gen_chance(d, 550)   ? T_STR
                             : gen_chance(d, 600) ? T_INT
                                                  : T_DSI);
    s = d->vars[text].name;
    d->vars[text].is_used = true;
    gen_name_element(d, T_STR, name);
    gen_put_line(d, "for %s in %s:", name, s);
    scope = gen_open(d, d->vars[text].bound.len, true);
    item.vocab = d->vars[text].bound.vocab;
    var = gen_push_var(d, name, T_STR, item);
    d->vars[var].is_element = true;
    for (uint32_t i = 0; i < gen_between(d, 1, 3); i++) {
        if (gen_chance(d, 600)) {
            gen_put_line(d, "%s %s.%s:", i ? "elif" : "if", name,
                         tests[(first + i) % ARRAY_LEN(tests)]);
        } else {
            gen_put_line(d, "%s %s in '%c%c%c':", i ? "elif" : "if", name,
                         gen_char(d, item.vocab), gen_char(d, item.vocab),
                         gen_char(d, VOCAB_WORDS));
        }
        branch = gen_open(d, 1, false);
        if (!gen_update(d, gen_chance(d, 750) ? acc : var, 2)) {
            gen_put_line(d, "continue");
        }
        gen_close(d, branch);
    }
    if (gen_chance(d, 600)) {
        gen_put_line(d, "else:");
        branch = gen_open(d, 1, false);
        if (!gen_update(d, acc, 2)) {
            gen_put_line(d, "break");
        }
        gen_close(d, branch);
    }
    gen_close(d, scope);
    return true;
}

static bool phase_string(struct gen_draft *d)
{
    uint32_t kind = gen_pick(d, 100);

    if (kind < 22) {
        return string_runs(d);
    }
    if (kind < 60) {
        return string_classes(d);
    }
    /* a text made of texts, then looked at */
    if (gen_assign_new(d, gen_chance(d, 600) ? T_LS : T_STR, true, 3) < 0) {
        return false;
    }
    if (gen_chance(d, 600)) {
        return gen_for(d, 2) || gen_statement(d, 2);
    }
    return gen_statement(d, 3);
}

/* ---- simulations ---- */

static bool phase_simulate(struct gen_draft *d)
{
    uint32_t n_state = gen_between(d, 1, 3);
    int first = d->n_vars;
    struct gen_loop loop;
    uint32_t n_arms = gen_between(d, 2, 4);
    struct gen_value condition;

    for (uint32_t i = 0; i < n_state; i++) {
        gen_accumulator(d, i == 2 ? T_LI : T_INT);
    }
    if (!gen_for_open(d, &loop)) {
        return false;
    }
    for (uint32_t i = 0; i < n_arms; i++) {
        struct gen_mark mark = gen_mark(d);
        struct gen_scope scope;

        gen_line(d);
        if (i + 1 < n_arms) {
            cwm_buf_adds(d->out, i ? "elif " : "if ");
            if (!gen_condition(d, 2, P_OR, &condition)) {
                gen_cut(d, mark);
                gen_for_close(d, &loop);
                return false;
            }
        } else {
            cwm_buf_adds(d->out, "else");
        }
        cwm_buf_addc(d->out, ':');
        gen_end(d);
        scope = gen_open(d, 1, false);
        if (!gen_update(d, first + (int)gen_pick(d, n_state), 2)) {
            gen_put_line(d, "continue");
        } else if (gen_chance(d, 200)) {
            gen_update(d, first + (int)gen_pick(d, n_state), 1);
        }
        gen_close(d, scope);
    }
    if (gen_chance(d, 400)) {
        struct gen_scope scope;

        if (gen_open_if(d, 1000, &scope)) {
            if (gen_chance(d, 500)) {
                gen_put_line(d, "break");
            } else if (!gen_update(d, first, 1)) {
                gen_put_line(d, "continue");
            }
            gen_close(d, scope);
        }
    }
    gen_for_close(d, &loop);
    return true;
}

/* ---- groups ---- */

static bool phase_group(struct gen_draft *d)
{
    static const enum gen_type types[] = {T_DSI, T_DSI, T_DSI, T_DSL,
                                          T_DSL, T_DII, T_DSS};
    int var = gen_accumulator(d, types[gen_pick(d, ARRAY_LEN(types))]);
    struct gen_loop loop;
    struct gen_scope scope;
    bool done;

    if (!gen_for_open(d, &loop)) {
        return false;
    }
    gen_block(d, 0, 1, 2);
    if (gen_open_if(d, 300, &scope)) {
        done = gen_update(d, var, 2);
        gen_close(d, scope);
    } else {
        done = gen_update(d, var, 2);
    }
    done = done && gen_for_uses_variables(d, &loop);
    gen_for_close(d, &loop);
    if (done && gen_chance(d, 400)) {
        gen_assign_new(d, gen_local_type(d), gen_chance(d, 200), 3);
    }
    return done;
}

static bool phase_straight(struct gen_draft *d)
{
    uint32_t n = gen_between(d, 1, 3);
    bool any = false;

    for (uint32_t i = 0; i < n; i++) {
        if (gen_chance(d, 450)) {
            any = gen_assign_new(
                      d, gen_local_type(d), gen_chance(d, 350),
                      gen_between(d, 1, d->settings->max_expression_depth)) >=
                      0 ||
                  any;
        } else {
            any = gen_statement(d, 2) || any;
        }
    }
    return any;
}

/* name = helper(...) */
static bool assign_call(struct gen_draft *d, int helper)
{
    enum gen_type type = d->helpers[helper].result;
    struct gen_mark mark = gen_mark(d);
    char name[GENERATE_NAME_BYTES];
    struct gen_value value;
    size_t at;

    gen_name_variable(d, type, name);
    gen_line(d);
    gen_printf(d->out, "%s = ", name);
    at = d->out->len;
    if (!gen_call(d, helper, gen_between(d, 1, 2), &value)) {
        gen_cut(d, mark);
        return false;
    }
    gen_make_fresh(d, at, type, value.precedence);
    gen_end(d);
    gen_push_var(d, name, type, value.bound);
    return true;
}

/* A call in the middle of something else, if chance has it so. */
static void assign_with_call(struct gen_draft *d, int helper)
{
    struct gen_mark mark = gen_mark(d);

    gen_assign_new(d, d->helpers[helper].result, gen_chance(d, 300), 2);
    if (!d->helpers[helper].is_used) {
        gen_cut(d, mark);
    }
}

/* Helpers that nothing has called yet are, here. */
static bool phase_call(struct gen_draft *d)
{
    bool done = true;

    for (int i = 0; i < d->n_helpers; i++) {
        for (int tries = 0; tries < 4 && !d->helpers[i].is_used; tries++) {
            if (gen_chance(d, 300)) {
                assign_with_call(d, i);
            } else {
                assign_call(d, i);
            }
        }
        done = done && d->helpers[i].is_used;
    }
    return done;
}

bool gen_phase(struct gen_draft *d, enum generate_feature feature)
{
    switch (feature) {
    case GENERATE_ACCUMULATE:
        return phase_accumulate(d);
    case GENERATE_SEARCH:
        return phase_search(d);
    case GENERATE_WHILE:
        return phase_while(d);
    case GENERATE_DP:
        return gen_phase_dp(d);
    case GENERATE_STACK:
        return gen_phase_stack(d);
    case GENERATE_MATRIX:
        return gen_phase_matrix(d);
    case GENERATE_STRING:
        return phase_string(d);
    case GENERATE_SIMULATE:
        return phase_simulate(d);
    case GENERATE_GROUP:
        return phase_group(d);
    case GENERATE_RECURSION:
    case GENERATE_HELPER:
        return phase_call(d);
    case GENERATE_STRAIGHT:
    case GENERATE_N_FEATURES:
        return phase_straight(d);
    }
    return false;
}
