/* SPDX-License-Identifier: MIT */
/* cmd_train_setup.c -- see the header. */
#include "cwm/cli/cmd_train_setup.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/device.h"
#include "cwm/model/train_loader.h"

enum { MAX_AGREED_BYTES = 8000 }; /* comm_agree() takes so many */

/* A run whose trace will be too long need not go on: no token of a trace is
 * longer on average, nor is a program than the rest. */
#define MAX_TOKEN_BYTES  UINT64_C(32)
#define MORE_TRACE_BYTES UINT64_C(65536)

/* While a checkpoint is written or traces are judged the workers go on. */
#define N_BATCHES_MADE_AHEAD 16

/* ---- words that are numbers -----------------------------------------------
 */

static enum cwm_rc read_real(const char *name, const char *text, double least,
                             double most, double *ret, struct cwm_err *err)
{
    char *end = NULL;
    double value = strtod(text, &end);

    if (end == text || *end || !isfinite(value) || value < least ||
        value > most) {
        return CWM_FAIL(err, CWM_USAGE, "--%s is a number from %g to %g", name,
                        least, most);
    }
    *ret = value;
    return CWM_OK;
}

static enum cwm_rc read_settings(const struct train_fields *f,
                                 struct train_settings *s, struct cwm_err *err)
{
    const struct {
        const char *name, *text;
        double least, most;
        double *value;
    } reals[] = {
        {"rate", f->rate, 0, 10, &s->rate},
        {"final-part", f->final_part, 0, 1, &s->final_part},
        {"decay", f->decay, 0, 10, &s->decay},
        {"clip", f->clip, 0, 1e9, &s->clip},
    };
    enum cwm_rc rc = CWM_OK;
    size_t i;

    train_settings_default(s);
    for (i = 0; i < sizeof reals / sizeof *reals && rc == CWM_OK; i++) {
        rc = read_real(reals[i].name, reals[i].text, reals[i].least,
                       reals[i].most, reals[i].value, err);
    }
    s->n_rows = (uint32_t)f->rows;
    s->row_tokens = (uint32_t)f->row_tokens;
    s->n_accumulate = (uint32_t)f->accumulate;
    s->n_steps = f->steps;
    s->n_warmup = f->warmup_steps;
    s->seed = f->seed;
    return rc;
}

static enum cwm_rc read_weights(const struct train_fields *f,
                                float weights[SHARD_N_CLASSES],
                                struct cwm_err *err)
{
    static const char *const names[SHARD_N_CLASSES] = {
        [SHARD_CONTEXT] = "weight-context",
        [SHARD_OBSERVATION] = "weight-observation",
        [SHARD_ACTION] = "weight-action",
        [SHARD_ARGUMENT] = "weight-argument",
    };
    enum cwm_rc rc = CWM_OK;
    size_t i;

    for (i = 0; i < SHARD_N_CLASSES && rc == CWM_OK; i++) {
        double value = 0;

        rc = read_real(names[i], f->weights[i], 0, 1000, &value, err);
        weights[i] = (float)value;
    }
    return rc;
}

/* ---- what a run stands on -------------------------------------------------
 */

void train__setup_release(struct train_setup *s)
{
    train_traces_free(s->traces);
    trainer_free(s->trainer);
    transformer_free(s->t);
    train__ranks_release(&s->ranks);
    ops_free(s->ops);
    loader_close(s->train);
    loader_close(s->held_out);
    feed_free(s->feed);
    tokenizer_free(s->tokenizer);
    cwm_buf_release(&s->tokenizer_file);
}

static enum cwm_rc load_tokenizer(struct train_setup *s, struct cwm_err *err)
{
    enum cwm_rc rc =
        io_read_file(s->fields->tokenizer, &s->tokenizer_file, err);

    if (rc == CWM_OK) {
        rc = tokenizer_parse(s->tokenizer_file.data ? s->tokenizer_file.data
                                                    : "",
                             s->tokenizer_file.len, &s->tokenizer, err);
        if (rc != CWM_OK) {
            cwm_err_context(err, "%s", s->fields->tokenizer);
        }
    }
    return rc;
}

