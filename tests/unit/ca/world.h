/* SPDX-License-Identifier: Apache-2.0 */
/* The world of this room's tests: a loop, a key process, a store and a CA over them. One per
 * program. */
#ifndef TEST_UNIT_CA_WORLD_H
#define TEST_UNIT_CA_WORLD_H

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

/* Once round; libevent does not wait when nothing but a post can come. */
static void
turn(void)
{
	if (event_base_loop(loop.base, EVLOOP_ONCE) == 1)
		usleep(1000);
}

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

static void
open_ca(void)
{
	struct ca_host host = { loop.base, loop_post, NULL, loop_after, loop_cancel };

	if (store_open(tpki_path("store", "db"), &store) != MST_OK)
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
	struct keys_slot slots[3] = { { .name = "ca", .purpose = KEYS_CA },
		{ .name = "old", .purpose = KEYS_CA }, { .name = "sub", .purpose = KEYS_CA } };
	static const char *const files[] = { "root", "oldroot", "sub" };
	struct keys_profile *list;
	size_t count;

	for (size_t i = 0; i < 3; i++) {
		slots[i].key_uri = arena_str(arena, mst_span_str(tpki_path(files[i], "key")));
		slots[i].cert_path = arena_str(arena, mst_span_str(tpki_path(files[i], "pem")));
	}
	assert_int_equal(ca_keys_profiles(arena, &config, 1, &list, &count), MST_OK);
	if (keys_start(slots, 3, list, count, &keys) != MST_OK)
		fail_msg("keys: %s", keys_why());
}

static int
setup(void **state)
{
	(void)state;
	config = (struct ca_config){ .label = "",
		.slot = "ca",
		.crl_url = "http://ra.example/crl",
		.profiles = profiles,
		.profile_count = 3 };
	arena = arena_new(0);
	start_keys();
	loop.last = &loop.first;
	loop.base = event_base_new();
	loop.wake = event_new(loop.base, -1, EV_PERSIST, loop_run_posted, NULL);
	assert_int_equal(tpki_run(NULL, "rm -f %s*", tpki_path("store", "db")), 0);
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
	tpki_usual();
	tpki_make(&(struct tpki_spec){ .name = "oldroot",
	    .constraints = "critical,CA:TRUE",
	    .usage = "critical,keyCertSign,cRLSign",
	    .from = -1000,
	    .to = 400 });
	tpki_make(&(struct tpki_spec){ .name = "sub",
	    .issuer = "root",
	    .constraints = "critical,CA:TRUE",
	    .usage = "critical,keyCertSign,cRLSign",
	    .pathlen_chain = 1 });
	return 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	tpki_clean();
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
		turn();
	assert_int_equal(*calls, want);
}

static struct ca_order
order(const char *name)
{
	uint8_t hash[32];

	SHA256((const uint8_t *)name, strlen(name), hash);
	return (struct ca_order){ .label = "",
		.profile = "device",
		.subject = arena_dup(arena, tpki_name(name)),
		.spki = arena_dup(arena, tpki_spki("P-256")),
		.san = mst_span_of(san_dns, sizeof san_dns),
		.order_key = arena_dup(arena, mst_span_of(hash, 32)),
		.identity = "test" };
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

	tpki_write("out", "der", der);
	assert_int_equal(tpki_run(NULL, "openssl x509 -inform DER -in %s -out %s",
	                     tpki_path("out", "der"), tpki_path("out", "pem")),
	    0);
	if (tpki_run(&text, "openssl verify -x509_strict -CAfile %s %s %s %s",
	        tpki_path(root, "pem"), untrusted != NULL ? "-untrusted" : "",
	        untrusted != NULL ? tpki_path(untrusted, "pem") : "", tpki_path("out", "pem")) != 0)
		fail_msg("%s", text);
}

#endif
