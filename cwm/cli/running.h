/* SPDX-License-Identifier: MIT */
/*
 * running.h -- what commands that run programs share: with which interpreter,
 * behind which walls, within which limits.
 */
#ifndef CWM_CLI_RUNNING_H
#define CWM_CLI_RUNNING_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/opt.h"
#include "datasets/generate.h"
#include "tracer/trace.h"

/* As given; texts are borrowed from argv. */
struct running_fields {
    const char *python;
    struct opt_list allow_missing;
    struct trace_limits limits;
};

/*
 * The options, each within its braces, so that a command can begin a group
 * with it; TRACE_LIMIT_TABLE(RUNNING_LIMIT) gives the limits.  RUNNING_AT is
 * the command's: the offset of the struct running_fields in its fields.
 */
#define RUNNING_PYTHON                                                         \
    .name = "python", .type = OPT_STRING,                                      \
    .offset = RUNNING_AT + offsetof(struct running_fields, python),            \
    .value = "PYTHON",                                                         \
    .help = "interpreter to run with: a path (a virtual environment's, too), " \
            "a command, or a version such as 3.10; the system's unless told"
#define RUNNING_WALLS                                                          \
    .name = "allow-missing", .type = OPT_LIST,                                 \
    .offset = RUNNING_AT + offsetof(struct running_fields, allow_missing),     \
    .value = "WALL",                                                           \
    .help = "run also where this wall of the jail cannot be had; 'cwm check' " \
            "names them"
#define RUNNING_LIMIT(field, option, fallback_, min_, max_, in_bytes_, what)   \
    {.name = (option),                                                         \
     .type = OPT_U64,                                                          \
     .offset = RUNNING_AT + offsetof(struct running_fields, limits.field),     \
     .value = "N",                                                             \
     .fallback = #fallback_,                                                   \
     .min = (min_),                                                            \
     .max = (max_),                                                            \
     .in_bytes = (in_bytes_),                                                  \
     .help = (what)},

/* From the options; -1 to go on, else (having told) an exit code. */
int running_tracer(const char *command, const struct running_fields *f,
                   struct tracer_options *ret_options);

/* What generated programs are made of: the defaults, changed by the file at
 * `path` (NULL: none).  -1 to go on, or an exit code. */
int running_programs(const char *command, const char *path,
                     struct generate_settings *ret_settings);

/* Tell which of the walls, 1u << wall, the runs do without. */
void running_say_missing(const char *command, uint32_t walls);

#endif /* CWM_CLI_RUNNING_H */
