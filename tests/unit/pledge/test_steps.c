/* SPDX-License-Identifier: Apache-2.0 */
/* The timers, identities and words of RFC 8995 in the pledge engine, one by one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "muster/base64.h"
#include "unit/pledge/support_steps.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const enum peer_kind one_honest[] = { PEER_HONEST };
static const enum peer_kind two_honest[] = { PEER_HONEST, PEER_HONEST };

static void
peer_out_of_range(void **state)
{
	struct mst_pledge_event ev;

	(void)state;
	reach(PLEDGE_DISCOVER);
	ev = world_event(&w, MST_EV_PEER);
	ev.peer = MST_PLEDGE_PEERS_MAX;
	assert_int_equal(world_give(&w, ev).kind, MST_ACT_WAIT);
	ev.peer = UINT32_MAX;
	assert_int_equal(world_give(&w, ev).kind, MST_ACT_WAIT);
}

/* --- the voucher-request: 8.1 --- */

static void
pvr_content(void **state)
{
	struct mst_voucher_claims c;
	uint8_t text[32];
	struct mst_buf b = MST_BUF(text);
	uint32_t signer = 0;

	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	assert_int_equal(fake_open(MST_MEDIA_CMS_JSON, w.act.body, &c, &signer), MST_OK);
	assert_int_equal(signer, KEY_IDEVID);
	assert_int_equal(mst_request_check(&c), MST_OK);
	assert_int_equal(c.assertion, MST_ASSERT_PROXIMITY);
	assert_int_equal(c.created_on, w.clock.now);
	assert_int_equal(c.nonce.len, 16);
	assert_int_equal(mst_base64_encode(c.nonce, &b), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&b), c.nonce_text)); /* DM-3: standard, padded */
	assert_true(mst_span_eq(c.proximity_cert, world_chain(&w, PEER_HONEST).cert[0]));
	assert_true(mst_span_eq(c.serial, MST_LIT("JADA123456789")));
	assert_null(c.idevid_issuer.ptr);
	assert_null(c.prior_request.ptr);
	assert_int_equal(w.act.media, MST_MEDIA_CMS_JSON);
}

static void
pvr_created_on_needs_a_trusted_clock(void **state)
{
	(void)state;
	for (int trust = MST_CLOCK_NONE; trust <= MST_CLOCK_UNTRUSTED; trust++) {
		struct mst_voucher_claims c;
		uint32_t signer = 0;

		world_init(&w, one_honest, 1);
		w.clock.trust = (enum mst_clock_trust)trust;
		world_boot(&w);
		assert_true(world_until(&w, PLEDGE_AWAIT_VOUCHER, 20));
		assert_int_equal(fake_open(MST_MEDIA_CMS_JSON, w.act.body, &c, &signer), MST_OK);
		assert_true(c.created_on == MST_NO_TIME);
	}
}

static void
first_connect_is_provisional_idevid(void **state)
{
	(void)state;
	reach(PLEDGE_CONNECTING);
	assert_int_equal(w.act.kind, MST_ACT_CONNECT);
	assert_int_equal(w.act.identity, MST_IDENTITY_IDEVID);
	assert_true(w.act.provisional);
}

static void
cbor_request_has_a_binary_nonce(void **state)
{
	struct mst_voucher_claims c;
	uint32_t signer = 0;

	(void)state;
	reach(PLEDGE_CONNECTING);
	w.p.cfg.media = MST_MEDIA_COSE_CBOR;
	world_step(&w);
	assert_int_equal(w.act.media, MST_MEDIA_COSE_CBOR);
	assert_int_equal(fake_open(MST_MEDIA_COSE_CBOR, w.act.body, &c, &signer), MST_OK);
	assert_int_equal(c.nonce.len, MST_PLEDGE_NONCE_LEN);
	assert_null(c.nonce_text.ptr);
}

static void
nonce_is_fresh_per_attempt(void **state)
{
	uint8_t first[MST_PLEDGE_NONCE_LEN];

	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	memcpy(first, w.p.nonce, sizeof(first));
	(void)respond(403, -1, MST_NONE);
	w.ev = world_event(&w, MST_EV_TICK);
	w.up = false;
	assert_true(world_until(&w, PLEDGE_AWAIT_VOUCHER, 50));
	assert_memory_not_equal(first, w.p.nonce, sizeof(first));
}

static void
no_chain_no_request(void **state)
{
	struct mst_chain none = { .count = 0 }, many = { .count = MST_CHAIN_MAX + 1 };

	(void)state;
	reach(PLEDGE_CONNECTING);
	assert_gives_up(connected(none), MST_E_PLEDGE_PROTOCOL);
	reach(PLEDGE_CONNECTING);
	assert_gives_up(connected(many), MST_E_PLEDGE_PROTOCOL);
}

