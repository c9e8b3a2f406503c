/* SPDX-License-Identifier: MIT */
/* generating.c -- see generating.h. */
#include "cwm/cli/generating.h"

#include <math.h>
#include <stdlib.h>

#include "cwm/cli/cli.h"

enum type_choice { TYPE_FP32, TYPE_BF16, TYPE_INT8 };

const char *const generating_types[] = {"fp32", "bf16", "int8", NULL};

enum tensor_type generating_tensor_type(const struct generating_fields *f)
{
    static const enum tensor_type types[] = {[TYPE_FP32] = TENSOR_F32,
                                             [TYPE_BF16] = TENSOR_BF16,
                                             [TYPE_INT8] = TENSOR_I8};

    return types[f->type];
}

/* A decimal with nothing behind it. */
static bool read_decimal(const char *text, double *ret_value)
{
    char *end;

    *ret_value = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*ret_value);
}

int generating_sample(const char *command, const struct generating_fields *f,
                      struct sample_options *ret_options)
{
    const struct {
        const char *name;
        const char *text;
        double *value;
    } decimals[] = {
        {"--temperature", f->temperature, &ret_options->temperature},
        {"--top-p", f->top_p, &ret_options->top_p},
        {"--min-p", f->min_p, &ret_options->min_p},
    };
    struct cwm_err err;

    for (size_t i = 0; i < sizeof decimals / sizeof *decimals; i++) {
        if (!read_decimal(decimals[i].text, decimals[i].value)) {
            return cli_usage(command, "%s: '%.60s' is no number",
                             decimals[i].name, decimals[i].text);
        }
    }
    ret_options->top_k = (uint32_t)f->top_k;
    ret_options->seed = f->seed;
    if (f->greedy) {
        ret_options->temperature = 0;
    }
    return sample_check(ret_options, &err) == CWM_OK ? -1
                                                     : cli_fail(command, &err);
}

enum cwm_rc engine_load(const char *folder, const struct generating_fields *f,
                        const struct generator_options *options,
                        struct engine *e, struct cwm_err *err)
{
    enum ops_type type = f->type == TYPE_FP32 ? OPS_F32 : OPS_BF16;
    struct decoder_options needs = {.weights =
                                        f->type == TYPE_INT8 ? OPS_I8 : type};
    enum cwm_rc rc = model_load(folder, &e->m, err);

    generator_decoder_needs(options, &needs);
    if (rc == CWM_OK) {
        e->config = e->m->config;
        const struct device_options device = {.device = f->device,
                                              .type = type,
                                              .n_threads =
                                                  (unsigned)f->threads};

        rc = device_open(&device, &e->o, err);
    }
    if (rc == CWM_OK) {
        rc = decoder_new(e->o, e->m, &needs, &e->d, err);
        if (rc == CWM_FORMAT) {
            cwm_err_context(err, "%s", folder);
        }
    }
    return rc;
}

enum cwm_rc engine_open(const char *folder, const struct generating_fields *f,
                        const struct generator_options *options,
                        struct engine *e, struct cwm_err *err)
{
    enum cwm_rc rc = engine_load(folder, f, options, e, err);

    return rc == CWM_OK ? generator_new(e->d, options, &e->g, err) : rc;
}

void engine_release(struct engine *e)
{
    generator_free(e->g);
    decoder_free(e->d);
    ops_free(e->o);
    model_free(e->m);
    *e = (struct engine){.o = NULL};
}
