/* SPDX-License-Identifier: MIT */
/* streams.c -- the standard streams made ahead, and a write() that counts. */
#include "tracer/worker/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tracer/worker/home.h"
#include "tracer/worker/hook.h"

#define N_STREAMS 3

/* What of a descriptor a stream object was made to fit. */
struct fd_kind {
    mode_t type;
    blksize_t block_bytes;
};

static struct {
    PyObject *encoding[N_STREAMS];   /* owned: of sys.stdin, stdout, stderr */
    PyObject *errors[N_STREAMS];     /* owned */
    const PyObject *made[N_STREAMS]; /* addresses of this run's streams */
    struct fd_kind kinds[N_STREAMS]; /* that they were made for */
    uint64_t left_bytes;             /* of the output limit; atomic */
    struct record_writer *records;   /* borrowed; NULL: nothing is counted */
} streams;

static const char *const names[N_STREAMS] = {"stdin", "stdout", "stderr"};

/* ---- making streams ---- */

/* The encodings that the interpreter chose. */
static bool note_encodings(void)
{
    for (int fd = 0; fd < N_STREAMS; fd++) {
        PyObject *stream = PySys_GetObject(names[fd]); /* borrowed */
        if (!stream || stream == Py_None) {
            PyErr_Format(PyExc_RuntimeError, "no sys.%s", names[fd]);
            return false;
        }
        streams.encoding[fd] = PyObject_GetAttrString(stream, "encoding");
        streams.errors[fd] = PyObject_GetAttrString(stream, "errors");
        if (!streams.encoding[fd] || !streams.errors[fd])
            return false;
    }
    return true;
}

/* One stream, in the steps that CPython takes: raw file, buffer, text. */
static PyObject *open_stream(PyObject *io, int fd)
{
    PyObject *buffer = NULL; /* owned */
    PyObject *raw = NULL;    /* owned */
    PyObject *text = NULL;   /* owned */
    PyObject *name = NULL;   /* owned */
    PyObject *mode = NULL;   /* owned */
    PyObject *stream = NULL; /* owned: handed to the caller */
    bool is_line_buffered = fd == 2 || isatty(fd);
    buffer =
        PyObject_CallMethod(io, "open", "isiOOOO", fd, fd == 0 ? "rb" : "wb",
                            -1, Py_None, Py_None, Py_None, Py_False);
    if (!buffer)
        goto out;
    raw = PyObject_GetAttrString(buffer, "raw");
    name = PyUnicode_FromFormat("<%s>", names[fd]);
    if (!raw || !name || PyObject_SetAttrString(raw, "name", name) < 0)
        goto out;
    text = PyObject_CallMethod(io, "TextIOWrapper", "OOOsOO", buffer,
                               streams.encoding[fd], streams.errors[fd], "\n",
                               is_line_buffered ? Py_True : Py_False, Py_False);
    mode = PyUnicode_FromString(fd == 0 ? "r" : "w");
    if (!text || !mode || PyObject_SetAttrString(text, "mode", mode) < 0)
        goto out;
    stream = text;
    text = NULL;
out:
    Py_XDECREF(mode);
    Py_XDECREF(text);
    Py_XDECREF(name);
    Py_XDECREF(raw);
    Py_XDECREF(buffer);
    return stream;
}

/* Make the stream of `fd` for what the descriptor is now. */
static bool set_stream(PyObject *io, int fd)
{
    char original[16];
    struct stat st;
    PyObject *stream = open_stream(io, fd); /* owned */
    snprintf(original, sizeof(original), "__%s__", names[fd]);
    bool is_done = stream && fstat(fd, &st) == 0 &&
                   PySys_SetObject(original, stream) == 0 &&
                   PySys_SetObject(names[fd], stream) == 0;
    if (is_done) {
        streams.made[fd] = stream;
        streams.kinds[fd] =
            (struct fd_kind){st.st_mode & S_IFMT, st.st_blksize};
    }
    Py_XDECREF(stream);
    return is_done;
}

