/* SPDX-License-Identifier: MIT */
/*
 * fuzz_programs.c -- any text as a program that is mutated and given inputs.
 *
 * What comes out of the mutator is another text that parses; what is proposed
 * as arguments parses as arguments.
 */
#include <string.h>

#include "datasets/inputs.h"
#include "datasets/mutate.h"
#include "tests/fuzz/fuzz.h"

static void mutate(const char *text, size_t len)
{
    struct mutate_settings settings;
    struct mutator *m = NULL; /* owned */
    struct mutation mutation;
    struct cwm_buf out;
    bool more = true;

    mutate_settings_default(&settings);
    settings.max_mutants = 6;
    settings.max_edits = 2;
    if (mutator_new(text, len, &settings, len, &m, NULL) != CWM_OK) {
        return;
    }
    cwm_buf_init(&out, (size_t)4 << 20);
    while (mutator_next(m, &out, &mutation, &more, NULL) == CWM_OK && more) {
        must(out.len != len || memcmp(out.data, text, len) != 0);
        must(mutation.end_byte <= len);
        must(mutation.start_byte <= mutation.end_byte);
    }
    cwm_buf_release(&out);
    mutator_free(m);
}

static void give_inputs(const struct source *source)
{
    struct inputs_settings settings;
    struct inputs *in = NULL; /* owned */
    struct inputs_try one;
    bool more = true;

    inputs_settings_default(&settings);
    settings.max_tries = 20;
    if (inputs_new(source, 0, &settings, 1, &in, NULL) != CWM_OK) {
        return;
    }
    while (inputs_next(in, &one, &more, NULL) == CWM_OK && more) {
        uint64_t edge = one.index;
        struct inputs_outcome outcome = {
            .verdict = TRACE_VERDICT_OK, .edges = &edge, .n_edges = 1};
        bool keep = false;

        must(strlen(one.args) < ((size_t)1 << 20));
        must(inputs_report(in, &outcome, &keep, NULL) == CWM_OK);
    }
    inputs_free(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct source *source = NULL; /* owned */
    const char *text;

    if (source_new(data, len, "p", &source, NULL) != CWM_OK) {
        return 0;
    }
    text = source_text(source, &len);
    mutate(text, len);
    give_inputs(source);
    source_free(source);
    return 0;
}
