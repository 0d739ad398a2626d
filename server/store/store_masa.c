/* SPDX-License-Identifier: Apache-2.0 */
/* Devices made and customers. The voucher log is in store_masa_log.c. */
#include "server/store/db.h"
#include "server/store/store_masa.h"

#define DEVICE                                                                                     \
	"SELECT id, serial, idevid_issuer, idevid_cert, spki_sha256, product, customer, state,"    \
	" state_reason, made_at FROM masa_device"

static void
read_device(struct query *q, struct arena *a, struct masa_device *d)
{
	d->id = row_int(q);
	d->serial = row_blob(q, a);
	d->idevid_issuer = row_blob(q, a);
	d->idevid_cert = row_blob(q, a);
	d->spki_sha256 = row_blob(q, a);
	d->product = row_text(q, a);
	d->customer = row_int(q);
	d->state = (enum masa_device_state)row_int(q);
	d->state_reason = row_text(q, a);
	d->made_at = row_int(q);
}

mst_err
masa_device_add(struct db *db, struct masa_device *d)
{
	struct query q;
	mst_err e;

	query_init(&q, db,
	    "INSERT INTO masa_device(serial, idevid_issuer, idevid_cert, spki_sha256, product,"
	    " customer, state, state_reason, made_at) VALUES(?,?,?,?,?,?,?,?,?)");
	query_blob(&q, d->serial);
	query_blob(&q, d->idevid_issuer);
	query_blob(&q, d->idevid_cert);
	query_blob(&q, d->spki_sha256);
	query_text(&q, d->product);
	query_int_or_null(&q, d->customer, 0);
	query_int(&q, (int64_t)d->state);
	query_text(&q, d->state_reason);
	query_int(&q, d->made_at);
	if ((e = query_run(&q)) == MST_OK)
		d->id = db_last_id(db);
	return e;
}

/* One row wanted; two are a conflict. */
static mst_err
read_one_device(struct query *q, struct arena *a, struct masa_device *out)
{
	struct masa_device d = { 0 };
	size_t n = 0;
	mst_err e;

	while (query_row(q))
		if (n++ == 0)
			read_device(q, a, &d);
	if ((e = query_end(q)) != MST_OK)
		return e;
	if (n != 1)
		return n == 0 ? MST_E_NOT_FOUND : MST_E_CONFLICT;
	*out = d;
	return MST_OK;
}

mst_err
masa_device_find(
    struct db *db, struct arena *a, mst_span serial, mst_span issuer, struct masa_device *out)
{
	struct query q;

	query_init(&q, db, DEVICE " WHERE serial = ?1 AND idevid_issuer = ?2");
	query_blob(&q, serial);
	query_blob(&q, issuer);
	return read_one_device(&q, a, out);
}

mst_err
masa_device_by_serial(struct db *db, struct arena *a, mst_span serial, struct masa_device *out)
{
	struct query q;

	query_init(&q, db, DEVICE " WHERE serial = ?1 LIMIT 2");
	query_blob(&q, serial);
	return read_one_device(&q, a, out);
}

mst_err
masa_device_by_id(struct db *db, struct arena *a, int64_t id, struct masa_device *out)
{
	struct query q;

	query_init(&q, db, DEVICE " WHERE id = ?1");
	query_int(&q, id);
	return read_one_device(&q, a, out);
}

mst_err
masa_device_save(struct db *db, const struct masa_device *d)
{
	struct query q;
	int64_t before = db_changes(db);
	mst_err e;

	query_init(&q, db,
	    "UPDATE masa_device SET customer = ?, state = ?, state_reason = ? WHERE id = ?");
	query_int_or_null(&q, d->customer, 0);
	query_int(&q, (int64_t)d->state);
	query_text(&q, d->state_reason);
	query_int(&q, d->id);
	if ((e = query_run(&q)) != MST_OK)
		return e;
	return db_changes(db) == before ? MST_E_NOT_FOUND : MST_OK;
}

