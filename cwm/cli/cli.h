/* SPDX-License-Identifier: MIT */
/*
 * cli.h -- what the commands share: talk, exit codes, signals, the terminal.
 *
 * Results go to standard output, talk to standard error.  Only this folder
 * prints, and every error once.
 */
#ifndef CWM_CLI_CLI_H
#define CWM_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "cwm/base/opt.h"

/* Exit codes; a run that a signal stopped exits with 128 + its number. */
enum cli_exit {
    CLI_YES = 0,   /* done */
    CLI_NO = 1,    /* the answer is no */
    CLI_USAGE = 2, /* the request cannot be carried out as given */
    CLI_FAILED = 3 /* our own failure */
};

/* The same words in every command's help. */
#define CLI_EXIT_NOTES                                                         \
    "Exit status:\n"                                                           \
    "  0  done; a program that raised or was stopped is a result, too\n"       \
    "  1  the answer is no\n"                                                  \
    "  2  the request cannot be carried out as given\n"                        \
    "  3  our own failure\n"

struct cli_command {
    const struct opt_command *options;
    int (*run)(int argc, char **argv); /* words behind the name; exit code */
};

extern const struct cli_command cli_check;
extern const struct cli_command cli_dataset;
extern const struct cli_command cli_eval;
extern const struct cli_command cli_model;
extern const struct cli_command cli_verify;
extern const struct cli_command cli_pack;
extern const struct cli_command cli_predict;
extern const struct cli_command cli_tokenizer;
extern const struct cli_command cli_trace;
extern const struct cli_command cli_train;

/* Print `cwm NAME: MESSAGE`, then the hints; the exit code that fits. */
int cli_fail(const char *name, const struct cwm_err *err);
/* The same from a format, as CWM_USAGE: returns CLI_USAGE. */
int cli_usage(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One line of talk; control characters are shown as '?'. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Put a result on standard output; CLI_YES or (having told) CLI_FAILED. */
int cli_print(const char *name, const struct cwm_buf *out);

/*
 * Parse a command's words.  rest->values is allocated: cwm_free() it.
 * Returns -1 to go on, else the exit code (help was printed, or an error).
 */
int cli_parse(const struct opt_command *c, int argc, char **argv, void *fields,
              struct opt_rest *rest);

/*
 * From now on SIGINT, SIGTERM and SIGHUP set the flag that is returned to
 * their number; the second one ends the program at once.
 */
const volatile int *cli_catch_signals(void);

/* May `fd` be drawn on (a terminal that is not dumb)?  In colour, too? */
bool cli_is_terminal(int fd);
bool cli_has_colour(int fd);
unsigned cli_columns(int fd); /* 0 where it is no terminal */

/* "1.2 s", with as many digits as make sense. */
void cli_seconds(double seconds, char *text, size_t size);
double cli_now(void); /* seconds; only differences mean something */

/* How many threads: as asked, or (0) as many as this process may use cores. */
unsigned cli_threads(uint64_t asked);

#endif /* CWM_CLI_CLI_H */