/* --- verdicts: 8.7 steps 10 and 11 --- */

static const mst_err verdicts[] = { MST_E_VOUCHER_PARSE, MST_E_VOUCHER_SIGNATURE,
	MST_E_VOUCHER_SIGNER, MST_E_VOUCHER_TLS_CHAIN, MST_E_VOUCHER_NOT_RA, MST_E_CMS,
	MST_E_X509_EXPIRED };

static void
bad_verdict_is_reported_then_left(void **state)
{
	char words[64];

	(void)state;
	for (size_t i = 0; i < COUNT(verdicts); i++) {
		struct mst_pledge_action a;

		reach(PLEDGE_AWAIT_VOUCHER);
		w.fake.script[i < 3 ? FAKE_VOUCHER_OPEN : FAKE_PIN_JUDGE] = verdicts[i];
		w.fake.script[FAKE_VOUCHER_OPEN] = i < 3 || i > 4 ? verdicts[i] : MST_OK;
		world_step(&w);
		a = w.act;
		assert_sends(a, MST_RES_VOUCHER_STATUS);
		assert_int_equal(a.because, verdicts[i]);
		assert_true(contains(a.body, "{\"version\":1,\"status\":false,\"reason\":\""));
		(void)snprintf(words, sizeof(words), "\"reason-context\":{\"code\":\"%s\"}}",
		    mst_err_info(verdicts[i])->code);
		assert_true(contains(a.body, words));
		assert_true(w.p.provisional);
		assert_gives_up(respond(404, -1, MST_NONE), verdicts[i]);
		assert_true(w.p.peers[0].not_before > w.mono);
	}
}

static void
bad_verdict_lost_report_keeps_the_reason(void **state)
{
	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	w.fake.script[FAKE_PIN_JUDGE] = MST_E_VOUCHER_TLS_CHAIN;
	world_step(&w);
	assert_gives_up(failed(MST_E_UNREACHABLE), MST_E_VOUCHER_TLS_CHAIN);
}

static void
voucher_of_other_media_is_refused(void **state)
{
	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	w.ev.media = MST_MEDIA_JWS_JSON;
	world_step(&w);
	assert_sends(w.act, MST_RES_VOUCHER_STATUS);
	assert_int_equal(w.act.because, MST_E_VOUCHER_PARSE);
	assert_int_equal(w.fake.count[FAKE_VOUCHER_OPEN], 0);
}

static void
good_verdict_words(void **state)
{
	(void)state;
	reach(PLEDGE_AWAIT_STATUS_ACK);
	assert_true(mst_span_eq(w.act.body,
	    MST_LIT("{\"version\":1,\"status\":true,\"reason\":\"voucher accepted\"}")));
	assert_false(w.p.provisional);
}

/* The words of telemetry come from err.def unescaped. */
static void
every_reason_is_safe_in_json(void **state)
{
	size_t count = 0;
	const struct mst_err_info *all = mst_err_table(&count);

	(void)state;
	assert_true(count > 100);
	for (size_t i = 0; i < count; i++)
		for (const char *s = all[i].reason; *s != '\0'; s++)
			assert_true(*s >= ' ' && *s < 0x7f && *s != '"' && *s != '\\');
}

/* A voucher for this attempt, but for what the caller changes. */
static struct mst_voucher_claims
own_voucher(void)
{
	struct mst_voucher_claims c;

	mst_voucher_claims_init(&c, MST_VOUCHER);
	c.assertion = MST_ASSERT_LOGGED;
	c.serial = MST_LIT("JADA123456789");
	c.nonce = mst_span_of(w.p.nonce, sizeof(w.p.nonce));
	return c;
}

static struct mst_pledge_action
respond_voucher(const struct mst_voucher_claims *c)
{
	struct mst_buf out = MST_BUF(w.body);

	assert_int_equal(fake_seal(MST_MEDIA_CMS_JSON, c, KEY_MASA, &out), MST_OK);
	return respond(200, -1, mst_buf_span(&out));
}

static void
pinned_key_leaves_the_proven_certificate_as_pin(void **state)
{
	static const uint8_t key[4] = { 0, 0, 0, KEY_REGISTRAR };
	static const uint8_t other[4] = { 0, 0, 0, KEY_EVIL };
	struct mst_voucher_claims c;

	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	c = own_voucher();
	c.pinned_pubk = mst_span_of(other, sizeof(other));
	assert_int_equal(respond_voucher(&c).because, MST_E_VOUCHER_TLS_CHAIN);
	reach(PLEDGE_AWAIT_VOUCHER);
	c = own_voucher();
	c.pinned_pubk = mst_span_of(key, sizeof(key));
	assert_int_equal(respond_voucher(&c).because, MST_OK);
	assert_true(mst_span_eq(w.p.pinned_cert, world_chain(&w, PEER_HONEST).cert[0]));
	assert_sends(respond(200, -1, MST_NONE), MST_RES_CACERTS);
}

