/* SPDX-License-Identifier: MIT */
/*
 * ops.h -- the table of operations that the transformer is made of.
 *
 * model code calls o->linear(o, ...) and never knows where that runs: the
 * plain reference (any CPU), the fast CPU, later a GPU.  A table computes in
 * one type, fp32 or bf16, chosen when it is made.
 *
 * Letters: N tokens, C channels of the model, H query heads, G key/value
 * heads (H is a multiple), D channels of a head, F channels of the
 * feed-forward part, V words, S sequences.  Arrays are dense and row-major
 * where nothing else is said.
 *
 * Types: `float *` is fp32 always; `void *` is in the table's type, o->type.
 * What must not lose digits is fp32 in both: norms' weights, gradients of
 * weights, logits, the optimiser's state, and the residual stream where the
 * table has no other.  Sums are taken in fp32 or better (the reference:
 * double).
 *
 * Memory: every pointer to numbers below is memory of the table's device, from
 * o->alloc() -- but for CPUs, where any memory will do -- aligned to its
 * type.  Nothing overlaps where it is not said that it may.  A linear layer's
 * weights are a struct ops_matrix, which also holds what a device keeps for
 * itself (a packed copy).
 *
 * Order: what is called later sees what was called before; read() and check()
 * wait for it.
 *
 * Errors: operations return nothing.  What goes wrong (only memory and devices
 * can) is kept, later calls do nothing of use, and check() tells: once a step
 * is enough.  Shapes and ids are the caller's to check.
 *
 * Determinism: the same calls to tables made alike (type, number of threads)
 * give the same bits.
 *
 * Threads: a table is used by one thread at a time; it has threads of its own.
 */
#ifndef CWM_MODEL_OPS_H
#define CWM_MODEL_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

enum ops_type { OPS_F32, OPS_BF16, OPS_I8 };

static inline size_t ops_type_bytes(enum ops_type type)
{
    return type == OPS_F32 ? 4 : type == OPS_BF16 ? 2 : 1;
}

/*
 * The weights of a linear layer, y = x W^T.  `type` is that of the values:
 * OPS_F32 or OPS_BF16, which must be o->type where gradients are asked for;
 * OPS_I8 with a scale for each row (w = i8 * scale), for inference: there x may
 * be rounded to 8 bits, too, with a scale for every few dozen inputs.
 * After values change, matrix_changed() must be called before the next use.
 */
struct ops_matrix {
    size_t n_out, n_in;
    enum ops_type type;
    const void *values;  /* [n_out,n_in]; borrowed */
    const float *scales; /* [n_out], of OPS_I8; borrowed */
    void *packed;        /* the table's own: NULL at first; matrix_release() */
};

/* Queries, keys and values lie side by side: qkv [N,H+2G,D], heads of queries,
 * then of keys, then of values. */
struct ops_heads {
    size_t n_heads;    /* H */
    size_t n_kv_heads; /* G */
    size_t d_head;     /* D, even */
    size_t window;     /* a query sees that many keys, its own included; 0: all
                        */
};

/*
 * Rows [n,k] of 8 bits each (e4m3: four bits of exponent, three of fraction)
 * and what they are to be multiplied by: a number for each row, or where
 * is_even the first for all of them.
 */
struct ops_narrow {
    void *values;  /* [n,k] */
    float *scales; /* [n] */
    bool is_even;  /* set by who fills it in */
};

/* The same of a linear layer's weights, y = x W^T: one number for all. */
struct ops_narrow_matrix {
    size_t n_out, n_in;
    void *values;  /* [n_out,n_in] */
    void *turned;  /* [n_in,n_out] */
    float *scales; /* [the larger of both], all alike */
};

/*
 * Keys and values of earlier tokens, in pages, for one layer.  The token at
 * position p of sequence s lies in page pages[s, p / OPS_PAGE_TOKENS %
 * max_pages], in its row p % OPS_PAGE_TOKENS.  So a layer with a window needs
 * only as many pages as the window touches (a ring), and sequences with the
 * same beginning may share the pages of it.
 */
enum { OPS_PAGE_TOKENS = 32 };

