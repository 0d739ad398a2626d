/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An order, an issue and a revocation are three rows in three tables, each
 * written once. The state of a certificate is which of them are there.
 */
#include <string.h>

#include "server/store/db.h"
#include "server/store/store_cert.h"

#define SUPERSEDED 4 /* RFC 5280 5.3.1 */
#define COLUMNS                                                                                    \
	"SELECT c.id, c.serial, ifnull(c.device, 0), c.profile, c.ca, c.subject, c.san, c.spki,"   \
	" c.spki_sha256, c.order_key, c.identity, c.not_before, c.not_after, c.ordered_at,"        \
	" ifnull(i.issued_at, 0), i.der, ifnull(r.revoked_at, 0), ifnull(r.reason, -1), i.id,"     \
	" r.id FROM cert c LEFT JOIN cert_issue i ON i.id = c.id"                                  \
	" LEFT JOIN cert_revocation r ON r.id = c.id"

static void
read_row(struct query *q, struct arena *a, struct cert_row *c)
{
	bool issued, revoked;

	c->id = row_int(q);
	c->serial = row_blob(q, a);
	c->device = row_int(q);
	c->profile = row_text(q, a);
	c->ca = row_text(q, a);
	c->subject = row_blob(q, a);
	c->san = row_blob(q, a);
	c->spki = row_blob(q, a);
	c->spki_sha256 = row_blob(q, a);
	c->order_key = row_blob(q, a);
	c->identity = row_text(q, a);
	c->not_before = row_int(q);
	c->not_after = row_int(q);
	c->ordered_at = row_int(q);
	c->issued_at = row_int(q);
	c->der = row_blob(q, a);
	c->revoked_at = row_int(q);
	c->revoke_reason = (int)row_int(q);
	issued = row_int(q) != 0;
	revoked = row_int(q) != 0;
	c->state = revoked ? CERT_REVOKED : issued ? CERT_ISSUED : CERT_ORDERED;
}

static mst_err
read_one(struct query *q, struct arena *a, struct cert_row *out)
{
	struct cert_row c = { 0 };
	bool found = query_row(q);
	mst_err e;

	if (found)
		read_row(q, a, &c);
	if ((e = query_end(q)) != MST_OK)
		return e;
	if (!found)
		return MST_E_NOT_FOUND;
	*out = c;
	return MST_OK;
}

mst_err
cert_by_order(struct db *db, struct arena *a, mst_span order_key, struct cert_row *out)
{
	struct query q;

	query_init(&q, db,
	    COLUMNS " WHERE substr(c.order_key, 1, 8) = substr(?1, 1, 8) AND c.order_key = ?1"
	            " ORDER BY c.id DESC LIMIT 1");
	query_blob(&q, order_key);
	return read_one(&q, a, out);
}

mst_err
cert_by_serial(struct db *db, struct arena *a, mst_span serial, struct cert_row *out)
{
	struct query q;

	query_init(&q, db, COLUMNS " WHERE c.serial = ?1");
	query_blob(&q, serial);
	return read_one(&q, a, out);
}

/* EST-2: a key belongs to one device, or to one identity where there is no device. */
static mst_err
key_is_own(struct db *db, const struct cert_row *c)
{
	struct query q;
	bool own = true;
	mst_err e;

	query_init(&q, db,
	    "SELECT ifnull(device, 0), identity FROM cert"
	    " WHERE substr(spki_sha256, 1, 8) = substr(?1, 1, 8) AND spki_sha256 = ?1");
	query_blob(&q, c->spki_sha256);
	while (query_row(&q)) {
		int64_t device = row_int(&q);
		const char *identity = row_text_borrow(&q);
		if (device != c->device || (device == 0 && strcmp(identity, c->identity) != 0))
			own = false;
	}
	if ((e = query_end(&q)) != MST_OK)
		return e;
	return own ? MST_OK : MST_E_CSR_KEY_REUSED;
}

