#!/bin/bash
# What the gateway costs: the same small request straight to the tenant node and through the door.
# Environment: QUARRY_BIN (build/release/bin), QUARRY_BENCH_SECONDS (5, a case).
set -eu
cd "$(dirname "$0")/.."
bin=$(realpath "${QUARRY_BIN:-build/release/bin}")
seconds=${QUARRY_BENCH_SECONDS:-5}
work=$(mktemp -d "${TMPDIR:-/tmp}/quarry-gateway.XXXXXX")
server=""
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$work"' EXIT

free_ports=(--gateway-port=0 --operation-port=0 --optimizer-port=0 --catalog-port=0
    --monitoring-port=0 --interpreter-port=0 --rest-port=0)
"$bin/quarryd" "${free_ports[@]}" --data-path="$work/data" --ports-file="$work/ports" \
    >"$work/log" 2>&1 &
server=$!
for _ in $(seq 200); do [ -s "$work/ports" ] && break; sleep 0.05; done

for connections in 1 32; do
    for service in tenant gateway; do
        port=$(jq ".$service" "$work/ports")
        echo "$service, $connections connections:"
        wrk -t1 -c"$connections" -d"$seconds" --latency "http://127.0.0.1:$port/sources" |
            grep -E '50%|99%|Requests/sec'
    done
done
