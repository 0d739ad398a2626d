/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole agent against the toy registrar, over TLS on loopback. A refusal
 * starts from the honest registrar and changes the one thing its row names.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "agent/agent_store.h"
#include "unit/agent/support_world.h"

#define LONG 20

static void
assert_fresh(struct world *w)
{
	struct agent_record r;

	assert_int_equal(agent_record_read(w->state, &r), MST_E_NOT_FOUND);
}

/* Enrolled: key, certificate of the site, its anchor. */
static void
assert_enrolled(struct world *w, enum agent_reported reported)
{
	struct agent_record r;

	assert_int_equal(agent_record_read(w->state, &r), MST_OK);
	assert_int_equal(r.reported, reported);
	assert_int_equal(X509_verify(r.cert, world_pki()->domain.key), 1);
	assert_int_equal(sk_X509_num(r.anchors), 1);
	assert_int_equal(X509_cmp(sk_X509_value(r.anchors, 0), world_pki()->domain.cert), 0);
	assert_int_not_equal(EVP_PKEY_eq(r.key, world_pki()->idevid.key), 1);
	assert_string_equal(r.peer, w->toy.base);
	agent_record_wipe(&r);
}

static void
good_run(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_enrolled(&w, AGENT_REPORTED);
	assert_int_equal(w.toy.requests, 6);
	assert_int_equal(w.toy.good_status, 1);
	assert_int_equal(w.toy.enrolls, 1);
	assert_int_equal(w.toy.reports, 1);
	assert_int_equal(w.toy.bad_status + w.toy.bad_reports, 0);
	world_close(&w);
}

static void
two_connections(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w.toy.connections, 2);
	assert_int_equal(w.toy.ldevid_connections, 1);
	assert_int_equal(w.toy.with_sni, 0);
	world_close(&w);
}

static void
never_again(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	toy_forget(&w.toy);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w.toy.connections, 0);
	world_close(&w);
}

static void
binding(struct world *w, bool tls12)
{
	world_open(w, TOY_HONEST);
	w->toy.tls12 = tls12;
	assert_int_equal(world_run(w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w->toy.bindings, 1);
	world_close(w);
}

static void
binding_13(void **state)
{
	struct world w;

	(void)state;
	binding(&w, false);
}

static void
binding_12(void **state)
{
	struct world w;

	(void)state;
	binding(&w, true);
}

static void
no_clock(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	world_configure(&w, "clock = \"none\"\n");
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_enrolled(&w, AGENT_REPORTED);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w.toy.reenrolls, 0);
	world_close(&w);
}

static void
pin_of_registrar(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	w.toy.pin_ra = true;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_enrolled(&w, AGENT_REPORTED);
	world_close(&w);
}

/* ---- refusals by name ---- */

struct refusal {
	const char *name;
	enum toy_trick trick;
	const char *config;
	mst_err verdict;
	int bad_status; /* voucher_status false was sent (TEL-1) */
	int bad_reports; /* enrollstatus false was sent (TEL-2) */
	const char *claims; /* toy.claims */
};
#define ROW_OF_8_7(name, claims, verdict)                                                          \
	{                                                                                          \
		"8.7-" name, TOY_HONEST, "", verdict, 1, 0, claims                                 \
	}
