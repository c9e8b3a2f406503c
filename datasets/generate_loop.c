/* SPDX-License-Identifier: MIT */
/* generate_loop.c -- what loops go through, and loops that come to an end. */
#include "datasets/generate_internal.h"

#include <inttypes.h>
#include <string.h>

static void set_element(struct gen_iter *it, unsigned i, enum gen_type type,
                        struct gen_bound bound, int indexes)
{
    it->types[i] = type;
    it->bounds[i] = bound;
    it->indexes[i] = indexes;
    if (it->n <= i) {
        it->n = i + 1;
    }
}

static struct gen_bound number(uint64_t mag)
{
    return (struct gen_bound){.mag = mag, .nonneg = true};
}

/* The value of a dictionary's item. */
static void set_item_value(struct gen_iter *it, unsigned i, enum gen_type type,
                           struct gen_bound bound)
{
    struct gen_bound value = bound;

    value.inner = 0;
    value.inner_full = false;
    value.nonempty = false;
    value.len = 0;
    if (type == T_DSS || type == T_DSL) {
        value.len = bound.inner;
        set_element(it, i, type == T_DSS ? T_STR : T_LI, value, -1);
    } else {
        set_element(it, i, T_INT, value, -1);
    }
}

static int iterable_variable(struct gen_draft *d, bool sequence)
{
    uint8_t weights[GEN_MAX_VARS];
    uint32_t n = 0;

    for (int i = 0; i < d->n_vars; i++) {
        const struct gen_var *v = &d->vars[i];

        weights[i] = 0;
        if (gen_is_iterable(v->type) && v->type != T_PII && v->type != T_PSI &&
            (!sequence || gen_is_sequence(v->type)) && v->bound.len != 1 &&
            v->bound.len <= 40 && v->is_tainted) {
            weights[i] = v->is_used ? 4 : 12;
            n++;
        }
    }
    return n ? (int)gen_weighted(d, weights, (uint32_t)d->n_vars) : -1;
}

/* xs, d.items(), sorted(s): a variable, as it is. */
static bool plain_iterable(struct gen_draft *d, struct gen_iter *it)
{
    int var = iterable_variable(d, false);
    const struct gen_var *v;

    if (var < 0) {
        return false;
    }
    v = &d->vars[var];
    it->trips = v->bound.len;
    it->is_tainted = v->is_tainted;
    set_element(it, 0, gen_element(v->type),
                gen_element_bound(v->type, v->bound), -1);
    if (v->type == T_SI || v->type == T_SS) {
        cwm_buf_adds(d->out, "sorted(");
        gen_use(d, var);
        cwm_buf_addc(d->out, ')');
        return true;
    }
    gen_use(d, var);
    if (v->type == T_LPI || v->type == T_LPS) {
        if (gen_chance(d, 850)) { /* taken apart */
            struct gen_bound first = v->bound;

            first.len = v->type == T_LPS ? v->bound.inner : 0;
            first.nonempty = v->type == T_LPS && v->bound.inner_full;
            first.inner = 0;
            first.inner_full = false;
            set_element(it, 0, v->type == T_LPS ? T_STR : T_INT, first, -1);
            first.len = 0;
            first.nonempty = false;
            set_element(it, 1, T_INT, first, -1);
        }
    } else if (!gen_is_sequence(v->type) && gen_chance(d, 750)) {
        cwm_buf_adds(d->out, ".items()");
        set_item_value(it, 1, v->type, v->bound);
    }
    return true;
}

