/* SPDX-License-Identifier: MIT */
/* test_score.c -- each score by hand-made cases; nothing else may change. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "eval/score.h"

#define END "<|end_of_text|>"

/* Nine frames, six of them states: f calls g. */
static const char *const truth_frames[] = {
    "<|call_sep|>{\"a\": \"1\"}<|action_sep|>def f(a):\n<|frame_sep|>",
    "<|line_sep|>{\"a\": \"..\"}<|action_sep|>    b = g(a)\n<|frame_sep|>",
    "<|call_sep|>{\"x\": \"1\", \"k\": \"'s'\"}<|action_sep|>def g(x):\n"
    "<|frame_sep|>",
    "<|line_sep|>{\"x\": \"..\", \"k\": \"..\"}<|action_sep|>    return x\n"
    "<|frame_sep|>",
    "<|return_sep|><|action_sep|>    return x\n<|arg_sep|>\"1\"<|frame_sep|>",
    "<|line_sep|>{\"a\": \"1\", \"b\": \"1\"}<|action_sep|>    1 / 0\n"
    "<|frame_sep|>",
    "<|exception_sep|><|action_sep|>    1 / 0\n<|arg_sep|>\"(<class "
    "'ZeroDivisionError'>, e, t)\"<|frame_sep|>",
    "<|line_sep|>{\"a\": \"..\", \"b\": \"..\"}<|action_sep|>    return {a, b}\n"
    "<|frame_sep|>",
    "<|return_sep|><|action_sep|>    return {a, b}\n<|arg_sep|>\"{1, "
    "2}\"<|frame_sep|>",
};

enum { N_FRAMES = sizeof truth_frames / sizeof *truth_frames, N_STATES = 6 };

/* The truth's text with frame `at` (-1: none) replaced, and what is behind. */
static void make_text(char *text, size_t size, int at, const char *frame,
                      const char *end)
{
    size_t used = 0;

    for (int i = 0; i < N_FRAMES; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s",
                                 i == at ? frame : truth_frames[i]);
    }
    snprintf(text + used, size - used, "%s", end);
}

static struct trace_score score_text(const char *text, struct score_sums *sums)
{
    static struct predicted truth; /* what the score borrows from */
    static struct predicted predicted;
    static char truth_text[4000];
    static char copy[4000];
    struct score_truth t = {.trace = &truth, .result = {"{1, 2}", 6}};
    struct trace_score s;

    predicted_release(&truth);
    predicted_release(&predicted);
    make_text(truth_text, sizeof truth_text, -1, "", END);
    snprintf(copy, sizeof copy, "%s", text);
    assert_int_equal(
        predicted_parse(truth_text, strlen(truth_text), NULL, 0, &truth, NULL),
        CWM_OK);
    assert_int_equal(
        predicted_parse(copy, strlen(copy), NULL, 0, &predicted, NULL), CWM_OK);
    assert_int_equal(score_trace(&t, &predicted, sums, &s, NULL), CWM_OK);
    return s;
}

/* Every score but those of `lower` is 1; those are as they are told. */
struct lower {
    enum score score;
    double value;
};

static void assert_scores(const char *what, const struct trace_score *s,
                          const struct lower *lower, size_t n)
{
    for (int i = 0; i < SCORE_N; i++) {
        double want = 1;

        for (size_t k = 0; k < n; k++) {
            want = lower[k].score == (enum score)i ? lower[k].value : want;
        }
        if (!(fabs(s->value[i] - want) < 1e-12)) {
            fail_msg("%s: %s is %g, not %g", what, score_name((enum score)i),
                     s->value[i], want);
        }
    }
}

#define SCORES(what, s, ...)                                                   \
    assert_scores(what, s, (const struct lower[]){__VA_ARGS__},                \
                  sizeof((const struct lower[]){__VA_ARGS__}) /                \
                      sizeof(struct lower))

static struct trace_score replaced(int at, const char *frame)
{
    char text[4000];

