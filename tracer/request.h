/* SPDX-License-Identifier: MIT */
/*
 * request.h -- one traced run as the host asks the worker for it.
 *
 * Format (host to worker; the worker trusts it): magic "CWMREQ1\n", then
 * u64 LE numbers in the order of the struct, then each text as u64 length +
 * bytes, no padding.
 */
#ifndef TRACER_REQUEST_H
#define TRACER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

struct trace_request {
    uint64_t seed; /* random.seed(seed) before the run */
    uint64_t max_frames;
    uint64_t max_trace_bytes; /* of records */
    uint64_t max_value_bytes;
    uint64_t max_output_bytes;
    uint64_t entry_line; /* of the entry's `def` keyword; 0: script */
    uint64_t traced;     /* 0: run the same way, record only the END; 2: a test
                            suite's, which reads entry and args its own way
                            (suite.h) */
    /* What the texts may cost that only the program's own code can tell, in
     * events of Python code (tracer/worker/contain.h); 0: any. */
    uint64_t max_text_events;
    /* source is UTF-8, no BOM, LF line ends, no NUL. Texts: borrowed. */
    const char *source;
    size_t source_len;
    /*
     * What is compiled when it differs from `source` in the conditions of
     * top-level `if __name__ == "__main__":` statements (they are False when
     * an entry function is traced); else NULL.  Same number of lines.
     */
    const char *compiled;
    size_t compiled_len;
    const char *entry; /* "f", "Class.method"; "" for a script */
    size_t entry_len;
    const char *args; /* Python source of the arguments, may be "" */
    size_t args_len;
};

enum cwm_rc trace_request_write(const struct trace_request *request,
                                struct cwm_buf *out, struct cwm_err *err);
/* Texts point into data.  Fails: CWM_FORMAT. */
enum cwm_rc trace_request_read(const uint8_t *data, size_t len,
                               struct trace_request *ret_request,
                               struct cwm_err *err);

#endif /* TRACER_REQUEST_H */
