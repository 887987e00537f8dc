#!/bin/sh
# Starts the seven services as seven processes on this machine and waits until all are ready.
#   start_services.sh [DATA_PATH] [quarryd's settings...]     default: ./data
# QUARRY_BIN names the folder of quarryd (default: build/release/bin of this repository, else PATH).
set -eu
. "$(dirname "$0")/common.sh"
here=$(cd "$(dirname "$0")/../.." && pwd)
bin=${QUARRY_BIN:-$here/build/release/bin}
[ -x "$bin/quarryd" ] || bin=$(dirname "$(command -v quarryd)")
data=${1:-./data}
[ $# -eq 0 ] || shift
mkdir -p "$data/processes"
data=$(cd "$data" && pwd)
for service in tenant catalog operation optimizer interpreter monitoring gateway; do
    if [ -s "$data/processes/$service.pid" ] && is_alive "$(cat "$data/processes/$service.pid")"; then
        echo "$service runs already (process $(cat "$data/processes/$service.pid"))"
        continue
    fi
    rm -f "$data/processes/$service.ports"
    "$bin/quarryd" --services "$service" --ports-file "$data/processes/$service.ports" "--data-path=$data" "$@" \
        </dev/null >>"$data/processes/$service.log" 2>&1 &
    echo $! >"$data/processes/$service.pid"
    tries=0
    until [ -s "$data/processes/$service.ports" ]; do
        if [ $tries -ge 300 ] || ! is_alive "$(cat "$data/processes/$service.pid")"; then
            echo "$service did not start:" >&2
            tail -n 5 "$data/processes/$service.log" >&2
            exit 1
        fi
        tries=$((tries + 1))
        sleep 0.1
    done
    echo "$service is ready: $(cat "$data/processes/$service.ports")"
done
