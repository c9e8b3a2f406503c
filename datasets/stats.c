/* SPDX-License-Identifier: MIT */
/* stats.c -- counting what is in a store. */
#include "datasets/stats.h"

#include <stdio.h>
#include <string.h>

#include "cwm/base/cancel.h"
#include "datasets/inputs.h"
#include "datasets/store_internal.h"
#include "datasets/trace_blob.h"

const char *stats_type_text(enum stats_type type)
{
    static const char *const texts[STATS_N_TYPES] = {
        "int",  "float", "bool", "None", "str",  "bytes",
        "list", "tuple", "dict", "set",  "other"};

    return texts[type];
}

/* ---- distributions ---- */

static unsigned bucket_of(uint64_t value)
{
    unsigned i = 0;

    while (value > 0 && i < STATS_N_BUCKETS - 1) {
        value >>= 1;
        i++;
    }
    return i;
}

/* `sql` gives the values in rising order. */
static enum cwm_rc make_histogram(struct store *s, const char *sql, uint64_t n,
                                  struct stats_histogram *h,
                                  struct cwm_err *err)
{
    sqlite3_stmt *row = NULL; /* owned */
    enum cwm_rc rc = store__prepare(s, sql, &row, err);
    int code = SQLITE_DONE;

    while (rc == CWM_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        uint64_t value = (uint64_t)sqlite3_column_int64(row, 0);

        if (h->total == n / 2) {
            h->median = value;
        }
        if (h->total == n * 95 / 100) {
            h->p95 = value;
        }
        h->n[bucket_of(value)]++;
        h->total++;
        h->sum += value;
        h->max = value;
    }
    if (rc == CWM_OK && code != SQLITE_DONE) {
        rc = store__fail(s, code, "count", err);
    }
    sqlite3_finalize(row);
    return rc;
}

static enum cwm_rc make_histograms(struct store *s, struct stats *stats,
                                   struct cwm_err *err)
{
    const struct {
        const char *sql;
        uint64_t n;
        struct stats_histogram *to;
    } list[] = {
        {"SELECT frames FROM trace ORDER BY 1", stats->counts.n_traces,
         &stats->frames},
        {"SELECT depth FROM trace ORDER BY 1", stats->counts.n_traces,
         &stats->depth},
        {"SELECT text_bytes FROM trace ORDER BY 1", stats->counts.n_traces,
         &stats->text_bytes},
        {"SELECT bytes FROM program ORDER BY 1", stats->counts.n_programs,
         &stats->program_bytes},
        {"SELECT (SELECT count(*) FROM trace t WHERE t.program = p.id) FROM"
         " program p ORDER BY 1",
         stats->counts.n_programs, &stats->traces},
    };
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < sizeof list / sizeof list[0] && rc == CWM_OK; i++) {
        rc = make_histogram(s, list[i].sql, list[i].n, list[i].to, err);
    }
    return rc;
}

/* ---- counts by name ---- */

static void add_count(struct stats_counts *c, const char *name, uint64_t n)
{
    if (c->n == STATS_MAX_COUNTS) {
        c->n_other += n;
        return;
    }
    snprintf(c->rows[c->n].name, sizeof c->rows[0].name, "%.90s",
             name && name[0] ? name : "not known");
    c->rows[c->n++].n = n;
}

/* How a column's number reads; NULL: it is a text. */
typedef const char *(*name_of_number)(int number);

static const char *verdict_name(int number)
{
    return trace_verdict_text((enum trace_verdict)number);
}

static const char *kind_name(int number)
{
    return store_kind_text((enum store_kind)number);
}

static const char *input_name(int number)
{
    return number >= 0 && number < INPUTS_N_ORIGINS
               ? inputs_origin_text((enum inputs_origin)number)
               : NULL;
}

/* `sql` gives names and counts, the most frequent first. */
static enum cwm_rc make_counts(struct store *s, const char *sql,
                               name_of_number name, struct stats_counts *c,
                               struct cwm_err *err)
{
    sqlite3_stmt *row = NULL; /* owned */
    enum cwm_rc rc = store__prepare(s, sql, &row, err);
    int code = SQLITE_DONE;

