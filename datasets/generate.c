/* SPDX-License-Identifier: MIT */
/* generate.c -- a program from its number. */
#include "datasets/generate.h"

#include <inttypes.h>
#include <string.h>

#include "datasets/generate_internal.h"

/* A draft fits nearly always at the first or second try. */
#define MAX_DRAFTS 200
/* ... but where most of them are not plain. */
#define MAX_PLAIN_DRAFTS 2000
/* Of the entry's body: less than both is too little. */
#define MIN_LINES 4
#define MIN_BYTES 110

void generated_init(struct generated *g)
{
    memset(g, 0, sizeof *g);
    cwm_buf_init(&g->texts, 1 << 16);
}

void generated_release(struct generated *g)
{
    cwm_buf_release(&g->texts);
}

/* ---- one draft ---- */

static enum generate_feature pick_feature(struct gen_draft *d)
{
    const uint32_t *weights = d->settings->weights;
    uint32_t sum = 0;
    uint32_t at;

    for (int i = 0; i < GENERATE_N_FEATURES; i++) {
        sum += weights[i];
    }
    at = gen_pick(d, sum);
    for (int i = 0; i < GENERATE_N_FEATURES; i++) {
        if (at < weights[i]) {
            return (enum generate_feature)i;
        }
        at -= weights[i];
    }
    return GENERATE_STRAIGHT;
}

/* A type of parameter that the plan can do something with. */
static enum gen_type param_for(struct gen_draft *d,
                               enum generate_feature feature)
{
    static const enum gen_type items[] = {T_LI,  T_LI,  T_LS,  T_STR, T_LI,
                                          T_LPS, T_LPI, T_DSI, T_LLI, T_STR};
    static const enum gen_type texts[] = {T_STR, T_STR, T_LS};

    if (d->settings->plain) {
        return feature == GENERATE_STRAIGHT ? gen_param_type(d) : T_LI;
    }
    switch (feature) {
    case GENERATE_MATRIX:
        return T_LLI;
    case GENERATE_STRING:
        return texts[gen_pick(d, ARRAY_LEN(texts))];
    case GENERATE_STACK:
        return gen_chance(d, 500) ? T_LI : T_STR;
    case GENERATE_DP:
        return gen_chance(d, 400) ? T_LI : gen_chance(d, 500) ? T_INT : T_STR;
    case GENERATE_ACCUMULATE:
    case GENERATE_SEARCH:
    case GENERATE_SIMULATE:
    case GENERATE_GROUP:
    case GENERATE_WHILE:
        return items[gen_pick(d, ARRAY_LEN(items))];
    case GENERATE_RECURSION:
    case GENERATE_HELPER:
    case GENERATE_STRAIGHT:
    case GENERATE_N_FEATURES:
        break;
    }
    return gen_param_type(d);
}

static void choose_params(struct gen_draft *d,
                          const enum generate_feature *features,
                          uint32_t n_features)
{
    uint32_t n = gen_between(d, 1, d->settings->max_params);

    for (uint32_t i = 0; i < n; i++) {
        enum gen_type type =
            i < n_features ? param_for(d, features[i]) : gen_param_type(d);
        char name[GENERATE_NAME_BYTES];
        int var;

        gen_name_variable(d, type, name);
        var = gen_push_var(d, name, type, gen_bound_of_type(d, type));
        d->vars[var].is_param = true;
    }
}

/* A phase that failed leaves nothing behind. */
static bool try_phase(struct gen_draft *d, enum generate_feature feature)
{
    struct gen_mark mark = gen_mark(d);
    struct gen_draft kept = *d;

    for (int i = 0; i < 3; i++) {
        if (gen_phase(d, feature) && !d->is_broken) {
            d->features |= 1u << feature;
            return true;
        }
        kept.random = d->random;
        *d = kept;
        gen_cut(d, mark);
    }
    return false;
}

/* Variables of the function's own level that nothing has looked at. */
static uint32_t count_leftovers(const struct gen_draft *d, int first)
{
    uint32_t n = 0;

    for (int i = first; i < d->n_vars; i++) {
        n += !d->vars[i].is_used && !d->vars[i].is_param;
    }
    return n;
}

