/* SPDX-License-Identifier: MIT */
/* workers.c -- finding worker programs, asking them, choosing one. */
#include "tracer/workers.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "tracer/run_program.h"

#define WORKER_PREFIX "cwm-worker-"

enum {
    MAX_WORKERS = 32,
    ASK_TIMEOUT_MS = 30000, /* a cold interpreter on a busy machine */
    MAX_ANSWER_BYTES = 1 << 20
};

/* A worker program by its name, not asked yet. */
struct candidate {
    unsigned major, minor;
    char path[sizeof((struct tracer_worker *)NULL)->path];
};

struct candidates {
    struct candidate list[MAX_WORKERS];
    size_t n;
};

/* What an interpreter says it is. */
struct interpreter {
    unsigned major, minor;
    char version[16]; /* "3.11.2"; "" when only the minor is known */
    char prefix[PATH_MAX];
    char path[PATH_MAX]; /* absolute; "" when chosen by version */
};

/* ---- the folder ---- */

static bool has_workers(const char *folder)
{
    struct dirent *entry;
    bool found = false;
    DIR *d = opendir(folder);

    while (d && !found && (entry = readdir(d)) != NULL) {
        found =
            strncmp(entry->d_name, WORKER_PREFIX, strlen(WORKER_PREFIX)) == 0;
    }
    if (d) {
        closedir(d);
    }
    return found;
}

/* Where workers lie: as told, else beside this program, else the installed
 * place. */
static void find_folder(const char *told, char *folder, size_t size)
{
    const char *variable = getenv("CWM_WORKER_DIR");
    char self[PATH_MAX - sizeof "/../libexec/cwm"];
    ssize_t n;
    char *slash;

    if (told || (variable && variable[0])) {
        snprintf(folder, size, "%s", told ? told : variable);
        return;
    }
    n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash) {
        *slash = '\0';
    }
    snprintf(folder, size, "%s", self);
    if (!has_workers(folder)) {
        snprintf(folder, size, "%s/../libexec/cwm", self);
    }
    if (!has_workers(folder)) {
        snprintf(folder, size, "%s", self);
    }
}

static int by_version(const void *a, const void *b)
{
    const struct candidate *x = a;
    const struct candidate *y = b;

    if (x->major != y->major) {
        return x->major < y->major ? -1 : 1;
    }
    return x->minor < y->minor ? -1 : x->minor > y->minor;
}

static void list_candidates(const char *folder, struct candidates *found)
{
    struct dirent *entry;
    DIR *d = opendir(folder);

    found->n = 0;
    while (d && found->n < MAX_WORKERS && (entry = readdir(d)) != NULL) {
        struct candidate *c = &found->list[found->n];
        int end = 0;
        int n;

        if (sscanf(entry->d_name, WORKER_PREFIX "%2u.%3u%n", &c->major,
                   &c->minor, &end) != 2 ||
            entry->d_name[end] != '\0') {
            continue;
        }
        n = snprintf(c->path, sizeof c->path, "%s/%s", folder, entry->d_name);
        if (n > 0 && (size_t)n < sizeof c->path && access(c->path, X_OK) == 0) {
            found->n++;
        }
    }
    if (d) {
        closedir(d);
    }
    qsort(found->list, found->n, sizeof found->list[0], by_version);
}

/* ---- asking ---- */

static enum cwm_rc take_text(const json_t *object, const char *key, char *to,
                             size_t size, struct cwm_err *err)
{
    const char *text = json_string_value(json_object_get(object, key));

    if (!text || strlen(text) >= size) {
        return CWM_FAIL(err, CWM_FORMAT, "a worker does not say its '%s'", key);
    }
    memcpy(to, text, strlen(text) + 1);
    return CWM_OK;
}

static enum cwm_rc take_paths(const json_t *object, struct worker_program *w,
                              struct cwm_err *err)
{
    const json_t *array = json_object_get(object, "read_paths");
    size_t n = json_array_size(array);

