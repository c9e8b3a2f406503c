/* SPDX-License-Identifier: MIT */
/*
 * generate_internal.h -- what generate*.c share: types, bounds, the draft.
 *
 * A draft is one program while it is written.  Text goes into one buffer and
 * is cut back where a choice turns out not to fit (too large, too long, too
 * many steps), so nothing is built twice and no tree is needed.
 *
 * Invariants, from which the promises of generate.h follow:
 *  - every variable's value stays within its `bound` from its first line to
 *    the end of its block: what is assigned fits into it, what is added in
 *    place is paid from its slack, times the most often that the place runs;
 *  - a variable that is `frozen` is not changed (it is iterated over, indexed
 *    by a loop variable, or known not to be empty);
 *  - `trips` is the most often that the place being written runs in one call
 *    of its function; every step is added to `steps` that often.
 */
#ifndef DATASETS_GENERATE_INTERNAL_H
#define DATASETS_GENERATE_INTERNAL_H

#include "datasets/generate.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum gen_type {
    T_INT,
    T_FLOAT,
    T_BOOL,
    T_STR,
    T_LI,  /* list[int] */
    T_LS,  /* list[str] */
    T_LLI, /* list[list[int]] */
    T_LPI, /* list[tuple[int, int]] */
    T_LPS, /* list[tuple[str, int]] */
    T_DSI, /* dict[str, int] */
    T_DII, /* dict[int, int] */
    T_DSL, /* dict[str, list[int]] */
    T_DSS, /* dict[str, str] */
    T_SI,  /* set[int] */
    T_SS,  /* set[str] */
    T_PII, /* tuple[int, int] */
    T_PSI, /* tuple[str, int] */
    T_TI,  /* tuple[int, ...] */
    T_LF,  /* list[float] */
    T_N_TYPES
};

/* What is known of every value that an expression or variable can have. */
struct gen_bound {
    uint64_t mag;    /* of any number in it, absolute value */
    uint32_t len;    /* of a string or container; of numbers 0 */
    uint32_t inner;  /* of any string or container inside of it */
    bool nonempty;   /* a string or container: never empty */
    bool inner_full; /* those inside of it: never empty */
    bool nonneg;     /* its numbers: never negative */
    uint8_t vocab;   /* enum gen_vocab: of its strings */
};

/* What strings are made of: so that conditions on them can come true. */
enum gen_vocab {
    VOCAB_WORDS,
    VOCAB_COMMANDS,
    VOCAB_LETTERS, /* of a small alphabet */
    VOCAB_DIGITS,
    VOCAB_BRACKETS,
    VOCAB_MIXED,
    VOCAB_FIELDS, /* a,b;c */
    VOCAB_SENTENCE,
    VOCAB_BINARY,
    VOCAB_N
};

struct gen_var {
    char name[GENERATE_NAME_BYTES];
    enum gen_type type;
    struct gen_bound bound; /* slack included */
    struct gen_bound base;  /* what may be assigned to it */
    uint64_t slack_mag;     /* left for adding in place */
    uint32_t slack_len;
    uint32_t trips;  /* of the place where it was declared */
    uint16_t frozen; /* > 0: may not be changed here */
    int16_t indexes; /* a loop variable: the list it is an index of, or -1 */
    size_t line_at;  /* of the line that binds it, ... */
    size_t line_len; /* ... when it may be taken out, else 0 */
    bool is_param;
    bool is_mutable;
    bool is_tainted; /* depends on a parameter */
    bool is_used;
    bool is_element; /* of a comprehension or lambda */
};

struct gen_helper {
    char name[GENERATE_NAME_BYTES];
    enum gen_type params[3];
    struct gen_bound bounds[3]; /* the arguments must fit into these */
    unsigned n_params;
    enum gen_type result;
    struct gen_bound result_bound;
    uint32_t steps;
    bool is_used;
    bool is_generator; /* result is a list[int]'s items: needs list(), sum() */
    bool is_local;     /* a lambda or nested function of the entry */
};

