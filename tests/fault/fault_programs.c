/* SPDX-License-Identifier: MIT */
/*
 * fault_programs.c -- every allocation of the generator, the mutator, the
 * inputs and the narrator fails once, and from then on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "datasets/generate.h"
#include "datasets/inputs.h"
#include "datasets/mutate.h"
#include "datasets/narrate.h"
#include "tests/fault/fault.h"
#include "tests/support/stream.h"

static struct stream stream; /* large: not on the stack */

static enum cwm_rc use_generator(void *ctx, struct cwm_err *err)
{
    struct generate_settings settings;
    struct generated g;
    struct cwm_buf source;
    enum cwm_rc rc = CWM_OK;

    (void)ctx;
    generate_settings_default(&settings);
    generated_init(&g);
    cwm_buf_init(&source, 1 << 20);
    for (uint64_t i = 0; i < 6 && rc == CWM_OK; i++) {
        rc = generate_program(&settings, 3, i, &source, &g, err);
    }
    generated_release(&g);
    cwm_buf_release(&source);
    return rc;
}

static const char program[] =
    "def f(n, xs):\n    \"\"\"\n    >>> f(2, [1])\n    \"\"\"\n    total = 0\n"
    "    for i in range(n):\n        total += i * 2\n"
    "        if total > 3 and xs[i:]:\n            total -= 1\n"
    "    return total, 'done'.upper()\n\n\nassert f(3, [4])\n";

static enum cwm_rc use_mutator(void *ctx, struct cwm_err *err)
{
    struct mutate_settings settings;
    struct mutator *m = NULL; /* owned */
    struct mutation mutation;
    struct cwm_buf out;
    bool more = false;
    enum cwm_rc rc;

    (void)ctx;
    mutate_settings_default(&settings);
    settings.max_mutants = 20;
    settings.max_edits = 2;
    cwm_buf_init(&out, 1 << 20);
    rc = mutator_new(program, strlen(program), &settings, 5, &m, err);
    while (rc == CWM_OK) {
        rc = mutator_next(m, &out, &mutation, &more, err);
        if (!more) {
            break;
        }
    }
    mutator_free(m);
    cwm_buf_release(&out);
    return rc;
}

static enum cwm_rc use_inputs(void *ctx, struct cwm_err *err)
{
    struct inputs_settings settings;
    struct source *source = NULL; /* owned */
    struct inputs *in = NULL;     /* owned */
    struct inputs_try one;
    bool more = true;
    bool keep;
    enum cwm_rc rc;

    (void)ctx;
    inputs_settings_default(&settings);
    settings.max_tries = 12;
    rc = source_new_text(program, strlen(program), "p", &source, err);
    if (rc == CWM_OK) {
        rc = inputs_new(source, 0, &settings, 5, &in, err);
    }
    for (uint64_t i = 0; rc == CWM_OK; i++) {
        uint64_t edges[2] = {i % 5, i % 7 + 10};
        struct inputs_outcome outcome = {
            .verdict = i % 3 ? TRACE_VERDICT_OK : TRACE_VERDICT_EXCEPTION,
            .edges = edges,
            .n_edges = 2,
            .shape = (uint32_t)i % 3};

        rc = inputs_next(in, &one, &more, err);
        if (rc != CWM_OK || !more) {
            break;
        }
        rc = inputs_report(in, &outcome, &keep, err);
    }
    inputs_free(in);
    source_free(source);
    return rc;
}

static enum cwm_rc use_outcome(void *ctx, struct cwm_err *err)
{
    struct trace_result result = {0};
    struct inputs_outcome outcome = {0};
    enum cwm_rc rc =
        trace_reader_new(stream.data, stream.len, 14, &result.reader, err);

    (void)ctx;
    if (rc == CWM_OK) {
        rc = inputs_outcome_of(&result, &outcome, err);
    }
    inputs_outcome_release(&outcome);
    trace_reader_free(result.reader);
    return rc;
}

static enum cwm_rc use_narrator(void *ctx, struct cwm_err *err)
{
    struct narrate_options options = {.style = *(enum narrate_style *)ctx};
    struct trace_summary summary = {.verdict = "exception"};
    struct source *source = NULL;       /* owned */
    struct trace_reader *reader = NULL; /* owned */
    struct cwm_buf text;
    enum cwm_rc rc;

    cwm_buf_init(&text, 1 << 20);
    rc = source_new_text(program, strlen(program), "p", &source, err);
    if (rc == CWM_OK) {
        rc = trace_reader_new(stream.data, stream.len, source_n_lines(source),
                              &reader, err);
    }
    if (rc == CWM_OK) {
        rc = narrate_trace(reader, source, &summary, &options, &text, err);
    }
    if (rc == CWM_OK) {
        rc = narrate_check(text.data, text.len, reader, source, &summary, err);
    }
    trace_reader_free(reader);
    source_free(source);
    cwm_buf_release(&text);
    return rc;
}

static void programs__fail_cleanly_without_memory(void **state)
{
    enum narrate_style style;

    (void)state;
    fault_each_allocation("generated programs", use_generator, NULL);
    fault_each_allocation("mutants", use_mutator, NULL);
    fault_each_allocation("inputs", use_inputs, NULL);
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 1, "n=2", "xs=[1]", NULL);
    for (unsigned i = 0; i < 80; i++) {
        stream_line(&stream, 5 + i % 4, "n=2", "xs=['a\nb', '`']", NULL);
    }
    stream_except(&stream, 8, "E('\x01')");
    stream_return(&stream, 8, "None");
    stream_end(&stream, TRACE_END_EXCEPTION, NULL, "E", "\x01", NULL);
    fault_each_allocation("an outcome", use_outcome, NULL);
    for (style = NARRATE_STORY; style < NARRATE_N_STYLES; style++) {
        fault_each_allocation("a narration", use_narrator, &style);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs__fail_cleanly_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
