/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's end of JPY on loopback, a socket that plays the CoAPS listener behind it and
 * sockets that play join proxies. What cannot be done fails the test that asked for it. */
#ifndef TESTS_UNIT_NET_SUPPORT_JPY_H
#define TESTS_UNIT_NET_SUPPORT_JPY_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>

#include "muster/span.h"
#include "server/net/jpy.h"

#define RECORD                                                                                     \
	"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x01" /* a handshake record of epoch 0; then its type */
#define HELLO MST_LIT(RECORD "\x01 client hello")
#define SERVER_HELLO MST_LIT(RECORD "\x02 server hello")

struct site {
	struct net *net;
	struct jpy *jpy;
	pthread_t thread;
	int listener; /* plays the CoAPS listener */
	int port;
};

/* Addresses that c lacks are picked here. */
void site_begin(struct site *s, struct jpy_config c);
void site_end(struct site *s);
/* A join proxy at that address. */
int proxy_at(const struct site *s, const char *from);

void say(int proxy, mst_span header, mst_span content);
void get(int proxy, mst_span header, mst_span content); /* the next datagram is exactly that */
/* What the listener gets, and from whom. */
struct sockaddr_in hear(const struct site *s, mst_span content);
void answer(const struct site *s, const struct sockaddr_in *to, mst_span content);
/* A pledge whose sender the listener has proven; last is what it says to the HELLO. */
struct sockaddr_in join_with(const struct site *s, int proxy, mst_span header, mst_span last);
/* The same with a SERVER_HELLO: the pledge has returned a cookie. */
struct sockaddr_in join(const struct site *s, int proxy, mst_span header);
bool silent(int fd); /* nothing to read within 50 ms */

double dropped(const char *reason);
/* Until the counter has moved by n since before. */
void until_dropped(const char *reason, double before, double n);

#endif
