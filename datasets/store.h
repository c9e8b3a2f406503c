/* SPDX-License-Identifier: MIT */
/*
 * store.h -- programs and their traces in one SQLite file.
 *
 * What is in it (docs/formats.md has every column):
 *     program   a text, by its hash; compressed
 *     origin    where a program comes from; a program may have many
 *     setting   interpreter, seed and limits of runs
 *     trace     one run of one program: what was asked, how it ended, counts,
 *               and the payload (trace_blob.h), compressed
 *     item      what a build has dealt with: one line or file of a source, and
 *               why it was passed over if it was
 *     dictionary  for zstd
 *
 * Every row but a dictionary is called by a hash of what it says, so that
 * adding it twice adds it once, and two stores are merged by adding all rows
 * of one to the other.  Where two rows of one name disagree (a program whose
 * runs differ) the one with the smaller content stays, whatever the order.
 * Hence the content hash: over all rows in the order of their hashes, as they
 * read unpacked.  It does not depend on the order of insertion, on workers,
 * shards, dictionaries or how often a build was stopped.
 *
 * Durability: rows are added in transactions; what store_commit() returned
 * from survives kill -9 and loss of power, what it did not is not there at
 * all.  A full disk is CWM_IO; the transaction is undone.
 *
 * Trust: a store from elsewhere is outside bytes: rows are checked as they
 * are read (CWM_FORMAT), traces are read by tracer/record.h's reader.
 *
 * Threads: one at a time per `struct store`; open it once for each thread.
 * Several processes may write: one waits while another has a transaction.
 */
#ifndef DATASETS_STORE_H
#define DATASETS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "datasets/codec.h"
#include "datasets/hash.h"
#include "tracer/trace.h"

#define STORE_APPLICATION_ID 0x63776D31 /* "cwm1" */
#define STORE_VERSION        2

struct store; /* opaque: store.c */

enum store_mode {
    STORE_READ,  /* must be there */
    STORE_WRITE, /* must be there */
    STORE_MAKE   /* written to; made where it is not there */
};

/*
 * Fails: CWM_USAGE (not there, no store, of a later version), CWM_FORMAT
 * (damaged), CWM_IO, CWM_NOMEM.
 */
enum cwm_rc store_open(const char *path, enum store_mode mode,
                       struct store **ret_store, struct cwm_err *err);
/* What was not committed is dropped.  NULL is fine. */
void store_close(struct store *s);
const char *store_path(const struct store *s);
struct codec *store_codec(const struct store *s); /* owned by the store */

enum cwm_rc store_begin(struct store *s, struct cwm_err *err);
enum cwm_rc store_commit(struct store *s, struct cwm_err *err);

/* ---- rows ---- */

/* Texts are borrowed: from the caller when adding, from the cursor until its
 * next call when reading.  NULL texts are stored as such. */

struct store_program {
    int64_t id; /* of the row: only within this store */
    struct hash hash;
    const char *text; /* UTF-8, LF line ends */
    size_t len;
    bool evaluation; /* some origin is for evaluation; when reading only */
};

/* Append only: stores hold the numbers. */
#define STORE_KIND_TABLE(X)                                                    \
    X(FILE, 0, "file")                                                         \
    X(DIR, 1, "dir")                                                           \
    X(JSONL, 2, "jsonl")                                                       \
    X(JOBS, 3, "jobs")                                                         \
    X(CRUXEVAL, 4, "cruxeval")                                                 \
    X(HUMANEVAL, 5, "humaneval")                                               \
    X(MBPP, 6, "mbpp")                                                         \
    X(CONTEST, 7, "contest")                                                   \
    X(PYTEST, 8, "pytest")                                                     \
    X(GENERATE, 9, "generate")                                                 \
    X(MUTANT, 10, "mutant")

enum store_kind {
#define STORE_KIND_ENUM(name, number, text) STORE_KIND_##name = (number),
    STORE_KIND_TABLE(STORE_KIND_ENUM)
#undef STORE_KIND_ENUM
        STORE_N_KINDS
};
const char *store_kind_text(enum store_kind kind);

struct store_origin {
    enum store_kind kind;
    bool evaluation;    /* a benchmark: never training data */
    const char *origin; /* "TheAlgorithms/Python"; a folder's or file's name */
    const char *path;   /* within it: a file, a task's id, "SEED/INDEX" */
    const char *commit; /* NULL where not known, as the next ones */
    const char *licence;
    const char *family;        /* what else belongs together: a problem's id */
    const struct hash *parent; /* of a mutant: its program */
    const char *change;        /* of a mutant: "operator:12: + to -" */
};

struct store_setting {
    const char *python; /* "3.11.2" */
    uint64_t seed;
    struct trace_limits limits;
};

struct store_trace {
    int64_t id, program_id, setting_id;
    struct hash hash;    /* program, setting and what was asked */
    struct hash content; /* verdict, detail, counts, payload */
    /* asked */
    const char *entry; /* NULL: a script */
    const char *args;  /* NULL: a script */
    bool wrap_main;
    /* about the input: enum inputs_origin, or -1: nobody said */
    int input_origin;
    const char *label; /* "right", "wrong" of contest solutions; or NULL */
    /* what came of it */
    enum trace_verdict verdict;
    const char *detail;
    uint32_t context_line; /* bears the marker; 0: none */
    uint64_t n_frames, n_calls, n_lines;
    uint32_t max_depth;
    uint64_t n_text_bytes; /* values and lines as shown: about the size of the
                              cwm text */
    /* the payload, packed */
    size_t payload_bytes; /* unpacked */
    uint32_t dictionary;
    const void *data;
    size_t data_len;
};

