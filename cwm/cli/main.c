/* SPDX-License-Identifier: MIT */
/* main.c -- the one program that people type: `cwm COMMAND ...`. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/version.h"
#include "tracer/trace.h"

enum { MAX_TEXT_BYTES = 1 << 20, MAX_COMMANDS = 16 };

static const struct cli_command *const commands[] = {
    &cli_trace, &cli_check,   &cli_dataset, &cli_tokenizer, &cli_model,
    &cli_pack,  &cli_predict, &cli_verify,  &cli_train,     &cli_eval};

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i]->options->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static int no_such_command(const char *name)
{
    const char *names[N_COMMANDS + 1];
    const char *near;

    for (size_t i = 0; i < N_COMMANDS; i++) {
        names[i] = commands[i]->options->name;
    }
    names[N_COMMANDS] = "help";
    near = opt_nearest(name, names, N_COMMANDS + 1);
    if (near) {
        return cli_usage("", "there is no command '%.60s'; did you mean '%s'?",
                         name, near);
    }
    return cli_usage("", "there is no command '%.60s'\n'cwm help' lists them",
                     name);
}

static void add_overview(struct cwm_buf *out)
{
    cwm_buf_adds(out, "usage: cwm COMMAND [options]\n\n"
                      "Traces of Python programs: what every line does to "
                      "the variables.\n\nCommands:\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        cwm_buf_addf(out, "  %-10s %s\n", commands[i]->options->name,
                     commands[i]->options->summary);
    }
    cwm_buf_adds(out, "  help       how a command is used: cwm help COMMAND\n\n"
                      "  --version   versions of all that is in use\n\n"
                      "Examples:\n"
                      "  cwm trace examples/strawberry.py\n"
                      "  cwm check\n\n" CLI_EXIT_NOTES);
}

static void add_version(struct cwm_buf *out)
{
    struct tracer_worker *workers = NULL;
    size_t n = 0;

    cwm_buf_adds(out, "cwm " CWM_VERSION "\ncommit " CWM_COMMIT
                      "\ncompiler " CWM_COMPILER "\nCUDA none\n");
    if (tracer_workers(NULL, &workers, &n, NULL) != CWM_OK || n == 0) {
        cwm_buf_adds(out, "Python none\n");
    }
    for (size_t i = 0; i < n; i++) {
        cwm_buf_addf(out, "Python %s (%s)\n", workers[i].version,
                     workers[i].prefix);
    }
    cwm_free(workers);
}

/* For the test that compares the manual with the tables. */
static int dump_options(const char *name, struct cwm_buf *out)
{
    const struct cli_command *c = find_command(name);

    if (!c) {
        return no_such_command(name);
    }
    opt_markdown(c->options, out);
    return cli_print("", out);
}

static int help(int argc, char **argv, struct cwm_buf *out)
{
    const struct cli_command *c;

    if (argc < 3) {
        add_overview(out);
        return cli_print("", out);
    }
    c = find_command(argv[2]);
    if (!c) {
        return no_such_command(argv[2]);
    }
    opt_help(c->options, out);
    return cli_print("", out);
}

static int dispatch(int argc, char **argv, struct cwm_buf *out)
{
    const struct cli_command *c;
    const char *word = argc > 1 ? argv[1] : "";

    if (argc < 2) {
        return cli_usage("", "a command is needed\n'cwm help' lists them");
    }
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 ||
        strcmp(word, "-h") == 0) {
        return help(argc, argv, out);
    }
    if (strcmp(word, "--version") == 0) {
        add_version(out);
        return cli_print("", out);
    }
    if (strcmp(word, "--dump-options") == 0 && argc == 3) {
        return dump_options(argv[2], out);
    }
    c = find_command(word);
    return c ? c->run(argc - 2, argv + 2) : no_such_command(word);
}

/*
 * A descriptor below 3 that is closed would be the next file that is opened,
 * and results would be written there.  One that refuses takes its place.
 */
static void fill_closed(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            int got = open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);

            if (got != fd) {
                _exit(CLI_FAILED); /* and nowhere to say so */
            }
        }
    }
}

int main(int argc, char **argv)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct cwm_buf out;
    int code;

    fill_closed();
    sigaction(SIGPIPE, &ignore, NULL); /* a closed pipe is told as an error */
    cwm_buf_init(&out, MAX_TEXT_BYTES);
    code = dispatch(argc, argv, &out);
    cwm_buf_release(&out);
    return code;
}
