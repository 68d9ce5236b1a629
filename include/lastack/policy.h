/* SPDX-License-Identifier: MIT */
/*
 * Policies: text -> rules, and (connection, how long) -> decision.
 *
 * Pure: no I/O, no clock, no allocation, no errno, no locale, no thread-local storage; may be called from any thread, a
 * signal handler and the helper (which has no thread-local storage of its own). The same code runs in the shim, in `lastack
 * policy check` and in the fuzzer. struct la_policy is plain data of fixed width: the region holds a copy of it.
 */
#ifndef LASTACK_POLICY_H
#define LASTACK_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lastack/table.h>

enum {
	LA_POLICY_RULES = 64,
	LA_POLICY_STEPS = 8,
	LA_POLICY_NAME = 32,   /* with its NUL; letters, digits, "-", "_" and "." */
	LA_POLICY_EXE = 32,    /* with its NUL */
	LA_POLICY_LINE = 1024, /* longest line of a file, in bytes */
};

/* Actions of a bounded state, mildest first: "the strongest listed" compares these. */
enum la_action {
	LA_ACTION_NONE,
	LA_ACTION_LOG,
	LA_ACTION_KEEPALIVE,
	LA_ACTION_SHUTDOWN,
	LA_ACTION_RESET,
	LA_ACTION_COUNT
};
const char *la_action_name(
	enum la_action action); /* as written in a policy; "none", "?" out of range */

/* What a section governs. The first five are bounded states. */
enum la_section {
	LA_SECTION_CLOSE_WAIT,
	LA_SECTION_FIN_WAIT_1,
	LA_SECTION_FIN_WAIT_2,
	LA_SECTION_CLOSING,
	LA_SECTION_LAST_ACK,
	LA_SECTION_CLOSE,
	LA_SECTION_EXIT,
	LA_SECTION_RESET,
	LA_SECTION_COUNT
};
const char *la_section_name(enum la_section section); /* "close-wait" */
/* The section that bounds a state; LA_SECTION_COUNT where none does. */
enum la_section la_section_of_state(enum la_state state);

enum la_role {
	LA_ROLE_UNKNOWN,
	LA_ROLE_SERVER,
	LA_ROLE_CLIENT,
	LA_ROLE_LISTENER
}; /* server: accepted; client: connected */
enum la_eof {
	LA_EOF_NONE,
	LA_EOF_UNREAD,
	LA_EOF_READ
};                                       /* has the application been told of the peer's FIN? */
const char *la_role_name(uint32_t role); /* "server", "client", "listener", "?" */

enum la_match_field {
	LA_MATCH_ROLE = 1u << 0,
	LA_MATCH_LOCAL_PORT = 1u << 1,
	LA_MATCH_REMOTE_PORT = 1u << 2,
	LA_MATCH_LOCAL = 1u << 3,
	LA_MATCH_REMOTE = 1u << 4,
	LA_MATCH_EXE = 1u << 5,
	LA_MATCH_EOF = 1u << 6,
	LA_MATCH_ALL = (1u << 7) - 1,
};

struct la_prefix {
	uint8_t address
		[16];  /* IPv4 as ::ffff:a.b.c.d, so that a mapped peer matches an IPv4 rule */
	uint32_t bits; /* 0..128 over all 16 bytes; so ::/0 matches IPv4 too, 0.0.0.0/0 only IPv4 */
};

struct la_match {
	uint32_t fields; /* enum la_match_field; all that are set must hold */
	uint32_t role;
	uint32_t eof;
	uint16_t local_port_low, local_port_high;
	uint16_t remote_port_low, remote_port_high;
	struct la_prefix local, remote;
	char exe[LA_POLICY_EXE];
};

struct la_bound_step {
	uint64_t after_ns;
	uint32_t action; /* enum la_action */
	uint32_t reserved;
};

enum la_close_action { LA_CLOSE_PLAIN, LA_CLOSE_GRACEFUL };
enum la_close_linger { LA_LINGER_NEEDED, LA_LINGER_ALWAYS };
enum la_exit_action { LA_EXIT_PLAIN, LA_EXIT_DRAIN, LA_EXIT_HANDOVER };
enum la_reset_action { LA_RESET_ALLOW, LA_RESET_REFUSE };

/* One section of a file. Only the fields of its kind are meaningful. */
struct la_rule {
	uint32_t section;          /* enum la_section */
	uint32_t line;             /* of its header in its file, from 1 */
	char name[LA_POLICY_NAME]; /* second word of the header, "" for the unnamed one */
	struct la_match match;
	/* bounded states */
	uint32_t steps_count; /* sorted by after_ns, strictly rising */
	uint32_t max;         /* 0: no maximum. Also of [close]: draining at once */
	uint32_t reserved;
	struct la_bound_step steps[LA_POLICY_STEPS];
	/* close, exit, reset */
	uint32_t action; /* enum la_close_action, la_exit_action or la_reset_action */
	uint32_t linger; /* enum la_close_linger */
	uint64_t idle_ns, total_ns, drain_bytes;
};
_Static_assert(sizeof(struct la_rule) == 304, "the region holds rules: no padding, fixed width");

/* Defaults of [close]: as interface.md writes them. */
#define LA_CLOSE_IDLE_NS     (5ull * 1000 * 1000 * 1000)
#define LA_CLOSE_TOTAL_NS    (30ull * 1000 * 1000 * 1000)
#define LA_CLOSE_DRAIN_BYTES (16ull << 20)
#define LA_CLOSE_MAX         1024u
#define LA_EXIT_TOTAL_NS     (10ull * 1000 * 1000 * 1000)

