/* SPDX-License-Identifier: MIT */
/* transformer_memory.c -- where everything of a transformer lies. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/model/rope_freqs.h"
#include "cwm/model/transformer.h"

/* Values: a cache line of fp32 and more, for vectors and for devices. */
enum { ALIGNMENT = 64 };

/* Logits that are held at once: 64 MB in fp32; more would only leave the
 * caches, fewer would make the products small. */
enum { CHUNK_LOGITS = 1 << 24, MIN_CHUNK = 64 };

enum { TENSORS_OF_LAYER = 9, TENSORS_BESIDE = 3 };

/* ---- the flat vector ------------------------------------------------------
 */

/* The next tensor; `joined`: right behind the one before. */
static size_t add_tensor(struct transformer *t, const char *name, size_t n_rows,
                         size_t n_columns, bool joined)
{
    struct transformer_tensor *tensor = &t->tensors[t->n_tensors++];

    if (!joined) {
        t->n_values = (t->n_values + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    tensor->offset = t->n_values;
    tensor->n_rows = n_rows;
    tensor->n_columns = n_columns;
    t->n_values += (n_rows ? n_rows : 1) * n_columns;
    return tensor->offset;
}

static size_t add_of_layer(struct transformer *t, size_t layer,
                           const char *name, size_t n_rows, size_t n_columns,
                           bool joined)
{
    char full[TENSOR_NAME_BYTES];

    snprintf(full, sizeof full, "model.layers.%zu.%s.weight", layer, name);
    return add_tensor(t, full, n_rows, n_columns, joined);
}

static void lay_out_layer(struct transformer *t, size_t number)
{
    const struct model_config *c = &t->config;
    struct transformer_layer *l = &t->layers[number];
    size_t d_q = (size_t)c->n_heads * c->d_head;
    size_t d_kv = (size_t)c->n_kv_heads * c->d_head;

    l->attention_norm =
        add_of_layer(t, number, "input_layernorm", 0, c->d_model, false);
    l->qkv =
        add_of_layer(t, number, "self_attn.q_proj", d_q, c->d_model, false);
    add_of_layer(t, number, "self_attn.k_proj", d_kv, c->d_model, true);
    add_of_layer(t, number, "self_attn.v_proj", d_kv, c->d_model, true);
    l->o = add_of_layer(t, number, "self_attn.o_proj", c->d_model, d_q, false);
    l->ffn_norm = add_of_layer(t, number, "post_attention_layernorm", 0,
                               c->d_model, false);
    l->gate_up =
        add_of_layer(t, number, "mlp.gate_proj", c->d_ffn, c->d_model, false);
    add_of_layer(t, number, "mlp.up_proj", c->d_ffn, c->d_model, true);
    l->down =
        add_of_layer(t, number, "mlp.down_proj", c->d_model, c->d_ffn, false);
}

enum cwm_rc transformer__lay_out(struct transformer *t, struct cwm_err *err)
{
    const struct model_config *c = &t->config;
    size_t grain = (size_t)ALIGNMENT * t->world;
    size_t i;

    t->tensors =
        cwm_calloc((size_t)c->n_layers * TENSORS_OF_LAYER + TENSORS_BESIDE,
                   sizeof *t->tensors);
    t->layers = cwm_calloc(c->n_layers, sizeof *t->layers);
    t->kept = cwm_calloc(c->n_layers, sizeof *t->kept);
    if (!t->tensors || !t->layers || !t->kept) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the layers");
    }
    t->embedding = add_tensor(t, "model.embed_tokens.weight", c->vocab_size,
                              c->d_model, false);
    for (i = 0; i < c->n_layers; i++) {
        lay_out_layer(t, i);
    }
    t->norm = add_tensor(t, "model.norm.weight", 0, c->d_model, false);
    t->output = c->is_tied ? t->embedding
                           : add_tensor(t, "lm_head.weight", c->vocab_size,
                                        c->d_model, false);
    t->n_values = (t->n_values + grain - 1) / grain * grain;
    return CWM_OK;
}

size_t transformer_n_parameters(const struct transformer *t)
{
    size_t n = 0;
    size_t i;

    for (i = 0; i < t->n_tensors; i++) {
        const struct transformer_tensor *tensor = &t->tensors[i];

        n += (tensor->n_rows ? tensor->n_rows : 1) * tensor->n_columns;
    }
    return n;
}

/* ---- memory ---------------------------------------------------------------
 */

static size_t chunk_of(const struct model_config *c, const struct ops *o,
                       size_t n_tokens)
{
    size_t n = (o && o->n_logits_at_once ? o->n_logits_at_once : CHUNK_LOGITS) /
               c->vocab_size;

    n = n < MIN_CHUNK ? MIN_CHUNK : n;
    return n < n_tokens ? n : n_tokens;
}

/* Takes device memory, or only adds up how much it would be. */
struct taker {
    struct ops *o;          /* NULL: add up */
    const struct ops *like; /* of a table like this; NULL: a CPU's */
    enum ops_type type;
    size_t n_bytes;
    bool failed;
};

static void *take(struct taker *taker, size_t n, size_t bytes_each)
{
    void *p = NULL;

    taker->n_bytes += n * bytes_each;
    if (taker->o) {
        p = taker->o->alloc(taker->o, n * bytes_each);
        taker->failed = taker->failed || !p;
    }
    return p;
}

static float *take_f32(struct taker *taker, size_t n)
{
    return take(taker, n, sizeof(float));
}

static void *take_typed(struct taker *taker, size_t n)
{
    return take(taker, n, ops_type_bytes(taker->type));
}

static bool has_stream(const struct taker *taker)
{
    return taker->like && ops_has_stream(taker->like);
}

static void *take_stream(struct taker *taker, size_t n)
{
    return has_stream(taker) ? take_typed(taker, n) : take_f32(taker, n);
}

static uint32_t *take_u32(struct taker *taker, size_t n)
{
    return take(taker, n, sizeof(uint32_t));
}

static void take_weights(struct transformer *t, struct taker *taker)
{
    t->weights = take_f32(taker, t->n_values);
    t->gradients = take_f32(taker, t->n_values);
    t->moments1 = take_f32(taker, t->n_values / t->world);
    t->moments2 = take_f32(taker, t->n_values / t->world);
    t->copy =
        taker->type == OPS_F32 ? t->weights : take_typed(taker, t->n_values);
    t->rope_freqs = take_f32(taker, t->config.d_head / 2);
}

static void take_layer(struct transformer *t, struct transformer_kept *k,
                       struct taker *taker)
{
    const struct model_config *c = &t->config;
    size_t n = t->max_tokens;
    size_t d_q = (size_t)c->n_heads * c->d_head;
    size_t d_kv = (size_t)c->n_kv_heads * c->d_head;

    k->x = take_stream(taker, n * c->d_model);
    k->scales1 = take_f32(taker, n);
    k->normed1 = take_typed(taker, n * c->d_model);
    k->qkv = take_typed(taker, n * (d_q + 2 * d_kv));
    k->mixed = take_typed(taker, n * d_q);
    k->lse = take_f32(taker, n * c->n_heads);
    k->middle = take_stream(taker, n * c->d_model);
    k->scales2 = take_f32(taker, n);
    k->normed2 = take_typed(taker, n * c->d_model);
    k->gate_up = take_typed(taker, n * 2 * c->d_ffn);
    k->gated = take_typed(taker, n * c->d_ffn);
}

static struct ops_narrow_matrix take_narrow(struct taker *taker, size_t n_out,
                                            size_t n_in)
{
    return (struct ops_narrow_matrix){
        .n_out = n_out,
        .n_in = n_in,
        .values = take(taker, n_out * n_in, 1),
        .turned = take(taker, n_out * n_in, 1),
        .scales = take_f32(taker, n_out > n_in ? n_out : n_in)};
}

/* For products of 8 bits. */
static void take_all_narrow(struct transformer *t, struct taker *taker)
{
    const struct model_config *c = &t->config;
    size_t n_ffn = c->d_ffn;
    size_t d_qkv = ((size_t)c->n_heads + 2 * c->n_kv_heads) * c->d_head;
    size_t most = 2 * n_ffn > c->d_model ? 2 * n_ffn : c->d_model;
    size_t i;

    for (i = 0; i < c->n_layers; i++) {
        struct transformer_layer *l = &t->layers[i];

        l->qkv_narrow = take_narrow(taker, d_qkv, c->d_model);
        l->gate_up_narrow = take_narrow(taker, 2 * n_ffn, c->d_model);
        l->down_narrow = take_narrow(taker, c->d_model, n_ffn);
    }
    t->narrow.values = take(taker, t->max_tokens * most, 1);
    t->narrow.scales = take_f32(taker, t->max_tokens);
}

static void take_shared(struct transformer *t, struct taker *taker)
{
    const struct model_config *c = &t->config;
    bool is_f32 = taker->type == OPS_F32;
    size_t n = t->max_tokens;
    size_t d_q = (size_t)c->n_heads * c->d_head;
    size_t d_kv = (size_t)c->n_kv_heads * c->d_head;

    t->turns = take_f32(taker, n * c->d_head);
    t->last = take_stream(taker, n * c->d_model);
    t->scales = take_f32(taker, n);
    t->normed = take_typed(taker, n * c->d_model);
    t->added = take_typed(taker, n * c->d_model);
    t->logits = take_f32(taker, t->n_chunk * c->vocab_size);
    t->dlogits =
        is_f32 ? t->logits : take_typed(taker, t->n_chunk * c->vocab_size);
    t->losses = take_f32(taker, n);
    t->dx = has_stream(taker) ? NULL : take_f32(taker, n * c->d_model);
    t->dx_copy = is_f32 ? t->dx : take_typed(taker, n * c->d_model);
    t->dnormed = take_typed(taker, n * c->d_model);
    t->dmixed = take_typed(taker, n * d_q);
    t->dqkv = take_typed(taker, n * (d_q + 2 * d_kv));
    t->dgated = take_typed(taker, n * c->d_ffn);
    t->dgate_up = take_typed(taker, n * 2 * c->d_ffn);
    t->deltas = take_f32(taker, n * c->n_heads);
    t->ids = take_u32(taker, n);
    t->targets = take_u32(taker, n);
    t->starts = take_u32(taker, n);
    t->positions = take_u32(taker, n);
    t->loss_weights = take_f32(taker, n);
}

static void take_all(struct transformer *t, struct taker *taker)
{
    size_t i;

    t->n_chunk = chunk_of(&t->config, taker->like, t->max_tokens);
    take_weights(t, taker);
    for (i = 0; i < t->config.n_layers; i++) {
        take_layer(t, &t->kept[i], taker);
    }
    take_shared(t, taker);
    if (taker->like && ops_is_narrow(taker->like)) {
        take_all_narrow(t, taker);
    }
    t->n_bytes = taker->n_bytes;
}

size_t transformer_bytes_share(const struct ops *o,
                               const struct model_config *config,
                               enum ops_type type, size_t n_tokens,
                               unsigned world)
{
    struct transformer t = {
        .config = *config, .max_tokens = n_tokens, .world = world};
    struct taker taker = {.like = o, .type = type};

    if (transformer__lay_out(&t, NULL) == CWM_OK) {
        take_all(&t, &taker);
    }
    cwm_free(t.tensors);
    cwm_free(t.layers);
    cwm_free(t.kept);
    return taker.n_bytes;
}

size_t transformer_bytes_for(const struct ops *o,
                             const struct model_config *config,
                             enum ops_type type, size_t n_tokens)
{
    return transformer_bytes_share(o, config, type, n_tokens, 1);
}

size_t transformer_bytes(const struct model_config *config, enum ops_type type,
                         size_t n_tokens)
{
    return transformer_bytes_for(NULL, config, type, n_tokens);
}

/* ---- the matrices that layers multiply with -------------------------------
 */

static struct ops_matrix matrix_at(const struct transformer *t, size_t offset,
                                   size_t n_out, size_t n_in)
{
    return (struct ops_matrix){.n_out = n_out,
                               .n_in = n_in,
                               .type = t->o->type,
                               .values = (const char *)t->copy +
                                         offset * ops_type_bytes(t->o->type)};
}

static void make_matrices(struct transformer *t)
{
    const struct model_config *c = &t->config;
    size_t d_q = (size_t)c->n_heads * c->d_head;
    size_t d_kv = (size_t)c->n_kv_heads * c->d_head;
    size_t i;

    for (i = 0; i < c->n_layers; i++) {
        struct transformer_layer *l = &t->layers[i];

        l->qkv_matrix = matrix_at(t, l->qkv, d_q + 2 * d_kv, c->d_model);
        l->o_matrix = matrix_at(t, l->o, c->d_model, d_q);
        l->gate_up_matrix =
            matrix_at(t, l->gate_up, 2 * (size_t)c->d_ffn, c->d_model);
        l->down_matrix = matrix_at(t, l->down, c->d_model, c->d_ffn);
    }
    t->output_matrix = matrix_at(t, t->output, c->vocab_size, c->d_model);
}

static enum cwm_rc write_freqs(struct transformer *t, struct cwm_err *err)
{
    size_t n = t->config.d_head / 2;
    float *freqs = cwm_malloc(n * sizeof *freqs);

    if (!freqs) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the frequencies");
    }
    rope_freqs(&t->config, freqs);
    t->o->write(t->o, t->rope_freqs, freqs, n * sizeof *freqs);
    cwm_free(freqs);
    return CWM_OK;
}

