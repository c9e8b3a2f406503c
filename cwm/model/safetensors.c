/* SPDX-License-Identifier: MIT */
/* safetensors.c -- the header is read and checked once, values are mapped. */
#include "cwm/model/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/json_in.h"

enum { LENGTH_BYTES = 8 };

/* The format's own limit. */
#define MAX_HEADER_BYTES ((uint64_t)100 * 1000 * 1000)

struct safetensors {
    void *map; /* owned, of map_len bytes; NULL: the data is the caller's */
    size_t map_len;
    struct cwm_buf names;   /* the tensors' names, each with its NUL */
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
    [TENSOR_I8] = {"I8", 1},
};

/* ---- the header -----------------------------------------------------------
 */

static enum cwm_rc not_a_tensor(const char *name, const char *what,
                                struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_FORMAT, "cannot use the tensor '%.120s': %s", name,
                    what);
}

static bool read_type(struct json_in *entry, enum tensor_type *ret_type)
{
    struct cwm_buf name;
    struct json_in value;
    bool is_known = false;
    size_t i;

    cwm_buf_init(&name, entry->len + 1);
    if (json_find(entry, "dtype", &value) && json_peek(&value) == '"' &&
        json_string(&value, &name)) {
        for (i = 0; i < sizeof types / sizeof *types && !is_known; i++) {
            is_known = strcmp(name.data ? name.data : "", types[i].name) == 0;
            *ret_type = is_known ? (enum tensor_type)i : *ret_type;
        }
    }
    if (name.failed != CWM_OK) {
        entry->failed = name.failed;
    }
    cwm_buf_release(&name);
    return is_known;
}

/* The shape, and how many bytes it asks for. */
static bool read_shape(struct json_in *entry, struct tensor *t)
{
    struct json_in shape;
    size_t n = 1;

    if (!json_find(entry, "shape", &shape) || !json_open(&shape, '[')) {
        return false;
    }
    for (bool first = true; json_more(&shape, ']', first); first = false) {
        if (t->n_dims == TENSOR_MAX_DIMS ||
            !json_count(&shape, &t->dims[t->n_dims]) ||
            __builtin_mul_overflow(n, t->dims[t->n_dims], &n)) {
            return false;
        }
        t->n_dims++;
    }
    t->n_values = n;
    return !__builtin_mul_overflow(n, types[t->type].n_bytes, &t->n_bytes);
}

static bool read_offsets(struct json_in *entry, uint64_t *ret_begin,
                         uint64_t *ret_end)
{
    struct json_in offsets;

    return json_find(entry, "data_offsets", &offsets) &&
           json_open(&offsets, '[') && json_more(&offsets, ']', true) &&
           json_count(&offsets, ret_begin) && json_more(&offsets, ']', false) &&
           json_count(&offsets, ret_end) && !json_more(&offsets, ']', false) &&
           offsets.failed == CWM_OK && *ret_begin <= *ret_end;
}

static enum cwm_rc read_tensor(const char *name, struct json_in *entry,
                               const uint8_t *values, size_t n_bytes,
                               struct tensor *t, struct cwm_err *err)
{
    uint64_t begin;
    uint64_t end;

