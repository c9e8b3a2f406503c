/* SPDX-License-Identifier: MIT */
/*
 * fuzz_request.c -- any bytes as a run's request: what is read is written
 * again as the same bytes.
 */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tracer/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct trace_request request;
    struct cwm_err err = {0};
    struct cwm_buf out;

    if (trace_request_read(data, len, &request, &err) != CWM_OK) {
        must(err.code == CWM_FORMAT && err.message[0] != '\0');
        return 0;
    }
    cwm_buf_init(&out, len);
    must(trace_request_write(&request, &out, NULL) == CWM_OK);
    must(out.len == len && memcmp(out.data, data, len) == 0);
    cwm_buf_release(&out);
    return 0;
}