struct ops_cache {
    void *k, *v;           /* [pages,G,OPS_PAGE_TOKENS,D] */
    const uint32_t *pages; /* [S,max_pages] */
    size_t max_pages;      /* of one sequence */
};

enum { OPS_FETCH_BYTES = 1 << 16 };

struct ops_adamw {
    float rate; /* of this step */
    float beta1, beta2, eps;
    float decay;      /* decoupled: w -= rate * decay * w */
    float correct1;   /* 1 / (1 - beta1^step) */
    float correct2;   /* 1 / (1 - beta2^step) */
    float grad_scale; /* of all gradients first: clipping */
    bool is_clipped;  /* by what clip() found, not by grad_scale */
};

struct ops {
    const char *name;        /* "reference", "cpu" */
    enum ops_type type;      /* what it computes in: OPS_F32 or OPS_BF16 */
    bool no_memory;          /* the table's own: an operation had no scratch */
    bool reads_any_memory;   /* and writes it: of the host, whoever gave it */
    size_t n_logits_at_once; /* logits of so many words pay; 0: as on a CPU */

    /* ---- memory ---- */

    /* NULL when there is none; zeroed. */
    void *(*alloc)(struct ops *o, size_t n_bytes);
    void (*free)(struct ops *o, void *p); /* NULL is fine */
    void (*zero)(struct ops *o, void *p, size_t n_bytes);
    /* From the host to the device, from the device to the host. */
    void (*write)(struct ops *o, void *to, const void *from, size_t n_bytes);
    void (*read)(struct ops *o, void *to, const void *from, size_t n_bytes);
    /* Begin to read, at most OPS_FETCH_BYTES, into the table's slot 0 or 1, and
     * go on; fetched() waits for that slot alone, and tells as check().  NULL,
     * both: there is none. */
    void (*fetch)(struct ops *o, unsigned slot, const void *from,
                  size_t n_bytes);
    enum cwm_rc (*fetched)(struct ops *o, unsigned slot, void *to,
                           size_t n_bytes, struct cwm_err *err);
    /* Wait, and tell the first thing that went wrong: CWM_NOMEM, CWM_SYSTEM. */
    enum cwm_rc (*check)(struct ops *o, struct cwm_err *err);
    /* Bytes of the device that may still be taken; NULL: not known. */
    size_t (*memory_left)(struct ops *o);
    /* out [n] in o->type from x [n]; the other way round */
    void (*from_f32)(struct ops *o, const float *x, size_t n, void *out);
    void (*to_f32)(struct ops *o, const void *x, size_t n, float *out);

    /* ---- weights ---- */

    /* `many`: it will be used for many rows at once (training), or row by row
     * (generation, and its prompts).  Packs what pays to be packed; where
     * w->packed is set by a call without `many`, w->values are not read any
     * more and may be freed. */
    void (*matrix_changed)(struct ops *o, struct ops_matrix *w, bool many);
    /* Does it, without `many`, pack weights of this type?  NULL: none. */
    bool (*packs)(const struct ops *o, enum ops_type weights);
    void (*matrix_release)(struct ops *o, struct ops_matrix *w);

    /* ---- forward ---- */

