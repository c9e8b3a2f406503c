/* SPDX-License-Identifier: MIT */
/* generate_settings.c -- what programs are made of: defaults, limits, JSON. */
#include <inttypes.h>
#include <string.h>

#include "cwm/base/json_in.h"
#include "datasets/generate_internal.h"

#define MAX_WEIGHT     10000
#define MAX_NAME_BYTES 64

static const struct field {
    const char *name;
    size_t offset;
    uint32_t least, most, otherwise;
} fields[] = {
#define FIELD(name, least, most, otherwise)                                    \
    {                                                                          \
#name, offsetof(struct generate_settings, name), least, most,          \
            otherwise                                                          \
    }
    FIELD(min_phases, 1, 8, 1),
    FIELD(max_phases, 1, 8, 3),
    FIELD(max_depth, 1, 6, 4),
    FIELD(max_expression_depth, 1, 5, 3),
    FIELD(max_params, 1, 5, 3),
    FIELD(max_items, 2, 16, 8),
    FIELD(n_inputs, 1, GENERATE_MAX_INPUTS, 3),
    FIELD(max_steps, 10, 1000000, 2000),
    FIELD(exception_permille, 0, 1000, 60),
    FIELD(annotated_permille, 0, 1000, 200),
    FIELD(max_number, 1, 999, 999),
    FIELD(plain, 0, 2, 0),
#undef FIELD
};

/* By enum generate_feature. */
static const char *const features[GENERATE_N_FEATURES] = {
    "accumulate", "search",   "while", "dp",        "stack",  "matrix",
    "string",     "simulate", "group", "recursion", "helper", "straight"};

static uint32_t *value_of(struct generate_settings *s, const struct field *f)
{
    return (uint32_t *)(void *)((char *)s + f->offset);
}

void generate_settings_default(struct generate_settings *ret_settings)
{
    *ret_settings = (struct generate_settings){
#define GENERATE_WEIGHT(name, weight, what)                                    \
    .weights[GENERATE_##name] = (weight),
        GENERATE_FEATURE_TABLE(GENERATE_WEIGHT)
#undef GENERATE_WEIGHT
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        *value_of(ret_settings, &fields[i]) = fields[i].otherwise;
    }
}

const char *generate_feature_name(enum generate_feature feature)
{
    return feature < GENERATE_N_FEATURES ? features[feature] : "";
}

enum cwm_rc generate_settings_check(const struct generate_settings *settings,
                                    struct cwm_err *err)
{
    struct generate_settings s = *settings;
    uint64_t sum = 0;

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct field *f = &fields[i];
        bool is_phases =
            f->offset == offsetof(struct generate_settings, max_phases);
        uint32_t least = is_phases ? s.min_phases : f->least;
        uint32_t value = *value_of(&s, f);

        if (value < least || value > f->most) {
            return CWM_FAIL(err, CWM_USAGE,
                            "'%s' is %" PRIu32 ", which is not between %" PRIu32
                            " and %" PRIu32,
                            f->name, value, least, f->most);
        }
    }
    for (int i = 0; i < GENERATE_N_FEATURES; i++) {
        if (s.weights[i] > MAX_WEIGHT) {
            return CWM_FAIL(err, CWM_USAGE,
                            "the weight of '%s' is %" PRIu32
                            ", over the limit of %d",
                            features[i], s.weights[i], MAX_WEIGHT);
        }
        sum += s.weights[i];
    }
    if (sum == 0) {
        return CWM_FAIL(err, CWM_USAGE, "all weights are 0");
    }
    return CWM_OK;
}

/* ---- from JSON ---- */

/* A number that fits the settings' fields; larger ones are out of any range. */
static uint32_t read_number(struct json_in *in)
{
    uint64_t n = 0;

    json_count(in, &n);
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static enum cwm_rc no_such(const char *what, const struct cwm_buf *name,
                           struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_USAGE, "there is no %s '%s'", what,
                    name->data ? name->data : "");
}

static enum cwm_rc read_weight(struct json_in *in, const struct cwm_buf *name,
                               struct generate_settings *s, struct cwm_err *err)
{
    for (int i = 0; i < GENERATE_N_FEATURES; i++) {
        if (name->data && strcmp(name->data, features[i]) == 0) {
            s->weights[i] = read_number(in);
            return CWM_OK;
        }
    }
    return no_such("plan", name, err);
}

static enum cwm_rc read_member(struct json_in *in, const struct cwm_buf *name,
                               struct generate_settings *s, struct cwm_err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (name->data && strcmp(name->data, fields[i].name) == 0) {
            *value_of(s, &fields[i]) = read_number(in);
            return CWM_OK;
        }
    }
    return no_such("setting", name, err);
}

static enum cwm_rc read_weights(struct json_in *in, struct cwm_buf *name,
                                struct generate_settings *s,
                                struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    bool first;

    memset(s->weights, 0, sizeof s->weights);
    if (!json_open(in, '{')) {
        return CWM_OK; /* `in` has failed */
    }
    for (first = true; rc == CWM_OK && json_more(in, '}', first);
         first = false) {
        cwm_buf_clear(name);
        if (json_key(in, name)) {
            rc = read_weight(in, name, s, err);
        }
    }
    return rc;
}

enum cwm_rc generate_settings_read(const char *text, size_t len,
                                   struct generate_settings *settings,
                                   struct cwm_err *err)
{
    struct generate_settings s = *settings;
    struct json_in in = {.text = text, .len = len};
    struct cwm_buf name;
    enum cwm_rc rc = CWM_OK;
    bool first;

    cwm_buf_init(&name, MAX_NAME_BYTES);
    json_whole(&in);
    json_open(&in, '{');
    for (first = true; rc == CWM_OK && json_more(&in, '}', first);
         first = false) {
        cwm_buf_clear(&name);
        if (!json_key(&in, &name)) {
            break;
        }
        rc = name.data && strcmp(name.data, "weights") == 0
                 ? read_weights(&in, &name, &s, err)
                 : read_member(&in, &name, &s, err);
    }
    if (rc == CWM_OK && in.failed) {
        rc = CWM_FAIL(err, in.failed == CWM_NOMEM ? CWM_NOMEM : CWM_USAGE,
                      "line %zu: this is no JSON object of settings and whole "
                      "numbers",
                      json_line(&in));
    }
    cwm_buf_release(&name);
    if (rc == CWM_OK) {
        rc = generate_settings_check(&s, err);
    }
    if (rc == CWM_OK) {
        *settings = s;
    }
    return rc;
}
