# What the demo must show about `packages`, counted from the Packages index alone (no Quarry involved).
# First file: "count TAB package" (files of each package), then the index. Writes into the folder `out`:
#   records      number of packages
#   maintainers  files TAB maintainer TAB packages TAB installed KiB; packages with files only
#   needs        dependents TAB name: packages that name it first in an entry of Depends
#   psections    packages TAB section
FNR == NR && FILENAME == counts {
    split($0, part, "\t")
    files[part[2]] = part[1]
    next
}
function finish(    i, n, name, entry, seen) {
    if (package == "")
        return
    records++
    psections[section]++
    if (package in files) {
        mpackages[maintainer]++
        mfiles[maintainer] += files[package]
        msize[maintainer] += size
    }
    n = split(depends, entry, ",")
    split("", seen)
    for (i = 1; i <= n; i++) {
        name = entry[i]
        sub(/\|.*/, "", name)
        sub(/\(.*/, "", name)
        sub(/\[.*/, "", name)
        gsub(/[ \t]/, "", name)
        sub(/:.*/, "", name)
        if (name != "" && !(name in seen)) {
            seen[name] = 1
            needs[name]++
        }
    }
    package = maintainer = depends = section = ""
    size = 0
}
/^$/ { finish(); next }
/^Package: / { package = substr($0, 10) }
/^Installed-Size: / { size = substr($0, 17) }
/^Depends: / { depends = substr($0, 10) }
/^Section: / { section = substr($0, 10) }
/^Maintainer: / {
    maintainer = substr($0, 13)
    sub(/[ \t]*<[^<>]*>[ \t]*$/, "", maintainer)
}
END {
    finish()
    print records + 0 > (out "/records")
    for (m in mfiles)
        printf "%d\t%s\t%d\t%d\n", mfiles[m], m, mpackages[m], msize[m] > (out "/maintainers")
    for (d in needs)
        print needs[d] "\t" d > (out "/needs")
    for (s in psections)
        print psections[s] "\t" s > (out "/psections")
}
