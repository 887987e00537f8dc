#!/bin/bash
# lists.sh: the indexes of the Debian archive as text, for the demo and the bench. Sourced by bash.
# Wants: input (folder for the texts), limit (lines of the Contents indexes at the most, or empty),
# work (folder for apt's log), and the functions note and die.
# shellcheck disable=SC2154

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

# Files of the Contents indexes that apt has here.
contents_lists() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(FILENAME)' 'Created-By: Contents-deb' 2>/dev/null |
        while read -r list; do [ -f "$list" ] && echo "$list"; done
}

# Fetches what is missing, by apt's and apt-file's own commands.
get_lists() {
    if [ -z "$(apt-cache dumpavail 2>/dev/null | head -c 100)" ]; then
        note "no package index yet: apt-get update"
        as_root apt-get -q update >"$work/apt.log" 2>&1 || note "apt-get update failed"
    fi
    if [ -z "$(contents_lists)" ]; then
        note "no Contents index yet: apt-file update (46 MB)"
        as_root apt-file update >>"$work/apt.log" 2>&1 || note "apt-file update failed"
    fi
}

# Writes $input/Packages and $input/N-Contents-ARCHITECTURE.
read_lists() {
    local list name number=0 left=$limit
    apt-cache dumpavail >"$input/Packages" 2>/dev/null
    [ -s "$input/Packages" ] || die "there is no package index on this machine, and none could be fetched"
    for list in $(contents_lists); do
        number=$((number + 1))
        name=${list##*_}
        name=$number-${name%.*}
        if [ -z "$limit" ]; then
            /usr/lib/apt/apt-helper cat-file "$list" >"$input/$name"
        elif [ "$left" -gt 0 ]; then
            # head ends early, so the helper's complaint about its pipe is expected
            /usr/lib/apt/apt-helper cat-file "$list" 2>/dev/null | head -n "$left" >"$input/$name"
            left=$((left - $(wc -l <"$input/$name")))
        fi
    done
}
