/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP errors of the registrar's side, handed on to the pledge with the same
 * type and code (constrained-join-proxy 4.3, SHOULD). They are read from the
 * error queue, which everybody may; an ICMP message is sent through a raw
 * socket, which takes CAP_NET_RAW. Without it nothing is sent and the outcome
 * "not_permitted" is counted: the pledge then learns by its own timers.
 */
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/errqueue.h>

#include "host/clock.h"
#include "host/metrics.h"
#include "server/proxy/udp_room.h"

#define QUOTE6 1184 /* of the pledge's payload: all stays within 1280 (RFC 4443 2.4 c) */
#define ICMP_PER_SECOND 10
#define QUOTE4 520 /* within 576 (RFC 1812 4.3.2.3) */

/* --- what was sent back --- */

/* RFC 7915 4.2: the words of ICMPv4 in those of ICMPv6. */
static struct udp_icmp
of_icmp4(const struct sock_extended_err *e)
{
	if (e->ee_type == ICMP_TIME_EXCEEDED)
		return (struct udp_icmp){ ICMP6_TIME_EXCEEDED, e->ee_code, 0 };
	switch (e->ee_code) {
	case ICMP_PORT_UNREACH: return (struct udp_icmp){ ICMP6_DST_UNREACH, 4, 0 };
	case ICMP_FRAG_NEEDED: return (struct udp_icmp){ ICMP6_PACKET_TOO_BIG, 0, e->ee_info };
	case ICMP_NET_ANO:
	case ICMP_HOST_ANO:
	case ICMP_PKT_FILTERED:
	case ICMP_PREC_VIOLATION: return UDP_PROHIBITED;
	default: return (struct udp_icmp){ ICMP6_DST_UNREACH, 0, 0 };
	}
}

static bool
translate(const struct sock_extended_err *e, struct udp_icmp *what)
{
	if (e->ee_origin == SO_EE_ORIGIN_ICMP6)
		*what = (struct udp_icmp){ e->ee_type, e->ee_code, e->ee_info };
	else if (e->ee_origin == SO_EE_ORIGIN_ICMP)
		*what = of_icmp4(e);
	else
		return false; /* this machine's own trouble */
	return true;
}

bool
udp_icmp_next(int fd, struct mst_buf *payload, struct udp_icmp *what)
{
	union {
		struct cmsghdr align;
		char bytes[512];
	} control;

	for (;;) {
		struct iovec to = { payload->ptr, payload->cap };
		struct msghdr m = { .msg_iov = &to,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof control };
		ssize_t n = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);

		if (n < 0)
			return false;
		payload->len = (size_t)n;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
			struct sock_extended_err e;

			if (!(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR) &&
			    !(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR))
				continue;
			memcpy(&e, CMSG_DATA(c), sizeof e);
			if (translate(&e, what))
				return true;
		}
	}
}

/* --- what the pledge is told --- */

struct sum {
	uint32_t of;
	bool odd;
};

static void
sum_add(struct sum *s, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++, s->odd = !s->odd)
		s->of += s->odd ? p[i] : (uint32_t)p[i] << 8;
}

static uint16_t
sum_end(struct sum s)
{
	while (s.of >> 16 != 0)
		s.of = (s.of & 0xffff) + (s.of >> 16);
	return htons((uint16_t)~s.of);
}

/* The UDP header that the pledge sent, and how the payload, of which a part is quoted, begins. */
static struct udphdr
quoted_udp(const struct udp_join *j, const struct datagram_path *pledge, mst_span payload)
{
	struct udphdr u = { .uh_sport = pledge->peer.sin6_port,
		.uh_dport = htons(j->port),
		.uh_ulen = htons((uint16_t)(sizeof u + payload.len)) };

	return u;
}

static bool
send_icmp6(
    struct udp_join *j, const struct datagram_path *pledge, struct udp_icmp what, mst_span payload)
{
	struct udphdr udp = quoted_udp(j, pledge, payload);
	struct icmp6_hdr icmp = { .icmp6_type = what.type, .icmp6_code = what.code };
	struct ip6_hdr ip = { .ip6_src = pledge->peer.sin6_addr, .ip6_dst = pledge->local };
	uint8_t packet[sizeof icmp + sizeof ip + sizeof udp + QUOTE6];
	struct mst_buf out = MST_BUF(packet);
	struct datagram_path to = *pledge;
	struct sum sum = { IPPROTO_UDP, false };

	icmp.icmp6_mtu = htonl(what.type == ICMP6_PACKET_TOO_BIG ? what.info : 0);
	ip.ip6_flow = htonl(6u << 28);
	ip.ip6_plen = udp.uh_ulen;
	ip.ip6_nxt = IPPROTO_UDP;
	ip.ip6_hlim = 64;
	sum_add(&sum, &ip.ip6_src, sizeof ip.ip6_src);
	sum_add(&sum, &ip.ip6_dst, sizeof ip.ip6_dst);
	sum_add(&sum, &udp.uh_ulen, 2);
	sum_add(&sum, &udp, sizeof udp);
	sum_add(&sum, payload.ptr, payload.len);
	udp.uh_sum = sum_end(sum);
	payload.len = payload.len < QUOTE6 ? payload.len : QUOTE6;
	if (mst_buf_put(&out, mst_span_of(&icmp, sizeof icmp)) != MST_OK ||
	    mst_buf_put(&out, mst_span_of(&ip, sizeof ip)) != MST_OK ||
	    mst_buf_put(&out, mst_span_of(&udp, sizeof udp)) != MST_OK ||
	    mst_buf_put(&out, payload) != MST_OK)
		return false;
	to.peer.sin6_port = 0; /* the kernel fills in ICMPv6's own checksum */
	return datagram_send(j->proxy->icmp6, &to, mst_buf_span(&out));
}

