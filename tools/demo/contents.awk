# What the demo must show about `files`, counted from the Contents indexes alone (no Quarry involved).
# Writes into the folder `out`: rows, extensions (count TAB extension), packages (count TAB package),
# sections (count TAB section).
{
    n = split($NF, items, ",")
    path = substr($0, 1, length($0) - length($NF))
    sub(/[ \t]+$/, "", path)
    name = path
    sub(/.*\//, "", name)
    extension = ""
    if (match(name, /\.[^.]+$/) && RSTART > 1)
        extension = substr(name, RSTART + 1)
    extensions[extension] += n
    rows += n
    for (i = 1; i <= n; i++) {
        package = items[i]
        sub(/.*\//, "", package)
        packages[package]++
        sections[substr(items[i], 1, length(items[i]) - length(package) - 1)]++
    }
}
END {
    print rows + 0 > (out "/rows")
    for (e in extensions)
        print extensions[e] "\t" e > (out "/extensions")
    for (p in packages)
        print packages[p] "\t" p > (out "/packages")
    for (s in sections)
        print sections[s] "\t" s > (out "/sections")
}
