/* SPDX-License-Identifier: MIT */
/* fault_record.c -- reading and rendering a trace while memory is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fault/fault.h"
#include "tests/support/stream.h"
#include "tracer/render.h"

#define N_NAMES 40 /* more than the first size of every array */

static struct stream stream; /* large: not on the stack */
static const char program[] = "def f(a):\n    return a\n";

/* Many names, activations and functions; a resume; names that go. */
static void write_trace(void)
{
    char name[8];
    unsigned i;

    stream_begin(&stream);
    for (i = 0; i < N_NAMES; i++) {
        snprintf(name, sizeof name, "f%u", i);
        stream_call(&stream, name, i, 1, "a=1", "b=2", NULL);
        stream_line(&stream, 2, "b", NULL);
    }
    for (i = 0; i < N_NAMES; i++) { /* defined in front of the record */
        snprintf(name, sizeof name, "n%u", i);
        stream_id(&stream, TRACE_RECORD_NAME, name, strlen(name));
    }
    stream_u8(&stream, TRACE_RECORD_LINE);
    stream_v(&stream, 2);
    stream_v(&stream, N_NAMES);
    for (i = 0; i < N_NAMES; i++) {
        snprintf(name, sizeof name, "n%u", i);
        stream_v(
            &stream,
            stream_id(&stream, TRACE_RECORD_NAME, name, strlen(name)) << 2 | 1);
        stream_text(&stream, "a value of some length", 22);
    }
    stream_line(&stream, 2, NULL);
    stream_yield(&stream, 2, "1");
    stream_switch(&stream, N_NAMES - 1);
    stream_except(&stream, 2, "(<class 'E'>, E(), <traceback object>)");
    stream_return(&stream, 2, "None");
    stream_end(&stream, TRACE_END_EXCEPTION, NULL, "E", "", NULL);
}

/* What a body works on; made while nothing fails. */
struct subject {
    struct source *source;
    struct trace_summary summary;
    enum form { READ, CWM, JSON, PRETTY } form;
};

static enum cwm_rc read_all(struct trace_reader *r, struct cwm_err *err)
{
    struct trace_frame frame;
    bool more = true;
    enum cwm_rc rc = CWM_OK;

    while (more && rc == CWM_OK) {
        rc = trace_reader_next(r, &frame, &more, err);
    }
    return rc;
}

static enum cwm_rc render_all(void *ctx, struct cwm_err *err)
{
    struct subject *t = ctx;
    struct render_options options = {.columns = 80, .colour = true};
    struct trace_reader *r = NULL; /* owned */
    struct cwm_buf out;            /* owned */
    enum cwm_rc rc;

    cwm_buf_init(&out, 1u << 24);
    rc = trace_reader_new(stream.data, stream.len, source_n_lines(t->source),
                          &r, err);
    if (rc != CWM_OK) {
        goto out;
    }
    switch (t->form) {
    case READ:
        rc = read_all(r, err);
        break;
    case CWM:
        rc = render_cwm(r, t->source, &t->summary, &out, err);
        break;
    case JSON:
        rc = render_json(r, t->source, &t->summary, &options, &out, err);
        break;
    case PRETTY:
        rc = render_pretty(r, t->source, &t->summary, &options, &out, err);
        break;
    }
out:
    trace_reader_free(r);
    cwm_buf_release(&out);
    return rc;
}

static void trace__says_so_when_memory_is_short(void **state)
{
    static const char *const names[] = {"read", "cwm", "json", "pretty"};
    static const uint8_t printed[] = {'a', 0xFF, 'b', '\n'};
    struct subject t = {0};
    size_t i;

    (void)state;
    write_trace();
    assert_int_equal(
        source_new(program, sizeof program - 1, "p.py", &t.source, NULL),
        CWM_OK);
    t.summary.verdict = "ok";
    t.summary.context = source_text(t.source, &t.summary.context_len);
    t.summary.stdout_data = printed;
    t.summary.stdout_len = sizeof printed;
    for (i = READ; i <= PRETTY; i++) {
        t.form = (enum form)i;
        fault_each_allocation(names[i], render_all, &t);
    }
    source_free(t.source);
}

/* The trace that the others use must be sound, or they test less. */
static void trace__is_sound(void **state)
{
    struct trace_reader *r = NULL;

    (void)state;
    write_trace();
    assert_int_equal(trace_reader_new(stream.data, stream.len, 2, &r, NULL),
                     CWM_OK);
    assert_string_equal(trace_reader_end(r)->damage, "");
    assert_int_equal(trace_reader_end(r)->n_calls, N_NAMES);
    trace_reader_free(r);
}

static enum cwm_rc fill_buffer(void *ctx, struct cwm_err *err)
{
    struct cwm_buf b; /* owned */
    enum cwm_rc rc;
    int i;

    (void)ctx;
    cwm_buf_init(&b, 1u << 20);
    for (i = 0; i < 1000; i++) {
        cwm_buf_addf(&b, "%d ", i);
        cwm_buf_add_json(&b, "\xFF\"é", 4);
        cwm_buf_addc(&b, '\n');
        cwm_buf_adds(&b, "text");
    }
    rc = cwm_buf_check(&b, "numbers", err);
    cwm_buf_release(&b);
    return rc;
}

static void buffer__says_so_when_memory_is_short(void **state)
{
    (void)state;
    fault_each_allocation("buffer", fill_buffer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace__is_sound),
        cmocka_unit_test(trace__says_so_when_memory_is_short),
        cmocka_unit_test(buffer__says_so_when_memory_is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
