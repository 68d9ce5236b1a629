/* SPDX-License-Identifier: MIT */
/*
 * What one rule does, in the order in which it happens, as the peer and the application will see it.
 */
#include <stdio.h>

#include "policy_words.h"

static bool is_sent(uint32_t section)
{
	return section != LA_SECTION_CLOSE_WAIT;
}

static const char *says_keepalive(uint32_t section)
{
	if (section == LA_SECTION_CLOSE_WAIT || section == LA_SECTION_FIN_WAIT_2)
		return "keepalive probes are switched on: a peer that has gone is found out "
		       "within 20s, and the application's next call fails; a peer that is there "
		       "notices nothing";
	return "keepalive is switched on, which finds out no more than the kernel's own "
	       "retransmissions do";
}

static const char *says_shutdown(uint32_t section)
{
	if (is_sent(section))
		return "our side is shut down for reading too (our FIN has gone already): the "
		       "application's reads give the end of the stream, and data that still comes "
		       "draws an RST";
	return "what is queued for the peer is delivered, then it gets our FIN and sees "
	       "the end of the stream; the application's reads give the end of the "
	       "stream, its writes EPIPE. Passed over where the peer takes no output and "
	       "the send buffer is full";
}

static const char *says_reset(uint32_t section)
{
	if (section == LA_SECTION_CLOSE_WAIT || section == LA_SECTION_FIN_WAIT_2)
		return "the connection ends with an RST: the peer sees \"connection reset\", what "
		       "was not delivered is lost, and the kernel's memory is free";
	return "the connection ends: what was not acknowledged by then is lost";
}

static void say_step(struct la_sentences *sentences, const struct la_rule *rule,
	const struct la_bound_step *step)
{
	char time[LA_TEXT_TIME];
	const char *what = "a line goes to the log, and nothing else happens";

	if (step->action == LA_ACTION_KEEPALIVE)
		what = says_keepalive(rule->section);
	else if (step->action == LA_ACTION_SHUTDOWN)
		what = says_shutdown(rule->section);
	else if (step->action == LA_ACTION_RESET)
		what = says_reset(rule->section);
	la_sentences_add(sentences, "After %s without progress (%s): %s.",
		la_policy_time(time, step->after_ns), la_action_name((enum la_action)step->action),
		what);
}

/* What the application has closed has no descriptor that the helper could act on: the kernel is told at the close. */
static void say_after_close(struct la_sentences *sentences, const struct la_rule *rule)
{
	uint64_t reset_ns = la_rule_resets_after_ns(rule);
	char time[LA_TEXT_TIME];

	if (rule->section == LA_SECTION_CLOSE_WAIT)
		return;
	if (!reset_ns)
		la_sentences_add(sentences,
			"All of it holds while a descriptor holds the connection; what the "
			"application has closed ends as the kernel ends it.");
	else if (rule->section != LA_SECTION_FIN_WAIT_2)
		la_sentences_add(sentences,
			"After the close the kernel does it (TCP_USER_TIMEOUT, unless the "
			"application has set one): it gives up when nothing at all was "
			"acknowledged for %s, and sends no RST. Where output still waits for the "
			"peer's window, as for one that reads slowly, the kernel takes its own "
			"time.",
			la_policy_time(time, reset_ns));
	else
		la_sentences_add(sentences,
			"After the close Linux ends it by itself, after 60s (tcp_fin_timeout)%s.",
			reset_ns < 60000000000ull ? "; here sooner, as the reset says (TCP_LINGER2)"
						  : "");
}

static void say_bound(struct la_sentences *sentences, const struct la_rule *rule)
{
	uint32_t i;

	for (i = 0; i < rule->steps_count; i++)
		say_step(sentences, rule, &rule->steps[i]);
	if (rule->max)
		la_sentences_add(sentences,
			"Never more than %u of them without progress at once: beyond that the one "
			"longest in the state is acted on at once (%s).",
			rule->max, la_action_name(la_rule_strongest(rule)));
	say_after_close(sentences, rule);
}

static void say_close(struct la_sentences *sentences, const struct la_rule *rule)
{
	char idle[LA_TEXT_TIME], total[LA_TEXT_TIME], size[LA_TEXT_TIME];

	if (rule->action == LA_CLOSE_PLAIN) {
		la_sentences_add(sentences, "The close is as without lastack.");
		return;
	}
	if (rule->linger == LA_LINGER_ALWAYS)
		la_sentences_add(sentences,
			"Whenever the peer has not closed its side yet, the peer gets our FIN "
			"instead of an RST.");
	else
		la_sentences_add(sentences,
			"Where an RST could destroy something (data waits unread; or the peer may "
			"still send, and output is not acknowledged or an upload is still coming "
			"in), the peer gets our FIN instead. All other closes stay as they are.");
	la_sentences_add(sentences,
		"close() returns at once and the number is free. What still arrives is "
		"thrown away until the peer closes too.");
	la_sentences_add(sentences,
		"That ends, at the latest, after %s in which nothing came, %s in all, or "
		"%s thrown away%s.",
		la_policy_time(idle, rule->idle_ns), la_policy_time(total, rule->total_ns),
		la_policy_size(size, rule->drain_bytes),
		rule->max ? "" : "; there is no maximum of connections");
	if (rule->max)
		la_sentences_add(sentences,
			"At most %u connections drain at once: beyond that the oldest ends. They "
			"give way, too, when the application needs their descriptors.",
			rule->max);
}

static void say_exit(struct la_sentences *sentences, const struct la_rule *rule)
{
	char total[LA_TEXT_TIME];

	if (rule->action == LA_EXIT_PLAIN) {
		la_sentences_add(sentences, "The exit is as without lastack.");
		return;
	}
	la_sentences_add(sentences,
		"Where an RST could destroy something, and the process alone holds the "
		"connection, the peer gets our FIN, and what still arrives is thrown away until "
		"it closes too, for %s at most. All others end at once, by the kernel's FIN.",
		la_policy_time(total, rule->total_ns));
	if (rule->action == LA_EXIT_DRAIN)
		la_sentences_add(sentences,
			"The process ends after that, as it would have: same status, same signal. "
			"A second SIGTERM, SIGINT, SIGQUIT or SIGHUP ends the wait.");
	else
		la_sentences_add(sentences,
			"The process ends at once, as it would have; a detached child that holds "
			"these connections and nothing else does the waiting, and ends by itself.");
	la_sentences_add(sentences,
		"A crash, abort(), SIGKILL and other signals end it as without lastack.");
}

void la_words_of_rule(struct la_sentences *sentences, const struct la_rule *rule)
{
	if (rule->section <= LA_SECTION_LAST_ACK)
		say_bound(sentences, rule);
	else if (rule->section == LA_SECTION_CLOSE)
		say_close(sentences, rule);
	else if (rule->section == LA_SECTION_EXIT)
		say_exit(sentences, rule);
	else if (rule->action == LA_RESET_ALLOW)
		la_sentences_add(sentences, "The application gets the RST that it asks for.");
	else
		la_sentences_add(sentences,
			"The option is taken back at the last close: the peer gets what is queued "
			"and our FIN. Where unread data would still draw an RST the connection is "
			"drained, as [close] says, or else within 5s of silence, 30s and 16MiB.");
}
