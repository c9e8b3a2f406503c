/* SPDX-License-Identifier: MIT */
/* cmd_predict.h -- what the files of `cwm predict` share. */
#ifndef CWM_CLI_CMD_PREDICT_H
#define CWM_CLI_CMD_PREDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/cli/cmd_trace.h"
#include "cwm/cli/generating.h"
#include "tracer/source.h"

/* The options as given; texts are borrowed from argv. */
struct predict_fields {
    struct trace_fields trace; /* entry, args, wrap_main, form, python, ... */
    const char *model;
    const char *tokenizer;
    uint64_t max_new;
    struct generating_fields generating;
    bool compare;
    bool no_grammar;
    bool no_shortcuts;
};

/* The program to predict a trace of. */
struct predict_program {
    const char *name;
    struct cwm_buf file;    /* as read */
    struct source *source;  /* owned; with --wrap-main: the wrapped one */
    int entry;              /* of source_defs(); -1: a script */
    struct cwm_buf context; /* with its marker */
};

/* ---- cmd_predict_show.c ---- */

/* What is written while the text comes, and at its end. */
struct predict_show {
    const struct predict_fields *f;
    const struct predict_program *program;
    const struct cwm_buf *text; /* the frames so far */
    size_t n_shown;             /* bytes of the text (cwm); rows (pretty) */
    bool has_begun;             /* what stands before the frames is written */
    double shown_at;            /* seconds */
};

/* Behind a frame, or a token.  Fails: CWM_IO, CWM_NOMEM, CWM_LIMIT. */
enum cwm_rc predict_show_more(struct predict_show *show, bool is_frame_end,
                              struct cwm_err *err);
/* All of the rest; is_whole: the model ended the text. */
enum cwm_rc predict_show_end(struct predict_show *show, bool is_whole,
                             struct cwm_err *err);

/* Both traces side by side, then the scores; exit code. */
int predict_compare(const struct predict_fields *f,
                    const struct trace_result *truth,
                    const struct cwm_buf *text, bool was_cut);

#endif /* CWM_CLI_CMD_PREDICT_H */
