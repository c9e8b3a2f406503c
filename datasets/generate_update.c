/* SPDX-License-Identifier: MIT */
/*
 * generate_update.c -- variables that change, and what each change costs.
 *
 * A variable that may change has a base (what may be assigned to it) and
 * slack (what may be added in place, all places and all their runs together).
 * Its bound is both, and what is written elsewhere relies on that alone.
 */
#include "datasets/generate_internal.h"

#include <string.h>

static bool is_number(enum gen_type type)
{
    return type == T_INT || type == T_FLOAT;
}

static void make_mutable(struct gen_draft *d, struct gen_var *v)
{
    v->is_mutable = true;
    v->base = v->bound;
    v->base.nonempty = false;
    v->base.inner_full = false;
    v->base.nonneg = v->bound.nonneg && gen_chance(d, 600);
    if (is_number(v->type)) {
        v->base.mag = v->base.mag < 100 ? 100 : v->base.mag;
        v->slack_mag = 100000;
    } else if (v->type == T_DSI || v->type == T_DII) {
        v->base.mag = v->base.mag < 1000 ? 1000 : v->base.mag;
        v->slack_mag = 20000;
        v->slack_len = 30;
    } else if (v->type != T_BOOL && v->type != T_PII && v->type != T_PSI) {
        v->slack_len = v->type == T_STR ? 60 : 30;
        v->base.mag = v->base.mag < 1000 ? 1000 : v->base.mag;
    }
    if (gen_is_iterable(v->type) && v->type != T_STR) {
        v->base.inner = v->base.inner < 12 ? 12 : v->base.inner;
    }
    v->bound = v->base;
    v->bound.mag += v->slack_mag;
    v->bound.len += v->slack_len;
    if (v->type == T_DSL) {
        v->bound.inner += v->slack_len;
    }
}

int gen_assign_new(struct gen_draft *d, enum gen_type type, bool is_mutable,
                   unsigned depth)
{
    struct gen_mark mark = gen_mark(d);
    char name[GENERATE_NAME_BYTES];
    struct gen_value value;
    size_t at;
    int var;

    gen_name_variable(d, type, name);
    gen_line(d);
    gen_printf(d->out, "%s = ", name);
    at = d->out->len;
    if (!gen_expression(d, type, depth, W_VARIABLE | W_TAINTED, P_LOWEST,
                        &value) ||
        (!is_mutable && gen_is_name(d, at))) {
        gen_cut(d, mark);
        return -1;
    }
    gen_make_fresh(d, at, type, value.precedence);
    is_mutable = is_mutable && type != T_DSL;
    gen_end(d);
    var = gen_push_var(d, name, type, value.bound);
    if (is_mutable) {
        make_mutable(d, &d->vars[var]);
    } else {
        d->vars[var].line_at = mark.len;
        d->vars[var].line_len = d->out->len - mark.len;
    }
    return var;
}

int gen_accumulator(struct gen_draft *d, enum gen_type type)
{
    static const char *const empty[T_N_TYPES] = {
        [T_INT] = "0",      [T_FLOAT] = "0.0",   [T_BOOL] = "False",
        [T_STR] = "''",     [T_LI] = "[]",       [T_LS] = "[]",
        [T_LLI] = "[]",     [T_LPI] = "[]",      [T_LPS] = "[]",
        [T_DSI] = "{}",     [T_DII] = "{}",      [T_DSL] = "{}",
        [T_DSS] = "{}",     [T_SI] = "set()",    [T_SS] = "set()",
        [T_PII] = "(0, 0)", [T_PSI] = "('', 0)", [T_TI] = "()",
        [T_LF] = "[]"};
    char name[GENERATE_NAME_BYTES];
    const char *start = empty[type];
    struct gen_bound bound = {.mag = 100, .nonneg = true};
    int var;

    if (type == T_INT && gen_chance(d, 220)) {
        static const char *const others[] = {"1", "10", "100", "2", "5"};

        start = others[gen_pick(d, ARRAY_LEN(others))];
    } else if (type == T_BOOL && gen_chance(d, 400)) {
        start = "True";
    }
    if (type == T_PII || type == T_PSI) {
        bound.len = 2;
        bound.inner = 12;
    }
    gen_name_accumulator(d, type, name);
    gen_line(d);
    gen_printf(d->out, "%s = %s", name, start);
    gen_end(d);
    var = gen_push_var(d, name, type, bound);
    make_mutable(d, &d->vars[var]);
    d->vars[var].is_tainted = false;
    return var;
}

