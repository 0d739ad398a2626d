/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a TLS connection? TLS accepts any client
 * certificate; this room judges it, once per connection, and fails closed
 * (dependencies.md 2.2). Explicit anchors (the site's own CA) and
 * manufacturer anchors are kept apart, as RFC 7030 3.3.2 wants.
 */
#ifndef SERVER_TRUST_H
#define SERVER_TRUST_H

#include "server/net/net.h"
#include "server/store/store_cert.h"
#include "server/store/store_device.h"

enum trust_class {
	TRUST_ANONYMOUS, /* no client certificate */
	TRUST_IDEVID, /* chains to a trusted manufacturer; .manufacturer and .serial are set */
	TRUST_LDEVID, /* issued by this site's CA, recorded, neither revoked nor expired; .row is
	                 set */
	TRUST_REFUSED, /* .why says why: untrusted, expired, revoked, unknown */
};

struct trust_verdict {
	enum trust_class class;
	mst_err why; /* MST_OK unless REFUSED */
	const char *detail; /* words for the log */
	/*
	 * IDEVID: identity and policy of its row. What is large or secret (PEMs,
	 * CRL, credentials for the MASA) is left out: read the row for that.
	 */
	struct manufacturer manufacturer;
	mst_span serial; /* device serial: of the IDevID, or of the LDevID's device */
	mst_span idevid_issuer; /* IDEVID: ID-8 bytes */
	mst_span spki_sha256; /* of the leaf */
	struct cert_row row; /* LDEVID */
	const char *masa_url; /* IDEVID: from the extension, checked; NULL absent or bad (then
	                         masa_url_err) */
	mst_err masa_url_err;
};

struct trust;
/* own_anchors: the site CA's present and former roots (and intermediates); borrowed. NULL: the
 * daemon has no CA. */
MST_MUST_USE mst_err trust_new(
    struct store *s, const struct anchors *own_anchors, struct trust **out);
void trust_free(struct trust *t);
/*
 * The verdict on this connection's peer. The chain is verified once and kept in
 * peer->note; revocation, expiry and the manufacturer's state are looked at
 * again at each call, so a revocation holds at once. Loop thread only. Never NULL.
 */
const struct trust_verdict *trust_judge(struct trust *t, struct net_request *rq);
/* The same of a connection that has not asked yet. */
const struct trust_verdict *trust_judge_peer(struct trust *t, struct net_peer *peer);
/* As data, for tests and other transports: the same judgement on a certificate. */
void trust_judge_cert(struct trust *t, struct db *db, struct arena *a, X509 *leaf,
    const STACK_OF(X509) *chain, const struct mst_clock *clock, struct trust_verdict *out);

/*
 * A manufacturer's anchors as they are now, for judging what its devices sign.
 * They live until the hold is given back; any thread. MST_E_NOT_FOUND.
 */
struct snapshot;
MST_MUST_USE mst_err trust_hold(
    struct trust *t, int64_t manufacturer, struct snapshot **hold, const struct anchors **out);
void trust_release(struct snapshot *hold);

/* A copy whose strings and rows lie in the arena, for work that outlives the call. MST_E_NOMEM. */
MST_MUST_USE mst_err trust_copy(
    struct arena *a, const struct trust_verdict *v, struct trust_verdict *out);

#endif
