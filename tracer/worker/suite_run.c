/* SPDX-License-Identifier: MIT */
/* suite_run.c -- see suite_run.h. */
#define PY_SSIZE_T_CLEAN /* lengths of texts, before any header */
#include "tracer/worker/suite_run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "tracer/suite.h"
#include "tracer/worker/ending.h"
#include "tracer/worker/episode.h"
#include "tracer/worker/home.h"
#include "tracer/worker/hook.h"
#include "tracer/worker/program.h"
#include "tracer/worker/streams.h"
#include "tracer/worker/warm.h"

/* The worker itself could not do its part. */
#define STATUS_OURS 3

static const char warm_text[] =
    "for name in ('argparse', 'ast', 'bdb', 'code', 'codecs', 'configparser',\n"
    "             'difflib', 'doctest', 'email', 'fnmatch', 'getpass', 'glob',\n"
    "             'importlib.metadata', 'importlib.util', 'inspect',\n"
    "             'ipaddress', 'locale', 'logging', 'pathlib', 'pdb',\n"
    "             'pickle', 'platform', 'pprint', 'shlex', 'shutil',\n"
    "             'sysconfig', 'tempfile', 'timeit', 'tokenize', 'unittest',\n"
    "             'unittest.mock', 'uuid', 'xml.etree.ElementTree',\n"
    "             'xml.sax.saxutils', 'zipfile'):\n"
    "    try:\n"
    "        __import__(name)\n"
    "    except ImportError:\n"
    "        pass\n";

/* As pytest.main() would, but once. */
static const char warm_pytest_text[] =
    "try:\n"
    "    import pytest, _pytest.config\n"
    "    for name in _pytest.config.default_plugins:\n"
    "        __import__('_pytest.' + name)\n"
    "except Exception:\n"
    "    pass\n";

/*
 * collect, node, venv: what to do.  tell(what, text) writes a TELL record,
 * trace(on) begins and ends recording.
 *
 * -p no:...: plugins that write into the repository, start processes, or
 * trace by themselves.  addopts are of the repository's own runs: coverage,
 * processes, colours.  Assertions stay as they are written: rewriting is for
 * messages, and would show in the locals of tests.
 */
