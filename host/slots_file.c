/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <unistd.h>

#include "host/slots_file.h"

enum { ERASED_RECORD = 0xff, ERASED_SLOT = 0x00 };

static mst_err
write_all(int fd, const uint8_t *p, size_t len, uint64_t at)
{
	while (len != 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return MST_E_IO;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return MST_OK;
}

static mst_err
fill(int fd, uint8_t byte, uint64_t at, uint64_t len)
{
	uint8_t block[SLOTS_RECORD_SECTOR];
	mst_err e = MST_OK;

	memset(block, byte, sizeof(block));
	for (uint64_t n = 0; e == MST_OK && n < len; n += sizeof(block))
		e = write_all(
		    fd, block, len - n < sizeof(block) ? (size_t)(len - n) : sizeof(block), at + n);
	return e;
}

static bool
inside(const struct slots_file *f, uint64_t at, uint64_t len)
{
	uint64_t size = (uint64_t)f->flash.sectors * f->flash.sector_size;

	return f->fd >= 0 && at <= size && len <= size - at;
}

static mst_err
file_flash_read(void *ctx, uint64_t at, uint8_t *out, size_t len)
{
	struct slots_file *f = ctx;

	if (!inside(f, at, len))
		return MST_E_SLOT_FLASH;
	while (len != 0) {
		uint64_t off = at - f->window_at;
		size_t n;

		if (at < f->window_at || off >= f->window_len) {
			ssize_t got = pread(f->fd, f->window, sizeof(f->window), (off_t)at);

			if (got < 0 && errno == EINTR)
				continue;
			f->window_len = 0;
			if (got <= 0)
				return MST_E_SLOT_FLASH;
			f->window_at = at;
			f->window_len = (size_t)got;
			off = 0;
		}
		n = f->window_len - (size_t)off < len ? f->window_len - (size_t)off : len;
		memcpy(out, f->window + off, n);
		out += n;
		at += n;
		len -= n;
	}
	return MST_OK;
}

/* Before the record says anything: what it speaks of is on the medium. */
static mst_err
slots_first(struct slots_file *f)
{
	for (unsigned i = 0; f->record && i < MST_SLOTS; i++) {
		struct slots_file *s = &f->all->slot[i];

		if (s->dirty && fdatasync(s->fd) != 0)
			return MST_E_SLOT_FLASH;
		s->dirty = false;
	}
	return MST_OK;
}

static mst_err
settle(struct slots_file *f)
{
	f->window_len = 0;
	if (!f->record) {
		f->dirty = true;
		return MST_OK;
	}
	return fdatasync(f->fd) == 0 ? MST_OK : MST_E_SLOT_FLASH;
}

static mst_err
file_flash_write(void *ctx, uint64_t at, mst_span bytes)
{
	struct slots_file *f = ctx;

	if (!inside(f, at, bytes.len) || slots_first(f) != MST_OK)
		return MST_E_SLOT_FLASH;
	f->window_len = 0;
	if (write_all(f->fd, bytes.ptr, bytes.len, at) != MST_OK)
		return MST_E_SLOT_FLASH;
	return settle(f);
}

static mst_err
file_flash_erase(void *ctx, uint32_t sector)
{
	struct slots_file *f = ctx;
	uint64_t size = f->flash.sector_size, at = sector * size;

	if (!inside(f, at, size) || slots_first(f) != MST_OK)
		return MST_E_SLOT_FLASH;
	f->window_len = 0;
	/* A slot erases to zeros: a hole, where file system or device make one. */
	if ((f->record || fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
	                      (off_t)size) != 0) &&
	    fill(f->fd, f->flash.erased, at, size) != MST_OK)
		return MST_E_SLOT_FLASH;
	return settle(f);
}

/* A new file appears with its whole size and content, or not at all. */
static mst_err
create(const char *path, bool record, uint64_t size)
{
	char temporary[4096];
	mst_err e = MST_E_IO;
	int fd, n;

	n = snprintf(temporary, sizeof(temporary), "%s.new", path);
	if (n < 0 || (size_t)n >= sizeof(temporary))
		return MST_E_IO;
	fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return MST_E_IO;
	if ((record ? fill(fd, ERASED_RECORD, 0, size) == MST_OK
	            : ftruncate(fd, (off_t)size) == 0) &&
	    fsync(fd) == 0 && link(temporary, path) == 0)
		e = MST_OK;
	close(fd);
	(void)!unlink(temporary);
	return e;
}

