/* SPDX-License-Identifier: MIT */
/*
 * Rows of a thread table: their thread, a signal handler that interrupts it anywhere, the next thread that gets the table, records that
 * are used again, and a reader.
 *
 * Modelled, a step for each access that others can see:
 *   saw()      la_track_saw(), find_row(), take_row(), fold_row(), la_track_fold(), la_instant_join() of src/track/rows.c
 *   thread     thread_ends(), and la_track_claim_table() of the next
 *   reuses     la_record_take() and open_record() of src/track, as far as a record's folded row goes
 *   reads      la_track_facts(), la_reader_rows() and la_reader_connections()
 * Left out: the opener's own row (a folded row with one more writer), instants (seen or not is enough: a minimum loses none), stacks,
 * more than one fact, that two keys may have the same tag (16 bits of a hash); memory order (sequentially consistent here).
 *
 * Two ways, both taken, nothing told yet; connections 1, 2 and 3, and in REUSE 4, which gets the record of 1. A join and an
 * exchange are one instruction or a loop of compare-and-swap, so one step. What a process does to its own variables only goes with the
 * step before.
 *
 * Must hold: -DEVICTION, -DREUSE, -DHANDOVER
 * Must be found:
 *   -DEVICTION -DNO_FOLD       a way is taken without folding what it says
 *   -DEVICTION -DUNMARKED      the key goes, and what a handler added after the fold is folded once more
 *   -DEVICTION -DFOLD_LATE     the key goes before its instants are folded
 *   -DEVICTION -DKEY_FIRST     the key is written before the instants are cleared
 *   -DEVICTION -DPLAIN_TAG     an instant in a row is tagged by generation, not by key
 *   -DREUSE -DNO_GENERATION    a late fold does not ask whose record it is
 *   -DEVICTION -DRECORD_FIRST  the reader looks at the record before the rows
 *   -DHANDOVER -DRELEASE_FIRST a thread that ends lets go of its table while its handlers still use it
 */
#define WAYS 2
#define KEYS 5 /* 0: free */
#define BUSY 255
#define LEAVING 128 /* marked: being folded */

byte key[WAYS], tag[WAYS];
bool seen[WAYS];

/* Records 0, 1, 2 of connections 1, 2, 3; then record 0 of connection 4. */
#define RECORD(k) ((k) == 4 -> 0 : (k) - 1)
byte current[3], folded_tag[3];
bool folded[3];

#ifdef PLAIN_TAG
#define TAG(k) ((k) == 4 -> 2 : 1)
#else
#define TAG(k) (k)
#endif

/* For the claims only. */
bool began[KEYS], told[KEYS];

bool interrupted, first_over;
byte table_owner = 1;
bool first_has_table = true; /* my_table of the first thread */

/* la_track_fold(): one compare-and-swap, of this generation only. */
inline fold_into(k)
{
	atomic {
		if
#ifdef NO_GENERATION
		:: true -> folded[RECORD(k)] = true
#else
		:: folded_tag[RECORD(k)] == k -> folded[RECORD(k)] = true
		:: else
#endif
		fi
	}
}

inline fold_row(way, k)
{
	skip;
#ifndef NO_FOLD
	atomic { fold_tag = tag[way]; fold_seen = seen[way] }
	if
	:: fold_seen && fold_tag == TAG(k) -> fold_into(k)
	:: else
	fi
#endif
}

/* Leaves the way in `mine`, WAYS when there is none. */
inline take_row(k)
{
	round = 0;
	do
	:: round < 2 && mine == WAYS ->
		way = 0;
		do
		:: atomic { way < WAYS && mine == WAYS ->
			old = key[way] }
			atomic { if
			:: old != 0 && old < LEAVING -> alive = (current[RECORD(old)] == old)
			:: else -> alive = false
			fi }
			if
			:: old >= LEAVING || (round == 0 && alive)
			:: else ->
#ifdef UNMARKED
				if
				:: alive -> fold_row(way, old)
				:: else
				fi;
#endif
				atomic {
					if
					:: key[way] == old -> claimed = true;
#if defined(UNMARKED) || defined(FOLD_LATE)
						key[way] = BUSY
#else
						key[way] = (alive -> old + LEAVING : BUSY)
#endif
					:: else -> claimed = false
					fi
				}
				if
				:: claimed ->
					if
					:: alive -> fold_row(way, old); key[way] = BUSY
					:: else
					fi;
#ifdef KEY_FIRST
					key[way] = k;
					atomic { tag[way] = TAG(k); seen[way] = false };
#else
					atomic { tag[way] = TAG(k); seen[way] = false };
					key[way] = k;
#endif
					mine = way
				:: else
				fi
			fi;
			way++
		:: else -> break
		od;
		round++
	:: else -> break
	od
}

