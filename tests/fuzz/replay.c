/* SPDX-License-Identifier: MIT */
/*
 * replay.c -- a fuzz target run over the files of its corpus.
 *
 *     replay_NAME FOLDER...
 *
 * The name of each file is printed before it is run, so the last one is the
 * culprit when the target stops.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define MAX_INPUT_BYTES (1u << 20)

/* Run one file; -1 when it cannot be read. */
static int replay_file(const char *path)
{
    uint8_t *data = malloc(MAX_INPUT_BYTES); /* owned */
    uint8_t *exact = NULL;                   /* owned: ASan sees its end */
    FILE *f = fopen(path, "rb");
    size_t n;
    int result = -1;

    if (!data || !f) {
        perror(path);
        goto out;
    }
    n = fread(data, 1, MAX_INPUT_BYTES, f);
    exact = malloc(n ? n : 1);
    if (!exact) {
        perror(path);
        goto out;
    }
    memcpy(exact, data, n);
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(exact, n);
    result = 0;
out:
    free(exact);
    free(data);
    if (f) {
        fclose(f);
    }
    return result;
}

/* The number of files run, or -1. */
static int replay_folder(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *entry;
    char path[4096];
    int n = 0;

    if (!d) {
        perror(folder);
        return -1;
    }
    while (n >= 0 && (entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        n = replay_file(path) == 0 ? n + 1 : -1;
    }
    closedir(d);
    return n;
}

int main(int argc, char **argv)
{
    int i;

    if (argc < 2) {
        fprintf(stderr, "replay: which folders?\n");
        return 2;
    }
    for (i = 1; i < argc; i++) {
        if (replay_folder(argv[i]) <= 0) {
            fprintf(stderr, "replay: nothing was run in %s\n", argv[i]);
            return 1;
        }
    }
    return 0;
}
