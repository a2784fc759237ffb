# SPDX-License-Identifier: GPL-2.0-only
# One non-recursive Makefile. Sources are found by wildcard; every kind of object has its own
# folder under build/ (hv: the hypervisor; clang: the same, compiled only; asan, fast, fuzz:
# the pure sources on Linux). `make help` lists the targets.

CC      := gcc
CLANG   := clang
PYTHON  := /usr/bin/python3
ELF     := build/vmmb.elf
ISO     := build/vmmb.iso
CMDLINE ?= console=com1,115200

.DEFAULT_GOAL := all
.SECONDEXPANSION:
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

# V=1 shows whole command lines.
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-6s %s\n' $(1) $@)

# ---- sources ---------------------------------------------------------------------------------

HV_SRCS := $(sort $(wildcard arch/x86_64/*.[cS] arch/x86_64/*/*.c boot/*.c kernel/*.c kernel/*/*.c mm/*.c \
	mm/*/*.c vmx/*.[cS] svm/*.[cS] vdev/*.c drivers/*.c))

# The pure sources that the simulation links; NOT_PURE names those it replaces or cannot use.
NOT_PURE  := kernel/main.c kernel/wires.c kernel/backends.c kernel/lib/string.c
PURE_SRCS := $(filter-out $(NOT_PURE),$(sort $(wildcard arch/x86_64/virt/virt.c mm/*.c mm/*/*.c vdev/*.c kernel/*.c \
	kernel/*/*.c boot/*.c drivers/block.c drivers/block_turn.c drivers/fair.c drivers/depth.c drivers/partition.c drivers/ramdisk.c)))
SIM_SRCS  := $(sort $(wildcard tests/sim/*.c tests/fake/*.c)) $(PURE_SRCS)

UNIT_SRCS  := $(sort $(wildcard tests/unit/test_*.c))
FUZZ_SRCS  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
UNIT_PROGS := $(UNIT_SRCS:tests/unit/%.c=build/unit/%)
FUZZ_PROGS := $(FUZZ_SRCS:tests/fuzz/%.c=build/fuzz/%)

# A test program's second line names the project sources that it links: /* SRCS: mm/share/curve.c */
# @mem: what a guest's memory is made of; @pager: that, and a guest page's life; @kernel: guests' lives, exits and the loop, for
# tests/unit/kernel_env.h.
srcs = $(subst @kernel,$(KERNEL_SRCS),$(subst @mem,$(MEM_SRCS),$(subst @pager,$(PAGER_SRCS) @mem,$(shell \
	sed -n '2s|^/\* SRCS:\(.*\)\*/.*|\1|p' $(1) 2>/dev/null))))
# A unit test that watches the calls of a function names it on its third line, /* WRAP: slat_map */, and has an
# __wrap_slat_map() of its own, which may call __real_slat_map().
wraps = $(patsubst %,-Wl$(COMMA)--wrap=%,$(shell sed -n '3s|^/\* WRAP:\(.*\)\*/.*|\1|p' $(1) 2>/dev/null))
COMMA := ,
MEM_SRCS   := $(patsubst %,mm/%.c,frame slat) \
	$(patsubst %,mm/pager/%.c,swap blockmap page_cache gpage guest_swap zstore lz4 vmmem readahead) \
	$(patsubst %,mm/share/%.c,payer promise ages curve curve_sleep) \
	kernel/lib/fmt.c kernel/lib/err.c
PAGER_SRCS := $(patsubst %,mm/pager/%.c,pager pool pager_check fault fill ahead reclaim zip zplan swapout scan guest_cache guest_mem) \
	$(patsubst %,mm/gio/%.c,guest_io guest_plan guest_read guest_write guest_bounce io_range) \
	$(patsubst %,kernel/trace/%.c,trace trace_note)
KERNEL_SRCS := $(patsubst %,kernel/exit/%.c,guest_walk guest_copy exit exit_inject exit_cpuid exit_cr exit_io exit_mmio exit_msr exit_overwrite insn) \
	$(patsubst %,kernel/%.c,vcpu loop pcpu turn sched vm vm_life vm_load pager_ports vdev_ports virt_ports backends) \
	$(patsubst %,kernel/trace/%.c,trace trace_note) \
	$(patsubst %,mm/share/%.c,payer ages) \
	arch/x86_64/virt/virt.c \
	$(patsubst %,kernel/lib/%.c,fmt log err parse) \
	$(patsubst %,boot/%.c,guest linux multiboot1 elf) \
	$(patsubst %,mm/%.c,slat frame) \
	tests/fake/fake_arch.c
# $(call objs,KIND,SOURCES)
objs = $(patsubst %,build/$(1)/%.o,$(2))

# ---- flags -----------------------------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Werror

HV_CFLAGS := -std=gnu11 -O2 -g -I. $(WARN) -Wconversion -Wcast-qual -ffreestanding -mgeneral-regs-only -mno-red-zone \
	-mcmodel=kernel -fno-pic -fno-pie -fno-stack-protector -fno-omit-frame-pointer \
	-fno-strict-aliasing -fno-common -fno-asynchronous-unwind-tables -fcf-protection=none \
	-ffile-prefix-map=$(CURDIR)=.
HV_ASFLAGS := -g -I. -Wa,--noexecstack -ffile-prefix-map=$(CURDIR)=.
HV_LDFLAGS := -static -no-pie -nostdlib -mcmodel=kernel -Wl,-z,noexecstack \
	-Wl,-z,max-page-size=4096 -Wl,--build-id=none -Wl,--fatal-warnings

# On Linux tests/fake comes first, so that tests/fake/arch/... stands in for arch/...
HOST_CFLAGS := -std=gnu11 -g -DVMMB_HOST -D_GNU_SOURCE -Itests/fake -I. $(WARN) \
	-fno-omit-frame-pointer -fno-strict-aliasing
SAN      := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_SAN := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined

# A loop in memcpy must not become a call of memcpy.
build/hv/kernel/lib/string.c.o: HV_CFLAGS += -fno-tree-loop-distribute-patterns

# ---- the hypervisor --------------------------------------------------------------------------

.PHONY: all clang
all: $(ELF) $(ISO)

$(ELF): $(call objs,hv,$(HV_SRCS)) build/hv/version.o arch/x86_64/vmmb.ld
	$(call say,LD)
	$(Q)$(CC) $(HV_LDFLAGS) -T arch/x86_64/vmmb.ld -o $@ $(filter %.o,$^) $(shell $(CC) -print-libgcc-file-name)

$(ISO): $(ELF) tools/mkiso
	$(call say,ISO)
	$(Q)tools/mkiso -o $@ --vmmb $(ELF) --cmdline "$(CMDLINE)"

build/hv/%.c.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(HV_CFLAGS) -MMD -MP -c -o $@ $<

build/hv/%.S.o: %.S
	@mkdir -p $(@D)
	$(call say,AS)
	$(Q)$(CC) $(HV_ASFLAGS) -MMD -MP -c -o $@ $<

# const char vmmb_version[]: rewritten only when what git says has changed.
build/version.c: FORCE
	@mkdir -p $(@D)
	@v=$$(GIT_OPTIONAL_LOCKS=0 git describe --always --dirty 2>/dev/null || echo unknown); \
	printf 'extern const char vmmb_version[];\nconst char vmmb_version[] = "%s";\n' "$$v" >$@.$$$$; \
	cmp -s $@.$$$$ $@ && rm $@.$$$$ || mv $@.$$$$ $@

build/hv/version.o: build/version.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(HV_CFLAGS) -c -o $@ $<

clang: $(call objs,clang,$(filter %.c,$(HV_SRCS)))

build/clang/%.c.o: %.c
	@mkdir -p $(@D)
	$(call say,CLANG)
	$(Q)$(CLANG) $(HV_CFLAGS) -MMD -MP -c -o $@ $<

# ---- the pure sources on Linux ---------------------------------------------------------------

build/asan/%.c.o: %.c
	@mkdir -p $(@D)
	$(call say,ASAN)
	$(Q)$(CC) $(HOST_CFLAGS) -O1 $(SAN) -MMD -MP -c -o $@ $<

build/fast/%.c.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(HOST_CFLAGS) -O2 -MMD -MP -c -o $@ $<

build/fuzzobj/%.c.o: %.c
	@mkdir -p $(@D)
	$(call say,FUZZ)
	$(Q)$(CLANG) $(HOST_CFLAGS) -O1 $(FUZZ_SAN) -MMD -MP -c -o $@ $<

build/unit/%: build/asan/tests/unit/%.c.o $$(call objs,asan,$$(call srcs,tests/unit/$$*.c))
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(SAN) $(call wraps,tests/unit/$*.c) -o $@ $^ -lcmocka -lm

build/fuzz/%: build/fuzzobj/tests/fuzz/%.c.o $$(call objs,fuzzobj,$$(call srcs,tests/fuzz/$$*.c))
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CLANG) $(FUZZ_SAN) -o $@ $^ -lZydis -llz4 -lm

build/sim/sim: $(call objs,asan,$(SIM_SRCS))
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(SAN) -o $@ $^ -lm

build/sim/sim-fast: $(call objs,fast,$(SIM_SRCS))
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -o $@ $^ -lm

build/host/%: build/fast/tools/%.c.o $$(call objs,fast,$$(call srcs,tools/$$*.c))
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -o $@ $^ -lm

build/bench/%: build/fast/tests/bench/%.c.o $$(call objs,fast,$$(call srcs,tests/bench/$$*.c))
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -o $@ $^ -lcmocka -lm

# ---- what a person types ---------------------------------------------------------------------

.PHONY: help run setup setup-test test test-long unit sim fuzz boot-tests layers lint bench bench-full guests \
	install clean FORCE

help:
	@sed -n 's/^#: //p' Makefile

#: make                 build/vmmb.elf and build/vmmb.iso
#: make run             install what is missing, build, boot two stock Debian guests, stay on
#:                      the console (EMU=bochs|kvm|tcg chooses; otherwise the fastest that works)
#: make test            everything below that tests; ends in one line "N passed, N failed"
#:   make unit            unit tests (cmocka, ASan+UBSan)
#:   make sim             the hypervisor minus hardware in one process
#:   make fuzz            every libFuzzer harness, long (FUZZ_SECONDS=600 each)
#:   make boot-tests      whole boots in an emulator (K=word selects; VMMB_EMU=bochs|tcg|kvm)
#:   make layers          the include and link graphs against the layer rule, budgets; promises name their tests
#:   make lint            shellcheck, codespell, cppcheck, lines of at most 110 columns
#:   make clang           compile the hypervisor with clang too
#: make test-long       boots that take very long: hostile guests in Bochs
#: make bench           the benchmark table and build/bench.json; make bench-full: all of it
#: make guests          stock Debian kernels and small initramfs in build/guests
#: make build/unit/test_X | build/fuzz/fuzz_X | build/sim/sim | build/sim/sim-fast
#: make install         copy the hypervisor to /boot and add a GRUB menu entry (DESTDIR=)
#: make clean           remove build/ (the downloaded guests too)
#: Tools with --help:   tools/mkiso tools/mkdisk tools/mkguest tools/emu tools/runtests tools/trace
#: Traces of real page references for the curve tests: TRACES=DIR

FUZZ_SECONDS ?= 600
K ?=

setup:
	@tools/setup run
setup-test:
	@tools/setup test

run: setup
	@tools/run

test: setup-test
	@tools/runtests $(if $(K),-k "$(K)")
unit: setup-test
	@tools/runtests unit $(if $(K),-k "$(K)")
sim: setup-test
	@tools/runtests sim $(if $(K),-k "$(K)")
fuzz: setup-test
	@tools/runtests fuzz --fuzz-seconds $(FUZZ_SECONDS) $(if $(K),-k "$(K)")
test-long: setup-test
	@tools/runtests boot --long $(if $(K),-k "$(K)")
boot-tests: setup-test
	@tools/runtests boot $(if $(K),-k "$(K)")
layers: $(ELF)
	@$(PYTHON) tests/layers.py

lint: setup-test
	@$(PYTHON) tests/lint.py

guests: setup
	@tools/mkguest cloud full

bench: setup-test all
	@$(PYTHON) tests/bench/bench.py
bench-full: setup-test all
	@$(PYTHON) tests/bench/bench.py --full

install: $(ELF)
	@tools/install "$(DESTDIR)"

clean:
	rm -rf build

-include $(shell find build -path build/guests -prune -o -type f -name '*.d' -print 2>/dev/null)
