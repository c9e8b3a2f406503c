/* SPDX-License-Identifier: MIT */
/*
 * fault_source.c -- every allocation of source*.c fails once, and from then on.
 *
 * The parser's own memory is not ours: tree-sitter aborts when it has none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/fault/fault.h"
#include "tracer/source.h"
#include "tracer/source_flow.h"

/* Definitions, markers, guards, a codec, more than one growth of each. */
static const char program[] =
    "# coding: big5\n"
    "@dec\ndef f(a, b): pass  # << START_OF_TRACE\n"
    "class A:\n def a(): pass\n def b(): pass\n def c(): pass\n"
    " def d(): pass\n def e(): pass\n def g():\n  def h():\n   def i(): pass\n"
    "# << START_OF_TRACE\n# << START_OF_TRACE\n# << START_OF_TRACE\n"
    "# << START_OF_TRACE\n# << START_OF_TRACE\n# << START_OF_TRACE\n"
    "# << START_OF_TRACE\n# << START_OF_TRACE\n# << START_OF_TRACE\n"
    "x = = 1\nif __name__ == '__main__': f()\n";

/* All that a caller does with a program, up to the first failure. */
static enum cwm_rc use_program(void *ctx, struct cwm_err *err)
{
    struct source *s = NULL; /* owned */
    struct cwm_buf out;
    bool differs = false;
    int def = -1;
    enum cwm_rc rc;

    (void)ctx;
    cwm_buf_init(&out, 1 << 20);
    rc = source_new(program, sizeof program - 1, "prog.py", &s, err);
    if (rc == CWM_OK) {
        rc = source_entry(s, "f", &def, err);
    }
    if (rc == CWM_OK) {
        rc = source_context(s, 3, &out, err);
    }
    cwm_buf_release(&out);
    if (rc == CWM_OK) {
        rc = source_without_main_guard(s, &out, &differs, err);
    }
    cwm_buf_release(&out);
    source_free(s);
    return rc;
}

static enum cwm_rc use_wrapped(void *ctx, struct cwm_err *err)
{
    struct source *s = NULL; /* owned */
    struct cwm_buf out;
    enum cwm_rc rc;

    (void)ctx;
    cwm_buf_init(&out, 1 << 20);
    rc = source_new_text("def f(a): pass", 14, "prog.py", &s, err);
    if (rc == CWM_OK) {
        rc = source_wrap_main(s, "f", "1, k=[2]", &out, err);
    }
    cwm_buf_release(&out);
    source_free(s);
    return rc;
}

static enum cwm_rc use_flow(void *ctx, struct cwm_err *err)
{
    static const char text[] = "def f(a):\n try:\n  return a\n finally:\n  "
                               "b = [i for i in a]\n";
    struct flow_places at = {.n = 0};
    struct flow_places next = {.n = 0};
    struct source_flow *f = NULL; /* owned */
    struct source *s = NULL;      /* owned */
    enum cwm_rc rc = source_new_text(text, sizeof text - 1, "prog.py", &s, err);

    (void)ctx;
    if (rc == CWM_OK) {
        rc = source_flow_new(s, &f, err);
    }
    if (rc == CWM_OK) {
        rc = source_flow_calls(f, &at, err);
    }
    if (rc == CWM_OK) {
        rc = source_flow_next(f, &at, FLOW_LINE, &next, err);
    }
    if (rc == CWM_OK) {
        rc = flow_places_copy(&next, &at, err);
    }
    flow_places_release(&at);
    flow_places_release(&next);
    source_flow_free(f);
    source_free(s);
    return rc;
}

static void source__fails_cleanly_without_memory(void **state)
{
    (void)state;
    fault_each_allocation("a program's flow", use_flow, NULL);
    fault_each_allocation("a program", use_program, NULL);
    fault_each_allocation("a wrapped program", use_wrapped, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source__fails_cleanly_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
