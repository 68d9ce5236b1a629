/* SPDX-License-Identifier: MIT */
/*
 * Rules in plain sentences. What they claim about the kernel stands in facts/linux-close.md.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_words.h"

void la_sentences_add(struct la_sentences *sentences, const char *format, ...)
{
	va_list arguments;

	if (sentences->count == LA_SENTENCES)
		return;
	va_start(arguments, format);
	if (vasprintf(&sentences->text[sentences->count], format, arguments) >= 0)
		sentences->count++;
	va_end(arguments);
}

void la_sentences_free(struct la_sentences *sentences)
{
	while (sentences->count)
		free(sentences->text[--sentences->count]);
}

static void put_ports(FILE *to, const char *where, uint16_t low, uint16_t high)
{
	if (low == high)
		fprintf(to, ", with %s port %u", where, low);
	else
		fprintf(to, ", with a %s port from %u to %u", where, low, high);
}

static void put_prefix(FILE *to, const char *whose, const struct la_prefix *prefix)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool v4 = prefix->bits >= 96 && memcmp(prefix->address, mapped, 12) == 0;
	uint32_t bits = v4 ? prefix->bits - 96 : prefix->bits, whole = v4 ? 32 : 128;
	char text[INET6_ADDRSTRLEN] = "?";

	inet_ntop(v4 ? AF_INET : AF_INET6, prefix->address + (v4 ? 12 : 0), text, sizeof(text));
	if (bits == whole)
		fprintf(to, ", whose %s address is %s", whose, text);
	else
		fprintf(to, ", whose %s address is in %s/%u", whose, text, bits);
}

static void put_match(FILE *to, const struct la_match *match)
{
	if (match->fields & LA_MATCH_ROLE)
		fprintf(to, ", %s",
			match->role == LA_ROLE_SERVER ? "accepted by this side"
						      : "made by this side (connect)");
	if (match->fields & LA_MATCH_EXE)
		fprintf(to, ", of the program %s", match->exe);
	if (match->fields & LA_MATCH_LOCAL_PORT)
		put_ports(to, "local", match->local_port_low, match->local_port_high);
	if (match->fields & LA_MATCH_REMOTE_PORT)
		put_ports(to, "remote", match->remote_port_low, match->remote_port_high);
	if (match->fields & LA_MATCH_LOCAL)
		put_prefix(to, "local", &match->local);
	if (match->fields & LA_MATCH_REMOTE)
		put_prefix(to, "remote", &match->remote);
	if (match->fields & LA_MATCH_EOF)
		fprintf(to, ", %s",
			match->eof == LA_EOF_READ
				? "whose end of the stream the application has read"
				: "whose end of the stream the application has not read yet");
}

static bool is_first(const struct la_policy_set *set, const struct la_rule *rule)
{
	const struct la_rule *earlier;

	for (earlier = set->policy.rules; earlier < rule; earlier++)
		if (earlier->section == rule->section && !la_policy_set_hides(set, earlier))
			return false;
	return true;
}

char *la_words_whom(const struct la_policy_set *set, const struct la_rule *rule)
{
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	if (!to)
		return NULL;
	if (!rule->match.fields)
		fprintf(to, is_first(set, rule) ? "every connection" : "every other connection");
	else
		fprintf(to, is_first(set, rule) ? "connections" : "of the others, connections");
	put_match(to, &rule->match);
	fclose(to);
	return text;
}

const char *la_words_state(enum la_section section)
{
	static const char *const words[LA_SECTION_COUNT] = {
		[LA_SECTION_CLOSE_WAIT] =
			"in CLOSE-WAIT (the peer has closed its side, the application has not "
			"closed yet)",
		[LA_SECTION_FIN_WAIT_1] =
			"in FIN-WAIT-1 (our FIN, or data before it, is not acknowledged)",
		[LA_SECTION_FIN_WAIT_2] =
			"in FIN-WAIT-2 (our FIN is acknowledged, the peer has not closed its side)",
		[LA_SECTION_CLOSING] =
			"in CLOSING (both sides closed at once, our FIN is not acknowledged)",
		[LA_SECTION_LAST_ACK] =
			"in LAST-ACK (both sides have closed, our FIN is not acknowledged)",
		[LA_SECTION_CLOSE] = "that the application closes for the last time",
		[LA_SECTION_EXIT] =
			"that the process still has, open or draining, when it ends by a return "
			"from main, exit(), _exit() or a SIGTERM that it does not handle",
		[LA_SECTION_RESET] =
			"for which the application has asked for an RST (SO_LINGER {1,0})",
	};

	return section < LA_SECTION_COUNT ? words[section] : "";
}

const char *la_words_unbounded(enum la_section section)
{
	static const char *const words[LA_SECTION_COUNT] = {
		[LA_SECTION_CLOSE_WAIT] = "Linux waits for the application for ever",
		[LA_SECTION_FIN_WAIT_1] =
			"lasts until the kernel gives up sending, 2 to 15 minutes",
		[LA_SECTION_FIN_WAIT_2] =
			"Linux waits for ever while a descriptor holds the connection, and 60s "
			"(tcp_fin_timeout) after the close",
		[LA_SECTION_CLOSING] = "lasts until the kernel gives up sending, 2 to 15 minutes",
		[LA_SECTION_LAST_ACK] = "lasts until the kernel gives up sending, 2 to 15 minutes",
		[LA_SECTION_CLOSE] =
			"unread data at a close makes the kernel send an RST, which can destroy "
			"the response",
		[LA_SECTION_EXIT] =
			"the kernel closes what is left, with an RST where unread data waits",
		[LA_SECTION_RESET] = "the application gets the RST that it asks for",
	};

	return section < LA_SECTION_COUNT ? words[section] : "";
}

void la_words_never(struct la_sentences *sentences, const struct la_policy_set *set)
{
	bool bounds = la_policy_bounds_anything(&set->policy), others = false;
	uint32_t i;

	for (i = 0; i < set->policy.rules_count; i++)
		others |= set->policy.rules[i].section > LA_SECTION_LAST_ACK;
	if (bounds)
		la_sentences_add(sentences,
			"A half-closed connection that still moves data in either direction is "
			"never bounded.");
	if (bounds || others) {
		la_sentences_add(sentences,
			"A connection that another process holds, or may hold, is left alone until "
			"it is ours alone.");
		la_sentences_add(sentences,
			"The application keeps its descriptors: no number is ever closed for it, "
			"and no call of it waits for lastack%s.",
			la_policy_set_uses(set, LA_SECTION_EXIT) ? " but the exit" : "");
	} else {
		la_sentences_add(sentences,
			"Nothing is changed, ever: connections are watched and counted.");
	}
}
