/* SPDX-License-Identifier: MIT */
/*
 * testgen_make.c -- one function: inputs tried, tests written, mutants made.
 *
 * Every try is a traced run of the trusted implementation: it says what comes
 * out, which lines were reached (what is tried next depends on it), and on
 * which line an exception began.  An exception is expected only where the
 * program raises it by a statement of its own: a TypeError of `+` says that
 * the guess was bad, not what the function is for.
 */
#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/calls.h"
#include "datasets/inputs.h"
#include "datasets/mutate.h"
#include "eval/testgen_domain.h"
#include "eval/testgen_internal.h"

enum {
    MAX_TEXT_BYTES = 64 << 20,
    MAX_INPUTS = 512,
    MAX_OTHERS = 3,
    MAX_FRAMES = 20000,
    /* Tries of one function that may be out of time: each costs its limit. */
    MAX_STOPPED = 3,
    /* Guesses for each try: those of other types than the domain's are not
     * tried. */
    GUESSES = 4,
    MAX_DETAIL = 256,
    SCRIPT_MS = 10000
};

/* What is found out about one function. */
struct making {
    struct testgen__thread *t;        /* borrowed */
    const struct testgen__program *p; /* borrowed */
    struct source *source;            /* owned */
    struct testgen__input *inputs;    /* owned: MAX_INPUTS */
    size_t n_inputs;
    struct testgen_domain domain;
    struct cwm_buf exceptions; /* JSON arrays, ", " between them */
    enum testgen_state state;
    char detail[MAX_DETAIL]; /* of an input that raised */
    uint32_t n_tries, n_outside, n_raised, n_stopped, n_unshown, n_exceptions;
    uint32_t n_equivalent, n_same, n_no_code;
};

void testgen__thread_release(struct testgen__thread *t)
{
    tracer_slot_close(&t->slot);
    judge_close(t->judge);
    t->judge = NULL;
}

/* ---- what a try came to ---- */

/*
 * Does the exception that left the entry begin at a `raise` or an `assert`?
 * It passes through the frames from the inside: each shows it one level
 * further out, with nothing but returns between.
 */
static enum cwm_rc is_raised_by_hand(const struct making *m,
                                     struct trace_reader *r, bool *ret,
                                     struct cwm_err *err)
{
    struct trace_frame frame;
    uint32_t origin = 0; /* line */
    uint32_t depth = UINT32_MAX;
    bool more = true;
    const char *text;
    size_t len = 0;
    enum cwm_rc rc = CWM_OK;

    trace_reader_rewind(r);
    while (rc == CWM_OK && more) {
        rc = trace_reader_next(r, &frame, &more, err);
        if (rc != CWM_OK || !more) {
            break;
        }
        if (frame.event == TRACE_EXCEPTION) {
            origin = depth == frame.depth + 1 ? origin : frame.line;
            depth = frame.depth;
        } else if (frame.event != TRACE_RETURN) {
            depth = UINT32_MAX;
        }
    }
    text = origin > 0 ? source_line(m->source, origin, &len) : NULL;
    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    *ret = len > 6 &&
           (memcmp(text, "raise ", 6) == 0 || memcmp(text, "assert", 6) == 0);
    return rc;
}

static enum cwm_rc note_exception(struct making *m, const char *args,
                                  const struct trace_result *result,
                                  const struct inputs_outcome *outcome,
                                  struct cwm_err *err)
{
    bool by_hand = false;
    enum cwm_rc rc = CWM_OK;

