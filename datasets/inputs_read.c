/* SPDX-License-Identifier: MIT */
/*
 * inputs_read.c -- what a file says of a function's arguments.
 *
 * Its parameters with annotations and names; what its body does with them;
 * and calls that stand in the file: in doctests, in asserts, elsewhere.  Only
 * calls whose arguments are literals (and what the file defines) are taken:
 * others mean nothing where they would be evaluated.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/inputs_internal.h"
#include "tracer/source_tree.h"

struct file_reader {
    struct inputs *in;
    const struct source *source;
    const struct source_def *def;
    const char *text;
    size_t len;
    enum cwm_rc failed;
};

static bool is_type(TSNode node, const char *type)
{
    return !ts_node_is_null(node) && strcmp(ts_node_type(node), type) == 0;
}

static TSNode field(TSNode node, const char *name)
{
    return ts_node_child_by_field_name(node, name, (uint32_t)strlen(name));
}

static bool is_field(TSNode parent, const char *name, TSNode node)
{
    TSNode child = field(parent, name);

    return !ts_node_is_null(child) && ts_node_eq(child, node);
}

static const char *text_of(const struct file_reader *r, TSNode node,
                           size_t *ret_len)
{
    *ret_len = ts_node_end_byte(node) - ts_node_start_byte(node);
    return r->text + ts_node_start_byte(node);
}

static bool has_text(const struct file_reader *r, TSNode node, const char *want)
{
    size_t len;
    const char *text = text_of(r, node, &len);

    return len == strlen(want) && memcmp(text, want, len) == 0;
}

static uint32_t line_of(TSNode node)
{
    return ts_node_start_point(node).row + 1;
}

/* ---- what a parameter seems to be ---- */

struct hint {
    const char *word;
    enum inputs_type types[3];
    uint8_t n;
};

/* Annotations, the longest first where one begins with another. */
static const struct hint annotations[] = {
    {"list[list[int]]", {IN_MATRIX}, 1},
    {"list[list[", {IN_MATRIX}, 1},
    {"list[tuple[", {IN_PAIRS}, 1},
    {"list[int]", {IN_LIST_INT}, 1},
    {"list[str]", {IN_LIST_STR}, 1},
    {"list[float]", {IN_LIST_FLOAT, IN_LIST_INT}, 2},
    {"dict[str,list", {IN_GRAPH}, 1},
    {"dict[int,list", {IN_GRAPH}, 1},
    {"dict[str,int]", {IN_DICT_STR_INT}, 1},
    {"dict[int", {IN_DICT_INT}, 1},
    {"dict", {IN_DICT_STR_INT, IN_GRAPH, IN_DICT_INT}, 3},
    {"mapping", {IN_DICT_STR_INT}, 1},
    {"sequence[str]", {IN_LIST_STR}, 1},
    {"iterable[str]", {IN_LIST_STR}, 1},
    {"list", {IN_LIST_INT, IN_LIST_STR, IN_LIST_FLOAT}, 3},
    {"sequence", {IN_LIST_INT, IN_STR, IN_LIST_STR}, 3},
    {"iterable", {IN_LIST_INT, IN_STR, IN_LIST_STR}, 3},
    {"collection", {IN_LIST_INT, IN_LIST_STR}, 2},
    {"set", {IN_SET_INT}, 1},
    {"frozenset", {IN_SET_INT}, 1},
    {"tuple", {IN_TUPLE_INT}, 1},
    {"callable", {IN_CALLABLE}, 1},
    {"int", {IN_INT}, 1},
    {"float", {IN_FLOAT, IN_INT}, 2},
    {"complex", {IN_FLOAT, IN_INT}, 2},
    {"bool", {IN_BOOL}, 1},
    {"str", {IN_STR}, 1},
    {"none", {IN_NONE}, 1},
    {"any", {IN_INT, IN_STR, IN_LIST_INT}, 3},
};