/* A descriptor of the kind that a run has at `fd`: a file for input, pipes
 * for output. */
static int open_model(int fd)
{
    int ends[2];
    if (fd == 0)
        return memfd_create("model", MFD_CLOEXEC);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    close(ends[0]);
    return ends[1];
}

/* Make the stream with a model in the place of `fd`. */
static bool set_stream_of_model(PyObject *io, int fd)
{
    int model = open_model(fd);
    int saved = fcntl(fd, F_DUPFD_CLOEXEC, N_STREAMS);
    bool is_done = false;
    if (model >= 0 && dup2(model, fd) == fd)
        is_done = set_stream(io, fd);
    if (saved >= 0)
        dup2(saved, fd);
    else
        close(fd);
    if (saved >= 0)
        close(saved);
    if (model >= 0)
        close(model);
    return is_done || !PyErr_Occurred();
}

bool streams_prepare(void)
{
    PyObject *io = PyImport_ImportModule("io"); /* owned */
    bool is_done = io && note_encodings();
    for (int fd = 0; fd < N_STREAMS && is_done; fd++)
        is_done = set_stream_of_model(io, fd);
    Py_XDECREF(io);
    return is_done;
}

bool streams_renew(bool *ret_is_any_new)
{
    PyObject *io = NULL; /* owned */
    bool is_done = true;
    *ret_is_any_new = false;
    for (int fd = 0; fd < N_STREAMS && is_done; fd++) {
        struct stat st;
        const struct fd_kind *kind = &streams.kinds[fd];
        if (fstat(fd, &st) == 0 && kind->type == (st.st_mode & S_IFMT) &&
            kind->block_bytes == st.st_blksize)
            continue;
        if (!io)
            io = PyImport_ImportModule("io");
        is_done = io && set_stream(io, fd);
        *ret_is_any_new = true;
    }
    Py_XDECREF(io);
    return is_done;
}

bool streams_are_kept(void)
{
    for (int fd = 0; fd < N_STREAMS; fd++) {
        if (PySys_GetObject(names[fd]) != streams.made[fd])
            return false;
    }
    return true;
}

/* ---- counting ---- */

void streams_limit(uint64_t max_bytes, struct record_writer *records)
{
    __atomic_store_n(&streams.left_bytes, max_bytes, __ATOMIC_RELAXED);
    streams.records = records;
}

static ssize_t plain_write(int fd, const void *data, size_t len)
{
    return syscall(SYS_write, fd, data, len);
}

/* Takes up to `len` from what is left; returns how much. */
static size_t take_output(size_t len)
{
    uint64_t left = __atomic_load_n(&streams.left_bytes, __ATOMIC_RELAXED);
    uint64_t take;
    do {
        take = len < left ? len : left;
    } while (!__atomic_compare_exchange_n(&streams.left_bytes, &left,
                                          left - take, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return (size_t)take;
}

/*
 * In front of libc's, for libpython and its modules too.  A short write gives
 * back what it did not write.  In a scratch process, which is allowed no
 * write at all, a __repr__ that prints has to find that it printed.
 */
ssize_t write(int fd, const void *data, size_t len)
{
    if ((fd != 1 && fd != 2) || !streams.records || len == 0)
        return plain_write(fd, data, len);
    if (!home_is_here())
        return (ssize_t)len; /* a scratch process: it goes nowhere */
    size_t take = take_output(len);
    ssize_t n = 0;
    const char *at = data;
    if (take < len) {
        /* The last one: all that fits goes out, then the run is over. */
        while (take > 0 && ((n = plain_write(fd, at, take)) > 0 ||
                            (n < 0 && errno == EINTR))) {
            if (n > 0) {
                at += n;
                take -= (size_t)n;
            }
        }
        hook_stop(streams.records, TRACE_END_OUTPUT_LIMIT);
    }
    n = plain_write(fd, data, len);
    size_t written = n > 0 ? (size_t)n : 0;
    if (written < len)
        __atomic_add_fetch(&streams.left_bytes, len - written,
                           __ATOMIC_RELAXED);
    return n;
}
