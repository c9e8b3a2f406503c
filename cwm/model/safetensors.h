/* SPDX-License-Identifier: MIT */
/*
 * safetensors.h -- named tensors in one file, mapped, not copied.
 *
 * Format:
 *   0       8      n, length of the header in bytes, little-endian
 *   8       n      JSON: {"NAME": {"dtype", "shape", "data_offsets"}, ...},
 *                  offsets [begin, end) counted from 8 + n; one member,
 *                  "__metadata__", is no tensor
 *   8 + n   rest   the tensors' values, little-endian, row-major
 *
 * Trust: the file is hostile.  Once it is open every tensor lies within the
 * file, has the bytes that its shape asks for, and shares none with another.
 * Values may be at any address: read them by memcpy().  A file that is cut
 * short by others while it is mapped ends the program (SIGBUS).
 *
 * Threads: an open file does not change and is shared.
 */
#ifndef CWM_MODEL_SAFETENSORS_H
#define CWM_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

enum { TENSOR_MAX_DIMS = 8 };

/*
 * Those that weights come in.  TENSOR_I8 are matrices of 8 bits with a scale
 * for each row, which is a tensor of its own: NAME_scale, F32, [rows].
 */
enum tensor_type { TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_I8 };

struct tensor {
    const char *name; /* borrowed from the file, as `data` */
    enum tensor_type type;
    uint32_t n_dims;
    uint64_t dims[TENSOR_MAX_DIMS];
    const uint8_t *data;
    size_t n_values;
    size_t n_bytes;
    const uint8_t *scales; /* TENSOR_I8: of dims[0] rows, fp32; else NULL */
};

struct safetensors; /* opaque: safetensors.c */

/* Fails: CWM_IO, CWM_FORMAT, CWM_LIMIT, CWM_NOMEM. */
enum cwm_rc safetensors_open(const char *path, struct safetensors **ret_file,
                             struct cwm_err *err);
/* The same from memory, borrowed for as long as the file is open. */
enum cwm_rc safetensors_parse(const uint8_t *data, size_t len,
                              struct safetensors **ret_file,
                              struct cwm_err *err);
void safetensors_close(struct safetensors *file); /* NULL is fine */

/* The tensors in the order in which they lie in the file. */
size_t safetensors_n(const struct safetensors *file);
const struct tensor *safetensors_at(const struct safetensors *file, size_t i);
/* Borrowed; NULL: none has this name. */
const struct tensor *safetensors_find(const struct safetensors *file,
                                      const char *name);
/* A tensor of this file need not be held in memory for now: who reads it again
 * reads the file. */
void safetensors_forget(const struct safetensors *file, const struct tensor *t);

/*
 * Write the tensors, in this order, as a file of their own: put in place as a
 * whole, at once or not at all.  The header is padded so that values begin at
 * a multiple of 8.  Fails: CWM_IO (then what was at `path` is still there),
 * CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc safetensors_write(const char *path, const struct tensor *tensors,
                              size_t n, struct cwm_err *err);

size_t tensor_type_bytes(enum tensor_type type);
/* All values as fp32 into out[0..n_values). */
void tensor_to_f32(const struct tensor *t, float *out);
/* The values first..first + n - 1 of them. */
void tensor_part_to_f32(const struct tensor *t, size_t first, size_t n,
                        float *out);
/* Fails: CWM_FORMAT, which names the tensor and the first value that is not
 * finite. */
enum cwm_rc tensor_check_finite(const struct tensor *t, struct cwm_err *err);

#endif /* CWM_MODEL_SAFETENSORS_H */
