/* SPDX-License-Identifier: MIT */
/* opt.c -- parsing by table; the texts are in opt_help.c. */
#include "cwm/base/opt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_WORD = 64, /* longer words are never close to a name */
    MAX_NAMES = 64 /* options of one command that are offered as the nearest */
};

/* ---- the nearest word ---- */

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Edits (insert, delete, replace, swap neighbours) from a to b. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][MAX_WORD + 1];
    size_t *before = rows[0];
    size_t *above = rows[1];
    size_t *row = rows[2];
    size_t len_a = strlen(a);
    size_t len_b = strlen(b);

    for (size_t j = 0; j <= len_b; j++) {
        above[j] = j;
    }
    for (size_t i = 1; i <= len_a; i++) {
        size_t *spare = before;

        row[0] = i;
        for (size_t j = 1; j <= len_b; j++) {
            row[j] = min3(above[j] + 1, row[j - 1] + 1,
                          above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j]) {
                row[j] = before[j - 2] + 1;
            }
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[len_b];
}

const char *opt_nearest(const char *word, const char *const *words, size_t n)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 1;

    if (strlen(word) > MAX_WORD) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        size_t d;

        if (strlen(words[i]) > MAX_WORD) {
            continue;
        }
        d = distance(word, words[i]);
        if (d < best_distance || (d == best_distance && !best)) {
            best = words[i];
            best_distance = d;
        }
    }
    return best;
}

/* ---- values ---- */

static void *field_of(const struct opt *o, void *fields)
{
    return (char *)fields + o->offset;
}

/* What a k, M or G behind the digits multiplies by; 0: no such letter. */
static uint64_t suffix_factor(const struct opt *o, const char *suffix)
{
    if (suffix[0] == '\0') {
        return 1;
    }
    if (!o->in_bytes || suffix[1] != '\0') {
        return 0;
    }
    switch (suffix[0]) {
    case 'k':
    case 'K':
        return 1u << 10;
    case 'm':
    case 'M':
        return 1u << 20;
    case 'g':
    case 'G':
        return 1u << 30;
    default:
        return 0;
    }
}

enum cwm_rc opt_number(const struct opt *o, const char *what, const char *text,
                       uint64_t *ret_value, struct cwm_err *err)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t factor = suffix_factor(o, text + digits);
    uint64_t value;

    if (digits == 0 || factor == 0) {
        return CWM_FAIL(err, CWM_USAGE,
                        "%s takes a whole number from %llu to %llu%s, not '%s'",
                        what, (unsigned long long)o->min,
                        (unsigned long long)o->max,
                        o->in_bytes ? " (k, M or G may follow)" : "", text);
    }
    errno = 0;
    value = strtoull(text, NULL, 10);
    if (errno != 0 || __builtin_mul_overflow(value, factor, &value) ||
        value < o->min || value > o->max) {
        return CWM_FAIL(err, CWM_USAGE, "%s must be from %llu to %llu, not %s",
                        what, (unsigned long long)o->min,
                        (unsigned long long)o->max, text);
    }
    *ret_value = value;
    return CWM_OK;
}

static enum cwm_rc set_enum(const struct opt *o, const char *what,
                            const char *text, int *ret_index,
                            struct cwm_err *err)
{
    char list[160] = "";

    for (int i = 0; o->choices[i]; i++) {
        size_t used = strlen(list);

        if (strcmp(o->choices[i], text) == 0) {
            *ret_index = i;
            return CWM_OK;
        }
        if (used + strlen(o->choices[i]) + 3 < sizeof list) {
            memcpy(list + used, ", ", 2);
            memcpy(list + used + 2, o->choices[i], strlen(o->choices[i]) + 1);
        }
    }
    return CWM_FAIL(err, CWM_USAGE, "%s takes one of %s, not '%s'", what,
                    list[0] ? list + 2 : "", text);
}

static enum cwm_rc set_value(const struct opt *o, const char *what,
                             const char *text, void *fields,
                             struct cwm_err *err)
{
    void *field = field_of(o, fields);

    switch (o->type) {
    case OPT_FLAG:
        *(bool *)field = true;
        return CWM_OK;
    case OPT_STRING:
        *(const char **)field = text;
        return CWM_OK;
    case OPT_U64:
        return opt_number(o, what, text, field, err);
    case OPT_ENUM:
        return set_enum(o, what, text, field, err);
    case OPT_LIST: {
        struct opt_list *list = field;

        if (list->n == OPT_LIST_MAX) {
            return CWM_FAIL(err, CWM_USAGE, "%s is given more than %d times",
                            what, OPT_LIST_MAX);
        }
        list->values[list->n++] = text;
        return CWM_OK;
    }
    }
    return CWM_OK;
}

