/* SPDX-License-Identifier: Apache-2.0 */
#include "support_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/store/store_device.h"

int
world_dir(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/muster-store-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->path, sizeof(w->path), "%s/db", w->dir);
	w->a = arena_new(0);
	assert_non_null(w->a);
	*state = w;
	return 0;
}

int
world_db(void **state)
{
	struct world *w;
	FILE *f;

	(void)world_dir(state);
	w = *state;
	f = fopen(w->path, "w");
	assert_non_null(f);
	(void)fclose(f);
	assert_int_equal(db_open(w->path, DB_WRITE, &w->db), MST_OK);
	assert_int_equal(schema_migrate(w->db, &schema_current), MST_OK);
	return 0;
}

int
world_gone(void **state)
{
	struct world *w = *state;
	char name[512];
	struct dirent *d;
	DIR *dir;

	db_close(w->db);
	dir = opendir(w->dir);
	while (dir != NULL && (d = readdir(dir)) != NULL) {
		(void)snprintf(name, sizeof(name), "%s/%s", w->dir, d->d_name);
		(void)unlink(name);
	}
	if (dir != NULL)
		(void)closedir(dir);
	(void)rmdir(w->dir);
	arena_free(w->a);
	free(w);
	return 0;
}

const char *
world_file(struct world *w, const char *name)
{
	return arena_printf(w->a, "%s/%s", w->dir, name);
}

mst_span
hash_of(struct world *w, int n)
{
	uint8_t h[32];
	uint32_t x = (uint32_t)n * 2654435761u + 1;
	size_t i;

	for (i = 0; i < sizeof(h); i++) {
		x = x * 1664525u + 1013904223u;
		h[i] = (uint8_t)(x >> 24);
	}
	memcpy(h + 28, &n, 4);
	return arena_dup(w->a, mst_span_of(h, sizeof(h)));
}

mst_span
serial_of(struct world *w, int n)
{
	mst_span h = hash_of(w, n);
	uint8_t s[16];

	memcpy(s, h.ptr + 16, sizeof(s));
	s[0] = 0x40;
	return arena_dup(w->a, mst_span_of(s, sizeof(s)));
}

int64_t
some_manufacturer(struct db *db, const char *name)
{
	struct manufacturer m = { .name = name,
		.anchors_pem = MST_LIT("anchors"),
		.serial_rule = CERT_SERIAL_SUBJECT,
		.mode = ACCEPT_ASK,
		.enabled = true };

	assert_int_equal(manufacturer_put(db, &m), MST_OK);
	return m.id;
}

int64_t
some_device(struct world *w, struct db *db, const char *serial)
{
	struct device d;
	bool created;

	assert_int_equal(
	    device_touch(db, w->a, 0, mst_span_str(serial), MST_NONE, 1000, &d, &created), MST_OK);
	return d.id;
}

void
tamper(const char *path, const char *sql)
{
	struct db *db = NULL;

	assert_int_equal(db_open(path, DB_PLAIN, &db), MST_OK);
	assert_int_equal(db_exec(db, sql), MST_OK);
	db_close(db);
}

int64_t
ask(struct db *db, const char *sql)
{
	struct query q;
	int64_t v = -1;

	query_init(&q, db, sql);
	assert_int_equal(query_one_int(&q, &v), MST_OK);
	return v;
}

static void
run_file(struct world *w, struct db *db, const char *name)
{
	FILE *f = fopen(arena_printf(w->a, MUSTER_SOURCE_DIR "/tests/unit/store/%s", name), "r");
	char *text = arena_alloc(w->a, 65536);

	if (f == NULL)
		fail_msg("no fixture %s: freeze what this version changed, and rows of it", name);
	text[fread(text, 1, 65535, f)] = '\0';
	(void)fclose(f);
	assert_int_equal(db_exec(db, text), MST_OK);
}

void
world_at(struct world *w, const char *path, size_t version)
{
	struct db *db = NULL;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(db_open(path, DB_PLAIN, &db), MST_OK);
	run_file(w, db, "schema_v1.sql");
	run_file(w, db, "rows_v1.sql");
	for (size_t v = 2; v <= version; v++)
		run_file(w, db, arena_printf(w->a, "v%zu.sql", v));
	assert_int_equal(ask(db, "PRAGMA user_version"), (int64_t)version);
	db_close(db);
}
