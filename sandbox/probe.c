/* SPDX-License-Identifier: MIT */
/* probe.c -- which walls does this machine give to this user? */
#include <string.h>

#include "sandbox/sandbox.h"

enum cwm_rc sandbox_probe(struct sandbox_wall_state walls[SANDBOX_N_WALLS],
                          struct cwm_err *err)
{
    (void)err;
    memset(walls, 0, sizeof(*walls) * SANDBOX_N_WALLS);
    return CWM_OK;
}
