/* SPDX-License-Identifier: MIT */
/* cmd_model_generate.c -- `cwm model generate`: lists of ids, continued. */
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_model.h"
#include "cwm/model/token_lines.h"

enum { MAX_IDS_BYTES = 1 << 30, MAX_STOPS = MODEL_MAX_STOPS + OPT_LIST_MAX };

/* What a sample has become. */
struct sample_text {
    struct token_ids ids;
    float *logprobs; /* owned; [capacity of ids]; NULL: not wanted */
    enum generate_end end;
};

struct job {
    const struct model_fields *f;
    struct token_ids ids; /* list by list */
    struct token_ids ends;
    struct generate_request *requests; /* owned; [ends.n] */
    struct sample_text *texts;         /* owned; [ends.n,samples] */
    size_t n_written;                  /* of the texts: in their order */
    struct cwm_buf line;
    uint32_t stops[MAX_STOPS];
    size_t n_stops;
};

/* ---- what goes in -------------------------------------------------------- */

static enum cwm_rc read_lists(struct job *job, size_t *ret_longest,
                              struct cwm_err *err)
{
    struct cwm_buf json;
    enum cwm_rc rc;
    size_t i;

    cwm_buf_init(&json, MAX_IDS_BYTES);
    rc = io_read_file(job->f->ids, &json, err);
    if (rc == CWM_OK) {
        rc = token_lists_parse_ragged(json.data ? json.data : "", json.len,
                                      &job->ids, &job->ends, err);
        if (rc != CWM_OK) {
            cwm_err_context(err, "%s", job->f->ids);
        }
    }
    cwm_buf_release(&json);
    if (rc != CWM_OK) {
        return rc;
    }
    job->requests = cwm_calloc(job->ends.n, sizeof *job->requests);
    job->texts = cwm_calloc(job->ends.n, job->f->samples * sizeof *job->texts);
    if (!job->requests || !job->texts) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu lists",
                        job->ends.n);
    }
    *ret_longest = 1;
    for (i = 0; i < job->ends.n; i++) {
        size_t from = i > 0 ? job->ends.ids[i - 1] : 0;
        struct generate_request *r = &job->requests[i];

        r->prompt = job->ids.ids + from;
        r->n_prompt = job->ends.ids[i] - from;
        r->n_samples = job->f->samples;
        *ret_longest = r->n_prompt > *ret_longest ? r->n_prompt : *ret_longest;
    }
    return CWM_OK;
}

/* The --stop options, then the model's own; -1, or the exit code. */
static int read_stops(struct job *job)
{
    for (size_t i = 0; i < job->f->stops.n; i++) {
        const char *text = job->f->stops.values[i];
        char *end;
        unsigned long id = strtoul(text, &end, 10);

        if (text[0] < '0' || text[0] > '9' || *end || id > UINT32_MAX) {
            return cli_usage("model", "--stop: '%.60s' is no id", text);
        }
        job->stops[job->n_stops++] = (uint32_t)id;
    }
    return -1;
}

static void add_model_stops(struct job *job, const struct model_config *c)
{
    for (uint32_t i = 0; i < c->n_stops; i++) {
        job->stops[job->n_stops++] = c->stops[i];
    }
}

/* ---- what comes out ------------------------------------------------------ */

static void put_text(struct job *job, size_t number)
{
    const struct sample_text *t = &job->texts[number];
    struct cwm_buf *out = &job->line;

    token_line_put_ids(&t->ids, out);
    if (out->failed != CWM_OK) {
        return;
    }
    out->len -= 2; /* goes on behind the ids */
    if (job->f->logprobs) {
        cwm_buf_adds(out, ", \"logprobs\": [");
        for (size_t i = 0; i < t->ids.n; i++) {
            cwm_buf_addf(out, i > 0 ? ", %.6g" : "%.6g",
                         (double)t->logprobs[i]);
        }
        cwm_buf_addc(out, ']');
    }
    if (job->f->samples > 1) {
        cwm_buf_addf(out, ", \"list\": %zu, \"sample\": %zu",
                     number / job->f->samples, number % job->f->samples);
    }
    cwm_buf_addf(out, ", \"end\": \"%s\"}\n",
                 t->end == GENERATE_STOPPED ? "stop" : "length");
}

