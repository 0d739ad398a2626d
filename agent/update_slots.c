/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/update_slots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file.h"
#include "host/log.h"

#define SECTOR 4096
#define SECTORS 4
#define ENVELOPE_BYTES (64u << 20) /* with integrated payloads */
#define PATH_CAP 4096

static _Thread_local char why[512];

const char *
update_slots_why(void)
{
	return why;
}

static mst_err
fail(mst_err e, const char *what, const char *path)
{
	snprintf(why, sizeof why, "%s %s: %s", what, path, strerror(errno));
	return e;
}

/* ---- bytes of a file ---- */

static mst_err
read_all(int fd, uint64_t at, uint8_t *out, size_t len)
{
	while (len > 0) {
		ssize_t n = pread(fd, out, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(MST_E_IO, "read", "slot or record");
		out += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return MST_OK;
}

static mst_err
write_all(int fd, uint64_t at, mst_span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = pwrite(fd, bytes.ptr, bytes.len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(MST_E_IO, "write", "slot or record");
		bytes = mst_span_of(bytes.ptr + n, bytes.len - (size_t)n);
		at += (uint64_t)n;
	}
	return MST_OK;
}

static mst_err
sync_file(int fd)
{
	return fdatasync(fd) == 0 ? MST_OK : fail(MST_E_IO, "sync", "slot or record");
}

/* ---- the record as flash ---- */

static mst_err
flash_read(void *ctx, uint64_t at, uint8_t *out, size_t len)
{
	const struct update_slots *s = ctx;

	return read_all(s->record_fd, at, out, len);
}

static mst_err
flash_write(void *ctx, uint64_t at, mst_span bytes)
{
	const struct update_slots *s = ctx;
	mst_err e = write_all(s->record_fd, at, bytes);

	return e == MST_OK ? sync_file(s->record_fd) : e;
}

static mst_err
flash_erase(void *ctx, uint32_t sector)
{
	const struct update_slots *s = ctx;
	uint8_t blank[SECTOR];

	memset(blank, 0xff, sizeof blank);
	return flash_write(
	    (void *)(uintptr_t)s, (uint64_t)sector * SECTOR, mst_span_of(blank, sizeof blank));
}

/*
 * Read and write. Where the file system lets nobody write (errors=remount-ro)
 * what lies there can still be booted; whatever writes is refused when it does.
 */
static int
open_place(const char *path, int flags)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);

	return fd >= 0 || errno != EROFS ? fd : open(path, O_RDONLY | O_CLOEXEC | flags, 0600);
}

/*
 * A new record is erased flash, durably and with its name, before anything is
 * believed of it: a record that a cut took away is the end of all updates.
 */
static mst_err
record_make(struct update_slots *s, const char *path)
{
	struct stat st;
	uint8_t blank[SECTOR * SECTORS];
	mst_err e = MST_OK;

	memset(blank, 0xff, sizeof blank);
	if (lstat(path, &st) != 0 && errno == ENOENT &&
	    (e = file_write_new(path, mst_span_of(blank, sizeof blank), 0600)) != MST_OK) {
		snprintf(why, sizeof why, "%s", file_why());
		return e;
	}
	if ((s->record_fd = open_place(path, O_NOFOLLOW)) < 0 || fstat(s->record_fd, &st) != 0)
		return fail(MST_E_IO, "open", path);
	if (st.st_size >= (off_t)sizeof blank)
		return MST_OK;
	for (uint64_t at = (uint64_t)st.st_size / SECTOR * SECTOR;
	     e == MST_OK && at < (uint64_t)SECTOR * SECTORS; at += SECTOR)
		e = write_all(s->record_fd, at, mst_span_of(blank, SECTOR));
	return e == MST_OK ? sync_file(s->record_fd) : e;
}

static mst_err
slot_make(struct update_slots *s, unsigned i, const char *path, uint64_t size)
{
	struct stat st;
	uint64_t bytes;

	if ((s->fd[i] = open_place(path, O_CREAT)) < 0 || fstat(s->fd[i], &st) != 0)
		return fail(MST_E_IO, "open", path);
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(s->fd[i], BLKGETSIZE64, &bytes) != 0)
			return fail(MST_E_IO, "size of", path);
		s->capacity[i] = bytes;
		return MST_OK;
	}
	if ((uint64_t)st.st_size < size && ftruncate(s->fd[i], (off_t)size) != 0)
		return fail(MST_E_IO, "extend", path);
	s->capacity[i] = (uint64_t)st.st_size < size ? size : (uint64_t)st.st_size;
	return MST_OK;
}

