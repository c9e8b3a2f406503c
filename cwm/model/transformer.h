/* SPDX-License-Identifier: MIT */
/*
 * transformer.h -- the transformer that learns: forward and backward over a
 * batch, through a table of operations.
 *
 * All weights lie in one fp32 vector, tensor by tensor, each beginning at a
 * multiple of 64 values but for those that are read as one matrix (queries,
 * keys and values; gate and up); gradients and the optimiser's moments have
 * the same layout, and so has the copy in the table's type that a bf16 table
 * computes with.
 *
 * Letters as in ops.h.  A batch is N tokens: sequences one behind the other,
 * each token with the row where its document begins.
 *
 * Memory: all is taken by transformer_new(); transformer_bytes() says how
 * much before.
 *
 * Threads: one at a time.
 */
#ifndef CWM_MODEL_TRANSFORMER_H
#define CWM_MODEL_TRANSFORMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "cwm/model/config.h"
#include "cwm/model/ops.h"

enum { TENSOR_NAME_BYTES = 96 };

/* A tensor of the flat vector, by Hugging Face's name. */
struct transformer_tensor {
    char name[TENSOR_NAME_BYTES];
    size_t offset; /* values */
    size_t n_rows; /* 0: it has one dimension */
    size_t n_columns;
};

/* Where a layer's tensors begin. */
struct transformer_layer {
    size_t attention_norm, qkv, o, ffn_norm, gate_up, down;
    struct ops_matrix qkv_matrix, o_matrix, gate_up_matrix, down_matrix;
    /* where ops_is_narrow() */
    struct ops_narrow_matrix qkv_narrow, gate_up_narrow, down_narrow;
};

/* What forward keeps of a layer for backward.  The residual stream is fp32, or
 * in the table's type where ops_has_stream(). */
struct transformer_kept {
    void *x;        /* [N,C] what came in */
    float *scales1; /* [N] of its norm */
    void *normed1;  /* [N,C] */
    void *qkv;      /* [N,H+2G,D], turned */
    void *mixed;    /* [N,H,D] */
    float *lse;     /* [N,H] */
    void *middle;   /* [N,C] x and what attention added */
    float *scales2; /* [N] */
    void *normed2;  /* [N,C] */
    void *gate_up;  /* [N,2F] */
    void *gated;    /* [N,F] */
};

struct transformer {
    struct ops *o; /* borrowed */
    struct model_config config;
    size_t max_tokens; /* N at most */
    unsigned world;    /* by how many ranks the moments are shared; 1: alone */

    struct transformer_tensor *tensors; /* owned */
    size_t n_tensors;
    size_t n_values;                  /* of the flat vector, padding included */
    size_t embedding, norm, output;   /* output is the embedding when tied */
    struct transformer_layer *layers; /* owned; [n_layers] */
    struct ops_matrix output_matrix;

    /* [n_values], on the device; moments: [n_values / world] */
    float *weights, *gradients, *moments1, *moments2;
    void *copy; /* in the table's type; the weights themselves in fp32 */

    float *rope_freqs;             /* [D/2] */
    struct transformer_kept *kept; /* owned; [n_layers] */
    float *turns;                  /* [N,D] */
    void *last;                    /* [N,C] before the last norm */
    float *scales;                 /* [N] of it */
    void *normed;                  /* [N,C] behind it */
    void *added;                   /* [N,C] what a part adds */
    float *logits;                 /* [n_chunk,V] */
    void *dlogits;                 /* [n_chunk,V]; the logits in fp32 */
    size_t n_chunk;                /* tokens whose logits are held at once */
    float *losses;                 /* [N] */

    float *dx;                     /* [N,C]; NULL: dx_copy is all there is */
    void *dx_copy;                 /* [N,C]; dx itself in fp32 */
    void *dnormed, *dmixed, *dqkv; /* [N,C], [N,H,D], [N,H+2G,D] */
    void *dgated, *dgate_up;       /* [N,F], [N,2F] */
    float *deltas;                 /* [N,H] */
    struct ops_narrow narrow;      /* [N,2F or C] of the next product */
    bool is_narrow;                /* this pass multiplies in 8 bits */
    uint32_t *ids, *targets, *starts, *positions; /* [N] of the batch */
    float *loss_weights;                          /* [N] */
    float *host_losses;                           /* owned; [N] */
    size_t n_bytes; /* of all device memory that was taken */

