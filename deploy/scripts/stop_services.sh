#!/bin/sh
# Stops what start_services.sh started: each process by its id, the door first, the data last.
#   stop_services.sh [DATA_PATH]
set -eu
. "$(dirname "$0")/common.sh"
data=${1:-./data}
failed=0
for service in gateway monitoring interpreter optimizer operation catalog tenant; do
    file="$data/processes/$service.pid"
    [ -s "$file" ] || continue
    pid=$(cat "$file")
    is_alive "$pid" || { rm -f "$file"; continue; }
    kill -TERM "$pid"
    tries=0
    while is_alive "$pid"; do
        if [ $tries -ge 900 ]; then
            echo "$service (process $pid) does not stop" >&2
            failed=1
            break
        fi
        tries=$((tries + 1))
        sleep 0.1
    done
    [ $failed -eq 1 ] || { rm -f "$file"; echo "$service stopped"; }
done
exit $failed
