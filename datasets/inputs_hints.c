/* SPDX-License-Identifier: MIT */
/*
 * inputs_hints.c -- of what type a parameter seems to be: by its annotation,
 * its name, its default, and by what the body does with it.
 */
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/inputs_reader.h"

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
static void plain_annotation(struct inputs__reader *r, TSNode type, char *plain,
                             size_t size)
{
    size_t n = 0;
    size_t len;
    const char *text = reader_text(r, type, &len);

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
static void read_annotation(struct inputs__reader *r, struct inputs_param *p,
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
        if (node_is(value, kinds[i].node)) {
            p->weights[kinds[i].type] += kinds[i].type == IN_NONE ? 6 : 30;
        }
    }
}

/* ---- parameters ---- */

static void add_param(struct inputs__reader *r, TSNode node, bool keyword_only)
{
    struct inputs *in = r->in;
    struct inputs_param *p = &in->params[in->n_params];
    TSNode name = node;
    TSNode type = node_field(node, "type");
    TSNode value = node_field(node, "value");
    size_t len;
    const char *text;

    if (in->n_params == INPUTS_MAX_PARAMS) {
        return;
    }
    if (!ts_node_is_null(node_field(node, "name"))) {
        name = node_field(node, "name");
    } else if (!node_is(node, "identifier")) {
        name = ts_node_named_child(node, 0);
    }
    *p = (struct inputs_param){.place = keyword_only ? PLACE_KEYWORD_ONLY
                                                     : PLACE_NORMAL};
    while (node_is(name, "list_splat_pattern") ||
           node_is(name, "dictionary_splat_pattern")) {
        p->place = PLACE_REST; /* need not be given */
        name = ts_node_named_child(name, 0);
    }
    if (node_is(node, "list_splat_pattern") ||
        node_is(node, "dictionary_splat_pattern")) {
        p->place = PLACE_REST;
    }
    if (ts_node_is_null(name)) {
        return; /* too broken to have one */
    }
    text = reader_text(r, name, &len);
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

void inputs__read_params(struct inputs__reader *r, TSNode function)
{
    TSNode list = node_field(function, "parameters");
    uint32_t n = ts_node_is_null(list) ? 0 : ts_node_named_child_count(list);
    bool keyword_only = false;

    for (uint32_t i = 0; i < n && r->failed == CWM_OK; i++) {
        TSNode child = ts_node_named_child(list, i);

        if (node_is(child, "keyword_separator")) {
            keyword_only = true;
        } else if (!node_is(child, "positional_separator") &&
                   !node_is(child, "comment")) {
            add_param(r, child, keyword_only);
            keyword_only = keyword_only || node_is(child, "list_splat_pattern");
        }
    }
}

/* ---- what the body does with them ---- */

static struct inputs_param *param_named(struct inputs__reader *r, TSNode node)
{
    size_t len;
    const char *text = reader_text(r, node, &len);

    for (size_t i = 0; i < r->in->n_params; i++) {
        const char *name = r->in->params[i].name;

        if (strlen(name) == len && memcmp(name, text, len) == 0) {
            return &r->in->params[i];
        }
    }
    return NULL;
}

static void hint_by_word(struct inputs__reader *r, struct inputs_param *p,
                         TSNode word)
{
    for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
        if (reader_has(r, word, uses[i].word)) {
            add_hint(p, &uses[i], 12);
        }
    }
}

static void hint_by_operand(struct inputs__reader *r, struct inputs_param *p,
                            TSNode parent, TSNode node)
{
    uint32_t n = ts_node_named_child_count(parent);
    TSNode sign = node_field(parent, "operator");

    for (uint32_t i = 0; i < n; i++) {
        TSNode other = ts_node_named_child(parent, i);

        if (ts_node_eq(other, node)) {
            continue;
        }
        if (node_is(other, "integer")) {
            p->weights[IN_INT] += 10;
        } else if (node_is(other, "float")) {
            p->weights[IN_FLOAT] += 8;
        } else if (node_is(other, "string")) {
            p->weights[IN_STR] += 10;
        } else if (node_is(other, "list")) {
            p->weights[IN_LIST_INT] += 8;
        }
    }
    if (!ts_node_is_null(sign) &&
        (reader_has(r, sign, "//") || reader_has(r, sign, "&") ||
         reader_has(r, sign, "<<") || reader_has(r, sign, ">>") ||
         reader_has(r, sign, "-") || reader_has(r, sign, "**"))) {
        p->weights[IN_INT] += 8;
    }
}

static void hint_by_parent(struct inputs__reader *r, struct inputs_param *p,
                           TSNode node)
{
    TSNode parent = ts_node_parent(node);

    if (ts_node_is_null(parent)) {
        return;
    }
    if (node_is(parent, "attribute") && node_is_field(parent, "object", node)) {
        hint_by_word(r, p, node_field(parent, "attribute"));
    } else if (node_is(parent, "argument_list")) {
        TSNode function = node_field(ts_node_parent(parent), "function");

        if (!ts_node_is_null(function)) {
            TSNode attribute = node_field(function, "attribute");

            hint_by_word(r, p,
                         ts_node_is_null(attribute) ? function : attribute);
        }
    } else if (node_is(parent, "call") &&
               node_is_field(parent, "function", node)) {
        p->weights[IN_CALLABLE] += 60;
    } else if (node_is(parent, "subscript") &&
               node_is_field(parent, "value", node)) {
        TSNode index = node_field(parent, "subscript");
        bool is_text = !ts_node_is_null(index) && node_is(index, "string");
        TSNode above = ts_node_parent(parent);

        p->weights[is_text ? IN_DICT_STR_INT : IN_LIST_INT] += 10;
        p->weights[IN_STR] += is_text ? 0 : 4;
        if (!ts_node_is_null(above) && node_is(above, "subscript")) {
            p->weights[IN_MATRIX] += 16;
        }
    } else if ((node_is(parent, "for_statement") ||
                node_is(parent, "for_in_clause")) &&
               node_is_field(parent, "right", node)) {
        p->weights[IN_LIST_INT] += 10;
        p->weights[IN_STR] += 6;
        p->weights[IN_LIST_STR] += 4;
    } else if (node_is(parent, "binary_operator") ||
               node_is(parent, "comparison_operator") ||
               node_is(parent, "augmented_assignment")) {
        hint_by_operand(r, p, parent, node);
    }
}

static void add_literal(struct inputs__reader *r, TSNode node)
{
    size_t len;
    const char *text = reader_text(r, node, &len);
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

void inputs__read_use(struct inputs__reader *r, TSNode node)
{
    struct inputs_param *p;

    if (node_is(node, "identifier")) {
        p = param_named(r, node);
        if (p && !p->is_annotated) {
            hint_by_parent(r, p, node);
        }
    } else if (node_is(node, "integer") || node_is(node, "string") ||
               node_is(node, "float")) {
        add_literal(r, node);
    }
}
