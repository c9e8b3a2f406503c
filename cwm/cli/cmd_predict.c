/* SPDX-License-Identifier: MIT */
/*
 * cmd_predict.c -- `cwm predict`: a model writes the trace of a program.
 *
 * The prompt is the beginning of the trace's text, up to its first frame.  A
 * function that is called with arguments without a main() around it gets its
 * first frame, too, from a run that is stopped behind it: the context does
 * not say what the arguments are.
 */
#include "cwm/cli/cmd_predict.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/default_model.h"
#include "cwm/model/trace_prompt.h"
#include "eval/own_model.h"

#define MAX_PROGRAM_BYTES ((64UL << 20) + 1)
#define MAX_TEXT_BYTES    (1UL << 30)

static const char *const forms[] = {"auto", "pretty", "cwm", "jsonl", NULL};

enum { MAX_MODEL_PATH_BYTES = 4096 };

static const char *const uses[] = {"PROGRAM [--model DIR] [options]", NULL};

static const char *const examples[] = {
    "cwm predict prog.py --entry f --args 7 --model checkpoint",
    "cwm predict prog.py --entry f --args 7 --wrap-main --model checkpoint "
    "--compare",
    NULL};

#define FIELD(field) offsetof(struct predict_fields, field)
#define RUNNING_AT   FIELD(trace.run)

static const struct opt options[] = {
    {.group = "What is predicted",
     .name = "entry",
     .type = OPT_STRING,
     .offset = FIELD(trace.entry),
     .value = "NAME",
     .help = "as for 'cwm trace'"},
    {.name = "args",
     .type = OPT_STRING,
     .offset = FIELD(trace.args),
     .value = "ARGS",
     .help = "as for 'cwm trace'; without --wrap-main the program is run up to "
             "the call, whose frame is given to the model"},
    {.name = "wrap-main",
     .type = OPT_FLAG,
     .offset = FIELD(trace.wrap_main),
     .help = "as for 'cwm trace'"},
    {.group = "The model",
     .name = "model",
     .type = OPT_STRING,
     .offset = FIELD(model),
     .value = "DIR",
     .help = "the folder of a checkpoint; the one that comes with cwm, or that "
             "CWM_MODEL names, unless told"},
    {.name = "tokenizer",
     .type = OPT_STRING,
     .offset = FIELD(tokenizer),
     .value = "FILE",
     .help = "tokenizer.json or tokenizer.model; DIR's unless told"},
    {.name = "max-new",
     .type = OPT_U64,
     .offset = FIELD(max_new),
     .value = "N",
     .fallback = "8192",
     .min = 1,
     .max = 1 << 24,
     .help = "stop after this many tokens, or where the model's context is "
             "full"},
    {.name = "no-grammar",
     .type = OPT_FLAG,
     .offset = FIELD(no_grammar),
     .help = "take any token, not just those that a trace of this program "
             "can have there"},
    {.name = "no-shortcuts",
     .type = OPT_FLAG,
     .offset = FIELD(no_shortcuts),
     .help = "ask the model for every token, also where there is only one; "
             "the text is the same"},
    GENERATING_OPTIONS(FIELD(generating)),
    {.group = "Output",
     .name = "format",
     .type = OPT_ENUM,
     .offset = FIELD(trace.form),
     .choices = forms,
     .fallback = "auto",
     .help = "pretty is for people (auto is that), cwm the text as it comes, "
             "jsonl one line for 'cwm verify --predicted'"},
    {.name = "compare",
     .type = OPT_FLAG,
     .offset = FIELD(compare),
     .help = "trace the program, too, and show both side by side, with the "
             "first difference marked"},
    {.group = "The true run", RUNNING_PYTHON},
    {RUNNING_WALLS},
};

static const struct opt_command command = {
    .name = "predict",
    .summary = "predict a program's trace with a model",
    .uses = uses,
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .examples = examples,
    .notes = "Exit status:\n"
             "  0  done; --compare: the prediction is the true trace\n"
             "  1  --compare: it is not\n"
             "  2  the request cannot be carried out as given\n"
             "  3  our own failure\n"
             "  128 + N  stopped by signal N\n",
    .max_positionals = 1,
};