/* One place under two names is one slot: installing would overwrite what runs. */
static mst_err
slots_differ(const struct update_slots *s)
{
	struct stat a, b;

	if (s->fd[0] < 0 || s->fd[1] < 0)
		return MST_OK;
	if (fstat(s->fd[0], &a) != 0 || fstat(s->fd[1], &b) != 0)
		return fail(MST_E_IO, "stat", "slot");
	if ((a.st_dev != b.st_dev || a.st_ino != b.st_ino) &&
	    (!S_ISBLK(a.st_mode) || !S_ISBLK(b.st_mode) || a.st_rdev != b.st_rdev))
		return MST_OK;
	snprintf(why, sizeof why, "slots: both are the same place");
	return MST_E_CONFIG_VALUE;
}

/* A slot that is out of order takes nothing with it: the other one still boots. */
static mst_err
slots_make(struct update_slots *s, const char *const slot[MST_SLOTS], uint64_t size)
{
	unsigned good = 0;

	for (unsigned i = 0; i < MST_SLOTS; i++) {
		if (slot_make(s, i, slot[i], size) == MST_OK) {
			good++;
			continue;
		}
		s->capacity[i] = 0;
		log_line(LOG_ERROR_, "%s", why);
	}
	return good == 0 ? MST_E_IO : slots_differ(s);
}

static mst_err
staging_make(struct update_slots *s, struct arena *a, const char *folder)
{
	const char *path = arena_printf(a, "%s/staging", folder);

	if (path == NULL)
		return MST_E_NOMEM;
	s->staging_fd = open_place(path, O_CREAT | O_NOFOLLOW);
	return s->staging_fd < 0 ? fail(MST_E_IO, "open", path) : MST_OK;
}

static mst_err
lock(struct update_slots *s, const char *path)
{
	if ((s->lock = open_place(path, O_CREAT | O_NOFOLLOW)) < 0)
		return fail(MST_E_IO, "open", path);
	if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
		return MST_OK;
	return fail(errno == EWOULDBLOCK ? MST_E_CONFLICT : MST_E_IO, "lock", path);
}

/*
 * What an atomic write left when it was cut (host/file.c names it ".NAME.HEX"):
 * an envelope may have the size of a slot, and cuts come again. Under the lock
 * nobody is writing.
 */
static void
sweep(const char *folder)
{
	static const char *const of[] = { ".slot-a.suit.", ".slot-b.suit.", ".running.",
		".report.cose.", ".record." };
	DIR *d = opendir(folder);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		for (size_t i = 0; i < sizeof of / sizeof of[0]; i++)
			if (strncmp(e->d_name, of[i], strlen(of[i])) == 0)
				(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		(void)closedir(d);
}

mst_err
update_slots_open(struct update_slots *s, struct arena *a, const char *folder,
    const char *const slot[MST_SLOTS], uint64_t size)
{
	struct mst_slots_config config = { .record = { &s->flash, 0, SECTORS } };
	const char *record = arena_printf(a, "%s/record", folder);
	const char *locked = arena_printf(a, "%s/lock", folder);
	mst_err e;

	*s = (struct update_slots){
		.folder = folder, .lock = -1, .record_fd = -1, .staging_fd = -1, .fd = { -1, -1 }
	};
	s->flash = (struct mst_flash){ .ctx = s,
		.sector_size = SECTOR,
		.sectors = SECTORS,
		.write_size = 16,
		.erased = 0xff,
		.read = flash_read,
		.write = flash_write,
		.erase = flash_erase };
	if (record == NULL || locked == NULL)
		return MST_E_NOMEM;
	if ((e = file_make_dir(folder, 0700)) != MST_OK) {
		snprintf(why, sizeof why, "%s", file_why());
		return e;
	}
	if ((e = lock(s, locked)) == MST_OK) {
		sweep(folder);
		e = record_make(s, record);
	}
	if (e == MST_OK)
		e = slots_make(s, slot, size);
	if (e == MST_OK)
		e = staging_make(s, a, folder);
	if (e == MST_OK) {
		e = mst_slots_open(&s->record, &config);
		if (e == MST_E_SLOT_BLANK || e == MST_E_SLOT_LOST)
			e = MST_OK;
	}
	if (e != MST_OK)
		update_slots_close(s);
	return e;
}

void
update_slots_close(struct update_slots *s)
{
	int *all[] = { &s->record_fd, &s->staging_fd, &s->fd[0], &s->fd[1], &s->lock };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (*all[i] >= 0)
			close(*all[i]);
		*all[i] = -1;
	}
}

