/* SPDX-License-Identifier: MIT */
/*
 * ops_plain.h -- what the reference's files share: numbers of either type, and
 * where a query's keys begin.
 */
#ifndef CWM_MODEL_OPS_PLAIN_H
#define CWM_MODEL_OPS_PLAIN_H

#include "cwm/model/ops.h"

static inline double plain_get(const struct ops *o, const void *p, size_t i)
{
    return o->type == OPS_F32 ? (double)((const float *)p)[i]
                              : (double)bf16_to_f32(((const uint16_t *)p)[i]);
}

static inline void plain_put(const struct ops *o, void *p, size_t i,
                             double value)
{
    if (o->type == OPS_F32) {
        ((float *)p)[i] = (float)value;
    } else {
        ((uint16_t *)p)[i] = bf16_from_f32((float)value);
    }
}

/* The first key that query t sees. */
static inline size_t ops_first_key(const struct ops_heads *h,
                                   const uint32_t *starts, size_t t)
{
    size_t first = starts ? starts[t] : 0;

    return h->window > 0 && t + 1 > first + h->window ? t + 1 - h->window
                                                      : first;
}

/* Heads side by side in a row of qkv. */
static inline size_t ops_row_heads(const struct ops_heads *h)
{
    return h->n_heads + 2 * h->n_kv_heads;
}

/* ops_plain_back.c: fills in the backward half of the table. */
void plain__set_back(struct ops *o);

/* Any table of a CPU may take these: they use nothing of the reference. */
void plain__cache_put(struct ops *o, const void *qkv, size_t n,
                      const struct ops_heads *h, const struct ops_cache *cache,
                      const uint32_t *seqs, const uint32_t *positions);
void plain__cache_attention(struct ops *o, const void *qkv, size_t n,
                            const struct ops_heads *h,
                            const struct ops_cache *cache, const uint32_t *seqs,
                            const uint32_t *positions, void *out);

#endif /* CWM_MODEL_OPS_PLAIN_H */
