/* SPDX-License-Identifier: MIT */
/*
 * build_standins.c -- what stands in until inputs are there: weak definitions,
 * which the real ones replace.
 */
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/calls.h"
#include "datasets/inputs.h"

#define WEAK __attribute__((weak))

struct inputs {
    struct calls calls;
    size_t at;
};

WEAK void inputs_settings_default(struct inputs_settings *ret_settings)
{
    memset(ret_settings, 0, sizeof *ret_settings);
}

WEAK enum cwm_rc inputs_outcome_of(const struct trace_result *result,
                                   struct inputs_outcome *ret_outcome,
                                   struct cwm_err *err)
{
    (void)result;
    (void)err;
    memset(ret_outcome, 0, sizeof *ret_outcome);
    return CWM_OK;
}

WEAK void inputs_outcome_release(struct inputs_outcome *outcome)
{
    (void)outcome;
}

/* The text behind each ">>> " and "... ". */
static void add_doctests(const char *text, struct cwm_buf *out)
{
    for (const char *line = text; *line; line += *line == '\n') {
        size_t len = strcspn(line, "\n");
        size_t at = strspn(line, " \t");

        if (len > at + 4 && (strncmp(line + at, ">>> ", 4) == 0 ||
                             strncmp(line + at, "... ", 4) == 0)) {
            cwm_buf_add(out, line + at + 4, len - at - 4);
            cwm_buf_addc(out, '\n');
        }
        line += len;
    }
}

WEAK enum cwm_rc inputs_new(const struct source *source, int def,
                            const struct inputs_settings *settings,
                            uint64_t seed, struct inputs **ret_inputs,
                            struct cwm_err *err)
{
    size_t n;
    const struct source_def *d = &source_defs(source, &n)[def];
    const char *text = source_text(source, &n);
    struct inputs *in = cwm_calloc(1, sizeof *in);
    struct cwm_buf tests;
    enum cwm_rc rc;

    (void)settings;
    (void)seed;
    if (!in || d->parent >= 0) {
        cwm_free(in);
        return CWM_FAIL(err, in ? CWM_USAGE : CWM_NOMEM, "no function");
    }
    cwm_buf_init(&tests, 1 << 24);
    add_doctests(text, &tests);
    cwm_buf_addc(&tests, '\n');
    rc = calls_find(tests.data, tests.len, d->name, &in->calls, err);
    if (rc == CWM_OK) {
        rc = calls_find(text, n, d->name, &in->calls, err);
    }
    cwm_buf_release(&tests);
    if (rc == CWM_OK) {
        *ret_inputs = in;
        in = NULL;
    }
    inputs_free(in);
    return rc;
}

WEAK void inputs_free(struct inputs *in)
{
    if (in) {
        calls_release(&in->calls);
        cwm_free(in);
    }
}

WEAK enum cwm_rc inputs_next(struct inputs *in, struct inputs_try *ret,
                             bool *ret_more, struct cwm_err *err)
{
    (void)err;
    *ret_more = in->at < in->calls.n;
    if (*ret_more) {
        *ret = (struct inputs_try){.args = in->calls.args[in->at++],
                                   .origin = INPUTS_DOCTEST};
    }
    return CWM_OK;
}

WEAK enum cwm_rc inputs_report(struct inputs *in,
                               const struct inputs_outcome *outcome,
                               bool *ret_keep, struct cwm_err *err)
{
    (void)in;
    (void)outcome;
    (void)err;
    *ret_keep = true;
    return CWM_OK;
}

WEAK const char *inputs_origin_text(enum inputs_origin origin)
{
    switch (origin) {
#define INPUTS_ORIGIN_CASE(name, number, text)                                 \
    case INPUTS_##name:                                                        \
        return text;
        INPUTS_ORIGIN_TABLE(INPUTS_ORIGIN_CASE)
#undef INPUTS_ORIGIN_CASE
    case INPUTS_N_ORIGINS:
        break;
    }
    return "no origin";
}
