/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the thread; nobody outside this folder includes it. */
#ifndef HOST_DISCOVERY_DISCO_ROOM_H
#define HOST_DISCOVERY_DISCO_ROOM_H

#include <pthread.h>

#include "host/discovery/disco_coap.h"
#include "host/discovery/disco_limit.h"
#include "host/discovery/disco_net.h"

#define DISCO_PENDING 64 /* answers that wait for their moment */
#define DISCO_SECOND INT64_C(1000000)
#define DISCO_ADDRESS (INET6_ADDRSTRLEN + IF_NAMESIZE + 1)

struct disco_pending {
	int64_t due; /* 0: the place is free */
	struct sockaddr_in6 to;
	unsigned index;
	uint8_t bytes[512];
	size_t len;
};

struct disco_found {
	bool used;
	enum disco_what what;
	char address[DISCO_ADDRESS];
	uint16_t port;
	struct in6_addr source; /* who said so, as disco_source() has it */
	int64_t since, expires;
	bool again; /* and has said so again, some time later */
};

struct disco_sought {
	disco_fn fn; /* NULL: not sought */
	void *arg;
	uint8_t token[8]; /* of the latest request; answers to older ones are ignored */
	int64_t next; /* when it is asked again */
	int64_t pause;
};

struct disco {
	pthread_mutex_t lock; /* offers, sought, found; held by the thread but while it waits */
	pthread_t thread;
	bool started, stop;
	int wake;
	unsigned ways;
	char names[DISCO_LINKS_MAX][IF_NAMESIZE];
	size_t name_count;
	bool others; /* all links but those */
	long leisure_ms;
	int64_t flood_us;
	uint16_t coap_port, grasp_port;

	int coap, grasp, ask; /* sockets; -1: none */
	struct disco_link links[DISCO_LINKS_MAX];
	size_t link_count;
	int64_t next_look; /* when links are looked at again */

	struct disco_offer offers[DISCO_OFFERS_MAX];
	size_t offer_count;
	struct disco_limit limit;
	struct disco_pending pending[DISCO_PENDING];
	struct disco_message message; /* of the request under way */
	int64_t next_flood;

	struct disco_sought sought[DISCO_WHAT_COUNT];
	struct disco_found found[DISCO_FOUND_MAX];
	int64_t new_since; /* a minute from then on */
	unsigned new_count; /* has found so many that were not known, of these sources */
	struct in6_addr new_of[DISCO_FOUND_MAX];
};

/* disco.c */
int64_t disco_random(int64_t below);
const struct disco_link *disco_link_at(const struct disco *d, unsigned index);
/* Whom limits count it for, host/source.h. */
struct in6_addr disco_source(const struct disco *d, const struct disco_packet *p);
void disco_count(const char *series, const char *outcome);

/* disco_answer.c: requests and floods of others, answers that are due. */
void disco_on_request(struct disco *d, const struct disco_packet *p, int64_t now);
void disco_send_due(struct disco *d, int64_t now);
void disco_flood(struct disco *d);

/* disco_seek.c: asking, and what comes of it. */
void disco_ask_due(struct disco *d, int64_t now);
void disco_ask_anew(struct disco *d, int64_t now); /* the pauses begin from the start */
void disco_on_answer(struct disco *d, const struct disco_packet *p, int64_t now);
void disco_on_flood(struct disco *d, const struct disco_packet *p, int64_t now);
void disco_expire(struct disco *d, int64_t now);
/* The soonest of now + a second and what is due before. */
int64_t disco_next(const struct disco *d, int64_t now);

#endif
