/* SPDX-License-Identifier: MIT */
/*
 * fuzz_pack.c -- any bytes as the record of a trace, packed.
 *
 * The tokenizer knows the bytes and the tokens of traces, nothing else: what
 * comes out, decoded, is a trace's text again.
 */
#include <string.h>

#include "cwm/model/bpe_train.h"
#include "cwm/model/pack.h"
#include "datasets/shard.h"
#include "tests/fuzz/fuzz.h"

#define MAX_INPUT_BYTES (1u << 16)

static const struct tokenizer *tokenizer(void)
{
    static struct tokenizer *t; /* made once */
    static const struct bpe_train_options options = {.vocab_size =
                                                         BPE_TRAIN_MIN_VOCAB,
                                                     .n_threads = 1,
                                                     .min_count = 2,
                                                     .max_token_bytes = 2};
    struct bpe_trainer *trainer = NULL;

    if (!t) {
        must(bpe_trainer_new(&options, &trainer, NULL) == CWM_OK);
        must(bpe_trainer_finish(trainer, &t, NULL) == CWM_OK);
        bpe_trainer_free(trainer);
    }
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct trace_packer *p; /* used again and again, as in a run */
    struct packed_trace trace;
    enum cwm_rc rc;

    if (len > MAX_INPUT_BYTES) {
        return 0;
    }
    if (!p) {
        must(trace_packer_new(tokenizer(), &p, NULL) == CWM_OK);
    }
    rc = trace_pack(p, (const char *)data, len, &trace, NULL);
    must(rc == CWM_OK || rc == CWM_FORMAT);
    for (size_t i = 0; rc == CWM_OK && i < trace.n; i++) {
        must(trace.ids[i] < tokenizer_n_ids(tokenizer()));
        must(trace.classes[i] < SHARD_N_CLASSES);
    }
    return 0;
}
