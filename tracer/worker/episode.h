/* SPDX-License-Identifier: MIT */
/*
 * episode.h -- calls of a repository's functions, each recorded as a trace.
 *
 * In place of the hook's own recording while a test runs (hook_divert()).
 * Which code is the repository's is told by its file name, when it is first
 * called.  Frames of other code are not looked at; frames of the repository
 * that are not recorded are known by their place in the stack, so that what
 * they call is not taken for a callee of what is recorded above them.
 *
 * As the hook it runs nothing of the program and leaves its exceptions alone;
 * it holds a reference to every code object that it met, so that addresses
 * stay what they are.
 *
 * Threads: main thread, with the GIL held.
 */
#ifndef TRACER_WORKER_EPISODE_H
#define TRACER_WORKER_EPISODE_H

#include "tracer/suite.h"
#include "tracer/worker/locals.h"

struct episode_config {
    struct record_writer *records; /* borrowed */
    struct value_writer *values;   /* borrowed */
    struct suite_how how;          /* venv borrowed */
    uint64_t seed;                 /* of draws, the test's name in it */
    uint64_t max_frames;           /* of one episode */
    uint64_t max_bytes;            /* the same */
    size_t max_value_bytes;
};

/* False: memory is short. */
bool episode_init(const struct episode_config *config);
/* The handler for hook_divert(). */
void episode_event(PyFrameObject *frame, int what, PyObject *arg);
/* Write one TELL record; dropped where there is no room. */
void episode_tell(enum suite_tell what, const char *text, size_t len);

#endif /* TRACER_WORKER_EPISODE_H */
