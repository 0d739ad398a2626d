/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/store/db.h"
#include "server/store/store_device.h"

#define COLUMNS                                                                                    \
	"SELECT id, ifnull(manufacturer, 0), serial, state, idevid_issuer, idevid_spki_sha256,"    \
	" decision, decided_by, decision_reason, first_seen, last_seen, decided_at,"               \
	" voucher_status, enroll_status, audit_verdict, audit_words, audit_override, voucher_at,"  \
	" trace FROM device"

static const char *
expects_after_voucher(const struct device *d)
{
	if (d->voucher_status == 0)
		return "the device refused its voucher and starts anew";
	if (d->voucher_status < 0)
		return "the device reports its verdict on the voucher";
	if (d->audit_verdict < 0 && d->audit_override != 1)
		return "the registrar fetches and judges the audit log";
	if (d->audit_verdict == 0 && d->audit_override != 1)
		return "waits for an operator: the audit log was judged bad";
	return "the device enrols";
}

/* What a person reads under "next" in `muster device show`. */
static const char *
expects(struct arena *a, const struct device *d)
{
	if (d->decision < 0)
		return "nothing: refused by an operator";
	switch (d->state) {
	case DEVICE_PLANNED: return "waits for the device to appear";
	case DEVICE_SEEN: return "waits for the device to ask again";
	case DEVICE_PENDING:
		if (d->decision > 0)
			return "waits for the device to ask again: it is accepted";
		return arena_printf(a, "waits for an operator: muster device accept %.*s",
		    (int)d->serial.len, (const char *)d->serial.ptr);
	case DEVICE_VOUCHER: return expects_after_voucher(d);
	case DEVICE_ENROLLED:
		return d->enroll_status == 0 ? "the device reported that its enrolment failed "
		                               "and tries again"
		                             : "the device reports its enrolment";
	case DEVICE_ACTIVE: return "nothing: the device renews its certificate by itself";
	case DEVICE_STALE: return "the device renews its certificate or starts anew";
	case DEVICE_QUARANTINED:
		return arena_printf(a,
		    "waits for an operator: muster device accept %.*s, or reject",
		    (int)d->serial.len, (const char *)d->serial.ptr);
	case DEVICE_REVOKED: return "nothing: its certificate is revoked";
	case DEVICE_RETIRED: return "nothing: out of service";
	case DEVICE_STATE_COUNT: break;
	}
	return "";
}

static void
read_row(struct query *q, struct arena *a, struct device *d)
{
	d->id = row_int(q);
	d->manufacturer = row_int(q);
	d->serial = row_blob(q, a);
	d->state = device_state_find(row_text_borrow(q));
	d->idevid_issuer = row_blob(q, a);
	d->idevid_spki_sha256 = row_blob(q, a);
	d->decision = (int)row_int(q);
	d->decided_by = row_text(q, a);
	d->decision_reason = row_text(q, a);
	d->first_seen = row_int(q);
	d->last_seen = row_int(q);
	d->decided_at = row_int(q);
	d->voucher_status = (int)row_int(q);
	d->enroll_status = (int)row_int(q);
	d->audit_verdict = (int)row_int(q);
	d->audit_words = row_text(q, a);
	d->audit_override = (int)row_int(q);
	d->voucher_at = row_int(q);
	d->trace = row_text(q, a);
	if (d->state == DEVICE_STATE_COUNT)
		query_fail(q, MST_E_STORE_CORRUPT); /* a word that no version wrote */
	else if ((d->expects = expects(a, d)) == NULL)
		query_fail(q, MST_E_NOMEM);
}

static mst_err
read_one(struct query *q, struct arena *a, struct device *out)
{
	struct device d = { 0 };
	bool found = query_row(q);
	mst_err e;

	if (found)
		read_row(q, a, &d);
	if ((e = query_end(q)) != MST_OK)
		return e;
	if (!found)
		return MST_E_NOT_FOUND;
	*out = d;
	return MST_OK;
}

static mst_err
read_rows(struct query *q, struct arena *a, struct device **out, size_t *count)
{
	struct device *rows = NULL;
	size_t n = 0;
	mst_err e;

	while (query_row(q)) {
		if ((rows = rows_add(q, a, rows, &n, sizeof(*rows))) == NULL)
			break;
		read_row(q, a, &rows[n - 1]);
	}
	if ((e = query_end(q)) != MST_OK)
		return e;
	*out = rows;
	*count = n;
	return MST_OK;
}

static mst_err
only_one(struct query *q, struct arena *a, struct device *out)
{
	struct device *rows;
	size_t n;
	mst_err e = read_rows(q, a, &rows, &n);

	if (e != MST_OK)
		return e;
	if (n != 1)
		return n == 0 ? MST_E_NOT_FOUND : MST_E_CONFLICT;
	*out = rows[0];
	return MST_OK;
}

mst_err
device_find(struct db *db, struct arena *a, int64_t manufacturer, mst_span serial, mst_span issuer,
    struct device *out)
{
	struct query q;

	if (issuer.ptr == NULL) {
		query_init(
		    &q, db, COLUMNS " WHERE serial = ?1 AND ifnull(manufacturer, 0) = ?2 LIMIT 2");
		query_blob(&q, serial);
		query_int(&q, manufacturer);
		return only_one(&q, a, out);
	}
	query_init(&q, db,
	    COLUMNS " WHERE serial = ?1 AND ifnull(manufacturer, 0) = ?2"
	            " AND (idevid_issuer = ?3 OR idevid_issuer IS NULL)"
	            " ORDER BY idevid_issuer IS NULL LIMIT 1");
	query_blob(&q, serial);
	query_int(&q, manufacturer);
	query_blob(&q, issuer);
	return read_one(&q, a, out);
}

