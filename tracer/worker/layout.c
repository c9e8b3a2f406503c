/* SPDX-License-Identifier: MIT */
/* layout.c -- no random addresses, and a stack of the usual size. */
#include "tracer/worker/layout.h"

#include <stdbool.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <unistd.h>

/* Linux's own default. */
#define STACK_BYTES (8ul << 20)

/* The limit of the stack is where the kernel places mappings, so the user's is
 * not taken. */
void layout_fix(char **argv)
{
    int now = personality(0xffffffff);
    struct rlimit stack;
    if (now == -1 || getrlimit(RLIMIT_STACK, &stack) < 0)
        return;
    if ((now & ADDR_NO_RANDOMIZE) && stack.rlim_cur == STACK_BYTES)
        return;
    /* A hard limit below it stays: then once is enough, too. */
    if ((now & ADDR_NO_RANDOMIZE) && stack.rlim_max < STACK_BYTES)
        return;
    stack.rlim_cur =
        stack.rlim_max < STACK_BYTES ? stack.rlim_max : STACK_BYTES;
    if (setrlimit(RLIMIT_STACK, &stack) < 0 ||
        personality((unsigned long)now | ADDR_NO_RANDOMIZE) == -1)
        return;
    execv("/proc/self/exe", argv);
    /* Without it the worker serves all the same. */
}
