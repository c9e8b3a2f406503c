/* SPDX-License-Identifier: MIT */
/*
 * test_train.c -- steps that learn, runs that go on, states that survive.
 *
 * The data are made from the position alone, by a rule that can be learned: a
 * token follows from the one two places before it.
 */
#include "cwm/model/train.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/io.h"
#include "cwm/model/checkpoint.h"

enum { ROWS = 2, ROW_TOKENS = 20, N = ROWS * ROW_TOKENS, V = 11 };

/* ---- data -----------------------------------------------------------------
 */

struct rule {
    uint64_t batch;
    uint64_t end; /* batches; 0: endless */
    uint32_t ids[N], targets[N], starts[N];
    float weights[N];
};

static enum cwm_rc rule_next(void *ctx, struct loader_batch *ret, bool *more,
                             struct cwm_err *err)
{
    struct rule *r = ctx;
    uint32_t a = (uint32_t)(r->batch % V);
    uint32_t b = (uint32_t)(r->batch / V % V);
    uint32_t i;

    (void)err;
    *more = r->end == 0 || r->batch < r->end;
    if (!*more) {
        return CWM_OK;
    }
    for (i = 0; i < N; i++) {
        uint32_t next = (4 * a + 3) % V;

        r->ids[i] = b;
        r->targets[i] = next;
        r->weights[i] = i % 7 == 6 ? 0.0f : 1.0f;
        r->starts[i] = i % ROW_TOKENS < 8 ? 0 : 8;
        a = b;
        b = next;
    }
    r->batch++;
    *ret = (struct loader_batch){.ids = r->ids,
                                 .targets = r->targets,
                                 .weights = r->weights,
                                 .starts = r->starts,
                                 .n_tokens = N,
                                 .n_targets = N - N / 7};
    return CWM_OK;
}

static void rule_tell(void *ctx, struct loader_position *ret)
{
    *ret =
        (struct loader_position){.batch = ((struct rule *)ctx)->batch,
                                 .fingerprint = UINT64_C(0xFEDCBA9876543210)};
}

static enum cwm_rc rule_seek(void *ctx, const struct loader_position *to,
                             struct cwm_err *err)
{
    (void)err;
    assert_int_equal(to->fingerprint, UINT64_C(0xFEDCBA9876543210));
    ((struct rule *)ctx)->batch = to->batch;
    return CWM_OK;
}

/* ---- a run ----------------------------------------------------------------
 */

struct run {
    struct rule rule;
    struct train_data data;
    struct ops *o;
    struct transformer *t;
    struct trainer *tr;
};

static struct train_settings small_settings(void)
{
    struct train_settings s;

    train_settings_default(&s);
    s.n_rows = ROWS;
    s.row_tokens = ROW_TOKENS;
    s.n_accumulate = 2;
    s.n_steps = 200;
    s.n_warmup = 5;
    s.rate = 1e-2;
    return s;
}

static void run_start(struct run *run, const struct train_settings *s,
                      enum ops_type type)
{
    struct model_config c = {.n_layers = 2,
                             .d_model = 32,
                             .n_heads = 2,
                             .n_kv_heads = 1,
                             .d_head = 16,
                             .d_ffn = 48,
                             .vocab_size = V,
                             .max_positions = 64,
                             .window = 4,
                             .is_tied = true,
                             .rms_eps = 1e-5,
                             .rope_theta = 1000.0};
    struct cwm_err err;