/* range(len(xs)), enumerate(xs): with an index. */
static bool indexed_iterable(struct gen_draft *d, struct gen_iter *it)
{
    int var = iterable_variable(d, true);
    const struct gen_var *v;
    bool enumerates = gen_chance(d, 600);

    if (var < 0 || d->vars[var].bound.len == 0) {
        return false;
    }
    v = &d->vars[var];
    it->trips = v->bound.len;
    it->is_tainted = v->is_tainted;
    if (enumerates) {
        bool from_one = gen_chance(d, 200);

        cwm_buf_adds(d->out, "enumerate(");
        gen_use(d, var);
        cwm_buf_adds(d->out, from_one ? ", 1)" : ")");
        set_element(it, 0, T_INT, number(v->bound.len), from_one ? -1 : var);
        set_element(it, 1, gen_element(v->type),
                    gen_element_bound(v->type, v->bound), -1);
        return true;
    }
    if (gen_chance(d, 120)) {
        cwm_buf_adds(d->out, "range(len(");
        gen_use(d, var);
        cwm_buf_adds(d->out, ") - 1, -1, -1)");
    } else {
        static const char *const starts[] = {"range(len(", "range(1, len(",
                                             "range(0, len("};
        uint32_t kind = gen_chance(d, 720) ? 0 : gen_between(d, 1, 2);

        cwm_buf_adds(d->out, starts[kind]);
        gen_use(d, var);
        cwm_buf_adds(d->out, kind == 2 ? "), 2)" : "))");
    }
    set_element(it, 0, T_INT, number(v->bound.len), var);
    return true;
}

/* range() over numbers: never more than a few. */
static bool range_iterable(struct gen_draft *d, struct gen_iter *it)
{
    struct gen_bound limit = number(gen_between(d, 6, 12));
    struct gen_value n;
    uint32_t kind = gen_pick(d, 10);

    it->trips = (uint32_t)limit.mag + 1;
    it->is_tainted = true;
    if (kind < 5) {
        cwm_buf_adds(d->out, "range(");
    } else if (kind < 8) {
        cwm_buf_adds(d->out, "range(1, ");
    } else {
        cwm_buf_adds(d->out, "range(");
    }
    if (!gen_expression_within(d, T_INT, 1, W_VARIABLE | W_TAINTED, P_SUM,
                               limit, &n)) {
        return false;
    }
    if (kind >= 5 && kind < 8) {
        cwm_buf_adds(d->out, " + 1)");
    } else if (kind == 8) {
        cwm_buf_adds(d->out, ", 0, -1)");
    } else if (kind == 9) {
        cwm_buf_adds(d->out, ", -1, -1)");
    } else {
        cwm_buf_addc(d->out, ')');
    }
    set_element(it, 0, T_INT, number(limit.mag + 1), -1);
    return true;
}

/* zip(xs, ys), zip(xs, xs[1:]) */
static bool zip_iterable(struct gen_draft *d, struct gen_iter *it)
{
    int a = iterable_variable(d, true);
    int b = iterable_variable(d, true);
    const struct gen_var *v;

    if (a < 0) {
        return false;
    }
    v = &d->vars[a];
    it->trips = v->bound.len;
    it->is_tainted = v->is_tainted || d->vars[b].is_tainted;
    set_element(it, 0, gen_element(v->type),
                gen_element_bound(v->type, v->bound), -1);
    cwm_buf_adds(d->out, "zip(");
    gen_use(d, a);
    cwm_buf_adds(d->out, ", ");
    gen_use(d, b);
    cwm_buf_adds(d->out, a == b ? "[1:])" : ")");
    v = &d->vars[b];
    set_element(it, 1, gen_element(v->type),
                gen_element_bound(v->type, v->bound), -1);
    if (a != b && gen_element(d->vars[a].type) == T_STR && gen_chance(d, 100)) {
        return false; /* others are wanted as well */
    }
    return true;
}

/* sorted(xs), reversed(xs), xs[1:], s.split(), str(n), an expression. */
static bool derived_iterable(struct gen_draft *d, unsigned depth,
                             struct gen_iter *it)
{
    static const enum gen_type kinds[] = {T_LI, T_LS,  T_STR, T_LI,
                                          T_LS, T_LPI, T_LPS, T_LLI};
    enum gen_type type = kinds[gen_pick(d, ARRAY_LEN(kinds))];
    struct gen_value value;
    bool reversed = gen_chance(d, 250);

