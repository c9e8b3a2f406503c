/* SPDX-License-Identifier: MIT */
/*
 * bench_tokenizer.c TOKENIZER TEXTS.jsonl [ROUNDS] -- encoding speed.
 *
 * Encodes the "text" of every line, as ordinary text, one thread.  Prints one
 * JSON object: bytes, tokens, MB/s of CPU time in the median and best round,
 * and the sum of ids by which two tokenizers can be seen to have done the same
 * work.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cwm/base/lines.h"
#include "cwm/model/tokenizer.h"

enum { MAX_LINE_BYTES = 1 << 26, MAX_ROUNDS = 1000, DEFAULT_ROUNDS = 15 };

struct texts {
    json_t **roots; /* owned */
    const char **texts;
    size_t *lens;
    size_t n;
    size_t n_bytes;
};

static void die(const char *what)
{
    fprintf(stderr, "bench_tokenizer: %s\n", what);
    exit(3);
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void read_texts(const char *path, struct texts *t)
{
    struct lines *lines = NULL;
    struct cwm_err err;
    struct line line;
    bool more;

    if (lines_open(path, MAX_LINE_BYTES, NULL, &lines, &err) != CWM_OK) {
        die(err.message);
    }
    while (lines_next(lines, &line, &more, &err) == CWM_OK && more) {
        json_t *root = json_loadb(line.text, line.len, JSON_ALLOW_NUL, NULL);
        const json_t *text = json_object_get(root, "text");

        if (!json_is_string(text)) {
            die("a line has no \"text\"");
        }
        t->roots = realloc(t->roots, (t->n + 1) * sizeof *t->roots);
        t->texts = realloc(t->texts, (t->n + 1) * sizeof *t->texts);
        t->lens = realloc(t->lens, (t->n + 1) * sizeof *t->lens);
        if (!t->roots || !t->texts || !t->lens) {
            die("out of memory");
        }
        t->roots[t->n] = root;
        t->texts[t->n] = json_string_value(text);
        t->lens[t->n] = json_string_length(text);
        t->n_bytes += t->lens[t->n++];
    }
    lines_close(lines);
}

static int ascending(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;

    return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
    struct tokenizer *t = NULL;
    struct tokenizer_encoder *e = NULL;
    struct texts texts = {0};
    struct token_ids ids = {0};
    struct cwm_err err;
    double seconds[MAX_ROUNDS];
    long n_rounds = argc > 3 ? strtol(argv[3], NULL, 10) : DEFAULT_ROUNDS;
    unsigned long long sum = 0;
    size_t i;
    long round;

    if (argc < 3 || n_rounds < 1 || n_rounds > MAX_ROUNDS) {
        die("usage: bench_tokenizer TOKENIZER TEXTS.jsonl [ROUNDS]");
    }
    if (tokenizer_load(argv[1], &t, &err) != CWM_OK ||
        tokenizer_encoder_new(t, &e, &err) != CWM_OK) {
        die(err.message);
    }
    read_texts(argv[2], &texts);
    for (round = 0; round < n_rounds; round++) {
        seconds[round] = seconds_now();
        ids.n = 0;
        for (i = 0; i < texts.n; i++) {
            if (tokenizer_encode(e, texts.texts[i], texts.lens[i], false, &ids,
                                 &err) != CWM_OK) {
                die(err.message);
            }
        }
        seconds[round] = seconds_now() - seconds[round];
    }
    for (i = 0; i < ids.n; i++) {
        sum += ids.ids[i];
    }
    qsort(seconds, (size_t)n_rounds, sizeof *seconds, ascending);
    printf("{\"bytes\": %zu, \"tokens\": %zu, \"id_sum\": %llu, "
           "\"median_mb_s\": %.2f, \"best_mb_s\": %.2f}\n",
           texts.n_bytes, ids.n, sum,
           1e-6 * (double)texts.n_bytes / seconds[n_rounds / 2],
           1e-6 * (double)texts.n_bytes / seconds[0]);
    for (i = 0; i < texts.n; i++) {
        json_decref(texts.roots[i]);
    }
    free(texts.roots);
    free(texts.texts);
    free(texts.lens);
    token_ids_release(&ids);
    tokenizer_encoder_free(e);
    tokenizer_free(t);
    return 0;
}
