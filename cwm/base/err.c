/* SPDX-License-Identifier: MIT */
/* err.c -- filling in errors. */
#include "cwm/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *cwm_rc_text(enum cwm_rc code)
{
    switch (code) {
#define CWM_RC_CASE(name, number, text)                                        \
    case name:                                                                 \
        return text;
        CWM_RC_TABLE(CWM_RC_CASE)
#undef CWM_RC_CASE
    }
    return "an error without a name";
}

/* Cut a UTF-8 text of `len` bytes back to a character boundary. */
static void trim_to_character(char *text, size_t len)
{
    size_t end = len;
    size_t back = 0;

    while (end > 0 && back < 4 &&
           ((unsigned char)text[end - 1] & 0xC0) == 0x80) {
        end--;
        back++;
    }
    if (end > 0 && (unsigned char)text[end - 1] >= 0xC0) {
        unsigned char lead = (unsigned char)text[end - 1];
        size_t want = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;

        if (back < want) {
            text[end - 1] = '\0';
        }
    }
}

enum cwm_rc cwm_err_set(struct cwm_err *err, enum cwm_rc code, const char *file,
                        int line, const char *format, ...)
{
    int saved = errno;
    va_list args;
    int n;

    if (!err) {
        return code;
    }
    err->code = code;
    err->file = file;
    err->line = line;
    va_start(args, format);
    n = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (n < 0) {
        err->message[0] = '\0';
    } else if ((size_t)n >= sizeof err->message) {
        trim_to_character(err->message, strlen(err->message));
    }
    errno = saved;
    return code;
}

void cwm_err_context(struct cwm_err *err, const char *format, ...)
{
    char old[CWM_ERR_MESSAGE_BYTES];
    size_t used;
    va_list args;
    int n;

    if (!err) {
        return;
    }
    memcpy(old, err->message, sizeof old);
    va_start(args, format);
    n = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (n < 0) {
        n = 0;
    }
    used =
        (size_t)n < sizeof err->message ? (size_t)n : sizeof err->message - 1;
    n = snprintf(err->message + used, sizeof err->message - used, ": %s", old);
    if (n < 0 || (size_t)n >= sizeof err->message - used) {
        trim_to_character(err->message, strlen(err->message));
    }
}
