# Smelter: `make help` lists the targets.
#
# Sources are found, not listed: a new .c file in common/, ps/, worker/ or launcher/ is part of the build at once, a new
# tests/*/test_*.c is a test program of its own. BUILD names the output folder; asan, ubsan and tsan use their own.

BUILD    ?= build
CC       ?= gcc
# One program for every machine of the last ten years; loops that gain by wider vectors are built for those, too, and chosen when
# it starts (common/base/vectors.h). MARCH=native is for the processor of this machine alone, MARCH=x86-64-v2 for older ones.
MACHINE  := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
MARCH    ?= $(or $(MARCH_$(MACHINE)),native)
MARCH_x86_64  := x86-64-v3
MARCH_aarch64 := armv8-a
SAN      ?=
OPT      ?= -O3
# What runs before smelter has looked whether the processor has what MARCH uses is built for the oldest (common/process/instructions.h).
OLDEST   := $(if $(filter x86_64,$(MACHINE)),x86-64,$(MARCH))
OLDEST_SRC := launcher/main.c common/process/instructions.c common/base/status.c common/base/log.c common/base/printable.c common/base/terminal.c
MARCH_OF = $(MARCH)
# Tests that find the same in every build, or that sanitizers make long and find nothing in.
ALIKE    := unit/test_package.sh unit/test_lint.sh unit/test_tidy.sh unit/test_shells.sh unit/test_report_size
PKGS     := ompi-c libzmq lmdb openblas yaml-0.1 jansson libxxhash libzstd zlib snappy liblz4

# -ffp-contract=off: the same expression gives the same bits in every build and on every vector width. -fsigned-char: ARM's char is
# unsigned otherwise (docs/DETERMINISM.md).
CFLAGS_OWN = -std=gnu11 -D_GNU_SOURCE -g $(OPT) -march=$(MARCH_OF) -ffp-contract=off -fsigned-char -fno-math-errno -fno-trapping-math -Wall -Wextra -Werror -Wshadow \
             -Wstrict-prototypes -Wmissing-prototypes -Wvla -I. $(SAN) -MMD -MP -DSMELTER_BUILD_DIR='"$(BUILD)"'
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null | sed 's/-I/-isystem /g')
PKG_LIBS   = $(shell pkg-config --libs $(PKGS) 2>/dev/null)
LDLIBS_OWN = $(PKG_LIBS) -lpthread -lm

