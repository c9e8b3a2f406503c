/* SPDX-License-Identifier: MIT */
/* source_edit.c -- texts made from a program's: contexts, wrapped, compiled. */
#include "tracer/source_internal.h"

#include <string.h>

#include <tree_sitter/api.h>

#include "cwm/base/alloc.h"
#include "cwm/base/utf8.h"

static bool is_type(TSNode node, const char *name)
{
    return strcmp(ts_node_type(node), name) == 0;
}

/*
 * The tree of "f(ARGS)" must be one module with one expression with one call
 * of f, whose argument list is all the rest: a parenthesis too many ends the
 * call early, and something else then stands around it or behind it.
 */
static bool is_one_call(TSNode root, uint32_t len)
{
    TSNode statement = ts_node_named_child(root, 0);
    TSNode call;
    TSNode arguments;

    if (ts_node_has_error(root) || ts_node_child_count(root) != 1 ||
        !is_type(statement, "expression_statement") ||
        ts_node_child_count(statement) != 1) {
        return false;
    }
    call = ts_node_child(statement, 0);
    if (!is_type(call, "call")) {
        return false;
    }
    arguments = ts_node_child_by_field_name(call, "arguments", 9);
    if (ts_node_is_null(arguments) || ts_node_start_byte(arguments) != 1 ||
        ts_node_end_byte(arguments) != len) {
        return false;
    }
    /* The grammar takes "f(,)", which Python does not. */
    return !is_type(ts_node_child(arguments, 1), ",");
}

enum cwm_rc source_check_args(const char *args, size_t len, struct cwm_err *err)
{
    int shown = len < 300 ? (int)len : 300; /* bytes of them in a message */
    struct cwm_buf text;
    struct TSTree *tree = NULL; /* owned */
    enum cwm_rc rc;

    if (len == 0) {
        return CWM_OK;
    }
    cwm_buf_init(&text, SOURCE_MAX_BYTES);
    if (memchr(args, '\0', len) || cwm_utf8_valid_prefix(args, len) != len) {
        rc = CWM_FAIL(err, CWM_FORMAT,
                      "cannot parse the arguments: they are not UTF-8 text");
        goto out;
    }
    cwm_buf_adds(&text, "f(");
    cwm_buf_add(&text, args, len);
    cwm_buf_adds(&text, ")");
    rc = cwm_buf_check(&text, "the call", err);
    if (rc != CWM_OK) {
        goto out;
    }
    rc = source__tree(text.data, text.len, "the arguments", &tree, err);
    if (rc != CWM_OK) {
        goto out;
    }
    if (!is_one_call(ts_tree_root_node(tree), (uint32_t)text.len)) {
        shown = (int)cwm_utf8_valid_prefix(args, (size_t)shown);
        rc = CWM_FAIL(err, CWM_FORMAT, "cannot parse the arguments '%.*s'",
                      shown, args);
    }
out:
    if (tree) {
        ts_tree_delete(tree);
    }
    cwm_buf_release(&text);
    return rc;
}

/*
 * "Class.__f" as text outside of the class has to name it, "Class._Class__f";
 * other names as they are.
 */
static void add_attribute_path(const char *name, struct cwm_buf *out)
{
    const char *owner = NULL; /* the part before, owner_len bytes long */
    size_t owner_len = 0;

    for (;;) {
        size_t len = strcspn(name, ".");

        while (owner_len > 0 && *owner == '_') {
            owner++;
            owner_len--;
        }
        if (owner_len > 0 && len > 2 && memcmp(name, "__", 2) == 0 &&
            memcmp(name + len - 2, "__", 2) != 0) {
            cwm_buf_addc(out, '_');
            cwm_buf_add(out, owner, owner_len);
        }
        cwm_buf_add(out, name, len);
        if (name[len] == '\0') {
            return;
        }
        cwm_buf_addc(out, '.');
        owner = name;
        owner_len = len;
        name += len + 1;
    }
}

