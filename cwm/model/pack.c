/* SPDX-License-Identifier: MIT */
/* pack.c -- see pack.h. */
#include "cwm/model/pack.h"

#include <string.h>
#include <xxhash.h>

#include "cwm/base/alloc.h"
#include "cwm/base/json_in.h"
#include "datasets/shard.h"
#include "tracer/source.h"

enum { MAX_KEY_BYTES = 1 << 20 };

/* Of one text within a record; records are smaller (tracer/jobs.h). */
#define MAX_TEXT_BYTES ((size_t)1 << 30)

/* What frames a trace. */
#define TOKEN_TABLE(X)                                                         \
    X(BEGIN, "<|begin_of_text|>")                                              \
    X(CONTEXT, "<|trace_context_start|>")                                      \
    X(CALL, "<|call_sep|>")                                                    \
    X(LINE, "<|line_sep|>")                                                    \
    X(RETURN, "<|return_sep|>")                                                \
    X(EXCEPTION, "<|exception_sep|>")                                          \
    X(ACTION, "<|action_sep|>")                                                \
    X(ARG, "<|arg_sep|>")                                                      \
    X(FRAME, "<|frame_sep|>")                                                  \
    X(END, "<|end_of_text|>")

enum token {
#define TOKEN_ENUM(id, text) TOKEN_##id,
    TOKEN_TABLE(TOKEN_ENUM)
#undef TOKEN_ENUM
        N_TOKENS
};

struct trace_packer {
    struct tokenizer_encoder *encoder; /* owned */
    uint32_t tokens[N_TOKENS];         /* ids */
    struct token_ids ids;
    struct cwm_buf classes;
    struct cwm_buf key, text;                 /* of what is being read */
    struct cwm_buf state, source, arg, event; /* of one frame */
    struct cwm_buf object;                    /* locals that came as a text */
};

/* Where the record's parts stand in it; 0: not there. */
struct parts {
    size_t context, frames;
    bool is_complete; /* by the verdict */
    bool is_main;     /* the entry is called main */
};

enum cwm_rc trace_packer_new(const struct tokenizer *t,
                             struct trace_packer **ret_packer,
                             struct cwm_err *err)
{
    static const char *const texts[] = {
#define TOKEN_TEXT(id, text) text,
        TOKEN_TABLE(TOKEN_TEXT)
#undef TOKEN_TEXT
    };
    struct trace_packer *p = cwm_calloc(1, sizeof *p); /* owned */
    enum cwm_rc rc;

    if (!p) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make a packer");
    }
    cwm_buf_init(&p->classes, SHARD_MAX_DOCUMENT_TOKENS);
    cwm_buf_init(&p->key, MAX_KEY_BYTES);
    cwm_buf_init(&p->text, MAX_TEXT_BYTES);
    cwm_buf_init(&p->state, MAX_TEXT_BYTES);
    cwm_buf_init(&p->source, MAX_TEXT_BYTES);
    cwm_buf_init(&p->arg, MAX_TEXT_BYTES);
    cwm_buf_init(&p->event, MAX_KEY_BYTES);
    cwm_buf_init(&p->object, MAX_TEXT_BYTES);
    rc = tokenizer_encoder_new(t, &p->encoder, err);
    for (int i = 0; i < N_TOKENS && rc == CWM_OK; i++) {
        if (!tokenizer_special(t, texts[i], strlen(texts[i]), &p->tokens[i])) {
            rc = CWM_FAIL(err, CWM_USAGE,
                          "cannot pack traces with this tokenizer: it has no "
                          "special token '%s'",
                          texts[i]);
        }
    }
    if (rc == CWM_OK) {
        *ret_packer = p;
        p = NULL;
    }
    trace_packer_free(p);
    return rc;
}

void trace_packer_free(struct trace_packer *p)
{
    if (!p) {
        return;
    }
    tokenizer_encoder_free(p->encoder);
    token_ids_release(&p->ids);
    cwm_buf_release(&p->classes);
    cwm_buf_release(&p->key);
    cwm_buf_release(&p->text);
    cwm_buf_release(&p->state);
    cwm_buf_release(&p->source);
    cwm_buf_release(&p->arg);
    cwm_buf_release(&p->event);
    cwm_buf_release(&p->object);
    cwm_free(p);
}

/* ---- ids ---- */