/* Names, or what they end in behind an underscore. */
static const struct hint names[] = {
    {"n", {IN_INT}, 1},
    {"k", {IN_INT}, 1},
    {"m", {IN_INT}, 1},
    {"i", {IN_INT}, 1},
    {"j", {IN_INT}, 1},
    {"num", {IN_INT}, 1},
    {"number", {IN_INT}, 1},
    {"count", {IN_INT}, 1},
    {"size", {IN_INT}, 1},
    {"length", {IN_INT}, 1},
    {"limit", {IN_INT}, 1},
    {"index", {IN_INT}, 1},
    {"start", {IN_INT}, 1},
    {"end", {IN_INT}, 1},
    {"low", {IN_INT}, 1},
    {"high", {IN_INT}, 1},
    {"left", {IN_INT}, 1},
    {"right", {IN_INT}, 1},
    {"base", {IN_INT}, 1},
    {"key", {IN_INT, IN_STR}, 2},
    {"target", {IN_INT}, 1},
    {"value", {IN_INT}, 1},
    {"x", {IN_INT, IN_FLOAT}, 2},
    {"y", {IN_INT, IN_FLOAT}, 2},
    {"a", {IN_INT, IN_LIST_INT}, 2},
    {"b", {IN_INT, IN_LIST_INT}, 2},
    {"s", {IN_STR}, 1},
    {"t", {IN_STR, IN_INT}, 2},
    {"text", {IN_STR}, 1},
    {"string", {IN_STR}, 1},
    {"word", {IN_STR}, 1},
    {"name", {IN_STR}, 1},
    {"pattern", {IN_STR}, 1},
    {"sentence", {IN_STR}, 1},
    {"message", {IN_STR}, 1},
    {"line", {IN_STR}, 1},
    {"nums", {IN_LIST_INT}, 1},
    {"numbers", {IN_LIST_INT}, 1},
    {"arr", {IN_LIST_INT}, 1},
    {"array", {IN_LIST_INT}, 1},
    {"lst", {IN_LIST_INT}, 1},
    {"list", {IN_LIST_INT}, 1},
    {"data", {IN_LIST_INT, IN_STR}, 2},
    {"values", {IN_LIST_INT}, 1},
    {"items", {IN_LIST_INT, IN_LIST_STR}, 2},
    {"collection", {IN_LIST_INT}, 1},
    {"sequence", {IN_LIST_INT, IN_STR}, 2},
    {"weights", {IN_LIST_INT}, 1},
    {"words", {IN_LIST_STR}, 1},
    {"strings", {IN_LIST_STR}, 1},
    {"lines", {IN_LIST_STR}, 1},
    {"matrix", {IN_MATRIX}, 1},
    {"grid", {IN_MATRIX}, 1},
    {"board", {IN_MATRIX}, 1},
    {"graph", {IN_GRAPH, IN_MATRIX}, 2},
    {"pairs", {IN_PAIRS}, 1},
    {"points", {IN_PAIRS}, 1},
    {"edges", {IN_PAIRS}, 1},
    {"intervals", {IN_PAIRS}, 1},
    {"d", {IN_DICT_STR_INT, IN_INT}, 2},
    {"mapping", {IN_DICT_STR_INT}, 1},
    {"flag", {IN_BOOL}, 1},
    {"reverse", {IN_BOOL}, 1},
    {"func", {IN_CALLABLE}, 1},
    {"function", {IN_CALLABLE}, 1},
    {"f", {IN_CALLABLE, IN_FLOAT}, 2},
};

