/* SPDX-License-Identifier: MIT */
/*
 * ops_ref.h -- the operations of the transformer, plainly: what any faster
 * one must agree with.
 *
 * Arrays are dense and row-major.  T tokens, C channels of the model, H query
 * heads, G key/value heads (H is a multiple), D channels of a head, F channels
 * of the feed-forward part, V words.  Sums are taken in double.
 *
 * Threads: pure functions of their arguments.
 */
#ifndef CWM_MODEL_OPS_REF_H
#define CWM_MODEL_OPS_REF_H

#include <stddef.h>
#include <stdint.h>

/* out [T,C]: the rows of table [V,C] that ids [T] name; each is below V. */
void ref_embed(const uint32_t *ids, size_t n_tokens, const float *table,
               size_t n_channels, float *out);

/* out [T,C]: x / sqrt(mean(x^2) + eps), times weight [C].  out may be x. */
void ref_rmsnorm(const float *x, size_t n_tokens, size_t n_channels,
                 const float *weight, double eps, float *out);

/* out [T,n_out]: x [T,n_in] times the transpose of weight [n_out,n_in]. */
void ref_linear(const float *x, size_t n_tokens, size_t n_in,
                const float *weight, size_t n_out, float *out);

/*
 * Turn x [T,heads,D] in place: channels i and i + D/2 by the angle position
 * times freqs[i] (freqs [D/2]); the first row stands at position `first`.
 */
void ref_rope(float *x, size_t n_tokens, size_t n_heads, size_t d_head,
              const float *freqs, size_t first);

/*
 * out [T,H,D]: for each query [T,H,D] the values [T,G,D] weighed by the
 * softmax of its products with the keys [T,G,D] over sqrt(D).  Query t sees
 * the keys up to t, of which only the last `window` where that is not 0.
 * scores [T] is scratch.
 */
void ref_attention(const float *q, const float *k, const float *v,
                   size_t n_tokens, size_t n_heads, size_t n_kv_heads,
                   size_t d_head, size_t window, float *scores, float *out);

/* gate [n] becomes silu(gate) * up [n]. */
void ref_swiglu(float *gate, const float *up, size_t n);

/* x [n] += y [n] */
void ref_add(float *x, const float *y, size_t n);

#endif /* CWM_MODEL_OPS_REF_H */