enum cwm_rc source_wrap_main(const struct source *s, const char *name,
                             const char *args, struct cwm_buf *out,
                             struct cwm_err *err)
{
    int def;
    enum cwm_rc rc;

    name = name ? name : "";
    rc = source_entry(s, name, &def, err);
    if (rc != CWM_OK) {
        return rc;
    }
    rc = source_check_args(args, strlen(args), err);
    if (rc != CWM_OK) {
        return rc;
    }
    /* The program's own last line end stays, where it has one. */
    cwm_buf_add(out, s->text, s->len);
    cwm_buf_adds(out, "\n\ndef main():\n    return ");
    add_attribute_path(name, out);
    cwm_buf_addc(out, '(');
    cwm_buf_adds(out, args);
    cwm_buf_adds(out, ")\n");
    return cwm_buf_check(out, "the program with its main()", err);
}

/* Where the line's own end stands: its '\n', or the end of the text. */
static size_t line_stop(const struct source *s, uint32_t line)
{
    size_t end = line < s->n_lines ? s->line_starts[line] : s->len;

    return end > 0 && s->text[end - 1] == '\n' ? end - 1 : end;
}

/* Append text[from..to) without the markers that begin in it. */
static void add_unmarked(const struct source *s, size_t from, size_t to,
                         struct cwm_buf *out)
{
    for (size_t i = 0; i < s->n_markers; i++) {
        const struct source__marker *m = &s->markers[i];

        if (m->start_byte >= from && m->start_byte < to) {
            cwm_buf_add(out, s->text + from, m->start_byte - from);
            from = line_stop(s, m->line);
        }
    }
    cwm_buf_add(out, s->text + from, to - from);
}

/*
 * The marker goes behind whatever ends the line.  Behind a backslash, or in a
 * string that goes on below, the text would not mean the same any more: it is
 * put there all the same, as a context is only read; what runs is the program.
 */
enum cwm_rc source_context(const struct source *s, uint32_t line,
                           struct cwm_buf *out, struct cwm_err *err)
{
    const char *content;
    size_t len;

    if (line < 1 || line > s->n_lines) {
        return CWM_FAIL(err, CWM_USAGE, "'%s' has no line %u to mark", s->name,
                        line);
    }
    content = source_line(s, line, &len);
    add_unmarked(s, 0, (size_t)(content - s->text) + len, out);
    cwm_buf_adds(out, "  " SOURCE_MARKER);
    add_unmarked(s, line_stop(s, line), s->len, out);
    return cwm_buf_check(out, "the context", err);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

/* A comparison becomes False and spaces; line ends and what joins them stay. */
static void blank_guard(char *text, struct source__span span)
{
    static const char word[] = "False";
    size_t at = span.start_byte;

    for (size_t i = at; i < span.end_byte; i++) {
        bool joins = text[i] == '\\' && text[i + 1] == '\n';

        if (text[i] != '\n' && !joins) {
            text[i] = ' ';
        }
    }
    /* The shortest comparison has 20 bytes of which the first operand's are 8
     * or 10, so there is room for a space in front: if"__main__"==... */
    if (at > 0 && is_word(text[at - 1])) {
        at++;
    }
    memcpy(text + at, word, sizeof word - 1);
}

enum cwm_rc source_without_main_guard(const struct source *s,
                                      struct cwm_buf *out, bool *ret_differs,
                                      struct cwm_err *err)
{
    size_t start = out->len;
    enum cwm_rc rc;

    if (s->n_guards == 0) {
        *ret_differs = false;
        return CWM_OK;
    }
    cwm_buf_add(out, s->text, s->len);
    rc = cwm_buf_check(out, "the program", err);
    if (rc != CWM_OK) {
        return rc;
    }
    for (size_t i = 0; i < s->n_guards; i++) {
        blank_guard(out->data + start, s->guards[i]);
    }
    *ret_differs = true;
    return CWM_OK;
}
