/* SPDX-License-Identifier: MIT */
/*
 * fuzz_predicted.c -- any text as a predicted trace: read, scored, checked.
 *
 * Input: a byte of flags, then the text.
 */
#include <math.h>
#include <string.h>

#include "eval/check.h"
#include "eval/score.h"
#include "tests/fuzz/fuzz.h"

#define FLAG_CONTEXT 1u /* the program is known */
#define FLAG_MAIN    2u /* and is called through main() */

#define MAX_INPUT_BYTES (1u << 16)

static const char program[] = "def g(x):\n"
                              "    return {x: '<|frame_sep|>'}\n"
                              "\n"
                              "def f(a):\n"
                              "    b = [g(i) for i in a]\n"
                              "    return b\n";

/* The parts are in order, within the text, and whole when the whole is. */
static void check_frames(const struct predicted *p, size_t len)
{
    size_t at = 0;
    bool whole = true;

    must(!p->whole == (p->broken_why != NULL));
    must(p->whole || p->broken_at <= len);
    for (size_t i = 0; i < p->n_frames; i++) {
        const struct predicted_frame *f = &p->frames[i];

        must(f->at >= at && f->at < len);
        must(f->first_local + f->n_locals <= p->n_locals);
        must(f->has_locals || f->n_locals == 0);
        must(!f->source_ended || f->source.text);
        must(!f->whole || f->source_ended);
        must(!f->whole || f->event != PREDICTED_NO_EVENT);
        at = f->at + 1;
        whole = whole && f->whole;
    }
    must(!p->whole || whole);
    for (size_t i = 0; i < p->n_locals; i++) {
        must(p->locals[i].name.text && p->locals[i].value.text);
    }
}

/* Against another trace, and against itself. */
static void check_scores(const struct predicted *a, const struct predicted *b)
{
    struct score_truth truth = {.trace = a, .result = {"1", 1}};
    struct trace_score score;

    if (a->n_frames == 0) {
        return;
    }
    for (size_t i = 0; i < a->n_frames; i++) {
        const struct predicted_frame *f = &a->frames[i];

        if (!f->whole) {
            return; /* no truth */
        }
    }
    must(score_trace(&truth, b, NULL, &score, NULL) == CWM_OK);
    for (int i = 0; i < SCORE_N; i++) {
        must(isnan(score.value[i]) ||
             (score.value[i] >= 0 && score.value[i] <= 1.0000001));
    }
    if (a == b && a->whole) {
        must(score.first.what == SCORE_SAME);
        must(score.value[SCORE_ACTION] >= 1 && score.value[SCORE_EVENT] >= 1);
    }
}

static void check_values(const struct predicted *p)
{
    for (size_t i = 0; i + 1 < p->n_locals && i < 8; i++) {
        const struct predicted_text *a = &p->locals[i].value;
        const struct predicted_text *b = &p->locals[i + 1].value;
        bool one = false;
        bool other = false;

        must(literal_equal(a->text, a->len, b->text, b->len, &one, NULL) ==
             CWM_OK);
        must(literal_equal(b->text, b->len, a->text, a->len, &other, NULL) ==
             CWM_OK);
        must(one == other);
        literal_kind(a->text, a->len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char true_text[] =
        "<|call_sep|>{\"a\": \"[1]\"}<|action_sep|>def f(a):\n<|frame_sep|>"
        "<|return_sep|><|action_sep|>    return b\n<|arg_sep|>\"1\""
        "<|frame_sep|>";
    struct check_input input = {.program = program,
                                .program_len = sizeof program - 1,
                                .name = "p.py",
                                .entry = "f",
                                .args = "[1]"};
    struct predicted predicted;
    struct predicted checked;
    struct predicted truth;
    struct check_result result;
    bool known;

    if (len < 1 || len > MAX_INPUT_BYTES) {
        return 0;
    }
    known = (data[0] & FLAG_CONTEXT) != 0;
    input.wrap_main = (data[0] & FLAG_MAIN) != 0;
    input.text = (const char *)data + 1;
    input.text_len = len - 1;
    must(predicted_parse(input.text, input.text_len, known ? program : NULL,
                         known ? sizeof program - 1 : 0, &predicted,
                         NULL) == CWM_OK);
    must(predicted_parse(true_text, sizeof true_text - 1, NULL, 0, &truth,
                         NULL) == CWM_OK);
    check_frames(&predicted, input.text_len);
    check_scores(&truth, &predicted);
    check_scores(&predicted, &predicted);
    check_scores(&predicted, &truth);
    check_values(&predicted);
    must(check_trace(&input, &checked, &result, NULL) == CWM_OK);
    must(checked.whole || result.n_problems > 0);
    predicted_release(&checked);
    predicted_release(&predicted);
    predicted_release(&truth);
    return 0;
}
