/* SPDX-License-Identifier: Apache-2.0 */
/* The CA over a real store and a real key process: orders, repeats, crashes, CRLs, rollover. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>
#include <openssl/sha.h>

#include "host/clock.h"
#include "host/log.h"
#include "server/ca/ca.h"
#include "server/store/store_device.h"
#include "unit/keys/support_pki.h"

#define DAY INT64_C(86400)

/* --- a loop: libevent with posts, as server/net would lend it --- */

struct posted {
	struct posted *next;
	void (*fn)(void *);
	void *arg;
};
static struct {
	struct event_base *base;
	struct event *wake;
	pthread_mutex_t lock;
	struct posted *first, **last;
} loop = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
loop_post(void *post_arg, void (*fn)(void *), void *arg)
{
	struct posted *p = malloc(sizeof *p);

	(void)post_arg;
	*p = (struct posted){ NULL, fn, arg };
	pthread_mutex_lock(&loop.lock);
	*loop.last = p;
	loop.last = &p->next;
	pthread_mutex_unlock(&loop.lock);
	event_active(loop.wake, EV_TIMEOUT, 0);
}

static void
loop_run_posted(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	for (;;) {
		struct posted *p;

		pthread_mutex_lock(&loop.lock);
		if ((p = loop.first) != NULL && (loop.first = p->next) == NULL)
			loop.last = &loop.first;
		pthread_mutex_unlock(&loop.lock);
		if (p == NULL)
			return;
		p->fn(p->arg);
		free(p);
	}
}

struct timer {
	struct event *ev;
	void (*fn)(void *);
	void *arg;
};
static struct timer *timers[8]; /* those set and neither fired nor cancelled */
static long timer_ms;

static void
timer_gone(struct timer *t)
{
	for (size_t i = 0; i < 8; i++)
		if (timers[i] == t)
			timers[i] = NULL;
	free(t);
}

/* Timers do not run by themselves here: a test fires them. */
static void *
loop_after(void *post_arg, long ms, void (*fn)(void *), void *arg)
{
	struct timer *t = malloc(sizeof *t);

	(void)post_arg;
	*t = (struct timer){ NULL, fn, arg };
	timer_ms = ms;
	for (size_t i = 0; i < 8; i++)
		if (timers[i] == NULL) {
			timers[i] = t;
			return t;
		}
	abort();
}

static void
loop_cancel(void *handle)
{
	timer_gone(handle);
}

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

/* --- the world --- */

static const struct ca_profile profiles[] = {
	{ .name = "device", .seconds = 90 * DAY, .san = CA_SAN_DNS },
	{ .name = "nosan", .seconds = 30 * DAY, .ekus = "1.3.6.1.5.5.7.3.2 1.3.6.1.5.5.7.3.1" },
	{ .name = "endless", .seconds = 100000 * DAY },
};
static struct ca_config config;
static struct keys *keys;
static struct store *store;
static struct ca *ca;
static struct ca_loop *cal;
static struct arena *arena;
static const uint8_t san_dns[] = { 0x30, 0x05, 0x82, 0x03, 'd', 'e', 'v' };
static const uint8_t san_uri[] = { 0x30, 0x05, 0x86, 0x03, 'u', ':', 'x' };

static void
open_ca(void)
{
	struct ca_host host = { loop.base, loop_post, NULL, loop_after, loop_cancel };

	if (store_open(pki_path("store", "db"), &store) != MST_OK)
		fail_msg("store: %s", store_why());
	if (ca_new(store, keys, &config, 1, &ca) != MST_OK)
		fail_msg("ca: %s", ca_why());
	assert_int_equal(ca_loop_new(ca, &host, &cal), MST_OK);
}

static void
close_ca(void)
{
	ca_loop_free(cal);
	store_close(store);
	loop_run_posted(-1, 0, NULL);
	ca_free(ca);
	cal = NULL;
	store = NULL;
	ca = NULL;
}

