/* SPDX-License-Identifier: MIT */
/*
 * build_rows.h -- rows on their way from a worker thread to the store.
 *
 * A thread puts what it found into one buffer, the pipeline hands that to the
 * one who writes.  Bytes, not pointers, so that what is dropped on the way
 * needs no care.  Trusted: both ends are ours, in one process.
 */
#ifndef DATASETS_BUILD_ROWS_H
#define DATASETS_BUILD_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "datasets/store.h"

struct build_row {
    bool is_program; /* else a trace of the last program */
    /* of a program */
    const char *text;
    size_t text_len;
    struct store_origin origin;
    struct hash parent; /* origin.parent points here where there is one */
    /* of a trace: without its ids; data is packed */
    struct store_trace trace;
    struct store_setting setting;
    const void *sample; /* the payload, unpacked, to train on; or NULL */
    size_t sample_len;
};

void build_rows_put_program(struct cwm_buf *out, const char *text, size_t len,
                            const struct store_origin *origin);
void build_rows_put_trace(struct cwm_buf *out, const struct store_trace *trace,
                          const struct store_setting *setting,
                          const void *sample, size_t sample_len);
/*
 * The row at *at, which moves on; texts point into data.  false: no more.
 */
bool build_rows_next(const struct cwm_buf *rows, size_t *at,
                     struct build_row *ret_row);

/* The parts that rows are made of, for others who need the same. */
void build_rows_put(struct cwm_buf *out, const void *data, size_t len);
void build_rows_put_text(struct cwm_buf *out, const char *text);
void build_rows_put_number(struct cwm_buf *out, uint64_t number);
const char *build_rows_get(const struct cwm_buf *rows, size_t *at,
                           size_t *ret_len);
uint64_t build_rows_get_number(const struct cwm_buf *rows, size_t *at);

#endif /* DATASETS_BUILD_ROWS_H */