    cwm_buf_adds(d->out, reversed ? "reversed(" : "");
    if (!gen_expression(d, type, depth + 1, W_VARIABLE,
                        reversed ? P_OR : P_COMPARE, &value) ||
        value.bound.len > 20) {
        return false;
    }
    cwm_buf_adds(d->out, reversed ? ")" : "");
    it->trips = value.bound.len;
    it->is_tainted = value.is_tainted;
    set_element(it, 0, gen_element(type), gen_element_bound(type, value.bound),
                -1);
    return true;
}

bool gen_iterable(struct gen_draft *d, unsigned depth, struct gen_iter *ret)
{
    static const uint8_t weights[] = {46, 18, 14, 8, 14};
    struct gen_mark mark = gen_mark(d);

    for (int i = 0; i < 3; i++) {
        bool done = false;

        *ret = (struct gen_iter){.indexes = {-1, -1, -1}};
        switch (gen_weighted(d, weights, ARRAY_LEN(weights))) {
        case 0:
            done = plain_iterable(d, ret);
            break;
        case 1:
            done = indexed_iterable(d, ret);
            break;
        case 2:
            done = range_iterable(d, ret);
            break;
        case 3:
            done = zip_iterable(d, ret);
            break;
        default:
            done = derived_iterable(d, depth, ret);
        }
        if (done && ret->trips > 0 &&
            (uint64_t)ret->trips * d->trips <= GEN_MAX_TRIPS) {
            return true;
        }
        gen_cut(d, mark);
    }
    return false;
}

/* ---- for ---- */

/* Nothing that a loop goes through may grow meanwhile. */
static uint64_t freeze(struct gen_draft *d, const char *text)
{
    uint64_t frozen = 0;

    for (int i = 0; i < d->n_vars; i++) {
        if (gen_is_iterable(d->vars[i].type) &&
            gen_has_name(text, d->vars[i].name)) {
            d->vars[i].frozen++;
            frozen |= UINT64_C(1) << i;
        }
    }
    return frozen;
}

bool gen_for_open(struct gen_draft *d, struct gen_loop *ret)
{
    struct gen_mark mark = gen_mark(d);
    char text[GEN_TEXT_BYTES];
    size_t len;
    struct gen_iter it;
    uint32_t n_vars = (uint32_t)d->n_vars;

    if (d->block_depth >= d->settings->max_depth || !gen_iterable(d, 1, &it) ||
        !gen_charge(d, it.trips + 1)) {
        gen_cut(d, mark);
        return false;
    }
    len = d->out->len - mark.len;
    if (len >= sizeof text || d->out->failed != CWM_OK) {
        gen_cut(d, mark);
        return false;
    }
    memcpy(text, d->out->data + mark.len, len);
    text[len] = '\0';
    d->out->len = mark.len;
    gen_line(d);
    cwm_buf_adds(d->out, "for ");
    ret->scope = gen_open(d, it.trips, true);
    ret->scope.n_vars = (int)n_vars;
    ret->first_var = gen_push_elements(d, &it);
    ret->n = it.n;
    ret->frozen = freeze(d, text);
    for (unsigned i = 0; i < it.n; i++) {
        cwm_buf_adds(d->out, i ? ", " : "");
        ret->name_at[i] = d->out->len;
        cwm_buf_adds(d->out, d->vars[(unsigned)ret->first_var + i].name);
    }
    cwm_buf_adds(d->out, " in ");
    cwm_buf_add(d->out, text, len);
    cwm_buf_addc(d->out, ':');
    gen_end(d);
    return true;
}

bool gen_for_uses_variables(const struct gen_draft *d,
                            const struct gen_loop *loop)
{
    for (unsigned i = 0; i < loop->n; i++) {
        if (d->vars[(unsigned)loop->first_var + i].is_used) {
            return true;
        }
    }
    return false;
}

