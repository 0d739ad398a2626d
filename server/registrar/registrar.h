/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar: BRSKI-EST towards pledges, BRSKI-MASA towards MASAs
 * (RFC 8995 section 5; requirements brski.md 8.2, 8.3, 8.6, 10, 11). The
 * judges are pure functions of what they are given; the handlers only fetch,
 * write, and ask the key process and the MASA in between.
 */
#ifndef SERVER_REGISTRAR_H
#define SERVER_REGISTRAR_H

#include "host/envelope.h"
#include "host/telemetry.h"
#include "server/ca/ca.h"
#include "server/journal/journal.h"
#include "server/net/net.h"
#include "server/trust/trust.h"

struct registrar_config {
	struct store *store;
	struct keys *keys;
	struct trust *trust;
	struct ca *ca;
	struct ca_loop **loops; /* one per net loop, by net_loops() index */
	struct net *net;
	const char *rvr_slot; /* of the key process */
	X509 *tls_cert; /* what the listener shows: also the client certificate towards MASAs */
	EVP_PKEY *tls_key;
	const STACK_OF(X509) *tls_chain;
	long masa_timeout_ms;
	unsigned masa_concurrency; /* per manufacturer and loop */
	long retry_after; /* seconds, with 202 */
	long exchange_days; /* how long requests and vouchers are kept; 0: for ever */
	long device_rate; /* voucher-requests per device and minute; as many reports */
	/*
	 * After so many ms a pledge hears 202 while the exchange with its MASA goes
	 * on; 0: 4000, below the 5 s after which a pledge with several proxies
	 * drops a connection without progress (RFC 8995 5.1).
	 */
	long answer_ms;
};

struct registrar;
MST_MUST_USE mst_err registrar_new(const struct registrar_config *c, struct registrar **out);
/*
 * When the loops no longer run, and before the store is closed and the net is
 * freed: what is still on its way ends without a trace, as in a crash. Then,
 * after net_free, registrar_free.
 */
void registrar_stop(struct registrar *r);
void registrar_free(struct registrar *r);
/* requestvoucher, voucher_status, enrollstatus; lives as long as the registrar. */
const struct net_route *registrar_routes(const struct registrar *r, size_t *count);
/*
 * From now on loop 0 fetches audit logs that are still owed (TEL-4). Before
 * net_run, or on loop 0's thread.
 */
void registrar_sweep_start(struct registrar *r);

/* --- judges --- */

struct registrar_pvr_in {
	enum mst_media media;
	mst_span message;
	const struct trust_verdict *client;
	X509 *client_cert; /* the PVR's signer must be this very certificate */
	const STACK_OF(X509) *client_chain;
	const struct anchors *maker; /* of the client's manufacturer; NULL: then nothing goes
	                                along in a PVR that TLS did not show */
	X509 *own; /* shown on this very connection */
	struct mst_clock clock;
};
struct registrar_pvr {
	struct envelope request;
	uint8_t sha256[32]; /* of the message */
};
/*
 * 8.2 steps 1 to 7. MST_E_TLS_NO_CLIENT_CERT, MST_E_TLS_* as trust says,
 * MST_E_PVR_PARSE, _SIGNATURE, _NONCE, _ASSERTION, _PROXIMITY, _SERIAL,
 * _CREATED, MST_E_MEDIA_UNSUPPORTED.
 */
MST_MUST_USE mst_err registrar_judge_pvr(
    struct arena *a, const struct registrar_pvr_in *in, struct registrar_pvr *out);

/*
 * COSE-4: what the RVR's x5bag says of the pledge: the chain that it showed,
 * EE first, up to the manufacturer's anchor. Owned by the arena. Refusals of
 * chain_verify(); MST_E_TLS_UNTRUSTED_MANUFACTURER without anchors.
 */
MST_MUST_USE mst_err registrar_pledge_chain(
    struct arena *a, const struct registrar_pvr_in *in, STACK_OF(X509) **out);

/*
 * 8.2 step 8: may this device have a voucher? Pure. A device is listed when an
 * operator imported or accepted it: decision > 0. MST_OK, MST_E_AUTHZ_UNKNOWN,
 * _PENDING, _DENIED, _MANUFACTURER, _QUARANTINED.
 */
MST_MUST_USE mst_err registrar_authorise(const struct manufacturer *m, const struct device *d);

/*
 * Where to send the RVR: the manufacturer's override, else the IDevID's URL if
 * the manufacturer's entry allows its host (ID-3: no request is sent where a
 * certificate says and nobody allowed). An entry without port allows every
 * port of a public host; an address of a private range must be named with its
 * port, else a certificate could make us knock at any port of that machine.
 * MST_E_MASA_NOT_ALLOWED.
 */
MST_MUST_USE mst_err registrar_masa_url(
    struct arena *a, const struct manufacturer *m, const char *from_idevid, const char **base);

/* 8.3, as claims for the key process. Leaves point into the arguments. */
void registrar_rvr_claims(const struct registrar_pvr *pvr, mst_span pvr_message,
    const struct trust_verdict *client, int64_t now, struct mst_voucher_claims *out);

struct registrar_voucher_in {
	enum mst_media media;
	mst_span message;
	const struct mst_voucher_claims *rvr;
	const struct anchors *voucher_anchors; /* NULL: not configured (COSE-6) */
	X509 *own;
	const STACK_OF(X509) *own_chain;
	struct mst_clock clock;
};
/* 8.6. MST_E_MASA_FORMAT: no voucher at all; MST_E_MASA_VOUCHER: not for this request. *why gets
 * words. */
MST_MUST_USE mst_err registrar_judge_voucher(
    struct arena *a, const struct registrar_voucher_in *in, const char **why);

struct registrar_audit_in {
	const struct audit_log *log;
	const mst_span *own_domains; /* domainIDs under which this site appears */
	size_t own_count;
	mst_span own_nonce; /* text of the voucher just issued; absent: nonceless */
	const char *policy; /* "strict" or "warn" */
};
struct registrar_audit {
	int verdict; /* 0 bad, 1 good, 2 good with warnings: column audit_verdict */
	mst_err err; /* why bad, or what the warning is about */
	const char *words; /* for people */
};
/*
 * AUD-6, as policy: under "strict" a foreign domain, a nonceless voucher of
 * another domain or arbitrary truncation is bad; under "warn" they are
 * warnings. A log without the voucher just issued to us is bad under both.
 */
MST_MUST_USE mst_err registrar_judge_audit(
    struct arena *a, const struct registrar_audit_in *in, struct registrar_audit *out);

#endif
