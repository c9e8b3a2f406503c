/* SPDX-License-Identifier: MIT */
/* test_clean.c -- what is alike, what is a benchmark's, what belongs together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "datasets/calls.h"
#include "datasets/clean.h"
#include "datasets/decontaminate.h"
#include "datasets/minhash.h"
#include "datasets/tree_shape.h"

static char folder[] = "/tmp/cwm-test-clean-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* ---- programs ---- */

static const char sorted_text[] =
    "def sort_values(values):\n"
    "    \"\"\"Sorts.\"\"\"\n"
    "    done = False\n"
    "    while not done:\n"
    "        done = True\n"
    "        for i in range(len(values) - 1):\n"
    "            if values[i] > values[i + 1]:\n"
    "                values[i], values[i + 1] = values[i + 1], values[i]\n"
    "                done = False\n"
    "    return values\n";

/* The same but for names, comments, annotations, a docstring. */
static const char renamed_text[] =
    "def bubble(xs: list) -> list:  # renamed\n"
    "    finished = False\n"
    "    while not finished:\n"
    "        finished = True\n"
    "        for k in range(len(xs) - 1):\n"
    "            if xs[k] > xs[k + 1]:\n"
    "                xs[k], xs[k + 1] = xs[k + 1], xs[k]\n"
    "                finished = False\n"
    "    return xs\n";

static const char other_text[] =
    "def count_words(text):\n"
    "    counts = {}\n"
    "    for word in text.lower().split():\n"
    "        counts[word] = counts.get(word, 0) + 1\n"
    "    best = sorted(counts.items(), key=lambda item: -item[1])\n"
    "    return [word for word, n in best if n > 1]\n";

static struct minhash sketch_of(const char *text)
{
    struct code_tokens tokens = {NULL, 0, 0};
    struct minhash sketch;

    assert_int_equal(code_tokens_of(text, strlen(text), 0, &tokens, NULL),
                     CWM_OK);
    minhash_of(&tokens, &sketch);
    code_tokens_release(&tokens);
    return sketch;
}

static void tokens__layout_and_comments_do_not_count(void **state)
{
    struct minhash a = sketch_of("x = f(1,  'a b')  # yes\n\n\ny = 2\n");
    struct minhash b = sketch_of("x=f(1,'a b')\ny=2");
    struct minhash c = sketch_of("x=f(1,'a c')\ny=2");

    (void)state;
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&a, &c, sizeof a);
    /* a string that does not end, a text of nothing, bytes of all kinds */
    sketch_of("x = 'abc");
    sketch_of("\"\"\"abc");
    sketch_of("'\\");
    sketch_of("");
    sketch_of("\xff\xfe\x01");
}

static void minhash__similarity_is_estimated(void **state)
{
    struct minhash sorted = sketch_of(sorted_text);
    struct minhash other = sketch_of(other_text);
    struct minhash nearly;
    char text[sizeof sorted_text + 32];

    (void)state;
    snprintf(text, sizeof text, "%s\nprint(1)\n", sorted_text);
    nearly = sketch_of(text);
    assert_int_equal(minhash_percent(&sorted, &sorted), 100);
    assert_true(minhash_percent(&sorted, &nearly) >= 85);
    assert_true(minhash_percent(&sorted, &other) <= 10);
}

static void shape__names_and_words_do_not_count(void **state)
{
    struct tree_shapes a = {NULL, 0, 0};
    struct tree_shapes b = {NULL, 0, 0};

    (void)state;
    assert_int_equal(tree_shapes_of(sorted_text, strlen(sorted_text), &a, NULL),
                     CWM_OK);
    assert_int_equal(
        tree_shapes_of(renamed_text, strlen(renamed_text), &b, NULL), CWM_OK);
    assert_int_equal(a.n, 1);
    assert_int_equal(b.n, 1);
    assert_true(a.list[0].n_nodes >= 24);
    assert_true(a.list[0].name != b.list[0].name);
    assert_true(a.list[0].hash == b.list[0].hash);
    assert_int_equal(tree_shapes_of(other_text, strlen(other_text), &b, NULL),
                     CWM_OK);
    assert_true(a.list[0].hash != b.list[0].hash);
    tree_shapes_release(&a);
    tree_shapes_release(&b);
}

static void calls__only_literal_ones_are_taken(void **state)
{
    static const char text[] = "assert f(1, -2.5) == 3\n"
                               "assert f([1, {'a': (None, True)}], k=b'x')\n"
                               "assert f(x)\n"
                               "assert f(g(1))\n"
                               "assert f(f'{1}')\n"
                               "assert f(*[1])\n"
                               "assert obj.f(2)\n"
                               "assert f(1, -2.5) == 3\n"
                               "y = f('a' 'b')\n"
                               "f(\n";
    struct calls calls = {NULL, 0, 0};

    (void)state;
    assert_int_equal(calls_find(text, strlen(text), "f", &calls, NULL), CWM_OK);
    assert_int_equal(calls.n, 3);
    assert_string_equal(calls.args[0], "1, -2.5");
    assert_string_equal(calls.args[1], "[1, {'a': (None, True)}], k=b'x'");
    assert_string_equal(calls.args[2], "'a' 'b'");
    calls_release(&calls);
}

