/* SPDX-License-Identifier: Apache-2.0 */
/* CRLs and revocation, chains and root rollover. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/ca/world.h"

/* --- CRLs --- */

static void
timers_fire(void)
{
	for (size_t i = 0; i < 8; i++)
		if (timers[i] != NULL) {
			struct timer t = *timers[i];

			timer_gone(timers[i]);
			t.fn(t.arg);
			return;
		}
	fail_msg("no timer");
}

static void
on_simple(void *arg, mst_err e)
{
	struct answer *a = arg;

	a->calls++;
	a->e = e;
}

static mst_err
withdraw(mst_span serial, int reason)
{
	struct answer a = { 0 };

	ca_revoke(cal, serial, reason, on_simple, &a);
	assert_int_equal(a.calls, 0);
	wait_for(&a.calls, 1);
	return a.e;
}

static mst_span
crl(void)
{
	mst_span der = MST_NONE;

	for (int i = 0; i < 10000 && ca_crl_der(ca, "", arena, &der) != MST_OK; i++)
		turn();
	assert_non_null(der.ptr);
	return der;
}

static int64_t
crl_number(mst_span der)
{
	const unsigned char *p = der.ptr;
	X509_CRL *c = d2i_X509_CRL(NULL, &p, (long)der.len);
	ASN1_INTEGER *n = X509_CRL_get_ext_d2i(c, NID_crl_number, NULL, NULL);
	int64_t v = 0;

	assert_int_equal(ASN1_INTEGER_get_int64(&v, n), 1);
	ASN1_INTEGER_free(n);
	X509_CRL_free(c);
	return v;
}

static void
first_CRL_is_signed_at_start_and_read_by_openssl(void **state)
{
	const char *text;

	(void)state;
	assert_int_equal(ca_crl_der(ca, "", arena, &(mst_span){ 0 }), MST_E_NOT_FOUND);
	assert_int_equal(ca_crl_der(ca, "nosuch", arena, &(mst_span){ 0 }), MST_E_EST_LABEL);
	ca_crl_start(cal);
	tpki_write("out", "crl", crl());
	assert_int_equal(tpki_run(&text, "openssl crl -inform DER -in %s -noout -text -CAfile %s",
	                     tpki_path("out", "crl"), tpki_path("root", "pem")),
	    0);
	assert_non_null(strstr(text, "verify OK"));
	assert_non_null(strstr(text, "No Revoked Certificates"));
}

static void
revoked_certificate_is_on_the_CRL_when_done_is_called(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = issue(&o);
	const char *text;

	(void)state;
	ca_crl_start(cal);
	assert_int_equal(withdraw(a.row.serial, 1), MST_OK);
	assert_verifies(a.der, "root", NULL);
	tpki_write("out", "crl", crl());
	tpki_run(NULL, "openssl crl -inform DER -in %s -out %s && cat %s >> %s",
	    tpki_path("out", "crl"), tpki_path("crl", "pem"), tpki_path("root", "pem"),
	    tpki_path("crl", "pem"));
	assert_int_not_equal(tpki_run(&text, "openssl verify -crl_check -CAfile %s %s",
	                         tpki_path("crl", "pem"), tpki_path("out", "pem")),
	    0);
	assert_non_null(strstr(text, "certificate revoked"));
	assert_int_equal(
	    issue(&o).e, MST_E_X509_REVOKED); /* and its order gives nothing any more */
}

static void
revocation_refusals_have_names(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = issue(&o);

	(void)state;
	ca_crl_start(cal);
	assert_int_equal(withdraw(a.row.serial, 7), MST_E_USAGE);
	assert_int_equal(withdraw(a.row.serial, 8), MST_E_USAGE);
	assert_int_equal(withdraw(a.row.serial, -1), MST_E_USAGE);
	assert_int_equal(withdraw(MST_LIT("0123456789abcdef"), 0), MST_E_NOT_FOUND);
	assert_int_equal(withdraw(a.row.serial, 0), MST_OK);
	assert_int_equal(withdraw(a.row.serial, 0), MST_E_CONFLICT);
}

