/* SPDX-License-Identifier: MIT */
/* test_pack_folder.c -- stopped after any record and gone on with: the same
 * bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/io.h"
#include "datasets/pack_folder.h"

enum { N_RECORDS = 11, N_TOKENS = 10 };

static char root[] = "/tmp/cwm-pack-XXXXXX";

static const char *const names[] = {
    "train-00000.shard",    "train-00001.shard",    "train-00002.shard",
    "train-00003.shard",    "held-out-00000.shard", "held-out-00001.shard",
    "held-out-00002.shard", "held-out-00003.shard", "shards.json",
    "pack.resume"};

enum { N_NAMES = sizeof names / sizeof *names };

/* Go on until `stop` records are in, or to the end. */
static enum cwm_rc fill(const char *folder, const char *stamp, uint64_t stop,
                        struct cwm_err *err)
{
    struct pack_folder_options how = {
        .folder = folder,
        .stamp = stamp,
        .info = {.tokenizer_hash = 1, .n_ids = 100},
        .shard_tokens = 2 * N_TOKENS,
    };
    struct pack_folder *f = NULL;
    struct pack_counts counts;
    uint32_t ids[N_TOKENS];
    uint8_t classes[N_TOKENS] = {0};
    bool complete = false;
    enum cwm_rc rc = pack_folder_open(&how, &f, &counts, &complete, err);

    while (rc == CWM_OK && !complete && counts.records < stop) {
        for (uint32_t i = 0; i < N_TOKENS; i++) {
            ids[i] = (uint32_t)counts.records + i;
        }
        rc = pack_folder_add(f, counts.records % 4 ? PACK_TRAIN : PACK_HELD_OUT,
                             ids, classes, N_TOKENS, err);
        counts.records++;
        if (rc == CWM_OK) {
            rc = pack_folder_pass(f, &counts, err);
        }
    }
    if (rc == CWM_OK && !complete && stop >= N_RECORDS) {
        rc = pack_folder_complete(f, &counts, err);
    }
    pack_folder_close(f);
    return rc;
}

static void path_of(char path[160], const char *folder, const char *name)
{
    snprintf(path, 160, "%s/%s", folder, name);
}

static void assert_same(const char *a, const char *b, const char *name)
{
    struct cwm_buf x;
    struct cwm_buf y;
    char path[160];

    cwm_buf_init(&x, 1 << 20);
    cwm_buf_init(&y, 1 << 20);
    path_of(path, a, name);
    if (access(path, F_OK) == 0) {
        assert_int_equal(io_read_file(path, &x, NULL), CWM_OK);
    }
    path_of(path, b, name);
    if (access(path, F_OK) == 0) {
        assert_int_equal(io_read_file(path, &y, NULL), CWM_OK);
    }
    if (x.len != y.len || (x.len > 0 && memcmp(x.data, y.data, x.len) != 0)) {
        fail_msg("%s differs: %zu and %zu bytes", name, x.len, y.len);
    }
    cwm_buf_release(&x);
    cwm_buf_release(&y);
}

static void clear(const char *folder)
{
    char path[160];

    for (size_t i = 0; i < N_NAMES; i++) {
        path_of(path, folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(folder), 0); /* and nothing else is left */
}

static void folder__goes_on_after_any_record(void **state)
{
    char whole[100];
    char parts[100];
    char path[160];
    struct cwm_err err = {.message = ""};

    (void)state;
    snprintf(whole, sizeof whole, "%s/whole", root);
    snprintf(parts, sizeof parts, "%s/parts", root);
    assert_int_equal(fill(whole, "s", N_RECORDS, &err), CWM_OK);
    for (uint64_t stop = 0; stop < N_RECORDS; stop++) {
        assert_int_equal(fill(parts, "s", stop, &err), CWM_OK);
        path_of(path, parts, "shards.json");
        assert_int_equal(access(path, F_OK), -1); /* not complete */
        if (stop > 3) { /* there is a note: of these settings only */
            assert_int_equal(fill(parts, "other", N_RECORDS, &err), CWM_USAGE);
            assert_non_null(strstr(err.message, "--overwrite"));
        }
        assert_int_equal(fill(parts, "s", N_RECORDS, &err), CWM_OK);
        for (size_t i = 0; i < N_NAMES; i++) {
            assert_same(whole, parts, names[i]);
        }
        assert_int_equal(fill(parts, "s", N_RECORDS, &err), CWM_OK);
        clear(parts);
    }
    clear(whole);
}

static void folder__without_a_shard_is_not_gone_on_with(void **state)
{
    char folder[100];
    char path[160];
    struct cwm_err err = {.message = ""};

    (void)state;
    snprintf(folder, sizeof folder, "%s/gone", root);
    assert_int_equal(fill(folder, "s", 6, &err), CWM_OK);
    path_of(path, folder, "train-00000.shard");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(fill(folder, "s", N_RECORDS, &err), CWM_IO);
    assert_non_null(strstr(err.message, "train-00000.shard"));
    clear(folder);
}

static void split__is_by_the_hash(void **state)
{
    unsigned n = 0;

    (void)state;
    for (uint64_t i = 0; i < 10000; i++) {
        uint64_t hash = i * UINT64_C(0x9E3779B97F4A7C15);

        n += pack_split_of(hash, 0.1) == PACK_HELD_OUT;
        assert_int_equal(pack_split_of(hash, 0), PACK_TRAIN);
        assert_int_equal(pack_split_of(hash, 1), PACK_HELD_OUT);
        assert_true(pack_split_of(hash, 0.1) == PACK_TRAIN ||
                    pack_split_of(hash, 0.2) == PACK_HELD_OUT);
    }
    assert_in_range(n, 900, 1100);
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folder__goes_on_after_any_record),
        cmocka_unit_test(folder__without_a_shard_is_not_gone_on_with),
        cmocka_unit_test(split__is_by_the_hash),
    };

    return cmocka_run_group_tests(tests, make_root, remove_root);
}