/* Methods that only some types have; functions by what they take. */
static const struct hint uses[] = {
    {"append", {IN_LIST_INT}, 1},
    {"extend", {IN_LIST_INT}, 1},
    {"pop", {IN_LIST_INT}, 1},
    {"sort", {IN_LIST_INT}, 1},
    {"insert", {IN_LIST_INT}, 1},
    {"reverse", {IN_LIST_INT}, 1},
    {"copy", {IN_LIST_INT, IN_DICT_STR_INT}, 2},
    {"upper", {IN_STR}, 1},
    {"lower", {IN_STR}, 1},
    {"split", {IN_STR}, 1},
    {"strip", {IN_STR}, 1},
    {"replace", {IN_STR}, 1},
    {"startswith", {IN_STR}, 1},
    {"endswith", {IN_STR}, 1},
    {"isdigit", {IN_STR}, 1},
    {"isalpha", {IN_STR}, 1},
    {"encode", {IN_STR}, 1},
    {"find", {IN_STR}, 1},
    {"items", {IN_DICT_STR_INT}, 1},
    {"keys", {IN_DICT_STR_INT}, 1},
    {"values", {IN_DICT_STR_INT}, 1},
    {"get", {IN_DICT_STR_INT}, 1},
    {"add", {IN_SET_INT}, 1},
    {"union", {IN_SET_INT}, 1},
    {"intersection", {IN_SET_INT}, 1},
    {"len", {IN_LIST_INT, IN_STR}, 2},
    {"range", {IN_INT}, 1},
    {"sum", {IN_LIST_INT}, 1},
    {"max", {IN_LIST_INT}, 1},
    {"min", {IN_LIST_INT}, 1},
    {"sorted", {IN_LIST_INT, IN_LIST_STR}, 2},
    {"enumerate", {IN_LIST_INT, IN_STR}, 2},
    {"reversed", {IN_LIST_INT, IN_STR}, 2},
    {"zip", {IN_LIST_INT, IN_STR}, 2},
    {"set", {IN_LIST_INT, IN_STR}, 2},
    {"int", {IN_STR, IN_INT}, 2},
    {"abs", {IN_INT, IN_FLOAT}, 2},
    {"sqrt", {IN_INT, IN_FLOAT}, 2},
    {"bin", {IN_INT}, 1},
    {"chr", {IN_INT}, 1},
    {"ord", {IN_STR}, 1},
    {"join", {IN_LIST_STR}, 1},
    {"float", {IN_FLOAT, IN_STR}, 2},
    {"list", {IN_STR, IN_LIST_INT}, 2},
    {"str", {IN_INT}, 1},
};

static void add_hint(struct inputs_param *p, const struct hint *hint,
                     uint32_t weight)
{
    for (uint8_t i = 0; i < hint->n; i++) {
        p->weights[hint->types[i]] += weight / (i + 1u);
    }
}

/* Without spaces, quotes and capitals: list[int] for List[ int ]. */
static void plain_annotation(struct file_reader *r, TSNode type, char *plain,
                             size_t size)
{
    size_t n = 0;
    size_t len;
    const char *text = text_of(r, type, &len);

    for (size_t i = 0; i < len && n + 1 < size; i++) {
        char c = text[i];

        if (!strchr(" \n\t'\"", c)) { /* no tolower(): it is a macro */
            plain[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
        }
    }
    plain[n] = '\0';
}

/* The hint that the text begins with; what it took of the text. */
static size_t hint_by_annotation(struct inputs_param *p, const char *at)
{
    for (size_t i = 0; i < ARRAY_LEN(annotations); i++) {
        size_t len = strlen(annotations[i].word);

        if (strncmp(at, annotations[i].word, len) == 0) {
            bool is_none = annotations[i].types[0] == IN_NONE;

            add_hint(p, &annotations[i], is_none ? 8 : 60);
            return len;
        }
    }
    return 0;
}

/* Every alternative of Optional[...], Union[..., ...], ... | ... */
static void read_annotation(struct file_reader *r, struct inputs_param *p,
                            TSNode type)
{
    char plain[96] = "";
    const char *at = plain;

    plain_annotation(r, type, plain, sizeof plain);
    p->is_annotated = true;
    while (*at) {
        int open = 0;

        if (strncmp(at, "optional[", 9) == 0) {
            p->weights[IN_NONE] += 8;
            at += 9;
        } else if (strncmp(at, "typing.", 7) == 0) {
            at += 7;
        } else if (strncmp(at, "union[", 6) == 0) {
            at += 6;
        } else {
            at += hint_by_annotation(p, at);
            for (; *at && (open > 0 || !strchr("|,", *at)); at++) {
                open += *at == '[' ? 1 : *at == ']' ? -1 : 0;
            }
            at += *at != '\0';
        }
    }
}

static void read_name(struct inputs_param *p)
{
    const char *tail = strrchr(p->name, '_');

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(p->name, names[i].word) == 0 ||
            (tail && strcmp(tail + 1, names[i].word) == 0)) {
            add_hint(p, &names[i], 16);
        }
    }
    if (strncmp(p->name, "is_", 3) == 0) {
        p->weights[IN_BOOL] += 16;
    }
}