static const char run_text[] =
    "import os, sys\n"
    "NODE, BROKEN, OUTCOME, STATUS, NO_PYTEST = 1, 2, 3, 4, 5\n"
    "PLACE = '" SANDBOX_PLACE "'\n"
    "\n"
    "def enter_venv():\n"
    "    import site\n"
    "    folder = PLACE + '/' + venv\n"
    "    lib = '%s/lib/python%d.%d/site-packages' % (\n"
    "        (folder,) + sys.version_info[:2])\n"
    "    system = [p for p in sys.path if 'site-packages' in p or\n"
    "              'dist-packages' in p]\n"
    "    sys.path[:] = [p for p in sys.path if p not in system]\n"
    "    sys.prefix = sys.exec_prefix = folder\n"
    "    sys.executable = folder + '/bin/python'\n"
    "    site.addsitedir(lib)\n"
    "    try:\n"
    "        with open(folder + '/pyvenv.cfg') as settings:\n"
    "            text = settings.read().lower().replace(' ', '')\n"
    "    except OSError:\n"
    "        text = ''\n"
    "    if 'include-system-site-packages=true' in text:\n"
    "        sys.path.extend(system)\n"
    "\n"
    "def reason_of(text):\n"
    "    lines = [l for l in str(text).splitlines() if l.strip()]\n"
    "    found = [l[1:].strip() for l in lines if l.startswith('E  ')]\n"
    "    return (found or lines or ['no reason given'])[-1]\n"
    "\n"
    "def run():\n"
    "    os.environ.update(HOME=os.getcwd(), TMPDIR=os.getcwd(),\n"
    "                      LANG='C.UTF-8', TZ='UTC', COLUMNS='80',\n"
    "                      USER='nobody', PYTEST_DEBUG_TEMPROOT=os.getcwd())\n"
    "    base = os.getcwd() + '/pytest'\n"
    "    if venv:\n"
    "        enter_venv()\n"
    "    sys.path[:] = [p for p in sys.path if p]\n"
    "    sys.path.insert(0, PLACE)\n"
    "    if os.path.isdir(PLACE + '/src') and not os.path.exists(\n"
    "            PLACE + '/src/__init__.py'):\n"
    "        sys.path.insert(1, PLACE + '/src')\n"
    "    os.chdir(PLACE)\n"
    "    try:\n"
    "        import pytest\n"
    "    except ImportError as e:\n"
    "        tell(NO_PYTEST, str(e))\n"
    "        return\n"
    "    worst = {'passed': 0, 'skipped': 1, 'failed': 2}\n"
    "    outcome = ['passed']\n"
    "\n"
    "    class Plugin:\n"
    "        def pytest_collectreport(self, report):\n"
    "            if report.failed:\n"
    "                tell(BROKEN, '%s\\n%s' % (\n"
    "                    report.nodeid, reason_of(report.longrepr)))\n"
    "\n"
    "        def pytest_collection_finish(self, session):\n"
    "            if collect:\n"
    "                for item in session.items:\n"
    "                    tell(NODE, item.nodeid)\n"
    "\n"
    "        @pytest.hookimpl(hookwrapper=True)\n"
    "        def pytest_runtest_protocol(self, item):\n"
    "            import random\n"
    "            random.seed(seed)\n"
    "            trace(True)\n"
    "            yield\n"
    "            trace(False)\n"
    "\n"
    "        def pytest_runtest_logreport(self, report):\n"
    "            if worst[report.outcome] > worst[outcome[0]]:\n"
    "                outcome[0] = report.outcome\n"
    "\n"
    "    words = ['-q', '--rootdir=' + PLACE, '--assert=plain',\n"
    "             '-o', 'addopts=', '--basetemp=' + base, '--capture=sys',\n"
    "             '--tb=short', '-W', 'ignore']\n"
    "    for name in ('cacheprovider', 'faulthandler', 'xdist', 'cov', 'forked',\n"
    "                 'pytest_cov', 'timeout', 'randomly', 'random_order',\n"
    "                 'benchmark', 'sugar', 'html', 'stepwise'):\n"
    "        words += ['-p', 'no:' + name]\n"
    "    if collect:\n"
    "        words.append('--collect-only')\n"
    "        words.append('--continue-on-collection-errors')\n"
    "    if node:\n"
    "        words.append(node)\n"
    "    status = pytest.main(words, plugins=[Plugin()])\n"
    "    tell(OUTCOME, outcome[0])\n"
    "    tell(STATUS, str(int(status)))\n"
    "\n"
    "run()\n"
    "sys.stdout.flush()\n"
    "sys.stderr.flush()\n";

/* ---- what the text above calls ---- */

static PyObject *tell(PyObject *self, PyObject *args)
{
    int what;
    Py_ssize_t len;
    const char *text;
    (void)self;
    if (!PyArg_ParseTuple(args, "is#", &what, &text, &len))
        return NULL;
    episode_tell((enum suite_tell)what, text, (size_t)len);
    Py_RETURN_NONE;
}

static PyObject *trace(PyObject *self, PyObject *on)
{
    (void)self;
    if (PyObject_IsTrue(on) == 1)
        hook_start();
    else
        hook_end();
    Py_RETURN_NONE;
}

static PyMethodDef tell_def = {"tell", tell, METH_VARARGS, NULL};
static PyMethodDef trace_def = {"trace", trace, METH_O, NULL};

static bool run_text_in(PyObject *names, const char *text)
{
    PyObject *result = NULL; /* owned */
    if (PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) == 0)
        result = PyRun_StringFlags(text, Py_file_input, names, names, NULL);
    Py_XDECREF(result);
    return result != NULL;
}

void suite_warm(bool with_pytest)
{
    PyObject *names = PyDict_New(); /* owned */
    if (names) {
        run_text_in(names, warm_text);
        if (with_pytest)
            run_text_in(names, warm_pytest_text);
    }
    Py_XDECREF(names);
    PyErr_Clear();
}

/* ---- the run ---- */

/* What the request asks for; its texts point into it. */
struct order {
    struct suite_how how;
    uint64_t max_bytes; /* of an episode */
    char venv[256];
    const char *node;
    size_t node_len;
};

