/* SPDX-License-Identifier: MIT */
/*
 * bench_gpu.c train|train-fp8|decode|products [32m|88m|287m|all] [STEPS] -- how
 * fast a GPU trains and generates.
 *
 * train: the shapes and batches of docs/benchmarks.md: vocabulary 8,192, rows
 * of 2,048 tokens, a window of 512 in three of four layers.  Whole steps are
 * timed as `cwm train` does them (batch taken and written, forward, backward,
 * length of the gradients, AdamW), the weights in fp32, products in bf16.  The
 * share of peak counts what the model needs (6 operations a weight of a
 * product, and attention by the keys that are seen), not what is computed, over
 * 790 Top/s, which large products of random bf16 numbers reach on an H200.
 * train-fp8: the same with products of 8 bits.
 *
 * decode: batch 256, prompts of 512 tokens, 1,024 new ones each, greedy; the
 * rate is that of new tokens once all prompts are read, and beside it stands
 * the rate at which weights and cache would be read if once a step were enough.
 *
 * Weights of 8 bits are told, too, at this batch and at smaller ones.
 *
 * products: the products of one decoding step alone, by the number of rows, in
 * bf16 and with weights of 8 bits; each matrix has copies enough that none is
 * in the GPU's own cache when its turn comes again.
 *
 * Prints one JSON object a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cwm/model/generator.h"
#include "cwm/model/train.h"
#include "tests/gpu/gpu_test.h"
#include "tests/gpu/random_model.h"

enum { ROW_TOKENS = 2048, WINDOW = 512, VOCABULARY = 8192, WARM_STEPS = 3 };

static const double peak = 790e12;

static const struct shape {
    const char *name;
    uint32_t n_layers, width, heads, kv_heads, ffn, rows;
} shapes[] = {
    {"32m", 8, 512, 8, 4, 1408, 64},
    {"88m", 12, 768, 12, 4, 2048, 48},
    {"287m", 24, 1024, 16, 4, 2816, 24},
};

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct model_config config_of(const struct shape *s)
{
    struct model_config c = {.n_layers = s->n_layers,
                             .d_model = s->width,
                             .n_heads = s->heads,
                             .n_kv_heads = s->kv_heads,
                             .d_head = s->width / s->heads,
                             .d_ffn = s->ffn,
                             .vocab_size = VOCABULARY,
                             .max_positions = ROW_TOKENS,
                             .window = WINDOW,
                             .rms_eps = 1e-5,
                             .rope_theta = 10000.0};
    uint32_t i;

    for (i = 0; i < c.n_layers; i++) {
        c.is_sliding[i] = i % 4 != 0 && i + 1 != c.n_layers;
    }
    return c;
}

/* Of a step, for each token. */
static double operations(const struct model_config *c, size_t n_parameters)
{
    double n =
        6.0 * (double)(n_parameters - (size_t)c->vocab_size * c->d_model);
    uint32_t i;

    for (i = 0; i < c->n_layers; i++) {
        double w = c->is_sliding[i] ? c->window : ROW_TOKENS;
        /* keys that a query sees, on the average */
        double keys = w - w * (w - 1) / 2 / ROW_TOKENS;

        n += 12.0 * keys * c->n_heads * c->d_head;
    }
    return n;
}

/* The same batch again and again, as a loader gives it. */
struct feed {
    uint32_t *ids, *targets, *starts;
    float *weights;
    size_t n;
};

static enum cwm_rc feed_next(void *ctx, struct loader_batch *ret,
                             bool *ret_more, struct cwm_err *err)
{
    const struct feed *s = ctx;

    (void)err;
    *ret = (struct loader_batch){.ids = s->ids,
                                 .targets = s->targets,
                                 .weights = s->weights,
                                 .starts = s->starts,
                                 .n_tokens = s->n,
                                 .n_targets = s->n};
    *ret_more = true;
    return CWM_OK;
}

static void feed_tell(void *ctx, struct loader_position *ret)
{
    (void)ctx;
    *ret = (struct loader_position){.epoch = 0};
}