static void read_default(struct inputs_param *p, TSNode value)
{
    static const struct {
        const char *node;
        enum inputs_type type;
    } kinds[] = {{"integer", IN_INT},     {"float", IN_FLOAT},
                 {"string", IN_STR},      {"true", IN_BOOL},
                 {"false", IN_BOOL},      {"none", IN_NONE},
                 {"list", IN_LIST_INT},   {"dictionary", IN_DICT_STR_INT},
                 {"tuple", IN_TUPLE_INT}, {"set", IN_SET_INT},
                 {"lambda", IN_CALLABLE}, {"unary_operator", IN_INT}};

    p->has_default = true;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (is_type(value, kinds[i].node)) {
            p->weights[kinds[i].type] += kinds[i].type == IN_NONE ? 6 : 30;
        }
    }
}

/* ---- parameters ---- */

static void add_param(struct file_reader *r, TSNode node, bool keyword_only)
{
    struct inputs *in = r->in;
    struct inputs_param *p = &in->params[in->n_params];
    TSNode name = node;
    TSNode type = field(node, "type");
    TSNode value = field(node, "value");
    size_t len;
    const char *text;

    if (in->n_params == INPUTS_MAX_PARAMS) {
        return;
    }
    if (!ts_node_is_null(field(node, "name"))) {
        name = field(node, "name");
    } else if (!is_type(node, "identifier")) {
        name = ts_node_named_child(node, 0);
    }
    *p = (struct inputs_param){.place = keyword_only ? PLACE_KEYWORD_ONLY
                                                     : PLACE_NORMAL};
    while (is_type(name, "list_splat_pattern") ||
           is_type(name, "dictionary_splat_pattern")) {
        p->place = PLACE_REST; /* need not be given */
        name = ts_node_named_child(name, 0);
    }
    if (is_type(node, "list_splat_pattern") ||
        is_type(node, "dictionary_splat_pattern")) {
        p->place = PLACE_REST;
    }
    if (ts_node_is_null(name)) {
        return; /* too broken to have one */
    }
    text = text_of(r, name, &len);
    p->name = cwm_strndup(text, len);
    if (!p->name) {
        r->failed = CWM_NOMEM;
        return;
    }
    in->n_params++;
    if (!ts_node_is_null(type)) {
        read_annotation(r, p, type);
    }
    if (!ts_node_is_null(value)) {
        read_default(p, value);
    }
    read_name(p);
    for (int i = 0; i < IN_CALLABLE; i++) {
        p->weights[i] += p->is_annotated ? 0 : 1; /* nothing is impossible */
    }
}

static void read_params(struct file_reader *r, TSNode function)
{
    TSNode list = field(function, "parameters");
    uint32_t n = ts_node_is_null(list) ? 0 : ts_node_named_child_count(list);
    bool keyword_only = false;

    for (uint32_t i = 0; i < n && r->failed == CWM_OK; i++) {
        TSNode child = ts_node_named_child(list, i);

        if (is_type(child, "keyword_separator")) {
            keyword_only = true;
        } else if (!is_type(child, "positional_separator") &&
                   !is_type(child, "comment")) {
            add_param(r, child, keyword_only);
            keyword_only = keyword_only || is_type(child, "list_splat_pattern");
        }
    }
}

/* ---- what the body does with them ---- */

static struct inputs_param *param_named(struct file_reader *r, TSNode node)
{
    size_t len;
    const char *text = text_of(r, node, &len);

    for (size_t i = 0; i < r->in->n_params; i++) {
        const char *name = r->in->params[i].name;

        if (strlen(name) == len && memcmp(name, text, len) == 0) {
            return &r->in->params[i];
        }
    }
    return NULL;
}

static void hint_by_word(struct file_reader *r, struct inputs_param *p,
                         TSNode word)
{
    for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
        if (has_text(r, word, uses[i].word)) {
            add_hint(p, &uses[i], 12);
        }
    }
}

