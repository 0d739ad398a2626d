/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole agent over CoAPS against a registrar of the test's own, on
 * loopback (issue 3 item 4). A refusal starts from the honest registrar and
 * changes the one thing that its row names.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "agent/agent_store.h"
#include "unit/agent/support_coap_ra.h"
#include "unit/agent/support_world.h"

#define LONG 30

/* A world whose device speaks CoAPS; the HTTPS registrar of the world stays unused. */
static void
open_both(struct world *w, struct coap_ra *r, enum toy_trick trick, const char *more)
{
	char lines[512];

	world_open(w, TOY_HONEST);
	coap_ra_start(r, world_pki(), trick);
	snprintf(lines, sizeof lines,
	    "transport = \"coaps\"\nregistrars = { \"127.0.0.1:%d\" }\n%s", r->toy.port, more);
	world_configure(w, lines);
}

static void
close_both(struct world *w, struct coap_ra *r)
{
	assert_int_equal(w->toy.connections, 0);
	coap_ra_stop(r);
	world_close(w);
}

static void
assert_fresh(struct world *w)
{
	struct agent_record r;

	assert_int_equal(agent_record_read(w->state, &r), MST_E_NOT_FOUND);
}

static void
assert_enrolled(struct world *w, struct coap_ra *ra)
{
	struct agent_record r;

	assert_int_equal(agent_record_read(w->state, &r), MST_OK);
	assert_int_equal(r.reported, AGENT_REPORTED);
	assert_int_equal(X509_verify(r.cert, world_pki()->domain.key), 1);
	assert_int_equal(X509_NAME_cmp(X509_get_subject_name(r.cert),
	                     X509_get_subject_name(world_pki()->idevid.cert)),
	    0);
	assert_int_equal(sk_X509_num(r.anchors), 1);
	assert_int_equal(X509_cmp(sk_X509_value(r.anchors, 0), world_pki()->domain.cert), 0);
	assert_string_equal(r.peer, ra->toy.base);
	agent_record_wipe(&r);
}

static void
good_run(void **state)
{
	struct coap_ra r;
	struct world w;

	(void)state;
	open_both(&w, &r, TOY_HONEST, "");
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_enrolled(&w, &r);
	assert_int_equal(r.toy.served, 4); /* rv, vs, sen; es on the second association */
	assert_int_equal(r.toy.associations, 2);
	assert_int_equal(r.good_status, 1);
	assert_int_equal(r.enrolls, 1);
	assert_int_equal(r.crts, 0);
	assert_int_equal(r.reports, 1);
	assert_int_equal(r.ldevid, 1);
	assert_int_equal(r.bad_status + r.bad_reports, 0);
	/* and never again by itself */
	coap_ra_forget(&r);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(r.toy.associations, 0);
	close_both(&w, &r);
}

static void
with_crts(void **state)
{
	struct coap_ra r;
	struct world w;

	(void)state;
	open_both(&w, &r, TOY_HONEST, "");
	r.pin_ra = true;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_enrolled(&w, &r);
	assert_int_equal(r.crts, 1);
	close_both(&w, &r);
}

static void
certs_only(void **state)
{
	struct coap_ra r;
	struct world w;

	(void)state;
	open_both(&w, &r, TOY_HONEST, "");
	r.certs_only = true;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_enrolled(&w, &r);
	close_both(&w, &r);
}

static void
no_clock(void **state)
{
	struct coap_ra r;
	struct world w;

	(void)state;
	open_both(&w, &r, TOY_HONEST, "clock = \"none\"\n");
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_enrolled(&w, &r);
	close_both(&w, &r);
}

static void
small_blocks(void **state)
{
	struct coap_ra r;
	struct world w;

	(void)state;
	open_both(&w, &r, TOY_HONEST, "coap {\n\tblock = 64\n\tfragment = 512\n}\n");
	r.pin_ra = true;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_enrolled(&w, &r);
	assert_true(r.toy.largest <= 64 + 64);
	close_both(&w, &r);
}

/* Separate answers all the way, as of a MASA that takes its time. */
static void
separate(void **state)
{
	struct coap_ra r;
	struct world w;

	(void)state;
	open_both(&w, &r, TOY_HONEST, "");
	r.toy.trick = COAP_TOY_TWICE;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_enrolled(&w, &r);
	assert_int_equal(r.toy.served, 4);
	close_both(&w, &r);
}

static void
pending(void **state)
{
	struct coap_ra r;
	struct world w;

	(void)state;
	open_both(&w, &r, TOY_HONEST, "");
	r.pending = 2;
	r.enroll_pending = 2;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_enrolled(&w, &r);
	assert_int_equal(r.identical_pvr, 2);
	assert_int_equal(r.identical_csr, 2);
	assert_int_equal(r.toy.associations, 2);
	assert_int_equal(r.vouchers, 1);
	assert_int_equal(r.enrolls, 1);
	assert_true(world_logged(&w, "\"pending\""));
	close_both(&w, &r);
}

