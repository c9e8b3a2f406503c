/* SPDX-License-Identifier: MIT */
/*
 * code_ask.h -- problems put to a model, whose programs are the candidates.
 *
 * Continued texts: HumanEval's prompt is continued as it is, until the function
 * is over; of other problems the task stands in a docstring
 * (eval/prompts/code_text.txt), and a whole program comes behind it.
 * Chats: the task in words (eval/prompts/code_chat.txt); the fenced code of the
 * answer is the program.
 */
#ifndef EVAL_CODE_ASK_H
#define EVAL_CODE_ASK_H

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "eval/ask.h"
#include "eval/problem.h"

/* Append the prompt of one problem.  Fails: CWM_USAGE (nothing says what its
 * task is), CWM_NOMEM, CWM_LIMIT. */
enum cwm_rc code_prompt(const struct problem *p, bool is_chat,
                        struct cwm_buf *out, struct cwm_err *err);

/* Append the program in what a model wrote; *ret_found false: there is none. */
enum cwm_rc code_answer(bool is_chat, const char *text, size_t len,
                        struct cwm_buf *out, bool *ret_found,
                        struct cwm_err *err);

/* As ask_samples(); fails as code_prompt(), too. */
enum cwm_rc code_ask(const struct problem_set *problems,
                     const struct ask_settings *settings,
                     struct sample_set *ret_samples,
                     struct ask_counts *ret_counts, struct cwm_err *err);

#endif /* EVAL_CODE_ASK_H */