static void hint_by_operand(struct file_reader *r, struct inputs_param *p,
                            TSNode parent, TSNode node)
{
    uint32_t n = ts_node_named_child_count(parent);
    TSNode sign = field(parent, "operator");

    for (uint32_t i = 0; i < n; i++) {
        TSNode other = ts_node_named_child(parent, i);

        if (ts_node_eq(other, node)) {
            continue;
        }
        if (is_type(other, "integer")) {
            p->weights[IN_INT] += 10;
        } else if (is_type(other, "float")) {
            p->weights[IN_FLOAT] += 8;
        } else if (is_type(other, "string")) {
            p->weights[IN_STR] += 10;
        } else if (is_type(other, "list")) {
            p->weights[IN_LIST_INT] += 8;
        }
    }
    if (!ts_node_is_null(sign) &&
        (has_text(r, sign, "//") || has_text(r, sign, "&") ||
         has_text(r, sign, "<<") || has_text(r, sign, ">>") ||
         has_text(r, sign, "-") || has_text(r, sign, "**"))) {
        p->weights[IN_INT] += 8;
    }
}

static void hint_by_parent(struct file_reader *r, struct inputs_param *p,
                           TSNode node)
{
    TSNode parent = ts_node_parent(node);

    if (ts_node_is_null(parent)) {
        return;
    }
    if (is_type(parent, "attribute") && is_field(parent, "object", node)) {
        hint_by_word(r, p, field(parent, "attribute"));
    } else if (is_type(parent, "argument_list")) {
        TSNode function = field(ts_node_parent(parent), "function");

        if (!ts_node_is_null(function)) {
            TSNode attribute = field(function, "attribute");

            hint_by_word(r, p,
                         ts_node_is_null(attribute) ? function : attribute);
        }
    } else if (is_type(parent, "call") && is_field(parent, "function", node)) {
        p->weights[IN_CALLABLE] += 60;
    } else if (is_type(parent, "subscript") &&
               is_field(parent, "value", node)) {
        TSNode index = field(parent, "subscript");
        bool is_text = !ts_node_is_null(index) && is_type(index, "string");
        TSNode above = ts_node_parent(parent);

        p->weights[is_text ? IN_DICT_STR_INT : IN_LIST_INT] += 10;
        p->weights[IN_STR] += is_text ? 0 : 4;
        if (!ts_node_is_null(above) && is_type(above, "subscript")) {
            p->weights[IN_MATRIX] += 16;
        }
    } else if ((is_type(parent, "for_statement") ||
                is_type(parent, "for_in_clause")) &&
               is_field(parent, "right", node)) {
        p->weights[IN_LIST_INT] += 10;
        p->weights[IN_STR] += 6;
        p->weights[IN_LIST_STR] += 4;
    } else if (is_type(parent, "binary_operator") ||
               is_type(parent, "comparison_operator") ||
               is_type(parent, "augmented_assignment")) {
        hint_by_operand(r, p, parent, node);
    }
}

static void add_literal(struct file_reader *r, TSNode node)
{
    size_t len;
    const char *text = text_of(r, node, &len);
    struct inputs *in = r->in;

    if (in->n_literals == INPUTS_MAX_LITERALS || len > 40 ||
        memchr(text, '\n', len) || memchr(text, '{', len) ||
        strchr("fFbBrRuU", text[0])) {
        return;
    }
    for (size_t i = 0; i < in->n_literals; i++) {
        if (strlen(in->literals[i]) == len &&
            memcmp(in->literals[i], text, len) == 0) {
            return;
        }
    }
    in->literals[in->n_literals] = cwm_strndup(text, len);
    if (!in->literals[in->n_literals]) {
        r->failed = CWM_NOMEM;
        return;
    }
    in->n_literals++;
}

/* ---- calls in the file ---- */

static enum cwm_rc add_written(struct inputs *in, const char *text, size_t len,
                               enum inputs_origin origin, uint32_t line)
{
    struct inputs_text *written = &in->written[in->n_written];
    enum cwm_rc rc;

    if (in->n_written == INPUTS_MAX_WRITTEN || len > INPUTS_MAX_ARGS) {
        return CWM_OK;
    }
    rc = source_check_args(text, len, NULL);
    if (rc != CWM_OK) {
        return rc == CWM_NOMEM ? rc : CWM_OK; /* no arguments: let be */
    }
    written->text = cwm_strndup(text, len);
    if (!written->text) {
        return CWM_NOMEM;
    }
    written->origin = origin;
    written->line = line;
    in->n_written++;
    return CWM_OK;
}

