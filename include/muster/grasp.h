/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one GRASP message that BRSKI needs: M_FLOOD (RFC 8990 2.8.9, RFC 8995
 * 4.1.1 and 4.3), by which proxies and registrars say where they are. DULL
 * GRASP is unprotected: what is read is a hint from anybody on the link.
 *
 *	[9, session, initiator, ttl, +[[name, flags, loop-count, ?value], locator]]
 *
 * The reader passes over objectives it does not look for, locators of other
 * kinds and what follows a locator's port, and takes the pairs also in one
 * further array, as brski-discovery-07 3.5.2.2 prints them. Errors:
 * MST_E_GRASP, or those of cbor.h. Spans point into the input.
 */
#ifndef MUSTER_GRASP_H
#define MUSTER_GRASP_H

#include "muster/span.h"

/* Codepoints: RFC 8990 2.8, 2.9.5.1, 4; RFC 8995 4.1.1, 4.3. */
#define MST_GRASP_M_FLOOD 9
#define MST_GRASP_O_IPV6_LOCATOR 103
#define MST_GRASP_SYNC 4 /* objective-flags: F_SYNC as a value */
#define MST_GRASP_TTL_MS 180000
#define MST_GRASP_PORT 7017 /* UDP, on ff02::13, ALL_GRASP_NEIGHBORS */
#define MST_GRASP_MESSAGE_MAX 2048 /* GRASP_DEF_MAX_SIZE */
#define MST_GRASP_TCP 6
#define MST_GRASP_UDP 17
#define MST_GRASP_PROXY "AN_Proxy"
#define MST_GRASP_REGISTRAR "AN_join_registrar"
/* brski-discovery-07 3.5.2.2: the registrar's JPY port. Unstable, seen 2025-07. */
#define MST_GRASP_REGISTRAR_JPY "AN_join_registrar_rjp"

/* Objectives of one message that are kept; more are passed over. */
#define MST_GRASP_OBJECTIVES 8

struct mst_grasp_objective {
	mst_span name;
	uint8_t flags;
	uint8_t loop_count;
	mst_span value; /* as text; absent where it is none or not text */
	mst_span address; /* 16 bytes; absent without an IPv6 locator */
	uint8_t protocol; /* IP protocol number */
	uint16_t port; /* 0: none */
};

struct mst_grasp_flood {
	uint32_t session;
	mst_span initiator; /* 4 or 16 bytes */
	uint32_t ttl_ms;
	struct mst_grasp_objective objectives[MST_GRASP_OBJECTIVES];
	size_t count;
};

MST_MUST_USE mst_err mst_grasp_parse(mst_span message, struct mst_grasp_flood *out);

/*
 * Deterministic CBOR; appends. An absent value is left out, an absent address
 * becomes the empty locator []. MST_E_GRASP without an objective, for an
 * initiator or address of another length or a loop count of 0; MST_E_SPACE.
 */
MST_MUST_USE mst_err mst_grasp_build(const struct mst_grasp_flood *flood, struct mst_buf *out);

#endif
