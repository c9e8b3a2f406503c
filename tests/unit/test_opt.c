/* SPDX-License-Identifier: MIT */
/* test_opt.c -- what one table accepts, refuses and prints. */
#include "cwm/base/opt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fields {
    bool wide;
    const char *name;
    uint64_t bytes;
    uint64_t count;
    int form;
    struct opt_list walls;
};

static const char *const forms[] = {"plain", "rich", NULL};
static const char *const uses[] = {"FILE [options]", NULL};
static const char *const examples[] = {"cwm test a.py", NULL};

static const struct opt options[] = {
    {.group = "Some",
     .name = "wide",
     .type = OPT_FLAG,
     .offset = offsetof(struct fields, wide),
     .help = "be wide"},
    {.letter = 'n',
     .name = "name",
     .type = OPT_STRING,
     .offset = offsetof(struct fields, name),
     .value = "NAME",
     .help = "the name"},
    {.group = "Others",
     .name = "max-bytes",
     .type = OPT_U64,
     .offset = offsetof(struct fields, bytes),
     .value = "N",
     .fallback = "4096",
     .min = 16,
     .max = 1 << 20,
     .in_bytes = true,
     .help = "size"},
    {.name = "count",
     .type = OPT_U64,
     .offset = offsetof(struct fields, count),
     .value = "N",
     .fallback = "3",
     .min = 1,
     .max = UINT64_MAX,
     .help = "how many"},
    {.name = "form",
     .type = OPT_ENUM,
     .offset = offsetof(struct fields, form),
     .choices = forms,
     .fallback = "rich",
     .help = "how it looks"},
    {.name = "allow",
     .type = OPT_LIST,
     .offset = offsetof(struct fields, walls),
     .value = "WALL",
     .help = "accept less"},
};

static const struct opt_command command = {
    .name = "test",
    .summary = "does nothing",
    .uses = uses,
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .examples = examples,
    .notes = "Exit status:\n  0  yes\n",
    .max_positionals = 2,
};

/* What the last parse() stored. */
struct parsed {
    enum cwm_rc rc;
    struct fields fields;
    struct opt_rest rest;
    const char *positionals[16];
    struct cwm_err err;
};

/* Parse the words up to NULL. */
static void parse(struct parsed *p, char **words)
{
    int n = 0;

    while (words[n]) {
        n++;
    }
    memset(p, 0, sizeof *p);
    p->rest.values = p->positionals;
    opt_defaults(&command, &p->fields);
    p->rc = opt_parse(&command, n, words, &p->fields, &p->rest, &p->err);
}

#define PARSE(p, ...)                                                          \
    do {                                                                       \
        static char text[][64] = {__VA_ARGS__};                                \
        char *words[17] = {NULL};                                              \
        for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {            \
            words[i] = text[i];                                                \
        }                                                                      \
        parse((p), words);                                                     \
    } while (0)

static void opt__defaults_hold_when_nothing_is_given(void **state)
{
    struct parsed p;

    (void)state;
    PARSE(&p, "a");
    assert_int_equal(p.rc, CWM_OK);
    assert_false(p.fields.wide);
    assert_null(p.fields.name);
    assert_int_equal(p.fields.bytes, 4096);
    assert_int_equal(p.fields.count, 3);
    assert_int_equal(p.fields.form, 1);
    assert_int_equal(p.fields.walls.n, 0);
    assert_int_equal(p.rest.n, 1);
}

static void opt__every_way_to_give_a_value_works(void **state)
{
    struct parsed p;

    (void)state;
    PARSE(&p, "--name=x=y", "a", "--wide", "--max-bytes", "2k", "-", "--form",
          "plain", "--allow", "p", "--allow=q");
    assert_int_equal(p.rc, CWM_OK);
    assert_true(p.fields.wide);
    assert_string_equal(p.fields.name, "x=y");
    assert_int_equal(p.fields.bytes, 2048);
    assert_int_equal(p.fields.form, 0);
    assert_int_equal(p.fields.walls.n, 2);
    assert_string_equal(p.fields.walls.values[1], "q");
    assert_int_equal(p.rest.n, 2);
    assert_string_equal(p.rest.values[1], "-");
    PARSE(&p, "-nx");
    assert_string_equal(p.fields.name, "x");
    PARSE(&p, "-n", "--", "--");
    assert_string_equal(p.fields.name, "--");
    PARSE(&p, "--name=", "--", "--wide");
    assert_string_equal(p.fields.name, "");
    assert_false(p.fields.wide);
    assert_string_equal(p.rest.values[0], "--wide");
}