    snprintf(m->detail, sizeof m->detail, "%s%s%s", outcome->exception_type,
             outcome->exception_message[0] ? ": " : "",
             outcome->exception_message);
    m->n_raised++;
    if (testgen__is_builtin_exception(outcome->exception_type) &&
        !(m->p->has_contract &&
          strcmp(outcome->exception_type, "AssertionError") == 0)) {
        rc = is_raised_by_hand(m, result->reader, &by_hand, err);
    }
    if (rc == CWM_OK && by_hand &&
        m->n_exceptions < m->t->options->max_inputs / 4 + 1) {
        if (m->exceptions.len > 0) {
            cwm_buf_adds(&m->exceptions, ", ");
        }
        testgen__put_exception(&m->exceptions, m->p->entry, args,
                               outcome->exception_type);
        m->n_exceptions++;
    }
    return rc;
}

static enum cwm_rc note_value(struct making *m, const char *args, bool is_new,
                              const struct trace_end *end, struct cwm_err *err)
{
    struct testgen__input *in = &m->inputs[m->n_inputs];
    const char *text = (const char *)end->result;
    enum testgen__form form = TESTGEN__FORM_NONE;

    if (text && end->result_len <= TESTGEN__MAX_RESULT &&
        !memchr(text, '\0', end->result_len) &&
        testgen__form_of(text, end->result_len, &form, err) != CWM_OK) {
        return CWM_NOMEM;
    }
    if (form == TESTGEN__FORM_NONE) {
        m->n_unshown++;
        return CWM_OK;
    }
    if (m->n_inputs == MAX_INPUTS) {
        return CWM_OK;
    }
    in->args = cwm_strdup(args);
    in->result = cwm_strndup(text, end->result_len);
    in->is_new = is_new;
    m->n_inputs++;
    return in->args && in->result
               ? CWM_OK
               : CWM_FAIL(err, CWM_NOMEM, "could not hold an input");
}

static enum cwm_rc note(struct making *m, const char *args, bool is_new,
                        const struct trace_result *result,
                        const struct inputs_outcome *outcome,
                        struct cwm_err *err)
{
    const struct trace_end *end = trace_reader_end(result->reader);

    switch (result->verdict) {
    case TRACE_VERDICT_OK:
        return strlen(args) > TESTGEN__MAX_ARGS
                   ? CWM_OK
                   : note_value(m, args, is_new, end, err);
    case TRACE_VERDICT_EXCEPTION:
        if (end->reason == TRACE_END_MODULE_EXCEPTION) {
            m->state = TESTGEN_NO_CODE;
            snprintf(m->detail, sizeof m->detail, "%s: %s",
                     outcome->exception_type, outcome->exception_message);
            return CWM_OK;
        }
        return strlen(args) > TESTGEN__MAX_ARGS
                   ? CWM_OK
                   : note_exception(m, args, result, outcome, err);
    case TRACE_VERDICT_SYNTAX_ERROR:
        m->state = TESTGEN_NO_CODE;
        return CWM_OK;
    case TRACE_VERDICT_TIMEOUT:
    case TRACE_VERDICT_FRAME_LIMIT:
    case TRACE_VERDICT_BYTE_LIMIT:
    case TRACE_VERDICT_MEMORY:
        m->n_stopped++;
        return CWM_OK;
    case TRACE_VERDICT_EXIT:
    case TRACE_VERDICT_OUTPUT_LIMIT:
    case TRACE_VERDICT_CRASH:
    case TRACE_VERDICT_DENIED:
    case TRACE_VERDICT_NO_ENTRY:
    case TRACE_VERDICT_BAD_ARGS:
        break;
    }
    m->n_raised++;
    return CWM_OK;
}

/* ---- tries ---- */

static struct trace_job job_of(const struct making *m, const char *args)
{
    struct trace_job job = {.name = m->p->entry,
                            .is_text = true,
                            .source = m->p->text,
                            .source_len = m->p->len,
                            .entry = m->p->entry,
                            .args = args};

    trace_limits_default(&job.limits);
    job.limits.timeout_ms = m->t->options->try_ms;
    job.limits.memory_mb = m->t->options->how.memory_mb;
    job.limits.max_frames = MAX_FRAMES;
    job.limits.max_value_bytes = 4 * TESTGEN__MAX_RESULT;
    return job;
}

