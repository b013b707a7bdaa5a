# Everything under tests/. Included by the Makefile; `make help` lists the targets.
#
# Victims and the contexts' driver are built for glibc and for musl; the cmocka programs (unit, e2e)
# are never preloaded themselves. Lists of what to build come from the folders: a new
# tests/victims/v_NAME.c or tests/e2e/test_NAME.c needs no line here.

T           := $(abspath $(O))/tests
MUSLCC      ?= musl-gcc
TESTFLAGS   := -std=gnu11 -O2 -g -D_GNU_SOURCE -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) \
               -DBUILD='"$(abspath $(O))"' -DSOURCE='"$(CURDIR)"' -MMD -MP
# musl has no kernel headers of its own.
MULTIARCH    = $(shell $(CC) -print-multiarch)
MUSLFLAGS    = -idirafter /usr/include/$(MULTIARCH) -idirafter /usr/include
HAVE_MUSL   := $(shell command -v $(MUSLCC) >/dev/null 2>&1 && echo 1)

VICTIMS     := $(patsubst tests/victims/%.c,%,$(wildcard tests/victims/v_*.c))
BARE_METAL  := v_nolibc v_tiny32
GLIBC_ONLY  := v_error
X86_ONLY    := $(if $(filter x86_64%,$(shell $(CC) -dumpmachine)),v_nolibc v_tiny32 v_foreign)
GLIBC_BINS  := $(addprefix $(T)/glibc/,$(filter-out $(BARE_METAL),$(VICTIMS)) v_cxx_throw v_cxx_output libleaver.so $(X86_ONLY))
MUSL_BINS   := $(addprefix $(T)/musl/,$(filter-out $(BARE_METAL) $(GLIBC_ONLY),$(VICTIMS)) libleaver.so)
STATIC_BINS := $(addprefix $(T)/static/,v_return v_exit v_env_names)
CTX_GLIBC   := $(addprefix $(T)/glibc/,driver libcontexts.so ctx_helper)
CTX_MUSL    := $(addprefix $(T)/musl/,driver libcontexts.so ctx_helper)
SUBJECTS    := $(GLIBC_BINS) $(STATIC_BINS) $(CTX_GLIBC) $(if $(HAVE_MUSL),$(MUSL_BINS) $(CTX_MUSL))

E2E_TESTS   := $(patsubst tests/e2e/%.c,$(T)/%,$(wildcard tests/e2e/test_*.c))
CTX_TESTS   := $(T)/test_contexts
UNIT_TESTS  := $(patsubst tests/unit/%.c,$(T)/unit/%,$(wildcard tests/unit/test_*.c))

.PHONY: test test-deps test-build test-unit test-e2e stress
.DELETE_ON_ERROR:

test: test-deps ## build and run all tests: unit, e2e, contexts, real programs
	$(Q)$(MAKE) --no-print-directory test-run

# In its own make: test-deps may have installed what the lists above look for.
.PHONY: test-run
test-run: test-build
	$(Q)tests/run.sh $(UNIT_TESTS) $(CTX_TESTS) $(E2E_TESTS)

test-deps: ## install what the tests need (Debian, as root)
	$(Q)tests/deps.sh

test-build: all $(SUBJECTS) $(UNIT_TESTS) $(CTX_TESTS) $(E2E_TESTS) tokio-server

test-unit: $(UNIT_TESTS) ## only the unit tests (SAN=address,undefined: under sanitizers)
	$(Q)tests/run.sh $(UNIT_TESTS)

test-e2e: all $(SUBJECTS) $(CTX_TESTS) $(E2E_TESTS) tokio-server ## only the built file's tests
	$(Q)tests/run.sh $(CTX_TESTS) $(E2E_TESTS)

STARTS      ?= 10000
stress: all $(SUBJECTS) tokio-server $(T)/stress ## STARTS=10000 starts of mixed real programs, statuses as bare
	$(Q)$(T)/stress $(STARTS)

$(T)/glibc $(T)/musl $(T)/static $(T)/unit $(T)/unit/shim:
	$(Q)mkdir -p $@

# Victims.
$(T)/glibc/v_%: tests/victims/v_%.c | $(T)/glibc
	$(call say,CC,$@)
	$(Q)$(CC) $(TESTFLAGS) -o $@ $< -pthread