/* Where a type's rules stand in the table, and the largest weight. */
struct gen_rules {
    uint16_t first, n;
    uint8_t heaviest;
};

#define GEN_MAX_VARS    40
#define GEN_MAX_HELPERS 6

struct gen_draft {
    const struct generate_settings *settings; /* borrowed */
    uint64_t random;                          /* splitmix64's state */
    struct cwm_buf *out;                      /* borrowed */
    struct gen_rules rules[T_N_TYPES];
    struct gen_var vars[GEN_MAX_VARS];
    int n_vars;
    struct gen_helper helpers[GEN_MAX_HELPERS];
    int n_helpers;
    unsigned indent;
    unsigned block_depth;
    uint32_t trips;
    uint32_t steps;
    unsigned element_depth; /* comprehensions and lambdas around */
    int hidden;             /* variable that is not to be chosen now, or -1 */
    int first_var;          /* of the function being written */
    bool in_loop;           /* break and continue are allowed */
    bool is_broken;         /* a draft that must be thrown away */
    bool raised;            /* the place at which it raises is written */
    bool is_entry;
    bool in_fstring;      /* no second one inside, no braces first */
    enum gen_type result; /* what returns in this function must give */
    bool returns_any;     /* the result's type is not fixed yet */
    struct gen_bound result_bound;
    uint32_t features;
};

/* What an expression turned out to be. */
struct gen_value {
    struct gen_bound bound;
    uint8_t precedence;
    bool is_tainted;
    bool is_constant; /* no variable in it */
};

enum gen_precedence {
    P_LOWEST, /* lambda, a if b else c, a generator */
    P_OR,
    P_AND,
    P_NOT,
    P_COMPARE,
    P_BITOR,
    P_BITXOR,
    P_BITAND,
    P_SHIFT,
    P_SUM,
    P_PRODUCT,
    P_UNARY,
    P_POWER,
    P_ATOM
};

enum gen_want {
    W_VARIABLE = 1u << 0, /* must hold a variable */
    W_NONEMPTY = 1u << 1,
    W_NONNEG = 1u << 2,
    W_ATOM = 1u << 3, /* a name or a literal only */
    W_TAINTED = 1u << 4,
    W_NAME = 1u << 5, /* a variable's name only */
};

/* Numbers in a program stay below; products are refused, not wrapped. */
#define GEN_MAX_MAG    UINT64_C(1000000000000)
#define GEN_MAX_LEN    150u
#define GEN_MAX_TRIPS  400u
#define GEN_TEXT_BYTES 320 /* of one part that is moved about */

