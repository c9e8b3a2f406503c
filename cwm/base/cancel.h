/* SPDX-License-Identifier: MIT */
/*
 * cancel.h -- a flag that a signal handler or a thread sets, and others read.
 *
 * Such a flag is an int that goes from 0 to something else; whoever works for
 * long takes a `const volatile int *` to it, NULL for "nobody stops us".
 *
 * Threads: safe, in signal handlers too.
 */
#ifndef CWM_BASE_CANCEL_H
#define CWM_BASE_CANCEL_H

#include <stdbool.h>
#include <stddef.h>

static inline void cwm_cancel(volatile int *flag, int value)
{
    __atomic_store_n(flag, value, __ATOMIC_RELAXED);
}

static inline bool cwm_is_cancelled(const volatile int *flag)
{
    return flag != NULL && __atomic_load_n(flag, __ATOMIC_RELAXED) != 0;
}

#endif /* CWM_BASE_CANCEL_H */
