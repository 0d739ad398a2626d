/* SPDX-License-Identifier: Apache-2.0 */
/* A channel carried to the daemon that is already there. */
#include "server/admin/admin.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
dial(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof to.sun_path)
		return -1;
	memcpy(to.sun_path, path, strlen(path));
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

/* False at the end of from. */
static bool
carry(int from, int to)
{
	char buf[65536];
	ssize_t n = read(from, buf, sizeof buf), at = 0;

	if (n < 0)
		return errno == EINTR;
	while (at < n) {
		ssize_t w = write(to, buf + at, (size_t)(n - at));

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		at += w;
	}
	return n != 0;
}

mst_err
admin_relay(const char *path, int in, int out)
{
	int fd = dial(path);
	struct pollfd p[2] = { { .fd = in, .events = POLLIN }, { .fd = fd, .events = POLLIN } };

	if (fd < 0)
		return MST_E_NOT_FOUND;
	for (;;) {
		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		if (p[1].revents != 0 && !carry(fd, out))
			break;
		if (p[0].fd >= 0 && p[0].revents != 0 && !carry(in, fd)) {
			shutdown(fd, SHUT_WR); /* answers may still be on their way */
			p[0].fd = -1;
		}
	}
	close(fd);
	return MST_OK;
}
