/* SPDX-License-Identifier: MIT */
/*
 * feed_seen.c -- which texts came before, by their hashes.
 *
 * Two different texts with one hash are taken for one: of a thousand million
 * programs some 0.03 are lost that way.
 */
#include "cwm/model/feed_internal.h"

#include "cwm/base/alloc.h"

enum { FIRST_CAPACITY = 1024 };

void feed__seen_release(struct feed_seen *s)
{
    cwm_free(s->table);
    *s = (struct feed_seen){.table = NULL};
}

/* The place of a hash: its own, or the free one where it would go. */
static struct feed_seen_one *place(const struct feed_seen *s, uint64_t hash)
{
    size_t at = (size_t)hash & (s->capacity - 1);

    while (s->table[at].number_1 != 0 && s->table[at].hash != hash) {
        at = (at + 1) & (s->capacity - 1);
    }
    return &s->table[at];
}

static enum cwm_rc grow(struct feed_seen *s, struct cwm_err *err)
{
    struct feed_seen more = {.capacity = s->capacity > 0 ? 2 * s->capacity
                                                         : FIRST_CAPACITY,
                             .n = s->n};

    more.table = cwm_calloc(more.capacity, sizeof *more.table);
    if (!more.table) {
        return CWM_FAIL(err, CWM_NOMEM,
                        "could not remember %zu programs that came before",
                        s->n);
    }
    for (size_t i = 0; i < s->capacity; i++) {
        if (s->table[i].number_1 != 0) {
            *place(&more, s->table[i].hash) = s->table[i];
        }
    }
    cwm_free(s->table);
    *s = more;
    return CWM_OK;
}

enum cwm_rc feed__seen_add(struct feed_seen *s, uint64_t hash, uint64_t number,
                           uint64_t *ret_first, struct cwm_err *err)
{
    struct feed_seen_one *one;

    /* a fourth stays free, at the least */
    if (s->n >= s->capacity / 4 * 3) {
        enum cwm_rc rc = grow(s, err);

        if (rc != CWM_OK) {
            return rc;
        }
    }
    one = place(s, hash);
    if (one->number_1 == 0) {
        *one = (struct feed_seen_one){hash, number + 1};
        s->n++;
    } else if (number + 1 < one->number_1) {
        one->number_1 = number + 1;
    }
    *ret_first = one->number_1 - 1;
    return CWM_OK;
}
