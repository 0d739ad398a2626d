/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No state per pledge (constrained-join-proxy 4.4): who it is travels with the
 * datagram, sealed. What comes back and was not sealed here goes nowhere.
 */
#include <string.h>
#include <unistd.h>

#include "server/proxy/udp_room.h"

void
udp_stateless_take(struct udp_join *j, const struct datagram_path *from, const struct mst_buf *in)
{
	struct proxy_udp *p = j->proxy;
	struct datagram_path to = { .peer = j->registrar.at };
	uint8_t header[UDP_HEADER_BYTES];
	struct mst_jpy m = { mst_span_of(header, sizeof header), mst_buf_span(in) };
	struct mst_buf out = { p->wrapped, sizeof p->wrapped, 0 };
	mst_err e = MST_E_PROXY_NOT_DTLS;

	if (udp_record_of(m.content) != UDP_NO_RECORD)
		e = udp_header_seal(&p->keys, &p->locals, &j->registrar.at, from, header);
	if (e == MST_OK && (e = mst_jpy_build(&m, &out)) == MST_OK &&
	    !datagram_send(j->up, &to, mst_buf_span(&out)))
		e = MST_E_IO;
	if (e != MST_OK)
		udp_drop(p, &from->peer, e);
	else
		udp_relayed(UDP_STATELESS, "to_registrar");
}

/* 4.5.5: what is not from the registrar, or not sealed here, is silently dropped. */
static mst_err
answer(struct udp_join *j, const struct datagram_path *from, const struct mst_buf *in)
{
	struct proxy_udp *p = j->proxy;
	struct datagram_path pledge;
	struct mst_jpy m;
	mst_err e;

	if (!datagram_same(&from->peer, &j->registrar.at))
		return MST_E_JPY_SOURCE;
	if ((e = mst_jpy_parse(mst_buf_span(in), &m)) != MST_OK ||
	    (e = udp_header_open(&p->keys, &p->locals, &j->registrar.at, m.header, &pledge)) !=
	        MST_OK)
		return e;
	if (udp_record_of(m.content) == UDP_NO_RECORD)
		return MST_E_PROXY_NOT_DTLS;
	if (!datagram_send(j->fd, &pledge, m.content))
		return MST_E_IO;
	udp_relayed(UDP_STATELESS, "to_pledge");
	return MST_OK;
}

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct udp_join *j = arg;
	struct mst_buf in = { j->proxy->room, sizeof j->proxy->room, 0 };
	struct datagram_path from;
	mst_err e;

	(void)what;
	for (int i = 0; i < UDP_BATCH && datagram_receive(fd, &in, &from); i++)
		if ((e = answer(j, &from, &in)) != MST_OK)
			udp_drop(j->proxy, &from.peer, e);
}

/* Not connected: the kernel would drop what others send, and nobody would count it. */
mst_err
udp_stateless_open(struct udp_join *j)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	mst_err e;

	if (IN6_IS_ADDR_V4MAPPED(&j->registrar.at.sin6_addr)) /* of that family alone */
		any.sin6_addr.s6_addr[10] = any.sin6_addr.s6_addr[11] = 0xff;
	if ((e = datagram_bind(&any, &j->up)) != MST_OK)
		return e;
	j->answers = event_new(j->proxy->base, j->up, EV_READ | EV_PERSIST, on_answer, j);
	return j->answers != NULL && event_add(j->answers, NULL) == 0 ? MST_OK : MST_E_NOMEM;
}

void
udp_stateless_close(struct udp_join *j)
{
	if (j->answers != NULL)
		event_free(j->answers);
	if (j->up >= 0)
		close(j->up);
	j->answers = NULL;
	j->up = -1;
}
