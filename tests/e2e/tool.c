/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scripts of tests/e2e cannot do themselves.
 *
 *   e2e_tool ports N
 *       N free TCP ports of loopback, all different.
 *   e2e_tool relay LISTEN TARGET SEED MOST CUTS
 *       A TCP relay on loopback that loses answers: of the first CUTS
 *       connections each is cut after a number of bytes (below MOST) in one
 *       direction, both drawn from SEED; half of the cuts are resets, half are
 *       plain ends. Prints a line for each cut. Later connections pass whole.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORTS_MOST 64
#define CIRCUITS_MOST 64

static uint64_t seed;

static uint64_t
draw(void) /* splitmix64: any seed does */
{
	uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static struct sockaddr_in
loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/*
 * Below the range from which the kernel takes the ports of clients: a daemon
 * that is killed and started again finds its port free.
 */
static int
ports(int n)
{
	struct timespec now;
	int found = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = (uint64_t)now.tv_nsec ^ (uint64_t)getpid() << 32;
	for (int tries = 0; found < n && found < PORTS_MOST && tries < 10000; tries++) {
		int port = 10000 + (int)(draw() % 22000);
		struct sockaddr_in at = loopback(port);
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd < 0)
			return 1;
		if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0) {
			close(fd);
			continue;
		}
		printf("%d ", port); /* it stays bound to the end: no two are alike */
		found++;
	}
	return found == n ? 0 : 1;
}

/* [0] is the side that called, [1] the target. */
struct circuit {
	int fd[2];
	int64_t left[2]; /* bytes from this side until the cut; -1 for no cut */
	int reset;
};
static struct circuit circuits[CIRCUITS_MOST];
static size_t count;

static void
drop(size_t i, int reset)
{
	struct linger hard = { 1, 0 };

	for (int s = 0; s < 2; s++) {
		if (reset)
			setsockopt(circuits[i].fd[s], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		close(circuits[i].fd[s]);
	}
	circuits[i] = circuits[--count];
}

static void
admit(int listener, int target, int64_t most, int *cuts)
{
	struct sockaddr_in to = loopback(target);
	struct circuit c = { .left = { -1, -1 } };

	if ((c.fd[0] = accept(listener, NULL, NULL)) < 0)
		return;
	c.fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (count == CIRCUITS_MOST || c.fd[1] < 0 ||
	    connect(c.fd[1], (struct sockaddr *)&to, sizeof to) != 0) {
		close(c.fd[0]);
		if (c.fd[1] >= 0)
			close(c.fd[1]);
		return;
	}
	if (*cuts > 0) {
		uint64_t side = draw() & 1;

		--*cuts;
		c.reset = (int)(draw() & 1);
		c.left[side] = (int64_t)(draw() % (uint64_t)most);
		printf("cut: %s after %lld bytes, %s\n", side == 0 ? "request" : "answer",
		    (long long)c.left[side], c.reset ? "reset" : "end");
		fflush(stdout);
	}
	circuits[count++] = c;
}

static int
send_all(int fd, const char *p, ssize_t n)
{
	while (n > 0) {
		ssize_t w = send(fd, p, (size_t)n, MSG_NOSIGNAL);

		if (w <= 0)
			return 0;
		p += w;
		n -= w;
	}
	return 1;
}

/* False when the circuit is over. */
static int
carry(struct circuit *c, int from)
{
	char buf[4096];
	ssize_t n = recv(c->fd[from], buf, sizeof buf, 0);

	if (n <= 0)
		return 0;
	if (c->left[from] >= 0 && n > c->left[from]) {
		send_all(c->fd[1 - from], buf, (ssize_t)c->left[from]);
		return 0;
	}
	if (c->left[from] >= 0)
		c->left[from] -= n;
	return send_all(c->fd[1 - from], buf, n);
}

static int
relay(int port, int target, int64_t most, int cuts)
{
	struct sockaddr_in at = loopback(port);
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd p[1 + 2 * CIRCUITS_MOST];

	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	    bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 64) != 0) {
		perror("relay");
		return 1;
	}
	for (;;) {
		p[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
		for (size_t i = 0; i < 2 * count; i++)
			p[1 + i] =
			    (struct pollfd){ .fd = circuits[i / 2].fd[i % 2], .events = POLLIN };
		if (poll(p, (nfds_t)(1 + 2 * count), -1) < 0)
			continue;
		for (size_t i = count; i-- > 0;) /* drop() moves only what was done */
			for (int s = 0; s < 2; s++)
				if (p[1 + 2 * i + (size_t)s].revents != 0 &&
				    !carry(&circuits[i], s)) {
					drop(i, circuits[i].reset);
					break;
				}
		if (p[0].revents != 0)
			admit(listener, target, most, &cuts);
	}
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "ports") == 0)
		return ports(atoi(argv[2]));
	if (argc == 7 && strcmp(argv[1], "relay") == 0) {
		seed = (uint64_t)atoll(argv[4]);
		return relay(atoi(argv[2]), atoi(argv[3]), atoll(argv[5]), atoi(argv[6]));
	}
	fputs("usage: see the head of tests/e2e/tool.c\n", stderr);
	return 2;
}