static enum cwm_rc feed_seek(void *ctx, const struct loader_position *to,
                             struct cwm_err *err)
{
    (void)ctx, (void)to, (void)err;
    return CWM_OK;
}

static struct feed feed_new(size_t n)
{
    struct feed s = {must_have(malloc(n * 4)), must_have(malloc(n * 4)),
                     must_have(calloc(n, 4)), must_have(malloc(n * 4)), n};
    uint64_t z = 1;
    size_t i;

    for (i = 0; i < n; i++) {
        z = z * 6364136223846793005u + 1442695040888963407u;
        s.ids[i] = (uint32_t)(z >> 40) % VOCABULARY;
        s.targets[i] = (s.ids[i] * 5 + 1) % VOCABULARY;
        s.weights[i] = 1.0f;
    }
    return s;
}

static void feed_release(struct feed *s)
{
    free(s->ids);
    free(s->targets);
    free(s->starts);
    free(s->weights);
}

static void train(const struct shape *s, bool is_narrow, int n_steps)
{
    struct model_config c = config_of(s);
    size_t n = (size_t)s->rows * ROW_TOKENS;
    struct feed feed = feed_new(n);
    const struct train_data data = {&feed, feed_next, feed_tell, feed_seek};
    struct ops *o =
        is_narrow ? gpu_ops_narrow(false) : gpu_ops(OPS_BF16, false);
    struct train_settings settings;
    struct transformer *t = NULL;
    struct trainer *trainer = NULL;
    struct train_report first = {0};
    struct train_report last = {0};
    struct cwm_err err;
    double begin = 0;
    double rate;
    int i;

    train_settings_default(&settings);
    settings.n_rows = s->rows;
    settings.row_tokens = ROW_TOKENS;
    settings.rate = 1e-4;
    must(transformer_new(o, &c, n, &t, &err), &err);
    must(transformer_init(t, 1, &err), &err);
    must(trainer_new(&settings, t, &data, &trainer, &err), &err);
    must(trainer_step(trainer, &first, &err), &err);
    for (i = 1; i < WARM_STEPS + n_steps; i++) {
        if (i == WARM_STEPS) {
            begin = seconds();
        }
        must(trainer_step(trainer, &last, &err), &err);
    }
    rate = (double)n * n_steps / (seconds() - begin);
    printf("{\"model\": \"%s\", \"products\": \"%s\", \"rows\": %u, "
           "\"step_ms\": %.2f, "
           "\"tokens_per_s\": %.0f, \"share\": %.3f, \"mbytes\": %zu, "
           "\"first_loss\": %.4f, \"last_loss\": %.4f}\n",
           s->name, is_narrow ? "fp8" : "bf16", s->rows, (double)n / rate * 1e3,
           rate, rate * operations(&c, transformer_n_parameters(t)) / peak,
           t->n_bytes >> 20, first.loss, last.loss);
    fflush(stdout);
    trainer_free(trainer);
    transformer_free(t);
    ops_free(o);
    feed_release(&feed);
}

/* ---- generating -----------------------------------------------------------
 */

enum { MAX_BATCH = 256, PROMPT = 512, N_NEW = 1024 };

struct clock {
    double prompts_read, end;
};

static enum cwm_rc take(void *ctx, const struct generate_token *token,
                        struct cwm_err *err)
{
    struct clock *c = ctx;

    (void)err;
    if (token->position == 0) {
        c->prompts_read = seconds();
    }
    c->end = seconds();
    return CWM_OK;
}

/* What a step must read at least: products' weights, keys and values. */
static double step_bytes(const struct model_config *c, enum ops_type weights,
                         size_t batch)
{
    double n_weights = (double)c->vocab_size * c->d_model;
    double cache = 0;
    uint32_t i;

    for (i = 0; i < c->n_layers; i++) {
        double seen = c->is_sliding[i] ? c->window : PROMPT + N_NEW / 2.0;

        cache += seen * 2 * c->n_kv_heads * c->d_head * 2;
        n_weights +=
            (double)c->d_model *
            (2.0 * (c->n_heads + c->n_kv_heads) * c->d_head + 3.0 * c->d_ffn);
    }
    return (double)ops_type_bytes(weights) * n_weights + (double)batch * cache;
}

