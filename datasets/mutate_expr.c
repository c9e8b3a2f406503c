/* SPDX-License-Identifier: MIT */
/* mutate_expr.c -- operators, comparisons, constants, indices, calls. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/mutate_internal.h"

struct change {
    const char *from;
    const char *to[3];
};

static const struct change operators[] = {
    {"+", {"-", "*"}},     {"-", {"+"}},          {"*", {"+", "-"}},
    {"/", {"//", "*"}},    {"//", {"%", "/"}},    {"%", {"//", "+"}},
    {"**", {"*"}},         {"<<", {">>"}},        {">>", {"<<"}},
    {"&", {"|", "^"}},     {"|", {"&", "^"}},     {"^", {"&", "|"}},
    {"+=", {"-=", "*="}},  {"-=", {"+="}},        {"*=", {"+="}},
    {"/=", {"//=", "*="}}, {"//=", {"%=", "-="}}, {"%=", {"//="}},
    {"**=", {"*="}},       {"<<=", {">>="}},      {">>=", {"<<="}},
    {"&=", {"|="}},        {"|=", {"&="}},        {"^=", {"|="}},
    {"and", {"or"}},       {"or", {"and"}},
};

static const struct change comparisons[] = {
    {"<", {"<=", ">", ">="}}, {"<=", {"<", ">="}},  {">", {">=", "<", "<="}},
    {">=", {">", "<="}},      {"==", {"!=", ">="}}, {"!=", {"=="}},
    {"in", {"not in"}},       {"not in", {"in"}},   {"is", {"is not"}},
    {"is not", {"is"}},
};

/* Methods and functions that take and give the same. */
static const struct change names[] = {
    {"upper", {"lower", "title"}},
    {"lower", {"upper", "swapcase"}},
    {"title", {"capitalize"}},
    {"capitalize", {"title", "upper"}},
    {"swapcase", {"lower"}},
    {"strip", {"lstrip", "rstrip"}},
    {"lstrip", {"rstrip", "strip"}},
    {"rstrip", {"lstrip", "strip"}},
    {"startswith", {"endswith"}},
    {"endswith", {"startswith"}},
    {"find", {"rfind", "count"}},
    {"rfind", {"find"}},
    {"index", {"count"}},
    {"rindex", {"index"}},
    {"isdigit", {"isalpha", "isalnum"}},
    {"isalpha", {"isdigit", "isalnum"}},
    {"isalnum", {"isalpha"}},
    {"isupper", {"islower"}},
    {"islower", {"isupper"}},
    {"isspace", {"isalpha"}},
    {"ljust", {"rjust", "center"}},
    {"rjust", {"ljust"}},
    {"center", {"ljust"}},
    {"split", {"rsplit", "partition"}},
    {"partition", {"rpartition"}},
    {"removeprefix", {"removesuffix"}},
    {"removesuffix", {"removeprefix"}},
    {"append", {"remove", "extend"}},
    {"extend", {"append"}},
    {"appendleft", {"append"}},
    {"popleft", {"pop"}},
    {"sort", {"reverse"}},
    {"reverse", {"sort"}},
    {"add", {"discard"}},
    {"discard", {"add", "remove"}},
    {"union", {"intersection", "difference"}},
    {"intersection", {"union", "difference"}},
    {"difference", {"intersection", "symmetric_difference"}},
    {"issubset", {"issuperset", "isdisjoint"}},
    {"issuperset", {"issubset"}},
    {"keys", {"values"}},
    {"values", {"keys"}},
    {"items", {"keys"}},
    {"setdefault", {"get"}},
    {"min", {"max"}},
    {"max", {"min", "sum"}},
    {"sum", {"max", "len"}},
    {"any", {"all"}},
    {"all", {"any"}},
    {"sorted", {"list", "reversed"}},
    {"reversed", {"sorted", "list"}},
    {"ceil", {"floor"}},
    {"floor", {"ceil"}},
    {"sin", {"cos"}},
    {"cos", {"sin"}},
};

static void change_by_table(struct mutator *m, enum mutate_kind kind,
                            TSNode node, const struct change *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!mutate__has_text(m, node, table[i].from)) {
            continue;
        }
        for (size_t k = 0; k < ARRAY_LEN(table[i].to) && table[i].to[k]; k++) {
            mutate__adds(m, kind, node, table[i].to[k]);
        }
    }
}