    /* out [N,C] fp32: rows of table [V,C] (o->type) that ids [N] name */
    void (*embed)(struct ops *o, const uint32_t *ids, size_t n,
                  const void *table, size_t n_channels, float *out);
    /*
     * sum [N,C] = x [N,C] + y [N,C] (y NULL: sum is not written; sum may be
     * x).  out [N,C] = sum / rms(sum) * weight [C]; scales [N], where not
     * NULL, get 1 / rms(sum), rms(a) = sqrt(mean(a^2) + eps).
     */
    void (*add_norm)(struct ops *o, const float *x, const void *y, size_t n,
                     size_t n_channels, const float *weight, float eps,
                     float *sum, void *out, float *scales);
    /*
     * out [n,n_out], rows `stride` elements apart, of out_type (OPS_F32 or
     * o->type): x [n,n_in] times the transpose of w.
     */
    void (*linear)(struct ops *o, const void *x, size_t n,
                   const struct ops_matrix *w, void *out, size_t stride,
                   enum ops_type out_type);
    /* linear() of so many rows costs what n cost, and less than one whose
     * number of rows is new: who calls it with ever other numbers has room for
     * these and asks for these.  NULL: n itself is as good. */
    size_t (*rows_paid)(const struct ops *o, size_t n);
    /* turns [N,2,D/2]: cosines, then sines, of positions[t] * freqs[i]; the
     * angle is rounded to fp32, as models are trained with */
    void (*rope_turns)(struct ops *o, const uint32_t *positions, size_t n,
                       const float *freqs, size_t d_head, float *turns);
    /* Turn the first H+G heads of qkv in place, channels i and i + D/2;
     * `back`: the other way round, which is the gradient. */
    void (*rope)(struct ops *o, void *qkv, size_t n, const struct ops_heads *h,
                 const float *turns, bool back);
    /*
     * out [N,H,D]: softmax of query times keys over sqrt(D), times values.
     * Token t sees starts[t]..t (starts [N]: rows of qkv; where its document
     * begins, so sequences of a batch stand one behind the other), and of
     * these only the last h->window.  starts NULL: one document.
     * lse [N,H], where not NULL: log of the sum of exp, for attention_back().
     */
    void (*attention)(struct ops *o, const void *qkv, size_t n,
                      const struct ops_heads *h, const uint32_t *starts,
                      void *out, float *lse);
    /* rope() forward on qkv, then attention(); NULL: two calls */
    void (*attention_turned)(struct ops *o, void *qkv, size_t n,
                             const struct ops_heads *h, const uint32_t *starts,
                             const float *turns, void *out, float *lse);
    /* out [N,F] = silu(gate) * up of gate_up [N,2F]: gate's F, then up's */
    void (*swiglu)(struct ops *o, const void *gate_up, size_t n, size_t n_ffn,
                   void *out);
    /* logs [N]: the log of the probability of targets [N] by logits [N,V] */
    void (*log_probs)(struct ops *o, const float *logits, size_t n,
                      size_t n_words, const uint32_t *targets, float *logs);

    /* ---- forward with a cache ---- */

    /*
     * Row r of qkv is the token at positions[r] of sequence seqs[r] (both
     * [N]).  Put its key and value into the cache.  Where a layer has a
     * window, rows of one call must not overwrite what an earlier row of it
     * still sees: max_pages covers window - 1 + the call's rows.
     */
    void (*cache_put)(struct ops *o, const void *qkv, size_t n,
                      const struct ops_heads *h, const struct ops_cache *cache,
                      const uint32_t *seqs, const uint32_t *positions);
    /* out [N,H,D]: as attention(), each row over the keys and values of its
     * sequence that the cache has up to its own position, its own included. */
    void (*cache_attention)(struct ops *o, const void *qkv, size_t n,
                            const struct ops_heads *h,
                            const struct ops_cache *cache, const uint32_t *seqs,
                            const uint32_t *positions, void *out);

    /* ---- steps that do not come back to the host; NULL: there are none ----
     */

    /*
     * The likeliest word of each row of logits [n,V], of equally likely ones
     * the first, becomes ids [n]; positions [n] go up by 1; the ids are kept
     * in row *step of kept [steps,n], and *step goes up by 1.
     */
    void (*greedy)(struct ops *o, const float *logits, size_t n, size_t n_words,
                   uint32_t *ids, uint32_t *positions, uint32_t *kept,
                   uint32_t *step);
    /*
     * ids [n]: the likeliest word of each row of logits [n,V] that masks allow,
     * [n,(V+63)/64], bit i % 64 of number i / 64 for the word i; of equally
     * likely ones the first; no word (V or more) where a logit of the row is
     * not a number or plus infinity, or none is allowed.  NULL: there is none.
     */
    void (*likeliest)(struct ops *o, const float *logits, size_t n,
                      size_t n_words, const uint64_t *masks, uint32_t *ids);
    /* What is called between these two is recorded, not done; replay() does
     * it, as often as it is called, on the same memory.  It must have been
     * done once before.  One record is kept. */
    void (*record)(struct ops *o);
    void (*record_end)(struct ops *o);
    void (*replay)(struct ops *o);

    /* ---- backward: gradients of weights are added to, others are set ---- */