/* return a, b / {'a': a, 'b': b} / f"...", of what is left over. */
static bool return_leftovers(struct gen_draft *d, int first, uint32_t n)
{
    static const char *const opens[] = {"", "[", "{"};
    static const char *const closes[] = {"", "]", "}"};
    uint32_t kind = n == 1 ? 0 : gen_weighted(d, (const uint8_t[]){8, 1, 3}, 3);
    uint32_t n_seen = 0;
    bool is_tainted = false;

    if (n > 5) {
        return false;
    }
    gen_line(d);
    gen_printf(d->out, "return %s", opens[kind]);
    for (int i = first; i < d->n_vars; i++) {
        const struct gen_var *v = &d->vars[i];

        if (v->is_used || v->is_param) {
            continue;
        }
        cwm_buf_adds(d->out, n_seen++ ? ", " : "");
        if (kind == 2) {
            gen_printf(d->out, "'%s': ", v->name);
        }
        is_tainted = is_tainted || v->is_tainted;
        gen_use(d, i);
    }
    cwm_buf_adds(d->out, closes[kind]);
    gen_end(d);
    return is_tainted;
}

static bool write_result(struct gen_draft *d, int first, bool *ret_typed)
{
    struct gen_mark mark = gen_mark(d);
    uint32_t n = count_leftovers(d, first);

    *ret_typed = false;
    for (int i = 0; i < 6 && (n <= 2 || i < 3); i++) {
        struct gen_value value;

        gen_line(d);
        cwm_buf_adds(d->out, "return ");
        if (gen_expression(d, d->result, n ? (i > 2 ? 2 : gen_pick(d, 3)) : 3,
                           W_VARIABLE | W_TAINTED, P_LOWEST, &value) &&
            count_leftovers(d, first) == 0) {
            gen_end(d);
            *ret_typed = true;
            return true;
        }
        gen_cut(d, mark);
    }
    return n > 0 && return_leftovers(d, first, n);
}

static bool all_helpers_used(const struct gen_draft *d)
{
    for (int i = 0; i < d->n_helpers; i++) {
        if (!d->helpers[i].is_used) {
            return false;
        }
    }
    return true;
}

/* "def NAME(PARAMS):" in front of the body that starts at `at`. */
static void insert_header(struct gen_draft *d, size_t at, const char *name,
                          int with_default, const char *fallback, bool is_typed)
{
    bool annotated = gen_chance(d, d->settings->annotated_permille);
    size_t body_len = d->out->len - at;
    size_t header_len;
    uint32_t n = 0;

    gen_printf(d->out, "def %s(", name);
    for (int i = 0; i < d->n_vars; i++) {
        const struct gen_var *v = &d->vars[i];

        if (!v->is_param || !v->is_used) {
            continue;
        }
        gen_printf(d->out, "%s%s", n++ ? ", " : "", v->name);
        if (annotated) {
            gen_printf(d->out, ": %s", gen_type_annotation(v->type));
        }
        if (i == with_default) {
            gen_printf(d->out, annotated ? " = %s" : "=%s", fallback);
        }
    }
    cwm_buf_addc(d->out, ')');
    if (annotated && is_typed) {
        gen_printf(d->out, " -> %s", gen_type_annotation(d->result));
    }
    cwm_buf_adds(d->out, ":\n");
    header_len = d->out->len - at - body_len;
    /* header behind body: turn them round, with room for the header */
    if (cwm_buf_reserve(d->out, header_len) == CWM_OK &&
        d->out->failed == CWM_OK) {
        char *body = d->out->data + at;

        memmove(body + header_len, body, body_len + header_len);
        memcpy(body, body + header_len + body_len, header_len);
        d->out->data[d->out->len] = '\0';
    }
}

static void write_args(struct gen_draft *d, struct generated *ret,
                       int with_default)
{
    size_t starts[GENERATE_MAX_INPUTS];
    uint32_t n = d->settings->n_inputs;

    cwm_buf_clear(&ret->texts);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t n_written = 0;

        starts[k] = ret->texts.len;
        for (int i = 0; i < d->n_vars; i++) {
            const struct gen_var *v = &d->vars[i];
            struct gen_bound bound = v->bound;

            if (!v->is_param || !v->is_used ||
                (i == with_default && gen_chance(d, 450))) {
                continue;
            }
            cwm_buf_adds(&ret->texts, n_written++ ? ", " : "");
            if (i == with_default && gen_chance(d, 500)) {
                gen_printf(&ret->texts, "%s=", v->name);
            }
            bound.nonempty = bound.nonempty || gen_chance(d, 850);
            gen_literal(d, v->type, bound, &ret->texts);
        }
        cwm_buf_addc(&ret->texts, '\0');
    }
    ret->n_args = ret->texts.failed == CWM_OK ? n : 0;
    for (uint32_t k = 0; k < ret->n_args; k++) {
        ret->args[k] = ret->texts.data + starts[k];
    }
}

