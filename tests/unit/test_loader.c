/* SPDX-License-Identifier: MIT */
/*
 * test_loader.c -- every token once, in an order that can be gone on with.
 *
 * Token i of document d is the id d * 1000 + i, so that a batch tells where
 * each of its tokens comes from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "datasets/loader.h"
#include "datasets/loader_internal.h"

#define HASH UINT64_C(0xFEDCBA9876543210)

enum {
    N_SHARDS = 70, /* more than are open at once */
    PER_SHARD = 3,
    N_DOCUMENTS = N_SHARDS * PER_SHARD,
    MAX_TOKENS = 61,
    N_IDS = N_DOCUMENTS * 1000,
    B = 4,
    T = 32,
};

static char folder[] = "/tmp/cwm-loader-XXXXXX";
static char names[N_SHARDS][64];
static const char *paths[N_SHARDS];

static unsigned length_of(unsigned d)
{
    return 1 + d * 7 % MAX_TOKENS;
}

static uint8_t class_of(unsigned d, unsigned i)
{
    return (uint8_t)((d + i) % SHARD_N_CLASSES);
}

static void write_shard(unsigned shard)
{
    struct shard_info info = {.tokenizer_hash = HASH, .n_ids = N_IDS};
    struct shard_writer *w = NULL;
    uint32_t ids[MAX_TOKENS];
    uint8_t classes[MAX_TOKENS];

    assert_int_equal(shard_writer_new(names[shard], &info, &w, NULL), CWM_OK);
    for (unsigned d = shard * PER_SHARD; d < (shard + 1) * PER_SHARD; d++) {
        for (unsigned i = 0; i < length_of(d); i++) {
            ids[i] = d * 1000 + i;
            classes[i] = class_of(d, i);
        }
        assert_int_equal(shard_writer_add(w, ids, classes, length_of(d), NULL),
                         CWM_OK);
    }
    assert_int_equal(shard_writer_finish(w, NULL), CWM_OK);
    shard_writer_free(w);
}

static struct loader_options ordinary(void)
{
    struct loader_options o;

    loader_options_default(&o);
    o.paths = paths;
    o.n_paths = N_SHARDS;
    o.tokenizer_hash = HASH;
    o.n_ids = N_IDS;
    o.n_rows = B;
    o.row_tokens = T;
    o.seed = 5;
    o.weights[SHARD_CONTEXT] = 0;
    o.weights[SHARD_OBSERVATION] = 0.5F;
    o.weights[SHARD_ACTION] = 1;
    o.weights[SHARD_ARGUMENT] = 2;
    return o;
}

static struct loader *open_loader(const struct loader_options *o)
{
    struct loader *l = NULL;
    struct cwm_err err = {.message = ""};

