/* SPDX-License-Identifier: MIT */
/* cmd_train.c -- `cwm train`: a model from shards, from nothing or further. */
#include <math.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_train_setup.h"
#include "cwm/cli/device.h"

enum { MAX_RESULT_BYTES = 1 << 16 };

#define MAX_TOKENIZER_BYTES ((size_t)1 << 30)

#define FIELD(field) offsetof(struct train_fields, field)
#define RUNNING_AT   FIELD(run)

static const char *const uses[] = {
    "SHARDS --tokenizer FILE -o RUN [options]",
    "--generate --tokenizer FILE -o RUN [options]", NULL};

static const char *const examples[] = {
    "cwm train shards --tokenizer tokenizer.json --size 1m --steps 500 -o run",
    "cwm train --generate --tokenizer tokenizer.json --size 1m -o run2",
    "cwm model info run/last", NULL};

static const char *const size_names[] = {"1m",  "5m",   "32m",
                                         "88m", "287m", NULL};
static const char *const packing_names[] = {"stream", "whole", NULL};
/* By enum train_type. */
static const char *const type_names[] = {"fp32", "bf16", "fp8", NULL};

#define COUNT(name_, field_, value_, fallback_, min_, max_, help_)             \
    {                                                                          \
        .name = (name_), .type = OPT_U64, .offset = FIELD(field_),             \
        .value = (value_), .fallback = (fallback_), .min = (min_),             \
        .max = (max_), .help = (help_)                                         \
    }

#define REAL(name_, field_, fallback_, help_)                                  \
    {                                                                          \
        .name = (name_), .type = OPT_STRING, .offset = FIELD(field_),          \
        .value = "x", .fallback = (fallback_), .help = (help_)                 \
    }

