/* SPDX-License-Identifier: MIT */
/*
 * record_write.h -- append trace records to shared memory (record.h).
 *
 * Runs inside the jail, beside the program that is traced: whatever is
 * written here is checked again by the reader.
 *
 * A record is built at `at` and becomes part of the stream only when it is
 * committed, so a process that dies while it writes leaves whole records
 * behind.  `limit` bounds every record but END; between `limit` and `end`
 * there is always room for that one.
 *
 * Threads: none shared.
 */
#ifndef TRACER_RECORD_WRITE_H
#define TRACER_RECORD_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tracer/record.h"

/* Longest a u64 gets as LEB128. */
#define RECORD_NUMBER_BYTES 10

struct record_writer {
    uint8_t *shared; /* borrowed: the caller's, as long as the writer */
    uint8_t *start;  /* first byte of the records */
    uint8_t *at;     /* where the next byte goes */
    uint8_t *limit;  /* records other than END stop here */
    uint8_t *end;    /* of the shared memory */
    uint8_t *finish; /* where the END record stands; NULL: not written */
};

/* The fields of an END record; a NULL text is left out. */
struct record_end {
    enum trace_end_reason reason;
    bool result_cut;
    const char *result; /* borrowed */
    size_t result_len;
    const char *exception_type;
    size_t exception_type_len;
    const char *exception_message;
    size_t exception_message_len;
    const char *detail;
    size_t detail_len;
};

/* Room that an END record may take when results have up to max_value_bytes. */
size_t record_end_room(size_t max_value_bytes);

/*
 * Start a stream in shared[0..len), which is zeroed.  False: it is too small
 * to hold a header and an END.
 */
bool record_writer_init(struct record_writer *w, uint8_t *shared, size_t len,
                        size_t max_trace_bytes, size_t max_value_bytes);

/* Everything up to `at` is part of the stream from now on. */
void record_commit(struct record_writer *w);

/* Bytes that may still be written before the limit. */
static inline size_t record_space(const struct record_writer *w)
{
    return (size_t)(w->limit - w->at);
}

/* Writes a number to p, which has room for it; returns the byte behind. */
static inline uint8_t *record_put_number(uint8_t *p, uint64_t value)
{
    while (value >= 0x80) {
        *p++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    return p;
}

static inline size_t record_number_bytes(uint64_t value)
{
    size_t n = 1;
    while (value >= 0x80) {
        value >>= 7;
        n++;
    }
    return n;
}

/* One NAME or FUNC record, committed.  False: no room before the limit. */
bool record_define(struct record_writer *w, enum trace_record_type type,
                   const char *text, size_t len);

/*
 * Drop what is not committed, write END and commit it.  Texts that do not fit
 * are cut at a character boundary.
 */
void record_finish(struct record_writer *w, const struct record_end *end);

#endif /* TRACER_RECORD_WRITE_H */
