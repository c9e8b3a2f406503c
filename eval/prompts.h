/* SPDX-License-Identifier: MIT */
/* prompts.h -- the texts of eval/prompts/, built in; each ends in a NUL. */
#ifndef EVAL_PROMPTS_H
#define EVAL_PROMPTS_H

extern const char prompt_cruxeval_output[];
extern const char prompt_cruxeval_input[];
extern const char prompt_code_text[];
extern const char prompt_code_chat[];

#endif /* EVAL_PROMPTS_H */
