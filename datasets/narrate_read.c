/* SPDX-License-Identifier: MIT */
/*
 * narrate_read.c -- sentences as facts.
 *
 * The text is hostile: it may come from a model.  Every sentence of the table
 * is tried at a place until one matches as a whole; what a failed try noted is
 * taken back.
 */
#include "datasets/narrate.h"

#include <string.h>

#include "cwm/base/utf8.h"
#include "datasets/narrate_internal.h"

struct text_reader {
    const char *text;
    size_t len, at;
    struct narration *n; /* borrowed */
    struct cwm_buf span; /* owned: the last span's content */
    enum cwm_rc failed;
};

static bool take(struct text_reader *r, const char *literal, size_t len)
{
    if (r->len - r->at < len || memcmp(r->text + r->at, literal, len) != 0) {
        return false;
    }
    r->at += len;
    return true;
}

static bool take_number(struct text_reader *r, uint32_t *ret)
{
    uint64_t n = 0;
    size_t start = r->at;

    while (r->at < r->len && r->text[r->at] >= '0' && r->text[r->at] <= '9') {
        n = n * 10 + (uint64_t)(r->text[r->at++] - '0');
        if (n > UINT32_MAX) {
            return false;
        }
    }
    *ret = (uint32_t)n;
    return r->at > start;
}

