#!/bin/bash
# Runs every fuzz target (tests/fuzz/X_fuzz.c, clang libFuzzer with ASan and UBSan) for
# FUZZ_SECONDS (default 20). Last line: N passed, N failed
#   tools/fuzz.sh [X...]    only these targets
# Seeds: tests/fuzz/corpus/X/, dictionary: tests/fuzz/X.dict; new inputs: build/fuzz/corpus/X/;
# an input that crashes is kept in build/fuzz/artifacts/X-*. Run it again with
#   build/fuzz/fuzz/X_fuzz build/fuzz/artifacts/X-crash-...
set -u
cd "$(dirname "$0")/.." || exit 1
seconds=${FUZZ_SECONDS:-20}
passed=0
failed=0

fuzz_one() {
    local name=$1 log=build/fuzz/$1.log
    local arguments=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048
        -artifact_prefix="build/fuzz/artifacts/$name-" -print_final_stats=1)
    [ -f "tests/fuzz/$name.dict" ] && arguments+=(-dict="tests/fuzz/$name.dict")
    mkdir -p "build/fuzz/corpus/$name" build/fuzz/artifacts
    arguments+=("build/fuzz/corpus/$name")
    [ -d "tests/fuzz/corpus/$name" ] && arguments+=("tests/fuzz/corpus/$name")
    if "build/fuzz/fuzz/${name}_fuzz" "${arguments[@]}" >"$log" 2>&1 </dev/null; then
        passed=$((passed + 1))
        echo "ok     $name: $(sed -n 's/stat::number_of_executed_units: *//p' "$log") inputs"
    else
        failed=$((failed + 1))
        tail -40 "$log"
        echo "FAILED $name (see $log)"
    fi
}

mkdir -p build
if { cmake --preset fuzz --log-level=WARNING && cmake --build --preset fuzz; } \
    >build/fuzz-build.log 2>&1; then
    for program in build/fuzz/fuzz/*_fuzz; do
        name=$(basename "$program" _fuzz)
        # A program whose source is gone is a left-over.
        [ -f "tests/fuzz/${name}_fuzz.c" ] || continue
        case " ${*:-$name} " in
        *" $name "*) fuzz_one "$name" ;;
        esac
    done
else
    failed=1
    tail -40 build/fuzz-build.log
    echo "FAILED build of the fuzz targets"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
