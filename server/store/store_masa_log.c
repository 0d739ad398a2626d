/* SPDX-License-Identifier: Apache-2.0 */
/* The voucher log (AUD-7, SEC-1): entries and vouchers, each a hash chain of its own (chain.h). */
#include <openssl/sha.h>
#include <string.h>

#include "server/store/chain.h"
#include "server/store/store_masa.h"

#define LOG "masa_log"
#define VOUCHER "masa_voucher"

#define COLUMNS                                                                                    \
	"SELECT l.seq, l.at, l.device, ifnull(l.customer, 0), l.rvr_sha256, l.pvr_sha256,"         \
	" l.pin_sha256, l.domain_id, l.nonce, l.assertion, l.expires_on, l.client, l.source,"      \
	" l.hash, v.voucher, v.voucher_sha256"                                                     \
	" FROM masa_log l LEFT JOIN masa_voucher v ON v.entry = l.seq"

static size_t
len_of(const char *s)
{
	return s == NULL ? 0 : strlen(s);
}

static void
link_entry(struct link *l, mst_span prev, const struct masa_entry *e)
{
	link_init(l, prev, 13,
	    e->rvr_sha256.len + e->pvr_sha256.len + e->pin_sha256.len + e->domain_id.len +
	        e->nonce.len + len_of(e->client) + len_of(e->source));
	link_int(l, e->seq);
	link_int(l, e->at);
	link_int(l, e->device);
	link_int_or_null(l, e->customer, 0);
	link_blob(l, e->rvr_sha256);
	link_blob(l, e->pvr_sha256);
	link_blob(l, e->pin_sha256);
	link_blob(l, e->domain_id);
	link_blob(l, e->nonce);
	link_int(l, (int64_t)e->assertion);
	link_int_or_null(l, e->expires_on, MST_NO_TIME);
	link_text(l, e->client);
	link_text(l, e->source);
}

