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
CLI_LIBS    := -ljansson -lsmartcols -lmnl -ldw -lelf -lmicrohttpd

# src/track/stacks.c ends an unwinding that has left the known code.
UNWIND_LDFLAGS := -Wl,--wrap=_Unwind_Find_FDE

# Rooms. src/kernel/diag.c and the region's reader need libraries that only the command may use.
PURE_SRC   := $(wildcard src/table/*.c src/policy/*.c)
CLI_ONLY   := src/kernel/diag.c $(wildcard src/region/reader*.c)
SHIM_SRC   := $(PURE_SRC) $(filter-out $(CLI_ONLY),$(wildcard src/kernel/*.c src/region/*.c)) \
              $(wildcard src/track/*.c src/enforce/*.c src/shim/*.c)
CLI_SRC    := $(PURE_SRC) $(wildcard $(CLI_ONLY)) $(wildcard src/kernel/info.c src/kernel/change.c src/region/lacks.c src/cli/*.c)
ROOMS_SRC  := $(PURE_SRC) $(filter-out $(CLI_ONLY),$(wildcard src/kernel/*.c src/region/*.c)) \
              $(wildcard $(CLI_ONLY)) $(wildcard src/track/*.c src/enforce/*.c)

SHIM_OBJ   := $(SHIM_SRC:%.c=$(BUILD)/shim/%.o)
CLI_OBJ    := $(CLI_SRC:%.c=$(BUILD)/cli/%.o)
ROOMS_OBJ  := $(ROOMS_SRC:%.c=$(BUILD)/rooms/%.o)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps demo check check-unit check-asan check-tsan torture torture-by-signals model differential fuzz imports suites \
        minute show-servers show-leak-check restart wire long faults reloads \
        lint layers format install uninstall clean help

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

include tests/programs.mk

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

long: deps ## proofs that take their time: probes and who has gone, slow readers, leaks of haproxy, ssh and sshd, hazards of a close (3 minutes)
	$(Q)$(MAKE) all test-programs
	$(Q)BUILD=$(BUILD) tests/run.sh tests/long/*.bats

differential: ## random programs of both ends: each step compared with the kernel (STEPS=, SEED=, MODE=observe|enforce)
	$(Q)$(MAKE) all $(BUILD)/tests/differential/driver
	$(Q)BUILD=$(BUILD) STEPS=$(or $(STEPS),100000) SEED=$(SEED) tests/differential/run.sh $(or $(MODE),observe enforce)

minute: ## nginx under wrk for a minute, with and without lastack: errors, leftovers, throughput ratio
	$(Q)$(MAKE) all
	$(Q)BUILD=$(BUILD) tests/bench/nginx_minute.sh

show-servers: deps ## servers of Debian's that lose responses, without and with lastack (as root; SERVERS="haproxy h2o": a part)
	$(Q)$(MAKE) all
	$(Q)BUILD=$(BUILD) tests/servers/show.sh $(SERVERS)

restart: deps ## nginx, gunicorn and sshd restarted under load, ROUNDS (5) times, with and without lastack: nothing refused, nothing lost
	$(Q)$(MAKE) all
	$(Q)for round in $$(seq $(or $(ROUNDS),5)); do BUILD=$(BUILD) tests/run.sh tests/restart/*.bats || exit 1; done

wire: ## the segments of every ending, captured, with those promised; 10,000 uploads in flight (as root; WIRE_CONNECTIONS=, LOSS=, DELAY=)
	$(Q)$(MAKE) all test-programs
	$(Q)BUILD=$(BUILD) tests/wire/wire.sh

show-leak-check: ## run --leak-check on a test suite from the npm registry: what it finds there, and that the repair is found good
	$(Q)$(MAKE) all
	$(Q)BUILD=$(BUILD) tests/leak_check/show.sh
reloads: ## policies that change under programs, 60 times: the lowest free number, and closes under way (4 minutes)
	$(Q)$(MAKE) all test-programs
	$(Q)for round in 1 2; do BUILD=$(BUILD) EDITS=30 bats tests/reload/programs.bats --filter 'lowest free number|under load' || exit 1; done

imports: ## is every function of the C library that could touch a socket interposed? With the number of programs that import each
	$(Q)tests/imports.sh

suites: ## third-party suites, with and without lastack (as root, half an hour; SUITES="libuv stress": a part)
	$(Q)$(MAKE) all
	$(Q)BUILD=$(BUILD) tests/suites/run.py $(SUITES)

check-asan: ## unit tests under AddressSanitizer and UBSan
	$(Q)$(MAKE) BUILD=build-asan OPTIMIZE=-O1 SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' check-unit

check-tsan: ## unit tests, and writers stopped by signals, under ThreadSanitizer
	$(Q)$(MAKE) BUILD=build-tsan OPTIMIZE=-O1 SANITIZE=-fsanitize=thread check-unit torture-by-signals

faults: ## every system call of the library fails once, and all from each on; a stop of a minute (as root, 10 minutes)
	$(Q)$(MAKE) all $(FAULT_BIN)
	$(Q)BUILD=$(BUILD) FAULT_STEP=1 FAULT_SECONDS=60 bats --timing tests/faults

torture: $(TORTURE_BIN) ## writers stopped between any two instructions, while all others must go on (2 minutes)
	$(Q)$(BUILD)/tests/torture/stops 20
	$(Q)$(BUILD)/tests/torture/shares
	$(Q)$(BUILD)/tests/torture/steps 30

torture-by-signals: $(BUILD)/tests/torture/stops
	$(Q)$(BUILD)/tests/torture/stops 5

model: deps ## the models of the lock-free tables: right, and wrong in each way that must be found (spin)
	$(Q)tests/model/model.sh

fuzz: ## every fuzz target for FUZZ_SECONDS (30) from the kept inputs; reproducers go to tests/fuzz/found/
	$(Q)$(MAKE) BUILD=build-fuzz CC=$(CLANG) OPTIMIZE=-O2 FUZZ_ENGINE= FUZZ_LINK=-fsanitize=fuzzer \
		SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' fuzzers
	$(Q)BUILD=build-fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/fuzz.sh

lint: layers ## layer rules, shellcheck, cppcheck, clang-format, warnings of gcc and clang, the form of policies
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

-include $(SHIM_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(ROOMS_OBJ:.o=.d)