    make_text(text, sizeof text, at, frame, END);
    return score_text(text, NULL);
}

static void assert_first(const struct trace_score *s, enum score_what what,
                         size_t frame, const char *name, const char *want,
                         const char *got)
{
    const struct score_divergence *d = &s->first;

    if (d->what != what || d->frame != frame) {
        fail_msg("first divergence: %s in frame %zu, not %s in %zu",
                 score_what_name(d->what), d->frame, score_what_name(what),
                 frame);
    }
    assert_int_equal(d->name.text != NULL, name != NULL);
    assert_int_equal(d->want.text != NULL, want != NULL);
    assert_int_equal(d->got.text != NULL, got != NULL);
    assert_true(!name || strncmp(d->name.text, name, d->name.len) == 0);
    assert_true(!want || strncmp(d->want.text, want, d->want.len) == 0);
    assert_true(!got || strncmp(d->got.text, got, d->got.len) == 0);
}

static void truth__scores_one_everywhere(void **state)
{
    struct score_sums sums = {0};
    struct trace_score s;
    char text[4000];

    (void)state;
    make_text(text, sizeof text, -1, "", END);
    s = score_text(text, &sums);
    assert_scores("the truth", &s, NULL, 0);
    assert_int_equal(s.first.what, SCORE_SAME);
    assert_false(s.out_of_budget);
    make_text(text, sizeof text, -1, "", "");
    s = score_text(text, &sums);
    assert_scores("the truth without its end", &s, NULL, 0);
    assert_false(s.out_of_budget);
    assert_int_equal(sums.n_traces, 2);
    for (int i = 0; i < SCORE_N; i++) {
        assert_int_equal(sums.n[i], 2);
        assert_true(score_mean(&sums, (enum score)i) >= 1);
    }
    assert_int_equal(sums.events[TRACE_LINE].n, 8);
    assert_int_equal(sums.events[TRACE_LINE].n_right, 8);
    assert_int_equal(sums.depths[1].n, 6);
    assert_int_equal(sums.depths[0].n, 12);
    assert_int_equal(sums.lengths[3].n_right, 2); /* 8 to 15 frames */
    assert_int_equal(sums.kinds[LITERAL_INT].n, 2 * 5);
    assert_int_equal(sums.kinds[LITERAL_STR].n, 2);
    assert_int_equal(sums.kinds[LITERAL_SET].n, 2);
}

static void value__that_is_wrong(void **state)
{
    struct trace_score s = replaced(
        2, "<|call_sep|>{\"x\": \"2\", \"k\": \"'s'\"}<|action_sep|>def g(x):\n"
           "<|frame_sep|>");

    (void)state;
    SCORES("value", &s, {SCORE_STATE, 5.0 / 6}, {SCORE_TRACE, 0},
           {SCORE_KEY_VALUE, (5 + 1.0 / 3) / 6});
    assert_first(&s, SCORE_OTHER_LOCALS, 2, "x", "1", "2");
}

static void value__that_is_no_text(void **state)
{
    struct trace_score s = replaced(
        0, "<|call_sep|>{\"a\": 1}<|action_sep|>def f(a):\n<|frame_sep|>");

    (void)state;
    SCORES("number", &s, {SCORE_FORMAT, 0}, {SCORE_STATE, 5.0 / 6},
           {SCORE_TRACE, 0}, {SCORE_KEY_VALUE, 5.0 / 6});
}