/* ---- life -----------------------------------------------------------------
 */

static enum cwm_rc check_narrow(const struct ops *o,
                                const struct model_config *c,
                                struct cwm_err *err)
{
    size_t d_qkv = ((size_t)c->n_heads + 2 * c->n_kv_heads) * c->d_head;

    if (!ops_is_narrow(o) || o->narrow_fits(o, c->d_model, d_qkv, c->d_ffn)) {
        return CWM_OK;
    }
    return CWM_FAIL(err, CWM_USAGE,
                    "cannot learn with products of 8 bits at a width of %u "
                    "and %u in the feed-forward part: they need 256, 512, 768 "
                    "or 1,024, and a multiple of 16\nuse bf16",
                    c->d_model, c->d_ffn);
}

enum cwm_rc transformer_new_share(struct ops *o,
                                  const struct model_config *config,
                                  size_t max_tokens, unsigned world,
                                  struct transformer **ret, struct cwm_err *err)
{
    struct taker taker = {.o = o, .like = o, .type = o->type};
    struct transformer *t; /* owned */
    enum cwm_rc rc;

    if (max_tokens < 1) {
        return CWM_FAIL(err, CWM_USAGE, "cannot learn from no token");
    }
    rc = check_narrow(o, config, err);
    if (rc != CWM_OK) {
        return rc;
    }
    t = cwm_calloc(1, sizeof *t);
    if (!t) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a transformer");
    }
    t->o = o;
    t->config = *config;
    t->max_tokens = max_tokens;
    t->world = world;
    rc = transformer__lay_out(t, err);
    if (rc != CWM_OK) {
        goto out;
    }
    take_all(t, &taker);
    t->host_losses = cwm_calloc(max_tokens, sizeof *t->host_losses);
    if (taker.failed || !t->host_losses) {
        rc = CWM_FAIL(err, CWM_NOMEM,
                      "could not hold the model and a batch of %zu tokens: %zu "
                      "MB are needed\nfewer rows or shorter ones need less",
                      max_tokens, taker.n_bytes >> 20);
        goto out;
    }
    rc = write_freqs(t, err);
    if (rc != CWM_OK) {
        goto out;
    }
    make_matrices(t);
    *ret = t;
    t = NULL; /* now the caller's */