/* The tokens that have no class yet are of this one. */
static enum cwm_rc add_classes(struct trace_packer *p, enum shard_class class,
                               struct cwm_err *err)
{
    size_t more = p->ids.n - p->classes.len;

    if (cwm_buf_reserve(&p->classes, more) != CWM_OK) {
        return cwm_buf_check(&p->classes, "a trace's tokens", err);
    }
    if (more > 0) {
        memset(p->classes.data + p->classes.len, (int)class, more);
        p->classes.len += more;
    }
    return CWM_OK;
}

static enum cwm_rc add_token(struct trace_packer *p, enum token token,
                             enum shard_class class, struct cwm_err *err)
{
    enum cwm_rc rc = token_ids_add(&p->ids, p->tokens[token], err);

    return rc == CWM_OK ? add_classes(p, class, err) : rc;
}

static enum cwm_rc add_text(struct trace_packer *p, const struct cwm_buf *text,
                            enum shard_class class, struct cwm_err *err)
{
    enum cwm_rc rc = tokenizer_encode(p->encoder, text->data ? text->data : "",
                                      text->len, false, &p->ids, err);

    return rc == CWM_OK ? add_classes(p, class, err) : rc;
}

/* ---- a frame ---- */

static bool is(const struct cwm_buf *text, const char *want)
{
    return text->len == strlen(want) &&
           memcmp(text->data ? text->data : "", want, text->len) == 0;
}

/* The object of locals as the text form has it. */
static bool read_object(struct trace_packer *p, struct json_in *in)
{
    if (!json_open(in, '{')) {
        return false;
    }
    cwm_buf_addc(&p->state, '{');
    for (bool first = true; json_more(in, '}', first); first = false) {
        cwm_buf_clear(&p->text);
        if (!json_key(in, &p->text)) {
            return false;
        }
        cwm_buf_adds(&p->state, first ? "" : ", ");
        cwm_buf_add_json(&p->state, p->text.data ? p->text.data : "",
                         p->text.len);
        cwm_buf_adds(&p->state, ": ");
        cwm_buf_clear(&p->text);
        if (!json_string(in, &p->text)) {
            return false;
        }
        cwm_buf_add_json(&p->state, p->text.data ? p->text.data : "",
                         p->text.len);
    }
    cwm_buf_addc(&p->state, '}');
    return in->failed == CWM_OK;
}

/* Records of `cwm dataset export` have the object as a text: a column of a
 * table has one type, whatever the variables are called. */
static bool read_state(struct trace_packer *p, struct json_in *in)
{
    struct json_in inside;
    size_t at;

    if (json_peek(in) != '"') {
        return read_object(p, in);
    }
    at = in->at;
    cwm_buf_clear(&p->object);
    if (!json_string(in, &p->object)) {
        return false;
    }
    inside = (struct json_in){.text = p->object.data ? p->object.data : "",
                              .len = p->object.len};
    if (!json_whole(&inside) || !read_object(p, &inside)) {
        in->failed = inside.failed ? inside.failed : CWM_FORMAT;
        in->at = at;
    }
    return in->failed == CWM_OK;
}

static bool read_arg(struct trace_packer *p, struct json_in *in)
{
    cwm_buf_clear(&p->text);
    if (!json_string(in, &p->text)) {
        return false;
    }
    cwm_buf_add_json(&p->arg, p->text.data ? p->text.data : "", p->text.len);
    return true;
}

static bool read_member(struct trace_packer *p, struct json_in *in)
{
    cwm_buf_clear(&p->key);
    if (!json_key(in, &p->key)) {
        return false;
    }
    if (is(&p->key, "event")) {
        return json_string(in, &p->event);
    }
    if (is(&p->key, "locals") && !json_null(in)) {
        return read_state(p, in);
    }
    if (is(&p->key, "source")) {
        return json_string(in, &p->source);
    }
    if (is(&p->key, "arg") && !json_null(in)) {
        return read_arg(p, in);
    }
    if (is(&p->key, "locals") || is(&p->key, "arg")) {
        return in->failed == CWM_OK; /* null */
    }
    return json_skip(in);
}

static enum cwm_rc refuse(const struct json_in *in, struct cwm_err *err)
{
    if (in->failed == CWM_NOMEM) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a record's text");
    }
    return CWM_FAIL(err, in->failed == CWM_LIMIT ? CWM_LIMIT : CWM_FORMAT,
                    "no record of a trace: byte %zu is not what was expected",
                    in->at);
}

