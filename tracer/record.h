/* SPDX-License-Identifier: MIT */
/*
 * record.h -- trace records, the bytes that leave the jail.
 *
 * The worker appends records to the shared memory; the host reads them when
 * the run is over, however it ended.  There is no flush: what was committed
 * is there also after SIGKILL.
 *
 * Trust: the reader believes nothing.  Every length, id and count is checked
 * before use; a stream that breaks a rule ends at the last good record with
 * `damaged` set, it is never an error of ours.
 *
 * Format.  Shared memory:
 *     offset size  field
 *     0      8     magic "CWMTRC1\n"
 *     8      8     committed: bytes of records that are whole (u64 LE,
 *                  stored with release order after each record)
 *     16     48    zero
 *     64     ...   records
 *
 * Numbers in records are unsigned LEB128 in the fewest bytes ("v"), at most
 * 2^64 - 1; "text" is v length + bytes in WTF-8.  A record is one type byte,
 * then:
 *
 *     0x01 NAME    text: defines the next name id (from 0)
 *     0x02 FUNC    text: defines the next function id (from 0), its
 *                  qualified name
 *     0x10 CALL    v func, v activation, v line, v n, n entries
 *     0x11 LINE    v line, v n, n entries
 *     0x12 RETURN  v line, u8 flags (1: suspended by yield or await;
 *                  2: value cut), text
 *     0x13 EXCEPT  v line, u8 flags (2: value cut), text
 *     0x14 SWITCH  v activation: the events that follow are its
 *     0x20 END     u8 reason, u8 flags (2: result cut; 4: result present;
 *                  8: exception present; 16: detail present),
 *                  [text result] [text exception type, text exception
 *                  message] [text detail]; nothing follows it
 *
 *     entry        v (name id << 2 | kind)
 *                  kind 0: the text is the same as in the previous CALL or
 *                          LINE of this activation
 *                  kind 1: text follows
 *                  kind 3: text follows, and was cut at the value limit
 *                  (kind 2 is damage)
 *
 * Entries stand in the order that TRACE_FORMAT section 2 gives (the order in
 * which names became bound), each name at most once; unbound names are left
 * out.
 *
 * An activation is one call of a function.  CALL with an id that is the
 * highest so far plus one (from 0) starts it, CALL with the id and the
 * function of an earlier, suspended one resumes it.  The active ones form a
 * stack: a CALL puts its activation on top (the current one), a RETURN takes
 * the current one off.  SWITCH names an activation that is on the stack, and
 * all above it are left without a RETURN; or a suspended one, which is
 * resumed without a CALL (the interpreter reports none in some cases of
 * throw() and close()).  A CALL's entries are all of kind 1 or 3 when it
 * starts an activation; when it resumes one kind 0 is allowed.
 *
 * Threads: none shared.
 */
#ifndef TRACER_RECORD_H
#define TRACER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

#define TRACE_SHARED_MAGIC        "CWMTRC1\n"
#define TRACE_SHARED_HEADER_BYTES 64

enum trace_record_type {
    TRACE_RECORD_NAME = 0x01,
    TRACE_RECORD_FUNC = 0x02,
    TRACE_RECORD_CALL = 0x10,
    TRACE_RECORD_LINE = 0x11,
    TRACE_RECORD_RETURN = 0x12,
    TRACE_RECORD_EXCEPT = 0x13,
    TRACE_RECORD_SWITCH = 0x14,
    TRACE_RECORD_END = 0x20,
};

enum trace_record_flag {
    TRACE_FLAG_SUSPENDED = 1u << 0,
    TRACE_FLAG_CUT = 1u << 1,
    TRACE_FLAG_RESULT = 1u << 2,
    TRACE_FLAG_EXCEPTION = 1u << 3,
    TRACE_FLAG_DETAIL = 1u << 4,
};

enum trace_entry_kind {
    TRACE_ENTRY_SAME = 0,
    TRACE_ENTRY_TEXT = 1,
    TRACE_ENTRY_CUT = 3,
};

/* Why the worker closed the trace; stored in datasets: append only. */
enum trace_end_reason {
    TRACE_END_NONE = 0, /* no END record: the process was stopped */
    TRACE_END_OK = 1,
    TRACE_END_EXCEPTION = 2, /* the entry was left by an exception */
    TRACE_END_EXIT = 3,      /* ... by SystemExit; detail: its code */
    TRACE_END_FRAME_LIMIT = 4,
    TRACE_END_BYTE_LIMIT = 5,
    TRACE_END_OUTPUT_LIMIT = 6,
    TRACE_END_SYNTAX_ERROR =
        7, /* exception: type, message; detail: "LINE:COLUMN" */
    TRACE_END_NO_ENTRY = 8,
    TRACE_END_BAD_ARGS = 9, /* exception: what evaluating or binding raised */
    TRACE_END_MODULE_EXCEPTION =
        10, /* the module level raised before the entry was called */
    TRACE_END_MEMORY = 11,   /* left by a MemoryError that no `raise` made */
    TRACE_END_INTERNAL = 12, /* the tracer itself failed; detail says how */
    /* What texts of values may cost is used up.  That is counted, not
     * measured: the same program ends at the same frame on every machine. */
    TRACE_END_TEXT_LIMIT = 13,
};

