# Finds DuckDB's C library and header: target DuckDB::DuckDB.
#
# Places, in this order: -DDuckDB_ROOT=<prefix> (lib/libduckdb.so, include/duckdb.h, or both files
# in the prefix itself); the pinned npm packages; the system. The npm pair is pinned together in
# package.json: every prototype of the 1.4.4 header is the same in the 1.5.6 library.
# Results: DuckDB_LIBRARY, DuckDB_INCLUDE_DIR, DuckDB_BUNDLED (true: from npm, is to be installed).
set(duckdb_npm ${CMAKE_CURRENT_LIST_DIR}/../node_modules)
get_filename_component(duckdb_npm ${duckdb_npm} ABSOLUTE)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(duckdb_arch arm64)
else()
    set(duckdb_arch x64)
endif()
set(duckdb_npm_lib ${duckdb_npm}/@duckdb/node-bindings-linux-${duckdb_arch})
set(duckdb_npm_include ${duckdb_npm}/duckdb/src/duckdb/src/include)

if(DuckDB_ROOT)
    find_library(DuckDB_LIBRARY duckdb PATHS ${DuckDB_ROOT} PATH_SUFFIXES lib lib64 NO_DEFAULT_PATH)
    find_path(DuckDB_INCLUDE_DIR duckdb.h PATHS ${DuckDB_ROOT} PATH_SUFFIXES include
              NO_DEFAULT_PATH)
elseif(EXISTS ${duckdb_npm_lib}/libduckdb.so AND EXISTS ${duckdb_npm_include}/duckdb.h)
    find_library(DuckDB_LIBRARY duckdb PATHS ${duckdb_npm_lib} NO_DEFAULT_PATH)
    find_path(DuckDB_INCLUDE_DIR duckdb.h PATHS ${duckdb_npm_include} NO_DEFAULT_PATH)
else()
    find_library(DuckDB_LIBRARY duckdb)
    find_path(DuckDB_INCLUDE_DIR duckdb.h)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(DuckDB
    REQUIRED_VARS DuckDB_LIBRARY DuckDB_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "run tools/setup.sh, or pass -DDuckDB_ROOT=<prefix>")

if(DuckDB_FOUND AND NOT TARGET DuckDB::DuckDB)
    string(FIND "${DuckDB_LIBRARY}" "${duckdb_npm}/" duckdb_position)
    if(duckdb_position EQUAL 0)
        set(DuckDB_BUNDLED TRUE)
    else()
        set(DuckDB_BUNDLED FALSE)
    endif()
    add_library(DuckDB::DuckDB SHARED IMPORTED)
    set_target_properties(DuckDB::DuckDB PROPERTIES
        IMPORTED_LOCATION ${DuckDB_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${DuckDB_INCLUDE_DIR})
endif()
mark_as_advanced(DuckDB_LIBRARY DuckDB_INCLUDE_DIR)
