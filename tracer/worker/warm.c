/* SPDX-License-Identifier: MIT */
/* warm.c -- start the interpreter and warm it up. */
#include "tracer/worker/warm.h"

#include <stdlib.h>
#include <string.h>

#include "tracer/worker/finish.h"
#include "tracer/worker/pages.h"
#include "tracer/worker/program.h"
#include "tracer/worker/pyframe.h"
#include "tracer/worker/settrace.h"
#include "tracer/worker/streams.h"
#include "tracer/worker/value.h"

/* Set by the build: the interpreter that this worker was built with. */
#ifndef CWM_PYTHON_EXE
#error "CWM_PYTHON_EXE is not set"
#endif

/* --max-value-bytes where nothing else is asked for. */
#define USUAL_VALUE_BYTES 65536u
/* --seed where nothing else is asked for: such runs need not seed. */
#define WARM_SEED 0u

/* The collector's counters as a fresh interpreter has them: young objects
 * since the last collection decide when the next one comes. */
static struct {
    int counts[3];
    PyObject *drain;             /* owned: an async function of our own */
    PyObject *seed;              /* owned: random.seed */
    struct value_writer *values; /* owned */
} fresh;

enum cwm_rc warm_python_error(const char *what, struct cwm_err *err)
{
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject *text = value ? PyObject_Str(value) : NULL;
    const char *bytes = text ? PyUnicode_AsUTF8(text) : NULL;
    const char *name =
        type ? ((PyTypeObject *)type)->tp_name : "no Python error is set";
    enum cwm_rc rc = CWM_FAIL(err, CWM_PYTHON, "%s: %s: %s", what, name,
                              bytes ? bytes : "?");
    PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return rc;
}

/*
 * As `python main.py` would be configured under LC_ALL=C.UTF-8 and
 * PYTHONHASHSEED=hash_seed, but with nothing taken from the environment or from
 * arguments, and no byte code written.
 */
enum cwm_rc warm_start(const char *python, uint32_t hash_seed,
                       struct cwm_err *err)
{
    PyConfig config;
    clearenv();
    setenv("LC_ALL", "C.UTF-8", 1);
    PyConfig_InitPythonConfig(&config);
    config.use_environment = 0;
    config.user_site_directory = 0;
    config.write_bytecode = 0;
    config.use_hash_seed = 1;
    config.hash_seed = hash_seed;
    config.parse_argv = 0;
    const char *exe = python ? python : CWM_PYTHON_EXE;
    PyStatus status =
        PyConfig_SetBytesString(&config, &config.program_name, exe);
    if (!PyStatus_Exception(status))
        status = PyConfig_SetBytesString(&config, &config.executable, exe);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status))
        return CWM_FAIL(err, CWM_PYTHON,
                        "could not start the interpreter of '%s': %s", exe,
                        status.err_msg ? status.err_msg : "?");
    pyframe_gc_counts(PyThreadState_Get(), fresh.counts);
    return CWM_OK;
}

/*
 * Chosen by what benchmark and contest programs import, and by cost: each is
 * paid once here instead of in every run that uses it, but every megabyte
 * makes every fork dearer.  asyncio and hashlib bring OpenSSL along, which
 * costs each run a quarter more; a program that imports them waits for it.
 */
static const char warm_text[] =
    "for name in ('typing', 'collections', 'collections.abc', 're', 'math',\n"
    "             'random', 'itertools', 'functools', 'operator', 'string',\n"
    "             'heapq', 'bisect', 'json', 'datetime', 'time', 'calendar',\n"
    "             'dataclasses', 'enum', 'copy', 'decimal', 'fractions',\n"
    "             'statistics', 'traceback', 'linecache', 'threading',\n"
    "             'queue', 'abc', 'contextlib', 'textwrap', 'struct',\n"
    "             'array', 'io', 'types', 'warnings', 'numbers', 'weakref',\n"
    "             'cmath', 'gc', 'atexit', 'sys'):\n"
    "    try:\n"
    "        __import__(name)\n"
    "    except ImportError:\n"
    "        pass\n"
    "import os, sys\n"
    "os.environ.clear()\n"
    "sys.argv[:] = ['main.py']\n"
    "sys.path.insert(0, '')\n";

/*
 * What programs do, done once: caches that it fills here need not be filled,
 * page by copied page, in every run.
 */
