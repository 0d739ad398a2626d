/* SPDX-License-Identifier: Apache-2.0 */
/* The device's audit log: who may see it and what is shown. RFC 8995 5.8, brski.md section 11. */
#include <string.h>

#include "server/masa/masa_judge.h"

#define FOLD_SATURATES 1024 /* RFC 8995 5.8.1 */

/*
 * AUD-3 binds the log to the domainIDs in it. A domainID is mostly a subject
 * key identifier, which anyone can write into a certificate of his own; so the
 * proof is the pinned key itself, somewhere in the requester's verified chain.
 */
static mst_err
chain_was_pinned(
    const struct masa_rvr *r, const struct masa_entry *entries, size_t count, struct arena *a)
{
	for (size_t c = 0; c < r->count; c++) {
		mst_span sum;
		mst_err e = masa_spki_sha256(a, r->chain[c], &sum);

		if (e != MST_OK)
			return e;
		for (size_t i = 0; i < count; i++)
			if (mst_span_eq(entries[i].pin_sha256, sum))
				return MST_OK;
	}
	return MST_E_AUDITLOG_DENIED;
}

mst_err
masa_audit_judge(
    const struct masa_rvr *r, const struct masa_entry *entries, size_t count, struct arena *a)
{
	const struct masa_party *p = r->party;

	/* AUD-2: 404 for who was never an owner; where there is no entry nobody was. */
	if (count == 0)
		return MST_E_AUDITLOG_DENIED;
	if (p != NULL && r->device.customer == p->row.id)
		return MST_OK;
	for (size_t i = 0; p != NULL && i < count; i++)
		if (entries[i].customer == p->row.id)
			return MST_OK;
	return chain_was_pinned(r, entries, count, a);
}

static struct audit_event
event_of(const struct masa_entry *e)
{
	return (struct audit_event){ e->at, e->domain_id, e->nonce, e->assertion, 0 };
}

static bool
same_kind(const struct masa_entry *a, const struct audit_event *b)
{
	return (a->nonce.ptr == NULL) == (b->nonce.ptr == NULL) &&
	       mst_span_eq(a->domain_id, b->domain_id);
}

static void
count_duplicate(const struct masa_entry *entry, struct audit_event *kept, struct audit_log *log)
{
	int64_t *total =
	    entry->nonce.ptr != NULL ? &log->nonced_duplicates : &log->nonceless_duplicates;

	if (kept->truncated < FOLD_SATURATES)
		kept->truncated++;
	if (*total < FOLD_SATURATES)
		++*total;
}

/*
 * AUD-5: from the newest to the oldest; the first of each kind stays and counts
 * the others. Linear in the entries, times the few domains that a device has seen.
 */
static void
fold(const struct masa_entry *entries, size_t count, struct audit_log *log)
{
	size_t kept;

	for (size_t i = count; i-- > 0;) {
		for (kept = 0; kept < log->count; kept++)
			if (same_kind(&entries[i], &log->events[kept]))
				break;
		if (kept < log->count)
			count_duplicate(&entries[i], &log->events[kept], log);
		else
			log->events[log->count++] = event_of(&entries[i]);
	}
	for (size_t i = 0; i < log->count / 2; i++) { /* oldest first again */
		struct audit_event e = log->events[i];

		log->events[i] = log->events[log->count - 1 - i];
		log->events[log->count - 1 - i] = e;
	}
}

mst_err
masa_audit_view(const struct masa_entry *entries, size_t count, size_t fold_above, size_t most,
    struct arena *a, struct audit_log *out)
{
	struct audit_log log = { .version = 1 };
	size_t from = 0;

	/* 5.8.1: arbitrary cutting is the last resort, and is told. */
	if (count > most) {
		from = count - most;
		log.arbitrary = (int64_t)from;
	}
	log.events = arena_alloc(a, (count - from + 1) * sizeof(*log.events));
	if (log.events == NULL)
		return MST_E_NOMEM;
	if (count > fold_above) {
		fold(entries + from, count - from, &log);
	} else {
		for (size_t i = from; i < count; i++)
			log.events[log.count++] = event_of(&entries[i]);
	}
	*out = log;
	return MST_OK;
}