/* `...`: content in text[*ret_from .. *ret_to). */
static bool take_fenced(struct text_reader *r, size_t *ret_from, size_t *ret_to)
{
    size_t fence = 0;
    size_t run = 0;
    size_t from;

    while (r->at < r->len && r->text[r->at] == '`') {
        fence++;
        r->at++;
    }
    from = r->at;
    if (fence == 0) {
        return false;
    }
    for (size_t i = from; i <= r->len; i++) {
        if (i < r->len && r->text[i] == '`') {
            run++;
            continue;
        }
        if (run == fence) {
            *ret_from = from;
            *ret_to = i - fence;
            r->at = i;
            return true;
        }
        run = 0;
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex4(const char *p, const char *end, uint32_t *ret)
{
    uint32_t code = 0;

    if (end - p < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);

        if (digit < 0) {
            return false;
        }
        code = code << 4 | (uint32_t)digit;
    }
    *ret = code;
    return true;
}

bool narrate__decode_json(const char *p, const char *end, struct cwm_buf *out)
{
    if (end - p < 2 || *p != '"' || end[-1] != '"') {
        return false;
    }
    p++;
    end--;
    while (p < end) {
        static const char names[] = "\"\\/bfnrt";
        static const char codes[] = "\"\\/\b\f\n\r\t";
        const char *name;
        uint32_t code = 0;
        char bytes[4];

        if (*p != '\\') {
            cwm_buf_addc(out, *p++);
            continue;
        }
        if (++p == end) {
            return false;
        }
        name = strchr(names, *p);
        if (*p != '\0' && name) {
            cwm_buf_addc(out, codes[name - names]);
            p++;
            continue;
        }
        if (*p != 'u' || !hex4(p + 1, end, &code)) {
            return false;
        }
        p += 5;
        if (code >= 0xD800 && code < 0xDC00 && end - p >= 6 && p[0] == '\\' &&
            p[1] == 'u') {
            uint32_t low = 0;

            if (hex4(p + 2, end, &low) && low >= 0xDC00 && low < 0xE000) {
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                p += 6;
            }
        }
        cwm_buf_add(out, bytes, cwm_utf8_encode(code, bytes));
    }
    return true;
}

/* A value or name into r->span. */
static bool take_value(struct text_reader *r)
{
    static const char mark[] = " (in JSON)";
    size_t from;
    size_t to;

    cwm_buf_clear(&r->span);
    if (!take_fenced(r, &from, &to)) {
        return false;
    }
    if (to - from >= 2 && r->text[from] == ' ' && r->text[to - 1] == ' ') {
        from++;
        to--;
    }
    if (take(r, mark, sizeof mark - 1)) {
        if (!narrate__decode_json(r->text + from, r->text + to, &r->span)) {
            return false;
        }
    } else {
        cwm_buf_add(&r->span, r->text + from, to - from);
    }
    if (r->span.failed != CWM_OK) {
        r->failed = r->span.failed;
        return false;
    }
    return true;
}

static const char *span_text(const struct text_reader *r)
{
    return r->span.data ? r->span.data : "";
}

static bool note(struct text_reader *r, enum narrate_fact_kind kind)
{
    enum cwm_rc rc = narrate__add(r->n, kind, 0, NULL, 0, NULL, 0, NULL);

    if (rc != CWM_OK) {
        r->failed = rc;
    }
    return rc == CWM_OK;
}

/* Puts the span into the last fact's name or value. */
static bool set_text(struct text_reader *r, size_t fact, bool is_name)
{
    struct narrate__fact *f = &r->n->raw[fact];
    size_t at = r->n->texts.len;

    if (cwm_buf_add(&r->n->texts, span_text(r), r->span.len) != CWM_OK) {
        r->failed = r->n->texts.failed;
        return false;
    }
    if (is_name) {
        f->has_name = true;
        f->name_at = at;
        f->name_len = r->span.len;
    } else {
        f->has_value = true;
        f->value_at = at;
        f->value_len = r->span.len;
    }
    return true;
}

/* `a` is `1`, `b` is `2` and `c` is `3` */
static bool take_bindings(struct text_reader *r, enum narrate_style style)
{
    const char *binder = narrate__binder(style);

    for (;;) {
        size_t fact = r->n->n_facts;

        if (!take_value(r) || !note(r, NARRATE_FACT_VALUE) ||
            !set_text(r, fact, true) || !take(r, binder, strlen(binder)) ||
            !take_value(r) || !set_text(r, fact, false)) {
            return false;
        }
        if (r->len - r->at > 5 && memcmp(r->text + r->at, " and `", 6) == 0) {
            r->at += 5;
        } else if (r->len - r->at > 2 &&
                   memcmp(r->text + r->at, ", `", 3) == 0) {
            r->at += 2;
        } else {
            return true;
        }
    }
}

static enum narrate_fact_kind kind_of(enum narrate_shape shape)
{
    static const enum narrate_fact_kind kinds[SHAPE_N] = {
        [SHAPE_CALL] = NARRATE_FACT_CALL,
        [SHAPE_CALL_BARE] = NARRATE_FACT_CALL,
        [SHAPE_LINE] = NARRATE_FACT_LINE,
        [SHAPE_LINE_SAME] = NARRATE_FACT_LINE,
        [SHAPE_UNBOUND] = NARRATE_FACT_UNBOUND,
        [SHAPE_RETURN] = NARRATE_FACT_RETURN,
        [SHAPE_YIELD] = NARRATE_FACT_YIELD,
        [SHAPE_RESUME] = NARRATE_FACT_RESUME,
        [SHAPE_RESUME_BARE] = NARRATE_FACT_RESUME,
        [SHAPE_EXCEPTION] = NARRATE_FACT_EXCEPTION,
        [SHAPE_BACK] = NARRATE_FACT_BACK,
        [SHAPE_END] = NARRATE_FACT_END,
        [SHAPE_END_BARE] = NARRATE_FACT_END,
    };

    return kinds[shape];
}

static bool take_slot(struct text_reader *r, char slot, size_t fact,
                      enum narrate_style style)
{
    uint32_t line;

    switch (slot) {
    case 'L':
        if (!take_number(r, &line)) {
            return false;
        }
        r->n->raw[fact].line = line;
        return true;
    case 'C':
        return take_value(r);
    case 'F':
    case 'N':
        return take_value(r) && set_text(r, fact, true);
    case 'V':
        return take_value(r) && set_text(r, fact, false);
    default: /* 'A' */
        return take_bindings(r, style);
    }
}

static bool take_sentence(struct text_reader *r,
                          const struct narrate_sentence *s)
{
    size_t at = r->at;
    size_t n_facts = r->n->n_facts;
    size_t n_texts = r->n->texts.len;
    const char *p = s->text;
    bool done = *p == '%' || (at < r->len && r->text[at] == *p);

    done = done && note(r, kind_of(s->shape));
    while (done && *p) {
        if (*p == '%') {
            done = take_slot(r, p[1], n_facts, s->style);
            p += 2;
        } else {
            size_t len = strcspn(p, "%");

            done = take(r, p, len);
            p += len;
        }
    }
    /* whole sentences only */
    done = done &&
           (r->at == r->len || r->text[r->at] == ' ' || r->text[r->at] == '\n');
    if (!done) {
        r->at = at;
        r->n->n_facts = n_facts;
        r->n->texts.len = n_texts;
    }
    return done;
}

/* Spaces, line ends, and the number of a step. */
static void skip_gap(struct text_reader *r)
{
    size_t at;
    uint32_t number;

    while (r->at < r->len &&
           (r->text[r->at] == ' ' || r->text[r->at] == '\n')) {
        r->at++;
    }
    at = r->at;
    if (!take_number(r, &number) || !take(r, ". ", 2)) {
        r->at = at;
    }
}

static bool take_any(struct text_reader *r)
{
    for (size_t i = 0; i < narrate__n_sentences && r->failed == CWM_OK; i++) {
        if (take_sentence(r, &narrate__sentences[i])) {
            return true;
        }
    }
    return false;
}

enum cwm_rc narrate_read(const char *text, size_t len,
                         struct narration **ret_narration, struct cwm_err *err)
{
    struct narration *n = narrate__new(); /* owned */
    struct text_reader r = {.text = text, .len = len, .n = n};
    enum cwm_rc rc = CWM_OK;

    if (!n) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make a narration");
    }
    cwm_buf_init(&r.span, NARRATE_MAX_BYTES);
    for (;;) {
        skip_gap(&r);
        if (r.at == len) {
            break;
        }
        if (!take_any(&r)) {
            size_t shown = len - r.at < 60 ? len - r.at : 60;

            if (r.failed != CWM_OK) {
                rc = CWM_FAIL(err, r.failed, "could not hold a narration");
            } else {
                shown = cwm_utf8_valid_prefix(text + r.at, shown);
                rc = CWM_FAIL(err, CWM_FORMAT,
                              "no statement is known at byte %zu: '%.*s'", r.at,
                              (int)shown, text + r.at);
            }
            goto out;
        }
    }
    rc = narrate__finish(n, err);
    if (rc == CWM_OK) {
        *ret_narration = n;
        n = NULL; /* now the caller's */
    }
out:
    cwm_buf_release(&r.span);
    narration_free(n);
    return rc;
}
