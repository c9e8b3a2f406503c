/* SPDX-License-Identifier: MIT */
/* judge_agent.h -- the candidate's process: it loads, is asked, and answers. */
#ifndef EVAL_WORKER_JUDGE_AGENT_H
#define EVAL_WORKER_JUDGE_AGENT_H

#include <Python.h>
#include <stdint.h>

#include "eval/judge_request.h"

/* Serve `peer` until it hangs up; the exit status.  Nothing here is trusted
 * by anyone once the candidate's code has run. */
int judge_agent_serve(int peer);

/* What a program's text compiles to; NULL with a Python error. */
PyObject *judge_compile(const char *text, size_t len, const char *filename);

/* The request's program as a script: __main__, with its streams; the exit
 * status.  *state is an enum judge_state where the text is no program. */
int judge_script_run(const struct judge_request *request, uint8_t *state);

#endif /* EVAL_WORKER_JUDGE_AGENT_H */