static enum cwm_rc try_one(struct making *m, struct inputs *in,
                           const char *args, struct cwm_err *err)
{
    const struct trace_job job = job_of(m, args);
    struct inputs_outcome outcome = {.edges = NULL};
    struct trace_result result;
    bool is_new = false;
    enum cwm_rc rc = tracer_slot_run(&m->t->slot, &job,
                                     m->t->options->how.cancel, &result, err);

    if (rc == CWM_OK) {
        rc = inputs_outcome_of(&result, &outcome, err);
    }
    if (rc == CWM_OK) {
        rc = inputs_report(in, &outcome, &is_new, err);
    }
    if (rc == CWM_OK && !result.tracer_failed && result.reader) {
        rc = note(m, args, is_new, &result, &outcome, err);
    }
    inputs_outcome_release(&outcome);
    return rc;
}

/* What the annotations and the given calls say of its arguments' types. */
static enum cwm_rc look_at_domain(struct making *m, const struct calls *given,
                                  struct cwm_err *err)
{
    char *text = cwm_strndup(m->p->text, m->p->len); /* owned */

    if (!text) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a program");
    }
    testgen_domain_add_def(&m->domain, text, m->p->entry);
    cwm_free(text);
    for (size_t i = 0; i < given->n; i++) {
        testgen_domain_add_call(&m->domain, given->args[i]);
    }
    return CWM_OK;
}

/* The program with the given calls behind it, or with one of their types, for
 * who looks for inputs. */
static enum cwm_rc source_with_given(struct making *m,
                                     struct source **ret_source,
                                     struct cwm_err *err)
{
    struct calls calls = {NULL, 0, 0};
    struct cwm_buf text;
    struct cwm_buf example;
    enum cwm_rc rc = CWM_OK;

    cwm_buf_init(&text, MAX_TEXT_BYTES);
    cwm_buf_init(&example, MAX_TEXT_BYTES);
    cwm_buf_add(&text, m->p->text, m->p->len);
    if (m->p->given) {
        rc = calls_find(m->p->given, strlen(m->p->given), m->p->given_name,
                        &calls, err);
    }
    if (rc == CWM_OK || rc == CWM_LIMIT) {
        rc = look_at_domain(m, &calls, err);
    }
    for (size_t i = 0; m->p->use_given && i < calls.n; i++) {
        cwm_buf_addf(&text, "\nassert %s(%s)", m->p->entry, calls.args[i]);
    }
    if (rc == CWM_OK && calls.n > 0 && !m->p->use_given &&
        testgen_domain_example(&m->domain, &example)) {
        rc = cwm_buf_check(&example, "an input", err);
        cwm_buf_addf(&text, "\nassert %s(%s)", m->p->entry,
                     rc == CWM_OK ? example.data : "");
    }
    cwm_buf_addc(&text, '\n');
    if (rc == CWM_OK) {
        rc = cwm_buf_check(&text, "a program", err);
    }
    if (rc == CWM_OK) {
        rc = source_new_text(text.data, text.len, m->p->entry, ret_source, err);
    }
    calls_release(&calls);
    cwm_buf_release(&text);
    cwm_buf_release(&example);
    return rc;
}

static enum cwm_rc open_inputs(struct making *m, uint64_t seed,
                               struct inputs **ret_in, struct cwm_err *err)
{
    struct inputs_settings settings;
    struct source *source = NULL; /* owned */
    struct cwm_err why = {0};
    int def = -1;
    enum cwm_rc rc = source_with_given(m, &source, err);

