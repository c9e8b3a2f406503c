/* SPDX-License-Identifier: MIT */
/*
 * cmd_train_feed.c -- `cwm train --generate`: where its programs come from,
 * and what is kept of those that are held out.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_train.h"
#include "datasets/pack_folder.h"

/* Held-out traces go into shards as those of `cwm pack` do, so that all that
 * judges by such does so here. */
struct sink {
    struct pack_folder *folder; /* owned */
    struct pack_counts counts;
};

static enum cwm_rc put(void *ctx, const uint32_t *ids, const uint8_t *classes,
                       size_t n, struct cwm_err *err)
{
    struct sink *s = ctx;

    s->counts.records++;
    return pack_folder_add(s->folder, PACK_HELD_OUT, ids, classes, n, err);
}

static enum cwm_rc open_sink(struct sink *s, const struct tokenizer *tokenizer,
                             const char *run, const char *folder,
                             struct cwm_err *err)
{
    const struct pack_folder_options how = {
        .folder = folder,
        .overwrite = true,
        .info = {.tokenizer_hash = tokenizer_hash(tokenizer),
                 .n_ids = tokenizer_n_ids(tokenizer)},
        .shard_tokens = UINT64_MAX,
    };
    bool is_complete;

    if (mkdir(run, 0755) != 0 && errno != EEXIST) {
        return CWM_FAIL(err, CWM_IO, "could not make the folder '%s': %s", run,
                        strerror(errno));
    }
    return pack_folder_open(&how, &s->folder, &s->counts, &is_complete, err);
}

enum cwm_rc train__feed(const struct train_fields *fields,
                        const struct feed_options *options, const char *folder,
                        struct feed **ret_feed, struct cwm_err *err)
{
    struct sink sink = {.folder = NULL};
    struct feed *f = NULL; /* owned */
    enum cwm_rc rc =
        open_sink(&sink, options->tokenizer, fields->out, folder, err);

    if (rc == CWM_OK) {
        rc = feed_new(options, put, &sink, &f, err);
    }
    if (rc == CWM_OK) {
        rc = pack_folder_complete(sink.folder, &sink.counts, err);
    }
    pack_folder_close(sink.folder);
    if (rc != CWM_OK) {
        feed_free(f);
        return rc;
    }
    *ret_feed = f;
    return CWM_OK;
}

void train__say_feed(const struct feed_options *o, struct feed *f,
                     const struct trainer *tr)
{
    struct feed_stats s;
    struct loader_position at;
    uint64_t number;

    feed_stats(f, &s);
    trainer_tell(tr, &at);
    number = o->n_held_out + at.document / o->programs.n_inputs;
    running_say_missing("train", s.missing_walls);
    cli_say("programs of seed %llu from number %llu on, CPython %s, %u "
            "worker%s; held out: %llu programs, %llu traces",
            (unsigned long long)o->seed, (unsigned long long)number, s.python,
            o->n_workers, o->n_workers == 1 ? "" : "s",
            (unsigned long long)o->n_held_out,
            (unsigned long long)s.n_held_out);
}

void train__add_feed(const struct feed_stats *s, struct cwm_buf *out)
{
    cwm_buf_addf(
        out,
        "{\"programs\": %llu, \"traces\": %llu, \"came_before\": "
        "%llu, \"like_held_out\": %llu, \"failed\": %llu, "
        "\"too_long\": %llu, \"held_out_traces\": %llu, \"python\": "
        "\"%s\"}",
        (unsigned long long)s->n_programs, (unsigned long long)s->n_traces,
        (unsigned long long)s->n_twice, (unsigned long long)s->n_similar,
        (unsigned long long)s->n_failed, (unsigned long long)s->n_too_long,
        (unsigned long long)s->n_held_out, s->python);
}
