/* SPDX-License-Identifier: MIT */
/* fault_base.c -- buffers, files, lines, pipelines while memory is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/buf.h"
#include "cwm/base/io.h"
#include "cwm/base/lines.h"
#include "cwm/base/pipeline.h"
#include "tests/fault/fault.h"

#define N_LINES 300u

static char path[] = "/tmp/cwm-fault-XXXXXX";

/* A file of N_LINES lines, some longer than a reader's first buffer. */
static int make_file(void **state)
{
    int fd = mkstemp(path);
    struct cwm_buf text;
    unsigned i;

    (void)state;
    assert_true(fd >= 0);
    cwm_buf_init(&text, 1u << 20);
    for (i = 0; i < N_LINES; i++) {
        cwm_buf_addf(&text, "%0*u\n", i % 50 == 49 ? 5000 : 20, i);
    }
    assert_int_equal(io_write_all(fd, path, text.data, text.len, NULL, NULL),
                     CWM_OK);
    cwm_buf_release(&text);
    close(fd);
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static enum cwm_rc fill_buffer(void *ctx, struct cwm_err *err)
{
    static const char text[] = "quote \" accent \xC3\xA9 face \xF0\x9F\x98\x80";
    struct cwm_buf b;
    enum cwm_rc rc;
    unsigned i;

    (void)ctx;
    cwm_buf_init(&b, 1u << 20);
    for (i = 0; i < 200; i++) {
        cwm_buf_add_json(&b, text, sizeof text - 1);
        cwm_buf_addf(&b, ", %u", i);
    }
    rc = cwm_buf_check(&b, "the text", err);
    assert_true(rc != CWM_OK || b.len == strlen(b.data));
    cwm_buf_release(&b);
    return rc;
}

static void buf__a_growing_buffer_fails_cleanly(void **state)
{
    (void)state;
    fault_each_allocation("buffer", fill_buffer, NULL);
}

static enum cwm_rc read_file(void *ctx, struct cwm_err *err)
{
    struct cwm_buf b;
    enum cwm_rc rc;

    (void)ctx;
    cwm_buf_init(&b, 1u << 20);
    rc = io_read_file(path, &b, err);
    cwm_buf_release(&b);
    return rc;
}

static void io__a_file_that_does_not_fit_is_told(void **state)
{
    (void)state;
    fault_each_allocation("io_read_file", read_file, NULL);
}

static enum cwm_rc read_lines(void *ctx, struct cwm_err *err)
{
    struct lines *l = NULL; /* owned */
    uint64_t n_lines = 0;
    bool more = true;
    enum cwm_rc rc = lines_open(path, 10000, NULL, &l, err);

    (void)ctx;
    while (rc == CWM_OK && more) {
        struct line line;

        rc = lines_next(l, &line, &more, err);
        n_lines += rc == CWM_OK && more;
    }
    assert_true(rc != CWM_OK || n_lines == N_LINES);
    lines_close(l);
    return rc;
}

static void lines__a_reader_fails_cleanly(void **state)
{
    (void)state;
    fault_each_allocation("lines", read_lines, NULL);
}

struct count {
    uint64_t n_read;
    uint64_t n_written;
};

static enum cwm_rc give(void *ctx, struct pipeline_item *item, bool *ret_more,
                        struct cwm_err *err)
{
    struct count *c = ctx;

    *ret_more = c->n_read < 40;
    if (*ret_more) {
        cwm_buf_addf(&item->in, "%0100u", (unsigned)c->n_read++);
    }
    return cwm_buf_check(&item->in, "an item", err);
}

static enum cwm_rc work(void *ctx, unsigned thread, struct pipeline_item *item,
                        struct cwm_err *err)
{
    (void)ctx;
    (void)thread;
    cwm_buf_add(&item->out, item->in.data, item->in.len);
    cwm_buf_add(&item->out, item->in.data, item->in.len);
    return cwm_buf_check(&item->out, "a result", err);
}

static enum cwm_rc take(void *ctx, struct pipeline_item *item,
                        struct cwm_err *err)
{
    struct count *c = ctx;

    (void)err;
    assert_int_equal(item->number, c->n_written);
    assert_int_equal(item->out.len, 200);
    c->n_written++;
    return CWM_OK;
}

static enum cwm_rc run_pipeline(void *ctx, struct cwm_err *err)
{
    static const struct pipeline_ops ops = {
        .read = give, .work = work, .write = take};
    const unsigned *n_threads = ctx;
    struct pipeline_options options = {.n_threads = *n_threads,
                                       .window = 8,
                                       .budget_bytes = 1u << 20,
                                       .max_item_bytes = 1000,
                                       .note_bytes = 16};
    struct count c = {0};
    enum cwm_rc rc = pipeline_run(&options, &ops, &c, err);

    assert_true(rc != CWM_OK || c.n_written == 40);
    return rc;
}

static void pipeline__all_before_the_failure_is_written(void **state)
{
    unsigned n_threads;

    (void)state;
    for (n_threads = 1; n_threads <= 3; n_threads++) {
        fault_each_allocation("pipeline", run_pipeline, &n_threads);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf__a_growing_buffer_fails_cleanly),
        cmocka_unit_test(io__a_file_that_does_not_fit_is_told),
        cmocka_unit_test(lines__a_reader_fails_cleanly),
        cmocka_unit_test(pipeline__all_before_the_failure_is_written),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
