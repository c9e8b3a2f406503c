# cwm_flags: language, warnings, hardening, sanitizers.  Every target of ours
# links it; third-party code does not.
add_library(cwm_flags INTERFACE)
target_compile_definitions(cwm_flags INTERFACE _GNU_SOURCE)
target_include_directories(cwm_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(cwm_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef
  -Wvla -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wformat=2
  -Wcast-qual -Wconversion -Wdouble-promotion -Wimplicit-fallthrough
  -Wswitch-enum -Wnull-dereference -Wredundant-decls -fno-common
  -Wno-missing-field-initializers)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(cwm_flags INTERFACE
    -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init)
else()
  target_compile_options(cwm_flags INTERFACE -Wcomma -Wunreachable-code)
endif()
if(CWM_WERROR)
  target_compile_options(cwm_flags INTERFACE -Werror)
endif()
if(CWM_SANITIZE)
  target_compile_options(cwm_flags INTERFACE
    -fsanitize=${CWM_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(cwm_flags INTERFACE -fsanitize=${CWM_SANITIZE})
else()
  target_compile_options(cwm_flags INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>
    -fstack-protector-strong -fPIE)
  target_link_options(cwm_flags INTERFACE -pie -Wl,-z,relro,-z,now)
endif()
