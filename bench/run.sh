#!/bin/bash
# The figures of docs/performance.md, one command each; peers run in the same run on the same data.
#
#   bench/run.sh                  all of them
#   bench/run.sh ingest           durable rows and acknowledgements a second, POST /data/write
#   bench/run.sh point            point searches a second over an indexed column (wrk)
#   bench/run.sh aggregate        aggregates over the archive's files, against DuckDB in its process
#   bench/run.sh point10m         equality on an index of 10 million rows: in memory, 100 files, compacted
#   bench/run.sh parquet          Parquet written and read, against DuckDB, by CPU time of one thread
#   bench/run.sh start            time from start to ready
#   bench/run.sh memory           resident memory when idle
#   bench/run.sh resolve          version resolution: 10,000 packages of 20 versions, and 3-SAT puzzles
#   bench/run.sh catalog          assets created, read, searched over HTTP, on every back end
#   bench/run.sh token            microseconds to check a token
#   bench/run.sh sql_front        microseconds to parse, analyze and translate a statement
#
# Environment: QUARRY_BIN (build/release/bin), QUARRY_BENCH_ROWS (lines of the Contents indexes, all),
# QUARRY_BENCH_SECONDS (5, a case), QUARRY_BENCH_DIR (folder for data; default a temporary one).
set -u
set -o pipefail
cd "$(dirname "$0")/.." || exit 1