static void name__that_is_missing_or_too_much(void **state)
{
    struct trace_score s = replaced(
        2, "<|call_sep|>{\"x\": \"1\"}<|action_sep|>def g(x):\n<|frame_sep|>");

    (void)state;
    SCORES("missing", &s, {SCORE_STATE, 5.0 / 6}, {SCORE_KEY, 5.5 / 6},
           {SCORE_KEY_VALUE, 5.5 / 6}, {SCORE_TRACE, 0});
    assert_first(&s, SCORE_OTHER_LOCALS, 2, "k", "'s'", NULL);
    s = replaced(0, "<|call_sep|>{\"a\": \"1\", \"z\": \"1\"}<|action_sep|>def "
                    "f(a):\n<|frame_sep|>");
    SCORES("extra", &s, {SCORE_STATE, 5.0 / 6}, {SCORE_KEY, 5.5 / 6},
           {SCORE_KEY_VALUE, 5.5 / 6}, {SCORE_TRACE, 0});
    assert_first(&s, SCORE_OTHER_LOCALS, 0, "z", NULL, "1");
}

/* A JSON object is one whatever the order; of equal names the last counts. */
static void names__in_another_order_are_the_same(void **state)
{
    struct trace_score s = replaced(
        2, "<|call_sep|>{\"k\": \"'s'\", \"x\":\"1\"}<|action_sep|>def g(x):\n"
           "<|frame_sep|>");

    (void)state;
    assert_scores("order", &s, NULL, 0);
    s = replaced(0, "<|call_sep|>{\"a\": \"2\", \"a\": \"1\"}<|action_sep|>def "
                    "f(a):\n<|frame_sep|>");
    assert_scores("twice", &s, NULL, 0);
    s = replaced(0, "<|call_sep|>{\"a\": \"1\", \"a\": \"2\"}<|action_sep|>def "
                    "f(a):\n<|frame_sep|>");
    SCORES("twice, wrong", &s, {SCORE_STATE, 5.0 / 6}, {SCORE_TRACE, 0},
           {SCORE_KEY_VALUE, 5.0 / 6});
}

static void json__that_is_broken(void **state)
{
    struct trace_score s = replaced(
        0, "<|call_sep|>{\"a\": \"1}<|action_sep|>def f(a):\n<|frame_sep|>");

    (void)state;
    SCORES("JSON", &s, {SCORE_FORMAT, 0}, {SCORE_STATE, 5.0 / 6},
           {SCORE_JSON, 5.0 / 6}, {SCORE_KEY, 5.0 / 6},
           {SCORE_KEY_VALUE, 5.0 / 6}, {SCORE_TRACE, 0});
    assert_first(&s, SCORE_OTHER_LOCALS, 0, NULL, NULL, NULL);
}

static void source__that_is_wrong(void **state)
{
    struct trace_score s = replaced(
        7, "<|line_sep|>{\"a\": \"..\", \"b\": \"..\"}<|action_sep|>    return "
           "{a}\n<|frame_sep|>");

    (void)state;
    SCORES("source", &s, {SCORE_ACTION, 8.0 / 9}, {SCORE_TRACE, 0});
    assert_first(&s, SCORE_OTHER_SOURCE, 7, NULL, "    return {a, b}",
                 "    return {a}");
}

static void source__without_its_line_end(void **state)
{
    struct trace_score s = replaced(
        3, "<|line_sep|>{\"x\": \"..\", \"k\": \"..\"}<|action_sep|>    return "
           "x<|frame_sep|>");

    (void)state;
    SCORES("line end", &s, {SCORE_FORMAT, 0}, {SCORE_ACTION, 8.0 / 9},
           {SCORE_TRACE, 0});
}

static void event__that_is_wrong(void **state)
{
    struct trace_score s = replaced(
        2, "<|line_sep|>{\"x\": \"1\", \"k\": \"'s'\"}<|action_sep|>def g(x):\n"
           "<|frame_sep|>");

    (void)state;
    SCORES("event", &s, {SCORE_EVENT, 8.0 / 9}, {SCORE_TRACE, 0});
    assert_first(&s, SCORE_OTHER_EVENT, 2, NULL, NULL, NULL);
}