/* Names in the arguments are the file's own functions, or true everywhere. */
static bool is_known(const struct file_reader *r, TSNode node)
{
    static const char *const builtins[] = {
        "int",   "str",   "float", "list",   "dict",     "set",
        "tuple", "range", "len",   "sorted", "abs",      "max",
        "min",   "sum",   "bool",  "zip",    "frozenset"};
    TSNode parent = ts_node_parent(node);
    size_t n = 0;
    const struct source_def *defs = source_defs(r->source, &n);

    if (is_type(parent, "keyword_argument") && is_field(parent, "name", node)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(builtins); i++) {
        if (has_text(r, node, builtins[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (defs[i].parent < 0 && has_text(r, node, defs[i].name)) {
            return true;
        }
    }
    return false;
}

static bool is_literal(const struct file_reader *r, TSNode list)
{
    TSTreeCursor at = ts_tree_cursor_new(list);
    uint32_t depth = 0;
    bool known = true;
    bool going = true;

    while (going && known) {
        TSNode node = ts_tree_cursor_current_node(&at);

        if (is_type(node, "identifier")) {
            known = is_known(r, node);
        } else if (is_type(node, "yield") || is_type(node, "await") ||
                   is_type(node, "named_expression")) {
            known = false;
        }
        if (ts_tree_cursor_goto_first_child(&at)) {
            depth++;
            continue;
        }
        while (depth > 0 && !ts_tree_cursor_goto_next_sibling(&at)) {
            ts_tree_cursor_goto_parent(&at);
            depth--;
        }
        going = depth > 0;
    }
    ts_tree_cursor_delete(&at);
    return known;
}

static void read_call(struct file_reader *r, TSNode node)
{
    TSNode function = field(node, "function");
    TSNode list = field(node, "arguments");
    enum inputs_origin origin = INPUTS_CALL;
    size_t len;
    const char *text;
    uint32_t line = line_of(node);

    if (ts_node_is_null(function) || ts_node_is_null(list) ||
        !is_type(list, "argument_list") || !is_type(function, "identifier") ||
        !has_text(r, function, r->in->name) ||
        (line >= r->def->first_line && line <= r->def->last_line) ||
        !is_literal(r, list)) {
        return;
    }
    for (TSNode up = ts_node_parent(node); !ts_node_is_null(up);
         up = ts_node_parent(up)) {
        if (is_type(up, "assert_statement")) {
            origin = INPUTS_ASSERT;
        }
    }
    text = text_of(r, list, &len);
    r->failed = add_written(r->in, text + 1, len - 2, origin, line);
}

/* The end of the arguments that begin behind an open parenthesis. */
static const char *end_of_args(const char *p, const char *end)
{
    int open = 1;
    char quote = '\0';

    for (; p < end; p++) {
        if (quote) {
            if (*p == '\\') {
                p++;
            } else if (*p == quote) {
                quote = '\0';
            }
        } else if (*p == '\'' || *p == '"') {
            quote = *p;
        } else if (strchr("([{", *p) && *p) {
            open++;
        } else if (strchr(")]}", *p) && *p && --open == 0) {
            return p;
        }
    }
    return NULL;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Calls of the function in one example, its continuation lines joined. */
static enum cwm_rc read_example(struct inputs *in, const char *text, size_t len,
                                uint32_t line)
{
    const char *end = text + len;
    size_t name = strlen(in->name);
    enum cwm_rc rc = CWM_OK;

    for (const char *p = text; rc == CWM_OK && end - p > (long)name; p++) {
        const char *close;

        if (memcmp(p, in->name, name) != 0 || p[name] != '(' ||
            (p > text && (is_word(p[-1]) || p[-1] == '.'))) {
            continue;
        }
        close = end_of_args(p + name + 1, end);
        if (close) {
            rc = add_written(in, p + name + 1, (size_t)(close - p) - name - 1,
                             INPUTS_DOCTEST, line);
            p = close;
        }
    }
    return rc;
}

static const char *after_spaces(const char *text, size_t len, size_t *ret_left)
{
    size_t i = 0;

    while (i < len && (text[i] == ' ' || text[i] == '\t')) {
        i++;
    }
    *ret_left = len - i;
    return text + i;
}

/* ">>> " and the "... " lines behind it, all over the file. */
static void read_doctests(struct file_reader *r)
{
    uint32_t n = source_n_lines(r->source);
    struct cwm_buf example;

    cwm_buf_init(&example, INPUTS_MAX_ARGS * 4);
    for (uint32_t i = 1; i <= n && r->failed == CWM_OK; i++) {
        size_t len;
        const char *text = source_line(r->source, i, &len);
        uint32_t line = i;

        text = after_spaces(text, len, &len);
        if (len < 4 || memcmp(text, ">>> ", 4) != 0) {
            continue;
        }
        cwm_buf_clear(&example);
        cwm_buf_add(&example, text + 4, len - 4);
        while (i < n) {
            text = source_line(r->source, i + 1, &len);
            text = after_spaces(text, len, &len);
            if (len < 3 || memcmp(text, "...", 3) != 0) {
                break;
            }
            cwm_buf_addc(&example, '\n');
            cwm_buf_add(&example, text + 3, len - 3);
            i++;
        }
        if (example.failed == CWM_OK && example.len > 0) {
            r->failed = read_example(r->in, example.data, example.len, line);
        } else if (example.failed == CWM_NOMEM) {
            r->failed = CWM_NOMEM;
        }
    }
    cwm_buf_release(&example);
}

/* ---- the walk ---- */

static void visit(struct file_reader *r, TSNode node)
{
    uint32_t line = line_of(node);
    bool inside = line >= r->def->def_line && line <= r->def->last_line;
    struct inputs_param *p;

    if (is_type(node, "call")) {
        read_call(r, node);
    }
    if (!inside) {
        return;
    }
    if (is_type(node, "identifier")) {
        p = param_named(r, node);
        if (p && !p->is_annotated) {
            hint_by_parent(r, p, node);
        }
    } else if (is_type(node, "integer") || is_type(node, "string") ||
               is_type(node, "float")) {
        add_literal(r, node);
    }
}

static void walk(struct file_reader *r, TSNode root)
{
    TSTreeCursor at = ts_tree_cursor_new(root);
    uint32_t depth = 0;
    bool has_params = false;
    bool going = true;

    while (going && r->failed == CWM_OK) {
        TSNode node = ts_tree_cursor_current_node(&at);
        TSNode name;

        if (!has_params && is_type(node, "function_definition") &&
            ts_node_start_byte(node) >= r->def->start_byte &&
            ts_node_end_byte(node) <= r->def->end_byte + 1) {
            name = field(node, "name");
            if (!ts_node_is_null(name) && has_text(r, name, r->in->name)) {
                read_params(r, node);
                has_params = true;
            }
        }
        visit(r, node);
        if (ts_tree_cursor_goto_first_child(&at)) {
            depth++;
            continue;
        }
        while (depth > 0 && !ts_tree_cursor_goto_next_sibling(&at)) {
            ts_tree_cursor_goto_parent(&at);
            depth--;
        }
        going = depth > 0;
    }
    ts_tree_cursor_delete(&at);
}

enum cwm_rc inputs__read(struct inputs *in, const struct source *source,
                         const struct source_def *def, struct cwm_err *err)
{
    struct file_reader r = {.in = in, .source = source, .def = def};
    struct TSTree *tree = NULL; /* owned */
    enum cwm_rc rc;

    r.text = source_text(source, &r.len);
    rc = source_tree_new(r.text, r.len, "the program", &tree, err);
    if (rc != CWM_OK) {
        return rc;
    }
    read_doctests(&r);
    if (r.failed == CWM_OK) {
        walk(&r, ts_tree_root_node(tree));
    }
    ts_tree_delete(tree);
    if (r.failed != CWM_OK) {
        return CWM_FAIL(err, r.failed, "could not hold what is known of '%s'",
                        in->name);
    }
    return CWM_OK;
}
