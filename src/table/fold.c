/* SPDX-License-Identifier: MIT */
/*
 * Facts of many observers -> one position. Facts are joined with OR, so neither their order nor their repetition matters;
 * tests/unit/fold_property_test.c holds this against the state machine.
 */
#include <lastack/table.h>

static bool ours_came_first(uint32_t facts)
{
	return (facts & LA_FACT_OURS_FIRST) && !(facts & LA_FACT_THEIRS_FIRST);
}

enum la_state la_facts_position(uint32_t facts)
{
	bool acked = facts & LA_FACT_FIN_ACKED;
	bool sent = acked || (facts & LA_FACT_FIN_SENT); /* what was acknowledged was sent */
	bool received = facts & LA_FACT_FIN_RECEIVED;

	if (facts & (LA_FACT_RESET | LA_FACT_EXPIRED))
		return LA_STATE_CLOSED;
	if (!received)
		return acked  ? LA_STATE_FIN_WAIT_2
		       : sent ? LA_STATE_FIN_WAIT_1
			      : LA_STATE_ESTABLISHED;
	if (!sent)
		return LA_STATE_CLOSE_WAIT;
	if (ours_came_first(facts))
		return acked ? LA_STATE_TIME_WAIT : LA_STATE_CLOSING;
	return acked ? LA_STATE_CLOSED : LA_STATE_LAST_ACK;
}

bool la_facts_disagree(uint32_t facts)
{
	const uint32_t both = LA_FACT_OURS_FIRST | LA_FACT_THEIRS_FIRST;

	return (facts & both) == both ||
	       (facts & (LA_FACT_FIN_ACKED | LA_FACT_FIN_SENT)) == LA_FACT_FIN_ACKED;
}

uint32_t la_facts_of_state(enum la_state state)
{
	static const uint32_t proved[LA_STATE_COUNT] = {
		[LA_STATE_ESTABLISHED] = 0,
		[LA_STATE_FIN_WAIT_1] = LA_FACT_FIN_SENT | LA_FACT_OURS_FIRST,
		[LA_STATE_FIN_WAIT_2] = LA_FACT_FIN_SENT | LA_FACT_FIN_ACKED | LA_FACT_OURS_FIRST,
		[LA_STATE_CLOSE_WAIT] = LA_FACT_FIN_RECEIVED | LA_FACT_THEIRS_FIRST,
		[LA_STATE_CLOSING] = LA_FACT_FIN_SENT | LA_FACT_FIN_RECEIVED | LA_FACT_OURS_FIRST,
		[LA_STATE_LAST_ACK] =
			LA_FACT_FIN_SENT | LA_FACT_FIN_RECEIVED | LA_FACT_THEIRS_FIRST,
		[LA_STATE_TIME_WAIT] = LA_FACT_FIN_SENT | LA_FACT_FIN_ACKED | LA_FACT_FIN_RECEIVED |
				       LA_FACT_OURS_FIRST,
		[LA_STATE_CLOSED] = LA_FACT_EXPIRED,
	};

	return (unsigned int)state < LA_STATE_COUNT ? proved[state] : 0;
}

uint32_t la_facts_after(uint32_t facts, enum la_event event)
{
	static const uint32_t brings[LA_EVENT_COUNT] = {
		[LA_EVENT_CLOSE] = LA_FACT_FIN_SENT,
		[LA_EVENT_ABORT] = LA_FACT_RESET,
		[LA_EVENT_FIN] = LA_FACT_FIN_RECEIVED,
		[LA_EVENT_ACK_OF_FIN] = LA_FACT_FIN_ACKED,
		[LA_EVENT_FIN_ACK] = LA_FACT_FIN_RECEIVED | LA_FACT_FIN_ACKED,
		[LA_EVENT_RST] = LA_FACT_RESET,
		[LA_EVENT_TIMEOUT] = LA_FACT_EXPIRED,
	};
	const struct la_move *move = la_move(la_facts_position(facts), event);

	/* Whether the event means anything here is the state machine's to say, not a second table's. */
	if (!move || move->to == move->from)
		return facts;
	facts |= brings[event];
	if (move->to != LA_STATE_CLOSED)
		facts |= la_facts_of_state(move->to) & (LA_FACT_OURS_FIRST | LA_FACT_THEIRS_FIRST);
	return facts;
}
