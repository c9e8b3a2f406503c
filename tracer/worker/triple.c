/* SPDX-License-Identifier: MIT */
/* triple.c -- see triple.h. */
#include "tracer/worker/triple.h"

size_t triple_room(size_t max_value_bytes)
{
    return 3 * (max_value_bytes + 4) + 8;
}

size_t triple_render(struct value_writer *values, PyObject *triple,
                     size_t max_value_bytes, uint8_t *text, bool *ret_cut)
{
    size_t len = 0;
    *ret_cut = false;
    for (Py_ssize_t i = 0; i < 3; i++) {
        bool is_cut;
        memcpy(text + len, i ? ", " : "(", 2);
        len += i ? 2 : 1;
        len += value_render(values, PyTuple_GET_ITEM(triple, i), text + len,
                            max_value_bytes + 4, &is_cut);
        *ret_cut |= is_cut;
    }
    text[len++] = ')';
    if (len <= max_value_bytes)
        return len;
    /* Cut at a character, with U+2026 behind. */
    len = max_value_bytes > 3 ? max_value_bytes - 3 : 0;
    while (len > 0 && (text[len] & 0xC0) == 0x80)
        len--;
    memcpy(text + len, "\xE2\x80\xA6", 3);
    *ret_cut = true;
    return len + 3;
}