    while (rc == CWM_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        add_count(c,
                  name ? name(sqlite3_column_int(row, 0))
                       : (const char *)sqlite3_column_text(row, 0),
                  (uint64_t)sqlite3_column_int64(row, 1));
    }
    if (rc == CWM_OK && code != SQLITE_DONE) {
        rc = store__fail(s, code, "count", err);
    }
    sqlite3_finalize(row);
    return rc;
}

#define BY_COUNT " GROUP BY 1 ORDER BY 2 DESC, 1"

static enum cwm_rc make_all_counts(struct store *s, struct stats *stats,
                                   struct cwm_err *err)
{
    const struct {
        const char *sql;
        name_of_number name;
        struct stats_counts *to;
    } list[] = {
        {"SELECT verdict, count(*) FROM trace" BY_COUNT, verdict_name,
         &stats->verdicts},
        {"SELECT input_origin, count(*) FROM trace" BY_COUNT, input_name,
         &stats->inputs},
        {"SELECT label, count(*) FROM trace WHERE label IS NOT NULL" BY_COUNT,
         NULL, &stats->labels},
        {"SELECT s.python, count(*) FROM trace t JOIN setting s ON s.id ="
         " t.setting" BY_COUNT,
         NULL, &stats->pythons},
        {"SELECT kind, count(DISTINCT program) FROM origin" BY_COUNT, kind_name,
         &stats->kinds},
        {"SELECT origin, count(DISTINCT program) FROM origin" BY_COUNT, NULL,
         &stats->origins},
        {"SELECT licence, count(DISTINCT program) FROM origin" BY_COUNT, NULL,
         &stats->licences},
        {"SELECT substr(change, 1, instr(change, ':') - 1), count(*) FROM"
         " origin WHERE change IS NOT NULL" BY_COUNT,
         NULL, &stats->changes},
        {"SELECT skip, count(*) FROM item WHERE skip IS NOT NULL" BY_COUNT,
         NULL, &stats->skips},
    };
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < sizeof list / sizeof list[0] && rc == CWM_OK; i++) {
        rc = make_counts(s, list[i].sql, list[i].name, list[i].to, err);
    }
    return rc;
}

/* ---- a look into traces ---- */

static enum stats_type type_of_number(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return text[i] == '.' || text[i] == 'e' ? STATS_FLOAT : STATS_OTHER;
        }
    }
    return STATS_INT;
}

static bool is(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

/* What a value's text shows of its type. */
static enum stats_type type_of(const char *text, size_t len)
{
    if (len == 0) {
        return STATS_OTHER;
    }
    switch (text[0]) {
    case '\'':
    case '"':
        return STATS_STR;
    case 'b':
        return len > 1 && (text[1] == '\'' || text[1] == '"') ? STATS_BYTES
                                                              : STATS_OTHER;
    case '[':
        return STATS_LIST;
    case '(':
        return STATS_TUPLE;
    case '{':
        if (is(text, len, "{}")) {
            return STATS_DICT;
        }
        /* a set's first element ends at a comma or the brace, a key's at a
         * colon: good enough for plain keys, and never for strings with them */
        for (size_t i = 1; i < len; i++) {
            if (text[i] == ':') {
                return STATS_DICT;
            }
            if (text[i] == ',' && text[1] != '(' && text[1] != '\'') {
                return STATS_SET;
            }
        }
        return STATS_SET;
    case '-':
        return len > 1 ? type_of_number(text + 1, len - 1) : STATS_OTHER;
    default:
        break;
    }
    if (text[0] >= '0' && text[0] <= '9') {
        return type_of_number(text, len);
    }
    if (is(text, len, "True") || is(text, len, "False")) {
        return STATS_BOOL;
    }
    if (is(text, len, "set()") ||
        (len > 10 && !memcmp(text, "frozenset(", 10))) {
        return STATS_SET;
    }
    return is(text, len, "None")                          ? STATS_NONE
           : is(text, len, "nan") || is(text, len, "inf") ? STATS_FLOAT
                                                          : STATS_OTHER;
}

static void count_exception(struct stats_counts *c, const struct trace_end *end)
{
    char name[96];

    snprintf(name, sizeof name, "%.*s",
             end->exception_type_len > 90 ? 90 : (int)end->exception_type_len,
             (const char *)end->exception_type);
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->rows[i].name, name) == 0) {
            c->rows[i].n++;
            return;
        }
    }
    add_count(c, name, 1);
}

