/* SPDX-License-Identifier: MIT */
/*
 * source_dump.c -- what source.h says about programs, for the scripts beside
 * this one.
 *
 * Standard input: requests, each a line "WHAT\tNAME\tLENGTH\n" and LENGTH
 * bytes of program.  WHAT: "defs", "text" (decoded), "context" (of the entry
 * NAME; empty: where the marker stands).  Standard output: a JSON object each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracer/source.h"

static void put_text(const char *key, const char *text, size_t len)
{
    struct cwm_buf out;

    cwm_buf_init(&out, (size_t)1 << 30);
    cwm_buf_add_json(&out, text, len);
    printf("\"%s\": %s", key, out.data);
    cwm_buf_release(&out);
}

static void put_defs(const struct source *s)
{
    const struct source_error *error = source_syntax_error(s);
    size_t n;
    const struct source_def *defs = source_defs(s, &n);

    printf("\"lines\": %u, \"first_code\": %u, \"syntax\": [%u, %u], ",
           source_n_lines(s), source_first_code_line(s),
           error ? error->line : 0, error ? error->column : 0);
    printf("\"defs\": [");
    for (size_t i = 0; i < n; i++) {
        const struct source_def *d = &defs[i];

        printf("%s{\"kind\": %d, ", i ? ", " : "", (int)d->kind);
        put_text("qualname", d->qualname, strlen(d->qualname));
        printf(", \"first\": %u, \"def\": %u, \"colon\": %u, \"body\": %u, "
               "\"last\": %u, \"params\": %u, \"at\": [%d, %d]}",
               d->first_line, d->def_line, d->header_end_line, d->body_line,
               d->last_line, d->n_params, source_def_at(s, d->first_line),
               source_def_at(s, d->last_line));
    }
    printf("]");
}

static void put_context(const struct source *s, const char *name)
{
    struct cwm_err err = {0};
    struct cwm_buf out;
    int at = -1;
    uint32_t line;

    cwm_buf_init(&out, (size_t)1 << 30);
    if (source_entry(s, name[0] ? name : NULL, &at, &err) != CWM_OK) {
        put_text("error", err.message, strlen(err.message));
        return;
    }
    line = at < 0 ? source_first_code_line(s)
                  : source_defs(s, &(size_t){0})[at].def_line;
    if (source_context(s, line, &out, &err) != CWM_OK) {
        put_text("error", err.message, strlen(err.message));
    } else {
        put_text("context", out.data, out.len);
    }
    cwm_buf_release(&out);
}

static void answer(const char *what, const char *name, const char *data,
                   size_t len)
{
    struct source *s = NULL;
    struct cwm_err err = {0};

    printf("{");
    if (source_new(data, len, "file.py", &s, &err) != CWM_OK) {
        put_text("error", err.message, strlen(err.message));
    } else if (strcmp(what, "text") == 0) {
        const char *text = source_text(s, &len);

        put_text("text", text, len);
    } else if (strcmp(what, "context") == 0) {
        put_context(s, name);
    } else {
        put_defs(s);
    }
    printf("}\n");
    source_free(s);
}

int main(void)
{
    char *line = NULL; /* owned by getline and us */
    size_t capacity = 0;

    while (getline(&line, &capacity, stdin) > 0) {
        char *name = strchr(line, '\t');
        char *length = name ? strchr(name + 1, '\t') : NULL;
        size_t len;
        char *data;

        if (!length) {
            fprintf(stderr, "source_dump: no request: %s", line);
            return 2;
        }
        *name++ = '\0';
        *length++ = '\0';
        len = strtoul(length, NULL, 10);
        data = malloc(len + 1);
        if (!data || fread(data, 1, len, stdin) != len) {
            fprintf(stderr, "source_dump: a program is cut short\n");
            return 2;
        }
        answer(line, name, data, len);
        free(data);
    }
    free(line);
    return 0;
}
