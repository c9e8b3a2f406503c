/* SPDX-License-Identifier: MIT */
/*
 * write_programs.c N [SEED [EXCEPTION_PERMILLE]] -- generated programs as jobs.
 *
 * One line for each program and input, as `cwm trace --jobs` reads them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/generate.h"

static void write_job(const struct cwm_buf *source, const struct generated *g,
                      uint64_t index, size_t input)
{
    struct cwm_buf line;

    cwm_buf_init(&line, 1 << 22);
    cwm_buf_addf(&line, "{\"id\": \"%" PRIu64 ".%zu\", \"source\": ", index,
                 input);
    cwm_buf_add_json(&line, source->data, source->len);
    cwm_buf_addf(&line, ", \"entry\": \"%s\", \"args\": ", g->entry);
    cwm_buf_add_json(&line, g->args[input], strlen(g->args[input]));
    cwm_buf_adds(&line, "}\n");
    fwrite(line.data, 1, line.len, stdout);
    cwm_buf_release(&line);
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 10;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    struct generate_settings settings;
    struct generated g;
    struct cwm_buf source;
    struct cwm_err err = {0};

    generate_settings_default(&settings);
    if (argc > 3) {
        settings.exception_permille = (uint32_t)strtoul(argv[3], NULL, 10);
    }
    generated_init(&g);
    cwm_buf_init(&source, 1 << 20);
    for (uint64_t i = 0; i < n; i++) {
        if (generate_program(&settings, seed, i, &source, &g, &err) != CWM_OK) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
        for (size_t k = 0; k < g.n_args; k++) {
            write_job(&source, &g, i, k);
        }
    }
    generated_release(&g);
    cwm_buf_release(&source);
    return 0;
}
