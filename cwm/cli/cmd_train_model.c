/* SPDX-License-Identifier: MIT */
/* cmd_train_model.c -- a model's shape: a size by name, changed by options. */
#include <string.h>

#include "cwm/cli/cmd_train.h"

/* A vocabulary of whole vectors keeps every product whole. */
enum { VOCAB_STEP = 64 };

/* By the index of --size.  From 32m on those that peers are measured with. */
static const struct {
    uint32_t layers, width, heads, kv_heads, ffn;
} sizes[] = {
    {4, 128, 4, 2, 352},     /* 1m */
    {6, 256, 8, 4, 704},     /* 5m */
    {8, 512, 8, 4, 1408},    /* 32m */
    {12, 768, 12, 4, 2048},  /* 88m */
    {24, 1024, 16, 4, 2816}, /* 287m */
};

static uint32_t choose(uint64_t given, uint32_t otherwise)
{
    return given > 0 ? (uint32_t)given : otherwise;
}

/* Every fourth layer from the first sees everything, and so does the last. */
static void choose_windows(struct model_config *c)
{
    bool any = false;
    uint32_t i;

    for (i = 0; i < c->n_layers; i++) {
        c->is_sliding[i] = c->window > 0 && i % 4 != 0 && i + 1 != c->n_layers;
        any = any || c->is_sliding[i];
    }
    c->window = any ? c->window : 0;
}

enum cwm_rc train__shape(const struct train_fields *fields, uint32_t n_ids,
                         double rope_theta, struct model_config *ret_config,
                         struct cwm_err *err)
{
    struct model_config c = {
        .n_layers = choose(fields->layers, sizes[fields->size].layers),
        .d_model = choose(fields->width, sizes[fields->size].width),
        .n_heads = choose(fields->heads, sizes[fields->size].heads),
        .n_kv_heads = choose(fields->kv_heads, sizes[fields->size].kv_heads),
        .d_ffn = choose(fields->ffn, sizes[fields->size].ffn),
        .vocab_size = (n_ids + VOCAB_STEP - 1) / VOCAB_STEP * VOCAB_STEP,
        .window = (uint32_t)fields->window,
        .is_tied = !fields->untied,
        .rms_eps = 1e-5,
        .rope_theta = rope_theta,
    };

    c.max_positions = choose(fields->context, (uint32_t)fields->row_tokens);
    if (c.d_model % c.n_heads != 0 || c.d_model / c.n_heads % 2 != 0 ||
        c.n_heads % c.n_kv_heads != 0) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot make a model of width %u with %u heads that "
                        "share %u: the width of a head must be even, and each "
                        "must be a multiple of the next\n"
                        "--width, --heads and --kv-heads choose them",
                        c.d_model, c.n_heads, c.n_kv_heads);
    }
    if (c.max_positions < fields->row_tokens) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot learn rows of %llu tokens with a context of %u",
                        (unsigned long long)fields->row_tokens,
                        c.max_positions);
    }
    c.d_head = c.d_model / c.n_heads;
    choose_windows(&c);
    *ret_config = c;
    return CWM_OK;
}
