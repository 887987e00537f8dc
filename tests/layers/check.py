"""Checks the layers of src/: every #include points down, and the sources carry no stray bytes.

Usage: check.py [ROOT]      exit 0 and a one-line count, or exit 1 with one line per violation
       check.py --self-test  plants each kind of violation in a scratch tree and sees it caught

Rules (the table is LAYERS below):
  1. a module includes only itself and the modules its row names; services/x never services/y
  2. *_int.h is included only from its own folder
  3. folders form no cycle (a folder and its own sub-folders count as one unit here: the parent
     holds the contract, the children the implementations)
  4. an include in quotes names a file that exists, relative to src/ or to the repository's root
     (api/), or one of EXTERNAL; duckdb.h only where DUCKDB_ONLY says
  5. C sources hold no tabs and no invisible non-ASCII spaces; no file holds a machine's own path
     or a package registry's host
  6. each module folder has a README.md
"""
import os
import re
import sys
import tempfile

BELOW_SERVICE = ["base", "sys", "data", "net", "auth", "tenant"]
BELOW_QUERY = BELOW_SERVICE + ["format", "storage", "service", "catalog"]
LAYERS = {
    "base": [],
    "sys": ["base"],
    "data": ["base"],
    "format": ["base", "data"],
    "net": ["base", "sys"],
    "auth": ["base", "sys"],
    "tenant": ["base", "sys"],
    "storage": ["base", "sys", "data", "format"],
    "service": BELOW_SERVICE,
    # net: clients and the circuit breaker of back ends that are servers
    "catalog": ["base", "sys", "data", "format", "storage", "net"],
    "query": BELOW_QUERY,
    "graph": BELOW_QUERY + ["query"],
    "services": BELOW_QUERY + ["query", "graph"],
    "cmd": BELOW_QUERY + ["query", "graph", "services"],
}
EXTERNAL = {"yyjson.h", "quarry_version.h", "duckdb.h"}
DUCKDB_ONLY = ("query/sqlworker/", "cmd/sql_worker/")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)
INVISIBLE = re.compile("[\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff]")
# Written in pieces so that this file does not find itself.
MACHINE = re.compile("/" + "work/(?:main|shared)|/" + "tmp/brief|/" + "root/|"
                     "registry" + r"\.npm|deb\.debian\." + "org")
SKIPPED_FOLDERS = {".git", "build", "node_modules", "__pycache__", ".pytest_cache", ".cache"}
TEXT = re.compile(r"(\.(c|h|def|in|py|sh|md|cmake|json|txt|js|mjs|supp|yml|toml)|/run|Makefile)$")


def walk(root, folder=""):
    """Relative paths of all files below root/folder, sorted."""
    for path, folders, files in os.walk(os.path.join(root, folder)):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS)
        for name in sorted(files):
            yield os.path.relpath(os.path.join(path, name), root)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def unit_of(path):
    """The unit that rule 1 speaks of: `storage`, or `services/query` for services."""
    parts = path.split("/")
    if parts[0] == "services" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def check_include(root, source, target, quoted):
    """One #include of src/<source>; yields what is wrong with it."""
    if target == "duckdb.h" and not source.startswith(DUCKDB_ONLY):
        yield "duckdb.h belongs in " + " and ".join(DUCKDB_ONLY)
    if not quoted or target in EXTERNAL:
        return
    if target.startswith("api/"):
        if not os.path.exists(os.path.join(root, target)):
            yield f'"{target}" does not exist'
        return
    if not os.path.exists(os.path.join(root, "src", target)):
        yield f'"{target}" does not exist below src/ (includes are relative to src/)'
        return
    source_unit, target_unit = unit_of(source), unit_of(target)
    source_module, target_module = source_unit.split("/")[0], target_unit.split("/")[0]
    if source_module not in LAYERS:
        yield f"folder src/{source_module} is not in the table of layers"
    elif source_module == target_module == "services" and source_unit != target_unit:
        # A header directly in services/ has the unit "services" and is shared.
        if target_unit != "services":
            yield f'"{target}": {source_unit} must not include {target_unit}'
    elif source_module != target_module and target_module not in LAYERS[source_module]:
        yield f'"{target}": {source_module} must not include {target_module}'
    if target.endswith("_int.h") and os.path.dirname(source) != os.path.dirname(target):
        yield f'"{target}" is internal to its folder'


def find_cycle(edges):
    """A cycle in {folder: set of folders} as a list, or None (depth first, explicit colours)."""
    done = set()

    def visit(folder, trail):
        if folder in trail:
            return trail[trail.index(folder):] + [folder]
        if folder in done:
            return None
        for following in sorted(edges.get(folder, ())):
            cycle = visit(following, trail + [folder])
            if cycle:
                return cycle
        done.add(folder)
        return None

    for start in sorted(edges):
        cycle = visit(start, [])
        if cycle:
            return cycle
    return None