static mst_err
sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[4096];
	mst_err e;
	int fd, n;

	n = slash == NULL ? snprintf(folder, sizeof(folder), ".")
	                  : snprintf(folder, sizeof(folder), "%.*s/", (int)(slash - path), path);
	if (n < 0 || (size_t)n >= sizeof(folder))
		return MST_E_IO;
	if ((fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return MST_E_IO;
	e = fsync(fd) == 0 ? MST_OK : MST_E_IO;
	close(fd);
	return e;
}

/* Its size, of a device or a file; other kinds of file are refused. */
static mst_err
size_of(int fd, const struct stat *st, uint64_t *size)
{
	if (S_ISREG(st->st_mode)) {
		*size = (uint64_t)st->st_size;
		return MST_OK;
	}
	return S_ISBLK(st->st_mode) && ioctl(fd, BLKGETSIZE64, size) == 0 ? MST_OK
	                                                                  : MST_E_SLOT_GEOMETRY;
}

static mst_err
open_one(struct slots_file *f, const char *path, uint64_t wanted)
{
	uint32_t sector = f->record ? SLOTS_RECORD_SECTOR : SLOTS_SLOT_SECTOR;
	uint64_t whole = (wanted + sector - 1) / sector * sector, size = 0;
	struct stat st;
	bool device;
	mst_err e;

	device = stat(path, &st) == 0 && S_ISBLK(st.st_mode);
	if (!device && lstat(path, &st) != 0) {
		if (errno != ENOENT || whole == 0)
			return whole == 0 ? MST_E_SLOT_GEOMETRY : MST_E_IO;
		if ((e = create(path, f->record, whole)) != MST_OK ||
		    (e = sync_folder(path)) != MST_OK)
			return e;
	}
	/* O_EXCL on a device: not while it is mounted */
	f->fd = open(path, O_RDWR | O_CLOEXEC | (device ? O_EXCL : O_NOFOLLOW));
	if (f->fd < 0)
		return device && errno == EBUSY ? MST_E_CONFLICT : MST_E_IO;
	if (flock(f->fd, LOCK_EX | LOCK_NB) != 0)
		return MST_E_CONFLICT;
	if (fstat(f->fd, &st) != 0)
		return MST_E_IO;
	if ((e = size_of(f->fd, &st, &size)) != MST_OK)
		return e;
	if (whole == 0)
		whole = size / sector * sector;
	if (whole == 0 || size < whole || (!device && size != whole) || whole / sector > UINT32_MAX)
		return MST_E_SLOT_GEOMETRY;
	f->flash = (struct mst_flash){ f, sector, (uint32_t)(whole / sector), 1,
		f->record ? ERASED_RECORD : ERASED_SLOT, file_flash_read, file_flash_write,
		file_flash_erase };
	return MST_OK;
}

mst_err
slots_files_open(
    struct slots_files *f, const struct slots_files_conf *conf, struct mst_slots_config *out)
{
	struct slots_file *file[1 + MST_SLOTS] = { &f->record, &f->slot[0], &f->slot[1] };
	const char *path[1 + MST_SLOTS] = { conf->record, conf->slot[0], conf->slot[1] };
	struct mst_slots_config c = { .fallback = conf->fallback };
	mst_err e;

	for (unsigned i = 0; i < 1 + MST_SLOTS; i++) {
		file[i]->fd = -1;
		file[i]->all = f;
		file[i]->record = i == 0;
		file[i]->dirty = false;
		file[i]->window_len = 0;
	}
	for (unsigned i = 0; i < 1 + MST_SLOTS; i++) {
		e = open_one(file[i], path[i],
		    i == 0 ? SLOTS_RECORD_SECTOR * SLOTS_RECORD_SECTORS : conf->size);
		if (e != MST_OK) {
			slots_files_close(f);
			return e;
		}
	}
	c.record = (struct mst_area){ &f->record.flash, 0, SLOTS_RECORD_SECTORS };
	for (unsigned i = 0; i < MST_SLOTS; i++)
		c.slot[i] = (struct mst_area){ &f->slot[i].flash, 0, f->slot[i].flash.sectors };
	*out = c;
	return MST_OK;
}

mst_err
slots_files_sync(struct slots_files *f)
{
	if (f->record.fd < 0 || slots_first(&f->record) != MST_OK || fdatasync(f->record.fd) != 0)
		return MST_E_IO;
	return MST_OK;
}

void
slots_files_close(struct slots_files *f)
{
	struct slots_file *file[1 + MST_SLOTS] = { &f->record, &f->slot[0], &f->slot[1] };

	for (unsigned i = 0; i < 1 + MST_SLOTS; i++) {
		if (file[i]->fd >= 0)
			close(file[i]->fd);
		file[i]->fd = -1;
	}
}
