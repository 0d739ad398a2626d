/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal (sheet 13.4). A procedure that was cut is executed again from its
 * beginning, and comes to the same state: directives that stored before are
 * counted and not done again, and conditions whose answer may have changed since
 * repeat what they said. So parameters, selections and alternatives are those of
 * the first time. What the record must hold is therefore small: how many
 * directives are done, whether one was begun, and what conditions in places where
 * failing is no refusal said. Elsewhere they had succeeded, or nothing would follow.
 *
 * After such a replay nothing counts as checked: validate and the finalising look
 * at what is stored (suit_procedure.c).
 */
#include <string.h>

#include "core/suit/suit_impl.h"

#ifndef MUSTER_SUIT_BOOT

/* struct mst_suit_journal.state */
#define DONE_MAX 255U
#define BEGUN 0x100U
#define SAID_SHIFT 9
#define SAID_MAX 23

static mst_err
write_record(struct mst_suit *s, unsigned state)
{
	const struct mst_suit_platform *pf = s->platform;

	if ((s->flags & SUIT_NO_JOURNAL) != 0)
		return MST_OK;
	s->journal.state = s->done | state | s->said << SAID_SHIFT;
	return pf->journal_write(pf->ctx, &s->journal);
}

/* A journal of the same manifest's update means nothing to its uninstall. */
static bool
is_of_procedure(const struct mst_suit *s)
{
	const uint8_t *p = suit_procedure_sections((enum mst_suit_procedure)s->procedure);

	while (*p != 0 && *p != s->journal.section)
		p++;
	return *p != 0;
}

void
suit_journal_begin(struct mst_suit *s)
{
	const struct mst_suit_platform *pf = s->platform;
	uint8_t digest[32];

	s->done = s->replay = s->said = 0;
	s->said_count = 0;
	suit_digest32(s->root, digest);
	memset(&s->journal, 0, sizeof s->journal);
	if (pf->journal_read == NULL || pf->journal_write == NULL || pf->journal_erase == NULL) {
		s->flags |= SUIT_NO_JOURNAL;
		return;
	}
	if (pf->journal_read(pf->ctx, &s->journal) == MST_OK &&
	    memcmp(s->journal.digest, digest, sizeof digest) == 0 && is_of_procedure(s)) {
		s->replay = s->journal.state & DONE_MAX;
		s->said = s->journal.state >> SAID_SHIFT;
		s->flags |= SUIT_RESUMED | SUIT_REPLAYING;
		return;
	}
	memset(&s->journal, 0, sizeof s->journal);
	memcpy(s->journal.digest, digest, sizeof digest);
}

/* More happened than a record can say: after a cut it begins anew. */
static mst_err
give_up(struct mst_suit *s)
{
	s->flags |= SUIT_NO_JOURNAL;
	return s->platform->journal_erase(s->platform->ctx);
}

static bool
is_here(const struct suit_act *a)
{
	const struct mst_suit_journal *j = &a->s->journal;

	return j->section == a->s->section &&
	       j->command == (uint32_t)(a->code - a->s->section_at) &&
	       j->component == suit_index_of(a->m, a->place);
}

mst_err
suit_journal_ahead(struct suit_act *a, bool *skip)
{
	struct mst_suit *s = a->s;

	*skip = false;
	if ((s->flags & SUIT_NO_JOURNAL) != 0)
		return MST_OK;
	if ((s->flags & SUIT_REPLAYING) != 0) {
		*skip = s->done < s->replay;
		s->done += *skip;
		/* the record names the last that was done, or the one that was begun after it */
		if (s->done == s->replay && (!*skip || (s->journal.state & BEGUN) == 0)) {
			s->flags &= (uint8_t)~SUIT_REPLAYING;
			if (!is_here(a))
				return MST_E_SUIT_JOURNAL_DIVERGED;
		}
	} else
		s->journal.offset = 0;
	if (*skip) {
		a->how = MST_SUIT_RESUMED;
		suit_written(a);
		return MST_OK;
	}
	if (s->done == DONE_MAX)
		return give_up(s);
	s->journal.section = s->section;
	s->journal.command = (uint32_t)(a->code - s->section_at);
	s->journal.component = suit_index_of(a->m, a->place);
	return write_record(s, BEGUN);
}

mst_err
suit_journal_progress(struct suit_act *a, uint64_t offset)
{
	const struct mst_suit_platform *pf = a->s->platform;
	mst_err e;

	if (pf->sync != NULL && (e = pf->sync(pf->ctx, a->slot->handle)) != MST_OK)
		return e;
	a->s->journal.offset = offset;
	return write_record(a->s, BEGUN);
}

mst_err
suit_journal_done(struct suit_act *a)
{
	a->s->done++;
	a->s->journal.offset = 0;
	return write_record(a->s, 0);
}

/* The answer of a condition that could be another one now. */
bool
suit_journal_recall(struct suit_act *a, mst_err *said)
{
	struct mst_suit *s = a->s;

	if ((s->flags & (SUIT_NO_JOURNAL | SUIT_REPLAYING)) != SUIT_REPLAYING)
		return false;
	a->how = MST_SUIT_RESUMED;
	*said = MST_OK;
	if (a->soft && s->said_count < SAID_MAX && (s->said >> s->said_count++ & 1) == 0)
		*said = MST_E_SUIT_UNDETERMINED; /* it had failed; why is not kept */
	return true;
}

void
suit_journal_say(struct suit_act *a, mst_err said)
{
	struct mst_suit *s = a->s;

	if (!a->soft || (s->flags & SUIT_NO_JOURNAL) != 0)
		return;
	if (s->said_count == SAID_MAX) {
		(void)give_up(s);
		return;
	}
	s->said &= ~(UINT32_C(1) << s->said_count);
	if (said == MST_OK)
		s->said |= UINT32_C(1) << s->said_count;
	s->said_count++;
}

/* It stays where the same manifest is to go on later; else nothing is left of it. */
mst_err
suit_journal_end(struct mst_suit *s, mst_err e)
{
	const struct mst_suit_platform *pf = s->platform;
	mst_err erased = MST_OK;

	if ((s->flags & SUIT_HOLD_PARTIAL) != 0 || e == MST_E_SUIT_WAIT ||
	    e == MST_E_SUIT_NOT_AUTHORIZED)
		return e;
	if (pf->journal_erase != NULL)
		erased = pf->journal_erase(pf->ctx);
	return e == MST_OK ? erased : e;
}
#endif
