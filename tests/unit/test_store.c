/* SPDX-License-Identifier: MIT */
/* test_store.c -- rows in and out, content by itself, damage told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "datasets/store.h"
#include "datasets/store_check.h"
#include "datasets/store_merge.h"
#include "datasets/trace_blob.h"

#define N_PROGRAMS 40

static char folder[] = "/tmp/cwm-test-store-XXXXXX";

static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void remove_store(const char *name)
{
    char path[160];

    snprintf(path, sizeof path, "%s", in_folder(name));
    unlink(path);
    snprintf(path, sizeof path, "%s-wal", in_folder(name));
    unlink(path);
    snprintf(path, sizeof path, "%s-shm", in_folder(name));
    unlink(path);
}

/* ---- a program and its trace, made by hand ---- */

/* CALL of f at line 1, LINE 2, RETURN 2 of `number`. */
static void make_result(const struct source *source, unsigned number,
                        struct cwm_buf *shared, struct trace_reader **reader,
                        struct trace_result *result)
{
    char text[16];
    char records[128];
    size_t n = (size_t)snprintf(text, sizeof text, "%u", number);
    size_t len = 0;
    uint64_t committed;

    /* FUNC "f"; CALL f, activation 0, line 1, no locals; LINE 2, none */
    memcpy(records,
           "\x02\x01"
           "f"
           "\x10\0\0\x01\0"
           "\x11\x02\0",
           11);
    len = 11;
    records[len++] = 0x12; /* RETURN at line 2, no flags */
    records[len++] = 2;
    records[len++] = 0;
    records[len++] = (char)n;
    memcpy(records + len, text, n);
    len += n;
    committed = len;
    cwm_buf_clear(shared);
    cwm_buf_adds(shared, TRACE_SHARED_MAGIC);
    cwm_buf_add(shared, &committed, 8);
    for (int i = 0; i < 48; i++) {
        cwm_buf_addc(shared, 0);
    }
    cwm_buf_add(shared, records, len);
    assert_int_equal(trace_reader_new((const uint8_t *)shared->data,
                                      shared->len, source_n_lines(source),
                                      reader, NULL),
                     CWM_OK);
    memset(result, 0, sizeof *result);
    result->verdict = TRACE_VERDICT_OK;
    result->summary.verdict = "ok";
    result->summary.stdout_data = (const uint8_t *)"out";
    result->summary.stdout_len = 3;
    result->summary.stderr_data = (const uint8_t *)"";
    result->reader = *reader;
    result->context_line = 1;
    result->records = trace_reader_records(*reader, &result->records_len);
}

static void put(struct store *s, unsigned number, const char *label)
{
    struct store_setting setting = {.python = "3.11.2", .seed = 7};
    struct store_origin origin = {.kind = STORE_KIND_FILE, .origin = "here"};
    struct store_program program = {.id = 0};
    struct store_trace trace = {.entry = "f", .args = "", .label = label};
    struct codec_thread *packer = NULL;
    struct hasher *hasher = NULL;
    struct source *source = NULL;
    struct trace_reader *reader = NULL;
    struct trace_result result;
    struct cwm_buf shared, payload, packed;
    struct hash setting_hash;
    char text[64];
    char path[32];

    snprintf(text, sizeof text, "def f():\n    return %u\n", number);
    snprintf(path, sizeof path, "%u.py", number);
    origin.path = path;
    cwm_buf_init(&shared, 1 << 20);
    cwm_buf_init(&payload, 1 << 20);
    cwm_buf_init(&packed, 1 << 20);
    assert_int_equal(codec_thread_new(store_codec(s), &packer, NULL), CWM_OK);
    assert_int_equal(hasher_new(&hasher, NULL), CWM_OK);
    assert_int_equal(source_new_text(text, strlen(text), path, &source, NULL),
                     CWM_OK);
    make_result(source, number, &shared, &reader, &result);
    result.source = source;
    trace_limits_default(&setting.limits);
    program.text = text;
    program.len = strlen(text);
    assert_int_equal(store_add_program(s, packer, &program, NULL), CWM_OK);
    assert_int_equal(store_add_origin(s, &program, &origin, NULL), CWM_OK);
    assert_int_equal(store_add_setting(s, &setting, &trace.setting_id, NULL),
                     CWM_OK);
    assert_int_equal(trace_blob_write(&result, "in", 2, true, &payload, &trace,
                                      hasher, NULL),
                     CWM_OK);
    assert_int_equal(trace.n_frames, 3);
    setting_hash = store_setting_hash(hasher, &setting);
    trace.hash =
        store_trace_hash(hasher, &program.hash, &setting_hash, &trace, "in", 2);
    assert_int_equal(codec_pack(packer, payload.data, payload.len, &packed,
                                &trace.dictionary, NULL),
                     CWM_OK);
    trace.program_id = program.id;
    trace.data = packed.data;
    trace.data_len = packed.len;
    assert_int_equal(store_add_trace(s, &trace, NULL), CWM_OK);
    trace_reader_free(reader);
    source_free(source);
    hasher_free(hasher);
    codec_thread_free(packer);
    cwm_buf_release(&shared);
    cwm_buf_release(&payload);
    cwm_buf_release(&packed);
}