static void
pending_too_long(void **state)
{
	struct coap_ra r;
	struct world w;

	(void)state;
	open_both(&w, &r, TOY_HONEST, "");
	r.pending = 1000;
	assert_int_equal(world_run(&w, AGENT_ONCE, 2), AGENT_UNREACHABLE);
	assert_fresh(&w);
	close_both(&w, &r);
}

static void
renewal(void **state)
{
	struct coap_ra r;
	struct world w;

	(void)state;
	open_both(&w, &r, TOY_HONEST, "");
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	coap_ra_forget(&r);
	assert_int_equal(world_run(&w, AGENT_RENEW, LONG), AGENT_OK);
	assert_enrolled(&w, &r);
	assert_int_equal(r.reenrolls, 1);
	assert_int_equal(r.reports, 1);
	assert_int_equal(r.crts, 0); /* 13.4: the anchors held are good */
	assert_int_equal(r.vouchers, 0);
	assert_int_equal(r.ldevid, 2);
	close_both(&w, &r);
}

/* 13.4: a failure changes nothing, and is reported. */
static void
refused_renewal(void **state)
{
	static const enum toy_trick tricks[] = { TOY_REFUSES_ENROLL, TOY_FOREIGN_CERT };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct agent_record before, after;
		struct coap_ra r;
		struct world w;

		open_both(&w, &r, TOY_HONEST, "");
		assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
		assert_int_equal(agent_record_read(w.state, &before), MST_OK);
		r.trick = tricks[i];
		assert_int_equal(world_run(&w, AGENT_RENEW, LONG), AGENT_REFUSED);
		assert_int_equal(w.verdict,
		    tricks[i] == TOY_FOREIGN_CERT ? MST_E_PLEDGE_ENROLL : MST_E_PLEDGE_REFUSED);
		assert_int_equal(agent_record_read(w.state, &after), MST_OK);
		assert_int_equal(X509_cmp(before.cert, after.cert), 0);
		assert_int_equal(EVP_PKEY_eq(before.key, after.key), 1);
		assert_int_equal(r.bad_reports, 1);
		assert_int_equal(r.crts, tricks[i] == TOY_FOREIGN_CERT);
		agent_record_wipe(&before);
		agent_record_wipe(&after);
		close_both(&w, &r);
	}
}

static void
factory_reset(void **state)
{
	struct coap_ra r;
	struct world w;
	pid_t holder;

	(void)state;
	open_both(&w, &r, TOY_HONEST, "");
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(agent_factory_reset(&w.cfg, &holder), MST_OK);
	assert_fresh(&w);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_enrolled(&w, &r);
	assert_int_equal(r.vouchers, 2);
	close_both(&w, &r);
}

/* The association is lost instead of the n-th answer; the device ends enrolled all the same. */
static const int cuts[] = { 1, 2, 3, 4, 5 };

static void
cut(void **state)
{
	int at = *(const int *)*state;
	struct coap_ra r;
	struct world w;

	open_both(&w, &r, TOY_HONEST, "");
	r.pin_ra = true;
	r.toy.cut_at = at;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	assert_int_equal(r.toy.cut_at, 0);
	assert_enrolled(&w, &r);
	assert_int_equal(r.reports, 1);
	close_both(&w, &r);
}

/* A device that changes its transport forgets the address it remembers of the other. */
static void
from_https_to_coaps(void **state)
{
	struct coap_ra r;
	struct world w;

	(void)state;
	world_open(&w, TOY_HONEST);
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	toy_forget(&w.toy);
	world_close(&w);
	open_both(&w, &r, TOY_HONEST, "");
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_OK);
	world_configure(&w, ""); /* HTTPS again, with the world's registrar */
	assert_int_equal(world_run(&w, AGENT_RENEW, LONG), AGENT_OK);
	assert_int_equal(w.toy.reenrolls, 1);
	assert_int_equal(r.reenrolls, 0);
	coap_ra_stop(&r);
	world_close(&w);
}

/* ---- refusals by name ---- */