/* ---- reading (host) ---- */

enum trace_event { TRACE_CALL, TRACE_LINE, TRACE_RETURN, TRACE_EXCEPTION };

/* Text is WTF-8 throughout and lies in the shared memory: borrowed from it. */
struct trace_local {
    const uint8_t *name;
    size_t name_len;
    const uint8_t *value; /* full text */
    size_t value_len;
    const uint8_t *old; /* text before; NULL when the name was not bound */
    size_t old_len;
    bool changed; /* the text differs from the one before, or there was none */
    bool same;    /* to be shown as ".." (TRACE_FORMAT section 4) */
    bool cut;
};

struct trace_frame {
    enum trace_event event;
    bool suspended;          /* return: by yield or await */
    bool resumed;            /* call: of an activation that was suspended */
    uint32_t line;           /* 1-based in the program; within its lines */
    uint32_t depth;          /* 0: the entry */
    uint32_t activation;     /* from 0; one call of a function */
    const uint8_t *function; /* qualified name; WTF-8 */
    size_t function_len;
    const struct trace_local *locals; /* call and line; borrowed, next call */
    size_t n_locals;
    /* Names that were bound at the activation's previous frame and are not
     * now: `name`, `old`; `value` is NULL.  Borrowed, next call. */
    const struct trace_local *unbound;
    size_t n_unbound;
    const uint8_t *arg; /* return and exception, else NULL */
    size_t arg_len;
    bool arg_cut;
};

struct trace_end {
    enum trace_end_reason reason;
    const uint8_t *result; /* NULL when there is none */
    size_t result_len;
    const uint8_t *exception_type; /* NULL when there is none */
    size_t exception_type_len;
    const uint8_t *exception_message;
    size_t exception_message_len;
    const uint8_t *detail; /* NULL when there is none */
    size_t detail_len;
    bool damaged;    /* the stream broke a rule: a frame was lost */
    char damage[96]; /* which rule, where */
    uint64_t n_frames, n_calls, n_lines; /* of the whole trace */
    uint64_t n_cut;   /* texts cut at the value limit, as recorded */
    bool is_text_cut; /* frames were left off: trace_reader_new_within() */
};

struct source;       /* source.h */
struct trace_reader; /* opaque: record_read.c */

/*
 * Open a reader over shared[0..len), which is borrowed until
 * trace_reader_free(), and check all of it.  n_lines: lines of the program; a
 * record whose line is 0 or beyond is damage.  A wrong magic is damage: no
 * frames.  Memory: at most about 30 bytes for each byte of the stream.
 * Fails: CWM_NOMEM, CWM_LIMIT (len over 4 GiB).
 */
enum cwm_rc trace_reader_new(const uint8_t *shared, size_t len,
                             uint32_t n_lines, struct trace_reader **ret_reader,
                             struct cwm_err *err);

/*
 * The same over a program's trace whose text may hold at most max_text_bytes:
 * source lines, names, and values as they are shown.  (A value shown in full
 * again costs one byte of records and its whole length in the text.)  Beyond
 * that the trace ends behind the last frame that fits, with the reason
 * TRACE_END_BYTE_LIMIT and is_text_cut.  `source` is not kept.
 */
enum cwm_rc trace_reader_new_within(const uint8_t *shared, size_t len,
                                    const struct source *source,
                                    uint64_t max_text_bytes,
                                    struct trace_reader **ret_reader,
                                    struct cwm_err *err);
void trace_reader_free(struct trace_reader *r); /* NULL is fine */

/*
 * The next frame: CWM_OK and *ret_more true, or CWM_OK and false at the end.
 * Fails: CWM_NOMEM.
 */
enum cwm_rc trace_reader_next(struct trace_reader *r, struct trace_frame *frame,
                              bool *ret_more, struct cwm_err *err);

/*
 * The bytes behind the header that the first pass found good: borrowed from
 * the shared memory.  Under a header that commits them (and within the same
 * limit on text) they give the same frames and, unless the stream was
 * damaged, the same end.
 */
const uint8_t *trace_reader_records(const struct trace_reader *r,
                                    size_t *ret_len);

/* Back to the first frame. */
void trace_reader_rewind(struct trace_reader *r);

/* How the stream ended, and its counts; valid from trace_reader_new() on. */
const struct trace_end *trace_reader_end(const struct trace_reader *r);

#endif /* TRACER_RECORD_H */