/* Words that ask for another shape than that of --init are not passed over. */
static enum cwm_rc check_alike(const struct train_fields *f,
                               const struct model_config *c,
                               struct cwm_err *err)
{
    const struct {
        const char *name;
        uint64_t asked;
        uint32_t has;
    } parts[] = {
        {"layers", f->layers, c->n_layers},
        {"width", f->width, c->d_model},
        {"heads", f->heads, c->n_heads},
        {"kv-heads", f->kv_heads, c->n_kv_heads},
        {"ffn", f->ffn, c->d_ffn},
    };
    size_t i;

    for (i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].asked > 0 && parts[i].asked != parts[i].has) {
            return CWM_FAIL(err, CWM_USAGE,
                            "cannot begin with '%s': --%s is %llu, and it has "
                            "%u\nits shape is the model's: leave --%s out",
                            f->init, parts[i].name,
                            (unsigned long long)parts[i].asked, parts[i].has,
                            parts[i].name);
        }
    }
    return CWM_OK;
}

/* The shape of --init, or that of the words. */
static enum cwm_rc choose_shape(struct train_setup *s, struct cwm_err *err)
{
    static const char end[] = "<|end_of_text|>";
    uint32_t n_ids = tokenizer_n_ids(s->tokenizer);
    double theta = 0;
    enum cwm_rc rc;

    if (s->fields->init) {
        rc = config_load(s->fields->init, &s->config, err);
        if (rc == CWM_OK && s->config.vocab_size < n_ids) {
            rc = CWM_FAIL(err, CWM_USAGE,
                          "cannot begin with '%s': it has %u words, the "
                          "tokenizer %u",
                          s->fields->init, s->config.vocab_size, n_ids);
        }
        return rc == CWM_OK ? check_alike(s->fields, &s->config, err) : rc;
    }
    rc = read_real("rope-theta", s->fields->rope_theta, 2, 1e9, &theta, err);
    if (rc == CWM_OK) {
        rc = train__shape(s->fields, n_ids, theta, &s->config, err);
    }
    if (rc == CWM_OK && tokenizer_special(s->tokenizer, end, sizeof end - 1,
                                          &s->config.stops[0])) {
        s->config.n_stops = 1;
    }
    return rc;
}

/* *ret_loader stays NULL where the split has no shards. */
static enum cwm_rc open_split(const struct train_setup *s, bool is_train,
                              struct loader **ret_loader, struct cwm_err *err)
{
    struct loader_options o;
    char **paths = NULL; /* owned */
    size_t n = 0;
    bool is_made = is_train && s->feed;
    enum cwm_rc rc = CWM_OK;

    if (!is_made) {
        rc = loader_find_shards(is_train ? s->shards : s->judged_shards,
                                is_train ? "train" : "held-out", &paths, &n,
                                err);
    }
    if (rc != CWM_OK || (n == 0 && !is_made)) {
        return rc;
    }
    loader_options_default(&o);
    o.paths = (const char *const *)paths;
    o.n_paths = n;
    o.source = is_made ? feed_source(s->feed) : NULL;
    o.tokenizer_hash = tokenizer_hash(s->tokenizer);
    o.n_ids = s->config.vocab_size;
    o.n_rows = s->settings.n_rows;
    o.row_tokens = s->settings.row_tokens;
    o.packing = s->fields->packing ? LOADER_WHOLE : LOADER_STREAM;
    o.in_order = !is_train || is_made;
    o.n_prefetch = is_made ? N_BATCHES_MADE_AHEAD : o.n_prefetch;
    o.seed = s->settings.seed;
    o.n_epochs = is_train ? 0 : 1;
    if (is_train && !is_made) { /* all else is rank 0's, which hands it out */
        o.rank = s->ranks.place.rank;
        o.world = s->ranks.place.world;
    }
    rc = read_weights(s->fields, o.weights, err);
    if (rc == CWM_OK) {
        rc = loader_open(&o, ret_loader, err);
    }
    cwm_free(paths);
    return rc;
}

/* --generate: the held-out programs' traces become the folder of shards. */
static enum cwm_rc open_feed(struct train_setup *s, struct cwm_err *err)
{
    const struct train_fields *f = s->fields;
    struct feed_options *o = &s->feed_options;