    if (!json_is_array(array)) {
        return CWM_FAIL(err, CWM_FORMAT, "a worker does not say its '%s'",
                        "read_paths");
    }
    w->read_paths = cwm_calloc(n + 1, sizeof *w->read_paths);
    for (size_t i = 0; w->read_paths && i < n; i++) {
        const char *path = json_string_value(json_array_get(array, i));

        if (!path) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "a worker's read path %zu is no text", i);
        }
        w->read_paths[i] = cwm_strdup(path);
        if (!w->read_paths[i]) {
            return CWM_FAIL(err, CWM_NOMEM, "could not take a worker's paths");
        }
    }
    return w->read_paths
               ? CWM_OK
               : CWM_FAIL(err, CWM_NOMEM, "could not take a worker's paths");
}

/* The answer is the line that starts with '{': warnings may stand before. */
static enum cwm_rc read_answer(const char *text, struct worker_program *w,
                               struct cwm_err *err)
{
    const char *line = text;
    json_t *object;
    enum cwm_rc rc;

    while (line && *line && *line != '{') {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    object = line ? json_loadb(line, strcspn(line, "\n"), 0, NULL) : NULL;
    if (!object) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot understand what '%s' says of itself",
                        w->about.path);
    }
    rc = take_text(object, "version", w->about.version, sizeof w->about.version,
                   err);
    if (rc == CWM_OK) {
        rc = take_text(object, "prefix", w->about.prefix,
                       sizeof w->about.prefix, err);
    }
    if (rc == CWM_OK) {
        rc = take_paths(object, w, err);
    }
    json_decref(object);
    return rc;
}

/* Ask the worker program at `path`; python: "" or an absolute path. */
static enum cwm_rc ask(const char *path, const char *python,
                       struct worker_program *w, struct cwm_err *err)
{
    char *argv[5] = {NULL};
    char about[] = "--about";
    char option[] = "--python";
    struct cwm_buf out;
    enum cwm_rc rc;

    memset(w, 0, sizeof *w);
    snprintf(w->about.path, sizeof w->about.path, "%s", path);
    argv[0] = w->about.path;
    argv[1] = about;
    if (python[0]) {
        w->python = cwm_strdup(python);
        if (!w->python) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold a path");
        }
        argv[2] = option;
        argv[3] = w->python;
    }
    cwm_buf_init(&out, MAX_ANSWER_BYTES);
    rc = run_program(argv, false, ASK_TIMEOUT_MS, &out, err);
    if (rc == CWM_OK) {
        rc = read_answer(out.data ? out.data : "", w, err);
    }
    cwm_buf_release(&out);
    if (rc != CWM_OK) {
        worker_program_release(w);
    }
    return rc;
}

void worker_program_release(struct worker_program *w)
{
    for (size_t i = 0; w->read_paths && w->read_paths[i]; i++) {
        cwm_free(w->read_paths[i]);
    }
    cwm_free(w->read_paths);
    cwm_free(w->python);
    memset(w, 0, sizeof *w);
}

/* ---- which interpreter is meant ---- */

/* "3.10" or "3.10.13"; false: no version. */
static bool parse_version(const char *text, struct interpreter *it)
{
    unsigned micro;
    int end = 0;

    if (sscanf(text, "%2u.%3u%n", &it->major, &it->minor, &end) == 2 &&
        text[end] == '\0') {
        return true;
    }
    if (sscanf(text, "%2u.%3u.%3u%n", &it->major, &it->minor, &micro, &end) ==
            3 &&
        text[end] == '\0') {
        snprintf(it->version, sizeof it->version, "%u.%u.%u", it->major,
                 it->minor, micro);
        return true;
    }
    return false;
}

/* An absolute path for a command or path as typed; links are kept: a virtual
 * environment is known by the link's own place. */
static bool absolute_path(const char *typed, char *path, size_t size)
{
    const char *search = getenv("PATH");
    char folder[PATH_MAX];

    if (strchr(typed, '/')) {
        if (typed[0] == '/') {
            return snprintf(path, size, "%s", typed) < (int)size;
        }
        return getcwd(folder, sizeof folder) &&
               snprintf(path, size, "%s/%s", folder, typed) < (int)size;
    }
    while (search && *search) {
        size_t len = strcspn(search, ":");

        if (len > 0 &&
            snprintf(path, size, "%.*s/%s", (int)len, search, typed) <
                (int)size &&
            access(path, X_OK) == 0) {
            return true;
        }
        search += len + (search[len] == ':');
    }
    return false;
}

