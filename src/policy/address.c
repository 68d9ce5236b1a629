/* SPDX-License-Identifier: MIT */
/* Addresses and prefixes, IPv4 and IPv6, as RFC 4291 section 2.2 writes them. */
#include "values.h"

enum { ADDRESS_BYTES = 16, V4_AT = 12, V4_BITS = 32, V6_BITS = 128, V4_PREFIX = V6_BITS - V4_BITS };

/* Four decimal numbers. No leading zeros: inet_aton(3) reads them as octal, people as decimal. */
static bool parse_v4(struct la_span text, uint8_t address[4])
{
	for (int i = 0; i < 4; i++) {
		struct la_span part = la_span_before(&text, '.');
		uint64_t number;

		if (!la_value_number(part, &number) || number > 255 || part.length > 3 ||
			(part.length > 1 && part.at[0] == '0') || (i < 3 && text.length == 0))
			return false;
		address[i] = (uint8_t)number;
	}
	return text.length == 0 && text.at[-1] != '.';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One to four hexadecimal digits off the front of `text`. */
static bool parse_group(struct la_span *text, uint8_t group[2])
{
	unsigned int number = 0, digits = 0;

	while (text->length && digits < 4 && hex_digit(text->at[0]) >= 0) {
		number = number << 4 | (unsigned int)hex_digit(text->at[0]);
		text->at++, text->length--, digits++;
	}
	group[0] = (uint8_t)(number >> 8);
	group[1] = (uint8_t)number;
	return digits > 0;
}

static bool starts_with_colons(struct la_span text)
{
	return text.length >= 2 && text.at[0] == ':' && text.at[1] == ':';
}

static void skip(struct la_span *text, size_t bytes)
{
	text->at += bytes;
	text->length -= bytes;
}

/* Move what stands behind the "::" to the end, zeros in between. */
static void spread(uint8_t address[ADDRESS_BYTES], size_t gap, size_t filled)
{
	size_t tail = filled - gap;

	for (size_t i = 1; i <= tail; i++) {
		address[ADDRESS_BYTES - i] = address[filled - i];
		address[filled - i] = 0;
	}
}

static bool parse_v6(struct la_span text, uint8_t address[ADDRESS_BYTES])
{
	size_t filled = 0, gap = ADDRESS_BYTES; /* ADDRESS_BYTES: no "::" seen */

	for (size_t i = 0; i < ADDRESS_BYTES; i++)
		address[i] = 0;
	if (starts_with_colons(text)) {
		gap = 0;
		skip(&text, 2);
	}
	while (text.length) {
		if (filled + 4 <= ADDRESS_BYTES && !la_span_has(text, ':') &&
			parse_v4(text, address + filled)) {
			filled += 4;
			break;
		}
		if (filled == ADDRESS_BYTES || !parse_group(&text, address + filled))
			return false;
		filled += 2;
		if (text.length == 0)
			break;
		if (starts_with_colons(text) && gap == ADDRESS_BYTES) {
			gap = filled;
			skip(&text, 2);
		} else if (text.at[0] == ':' && text.length > 1) {
			skip(&text, 1);
		} else {
			return false;
		}
	}
	if (gap == ADDRESS_BYTES)
		return filled == ADDRESS_BYTES;
	if (filled == ADDRESS_BYTES) /* a "::" that stands for nothing */
		return false;
	spread(address, gap, filled);
	return true;
}

/* Clear what lies beyond the prefix; true when something did. */
static bool clear_beyond(struct la_prefix *prefix)
{
	bool changed = false;

	for (uint32_t bit = prefix->bits; bit < V6_BITS; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		changed |= prefix->address[bit / 8] & mask;
		prefix->address[bit / 8] &= (uint8_t)~mask;
	}
	return changed;
}

static int complain_of_host_bits(
	const struct la_place *place, struct la_span span, const struct la_prefix *prefix, bool v4)
{
	const uint8_t *a = prefix->address + V4_AT;

	if (!v4)
		return la_policy_complain(place, span.at,
			"%q sets bits beyond its /%u: write zeros there, or /128 for one address",
			&span, (uint64_t)prefix->bits);
	return la_policy_complain(place, span.at,
		"%q sets bits beyond its /%u: write %u.%u.%u.%u/%u", &span,
		(uint64_t)prefix->bits - V4_PREFIX, (uint64_t)a[0], (uint64_t)a[1], (uint64_t)a[2],
		(uint64_t)a[3], (uint64_t)prefix->bits - V4_PREFIX);
}

int la_value_prefix(const struct la_place *place, struct la_span span, struct la_prefix *prefix)
{
	struct la_span bits = span, address = la_span_before(&bits, '/');
	uint8_t parsed[ADDRESS_BYTES] = {[10] = 0xff, [11] = 0xff};
	bool v4 = parse_v4(address, parsed + V4_AT);
	uint64_t most = v4 ? V4_BITS : V6_BITS, number = most;

	if (!v4 && !parse_v6(address, parsed))
		return la_policy_complain(place, span.at,
			"%q is not an address: write one such as 10.0.0.0/8 or 2001:db8::/32",
			&span);
	if (la_span_has(span, '/') && (!la_value_number(bits, &number) || number > most))
		return la_policy_complain(place, bits.at,
			"%q has no prefix length that fits: write /0 to /%u", &span, most);
	for (int i = 0; i < ADDRESS_BYTES; i++)
		prefix->address[i] = parsed[i];
	prefix->bits = (uint32_t)(V6_BITS - most + number);
	if (clear_beyond(prefix))
		return complain_of_host_bits(place, span, prefix, v4);
	return 0;
}