static const struct opt options[] = {
    {.group = "What goes in and out",
     .name = "tokenizer",
     .type = OPT_STRING,
     .offset = FIELD(tokenizer),
     .value = "FILE",
     .help = "the tokenizer that the shards were packed with; a copy is put "
             "beside the model"},
    {.letter = 'o',
     .name = "out",
     .type = OPT_STRING,
     .offset = FIELD(out),
     .value = "RUN",
     .help = "the run's folder: RUN/last leads to the newest state, a model "
             "that other commands take; RUN/log.jsonl has a line for every "
             "step.  Where there is a state the run goes on from it"},
    {.name = "init",
     .type = OPT_STRING,
     .offset = FIELD(init),
     .value = "DIR",
     .help = "begin with this checkpoint's shape and weights"},
    {.group = "Programs made on the way",
     .name = "generate",
     .type = OPT_FLAG,
     .offset = FIELD(generate),
     .help = "learn from programs that are made and traced meanwhile, instead "
             "of shards: nothing is stored, no trace comes twice"},
    {.name = "programs",
     .type = OPT_STRING,
     .offset = FIELD(programs),
     .value = "FILE",
     .help = "a JSON object with settings for them, as of 'cwm dataset build "
             "--programs'"},
    COUNT("held-out", held_out, "n", "200", 0, 1 << 20,
          "programs that are never learned from, nor what is like them; their "
          "traces are put into RUN/held-out and judged by"),
    COUNT("max-tokens", max_tokens, "n", "0", 0, SHARD_MAX_DOCUMENT_TOKENS,
          "leave out traces that are longer; 0: none is too long"),
    COUNT("workers", workers, "n", "0", 0, 256,
          "threads that make and trace them; 0 is one for each core; what is "
          "learned does not depend on it"),
    {RUNNING_PYTHON},
    {RUNNING_WALLS},
    {.group = "The model",
     .name = "size",
     .type = OPT_ENUM,
     .offset = FIELD(size),
     .value = "SIZE",
     .fallback = "5m",
     .choices = size_names,
     .help = "a shape of about so many parameters; the next options change "
             "parts of it"},
    COUNT("layers", layers, "n", NULL, 1, MODEL_MAX_LAYERS, "layers"),
    COUNT("width", width, "n", NULL, 2, MODEL_MAX_WIDTH,
          "channels of the model"),
    COUNT("heads", heads, "n", NULL, 1, MODEL_MAX_HEADS, "query heads"),
    COUNT("kv-heads", kv_heads, "n", NULL, 1, MODEL_MAX_HEADS,
          "key and value heads, which query heads share"),
    COUNT("ffn", ffn, "n", NULL, 1, MODEL_MAX_WIDTH,
          "channels of the feed-forward part"),
    COUNT("window", window, "n", "512", 0, MODEL_MAX_POSITIONS,
          "tokens that three of four layers see; every fourth from the first, "
          "and the last, see all; 0: all do"),
    COUNT("context", context, "n", NULL, 1, MODEL_MAX_POSITIONS,
          "positions that the model is made for; a row's, unless told"),
    REAL("rope-theta", rope_theta, "10000",
         "base of the rotary positions: a smaller one tells near positions "
         "apart sooner"),
    {.name = "untied",
     .type = OPT_FLAG,
     .offset = FIELD(untied),
     .help = "an output matrix of its own, not the embedding"},
    {.group = "Batches",
     .name = "rows",
     .type = OPT_U64,
     .offset = FIELD(rows),
     .value = "n",
     .fallback = "8",
     .min = 1,
     .max = 1 << 16,
     .help = "rows of a batch"},
    COUNT("row-tokens", row_tokens, "n", "512", 2, 1 << 24, "tokens of a row"),
    COUNT("accumulate", accumulate, "n", "1", 1, 1 << 16,
          "batches of one step: as if they were one, in the memory of one"),
    {.name = "packing",
     .type = OPT_ENUM,
     .offset = FIELD(packing),
     .value = "HOW",
     .fallback = "stream",
     .choices = packing_names,
     .help = "stream: rows are filled to their ends, documents go on in the "
             "next; whole: no document is cut that fits a row"},
    REAL("weight-context", weights[SHARD_CONTEXT], "0",
         "how much the loss on what is given counts: the program"),
    REAL("weight-observation", weights[SHARD_OBSERVATION], "1",
         "... on what is observed: events and variables"),
    REAL("weight-action", weights[SHARD_ACTION], "1",
         "... on the lines that are run"),
    REAL("weight-argument", weights[SHARD_ARGUMENT], "1",
         "... on what is returned or raised"),
    {.group = "Steps",
     .name = "steps",
     .type = OPT_U64,
     .offset = FIELD(steps),
     .value = "n",
     .fallback = "1000",
     .min = 1,
     .max = UINT32_MAX,
     .help = "of the whole run; the rate falls along a cosine until then"},
    COUNT("warmup-steps", warmup_steps, "n", "50", 0, UINT32_MAX,
          "steps in which the rate rises"),
    REAL("rate", rate, "1e-3", "the learning rate at its highest"),
    REAL("final-part", final_part, "0.1",
         "the part of it that is left at the "
         "end"),
    REAL("decay", decay, "0.1", "how fast matrices decay, times the rate"),
    REAL("clip", clip, "1", "the gradients' greatest length; 0: none"),
    COUNT("seed", seed, "n", "0", 0, UINT64_MAX,
          "of the first weights, of the documents' order, of --generate's "
          "programs"),
    {.group = "Computing",
     .name = "type",
     .type = OPT_ENUM,
     .offset = FIELD(type),
     .value = "TYPE",
     .fallback = "bf16",
     .choices = type_names,
     .help = "what products are computed in; weights, and what must not lose "
             "digits, are fp32 in all; fp8, on a GPU only: bf16, and the "
             "larger products of a layer but for gradients of weights in 8 "
             "bits"},
    {.name = "device",
     .type = OPT_ENUM,
     .offset = FIELD(device),
     .fallback = "auto",
     .choices = device_names,
     .help = DEVICE_HELP},
    {.name = "deterministic",
     .type = OPT_FLAG,
     .offset = FIELD(deterministic),
     .help = "on a GPU, too: the same bits in every run; a little slower"},
    COUNT("threads", threads, "n", "0", 0, 256, "0: as many as there are CPUs"),
    {.group = "States and judging",
     .name = "save-every",
     .type = OPT_U64,
     .offset = FIELD(save_every),
     .value = "steps",
     .fallback = "200",
     .min = 0,
     .max = UINT32_MAX,
     .help = "save a state that often; one is saved at the end, and when the "
             "run is stopped by Ctrl-C, in any case"},
    COUNT("judge-every", judge_every, "steps", "200", 0, UINT32_MAX,
          "measure the loss on held-out documents that often; 0: at the end "
          "only"),
    COUNT("judge-batches", judge_batches, "n", "16", 1, UINT32_MAX,
          "held-out batches that are measured"),
    COUNT("judge-traces", judge_traces, "n", "0", 0, 1 << 20,
          "at the same times save a state and let it predict so many held-out "
          "traces from their calls on, greedily, as 'cwm predict' does; 0: "
          "none"),
    {.name = "judge-on",
     .type = OPT_STRING,
     .offset = FIELD(judge_on),
     .value = "SHARDS",
     .help = "judge by the held-out shards of this folder instead ('cwm pack "
             "--held-out 1' makes all of its traces such)"},
    COUNT("judge-seconds", judge_seconds, "n", "60", 1, UINT32_MAX,
          "for so long at most; what is not done by then is left out"),
    COUNT("max-seconds", max_seconds, "n", "0", 0, UINT32_MAX,
          "stop, saved, after so long; the same command goes on; 0: never"),
    {.name = "json",
     .type = OPT_FLAG,
     .offset = FIELD(json),
     .help = "the result as a JSON object"},
};

