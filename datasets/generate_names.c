/* SPDX-License-Identifier: MIT */
/* generate_names.c -- word lists, and names made of them. */
#include "datasets/generate_internal.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = {
    "apple",  "river",  "stone",  "cloud",  "garden", "window", "silver",
    "paper",  "music",  "bridge", "forest", "candle", "winter", "summer",
    "market", "letter", "planet", "rocket", "island", "mirror", "copper",
    "ladder", "pencil", "basket", "anchor", "button", "castle", "desert",
    "engine", "falcon", "guitar", "harbor", "jacket", "kettle", "lemon",
    "meadow", "needle", "orange", "pepper", "quartz", "ribbon", "saddle",
    "tunnel", "violet", "walnut", "yellow", "zebra",  "acorn",  "badge",
    "cabin",  "daisy",  "eagle",  "fern",   "glove",  "honey",  "ivory",
    "jelly",  "koala",  "lamp",   "maple",  "night",  "olive",  "pearl",
    "queen",  "raven",  "sugar",  "tiger",  "urban",  "vapor",  "wheat",
    "fox",    "owl",    "bee",    "cat",    "dog",    "hen",    "ant",
    "red",    "blue",   "green",  "gray",   "pink",   "gold",   "north",
    "south",  "east",   "west",   "up",     "down",   "left",   "right",
    "level",  "radar",  "noon",   "civic",  "kayak",  "stats",  "error",
    "info",   "debug",  "alpha",  "beta",   "gamma",  "delta",  "omega",
    "ok",     "go",     "stop",   "run",    "wait",   "open",   "closed",
};

static const char *const commands[] = {
    "add", "sub", "push", "pop",   "left", "right", "up",  "down",
    "inc", "dec", "set",  "reset", "on",   "off",   "buy", "sell",
    "in",  "out", "hit",  "miss",  "skip", "swap",  "dup", "neg"};
static const char *const syllables[] = {"ab", "ba", "abc", "cab", "aa", "bb",
                                        "de", "ed", "ace", "bad", "c",  "e"};

static const char *const int_names[] = {
    "n",       "k",       "size",   "width",    "height",   "offset", "amount",
    "score",   "target",  "base",   "step",     "limit",    "level",  "weight",
    "length",  "depth",   "budget", "capacity", "price",    "age",    "year",
    "minutes", "seconds", "shift",  "factor",   "rank",     "margin", "quota",
    "points",  "balance", "speed",  "distance", "threshold"};
static const char *const float_names[] = {"ratio", "rate",  "average", "mean",
                                          "scale", "share", "percent", "alpha"};
static const char *const bool_names[] = {"flag",    "reverse", "strict",
                                         "is_open", "found",   "enabled",
                                         "ok",      "done",    "is_even"};
static const char *const str_names[] = {
    "text",  "name",   "label",   "line",  "phrase", "message", "title",
    "token", "source", "content", "code",  "path",   "pattern", "prefix",
    "word",  "chunk",  "header",  "query", "tag",    "raw",     "sentence"};
static const char *const list_int_names[] = {
    "values", "numbers", "nums",    "scores",  "items",  "heights",  "prices",
    "digits", "weights", "data",    "samples", "ages",   "counts",   "points",
    "levels", "steps",   "amounts", "sizes",   "grades", "readings", "series"};
static const char *const list_str_names[] = {
    "words",  "names", "lines",  "tokens", "labels", "parts",   "tags",
    "fields", "rows",  "titles", "keys",   "chunks", "entries", "letters"};
static const char *const matrix_names[] = {"grid", "matrix", "board", "table",
                                           "rows", "cells",  "groups"};
static const char *const pairs_int_names[] = {"pairs", "intervals", "edges",
                                              "moves", "spans",     "coords"};
static const char *const pairs_str_names[] = {
    "records", "orders", "events", "entries", "commands", "purchases", "votes"};
static const char *const dict_names[] = {
    "counts",    "prices", "stock",   "scores",  "lookup", "table", "totals",
    "inventory", "ages",   "mapping", "weights", "ranks",  "costs", "index"};
static const char *const dict_int_names[] = {
    "graph", "jumps", "links", "cache", "memo", "parents", "next_of", "levels"};
static const char *const dict_list_names[] = {"groups",  "buckets", "history",
                                              "members", "grades",  "samples"};
static const char *const dict_str_names[] = {"aliases", "colors", "roles",
                                             "labels",  "owners", "codes"};
static const char *const set_names[] = {"seen",    "unique", "allowed", "known",
                                        "blocked", "common", "visited"};
static const char *const pair_names[] = {"pair",   "point", "span",
                                         "bounds", "entry", "cell"};
static const char *const tuple_names[] = {"values", "digits", "row", "triple",
                                          "sample"};