static void opt__the_range_is_exact(void **state)
{
    struct parsed p;

    (void)state;
    PARSE(&p, "--max-bytes=16");
    assert_int_equal(p.fields.bytes, 16);
    PARSE(&p, "--max-bytes=1M");
    assert_int_equal(p.fields.bytes, 1 << 20);
    PARSE(&p, "--max-bytes=15");
    assert_int_equal(p.rc, CWM_USAGE);
    assert_string_equal(p.err.message,
                        "--max-bytes must be from 16 to 1048576, not 15");
    PARSE(&p, "--max-bytes=1048577");
    assert_int_equal(p.rc, CWM_USAGE);
    PARSE(&p, "--max-bytes=1025k");
    assert_int_equal(p.rc, CWM_USAGE);
    PARSE(&p, "--count=18446744073709551615");
    assert_int_equal(p.rc, CWM_OK);
    assert_true(p.fields.count == UINT64_MAX);
    PARSE(&p, "--count=18446744073709551616");
    assert_int_equal(p.rc, CWM_USAGE);
    PARSE(&p, "--max-bytes=18446744073709551615G");
    assert_int_equal(p.rc, CWM_USAGE);
}

/* The message when `words` are parsed, which must fail. */
#define ASSERT_REFUSED(expected, ...)                                          \
    do {                                                                       \
        struct parsed refused;                                                 \
        PARSE(&refused, __VA_ARGS__);                                          \
        assert_int_equal(refused.rc, CWM_USAGE);                               \
        assert_string_equal(refused.err.message, (expected));                  \
    } while (0)

static void opt__every_mistake_has_its_line(void **state)
{
    (void)state;
    ASSERT_REFUSED("there is no option '--nmae'; did you mean '--name'?",
                   "--nmae=3");
    ASSERT_REFUSED("there is no option '--hlep'; did you mean '--help'?",
                   "--hlep");
    ASSERT_REFUSED("there is no option '--qqqqqqqq'\n'cwm test --help' lists "
                   "them",
                   "--qqqqqqqq");
    ASSERT_REFUSED("there is no option '-x'\n'cwm test --help' lists them",
                   "-x");
    ASSERT_REFUSED("--name needs a value (NAME)", "--name");
    ASSERT_REFUSED("-n needs a value (NAME)", "-n");
    ASSERT_REFUSED("--wide takes no value", "--wide=1");
    ASSERT_REFUSED("--count takes a whole number from 1 to "
                   "18446744073709551615, not '1k'",
                   "--count", "1k");
    ASSERT_REFUSED("--max-bytes takes a whole number from 16 to 1048576 (k, M "
                   "or G may follow), not '-5'",
                   "--max-bytes=-5");
    ASSERT_REFUSED("--count takes a whole number from 1 to "
                   "18446744073709551615, not ''",
                   "--count=");
    ASSERT_REFUSED("--form takes one of plain, rich, not 'poor'",
                   "--form=poor");
    ASSERT_REFUSED("cannot use 'c': one argument too many", "a", "b", "c");
}

static void opt__help_wins_over_what_follows(void **state)
{
    struct parsed p;

    (void)state;
    PARSE(&p, "--help", "--nonsense");
    assert_int_equal(p.rc, CWM_OK);
    assert_true(p.rest.help);
    PARSE(&p, "-h");
    assert_true(p.rest.help);
}

static void opt__a_list_has_an_end(void **state)
{
    char word[] = "--allow=x";
    char *words[OPT_LIST_MAX + 2] = {NULL};
    struct parsed p;

    (void)state;
    for (int i = 0; i <= OPT_LIST_MAX; i++) {
        words[i] = word;
    }
    parse(&p, words);
    assert_int_equal(p.rc, CWM_USAGE);
    words[OPT_LIST_MAX] = NULL;
    parse(&p, words);
    assert_int_equal(p.rc, CWM_OK);
    assert_int_equal(p.fields.walls.n, OPT_LIST_MAX);
}

