/* SPDX-License-Identifier: MIT */
/* cmd_model.c -- `cwm model`: what is in a checkpoint, and what it computes. */
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_model.h"
#include "cwm/model/convert.h"
#include "cwm/model/model.h"
#include "cwm/model/token_lines.h"
#include "cwm/model/transformer.h"

enum { MAX_INFO_BYTES = 1 << 16, MAX_IDS_BYTES = 1 << 30, MAX_NEW = 1 << 20 };

#define FIELD(field) offsetof(struct model_fields, field)

static const char *const uses[] = {
    "info DIR [--json]", "logits DIR --ids IDS.json -o OUT.f32",
    "generate DIR --ids IDS.json [--max-new N] [options]",
    "convert DIR -o FOLDER [--type fp32|bf16|int8]", NULL};

static const char *const examples[] = {
    "cwm model info checkpoint",
    "cwm model logits checkpoint --ids ids.json -o logits.f32",
    "cwm model generate checkpoint --ids ids.json --samples 8 --top-p 0.95",
    "cwm model convert run/last -o small --type int8", NULL};

static const struct opt options[] = {
    {.group = "What goes in",
     .name = "ids",
     .type = OPT_STRING,
     .offset = FIELD(ids),
     .value = "IDS",
     .help = "a JSON file: a list of lists of token ids; for logits equally "
             "long"},
    {.group = "Generating",
     .name = "max-new",
     .type = OPT_U64,
     .offset = FIELD(max_new),
     .value = "N",
     .fallback = "128",
     .min = 1,
     .max = MAX_NEW,
     .help = "stop after this many new tokens, where none of the model's "
             "\"eos_token_id\" came before"},
    {.name = "samples",
     .type = OPT_U64,
     .offset = FIELD(samples),
     .value = "N",
     .fallback = "1",
     .min = 1,
     .max = MAX_NEW,
     .help = "continue each list so many times; they share its beginning"},
    GENERATING_OPTIONS(FIELD(generating)),
    {.name = "stop",
     .type = OPT_LIST,
     .offset = FIELD(stops),
     .value = "ID",
     .help = "stop behind this token, too; may be given several times"},
    {.name = "batch",
     .type = OPT_U64,
     .offset = FIELD(batch),
     .value = "N",
     .fallback = "16",
     .min = 1,
     .max = 4096,
     .help = "samples that go on at once"},
    {.name = "logprobs",
     .type = OPT_FLAG,
     .offset = FIELD(logprobs),
     .help = "write each token's log-probability, too: the model's own, "
             "whatever it was drawn from"},
    {.group = "Output",
     .letter = 'o',
     .name = "out",
     .type = OPT_STRING,
     .offset = FIELD(out),
     .value = "OUT",
     .help = "of logits: the file for them, little-endian float32, sequence by "
             "position by word; of convert: the new folder, with the weights "
             "in --type and the tokenizer"},
    {.name = "json",
     .type = OPT_FLAG,
     .offset = FIELD(json),
     .help = "one JSON object a line"},
};

static const struct opt_command command = {
    .name = "model",
    .summary = "look into a checkpoint; its logits, its continuations",
    .uses = uses,
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .examples = examples,
    .notes =
        "DIR holds config.json and model.safetensors (or several and "
        "their index), as\nHugging Face's CwmForCausalLM writes them.  "
        "On a CPU the pass of logits is\nthe plain one in fp32: exact, and "
        "slow.\n\n"
        "Exit status:\n"
        "  0  done\n"
        "  2  the request cannot be carried out as given\n"
        "  3  our own failure, or files that cannot be used\n",
    .max_positionals = 2,
};

/* Lists of ids, and a pass over one of them. */
struct job {
    const struct model *m; /* borrowed */
    struct token_ids ids;  /* list by list */
    size_t n_lists;
    size_t n_each;
    struct model_pass *pass; /* owned */
    float *logits;           /* owned; [tokens of the pass,V] */
};

static enum cwm_rc read_ids(const char *path, struct job *job,
                            struct cwm_err *err)
{
    struct cwm_buf json;
    enum cwm_rc rc;

    cwm_buf_init(&json, MAX_IDS_BYTES);
    rc = io_read_file(path, &json, err);
    if (rc == CWM_OK) {
        rc = token_lists_parse(json.data ? json.data : "", json.len, &job->ids,
                               &job->n_lists, &job->n_each, err);
        if (rc != CWM_OK) {
            cwm_err_context(err, "%s", path);
        }
    }
    cwm_buf_release(&json);
    return rc;
}