/* One thread, or its handler, is told of connection k. */
inline saw(k, has_table)
{
	if
	:: atomic { current[RECORD(k)] == k ->
		began[k] = true;
		mine = WAYS;
		joined = false }
		if
		:: has_table ->
			way = 0;
			do
			:: atomic { way < WAYS && mine == WAYS ->
				if
				:: key[way] == k -> mine = way
				:: else
				fi;
				way++ }
			:: else -> break
			od;
			if
			:: mine == WAYS -> take_row(k)
			:: else
			fi;
			if
			:: mine < WAYS ->
				atomic {
					if
					:: tag[mine] == TAG(k) -> seen[mine] = true; joined = true
					:: else
					fi
				}
			:: else
			fi
		:: else
		fi;
		if
		:: !joined -> fold_into(k)
		:: else
		fi;
		atomic { told[k] = (current[RECORD(k)] == k -> true : told[k]) }
	:: else
	fi
}

inline some_connection(k)
{
	if
	:: k = 1
	:: k = 2
	:: k = 3
#ifdef REUSE
	:: k = 4
#endif
	fi
}

#define LOCALS                                                      \
	byte k, way, round, old, mine, fold_tag;                     \
	bool alive, claimed, joined, fold_seen

proctype first_thread() provided (!interrupted)
{
	LOCALS;

	some_connection(k);
	saw(k, true);
#ifndef HANDOVER
	some_connection(k);
	saw(k, true);
#else
	/* thread_ends() */
#ifdef RELEASE_FIRST
	table_owner = 0;
	first_has_table = false;
#else
	first_has_table = false;
	table_owner = 0;
#endif
#endif
	first_over = true
}

/* Runs to its end before its thread goes on. */
proctype handler()
{
	LOCALS;
	bool has;

	if
	:: atomic { !first_over -> interrupted = true }
		has = first_has_table;
		some_connection(k);
		saw(k, has);
		interrupted = false
	:: first_over
	fi
}

proctype next_thread()
{
	LOCALS;

	atomic { table_owner == 0 -> table_owner = 2 }
	some_connection(k);
	saw(k, true)
}

/* The record of 1 is closed, and given to 4: word, then the folded row, then the word again (until then no slot names it). */
proctype reuses()
{
	current[0] = 0;
	atomic { folded_tag[0] = 4; folded[0] = false }
	current[0] = 4
}

proctype reads()
{
	byte k, way, at;
	bool must, got;

	some_connection(k);
	atomic {
		if
		:: current[RECORD(k)] == k -> must = told[k]
		:: else -> goto over
		fi
	}
#ifdef RECORD_FIRST
	atomic { got = got || (folded_tag[RECORD(k)] == k && folded[RECORD(k)]) }
#endif
	do
	:: atomic { way < WAYS -> at = key[way] }
		if
		:: at == k || at == k + LEAVING -> atomic { got = got || (tag[way] == TAG(k) && seen[way]) }
		:: else
		fi;
		way++
	:: else -> break
	od;
#ifndef RECORD_FIRST
	atomic { got = got || (folded_tag[RECORD(k)] == k && folded[RECORD(k)]) }
#endif
	atomic {
		if
		:: current[RECORD(k)] == k ->
			assert(!must || got);	   /* no fact is lost */
			assert(!got || began[k]) /* and none is another connection's */
		:: else
		fi
	}
over:	skip
}

init {
	d_step {
		current[0] = 1; current[1] = 2; current[2] = 3;
		folded_tag[0] = 1; folded_tag[1] = 2; folded_tag[2] = 3;
		key[0] = 1; tag[0] = TAG(1);
		key[1] = 2; tag[1] = TAG(2)
	}
	atomic {
		run first_thread();
#ifdef REUSE
		run reuses();
#else
		run handler();
#endif
#ifdef HANDOVER
		run next_thread();
#endif
		run reads()
	}
}