static const char rehearsal_text[] =
    "import collections, functools, random\n"
    "class A:\n"
    "    limit = 3\n"
    "    def __init__(self, n):\n"
    "        self.n = n\n"
    "    def __repr__(self):\n"
    "        return f'A({self.n!r})'\n"
    "def f(s, sep=',', *rest, key=None, **more):\n"
    "    parts = [x.strip().lower() for x in s.split(sep) if x]\n"
    "    counts = {}\n"
    "    for i, part in enumerate(parts):\n"
    "        counts[part] = counts.get(part, 0) + i * 2 // 3 % 5\n"
    "    try:\n"
    "        parts[10 ** 6]\n"
    "    except IndexError as e:\n"
    "        str(e)\n"
    "    return sorted(counts.items(), key=lambda p: -p[1]), sep.join(parts)\n"
    "def g(n):\n"
    "    yield from range(n)\n"
    "for _ in range(20):\n"
    "    f('a, b,c ,a'), list(g(3)), sum(g(3)), repr(A(1)), set('abc'), 1.5 / 2\n"
    "    max([1, 2]), len('x'), '%d' % 3, 'x'.upper(), [1] + [2], (1,) * 2\n";

static bool run_text(const char *text)
{
    PyObject *names = PyDict_New(); /* owned */
    if (!names)
        return false;
    PyObject *result = NULL;
    if (PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) == 0)
        result = PyRun_StringFlags(text, Py_file_input, names, names, NULL);
    Py_DECREF(names);
    Py_XDECREF(result);
    return result != NULL;
}

static const char drain_text[] = "async def drain(generator):\n"
                                 "    async for _ in generator:\n"
                                 "        pass\n";

static bool make_drain(void)
{
    PyObject *names = PyDict_New(); /* owned */
    PyObject *result = NULL;        /* owned */
    if (names &&
        PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) == 0)
        result =
            PyRun_StringFlags(drain_text, Py_file_input, names, names, NULL);
    if (result)
        fresh.drain = PyDict_GetItemString(names, "drain");
    Py_XINCREF(fresh.drain);
    Py_XDECREF(result);
    Py_XDECREF(names);
    return fresh.drain != NULL;
}

static bool seed_random(uint64_t seed)
{
    PyObject *number = PyLong_FromUnsignedLongLong(seed); /* owned */
    PyObject *result = NULL;                              /* owned */
    if (number)
        result = PyObject_CallOneArg(fresh.seed, number);
    Py_XDECREF(number);
    Py_XDECREF(result);
    return result != NULL;
}

bool warm_seed(uint64_t seed)
{
    return seed == WARM_SEED || seed_random(seed);
}

/* What `python main.py` puts into __main__ besides what is there. */
static bool set_up_main(void)
{
    PyObject *names = PyModule_GetDict(PyImport_AddModule("__main__"));
    PyObject *machinery = /* owned */
        PyImport_ImportModule("importlib._bootstrap_external");
    PyObject *file = PyUnicode_FromString(PROGRAM_FILE); /* owned */
    PyObject *loader = NULL;                             /* owned */
    PyObject *random = NULL;                             /* owned */
    if (machinery && file)
        loader = PyObject_CallMethod(machinery, "SourceFileLoader", "sO",
                                     "__main__", file);
    bool is_done = loader &&
                   PyDict_SetItemString(names, "__loader__", loader) == 0 &&
                   PyDict_SetItemString(names, "__file__", file) == 0 &&
                   PyDict_SetItemString(names, "__cached__", Py_None) == 0;
    if (is_done)
        random = PyImport_ImportModule("random");
    if (random)
        fresh.seed = PyObject_GetAttrString(random, "seed");
    Py_XDECREF(random);
    Py_XDECREF(loader);
    Py_XDECREF(file);
    Py_XDECREF(machinery);
    return fresh.seed != NULL;
}

struct value_writer *warm_values(size_t max_value_bytes)
{
    if (!value_writer_renew(fresh.values, max_value_bytes))
        return NULL;
    return fresh.values;
}

PyObject *warm_drain(PyObject *generator)
{
    return PyObject_CallOneArg(fresh.drain, generator);
}

/*
 * A new __main__, since the collector no longer looks at the old one; the
 * rest of a program's surroundings.
 */
static bool renew_main(void)
{
    PyObject *modules = PyImport_GetModuleDict();              /* borrowed */
    PyObject *old = PyDict_GetItemString(modules, "__main__"); /* borrowed */
    PyObject *module = PyModule_New("__main__");               /* owned */
    if (!module || !old) {
        Py_XDECREF(module);
        return false;
    }
    PyObject *names = PyModule_GetDict(module); /* borrowed */
    PyDict_Clear(names);
    bool is_done = PyDict_Update(names, PyModule_GetDict(old)) == 0 &&
                   PyDict_SetItemString(modules, "__main__", module) == 0;
    Py_DECREF(module);
    return is_done;
}

