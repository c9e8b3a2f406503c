/* SPDX-License-Identifier: MIT */
/*
 * model.h -- the transformer: its weights, and the plain forward pass.
 *
 * Weights are tensors as they lie in their files, which are mapped: a model
 * takes no memory for them but what the kernel keeps of the files, and gives
 * back where it is short.
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
#include "cwm/model/weights.h"

/* Shapes by the letters of ops_ref.h; borrowed from the model's files, or from
 * who made the model. */
struct model_layer {
    const struct tensor *attention_norm; /* [C] */
    const struct tensor *q;              /* [H*D,C] */
    const struct tensor *k, *v;          /* [G*D,C] */
    const struct tensor *o;              /* [C,H*D] */
    const struct tensor *ffn_norm;       /* [C] */
    const struct tensor *gate, *up;      /* [F,C] */
    const struct tensor *down;           /* [C,F] */
};

struct model {
    struct model_config config;
    struct weights *files;          /* owned; NULL: the tensors are others' */
    const struct tensor *embedding; /* [V,C] */
    struct model_layer *layers;     /* owned; [n_layers] */
    const struct tensor *norm;      /* [C] */
    const struct tensor *output;    /* [V,C]; the embedding itself when tied */
    float *rope_freqs;              /* owned; [D/2], scaled */
};

/*
 * Map FOLDER's weights (weights.h), as Hugging Face's `CwmForCausalLM` writes
 * them, by FOLDER/config.json.  Values are not looked at: who uses them sees
 * that they are finite.  Fails: CWM_IO, CWM_FORMAT (a tensor is missing, or
 * has another shape than the config asks for), CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc model_load(const char *folder, struct model **ret_model,
                       struct cwm_err *err);
void model_free(struct model *m); /* NULL is fine */

/* A loaded model's shape, without the model.  Fails: as model_load(). */
enum cwm_rc model_describe(const char *folder, struct model_config *ret_config,
                           struct cwm_err *err);

/* The scratch of forward passes of up to max_tokens tokens; m is borrowed.
 * Fails: CWM_FORMAT (a value of the weights is not finite), CWM_NOMEM. */
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
