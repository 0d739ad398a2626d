/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs of the pledge engine in which something is broken on purpose. In every
 * one of them the device ends enrolled or factory-fresh, never both; it never
 * takes a voucher that is not its own; and once the network is honest again,
 * it enrols.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "unit/pledge/support_world.h"

#define STEPS 20000
#define SEEDS 2000

static const enum peer_kind one_honest[] = { PEER_HONEST };

static struct world w;

/* Every run is made three times: cacerts before the CSR, not at all, and after the certificate. */
enum flavour { FULL, SHORT, LONG, FLAVOURS };
static enum flavour flavour;

/* A device of that flavour; otherwise as world_init. */
static void
begin(const enum peer_kind *peers, unsigned count)
{
	world_init(&w, peers, count);
	w.constrained = flavour != FULL;
	w.pin_ra = flavour == LONG;
}

static void
must_hold(const char *what, unsigned k)
{
	if (w.bad != 0)
		fail_msg("%s %u: %s", what, k, w.bad_why);
}

/* Enrolled, reported, by the site's CA, and flash agrees. */
static void
must_be_enrolled(const char *what, unsigned k)
{
	struct fake_cert c;

	must_hold(what, k);
	if (!w.done || !w.flash.enrolled)
		fail_msg("%s %u: not enrolled, state %s, because %d", what, k,
		    mst_pledge_state_name(w.p.state), w.because);
	assert_int_equal(
	    fake_cert_parse(mst_span_of(w.flash.ldevid, w.flash.ldevid_len), &c), MST_OK);
	assert_int_equal(c.issuer, KEY_SITE_CA);
	assert_int_equal(c.key, w.flash.key);
	if (w.chaos != 0)
		return; /* there a report may be damaged, or its answer another's */
	assert_true(w.reports_good > 0);
	assert_true(w.reported_as_ldevid);
}

static void
enrolled_world(void)
{
	begin(one_honest, 1);
	world_boot(&w);
	assert_true(world_run(&w, STEPS));
}

static void
good_bootstrap(void **state)
{
	(void)state;
	enrolled_world();
	must_be_enrolled("good", 0);
	assert_int_equal(w.connects[MST_IDENTITY_IDEVID], 1);
	assert_int_equal(w.connects[MST_IDENTITY_LDEVID], 1);
	assert_int_equal(w.keeps, 1);
	assert_int_equal(w.sent[MST_RES_REQUESTVOUCHER], 1);
	assert_int_equal(w.sent[MST_RES_VOUCHER_STATUS], 1);
	assert_int_equal(w.sent[MST_RES_CACERTS], flavour != SHORT);
	assert_int_equal(w.sent[MST_RES_CSRATTRS], flavour == FULL);
	assert_int_equal(w.sent[MST_RES_SIMPLEENROLL], 1);
	assert_int_equal(w.sent[MST_RES_ENROLLSTATUS], 1);
	assert_int_equal(w.sent[MST_RES_SIMPLEREENROLL], 0);
	printf("good path: %u messages, %u actions, %u crypto calls\n", w.messages, w.actions,
	    w.fake.calls);
}

static void
good_renewal(void **state)
{
	uint32_t before;

	(void)state;
	enrolled_world();
	before = w.flash.key;
	w.renew_due = true;
	world_boot(&w);
	assert_true(world_run(&w, STEPS));
	must_be_enrolled("renewal", 0);
	assert_int_not_equal(w.flash.key, before);
	assert_int_equal(w.sent[MST_RES_SIMPLEREENROLL], 1);
	assert_int_equal(w.sent[MST_RES_REQUESTVOUCHER], 1); /* the bootstrap's own */
	assert_int_equal(w.connects[MST_IDENTITY_IDEVID], 1);
	assert_int_equal(w.connects[MST_IDENTITY_LDEVID], 3);
}

static void
good_report(void **state)
{
	(void)state;
	enrolled_world();
	w.reports_good = 0;
	world_boot(&w);
	assert_true(world_run(&w, STEPS));
	must_be_enrolled("report", 0);
	assert_int_equal(w.reports_good, 1);
	assert_int_equal(w.sent[MST_RES_REQUESTVOUCHER], 1);
	assert_int_equal(w.keeps, 1);
}

/* Cut at message k = 1, 2, 3 ... until a run is over before its cut. */
static void
cut_at_every_message(void **state)
{
	unsigned k;

	(void)state;
	for (k = 1;; k++) {
		begin(one_honest, 1);
		w.cut_at = k;
		world_boot(&w);
		world_run(&w, STEPS);
		must_be_enrolled("cut", k);
		if (w.messages < k)
			break;
	}
	assert_true(k > (flavour == FULL ? 12 : 8));
	printf("cut at each of %u messages of a bootstrap: all enrolled\n", k - 1);
}

