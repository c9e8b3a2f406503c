/* SPDX-License-Identifier: MIT */
/* cmd_tokenizer.c -- `cwm tokenizer`: text to ids and back, training one. */
#include "cwm/cli/cmd_tokenizer.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/cli/cli.h"
#include "cwm/model/bpe_train.h"

enum { MAX_INFO_BYTES = 1 << 16 };

/* A vocabulary of 4 million in JSON. */
#define MAX_JSON_BYTES ((size_t)1 << 30)

#define FIELD(field) offsetof(struct tokenizer_fields, field)

static const char *const uses[] = {
    "encode --tokenizer FILE [--special] < TEXTS.jsonl",
    "decode --tokenizer FILE < IDS.jsonl",
    "train TEXTS.jsonl ... -o tokenizer.json [options]",
    "info --tokenizer FILE [--json]", NULL};

static const char *const examples[] = {
    "cwm tokenizer train traces.jsonl --vocab-size 8192 -o tokenizer.json",
    "cwm tokenizer encode --tokenizer tokenizer.json < texts.jsonl", NULL};

static const struct opt options[] = {
    {.group = "Which tokenizer",
     .name = "tokenizer",
     .type = OPT_STRING,
     .offset = FIELD(tokenizer),
     .value = "FILE",
     .help = "a Hugging Face tokenizer.json (byte-level BPE) or a tiktoken "
             "file; which of them it is, is told by its content"},
    {.group = "Encoding",
     .name = "special",
     .type = OPT_FLAG,
     .offset = FIELD(special),
     .help = "recognise special tokens in the text; without it no text can "
             "produce one"},
    {.name = "threads",
     .type = OPT_U64,
     .offset = FIELD(threads),
     .value = "N",
     .fallback = "0",
     .max = 256,
     .help = "threads to work with, also in training; 0 is one for each core; "
             "the output does not depend on it"},
    {.group = "Training",
     .name = "vocab-size",
     .type = OPT_U64,
     .offset = FIELD(vocab_size),
     .value = "N",
     .fallback = "8192",
     .min = BPE_TRAIN_MIN_VOCAB,
     .max = 1 << 22,
     .help = "how many tokens, the 256 bytes and the special ones included; "
             "fewer where the texts do not have as many frequent pairs"},
    {.name = "digits-apart",
     .type = OPT_FLAG,
     .offset = FIELD(digits_apart),
     .help = "every digit is a token of its own, instead of up to three"},
    {.name = "strings-apart",
     .type = OPT_FLAG,
     .offset = FIELD(strings_apart),
     .help = "between single quotes on one line every character is on its "
             "own: what is read letter by letter can be indexed and reversed"},
    {.name = "min-count",
     .type = OPT_U64,
     .offset = FIELD(min_count),
     .value = "N",
     .fallback = "2",
     .min = 1,
     .max = UINT32_MAX,
     .help = "a pair must occur this often to become a token"},
    {.name = "max-token-bytes",
     .type = OPT_U64,
     .offset = FIELD(max_token_bytes),
     .value = "N",
     .fallback = "64",
     .min = 2,
     .max = 1024,
     .help = "no token that is learned is longer"},
    {.group = "Output",
     .letter = 'o',
     .name = "out",
     .type = OPT_STRING,
     .offset = FIELD(out),
     .value = "OUT",
     .help = "of train: write the tokenizer.json there instead of to standard "
             "output"},
    {.name = "json",
     .type = OPT_FLAG,
     .offset = FIELD(json),
     .help = "of info: one JSON object instead of text"},
};

static const struct opt_command command = {
    .name = "tokenizer",
    .summary = "text to token ids and back; train a tokenizer",
    .uses = uses,
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .examples = examples,
    .notes = "Lines: {\"text\": \"...\"} and {\"ids\": [1, 2]}, one for one; "
             "other members are\npassed over.  Training cuts at the reserved "
             "strings of traces, which become\nspecial tokens.\n\n"
             "Exit status:\n"
             "  0  done\n"
             "  2  the request cannot be carried out as given\n"
             "  3  our own failure, or input that is not in this form\n",
    .max_positionals = 1024,
};

