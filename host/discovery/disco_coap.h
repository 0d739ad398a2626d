/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few CoAP messages of discovery (muster/coap.h) as plain values, and the
 * judge that says what a request is answered with. No socket, no memory.
 */
#ifndef HOST_DISCOVERY_DISCO_COAP_H
#define HOST_DISCOVERY_DISCO_COAP_H

#include <netinet/in.h>

#include "host/discovery/disco.h"
#include "muster/coap.h"

#define DISCO_DATAGRAM 1280 /* longer ones are cut off and refused */
#define DISCO_QUERIES 4
#define DISCO_QUERY_MAX 64

/* Codes, as in struct mst_coap. */
#define DISCO_GET 1
#define DISCO_CONTENT 205
#define DISCO_BAD_OPTION 402
#define DISCO_NOT_FOUND 404
#define DISCO_NOT_ALLOWED 405
#define DISCO_NOT_ACCEPTABLE 406

struct disco_message {
	enum mst_coap_type type;
	unsigned code;
	uint16_t mid;
	uint8_t token[MST_COAP_TOKEN_MAX];
	size_t token_len;
	bool well_known_core; /* its Uri-Path */
	bool critical; /* an option that must not be overlooked is unknown here (5.4.1) */
	bool accept, format; /* there is an Accept, a Content-Format */
	unsigned accept_cf, format_cf;
	size_t query_count;
	struct {
		uint8_t text[DISCO_QUERY_MAX];
		size_t len;
	} query[DISCO_QUERIES];
	uint8_t payload[DISCO_DATAGRAM];
	size_t payload_len;
};

/* MST_E_LINKFORMAT for what is no CoAP message, or has queries too long or too many. */
MST_MUST_USE mst_err disco_message_read(mst_span datagram, struct disco_message *out);
/* A GET of /.well-known/core?query; NON, as RFC 7252 8.1 wants of multicast. */
MST_MUST_USE mst_err disco_message_ask(
    uint16_t mid, mst_span token, mst_span query, struct mst_buf *out);
/* An answer; Content-Format 40 when the code is 2.05. */
MST_MUST_USE mst_err disco_message_answer(enum mst_coap_type type, unsigned code, uint16_t mid,
    mst_span token, mst_span payload, struct mst_buf *out);

struct disco_offer {
	enum disco_what what;
	bool any; /* listens on every address */
	struct in6_addr address; /* else on this one */
	uint16_t port;
};

/* Where and how a request came in, and what there is to say. */
struct disco_scene {
	bool multicast; /* it was sent to a group */
	bool link_local; /* its source */
	const struct in6_addr *own_link_local, *own_global; /* of the link it came on; NULL: none */
	const struct disco_offer *offers;
	size_t offer_count;
};

/*
 * What becomes of a request; the words are labels of
 * muster_discovery_requests_total. Only ANSWER, REFUSE and RESET are sent, by
 * disco_judge() written into out; REFUSE and RESET never to a multicast
 * (RFC 7252 8.1, 8.2).
 */
enum disco_verdict {
	DISCO_ANSWER,
	DISCO_REFUSE,
	DISCO_RESET,
	DISCO_DROP_MALFORMED,
	DISCO_DROP_NOT_REQUEST, /* an answer, an ACK, a ping by multicast */
	DISCO_DROP_CONFIRMABLE, /* 8.1: multicast requests MUST be Non-confirmable */
	DISCO_DROP_UNKNOWN, /* multicast for another resource, method, format or option */
	DISCO_DROP_FILTERED, /* RFC 6690 4.1: multicast whose filter matches nothing */
	DISCO_DROP_SOURCE, /* DI-7: for link-local sources only */
};
enum disco_verdict disco_judge(const struct disco_scene *scene, mst_span datagram, uint16_t mid,
    struct disco_message *m, struct mst_buf *out);

#endif
