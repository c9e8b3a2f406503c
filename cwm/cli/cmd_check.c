/* SPDX-License-Identifier: MIT */
/* cmd_check.c -- `cwm check`: what this machine gives, wall by wall. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/cli/cli.h"
#include "sandbox/sandbox.h"
#include "tracer/trace.h"

enum { MAX_TEXT_BYTES = 1 << 20 };

struct check_fields {
    bool json;
};

static const char *const uses[] = {"[options]", NULL};

static const char *const examples[] = {"cwm check", "cwm check --json", NULL};

static const struct opt options[] = {
    {.group = "Output",
     .name = "json",
     .type = OPT_FLAG,
     .offset = offsetof(struct check_fields, json),
     .help = "one JSON object instead of text"},
};

static const struct opt_command command = {
    .name = "check",
    .summary = "tell what this machine gives, wall by wall",
    .uses = uses,
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .examples = examples,
    .notes = "Exit status:\n"
             "  0  'cwm trace' will run here\n"
             "  1  it will not: a wall that is required is missing, or there "
             "is no worker\n"
             "  2  the request cannot be carried out as given\n"
             "  3  our own failure\n",
};

/* All that is found out. */
struct findings {
    struct sandbox_wall_state walls[SANDBOX_N_WALLS];
    struct tracer_worker *workers; /* owned */
    size_t n_workers;
    struct cwm_err workers_err; /* why there are none */
    struct utsname kernel;
    unsigned n_cores;
    bool is_root;
};

static enum cwm_rc find_out(struct findings *f, struct cwm_err *err)
{
    enum cwm_rc rc;

    memset(f, 0, sizeof *f);
    rc = sandbox_probe(f->walls, err);
    if (rc != CWM_OK) {
        return rc;
    }
    if (tracer_workers(NULL, &f->workers, &f->n_workers, &f->workers_err) !=
        CWM_OK) {
        f->n_workers = 0;
    }
    uname(&f->kernel);
    f->n_cores = cli_threads(0);
    f->is_root = geteuid() == 0;
    return CWM_OK;
}

static unsigned n_missing(const struct findings *f)
{
    unsigned n = 0;

    for (int i = 0; i < SANDBOX_N_WALLS; i++) {
        n += f->walls[i].required && !f->walls[i].up;
    }
    return n;
}

static const char *state_text(const struct sandbox_wall_state *w)
{
    return w->up ? "up" : w->required ? "MISSING" : "not here";
}

/* ---- as text ---- */

static void add_verdict(const struct findings *f, struct cwm_buf *out)
{
    const char *who = f->is_root ? "root" : "an ordinary user";

    if (n_missing(f) == 0 && f->n_workers > 0) {
        cwm_buf_addf(out, "'cwm trace' will run here as %s.\n", who);
        return;
    }
    cwm_buf_addf(out, "'cwm trace' will not run here as %s:", who);
    if (f->n_workers == 0) {
        cwm_buf_adds(out, " there is no worker");
        cwm_buf_adds(out, n_missing(f) > 0 ? ";" : ".");
    }
    for (int i = 0; i < SANDBOX_N_WALLS; i++) {
        if (f->walls[i].required && !f->walls[i].up) {
            cwm_buf_addf(out, " --allow-missing %s",
                         sandbox_wall_name((enum sandbox_wall)i));
        }
    }
    cwm_buf_adds(out, n_missing(f) > 0 ? " would accept less.\n" : "\n");
}

static void add_text(const struct findings *f, struct cwm_buf *out)
{
    cwm_buf_adds(out, "Walls of the jail:\n");
    for (int i = 0; i < SANDBOX_N_WALLS; i++) {
        enum sandbox_wall wall = (enum sandbox_wall)i;

        cwm_buf_addf(out, "  %-10s %-9s %-9s %s\n", sandbox_wall_name(wall),
                     state_text(&f->walls[i]),
                     f->walls[i].required ? "required" : "optional",
                     sandbox_wall_what(wall));
        if (f->walls[i].detail[0]) {
            cwm_buf_addf(out, "  %32s%s\n", "", f->walls[i].detail);
        }
    }
    cwm_buf_adds(out, "Pythons:\n");
    for (size_t i = 0; i < f->n_workers; i++) {
        cwm_buf_addf(out, "  %-10s %s (%s)\n", f->workers[i].version,
                     f->workers[i].prefix, f->workers[i].path);
    }
    if (f->n_workers == 0) {
        cwm_buf_addf(out, "  none: %.*s\n",
                     (int)strcspn(f->workers_err.message, "\n"),
                     f->workers_err.message);
    }
    cwm_buf_addf(out, "Machine:\n  %u core%s, %s %s %s\n", f->n_cores,
                 f->n_cores == 1 ? "" : "s", f->kernel.sysname,
                 f->kernel.release, f->kernel.machine);
    add_verdict(f, out);
}

/* ---- as JSON ---- */

static void add_field(struct cwm_buf *out, const char *name, const char *text)
{
    cwm_buf_addf(out, "\"%s\": ", name);
    cwm_buf_add_json(out, text, strlen(text));
}

static void add_json(const struct findings *f, struct cwm_buf *out)
{
    cwm_buf_addf(out, "{\"runs\": %s, \"root\": %s, \"walls\": [",
                 n_missing(f) == 0 && f->n_workers > 0 ? "true" : "false",
                 f->is_root ? "true" : "false");
    for (int i = 0; i < SANDBOX_N_WALLS; i++) {
        cwm_buf_adds(out, i == 0 ? "{" : ", {");
        add_field(out, "wall", sandbox_wall_name((enum sandbox_wall)i));
        cwm_buf_addf(out, ", \"up\": %s, \"required\": %s, ",
                     f->walls[i].up ? "true" : "false",
                     f->walls[i].required ? "true" : "false");
        add_field(out, "detail", f->walls[i].detail);
        cwm_buf_addc(out, '}');
    }
    cwm_buf_adds(out, "], \"pythons\": [");
    for (size_t i = 0; i < f->n_workers; i++) {
        cwm_buf_adds(out, i == 0 ? "{" : ", {");
        add_field(out, "version", f->workers[i].version);
        cwm_buf_adds(out, ", ");
        add_field(out, "prefix", f->workers[i].prefix);
        cwm_buf_adds(out, ", ");
        add_field(out, "worker", f->workers[i].path);
        cwm_buf_addc(out, '}');
    }
    cwm_buf_addf(out, "], \"cores\": %u, ", f->n_cores);
    add_field(out, "kernel", f->kernel.release);
    cwm_buf_adds(out, "}\n");
}

static int run(int argc, char **argv)
{
    struct check_fields fields;
    struct findings found;
    struct opt_rest rest;
    struct cwm_buf out;
    struct cwm_err err;
    int code = cli_parse(&command, argc, argv, &fields, &rest);

    if (code >= 0) {
        return code;
    }
    cwm_free(rest.values);
    if (find_out(&found, &err) != CWM_OK) {
        return cli_fail("check", &err);
    }
    cwm_buf_init(&out, MAX_TEXT_BYTES);
    if (fields.json) {
        add_json(&found, &out);
    } else {
        add_text(&found, &out);
    }
    code = cli_print("check", &out);
    if (code == CLI_YES && (n_missing(&found) > 0 || found.n_workers == 0)) {
        code = CLI_NO;
    }
    cwm_buf_release(&out);
    cwm_free(found.workers);
    return code;
}

const struct cli_command cli_check = {&command, run};