out:
    transformer_free(t);
    return rc;
}

enum cwm_rc transformer_new(struct ops *o, const struct model_config *config,
                            size_t max_tokens, struct transformer **ret,
                            struct cwm_err *err)
{
    return transformer_new_share(o, config, max_tokens, 1, ret, err);
}

static void free_layer(struct transformer *t, size_t i)
{
    struct ops *o = t->o;
    struct transformer_layer *l = &t->layers[i];
    struct transformer_kept *k = &t->kept[i];
    void *const all[] = {k->x,       k->scales1, k->normed1, k->qkv,
                         k->mixed,   k->lse,     k->middle,  k->scales2,
                         k->normed2, k->gate_up, k->gated};
    size_t p;

    for (p = 0; p < sizeof all / sizeof *all; p++) {
        o->free(o, all[p]);
    }
    {
        void *const narrow[] = {
            l->qkv_narrow.values,     l->qkv_narrow.turned,
            l->qkv_narrow.scales,     l->gate_up_narrow.values,
            l->gate_up_narrow.turned, l->gate_up_narrow.scales,
            l->down_narrow.values,    l->down_narrow.turned,
            l->down_narrow.scales};

        for (p = 0; p < sizeof narrow / sizeof *narrow; p++) {
            o->free(o, narrow[p]);
        }
    }
    o->matrix_release(o, &l->qkv_matrix);
    o->matrix_release(o, &l->o_matrix);
    o->matrix_release(o, &l->gate_up_matrix);
    o->matrix_release(o, &l->down_matrix);
}

