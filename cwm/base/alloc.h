/* SPDX-License-Identifier: MIT */
/*
 * alloc.h -- all of the project's allocation, with a fault hook.
 *
 * Every function returns NULL when memory is short; sizes are checked for
 * overflow.  Memory is released with cwm_free().
 *
 * Threads: safe; the fault hook counts over all threads.
 */
#ifndef CWM_BASE_ALLOC_H
#define CWM_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

void *cwm_malloc(size_t size);           /* size 0 gives a pointer too */
void *cwm_calloc(size_t n, size_t size); /* zeroed */
void *cwm_realloc(void *p, size_t n, size_t size); /* n*size; p stays on NULL */
void cwm_free(void *p);                            /* NULL is fine */
char *cwm_strdup(const char *s);
char *cwm_strndup(const char *s, size_t len); /* copies len bytes, adds NUL */

/*
 * Test hook: let the nth allocation from now on fail (1 is the next one), and
 * all behind it when `sticky`; 0 switches it off.  Returns how many
 * allocations were asked for since the last call.
 */
uint64_t cwm_alloc_fail_nth(uint64_t nth, int sticky);

#endif /* CWM_BASE_ALLOC_H */