static void decode(const struct shape *s, enum ops_type weights, size_t batch)
{
    static uint32_t prompts[MAX_BATCH][PROMPT];
    static struct generate_request requests[MAX_BATCH];
    struct model_config c = config_of(s);
    const struct generator_options sizes = {.max_batch = batch,
                                            .max_prompts = batch,
                                            .max_prompt = PROMPT,
                                            .max_new = N_NEW};
    const struct generate_options options = {
        .sample = {.temperature = 0, .top_p = 1}, .max_new = N_NEW};
    struct decoder_options needs = {.weights = weights};
    struct model *m = random_model(&c, 0.05f);
    struct ops *o = gpu_ops(OPS_BF16, false);
    struct generator *g = NULL;
    struct decoder *d = NULL;
    struct clock clock = {0};
    struct cwm_err err;
    double begin;
    double rate;
    size_t i;
    size_t k;

    for (i = 0; i < batch; i++) {
        for (k = 0; k < PROMPT; k++) {
            prompts[i][k] =
                (uint32_t)((i * 7919 + k * 31 + k * k) % VOCABULARY);
        }
        requests[i] = (struct generate_request){
            .prompt = prompts[i], .n_prompt = PROMPT, .n_samples = 1};
    }
    generator_decoder_needs(&sizes, &needs);
    must(decoder_new(o, m, &needs, &d, &err), &err);
    must(generator_new(d, &sizes, &g, &err), &err);
    begin = seconds();
    must(generator_run(g, requests, batch, &options, take, &clock, &err), &err);
    rate = (double)batch * (N_NEW - 1) / (clock.end - clock.prompts_read);
    printf("{\"model\": \"%s\", \"weights\": \"%s\", \"batch\": %zu, "
           "\"prompt\": %d, \"new\": %d, \"prompts_s\": %.2f, "
           "\"tokens_per_s\": %.0f, \"with_prompts_per_s\": %.0f, "
           "\"step_ms\": %.3f, \"gbytes_per_s\": %.0f}\n",
           s->name, weights == OPS_I8 ? "int8" : "bf16", batch, (int)PROMPT,
           (int)N_NEW, clock.prompts_read - begin, rate,
           (double)batch * N_NEW / (clock.end - begin),
           (double)batch / rate * 1e3,
           step_bytes(&c, weights, batch) * rate / (double)batch * 1e-9);
    fflush(stdout);
    generator_free(g);
    decoder_free(d);
    memory_model_free(m);
    ops_free(o);
}

/* ---- products -------------------------------------------------------------
 */

/* More bytes than the GPU's own cache has. */
static const size_t many_bytes = (size_t)256 << 20;

