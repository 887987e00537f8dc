# Every target does its own set-up (tools/setup.sh: apt and npm packages, quick when all is there).
# The building is CMake's: see CMakePresets.json for the build folders below build/.
.NOTPARALLEL:
.DEFAULT_GOAL := build
PREFIX ?= /usr/local
BUILD = cmake --preset $(1) --log-level=WARNING && cmake --build --preset $(1)

.PHONY: help setup build run demo test conformance-elastic bench bench-optimizer bench-catalog bench-tpch fmt lint fuzz torture asan tsan coverage install clean

help:
	@echo "make demo      build, then show the main job on real data"
	@echo "make test      all tests; the last line is 'N passed, N failed'"
	@echo "make conformance-elastic URL=elasticsearch://HOST:9200   the catalog's suite on a real server"
	@echo "make build     the programs, into build/release/bin"
	@echo "make run       build, then quarryd in the foreground (ARGS=...)"
	@echo "make bench     the figures of docs/performance.md"
	@echo "make bench-catalog    the catalog over HTTP on every back end; starts PostgreSQL and Redis itself"
	@echo "make bench-optimizer  measures of the optimizer (C1 to C13) and of the caches"
	@echo "make bench-tpch SF=0.1  TPC-H's 22 queries through HTTP against DuckDB on the same files"
	@echo "make lint      format, warnings of gcc and clang, clang-tidy, layers, scripts"
	@echo "make fuzz      every fuzz target for FUZZ_SECONDS (20)"
	@echo "make torture   the long fault tests"
	@echo "make asan      unit tests under ASan and UBSan; tsan: all of them under TSan"
	@echo "make coverage  report in build/coverage/report.txt"
	@echo "make fmt, install (PREFIX, DESTDIR), setup, clean"

setup:
	@tools/setup.sh

build: setup
	@$(call BUILD,release)

run: build
	build/release/bin/quarryd $(ARGS)

demo: build
	@tools/demo.sh

test: setup
	@tools/run_tests.sh

# Makes, fills and deletes indexes quarry-conformance-test-* there.
conformance-elastic: setup
	@test -n "$(URL)" || { echo "URL=elasticsearch[+https]://[USER:PASSWORD@]HOST:PORT"; exit 2; }
	@$(call BUILD,dev) --target catalog_conformance_elastic_threads_test
	@QUARRY_ELASTIC_URL=$(URL) build/dev/tests/unit/catalog/conformance_elastic_threads_test

bench: build
	@bench/run.sh $(ARGS)

bench-catalog: build
	@PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 bench/catalog_all.py $(ARGS)

bench-optimizer: build
	@/usr/bin/python3 bench/optimizer.py $(ARGS)

bench-tpch: build
	@/usr/bin/python3 bench/tpch.py $(or $(SF),0.1) $(ARGS)

fmt: setup
	@find src tests api bench -name '*.[ch]' 2>/dev/null | xargs -r clang-format -i

lint: setup
	@tools/lint.sh

fuzz: setup
	@tools/fuzz.sh

torture: build
	QUARRY_BIN=$(CURDIR)/build/release/bin QUARRY_ROOT=$(CURDIR) PYTHONDONTWRITEBYTECODE=1 \
		/usr/bin/python3 -m pytest -p no:cacheprovider -q tests/torture $(ARGS)

asan: setup
	@$(call BUILD,asan)
	@ctest --preset asan -j2

tsan: setup
	@$(call BUILD,tsan)
	@ctest --test-dir build/tsan -L unit -j2 --output-on-failure

coverage:
	@tools/setup.sh gcovr
	@$(call BUILD,coverage)
	@ctest --preset coverage -j2
	@gcovr --root . --filter src/ build/coverage -o build/coverage/report.txt
	@tail -3 build/coverage/report.txt

install: build
	cmake --install build/release --prefix $(PREFIX)

clean:
	rm -rf build
