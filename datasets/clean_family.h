/* SPDX-License-Identifier: MIT */
/*
 * clean_family.h -- sets of programs that are joined pair by pair.
 *
 * A forest by index: the root of a set is always its smallest index, so that
 * where programs stand in the order of their hashes a set is called by its
 * smallest hash, in whatever order the pairs came.
 */
#ifndef DATASETS_CLEAN_FAMILY_H
#define DATASETS_CLEAN_FAMILY_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

struct clean_family {
    uint32_t *parents; /* owned */
    size_t n;
};
/* n sets of one.  Fails: CWM_NOMEM. */
enum cwm_rc clean_family_init(struct clean_family *f, size_t n,
                              struct cwm_err *err);
void clean_family_release(struct clean_family *f);
uint32_t clean_family_root(struct clean_family *f, uint32_t i);
void clean_family_join(struct clean_family *f, uint32_t a, uint32_t b);

#endif /* DATASETS_CLEAN_FAMILY_H */