/* Everything that is held while predicting. */
struct predict {
    const struct predict_fields *f;
    struct predict_program program;
    struct tokenizer *t;         /* owned */
    struct trace_vocab *v;       /* owned */
    struct tokenizer_encoder *e; /* owned */
    struct trace_grammar *g;     /* owned; NULL: --no-grammar */
    struct tracer *tracer;       /* owned; where something is run */
    struct engine engine;
    struct token_ids prompt;
    size_t n_context;    /* tokens of the prompt that are the context */
    struct cwm_buf text; /* the frames: those given, then the model's */
    struct predict_show show;
    enum generate_end end;
};

/* ---- the program --------------------------------------------------------- */

static enum cwm_rc wrap(struct predict_program *p, const char *args,
                        struct cwm_err *err)
{
    size_t n;
    const struct source_def *defs = source_defs(p->source, &n);
    struct source *wrapped = NULL;
    struct cwm_buf text;
    enum cwm_rc rc;

    if (p->entry < 0) {
        return CWM_FAIL(err, CWM_USAGE, "--wrap-main needs --entry NAME");
    }
    cwm_buf_init(&text, MAX_PROGRAM_BYTES * 2);
    rc = source_wrap_main(p->source, defs[p->entry].qualname, args ? args : "",
                          &text, err);
    if (rc == CWM_OK) {
        rc = source_new_text(text.data, text.len, p->name, &wrapped, err);
    }
    if (rc == CWM_OK) {
        source_free(p->source);
        p->source = wrapped;
        rc = source_entry(p->source, "main", &p->entry, err);
    }
    cwm_buf_release(&text);
    return rc;
}

static enum cwm_rc read_program(const struct predict_fields *f,
                                struct predict_program *p, struct cwm_err *err)
{
    const struct source_def *defs;
    enum cwm_rc rc = io_read_file(p->name, &p->file, err);
    uint32_t line;
    size_t n;

    if (rc == CWM_OK) {
        rc = source_new(p->file.data ? p->file.data : "", p->file.len, p->name,
                        &p->source, err);
    }
    if (rc == CWM_OK) {
        rc = source_entry(p->source, f->trace.entry, &p->entry, err);
    }
    if (rc == CWM_OK && f->trace.wrap_main) {
        rc = wrap(p, f->trace.args, err);
    }
    if (rc != CWM_OK) {
        err->code = rc == CWM_NOMEM ? rc : CWM_USAGE;
        return err->code;
    }
    defs = source_defs(p->source, &n);
    line = p->entry < 0 ? source_first_code_line(p->source)
                        : defs[p->entry].def_line;
    if (line == 0) {
        return CWM_FAIL(err, CWM_USAGE, "%s: there is no code in it", p->name);
    }
    return source_context(p->source, line, &p->context, err);
}

/* ---- the model ----------------------------------------------------------- */

static enum cwm_rc load_vocabulary(struct predict *p,
                                   struct model_config *config,
                                   struct cwm_err *err)
{
    enum cwm_rc rc =
        own_model_tokenizer(p->f->model, p->f->tokenizer, &p->t, err);

    if (rc == CWM_OK) {
        rc = config_load(p->f->model, config, err);
    }
    if (rc == CWM_OK) {
        rc = trace_vocab_new(p->t, config->vocab_size, &p->v, err);
    }
    if (rc == CWM_OK) {
        rc = tokenizer_encoder_new(p->t, &p->e, err);
    }
    if (rc == CWM_OK && !p->f->no_grammar) {
        rc = trace_grammar_new(p->v, p->program.source, p->program.entry, &p->g,
                               err);
    }
    return rc;
}

/* ---- the truth ----------------------------------------------------------- */

static enum cwm_rc run_program(struct predict *p, uint64_t max_frames,
                               struct trace_result *ret_result,
                               struct cwm_err *err)
{
    const struct predict_fields *f = p->f;
    const char *slash = strrchr(p->program.name, '/');
    struct trace_job job = {
        .id = slash ? slash + 1 : p->program.name, /* no folders in data */
        .name = p->program.name,
        .source = p->program.file.data ? p->program.file.data : "",
        .source_len = p->program.file.len,
        .entry = f->trace.entry,
        .args = f->trace.args,
        .wrap_main = f->trace.wrap_main,
    };
    struct tracer_options how;
    enum cwm_rc rc = CWM_OK;