$(T)/glibc/v_%: tests/victims/v_%.cc | $(T)/glibc
	$(call say,CXX,$@)
	$(Q)$(CXX) -O2 -g -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) -o $@ $< -pthread

$(T)/musl/v_%: tests/victims/v_%.c | $(T)/musl
	$(call say,MUSL,$@)
	$(Q)$(MUSLCC) $(TESTFLAGS) $(MUSLFLAGS) -o $@ $<

$(T)/static/v_%: tests/victims/v_%.c | $(T)/static
	$(call say,CC,$@)
	$(Q)$(CC) $(TESTFLAGS) -static -o $@ $<

$(T)/glibc/libleaver.so: tests/victims/libleaver.c | $(T)/glibc
	$(Q)$(CC) $(TESTFLAGS) -fPIC -shared -o $@ $<

$(T)/musl/libleaver.so: tests/victims/libleaver.c | $(T)/musl
	$(Q)$(MUSLCC) $(TESTFLAGS) $(MUSLFLAGS) -fPIC -shared -o $@ $<

# No libc at all, but the dynamic loader: LD_PRELOAD is honoured, every import of the shim is null.
$(T)/glibc/v_nolibc: tests/victims/v_nolibc.c | $(T)/glibc
	$(call say,CC,$@)
	$(Q)$(CC) $(TESTFLAGS) -fno-stack-protector -nostdlib -pie -fPIE \
		-Wl,--dynamic-linker=/lib64/ld-linux-x86-64.so.2 -o $@ $<

# A 32-bit program whose interpreter is another one: another architecture without its libc.
$(T)/glibc/v_tiny32: tests/victims/v_tiny32.c | $(T)/glibc
	$(call say,CC,$@)
	$(Q)$(CC) $(TESTFLAGS) -m32 -fno-stack-protector -fno-pic -nostdlib -static -Wl,-z,noexecstack -o $@ $<

$(T)/glibc/v_foreign: tests/victims/v_tiny32.c | $(T)/glibc
	$(call say,CC,$@)
	$(Q)$(CC) $(TESTFLAGS) -m32 -fno-stack-protector -fPIE -nostdlib -pie -Wl,-z,noexecstack \
		-Wl,--dynamic-linker=$(T)/glibc/v_tiny32 -o $@ $<

# Contexts: every hook of hooks.def, so the driver depends on the table.
CTXSRC      := tests/contexts/cases.c tests/contexts/signal_cases.c \
               tests/contexts/child_cases.c tests/contexts/output_cases.c tests/contexts/io_cases.c tests/contexts/contexts.c

$(T)/glibc/libcontexts.so: $(CTXSRC) shim/hooks.def | $(T)/glibc
	$(call say,CC,$@)
	$(Q)$(CC) $(TESTFLAGS) -Ishim -fPIC -shared -Wl,-z,defs -o $@ $(CTXSRC) -pthread

$(T)/musl/libcontexts.so: $(CTXSRC) shim/hooks.def | $(T)/musl
	$(call say,MUSL,$@)
	$(Q)$(MUSLCC) $(TESTFLAGS) $(MUSLFLAGS) -Ishim -fPIC -shared -Wl,-z,defs -o $@ $(CTXSRC)

$(T)/glibc/driver: tests/contexts/driver.c $(T)/glibc/libcontexts.so
	$(Q)$(CC) $(TESTFLAGS) -Ishim -o $@ $< $(@D)/libcontexts.so -Wl,-rpath,'$$ORIGIN'

$(T)/musl/driver: tests/contexts/driver.c $(T)/musl/libcontexts.so
	$(Q)$(MUSLCC) $(TESTFLAGS) $(MUSLFLAGS) -Ishim -o $@ $< $(@D)/libcontexts.so -Wl,-rpath,'$$ORIGIN'

$(T)/glibc/ctx_helper: tests/contexts/ctx_helper.c | $(T)/glibc
	$(Q)$(CC) $(TESTFLAGS) -o $@ $<

$(T)/musl/ctx_helper: tests/contexts/ctx_helper.c | $(T)/musl
	$(Q)$(MUSLCC) $(TESTFLAGS) $(MUSLFLAGS) -o $@ $<

