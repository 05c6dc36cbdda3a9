# SPDX-License-Identifier: GPL-2.0
# turnpike: `make help` lists what there is.

O ?= build
V ?=
CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool /usr/bin/bpftool) bpftool)
PREFIX ?= /usr/local
DESTDIR ?=
SANITIZE ?=

ifneq ($(filter-out address undefined thread,$(subst $(comma), ,$(SANITIZE))),)
$(error SANITIZE=$(SANITIZE): known values are address, undefined, thread, joined by commas)
endif
comma := ,
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-8s%s\n' $(1) $(2))

PKGS := libbpf libmnl libnl-3.0 libnl-genl-3.0 liburcu-qsbr liburcu-cds openssl jansson libidn
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter -Werror
CPPFLAGS += -Ibpf/include -Idaemon -I$(O)/gen -D_GNU_SOURCE -DURCU_INLINE_SMALL_FUNCTIONS -MMD -MP
CFLAGS ?= -O2 -g
TP_CFLAGS = -std=gnu11 $(WARN) -fno-strict-aliasing -fstack-protector-strong -fPIE $(PKG_CFLAGS)
TP_SAN = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
CHECK_SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1 -g

# -Wconversion where a lost bit is a lost packet.
STRICT_DIRS := daemon/stun/% daemon/turn/% daemon/auth/% daemon/net/addr%
strict = $(if $(filter $(STRICT_DIRS),$(1)),-Wconversion)

DAEMON_SRC := $(filter-out daemon/main.c,$(wildcard daemon/*.c daemon/*/*.c))
DAEMON_OBJ := $(DAEMON_SRC:%.c=$(O)/obj/%.o)
CHECK_OBJ := $(DAEMON_SRC:%.c=$(O)/san/%.o)
CTL_OBJ := $(patsubst %.c,$(O)/obj/%.o,$(wildcard tools/ctl/*.c))
BPF_SRC := $(wildcard bpf/*.bpf.c)
SKELETONS := $(BPF_SRC:bpf/%.bpf.c=$(O)/gen/%.skel.h)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_*.c))

PROGRAMS := $(if $(wildcard daemon/main.c),$(O)/turnpiked) $(if $(CTL_OBJ),$(O)/turnpikectl)

.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS) ## build turnpiked and turnpikectl into build/

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

$(O)/tests/%: $(O)/san/tests/unit/%.o $(O)/libturnpike-san.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CHECK_SAN) -o $@ $^ $(PKG_LIBS)

check: $(UNIT_TESTS) ## unit tests under ASan and UBSan, no root
	@fail=0; for t in $^; do $$t > $$t.tap 2>&1 && r=0 || r=$$?; \
		printf '%-44s %5d ok %3d failed\n' $$(basename $$t) $$(grep -c '^ok' $$t.tap) $$(grep -c '^not ok' $$t.tap); \
		[ $$r -eq 0 ] || { fail=1; grep -v '^ok' $$t.tap | head -40; }; done; exit $$fail

clean: ## remove build/
	rm -rf $(O)

.PHONY: all help check clean

-include $(shell [ -d $(O) ] && find $(O) -name '*.d')
