#!/bin/bash
# Everything that judges the sources without running them. Last line: N passed, N failed
# Each step counts as one: format, warnings of gcc, warnings of clang, clang-tidy, layers (and
# that the layer check catches planted faults), shell scripts.
set -u
cd "$(dirname "$0")/.." || exit 1
jobs=${JOBS:-$(nproc)}
logs=build/lint
mkdir -p "$logs"
passed=0
failed=0

# step <name> <command...>: shows the command's output only when it fails.
step() {
    local name=$1 begin=$SECONDS
    shift
    if "$@" >"$logs/$name.log" 2>&1 </dev/null; then
        passed=$((passed + 1))
        echo "ok     $name ($((SECONDS - begin))s)"
    else
        failed=$((failed + 1))
        grep -vE '^\[[0-9]+/[0-9]+\]|warnings generated|^Use -header-filter|^clang-tidy' \
            "$logs/$name.log" | head -80
        echo "FAILED $name ($((SECONDS - begin))s, see $logs/$name.log)"
    fi
}

format() {
    find src tests api bench clients include -name '*.[ch]' 2>/dev/null | sort |
        xargs -r clang-format --dry-run -Werror
}

warnings() {
    cmake --preset "$1" --log-level=WARNING && cmake --build --preset "$1" -- -k 0 -j "$jobs"
}

# The configuration is .clang-tidy; findings there are errors.
tidy() {
    local files
    files=$(find "$PWD/src" -name '*.c' | sort)
    [ -n "$files" ] || return 0
    # shellcheck disable=SC2086
    run-clang-tidy -quiet -p build/clang -j "$jobs" $files
}

scripts() {
    local script status=0
    for script in $(grep -lrE '^#!/bin/(ba)?sh' tools .ci bench tests --include='*.sh' \
        --include=run 2>/dev/null); do
        case $(head -1 "$script") in
        *bash*) bash -n "$script" || status=1 ;;
        *) sh -n "$script" || status=1 ;;
        esac
        [ -x "$script" ] || { echo "$script is not executable" && status=1; }
    done
    return $status
}

step format format
step layers /usr/bin/python3 tests/layers/check.py
step layers-self-test /usr/bin/python3 tests/layers/check.py --self-test
step scripts scripts
step gcc-warnings warnings dev
step clang-warnings warnings clang
step clang-tidy tidy
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
