/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DI-7: how often is answered, to one source and in all. A fixed table; when
 * more sources ask than it holds, the one longest silent makes room, and the
 * bound in all still holds.
 */
#ifndef HOST_DISCOVERY_DISCO_LIMIT_H
#define HOST_DISCOVERY_DISCO_LIMIT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define DISCO_SOURCES 128

/* A bucket fills by its rate up to its burst; one answer takes MICRO out of it. */
struct disco_bucket {
	int64_t micro; /* millionths of an answer */
	int64_t us; /* when it was looked at last */
};

struct disco_limit {
	long per_source, per_second; /* a minute, a second */
	struct disco_bucket all;
	struct {
		struct in6_addr source;
		uint32_t link;
		bool used;
		struct disco_bucket bucket;
	} sources[DISCO_SOURCES];
};

enum disco_allow { DISCO_ALLOWED, DISCO_OVER_SOURCE, DISCO_OVER_ALL };

void disco_limit_init(struct disco_limit *l, long per_source, long per_second, int64_t now_us);
/* Takes one answer to source out of both buckets, or none. now_us never goes back. */
enum disco_allow disco_limit_take(
    struct disco_limit *l, const struct in6_addr *source, uint32_t link, int64_t now_us);

#endif
