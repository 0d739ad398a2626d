/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pledge: RFC 8995 sections 4.1, 5 and 5.9 as one engine. It is told
 * events and answers with one action; it never blocks, allocates, logs or
 * looks at a clock. The driver (agent/, a microcontroller's main loop, the
 * simulator in tests/sim) does the I/O and comes back with the next event.
 *
 * A driver's duties
 *  - Start each life in the mode that its storage says: nothing stored is
 *    BOOTSTRAP, an LDevID not yet reported is REPORT, one due for renewal is
 *    RENEW. The engine never starts BRSKI in the other two (RFC 8995 5).
 *  - One connection at a time, opened on CONNECT only. A transport must never
 *    reconnect by itself: the voucher-request names the certificate that this
 *    very connection showed (RFC 8995 5.2).
 *  - Each SEND is answered by exactly one RESPONSE or FAILED; each CONNECT by
 *    one CONNECTED or FAILED; after CLOSE answers still under way are thrown
 *    away.
 *  - A 3xx may be followed where RFC 8995 5.6 allows it. To another origin: on
 *    the new connection answer the SEND with CONNECTED, and the engine makes a
 *    request for it (only for REQUESTVOUCHER, only once). A 3xx that reaches
 *    the engine is a refusal.
 *  - KEEP is one atomic step: after a power cut either all of it is there, or
 *    nothing. From the moment it is durable the device is enrolled, whatever
 *    becomes of the report.
 *
 * Embedder example: the whole main loop of a device.
 *
 *	static uint8_t pvr[16384], scratch[32768], keep[32768], chain[16384];
 *	struct mst_pledge_config cfg = {
 *		.mode = my_stored_mode(), .crypto = my_crypto(),
 *		.media = MST_MEDIA_CMS_JSON, .serial = my_serial(),
 *		.idevid_issuer = my_idevid_aki(), .anchors = my_stored_anchors(),
 *		.timers = mst_pledge_timers_default(),
 *		.pvr = MST_BUF(pvr), .scratch = MST_BUF(scratch),
 *		.keep = MST_BUF(keep), .chain = MST_BUF(chain),
 *	};
 *	struct mst_pledge p;
 *	struct mst_pledge_event ev = { .kind = MST_EV_TICK };
 *	struct mst_pledge_action act = { .kind = MST_ACT_WAIT };
 *
 *	mst_pledge_init(&p, &cfg);
 *	while (act.kind != MST_ACT_DONE) {
 *		ev.mono = my_uptime();
 *		ev.clock = my_clock();
 *		mst_pledge_step(&p, &ev, &act);
 *		switch (act.kind) {	(each fills ev with what came of it)
 *		case MST_ACT_WAIT:    my_wait(act.until, &ev); break; (TICK, PEER, ...)
 *		case MST_ACT_CONNECT: my_tls(act.peer, act.identity, &ev); break;
 *		case MST_ACT_SEND:    my_http(act.resource, act.body, &ev); break;
 *		case MST_ACT_KEEP:    my_store(&act, &ev); break;
 *		case MST_ACT_CLOSE:   my_close(); ev.kind = MST_EV_TICK; break;
 *		case MST_ACT_DONE:    break;
 *		}
 *	}
 *	mst_pledge_wipe(&p);
 */
#ifndef MUSTER_PLEDGE_H
#define MUSTER_PLEDGE_H

#include "muster/crypto.h"
#include "muster/span.h"
#include "muster/voucher.h"

#define MST_PLEDGE_PEERS_MAX 8
#define MST_PLEDGE_NONCE_LEN 16

/*
 * Where a request goes; the transport turns this into a path or a CoAP URI:
 * over CoAP brski/rv, vs, es and est/crts, att, sen, sren.
 */
enum mst_resource {
	MST_RES_REQUESTVOUCHER, /* POST /.well-known/brski/requestvoucher */
	MST_RES_VOUCHER_STATUS, /* POST /.well-known/brski/voucher_status */
	MST_RES_ENROLLSTATUS, /* POST /.well-known/brski/enrollstatus */
	MST_RES_CACERTS, /* GET  /.well-known/est/cacerts */
	MST_RES_CSRATTRS, /* GET  /.well-known/est/csrattrs */
	MST_RES_SIMPLEENROLL, /* POST /.well-known/est/simpleenroll */
	MST_RES_SIMPLEREENROLL, /* POST /.well-known/est/simplereenroll */
};

enum mst_pledge_profile {
	/* RFC 8995, RFC 7030: telemetry in JSON, bodies in base64; cacerts and csrattrs first. */
	MST_PROFILE_FULL,
	/*
	 * cBRSKI (draft-ietf-anima-constrained-voucher 6), for CoAP over DTLS or
	 * whoever has its resources; .media is COSE_CBOR. Telemetry in CBOR, bodies
	 * in DER. The CSR follows the voucher at once and bears the IDevID's
	 * subject; cacerts are asked for only when the pin (in a renewal: the
	 * anchors held) did not sign the LDevID; csrattrs never.
	 */
	MST_PROFILE_CONSTRAINED,
};

