/* SPDX-License-Identifier: MIT */
/*
 * source_tree.c -- the one place that calls tree-sitter's parser.
 *
 * Two traps of the parser are stepped around, both met by running it on
 * hostile texts:
 *  - its Python scanner (0.25.0) writes one byte past a 1,024-byte buffer when
 *    about 500 levels of indentation are open; CPython allows 100, so a text
 *    with nearly that many different indentations is refused;
 *  - its error recovery is quadratic on some texts (100,000 lines "def f("
 *    take minutes), so it is given CPU time by the text's size.
 * It aborts when memory is short, so its memory does not come from
 * cwm_malloc(): a fault test could only end in the abort.
 */
#include "tracer/source_tree.h"

#include "tracer/source_internal.h"

#include <string.h>
#include <time.h>

#include <tree_sitter/api.h>

const TSLanguage *tree_sitter_python(void);

/* The scanner's buffer holds 1,024 bytes: two a level, and up to 257 others. */
#define MAX_INDENTS 380
/* Real programs take about 0.12 s a MB, hostile but linear ones up to 2.5. */
#define PARSE_BASE_NS     ((int64_t)2000000000)
#define PARSE_NS_PER_BYTE ((int64_t)5000)

/*
 * The parser's stack of indentations grows strictly, so it is never deeper
 * than there are different indentations: counted as its scanner counts them.
 */
static enum cwm_rc check_indents(const char *text, size_t len, const char *name,
                                 struct cwm_err *err)
{
    const char *end = text + len;
    const char *p = text;
    uint8_t seen[(UINT16_MAX + 1) / 8] = {0};
    unsigned n = 0;

    while (p < end) {
        uint16_t width = 0;

        for (; p < end; p++) {
            if (*p == ' ') {
                width++;
            } else if (*p == '\t') {
                width = (uint16_t)(width + 8);
            } else if (*p == '\f') {
                width = 0;
            } else if (*p == '\\' && end - p > 1 && p[1] == '\n') {
                p++;
            } else {
                break;
            }
        }
        if (!(seen[width / 8] & 1u << width % 8)) {
            seen[width / 8] |= (uint8_t)(1u << width % 8);
            n++;
        }
        p = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        p = p ? p + 1 : end;
    }
    if (n > MAX_INDENTS) {
        return CWM_FAIL(err, CWM_LIMIT,
                        "cannot parse '%s': its lines have %u different "
                        "indentations, over the limit of %d",
                        name, n, MAX_INDENTS);
    }
    return CWM_OK;
}

struct parse_input {
    const char *text; /* borrowed */
    size_t len;
    int64_t deadline_ns; /* on this thread's CPU clock */
};

static int64_t cpu_ns(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static const char *read_text(void *payload, uint32_t at, TSPoint point,
                             uint32_t *ret_len)
{
    const struct parse_input *input = payload;

    (void)point;
    *ret_len = (uint32_t)input->len - at;
    return input->text + at;
}

static bool is_late(TSParseState *state)
{
    const struct parse_input *input = state->payload;

    return cpu_ns() > input->deadline_ns;
}

enum cwm_rc source__tree(const char *text, size_t len, const char *name,
                         TSTree **ret_tree, struct cwm_err *err)
{
    struct parse_input in = {.text = text, .len = len};
    TSInput input = {&in, read_text, TSInputEncodingUTF8, NULL};
    TSParseOptions options = {&in, is_late};
    TSParser *parser = NULL; /* owned */
    enum cwm_rc rc = check_indents(text, len, name, err);

    if (rc != CWM_OK) {
        return rc;
    }
    parser = ts_parser_new();
    if (!ts_parser_set_language(parser, tree_sitter_python())) {
        rc = CWM_FAIL(err, CWM_MISSING,
                      "this build's tree-sitter does not fit its Python "
                      "grammar");
        goto out;
    }
    in.deadline_ns =
        cpu_ns() + PARSE_BASE_NS + PARSE_NS_PER_BYTE * (int64_t)len;
    *ret_tree = ts_parser_parse_with_options(parser, NULL, input, options);
    if (!*ret_tree) {
        rc = CWM_FAIL(
            err, CWM_LIMIT, "cannot parse '%s': it would take more than %lld s",
            name,
            (long long)((PARSE_BASE_NS + PARSE_NS_PER_BYTE * (int64_t)len) /
                        1000000000));
    }
out:
    ts_parser_delete(parser);
    return rc;
}

enum cwm_rc source_tree_new(const char *text, size_t len, const char *name,
                            struct TSTree **ret_tree, struct cwm_err *err)
{
    if (len > SOURCE_MAX_BYTES) {
        return CWM_FAIL(err, CWM_LIMIT, "'%s' is larger than %zu bytes", name,
                        SOURCE_MAX_BYTES);
    }
    return source__tree(text, len, name, ret_tree, err);
}