static void
pinned_registrar_certificate_enrols(void **state)
{
	struct mst_voucher_claims c;

	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	c = own_voucher();
	c.pinned_cert = world_chain(&w, PEER_HONEST).cert[0]; /* 8.5: only the EE was given */
	assert_int_equal(respond_voucher(&c).because, MST_OK);
	assert_sends(respond(200, -1, MST_NONE), MST_RES_CACERTS);
	w.gate = true;
	assert_sends(respond(200, -1, world_chain(&w, PEER_HONEST).cert[1]), MST_RES_CSRATTRS);
}

static void
nonceless_voucher_and_policy(void **state)
{
	struct mst_voucher_claims c;

	(void)state;
	for (int refuse = 0; refuse < 2; refuse++) {
		reach(PLEDGE_AWAIT_VOUCHER);
		w.p.cfg.refuse_nonceless = refuse != 0;
		c = own_voucher();
		c.nonce = MST_NONE;
		c.pinned_cert = world_chain(&w, PEER_HONEST).cert[1];
		assert_int_equal(
		    respond_voucher(&c).because, refuse ? MST_E_VOUCHER_NONCELESS : MST_OK);
	}
}

static void
nonce_of_an_earlier_attempt_is_refused(void **state)
{
	struct mst_voucher_claims c;
	uint8_t earlier[MST_PLEDGE_NONCE_LEN];

	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	memcpy(earlier, w.p.nonce, sizeof(earlier));
	(void)respond(403, -1, MST_NONE);
	w.up = false;
	w.ev = world_event(&w, MST_EV_TICK);
	assert_true(world_until(&w, PLEDGE_AWAIT_VOUCHER, 50));
	c = own_voucher();
	c.nonce = mst_span_of(earlier, sizeof(earlier));
	c.pinned_cert = world_chain(&w, PEER_HONEST).cert[1];
	assert_int_equal(respond_voucher(&c).because, MST_E_VOUCHER_NONCE);
}

/* --- 202: RFC 8995 5.6 --- */

static const struct {
	int64_t header, waits;
} retry_after[] = { { -1, 60 }, { 0, 1 }, { 1, 1 }, { 59, 59 }, { 60, 60 }, { 61, 60 },
	{ INT64_MAX, 60 } };

static void
retry_after_is_capped(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(retry_after); i++) {
		struct mst_pledge_action a;

		reach(PLEDGE_AWAIT_VOUCHER);
		a = respond(202, retry_after[i].header, MST_NONE);
		assert_int_equal(a.kind, MST_ACT_WAIT);
		assert_int_equal(a.until - w.mono, retry_after[i].waits);
		reach(PLEDGE_AWAIT_CERT);
		a = respond(202, retry_after[i].header, MST_NONE);
		assert_int_equal(a.until - w.mono, retry_after[i].waits);
	}
}

static void
resend_is_identical_on_the_same_connection(void **state)
{
	struct mst_pledge_action a;
	uint8_t first[1024];
	size_t len;

	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	len = w.act.body.len;
	memcpy(first, w.act.body.ptr, len);
	a = respond(202, 10, MST_NONE);
	assert_int_equal(tick_at(a.until - 1).kind, MST_ACT_WAIT);
	a = tick_at(a.until);
	assert_sends(a, MST_RES_REQUESTVOUCHER);
	assert_int_equal(a.body.len, len);
	assert_memory_equal(a.body.ptr, first, len);
	assert_int_equal(w.fake.count[FAKE_REQUEST_SEAL], 1);
}

/* Behind a 202 the connection goes; the next one shows the chain of kind, `more` certificates
 * longer. */
static struct mst_pledge_action
reconnect_behind_202(enum peer_kind kind, int more)
{
	struct mst_pledge_action a;
	struct mst_chain chain;

	reach(PLEDGE_AWAIT_VOUCHER);
	a = respond(202, 10, MST_NONE);
	assert_int_equal(failed(MST_E_UNREACHABLE).kind, MST_ACT_WAIT);
	a = tick_at(a.until);
	assert_int_equal(a.kind, MST_ACT_CONNECT);
	assert_int_equal(a.identity, MST_IDENTITY_IDEVID);
	chain = world_chain(&w, kind);
	if (more > 0)
		chain.cert[chain.count] = chain.cert[0];
	chain.count = (size_t)((int)chain.count + more);
	return connected(chain);
}

