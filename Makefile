# SPDX-License-Identifier: GPL-2.0
# turnpike: `make help` lists what there is.
# Three libraries of the same daemon sources: plain for the programs, under ASan and UBSan for the
# unit tests, under libFuzzer for `make fuzz`. O=FOLDER builds elsewhere, V=1 shows the commands.

O ?= build
V ?=
CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool /usr/bin/bpftool) bpftool)
PREFIX ?= /usr/local
DESTDIR ?=
SANITIZE ?=

comma := ,
ifneq ($(filter-out address undefined thread,$(subst $(comma), ,$(SANITIZE))),)
$(error SANITIZE=$(SANITIZE): known values are address, undefined, thread, joined by commas)
endif
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-8s%s\n' $(1) $(2))

PKGS := libbpf libmnl libnl-3.0 libnl-genl-3.0 liburcu-qsbr liburcu-cds openssl jansson libidn sqlite3 libpq hiredis
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter -Werror
CPPFLAGS += -Ibpf/include -Idaemon -I$(O)/gen -D_GNU_SOURCE -DURCU_INLINE_SMALL_FUNCTIONS -MMD -MP
CFLAGS ?= -O2 -g
TP_CFLAGS = -std=gnu11 $(WARN) -fno-strict-aliasing -fstack-protector-strong -fPIE $(PKG_CFLAGS)
TP_SAN = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
CHECK_SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1 -g

# -Wconversion where a lost bit is a lost packet.
STRICT_DIRS := daemon/stun/% daemon/turn/% daemon/auth/% daemon/net/addr% tests/fixtures/native%
strict = $(if $(filter $(STRICT_DIRS),$(1)),-Wconversion)

