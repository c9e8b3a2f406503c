/* SPDX-License-Identifier: MIT */
/*
 * generate_phase.c -- the plans that a function's body is made of.
 *
 * A plan fixes little: that there is a table, a stack, a state; what goes in
 * and out, and when, are expressions and conditions like any others.
 */
#include "datasets/generate_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void line(struct gen_draft *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void line(struct gen_draft *d, const char *format, ...)
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

/* "if COND:" or nothing; true: a block was opened. */
static bool open_if(struct gen_draft *d, uint32_t permille,
                    struct gen_scope *ret)
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
    if (open_if(d, 520, &scope)) {
        done = gen_update(d, var, depth);
        if (gen_chance(d, 200)) {
            gen_statement(d, depth);
        }
        gen_close(d, scope);
        if (done && gen_chance(d, 220)) {
            line(d, "else:");
            scope = gen_open(d, 1, false);
            if (!gen_update(d, var, depth)) {
                line(d, "continue");
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
    if (!open_if(d, 1000, &scope)) {
        gen_for_close(d, &loop);
        return false;
    }
    if (breaks) {
        gen_update(d, var, 2);
        line(d, "break");
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
        line(d, "else:");
        scope = gen_open(d, 1, false);
        if (!gen_update_any(d, 2)) {
            line(d, "pass");
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

/* ---- tables ---- */

static bool dp_by_size(struct gen_draft *d)
{
    static const char *const names[] = {"dp", "ways", "best", "table", "memo"};
    const char *name = names[gen_pick(d, ARRAY_LEN(names))];
    struct gen_bound limit = {.mag = gen_between(d, 6, 10), .nonneg = true};
    struct gen_bound term = {.mag = 200, .nonneg = true};
    struct gen_value value;
    struct gen_scope scope;
    char size[GENERATE_NAME_BYTES];
    int n;
    int i;
    uint32_t kind = gen_pick(d, 5);

    if (!gen_name_is_free(d, name) || !gen_name_is_free(d, "i")) {
        return false;
    }
    gen_name_variable(d, T_INT, size);
    gen_line(d);
    gen_printf(d->out, "%s = ", size);
    if (!gen_expression_within(d, T_INT, 1, W_VARIABLE | W_TAINTED, P_LOWEST,
                               limit, &value)) {
        return false;
    }
    gen_end(d);
    n = gen_push_var(d, size, T_INT, limit);
    d->vars[n].is_used = true;
    line(d, "%s = [%u] * (%s + 2)", name, gen_pick(d, 3), size);
    if (gen_chance(d, 400)) {
        line(d, "%s[1] = %u", name, gen_between(d, 1, 3));
    }
    line(d, "for i in range(2, %s + 2):", size);
    scope = gen_open(d, (uint32_t)limit.mag + 1, true);
    limit.mag++;
    i = gen_push_var(d, "i", T_INT, limit);
    d->vars[i].is_element = true;
    gen_line(d);
    if (kind == 0) {
        gen_printf(d->out, "%s[i] = %s[i - 1] + ", name, name);
    } else if (kind == 1) {
        gen_printf(d->out, "%s[i] = max(%s[i - 1], %s[i - 2] + ", name, name,
                   name);
    } else if (kind == 2) {
        gen_printf(d->out, "%s[i] = %s[i - 1] + %s[i - 2] + ", name, name,
                   name);
    } else if (kind == 3) {
        gen_printf(d->out, "%s[i] = min(%s[i - 1], %s[i // 2]) + ", name, name,
                   name);
    } else {
        gen_printf(d->out, "%s[i] = %s[i // 2] + ", name, name);
    }
    if (!gen_expression_within(d, T_INT, 2, W_VARIABLE, P_PRODUCT, term,
                               &value)) {
        gen_close(d, scope);
        return false;
    }
    cwm_buf_adds(d->out, kind == 1 ? ")" : "");
    gen_end(d);
    gen_close(d, scope);
    /* doubled at most in every step */
    gen_push_var(d, name, T_LI,
                 (struct gen_bound){.mag = (term.mag + 3) << 12,
                                    .len = (uint32_t)limit.mag + 2,
                                    .nonempty = true,
                                    .nonneg = true});
    return true;
}

/* prefix = [0]; for x in xs: prefix.append(prefix[-1] + x) */
static bool dp_prefix(struct gen_draft *d)
{
    static const char *const names[] = {"prefix", "running", "sums", "trail"};
    const char *name = names[gen_pick(d, ARRAY_LEN(names))];
    struct gen_bound limit = {.mag = 1000};
    struct gen_loop loop;
    struct gen_value value;
    uint32_t trips;

    if (!gen_name_is_free(d, name)) {
        return false;
    }
    line(d, "%s = [%u]", name, gen_pick(d, 3));
    if (!gen_for_open(d, &loop)) {
        return false;
    }
    gen_line(d);
    gen_printf(d->out, "%s.append(%s[-1] %s ", name, name,
               gen_chance(d, 800) ? "+" : "-");
    if (!gen_expression_within(d, T_INT, 2, W_VARIABLE, P_PRODUCT, limit,
                               &value)) {
        gen_for_close(d, &loop);
        return false;
    }
    cwm_buf_addc(d->out, ')');
    gen_end(d);
    trips = d->trips;
    gen_for_close(d, &loop);
    gen_push_var(d, name, T_LI,
                 (struct gen_bound){.mag = limit.mag * (trips + 1),
                                    .len = trips + 1,
                                    .nonempty = true});
    return true;
}

/* best[i] from all best[j] before it. */
static bool dp_quadratic(struct gen_draft *d)
{
    static const char *const names[] = {"best", "lengths", "chain", "dp"};
    static const char *const signs[] = {"<", ">", "<=", "!="};
    const char *name = names[gen_pick(d, ARRAY_LEN(names))];
    int list = gen_variable(d, gen_chance(d, 650) ? T_LI : T_LS, 0);
    struct gen_scope outer;
    struct gen_scope inner;
    const char *xs;
    uint32_t len;

    if (list < 0 || d->vars[list].bound.len > 9 || !gen_name_is_free(d, name) ||
        !gen_name_is_free(d, "i") || !gen_name_is_free(d, "j")) {
        return false;
    }
    len = d->vars[list].bound.len;
    if (len == 0 || !gen_charge(d, len * len * 3 / 2)) {
        return false;
    }
    xs = d->vars[list].name;
    d->vars[list].is_used = true;
    line(d, "%s = [1] * len(%s)", name, xs);
    line(d, "for i in range(len(%s)):", xs);
    outer = gen_open(d, len, true);
    line(d, "for j in range(i):");
    inner = gen_open(d, 1, true);
    line(d, "if %s[j] %s %s[i]:", xs, signs[gen_pick(d, ARRAY_LEN(signs))], xs);
    line(d, "    %s[i] = max(%s[i], %s[j] + %u)", name, name, name,
         gen_between(d, 1, 3));
    gen_close(d, inner);
    gen_close(d, outer);
    gen_push_var(d, name, T_LI,
                 (struct gen_bound){.mag = 3 * len + 1,
                                    .len = len,
                                    .nonempty = d->vars[list].bound.nonempty,
                                    .nonneg = true});
    return true;
}

/* Two sequences against each other, row by row. */
static bool dp_rows(struct gen_draft *d)
{
    int a = gen_variable(d, gen_chance(d, 600) ? T_STR : T_LS, 0);
    int b = a >= 0 ? gen_variable(d, d->vars[a].type, 0) : -1;
    uint32_t kind = gen_pick(d, 3);
    uint32_t n;
    uint32_t m;
    struct gen_scope outer;
    struct gen_scope inner;
    const char *second;

    if (a < 0 || b < 0 || !gen_name_is_free(d, "x") ||
        !gen_name_is_free(d, "y") || !gen_name_is_free(d, "row") ||
        !gen_name_is_free(d, "j") || !gen_name_is_free(d, "new_row")) {
        return false;
    }
    n = d->vars[a].bound.len;
    m = d->vars[b].bound.len;
    if (n * m == 0 || n * m > 120 || !gen_charge(d, n * m * 3 + 4 * n)) {
        return false;
    }
    d->vars[a].is_used = d->vars[b].is_used = true;
    second = d->vars[b].name;
    line(d,
         kind == 0 ? "row = [0] * (len(%s) + 1)"
                   : "row = list(range(len(%s) + 1))",
         second);
    line(d, "for x in %s:", d->vars[a].name);
    outer = gen_open(d, n, true);
    line(d, "new_row = [row[0]%s]", kind == 0 ? "" : " + 1");
    line(d,
         a == b ? "for j, y in enumerate(reversed(%s)):"
                : "for j, y in enumerate(%s):",
         second);
    inner = gen_open(d, 1, true);
    if (kind == 0) {
        line(d, "if x == y:");
        line(d, "    new_row.append(row[j] + 1)");
        line(d, "else:");
        line(d, "    new_row.append(max(row[j + 1], new_row[j]))");
    } else {
        line(d, "cost = %s",
             gen_chance(d, 500) ? "0 if x == y else 1" : "int(x != y)");
        line(d,
             "new_row.append(min(row[j + 1] + 1, new_row[j] + %u, "
             "row[j] + cost))",
             gen_between(d, 1, 2));
    }
    gen_close(d, inner);
    line(d, "row = new_row");
    gen_close(d, outer);
    gen_push_var(d, "row", T_LI,
                 (struct gen_bound){.mag = 2 * (n + m) + 2,
                                    .len = m + 1,
                                    .nonempty = true,
                                    .nonneg = true});
    return true;
}

static bool phase_dp(struct gen_draft *d)
{
    static const uint8_t weights[] = {36, 30, 18, 16};

    switch (gen_weighted(d, weights, ARRAY_LEN(weights))) {
    case 0:
        return dp_by_size(d);
    case 1:
        return dp_prefix(d);
    case 2:
        return dp_quadratic(d);
    default:
        return dp_rows(d);
    }
}

/* ---- stacks ---- */

/* elif COND: something else than pushing */
static void other_branch(struct gen_draft *d)
{
    struct gen_value condition;
    struct gen_mark mark = gen_mark(d);
    struct gen_scope scope;

    gen_line(d);
    cwm_buf_adds(d->out, "elif ");
    if (!gen_condition(d, 2, P_OR, &condition)) {
        gen_cut(d, mark);
        return;
    }
    cwm_buf_addc(d->out, ':');
    gen_end(d);
    scope = gen_open(d, 1, false);
    if (!gen_update_any(d, 2)) {
        line(d, "continue");
    }
    gen_close(d, scope);
}

/* Pops while, or when, the top compares so with x; pushes x. */
static void push_and_pop(struct gen_draft *d, const char *name, const char *x,
                         uint32_t kind)
{
    static const char *const signs[] = {"<", ">", ">=", "==", "!="};
    const char *sign = signs[gen_pick(d, ARRAY_LEN(signs))];
    struct gen_scope scope;

    if (kind == 0) { /* monotonic */
        line(d, "while %s and %s[-1] %s %s:", name, name, sign, x);
        if (gen_chance(d, 400)) {
            scope = gen_open(d, 1, false);
            gen_update_any(d, 2);
            gen_close(d, scope);
        }
        line(d, "    %s.pop()", name);
        line(d, "%s.append(%s)", name, x);
        return;
    }
    /* matched pairs go */
    line(d, "if %s and %s[-1] %s %s:", name, name, sign, x);
    line(d, "    %s.pop()", name);
    if (kind == 2) {
        other_branch(d);
    }
    line(d, "else:");
    line(d, "    %s.append(%s)", name, x);
}

static bool phase_stack(struct gen_draft *d)
{
    static const char *const names[] = {"stack", "pending", "opened", "trail"};
    const char *name = names[gen_pick(d, ARRAY_LEN(names))];
    struct gen_mark mark = gen_mark(d);
    struct gen_loop loop;
    struct gen_bound bound;
    enum gen_type type;
    uint32_t trips;
    int x = -1;
    uint32_t kind = gen_pick(d, 3);

    if (!gen_name_is_free(d, name)) {
        return false;
    }
    if (gen_chance(d, 600)) {
        gen_accumulator(d, gen_chance(d, 700) ? T_INT : T_LS);
    }
    line(d, "%s = []", name);
    if (!gen_for_open(d, &loop)) {
        return false;
    }
    for (unsigned i = 0; i < loop.n; i++) {
        const struct gen_var *v = &d->vars[(unsigned)loop.first_var + i];

        if (v->type == T_INT || v->type == T_STR) {
            x = loop.first_var + (int)i;
        }
    }
    if (x < 0 || !gen_charge(d, 3)) {
        gen_for_close(d, &loop);
        gen_cut(d, mark);
        return false;
    }
    type = d->vars[x].type;
    bound = d->vars[x].bound;
    trips = d->trips;
    d->vars[x].is_used = true;
    push_and_pop(d, name, d->vars[x].name, kind);
    if (gen_chance(d, 350)) {
        gen_update_any(d, 2);
    }
    gen_for_close(d, &loop);
    bound.inner = type == T_STR ? bound.len : 0;
    bound.inner_full = type == T_STR && bound.nonempty;
    bound.len = trips;
    bound.nonempty = false;
    gen_push_var(d, name, type == T_STR ? T_LS : T_LI, bound);
    return true;
}

/* ---- matrices ---- */

static bool phase_matrix(struct gen_draft *d)
{
    int grid = gen_variable(d, T_LLI, 0);
    struct gen_bound bound;
    struct gen_scope outer;
    struct gen_scope inner;
    struct gen_scope branch;
    bool done;
    int first;

    if (grid < 0 || !gen_name_is_free(d, "i") || !gen_name_is_free(d, "j") ||
        !gen_name_is_free(d, "row") || !gen_name_is_free(d, "cell")) {
        return false;
    }
    bound = d->vars[grid].bound;
    if (bound.len * bound.inner == 0 || bound.len * bound.inner > 60) {
        return false;
    }
    gen_accumulator(d, gen_accumulator_type(d));
    d->vars[grid].is_used = true;
    d->vars[grid].frozen++;
    line(d, "for i, row in enumerate(%s):", d->vars[grid].name);
    outer = gen_open(d, bound.len, true);
    first = gen_push_var(d, "i", T_INT,
                         (struct gen_bound){.mag = bound.len, .nonneg = true});
    gen_push_var(d, "row", T_LI, gen_element_bound(T_LLI, bound));
    d->vars[first].is_element = d->vars[first + 1].is_element = true;
    d->vars[first + 1].is_used = true;
    if (gen_chance(d, 250)) {
        gen_update_any(d, 2);
    }
    line(d, "for j, cell in enumerate(row):");
    inner = gen_open(d, bound.inner, true);
    first = gen_push_var(
        d, "j", T_INT, (struct gen_bound){.mag = bound.inner, .nonneg = true});
    gen_push_var(d, "cell", T_INT,
                 (struct gen_bound){.mag = bound.mag, .nonneg = bound.nonneg});
    d->vars[first].is_element = d->vars[first + 1].is_element = true;
    if (gen_chance(d, 350)) {
        static const char *const tests[] = {
            "if i == j:", "if (i + j) % 2 == 0:",
            "if i <= j:", "if j > 0 and row[j - 1] < cell:",
            "if i != j:", "if j + 1 < len(row):"};

        line(d, "%s", tests[gen_pick(d, ARRAY_LEN(tests))]);
        branch = gen_open(d, 1, false);
        done = gen_update_any(d, 2);
        gen_close(d, branch);
    } else if (open_if(d, 500, &branch)) {
        done = gen_update_any(d, 2);
        gen_close(d, branch);
    } else {
        done = gen_update_any(d, 2);
    }
    gen_close(d, inner);
    if (gen_chance(d, 250)) {
        gen_update_any(d, 2);
    }
    gen_close(d, outer);
    d->vars[grid].frozen--;
    return done; /* else all of it is taken back */
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
    line(d, "i = 0");
    line(d, "while i < len(%s):", s);
    scope = gen_open(d, len, true);
    d->in_loop = false;
    line(d, "j = i");
    line(d, "while j < len(%s) and %s[j] == %s[i]:", s, s, s);
    line(d, "    j += 1");
    line(d, "ch, run = %s[i], j - i", s);
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
    line(d, "i = j");
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
    line(d, "for %s in %s:", name, s);
    scope = gen_open(d, d->vars[text].bound.len, true);
    item.vocab = d->vars[text].bound.vocab;
    var = gen_push_var(d, name, T_STR, item);
    d->vars[var].is_element = true;
    for (uint32_t i = 0; i < gen_between(d, 1, 3); i++) {
        if (gen_chance(d, 600)) {
            line(d, "%s %s.%s:", i ? "elif" : "if", name,
                 tests[(first + i) % ARRAY_LEN(tests)]);
        } else {
            line(d, "%s %s in '%c%c%c':", i ? "elif" : "if", name,
                 gen_char(d, item.vocab), gen_char(d, item.vocab),
                 gen_char(d, VOCAB_WORDS));
        }
        branch = gen_open(d, 1, false);
        if (!gen_update(d, gen_chance(d, 750) ? acc : var, 2)) {
            line(d, "continue");
        }
        gen_close(d, branch);
    }
    if (gen_chance(d, 600)) {
        line(d, "else:");
        branch = gen_open(d, 1, false);
        if (!gen_update(d, acc, 2)) {
            line(d, "break");
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
            line(d, "continue");
        } else if (gen_chance(d, 200)) {
            gen_update(d, first + (int)gen_pick(d, n_state), 1);
        }
        gen_close(d, scope);
    }
    if (gen_chance(d, 400)) {
        struct gen_scope scope;

        if (open_if(d, 1000, &scope)) {
            if (gen_chance(d, 500)) {
                line(d, "break");
            } else if (!gen_update(d, first, 1)) {
                line(d, "continue");
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
    if (open_if(d, 300, &scope)) {
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
        return phase_dp(d);
    case GENERATE_STACK:
        return phase_stack(d);
    case GENERATE_MATRIX:
        return phase_matrix(d);
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
