#!/bin/bash
# The main job of Quarry on real data, each step with its request and its answer: the indexes of the
# Debian archive (63,000 packages, 7.3 million files) go in over HTTP as JSON, are searched,
# aggregated, joined, survive a kill -9, and are read by a program that is not Quarry.
#
#   tools/demo.sh                after `make build`; `make demo` does both
#
# Every number that is shown is also counted from the indexes' text with awk and compared; the exit
# status is 0 only when all agree. Last line: "N checks passed".
# Environment: QUARRY_DEMO_ROWS  lines of the Contents indexes at the most (default: all)
#              QUARRY_DEMO_DIR   keep the data there and leave the server's folder behind
#              QUARRY_BIN        folder of the programs (default: build/release/bin)
set -u
set -o pipefail
cd "$(dirname "$0")/.." || exit 1

bin=${QUARRY_BIN:-build/release/bin}
quarry=$bin/quarry
limit=${QUARRY_DEMO_ROWS:-}
work=${QUARRY_DEMO_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/quarry-demo.XXXXXX")}
input=$work/input expected=$work/expected got=$work/got data=$work/data
checks=0
failures=0
server=""
counting=""
export LC_ALL=C.UTF-8
export XDG_CACHE_HOME=$work/cache

if [ -t 1 ]; then
    bold=$'\033[1m' dim=$'\033[2m' red=$'\033[31m' green=$'\033[32m' plain=$'\033[0m'
else
    bold="" dim="" red="" green="" plain=""
fi

# ---------------------------------------------------------------- helpers

step() {
    printf '\n%s== %s%s  %s(%ds)%s\n' "$bold" "$1" "$plain" "$dim" "$SECONDS" "$plain"
}

note() {
    printf '   %s\n' "$*"
}

die() {
    printf '%sdemo: %s%s\n' "$red" "$*" "$plain" >&2
    exit 1
}

# run <command...>: shows the command, then runs it; a failing command fails the demo.
run() {
    local shown="" word
    for word in "$@"; do
        case $word in
        "$quarry") shown+="quarry " ;;
        *[\ \;\'\>\<\(]*) shown+="\"$word\" " ;;
        *) shown+="$word " ;;
        esac
    done
    printf '%s$ %s%s\n' "$green" "$shown" "$plain"
    "$@" 2>&1
    local status=$?
    [ $status -eq 0 ] || fail "the command above ended with status $status"
    return $status
}

fail() {
    failures=$((failures + 1))
    printf '%s   FAILED: %s%s\n' "$red" "$1" "$plain"
}

# check <what> <got> <wanted>
check() {
    if [ "$2" = "$3" ] && [ -n "$2" ]; then
        checks=$((checks + 1))
        printf '%s   checked: %s%s\n' "$dim" "$1" "$plain"
    else
        fail "$1: Quarry says \"$2\", the input says \"$3\""
    fi
}

# check_file <what> <file got> <file wanted>: equal and not empty.
check_file() {
    if [ -s "$3" ] && cmp -s "$2" "$3"; then
        checks=$((checks + 1))
        printf '%s   checked: %s (%d rows)%s\n' "$dim" "$1" "$(wc -l <"$3")" "$plain"
    else
        fail "$1: the answer differs from the input (< answer, > input)"
        diff "$2" "$3" | head -10
    fi
}

commas() {
    printf "%s" "$1" | sed -e ':a' -e 's/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/' -e 'ta'
}

# All processes below one, deepest last.
family() {
    local child
    echo "$1"
    # shellcheck disable=SC2013
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        family "$child"
    done
}

alive() {
    kill -0 "$1" 2>/dev/null
}

stop_server() {
    local _
    [ -n "$server" ] || return 0
    kill -TERM "$server" 2>/dev/null
    for _ in $(seq 1 300); do
        alive "$server" || break
        sleep 0.1
    done
    # shellcheck disable=SC2046
    alive "$server" && kill -KILL $(family "$server") 2>/dev/null
    wait "$server" 2>/dev/null
    server=""
}