static void argument__that_is_wrong(void **state)
{
    struct trace_score s = replaced(
        4, "<|return_sep|><|action_sep|>    return x\n<|arg_sep|>\"2\"<|frame_"
           "sep|>");

    (void)state;
    SCORES("argument", &s, {SCORE_ARGUMENT, 2.0 / 3}, {SCORE_TRACE, 0});
    assert_first(&s, SCORE_OTHER_ARGUMENT, 4, NULL, "1", "2");
}

/* The final value counts as a value, not as a text. */
static void output__is_compared_as_a_value(void **state)
{
    struct trace_score s = replaced(
        8, "<|return_sep|><|action_sep|>    return {a, b}\n<|arg_sep|>\"{2.0, "
           "1}\"<|frame_sep|>");

    (void)state;
    SCORES("equal", &s, {SCORE_ARGUMENT, 2.0 / 3}, {SCORE_TRACE, 0});
    s = replaced(8, "<|return_sep|><|action_sep|>    return {a, "
                    "b}\n<|arg_sep|>\"{2, 3}\"<|frame_sep|>");
    SCORES("not equal", &s, {SCORE_ARGUMENT, 2.0 / 3}, {SCORE_TRACE, 0},
           {SCORE_OUTPUT, 0});
}

static void prediction__that_stops_ran_out_of_budget(void **state)
{
    struct score_sums sums = {0};
    char text[4000];
    struct trace_score s;
    size_t last = strlen(truth_frames[8]);

    (void)state;
    make_text(text, sizeof text, -1, "", "");
    for (size_t n = 1; n < strlen(text); n++) {
        char cut[4000];

        memcpy(cut, text, n);
        cut[n] = '\0';
        s = score_text(cut, NULL);
        /* from the first frame's token on; there is no end's token */
        if (s.out_of_budget != (n >= 12)) {
            fail_msg("%zu bytes: %d", n, s.out_of_budget);
        }
        assert_true(s.value[SCORE_OUTPUT] <= 0 && s.value[SCORE_OUTPUT] >= 0);
    }
    text[strlen(text) - last] = '\0';
    s = score_text(text, &sums);
    SCORES("cut", &s, {SCORE_ACTION, 8.0 / 9}, {SCORE_EVENT, 8.0 / 9},
           {SCORE_OUTPUT, 0}, {SCORE_ARGUMENT, 2.0 / 3}, {SCORE_TRACE, 0});
    assert_first(&s, SCORE_NO_FRAME, 8, NULL, NULL, NULL);
    assert_int_equal(sums.n_out_of_budget, 1);
    assert_int_equal(sums.budget_n[SCORE_FORMAT], 0);
    assert_true(isnan(score_mean_in_budget(&sums, SCORE_FORMAT)));
    s = score_text("hello", &sums);
    assert_false(s.out_of_budget);
    s = score_text("", &sums);
    assert_first(&s, SCORE_NO_FRAME, 0, NULL, NULL, NULL);
    for (int i = 0; i < SCORE_N; i++) {
        assert_true(s.value[i] <= 0 && s.value[i] >= 0);
    }
}

/* A return of an inner scope is no final value, unless the text says so. */
static void output__is_not_an_inner_scopes(void **state)
{
    char text[4000];
    struct trace_score s;

    (void)state;
    snprintf(text, sizeof text, "%s%s%s%s", truth_frames[0], truth_frames[1],
             truth_frames[2],
             "<|return_sep|><|action_sep|>    return x\n<|arg_sep|>\"{1, "
             "2}\"<|frame_sep|>");
    s = score_text(text, NULL);
    assert_true(s.value[SCORE_OUTPUT] <= 0);
    snprintf(text + strlen(text), sizeof text - strlen(text), END);
    s = score_text(text, NULL);
    assert_true(s.value[SCORE_OUTPUT] >= 1);
}

