/* SPDX-License-Identifier: Apache-2.0 */
/* The constrained profile: constrained-voucher 6.4 and 6.7 (sheet sections 10 and 13). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "muster/cbor.h"

#include "unit/pledge/support_steps.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const enum peer_kind one_honest[] = { PEER_HONEST };

/* A constrained world not booted yet; the voucher pins the registrar, or its root. */
static void
fresh(bool pin_ra)
{
	world_init(&w, one_honest, 1);
	w.constrained = true;
	w.pin_ra = pin_ra;
}

static void
arrive(bool pin_ra, enum mst_pledge_state state)
{
	fresh(pin_ra);
	world_boot(&w);
	assert_true(world_until(&w, state, 200));
	assert_int_equal(w.bad, 0);
}

static void
arrive_renewing(enum mst_pledge_state state)
{
	fresh(false);
	world_boot(&w);
	assert_true(world_run(&w, 200));
	w.renew_due = true;
	world_boot(&w);
	assert_true(world_until(&w, state, 200));
}

static struct mst_pledge_action
respond_as(enum mst_form form, int status, mst_span body)
{
	struct mst_pledge_event ev = world_event(&w, MST_EV_RESPONSE);

	ev.status = status;
	ev.form = form;
	ev.body = body;
	return world_give(&w, ev);
}

static void
must_send(const enum mst_resource *order, size_t count)
{
	size_t n = 0;

	while (!w.done) {
		world_step(&w);
		if (w.act.kind == MST_ACT_SEND) {
			assert_true(n < count);
			assert_int_equal(w.act.resource, order[n++]);
		}
	}
	assert_int_equal(n, count);
	assert_int_equal(w.bad, 0);
}

static void
order_when_the_pinned_root_signed(void **state)
{
	static const enum mst_resource order[] = { MST_RES_REQUESTVOUCHER, MST_RES_VOUCHER_STATUS,
		MST_RES_SIMPLEENROLL, MST_RES_ENROLLSTATUS };

	(void)state;
	fresh(false);
	world_boot(&w);
	must_send(order, COUNT(order));
	assert_int_equal(w.flash.anchors_len, FAKE_CERT_LEN);
}

static void
order_when_it_did_not(void **state)
{
	static const enum mst_resource order[] = { MST_RES_REQUESTVOUCHER, MST_RES_VOUCHER_STATUS,
		MST_RES_SIMPLEENROLL, MST_RES_CACERTS, MST_RES_ENROLLSTATUS };

	(void)state;
	fresh(true);
	world_boot(&w);
	must_send(order, COUNT(order));
}

static void
order_of_a_renewal(void **state)
{
	static const enum mst_resource order[] = { MST_RES_SIMPLEREENROLL, MST_RES_ENROLLSTATUS };

	(void)state;
	fresh(false);
	world_boot(&w);
	assert_true(world_run(&w, 200));
	w.renew_due = true;
	world_boot(&w);
	must_send(order, COUNT(order));
}

/* The nonce is a byte string; the request says what connection it is of. */
static void
pvr_is_cose(void **state)
{
	struct mst_voucher_claims c;
	uint32_t signer = 0;

	(void)state;
	arrive(false, PLEDGE_AWAIT_VOUCHER);
	assert_int_equal(w.act.media, MST_MEDIA_COSE_CBOR);
	assert_int_equal(fake_open(MST_MEDIA_COSE_CBOR, w.act.body, &c, &signer), MST_OK);
	assert_int_equal(c.nonce.len, MST_PLEDGE_NONCE_LEN);
	assert_null(c.nonce_text.ptr);
	assert_true(mst_span_eq(c.proximity_cert, world_chain(&w, PEER_HONEST).cert[0]));
}

