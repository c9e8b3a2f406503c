/* SPDX-License-Identifier: MIT */
/* config.c -- config.json, field by field. */
#include "cwm/model/config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cwm/base/io.h"
#include "cwm/base/json_in.h"

enum { MAX_CONFIG_BYTES = 1 << 20, MAX_PATH_BYTES = 4096, MAX_TEXT_BYTES = 80 };

/* A member that is there and not null.  What is read here has been found to
 * be JSON; a member that is there twice is told in the end (config_parse()). */
static bool find(struct json_in *object, const char *key,
                 struct json_in *ret_value)
{
    struct json_in value;

    if (!json_find(object, key, &value) || json_null(&value)) {
        return false;
    }
    *ret_value = value;
    return true;
}

/* A whole number from 1 to max; `fallback` where there is none, 0: needed. */
static enum cwm_rc read_count(struct json_in *root, const char *key,
                              uint32_t fallback, uint32_t max,
                              uint32_t *ret_value, struct cwm_err *err)
{
    struct json_in value;
    uint64_t number;
    bool is_there = find(root, key, &value);

    if (!is_there && fallback > 0) {
        *ret_value = fallback;
        return CWM_OK;
    }
    if (!is_there || !json_count(&value, &number) || number < 1 ||
        number > max) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model's config: \"%s\" is no number "
                        "from 1 to %u",
                        key, max);
    }
    *ret_value = (uint32_t)number;
    return CWM_OK;
}

/* A positive number; a fallback of 0: it is needed. */
static enum cwm_rc read_real(struct json_in *object, const char *key,
                             double fallback, double *ret_value,
                             struct cwm_err *err)
{
    struct json_in value;
    double number;
    bool is_there = find(object, key, &value);

    if (!is_there && fallback > 0) {
        *ret_value = fallback;
        return CWM_OK;
    }
    if (!is_there || !json_real(&value, &number) || number <= 0) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model's config: \"%s\" is no number "
                        "above 0",
                        key);
    }
    *ret_value = number;
    return CWM_OK;
}

/* A text, cut where it is longer than any that we know; `text` as it is where
 * there is none. */
static void read_text(struct json_in *value, char text[MAX_TEXT_BYTES + 1])
{
    struct cwm_buf bytes;

    cwm_buf_init(&bytes, value->len + 1);
    if (json_peek(value) == '"' && json_string(value, &bytes)) {
        snprintf(text, MAX_TEXT_BYTES + 1, "%s", bytes.data ? bytes.data : "");
    }
    cwm_buf_release(&bytes);
}

/* The same of a member. */
static void text_at(struct json_in *object, const char *key,
                    char text[MAX_TEXT_BYTES + 1])
{
    struct json_in value;

    if (find(object, key, &value)) {
        read_text(&value, text);
        object->failed = value.failed; /* no memory */
    }
}

/* ---- what must be as we compute it ----------------------------------------
 */

static enum cwm_rc check_kind(struct json_in *root, struct cwm_err *err)
{
    static const char *const off[] = {"attention_bias", "mlp_bias"};
    char type[MAX_TEXT_BYTES + 1] = "";
    char act[MAX_TEXT_BYTES + 1] = "silu";
    struct json_in value;
    bool is_on;
    size_t i;