struct name_list {
    const char *const *names;
    size_t n;
};
#define LIST(a)                                                                \
    {                                                                          \
        (a), ARRAY_LEN(a)                                                      \
    }
static const struct name_list by_type[T_N_TYPES] = {
    [T_INT] = LIST(int_names),       [T_FLOAT] = LIST(float_names),
    [T_BOOL] = LIST(bool_names),     [T_STR] = LIST(str_names),
    [T_LI] = LIST(list_int_names),   [T_LS] = LIST(list_str_names),
    [T_LLI] = LIST(matrix_names),    [T_LPI] = LIST(pairs_int_names),
    [T_LPS] = LIST(pairs_str_names), [T_DSI] = LIST(dict_names),
    [T_DII] = LIST(dict_int_names),  [T_DSL] = LIST(dict_list_names),
    [T_DSS] = LIST(dict_str_names),  [T_SI] = LIST(set_names),
    [T_SS] = LIST(set_names),        [T_PII] = LIST(pair_names),
    [T_PSI] = LIST(pair_names),      [T_TI] = LIST(tuple_names),
    [T_LF] = LIST(list_int_names),
};

static const char *const element_int[] = {
    "x",     "num", "value", "v",       "item", "n", "val",
    "score", "d",   "digit", "current", "a",    "y"};
static const char *const element_str[] = {"word", "w",     "name", "s",
                                          "part", "token", "item", "c",
                                          "ch",   "key",   "char", "letter"};
static const char *const element_list[] = {"row", "group", "line", "cells",
                                           "chunk"};
static const char *const element_pair[] = {"pair", "entry", "item", "p",
                                           "record"};
static const char *const indices[] = {"i",   "j",    "k",     "idx",
                                      "pos", "step", "index", "m"};

static const char *const acc_int[] = {
    "total", "count",   "result", "best",    "score",   "acc",    "checksum",
    "steps", "balance", "answer", "longest", "current", "streak", "hits"};
static const char *const acc_str[] = {"result",  "out",    "output", "text",
                                      "encoded", "buffer", "built",  "code"};
static const char *const acc_list[] = {
    "result", "out",    "kept",   "picked",   "collected", "parts",
    "found",  "output", "merged", "selected", "history"};
static const char *const acc_dict[] = {"counts", "table", "result",  "lookup",
                                       "totals", "index", "summary", "tally"};
static const char *const acc_group[] = {"groups", "buckets", "result",
                                        "by_key"};
static const char *const acc_set[] = {"seen", "unique", "visited", "found"};

static const char *const adjectives[] = {
    "max",   "min",   "last",   "first", "best",  "new",   "prev",  "next",
    "left",  "right", "total",  "small", "large", "inner", "outer", "local",
    "extra", "final", "odd",    "even",  "old",   "mid",   "top",   "low",
    "high",  "main",  "sorted", "raw",   "short", "long",  "half",  "upper"};

static const char *const verbs[] = {
    "count",   "find",    "build",  "merge",   "filter",  "compute", "collect",
    "check",   "encode",  "decode", "rotate",  "group",   "split",   "join",
    "score",   "rank",    "select", "reduce",  "expand",  "scan",    "parse",
    "format",  "pack",    "walk",   "update",  "balance", "shift",   "match",
    "compare", "measure", "fold",   "trim",    "arrange", "resolve", "simulate",
    "apply",   "sum",     "clean",  "convert", "process", "get",     "make"};
static const char *const nouns[] = {
    "items",   "values", "words",   "pairs",  "groups", "scores", "digits",
    "steps",   "tokens", "lines",   "ranges", "gaps",   "peaks",  "runs",
    "keys",    "prices", "orders",  "moves",  "cells",  "rows",   "letters",
    "parts",   "totals", "windows", "blocks", "levels", "paths",  "entries",
    "series",  "stock",  "ledger",  "text",   "grid",   "queue",  "sequence",
    "changes", "events", "names",   "points", "weights"};

const char *gen_word(struct gen_draft *d, unsigned vocab)
{
    if (vocab == VOCAB_COMMANDS) {
        return commands[gen_pick(d, ARRAY_LEN(commands))];
    }
    if (vocab == VOCAB_DIGITS || vocab == VOCAB_BINARY) {
        return vocab == VOCAB_DIGITS ? "10" : "11";
    }
    if (vocab == VOCAB_LETTERS) {
        return syllables[gen_pick(d, ARRAY_LEN(syllables))];
    }
    return words[gen_pick(d, ARRAY_LEN(words))];
}

char gen_char(struct gen_draft *d, unsigned vocab)
{
    static const char *const alphabets[VOCAB_N] = {
        [VOCAB_WORDS] = "aeiourstlnedgpabc",
        [VOCAB_COMMANDS] = "adeopstulrin",
        [VOCAB_LETTERS] = "abcde",
        [VOCAB_DIGITS] = "0123456789",
        [VOCAB_BRACKETS] = "()[]{}",
        [VOCAB_MIXED] = "aAbBxX019 -_.#*Zz7",
        [VOCAB_FIELDS] = ",;=:ab12",
        [VOCAB_SENTENCE] = " aeothsn",
        [VOCAB_BINARY] = "01",
    };
    const char *alphabet = alphabets[vocab];

    return alphabet[gen_pick(d, (uint32_t)strlen(alphabet))];
}

