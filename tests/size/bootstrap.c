/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A constrained device's whole life from factory-fresh to enrolled, on the
 * microcontroller: the engine, CBOR, COSE and the voucher check over the fake
 * back-end's certificates and a checksum for signatures. A registrar of a few
 * lines answers. Forged vouchers come first; each must be refused by its name.
 */
#include <string.h>

#include "crypto/fake/fake.h"
#include "muster/cbor.h"
#include "muster/pledge.h"
#include "size/glue.h"
#include "size/startup.h"

enum { KEY_IDEVID = 7, KEY_MASA = 9, KEY_DOMAIN = 40, KEY_REGISTRAR = 41 };

#define STACK 8192
static size_t deepest;

static uint8_t pvr[512], scratch[1024], keep[1024], chain_room[512];
static uint8_t answer_room[1024], ca[64], registrar[64], ldevid[64];
static uint32_t idevid_key = KEY_IDEVID, masa_key = KEY_MASA;

static void
sum(uint32_t key, const struct mst_cose_tbs *tbs, uint8_t out[64])
{
	uint32_t h = 2166136261U ^ key;

	for (size_t i = 0; i < MST_COSE_PIECES; i++)
		for (size_t k = 0; k < tbs->piece[i].len; k++)
			h = (h ^ tbs->piece[i].ptr[k]) * 16777619U;
	for (size_t i = 0; i < 64; i++)
		out[i] = (uint8_t)((h = (h ^ (uint32_t)i) * 16777619U) >> 24);
}

static mst_err
toy_sign(void *ctx, enum mst_cose_alg alg, const struct mst_cose_tbs *tbs, struct mst_buf *out)
{
	uint8_t s[64];

	(void)alg;
	sum(*(uint32_t *)ctx, tbs, s);
	return mst_buf_put(out, mst_span_of(s, sizeof(s)));
}

static mst_err
toy_verify(void *ctx, const struct mst_cose_sign1 *m, const struct mst_cose_tbs *tbs)
{
	uint8_t s[64];

	sum(*(uint32_t *)ctx, tbs, s);
	return mst_ct_eq(m->signature, mst_span_of(s, sizeof(s))) ? MST_OK : MST_E_COSE_SIGNATURE;
}

static struct glue glue = {
	{ &idevid_key, MST_COSE_ES256, toy_sign },
	{ &masa_key, (unsigned)MST_COSE_TAKE_ES256, { NULL, 0 }, toy_verify },
};
static struct fake_crypto fake = { .random = 1, .next_key = 100 };
static struct mst_crypto both;

/* ctx of the engine's calls is the fake's; the glue has its own. */
static mst_err
seal(void *ctx, enum mst_media media, const struct mst_voucher_claims *c, struct mst_buf *out)
{
	(void)ctx;
	return glue_request_seal(&glue, media, c, out);
}

static mst_err
open_voucher(void *ctx, enum mst_media media, mst_span message, const struct mst_clock *clock,
    struct mst_buf *store, struct mst_voucher_claims *out)
{
	(void)ctx;
	return glue_voucher_open(&glue, media, message, clock, store, out);
}

static mst_span
cert(uint8_t *room, size_t cap, struct fake_cert c)
{
	struct mst_buf b = { room, cap, 0 };

	return fake_cert_build(&c, &b) == MST_OK ? mst_buf_span(&b) : MST_NONE;
}

enum forgery {
	NOTHING,
	OTHER_NONCE,
	OTHER_SERIAL,
	OTHER_SIGNER,
	ONE_BIT,
	NO_PIN,
	NO_ALG,
	CUT_SHORT,
	FORGERIES
};
static const mst_err refusals[FORGERIES] = { MST_OK, MST_E_VOUCHER_NONCE, MST_E_VOUCHER_SERIAL,
	MST_E_COSE_SIGNATURE, MST_E_COSE_SIGNATURE, MST_E_VOUCHER_PIN, MST_E_COSE_ALG_MISSING,
	MST_E_CBOR };

/* The MASA: a voucher for this very request, with one thing wrong. */
static mst_span
voucher_for(mst_span request, enum forgery f)
{
	static uint8_t payload_room[512];
	struct mst_buf payload = MST_BUF(payload_room), out = MST_BUF(answer_room);
	uint32_t key = f == OTHER_SIGNER ? KEY_IDEVID : KEY_MASA;
	struct mst_cose_signer signer = { &key, MST_COSE_ES256, toy_sign };
	struct mst_cose_content content = { .form = MST_COSE_ATTACHED };
	struct mst_voucher_claims asked, c;
	struct mst_cose_sign1 m;

	if (mst_cose_sign1_parse(request, &m) != MST_OK ||
	    mst_voucher_cbor_parse(m.payload, MST_VOUCHER_REQUEST, 0, &asked) != MST_OK)
		return MST_NONE;
	mst_voucher_claims_init(&c, MST_VOUCHER);
	c.assertion = MST_ASSERT_PROXIMITY;
	c.created_on = 1795424400;
	c.serial = f == OTHER_SERIAL ? MST_LIT("another") : asked.serial;
	c.nonce = f == OTHER_NONCE ? MST_LIT("0123456789abcdef") : asked.nonce;
	if (f != NO_PIN)
		c.pinned_cert = mst_span_of(ca, FAKE_CERT_LEN);
	if (mst_voucher_cbor_build(&c, &payload) != MST_OK)
		return MST_NONE;
	content.payload = mst_buf_span(&payload);
	if (mst_cose_sign1_build(&content, &signer, &out) != MST_OK)
		return MST_NONE;
	if (f == ONE_BIT)
		answer_room[out.len - 70] ^= 1;
	if (f == NO_ALG)
		answer_room[4] = 3; /* label 1 of the protected header becomes content type */
	if (f == NO_ALG)
		answer_room[5] = 0;
	if (f == CUT_SHORT)
		out.len--;
	return mst_buf_span(&out);
}