enum cwm_rc warm_up(struct cwm_err *err)
{
    if (!streams_prepare() || !settrace_replace() || !run_text(warm_text) ||
        !make_drain() || !set_up_main() || !finish_note())
        return warm_python_error("could not warm up", err);
    fresh.values = value_writer_new(USUAL_VALUE_BYTES);
    if (!fresh.values)
        return CWM_FAIL(err, CWM_NOMEM, "no memory to warm up");
    if (!run_text(rehearsal_text) || !seed_random(WARM_SEED) ||
        !run_text("import gc\ngc.collect()\ngc.freeze()\n") || !renew_main())
        return warm_python_error("could not warm up", err);
    pyframe_forget_fork_hooks(PyThreadState_Get());
    pages_fill_holes();
    pages_share_text();
    return CWM_OK;
}

static bool run_gc_freeze(void)
{
    PyObject *gc = PyImport_ImportModule("gc"); /* owned */
    PyObject *result =                          /* owned */
        gc ? PyObject_CallMethod(gc, "freeze", NULL) : NULL;
    Py_XDECREF(gc);
    Py_XDECREF(result);
    return result != NULL;
}

bool warm_renew(void)
{
    bool is_any_new;
    if (!streams_renew(&is_any_new))
        return false;
    /* They are not the program's: out of the collector's sight; __main__ is. */
    if (is_any_new && (!run_gc_freeze() || !renew_main()))
        return false;
    pyframe_gc_set_counts(PyThreadState_Get(), fresh.counts);
    return true;
}

/*
 * read_paths: what the interpreter reads at run time, the libraries that are
 * mapped now, and where extension modules find theirs.
 */
static const char about_text[] =
    "import sys, os, json, sysconfig\n"
    "paths = []\n"
    "def add(path):\n"
    "    path = os.path.abspath(path)\n"
    "    if not os.path.exists(path):\n"
    "        return\n"
    "    for p in paths:\n"
    "        if os.path.isdir(p) and (path + '/').startswith(p + '/'):\n"
    "            return\n"
    "    paths.append(path)\n"
    "for key in ('stdlib', 'platstdlib'):\n"
    "    add(sysconfig.get_path(key))\n"
    "for path in sys.path:\n"
    "    if path:\n"
    "        add(path)\n"
    "if sys.prefix != sys.base_prefix:\n"
    "    add(sys.prefix)\n"
    "triple = sysconfig.get_config_var('MULTIARCH') or ''\n"
    "for folder in ('/lib', '/usr/lib'):\n"
    "    if triple:\n"
    "        add(os.path.join(folder, triple))\n"
    "for path in ('/lib64', '/etc/ld.so.cache', '/usr/lib/locale/C.utf8',\n"
    "             '/usr/lib/locale/C.UTF-8'):\n"
    "    add(path)\n"
    "with open('/proc/self/maps') as maps:\n"
    "    for line in maps:\n"
    "        path = line.rstrip('\\n').partition('/')[2]\n"
    "        if '.so' in path:\n"
    "            add('/' + path)\n"
    "answer = json.dumps({'version': '%d.%d.%d' % sys.version_info[:3],\n"
    "    'prefix': sys.base_prefix, 'executable': sys.executable,\n"
    "    'stdlib': sysconfig.get_path('stdlib'), 'read_paths': paths})\n";

enum cwm_rc warm_about(struct cwm_buf *out, struct cwm_err *err)
{
    PyObject *names = PyDict_New(); /* owned */
    PyObject *result = NULL;        /* owned */
    enum cwm_rc rc = CWM_OK;
    const char *answer = NULL;
    if (names &&
        PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) == 0)
        result =
            PyRun_StringFlags(about_text, Py_file_input, names, names, NULL);
    if (result)
        answer = PyUnicode_AsUTF8(PyDict_GetItemString(names, "answer"));
    if (!answer) {
        rc = warm_python_error("could not describe the interpreter", err);
        goto out;
    }
    cwm_buf_adds(out, answer);
    cwm_buf_addc(out, '\n');
    rc = cwm_buf_check(out, "the description", err);
out:
    Py_XDECREF(result);
    Py_XDECREF(names);
    return rc;
}