    inputs_settings_default(&settings);
    settings.max_tries = GUESSES * m->t->options->max_tries;
    settings.max_kept = m->t->options->max_tries;
    settings.max_frames = MAX_FRAMES;
    if (rc == CWM_OK) {
        rc = source_entry(source, m->p->entry, &def, &why);
        if (rc == CWM_OK) {
            rc = inputs_new(source, def, &settings, seed, ret_in, &why);
        }
        if (rc == CWM_USAGE || rc == CWM_LIMIT) {
            m->state = TESTGEN_NO_FUNCTION;
            snprintf(m->detail, sizeof m->detail, "%.*s",
                     (int)strcspn(why.message, "\n"), why.message);
            rc = CWM_OK;
        } else if (rc != CWM_OK && err) {
            *err = why;
        }
    }
    source_free(source);
    return rc;
}

/* A guess of other types: as good as tried, with a TypeError. */
static enum cwm_rc pass_over(struct making *m, struct inputs *in,
                             struct cwm_err *err)
{
    const struct inputs_outcome outcome = {.verdict = TRACE_VERDICT_EXCEPTION,
                                           .exception_type = "TypeError"};
    bool is_new = false;

    m->n_outside++;
    return inputs_report(in, &outcome, &is_new, err);
}

/* Is it for the function?  Who wrote it knew. */
static bool is_inside(struct making *m, const struct inputs_try *try)
{
    if (try->origin == INPUTS_TYPED || try->origin == INPUTS_MUTATED) {
        return testgen_domain_has(&m->domain, try->args);
    }
    testgen_domain_add_call(&m->domain, try->args);
    return true;
}

static enum cwm_rc try_all(struct making *m, uint64_t seed, struct cwm_err *err)
{
    struct inputs *in = NULL; /* owned */
    struct inputs_try try;
    bool more = true;
    enum cwm_rc rc = open_inputs(m, seed, &in, err);

    while (rc == CWM_OK && in && more && m->state == TESTGEN_MADE &&
           m->n_stopped < MAX_STOPPED &&
           m->n_tries < m->t->options->max_tries) {
        rc = inputs_next(in, &try, &more, err);
        if (rc == CWM_OK && more && !is_inside(m, &try)) {
            rc = pass_over(m, in, err);
        } else if (rc == CWM_OK && more) {
            char *args = cwm_strdup(try.args); /* owned: a report frees it */

            m->n_tries++;
            rc = args ? try_one(m, in, args, err)
                      : CWM_FAIL(err, CWM_NOMEM, "could not hold an input");
            cwm_free(args);
        }
    }
    inputs_free(in);
    /* One that only raises is no implementation. */
    if (rc == CWM_OK && m->state == TESTGEN_MADE && m->n_inputs == 0) {
        m->state = m->n_unshown > 0  ? TESTGEN_NOTHING_SHOWN
                   : m->n_raised > 0 ? TESTGEN_RAISES
                                     : TESTGEN_LOOPS;
    }
    return rc;
}

/* ---- choice ---- */

static bool same_result(const struct making *m, size_t n, const char *result)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(m->inputs[i].result, result) == 0) {
            return true;
        }
    }
    return false;
}

static void move_to(struct making *m, size_t from, size_t to)
{
    struct testgen__input one = m->inputs[from];

    memmove(&m->inputs[to + 1], &m->inputs[to], (from - to) * sizeof one);
    m->inputs[to] = one;
}

/* Those that reached something new come first, then those with results that
 * no other has, then the rest; each in the order of the tries. */
static size_t choose_inputs(struct making *m)
{
    const size_t most = m->t->options->max_inputs;
    size_t n = 0;

    for (size_t i = 0; i < m->n_inputs; i++) {
        if (m->inputs[i].is_new) {
            move_to(m, i, n++);
        }
    }
    for (size_t i = n; i < m->n_inputs; i++) {
        if (!same_result(m, n, m->inputs[i].result)) {
            move_to(m, i, n++);
        }
    }
    return m->n_inputs < most ? m->n_inputs : most;
}