/* Microseconds of y [n,n_out] = x [n,n_in] w^T. */
static double time_product(struct ops *o, enum ops_type weights, size_t n,
                           size_t n_in, size_t n_out)
{
    enum { RUNS = 400 };
    size_t n_bytes = n_out * n_in * ops_type_bytes(weights);
    size_t n_copies = many_bytes / n_bytes + 1;
    size_t n_draws = n_in * n > n_bytes / 4 ? n_in * n : n_bytes / 4;
    float *draws = random_floats(n_draws, 1, 1);
    float *wide = o->alloc(o, n_in * n * 4);
    char *w = o->alloc(o, n_copies * n_bytes);
    float *scales = o->alloc(o, n_out * 4);
    void *x = o->alloc(o, n_in * n * 2);
    void *y = o->alloc(o, n_out * n * 2);
    struct ops_matrix matrix = {.n_out = n_out,
                                .n_in = n_in,
                                .type = weights,
                                .values = w,
                                .scales = scales};
    struct cwm_err err;
    double begin;
    size_t i;

    must_have(wide), must_have(w), must_have(scales);
    must_have(x), must_have(y);
    o->write(o, wide, draws, n_in * n * 4);
    o->from_f32(o, wide, n_in * n, x);
    for (i = 0; i < n_copies; i++) { /* any bits that are numbers */
        o->write(o, w + i * n_bytes, draws, n_bytes);
    }
    o->matrix_changed(o, &matrix, false);
    for (i = 0; i < 2 * RUNS; i++) { /* the second half is recorded */
        if (i == RUNS) {
            o->record(o);
        }
        matrix.values = w + i % n_copies * n_bytes;
        o->linear(o, x, n, &matrix, y, n_out, OPS_BF16);
    }
    o->record_end(o);
    o->replay(o);
    must(o->check(o, &err), &err);
    begin = seconds();
    o->replay(o);
    must(o->check(o, &err), &err);
    begin = (seconds() - begin) / RUNS * 1e6;
    o->free(o, wide), o->free(o, w), o->free(o, scales);
    o->free(o, x), o->free(o, y);
    free(draws);
    return begin;
}

static void products(const struct shape *s)
{
    static const size_t rows[] = {1, 8, 16, 32, 64, 128, 256, 512};
    const size_t shapes_of[][2] = {
        {s->width, (s->heads + 2 * s->kv_heads) * (size_t)64},
        {s->heads * (size_t)64, s->width},
        {s->width, (size_t)2 * s->ffn},
        {s->ffn, s->width},
        {s->width, VOCABULARY}};
    struct ops *o = gpu_ops(OPS_BF16, false);
    size_t i;
    size_t k;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        double sums[2] = {0, 0};

        printf("{\"model\": \"%s\", \"rows\": %zu", s->name, rows[i]);
        for (k = 0; k < 5; k++) {
            size_t times = k < 4 ? s->n_layers : 1;
            double half = time_product(o, OPS_BF16, rows[i], shapes_of[k][0],
                                       shapes_of[k][1]);
            double bytes = time_product(o, OPS_I8, rows[i], shapes_of[k][0],
                                        shapes_of[k][1]);

            sums[0] += half * (double)times;
            sums[1] += bytes * (double)times;
            printf(", \"%zux%zu\": [%.2f, %.2f]", shapes_of[k][0],
                   shapes_of[k][1], half, bytes);
        }
        printf(", \"step_us_bf16\": %.0f, \"step_us_int8\": %.0f}\n", sums[0],
               sums[1]);
        fflush(stdout);
    }
    ops_free(o);
}

static void decode_all(const struct shape *s)
{
    static const size_t batches[] = {1, 16, MAX_BATCH};
    size_t i;

    for (i = 0; i < sizeof batches / sizeof *batches; i++) {
        decode(s, OPS_BF16, batches[i]);
        decode(s, OPS_I8, batches[i]);
    }
}

int main(int argc, char **argv)
{
    const char *name = argc > 2 ? argv[2] : "all";
    int n_steps = argc > 3 ? atoi(argv[3]) : 20;
    const char *what = argc > 1 ? argv[1] : "";
    bool is_narrow = strcmp(what, "train-fp8") == 0;
    bool trains = is_narrow || strcmp(what, "train") == 0;
    bool multiplies = strcmp(what, "products") == 0;
    size_t i;

    if (!trains && !multiplies && strcmp(what, "decode") != 0) {
        fprintf(stderr, "usage: bench_gpu train|train-fp8|decode|products "
                        "[32m|88m|287m|all] [STEPS]\n");
        return 2;
    }
    for (i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        bool is_wanted =
            strcmp(name, "all") == 0 || strcmp(name, shapes[i].name) == 0;

        if (is_wanted && trains) {
            train(&shapes[i], is_narrow, n_steps > 0 ? n_steps : 20);
        } else if (is_wanted && multiplies) {
            products(&shapes[i]);
        } else if (is_wanted) {
            decode_all(&shapes[i]);
        }
    }
    return 0;
}