/* The last used parameter may have a default. */
static int choose_default(struct gen_draft *d)
{
    int last = -1;
    int n = 0;

    for (int i = 0; i < d->n_vars; i++) {
        if (d->vars[i].is_param && d->vars[i].is_used) {
            last = i;
            n++;
        }
    }
    if (n > 1 &&
        (d->vars[last].type == T_INT || d->vars[last].type == T_BOOL ||
         d->vars[last].type == T_STR) &&
        gen_chance(d, 250)) {
        return last;
    }
    return -1;
}

static bool write_helpers(struct gen_draft *d,
                          const enum generate_feature *features, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        bool is_recursive = features[i] == GENERATE_RECURSION;

        if (!is_recursive && features[i] != GENERATE_HELPER) {
            continue;
        }
        if (!is_recursive && gen_chance(d, 350)) {
            continue; /* a local one, later */
        }
        for (int tries = 0; tries < 4; tries++) {
            if (gen_helper_function(d, is_recursive)) {
                break;
            }
        }
    }
    return true;
}

/* The entry's statements, from its first plan to its return. */
static bool write_body(struct gen_draft *d,
                       const enum generate_feature *features, uint32_t n,
                       bool raises, bool *ret_typed)
{
    uint32_t raise_at = raises ? gen_pick(d, n) : n;
    int first_local = d->n_vars;
    bool any = false;

    for (uint32_t i = 0; i < n; i++) {
        if (features[i] == GENERATE_HELPER && d->n_helpers == 0) {
            gen_helper_function(d, false);
        }
        if (i == raise_at && !gen_raise_place(d)) {
            return false;
        }
        any = try_phase(d, features[i]) || any;
    }
    if (!any) {
        return false;
    }
    if (!all_helpers_used(d)) {
        gen_phase(d, GENERATE_HELPER);
    }
    gen_remove_unused(d, first_local);
    return write_result(d, first_local, ret_typed) && all_helpers_used(d) &&
           !d->is_broken;
}

static enum gen_type choose_result(struct gen_draft *d)
{
    static const enum gen_type results[] = {
        T_INT, T_INT, T_INT, T_INT, T_STR,  T_STR, T_STR, T_LI,  T_LI,
        T_LI,  T_LS,  T_LS,  T_DSI, T_BOOL, T_LI,  T_LPS, T_PII, T_DSL};
    enum gen_type type = results[gen_pick(d, ARRAY_LEN(results))];

    return gen_is_plain_type(type) || !d->settings->plain ? type : T_INT;
}

/* Lines that were taken out may have been all that named a parameter. */
static void drop_unnamed_params(struct gen_draft *d, size_t at)
{
    for (int i = 0; i < d->n_vars; i++) {
        if (d->vars[i].is_param && d->out->failed == CWM_OK) {
            d->vars[i].is_used =
                gen_has_name(d->out->data + at, d->vars[i].name);
        }
    }
}

/* Lines that were taken out may have been all that called a helper. */
static bool calls_helpers(const struct gen_draft *d, size_t at)
{
    for (int i = 0; i < d->n_helpers; i++) {
        const char *text = d->out->data + at;
        const char *first = gen_find_name(text, d->helpers[i].name);

        if (first && d->helpers[i].is_local) { /* the first is its own */
            first = gen_find_name(first + strlen(d->helpers[i].name),
                                  d->helpers[i].name);
        }
        if (!first) {
            return false;
        }
    }
    return true;
}

/* Shorter ones have all been written before. */
static bool is_long_enough(const struct gen_draft *d, size_t at)
{
    uint32_t n_lines = 0;

    for (size_t i = at; i < d->out->len; i++) {
        n_lines += d->out->data[i] == '\n';
    }
    return n_lines >= MIN_LINES || d->out->len - at > MIN_BYTES;
}