static void
start_keys(void)
{
	struct keys_slot slots[3] = { { .name = "ca", .purpose = KEYS_CA }, { .name = "old", .purpose = KEYS_CA },
		{ .name = "sub", .purpose = KEYS_CA } };
	static const char *const files[] = { "root", "oldroot", "sub" };
	struct keys_profile *list;
	size_t count;

	for (size_t i = 0; i < 3; i++) {
		slots[i].key_uri = arena_str(arena, mst_span_str(pki_path(files[i], "key")));
		slots[i].cert_path = arena_str(arena, mst_span_str(pki_path(files[i], "pem")));
	}
	assert_int_equal(ca_keys_profiles(arena, &config, 1, &list, &count), MST_OK);
	if (keys_start(slots, 3, list, count, &keys) != MST_OK)
		fail_msg("keys: %s", keys_why());
}

static int
setup(void **state)
{
	(void)state;
	config = (struct ca_config){ .label = "", .slot = "ca", .crl_url = "http://ra.example/crl",
		.profiles = profiles, .profile_count = 3 };
	arena = arena_new(0);
	start_keys();
	loop.last = &loop.first;
	loop.base = event_base_new();
	loop.wake = event_new(loop.base, -1, EV_PERSIST, loop_run_posted, NULL);
	assert_int_equal(pki_run(NULL, "rm -f %s*", pki_path("store", "db")), 0);
	open_ca();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (ca != NULL)
		close_ca();
	keys_stop(keys);
	event_free(loop.wake);
	event_base_free(loop.base);
	arena_free(arena);
	clock_set(INT64_MIN);
	return 0;
}

static int
group_setup(void **state)
{
	(void)state;
	evthread_use_pthreads();
	log_open("test", LOG_JSON, LOG_ERROR_, 2);
	pki_usual();
	pki_make(&(struct pki_spec){ .name = "oldroot", .constraints = "critical,CA:TRUE",
	    .usage = "critical,keyCertSign,cRLSign", .from = -1000, .to = 400 });
	pki_make(&(struct pki_spec){ .name = "sub", .issuer = "root", .constraints = "critical,CA:TRUE",
	    .usage = "critical,keyCertSign,cRLSign", .pathlen_chain = 1 });
	return 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	pki_clean();
	return 0;
}

/* --- orders --- */

struct answer {
	int calls;
	mst_err e;
	mst_span der;
	struct cert_row row;
};

static void
on_issued(void *arg, mst_err e, mst_span der, const struct cert_row *row)
{
	struct answer *a = arg;

	a->calls++;
	a->e = e;
	if (e == MST_OK) {
		a->der = arena_dup(arena, der);
		a->row = *row;
		a->row.serial = arena_dup(arena, row->serial);
		assert_true(mst_span_eq(row->der, der));
	}
}

