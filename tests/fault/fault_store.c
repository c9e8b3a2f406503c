/* SPDX-License-Identifier: MIT */
/* fault_store.c -- stores, their plans and exports while memory is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/io.h"
#include "datasets/calls.h"
#include "datasets/candidate.h"
#include "datasets/clean.h"
#include "datasets/export.h"
#include "datasets/inputs.h"
#include "datasets/sources.h"
#include "datasets/stats.h"
#include "datasets/store_check.h"
#include "datasets/store_merge.h"
#include "datasets/trace_blob.h"
#include "tests/fault/fault.h"

static char folder[] = "/tmp/cwm-fault-store-XXXXXX";

static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void put_file(const char *name, const char *text)
{
    assert_int_equal(io_replace_file(in_folder(name), text, strlen(text), NULL),
                     CWM_OK);
}

/* ---- one program with one empty trace ---- */

static enum cwm_rc add_rows(struct store *s, struct codec_thread *packer,
                            struct hasher *hasher, struct cwm_err *err)
{
    static const char payload[24]; /* three empty parts */
    struct store_program p = {.text = "def f(x):\n    return x\n", .len = 23};
    struct store_origin o = {.kind = STORE_KIND_FILE,
                             .origin = "here",
                             .path = "f.py",
                             .commit = "c"};
    struct store_setting setting = {.python = "3.11.2"};
    struct store_trace t = {.entry = "f",
                            .args = "1",
                            .content = hash_of("", 0),
                            .payload_bytes = sizeof payload};
    struct store_item item = {.source = "here", .name = "f.py"};
    struct cwm_buf packed;
    enum cwm_rc rc;

    cwm_buf_init(&packed, 1 << 20);
    rc = store_add_program(s, packer, &p, err);
    if (rc == CWM_OK) {
        rc = store_add_origin(s, &p, &o, err);
    }
    if (rc == CWM_OK) {
        rc = store_add_setting(s, &setting, &t.setting_id, err);
    }
    if (rc == CWM_OK) {
        rc = codec_pack(packer, payload, sizeof payload, &packed, &t.dictionary,
                        err);
    }
    t.hash = store_trace_hash(hasher, &p.hash, &p.hash, &t, NULL, 0);
    t.program_id = p.id;
    t.data = packed.data;
    t.data_len = packed.len;
    if (rc == CWM_OK) {
        rc = store_add_trace(s, &t, err);
    }
    if (rc == CWM_OK) {
        rc = store_add_item(s, &item, err);
    }
    cwm_buf_release(&packed);
    return rc;
}

static enum cwm_rc fill(void *ctx, struct cwm_err *err)
{
    struct store *s = NULL;             /* owned */
    struct codec_thread *packer = NULL; /* owned */
    struct hasher *hasher = NULL;       /* owned */
    enum cwm_rc rc;

    unlink(in_folder(ctx));
    rc = store_open(in_folder(ctx), STORE_MAKE, &s, err);
    if (rc == CWM_OK) {
        rc = codec_thread_new(store_codec(s), &packer, err);
    }
    if (rc == CWM_OK) {
        rc = hasher_new(&hasher, err);
    }
    if (rc == CWM_OK) {
        rc = store_begin(s, err);
    }
    if (rc == CWM_OK) {
        rc = add_rows(s, packer, hasher, err);
    }
    if (rc == CWM_OK) {
        rc = store_commit(s, err);
    }
    hasher_free(hasher);
    codec_thread_free(packer);
    store_close(s);
    return rc;
}

static void store__says_so_when_memory_is_short(void **state)
{
    char name[] = "fill.db";

    (void)state;
    fault_each_allocation("a store is filled", fill, name);
}

/* ---- reading ---- */

static enum cwm_rc read_stats(void *ctx, struct cwm_err *err)
{
    struct stats *stats = cwm_calloc(1, sizeof *stats); /* owned */
    struct store *s = NULL;                             /* owned */
    enum cwm_rc rc;

    if (!stats) {
        return CWM_FAIL(err, CWM_NOMEM, "no room for the numbers");
    }
    rc = store_open(ctx, STORE_READ, &s, err);
    if (rc == CWM_OK) {
        rc = stats_make(s, true, NULL, stats, err);
    }
    assert_true(rc != CWM_OK || stats->counts.n_traces == 1);
    store_close(s);
    cwm_free(stats);
    return rc;
}

static void ignore_wrong(void *ctx, const char *what)
{
    (void)ctx;
    (void)what;
}