/* The same, other way round, for a pledge on IPv4 (RFC 7915 5.2). */
static void
in_icmp4(struct udp_icmp what, struct icmphdr *icmp)
{
	icmp->type = ICMP_DEST_UNREACH;
	if (what.type == ICMP6_TIME_EXCEEDED) {
		icmp->type = ICMP_TIME_EXCEEDED;
		icmp->code = what.code;
	} else if (what.type == ICMP6_PACKET_TOO_BIG) {
		icmp->code = ICMP_FRAG_NEEDED;
		icmp->un.frag.mtu = htons((uint16_t)(what.info < 65535 ? what.info : 65535));
	} else if (what.type == ICMP6_DST_UNREACH && what.code == 4)
		icmp->code = ICMP_PORT_UNREACH;
	else if (what.type == ICMP6_DST_UNREACH && what.code == 1)
		icmp->code = ICMP_PKT_FILTERED;
	else
		icmp->code = ICMP_HOST_UNREACH;
}

static bool
send_icmp4(
    struct udp_join *j, const struct datagram_path *pledge, struct udp_icmp what, mst_span payload)
{
	struct udphdr udp = quoted_udp(j, pledge, payload);
	struct icmphdr icmp = { 0 };
	struct iphdr ip;
	uint8_t packet[sizeof icmp + sizeof ip + sizeof udp + QUOTE4];
	struct mst_buf out = MST_BUF(packet);
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct sum ip_sum = { 0, false }, sum = { 0, false };

	in_icmp4(what, &icmp);
	memset(&ip, 0, sizeof ip);
	ip.version = 4;
	ip.ihl = 5;
	ip.ttl = 64;
	ip.protocol = IPPROTO_UDP;
	memcpy(&to.sin_addr, &pledge->peer.sin6_addr.s6_addr[12], 4);
	memcpy(&ip.saddr, &pledge->peer.sin6_addr.s6_addr[12], 4);
	memcpy(&ip.daddr, &pledge->local.s6_addr[12], 4);
	ip.tot_len = htons((uint16_t)(sizeof ip + sizeof udp + payload.len));
	sum_add(&ip_sum, &ip, sizeof ip);
	ip.check = sum_end(ip_sum);
	payload.len = payload.len < QUOTE4 ? payload.len : QUOTE4; /* a UDP checksum of 0: none */
	sum_add(&sum, &icmp, sizeof icmp);
	sum_add(&sum, &ip, sizeof ip);
	sum_add(&sum, &udp, sizeof udp);
	sum_add(&sum, payload.ptr, payload.len);
	icmp.checksum = sum_end(sum);
	if (mst_buf_put(&out, mst_span_of(&icmp, sizeof icmp)) != MST_OK ||
	    mst_buf_put(&out, mst_span_of(&ip, sizeof ip)) != MST_OK ||
	    mst_buf_put(&out, mst_span_of(&udp, sizeof udp)) != MST_OK ||
	    mst_buf_put(&out, payload) != MST_OK)
		return false;
	return sendto(j->proxy->icmp4, packet, out.len, MSG_NOSIGNAL, (struct sockaddr *)&to,
	           sizeof to) >= 0;
}

/* RFC 4443 2.4 f: errors MUST be limited in rate; whom a flood pretends to be is not flooded. */
static bool
may_send(struct proxy_udp *p)
{
	int64_t now = clock_mono_us();

	if (now - p->icmp_since_us >= 1000000) {
		p->icmp_since_us = now;
		p->icmp_sent = 0;
	}
	return p->icmp_sent++ < ICMP_PER_SECOND;
}

void
udp_icmp_send(
    struct udp_join *j, const struct datagram_path *pledge, struct udp_icmp what, mst_span payload)
{
	bool four = IN6_IS_ADDR_V4MAPPED(&pledge->peer.sin6_addr);
	const char *outcome;

	if (!may_send(j->proxy))
		outcome = "outcome=\"limited\"";
	else if ((four ? j->proxy->icmp4 : j->proxy->icmp6) < 0)
		outcome = "outcome=\"not_permitted\"";
	else if (four ? send_icmp4(j, pledge, what, payload) : send_icmp6(j, pledge, what, payload))
		outcome = "outcome=\"sent\"";
	else
		outcome = "outcome=\"failed\"";
	metric_add("muster_proxy_udp_icmp_total", outcome, 1);
}

/* --- sockets --- */

void
udp_icmp_open(struct proxy_udp *p)
{
	const int kind = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
	struct icmp6_filter none6;
	uint32_t none4 =
	    0xffffffff; /* struct icmp_filter of linux/icmp.h, which clashes with libc's */

	ICMP6_FILTER_SETBLOCKALL(&none6); /* they send; nobody reads from them */
	p->icmp6 = socket(AF_INET6, kind, IPPROTO_ICMPV6);
	if (p->icmp6 >= 0)
		setsockopt(p->icmp6, IPPROTO_ICMPV6, ICMP6_FILTER, &none6, sizeof none6);
	p->icmp4 = socket(AF_INET, kind, IPPROTO_ICMP);
	if (p->icmp4 >= 0)
		setsockopt(p->icmp4, SOL_RAW, 1 /* ICMP_FILTER */, &none4, sizeof none4);
}

void
udp_icmp_close(struct proxy_udp *p)
{
	if (p->icmp6 >= 0)
		close(p->icmp6);
	if (p->icmp4 >= 0)
		close(p->icmp4);
}
