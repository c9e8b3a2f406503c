/* SPDX-License-Identifier: MIT */
/* syscall_name.c -- libseccomp knows the names of this architecture. */
#include "tracer/syscall_name.h"

#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>

void syscall_name(int number, char *name, size_t size)
{
    char *known = NULL; /* libseccomp's malloc(): free(), not cwm_free() */

    name[0] = '\0';
    if (number < 0) {
        return;
    }
    known = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    if (known) {
        snprintf(name, size, "%s", known);
    } else {
        snprintf(name, size, "system call %d", number);
    }
    free(known);
}
