/* SPDX-License-Identifier: MIT */
/*
 * model_reference.c FOLDER -- the plain forward pass against the logits that
 * Hugging Face's CwmForCausalLM gives for the same checkpoint.
 *
 * FOLDER holds the checkpoint, expected.json and expected_logits.f32.  Exits
 * 77 where it is not there.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "cwm/base/io.h"
#include "cwm/model/model.h"
#include "cwm/model/safetensors.h"

static const char *folder; /* main()'s argument, for the test functions */

enum { MAX_TOKENS = 96, MAX_BYTES = 1 << 24 };

/* Of the largest logit: what summing in another order may change. */
#define TOLERANCE 2e-4

static char *path_of(const char *name)
{
    static char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static struct model *load(struct model_pass **ret_pass)
{
    struct model *m = NULL;
    struct cwm_err err;

    if (model_load(folder, &m, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(model_pass_new(m, MAX_TOKENS, ret_pass, NULL), CWM_OK);
    return m;
}

static json_t *read_expected(void)
{
    json_t *root = json_load_file(path_of("expected.json"), 0, NULL);

    assert_non_null(root);
    return root;
}

static size_t read_ids(const json_t *list, uint32_t *ids)
{
    size_t n = json_array_size(list);
    size_t i;

    assert_in_range(n, 1, MAX_TOKENS);
    for (i = 0; i < n; i++) {
        ids[i] = (uint32_t)json_integer_value(json_array_get(list, i));
    }
    return n;
}

static void model__gives_the_recorded_logits(void **state)
{
    struct model_pass *pass = NULL;
    struct model *m = load(&pass);
    json_t *root = read_expected();
    const json_t *lists = json_object_get(root, "input_ids");
    size_t n_words = m->config.vocab_size;
    struct cwm_buf want;
    double largest = 0;
    double worst = 0;
    size_t s;

    (void)state;
    cwm_buf_init(&want, MAX_BYTES);
    assert_int_equal(io_read_file(path_of("expected_logits.f32"), &want, NULL),
                     CWM_OK);
    assert_int_equal(want.len, json_array_size(lists) * MAX_TOKENS * n_words *
                                   sizeof(float));
    for (s = 0; s < json_array_size(lists); s++) {
        uint32_t ids[MAX_TOKENS];
        size_t n_values = read_ids(json_array_get(lists, s), ids) * n_words;
        float *logits = malloc(n_values * sizeof *logits);
        size_t i;

        assert_non_null(logits);
        assert_int_equal(model_forward(pass, ids, MAX_TOKENS, logits, NULL),
                         CWM_OK);
        for (i = 0; i < n_values; i++) {
            float one;

            memcpy(&one, want.data + (s * n_values + i) * sizeof one,
                   sizeof one);
            largest = fmax(largest, fabs((double)one));
            worst = fmax(worst, fabs((double)one - (double)logits[i]));
        }
        free(logits);
    }
    print_message("largest logit %.4f, largest difference %.2e of it\n",
                  largest, worst / largest);
    assert_true(worst <= TOLERANCE * largest); /* also false for a NaN */
    cwm_buf_release(&want);
    json_decref(root);
    model_pass_free(pass);
    model_free(m);
}

static uint32_t largest_of(const float *logits, size_t n)
{
    uint32_t best = 0;
    size_t i;

    for (i = 1; i < n; i++) {
        best = logits[i] > logits[best] ? (uint32_t)i : best;
    }
    return best;
}

static void model__continues_greedily_as_recorded(void **state)
{
    struct model_pass *pass = NULL;
    struct model *m = load(&pass);
    json_t *root = read_expected();
    size_t n_words = m->config.vocab_size;
    uint32_t ids[MAX_TOKENS];
    uint32_t want[MAX_TOKENS];
    size_t n = read_ids(json_object_get(root, "greedy_prompt"), ids);
    size_t n_new = read_ids(json_object_get(root, "greedy_continuation"), want);
    float *logits = malloc(MAX_TOKENS * n_words * sizeof *logits);
    size_t i;

    (void)state;
    assert_non_null(logits);
    assert_true(n + n_new <= MAX_TOKENS);
    for (i = 0; i < n_new; i++, n++) {
        assert_int_equal(model_forward(pass, ids, n, logits, NULL), CWM_OK);
        ids[n] = largest_of(logits + (n - 1) * n_words, n_words);
        if (ids[n] != want[i]) {
            fail_msg("token %zu: want %u, got %u", i, want[i], ids[n]);
        }
    }
    free(logits);
    json_decref(root);
    model_pass_free(pass);
    model_free(m);
}

/* Written back and read again: the same bytes of weights. */
static void model__weights_survive_a_round_trip(void **state)
{
    char path[] = "/tmp/model_reference.XXXXXX";
    int fd = mkstemp(path);
    struct safetensors *f = NULL;
    struct safetensors *back = NULL;
    size_t i;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(safetensors_open(path_of("model.safetensors"), &f, NULL),
                     CWM_OK);
    assert_int_equal(
        safetensors_write(path, safetensors_at(f, 0), safetensors_n(f), NULL),
        CWM_OK);
    assert_int_equal(safetensors_open(path, &back, NULL), CWM_OK);
    assert_int_equal(safetensors_n(back), safetensors_n(f));
    for (i = 0; i < safetensors_n(f); i++) {
        const struct tensor *t = safetensors_at(f, i);
        const struct tensor *u = safetensors_find(back, t->name);

        assert_non_null(u);
        assert_int_equal(u->n_bytes, t->n_bytes);
        assert_memory_equal(u->dims, t->dims, sizeof t->dims);
        assert_memory_equal(u->data, t->data, t->n_bytes);
    }
    safetensors_close(back);
    safetensors_close(f);
    unlink(path);
}

static void model__refuses_what_it_has_no_words_or_room_for(void **state)
{
    struct model_pass *pass = NULL;
    struct model *m = load(&pass);
    uint32_t ids[MAX_TOKENS + 1] = {0};
    float logits[1];
    struct cwm_err err;

    (void)state;
    assert_int_equal(model_forward(pass, ids, 0, logits, &err), CWM_USAGE);
    assert_int_equal(model_forward(pass, ids, MAX_TOKENS + 1, logits, &err),
                     CWM_USAGE);
    ids[0] = m->config.vocab_size;
    assert_int_equal(model_forward(pass, ids, 1, logits, &err), CWM_USAGE);
    assert_string_equal(err.message, "cannot run the model on the id 384: it "
                                     "has 384 words");
    model_pass_free(pass);
    model_free(m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model__gives_the_recorded_logits),
        cmocka_unit_test(model__continues_greedily_as_recorded),
        cmocka_unit_test(model__weights_survive_a_round_trip),
        cmocka_unit_test(model__refuses_what_it_has_no_words_or_room_for),
    };

    folder = argc > 1 ? argv[1] : "";
    if (access(path_of("model.safetensors"), R_OK) != 0) {
        printf("skipped: no fixtures at '%s'\n", folder);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
