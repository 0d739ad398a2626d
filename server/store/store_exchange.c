/* SPDX-License-Identifier: Apache-2.0 */
/* A PVR and what came of it; and what devices and MASAs said besides. */
#include "server/store/db.h"
#include "server/store/store_device.h"

#define COLUMNS                                                                                    \
	"SELECT id, device, pvr_sha256, nonce, pvr, rvr, voucher, media, created, answered,"       \
	" result FROM exchange"

static mst_err
read_one(struct query *q, struct arena *a, struct exchange *out)
{
	struct exchange x = { 0 };
	bool found = query_row(q);
	mst_err e;

	if (found) {
		x.id = row_int(q);
		x.device = row_int(q);
		x.pvr_sha256 = row_blob(q, a);
		x.nonce = row_blob(q, a);
		x.pvr = row_blob(q, a);
		x.rvr = row_blob(q, a);
		x.voucher = row_blob(q, a);
		x.media = (enum mst_media)row_int(q);
		x.created = row_int(q);
		x.answered = row_int(q);
		x.result = (mst_err)row_int(q);
	}
	if ((e = query_end(q)) != MST_OK)
		return e;
	if (!found)
		return MST_E_NOT_FOUND;
	*out = x;
	return MST_OK;
}

mst_err
exchange_find(struct db *db, struct arena *a, mst_span pvr_sha256, struct exchange *out)
{
	struct query q;

	query_init(&q, db, COLUMNS " WHERE pvr_sha256 = ?1");
	query_blob(&q, pvr_sha256);
	return read_one(&q, a, out);
}

/* RFC 8995 5.2: a nonce is fresh for each attempt, so one that stands with other bytes is a replay.
 */
static mst_err
nonce_is_new(struct db *db, const struct exchange *x)
{
	struct query q;
	int64_t id;
	mst_err e;

	if (x->nonce.ptr == NULL)
		return MST_OK;
	query_init(&q, db,
	    "SELECT id FROM exchange WHERE device = ?1 AND nonce = ?2 AND nonce IS NOT NULL"
	    " AND pvr_sha256 <> ?3");
	query_int(&q, x->device);
	query_blob(&q, x->nonce);
	query_blob(&q, x->pvr_sha256);
	e = query_one_int(&q, &id);
	if (e == MST_E_NOT_FOUND)
		return MST_OK;
	return e == MST_OK ? MST_E_PVR_REPLAY : e;
}

mst_err
exchange_add(struct db *db, struct exchange *x)
{
	struct query q;
	mst_err e;

	if ((e = nonce_is_new(db, x)) != MST_OK)
		return e;
	query_init(&q, db,
	    "INSERT INTO exchange(device, pvr_sha256, nonce, pvr, rvr, voucher, media, created,"
	    " answered, result) VALUES(?,?,?,?,?,?,?,?,?,?)");
	query_int(&q, x->device);
	query_blob(&q, x->pvr_sha256);
	query_blob(&q, x->nonce);
	query_blob(&q, x->pvr);
	query_blob(&q, x->rvr);
	query_blob(&q, x->voucher);
	query_int(&q, (int64_t)x->media);
	query_int(&q, x->created);
	query_int(&q, x->answered);
	query_int(&q, (int64_t)x->result);
	if ((e = query_run(&q)) == MST_OK)
		x->id = db_last_id(db);
	return e;
}

mst_err
exchange_save(struct db *db, const struct exchange *x)
{
	struct query q;
	int64_t before = db_changes(db);
	mst_err e;

	query_init(&q, db,
	    "UPDATE exchange SET rvr = ?, voucher = ?, answered = ?, result = ? WHERE id = ?");
	query_blob(&q, x->rvr);
	query_blob(&q, x->voucher);
	query_int(&q, x->answered);
	query_int(&q, (int64_t)x->result);
	query_int(&q, x->id);
	if ((e = query_run(&q)) != MST_OK)
		return e;
	return db_changes(db) == before ? MST_E_NOT_FOUND : MST_OK;
}

mst_err
exchange_latest(struct db *db, struct arena *a, int64_t device, struct exchange *out)
{
	struct query q;

	query_init(&q, db, COLUMNS " WHERE device = ?1 ORDER BY id DESC LIMIT 1");
	query_int(&q, device);
	return read_one(&q, a, out);
}

/* The last of the window, and when it was touched. MST_E_NOT_FOUND: nothing is there. */
static mst_err
window_end(struct db *db, int64_t after, size_t limit, int64_t *id, int64_t *at)
{
	struct query q;
	bool found;
	mst_err e;

	query_init(&q, db,
	    "SELECT id, max(created, answered) FROM"
	    " (SELECT id, created, answered FROM exchange WHERE id > ?1 ORDER BY id LIMIT ?2)"
	    " ORDER BY id DESC LIMIT 1");
	query_int(&q, after);
	query_int(&q, (int64_t)limit);
	if ((found = query_row(&q))) {
		*id = row_int(&q);
		*at = row_int(&q);
	}
	if ((e = query_end(&q)) != MST_OK)
		return e;
	return found ? MST_OK : MST_E_NOT_FOUND;
}

mst_err
exchange_prune(
    struct db *db, int64_t before, int64_t now, size_t limit, int64_t *after, size_t *deleted)
{
	int64_t changes = db_changes(db), last, at;
	struct query q;
	mst_err e = window_end(db, *after, limit, &last, &at);

	*deleted = 0;
	if (e == MST_E_NOT_FOUND) {
		*after = 0;
		return MST_OK;
	}
	if (e != MST_OK)
		return e;
	query_init(&q, db,
	    "DELETE FROM exchange WHERE id > ?1 AND id <= ?2 AND max(created, answered) < ?3");
	query_int(&q, *after);
	query_int(&q, last);
	query_int(&q, before);
	if ((e = query_run(&q)) != MST_OK)
		return e;
	*deleted = (size_t)(db_changes(db) - changes);
	/* Ids rise with time: behind a young one there are only younger ones. */
	*after = at >= before && at <= now ? 0 : last;
	return MST_OK;
}

mst_err
telemetry_add(struct db *db, int64_t device, int64_t at, enum step step, mst_span body,
    mst_span client_sha256)
{
	struct query q;

	query_init(&q, db,
	    "INSERT INTO telemetry(device, at, step, body, client_sha256) VALUES(?,?,?,?,?)");
	query_int(&q, device);
	query_int(&q, at);
	query_text(&q, step_word(step));
	query_blob(&q, body);
	query_blob(&q, client_sha256);
	return query_run(&q);
}

mst_err
auditlog_add(
    struct db *db, int64_t device, int64_t at, mst_span json, int verdict, const char *words)
{
	struct query q;

	query_init(
	    &q, db, "INSERT INTO auditlog(device, at, json, verdict, words) VALUES(?,?,?,?,?)");
	query_int(&q, device);
	query_int(&q, at);
	query_blob(&q, json);
	query_int(&q, verdict);
	query_text(&q, words);
	return query_run(&q);
}
