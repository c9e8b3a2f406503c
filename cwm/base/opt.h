/* SPDX-License-Identifier: MIT */
/*
 * opt.h -- one table per command: parsing, --help, the manual's option list.
 *
 * A command describes its options once, in a `static const struct opt[]`.
 * opt_parse() fills a struct of the caller's by the offsets in the table,
 * opt_help() and opt_markdown() write what a reader sees, so that the three
 * cannot differ.  Every command has -h and --help without naming them.
 *
 * Accepted: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, flags as --name;
 * `--` ends the options; `-` is a positional.  Options and positionals may
 * be mixed.  Names are never abbreviated: a script must not change its
 * meaning when an option is added.
 *
 * Threads: all functions are pure but for what they are given.
 */
#ifndef CWM_BASE_OPT_H
#define CWM_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

enum opt_type {
    OPT_FLAG,   /* bool */
    OPT_STRING, /* const char *, borrowed from argv */
    OPT_U64,    /* uint64_t, min..max */
    OPT_ENUM,   /* int: index into choices */
    OPT_LIST,   /* struct opt_list: may be given several times */
};

#define OPT_LIST_MAX 32

struct opt_list {
    const char *values[OPT_LIST_MAX]; /* borrowed from argv */
    size_t n;
};

struct opt {
    const char *group; /* heading over this and the next ones; NULL: as before
                        */
    char letter;       /* 'o' for -o; 0: none */
    const char *name;  /* "timeout-ms" */
    enum opt_type type;
    size_t offset;        /* of the field in the caller's struct */
    const char *value;    /* what the value is called: "FILE", "n" */
    const char *fallback; /* default as typed; NULL: none (0, NULL, false) */
    uint64_t min, max;    /* OPT_U64 */
    bool in_bytes;        /* OPT_U64: k, M and G (powers of 1024) may follow */
    const char *const *choices; /* OPT_ENUM: NULL-ended */
    const char *help;           /* one or two sentences, no final stop */
};

struct opt_command {
    const char *name;        /* "trace"; "" for cwm itself */
    const char *summary;     /* one line, lower case, no final stop */
    const char *const *uses; /* NULL-ended: "FILE [options]", ... */
    const struct opt *opts;  /* borrowed */
    size_t n_opts;
    const char *const *examples; /* NULL-ended: command lines without "$ " */
    const char *notes;           /* exit codes; whole lines */
    size_t max_positionals;
};

struct opt_rest {
    const char **values; /* the positionals; storage of the caller's */
    size_t n;            /* filled in */
    bool help;           /* -h or --help was there: nothing else holds */
};

/* Store every fallback (and zero where there is none) in *fields. */
void opt_defaults(const struct opt_command *c, void *fields);

/*
 * Parse argv[0..argc), the words behind the command's name, into *fields
 * (opt_defaults() first).  rest->values has room for argc pointers.  Fails:
 * CWM_USAGE with one line that names the word and, for a name that is close
 * to one there is, that one.
 */
enum cwm_rc opt_parse(const struct opt_command *c, int argc, char **argv,
                      void *fields, struct opt_rest *rest, struct cwm_err *err);

/*
 * One number as an option takes it: decimal digits, with in_bytes one of k, M,
 * G behind them; min..max.  `what` names it in the message ("--timeout-ms").
 */
enum cwm_rc opt_number(const struct opt *o, const char *what, const char *text,
                       uint64_t *ret_value, struct cwm_err *err);

/*
 * Options whose fields are not what opt_defaults() makes them, as words of a
 * shell: " --limit 5 --programs mine.json".  Of a text that holds a '/' only
 * what is behind the last one; those of `skip` (NULL-ended) are left out.
 */
void opt_add_given(const struct opt_command *c, const void *fields,
                   const char *const *skip, struct cwm_buf *out);

/* One word of a shell's command line, quoted if it must be. */
void opt_add_word(const char *word, struct cwm_buf *out);

void opt_help(const struct opt_command *c, struct cwm_buf *out);
/* The manual's list: one "- `--name VALUE`: ..." a line, groups as ### . */
void opt_markdown(const struct opt_command *c, struct cwm_buf *out);

/*
 * The word of words[0..n) that `word` was most likely meant to be, or NULL
 * when none is close (more than a third of its letters wrong).
 */
const char *opt_nearest(const char *word, const char *const *words, size_t n);

#endif /* CWM_BASE_OPT_H */
