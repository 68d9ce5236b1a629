# lastack. `make help` lists the targets. V=1 shows the commands.

CC           ?= gcc
CLANG        ?= clang
PREFIX       ?= /usr/local
LIBDIR       ?= $(PREFIX)/lib
BINDIR       ?= $(PREFIX)/bin
DATADIR      ?= $(PREFIX)/share/lastack
BUILD        ?= build
OPTIMIZE     ?= -O2
SANITIZE     ?=
CFLAGS       ?= $(OPTIMIZE) -g
WARNINGS     ?= -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
LIBRARY_PATHS = -DLA_DATADIR='"$(DATADIR)"' -DLA_LIBDIR='"$(LIBDIR)"'

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
MAKEFLAGS += --no-print-directory
endif

BASE_CFLAGS := -std=gnu11 -D_GNU_SOURCE -Iinclude -MMD -MP $(WARNINGS) $(SANITIZE) $(CFLAGS)
# Cancellation unwinds through hooks; first touch of TLS must not allocate; no fortification inside the interposer.
SHIM_CFLAGS := -fPIC -fvisibility=hidden -fexceptions -ftls-model=initial-exec -fno-semantic-interposition \
               -U_FORTIFY_SOURCE -fno-stack-protector $(LIBRARY_PATHS)
SHIM_LDFLAGS := -shared -Wl,-z,now -Wl,-z,nodelete -Wl,-z,initfirst -Wl,-z,relro -Wl,-z,defs -Wl,--as-needed \
                -Wl,--version-script=src/shim/export.map -Wl,-soname,liblastack.so -static-libgcc
SHIM_LIBS   := -lurcu-bp -lurcu-common
CLI_LIBS    := -ljansson -lsmartcols -lmnl -ldw -lelf

# src/track/stacks.c ends an unwinding that has left the known code.
UNWIND_LDFLAGS := -Wl,--wrap=_Unwind_Find_FDE