/* Copy the line at *text to `to`; *text then stands behind it. */
static bool take_line(const char **text, char *to, size_t size)
{
    size_t len = strcspn(*text, "\n");

    if (len == 0 || len >= size) {
        return false;
    }
    memcpy(to, *text, len);
    to[len] = '\0';
    *text += len + ((*text)[len] == '\n');
    return true;
}

/* What the program below printed; the interpreter's own path replaces the
 * one that was typed, which may be a wrapper's. */
static bool read_interpreter(const char *answer, struct interpreter *it)
{
    unsigned micro;
    int at = 0;

    answer = strstr(answer, "cwm ");
    if (!answer || sscanf(answer, "cwm %2u %3u %3u\n%n", &it->major, &it->minor,
                          &micro, &at) != 3) {
        return false;
    }
    answer += at;
    return at > 0 && take_line(&answer, it->prefix, sizeof it->prefix) &&
           take_line(&answer, it->path, sizeof it->path) && it->path[0] == '/';
}

static enum cwm_rc ask_interpreter(const char *typed, struct interpreter *it,
                                   struct cwm_err *err)
{
    char isolated[] = "-IS";
    char command[] = "-c";
    char program[] = "import sys\n"
                     "print('cwm', *sys.version_info[:3])\n"
                     "print(sys.base_prefix)\n"
                     "print(sys.executable)";
    char *argv[] = {it->path, isolated, command, program, NULL};
    struct cwm_buf out;
    enum cwm_rc rc;

    if (!absolute_path(typed, it->path, sizeof it->path) ||
        access(it->path, X_OK) != 0) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot use '%s' as the interpreter: %s", typed,
                        strerror(strchr(typed, '/') ? errno : ENOENT));
    }
    cwm_buf_init(&out, MAX_ANSWER_BYTES);
    rc = run_program(argv, true, ASK_TIMEOUT_MS, &out, err);
    if (rc != CWM_NOMEM &&
        (rc != CWM_OK || !out.data || !read_interpreter(out.data, it))) {
        rc = CWM_FAIL(err, CWM_USAGE,
                      "cannot use '%s' as the interpreter: it does not answer "
                      "as a Python does",
                      typed);
    }
    cwm_buf_release(&out);
    return rc;
}

/* The system's: what /usr/bin/python3 stands for; else the newest there is. */
static void default_interpreter(const struct candidates *found,
                                struct interpreter *it)
{
    const struct candidate *newest = &found->list[found->n - 1];
    char target[PATH_MAX];
    ssize_t n = readlink("/usr/bin/python3", target, sizeof target - 1);
    const char *name;

    target[n > 0 ? n : 0] = '\0';
    name = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
    if (sscanf(name, "python%2u.%3u", &it->major, &it->minor) == 2) {
        for (size_t i = 0; i < found->n; i++) {
            if (found->list[i].major == it->major &&
                found->list[i].minor == it->minor) {
                return;
            }
        }
    }
    it->major = newest->major;
    it->minor = newest->minor;
}

/* ---- choosing ---- */

static bool same_folder(const char *a, const char *b)
{
    char real_a[PATH_MAX];
    char real_b[PATH_MAX];

    return realpath(a, real_a) && realpath(b, real_b) &&
           strcmp(real_a, real_b) == 0;
}

static bool fits(const struct worker_program *w, const struct interpreter *it)
{
    if (it->version[0] && strcmp(it->version, w->about.version) != 0) {
        return false;
    }
    return !it->prefix[0] || same_folder(it->prefix, w->about.prefix);
}