static mst_err
serial_is_new(struct db *db, mst_span serial)
{
	struct query q;
	int64_t id;
	mst_err e;

	/* RFC 5280 4.1.2.2: a positive integer of at most 20 octets. */
	if (serial.len < 16 || serial.len > 20 || serial.ptr[0] == 0 || serial.ptr[0] > 0x7f)
		return MST_E_CA_SERIAL;
	query_init(&q, db, "SELECT id FROM cert WHERE serial = ?1");
	query_blob(&q, serial);
	e = query_one_int(&q, &id);
	if (e == MST_E_NOT_FOUND)
		return MST_OK;
	return e == MST_OK ? MST_E_CA_SERIAL : e;
}

mst_err
cert_order(struct db *db, struct cert_row *c)
{
	struct query q;
	mst_err e;

	if ((e = serial_is_new(db, c->serial)) != MST_OK || (e = key_is_own(db, c)) != MST_OK)
		return e;
	query_init(&q, db,
	    "INSERT INTO cert(serial, device, profile, ca, subject, san, spki, spki_sha256,"
	    " order_key, identity, not_before, not_after, ordered_at)"
	    " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)");
	query_blob(&q, c->serial);
	query_int_or_null(&q, c->device, 0);
	query_text(&q, c->profile);
	query_text(&q, c->ca);
	query_blob(&q, c->subject);
	query_blob(&q, c->san);
	query_blob(&q, c->spki);
	query_blob(&q, c->spki_sha256);
	query_blob(&q, c->order_key);
	query_text(&q, c->identity);
	query_int(&q, c->not_before);
	query_int(&q, c->not_after);
	query_int(&q, c->ordered_at);
	if ((e = query_run(&q)) != MST_OK)
		return e;
	c->id = db_last_id(db);
	c->state = CERT_ORDERED;
	return MST_OK;
}

/* The same bytes twice is the same fact; other bytes are not. */
static mst_err
issued_before(struct db *db, int64_t id, mst_span der)
{
	struct query q;
	bool same = false;
	mst_err e;

	query_init(&q, db, "SELECT der FROM cert_issue WHERE id = ?1");
	query_int(&q, id);
	if (query_row(&q))
		same = mst_span_eq(row_blob_borrow(&q), der);
	if ((e = query_end(&q)) != MST_OK)
		return e;
	return same ? MST_OK : MST_E_CONFLICT;
}

mst_err
cert_issued(struct db *db, int64_t id, mst_span der, int64_t now)
{
	struct query q;
	mst_err e;

	query_init(&q, db, "INSERT INTO cert_issue(id, issued_at, der) VALUES(?1, ?2, ?3)");
	query_int(&q, id);
	query_int(&q, now);
	query_blob(&q, der);
	e = query_run(&q);
	return e == MST_E_CONFLICT ? issued_before(db, id, der) : e;
}

mst_err
cert_revoke(struct db *db, mst_span serial, int reason, int64_t now)
{
	struct query q;
	int64_t before = db_changes(db);
	mst_err e;

	/* An ORDERED one too: a crash may have come after its signature. */
	query_init(&q, db,
	    "INSERT INTO cert_revocation(id, ca, serial, not_after, revoked_at, reason)"
	    " SELECT id, ca, serial, not_after, ?2, ?3 FROM cert WHERE serial = ?1");
	query_blob(&q, serial);
	query_int(&q, now);
	query_int(&q, reason);
	if ((e = query_run(&q)) != MST_OK)
		return e;
	return db_changes(db) == before ? MST_E_NOT_FOUND : MST_OK;
}

#define LIVE                                                                                       \
	" AND not_after >= ?1 AND NOT EXISTS (SELECT 1 FROM cert_revocation r WHERE r.id = "       \
	"cert.id)"
#define REVOKE                                                                                     \
	"INSERT INTO cert_revocation(id, ca, serial, not_after, revoked_at, reason)"               \
	" SELECT id, ca, serial, not_after, ?1, ?2 FROM cert WHERE id <> ?3"

