/* SPDX-License-Identifier: MIT */
/*
 * record_cursor.h -- numbers and texts of records, from hostile bytes.
 *
 * Errors are sticky: the first rule that is broken is noted, and every get
 * after that gives 0 or an empty text without moving, so a record is read in
 * one go and `damaged` is looked at before a number is used as an index.
 *
 * For record_read.c.
 */
#ifndef TRACER_RECORD_CURSOR_H
#define TRACER_RECORD_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record_text {
    uint32_t at; /* offset in the cursor's data */
    uint32_t len;
};

struct record_cursor {
    const uint8_t *data; /* borrowed; at most 2 GiB */
    size_t at;           /* next byte to read */
    size_t stop;         /* behind the last byte that may be read */
    size_t checked;      /* texts in front of this are known to be WTF-8 */
    bool damaged;
    char damage[96]; /* the rule, and the byte where it was broken */
};

/* Note that a rule is broken; the first one stays. */
void record__damage(struct record_cursor *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

uint8_t record__get_u8(struct record_cursor *c);
uint64_t record__get_v(struct record_cursor *c); /* LEB128, see record.h */
/* A number below `limit`; damage else: "there is no WHAT 17". */
uint32_t record__get_below(struct record_cursor *c, uint64_t limit,
                           const char *what);
struct record_text record__get_text(struct record_cursor *c);

#endif /* TRACER_RECORD_CURSOR_H */
