/* SPDX-License-Identifier: MIT */
/* narrate_write.c -- facts as sentences. */
#include "datasets/narrate.h"

#include <inttypes.h>
#include <string.h>

#include "cwm/base/utf8.h"
#include "datasets/narrate_internal.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define STORY        NARRATE_STORY
#define STEPS        NARRATE_STEPS
#define DIALOGUE     NARRATE_DIALOGUE

const struct narrate_sentence narrate__sentences[] = {
    {STORY, SHAPE_CALL, "%F, from line %L on, is called with %A."},
    {STORY, SHAPE_CALL, "We enter %F (line %L), where %A."},
    {STORY, SHAPE_CALL, "Control goes to %F at line %L, with %A."},
    {STORY, SHAPE_CALL_BARE, "%F, from line %L on, is called."},
    {STORY, SHAPE_CALL_BARE, "We enter %F (line %L), which holds nothing yet."},
    {STORY, SHAPE_LINE, "Before line %L, %C, %A."},
    {STORY, SHAPE_LINE, "Now %A, and line %L follows: %C."},
    {STORY, SHAPE_LINE, "When line %L is reached, %C, we have %A."},
    {STORY, SHAPE_LINE, "By then %A; the next line is %L, %C."},
    {STORY, SHAPE_LINE_SAME, "Line %L runs: %C."},
    {STORY, SHAPE_LINE_SAME, "Then comes line %L: %C."},
    {STORY, SHAPE_LINE_SAME, "Nothing changes until line %L, %C."},
    {STORY, SHAPE_UNBOUND, "%N is no longer bound."},
    {STORY, SHAPE_UNBOUND, "There is no %N any more."},
    {STORY, SHAPE_RETURN, "%F returns %V from line %L."},
    {STORY, SHAPE_RETURN, "So %F ends at line %L and gives %V."},
    {STORY, SHAPE_RETURN, "At line %L the call of %F is over, its value %V."},
    {STORY, SHAPE_YIELD, "%F yields %V from line %L."},
    {STORY, SHAPE_YIELD, "For now %F stops at line %L and gives %V."},
    {STORY, SHAPE_RESUME, "%F goes on at line %L, where %A."},
    {STORY, SHAPE_RESUME_BARE, "%F goes on at line %L."},
    {STORY, SHAPE_EXCEPTION, "Line %L raises %V."},
    {STORY, SHAPE_EXCEPTION, "At line %L an exception passes: %V."},
    {STORY, SHAPE_BACK, "We are back in %F."},
    {STORY, SHAPE_BACK, "Back to %F."},
    {STORY, SHAPE_END, "In the end the verdict is %N and the outcome %V."},
    {STORY, SHAPE_END, "The run is over: %N, with %V."},
    {STORY, SHAPE_END_BARE, "In the end the verdict is %N, with no outcome."},
    {STORY, SHAPE_END_BARE, "The run is over: %N, and nothing came of it."},

    {STEPS, SHAPE_CALL, "Call %F (line %L): %A"},
    {STEPS, SHAPE_CALL, "Enter %F at line %L with %A"},
    {STEPS, SHAPE_CALL_BARE, "Call %F (line %L), no variables"},
    {STEPS, SHAPE_LINE, "Line %L %C: %A"},
    {STEPS, SHAPE_LINE, "Changed %A; at line %L %C"},
    {STEPS, SHAPE_LINE_SAME, "Line %L %C: no change"},
    {STEPS, SHAPE_LINE_SAME, "No change; at line %L %C"},
    {STEPS, SHAPE_UNBOUND, "Unbound: %N"},
    {STEPS, SHAPE_RETURN, "Return from %F (line %L): %V"},
    {STEPS, SHAPE_RETURN, "Line %L: %F returns %V"},
    {STEPS, SHAPE_YIELD, "Yield from %F (line %L): %V"},
    {STEPS, SHAPE_RESUME, "Resume %F (line %L): %A"},
    {STEPS, SHAPE_RESUME_BARE, "Resume %F (line %L), no variables"},
    {STEPS, SHAPE_EXCEPTION, "Exception at line %L: %V"},
    {STEPS, SHAPE_EXCEPTION, "Line %L: exception %V"},
    {STEPS, SHAPE_BACK, "Back in %F"},
    {STEPS, SHAPE_END, "End: %N, %V"},
    {STEPS, SHAPE_END_BARE, "End: %N, no value"},

    {DIALOGUE, SHAPE_CALL,
     "Teacher: %F is called (line %L). What does it get?\nStudent: %A."},
    {DIALOGUE, SHAPE_CALL,
     "Teacher: We are at the start of %F, line %L. What is given?\n"
     "Student: I see that %A."},
    {DIALOGUE, SHAPE_CALL_BARE,
     "Teacher: %F is called (line %L). What does it get?\nStudent: Nothing."},
    {DIALOGUE, SHAPE_LINE,
     "Teacher: Line %L is next, %C. What is new?\nStudent: %A."},
    {DIALOGUE, SHAPE_LINE,
     "Teacher: What has changed when line %L, %C, is reached?\n"
     "Student: Now %A."},
    {DIALOGUE, SHAPE_LINE,
     "Student: I think that by now %A.\n"
     "Teacher: Right, and we go on with line %L, %C."},
    {DIALOGUE, SHAPE_LINE_SAME,
     "Teacher: Line %L is next, %C. What is new?\nStudent: Nothing."},
    {DIALOGUE, SHAPE_LINE_SAME,
     "Student: Nothing has changed.\n"
     "Teacher: Right, and we go on with line %L, %C."},
    {DIALOGUE, SHAPE_UNBOUND, "Teacher: And note that %N is gone."},
    {DIALOGUE, SHAPE_RETURN,
     "Teacher: Line %L leaves %F. What is the value?\nStudent: It is %V."},
    {DIALOGUE, SHAPE_RETURN,
     "Student: So %F returns %V.\nTeacher: Yes, from line %L."},
    {DIALOGUE, SHAPE_YIELD,
     "Teacher: %F yields at line %L. What?\nStudent: It yields %V."},
    {DIALOGUE, SHAPE_RESUME,
     "Teacher: %F goes on at line %L. What does it know?\nStudent: %A."},
    {DIALOGUE, SHAPE_RESUME_BARE,
     "Teacher: %F goes on at line %L. What does it know?\nStudent: Nothing."},
    {DIALOGUE, SHAPE_EXCEPTION,
     "Teacher: What happens at line %L?\nStudent: An exception: %V."},
    {DIALOGUE, SHAPE_BACK, "Teacher: That takes us back to %F."},
    {DIALOGUE, SHAPE_BACK, "Teacher: And so we are in %F again."},
    {DIALOGUE, SHAPE_END,
     "Teacher: How does it end?\nStudent: With the verdict %N, and %V."},
    {DIALOGUE, SHAPE_END_BARE,
     "Teacher: How does it end?\nStudent: With the verdict %N alone."},
};
const size_t narrate__n_sentences = ARRAY_LEN(narrate__sentences);