static void
resend_is_identical_on_a_new_connection(void **state)
{
	struct mst_pledge_action a = reconnect_behind_202(PEER_HONEST, 0);

	(void)state;
	assert_sends(a, MST_RES_REQUESTVOUCHER);
	assert_int_equal(a.body.len, w.pvr_len);
	assert_memory_equal(a.body.ptr, w.pvr, w.pvr_len); /* what the registrar saw first */
	assert_int_equal(w.fake.count[FAKE_REQUEST_SEAL], 1);
	assert_true(w.p.provisional);
}

static void
changed_certificate_is_refused(void **state)
{
	(void)state;
	assert_gives_up(reconnect_behind_202(PEER_NOT_RA, 0), MST_E_PLEDGE_IDENTITY_CHANGED);
}

static void
shorter_chain_is_refused(void **state)
{
	(void)state;
	assert_gives_up(reconnect_behind_202(PEER_HONEST, -1), MST_E_PLEDGE_IDENTITY_CHANGED);
}

static void
longer_chain_is_refused(void **state)
{
	(void)state;
	assert_gives_up(reconnect_behind_202(PEER_HONEST, 1), MST_E_PLEDGE_IDENTITY_CHANGED);
}

static void
changed_certificate_behind_enroll_202(void **state)
{
	struct mst_pledge_action a;

	(void)state;
	reach(PLEDGE_AWAIT_CERT);
	a = respond(202, 10, MST_NONE);
	(void)failed(MST_E_UNREACHABLE);
	assert_int_equal(tick_at(a.until).kind, MST_ACT_CONNECT);
	assert_gives_up(connected(world_chain(&w, PEER_BETWEEN)), MST_E_PLEDGE_IDENTITY_CHANGED);
}

static void
enroll_202_resends_the_same_csr(void **state)
{
	struct mst_pledge_action a;
	uint8_t first[64];
	size_t len;

	(void)state;
	reach(PLEDGE_AWAIT_CERT);
	len = w.act.body.len;
	memcpy(first, w.act.body.ptr, len);
	a = respond(202, 10, MST_NONE);
	(void)failed(MST_E_UNREACHABLE);
	(void)tick_at(a.until);
	a = connected(world_chain(&w, PEER_HONEST));
	assert_sends(a, MST_RES_SIMPLEENROLL); /* not from cacerts again */
	assert_int_equal(a.body.len, len);
	assert_memory_equal(a.body.ptr, first, len);
	assert_int_equal(w.fake.count[FAKE_CSR_BUILD], 1);
}

static void
audit_pending_202_asks_cacerts_again(void **state)
{
	struct mst_pledge_action a;

	(void)state;
	reach(PLEDGE_AWAIT_CACERTS);
	a = respond(202, 20, MST_NONE);
	assert_int_equal(w.p.state, PLEDGE_ENROLL_PENDING);
	a = tick_at(a.until);
	assert_sends(a, MST_RES_CACERTS);
	a = respond(202, 20, MST_NONE);
	(void)failed(MST_E_UNREACHABLE);
	assert_int_equal(tick_at(a.until).kind, MST_ACT_CONNECT);
	assert_sends(connected(world_chain(&w, PEER_HONEST)), MST_RES_CACERTS);
}

/* What was promised behind a 202 has come; a connection lost after that is lost. */
static void
an_answer_ends_the_202(void **state)
{
	static const enum mst_pledge_state after[] = { PLEDGE_AWAIT_STATUS_ACK,
		PLEDGE_AWAIT_CSRATTRS, PLEDGE_AWAIT_CERT };
	static const enum mst_pledge_state before[] = { PLEDGE_AWAIT_VOUCHER, PLEDGE_AWAIT_CACERTS,
		PLEDGE_AWAIT_CSRATTRS };

	(void)state;
	for (size_t i = 0; i < COUNT(after); i++) {
		struct mst_pledge_action a;

		reach(before[i]);
		a = respond(202, 10, MST_NONE);
		w.act = tick_at(a.until);
		assert_int_equal(w.act.kind, MST_ACT_SEND);
		if (before[i] == PLEDGE_AWAIT_CSRATTRS)
			(void)respond(404, -1, MST_NONE);
		else
			world_answer(&w);
		assert_int_equal(w.p.state, after[i]);
		assert_gives_up(failed(MST_E_UNREACHABLE), MST_E_UNREACHABLE);
	}
}