static struct store *open_store(const char *name, enum store_mode mode)
{
    struct store *s = NULL;
    struct cwm_err err = {.message = ""};

    if (store_open(in_folder(name), mode, &s, &err) != CWM_OK) {
        fail_msg("%s: %s", name, err.message);
    }
    return s;
}

/* Programs first, first + step, ... below N_PROGRAMS. */
static void fill(const char *name, unsigned first, unsigned step)
{
    struct store *s = open_store(name, STORE_MAKE);

    assert_int_equal(store_begin(s, NULL), CWM_OK);
    for (unsigned i = first; i < N_PROGRAMS; i += step) {
        put(s, i, NULL);
    }
    assert_int_equal(store_commit(s, NULL), CWM_OK);
    store_close(s);
}

static struct hash content(const char *name)
{
    struct store *s = open_store(name, STORE_READ);
    struct hash hash;

    assert_int_equal(store_content_hash(s, &hash, NULL), CWM_OK);
    store_close(s);
    return hash;
}

static uint64_t n_traces(const char *name)
{
    struct store *s = open_store(name, STORE_READ);
    struct store_counts counts;

    assert_int_equal(store_counts(s, &counts, NULL), CWM_OK);
    store_close(s);
    return counts.n_traces;
}

static void assert_same_content(const char *a, const char *b)
{
    struct hash x = content(a);
    struct hash y = content(b);

    assert_memory_equal(x.bytes, y.bytes, HASH_BYTES);
}

/* ---- tests ---- */

static void store__what_goes_in_comes_out(void **state)
{
    struct store *s;
    struct store_cursor *programs = NULL;
    struct store_cursor *traces = NULL;
    struct trace_view *view = NULL;
    struct store_program p;
    struct store_trace t;
    struct store_setting setting;
    struct trace_seen seen;
    struct hash hash;
    bool more = false;

    (void)state;
    remove_store("a.db");
    fill("a.db", 5, N_PROGRAMS);
    s = open_store("a.db", STORE_READ);
    assert_int_equal(store_programs(s, &programs, NULL), CWM_OK);
    assert_int_equal(store_program_next(programs, &p, &more, NULL), CWM_OK);
    assert_true(more);
    assert_string_equal(p.text, "def f():\n    return 5\n");
    assert_int_equal(store_traces(s, p.id, &traces, NULL), CWM_OK);
    assert_int_equal(store_trace_next(traces, &t, &more, NULL), CWM_OK);
    assert_true(more);
    assert_string_equal(t.entry, "f");
    assert_int_equal(store_setting(s, t.setting_id, &setting, NULL), CWM_OK);
    assert_int_equal(setting.seed, 7);
    assert_int_equal(setting.limits.max_frames, 10000);
    assert_int_equal(trace_view_new(store_codec(s), &view, NULL), CWM_OK);
    assert_int_equal(trace_view_program(view, &p, NULL), CWM_OK);
    assert_int_equal(trace_view_open(view, &t, &setting, "x", &seen, NULL),
                     CWM_OK);
    assert_int_equal(trace_reader_end(seen.reader)->n_frames, 3);
    assert_int_equal(seen.summary.stdout_len, 3);
    assert_memory_equal(seen.stdin_data, "in", 2);
    assert_non_null(strstr(seen.summary.context, "# << START_OF_TRACE"));
    hash = trace_view_content(view, &t);
    assert_memory_equal(hash.bytes, t.content.bytes, HASH_BYTES);
    trace_view_free(view);
    store_cursor_close(traces);
    store_cursor_close(programs);
    store_close(s);
}

