/* SPDX-License-Identifier: MIT */
/* syscall_name.h -- the name of a system call by its number. */
#ifndef TRACER_SYSCALL_NAME_H
#define TRACER_SYSCALL_NAME_H

#include <stddef.h>

/* "socket"; "system call 999" where no name is known; "" for -1. */
void syscall_name(int number, char *name, size_t size);

#endif /* TRACER_SYSCALL_NAME_H */
