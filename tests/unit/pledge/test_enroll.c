/* SPDX-License-Identifier: Apache-2.0 */
/* From the proven connection to the report and the renewals after it: RFC 8995 5.9, RFC 7030 4. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "unit/pledge/support_steps.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const enum peer_kind one_honest[] = { PEER_HONEST };

/* --- enrolling, storing, reporting --- */

static void
est_order(void **state)
{
	static const enum mst_resource order[] = { MST_RES_REQUESTVOUCHER, MST_RES_VOUCHER_STATUS,
		MST_RES_CACERTS, MST_RES_CSRATTRS, MST_RES_SIMPLEENROLL, MST_RES_ENROLLSTATUS };
	size_t n = 0;

	(void)state;
	world_init(&w, one_honest, 1);
	world_boot(&w);
	while (!w.done) {
		world_step(&w);
		if (w.act.kind == MST_ACT_SEND) {
			assert_true(n < COUNT(order));
			assert_int_equal(w.act.resource, order[n++]);
		}
	}
	assert_int_equal(n, COUNT(order));
}

static void
csrattrs_reach_the_csr(void **state)
{
	(void)state;
	world_init(&w, one_honest, 1);
	w.csrattrs = MST_LIT("please");
	world_boot(&w);
	assert_true(world_until(&w, PLEDGE_AWAIT_CERT, 50));
	assert_true(contains(w.act.body, "please"));
}

static void
bad_csrattrs_fail_the_enrolment(void **state)
{
	(void)state;
	world_init(&w, one_honest, 1);
	w.csrattrs = FAKE_CSRATTRS_BAD;
	world_boot(&w);
	assert_true(world_until(&w, PLEDGE_AWAIT_ENROLL_ACK, 50));
	assert_true(contains(w.act.body, "\"reason\":\"pledge.csrattrs\""));
	assert_gives_up(respond(200, -1, MST_NONE), MST_E_PLEDGE_CSRATTRS);
}

static void
failed_store_is_reported_and_nothing_kept(void **state)
{
	(void)state;
	world_init(&w, one_honest, 1);
	w.store_fails = true;
	world_boot(&w);
	assert_true(world_until(&w, PLEDGE_AWAIT_ENROLL_ACK, 50));
	assert_true(contains(w.act.body, "\"status\":false,\"reason\":\"pledge.store\""));
	assert_int_equal(w.as, MST_IDENTITY_IDEVID); /* on the same connection */
	assert_gives_up(respond(200, -1, MST_NONE), MST_E_PLEDGE_STORE);
	assert_int_equal(w.p.cfg.mode, MST_PLEDGE_BOOTSTRAP);
	assert_int_equal(tick_at(w.mono + 4).identity, MST_IDENTITY_IDEVID);
}

static void
report_on_a_new_connection_as_ldevid(void **state)
{
	(void)state;
	reach(PLEDGE_STORING);
	world_step(&w);
	assert_int_equal(w.act.kind, MST_ACT_CLOSE);
	assert_int_equal(w.p.cfg.mode, MST_PLEDGE_REPORT);
	world_step(&w);
	assert_int_equal(w.act.kind, MST_ACT_CONNECT);
	assert_int_equal(w.act.identity, MST_IDENTITY_LDEVID);
	assert_false(w.act.provisional);
	world_step(&w);
	assert_sends(w.act, MST_RES_ENROLLSTATUS);
	assert_true(mst_span_eq(
	    w.act.body, MST_LIT("{\"version\":1,\"status\":true,\"reason\":\"enrolled\"}")));
}

static void
report_only_to_who_chains_to_the_anchors(void **state)
{
	(void)state;
	reach(PLEDGE_CONNECTING_LDEVID);
	assert_gives_up(connected(world_chain(&w, PEER_BETWEEN)), MST_E_VOUCHER_TLS_CHAIN);
	assert_int_equal(tick_at(w.mono + 4).identity, MST_IDENTITY_LDEVID);
}

static void
report_fails_for_ever_never_brski(void **state)
{
	(void)state;
	reach(PLEDGE_CONNECTING_LDEVID);
	for (int i = 0; i < 100; i++) {
		struct mst_pledge_action a;

		assert_int_equal(failed(MST_E_UNREACHABLE).kind, MST_ACT_CLOSE);
		a = tick_at(w.mono);
		a = tick_at(a.until);
		assert_int_equal(a.kind, MST_ACT_CONNECT);
		assert_int_equal(a.identity, MST_IDENTITY_LDEVID);
	}
	assert_sends(connected(world_chain(&w, PEER_HONEST)), MST_RES_ENROLLSTATUS);
}

/* --- renewal --- */

static void
renewal_connects_as_ldevid_and_judges_first(void **state)
{
	(void)state;
	reach_renewal(PLEDGE_CONNECTING_LDEVID);
	assert_int_equal(w.act.identity, MST_IDENTITY_LDEVID);
	assert_gives_up(connected(world_chain(&w, PEER_BETWEEN)), MST_E_VOUCHER_TLS_CHAIN);
	reach_renewal(PLEDGE_CONNECTING_LDEVID);
	assert_gives_up(connected(world_chain(&w, PEER_NOT_RA)), MST_E_VOUCHER_NOT_RA);
}

