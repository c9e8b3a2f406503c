/* SPDX-License-Identifier: MIT */
/* token_ids.c -- lists of ids. */
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/model/tokenizer.h"

void token_ids_release(struct token_ids *ids)
{
    cwm_free(ids->ids);
    memset(ids, 0, sizeof *ids);
}

static enum cwm_rc ids_grow(struct token_ids *ids, struct cwm_err *err)
{
    size_t capacity = ids->capacity ? ids->capacity * 2 : 256;
    uint32_t *grown = cwm_realloc(ids->ids, capacity, sizeof *grown);

    if (!grown) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu tokens", capacity);
    }
    ids->ids = grown;
    ids->capacity = capacity;
    return CWM_OK;
}

enum cwm_rc token_ids_add(struct token_ids *ids, uint32_t id,
                          struct cwm_err *err)
{
    if (ids->n == ids->capacity) {
        enum cwm_rc rc = ids_grow(ids, err);

        if (rc != CWM_OK) {
            return rc;
        }
    }
    ids->ids[ids->n++] = id;
    return CWM_OK;
}
