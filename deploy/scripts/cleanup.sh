#!/bin/sh
# Stops the services and removes everything below DATA_PATH, data included. Asks first, unless --yes is given.
#   cleanup.sh [--yes] [DATA_PATH]
set -eu
yes=0
[ "${1:-}" != --yes ] || { yes=1; shift; }
data=${1:-./data}
if [ ! -d "$data/sources" ] && [ ! -d "$data/processes" ]; then
    echo "$data is no data folder of Quarry: nothing is removed" >&2
    exit 1
fi
if [ $yes -eq 0 ]; then
    printf 'Remove all data below %s? Type yes: ' "$data"
    read -r answer
    [ "$answer" = yes ] || { echo "nothing is removed"; exit 1; }
fi
"$(dirname "$0")/stop_services.sh" "$data"
rm -rf -- "$data"
echo "$data is gone"
