/* SPDX-License-Identifier: MIT */
/* predicted.c -- see predicted.h. */
#include "eval/predicted.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/json_in.h"

#define MAX_TEXT_BYTES ((size_t)1 << 30)

static const char begin_token[] = "<|begin_of_text|>";
static const char context_token[] = "<|trace_context_start|>";
static const char end_token[] = "<|end_of_text|>";
static const char frame_token[] = "<|frame_sep|>";
static const char action_token[] = "<|action_sep|>";
static const char arg_token[] = "<|arg_sep|>";

static const char *const event_tokens[] = {
    [TRACE_CALL] = "<|call_sep|>",
    [TRACE_LINE] = "<|line_sep|>",
    [TRACE_RETURN] = "<|return_sep|>",
    [TRACE_EXCEPTION] = "<|exception_sep|>",
};

enum { N_EVENTS = sizeof event_tokens / sizeof *event_tokens };

struct storage {
    struct cwm_buf frames;  /* struct predicted_frame */
    struct cwm_buf locals;  /* struct predicted_local */
    struct cwm_buf decoded; /* texts; of its final size from the start */
};

struct parser {
    const char *text; /* borrowed */
    size_t len;
    size_t at;
    struct predicted_text context;
    size_t line_end;  /* the first '\n' at or behind `at`, when >= at */
    size_t json_work; /* bytes that objects were looked for in */
    struct storage *s;
    struct predicted *out;
    struct predicted_frame *frame; /* the one being read */
};

/* ---- storage ---- */

static void storage_free(struct storage *s)
{
    if (s) {
        cwm_buf_release(&s->frames);
        cwm_buf_release(&s->locals);
        cwm_buf_release(&s->decoded);
        cwm_free(s);
    }
}

static struct storage *storage_new(size_t decoded_bytes)
{
    struct storage *s = cwm_calloc(1, sizeof *s);

    if (!s) {
        return NULL;
    }
    cwm_buf_init(&s->frames, SIZE_MAX / 4);
    cwm_buf_init(&s->locals, SIZE_MAX / 4);
    cwm_buf_init(&s->decoded, decoded_bytes + 1);
    /* Room for one: pointers to no locals are pointers, too. */
    if (cwm_buf_reserve(&s->locals, sizeof(struct predicted_local)) != CWM_OK ||
        cwm_buf_reserve(&s->decoded, decoded_bytes + 1) != CWM_OK) {
        storage_free(s);
        return NULL;
    }
    return s;
}

static enum cwm_rc hand_over(struct storage *s, struct predicted *out,
                             struct cwm_err *err)
{
    if (s->frames.failed != CWM_OK || s->locals.failed != CWM_OK) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a trace's frames");
    }
    out->frames = (struct predicted_frame *)(void *)s->frames.data;
    out->n_frames = s->frames.len / sizeof(struct predicted_frame);
    out->locals = (struct predicted_local *)(void *)s->locals.data;
    out->n_locals = s->locals.len / sizeof(struct predicted_local);
    out->storage = s;
    return CWM_OK;
}

void predicted_release(struct predicted *p)
{
    storage_free(p->storage);
    *p = (struct predicted){0};
}

/* ---- tokens ---- */

static bool token_at(const struct parser *p, size_t at, const char *token)
{
    size_t len = strlen(token);

    return at <= p->len && p->len - at >= len &&
           memcmp(p->text + at, token, len) == 0;
}

static bool take(struct parser *p, const char *token)
{
    if (!token_at(p, p->at, token)) {
        return false;
    }
    p->at += strlen(token);
    return true;
}

/* The first `token` in [from, to), or `to`. */
static size_t find(const struct parser *p, size_t from, size_t to,
                   const char *token)
{
    const char *hit =
        from < to ? memmem(p->text + from, to - from, token, strlen(token))
                  : NULL;

    return hit ? (size_t)(hit - p->text) : to;
}

static int event_at(const struct parser *p, size_t at)
{
    for (int i = 0; i < N_EVENTS; i++) {
        if (token_at(p, at, event_tokens[i])) {
            return i;
        }
    }
    return PREDICTED_NO_EVENT;
}

