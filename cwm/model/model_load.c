/* SPDX-License-Identifier: MIT */
/* model_load.c -- weights by Hugging Face's names, where they lie. */

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
    const struct tensor **ret_tensor;
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

static enum cwm_rc find_one(const struct weights *from, const char *name,
                            const struct wanted *w, struct cwm_err *err)
{
    const struct tensor *t = weights_find(from, name);

    if (!t) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model: it has no "
                        "tensor '%s'",
                        name);
    }
    *w->ret_tensor = t;
    return check_shape(t, w, err);
}

static enum cwm_rc find_layer(struct model *m, uint32_t number,
                              struct cwm_err *err)
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
        rc = find_one(m->files, name, &wanted[i], err);
    }
    return rc;
}

static enum cwm_rc find_weights(struct model *m, struct cwm_err *err)
{
    const struct model_config *c = &m->config;
    const struct wanted embedding = {NULL, c->vocab_size, c->d_model,
                                     &m->embedding};
    const struct wanted norm = {NULL, 0, c->d_model, &m->norm};
    const struct wanted output = {NULL, c->vocab_size, c->d_model, &m->output};
    enum cwm_rc rc =
        find_one(m->files, "model.embed_tokens.weight", &embedding, err);
    uint32_t i;

    for (i = 0; i < c->n_layers && rc == CWM_OK; i++) {
        rc = find_layer(m, i, err);
    }
    if (rc == CWM_OK) {
        rc = find_one(m->files, "model.norm.weight", &norm, err);
    }
    if (rc == CWM_OK && !c->is_tied) {
        rc = find_one(m->files, "lm_head.weight", &output, err);
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

static enum cwm_rc load_into(const char *folder, struct model *m,
                             struct cwm_err *err)
{
    enum cwm_rc rc = config_load(folder, &m->config, err);

    if (rc != CWM_OK) {
        return rc;
    }
    m->layers = cwm_calloc(m->config.n_layers, sizeof *m->layers);
    if (!m->layers) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the layers");
    }
    rc = weights_open(folder, &m->files, err);
    if (rc != CWM_OK) {
        return rc;
    }
    rc = find_weights(m, err);
    if (rc != CWM_OK) {
        cwm_err_context(err, "%s", folder);
    }
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
    rc = load_into(folder, m, err);
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
    struct model *m = NULL; /* owned */
    enum cwm_rc rc = model_load(folder, &m, err);

    if (rc == CWM_OK) {
        *ret_config = m->config;
    }
    model_free(m);
    return rc;
}

void model_free(struct model *m)
{
    if (!m) {
        return;
    }
    weights_close(m->files);
    cwm_free(m->rope_freqs);
    cwm_free(m->layers);
    cwm_free(m);
}
