/* SPDX-License-Identifier: MIT */
/*
 * scope.h -- the scopes of the program: its own code objects, by identity.
 *
 * A scope is a code object that was compiled from the program's text, found by
 * walking the constants of the module's code; text given to exec() or eval()
 * and library code have none.  The table maps addresses, which cannot be
 * reused as long as the module's code is held (the caller does that).
 *
 * Threads: with the GIL held.
 */
#ifndef TRACER_WORKER_SCOPE_H
#define TRACER_WORKER_SCOPE_H

#include "tracer/worker/pyframe.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tracer/record_write.h"

#define SCOPE_NO_ID UINT32_MAX

struct activation; /* locals.h */

struct scope {
    PyCodeObject *code; /* borrowed: held by the module's code */
    char *qualname;     /* owned, WTF-8 */
    size_t qualname_len;
    uint32_t func_id;  /* SCOPE_NO_ID until it is in the stream */
    bool is_namespace; /* class body or module: names live in a mapping */
    bool is_module;
    bool is_entry; /* a trace begins when it is called */
    uint32_t n_slots;
    struct pyframe_slot_info *slots; /* owned, n_slots */
    uint32_t *name_ids;              /* owned, n_slots; SCOPE_NO_ID */
    struct activation *spare;        /* owned: used up, to be used again */
};

/*
 * A scope for `code`, within `outer` (NULL: a module's), in no table.  NULL:
 * memory is short.
 */
struct scope *scope_new(PyCodeObject *code, const struct scope *outer);

struct scope_table {
    struct scope **slots; /* owned: open addressing, a power of two */
    size_t n_slots;
    size_t n_used;
};

/*
 * Register `code` (a module's) and all within.  False: memory is short; the
 * table is to be released then.
 */
bool scope_table_init(struct scope_table *t, PyCodeObject *code);
void scope_table_release(struct scope_table *t);

static inline struct scope *scope_find(const struct scope_table *t,
                                       const PyCodeObject *code)
{
    size_t mask = t->n_slots - 1;
    size_t i = ((uintptr_t)code >> 5) * 0x9E3779B97F4A7C15u >> 40 & mask;
    while (t->slots[i]) {
        if (t->slots[i]->code == code)
            return t->slots[i];
        i = (i + 1) & mask;
    }
    return NULL;
}

/*
 * Mark every function of that qualified name as an entry: a name may be
 * defined in each branch of an `if`, and only running it tells which one is
 * called.  Returns how many there are.
 */
size_t scope_mark_entries(const struct scope_table *t, const char *qualname,
                          size_t len);
/* Of those that are marked none but `only` stays so. */
void scope_mark_only(const struct scope_table *t, const struct scope *only);
/* The CO_* flags that any of the entries has. */
int scope_entry_flags(const struct scope_table *t);

/*
 * The UTF-8 of a str with lone surrogates kept, in malloc'ed memory
 * (cwm_free()); NULL when memory is short.  Runs no code of the program.
 */
char *scope_text(PyObject *str, size_t *ret_len);

#endif /* TRACER_WORKER_SCOPE_H */
