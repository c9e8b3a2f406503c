/* SPDX-License-Identifier: MIT */
/*
 * fuzz_safetensors.c -- hostile checkpoints and configs.
 *
 * Input: a byte, 0 for a safetensors file whose length field is put in front
 * (two bytes say how much of the rest is header), 1 for one as it is, 2 for a
 * config.json.  Every tensor that is found must be readable as a whole.
 */
#include <string.h>

#include "cwm/model/config.h"
#include "cwm/model/safetensors.h"
#include "tests/fuzz/fuzz.h"

#define MAX_INPUT_BYTES (1u << 16)

enum { N_KINDS = 3, LENGTH_BYTES = 8 };

static void check_file(const uint8_t *data, size_t len)
{
    struct safetensors *f = NULL;
    struct cwm_err err;
    size_t i;

    if (safetensors_parse(data, len, &f, &err) != CWM_OK) {
        must(!f && err.message[0] != '\0');
        return;
    }
    for (i = 0; i < safetensors_n(f); i++) {
        const struct tensor *t = safetensors_at(f, i);
        float *values = malloc(t->n_values * sizeof *values + 1);

        must(values != NULL);
        must(t->data >= data && t->n_bytes <= len);
        must(t->data + t->n_bytes <= data + len);
        must(t->n_bytes == t->n_values * tensor_type_bytes(t->type));
        must(safetensors_find(f, t->name) == t);
        tensor_to_f32(t, values);
        free(values);
    }
    safetensors_close(f);
}

static void check_config(const char *json, size_t len)
{
    struct model_config c;
    struct cwm_err err;

    if (config_parse(json, len, &c, &err) != CWM_OK) {
        must(err.message[0] != '\0');
        return;
    }
    must(c.n_layers >= 1 && c.n_layers <= MODEL_MAX_LAYERS);
    must(c.d_model >= 1 && c.d_ffn >= 1 && c.vocab_size >= 1);
    must(c.n_kv_heads >= 1 && c.n_heads % c.n_kv_heads == 0);
    must(c.d_head >= 2 && c.d_head % 2 == 0 && c.rope_theta > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t *file;
    size_t i;

    if (len < 3 || len > MAX_INPUT_BYTES) {
        return 0;
    }
    switch (data[0] % N_KINDS) {
    case 0: /* an exact copy: ASan sees a read too far */
        file = malloc(LENGTH_BYTES + len - 3);
        must(file != NULL);
        for (i = 0; i < LENGTH_BYTES; i++) {
            file[i] = i < 2 ? data[1 + i] : 0;
        }
        memcpy(file + LENGTH_BYTES, data + 3, len - 3);
        check_file(file, LENGTH_BYTES + len - 3);
        free(file);
        break;
    case 1:
        check_file(data + 1, len - 1);
        break;
    default:
        check_config((const char *)data + 1, len - 1);
        break;
    }
    return 0;
}