static mst_err
run_counted(struct query *q, struct db *db, size_t *count)
{
	int64_t before = db_changes(db);
	mst_err e = query_run(q);

	if (e == MST_OK)
		*count = (size_t)(db_changes(db) - before);
	return e;
}

mst_err
cert_revoke_owner(
    struct db *db, const struct cert_owner *o, int64_t keep, int reason, int64_t now, size_t *count)
{
	struct query q;

	if (o->device != 0) {
		query_init(&q, db, REVOKE LIVE " AND device = ?4");
	} else {
		query_init(&q, db, REVOKE LIVE " AND device IS NULL AND identity = ?4");
	}
	query_int(&q, now);
	query_int(&q, reason);
	query_int(&q, keep);
	if (o->device != 0)
		query_int(&q, o->device);
	else
		query_text(&q, o->identity);
	return run_counted(&q, db, count);
}

mst_err
cert_supersede(struct db *db, int64_t device, const char *ca, int64_t keep, int64_t voucher_at,
    int64_t now, size_t *count)
{
	struct query q;

	query_init(&q, db, REVOKE LIVE " AND device = ?4 AND (ca = ?5 OR ordered_at < ?6)");
	query_int(&q, now);
	query_int(&q, SUPERSEDED);
	query_int(&q, keep);
	query_int(&q, device);
	query_text(&q, ca);
	query_int(&q, voucher_at);
	return run_counted(&q, db, count);
}

mst_err
cert_revoked_since(struct db *db, const char *ca, int64_t since, bool *out)
{
	struct query q;
	int64_t n;
	mst_err e;

	query_init(&q, db,
	    "SELECT EXISTS (SELECT 1 FROM cert_revocation WHERE ca = ?1 AND revoked_at >= ?2)");
	query_text(&q, ca);
	query_int(&q, since);
	if ((e = query_one_int(&q, &n)) == MST_OK)
		*out = n != 0;
	return e;
}

/* --- plain clients that are shut out --- */

mst_err
barred_add(struct db *db, const struct barred *b)
{
	struct query q;

	query_init(&q, db, "INSERT INTO barred(owner, at, by, reason) VALUES(?1, ?2, ?3, ?4)");
	query_text(&q, b->owner);
	query_int(&q, b->at);
	query_text(&q, b->by);
	query_text(&q, b->reason);
	return query_run(&q);
}

mst_err
barred_delete(struct db *db, const char *owner)
{
	struct query q;
	int64_t before = db_changes(db);
	mst_err e;

	query_init(&q, db, "DELETE FROM barred WHERE owner = ?1");
	query_text(&q, owner);
	if ((e = query_run(&q)) != MST_OK)
		return e;
	return db_changes(db) == before ? MST_E_NOT_FOUND : MST_OK;
}

mst_err
barred_find(struct db *db, const char *owner, bool *out)
{
	struct query q;
	int64_t n;
	mst_err e;

	query_init(&q, db, "SELECT EXISTS (SELECT 1 FROM barred WHERE owner = ?1)");
	query_text(&q, owner);
	if ((e = query_one_int(&q, &n)) == MST_OK)
		*out = n != 0;
	return e;
}

mst_err
barred_list(struct db *db, struct arena *a, struct barred **out, size_t *count)
{
	struct barred *rows = NULL, *b;
	struct query q;
	size_t n = 0;
	mst_err e;

	query_init(&q, db, "SELECT owner, at, by, reason FROM barred ORDER BY owner");
	while (query_row(&q)) {
		if ((rows = rows_add(&q, a, rows, &n, sizeof(*rows))) == NULL)
			break;
		b = &rows[n - 1];
		b->owner = row_text(&q, a);
		b->at = row_int(&q);
		b->by = row_text(&q, a);
		b->reason = row_text(&q, a);
	}
	if ((e = query_end(&q)) != MST_OK)
		return e;
	*out = rows;
	*count = n;
	return MST_OK;
}