struct refusal {
	const char *name;
	enum toy_trick trick;
	const char *config;
	mst_err verdict;
	int bad_status, bad_reports; /* TEL-1, TEL-2 */
	bool pin_ra;
};
static const struct refusal refusals[] = {
	{ "8.7-2 forged voucher", TOY_FORGED_VOUCHER, "", MST_E_VOUCHER_SIGNER, 1, 0, false },
	{ "8.7-2 altered voucher", TOY_ALTERED_VOUCHER, "", MST_E_VOUCHER_SIGNATURE, 1, 0, false },
	{ "8.7-3 voucher of another device", TOY_WRONG_SERIAL, "", MST_E_VOUCHER_SERIAL, 1, 0,
	    false },
	{ "8.7-5 nonceless voucher where policy wants a nonce", TOY_NO_NONCE,
	    "refuse_nonceless = true\n", MST_E_VOUCHER_NONCELESS, 1, 0, false },
	{ "8.7-9 voucher pins another registrar", TOY_WRONG_PIN, "", MST_E_VOUCHER_TLS_CHAIN, 1, 0,
	    false },
	{ "8.7-9 registrar without cmcRA", TOY_NO_RA, "", MST_E_VOUCHER_NOT_RA, 1, 0, false },
	{ "CO-3 registrar refuses the device", TOY_REFUSES_VOUCHER, "", MST_E_PLEDGE_REFUSED, 0, 0,
	    false },
	{ "13.3-5 enrolment refused", TOY_REFUSES_ENROLL, "", MST_E_PLEDGE_REFUSED, 0, 1, false },
	{ "13.3-5 crts not beneath the pin", TOY_FOREIGN_CACERTS, "", MST_E_PLEDGE_CA_CERTS, 0, 1,
	    true },
	{ "13.3-5 LDevID of a foreign CA", TOY_FOREIGN_CERT, "", MST_E_PLEDGE_ENROLL, 0, 1, false },
};

static void
refused(void **state)
{
	const struct refusal *row = *state;
	char code[32];
	struct coap_ra r;
	struct world w;

	open_both(&w, &r, row->trick, row->config);
	r.pin_ra = row->pin_ra;
	assert_int_equal(world_run(&w, AGENT_ONCE, LONG), AGENT_REFUSED);
	assert_string_equal(mst_err_info(w.verdict)->name, mst_err_info(row->verdict)->name);
	assert_fresh(&w);
	assert_int_equal(r.toy.associations, 1);
	assert_int_equal(r.bad_status, row->bad_status);
	assert_int_equal(r.bad_reports, row->bad_reports);
	assert_int_equal(r.ldevid, 0);
	if (row->bad_status + row->bad_reports > 0)
		assert_string_equal(r.reason, mst_err_info(row->verdict)->reason);
	snprintf(code, sizeof code, "\"%s\"", mst_err_info(row->verdict)->code);
	assert_true(world_logged(&w, code));
	close_both(&w, &r);
}

static void
nobody_there(void **state)
{
	struct coap_ra r;
	struct world w;

	(void)state;
	open_both(&w, &r, TOY_HONEST, "");
	coap_ra_stop(&r);
	assert_int_equal(world_run(&w, AGENT_ONCE, 1), AGENT_UNREACHABLE);
	assert_int_equal(w.verdict, MST_E_UNREACHABLE);
	assert_fresh(&w);
	world_close(&w);
}

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))

int
main(void)
{
	static const struct CMUnitTest fixed[] = {
		{ "13.3 a bootstrap, reported; never again", good_run, NULL, NULL, NULL },
		{ "13.3-4 a bootstrap that needs crts", with_crts, NULL, NULL, NULL },
		{ "F1 a registrar that answers 281", certs_only, NULL, NULL, NULL },
		{ "CLK-1 without a clock", no_clock, NULL, NULL, NULL },
		{ "CO-4 blocks of 64, records of 512", small_blocks, NULL, NULL, NULL },
		{ "CO-6 separate answers, each twice", separate, NULL, NULL, NULL },
		{ "CO-3 5.03 twice: identical PVR and CSR", pending, NULL, NULL, NULL },
		{ "CO-3 5.03 for ever", pending_too_long, NULL, NULL, NULL },
		{ "13.4 a renewal", renewal, NULL, NULL, NULL },
		{ "13.4-4 a refused renewal changes nothing", refused_renewal, NULL, NULL, NULL },
		{ "factory reset", factory_reset, NULL, NULL, NULL },
		{ "another transport than before", from_https_to_coaps, NULL, NULL, NULL },
		{ "exit 6: nobody there", nobody_there, NULL, NULL, NULL },
	};
	static struct CMUnitTest tests[COUNT(fixed) + COUNT(cuts) + COUNT(refusals)];
	static char names[COUNT(cuts)][64];
	size_t n = COUNT(fixed);

	memcpy(tests, fixed, sizeof fixed);
	for (size_t i = 0; i < COUNT(cuts); i++, n++) {
		(void)snprintf(names[i], sizeof names[i], "7 lost instead of answer %d", cuts[i]);
		tests[n] =
		    (struct CMUnitTest){ names[i], cut, NULL, NULL, (void *)(uintptr_t)&cuts[i] };
	}
	for (size_t i = 0; i < COUNT(refusals); i++, n++)
		tests[n] = (struct CMUnitTest){ refusals[i].name, refused, NULL, NULL,
			(void *)(uintptr_t)&refusals[i] };
	return cmocka_run_group_tests_name("agent/constrained", tests, NULL, NULL);
}
