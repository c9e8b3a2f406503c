/* SPDX-License-Identifier: MIT */
/* convert.c -- see convert.h. */
#include "cwm/model/convert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/model/config_write.h"
#include "cwm/model/model.h"
#include "cwm/model/ops.h"
#include "cwm/model/quantize.h"

enum {
    MAX_PATH_BYTES = 4096,
    MAX_FILE_BYTES = 1 << 28, /* a tokenizer */
    /* Of a layer, and besides the layers; each may have scales. */
    LAYER_TENSORS = 9,
    OTHER_TENSORS = 3
};

static const char scale_suffix[] = "_scale";

/* What a new folder may hold; the config last: without it it is none. */
static const char *const file_names[] = {"model.safetensors", "tokenizer.json",
                                         "tokenizer.model", "config.json"};

/* A tensor of the new file, and what it borrows. */
struct made {
    char *name;   /* owned */
    void *values; /* owned */
};

struct conversion {
    const struct model *m; /* borrowed */
    enum tensor_type type;
    struct tensor *tensors; /* owned */
    struct made *made;      /* owned; of the tensors */
    size_t n;
    float *row; /* owned: one row of the matrix at hand */
};

/* ---- weights ---- */

/* The next tensor of the file, with room for its values. */
static struct tensor *add_tensor(struct conversion *c, const struct tensor *of,
                                 const char *suffix, enum tensor_type type,
                                 uint32_t n_dims)
{
    size_t len = strlen(of->name) + strlen(suffix) + 1;
    struct tensor *t = &c->tensors[c->n];
    struct made *made = &c->made[c->n];

    t->type = type;
    t->n_dims = n_dims;
    t->n_values = 1;
    for (uint32_t i = 0; i < n_dims; i++) {
        t->dims[i] = of->dims[i];
        t->n_values *= (size_t)of->dims[i];
    }
    t->n_bytes = t->n_values * tensor_type_bytes(type);
    made->name = cwm_malloc(len);
    made->values = cwm_malloc(t->n_bytes + 1);
    c->n++;
    if (!made->name || !made->values) {
        return NULL;
    }
    snprintf(made->name, len, "%s%s", of->name, suffix);
    t->name = made->name;
    t->data = made->values;
    return t;
}

static void put_row(const float *row, size_t n, enum tensor_type type, void *to)
{
    if (type == TENSOR_F32) {
        memcpy(to, row, n * sizeof *row);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        ((uint16_t *)to)[i] = bf16_from_f32(row[i]);
    }
}

static enum cwm_rc convert(struct conversion *c, const struct tensor *from,
                           struct cwm_err *err)
{
    bool is_matrix = from->n_dims == 2;
    enum tensor_type type =
        c->type == TENSOR_I8 && !is_matrix ? TENSOR_F32 : c->type;
    size_t n_rows = is_matrix ? (size_t)from->dims[0] : 1;
    size_t n = from->n_values / n_rows;
    struct tensor *t = add_tensor(c, from, "", type, from->n_dims);
    char *values = c->made[c->n - 1].values;
    float *scales = NULL;
    enum cwm_rc rc = tensor_check_finite(from, err);

    if (rc != CWM_OK) {
        return rc;
    }
    if (t && type == TENSOR_I8) {
        t = add_tensor(c, from, scale_suffix, TENSOR_F32, 1);
        scales = c->made[c->n - 1].values;
    }
    if (!t) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold '%s'", from->name);
    }
    for (size_t i = 0; i < n_rows; i++) {
        tensor_part_to_f32(from, i * n, n, c->row);
        if (scales) {
            scales[i] = quantize_row(c->row, n, (int8_t *)values + i * n);
        } else {
            put_row(c->row, n, type, values + i * n * tensor_type_bytes(type));
        }
    }
    return CWM_OK;
}

static size_t longest_row(const struct model_config *c)
{
    size_t n = c->d_model > c->d_ffn ? c->d_model : c->d_ffn;
    size_t d_q = (size_t)c->n_heads * c->d_head;

    return n > d_q ? n : d_q;
}

static enum cwm_rc convert_layer(struct conversion *c,
                                 const struct model_layer *l,
                                 struct cwm_err *err)
{
    const struct tensor *const all[LAYER_TENSORS] = {
        l->attention_norm, l->q,    l->k,  l->v,   l->o,
        l->ffn_norm,       l->gate, l->up, l->down};
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < LAYER_TENSORS && rc == CWM_OK; i++) {
        rc = convert(c, all[i], err);
    }
    return rc;
}