static const struct refusal refusals[] = {
	{ "8.7-1 no voucher", TOY_NO_VOUCHER, "", MST_E_CMS, 1, 0, NULL },
	{ "8.7-1 voucher in another form", TOY_OTHER_FORM, "", MST_E_VOUCHER_PARSE, 1, 0, NULL },
	ROW_OF_8_7("1 no assertion", "{\"assertion\":null}", MST_E_VOUCHER_ASSERTION),
	ROW_OF_8_7("3 no serial number", "{\"serial-number\":null}", MST_E_VOUCHER_SERIAL_FORMAT),
	ROW_OF_8_7("4 another issuer of IDevIDs",
	    "{\"idevid-issuer\":\"BBgwFoAUAAECAwQFBgcICQoLDA0ODxAREhM=\"}",
	    MST_E_VOUCHER_IDEVID_ISSUER),
	ROW_OF_8_7(
	    "5 another nonce", "{\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}", MST_E_VOUCHER_NONCE),
	ROW_OF_8_7("5 nonce and expiry", "{\"expires-on\":\"9999-01-01T00:00:00Z\"}",
	    MST_E_VOUCHER_EXPIRES_WITH_NONCE),
	ROW_OF_8_7("6 expired",
	    "{\"nonce\":null,\"created-on\":\"2020-01-01T00:00:00Z\","
	    "\"expires-on\":\"2021-01-01T00:00:00Z\"}",
	    MST_E_VOUCHER_EXPIRED),
	ROW_OF_8_7("6 created in the future", "{\"created-on\":\"9999-01-01T00:00:00Z\"}",
	    MST_E_VOUCHER_NOT_YET),
	ROW_OF_8_7("7 no pin", "{\"pinned-domain-cert\":null}", MST_E_VOUCHER_PIN),
	ROW_OF_8_7("8 revocation checks wanted", "{\"domain-cert-revocation-checks\":true}",
	    MST_E_VOUCHER_REVOCATION),
	{ "8.7-2 forged voucher", TOY_FORGED_VOUCHER, "", MST_E_VOUCHER_SIGNER, 1, 0, NULL },
	{ "8.7-2 altered voucher", TOY_ALTERED_VOUCHER, "", MST_E_VOUCHER_SIGNATURE, 1, 0, NULL },
	{ "8.7-3 voucher of another device", TOY_WRONG_SERIAL, "", MST_E_VOUCHER_SERIAL, 1, 0,
	    NULL },
	{ "8.7-5 nonceless voucher where policy wants a nonce", TOY_NO_NONCE,
	    "refuse_nonceless = true\n", MST_E_VOUCHER_NONCELESS, 1, 0, NULL },
	{ "8.7-9 voucher pins another registrar", TOY_WRONG_PIN, "", MST_E_VOUCHER_TLS_CHAIN, 1, 0,
	    NULL },
	{ "8.7-9 registrar without cmcRA", TOY_NO_RA, "", MST_E_VOUCHER_NOT_RA, 1, 0, NULL },
	{ "RFC8995-5.6 registrar refuses the device", TOY_REFUSES_VOUCHER, "", MST_E_PLEDGE_REFUSED,
	    0, 0, NULL },
	{ "EST-5 cacerts not beneath the pin", TOY_FOREIGN_CACERTS, "", MST_E_PLEDGE_CA_CERTS, 0, 1,
	    NULL },
	{ "RFC7030-4.2.3 LDevID of a foreign CA", TOY_FOREIGN_CERT, "", MST_E_PLEDGE_ENROLL, 0, 1,
	    NULL },
	{ "RFC7030-4.2.3 LDevID of another key", TOY_CERT_OF_OTHER_KEY, "", MST_E_PLEDGE_ENROLL, 0,
	    1, NULL },
	{ "RFC7030-4.2.3 enrolment refused", TOY_REFUSES_ENROLL, "", MST_E_PLEDGE_REFUSED, 0, 1,
	    NULL },
};

static void
refused(void **state)
{
	const struct refusal *r = *state;
	const struct mst_err_info *info = mst_err_info(r->verdict);
	char code[32];
	struct world w;

	world_open(&w, r->trick);
	world_configure(&w, r->config);
	w.toy.claims = r->claims;
	/* There is time for many attempts; the refusal is final, so there is one. */
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_REFUSED);
	assert_int_equal(w.verdict, r->verdict);
	assert_fresh(&w);
	assert_int_equal(w.toy.connections, 1);
	assert_int_equal(w.toy.bad_status, r->bad_status);
	assert_int_equal(w.toy.bad_reports, r->bad_reports);
	assert_int_equal(w.toy.ldevid_connections, 0);
	if (r->bad_status + r->bad_reports > 0)
		assert_string_equal(w.toy.reason, info->reason);
	snprintf(code, sizeof code, "\"%s\"", info->code);
	assert_true(world_logged(&w, code));
	world_close(&w);
}