static void
renewal_202_reconnects_as_ldevid_and_resends(void **state)
{
	struct mst_pledge_action a;

	(void)state;
	reach_renewal(PLEDGE_AWAIT_CERT);
	a = respond(202, 20, MST_NONE);
	(void)failed(MST_E_UNREACHABLE);
	a = tick_at(a.until);
	assert_int_equal(a.kind, MST_ACT_CONNECT);
	assert_int_equal(a.identity, MST_IDENTITY_LDEVID);
	a = connected(world_chain(&w, PEER_HONEST));
	assert_sends(a, MST_RES_SIMPLEREENROLL);
	assert_int_equal(w.fake.count[FAKE_CSR_BUILD], 2); /* the bootstrap's and this one */
}

static void
waits_four_days_then_discovers(void **state)
{
	int64_t start;
	struct mst_pledge_action a;

	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	start = w.mono;
	a = respond(202, 60, MST_NONE);
	while (a.kind == MST_ACT_WAIT && w.mono - start < 5 * 86400) {
		a = tick_at(a.until);
		if (a.kind == MST_ACT_SEND)
			a = respond(202, 60, MST_NONE);
	}
	assert_gives_up(a, MST_E_PLEDGE_PENDING_TOO_LONG);
	assert_int_equal(w.mono - start, 4 * 86400);
}

static void
unreachable_behind_202_is_asked_again(void **state)
{
	struct mst_pledge_action a;
	unsigned tries = 0;

	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	a = respond(202, 60, MST_NONE);
	(void)failed(MST_E_UNREACHABLE);
	while (tries < 50) {
		a = tick_at(w.p.wake);
		assert_int_equal(a.kind, MST_ACT_CONNECT);
		a = failed(MST_E_UNREACHABLE);
		assert_int_equal(a.kind, MST_ACT_CLOSE);
		assert_int_equal(w.p.state, PLEDGE_PENDING);
		assert_in_range(w.p.wake - w.mono, 1, 60);
		tries++;
	}
	(void)tick_at(w.p.wake);
	assert_sends(connected(world_chain(&w, PEER_HONEST)), MST_RES_REQUESTVOUCHER);
}

static void
peer_gone_behind_202_ends_the_attempt(void **state)
{
	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	(void)respond(202, 60, MST_NONE);
	(void)failed(MST_E_UNREACHABLE);
	assert_gives_up(world_give(&w, world_event(&w, MST_EV_PEER_GONE)), MST_E_PLEDGE_PEER_LOST);
}

static void
peer_gone_does_not_touch_a_connection(void **state)
{
	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	assert_int_equal(world_give(&w, world_event(&w, MST_EV_PEER_GONE)).kind, MST_ACT_WAIT);
	assert_int_equal(w.p.state, PLEDGE_AWAIT_VOUCHER);
	assert_true(world_run(&w, 50) || w.flash.enrolled);
}

static void
others_get_their_turn_behind_a_202(void **state)
{
	struct mst_pledge_action a;
	int64_t start;

	(void)state;
	world_init(&w, two_honest, 2);
	world_boot(&w);
	assert_true(world_until(&w, PLEDGE_AWAIT_VOUCHER, 20));
	w.p.peers[1].there = true;
	start = w.mono;
	a = respond(202, 60, MST_NONE);
	while (a.kind == MST_ACT_WAIT && w.mono - start < 86400) {
		a = tick_at(a.until);
		if (a.kind == MST_ACT_SEND)
			a = respond(202, 60, MST_NONE);
	}
	assert_gives_up(a, MST_E_TIMEOUT);
	assert_int_equal(w.mono - start, 600);
	a = tick_at(w.mono + 10);
	assert_int_equal(a.kind, MST_ACT_CONNECT);
	assert_int_equal(a.peer, 1);
}

/* --- redirects and connections nobody asked for --- */

static void
one_redirect_gets_its_own_request(void **state)
{
	struct mst_voucher_claims c;
	struct mst_pledge_action a;
	uint8_t first[MST_PLEDGE_NONCE_LEN];
	uint32_t signer = 0;

	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	memcpy(first, w.p.nonce, sizeof(first));
	a = connected(world_chain(&w, PEER_BETWEEN));
	assert_sends(a, MST_RES_REQUESTVOUCHER);
	assert_int_equal(fake_open(MST_MEDIA_CMS_JSON, a.body, &c, &signer), MST_OK);
	assert_true(mst_span_eq(c.proximity_cert, world_chain(&w, PEER_BETWEEN).cert[0]));
	assert_memory_not_equal(first, w.p.nonce, sizeof(first));
	assert_gives_up(connected(world_chain(&w, PEER_HONEST)), MST_E_PLEDGE_REDIRECTS);
}

