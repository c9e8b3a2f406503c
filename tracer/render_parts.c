/* SPDX-License-Identifier: MIT */
/* render_parts.c -- see render_parts.h. */
#include "tracer/render_parts.h"

#include "cwm/base/utf8.h"

void render__add_number(struct cwm_buf *out, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    cwm_buf_add(out, digits + at, sizeof digits - at);
}

void render__add_locals(struct cwm_buf *out, const struct trace_frame *frame,
                        bool full)
{
    size_t i;

    cwm_buf_addc(out, '{');
    for (i = 0; i < frame->n_locals; i++) {
        const struct trace_local *local = &frame->locals[i];

        if (i > 0) {
            cwm_buf_add(out, ", ", 2);
        }
        cwm_buf_add_json(out, local->name, local->name_len);
        cwm_buf_add(out, ": ", 2);
        if (local->same && !full) {
            cwm_buf_add(out, "\"..\"", 4);
        } else {
            cwm_buf_add_json(out, local->value, local->value_len);
        }
    }
    cwm_buf_addc(out, '}');
}

/*
 * Bytes of the longest start of a character at text[0..len) that is none:
 * Unicode's "maximal subpart", at least one byte.
 */
static size_t broken_bytes(const uint8_t *text, size_t len)
{
    uint8_t lead = text[0];
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    size_t want = lead >= 0xF0 ? 3 : 2; /* a whole one would be longer */
    size_t n = 1;

    if (lead < 0xE0 || lead > 0xF4) {
        return 1;
    }
    if (lead == 0xE0) {
        low = 0xA0;
    } else if (lead == 0xED) {
        high = 0x9F;
    } else if (lead == 0xF0) {
        low = 0x90;
    } else if (lead == 0xF4) {
        high = 0x8F;
    }
    while (n < want && n < len && text[n] >= low && text[n] <= high) {
        low = 0x80;
        high = 0xBF;
        n++;
    }
    return n;
}

/* `text` with what is no UTF-8 replaced. */
static void repair(const uint8_t *text, size_t len, struct cwm_buf *repaired)
{
    while (len > 0 && repaired->failed == CWM_OK) {
        size_t n = cwm_utf8_valid_prefix(text, len);

        cwm_buf_add(repaired, text, n);
        if (n < len) {
            cwm_buf_adds(repaired, "\xEF\xBF\xBD");
            n += broken_bytes(text + n, len - n);
        }
        text += n;
        len -= n;
    }
}

void render__add_output(struct cwm_buf *out, const uint8_t *text, size_t len)
{
    struct cwm_buf repaired;

    if (len == 0) { /* text may be NULL */
        cwm_buf_adds(out, "\"\"");
        return;
    }
    if (cwm_utf8_valid_prefix(text, len) == len) {
        cwm_buf_add_json(out, text, len);
        return;
    }
    cwm_buf_init(&repaired, SIZE_MAX / 2);
    repair(text, len, &repaired);
    if (repaired.failed == CWM_OK) {
        cwm_buf_add_json(out, repaired.data, repaired.len);
    } else {
        out->failed = repaired.failed;
    }
    cwm_buf_release(&repaired);
}