static void prediction__that_goes_on_too_long(void **state)
{
    char text[4000];
    struct trace_score s;

    (void)state;
    make_text(text, sizeof text, -1, "", "");
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s",
             truth_frames[8]);
    s = score_text(text, NULL);
    SCORES("one more", &s, {SCORE_TRACE, 0});
    assert_first(&s, SCORE_EXTRA_FRAME, 9, NULL, NULL, NULL);
    make_text(text, sizeof text, -1, "", END "more");
    s = score_text(text, NULL);
    SCORES("text behind", &s, {SCORE_FORMAT, 0}, {SCORE_TRACE, 0});
    assert_first(&s, SCORE_BROKEN_FRAME, 9, NULL, NULL, NULL);
}

/* ---- a trace that is left by an exception, and one that is cut ---- */

#define RAISE(error)                                                           \
    "<|call_sep|>{}<|action_sep|>def f():\n<|frame_sep|>"                      \
    "<|exception_sep|><|action_sep|>    g\n<|arg_sep|>\"" error                \
    "\"<|frame_sep|><|return_sep|><|action_sep|>    g\n<|arg_sep|>\"None\""    \
    "<|frame_sep|>"

static double output_of(const char *want, const char *got, bool raised,
                        bool is_cut)
{
    struct predicted a = {0};
    struct predicted b = {0};
    struct score_truth truth = {
        .trace = &a, .raised = raised, .is_cut = is_cut};
    struct trace_score s;

    if (!raised) {
        truth.result = (struct predicted_text){"None", 4};
    }
    assert_int_equal(predicted_parse(want, strlen(want), NULL, 0, &a, NULL),
                     CWM_OK);
    assert_int_equal(predicted_parse(got, strlen(got), NULL, 0, &b, NULL),
                     CWM_OK);
    assert_int_equal(score_trace(&truth, &b, NULL, &s, NULL), CWM_OK);
    predicted_release(&a);
    predicted_release(&b);
    return s.value[SCORE_OUTPUT];
}

static void output__may_be_an_exception(void **state)
{
    (void)state;
    assert_true(output_of(RAISE("E(1)"), RAISE("E(1)"), true, false) >= 1);
    assert_true(output_of(RAISE("E(1)"), RAISE("E(2)"), true, false) <= 0);
    assert_true(output_of(RAISE("E(1)"),
                          "<|call_sep|>{}<|action_sep|>def f():\n<|frame_sep|>"
                          "<|return_sep|><|action_sep|>    g\n<|arg_sep|>"
                          "\"None\"<|frame_sep|>",
                          true, false) <= 0);
    assert_true(output_of(RAISE("E(1)"), RAISE("E(2)"), false, false) >= 1);
    assert_true(isnan(output_of(RAISE("E(1)"), RAISE("E(1)"), true, true)));
}

/* ---- halting, and what is summed by length ---- */

#define CALL_F  "<|call_sep|>{}<|action_sep|>def f():\n<|frame_sep|>"
#define LINE_F  "<|line_sep|>{}<|action_sep|>    g()\n<|frame_sep|>"
#define OTHER_F "<|line_sep|>{}<|action_sep|>    h()\n<|frame_sep|>"
#define RETURN_F                                                               \
    "<|return_sep|><|action_sep|>    g()\n<|arg_sep|>\"None\"<|frame_sep|>"

struct halting {
    const char *want, *got; /* traces */
    bool ran_out;           /* the true one */
    bool was_cut;           /* finish_reason: length */
    enum score_halt predicted;
};

static void add_halting(const struct halting *h, uint64_t max_frames,
                        struct score_sums *sums)
{
    struct predicted a = {0};
    struct predicted b = {0};
    struct score_truth truth = {.trace = &a,
                                .is_cut = h->ran_out,
                                .ran_out = h->ran_out,
                                .max_frames = max_frames};
    struct trace_score s;

