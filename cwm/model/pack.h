/* SPDX-License-Identifier: MIT */
/*
 * pack.h -- a trace's record (docs/formats.md section 5) as token ids.
 *
 * The ids are those of the text form (section 4): the tokens that frame it are
 * put in by their ids, all text between them is encoded without looking for
 * special tokens, so that a program cannot forge a frame.  LOCALS and VALUE
 * are written anew from the record's strings: a record that another program
 * has written in its own spacing gives the same ids.
 *
 * `<|end_of_text|>` is put behind a trace that came to its end (verdicts ok,
 * exception, exit), not behind one that was stopped: a model would learn to
 * stop there, too.
 *
 * Threads: a packer is used by one at a time; the tokenizer is shared.
 */
#ifndef CWM_MODEL_PACK_H
#define CWM_MODEL_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "cwm/model/tokenizer.h"

struct trace_packer; /* opaque: pack.c */

/* Borrowed from the packer until its next call. */
struct packed_trace {
    const uint32_t *ids;    /* [n] */
    const uint8_t *classes; /* [n]; enum shard_class of datasets/shard.h */
    size_t n;               /* 0: the record has no frames */
    /* Of the program without its marker and without the main() that
     * --wrap-main adds: the same for all calls of one program. */
    uint64_t program_hash;
};

/*
 * `t` is borrowed.  Fails: CWM_USAGE (the tokenizer lacks one of the tokens
 * that frame a trace: it is named), CWM_NOMEM.
 */
enum cwm_rc trace_packer_new(const struct tokenizer *t,
                             struct trace_packer **ret_packer,
                             struct cwm_err *err);
void trace_packer_free(struct trace_packer *p); /* NULL is fine */

/*
 * One record: a JSON object.  Fails: CWM_FORMAT (it is no record of a trace:
 * the message says why), CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc trace_pack(struct trace_packer *p, const char *record, size_t len,
                       struct packed_trace *ret_trace, struct cwm_err *err);

#endif /* CWM_MODEL_PACK_H */