static void
other_media_is_no_voucher(void **state)
{
	struct mst_pledge_event ev;
	struct mst_pledge_action a;

	(void)state;
	arrive(false, PLEDGE_AWAIT_VOUCHER);
	ev = world_event(&w, MST_EV_RESPONSE);
	ev.status = 200;
	ev.media = MST_MEDIA_CMS_JSON;
	a = world_give(&w, ev);
	assert_sends(a, MST_RES_VOUCHER_STATUS);
	assert_int_equal(a.because, MST_E_VOUCHER_PARSE);
}

static void
success_is_the_published_18_bytes(void **state)
{
	(void)state;
	arrive(false, PLEDGE_AWAIT_STATUS_ACK);
	assert_true(mst_span_eq(w.act.body, MST_LIT("\xa2\x67version\x01\x66status\xf5")));
	arrive(false, PLEDGE_AWAIT_ENROLL_ACK);
	assert_true(mst_span_eq(w.act.body, MST_LIT("\xa2\x67version\x01\x66status\xf5")));
}

/* Every refusal there is makes a map that a strict reader takes. */
static void
every_failure_is_good_cbor(void **state)
{
	size_t count;
	const struct mst_err_info *rows = mst_err_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		struct mst_pledge_action a;
		struct mst_cbor_reader r;
		mst_span key;

		arrive(false, PLEDGE_AWAIT_VOUCHER);
		w.fake.script[FAKE_PIN_JUDGE] = rows[i].err;
		world_answer(&w);
		a = w.act;
		assert_sends(a, MST_RES_VOUCHER_STATUS);
		assert_int_equal(mst_cbor_validate_unique(a.body), MST_OK);
		mst_cbor_init(&r, a.body);
		mst_cbor_map(&r);
		assert_true(mst_cbor_text_key(&r, &key) && mst_span_eq(key, MST_LIT("version")));
		assert_int_equal(mst_cbor_uint(&r), 1);
		assert_true(mst_cbor_text_key(&r, &key) && mst_span_eq(key, MST_LIT("status")));
		assert_false(mst_cbor_bool(&r));
		assert_true(mst_cbor_text_key(&r, &key) && mst_span_eq(key, MST_LIT("reason")));
		assert_true(mst_span_eq(mst_cbor_text(&r), mst_span_str(rows[i].reason)));
		assert_true(
		    mst_cbor_text_key(&r, &key) && mst_span_eq(key, MST_LIT("reason-context")));
		mst_cbor_skip(&r);
		assert_false(mst_cbor_text_key(&r, &key));
		assert_int_equal(mst_cbor_end(&r), MST_OK);
	}
}

static void
csr_is_der_without_csrattrs(void **state)
{
	uint32_t key = 0;

	(void)state;
	arrive(false, PLEDGE_AWAIT_CERT);
	assert_int_equal(fake_csr_key(MST_FORM_DER, w.act.body, &key), MST_OK);
	assert_int_equal(w.act.body.ptr[8], 0);
	assert_int_equal(w.act.body.len, 9);
	arrive_renewing(PLEDGE_AWAIT_CERT);
	assert_sends(w.act, MST_RES_SIMPLEREENROLL);
	assert_int_equal(fake_csr_key(MST_FORM_DER, w.act.body, &key), MST_OK);
	assert_int_equal(w.act.body.ptr[8], 1);
}

/* --- 6.7.1 step 5: cannot be chained, cannot be had --- */

struct bad_crts {
	const char *name;
	int status;
	enum mst_form form;
	uint32_t ca, by; /* of the one certificate in the answer */
	mst_err want;
};
static const struct bad_crts bad_crts[] = {
	{ "13.3-5 crts: 4.04", 404, MST_FORM_MULTIPART, KEY_SITE_CA, KEY_SITE_CA,
	    MST_E_PLEDGE_REFUSED },
	{ "13.3-5 crts: 5.00", 500, MST_FORM_MULTIPART, KEY_SITE_CA, KEY_SITE_CA,
	    MST_E_PLEDGE_REFUSED },
	{ "13.3-5 crts: of no form", 200, MST_FORM_OTHER, KEY_SITE_CA, KEY_SITE_CA,
	    MST_E_PLEDGE_CA_CERTS },
	{ "13.3-5 crts: of a stranger", 200, MST_FORM_MULTIPART, KEY_EVIL_CA, KEY_EVIL_CA,
	    MST_E_PLEDGE_CA_CERTS },
	/* vouched for, but not what signed the certificate */
	{ "13.3-5 crts: the LDevID does not chain", 200, MST_FORM_MULTIPART, KEY_NEW_CA,
	    KEY_REGISTRAR, MST_E_PLEDGE_ENROLL },
};