static void operator_node(struct mutator *m, TSNode node)
{
    TSNode sign = mutate__field(node, "operator");
    TSNode argument = mutate__field(node, "argument");

    if (ts_node_is_null(sign)) {
        return;
    }
    if (mutate__is(node, "unary_operator")) {
        if (!ts_node_is_null(argument)) { /* -x to x */
            mutate__add(m, MUTATE_OPERATOR, ts_node_start_byte(node),
                        ts_node_end_byte(node), mutate__text(m, argument),
                        mutate__len(argument));
        }
        return;
    }
    change_by_table(m, MUTATE_OPERATOR, sign, operators, ARRAY_LEN(operators));
}

static void comparison_node(struct mutator *m, TSNode node)
{
    uint32_t n = ts_node_child_count(node);

    for (uint32_t i = 0; i < n && i < MUTATE_MAX_CHILDREN; i++) {
        TSNode child = ts_node_child(node, i);

        if (!ts_node_is_named(child)) {
            change_by_table(m, MUTATE_COMPARISON, child, comparisons,
                            ARRAY_LEN(comparisons));
        }
    }
}

/* ---- constants ---- */

static void integer_node(struct mutator *m, TSNode node)
{
    char digits[12];
    char text[24];
    uint32_t len = mutate__len(node);
    long value;

    if (len >= 10 || len == 0) {
        return; /* long ones, 0x..., 1_000: left as they are */
    }
    memcpy(digits, mutate__text(m, node), len);
    digits[len] = '\0';
    if (strspn(digits, "0123456789") != len) {
        return;
    }
    value = strtol(digits, NULL, 10);
    snprintf(text, sizeof text, "%ld", value + 1);
    mutate__adds(m, MUTATE_CONSTANT, node, text);
    if (value > 0) {
        snprintf(text, sizeof text, "%ld", value - 1);
        mutate__adds(m, MUTATE_CONSTANT, node, text);
    }
    if (value > 2) {
        snprintf(text, sizeof text, "%ld",
                 mutate__pick(m, 2) ? value * 2 : value / 2);
        mutate__adds(m, MUTATE_CONSTANT, node, text);
    }
}

/* A statement of its own: a docstring, no constant that anything looks at. */
static bool is_alone(TSNode node)
{
    TSNode parent = ts_node_parent(node);

    return !ts_node_is_null(parent) &&
           mutate__is(parent, "expression_statement");
}

/* Plain text only: no prefix, no interpolation, no escape. */
static void string_node(struct mutator *m, TSNode node)
{
    uint32_t len = mutate__len(node);
    const char *text = mutate__text(m, node);
    uint32_t start = ts_node_start_byte(node);
    char c;

    if (len < 2 || is_alone(node) || (text[0] != '\'' && text[0] != '"') ||
        (len >= 6 && text[1] == text[0] && text[2] == text[0]) ||
        memchr(text, '\\', len)) {
        return;
    }
    if (len == 2) {
        mutate__add(m, MUTATE_CONSTANT, start + 1, start + 1, "x", 1);
        return;
    }
    mutate__add(m, MUTATE_CONSTANT, start + 1, start + len - 1, "", 0);
    c = text[1];
    if ((c >= 'a' && c < 'z') || (c >= 'A' && c < 'Z') ||
        (c >= '0' && c < '9')) {
        c++;
        mutate__add(m, MUTATE_CONSTANT, start + 1, start + 2, &c, 1);
    }
    if (len > 4) {
        mutate__add(m, MUTATE_CONSTANT, start + 2, start + 3, "", 0);
    }
}

static void constant_node(struct mutator *m, TSNode node)
{
    if (mutate__is(node, "integer")) {
        integer_node(m, node);
    } else if (mutate__is(node, "float")) {
        mutate__adds(m, MUTATE_CONSTANT, node, "0.0");
        mutate__adds(m, MUTATE_CONSTANT, node, "1.5");
    } else if (mutate__is(node, "true")) {
        mutate__adds(m, MUTATE_CONSTANT, node, "False");
    } else if (mutate__is(node, "false")) {
        mutate__adds(m, MUTATE_CONSTANT, node, "True");
    } else if (mutate__is(node, "none")) {
        mutate__adds(m, MUTATE_CONSTANT, node, "0");
    } else if (mutate__is(node, "string")) {
        string_node(m, node);
    }
}

/* ---- x[i], x[a:b] ---- */