static void opt__the_nearest_word_is_near(void **state)
{
    static const char *const words[] = {"trace", "check", "help"};

    (void)state;
    assert_string_equal(opt_nearest("trcae", words, 3), "trace");
    assert_string_equal(opt_nearest("chekc", words, 3), "check");
    assert_string_equal(opt_nearest("halp", words, 3), "help");
    assert_null(opt_nearest("dataset", words, 3));
    assert_null(opt_nearest("", words, 0));
    assert_null(opt_nearest("a word that is much longer than any name of a "
                            "command will ever be, so that nothing overflows",
                            words, 3));
}

static void opt__help_and_manual_show_the_table(void **state)
{
    struct cwm_buf b;

    (void)state;
    cwm_buf_init(&b, 1 << 16);
    opt_help(&command, &b);
    assert_non_null(strstr(b.data, "usage: cwm test FILE [options]\n"));
    assert_non_null(strstr(b.data, "\nOthers:\n"));
    assert_non_null(strstr(b.data, "  -n, --name NAME             the name\n"));
    assert_non_null(strstr(b.data, "(default 4096, from 16 to 1048576)\n"));
    assert_non_null(strstr(b.data, "--form plain|rich"));
    assert_non_null(strstr(b.data, "Exit status:\n  0  yes\n"));
    for (const char *line = b.data; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        assert_true(strcspn(line, "\n") < 80);
    }
    cwm_buf_clear(&b);
    opt_markdown(&command, &b);
    assert_string_equal(
        b.data, "### Some\n\n"
                "- `--wide`: be wide\n"
                "- `-n, --name NAME`: the name\n"
                "\n### Others\n\n"
                "- `--max-bytes N`: size (default 4096, from 16 to 1048576)\n"
                "- `--count N`: how many (default 3, from 1 to "
                "18446744073709551615)\n"
                "- `--form plain|rich`: how it looks (default rich)\n"
                "- `--allow WALL`: accept less; may be given several times\n"
                "- `-h, --help`: print this help\n");
    cwm_buf_release(&b);
}

static void opt__what_was_given_can_be_given_again(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const skip[] = {"count", "wide", NULL};
    struct parsed p;
    struct cwm_buf b;

    (void)state;
    cwm_buf_init(&b, 1000);
    PARSE(&p, "a", "--form", "rich", "--max-bytes", "4k");
    opt_add_given(&command, &p.fields, none, &b);
    assert_int_equal(b.len, 0);
    PARSE(&p, "--wide", "-n", "far/off/it's mine", "--count=9", "--form",
          "plain", "--allow", "x", "--allow", "y/", "--max-bytes", "5k");
    opt_add_given(&command, &p.fields, none, &b);
    assert_string_equal(b.data,
                        " --wide --name 'it'\\''s mine' --max-bytes 5120"
                        " --count 9 --form plain --allow x --allow y/");
    cwm_buf_clear(&b);
    opt_add_given(&command, &p.fields, skip, &b);
    assert_string_equal(b.data, " --name 'it'\\''s mine' --max-bytes 5120"
                                " --form plain --allow x --allow y/");
    cwm_buf_clear(&b);
    opt_add_word("", &b);
    assert_string_equal(b.data, "''");
    cwm_buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opt__defaults_hold_when_nothing_is_given),
        cmocka_unit_test(opt__every_way_to_give_a_value_works),
        cmocka_unit_test(opt__the_range_is_exact),
        cmocka_unit_test(opt__every_mistake_has_its_line),
        cmocka_unit_test(opt__help_wins_over_what_follows),
        cmocka_unit_test(opt__a_list_has_an_end),
        cmocka_unit_test(opt__the_nearest_word_is_near),
        cmocka_unit_test(opt__help_and_manual_show_the_table),
        cmocka_unit_test(opt__what_was_given_can_be_given_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
