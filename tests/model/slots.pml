/* SPDX-License-Identifier: MIT */
/*
 * Descriptor numbers, slots and records while numbers are used again: the hooks of close and accept, the hook of a read that returns 0,
 * the helper that ends a connection, and calls that no hook sees.
 *
 * Modelled, a step for each access that others can see:
 *   accepts()  src/shim/open.c, la_track_accepted(), la_record_take(), open_record(), publish(), closed_unseen() of src/track
 *   closes()   la_close_begin() and la_close_known() of src/shim/close.c, la_track_release(), la_track_closed()
 *   reads()    read() of src/shim/read.c, la_track_read_end() of src/track/told.c, la_track_is_still(), la_track_saw()
 *   helps()    look(), decide() and act() of src/enforce/bounds.c, la_act() of src/enforce/act.c
 * Left out: dups and other processes (tests/torture/shares.c), flags, drains, what a fact is; that generations wrap (a slot has 16 bits
 * of them); memory order (the words are sequentially consistent here, and acquire and release there).
 *
 * One number that the application uses over and over, one that the helper's dup gets, two records, CONNECTIONS connections. The kernel
 * is atomic at each call.
 *
 * Each run has the helper or a reader: neither changes what the other sees. With -DUNSEEN some calls are not seen.
 *
 * Must hold: -DHELPER, -DREADER, -DHELPER -DUNSEEN, -DREADER -DUNSEEN
 * Must be found:
 *   -DHELPER -DNO_COOKIE_CHECK            la_act() acts on its dup without comparing
 *   -DHELPER -DCOOKIE_OF_THE_RECORD       la_act() compares with what the record says then, whoever has it now
 *   -DHELPER -DRETIRE_AFTER_CLOSE         close() gives the number back before the slot is retired
 *   -DHELPER -DNO_GENERATION              a slot names a record, whoever has it now
 *   -DHELPER -DLEARN_FIRST -DUNSEEN       look() records the kernel's state before it has compared the cookie
 *   -DHELPER -DLEAK_DUP                   the dup is not closed when it is another connection's
 *   -DREADER -DNO_GENERATION              as above
 *   -DREADER -DNO_COOKIE_AT_READ -DUNSEEN a fact is recorded for the slot from before the read, whoever was read
 */
#ifndef CONNECTIONS
#define CONNECTIONS 3
#endif
#define NUMBER	0 /* the application's */
#define DUP	1 /* the helper's */
#define RECORDS 2

#define FREE	0 /* phases */
#define OPENING 1
#define OPEN	2
#define CLOSED	3

/* The kernel: whose is the number? Connections are named by their cookies, 1.. */
byte owner[2];
byte connections; /* made so far */

/* The slot of NUMBER: record + 1 and its generation. */
byte slot_record, slot_generation;

byte phase[RECORDS], generation[RECORDS], cookie[RECORDS];
byte truly[RECORDS]; /* which connection the record is really about; nobody reads it but the claims */
byte refs[RECORDS];  /* la_local_refs */

bool held;	/* the application knows that the number is its own */
bool unseen;	/* some call was not seen */
bool closer_done, accepter_done;

#ifdef NO_GENERATION
#define IS_SAME(record, seen) (true)
#else
#define IS_SAME(record, seen) (generation[record] == (seen))
#endif

/* la_track_record(): the record of a slot, if it is still the one. */
#define IS_TRACKED(record, seen) (IS_SAME(record, seen) && phase[record] == OPEN)

/* la_track_saw(): one compare-and-swap, which fails when the generation has changed. */
inline record_fact(record, seen, about)
{
	atomic {
		if
		:: IS_TRACKED(record, seen) -> assert(truly[record] == about)
		:: else
		fi
	}
}

/* la_track_cookie(): the cookie, then whether the record still is the slot's. 0 when not. */
inline cookie_of(record, seen, into)
{
	into = cookie[record];
	if
	:: IS_TRACKED(record, seen)
	:: else -> into = 0
	fi
}

/* la_slot_exchange(): one instruction. */
inline exchange(new_record, new_generation, old_record, old_generation)
{
	atomic {
		old_record = slot_record;
		old_generation = slot_generation;
		slot_record = new_record;
		slot_generation = new_generation
	}
}

/* Whoever took a slot out gives up its reference; the last ends the record. */
inline give_up(old_record, old_generation)
{
	if
	:: old_record > 0 && IS_TRACKED(old_record - 1, old_generation) ->
		refs[old_record - 1]--;
		if
		:: refs[old_record - 1] == 0 ->
			atomic {
				if
				:: IS_SAME(old_record - 1, old_generation) ->
					phase[old_record - 1] = CLOSED
				:: else
				fi
			}
		:: else
		fi
	:: else
	fi
}