    /* Called by the next transformer_learn(), and then NULL again: gradients
     * from value `from` on will not change any more.  At the end it is 0. */
    void (*final)(void *ctx, size_t from);
    void *final_ctx;
};

/* Tensors that decay alike and lie one behind the other. */
struct transformer_range {
    size_t begin, n; /* values of the flat vector */
    bool decays;
};

/* One batch, in the host's memory; all [n_tokens]. */
struct transformer_batch {
    size_t n_tokens;
    const uint32_t *ids;
    const uint32_t *targets;
    const float *weights;   /* of each target's loss */
    const uint32_t *starts; /* the row in this batch that a document begins */
    const uint32_t *positions; /* in its document */
};

/*
 * With weights of zero: transformer_init() or transformer_load() next.  `o` is
 * borrowed until the end.  Fails: CWM_NOMEM, CWM_USAGE (no token, or a table
 * that ops_is_narrow() and layers that do not fit it).
 *
 * Where ops_is_narrow(), learning multiplies in 8 bits what comes from norms
 * and gates, and the gradients of what comes from gates; the other products,
 * all gradients of weights and the output are as without, and so is
 * transformer_forward().
 */
enum cwm_rc transformer_new(struct ops *o, const struct model_config *config,
                            size_t max_tokens, struct transformer **ret,
                            struct cwm_err *err);
/* The same with one of `world` shares of the moments (share.h). */
enum cwm_rc transformer_new_share(struct ops *o,
                                  const struct model_config *config,
                                  size_t max_tokens, unsigned world,
                                  struct transformer **ret,
                                  struct cwm_err *err);
void transformer_free(struct transformer *t); /* NULL is fine */

/* Device memory for batches of n_tokens; docs/design.md has the formula. */
size_t transformer_bytes(const struct model_config *config, enum ops_type type,
                         size_t n_tokens);
/* The same on the device of a table (NULL: a CPU's), which may hold more
 * logits at once. */
size_t transformer_bytes_for(const struct ops *o,
                             const struct model_config *config,
                             enum ops_type type, size_t n_tokens);
/* ... of a transformer_new_share(). */
size_t transformer_bytes_share(const struct ops *o,
                               const struct model_config *config,
                               enum ops_type type, size_t n_tokens,
                               unsigned world);
/* Weights, tied ones once. */
size_t transformer_n_parameters(const struct transformer *t);

/* Random weights: normal, 0.02 wide, what ends a residual branch narrower by
 * the root of the number of branches; norms are 1. */
enum cwm_rc transformer_init(struct transformer *t, uint64_t seed,
                             struct cwm_err *err);
/* Those of FOLDER's checkpoint, of the same config.  Fails: CWM_IO,
 * CWM_FORMAT, CWM_LIMIT, CWM_NOMEM. */
enum cwm_rc transformer_load(struct transformer *t, const char *folder,
                             struct cwm_err *err);
/* All weights are new: the copy, the matrices. */
void transformer_changed(struct transformer *t);

/*
 * The sum of weights * losses of the batch.  forward() alone is for judging;
 * learn() adds to the gradients, too; with ret_loss NULL, where the table has
 * keep_loss(), it does not wait, and the table keeps the loss.  Fails:
 * CWM_USAGE (too many tokens, an id out of range), CWM_NOMEM.
 */
enum cwm_rc transformer_forward(struct transformer *t,
                                const struct transformer_batch *batch,
                                double *ret_loss, struct cwm_err *err);
enum cwm_rc transformer_learn(struct transformer *t,
                              const struct transformer_batch *batch,
                              double *ret_loss, struct cwm_err *err);
void transformer_forget_gradients(struct transformer *t);
/* The length of the gradients as one vector. */
double transformer_gradient_norm(struct transformer *t);
/* One step of all weights; matrices decay, norms do not. */
void transformer_update(struct transformer *t, const struct ops_adamw *adamw);

/* The range that begins with tensor *i; *i becomes the one behind it. */
struct transformer_range transformer_range(const struct transformer *t,
                                           size_t *i);

/* The logits [N,V] of a batch (targets and weights are not used), for tests
 * and small models. */
enum cwm_rc transformer_logits(struct transformer *t,
                               const struct transformer_batch *batch,
                               float *logits, struct cwm_err *err);

/* transformer_memory.c: the tensors' places, without memory for them.  Fails:
 * CWM_NOMEM. */
enum cwm_rc transformer__lay_out(struct transformer *t, struct cwm_err *err);

#endif /* CWM_MODEL_TRANSFORMER_H */
