/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates that wait for an operator (RFC 7030 4.2.3, EST-7): the order is
 * written and not signed; the client gets 202 and comes back with the same
 * CSR. Who accepts it signs that row (ca_issue with the row's own fields); who
 * rejects it revokes the row before it was ever signed. So the table of
 * certificates is the queue, and it survives a restart.
 */
#include <string.h>

#include <openssl/rand.h>
#include <openssl/sha.h>

#include "host/clock.h"
#include "server/est/room.h"

#define BACKDATE 300 /* as the CA does for what it signs at once */

static mst_err
issuer_end(X509 *ca, int64_t *out)
{
	struct tm tm;

	if (ca == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(ca), &tm) != 1)
		return MST_E_EST_CA;
	*out = (int64_t)timegm(&tm);
	return MST_OK;
}

static mst_err
fill(const struct est *e, const struct ca_order *o, struct cert_row *row, uint8_t serial[16],
    uint8_t spki[32])
{
	const struct ca_profile *p = ca_profile_find(e->c.ca, o->label, o->profile);
	int64_t now = clock_wall(), end;
	mst_err err = p == NULL ? MST_E_CA_PROFILE : issuer_end(ca_cert(e->c.ca, o->label), &end);

	if (err != MST_OK)
		return err;
	if (RAND_bytes(serial, 16) != 1)
		return MST_E_RANDOM;
	serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40); /* RFC 5280 4.1.2.2: positive, minimal */
	SHA256(o->spki.ptr, o->spki.len, spki);
	*row = (struct cert_row){ .serial = { serial, 16 },
		.device = o->device,
		.profile = o->profile,
		.ca = o->label,
		.subject = o->subject,
		.san = o->san,
		.spki = o->spki,
		.spki_sha256 = { spki, 32 },
		.order_key = o->order_key,
		.identity = o->identity,
		.not_before = now - BACKDATE,
		.not_after = now - BACKDATE + p->seconds < end ? now - BACKDATE + p->seconds : end,
		.ordered_at = now,
		.revoke_reason = -1 };
	return row->not_after > now ? MST_OK : MST_E_CA_VALIDITY;
}

mst_err
est_manual_place(
    struct est *e, struct db *db, struct arena *a, const struct ca_order *o, enum est_placed *out)
{
	uint8_t serial[16], spki[32];
	struct cert_row row;
	mst_err err = cert_by_order(db, a, o->order_key, &row);

	if (err == MST_OK && row.state == CERT_REVOKED)
		return MST_E_X509_REVOKED;
	if (err == MST_OK && row.not_after > clock_wall()) {
		*out = row.state == CERT_ISSUED ? EST_PLACED_ISSUED : EST_PLACED_BEFORE;
		return MST_OK;
	}
	if (err != MST_OK && err != MST_E_NOT_FOUND)
		return err;
	if ((err = fill(e, o, &row, serial, spki)) != MST_OK ||
	    (err = cert_order(db, &row)) != MST_OK)
		return err;
	*out = EST_PLACED_NOW;
	return MST_OK;
}
