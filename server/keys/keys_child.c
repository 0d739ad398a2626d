/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread, one poll loop, one socket per client. Requests of a client are
 * answered in their order. All that came in one read is executed and answered
 * in one write. A client that sends nonsense loses its own socket only; one
 * that does not read its answers is not read from either.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/keys/keys_room.h"
#include "server/keys/keys_wire.h"

#define READ_SIZE (64u << 10)
#define KEEP_SIZE (256u << 10) /* a buffer that grew beyond is given back when empty */
#define UNREAD_MAX (1u << 20) /* of answers, before a client is no longer read from */
#define REQUEST_MEMORY (64u << 20) /* the largest CRL takes some 20 MiB */

struct bytes {
	uint8_t *ptr;
	size_t cap, at, len; /* live bytes: at..len */
};
struct conn {
	int fd;
	struct bytes in, out;
};

static bool
room_for(struct bytes *b, size_t more)
{
	uint8_t *bigger;
	size_t cap;

	if (b->at != 0) {
		memmove(b->ptr, b->ptr + b->at, b->len - b->at);
		b->len -= b->at;
		b->at = 0;
	}
	if (b->cap - b->len >= more)
		return true;
	for (cap = b->cap != 0 ? b->cap : READ_SIZE; cap - b->len < more; cap *= 2)
		;
	if ((bigger = realloc(b->ptr, cap)) == NULL)
		return false;
	b->ptr = bigger;
	b->cap = cap;
	return true;
}

static void
took(struct bytes *b, size_t n)
{
	b->at += n;
	if (b->at != b->len)
		return;
	b->at = b->len = 0;
	if (b->cap > KEEP_SIZE) {
		free(b->ptr);
		*b = (struct bytes){ 0 };
	}
}

static void
drop(struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	free(c->in.ptr);
	free(c->out.ptr);
	c->in = c->out = (struct bytes){ 0 };
}

static bool
serve(struct keys_room *room, struct conn *c, mst_span message)
{
	struct arena *a = arena_new(REQUEST_MEMORY);
	mst_span frame;
	bool ok =
	    a != NULL && keys_room_serve(room, message, a, &frame) && room_for(&c->out, frame.len);

	if (ok) {
		memcpy(c->out.ptr + c->out.len, frame.ptr, frame.len);
		c->out.len += frame.len;
	}
	arena_free(a);
	return ok;
}

/* False: drop the client. */
static bool
serve_all(struct keys_room *room, struct conn *c)
{
	size_t n;

	for (;;) {
		mst_span rest = mst_span_of(c->in.ptr + c->in.at, c->in.len - c->in.at);

		if (!keys_frame_size(rest, &n))
			return false;
		if (n == 0 || rest.len < n)
			return true;
		if (!serve(room, c, mst_span_of(rest.ptr + KEYS_FRAME_HEAD, n - KEYS_FRAME_HEAD)))
			return false;
		took(&c->in, n);
		if (c->in.len == 0)
			return true;
	}
}

static bool
receive(struct keys_room *room, struct conn *c)
{
	ssize_t n;

	if (!room_for(&c->in, READ_SIZE))
		return false;
	n = recv(c->fd, c->in.ptr + c->in.len, READ_SIZE, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	c->in.len += (size_t)n;
	return serve_all(room, c);
}

static bool
flush(struct conn *c)
{
	ssize_t n;

	if (c->out.len == c->out.at)
		return true;
	n = send(
	    c->fd, c->out.ptr + c->out.at, c->out.len - c->out.at, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	took(&c->out, (size_t)n);
	return true;
}

static short
interest(const struct conn *c)
{
	size_t unread = c->out.len - c->out.at;

	return (short)((unread < UNREAD_MAX ? POLLIN : 0) | (unread != 0 ? POLLOUT : 0));
}

void
keys_child_loop(struct keys_room *room, const int *fds, size_t count)
{
	struct conn conns[KEYS_CLIENTS_MAX] = { 0 };
	struct pollfd list[KEYS_CLIENTS_MAX];
	size_t open = count;

	for (size_t i = 0; i < count; i++)
		conns[i].fd = fds[i];
	while (open != 0) {
		for (size_t i = 0; i < count; i++)
			list[i] = (struct pollfd){ conns[i].fd, interest(&conns[i]), 0 };
		if (poll(list, count, -1) < 0 && errno != EINTR)
			break;
		for (size_t i = 0; i < count; i++) {
			struct conn *c = &conns[i];
			bool ok = true;

			if (c->fd < 0 || list[i].revents == 0)
				continue;
			if ((list[i].revents & POLLIN) != 0)
				ok = receive(room, c) && flush(c);
			else if ((list[i].revents & POLLOUT) != 0)
				ok = flush(c);
			else
				ok = false; /* POLLHUP, POLLERR, POLLNVAL and nothing to read */
			if (!ok) {
				drop(c);
				open--;
			}
		}
	}
	for (size_t i = 0; i < count; i++)
		if (conns[i].fd >= 0)
			drop(&conns[i]);
}