/* ---- chance ---- */
static inline uint64_t gen_random(struct gen_draft *d)
{
    uint64_t z = d->random += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* 0 .. n-1; the bias of 2^-32 is no matter here. */
static inline uint32_t gen_pick(struct gen_draft *d, uint32_t n)
{
    return (uint32_t)((gen_random(d) >> 32) * n >> 32);
}

static inline bool gen_chance(struct gen_draft *d, uint32_t permille)
{
    return gen_pick(d, 1000) < permille;
}

/* least .. most */
static inline uint32_t gen_between(struct gen_draft *d, uint32_t least,
                                   uint32_t most)
{
    return least + gen_pick(d, most - least + 1);
}

uint32_t gen_weighted(struct gen_draft *d, const uint8_t *weights, uint32_t n);

/*
 * Like cwm_buf_addf(), a third of its time: knows %s, %c, %u, %lu, %*s, %%.
 */
void gen_printf(struct cwm_buf *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- generate_names.c ---- */
/* A name for a new variable that no visible one has. */
void gen_name_variable(struct gen_draft *d, enum gen_type type, char *ret_name);
void gen_name_element(struct gen_draft *d, enum gen_type type, char *ret_name);
void gen_name_index(struct gen_draft *d, char *ret_name);
void gen_name_accumulator(struct gen_draft *d, enum gen_type type,
                          char *ret_name);
void gen_name_function(struct gen_draft *d, enum gen_type result,
                       char *ret_name);
/* A word, or a character, that strings of the vocabulary are made of. */
const char *gen_word(struct gen_draft *d, unsigned vocab);
char gen_char(struct gen_draft *d, unsigned vocab);
bool gen_name_is_free(const struct gen_draft *d, const char *name);

/* ---- generate_plain.c ---- */
/* May a program have such variables where `plain` is set? */
bool gen_is_plain_type(enum gen_type type);
/* Is there nothing in the program that `plain`, of this level, leaves out? */
#define GEN_PLAIN_FEW 2
bool gen_is_plain(const char *text, uint32_t level);

/* ---- generate_types.c ---- */
const char *gen_type_annotation(enum gen_type type);
bool gen_is_iterable(enum gen_type type);
bool gen_is_sequence(enum gen_type type); /* x[0] */
/* What `for x in` gives. */
enum gen_type gen_element(enum gen_type type);
struct gen_bound gen_element_bound(enum gen_type type, struct gen_bound bound);
enum gen_type gen_param_type(struct gen_draft *d);
enum gen_type gen_local_type(struct gen_draft *d);
enum gen_type gen_accumulator_type(struct gen_draft *d);
struct gen_bound gen_bound_of_type(struct gen_draft *d, enum gen_type type);
bool gen_fits(struct gen_bound inner, struct gen_bound outer);
struct gen_bound gen_bound_or(struct gen_bound a, struct gen_bound b);
/* A literal within `bound`, as inputs and constants are written. */
void gen_literal(struct gen_draft *d, enum gen_type type,
                 struct gen_bound bound, struct cwm_buf *out);

/* ---- generate_expr.c ---- */
/*
 * Write an expression of the type at the end of `out`, of at least the
 * precedence (parenthesised where it must be).  False: nothing was written.
 */
bool gen_expression(struct gen_draft *d, enum gen_type type, unsigned depth,
                    unsigned want, unsigned precedence,
                    struct gen_value *ret_value);
/* The same, with a result that fits into `limit`. */
bool gen_expression_within(struct gen_draft *d, enum gen_type type,
                           unsigned depth, unsigned want, unsigned precedence,
                           struct gen_bound limit, struct gen_value *ret_value);
bool gen_condition(struct gen_draft *d, unsigned depth, unsigned precedence,
                   struct gen_value *ret_value);
/* A visible variable of the type, unused ones first; -1: none. */
int gen_variable(struct gen_draft *d, enum gen_type type, unsigned want);
void gen_use(struct gen_draft *d, int var); /* writes its name */
struct gen_value gen_value_of(const struct gen_draft *d, int var);
int gen_push_var(struct gen_draft *d, const char *name, enum gen_type type,
                 struct gen_bound bound);
/* Counts `n` runs of a step at this place; false: over the limit. */
bool gen_charge(struct gen_draft *d, uint32_t n);
/* The text has the name as a word of its own. */
bool gen_has_name(const char *text, const char *name);
const char *gen_find_name(const char *text, const char *name); /* or NULL */
/* The text from `at` on is a name. */
bool gen_is_name(const struct gen_draft *d, size_t at);
/*
 * Where the text from `at` on may be an object that a variable holds as well,
 * make it a new one: xs[:], dict(d).  Two names for one list that grows would
 * break what is known of the other.
 */
void gen_make_fresh(struct gen_draft *d, size_t at, enum gen_type type,
                    unsigned precedence);
/* Cut the text back, and the steps counted for it. */
struct gen_mark {
    size_t len;
    uint32_t steps;
    int n_vars;
    uint64_t used; /* which variables were used */
};
struct gen_mark gen_mark(const struct gen_draft *d);
void gen_cut(struct gen_draft *d, struct gen_mark mark);

/* generate_rules.c: an expression by one of the table's patterns. */
void gen_index_rules(struct gen_draft *d); /* once a draft */
bool gen_rule(struct gen_draft *d, enum gen_type type, unsigned depth,
              struct gen_value *ret_value);
/* generate_special.c: comprehensions, lambdas, calls, element access. */
bool gen_special(struct gen_draft *d, enum gen_type type, unsigned depth,
                 struct gen_value *ret_value);

/* A call of one helper. */
bool gen_call(struct gen_draft *d, int helper, unsigned depth,
              struct gen_value *ret_value);

/* ---- generate_stmt.c, generate_loop.c ---- */
void gen_line(struct gen_draft *d); /* the indentation of a new line */
void gen_end(struct gen_draft *d);  /* the line's end */
/* One statement, or several; false: nothing was written. */
bool gen_statement(struct gen_draft *d, unsigned depth);
void gen_block(struct gen_draft *d, unsigned n_least, unsigned n_most,
               unsigned depth);
/* NAME = EXPRESSION, a new variable; its index or -1. */
int gen_assign_new(struct gen_draft *d, enum gen_type type, bool is_mutable,
                   unsigned depth);
/* An empty accumulator: total = 0, parts = [], seen = set(). */
int gen_accumulator(struct gen_draft *d, enum gen_type type);
/* Change one variable in place, or any that can be; false: nothing. */
bool gen_update(struct gen_draft *d, int var, unsigned depth);
bool gen_update_any(struct gen_draft *d, unsigned depth);
bool gen_return_early(struct gen_draft *d);
bool gen_raise_place(struct gen_draft *d); /* where the program raises */
/* Opens and closes a block. */
struct gen_scope {
    int n_vars;
    size_t text_at; /* where the block's text begins */
    uint32_t trips;
    bool in_loop;
};
struct gen_scope gen_open(struct gen_draft *d, uint32_t trips, bool is_loop);
void gen_close(struct gen_draft *d, struct gen_scope scope);
/* Lines that bind what nothing looks at go; variables from `first` on. */
void gen_remove_unused(struct gen_draft *d, int first);
/*
 * What a loop or comprehension goes through, written at the end of `out`: its
 * variables' types and bounds, and how often it runs at most.
 */
struct gen_iter {
    unsigned n;
    enum gen_type types[3];
    struct gen_bound bounds[3];
    int indexes[3]; /* variable whose index it is, or -1 */
    uint32_t trips;
    bool is_tainted;
    bool is_nested; /* i, (a, b) */
};
bool gen_iterable(struct gen_draft *d, unsigned depth, struct gen_iter *ret);
/*
 * `for ... in ...:` with the block opened; gen_for_close() ends it.  False:
 * nothing was written.
 */
struct gen_loop {
    struct gen_scope scope;
    unsigned n;
    size_t name_at[3]; /* of the variables' names in `out` */
    int first_var;
    uint64_t frozen; /* variables, by bit */
};
bool gen_for_open(struct gen_draft *d, struct gen_loop *ret);
void gen_for_close(struct gen_draft *d, struct gen_loop *loop);
bool gen_for_uses_variables(const struct gen_draft *d,
                            const struct gen_loop *loop);
/* New variables for an iterable, in order; how many. */
int gen_push_elements(struct gen_draft *d, const struct gen_iter *it);
bool gen_for(struct gen_draft *d, unsigned depth);
bool gen_while(struct gen_draft *d, unsigned depth);

/* ---- generate_phase.c, generate_helper.c ---- */
bool gen_phase(struct gen_draft *d, enum generate_feature feature);
/* generate_table.c: of these features. */
bool gen_phase_dp(struct gen_draft *d);
bool gen_phase_stack(struct gen_draft *d);
bool gen_phase_matrix(struct gen_draft *d);
/* A whole line. */
void gen_put_line(struct gen_draft *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "if COND:" or nothing; true: a block was opened. */
bool gen_open_if(struct gen_draft *d, uint32_t permille, struct gen_scope *ret);
bool gen_helper_function(struct gen_draft *d, bool is_recursive);

#endif /* DATASETS_GENERATE_INTERNAL_H */
