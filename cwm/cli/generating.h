/* SPDX-License-Identifier: MIT */
/*
 * generating.h -- what commands that generate share: their options, and a
 * model made ready.
 */
#ifndef CWM_CLI_GENERATING_H
#define CWM_CLI_GENERATING_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/opt.h"
#include "cwm/cli/device.h"
#include "cwm/model/generator.h"
#include "cwm/model/safetensors.h"

/* As given; texts are borrowed from argv. */
struct generating_fields {
    bool greedy;
    const char *temperature, *top_p, *min_p; /* decimals */
    uint64_t top_k;
    uint64_t seed;
    int type;         /* index into generating_types */
    uint64_t threads; /* 0: as many as this process may use */
    int device;       /* enum device */
};

extern const char *const generating_types[]; /* for OPT_ENUM */

/* `at`: offset of the struct generating_fields in the command's fields. */
#define GENERATING_SAMPLING(at)                                                \
    {.name = "greedy",                                                         \
     .type = OPT_FLAG,                                                         \
     .offset = (at) + offsetof(struct generating_fields, greedy),              \
     .help = "always take the likeliest token: --temperature 0"},              \
        {.name = "temperature",                                                \
         .type = OPT_STRING,                                                   \
         .offset = (at) + offsetof(struct generating_fields, temperature),     \
         .value = "T",                                                         \
         .fallback = "1",                                                      \
         .help = "logits are divided by it: less is more certain"},            \
        {.name = "top-k",                                                      \
         .type = OPT_U64,                                                      \
         .offset = (at) + offsetof(struct generating_fields, top_k),           \
         .value = "K",                                                         \
         .fallback = "0",                                                      \
         .max = UINT32_MAX,                                                    \
         .help = "draw from the K likeliest tokens; 0 is from all"},           \
        {.name = "top-p",                                                      \
         .type = OPT_STRING,                                                   \
         .offset = (at) + offsetof(struct generating_fields, top_p),           \
         .value = "P",                                                         \
         .fallback = "1",                                                      \
         .help = "draw from the fewest likeliest tokens that have this "       \
                 "probability together"},                                      \
        {.name = "min-p",                                                      \
         .type = OPT_STRING,                                                   \
         .offset = (at) + offsetof(struct generating_fields, min_p),           \
         .value = "P",                                                         \
         .fallback = "0",                                                      \
         .help =                                                               \
             "draw from the tokens that are at least P times as likely as "    \
             "the likeliest"},                                                 \
    {                                                                          \
        .name = "seed", .type = OPT_U64,                                       \
        .offset = (at) + offsetof(struct generating_fields, seed),             \
        .value = "N", .fallback = "0", .max = INT64_MAX,                       \
        .help =                                                                \
            "what is drawn depends on it, on the sample's number and on the "  \
            "position, and on nothing else"                                    \
    }

/* What it is computed with, and on. */
#define GENERATING_ENGINE(at)                                                  \
    {.name = "type",                                                           \
     .type = OPT_ENUM,                                                         \
     .offset = (at) + offsetof(struct generating_fields, type),                \
     .choices = generating_types,                                              \
     .fallback = "fp32",                                                       \
     .help = "what is computed with: bf16 is twice as fast as fp32, int8 "     \
             "(weights of 8 bits) four times, where memory is what bounds "    \
             "it"},                                                            \
        {.name = "device",                                                     \
         .type = OPT_ENUM,                                                     \
         .offset = (at) + offsetof(struct generating_fields, device),          \
         .fallback = "auto",                                                   \
         .choices = device_names,                                              \
         .help = DEVICE_HELP},                                                 \
    {                                                                          \
        .name = "threads", .type = OPT_U64,                                    \
        .offset = (at) + offsetof(struct generating_fields, threads),          \
        .value = "N", .fallback = "0", .max = 256,                             \
        .help = "0 is one for each core"                                       \
    }

#define GENERATING_OPTIONS(at) GENERATING_SAMPLING(at), GENERATING_ENGINE(at)

/* From the options; -1 to go on, else (having told) an exit code. */
int generating_sample(const char *command, const struct generating_fields *f,
                      struct sample_options *ret_options);

/* --type, of weights in a file. */
enum tensor_type generating_tensor_type(const struct generating_fields *f);

/* A model, ready to generate. */
struct engine {
    struct model *m;     /* owned */
    struct ops *o;       /* owned */
    struct decoder *d;   /* owned */
    struct generator *g; /* owned */
    struct model_config config;
};

/*
 * Fails: as model_load(), decoder_new() and generator_new().  *e must be
 * zeroed; engine_release() in any case.
 */
enum cwm_rc engine_open(const char *folder, const struct generating_fields *f,
                        const struct generator_options *options,
                        struct engine *e, struct cwm_err *err);
/* The same without a generator: e->g stays NULL. */
enum cwm_rc engine_load(const char *folder, const struct generating_fields *f,
                        const struct generator_options *options,
                        struct engine *e, struct cwm_err *err);
void engine_release(struct engine *e);

#endif /* CWM_CLI_GENERATING_H */