mst_err
cert_rows(struct db *db, struct arena *a, int64_t device, int64_t before, size_t limit,
    struct cert_row **out, size_t *count)
{
	struct cert_row *rows = NULL;
	struct query q;
	size_t n = 0;
	mst_err e;

	if (device == 0) {
		query_init(&q, db, COLUMNS " WHERE c.id < ?1 ORDER BY c.id DESC");
	} else {
		query_init(&q, db, COLUMNS " WHERE c.id < ?1 AND c.device = ?2 ORDER BY c.id DESC");
	}
	query_int(&q, before == 0 ? INT64_MAX : before);
	if (device != 0)
		query_int(&q, device);
	while (n < limit && query_row(&q)) {
		if ((rows = rows_add(&q, a, rows, &n, sizeof(*rows))) == NULL)
			break;
		read_row(&q, a, &rows[n - 1]);
	}
	if ((e = query_end(&q)) != MST_OK)
		return e;
	*out = rows;
	*count = n;
	return MST_OK;
}

mst_err
cert_revoked(struct db *db, struct arena *a, const char *ca, int64_t now, struct cert_row **out,
    size_t *count)
{
	struct cert_row *rows = NULL, *c;
	struct query q;
	size_t n = 0;
	mst_err e;

	query_init(&q, db,
	    "SELECT id, serial, revoked_at, reason, not_after FROM cert_revocation"
	    " WHERE ca = ?1 AND not_after >= ?2 ORDER BY id");
	query_text(&q, ca);
	query_int(&q, now);
	while (query_row(&q)) {
		if ((rows = rows_add(&q, a, rows, &n, sizeof(*rows))) == NULL)
			break;
		c = &rows[n - 1];
		c->id = row_int(&q);
		c->serial = row_blob(&q, a);
		c->revoked_at = row_int(&q);
		c->revoke_reason = (int)row_int(&q);
		c->not_after = row_int(&q);
		c->state = CERT_REVOKED;
	}
	if ((e = query_end(&q)) != MST_OK)
		return e;
	*out = rows;
	*count = n;
	return MST_OK;
}

#define CRLS_KEPT 32

mst_err
crl_put(struct db *db, const char *ca, const struct crl_row *c)
{
	struct query q;
	int64_t newest;
	mst_err e;

	/* RFC 5280 5.2.3: numbers increase. */
	query_init(&q, db, "SELECT ifnull(max(number), -1) FROM crl WHERE ca = ?1");
	query_text(&q, ca);
	if ((e = query_one_int(&q, &newest)) != MST_OK)
		return e;
	if (c->number <= newest)
		return MST_E_CONFLICT;
	query_init(&q, db, "INSERT INTO crl VALUES(?1, ?2, ?3, ?4, ?5)");
	query_text(&q, ca);
	query_int(&q, c->number);
	query_int(&q, c->this_update);
	query_int(&q, c->next_update);
	query_blob(&q, c->der);
	if ((e = query_run(&q)) != MST_OK)
		return e;
	query_init(&q, db, "DELETE FROM crl WHERE ca = ?1 AND number <= ?2");
	query_text(&q, ca);
	query_int(&q, c->number - CRLS_KEPT);
	return query_run(&q);
}

mst_err
crl_latest(struct db *db, struct arena *a, const char *ca, struct crl_row *out)
{
	struct crl_row c = { 0 };
	struct query q;
	bool found;
	mst_err e;

	query_init(&q, db,
	    "SELECT number, this_update, next_update, der FROM crl WHERE ca = ?1"
	    " ORDER BY number DESC LIMIT 1");
	query_text(&q, ca);
	if ((found = query_row(&q))) {
		c.number = row_int(&q);
		c.this_update = row_int(&q);
		c.next_update = row_int(&q);
		c.der = row_blob(&q, a);
	}
	if ((e = query_end(&q)) != MST_OK)
		return e;
	if (!found)
		return MST_E_NOT_FOUND;
	*out = c;
	return MST_OK;
}
