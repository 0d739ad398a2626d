/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/chain.h"

#include <assert.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

void
link_init(struct link *l, mst_span prev, uint64_t columns, size_t room)
{
	size_t need = CHAIN_HASH + 9 + 9 * (size_t)columns + room; /* 9: the longest CBOR head */

	assert(prev.len == CHAIN_HASH);
	l->heap = need > sizeof(l->fixed) ? malloc(need) : NULL;
	l->buf = MST_BUF(l->fixed);
	if (l->heap != NULL)
		l->buf = (struct mst_buf){ l->heap, need, 0 };
	mst_cbor_put_init(&l->w, &l->buf);
	if (need > l->buf.cap)
		l->w.err = MST_E_NOMEM;
	else
		l->w.err = mst_buf_put(&l->buf, prev);
	mst_cbor_put_array(&l->w, columns);
}

void
link_int(struct link *l, int64_t v)
{
	mst_cbor_put_int(&l->w, v);
}

void
link_int_or_null(struct link *l, int64_t v, int64_t null)
{
	if (v == null)
		mst_cbor_put_null(&l->w);
	else
		mst_cbor_put_int(&l->w, v);
}

void
link_blob(struct link *l, mst_span v)
{
	if (v.ptr == NULL)
		mst_cbor_put_null(&l->w);
	else
		mst_cbor_put_bytes(&l->w, v);
}

void
link_text(struct link *l, const char *v)
{
	link_blob(l, mst_span_str(v)); /* not as text: a peer's words need not be UTF-8 */
}

mst_err
link_end(struct link *l, uint8_t hash[CHAIN_HASH])
{
	mst_err e = mst_cbor_put_end(&l->w);

	if (e == MST_OK && SHA256(l->buf.ptr, l->buf.len, hash) == NULL)
		e = MST_E_INTERNAL;
	free(l->heap);
	l->heap = NULL;
	return e;
}

mst_err
chain_head(struct db *db, const char *name, int64_t *seq, uint8_t hash[CHAIN_HASH])
{
	struct query q;
	mst_span got = MST_NONE;
	int64_t at = 0;

	query_init(&q, db, "SELECT seq, hash FROM chain WHERE name = ?1");
	query_text(&q, name);
	memset(hash, 0, CHAIN_HASH);
	if (query_row(&q)) {
		at = row_int(&q);
		got = row_blob_borrow(&q);
		if (got.len == CHAIN_HASH)
			memcpy(hash, got.ptr, CHAIN_HASH);
		else
			query_fail(&q, MST_E_STORE_CHAIN);
	}
	*seq = at;
	return query_end(&q);
}

mst_err
chain_advance(struct db *db, const char *name, int64_t seq, const uint8_t hash[CHAIN_HASH])
{
	struct query q;

	query_init(&q, db,
	    "INSERT INTO chain VALUES(?1, ?2, ?3) "
	    "ON CONFLICT(name) DO UPDATE SET seq = excluded.seq, hash = excluded.hash");
	query_text(&q, name);
	query_int(&q, seq);
	query_blob(&q, mst_span_of(hash, CHAIN_HASH));
	return query_run(&q);
}

mst_err
chain_walk(struct db *db, const char *name, const char *sql, chain_row row)
{
	uint8_t prev[CHAIN_HASH] = { 0 }, hash[CHAIN_HASH], head[CHAIN_HASH];
	struct query q;
	struct link l;
	mst_span stored;
	int64_t n = 0, seq;
	mst_err e;

	query_init(&q, db, sql);
	while (query_row(&q)) {
		n++;
		seq = row_int(&q);
		q.column = 0;
		row(&q, mst_span_of(prev, CHAIN_HASH), &l);
		if ((e = link_end(&l, hash)) != MST_OK)
			query_fail(&q, e);
		stored = row_blob_borrow(&q);
		if (seq != n || !mst_span_eq(stored, mst_span_of(hash, CHAIN_HASH))) {
			db_say("%s: row %lld is not what was written", name, (long long)n);
			query_fail(&q, MST_E_STORE_CHAIN);
		}
		memcpy(prev, hash, CHAIN_HASH);
	}
	if ((e = query_end(&q)) != MST_OK || (e = chain_head(db, name, &seq, head)) != MST_OK)
		return e;
	if (seq != n || memcmp(head, prev, CHAIN_HASH) != 0) {
		db_say(
		    "%s: has %lld rows, its chain says %lld", name, (long long)n, (long long)seq);
		return MST_E_STORE_CHAIN;
	}
	return MST_OK;
}