/* How often this place runs for one life of the variable. */
static uint32_t ratio_of(const struct gen_draft *d, const struct gen_var *v)
{
    uint32_t ratio = d->trips / (v->trips ? v->trips : 1);

    return ratio ? ratio : 1;
}

/* What an element of a container may be. */
static struct gen_bound element_limit(const struct gen_var *v)
{
    struct gen_bound limit = gen_element_bound(v->type, v->base);

    if (v->type == T_DSL) {
        limit.mag = v->base.mag;
    }
    return limit;
}

static void taint(struct gen_var *v)
{
    v->is_tainted = true;
}

static bool number_in_place(struct gen_draft *d, struct gen_var *v,
                            unsigned depth)
{
    struct gen_bound limit = {.mag = v->slack_mag / ratio_of(d, v),
                              .nonneg = v->base.nonneg};
    bool subtracts = !v->base.nonneg && gen_chance(d, 180);
    struct gen_value value;

    if (limit.mag == 0) {
        return false;
    }
    gen_printf(d->out, "%s %s ", v->name, subtracts ? "-=" : "+=");
    if (gen_chance(d, 200)) {
        cwm_buf_adds(d->out, "1");
        value.bound.mag = 1;
    } else if (!gen_expression_within(d, v->type, depth, W_VARIABLE, P_LOWEST,
                                      limit, &value)) {
        return false;
    }
    v->slack_mag -= value.bound.mag * ratio_of(d, v);
    return true;
}

static bool number_update(struct gen_draft *d, struct gen_var *v,
                          unsigned depth)
{
    uint32_t kind = gen_pick(d, 100);
    struct gen_value value;

    if (kind < 62) {
        return number_in_place(d, v, depth);
    }
    if (kind < 82) {
        gen_printf(d->out, "%s = %s(%s, ", v->name,
                   gen_chance(d, 650) ? "max" : "min", v->name);
        if (!gen_expression_within(d, v->type, depth, W_VARIABLE, P_OR, v->base,
                                   &value)) {
            return false;
        }
        cwm_buf_addc(d->out, ')');
        v->is_used = true;
        return true;
    }
    if (kind < 92 && v->type == T_INT) {
        struct gen_bound limit = {.mag = 1000};
        static const char *const mods[] = {"97", "100", "101", "50", "64"};

        gen_printf(d->out, "%s = (%s * %u + ", v->name, v->name,
                   gen_between(d, 2, 7));
        if (!gen_expression_within(d, T_INT, 1, W_VARIABLE, P_SUM, limit,
                                   &value)) {
            return false;
        }
        gen_printf(d->out, ") %% %s", mods[gen_pick(d, ARRAY_LEN(mods))]);
        v->is_used = true;
        return v->base.mag >= 100;
    }
    gen_printf(d->out, "%s = ", v->name);
    return gen_expression_within(d, v->type, depth, W_VARIABLE, P_LOWEST,
                                 v->base, &value);
}

static bool text_update(struct gen_draft *d, struct gen_var *v, unsigned depth)
{
    struct gen_bound limit = {.len = v->slack_len / ratio_of(d, v)};
    struct gen_value value;
    uint32_t kind = gen_pick(d, 100);

    if (limit.len == 0) {
        return false;
    }
    if (kind < 78) {
        limit.mag = GEN_MAX_MAG;
        limit.inner = GEN_MAX_LEN;
        gen_printf(d->out, "%s += ", v->name);
        if (!gen_expression_within(d, T_STR, depth, W_VARIABLE, P_LOWEST, limit,
                                   &value)) {
            return false;
        }
    } else {
        limit.mag = GEN_MAX_MAG;
        limit.inner = GEN_MAX_LEN;
        gen_printf(d->out, "%s = ", v->name);
        if (!gen_expression_within(d, T_STR, depth, W_VARIABLE, P_SUM + 1,
                                   limit, &value)) {
            return false;
        }
        gen_printf(d->out, " + %s", v->name);
        v->is_used = true;
    }
    v->slack_len -= value.bound.len * ratio_of(d, v);
    return true;
}

