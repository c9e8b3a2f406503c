/* SPDX-License-Identifier: MIT */
/*
 * stream.h -- record streams written by hand, for tests of the reader.
 *
 * A writer of its own and not the worker's: a mistake that both ends shared
 * would not be seen.  Names and functions are defined when first used.
 */
#ifndef TESTS_SUPPORT_STREAM_H
#define TESTS_SUPPORT_STREAM_H

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tracer/record.h"

#define STREAM_MAX_BYTES (1u << 20)
#define STREAM_MAX_IDS   64

struct stream {
    uint8_t data[STREAM_MAX_BYTES];
    size_t len;
    char names[STREAM_MAX_IDS][64];
    char functions[STREAM_MAX_IDS][64];
    uint64_t n_names, n_functions;
};

/* The header's count of committed bytes; every writer below ends with it. */
static inline void stream_commit(struct stream *s)
{
    uint64_t committed = s->len - TRACE_SHARED_HEADER_BYTES;
    int i;

    for (i = 0; i < 8; i++) {
        s->data[8 + i] = (uint8_t)(committed >> 8 * i);
    }
}

static inline void stream_begin(struct stream *s)
{
    memset(s, 0, sizeof *s);
    memcpy(s->data, TRACE_SHARED_MAGIC, 8);
    s->len = TRACE_SHARED_HEADER_BYTES;
}

static inline void stream_u8(struct stream *s, unsigned byte)
{
    assert(s->len < sizeof s->data);
    s->data[s->len++] = (uint8_t)byte;
    stream_commit(s);
}

static inline void stream_v(struct stream *s, uint64_t value)
{
    while (value >= 0x80) {
        stream_u8(s, (unsigned)(value & 0x7F) | 0x80);
        value >>= 7;
    }
    stream_u8(s, (unsigned)value);
}

static inline void stream_text(struct stream *s, const char *text, size_t len)
{
    stream_v(s, len);
    assert(len <= sizeof s->data - s->len);
    memcpy(s->data + s->len, text, len);
    s->len += len;
    stream_commit(s);
}

/* The id of text[0..len), which is defined when it is new. */
static inline uint64_t stream_id(struct stream *s, enum trace_record_type type,
                                 const char *text, size_t len)
{
    char(*table)[64] = type == TRACE_RECORD_NAME ? s->names : s->functions;
    uint64_t *n = type == TRACE_RECORD_NAME ? &s->n_names : &s->n_functions;
    uint64_t i;

    for (i = 0; i < *n; i++) {
        if (strlen(table[i]) == len && memcmp(table[i], text, len) == 0) {
            return i;
        }
    }
    assert(*n < STREAM_MAX_IDS && len < sizeof table[0]);
    memcpy(table[*n], text, len);
    stream_u8(s, type);
    stream_text(s, text, len);
    return (*n)++;
}

/*
 * The entries: "name" (the same as before), "name=text", "name!text" (cut);
 * defined first, then `head` (the record up to its entries), then they.
 */
static inline void stream_entries(struct stream *s, const uint64_t *head,
                                  size_t n_head, va_list args)
{
    uint64_t keys[STREAM_MAX_IDS];
    const char *texts[STREAM_MAX_IDS];
    const char *entry;
    size_t n = 0;
    size_t i;

    while ((entry = va_arg(args, const char *)) != NULL) {
        size_t len = strcspn(entry, "=!");
        uint64_t kind = entry[len] == '=' ? 1 : entry[len] == '!' ? 3 : 0;

        keys[n] = stream_id(s, TRACE_RECORD_NAME, entry, len) << 2 | kind;
        texts[n++] = kind ? entry + len + 1 : NULL;
    }
    for (i = 0; i < n_head; i++) {
        stream_v(s, head[i]);
    }
    stream_v(s, n);
    for (i = 0; i < n; i++) {
        stream_v(s, keys[i]);
        if (texts[i]) {
            stream_text(s, texts[i], strlen(texts[i]));
        }
    }
}

