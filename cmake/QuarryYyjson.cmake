# Target yyjson: the JSON library yyjson 0.9.0 (MIT) as C11, made at configure time from the copy
# inside the pinned npm package "duckdb". The edits are mechanical: the C++ namespace and one C++
# include go, .hpp becomes .h. The inputs are checked by SHA-256, so a changed package stops here.
set(yyjson_from ${CMAKE_SOURCE_DIR}/node_modules/duckdb/src/duckdb/third_party/yyjson)
set(yyjson_to ${QUARRY_GENERATED_DIR}/yyjson)
set(yyjson_sha_c e43fe6ad23bed6570c3dbc82371f16dfc0ca53666f095d0505e17a865095c56d)
set(yyjson_sha_h 5123cd31b103ded523bd466dba1f57ea48bc650a206aa5dbc0b3d2e630e3cd8d)

function(quarry_derive_yyjson input sha output)
    if(NOT EXISTS ${input})
        message(FATAL_ERROR "${input} is missing: run tools/setup.sh (npm ci --ignore-scripts)")
    endif()
    file(SHA256 ${input} actual)
    if(NOT actual STREQUAL sha)
        message(FATAL_ERROR "${input} has changed: SHA-256 ${actual}, expected ${sha}. "
                            "Check the derivation in cmake/QuarryYyjson.cmake, then the new sum.")
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${input})
    file(READ ${input} text)
    string(REPLACE "namespace duckdb_yyjson {" "" text "${text}")
    string(REPLACE "} // namespace duckdb_yyjson" "" text "${text}")
    string(REPLACE "#include \"duckdb/common/fast_mem.hpp\"" "" text "${text}")
    string(REPLACE "#include \"yyjson.hpp\"" "#include \"yyjson.h\"" text "${text}")
    file(CONFIGURE OUTPUT ${output} CONTENT "@text@" @ONLY)
endfunction()

quarry_derive_yyjson(${yyjson_from}/include/yyjson.hpp ${yyjson_sha_h} ${yyjson_to}/yyjson.h)
quarry_derive_yyjson(${yyjson_from}/yyjson.cpp ${yyjson_sha_c} ${yyjson_to}/yyjson.c)

add_library(yyjson STATIC ${yyjson_to}/yyjson.c)
set_target_properties(yyjson PROPERTIES C_STANDARD 11)
target_compile_options(yyjson PRIVATE -w)
target_include_directories(yyjson SYSTEM PUBLIC ${yyjson_to})