# The programs that judge.
$(T)/harness.o: tests/e2e/harness.c | $(T)/unit
	$(Q)$(CC) $(TESTFLAGS) -c -o $@ $<

$(E2E_TESTS): $(T)/%: tests/e2e/%.c $(T)/harness.o
	$(call say,CC,$@)
	$(Q)$(CC) $(TESTFLAGS) -o $@ $< $(T)/harness.o -lcmocka -ljansson -lutil

$(T)/test_contexts: tests/contexts/test_contexts.c $(T)/harness.o shim/hooks.def
	$(call say,CC,$@)
	$(Q)$(CC) $(TESTFLAGS) -Ishim -Itests/e2e -o $@ $< $(T)/harness.o -lcmocka -ljansson

$(T)/stress: tests/stress/stress.c | $(T)/unit
	$(call say,CC,$@)
	$(Q)$(CC) $(TESTFLAGS) -o $@ $<

# Unit tests: the shim's sources a second time, visible and sanitized.
UNITFLAGS   := -std=gnu11 -O1 -g -D_GNU_SOURCE -fvisibility=default -fno-strict-aliasing -Wall -Wextra \
               $(if $(filter 1,$(WERROR)),-Werror) \
               -DEPITAPH_VERSION='"$(VERSION)"' -I$(O)/gen -Ishim -MMD -MP \
               $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
# Not mem.c: its memcpy and relatives would replace libc's in the test program.
# Not the hook files and init.c: the test program must start and end by libc alone.
HOOKFILES   := $(patsubst %,shim/%.c,$(sort $(shell grep '^HOOK' shim/hooks.def | cut -d, -f2)))
UNITSRCS    := $(filter-out shim/mem.c shim/init.c shim/process.c shim/ending.c $(HOOKFILES),$(SRCS))
UNITOBJS    := $(UNITSRCS:shim/%.c=$(T)/unit/shim/%.o) $(T)/unit/shim/stand_in.o

$(T)/unit/shim/%.o: shim/%.c | $(T)/unit/shim
	$(Q)$(CC) $(UNITFLAGS) -c -o $@ $<

$(T)/unit/shim/stand_in.o: tests/unit/stand_in.c | $(T)/unit/shim
	$(Q)$(CC) $(UNITFLAGS) -c -o $@ $<

$(T)/unit/libshim.a: $(UNITOBJS)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(UNIT_TESTS): $(T)/unit/%: tests/unit/%.c $(T)/unit/libshim.a
	$(call say,CC,$@)
	$(Q)$(CC) $(UNITFLAGS) -o $@ $< $(T)/unit/libshim.a -lcmocka -ljansson

# A tokio server from Debian's packaged crates; where they are missing test_real says so.
TOKIO       := examples/restart-loop/tokio
.PHONY: tokio-server
tokio-server: $(T)/tokio-server