void transformer_free(struct transformer *t)
{
    struct ops *o;
    size_t i;

    if (!t) {
        return;
    }
    o = t->o;
    for (i = 0; t->layers && t->kept && i < t->config.n_layers; i++) {
        free_layer(t, i);
    }
    {
        void *const all[] = {t->weights,
                             t->gradients,
                             t->moments1,
                             t->moments2,
                             t->rope_freqs,
                             t->turns,
                             t->last,
                             t->scales,
                             t->normed,
                             t->added,
                             t->logits,
                             t->losses,
                             t->dx,
                             t->dnormed,
                             t->dmixed,
                             t->dqkv,
                             t->dgated,
                             t->dgate_up,
                             t->deltas,
                             t->ids,
                             t->targets,
                             t->starts,
                             t->positions,
                             t->loss_weights,
                             t->narrow.values,
                             t->narrow.scales,
                             t->copy == t->weights ? NULL : t->copy,
                             t->dlogits == t->logits ? NULL : t->dlogits,
                             t->dx_copy == t->dx ? NULL : t->dx_copy};

        for (i = 0; i < sizeof all / sizeof *all; i++) {
            o->free(o, all[i]);
        }
    }
    o->matrix_release(o, &t->output_matrix);
    cwm_free(t->host_losses);
    cwm_free(t->tensors);
    cwm_free(t->layers);
    cwm_free(t->kept);
    cwm_free(t);
}
