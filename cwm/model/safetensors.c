/* SPDX-License-Identifier: MIT */
/* safetensors.c -- the header is read and checked once, values are mapped. */
#include "cwm/model/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"

enum { LENGTH_BYTES = 8 };

/* The format's own limit. */
#define MAX_HEADER_BYTES ((uint64_t)100 * 1000 * 1000)

struct safetensors {
    void *map; /* owned, of map_len bytes; NULL: the data is the caller's */
    size_t map_len;
    json_t *header;         /* owned; holds the names */
    struct tensor *tensors; /* owned; [n], by place */
    size_t n;
};

static const struct {
    const char *name;
    size_t n_bytes;
} types[] = {
    [TENSOR_F32] = {"F32", 4},
    [TENSOR_F16] = {"F16", 2},
    [TENSOR_BF16] = {"BF16", 2},
};

/* ---- the header -----------------------------------------------------------
 */

static enum cwm_rc not_a_tensor(const char *name, const char *what,
                                struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_FORMAT, "cannot use the tensor '%.120s': %s", name,
                    what);
}

static bool read_type(const json_t *entry, enum tensor_type *ret_type)
{
    const json_t *type = json_object_get(entry, "dtype");
    size_t i;

    for (i = 0; json_is_string(type) && i < sizeof types / sizeof *types; i++) {
        if (strcmp(json_string_value(type), types[i].name) == 0) {
            *ret_type = (enum tensor_type)i;
            return true;
        }
    }
    return false;
}

/* The shape, and how many bytes it asks for. */
static bool read_shape(const json_t *shape, struct tensor *t)
{
    size_t n = 1;
    size_t i;

    if (!json_is_array(shape) || json_array_size(shape) > TENSOR_MAX_DIMS) {
        return false;
    }
    t->n_dims = (uint32_t)json_array_size(shape);
    for (i = 0; i < t->n_dims; i++) {
        const json_t *dim = json_array_get(shape, i);

        if (!json_is_integer(dim) || json_integer_value(dim) < 0) {
            return false;
        }
        t->dims[i] = (uint64_t)json_integer_value(dim);
        if (__builtin_mul_overflow(n, t->dims[i], &n)) {
            return false;
        }
    }
    t->n_values = n;
    return !__builtin_mul_overflow(n, types[t->type].n_bytes, &t->n_bytes);
}

static bool read_offsets(const json_t *offsets, uint64_t *ret_begin,
                         uint64_t *ret_end)
{
    const json_t *begin = json_array_get(offsets, 0);
    const json_t *end = json_array_get(offsets, 1);

    if (json_array_size(offsets) != 2 || !json_is_integer(begin) ||
        !json_is_integer(end) || json_integer_value(begin) < 0 ||
        json_integer_value(end) < json_integer_value(begin)) {
        return false;
    }
    *ret_begin = (uint64_t)json_integer_value(begin);
    *ret_end = (uint64_t)json_integer_value(end);
    return true;
}

static enum cwm_rc read_tensor(const char *name, const json_t *entry,
                               const uint8_t *values, size_t n_bytes,
                               struct tensor *t, struct cwm_err *err)
{
    uint64_t begin;
    uint64_t end;

    t->name = name;
    if (!read_type(entry, &t->type)) {
        return not_a_tensor(name, "its dtype is none of F32, F16, BF16", err);
    }
    if (!read_shape(json_object_get(entry, "shape"), t)) {
        return not_a_tensor(name, "its shape is none", err);
    }
    if (!read_offsets(json_object_get(entry, "data_offsets"), &begin, &end)) {
        return not_a_tensor(name, "its data_offsets are none", err);
    }
    if (end > n_bytes) {
        return not_a_tensor(name, "it ends behind the file; was the file cut?",
                            err);
    }
    if (end - begin != t->n_bytes) {
        return not_a_tensor(name, "its shape does not fit its data_offsets",
                            err);
    }
    t->data = values + begin;
    return CWM_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct tensor *x = a;
    const struct tensor *y = b;

    if (x->data != y->data) {
        return x->data < y->data ? -1 : 1;
    }
    /* an empty one before the one that begins at the same place */
    return (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
}

static enum cwm_rc read_tensors(struct safetensors *f, const uint8_t *values,
                                size_t n_bytes, struct cwm_err *err)
{
    const char *name;
    json_t *entry;
    enum cwm_rc rc = CWM_OK;
    size_t i;

    f->tensors = cwm_calloc(json_object_size(f->header), sizeof *f->tensors);
    if (!f->tensors) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the tensors' names");
    }
    json_object_foreach(f->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) {
            continue;
        }
        rc = read_tensor(name, entry, values, n_bytes, &f->tensors[f->n], err);
        if (rc != CWM_OK) {
            return rc;
        }
        f->n++;
    }
    qsort(f->tensors, f->n, sizeof *f->tensors, by_place);
    for (i = 1; i < f->n; i++) {
        if (f->tensors[i - 1].data + f->tensors[i - 1].n_bytes >
            f->tensors[i].data) {
            return not_a_tensor(f->tensors[i].name,
                                "it lies in another one's place", err);
        }
    }
    return CWM_OK;
}