/* What a loop never looks at is called _. */
static void blank_unused(struct gen_draft *d, const struct gen_loop *loop)
{
    for (unsigned i = loop->n; i-- > 0;) {
        const struct gen_var *v = &d->vars[(unsigned)loop->first_var + i];
        size_t len = strlen(v->name);
        size_t at = loop->name_at[i];

        if (!v->is_used && d->out->failed == CWM_OK) {
            d->out->data[at] = '_';
            memmove(d->out->data + at + 1, d->out->data + at + len,
                    d->out->len - at - len);
            d->out->len -= len - 1;
        }
    }
}

void gen_for_close(struct gen_draft *d, struct gen_loop *loop)
{
    /* lines first: their places are noted, and names that shrink move them */
    gen_remove_unused(d, loop->scope.n_vars);
    blank_unused(d, loop);
    for (int i = 0; i < d->n_vars; i++) {
        d->vars[i].frozen =
            (uint16_t)(d->vars[i].frozen - (loop->frozen >> i & 1));
    }
    gen_close(d, loop->scope);
}

bool gen_for(struct gen_draft *d, unsigned depth)
{
    struct gen_mark mark = gen_mark(d);
    struct gen_loop loop;
    size_t start;

    if (!gen_for_open(d, &loop)) {
        return false;
    }
    start = d->out->len;
    if (gen_chance(d, 300)) {
        gen_block(d, 1, 2, depth);
    }
    gen_update_any(d, depth);
    if (gen_chance(d, 250)) {
        gen_statement(d, depth);
    }
    if (d->out->len == start) { /* nothing came to mind */
        gen_for_close(d, &loop);
        gen_cut(d, mark);
        return false;
    }
    if (!gen_for_uses_variables(d, &loop) && gen_chance(d, 850)) {
        gen_for_close(d, &loop);
        gen_cut(d, mark);
        return false;
    }
    gen_for_close(d, &loop);
    return true;
}

/* ---- while ---- */

/* A number that may be counted down or divided here. */
static int shrinking_number(struct gen_draft *d)
{
    for (int i = d->n_vars - 1; i >= 0; i--) {
        struct gen_var *v = &d->vars[i];

        if (v->type == T_INT && v->bound.nonneg && v->frozen == 0 &&
            (v->is_mutable || (v->is_param && gen_chance(d, 400))) &&
            v->bound.mag >= 4) {
            return i;
        }
    }
    return -1;
}

static uint32_t steps_to_zero(uint64_t mag, uint32_t divisor)
{
    uint32_t n = 1;

    while (mag > 0) {
        mag /= divisor;
        n++;
    }
    return n;
}

/* while n > 0: ... n //= k */
static bool while_dividing(struct gen_draft *d, unsigned depth)
{
    static const uint32_t divisors[] = {2, 10, 3, 10, 2, 5};
    int var = shrinking_number(d);
    uint32_t divisor = divisors[gen_pick(d, ARRAY_LEN(divisors))];
    struct gen_scope scope;
    uint32_t trips;
    char name[GENERATE_NAME_BYTES];

    if (var < 0) {
        return false;
    }
    trips = steps_to_zero(d->vars[var].bound.mag, divisor);
    if ((uint64_t)trips * d->trips > GEN_MAX_TRIPS || !gen_charge(d, trips)) {
        return false;
    }
    gen_line(d);
    cwm_buf_adds(d->out, "while ");
    gen_use(d, var);
    cwm_buf_adds(d->out, gen_chance(d, 700) ? " > 0:" : ":");
    gen_end(d);
    scope = gen_open(d, trips, true);
    d->vars[var].frozen++;
    if (gen_chance(d, 650)) {
        int digit;

        gen_name_element(d, T_INT, name);
        gen_line(d);
        gen_printf(d->out, "%s = ", name);
        gen_use(d, var);
        gen_printf(d->out, " %% %" PRIu32, divisor);
        gen_end(d);
        digit = gen_push_var(d, name, T_INT, number(divisor - 1));
        d->vars[digit].is_element = true;
    }
    d->in_loop = false; /* a continue would pass over the division */
    gen_update_any(d, depth);
    if (gen_chance(d, 300)) {
        gen_block(d, 1, 1, depth);
    }
    d->vars[var].frozen--;
    gen_line(d);
    gen_use(d, var);
    gen_printf(d->out, " //= %" PRIu32, divisor);
    gen_end(d);
    gen_close(d, scope);
    return true;
}

