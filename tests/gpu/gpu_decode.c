/* SPDX-License-Identifier: MIT */
/*
 * gpu_decode.c -- greedy continuations on the GPU, many steps without the host
 * and step by step, against the CPU's: the same tokens in fp32, for prompts of
 * several lengths, past the ends of pages and windows.
 */
#include "tests/gpu/gpu_test.h"

#include "cwm/model/generator.h"
#include "tests/gpu/random_model.h"

enum { PROMPTS = 5, SAMPLES = 2, MAX_PROMPT = 90, NEW = 150, WORDS = 300 };

struct texts {
    uint32_t ids[PROMPTS * SAMPLES][NEW];
    size_t n[PROMPTS * SAMPLES];
};

static enum cwm_rc take(void *ctx, const struct generate_token *token,
                        struct cwm_err *err)
{
    struct texts *t = ctx;
    size_t at = token->request * SAMPLES + token->sample;

    (void)err;
    check(token->position == t->n[at], "tokens come in their order");
    t->ids[at][t->n[at]++] = token->token.id;
    return CWM_OK;
}

static void generate(struct ops *o, const struct model *m,
                     enum ops_type weights, bool no_shortcuts, uint32_t stop,
                     struct texts *ret)
{
    static uint32_t prompts[PROMPTS][MAX_PROMPT];
    const struct generator_options sizes = {.max_batch = 4,
                                            .max_prompts = 2,
                                            .max_prompt = MAX_PROMPT,
                                            .max_new = NEW};
    const struct generate_options options = {
        .sample = {.temperature = 0, .top_p = 1},
        .max_new = NEW,
        .stops = &stop,
        .n_stops = 1,
        .no_shortcuts = no_shortcuts};
    struct decoder_options needs = {.weights = weights};
    struct generate_request requests[PROMPTS];
    struct generator *g = NULL;
    struct decoder *d = NULL;
    struct cwm_err err;
    size_t i;
    size_t k;

    memset(ret, 0, sizeof *ret);
    for (i = 0; i < PROMPTS; i++) {
        for (k = 0; k < MAX_PROMPT; k++) {
            prompts[i][k] = (uint32_t)((i * 131 + k * 17 + k * k) % WORDS);
        }
        requests[i] = (struct generate_request){
            .prompt = prompts[i], .n_prompt = 1 + i * 22, .n_samples = SAMPLES};
    }
    generator_decoder_needs(&sizes, &needs);
    must(decoder_new(o, m, &needs, &d, &err), &err);
    must(generator_new(d, &sizes, &g, &err), &err);
    must(generator_run(g, requests, PROMPTS, &options, take, ret, &err), &err);
    generator_free(g);
    decoder_free(d);
}

static void compare(const char *what, const struct texts *got,
                    const struct texts *want)
{
    size_t i;

    for (i = 0; i < PROMPTS * SAMPLES; i++) {
        char line[96];

        snprintf(line, sizeof line, "%s: sample %zu of %zu and %zu tokens",
                 what, i, got->n[i], want->n[i]);
        check(got->n[i] == want->n[i] &&
                  memcmp(got->ids[i], want->ids[i],
                         want->n[i] * sizeof(uint32_t)) == 0,
              line);
    }
}

int main(void)
{
    static struct texts want, alone, stepped, half, bytes;
    struct model_config c = {.n_layers = 3,
                             .d_model = 192,
                             .n_heads = 6,
                             .n_kv_heads = 2,
                             .d_head = 64,
                             .d_ffn = 320,
                             .vocab_size = WORDS,
                             .max_positions = 512,
                             .window = 70,
                             .rms_eps = 1e-5,
                             .rope_theta = 10000.0};
    struct model *m;
    struct ops *cpu = NULL;
    struct ops *gpu = gpu_ops(OPS_F32, true);
    struct ops *gpu_half = gpu_ops(OPS_BF16, true);
    struct cwm_err err;
    uint32_t stop;

    c.is_sliding[1] = true;
    m = random_model(&c, 0.15f);
    must(ops_cpu_new(OPS_F32, 0, &cpu, &err), &err);
    generate(cpu, m, OPS_F32, false, WORDS, &want);
    stop = want.ids[2][100]; /* ends some in the middle */
    generate(cpu, m, OPS_F32, false, stop, &want);
    generate(gpu, m, OPS_F32, false, stop, &alone);
    compare("steps without the host", &alone, &want);
    generate(gpu, m, OPS_F32, true, stop, &stepped);
    compare("step by step", &stepped, &want);
    generate(gpu_half, m, OPS_BF16, false, stop, &half);
    check(half.n[0] > 0 && half.ids[0][0] == want.ids[0][0],
          "bf16 begins like fp32");
    generate(gpu_half, m, OPS_I8, false, stop, &bytes);
    check(bytes.n[0] > 0, "weights of 8 bits generate");
    memory_model_free(m);
    ops_free(cpu);
    ops_free(gpu);
    ops_free(gpu_half);
    return test_result();
}
