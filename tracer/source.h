/* SPDX-License-Identifier: MIT */
/*
 * source.h -- a Python program's text: decoded, parsed, its functions found.
 *
 * Decoding follows PEP 263 (BOM, coding cookie, UTF-8 otherwise); the text
 * held is UTF-8 without BOM, with CRLF and CR read as LF.  Parsing is
 * tree-sitter's, which never gives up: where it and the interpreter disagree
 * on syntax the interpreter decides (it sees the text in any case).
 */
#ifndef TRACER_SOURCE_H
#define TRACER_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

#define SOURCE_MARKER "# << START_OF_TRACE"

enum source_kind { SOURCE_FUNCTION, SOURCE_ASYNC_FUNCTION, SOURCE_CLASS };

struct source_def {
    enum source_kind kind;
    const char *name;         /* NUL-terminated, owned by the source */
    const char *qualname;     /* Python's: "Class.method", "f.<locals>.g" */
    uint32_t first_line;      /* of the first decorator, else of `async` or the
                                 keyword: CPython's co_firstlineno; 1-based */
    uint32_t def_line;        /* holds the `def` or `class` keyword */
    uint32_t header_end_line; /* holds the colon that ends the signature */
    uint32_t body_line;       /* the body's first statement */
    uint32_t last_line;
    uint32_t start_byte, end_byte; /* decorators included; in the text */
    int32_t parent;                /* index of the enclosing def, or -1 */
    uint32_t n_params;             /* all kinds, self included */
    bool is_reachable; /* by attribute access from the module: no enclosing
                          function */
};

struct source_error {  /* tree-sitter's view of the first error */
    uint32_t line;     /* 1-based */
    uint32_t column;   /* 1-based, characters */
    char message[120]; /* "cannot parse near 'xyz'", "missing ':'" */
};

struct source; /* opaque: source.c */

/*
 * Decode and parse `data` (copied).  name: for messages ("prog.py").
 * Fails: CWM_FORMAT (not in its declared encoding: line and byte named;
 * encodings nobody knows; a NUL byte), CWM_LIMIT (over 64 MiB), CWM_NOMEM.
 * An empty text is fine.
 */
enum cwm_rc source_new(const void *data, size_t len, const char *name,
                       struct source **ret_source, struct cwm_err *err);
/*
 * The same for a text that is decoded already (a JSON string, what
 * source_wrap_main() wrote): UTF-8, whatever encoding its cookie names.
 */
enum cwm_rc source_new_text(const char *text, size_t len, const char *name,
                            struct source **ret_source, struct cwm_err *err);
/*
 * The same for who asks for lines and contexts alone: without definitions,
 * entries and errors, which are what parsing is for.
 */
enum cwm_rc source_new_lines(const char *text, size_t len, const char *name,
                             struct source **ret_source, struct cwm_err *err);
void source_free(struct source *s); /* NULL is fine */

/* The text as the program sees it: UTF-8, LF.  NUL-terminated. */
const char *source_text(const struct source *s, size_t *ret_len);
uint32_t source_n_lines(const struct source *s); /* 0 for an empty text */
/* Line 1..n_lines without its line end and without a marker; borrowed. */
const char *source_line(const struct source *s, uint32_t line, size_t *ret_len);

/* First syntax error that tree-sitter sees, or NULL. */
const struct source_error *source_syntax_error(const struct source *s);

const struct source_def *source_defs(const struct source *s, size_t *ret_n);
/* Deepest function whose lines hold `line`, or -1. */
int source_def_at(const struct source *s, uint32_t line);

/*
 * The entry: `name` ("f", "Class.method"), or, when name is NULL, the one
 * that the marker in the text stands on, or -1 (a script).  Where a name is
 * defined several times the last counts, as in Python.  Fails: CWM_USAGE with
 * the entries there are ("no function 'g'; there are f, h, A.m, ..."), for a
 * class, for a nested function, for two markers, for a marker on no def.  (A
 * marker on the first line of code, no def line, is a script's own context.)
 */
enum cwm_rc source_entry(const struct source *s, const char *name, int *ret_def,
                         struct cwm_err *err);

/*
 * A new text with "\n\ndef main():\n    return NAME(ARGS)\n" behind the
 * program, for --wrap-main; the caller parses it with source_new_text().
 * Fails: CWM_USAGE as source_entry(); as source_check_args().
 */
enum cwm_rc source_wrap_main(const struct source *s, const char *name,
                             const char *args, struct cwm_buf *out,
                             struct cwm_err *err);

/*
 * The context of TRACE_FORMAT section 2: the text with the marker at the end
 * of `line` ("  # << START_OF_TRACE"), every other marker taken out.
 */
enum cwm_rc source_context(const struct source *s, uint32_t line,
                           struct cwm_buf *out, struct cwm_err *err);

/* The first line that holds code (a script's entry); 0 when there is none. */
uint32_t source_first_code_line(const struct source *s);

/*
 * The text to compile when an entry function is traced: the conditions of
 * top-level `if __name__ == "__main__"` (either order, ' or ") replaced by
 * False, padded with spaces.  *ret_differs false: as it is, `out` untouched.
 */
enum cwm_rc source_without_main_guard(const struct source *s,
                                      struct cwm_buf *out, bool *ret_differs,
                                      struct cwm_err *err);

/*
 * CWM_OK when `args` parses as the inside of one call's parentheses.  Fails:
 * CWM_FORMAT when it does not, CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc source_check_args(const char *args, size_t len,
                              struct cwm_err *err);

#endif /* TRACER_SOURCE_H */
