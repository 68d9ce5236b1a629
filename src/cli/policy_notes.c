/* SPDX-License-Identifier: MIT */
/*
 * What a policy may say and will be regretted: notes of danger. facts/linux-close.md section 6 has the hazards.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "policy_set.h"

#define SECOND_NS 1000000000ull
/* A peer that reads slowly leaves its window shut for so long, and no longer. */
#define SLOW_READER_NS (30 * SECOND_NS)
/* A client that has sent all it had to say waits so long for an answer, and more. */
#define SLOW_ANSWER_NS (10 * SECOND_NS)
/* systemd's DefaultTimeoutStopSec. */
#define STOP_NS       (90 * SECOND_NS)
#define LONG_DRAIN_NS (300 * SECOND_NS)
#define HUGE_DRAIN    (1ull << 30)

struct notes {
	const struct la_policy_set *set;
	void (*each)(const struct la_policy_set *set, const struct la_rule *rule,
		const char *sentence, void *context);
	void *context;
	int count;
};

static void __attribute__((format(printf, 3, 4)))
note(struct notes *notes, const struct la_rule *rule, const char *format, ...)
{
	va_list arguments;
	char *sentence;

	va_start(arguments, format);
	if (vasprintf(&sentence, format, arguments) >= 0) {
		notes->each(notes->set, rule, sentence, notes->context);
		notes->count++;
		free(sentence);
	}
	va_end(arguments);
}

/* The first step of `rule` that is at least as strong as `action`; NULL: none. */
static const struct la_bound_step *first_step(const struct la_rule *rule, enum la_action action)
{
	uint32_t i;

	for (i = 0; i < rule->steps_count; i++)
		if (rule->steps[i].action >= action)
			return &rule->steps[i];
	return NULL;
}

static void note_close_wait(struct notes *notes, const struct la_rule *rule)
{
	const struct la_bound_step *ending = first_step(rule, LA_ACTION_SHUTDOWN);
	char time[LA_TEXT_TIME];

	if (ending && ending->action == LA_ACTION_RESET)
		note(notes, rule,
			"reset comes before any shutdown: what is still queued for the peer is "
			"thrown away; write a shutdown step before it");
	if (ending && ending->after_ns < SLOW_ANSWER_NS)
		note(notes, rule,
			"after %s without progress a client that has shut down its side and waits "
			"for a slow answer is cut like one that was forgotten; write 10s or more",
			la_policy_time(time, ending->after_ns));
}

static void note_bound(struct notes *notes, const struct la_rule *rule)
{
	const struct la_bound_step *reset = first_step(rule, LA_ACTION_RESET);
	char time[LA_TEXT_TIME];

	if (rule->section == LA_SECTION_CLOSE_WAIT)
		note_close_wait(notes, rule);
	else if (rule->section != LA_SECTION_FIN_WAIT_2 && reset &&
		 reset->after_ns < SLOW_READER_NS)
		note(notes, rule,
			"%s is short: a peer that lives can be silent for longer, by reading "
			"slowly "
			"or behind a bad network, and then loses the end of the response; write "
			"30s or more",
			la_policy_time(time, reset->after_ns));
	if (reset && reset < &rule->steps[rule->steps_count - 1])
		note(notes, rule,
			"the steps behind reset never happen: the connection is gone by then");
	if (rule->max && la_rule_strongest(rule) < LA_ACTION_SHUTDOWN)
		note(notes, rule,
			"max = %u ends nothing: the strongest action listed is %s; write a step "
			"with shutdown or reset for it to use",
			rule->max, la_action_name(la_rule_strongest(rule)));
}

static void note_close(struct notes *notes, const struct la_rule *rule)
{
	char idle[LA_TEXT_TIME], total[LA_TEXT_TIME], size[LA_TEXT_TIME];

	if (rule->action != LA_CLOSE_GRACEFUL)
		return;
	if (rule->idle_ns > rule->total_ns)
		note(notes, rule, "idle = %s never ends a drain: total = %s comes first",
			la_policy_time(idle, rule->idle_ns), la_policy_time(total, rule->total_ns));
	if (rule->total_ns > LONG_DRAIN_NS)
		note(notes, rule,
			"total = %s: a client that goes on sending holds a descriptor and kernel "
			"memory of this server for so long; 30s is the usual",
			la_policy_time(total, rule->total_ns));
	if (rule->drain_bytes >= HUGE_DRAIN)
		note(notes, rule,
			"drain = %s: each client may send so much to nobody, %u of them at once; "
			"write what an honest upload has left to send, such as 16MiB",
			la_policy_size(size, rule->drain_bytes), rule->max);
}

static bool closes_gracefully(const struct la_policy_set *set)
{
	return la_policy_closes_gracefully(&set->policy);
}

static void note_exit_and_reset(struct notes *notes, const struct la_rule *rule)
{
	char time[LA_TEXT_TIME];

	if (rule->section == LA_SECTION_EXIT && rule->action != LA_EXIT_PLAIN &&
		rule->total_ns > STOP_NS)
		note(notes, rule,
			"total = %s is longer than systemd waits after its SIGTERM "
			"(TimeoutStopSec, 90s unless it says otherwise), and then comes SIGKILL; "
			"write less, or raise that",
			la_policy_time(time, rule->total_ns));
	if (rule->section == LA_SECTION_RESET && rule->action == LA_RESET_REFUSE &&
		!closes_gracefully(notes->set))
		note(notes, rule,
			"only the RST that was asked for is refused; at all other closes unread "
			"data still draws one: add [close] with action = graceful");
}

int la_policy_set_notes(const struct la_policy_set *set,
	void (*each)(const struct la_policy_set *set, const struct la_rule *rule,
		const char *sentence, void *context),
	void *context)
{
	struct notes notes = {.set = set, .each = each, .context = context};
	const struct la_rule *rule = set->policy.rules, *hides;
	uint32_t i;

	for (i = 0; i < set->policy.rules_count; i++, rule++) {
		hides = la_policy_set_hides(set, rule);
		if (hides) {
			note(&notes, rule,
				"never tried: [%s%s%s] of %s:%u comes first and takes whatever "
				"this one "
				"could",
				la_section_name((enum la_section)hides->section),
				*hides->name ? " " : "", hides->name,
				set->source[hides - set->policy.rules], hides->line);
			continue;
		}
		if (rule->section <= LA_SECTION_LAST_ACK)
			note_bound(&notes, rule);
		else if (rule->section == LA_SECTION_CLOSE)
			note_close(&notes, rule);
		else
			note_exit_and_reset(&notes, rule);
	}
	return notes.count;
}

static void say_note(const struct la_policy_set *set, const struct la_rule *rule,
	const char *sentence, void *context)
{
	(void)context;
	fprintf(stderr, "%s:%u: note: %s\n", set->source[rule - set->policy.rules], rule->line,
		sentence);
}

int la_policy_set_say_notes(const struct la_policy_set *set)
{
	return la_policy_set_notes(set, say_note, NULL);
}
