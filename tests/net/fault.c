/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/net/fault.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_MS 20 /* how long a poll may last, so that stop is seen */
#define HELD_TURNS 3 /* a datagram held back goes out after so many when none overtakes it */
#define DATAGRAM 65536

struct held {
	uint8_t *bytes;
	size_t len;
	unsigned turns;
};

struct flow {
	struct sockaddr_in6 source;
	int fd; /* towards the target */
	uint32_t seen[2];
	struct held held[2];
};

/* splitmix64: every bit of the seed reaches every bit of the answer */
static uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

struct fault_verdict
fault_judge(
    uint64_t seed, const struct fault_rates *r, unsigned flow, unsigned direction, uint32_t n)
{
	uint64_t x = mix(mix(seed) ^ mix(((uint64_t)flow << 40) + ((uint64_t)direction << 32) + n));
	unsigned at = (unsigned)(x % 1000);
	const unsigned rates[] = { r->loss, r->duplicate, r->reorder, r->truncate };

	for (unsigned i = 0; i < 4; i++) {
		if (at < rates[i])
			return (struct fault_verdict){ (enum fault)(i + 1), (uint32_t)(x >> 32) };
		at -= rates[i];
	}
	return (struct fault_verdict){ FAULT_NONE, 0 };
}

static int
both(void)
{
	int no = 0, fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
	return fd;
}

bool
fault_open(struct fault_link *l)
{
	socklen_t len = sizeof l->listen;

	l->fd = both();
	return l->fd >= 0 &&
	       bind(l->fd, (const struct sockaddr *)&l->listen, sizeof l->listen) == 0 &&
	       getsockname(l->fd, (struct sockaddr *)&l->listen, &len) == 0;
}

static void
deliver(struct fault_link *l, struct flow *f, unsigned direction, const uint8_t *bytes, size_t len)
{
	if (direction == 0)
		(void)!send(f->fd, bytes, len, MSG_NOSIGNAL);
	else
		sendto(l->fd, bytes, len, MSG_NOSIGNAL, (const struct sockaddr *)&f->source,
		    sizeof f->source);
}

static void
release(struct fault_link *l, struct flow *f, unsigned direction)
{
	struct held *h = &f->held[direction];

	if (h->bytes == NULL)
		return;
	deliver(l, f, direction, h->bytes, h->len);
	free(h->bytes);
	*h = (struct held){ NULL, 0, 0 };
}

static void
take(struct fault_link *l, struct flow *f, unsigned flow, unsigned direction, const uint8_t *bytes,
    size_t len)
{
	struct fault_verdict v =
	    fault_judge(l->seed, &l->rates, flow, direction, f->seen[direction]++);
	struct held *h = &f->held[direction];

	l->count[direction][v.fault]++;
	if (v.fault == FAULT_REORDER && h->bytes == NULL && (h->bytes = malloc(len + 1)) != NULL) {
		memcpy(h->bytes, bytes, len);
		h->len = len;
		return;
	}
	if (v.fault == FAULT_TRUNCATE)
		len = len != 0 ? v.cut % len : 0;
	if (v.fault != FAULT_LOSS)
		deliver(l, f, direction, bytes, len);
	if (v.fault == FAULT_DUPLICATE)
		deliver(l, f, direction, bytes, len);
	release(l, f, direction); /* it was overtaken */
}

static struct flow *
flow_of(struct fault_link *l, struct flow *flows, unsigned *count, const struct sockaddr_in6 *from)
{
	for (unsigned i = 0; i < *count; i++)
		if (flows[i].source.sin6_port == from->sin6_port &&
		    IN6_ARE_ADDR_EQUAL(&flows[i].source.sin6_addr, &from->sin6_addr))
			return &flows[i];
	if (*count == FAULT_FLOWS)
		return NULL;
	memset(&flows[*count], 0, sizeof flows[*count]);
	flows[*count].source = *from;
	flows[*count].fd = both();
	if (flows[*count].fd < 0 ||
	    connect(flows[*count].fd, (const struct sockaddr *)&l->target, sizeof l->target) != 0) {
		close(flows[*count].fd);
		return NULL;
	}
	return &flows[(*count)++];
}

void
fault_run(struct fault_link *l)
{
	struct flow *flows = calloc(FAULT_FLOWS, sizeof *flows), *f;
	struct pollfd p[FAULT_FLOWS + 1];
	uint8_t *bytes = malloc(DATAGRAM);
	unsigned count = 0;

	while (flows != NULL && bytes != NULL && !atomic_load(&l->stop)) {
		struct sockaddr_in6 from;
		socklen_t len = sizeof from;
		ssize_t n;
		bool quiet;

		p[0] = (struct pollfd){ .fd = l->fd, .events = POLLIN };
		for (unsigned i = 0; i < count; i++)
			p[i + 1] = (struct pollfd){ .fd = flows[i].fd, .events = POLLIN };
		quiet = poll(p, count + 1, TURN_MS) == 0;
		for (unsigned i = 0; i < count; i++)
			for (unsigned d = 0; d < 2; d++)
				if (quiet && flows[i].held[d].bytes != NULL &&
				    ++flows[i].held[d].turns >= HELD_TURNS)
					release(l, &flows[i], d);
		for (unsigned i = 0; i < count; i++)
			if ((p[i + 1].revents & (POLLIN | POLLERR)) != 0 &&
			    (n = recv(flows[i].fd, bytes, DATAGRAM, MSG_DONTWAIT)) >= 0)
				take(l, &flows[i], i, 1, bytes, (size_t)n);
		if ((p[0].revents & POLLIN) != 0 &&
		    (n = recvfrom(l->fd, bytes, DATAGRAM, MSG_DONTWAIT, (struct sockaddr *)&from,
		         &len)) >= 0 &&
		    (f = flow_of(l, flows, &count, &from)) != NULL)
			take(l, f, (unsigned)(f - flows), 0, bytes, (size_t)n);
	}
	for (unsigned i = 0; i < count; i++) {
		free(flows[i].held[0].bytes);
		free(flows[i].held[1].bytes);
		close(flows[i].fd);
	}
	free(flows);
	free(bytes);
	close(l->fd);
}
