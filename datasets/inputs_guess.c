/* SPDX-License-Identifier: MIT */
/* inputs_guess.c -- arguments made up, changed, and learnt from. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/inputs_internal.h"

/* Python's names of the types, as its messages write them. */
static const char *const type_names[IN_N_TYPES] = {
    [IN_INT] = "int",           [IN_FLOAT] = "float",
    [IN_BOOL] = "bool",         [IN_STR] = "str",
    [IN_NONE] = "NoneType",     [IN_LIST_INT] = "list",
    [IN_LIST_STR] = "list",     [IN_LIST_FLOAT] = "list",
    [IN_MATRIX] = "list",       [IN_PAIRS] = "list",
    [IN_DICT_STR_INT] = "dict", [IN_DICT_INT] = "dict",
    [IN_GRAPH] = "dict",        [IN_SET_INT] = "set",
    [IN_TUPLE_INT] = "tuple",   [IN_CALLABLE] = "function"};

/* ---- values ---- */

/* A number or string that stands in the function, at times. */
static const char *literal(struct inputs *in, bool is_text)
{
    for (int i = 0; i < 4 && in->n_literals > 0; i++) {
        const char *text =
            in->literals[inputs__pick(in, (uint32_t)in->n_literals)];

        if ((*text == '\'' || *text == '"') == is_text) {
            return text;
        }
    }
    return NULL;
}

static void add_int(struct inputs *in, struct cwm_buf *out, bool small)
{
    static const int numbers[] = {0,  1,  2,  3,  4,   5,   6,  7,  8,
                                  9,  10, 12, 15, 16,  20,  25, 27, 30,
                                  42, 50, 64, 97, 100, 121, 255};
    const char *text = inputs__chance(in, 300) ? literal(in, false) : NULL;
    uint32_t n = small ? 10 : ARRAY_LEN(numbers);

    if (text && strspn(text, "0123456789") == strlen(text) &&
        strlen(text) < 7) {
        long value = strtol(text, NULL, 10) + (long)inputs__pick(in, 3) - 1;

        cwm_buf_addf(out, "%ld", value);
        return;
    }
    cwm_buf_addf(out, "%s%d", inputs__chance(in, 170) ? "-" : "",
                 numbers[inputs__pick(in, n)]);
}

static void add_str(struct inputs *in, struct cwm_buf *out)
{
    static const char *const texts[] = {
        "''",        "'a'",           "'abc'",
        "'hello'",   "'Hello World'", "'racecar'",
        "'12345'",   "'a1b2c3'",      "'the quick brown fox'",
        "'AbCdEf'",  "'aabbbc'",      "'0101'",
        "'(())'",    "'one, two'",    "'  spaces '",
        "'xyzzy'",   "'MMXIV'",       "'-7'",
        "'3.5'",     "'banana'",      "'level'",
        "'a-b_c.d'", "'zz top'",      "'Python'"};
    const char *text = inputs__chance(in, 250) ? literal(in, true) : NULL;

    cwm_buf_adds(out, text ? text : texts[inputs__pick(in, ARRAY_LEN(texts))]);
}

static void add_value(struct inputs *in, enum inputs_type type,
                      struct cwm_buf *out);

static void add_items(struct inputs *in, const char *open, const char *close,
                      enum inputs_type type, uint32_t most, struct cwm_buf *out)
{
    uint32_t n = inputs__chance(in, 100) ? 0 : 1 + inputs__pick(in, most);

    cwm_buf_adds(out, open);
    for (uint32_t i = 0; i < n; i++) {
        cwm_buf_adds(out, i ? ", " : "");
        if (type == IN_INT) {
            add_int(in, out, inputs__chance(in, 500));
        } else {
            add_value(in, type, out);
        }
    }
    cwm_buf_adds(out, n == 1 && *close == ')' ? ",)" : close);
}

static void add_matrix(struct inputs *in, struct cwm_buf *out)
{
    uint32_t rows = 1 + inputs__pick(in, 4);
    uint32_t columns = inputs__chance(in, 500) ? rows : 1 + inputs__pick(in, 4);

    cwm_buf_addc(out, '[');
    for (uint32_t i = 0; i < rows; i++) {
        cwm_buf_adds(out, i ? ", [" : "[");
        for (uint32_t k = 0; k < columns; k++) {
            cwm_buf_adds(out, k ? ", " : "");
            add_int(in, out, true);
        }
        cwm_buf_addc(out, ']');
    }
    cwm_buf_addc(out, ']');
}

