/* SPDX-License-Identifier: MIT */
/* trace_grammar.c -- see trace_grammar.h: what is known of the program. */
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/model/trace_grammar_internal.h"

/* ---- what the text says -------------------------------------------------- */

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

/* Where `word` stands in the line as a whole word, from `at` on; len: nowhere.
 */
static size_t find_word(const char *line, size_t len, const char *word)
{
    size_t n = strlen(word);
    size_t i;

    for (i = 0; i + n <= len; i++) {
        if (memcmp(line + i, word, n) == 0 &&
            (i == 0 || !is_word_char(line[i - 1])) &&
            (i + n == len || !is_word_char(line[i + n]))) {
            return i;
        }
    }
    return len;
}

static size_t indent_of(const char *line, size_t len)
{
    size_t i = 0;

    while (i < len && (line[i] == ' ' || line[i] == '\t' || line[i] == '\f')) {
        i++;
    }
    return i;
}

/* Does the line name what a program meddles with its own tracing by?  Said too
 * often it only makes the grammar looser. */
static bool is_loose_line(const char *line, size_t len)
{
    static const char *const words[] = {"settrace", "setprofile", "monitoring",
                                        "greenlet"};
    size_t start = indent_of(line, len);
    size_t i;

    if (start < len && line[start] == '#') {
        return false;
    }
    for (i = 0; i < sizeof words / sizeof *words; i++) {
        if (find_word(line, len, words[i]) < len) {
            return true;
        }
    }
    return false;
}

/* May a scope without a definition begin on the line: a lambda's, a
 * comprehension's, an annotation's, a type's? */
static bool holds_scope(const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);

    return find_word(line, len, "lambda") < len ||
           find_word(line, len, "type") < len ||
           (colon && colon + 1 < line + len);
}

static bool is_loose_program(const struct source *s)
{
    uint32_t n = source_n_lines(s);
    uint32_t i;

    if (source_syntax_error(s)) {
        return true; /* what was parsed may not be what runs */
    }
    for (i = 1; i <= n; i++) {
        size_t len;
        const char *line = source_line(s, i, &len);

        if (is_loose_line(line, len)) {
            return true;
        }
    }
    return false;
}

/* ---- lines and their definitions ----------------------------------------- */

static enum cwm_rc find_ranges(struct trace_grammar *g, const struct source *s,
                               struct cwm_err *err)
{
    size_t n_defs;
    const struct source_def *defs = source_defs(s, &n_defs);
    uint32_t line;
    size_t i;

    g->ranges = cwm_calloc((size_t)g->n_lines + 1, sizeof *g->ranges);
    if (!g->ranges) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %u lines", g->n_lines);
    }
    for (line = 1; line <= g->n_lines; line++) {
        g->ranges[line].first = 1;
        g->ranges[line].last = g->n_lines;
    }
    if (source_syntax_error(s)) {
        return CWM_OK;
    }
    for (i = 0; i < n_defs; i++) { /* an inner one comes behind its outer one */
        for (line = defs[i].first_line;
             line <= defs[i].last_line && line <= g->n_lines; line++) {
            struct line_range *r = &g->ranges[line];

            if (defs[i].first_line >= r->first &&
                defs[i].last_line <= r->last) {
                r->first = defs[i].first_line;
                r->last = defs[i].last_line;
            }
        }
    }
    return CWM_OK;
}

/* Marks of lines, by number. */
enum { CALL_LINE = 1, ENTRY_LINE = 2 };

static void mark_calls(const struct trace_grammar *g, const struct source *s,
                       int entry, uint8_t *marks)
{
    size_t n_defs;
    const struct source_def *defs = source_defs(s, &n_defs);
    uint32_t line;
    size_t len;
    size_t i;

    for (line = 1; line <= g->n_lines; line++) {
        const char *text = source_line(s, line, &len);

        /* a resumed one is on any line */
        if (g->is_loose || holds_scope(text, len)) {
            marks[line] |= CALL_LINE;
        }
    }
    for (i = 0; i < n_defs; i++) {
        for (line = defs[i].first_line;
             line <= defs[i].header_end_line && line <= g->n_lines; line++) {
            marks[line] |= CALL_LINE;
        }
    }
    if (entry < 0) {
        marks[source_first_code_line(s)] |= ENTRY_LINE;
        return;
    }
    for (line = defs[entry].first_line;
         line <= defs[entry].def_line && line <= g->n_lines; line++) {
        marks[line] |= ENTRY_LINE;
    }
}

/* ---- texts --------------------------------------------------------------- */

struct numbered_line {
    const char *text; /* borrowed from the source */
    size_t len;
    uint32_t number;
};