/* 8.7-5: what was good for one attempt is a replay in the next. */
static void
replayed(void **state)
{
	struct world w;
	pid_t holder;

	(void)state;
	world_open(&w, TOY_HONEST);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(agent_factory_reset(&w.cfg, &holder), MST_OK);
	w.toy.replay = strdup(w.toy.last_voucher);
	w.toy.trick = TOY_REPLAYED_VOUCHER;
	assert_int_equal(world_run(&w, AGENT_ONCE, 1), AGENT_REFUSED);
	assert_int_equal(w.verdict, MST_E_VOUCHER_NONCE);
	assert_fresh(&w);
	assert_true(w.toy.bad_status > 0);
	world_close(&w);
}

static void
nonceless_accepted(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_NO_NONCE);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	world_close(&w);
}

/* ---- waiting, cuts, redirects ---- */

static void
pending_twice(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	w.toy.pending = 2;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w.toy.identical_pvr, 2);
	assert_int_equal(w.toy.connections, 2);
	assert_true(world_logged(&w, "\"pending\""));
	world_close(&w);
}

static void
enroll_pending(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	w.toy.enroll_pending = 2;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w.toy.enrolls, 1);
	world_close(&w);
}

static void
pending_too_long(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	w.toy.pending = 1000;
	assert_int_equal(world_run(&w, AGENT_ONCE, 2), AGENT_UNREACHABLE);
	assert_fresh(&w);
	world_close(&w);
}

static const int cuts[] = { 1, 2, 3, 4, 5, 6 };

static void
cut(void **state)
{
	struct world w;

	world_open(&w, TOY_HONEST);
	w.toy.cut_at = *(const int *)*state;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w.toy.cut_at, 0);
	assert_enrolled(&w, AGENT_REPORTED);
	assert_int_equal(w.toy.reports, 1);
	world_close(&w);
}

static void
csrattrs_404(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_NO_CSRATTRS);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w.toy.bindings, 0);
	world_close(&w);
}

static void
csrattrs_204(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_EMPTY_CSRATTRS);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	world_close(&w);
}

static void
redirect_once(void **state)
{
	struct world w;
	struct toy other;
	struct agent_record r;

	(void)state;
	world_open(&w, TOY_REDIRECTS);
	toy_start(&other, world_pki(), TOY_HONEST);
	w.toy.redirect = other.base;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w.toy.requests, 1);
	assert_int_equal(other.enrolls, 1);
	assert_int_equal(other.reports, 1);
	assert_int_equal(agent_record_read(w.state, &r), MST_OK);
	assert_string_equal(r.peer, other.base);
	agent_record_wipe(&r);
	toy_stop(&other);
	world_close(&w);
}

static void
redirect_twice(void **state)
{
	struct world w;
	struct toy second, third;

	(void)state;
	world_open(&w, TOY_REDIRECTS);
	toy_start(&second, world_pki(), TOY_REDIRECTS);
	toy_start(&third, world_pki(), TOY_HONEST);
	w.toy.redirect = second.base;
	second.redirect = third.base;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_REFUSED);
	assert_int_equal(w.verdict, MST_E_PLEDGE_REDIRECTS);
	assert_int_equal(third.connections, 0);
	assert_fresh(&w);
	toy_stop(&third);
	toy_stop(&second);
	world_close(&w);
}

static void
redirect_within(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_MOVES);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w.toy.requests, 7);
	world_close(&w);
}

static void
certificate_changes(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_CHANGES_CERT);
	w.toy.pending = 1;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	/* It joins in the end, by a new attempt with the other certificate; this one was refused.
	 */
	assert_true(world_logged(&w, "\"MU-1304\""));
	world_close(&w);
}