static const struct opt_command command = {
    .name = "train",
    .summary = "train a model on shards of traces",
    .uses = uses,
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .examples = examples,
    .notes = "SHARDS is a folder that `cwm pack` filled.  A run that was "
             "stopped goes on where\nits last state is, to the same bits as "
             "one that was not (same machine, same\n--threads).\n\n"
             "Exit status:\n"
             "  0  done, or the time is up and a state saved\n"
             "  2  the request cannot be carried out as given\n"
             "  3  our own failure, or a loss that is not finite\n",
    .max_positionals = 1,
};
/* ---- the command ----------------------------------------------------------
 */

static void say_start(const struct train_setup *s)
{
    struct loader_info info;

    if (!train__is_first(&s->ranks)) {
        return;
    }
    train__say_ranks(&s->ranks, s->ops);
    if (s->feed) {
        cli_say("%.2f M parameters, %zu MB of memory; step %llu of %llu",
                (double)transformer_n_parameters(s->t) * 1e-6,
                s->t->n_bytes >> 20, (unsigned long long)s->trainer->step,
                (unsigned long long)s->settings.n_steps);
        train__say_feed(&s->feed_options, s->feed, s->trainer);
        return;
    }
    loader_info(s->train, &info);
    cli_say("%.2f M parameters, %zu MB of memory; %llu documents of %llu "
            "tokens; step %llu of %llu",
            (double)transformer_n_parameters(s->t) * 1e-6, s->t->n_bytes >> 20,
            (unsigned long long)info.n_documents,
            (unsigned long long)info.n_tokens,
            (unsigned long long)s->trainer->step,
            (unsigned long long)s->settings.n_steps);
}

static void add_json(const struct train_setup *s, const struct train_result *r,
                     struct cwm_buf *out)
{
    struct cwm_buf path;

    cwm_buf_addf(out,
                 "{\"step\": %llu, \"finished\": %s, \"tokens\": %llu, "
                 "\"loss\": %.6f, \"held_out_loss\": ",
                 (unsigned long long)r->step, r->finished ? "true" : "false",
                 (unsigned long long)r->n_tokens, r->loss);
    if (isfinite(r->held_out_loss)) {
        cwm_buf_addf(out, "%.6f", r->held_out_loss);
    } else {
        cwm_buf_adds(out, "null");
    }
    if (r->traces.n > 0) {
        cwm_buf_adds(out, ", \"traces\": ");
        train__add_traces(&r->traces, out);
    }
    if (s->feed) {
        struct feed_stats made;

        feed_stats(s->feed, &made);
        cwm_buf_adds(out, ", \"generated\": ");
        train__add_feed(&made, out);
    }
    cwm_buf_addf(out, ", \"seconds\": %.3f, \"model\": ", r->seconds);
    cwm_buf_init(&path, MAX_RESULT_BYTES);
    cwm_buf_addf(&path, "%s/last", s->fields->out);
    cwm_buf_add_json(out, path.data ? path.data : "", path.len);
    cwm_buf_adds(out, "}\n");
    cwm_buf_release(&path);
}