SOURCES  := $(filter-out launcher/main.c launcher/job/guard/%,$(wildcard common/*/*.c ps/*.c ps/*/*.c worker/*.c worker/*/*.c launcher/*.c launcher/*/*.c launcher/*/*/*.c))
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o)
TEST_SRC := $(wildcard tests/unit/test_*.c tests/kernels/test_*.c tests/sim/test_*.c tests/cluster/test_*.c)
TESTS    := $(TEST_SRC:%.c=$(BUILD)/%)
BENCH_SRC:= $(wildcard tests/bench/bench_*.c)
BENCHES  := $(BENCH_SRC:%.c=$(BUILD)/%)
SANITIZED:= -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -Wno-format-truncation
TEST_LIB := $(patsubst %.c,$(BUILD)/%.o,$(filter-out %_calls.c,$(wildcard tests/lib/*.c)))
FAILING  := $(BUILD)/tests/lib/failing_calls.so
PRELOADS := $(FAILING) $(BUILD)/tests/lib/network_calls.so
SIM_LIB  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/sim/sim_main.c,$(wildcard tests/sim/sim_*.c)))
# Fuzz targets (tests/fuzz/harness.h): with FUZZ_ENGINE, libFuzzer's main and mutations; without, a replay of inputs.
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZERS  := $(FUZZ_SRC:%.c=$(BUILD)/%)
FUZZ_LIB := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(FUZZ_SRC) tests/fuzz/harness_main.c,$(wildcard tests/fuzz/*.c)))
FUZZ_ENGINE ?=
FUZZ_CC  ?= clang
FUZZ_SAN := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DTEXT_READER_BYTES=512 -DPARQUET_READ_BYTES=256 \
            -Wno-unknown-warning-option -Wno-unknown-pragmas
SECONDS  ?= 60
FUZZ_WRAP:= -Wl,--wrap=file_read,--wrap=file_bytes,--wrap=file_exists
SEEDS    ?= 1000
JOBS     := $(shell nproc 2>/dev/null || echo 2)

.DEFAULT_GOAL := all
.PHONY: all install install-only deb deb-test help setup setup-check demo check test bench scale sim faults fuzz portable verify-numpy readme clean format lint sanitize asan ubsan tsan docs build-tests \
        build-unit-tests build-fuzzers

all: $(BUILD)/smelter ## build build/smelter (make help lists all targets)

# Where things go: make install PREFIX=$$HOME/.local, or DESTDIR=/tmp/package for who makes a package. STRIP=-s leaves out what only
# debuggers need. Debian's zsh looks for what packages bring elsewhere than for what an administrator does.
PREFIX   ?= /usr/local
DESTDIR  ?=
STRIP    ?=
ZSH_INTO ?= share/zsh/site-functions
INTO     := $(DESTDIR)$(PREFIX)

install: all ## install the program, its manual, examples and the completion of shells below PREFIX=/usr/local, with DESTDIR in front
	@$(MAKE) --no-print-directory install-only

install-only: # of what is built
	@install -d "$(INTO)/bin" "$(INTO)/share/man/man1" "$(INTO)/share/bash-completion/completions" \
	    "$(INTO)/$(ZSH_INTO)" "$(INTO)/share/fish/vendor_completions.d"
	@install $(STRIP) -m 0755 $(BUILD)/smelter "$(INTO)/bin/smelter"
	@umask 022; $(BUILD)/smelter man >"$(INTO)/share/man/man1/smelter.1"
	@umask 022; $(BUILD)/smelter completion bash >"$(INTO)/share/bash-completion/completions/smelter"
	@umask 022; $(BUILD)/smelter completion zsh >"$(INTO)/$(ZSH_INTO)/_smelter"
	@umask 022; $(BUILD)/smelter completion fish >"$(INTO)/share/fish/vendor_completions.d/smelter.fish"
	@packaging/documents.sh "$(INTO)/share/doc/smelter"
	@echo "installed below $(INTO)"

deb: ## make a Debian package of it, build/smelter_VERSION_ARCH.deb, and have lintian look at it (installs dpkg-dev and lintian)
	@.ci/setup deb
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@packaging/deb.sh $(BUILD)
	@packaging/lintian.sh $(BUILD)

deb-test: ## install the package in a bare Debian 12 and run the demo from there (root; installs debootstrap; a few minutes)
	@.ci/setup deb-test
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@packaging/deb.sh $(BUILD)
	@tests/deb.sh $(BUILD)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## install what is missing (Debian packages; says what and why)
	@.ci/setup

setup-check:
	@.ci/setup check

demo: setup ## from a bare machine to a compared run: set up, build, train, show the report
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@tests/demo.sh $(BUILD)

check: setup-check ## from a bare machine to a tested one: set up, build, run all tests
	@$(MAKE) --no-print-directory -j$(JOBS) all build-tests
	@tests/run.sh $(BUILD)

test: all build-tests ## run all tests (no set-up)
	@tests/run.sh $(BUILD)

build-tests: $(TESTS) $(FUZZERS) $(BENCHES) $(PRELOADS) # benchmarks are no part of the tests, but that they build is

build-unit-tests: $(filter $(BUILD)/tests/unit/% $(BUILD)/tests/kernels/%,$(TESTS))

bench: ## benchmarks, each a ratio within one run; writes out/bench.json (ONLY="bench_parts .." for some)
	@$(MAKE) --no-print-directory -j$(JOBS) all $(BENCHES)
	@tests/bench/run.sh $(BUILD)

scale: all ## how a cluster grows: rows, datasets, ranks, workers, servers (ROWS, CACHE, RANKS, DELAY_MS, LOSS, PARTS); writes out/scale.json
	@ROWS=$(ROWS) CACHE=$(CACHE) RANKS=$(RANKS) DELAY_MS=$(DELAY_MS) LOSS=$(LOSS) PARTS="$(PARTS)" tests/scale.sh $(BUILD)

sim: $(BUILD)/tests/sim/sim ## play SEEDS=1000 scenarios of a cluster with faults, or SEED=N again
	@$(BUILD)/tests/sim/sim $(if $(SEED),-s $(SEED),-n $(SEEDS))

fuzz: ## look for inputs that break what reads them, for SECONDS=60 in all (libFuzzer; installs clang where it is missing)
	@.ci/setup fuzz
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=build-fuzz CC="$(FUZZ_CC)" OPT=-O1 SAN="$(FUZZ_SAN)" FUZZ_ENGINE=-fsanitize=fuzzer build-fuzzers
	@tests/fuzz/run.sh build-fuzz $(SECONDS)

build-fuzzers: $(FUZZERS)

faults: all $(FAILING) ## fail every system call of a job on its files in turn, and start it again (hours; RANKS, KINDS, SCENES choose)
	@FULL=1 tests/cluster/test_failing_calls.sh $(BUILD)

portable: all ## show that determinism portable has the same bits by other kernels, compilers, builds and processors (20 minutes the first time)
	@.ci/setup portable
	@tests/portable.sh $(BUILD)

verify-numpy: all ## train small configurations and compute each again from docs/MATH.md, with numpy
	@rm -rf out/verify-numpy && mkdir -p out
	@SMELTER_PROGRESS=off SMELTER_LOG=warn $(BUILD)/smelter compare tests/verify_numpy.yaml --out out/verify-numpy >out/verify-numpy.log
	@SMELTER=$(BUILD)/smelter /usr/bin/python3 tests/verify_numpy.py out/verify-numpy/*/r0

docs: $(BUILD)/smelter $(BUILD)/tests/unit/test_wire $(BUILD)/tests/unit/test_metric ## write docs/CONFIG.md, docs/METRICS.md and the tables of docs/PROTOCOL.md from the tables of the code
	$(BUILD)/smelter config-reference docs/CONFIG.md --mode 0755
	$(BUILD)/tests/unit/test_wire write
	$(BUILD)/tests/unit/test_metric write

readme: all ## run the demo, and put its table into README.md and its picture into docs/tradeoff.svg
	@tests/readme.sh $(BUILD)

sanitize: ## unit and kernel tests, and the replay of fuzz targets, under the address and the undefined-behaviour sanitizer (a part of .ci/run)
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=build-sanitize OPT=-O1 SAN="$(SANITIZED)" all build-unit-tests build-fuzzers
	@ASAN_OPTIONS=detect_leaks=0 TEST_TIMEOUT=600 TEST_WITHOUT="$(ALIKE)" tests/run.sh build-sanitize unit kernels fuzz

asan: ## all tests under the address sanitizer
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=build-asan OPT=-O1 SAN="-fsanitize=address -fno-omit-frame-pointer" all build-tests
	@ASAN_OPTIONS=detect_leaks=0 tests/run.sh build-asan

ubsan: ## all tests under the undefined-behaviour sanitizer
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=build-ubsan OPT=-O1 SAN="-fsanitize=undefined -fno-sanitize-recover=undefined -Wno-format-truncation" all build-tests
	@tests/run.sh build-ubsan

tsan: ## unit tests under the thread sanitizer
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=build-tsan OPT=-O1 SAN="-fsanitize=thread" all build-tests
	@TSAN_OPTIONS=suppressions=tests/tsan.supp tests/run.sh build-tsan unit kernels

lint: ## cppcheck over the sources
	cppcheck -q --error-exitcode=1 --inline-suppr --enable=warning,portability --std=c11 -I. --suppress=missingIncludeSystem common ps worker launcher

format: ## clang-format all sources in place
	clang-format -i $(shell git ls-files '*.c' '*.h' | grep -v config_keys.h)

clean: ## remove all build folders
	rm -rf build build-sanitize build-asan build-ubsan build-tsan build-fuzz build-portable

$(BUILD)/libsmelter.a: $(OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

# No build id: it would differ with every commit, and with it the identity of the program, which ranks compare.
$(BUILD)/smelter: $(BUILD)/launcher/main.o $(BUILD)/libsmelter.a
	@echo "link  $@"
	@$(CC) $(SAN) -Wl,--build-id=none -o $@ $^ $(LDLIBS_OWN)

# The commit that is built goes into main.o alone, and the file that holds it changes only when the commit does: a new one compiles one
# file and links one program. Where the sources are no repository of their own (an unpacked archive), it is unknown.
$(BUILD)/commit: FORCE
	@mkdir -p $(@D)
	@commit=$$([ -e .git ] && git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null) || commit=unknown; \
	 [ "$$commit" = "$$(cat $@ 2>/dev/null)" ] || echo "$$commit" >$@

$(BUILD)/launcher/main.o: $(BUILD)/commit
$(BUILD)/launcher/main.o: CFLAGS_OWN += -DSMELTER_COMMIT='"$(shell cat $(BUILD)/commit)"'

$(OLDEST_SRC:%.c=$(BUILD)/%.o): MARCH_OF = $(OLDEST)

# Products have a kernel for each instruction set, whatever MARCH is (common/products/product.h).
ifeq ($(OLDEST),x86-64)
$(BUILD)/common/products/product_plain.o: MARCH_OF = x86-64
$(BUILD)/common/products/product_avx2.o: MARCH_OF = x86-64-v3
$(BUILD)/common/products/product_avx512.o: MARCH_OF = x86-64-v4
endif
$(BUILD)/common/process/instructions.o: CFLAGS_OWN += -DSMELTER_MARCH='"$(MARCH)$(if $(filter native,$(MARCH)), ($(NATIVE)))"'
NATIVE = $(or $(shell $(CC) -march=native -Q --help=target 2>/dev/null | awk '$$1 == "-march=" { print $$2 }'),of the machine it was built on)

# Objects that were built with other flags are built again.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(MARCH) $(OPT) $(SAN)' | cmp -s - $@ || echo '$(MARCH) $(OPT) $(SAN)' >$@

$(BUILD)/launcher/report/html_assets.o: $(wildcard launcher/report/html/*)

# A library of its own, which becomes a part of the program as bytes: no sanitizer, no build id.
$(BUILD)/launcher/job/guard.so: $(wildcard launcher/job/guard/*) Makefile
	@mkdir -p $(@D)
	@echo "cc    launcher/job/guard/guard.c"
	@$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Wshadow -fPIC -shared -s -Wl,--build-id=none -I. -o $@ launcher/job/guard/guard.c -ldl
$(BUILD)/launcher/job/mpirun_guard.o: $(BUILD)/launcher/job/guard.so

$(PRELOADS): $(BUILD)/%.so: %.c Makefile
	@mkdir -p $(@D)
	@echo "cc    $<"
	@$(CC) -std=gnu11 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Werror -Wshadow -fPIC -shared -o $@ $< -ldl

$(BUILD)/%.o: %.c Makefile $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "cc    $<"
	@$(CC) $(CFLAGS_OWN) $(PKG_CFLAGS) -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(TEST_LIB) $(BUILD)/libsmelter.a
	@echo "link  $@"
	@$(CC) $(SAN) -o $@ $^ $(LDLIBS_OWN) -lcmocka

$(FUZZERS): $(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(FUZZ_LIB) $(if $(FUZZ_ENGINE),,$(BUILD)/tests/fuzz/harness_main.o) $(TEST_LIB) $(BUILD)/libsmelter.a
	@echo "link  $@"
	@$(CC) $(SAN) $(FUZZ_ENGINE) $(FUZZ_WRAP) -o $@ $(filter %.o,$^) $(BUILD)/libsmelter.a $(LDLIBS_OWN) -lcmocka

$(BUILD)/tests/fuzz/fuzz_worker: $(BUILD)/tests/sim/sim_mpi.o $(BUILD)/tests/sim/sim_loader.o

# Simulated jobs bring their own cluster.h and loader.h, which must come before those of the library, count allocations, have
# LMDB and what reserves room ask the simulated disk (tests/sim/sim_lmdb.h), and read checkpoints with checksums that can be made blind (tests/sim/sim_hash.h).
comma     := ,
SIM_BLIND := $(patsubst %.c,$(BUILD)/tests/sim/blind/%.o,ps/checkpoint/delta.c launcher/checkpoint/checkpoint_manifest.c common/files/lmdb_pages.c)
SIM_LINK  := $(patsubst %,-Wl$(comma)--wrap=%,mem_alloc mem_grow mem_strdup mdb_env_open mdb_txn_begin mdb_txn_commit mdb_env_sync mdb_env_close posix_fallocate)
$(SIM_BLIND): BLIND = -Dhash64=sim_hash64 -Dhash_stream_value=sim_hash_stream_value
$(BUILD)/tests/sim/blind/common/files/lmdb_pages.o: BLIND = -Dhash64=sim_page_hash64
$(SIM_BLIND): $(BUILD)/tests/sim/blind/%.o: %.c Makefile $(BUILD)/flags
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_OWN) $(PKG_CFLAGS) $(BLIND) -c -o $@ $<
$(BUILD)/tests/sim/sim $(BUILD)/tests/sim/test_faults $(BUILD)/tests/sim/test_lossy: $(BUILD)/tests/sim/%: $(SIM_LIB) $(SIM_BLIND) $(TEST_LIB) $(BUILD)/libsmelter.a
	@echo "link  $@"
	@$(CC) $(SAN) $(SIM_LINK) -o $@ $(filter %.o,$^) $(BUILD)/libsmelter.a $(LDLIBS_OWN) -lcmocka
$(BUILD)/tests/sim/sim: $(BUILD)/tests/sim/sim_main.o
$(BUILD)/tests/sim/test_faults: $(BUILD)/tests/sim/test_faults.o
$(BUILD)/tests/sim/test_lossy: $(BUILD)/tests/sim/test_lossy.o

FORCE:
.PHONY: FORCE
.SECONDARY:
-include $(OBJECTS:.o=.d) $(TESTS:%=%.d) $(BENCHES:%=%.d) $(FUZZERS:%=%.d) $(FUZZ_LIB:.o=.d) $(BUILD)/tests/fuzz/harness_main.d $(SIM_LIB:.o=.d) $(SIM_BLIND:.o=.d) $(BUILD)/tests/sim/sim_main.d $(BUILD)/launcher/main.d $(TEST_LIB:.o=.d)