/* 503 is of the moment, at the voucher and at the enrolment: --once asks again. */
static void
refusals_that_pass(void **state)
{
	static const enum toy_trick tricks[] = { TOY_BUSY, TOY_BUSY_ENROLLING };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world w;

		world_open(&w, tricks[i]);
		assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
		assert_enrolled(&w, AGENT_REPORTED);
		assert_int_equal(w.toy.bad_reports, tricks[i] == TOY_BUSY_ENROLLING);
		world_close(&w);
	}
}

/* One refuses for good, the other is not there: that one may come yet. */
static void
refusal_of_one_of_two(void **state)
{
	char lines[128];
	struct world w;
	struct toy gone;

	(void)state;
	world_open(&w, TOY_REFUSES_VOUCHER);
	toy_start(&gone, world_pki(), TOY_HONEST);
	toy_stop(&gone);
	snprintf(lines, sizeof lines, "registrars = { \"127.0.0.1:%d\", \"127.0.0.1:%d\" }\n",
	    w.toy.port, gone.port);
	world_configure(&w, lines);
	assert_int_equal(world_run(&w, AGENT_ONCE, 4), AGENT_REFUSED);
	assert_true(w.toy.connections > 1);
	world_close(&w);
}

static void
nobody_there(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	world_configure(&w, "");
	/* A port on which nobody listens: that of a server that is gone. */
	toy_stop(&w.toy);
	assert_int_equal(world_run(&w, AGENT_ONCE, 1), AGENT_UNREACHABLE);
	assert_int_equal(w.verdict, MST_E_UNREACHABLE);
	assert_fresh(&w);
	toy_start(&w.toy, world_pki(), TOY_HONEST);
	world_close(&w);
}

/* A registrar that is silent keeps nobody from the next one. */
static void
second_registrar(void **state)
{
	char lines[128];
	struct world w;
	struct toy good;

	(void)state;
	world_open(&w, TOY_FORGED_VOUCHER);
	toy_start(&good, world_pki(), TOY_HONEST);
	snprintf(lines, sizeof lines, "registrars = { \"127.0.0.1:%d\", \"127.0.0.1:%d\" }\n",
	    w.toy.port, good.port);
	world_configure(&w, lines);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w.toy.bad_status, 1);
	assert_int_equal(good.enrolls, 1);
	toy_stop(&good);
	world_close(&w);
}

/* ---- later life ---- */

static void
killed_before_report(void **state)
{
	struct agent_record r;
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	/* What a kill right after KEEP leaves. */
	assert_int_equal(agent_record_read(w.state, &r), MST_OK);
	r.reported = AGENT_NOT_REPORTED;
	assert_int_equal(agent_record_write(w.state, &r), MST_OK);
	agent_record_wipe(&r);
	toy_forget(&w.toy);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w.toy.requests, 1);
	assert_int_equal(w.toy.reports, 1);
	assert_int_equal(w.toy.ldevid_connections, 1);
	assert_enrolled(&w, AGENT_REPORTED);
	world_close(&w);
}

static X509 *
stored_cert(struct world *w)
{
	struct agent_record r;
	X509 *cert;

	assert_int_equal(agent_record_read(w->state, &r), MST_OK);
	cert = r.cert;
	r.cert = NULL;
	agent_record_wipe(&r);
	return cert;
}

static void
renewal(void **state)
{
	struct world w;
	X509 *before, *after;

	(void)state;
	world_open(&w, TOY_HONEST);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	before = stored_cert(&w);
	toy_forget(&w.toy);
	assert_int_equal(world_run(&w, AGENT_RENEW, LONG), AGENT_OK);
	after = stored_cert(&w);
	assert_int_equal(w.toy.reenrolls, 1);
	assert_int_equal(w.toy.enrolls + w.toy.vouchers, 0);
	assert_int_equal(w.toy.reports, 1);
	assert_int_equal(w.toy.ldevid_connections, 2);
	assert_int_not_equal(X509_cmp(before, after), 0);
	assert_int_not_equal(EVP_PKEY_eq(X509_get0_pubkey(before), X509_get0_pubkey(after)), 1);
	assert_int_equal(
	    X509_NAME_cmp(X509_get_subject_name(before), X509_get_subject_name(after)), 0);
	assert_enrolled(&w, AGENT_REPORTED);
	X509_free(before);
	X509_free(after);
	world_close(&w);
}