/* ---- benchmarks ---- */

static void put_file(const char *name, const char *text)
{
    assert_int_equal(io_replace_file(in_folder(name), text, strlen(text), NULL),
                     CWM_OK);
}

static void put_benchmark(void)
{
    struct cwm_buf line;

    cwm_buf_init(&line, 1 << 20);
    cwm_buf_adds(&line, "{\"task_id\": \"Sort/1\", \"prompt\": \"Write a "
                        "function that sorts the given list of values in place "
                        "by bubbling the larger ones upwards until nothing "
                        "moves any more\", \"code\": ");
    cwm_buf_add_json(&line, sorted_text, strlen(sorted_text));
    cwm_buf_adds(&line, "}\n");
    put_file("bench.jsonl", line.data);
    cwm_buf_release(&line);
}

static void assert_found(struct decontaminate *d, const char *text,
                         const char *what)
{
    char *found = NULL;

    assert_int_equal(decontaminate_look(d, text, strlen(text), &found, NULL),
                     CWM_OK);
    if (!what && found) {
        fail_msg("found: %s", found);
    }
    if (what && (!found || !strstr(found, what))) {
        fail_msg("'%s' is not in '%s'", what, found ? found : "nothing");
    }
    cwm_free(found);
}

static void decontaminate__finds_shapes_runs_and_prose(void **state)
{
    const char *files[1];
    struct decontaminate *d = NULL;
    struct cwm_err err;
    char text[4096];

    (void)state;
    put_benchmark();
    files[0] = in_folder("bench.jsonl");
    assert_int_equal(decontaminate_new(files, 1, &d, &err), CWM_OK);
    assert_int_equal(decontaminate_n_problems(d), 1);
    assert_found(d, sorted_text, "Sort/1: a function of the same shape");
    assert_found(d, other_text, NULL);
    assert_found(d, "", NULL);
    /* not the same shape any more, but the same code for the most part */
    snprintf(text, sizeof text, "%s    print(values)\n", sorted_text);
    memcpy(strstr(text, "    return values"), "    x_y = values ", 17);
    assert_found(d, text, "% of its code");
    snprintf(text, sizeof text,
             "# Write a function that sorts the given list of values in place\n"
             "# by bubbling the larger ones upwards until nothing moves any "
             "more\nx = 1\n");
    assert_found(d, text, "% of its prompt");
    decontaminate_free(d);
    put_file("none.jsonl", "\n");
    files[0] = in_folder("none.jsonl");
    assert_int_equal(decontaminate_new(files, 1, &d, &err), CWM_USAGE);
    files[0] = "/tmp/not-there.jsonl";
    assert_int_equal(decontaminate_new(files, 1, &d, &err), CWM_USAGE);
}

/* ---- the plan ---- */

static struct hash add(struct store *s, const char *text,
                       const struct store_origin *origin)
{
    struct store_program p = {.text = text, .len = strlen(text)};
    struct codec_thread *packer = NULL;

    assert_int_equal(codec_thread_new(store_codec(s), &packer, NULL), CWM_OK);
    assert_int_equal(store_add_program(s, packer, &p, NULL), CWM_OK);
    assert_int_equal(store_add_origin(s, &p, origin, NULL), CWM_OK);
    codec_thread_free(packer);
    return p.hash;
}

static struct clean_decision decision(struct clean *plan,
                                      const struct hash *program)
{
    struct clean_decision d;

    assert_true(clean_find(plan, program, &d));
    return d;
}

struct family {
    struct hash sorted, nearly, other, mutant, mutant2, first, second, bench;
};

static struct store *make_store(struct family *f)
{
    struct store_origin o = {.kind = STORE_KIND_FILE,
                             .origin = "here",
                             .path = "a.py",
                             .licence = "MIT"};
    struct store *s = NULL;
    char text[4096];

