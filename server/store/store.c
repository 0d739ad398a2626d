/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/backup.h"
#include "server/store/store_impl.h"

/* One daemon owns a database: two writers would break the one-writer rule. */
static mst_err
take_lock(const char *path, int *out)
{
	char name[4096];
	int fd, n = snprintf(name, sizeof(name), "%s.lock", path);

	if (n < 0 || (size_t)n >= sizeof(name))
		return MST_E_STORE_OPEN;
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		db_say("open %s: %s", name, strerror(errno));
		return MST_E_STORE_OPEN;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		mst_err e = errno == EWOULDBLOCK ? MST_E_STORE_LOCKED : MST_E_STORE_OPEN;
		db_say("lock %s: %s", name, strerror(errno));
		(void)close(fd);
		return e;
	}
	*out = fd;
	return MST_OK;
}

/* SQLite gives its -wal and -shm the mode of the database; ours is nobody else's to read. */
static mst_err
make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		db_say("open %s: %s", path, strerror(errno));
		return MST_E_STORE_OPEN;
	}
	(void)close(fd);
	return MST_OK;
}

/*
 * Before anything of the file is changed: is it ours, and not newer than this
 * program? Not read-only: a crash while the file was made leaves a rollback
 * journal, which only a writing connection may roll back.
 */
static mst_err
look_first(const char *path, const struct schema *schema, size_t *version)
{
	struct db *db = NULL;
	mst_err e = db_open(path, DB_LOOK, &db);

	if (e == MST_OK)
		e = schema_version(db, schema, version);
	db_close(db);
	return e;
}

static mst_err
keep_old(struct store *s, size_t version)
{
	char name[4096];
	int n = snprintf(name, sizeof(name), "%s.v%zu.bak", s->path, version);

	if (n < 0 || (size_t)n >= sizeof(name))
		return MST_E_STORE_OPEN;
	return backup_file(s->path, name, BACKUP_REPLACE);
}

static mst_err
open_writer(struct store *s, const struct schema *schema)
{
	size_t version = 0;
	mst_err e;

	if ((e = make_file(s->path)) != MST_OK ||
	    (e = look_first(s->path, schema, &version)) != MST_OK)
		return e;
	if (version != 0 && version < schema->count && (e = keep_old(s, version)) != MST_OK)
		return e;
	if ((e = db_open(s->path, DB_WRITE, &s->db)) != MST_OK)
		return e;
	return schema_migrate(s->db, schema);
}

static void
reader_free(void *arg)
{
	struct reader *r = arg;
	struct store *s = r->store;

	pthread_mutex_lock(&s->mutex);
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		s->readers = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	pthread_mutex_unlock(&s->mutex);
	db_close(r->db);
	free(r);
}

static mst_err
start(struct store *s)
{
	if (pthread_key_create(&s->reader_key, reader_free) != 0)
		return MST_E_NOMEM;
	s->has_key = true;
	if (pthread_create(&s->thread, NULL, writer_main, s) != 0)
		return MST_E_NOMEM;
	s->running = true;
	return MST_OK;
}

mst_err
store_open_schema(const char *path, const struct schema *schema, struct store **out)
{
	struct store *s = calloc(1, sizeof(*s));
	mst_err e;

	if (s == NULL)
		return MST_E_NOMEM;
	s->lock_fd = -1;
	s->tail = &s->head;
	s->checkpoint_at = STORE_WAL_FRAMES;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->wake, NULL);
	if (store_fault_hook != NULL)
		db_hook_writes();
	if ((s->path = strdup(path)) == NULL)
		e = MST_E_NOMEM;
	else if ((e = take_lock(path, &s->lock_fd)) == MST_OK &&
	         (e = open_writer(s, schema)) == MST_OK)
		e = start(s);
	if (e != MST_OK) {
		store_close(s);
		return e;
	}
	*out = s;
	return MST_OK;
}

mst_err
store_open(const char *path, struct store **out)
{
	return store_open_schema(path, &schema_current, out);
}

void
store_close(struct store *s)
{
	struct reader *r;

	if (s == NULL)
		return;
	if (s->running) {
		pthread_mutex_lock(&s->mutex);
		s->stop = true;
		pthread_cond_signal(&s->wake);
		pthread_mutex_unlock(&s->mutex);
		(void)pthread_join(s->thread, NULL);
	}
	if (s->has_key)
		(void)pthread_key_delete(s->reader_key); /* no destructor runs from here on */
	while ((r = s->readers) != NULL) {
		s->readers = r->next;
		db_close(r->db);
		free(r);
	}
	db_close(s->db); /* the last one: SQLite checkpoints and removes the WAL */
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->mutex);
	free(s->path);
	free(s);
}

struct db *
store_reader(struct store *s)
{
	struct reader *r = pthread_getspecific(s->reader_key);

	if (r != NULL)
		return r->db;
	r = calloc(1, sizeof(*r));
	if (r == NULL || db_open(s->path, DB_READ, &r->db) != MST_OK) {
		free(r);
		return db_broken();
	}
	r->store = s;
	pthread_mutex_lock(&s->mutex);
	r->next = s->readers;
	if (r->next != NULL)
		r->next->prev = r;
	s->readers = r;
	pthread_mutex_unlock(&s->mutex);
	if (pthread_setspecific(s->reader_key, r) != 0) {
		reader_free(r);
		return db_broken();
	}
	return r->db;
}

mst_err
store_backup(struct store *s, const char *path)
{
	return backup_file(s->path, path, BACKUP_NEW);
}