cleanup() {
    trap - EXIT INT TERM
    [ -z "$counting" ] || kill "$counting" 2>/dev/null
    stop_server
    [ -n "${QUARRY_DEMO_DIR:-}" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Starts quarryd on free ports and waits until it is ready.
start_server() {
    local begin end _
    rm -f "$work/ports"
    begin=$(date +%s%N)
    "$bin/quarryd" --ports-file "$work/ports" --data-path="$data" --gateway-port=0 \
        --operation-port=0 --optimizer-port=0 --catalog-port=0 --monitoring-port=0 \
        --interpreter-port=0 --rest-port=0 >>"$work/quarryd.log" 2>&1 </dev/null &
    server=$!
    for _ in $(seq 1 6000); do
        [ -s "$work/ports" ] && break
        alive "$server" || break
        sleep 0.01
    done
    end=$(date +%s%N)
    if ! [ -s "$work/ports" ]; then
        tail -20 "$work/quarryd.log" >&2
        die "quarryd did not start"
    fi
    export QUARRY_URL
    QUARRY_URL=http://127.0.0.1:$(jq -r .tenant "$work/ports")
    note "quarryd (process $server) is ready after $(((end - begin) / 1000000)) ms," \
        "tenant node at $QUARRY_URL"
}

rows_of() {
    "$quarry" sources list --json | jq -r --arg s "$1" '.source_details[$s].total_rows'
}

count_by_sql() {
    "$quarry" sql --json "SELECT count(*) FROM $1" | jq -r '.rows[0][0]'
}

top10() {
    LC_ALL=C sort -t "$(printf '\t')" -k1,1nr -k2,2 "$1" | head -10
}

# ---------------------------------------------------------------- input

# shellcheck source=tools/demo/lists.sh
. tools/demo/lists.sh

count_input() {
    : >"$expected/packages"
    if [ "$with_files" -eq 1 ]; then
        awk -v out="$expected" -f tools/demo/contents.awk "$input"/*-Contents-*
    fi
    awk -v out="$expected" -v counts="$expected/packages" -f tools/demo/packages.awk \
        "$expected/packages" "$input/Packages"
    touch "$expected/done"
}

wait_for_count() {
    [ -z "$counting" ] || wait "$counting"
    counting=""
    [ -f "$expected/done" ] || die "counting the input failed"
}

for program in quarry quarryd quarry-sql-worker; do
    [ -x "$bin/$program" ] || die "no program $bin/$program; run make build"
done
for tool in jq node awk apt-cache; do
    command -v $tool >/dev/null || die "$tool is missing; run make setup"
done
case $limit in
*[!0-9]*) die "QUARRY_DEMO_ROWS is a number" ;;
esac
mkdir -p "$input" "$expected" "$got" "$data"

step "1. Real data: the indexes of the Debian archive, as apt keeps them on this machine"
get_lists
read_lists
with_files=0
if compgen -G "$input/*-Contents-*" >/dev/null; then
    with_files=1
    note "Contents indexes: $(commas "$(cat "$input"/*-Contents-* | wc -l)") lines," \
        "$(($(cat "$input"/*-Contents-* | wc -c) / 1000000)) MB"
else
    note "There is no Contents index and none could be fetched (no network?):"
    note "going on with the package index alone."
fi
note "package index:    $(commas "$(grep -c '^Package: ' "$input/Packages")") packages," \
    "$(($(wc -c <"$input/Packages") / 1000000)) MB"
count_input &
counting=$!

# ---------------------------------------------------------------- in

step "2. Start: one program, all services, no configuration"
start_server
run "$quarry" health

step "3. Two sources: one without a schema, one partitioned and indexed"
run "$quarry" sources add packages --index package
if [ "$with_files" -eq 1 ]; then
    run "$quarry" sources add files --column path:string --column directory:string \
        --column name:string --column extension:string --column section:string \
        --column package:string --column architecture:string \
        --partition section --index path --index name
fi

step "4. Load: JSON over HTTP, durable before it is acknowledged"
run "$quarry" load packages "$input/Packages" --format apt-packages --batch 5000
if [ "$with_files" -eq 1 ]; then
    run "$quarry" load files "$input"/*-Contents-* --format apt-contents
fi
wait_for_count
run "$quarry" sources list
check "rows of packages" "$(rows_of packages)" "$(cat "$expected/records")"
[ "$with_files" -eq 0 ] || check "rows of files" "$(rows_of files)" "$(cat "$expected/rows")"

# ---------------------------------------------------------------- questions

# Packages that ship exactly this path, from the text.
shippers() {
    awk -v path="${1#/}" '
        index($0, path) == 1 && substr($0, length(path) + 1) ~ /^[ \t]+[^ \t]+[ \t]*$/ {
            n = split($NF, items, ",")
            for (i = 1; i <= n; i++) { sub(/.*\//, "", items[i]); print items[i] }
        }' "$input"/*-Contents-* | sort
}

if [ "$with_files" -eq 1 ]; then
    target=/usr/bin/psql
    shippers $target >"$expected/shippers"
    if ! [ -s "$expected/shippers" ]; then # not among the first QUARRY_DEMO_ROWS lines
        target=/$(awk 'NR == 1 { sub(/[ \t]+[^ \t]+[ \t]*$/, ""); print }' "$input"/1-Contents-*)
        shippers "$target" >"$expected/shippers"
    fi
    step "5. Point search: which package ships $target?"
    run "$quarry" search files --where "path eq $target" --show-request --repeat 1000
    "$quarry" search files --where "path eq $target" --json |
        jq -r '.[0].records[].package' | sort >"$got/shippers"
    check_file "packages that ship $target" "$got/shippers" "$expected/shippers"

    step "6. Aggregate: what extensions fill the archive?"
    run "$quarry" aggregate files --agg count::files \
        --group-by extension --sort files --limit 10 --show-request
    "$quarry" aggregate files --agg count::files --group-by extension --json |
        jq -r '.final_results | sort_by([-.files, (.extension // "")])[:10][] |
            "\(.files)\t\(.extension // "")"' >"$got/extensions"
    top10 "$expected/extensions" >"$expected/extensions.top"
    check_file "the ten most frequent extensions" "$got/extensions" "$expected/extensions.top"

    heaviest="SELECT p.maintainer->>'name' AS maintainer, count(*) AS packages, \
sum(f.files)::BIGINT AS files, sum(p.installed_size)::BIGINT AS installed_kib FROM packages p \
JOIN (SELECT package, count(*) AS files FROM files GROUP BY package) f ON f.package = p.package \
GROUP BY 1 ORDER BY files DESC, maintainer LIMIT 10"
    step "7. SQL with a join: the heaviest maintainers"
    run "$quarry" sql "$heaviest" --show-request
    "$quarry" sql "$heaviest" --json |
        jq -r '.rows[] | "\(.[2])\t\(.[0])\t\(.[1])\t\(.[3] // 0)"' >"$got/maintainers"
    top10 "$expected/maintainers" >"$expected/maintainers.top"
    check_file "the ten heaviest maintainers" "$got/maintainers" "$expected/maintainers.top"
fi

needs="SELECT d.value->>'name' AS needs, count(DISTINCT p.package) AS dependents \
FROM packages p, json_each(p.depends) d GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10"
step "8. Into nested data: what does most of the archive depend on?"
run "$quarry" sql "$needs" --show-request
"$quarry" sql "$needs" --json | jq -r '.rows[] | "\(.[1])\t\(.[0])"' >"$got/needs"
top10 "$expected/needs" >"$expected/needs.top"
check_file "the ten most needed packages" "$got/needs" "$expected/needs.top"

# ---------------------------------------------------------------- kill -9

step "9. kill -9 of every process of Quarry, then a start on the same folder"
unflushed=$("$quarry" sources show packages --json | jq -r .detailed_stats.memtable_rows)
[ "$with_files" -eq 0 ] ||
    unflushed=$((unflushed + $("$quarry" sources show files --json | jq -r .detailed_stats.memtable_rows)))
note "$(commas "$unflushed") rows are in memory and in the log only, not yet in Parquet files"
mapfile -t victims < <(family "$server")
note "kill -9 ${victims[*]}"
kill -KILL "${victims[@]}"
wait "$server" 2>/dev/null
server=""
start_server
run "$quarry" sql "SELECT count(*) AS packages FROM packages"
check "packages after the kill" "$(count_by_sql packages)" "$(cat "$expected/records")"
if [ "$with_files" -eq 1 ]; then
    run "$quarry" sql "SELECT count(*) AS files, count(DISTINCT section) AS sections FROM files"
    check "files after the kill" "$(count_by_sql files)" "$(cat "$expected/rows")"
    check "sections after the kill" \
        "$("$quarry" sql --json "SELECT count(DISTINCT section) FROM files" | jq -r '.rows[0][0]')" \
        "$(wc -l <"$expected/sections")"
fi

# ---------------------------------------------------------------- files

step "10. The files: plain Parquet, partitioned by section"
run "$quarry" sources flush packages
[ "$with_files" -eq 0 ] || run "$quarry" sources flush files
stop_server
note "the server is stopped; below $data/sources:"
(cd "$data/sources" && find . -name '*.parquet' -printf '%h\t%s\n' |
    awk -F '\t' '{ n[$1]++; size[$1] += $2 } END { for (d in n) printf "   %9.1f MB  %3d files  %s\n", size[d] / 1e6, n[d], d }' |
    sort -rn | head -8)
note "... $(find "$data/sources" -name '*.parquet' | wc -l) Parquet files," \
    "$(($(find "$data/sources" -name '*.parquet' -printf '%s\n' | awk '{ s += $1 } END { print s + 0 }') / 1000000)) MB"

# outside <source> <column>: what hyparquet reads.
outside() {
    run node tools/demo/read_parquet.mjs "$data/sources/$1" "$2" >"$got/outside.$1"
    head -1 "$got/outside.$1"
    sed 1d "$got/outside.$1" | jq -r '"   \(.files) files, \(.rows) rows, \(.columns) columns; \(.decoded) values decoded; most frequent: " +
        ([.counts[:5][] | "\(if .[0] == "" then "(none)" else .[0] end) \(.[1])"] | join(", "))'
}

step "11. The same files read by a program that is not Quarry (hyparquet on node)"
outside packages section
check "packages in the Parquet files" "$(sed 1d "$got/outside.packages" | jq -r .decoded)" \
    "$(cat "$expected/records")"
sed 1d "$got/outside.packages" | jq -r '.counts[:10][] | "\(.[1])\t\(.[0])"' >"$got/sections.top"
top10 "$expected/psections" >"$expected/psections.top"
check_file "sections as the other reader counts them" "$got/sections.top" "$expected/psections.top"
if [ "$with_files" -eq 1 ]; then
    outside files extension
    check "files in the Parquet files" "$(sed 1d "$got/outside.files" | jq -r .decoded)" \
        "$(cat "$expected/rows")"
    sed 1d "$got/outside.files" | jq -r '.counts[:10][] | "\(.[1])\t\(.[0])"' >"$got/outside.top"
    check_file "extensions as the other reader counts them" "$got/outside.top" \
        "$expected/extensions.top"
fi

# ---------------------------------------------------------------- how to go on

step "How to go on"
cat <<'TEXT'
   make run                                   the server in the foreground, data in ./data
   build/release/bin/quarry sources add mine --index id
   build/release/bin/quarry load mine FILE.ndjson FILE.csv.gz FILE.parquet
   build/release/bin/quarry sql               a shell; \d lists the sources
   build/release/bin/quarry api               every operation of the server
   QUARRY_DEMO_ROWS=200000 make demo          the demo again, smaller
TEXT
printf '\n'
if [ "$failures" -gt 0 ]; then
    echo "$checks checks passed, $failures FAILED"
    exit 1
fi
echo "$checks checks passed"