static enum cwm_rc job_start(struct job *job, const char *folder,
                             const char *path, struct cwm_err *err)
{
    enum cwm_rc rc = read_ids(path, job, err);
    size_t n;

    if (rc != CWM_OK) {
        return rc;
    }
    n = job->n_each;
    if (n > job->m->config.max_positions) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot run the model on %zu tokens: it was made for "
                        "%u",
                        n, job->m->config.max_positions);
    }
    job->logits =
        cwm_calloc(n, job->m->config.vocab_size * sizeof *job->logits);
    if (!job->logits) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the logits");
    }
    rc = model_pass_new(job->m, n, &job->pass, err);
    if (rc == CWM_FORMAT) {
        cwm_err_context(err, "%s", folder);
    }
    return rc;
}

static void job_release(struct job *job)
{
    token_ids_release(&job->ids);
    model_pass_free(job->pass);
    cwm_free(job->logits);
}

/* ---- logits ---------------------------------------------------------------
 */

static enum cwm_rc all_logits(struct job *job, struct cwm_buf *out,
                              struct cwm_err *err)
{
    size_t n_bytes = job->n_each * job->m->config.vocab_size * sizeof(float);
    enum cwm_rc rc = CWM_OK;
    size_t i;

    for (i = 0; i < job->n_lists && rc == CWM_OK; i++) {
        rc = model_forward(job->pass, job->ids.ids + i * job->n_each,
                           job->n_each, job->logits, err);
        if (rc == CWM_OK) {
            cwm_buf_add(out, job->logits, n_bytes);
            rc = cwm_buf_check(out, "the logits", err);
        }
    }
    return rc;
}

/* The same on a GPU: in fp32, and fast. */
static enum cwm_rc device_logits(const struct model_fields *fields,
                                 const char *folder, const struct job *job,
                                 struct cwm_buf *out, struct cwm_err *err)
{
    const struct device_options device = {.device = fields->generating.device,
                                          .type = OPS_F32};
    size_t n = job->n_each;
    uint32_t *rows = cwm_calloc(2 * n, sizeof *rows); /* owned */
    struct transformer *t = NULL;                     /* owned */
    struct ops *o = NULL;                             /* owned */
    enum cwm_rc rc = rows ? device_open(&device, &o, err)
                          : CWM_FAIL(err, CWM_NOMEM, "could not hold a batch");
    size_t i;

    if (rc == CWM_OK) {
        rc = transformer_new(o, &job->m->config, n, &t, err);
    }
    if (rc == CWM_OK) {
        rc = transformer_load(t, folder, err);
    }
    for (i = 0; rows && i < n; i++) {
        rows[n + i] = (uint32_t)i; /* one document from row 0 on */
    }
    for (i = 0; i < job->n_lists && rc == CWM_OK; i++) {
        const struct transformer_batch batch = {.n_tokens = n,
                                                .ids = job->ids.ids + i * n,
                                                .starts = rows,
                                                .positions = rows + n};

        rc = transformer_logits(t, &batch, job->logits, err);
        if (rc == CWM_OK) {
            cwm_buf_add(out, job->logits,
                        n * job->m->config.vocab_size * sizeof(float));
            rc = cwm_buf_check(out, "the logits", err);
        }
    }
    transformer_free(t);
    ops_free(o);
    cwm_free(rows);
    return rc;
}

static enum cwm_rc logits(const struct model_fields *fields, const char *folder,
                          const struct model *m, struct cwm_err *err)
{
    struct job job = {.m = m};
    struct cwm_buf out;
    enum cwm_rc rc;

    cwm_buf_init(&out, SIZE_MAX / 2);
    rc = job_start(&job, folder, fields->ids, err);
    if (rc == CWM_OK) {
        rc = device_is_cuda(fields->generating.device)
                 ? device_logits(fields, folder, &job, &out, err)
                 : all_logits(&job, &out, err);
    }
    if (rc == CWM_OK) {
        rc = io_replace_file(fields->out, out.data, out.len, err);
    }
    cwm_buf_release(&out);
    job_release(&job);
    return rc;
}

/* ---- info -----------------------------------------------------------------
 */