    t->name = name;
    if (!read_type(entry, &t->type)) {
        return not_a_tensor(name, "its dtype is none of F32, F16, BF16, I8",
                            err);
    }
    if (!read_shape(entry, t)) {
        return not_a_tensor(name, "its shape is none", err);
    }
    if (!read_offsets(entry, &begin, &end)) {
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

static int by_name(const void *a, const void *b)
{
    const struct tensor *x = a;
    const struct tensor *y = b;

    return strcmp(x->name, y->name);
}

/* Bytes without scales are no weights.  The tensors stand by name. */
static enum cwm_rc find_scales(struct safetensors *f, struct tensor *t,
                               struct cwm_err *err)
{
    static const char suffix[] = "_scale";
    struct tensor key = {.name = NULL};
    const struct tensor *scales;
    struct cwm_buf name;
    enum cwm_rc rc = CWM_OK;

    cwm_buf_init(&name, MAX_HEADER_BYTES);
    cwm_buf_adds(&name, t->name);
    cwm_buf_add(&name, suffix, sizeof suffix);
    rc = cwm_buf_check(&name, "a tensor's name", err);
    if (rc == CWM_OK) {
        key.name = name.data;
        scales = bsearch(&key, f->tensors, f->n, sizeof *f->tensors, by_name);
        if (t->n_dims != 2 || !scales || scales->type != TENSOR_F32 ||
            scales->n_dims != 1 || scales->dims[0] != t->dims[0]) {
            rc = not_a_tensor(t->name,
                              "it is of 8 bits, and there is no fitting "
                              "tensor of that name and '_scale'",
                              err);
        } else {
            t->scales = scales->data;
        }
    }
    cwm_buf_release(&name);
    return rc;
}

/*
 * The tensors, in their order, are all that lies behind the header: no byte is
 * in two of them, and none in no one's, where another file could hide.
 */
static enum cwm_rc check_cover(const struct safetensors *f,
                               const uint8_t *values, size_t n_bytes,
                               struct cwm_err *err)
{
    const uint8_t *at = values;
    size_t i;

    for (i = 0; i < f->n; i++) {
        if (f->tensors[i].data != at) {
            return not_a_tensor(f->tensors[i].name,
                                f->tensors[i].data < at
                                    ? "it lies in another one's place"
                                    : "the bytes before it are no tensor's",
                                err);
        }
        at += f->tensors[i].n_bytes;
    }
    if (at != values + n_bytes) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the safetensors file: its last %zu bytes "
                        "are no tensor's",
                        (size_t)(values + n_bytes - at));
    }
    return CWM_OK;
}

/* No name twice, every byte in one tensor; they end in the file's order. */
static enum cwm_rc check_places(struct safetensors *f, const uint8_t *values,
                                size_t n_bytes, struct cwm_err *err)
{
    size_t i;

    qsort(f->tensors, f->n, sizeof *f->tensors, by_name);
    for (i = 1; i < f->n; i++) {
        if (strcmp(f->tensors[i - 1].name, f->tensors[i].name) == 0) {
            return not_a_tensor(f->tensors[i].name, "it is there twice", err);
        }
    }
    for (i = 0; i < f->n; i++) {
        enum cwm_rc rc = f->tensors[i].type == TENSOR_I8
                             ? find_scales(f, &f->tensors[i], err)
                             : CWM_OK;

        if (rc != CWM_OK) {
            return rc;
        }
    }
    qsort(f->tensors, f->n, sizeof *f->tensors, by_place);
    return check_cover(f, values, n_bytes, err);
}

/* All members' names, one behind the other, and how many there are. */
static bool read_names(struct json_in header, struct cwm_buf *names,
                       size_t *ret_n)
{
    size_t n = 0;

    json_open(&header, '{');
    for (bool first = true; json_more(&header, '}', first); first = false) {
        size_t begin = names->len;

        if (!json_key(&header, names) || cwm_buf_addc(names, '\0') != CWM_OK ||
            strlen(names->data + begin) != names->len - begin - 1) {
            return false;
        }
        json_skip(&header);
        n++;
    }
    *ret_n = n;
    return header.failed == CWM_OK;
}

static enum cwm_rc read_tensors(struct safetensors *f, struct json_in header,
                                const uint8_t *values, size_t n_bytes,
                                struct cwm_err *err)
{
    const char *name = f->names.data;
    enum cwm_rc rc;