enum mst_pledge_mode {
	MST_PLEDGE_BOOTSTRAP, /* factory-fresh: BRSKI, then enrol */
	MST_PLEDGE_RENEW, /* enrolled: renew the LDevID by simplereenroll */
	MST_PLEDGE_REPORT, /* enrolled, but the enrolment was not yet reported */
};

/* Numbers of seconds; mst_pledge_timers_default() gives those of requirements section 9. */
struct mst_pledge_timers {
	int64_t stall; /* 5: without an answer on an unproven connection while others wait */
	int64_t retry_after_cap; /* 60 */
	int64_t pending_max; /* 4 days */
	int64_t peer_gap; /* 4: between starts to different peers */
	int64_t backoff_first; /* 4 */
	int64_t backoff_max; /* 3600 */
	/*
	 * 600: how long a peer that keeps answering 202 is alone served while
	 * others wait; then they get their turn (an impostor must not hold a
	 * device for four days). Without others pending_max alone counts.
	 */
	int64_t pending_share;
	/* 30: without an answer when no other peer waits, or on a proven connection */
	int64_t answer_max;
};

struct mst_pledge_config {
	enum mst_pledge_mode mode;
	enum mst_pledge_profile profile;
	const struct mst_crypto *crypto;
	enum mst_media media;
	mst_span serial; /* lives as long as the engine */
	mst_span idevid_issuer; /* likewise */
	bool refuse_nonceless;
	mst_span anchors; /* RENEW, REPORT: explicit anchors held, concatenated DER */
	struct mst_pledge_timers timers;
	/* Storage lent for the engine's life; sizes in the comments suffice for P-256 chains. */
	struct mst_buf pvr; /* the PVR, kept because 202 resends identical bytes: 16 KiB */
	struct mst_buf scratch; /* decoded voucher, bodies to send: 32 KiB */
	struct mst_buf keep; /* pinned certificate, then anchors and LDevID: 32 KiB */
	struct mst_buf chain; /* the server's chain of this attempt: 16 KiB */
};

enum mst_pledge_event_kind {
	MST_EV_TICK, /* time has passed, or: what shall I do now? */
	MST_EV_PEER, /* a registrar or proxy; .peer is the driver's number for it (0..7) */
	MST_EV_PEER_GONE, /* it is no longer there */
	MST_EV_LINK_UP, /* back-off starts anew (RFC 8995 4.1.1) */
	MST_EV_CONNECTED, /* TLS handshake done; .chain holds what the server showed */
	MST_EV_FAILED, /* connecting or the request failed; .err says why */
	MST_EV_RESPONSE, /* .status, .retry_after, .media, .body */
	MST_EV_STORED, /* what MST_ACT_KEEP handed out is durable (.err MST_OK) or not */
};

struct mst_pledge_event {
	enum mst_pledge_event_kind kind;
	int64_t mono; /* seconds of a clock that only goes forward; always set */
	struct mst_clock clock; /* wall clock with its trust; always set */
	unsigned peer;
	mst_err err;
	struct mst_chain chain; /* borrowed for the call */
	/*
	 * HTTP status. Over CoAP: 200 for 2.04 and 2.05, class*100+detail for 4.xx
	 * and 5.xx; but 202 for 5.03 to anything that is not telemetry, with
	 * Max-Age (60 when absent) as .retry_after (RFC 9148 4.7).
	 */
	int status;
	int64_t retry_after; /* seconds; -1 absent */
	enum mst_media media; /* of a voucher answer */
	enum mst_form form; /* of cacerts and enrolment answers, in the constrained profile */
	mst_span body; /* borrowed for the call */
};

enum mst_pledge_act_kind {
	MST_ACT_WAIT, /* nothing to do before .until (mono) or the next outside event */
	MST_ACT_CONNECT, /* open a fresh connection to .peer as .identity */
	MST_ACT_SEND, /* send .resource with .body on the connection of .peer */
	MST_ACT_KEEP, /* store .ldevid, .anchors and the new key as one, then STORED */
	MST_ACT_CLOSE, /* close the connection, then step again with TICK */
	MST_ACT_DONE, /* enrolled and reported; nothing further in this mode */
};

enum mst_identity { MST_IDENTITY_IDEVID, MST_IDENTITY_LDEVID };

