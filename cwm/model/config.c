/* SPDX-License-Identifier: MIT */
/* config.c -- config.json, field by field. */
#include "cwm/model/config.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cwm/base/io.h"

enum { MAX_CONFIG_BYTES = 1 << 20, MAX_PATH_BYTES = 4096 };

static bool is_absent(const json_t *value)
{
    return !value || json_is_null(value);
}

/* A whole number from 1 to max; `fallback` where there is none, 0: needed. */
static enum cwm_rc read_count(const json_t *root, const char *key,
                              uint32_t fallback, uint32_t max,
                              uint32_t *ret_value, struct cwm_err *err)
{
    const json_t *value = json_object_get(root, key);

    if (is_absent(value) && fallback > 0) {
        *ret_value = fallback;
        return CWM_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > max) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model's config: \"%s\" is no number "
                        "from 1 to %u",
                        key, max);
    }
    *ret_value = (uint32_t)json_integer_value(value);
    return CWM_OK;
}

/* A positive, finite number; a fallback of 0: it is needed. */
static enum cwm_rc read_real(const json_t *object, const char *key,
                             double fallback, double *ret_value,
                             struct cwm_err *err)
{
    const json_t *value = json_object_get(object, key);
    double number = json_number_value(value);

    if (is_absent(value) && fallback > 0) {
        *ret_value = fallback;
        return CWM_OK;
    }
    if (!json_is_number(value) || !isfinite(number) || number <= 0) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model's config: \"%s\" is no number "
                        "above 0",
                        key);
    }
    *ret_value = number;
    return CWM_OK;
}

static const char *text_at(const json_t *object, const char *key,
                           const char *fallback)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value) ? json_string_value(value) : fallback;
}

/* ---- what must be as we compute it ----------------------------------------
 */

static enum cwm_rc check_kind(const json_t *root, struct cwm_err *err)
{
    static const char *const off[] = {"attention_bias", "mlp_bias"};
    const char *type = text_at(root, "model_type", "");
    size_t i;

    if (strcmp(type, "cwm") != 0 && strcmp(type, "llama") != 0) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use a model of the type '%.80s': \"cwm\" and "
                        "\"llama\" are supported",
                        type);
    }
    if (strcmp(text_at(root, "hidden_act", "silu"), "silu") != 0) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model's config: \"hidden_act\" must "
                        "be \"silu\"");
    }
    for (i = 0; i < sizeof off / sizeof *off; i++) {
        const json_t *value = json_object_get(root, off[i]);

        if (!is_absent(value) && !json_is_false(value)) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot use the model's config: \"%s\" is not "
                            "supported",
                            off[i]);
        }
    }
    return CWM_OK;
}

/* ---- sizes ----------------------------------------------------------------
 */

static enum cwm_rc read_sizes(const json_t *root, struct model_config *c,
                              struct cwm_err *err)
{
    const struct {
        const char *key;
        uint32_t max;
        uint32_t *value;
    } sizes[] = {
        {"num_hidden_layers", MODEL_MAX_LAYERS, &c->n_layers},
        {"hidden_size", MODEL_MAX_WIDTH, &c->d_model},
        {"intermediate_size", MODEL_MAX_WIDTH, &c->d_ffn},
        {"num_attention_heads", MODEL_MAX_HEADS, &c->n_heads},
        {"vocab_size", MODEL_MAX_VOCAB, &c->vocab_size},
        {"max_position_embeddings", MODEL_MAX_POSITIONS, &c->max_positions},
    };
    enum cwm_rc rc = CWM_OK;
    size_t i;

    for (i = 0; i < sizeof sizes / sizeof *sizes && rc == CWM_OK; i++) {
        rc = read_count(root, sizes[i].key, 0, sizes[i].max, sizes[i].value,
                        err);
    }
    if (rc == CWM_OK) {
        rc = read_count(root, "num_key_value_heads", c->n_heads,
                        MODEL_MAX_HEADS, &c->n_kv_heads, err);
    }
    if (rc == CWM_OK) {
        /* 0 cannot stand for "none": the width may be less than the heads */
        uint32_t d_head = c->d_model / c->n_heads;

        rc = read_count(root, "head_dim", d_head, MODEL_MAX_WIDTH, &c->d_head,
                        err);
    }
    if (rc == CWM_OK &&
        (c->n_heads % c->n_kv_heads != 0 || c->d_head % 2 != 0)) {
        rc = CWM_FAIL(err, CWM_FORMAT,
                      "cannot use the model's config: %u heads do not share "
                      "%u, or %u is no even width of a head",
                      c->n_heads, c->n_kv_heads, c->d_head);
    }
    return rc;
}

/* ---- layers ---------------------------------------------------------------
 */

static enum cwm_rc read_layer_types(const json_t *types, struct model_config *c,
                                    struct cwm_err *err)
{
    size_t i;

    if (json_array_size(types) != c->n_layers) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model's config: \"layer_types\" is no "
                        "list of %u",
                        c->n_layers);
    }
    for (i = 0; i < c->n_layers; i++) {
        const json_t *type = json_array_get(types, i);
        const char *text = json_is_string(type) ? json_string_value(type) : "";

        c->is_sliding[i] = strcmp(text, "sliding_attention") == 0;
        if (!c->is_sliding[i] && strcmp(text, "full_attention") != 0) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot use the model's config: layer %zu is "
                            "'%.80s'",
                            i, text);
        }
    }
    return CWM_OK;
}

