/* SPDX-License-Identifier: MIT */
/* test_page.c -- pages stand alone, escape, and survive odd numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cwm/base/page.h"

static const double xs[] = {1, 2, 4, 100};
static const double ys[] = {0.2, 0.25, 0.3, 0.35};
static const double lows[] = {0.1, 0.2, 0.2, 0.3};
static const double highs[] = {0.3, 0.3, 0.4, 0.4};

static struct page_line line_of(const double *y, size_t n)
{
    return (struct page_line){
        .name = "a<b>", .x = xs, .y = y, .low = lows, .high = highs, .n = n};
}

static struct page_lines plot_of(const struct page_line *lines, size_t n)
{
    return (struct page_lines){.title = "T",
                               .x_name = "k & co",
                               .log_x = true,
                               .is_share = true,
                               .lines = lines,
                               .n = n};
}

static int count(const struct cwm_buf *b, const char *word)
{
    int n = 0;

    for (const char *p = b->data; (p = strstr(p, word)) != NULL; p++) {
        n++;
    }
    return n;
}

static void lines__have_their_points_bands_and_names(void **state)
{
    struct page_line line = line_of(ys, 4);
    struct page_lines plot = plot_of(&line, 1);
    struct cwm_buf out;

    (void)state;
    cwm_buf_init(&out, 1 << 20);
    page_add_lines(&out, &plot);
    assert_int_equal(out.failed, CWM_OK);
    assert_int_equal(count(&out, "<circle"), 4);
    assert_int_equal(count(&out, "<polyline"), 1);
    assert_int_equal(count(&out, "<polygon"), 1);
    assert_int_equal(count(&out, "a&lt;b&gt;"), 5);
    assert_int_equal(count(&out, "a<b>"), 0);
    assert_int_equal(count(&out, "k &amp; co"), 1);
    assert_int_equal(count(&out, ", 100: 35 %"), 1);
    assert_int_equal(count(&out, ">64<"), 1); /* a tick of the axis */
    cwm_buf_release(&out);
}

/* One point; none; no number; all the same; negative: never "nan" or "inf". */
static void lines__survive_odd_numbers(void **state)
{
    static const double odd[][4] = {
        {0.5, 0.5, 0.5, 0.5},
        {(double)NAN, 0.5, (double)NAN, 0.7},
        {(double)NAN, (double)NAN, (double)NAN, (double)NAN},
        {-3, 1e9, 0, 1e-9},
        {(double)INFINITY, 1, 2, 3}};

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        for (size_t n = 0; n <= 4; n++) {
            struct page_line line = line_of(odd[i], n);
            struct page_lines plot = plot_of(&line, 1);
            struct cwm_buf out;

            plot.is_share = i % 2 == 0;
            plot.log_x = n % 2 == 0;
            cwm_buf_init(&out, 1 << 20);
            page_add_lines(&out, &plot);
            assert_int_equal(out.failed, CWM_OK);
            if (count(&out, "nan") + count(&out, "inf") > 0 ||
                out.len > 40000) {
                fprintf(stderr, "case %zu, %zu points: %s\n", i, n, out.data);
                fail();
            }
            cwm_buf_release(&out);
        }
    }
}

static void lines__are_no_more_than_there_are_colours(void **state)
{
    struct page_line lines[PAGE_MAX_LINES + 2];
    struct page_lines plot = plot_of(lines, PAGE_MAX_LINES + 2);
    struct cwm_buf out;

    (void)state;
    for (size_t i = 0; i < PAGE_MAX_LINES + 2; i++) {
        lines[i] = line_of(ys, 4);
    }
    cwm_buf_init(&out, 1 << 20);
    page_add_lines(&out, &plot);
    assert_int_equal(count(&out, "<polyline"), PAGE_MAX_LINES);
    assert_int_equal(count(&out, "2 more are not shown"), 1);
    cwm_buf_release(&out);
}

static void page__stands_alone(void **state)
{
    struct cwm_buf out;

    (void)state;
    cwm_buf_init(&out, 1 << 20);
    page_open(&out, "</title><script>alert(1)</script>");
    page_open_facts(&out);
    page_fact(&out, "things", 1234567);
    page_close_facts(&out);
    page_close(&out);
    assert_int_equal(count(&out, "<script"), 0);
    assert_int_equal(count(&out, "http"), 0);
    assert_int_equal(count(&out, "1,234,567"), 1);
    cwm_buf_clear(&out);
    page_short(&out, 1234567);
    assert_string_equal(out.data, "1.2 M");
    cwm_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines__have_their_points_bands_and_names),
        cmocka_unit_test(lines__survive_odd_numbers),
        cmocka_unit_test(lines__are_no_more_than_there_are_colours),
        cmocka_unit_test(page__stands_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
