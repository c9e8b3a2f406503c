/* SPDX-License-Identifier: MIT */
/*
 * fuzz_shard.c -- any bytes as a shard.
 *
 * Input: a byte of flags, then the shard.  With flag 1 the header's own hash
 * is put right, so that the fuzzer need not find it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "datasets/shard.h"
#include "datasets/shard_bytes.h"
#include "tests/fuzz/fuzz.h"

#define FLAG_HASH 1u

#define MAX_INPUT_BYTES (1u << 16)

static void read_all(const char *path)
{
    struct shard_reader *r = NULL;
    struct shard_document d = {0};
    const struct shard_info *info;
    enum cwm_rc rc = shard_reader_open(path, &r, NULL);

    must(rc == CWM_OK || rc == CWM_FORMAT);
    if (rc != CWM_OK) {
        return;
    }
    info = shard_reader_info(r);
    must(info->n_documents <= MAX_INPUT_BYTES / SHARD_ROW_BYTES);
    for (uint64_t i = 0; i <= info->n_documents; i++) {
        uint64_t length = 0;

        rc = shard_read(r, i, &d, NULL);
        must(rc == CWM_OK || rc == CWM_FORMAT);
        if (rc == CWM_OK) {
            must(shard_reader_length(r, i, &length, NULL) == CWM_OK);
            must(i < info->n_documents && d.n == length && d.n > 0);
        }
        for (size_t k = 0; rc == CWM_OK && k < d.n; k++) {
            must(d.ids[k] < info->n_ids && d.classes[k] < SHARD_N_CLASSES);
        }
    }
    rc = shard_check(r, NULL);
    must(rc == CWM_OK || rc == CWM_FORMAT);
    shard_document_release(&d);
    shard_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static int fd = -1; /* a file in memory, used again and again */
    char path[64];
    uint8_t *bytes;
    size_t n;

    if (len < 1 || len > MAX_INPUT_BYTES) {
        return 0;
    }
    if (fd < 0) {
        fd = memfd_create("shard", MFD_CLOEXEC);
        must(fd >= 0);
    }
    n = len - 1;
    bytes = malloc(n + 1);
    must(bytes != NULL);
    memcpy(bytes, data + 1, n);
    if ((data[0] & FLAG_HASH) && n >= SHARD_HEADER_BYTES) {
        shard__put(bytes + SHARD_AT_HEADER_HASH,
                   XXH3_64bits(bytes, SHARD_AT_HEADER_HASH), 8);
    }
    must(ftruncate(fd, 0) == 0);
    must(pwrite(fd, bytes, n, 0) == (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    read_all(path);
    free(bytes);
    return 0;
}
