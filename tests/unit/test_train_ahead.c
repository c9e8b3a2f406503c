/* SPDX-License-Identifier: MIT */
/*
 * test_train_ahead.c -- the trainer on a table that keeps losses and lengths to
 * itself, as a GPU's does: the same steps to the same bits, the same place in
 * the data although the next batches are taken already, no change where a loss
 * is not finite.  And what a table for a GPU says where there is none.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cwm/model/ops_cuda.h"
#include "cwm/model/train.h"

enum { N = 24, V = 7, STEPS = 6 };

/* ---- a CPU's table that does not come back --------------------------------
 */

static struct {
    double loss, norm;
    float scale;
    void (*adamw)(struct ops *o, const struct ops_adamw *a, float *w,
                  const float *grad, float *m, float *v, size_t n, void *copy);
} kept;

static void keep_loss(struct ops *o, const float *losses, size_t n)
{
    size_t i;

    (void)o;
    for (i = 0; i < n; i++) {
        kept.loss += (double)losses[i];
    }
}

static void clip(struct ops *o, const float *grad, size_t n, float most)
{
    kept.norm = sqrt(o->sum_squares(o, grad, n));
    kept.scale = !isfinite(kept.norm) || !isfinite(kept.loss) ? NAN
                 : kept.norm > (double)most ? (float)((double)most / kept.norm)
                                            : 1.0f;
}

static void tell_kept(struct ops *o, double *ret_loss, double *ret_norm)
{
    (void)o;
    *ret_loss = kept.loss;
    *ret_norm = kept.norm;
    kept.loss = 0;
}

static void clipped_adamw(struct ops *o, const struct ops_adamw *a, float *w,
                          const float *grad, float *m, float *v, size_t n,
                          void *copy)
{
    struct ops_adamw mine = *a;

    assert_true(a->is_clipped);
    mine.grad_scale = kept.scale;
    if (isfinite(mine.grad_scale)) {
        kept.adamw(o, &mine, w, grad, m, v, n, copy);
    }
}

static struct ops *new_table(bool keeps)
{
    struct ops *o = NULL;

    assert_int_equal(ops_cpu_new(OPS_F32, 1, &o, NULL), CWM_OK);
    if (keeps) {
        memset(&kept, 0, sizeof kept);
        kept.adamw = o->adamw;
        o->adamw = clipped_adamw;
        o->keep_loss = keep_loss;
        o->clip = clip;
        o->kept = tell_kept;
    }
    return o;
}

/* ---- data and a run -------------------------------------------------------
 */

struct data {
    uint64_t batch;
    uint64_t poisoned; /* the batch whose weights are not finite; 0: none */
    uint32_t ids[N], targets[N], starts[N];
    float weights[N];
};

static enum cwm_rc data_next(void *ctx, struct loader_batch *ret, bool *more,
                             struct cwm_err *err)
{
    struct data *d = ctx;
    uint32_t i;

    (void)err;
    d->batch++;
    for (i = 0; i < N; i++) {
        d->ids[i] = (uint32_t)((d->batch * 3 + i * i) % V);
        d->targets[i] = (d->ids[i] * 2 + 1) % V;
        d->weights[i] = d->batch == d->poisoned ? INFINITY : 1.0f;
    }
    *ret = (struct loader_batch){.ids = d->ids,
                                 .targets = d->targets,
                                 .weights = d->weights,
                                 .starts = d->starts,
                                 .n_tokens = N,
                                 .n_targets = N};
    *more = true;
    return CWM_OK;
}

static void data_tell(void *ctx, struct loader_position *ret)
{
    *ret = (struct loader_position){.batch = ((struct data *)ctx)->batch};
}

static enum cwm_rc data_seek(void *ctx, const struct loader_position *to,
                             struct cwm_err *err)
{
    (void)err;
    ((struct data *)ctx)->batch = to->batch;
    return CWM_OK;
}

struct run {
    struct data data;
    struct train_data source;
    struct ops *o;
    struct transformer *t;
    struct trainer *tr;
};

