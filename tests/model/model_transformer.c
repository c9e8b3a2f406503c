/* SPDX-License-Identifier: MIT */
/*
 * model_transformer.c FOLDER -- the transformer that learns, on the CPU's fast
 * table, against the logits that Hugging Face's CwmForCausalLM gives.
 *
 * All sequences go in as one batch, and once more in another order: they must
 * not see each other.  FOLDER holds the checkpoint, expected.json and
 * expected_logits.f32.  Exits 77 where it is not there.
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
#include "cwm/model/transformer.h"
#include "cwm/model/transformer_files.h"

static const char *folder; /* main()'s argument, for the test functions */

enum { MAX_TOKENS = 4096, MAX_BYTES = 1 << 24 };

/* Of the largest logit: what summing in another order may change in fp32, and
 * rounding to 8 bits in bf16. */
static const double tolerances[] = {[OPS_F32] = 2e-4, [OPS_BF16] = 4e-2};

static char *path_of(const char *name)
{
    static char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* The sequences one behind the other, from number `first` on, in turn. */
struct batch {
    uint32_t ids[MAX_TOKENS], starts[MAX_TOKENS], positions[MAX_TOKENS];
    size_t n, n_each, n_lists;
};

static void read_batch(struct batch *b, size_t first)
{
    json_t *root = json_load_file(path_of("expected.json"), 0, NULL);
    const json_t *lists = json_object_get(root, "input_ids");
    size_t i;
    size_t k;

    assert_non_null(root);
    b->n_lists = json_array_size(lists);
    b->n_each = json_array_size(json_array_get(lists, 0));
    b->n = b->n_lists * b->n_each;
    assert_in_range(b->n, 1, MAX_TOKENS);
    for (i = 0; i < b->n_lists; i++) {
        const json_t *list = json_array_get(lists, (first + i) % b->n_lists);

        for (k = 0; k < b->n_each; k++) {
            size_t at = i * b->n_each + k;

            b->ids[at] = (uint32_t)json_integer_value(json_array_get(list, k));
            b->starts[at] = (uint32_t)(i * b->n_each);
            b->positions[at] = (uint32_t)k;
        }
    }
    json_decref(root);
}

static void check(enum ops_type type, size_t first)
{
    struct batch *b = calloc(1, sizeof *b);
    struct model_config c;
    struct transformer_batch batch = {0};
    struct transformer *t = NULL;
    struct ops *o = NULL;
    struct cwm_buf want;
    struct cwm_err err;
    float *logits;
    double largest = 0;
    double worst = 0;
    size_t n_list;
    size_t i;

    assert_non_null(b);
    read_batch(b, first);
    cwm_buf_init(&want, MAX_BYTES);
    assert_int_equal(io_read_file(path_of("expected_logits.f32"), &want, NULL),
                     CWM_OK);
    assert_int_equal(config_load(folder, &c, NULL), CWM_OK);
    assert_int_equal(ops_cpu_new(type, 2, &o, NULL), CWM_OK);
    assert_int_equal(transformer_new(o, &c, b->n, &t, NULL), CWM_OK);
    if (transformer_load(t, folder, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    logits = malloc(b->n * c.vocab_size * sizeof *logits);
    assert_non_null(logits);
    batch.n_tokens = b->n;
    batch.ids = b->ids;
    batch.starts = b->starts;
    batch.positions = b->positions;
    assert_int_equal(transformer_logits(t, &batch, logits, NULL), CWM_OK);
    n_list = b->n_each * c.vocab_size;
    assert_int_equal(want.len, b->n_lists * n_list * sizeof *logits);
    for (i = 0; i < b->n_lists * n_list; i++) {
        size_t from = ((first + i / n_list) % b->n_lists) * n_list + i % n_list;
        float one;

        memcpy(&one, want.data + from * sizeof one, sizeof one);
        largest = fmax(largest, fabs((double)one));
        worst = fmax(worst, fabs((double)one - (double)logits[i]));
    }
    print_message("%s: largest difference %.2e of the largest logit\n",
                  type == OPS_F32 ? "fp32" : "bf16", worst / largest);
    assert_true(worst <= tolerances[type] * largest); /* false for a NaN, too */
    free(logits);
    free(b);
    cwm_buf_release(&want);
    transformer_free(t);
    ops_free(o);
}

static void transformer__gives_the_recorded_logits(void **state)
{
    (void)state;
    check(OPS_F32, 0);
    check(OPS_F32, 1);
    check(OPS_BF16, 0);
}

/* Read, written, read: the same bytes. */
static void transformer__writes_what_it_read(void **state)
{
    char path[] = "/tmp/model_transformer.XXXXXX";
    int fd = mkstemp(path);
    struct transformer *t = NULL;
    struct model_config c;
    struct ops *o = NULL;
    struct cwm_buf before;
    struct cwm_buf after;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    cwm_buf_init(&before, MAX_BYTES);
    cwm_buf_init(&after, MAX_BYTES);
    assert_int_equal(config_load(folder, &c, NULL), CWM_OK);
    assert_int_equal(ops_cpu_new(OPS_F32, 1, &o, NULL), CWM_OK);
    assert_int_equal(transformer_new(o, &c, 1, &t, NULL), CWM_OK);
    assert_int_equal(transformer_load(t, folder, NULL), CWM_OK);
    assert_int_equal(transformer_write(t, t->weights, TENSOR_F32, path, NULL),
                     CWM_OK);
    assert_int_equal(io_read_file(path_of("model.safetensors"), &before, NULL),
                     CWM_OK);
    assert_int_equal(io_read_file(path, &after, NULL), CWM_OK);
    assert_int_equal(after.len, before.len);
    /* the names' order and all; the header may differ in its spaces */
    assert_memory_equal(
        after.data + after.len - transformer_n_parameters(t) * 4,
        before.data + before.len - transformer_n_parameters(t) * 4,
        transformer_n_parameters(t) * 4);
    unlink(path);
    cwm_buf_release(&before);
    cwm_buf_release(&after);
    transformer_free(t);
    ops_free(o);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transformer__gives_the_recorded_logits),
        cmocka_unit_test(transformer__writes_what_it_read),
    };

    folder = argc > 1 ? argv[1] : "";
    if (access(path_of("model.safetensors"), R_OK) != 0) {
        printf("skipped: no fixtures at '%s'\n", folder);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
