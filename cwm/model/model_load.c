/* SPDX-License-Identifier: MIT */
/* model_load.c -- weights by Hugging Face's names, as fp32. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "cwm/base/alloc.h"
#include "cwm/model/model.h"
#include "cwm/model/rope_freqs.h"
#include "cwm/model/weights.h"

enum { MAX_NAME_BYTES = 96 };

/* One tensor that the config asks for. */
struct wanted {
    const char *name; /* behind "model.layers.N." where it is a layer's */
    size_t n_rows;    /* 0: it has one dimension */
    size_t n_columns;
    float **ret_values;
};

static enum cwm_rc check_shape(const struct tensor *t, const struct wanted *w,
                               struct cwm_err *err)
{
    bool fits = w->n_rows == 0 ? t->n_dims == 1 && t->dims[0] == w->n_columns
                               : t->n_dims == 2 && t->dims[0] == w->n_rows &&
                                     t->dims[1] == w->n_columns;

    if (!fits) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the tensor '%.120s': the config asks for "
                        "%zu x %zu",
                        t->name, w->n_rows ? w->n_rows : 1, w->n_columns);
    }
    return CWM_OK;
}

/* Where weights come from, and how far to go with them. */
struct source_files {
    const struct weights *weights;
    bool shapes_only; /* see that they are there, and read no value */
};

static enum cwm_rc load_one(const struct source_files *from, const char *name,
                            const struct wanted *w, struct cwm_err *err)
{
    const struct tensor *t = weights_find(from->weights, name);
    enum cwm_rc rc;
    float *values;
    size_t i;

    if (!t) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model: it has no "
                        "tensor '%s'",
                        name);
    }
    rc = check_shape(t, w, err);
    if (rc != CWM_OK || from->shapes_only) {
        return rc;
    }
    values = cwm_malloc(t->n_values * sizeof *values);
    if (!values) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the tensor '%s'", name);
    }
    *w->ret_values = values; /* now the model's */
    tensor_to_f32(t, values);
    for (i = 0; i < t->n_values; i++) {
        if (!isfinite(values[i])) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot use the tensor '%s': value %zu is not "
                            "finite",
                            name, i);
        }
    }
    return CWM_OK;
}

static enum cwm_rc load_layer(const struct source_files *from, struct model *m,
                              uint32_t number, struct cwm_err *err)
{
    const struct model_config *c = &m->config;
    struct model_layer *l = &m->layers[number];
    size_t d_q = (size_t)c->n_heads * c->d_head;
    size_t d_kv = (size_t)c->n_kv_heads * c->d_head;
    const struct wanted wanted[] = {
        {"input_layernorm", 0, c->d_model, &l->attention_norm},
        {"self_attn.q_proj", d_q, c->d_model, &l->q},
        {"self_attn.k_proj", d_kv, c->d_model, &l->k},
        {"self_attn.v_proj", d_kv, c->d_model, &l->v},
        {"self_attn.o_proj", c->d_model, d_q, &l->o},
        {"post_attention_layernorm", 0, c->d_model, &l->ffn_norm},
        {"mlp.gate_proj", c->d_ffn, c->d_model, &l->gate},
        {"mlp.up_proj", c->d_ffn, c->d_model, &l->up},
        {"mlp.down_proj", c->d_model, c->d_ffn, &l->down},
    };
    char name[MAX_NAME_BYTES];
    enum cwm_rc rc = CWM_OK;
    size_t i;

    for (i = 0; i < sizeof wanted / sizeof *wanted && rc == CWM_OK; i++) {
        snprintf(name, sizeof name, "model.layers.%u.%s.weight", number,
                 wanted[i].name);
        rc = load_one(from, name, &wanted[i], err);
    }
    return rc;
}

static enum cwm_rc load_weights(const struct source_files *from,
                                struct model *m, struct cwm_err *err)
{
    const struct model_config *c = &m->config;
    const struct wanted embedding = {NULL, c->vocab_size, c->d_model,
                                     &m->embedding};
    const struct wanted norm = {NULL, 0, c->d_model, &m->norm};
    const struct wanted output = {NULL, c->vocab_size, c->d_model, &m->output};
    enum cwm_rc rc =
        load_one(from, "model.embed_tokens.weight", &embedding, err);
    uint32_t i;

    for (i = 0; i < c->n_layers && rc == CWM_OK; i++) {
        rc = load_layer(from, m, i, err);
    }
    if (rc == CWM_OK) {
        rc = load_one(from, "model.norm.weight", &norm, err);
    }
    if (rc == CWM_OK && !c->is_tied) {
        rc = load_one(from, "lm_head.weight", &output, err);
    } else if (rc == CWM_OK) {
        m->output = m->embedding;
    }
    return rc;
}

static enum cwm_rc make_freqs(struct model *m, struct cwm_err *err)
{
    m->rope_freqs = cwm_malloc(m->config.d_head / 2 * sizeof *m->rope_freqs);
    if (!m->rope_freqs) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the frequencies");
    }
    rope_freqs(&m->config, m->rope_freqs);
    return CWM_OK;
}

static enum cwm_rc load_into(const char *folder, bool shapes_only,
                             struct model *m, struct cwm_err *err)
{
    struct weights *weights = NULL; /* owned */
    struct source_files from = {.shapes_only = shapes_only};
    enum cwm_rc rc = config_load(folder, &m->config, err);

    if (rc != CWM_OK) {
        return rc;
    }
    m->layers = cwm_calloc(m->config.n_layers, sizeof *m->layers);
    if (!m->layers) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the layers");
    }
    rc = weights_open(folder, &weights, err);
    if (rc != CWM_OK) {
        return rc;
    }
    from.weights = weights;
    rc = load_weights(&from, m, err);
    if (rc != CWM_OK) {
        cwm_err_context(err, "%s", folder);
    }
    weights_close(weights);
    return rc == CWM_OK ? make_freqs(m, err) : rc;
}

enum cwm_rc model_load(const char *folder, struct model **ret_model,
                       struct cwm_err *err)
{
    struct model *m = cwm_calloc(1, sizeof *m); /* owned */
    enum cwm_rc rc;

    if (!m) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a model");
    }
    rc = load_into(folder, false, m, err);
    if (rc != CWM_OK) {
        goto out;
    }
    *ret_model = m;
    m = NULL; /* now the caller's */
out:
    model_free(m);
    return rc;
}

enum cwm_rc model_describe(const char *folder, struct model_config *ret_config,
                           struct cwm_err *err)
{
    struct model *m = cwm_calloc(1, sizeof *m); /* owned */
    enum cwm_rc rc;

    if (!m) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a model");
    }
    rc = load_into(folder, true, m, err);
    if (rc == CWM_OK) {
        *ret_config = m->config;
    }
    model_free(m);
    return rc;
}

void model_free(struct model *m)
{
    uint32_t i;

    if (!m) {
        return;
    }
    for (i = 0; m->layers && i < m->config.n_layers; i++) {
        const struct model_layer *l = &m->layers[i];

        cwm_free(l->attention_norm);
        cwm_free(l->q);
        cwm_free(l->k);
        cwm_free(l->v);
        cwm_free(l->o);
        cwm_free(l->ffn_norm);
        cwm_free(l->gate);
        cwm_free(l->up);
        cwm_free(l->down);
    }
    if (m->output != m->embedding) {
        cwm_free(m->output);
    }
    cwm_free(m->embedding);
    cwm_free(m->norm);
    cwm_free(m->rope_freqs);
    cwm_free(m->layers);
    cwm_free(m);
}