/* ---- slots ---- */

static bool
is_inside(const struct update_slots *s, unsigned slot, uint64_t at, size_t len)
{
	return slot < MST_SLOTS && at <= s->capacity[slot] && len <= s->capacity[slot] - at;
}

mst_err
update_slot_read(const struct update_slots *s, unsigned slot, uint64_t at, uint8_t *out, size_t len)
{
	return is_inside(s, slot, at, len) ? read_all(s->fd[slot], at, out, len) : MST_E_SLOT_RANGE;
}

mst_err
update_slot_write(struct update_slots *s, unsigned slot, uint64_t at, mst_span bytes)
{
	return is_inside(s, slot, at, bytes.len) ? write_all(s->fd[slot], at, bytes)
	                                         : MST_E_SLOT_RANGE;
}

mst_err
update_slot_sync(struct update_slots *s, unsigned slot)
{
	return slot < MST_SLOTS ? sync_file(s->fd[slot]) : MST_E_SLOT_RANGE;
}

uint64_t
update_staging_size(const struct update_slots *s)
{
	struct stat st;

	return fstat(s->staging_fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

mst_err
update_staging_begin(struct update_slots *s, uint64_t keep)
{
	return ftruncate(s->staging_fd, (off_t)keep) == 0 ? MST_OK
	                                                  : fail(MST_E_IO, "cut", "staging");
}

mst_err
update_staging_read(const struct update_slots *s, uint64_t at, uint8_t *out, size_t len)
{
	return read_all(s->staging_fd, at, out, len);
}

mst_err
update_staging_write(struct update_slots *s, uint64_t at, mst_span bytes)
{
	return write_all(s->staging_fd, at, bytes);
}

mst_err
update_staging_sync(struct update_slots *s)
{
	return sync_file(s->staging_fd);
}

/* ---- what lies beside them ---- */

static bool
path_of(const struct update_slots *s, const char *name, unsigned slot, char path[PATH_CAP])
{
	int n = slot < MST_SLOTS
	            ? snprintf(path, PATH_CAP, "%s/%s-%c.suit", s->folder, name, "ab"[slot])
	            : snprintf(path, PATH_CAP, "%s/%s", s->folder, name);

	return n > 0 && n < PATH_CAP;
}

static mst_err
told(mst_err e)
{
	if (e != MST_OK)
		snprintf(why, sizeof why, "%s", file_why());
	return e;
}

mst_err
update_envelope_read(const struct update_slots *s, struct arena *a, unsigned slot, mst_span *bytes)
{
	char path[PATH_CAP];

	return path_of(s, "slot", slot, path) ? told(file_read(a, path, ENVELOPE_BYTES, bytes))
	                                      : MST_E_IO;
}

mst_err
update_envelope_write(const struct update_slots *s, unsigned slot, mst_span bytes)
{
	char path[PATH_CAP];

	return path_of(s, "slot", slot, path) ? told(file_write_atomic(path, bytes, 0600))
	                                      : MST_E_IO;
}

unsigned
update_running(const struct update_slots *s)
{
	struct arena *a = arena_new(0);
	unsigned slot = MST_SLOT_NONE;
	char path[PATH_CAP];
	mst_span text;

	if (a != NULL && path_of(s, "running", MST_SLOT_NONE, path) &&
	    file_read(a, path, 8, &text) == MST_OK && text.len >= 1 &&
	    (text.ptr[0] == 'a' || text.ptr[0] == 'b'))
		slot = text.ptr[0] - 'a';
	arena_free(a);
	return slot;
}

mst_err
update_running_set(const struct update_slots *s, unsigned slot)
{
	char path[PATH_CAP];

	mst_err e;

	if (slot >= MST_SLOTS || !path_of(s, "running", MST_SLOT_NONE, path))
		return MST_E_IO;
	if (update_running(s) == slot)
		return MST_OK;
	e = told(file_write_atomic(path, mst_span_of(slot == 0 ? "a\n" : "b\n", 2), 0600));
	/* on a full disk: nothing said is better than the wrong thing, and needs no room */
	if (e != MST_OK && unlink(path) == 0)
		log_line(LOG_WARNING_, "%s: which slot runs is not noted", why);
	return e;
}