static void
no_redirect_behind_a_202(void **state)
{
	struct mst_pledge_action a;

	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	a = respond(202, 10, MST_NONE);
	(void)tick_at(a.until);
	assert_gives_up(connected(world_chain(&w, PEER_HONEST)), MST_E_PLEDGE_REDIRECTS);
}

static void
unasked_connection_after_the_voucher_ends_it(void **state)
{
	static const enum mst_pledge_state proven[] = { PLEDGE_AWAIT_STATUS_ACK,
		PLEDGE_AWAIT_CACERTS, PLEDGE_AWAIT_CSRATTRS, PLEDGE_AWAIT_CERT };

	(void)state;
	for (size_t i = 0; i < COUNT(proven); i++) {
		reach(proven[i]);
		assert_gives_up(connected(world_chain(&w, PEER_HONEST)), MST_E_PLEDGE_PROTOCOL);
		assert_int_equal(w.p.cfg.mode, MST_PLEDGE_BOOTSTRAP);
	}
}

/* --- timers --- */

static const enum mst_pledge_state stalling[] = { PLEDGE_CONNECTING, PLEDGE_AWAIT_VOUCHER,
	PLEDGE_AWAIT_STATUS_ACK, PLEDGE_AWAIT_CACERTS, PLEDGE_AWAIT_CSRATTRS, PLEDGE_AWAIT_CERT,
	PLEDGE_CONNECTING_LDEVID, PLEDGE_AWAIT_ENROLL_ACK };

static void
patience_without_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(stalling); i++) {
		struct mst_pledge_action a;
		int64_t start;

		reach(stalling[i]);
		start = w.mono;
		assert_int_equal(w.act.until, start + 30); /* told with CONNECT and SEND */
		a = tick_at(start + 29);
		assert_int_equal(a.kind, MST_ACT_WAIT);
		assert_int_equal(a.until, start + 30);
		assert_gives_up(tick_at(start + 30), MST_E_PLEDGE_PEER_LOST);
	}
}

static void
stall_of_five_seconds_while_others_wait(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(stalling); i++) {
		bool proven =
		    stalling[i] != PLEDGE_CONNECTING && stalling[i] != PLEDGE_AWAIT_VOUCHER;
		struct mst_pledge_event ev;
		int64_t start;

		reach(stalling[i]);
		start = w.mono;
		ev = world_event(&w, MST_EV_PEER);
		ev.peer = 1;
		assert_int_equal(world_give(&w, ev).until - start, proven ? 30 : 5);
		assert_int_equal(tick_at(start + 4).kind, MST_ACT_WAIT);
		assert_int_equal(tick_at(start + 5).kind, proven ? MST_ACT_WAIT : MST_ACT_CLOSE);
	}
}

static void
stall_lasts_until_the_other_is_due(void **state)
{
	int64_t start;

	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	start = w.mono;
	w.p.peers[1].there = true;
	w.p.peers[1].not_before = start + 12; /* it failed a moment ago */
	assert_int_equal(tick_at(start + 5).until, start + 12);
	assert_gives_up(tick_at(start + 12), MST_E_PLEDGE_PEER_LOST);
}

static void
backoff_doubles_to_an_hour(void **state)
{
	int64_t expected = 4;
	unsigned hours = 0;

	(void)state;
	reach(PLEDGE_DISCOVER);
	assert_int_equal(world_give(&w, world_event(&w, MST_EV_PEER)).kind, MST_ACT_CONNECT);
	while (hours < 3) {
		struct mst_pledge_action a;

		assert_gives_up(failed(MST_E_UNREACHABLE), MST_E_UNREACHABLE);
		a = tick_at(w.mono);
		assert_int_equal(a.kind, MST_ACT_WAIT);
		assert_int_equal(a.until - w.mono, expected);
		hours += expected == 3600;
		expected = expected * 2 > 3600 ? 3600 : expected * 2;
		assert_int_equal(tick_at(a.until).kind, MST_ACT_CONNECT);
	}
}

static void
backoff_is_each_peers_own(void **state)
{
	struct mst_pledge_event ev;
	struct mst_pledge_action a;

	(void)state;
	reach(PLEDGE_DISCOVER);
	(void)world_give(&w, world_event(&w, MST_EV_PEER));
	for (int i = 0; i < 6; i++) {
		(void)failed(MST_E_UNREACHABLE);
		(void)tick_at(tick_at(w.mono).until);
	}
	(void)failed(MST_E_UNREACHABLE);
	w.mono += 4;
	ev = world_event(&w, MST_EV_PEER);
	ev.peer = 1;
	a = world_give(&w, ev);
	assert_int_equal(a.kind, MST_ACT_CONNECT);
	assert_int_equal(a.peer, 1);
	(void)failed(MST_E_UNREACHABLE);
	assert_int_equal(w.p.peers[1].backoff, 4);
	assert_int_equal(w.p.peers[0].backoff, 256);
}

