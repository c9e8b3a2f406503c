/* SPDX-License-Identifier: MIT */
/* walls.c -- the names of the walls. */
#include <string.h>

#include "sandbox/sandbox.h"

static const struct {
    const char *name;
    const char *what;
} walls[SANDBOX_N_WALLS] = {
#define WALL_ROW(id, name, what) [SANDBOX_WALL_##id] = {name, what},
    SANDBOX_WALL_TABLE(WALL_ROW)
#undef WALL_ROW
};

const char *sandbox_wall_name(enum sandbox_wall wall)
{
    return walls[wall].name;
}

const char *sandbox_wall_what(enum sandbox_wall wall)
{
    return walls[wall].what;
}

int sandbox_wall_find(const char *name)
{
    for (int i = 0; i < SANDBOX_N_WALLS; i++) {
        if (strcmp(walls[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}