struct la_policy {
	uint32_t rules_count;
	uint32_t observe; /* 1: decide, count and show, but act on nothing (LASTACK_MODE=observe) */
	char name[64];    /* what LASTACK_POLICY said, cut to fit, without control characters */
	struct la_rule rules[LA_POLICY_RULES]; /* in the order in which they are tried */
};
_Static_assert(
	sizeof(struct la_policy) == 72 + LA_POLICY_RULES * sizeof(struct la_rule), "no padding");

/* "FILE:LINE: sentence" or "FILE:LINE:COLUMN: sentence", without a newline, saying what to write instead. */
struct la_policy_error {
	char text[320];
};

/* An empty policy: without rules nothing is acted on, which is observing; `observe` itself is 0. */
void la_policy_init(struct la_policy *policy);

/*
 * Append the rules of one file to `policy`; call once a file, in the order of LASTACK_POLICY, so that earlier ones win.
 * Within a file the named rules of a section come first, in file order, then the unnamed one. `file` is only used in errors.
 * `text` needs no NUL and may hold anything. Returns 0; or -EINVAL with `error` (may be NULL) filled, `policy` unchanged.
 * Stack: below 3 KiB, no recursion over the text.
 *
 *     [SECTION]  or  [SECTION NAME] with a match of its own         a name of enum la_section
 *     match = role server|client, local-port N[-M], remote-port N[-M], local ADDRESS[/BITS], remote ADDRESS[/BITS],
 *             exe NAME, eof read|unread                             all on one line, any of them
 *     after TIME = log|keepalive|shutdown|reset;  max = N           bounded states
 *     action = plain|graceful;  linger = needed|always;  idle = TIME;  total = TIME;  drain = SIZE;  max = N    [close]
 *     action = plain|drain|handover;  total = TIME                  [exit]
 *     action = allow|refuse                                         [reset]
 *
 *   - A comment runs from "#" or ";" to the end of its line, also behind a value. Lines end with LF or CRLF; a UTF-8 mark at the
 *     start is skipped; a file of comments only, or of nothing, is a valid policy.
 *   - Words are lower case. Nothing may stand twice: no section (with the same name), key, step time or condition in one file.
 *     The same section in several files is how policies are combined.
 *   - Steps may be listed in any order and are sorted.
 *   - Every section says what it does: a bounded state has at least one step, the others have their action. An empty
 *     section is an error, because it would switch off what a later file asks for; to exempt connections write a rule that
 *     only logs, or action = plain.
 *   - Times are 1ms to 8760h, sizes 1KiB to 1048576MiB, counts 1 to 1000000, ports 1 to 65535.
 */
int la_policy_parse(struct la_policy *policy, const char *file, const char *text, size_t length,
	struct la_policy_error *error);

/*
 * For a policy read from somebody else's memory: every enum, count and string within its range, so that every function here
 * may be called with it and every string printed. Ask about a private copy: memory that is still shared can change behind
 * the answer.
 */
bool la_policy_is_sane(const struct la_policy *policy);

/* What rules look at. Addresses as in struct la_prefix, ports in host order. */
struct la_view {
	uint32_t role, eof;
	uint16_t local_port, remote_port;
	uint8_t local[16], remote[16];
	const char *exe; /* base name of the program, may be NULL */
};

bool la_match_holds(const struct la_match *match, const struct la_view *view);
/* Does `wide` hold for every connection that `narrow` holds for? Then a rule of `narrow` behind one of `wide` is never tried. */
bool la_match_covers(const struct la_match *wide, const struct la_match *narrow);

/* The first rule of `section` whose match holds, or NULL. */
const struct la_rule *la_policy_find(
	const struct la_policy *policy, enum la_section section, const struct la_view *view);

/* True when the policy has any rule for a bounded state / any [close] rule with action = graceful. */
bool la_policy_bounds_anything(const struct la_policy *policy);
bool la_policy_closes_gracefully(const struct la_policy *policy);
/* True when any rule may change how a connection is closed: [close], [reset], or a bound on what a close leaves to the kernel. */
bool la_policy_rules_closes(const struct la_policy *policy);
/* True when any [exit] rule is not plain. */
bool la_policy_rules_exits(const struct la_policy *policy);
/* The shortest `after` of all rules; 0 when there is none. */
uint64_t la_policy_shortest_ns(const struct la_policy *policy);

struct la_decision {
	uint32_t action; /* enum la_action: due now, LA_ACTION_NONE when nothing is */
	uint32_t
		step; /* index in rule->steps of that action: steps_done is step + 1 once it was taken. When none is
			      due that of the next one, or steps_count behind the last */
	uint32_t next;       /* enum la_action: what comes next (LA_ACTION_NONE: nothing more) */
	uint64_t next_in_ns; /* time until `next`; 0 when next is NONE */
};
/*
 * What `rule` (of a bounded state) says for a connection that has made no progress for idle_ns and for which the first
 * `steps_done` steps were already taken. When several are overdue the strongest of them is the one due (of equals the last),
 * and the milder ones before it are passed over.
 */
struct la_decision la_policy_decide(
	const struct la_rule *rule, uint64_t idle_ns, uint32_t steps_done);

/* The first `after` at which `rule` resets, 0 when it never does. */
uint64_t la_rule_resets_after_ns(const struct la_rule *rule);

/* The strongest action that `rule` lists, LA_ACTION_NONE without steps: what is done to the oldest beyond `max`. */
enum la_action la_rule_strongest(const struct la_rule *rule);

#endif