static mst_span
one_ca(uint8_t *store, uint32_t key, uint32_t by)
{
	struct fake_cert c = { key, by, FAKE_CERT_CA, 1795000000, 1827000000 };
	struct mst_buf b = { store, FAKE_CERT_LEN, 0 };

	assert_int_equal(fake_cert_build(&c, &b), MST_OK);
	return mst_buf_span(&b);
}

static void
bad_crts_row(void **state)
{
	const struct bad_crts *row = *state;
	uint8_t store[FAKE_CERT_LEN];
	struct mst_pledge_action a;

	arrive(true, PLEDGE_AWAIT_CACERTS);
	a = respond_as(row->form, row->status, one_ca(store, row->ca, row->by));
	assert_sends(a, MST_RES_ENROLLSTATUS);
	assert_int_equal(a.because, row->want);
	assert_true(contains(a.body, "status\xf4"));
	assert_int_equal(w.as, MST_IDENTITY_IDEVID); /* TEL-2: on the same connection */
	assert_gives_up(respond(200, -1, MST_NONE), row->want);
	assert_false(w.flash.enrolled);
	assert_int_equal(w.p.cfg.mode, MST_PLEDGE_BOOTSTRAP);
}

/* 6.7.4 step 4: change nothing, report. */
static void
bad_crts_of_a_renewal(void **state)
{
	const struct bad_crts *row = *state;
	uint8_t store[FAKE_CERT_LEN];
	struct mst_pledge_action a;
	struct flash before;

	arrive_renewing(PLEDGE_AWAIT_CERT);
	before = w.flash;
	w.new_ca = true; /* the certificate is beneath a CA that is not held */
	world_answer(&w);
	assert_sends(w.act, MST_RES_CACERTS);
	a = respond_as(row->form, row->status, one_ca(store, row->ca, row->by));
	assert_sends(a, MST_RES_ENROLLSTATUS);
	assert_gives_up(respond(200, -1, MST_NONE), a.because);
	assert_memory_equal(&before, &w.flash, sizeof(before));
	assert_int_equal(w.p.cfg.mode, MST_PLEDGE_RENEW);
	assert_int_equal(tick_at(w.mono + 4).identity, MST_IDENTITY_LDEVID);
}

/* NewWithOld in crts: certificate and anchor change together. */
static void
renewal_into_a_new_ca(void **state)
{
	struct fake_cert c;

	(void)state;
	arrive_renewing(PLEDGE_AWAIT_CERT);
	w.new_ca = true;
	world_answer(&w);
	assert_sends(w.act, MST_RES_CACERTS);
	world_answer(&w);
	assert_int_equal(w.act.kind, MST_ACT_KEEP);
	assert_int_equal(fake_cert_parse(w.act.anchors, &c), MST_OK);
	assert_int_equal(c.key, KEY_NEW_CA);
	assert_int_equal(fake_cert_parse(w.act.ldevid, &c), MST_OK);
	assert_int_equal(c.issuer, KEY_NEW_CA);
}

/* A certificate for somebody else's key never gets further, whatever the crts. */
static void
foreign_certificate(void **state)
{
	uint8_t store[FAKE_CERT_LEN];
	struct mst_pledge_action a;

	(void)state;
	arrive(false, PLEDGE_AWAIT_CERT);
	a = respond_as(MST_FORM_CERT, 200, one_ca(store, KEY_EVIL, KEY_SITE_CA));
	assert_sends(a, MST_RES_CACERTS);
	a = respond_as(MST_FORM_MULTIPART, 200, one_ca(store, KEY_SITE_CA, KEY_SITE_CA));
	assert_sends(a, MST_RES_ENROLLSTATUS);
	assert_int_equal(a.because, MST_E_PLEDGE_ENROLL);
}