/* if xs: xs.pop(), xs.remove(e), xs.sort(): never longer than before. */
static bool list_shorter(struct gen_draft *d, struct gen_var *v)
{
    struct gen_value value;
    bool is_plain = v->type == T_LI || v->type == T_LS;

    switch (gen_pick(d, is_plain ? 5 : 2)) {
    case 0:
        gen_printf(d->out, "if %s:\n%*s%s.pop(%s)", v->name,
                   (int)(4 * d->indent + 4), "", v->name,
                   gen_chance(d, 300) ? "0" : "");
        v->is_used = true;
        return true;
    case 1:
        gen_printf(d->out, "%s.reverse()", v->name);
        return true;
    case 2:
        gen_printf(d->out, "%s.sort(%s)", v->name,
                   gen_chance(d, 300) ? "reverse=True" : "");
        return true;
    case 3:
        gen_printf(d->out, "%s = %s[%s]", v->name, v->name,
                   gen_chance(d, 500) ? "1:" : "::-1");
        return true;
    default: {
        size_t at;
        size_t len;
        char text[GEN_TEXT_BYTES];

        cwm_buf_adds(d->out, "if ");
        at = d->out->len;
        if (!gen_expression(d, gen_element(v->type), 1, W_VARIABLE, P_COMPARE,
                            &value)) {
            return false;
        }
        len = d->out->len - at;
        if (len >= sizeof text || d->out->failed != CWM_OK) {
            return false;
        }
        memcpy(text, d->out->data + at, len);
        text[len] = '\0';
        gen_printf(d->out, " in %s:\n%*s%s.remove(%s)", v->name,
                   (int)(4 * d->indent + 4), "", v->name, text);
        v->is_used = true;
        return true;
    }
    }
}

static bool list_update(struct gen_draft *d, struct gen_var *v, unsigned depth)
{
    enum gen_type element = gen_element(v->type);
    uint32_t ratio = ratio_of(d, v);
    uint32_t kind = gen_pick(d, 100);
    struct gen_value value;
    size_t at;

    if (kind < 14 && v->type != T_TI) {
        return list_shorter(d, v);
    }
    if (v->slack_len < ratio) {
        return false;
    }
    if (v->type == T_TI) {
        gen_printf(d->out, "%s += (", v->name);
        if (!gen_expression_within(d, T_INT, depth, W_VARIABLE, P_OR,
                                   element_limit(v), &value)) {
            return false;
        }
        cwm_buf_adds(d->out, ",)");
        v->slack_len -= ratio;
        return true;
    }
    if (kind < 24 && v->type != T_LLI) {
        struct gen_bound limit = v->base;

        limit.len = v->slack_len / ratio;
        limit.nonempty = false;
        gen_printf(d->out, kind < 20 ? "%s.extend(" : "%s += (", v->name);
        if (!gen_expression_within(d, v->type, depth, W_VARIABLE, P_OR, limit,
                                   &value)) {
            return false;
        }
        cwm_buf_addc(d->out, ')');
        v->slack_len -= value.bound.len * ratio;
        return true;
    }
    gen_printf(d->out, kind < 30 ? "%s.insert(0, " : "%s.append(", v->name);
    at = d->out->len;
    if (!gen_expression_within(d, element, depth, W_VARIABLE, P_OR,
                               element_limit(v), &value)) {
        return false;
    }
    gen_make_fresh(d, at, element, value.precedence);
    cwm_buf_addc(d->out, ')');
    v->slack_len -= ratio;
    return true;
}

static bool set_update(struct gen_draft *d, struct gen_var *v, unsigned depth)
{
    uint32_t ratio = ratio_of(d, v);
    bool discards = gen_chance(d, 120);
    struct gen_value value;

    if (v->slack_len < ratio) {
        return false;
    }
    gen_printf(d->out, discards ? "%s.discard(" : "%s.add(", v->name);
    if (!gen_expression_within(d, gen_element(v->type), depth, W_VARIABLE, P_OR,
                               element_limit(v), &value)) {
        return false;
    }
    cwm_buf_addc(d->out, ')');
    v->slack_len -= ratio;
    return true;
}