static void
renewal_asks_simplereenroll(void **state)
{
	(void)state;
	reach_renewal(PLEDGE_AWAIT_CERT);
	assert_sends(w.act, MST_RES_SIMPLEREENROLL);
	assert_int_equal(w.act.body.ptr[8], 1); /* the CSR was built to renew */
}

static void
failed_renewal_changes_nothing(void **state)
{
	struct flash before;
	struct mst_pledge_action a;

	(void)state;
	reach_renewal(PLEDGE_AWAIT_CERT);
	before = w.flash;
	a = respond(403, -1, MST_NONE);
	assert_sends(a, MST_RES_ENROLLSTATUS);
	assert_gives_up(respond(200, -1, MST_NONE), MST_E_PLEDGE_REFUSED);
	assert_int_equal(w.p.cfg.mode, MST_PLEDGE_RENEW);
	assert_memory_equal(&before, &w.flash, sizeof(before));
	assert_int_equal(tick_at(w.mono + 4).identity, MST_IDENTITY_LDEVID);
}

static void
renewal_without_cacerts_keeps_the_anchors(void **state)
{
	struct flash before;

	(void)state;
	reach_renewal(PLEDGE_AWAIT_CACERTS);
	before = w.flash;
	assert_sends(respond(404, -1, MST_NONE), MST_RES_CSRATTRS);
	w.ev = world_event(&w, MST_EV_RESPONSE);
	w.ev.status = 204;
	assert_true(world_run(&w, 100));
	assert_memory_equal(before.anchors, w.flash.anchors, before.anchors_len);
	assert_int_equal(before.anchors_len, w.flash.anchors_len);
	assert_int_not_equal(before.key, w.flash.key);
}

static mst_span
new_ca(uint8_t *store, uint32_t by)
{
	struct fake_cert c = { 300, by, FAKE_CERT_CA, 1795000000, 1827000000 };
	struct mst_buf b = { store, FAKE_CERT_LEN, 0 };

	assert_int_equal(fake_cert_build(&c, &b), MST_OK);
	return mst_buf_span(&b);
}

static void
renewal_takes_new_with_old(void **state)
{
	uint8_t store[FAKE_CERT_LEN];

	(void)state;
	reach_renewal(PLEDGE_AWAIT_CACERTS);
	assert_sends(respond(200, -1, new_ca(store, KEY_SITE_CA)), MST_RES_CSRATTRS);
	assert_int_equal(w.p.anchors.len, FAKE_CERT_LEN);
	assert_memory_equal(w.p.anchors.ptr, store, FAKE_CERT_LEN);
}

static void
renewal_refuses_foreign_anchors(void **state)
{
	uint8_t store[FAKE_CERT_LEN];
	struct mst_pledge_action a;

	(void)state;
	reach_renewal(PLEDGE_AWAIT_CACERTS);
	a = respond(200, -1, new_ca(store, KEY_EVIL_CA));
	assert_sends(a, MST_RES_ENROLLSTATUS);
	assert_int_equal(a.because, MST_E_PLEDGE_CA_CERTS);
}

static void
bootstrap_refuses_anchors_that_the_pin_does_not_vouch_for(void **state)
{
	uint8_t store[FAKE_CERT_LEN];
	struct mst_pledge_action a;

	(void)state;
	reach(PLEDGE_AWAIT_CACERTS);
	a = respond(200, -1, new_ca(store, KEY_EVIL_CA));
	assert_sends(a, MST_RES_ENROLLSTATUS);
	assert_int_equal(a.because, MST_E_PLEDGE_CA_CERTS);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(est_order),
		cmocka_unit_test(csrattrs_reach_the_csr),
		cmocka_unit_test(bad_csrattrs_fail_the_enrolment),
		cmocka_unit_test(failed_store_is_reported_and_nothing_kept),
		cmocka_unit_test(report_on_a_new_connection_as_ldevid),
		cmocka_unit_test(report_only_to_who_chains_to_the_anchors),
		cmocka_unit_test(report_fails_for_ever_never_brski),
		cmocka_unit_test(renewal_connects_as_ldevid_and_judges_first),
		cmocka_unit_test(renewal_asks_simplereenroll),
		cmocka_unit_test(failed_renewal_changes_nothing),
		cmocka_unit_test(renewal_without_cacerts_keeps_the_anchors),
		cmocka_unit_test(renewal_takes_new_with_old),
		cmocka_unit_test(renewal_refuses_foreign_anchors),
		cmocka_unit_test(bootstrap_refuses_anchors_that_the_pin_does_not_vouch_for),
	};

	return cmocka_run_group_tests_name("pledge_enroll", tests, NULL, NULL);
}
