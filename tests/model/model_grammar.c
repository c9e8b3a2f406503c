/* SPDX-License-Identifier: MIT */
/*
 * model_grammar.c TOKENIZER TRACES... -- is every true trace accepted?
 *
 * TRACES are JSONL (zstd-compressed or not): records of `cwm trace`, or lines
 * with "context" and "text" (golden traces).  Each is cut into tokens and goes
 * through the grammar: no token may be refused, the mask has to hold it, and
 * what is forced has to be what comes.  Exits 77 where the tokenizer or all of
 * the traces are missing.  Tells how many tokens were forced, and on how many
 * lines a line, return or exception might have been, of how many of its scope.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cwm/base/lines.h"
#include "cwm/model/sample.h"
#include "cwm/model/trace_grammar.h"

enum { MAX_LINE_BYTES = 1 << 30, N_SHOWN = 5 };

struct counts {
    size_t n_traces;
    size_t n_tokens;
    size_t n_forced;
    size_t n_refused;
    size_t n_sources;  /* but for calls */
    size_t n_lines;    /* that they might have been on */
    size_t n_in_scope; /* texts of lines of the scope that they are in */
    size_t n_unread;   /* lines with texts that jansson does not take */
};

struct check {
    const struct trace_vocab *v;
    struct tokenizer_encoder *encoder;
    struct token_ids ids; /* of the trace at hand */
    struct counts counts;
};

static void stop(const char *what, const struct cwm_err *err)
{
    fprintf(stderr, "%s: %s\n", what, err->message);
    exit(1);
}

static void add_special(struct check *c, enum trace_token token)
{
    struct cwm_err err;

    if (token_ids_add(&c->ids, trace_vocab_id(c->v, token), &err) != CWM_OK) {
        stop("ids", &err);
    }
}

static void add_text(struct check *c, const char *text, size_t len,
                     bool special)
{
    struct cwm_err err;

    if (tokenizer_encode(c->encoder, text, len, special, &c->ids, &err) !=
        CWM_OK) {
        stop("encode", &err);
    }
}

static void put_json(struct cwm_buf *out, const json_t *text)
{
    cwm_buf_add_json(out, json_string_value(text), json_string_length(text));
}

/* As the renderers write it: a string, or an object of strings. */
static void add_json(struct check *c, json_t *value)
{
    struct cwm_buf out;
    const char *name;
    json_t *text;
    struct cwm_err err;

    cwm_buf_init(&out, MAX_LINE_BYTES);
    if (json_is_string(value)) {
        put_json(&out, value);
    } else {
        cwm_buf_addc(&out, '{');
        json_object_foreach(value, name, text)
        {
            cwm_buf_adds(&out, out.len > 1 ? ", " : "");
            cwm_buf_add_json(&out, name, strlen(name));
            cwm_buf_adds(&out, ": ");
            put_json(&out, text);
        }
        cwm_buf_addc(&out, '}');
    }
    if (cwm_buf_check(&out, "a value", &err) != CWM_OK) {
        stop("json", &err);
    }
    add_text(c, out.data, out.len, false);
    cwm_buf_release(&out);
}

static enum trace_token event_of(const char *name)
{
    return strcmp(name, "call") == 0     ? TRACE_TOKEN_CALL
           : strcmp(name, "line") == 0   ? TRACE_TOKEN_LINE
           : strcmp(name, "return") == 0 ? TRACE_TOKEN_RETURN
                                         : TRACE_TOKEN_EXCEPTION;
}

/* A frame of a record; text and tokens stay apart. */
static void add_frame(struct check *c, const json_t *frame)
{
    const json_t *source = json_object_get(frame, "source");
    json_t *locals = json_object_get(frame, "locals");
    json_t *arg = json_object_get(frame, "arg");

    add_special(c,
                event_of(json_string_value(json_object_get(frame, "event"))));
    if (json_is_object(locals)) {
        add_json(c, locals);
    } else if (json_is_string(locals)) { /* of an export: as it is written */
        add_text(c, json_string_value(locals), json_string_length(locals),
                 false);
    }
    add_special(c, TRACE_TOKEN_ACTION);
    add_text(c, json_string_value(source), json_string_length(source), false);
    if (json_is_string(arg)) {
        add_special(c, TRACE_TOKEN_ARG);
        add_json(c, arg);
    }
    add_special(c, TRACE_TOKEN_FRAME);
}