bool gen_name_is_free(const struct gen_draft *d, const char *name)
{
    for (int i = 0; i < d->n_vars; i++) {
        if (strcmp(d->vars[i].name, name) == 0) {
            return false;
        }
    }
    for (int i = 0; i < d->n_helpers; i++) {
        if (strcmp(d->helpers[i].name, name) == 0) {
            return false;
        }
    }
    return true;
}

/* One of the list, or a word in front of it, or a number behind it. */
static void choose(struct gen_draft *d, const struct name_list *list,
                   uint32_t plain_permille, char *ret_name)
{
    for (unsigned n = 0;; n++) {
        const char *name = list->names[gen_pick(d, (uint32_t)list->n)];

        if (n > 20) {
            snprintf(ret_name, GENERATE_NAME_BYTES, "%s_%u", name, n - 18);
        } else if (n > 4 || !gen_chance(d, plain_permille)) {
            snprintf(ret_name, GENERATE_NAME_BYTES, "%s_%s",
                     adjectives[gen_pick(d, ARRAY_LEN(adjectives))], name);
        } else {
            snprintf(ret_name, GENERATE_NAME_BYTES, "%s", name);
        }
        if (gen_name_is_free(d, ret_name)) {
            return;
        }
    }
}

void gen_name_variable(struct gen_draft *d, enum gen_type type, char *ret_name)
{
    choose(d, &by_type[type], 760, ret_name);
}

void gen_name_index(struct gen_draft *d, char *ret_name)
{
    static const struct name_list list = LIST(indices);

    for (uint32_t i = 0; i < 2; i++) {
        if (gen_chance(d, 700) && gen_name_is_free(d, indices[i])) {
            snprintf(ret_name, GENERATE_NAME_BYTES, "%s", indices[i]);
            return;
        }
    }
    choose(d, &list, 990, ret_name);
}

void gen_name_element(struct gen_draft *d, enum gen_type type, char *ret_name)
{
    static const struct name_list ints = LIST(element_int);
    static const struct name_list strings = LIST(element_str);
    static const struct name_list lists = LIST(element_list);
    static const struct name_list pairs = LIST(element_pair);
    const struct name_list *list = &ints;

    if (type == T_STR) {
        list = &strings;
    } else if (type == T_LI) {
        list = &lists;
    } else if (type == T_PII || type == T_PSI) {
        list = &pairs;
    }
    choose(d, list, 990, ret_name);
}

void gen_name_accumulator(struct gen_draft *d, enum gen_type type,
                          char *ret_name)
{
    static const struct name_list ints = LIST(acc_int);
    static const struct name_list strings = LIST(acc_str);
    static const struct name_list lists = LIST(acc_list);
    static const struct name_list dicts = LIST(acc_dict);
    static const struct name_list groups = LIST(acc_group);
    static const struct name_list sets = LIST(acc_set);
    const struct name_list *list = &lists;

    if (type == T_INT || type == T_FLOAT) {
        list = &ints;
    } else if (type == T_STR) {
        list = &strings;
    } else if (type == T_DSI || type == T_DII || type == T_DSS) {
        list = &dicts;
    } else if (type == T_DSL) {
        list = &groups;
    } else if (type == T_SI || type == T_SS) {
        list = &sets;
    } else if (type == T_BOOL) {
        list = &by_type[T_BOOL];
    }
    choose(d, list, 850, ret_name);
}

void gen_name_function(struct gen_draft *d, enum gen_type result,
                       char *ret_name)
{
    for (;;) {
        const char *verb = verbs[gen_pick(d, ARRAY_LEN(verbs))];
        const char *noun = nouns[gen_pick(d, ARRAY_LEN(nouns))];

        if (result == T_BOOL && gen_chance(d, 500)) {
            verb = gen_chance(d, 500) ? "is" : "has";
            snprintf(ret_name, GENERATE_NAME_BYTES, "%s_%s_%s", verb,
                     adjectives[gen_pick(d, ARRAY_LEN(adjectives))], noun);
        } else if (gen_chance(d, 300)) {
            snprintf(ret_name, GENERATE_NAME_BYTES, "%s_%s_%s", verb,
                     adjectives[gen_pick(d, ARRAY_LEN(adjectives))], noun);
        } else {
            snprintf(ret_name, GENERATE_NAME_BYTES, "%s_%s", verb, noun);
        }
        if (gen_name_is_free(d, ret_name)) {
            return;
        }
    }
}