static void run_start(struct run *run, bool keeps)
{
    const struct model_config c = {.n_layers = 1,
                                   .d_model = 16,
                                   .n_heads = 2,
                                   .n_kv_heads = 1,
                                   .d_head = 8,
                                   .d_ffn = 24,
                                   .vocab_size = V,
                                   .max_positions = N,
                                   .rms_eps = 1e-5,
                                   .rope_theta = 1000.0};
    struct train_settings s;

    train_settings_default(&s);
    s.n_rows = 1;
    s.row_tokens = N;
    s.n_accumulate = 2;
    s.n_steps = STEPS;
    s.n_warmup = 1;
    s.clip = 0.125; /* cuts every step's; the same in fp32 */
    memset(run, 0, sizeof *run);
    run->source =
        (struct train_data){&run->data, data_next, data_tell, data_seek};
    run->o = new_table(keeps);
    assert_int_equal(transformer_new(run->o, &c, N, &run->t, NULL), CWM_OK);
    assert_int_equal(transformer_init(run->t, 1, NULL), CWM_OK);
    assert_int_equal(trainer_new(&s, run->t, &run->source, &run->tr, NULL),
                     CWM_OK);
}

static void run_end(struct run *run)
{
    trainer_free(run->tr);
    transformer_free(run->t);
    ops_free(run->o);
}

/* ---- tests ----------------------------------------------------------------
 */

static void train_ahead__takes_the_same_steps(void **state)
{
    struct run plain;
    struct run ahead;
    int i;

    (void)state;
    run_start(&plain, false);
    run_start(&ahead, true);
    for (i = 0; i < STEPS; i++) {
        struct train_report a = {0};
        struct train_report b = {0};
        struct loader_position at_a;
        struct loader_position at_b;

        assert_int_equal(trainer_step(plain.tr, &a, NULL), CWM_OK);
        assert_int_equal(trainer_step(ahead.tr, &b, NULL), CWM_OK);
        assert_true(fabs(a.loss - b.loss) <= 1e-12);
        assert_true(a.norm > 0.125 && fabs(a.norm - b.norm) <= 1e-12);
        assert_int_equal(a.n_tokens, b.n_tokens);
        trainer_tell(plain.tr, &at_a);
        trainer_tell(ahead.tr, &at_b);
        assert_int_equal(at_a.batch, at_b.batch);
    }
    assert_memory_equal(plain.t->weights, ahead.t->weights,
                        plain.t->n_values * sizeof(float));
    run_end(&plain);
    run_end(&ahead);
}

static void train_ahead__leaves_the_weights_where_a_loss_is_not_finite(
    void **state)
{
    struct run run;
    struct train_report r = {0};
    struct cwm_err err;
    float *before;

    (void)state;
    run_start(&run, true);
    run.data.poisoned = 3; /* of the second step */
    assert_int_equal(trainer_step(run.tr, &r, &err), CWM_OK);
    before = malloc(run.t->n_values * sizeof *before);
    assert_non_null(before);
    memcpy(before, run.t->weights, run.t->n_values * sizeof *before);
    assert_int_equal(trainer_step(run.tr, &r, &err), CWM_LIMIT);
    assert_memory_equal(before, run.t->weights,
                        run.t->n_values * sizeof *before);
    free(before);
    run_end(&run);
}

static void ops_cuda__says_what_is_missing_where_there_is_no_gpu(void **state)
{
    const struct ops_cuda_options options = {.type = OPS_BF16};
    struct ops *o = NULL;
    struct cwm_err err;
    enum cwm_rc rc = ops_cuda_new(&options, &o, &err);

    (void)state;
    if (ops_cuda_is_there()) {
        assert_int_equal(rc, CWM_OK);
        ops_free(o);
        return;
    }
    assert_true(rc == CWM_MISSING || rc == CWM_USAGE);
    assert_null(o);
    assert_non_null(strstr(err.message, "cannot use "));
    assert_non_null(strstr(err.message, "--device cpu"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(train_ahead__takes_the_same_steps),
        cmocka_unit_test(
            train_ahead__leaves_the_weights_where_a_loss_is_not_finite),
        cmocka_unit_test(ops_cuda__says_what_is_missing_where_there_is_no_gpu),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
