# Run at every build (cmake -P): the commit is known only then.  The header
# is touched only when its content changes.
set(CWM_COMMIT "none")
execute_process(COMMAND git -C ${SOURCE_DIR} rev-parse --short=12 HEAD
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
  RESULT_VARIABLE failed)
if(NOT failed)
  set(CWM_COMMIT ${commit})
endif()
configure_file(${SOURCE_DIR}/version.h.in ${OUT} @ONLY)
