/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/store/db.h"
#include "server/store/store_device.h"

static const char *const modes[] = {
	[ACCEPT_ASK] = "ask",
	[ACCEPT_LISTED] = "listed",
	[ACCEPT_AUTO] = "auto",
};

const char *
accept_mode_word(enum accept_mode m)
{
	return modes[m];
}

int
accept_mode_find(const char *word)
{
	int i;

	for (i = 0; i < (int)(sizeof(modes) / sizeof(modes[0])); i++)
		if (word != NULL && strcmp(modes[i], word) == 0)
			return i;
	return -1;
}

/* A number that never comes back, even when an entry is deleted and made again. */
static mst_err
next_generation(struct db *db, int64_t *out)
{
	struct query q;

	query_init(&q, db,
	    "UPDATE counter SET value = value + 1 WHERE name = 'manufacturer' RETURNING value");
	return query_one_int(&q, out);
}

int64_t
manufacturer_generation(struct db *db)
{
	struct query q;
	int64_t v;

	query_init(&q, db, "SELECT value FROM counter WHERE name = 'manufacturer'");
	return query_one_int(&q, &v) == MST_OK ? v : -1;
}

mst_err
manufacturer_put(struct db *db, struct manufacturer *m)
{
	struct query q;
	int64_t id = 0, generation;
	mst_err e;

	if ((e = next_generation(db, &generation)) != MST_OK)
		return e;
	query_init(&q, db,
	    "INSERT INTO manufacturer(name, anchors_pem, crl_pem, voucher_anchors_pem, masa_url,"
	    " masa_anchors_pem, masa_hosts, masa_cert_uri, masa_key_uri, masa_user, masa_password,"
	    " serial_rule, ignore_expiry, mode, audit_policy, legacy_base64, enabled, generation)"
	    " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(name) DO UPDATE SET"
	    " anchors_pem = excluded.anchors_pem, crl_pem = excluded.crl_pem,"
	    " voucher_anchors_pem = excluded.voucher_anchors_pem, masa_url = excluded.masa_url,"
	    " masa_anchors_pem = excluded.masa_anchors_pem, masa_hosts = excluded.masa_hosts,"
	    " masa_cert_uri = excluded.masa_cert_uri, masa_key_uri = excluded.masa_key_uri,"
	    " masa_user = excluded.masa_user, masa_password = excluded.masa_password,"
	    " serial_rule = excluded.serial_rule, ignore_expiry = excluded.ignore_expiry,"
	    " mode = excluded.mode, audit_policy = excluded.audit_policy,"
	    " legacy_base64 = excluded.legacy_base64, enabled = excluded.enabled,"
	    " generation = excluded.generation RETURNING id");
	query_text(&q, m->name);
	query_blob(&q, m->anchors_pem);
	query_blob(&q, m->crl_pem);
	query_blob(&q, m->voucher_anchors_pem);
	query_text(&q, m->masa_url);
	query_blob(&q, m->masa_anchors_pem);
	query_text(&q, m->masa_hosts);
	query_text(&q, m->masa_cert_uri);
	query_text(&q, m->masa_key_uri);
	query_text(&q, m->masa_user);
	query_text(&q, m->masa_password);
	query_int(&q, (int64_t)m->serial_rule);
	query_int(&q, m->ignore_expiry ? 1 : 0);
	query_int(&q, (int64_t)m->mode);
	query_text(&q, m->audit_policy);
	query_int(&q, m->legacy_base64 ? 1 : 0);
	query_int(&q, m->enabled ? 1 : 0);
	query_int(&q, generation);
	if ((e = query_one_int(&q, &id)) != MST_OK)
		return e;
	m->id = id;
	m->generation = generation;
	return MST_OK;
}

#define COLUMNS                                                                                    \
	"SELECT id, name, anchors_pem, crl_pem, voucher_anchors_pem, masa_url, masa_anchors_pem,"  \
	" masa_hosts, masa_cert_uri, masa_key_uri, masa_user, masa_password, serial_rule,"         \
	" ignore_expiry, mode, audit_policy, legacy_base64, enabled, generation FROM manufacturer"

static void
read_row(struct query *q, struct arena *a, struct manufacturer *m)
{
	m->id = row_int(q);
	m->name = row_text(q, a);
	m->anchors_pem = row_blob(q, a);
	m->crl_pem = row_blob(q, a);
	m->voucher_anchors_pem = row_blob(q, a);
	m->masa_url = row_text(q, a);
	m->masa_anchors_pem = row_blob(q, a);
	m->masa_hosts = row_text(q, a);
	m->masa_cert_uri = row_text(q, a);
	m->masa_key_uri = row_text(q, a);
	m->masa_user = row_text(q, a);
	m->masa_password = row_text(q, a);
	m->serial_rule = (enum cert_serial_rule)row_int(q);
	m->ignore_expiry = row_int(q) != 0;
	m->mode = (enum accept_mode)row_int(q);
	m->audit_policy = row_text(q, a);
	m->legacy_base64 = row_int(q) != 0;
	m->enabled = row_int(q) != 0;
	m->generation = row_int(q);
}

mst_err
manufacturer_get(struct db *db, struct arena *a, const char *name, struct manufacturer *out)
{
	struct manufacturer m = { 0 };
	struct query q;
	bool found;
	mst_err e;

	query_init(&q, db, COLUMNS " WHERE name = ?1");
	query_text(&q, name);
	if ((found = query_row(&q)))
		read_row(&q, a, &m);
	if ((e = query_end(&q)) != MST_OK)
		return e;
	if (!found)
		return MST_E_NOT_FOUND;
	*out = m;
	return MST_OK;
}

mst_err
manufacturer_name_of(struct db *db, struct arena *a, int64_t id, const char **out)
{
	struct query q;
	const char *name = NULL;
	bool found;
	mst_err e;

	query_init(&q, db, "SELECT name FROM manufacturer WHERE id = ?1");
	query_int(&q, id);
	if ((found = query_row(&q)))
		name = row_text(&q, a);
	if ((e = query_end(&q)) != MST_OK)
		return e;
	if (!found)
		return MST_E_NOT_FOUND;
	*out = name;
	return MST_OK;
}

mst_err
manufacturer_list(struct db *db, struct arena *a, struct manufacturer **out, size_t *count)
{
	struct manufacturer *rows = NULL;
	struct query q;
	size_t n = 0;
	mst_err e;

	query_init(&q, db, COLUMNS " ORDER BY name");
	while (query_row(&q)) {
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
manufacturer_delete(struct db *db, const char *name)
{
	struct query q;
	int64_t before = db_changes(db), generation;
	mst_err e;

	query_init(&q, db, "DELETE FROM manufacturer WHERE name = ?1");
	query_text(&q, name);
	if ((e = query_run(&q)) != MST_OK)
		return e == MST_E_NOT_FOUND ? MST_E_CONFLICT : e; /* its devices name it */
	if (db_changes(db) == before)
		return MST_E_NOT_FOUND;
	return next_generation(db, &generation);
}