/* A page takes in all rows of its last serial, as device_list does. */
mst_err
masa_device_list(struct db *db, struct arena *a, mst_span after, size_t limit,
    struct masa_device **out, size_t *count)
{
	struct masa_device *rows = NULL;
	struct query q;
	size_t n = 0;
	mst_err e;

	query_init(&q, db, DEVICE " WHERE serial > ?1 ORDER BY serial, idevid_issuer");
	query_blob(&q, after.ptr == NULL ? MST_LIT("") : after);
	while (limit != 0 && query_row(&q)) {
		struct masa_device d = { 0 };
		read_device(&q, a, &d);
		if (n >= limit && !mst_span_eq(d.serial, rows[n - 1].serial))
			break;
		if ((rows = rows_add(&q, a, rows, &n, sizeof(*rows))) == NULL)
			break;
		rows[n - 1] = d;
	}
	if ((e = query_end(&q)) != MST_OK)
		return e;
	*out = rows;
	*count = n;
	return MST_OK;
}

mst_err
masa_customer_put(struct db *db, struct masa_customer *c)
{
	struct query q;
	int64_t id;
	mst_err e;

	query_init(&q, db,
	    "INSERT INTO masa_customer(name, anchors_pem, user, password_hash, nonceless,"
	    " hard_revocation, crl_pem) VALUES(?,?,?,?,?,?,?) ON CONFLICT(name) DO UPDATE SET"
	    " anchors_pem = excluded.anchors_pem, user = excluded.user,"
	    " password_hash = excluded.password_hash, nonceless = excluded.nonceless,"
	    " hard_revocation = excluded.hard_revocation, crl_pem = excluded.crl_pem RETURNING id");
	query_text(&q, c->name);
	query_blob(&q, c->anchors_pem);
	query_text(&q, c->user);
	query_text(&q, c->password_hash);
	query_int(&q, c->nonceless ? 1 : 0);
	query_int(&q, c->hard_revocation ? 1 : 0);
	query_blob(&q, c->crl_pem);
	if ((e = query_one_int(&q, &id)) == MST_OK)
		c->id = id;
	return e;
}

#define CUSTOMER                                                                                   \
	"SELECT id, name, anchors_pem, user, password_hash, nonceless, hard_revocation, crl_pem"   \
	" FROM masa_customer"

static void
read_customer(struct query *q, struct arena *a, struct masa_customer *c)
{
	c->id = row_int(q);
	c->name = row_text(q, a);
	c->anchors_pem = row_blob(q, a);
	c->user = row_text(q, a);
	c->password_hash = row_text(q, a);
	c->nonceless = row_int(q) != 0;
	c->hard_revocation = row_int(q) != 0;
	c->crl_pem = row_blob(q, a);
}

mst_err
masa_customer_list(struct db *db, struct arena *a, struct masa_customer **out, size_t *count)
{
	struct masa_customer *rows = NULL;
	struct query q;
	size_t n = 0;
	mst_err e;

	query_init(&q, db, CUSTOMER " ORDER BY name");
	while (query_row(&q)) {
		if ((rows = rows_add(&q, a, rows, &n, sizeof(*rows))) == NULL)
			break;
		read_customer(&q, a, &rows[n - 1]);
	}
	if ((e = query_end(&q)) != MST_OK)
		return e;
	*out = rows;
	*count = n;
	return MST_OK;
}

mst_err
masa_customer_get(struct db *db, struct arena *a, const char *name, struct masa_customer *out)
{
	struct masa_customer c = { 0 };
	struct query q;
	bool found;
	mst_err e;

	query_init(&q, db, CUSTOMER " WHERE name = ?1");
	query_text(&q, name);
	if ((found = query_row(&q)))
		read_customer(&q, a, &c);
	if ((e = query_end(&q)) != MST_OK)
		return e;
	if (!found)
		return MST_E_NOT_FOUND;
	*out = c;
	return MST_OK;
}