    /*
     * From logits [n,V]: losses [n] = weights[t] * -log p(targets[t]), and
     * dlogits [n,V] = weights[t] * (p - [word is target]); dlogits may be
     * logits where o->type is fp32.
     */
    void (*cross_entropy)(struct ops *o, const float *logits, size_t n,
                          size_t n_words, const uint32_t *targets,
                          const float *weights, float *losses, void *dlogits);
    /* The same in place, logits [n,V] in o->type; NULL: this table has fp32
     * logits only. */
    void (*cross_entropy_here)(struct ops *o, void *logits, size_t n,
                               size_t n_words, const uint32_t *targets,
                               const float *weights, float *losses);
    /* dx [n,n_in] = dy [n,n_out] times w */
    void (*linear_dx)(struct ops *o, const void *dy, size_t n,
                      const struct ops_matrix *w, void *dx);
    /* dw [n_out,n_in] += transpose of dy [n,n_out], times x [n,n_in] */
    void (*linear_dw)(struct ops *o, const void *dy, const void *x, size_t n,
                      size_t n_out, size_t n_in, float *dw);
    /*
     * dx [N,C] += the norm's gradient: dx comes in as the gradient of `sum`
     * along the residual stream.  x is the forward's sum, scales its scales.
     * dweight [C] is added to.  copy [N,C], where not NULL, gets dx.
     */
    void (*norm_back)(struct ops *o, const void *dout, const float *x,
                      const float *scales, size_t n, size_t n_channels,
                      const float *weight, float *dx, float *dweight,
                      void *copy);
    /* dqkv [N,H+2G,D] from dout [N,H,D]; qkv, out, lse as attention() had
     * them; scratch [N,H] */
    void (*attention_back)(struct ops *o, const void *dout, const void *qkv,
                           const void *out, const float *lse, size_t n,
                           const struct ops_heads *h, const uint32_t *starts,
                           float *scratch, void *dqkv);
    /* The same, then rope() back on dqkv; NULL: two calls. */
    void (*attention_back_turned)(struct ops *o, const void *dout,
                                  const void *qkv, const void *out,
                                  const float *lse, size_t n,
                                  const struct ops_heads *h,
                                  const uint32_t *starts, const float *turns,
                                  float *scratch, void *dqkv);
    void (*swiglu_back)(struct ops *o, const void *dout, const void *gate_up,
                        size_t n, size_t n_ffn, void *dgate_up);
    /* dtable [V,C]: row ids[t] += dx[t] */
    void (*embed_back)(struct ops *o, const uint32_t *ids, size_t n,
                       const float *dx, size_t n_words, size_t n_channels,
                       float *dtable);

    /* ---- a residual stream in o->type; all five, or NULL: it is fp32 ---- */

    /* embed() into out [N,C] in o->type */
    void (*stream_embed)(struct ops *o, const uint32_t *ids, size_t n,
                         const void *table, size_t n_channels, void *out);
    /* out [n,n_out] = base [n,n_out] + x [n,n_in] times the transpose of w,
     * rounded once */
    void (*stream_linear)(struct ops *o, const void *x, size_t n,
                          const struct ops_matrix *w, const void *base,
                          void *out);
    /* add_norm() of x alone; scales [N] */
    void (*stream_norm)(struct ops *o, const void *x, size_t n,
                        size_t n_channels, const float *weight, float eps,
                        void *out, float *scales);
    /* norm_back() with dx [N,C] in o->type, too */
    void (*stream_norm_back)(struct ops *o, const void *dout, const void *x,
                             const float *scales, size_t n, size_t n_channels,
                             const float *weight, void *dx, float *dweight);
    /* embed_back() from dx [N,C] in o->type */
    void (*stream_embed_back)(struct ops *o, const uint32_t *ids, size_t n,
                              const void *dx, size_t n_words, size_t n_channels,
                              float *dtable);

    /* ---- products of 8 bits where a model learns; all, or NULL ---- */