static enum cwm_rc read_layers(const json_t *root, struct model_config *c,
                               struct cwm_err *err)
{
    const json_t *types = json_object_get(root, "layer_types");
    bool is_cwm = strcmp(text_at(root, "model_type", ""), "cwm") == 0;
    bool any = false;
    enum cwm_rc rc = CWM_OK;
    size_t i;

    for (i = 0; i < c->n_layers; i++) {
        c->is_sliding[i] = is_cwm && i % 4 != 0;
    }
    if (!is_absent(types)) {
        rc = read_layer_types(types, c, err);
    }
    for (i = 0; i < c->n_layers; i++) {
        any = any || c->is_sliding[i];
    }
    if (rc == CWM_OK && any) {
        /* 8192 is CwmForCausalLM's own default */
        rc = read_count(root, "sliding_window", 8192, MODEL_MAX_POSITIONS,
                        &c->window, err);
    }
    return rc;
}

/* ---- rotary positions -----------------------------------------------------
 */

static enum cwm_rc read_scaling(const json_t *rope, struct rope_scaling *s,
                                struct cwm_err *err)
{
    const char *type = text_at(rope, "rope_type", text_at(rope, "type", ""));
    enum cwm_rc rc;

    if (is_absent(rope) || strcmp(type, "default") == 0 || !*type) {
        return CWM_OK;
    }
    if (strcmp(type, "llama3") != 0) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model's config: the rotary scaling "
                        "'%.80s' is not supported",
                        type);
    }
    s->on = true;
    rc = read_real(rope, "factor", 0, &s->factor, err);
    if (rc == CWM_OK) {
        rc = read_real(rope, "low_freq_factor", 0, &s->low, err);
    }
    if (rc == CWM_OK) {
        rc = read_real(rope, "high_freq_factor", 0, &s->high, err);
    }
    if (rc == CWM_OK) {
        rc = read_real(rope, "original_max_position_embeddings", 0,
                       &s->n_original, err);
    }
    if (rc == CWM_OK && s->high <= s->low) {
        rc = CWM_FAIL(err, CWM_FORMAT,
                      "cannot use the model's config: \"high_freq_factor\" "
                      "must be above \"low_freq_factor\"");
    }
    return rc;
}

static enum cwm_rc read_rope(const json_t *root, struct model_config *c,
                             struct cwm_err *err)
{
    const json_t *rope = json_object_get(root, "rope_parameters");
    enum cwm_rc rc;

    if (is_absent(rope)) {
        rc = read_real(root, "rope_theta", 10000.0, &c->rope_theta, err);
        rope = json_object_get(root, "rope_scaling");
    } else {
        rc = read_real(rope, "rope_theta", 0, &c->rope_theta, err);
    }
    return rc == CWM_OK ? read_scaling(rope, &c->scaling, err) : rc;
}

/* ---- where a text ends ----------------------------------------------------
 */

/* One id or a list of them; none where the file has none. */
static enum cwm_rc read_stops(const json_t *root, struct model_config *c,
                              struct cwm_err *err)
{
    const json_t *stops = json_object_get(root, "eos_token_id");
    size_t n =
        json_is_array(stops) ? json_array_size(stops) : !is_absent(stops);
    size_t i;

    for (i = 0; i < n; i++) {
        const json_t *id =
            json_is_array(stops) ? json_array_get(stops, i) : stops;

        if (n > MODEL_MAX_STOPS || !json_is_integer(id) ||
            json_integer_value(id) < 0 ||
            json_integer_value(id) >= MODEL_MAX_VOCAB) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot use the model's config: \"eos_token_id\" "
                            "is no id, nor a list of up to %d",
                            MODEL_MAX_STOPS);
        }
        c->stops[c->n_stops++] = (uint32_t)json_integer_value(id);
    }
    return CWM_OK;
}

/* ---- the file -------------------------------------------------------------
 */

enum cwm_rc config_parse(const char *json, size_t len,
                         struct model_config *ret_config, struct cwm_err *err)
{
    struct model_config c = {0};
    json_error_t problem;
    json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &problem);
    enum cwm_rc rc;

    if (!root) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "could not read the model's config, line %d: %s",
                        problem.line, problem.text);
    }
    rc = check_kind(root, err);
    if (rc == CWM_OK) {
        rc = read_sizes(root, &c, err);
    }
    if (rc == CWM_OK) {
        rc = read_layers(root, &c, err);
    }
    if (rc == CWM_OK) {
        rc = read_rope(root, &c, err);
    }
    if (rc == CWM_OK) {
        rc = read_real(root, "rms_norm_eps", 1e-6, &c.rms_eps, err);
    }
    if (rc == CWM_OK) {
        rc = read_stops(root, &c, err);
    }
    if (rc == CWM_OK) {
        c.is_tied = json_is_true(json_object_get(root, "tie_word_embeddings"));
        *ret_config = c;
    }
    json_decref(root);
    return rc;
}

enum cwm_rc config_load(const char *folder, struct model_config *ret_config,
                        struct cwm_err *err)
{
    char path[MAX_PATH_BYTES];
    struct cwm_buf json;
    enum cwm_rc rc;

    if (snprintf(path, sizeof path, "%s/config.json", folder) >=
        (int)sizeof path) {
        return CWM_FAIL(err, CWM_IO,
                        "could not open '%.80s...': the name is "
                        "too long",
                        folder);
    }
    cwm_buf_init(&json, MAX_CONFIG_BYTES);
    rc = io_read_file(path, &json, err);
    if (rc == CWM_OK) {
        rc =
            config_parse(json.data ? json.data : "", json.len, ret_config, err);
        if (rc != CWM_OK) {
            cwm_err_context(err, "%s", path);
        }
    }
    cwm_buf_release(&json);
    return rc;
}