static mst_err
insert_entry(struct db *db, const struct masa_entry *m, mst_span hash)
{
	struct query q;

	query_init(&q, db, "INSERT INTO masa_log VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
	query_int(&q, m->seq);
	query_int(&q, m->at);
	query_int(&q, m->device);
	query_int_or_null(&q, m->customer, 0);
	query_blob(&q, m->rvr_sha256);
	query_blob(&q, m->pvr_sha256);
	query_blob(&q, m->pin_sha256);
	query_blob(&q, m->domain_id);
	query_blob(&q, m->nonce);
	query_int(&q, (int64_t)m->assertion);
	query_int_or_null(&q, m->expires_on, MST_NO_TIME);
	query_text(&q, m->client);
	query_text(&q, m->source);
	query_blob(&q, hash);
	return query_run(&q);
}

mst_err
masa_log_add(struct db *db, struct masa_entry *m)
{
	uint8_t hash[CHAIN_HASH];
	struct masa_entry row = *m;
	struct link l;
	mst_err e;

	if ((e = chain_head(db, LOG, &row.seq, hash)) != MST_OK)
		return e;
	row.seq++;
	link_entry(&l, mst_span_of(hash, CHAIN_HASH), &row);
	if ((e = link_end(&l, hash)) != MST_OK ||
	    (e = insert_entry(db, &row, mst_span_of(hash, CHAIN_HASH))) != MST_OK ||
	    (e = chain_advance(db, LOG, row.seq, hash)) != MST_OK)
		return e;
	m->seq = row.seq;
	return MST_OK;
}

/* MST_OK: the same voucher is there; MST_E_CONFLICT: another; MST_E_NOT_FOUND: none. */
static mst_err
voucher_before(struct db *db, int64_t seq, mst_span voucher)
{
	struct query q;
	bool found, same = false;
	mst_err e;

	query_init(&q, db, "SELECT voucher FROM masa_voucher WHERE entry = ?1");
	query_int(&q, seq);
	if ((found = query_row(&q)))
		same = mst_span_eq(row_blob_borrow(&q), voucher);
	if ((e = query_end(&q)) != MST_OK)
		return e;
	if (!found)
		return MST_E_NOT_FOUND;
	return same ? MST_OK : MST_E_CONFLICT;
}

static mst_err
entry_hash(struct db *db, int64_t seq, uint8_t hash[CHAIN_HASH])
{
	struct query q;
	bool found;
	mst_span got;
	mst_err e;

	query_init(&q, db, "SELECT hash FROM masa_log WHERE seq = ?1");
	query_int(&q, seq);
	if ((found = query_row(&q))) {
		got = row_blob_borrow(&q);
		if (got.len == CHAIN_HASH)
			memcpy(hash, got.ptr, CHAIN_HASH);
		else
			query_fail(&q, MST_E_STORE_CHAIN);
	}
	if ((e = query_end(&q)) != MST_OK)
		return e;
	return found ? MST_OK : MST_E_NOT_FOUND;
}

static void
link_voucher(struct link *l, mst_span prev, int64_t n, int64_t entry, mst_span entry_hash,
    mst_span voucher_sha256)
{
	link_init(l, prev, 4, entry_hash.len + voucher_sha256.len);
	link_int(l, n);
	link_int(l, entry);
	link_blob(l, entry_hash);
	link_blob(l, voucher_sha256);
}

static mst_err
insert_voucher(struct db *db, int64_t seq, mst_span voucher, const uint8_t of_entry[CHAIN_HASH])
{
	uint8_t hash[CHAIN_HASH], sha[SHA256_DIGEST_LENGTH];
	struct query q;
	struct link l;
	int64_t n;
	mst_err e;

	if (SHA256(voucher.ptr, voucher.len, sha) == NULL)
		return MST_E_INTERNAL;
	if ((e = chain_head(db, VOUCHER, &n, hash)) != MST_OK)
		return e;
	n++;
	link_voucher(&l, mst_span_of(hash, CHAIN_HASH), n, seq, mst_span_of(of_entry, CHAIN_HASH),
	    mst_span_of(sha, sizeof(sha)));
	if ((e = link_end(&l, hash)) != MST_OK)
		return e;
	query_init(&q, db, "INSERT INTO masa_voucher VALUES(?,?,?,?,?)");
	query_int(&q, n);
	query_int(&q, seq);
	query_blob(&q, voucher);
	query_blob(&q, mst_span_of(sha, sizeof(sha)));
	query_blob(&q, mst_span_of(hash, CHAIN_HASH));
	if ((e = query_run(&q)) != MST_OK)
		return e;
	return chain_advance(db, VOUCHER, n, hash);
}

mst_err
masa_log_voucher(struct db *db, int64_t seq, mst_span voucher)
{
	uint8_t hash[CHAIN_HASH];
	mst_err e;

	if ((e = voucher_before(db, seq, voucher)) != MST_E_NOT_FOUND)
		return e;
	if ((e = entry_hash(db, seq, hash)) != MST_OK)
		return e;
	return insert_voucher(db, seq, voucher, hash);
}

static void
read_entry(struct query *q, struct arena *a, struct masa_entry *m)
{
	m->seq = row_int(q);
	m->at = row_int(q);
	m->device = row_int(q);
	m->customer = row_int(q);
	m->rvr_sha256 = row_blob(q, a);
	m->pvr_sha256 = row_blob(q, a);
	m->pin_sha256 = row_blob(q, a);
	m->domain_id = row_blob(q, a);
	m->nonce = row_blob(q, a);
	m->assertion = (enum mst_assertion)row_int(q);
	m->expires_on = row_int_or(q, MST_NO_TIME);
	m->client = row_text(q, a);
	m->source = row_text(q, a);
	(void)row_blob_borrow(q); /* hash */
	m->voucher = row_blob(q, a);
	m->voucher_sha256 = row_blob(q, a);
}

mst_err
masa_log_by_rvr(struct db *db, struct arena *a, mst_span rvr_sha256, struct masa_entry *out)
{
	struct masa_entry m = { 0 };
	struct query q;
	bool found;
	mst_err e;

	query_init(&q, db, COLUMNS " WHERE l.rvr_sha256 = ?1");
	query_blob(&q, rvr_sha256);
	if ((found = query_row(&q)))
		read_entry(&q, a, &m);
	if ((e = query_end(&q)) != MST_OK)
		return e;
	if (!found)
		return MST_E_NOT_FOUND;
	*out = m;
	return MST_OK;
}

mst_err
masa_log_list(
    struct db *db, struct arena *a, int64_t device, struct masa_entry **out, size_t *count)
{
	struct masa_entry *rows = NULL;
	struct query q;
	size_t n = 0;
	mst_err e;

	query_init(&q, db, COLUMNS " WHERE l.device = ?1 ORDER BY l.seq");
	query_int(&q, device);
	while (query_row(&q)) {
		if ((rows = rows_add(&q, a, rows, &n, sizeof(*rows))) == NULL)
			break;
		read_entry(&q, a, &rows[n - 1]);
	}
	if ((e = query_end(&q)) != MST_OK)
		return e;
	*out = rows;
	*count = n;
	return MST_OK;
}

static void
link_stored_entry(struct query *q, mst_span prev, struct link *l)
{
	struct masa_entry m = { 0 };

	m.seq = row_int(q);
	m.at = row_int(q);
	m.device = row_int(q);
	m.customer = row_int(q);
	m.rvr_sha256 = row_blob_borrow(q);
	m.pvr_sha256 = row_blob_borrow(q);
	m.pin_sha256 = row_blob_borrow(q);
	m.domain_id = row_blob_borrow(q);
	m.nonce = row_blob_borrow(q);
	m.assertion = (enum mst_assertion)row_int(q);
	m.expires_on = row_int_or(q, MST_NO_TIME);
	m.client = row_text_borrow(q);
	m.source = row_text_borrow(q);
	link_entry(l, prev, &m);
}

/* The stored SHA-256 must be the voucher's own: it is what the link covers. */
static void
link_stored_voucher(struct query *q, mst_span prev, struct link *l)
{
	uint8_t sha[SHA256_DIGEST_LENGTH] = { 0 };
	int64_t n = row_int(q), entry = row_int(q);
	mst_span of_entry = row_blob_borrow(q), voucher = row_blob_borrow(q);

	(void)SHA256(voucher.ptr, voucher.len, sha);
	if (!mst_span_eq(row_blob_borrow(q), mst_span_of(sha, sizeof(sha))))
		query_fail(q, MST_E_STORE_CHAIN);
	link_voucher(l, prev, n, entry, of_entry, mst_span_of(sha, sizeof(sha)));
}

mst_err
masa_log_verify(struct db *db)
{
	mst_err e = chain_walk(db, LOG,
	    "SELECT seq, at, device, customer, rvr_sha256, pvr_sha256, pin_sha256, domain_id,"
	    " nonce, assertion, expires_on, client, source, hash FROM masa_log ORDER BY seq",
	    link_stored_entry);

	if (e != MST_OK)
		return e;
	return chain_walk(db, VOUCHER,
	    "SELECT v.n, v.entry, l.hash, v.voucher, v.voucher_sha256, v.hash FROM masa_voucher v"
	    " LEFT JOIN masa_log l ON l.seq = v.entry ORDER BY v.n",
	    link_stored_voucher);
}
