#!/bin/bash
# All tests of the project but the long ones (torture, fuzz, bench). Last line: N passed, N failed
#   1. build: asan (programs and unit tests), release (programs), tsan (tests labelled threads)
#   2. ctest under ASan+UBSan; ctest -L threads under TSan
#   3. pytest tests/system against the release build
# A step that cannot build or dies without results counts as one failed test.
# Environment: QUARRY_SHARED (default ../shared), JOBS (default: processors), PYTEST_ARGS.
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
export QUARRY_SHARED=${QUARRY_SHARED:-$root/../shared} QUARRY_ROOT=$root
export PYTHONDONTWRITEBYTECODE=1
jobs=${JOBS:-$(nproc)}
results=$root/build/results
rm -rf "$results"
mkdir -p "$results"
passed=0
failed=0

say() {
    printf '== %s (%ds)\n' "$1" "$SECONDS"
}

# fail <what>: one failed test that no result file knows of.
fail() {
    failed=$((failed + 1))
    echo "FAILED $1"
}

# build <preset> <target>: quiet when it works.
build() {
    local log=$results/build-$1.log
    say "build $1"
    if ! { cmake --preset "$1" --log-level=WARNING &&
        cmake --build --preset "$1" --target "$2" -- -k 0 -j "$jobs"; } >"$log" 2>&1; then
        grep -E 'error|warning|FAILED|CMake Error' -A3 "$log" | head -60
        fail "build of preset $1 (see $log)"
        return 1
    fi
}

# count <name> <exit status>: adds the results of build/results/<name>.xml.
count() {
    local numbers p f
    if ! numbers=$(/usr/bin/python3 tools/junit.py "$results/$1.xml"); then
        echo "$numbers"
        fail "$1: no results (exit status $2)"
        return
    fi
    echo "$numbers" | sed '$d'
    read -r p f <<<"$(echo "$numbers" | tail -1)"
    passed=$((passed + p))
    failed=$((failed + f))
    # 5: pytest found no tests
    if [ "$2" -ne 0 ] && [ "$2" -ne 5 ] && [ "$f" -eq 0 ]; then
        fail "$1: exit status $2 although no test failed"
    fi
    echo "$1: $p passed, $f failed"
}

# unit <preset> <ctest arguments...>
unit() {
    local preset=$1
    shift
    say "ctest $preset"
    ctest --test-dir "build/$preset" -j "$jobs" --output-junit "$results/unit-$preset.xml" \
        --no-tests=ignore "$@" >"$results/ctest-$preset.log" 2>&1 </dev/null
    count "unit-$preset" $?
}

system_tests() {
    say "pytest tests/system"
    QUARRY_BIN=$root/build/release/bin timeout -k 10 1500 /usr/bin/python3 -m pytest \
        -p no:cacheprovider -q --junitxml="$results/system.xml" ${PYTEST_ARGS:-} tests/system \
        >"$results/system.log" 2>&1 </dev/null
    local status=$?
    [ $status -eq 0 ] || tail -40 "$results/system.log"
    count system $status
}

build asan all && asan=yes || asan=
[ -z "$asan" ] && [ -f build/asan/CTestTestfile.cmake ] && asan=partly
[ -n "$asan" ] && unit asan
build release all && release=yes || release=
# The worker of the release build: DuckDB is not instrumented, so a worker that is gives false alarms.
build tsan thread_tests &&
    QUARRY_SQL_WORKER=$root/build/release/bin/quarry-sql-worker unit tsan -L threads
[ -n "$release" ] && [ -d tests/system ] && system_tests

if [ $((passed + failed)) -eq 0 ]; then
    fail "no test ran"
fi
say done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