/* Section 9: at two thirds of life. This one began an hour ago and ends in ten minutes. */
static void
renewal_when_due(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	w.toy.life = 600;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	toy_forget(&w.toy);
	w.toy.life = 90L * 86400;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w.toy.reenrolls, 1);
	world_close(&w);
}

static void
renewal_fails(void **state)
{
	struct world w;
	X509 *before, *after;

	(void)state;
	world_open(&w, TOY_HONEST);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	before = stored_cert(&w);
	w.toy.trick = TOY_REFUSES_ENROLL;
	assert_int_equal(world_run(&w, AGENT_RENEW, 1), AGENT_REFUSED);
	assert_int_equal(w.verdict, MST_E_PLEDGE_REFUSED);
	after = stored_cert(&w);
	assert_int_equal(X509_cmp(before, after), 0);
	assert_true(w.toy.bad_reports > 0);
	X509_free(before);
	X509_free(after);
	world_close(&w);
}

static void
renewal_at_impostor(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	w.toy.trick = TOY_NO_RA;
	toy_forget(&w.toy);
	assert_int_equal(world_run(&w, AGENT_RENEW, 1), AGENT_REFUSED);
	assert_int_equal(w.verdict, MST_E_VOUCHER_NOT_RA);
	assert_int_equal(w.toy.requests, 0);
	world_close(&w);
}

static void
renewal_not_enrolled(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	assert_int_equal(world_run(&w, AGENT_RENEW, 1), AGENT_NOT_ENROLLED);
	assert_int_equal(w.toy.connections, 0);
	world_close(&w);
}

static void
expired(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	w.toy.life = -60;
	/* A device without a clock takes it: it cannot know. */
	world_configure(&w, "clock = \"none\"\nrenew_after = 0.9\n");
	(void)world_run(&w, AGENT_ONCE, 2);
	toy_forget(&w.toy);
	world_configure(&w, "");
	assert_int_equal(world_run(&w, AGENT_ONCE, 2), AGENT_REFUSED);
	assert_int_equal(w.verdict, MST_E_TLS_LDEVID_EXPIRED);
	assert_int_equal(w.toy.connections, 0);
	world_close(&w);
}

static void
reset_and_again(void **state)
{
	struct agent_counters c;
	struct world w;
	X509 *before, *after;
	pid_t holder;

	(void)state;
	world_open(&w, TOY_HONEST);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	before = stored_cert(&w);
	assert_int_equal(agent_factory_reset(&w.cfg, &holder), MST_OK);
	assert_fresh(&w);
	toy_forget(&w.toy);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(w.toy.enrolls, 1);
	after = stored_cert(&w);
	assert_int_not_equal(EVP_PKEY_eq(X509_get0_pubkey(before), X509_get0_pubkey(after)), 1);
	assert_int_equal(agent_counters_read(w.state, &c), MST_OK);
	assert_int_equal(c.resets, 1);
	assert_int_equal(c.boots, 2);
	X509_free(before);
	X509_free(after);
	world_close(&w);
}

static void
daemon_stops(void **state)
{
	struct world w;
	struct agent *a;
	pid_t holder;

	(void)state;
	world_open(&w, TOY_HONEST);
	assert_int_equal(agent_open(&w.cfg, &a, &holder), MST_OK);
	agent_stop(a);
	assert_int_equal(agent_run(a, AGENT_DAEMON, 0), AGENT_OK);
	agent_close(a);
	world_close(&w);
}

#define ROWS (sizeof refusals / sizeof refusals[0])
#define CUTS (sizeof cuts / sizeof cuts[0])

