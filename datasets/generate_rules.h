/* SPDX-License-Identifier: MIT */
/* generate_rules.h -- a pattern of the table, and its holes once filled. */
#ifndef DATASETS_GENERATE_RULES_H
#define DATASETS_GENERATE_RULES_H

#include "datasets/generate_internal.h"

enum how {           /* the bound of the whole */
           H_INT,    /* 0 .. arg */
           H_SIGNED, /* -arg .. arg */
           H_SUM,
           H_DIFF,
           H_MUL,
           H_DIV,    /* of the first, by at least 1 */
           H_SAME,   /* the first's */
           H_ABS,    /* the first's without its sign */
           H_OR,     /* of all */
           H_MOD,    /* below the second's */
           H_BITS,   /* below twice the largest */
           H_LEN,    /* 0 .. the first's length + arg */
           H_TOTAL,  /* the first's sum */
           H_ELEM,   /* an element of the first */
           H_SHRINK, /* the first's or a part of it */
           H_CONCAT,
           H_REPEAT, /* the first, as often as the second says */
           H_MORE,   /* the first and arg more of the others */
           H_LIST,   /* the holes are the items */
           H_BOOL,
           H_DIGITS, /* a number's text */
           H_JOIN,
           H_TEXT,  /* all holes' texts and arg characters */
           H_SPLIT, /* a list of parts of the first */
           H_WIDE,  /* at least arg or the second's value wide */
           H_RANGE,
           H_KEYS, /* the first's keys or items in another container */
           H_FLAT,
           H_ZIP,
           H_NEST, /* the holes are items that are containers */
           H_ROWS, /* turned by 90 degrees */
           H_CHAR,
           H_LENS, /* numbers up to the inner length */
           H_CODES
};

enum rule_flag {
    R_CONDITION = 1u << 0, /* has a hole for one */
    R_LOOPS = 1u << 1,     /* a comprehension or lambda: steps */
    R_QUOTES = 1u << 2,    /* cannot stand in an f-string */
    R_INDEXED = 1u << 3,   /* %0[: the first hole must be an atom */
};

struct rule {
    enum gen_type type;
    uint8_t weight;
    uint8_t precedence;
    uint8_t how;
    uint8_t arg;
    uint8_t flags; /* enum rule_flag */
    const char *pattern;
};

#define MAX_HOLES 4

struct holes {
    struct gen_value values[MAX_HOLES];
    enum gen_type types[MAX_HOLES];
    size_t start[MAX_HOLES], end[MAX_HOLES];
    unsigned n;
    unsigned vocab;
};

/* The bound of the whole, and whether it depends on anything. */
void gen_rule_bound(const struct rule *r, const struct holes *h,
                    struct gen_value *ret);

#endif /* DATASETS_GENERATE_RULES_H */
