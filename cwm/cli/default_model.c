/* SPDX-License-Identifier: MIT */
/* default_model.c -- looked for where the program is. */
#include "cwm/cli/default_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PATH_BYTES = 4096 };

static bool is_there(const char *folder)
{
    char path[MAX_PATH_BYTES];

    return snprintf(path, sizeof path, "%s/config.json", folder) <
               (int)sizeof path &&
           access(path, R_OK) == 0;
}

bool default_model(char *path, size_t size)
{
    static const char *const places[] = {"../models/", "../share/cwm/models/"};
    const char *given = getenv("CWM_MODEL");
    char self[MAX_PATH_BYTES];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    if (given && *given) {
        return snprintf(path, size, "%s", given) < (int)size;
    }
    if (n < 0) {
        return false;
    }
    self[n] = '\0';
    slash = strrchr(self, '/');
    if (slash) {
        slash[1] = '\0';
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (snprintf(path, size, "%s%s%s", self, places[i],
                     DEFAULT_MODEL_NAME) < (int)size &&
            is_there(path)) {
            return true;
        }
    }
    return false;
}