    assert_int_equal(
        predicted_parse(h->want, strlen(h->want), NULL, 0, &a, NULL), CWM_OK);
    assert_int_equal(predicted_parse(h->got, strlen(h->got), NULL, 0, &b, NULL),
                     CWM_OK);
    b.was_cut = h->was_cut;
    assert_int_equal(score_trace(&truth, &b, sums, &s, NULL), CWM_OK);
    if (s.halt_predicted != h->predicted) {
        fail_msg("'%s' of '%s': %s, not %s", h->got, h->want,
                 score_halt_name(s.halt_predicted),
                 score_halt_name(h->predicted));
    }
    predicted_release(&a);
    predicted_release(&b);
}

static void halting__is_counted_with_the_steps(void **state)
{
    static const char three[] = CALL_F LINE_F RETURN_F END;
    static const char stopped[] = CALL_F LINE_F LINE_F LINE_F END;
    static const struct halting cases[] = {
        {three, three, false, false, SCORE_HALT_ENDS},
        /* four and two steps of three: off by 1 and by -1 */
        {three, CALL_F LINE_F LINE_F RETURN_F, false, false, SCORE_HALT_ENDS},
        {three, CALL_F RETURN_F END, false, false, SCORE_HALT_ENDS},
        /* four are all there may be */
        {three, CALL_F LINE_F LINE_F LINE_F, false, false, SCORE_HALT_RUNS_OUT},
        {three, CALL_F LINE_F LINE_F LINE_F RETURN_F, false, false,
         SCORE_HALT_RUNS_OUT},
        {three, CALL_F LINE_F END, false, false, SCORE_HALT_RUNS_OUT},
        {three, CALL_F LINE_F, false, false, SCORE_HALT_CUT},
        {three, CALL_F LINE_F END, false, true, SCORE_HALT_CUT},
        {three, "", false, false, SCORE_HALT_NOTHING},
        {three, "I do not know", false, false, SCORE_HALT_NOTHING},
        {stopped, stopped, true, false, SCORE_HALT_RUNS_OUT},
        {stopped, three, true, false, SCORE_HALT_ENDS},
        {stopped, CALL_F, true, true, SCORE_HALT_CUT},
    };
    static const uint64_t want[2][SCORE_N_HALTS] = {{3, 3, 2, 2}, {1, 1, 1, 0}};
    struct score_sums sums = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        add_halting(&cases[i], 4, &sums);
    }
    assert_memory_equal(sums.halts, want, sizeof want);
    assert_int_equal(sums.steps.n, 3);
    assert_int_equal(sums.steps.n_right, 1);
    assert_true(fabs(sums.sum_error) < 1e-12);
    assert_true(fabs(sums.sum_absolute_error - 2) < 1e-12);
    assert_true(fabs(sums.sum_relative_error - 2.0 / 3) < 1e-12);
}

/* Stopped for memory, say: it says nothing of halting. */
static void halting__is_not_counted_where_the_truth_does_not_tell(void **state)
{
    struct predicted a = {0};
    struct score_truth truth = {.trace = &a, .is_cut = true};
    struct score_sums sums = {0};
    struct trace_score s;

    (void)state;
    assert_int_equal(predicted_parse(CALL_F, strlen(CALL_F), NULL, 0, &a, NULL),
                     CWM_OK);
    assert_int_equal(score_trace(&truth, &a, &sums, &s, NULL), CWM_OK);
    assert_int_equal(s.halt_true, SCORE_HALT_NOTHING);
    for (int i = 0; i < SCORE_N_HALTS; i++) {
        assert_int_equal(sums.halts[0][i] + sums.halts[1][i], 0);
    }
    predicted_release(&a);
}