    unlink(in_folder("plan.db"));
    assert_int_equal(store_open(in_folder("plan.db"), STORE_MAKE, &s, NULL),
                     CWM_OK);
    assert_int_equal(store_begin(s, NULL), CWM_OK);
    f->sorted = add(s, sorted_text, &o);
    snprintf(text, sizeof text, "%s\nprint(1)\n", sorted_text);
    f->nearly = add(s, text, &o);
    f->other = add(s, other_text, &o);
    o.kind = STORE_KIND_MUTANT;
    o.parent = &f->other;
    f->mutant = add(s, "def f(x):\n    return x + 1\n", &o);
    f->mutant2 = add(s, "def f(x):\n    return x + 2\n", &o);
    o.parent = NULL;
    o.kind = STORE_KIND_CONTEST;
    o.licence = "GPL";
    o.family = "problem";
    f->first = add(s, "print(int(input()) ** 2)\n", &o);
    f->second = add(s, "n = int(input())\nprint(n * n)\n", &o);
    o.family = NULL;
    o.kind = STORE_KIND_MBPP;
    o.evaluation = true;
    f->bench = add(s, renamed_text, &o);
    assert_int_equal(store_commit(s, NULL), CWM_OK);
    return s;
}

static void clean__families_and_reasons(void **state)
{
    static const char *const licences[] = {"MIT"};
    struct clean_options how = {.near_duplicate_percent = 80,
                                .licences = licences,
                                .n_licences = 1,
                                .validation_permille = 300,
                                .test_permille = 300};
    struct family f;
    struct store *s = make_store(&f);
    struct clean *plan = NULL;
    struct clean_decision a, b;

    (void)state;
    assert_int_equal(clean_new(s, &how, &plan, NULL), CWM_OK);
    assert_int_equal(clean_n(plan), 8);
    a = decision(plan, &f.sorted);
    b = decision(plan, &f.nearly);
    assert_memory_equal(&a.family, &b.family, sizeof a.family);
    /* one of the two is kept: the one with the smaller hash */
    if (hash_compare(&f.sorted, &f.nearly) < 0) {
        assert_int_equal(a.reason, CLEAN_KEPT);
        assert_int_equal(b.reason, CLEAN_NEAR_DUPLICATE);
        assert_memory_equal(&b.twin, &f.sorted, sizeof b.twin);
    } else {
        assert_int_equal(b.reason, CLEAN_KEPT);
        assert_int_equal(a.reason, CLEAN_NEAR_DUPLICATE);
    }
    /* mutants are near to each other by their making: they stay */
    a = decision(plan, &f.other);
    b = decision(plan, &f.mutant);
    assert_int_equal(b.reason, CLEAN_KEPT);
    assert_memory_equal(&a.family, &b.family, sizeof a.family);
    assert_int_equal(a.split, b.split);
    assert_int_equal(decision(plan, &f.mutant2).reason, CLEAN_KEPT);
    a = decision(plan, &f.first);
    b = decision(plan, &f.second);
    assert_int_equal(a.reason, CLEAN_LICENCE);
    assert_memory_equal(&a.family, &b.family, sizeof a.family);
    a = decision(plan, &f.bench);
    assert_int_equal(a.reason, CLEAN_EVALUATION);
    assert_int_equal(a.split, CLEAN_TEST);
    clean_free(plan);
    store_close(s);
}

static void clean__benchmarks_take_their_mutants_along(void **state)
{
    const char *files[1];
    struct clean_options how = {
        .near_duplicate_percent = 80, .benchmarks = files, .n_benchmarks = 1};
    struct family f;
    struct store *s = make_store(&f);
    struct store_origin o = {.kind = STORE_KIND_MUTANT,
                             .origin = "here",
                             .path = "a.py",
                             .parent = &f.sorted};
    struct clean *plan = NULL;
    struct hash mutant;
    struct clean_decision d;

    (void)state;
    put_benchmark();
    files[0] = in_folder("bench.jsonl");
    assert_int_equal(store_begin(s, NULL), CWM_OK);
    mutant = add(s, "def g(x):\n    return x\n", &o);
    assert_int_equal(store_commit(s, NULL), CWM_OK);
    assert_int_equal(clean_new(s, &how, &plan, NULL), CWM_OK);
    d = decision(plan, &f.sorted);
    assert_int_equal(d.reason, CLEAN_CONTAMINATED);
    assert_non_null(d.what);
    d = decision(plan, &mutant);
    assert_int_equal(d.reason, CLEAN_CONTAMINATED);
    assert_memory_equal(&d.twin, &f.sorted, sizeof d.twin);
    assert_int_equal(decision(plan, &f.other).reason, CLEAN_KEPT);
    clean_free(plan);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens__layout_and_comments_do_not_count),
        cmocka_unit_test(minhash__similarity_is_estimated),
        cmocka_unit_test(shape__names_and_words_do_not_count),
        cmocka_unit_test(calls__only_literal_ones_are_taken),
        cmocka_unit_test(decontaminate__finds_shapes_runs_and_prose),
        cmocka_unit_test(clean__families_and_reasons),
        cmocka_unit_test(clean__benchmarks_take_their_mutants_along),
    };

    if (!mkdtemp(folder)) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