static unsigned long long n_parameters(const struct model_config *c)
{
    unsigned long long d_q = (unsigned long long)c->n_heads * c->d_head;
    unsigned long long d_kv = (unsigned long long)c->n_kv_heads * c->d_head;
    unsigned long long layer = 2 * d_q * c->d_model + 2 * d_kv * c->d_model +
                               3ull * c->d_ffn * c->d_model + 2ull * c->d_model;
    unsigned long long words = (unsigned long long)c->vocab_size * c->d_model;

    return c->n_layers * layer + words * (c->is_tied ? 1 : 2) + c->d_model;
}

static void add_info(const struct model_config *c, bool json,
                     struct cwm_buf *out)
{
    uint32_t n_sliding = 0;
    uint32_t i;

    for (i = 0; i < c->n_layers; i++) {
        n_sliding += c->is_sliding[i];
    }
    cwm_buf_addf(out,
                 json ? "{\"parameters\": %llu, \"layers\": %u, "
                        "\"sliding_layers\": %u, \"window\": %u, "
                        "\"width\": %u, \"heads\": %u, \"kv_heads\": %u, "
                        "\"head_width\": %u, \"ffn_width\": %u, "
                        "\"vocabulary\": %u, \"context\": %u}\n"
                      : "parameters      %llu\nlayers          %u\n"
                        "sliding layers  %u\nwindow          %u\n"
                        "width           %u\nheads           %u\n"
                        "kv heads        %u\nhead width      %u\n"
                        "ffn width       %u\nvocabulary      %u\n"
                        "context         %u\n",
                 n_parameters(c), c->n_layers, n_sliding, c->window, c->d_model,
                 c->n_heads, c->n_kv_heads, c->d_head, c->d_ffn, c->vocab_size,
                 c->max_positions);
}

/* ---- the command ----------------------------------------------------------
 */

/* The words fit each other; -1, or the exit code. */
static int check_words(const struct model_fields *fields,
                       const struct opt_rest *rest)
{
    static const char *const verbs[] = {"info", "logits", "generate",
                                        "convert"};
    const char *verb = rest->n > 0 ? rest->values[0] : "";
    const char *near = opt_nearest(verb, verbs, 4);

    if (rest->n < 2 || !near || strcmp(near, verb) != 0) {
        return cli_usage("model",
                         "info, logits, generate or convert is needed, and a "
                         "folder: cwm model info DIR");
    }
    if (strcmp(verb, "convert") == 0) {
        return fields->out ? -1 : cli_usage("model", "convert needs -o FOLDER");
    }
    if (strcmp(verb, "info") != 0 && !fields->ids) {
        return cli_usage("model", "%s needs --ids IDS.json", verb);
    }
    if (strcmp(verb, "logits") == 0 && !fields->out) {
        return cli_usage("model", "logits needs -o OUT.f32");
    }
    return -1;
}

static int run(int argc, char **argv)
{
    struct model *m = NULL; /* owned */
    struct model_config config;
    struct model_fields fields;
    struct opt_rest rest;
    struct cwm_buf out;
    struct cwm_err err;
    enum cwm_rc rc;
    int code = cli_parse(&command, argc, argv, &fields, &rest);

    if (code >= 0) {
        return code;
    }
    cwm_buf_init(&out, MAX_IDS_BYTES);
    code = check_words(&fields, &rest);
    if (code >= 0) {
        goto out;
    }
    if (strcmp(rest.values[0], "generate") == 0) {
        code = model_generate(&fields, rest.values[1]);
        goto out;
    }
    if (strcmp(rest.values[0], "info") == 0) {
        rc = model_describe(rest.values[1], &config, &err);
        if (rc == CWM_OK) {
            add_info(&config, fields.json, &out);
        }
    } else if (strcmp(rest.values[0], "convert") == 0) {
        rc = convert_checkpoint(rest.values[1], fields.out,
                                generating_tensor_type(&fields.generating),
                                &err);
    } else {
        rc = model_load(rest.values[1], &m, &err);
        if (rc == CWM_OK) {
            rc = logits(&fields, rest.values[1], m, &err);
        }
    }
    code = rc == CWM_OK ? cli_print("model", &out) : cli_fail("model", &err);
out:
    cwm_buf_release(&out);
    model_free(m);
    cwm_free(rest.values);
    return code;
}

const struct cli_command cli_model = {&command, run};