    c.is_sliding[0] = true;
    memset(run, 0, sizeof *run);
    run->data =
        (struct train_data){&run->rule, rule_next, rule_tell, rule_seek};
    assert_int_equal(ops_cpu_new(type, 2, &run->o, NULL), CWM_OK);
    assert_int_equal(transformer_new(run->o, &c, N, &run->t, NULL), CWM_OK);
    assert_int_equal(transformer_init(run->t, s->seed, NULL), CWM_OK);
    if (trainer_new(s, run->t, &run->data, &run->tr, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
}

static void run_end(struct run *run)
{
    trainer_free(run->tr);
    transformer_free(run->t);
    ops_free(run->o);
}

static double run_steps(struct run *run, int n)
{
    struct train_report r = {0};
    struct cwm_err err;

    for (; n > 0; n--) {
        if (trainer_step(run->tr, &r, &err) != CWM_OK) {
            fail_msg("%s", err.message);
        }
    }
    return r.loss;
}

static double held_out_loss(struct run *run)
{
    struct rule rule = {.batch = 3, .end = 8};
    struct train_data data = {&rule, rule_next, rule_tell, rule_seek};
    uint64_t n = 0;
    double loss = 0;

    assert_int_equal(trainer_judge(run->tr, &data, 100, &loss, &n, NULL),
                     CWM_OK);
    assert_int_equal(n, 5 * (N - N / 7));
    return loss;
}

static void remove_folder(const char *folder)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

/* ---- learning -------------------------------------------------------------
 */

static void train__learns_the_rule(void **state)
{
    static const enum ops_type types[] = {OPS_F32, OPS_BF16};
    struct train_settings s = small_settings();
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        struct run run;
        double before;
        double after;

        run_start(&run, &s, types[i]);
        before = held_out_loss(&run);
        run_steps(&run, 200);
        after = held_out_loss(&run);
        print_message("%s: held-out loss %.4f, then %.4f\n",
                      i ? "bf16" : "fp32", before, after);
        assert_true(fabs(before - log(V)) < 0.2);
        /* the first token of each document has no one before it */
        assert_true(after < 0.8);
        assert_true(run.tr->n_tokens == 200 * 2 * N);
        run_end(&run);
    }
}

static void train__rate_warms_up_and_falls(void **state)
{
    struct train_settings s = small_settings();

    (void)state;
    s.rate = 1.0;
    s.n_warmup = 10;
    s.n_steps = 110;
    s.final_part = 0.2;
    assert_true(fabs(train_rate(&s, 0) - 0.1) < 1e-9);
    assert_true(fabs(train_rate(&s, 9) - 1.0) < 1e-9);
    assert_true(fabs(train_rate(&s, 10) - 1.0) < 1e-9);
    assert_true(fabs(train_rate(&s, 60) - 0.6) < 1e-9);
    assert_true(fabs(train_rate(&s, 110) - 0.2) < 1e-9);
}

/* Accumulating is one large batch: same first loss, same first step. */
static void train__steps_do_not_depend_on_how_they_are_cut(void **state)
{
    struct train_settings s = small_settings();
    struct run run;
    struct train_report r = {0};
    double norm;

    (void)state;
    run_start(&run, &s, OPS_F32);
    assert_int_equal(trainer_step(run.tr, &r, NULL), CWM_OK);
    norm = r.norm;
    assert_int_equal(r.n_tokens, 2 * N);
    run_end(&run);
    s.decay = 0.5; /* changes the step, not its gradients */
    run_start(&run, &s, OPS_F32);
    assert_int_equal(trainer_step(run.tr, &r, NULL), CWM_OK);
    assert_true(r.norm == norm);
    run_end(&run);
}

static void train__stops_when_the_loss_is_not_finite(void **state)
{
    struct train_settings s = small_settings();
    struct train_report r = {0};
    struct cwm_err err;
    struct run run;

    (void)state;
    run_start(&run, &s, OPS_F32);
    run_steps(&run, 2);
    run.t->weights[run.t->norm] = NAN;
    assert_int_equal(trainer_step(run.tr, &r, &err), CWM_LIMIT);
    if (strncmp(err.message, "cannot go on at step 3: the loss is ", 36) != 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(run.tr->step, 2);
    run_end(&run);
}

/* ---- going on -------------------------------------------------------------
 */

static void compare_runs(const struct run *a, const struct run *b)
{
    size_t n_bytes = a->t->n_values * sizeof(float);

    assert_int_equal(a->tr->step, b->tr->step);
    assert_int_equal(a->tr->n_tokens, b->tr->n_tokens);
    assert_memory_equal(a->t->weights, b->t->weights, n_bytes);
    assert_memory_equal(a->t->moments1, b->t->moments1, n_bytes);
    assert_memory_equal(a->t->moments2, b->t->moments2, n_bytes);
}

/* 20 steps, and 10 and 10 more in another process's place: the same bits. */
static void train__goes_on_bit_by_bit(void **state)
{
    static const enum ops_type types[] = {OPS_F32, OPS_BF16};
    struct train_settings s = small_settings();
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        char folder[] = "/tmp/test_train.XXXXXX";
        struct run straight;
        struct run first;
        struct run second;
        struct cwm_err err;

        assert_non_null(mkdtemp(folder));
        assert_false(checkpoint_exists(folder));
        run_start(&straight, &s, types[i]);
        run_steps(&straight, 20);
        run_start(&first, &s, types[i]);
        run_steps(&first, 10);
        if (checkpoint_save(folder, first.tr, NULL, 0, &err) != CWM_OK) {
            fail_msg("%s", err.message);
        }
        run_end(&first);
        assert_true(checkpoint_exists(folder));
        run_start(&second, &s, types[i]);
        if (checkpoint_resume(folder, second.tr, &err) != CWM_OK) {
            fail_msg("%s", err.message);
        }
        assert_int_equal(second.tr->step, 10);
        run_steps(&second, 10);
        compare_runs(&straight, &second);
        run_end(&straight);
        run_end(&second);
        remove_folder(folder);
    }
}

static void train__refuses_to_go_on_with_other_settings(void **state)
{
    char folder[] = "/tmp/test_train.XXXXXX";
    struct train_settings s = small_settings();
    struct cwm_err err;
    struct run run;

    (void)state;
    assert_non_null(mkdtemp(folder));
    run_start(&run, &s, OPS_F32);
    assert_int_equal(checkpoint_save(folder, run.tr, NULL, 0, NULL), CWM_OK);
    run_end(&run);
    s.rate = 0.02;
    run_start(&run, &s, OPS_F32);
    assert_int_equal(checkpoint_resume(folder, run.tr, &err), CWM_USAGE);
    assert_string_equal(err.message,
                        "cannot go on with other settings: the run there has "
                        "'rate=0.01', not 'rate=0.02'\nanother folder takes a "
                        "new run");
    run_end(&run);
    remove_folder(folder);
}

static int count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        n += entry->d_name[0] != '.';
    }
    closedir(dir);
    return n;
}