void opt_defaults(const struct opt_command *c, void *fields)
{
    for (size_t i = 0; i < c->n_opts; i++) {
        const struct opt *o = &c->opts[i];

        switch (o->type) {
        case OPT_FLAG:
            *(bool *)field_of(o, fields) = false;
            break;
        case OPT_STRING:
            *(const char **)field_of(o, fields) = NULL;
            break;
        case OPT_U64:
            *(uint64_t *)field_of(o, fields) = 0;
            break;
        case OPT_ENUM:
            *(int *)field_of(o, fields) = 0;
            break;
        case OPT_LIST:
            ((struct opt_list *)field_of(o, fields))->n = 0;
            break;
        }
        if (o->fallback) {
            set_value(o, o->name, o->fallback, fields, NULL);
        }
    }
}

/* ---- words ---- */

/* Where opt_parse() stands. */
struct parser {
    const struct opt_command *command;
    char **argv;
    int argc;
    int at;
    void *fields;
};

/* ---- back into words ---- */

void opt_add_word(const char *word, struct cwm_buf *out)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "/._-+=:,@%";

    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        cwm_buf_adds(out, word);
        return;
    }
    cwm_buf_addc(out, '\'');
    for (const char *p = word; *p; p++) {
        if (*p == '\'') {
            cwm_buf_adds(out, "'\\''");
        } else {
            cwm_buf_addc(out, *p);
        }
    }
    cwm_buf_addc(out, '\'');
}

static void add_given(const struct opt *o, const char *value,
                      struct cwm_buf *out)
{
    const char *slash = value ? strrchr(value, '/') : NULL;

    cwm_buf_addf(out, " --%s", o->name);
    if (value) {
        cwm_buf_addc(out, ' ');
        opt_add_word(slash && slash[1] ? slash + 1 : value, out);
    }
}

static void add_if_given(const struct opt *o, const void *fields,
                         struct cwm_buf *out)
{
    const char *at = (const char *)fields + o->offset;
    const char *fallback = o->fallback ? o->fallback : "";
    uint64_t number = 0;
    char digits[24];

    switch (o->type) {
    case OPT_FLAG:
        if (*(const bool *)(const void *)at) {
            add_given(o, NULL, out);
        }
        break;
    case OPT_STRING: {
        const char *text = *(const char *const *)(const void *)at;

        if (text && strcmp(text, fallback) != 0) {
            add_given(o, text, out);
        }
        break;
    }
    case OPT_U64:
        if (o->fallback) {
            (void)opt_number(o, o->name, o->fallback, &number, NULL);
        }
        if (number != *(const uint64_t *)(const void *)at) {
            snprintf(digits, sizeof digits, "%llu",
                     (unsigned long long)*(const uint64_t *)(const void *)at);
            add_given(o, digits, out);
        }
        break;
    case OPT_ENUM: {
        const char *choice = o->choices[*(const int *)(const void *)at];

        if (strcmp(choice, o->fallback ? fallback : o->choices[0]) != 0) {
            add_given(o, choice, out);
        }
        break;
    }
    case OPT_LIST: {
        const struct opt_list *list = (const void *)at;

        for (size_t i = 0; i < list->n; i++) {
            add_given(o, list->values[i], out);
        }
        break;
    }
    }
}

void opt_add_given(const struct opt_command *c, const void *fields,
                   const char *const *skip, struct cwm_buf *out)
{
    for (size_t i = 0; i < c->n_opts; i++) {
        size_t k = 0;

        while (skip[k] && strcmp(skip[k], c->opts[i].name) != 0) {
            k++;
        }
        if (!skip[k]) {
            add_if_given(&c->opts[i], fields, out);
        }
    }
}

/* ---- words into fields ---- */

static const struct opt *find_long(const struct opt_command *c,
                                   const char *name, size_t len)
{
    for (size_t i = 0; i < c->n_opts; i++) {
        if (strlen(c->opts[i].name) == len &&
            memcmp(c->opts[i].name, name, len) == 0) {
            return &c->opts[i];
        }
    }
    return NULL;
}