static void add_dict(struct inputs *in, enum inputs_type type,
                     struct cwm_buf *out)
{
    uint32_t n = inputs__chance(in, 80) ? 0 : 1 + inputs__pick(in, 4);
    bool by_letter = inputs__chance(in, 600);

    cwm_buf_addc(out, '{');
    for (uint32_t i = 0; i < n; i++) {
        cwm_buf_adds(out, i ? ", " : "");
        if (type == IN_DICT_INT || (type == IN_GRAPH && !by_letter)) {
            cwm_buf_addf(out, "%" PRIu32 ": ", i);
        } else {
            cwm_buf_addf(out, "'%c': ", 'a' + (int)i);
        }
        if (type != IN_GRAPH) {
            add_int(in, out, false);
            continue;
        }
        cwm_buf_addc(out, '[');
        for (uint32_t k = 0; k < inputs__pick(in, 3); k++) {
            uint32_t to = inputs__pick(in, n);

            cwm_buf_adds(out, k ? ", " : "");
            if (by_letter) {
                cwm_buf_addf(out, "'%c'", 'a' + (int)to);
            } else {
                cwm_buf_addf(out, "%" PRIu32, to);
            }
        }
        cwm_buf_addc(out, ']');
    }
    cwm_buf_addc(out, '}');
}

static void add_pairs(struct inputs *in, struct cwm_buf *out)
{
    uint32_t n = 1 + inputs__pick(in, 5);

    cwm_buf_addc(out, '[');
    for (uint32_t i = 0; i < n; i++) {
        cwm_buf_adds(out, i ? ", (" : "(");
        add_int(in, out, true);
        cwm_buf_adds(out, ", ");
        add_int(in, out, true);
        cwm_buf_addc(out, ')');
    }
    cwm_buf_addc(out, ']');
}

static void add_value(struct inputs *in, enum inputs_type type,
                      struct cwm_buf *out)
{
    static const char *const floats[] = {"0.0",  "0.5",  "1.0",  "1.5",  "2.25",
                                         "-1.5", "3.14", "10.0", "100.0"};
    static const char *const functions[] = {
        "lambda x: x",  "lambda x: x * x",
        "lambda x: -x", "lambda x: x - 2",
        "lambda *a: 0", "abs",
        "str",          "lambda x: x ** 3 - x"};

    switch (type) {
    case IN_INT:
        add_int(in, out, false);
        break;
    case IN_FLOAT:
        cwm_buf_adds(out, floats[inputs__pick(in, ARRAY_LEN(floats))]);
        break;
    case IN_BOOL:
        cwm_buf_adds(out, inputs__chance(in, 500) ? "True" : "False");
        break;
    case IN_STR:
        add_str(in, out);
        break;
    case IN_LIST_INT:
        add_items(in, "[", "]", IN_INT, 7, out);
        break;
    case IN_LIST_STR:
        add_items(in, "[", "]", IN_STR, 4, out);
        break;
    case IN_LIST_FLOAT:
        add_items(in, "[", "]", IN_FLOAT, 5, out);
        break;
    case IN_MATRIX:
        add_matrix(in, out);
        break;
    case IN_PAIRS:
        add_pairs(in, out);
        break;
    case IN_DICT_STR_INT:
    case IN_DICT_INT:
    case IN_GRAPH:
        add_dict(in, type, out);
        break;
    case IN_SET_INT:
        if (inputs__chance(in, 100)) {
            cwm_buf_adds(out, "set()");
        } else {
            cwm_buf_addc(out, '{');
            add_int(in, out, false);
            cwm_buf_adds(out, ", ");
            add_int(in, out, false);
            cwm_buf_addc(out, '}');
        }
        break;
    case IN_TUPLE_INT:
        add_items(in, "(", ")", IN_INT, 4, out);
        break;
    case IN_CALLABLE:
        cwm_buf_adds(out, functions[inputs__pick(in, ARRAY_LEN(functions))]);
        break;
    case IN_NONE:
    case IN_N_TYPES:
        cwm_buf_adds(out, "None");
        break;
    }
}

static enum inputs_type choose_type(struct inputs *in,
                                    const struct inputs_param *p)
{
    uint32_t sum = 0;
    uint32_t at;

    for (int i = 0; i < IN_N_TYPES; i++) {
        sum += p->weights[i];
    }
    if (sum == 0) { /* an annotation that nothing is known of */
        return (enum inputs_type)inputs__pick(in, IN_CALLABLE);
    }
    at = inputs__pick(in, sum);
    for (int i = 0; i < IN_N_TYPES; i++) {
        if (at < p->weights[i]) {
            return (enum inputs_type)i;
        }
        at -= p->weights[i];
    }
    return IN_INT;
}