static void add_trace(struct check *c, const json_t *record)
{
    const json_t *text = json_object_get(record, "text");
    const json_t *frames = json_object_get(record, "frames");

    c->ids.n = 0;
    if (json_is_string(text)) {
        add_text(c, json_string_value(text), json_string_length(text), true);
    }
    for (size_t i = 0; !text && i < json_array_size(frames); i++) {
        add_frame(c, json_array_get(frames, i));
    }
    add_special(c, TRACE_TOKEN_END);
}

/* What stood around the token that was refused. */
static void show(const struct check *c, const json_t *record, size_t at,
                 const char *why)
{
    const struct tokenizer *t = trace_vocab_tokenizer(c->v);
    size_t from = at > 40 ? at - 40 : 0;
    struct cwm_buf before;
    struct cwm_buf token;

    cwm_buf_init(&before, MAX_LINE_BYTES);
    cwm_buf_init(&token, MAX_LINE_BYTES);
    tokenizer_decode(t, c->ids.ids + from, at - from, &before, NULL);
    tokenizer_decode(t, c->ids.ids + at, 1, &token, NULL);
    fprintf(stderr, "%s: token %zu: %s\n  ...%s\n  then: '%s'\n",
            json_string_value(json_object_get(record, "id")), at, why,
            before.data ? before.data : "", token.data ? token.data : "");
    cwm_buf_release(&before);
    cwm_buf_release(&token);
}

/* Lines, but for blank ones, of the function or class that the line with this
 * text is in; 0: there is no such line. */
static size_t lines_in_scope(const struct source *s, const char *text,
                             size_t text_len)
{
    uint32_t line = 1;
    size_t n_defs;
    const struct source_def *defs = source_defs(s, &n_defs);
    uint32_t last = source_n_lines(s);
    size_t n = 0;
    size_t len;
    int def;

    while (line <= last &&
           (strncmp(source_line(s, line, &len), text, text_len) != 0 ||
            len != text_len)) {
        line++;
    }
    if (line > last) {
        return 0;
    }
    def = source_def_at(s, line);
    last = def < 0 ? last : defs[def].last_line;
    for (line = def < 0 ? 1 : defs[def].first_line; line <= last; line++) {
        text = source_line(s, line, &len);
        n += strspn(text, " \t") < len;
    }
    return n;
}

/* Before the SOURCE whose first token is number `at`: how free was it? */
static void count_lines(struct check *c, const struct trace_state *st,
                        const struct source *s, size_t at)
{
    const struct tokenizer *t = trace_vocab_tokenizer(c->v);
    struct cwm_buf text;
    size_t n = 0;

    cwm_buf_init(&text, MAX_LINE_BYTES);
    while (at + n < c->ids.n &&
           !(text.len > 0 && text.data[text.len - 1] == '\n')) {
        tokenizer_decode(t, c->ids.ids + at + n++, 1, &text, NULL);
    }
    c->counts.n_sources++;
    c->counts.n_lines += trace_state_n_lines(st);
    c->counts.n_in_scope +=
        text.len > 0 ? lines_in_scope(s, text.data, text.len - 1) : 0;
    cwm_buf_release(&text);
}

/* NULL, or what is wrong. */
static const char *walk(struct check *c, struct trace_state *st,
                        const struct source *s, size_t *ret_at)
{
    uint32_t forced = 0;
    enum trace_token event = TRACE_N_TOKENS;
    struct cwm_err err;

    for (size_t i = 0; i < c->ids.n; i++) {
        uint32_t id = c->ids.ids[i];
        bool allowed;

        enum trace_token token = trace_vocab_token(c->v, id);

        *ret_at = i;
        if (trace_state_forced(st, &forced)) {
            c->counts.n_forced++;
            if (forced != id) {
                return "another one was forced";
            }
        }
        if (!sample_mask_has(trace_state_mask(st), id)) {
            return "the mask has it not";
        }
        if (trace_state_step(st, id, &allowed, &err) != CWM_OK) {
            stop("step", &err);
        }
        if (!allowed) {
            return "it is refused";
        }
        if (token == TRACE_TOKEN_ACTION && event != TRACE_TOKEN_CALL) {
            count_lines(c, st, s, i + 1);
        }
        event = token < TRACE_N_TOKENS ? token : event;
    }
    return NULL;
}