    trace_limits_default(&job.limits);
    if (max_frames > 0) {
        job.limits.max_frames = max_frames;
    }
    if (!p->tracer) {
        if (running_tracer("predict", &f->trace.run, &how) >= 0) {
            return CWM_FAIL(err, CWM_USAGE, "the run's options do not fit");
        }
        how.max_trace_bytes = job.limits.max_trace_bytes;
        rc = tracer_open(&how, &p->tracer, err);
    }
    return rc == CWM_OK ? tracer_run(p->tracer, &job, cli_catch_signals(),
                                     ret_result, err)
                        : rc;
}

/* Why a run did not come to the call: what was raised, where there is such. */
static enum cwm_rc no_call(const struct trace_result *result,
                           struct cwm_err *err)
{
    const struct trace_end *why = trace_reader_end(result->reader);
    const char *detail = result->summary.detail;
    const char *colon = why->exception_message_len > 0 ? ": " : "";

    if (why->exception_type) {
        return CWM_FAIL(err, CWM_USAGE, "cannot make the call: %.*s%s%.*s",
                        (int)why->exception_type_len,
                        (const char *)why->exception_type, colon,
                        (int)why->exception_message_len,
                        (const char *)why->exception_message);
    }
    return CWM_FAIL(err, CWM_USAGE, "cannot make the call: %s",
                    detail ? detail : result->summary.verdict);
}

/* The frame of the call, from a run that ends behind it. */
static enum cwm_rc give_call(struct predict *p, struct cwm_err *err)
{
    static const char begin[] = "<|call_sep|>";
    static const char action[] = "<|action_sep|>";
    static const char end[] = "\n<|frame_sep|>";
    struct trace_result result;
    struct trace_frame frame;
    bool more = false;
    const char *line;
    size_t line_len;
    size_t fixed;
    enum cwm_rc rc = run_program(p, 1, &result, err);

