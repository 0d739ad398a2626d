/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/chain.h"
#include "server/store/schema.h"
#include "server/store/store_masa.h"

static mst_err
sync_path(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (!ok)
		db_say("fsync %s: %s", path, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return ok ? MST_OK : MST_E_STORE_IO;
}

static mst_err
make_part(const char *part)
{
	int fd;

	(void)unlink(part); /* of an attempt that was killed */
	fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		db_say("open %s: %s", part, strerror(errno));
		return errno == ENOSPC ? MST_E_STORE_FULL : MST_E_STORE_IO;
	}
	(void)close(fd);
	return MST_OK;
}

static mst_err
copy(const char *path, const char *part)
{
	struct db *from = NULL, *to = NULL;
	mst_err e;

	if ((e = db_open(path, DB_READ, &from)) == MST_OK &&
	    (e = db_open(part, DB_PLAIN, &to)) == MST_OK && (e = db_copy(from, to)) == MST_OK)
		/* The copied header says WAL; a backup is one file. */
		e = db_exec(to, "PRAGMA journal_mode=DELETE");
	db_close(to);
	db_close(from);
	return e;
}

static mst_err
give_name(const char *part, const char *to, enum backup_mode mode)
{
	char dir[4096];

	/* link() fails where the name is taken, rename() replaces. */
	if (mode == BACKUP_NEW && link(part, to) != 0) {
		db_say("link %s: %s", to, strerror(errno));
		return errno == EEXIST ? MST_E_CONFLICT : MST_E_STORE_IO;
	}
	if (mode == BACKUP_REPLACE && rename(part, to) != 0) {
		db_say("rename %s: %s", to, strerror(errno));
		return MST_E_STORE_IO;
	}
	(void)unlink(part);
	(void)snprintf(dir, sizeof(dir), "%s", to);
	return sync_path(dirname(dir), O_DIRECTORY);
}

mst_err
backup_file(const char *path, const char *to, enum backup_mode mode)
{
	char part[4096];
	struct stat st;
	mst_err e;
	int n = snprintf(part, sizeof(part), "%s.part", to);

	if (n < 0 || (size_t)n >= sizeof(part))
		return MST_E_STORE_IO;
	if (mode == BACKUP_NEW && lstat(to, &st) == 0) {
		db_say("%s exists", to);
		return MST_E_CONFLICT;
	}
	if ((e = make_part(part)) != MST_OK)
		return e;
	if ((e = copy(path, part)) != MST_OK || (e = store_verify(part)) != MST_OK ||
	    (e = sync_path(part, 0)) != MST_OK || (e = give_name(part, to, mode)) != MST_OK)
		(void)unlink(part);
	return e;
}

/* integrity_check answers one row "ok", or a row for each fault. */
static mst_err
check_pages(struct db *db)
{
	struct query q;
	const char *words;

	query_init(&q, db, "PRAGMA integrity_check(1)");
	if (query_row(&q)) {
		words = row_text_borrow(&q);
		if (words == NULL || strcmp(words, "ok") != 0) {
			db_say("%s", words == NULL ? "integrity_check" : words);
			query_fail(&q, MST_E_STORE_CORRUPT);
		}
	}
	return query_end(&q);
}

static mst_err
check_keys(struct db *db)
{
	struct query q;
	const char *table;

	query_init(&q, db, "PRAGMA foreign_key_check");
	if (query_row(&q)) {
		table = row_text_borrow(&q);
		db_say("a row of %s names something that is not there", table);
		query_fail(&q, MST_E_STORE_CORRUPT);
	}
	return query_end(&q);
}

mst_err
store_verify(const char *path)
{
	struct db *db = NULL;
	size_t version = 0;
	mst_err e;

	if ((e = db_open(path, DB_READ, &db)) != MST_OK)
		return e;
	if ((e = schema_version(db, &schema_current, &version)) == MST_OK && version == 0) {
		db_say("the file is empty");
		e = MST_E_STORE_CORRUPT;
	}
	if (e == MST_OK && (e = check_pages(db)) == MST_OK && (e = check_keys(db)) == MST_OK &&
	    (e = schema_check(db, &schema_current)) == MST_OK && (e = trail_verify(db)) == MST_OK)
		e = masa_log_verify(db);
	db_close(db);
	return e;
}