static enum cwm_rc none_fits(const struct candidates *found, const char *python,
                             const struct interpreter *it, struct cwm_err *err)
{
    char list[300] = "";
    char what[120];

    for (size_t i = 0; i < found->n; i++) {
        size_t used = strlen(list);
        struct worker_program w;

        if (ask(found->list[i].path, "", &w, NULL) == CWM_OK) {
            snprintf(list + used, sizeof list - used, "%s%s (%s)",
                     used ? ", " : "", w.about.version, w.about.prefix);
            worker_program_release(&w);
        }
    }
    snprintf(what, sizeof what, "%u.%u%s%.80s", it->major, it->minor,
             it->prefix[0] ? " of " : "", it->prefix);
    return CWM_FAIL(err, CWM_MISSING,
                    "no worker was built for '%s' (Python %s); there are: "
                    "%s\nbuild one with cmake -DCWM_PYTHONS=PATH (needs that "
                    "Python's headers and library)",
                    python, what, list[0] ? list : "none");
}

/* The jail has a /tmp of its own, so nothing there can be shown in it. */
static enum cwm_rc check_visible(const struct worker_program *w,
                                 struct cwm_err *err)
{
    for (size_t i = 0; w->read_paths[i]; i++) {
        if (strncmp(w->read_paths[i], "/tmp/", 5) == 0) {
            return CWM_FAIL(err, CWM_USAGE,
                            "cannot use the interpreter '%s': it needs '%s', "
                            "and the jail has a /tmp of its own",
                            w->python ? w->python : w->about.path,
                            w->read_paths[i]);
        }
    }
    return CWM_OK;
}

static enum cwm_rc none_there(const char *folder, struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_MISSING,
                    "there is no " WORKER_PREFIX "X.Y in '%s'\nbuild cwm with "
                    "a Python's headers there (python3-dev), or name the "
                    "folder in CWM_WORKER_DIR",
                    folder);
}

enum cwm_rc worker_program_find(const struct tracer_options *options,
                                struct worker_program *ret_worker,
                                struct cwm_err *err)
{
    struct interpreter it = {.major = 0};
    struct candidates found;
    char folder[PATH_MAX];
    enum cwm_rc rc = CWM_OK;

    find_folder(options->worker_dir, folder, sizeof folder);
    list_candidates(folder, &found);
    if (found.n == 0) {
        return none_there(folder, err);
    }
    if (!options->python) {
        default_interpreter(&found, &it);
    } else if (!parse_version(options->python, &it)) {
        rc = ask_interpreter(options->python, &it, err);
    }
    for (size_t i = 0; i < found.n && rc == CWM_OK; i++) {
        struct worker_program w;
        bool good;

        if (found.list[i].major != it.major ||
            found.list[i].minor != it.minor) {
            continue;
        }
        /* What it was built against it says only when it is asked alone. */
        rc = ask(found.list[i].path, "", &w, err);
        good = rc == CWM_OK && fits(&w, &it);
        if (good && it.path[0]) {
            worker_program_release(&w);
            rc = ask(found.list[i].path, it.path, &w, err);
        }
        if (good && rc == CWM_OK) {
            rc = check_visible(&w, err);
        }
        if (good && rc == CWM_OK) {
            *ret_worker = w;
            return CWM_OK;
        }
        worker_program_release(&w);
    }
    return rc != CWM_OK ? rc : none_fits(&found, options->python, &it, err);
}

enum cwm_rc tracer_workers(const char *worker_dir,
                           struct tracer_worker **ret_workers, size_t *ret_n,
                           struct cwm_err *err)
{
    struct candidates found;
    struct tracer_worker *list; /* owned until handed over */
    char folder[PATH_MAX];
    enum cwm_rc rc = CWM_OK;
    size_t n = 0;

    find_folder(worker_dir, folder, sizeof folder);
    list_candidates(folder, &found);
    if (found.n == 0) {
        return none_there(folder, err);
    }
    list = cwm_calloc(found.n, sizeof *list);
    if (!list) {
        return CWM_FAIL(err, CWM_NOMEM, "could not list the workers");
    }
    for (size_t i = 0; i < found.n && rc != CWM_NOMEM; i++) {
        struct worker_program w;

        rc = ask(found.list[i].path, "", &w, err);
        if (rc == CWM_OK) {
            list[n++] = w.about;
            worker_program_release(&w);
        }
    }
    if (rc == CWM_NOMEM || n == 0) {
        cwm_free(list);
        return rc;
    }
    *ret_workers = list;
    *ret_n = n;
    return CWM_OK;
}
