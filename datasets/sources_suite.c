/* SPDX-License-Identifier: MIT */
/* sources_suite.c -- a repository's test files, as items. */
#include <string.h>

#include "datasets/sources_internal.h"

enum cwm_rc sources__suite_open(const char *path,
                                const struct sources_suites *how,
                                const volatile int *cancel,
                                struct sources__suite *ret_suite,
                                struct cwm_err *err)
{
    struct suite_tester *tester = NULL; /* owned */
    enum cwm_rc rc;

    memset(ret_suite, 0, sizeof *ret_suite);
    if (!how) {
        return CWM_FAIL(err, CWM_USAGE, "cannot run the tests of '%s' here",
                        path);
    }
    ret_suite->how = how;
    rc = suite_tester_open(path, &how->tracer, &tester, err);
    if (rc == CWM_OK) {
        rc = repository_digest(suite_tester_repository(tester),
                               &ret_suite->digest, err);
    }
    if (rc == CWM_OK) {
        rc = suite_collect(tester, &how->settings, &how->limits, cancel,
                           &ret_suite->files, err);
    }
    suite_tester_close(tester);
    return rc;
}

void sources__suite_release(struct sources__suite *s)
{
    suite_files_release(&s->files);
}

/*
 * A line with all that the episodes follow from besides the tests' names, so
 * that a build with other settings does not take the item for done; then the
 * names.
 */
enum cwm_rc sources__suite_item(const struct sources__suite *s, size_t i,
                                struct cwm_buf *text, struct source_item *item,
                                struct cwm_err *err)
{
    const struct suite_file *file = &s->files.list[i];
    const struct suite_settings *settings = &s->how->settings;
    char digest[HASH_TEXT];

    hash_text(&s->digest, digest);
    cwm_buf_clear(text);
    cwm_buf_addf(text, "%s %u %u %d %u\n", digest, settings->how.enter_permille,
                 settings->how.max_depth, settings->how.tests ? 1 : 0,
                 settings->max_per_function);
    if (file->nodes.len > 0) {
        cwm_buf_add(text, file->nodes.data, file->nodes.len);
    }
    item->data = text->data;
    item->len = text->len;
    item->skip = file->nodes.len > 0 ? NULL : file->skip;
    return cwm_buf_check(text, "the names of tests", err);
}