/* accept(2), seen or not. One thread at a time accepts: the number it gets is its own until it says so. */
proctype accepts()
{
	byte new, record, born, old_record, old_generation;

	do
	:: atomic { connections < CONNECTIONS && owner[NUMBER] == 0 ->
		connections++;
		owner[NUMBER] = connections;
		new = connections }
		if
		:: true
#ifdef UNSEEN
		:: true -> unseen = true; held = true; goto next
#endif
		fi;
		/* publish_new(): a socket without connection */
		exchange(0, 0, old_record, old_generation);
		give_up(old_record, old_generation);
		/* la_record_take() */
		atomic {
			if
			:: phase[0] == FREE || phase[0] == CLOSED -> record = 0
			:: phase[1] == FREE || phase[1] == CLOSED -> record = 1
			fi;
			phase[record] = OPENING;
			generation[record]++;
			born = generation[record]
		}
		/* Nobody looks into a record that is being opened, so its fields are one step. */
		d_step { cookie[record] = new; truly[record] = new; refs[record] = 1 }
		phase[record] = OPEN;
		exchange(record + 1, born, old_record, old_generation);
		give_up(old_record, old_generation);
		held = true;
next:		skip
	:: connections == CONNECTIONS || closer_done -> break
	od;
	accepter_done = true
}

/* close(2), seen or not. */
proctype closes()
{
	byte old_record, old_generation;

	do
	:: atomic { held -> held = false }
		if
		:: true ->
#ifdef RETIRE_AFTER_CLOSE
			owner[NUMBER] = 0;
			exchange(0, 0, old_record, old_generation);
			give_up(old_record, old_generation)
#else
			exchange(0, 0, old_record, old_generation);
			give_up(old_record, old_generation);
			owner[NUMBER] = 0
#endif
#ifdef UNSEEN
		:: true -> unseen = true; owner[NUMBER] = 0
#endif
		fi
	:: true -> break
	od;
	closer_done = true
}

/* A read that returns 0. The kernel finds the connection when the call begins; it may return much later. */
proctype reads()
{
	byte record, seen, was_read, known, found;

	atomic { record = slot_record; seen = slot_generation }
	was_read = owner[NUMBER];
	if
	:: record > 0 && was_read > 0 ->
#ifdef NO_COOKIE_AT_READ
		record_fact(record - 1, seen, was_read)
#else
		cookie_of(record - 1, seen, known);
		found = owner[NUMBER];
		if
		:: known > 0 && found == known -> record_fact(record - 1, seen, was_read)
		:: else
		fi
#endif
	:: else
	fi
}

/* One look of the helper, which finds that the connection is overdue, and one act. */
proctype helps()
{
	byte record, seen, looked_at, known, found;

	atomic { record = slot_record; seen = slot_generation }
	if
	:: record == 0 -> goto over
	:: else -> record--
	fi;
	if
	:: IS_TRACKED(record, seen)
	:: else -> goto over
	fi;
	looked_at = owner[NUMBER]; /* its state */
	if
	:: looked_at == 0 -> goto over
	:: else
	fi;
#ifdef LEARN_FIRST
	record_fact(record, seen, looked_at);
#endif
	/* The number may belong to someone else by now. */
	cookie_of(record, seen, known);
	if
	:: known > 0 && owner[NUMBER] == known
	:: else -> goto over
	fi;
#ifndef LEARN_FIRST
	record_fact(record, seen, looked_at);
#endif
	/* Decided: `looked_at` is to be ended. Now act. */
#ifdef COOKIE_OF_THE_RECORD
	known = cookie[record];
#else
	cookie_of(record, seen, known);
#endif
	owner[DUP] = owner[NUMBER];
	if
	:: owner[DUP] == 0 -> goto over
	:: else
	fi;
	found = owner[DUP];
#ifndef NO_COOKIE_CHECK
	if
	:: found != known ->
#ifndef LEAK_DUP
		owner[DUP] = 0;
#endif
		goto over
	:: else
	fi;
#endif
	assert(owner[DUP] == looked_at); /* never on another than was decided on */
	owner[DUP] = 0;
over:	skip
}

/* The kernel and the tables, when all have come to rest. */
init {
	atomic {
		run accepts();
		run closes();
#ifdef READER
		run reads()
#else
		run helps()
#endif
	}
	_nr_pr == 1;
	assert(owner[DUP] == 0);
	if
	:: !unseen && owner[NUMBER] > 0 ->
		assert(slot_record > 0 && generation[slot_record - 1] == slot_generation &&
		       phase[slot_record - 1] == OPEN && truly[slot_record - 1] == owner[NUMBER])
	:: !unseen && owner[NUMBER] == 0 ->
		assert(slot_record == 0)
	:: else
	fi
}
