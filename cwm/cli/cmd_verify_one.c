/* SPDX-License-Identifier: MIT */
/* cmd_verify_one.c -- one predicted trace: against its truth, or alone. */
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_verify.h"
#include "eval/check.h"

#define MAX_PREDICTED_BYTES ((size_t)1 << 30)
#define MAX_PROGRAM_BYTES   ((64UL << 20) + 1)
#define MAX_TEXT_BYTES      ((size_t)1 << 30)
#define MAX_STDIN_BYTES     ((size_t)1 << 30)

/* The files that were named. */
struct inputs {
    struct cwm_buf predicted, program, input;
};

static enum cwm_rc read_input(const char *path, struct cwm_buf *to,
                              struct cwm_err *err)
{
    enum cwm_rc rc = strcmp(path, "-") == 0
                         ? io_read_fd(STDIN_FILENO, "standard input", to, err)
                         : io_read_file(path, to, err);

    if (rc == CWM_IO || rc == CWM_LIMIT) {
        err->code = CWM_USAGE;
        return CWM_USAGE;
    }
    return rc;
}

static enum cwm_rc read_inputs(const struct verify_fields *f, const char *path,
                               struct inputs *in, struct cwm_err *err)
{
    enum cwm_rc rc = read_input(path, &in->predicted, err);

    if (rc == CWM_OK) {
        rc = read_input(f->program, &in->program, err);
    }
    if (rc == CWM_OK && f->trace.stdin_path) {
        rc = read_input(f->trace.stdin_path, &in->input, err);
    }
    return rc;
}

static const char *text_of(const struct cwm_buf *b)
{
    return b->data ? b->data : "";
}

/* ---- against the truth ---- */

static int put_record(const struct verify_fields *f,
                      const struct verify_record *record)
{
    struct cwm_buf out;
    int code;

    cwm_buf_init(&out, MAX_TEXT_BYTES);
    if (f->trace.json || !record->score) {
        verify_put_record(record, &out);
        cwm_buf_addc(&out, '\n');
    } else {
        verify_put_one(record, &out);
    }
    code = cli_print("verify", &out);
    cwm_buf_release(&out);
    if (code != CLI_YES) {
        return code;
    }
    return record->score && record->score->first.what == SCORE_SAME ? CLI_YES
                                                                    : CLI_NO;
}

static int compare(const struct verify_fields *f, const struct inputs *in,
                   const struct trace_result *result)
{
    struct predicted predicted = {0};
    struct predicted truth = {0};
    struct trace_score score;
    struct verify_record record = {
        .id = result->summary.id,
        .verdict = result->summary.verdict,
        .detail = result->summary.detail,
        .predicted = &predicted,
        .full_texts = f->full_texts,
    };
    struct cwm_err err;
    bool scored = false;
    int code;

    if (result->verdict == TRACE_VERDICT_NO_ENTRY ||
        result->verdict == TRACE_VERDICT_BAD_ARGS) {
        return cli_usage("verify", "%s: %s", f->program,
                         record.detail ? record.detail : record.verdict);
    }
    if (verify_result(result, f->trace.run.limits.max_frames,
                      text_of(&in->predicted), in->predicted.len, false, NULL,
                      &predicted, &truth, &score, &scored, &err) == CWM_OK) {
        record.score = scored ? &score : NULL;
        code = put_record(f, &record);
    } else {
        code = cli_fail("verify", &err);
    }
    predicted_release(&predicted);
    predicted_release(&truth);
    return code;
}

static int trace_and_compare(const struct verify_fields *f,
                             const struct inputs *in)
{
    const char *slash = strrchr(f->program, '/');
    struct trace_job job = {
        .id = slash ? slash + 1 : f->program, /* no folders in data */
        .name = f->program,
        .source = text_of(&in->program),
        .source_len = in->program.len,
        .entry = f->trace.entry,
        .args = f->trace.args,
        .wrap_main = f->trace.wrap_main,
        .stdin_data = text_of(&in->input),
        .stdin_len = in->input.len,
        .seed = f->trace.seed,
        .limits = f->trace.run.limits,
    };
    struct tracer_options how;
    struct tracer *t = NULL; /* owned */
    struct trace_result result;
    struct cwm_err err;
    int code = running_tracer("verify", &f->trace.run, &how);

    if (code >= 0) {
        return code;
    }
    if (tracer_open(&how, &t, &err) != CWM_OK ||
        tracer_run(t, &job, cli_catch_signals(), &result, &err) != CWM_OK) {
        code = cli_fail("verify", &err);
    } else {
        code = compare(f, in, &result);
    }
    tracer_close(t);
    return code;
}

/* ---- alone ---- */

static int put_check(const struct verify_fields *f, const struct predicted *p,
                     const struct check_result *result)
{
    const char *slash = strrchr(f->program, '/');
    struct cwm_buf out;
    int code;

    cwm_buf_init(&out, MAX_TEXT_BYTES);
    if (f->trace.json) {
        verify_put_check(slash ? slash + 1 : f->program, p, result, &out);
        cwm_buf_addc(&out, '\n');
    } else {
        for (size_t i = 0; i < result->n_kept; i++) {
            cwm_buf_addf(&out, "frame %zu: %s\n", result->kept[i].frame + 1,
                         result->kept[i].what);
        }
        cwm_buf_addf(&out, "%zu frames, %llu problem%s\n", p->n_frames,
                     (unsigned long long)result->n_problems,
                     result->n_problems == 1 ? "" : "s");
    }
    code = cli_print("verify", &out);
    cwm_buf_release(&out);
    return code != CLI_YES ? code : result->n_problems == 0 ? CLI_YES : CLI_NO;
}

static int check_alone(const struct verify_fields *f, const struct inputs *in)
{
    struct check_input input = {
        .program = text_of(&in->program),
        .program_len = in->program.len,
        .name = f->program,
        .entry = f->trace.entry,
        .args = f->trace.args,
        .wrap_main = f->trace.wrap_main,
        .text = text_of(&in->predicted),
        .text_len = in->predicted.len,
    };
    struct predicted predicted = {0};
    struct check_result result;
    struct cwm_err err;
    int code;

    if (check_trace(&input, &predicted, &result, &err) == CWM_OK) {
        code = put_check(f, &predicted, &result);
    } else {
        code = cli_fail("verify", &err);
    }
    predicted_release(&predicted);
    return code;
}

int verify_one(const struct verify_fields *f, const char *path)
{
    struct inputs in;
    struct cwm_err err;
    int code;

    cwm_buf_init(&in.predicted, MAX_PREDICTED_BYTES);
    cwm_buf_init(&in.program, MAX_PROGRAM_BYTES);
    cwm_buf_init(&in.input, MAX_STDIN_BYTES);
    if (read_inputs(f, path, &in, &err) != CWM_OK) {
        code = cli_fail("verify", &err);
    } else {
        code = f->is_static ? check_alone(f, &in) : trace_and_compare(f, &in);
    }
    cwm_buf_release(&in.predicted);
    cwm_buf_release(&in.program);
    cwm_buf_release(&in.input);
    return code;
}