static const struct opt *find_letter(const struct opt_command *c, char letter)
{
    for (size_t i = 0; i < c->n_opts; i++) {
        if (letter != '\0' && c->opts[i].letter == letter) {
            return &c->opts[i];
        }
    }
    return NULL;
}

static enum cwm_rc no_such_option(const struct opt_command *c, const char *word,
                                  struct cwm_err *err)
{
    const char *names[MAX_NAMES];
    char name[MAX_WORD + 1];
    const char *near;
    size_t n = 0;
    size_t len = strcspn(word, "=");

    names[n++] = "help";
    for (size_t i = 0; i < c->n_opts && n < MAX_NAMES; i++) {
        names[n++] = c->opts[i].name;
    }
    if (strncmp(word, "--", 2) == 0 && len - 2 <= MAX_WORD) {
        memcpy(name, word + 2, len - 2);
        name[len - 2] = '\0';
        near = opt_nearest(name, names, n);
        if (near) {
            return CWM_FAIL(err, CWM_USAGE,
                            "there is no option '%.*s'; did you mean '--%s'?",
                            (int)len, word, near);
        }
    }
    return CWM_FAIL(err, CWM_USAGE,
                    "there is no option '%.*s'\n'cwm %s%s--help' lists them",
                    (int)(len < 80 ? len : 80), word, c->name,
                    c->name[0] ? " " : "");
}

/*
 * Take the value of `o`: `attached` (behind '=' or a letter), or the next
 * word.  `what` is the option as typed.
 */
static enum cwm_rc take_value(struct parser *p, const struct opt *o,
                              const char *what, const char *attached,
                              struct cwm_err *err)
{
    if (o->type == OPT_FLAG) {
        if (attached) {
            return CWM_FAIL(err, CWM_USAGE, "%s takes no value", what);
        }
        return set_value(o, what, NULL, p->fields, err);
    }
    if (!attached) {
        if (p->at == p->argc) {
            return CWM_FAIL(err, CWM_USAGE, "%s needs a value (%s)", what,
                            o->value);
        }
        attached = p->argv[p->at++];
    }
    return set_value(o, what, attached, p->fields, err);
}

static enum cwm_rc parse_long(struct parser *p, const char *word, bool *help,
                              struct cwm_err *err)
{
    size_t len = strcspn(word + 2, "=");
    const struct opt *o = find_long(p->command, word + 2, len);
    char what[MAX_WORD + 3] = "--";

    if (strcmp(word, "--help") == 0) {
        *help = true;
        return CWM_OK;
    }
    if (!o) {
        return no_such_option(p->command, word, err);
    }
    if (strlen(o->name) <= MAX_WORD) {
        memcpy(what + 2, o->name, strlen(o->name) + 1);
    }
    return take_value(p, o, what, word[2 + len] ? word + 3 + len : NULL, err);
}

static enum cwm_rc parse_letter(struct parser *p, const char *word, bool *help,
                                struct cwm_err *err)
{
    const struct opt *o = find_letter(p->command, word[1]);
    const char what[3] = {'-', word[1], '\0'};

    if (strcmp(word, "-h") == 0) {
        *help = true;
        return CWM_OK;
    }
    if (!o) {
        return no_such_option(p->command, word, err);
    }
    return take_value(p, o, what, word[2] ? word + 2 : NULL, err);
}

enum cwm_rc opt_parse(const struct opt_command *c, int argc, char **argv,
                      void *fields, struct opt_rest *rest, struct cwm_err *err)
{
    struct parser p = {.command = c, .argv = argv, .argc = argc};
    enum cwm_rc rc = CWM_OK;
    bool only_positionals = false;

    p.fields = fields;
    rest->n = 0;
    rest->help = false;
    while (p.at < argc && rc == CWM_OK && !rest->help) {
        const char *word = argv[p.at++];

        if (only_positionals || word[0] != '-' || word[1] == '\0') {
            rest->values[rest->n++] = word;
        } else if (strcmp(word, "--") == 0) {
            only_positionals = true;
        } else if (word[1] == '-') {
            rc = parse_long(&p, word, &rest->help, err);
        } else {
            rc = parse_letter(&p, word, &rest->help, err);
        }
    }
    if (rc == CWM_OK && !rest->help && rest->n > c->max_positionals) {
        rc = CWM_FAIL(err, CWM_USAGE, "cannot use '%s': %s",
                      rest->values[c->max_positionals],
                      c->max_positionals == 0 ? "nothing but options is taken"
                                              : "one argument too many");
    }
    return rc;
}
