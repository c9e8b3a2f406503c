/* SPDX-License-Identifier: MIT */
/* record_write.c -- append trace records to shared memory. */
#include "tracer/record_write.h"

#include <string.h>

/* Longest type name, message and detail in an END record; a message is for
 * people and need not be whole. */
#define END_TYPE_BYTES    1024u
#define END_MESSAGE_BYTES 16384u
#define END_DETAIL_BYTES  4096u

static void store_u64le(uint8_t *p, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    __atomic_store_n((uint64_t *)(void *)p, value, __ATOMIC_RELEASE);
}

size_t record_end_room(size_t max_value_bytes)
{
    return max_value_bytes + END_TYPE_BYTES + END_MESSAGE_BYTES +
           END_DETAIL_BYTES + 2 + 4 * RECORD_NUMBER_BYTES;
}

bool record_writer_init(struct record_writer *w, uint8_t *shared, size_t len,
                        size_t max_trace_bytes, size_t max_value_bytes)
{
    size_t room = record_end_room(max_value_bytes);
    if (room < max_value_bytes || len < TRACE_SHARED_HEADER_BYTES ||
        len - TRACE_SHARED_HEADER_BYTES < room)
        return false;
    w->shared = shared;
    w->start = shared + TRACE_SHARED_HEADER_BYTES;
    w->at = w->start;
    w->end = shared + len;
    w->finish = NULL;
    w->limit = w->end - room;
    if ((size_t)(w->limit - w->start) > max_trace_bytes)
        w->limit = w->start + max_trace_bytes;
    memcpy(shared, TRACE_SHARED_MAGIC, 8);
    record_commit(w);
    return true;
}

void record_commit(struct record_writer *w)
{
    store_u64le(w->shared + 8, (uint64_t)(w->at - w->start));
}

bool record_define(struct record_writer *w, enum trace_record_type type,
                   const char *text, size_t len)
{
    if (record_space(w) < 1 + RECORD_NUMBER_BYTES ||
        record_space(w) - 1 - RECORD_NUMBER_BYTES < len)
        return false;
    uint8_t *p = w->at;
    *p++ = (uint8_t)type;
    p = record_put_number(p, len);
    memcpy(p, text, len);
    w->at = p + len;
    record_commit(w);
    return true;
}

/* Cuts so that no character is split: steps back over continuation bytes. */
static size_t cut_text(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    return max;
}

static uint8_t *put_text(uint8_t *p, const char *text, size_t len)
{
    p = record_put_number(p, len);
    memcpy(p, text, len);
    return p + len;
}

void record_finish(struct record_writer *w, const struct record_end *end)
{
    uint8_t *committed = w->start;
    uint64_t n =
        __atomic_load_n((uint64_t *)(void *)(w->shared + 8), __ATOMIC_RELAXED);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    n = __builtin_bswap64(n);
#endif
    /* The program could have overwritten the count: believe it only where it
     * lies within what this writer wrote. */
    if (n <= (uint64_t)(w->at - w->start))
        committed += n;
    /* What is flushed after the entry was left may pass a limit: the later
     * END replaces the one before. */
    if (w->finish)
        committed = w->finish;
    w->finish = committed;
    uint8_t *p = committed;
    size_t fixed = 2 + 4 * RECORD_NUMBER_BYTES + END_TYPE_BYTES +
                   END_MESSAGE_BYTES + END_DETAIL_BYTES;
    size_t result_max = (size_t)(w->end - p) - fixed;
    unsigned flags = 0;
    size_t result_len = 0;
    if (end->result) {
        result_len = cut_text(end->result, end->result_len, result_max);
        flags |= TRACE_FLAG_RESULT;
        if (end->result_cut || result_len < end->result_len)
            flags |= TRACE_FLAG_CUT;
    }
    if (end->exception_type)
        flags |= TRACE_FLAG_EXCEPTION;
    if (end->detail)
        flags |= TRACE_FLAG_DETAIL;
    *p++ = TRACE_RECORD_END;
    *p++ = (uint8_t)end->reason;
    *p++ = (uint8_t)flags;
    if (end->result)
        p = put_text(p, end->result, result_len);
    if (end->exception_type) {
        p = put_text(p, end->exception_type,
                     cut_text(end->exception_type, end->exception_type_len,
                              END_TYPE_BYTES));
        const char *message = end->exception_message;
        p = put_text(p, message ? message : "",
                     message ? cut_text(message, end->exception_message_len,
                                        END_MESSAGE_BYTES)
                             : 0);
    }
    if (end->detail)
        p = put_text(p, end->detail,
                     cut_text(end->detail, end->detail_len, END_DETAIL_BYTES));
    w->at = p;
    record_commit(w);
}