/* The registrar: what it answers to what the engine sends. */
static void
answer(const struct mst_pledge_action *act, enum forgery f, struct mst_pledge_event *ev)
{
	ev->kind = MST_EV_RESPONSE;
	ev->status = 200;
	ev->retry_after = -1;
	ev->media = MST_MEDIA_NONE;
	ev->form = MST_FORM_CERT;
	ev->body = MST_LIT("");
	switch (act->resource) {
	case MST_RES_REQUESTVOUCHER:
		ev->media = MST_MEDIA_COSE_CBOR;
		ev->body = voucher_for(act->body, f);
		return;
	case MST_RES_CACERTS: ev->body = mst_span_of(ca, FAKE_CERT_LEN); return;
	case MST_RES_SIMPLEENROLL:
	case MST_RES_SIMPLEREENROLL:
		ev->body = cert(ldevid, sizeof(ldevid),
		    (struct fake_cert){ fake.csr_key, KEY_DOMAIN, 0, 0, 1000000 });
		return;
	case MST_RES_VOUCHER_STATUS:
	case MST_RES_ENROLLSTATUS:
	case MST_RES_CSRATTRS: return;
	}
}

static void
connected(struct mst_pledge_event *ev)
{
	ev->kind = MST_EV_CONNECTED;
	ev->chain.count = 2;
	ev->chain.cert[0] = mst_span_of(registrar, FAKE_CERT_LEN);
	ev->chain.cert[1] = mst_span_of(ca, FAKE_CERT_LEN);
}

/* One attempt with this forgery; the verdict that the engine reported. */
static mst_err
attempt(struct mst_pledge *p, enum forgery f, bool *enrolled)
{
	struct mst_pledge_event ev = { .kind = MST_EV_PEER, .peer = 0 };
	struct mst_pledge_action act = { .kind = MST_ACT_WAIT };
	mst_err verdict = MST_E_INTERNAL;

	ev.clock = (struct mst_clock){ MST_CLOCK_TRUSTED, 1795424400 };
	*enrolled = false;
	for (unsigned steps = 0; steps < 50; steps++) {
		board_stack_paint(STACK);
		mst_pledge_step(p, &ev, &act);
		if (board_stack_used(STACK) > deepest)
			deepest = board_stack_used(STACK);
		switch (act.kind) {
		case MST_ACT_DONE: return verdict;
		case MST_ACT_WAIT:
			ev.mono = act.until == INT64_MAX ? ev.mono + 1 : act.until;
			ev.kind = MST_EV_TICK;
			break;
		case MST_ACT_CONNECT: connected(&ev); break;
		case MST_ACT_CLOSE: return act.because;
		case MST_ACT_SEND:
			if (act.resource == MST_RES_VOUCHER_STATUS)
				verdict = act.because;
			answer(&act, f, &ev);
			break;
		case MST_ACT_KEEP:
			*enrolled = true;
			ev.kind = MST_EV_STORED;
			ev.err = MST_OK;
			break;
		}
	}
	return MST_E_TIMEOUT;
}

static mst_err
run(enum forgery f, bool *enrolled)
{
	struct mst_pledge_config cfg = {
		.mode = MST_PLEDGE_BOOTSTRAP,
		.profile = MST_PROFILE_CONSTRAINED,
		.crypto = &both,
		.media = MST_MEDIA_COSE_CBOR,
		.serial = MST_LIT("JADA123456789"),
		.timers = mst_pledge_timers_default(),
		.pvr = MST_BUF(pvr),
		.scratch = MST_BUF(scratch),
		.keep = MST_BUF(keep),
		.chain = MST_BUF(chain_room),
	};
	static struct mst_pledge p;
	mst_err e;

	mst_pledge_init(&p, &cfg);
	e = attempt(&p, f, enrolled);
	mst_pledge_wipe(&p);
	return e;
}

int
board_main(void)
{
	unsigned wrong = 0;

	both = fake_crypto(&fake);
	both.request_seal = seal;
	both.voucher_open = open_voucher;
	(void)cert(
	    ca, sizeof(ca), (struct fake_cert){ KEY_DOMAIN, KEY_DOMAIN, FAKE_CERT_CA, 0, 1000000 });
	(void)cert(registrar, sizeof(registrar),
	    (struct fake_cert){ KEY_REGISTRAR, KEY_DOMAIN, FAKE_CERT_RA, 0, 1000000 });
	for (unsigned f = FORGERIES; f-- > 0;) {
		bool enrolled = false;
		mst_err e;

		e = run((enum forgery)f, &enrolled);
		if (e != refusals[f] || enrolled != (f == NOTHING)) {
			board_say_number("forgery ", f);
			board_say_number("  was answered MU-", (unsigned)e);
			wrong++;
		}
	}
	board_say_number("deepest step, with the toy's own frames: ", (unsigned)deepest);
	board_say(wrong == 0 ? "enrolled; every forgery refused by its name\n" : "WRONG\n");
	return wrong == 0 ? 0 : 1;
}