# Rooms. src/kernel/diag.c and the region's reader need libraries that only the command may use.
PURE_SRC   := $(wildcard src/table/*.c src/policy/*.c)
CLI_ONLY   := src/kernel/diag.c $(wildcard src/region/reader*.c)
SHIM_SRC   := $(PURE_SRC) $(filter-out $(CLI_ONLY),$(wildcard src/kernel/*.c src/region/*.c)) \
              $(wildcard src/track/*.c src/enforce/*.c src/shim/*.c)
CLI_SRC    := $(PURE_SRC) $(wildcard $(CLI_ONLY)) $(wildcard src/kernel/info.c src/cli/*.c)
ROOMS_SRC  := $(PURE_SRC) $(filter-out $(CLI_ONLY),$(wildcard src/kernel/*.c src/region/*.c)) \
              $(wildcard $(CLI_ONLY)) $(wildcard src/track/*.c src/enforce/*.c)
UNIT_SRC   := $(wildcard tests/unit/*.c)
APP_SRC    := $(wildcard tests/apps/*.c)
HOOK_SRC   := $(wildcard tests/shim/*.c)
HARD_SRC   := $(wildcard tests/hard/*.c)

FUZZ       := policy filter region
FUZZ_SECONDS ?= 30
# They read registers and set breakpoints of this machine.
TORTURE_SRC := $(if $(filter x86_64,$(shell uname -m)),$(wildcard tests/torture/*.c))

SHIM_OBJ   := $(SHIM_SRC:%.c=$(BUILD)/shim/%.o)
CLI_OBJ    := $(CLI_SRC:%.c=$(BUILD)/cli/%.o)
ROOMS_OBJ  := $(ROOMS_SRC:%.c=$(BUILD)/rooms/%.o)
UNIT_BIN   := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/unit/%)
APP_BIN    := $(APP_SRC:tests/apps/%.c=$(BUILD)/tests/apps/%)
HARD_BIN   := $(HARD_SRC:tests/hard/%.c=$(BUILD)/tests/hard/%)
FUZZ_BIN   := $(FUZZ:%=$(BUILD)/tests/fuzz/%)
HOOK_BIN   := $(HOOK_SRC:tests/shim/%.c=$(BUILD)/tests/shim/%) $(HOOK_SRC:tests/shim/%.c=$(BUILD)/tests/shim/fortified/%) \
              $(BUILD)/tests/shim/witness.so
TORTURE_BIN := $(TORTURE_SRC:tests/torture/%.c=$(BUILD)/tests/torture/%)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps demo check check-unit check-asan check-tsan fuzz minute lint layers format install uninstall clean help test-programs fuzzers imports suites torture torture-by-signals

all: $(BUILD)/liblastack.so $(BUILD)/lastack ## build liblastack.so and lastack in build/

$(BUILD)/liblastack.so: $(SHIM_OBJ) src/shim/export.map
	$(say) LINK $@
	$(Q)$(CC) $(SANITIZE) $(LDFLAGS) $(SHIM_LDFLAGS) $(UNWIND_LDFLAGS) -o $@ $(SHIM_OBJ) $(SHIM_LIBS)

$(BUILD)/lastack: $(CLI_OBJ)
	$(say) LINK $@
	$(Q)$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $(CLI_OBJ) $(CLI_LIBS)

$(BUILD)/shim/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(BASE_CFLAGS) $(SHIM_CFLAGS) -c -o $@ $<

$(BUILD)/cli/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(BASE_CFLAGS) $(LIBRARY_PATHS) -c -o $@ $<

$(BUILD)/rooms/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(BASE_CFLAGS) $(LIBRARY_PATHS) -c -o $@ $<

$(BUILD)/librooms.a: $(ROOMS_OBJ)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/librooms.a
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(BASE_CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/librooms.a $(UNWIND_LDFLAGS) -lcmocka $(SHIM_LIBS) $(CLI_LIBS) -lpthread

$(BUILD)/tests/torture/%: tests/torture/%.c $(BUILD)/librooms.a
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(BASE_CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/librooms.a $(UNWIND_LDFLAGS) $(SHIM_LIBS) $(CLI_LIBS) -lpthread

# Small programs that do one thing wrong, plain as a user's: no sanitizer, no library of ours.
$(BUILD)/tests/apps/%: tests/apps/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -MMD -MP -o $@ $< -lpthread

# Programs that do what is hard to interpose.
$(BUILD)/tests/hard/%: tests/hard/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -MMD -MP -o $@ $< -lpthread

$(BUILD)/tests/hard/%: tests/hard/%.cc
	@mkdir -p $(@D)
	$(say) CXX $<
	$(Q)$(CXX) -std=gnu++17 -fnon-call-exceptions -O1 -g -Wall -Wextra -Werror -MMD -MP -o $@ $< -lpthread

# The same under the sanitizers, as a test suite builds its server.
$(BUILD)/tests/hard/asan/%: tests/hard/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g -fsanitize=address -MMD -MP -o $@ $< -lpthread

$(BUILD)/tests/hard/tsan/%: tests/hard/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g -fsanitize=thread -MMD -MP -o $@ $< -lpthread

$(BUILD)/tests/hard/plugins/%.so: tests/hard/plugins/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -fPIC -shared -MMD -MP -o $@ $<

# Programs that call each hooked function, plain and as distributions build: fortified, so that they call __read_chk.
$(BUILD)/tests/shim/%: tests/shim/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -MMD -MP -o $@ $< -lpthread

$(BUILD)/tests/shim/fortified/%: tests/shim/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -D_FORTIFY_SOURCE=2 -g -Wall -Wextra -Werror -MMD -MP -o $@ $< -lpthread

# Notes which hooks a real program reaches.
$(BUILD)/tests/shim/witness.so: tests/shim/witness/witness.c src/shim/calls.def
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -Iinclude -O1 -g -Wall -Wextra -Werror -fPIC -shared -o $@ $<

# What a fuzz target needs of ours; in place of libFuzzer, a main() that gives each kept input once. The region's target is the command
# itself, but for what asks the machine: the kernel's sockets, /proc, the child that symbolizes.
FUZZ_ENGINE = $(BUILD)/tests/fuzz/once.o
FUZZ_WORLD  := open close fstat stat pread fopen kill setns fork socketpair send recv poll waitpid usleep la_region_find la_now_ns \
               la_holders_add la_holders_add_all la_holders_inode
comma       := ,

$(BUILD)/tests/fuzz/%.o: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(BASE_CFLAGS) -c -o $@ $<

$(BUILD)/tests/fuzz/policy: $(PURE_SRC:%.c=$(BUILD)/cli/%.o)
$(BUILD)/tests/fuzz/filter: $(addprefix $(BUILD)/cli/src/,$(patsubst src/%.c,%.o,$(wildcard src/table/*.c)) cli/filter.o cli/verdict.o cli/say.o)
$(BUILD)/tests/fuzz/region: $(filter-out %/diag.o %/cli/main.o %/cli/symbolizer.o,$(CLI_OBJ)) $(patsubst %,$(BUILD)/tests/fuzz/%.o,scene world mutate symbolize)
$(BUILD)/tests/fuzz/region: FUZZ_LIBS := $(CLI_LIBS) $(FUZZ_WORLD:%=-Wl$(comma)--wrap=%)
$(FUZZ_BIN): $(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(FUZZ_ENGINE)
	$(say) LINK $@
	$(Q)$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $(filter %.o,$^) $(FUZZ_LINK) $(FUZZ_LIBS)

test-programs: $(UNIT_BIN) $(APP_BIN) $(HOOK_BIN) $(HARD_BIN) $(TORTURE_BIN) fuzzers

fuzzers: $(FUZZ_BIN)

deps: ## install what building and testing needs (Debian packages, when root)
	$(Q)tests/deps.sh

demo: deps ## the main job on real servers, without and with lastack
	$(Q)$(MAKE) all $(APP_BIN)
	$(Q)BUILD=$(BUILD) tests/demo.sh

check: deps ## everything: build, unit tests, tests with real programs
	$(Q)$(MAKE) all test-programs
	$(Q)BUILD=$(BUILD) tests/run.sh

check-unit: $(UNIT_BIN) ## only the unit tests
	$(Q)BUILD=$(BUILD) tests/run.sh unit

minute: ## nginx under wrk for a minute, with and without lastack: errors, leftovers, throughput ratio
	$(Q)$(MAKE) all
	$(Q)BUILD=$(BUILD) tests/bench/nginx_minute.sh

imports: ## is every function of the C library that could touch a socket interposed? With the number of programs that import each
	$(Q)tests/imports.sh

suites: ## third-party suites, with and without lastack (as root, half an hour; SUITES="libuv stress": a part)
	$(Q)$(MAKE) all
	$(Q)BUILD=$(BUILD) tests/suites/run.py $(SUITES)

check-asan: ## unit tests under AddressSanitizer and UBSan
	$(Q)$(MAKE) BUILD=build-asan OPTIMIZE=-O1 SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' check-unit

check-tsan: ## unit tests, and writers stopped by signals, under ThreadSanitizer
	$(Q)$(MAKE) BUILD=build-tsan OPTIMIZE=-O1 SANITIZE=-fsanitize=thread check-unit torture-by-signals

torture: $(TORTURE_BIN) ## writers stopped between any two instructions, while all others must go on (2 minutes)
	$(Q)$(BUILD)/tests/torture/stops 20
	$(Q)$(BUILD)/tests/torture/shares
	$(Q)$(BUILD)/tests/torture/steps 30

torture-by-signals: $(BUILD)/tests/torture/stops
	$(Q)$(BUILD)/tests/torture/stops 5

fuzz: ## every fuzz target for FUZZ_SECONDS (30) from the kept inputs; reproducers go to tests/fuzz/found/
	$(Q)$(MAKE) BUILD=build-fuzz CC=$(CLANG) OPTIMIZE=-O2 FUZZ_ENGINE= FUZZ_LINK=-fsanitize=fuzzer \
		SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' fuzzers
	$(Q)BUILD=build-fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/fuzz.sh

lint: layers ## layer rules, shellcheck, cppcheck, clang-format, warnings of gcc and clang
	$(Q)BUILD=$(BUILD) CLANG=$(CLANG) tests/lint/lint.sh

layers: ## who may include whom
	$(Q)tests/lint/layers.sh

format: ## rewrite the sources as .clang-format says
	$(Q)clang-format -i $$(git ls-files 'src/*.[ch]' 'include/*.h' 'tests/*.[ch]')

install: all ## install to PREFIX (honours DESTDIR)
	$(say) INSTALL $(DESTDIR)$(PREFIX)
	$(Q)install -D -m 0755 $(BUILD)/liblastack.so $(DESTDIR)$(LIBDIR)/liblastack.so
	$(Q)install -D -m 0755 $(BUILD)/lastack $(DESTDIR)$(BINDIR)/lastack
	$(Q)install -d $(DESTDIR)$(DATADIR)/policies
	$(Q)install -m 0644 policies/*.policy $(DESTDIR)$(DATADIR)/policies/

uninstall: ## remove what install put there
	$(Q)rm -f $(DESTDIR)$(LIBDIR)/liblastack.so $(DESTDIR)$(BINDIR)/lastack
	$(Q)rm -rf $(DESTDIR)$(DATADIR)/policies

clean: ## remove what was built
	$(Q)rm -rf build build-asan build-tsan build-fuzz build-clang build-lint-gcc

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

-include $(SHIM_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(ROOMS_OBJ:.o=.d) $(UNIT_BIN:=.d) $(APP_BIN:=.d) $(HOOK_BIN:=.d) $(HARD_BIN:=.d) $(TORTURE_BIN:=.d) \
         $(wildcard $(BUILD)/tests/fuzz/*.d)