struct store_item {
    struct hash hash; /* of the line or file, and of how it is built */
    const char *source;
    const char *name;
    const char *skip; /* why nothing came of it; NULL: something did */
    uint32_t n_programs, n_traces;
};

/* ---- adding: within store_begin() and store_commit() ---- */

/* Adding what is there already is no error; the ids are set in any case. */
enum cwm_rc store_add_program(struct store *s, struct codec_thread *thread,
                              struct store_program *program,
                              struct cwm_err *err);
enum cwm_rc store_add_origin(struct store *s,
                             const struct store_program *program,
                             const struct store_origin *origin,
                             struct cwm_err *err);
enum cwm_rc store_add_setting(struct store *s,
                              const struct store_setting *setting,
                              int64_t *ret_id, struct cwm_err *err);
struct hash store_setting_hash(struct hasher *h,
                               const struct store_setting *setting);
/* What a trace is called: by what was asked. */
struct hash store_trace_hash(struct hasher *h, const struct hash *program,
                             const struct hash *setting,
                             const struct store_trace *trace,
                             const void *stdin_data, size_t stdin_len);
enum cwm_rc store_add_trace(struct store *s, const struct store_trace *trace,
                            struct cwm_err *err);
enum cwm_rc store_add_item(struct store *s, const struct store_item *item,
                           struct cwm_err *err);
enum cwm_rc store_add_dictionary(struct store *s, const void *data, size_t len,
                                 uint32_t *ret_id, struct cwm_err *err);

/* ---- asking ---- */

/* The dictionary that is used now; nothing where there is none. */
enum cwm_rc store_last_dictionary(struct store *s, struct cwm_buf *out,
                                  struct cwm_err *err);

enum cwm_rc store_has_item(struct store *s, const struct hash *hash,
                           bool *ret_has, struct cwm_err *err);
enum cwm_rc store_setting(struct store *s, int64_t id,
                          struct store_setting *ret_setting,
                          struct cwm_err *err); /* python: owned by s */

/*
 * A command that rows were made by.  It is no part of the content: the same
 * rows can be made by several.
 */
struct store_build {
    const char *command;      /* without its shard */
    const char *version;      /* of the program */
    uint64_t shard, n_shards; /* 1, 1: all of it */
    uint64_t n_there;         /* read: how many of the shards are noted */
};
/* Noted once.  Fails as store_add_item(). */
enum cwm_rc store_add_build(struct store *s, const struct store_build *build,
                            struct cwm_err *err);

struct store_counts {
    uint64_t n_programs, n_evaluation, n_traces, n_items, n_skipped;
    uint64_t n_frames, n_calls, n_lines;
    uint64_t n_program_bytes, n_payload_bytes, n_packed_bytes, n_text_bytes;
};
enum cwm_rc store_counts(struct store *s, struct store_counts *ret_counts,
                         struct cwm_err *err);
enum cwm_rc store_content_hash(struct store *s, struct hash *ret_hash,
                               struct cwm_err *err);

/* ---- reading, in the order of hashes ---- */

/*
 * Rows of one kind; where a program is named, those of it only.  The same
 * cursor may not outlive its store.  *ret_more false behind the last one.
 */
struct store_cursor;
enum cwm_rc store_programs(struct store *s, struct store_cursor **ret_cursor,
                           struct cwm_err *err);
enum cwm_rc store_program_next(struct store_cursor *c,
                               struct store_program *ret_program,
                               bool *ret_more, struct cwm_err *err);
enum cwm_rc store_origins(struct store *s, int64_t program_id,
                          struct store_cursor **ret_cursor,
                          struct cwm_err *err);
enum cwm_rc store_origin_next(struct store_cursor *c,
                              struct store_origin *ret_origin, bool *ret_more,
                              struct cwm_err *err);
enum cwm_rc store_traces(struct store *s, int64_t program_id,
                         struct store_cursor **ret_cursor, struct cwm_err *err);
enum cwm_rc store_all_traces(struct store *s, struct store_cursor **ret_cursor,
                             struct cwm_err *err);
enum cwm_rc store_trace_next(struct store_cursor *c,
                             struct store_trace *ret_trace, bool *ret_more,
                             struct cwm_err *err);
enum cwm_rc store_items(struct store *s, struct store_cursor **ret_cursor,
                        struct cwm_err *err);
enum cwm_rc store_item_next(struct store_cursor *c, struct store_item *ret_item,
                            bool *ret_more, struct cwm_err *err);
/* Stores of version 1 have none. */
enum cwm_rc store_builds(struct store *s, struct store_cursor **ret_cursor,
                         struct cwm_err *err);
enum cwm_rc store_build_next(struct store_cursor *c,
                             struct store_build *ret_build, bool *ret_more,
                             struct cwm_err *err);
/* A cursor over one program, or one trace, by its hash or the beginning of
 * its hexadecimal text. */
enum cwm_rc store_find_program(struct store *s, const char *text,
                               struct store_cursor **ret_cursor,
                               struct cwm_err *err);
enum cwm_rc store_find_trace(struct store *s, const char *text,
                             struct store_cursor **ret_cursor,
                             struct cwm_err *err);
/* The program of row `id`, as a cursor over one. */
enum cwm_rc store_program_of(struct store *s, int64_t id,
                             struct store_cursor **ret_cursor,
                             struct cwm_err *err);
void store_cursor_close(struct store_cursor *c); /* NULL is fine */

#endif /* DATASETS_STORE_H */
