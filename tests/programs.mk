# The programs of the tests; included by ../Makefile, from whose folder everything is meant.

# As a user's program is built: no sanitizer, no library of ours.
PLAIN := -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -MMD -MP

UNIT_BIN     := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*.c))
APP_BIN      := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/apps/*.c))
EXIT_BIN     := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/exit/*.c)) $(BUILD)/tests/exit/plugins/late.so
HOOK_BIN     := $(patsubst tests/shim/%.c,$(BUILD)/tests/shim/%,$(wildcard tests/shim/*.c)) \
                $(patsubst tests/shim/%.c,$(BUILD)/tests/shim/fortified/%,$(wildcard tests/shim/*.c)) \
                $(BUILD)/tests/shim/witness.so
HARD_BIN     := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/hard/*.c)) $(BUILD)/tests/hard/throws \
                $(patsubst %.c,$(BUILD)/%.so,$(wildcard tests/hard/plugins/*.c)) \
                $(BUILD)/tests/hard/asan/giving $(BUILD)/tests/hard/tsan/cancels
RELOAD_BIN   := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/reload/*.c))
# They read registers and set breakpoints of this machine.
TORTURE_BIN  := $(if $(filter x86_64,$(shell uname -m)),$(patsubst %.c,$(BUILD)/%,$(wildcard tests/torture/*.c)))
FAULT_BIN    := $(if $(filter x86_64,$(shell uname -m)),$(patsubst %.c,$(BUILD)/%,$(wildcard tests/faults/*.c)))
DIFF_SRC     := $(wildcard tests/differential/*.c)
DIFF_BIN     := $(BUILD)/tests/differential/driver
WIRE_BIN     := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/wire/*.c))
FUZZ         := policy filter region
FUZZ_SECONDS ?= 30
FUZZ_BIN     := $(FUZZ:%=$(BUILD)/tests/fuzz/%)

.PHONY: test-programs fuzzers
test-programs: $(UNIT_BIN) $(APP_BIN) $(EXIT_BIN) $(HOOK_BIN) $(HARD_BIN) $(RELOAD_BIN) $(TORTURE_BIN) $(DIFF_BIN) $(WIRE_BIN) $(FAULT_BIN) fuzzers
fuzzers: $(FUZZ_BIN)

$(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/librooms.a
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(BASE_CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/librooms.a $(UNWIND_LDFLAGS) -lcmocka $(SHIM_LIBS) $(CLI_LIBS) -lpthread

$(BUILD)/tests/torture/%: tests/torture/%.c $(BUILD)/librooms.a
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(BASE_CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/librooms.a $(UNWIND_LDFLAGS) $(SHIM_LIBS) $(CLI_LIBS) -lpthread

# Preloaded, and the region's reader is linked in: it judges the shim from within.
$(DIFF_BIN): $(DIFF_SRC) $(wildcard tests/differential/*.[h]) $(BUILD)/librooms.a
	@mkdir -p $(@D)
	$(say) CC tests/differential
	$(Q)$(CC) $(BASE_CFLAGS) $(LDFLAGS) -o $@ $(DIFF_SRC) $(BUILD)/librooms.a $(UNWIND_LDFLAGS) $(SHIM_LIBS) $(CLI_LIBS) -lpthread

# Small programs that do one thing wrong, plain as a user's: no sanitizer, no library of ours.
$(BUILD)/tests/apps/%: tests/apps/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN) -o $@ $< -lpthread

# A server that answers early, and clients that upload.
$(BUILD)/tests/wire/%: tests/wire/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN) -o $@ $< -lpthread

$(BUILD)/tests/reload/%: tests/reload/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN) -o $@ $< -lpthread

# The conversations that faults are brought into, and who brings them.
$(BUILD)/tests/faults/%: tests/faults/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN) -o $@ $< -lpthread

# Servers that end in each way.
$(BUILD)/tests/exit/%: tests/exit/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN) -o $@ $< -lpthread

$(BUILD)/tests/exit/plugins/%.so: tests/exit/plugins/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN) -fPIC -shared -o $@ $<

# Programs that do what is hard to interpose.
$(BUILD)/tests/hard/%: tests/hard/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN) -o $@ $< -lpthread

$(BUILD)/tests/hard/%: tests/hard/%.cc
	@mkdir -p $(@D)
	$(say) CXX $<
	$(Q)$(CXX) -std=gnu++17 -fnon-call-exceptions -O1 -g -Wall -Wextra -Werror -MMD -MP -o $@ $< -lpthread

# The same under the sanitizers, as a test suite builds its server.
$(BUILD)/tests/hard/asan/%: tests/hard/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN) -fsanitize=address -o $@ $< -lpthread

$(BUILD)/tests/hard/tsan/%: tests/hard/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN) -fsanitize=thread -o $@ $< -lpthread

$(BUILD)/tests/hard/plugins/%.so: tests/hard/plugins/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN) -fPIC -shared -o $@ $<

# Programs that call each hooked function, plain and as distributions build: fortified, so that they call __read_chk.
$(BUILD)/tests/shim/%: tests/shim/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN) -o $@ $< -lpthread

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

-include $(UNIT_BIN:=.d) $(APP_BIN:=.d) $(HOOK_BIN:=.d) $(RELOAD_BIN:=.d) $(HARD_BIN:=.d) $(filter %.d,$(HARD_BIN:.so=.d)) $(TORTURE_BIN:=.d) $(WIRE_BIN:=.d) $(FAULT_BIN:=.d) \
         $(wildcard $(BUILD)/tests/fuzz/*.d)