def check_sources(root):
    """Rules 1-4 and the C part of 5; returns (number of files, list of violations)."""
    found, edges, count = [], {}, 0
    for path in walk(root, "src"):
        if not path.endswith((".c", ".cc", ".h")):
            continue
        count += 1
        source = path[len("src/"):]
        text = read(root, path)
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start(1)) + 1
            target = match.group(2)
            for fault in check_include(root, source, target, match.group(1) == '"'):
                found.append(f"{path}:{line}: {fault}")
            here, there = os.path.dirname(source), os.path.dirname(target)
            nested = (here + "/").startswith(there + "/") or (there + "/").startswith(here + "/")
            if not nested and os.path.exists(os.path.join(root, "src", target)):
                edges.setdefault(here, set()).add(there)
        for number, line in enumerate(text.split("\n"), 1):
            if "\t" in line:
                found.append(f"{path}:{number}: tab")
            if INVISIBLE.search(line):
                found.append(f"{path}:{number}: invisible non-ASCII space")
    cycle = find_cycle(edges)
    if cycle:
        found.append("src: folders in a cycle: " + " -> ".join(cycle))
    return count, found


def check_machine_paths(root):
    for path in walk(root):
        if TEXT.search("/" + path) and path != "package-lock.json":
            for number, line in enumerate(read(root, path).split("\n"), 1):
                match = MACHINE.search(line)
                if match:
                    yield f"{path}:{number}: path or host of one machine: {match.group(0)}"


def check_readmes(root):
    units = {unit_of(p[len("src/"):]) for p in walk(root, "src") if p.endswith((".c", ".cc", ".h"))}
    for unit in sorted(units):
        if os.path.isdir(os.path.join(root, "src", unit)):
            if not os.path.exists(os.path.join(root, "src", unit, "README.md")):
                yield f"src/{unit}: README.md is missing"


def check(root):
    count, found = check_sources(root)
    found += check_machine_paths(root)
    found += check_readmes(root)
    return count, found


# --- self-test: (what, files, a part of the message that must come; None: nothing may come) ---
HEADER = "#pragma once\n"
PLANTS = [
    ("clean", {"src/base/a.h": HEADER, "src/sys/b.c": '#include "base/a.h"\n'}, None),
    ("upward", {"src/base/a.c": '#include "sys/b.h"\n', "src/sys/b.h": HEADER},
     "base must not include sys"),
    ("sideways", {"src/net/a.c": '#include "auth/b.h"\n', "src/auth/b.h": HEADER},
     "net must not include auth"),
    ("service to service", {"src/services/x/a.c": '#  include "services/y/b.h"\n',
                            "src/services/y/b.h": HEADER},
     "services/x must not include services/y"),
    ("internal header", {"src/storage/a.c": '#include "storage/wal/w_int.h"\n',
                         "src/storage/wal/w_int.h": HEADER}, "internal to its folder"),
    ("internal at home", {"src/sys/a.c": '#include "sys/a_int.h"\n', "src/sys/a_int.h": HEADER},
     None),
    ("cycle", {"src/query/p/a.h": '#include "query/q/b.h"\n',
               "src/query/q/b.h": '#include "query/r/c.h"\n',
               "src/query/r/c.h": '#include "query/p/a.h"\n'}, "cycle: query/p -> "),
    ("parent and child", {"src/sys/a.h": HEADER, "src/sys/a.c": '#include "sys/posix/p.h"\n',
                          "src/sys/posix/p.h": '#include "sys/a.h"\n'}, None),
    ("missing", {"src/base/a.c": '#include "a.h"\n'}, "does not exist"),
    ("unknown folder", {"src/other/a.c": '#include "base/a.h"\n', "src/base/a.h": HEADER},
     "not in the table"),
    ("engine outside the worker", {"src/query/a.c": "#include <duckdb.h>\n"}, "duckdb.h belongs"),
    ("tab", {"src/base/a.c": "int a;\tint b;\n"}, ":1: tab"),
    ("invisible space", {"src/base/a.c": "int a;\u00a0\n"}, "invisible"),
    ("machine path", {"docs/a.md": "\nsee /" + "root/x\n"}, "docs/a.md:2: path"),
]


def plant(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
            if path.startswith("src/"):
                readme = os.path.join(root, "src", unit_of(path[len("src/"):]), "README.md")
                open(readme, "w", encoding="utf-8").close()
        return check(root)[1]


def self_test():
    failed = 0
    for what, files, expected in PLANTS:
        found = plant(files)
        good = not found if expected is None else any(expected in line for line in found)
        if not good:
            failed += 1
            print(f"self-test {what}: expected {expected!r}, found {found}")
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, "src/base"))
        open(os.path.join(root, "src/base/a.c"), "w", encoding="utf-8").close()
        if check(root)[1] != ["src/base: README.md is missing"]:
            failed += 1
            print("self-test readme: not caught")
    print(f"layers self-test: {len(PLANTS) + 1 - failed} of {len(PLANTS) + 1} plants judged right")
    return 1 if failed else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    here = os.path.dirname(os.path.abspath(__file__))
    root = arguments[0] if arguments else os.path.dirname(os.path.dirname(here))
    count, found = check(root)
    for line in found:
        print(line)
    print(f"layers: {count} files, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