/* The format is broken at `at`; the first place stays. */
static void broken(struct parser *p, size_t at, const char *why)
{
    if (p->out->whole) {
        p->out->whole = false;
        p->out->broken_at = at;
        p->out->broken_why = why;
    }
    if (p->frame) {
        p->frame->whole = false;
    }
}

/* ---- JSON ---- */

static struct predicted_text decoded_since(const struct storage *s,
                                           size_t before)
{
    return (struct predicted_text){s->decoded.data + before,
                                   s->decoded.len - before};
}

static bool take_member(struct json_in *in, struct storage *s,
                        struct predicted_local *local)
{
    size_t before = s->decoded.len;
    size_t start;

    if (!json_key(in, &s->decoded)) {
        return false;
    }
    local->name = decoded_since(s, before);
    before = s->decoded.len;
    local->is_text = json_peek(in) == '"';
    if (local->is_text) {
        if (!json_string(in, &s->decoded)) {
            return false;
        }
        local->value = decoded_since(s, before);
        return true;
    }
    start = in->at;
    if (!json_skip(in)) {
        return false;
    }
    local->value = (struct predicted_text){in->text + start, in->at - start};
    return true;
}

/* What broken objects are looked through again and again for is limited, or
 * a text made for it could take time quadratic in its length. */
static bool may_look(const struct parser *p)
{
    return p->at < p->len && p->text[p->at] == '{' &&
           p->json_work / 8 <= p->len;
}

/* The object at `at`; false, and `at` at the byte that is wrong. */
static bool take_locals(struct parser *p)
{
    struct json_in in = {.text = p->text, .len = p->len, .at = p->at};
    size_t n_before = p->s->locals.len;
    size_t decoded_before = p->s->decoded.len;

    if (may_look(p) && json_open(&in, '{')) {
        for (bool first = true; json_more(&in, '}', first); first = false) {
            struct predicted_local local = {.is_text = false};

            if (!take_member(&in, p->s, &local)) {
                break;
            }
            cwm_buf_add(&p->s->locals, &local, sizeof local);
        }
    } else {
        in.failed = CWM_FORMAT;
    }
    p->json_work += in.at - p->at;
    p->at = in.at;
    if (in.failed != CWM_OK) {
        p->s->locals.len = n_before;
        p->s->decoded.len = decoded_before;
        return false;
    }
    p->frame->has_locals = true;
    p->frame->first_local = n_before / sizeof(struct predicted_local);
    p->frame->n_locals =
        (p->s->locals.len - n_before) / sizeof(struct predicted_local);
    return true;
}

/* The object may be JSON and yet not what the format has. */
static void check_values(struct parser *p)
{
    const struct predicted_local *locals =
        (const struct predicted_local *)(const void *)p->s->locals.data;

    for (size_t i = 0; i < p->frame->n_locals; i++) {
        if (!locals[p->frame->first_local + i].is_text) {
            broken(p, p->at, "a local's value is no JSON string");
            return;
        }
    }
}

/* ---- the parts of a frame ---- */

static size_t next_line_end(struct parser *p)
{
    if (p->line_end < p->at) {
        const char *hit = memchr(p->text + p->at, '\n', p->len - p->at);

        p->line_end = hit ? (size_t)(hit - p->text) : p->len;
    }
    return p->line_end;
}

/* Is [from, to) one of the program's lines? */
static bool is_line(const struct parser *p, size_t from, size_t to)
{
    const char *context = p->context.text;
    size_t left = p->context.len;
    size_t len = to - from;

    while (context && left >= len) {
        const char *hit = memmem(context, left, p->text + from, len);
        size_t before;

        if (!hit) {
            return false;
        }
        before = (size_t)(hit - context);
        if ((hit == p->context.text || hit[-1] == '\n') &&
            (before + len == left || hit[len] == '\n')) {
            return true;
        }
        left -= before + 1;
        context = hit + 1;
    }
    return false;
}

/*
 * Does the source line end at `end`?  A token's name inside it is the
 * program's own text where the program has that line, and otherwise unless
 * another frame begins behind it.
 */