const char *narrate__binder(enum narrate_style style)
{
    return style == NARRATE_STEPS ? " = " : " is ";
}

struct writer {
    const struct source *s; /* borrowed */
    const struct narrate_options *options;
    struct cwm_buf *out;
    uint64_t random;
};

static uint32_t pick(struct writer *w, uint32_t n)
{
    uint64_t z = w->random += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return (uint32_t)((z >> 32) * n >> 32);
}

/* Control characters, lone surrogates and broken bytes need another form. */
static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) {
            return false;
        }
    }
    return cwm_utf8_valid_prefix(text, len) == len;
}

/* The text between back-quotes, more of them than it holds in a row. */
static void add_span(struct cwm_buf *out, const char *text, size_t len)
{
    size_t longest = 0;
    size_t run = 0;
    bool padded;

    for (size_t i = 0; i < len; i++) {
        run = text[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    padded = len == 0 || text[0] == '`' || text[len - 1] == '`' ||
             (text[0] == ' ' && text[len - 1] == ' ');
    for (size_t i = 0; i <= longest; i++) {
        cwm_buf_addc(out, '`');
    }
    cwm_buf_adds(out, padded ? " " : "");
    cwm_buf_add(out, text, len);
    cwm_buf_adds(out, padded ? " " : "");
    for (size_t i = 0; i <= longest; i++) {
        cwm_buf_addc(out, '`');
    }
}

static void add_value(struct cwm_buf *out, const char *text, size_t len)
{
    struct cwm_buf json;

    if (is_plain(text, len)) {
        add_span(out, text, len);
        return;
    }
    cwm_buf_init(&json, NARRATE_MAX_BYTES);
    if (cwm_buf_add_json(&json, text, len) == CWM_OK) {
        add_span(out, json.data, json.len);
        cwm_buf_adds(out, " (in JSON)");
    } else if (out->failed == CWM_OK) {
        out->failed = json.failed;
    }
    cwm_buf_release(&json);
}

/* A line of the program without the spaces round it. */
static void add_code(struct writer *w, uint32_t line)
{
    size_t len = 0;
    const char *text = line >= 1 && line <= source_n_lines(w->s)
                           ? source_line(w->s, line, &len)
                           : "";

    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        len--;
    }
    add_value(w->out, text, len);
}

static void add_bindings(struct writer *w, const struct narrate_fact *facts,
                         size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0) {
            cwm_buf_adds(w->out, i + 1 == n ? " and " : ", ");
        }
        add_value(w->out, facts[i].name, facts[i].name_len);
        cwm_buf_adds(w->out, narrate__binder(w->options->style));
        add_value(w->out, facts[i].value, facts[i].value_len);
    }
}