static mst_err
insert_seen(struct db *db, int64_t manufacturer, mst_span serial, mst_span issuer, int64_t now)
{
	struct query q;

	query_init(&q, db,
	    "INSERT INTO device(manufacturer, serial, state, idevid_issuer, first_seen, last_seen)"
	    " VALUES(?1, ?2, ?3, ?4, ?5, ?5)");
	query_int_or_null(&q, manufacturer, 0);
	query_blob(&q, serial);
	query_text(&q, device_state_word(DEVICE_SEEN));
	query_blob(&q, issuer);
	query_int(&q, now);
	return query_run(&q);
}

mst_err
device_touch(struct db *db, struct arena *a, int64_t manufacturer, mst_span serial, mst_span issuer,
    int64_t now, struct device *out, bool *created)
{
	mst_err e = device_find(db, a, manufacturer, serial, issuer, out);
	bool is_new = e == MST_E_NOT_FOUND;

	if (is_new && (e = insert_seen(db, manufacturer, serial, issuer, now)) == MST_OK)
		e = device_by_id(db, a, db_last_id(db), out);
	if (e != MST_OK)
		return e;
	if (out->idevid_issuer.ptr == NULL)
		out->idevid_issuer = issuer;
	*created = is_new;
	return MST_OK;
}

mst_err
device_namesakes(
    struct db *db, struct arena *a, mst_span serial, struct device **out, size_t *count)
{
	struct query q;

	query_init(&q, db, COLUMNS " WHERE serial = ?1 ORDER BY id");
	query_blob(&q, serial);
	return read_rows(&q, a, out, count);
}

mst_err
device_by_serial(struct db *db, struct arena *a, mst_span serial, struct device *out)
{
	struct query q;

	query_init(&q, db, COLUMNS " WHERE serial = ?1 LIMIT 2");
	query_blob(&q, serial);
	return only_one(&q, a, out);
}

mst_err
device_twin(struct db *db, mst_span serial, int64_t id, int64_t *out)
{
	struct query q;

	query_init(&q, db,
	    "SELECT CASE WHEN EXISTS(SELECT 1 FROM device WHERE serial = ?1 AND id < ?2) THEN ?2 "
	    "ELSE 0 END");
	query_blob(&q, serial);
	query_int(&q, id);
	return query_one_int(&q, out);
}

mst_err
device_by_id(struct db *db, struct arena *a, int64_t id, struct device *out)
{
	struct query q;

	query_init(&q, db, COLUMNS " WHERE id = ?1");
	query_int(&q, id);
	return read_one(&q, a, out);
}

mst_err
device_save(struct db *db, const struct device *d)
{
	struct query q;
	int64_t before = db_changes(db);
	mst_err e;

	query_init(&q, db,
	    "UPDATE device SET state = ?, idevid_issuer = ?, idevid_spki_sha256 = ?, decision = ?,"
	    " decided_by = ?, decision_reason = ?, first_seen = ?, last_seen = ?, decided_at = ?,"
	    " voucher_status = ?, enroll_status = ?, audit_verdict = ?, audit_words = ?,"
	    " audit_override = ?, voucher_at = ?, trace = ? WHERE id = ?");
	query_text(&q, device_state_word(d->state));
	query_blob(&q, d->idevid_issuer);
	query_blob(&q, d->idevid_spki_sha256);
	query_int(&q, d->decision);
	query_text(&q, d->decided_by);
	query_text(&q, d->decision_reason);
	query_int(&q, d->first_seen);
	query_int(&q, d->last_seen);
	query_int(&q, d->decided_at);
	query_int(&q, d->voucher_status);
	query_int(&q, d->enroll_status);
	query_int(&q, d->audit_verdict);
	query_text(&q, d->audit_words);
	query_int(&q, d->audit_override);
	query_int(&q, d->voucher_at);
	query_text(&q, d->trace);
	query_int(&q, d->id);
	if ((e = query_run(&q)) != MST_OK)
		return e;
	return db_changes(db) == before ? MST_E_NOT_FOUND : MST_OK;
}

/*
 * Several devices may share a serial number, so a page may end between two
 * such rows; `after` by serial alone would skip the second. A page therefore
 * takes in all rows of its last serial, and limit is a wish of one or two more.
 */
mst_err
device_list(struct db *db, struct arena *a, enum device_state state, mst_span after, size_t limit,
    struct device **out, size_t *count)
{
	struct device *rows = NULL;
	struct query q;
	size_t n = 0;
	mst_err e;

	if (state == DEVICE_STATE_COUNT) {
		query_init(
		    &q, db, COLUMNS " WHERE serial > ?1 ORDER BY serial, ifnull(manufacturer, 0)");
	} else {
		query_init(&q, db, COLUMNS " WHERE serial > ?1 AND state = ?2 ORDER BY serial, id");
	}
	query_blob(&q, after.ptr == NULL ? MST_LIT("") : after);
	if (state != DEVICE_STATE_COUNT)
		query_text(&q, device_state_word(state));
	while (limit != 0 && query_row(&q)) {
		struct device d = { 0 };
		read_row(&q, a, &d);
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
device_count(struct db *db, enum device_state state, int64_t *out)
{
	struct query q;

	if (state == DEVICE_STATE_COUNT) {
		query_init(&q, db, "SELECT ifnull(sum(n), 0) FROM device_count");
	} else {
		query_init(
		    &q, db, "SELECT ifnull((SELECT n FROM device_count WHERE state = ?1), 0)");
		query_text(&q, device_state_word(state));
	}
	return query_one_int(&q, out);
}
