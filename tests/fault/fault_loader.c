/* SPDX-License-Identifier: MIT */
/*
 * fault_loader.c -- shards written and loaded, and a folder of them filled,
 * while memory or the disk is short.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/model/bpe_train.h"
#include "cwm/model/pack.h"
#include "datasets/loader.h"
#include "datasets/pack_folder.h"
#include "tests/fault/fault.h"

enum { N_TOKENS = 30 };

/*
 * As fault_each_allocation(), for what is written: that the folder's entry
 * could not be synced for want of memory is no failure (io.h).
 */
static void each_allocation(const char *what, fault_body body, void *ctx)
{
    uint64_t nth = 0;
    uint64_t n_ok = 0; /* syncs that did not come about */
    uint64_t asked;

    do {
        struct cwm_err err = {.message = ""};
        enum cwm_rc rc;

        cwm_alloc_fail_nth(++nth, 0);
        rc = body(ctx, &err);
        asked = cwm_alloc_fail_nth(0, 0);
        if (rc != CWM_OK && (rc != CWM_NOMEM || err.message[0] == '\0')) {
            fail_msg("%s: allocation %llu failing: code %d, \"%s\"", what,
                     (unsigned long long)nth, (int)rc, err.message);
        }
        n_ok += rc == CWM_OK && asked >= nth;
    } while (asked >= nth);
    assert_true(nth > 1);
    assert_in_range(n_ok, 0, 8); /* files that are put in place */
}

static char folder[] = "/tmp/cwm-fault-XXXXXX";
static char path[64];
static char packed[64];

static void make_document(uint32_t ids[N_TOKENS], uint8_t classes[N_TOKENS])
{
    for (uint32_t i = 0; i < N_TOKENS; i++) {
        ids[i] = i;
        classes[i] = (uint8_t)(i % SHARD_N_CLASSES);
    }
}

static enum cwm_rc write_shard(void *ctx, struct cwm_err *err)
{
    struct shard_info info = {.tokenizer_hash = 1, .n_ids = 100};
    struct shard_writer *w = NULL; /* owned */
    uint32_t ids[N_TOKENS];
    uint8_t classes[N_TOKENS];
    enum cwm_rc rc = shard_writer_new(path, &info, &w, err);

    (void)ctx;
    make_document(ids, classes);
    for (int i = 0; i < 3 && rc == CWM_OK; i++) {
        rc = shard_writer_add(w, ids, classes, N_TOKENS, err);
    }
    if (rc == CWM_OK) {
        rc = shard_writer_finish(w, err);
    }
    shard_writer_free(w);
    return rc;
}

static enum cwm_rc load(void *ctx, struct cwm_err *err)
{
    const char *paths[] = {path};
    struct loader_options o;
    struct loader *l = NULL; /* owned */
    struct loader_batch batch;
    bool more = true;
    enum cwm_rc rc;

    loader_options_default(&o);
    o.paths = paths;
    o.n_paths = 1;
    o.tokenizer_hash = 1;
    o.n_ids = 100;
    o.n_rows = 2;
    o.row_tokens = 8;
    o.n_epochs = 1;
    o.n_prefetch = *(const unsigned *)ctx;
    rc = loader_open(&o, &l, err);
    while (rc == CWM_OK && more) {
        rc = loader_next(l, &batch, &more, err);
    }
    loader_close(l);
    return rc;
}

static void shard__is_written_or_not_at_all(void **state)
{
    (void)state;
    each_allocation("a shard", write_shard, NULL);
}

static void loader__says_that_memory_is_short(void **state)
{
    unsigned n_prefetch;

    (void)state;
    assert_int_equal(write_shard(NULL, NULL), CWM_OK);
    for (n_prefetch = 0; n_prefetch < 3; n_prefetch += 2) {
        fault_each_allocation("a loader", load, &n_prefetch);
    }
    unlink(path);
}

/* ---- a folder ---- */

static enum cwm_rc fill_folder(void *ctx, struct cwm_err *err)
{
    struct pack_folder_options how = {
        .folder = packed,
        .stamp = "s",
        .info = {.tokenizer_hash = 1, .n_ids = 100},
        .shard_tokens = 60,
        .overwrite = ctx != NULL,
    };
    struct pack_folder *f = NULL; /* owned */
    struct pack_counts counts;
    uint32_t ids[N_TOKENS];
    uint8_t classes[N_TOKENS];
    bool complete = false;
    enum cwm_rc rc = pack_folder_open(&how, &f, &counts, &complete, err);