static void
cut_at_every_message_behind_202(void **state)
{
	unsigned k;

	(void)state;
	for (k = 1;; k++) {
		begin(one_honest, 1);
		w.voucher_202 = 3;
		w.enroll_202 = 3;
		w.cut_at = k;
		world_boot(&w);
		world_run(&w, STEPS);
		must_be_enrolled("cut behind 202", k);
		if (w.messages < k)
			break;
	}
	assert_true(k > (flavour == FULL ? 24 : 18));
	printf("cut at each of %u messages of a bootstrap with six 202: all enrolled\n", k - 1);
}

static void
cut_at_every_message_of_a_renewal(void **state)
{
	unsigned k;

	(void)state;
	for (k = 1;; k++) {
		enrolled_world();
		w.renew_due = true;
		w.messages = 0;
		w.cut_at = k;
		world_boot(&w);
		world_run(&w, STEPS);
		must_be_enrolled("renewal cut", k);
		assert_int_equal(w.sent[MST_RES_REQUESTVOUCHER], 1);
		if (w.messages < k)
			break;
	}
	assert_true(k > (flavour == FULL ? 10 : 6));
	printf("cut at each of %u messages of a renewal: all renewed\n", k - 1);
}

static void
fail_every_crypto_call(void **state)
{
	static const mst_err with[] = { MST_E_INTERNAL, MST_E_SPACE, MST_E_RANDOM, MST_E_KEY_SIGN };
	unsigned n, runs = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
		for (n = 1;; n++, runs++) {
			begin(one_honest, 1);
			w.fake.fail_at = n;
			w.fake.fail_with = with[i];
			world_boot(&w);
			world_run(&w, STEPS);
			must_be_enrolled("crypto call", n);
			if (w.fake.calls < n)
				break;
		}
		assert_true(n > 8);
	}
	printf("%u runs with one failing crypto call: all enrolled\n", runs);
}

static void
fail_every_crypto_call_of_a_renewal(void **state)
{
	unsigned n;

	(void)state;
	for (n = 1;; n++) {
		struct flash before;

		enrolled_world();
		before = w.flash;
		w.renew_due = true;
		w.fake.calls = 0;
		w.fake.fail_at = n;
		world_boot(&w);
		world_run(&w, STEPS);
		must_be_enrolled("crypto call of a renewal", n);
		assert_int_not_equal(w.flash.key, before.key);
		assert_int_equal(w.sent[MST_RES_REQUESTVOUCHER], 1);
		if (w.fake.calls < n)
			break;
	}
	assert_true(n > 4);
	printf("each of %u crypto calls of a renewal failed once: all renewed\n", n - 1);
}

static void
power_cut_at_every_action(void **state)
{
	unsigned n, runs = 0;

	(void)state;
	for (unsigned after = 0; after < 2; after++) {
		for (n = 1;; n++, runs++) {
			begin(one_honest, 1);
			w.voucher_202 = w.enroll_202 = 1;
			if (after)
				w.power_after = n;
			else
				w.power_at = n;
			world_boot(&w);
			world_run(&w, STEPS);
			must_be_enrolled(after ? "power after action" : "power before action", n);
			if (w.actions < n)
				break;
			/* before KEEP: afresh; after KEEP: only the report is left */
			assert_int_equal(w.boots, 2);
		}
		assert_true(n > (flavour == FULL ? 13 : 11));
	}
	printf("%u runs with a power cut before or after an action: all enrolled\n", runs);
}

static void
power_cut_at_every_action_of_a_renewal(void **state)
{
	unsigned n;

	(void)state;
	for (n = 1;; n++) {
		struct flash before;

		enrolled_world();
		before = w.flash;
		w.renew_due = true;
		w.actions = 0;
		w.power_at = n;
		world_boot(&w);
		while (!w.done && w.boots < 3)
			world_step(&w);
		assert_true(w.flash.key == before.key || w.keeps == 2);
		world_run(&w, STEPS);
		must_be_enrolled("renewal power cut", n);
		if (w.actions < n)
			break;
	}
	assert_true(n > (flavour == FULL ? 10 : 8));
}

static void
impostors_alone_never_win(void **state)
{
	(void)state;
	for (unsigned k = PEER_SILENT; k < PEER_KINDS; k++) {
		enum peer_kind only[] = { (enum peer_kind)k };

		begin(only, 1);
		world_boot(&w);
		assert_false(world_run(&w, 500));
		must_hold("impostor", k);
		assert_false(w.flash.enrolled);
		assert_int_equal(w.keeps, 0);
	}
}

static void
impostors_do_not_keep_the_honest_away(void **state)
{
	(void)state;
	for (unsigned k = PEER_SILENT; k < PEER_KINDS; k++) {
		enum peer_kind mixed[] = { (enum peer_kind)k, (enum peer_kind)k, PEER_HONEST };

		begin(mixed, 3);
		world_boot(&w);
		world_run(&w, STEPS);
		must_be_enrolled("beside impostor", k);
		assert_true(w.mono < 3600); /* not after four days behind a 202 */
	}
}