    json_open(&header, '{');
    for (bool first = true; json_more(&header, '}', first); first = false) {
        struct json_in entry;

        json_key(&header, NULL);
        entry = header;
        if (strcmp(name, "__metadata__") != 0) {
            rc = read_tensor(name, &entry, values, n_bytes, &f->tensors[f->n],
                             err);
            if (rc != CWM_OK) {
                return entry.failed == CWM_NOMEM
                           ? CWM_FAIL(err, CWM_NOMEM,
                                      "could not hold a tensor's type")
                           : rc;
            }
            f->n++;
        }
        name += strlen(name) + 1;
        json_skip(&header);
    }
    return check_places(f, values, n_bytes, err);
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
    struct json_in header;
    size_t n_members;
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
    header = (struct json_in){.text = (const char *)data + LENGTH_BYTES,
                              .len = (size_t)n};
    if (!json_whole(&header)) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "could not read the safetensors file's header: it "
                        "breaks JSON's grammar at byte %zu",
                        header.at);
    }
    if (json_peek(&header) != '{') {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the safetensors file: its header is no "
                        "object");
    }
    cwm_buf_init(&f->names, (size_t)n + 1);
    if (!read_names(header, &f->names, &n_members)) {
        return f->names.failed != CWM_OK
                   ? cwm_buf_check(&f->names, "the tensors' names", err)
                   : CWM_FAIL(err, CWM_FORMAT,
                              "cannot use the safetensors file: a tensor's "
                              "name holds a zero");
    }
    f->tensors = cwm_calloc(n_members, sizeof *f->tensors);
    if (!f->tensors) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu tensors",
                        n_members);
    }
    return read_tensors(f, header, data + LENGTH_BYTES + n,
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
    /* a pipe is refused, not waited for */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
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
    cwm_buf_release(&file->names);
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

void safetensors_forget(const struct safetensors *file, const struct tensor *t)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = ((uintptr_t)t->data + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)t->data + t->n_bytes) / page * page;

    if (file->map && begin < end) { /* only mapped pages can be read again */
        madvise((uint8_t *)file->map + (begin - (uintptr_t)file->map),
                end - begin, MADV_DONTNEED);
    }
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

/* Each times its row's scale. */
static void bytes_to_f32(const struct tensor *t, size_t first, size_t n,
                         float *out)
{
    size_t n_columns = (size_t)t->dims[1];
    size_t i;

    for (i = 0; i < n; i++) {
        int8_t value;
        float scale;

        memcpy(&value, t->data + first + i, sizeof value);
        memcpy(&scale, t->scales + (first + i) / n_columns * sizeof scale,
               sizeof scale);
        out[i] = (float)value * scale;
    }
}

void tensor_part_to_f32(const struct tensor *t, size_t first, size_t n,
                        float *out)
{
    const uint8_t *from = t->data + first * types[t->type].n_bytes;
    size_t i;
    uint16_t half;

    if (t->type == TENSOR_F32) {
        memcpy(out, from, n * sizeof *out);
        return;
    }
    if (t->type == TENSOR_I8) {
        bytes_to_f32(t, first, n, out);
        return;
    }
    for (i = 0; i < n; i++) {
        memcpy(&half, from + 2 * i, sizeof half);
        out[i] = t->type == TENSOR_F16 ? f16_to_f32(half)
                                       : bits_to_f32((uint32_t)half << 16);
    }
}

void tensor_to_f32(const struct tensor *t, float *out)
{
    tensor_part_to_f32(t, 0, t->n_values, out);
}

/* Are the exponent's bits all ones: an infinity, or no number? */
static bool is_endless(const struct tensor *t, size_t i)
{
    uint32_t whole;
    uint16_t half;

    if (t->type == TENSOR_F32) {
        memcpy(&whole, t->data + 4 * i, sizeof whole);
        return (whole & 0x7F800000u) == 0x7F800000u;
    }
    memcpy(&half, t->data + 2 * i, sizeof half);
    return t->type == TENSOR_F16 ? (half & 0x7C00u) == 0x7C00u
                                 : (half & 0x7F80u) == 0x7F80u;
}

enum cwm_rc tensor_check_finite(const struct tensor *t, struct cwm_err *err)
{
    enum { BLOCK = 4096 }; /* looked at without a branch in it */
    size_t i;
    size_t k;

    if (t->type == TENSOR_I8) {
        const struct tensor scales = {.name = t->name,
                                      .type = TENSOR_F32,
                                      .data = t->scales,
                                      .n_values = (size_t)t->dims[0]};

        return tensor_check_finite(&scales, err);
    }
    for (i = 0; i < t->n_values; i += BLOCK) {
        size_t end = t->n_values - i < BLOCK ? t->n_values : i + BLOCK;
        unsigned any = 0;

        for (k = i; k < end; k++) {
            any |= is_endless(t, k);
        }
        for (k = i; any && k < end; k++) {
            if (is_endless(t, k)) {
                return CWM_FAIL(err, CWM_FORMAT,
                                "cannot use the tensor '%.120s': value %zu is "
                                "not finite",
                                t->name, k);
            }
        }
    }
    return CWM_OK;
}