static enum cwm_rc read_frame(struct trace_packer *p, struct json_in *in,
                              struct cwm_err *err)
{
    struct cwm_buf *parts[] = {&p->event, &p->state, &p->source, &p->arg};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        cwm_buf_clear(parts[i]);
    }
    if (json_open(in, '{')) {
        for (bool first = true; json_more(in, '}', first); first = false) {
            if (!read_member(p, in)) {
                break;
            }
        }
    }
    if (in->failed != CWM_OK) {
        return refuse(in, err);
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        enum cwm_rc rc = cwm_buf_check(parts[i], "a frame's text", err);

        if (rc != CWM_OK) {
            return rc;
        }
    }
    return CWM_OK;
}

/* The event's token, N_TOKENS when there is none such. */
static enum token event_token(const struct cwm_buf *event)
{
    return is(event, "call")        ? TOKEN_CALL
           : is(event, "line")      ? TOKEN_LINE
           : is(event, "return")    ? TOKEN_RETURN
           : is(event, "exception") ? TOKEN_EXCEPTION
                                    : N_TOKENS;
}

static enum cwm_rc put_frame(struct trace_packer *p, struct cwm_err *err)
{
    enum token event = event_token(&p->event);
    bool has_state = event == TOKEN_CALL || event == TOKEN_LINE;
    enum cwm_rc rc;

    if (event == N_TOKENS || has_state != (p->state.len > 0) ||
        has_state == (p->arg.len > 0) || p->source.len == 0 ||
        p->source.data[p->source.len - 1] != '\n') {
        return CWM_FAIL(err, CWM_FORMAT,
                        "no record of a trace: a frame is not whole");
    }
    rc = add_token(p, event, SHARD_OBSERVATION, err);
    if (rc == CWM_OK && has_state) {
        rc = add_text(p, &p->state, SHARD_OBSERVATION, err);
    }
    if (rc == CWM_OK) {
        rc = add_token(p, TOKEN_ACTION, SHARD_ACTION, err);
    }
    if (rc == CWM_OK) {
        rc = add_text(p, &p->source, SHARD_ACTION, err);
    }
    if (rc == CWM_OK && !has_state) {
        rc = add_token(p, TOKEN_ARG, SHARD_ARGUMENT, err);
    }
    if (rc == CWM_OK && !has_state) {
        rc = add_text(p, &p->arg, SHARD_ARGUMENT, err);
    }
    return rc == CWM_OK
               ? add_token(p, TOKEN_FRAME,
                           has_state ? SHARD_ACTION : SHARD_ARGUMENT, err)
               : rc;
}

/* ---- the record ---- */

static bool note_verdict(struct trace_packer *p, struct json_in *in,
                         struct parts *parts)
{
    cwm_buf_clear(&p->text);
    if (!json_string(in, &p->text)) {
        return false;
    }
    parts->is_complete =
        is(&p->text, "ok") || is(&p->text, "exception") || is(&p->text, "exit");
    return true;
}

static bool note_entry(struct trace_packer *p, struct json_in *in,
                       struct parts *parts)
{
    cwm_buf_clear(&p->text);
    if (json_null(in)) {
        return true;
    }
    if (!json_string(in, &p->text)) {
        return false;
    }
    parts->is_main = is(&p->text, "main");
    return true;
}

/* Where everything is: the members may stand in any order. */
static enum cwm_rc find_parts(struct trace_packer *p, struct json_in *in,
                              struct parts *parts, struct cwm_err *err)
{
    bool ok = json_open(in, '{');

    for (bool first = true; ok && json_more(in, '}', first); first = false) {
        cwm_buf_clear(&p->key);
        ok = json_key(in, &p->key);
        if (ok && is(&p->key, "context")) {
            parts->context = in->at;
        } else if (ok && is(&p->key, "frames")) {
            parts->frames = in->at;
        }
        if (ok && is(&p->key, "verdict")) {
            ok = note_verdict(p, in, parts);
        } else if (ok && is(&p->key, "entry")) {
            ok = note_entry(p, in, parts);
        } else if (ok) {
            ok = json_skip(in);
        }
    }
    if (in->failed == CWM_OK && json_peek(in) != '\0') {
        in->failed = CWM_FORMAT;
    }
    if (in->failed != CWM_OK) {
        return refuse(in, err);
    }
    if (parts->context == 0 || parts->frames == 0) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "no record of a trace: there is no \"%s\"",
                        parts->context == 0 ? "context" : "frames");
    }
    return CWM_OK;
}

