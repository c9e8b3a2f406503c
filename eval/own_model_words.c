/* SPDX-License-Identifier: MIT */
/* own_model_words.c -- a checkpoint's files: what they are called by, their
 * tokenizer, prompts as tokens. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "eval/own_model_internal.h"
#include "tracer/source.h"

enum { MAX_PATH_BYTES = 4096, PIECE_BYTES = 1 << 20 };

static const char *const tokenizer_names[] = {"tokenizer.json",
                                              "tokenizer.model"};

/* ---- the tokenizer ---- */

static bool find_tokenizer(const char *folder, char path[MAX_PATH_BYTES])
{
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, MAX_PATH_BYTES, "%s/%s", folder, tokenizer_names[i]);
        if (access(path, F_OK) == 0) {
            return true;
        }
    }
    return false;
}

static enum cwm_rc no_tokenizer(const char *folder, struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_USAGE,
                    "there is no tokenizer.json or tokenizer.model in '%s'\n"
                    "--tokenizer FILE names another one",
                    folder);
}

enum cwm_rc own_model_tokenizer(const char *folder, const char *path,
                                struct tokenizer **ret_tokenizer,
                                struct cwm_err *err)
{
    char found[MAX_PATH_BYTES];

    if (path) {
        return tokenizer_load(path, ret_tokenizer, err);
    }
    return find_tokenizer(folder, found)
               ? tokenizer_load(found, ret_tokenizer, err)
               : no_tokenizer(folder, err);
}

/* ---- what it is called by ---- */

static enum cwm_rc hash_file(struct hasher *h, const char *path,
                             struct cwm_err *err)
{
    char *piece = cwm_malloc(PIECE_BYTES); /* owned */
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum cwm_rc rc = CWM_OK;
    ssize_t n = 1;

