/* SPDX-License-Identifier: MIT */
/* pages.c -- the heaps and the text of a warm interpreter, made cheap to fork.
 */
#include "tracer/worker/pages.h"

#include <Python.h>

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The interpreter's small blocks: 32 sizes, each served from its own pools. */
#define SMALL_STEP      16u
#define SMALL_MAX_BYTES 512u
#define POOL_HEAD_BYTES 48u
#if PY_VERSION_HEX >= 0x030A0000
#define POOL_BYTES 16384u
#else
#define POOL_BYTES 4096u
#endif

/* What libc serves from its heap; larger blocks are mappings of their own. */
#define LIBC_STEP      16u
#define LIBC_MAX_BYTES 65536u

/* Of a huge page on x86-64. */
#define HUGE_BYTES ((uintptr_t)2 << 20)

/* For each size: more is no hole, or there are other allocators at work. */
#define MAX_FILL_BYTES (1u << 20)

/* ---- heaps ---- */

/* What fills libc's holes, each naming the one before: never freed. */
static void *fillers;

/*
 * Blocks are taken until they come one behind the other through a whole pool:
 * that was a new one, now it is full, and the next block needs another.
 */
static void fill_small(size_t size)
{
    const size_t n_wanted = (POOL_BYTES - POOL_HEAD_BYTES) / size - 1;
    uintptr_t last = 0;
    size_t n_in_row = 0;

    for (size_t i = 0; i < MAX_FILL_BYTES / size && n_in_row < n_wanted; i++) {
        uintptr_t at = (uintptr_t)PyObject_Malloc(size);

        if (at == 0) {
            return;
        }
        n_in_row = at == last + size ? n_in_row + 1 : 0;
        last = at;
    }
}

/*
 * Blocks are taken until they come from behind the heap's end.  The
 * interpreter's raw blocks are libc's.
 */
static void fill_libc(size_t size, uintptr_t end)
{
    for (size_t i = 0; i < MAX_FILL_BYTES / size; i++) {
        void **block = PyMem_RawMalloc(size);

        if (!block) {
            return;
        }
        if ((uintptr_t)block >= end) {
            PyMem_RawFree(block);
            return;
        }
        *block = fillers;
        fillers = block;
    }
}

void pages_fill_holes(void)
{
    uintptr_t end;

    for (size_t size = SMALL_STEP; size <= SMALL_MAX_BYTES;
         size += SMALL_STEP) {
        fill_small(size);
    }
    malloc_trim(0);
    end = (uintptr_t)sbrk(0);
    for (size_t size = LIBC_MAX_BYTES; size >= LIBC_STEP;) {
        fill_libc(size, end);
        size -= size > 1024 ? size / 8 & ~(size_t)(LIBC_STEP - 1) : LIBC_STEP;
    }
}

/* ---- text ---- */

/*
 * [0] start and [1] end of the object's read-only segments, as far as they
 * follow each other.
 */
static void find_text(const struct dl_phdr_info *object, uintptr_t ret_range[2])
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    ret_range[0] = 0;
    ret_range[1] = 0;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        uintptr_t start = (object->dlpi_addr + p->p_vaddr) & ~(page - 1);
        uintptr_t end =
            (object->dlpi_addr + p->p_vaddr + p->p_memsz + page - 1) &
            ~(page - 1);

        if (p->p_type != PT_LOAD) {
            continue;
        }
        if ((p->p_flags & PF_W) || (ret_range[1] && start != ret_range[1])) {
            return;
        }
        if (ret_range[1] == 0) {
            ret_range[0] = start;
        }
        ret_range[1] = end;
    }
}

/* A copy on one huge page takes the place of [at, at + HUGE_BYTES). */
static void make_huge(uintptr_t at)
{
    uint8_t *room = mmap(NULL, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *copy;

    if (room == MAP_FAILED) {
        return;
    }
    copy = room + (HUGE_BYTES - (uintptr_t)room % HUGE_BYTES) % HUGE_BYTES;
    if (madvise(copy, HUGE_BYTES, MADV_HUGEPAGE) == 0) {
        memcpy(copy, (const void *)at, HUGE_BYTES);
        if (mprotect(copy, HUGE_BYTES, PROT_READ | PROT_EXEC) == 0 &&
            mremap(copy, HUGE_BYTES, HUGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
                   (void *)at) != MAP_FAILED) {
            munmap(room, (size_t)(copy - room));
            munmap(copy + HUGE_BYTES, (size_t)(room + HUGE_BYTES - copy));
            return;
        }
    }
    munmap(room, 2 * HUGE_BYTES);
}

static int take_object(struct dl_phdr_info *object, size_t size, void *ctx)
{
    uintptr_t range[2];
    uintptr_t at;

    (void)size;
    (void)ctx;
    find_text(object, range);
    at = (range[0] + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
    for (; at < range[1] && range[1] - at >= HUGE_BYTES; at += HUGE_BYTES) {
        make_huge(at);
    }
    return 0;
}

void pages_share_text(void)
{
    (void)dl_iterate_phdr(take_object, NULL);
}
