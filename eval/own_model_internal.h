/* SPDX-License-Identifier: MIT */
/* own_model_internal.h -- what own_model*.c share: a checkpoint's words. */
#ifndef EVAL_OWN_MODEL_INTERNAL_H
#define EVAL_OWN_MODEL_INTERNAL_H

#include "cwm/model/config.h"
#include "cwm/model/trace_vocab.h"
#include "datasets/hash.h"
#include "eval/own_model.h"

/* Zeroed: nothing is loaded yet. */
struct own_model__words {
    struct tokenizer *tokenizer;       /* owned */
    struct tokenizer_encoder *encoder; /* owned */
    struct trace_vocab *vocab;         /* owned; made for the first trace */
    struct model_config config;
    uint32_t stops[MODEL_MAX_STOPS + 1]; /* the model's, and the text's end */
    size_t n_stops;
};

/* Load what is not there: shape, tokenizer. */
enum cwm_rc own_model__words_need(struct own_model__words *w,
                                  const char *folder, const char *tokenizer,
                                  struct cwm_err *err);
void own_model__words_release(struct own_model__words *w);

/* Over the contents of the files that an answer depends on. */
enum cwm_rc own_model__hash_files(const char *folder, const char *tokenizer,
                                  struct hash *ret_hash, struct cwm_err *err);

/* The request's prompt; *ret_n_grammar: its last tokens, behind the context. */
enum cwm_rc own_model__prompt(struct own_model__words *w,
                              const struct endpoint_request *r,
                              struct token_ids *out, size_t *ret_n_grammar,
                              struct cwm_err *err);
/* Of the context's program.  *ret_is_program false: there is no entry in it. */
enum cwm_rc own_model__grammar(struct own_model__words *w,
                               const struct endpoint_request *r,
                               struct trace_grammar **ret_grammar,
                               bool *ret_is_program, struct cwm_err *err);

#endif /* EVAL_OWN_MODEL_INTERNAL_H */