    o->seed = f->seed;
    o->n_held_out = f->held_out;
    o->max_tokens = f->max_tokens;
    o->n_workers = cli_threads(f->workers);
    o->tokenizer = s->tokenizer;
    o->cancel = cli_catch_signals();
    trace_limits_default(&o->limits);
    if (f->max_tokens > 0 &&
        f->max_tokens < o->limits.max_trace_bytes / MAX_TOKEN_BYTES) {
        o->limits.max_trace_bytes =
            f->max_tokens * MAX_TOKEN_BYTES + MORE_TRACE_BYTES;
    }
    snprintf(s->held_out_folder, sizeof s->held_out_folder, "%s/held-out",
             f->out);
    s->judged_shards = s->held_out_folder;
    return train__feed(f, o, s->held_out_folder, &s->feed, err);
}

/* Rank 0's held-out documents are judged by all ranks. */
static enum cwm_rc share_held_out(struct train_setup *s, struct cwm_err *err)
{
    const struct train_settings *t = &s->settings;
    bool has_any = s->held_out != NULL;
    enum cwm_rc rc = train__ranks_tell(&s->ranks, &has_any, err);

    if (rc == CWM_OK && has_any && s->ranks.comm) {
        s->judged_by = &s->ranks.judged.as_data;
        return train_rows_init(&s->ranks.judged, s->ranks.comm,
                               &s->held_out_data, t->n_rows, t->row_tokens,
                               err);
    }
    s->judged_by = has_any ? &s->held_out_data : NULL;
    return rc;
}

/* Of several ranks all have the shards, and each reads its rows; what is made
 * rank 0 makes for all. */
static enum cwm_rc share_train(struct train_setup *s, struct cwm_err *err)
{
    const struct train_settings *t = &s->settings;
    struct loader_position at;
    char text[64];

    s->learned_from = &s->train_data;
    if (!s->ranks.comm) {
        return CWM_OK;
    }
    if (s->fields->generate) {
        s->learned_from = &s->ranks.rows.as_data;
        return train_rows_init(&s->ranks.rows, s->ranks.comm, &s->train_data,
                               t->n_rows, t->row_tokens, err);
    }
    loader_position(s->train, &at);
    snprintf(text, sizeof text, "shards=%016llx",
             (unsigned long long)at.fingerprint);
    return comm_agree(s->ranks.comm, text, err);
}

static enum cwm_rc open_data(struct train_setup *s, struct cwm_err *err)
{
    bool is_first = train__is_first(&s->ranks);
    enum cwm_rc rc = CWM_OK;