/* RFC 9148 4.7: behind 5.03 the identical CSR, also over another connection. */
static void
pending_resends_the_same_csr(void **state)
{
	uint8_t csr[64];
	size_t len;

	(void)state;
	fresh(false);
	w.enroll_202 = 1;
	world_boot(&w);
	assert_true(world_until(&w, PLEDGE_AWAIT_CERT, 50));
	len = w.act.body.len;
	assert_true(len <= sizeof csr);
	memcpy(csr, w.act.body.ptr, len);
	assert_true(world_until(&w, PLEDGE_ENROLL_PENDING, 50));
	assert_true(world_until(&w, PLEDGE_AWAIT_CERT, 50));
	assert_memory_equal(csr, w.act.body.ptr, len);
	assert_int_equal(len, w.act.body.len);
	assert_true(world_run(&w, 100));
}

/* The certificate waits while crts are pending and the connection is lost. */
static void
answer_survives_a_lost_connection(void **state)
{
	(void)state;
	arrive(true, PLEDGE_AWAIT_CACERTS);
	assert_int_equal(respond(202, 5, MST_NONE).kind, MST_ACT_WAIT);
	(void)failed(MST_E_UNREACHABLE);
	w.up = false;
	w.ev = world_event(&w, MST_EV_TICK);
	assert_true(world_run(&w, 100));
	assert_true(w.flash.enrolled);
	assert_int_equal(w.sent[MST_RES_SIMPLEENROLL], 1);
	assert_int_equal(w.bad, 0);
}

#define ROWS COUNT(bad_crts)

int
main(void)
{
	static const struct CMUnitTest fixed[] = {
		{ "13.3 order, the pinned root signed", order_when_the_pinned_root_signed, NULL,
		    NULL, NULL },
		{ "13.3 order, it did not", order_when_it_did_not, NULL, NULL, NULL },
		{ "13.4 order", order_of_a_renewal, NULL, NULL, NULL },
		{ "COSE-4 the PVR", pvr_is_cose, NULL, NULL, NULL },
		{ "HT-1 a voucher of other media", other_media_is_no_voucher, NULL, NULL, NULL },
		{ "24 telemetry of success", success_is_the_published_18_bytes, NULL, NULL, NULL },
		{ "10 telemetry of each failure", every_failure_is_good_cbor, NULL, NULL, NULL },
		{ "13.3-2 the CSR", csr_is_der_without_csrattrs, NULL, NULL, NULL },
		{ "13.4-4 into a new CA", renewal_into_a_new_ca, NULL, NULL, NULL },
		{ "13.3-5 a certificate of another key", foreign_certificate, NULL, NULL, NULL },
		{ "9148-4.7 the identical CSR", pending_resends_the_same_csr, NULL, NULL, NULL },
		{ "9148-4.7 crts pending, line lost", answer_survives_a_lost_connection, NULL, NULL,
		    NULL },
	};
	static struct CMUnitTest tests[COUNT(fixed) + 2 * ROWS];
	static char names[ROWS][80];

	memcpy(tests, fixed, sizeof fixed);
	for (size_t i = 0; i < ROWS; i++) {
		void *row = (void *)(uintptr_t)&bad_crts[i];

		(void)snprintf(names[i], sizeof names[i], "13.4-4 renewal, %s", bad_crts[i].name);
		tests[COUNT(fixed) + i] =
		    (struct CMUnitTest){ bad_crts[i].name, bad_crts_row, NULL, NULL, row };
		tests[COUNT(fixed) + ROWS + i] =
		    (struct CMUnitTest){ names[i], bad_crts_of_a_renewal, NULL, NULL, row };
	}
	return cmocka_run_group_tests_name("pledge_constrained", tests, NULL, NULL);
}