$(T)/tokio-server: $(wildcard $(TOKIO)/src/*.rs $(TOKIO)/src/bin/*.rs) $(TOKIO)/Cargo.toml $(TOKIO)/build.sh | $(T)/unit
	$(call say,CARGO,$@)
	$(Q)$(TOKIO)/build.sh $(T)/cargo $@ $(T)/placeholder

-include $(wildcard $(T)/*.d $(T)/*/*.d $(T)/unit/shim/*.d)

# ---- Documents and demonstration ----

.PHONY: demo
demo: $(O)/libepitaph.so ## show what Epitaph says of a server that ends silently
	$(Q)CC="$(CC)" examples/restart-loop/demo.sh $<

.PHONY: docs docs-check
docs: $(O)/libepitaph.so ## write what the documents show of the program, and docs/hooks.md
	$(Q)tests/docs/check.py $< --update

docs-check: $(O)/libepitaph.so ## hold the documents against the program
	$(Q)tests/docs/check.py $<

# ---- Below: the built file itself, other libcs and machines, cost (tests/elf, rootfs, cross, bench) ----

.PHONY: conformance-check
conformance-check: all ## EPITAPH_LTP=DIR: a foreign suite of signal conformance, bare and under Epitaph
	$(Q)python3 tests/real/conformance.py $(O)/libepitaph.so

.PHONY: containers-check
containers-check: all $(T)/tokio-server $(T)/glibc/v_output $(T)/musl/v_output $(T)/static/v_return ## the ways of use, restarts, stop and kill in a real engine, podman with runc (root)
	$(Q)tests/containers/run.sh $(O)/libepitaph.so $(T)

.PHONY: output-check
output-check: all ## what language runtimes leave in their buffers, bare and under Epitaph (WRITE=1: docs/runtimes.md)
	$(Q)python3 tests/output/runtimes.py $(O)/libepitaph.so $(if $(WRITE),--write)
	$(Q)python3 tests/output/forks.py $(O)/libepitaph.so

.PHONY: servers-check
servers-check: all $(T)/tokio-server ## sudden ends of real servers: the sentence of each (WRITE=1: docs/servers.md)
	$(Q)python3 tests/real/servers.py $(O)/libepitaph.so $(T) $(if $(WRITE),--write)

.PHONY: compare
compare: all ## Epitaph beside strace, stdbuf and tini: six ends and the cost of each (WRITE=1: docs/comparison.md)
	$(Q)python3 tests/real/compare.py $(O)/libepitaph.so $(if $(WRITE),--write)

.PHONY: suites-check
suites-check: all test-deps $(T)/tokio-server ## programs that lean on signals, bare and under Epitaph: Python's own tests, shells, node, a JVM, Go, servers
	$(Q)python3 tests/real/suites.py $(O)/libepitaph.so $(T)

.PHONY: elf-check repro-check compilers-check qemu-check rootfs-check bench lint

elf-check: all ## read the built file: imports, exports, segments, hardening; and prove the checks
	$(Q)tests/elf/check.sh --self-test $(O)/gen/hooks.list
	$(Q)tests/elf/check.sh $(O)/libepitaph.so $(O)/gen/hooks.list

repro-check: ## two builds in two folders give the same bytes
	$(Q)tests/elf/repro.sh

compilers-check: ## gcc, clang, musl-gcc at -O0 -O2 -O3 -Os: no warning, and each result works
	$(Q)O=$(O) tests/elf/compilers.sh

ARCHS       ?= aarch64 riscv64 armhf i386 ppc64le s390x
qemu-check: ## cross builds for ARCHS, and the victims under qemu's user mode
	$(Q)O=$(O) tests/cross/run.sh $(ARCHS)

rootfs-check: all ## the built file in Debian's libcs from 2.31 to sid, musl, podman with runc (root)
	$(Q)tests/rootfs/run.sh $(O)/libepitaph.so

bench: all $(addprefix $(T)/bench/,startup tiny signal open write print) ## ROUNDS=3000: cost of a start beside bare and libstdbuf.so, of a handled signal, of a write, of a print, of an open
	$(Q)tests/bench/run.sh $(O)/libepitaph.so $(T)/bench/startup $(T)/bench/tiny
	$(Q)tests/bench/pairs.sh $(O)/libepitaph.so $(T)/bench/signal 'a handled signal'
	$(Q)tests/bench/pairs.sh $(O)/libepitaph.so $(T)/bench/write 'write of a byte to another descriptor' 7
	$(Q)tests/bench/pairs.sh $(O)/libepitaph.so $(T)/bench/write 'write of a byte to stdout' 1
	$(Q)for kind in printf puts putchar; do \
		BESIDE='stdbuf -o0' tests/bench/pairs.sh $(O)/libepitaph.so $(T)/bench/print "$$kind to a pipe" $$kind; \
		BESIDE='stdbuf -oL' tests/bench/pairs.sh $(O)/libepitaph.so $(T)/bench/print "$$kind to a pipe" $$kind; \
	done
	$(Q)tests/bench/pairs.sh $(O)/libepitaph.so $(T)/bench/open 'open and close'
	$(Q)tests/bench/pairs.sh $(O)/libepitaph.so $(T)/bench/open 'the same after a failure' 200000 fail

$(T)/bench/%: tests/bench/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(TESTFLAGS) -o $@ $<

lint: all ## clang-format, clang-tidy, cppcheck, shellcheck, frame sizes
	$(Q)tests/lint.sh $(O) $(SHIMFLAGS) --tests $(TESTFLAGS) -Ishim -Itests/e2e -I$(O)/gen

.PHONY: format
format: ## lay out the C files as .clang-format says
	$(Q)find $(wildcard shim tests examples) -name '*.[ch]' -exec clang-format -i {} +