    text_at(root, "model_type", type);
    text_at(root, "hidden_act", act);
    if (strcmp(type, "cwm") != 0 && strcmp(type, "llama") != 0) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use a model of the type '%s': \"cwm\" and "
                        "\"llama\" are supported",
                        type);
    }
    if (strcmp(act, "silu") != 0) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model's config: \"hidden_act\" must "
                        "be \"silu\"");
    }
    for (i = 0; i < sizeof off / sizeof *off; i++) {
        if (find(root, off[i], &value) &&
            (!json_bool(&value, &is_on) || is_on)) {
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

static enum cwm_rc read_sizes(struct json_in *root, struct model_config *c,
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

static enum cwm_rc read_layer_types(struct json_in *types,
                                    struct model_config *c, struct cwm_err *err)
{
    bool is_list = json_peek(types) == '[';
    uint32_t n = 0;

    if (is_list) {
        json_open(types, '[');
    }
    for (bool first = true; is_list && json_more(types, ']', first);
         first = false) {
        char text[MAX_TEXT_BYTES + 1] = "";
        struct json_in value = *types;

        read_text(&value, text);
        if (value.failed != CWM_OK) {
            types->failed = value.failed; /* no memory */
            break;
        }
        if (n < c->n_layers) {
            c->is_sliding[n] = strcmp(text, "sliding_attention") == 0;
            if (!c->is_sliding[n] && strcmp(text, "full_attention") != 0) {
                return CWM_FAIL(err, CWM_FORMAT,
                                "cannot use the model's config: layer %u is "
                                "'%s'",
                                n, text);
            }
        }
        n++;
        json_skip(types);
    }
    if (types->failed != CWM_OK || n != c->n_layers) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model's config: \"layer_types\" is no "
                        "list of %u",
                        c->n_layers);
    }
    return CWM_OK;
}

static enum cwm_rc read_layers(struct json_in *root, struct model_config *c,
                               struct cwm_err *err)
{
    char type[MAX_TEXT_BYTES + 1] = "";
    struct json_in types;
    bool is_cwm;
    bool any = false;
    enum cwm_rc rc = CWM_OK;
    size_t i;

    text_at(root, "model_type", type);
    is_cwm = strcmp(type, "cwm") == 0;
    for (i = 0; i < c->n_layers; i++) {
        c->is_sliding[i] = is_cwm && i % 4 != 0;
    }
    if (find(root, "layer_types", &types)) {
        rc = read_layer_types(&types, c, err);
        root->failed = root->failed == CWM_OK ? types.failed : root->failed;
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

static enum cwm_rc read_scaling(struct json_in *rope, struct rope_scaling *s,
                                struct cwm_err *err)
{
    char type[MAX_TEXT_BYTES + 1] = "";
    enum cwm_rc rc;

    text_at(rope, "type", type);
    text_at(rope, "rope_type", type);
    if (strcmp(type, "default") == 0 || !*type) {
        return CWM_OK;
    }
    if (strcmp(type, "llama3") != 0) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model's config: the rotary scaling "
                        "'%s' is not supported",
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

static enum cwm_rc read_rope(struct json_in *root, struct model_config *c,
                             struct cwm_err *err)
{
    struct json_in rope;
    bool is_new = find(root, "rope_parameters", &rope);
    bool has_rope = is_new || find(root, "rope_scaling", &rope);
    enum cwm_rc rc;

    if (has_rope && json_peek(&rope) != '{') {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model's config: \"%s\" is no object",
                        is_new ? "rope_parameters" : "rope_scaling");
    }
    rc = is_new ? read_real(&rope, "rope_theta", 0, &c->rope_theta, err)
                : read_real(root, "rope_theta", 10000.0, &c->rope_theta, err);
    if (rc == CWM_OK && has_rope) {
        rc = read_scaling(&rope, &c->scaling, err);
    }
    if (root->failed == CWM_OK && has_rope) {
        root->failed = rope.failed;
    }
    return rc;
}

/* ---- where a text ends ----------------------------------------------------
 */

static bool add_stop(struct json_in *id, struct model_config *c)
{
    uint64_t number;

    if (c->n_stops == MODEL_MAX_STOPS || !json_count(id, &number) ||
        number >= MODEL_MAX_VOCAB) {
        return false;
    }
    c->stops[c->n_stops++] = (uint32_t)number;
    return true;
}

/* One id or a list of them; none where the file has none. */
static enum cwm_rc read_stops(struct json_in *root, struct model_config *c,
                              struct cwm_err *err)
{
    struct json_in stops;
    bool good = true;

    if (!find(root, "eos_token_id", &stops)) {
        return CWM_OK;
    }
    if (json_peek(&stops) != '[') {
        good = add_stop(&stops, c);
    } else {
        json_open(&stops, '[');
        for (bool first = true; good && json_more(&stops, ']', first);
             first = false) {
            good = add_stop(&stops, c);
        }
    }
    if (!good) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model's config: \"eos_token_id\" is "
                        "no id, nor a list of up to %d",
                        MODEL_MAX_STOPS);
    }
    return CWM_OK;
}

/* ---- the file -------------------------------------------------------------
 */

static enum cwm_rc read_fields(struct json_in *root, struct model_config *c,
                               struct cwm_err *err)
{
    struct json_in tied;
    enum cwm_rc rc = check_kind(root, err);

    if (rc == CWM_OK) {
        rc = read_sizes(root, c, err);
    }
    if (rc == CWM_OK) {
        rc = read_layers(root, c, err);
    }
    if (rc == CWM_OK) {
        rc = read_rope(root, c, err);
    }
    if (rc == CWM_OK) {
        rc = read_real(root, "rms_norm_eps", 1e-6, &c->rms_eps, err);
    }
    if (rc == CWM_OK) {
        rc = read_stops(root, c, err);
    }
    if (rc == CWM_OK && find(root, "tie_word_embeddings", &tied)) {
        json_bool(&tied, &c->is_tied); /* anything else: it is not */
    }
    return rc;
}

enum cwm_rc config_parse(const char *json, size_t len,
                         struct model_config *ret_config, struct cwm_err *err)
{
    struct json_in root = {.text = json, .len = len};
    struct model_config c = {0};
    enum cwm_rc rc = CWM_OK;

    if (json_whole(&root) && json_peek(&root) == '{') {
        rc = read_fields(&root, &c, err);
    }
    if (root.failed == CWM_NOMEM) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the model's config");
    }
    if (root.failed != CWM_OK) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "could not read the model's config: line %zu breaks "
                        "JSON's grammar or repeats a member",
                        json_line(&root));
    }
    if (json_peek(&root) != '{') {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the model's config: it is no object");
    }
    if (rc == CWM_OK) {
        *ret_config = c;
    }
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
