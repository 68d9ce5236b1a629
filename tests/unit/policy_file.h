/* SPDX-License-Identifier: MIT */
/*
 * A policy written out as a file, every field of it: what the parser must read back. For the random policies of
 * policy_property_test.c and for the fuzzer. The includer has below(n), which chooses between ways to write the same.
 */
#ifndef POLICY_FILE_H
#define POLICY_FILE_H

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lastack/policy.h>

enum { TEXT = 65536 };

static const char *const close_words[] = {"plain", "graceful"},
			 *const linger_words[] = {"needed", "always"},
			 *const exit_words[] = {"plain", "drain", "handover"},
			 *const reset_words[] = {"allow", "refuse"};

struct file {
	char text[TEXT];
	size_t length;
	uint32_t line;
};

__attribute__((format(printf, 2, 3))) static void put(struct file *file, const char *format, ...)
{
	va_list args;
	size_t from = file->length;

	va_start(args, format);
	file->length += (size_t)vsnprintf(file->text + from, TEXT - from, format, args);
	va_end(args);
	if (file->length >= TEXT)
		abort();
	for (; from < file->length; from++)
		file->line += file->text[from] == '\n';
}

static void put_prefix(struct file *file, const char *name, const struct la_prefix *prefix)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	char address[INET6_ADDRSTRLEN];
	bool v4 = prefix->bits >= 96 && memcmp(prefix->address, mapped, 12) == 0;

	inet_ntop(
		v4 ? AF_INET : AF_INET6, prefix->address + (v4 ? 12 : 0), address, sizeof(address));
	put(file, ", %s %s/%u", name, address, prefix->bits - (v4 ? 96 : 0));
}

static void put_match(struct file *file, const struct la_match *match)
{
	size_t comma;

	put(file, "match =");
	comma = file->length;
	if (match->fields & LA_MATCH_ROLE)
		put(file, ", role %s", la_role_name(match->role));
	if (match->fields & LA_MATCH_EOF)
		put(file, ",eof %s", match->eof == LA_EOF_READ ? "read" : "unread");
	if (match->fields & LA_MATCH_LOCAL_PORT)
		put(file, ", local-port %u-%u", match->local_port_low, match->local_port_high);
	if (match->fields & LA_MATCH_REMOTE_PORT)
		put(file, " ,remote-port %u-%u", match->remote_port_low, match->remote_port_high);
	if (match->fields & LA_MATCH_LOCAL)
		put_prefix(file, "local", &match->local);
	if (match->fields & LA_MATCH_REMOTE)
		put_prefix(file, "remote", &match->remote);
	if (match->fields & LA_MATCH_EXE)
		put(file, ", exe %s", match->exe);
	*strchr(file->text + comma, ',') = ' ';
	put(file, "%s", below(2) ? "\n" : "  # why\r\n");
}

static void put_time(struct file *file, uint64_t ns)
{
	uint64_t ms = ns / 1000000;

	if (ms % 3600000 == 0)
		put(file, "%lluh", (unsigned long long)ms / 3600000);
	else if (ms % 60000 == 0)
		put(file, "%llum", (unsigned long long)ms / 60000);
	else if (ms % 1000 == 0)
		put(file, "%llus", (unsigned long long)ms / 1000);
	else
		put(file, "%llums", (unsigned long long)ms);
}

static void put_time_setting(struct file *file, const char *key, uint64_t ns)
{
	put(file, "%s = ", key);
	put_time(file, ns);
	put(file, "\n");
}

static void put_steps(struct file *file, const struct la_rule *rule)
{
	for (uint32_t i = rule->steps_count; i-- > 0;) {
		put(file, "after ");
		put_time(file, rule->steps[i].after_ns);
		put(file, "\t=%s\n", la_action_name(rule->steps[i].action));
	}
}

static void put_rule(struct file *file, struct la_rule *rule)
{
	put(file, "%s[%s%s%s]\n", below(2) ? "\n; next\n" : "", la_section_name(rule->section),
		rule->name[0] ? " " : "", rule->name);
	rule->line = file->line;
	if (rule->match.fields)
		put_match(file, &rule->match);
	if (rule->max)
		put(file, "max = %u\n", rule->max);
	switch (rule->section) {
	case LA_SECTION_CLOSE:
		put(file, "action = %s\nlinger = %s\n", close_words[rule->action],
			linger_words[rule->linger]);
		put_time_setting(file, "idle", rule->idle_ns);
		put_time_setting(file, "total", rule->total_ns);
		put(file, "drain = %lluKiB\n", (unsigned long long)rule->drain_bytes / 1024);
		break;
	case LA_SECTION_EXIT:
		put_time_setting(file, "total", rule->total_ns);
		put(file, "action = %s\n", exit_words[rule->action]);
		break;
	case LA_SECTION_RESET: put(file, "action = %s", reset_words[rule->action]); break;
	default: put_steps(file, rule);
	}
	put(file, "\n");
}

#endif
