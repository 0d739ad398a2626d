/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A toy world around one pledge engine: registrars honest and not, a MASA, a
 * flash memory, a clock that the test turns, and a network that can be cut at
 * the n-th message. The world is the driver; it watches what must hold in
 * every run and counts each breach in .bad.
 */
#ifndef TESTS_PLEDGE_WORLD_H
#define TESTS_PLEDGE_WORLD_H

#include "crypto/fake/fake.h"
#include "muster/pledge.h"

enum {
	KEY_MASA = 1,
	KEY_OTHER_MASA = 2,
	KEY_IDEVID = 50,
	KEY_SITE_CA = 100,
	KEY_REGISTRAR = 101,
	KEY_NO_RA = 102,
	KEY_NEW_CA = 103,
	KEY_EVIL_CA = 200,
	KEY_EVIL = 201,
	KEY_LDEVID_FIRST = 1000,
};

enum peer_kind {
	PEER_HONEST,
	PEER_SILENT, /* accepts the connection and never answers */
	PEER_REFUSES, /* 403 */
	PEER_REDIRECTS, /* 307 */
	PEER_STALLS, /* 202 for ever */
	PEER_OTHER_SERIAL, /* relays a genuine voucher of another device */
	PEER_REPLAYS, /* a genuine voucher of this device, of another attempt */
	PEER_BETWEEN, /* a genuine, fresh voucher that pins the site: man in the middle */
	PEER_FORGES, /* a fresh voucher that pins the impostor, signed by another MASA */
	PEER_NOT_RA, /* of the site, but no registrar */
	PEER_KINDS,
};

/* Flash: written in one atomic step by KEEP. */
struct flash {
	bool enrolled;
	bool reported;
	uint32_t key;
	uint8_t ldevid[64];
	size_t ldevid_len;
	uint8_t anchors[512];
	size_t anchors_len;
};

struct world {
	struct mst_pledge p;
	struct fake_crypto fake;
	struct mst_crypto crypto;
	struct mst_pledge_event ev;
	struct mst_pledge_action act;
	int64_t mono;
	struct mst_clock clock;
	struct flash flash;
	bool renew_due; /* the next boot is in RENEW mode */
	bool constrained; /* profile and media; set before the boot */
	bool done;

	enum peer_kind peer[MST_PLEDGE_PEERS_MAX];
	unsigned peers;
	unsigned announced; /* of them, since boot */
	bool up; /* a connection stands */
	bool dead; /* ... but the server has left without a word */
	unsigned on; /* with this peer */
	enum mst_identity as;

	/* The honest registrar. */
	unsigned voucher_202, enroll_202; /* so many times 202 first */
	int64_t retry_after;
	int64_t slow; /* seconds that every answer takes */
	bool gate; /* voucher_status true was received */
	bool pin_ra; /* the voucher pins the registrar itself, not its CA */
	bool new_ca; /* the site has changed its CA: NewWithOld, and new certificates beneath it */
	unsigned reports_good, reports_bad, status_good, status_bad;
	int script_status[MST_RES_SIMPLEREENROLL + 1]; /* 0: the honest answer */
	mst_span csrattrs;
	bool reported_as_ldevid;

	/* Faults. */
	unsigned messages; /* so far */
	unsigned cut_at; /* the n-th message and its connection are lost; 0: none */
	unsigned actions; /* so far, WAIT not counted */
	unsigned power_at; /* power fails before the n-th action takes effect */
	unsigned power_after; /* ... or after it did */
	unsigned boots;
	bool store_fails;
	uint64_t rng;
	unsigned chaos; /* per mille of messages that something happens to */
	unsigned chaos_left; /* messages until the network is honest again */
	uint8_t last_body[4096];
	size_t last_len;
	int last_status;

	/* What was seen. */
	unsigned sent[MST_RES_SIMPLEREENROLL + 1];
	unsigned connects[2];
	unsigned keeps;
	uint8_t pvr[1024];
	size_t pvr_len;
	bool pvr_pending; /* the last answer to it was 202 */
	uint8_t nonces[4096][MST_PLEDGE_NONCE_LEN];
	unsigned nonce_count;
	mst_err because; /* last refusal named in an action */
	int64_t last_wait;
	unsigned bad;
	const char *bad_why;

	uint8_t body[1024];
	uint8_t chain_store[4][FAKE_CERT_LEN];
	uint8_t buf_pvr[1024], buf_scratch[2048], buf_keep[1024], buf_chain[512];
};

/* A factory-fresh device that sees these peers. Not booted yet. */
void world_init(struct world *w, const enum peer_kind *peers, unsigned count);
enum mst_media world_media(const struct world *w);
/* Power on: the engine starts in the mode that flash says. */
void world_boot(struct world *w);
/* One step of the engine and what the world makes of its action. */
void world_step(struct world *w);
/* Until DONE, or that many steps. True when done. */
bool world_run(struct world *w, unsigned steps);
/* Step until the engine is in state (true) or that many steps. */
bool world_until(struct world *w, enum mst_pledge_state state, unsigned steps);
/* Do what .act wants and step the engine once with what came of it. */
void world_answer(struct world *w);
/* Hand the engine this event alone and take its action, nothing else. */
struct mst_pledge_action world_give(struct world *w, struct mst_pledge_event ev);
/* An event of this kind at the present time. */
struct mst_pledge_event world_event(const struct world *w, enum mst_pledge_event_kind kind);
/* The chain that a peer shows. */
struct mst_chain world_chain(struct world *w, enum peer_kind kind);
uint64_t world_random(struct world *w);

#endif