static enum narrate_shape shape_of(const struct narrate_fact *fact, bool bare)
{
    switch (fact->kind) {
    case NARRATE_FACT_CALL:
        return bare ? SHAPE_CALL_BARE : SHAPE_CALL;
    case NARRATE_FACT_LINE:
        return bare ? SHAPE_LINE_SAME : SHAPE_LINE;
    case NARRATE_FACT_RESUME:
        return bare ? SHAPE_RESUME_BARE : SHAPE_RESUME;
    case NARRATE_FACT_UNBOUND:
        return SHAPE_UNBOUND;
    case NARRATE_FACT_RETURN:
        return SHAPE_RETURN;
    case NARRATE_FACT_YIELD:
        return SHAPE_YIELD;
    case NARRATE_FACT_EXCEPTION:
        return SHAPE_EXCEPTION;
    case NARRATE_FACT_BACK:
        return SHAPE_BACK;
    case NARRATE_FACT_END:
    case NARRATE_FACT_VALUE: /* never alone */
        break;
    }
    return fact->value ? SHAPE_END : SHAPE_END_BARE;
}

static const char *choose(struct writer *w, enum narrate_shape shape)
{
    const char *chosen = "";
    uint32_t n = 0;

    for (size_t i = 0; i < narrate__n_sentences; i++) {
        const struct narrate_sentence *s = &narrate__sentences[i];

        if (s->style == w->options->style && s->shape == shape &&
            pick(w, ++n) == 0) {
            chosen = s->text;
        }
    }
    return chosen;
}

static void add_sentence(struct writer *w, const struct narrate_fact *fact,
                         size_t n_values)
{
    const char *p = choose(w, shape_of(fact, n_values == 0));

    for (; *p; p++) {
        if (*p != '%') {
            cwm_buf_addc(w->out, *p);
            continue;
        }
        switch (*++p) {
        case 'L':
            cwm_buf_addf(w->out, "%" PRIu32, fact->line);
            break;
        case 'C':
            add_code(w, fact->line);
            break;
        case 'F':
        case 'N':
            add_value(w->out, fact->name, fact->name_len);
            break;
        case 'V':
            add_value(w->out, fact->value, fact->value_len);
            break;
        default: /* 'A' */
            add_bindings(w, fact + 1, n_values);
        }
    }
}

/* A story has paragraphs: a new one where control goes elsewhere. */
static void add_gap(struct writer *w, const struct narrate_fact *fact,
                    bool is_first, size_t number)
{
    bool begins = fact->kind == NARRATE_FACT_CALL ||
                  fact->kind == NARRATE_FACT_BACK ||
                  fact->kind == NARRATE_FACT_END;

    if (w->options->style == NARRATE_STEPS) {
        cwm_buf_addf(w->out, "%s%zu. ", is_first ? "" : "\n", number);
    } else if (!is_first) {
        cwm_buf_adds(w->out, w->options->style == NARRATE_DIALOGUE || begins
                                 ? "\n"
                                 : " ");
    }
}

enum cwm_rc narrate_trace(struct trace_reader *r, const struct source *s,
                          const struct trace_summary *summary,
                          const struct narrate_options *options,
                          struct cwm_buf *out, struct cwm_err *err)
{
    struct narration *n = NULL; /* owned */
    struct writer w = {
        .s = s, .options = options, .out = out, .random = options->seed};
    size_t number = 0;
    enum cwm_rc rc =
        narrate__of_trace(r, summary, options->max_frames, &n, err);

    if (rc != CWM_OK) {
        return rc;
    }
    for (size_t i = 0; i < n->n_facts && out->failed == CWM_OK;) {
        size_t n_values = 0;

        while (i + 1 + n_values < n->n_facts &&
               n->facts[i + 1 + n_values].kind == NARRATE_FACT_VALUE) {
            n_values++;
        }
        add_gap(&w, &n->facts[i], i == 0, ++number);
        add_sentence(&w, &n->facts[i], n_values);
        i += 1 + n_values;
    }
    cwm_buf_addc(out, '\n');
    rc = cwm_buf_check(out, "the narration", err);
    narration_free(n);
    return rc;
}
