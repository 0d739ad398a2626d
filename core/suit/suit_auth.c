/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication (sheet 3) and the sequence number (sheet 13), before anything is parsed. */
#include <string.h>

#include "core/base/assert.h"
#include "core/suit/suit_impl.h"

mst_err
suit_refuse(struct mst_suit *s, const struct mst_suit_manifest *m, int32_t section, mst_err e)
{
	struct mst_suit_refusal *r = &s->refusal;

	if (e == MST_OK)
		return e;
	memset(r, 0, sizeof *r);
	r->err = e;
	r->section = section;
	r->component = MST_SUIT_NO_INDEX;
	if (m != NULL) {
		r->depth = m->depth;
		memcpy(r->path, m->index, sizeof r->path);
	}
	return e;
}

/* Sheet 3.4: (b) the blocks, (c) the digest over the manifest, and only then (d) parse. */
mst_err
suit_authenticate(
    struct mst_suit *s, struct mst_suit_manifest *m, const struct mst_suit_policy *policy)
{
	const struct mst_suit_envelope *v = &m->envelope;
	struct mst_suit_digest_claim claim;
	struct mst_suit_auth a;
	struct suit_cur c;
	mst_err e;

	mst_suit_auth_begin(&a, s->crypto, s->keys, v->digest);
	suit_cur_init(&c, v->blocks);
	while (c.at != c.end) {
		mst_span block = suit_bytes(&c);
		if (c.e != MST_OK)
			return c.e;
		if ((e = mst_suit_auth_block(&a, block)) != MST_OK)
			return e;
	}
	if ((e = mst_suit_auth_judge(&a, policy)) != MST_OK)
		return e;
	m->authorities = a.verified;
	if ((e = mst_suit_digest_parse(v->digest, &claim)) != MST_OK)
		return e;
	e = mst_suit_digest_check_wrapped(s->crypto, &claim, v->manifest);
	return e == MST_E_SUIT_DIGEST_MISMATCH ? MST_E_SUIT_MANIFEST_DIGEST : e;
}

void
suit_digest32(const struct mst_suit_manifest *m, uint8_t out[32])
{
	struct mst_suit_digest_claim claim = { .digest = MST_NONE };

	memset(out, 0, 32);
	if (mst_suit_digest_parse(m->envelope.digest, &claim) == MST_OK)
		memcpy(out, claim.digest.ptr, claim.digest.len < 32 ? claim.digest.len : 32);
}

mst_err
suit_record_of(struct mst_suit *s, const struct mst_suit_manifest *m, mst_span *identity,
    struct mst_suit_record *record)
{
	*identity = m->component_id.ptr != NULL ? m->component_id : s->rules->domain;
	memset(record, 0, sizeof *record);
	if (s->platform->record_read == NULL)
		return MST_E_SUIT_RECORD;
	return s->platform->record_read(s->platform->ctx, *identity, record);
}

/* M 8.4.2: lower MUST be rejected; equal is a re-application, of the same manifest only. */
mst_err
suit_sequence_check(struct mst_suit *s, const struct mst_suit_manifest *m)
{
	struct mst_suit_record record;
	uint8_t digest[32];
	mst_span identity;
	mst_err e;

	if ((e = suit_record_of(s, m, &identity, &record)) != MST_OK || !record.known)
		return e;
	if (m->sequence_number < record.number)
		return MST_E_SUIT_ROLLBACK;
	suit_digest32(m, digest);
	if (m->sequence_number == record.number && memcmp(digest, record.digest, 32) != 0)
		return MST_E_SUIT_SEQUENCE_REUSED;
	return MST_OK;
}

mst_err
mst_suit_confirm(struct mst_suit *s, const struct mst_suit_manifest *m)
{
	struct mst_suit_record record;
	mst_span identity;
	mst_err e;

	if ((e = suit_refuse(s, m, MST_SUIT_AT_SEQUENCE, suit_sequence_check(s, m))) != MST_OK ||
	    (e = mst_suit_run(s, m, MST_SUIT_VALIDATION)) != MST_OK)
		return e;
	if ((e = suit_record_of(s, m, &identity, &record)) == MST_OK) {
		record.number = m->sequence_number;
		record.known = true;
		suit_digest32(m, record.digest);
		e = s->platform->record_write == NULL
		        ? MST_E_SUIT_RECORD
		        : s->platform->record_write(s->platform->ctx, identity, &record);
	}
	return suit_refuse(s, m, MST_SUIT_AT_NOWHERE, e);
}

/* The manifest was zeroed; what is refused leaves it so. */
static mst_err
check(struct mst_suit *s, const struct mst_suit_envelope *envelope, struct mst_suit_manifest *m)
{
	mst_err e;

	memset(m, 0, sizeof *m);
	m->envelope = *envelope;
#ifdef MUSTER_SUIT_BOOT
	/* lists of rights are judged where updates are installed */
	if (s->rules->acl != NULL)
		return suit_refuse(s, m, MST_SUIT_AT_NOWHERE, MST_E_UNSUPPORTED);
#endif
	e = suit_refuse(
	    s, m, MST_SUIT_AT_AUTHENTICATION, suit_authenticate(s, m, &s->rules->signers));
	if (e != MST_OK || (e = suit_manifest_read(s, m)) != MST_OK)
		return e;
	return suit_scan(s, m);
}

mst_err
mst_suit_check(
    struct mst_suit *s, const struct mst_suit_envelope *envelope, struct mst_suit_manifest *out)
{
	mst_err e;

	MST_ASSERT(s->block.cap >= MST_SUIT_BLOCK_MIN && s->rules != NULL && s->keys != NULL);
	memset(&s->refusal, 0, sizeof s->refusal);
	memset(s->slot, 0, sizeof s->slot);
	s->slots = 0;
	s->dependencies = 0;
#ifndef MUSTER_SUIT_BOOT
	memset(s->dependency, 0, sizeof s->dependency);
#endif
	s->arena.len = 0;
	if ((e = check(s, envelope, out)) != MST_OK)
		memset(out, 0, sizeof *out);
	return e;
}