static void
reappearing_does_not_shorten_backoff(void **state)
{
	int64_t until;

	(void)state;
	reach(PLEDGE_DISCOVER);
	(void)world_give(&w, world_event(&w, MST_EV_PEER));
	(void)failed(MST_E_UNREACHABLE);
	until = tick_at(w.mono).until;
	(void)world_give(&w, world_event(&w, MST_EV_PEER_GONE));
	assert_int_equal(world_give(&w, world_event(&w, MST_EV_PEER)).until, until);
}

static void
link_up_resets_backoff(void **state)
{
	(void)state;
	reach(PLEDGE_DISCOVER);
	(void)world_give(&w, world_event(&w, MST_EV_PEER));
	for (int i = 0; i < 8; i++) {
		(void)failed(MST_E_UNREACHABLE);
		(void)tick_at(tick_at(w.mono).until);
	}
	(void)failed(MST_E_UNREACHABLE);
	assert_true(tick_at(w.mono).until - w.mono > 500);
	assert_int_equal(world_give(&w, world_event(&w, MST_EV_LINK_UP)).kind, MST_ACT_CONNECT);
	(void)failed(MST_E_UNREACHABLE);
	assert_int_equal(w.p.peers[0].backoff, 4);
}

static void
gap_between_peers(void **state)
{
	struct mst_pledge_event ev;
	struct mst_pledge_action a;

	(void)state;
	reach(PLEDGE_DISCOVER);
	(void)world_give(&w, world_event(&w, MST_EV_PEER));
	ev = world_event(&w, MST_EV_PEER);
	ev.peer = 1;
	(void)world_give(&w, ev);
	(void)failed(MST_E_UNREACHABLE);
	a = tick_at(w.mono);
	assert_int_equal(a.kind, MST_ACT_WAIT);
	assert_int_equal(a.until - w.mono, 4); /* 4.1: 3 to 5 s between starts */
	a = tick_at(a.until);
	assert_int_equal(a.kind, MST_ACT_CONNECT);
	assert_int_equal(a.peer, 1);
}

static void
retry_after_of_a_refusal_is_heeded(void **state)
{
	(void)state;
	reach(PLEDGE_AWAIT_VOUCHER);
	assert_gives_up(respond(503, 900, MST_NONE), MST_E_PLEDGE_REFUSED);
	assert_int_equal(tick_at(w.mono).until - w.mono, 900);
	reach(PLEDGE_AWAIT_VOUCHER);
	(void)respond(503, INT64_MAX, MST_NONE);
	assert_int_equal(tick_at(w.mono).until - w.mono, 3600);
}

static void
no_peer_waits_for_one(void **state)
{
	struct mst_pledge_action a;

	(void)state;
	reach(PLEDGE_DISCOVER);
	a = tick_at(w.mono + 5);
	assert_int_equal(a.kind, MST_ACT_WAIT);
	assert_int_equal(a.because, MST_E_PLEDGE_NO_PEER);
	assert_true(a.until == INT64_MAX);
}

/* --- storage that is too small --- */

static void
small_buffers_fail_by_name(void **state)
{
	(void)state;
	for (int which = 0; which < 4; which++) {
		for (size_t cap = 1; cap < 60; cap += 7) {
			struct mst_buf *b[] = { &w.p.cfg.pvr, &w.p.cfg.scratch, &w.p.cfg.keep,
				&w.p.cfg.chain };

			world_init(&w, one_honest, 1);
			world_boot(&w);
			b[which]->cap = cap;
			assert_false(world_run(&w, 100));
			assert_int_equal(w.because, MST_E_SPACE);
			assert_int_equal(w.bad, 0);
			assert_false(w.flash.enrolled);
		}
	}
}

/* --- helpers --- */

static void
renew_at_two_thirds(void **state)
{
	const int64_t start = 1795424400, year = 31536000;

	(void)state;
	for (uint64_t r = 0; r <= UINT32_MAX; r += 0x01010101) {
		int64_t at = mst_pledge_renew_at(start, start + year, (uint32_t)r) - start;

		assert_true(at >= year / 3 * 2 - year / 10 && at <= year / 3 * 2 + year / 10);
	}
	assert_true(mst_pledge_renew_at(start, start + year, 0) < start + year / 100 * 58);
	assert_true(mst_pledge_renew_at(start, start + year, UINT32_MAX) > start + year / 100 * 75);
	assert_int_equal(mst_pledge_renew_at(start, start, 77), start);
	assert_int_equal(mst_pledge_renew_at(start, start - 5, 77), start);
	/* ID-4: 99991231235959Z */
	assert_true(mst_pledge_renew_at(start, 253402300799, UINT32_MAX) < 253402300799);
	assert_true(mst_pledge_renew_at(start, 253402300799, 0) > start + 100 * year);
}