void inputs__typed(struct inputs *in, struct cwm_buf *out)
{
    bool by_name = false;
    uint32_t n = 0;

    for (size_t i = 0; i < in->n_params; i++) {
        const struct inputs_param *p = &in->params[i];
        enum inputs_type type = choose_type(in, p);

        in->last_types[i] = type;
        if (p->place == PLACE_REST) {
            continue;
        }
        if (p->has_default && inputs__chance(in, 500)) {
            by_name = true; /* those behind it need their names */
            continue;
        }
        cwm_buf_adds(out, n++ ? ", " : "");
        if (by_name || p->place == PLACE_KEYWORD_ONLY) {
            cwm_buf_addf(out, "%s=", p->name);
        }
        add_value(in, type, out);
    }
    in->n_last_types = in->n_params;
}

/* ---- changes ---- */

/* The end of the item that begins at p: a comma, or what closes it. */
static const char *item_end(const char *p)
{
    int open = 0;
    char quote = '\0';

    for (; *p; p++) {
        if (quote) {
            if (*p == '\\' && p[1]) {
                p++;
            } else if (*p == quote) {
                quote = '\0';
            }
        } else if (*p == '\'' || *p == '"') {
            quote = *p;
        } else if (strchr("([{", *p)) {
            open++;
        } else if (strchr(")]}", *p)) {
            if (open-- == 0) {
                return p;
            }
        } else if (*p == ',' && open == 0) {
            return p;
        }
    }
    return p;
}

/* Part number `at` of the items from p on; how many there are. */
static size_t find_item(const char *p, size_t at, const char **ret_start,
                        const char **ret_end)
{
    size_t n = 0;

    for (;;) {
        const char *end = item_end(p);

        while (*p == ' ') {
            p++;
        }
        if (p < end) {
            if (n == at) {
                *ret_start = p;
                *ret_end = end;
            }
            n++;
        }
        if (*end != ',') {
            return n;
        }
        p = end + 1;
    }
}

static void change_number(struct inputs *in, const char *text, size_t len,
                          struct cwm_buf *out)
{
    long value = strtol(text, NULL, 10);

    if (len > 9) {
        value = 1000;
    }
    switch (inputs__pick(in, 6)) {
    case 0:
        value += 1;
        break;
    case 1:
        value -= 1;
        break;
    case 2:
        value *= 2;
        break;
    case 3:
        value = -value;
        break;
    case 4:
        value = 0;
        break;
    default:
        value = value / 2;
    }
    cwm_buf_addf(out, "%ld", value);
}

/* Cuts and doublings that keep what is between the quotes in one piece. */
static void change_string(struct inputs *in, const char *text, size_t len,
                          struct cwm_buf *out)
{
    static const char letters[] = "abcxyzABC019 .,-()";
    size_t inner = len - 2;
    size_t at = inner ? inputs__pick(in, (uint32_t)inner) : 0;
    char letter = letters[inputs__pick(in, sizeof letters - 1)];

    if (memchr(text, '\\', len) || inner > 200 || text[1] == text[0]) {
        add_str(in, out);
        return;
    }
    cwm_buf_addc(out, text[0]);
    switch (inputs__pick(in, 5)) {
    case 0: /* one less */
        cwm_buf_add(out, text + 1, at);
        if (inner > at + 1) {
            cwm_buf_add(out, text + 2 + at, inner - at - 1);
        }
        break;
    case 1: /* one more */
        cwm_buf_add(out, text + 1, at);
        cwm_buf_addc(out, letter);
        cwm_buf_add(out, text + 1 + at, inner - at);
        break;
    case 2: /* twice */
        cwm_buf_add(out, text + 1, inner);
        cwm_buf_add(out, text + 1, inner);
        break;
    case 3: /* the other way round, where that is no matter */
        for (size_t i = inner; i > 0; i--) {
            cwm_buf_addc(out, (unsigned char)text[i] < 0x80 ? text[i] : '?');
        }
        break;
    default: /* the other case */
        for (size_t i = 0; i < inner; i++) {
            char c = text[1 + i];
            bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

            cwm_buf_addc(out, is_letter ? (char)(c ^ 0x20) : c);
        }
    }
    cwm_buf_addc(out, text[0]);
}

static void change(struct inputs *in, const char *text, size_t len,
                   struct cwm_buf *out);

/* [a, b, c]: an item dropped, doubled, changed, or two exchanged. */
static void change_items(struct inputs *in, const char *text, size_t len,
                         struct cwm_buf *out)
{
    const char *start = text + 1;
    const char *end = start;
    const char *last = text + len - 1;
    size_t n = find_item(text + 1, SIZE_MAX, &start, &end);
    uint32_t kind = inputs__pick(in, 4);
    bool is_pair_list = *text == '{'; /* keys and values: not changed */