static void
revocation_holds_where_no_CRL_can_be_made(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = issue(&o);
	struct cert_row row;

	(void)state;
	assert_int_equal(withdraw(a.row.serial, 1), MST_E_EST_CA); /* nobody signs CRLs yet */
	assert_int_equal(cert_by_serial(store_reader(store), arena, a.row.serial, &row), MST_OK);
	assert_int_equal(row.state, CERT_REVOKED);
}

static void
many_revocations_at_once_are_all_on_the_CRL(void **state)
{
	struct answer a[20], done[20] = { 0 };
	char name[16];
	const unsigned char *p;
	X509_CRL *c;
	mst_span der;

	(void)state;
	ca_crl_start(cal);
	for (int i = 0; i < 20; i++) {
		struct ca_order o;

		snprintf(name, sizeof name, "d%d", i);
		o = order(name);
		a[i] = issue(&o);
	}
	for (int i = 0; i < 20; i++)
		ca_revoke(cal, a[i].row.serial, 4, on_simple, &done[i]);
	for (int i = 0; i < 20; i++) {
		wait_for(&done[i].calls, 1);
		assert_int_equal(done[i].e, MST_OK);
	}
	der = crl();
	p = der.ptr;
	c = d2i_X509_CRL(NULL, &p, (long)der.len);
	assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(c)), 20);
	X509_CRL_free(c);
}

static void
CRL_is_renewed_at_half_its_life_with_a_higher_number(void **state)
{
	mst_span first, second;

	(void)state;
	ca_crl_start(cal);
	first = crl();
	assert_int_equal(timer_ms, 3600 * 1000L); /* an hour at most, then it looks again */
	clock_set(clock_wall() + 3 * DAY);
	timers_fire();
	assert_int_equal(crl_number(crl()), crl_number(first));
	clock_set(clock_wall() + DAY);
	timers_fire();
	do
		turn();
	while (mst_span_eq(second = crl(), first));
	assert_int_equal(crl_number(second), crl_number(first) + 1);
}

static void
stored_CRL_is_shown_after_a_restart_and_numbers_go_on(void **state)
{
	mst_span first, again;
	struct ca_order o = order("dev1");
	struct answer a = issue(&o);

	(void)state;
	ca_crl_start(cal);
	first = crl();
	close_ca();
	open_ca();
	assert_int_equal(ca_crl_der(ca, "", arena, &again), MST_OK);
	assert_true(mst_span_eq(first, again));
	ca_crl_start(cal);
	assert_int_equal(withdraw(a.row.serial, 0), MST_OK);
	assert_int_equal(crl_number(crl()), crl_number(first) + 1);
}

struct revoking {
	struct cert_owner owner;
	size_t count;
};

static mst_err
revoke_all(struct db *db, void *arg)
{
	struct revoking *r = arg;

	return cert_revoke_owner(db, &r->owner, 0, 1, clock_wall(), &r->count);
}

static size_t
entries(mst_span der)
{
	const unsigned char *p = der.ptr;
	X509_CRL *c = d2i_X509_CRL(NULL, &p, (long)der.len);
	STACK_OF(X509_REVOKED) *list = X509_CRL_get_REVOKED(c);
	size_t n = list != NULL ? (size_t)sk_X509_REVOKED_num(list) : 0;

	X509_CRL_free(c);
	return n;
}

/* A4: all of an owner at once is recorded by a job, and published by one new CRL. */
static void
refresh_publishes_what_a_job_revoked_A4(void **state)
{
	struct ca_order o = order("dev1"), p = order("dev2");
	struct answer a = issue(&o), b = issue(&p), done = { 0 };
	struct revoking r = { .owner = { o.device, o.identity } };

	(void)state;
	assert_int_equal(a.e, MST_OK);
	assert_int_equal(b.e, MST_OK);
	ca_crl_start(cal);
	assert_int_equal(entries(crl()), 0);
	assert_int_equal(store_write_wait(store, revoke_all, &r), MST_OK);
	assert_true(r.count >= 1);
	ca_crl_refresh(cal, on_simple, &done);
	assert_int_equal(done.calls, 0);
	wait_for(&done.calls, 1);
	assert_int_equal(done.e, MST_OK);
	assert_int_equal(entries(crl()), r.count);
	ca_crl_refresh(cal, NULL, NULL); /* nobody waits for this one */
	ca_crl_refresh(cal, on_simple, &done);
	wait_for(&done.calls, 2);
}

