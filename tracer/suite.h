/* SPDX-License-Identifier: MIT */
/*
 * suite.h -- a repository's tests run under pytest, cut into episodes.
 *
 * The repository is seen read-only at SANDBOX_PLACE.  A run collects (what
 * tests are there?) or runs one test; from the latter come episodes: calls of
 * functions of the repository, each a trace of its own.
 *
 * A call of a function of the repository becomes an episode when it is drawn
 * (its first calls always are); while an episode is open, a call further
 * down is entered, so that its frames are the episode's, with a probability
 * and up to a depth, else it is passed by and may be an episode of its own.
 * Lambdas, comprehensions and generator expressions are always entered.
 * Draws depend on seed, test, function and the number of the call alone.
 *
 * Stream (worker to host): record.h's records under its header, of all
 * episodes mixed, and these between them:
 *
 *     0x30 CODE     v func, v line, text: the function's file, relative to
 *                   the repository, and its first line; behind its FUNC
 *     0x31 EPISODE  v func, v call: the CALL that follows starts the next
 *                   episode (ids from 0) with the n-th call (from 1) of it
 *     0x32 LEFT     v episode, u8 reason, u8 flags (8: exception present)
 *                   [text exception type, text message]: it is complete
 *     0x33 TELL     u8 what, text: what the run says besides
 *
 * A CALL of a new activation without EPISODE in front belongs to the episode
 * of the current one.  Activations of all episodes form one stack, as in
 * record.h.
 *
 * Trust: the stream is hostile; whatever is made of it is read by
 * trace_reader_new() again.
 *
 * Threads: none shared.
 */
#ifndef TRACER_SUITE_H
#define TRACER_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "tracer/trace.h"

enum suite_record_type {
    SUITE_RECORD_CODE = 0x30,
    SUITE_RECORD_EPISODE = 0x31,
    SUITE_RECORD_LEFT = 0x32,
    SUITE_RECORD_TELL = 0x33,
};

/* What a TELL is about. */
enum suite_tell {
    SUITE_TELL_NODE = 1,    /* a test that was collected: its node id */
    SUITE_TELL_BROKEN = 2,  /* "FILE\nREASON": it could not be collected */
    SUITE_TELL_OUTCOME = 3, /* "passed", "failed", "skipped" */
    SUITE_TELL_STATUS = 4,  /* pytest's own exit status: it came to its end */
    SUITE_TELL_NO_PYTEST = 5,
};

/* A request with `traced` SUITE_REQUEST: entry is one of these, args are the
 * lines of struct suite_how, then the node id ("" to collect). */
#define SUITE_REQUEST 2
#define SUITE_COLLECT "collect"
#define SUITE_TEST    "test"

/* How episodes are cut. */
struct suite_how {
    uint32_t enter_permille; /* of calls within an episode */
    uint32_t max_depth;      /* of entered ones below the episode's own */
    bool tests;              /* functions of test files, too */
    const char *venv;        /* of the repository, relative; "" for none */
};

/* Room for the records of one run. */
#define SUITE_STREAM_BYTES (64UL << 20)

struct suite_episode {
    const char *path; /* of the entry's file; borrowed from the stream */
    size_t path_len;
    const char *qualname; /* borrowed from the stream */
    size_t qualname_len;
    uint32_t first_line; /* of the entry's code */
    uint64_t call;       /* the n-th of this function in this run */
    bool complete;       /* LEFT came */
    uint64_t kind;       /* equal for equal events on equal lines */
    uint32_t *funcs;     /* owned: codes[] that it has frames of, in order of
                            appearance; the entry's is the first */
    size_t n_funcs;
    /*
     * Header and records of the episode alone, with END.  A `line` in it is
     * an index into the stream's lines[], plus 1: suite_place_lines().
     */
    struct cwm_buf records;
};

struct suite_line {
    uint32_t file; /* of suite_stream's paths */
    uint32_t line; /* as the worker says: anything */
};

/* A function that frames of the stream are of. */
struct suite_code {
    uint32_t file;
    uint32_t first_line;
    const char *qualname; /* borrowed from the stream */
    size_t qualname_len;
};

struct suite_text {
    const char *text; /* borrowed from the stream */
    size_t len;
};

struct suite_tell_text {
    enum suite_tell what;
    struct suite_text text;
};

/* A run's stream taken apart; what is borrowed is the stream's. */
struct suite_stream {
    struct suite_text *paths; /* owned: files, by index */
    size_t n_paths, max_paths;
    struct suite_line *lines; /* owned: places that frames stand at */
    size_t n_lines, max_lines;
    struct suite_code *codes; /* owned: by func id of the stream */
    size_t n_codes, max_codes;
    struct suite_episode *episodes; /* owned */
    size_t n_episodes, max_episodes;
    struct suite_tell_text *tells; /* owned */
    size_t n_tells, max_tells;
    bool damaged; /* what follows is lost */
};

/*
 * Take the stream in shared[0..len) apart: borrowed as long as *ret is used.
 * Damage ends it there.  Fails: CWM_NOMEM.
 */
enum cwm_rc suite_stream_read(const uint8_t *shared, size_t len,
                              struct suite_stream *ret, struct cwm_err *err);
void suite_stream_release(struct suite_stream *s);
/*
 * The records of an episode with other lines: lines[i] in place of i + 1, for
 * i below n.  Fails: CWM_FORMAT (one of them is 0), CWM_NOMEM, CWM_LIMIT.
 */
enum cwm_rc suite_place_lines(const struct suite_episode *e,
                              const uint32_t *lines, size_t n,
                              struct cwm_buf *out, struct cwm_err *err);
/* The first text of that kind; NULL where there is none. */
const struct suite_text *suite_stream_told(const struct suite_stream *s,
                                           enum suite_tell what);

/*
 * Run pytest in a tracer that was opened with options.folder: one test, or
 * collect: a file, or all (node NULL).  What came of it is in *ret_kernel and
 * the stream, which is borrowed from the tracer until its next run.  Fails: as
 * tracer_run().
 */
enum cwm_rc suite_run(struct tracer *t, const struct suite_how *how,
                      const char *node, bool collect, uint64_t seed,
                      const struct trace_limits *limits,
                      const volatile int *cancel,
                      struct sandbox_verdict *ret_kernel,
                      const uint8_t **ret_shared, size_t *ret_len,
                      struct cwm_err *err);

#endif /* TRACER_SUITE_H */