int
main(void)
{
	static const struct CMUnitTest fixed[] = {
		{ "RFC8995-5 from IDevID to LDevID", good_run, NULL, NULL, NULL },
		{ "RFC8995-5.9.4 TLS-4 report on a new connection as LDevID, no SNI",
		    two_connections, NULL, NULL, NULL },
		{ "RFC8995-5 enrolled, never BRSKI again", never_again, NULL, NULL, NULL },
		{ "L4 csrattrs asks for the binding: TLS 1.3 exporter", binding_13, NULL, NULL,
		    NULL },
		{ "L3 csrattrs asks for the binding: TLS 1.2 unique", binding_12, NULL, NULL,
		    NULL },
		{ "CLK-1 joins without a clock", no_clock, NULL, NULL, NULL },
		{ "8.5 the registrar itself is pinned", pin_of_registrar, NULL, NULL, NULL },
		{ "8.7-5 replayed voucher", replayed, NULL, NULL, NULL },
		{ "RFC8995-7.2 nonceless voucher accepted by default", nonceless_accepted, NULL,
		    NULL, NULL },
		{ "RFC8995-5.6 202 twice, identical request", pending_twice, NULL, NULL, NULL },
		{ "EST-7 202 twice on the enrolment", enroll_pending, NULL, NULL, NULL },
		{ "exit 6: 202 until the deadline", pending_too_long, NULL, NULL, NULL },
		{ "RFC7030-4.5.2 csrattrs 404", csrattrs_404, NULL, NULL, NULL },
		{ "RFC7030-4.5.2 csrattrs 204", csrattrs_204, NULL, NULL, NULL },
		{ "RFC8995-5.6 one redirect to another origin", redirect_once, NULL, NULL, NULL },
		{ "RFC8995-5.6 second redirect refused", redirect_twice, NULL, NULL, NULL },
		{ "H10 redirect within the origin", redirect_within, NULL, NULL, NULL },
		{ "TLS-5 certificate changed behind a 202", certificate_changes, NULL, NULL, NULL },
		{ "exit 4: 503 is not the end of --once", refusals_that_pass, NULL, NULL, NULL },
		{ "exit 4: one refuses, another may come yet", refusal_of_one_of_two, NULL, NULL,
		    NULL },
		{ "exit 6: nobody there", nobody_there, NULL, NULL, NULL },
		{ "RFC8995-4.1 the next registrar is tried", second_registrar, NULL, NULL, NULL },
		{ "killed before the report: only the report", killed_before_report, NULL, NULL,
		    NULL },
		{ "RFC7030-4.2.2 renewal: same subject, new key", renewal, NULL, NULL, NULL },
		{ "section-9 renewal when due", renewal_when_due, NULL, NULL, NULL },
		{ "a renewal that fails keeps the old", renewal_fails, NULL, NULL, NULL },
		{ "RFC7030-3.6.1 renewal at a server without cmcRA", renewal_at_impostor, NULL,
		    NULL, NULL },
		{ "exit 3: renewal of nothing", renewal_not_enrolled, NULL, NULL, NULL },
		{ "RFC8995-5 an expired device does not start BRSKI", expired, NULL, NULL, NULL },
		{ "factory reset, then bootstrap again", reset_and_again, NULL, NULL, NULL },
		{ "the daemon stops when told", daemon_stops, NULL, NULL, NULL },
	};
	enum { FIXED = sizeof fixed / sizeof fixed[0] };
	static struct CMUnitTest tests[FIXED + ROWS + CUTS];
	static char names[CUTS][64];

	memcpy(tests, fixed, sizeof fixed);
	for (size_t i = 0; i < ROWS; i++)
		tests[FIXED + i] = (struct CMUnitTest){ refusals[i].name, refused, NULL, NULL,
			(void *)(uintptr_t)&refusals[i] };
	for (size_t i = 0; i < CUTS; i++) {
		snprintf(names[i], sizeof names[i], "D21 connection cut at request %d", cuts[i]);
		tests[FIXED + ROWS + i] =
		    (struct CMUnitTest){ names[i], cut, NULL, NULL, (void *)(uintptr_t)&cuts[i] };
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