    if (n == 0) {
        cwm_buf_add(out, text, 1);
        if (!is_pair_list) {
            add_int(in, out, true);
        }
        cwm_buf_adds(out, *text == '(' ? "," : "");
        cwm_buf_add(out, last, 1);
        return;
    }
    find_item(text + 1, inputs__pick(in, (uint32_t)n), &start, &end);
    cwm_buf_add(out, text, (size_t)(start - text));
    if (kind == 0) { /* dropped */
        while (end < last && (*end == ',' || *end == ' ')) {
            end++;
        }
    } else if (kind == 1 && !is_pair_list) { /* doubled */
        cwm_buf_add(out, start, (size_t)(end - start));
        cwm_buf_adds(out, ", ");
        cwm_buf_add(out, start, (size_t)(end - start));
    } else if (is_pair_list) {
        const char *value = memchr(start, ':', (size_t)(end - start));

        if (value && value[1] == ' ' &&
            ((value[2] >= '0' && value[2] <= '9') || value[2] == '-')) {
            cwm_buf_add(out, start, (size_t)(value + 2 - start));
            change_number(in, value + 2, (size_t)(end - value) - 2, out);
        } else {
            cwm_buf_add(out, start, (size_t)(end - start));
        }
    } else {
        change(in, start, (size_t)(end - start), out);
    }
    cwm_buf_add(out, end, (size_t)(text + len - end));
}

static bool is_number(const char *text, size_t len)
{
    size_t i = text[0] == '-' && len > 1;

    for (; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
    }
    return true;
}

static void change(struct inputs *in, const char *text, size_t len,
                   struct cwm_buf *out)
{
    char last = text[len - 1];

    if (is_number(text, len)) {
        change_number(in, text, len, out);
    } else if (len >= 2 && (*text == '\'' || *text == '"') && last == *text) {
        change_string(in, text, len, out);
    } else if (len >= 2 && ((*text == '[' && last == ']') ||
                            (*text == '(' && last == ')') ||
                            (*text == '{' && last == '}'))) {
        change_items(in, text, len, out);
    } else if (len == 4 && memcmp(text, "True", 4) == 0) {
        cwm_buf_adds(out, "False");
    } else if (len == 5 && memcmp(text, "False", 5) == 0) {
        cwm_buf_adds(out, "True");
    } else { /* an expression: something of the same kind is not known */
        cwm_buf_add(out, text, len);
    }
}

void inputs__mutated(struct inputs *in, const char *args, struct cwm_buf *out)
{
    const char *start = args;
    const char *end = args;
    const char *value;
    size_t n = find_item(args, SIZE_MAX, &start, &end);

    if (n == 0) {
        inputs__typed(in, out);
        return;
    }
    find_item(args, inputs__pick(in, (uint32_t)n), &start, &end);
    value = start;
    while (value < end && (*value == '_' || (*value >= 'a' && *value <= 'z') ||
                           (*value >= 'A' && *value <= 'Z'))) {
        value++;
    }
    /* name=value */
    value = value < end && *value == '=' && value[1] != '=' ? value + 1 : start;
    cwm_buf_add(out, args, (size_t)(value - args));
    change(in, value, (size_t)(end - value), out);
    cwm_buf_adds(out, end);
}

/* ---- feedback ---- */

static bool names_type(const char *message, const char *type)
{
    size_t len = strlen(type);

    for (const char *p = message; (p = strstr(p, type)) != NULL; p += len) {
        bool begins = p == message || p[-1] == '\'' || p[-1] == ' ';
        bool ends =
            p[len] == '\0' || p[len] == '\'' || p[len] == ' ' || p[len] == ',';

        if (begins && ends) {
            return true;
        }
    }
    return false;
}

void inputs__learn(struct inputs *in, const struct inputs_outcome *outcome)
{
    bool is_type_error = strcmp(outcome->exception_type, "TypeError") == 0 ||
                         strcmp(outcome->exception_type, "AttributeError") == 0;

    for (size_t i = 0; i < in->n_last_types; i++) {
        enum inputs_type type = in->last_types[i];
        uint32_t *weight = &in->params[i].weights[type];

        if (outcome->verdict == TRACE_VERDICT_OK) {
            *weight += *weight < 1000 ? 6 : 0;
        } else if (is_type_error &&
                   names_type(outcome->exception_message, type_names[type])) {
            *weight = *weight / 3;
        } else if (is_type_error) {
            *weight -= *weight / 4;
        }
    }
}
