/* SPDX-License-Identifier: MIT */
/*
 * problem_livecode.c -- records of LiveCodeBench's.
 *
 * Its programs are written for a checker that has a good part of the library
 * imported when they begin, lets them recurse deeply, and takes a function as
 * well as a class Solution with that method.  What is right there is right
 * here.
 */
#include <stdio.h>
#include <string.h>

#include "eval/problem_internal.h"

/* Modules whose names are there, in the order that decides which of two equal
 * names stays: builtins (`pow`) behind those that hide them. */
static const char *const modules[] = {
    "string",   "re",   "datetime", "collections", "heapq",     "bisect",
    "copy",     "math", "random",   "statistics",  "itertools", "functools",
    "operator", "io",   "sys",      "json",        "builtins",  "typing",
};

#define N_MODULES (sizeof modules / sizeof modules[0])

/* How deep a program may recurse, unless it says so itself. */
#define RECURSION_LIMIT 50000

static bool write_opening(struct problem *p)
{
    struct cwm_buf text;
    bool done;

    cwm_buf_init(&text, 1u << 16);
    for (size_t i = 0; i < N_MODULES; i++) {
        cwm_buf_addf(&text, "from %s import *\n", modules[i]);
    }
    /* The modules themselves, too: `datetime` is one again. */
    for (size_t i = 0; i < N_MODULES; i++) {
        cwm_buf_addf(&text, "import %s\n", modules[i]);
    }
    cwm_buf_addf(&text, "sys.setrecursionlimit(%d)\n", RECURSION_LIMIT);
    done = text.failed == CWM_OK &&
           problem__copy(&p->opening, text.data, text.len);
    cwm_buf_release(&text);
    return done;
}

/* A function that stands by itself becomes the class's. */
static bool write_setup(struct problem *p)
{
    struct cwm_buf text;
    bool done;

    cwm_buf_init(&text, 1u << 16);
    cwm_buf_addf(&text,
                 "try:\n"
                 "    Solution\n"
                 "except NameError:\n"
                 "    try:\n"
                 "        class Solution:\n"
                 "            %s = staticmethod(%s)\n"
                 "    except NameError:\n"
                 "        pass\n",
                 p->entry_point.data, p->entry_point.data);
    done =
        text.failed == CWM_OK && problem__copy(&p->setup, text.data, text.len);
    cwm_buf_release(&text);
    return done;
}

/* A list as it is, or as text; *ret_call: one of them is a call. */
static bool take_list(struct json_in *record, const char *name,
                      struct problem *p, bool *ret_call, char *why,
                      size_t why_size)
{
    struct problem_text text = {NULL, 0};
    struct cwm_buf unpacked;
    struct json_in list;
    bool done;

    if (json_find(record, name, &list) && json_peek(&list) == '[') {
        return problem__take_cases(&list, p, ret_call);
    }
    done = problem__member(record, name, &text);
    cwm_buf_init(&unpacked, (size_t)1 << 30);
    if (done && text.data && !problem__is_blank(&text)) {
        list = (struct json_in){.text = text.data, .len = text.len};
        if (!json_whole(&list)) {
            if (problem__unpack(text.data, text.len, &unpacked, why,
                                why_size)) {
                list =
                    (struct json_in){.text = unpacked.data ? unpacked.data : "",
                                     .len = unpacked.len};
            }
            done = unpacked.failed != CWM_NOMEM;
        }
        if (done && !why[0] && !json_whole(&list)) {
            snprintf(why, why_size, "%s are no JSON", name);
        }
        done = done && (why[0] || problem__take_cases(&list, p, ret_call));
    }
    cwm_buf_release(&unpacked);
    problem__text_release(&text);
    return done;
}

static bool take_cases(struct json_in *record, const char *name,
                       struct problem *p, char *why, size_t why_size)
{
    bool is_call = false;
    bool done = take_list(record, name, p, &is_call, why, why_size);

    if (is_call && !p->is_method && !why[0]) {
        snprintf(why, why_size,
                 "functional tests, and no func_name in metadata");
    }
    return done;
}

/* metadata: {"func_name": "f"}, or as text; then the cases are calls. */
static bool take_function(struct json_in *record, struct problem *p)
{
    struct problem_text text = {NULL, 0};
    struct json_in in;
    bool done = problem__member(record, "metadata", &text);

    if (done && text.data) {
        in = (struct json_in){.text = text.data, .len = text.len};
        done = problem__member(&in, "func_name", &p->entry_point);
    } else if (done && json_find(record, "metadata", &in)) {
        done = problem__member(&in, "func_name", &p->entry_point);
    }
    problem__text_release(&text);
    p->is_method = p->entry_point.len > 0;
    if (done && p->is_method) {
        return write_setup(p);
    }
    return done &&
           (p->entry_point.data || problem__copy(&p->entry_point, "", 0));
}

/* A problem with a part of its tests would be another one: `why` says what
 * cannot be read. */
bool problem__livecode(struct json_in *record, struct problem *p, char *why,
                       size_t why_size)
{
    p->whole_canonical = true;
    return problem__member(record, "question_id", &p->task_id) &&
           problem__member(record, "question_content", &p->description) &&
           problem__copy(&p->prompt, "", 0) && write_opening(p) &&
           take_function(record, p) &&
           take_cases(record, "public_test_cases", p, why, why_size) &&
           take_cases(record, "private_test_cases", p, why, why_size);
}
