/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bad network between a UDP client and a server: loss, duplication,
 * reordering and truncation by a seed. What becomes of the n-th datagram of a
 * flow in one direction is a function of seed, flow, direction and n alone, so
 * that a seed repeats its faults whatever the timing.
 */
#ifndef TESTS_NET_FAULT_H
#define TESTS_NET_FAULT_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FAULT_FLOWS 64 /* sources; a further one is ignored */

struct fault_rates { /* of a thousand datagrams */
	unsigned loss, duplicate, reorder, truncate;
};

enum fault { FAULT_NONE, FAULT_LOSS, FAULT_DUPLICATE, FAULT_REORDER, FAULT_TRUNCATE, FAULT_COUNT };

struct fault_verdict {
	enum fault fault;
	uint32_t cut; /* of TRUNCATE: how many bytes stay, modulo the length */
};
struct fault_verdict fault_judge(
    uint64_t seed, const struct fault_rates *r, unsigned flow, unsigned direction, uint32_t n);

struct fault_link {
	uint64_t seed;
	struct fault_rates rates;
	struct sockaddr_in6 listen, target; /* IPv4 mapped; listen gets its port */
	int fd; /* set by fault_open */
	atomic_bool stop;
	unsigned long count[2][FAULT_COUNT]; /* to the target, to the source */
};
/* False: errno. */
bool fault_open(struct fault_link *l);
/* Until stop. */
void fault_run(struct fault_link *l);

#endif
