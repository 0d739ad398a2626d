/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has returned a cookie, and what of the limits it uses. A source is that of
 * host/source.h; all pledges of a stateless join proxy are one, which may begin
 * more handshakes, for it carries those of a whole link. What it does itself is
 * counted apart. One thread; dtls.c alone includes this.
 */
#ifndef SERVER_NET_DTLS_ORIGIN_H
#define SERVER_NET_DTLS_ORIGIN_H

#include "host/source.h"
#include "server/net/net.h"

struct origin {
	struct origin *next;
	long sessions, shaking, strangers; /* the caller's to keep */
	long rate, burst, most_shaking; /* handshakes: a second, at once, unfinished */
	long milli_tokens; /* handshakes it may begin, times 1000 */
	int64_t at; /* ms; when that was so */
	bool proxied;
	char name[SOURCE_TEXT];
};

#define ORIGIN_BUCKETS 1024
struct origins {
	const struct net_coaps_limits *limits; /* complete: no zero */
	struct origin *buckets[ORIGIN_BUCKETS];
};

/* Its tokens as they are now; NULL: no memory. It lives until a sweep finds nothing of it. */
struct origin *origin_get(struct origins *o, const char *source, bool proxied, int64_t now_ms);
/* Those without sessions whose tokens are complete go. */
void origins_sweep(struct origins *o, int64_t now_ms);
void origins_free(struct origins *o);

#endif