/* ---- the file -------------------------------------------------------------
 */

static uint64_t get_u64le(const uint8_t *p)
{
    uint64_t n = 0;
    int i;

    for (i = 7; i >= 0; i--) {
        n = n << 8 | p[i];
    }
    return n;
}

static enum cwm_rc read_header(struct safetensors *f, const uint8_t *data,
                               size_t len, struct cwm_err *err)
{
    json_error_t problem;
    uint64_t n;

    if (len < LENGTH_BYTES) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use a safetensors file of %zu bytes", len);
    }
    n = get_u64le(data);
    if (n > MAX_HEADER_BYTES || n > len - LENGTH_BYTES) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the safetensors file: its header has %llu "
                        "bytes, the file %zu",
                        (unsigned long long)n, len);
    }
    f->header = json_loadb((const char *)data + LENGTH_BYTES, (size_t)n,
                           JSON_REJECT_DUPLICATES, &problem);
    if (!f->header) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "could not read the safetensors file's header: %s",
                        problem.text);
    }
    if (!json_is_object(f->header)) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the safetensors file: its header is no "
                        "object");
    }
    return read_tensors(f, data + LENGTH_BYTES + n,
                        len - LENGTH_BYTES - (size_t)n, err);
}

enum cwm_rc safetensors_parse(const uint8_t *data, size_t len,
                              struct safetensors **ret_file,
                              struct cwm_err *err)
{
    struct safetensors *f = cwm_calloc(1, sizeof *f);
    enum cwm_rc rc;

    if (!f) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a safetensors file");
    }
    rc = read_header(f, data, len, err);
    if (rc != CWM_OK) {
        goto out;
    }
    *ret_file = f;
    f = NULL; /* now the caller's */
out:
    safetensors_close(f);
    return rc;
}

enum cwm_rc safetensors_open(const char *path, struct safetensors **ret_file,
                             struct cwm_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *map = MAP_FAILED; /* owned */
    struct stat st = {0};
    enum cwm_rc rc;

    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = CWM_FAIL(err, CWM_IO, "could not open '%s': %s", path,
                      strerror(errno));
        goto out;
    }
    if (!S_ISREG(st.st_mode) || st.st_size < LENGTH_BYTES) {
        rc = CWM_FAIL(err, CWM_FORMAT,
                      "cannot use '%s': it is no safetensors file", path);
        goto out;
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        rc = CWM_FAIL(err, CWM_IO, "could not map '%s': %s", path,
                      strerror(errno));
        goto out;
    }
    rc = safetensors_parse(map, (size_t)st.st_size, ret_file, err);
    if (rc != CWM_OK) {
        cwm_err_context(err, "%s", path);
        goto out;
    }
    (*ret_file)->map = map;
    (*ret_file)->map_len = (size_t)st.st_size;
    map = MAP_FAILED; /* now the file's */
out:
    if (map != MAP_FAILED) {
        munmap(map, (size_t)st.st_size);
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

void safetensors_close(struct safetensors *file)
{
    if (!file) {
        return;
    }
    cwm_free(file->tensors);
    json_decref(file->header);
    if (file->map) {
        munmap(file->map, file->map_len);
    }
    cwm_free(file);
}

size_t safetensors_n(const struct safetensors *file)
{
    return file->n;
}

const struct tensor *safetensors_at(const struct safetensors *file, size_t i)
{
    return &file->tensors[i];
}

const struct tensor *safetensors_find(const struct safetensors *file,
                                      const char *name)
{
    size_t i;

    for (i = 0; i < file->n; i++) {
        if (strcmp(file->tensors[i].name, name) == 0) {
            return &file->tensors[i];
        }
    }
    return NULL;
}

/* ---- values ---------------------------------------------------------------
 */

size_t tensor_type_bytes(enum tensor_type type)
{
    return types[type].n_bytes;
}

static float bits_to_f32(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static float f16_to_f32(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = half >> 10 & 0x1Fu;
    uint32_t fraction = half & 0x3FFu;

    if (exponent == 0x1F) { /* infinity, or no number */
        return bits_to_f32(sign | 0x7F800000u | fraction << 13);
    }
    if (exponent == 0) { /* fraction * 2^-24, exact in fp32 */
        float value = (float)fraction * 0x1p-24f;

        return sign ? -value : value;
    }
    return bits_to_f32(sign | (exponent + 112) << 23 | fraction << 13);
}

void tensor_to_f32(const struct tensor *t, float *out)
{
    size_t i;
    uint16_t half;

    if (t->type == TENSOR_F32) {
        memcpy(out, t->data, t->n_bytes);
        return;
    }
    for (i = 0; i < t->n_values; i++) {
        memcpy(&half, t->data + 2 * i, sizeof half);
        out[i] = t->type == TENSOR_F16 ? f16_to_f32(half)
                                       : bits_to_f32((uint32_t)half << 16);
    }
}
