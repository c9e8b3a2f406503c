/* SPDX-License-Identifier: MIT */
/* judge_heap.c -- arenas one behind the other on huge pages. */
#include "eval/worker/judge_heap.h"

#include <Python.h>

#include <stdint.h>
#include <sys/mman.h>

/* Of a huge page on x86-64. */
#define HUGE_BYTES ((uintptr_t)2 << 20)
/* More than the warm interpreter needs; what is left is given back. */
#define ROOM_BYTES ((uintptr_t)32 << 20)

/* From `start` on arenas, up to `next`; room up to `end`.  All 0: closed. */
static struct {
    uintptr_t start, next, end;
} heap;

static void *take_arena(void *ctx, size_t size)
{
    void *p;

    (void)ctx;
    if (heap.end - heap.next >= size) {
        p = (void *)heap.next;
        heap.next += size;
        return p;
    }
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
             -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* An arena of the room keeps its addresses: nobody else asks for them. */
static void free_arena(void *ctx, void *arena, size_t size)
{
    (void)ctx;
    munmap(arena, size);
}

void judge_heap_open(void)
{
    PyObjectArenaAllocator allocator = {NULL, take_arena, free_arena};
    void *room = mmap(NULL, ROOM_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (room == MAP_FAILED) {
        return; /* arenas as ever */
    }
    heap.end = (uintptr_t)room + ROOM_BYTES;
    heap.start =
        ((uintptr_t)room + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1);
    heap.next = heap.start;
    (void)madvise((void *)heap.start, heap.end - heap.start, MADV_HUGEPAGE);
    PyObject_SetArenaAllocator(&allocator);
}

void judge_heap_close(void)
{
    uintptr_t used = (heap.next + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);

    /* What lies on the last huge page, already there, may still be taken. */
    if (heap.end > used) {
        munmap((void *)used, heap.end - used);
        heap.end = used;
    }
}