static void slice_node(struct mutator *m, TSNode node)
{
    TSNode parts[3] = {0};
    bool has[3] = {false, false, false};
    uint32_t n = ts_node_child_count(node);
    uint32_t at = 0;
    uint32_t end = ts_node_end_byte(node);

    for (uint32_t i = 0; i < n && i < 8; i++) {
        TSNode child = ts_node_child(node, i);

        if (ts_node_is_named(child) && at < 3) {
            parts[at] = child;
            has[at] = true;
        } else if (!ts_node_is_named(child)) {
            at++;
        }
    }
    for (uint32_t i = 0; i < 3; i++) {
        if (has[i]) {
            mutate__adds(m, MUTATE_INDEX, parts[i], "");
            if (i < 2) {
                mutate__add_around(m, MUTATE_INDEX, parts[i], "", " + 1");
                mutate__add_around(m, MUTATE_INDEX, parts[i], "", " - 1");
            } else {
                mutate__add_around(m, MUTATE_INDEX, parts[i], "-(", ")");
            }
        }
    }
    if (!has[0]) {
        mutate__add(m, MUTATE_INDEX, ts_node_start_byte(node),
                    ts_node_start_byte(node), "1", 1);
    }
    if (at == 1) { /* no step yet */
        mutate__add(m, MUTATE_INDEX, end, end, ":2", 2);
        mutate__add(m, MUTATE_INDEX, end, end, ":-1", 3);
    }
}

static void subscript_node(struct mutator *m, TSNode node)
{
    TSNode index = mutate__field(node, "subscript");

    if (ts_node_is_null(index)) {
        return;
    }
    if (mutate__is(index, "slice")) {
        slice_node(m, index);
    } else if (mutate__is(index, "integer") ||
               mutate__is(index, "unary_operator")) {
        mutate__adds(m, MUTATE_INDEX, index, "0");
        mutate__adds(m, MUTATE_INDEX, index, "-1");
        mutate__adds(m, MUTATE_INDEX, index, "1");
    } else if (mutate__is(index, "identifier") ||
               mutate__is(index, "binary_operator")) {
        mutate__add_around(m, MUTATE_INDEX, index, "", " - 1");
        mutate__add_around(m, MUTATE_INDEX, index, "", " + 1");
    }
}

/* ---- calls ---- */

/* Positional arguments, at most `most`; how many there are in all. */
static uint32_t arguments_of(TSNode list, TSNode *ret_nodes, uint32_t most)
{
    uint32_t n = ts_node_named_child_count(list);
    uint32_t found = 0;

    for (uint32_t i = 0; i < n && i < MUTATE_MAX_CHILDREN; i++) {
        TSNode child = ts_node_named_child(list, i);

        if (mutate__is(child, "keyword_argument") ||
            mutate__is(child, "list_splat") ||
            mutate__is(child, "dictionary_splat") ||
            mutate__is(child, "comment")) {
            continue;
        }
        if (found < most) {
            ret_nodes[found] = child;
        }
        found++;
    }
    return found;
}

static void range_call(struct mutator *m, TSNode node, TSNode list)
{
    TSNode args[3];
    uint32_t n = arguments_of(list, args, 3);
    uint32_t start = ts_node_start_byte(list);

    if (n == 0 || n > 3 || n != ts_node_named_child_count(list)) {
        return;
    }
    mutate__add_around(m, MUTATE_RANGE, args[n > 1 ? 1 : 0], "", " - 1");
    mutate__add_around(m, MUTATE_RANGE, args[n > 1 ? 1 : 0], "", " + 1");
    if (n == 1) {
        mutate__add(m, MUTATE_RANGE, start + 1, start + 1, "1, ", 3);
        mutate__add_around(m, MUTATE_RANGE, args[0], "0, ", ", 2");
    } else {
        mutate__add_around(m, MUTATE_RANGE, args[0], "", " + 1");
        if (n == 3) {
            mutate__add_around(m, MUTATE_RANGE, args[2], "2 * (", ")");
        }
    }
    mutate__add_around(m, MUTATE_RANGE, node, "reversed(", ")");
}

