/* SPDX-License-Identifier: MIT */
/* config_write.c -- a model's shape as JSON: members in alphabetical order. */
#include "cwm/model/config_write.h"

#include <math.h>

static void add_stops(const struct model_config *c, struct cwm_buf *out)
{
    uint32_t i;

    if (c->n_stops == 0) {
        return;
    }
    cwm_buf_adds(out, "  \"eos_token_id\": [");
    for (i = 0; i < c->n_stops; i++) {
        cwm_buf_addf(out, "%s\n    %u", i > 0 ? "," : "", c->stops[i]);
    }
    cwm_buf_adds(out, "\n  ],\n");
}

static void add_layer_types(const struct model_config *c, struct cwm_buf *out)
{
    uint32_t i;

    cwm_buf_adds(out, "  \"layer_types\": [");
    for (i = 0; i < c->n_layers; i++) {
        cwm_buf_addf(out, "%s\n    \"%s_attention\"", i > 0 ? "," : "",
                     c->is_sliding[i] ? "sliding" : "full");
    }
    cwm_buf_adds(out, "\n  ],\n");
}

/* With all digits that matter, and as a real number in Python's eyes. */
static void add_real(const char *name, double value, struct cwm_buf *out)
{
    bool is_whole = value == floor(value) && fabs(value) < 1e15;

    cwm_buf_addf(out, "\"%s\": ", name);
    if (is_whole) {
        cwm_buf_addf(out, "%.1f", value);
    } else {
        cwm_buf_addf(out, "%.17g", value);
    }
}

static void add_rope(const struct model_config *c, struct cwm_buf *out)
{
    const struct rope_scaling *s = &c->scaling;

    cwm_buf_adds(out, "  \"rope_parameters\": {\n    ");
    if (s->on) {
        add_real("factor", s->factor, out);
        cwm_buf_adds(out, ",\n    ");
        add_real("high_freq_factor", s->high, out);
        cwm_buf_adds(out, ",\n    ");
        add_real("low_freq_factor", s->low, out);
        cwm_buf_addf(out,
                     ",\n    \"original_max_position_embeddings\": %.0f,\n    ",
                     s->n_original);
    }
    add_real("rope_theta", c->rope_theta, out);
    cwm_buf_addf(out, ",\n    \"rope_type\": \"%s\"\n  },\n",
                 s->on ? "llama3" : "default");
}

static const char *type_text(enum tensor_type type)
{
    switch (type) {
    case TENSOR_F32:
        return "float32";
    case TENSOR_F16:
        return "float16";
    case TENSOR_BF16:
    case TENSOR_I8: /* what is computed with where nothing else is said */
        break;
    }
    return "bfloat16";
}

void config_write(const struct model_config *c, enum tensor_type type,
                  struct cwm_buf *out)
{
    cwm_buf_adds(out, "{\n  \"architectures\": [\n    \"CwmForCausalLM\"\n  "
                      "],\n  \"attention_dropout\": 0.0,\n");
    cwm_buf_addf(out, "  \"dtype\": \"%s\",\n", type_text(type));
    add_stops(c, out);
    cwm_buf_addf(out,
                 "  \"head_dim\": %u,\n  \"hidden_act\": \"silu\",\n"
                 "  \"hidden_size\": %u,\n  \"initializer_range\": 0.02,\n"
                 "  \"intermediate_size\": %u,\n",
                 c->d_head, c->d_model, c->d_ffn);
    add_layer_types(c, out);
    cwm_buf_addf(out,
                 "  \"max_position_embeddings\": %u,\n"
                 "  \"mlp_bias\": false,\n  \"model_type\": \"cwm\",\n"
                 "  \"num_attention_heads\": %u,\n"
                 "  \"num_hidden_layers\": %u,\n"
                 "  \"num_key_value_heads\": %u,\n",
                 c->max_positions, c->n_heads, c->n_layers, c->n_kv_heads);
    cwm_buf_adds(out, "  ");
    add_real("rms_norm_eps", c->rms_eps, out);
    cwm_buf_adds(out, ",\n");
    add_rope(c, out);
    if (c->window > 0) {
        cwm_buf_addf(out, "  \"sliding_window\": %u,\n", c->window);
    }
    cwm_buf_addf(out,
                 "  \"tie_word_embeddings\": %s,\n  \"use_cache\": true,\n"
                 "  \"vocab_size\": %u\n}\n",
                 c->is_tied ? "true" : "false", c->vocab_size);
}