static bool write_draft(struct gen_draft *d, bool raises, struct generated *ret)
{
    enum generate_feature features[8];
    uint32_t n =
        gen_between(d, d->settings->min_phases, d->settings->max_phases);
    struct gen_scope scope;
    bool is_typed = false;
    int n_vars;
    int with_default;
    char fallback[64] = "";
    size_t at;

    for (uint32_t i = 0; i < n; i++) {
        features[i] = pick_feature(d);
    }
    if (n == 1 &&
        (features[0] == GENERATE_DP || features[0] == GENERATE_STACK ||
         features[0] == GENERATE_STRING)) {
        features[n++] = GENERATE_STRAIGHT; /* else there are few of them */
    }
    write_helpers(d, features, n);
    d->is_entry = true;
    d->result = choose_result(d);
    d->result_bound = (struct gen_bound){0};
    gen_name_function(d, d->result, ret->entry);
    /* The entry's own name is taken: no helper or variable may have it. */
    choose_params(d, features, n);
    at = d->out->len;
    scope = gen_open(d, 1, false);
    if (!write_body(d, features, n, raises, &is_typed)) {
        return false;
    }
    n_vars = d->n_vars;
    gen_close(d, scope);
    d->n_vars = n_vars; /* parameters stay for the header */
    if (d->out->failed != CWM_OK || !calls_helpers(d, at) ||
        !is_long_enough(d, at) ||
        (d->settings->plain &&
         !gen_is_plain(d->out->data, d->settings->plain))) {
        return false;
    }
    drop_unnamed_params(d, at);
    with_default = choose_default(d);
    if (with_default >= 0) {
        struct gen_bound bound = d->vars[with_default].bound;
        size_t start = d->out->len;

        gen_literal(d, d->vars[with_default].type, bound, d->out);
        if (d->out->failed != CWM_OK ||
            d->out->len - start >= sizeof fallback) {
            return false;
        }
        memcpy(fallback, d->out->data + start, d->out->len - start);
        d->out->len = start;
        d->out->data[start] = '\0';
    }
    for (int i = 0; i < d->n_vars; i++) {
        if (d->vars[i].is_param && d->vars[i].is_used) {
            insert_header(d, at, ret->entry, with_default, fallback, is_typed);
            write_args(d, ret, with_default);
            return true;
        }
    }
    return false; /* it looks at none of its parameters */
}

enum cwm_rc generate_program(const struct generate_settings *settings,
                             uint64_t seed, uint64_t index,
                             struct cwm_buf *source, struct generated *ret,
                             struct cwm_err *err)
{
    struct gen_draft d;
    uint64_t state = seed * UINT64_C(0xD1342543DE82EF95) + index;
    uint32_t max_drafts = settings->plain ? MAX_PLAIN_DRAFTS : MAX_DRAFTS;
    bool raises;

    memset(&d, 0, sizeof d);
    d.random = state;
    state = gen_random(&d) ^ (seed + UINT64_C(0x632BE59BD9B4E019)) * 3;
    d.random = state;
    raises = gen_chance(&d, settings->exception_permille) && !settings->plain;
    for (uint32_t i = 0; i < max_drafts; i++) {
        memset(&d, 0, sizeof d);
        d.settings = settings;
        d.out = source;
        d.trips = 1;
        d.hidden = -1;
        d.random = state + (i + 1) * UINT64_C(0xA0761D6478BD642F);
        gen_random(&d);
        gen_index_rules(&d);
        cwm_buf_clear(source);
        if (write_draft(&d, raises, ret) && source->failed == CWM_OK &&
            ret->texts.failed == CWM_OK) {
            ret->raises = d.raised;
            ret->features = d.features;
            ret->n_tries = i + 1;
            return CWM_OK;
        }
        if (source->failed != CWM_OK) {
            return cwm_buf_check(source, "the generated program", err);
        }
        if (ret->texts.failed != CWM_OK) {
            return cwm_buf_check(&ret->texts, "the program's arguments", err);
        }
    }
    return CWM_FAIL(err, CWM_LIMIT,
                    "could not make program %" PRIu64 " of seed %" PRIu64
                    " in %" PRIu32 " drafts\nallow more steps or other plans",
                    index, seed, max_drafts);
}
