/* SPDX-License-Identifier: MIT */
/* test_shard.c -- shards written, read, cut, and with every bit wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/io.h"
#include "datasets/shard.h"

#define HASH UINT64_C(0x0123456789ABCDEF)

static char folder[] = "/tmp/cwm-shard-XXXXXX";
static char path[64];

static void write_shard(uint64_t n_ids, unsigned n_documents)
{
    struct shard_info info = {.tokenizer_hash = HASH, .n_ids = n_ids};
    struct shard_writer *w = NULL;
    uint32_t ids[40];
    uint8_t classes[40];

    assert_int_equal(shard_writer_new(path, &info, &w, NULL), CWM_OK);
    for (unsigned d = 0; d < n_documents; d++) {
        for (unsigned i = 0; i <= d; i++) {
            ids[i] = (uint32_t)(n_ids - 1 - i);
            classes[i] = (uint8_t)((d + i) % SHARD_N_CLASSES);
        }
        assert_int_equal(shard_writer_add(w, ids, classes, d + 1, NULL),
                         CWM_OK);
    }
    assert_int_equal(access(path, F_OK), -1); /* not there before its end */
    assert_int_equal(shard_writer_finish(w, NULL), CWM_OK);
    shard_writer_free(w);
}

/* Without the sync that io_replace_file() does: many times over. */
static void put_file(const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void assert_documents(uint64_t n_ids, uint32_t id_bytes, unsigned n)
{
    struct shard_reader *r = NULL;
    struct shard_document d = {0};
    const struct shard_info *info;
    uint64_t length = 0;

    assert_int_equal(shard_reader_open(path, &r, NULL), CWM_OK);
    info = shard_reader_info(r);
    assert_int_equal(info->id_bytes, id_bytes);
    assert_int_equal(info->tokenizer_hash, HASH);
    assert_int_equal(info->n_ids, n_ids);
    assert_int_equal(info->n_documents, n);
    assert_int_equal(info->n_tokens, n * (n + 1) / 2);
    for (unsigned k = n; k-- > 0;) { /* longest first: no reallocation hides */
        assert_int_equal(shard_reader_length(r, k, &length, NULL), CWM_OK);
        assert_int_equal(length, k + 1);
        assert_int_equal(shard_read(r, k, &d, NULL), CWM_OK);
        assert_int_equal(d.n, k + 1);
        for (unsigned i = 0; i <= k; i++) {
            assert_int_equal(d.ids[i], n_ids - 1 - i);
            assert_int_equal(d.classes[i], (k + i) % SHARD_N_CLASSES);
        }
    }
    assert_int_equal(shard_read(r, n, &d, NULL), CWM_FORMAT);
    assert_int_equal(shard_check(r, NULL), CWM_OK);
    shard_document_release(&d);
    shard_reader_close(r);
}

static void shard__gives_back_what_was_written(void **state)
{
    (void)state;
    write_shard(65536, 37);
    assert_documents(65536, 2, 37);
    unlink(path);
    write_shard(65537, 37);
    assert_documents(65537, 4, 37);
    unlink(path);
    write_shard(300, 0);
    assert_documents(300, 2, 0);
    unlink(path);
}

/* Open and check all; what went wrong. */
static enum cwm_rc open_and_check(struct cwm_err *err)
{
    struct shard_reader *r = NULL;
    enum cwm_rc rc = shard_reader_open(path, &r, err);

    if (rc == CWM_OK) {
        rc = shard_check(r, err);
    }
    shard_reader_close(r);
    return rc;
}

static void assert_refused(const char *what)
{
    struct cwm_err err = {.message = ""};
    enum cwm_rc rc = open_and_check(&err);

    if (rc != CWM_FORMAT || !strstr(err.message, what)) {
        fail_msg("not '%s' but code %d, '%s'", what, (int)rc, err.message);
    }
}

static void shard__is_refused_when_it_is_cut_or_longer(void **state)
{
    struct cwm_buf whole;

    (void)state;
    write_shard(1000, 9);
    cwm_buf_init(&whole, 1 << 16);
    assert_int_equal(io_read_file(path, &whole, NULL), CWM_OK);
    for (size_t len = 0; len < whole.len; len++) {
        put_file(whole.data, len);
        assert_refused("cut off");
    }
    cwm_buf_addc(&whole, 0);
    put_file(whole.data, whole.len);
    assert_refused("too long");
    cwm_buf_release(&whole);
    unlink(path);
}

static void shard__is_refused_with_any_bit_wrong(void **state)
{
    struct cwm_buf whole;

    (void)state;
    write_shard(70000, 9);
    cwm_buf_init(&whole, 1 << 16);
    assert_int_equal(io_read_file(path, &whole, NULL), CWM_OK);
    for (size_t bit = 0; bit < whole.len * 8; bit++) {
        whole.data[bit / 8] ^= (char)(1u << bit % 8);
        put_file(whole.data, whole.len);
        assert_int_equal(open_and_check(NULL), CWM_FORMAT);
        whole.data[bit / 8] ^= (char)(1u << bit % 8);
    }
    cwm_buf_release(&whole);
    unlink(path);
}

static void shard__says_what_is_wrong(void **state)
{
    struct cwm_buf whole;
    struct cwm_err err = {.message = ""};

    (void)state;
    assert_int_equal(open_and_check(&err), CWM_IO);
    assert_non_null(strstr(err.message, "could not open"));
    write_shard(1000, 9);
    cwm_buf_init(&whole, 1 << 16);
    assert_int_equal(io_read_file(path, &whole, NULL), CWM_OK);
    whole.data[8] = 2;
    put_file(whole.data, whole.len);
    assert_refused("version 2, not 1");
    whole.data[8] = 1;
    whole.data[33] ^= 1;
    put_file(whole.data, whole.len);
    assert_refused("header is damaged");
    whole.data[33] ^= 1;
    whole.data[130] ^= 1;
    put_file(whole.data, whole.len);
    assert_refused("document 0: its bytes");
    put_file("{\"id\": 1}\n", 10);
    assert_refused("cut off");
    memset(whole.data, 'x', whole.len);
    put_file(whole.data, whole.len);
    assert_refused("no shard");
    cwm_buf_release(&whole);
    unlink(path);
}

static void writer__takes_no_token_out_of_range(void **state)
{
    struct shard_info info = {.tokenizer_hash = HASH, .n_ids = 10};
    struct shard_writer *w = NULL;
    struct shard_info now;

    (void)state;
    assert_int_equal(shard_writer_new(path, &info, &w, NULL), CWM_OK);
    assert_int_equal(
        shard_writer_add(w, (uint32_t[]){10}, (uint8_t[]){0}, 1, NULL),
        CWM_USAGE);
    assert_int_equal(
        shard_writer_add(w, (uint32_t[]){9}, (uint8_t[]){4}, 1, NULL),
        CWM_USAGE);
    assert_int_equal(shard_writer_add(w, NULL, NULL, 0, NULL), CWM_USAGE);
    assert_int_equal(
        shard_writer_add(w, (uint32_t[]){9}, (uint8_t[]){3}, 1, NULL), CWM_OK);
    shard_writer_info(w, &now);
    assert_int_equal(now.n_documents, 1);
    shard_writer_free(w); /* given up: nothing is left */
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
}

static void writer__says_that_the_disk_is_full(void **state)
{
    struct shard_info info = {.tokenizer_hash = HASH, .n_ids = 10};
    struct shard_writer *w = NULL;
    struct cwm_err err = {.message = ""};
    char partial[80];

    (void)state;
    snprintf(partial, sizeof partial, "%s.partial", path);
    assert_int_equal(symlink("/dev/full", partial), 0);
    assert_int_equal(shard_writer_new(path, &info, &w, &err), CWM_IO);
    assert_non_null(strstr(err.message, "No space left"));
    assert_int_equal(access(partial, F_OK), -1);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/a.shard", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shard__gives_back_what_was_written),
        cmocka_unit_test(shard__is_refused_when_it_is_cut_or_longer),
        cmocka_unit_test(shard__is_refused_with_any_bit_wrong),
        cmocka_unit_test(shard__says_what_is_wrong),
        cmocka_unit_test(writer__takes_no_token_out_of_range),
        cmocka_unit_test(writer__says_that_the_disk_is_full),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
