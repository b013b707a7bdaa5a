# Epitaph: one shared object, libepitaph.so. `make help` lists targets and knobs.
VERSION  := 0.1.0

CC       ?= cc
CFLAGS   ?= -g
PREFIX   ?= /usr/local
LIBDIR   ?= $(PREFIX)/lib
MANDIR   ?= $(PREFIX)/share/man
O        ?= build
WERROR   ?= 1
SAN      ?=
V        ?= 0

LC_ALL   := C
export LC_ALL

Q        := $(if $(filter 1,$(V)),,@)
say      = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' "$(1)" "$(2)")

WARN     := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wmissing-prototypes -Wstrict-prototypes \
            -Wcast-qual -Wwrite-strings -Wpointer-arith -Wundef -Wformat=2 \
            -Wframe-larger-than=1024 $(if $(filter 1,$(WERROR)),-Werror)

# The shim runs in processes that it knows nothing of: no libc (freestanding), no canary (it lives in
# TLS that a libc-free program never set up), no PLT, and unwind tables, because C++ exceptions,
# pthread_exit and cancellation unwind through its frames.
SHIMFLAGS := -std=gnu11 -ffreestanding -fPIC -fvisibility=hidden -fno-common -fno-plt \
             -fno-stack-protector -fno-strict-aliasing -fasynchronous-unwind-tables \
             -ffile-prefix-map=$(CURDIR)=. -U_FORTIFY_SOURCE -D_GNU_SOURCE \
             $(if $(findstring aarch64,$(shell $(CC) -dumpmachine)),-mno-outline-atomics) \
             -DEPITAPH_VERSION='"$(VERSION)"' -I$(O)/gen
# No NEEDED, no lazy binding, both hash styles, few segments (each mapping costs start-up time).
SHIMLD   := -shared -nostdlib -Wl,-soname,libepitaph.so -Wl,--version-script=$(O)/gen/exports.map \
            -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack -Wl,-z,noseparate-code -Wl,-z,nodlopen \
            -Wl,-z,nodelete -Wl,--eh-frame-hdr -Wl,--hash-style=both -Wl,--build-id=sha1 -Wl,-O1 -Wl,--sort-section=name -Wl,--no-undefined-version

SRCS     := $(sort $(wildcard shim/*.c))
# What every start runs lies together, at the end: fewer pages to map.
HOT      := mem process clock text modules next environ config scope log record verdict ending exits init
COLD     := $(filter-out $(HOT),$(SRCS:shim/%.c=%))
# -O2 where it shows in the cost of a start or of a signal; elsewhere small, for the same reason.
$(patsubst %,$(O)/shim/%.o,$(HOT) dispositions received sender flood output prints): OPTIMISE := -O2
OBJS     := $(patsubst %,$(O)/shim/%.o,$(COLD) $(HOT))

.PHONY: all
all: $(O)/libepitaph.so ## build the shim (default)

$(O)/gen/hooks.list: shim/hooks.def | $(O)/gen
	$(Q){ echo '#define HOOK(name, file, why) hook name'; cat $<; } | $(CC) -E -P -x c - | \
		sed -n 's/^ *hook //p' > $@

$(O)/gen/exports.map: $(O)/gen/hooks.list
	$(Q){ echo '{ global:'; sed 's/.*/	&;/' $<; echo 'local: *; };'; } > $@

$(O)/gen $(O)/shim:
	$(Q)mkdir -p $@

$(O)/shim/%.o: shim/%.c Makefile | $(O)/shim
	$(call say,CC,$@)
	$(Q)$(CC) $(SHIMFLAGS) $(or $(OPTIMISE),-Os) $(WARN) $(CFLAGS) -MMD -MP -fstack-usage -c -o $@ $<

$(O)/libepitaph.so: $(OBJS) $(O)/gen/exports.map
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SHIMLD) $(LDFLAGS) -o $@ $(OBJS) -lgcc

-include $(OBJS:.o=.d)

include tests/tests.mk

.PHONY: install uninstall
install: $(O)/libepitaph.so ## copy the shim and its man page below DESTDIR and PREFIX
	$(Q)install -d $(DESTDIR)$(LIBDIR) $(DESTDIR)$(MANDIR)/man7
	$(Q)install -m 0755 $< $(DESTDIR)$(LIBDIR)/libepitaph.so
	$(Q)install -m 0644 docs/epitaph.7 $(DESTDIR)$(MANDIR)/man7/epitaph.7

uninstall: ## remove what install copied
	$(Q)rm -f $(DESTDIR)$(LIBDIR)/libepitaph.so $(DESTDIR)$(MANDIR)/man7/epitaph.7

.PHONY: clean
clean: ## remove what was built
	$(Q)rm -rf $(O)

.PHONY: help
help: ## this list
	@echo 'Targets:'
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | sort | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'
	@echo 'Knobs:'
	@echo '  V=1 (show commands) O=DIR (build folder) CC= CFLAGS= LDFLAGS= PREFIX= DESTDIR='
	@echo '  WERROR=0 (warnings do not fail) SAN=address,undefined (unit tests under sanitizers)'