static void
state_names(void **state)
{
	(void)state;
	for (int a = 0; a <= PLEDGE_FINISHED; a++) {
		const char *name = mst_pledge_state_name((enum mst_pledge_state)a);

		assert_true(strlen(name) > 3);
		for (int b = 0; b < a; b++)
			assert_string_not_equal(
			    name, mst_pledge_state_name((enum mst_pledge_state)b));
	}
	assert_string_equal(
	    mst_pledge_state_name((enum mst_pledge_state)(PLEDGE_FINISHED + 1)), "");
}

static void
wipe_leaves_nothing(void **state)
{
	(void)state;
	reach(PLEDGE_AWAIT_CERT);
	mst_pledge_wipe(&w.p);
	for (size_t i = 0; i < sizeof(w.buf_pvr); i++)
		assert_int_equal(w.buf_pvr[i] | w.buf_keep[i], 0);
	for (size_t i = 0; i < sizeof(w.p); i++)
		assert_int_equal(((const uint8_t *)&w.p)[i], 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(peer_out_of_range),
	cmocka_unit_test(pvr_content),
	cmocka_unit_test(pvr_created_on_needs_a_trusted_clock),
	cmocka_unit_test(first_connect_is_provisional_idevid),
	cmocka_unit_test(cbor_request_has_a_binary_nonce),
	cmocka_unit_test(nonce_is_fresh_per_attempt),
	cmocka_unit_test(no_chain_no_request),
	cmocka_unit_test(bad_verdict_is_reported_then_left),
	cmocka_unit_test(bad_verdict_lost_report_keeps_the_reason),
	cmocka_unit_test(voucher_of_other_media_is_refused),
	cmocka_unit_test(good_verdict_words),
	cmocka_unit_test(every_reason_is_safe_in_json),
	cmocka_unit_test(pinned_key_leaves_the_proven_certificate_as_pin),
	cmocka_unit_test(pinned_registrar_certificate_enrols),
	cmocka_unit_test(nonceless_voucher_and_policy),
	cmocka_unit_test(nonce_of_an_earlier_attempt_is_refused),
	cmocka_unit_test(retry_after_is_capped),
	cmocka_unit_test(resend_is_identical_on_the_same_connection),
	cmocka_unit_test(resend_is_identical_on_a_new_connection),
	cmocka_unit_test(changed_certificate_is_refused),
	cmocka_unit_test(shorter_chain_is_refused),
	cmocka_unit_test(longer_chain_is_refused),
	cmocka_unit_test(changed_certificate_behind_enroll_202),
	cmocka_unit_test(enroll_202_resends_the_same_csr),
	cmocka_unit_test(audit_pending_202_asks_cacerts_again),
	cmocka_unit_test(an_answer_ends_the_202),
	cmocka_unit_test(renewal_202_reconnects_as_ldevid_and_resends),
	cmocka_unit_test(waits_four_days_then_discovers),
	cmocka_unit_test(unreachable_behind_202_is_asked_again),
	cmocka_unit_test(peer_gone_behind_202_ends_the_attempt),
	cmocka_unit_test(peer_gone_does_not_touch_a_connection),
	cmocka_unit_test(others_get_their_turn_behind_a_202),
	cmocka_unit_test(one_redirect_gets_its_own_request),
	cmocka_unit_test(no_redirect_behind_a_202),
	cmocka_unit_test(unasked_connection_after_the_voucher_ends_it),
	cmocka_unit_test(patience_without_others),
	cmocka_unit_test(stall_of_five_seconds_while_others_wait),
	cmocka_unit_test(stall_lasts_until_the_other_is_due),
	cmocka_unit_test(backoff_doubles_to_an_hour),
	cmocka_unit_test(backoff_is_each_peers_own),
	cmocka_unit_test(reappearing_does_not_shorten_backoff),
	cmocka_unit_test(link_up_resets_backoff),
	cmocka_unit_test(gap_between_peers),
	cmocka_unit_test(retry_after_of_a_refusal_is_heeded),
	cmocka_unit_test(no_peer_waits_for_one),
	cmocka_unit_test(small_buffers_fail_by_name),
	cmocka_unit_test(renew_at_two_thirds),
	cmocka_unit_test(state_names),
	cmocka_unit_test(wipe_leaves_nothing),
};

int
main(void)
{
	return cmocka_run_group_tests_name("pledge_steps", tests, NULL, NULL);
}
