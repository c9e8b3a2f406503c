/* SPDX-License-Identifier: MIT */
/* cli.c -- what the commands share. */
#include "cwm/cli/cli.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"
#include "cwm/base/io.h"

enum { MAX_HELP_BYTES = 1 << 20, MAX_SAY_BYTES = 4096 };

/* The signal that came; the commands' cancel flag. */
static volatile int caught_signal;

/* ---- talk ---- */

/* Names of files and jobs come from outside: no escape sequences. */
static void say_line(const char *prefix, const char *text, size_t len)
{
    char line[MAX_SAY_BYTES];
    size_t used = (size_t)snprintf(line, sizeof line, "%s", prefix);

    for (size_t i = 0; i < len && used < sizeof line - 1; i++) {
        unsigned char c = (unsigned char)text[i];

        line[used++] = c < 0x20 || c == 0x7F ? '?' : (char)c;
    }
    line[used++] = '\n';
    /* One write a line; where talk cannot go there is nobody to tell. */
    io_write_all(STDERR_FILENO, "standard error", line, used, NULL, NULL);
}

void cli_say(const char *format, ...)
{
    char text[MAX_SAY_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say_line("", text, strlen(text));
}

static int exit_code(enum cwm_rc rc)
{
    switch (rc) {
    case CWM_OK:
        return CLI_YES;
    case CWM_USAGE:
        return CLI_USAGE;
    case CWM_CANCELLED:
        return caught_signal ? 128 + caught_signal : CLI_FAILED;
    case CWM_NOMEM:
    case CWM_IO:
    case CWM_FORMAT:
    case CWM_LIMIT:
    case CWM_SYSTEM:
    case CWM_MISSING:
    case CWM_PYTHON:
        return CLI_FAILED;
    }
    return CLI_FAILED;
}

int cli_fail(const char *name, const struct cwm_err *err)
{
    const char *text = err->message;
    char prefix[64];
    bool first = true;

    snprintf(prefix, sizeof prefix, "cwm%s%s: ", name[0] ? " " : "", name);
    while (*text) {
        size_t len = strcspn(text, "\n");

        say_line(first ? prefix : "hint: ", text, len);
        text += len + (text[len] == '\n');
        first = false;
    }
    return exit_code(err->code);
}

int cli_usage(const char *name, const char *format, ...)
{
    struct cwm_err err = {.code = CWM_USAGE};
    va_list args;

    va_start(args, format);
    vsnprintf(err.message, sizeof err.message, format, args);
    va_end(args);
    return cli_fail(name, &err);
}

int cli_print(const char *name, const struct cwm_buf *out)
{
    struct cwm_err err;
    enum cwm_rc rc = cwm_buf_check(out, "the text", &err);

    if (rc == CWM_OK && out->len > 0) {
        rc = io_write_all(STDOUT_FILENO, "standard output", out->data, out->len,
                          NULL, &err);
    }
    return rc == CWM_OK ? CLI_YES : cli_fail(name, &err);
}

int cli_parse(const struct opt_command *c, int argc, char **argv, void *fields,
              struct opt_rest *rest)
{
    struct cwm_buf help;
    struct cwm_err err;
    int code = -1;

    opt_defaults(c, fields);
    rest->values = cwm_calloc((size_t)argc + 1, sizeof *rest->values);
    if (!rest->values) {
        CWM_FAIL(&err, CWM_NOMEM, "could not hold the arguments");
        return cli_fail(c->name, &err);
    }
    if (opt_parse(c, argc, argv, fields, rest, &err) != CWM_OK) {
        code = cli_fail(c->name, &err);
    } else if (rest->help) {
        cwm_buf_init(&help, MAX_HELP_BYTES);
        opt_help(c, &help);
        code = cli_print(c->name, &help);
        cwm_buf_release(&help);
    }
    if (code >= 0) {
        cwm_free(rest->values);
        rest->values = NULL;
    }
    return code;
}

/* ---- signals ---- */

static void note_signal(int number)
{
    cwm_cancel(&caught_signal, number);
}

const volatile int *cli_catch_signals(void)
{
    /* SA_RESETHAND: the second one does what it does by default. */
    struct sigaction once = {.sa_handler = note_signal,
                             .sa_flags = (int)SA_RESETHAND};
    struct sigaction old;

    sigemptyset(&once.sa_mask);
    sigaction(SIGINT, &once, NULL);
    sigaction(SIGTERM, &once, NULL);
    if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
        sigaction(SIGHUP, &once, NULL); /* nohup stays what it is */
    }
    return &caught_signal;
}

/* ---- the terminal ---- */

bool cli_is_terminal(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && term && term[0] && strcmp(term, "dumb") != 0;
}

bool cli_has_colour(int fd)
{
    const char *no_colour = getenv("NO_COLOR");

    return cli_is_terminal(fd) && !(no_colour && no_colour[0]);
}

unsigned cli_columns(int fd)
{
    struct winsize size;

    if (!isatty(fd)) {
        return 0;
    }
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                : 80;
}

void cli_seconds(double seconds, char *text, size_t size)
{
    if (seconds < 9.995) {
        snprintf(text, size, "%.2f s", seconds);
    } else if (seconds < 119.5) {
        snprintf(text, size, "%.0f s", seconds);
    } else {
        unsigned long whole = (unsigned long)(seconds + 0.5);

        snprintf(text, size, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60,
                 whole % 60);
    }
}

double cli_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

unsigned cli_threads(uint64_t asked)
{
    cpu_set_t set;

    if (asked > 0) {
        return (unsigned)asked;
    }
    return sched_getaffinity(0, sizeof set, &set) == 0
               ? (unsigned)CPU_COUNT(&set)
               : 1;
}
