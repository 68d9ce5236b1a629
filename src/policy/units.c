/* SPDX-License-Identifier: MIT */
/* Numbers: times, sizes, counts, ports. */
#include "values.h"

struct unit {
	const char *text;
	uint64_t factor;
};

/* What people write instead of a unit, and what it is in one. */
struct habit {
	const char *text;
	uint64_t times;
	const char *unit;
};

struct measure {
	const char *what;
	const char *example;
	const char *finer; /* what to write instead of a fraction */
	const char *all;
	const char *usual;
	const struct unit *units;
	const struct habit *habits;
	uint64_t lowest, highest;
	const char *range;
};

static const struct measure time_measure = {
	.what = "a time",
	.example = "30s",
	.finer = "1500ms",
	.all = "ms, s, m or h",
	.usual = "s",
	.units = (const struct unit[]){{"ms", 1000000ull}, {"s", 1000000000ull},
		{"m", 60ull * 1000000000}, {"h", 3600ull * 1000000000}, {NULL, 0}},
	.habits = (const struct habit[]){{"sec", 1, "s"}, {"secs", 1, "s"}, {"second", 1, "s"},
		{"seconds", 1, "s"}, {"S", 1, "s"}, {"min", 1, "m"}, {"mins", 1, "m"},
		{"minute", 1, "m"}, {"minutes", 1, "m"}, {"M", 1, "m"}, {"hour", 1, "h"},
		{"hours", 1, "h"}, {"H", 1, "h"}, {"msec", 1, "ms"}, {"d", 24, "h"},
		{"day", 24, "h"}, {"days", 24, "h"}, {NULL, 0, NULL}},
	.lowest = 1000000ull,
	.highest = 8760ull * 3600 * 1000000000,
	.range = "1ms to 8760h",
};

