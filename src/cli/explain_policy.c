/* SPDX-License-Identifier: MIT */
/*
 * lastack policy explain: what a policy will do, in sentences; or as JSON, "lastack.policy/1".
 */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "policy_set.h"
#include "policy_words.h"

enum { WIDTH = 100 };

/* One sentence, broken between words; `first` stands in front of it, and as much room in front of its other lines. */
static void print_wrapped(const char *first, const char *sentence)
{
	size_t indent = strlen(first), at = indent;

	fputs(first, stdout);
	while (*sentence) {
		size_t word = strcspn(sentence, " ");

		if (at > indent && at + 1 + word > WIDTH) {
			printf("\n%*s", (int)indent, "");
			at = indent;
		} else if (at > indent) {
			putchar(' ');
			at++;
		}
		fwrite(sentence, 1, word, stdout);
		at += word;
		sentence += word;
		sentence += strspn(sentence, " ");
	}
	putchar('\n');
}

static void print_titled(const char *title, const struct la_sentences *sentences)
{
	int i;

	if (sentences->count)
		printf("\n%s\n", title);
	for (i = 0; i < sentences->count; i++)
		print_wrapped("  - ", sentences->text[i]);
}

static const char *source_of(const struct la_policy_set *set, const struct la_rule *rule)
{
	const char *source = set->source[rule - set->policy.rules];

	return source ? source : "?";
}

static void print_rule(const struct la_policy_set *set, const struct la_rule *rule)
{
	struct la_sentences sentences = {.count = 0};
	const struct la_rule *hides = la_policy_set_hides(set, rule);
	char *whom = la_words_whom(set, rule), *sentence = NULL;
	int i;

	printf("\n[%s%s%s]  %s:%u\n", la_section_name((enum la_section)rule->section),
		*rule->name ? " " : "", rule->name, source_of(set, rule), rule->line);
	if (hides) {
		printf("  Never tried: [%s%s%s] of %s:%u comes first and takes whatever this one "
		       "could.\n",
			la_section_name((enum la_section)hides->section), *hides->name ? " " : "",
			hides->name, source_of(set, hides), hides->line);
	} else if (asprintf(&sentence, "For %s%s %s:", whom ? whom : "?",
			   rule->match.fields ? "," : "",
			   la_words_state((enum la_section)rule->section)) >= 0) {
		print_wrapped("  ", sentence);
		la_words_of_rule(&sentences, rule);
		for (i = 0; i < sentences.count; i++)
			print_wrapped("  - ", sentences.text[i]);
		la_sentences_free(&sentences);
		free(sentence);
	}
	free(whom);
}

/* What has no rule at all, or none for all connections. */
static void find_unbounded(const struct la_policy_set *set, struct la_sentences *sentences)
{
	int s;

	for (s = 0; s < LA_SECTION_COUNT; s++)
		if (!la_policy_set_is_total(set, (enum la_section)s))
			la_sentences_add(sentences, "%s%s: %s.",
				la_section_name((enum la_section)s),
				la_policy_set_uses(set, (enum la_section)s)
					? ", of connections that no rule above is about"
					: "",
				la_words_unbounded((enum la_section)s));
}

static void add_note(const struct la_policy_set *set, const struct la_rule *rule,
	const char *sentence, void *context)
{
	la_sentences_add(context, "%s:%u: %s", source_of(set, rule), rule->line, sentence);
}

static int print_text(const struct la_policy_set *set)
{
	struct la_sentences sentences = {.count = 0};
	uint32_t i;

	printf("%s: %u %s%s\n", set->names ? set->names : "?", set->policy.rules_count,
		set->policy.rules_count == 1 ? "rule" : "rules",
		set->policy.rules_count > 1 ? "; of each section the first that fits a connection "
					      "is the one that counts"
					    : "");
	for (i = 0; i < set->policy.rules_count; i++)
		print_rule(set, &set->policy.rules[i]);
	la_words_never(&sentences, set);
	print_titled("Never:", &sentences);
	la_sentences_free(&sentences);
	find_unbounded(set, &sentences);
	print_titled("Not governed by it, as without lastack:", &sentences);
	la_sentences_free(&sentences);
	la_policy_set_notes(set, add_note, &sentences);
	print_titled("Notes:", &sentences);
	la_sentences_free(&sentences);
	return 0;
}

static int usage(void)
{
	la_say("policy: write policy check FILE..., or policy explain FILE... [-J]");
	return LA_EXIT_USAGE;
}

int la_policy_explain(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'J'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	static struct la_policy_set set;
	bool json = false;
	int option, status;

	while ((option = getopt_long(argc, argv, "Jh", options, NULL)) != -1) {
		switch (option) {
		case 'J': json = true; break;
		case 'h': return la_help_for("policy");
		default: return LA_EXIT_USAGE;
		}
	}
	if (optind == argc)
		return usage();
	status = la_policy_set_load(&set, argv + optind, argc - optind);
	if (status == LA_EXIT_OK && (json ? la_policy_json(&set) : print_text(&set)) < 0)
		status = LA_EXIT_OWN_FAILURE;
	la_policy_set_free(&set);
	return status;
}