struct mst_pledge_action {
	enum mst_pledge_act_kind kind;
	int64_t until; /* WAIT: see there. CONNECT, SEND: step with TICK then at the latest */
	unsigned peer;
	enum mst_identity identity;
	/*
	 * For the driver's log. In both cases the TLS layer accepts any chain,
	 * verifies that the handshake is signed by its first certificate's key,
	 * and hands it over in CONNECTED: the engine is the one that judges it,
	 * later by the voucher (provisional) or at once by the anchors.
	 */
	bool provisional;
	enum mst_resource resource;
	enum mst_media media; /* Content-Type and Accept of REQUESTVOUCHER */
	/*
	 * Lives until the next step; absent for a GET. Content-Type: .media for
	 * REQUESTVOUCHER, application/pkcs10 (base64 already) for enrolling,
	 * application/json for telemetry. In the constrained profile DER and
	 * application/cbor; as Content-Format 836, 286 and 60, with Accept 836 for
	 * the voucher, 287 for a certificate, 62 for cacerts.
	 */
	mst_span body;
	mst_span ldevid; /* DER */
	mst_span anchors; /* DER, anchor first; in RENEW maybe cfg.anchors itself */
	int64_t not_before, not_after; /* of the LDevID */
	mst_err because; /* for the driver's log: why this (a refusal that led here), else MST_OK */
};

enum mst_pledge_state {
	PLEDGE_DISCOVER,
	PLEDGE_CONNECTING,
	PLEDGE_AWAIT_VOUCHER,
	PLEDGE_PENDING, /* 202: waiting to resend the same PVR */
	PLEDGE_AWAIT_STATUS_ACK,
	PLEDGE_AWAIT_CACERTS,
	PLEDGE_AWAIT_CSRATTRS,
	PLEDGE_AWAIT_CERT,
	PLEDGE_ENROLL_PENDING,
	PLEDGE_STORING,
	PLEDGE_CONNECTING_LDEVID,
	PLEDGE_AWAIT_ENROLL_ACK,
	PLEDGE_FINISHED,
};

struct mst_pledge_peer {
	bool there;
	int64_t not_before; /* mono: back-off */
	int64_t backoff;
};

/*
 * The engine. Read .cfg.mode and .state if you like; the rest is its own. But a
 * number that is not there, nor under way, may be given to another peer: then
 * its entry of .peers is exchanged for { .not_before = INT64_MIN }, or for what
 * it was when that peer gave way itself, so that back-off belongs to peers.
 */
struct mst_pledge {
	struct mst_pledge_config cfg; /* .mode becomes REPORT once KEEP is durable */
	enum mst_pledge_state state;
	struct mst_pledge_peer peers[MST_PLEDGE_PEERS_MAX];
	unsigned peer;
	struct mst_chain chain; /* copies in cfg.chain */
	uint8_t nonce[MST_PLEDGE_NONCE_LEN];
	char nonce_text[25];
	mst_span pinned_cert; /* in cfg.keep */
	mst_span anchors, ldevid;
	mst_span answer; /* in cfg.keep: an enrolment answer that waits for cacerts */
	enum mst_form answer_form;
	mst_span csr; /* in cfg.scratch: a 202 is answered with identical bytes */
	enum mst_resource asked; /* the request under way or to be sent again */
	int64_t ldevid_not_before, ldevid_not_after;
	int64_t started; /* when what is awaited was asked for */
	int64_t pending_since; /* first 202 of this request, or MST_NO_TIME */
	int64_t wake; /* when a pending request is sent again */
	int64_t retry_gap; /* doubles while a pending peer cannot be reached */
	int64_t next_start; /* peer_gap: no attempt before this */
	int64_t hint; /* Retry-After of a refusal */
	bool connected;
	bool provisional;
	bool redirected;
	bool renewed;
	mst_err last; /* what will be reported: the verdict */
};

struct mst_pledge_timers mst_pledge_timers_default(void);

/*
 * Copies cfg; asserts that crypto, serial, a media type (COSE_CBOR in the
 * constrained profile) and the buffers are there, and the anchors in RENEW and
 * REPORT. What the buffers must hold:
 *   pvr      one signed voucher-request with the IDevID chain
 *   scratch  the larger of a decoded voucher and a CSR (base64); >= 256 bytes
 *   keep     pinned certificate + all of cacerts + the LDevID, as DER; in the
 *            constrained profile the LDevID twice
 *   chain    every certificate that the server shows, as DER
 * Too small a buffer is MST_E_SPACE in .because and a failed attempt, no more.
 */
void mst_pledge_init(struct mst_pledge *p, const struct mst_pledge_config *cfg);

/* One transition. Always writes *act. */
void mst_pledge_step(
    struct mst_pledge *p, const struct mst_pledge_event *ev, struct mst_pledge_action *act);

/* Forget nonce, chain and vouchers. */
void mst_pledge_wipe(struct mst_pledge *p);

/*
 * When to renew a certificate (requirements section 9): at two thirds of its
 * life, earlier or later by up to a tenth of it, so that a fleet made on one
 * day does not return on one day. random: 32 random bits. Seconds since 1970.
 */
int64_t mst_pledge_renew_at(int64_t not_before, int64_t not_after, uint32_t random);

/* "discover", "await-voucher", ... for logs and the timeline. */
const char *mst_pledge_state_name(enum mst_pledge_state s);

#endif
