/* SPDX-License-Identifier: MIT */
/* default_model.h -- the model that comes with the program. */
#ifndef CWM_CLI_DEFAULT_MODEL_H
#define CWM_CLI_DEFAULT_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#define DEFAULT_MODEL_NAME "generated-25m"

/*
 * Where it is: $CWM_MODEL, else models/NAME beside the folder of the program
 * (a build folder in the source tree), else share/cwm/models/NAME there (an
 * installed one).  false: nowhere.
 */
bool default_model(char *path, size_t size);

#endif /* CWM_CLI_DEFAULT_MODEL_H */
