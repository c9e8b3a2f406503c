/* SPDX-License-Identifier: MIT */
/* train_loader.c -- a loader's functions under a trainer's names. */
#include "cwm/model/train_loader.h"

static enum cwm_rc next(void *ctx, struct loader_batch *ret_batch,
                        bool *ret_more, struct cwm_err *err)
{
    return loader_next(ctx, ret_batch, ret_more, err);
}

static void tell(void *ctx, struct loader_position *ret)
{
    loader_position(ctx, ret);
}

static enum cwm_rc seek(void *ctx, const struct loader_position *to,
                        struct cwm_err *err)
{
    return loader_seek(ctx, to, err);
}

struct train_data train_loader_data(struct loader *loader)
{
    return (struct train_data){
        .ctx = loader, .next = next, .tell = tell, .seek = seek};
}