/* i = 0; while i < len(xs): ... i += k */
static bool while_counting(struct gen_draft *d, unsigned depth)
{
    int list = iterable_variable(d, true);
    struct gen_scope scope;
    char name[GENERATE_NAME_BYTES];
    int var;
    uint32_t trips;

    if (list < 0 || d->vars[list].bound.len == 0) {
        return false;
    }
    trips = d->vars[list].bound.len;
    if ((uint64_t)trips * d->trips > GEN_MAX_TRIPS ||
        !gen_charge(d, trips + 2)) {
        return false;
    }
    gen_name_index(d, name);
    gen_line(d);
    gen_printf(d->out, "%s = 0", name);
    gen_end(d);
    var = gen_push_var(d, name, T_INT, number(trips + 9));
    d->vars[var].is_tainted = d->vars[list].is_tainted;
    gen_line(d);
    cwm_buf_adds(d->out, "while ");
    gen_use(d, var);
    cwm_buf_adds(d->out, " < len(");
    gen_use(d, list);
    cwm_buf_adds(d->out, gen_chance(d, 700) ? "):" : ") - 1:");
    gen_end(d);
    scope = gen_open(d, trips, true);
    d->vars[list].frozen++;
    d->vars[var].indexes = (int16_t)list;
    d->vars[var].is_element = true;
    d->in_loop = false;
    gen_update_any(d, depth);
    if (gen_chance(d, 400)) {
        gen_block(d, 1, 1, depth);
    }
    d->vars[list].frozen--;
    d->vars[var].indexes = -1;
    d->vars[var].is_element = false;
    gen_line(d);
    gen_use(d, var);
    gen_printf(d->out, " += %" PRIu32, gen_chance(d, 650) ? 1 : 2);
    gen_end(d);
    gen_close(d, scope);
    return true;
}

/* lo, hi = 0, len(xs) - 1; while lo < hi: ... */
static bool while_two_ends(struct gen_draft *d, unsigned depth)
{
    static const char *const lows[] = {"left", "lo", "i", "start"};
    static const char *const highs[] = {"right", "hi", "j", "end"};
    uint32_t kind = gen_pick(d, ARRAY_LEN(lows));
    int list = iterable_variable(d, true);
    struct gen_scope scope;
    struct gen_value test;
    uint32_t trips;
    int var;

    if (list < 0 || !gen_name_is_free(d, lows[kind]) ||
        !gen_name_is_free(d, highs[kind])) {
        return false;
    }
    trips = d->vars[list].bound.len;
    if (trips < 2 || (uint64_t)trips * d->trips > GEN_MAX_TRIPS ||
        !gen_charge(d, 4 * trips)) {
        return false;
    }
    gen_line(d);
    gen_printf(d->out, "%s, %s = 0, len(", lows[kind], highs[kind]);
    gen_use(d, list);
    cwm_buf_adds(d->out, ") - 1");
    gen_end(d);
    gen_line(d);
    gen_printf(d->out, "while %s < %s:", lows[kind], highs[kind]);
    gen_end(d);
    scope = gen_open(d, trips, true);
    d->in_loop = false;
    d->vars[list].frozen++;
    for (unsigned i = 0; i < 2; i++) {
        var =
            gen_push_var(d, i ? highs[kind] : lows[kind], T_INT, number(trips));
        d->vars[var].indexes = (int16_t)list;
        d->vars[var].is_element = true;
    }
    if (d->vars[list].type == T_LI && gen_chance(d, 300)) {
        const char *xs = d->vars[list].name;

        gen_line(d);
        gen_printf(d->out, "%s[%s], %s[%s] = %s[%s], %s[%s]", xs, lows[kind],
                   xs, highs[kind], xs, highs[kind], xs, lows[kind]);
        gen_end(d);
    }
    gen_update_any(d, depth);
    gen_line(d);
    cwm_buf_adds(d->out, "if ");
    if (gen_chance(d, 300) || !gen_condition(d, 2, P_OR, &test)) {
        gen_use(d, list);
        gen_printf(d->out, "[%s] %s ", lows[kind],
                   gen_chance(d, 500) ? "<" : "==");
        gen_use(d, list);
        gen_printf(d->out, "[%s]", highs[kind]);
    }
    gen_printf(d->out, ":\n%*s%s += 1\n%*selse:\n%*s%s -= 1",
               (int)(4 * d->indent + 4), "", lows[kind], (int)(4 * d->indent),
               "", (int)(4 * d->indent + 4), "", highs[kind]);
    gen_end(d);
    d->vars[list].frozen--;
    gen_close(d, scope);
    return true;
}