static bool is_source(const struct parser *p, size_t from, size_t end)
{
    size_t inside = find(p, from, end, frame_token);

    return inside == end ||
           event_at(p, inside + strlen(frame_token)) == PREDICTED_NO_EVENT ||
           is_line(p, from, end);
}

static void take_source(struct parser *p)
{
    size_t start = p->at;
    size_t end = next_line_end(p);
    size_t behind = end < p->len ? end + 1 : p->len;

    if (end < p->len && is_source(p, start, end) &&
        (behind == p->len || token_at(p, behind, frame_token) ||
         token_at(p, behind, arg_token))) {
        p->frame->source_ended = true;
        p->at = behind;
    } else {
        size_t stop = find(p, start, p->len, frame_token);

        end = find(p, start, stop, arg_token);
        p->at = end;
        broken(p, end, "a source line does not end");
    }
    p->frame->source = (struct predicted_text){p->text + start, end - start};
}

static void take_arg(struct parser *p)
{
    struct json_in in = {.text = p->text, .len = p->len, .at = p->at};
    size_t before = p->s->decoded.len;
    bool ok = p->at < p->len && p->text[p->at] == '"' &&
              json_string(&in, &p->s->decoded);

    p->at = in.at;
    if (ok) {
        p->frame->arg = decoded_since(p->s, before);
    } else {
        p->s->decoded.len = before;
        broken(p, in.at, "a value is no JSON string");
    }
}

/* Go to the action's token of this frame; false when it has none.  It may
 * stand behind `from`, within what could not be read as an object. */
static bool find_action(struct parser *p, size_t from)
{
    size_t end;

    if (take(p, action_token)) {
        return true;
    }
    broken(p, p->at, "an action was expected");
    end = find(p, p->at, p->len, frame_token);
    p->at = find(p, from, end, action_token);
    return take(p, action_token);
}

static void take_parts(struct parser *p)
{
    size_t start = p->at;
    bool has_arg =
        p->frame->event == TRACE_RETURN || p->frame->event == TRACE_EXCEPTION;

    if (!has_arg && take_locals(p)) {
        check_values(p);
        start = p->at;
    } else if (!has_arg) {
        broken(p, p->at, "the locals are no JSON object");
    }
    if (!find_action(p, start)) {
        return;
    }
    take_source(p);
    if (take(p, arg_token)) {
        take_arg(p);
        if (!has_arg) {
            broken(p, p->at, "a call or a line has no argument");
        }
    } else if (has_arg) {
        broken(p, p->at, "an argument was expected");
    }
}

/* Behind the end of a broken frame, or to the end of the trace. */
static void pass_rest(struct parser *p)
{
    size_t end = find(p, p->at, p->len, frame_token);

    p->at = end < p->len ? end : find(p, p->at, p->len, end_token);
    take(p, frame_token);
}

static void take_frame(struct parser *p)
{
    struct predicted_frame frame = {
        .event = event_at(p, p->at), .whole = true, .at = p->at};

    p->frame = &frame;
    if (frame.event == PREDICTED_NO_EVENT) {
        broken(p, p->at, "a frame was expected");
    } else {
        p->at += strlen(event_tokens[frame.event]);
        take_parts(p);
    }
    if (!take(p, frame_token)) {
        broken(p, p->at, "the end of a frame was expected");
        pass_rest(p);
    }
    p->frame = NULL;
    cwm_buf_add(&p->s->frames, &frame, sizeof frame);
}

/* ---- the whole ---- */

/* Where the context ends: at the known one's end, else at the first end of a
 * frame behind which another begins, else at the first. */
static size_t context_end(const struct parser *p)
{
    size_t first = find(p, p->at, p->len, frame_token);
    size_t end = first;

    if (p->context.text && p->len - p->at >= p->context.len &&
        memcmp(p->text + p->at, p->context.text, p->context.len) == 0 &&
        token_at(p, p->at + p->context.len, frame_token)) {
        return p->at + p->context.len;
    }
    while (end < p->len &&
           event_at(p, end + strlen(frame_token)) == PREDICTED_NO_EVENT) {
        end = find(p, end + 1, p->len, frame_token);
    }
    return end < p->len ? end : first;
}