static void sums__by_length_and_how_far_it_is_right(void **state)
{
    static const char three[] = CALL_F LINE_F RETURN_F END;
    static const char five[] = CALL_F LINE_F LINE_F LINE_F RETURN_F END;
    static const struct halting cases[] = {
        {three, three, false, false, SCORE_HALT_ENDS},
        {three, CALL_F OTHER_F RETURN_F, false, false, SCORE_HALT_ENDS},
        {five, CALL_F LINE_F LINE_F OTHER_F RETURN_F, false, false,
         SCORE_HALT_ENDS},
    };
    struct score_sums sums = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        add_halting(&cases[i], 0, &sums);
    }
    assert_int_equal(sums.length_frames[1].n, 6); /* 2 and 3 frames */
    assert_int_equal(sums.length_frames[1].n_right, 5);
    assert_int_equal(sums.length_traces[1].n, 2);
    assert_int_equal(sums.length_traces[1].n_right, 1);
    assert_int_equal(sums.length_frames[2].n, 5); /* 4 to 7 */
    assert_int_equal(sums.length_frames[2].n_right, 4);
    assert_int_equal(sums.length_traces[2].n_right, 0);
    /* all of it, the first of three, three of five */
    assert_true(fabs(sums.sum_before - (1 + 1.0 / 3 + 3.0 / 5)) < 1e-12);
}

/* Two levels of calls and four kinds of values, one of each wrong. */
static void sums__by_depth_event_and_type(void **state)
{
    struct score_sums sums = {0};
    char text[4000];

    (void)state;
    make_text(text, sizeof text, 2,
              "<|call_sep|>{\"x\": \"1\", \"k\": \"'t'\"}<|action_sep|>def "
              "g(x):\n<|frame_sep|>",
              END);
    (void)score_text(text, &sums);
    assert_int_equal(sums.depths[1].n, 3);
    assert_int_equal(sums.depths[1].n_right, 2);
    assert_int_equal(sums.depths[0].n, 6);
    assert_int_equal(sums.depths[0].n_right, 6);
    assert_int_equal(sums.events[TRACE_CALL].n, 2);
    assert_int_equal(sums.events[TRACE_CALL].n_right, 1);
    assert_int_equal(sums.events[TRACE_LINE].n_right, 4);
    assert_int_equal(sums.events[TRACE_RETURN].n_right, 2);
    assert_int_equal(sums.events[TRACE_EXCEPTION].n_right, 1);
    assert_int_equal(sums.kinds[LITERAL_STR].n, 1);
    assert_int_equal(sums.kinds[LITERAL_STR].n_right, 0);
    assert_int_equal(sums.kinds[LITERAL_INT].n, 5);
    assert_int_equal(sums.kinds[LITERAL_INT].n_right, 5);
    make_text(text, sizeof text, 8,
              "<|return_sep|><|action_sep|>    return {a, b}\n<|arg_sep|>"
              "\"{3}\"<|frame_sep|>",
              END);
    (void)score_text(text, &sums);
    assert_int_equal(sums.kinds[LITERAL_SET].n, 2);
    assert_int_equal(sums.kinds[LITERAL_SET].n_right, 1);
    assert_int_equal(sums.lengths[3].n, 2);
    assert_int_equal(sums.lengths[3].n_right, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truth__scores_one_everywhere),
        cmocka_unit_test(value__that_is_wrong),
        cmocka_unit_test(value__that_is_no_text),
        cmocka_unit_test(name__that_is_missing_or_too_much),
        cmocka_unit_test(names__in_another_order_are_the_same),
        cmocka_unit_test(json__that_is_broken),
        cmocka_unit_test(source__that_is_wrong),
        cmocka_unit_test(source__without_its_line_end),
        cmocka_unit_test(event__that_is_wrong),
        cmocka_unit_test(argument__that_is_wrong),
        cmocka_unit_test(output__is_compared_as_a_value),
        cmocka_unit_test(prediction__that_stops_ran_out_of_budget),
        cmocka_unit_test(output__is_not_an_inner_scopes),
        cmocka_unit_test(prediction__that_goes_on_too_long),
        cmocka_unit_test(output__may_be_an_exception),
        cmocka_unit_test(halting__is_counted_with_the_steps),
        cmocka_unit_test(halting__is_not_counted_where_the_truth_does_not_tell),
        cmocka_unit_test(sums__by_length_and_how_far_it_is_right),
        cmocka_unit_test(sums__by_depth_event_and_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