/* ..., entries, NULL */
__attribute__((sentinel)) static inline void stream_call(struct stream *s,
                                                         const char *function,
                                                         unsigned activation,
                                                         unsigned line, ...)
{
    uint64_t id = stream_id(s, TRACE_RECORD_FUNC, function, strlen(function));
    const uint64_t head[] = {TRACE_RECORD_CALL, id, activation, line};
    va_list args;

    va_start(args, line);
    stream_entries(s, head, 4, args);
    va_end(args);
}

__attribute__((sentinel)) static inline void stream_line(struct stream *s,
                                                         unsigned line, ...)
{
    const uint64_t head[] = {TRACE_RECORD_LINE, line};
    va_list args;

    va_start(args, line);
    stream_entries(s, head, 2, args);
    va_end(args);
}

static inline void stream_leave(struct stream *s, enum trace_record_type type,
                                unsigned line, unsigned flags, const char *arg)
{
    stream_u8(s, type);
    stream_v(s, line);
    stream_u8(s, flags);
    stream_text(s, arg, strlen(arg));
}

static inline void stream_return(struct stream *s, unsigned line,
                                 const char *arg)
{
    stream_leave(s, TRACE_RECORD_RETURN, line, 0, arg);
}

static inline void stream_yield(struct stream *s, unsigned line,
                                const char *arg)
{
    stream_leave(s, TRACE_RECORD_RETURN, line, TRACE_FLAG_SUSPENDED, arg);
}

static inline void stream_except(struct stream *s, unsigned line,
                                 const char *arg)
{
    stream_leave(s, TRACE_RECORD_EXCEPT, line, 0, arg);
}

static inline void stream_switch(struct stream *s, unsigned activation)
{
    stream_u8(s, TRACE_RECORD_SWITCH);
    stream_v(s, activation);
}

/* NULL texts are left out; a type goes with a message. */
static inline void stream_end(struct stream *s, enum trace_end_reason reason,
                              const char *result, const char *type,
                              const char *message, const char *detail)
{
    stream_u8(s, TRACE_RECORD_END);
    stream_u8(s, reason);
    stream_u8(s, (result ? TRACE_FLAG_RESULT : 0) |
                     (type ? TRACE_FLAG_EXCEPTION : 0) |
                     (detail ? TRACE_FLAG_DETAIL : 0));
    if (result) {
        stream_text(s, result, strlen(result));
    }
    if (type) {
        stream_text(s, type, strlen(type));
        stream_text(s, message, strlen(message));
    }
    if (detail) {
        stream_text(s, detail, strlen(detail));
    }
}

/* ---- what a reader gives, as text ---- */

struct dump {
    char text[1u << 16];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static inline void dump_add(
    struct dump *d, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(d->text + d->len, sizeof d->text - d->len, format, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < sizeof d->text - d->len);
    d->len += (size_t)n;
}

/*
 * One frame a line: "EVENT LINE dDEPTH FUNCTION#ACTIVATION", then the locals
 * as "name=text" (":.." behind it when it is to be shown so, "*" when it
 * changed, "!" when it was cut), "-name" for those that are gone; "-> arg".
 */
static inline void dump_frame(struct dump *d, const struct trace_frame *frame)
{
    static const char *const events[] = {"call", "line", "return", "exception"};
    size_t i;

    dump_add(d, "%s %u d%u %.*s#%u%s%s", events[frame->event], frame->line,
             frame->depth, (int)frame->function_len,
             (const char *)frame->function, frame->activation,
             frame->resumed ? " resumed" : "",
             frame->suspended ? " suspended" : "");
    for (i = 0; i < frame->n_locals; i++) {
        const struct trace_local *local = &frame->locals[i];

        dump_add(d, " %.*s=%.*s%s%s%s", (int)local->name_len,
                 (const char *)local->name, (int)local->value_len,
                 (const char *)local->value, local->same ? ":.." : "",
                 local->changed ? "*" : "", local->cut ? "!" : "");
    }
    for (i = 0; i < frame->n_unbound; i++) {
        dump_add(d, " -%.*s", (int)frame->unbound[i].name_len,
                 (const char *)frame->unbound[i].name);
    }
    if (frame->arg) {
        dump_add(d, " -> %.*s%s", (int)frame->arg_len, (const char *)frame->arg,
                 frame->arg_cut ? "!" : "");
    }
    dump_add(d, "\n");
}

#endif /* TESTS_SUPPORT_STREAM_H */