    make_document(ids, classes);
    while (rc == CWM_OK && !complete && counts.records < 7) {
        rc = pack_folder_add(f, counts.records % 3 ? PACK_TRAIN : PACK_HELD_OUT,
                             ids, classes, N_TOKENS, err);
        counts.records++;
        if (rc == CWM_OK) {
            rc = pack_folder_pass(f, &counts, err);
        }
    }
    if (rc == CWM_OK && !complete) {
        rc = pack_folder_complete(f, &counts, err);
    }
    pack_folder_close(f);
    return rc;
}

static void folder__is_filled_or_not_complete(void **state)
{
    int overwrite = 1;
    char **paths = NULL;
    size_t n = 0;

    (void)state;
    each_allocation("a folder", fill_folder, &overwrite);
    assert_int_equal(loader_find_shards(packed, "train", &paths, &n, NULL),
                     CWM_OK);
    assert_int_equal(n, 2);
    cwm_free(paths);
}

/* jansson's memory is its own: what is counted is ours. */
static void folder__is_taken_up_or_not(void **state)
{
    struct rlimit limit;
    struct rlimit small;
    struct cwm_err err = {.message = ""};
    int overwrite = 1;
    char list[80];

    (void)state;
    assert_int_equal(fill_folder(&overwrite, &err), CWM_OK);
    each_allocation("a complete folder", fill_folder, NULL);
    snprintf(list, sizeof list, "%s/shards.json", packed);
    unlink(list);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 200; /* a header and half a document */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(fill_folder(&overwrite, &err), CWM_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(access(list, F_OK), -1);
    assert_int_equal(fill_folder(NULL, &err), CWM_OK); /* and it goes on */
    assert_int_equal(access(list, F_OK), 0);
}

/* ---- a record ---- */

static enum cwm_rc pack_record(void *ctx, struct cwm_err *err)
{
    static const char record[] =
        "{\"verdict\": \"ok\", \"entry\": \"f\", \"context\": \"def f(a):  # "
        "<< START_OF_TRACE\\n    return a\\n\", \"frames\": [{\"event\": "
        "\"call\", \"locals\": {\"a\": \"1\"}, \"source\": \"def f(a):\\n\", "
        "\"arg\": null}, {\"event\": \"return\", \"locals\": null, "
        "\"source\": \"    return a\\n\", \"arg\": \"1\"}]}";
    struct trace_packer *p = NULL; /* owned */
    struct packed_trace trace;
    enum cwm_rc rc = trace_packer_new(ctx, &p, err);

    if (rc == CWM_OK) {
        rc = trace_pack(p, record, sizeof record - 1, &trace, err);
    }
    trace_packer_free(p);
    return rc;
}

static void record__is_packed_or_says_that_memory_is_short(void **state)
{
    struct bpe_train_options options = {.vocab_size = BPE_TRAIN_MIN_VOCAB,
                                        .n_threads = 1,
                                        .min_count = 2,
                                        .max_token_bytes = 2};
    struct bpe_trainer *trainer = NULL;
    struct tokenizer *t = NULL;

    (void)state;
    assert_int_equal(bpe_trainer_new(&options, &trainer, NULL), CWM_OK);
    assert_int_equal(bpe_trainer_finish(trainer, &t, NULL), CWM_OK);
    bpe_trainer_free(trainer);
    fault_each_allocation("a record", pack_record, t);
    tokenizer_free(t);
}

static int make_folder(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/a.shard", folder);
    snprintf(packed, sizeof packed, "%s/packed", folder);
    return 0;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {
        "train-00000.shard",    "train-00001.shard",    "held-out-00000.shard",
        "held-out-00001.shard", "held-out-00002.shard", "train-00002.shard",
        "shards.json"};
    char name[128];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(name, sizeof name, "%s/%s", packed, names[i]);
        unlink(name);
    }
    unlink(path);
    rmdir(packed);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shard__is_written_or_not_at_all),
        cmocka_unit_test(loader__says_that_memory_is_short),
        cmocka_unit_test(folder__is_filled_or_not_complete),
        cmocka_unit_test(folder__is_taken_up_or_not),
        cmocka_unit_test(record__is_packed_or_says_that_memory_is_short),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