    if (rc == CWM_OK) {
        rc = trace_reader_next(result.reader, &frame, &more, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    if (!more || frame.event != TRACE_CALL) {
        return no_call(&result, err);
    }
    line = source_line(result.source, frame.line, &line_len);
    rc = render_cwm_frames(result.reader, result.source, &p->text, err);
    fixed = strlen(begin) + strlen(action) + line_len + strlen(end);
    if (rc != CWM_OK || p->text.len < fixed) {
        return rc;
    }
    return trace_prompt_call(p->v, p->e, p->text.data + strlen(begin),
                             p->text.len - fixed, line, line_len, &p->prompt,
                             err);
}

static enum cwm_rc make_prompt(struct predict *p, struct cwm_err *err)
{
    const struct trace_fields *f = &p->f->trace;
    enum cwm_rc rc =
        trace_prompt_context(p->v, p->e, p->program.context.data,
                             p->program.context.len, &p->prompt, err);

    p->n_context = p->prompt.n;
    if (rc == CWM_OK && f->args && f->args[0] && !f->wrap_main) {
        rc = give_call(p, err);
    }
    return rc;
}

/* ---- predicting ---------------------------------------------------------- */

static enum cwm_rc take_token(void *ctx, const struct generate_token *token,
                              struct cwm_err *err)
{
    struct predict *p = ctx;
    uint32_t id = token->token.id;
    enum cwm_rc rc = CWM_OK;

    p->end = token->end;
    if (id != trace_vocab_id(p->v, TRACE_TOKEN_END)) {
        rc = tokenizer_decode(p->t, &id, 1, &p->text, err);
    }
    if (rc == CWM_OK) {
        rc = predict_show_more(
            &p->show, id == trace_vocab_id(p->v, TRACE_TOKEN_FRAME), err);
    }
    return rc;
}

static enum cwm_rc generate(struct predict *p, const struct model_config *c,
                            const struct sample_options *sample,
                            struct cwm_err *err)
{
    const struct generate_request request = {
        .prompt = p->prompt.ids,
        .n_prompt = p->prompt.n,
        .n_samples = 1,
        .grammar = p->g,
        .n_grammar = p->prompt.n - p->n_context,
    };
    struct generator_options sizes = {1, 1, p->prompt.n, p->f->max_new};
    struct generate_options how = {.sample = *sample,
                                   .stops = c->stops,
                                   .n_stops = c->n_stops,
                                   .no_shortcuts = p->f->no_shortcuts,
                                   .cancel = cli_catch_signals()};
    enum cwm_rc rc;

    if (p->prompt.n >= c->max_positions) {
        return CWM_FAIL(err, CWM_USAGE,
                        "the program takes %zu tokens, and the model was made "
                        "for %u",
                        p->prompt.n, c->max_positions);
    }
    if (sizes.max_new > c->max_positions - p->prompt.n) {
        sizes.max_new = c->max_positions - p->prompt.n;
    }
    how.max_new = sizes.max_new;
    rc = engine_open(p->f->model, &p->f->generating, &sizes, &p->engine, err);
    return rc == CWM_OK ? generator_run(p->engine.g, &request, 1, &how,
                                        take_token, p, err)
                        : rc;
}

/* ---- the command --------------------------------------------------------- */

static void release(struct predict *p)
{
    engine_release(&p->engine);
    tracer_close(p->tracer);
    trace_grammar_free(p->g);
    tokenizer_encoder_free(p->e);
    trace_vocab_free(p->v);
    tokenizer_free(p->t);
    token_ids_release(&p->prompt);
    cwm_buf_release(&p->text);
    cwm_buf_release(&p->program.file);
    cwm_buf_release(&p->program.context);
    source_free(p->program.source);
}

static int compare(struct predict *p)
{
    struct trace_result truth;
    struct cwm_err err;

    if (run_program(p, 0, &truth, &err) != CWM_OK) {
        return cli_fail("predict", &err);
    }
    return predict_compare(p->f, &truth, &p->text, p->end == GENERATE_FULL);
}

static int predict(const struct predict_fields *f, const char *path)
{
    struct predict p = {.f = f, .program = {.name = path}};
    struct sample_options sample = {.top_p = 1};
    struct model_config config;
    struct cwm_err err;
    enum cwm_rc rc;
    int code = generating_sample("predict", &f->generating, &sample);

    if (code >= 0) {
        return code;
    }
    cwm_buf_init(&p.program.file, MAX_PROGRAM_BYTES);
    cwm_buf_init(&p.program.context, MAX_PROGRAM_BYTES * 2);
    cwm_buf_init(&p.text, MAX_TEXT_BYTES);
    p.show =
        (struct predict_show){.f = f, .program = &p.program, .text = &p.text};
    rc = read_program(f, &p.program, &err);
    if (rc == CWM_OK) {
        rc = load_vocabulary(&p, &config, &err);
    }
    if (rc == CWM_OK) {
        rc = make_prompt(&p, &err);
    }
    if (rc == CWM_OK) {
        rc = generate(&p, &config, &sample, &err);
    }
    if (rc == CWM_OK && !f->compare) {
        rc = predict_show_end(&p.show, p.end == GENERATE_STOPPED, &err);
    }
    code = rc == CWM_OK ? CLI_YES : cli_fail("predict", &err);
    if (rc == CWM_OK && f->compare) {
        code = compare(&p);
    }
    release(&p);
    return code;
}

static int run(int argc, char **argv)
{
    char found[MAX_MODEL_PATH_BYTES];
    struct predict_fields fields;
    struct opt_rest rest;
    int code = cli_parse(&command, argc, argv, &fields, &rest);

    if (code >= 0) {
        return code;
    }
    if (!fields.model && default_model(found, sizeof found)) {
        fields.model = found;
    }
    if (rest.n == 0 || !fields.model) {
        code = cli_usage("predict", "a program and a model are needed: cwm "
                                    "predict PROGRAM --model DIR");
    } else {
        trace_limits_default(&fields.trace.run.limits);
        code = predict(&fields, rest.values[0]);
    }
    cwm_free(rest.values);
    return code;
}

const struct cli_command cli_predict = {&command, run};
