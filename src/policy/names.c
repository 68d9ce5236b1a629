/* SPDX-License-Identifier: MIT */
/* What sections, actions and roles are called, and which section bounds which state. */
#include "words.h"

const char *la_action_name(enum la_action action)
{
	return action == LA_ACTION_NONE ? "none" : la_word_text(la_words_action, action);
}

const char *la_section_name(enum la_section section)
{
	return la_word_text(la_words_section, section);
}

const char *la_role_name(uint32_t role)
{
	return role == LA_ROLE_LISTENER ? "listener" : la_word_text(la_words_role, role);
}

enum la_section la_section_of_state(enum la_state state)
{
	switch (state) {
	case LA_STATE_CLOSE_WAIT: return LA_SECTION_CLOSE_WAIT;
	case LA_STATE_FIN_WAIT_1: return LA_SECTION_FIN_WAIT_1;
	case LA_STATE_FIN_WAIT_2: return LA_SECTION_FIN_WAIT_2;
	case LA_STATE_CLOSING: return LA_SECTION_CLOSING;
	case LA_STATE_LAST_ACK: return LA_SECTION_LAST_ACK;
	default: return LA_SECTION_COUNT;
	}
}