static void add_text(const struct train_setup *s, const struct train_result *r,
                     struct cwm_buf *out)
{
    cwm_buf_addf(out, "step           %llu of %llu\ntokens         %llu\n",
                 (unsigned long long)r->step,
                 (unsigned long long)s->settings.n_steps,
                 (unsigned long long)r->n_tokens);
    cwm_buf_addf(out, "loss           %.4f\n", r->loss);
    if (isfinite(r->held_out_loss)) {
        cwm_buf_addf(out, "held-out loss  %.4f\n", r->held_out_loss);
    }
    if (r->traces.n > 0) {
        cwm_buf_addf(out,
                     "held-out traces: whole %.1f %%, states %.1f %%, outputs "
                     "%.1f %%\n",
                     train__percent(&r->traces, SCORE_TRACE),
                     train__percent(&r->traces, SCORE_STATE),
                     train__percent(&r->traces, SCORE_OUTPUT));
    }
    cwm_buf_addf(out, "seconds        %.1f\nmodel          %s/last\n",
                 r->seconds, s->fields->out);
}

static enum cwm_rc train(struct train_setup *s, struct cwm_buf *out,
                         struct cwm_err *err)
{
    const volatile int *cancel = cli_catch_signals();
    struct train_result result;
    struct checkpoint_file file;
    struct train_run run = {.fields = s->fields, .files = &file, .n_files = 1};
    enum cwm_rc rc = train__set_up(s, err);

    if (rc != CWM_OK) {
        return rc;
    }
    file = (struct checkpoint_file){
        /* a tiktoken file is no JSON and has the other usual name */
        .name = s->tokenizer_file.data[0] == '{' ? "tokenizer.json"
                                                 : "tokenizer.model",
        .data = s->tokenizer_file.data,
        .len = s->tokenizer_file.len,
    };
    run.ranks = &s->ranks;
    run.trainer = s->trainer;
    run.held_out = s->judged_by;
    run.traces = s->traces;
    say_start(s);
    rc = train__run(&run, cancel, &result, err);
    if (!train__is_first(&s->ranks)) {
        return rc;
    }
    if (rc == CWM_OK && s->fields->json) {
        add_json(s, &result, out);
    } else if (rc == CWM_OK) {
        add_text(s, &result, out);
    }
    return rc;
}

/* The other ranks get to know of a failure; each names itself but for rank 0.
 */
static int fail(struct train_setup *s, struct cwm_err *err)
{
    if (s->ranks.comm && err->code != CWM_CANCELLED) {
        comm_stop(s->ranks.comm, err->message);
    }
    if (!train__is_first(&s->ranks)) {
        cwm_err_context(err, "rank %u", s->ranks.place.rank);
    }
    return cli_fail("train", err);
}

/* -1 to go on, or an exit code. */
static int check_words(struct train_setup *s, const struct opt_rest *rest)
{
    const struct train_fields *f = s->fields;
    int code;

    if (!f->tokenizer || !f->out || (rest->n < 1 && !f->generate)) {
        return cli_usage("train", "a folder of shards, or --generate, "
                                  "--tokenizer and -o are needed: cwm train "
                                  "SHARDS --tokenizer FILE -o RUN");
    }
    if (!f->generate) {
        s->shards = rest->values[0];
        return f->programs ? cli_usage("train", "--programs goes with "
                                                "--generate")
                           : -1;
    }
    if (rest->n > 0) {
        return cli_usage("train",
                         "--generate makes its own traces: '%.80s' is one "
                         "source too many",
                         rest->values[0]);
    }
    if (f->held_out == 0 && f->judge_traces > 0 && !f->judge_on) {
        return cli_usage("train", "--judge-traces needs programs that are "
                                  "held out: --held-out is 0");
    }
    code = running_tracer("train", &f->run, &s->feed_options.tracer);
    return code < 0 ? running_programs("train", f->programs,
                                       &s->feed_options.programs)
                    : code;
}

static int run(int argc, char **argv)
{
    /* limits of traces, which running_tracer() looks at, are no options here:
     * nothing else sets them */
    struct train_fields fields = {.run = {.python = NULL}};
    struct opt_rest rest;
    struct train_setup s = {
        .command = &command, .fields = &fields, .ranks.place.world = 1};
    struct cwm_buf out;
    struct cwm_err err;
    int code = cli_parse(&command, argc, argv, &fields, &rest);

    if (code >= 0) {
        return code;
    }
    cwm_buf_init(&out, MAX_RESULT_BYTES);
    cwm_buf_init(&s.tokenizer_file, MAX_TOKENIZER_BYTES);
    code = check_words(&s, &rest);
    if (code < 0) {
        code = train(&s, &out, &err) == CWM_OK ? cli_print("train", &out)
                                               : fail(&s, &err);
    }
    train__setup_release(&s);
    cwm_buf_release(&out);
    cwm_free(rest.values);
    return code;
}

const struct cli_command cli_train = {&command, run};
