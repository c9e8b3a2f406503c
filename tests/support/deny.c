/* SPDX-License-Identifier: MIT */
/*
 * deny.c -- run a program on a machine that refuses some system calls, as
 * hardened ones, containers and old kernels do.
 *
 * usage: deny CALL=ERRNO[:ARG:BITS]... -- PROGRAM ARGUMENTS
 *     CALL   by its name
 *     ERRNO  by its number
 *     ARG    only where argument ARG (from 0) has all of BITS (hex) set
 * The filter is inherited by all that the program starts.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One rule of the command line; false: it is none. */
static bool add_rule(scmp_filter_ctx ctx, const char *text)
{
    char name[48];
    unsigned error = 0;
    unsigned arg = 0;
    unsigned long bits = 0;
    int n_read = sscanf(text, "%47[^=]=%u:%u:%lx", name, &error, &arg, &bits);
    int call =
        n_read >= 2 ? seccomp_syscall_resolve_name(name) : __NR_SCMP_ERROR;

    if (call < 0 || (n_read != 2 && n_read != 4)) {
        return false;
    }
    if (n_read == 2) {
        return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(error), call, 0) == 0;
    }
    return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(error), call, 1,
                            SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, bits, bits)) ==
           0;
}

int main(int argc, char **argv)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int at = 1;

    while (ctx && at < argc && strcmp(argv[at], "--") != 0) {
        if (!add_rule(ctx, argv[at])) {
            fprintf(stderr, "deny: '%s' is no rule\n", argv[at]);
            return 2;
        }
        at++;
    }
    if (!ctx || at + 1 >= argc || seccomp_load(ctx) != 0) {
        fprintf(stderr, "usage: deny CALL=ERRNO[:ARG:BITS]... -- PROGRAM "
                        "ARGUMENTS\n");
        return 2;
    }
    seccomp_release(ctx);
    execv(argv[at + 1], argv + at + 1);
    fprintf(stderr, "deny: could not run '%s': %s\n", argv[at + 1],
            strerror(errno));
    return 2;
}
