#!/bin/sh
# Figures of the catalog over HTTP: durable writes until ASSETS are there, then reads of single
# assets, lists by words and by tags, ranked searches without and with facets. One JSON line each.
#   bench/catalog.sh [back-end URL]     default: sqlite in a fresh folder
# Environment: BIN (folder of quarryd), ASSETS (100000), SECONDS_EACH (5), CLIENTS (16).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
bin=${BIN:-$root/build/release/bin}
assets=${ASSETS:-100000}
seconds=${SECONDS_EACH:-5}
clients=${CLIENTS:-16}
work=$(mktemp -d)
url=${1:-sqlite:$work/data/catalog/catalog.db}
"$bin/quarryd" --services catalog --catalog-port=0 --data-path="$work/data" --catalog-url="$url" \
    --ports-file="$work/ports" 2>"$work/log" >/dev/null &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 200); do
    [ -s "$work/ports" ] && break
    kill -0 $pid || { cat "$work/log" >&2; exit 1; }
    sleep 0.05
done
base=http://127.0.0.1:$(jq .catalog "$work/ports")

run() { # name, environment...
    name=$1
    shift
    printf '{"bench":"%s","clients":%s,"result":' "$name" "$clients"
    env "$@" wrk -t 1 -c "$clients" -d "${seconds}s" -s "$root/bench/catalog.lua" "$base" | tail -1 | tr -d '\n'
    echo '}'
}
count() {
    curl -s "$base/assets?limit=1&count=true" | jq .total
}

round=0
while [ "$(count)" -lt "$assets" ] && [ $round -lt 100 ]; do
    round=$((round + 1))
    run "write-$round" CATALOG_DO=write CATALOG_RUN=$round
done
count | sed 's/.*/{"bench":"assets","result":&}/'
cursor=
: >"$work/ids"
while :; do
    page=$(curl -s "$base/assets?limit=1000&order=id&cursor=$cursor")
    echo "$page" | jq -r '.assets[].id' >>"$work/ids"
    cursor=$(echo "$page" | jq -r '.next_cursor // empty')
    [ -n "$cursor" ] || break
done
run read CATALOG_DO=read CATALOG_IDS="$work/ids"
for what in search list ranked facets; do
    run $what CATALOG_DO=$what
done