/* Whoever waits for a CRL when the daemon ends is told, once, by ca_loop_free itself. */
static void
waiters_are_told_at_the_end(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = issue(&o), done = { 0 };

	(void)state;
	ca_crl_start(cal);
	(void)crl();
	ca_revoke(cal, a.row.serial, 1, on_simple, &done);
	for (int i = 0; i < 3 && done.calls == 0; i++)
		turn(); /* recorded; the CRL is on its way or was just asked for */
	close_ca();
	assert_int_equal(done.calls, 1);
	assert_true(done.e == MST_OK || done.e == MST_E_EST_CA);
}

static void
refresh_without_a_CRL_loop_says_so(void **state)
{
	struct answer done = { 0 };

	(void)state;
	ca_crl_refresh(cal, on_simple, &done);
	wait_for(&done.calls, 1);
	assert_int_equal(done.e, MST_E_EST_CA);
}

/* A crash between a revocation and its CRL: the next start makes up for it. */
static void
start_publishes_what_was_revoked_after_the_CRL_A4(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = issue(&o);
	struct revoking r = { .owner = { o.device, o.identity } };
	mst_span first, second;

	(void)state;
	ca_crl_start(cal);
	first = crl();
	assert_int_equal(a.e, MST_OK);
	assert_int_equal(store_write_wait(store, revoke_all, &r), MST_OK);
	close_ca();
	open_ca();
	ca_crl_start(cal);
	do
		turn();
	while (mst_span_eq(second = crl(), first));
	assert_int_equal(entries(second), r.count);
}

static void
CRL_that_fails_is_tried_again_after_a_minute(void **state)
{
	(void)state;
	kill(keys_pid(keys), SIGKILL);
	timer_ms = 0;
	ca_crl_start(cal);
	for (int i = 0; timer_ms == 0 && i < 1000; i++)
		turn();
	assert_int_equal(timer_ms, 60000);
}

/* --- chains and rollover --- */

static void
reopen_with(const struct ca_config *c)
{
	config = *c;
	close_ca();
	open_ca();
}

static void
write_cacerts(const char *label)
{
	tpki_write("cacerts", "p7", ca_cacerts(ca, label));
	assert_int_equal(tpki_run(NULL, "openssl pkcs7 -inform DER -in %s -print_certs -out %s",
	                     tpki_path("cacerts", "p7"), tpki_path("cacerts", "pem")),
	    0);
}

static void
cacerts_of_a_root_is_the_root_P1(void **state)
{
	(void)state;
	write_cacerts("");
	assert_int_equal(sk_X509_num(ca_certs(ca, "")), 1);
	assert_null(ca_cacerts(ca, "nosuch").ptr);
	assert_null(ca_cert(ca, "nosuch"));
	assert_non_null(ca_cert(ca, ""));
	assert_string_equal(ca_label_at(ca, 0), "");
	assert_null(ca_label_at(ca, 1));
	assert_non_null(ca_profile_find(ca, "", "device"));
	assert_null(ca_profile_find(ca, "", "nosuch"));
}