    /* Can they be had with layers of so many channels? */
    bool (*narrow_fits)(const struct ops *o, size_t n_channels, size_t n_qkv,
                        size_t n_ffn);
    void (*narrow_matrix)(struct ops *o, const struct ops_matrix *w,
                          const struct ops_narrow_matrix *to);
    /* As stream_norm(), stream_norm_back(), swiglu() and swiglu_back(); `to`
     * gets the same as `out`, `dx`, `dgate_up`.  Of the norm it is_even, by
     * what a norm can come to, of the others by each row's largest. */
    void (*narrow_norm)(struct ops *o, const void *x, size_t n,
                        size_t n_channels, const float *weight, float eps,
                        void *out, float *scales, struct ops_narrow *to);
    void (*narrow_norm_back)(struct ops *o, const void *dout, const void *x,
                             const float *scales, size_t n, size_t n_channels,
                             const float *weight, void *dx, float *dweight,
                             struct ops_narrow *to);
    void (*narrow_swiglu)(struct ops *o, const void *gate_up, size_t n,
                          size_t n_ffn, void *out, struct ops_narrow *to);
    void (*narrow_swiglu_back)(struct ops *o, const void *dout,
                               const void *gate_up, size_t n, size_t n_ffn,
                               void *dgate_up, struct ops_narrow *to);
    /* As stream_linear() (base NULL: linear(), in o->type) and linear_dx(). */
    void (*narrow_linear)(struct ops *o, const struct ops_narrow *x, size_t n,
                          const struct ops_narrow_matrix *w, const void *base,
                          void *out);
    void (*narrow_linear_dx)(struct ops *o, const struct ops_narrow *dy,
                             size_t n, const struct ops_narrow_matrix *w,
                             void *dx);

    /* ---- the optimiser ---- */

    /* of x [n]; waits */
    double (*sum_squares)(struct ops *o, const float *x, size_t n);
    /*
     * The same without waiting; all three, or NULL.  keep_loss() adds the sum
     * of losses [n] to what is kept.  clip() finds by what grad [n] is to be
     * scaled so that it is `most` long at most (0: any length), and adamw()
     * takes that where it is told to; where a loss or the length is not finite
     * it changes nothing.  kept() waits, tells the kept loss and the length
     * before it was cut, and forgets them.
     */
    void (*keep_loss)(struct ops *o, const float *losses, size_t n);
    void (*clip)(struct ops *o, const float *grad, size_t n, float most);
    void (*kept)(struct ops *o, double *ret_loss, double *ret_norm);
    /* One step of w [n] by grad [n]; m, v [n] are the moments.  copy [n],
     * where not NULL, gets w in o->type. */
    void (*adamw)(struct ops *o, const struct ops_adamw *a, float *w,
                  const float *grad, float *m, float *v, size_t n, void *copy);

    void (*release)(struct ops *o); /* frees the table: ops_free() */
};

/* Is the residual stream in o->type where a model learns? */
static inline bool ops_has_stream(const struct ops *o)
{
    return o->stream_linear != NULL;
}

/* Does a model that learns multiply in 8 bits? */
static inline bool ops_is_narrow(const struct ops *o)
{
    return o->narrow_linear != NULL;
}

/* The plain one: slow, what all others must agree with.  Fails: CWM_NOMEM. */
enum cwm_rc ops_ref_new(enum ops_type type, struct ops **ret_ops,
                        struct cwm_err *err);
/*
 * The fast one for this CPU.  n_threads 0: as many as this process may use.
 * Fails: CWM_NOMEM, CWM_SYSTEM (no threads).
 */
enum cwm_rc ops_cpu_new(enum ops_type type, unsigned n_threads,
                        struct ops **ret_ops, struct cwm_err *err);
void ops_free(struct ops *o); /* NULL is fine */

/* ---- bf16: the upper half of an fp32 ---- */

static inline float bf16_to_f32(uint16_t half)
{
    union {
        uint32_t bits;
        float value;
    } u = {.bits = (uint32_t)half << 16};

    return u.value;
}

/* To the nearest, ties to even; a NaN stays one. */
static inline uint16_t bf16_from_f32(float value)
{
    union {
        float value;
        uint32_t bits;
    } u = {.value = value};

    if ((u.bits & 0x7FFFFFFF) > 0x7F800000) {
        return (uint16_t)(u.bits >> 16 | 0x40);
    }
    return (uint16_t)((u.bits + 0x7FFF + (u.bits >> 16 & 1)) >> 16);
}

#endif /* CWM_MODEL_OPS_H */
