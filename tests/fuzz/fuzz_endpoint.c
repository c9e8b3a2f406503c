/* SPDX-License-Identifier: MIT */
/*
 * fuzz_endpoint.c -- any bytes as a model's answer, and what is found in its
 * texts as a CRUXEval answer and as a generated test.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "eval/crux_ask.h"
#include "eval/endpoint_internal.h"
#include "eval/filter.h"
#include "tests/fuzz/fuzz.h"

static void use_text(const char *text, size_t len)
{
    enum filter_reason reason;

    for (int style = CRUX_DIRECT; style <= CRUX_TRACE; style++) {
        struct cwm_buf out;
        bool found = false;

        cwm_buf_init(&out, SIZE_MAX / 2);
        must(crux_answer((enum crux_style)style, text, len, &out, &found,
                         NULL) == CWM_OK);
        must(!found || out.len > 0);
        cwm_buf_release(&out);
    }
    must(filter_text(text, len, &reason, NULL) == CWM_OK);
    must(reason <= FILTER_NOT_DETERMINISTIC);
    (void)filter_needs_module(text, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct endpoint__message m;
    enum endpoint_outcome outcome = ENDPOINT_NOT_ASKED;
    char *body = cwm_strndup((const char *)data, len);

    must(body != NULL);
    must(endpoint__read(body, len, &m, &outcome, NULL) == CWM_OK);
    must((outcome == ENDPOINT_ANSWERED) == (m.n_choices > 0));
    for (size_t i = 0; i < m.n_choices; i++) {
        must(m.choices[i].text[m.choices[i].len] == '\0');
        use_text(m.choices[i].text, m.choices[i].len);
    }
    endpoint__message_release(&m);
    use_text(body, len);
    cwm_free(body);
    return 0;
}