static int train(const struct tokenizer_fields *fields, const char **files,
                 size_t n)
{
    struct tokenizer *t = NULL; /* owned */
    struct cwm_buf json;
    struct cwm_err err;
    enum cwm_rc rc;

    if (n == 0) {
        return cli_usage("tokenizer", "texts are needed: cwm tokenizer train "
                                      "TEXTS.jsonl\n'-' is standard input");
    }
    cwm_buf_init(&json, MAX_JSON_BYTES);
    rc = tokenizer_learn(fields, cli_threads(fields->threads), files, n,
                         cli_catch_signals(), &t, &err);
    if (rc == CWM_OK) {
        rc = tokenizer_write_json(t, &json, &err);
    }
    if (rc == CWM_OK) {
        rc = io_replace_file(fields->out ? fields->out : "/dev/stdout",
                             json.data, json.len, &err);
    }
    if (rc == CWM_OK && tokenizer_n_ids(t) < fields->vocab_size) {
        cli_say("cwm tokenizer: %u tokens were learned, not %llu: no more "
                "pairs are that frequent",
                tokenizer_n_ids(t), (unsigned long long)fields->vocab_size);
    }
    cwm_buf_release(&json);
    tokenizer_free(t);
    return rc == CWM_OK ? CLI_YES : cli_fail("tokenizer", &err);
}

static int info(const struct tokenizer_fields *fields,
                const struct tokenizer *t)
{
    unsigned long long hash = tokenizer_hash(t);
    struct cwm_buf out;
    int code;

    cwm_buf_init(&out, MAX_INFO_BYTES);
    cwm_buf_addf(
        &out,
        fields->json ? "{\"ids\": %u, \"text_tokens\": %u, "
                       "\"special_tokens\": %u, \"hash\": \"%016llx\"}\n"
                     : "ids             %u\ntext tokens     %u\n"
                       "special tokens  %u\nhash            %016llx\n",
        tokenizer_n_ids(t), tokenizer_n_text(t), tokenizer_n_special(t), hash);
    code = cli_print("tokenizer", &out);
    cwm_buf_release(&out);
    return code;
}

/* The verbs that work with a tokenizer that is there. */
static int with_tokenizer(const struct tokenizer_fields *fields,
                          const char *verb)
{
    struct tokenizer *t = NULL; /* owned */
    struct cwm_err err;
    enum cwm_rc rc;
    int code = CLI_YES;

    if (!fields->tokenizer) {
        return cli_usage("tokenizer", "%s needs --tokenizer FILE", verb);
    }
    rc = tokenizer_load(fields->tokenizer, &t, &err);
    if (rc == CWM_OK && strcmp(verb, "info") == 0) {
        code = info(fields, t);
    } else if (rc == CWM_OK) {
        rc = tokenizer_convert(t, strcmp(verb, "encode") == 0, fields->special,
                               cli_threads(fields->threads),
                               cli_catch_signals(), &err);
    }
    tokenizer_free(t);
    return rc == CWM_OK ? code : cli_fail("tokenizer", &err);
}

static int run_verb(const struct tokenizer_fields *fields,
                    const struct opt_rest *rest)
{
    static const char *const verbs[] = {"encode", "decode", "train", "info"};
    const char *verb = rest->n > 0 ? rest->values[0] : "";
    const char *near = opt_nearest(verb, verbs, 4);

    if (rest->n == 0) {
        return cli_usage("tokenizer", "one of encode, decode, train and info "
                                      "is needed");
    }
    if (strcmp(verb, "train") == 0) {
        return train(fields, rest->values + 1, rest->n - 1);
    }
    if (!near || strcmp(near, verb) != 0) {
        return near ? cli_usage("tokenizer",
                                "there is no '%.60s'; did you "
                                "mean '%s'?",
                                verb, near)
                    : cli_usage("tokenizer",
                                "there is no '%.60s'\nthere are "
                                "encode, decode, train and info",
                                verb);
    }
    if (rest->n > 1) {
        return cli_usage("tokenizer",
                         "cannot use '%.200s': %s reads standard "
                         "input",
                         rest->values[1], verb);
    }
    return with_tokenizer(fields, verb);
}

static int run(int argc, char **argv)
{
    struct tokenizer_fields fields;
    struct opt_rest rest;
    int code = cli_parse(&command, argc, argv, &fields, &rest);

    if (code >= 0) {
        return code;
    }
    code = run_verb(&fields, &rest);
    cwm_free(rest.values);
    return code;
}

const struct cli_command cli_tokenizer = {&command, run};
