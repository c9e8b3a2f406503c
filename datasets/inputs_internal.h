/* SPDX-License-Identifier: MIT */
/*
 * inputs_internal.h -- what inputs*.c share: parameters, texts, chance.
 */
#ifndef DATASETS_INPUTS_INTERNAL_H
#define DATASETS_INPUTS_INTERNAL_H

#include <tree_sitter/api.h>

#include "datasets/inputs.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define INPUTS_MAX_PARAMS   24
#define INPUTS_MAX_WRITTEN  256
#define INPUTS_MAX_LITERALS 64
#define INPUTS_MAX_KEPT     256
/* A text of arguments: longer ones say nothing that shorter ones do not. */
#define INPUTS_MAX_ARGS ((size_t)1 << 14)

enum inputs_type {
    IN_INT,
    IN_FLOAT,
    IN_BOOL,
    IN_STR,
    IN_NONE,
    IN_LIST_INT,
    IN_LIST_STR,
    IN_LIST_FLOAT,
    IN_MATRIX,
    IN_PAIRS,
    IN_DICT_STR_INT,
    IN_DICT_INT,
    IN_GRAPH, /* dict of lists */
    IN_SET_INT,
    IN_TUPLE_INT,
    IN_CALLABLE,
    IN_N_TYPES
};

enum inputs_place { PLACE_NORMAL, PLACE_KEYWORD_ONLY, PLACE_REST };

struct inputs_param {
    char *name; /* owned */
    enum inputs_place place;
    bool has_default;
    bool is_annotated;
    uint32_t weights[IN_N_TYPES]; /* of what it seems to be */
};

struct inputs_text {
    char *text; /* owned */
    enum inputs_origin origin;
    uint32_t line;
};

struct inputs {
    struct inputs_settings settings;
    uint64_t random;
    char *name; /* owned: the function's */
    struct inputs_param params[INPUTS_MAX_PARAMS];
    size_t n_params;
    struct inputs_text written[INPUTS_MAX_WRITTEN];
    size_t n_written, next_written;
    char *literals[INPUTS_MAX_LITERALS]; /* owned: numbers and strings */
    size_t n_literals;
    struct inputs_text kept[INPUTS_MAX_KEPT]; /* parents of mutations */
    size_t n_kept, n_kept_exceptions;
    struct inputs_text waiting[INPUTS_MAX_KEPT]; /* new, but too many raise */
    size_t n_waiting;
    struct inputs_text last; /* the try that is out */
    bool is_out, was_waiting, tried_defaults;
    enum inputs_type last_types[INPUTS_MAX_PARAMS];
    size_t n_last_types; /* of a typed try, else 0 */
    uint64_t *seen;      /* owned: hashes of the tries */
    size_t n_seen, seen_capacity;
    uint64_t *edges; /* owned: sorted, of what was kept */
    size_t n_edges;
    uint32_t shapes[64];
    size_t n_shapes;
    uint32_t n_tries;
};

uint32_t inputs__pick(struct inputs *in, uint32_t n);
static inline bool inputs__chance(struct inputs *in, uint32_t permille)
{
    return inputs__pick(in, 1000) < permille;
}

/* inputs_read.c: the function's parameters and what the file says of it. */
enum cwm_rc inputs__read(struct inputs *in, const struct source *source,
                         const struct source_def *def, struct cwm_err *err);

/* inputs_guess.c: arguments of the types that the parameters seem to have. */
void inputs__typed(struct inputs *in, struct cwm_buf *out);
/* One of `args`'s arguments changed a little. */
void inputs__mutated(struct inputs *in, const char *args, struct cwm_buf *out);
/* What the last try's ending says of its types. */
void inputs__learn(struct inputs *in, const struct inputs_outcome *outcome);

#endif /* DATASETS_INPUTS_INTERNAL_H */
