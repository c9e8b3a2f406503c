/* SPDX-License-Identifier: MIT */
/*
 * locals.h -- what is known of one call of a scope, and its locals written.
 *
 * An activation remembers, for every local, the text that was last written
 * and a fingerprint of the value it was made from, so that a value that is
 * surely the same is not rendered again.  The text is not copied: it lies in
 * the record stream.  No reference to any object is held.
 *
 * Order (TRACE_FORMAT section 2): `bound` keeps the slots in the order in
 * which their names became bound, as f_locals would have it when read at
 * every event.
 *
 * Threads: with the GIL held, main thread only.
 */
#ifndef TRACER_WORKER_LOCALS_H
#define TRACER_WORKER_LOCALS_H

#include "tracer/worker/scope.h"

#include "tracer/record_write.h"
#include "tracer/worker/shadow.h"
#include "tracer/worker/value.h"

struct local {
    struct value_snapshot snapshot; /* of a scalar */
    struct shadow shadow;           /* of a container */
    const uint8_t *text; /* borrowed from the stream; NULL: none yet */
    size_t text_len;
    bool is_cut;
    uint32_t name_id; /* of a namespace's local; slots have the scope's */
};

struct activation {
    struct scope *scope;     /* borrowed */
    PyFrameObject *frame;    /* borrowed: alive while the activation is */
    struct activation *next; /* of spare or of suspended ones */
    uint64_t id;
    uint32_t last_line;
    bool is_counted; /* its frame object is in the collector's count */
    uint32_t n_bound;
    uint32_t n_locals;    /* room in the arrays */
    uint32_t *bound;      /* owned: slots in order, then the unbound ones */
    PyObject **values;    /* owned: scratch, valid within one event */
    struct local *locals; /* owned: by slot, or by place in a namespace */
};

/* A name of a namespace and its id; the ids are the stream's. */
struct name_table;

struct locals_writer {
    struct record_writer *records;    /* borrowed */
    struct value_writer *values;      /* borrowed */
    const struct scope_table *scopes; /* borrowed */
    struct name_table *names;         /* owned */
    size_t max_value_bytes;
    uint8_t *scratch; /* owned: room for one value */
};

bool locals_writer_init(struct locals_writer *w, struct record_writer *records,
                        struct value_writer *values,
                        const struct scope_table *scopes,
                        size_t max_value_bytes);
void locals_writer_release(struct locals_writer *w);

/* A new activation of `scope`; NULL when memory is short. */
struct activation *activation_new(struct scope *scope, PyFrameObject *frame,
                                  uint64_t id);
/* Give it back to its scope. */
void activation_retire(struct activation *a);
void activation_free(struct activation *a);
struct activation *activation_next_spare(struct activation *a);

/* Places in a table of suspended activations; a chain hangs from each. */
#define SUSPENDED_CHAINS 1024u

/* Suspended activations by their frames' addresses; one of zeros is empty. */
struct suspended {
    struct activation *chains[SUSPENDED_CHAINS];
};

/* Takes the activation of `frame` out; NULL when it is not there. */
struct activation *suspended_take(struct suspended *s,
                                  const PyFrameObject *frame);
void suspended_put(struct suspended *s, struct activation *a);

/*
 * Bring the order of the names up to date without writing (exception events
 * read f_locals too).
 */
bool locals_observe(struct locals_writer *w, struct activation *a,
                    PyFrameObject *frame);

/* What became of writing: the record is whole, or the run has to end. */
enum locals_result { LOCALS_OK, LOCALS_FULL, LOCALS_NOMEM };

/*
 * Define the names that the next record needs (they are records of their own)
 * and bring the order up to date; then write "n, n entries" at the writer's
 * place.
 */
enum locals_result locals_prepare(struct locals_writer *w, struct activation *a,
                                  PyFrameObject *frame);
enum locals_result locals_write(struct locals_writer *w, struct activation *a);

/*
 * Write one value's text, length first, at the writer's place; *ret_text is
 * where it lies.  False: no room.
 */
bool locals_put_value(struct locals_writer *w, PyObject *value,
                      const uint8_t **ret_text, size_t *ret_len, bool *ret_cut);

/* Give the scope the next id in the stream.  False: no room. */
bool locals_define_scope(struct locals_writer *w, struct scope *scope,
                         uint32_t *n_scopes);

#endif /* TRACER_WORKER_LOCALS_H */
