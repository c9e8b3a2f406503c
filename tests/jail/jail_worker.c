/* SPDX-License-Identifier: MIT */
/*
 * jail_worker.c -- a worker without Python, which attacks its jail as the
 * request says: the name of a row of attacks.h, or "call N" for one system
 * call.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attacks.h"
#include "sandbox/jail.h"

static const struct {
    const char *name;
    int (*attack)(const struct jail_run *run);
} attacks[] = {
#define ATTACK_ROW(name, end, code, what) {#name, attack_##name},
    ATTACK_TABLE(ATTACK_ROW)
#undef ATTACK_ROW
#define HELPER_ROW(name) {#name, attack_##name},
        ATTACK_HELPER_TABLE(HELPER_ROW)
#undef HELPER_ROW
};

int expect(int ok, const char *format, ...)
{
    va_list args;

    if (ok) {
        return 0;
    }
    va_start(args, format);
    vdprintf(2, format, args);
    va_end(args);
    dprintf(2, "\n");
    return 1;
}

int expect_errno(long rc, int error, const char *what)
{
    int got = errno;

    return expect(rc == -1 && got == error,
                  "%s gave %ld with %s (%d) instead of errno %d", what, rc,
                  rc == -1 ? strerror(got) : "success", rc == -1 ? got : 0,
                  error);
}

static int run_request(void *ctx, const struct jail_run *run)
{
    char name[64] = "";

    (void)ctx;
    if (run->request_len >= sizeof(name)) {
        return expect(0, "a request of %zu bytes", run->request_len);
    }
    memcpy(name, run->request, run->request_len);
    if (strncmp(name, "call ", 5) == 0) {
        return attack_call(strtol(name + 5, NULL, 10));
    }
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        if (strcmp(attacks[i].name, name) == 0) {
            return attacks[i].attack(run);
        }
    }
    return strcmp(name, "nothing") == 0 ? 0 : expect(0, "no attack '%s'", name);
}

/*
 * For a build with AddressSanitizer: crashes and exhausted memory are what
 * this program is for, and its environment is empty.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:handle_segv=0:handle_abort=0:"
           "detect_leaks=0:detect_stack_use_after_return=0:exitcode=99";
}

int main(int argc, char **argv)
{
    const struct jail_callbacks callbacks = {.run = run_request};
    struct jail *jail;
    struct cwm_err err;

    if (jail_enter(argc, argv, &jail, &err) != CWM_OK) {
        return 1;
    }
    return jail_serve(jail, "hello", &callbacks, NULL, &err) != CWM_OK;
}