/* Take the marker out; its line's end stays. */
static void drop_marker(struct cwm_buf *program)
{
    static const char marker[] = "  " SOURCE_MARKER;
    size_t len = sizeof marker - 1;
    char *at = program->data;
    char *end = at ? at + program->len : NULL;

    while (at && (at = memmem(at, (size_t)(end - at), marker, len)) != NULL) {
        if (at + len == end || at[len] == '\n' || at[len] == '\r') {
            memmove(at, at + len, (size_t)(end - at) - len + 1);
            program->len -= len;
            return;
        }
        at++;
    }
}

/* Take out the main() that --wrap-main has put behind the program. */
static void drop_main(struct cwm_buf *program)
{
    static const char head[] = "\n\ndef main():\n    return ";
    char *last = NULL;
    char *hit = program->data;

    while (hit && (hit = strstr(hit, head)) != NULL) {
        last = hit++;
    }
    if (last && strchr(last + sizeof head - 1, '\n') ==
                    program->data + program->len - 1) {
        program->len = (size_t)(last - program->data);
    }
}

static uint64_t program_hash(struct cwm_buf *program, bool is_main)
{
    drop_marker(program);
    if (is_main) {
        drop_main(program);
    }
    return XXH3_64bits(program->data ? program->data : "", program->len);
}

static enum cwm_rc put_context(struct trace_packer *p, const struct json_in *in,
                               const struct parts *parts, uint64_t *ret_hash,
                               struct cwm_err *err)
{
    struct json_in at = {
        .text = in->text, .len = in->len, .at = parts->context};
    enum cwm_rc rc;

    cwm_buf_clear(&p->text);
    if (!json_string(&at, &p->text)) {
        return refuse(&at, err);
    }
    rc = add_token(p, TOKEN_BEGIN, SHARD_CONTEXT, err);
    if (rc == CWM_OK) {
        rc = add_token(p, TOKEN_CONTEXT, SHARD_CONTEXT, err);
    }
    if (rc == CWM_OK) {
        rc = add_text(p, &p->text, SHARD_CONTEXT, err);
    }
    if (rc == CWM_OK) {
        rc = add_token(p, TOKEN_FRAME, SHARD_CONTEXT, err);
    }
    *ret_hash = program_hash(&p->text, parts->is_main);
    return rc;
}

static enum cwm_rc put_frames(struct trace_packer *p, const struct json_in *in,
                              const struct parts *parts, size_t *ret_n,
                              struct cwm_err *err)
{
    struct json_in at = {.text = in->text, .len = in->len, .at = parts->frames};
    enum cwm_rc rc = CWM_OK;

    *ret_n = 0;
    if (!json_open(&at, '[')) {
        return refuse(&at, err);
    }
    for (bool first = true; rc == CWM_OK && json_more(&at, ']', first);
         first = false) {
        rc = read_frame(p, &at, err);
        if (rc == CWM_OK) {
            rc = put_frame(p, err);
        }
        ++*ret_n;
    }
    return rc;
}

enum cwm_rc trace_pack(struct trace_packer *p, const char *record, size_t len,
                       struct packed_trace *ret_trace, struct cwm_err *err)
{
    struct json_in in = {.text = record, .len = len};
    struct parts parts = {0};
    uint64_t hash = 0;
    size_t n_frames = 0;
    enum cwm_rc rc;

    p->ids.n = 0;
    cwm_buf_clear(&p->classes);
    rc = find_parts(p, &in, &parts, err);
    if (rc == CWM_OK) {
        rc = put_context(p, &in, &parts, &hash, err);
    }
    if (rc == CWM_OK) {
        rc = put_frames(p, &in, &parts, &n_frames, err);
    }
    if (rc == CWM_OK && parts.is_complete) {
        rc = add_token(p, TOKEN_END, SHARD_OBSERVATION, err);
    }
    if (rc == CWM_OK) {
        *ret_trace = (struct packed_trace){
            .ids = p->ids.ids,
            .classes = (const uint8_t *)p->classes.data,
            .n = n_frames > 0 ? p->ids.n : 0,
            .program_hash = hash,
        };
    }
    return rc;
}
