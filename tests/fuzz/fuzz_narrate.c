/* SPDX-License-Identifier: MIT */
/*
 * fuzz_narrate.c -- any bytes as a narration: read, or refused with a reason;
 * every fact that is read lies within the narration's own memory.
 */
#include <string.h>

#include "datasets/narrate.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct narration *n = NULL; /* owned */
    const struct narrate_fact *facts;
    struct cwm_err err = {0};
    size_t n_facts = 0;
    uint64_t sum = 0;

    if (narrate_read((const char *)data, len, &n, &err) != CWM_OK) {
        must(err.code == CWM_FORMAT && err.message[0] != '\0');
        return 0;
    }
    facts = narration_facts(n, &n_facts);
    for (size_t i = 0; i < n_facts; i++) {
        must((facts[i].name == NULL) <= (facts[i].name_len == 0));
        for (size_t k = 0; k < facts[i].name_len; k++) {
            sum += (unsigned char)facts[i].name[k];
        }
        for (size_t k = 0; k < facts[i].value_len; k++) {
            sum += (unsigned char)facts[i].value[k];
        }
    }
    must(sum <= len * UINT64_C(255) * 4);
    narration_free(n);
    return 0;
}