static void
intermediate_CA_shows_its_root_and_issues_P3(void **state)
{
	struct ca_config c = config;
	struct keys_profile *list;
	size_t count;
	struct ca_order o;
	struct answer a;
	struct keys_slot slot = { .name = "sub", .purpose = KEYS_CA };
	struct mst_clock now = clock_now();
	const STACK_OF(X509) *untrusted;
	const struct anchors *own;
	X509 *x;

	(void)state;
	c.slot = "sub";
	close_ca();
	keys_stop(keys);
	config = c;
	slot.key_uri = tpki_path("sub", "key");
	slot.cert_path = tpki_path("sub", "pem");
	assert_int_equal(ca_keys_profiles(arena, &config, 1, &list, &count), MST_OK);
	assert_int_equal(keys_start(&slot, 1, list, count, &keys), MST_OK);
	open_ca();
	assert_int_equal(sk_X509_num(ca_certs(ca, "")), 2);
	o = order("dev1");
	a = issue(&o);
	assert_int_equal(a.e, MST_OK);
	write_cacerts("");
	assert_verifies(a.der, "root", "cacerts");
	assert_int_equal(cert_parse(a.der, &x), MST_OK);
	own = ca_anchors(ca, &untrusted);
	assert_int_equal(chain_verify(own, x, untrusted, &now, 0, NULL), MST_OK);
	assert_int_equal(chain_verify(own, x, NULL, &now, 0, NULL), MST_OK);
	X509_free(x);
}

static void
slot_file_without_its_root_is_refused_P3(void **state)
{
	struct keys_slot slot = { .name = "ca", .purpose = KEYS_CA };
	struct ca *none;

	(void)state;
	close_ca();
	keys_stop(keys);
	assert_int_equal(tpki_run(NULL, "openssl x509 -in %s -out %s", tpki_path("sub", "pem"),
	                     tpki_path("subonly", "pem")),
	    0);
	slot.key_uri = tpki_path("sub", "key");
	slot.cert_path = tpki_path("subonly", "pem");
	assert_int_equal(keys_start(&slot, 1, NULL, 0, &keys), MST_OK);
	assert_int_equal(store_open(tpki_path("store", "db"), &store), MST_OK);
	assert_int_equal(ca_new(store, keys, &config, 1, &none), MST_E_X509_CHAIN);
	assert_non_null(strstr(ca_why(), "root"));
	store_close(store);
}

static void
rollover_cacerts_bridge_old_and_new_rfc7030_4_1_3(void **state)
{
	struct ca_config c = config;
	struct ca_order o;
	struct answer a;
	struct mst_clock now = clock_now();
	const STACK_OF(X509) *untrusted;
	const struct anchors *own;
	X509 *x, *old = tpki_cert("oldroot");
	mst_span pem;

	(void)state;
	c.old_slot = "old";
	reopen_with(&c);
	assert_int_equal(
	    sk_X509_num(ca_certs(ca, "")), 4); /* new, OldWithOld, OldWithNew, NewWithOld */
	o = order("dev1");
	a = issue(&o);
	assert_int_equal(a.e, MST_OK);
	write_cacerts("");
	assert_verifies(a.der, "root", NULL);
	/* Who knows only the old root gets there by NewWithOld. */
	assert_int_equal(cert_pem(arena, sk_X509_value(ca_certs(ca, ""), 3), &pem), MST_OK);
	tpki_write("nwo", "pem", pem);
	assert_verifies(a.der, "oldroot", "nwo");
	assert_int_equal(cert_der(arena, sk_X509_value(ca_certs(ca, ""), 2), &pem), MST_OK);
	assert_verifies(pem, "root", NULL); /* OldWithNew, for who knows only the new root */
	/* Both roots are anchors of what this site calls its own. */
	assert_int_equal(chain_verify(ca_anchors(ca, NULL), old, NULL, &now, 0, NULL), MST_OK);
	assert_int_equal(cert_parse(a.der, &x), MST_OK);
	own = ca_anchors(ca, &untrusted);
	assert_int_equal(chain_verify(own, x, untrusted, &now, 0, NULL), MST_OK);
	assert_int_equal(chain_verify(own, x, NULL, &now, 0, NULL), MST_OK);
	X509_free(x);
	X509_free(old);
}