/* Other functions of the module, of one parameter. */
static size_t find_others(const struct making *m, const char **others)
{
    size_t n_defs;
    const struct source_def *defs = source_defs(m->source, &n_defs);
    size_t n = 0;

    for (size_t i = 0; i < n_defs && n < MAX_OTHERS; i++) {
        if (defs[i].kind == SOURCE_FUNCTION && defs[i].parent < 0 &&
            defs[i].n_params == 1 && strcmp(defs[i].name, m->p->entry) != 0) {
            others[n++] = defs[i].name;
        }
    }
    return n;
}

static void put_tests(struct making *m, struct cwm_buf *out)
{
    const char *others[MAX_OTHERS];
    size_t n_others = find_others(m, others);
    size_t n = choose_inputs(m);

    cwm_buf_adds(out, ", \"tests\": [");
    for (size_t i = 0; i < n; i++) {
        cwm_buf_adds(out, i ? ", " : "");
        testgen__put_value(out, m->p->entry, &m->inputs[i]);
    }
    if (m->exceptions.len > 0) {
        cwm_buf_adds(out, n > 0 ? ", " : "");
        cwm_buf_add(out, m->exceptions.data, m->exceptions.len);
    }
    testgen__put_properties(out, m->p->entry, m->inputs, n, others, n_others);
    cwm_buf_addc(out, ']');
}

/* ---- mutants ---- */

/*
 * Reads a list of texts and prints, for each, the first one with the same
 * byte code, lines aside; -1 for what does not compile.
 */
static const char compare_text[] =
    "import json, sys\n"
    "FIELDS = ('co_code', 'co_names', 'co_varnames', 'co_freevars',\n"
    "          'co_cellvars', 'co_flags', 'co_argcount',\n"
    "          'co_posonlyargcount', 'co_kwonlyargcount',\n"
    "          'co_exceptiontable')\n"
    "def shape(code):\n"
    "    return (tuple(getattr(code, name, None) for name in FIELDS),\n"
    "            tuple(shape(c) if hasattr(c, 'co_code')\n"
    "                  else (type(c).__name__, repr(c))\n"
    "                  for c in code.co_consts))\n"
    "first, found = {}, []\n"
    "for i, text in enumerate(json.load(sys.stdin)):\n"
    "    try:\n"
    "        key = shape(compile(text, 'm', 'exec'))\n"
    "    except (SyntaxError, ValueError, RecursionError):\n"
    "        found.append(-1)\n"
    "    else:\n"
    "        found.append(first.setdefault(key, i))\n"
    "print(json.dumps(found))\n";

static enum cwm_rc open_judge(struct testgen__thread *t, struct cwm_err *err)
{
    const struct judge_options options = {
        .worker = t->worker,
        .allow_missing = t->options->how.allow_missing,
        .memory_mb = t->options->how.memory_mb};

    return t->judge ? CWM_OK : judge_open(&options, &t->judge, err);
}

/* texts[0] is the implementation; first[0..n) as compare_text prints them. */
static enum cwm_rc compare(struct making *m, char *const *texts, size_t n,
                           int64_t *first, struct cwm_err *err)
{
    const struct judge_text program = {compare_text, sizeof compare_text - 1};
    struct judge_text output = {"", 0};
    struct matrix_value value;
    struct cwm_buf input;
    struct json_in in;
    double number;
    size_t i = 0;
    enum cwm_rc rc = open_judge(m->t, err);

    cwm_buf_init(&input, MAX_TEXT_BYTES);
    for (size_t k = 0; k < n; k++) {
        cwm_buf_addc(&input, k ? ',' : '[');
        cwm_buf_add_json(&input, texts[k], strlen(texts[k]));
    }
    cwm_buf_addc(&input, ']');
    if (rc == CWM_OK) {
        rc = cwm_buf_check(&input, "the mutants", err);
    }
    if (rc == CWM_OK) {
        const struct judge_text stdin_text = {input.data, input.len};

        rc = judge_script(m->t->judge, &program, NULL, &stdin_text,
                          SCRIPT_MS * 1000u, 10, m->t->options->how.cancel,
                          &value, &output, err);
    }
    in = (struct json_in){.text = output.data, .len = output.len};
    if (rc == CWM_OK && json_open(&in, '[')) {
        for (; i < n && json_more(&in, ']', i == 0); i++) {
            first[i] =
                json_real(&in, &number) && number >= 0 && number <= (double)i
                    ? (int64_t)number
                    : -1;
        }
    }
    /* Out of memory or time: nothing is known to be equal. */
    for (; rc == CWM_OK && i < n; i++) {
        first[i] = (int64_t)i;
    }
    cwm_buf_release(&input);
    return rc;
}