static enum cwm_rc look_into(struct stats *stats, const struct trace_seen *seen,
                             struct cwm_err *err)
{
    const struct trace_end *end = trace_reader_end(seen->reader);
    struct trace_frame frame;
    bool more = true;
    enum cwm_rc rc = CWM_OK;

    while (rc == CWM_OK && more) {
        rc = trace_reader_next(seen->reader, &frame, &more, err);
        if (rc != CWM_OK || !more) {
            continue;
        }
        for (size_t i = 0; i < frame.n_locals; i++) {
            if (frame.locals[i].changed) {
                stats->n_types[type_of((const char *)frame.locals[i].value,
                                       frame.locals[i].value_len)]++;
            }
        }
    }
    if (end->exception_type) {
        count_exception(&stats->exceptions, end);
    }
    stats->n_sampled++;
    return rc;
}

/* One trace of the sample, with its program. */
static enum cwm_rc look_at(struct store *s, struct trace_view *view,
                           const struct store_trace *trace, struct stats *stats,
                           struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned */
    struct store_program program;
    struct store_setting setting;
    struct trace_seen seen;
    bool more = false;
    enum cwm_rc rc = store_program_of(s, trace->program_id, &cursor, err);

    if (rc == CWM_OK) {
        rc = store_program_next(cursor, &program, &more, err);
    }
    if (rc == CWM_OK && !more) {
        rc = CWM_FAIL(err, CWM_FORMAT, "'%s' is damaged: trace %lld",
                      store_path(s), (long long)trace->id);
    }
    if (rc == CWM_OK) {
        rc = trace_view_lines(view, &program, err);
    }
    if (rc == CWM_OK) {
        rc = store_setting(s, trace->setting_id, &setting, err);
    }
    if (rc == CWM_OK) {
        rc = trace_view_open(view, trace, &setting, "", &seen, err);
    }
    if (rc == CWM_OK) {
        rc = look_into(stats, &seen, err);
    }
    store_cursor_close(cursor);
    return rc;
}

static enum cwm_rc look_at_sample(struct store *s, const volatile int *cancel,
                                  struct stats *stats, struct cwm_err *err)
{
    struct trace_view *view = NULL;     /* owned */
    struct store_cursor *cursor = NULL; /* owned */
    struct store_trace trace;
    bool more = true;
    enum cwm_rc rc = trace_view_new(store_codec(s), &view, err);

    if (rc == CWM_OK) {
        rc = store_all_traces(s, &cursor, err);
    }
    while (rc == CWM_OK && more && stats->n_sampled < STATS_SAMPLE) {
        if (cwm_is_cancelled(cancel)) {
            rc = CWM_FAIL(err, CWM_CANCELLED, "stopped on request");
            break;
        }
        rc = store_trace_next(cursor, &trace, &more, err);
        if (rc == CWM_OK && more) {
            rc = look_at(s, view, &trace, stats, err);
        }
    }
    store_cursor_close(cursor);
    trace_view_free(view);
    return rc;
}

/* The most frequent first, then by name. */
static void sort_counts(struct stats_counts *c)
{
    for (size_t i = 1; i < c->n; i++) {
        for (size_t k = i; k > 0; k--) {
            struct stats_count *a = &c->rows[k - 1];
            struct stats_count *b = &c->rows[k];
            struct stats_count swap = *a;

            if (a->n > b->n ||
                (a->n == b->n && strcmp(a->name, b->name) <= 0)) {
                break;
            }
            *a = *b;
            *b = swap;
        }
    }
}

enum cwm_rc stats_make(struct store *s, bool with_sample,
                       const volatile int *cancel, struct stats *ret_stats,
                       struct cwm_err *err)
{
    enum cwm_rc rc;

    memset(ret_stats, 0, sizeof *ret_stats);
    rc = store_content_hash(s, &ret_stats->content, err);
    if (rc == CWM_OK) {
        rc = store_counts(s, &ret_stats->counts, err);
    }
    if (rc == CWM_OK) {
        rc = make_histograms(s, ret_stats, err);
    }
    if (rc == CWM_OK) {
        rc = make_all_counts(s, ret_stats, err);
    }
    if (rc == CWM_OK && with_sample) {
        rc = look_at_sample(s, cancel, ret_stats, err);
    }
    sort_counts(&ret_stats->exceptions);
    return rc;
}
