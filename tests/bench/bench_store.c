/* SPDX-License-Identifier: MIT */
/*
 * bench_store.c STORE COUNT -- so many generated programs into a new store.
 *
 * Nothing is run: each program gets one trace without frames, so that a million
 * of them can be had in minutes and what grows with their number shows.  Prints
 * one JSON object: CPU seconds of generating and of storing, and the resident
 * memory at each tenth of the way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "datasets/generate.h"
#include "datasets/store.h"

enum {
    MAX_TEXT_BYTES = 1 << 20,
    TENTHS = 10,
    /* As a build that commits once a second. */
    PROGRAMS_PER_COMMIT = 10000
};

struct bench {
    struct store *store;         /* owned */
    struct codec_thread *packer; /* owned */
    struct hasher *hasher;       /* owned */
    struct cwm_buf packed;
    int64_t setting;
};

static void must(enum cwm_rc rc, const struct cwm_err *err)
{
    if (rc != CWM_OK) {
        fprintf(stderr, "bench_store: %s\n", err->message);
        exit(3);
    }
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static long resident_kb(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    char text[128] = "";
    char *at = text;

    if (!f || !fgets(text, sizeof text, f)) {
        exit(3);
    }
    fclose(f);
    strtol(at, &at, 10);
    return strtol(at, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}

static void add(struct bench *b, const struct cwm_buf *text, uint64_t index)
{
    static const char payload[24]; /* three empty parts */
    struct cwm_err err;
    char path[32];
    struct store_program p = {.text = text->data, .len = text->len};
    struct store_origin o = {
        .kind = STORE_KIND_GENERATE, .origin = "generated", .path = path};
    struct store_trace t = {.entry = "f",
                            .args = "1",
                            .content = hash_of(payload, sizeof payload),
                            .setting_id = b->setting,
                            .payload_bytes = sizeof payload};
    struct store_item item = {.source = "generate", .name = path};

    snprintf(path, sizeof path, "0/%llu", (unsigned long long)index);
    must(store_add_program(b->store, b->packer, &p, &err), &err);
    must(store_add_origin(b->store, &p, &o, &err), &err);
    cwm_buf_clear(&b->packed);
    must(codec_pack(b->packer, payload, sizeof payload, &b->packed,
                    &t.dictionary, &err),
         &err);
    t.hash = store_trace_hash(b->hasher, &p.hash, &p.hash, &t, NULL, 0);
    t.program_id = p.id;
    t.data = b->packed.data;
    t.data_len = b->packed.len;
    must(store_add_trace(b->store, &t, &err), &err);
    item.hash = p.hash;
    must(store_add_item(b->store, &item, &err), &err);
}

static void fill(struct bench *b, uint64_t n)
{
    struct generate_settings settings;
    struct generated generated;
    struct cwm_buf text;
    struct cwm_err err;
    double generating = 0;
    double start = cpu_seconds();

    generate_settings_default(&settings);
    generated_init(&generated);
    cwm_buf_init(&text, MAX_TEXT_BYTES);
    printf("{\"programs\": %llu, \"rss_kb\": [", (unsigned long long)n);
    for (uint64_t i = 0; i < n; i++) {
        double before = cpu_seconds();

        must(generate_program(&settings, 0, i, &text, &generated, &err), &err);
        generating += cpu_seconds() - before;
        add(b, &text, i);
        if ((i + 1) % PROGRAMS_PER_COMMIT == 0) {
            must(store_commit(b->store, &err), &err);
            must(store_begin(b->store, &err), &err);
        }
        if ((i + 1) % (n / TENTHS) == 0) {
            printf("%s%ld", i + 1 > n / TENTHS ? ", " : "", resident_kb());
        }
    }
    must(store_commit(b->store, &err), &err);
    printf("], \"generate_cpu_s\": %.2f, \"store_cpu_s\": %.2f}\n", generating,
           cpu_seconds() - start - generating);
    generated_release(&generated);
    cwm_buf_release(&text);
}

int main(int argc, char **argv)
{
    struct bench b = {.store = NULL};
    struct store_setting setting = {.python = "none"};
    uint64_t n = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    struct cwm_err err;

    if (n < TENTHS) {
        fprintf(stderr, "usage: bench_store STORE COUNT (10 or more)\n");
        return 2;
    }
    cwm_buf_init(&b.packed, MAX_TEXT_BYTES);
    must(store_open(argv[1], STORE_MAKE, &b.store, &err), &err);
    must(codec_thread_new(store_codec(b.store), &b.packer, &err), &err);
    must(hasher_new(&b.hasher, &err), &err);
    must(store_begin(b.store, &err), &err);
    must(store_add_setting(b.store, &setting, &b.setting, &err), &err);
    fill(&b, n);
    cwm_buf_release(&b.packed);
    hasher_free(b.hasher);
    codec_thread_free(b.packer);
    store_close(b.store);
    return 0;
}