static void take_head(struct parser *p)
{
    bool begun = take(p, begin_token);

    if (take(p, context_token)) {
        p->at = context_end(p);
        if (!take(p, frame_token)) {
            broken(p, p->at, "the context does not end");
        }
    } else if (begun) {
        broken(p, p->at, "a context was expected");
    }
}

/* The line break that an editor leaves at a file's end. */
static bool is_last_line_end(const struct parser *p)
{
    return p->len - p->at == 1 && p->text[p->at] == '\n';
}

static void take_all(struct parser *p)
{
    take_head(p);
    while (p->at < p->len && !is_last_line_end(p)) {
        if (take(p, end_token)) {
            p->out->is_finished = true;
            break;
        }
        take_frame(p);
        if (p->s->frames.failed != CWM_OK || p->s->locals.failed != CWM_OK) {
            return;
        }
    }
    p->at += is_last_line_end(p);
    if (p->at < p->len) {
        broken(p, p->at, "something stands behind the end");
    } else if (p->s->frames.len == 0) {
        broken(p, p->at, "there is no frame");
    }
}

enum cwm_rc predicted_parse(const char *text, size_t len, const char *context,
                            size_t context_len, struct predicted *ret,
                            struct cwm_err *err)
{
    struct predicted out = {.whole = true};
    struct parser p = {.text = text,
                       .len = len,
                       .context = {context, context_len},
                       .out = &out};
    enum cwm_rc rc;

    if (len > MAX_TEXT_BYTES) {
        return CWM_FAIL(err, CWM_LIMIT, "a predicted trace of %zu bytes", len);
    }
    p.s = storage_new(len);
    if (!p.s) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a predicted trace");
    }
    p.line_end = 0;
    take_all(&p);
    rc = hand_over(p.s, &out, err);
    if (rc == CWM_OK) {
        *ret = out;
    } else {
        storage_free(p.s);
    }
    return rc;
}

/* ---- a true trace ---- */

static struct predicted_text text_of(const uint8_t *text, size_t len)
{
    return (struct predicted_text){(const char *)text, len};
}

static void add_true_frame(struct storage *s, const struct source *source,
                           const struct trace_frame *frame)
{
    struct predicted_frame f = {.event = (int)frame->event,
                                .whole = true,
                                .has_locals = !frame->arg,
                                .source_ended = true,
                                .n_locals = frame->n_locals};

    f.first_local = s->locals.len / sizeof(struct predicted_local);
    f.source.text = source_line(source, frame->line, &f.source.len);
    if (frame->arg) {
        f.arg = text_of(frame->arg, frame->arg_len);
    }
    for (size_t i = 0; i < frame->n_locals; i++) {
        const struct trace_local *local = &frame->locals[i];
        struct predicted_local l = {
            .name = text_of(local->name, local->name_len),
            .value = text_of(local->value, local->value_len),
            .is_text = true};

        if (local->same) {
            l.value = (struct predicted_text){"..", 2};
        }
        cwm_buf_add(&s->locals, &l, sizeof l);
    }
    cwm_buf_add(&s->frames, &f, sizeof f);
}

enum cwm_rc predicted_from_trace(struct trace_reader *reader,
                                 const struct source *source,
                                 struct predicted *ret, struct cwm_err *err)
{
    struct predicted out = {.whole = true, .is_finished = true};
    struct storage *s = storage_new(0);
    struct trace_frame frame;
    bool more = reader != NULL;
    enum cwm_rc rc = CWM_OK;

    if (!s) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a trace");
    }
    if (reader) {
        trace_reader_rewind(reader);
    }
    while (rc == CWM_OK && more) {
        rc = trace_reader_next(reader, &frame, &more, err);
        if (rc == CWM_OK && more) {
            add_true_frame(s, source, &frame);
        }
    }
    if (rc == CWM_OK) {
        rc = hand_over(s, &out, err);
    }
    if (rc == CWM_OK) {
        *ret = out;
    } else {
        storage_free(s);
    }
    return rc;
}

int64_t predicted_open_scopes(const struct predicted *p)
{
    int64_t open = 0;

    for (size_t i = 0; i < p->n_frames; i++) {
        open += p->frames[i].event == TRACE_CALL;
        open -= p->frames[i].event == TRACE_RETURN;
    }
    return open;
}