    if (!piece) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold a piece of '%s'", path);
    } else if (fd < 0) {
        rc = CWM_FAIL(err, CWM_USAGE, "could not open '%s': %s", path,
                      strerror(errno));
    }
    while (rc == CWM_OK && n > 0) {
        n = read(fd, piece, PIECE_BYTES);
        if (n > 0) {
            hasher_add(h, piece, (size_t)n);
        } else if (n < 0 && errno == EINTR) {
            n = 1;
        } else if (n < 0) {
            rc = CWM_FAIL(err, CWM_IO, "could not read '%s': %s", path,
                          strerror(errno));
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    cwm_free(piece);
    return rc;
}

static int is_of_model(const struct dirent *entry)
{
    static const char end[] = ".safetensors";
    size_t len = strlen(entry->d_name);

    return strcmp(entry->d_name, "config.json") == 0 ||
           (len > sizeof end - 1 &&
            strcmp(entry->d_name + len - (sizeof end - 1), end) == 0);
}

static enum cwm_rc hash_folder(struct hasher *h, const char *folder,
                               struct cwm_err *err)
{
    struct dirent **entries = NULL; /* owned, and each */
    char path[MAX_PATH_BYTES];
    enum cwm_rc rc = CWM_OK;
    int n = scandir(folder, &entries, is_of_model, alphasort);

    if (n < 0) {
        return CWM_FAIL(err, CWM_USAGE, "could not open '%s': %s", folder,
                        strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        if (rc == CWM_OK) {
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
            hasher_add_text(h, entries[i]->d_name);
            rc = hash_file(h, path, err);
        }
        free(entries[i]); /* scandir()'s memory, not cwm_malloc()'s */
    }
    free((void *)entries);
    return rc == CWM_OK && n == 0
               ? CWM_FAIL(err, CWM_USAGE, "there is no model in '%s'", folder)
               : rc;
}

enum cwm_rc own_model__hash_files(const char *folder, const char *tokenizer,
                                  struct hash *ret_hash, struct cwm_err *err)
{
    char path[MAX_PATH_BYTES];
    struct hasher *h = NULL; /* owned */
    enum cwm_rc rc = hasher_new(&h, err);

    if (rc == CWM_OK) {
        rc = hash_folder(h, folder, err);
    }
    if (rc == CWM_OK && !tokenizer && !find_tokenizer(folder, path)) {
        rc = no_tokenizer(folder, err);
    }
    if (rc == CWM_OK) {
        rc = hash_file(h, tokenizer ? tokenizer : path, err);
    }
    if (rc == CWM_OK) {
        *ret_hash = hasher_end(h);
    }
    hasher_free(h);
    return rc;
}

/* ---- words ---- */

enum cwm_rc own_model__words_need(struct own_model__words *w,
                                  const char *folder, const char *tokenizer,
                                  struct cwm_err *err)
{
    static const char end[] = "<|end_of_text|>";
    uint32_t id;
    enum cwm_rc rc;

    if (w->encoder) {
        return CWM_OK;
    }
    rc = config_load(folder, &w->config, err);
    if (rc == CWM_OK) {
        rc = own_model_tokenizer(folder, tokenizer, &w->tokenizer, err);
    }
    if (rc == CWM_OK && tokenizer_n_ids(w->tokenizer) > w->config.vocab_size) {
        rc = CWM_FAIL(err, CWM_USAGE,
                      "the tokenizer has %u words, and the model has %u",
                      tokenizer_n_ids(w->tokenizer), w->config.vocab_size);
    }
    if (rc == CWM_OK) {
        rc = tokenizer_encoder_new(w->tokenizer, &w->encoder, err);
    }
    if (rc == CWM_OK) {
        memcpy(w->stops, w->config.stops, w->config.n_stops * sizeof *w->stops);
        w->n_stops = w->config.n_stops;
        if (tokenizer_special(w->tokenizer, end, sizeof end - 1, &id)) {
            w->stops[w->n_stops++] = id;
        }
    }
    return rc;
}

void own_model__words_release(struct own_model__words *w)
{
    tokenizer_encoder_free(w->encoder);
    trace_vocab_free(w->vocab);
    tokenizer_free(w->tokenizer);
    *w = (struct own_model__words){.n_stops = 0};
}

/* ---- prompts ---- */

static enum cwm_rc need_vocabulary(struct own_model__words *w,
                                   struct cwm_err *err)
{
    return w->vocab ? CWM_OK
                    : trace_vocab_new(w->tokenizer, w->config.vocab_size,
                                      &w->vocab, err);
}

/* Text as it is, behind the token that begins texts, where there is one. */
static enum cwm_rc text_prompt(struct own_model__words *w,
                               const struct endpoint_request *r,
                               struct token_ids *out, struct cwm_err *err)
{
    static const char begin[] = "<|begin_of_text|>";
    uint32_t id;
    enum cwm_rc rc = CWM_OK;

    if (tokenizer_special(w->tokenizer, begin, sizeof begin - 1, &id)) {
        rc = token_ids_add(out, id, err);
    }
    return rc == CWM_OK ? tokenizer_encode(w->encoder, r->prompt, r->prompt_len,
                                           false, out, err)
                        : rc;
}

enum cwm_rc own_model__prompt(struct own_model__words *w,
                              const struct endpoint_request *r,
                              struct token_ids *out, size_t *ret_n_grammar,
                              struct cwm_err *err)
{
    size_t behind = r->context_at + r->context_len;
    size_t n_head;
    enum cwm_rc rc;

    *ret_n_grammar = 0;
    if (r->context_len == 0) {
        return text_prompt(w, r, out, err);
    }
    rc = need_vocabulary(w, err);
    if (rc == CWM_OK) {
        rc = tokenizer_encode(w->encoder, r->prompt, r->context_at, true, out,
                              err);
    }
    if (rc == CWM_OK) {
        rc = tokenizer_encode(w->encoder, r->prompt + r->context_at,
                              r->context_len, false, out, err);
    }
    n_head = out->n + 1; /* and the token that ends the context */
    if (rc == CWM_OK) {
        rc = tokenizer_encode(w->encoder, r->prompt + behind,
                              r->prompt_len - behind, true, out, err);
    }
    if (rc == CWM_OK) {
        *ret_n_grammar = out->n - n_head;
    }
    return rc;
}

enum cwm_rc own_model__grammar(struct own_model__words *w,
                               const struct endpoint_request *r,
                               struct trace_grammar **ret_grammar,
                               bool *ret_is_program, struct cwm_err *err)
{
    struct source *source = NULL; /* owned */
    int entry = -1;
    enum cwm_rc rc = source_new_text(r->prompt + r->context_at, r->context_len,
                                     "program", &source, err);

    *ret_is_program = true;
    if (rc == CWM_OK) {
        rc = source_entry(source, NULL, &entry, err); /* the marker's */
    }
    if (rc == CWM_OK) {
        rc = trace_grammar_new(w->vocab, source, entry, ret_grammar, err);
    } else if (rc != CWM_NOMEM) {
        *ret_is_program = false;
        rc = CWM_OK;
    }
    source_free(source);
    return rc;
}
