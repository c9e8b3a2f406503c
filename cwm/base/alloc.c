/* SPDX-License-Identifier: MIT */
/* alloc.c -- checked allocation; the counters are the fault tests' hook. */
#include "cwm/base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_uint_fast64_t n_asked;
static atomic_uint_fast64_t fail_at; /* 0: never */
static atomic_int fail_sticky;

static int must_fail(void)
{
    uint64_t at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    uint64_t now =
        atomic_fetch_add_explicit(&n_asked, 1, memory_order_relaxed) + 1;

    if (at == 0) {
        return 0;
    }
    return now == at || (now > at && atomic_load(&fail_sticky));
}

uint64_t cwm_alloc_fail_nth(uint64_t nth, int sticky)
{
    uint64_t asked = atomic_exchange(&n_asked, 0);

    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_at, nth);
    return asked;
}

void *cwm_malloc(size_t size)
{
    return must_fail() ? NULL : malloc(size ? size : 1);
}

void *cwm_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : calloc(n ? n : 1, size ? size : 1);
}

void *cwm_realloc(void *p, size_t n, size_t size)
{
    size_t bytes;

    if (must_fail() || __builtin_mul_overflow(n, size, &bytes)) {
        return NULL;
    }
    return realloc(p, bytes ? bytes : 1);
}

void cwm_free(void *p)
{
    free(p);
}

char *cwm_strndup(const char *s, size_t len)
{
    char *copy = cwm_malloc(len + 1);

    if (copy) {
        memcpy(copy, s, len);
        copy[len] = '\0';
    }
    return copy;
}

char *cwm_strdup(const char *s)
{
    return cwm_strndup(s, strlen(s));
}