static int by_text(const void *left, const void *right)
{
    const struct numbered_line *a = left;
    const struct numbered_line *b = right;
    int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

    if (order != 0) {
        return order;
    }
    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

/* The lines that an event can be on: all but blank ones. */
static size_t list_lines(const struct source *s, uint32_t n_lines,
                         struct numbered_line *lines)
{
    size_t n = 0;
    uint32_t i;

    for (i = 1; i <= n_lines; i++) {
        size_t len;
        const char *text = source_line(s, i, &len);

        if (indent_of(text, len) < len) {
            lines[n].text = text;
            lines[n].len = len;
            lines[n].number = i;
            n++;
        }
    }
    qsort(lines, n, sizeof *lines, by_text);
    return n;
}

static enum cwm_rc add_text(struct trace_grammar *g,
                            struct tokenizer_encoder *e,
                            const struct numbered_line *line,
                            struct cwm_buf *scratch, struct cwm_err *err)
{
    struct line_text *text = &g->texts[g->n_texts++];
    enum cwm_rc rc;

    text->token_at = g->tokens.n;
    cwm_buf_clear(scratch);
    cwm_buf_add(scratch, line->text, line->len);
    cwm_buf_addc(scratch, '\n');
    rc = cwm_buf_check(scratch, "a source line", err);
    if (rc == CWM_OK) {
        rc = tokenizer_encode(e, scratch->data, scratch->len, false, &g->tokens,
                              err);
    }
    text->n_tokens = (uint32_t)(g->tokens.n - text->token_at);
    return rc;
}

/* Fill texts and numbers from the sorted lines. */
static enum cwm_rc add_texts(struct trace_grammar *g,
                             const struct numbered_line *lines, size_t n,
                             const uint8_t *marks, struct cwm_err *err)
{
    struct tokenizer_encoder *e = NULL; /* owned */
    struct cwm_buf scratch;
    enum cwm_rc rc;
    size_t i;

    cwm_buf_init(&scratch, UINT32_MAX);
    rc = tokenizer_encoder_new(trace_vocab_tokenizer(g->v), &e, err);
    for (i = 0; i < n && rc == CWM_OK; i++) {
        bool is_new =
            i == 0 || lines[i].len != lines[i - 1].len ||
            memcmp(lines[i].text, lines[i - 1].text, lines[i].len) != 0;
        struct line_text *text;

        if (is_new) {
            rc = add_text(g, e, &lines[i], &scratch, err);
            g->texts[g->n_texts - 1].number_at = (uint32_t)i;
        }
        text = &g->texts[g->n_texts - 1];
        g->numbers[i] = lines[i].number;
        text->n_numbers++;
        text->begins_scope |= (marks[lines[i].number] & CALL_LINE) != 0;
        text->begins_entry |= (marks[lines[i].number] & ENTRY_LINE) != 0;
    }
    tokenizer_encoder_free(e);
    cwm_buf_release(&scratch);
    return rc;
}

static int by_tokens(const void *left, const void *right, void *ctx)
{
    const struct line_text *a = left;
    const struct line_text *b = right;
    const uint32_t *tokens = ctx;
    uint32_t n = a->n_tokens < b->n_tokens ? a->n_tokens : b->n_tokens;
    uint32_t i;

    for (i = 0; i < n; i++) {
        uint32_t one = tokens[a->token_at + i];
        uint32_t other = tokens[b->token_at + i];

        if (one != other) {
            return one < other ? -1 : 1;
        }
    }
    return 0; /* no text is the beginning of another: each ends in a \n */
}

static enum cwm_rc read_lines(struct trace_grammar *g, const struct source *s,
                              int entry, struct cwm_err *err)
{
    size_t n = (size_t)g->n_lines + 1;
    struct numbered_line *lines = cwm_calloc(n, sizeof *lines); /* owned */
    uint8_t *marks = cwm_calloc(n, 1);                          /* owned */
    enum cwm_rc rc;

    g->texts = cwm_calloc(n, sizeof *g->texts);
    g->numbers = cwm_calloc(n, sizeof *g->numbers);
    if (!lines || !marks || !g->texts || !g->numbers) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold %u lines", g->n_lines);
        goto out;
    }
    mark_calls(g, s, entry, marks);
    n = list_lines(s, g->n_lines, lines);
    rc = add_texts(g, lines, n, marks, err);
    if (rc == CWM_OK) {
        qsort_r(g->texts, g->n_texts, sizeof *g->texts, by_tokens,
                g->tokens.ids);
    }
out:
    cwm_free(marks);
    cwm_free(lines);
    return rc;
}

enum cwm_rc trace_grammar_new(const struct trace_vocab *v,
                              const struct source *s, int entry,
                              struct trace_grammar **ret_grammar,
                              struct cwm_err *err)
{
    struct trace_grammar *g = cwm_calloc(1, sizeof *g); /* owned */
    enum cwm_rc rc;

    if (!g) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a grammar");
    }
    g->v = v;
    g->n_lines = source_n_lines(s);
    g->is_loose = is_loose_program(s);
    g->is_script = entry < 0;
    rc = find_ranges(g, s, err);
    if (rc == CWM_OK && !g->is_loose) {
        rc = source_flow_new(s, &g->flow, err);
    }
    if (rc == CWM_OK) {
        rc = read_lines(g, s, entry, err);
    }
    if (rc != CWM_OK) {
        trace_grammar_free(g);
        return rc;
    }
    *ret_grammar = g;
    return CWM_OK;
}

void trace_grammar_free(struct trace_grammar *g)
{
    if (g) {
        cwm_free(g->texts);
        cwm_free(g->numbers);
        cwm_free(g->ranges);
        source_flow_free(g->flow);
        token_ids_release(&g->tokens);
        cwm_free(g);
    }
}