/* A disk that is full in the middle of a state: the one before is the last,
 * nothing is left behind, and the run can go on. */
static void train__keeps_the_last_state_when_the_disk_is_full(void **state)
{
    static const rlim_t sizes[] = {0, 100, 5000, 40000};
    char folder[] = "/tmp/test_train.XXXXXX";
    struct train_settings s = small_settings();
    const struct checkpoint_file extra = {"tokenizer.json", "{}", 2};
    struct rlimit before;
    struct cwm_err err;
    struct run run;
    struct run again;
    size_t i;

    (void)state;
    assert_non_null(mkdtemp(folder));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    run_start(&run, &s, OPS_F32);
    run_steps(&run, 1);
    assert_int_equal(checkpoint_save(folder, run.tr, &extra, 1, NULL), CWM_OK);
    assert_int_equal(count_entries(folder), 2);
    run_start(&again, &s, OPS_F32);
    run_steps(&run, 1);
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct rlimit limit = {sizes[i], before.rlim_max};

        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(checkpoint_save(folder, run.tr, &extra, 1, &err),
                         CWM_IO);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(count_entries(folder), 2);
        assert_int_equal(checkpoint_resume(folder, again.tr, NULL), CWM_OK);
        assert_int_equal(again.tr->step, 1);
    }
    print_message("%s\n", err.message);
    assert_int_equal(checkpoint_save(folder, run.tr, &extra, 1, NULL), CWM_OK);
    assert_int_equal(count_entries(folder), 2); /* the older one went */
    assert_int_equal(checkpoint_resume(folder, again.tr, NULL), CWM_OK);
    assert_int_equal(again.tr->step, 2);
    compare_runs(&run, &again);
    run_end(&run);
    run_end(&again);
    remove_folder(folder);
}

/* Cut or changed anywhere: an error, never another run. */
static void train__refuses_damaged_states(void **state)
{
    char folder[] = "/tmp/test_train.XXXXXX";
    char path[64];
    struct train_settings s = small_settings();
    struct cwm_buf text;
    struct cwm_err err;
    struct run run;
    size_t len;

    (void)state;
    assert_non_null(mkdtemp(folder));
    run_start(&run, &s, OPS_F32);
    assert_int_equal(checkpoint_save(folder, run.tr, NULL, 0, NULL), CWM_OK);
    snprintf(path, sizeof path, "%s/last/run.json", folder);
    cwm_buf_init(&text, 1 << 16);
    assert_int_equal(io_read_file(path, &text, NULL), CWM_OK);
    for (len = 0; len + 2 < text.len; len += 5) {
        assert_int_equal(io_replace_file(path, text.data, len, NULL), CWM_OK);
        assert_int_equal(checkpoint_resume(folder, run.tr, &err), CWM_FORMAT);
    }
    assert_int_equal(io_replace_file(path, text.data, text.len, NULL), CWM_OK);
    assert_int_equal(checkpoint_resume(folder, run.tr, &err), CWM_OK);
    snprintf(path, sizeof path, "%s/last/moments2.safetensors", folder);
    assert_int_equal(truncate(path, 3000), 0);
    assert_int_equal(checkpoint_resume(folder, run.tr, &err), CWM_FORMAT);
    assert_non_null(strstr(err.message, "moments2.safetensors"));
    cwm_buf_release(&text);
    run_end(&run);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(train__learns_the_rule),
        cmocka_unit_test(train__rate_warms_up_and_falls),
        cmocka_unit_test(train__steps_do_not_depend_on_how_they_are_cut),
        cmocka_unit_test(train__stops_when_the_loss_is_not_finite),
        cmocka_unit_test(train__goes_on_bit_by_bit),
        cmocka_unit_test(train__refuses_to_go_on_with_other_settings),
        cmocka_unit_test(train__keeps_the_last_state_when_the_disk_is_full),
        cmocka_unit_test(train__refuses_damaged_states),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