/* The program that the cursor is at, by its hash; fails when there is none. */
static void assert_at(struct store_cursor *cursor, const struct hash *hash)
{
    struct store_program p;
    bool more = false;

    assert_int_equal(store_program_next(cursor, &p, &more, NULL), CWM_OK);
    assert_true(more);
    assert_memory_equal(p.hash.bytes, hash->bytes, HASH_BYTES);
}

/* A closed cursor's statement is used again: nothing of what it was asked
   before, and none that is still read, may be in the next. */
static void store__cursors_know_nothing_of_those_before(void **state)
{
    enum { N = 6 };
    struct store_cursor *cursors[N] = {NULL};
    struct store_cursor *all = NULL;
    struct store_program p;
    struct hash hashes[N];
    int64_t ids[N];
    char text[HASH_TEXT];
    bool more = true;
    struct store *s;

    (void)state;
    remove_store("a.db");
    fill("a.db", 0, 1);
    s = open_store("a.db", STORE_READ);
    assert_int_equal(store_programs(s, &all, NULL), CWM_OK);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(store_program_next(all, &p, &more, NULL), CWM_OK);
        assert_true(more);
        hashes[i] = p.hash;
        ids[i] = p.id;
    }
    store_cursor_close(all); /* in the midst of its rows */
    assert_int_equal(store_programs(s, &all, NULL), CWM_OK);
    assert_at(all, &hashes[0]);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < N; i++) { /* more at once than are kept */
            assert_int_equal(store_program_of(s, ids[i], &cursors[i], NULL),
                             CWM_OK);
        }
        for (size_t i = N; i-- > 0;) {
            assert_at(cursors[i], &hashes[i]);
            store_cursor_close(cursors[i]);
        }
        hash_text(&hashes[round], text);
        assert_int_equal(store_find_program(s, text, &cursors[0], NULL),
                         CWM_OK);
        assert_at(cursors[0], &hashes[round]);
        store_cursor_close(cursors[0]);
    }
    assert_at(all, &hashes[1]);
    store_cursor_close(all);
    store_close(s);
}

static void store__content_does_not_depend_on_the_order(void **state)
{
    struct store *s;

    (void)state;
    remove_store("a.db");
    remove_store("b.db");
    fill("a.db", 0, 1);
    s = open_store("b.db", STORE_MAKE);
    assert_int_equal(store_begin(s, NULL), CWM_OK);
    for (unsigned i = N_PROGRAMS; i > 0; i--) {
        put(s, i - 1, NULL);
        put(s, i - 1, NULL); /* twice is once */
    }
    assert_int_equal(store_commit(s, NULL), CWM_OK);
    store_close(s);
    assert_int_equal(n_traces("b.db"), N_PROGRAMS);
    assert_same_content("a.db", "b.db");
}

/* A row that two builds disagree on is decided by its content. */
static void store__labels_are_merged_whatever_the_order(void **state)
{
    struct store *s;

    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        const char *name = turn ? "b.db" : "a.db";

        remove_store(name);
        s = open_store(name, STORE_MAKE);
        assert_int_equal(store_begin(s, NULL), CWM_OK);
        put(s, 1, turn ? "wrong" : NULL);
        put(s, 1, turn ? NULL : "right");
        put(s, 1, turn ? "right" : "wrong");
        assert_int_equal(store_commit(s, NULL), CWM_OK);
        store_close(s);
    }
    assert_same_content("a.db", "b.db");
}

static void store__what_is_not_committed_is_not_there(void **state)
{
    struct store *s;

    (void)state;
    remove_store("a.db");
    fill("a.db", 0, 2);
    s = open_store("a.db", STORE_WRITE);
    assert_int_equal(store_begin(s, NULL), CWM_OK);
    put(s, 1, NULL);
    store_close(s);
    assert_int_equal(n_traces("a.db"), N_PROGRAMS / 2);
}

static void ignore_merge(void *ctx, const struct store_merge_stats *stats)
{
    (void)ctx;
    (void)stats;
}

