/* SPDX-License-Identifier: MIT */
/*
 * test_score_golden.c -- recorded traces as predictions of themselves score 1
 * everywhere; with one thing changed, less in that score only.
 *
 * Skipped, saying so, where ../shared/golden is not there.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/alloc.h"
#include "cwm/base/json_in.h"
#include "cwm/base/lines.h"
#include "eval/score.h"

#define MAX_LINE_BYTES ((size_t)64 << 20)

struct record {
    struct cwm_buf context, text, result;
    bool has_result;
};

static void read_record(const struct line *line, struct record *r)
{
    struct json_in in = {.text = line->text, .len = line->len};
    struct cwm_buf key;

    cwm_buf_init(&key, 100);
    cwm_buf_clear(&r->context);
    cwm_buf_clear(&r->text);
    cwm_buf_clear(&r->result);
    r->has_result = false;
    assert_true(json_open(&in, '{'));
    for (bool first = true; json_more(&in, '}', first); first = false) {
        cwm_buf_clear(&key);
        json_key(&in, &key);
        if (strcmp(key.data, "context") == 0) {
            json_string(&in, &r->context);
        } else if (strcmp(key.data, "text") == 0) {
            json_string(&in, &r->text);
        } else if (strcmp(key.data, "result") == 0 && !json_null(&in)) {
            r->has_result = json_string(&in, &r->result);
        } else if (strcmp(key.data, "result") != 0) {
            json_skip(&in);
        }
    }
    assert_int_equal(in.failed, CWM_OK);
    cwm_buf_release(&key);
}

static bool is_one(double value)
{
    return isnan(value) || fabs(value - 1) < 1e-12;
}

static struct predicted parse(const struct cwm_buf *text,
                              const struct cwm_buf *context)
{
    struct predicted p = {0};

    assert_int_equal(predicted_parse(text->data, text->len, context->data,
                                     context->len, &p, NULL),
                     CWM_OK);
    return p;
}

/* Score `text`; every score that is not in `lower` must be 1, those less. */
static void check(const struct score_truth *truth, const struct cwm_buf *text,
                  const struct cwm_buf *context, unsigned lower,
                  struct score_sums *sums)
{
    struct predicted p = parse(text, context);
    struct trace_score s;

    assert_int_equal(score_trace(truth, &p, sums, &s, NULL), CWM_OK);
    for (int i = 0; i < SCORE_N; i++) {
        if (is_one(s.value[i]) != !(lower >> i & 1)) {
            fail_msg("%s is %g\n%s\nfirst: %s in frame %zu; %s",
                     score_name((enum score)i), s.value[i], text->data,
                     score_what_name(s.first.what), s.first.frame,
                     p.whole ? "whole" : p.broken_why);
        }
    }
    predicted_release(&p);
}

/* `text` with the first `what` behind the middle replaced; false: none. */
static bool replace(const struct cwm_buf *text, const char *what,
                    const char *with, struct cwm_buf *out)
{
    const char *hit = strstr(text->data + text->len / 2, what);

    cwm_buf_clear(out);
    if (!hit) {
        return false;
    }
    cwm_buf_add(out, text->data, (size_t)(hit - text->data));
    cwm_buf_adds(out, with);
    cwm_buf_adds(out, hit + strlen(what));
    return true;
}

static void check_mutants(const struct score_truth *truth,
                          const struct record *r)
{
    const unsigned trace = 1u << SCORE_TRACE;
    struct cwm_buf text;

    cwm_buf_init(&text, MAX_LINE_BYTES);
    if (replace(&r->text, "<|line_sep|>{\"", "<|line_sep|>{\"no_such_",
                &text)) {
        check(truth, &text, &r->context,
              trace | 1u << SCORE_STATE | 1u << SCORE_KEY |
                  1u << SCORE_KEY_VALUE,
              NULL);
    }
    if (replace(&r->text, "\"..\"", "\"other\"", &text)) {
        check(truth, &text, &r->context,
              trace | 1u << SCORE_STATE | 1u << SCORE_KEY_VALUE, NULL);
    }
    if (replace(&r->text, "<|line_sep|>{\"", "<|line_sep|>\"", &text)) {
        check(truth, &text, &r->context,
              trace | 1u << SCORE_FORMAT | 1u << SCORE_STATE |
                  1u << SCORE_JSON | 1u << SCORE_KEY | 1u << SCORE_KEY_VALUE,
              NULL);
    }
    if (replace(&r->text, "\n<|frame_sep|>", " #\n<|frame_sep|>", &text)) {
        check(truth, &text, &r->context, trace | 1u << SCORE_ACTION, NULL);
    }
    cwm_buf_release(&text);
}

static void check_file(const char *name)
{
    struct record r;
    struct lines *lines = NULL;
    struct line line;
    struct score_sums sums = {0};
    char path[4096];
    bool more = true;

    cwm_buf_init(&r.context, MAX_LINE_BYTES);
    cwm_buf_init(&r.text, MAX_LINE_BYTES);
    cwm_buf_init(&r.result, MAX_LINE_BYTES);
    snprintf(path, sizeof path, "%s/golden/%s", TEST_SHARED, name);
    assert_int_equal(lines_open(path, MAX_LINE_BYTES, NULL, &lines, NULL),
                     CWM_OK);
    while (lines_next(lines, &line, &more, NULL) == CWM_OK && more) {
        struct predicted truth;
        struct score_truth t = {.trace = &truth};

        read_record(&line, &r);
        truth = parse(&r.text, &r.context);
        assert_true(truth.whole);
        t.raised = !r.has_result;
        if (r.has_result) {
            t.result = (struct predicted_text){
                r.result.data ? r.result.data : "", r.result.len};
        }
        check(&t, &r.text, &r.context, 0, &sums);
        check_mutants(&t, &r);
        predicted_release(&truth);
    }
    assert_true(sums.n_traces > 400);
    assert_int_equal(sums.n[SCORE_OUTPUT], sums.n_traces);
    for (size_t i = 0; i < LITERAL_N_KINDS; i++) {
        assert_int_equal(sums.kinds[i].n, sums.kinds[i].n_right);
    }
    lines_close(lines);
    cwm_buf_release(&r.context);
    cwm_buf_release(&r.text);
    cwm_buf_release(&r.result);
}

static void golden__scores_one_and_mutants_less(void **state)
{
    (void)state;
    check_file("cruxeval_cpython311.jsonl.zst");
    check_file("humaneval_cpython311.jsonl.zst");
    check_file("cruxeval_cpython310.jsonl.zst");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden__scores_one_and_mutants_less),
    };

    if (access(TEST_SHARED "/golden", F_OK) != 0) {
        printf("SKIPPED: there is no ../shared/golden here; the recorded "
               "traces were NOT scored\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
