#!/bin/sh
# Brings a Debian 12 machine to the state in which everything here builds and every test runs.
# Idempotent: installs only what is missing, touches the network only then; otherwise ~0.1 s.
#   tools/setup.sh [more apt packages...]      (as root, or with sudo)
# 1. apt packages   2. node and npm, unless some are there   3. npm packages from the lock file
set -eu
cd "$(dirname "$0")/.."

packages="gcc g++ libc6-dev clang clang-format clang-tidy libclang-rt-14-dev cmake ninja-build make
pkg-config git curl ca-certificates jq
libmicrohttpd-dev libgnutls28-dev libzstd-dev liblz4-dev libsnappy-dev zlib1g-dev libisal-dev
libseccomp-dev libcurl4-openssl-dev libsqlite3-dev libxxhash-dev libyaml-dev libssl-dev libcrypt-dev
libxapian-dev libpq-dev libhiredis-dev libcmocka-dev postgresql-15 redis-server nginx prometheus
python3 python3-pytest python3-yaml docker-compose openssl zstd wrk apt-file $*"
command -v node >/dev/null 2>&1 || packages="$packages nodejs"
command -v npm >/dev/null 2>&1 || packages="$packages npm"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        echo "setup: root or sudo is needed for: $*" >&2
        exit 1
    fi
}

install_missing() {
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null |
        sed -n 's/ installed$//p')
    missing=""
    for package in $packages; do
        case "
$installed
" in
        *"
$package
"*) ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    echo "setup: installing$missing"
    as_root apt-get -q -o DPkg::Lock::Timeout=300 update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
        install --no-install-recommends $missing </dev/null
}

# The stamp holds the checksum of the lock file and of package.json that node_modules was made from.
install_npm() {
    stamp=node_modules/.quarry-stamp
    wanted=$(cat package.json package-lock.json | sha256sum)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return 0
    fi
    echo "setup: npm ci --ignore-scripts"
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null
    echo "$wanted" >"$stamp"
}

install_missing
install_npm
