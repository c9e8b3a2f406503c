/* SPDX-License-Identifier: MIT */
/* home.c -- a page that is wiped on fork. */
#include "tracer/worker/home.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Asked from a trace function and from write(), which carry no context. */
static struct {
    volatile const uint8_t *page; /* owned, as long as the process */
} home;

bool home_mark(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || madvise(page, size, MADV_WIPEONFORK) != 0)
        return false;
    *page = 1;
    home.page = page;
    return true;
}

bool home_is_here(void)
{
    return home.page && *home.page;
}