static enum cwm_rc convert_all(struct conversion *c, struct cwm_err *err)
{
    const struct model *m = c->m;
    size_t most =
        2 * (OTHER_TENSORS + (size_t)m->config.n_layers * LAYER_TENSORS);
    enum cwm_rc rc;

    c->tensors = cwm_calloc(most, sizeof *c->tensors);
    c->made = cwm_calloc(most, sizeof *c->made);
    c->row = cwm_calloc(longest_row(&m->config), sizeof *c->row);
    if (!c->tensors || !c->made || !c->row) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the new weights");
    }
    rc = convert(c, m->embedding, err);
    for (uint32_t i = 0; i < m->config.n_layers && rc == CWM_OK; i++) {
        rc = convert_layer(c, &m->layers[i], err);
    }
    if (rc == CWM_OK) {
        rc = convert(c, m->norm, err);
    }
    if (rc == CWM_OK && !m->config.is_tied) {
        rc = convert(c, m->output, err);
    }
    return rc;
}

static void conversion_release(struct conversion *c)
{
    for (size_t i = 0; c->made && i < c->n; i++) {
        cwm_free(c->made[i].name);
        cwm_free(c->made[i].values);
    }
    cwm_free(c->made);
    cwm_free(c->tensors);
    cwm_free(c->row);
}

/* ---- files ---- */

static enum cwm_rc path_in(const char *folder, const char *name, char *path,
                           struct cwm_err *err)
{
    int n = snprintf(path, MAX_PATH_BYTES, "%s/%s", folder, name);

    return n >= 0 && n < MAX_PATH_BYTES
               ? CWM_OK
               : CWM_FAIL(err, CWM_USAGE, "the path '%.60s...' is too long",
                          folder);
}

/* One that is not there is none. */
static enum cwm_rc copy_file(const char *from, const char *to, const char *name,
                             struct cwm_err *err)
{
    char path[MAX_PATH_BYTES];
    struct cwm_buf data;
    enum cwm_rc rc = path_in(from, name, path, err);

    if (rc != CWM_OK || access(path, F_OK) != 0) {
        return rc;
    }
    cwm_buf_init(&data, MAX_FILE_BYTES);
    rc = io_read_file(path, &data, err);
    if (rc == CWM_OK) {
        rc = path_in(to, name, path, err);
    }
    if (rc == CWM_OK) {
        rc = io_replace_file(path, data.data ? data.data : "", data.len, err);
    }
    cwm_buf_release(&data);
    return rc;
}

static enum cwm_rc write_folder(const struct conversion *c, const char *from,
                                const char *to, struct cwm_err *err)
{
    char path[MAX_PATH_BYTES];
    struct cwm_buf config;
    enum cwm_rc rc = path_in(to, "model.safetensors", path, err);

    if (rc == CWM_OK) {
        rc = safetensors_write(path, c->tensors, c->n, err);
    }
    if (rc == CWM_OK) {
        rc = copy_file(from, to, "tokenizer.json", err);
    }
    if (rc == CWM_OK) {
        rc = copy_file(from, to, "tokenizer.model", err);
    }
    if (rc == CWM_OK) {
        rc = path_in(to, "config.json", path, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    cwm_buf_init(&config, MAX_FILE_BYTES);
    config_write(&c->m->config, c->type, &config);
    rc = cwm_buf_check(&config, "the model's shape", err);
    if (rc == CWM_OK) {
        rc = io_replace_file(path, config.data, config.len, err);
    }
    cwm_buf_release(&config);
    return rc;
}

static void remove_folder(const char *folder)
{
    char path[MAX_PATH_BYTES];

    for (size_t i = 0; i < sizeof file_names / sizeof *file_names; i++) {
        if (path_in(folder, file_names[i], path, NULL) == CWM_OK) {
            unlink(path);
        }
    }
    rmdir(folder);
}

enum cwm_rc convert_checkpoint(const char *from, const char *to,
                               enum tensor_type type, struct cwm_err *err)
{
    struct conversion c = {.type = type};
    struct model *m = NULL; /* owned */
    enum cwm_rc rc = model_load(from, &m, err);

    if (rc != CWM_OK) {
        return rc;
    }
    if (mkdir(to, 0777) != 0) {
        model_free(m);
        return CWM_FAIL(err, CWM_USAGE, "could not make '%s': %s", to,
                        strerror(errno));
    }
    c.m = m;
    rc = convert_all(&c, err);
    if (rc == CWM_FORMAT) {
        cwm_err_context(err, "%s", from);
    }
    if (rc == CWM_OK) {
        rc = write_folder(&c, from, to, err);
    }
    if (rc != CWM_OK) {
        remove_folder(to);
    }
    conversion_release(&c);
    model_free(m);
    return rc;
}
