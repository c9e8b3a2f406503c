/* SPDX-License-Identifier: MIT */
/*
 * err.h -- the one error model: a code, where it arose, a message.
 *
 * A fallible function returns an `enum cwm_rc` and, where the caller passed a
 * non-NULL `struct cwm_err *`, fills it.  Libraries never print, log or exit.
 *
 * Messages: lower case, no final stop, say what failed, quote the subject
 * ("could not open '%s': %s" may work next time, "cannot ..." never will).
 * Advice goes behind the first '\n' of the message: cwm/cli prints each
 * further line with "hint: " in front.
 *
 * A verdict on a traced program is not an error: see sandbox/sandbox.h.
 */
#ifndef CWM_BASE_ERR_H
#define CWM_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

/* Code, number, text.  Append only: datasets store the numbers. */
#define CWM_RC_TABLE(X)                                                        \
    X(CWM_OK, 0, "ok")                                                         \
    X(CWM_USAGE, 1, "the request cannot be carried out as given")              \
    X(CWM_NOMEM, 2, "out of memory")                                           \
    X(CWM_IO, 3, "input or output failed")                                     \
    X(CWM_FORMAT, 4, "the data is not in the expected form")                   \
    X(CWM_LIMIT, 5, "a limit was exceeded")                                    \
    X(CWM_SYSTEM, 6, "the operating system refused")                           \
    X(CWM_MISSING, 7, "something that is needed is not there")                 \
    X(CWM_PYTHON, 8, "the Python interpreter failed")                          \
    X(CWM_CANCELLED, 9, "stopped on request")

enum cwm_rc {
#define CWM_RC_ENUM(name, number, text) name = (number),
    CWM_RC_TABLE(CWM_RC_ENUM)
#undef CWM_RC_ENUM
};

#define CWM_ERR_MESSAGE_BYTES 512

struct cwm_err {
    enum cwm_rc code;
    const char *file; /* static: __FILE__ of the origin */
    int line;
    char message[CWM_ERR_MESSAGE_BYTES]; /* NUL-terminated, may be cut */
};

/* The table's text for `code`; never NULL. */
const char *cwm_rc_text(enum cwm_rc code);

/*
 * Fill `err` (NULL is fine) and return `code`.  A message that does not fit
 * is cut at a character boundary.  `errno` is preserved.
 */
enum cwm_rc cwm_err_set(struct cwm_err *err, enum cwm_rc code, const char *file,
                        int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Put "CONTEXT: " in front of the message that is there. */
void cwm_err_context(struct cwm_err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Tells the compiler, and the analyzer, which code CWM_FAIL() has. */
static inline enum cwm_rc cwm_rc_of(enum cwm_rc code, enum cwm_rc returned)
{
    (void)returned; /* the same */
    return code;
}

/* Evaluates to the code: rc = CWM_FAIL(err, CWM_IO, "could not ..."); */
#define CWM_FAIL(err, code, ...)                                               \
    cwm_rc_of((code),                                                          \
              cwm_err_set((err), (code), __FILE__, __LINE__, __VA_ARGS__))

#endif /* CWM_BASE_ERR_H */
