# Target quarry_flags: the warnings, hardening and sanitizers of every file of our own.
# Sanitizer and coverage flags are global, so that yyjson is instrumented too.
# Why this list of warnings: docs/decisions/0001-warnings-and-lint.md.
add_library(quarry_flags INTERFACE)
target_compile_definitions(quarry_flags INTERFACE _GNU_SOURCE)
target_compile_options(quarry_flags INTERFACE
    -Wall -Wextra -Wconversion -Wno-sign-conversion -Wvla
    $<$<COMPILE_LANGUAGE:C>:-Wshadow>
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
    $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>)
if(QUARRY_WERROR)
    target_compile_options(quarry_flags INTERFACE -Werror)
endif()

add_compile_options(-fstack-protector-strong -fno-omit-frame-pointer)
add_link_options(-Wl,--as-needed -Wl,-z,relro,-z,now)

if(QUARRY_SANITIZE STREQUAL "address")
    set(quarry_sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(QUARRY_SANITIZE STREQUAL "thread")
    set(quarry_sanitizers -fsanitize=thread)
elseif(QUARRY_SANITIZE STREQUAL "fuzz")
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "QUARRY_SANITIZE=fuzz needs clang: -DCMAKE_C_COMPILER=clang")
    endif()
    set(quarry_sanitizers -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
elseif(NOT QUARRY_SANITIZE STREQUAL "")
    message(FATAL_ERROR "QUARRY_SANITIZE=${QUARRY_SANITIZE}: must be address, thread, fuzz or empty")
endif()

if(quarry_sanitizers)
    add_compile_options(${quarry_sanitizers})
    add_link_options(${quarry_sanitizers})
    target_compile_definitions(quarry_flags INTERFACE QUARRY_SANITIZED=1)
elseif(CMAKE_BUILD_TYPE MATCHES "Rel")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
if(QUARRY_COVERAGE)
    add_compile_options(--coverage -O0)
    add_link_options(--coverage)
endif()