static void
wait_for(const int *calls, int want)
{
	for (int i = 0; *calls < want && i < 100000; i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
	assert_int_equal(*calls, want);
}

static struct ca_order
order(const char *name)
{
	uint8_t hash[32];

	SHA256((const uint8_t *)name, strlen(name), hash);
	return (struct ca_order){ .label = "", .profile = "device", .subject = arena_dup(arena, pki_name(name)),
		.spki = arena_dup(arena, pki_spki("P-256")), .san = mst_span_of(san_dns, sizeof san_dns),
		.order_key = arena_dup(arena, mst_span_of(hash, 32)), .identity = "test" };
}

static struct answer
issue(const struct ca_order *o)
{
	struct answer a = { 0 };

	ca_issue(cal, o, on_issued, &a);
	assert_int_equal(a.calls, 0); /* later, never at once */
	wait_for(&a.calls, 1);
	return a;
}

static void
assert_verifies(mst_span der, const char *root, const char *untrusted)
{
	const char *text;

	pki_write("out", "der", der);
	assert_int_equal(pki_run(NULL, "openssl x509 -inform DER -in %s -out %s", pki_path("out", "der"),
			     pki_path("out", "pem")), 0);
	if (pki_run(&text, "openssl verify -x509_strict -CAfile %s %s %s %s", pki_path(root, "pem"),
		untrusted != NULL ? "-untrusted" : "", untrusted != NULL ? pki_path(untrusted, "pem") : "",
		pki_path("out", "pem")) != 0)
		fail_msg("%s", text);
}

static void
order_is_issued_stored_and_verifies(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = issue(&o);
	struct cert_row row;

	(void)state;
	assert_int_equal(a.e, MST_OK);
	assert_verifies(a.der, "root", NULL);
	assert_int_equal(cert_by_serial(store_reader(store), arena, a.row.serial, &row), MST_OK);
	assert_int_equal(row.state, CERT_ISSUED);
	assert_true(mst_span_eq(row.der, a.der));
	assert_true(mst_span_eq(row.spki, o.spki));
	assert_string_equal(row.profile, "device");
}

static void
same_order_gets_the_same_certificate_C5(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = issue(&o), b = issue(&o);

	(void)state;
	assert_int_equal(b.e, MST_OK);
	assert_true(mst_span_eq(a.der, b.der));
}

static void
same_order_gets_the_same_certificate_after_a_restart_C5(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = issue(&o), b;

	(void)state;
	close_ca();
	open_ca();
	b = issue(&o);
	assert_true(mst_span_eq(a.der, b.der));
}

static void
orders_in_flight_share_one_run_C5(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a[10] = { 0 };
	struct cert_row *rows;
	size_t count;

	(void)state;
	for (int i = 0; i < 10; i++)
		ca_issue(cal, &o, on_issued, &a[i]);
	for (int i = 0; i < 10; i++) {
		wait_for(&a[i].calls, 1);
		assert_int_equal(a[i].e, MST_OK);
		assert_true(mst_span_eq(a[i].der, a[0].der));
	}
	assert_int_equal(cert_rows(store_reader(store), arena, 0, 0, 100, &rows, &count), MST_OK);
	assert_int_equal(count, 1);
}

static void
same_order_on_two_loops_is_one_certificate_C5(void **state)
{
	struct ca_host host = { loop.base, loop_post, NULL, loop_after, loop_cancel };
	struct ca_order o = order("dev1");
	struct answer a = { 0 }, b = { 0 };
	struct ca_loop *other;

	(void)state;
	assert_int_equal(ca_loop_new(ca, &host, &other), MST_OK);
	ca_issue(cal, &o, on_issued, &a);
	ca_issue(other, &o, on_issued, &b);
	wait_for(&a.calls, 1);
	wait_for(&b.calls, 1);
	assert_int_equal(a.e, MST_OK);
	assert_int_equal(b.e, MST_OK);
	assert_true(mst_span_eq(a.der, b.der));
	ca_loop_free(other);
}

/* A crash between ORDERED and the signature leaves such a row. */
static uint8_t crash_serial[16] = { 0x55, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

static mst_err
insert_ordered(struct db *db, void *arg)
{
	const struct ca_order *o = arg;
	uint8_t hash[32];
	struct cert_row row = { .serial = { crash_serial, 16 }, .profile = "device", .ca = "",
		.subject = o->subject, .san = o->san, .spki = o->spki, .order_key = o->order_key,
		.identity = o->identity, .not_before = clock_wall() - 100, .not_after = clock_wall() + 5000,
		.ordered_at = clock_wall(), .revoke_reason = -1 };

	SHA256(o->spki.ptr, o->spki.len, hash);
	row.spki_sha256 = mst_span_of(hash, 32);
	return cert_order(db, &row);
}

static void
crash_between_ordered_and_issued_is_continued_D21(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a;
	struct cert_row row;
	int64_t end;

	(void)state;
	assert_int_equal(store_write_wait(store, insert_ordered, &o), MST_OK);
	assert_int_equal(cert_by_order(store_reader(store), arena, o.order_key, &row), MST_OK);
	end = row.not_after;
	a = issue(&o);
	assert_int_equal(a.e, MST_OK);
	assert_true(mst_span_eq(a.row.serial, mst_span_of(crash_serial, 16)));
	assert_int_equal(a.row.not_after, end);
	assert_verifies(a.der, "root", NULL);
	assert_int_equal(cert_by_order(store_reader(store), arena, o.order_key, &row), MST_OK);
	assert_int_equal(row.state, CERT_ISSUED);
}

static void
expired_certificate_makes_a_repeat_a_new_order(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = issue(&o), b;

	(void)state;
	clock_set(clock_wall() + 100 * DAY);
	b = issue(&o);
	assert_int_equal(b.e, MST_OK);
	assert_false(mst_span_eq(a.row.serial, b.row.serial));
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static void
thousand_orders_have_thousand_serials(void **state)
{
	static struct answer a[1000];
	static uint8_t serials[1000][16];
	struct ca_order o = order("dev");
	char name[32];

	(void)state;
	memset(a, 0, sizeof a);
	for (int i = 0; i < 1000; i++) {
		uint8_t hash[32];

		snprintf(name, sizeof name, "dev-%d", i);
		SHA256((const uint8_t *)name, strlen(name), hash);
		o.order_key = mst_span_of(hash, 32);
		ca_issue(cal, &o, on_issued, &a[i]);
	}
	for (int i = 0; i < 1000; i++) {
		wait_for(&a[i].calls, 1);
		assert_int_equal(a[i].e, MST_OK);
		assert_int_equal(a[i].row.serial.len, 16);
		memcpy(serials[i], a[i].row.serial.ptr, 16);
	}
	qsort(serials, 1000, 16, by_bytes);
	for (int i = 1; i < 1000; i++)
		assert_memory_not_equal(serials[i - 1], serials[i], 16);
}

static void
lifetime_is_the_profiles_or_the_shorter_one_asked_for(void **state)
{
	struct ca_order o = order("dev1"), p = order("dev2");
	struct answer a = issue(&o), b;

	(void)state;
	assert_int_equal(a.row.not_after - a.row.not_before, 90 * DAY);
	p.seconds = 3600;
	b = issue(&p);
	assert_int_equal(b.row.not_after - b.row.not_before, 3600);
	p = order("dev3");
	p.seconds = 900 * DAY;
	b = issue(&p);
	assert_int_equal(b.row.not_after - b.row.not_before, 90 * DAY);
}

static void
certificate_ends_with_its_issuer(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a;
	X509 *x, *root = pki_cert("root");

	(void)state;
	o.profile = "endless";
	o.san = MST_NONE;
	a = issue(&o);
	assert_int_equal(a.e, MST_OK);
	assert_int_equal(cert_parse(a.der, &x), MST_OK);
	assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(x), X509_get0_notAfter(root)), 0);
	X509_free(x);
	X509_free(root);
}

static mst_err
also_fails(struct db *db, const struct cert_row *row, void *arg)
{
	(void)db;
	assert_int_equal(row->state, CERT_ISSUED);
	++*(int *)arg;
	return MST_E_CONFLICT;
}

static void
rows_that_belong_to_it_are_in_the_same_transaction(void **state)
{
	struct ca_order o = order("dev1");
	struct cert_row row;
	struct answer a;
	int calls = 0;

	(void)state;
	o.also = also_fails;
	o.also_arg = &calls;
	a = issue(&o);
	assert_int_equal(a.e, MST_E_CONFLICT);
	assert_int_equal(calls, 1);
	assert_int_equal(cert_by_order(store_reader(store), arena, o.order_key, &row), MST_OK);
	assert_int_equal(row.state, CERT_ORDERED); /* undone with it */
	o.also = NULL;
	a = issue(&o);
	assert_int_equal(a.e, MST_OK);
	assert_true(mst_span_eq(a.row.serial, row.serial));
}

/* --- refusals --- */

struct row {
	void (*change)(struct ca_order *);
	mst_err want;
};
#define CHANGE(fn) static void fn(struct ca_order *o)
CHANGE(label_unknown) { o->label = "nosuch"; }
CHANGE(profile_unknown) { o->profile = "nosuch"; }
CHANGE(san_of_kind_not_allowed) { o->san = mst_span_of(san_uri, sizeof san_uri); }
CHANGE(san_where_none_is_allowed) { o->profile = "nosan"; }
CHANGE(san_garbage) { o->san = MST_LIT("\x30\x05xx"); }
CHANGE(key_weak) { o->spki = arena_dup(arena, pki_spki("P-224")); }
CHANGE(key_garbage) { o->spki = MST_LIT("0"); }
CHANGE(subject_garbage) { o->subject = MST_LIT("\x30\x01"); }
CHANGE(subject_absent) { o->subject = MST_NONE; }

static void
refused(void **state)
{
	const struct row *r = *state;
	struct ca_order o;
	struct answer a;

	setup(NULL);
	o = order("dev1");
	r->change(&o);
	a = issue(&o);
	if (a.e != r->want)
		fail_msg("%s, wanted %s", mst_err_info(a.e)->name, mst_err_info(r->want)->name);
	o = order("dev2");
	a = issue(&o);
	assert_int_equal(a.e, MST_OK);
	teardown(NULL);
}

static void
key_certified_for_another_is_refused_EST_2(void **state)
{
	struct ca_order o = order("dev1"), p = order("dev2");
	struct answer a = issue(&o);

	(void)state;
	assert_int_equal(a.e, MST_OK);
	p.spki = o.spki;
	p.identity = "someone else";
	a = issue(&p);
	assert_int_equal(a.e, MST_E_CSR_KEY_REUSED);
}

static void
dead_key_process_is_said_and_order_is_kept(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a;
	struct cert_row row;

	(void)state;
	kill(keys_pid(keys), SIGKILL);
	a = issue(&o);
	assert_int_equal(a.e, MST_E_KEY_GONE);
	assert_int_equal(cert_by_order(store_reader(store), arena, o.order_key, &row), MST_OK);
	assert_int_equal(row.state, CERT_ORDERED);
	close_ca(); /* the daemon ends and is started again */
	keys_stop(keys);
	start_keys();
	open_ca();
	a = issue(&o);
	assert_int_equal(a.e, MST_OK);
	assert_true(mst_span_eq(a.row.serial, row.serial));
}

static void
closing_under_way_ends_orders_with_an_error(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = { 0 };

	(void)state;
	ca_issue(cal, &o, on_issued, &a);
	close_ca();
	assert_int_equal(a.calls, 1);
	assert_int_not_equal(a.e, MST_OK);
}

/* --- CRLs --- */

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
		event_base_loop(loop.base, EVLOOP_ONCE);
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
	pki_write("out", "crl", crl());
	assert_int_equal(pki_run(&text, "openssl crl -inform DER -in %s -noout -text -CAfile %s",
			     pki_path("out", "crl"), pki_path("root", "pem")), 0);
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
	pki_write("out", "crl", crl());
	pki_run(NULL, "openssl crl -inform DER -in %s -out %s && cat %s >> %s", pki_path("out", "crl"),
	    pki_path("crl", "pem"), pki_path("root", "pem"), pki_path("crl", "pem"));
	assert_int_not_equal(pki_run(&text, "openssl verify -crl_check -CAfile %s %s", pki_path("crl", "pem"),
				 pki_path("out", "pem")), 0);
	assert_non_null(strstr(text, "certificate revoked"));
	assert_int_equal(issue(&o).e, MST_E_X509_REVOKED); /* and its order gives nothing any more */
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
		event_base_loop(loop.base, EVLOOP_ONCE);
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

static void
CRL_that_fails_is_tried_again_after_a_minute(void **state)
{
	(void)state;
	kill(keys_pid(keys), SIGKILL);
	timer_ms = 0;
	ca_crl_start(cal);
	for (int i = 0; timer_ms == 0 && i < 1000; i++)
		event_base_loop(loop.base, EVLOOP_ONCE);
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
	pki_write("cacerts", "p7", ca_cacerts(ca, label));
	assert_int_equal(pki_run(NULL, "openssl pkcs7 -inform DER -in %s -print_certs -out %s",
			     pki_path("cacerts", "p7"), pki_path("cacerts", "pem")), 0);
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
	slot.key_uri = pki_path("sub", "key");
	slot.cert_path = pki_path("sub", "pem");
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
	assert_int_equal(pki_run(NULL, "openssl x509 -in %s -out %s", pki_path("sub", "pem"),
			     pki_path("subonly", "pem")), 0);
	slot.key_uri = pki_path("sub", "key");
	slot.cert_path = pki_path("subonly", "pem");
	assert_int_equal(keys_start(&slot, 1, NULL, 0, &keys), MST_OK);
	assert_int_equal(store_open(pki_path("store", "db"), &store), MST_OK);
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
	X509 *x, *old = pki_cert("oldroot");
	mst_span pem;

	(void)state;
	c.old_slot = "old";
	reopen_with(&c);
	assert_int_equal(sk_X509_num(ca_certs(ca, "")), 4); /* new, OldWithOld, OldWithNew, NewWithOld */
	o = order("dev1");
	a = issue(&o);
	assert_int_equal(a.e, MST_OK);
	write_cacerts("");
	assert_verifies(a.der, "root", NULL);
	/* Who knows only the old root gets there by NewWithOld. */
	assert_int_equal(cert_pem(arena, sk_X509_value(ca_certs(ca, ""), 3), &pem), MST_OK);
	pki_write("nwo", "pem", pem);
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
	c.rollover_path = arena_str(arena, mst_span_str(pki_path("rollover", "pem")));
	reopen_with(&c);
	first = arena_dup(arena, ca_cacerts(ca, ""));
	c.old_slot = NULL; /* the old key may go, the bridges stay */
	reopen_with(&c);
	assert_true(mst_span_eq(first, ca_cacerts(ca, "")));
	assert_int_equal(pki_run(NULL, "rm %s", pki_path("rollover", "pem")), 0);
}

static void
rollover_file_of_other_roots_is_refused(void **state)
{
	struct ca_config c = config;
	struct ca *none;

	(void)state;
	c.rollover_path = arena_str(arena, mst_span_str(pki_path("idevidca", "pem")));
	assert_int_equal(ca_new(store, keys, &c, 1, &none), MST_E_X509_CHAIN);
	c.rollover_path = arena_str(arena, mst_span_str(pki_path("nosuch", "pem")));
	assert_int_equal(ca_new(store, keys, &c, 1, &none), MST_E_CONFIG_VALUE);
}

static void
configurations_that_cannot_be_are_refused(void **state)
{
	static const struct ca_profile twice[] = { { .name = "a", .seconds = 1 }, { .name = "a", .seconds = 1 } };
	static const struct ca_profile server[] = { { .name = "a", .seconds = 1, .ekus = "1.3.6.1.5.5.7.3.1" } };
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
#define ROW(fn, err) { "refused: " #fn " -> " #err, refused, NULL, NULL, &(struct row){ fn, MST_E_##err } }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		GOOD(order_is_issued_stored_and_verifies),
		GOOD(same_order_gets_the_same_certificate_C5),
		GOOD(same_order_gets_the_same_certificate_after_a_restart_C5),
		GOOD(orders_in_flight_share_one_run_C5),
		GOOD(same_order_on_two_loops_is_one_certificate_C5),
		GOOD(crash_between_ordered_and_issued_is_continued_D21),
		GOOD(expired_certificate_makes_a_repeat_a_new_order),
		GOOD(thousand_orders_have_thousand_serials),
		GOOD(lifetime_is_the_profiles_or_the_shorter_one_asked_for),
		GOOD(certificate_ends_with_its_issuer),
		GOOD(rows_that_belong_to_it_are_in_the_same_transaction),
		ROW(label_unknown, EST_LABEL),
		ROW(profile_unknown, CA_PROFILE),
		ROW(san_of_kind_not_allowed, CSR_SAN),
		ROW(san_where_none_is_allowed, CSR_SAN),
		ROW(san_garbage, CSR_SAN),
		ROW(key_weak, CSR_KEY),
		ROW(key_garbage, CSR_KEY),
		ROW(subject_garbage, CSR_SUBJECT),
		ROW(subject_absent, CSR_SUBJECT),
		GOOD(key_certified_for_another_is_refused_EST_2),
		GOOD(dead_key_process_is_said_and_order_is_kept),
		GOOD(closing_under_way_ends_orders_with_an_error),
		GOOD(first_CRL_is_signed_at_start_and_read_by_openssl),
		GOOD(revoked_certificate_is_on_the_CRL_when_done_is_called),
		GOOD(revocation_refusals_have_names),
		GOOD(revocation_holds_where_no_CRL_can_be_made),
		GOOD(many_revocations_at_once_are_all_on_the_CRL),
		GOOD(CRL_is_renewed_at_half_its_life_with_a_higher_number),
		GOOD(stored_CRL_is_shown_after_a_restart_and_numbers_go_on),
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