static const struct measure size_measure = {
	.what = "a size",
	.example = "16MiB",
	.finer = "1536KiB",
	.all = "KiB or MiB",
	.usual = "MiB",
	.units = (const struct unit[]){{"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {NULL, 0}},
	.habits = (const struct habit[]){{"k", 1, "KiB"}, {"K", 1, "KiB"}, {"kb", 1, "KiB"},
		{"kB", 1, "KiB"}, {"KB", 1, "KiB"}, {"kib", 1, "KiB"}, {"m", 1, "MiB"},
		{"M", 1, "MiB"}, {"mb", 1, "MiB"}, {"MB", 1, "MiB"}, {"mib", 1, "MiB"},
		{"G", 1024, "MiB"}, {"GB", 1024, "MiB"}, {"GiB", 1024, "MiB"}, {NULL, 0, NULL}},
	.lowest = 1ull << 10,
	.highest = 1ull << 40,
	.range = "1KiB to 1048576MiB",
};

enum { HIGHEST_COUNT = 1000000, HIGHEST_PORT = 65535 };

/* How many of the first bytes are digits. */
static size_t digits_of(struct la_span span)
{
	size_t digits = 0;

	while (digits < span.length && span.at[digits] >= '0' && span.at[digits] <= '9')
		digits++;
	return digits;
}

bool la_value_number(struct la_span span, uint64_t *number)
{
	*number = 0;
	if (span.length == 0 || digits_of(span) != span.length)
		return false;
	for (size_t i = 0; i < span.length && *number < LA_NUMBER_HUGE; i++)
		*number = *number * 10 + (uint64_t)(span.at[i] - '0');
	if (*number > LA_NUMBER_HUGE)
		*number = LA_NUMBER_HUGE;
	return true;
}

/* The number is right, its unit is not: say what it would be in one of ours. */
static int complain_of_unit(const struct la_place *place, const struct measure *measure,
	struct la_span span, uint64_t number, struct la_span unit)
{
	struct la_span spaceless = la_span_trim(unit);

	if (unit.length == 0)
		return la_policy_complain(place, span.at, "%q needs a unit: write %u%s", &span,
			number, measure->usual);
	for (const struct unit *known = measure->units; known->text; known++) {
		if (la_span_is(spaceless, known->text))
			return la_policy_complain(place, span.at,
				"%q has a space before its unit: write %u%s", &span, number,
				known->text);
	}
	if (unit.at[0] == '.' || unit.at[0] == ',')
		return la_policy_complain(place, span.at,
			"%q has a fraction: write a whole number of a smaller unit, such as %s",
			&span, measure->finer);
	for (const struct habit *habit = measure->habits; habit->text; habit++) {
		if (la_span_is(spaceless, habit->text))
			return la_policy_complain(place, span.at,
				"%q has an unknown unit: write %u%s", &span, number * habit->times,
				habit->unit);
	}
	return la_policy_complain(place, span.at,
		"%q has an unknown unit: write %s behind the number, such as %s", &span,
		measure->all, measure->example);
}

static int parse_measure(const struct la_place *place, const struct measure *measure,
	struct la_span span, uint64_t *value)
{
	size_t digits = digits_of(span);
	struct la_span unit = {span.at + digits, span.length - digits};
	uint64_t number;

	if (!la_value_number((struct la_span){span.at, digits}, &number))
		return la_policy_complain(place, span.at,
			"%q is not %s: write a number and a unit, such as %s", &span, measure->what,
			measure->example);
	if (number == LA_NUMBER_HUGE)
		return la_policy_complain(
			place, span.at, "%q is out of range: write %s", &span, measure->range);
	for (const struct unit *known = measure->units; known->text; known++) {
		if (!la_span_is(unit, known->text))
			continue;
		if (number > measure->highest / known->factor ||
			number * known->factor < measure->lowest)
			return la_policy_complain(place, span.at, "%q is out of range: write %s",
				&span, measure->range);
		*value = number * known->factor;
		return 0;
	}
	return complain_of_unit(place, measure, span, number, unit);
}

int la_value_time(const struct la_place *place, struct la_span span, uint64_t *ns)
{
	return parse_measure(place, &time_measure, span, ns);
}

int la_value_size(const struct la_place *place, struct la_span span, uint64_t *bytes)
{
	return parse_measure(place, &size_measure, span, bytes);
}

int la_value_count(const struct la_place *place, struct la_span span, uint32_t *count)
{
	uint64_t number;

	if (!la_value_number(span, &number))
		return la_policy_complain(place, span.at,
			"%q is not a count: write a whole number without a unit, such as 1000",
			&span);
	if (number < 1 || number > HIGHEST_COUNT)
		return la_policy_complain(place, span.at,
			"%q is out of range: write 1 to %u, or leave the line out", &span,
			(uint64_t)HIGHEST_COUNT);
	*count = (uint32_t)number;
	return 0;
}

static int parse_port(const struct la_place *place, struct la_span span, uint16_t *port)
{
	uint64_t number;

	if (!la_value_number(span, &number))
		return la_policy_complain(place, span.at,
			"%q is not a port: write one such as 8080, or a range such as 9200-9299",
			&span);
	if (number < 1 || number > HIGHEST_PORT)
		return la_policy_complain(place, span.at, "%q is out of range: write 1 to %u",
			&span, (uint64_t)HIGHEST_PORT);
	*port = (uint16_t)number;
	return 0;
}

int la_value_ports(const struct la_place *place, struct la_span span, uint16_t *low, uint16_t *high)
{
	struct la_span last = span, first = la_span_before(&last, '-');
	int error;

	if (!la_span_has(span, '-'))
		last = first;
	/* A missing end is shown as the whole, an empty quote would help nobody. */
	error = parse_port(place, first.length ? first : span, low);
	if (!error)
		error = parse_port(place, last.length ? last : span, high);
	if (!error && *low > *high)
		error = la_policy_complain(place, span.at, "%q runs backwards: write %u-%u", &span,
			(uint64_t)*high, (uint64_t)*low);
	return error;
}