    if (loader_open(o, &l, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    return l;
}

static bool next(struct loader *l, struct loader_batch *batch)
{
    struct cwm_err err = {.message = ""};
    bool more = false;

    if (loader_next(l, batch, &more, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    return more;
}

/* ---- what is in a batch ---- */

struct seen {
    unsigned n[N_DOCUMENTS][MAX_TOKENS];
};

/* One token: its target, its weight, and that its document is not broken. */
static void check_token(const struct loader_options *o,
                        const struct loader_batch *b, size_t at, uint32_t t,
                        struct seen *seen)
{
    unsigned d = b->ids[at] / 1000;
    unsigned i = b->ids[at] % 1000;
    bool is_padding = b->starts[at] == t && b->targets[at] == 0;

    if (is_padding) {
        assert_int_equal(b->ids[at], 0);
        assert_true(b->weights[at] >= 0 && b->weights[at] <= 0);
        return;
    }
    assert_in_range(d, 0, N_DOCUMENTS - 1);
    assert_true(i + 1 < length_of(d));
    assert_int_equal(b->targets[at], b->ids[at] + 1);
    assert_memory_equal(&b->weights[at], &o->weights[class_of(d, i + 1)],
                        sizeof(float));
    assert_in_range(b->starts[at], 0, t);
    if (b->starts[at] < t) {
        assert_int_equal(b->ids[at - 1] + 1, b->ids[at]);
        assert_int_equal(b->starts[at - 1], b->starts[at]);
    }
    seen->n[d][i]++;
}

static void check_batch(const struct loader_options *o,
                        const struct loader_batch *b, struct seen *seen)
{
    double sum = 0;
    uint64_t n = 0;
    uint32_t n_rows = o->n_rows / o->world;

    for (size_t at = 0; at < (size_t)n_rows * o->row_tokens; at++) {
        check_token(o, b, at, (uint32_t)(at % o->row_tokens), seen);
        sum += (double)b->weights[at];
        n += b->weights[at] > 0;
    }
    assert_true(b->weight_sum >= sum && b->weight_sum <= sum);
    assert_int_equal(b->n_targets, n);
}

/* How often token i of a document of `length` is to be seen. */
static unsigned wanted(const struct loader_options *o, unsigned length,
                       unsigned i)
{
    bool is_long = o->packing == LOADER_WHOLE && length - 1 > o->row_tokens;

    if (is_long && o->long_documents == LOADER_LONG_DROP) {
        return 0;
    }
    if (is_long && o->long_documents == LOADER_LONG_CUT) {
        return i < o->row_tokens;
    }
    return 1;
}

static void check_epoch(const struct loader_options *o)
{
    static struct seen seen;
    uint64_t n_tokens = 0;
    uint64_t n_wanted = 0;

    memset(&seen, 0, sizeof seen);
    for (unsigned rank = 0; rank < o->world; rank++) {
        struct loader_options mine = *o;
        struct loader_batch batch;
        struct loader *l;

        mine.rank = rank;
        mine.n_epochs = 1;
        l = open_loader(&mine);
        while (next(l, &batch)) {
            check_batch(&mine, &batch, &seen);
            n_tokens += batch.n_tokens;
        }
        assert_false(next(l, &batch)); /* and so it stays */
        loader_close(l);
    }
    for (unsigned d = 0; d < N_DOCUMENTS; d++) {
        for (unsigned i = 0; i + 1 < length_of(d); i++) {
            if (seen.n[d][i] != wanted(o, length_of(d), i)) {
                fail_msg("document %u of %u tokens: token %u %u times", d,
                         length_of(d), i, seen.n[d][i]);
            }
            n_wanted += seen.n[d][i];
        }
    }
    assert_int_equal(n_tokens, n_wanted);
}

static void epoch__has_every_token_once(void **state)
{
    struct loader_options o = ordinary();

    (void)state;
    for (o.world = 1; o.world <= 4; o.world *= 2) {
        for (o.n_prefetch = 0; o.n_prefetch < 4; o.n_prefetch += 3) {
            o.packing = LOADER_STREAM;
            check_epoch(&o);
            o.packing = LOADER_WHOLE;
            o.long_documents = LOADER_LONG_SPLIT;
            check_epoch(&o);
            o.long_documents = LOADER_LONG_CUT;
            check_epoch(&o);
            o.long_documents = LOADER_LONG_DROP;
            check_epoch(&o);
            o.in_order = !o.in_order;
        }
    }
}

static void stream__leaves_no_padding(void **state)
{
    struct loader_options o = ordinary();
    struct loader_batch batch;
    struct loader *l = open_loader(&o);

    (void)state;
    for (int i = 0; i < 100; i++) { /* over the ends of epochs */
        assert_true(next(l, &batch));
        assert_int_equal(batch.n_tokens, B * T);
    }
    assert_true(batch.epoch > 0);
    loader_close(l);
}

/* ---- order ---- */

static void order__is_a_permutation(void **state)
{
    uint8_t hit[500];

    (void)state;
    for (uint64_t n = 1; n < sizeof hit; n += 1 + n / 16) {
        memset(hit, 0, sizeof hit);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t to = loader__permute(i, n, loader__key(1, n));

            assert_in_range(to, 0, n - 1);
            hit[to]++;
        }
        for (uint64_t i = 0; i < n; i++) {
            assert_int_equal(hit[i], 1);
        }
    }
    assert_in_range(loader__permute(UINT64_MAX - 1, UINT64_MAX, 3), 0,
                    UINT64_MAX - 1);
}

/* The place that a number goes to is about anywhere. */
static void order__is_spread_out(void **state)
{
    unsigned count[10] = {0};
    uint64_t n = 1000;

    (void)state;
    for (uint64_t epoch = 0; epoch < 1000; epoch++) {
        count[loader__permute(17, n, loader__key(3, epoch)) * 10 / n]++;
    }
    for (int i = 0; i < 10; i++) {
        assert_in_range(count[i], 60, 140); /* 4 standard deviations */
    }
}

static void first_ids(const struct loader_options *o, uint64_t n_batches,
                      uint32_t ids[B * T])
{
    struct loader_batch batch = {0};
    struct loader *l = open_loader(o);

    for (uint64_t i = 0; i < n_batches; i++) {
        assert_true(next(l, &batch));
    }
    memcpy(ids, batch.ids, B * T * sizeof *ids);
    loader_close(l);
}

static void order__depends_on_the_seed(void **state)
{
    struct loader_options o = ordinary();
    uint32_t a[B * T];
    uint32_t b[B * T];

    (void)state;
    first_ids(&o, 1, a);
    first_ids(&o, 1, b);
    assert_memory_equal(a, b, sizeof a);
    o.seed++;
    first_ids(&o, 1, b);
    assert_memory_not_equal(a, b, sizeof a);
    o.in_order = true;
    first_ids(&o, 1, a);
    assert_int_equal(a[0], 1000); /* document 0 has one token: no input */
}

static void ranks__share_out_the_batch(void **state)
{
    struct loader_options o = ordinary();
    struct loader_batch all;
    struct loader_batch part;
    struct loader *whole;
    struct loader *ranks[2];

    (void)state;
    o.packing = LOADER_WHOLE;
    whole = open_loader(&o);
    o.world = 2;
    for (o.rank = 0; o.rank < 2; o.rank++) {
        ranks[o.rank] = open_loader(&o);
    }
    for (int i = 0; i < 60; i++) {
        uint64_t n_tokens = 0;

        assert_true(next(whole, &all));
        for (unsigned r = 0; r < 2; r++) {
            size_t at = (size_t)r * (B / 2) * T;
            size_t n = (size_t)(B / 2) * T;

            assert_true(next(ranks[r], &part));
            assert_memory_equal(part.ids, all.ids + at, n * 4);
            assert_memory_equal(part.targets, all.targets + at, n * 4);
            assert_memory_equal(part.weights, all.weights + at, n * 4);
            assert_memory_equal(part.starts, all.starts + at, n * 4);
            n_tokens += part.n_tokens;
        }
        assert_int_equal(n_tokens, all.n_tokens);
    }
    loader_close(whole);
    loader_close(ranks[0]);
    loader_close(ranks[1]);
}

/* ---- positions ---- */

enum { N_BATCHES = 90 };

static void check_continuation(const struct loader_options *o)
{
    static uint32_t ids[N_BATCHES][B * T];
    static struct loader_position at[N_BATCHES];
    struct loader_options other = *o;
    struct loader_batch batch;
    struct loader *l = open_loader(o);
    int n = 0;

    for (; n < N_BATCHES; n++) {
        loader_position(l, &at[n]);
        assert_int_equal(at[n].batch, n);
        if (!next(l, &batch)) {
            break;
        }
        memcpy(ids[n], batch.ids, sizeof ids[n]);
    }
    loader_close(l);
    other.n_prefetch = o->n_prefetch ? 0 : 3;
    for (int k = n; k-- > 0;) {
        l = open_loader(&other);
        assert_int_equal(loader_seek(l, &at[k], NULL), CWM_OK);
        for (int i = k; i < n && i < k + 3; i++) {
            assert_true(next(l, &batch));
            assert_memory_equal(batch.ids, ids[i], sizeof ids[i]);
        }
        assert_int_equal(loader_seek(l, &at[0], NULL), CWM_OK);
        assert_true(next(l, &batch)); /* and back again */
        assert_memory_equal(batch.ids, ids[0], sizeof ids[0]);
        loader_close(l);
    }
}

static void position__goes_on_exactly_at_every_batch(void **state)
{
    struct loader_options o = ordinary();

    (void)state;
    for (o.n_prefetch = 0; o.n_prefetch < 3; o.n_prefetch += 2) {
        o.packing = LOADER_STREAM;
        check_continuation(&o);
        o.packing = LOADER_WHOLE;
        check_continuation(&o);
        o.n_epochs = 1;
        o.long_documents = LOADER_LONG_CUT;
        check_continuation(&o);
    }
}

static void position__of_other_shards_is_refused(void **state)
{
    struct loader_options o = ordinary();
    struct loader_position at;
    struct loader *l = open_loader(&o);

    (void)state;
    loader_position(l, &at);
    loader_close(l);
    o.n_paths--;
    l = open_loader(&o);
    assert_int_equal(loader_seek(l, &at, NULL), CWM_USAGE);
    loader_close(l);
    o.n_paths++;
    o.seed++;
    l = open_loader(&o);
    assert_int_equal(loader_seek(l, &at, NULL), CWM_USAGE);
    loader_close(l);
    o.seed--;
    o.n_rows = 2; /* another batch: the documents come in the same order */
    l = open_loader(&o);
    assert_int_equal(loader_seek(l, &at, NULL), CWM_OK);
    at.document = N_DOCUMENTS + 1;
    assert_int_equal(loader_seek(l, &at, NULL), CWM_USAGE);
    loader_close(l);
}

/* ---- what is refused ---- */

static void assert_not_opened(const struct loader_options *o, enum cwm_rc want,
                              const char *what)
{
    struct loader *l = NULL;
    struct cwm_err err = {.message = ""};
    enum cwm_rc rc = loader_open(o, &l, &err);

    if (rc != want || !strstr(err.message, what)) {
        fail_msg("not '%s' but code %d, '%s'", what, (int)rc, err.message);
    }
}

static void loader__refuses_what_does_not_fit(void **state)
{
    struct loader_options o = ordinary();

    (void)state;
    o.tokenizer_hash++;
    assert_not_opened(&o, CWM_FORMAT, "tokenizer fedcba9876543210");
    o = ordinary();
    o.n_ids--;
    assert_not_opened(&o, CWM_FORMAT, "the model knows");
    o = ordinary();
    o.n_paths = 0;
    assert_not_opened(&o, CWM_USAGE, "no shards");
    o = ordinary();
    o.world = 3;
    assert_not_opened(&o, CWM_USAGE, "share of 4 rows");
    o.world = 2;
    o.rank = 2;
    assert_not_opened(&o, CWM_USAGE, "rank 2 of 2");
    o = ordinary();
    o.row_tokens = 0;
    assert_not_opened(&o, CWM_USAGE, "rows of 0 tokens");
    o = ordinary();
    o.weights[1] = -1;
    assert_not_opened(&o, CWM_USAGE, "weight");
    o = ordinary();
    o.packing = LOADER_WHOLE;
    o.long_documents = LOADER_LONG_DROP;
    o.row_tokens = 1;
    o.n_paths = 2; /* its documents have 1 token, or more than 2 */
    {
        struct loader_batch batch;
        struct cwm_err err = {.message = ""};
        struct loader *l = open_loader(&o);
        bool more;

        assert_int_equal(loader_next(l, &batch, &more, &err), CWM_USAGE);
        assert_non_null(strstr(err.message, "no document fits"));
        loader_close(l);
    }
}

/* The batches before come, then the error, then, repaired, the rest. */
static void loader__goes_on_behind_a_damage_that_was_repaired(void **state)
{
    struct loader_options o = ordinary();
    struct cwm_err err = {.message = ""};
    struct loader_position at;
    struct loader_batch batch;
    struct cwm_buf whole;
    struct loader *l;
    enum cwm_rc rc;
    bool more = true;
    int n = 0;

    (void)state;
    o.n_epochs = 1;
    o.in_order = true;
    cwm_buf_init(&whole, 1 << 16);
    assert_int_equal(io_read_file(names[60], &whole, NULL), CWM_OK);
    whole.data[SHARD_HEADER_BYTES + 3] ^= 1;
    io_replace_file(names[60], whole.data, whole.len, NULL);
    l = open_loader(&o);
    while ((rc = loader_next(l, &batch, &more, &err)) == CWM_OK && more) {
        n++;
    }
    assert_int_equal(rc, CWM_FORMAT);
    assert_non_null(strstr(err.message, names[60]));
    assert_true(n > 10);
    loader_position(l, &at);
    assert_int_equal(at.batch, n);
    assert_int_equal(loader_next(l, &batch, &more, &err), CWM_FORMAT);
    write_shard(60);
    assert_int_equal(loader_seek(l, &at, NULL), CWM_OK);
    while (next(l, &batch)) {
        n++;
    }
    loader_close(l);
    l = open_loader(&o);
    while (next(l, &batch)) {
        n--;
    }
    assert_int_equal(n, 0);
    loader_close(l);
    cwm_buf_release(&whole);
}

/* ---- the folder's list ---- */

static enum cwm_rc find(const char *list, size_t *ret_n, char *first,
                        struct cwm_err *err)
{
    char path[128];
    char **found = NULL;
    enum cwm_rc rc;

    snprintf(path, sizeof path, "%s/shards.json", folder);
    if (list) {
        io_replace_file(path, list, strlen(list), NULL);
    } else {
        unlink(path);
    }
    rc = loader_find_shards(folder, "train", &found, ret_n, err);
    if (rc == CWM_OK && *ret_n > 0) {
        snprintf(first, 128, "%s", found[0]);
    } else {
        /* a caller that has no shard frees nothing */
        assert_null(found);
    }
    cwm_free(found);
    unlink(path);
    return rc;
}

static void folder__names_its_shards(void **state)
{
    struct cwm_err err = {.message = ""};
    char first[128] = "";
    size_t n = 9;

    (void)state;
    assert_int_equal(
        find("{\"format\": 1, \"splits\": {\"train\": {\"shards\": [\"a\", "
             "\"b\"]}}}",
             &n, first, &err),
        CWM_OK);
    assert_int_equal(n, 2);
    assert_string_equal(first + strlen(folder), "/a");
    assert_int_equal(
        find("{\"format\": 1, \"splits\": {\"train\": {\"shards\": []}}}", &n,
             first, &err),
        CWM_OK);
    assert_int_equal(n, 0);
    assert_int_equal(
        find(
            "{\"format\": 1, \"splits\": {\"train\": {\"shards\": [\"../a\"]}}}",
            &n, first, &err),
        CWM_FORMAT);
    assert_int_equal(find("{\"format\": 2, \"splits\": {\"train\": "
                          "{\"shards\": []}}}",
                          &n, first, &err),
                     CWM_FORMAT);
    assert_non_null(strstr(err.message, "its \"format\" is not 1"));
    assert_int_equal(find("{\"format\": 1}", &n, first, &err), CWM_FORMAT);
    assert_int_equal(find("{}", &n, first, &err), CWM_FORMAT);
    assert_int_equal(find("oops", &n, first, &err), CWM_FORMAT);
    assert_int_equal(find(NULL, &n, first, &err), CWM_USAGE);
    assert_non_null(strstr(err.message, "cwm pack"));
}

static int make_shards(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    for (unsigned i = 0; i < N_SHARDS; i++) {
        snprintf(names[i], sizeof names[i], "%s/%03u.shard", folder, i);
        paths[i] = names[i];
        write_shard(i);
    }
    return 0;
}

static int remove_shards(void **state)
{
    (void)state;
    for (unsigned i = 0; i < N_SHARDS; i++) {
        unlink(names[i]);
    }
    return rmdir(folder);
}

/* ---- documents that are made ---- */

/* Every third one is left out; document d has the ids d * 1000 + i. */
struct made {
    uint64_t last; /* number that was asked for last */
    bool is_never; /* all are left out */
};

static enum cwm_rc made_length(void *ctx, uint64_t number, uint64_t *ret_tokens,
                               struct cwm_err *err)
{
    struct made *m = ctx;

    (void)err;
    m->last = number;
    *ret_tokens = number % 3 == 0 || m->is_never ? 0 : 5 + number % 7;
    return CWM_OK;
}

static enum cwm_rc made_read(void *ctx, uint64_t number,
                             struct shard_document *document,
                             struct cwm_err *err)
{
    (void)ctx;
    (void)err;
    if (!document->ids) {
        document->ids = cwm_calloc(16, sizeof *document->ids);
        document->classes = cwm_calloc(16, sizeof *document->classes);
        document->capacity = 16;
    }
    document->n = 5 + (size_t)number % 7;
    for (uint32_t i = 0; i < document->n; i++) {
        document->ids[i] = (uint32_t)number * 1000 + i;
        document->classes[i] = SHARD_ACTION;
    }
    return CWM_OK;
}

static void loader__takes_documents_that_are_made(void **state)
{
    struct made made = {.last = 0};
    const struct loader_source source = {.ctx = &made,
                                         .n_documents = UINT64_MAX,
                                         .fingerprint = 7,
                                         .length = made_length,
                                         .read = made_read};
    struct loader_options o = ordinary();
    struct loader_position at;
    struct loader_batch batch;
    uint32_t first[B * T];
    struct loader *l;

    (void)state;
    o.paths = NULL;
    o.n_paths = 0;
    o.source = &source;
    assert_int_equal(loader_open(&o, &l, NULL), CWM_USAGE); /* to be shuffled */
    o.in_order = true;
    l = open_loader(&o);
    assert_true(next(l, &batch));
    assert_int_equal(batch.ids[0], 1000);
    assert_int_equal(batch.ids[5], 2000); /* 1 has six tokens, five inputs */
    assert_int_equal(batch.ids[5 + 6], 4000);
    loader_position(l, &at);
    assert_true(next(l, &batch));
    memcpy(first, batch.ids, sizeof first);
    assert_true(next(l, &batch));
    assert_int_equal(loader_seek(l, &at, NULL), CWM_OK);
    assert_true(next(l, &batch));
    assert_memory_equal(first, batch.ids, sizeof first);
    at.fingerprint++;
    assert_int_equal(loader_seek(l, &at, NULL), CWM_USAGE);
    loader_close(l);
}

static void loader__gives_up_when_all_that_is_made_is_left_out(void **state)
{
    struct made made = {.is_never = true};
    const struct loader_source source = {.ctx = &made,
                                         .n_documents = UINT64_MAX,
                                         .length = made_length,
                                         .read = made_read};
    struct loader_options o = ordinary();
    struct loader_batch batch;
    struct cwm_err err;
    struct loader *l;
    bool more;

    (void)state;
    o.paths = NULL;
    o.n_paths = 0;
    o.source = &source;
    o.in_order = true;
    l = open_loader(&o);
    assert_int_equal(loader_next(l, &batch, &more, &err), CWM_USAGE);
    assert_non_null(strstr(err.message, "no document fits"));
    loader_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epoch__has_every_token_once),
        cmocka_unit_test(stream__leaves_no_padding),
        cmocka_unit_test(order__is_a_permutation),
        cmocka_unit_test(order__is_spread_out),
        cmocka_unit_test(order__depends_on_the_seed),
        cmocka_unit_test(ranks__share_out_the_batch),
        cmocka_unit_test(position__goes_on_exactly_at_every_batch),
        cmocka_unit_test(position__of_other_shards_is_refused),
        cmocka_unit_test(loader__refuses_what_does_not_fit),
        cmocka_unit_test(loader__goes_on_behind_a_damage_that_was_repaired),
        cmocka_unit_test(folder__names_its_shards),
        cmocka_unit_test(loader__takes_documents_that_are_made),
        cmocka_unit_test(loader__gives_up_when_all_that_is_made_is_left_out),
    };

    return cmocka_run_group_tests(tests, make_shards, remove_shards);
}