/* One registrar that takes 29 seconds, or many ways to one that takes six: it must not be dropped
 * after five for ever. */
static void
slow_registrars_are_joined(void **state)
{
	static const enum peer_kind many[8] = { PEER_HONEST };

	(void)state;
	for (unsigned count = 1; count <= 8; count++) {
		begin(many, count);
		w.slow = count == 1 ? 29 : 6;
		world_boot(&w);
		world_run(&w, STEPS);
		must_be_enrolled("slow registrars", count);
		assert_true(w.mono < 900);
	}
}

/* Loss, damage, duplicates, lies, flapping peers, 202 and power cuts by seed. */
static void
chaos_by_seed(void **state)
{
	unsigned long messages = 0, boots = 0, keeps = 0, vouchers = 0;

	(void)state;
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		enum peer_kind peers[4] = { PEER_HONEST };

		begin(peers, 1);
		w.rng = seed * 0x9e3779b97f4a7c15u;
		w.peers = 1 + (unsigned)(world_random(&w) % 4);
		for (unsigned i = 0; i < w.peers; i++)
			w.peer[i] = (enum peer_kind)(world_random(&w) % PEER_KINDS);
		w.peer[world_random(&w) % w.peers] = PEER_HONEST;
		w.voucher_202 = (unsigned)(world_random(&w) % 3);
		w.enroll_202 = (unsigned)(world_random(&w) % 3);
		w.clock.trust = (enum mst_clock_trust)(world_random(&w) % 3);
		w.chaos = 50 + (unsigned)(world_random(&w) % 400);
		w.chaos_left = 300;
		w.power_at = (unsigned)(world_random(&w) % 60);
		w.power_after = (unsigned)(world_random(&w) % 60);
		w.fake.fail_at = (unsigned)(world_random(&w) % 40);
		w.fake.random = seed;
		world_boot(&w);
		world_run(&w, STEPS);
		must_be_enrolled("seed", seed);
		if (seed % 4 == 0) {
			w.renew_due = true;
			w.chaos_left = 100;
			world_boot(&w);
			world_run(&w, STEPS);
			must_be_enrolled("renewal of seed", seed);
		}
		messages += w.messages;
		boots += w.boots;
		keeps += w.keeps;
		vouchers += w.sent[MST_RES_REQUESTVOUCHER];
	}
	printf("%d seeds: %lu messages, %lu voucher-requests, %lu boots, %lu certificates kept, "
	       "0 breaches\n",
	    SEEDS, messages, vouchers, boots, keeps);
}

/* cV 6.7.4: a site that has changed its CA since; the anchors follow the certificate. */
static void
renewal_into_a_new_ca(void **state)
{
	unsigned k;

	(void)state;
	for (k = 1;; k++) {
		enrolled_world();
		w.new_ca = true;
		w.renew_due = true;
		w.messages = 0;
		w.cut_at = k;
		world_boot(&w);
		/* the registrar itself is still of the old CA, so only the renewal is looked at */
		while (!w.done && w.keeps < 2 && w.mono < 100000)
			world_step(&w);
		must_hold("renewal into a new CA", k);
		assert_int_equal(w.keeps, 2);
		assert_int_equal(w.flash.anchors_len, FAKE_CERT_LEN);
		assert_true(w.sent[MST_RES_CACERTS] > (flavour == SHORT ? 0 : 1));
		if (w.messages < k)
			break;
	}
}

#define RUNS 15

int
main(void)
{
	static const char *const flavours[] = { "full", "constrained 13.3-3 no crts",
		"constrained 13.3-4 crts" };
#define R(f)                                                                                       \
	{                                                                                          \
#f, f, NULL, NULL, NULL                                                            \
	}
	static const struct CMUnitTest runs[RUNS] = { R(good_bootstrap), R(good_renewal),
		R(good_report), R(cut_at_every_message), R(cut_at_every_message_behind_202),
		R(cut_at_every_message_of_a_renewal), R(fail_every_crypto_call),
		R(fail_every_crypto_call_of_a_renewal), R(power_cut_at_every_action),
		R(power_cut_at_every_action_of_a_renewal), R(impostors_alone_never_win),
		R(impostors_do_not_keep_the_honest_away), R(slow_registrars_are_joined),
		R(chaos_by_seed), R(renewal_into_a_new_ca) };
	static char names[FLAVOURS][RUNS][96];
	struct CMUnitTest tests[RUNS];
	int failed = 0;

	for (flavour = FULL; flavour < FLAVOURS; flavour++) {
		for (size_t i = 0; i < RUNS; i++) {
			tests[i] = runs[i];
			(void)snprintf(names[flavour][i], sizeof names[flavour][i], "%s: %s",
			    flavours[flavour], runs[i].name);
			tests[i].name = names[flavour][i];
		}
		printf("profile: %s\n", flavours[flavour]);
		failed += cmocka_run_group_tests_name("sim_pledge", tests, NULL, NULL);
	}
	return failed;
}
