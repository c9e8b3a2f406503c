/* SPDX-License-Identifier: MIT */
/*
 * fuzz_items.c -- any bytes as an item of each kind of source.
 *
 * The first byte is the kind.  An item is refused with a reason, or gives
 * programs whose texts and calls can be used as they are: texts end where they
 * say, arguments parse, a label is one that there is.
 */
#include <string.h>

#include "datasets/candidate.h"
#include "tests/fuzz/fuzz.h"
#include "tracer/source.h"

/* An input beyond this finds nothing new, only slowly. */
#define MAX_INPUT_BYTES 8192

static const enum store_kind kinds[] = {
    STORE_KIND_FILE,     STORE_KIND_JSONL,     STORE_KIND_JOBS,
    STORE_KIND_CRUXEVAL, STORE_KIND_HUMANEVAL, STORE_KIND_MBPP,
    STORE_KIND_CONTEST,
};

static void check_call(const struct candidate_call *call, bool is_own)
{
    if (call->args && is_own) { /* of jobs they are as the job says */
        must(source_check_args(call->args, strlen(call->args), NULL) == CWM_OK);
    }
    must(call->stdin_len == 0 || call->stdin_data);
    must(!call->label || strcmp(call->label, "right") == 0 ||
         strcmp(call->label, "wrong") == 0);
    must(call->limits.timeout_ms > 0);
}

static void check_programs(const struct candidate *c, enum store_kind kind)
{
    size_t n;
    const struct candidate_program *programs = candidate_programs(c, &n);

    for (size_t i = 0; i < n; i++) {
        const struct candidate_program *p = &programs[i];

        must(p->data || p->len == 0);
        must(p->origin.origin && p->origin.path);
        for (size_t k = 0; k < p->n_calls; k++) {
            check_call(&p->calls[k],
                       kind == STORE_KIND_HUMANEVAL || kind == STORE_KIND_MBPP);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct generate_settings generate;
    struct candidate_options options = {.generate = &generate};
    struct source_item item = {
        .source = "fuzz.jsonl", .folder = "/nowhere/", .name = "line 1"};
    struct candidate *c = NULL; /* owned */
    struct cwm_err err = {.code = CWM_OK};

    if (len < 1 || len > MAX_INPUT_BYTES) {
        return 0;
    }
    generate_settings_default(&generate);
    trace_limits_default(&options.limits);
    item.kind = kinds[data[0] % (sizeof kinds / sizeof kinds[0])];
    item.data = data + 1;
    item.len = len - 1;
    item.line = 1;
    if (candidate_new(&item, &options, &c, &err) != CWM_OK) {
        must(err.message[0] != '\0' && err.code != CWM_NOMEM);
        return 0;
    }
    check_programs(c, item.kind);
    candidate_free(c);
    return 0;
}
