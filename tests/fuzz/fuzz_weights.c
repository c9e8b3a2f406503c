/* SPDX-License-Identifier: MIT */
/*
 * fuzz_weights.c -- hostile checkpoints of several files: an index, a config,
 * and what they lead to.
 *
 * Input: three lengths of two bytes, little-endian: of config.json, of
 * model.safetensors.index.json, of a.safetensors; then these; the rest is
 * b.safetensors.  In both, two bytes say how long the header is, and the
 * format's eight are made of them.  What can be loaded must run.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/io.h"
#include "cwm/model/model.h"
#include "tests/fuzz/fuzz.h"

#define MAX_INPUT_BYTES (1u << 15)

enum { LENGTH_BYTES = 8, N_FILES = 4, N_LENGTHS = 3 };

static const char *const names[N_FILES] = {"config.json",
                                           "model.safetensors.index.json",
                                           "a.safetensors", "b.safetensors"};

/* The folder that the files are written to, one for the whole run. */
static const char *folder_of_run(void)
{
    static char folder[64];

    if (!folder[0]) {
        snprintf(folder, sizeof folder, "%s/cwm-fuzz-weights-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        must(mkdtemp(folder) != NULL);
    }
    return folder;
}

static void file_path(char *path, size_t size, size_t i)
{
    snprintf(path, size, "%s/%s", folder_of_run(), names[i]);
}

static void write_file(size_t i, const uint8_t *data, size_t len)
{
    uint8_t length[LENGTH_BYTES] = {0};
    char path[128];
    FILE *f;

    file_path(path, sizeof path, i);
    f = fopen(path, "wb");
    must(f != NULL);
    if (i >= 2) { /* weights */
        size_t n = len < 2 ? len : 2;

        memcpy(length, data, n);
        must(fwrite(length, 1, sizeof length, f) == sizeof length);
        data += n;
        len -= n;
    }
    must(fwrite(data, 1, len, f) == len);
    must(fclose(f) == 0);
}

static void drop_files(void)
{
    char path[128];

    for (size_t i = 0; i < N_FILES; i++) {
        file_path(path, sizeof path, i);
        unlink(path);
    }
    rmdir(folder_of_run());
}

/* A token through the model, and what it asks of its weights. */
static void run(const struct model *m)
{
    struct model_pass *pass = NULL;
    struct cwm_err err;
    uint32_t id = m->config.vocab_size - 1;
    float *logits = malloc(m->config.vocab_size * sizeof *logits);

    must(logits != NULL);
    if (model_pass_new(m, 1, &pass, &err) == CWM_OK) {
        must(model_forward(pass, &id, 1, logits, &err) == CWM_OK);
    } else {
        must(err.code == CWM_FORMAT && err.message[0] != '\0');
    }
    model_pass_free(pass);
    free(logits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static bool is_known;
    struct model_config c;
    struct model *m = NULL;
    struct cwm_err err;
    size_t at = 2 * N_LENGTHS;

    if (len < at || len > MAX_INPUT_BYTES) {
        return 0;
    }
    if (!is_known) {
        is_known = true;
        atexit(drop_files);
    }
    for (size_t i = 0; i < N_FILES; i++) {
        size_t n = len - at;

        if (i < N_LENGTHS) {
            size_t said = data[2 * i] | (size_t)data[2 * i + 1] << 8;

            n = said < n ? said : n;
        }
        write_file(i, data + at, n);
        at += n;
    }
    if (model_load(folder_of_run(), &m, &err) == CWM_OK) {
        must(model_describe(folder_of_run(), &c, &err) == CWM_OK);
        run(m);
    } else {
        must(!m && err.message[0] != '\0');
        must(model_describe(folder_of_run(), &c, &err) != CWM_OK);
    }
    model_free(m);
    return 0;
}
