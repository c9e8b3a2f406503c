/* SPDX-License-Identifier: MIT */
/*
 * testgen_pick.c -- which tests are kept: again and again the one that kills
 * most of the mutants that are left; of equal ones the first, and values come
 * before properties.
 */
#include <string.h>

#include "cwm/base/alloc.h"
#include "eval/testgen_internal.h"

struct picking {
    const struct testgen__task *t; /* borrowed */
    uint8_t *dead;                 /* owned: [n_mutants] */
    uint8_t *is_taken;             /* owned: [n_candidates] */
};

static uint32_t count_kills(const struct picking *p, size_t candidate,
                            bool only_new)
{
    const struct testgen__task *t = p->t;
    uint32_t n = 0;

    for (size_t k = 0; k < t->n_mutants; k++) {
        n += t->kills[k * t->n_candidates + candidate] &&
             !(only_new && p->dead[k]);
    }
    return n;
}

/* The next test, its gain in *ret_new; n_candidates: there is none. */
static size_t best(const struct picking *p, uint32_t *ret_new)
{
    size_t found = p->t->n_candidates;

    *ret_new = 0;
    for (size_t i = 0; i < p->t->n_candidates; i++) {
        uint32_t n = p->t->candidates[i].holds && !p->is_taken[i]
                         ? count_kills(p, i, true)
                         : 0;

        if (n > *ret_new) {
            *ret_new = n;
            found = i;
        }
    }
    return found;
}

static void take(struct picking *p, size_t i, uint32_t n_new, bool kept,
                 struct testgen_task *ret)
{
    struct testgen__candidate *c = &p->t->candidates[i];

    ret->tests[ret->n_tests++] =
        (struct testgen_test){.kind = c->kind,
                              .property = c->property,
                              .text = c->text,
                              .n_kills = count_kills(p, i, false),
                              .n_new = n_new,
                              .kept = kept};
    c->property = NULL; /* the test's now */
    c->text = NULL;
    p->is_taken[i] = 1;
    ret->n_kept += kept;
    for (size_t k = 0; kept && k < p->t->n_mutants; k++) {
        p->dead[k] |= p->t->kills[k * p->t->n_candidates + i];
    }
}

static void count(const struct picking *p, struct testgen_task *ret)
{
    const struct testgen__task *t = p->t;

    ret->n_mutants = (uint32_t)t->n_mutants;
    for (size_t k = 0; k < t->n_mutants; k++) {
        ret->n_killed +=
            memchr(t->kills + k * t->n_candidates, 1, t->n_candidates) != NULL;
        ret->n_killed_kept += p->dead[k];
        ret->n_killed_given += t->given[k];
        ret->n_stopped_mutants += t->stopped[k];
    }
}

static size_t first_left(const struct picking *p)
{
    size_t i = 0;

    while (i < p->t->n_candidates &&
           (p->is_taken[i] || !p->t->candidates[i].holds)) {
        i++;
    }
    return i;
}

enum cwm_rc testgen__pick(struct testgen__task *t,
                          const struct testgen_options *options,
                          struct testgen_task *ret, struct cwm_err *err)
{
    struct picking p = {.t = t};
    const size_t most = options->max_tests ? options->max_tests : SIZE_MAX;
    uint32_t n_new;
    size_t i;

    p.dead = cwm_calloc(t->n_mutants + 1, 1);
    p.is_taken = cwm_calloc(t->n_candidates + 1, 1);
    ret->tests = cwm_calloc(t->n_candidates + 1, sizeof *ret->tests);
    if (!p.dead || !p.is_taken || !ret->tests) {
        cwm_free(p.dead);
        cwm_free(p.is_taken);
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the tests");
    }
    while (ret->n_kept < most && (i = best(&p, &n_new)) < t->n_candidates) {
        take(&p, i, n_new, true, ret);
    }
    while ((i = first_left(&p)) < t->n_candidates) {
        /* Where nothing kills anything, one test is better than none. */
        bool kept =
            (options->keep_all && ret->n_kept < most) || ret->n_tests == 0;

        take(&p, i, 0, kept, ret);
    }
    count(&p, ret);
    cwm_free(p.dead);
    cwm_free(p.is_taken);
    return CWM_OK;
}
