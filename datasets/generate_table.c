/* SPDX-License-Identifier: MIT */
/*
 * generate_table.c -- plans about something that is filled place by place:
 * tables made of their own entries, stacks, matrices.
 */
#include "datasets/generate_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
    gen_put_line(d, "%s = [%u] * (%s + 2)", name, gen_pick(d, 3), size);
    if (gen_chance(d, 400)) {
        gen_put_line(d, "%s[1] = %u", name, gen_between(d, 1, 3));
    }
    gen_put_line(d, "for i in range(2, %s + 2):", size);
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
    gen_put_line(d, "%s = [%u]", name, gen_pick(d, 3));
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
    gen_put_line(d, "%s = [1] * len(%s)", name, xs);
    gen_put_line(d, "for i in range(len(%s)):", xs);
    outer = gen_open(d, len, true);
    gen_put_line(d, "for j in range(i):");
    inner = gen_open(d, 1, true);
    gen_put_line(d, "if %s[j] %s %s[i]:", xs,
                 signs[gen_pick(d, ARRAY_LEN(signs))], xs);
    gen_put_line(d, "    %s[i] = max(%s[i], %s[j] + %u)", name, name, name,
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
    gen_put_line(d,
                 kind == 0 ? "row = [0] * (len(%s) + 1)"
                           : "row = list(range(len(%s) + 1))",
                 second);
    gen_put_line(d, "for x in %s:", d->vars[a].name);
    outer = gen_open(d, n, true);
    gen_put_line(d, "new_row = [row[0]%s]", kind == 0 ? "" : " + 1");
    gen_put_line(d,
                 a == b ? "for j, y in enumerate(reversed(%s)):"
                        : "for j, y in enumerate(%s):",
                 second);
    inner = gen_open(d, 1, true);
    if (kind == 0) {
        gen_put_line(d, "if x == y:");
        gen_put_line(d, "    new_row.append(row[j] + 1)");
        gen_put_line(d, "else:");
        gen_put_line(d, "    new_row.append(max(row[j + 1], new_row[j]))");
    } else {
        gen_put_line(d, "cost = %s",
                     gen_chance(d, 500) ? "0 if x == y else 1" : "int(x != y)");
        gen_put_line(d,
                     "new_row.append(min(row[j + 1] + 1, new_row[j] + %u, "
                     "row[j] + cost))",
                     gen_between(d, 1, 2));
    }
    gen_close(d, inner);
    gen_put_line(d, "row = new_row");
    gen_close(d, outer);
    gen_push_var(d, "row", T_LI,
                 (struct gen_bound){.mag = 2 * (n + m) + 2,
                                    .len = m + 1,
                                    .nonempty = true,
                                    .nonneg = true});
    return true;
}

bool gen_phase_dp(struct gen_draft *d)
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
        gen_put_line(d, "continue");
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
        gen_put_line(d, "while %s and %s[-1] %s %s:", name, name, sign, x);
        if (gen_chance(d, 400)) {
            scope = gen_open(d, 1, false);
            gen_update_any(d, 2);
            gen_close(d, scope);
        }
        gen_put_line(d, "    %s.pop()", name);
        gen_put_line(d, "%s.append(%s)", name, x);
        return;
    }
    /* matched pairs go */
    gen_put_line(d, "if %s and %s[-1] %s %s:", name, name, sign, x);
    gen_put_line(d, "    %s.pop()", name);
    if (kind == 2) {
        other_branch(d);
    }
    gen_put_line(d, "else:");
    gen_put_line(d, "    %s.append(%s)", name, x);
}

bool gen_phase_stack(struct gen_draft *d)
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
    gen_put_line(d, "%s = []", name);
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

bool gen_phase_matrix(struct gen_draft *d)
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
    gen_put_line(d, "for i, row in enumerate(%s):", d->vars[grid].name);
    outer = gen_open(d, bound.len, true);
    first = gen_push_var(d, "i", T_INT,
                         (struct gen_bound){.mag = bound.len, .nonneg = true});
    gen_push_var(d, "row", T_LI, gen_element_bound(T_LLI, bound));
    d->vars[first].is_element = d->vars[first + 1].is_element = true;
    d->vars[first + 1].is_used = true;
    if (gen_chance(d, 250)) {
        gen_update_any(d, 2);
    }
    gen_put_line(d, "for j, cell in enumerate(row):");
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

        gen_put_line(d, "%s", tests[gen_pick(d, ARRAY_LEN(tests))]);
        branch = gen_open(d, 1, false);
        done = gen_update_any(d, 2);
        gen_close(d, branch);
    } else if (gen_open_if(d, 500, &branch)) {
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