DAEMON_SRC := $(filter-out daemon/main.c,$(wildcard daemon/*.c daemon/*/*.c))
DAEMON_OBJ := $(DAEMON_SRC:%.c=$(O)/obj/%.o)
CHECK_OBJ := $(DAEMON_SRC:%.c=$(O)/san/%.o)
CTL_OBJ := $(patsubst %.c,$(O)/obj/%.o,$(wildcard tools/ctl/*.c))
BPF_SRC := $(wildcard bpf/*.bpf.c)
FUZZ_OBJ := $(DAEMON_SRC:%.c=$(O)/fuzz/obj/%.o)
SKELETONS := $(BPF_SRC:bpf/%.bpf.c=$(O)/gen/%.skel.h)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/test_*.c))
REPLAYS := $(patsubst tests/fuzz/fuzz_%.c,$(O)/tests/fuzz/replay_%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
# Reads what the suites before it printed, so it comes after them.
CLAUSES := $(if $(wildcard tests/fixtures/clauses/*.txt),tests/unit/clauses.py)
BPF_TESTS := $(patsubst tests/bpf/%.c,$(O)/tests/bpf/%,$(wildcard tests/bpf/test_*.c))
BPF_TEST_LIB := $(patsubst %.c,$(O)/obj/%.o,$(filter-out tests/bpf/test_%,$(wildcard tests/bpf/*.c tests/fixtures/*.c)))
PROGRAMS := $(if $(wildcard daemon/main.c),$(O)/turnpiked) $(if $(CTL_OBJ),$(O)/turnpikectl)
NET_TESTS := $(if $(strip $(PROGRAMS)),$(wildcard tests/netns/test_*.sh tests/interop/test_*.sh))
VM_TESTS := $(if $(strip $(PROGRAMS)),$(wildcard tests/vm/test_*.sh))
LONG_TESTS := $(wildcard tests/long/test_*.sh)
FUZZ_SECONDS ?= 60
RUN = tests/lib/runner --log $(O)/test-logs
# The programs as the shell suites find them.
export O
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
BUILD_WITH = $(MAKE) --no-print-directory $(JOBS)

.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS) ## build turnpiked and turnpikectl into build/

# The targets that a newcomer types install what is missing before anything is looked for.
deps: ## install the Debian packages that are missing (as root)
	@tools/deps test

run: ## start the relay here with safe defaults, check it, stay in front until Ctrl-C
	@tools/deps run
	@$(BUILD_WITH) all
	@tools/deploy/run.sh

demo: ## relay a real client's stream between namespaces, show what went where, clean up
	@tools/deps demo
	@$(BUILD_WITH) all
	@tools/deploy/demo.sh

test: ## everything that must hold, in under 20 minutes
	@tools/deps test
	@$(BUILD_WITH) test-programs
	@$(RUN) $(UNIT_TESTS) $(REPLAYS) $(CLAUSES) $(BPF_TESTS) $(NET_TESTS) $(VM_TESTS)

test-long: ## what takes longer: differential fuzzing, then libFuzzer, FUZZ_SECONDS (600) for each target
	@tools/deps test
	@$(BUILD_WITH) test-programs $(FUZZERS)
	@$(RUN) $(LONG_TESTS)
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=$(FUZZ_SECONDS)

test-long: FUZZ_SECONDS = 600

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- BPF ---

$(O)/gen/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-unused-function -Werror \
		-Ibpf -Ibpf/include -I/usr/include/$(shell gcc -print-multiarch) -MMD -MP -c $< -o $@

$(O)/gen/%.skel.h: $(O)/gen/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@

# --- daemon and tools ---

$(O)/obj/%.o: %.c | $(SKELETONS)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(TP_CFLAGS) $(call strict,$<) $(TP_SAN) -c $< -o $@

$(O)/libturnpike.a: $(DAEMON_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/turnpiked: $(O)/obj/daemon/main.o $(O)/libturnpike.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(TP_SAN) -pie -o $@ $^ $(PKG_LIBS)

$(O)/turnpikectl: $(CTL_OBJ) $(O)/libturnpike.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(TP_SAN) -pie -o $@ $^ $(PKG_LIBS)

# --- unit tests: the daemon's objects once more, under ASan and UBSan ---

$(O)/san/%.o: %.c | $(SKELETONS)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(TP_CFLAGS) $(call strict,$<) $(CHECK_SAN) -c $< -o $@

$(O)/libturnpike-san.a: $(CHECK_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/tests/unit/%: $(O)/san/tests/unit/%.o $(O)/libturnpike-san.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CHECK_SAN) -o $@ $^ $(PKG_LIBS)

# The packet core natively, over the fixtures.
$(O)/tests/unit/test_core: $(patsubst %.c,$(O)/san/%.o,$(wildcard tests/fixtures/*.c))

$(O)/tests/fuzz/replay_%: $(O)/san/tests/fuzz/fuzz_%.o $(O)/san/tests/fuzz/replay.o $(O)/libturnpike-san.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CHECK_SAN) -o $@ $^ $(PKG_LIBS)

# The programs in a kernel: as they are built for use, because they also run in the virtual machines.
$(O)/tests/bpf/%: $(O)/obj/tests/bpf/%.o $(BPF_TEST_LIB) $(O)/libturnpike.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(TP_SAN) -pie -o $@ $^ $(PKG_LIBS)

$(O)/obj/tests/%.o: CPPFLAGS += -Itests -Ibpf
$(O)/san/tests/%.o: CPPFLAGS += -Ibpf
$(O)/san/tests/fuzz/%.o $(O)/fuzz/obj/tests/%.o: WARN += -Wno-missing-prototypes

test-programs: all $(UNIT_TESTS) $(REPLAYS) $(BPF_TESTS)

check: $(UNIT_TESTS) $(REPLAYS) ## unit tests and fuzz corpora under ASan and UBSan, no root
	@$(if $^,$(RUN) $^ $(CLAUSES))

check-bpf: $(BPF_TESTS) ## fixtures through the native core, XDP and tc, byte for byte
	@$(if $^,$(RUN) $^)

check-net: all ## real clients between network namespaces
	@$(if $(NET_TESTS),$(RUN) $(NET_TESTS))

check-vm: all $(BPF_TESTS) ## the fixtures in Debian's own kernels, in qemu
	@$(if $(VM_TESTS),$(RUN) $(VM_TESTS))

# --- fuzzing ---

$(O)/fuzz/obj/%.o: %.c | $(SKELETONS)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) -Itests -Ibpf $(filter-out -Werror,$(TP_CFLAGS)) -O1 -g \
		-fsanitize=fuzzer-no-link,address,undefined -c $< -o $@

$(O)/libturnpike-fuzz.a: $(FUZZ_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/fuzz/%: $(O)/fuzz/obj/tests/fuzz/%.o $(O)/libturnpike-fuzz.a
	$(call say,LD,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(PKG_LIBS)

fuzz: $(FUZZERS) ## libFuzzer, FUZZ_SECONDS (60) for each target
	@for f in $^; do echo "$$(basename $$f): $(FUZZ_SECONDS) s"; \
		corpus=tests/fuzz/corpus/$$(basename $$f | sed s/^fuzz_//); work=$(O)/fuzz/corpus-$$(basename $$f); \
		mkdir -p $$work; [ -d $$corpus ] || corpus=; \
		$$f -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$$work- -print_final_stats=1 $$work $$corpus \
			> $$work.log 2>&1 || { tail -n 40 $$work.log; exit 1; }; \
		grep -E 'number_of_executed_units|peak_rss' $$work.log; done

# --- the rest ---

SHELL_FILES = $(shell grep -rlIE '^\#!/bin/(ba)?sh|shellcheck shell=' .ci tests tools --include=* 2>/dev/null)
PYTHON_FILES = $(shell grep -rlIE '^\#!/usr/bin/python3|^\# pylint' tests tools 2>/dev/null)

# Not the path-sensitive analyser: it cannot follow intrusive lists.
TIDY_CHECKS = -*,bugprone-infinite-loop,bugprone-macro-repeated-side-effects,bugprone-misplaced-operator-in-strlen-in-alloc,bugprone-misplaced-pointer-arithmetic-in-alloc,bugprone-redundant-*,\
bugprone-signed-char-misuse,bugprone-suspicious-memset-usage,bugprone-suspicious-semicolon,bugprone-undefined-memory-manipulation,\
clang-analyzer-deadcode.*,misc-misplaced-const

lint: $(SKELETONS) ## cppcheck, clang-tidy, shellcheck, pylint: clean, or it fails
	@tools/deps lint
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr --suppress=missingIncludeSystem \
		--library=tests/lib/cppcheck.cfg --enable=warning,portability -Ibpf/include -Idaemon daemon tools
	printf '%s\n' $(DAEMON_SRC) | xargs -P 2 -n 4 sh -c 'clang-tidy --quiet --warnings-as-errors="*" \
		--checks="$(TIDY_CHECKS)" "$$@" -- $(CPPFLAGS) -std=gnu11 $(PKG_CFLAGS) 2>/dev/null' tidy
	shellcheck -x $(SHELL_FILES)
	pylint --rcfile=tests/lib/pylintrc $(PYTHON_FILES)

compile_commands.json: Makefile ## for editors and clang tools
	@{ echo '['; for f in $(DAEMON_SRC) $(wildcard daemon/main.c tools/ctl/*.c tests/unit/*.c); do \
		echo "{\"directory\": \"$(CURDIR)\", \"file\": \"$$f\", \"command\": \"$(CC) $(CPPFLAGS) -Itests -Ibpf $(CFLAGS) $(TP_CFLAGS) -c $$f\"},"; \
		done | sed '$$s/,$$//'; echo ']'; } > $@

install: all ## into $(PREFIX), below $(DESTDIR)
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/sbin $(O)/turnpiked
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(O)/turnpikectl
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 tools/man/turnpiked.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 tools/man/turnpikectl.1

clean: ## remove build/
	rm -rf $(O)

.PHONY: all help deps run demo test test-long test-programs check check-bpf check-net check-vm fuzz lint install clean

-include $(shell find $(wildcard $(addprefix $(O)/,gen obj san fuzz/obj)) -type f -name '*.d' 2>/dev/null)