static void ignore_check(void *ctx, const struct store_check_stats *stats)
{
    (void)ctx;
    (void)stats;
}

static enum cwm_rc check(void *ctx, struct cwm_err *err)
{
    struct store_check_options how = {.on_wrong = ignore_wrong,
                                      .on_progress = ignore_check};
    struct store_check_stats stats;

    return store_check(ctx, &how, &stats, err);
}

static void ignore_merge(void *ctx, const struct store_merge_stats *stats)
{
    (void)ctx;
    (void)stats;
}

static enum cwm_rc merge(void *ctx, struct cwm_err *err)
{
    const char *in[1] = {ctx};
    struct store_merge_options how = {.out_path = in_folder("merged.db"),
                                      .in_paths = in,
                                      .n_in = 1,
                                      .on_progress = ignore_merge};
    struct store_merge_stats stats;

    unlink(how.out_path);
    return store_merge(&how, &stats, err);
}

static enum cwm_rc plan(void *ctx, struct cwm_err *err)
{
    const char *files[1] = {in_folder("bench.jsonl")};
    struct clean_options how = {
        .near_duplicate_percent = 80, .benchmarks = files, .n_benchmarks = 1};
    struct store *s = NULL;    /* owned */
    struct clean *made = NULL; /* owned */
    enum cwm_rc rc = store_open(ctx, STORE_READ, &s, err);

    if (rc == CWM_OK) {
        rc = clean_new(s, &how, &made, err);
    }
    clean_free(made);
    store_close(s);
    return rc;
}

static void readers__say_so_when_memory_is_short(void **state)
{
    char name[] = "read.db";
    char path[128];

    (void)state;
    put_file("bench.jsonl", "{\"id\": \"b\", \"prompt\": \"say hello\", "
                            "\"code\": \"def hello():\\n    return 1\\n\"}\n");
    assert_int_equal(fill(name, NULL), CWM_OK);
    snprintf(path, sizeof path, "%s", in_folder(name));
    fault_each_allocation("a store is counted", read_stats, path);
    fault_each_allocation("a store is checked", check, path);
    fault_each_allocation("a store is merged", merge, path);
    fault_each_allocation("a store is sorted out", plan, path);
}

/* ---- sources ---- */

static enum cwm_rc go_through(void *ctx, struct cwm_err *err)
{
    struct generate_settings generate;
    struct candidate_options options = {.generate = &generate};
    struct sources *s = NULL; /* owned */
    const char *name = ctx;
    struct source_item item;
    bool more = true;
    enum cwm_rc rc = sources_open(&name, 1, NULL, &s, err);

    generate_settings_default(&generate);
    trace_limits_default(&options.limits);
    while (rc == CWM_OK && more) {
        struct candidate *c = NULL; /* owned */

        rc = sources_next(s, &item, &more, err);
        if (rc == CWM_OK && more) {
            rc = candidate_new(&item, &options, &c, err);
            candidate_free(c);
        }
    }
    sources_close(s);
    return rc;
}

static void sources__say_so_when_memory_is_short(void **state)
{
    char path[160];

    (void)state;
    put_file("p.py", "x = 1\n");
    put_file("c.jsonl", "{\"code\": \"def f(x):\\n    return x\", \"input\": "
                        "\"1\", \"id\": \"s\"}\n");
    put_file("h.jsonl", "{\"task_id\": \"h\", \"prompt\": \"def g(x):\\n\", "
                        "\"canonical_solution\": \"    return x\\n\", \"test\":"
                        " \"assert candidate(1)\", \"entry_point\": \"g\"}\n");
    put_file("m.jsonl", "{\"task_id\": 1, \"code\": \"def h(x):\\n  return x\","
                        " \"test_list\": [\"assert h(2) == 2\"]}\n");
    put_file("t.jsonl", "{\"id\": \"t\", \"tests\": [{\"input\": \"1\"}], "
                        "\"solutions\": [{\"source\": \"print(1)\"}]}\n");
    fault_each_allocation("a folder", go_through, folder);
    for (const char *name = "chmt"; *name; name++) {
        char file[] = "?.jsonl";

        file[0] = *name;
        snprintf(path, sizeof path, "%s", in_folder(file));
        fault_each_allocation(file, go_through, path);
    }
    snprintf(path, sizeof path, "generate:2");
    fault_each_allocation("generated programs", go_through, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store__says_so_when_memory_is_short),
        cmocka_unit_test(readers__say_so_when_memory_is_short),
        cmocka_unit_test(sources__say_so_when_memory_is_short),
    };

    if (!mkdtemp(folder)) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