static void
rollover_file_is_made_once_and_read_after(void **state)
{
	struct ca_config c = config;
	mst_span first;

	(void)state;
	c.old_slot = "old";
	c.rollover_path = arena_str(arena, mst_span_str(tpki_path("rollover", "pem")));
	reopen_with(&c);
	first = arena_dup(arena, ca_cacerts(ca, ""));
	c.old_slot = NULL; /* the old key may go, the bridges stay */
	reopen_with(&c);
	assert_true(mst_span_eq(first, ca_cacerts(ca, "")));
	assert_int_equal(tpki_run(NULL, "rm %s", tpki_path("rollover", "pem")), 0);
}

static void
rollover_file_of_other_roots_is_refused(void **state)
{
	struct ca_config c = config;
	struct ca *none;

	(void)state;
	c.rollover_path = arena_str(arena, mst_span_str(tpki_path("idevidca", "pem")));
	assert_int_equal(ca_new(store, keys, &c, 1, &none), MST_E_X509_CHAIN);
	c.rollover_path = arena_str(arena, mst_span_str(tpki_path("nosuch", "pem")));
	assert_int_equal(ca_new(store, keys, &c, 1, &none), MST_E_CONFIG_VALUE);
}

static void
configurations_that_cannot_be_are_refused(void **state)
{
	static const struct ca_profile twice[] = { { .name = "a", .seconds = 1 },
		{ .name = "a", .seconds = 1 } };
	static const struct ca_profile server[] = {
		{ .name = "a", .seconds = 1, .ekus = "1.3.6.1.5.5.7.3.1" }
	};
	static const struct ca_profile never[] = { { .name = "a" } };
	struct ca_config c[2] = { config, config };
	struct ca *none;

	(void)state;
	assert_int_equal(ca_new(store, keys, c, 2, &none), MST_E_CONFIG_VALUE); /* label twice */
	c[1].label = "b";
	assert_int_equal(ca_new(store, keys, c, 2, &none), MST_E_CONFIG_VALUE); /* slot twice */
	c[0].slot = "nosuch";
	assert_int_equal(ca_new(store, keys, c, 1, &none), MST_E_NOT_FOUND);
	c[0] = config;
	c[0].profiles = twice;
	c[0].profile_count = 2;
	assert_int_equal(ca_new(store, keys, c, 1, &none), MST_E_CONFIG_VALUE);
	c[0].profile_count = 1;
	c[0].profiles = server;
	assert_int_equal(ca_new(store, keys, c, 1, &none), MST_E_CONFIG_VALUE);
	c[0].profiles = never;
	assert_int_equal(ca_new(store, keys, c, 1, &none), MST_E_CONFIG_VALUE);
}

#define GOOD(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int
main(void)
{
	const struct CMUnitTest tests[] = {
		GOOD(first_CRL_is_signed_at_start_and_read_by_openssl),
		GOOD(revoked_certificate_is_on_the_CRL_when_done_is_called),
		GOOD(revocation_refusals_have_names),
		GOOD(revocation_holds_where_no_CRL_can_be_made),
		GOOD(many_revocations_at_once_are_all_on_the_CRL),
		GOOD(CRL_is_renewed_at_half_its_life_with_a_higher_number),
		GOOD(stored_CRL_is_shown_after_a_restart_and_numbers_go_on),
		GOOD(refresh_publishes_what_a_job_revoked_A4),
		GOOD(waiters_are_told_at_the_end),
		GOOD(refresh_without_a_CRL_loop_says_so),
		GOOD(start_publishes_what_was_revoked_after_the_CRL_A4),
		GOOD(CRL_that_fails_is_tried_again_after_a_minute),
		GOOD(cacerts_of_a_root_is_the_root_P1),
		GOOD(intermediate_CA_shows_its_root_and_issues_P3),
		GOOD(slot_file_without_its_root_is_refused_P3),
		GOOD(rollover_cacerts_bridge_old_and_new_rfc7030_4_1_3),
		GOOD(rollover_file_is_made_once_and_read_after),
		GOOD(rollover_file_of_other_roots_is_refused),
		GOOD(configurations_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