bin=${QUARRY_BIN:-build/release/bin}
quarry=$bin/quarry
seconds=${QUARRY_BENCH_SECONDS:-5}
limit=${QUARRY_BENCH_ROWS:-}
work=${QUARRY_BENCH_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/quarry-bench.XXXXXX")}
input=$work/input
tools=build/bench
server=""
data=""
loaded=0
export XDG_CACHE_HOME=$work/cache LC_ALL=C.UTF-8

die() {
    echo "bench: $*" >&2
    exit 1
}

note() {
    echo "# $*"
}

# shellcheck source=tools/demo/lists.sh
. tools/demo/lists.sh

family() {
    local child
    echo "$1"
    # shellcheck disable=SC2013
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        family "$child"
    done
}

stop_server() {
    local _
    [ -n "$server" ] || return 0
    kill -TERM "$server" 2>/dev/null
    for _ in $(seq 1 600); do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    wait "$server" 2>/dev/null
    server=""
}

cleanup() {
    trap - EXIT INT TERM
    stop_server
    [ -n "${QUARRY_BENCH_DIR:-}" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# start_server <data folder>: sets server, port, ready_ms.
start_server() {
    local begin _
    data=$1
    mkdir -p "$data"
    rm -f "$work/ports"
    begin=$(date +%s%N)
    "$bin/quarryd" --ports-file "$work/ports" --data-path="$data" --gateway-port=0 \
        --operation-port=0 --optimizer-port=0 --catalog-port=0 --monitoring-port=0 \
        --interpreter-port=0 --rest-port=0 >>"$work/quarryd.log" 2>&1 </dev/null &
    server=$!
    for _ in $(seq 1 60000); do
        [ -s "$work/ports" ] && break
        kill -0 "$server" 2>/dev/null || break
        sleep 0.001
    done
    ready_ms=$((($(date +%s%N) - begin) / 1000000))
    [ -s "$work/ports" ] || die "quarryd did not start: $(tail -3 "$work/quarryd.log")"
    port=$(jq -r .tenant "$work/ports")
    export QUARRY_URL=http://127.0.0.1:$port
}

build_tools() {
    local duckdb=node_modules/@duckdb/node-bindings-linux-x64
    mkdir -p "$tools"
    gcc -std=c17 -D_GNU_SOURCE -O2 -o "$tools/ingest" bench/ingest.c -lpthread ||
        die "cannot compile bench/ingest.c"
    gcc -std=c17 -D_GNU_SOURCE -O2 -o "$tools/sqlite" bench/sqlite.c -lsqlite3 ||
        die "cannot compile bench/sqlite.c"
    [ -f $duckdb/libduckdb.so ] || return 0
    gcc -std=c17 -D_GNU_SOURCE -O2 -Inode_modules/duckdb/src/duckdb/src/include \
        -o "$tools/duck" bench/duck.c -L$duckdb -lduckdb -Wl,-rpath,"$PWD/$duckdb" ||
        die "cannot compile bench/duck.c"
}

# The archive's files, loaded once for point and aggregate; the server is left running.
load_files() {
    if [ "$loaded" -eq 1 ]; then
        [ -n "$server" ] || start_server "$work/files"
        return
    fi
    mkdir -p "$input"
    get_lists
    read_lists
    compgen -G "$input/*-Contents-*" >/dev/null || die "no Contents index on this machine"
    stop_server
    start_server "$work/files"
    loaded=1
    if [ -f "$work/files.loaded" ]; then
        note "the files in $work are used again"
        return
    fi
    "$quarry" sources add files --column path:string --column directory:string \
        --column name:string --column extension:string --column section:string \
        --column package:string --column architecture:string \
        --partition section --index path --index name >/dev/null || die "cannot add the source"
    "$quarry" load files "$input"/*-Contents-* --format apt-contents --json >"$work/load.json" ||
        die "cannot load"
    "$quarry" sources flush files >/dev/null || die "cannot flush"
    note "load: $(jq -s 'map(.rows_sent) | add' "$work/load.json") rows in" \
        "$(jq -s 'map(.seconds) | add | . * 100 | floor / 100' "$work/load.json") s with the command" \
        "line on the same processors"
    touch "$work/files.loaded"
}

# One row of the ingest table: <who> <clients> <line of JSON>
ingest_row() {
    jq -r --arg who "$1" --arg clients "$2" '[$who, .batch, $clients, .rows_per_s, .mb_per_s,
        .acks_per_s, .p50_ms, .p99_ms, (.server_cpu_us_per_row // .cpu_us_per_row)] | @tsv' <<<"$3" |
        awk '{ printf "%-8s %8d %8d %12d %10.1f %12d %9.2f %9.2f %12.2f\n", $1, $2, $3, $4, $5, $6, $7, $8, $9 }'
}

ingest() {
    local batch clients line rows sqlite_rows
    echo
    echo "ingest: records of 11 fields and about 220 bytes from JSON, durable before acknowledged; $seconds s a case"
    echo "quarry: NDJSON over HTTP, fresh server each; sqlite: in its process, no HTTP, one writer, WAL, synchronous=FULL"
    printf '%-8s %8s %8s %12s %10s %12s %9s %9s %12s\n' who batch clients rows/s MB/s acks/s p50_ms \
        p99_ms cpu_us/row
    for batch in 1 100 1000 10000; do
        rm -f "$work"/sqlite.db*
        line=$("$tools/sqlite" "$work/sqlite.db" $batch "$seconds") || die "sqlite failed"
        rm -f "$work"/sqlite.db*
        ingest_row sqlite 1 "$line"
        sqlite_rows=$(jq -r .rows_per_s <<<"$line")
        for clients in 1 8; do
            start_server "$work/ingest"
            "$quarry" sources add events >/dev/null || die "cannot add the source"
            # shellcheck disable=SC2046
            line=$("$tools/ingest" 127.0.0.1 "$port" events $clients $batch "$seconds" \
                $(family "$server")) || note "the run below ended with an error"
            ingest_row quarry $clients "$line"
            rows=$(jq -r .rows_per_s <<<"$line")
            stop_server
            rm -rf "$work/ingest"
        done
        awk -v b=$batch -v q="$rows" -v s="$sqlite_rows" \
            'BEGIN { printf "  quarry with 8 clients / sqlite, batch %d: %.2f\n", b, q / s }'
    done
}

point() {
    local line threads before after clients
    load_files
    cat "$input"/*-Contents-* | shuf -n 20000 --random-source=<(yes) |
        awk '!/["\\]/ && NF == 2 { print "/" $1 }' >"$work/paths"
    echo
    echo "point: POST /data/search, filter path = one of $(wc -l <"$work/paths") random paths, limit 10, $seconds s after as long a warm-up"
    printf '%11s %12s %10s %10s %8s %14s\n' connections requests/s p50_us p99_us errors cpu_us/request
    POINT_PATHS=$work/paths wrk -t 1 -c 8 -d "${seconds}s" -s bench/point.lua "$QUARRY_URL" >/dev/null
    for clients in 1 32; do
        threads=1
        before=$(cpu_ticks)
        line=$(POINT_PATHS=$work/paths wrk -t $threads -c $clients -d "${seconds}s" -s bench/point.lua \
            "$QUARRY_URL" | tail -1)
        after=$(cpu_ticks)
        jq -r --argjson c "$clients" --argjson t $((after - before)) --argjson s "$seconds" \
            '[$c, .requests_per_s, .p50_us, .p99_us, .errors,
              ($t * 10000 / ((.requests_per_s * $s) + 1))] | @tsv' <<<"$line" |
            awk '{ printf "%11d %12d %10d %10d %8d %14.1f\n", $1, $2, $3, $4, $5, $6 }'
    done
}

# User and system ticks (10 ms) of the server's processes.
cpu_ticks() {
    local pid sum=0
    for pid in $(family "$server"); do
        sum=$((sum + $(sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }')))
    done
    echo $sum
}

# ms of one request: <path> <body>
ask() {
    curl -s -o "$work/answer" -w '%{time_total} %{http_code}' -H 'Content-Type: application/json' \
        -d "$2" "$QUARRY_URL$1" | awk '$2 == 200 { printf "%.2f\n", $1 * 1000; exit } { print "failed" }'
}

# first and best of 5: <path> <body>
ask_times() {
    local first best _ took
    first=$(ask "$1" "$2")
    best=$first
    for _ in 1 2 3 4; do
        took=$(ask "$1" "$2")
        best=$(printf '%s\n%s\n' "$best" "$took" | sort -n | head -1)
    done
    echo "$first $best"
}

drop_caches() {
    sync
    if ! { echo 3 >/proc/sys/vm/drop_caches; } 2>/dev/null; then
        note "the page cache cannot be dropped here: cold means a fresh process only"
    fi
}

# current_files FOLDER: the files of a source's current snapshot as an SQL list; the folder may hold
# older ones.
current_files() {
    node tools/demo/table_files.mjs "$1" | jq -r --arg quote "'" '"[" + (map($quote + . + $quote) | join(",")) + "]"'
}

# One row of the aggregate table: <name> <JSON body of /data/aggregate or ''> <SQL>
aggregate_row() {
    local own="- -" sql duck
    drop_caches
    stop_server
    start_server "$work/files"
    [ -z "$2" ] || own=$(ask_times /data/aggregate "$2")
    drop_caches
    stop_server
    start_server "$work/files"
    sql=$(ask_times /query/sql "$(jq -cn --arg q "$3" '{query: $q, timeout_ms: 120000}')")
    drop_caches
    current_files "$work/files/sources/files" >"$work/duck.list"
    duck=$("$tools/duck" 2 5 "$work/duck.list" "$3" |
        jq -r '"\(.first_ms) \(.best_ms)"')
    echo "$1 $own $sql $duck" | awk '
        function ratio(a, b) { return a == "-" || a == "failed" || b + 0 == 0 ? "-" : sprintf("%.2f", a / b) }
        { printf "%-22s %9s %9s %9s %9s %9s %9s  %7s %7s\n", $1, $2, $3, $4, $5, $6, $7, ratio($3, $7), ratio($5, $7) }'
}

aggregate() {
    load_files
    [ -x "$tools/duck" ] || die "no DuckDB for the peer"
    echo
    echo "aggregate: ms over $("$quarry" sql --json 'SELECT count(*) FROM files' | jq -r '.rows[0][0]') rows;" \
        "own = /data/aggregate, sql = /query/sql, duck = DuckDB in its own process on the same Parquet files"
    echo "cold = first after a start with an empty page cache, warm = best of 5; ratios are warm, below 1 is faster"
    printf '%-22s %9s %9s %9s %9s %9s %9s  %7s %7s\n' query own.cold own.warm sql.cold sql.warm \
        duck.cold duck.warm own/duck sql/duck
    aggregate_row count '{"source_ids":["files"],"aggregations":[{"type":"count"}]}' \
        "SELECT count(*) FROM files"
    aggregate_row count_where_eq \
        '{"source_ids":["files"],"filters":{"extension":{"eq":"html"}},"aggregations":[{"type":"count"}]}' \
        "SELECT count(*) FROM files WHERE extension = 'html'"
    aggregate_row count_where_like \
        '{"source_ids":["files"],"filters":{"path":{"like":"%python%"}},"aggregations":[{"type":"count"}]}' \
        "SELECT count(*) FROM files WHERE path LIKE '%python%'"
    aggregate_row group_by_section \
        '{"source_ids":["files"],"group_by":["section"],"aggregations":[{"type":"count"}]}' \
        "SELECT section, count(*) FROM files GROUP BY section"
    aggregate_row group_by_extension \
        '{"source_ids":["files"],"group_by":["extension"],"aggregations":[{"type":"count"}]}' \
        "SELECT extension, count(*) FROM files GROUP BY extension"
    aggregate_row group_by_package \
        '{"source_ids":["files"],"group_by":["package"],"aggregations":[{"type":"count"}]}' \
        "SELECT package, count(*) FROM files GROUP BY package"
    aggregate_row distinct_directories \
        '{"source_ids":["files"],"aggregations":[{"type":"count_distinct","column":"directory"}]}' \
        "SELECT count(DISTINCT directory) FROM files"
    aggregate_row min_max_path \
        '{"source_ids":["files"],"aggregations":[{"type":"min","column":"path"},{"type":"max","column":"path"}]}' \
        "SELECT min(path), max(path) FROM files"
}

start() {
    local _ all=""
    stop_server
    for _ in 1 2 3 4 5 6 7; do
        start_server "$work/start"
        all="$all $ready_ms"
        stop_server
        rm -rf "$work/start"
    done
    echo
    echo "start: ms from exec to the ports file (all seven services ready), empty data folder, 7 starts:"
    # shellcheck disable=SC2086
    printf '%s\n' $all | sort -n | awk '{ v[NR] = $1 } END { printf "  best %d, median %d, worst %d\n", v[1], v[(NR + 1) / 2], v[NR] }'
}

memory() {
    local pid rss total=0
    stop_server
    start_server "$work/idle"
    "$quarry" sources add idle >/dev/null
    sleep 2
    echo
    echo "memory: proportional set size (Pss) when idle, one empty source:"
    for pid in $(family "$server"); do
        rss=$(awk '/^Pss:/ { s += $2 } END { print s + 0 }' "/proc/$pid/smaps_rollup")
        total=$((total + rss))
        printf '  %8.1f MB  %s\n' "$(awk "BEGIN { print $rss / 1024 }")" \
            "$(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c 1-60)"
    done
    printf '  %8.1f MB  together\n' "$(awk "BEGIN { print $total / 1024 }")"
    stop_server
    rm -rf "$work/idle"
}

resolve() {
    local yyjson
    yyjson=$(dirname "$(find build/release/generated -name yyjson.h | head -1)")
    gcc -std=c17 -D_GNU_SOURCE -O2 -Isrc -I. -Ibuild/release/generated -I"$yyjson" \
        -o "$tools/resolve" bench/resolve.c -Lbuild/release -lquarry -lxxhash -lm ||
        die "cannot compile bench/resolve.c"
    echo
    echo "resolve: versions that go together, in this process:"
    "$tools/resolve"
}

token() {
    local yyjson
    yyjson=$(dirname "$(find build/release/generated -name yyjson.h | head -1)")
    gcc -std=c17 -D_GNU_SOURCE -O2 -Isrc -I. -Ibuild/release/generated -I"$yyjson" \
        -o "$tools/token" bench/token.c -Lbuild/release -lquarry -lyyjson -lxxhash -lcrypto -lm ||
        die "cannot compile bench/token.c"
    echo
    echo "token: checking one, in this process:"
    "$tools/token"
}

point10m() {
    QUARRY_BIN=$(realpath "$bin") QUARRY_BENCH_SECONDS=$seconds /usr/bin/python3 bench/point10m.py
}

parquet() {
    local yyjson duckdb=node_modules/@duckdb/node-bindings-linux-x64 memory
    yyjson=$(dirname "$(find build/release/generated -name yyjson.h | head -1)")
    gcc -std=c17 -D_GNU_SOURCE -O2 -Isrc -I. -Ibuild/release/generated -I"$yyjson" \
        -Inode_modules/duckdb/src/duckdb/src/include -o "$tools/parquet" bench/parquet.c -Lbuild/release \
        -lquarry -lyyjson -L$duckdb -lduckdb -Wl,-rpath,"$PWD/$duckdb" -lsnappy -lzstd -llz4 -lisal -lxxhash -lz -lm ||
        die "cannot compile bench/parquet.c"
    echo
    echo "parquet: CPU time of one thread, best of 3, 2,000,000 rows of 4 columns:"
    memory=$(mktemp -d /dev/shm/quarry-bench.XXXXXX)
    "$tools/parquet" "$memory"
    rm -rf "$memory"
}

catalog() {
    stop_server
    BIN=$(realpath "$bin") SECONDS_EACH=$seconds PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 bench/catalog_all.py
}

sql_front() {
    local yyjson
    yyjson=$(dirname "$(find build/release/generated -name yyjson.h | head -1)")
    gcc -std=c17 -D_GNU_SOURCE -O2 -Isrc -I. -Ibuild/release/generated -I"$yyjson" \
        -o "$tools/sql_front" bench/sql_front.c -Lbuild/release -lquarry -lxxhash -lm ||
        die "cannot compile bench/sql_front.c"
    echo
    echo "sql_front: parse, analyze and translate a statement, in this process:"
    "$tools/sql_front"
}

for tool in jq wrk curl gcc; do
    command -v $tool >/dev/null || die "$tool is missing; run make setup"
done
[ -x "$bin/quarryd" ] || die "no programs in $bin; run make build"
build_tools
note "$(date -u +%Y-%m-%dT%H:%MZ), $(nproc) processors, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)," \
    "load $(cut -d ' ' -f 1-3 /proc/loadavg), $("$quarry" --version)"
figures=("$@")
[ ${#figures[@]} -gt 0 ] || figures=(start memory ingest point aggregate catalog)
for figure in "${figures[@]}"; do
    case $figure in
    start | memory | ingest | point | point10m | parquet | aggregate | catalog | resolve | token | sql_front) $figure ;;
    *) die "no figure is called $figure" ;;
    esac
done