static void mutated_range(const struct making *m,
                          struct mutate_settings *settings)
{
    size_t n;
    const struct source_def *defs = source_defs(m->source, &n);
    int def = -1;

    settings->start_byte = m->p->start_byte;
    settings->end_byte = m->p->end_byte;
    if (settings->end_byte == 0 &&
        source_entry(m->source, m->p->entry, &def, NULL) == CWM_OK &&
        def >= 0) {
        settings->start_byte = defs[def].start_byte;
        settings->end_byte = defs[def].end_byte;
    }
}

/* texts[0] is the parent; *ret_n with it. */
static enum cwm_rc mutate(struct making *m, uint64_t seed, char **texts,
                          size_t *ret_n, struct cwm_err *err)
{
    struct mutate_settings settings;
    struct mutator *mutator = NULL; /* owned */
    struct mutation mutation;
    struct cwm_buf text;
    size_t len;
    const char *whole = source_text(m->source, &len);
    bool more = true;
    enum cwm_rc rc;

    mutate_settings_default(&settings);
    settings.max_mutants = m->t->options->max_mutants;
    settings.weights[MUTATE_RENAME] = 0; /* they mean the same */
    settings.weights[MUTATE_LOOP_FORM] = 0;
    mutated_range(m, &settings);
    texts[0] = cwm_strndup(whole, len);
    *ret_n = texts[0] != NULL;
    if (!texts[0]) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a mutant");
    }
    rc = settings.max_mutants > 0
             ? mutator_new(whole, len, &settings, seed, &mutator, err)
             : CWM_USAGE;
    if (rc != CWM_OK) {
        return rc == CWM_NOMEM ? rc : CWM_OK; /* none can be made */
    }
    cwm_buf_init(&text, MAX_TEXT_BYTES);
    while (rc == CWM_OK && more && *ret_n <= m->t->options->max_mutants) {
        rc = mutator_next(mutator, &text, &mutation, &more, err);
        if (rc == CWM_OK && more) {
            texts[*ret_n] = cwm_strndup(text.data, text.len);
            rc = texts[*ret_n]
                     ? CWM_OK
                     : CWM_FAIL(err, CWM_NOMEM, "could not hold a mutant");
            *ret_n += rc == CWM_OK;
        }
    }
    cwm_buf_release(&text);
    mutator_free(mutator);
    return rc;
}

static enum cwm_rc put_mutants(struct making *m, uint64_t seed,
                               struct cwm_buf *out, struct cwm_err *err)
{
    const size_t most = m->t->options->max_mutants + 1;
    char **texts = cwm_calloc(most + 1, sizeof *texts);   /* owned */
    int64_t *first = cwm_calloc(most + 1, sizeof *first); /* owned */
    const char *gap = "";
    size_t n = 0;
    enum cwm_rc rc =
        texts && first ? mutate(m, seed, texts, &n, err)
                       : CWM_FAIL(err, CWM_NOMEM, "could not hold the mutants");

