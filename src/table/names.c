/* SPDX-License-Identifier: MIT */
/* What states, events and segments are called, here and in the kernel. */
#include <netinet/tcp.h>

#include <lastack/table.h>

static const struct {
	const char *name, *rfc, *meaning;
} states[LA_STATE_COUNT] = {
#define LA_STATE(id, name, rfc, meaning) [LA_STATE_##id] = {name, rfc, meaning},
#include "states.def"
#undef LA_STATE
};

static const char *const events[LA_EVENT_COUNT] = {
#define LA_EVENT(id, name, meaning) [LA_EVENT_##id] = name,
#include "events.def"
#undef LA_EVENT
};

static const char *const sends[] = {
	[LA_SENDS_NOTHING] = "nothing",
	[LA_SENDS_FIN] = "FIN",
	[LA_SENDS_ACK] = "ACK",
	[LA_SENDS_RST] = "RST",
};

const char *la_state_name(enum la_state state)
{
	return (unsigned int)state < LA_STATE_COUNT ? states[state].name : "?";
}

const char *la_state_meaning(enum la_state state)
{
	return (unsigned int)state < LA_STATE_COUNT ? states[state].meaning : "?";
}

const char *la_state_rfc(enum la_state state)
{
	return (unsigned int)state < LA_STATE_COUNT ? states[state].rfc : "?";
}

const char *la_event_name(enum la_event event)
{
	return (unsigned int)event < LA_EVENT_COUNT ? events[event] : "?";
}

const char *la_sends_name(enum la_sends sent)
{
	return (unsigned int)sent < sizeof(sends) / sizeof(sends[0]) ? sends[sent] : "?";
}

/* Not toupper(3): that reads the locale, which is thread-local storage. */
static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool same_name(const char *a, const char *b)
{
	while (*a && upper(*a) == upper(*b))
		a++, b++;
	return *a == '\0' && *b == '\0';
}

enum la_state la_state_by_name(const char *name)
{
	unsigned int state = 0;

	if (!name)
		return LA_STATE_COUNT;
	while (state < LA_STATE_COUNT && !same_name(states[state].name, name))
		state++;
	return state;
}

enum la_state la_state_from_kernel(unsigned int tcp_state)
{
	switch (tcp_state) {
	case TCP_ESTABLISHED: return LA_STATE_ESTABLISHED;
	case TCP_FIN_WAIT1: return LA_STATE_FIN_WAIT_1;
	case TCP_FIN_WAIT2: return LA_STATE_FIN_WAIT_2;
	case TCP_TIME_WAIT: return LA_STATE_TIME_WAIT;
	case TCP_CLOSE: return LA_STATE_CLOSED;
	case TCP_CLOSE_WAIT: return LA_STATE_CLOSE_WAIT;
	case TCP_LAST_ACK: return LA_STATE_LAST_ACK;
	case TCP_CLOSING: return LA_STATE_CLOSING;
	default: return LA_STATE_COUNT; /* SYN-SENT, SYN-RECEIVED, LISTEN */
	}
}
