/* SPDX-License-Identifier: MIT */
/*
 * config.h -- a model's shape, as Hugging Face's config.json of
 * `CwmForCausalLM` has it.
 *
 * Read are the form of today (`rope_parameters`, `layer_types`) and the older
 * one (`model_type: llama`, `rope_scaling` and `rope_theta`).  Where the file
 * names no layer types, every fourth layer from the first is a full one in a
 * CWM, and all are in a Llama.  What would change the numbers and is not
 * supported (biases, other activations, other rotary scalings) is refused.
 *
 * Trust: the file is hostile; every number is checked against a limit, so
 * that products of the fields below fit a size_t.
 */
#ifndef CWM_MODEL_CONFIG_H
#define CWM_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

enum {
    /* Far beyond any published model; they bound what is multiplied. */
    MODEL_MAX_LAYERS = 1024,
    MODEL_MAX_WIDTH = 1 << 20,
    MODEL_MAX_HEADS = 1 << 12,
    MODEL_MAX_VOCAB = 1 << 24,
    MODEL_MAX_POSITIONS = 1 << 28,
    MODEL_MAX_STOPS = 16,
};

/* Llama 3's stretching of the slow rotary frequencies. */
struct rope_scaling {
    bool on;
    double factor;
    double low, high;  /* wave lengths, as parts of the original context */
    double n_original; /* tokens of the original context */
};

struct model_config {
    uint32_t n_layers;
    uint32_t d_model;
    uint32_t n_heads;    /* query heads */
    uint32_t n_kv_heads; /* n_heads is a multiple */
    uint32_t d_head;     /* even */
    uint32_t d_ffn;
    uint32_t vocab_size;
    uint32_t max_positions; /* tokens */
    uint32_t window;        /* of the sliding layers: q - window < k <= q */
    bool is_sliding[MODEL_MAX_LAYERS];
    bool is_tied; /* the output matrix is the embedding */
    double rms_eps;
    double rope_theta;
    struct rope_scaling scaling;
    uint32_t stops[MODEL_MAX_STOPS]; /* ids that end a text: "eos_token_id" */
    uint32_t n_stops;
};

/* Fails: CWM_FORMAT (the message names the field), CWM_NOMEM. */
enum cwm_rc config_parse(const char *json, size_t len,
                         struct model_config *ret_config, struct cwm_err *err);
/* The same from FOLDER/config.json; CWM_IO, CWM_LIMIT, too. */
enum cwm_rc config_load(const char *folder, struct model_config *ret_config,
                        struct cwm_err *err);

#endif /* CWM_MODEL_CONFIG_H */
