/* SPDX-License-Identifier: MIT */
/* test_pipeline.c -- order, bounds and failures, whoever is done first. */
#include "cwm/base/pipeline.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Work on n items; each writes its number's square. */
struct work {
    uint64_t n;
    uint64_t n_read;
    uint64_t fail_read;  /* this item cannot be read; UINT64_MAX: none */
    uint64_t fail_work;  /* ... worked on */
    uint64_t fail_write; /* ... written */
    uint64_t cancel_at;  /* when this one is written */
    volatile int cancel;
    uint64_t n_written;
    uint64_t most_ahead; /* items read but not written */
    pthread_mutex_t lock;
};

static enum cwm_rc read_item(void *ctx, struct pipeline_item *item,
                             bool *ret_more, struct cwm_err *err)
{
    struct work *w = ctx;

    *ret_more = w->n_read < w->n;
    if (!*ret_more) {
        return CWM_OK;
    }
    if (w->n_read == w->fail_read) {
        return CWM_FAIL(err, CWM_IO, "cannot read item %d", (int)w->n_read);
    }
    pthread_mutex_lock(&w->lock);
    item->tag = w->n_read++ * 2;
    if (w->n_read - w->n_written > w->most_ahead) {
        w->most_ahead = w->n_read - w->n_written;
    }
    pthread_mutex_unlock(&w->lock);
    return cwm_buf_addf(&item->in, "%llu", (unsigned long long)item->tag / 2);
}

static enum cwm_rc work_item(void *ctx, unsigned thread,
                             struct pipeline_item *item, struct cwm_err *err)
{
    struct work *w = ctx;
    uint64_t number = strtoull(item->in.data, NULL, 10);

    (void)thread;
    assert_int_equal(number, item->number);
    assert_int_equal(*(uint64_t *)item->note, 0);
    *(uint64_t *)item->note = number;
    if (number % 7 == 0) { /* some are slow */
        struct timespec nap = {.tv_nsec = 300000};

        nanosleep(&nap, NULL);
    }
    if (number == w->fail_work) {
        return CWM_FAIL(err, CWM_SYSTEM, "cannot work on %d", (int)number);
    }
    return cwm_buf_addf(&item->out, "%llu",
                        (unsigned long long)(number * number));
}

static enum cwm_rc write_item(void *ctx, struct pipeline_item *item,
                              struct cwm_err *err)
{
    struct work *w = ctx;
    uint64_t square = strtoull(item->out.data, NULL, 10);

    if (w->n_written == w->fail_write) {
        return CWM_FAIL(err, CWM_IO, "cannot write %d", (int)w->n_written);
    }
    assert_int_equal(square, w->n_written * w->n_written);
    assert_int_equal(*(uint64_t *)item->note, w->n_written);
    assert_int_equal(item->tag, 2 * w->n_written);
    pthread_mutex_lock(&w->lock);
    w->n_written++;
    pthread_mutex_unlock(&w->lock);
    if (w->n_written == w->cancel_at) {
        w->cancel = 1;
    }
    return CWM_OK;
}

static const struct pipeline_ops ops = {read_item, work_item, write_item, NULL};

static struct work new_work(uint64_t n)
{
    struct work w = {.n = n,
                     .fail_read = UINT64_MAX,
                     .fail_work = UINT64_MAX,
                     .fail_write = UINT64_MAX};

    pthread_mutex_init(&w.lock, NULL);
    return w;
}

static enum cwm_rc run(struct work *w, unsigned n_threads, size_t window,
                       struct cwm_err *err)
{
    struct pipeline_options how = {.n_threads = n_threads,
                                   .window = window,
                                   .budget_bytes = 1 << 20,
                                   .max_item_bytes = 1 << 10,
                                   .note_bytes = sizeof(uint64_t),
                                   .cancel = &w->cancel};

    return pipeline_run(&how, &ops, w, err);
}

static void pipeline__keeps_the_order_with_any_number_of_threads(void **state)
{
    (void)state;
    for (unsigned n_threads = 1; n_threads <= 8; n_threads++) {
        for (size_t window = 1; window <= 64; window *= 4) {
            struct work w = new_work(500);

            assert_int_equal(run(&w, n_threads, window, NULL), CWM_OK);
            assert_int_equal(w.n_written, 500);
            assert_true(w.most_ahead <= window);
        }
    }
}

static void pipeline__nothing_to_do_is_fine(void **state)
{
    struct work w = new_work(0);

    (void)state;
    assert_int_equal(run(&w, 4, 8, NULL), CWM_OK);
    assert_int_equal(w.n_written, 0);
}

static void pipeline__writes_all_before_a_failure(void **state)
{
    (void)state;
    for (unsigned n_threads = 1; n_threads <= 4; n_threads++) {
        struct work w = new_work(300);
        struct cwm_err err;

        w.fail_work = 137;
        assert_int_equal(run(&w, n_threads, 16, &err), CWM_SYSTEM);
        assert_string_equal(err.message, "cannot work on 137");
        assert_int_equal(w.n_written, 137);

        w = new_work(300);
        w.fail_read = 70;
        assert_int_equal(run(&w, n_threads, 16, &err), CWM_IO);
        assert_string_equal(err.message, "cannot read item 70");
        assert_int_equal(w.n_written, 70);

        w = new_work(300);
        w.fail_write = 41;
        assert_int_equal(run(&w, n_threads, 16, &err), CWM_IO);
        assert_string_equal(err.message, "cannot write 41");
        assert_int_equal(w.n_written, 41);
    }
}

static void pipeline__a_cancelled_run_leaves_a_beginning(void **state)
{
    (void)state;
    for (unsigned n_threads = 1; n_threads <= 4; n_threads++) {
        struct work w = new_work(100000);

        w.cancel_at = 50;
        assert_int_equal(run(&w, n_threads, 16, NULL), CWM_CANCELLED);
        assert_true(w.n_written >= 50);
        assert_true(w.n_written <= 50 + 16 + n_threads);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipeline__keeps_the_order_with_any_number_of_threads),
        cmocka_unit_test(pipeline__nothing_to_do_is_fine),
        cmocka_unit_test(pipeline__writes_all_before_a_failure),
        cmocka_unit_test(pipeline__a_cancelled_run_leaves_a_beginning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