    if (rc == CWM_OK && n > 1) {
        rc = compare(m, texts, n, first, err);
    }
    cwm_buf_adds(out, ", \"mutants\": [");
    for (size_t i = 1; i < n && rc == CWM_OK; i++) {
        m->n_equivalent += first[i] == 0;
        m->n_same += first[i] > 0 && first[i] != (int64_t)i;
        m->n_no_code += first[i] < 0;
        if (first[i] == (int64_t)i) {
            cwm_buf_adds(out, gap);
            cwm_buf_add_json(out, texts[i], strlen(texts[i]));
            gap = ", ";
        }
    }
    cwm_buf_addc(out, ']');
    for (size_t i = 0; texts && i < n; i++) {
        cwm_free(texts[i]);
    }
    cwm_free(texts);
    cwm_free(first);
    return rc;
}

/* ---- all of it ---- */

static enum cwm_rc parse(struct making *m, struct cwm_err *err)
{
    struct cwm_err why = {0};
    enum cwm_rc rc =
        source_new_text(m->p->text, m->p->len, m->p->entry, &m->source, &why);
    const struct source_error *error =
        rc == CWM_OK ? source_syntax_error(m->source) : NULL;

    if (rc == CWM_FORMAT || rc == CWM_LIMIT) {
        m->state = TESTGEN_NO_CODE;
        snprintf(m->detail, sizeof m->detail, "%.*s",
                 (int)strcspn(why.message, "\n"), why.message);
        return CWM_OK;
    }
    if (rc != CWM_OK) {
        if (err) {
            *err = why;
        }
        return rc;
    }
    if (error) {
        m->state = TESTGEN_NO_CODE;
        snprintf(m->detail, sizeof m->detail, "line %u: %s", error->line,
                 error->message);
    }
    return CWM_OK;
}

static void put_numbers(const struct making *m, struct cwm_buf *out)
{
    cwm_buf_addf(
        out,
        ", \"state\": %d, \"tries\": %u, \"outside\": %u, \"raised\": %u, \"stopped\": "
        "%u, \"unshown\": %u, \"equivalent\": %u, \"same\": %u, "
        "\"no_code\": %u, \"detail\": ",
        (int)m->state, m->n_tries, m->n_outside, m->n_raised, m->n_stopped,
        m->n_unshown, m->n_equivalent, m->n_same, m->n_no_code);
    cwm_buf_add_json(out, m->detail, strlen(m->detail));
}

static void release(struct making *m)
{
    for (size_t i = 0; i < m->n_inputs; i++) {
        cwm_free(m->inputs[i].args);
        cwm_free(m->inputs[i].result);
    }
    cwm_free(m->inputs);
    source_free(m->source);
    cwm_buf_release(&m->exceptions);
}

enum cwm_rc testgen__make(struct testgen__thread *t,
                          const struct testgen__program *p, uint64_t seed,
                          struct cwm_buf *out, struct cwm_err *err)
{
    struct making m = {.t = t, .p = p, .state = TESTGEN_MADE};
    enum cwm_rc rc = CWM_OK;

    cwm_buf_init(&m.exceptions, MAX_TEXT_BYTES);
    m.inputs = cwm_calloc(MAX_INPUTS, sizeof *m.inputs);
    if (!m.inputs) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold the inputs");
    }
    if (rc == CWM_OK) {
        rc = parse(&m, err);
    }
    if (rc == CWM_OK && m.state == TESTGEN_MADE) {
        rc = try_all(&m, seed, err);
    }
    cwm_buf_adds(out, "{\"version\": 2");
    if (rc == CWM_OK && m.state == TESTGEN_MADE) {
        put_tests(&m, out);
        rc = put_mutants(&m, seed, out, err);
    }
    put_numbers(&m, out);
    cwm_buf_addc(out, '}');
    if (rc == CWM_OK) {
        rc = cwm_buf_check(out, "a task's tests", err);
    }
    if (rc == CWM_OK && m.exceptions.failed != CWM_OK) {
        rc = CWM_FAIL(err, m.exceptions.failed, "could not hold the tests");
    }
    release(&m);
    return rc;
}
