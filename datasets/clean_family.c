/* SPDX-License-Identifier: MIT */
/* clean_family.c -- union and find. */
#include "datasets/clean_family.h"

#include "cwm/base/alloc.h"

enum cwm_rc clean_family_init(struct clean_family *f, size_t n,
                              struct cwm_err *err)
{
    f->n = n;
    f->parents = cwm_calloc(n + 1, sizeof *f->parents);
    if (!f->parents) {
        return CWM_FAIL(err, CWM_NOMEM, "could not sort %zu programs", n);
    }
    for (size_t i = 0; i < n; i++) {
        f->parents[i] = (uint32_t)i;
    }
    return CWM_OK;
}

void clean_family_release(struct clean_family *f)
{
    cwm_free(f->parents);
    f->parents = NULL;
    f->n = 0;
}

uint32_t clean_family_root(struct clean_family *f, uint32_t i)
{
    while (f->parents[i] != i) {
        f->parents[i] = f->parents[f->parents[i]]; /* halve the way */
        i = f->parents[i];
    }
    return i;
}

void clean_family_join(struct clean_family *f, uint32_t a, uint32_t b)
{
    a = clean_family_root(f, a);
    b = clean_family_root(f, b);
    if (a < b) {
        f->parents[b] = a;
    } else {
        f->parents[a] = b;
    }
}