static void call_node(struct mutator *m, TSNode node)
{
    TSNode function = mutate__field(node, "function");
    TSNode list = mutate__field(node, "arguments");
    TSNode args[4];
    uint32_t n;

    if (ts_node_is_null(function) || ts_node_is_null(list) ||
        !mutate__is(list, "argument_list")) {
        return;
    }
    if (mutate__is(function, "attribute")) {
        TSNode name = mutate__field(function, "attribute");

        if (!ts_node_is_null(name)) {
            change_by_table(m, MUTATE_METHOD, name, names, ARRAY_LEN(names));
        }
    } else if (mutate__is(function, "identifier")) {
        if (mutate__has_text(m, function, "range")) {
            range_call(m, node, list);
        } else {
            change_by_table(m, MUTATE_METHOD, function, names,
                            ARRAY_LEN(names));
        }
    }
    n = arguments_of(list, args, ARRAY_LEN(args));
    for (uint32_t i = 0; i + 1 < n && i + 1 < ARRAY_LEN(args); i++) {
        uint32_t start = ts_node_start_byte(args[i]);
        uint32_t end = ts_node_end_byte(args[i + 1]);
        uint32_t gap = ts_node_end_byte(args[i]);
        struct cwm_buf text;

        cwm_buf_init(&text, MUTATE_MAX_TEXTS);
        cwm_buf_add(&text, mutate__text(m, args[i + 1]),
                    mutate__len(args[i + 1]));
        cwm_buf_add(&text, m->text + gap,
                    ts_node_start_byte(args[i + 1]) - gap);
        cwm_buf_add(&text, mutate__text(m, args[i]), mutate__len(args[i]));
        if (text.failed != CWM_OK) {
            m->failed = CWM_NOMEM;
        } else {
            mutate__add(m, MUTATE_ARGUMENT, start, end, text.data, text.len);
        }
        cwm_buf_release(&text);
    }
}

/* ---- conditions ---- */

static void condition(struct mutator *m, TSNode node, bool may_be_constant)
{
    if (ts_node_is_null(node)) {
        return;
    }
    mutate__add_around(m, MUTATE_CONDITION, node, "not (", ")");
    if (may_be_constant) {
        mutate__adds(m, MUTATE_CONDITION, node, "True");
        mutate__adds(m, MUTATE_CONDITION, node, "False");
    }
}

/* One half of an `and` or `or` for the whole. */
static void halves(struct mutator *m, TSNode node)
{
    TSNode sides[2] = {mutate__field(node, "left"),
                       mutate__field(node, "right")};

    for (int i = 0; i < 2; i++) {
        if (!ts_node_is_null(sides[i])) {
            mutate__add(m, MUTATE_CONDITION, ts_node_start_byte(node),
                        ts_node_end_byte(node), mutate__text(m, sides[i]),
                        mutate__len(sides[i]));
        }
    }
}

static void condition_node(struct mutator *m, TSNode node)
{
    if (mutate__is(node, "if_statement") || mutate__is(node, "elif_clause")) {
        condition(m, mutate__field(node, "condition"), true);
    } else if (mutate__is(node, "while_statement")) {
        condition(m, mutate__field(node, "condition"), false);
    } else if (mutate__is(node, "conditional_expression")) {
        if (ts_node_named_child_count(node) == 3) {
            condition(m, ts_node_named_child(node, 1), true);
        }
    } else if (mutate__is(node, "if_clause")) {
        if (ts_node_named_child_count(node) == 1) {
            condition(m, ts_node_named_child(node, 0), true);
        }
    } else if (mutate__is(node, "not_operator")) {
        TSNode argument = mutate__field(node, "argument");

        if (!ts_node_is_null(argument)) {
            mutate__add(m, MUTATE_CONDITION, ts_node_start_byte(node),
                        ts_node_end_byte(node), mutate__text(m, argument),
                        mutate__len(argument));
        }
    } else if (mutate__is(node, "boolean_operator")) {
        halves(m, node);
    }
}

void mutate__expression(struct mutator *m, TSNode node)
{
    if (!ts_node_is_named(node)) {
        return;
    }
    constant_node(m, node);
    condition_node(m, node);
    if (mutate__is(node, "binary_operator") ||
        mutate__is(node, "boolean_operator") ||
        mutate__is(node, "unary_operator") ||
        mutate__is(node, "augmented_assignment")) {
        operator_node(m, node);
    } else if (mutate__is(node, "comparison_operator")) {
        comparison_node(m, node);
    } else if (mutate__is(node, "subscript")) {
        subscript_node(m, node);
    } else if (mutate__is(node, "call")) {
        call_node(m, node);
    }
}
