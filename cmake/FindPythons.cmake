# The CPythons that workers are built for: one per minor version, 3.9 to 3.14.
#
# Candidates, the first of a version wins: /usr/bin, then what PATH names, then
# the folders in which people build their own, then CWM_PYTHONS.  Each is asked
# by its own sysconfig; one without development files (python3-dev) is passed
# over.  Result: CWM_PYTHON_VERSIONS ("3.11;3.10"), and for each version V
#   CWM_PYTHON_<V>_EXE       the interpreter
#   CWM_PYTHON_<V>_INCLUDE   folder of Python.h
#   CWM_PYTHON_<V>_LIBRARY   what to link
#   CWM_PYTHON_<V>_STATIC    ON when that is an archive
#   CWM_PYTHON_<V>_LIBS      further libraries an archive needs
# The first version of the list is the default worker's.

set(_script [[
import os, sys, sysconfig as s
v = sys.version_info
if sys.implementation.name != "cpython" or not (3, 9) <= v[:2] <= (3, 14):
    sys.exit("not a CPython 3.9 to 3.14")
if getattr(sys, "abiflags", ""):
    sys.exit("a special build (%s)" % sys.abiflags)
inc = s.get_path("include")
for name in ("Python.h", "internal/pycore_interp.h"):
    if not os.path.exists(os.path.join(inc, name)):
        sys.exit("no %s" % name)
var = lambda k: s.get_config_var(k) or ""
static = os.path.join(var("LIBPL"), var("LIBRARY"))
if not var("LIBRARY").endswith(".a") or not os.path.exists(static):
    static = os.path.join(var("LIBDIR"), var("LIBRARY"))
# An archive is only as good as the libraries behind it: builds with
# --enable-shared leave one of objects without the built-in modules' needs.
shared = os.path.join(var("LIBDIR"), var("INSTSONAME"))
is_static = os.path.isfile(static) and not (
    var("Py_ENABLE_SHARED") and "/usr/lib" not in static)
if not is_static and not os.path.isfile(shared):
    sys.exit("no libpython")
libs = " ".join((var("LIBS"), var("MODLIBS"), var("SYSLIBS")))
seen = []
for word in libs.split():
    if word.startswith("-l") and word[2:] not in seen:
        seen.append(word[2:])
print(";".join(("%d.%d" % v[:2], os.path.realpath(sys.executable), inc,
                static if is_static else shared,
                "ON" if is_static else "OFF", ",".join(seen))))
]])

function(cwm_find_pythons)
  file(GLOB candidates /usr/bin/python3 /usr/bin/python3.[0-9]
       /usr/bin/python3.[0-9][0-9])
  foreach(name python3.14 python3.13 python3.12 python3.11 python3.10
               python3.9 python3)
    find_program(_cwm_python ${name} NO_CACHE)
    if(_cwm_python)
      list(APPEND candidates ${_cwm_python})
    endif()
    unset(_cwm_python)
  endforeach()
  file(GLOB own /usr/local/bin/python3.[0-9] /usr/local/bin/python3.[0-9][0-9]
       /opt/python*/bin/python3 $ENV{HOME}/.pyenv/versions/*/bin/python3)
  list(APPEND candidates ${own} ${CWM_PYTHONS})
  list(REMOVE_DUPLICATES candidates)
  set(versions)
  foreach(exe ${candidates})
    execute_process(COMMAND ${exe} -I -c "${_script}" OUTPUT_VARIABLE answer
      ERROR_VARIABLE why RESULT_VARIABLE status TIMEOUT 20
      OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_STRIP_TRAILING_WHITESPACE)
    if(NOT status EQUAL 0)
      message(VERBOSE "python: ${exe}: ${why}")
      continue()
    endif()
    list(GET answer 0 version)
    if(version IN_LIST versions)
      continue()
    endif()
    list(APPEND versions ${version})
    set(i 1)
    foreach(what EXE INCLUDE LIBRARY STATIC)
      list(GET answer ${i} value)
      set(CWM_PYTHON_${version}_${what} ${value} CACHE INTERNAL "")
      math(EXPR i "${i} + 1")
    endforeach()
    list(LENGTH answer length)
    set(libs)
    if(length GREATER 5)
      list(GET answer 5 libs)
      string(REPLACE "," ";" libs "${libs}")
    endif()
    set(CWM_PYTHON_${version}_LIBS "${libs}" CACHE INTERNAL "")
    message(STATUS "Worker for CPython ${version}: ${exe}")
  endforeach()
  if(NOT versions)
    message(FATAL_ERROR "no CPython 3.9 to 3.14 with development files was "
      "found: install python3-dev, or name interpreters in CWM_PYTHONS")
  endif()
  set(CWM_PYTHON_VERSIONS "${versions}" CACHE INTERNAL "")
endfunction()

cwm_find_pythons()
