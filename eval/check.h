/* SPDX-License-Identifier: MIT */
/*
 * check.h -- a predicted trace without the truth: could it be one?
 *
 * Looked at are, frame by frame: the format; whether the source line is one of
 * the program's, in the scope that is running; whether the event can come
 * here, behind the scope's last one, by the program's control flow
 * (check_flow.h); whether the scopes are balanced; whether the names are bound
 * in the program's text, `..` stands for a value that was shown before, and
 * what did not change is written so.
 *
 * No true trace has a problem.  Where a program can leave or resume scopes
 * unseen (generators, coroutines), or bind names that its text does not hold
 * (exec), less is asked of it.
 *
 * Threads: none shared.
 */
#ifndef EVAL_CHECK_H
#define EVAL_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "eval/predicted.h"

#define CHECK_KIND_TABLE(X)                                                    \
    X(FORMAT, "format")       /* the text breaks */                            \
    X(ENTRY, "entry")         /* it does not begin with the entry's call */    \
    X(SOURCE, "source")       /* no line of the program */                     \
    X(SUCCESSOR, "successor") /* this event, or line, cannot come here */      \
    X(SCOPES, "scopes")       /* left open, or left too often */               \
    X(NAME, "name")           /* bound nowhere, or unbound without a `del` */  \
    X(DIFF, "diff")           /* `..` where there was nothing, or a value      \
                                 where `..` belongs */

enum check_kind {
#define CHECK_KIND_ENUM(id, text) CHECK_##id,
    CHECK_KIND_TABLE(CHECK_KIND_ENUM)
#undef CHECK_KIND_ENUM
        CHECK_N_KINDS
};
const char *check_kind_name(enum check_kind kind);

struct check_problem {
    size_t frame; /* from 0; n_frames: behind the last one */
    enum check_kind kind;
    char what[160]; /* for people */
};

#define CHECK_MAX_KEPT 100

struct check_result {
    uint64_t n_problems;
    uint64_t n_of_kind[CHECK_N_KINDS];
    struct check_problem kept[CHECK_MAX_KEPT]; /* the first ones */
    size_t n_kept;
};

struct check_input {     /* all borrowed */
    const void *program; /* bytes as in the file */
    size_t program_len;
    bool is_text;      /* program is decoded (JSON): its cookie names nothing */
    const char *name;  /* for messages */
    const char *entry; /* NULL: the marker's, else the whole script */
    const char *args;
    bool wrap_main;
    const char *text; /* the prediction */
    size_t text_len;
};

/*
 * *ret_predicted is the text read, predicted_release().  Fails: CWM_USAGE (no
 * such entry, arguments that do not parse), CWM_FORMAT (a program that cannot
 * be decoded), CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc check_trace(const struct check_input *input,
                        struct predicted *ret_predicted,
                        struct check_result *ret_result, struct cwm_err *err);

#endif /* EVAL_CHECK_H */