static void merge__gives_the_content_of_one_build(void **state)
{
    const char *in[2];
    struct store_merge_options how = {
        .in_paths = in, .n_in = 2, .on_progress = ignore_merge};
    struct store_merge_stats stats;
    struct cwm_err err;
    char out[128];
    char odd[128];
    char even[128];

    (void)state;
    remove_store("a.db");
    remove_store("odd.db");
    remove_store("even.db");
    remove_store("out.db");
    fill("a.db", 0, 1);
    fill("odd.db", 1, 2);
    fill("even.db", 0, 2);
    snprintf(out, sizeof out, "%s", in_folder("out.db"));
    snprintf(odd, sizeof odd, "%s", in_folder("odd.db"));
    snprintf(even, sizeof even, "%s", in_folder("even.db"));
    how.out_path = out;
    in[0] = odd;
    in[1] = even;
    assert_int_equal(store_merge(&how, &stats, &err), CWM_OK);
    assert_same_content("a.db", "out.db");
    assert_int_equal(store_merge(&how, &stats, &err), CWM_OK);
    assert_same_content("a.db", "out.db"); /* twice is once */
    in[0] = out;
    assert_int_equal(store_merge(&how, &stats, &err), CWM_USAGE);
    assert_non_null(strstr(err.message, "into itself"));
    in[0] = "/tmp/not-there.db";
    assert_int_equal(store_merge(&how, &stats, &err), CWM_USAGE);
}

/* ---- stores that are none, and damage ---- */