static bool read_order(const struct trace_request *request, struct order *o)
{
    unsigned tests = 0;
    unsigned long long max_bytes = 0;
    const char *end = memchr(request->args, '\n', request->args_len);
    char head[400];
    int at = 0;
    if (!end || (size_t)(end - request->args) >= sizeof(head))
        return false;
    memcpy(head, request->args, (size_t)(end - request->args));
    head[end - request->args] = '\0';
    if (sscanf(head, "%u %u %u %llu %n", &o->how.enter_permille,
               &o->how.max_depth, &tests, &max_bytes, &at) != 4)
        return false;
    o->how.tests = tests != 0;
    o->max_bytes = max_bytes;
    snprintf(o->venv, sizeof(o->venv), "%s", head + at);
    o->how.venv = o->venv;
    o->node = end + 1;
    o->node_len = request->args_len - (size_t)(o->node - request->args);
    return true;
}

/* The names that run_text has; owned. */
static PyObject *make_names(const struct trace_request *request,
                            const struct order *o)
{
    bool is_collecting =
        request->entry_len == strlen(SUITE_COLLECT) &&
        memcmp(request->entry, SUITE_COLLECT, request->entry_len) == 0;
    PyObject *tell_function = PyCFunction_New(&tell_def, NULL);   /* owned */
    PyObject *trace_function = PyCFunction_New(&trace_def, NULL); /* owned */
    PyObject *names = NULL; /* owned: handed to the caller */
    if (tell_function && trace_function)
        names = Py_BuildValue(
            "{s:O,s:O,s:O,s:s#,s:s,s:K,s:s}", "tell", tell_function, "trace",
            trace_function, "collect", is_collecting ? Py_True : Py_False,
            "node", o->node, (Py_ssize_t)o->node_len, "venv", o->venv, "seed",
            (unsigned long long)request->seed, "__name__", "suite");
    Py_XDECREF(tell_function);
    Py_XDECREF(trace_function);
    return names;
}

static bool start_episodes(const struct trace_request *request,
                           const struct order *o, struct record_writer *records,
                           struct value_writer *values)
{
    struct episode_config config = {
        .records = records,
        .values = values,
        .how = o->how,
        .seed = 0xCBF29CE484222325u ^ request->seed,
        .max_frames = request->max_frames,
        .max_bytes = o->max_bytes,
        .max_value_bytes = request->max_value_bytes,
    };
    for (size_t i = 0; i < o->node_len; i++)
        config.seed = (config.seed ^ (uint8_t)o->node[i]) * 0x100000001B3u;
    if (!episode_init(&config))
        return false;
    hook_divert(episode_event);
    return true;
}

static void stop_over_texts(void *records)
{
    hook_stop(records, TRACE_END_TEXT_LIMIT);
}

int suite_serve(const struct trace_request *request, uint8_t *shared,
                size_t len)
{
    struct order o = {.node = ""};
    struct record_writer records;
    struct record_end end = {.reason = TRACE_END_OK};
    PyObject *names = NULL; /* owned */
    if (!record_writer_init(&records, shared, len, request->max_trace_bytes,
                            request->max_value_bytes))
        return STATUS_OURS;
    struct value_writer *values = NULL; /* borrowed from warm.c */
    PyObject *filename = NULL;          /* owned */
    if (home_mark() && warm_renew() && read_order(request, &o))
        values = warm_values(request->max_value_bytes);
    filename = PyUnicode_FromString(PROGRAM_FILE);
    if (values && filename)
        names = make_names(request, &o);
    if (!names || !warm_seed(request->seed) ||
        !start_episodes(request, &o, &records, values)) {
        ending_internal(&records, "could not prepare the run");
        return STATUS_OURS;
    }
    value_writer_set_program(values, "", 0, filename);
    if (request->max_text_events > 0)
        value_writer_set_budget(values, request->max_text_events,
                                stop_over_texts, &records);
    streams_limit(request->max_output_bytes, &records);
    if (!run_text_in(names, run_text)) {
        end.reason = TRACE_END_EXCEPTION;
        PyErr_Print();
    }
    record_finish(&records, &end);
    /* What the tests left is not taken down: it is nobody's result. */
    _exit(0);
}