/*
 * The key is written once more where it is short: counts[k] = counts.get(k, 0)
 * + 1.  text: where it is kept.
 */
static bool write_key(struct gen_draft *d, struct gen_var *v,
                      char text[GEN_TEXT_BYTES])
{
    enum gen_type type = v->type == T_DII ? T_INT : T_STR;
    struct gen_bound limit = {.mag = type == T_INT ? v->base.mag : GEN_MAX_MAG,
                              .len = type == T_INT ? 0 : v->base.inner,
                              .inner = GEN_MAX_LEN,
                              .nonneg = type == T_INT && v->base.nonneg};
    size_t at = d->out->len;
    struct gen_value key;
    size_t len;

    if (!gen_expression_within(d, type, gen_chance(d, 600) ? 0 : 1, W_VARIABLE,
                               P_OR, limit, &key)) {
        return false;
    }
    len = d->out->len - at;
    if (len >= 80 || d->out->failed != CWM_OK) {
        return false;
    }
    memcpy(text, d->out->data + at, len);
    text[len] = '\0';
    return true;
}

static bool count_update(struct gen_draft *d, struct gen_var *v, unsigned depth)
{
    uint32_t ratio = ratio_of(d, v);
    struct gen_bound limit = {.mag = v->slack_mag / ratio,
                              .nonneg = v->base.nonneg};
    char key[GEN_TEXT_BYTES];
    struct gen_value value = {.bound.mag = 1};
    uint32_t kind = gen_pick(d, 100);

    if (limit.mag == 0 || v->slack_len < ratio) {
        return false;
    }
    if (kind < 8) {
        gen_printf(d->out, "%s.pop(", v->name);
        if (!write_key(d, v, key)) {
            return false;
        }
        cwm_buf_adds(d->out, ", None)");
        return true;
    }
    gen_printf(d->out, "%s[", v->name);
    if (!write_key(d, v, key)) {
        return false;
    }
    v->slack_len -= ratio;
    if (kind < 35) {
        cwm_buf_adds(d->out, "] = ");
        limit.mag = v->base.mag;
        return gen_expression_within(d, T_INT, depth, W_VARIABLE, P_LOWEST,
                                     limit, &value);
    }
    gen_printf(d->out, "] = %s.get(%s, 0) + ", v->name, key);
    v->is_used = true;
    if (kind < 75) {
        cwm_buf_addc(d->out, '1');
    } else if (!gen_expression_within(d, T_INT, depth, W_VARIABLE, P_PRODUCT,
                                      limit, &value)) {
        return false;
    }
    v->slack_mag -= value.bound.mag * ratio;
    return true;
}

static bool group_update(struct gen_draft *d, struct gen_var *v, unsigned depth)
{
    uint32_t ratio = ratio_of(d, v);
    struct gen_bound limit = {.mag = v->base.mag, .nonneg = v->base.nonneg};
    char key[GEN_TEXT_BYTES];
    struct gen_value value;

    if (v->slack_len < ratio) {
        return false;
    }
    v->slack_len -= ratio;
    if (gen_chance(d, 650)) {
        gen_printf(d->out, "%s.setdefault(", v->name);
        if (!write_key(d, v, key)) {
            return false;
        }
        cwm_buf_adds(d->out, ", []).append(");
    } else {
        cwm_buf_adds(d->out, "if ");
        if (!write_key(d, v, key)) {
            return false;
        }
        gen_printf(d->out, " not in %s:\n%*s%s[%s] = []\n%*s%s[%s].append(",
                   v->name, (int)(4 * d->indent + 4), "", v->name, key,
                   (int)(4 * d->indent), "", v->name, key);
        v->is_used = true;
    }
    if (!gen_expression_within(d, T_INT, depth, W_VARIABLE, P_OR, limit,
                               &value)) {
        return false;
    }
    cwm_buf_addc(d->out, ')');
    return true;
}