static void check_record(struct check *c, const json_t *record)
{
    const json_t *context = json_object_get(record, "context");
    struct trace_grammar *g = NULL;
    struct trace_state *st = NULL;
    struct source *s = NULL;
    const char *why;
    struct cwm_err err;
    size_t at = 0;
    int entry = -1; /* a script's marker may be on a def's line, too */

    if (source_new_text(json_string_value(context), json_string_length(context),
                        "context", &s, &err) != CWM_OK) {
        stop("source", &err);
    }
    if (!json_is_null(json_object_get(record, "entry")) &&
        source_entry(s, NULL, &entry, &err) != CWM_OK) {
        stop(json_string_value(json_object_get(record, "id")), &err);
    }
    if (trace_grammar_new(c->v, s, entry, &g, &err) != CWM_OK ||
        trace_state_new(g, &st, &err) != CWM_OK) {
        stop("grammar", &err);
    }
    add_trace(c, record);
    why = walk(c, st, s, &at);
    c->counts.n_traces++;
    c->counts.n_tokens += c->ids.n;
    if (why) {
        c->counts.n_refused++;
        if (c->counts.n_refused <= N_SHOWN) {
            show(c, record, at, why);
        }
    }
    trace_state_free(st);
    trace_grammar_free(g);
    source_free(s);
}

static bool check_file(struct check *c, const char *path)
{
    struct lines *lines = NULL;
    struct line line;
    bool more = true;
    struct cwm_err err;

    if (access(path, R_OK) != 0) {
        printf("SKIPPED: there is no '%s' here\n", path);
        return false;
    }
    if (lines_open(path, MAX_LINE_BYTES, NULL, &lines, &err) != CWM_OK) {
        stop(path, &err);
    }
    while (more) {
        json_t *record;

        if (lines_next(lines, &line, &more, &err) != CWM_OK) {
            stop(path, &err);
        }
        record =
            more ? json_loadb(line.text, line.len, JSON_ALLOW_NUL, NULL) : NULL;
        if (record && json_object_get(record, "context")) {
            check_record(c, record);
        } else {
            c->counts.n_unread += more;
        }
        json_decref(record);
    }
    lines_close(lines);
    return true;
}

int main(int argc, char **argv)
{
    struct tokenizer *t = NULL;
    struct trace_vocab *v = NULL;
    struct check c = {0};
    bool is_any = false;
    struct cwm_err err;

    if (argc < 3) {
        fprintf(stderr, "usage: model_grammar TOKENIZER TRACES...\n");
        return 2;
    }
    if (access(argv[1], R_OK) != 0) {
        printf("SKIPPED: there is no tokenizer '%s' here\n", argv[1]);
        return 77;
    }
    if (tokenizer_load(argv[1], &t, &err) != CWM_OK ||
        trace_vocab_new(t, tokenizer_n_ids(t), &v, &err) != CWM_OK ||
        tokenizer_encoder_new(t, &c.encoder, &err) != CWM_OK) {
        stop(argv[1], &err);
    }
    c.v = v;
    for (int i = 2; i < argc; i++) {
        is_any = check_file(&c, argv[i]) || is_any;
    }
    printf("%zu traces, %zu tokens, %.1f %% of them forced; %.2f lines may "
           "follow on average, of %.2f in the scope; %zu refused; "
           "%zu lines not read\n",
           c.counts.n_traces, c.counts.n_tokens,
           c.counts.n_tokens
               ? 100.0 * (double)c.counts.n_forced / (double)c.counts.n_tokens
               : 0.0,
           (double)c.counts.n_lines / (double)(c.counts.n_sources + 1),
           (double)c.counts.n_in_scope / (double)(c.counts.n_sources + 1),
           c.counts.n_refused, c.counts.n_unread);
    token_ids_release(&c.ids);
    tokenizer_encoder_free(c.encoder);
    trace_vocab_free(v);
    tokenizer_free(t);
    if (!is_any) {
        printf("No trace was checked against the grammar.\n");
        return 77;
    }
    return c.counts.n_refused > 0 || c.counts.n_traces == 0 ? 1 : 0;
}
