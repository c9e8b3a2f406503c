/* SPDX-License-Identifier: MIT */
/* transformer_files.c -- weights at random, from files and to files. */
#include "cwm/model/transformer_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/model/weights.h"

/* ---- at random ------------------------------------------------------------
 */

/* splitmix64: every state gives a number of its own. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static double next_normal(uint64_t *state)
{
    const double two_pi = 6.283185307179586;
    double a = (double)((next_random(state) >> 11) + 1) * 0x1p-53;
    double b = (double)(next_random(state) >> 11) * 0x1p-53;

    return sqrt(-2.0 * log(a)) * cos(two_pi * b);
}

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name);
    size_t n = strlen(end);

    return len >= n && strcmp(name + len - n, end) == 0;
}

enum cwm_rc transformer_init(struct transformer *t, uint64_t seed,
                             struct cwm_err *err)
{
    const double width = 0.02; /* "initializer_range" of the family */
    double narrow = width / sqrt(2.0 * t->config.n_layers);
    float *values = cwm_calloc(t->n_values, sizeof *values); /* owned */
    size_t i;
    size_t k;

    if (!values) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the first weights");
    }
    for (i = 0; i < t->n_tensors; i++) {
        const struct transformer_tensor *tensor = &t->tensors[i];
        size_t n = (tensor->n_rows ? tensor->n_rows : 1) * tensor->n_columns;
        bool ends_branch = ends_in(tensor->name, "o_proj.weight") ||
                           ends_in(tensor->name, "down_proj.weight");

        for (k = 0; k < n; k++) {
            values[tensor->offset + k] =
                tensor->n_rows == 0 ? 1.0f
                                    : (float)(next_normal(&seed) *
                                              (ends_branch ? narrow : width));
        }
    }
    t->o->write(t->o, t->weights, values, t->n_values * sizeof *values);
    cwm_free(values);
    transformer_changed(t);
    return t->o->check(t->o, err);
}

/* ---- from files -----------------------------------------------------------
 */

static enum cwm_rc check_tensor(const struct transformer_tensor *want,
                                const struct tensor *have, struct cwm_err *err)
{
    bool fits;

    if (!have) {
        return CWM_FAIL(err, CWM_FORMAT, "there is no tensor '%s'", want->name);
    }
    fits = want->n_rows == 0
               ? have->n_dims == 1 && have->dims[0] == want->n_columns
               : have->n_dims == 2 && have->dims[0] == want->n_rows &&
                     have->dims[1] == want->n_columns;
    return fits ? CWM_OK
                : CWM_FAIL(err, CWM_FORMAT,
                           "cannot use the tensor '%s': the config asks for "
                           "%zu x %zu",
                           want->name, want->n_rows ? want->n_rows : 1,
                           want->n_columns);
}

static enum cwm_rc read_tensor(struct transformer *t,
                               const struct transformer_tensor *want,
                               const struct tensor *have, float *vector,
                               struct cwm_err *err)
{
    enum cwm_rc rc = check_tensor(want, have, err);
    float *values; /* owned */
    size_t i;

    if (rc != CWM_OK) {
        return rc;
    }
    values = cwm_malloc(have->n_values * sizeof *values);
    if (!values) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the tensor '%s'",
                        want->name);
    }
    tensor_to_f32(have, values);
    for (i = 0; i < have->n_values && rc == CWM_OK; i++) {
        if (!isfinite(values[i])) {
            rc = CWM_FAIL(err, CWM_FORMAT,
                          "cannot use the tensor '%s': value %zu is not finite",
                          want->name, i);
        }
    }
    if (rc == CWM_OK) {
        t->o->write(t->o, vector + want->offset, values,
                    have->n_values * sizeof *values);
    }
    cwm_free(values);
    return rc;
}

enum cwm_rc transformer_read(struct transformer *t,
                             const struct safetensors *file, float *vector,
                             struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    size_t i;

    for (i = 0; i < t->n_tensors && rc == CWM_OK; i++) {
        rc = read_tensor(t, &t->tensors[i],
                         safetensors_find(file, t->tensors[i].name), vector,
                         err);
    }
    return rc;
}

enum cwm_rc transformer_load(struct transformer *t, const char *folder,
                             struct cwm_err *err)
{
    struct weights *weights = NULL; /* owned */
    enum cwm_rc rc = weights_open(folder, &weights, err);
    size_t i;

    if (rc != CWM_OK) {
        return rc;
    }
    for (i = 0; i < t->n_tensors && rc == CWM_OK; i++) {
        rc = read_tensor(t, &t->tensors[i],
                         weights_find(weights, t->tensors[i].name), t->weights,
                         err);
    }
    weights_close(weights);
    if (rc != CWM_OK) {
        cwm_err_context(err, "%s", folder);
        return rc;
    }
    transformer_changed(t);
    return t->o->check(t->o, err);
}

/* ---- to files -------------------------------------------------------------
 */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name,
                  ((const struct tensor *)b)->name);
}

static void to_bf16(float *values, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        /* in place: what is written lies before what is still to be read */
        uint16_t half = bf16_from_f32(values[i]);

        memcpy((char *)values + i * sizeof half, &half, sizeof half);
    }
}

/* `values` has the whole vector, in `type`. */
static enum cwm_rc write_tensors(const struct transformer *t,
                                 const void *values, enum tensor_type type,
                                 const char *path, struct cwm_err *err)
{
    struct tensor *tensors = cwm_calloc(t->n_tensors, sizeof *tensors);
    size_t bytes_each = tensor_type_bytes(type);
    enum cwm_rc rc;
    size_t i;

    if (!tensors) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the tensors' names");
    }
    for (i = 0; i < t->n_tensors; i++) {
        const struct transformer_tensor *from = &t->tensors[i];
        size_t n = (from->n_rows ? from->n_rows : 1) * from->n_columns;

        tensors[i] = (struct tensor){
            .name = from->name,
            .type = type,
            .n_dims = from->n_rows ? 2 : 1,
            .dims = {from->n_rows ? from->n_rows : from->n_columns,
                     from->n_rows ? from->n_columns : 0},
            .data = (const uint8_t *)values + from->offset * bytes_each,
            .n_values = n,
            .n_bytes = n * bytes_each,
        };
    }
    qsort(tensors, t->n_tensors, sizeof *tensors, by_name);
    rc = safetensors_write(path, tensors, t->n_tensors, err);
    cwm_free(tensors);
    return rc;
}

enum cwm_rc transformer_write(struct transformer *t, const float *vector,
                              enum tensor_type type, const char *path,
                              struct cwm_err *err)
{
    float *values = cwm_malloc(t->n_values * sizeof *values); /* owned */
    enum cwm_rc rc;

    if (!values) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a copy of the weights");
    }
    t->o->read(t->o, values, vector, t->n_values * sizeof *values);
    rc = t->o->check(t->o, err);
    if (rc == CWM_OK && type == TENSOR_BF16) {
        to_bf16(values, t->n_values);
    }
    if (rc == CWM_OK) {
        rc = write_tensors(t, values, type, path, err);
    }
    cwm_free(values);
    return rc;
}
