/* SPDX-License-Identifier: MIT */
/* tokenizer_pcre.h -- PCRE2 for bytes, where regular expressions are run. */
#ifndef CWM_MODEL_TOKENIZER_PCRE_H
#define CWM_MODEL_TOKENIZER_PCRE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#endif /* CWM_MODEL_TOKENIZER_PCRE_H */
