# SPDX-License-Identifier: Apache-2.0
# A thin front: CMake does the work. `make help` explains each target.
.DEFAULT_GOAL := help
.PHONY: help deps build demo lab check fuzz bench size format coverage tidy flips install deb clean
JOBS ?= $(shell nproc)
export JOBS
prefix ?= /usr/local

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

deps: ## install what is missing (Debian packages, as root or through sudo)
	@tools/install-deps

build: deps ## build the programs (build/release)
	@cmake --preset release >/dev/null
	@cmake --build build/release -j $(JOBS) | tail -1

demo: build ## the main job end to end on real protocols, in a folder of its own
	@build/release/muster demo

lab: build ## the demo's world, kept running to play with (Ctrl-C ends it)
	@build/release/muster lab up

check: deps ## every rule and every test; last line: N passed, N failed, N skipped
	@tools/check

flips: deps ## every bit of every message flipped (make check: one of each byte), about 10 minutes
	@cmake --preset release >/dev/null && cmake --build build/release -j $(JOBS) >/dev/null
	@MUSTER_FULL=1 TEST_TIMEOUT=3000 tools/run-tests build/release -R flips; grep -h 'flips: ' build/release/tests.log

fuzz: deps ## each fuzz target for SECONDS (default 60) and the tally
	@tools/fuzz $(or $(SECONDS_EACH),60)

bench: build ## figures beside the floor measured in the same run
	@tools/install-deps --bench && tools/bench

size: ## bytes of the device library on a Cortex-M4, function by function
	@tools/install-deps --bench && tools/size --functions

format: ## clang-format on every source
	@git ls-files '*.[ch]' | xargs clang-format -i

tidy: deps ## clang-tidy over all sources (make check: those that judge)
	@cmake --preset clang >/dev/null
	@tools/tidy build/clang $$(git ls-files '*.c' | grep -v '^tests/')

coverage: deps ## line coverage of the tests (build/coverage)
	@cmake --preset coverage >/dev/null && cmake --build build/coverage -j $(JOBS) >/dev/null
	@tools/run-tests build/coverage; gcovr -r . build/coverage -e tests --txt-metric line | tail -30

install: build ## install to $(prefix), with man pages, units and completion
	@DESTDIR=$(DESTDIR) cmake --install build/release --prefix $(prefix)

deb: build ## a Debian package of it, in build/release
	@tools/deb build/release

clean: ## remove everything built
	@rm -rf build