    s->judged_shards = s->shards;
    if (s->fields->generate && is_first) {
        rc = open_feed(s, err);
    }
    if (s->fields->judge_on) {
        s->judged_shards = s->fields->judge_on;
    }
    if (rc == CWM_OK && (is_first || !s->fields->generate)) {
        rc = open_split(s, true, &s->train, err);
        if (rc == CWM_OK && !s->train) {
            rc = CWM_FAIL(err, CWM_USAGE,
                          "there are no shards to train on in '%s'", s->shards);
        }
    }
    if (rc == CWM_OK && is_first) {
        rc = open_split(s, false, &s->held_out, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    s->train_data = train_loader_data(s->train);
    s->held_out_data = train_loader_data(s->held_out);
    rc = share_train(s, err);
    if (rc == CWM_OK) {
        rc = share_held_out(s, err);
    }
    if (rc == CWM_OK && s->fields->judge_traces > 0 && is_first) {
        rc = train_traces_new(s->judged_shards, s->tokenizer, &s->config,
                              s->fields->judge_traces, &s->traces, err);
    }
    return rc;
}

/* ---- several ranks --------------------------------------------------------
 */

/* What all ranks must have alike: options, words, shape, kind of device. */
static enum cwm_rc add_agreed(const struct train_setup *s, struct cwm_buf *out,
                              struct cwm_err *err)
{
    /* paths may differ, and so may what only one rank does */
    static const char *const skip[] = {
        "out",    "tokenizer", "threads",  "workers",       "json", "python",
        "device", "init",      "judge-on", "allow-missing", NULL};
    const struct model_config *c = &s->config;
    size_t i;

    opt_add_given(s->command, s->fields, skip, out);
    for (i = 0; i + 1 < out->len; i++) { /* a name and its value: one word */
        if (i > 0 && out->data[i] == ' ' && out->data[i + 1] != '-') {
            out->data[i] = '=';
        }
    }
    cwm_buf_addf(out,
                 " gpu=%d tokenizer=%016llx layers=%u width=%u heads=%u "
                 "kv-heads=%u head-width=%u ffn=%u words=%u tied=%d window=%u "
                 "rope-theta=%.9g eps=%.9g",
                 device_is_cuda(s->fields->device),
                 (unsigned long long)tokenizer_hash(s->tokenizer), c->n_layers,
                 c->d_model, c->n_heads, c->n_kv_heads, c->d_head, c->d_ffn,
                 c->vocab_size, c->is_tied, c->window, c->rope_theta,
                 c->rms_eps);
    return cwm_buf_check(out, "the settings", err);
}

static enum cwm_rc meet(struct train_setup *s, struct cwm_err *err)
{
    struct cwm_buf text;
    enum cwm_rc rc;

    if (s->ranks.place.world == 1) {
        return CWM_OK;
    }
    rc = comm_open(&s->ranks.place, cli_catch_signals(), &s->ranks.comm, err);
    cwm_buf_init(&text, MAX_AGREED_BYTES);
    if (rc == CWM_OK) {
        rc = add_agreed(s, &text, err);
    }
    if (rc == CWM_OK) {
        rc = comm_agree(s->ranks.comm, text.data, err);
    }
    cwm_buf_release(&text);
    return rc;
}

/* The others' first weights do not matter: they get rank 0's. */
static enum cwm_rc begin_weights(struct train_setup *s, struct cwm_err *err)
{
    const struct train_fields *f = s->fields;
    bool is_first = train__is_first(&s->ranks);
    bool goes_on = is_first && checkpoint_exists(f->out);
    enum cwm_rc rc = train__ranks_tell(&s->ranks, &goes_on, err);

    if (rc == CWM_OK && goes_on) {
        return checkpoint_resume(f->out, s->trainer, err);
    }
    if (rc == CWM_OK && is_first) {
        rc = f->init ? transformer_load(s->t, f->init, err)
                     : transformer_init(s->t, s->settings.seed, err);
    }
    return rc == CWM_OK && s->ranks.comm ? share_weights(&s->ranks.share, err)
                                         : rc;
}

static enum cwm_rc make_model(struct train_setup *s, struct cwm_err *err)
{
    const struct train_fields *f = s->fields;
    unsigned world = s->ranks.place.world;
    const struct device_options device = {
        .device = f->device,
        .type = f->type == TRAIN_FP32 ? OPS_F32 : OPS_BF16,
        .is_narrow = f->type == TRAIN_FP8,
        .n_threads = train__rank_threads(&s->ranks, f->threads),
        .is_deterministic = f->deterministic,
        .gpu = s->ranks.comm ? comm_gpu(&s->ranks.place) : 0};
    struct share *share = s->ranks.comm ? &s->ranks.share : NULL;
    enum cwm_rc rc = device_open(&device, &s->ops, err);

    if (rc == CWM_OK) {
        rc = device_check_room(s->ops, &s->config, &s->settings, world, err);
    }
    if (rc == CWM_OK) {
        rc = transformer_new_share(s->ops, &s->config,
                                   (size_t)(s->settings.n_rows / world) *
                                       s->settings.row_tokens,
                                   world, &s->t, err);
    }
    if (rc == CWM_OK && share) {
        rc = comm_use(s->ranks.comm, s->ops, err);
    }
    if (rc == CWM_OK && share) {
        share_init(share, s->ranks.comm, s->t, 0);
    }
    if (rc == CWM_OK) {
        rc = trainer_new_share(&s->settings, s->t, s->learned_from, share,
                               &s->trainer, err);
    }
    return rc == CWM_OK ? begin_weights(s, err) : rc;
}

enum cwm_rc train__set_up(struct train_setup *s, struct cwm_err *err)
{
    const char *out = s->fields->out;
    enum cwm_rc rc = read_settings(s->fields, &s->settings, err);

    if (rc == CWM_OK) {
        rc = train__ranks_find(&s->ranks, s->settings.n_rows, err);
    }
    if (rc == CWM_OK) {
        rc = load_tokenizer(s, err);
    }
    if (rc == CWM_OK) {
        rc = choose_shape(s, err);
    }
    if (rc == CWM_OK) {
        rc = meet(s, err);
    }
    if (rc == CWM_OK) {
        rc = open_data(s, err);
    }
    if (rc == CWM_OK && train__is_first(&s->ranks) && mkdir(out, 0755) != 0 &&
        errno != EEXIST) {
        rc = CWM_FAIL(err, CWM_IO, "could not make the folder '%s': %s", out,
                      strerror(errno));
    }
    return rc == CWM_OK ? make_model(s, err) : rc;
}