/* while stack: x = stack.pop() ... ; at times with something pushed again. */
static bool while_popping(struct gen_draft *d, unsigned depth)
{
    int list = -1;
    struct gen_scope scope;
    struct gen_bound element;
    enum gen_type type;
    uint32_t trips;
    char name[GENERATE_NAME_BYTES];
    int var;

    for (int i = d->n_vars - 1; i >= 0; i--) {
        const struct gen_var *v = &d->vars[i];

        if ((v->type == T_LI || v->type == T_LS || v->type == T_LPI) &&
            v->is_mutable && !v->is_param && v->frozen == 0 &&
            !v->bound.nonempty) {
            list = i;
        }
    }
    if (list < 0) {
        return false;
    }
    trips = d->vars[list].bound.len;
    if (trips == 0 || (uint64_t)trips * d->trips > GEN_MAX_TRIPS ||
        !gen_charge(d, 2 * trips)) {
        return false;
    }
    type = gen_element(d->vars[list].type);
    element = gen_element_bound(d->vars[list].type, d->vars[list].bound);
    gen_line(d);
    cwm_buf_adds(d->out, "while ");
    gen_use(d, list);
    if (gen_chance(d, 250)) {
        struct gen_mark mark = gen_mark(d);
        struct gen_value test;

        cwm_buf_adds(d->out, " and ");
        if (!gen_condition(d, 1, P_NOT, &test)) {
            gen_cut(d, mark);
        }
    }
    cwm_buf_addc(d->out, ':');
    gen_end(d);
    scope = gen_open(d, trips, true);
    gen_name_element(d, type, name);
    gen_line(d);
    gen_printf(d->out, "%s = ", name);
    gen_use(d, list);
    cwm_buf_adds(d->out, gen_chance(d, 700) ? ".pop()" : ".pop(0)");
    gen_end(d);
    var = gen_push_var(d, name, type, element);
    d->vars[var].is_element = true;
    d->vars[list].frozen++; /* it must become empty */
    gen_update_any(d, depth);
    if (gen_chance(d, 400)) {
        gen_block(d, 1, 1, depth);
    }
    d->vars[list].frozen--;
    gen_close(d, scope);
    return true;
}

bool gen_while(struct gen_draft *d, unsigned depth)
{
    static const uint8_t weights[] = {30, 24, 20, 22};
    struct gen_mark mark = gen_mark(d);

    if (d->block_depth >= d->settings->max_depth) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        bool done = false;

        switch (gen_weighted(d, weights, ARRAY_LEN(weights))) {
        case 0:
            done = while_dividing(d, depth);
            break;
        case 1:
            done = while_counting(d, depth);
            break;
        case 2:
            done = while_two_ends(d, depth);
            break;
        default:
            done = while_popping(d, depth);
        }
        if (done) {
            return true;
        }
        gen_cut(d, mark);
    }
    return false;
}