static bool other_update(struct gen_draft *d, struct gen_var *v, unsigned depth)
{
    struct gen_bound limit = {
        .len = v->base.inner, .mag = GEN_MAX_MAG, .inner = GEN_MAX_LEN};
    char key[GEN_TEXT_BYTES];
    struct gen_value value;

    if (v->type == T_DSS) {
        if (v->slack_len < ratio_of(d, v)) {
            return false;
        }
        v->slack_len -= ratio_of(d, v);
        gen_printf(d->out, "%s[", v->name);
        if (!write_key(d, v, key)) {
            return false;
        }
        cwm_buf_adds(d->out, "] = ");
        return gen_expression_within(d, T_STR, depth, W_VARIABLE, P_LOWEST,
                                     limit, &value);
    }
    gen_printf(d->out, "%s = ", v->name);
    if (v->type != T_BOOL) {
        return gen_expression_within(d, v->type, depth, W_VARIABLE, P_LOWEST,
                                     v->base, &value);
    }
    if (gen_chance(d, 150)) {
        gen_printf(d->out, "not %s", v->name);
        v->is_used = true;
        return true;
    }
    return gen_condition(d, depth, P_LOWEST, &value);
}

static bool write_update(struct gen_draft *d, struct gen_var *v, unsigned depth)
{
    switch ((int)v->type) {
    case T_INT:
    case T_FLOAT:
        return number_update(d, v, depth);
    case T_STR:
        return text_update(d, v, depth);
    case T_LI:
    case T_LS:
    case T_LLI:
    case T_LPI:
    case T_LPS:
    case T_LF:
    case T_TI:
        return list_update(d, v, depth);
    case T_SI:
    case T_SS:
        return set_update(d, v, depth);
    case T_DSI:
    case T_DII:
        return count_update(d, v, depth);
    case T_DSL:
        return group_update(d, v, depth);
    default:
        return other_update(d, v, depth);
    }
}

bool gen_update(struct gen_draft *d, int var, unsigned depth)
{
    struct gen_mark mark = gen_mark(d);
    struct gen_var kept = d->vars[var];

    for (int i = 0; i < 3; i++) {
        bool was_used = d->vars[var].is_used;

        if (kept.frozen || !kept.is_mutable) {
            return false;
        }
        gen_line(d);
        d->hidden = !kept.is_tainted || gen_chance(d, 800) ? var : -1;
        if (write_update(d, &d->vars[var], depth)) {
            d->hidden = -1;
            gen_end(d);
            taint(&d->vars[var]);
            /* changing it is no use of it */
            d->vars[var].is_used = was_used;
            return true;
        }
        d->hidden = -1;
        gen_cut(d, mark);
        d->vars[var] = kept;
    }
    return false;
}

/* xs[i] = e, by a loop's index: the length stays. */
static bool item_update(struct gen_draft *d, unsigned depth)
{
    for (int i = d->n_vars - 1; i >= 0; i--) {
        struct gen_mark mark = gen_mark(d);
        int list = d->vars[i].indexes;
        struct gen_value value;

        if (list < 0 || d->vars[list].type != T_LI ||
            !(d->vars[list].is_mutable || d->vars[list].is_param)) {
            continue;
        }
        gen_line(d);
        gen_use(d, list);
        cwm_buf_addc(d->out, '[');
        gen_use(d, i);
        cwm_buf_adds(d->out, "] = ");
        if (gen_expression_within(d, T_INT, depth, W_VARIABLE, P_LOWEST,
                                  gen_element_bound(T_LI, d->vars[list].base),
                                  &value)) {
            gen_end(d);
            return true;
        }
        gen_cut(d, mark);
    }
    return false;
}

bool gen_update_any(struct gen_draft *d, unsigned depth)
{
    uint8_t weights[GEN_MAX_VARS];

    if (gen_chance(d, 60) && item_update(d, depth)) {
        return true;
    }
    for (int tries = 0; tries < 3; tries++) {
        uint32_t n = 0;

        for (int i = 0; i < d->n_vars; i++) {
            const struct gen_var *v = &d->vars[i];

            weights[i] = 0;
            if (v->is_mutable && v->frozen == 0 && !v->is_element) {
                weights[i] = v->is_tainted ? 2 : 6; /* nothing in it yet */
                n++;
            }
        }
        if (n == 0) {
            return false;
        }
        if (gen_update(d, (int)gen_weighted(d, weights, (uint32_t)d->n_vars),
                       depth)) {
            return true;
        }
    }
    return false;
}