static void execute(const char *name, const char *sql)
{
    sqlite3 *db = NULL;
    char *why = NULL;

    assert_int_equal(sqlite3_open(in_folder(name), &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        fail_msg("%s: %s", sql, why);
    }
    sqlite3_close(db);
}

static void assert_refused(const char *name, enum cwm_rc rc, const char *why)
{
    struct store *s = NULL;
    struct cwm_err err = {.message = ""};

    assert_int_equal(store_open(in_folder(name), STORE_WRITE, &s, &err), rc);
    if (!strstr(err.message, why)) {
        fail_msg("%s: '%s' is not in '%s'", name, why, err.message);
    }
}

/* Of the commands noted, `n` of them: the k-th. */
static void assert_noted(const char *name, const struct store_build *builds,
                         size_t n)
{
    struct store *s = open_store(name, STORE_READ);
    struct store_cursor *c = NULL;
    struct store_build build;
    bool more = true;

    assert_int_equal(store_builds(s, &c, NULL), CWM_OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(store_build_next(c, &build, &more, NULL), CWM_OK);
        assert_true(more);
        assert_string_equal(build.command, builds[i].command);
        assert_string_equal(build.version, builds[i].version);
        assert_int_equal(build.shard, builds[i].shard);
        assert_int_equal(build.n_shards, builds[i].n_shards);
        assert_int_equal(build.n_there, builds[i].n_there);
    }
    assert_int_equal(store_build_next(c, &build, &more, NULL), CWM_OK);
    assert_false(more);
    store_cursor_close(c);
    store_close(s);
}

static void note(const char *name, const struct store_build *build)
{
    struct store *s = open_store(name, STORE_WRITE);

    assert_int_equal(store_add_build(s, build, NULL), CWM_OK);
    store_close(s);
}

static void store__commands_are_noted_once(void **state)
{
    static const struct store_build notes[] = {
        {"build a", "1", 1, 3, 2},
        {"build a", "1", 3, 3, 2},
        {"build b", "1", 1, 1, 1},
    };

    (void)state;
    remove_store("a.db");
    remove_store("b.db");
    fill("a.db", 0, 2);
    fill("b.db", 0, 2);
    for (size_t i = sizeof notes / sizeof notes[0]; i-- > 0;) {
        note("a.db", &notes[i]);
        note("a.db", &notes[i]);
    }
    assert_noted("a.db", notes, 3);
    assert_same_content("a.db", "b.db");
}

/* As the first version left it: without the table of commands. */
static void store__of_the_first_version_is_read_and_brought_on(void **state)
{
    static const struct store_build notes[] = {{"build a", "1", 1, 1, 1}};
    struct hash before;
    struct hash after;

    (void)state;
    remove_store("a.db");
    fill("a.db", 0, 2);
    before = content("a.db");
    execute("a.db", "DROP TABLE build; PRAGMA user_version = 1");
    after = content("a.db"); /* read only: as it is */
    assert_memory_equal(before.bytes, after.bytes, HASH_BYTES);
    assert_noted("a.db", NULL, 0);
    note("a.db", &notes[0]);
    assert_noted("a.db", notes, 1);
    after = content("a.db");
    assert_memory_equal(before.bytes, after.bytes, HASH_BYTES);
}

static void store__others_are_refused(void **state)
{
    FILE *file;

    (void)state;
    remove_store("x.db");
    assert_refused("x.db", CWM_USAGE, "No such file");
    assert_refused("", CWM_USAGE, "it is no file");
    execute("x.db", "CREATE TABLE t(a)");
    assert_refused("x.db", CWM_USAGE, "it is no store");
    remove_store("x.db");
    file = fopen(in_folder("x.db"), "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++) {
        fputs("no database\n", file);
    }
    fclose(file);
    assert_refused("x.db", CWM_USAGE, "it is no store");
    remove_store("x.db");
    fill("x.db", 0, 20);
    execute("x.db", "PRAGMA user_version = 3");
    assert_refused("x.db", CWM_USAGE, "its version is 3");
}

static char found[4096];

static void on_wrong(void *ctx, const char *what)
{
    (void)ctx;
    snprintf(found + strlen(found), sizeof found - strlen(found), "%s\n", what);
}

static void ignore_check(void *ctx, const struct store_check_stats *stats)
{
    (void)ctx;
    (void)stats;
}

/* Damage it, check it: the finding must be told. */
static void assert_found(const char *sql, const char *what)
{
    struct store_check_options how = {.on_wrong = on_wrong,
                                      .on_progress = ignore_check};
    struct store_check_stats stats;
    struct cwm_err err = {.message = ""};
    char path[128];

    remove_store("x.db");
    fill("x.db", 0, 4);
    if (sql) {
        execute("x.db", sql);
    }
    found[0] = '\0';
    snprintf(path, sizeof path, "%s", in_folder("x.db"));
    if (store_check(path, &how, &stats, &err) != CWM_OK) {
        fail_msg("%s: %s", sql, err.message);
    }
    assert_int_equal(stats.n_wrong > 0, what != NULL);
    if (what && !strstr(found, what)) {
        fail_msg("%s: '%s' is not in:\n%s", sql, what, found);
    }
}

static void check__finds_every_kind_of_damage(void **state)
{
    (void)state;
    assert_found(NULL, NULL);
    assert_found("UPDATE program SET data = x'00' WHERE id = 3",
                 "the packed data is damaged");
    assert_found("UPDATE program SET data = (SELECT data FROM program WHERE id "
                 "= 1), bytes = (SELECT bytes FROM program WHERE id = 1) WHERE "
                 "id = 2",
                 "its text is not what its hash says");
    assert_found("UPDATE trace SET data = x'1234' WHERE id = 3",
                 "the packed data is damaged");
    assert_found("UPDATE trace SET data = (SELECT data FROM trace WHERE id = "
                 "1), bytes = (SELECT bytes FROM trace WHERE id = 1) WHERE id "
                 "= 2",
                 "its content is not what its hash says");
    assert_found("UPDATE trace SET args = '1' WHERE id = 4",
                 "what was asked is not what its hash says");
    assert_found("UPDATE trace SET context_line = 99 WHERE id = 4",
                 "the program has no line 99");
    assert_found("UPDATE trace SET dictionary = 9 WHERE id = 4",
                 "a dictionary that is missing: 9");
    assert_found("UPDATE trace SET verdict = 77 WHERE id = 4",
                 "is damaged: trace 4");
    assert_found("UPDATE trace SET setting = 77 WHERE id = 4",
                 "a trace without a setting: row 4");
    assert_found("DELETE FROM program WHERE id = 4",
                 "a trace without a program: row 4");
    assert_found("DELETE FROM origin WHERE program = 4",
                 "a program without an origin: row 4");
}

static void codec__a_dictionary_packs_better_and_must_be_there(void **state)
{
    struct codec *codec = NULL;
    struct codec_thread *thread = NULL;
    struct cwm_buf samples, dictionary, plain, packed, out;
    size_t sizes[400];
    uint32_t id = 9;

    (void)state;
    cwm_buf_init(&samples, 1 << 22);
    cwm_buf_init(&dictionary, 1 << 22);
    cwm_buf_init(&plain, 1 << 22);
    cwm_buf_init(&packed, 1 << 22);
    cwm_buf_init(&out, 1 << 22);
    for (unsigned i = 0; i < 400; i++) {
        size_t before = samples.len;

        for (unsigned k = 0; k < 20; k++) {
            cwm_buf_addf(&samples, "value %u of the list %u is %u; ", k, i,
                         i * k * 7919);
        }
        sizes[i] = samples.len - before;
    }
    assert_int_equal(codec_new(&codec, NULL), CWM_OK);
    assert_int_equal(codec_thread_new(codec, &thread, NULL), CWM_OK);
    assert_int_equal(
        codec_pack(thread, samples.data, sizes[0], &plain, &id, NULL), CWM_OK);
    assert_int_equal(id, 0);
    assert_int_equal(
        codec_train(samples.data, sizes, 400, 8192, &dictionary, NULL), CWM_OK);
    assert_int_equal(codec_add(codec, 1, dictionary.data, dictionary.len, NULL),
                     CWM_OK);
    assert_int_equal(
        codec_pack(thread, samples.data, sizes[0], &packed, &id, NULL), CWM_OK);
    assert_int_equal(id, 1);
    assert_true(packed.len < plain.len);
    assert_int_equal(
        codec_unpack(thread, 1, packed.data, packed.len, &out, NULL), CWM_OK);
    assert_int_equal(out.len, sizes[0]);
    assert_memory_equal(out.data, samples.data, sizes[0]);
    assert_int_equal(
        codec_unpack(thread, 2, packed.data, packed.len, &out, NULL),
        CWM_MISSING);
    assert_int_equal(
        codec_unpack(thread, 0, packed.data, packed.len, &out, NULL),
        CWM_FORMAT);
    assert_int_equal(
        codec_unpack(thread, 1, packed.data, packed.len - 3, &out, NULL),
        CWM_FORMAT);
    assert_int_equal(codec_train(samples.data, sizes, 2, 8192, &out, NULL),
                     CWM_LIMIT);
    codec_thread_free(thread);
    codec_free(codec);
    cwm_buf_release(&samples);
    cwm_buf_release(&dictionary);
    cwm_buf_release(&plain);
    cwm_buf_release(&packed);
    cwm_buf_release(&out);
}

static void hash__parts_are_kept_apart(void **state)
{
    struct hasher *h = NULL;
    struct hash a, b, c, d;
    char text[HASH_TEXT];

    (void)state;
    assert_int_equal(hasher_new(&h, NULL), CWM_OK);
    hasher_add_text(h, "ab");
    hasher_add_text(h, "c");
    a = hasher_end(h);
    hasher_reset(h);
    hasher_add_text(h, "a");
    hasher_add_text(h, "bc");
    b = hasher_end(h);
    hasher_reset(h);
    hasher_add_text(h, "");
    c = hasher_end(h);
    hasher_reset(h);
    hasher_add_text(h, NULL);
    d = hasher_end(h);
    assert_int_not_equal(hash_compare(&a, &b), 0);
    assert_int_not_equal(hash_compare(&c, &d), 0);
    /* the same on every machine: stores carry them about */
    a = hash_of("abc", 3);
    hash_text(&a, text);
    assert_string_equal(text, "06b05ab6733a618578af5f94892f3950");
    assert_true(hash_parse(text, &b));
    assert_int_equal(hash_compare(&a, &b), 0);
    assert_false(hash_parse("06b05ab6733a618578af5f94892f395g", &b));
    assert_false(hash_parse("06", &b));
    hasher_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash__parts_are_kept_apart),
        cmocka_unit_test(codec__a_dictionary_packs_better_and_must_be_there),
        cmocka_unit_test(store__what_goes_in_comes_out),
        cmocka_unit_test(store__cursors_know_nothing_of_those_before),
        cmocka_unit_test(store__commands_are_noted_once),
        cmocka_unit_test(store__of_the_first_version_is_read_and_brought_on),
        cmocka_unit_test(store__content_does_not_depend_on_the_order),
        cmocka_unit_test(store__labels_are_merged_whatever_the_order),
        cmocka_unit_test(store__what_is_not_committed_is_not_there),
        cmocka_unit_test(merge__gives_the_content_of_one_build),
        cmocka_unit_test(store__others_are_refused),
        cmocka_unit_test(check__finds_every_kind_of_damage),
    };

    if (!mkdtemp(folder)) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
