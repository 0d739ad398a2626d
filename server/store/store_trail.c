/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/store/chain.h"
#include "server/store/store_device.h"

#define CHAIN "trail"
#define COLUMNS                                                                                    \
	"SELECT seq, at, device, role, step, err, trace, request, peer, detail, hash FROM trail"

static size_t
len_of(const char *s)
{
	return s == NULL ? 0 : strlen(s);
}

static void
link_row(struct link *l, mst_span prev, const struct trail *t, const char *step)
{
	link_init(l, prev, 10,
	    len_of(t->role) + len_of(step) + len_of(t->trace) + len_of(t->request) +
	        len_of(t->peer) + len_of(t->detail));
	link_int(l, t->seq);
	link_int(l, t->at);
	link_int_or_null(l, t->device, 0);
	link_text(l, t->role);
	link_text(l, step);
	link_int(l, (int64_t)t->err);
	link_text(l, t->trace);
	link_text(l, t->request);
	link_text(l, t->peer);
	link_text(l, t->detail);
}

mst_err
trail_add(struct db *db, const struct trail *t)
{
	uint8_t hash[CHAIN_HASH];
	struct trail row = *t;
	struct query q;
	struct link l;
	int64_t seq;
	mst_err e;

	if ((e = chain_head(db, CHAIN, &seq, hash)) != MST_OK)
		return e;
	row.seq = seq + 1;
	link_row(&l, mst_span_of(hash, CHAIN_HASH), &row, step_word(t->step));
	if ((e = link_end(&l, hash)) != MST_OK)
		return e;
	query_init(&q, db, "INSERT INTO trail VALUES(?,?,?,?,?,?,?,?,?,?,?)");
	query_int(&q, row.seq);
	query_int(&q, t->at);
	query_int_or_null(&q, t->device, 0);
	query_text(&q, t->role);
	query_text(&q, step_word(t->step));
	query_int(&q, (int64_t)t->err);
	query_text(&q, t->trace);
	query_text(&q, t->request);
	query_text(&q, t->peer);
	query_text(&q, t->detail);
	query_blob(&q, mst_span_of(hash, CHAIN_HASH));
	if ((e = query_run(&q)) != MST_OK)
		return e;
	return chain_advance(db, CHAIN, row.seq, hash);
}

mst_err
trail_last(struct db *db, int64_t *seq)
{
	uint8_t hash[32];

	return chain_head(db, CHAIN, seq, hash);
}

static enum step
step_find(const char *word)
{
	unsigned s = 0;

	while (s < STEP_COUNT && (word == NULL || strcmp(step_word((enum step)s), word) != 0))
		s++;
	return (enum step)s;
}

mst_err
trail_list(struct db *db, struct arena *a, int64_t device, int64_t after, size_t limit,
    struct trail **out, size_t *count)
{
	struct trail *rows = NULL, *t;
	struct query q;
	size_t n = 0;
	mst_err e;

	if (device == 0) {
		query_init(&q, db, COLUMNS " WHERE seq > ?1 ORDER BY seq");
	} else {
		query_init(&q, db, COLUMNS " WHERE seq > ?1 AND device = ?2 ORDER BY seq");
	}
	query_int(&q, after);
	if (device != 0)
		query_int(&q, device);
	while (n < limit && query_row(&q)) {
		if ((rows = rows_add(&q, a, rows, &n, sizeof(*rows))) == NULL)
			break;
		t = &rows[n - 1];
		t->seq = row_int(&q);
		t->at = row_int(&q);
		t->device = row_int(&q);
		t->role = row_text(&q, a);
		t->step = step_find(row_text_borrow(&q));
		t->err = (mst_err)row_int(&q);
		t->trace = row_text(&q, a);
		t->request = row_text(&q, a);
		t->peer = row_text(&q, a);
		t->detail = row_text(&q, a);
		if (t->step == STEP_COUNT)
			query_fail(&q, MST_E_STORE_CORRUPT);
	}
	if ((e = query_end(&q)) != MST_OK)
		return e;
	*out = rows;
	*count = n;
	return MST_OK;
}

static void
link_stored(struct query *q, mst_span prev, struct link *l)
{
	struct trail t = { 0 };
	const char *step;

	t.seq = row_int(q);
	t.at = row_int(q);
	t.device = row_int(q);
	t.role = row_text_borrow(q);
	step = row_text_borrow(q); /* the word as stored: a later vocabulary may not know it */
	t.err = (mst_err)row_int(q);
	t.trace = row_text_borrow(q);
	t.request = row_text_borrow(q);
	t.peer = row_text_borrow(q);
	t.detail = row_text_borrow(q);
	link_row(l, prev, &t, step);
}

mst_err
trail_verify(struct db *db)
{
	return chain_walk(db, CHAIN, COLUMNS " ORDER BY seq", link_stored);
}
