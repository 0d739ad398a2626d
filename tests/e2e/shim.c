/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded with LD_PRELOAD into a program of ours: kills it with SIGKILL at its
 * n-th write. A write is whatever makes a change that someone else can see:
 * bytes to a file or socket, fsync, truncate, rename, unlink. The process that
 * loads it is counted, not those it forks (the key process), unless the
 * control file says so.
 *
 * MUSTER_KILL names the control file, 64 bytes, which a script writes:
 *   [0]     '1' armed, anything else: nothing is counted
 *   [1]     'b' before the write, 'h' after half of its bytes, 'a' after it
 *   [2]     'm' the main process counts, 'c' its children do
 *   [4..11] n in decimal
 *   [32..]  the count so far, in decimal, written by the shim
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define CONTROL_BYTES 64

static char *control;
static pid_t main_pid;
static atomic_long writes;

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("MUSTER_KILL");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	main_pid = getpid();
	if (fd < 0)
		return;
	p = mmap(NULL, CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		control = p;
}

static void
die(void)
{
	syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
	syscall(SYS_exit_group, 137); /* the jail of the key process forbids kill */
}

/* What is to happen at this write: 0 nothing, else the letter of [1]. */
static int
moment(int fd)
{
	long n;
	char text[24];

	if (control == NULL || *(volatile char *)control != '1' || fd == STDERR_FILENO)
		return 0;
	if ((control[2] == 'c') == ((pid_t)syscall(SYS_getpid) == main_pid))
		return 0;
	n = atomic_fetch_add(&writes, 1) + 1;
	snprintf(text, sizeof text, "%ld", n);
	memcpy(control + 32, text, strlen(text) + 1);
	if (n != strtol(control + 4, NULL, 10))
		return 0;
	if (control[1] == 'b')
		die();
	return control[1];
}

/* After the write: its result, unless this was the last thing it did. */
static long
done(int at, long result)
{
	int e = errno;

	if (at != 0)
		die();
	errno = e;
	return result;
}

static size_t
part(int at, size_t n)
{
	return at == 'h' ? n / 2 : n;
}

ssize_t
write(int fd, const void *p, size_t n)
{
	int at = moment(fd);

	return done(at, syscall(SYS_write, fd, p, part(at, n)));
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t off)
{
	int at = moment(fd);

	return done(at, syscall(SYS_pwrite64, fd, p, part(at, n), off));
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t off)
{
	return pwrite64(fd, p, n, off);
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	int at = moment(fd);

	return done(at, syscall(SYS_writev, fd, v, at == 'h' ? (n + 1) / 2 : n));
}

ssize_t
send(int fd, const void *p, size_t n, int flags)
{
	int at = moment(fd);

	return done(at, syscall(SYS_sendto, fd, p, part(at, n), flags, NULL, 0));
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	int at = moment(fd);

	return done(at, syscall(SYS_sendmsg, fd, m, flags));
}

int
fdatasync(int fd)
{
	return (int)done(moment(fd), syscall(SYS_fdatasync, fd));
}

int
fsync(int fd)
{
	return (int)done(moment(fd), syscall(SYS_fsync, fd));
}

int
ftruncate64(int fd, off64_t n)
{
	return (int)done(moment(fd), syscall(SYS_ftruncate, fd, n));
}

int
ftruncate(int fd, off_t n)
{
	return ftruncate64(fd, n);
}

int
rename(const char *from, const char *to)
{
	return (int)done(moment(-1), syscall(SYS_rename, from, to));
}

int
renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
	return (int)done(moment(-1), syscall(SYS_renameat2, a, from, b, to, flags));
}

int
renameat(int a, const char *from, int b, const char *to)
{
	return renameat2(a, from, b, to, 0);
}

int
unlink(const char *path)
{
	return (int)done(moment(-1), syscall(SYS_unlink, path));
}

int
unlinkat(int at, const char *path, int flags)
{
	return (int)done(moment(-1), syscall(SYS_unlinkat, at, path, flags));
}

int
linkat(int a, const char *from, int b, const char *to, int flags)
{
	return (int)done(moment(-1), syscall(SYS_linkat, a, from, b, to, flags));
}