/* The lines of what is done, as far as they follow each other. */
static enum cwm_rc write_done(struct job *job, struct cwm_err *err)
{
    enum cwm_rc rc;

    cwm_buf_clear(&job->line);
    while (job->n_written < job->ends.n * job->f->samples &&
           job->texts[job->n_written].end != GENERATE_GOES_ON) {
        struct sample_text *t = &job->texts[job->n_written];

        put_text(job, job->n_written++);
        token_ids_release(&t->ids);
        cwm_free(t->logprobs);
        t->logprobs = NULL;
    }
    rc = cwm_buf_check(&job->line, "the lines", err);
    if (rc == CWM_OK && job->line.len > 0) {
        rc = io_write_all(1, "standard output", job->line.data, job->line.len,
                          NULL, err);
    }
    return rc;
}

static enum cwm_rc take_token(void *ctx, const struct generate_token *token,
                              struct cwm_err *err)
{
    struct job *job = ctx;
    struct sample_text *t =
        &job->texts[token->request * job->f->samples + token->sample];
    enum cwm_rc rc = token_ids_add(&t->ids, token->token.id, err);

    if (rc == CWM_OK && job->f->logprobs) {
        float *logprobs =
            cwm_realloc(t->logprobs, t->ids.capacity, sizeof *logprobs);

        if (!logprobs) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu tokens",
                            t->ids.n);
        }
        t->logprobs = logprobs;
        logprobs[t->ids.n - 1] = token->token.logprob;
    }
    t->end = token->end;
    return rc == CWM_OK && token->end != GENERATE_GOES_ON ? write_done(job, err)
                                                          : rc;
}

/* ---- the command --------------------------------------------------------- */

static void job_release(struct job *job)
{
    size_t n = job->texts ? job->ends.n * job->f->samples : 0;

    for (size_t i = 0; i < n; i++) {
        token_ids_release(&job->texts[i].ids);
        cwm_free(job->texts[i].logprobs);
    }
    cwm_free(job->texts);
    cwm_free(job->requests);
    token_ids_release(&job->ids);
    token_ids_release(&job->ends);
    cwm_buf_release(&job->line);
}

int model_generate(const struct model_fields *f, const char *folder)
{
    struct job job = {.f = f};
    struct generator_options sizes = {.max_new = f->max_new};
    struct generate_options options = {.max_new = f->max_new,
                                       .want_logprobs = f->logprobs};
    struct engine engine = {.m = NULL};
    struct cwm_err err;
    enum cwm_rc rc;
    int code = generating_sample("model", &f->generating, &options.sample);

    cwm_buf_init(&job.line, MAX_IDS_BYTES);
    if (code < 0) {
        code = read_stops(&job);
    }
    if (code >= 0) {
        return code;
    }
    rc = read_lists(&job, &sizes.max_prompt, &err);
    if (rc == CWM_OK) {
        size_t n = job.ends.n * f->samples;

        sizes.max_batch = n < f->batch ? n : f->batch;
        sizes.max_prompts =
            job.ends.n < sizes.max_batch ? job.ends.n : sizes.max_batch;
        rc = engine_open(folder, &f->generating, &sizes, &engine, &err);
    }
    if (rc == CWM_OK) {
        add_model_stops(&job, &engine.config);
        options.stops = job.stops;
        options.n_stops = job.n_stops;
        options.cancel = cli_catch_signals();
        rc = generator_run(engine.g, job.requests, job.ends.n, &options,
                           take_token, &job, &err);
    }
    code = rc == CWM_OK ? CLI_YES : cli_fail("model", &err);
    engine_release(&engine);
    job_release(&job);
    return code;
}
