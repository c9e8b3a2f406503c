/* SPDX-License-Identifier: MIT */
/*
 * model.h -- the transformer: its weights, and the plain forward pass.
 *
 * The pass here is the reference in fp32, whole sequences at a time, without a
 * cache: what every faster way must agree with.
 *
 * Threads: a loaded model does not change and is shared; each thread has a
 * pass of its own.
 */
#ifndef CWM_MODEL_MODEL_H
#define CWM_MODEL_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "cwm/model/config.h"

/* Shapes by the letters of ops_ref.h; all owned by the model. */
struct model_layer {
    float *attention_norm; /* [C] */
    float *q;              /* [H*D,C] */
    float *k, *v;          /* [G*D,C] */
    float *o;              /* [C,H*D] */
    float *ffn_norm;       /* [C] */
    float *gate, *up;      /* [F,C] */
    float *down;           /* [C,F] */
};

struct model {
    struct model_config config;
    float *embedding;           /* [V,C] */
    struct model_layer *layers; /* owned; [n_layers] */
    float *norm;                /* [C] */
    float *output;              /* [V,C]; the embedding itself when tied */
    float *rope_freqs;          /* [D/2], scaled */
};

/*
 * Read FOLDER/config.json and FOLDER's weights (weights.h), as Hugging Face's
 * `CwmForCausalLM` writes them; values become fp32.  Fails: CWM_IO,
 * CWM_FORMAT (a tensor is missing, has another shape than the config asks
 * for, or a value that is not finite), CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc model_load(const char *folder, struct model **ret_model,
                       struct cwm_err *err);
void model_free(struct model *m); /* NULL is fine */

/* Its shape, once every tensor has been found in the files' headers with the
 * shape that the config asks for; values are not looked at.  As model_load().
 */
enum cwm_rc model_describe(const char *folder, struct model_config *ret_config,
                           struct cwm_err *err);

/* The scratch of forward passes of up to max_tokens tokens. */
struct model_pass;
enum cwm_rc model_pass_new(const struct model *m, size_t max_tokens,
                           struct model_pass **ret_pass, struct cwm_err *err);
void model_pass_free(struct model_pass *p); /* NULL is fine */

/*
 * logits [T,V] of one sequence ids [T].  Fails: CWM_USAGE (no token, more
 * than the pass is for, an id that the vocabulary does not have).
 */
enum cwm_rc model_forward(struct model_pass *p, const uint32_t *ids,
                          size_t n_tokens, float *logits, struct cwm_err *err);

#endif /* CWM_MODEL_MODEL_H */
