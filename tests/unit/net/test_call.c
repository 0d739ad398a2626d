/* SPDX-License-Identifier: Apache-2.0 */
/* Calls from a loop to a server that is good, slow, wrong or not there. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include "tests/unit/net/support_net.h"

static struct world w;
static struct anchors *good, *wrong;

static struct anchors *
anchors_with(X509 *cert)
{
	struct arena *a = arena_new(0);
	struct anchors *t;

	assert_int_equal(anchors_new(pki_pem(a, cert), MST_NONE, &t), MST_OK);
	arena_free(a);
	return t;
}

static int
start(void **state)
{
	(void)state;
	good = anchors_with(pki()->ca);
	wrong = anchors_with(pki()->other_ca);
	world_start(&w, NULL, 1, WORLD_CN_TOO);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	world_stop(&w);
	anchors_free(good);
	anchors_free(wrong);
	return 0;
}

/* --- one call from the test's thread, and its answer --- */

struct result {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct net_call call;
	bool started_inside; /* done came before net_call_start returned */
	bool inside;
	int done;
	mst_err err;
	int status;
	int64_t retry_after;
	char type[64], location[64], why[256], body[4096];
	size_t len;
};

static void
keep(void *arg, const struct net_answer *a)
{
	struct result *r = arg;

	pthread_mutex_lock(&r->lock);
	r->started_inside = r->inside;
	r->err = a->err;
	r->status = a->status;
	r->retry_after = a->retry_after;
	snprintf(r->type, sizeof r->type, "%s", a->content_type != NULL ? a->content_type : "");
	snprintf(r->location, sizeof r->location, "%s", a->location != NULL ? a->location : "");
	snprintf(r->why, sizeof r->why, "%s", a->why != NULL ? a->why : "");
	r->len = a->body.len;
	if (a->body.len > 0 && a->body.len < sizeof r->body)
		memcpy(r->body, a->body.ptr, a->body.len);
	r->done++;
	pthread_cond_signal(&r->cond);
	pthread_mutex_unlock(&r->lock);
}

static void
begin(void *arg)
{
	struct result *r = arg;

	r->inside = true;
	net_call_start(net_loop_at(w.net, 0), &r->call, keep, r);
	r->inside = false;
}

static void
call_start(struct result *r, const struct net_call *call)
{
	memset(r, 0, sizeof *r);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->cond, NULL);
	r->call = *call;
	net_post(net_loop_at(w.net, 0), begin, r);
}

static void
call_wait(struct result *r)
{
	pthread_mutex_lock(&r->lock);
	while (r->done == 0)
		pthread_cond_wait(&r->cond, &r->lock);
	pthread_mutex_unlock(&r->lock);
	assert_int_equal(r->done, 1);
	assert_false(r->started_inside);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->cond);
}

static struct result
call(const struct net_call *c)
{
	struct result r;

	call_start(&r, c);
	call_wait(&r);
	return r;
}

/* A call that succeeds; a test changes one thing in it. */
static struct net_call
good_call(const char *path)
{
	static char urls[8][128];
	static int next;
	char *url = urls[next++ % 8];

	snprintf(url, 128, "https://localhost:%d%s", w.port, path);
	return (struct net_call){ .url = url,
		.method = "GET",
		.anchors = good,
		.timeout_ms = 5000,
		.limit = 4096,
		.pool = "test",
		.pool_limit = 4 };
}

/* --- tests --- */

static void
good_call_has_its_answer(void **state)
{
	struct net_call c = good_call("/echo");
	struct result r;

	(void)state;
	c.method = "POST";
	c.body = MST_LIT("abcd");
	c.content_type = "application/voucher-cms+json";
	r = call(&c);
	assert_int_equal(r.err, MST_OK);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.type, "application/x-echo");
	assert_int_equal(r.len, 4);
	assert_memory_equal(r.body, "abcd", 4);
	assert_int_equal(r.retry_after, -1);
}

static void
empty_body_may_be_posted(void **state)
{
	struct net_call c = good_call("/echo");
	struct result r;

	(void)state;
	c.method = "POST";
	r = call(&c);
	assert_int_equal(r.err, MST_OK);
	assert_int_equal(r.len, 0);
}

static void
refusal_is_an_answer(void **state)
{
	struct net_call c = good_call("/nothing");
	struct result r = call(&c);

	(void)state;
	assert_int_equal(r.err, MST_OK);
	assert_int_equal(r.status, 404);
}

static void
retry_after_is_told(void **state)
{
	struct net_call c = good_call("/202");
	struct result r = call(&c);

	(void)state;
	assert_int_equal(r.status, 202);
	assert_int_equal(r.retry_after, 17);
}

static void
trace_and_basic_are_sent(void **state)
{
	struct net_call c = good_call("/basic");
	struct result r;

	(void)state;
	c.user = "site";
	c.password = "secret";
	r = call(&c);
	assert_int_equal(r.err, MST_OK);
	assert_string_equal(r.body, "Basic c2l0ZTpzZWNyZXQ=");
}

static void
client_certificate_is_shown_with_its_chain(void **state)
{
	struct net_call c = good_call("/who");
	struct result r;

	(void)state;
	c.cert = pki()->client;
	c.key = pki()->client_key;
	c.chain = pki()->client_chain;
	r = call(&c);
	assert_int_equal(r.err, MST_OK);
	assert_string_equal(r.body, "device 1 1 50 127.0.0.1 own");
	/* the same pool's name without the credential: another connection, nobody's */
	c.cert = NULL;
	c.key = NULL;
	c.chain = NULL;
	r = call(&c);
	assert_string_equal(r.body, "nobody 0 0 127.0.0.1 own");
}

static void
redirect_is_not_followed(void **state)
{
	struct net_call c = good_call("/moved");
	int before = w.handled;
	struct result r = call(&c);

	(void)state;
	assert_int_equal(r.err, MST_OK);
	assert_int_equal(r.status, 307);
	assert_string_equal(r.location, "/get");
	assert_int_equal(w.handled, before);
}

static void
wrong_anchor_is_refused(void **state)
{
	struct net_call c = good_call("/get");
	int before = w.handled;
	struct result r;

	(void)state;
	r = call(&c); /* a kept connection of the right trust is there */
	assert_int_equal(r.err, MST_OK);
	c.anchors = wrong;
	r = call(&c);
	assert_int_equal(r.err, MST_E_MASA_TLS);
	assert_true(r.why[0] != '\0');
	assert_int_equal(w.handled, before + 1);
}

static void
webpki_does_not_trust_a_private_ca(void **state)
{
	struct net_call c = good_call("/get");
	struct result r;

	(void)state;
	c.anchors = NULL;
	r = call(&c);
	assert_int_equal(r.err, MST_E_MASA_TLS);
}

static struct result
call_url(const char *fmt, int port)
{
	struct net_call c = good_call("/get");
	char url[128];

	snprintf(url, sizeof url, fmt, port);
	c.url = url;
	/* c.url must live until the call has begun: begin() runs before call() returns */
	return call(&c);
}

static void
wrong_name_is_refused(void **state)
{
	struct result r = call_url("https://other.localhost:%d/get", w.port);

	(void)state;
	assert_int_equal(r.err, MST_E_MASA_TLS);
	r = call_url("https://127.0.0.1:%d/get", w.port); /* that one is in the certificate */
	assert_int_equal(r.err, MST_OK);
}

/* RFC 9525 6.3: the subject's CN names nobody. */
static void
name_in_the_subject_alone_is_refused(void **state)
{
	struct result r = call_url("https://localhost:%d/get", w.cn_port);

	(void)state;
	assert_int_equal(r.err, MST_E_MASA_TLS);
}

static void
only_https_is_called(void **state)
{
	static const char *const bad[] = { "http://localhost:%d/get", "file:///etc/passwd",
		"localhost:%d/get", "ftp://localhost:%d/", "https://user@localhost:%d/get",
		"https://:%d/", "" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char url[128];
		struct net_call c = good_call("/get");
		struct result r;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(url, sizeof url, bad[i], w.port);
#pragma GCC diagnostic pop
		c.url = url;
		r = call(&c);
		assert_int_equal(r.err, MST_E_MASA_URL);
	}
}

static void
header_injection_is_refused(void **state)
{
	struct net_call c = good_call("/get");
	struct result r;

	(void)state;
	c.trace = "abc\r\nX-Evil: 1";
	r = call(&c);
	assert_int_not_equal(r.err, MST_OK);
}

static void
environment_proxy_is_ignored(void **state)
{
	struct net_call c = good_call("/get");
	struct result r;

	(void)state;
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	c.pool = "proxy"; /* a fresh connection */
	r = call(&c);
	unsetenv("https_proxy");
	unsetenv("ALL_PROXY");
	assert_int_equal(r.err, MST_OK);
}

static void
huge_answer_is_cut(void **state)
{
	struct net_call c = good_call("/huge");
	struct result r;

	(void)state;
	r = call(&c);
	assert_int_equal(r.err, MST_E_HTTP_BODY_LIMIT);
	c.limit = 512 * 1024;
	r = call(&c);
	assert_int_equal(r.err, MST_OK);
	assert_int_equal(r.len, 512 * 1024);
	c.limit--;
	r = call(&c);
	assert_int_equal(r.err, MST_E_HTTP_BODY_LIMIT);
}

static void
hanging_server_is_given_up(void **state)
{
	struct net_call c = good_call("/hang");
	struct result r;

	(void)state;
	c.timeout_ms = 150;
	c.pool = "hang";
	r = call(&c);
	assert_int_equal(r.err, MST_E_TIMEOUT);
}

/* Accepts TCP and says nothing: the handshake hangs. */
static void
silent_server_is_given_up(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct net_call c = good_call("/get");
	char url[64];
	struct result r;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 5), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	snprintf(url, sizeof url, "https://localhost:%d/", ntohs(a.sin_port));
	c.url = url;
	c.timeout_ms = 150;
	r = call(&c);
	assert_int_equal(r.err, MST_E_TIMEOUT);
	close(fd);
	c.timeout_ms = 5000; /* and now nobody listens */
	r = call(&c);
	assert_int_equal(r.err, MST_E_MASA_UNREACHABLE);
}

static void
connections_are_kept(void **state)
{
	static const char series[] = "muster_http_connections_total{listener=\"test\"} ";
	struct net_call c = good_call("/get");
	double before;
	struct result r;

	(void)state;
	c.pool = "kept";
	r = call(&c);
	before = world_metric(series);
	for (int i = 0; i < 50; i++) {
		r = call(&c);
		assert_int_equal(r.err, MST_OK);
	}
	assert_int_equal((int)(world_metric(series) - before), 0);
	c.pool = "another";
	r = call(&c);
	assert_int_equal(r.err, MST_OK);
	assert_int_equal((int)(world_metric(series) - before), 1);
}

/* A kept connection that the server has closed meanwhile costs a new one, no error. */
static void
closed_connection_is_replaced(void **state)
{
	struct net_call c = good_call("/refuse"); /* this answer closes */
	struct result r;

	(void)state;
	c.method = "POST";
	for (int i = 0; i < 5; i++) {
		r = call(&c);
		assert_int_equal(r.err, MST_OK);
		assert_int_equal(r.status, 401);
	}
}

#define SLOTS 2
#define WAITING (SLOTS * 16)

static void
pool_limit_holds(void **state)
{
	struct net_call c = good_call("/hang");
	struct result r[SLOTS + WAITING + 3];
	int before = w.handled, busy = 0, timeouts = 0;

	(void)state;
	c.pool = "limited";
	c.pool_limit = SLOTS;
	c.timeout_ms = 600;
	for (size_t i = 0; i < SLOTS + WAITING + 3; i++)
		call_start(&r[i], &c);
	for (size_t i = 0; i < SLOTS + WAITING + 3; i++) {
		call_wait(&r[i]);
		busy += r[i].err == MST_E_MASA_BUSY;
		timeouts += r[i].err == MST_E_TIMEOUT;
	}
	assert_int_equal(busy, 3);
	assert_int_equal(timeouts, SLOTS + WAITING);
	assert_true(w.handled - before >= SLOTS);
	/* the pool works on after all that */
	c = good_call("/get");
	c.pool = "limited";
	c.pool_limit = SLOTS;
	r[0] = call(&c);
	assert_int_equal(r[0].err, MST_OK);
}

static void
waiting_calls_get_their_turn(void **state)
{
	struct net_call c = good_call("/after");
	struct result r[8];

	(void)state;
	c.pool = "turns";
	c.pool_limit = 2;
	for (size_t i = 0; i < 8; i++)
		call_start(&r[i], &c);
	for (size_t i = 0; i < 8; i++) {
		call_wait(&r[i]);
		assert_int_equal(r[i].err, MST_OK);
		assert_int_equal(r[i].status, 200);
	}
}

/* A slow peer's pool does not delay another's (issue B7). */
static void
one_pool_does_not_delay_another(void **state)
{
	struct net_call slow = good_call("/hang"), quick = good_call("/get");
	struct result s, q;

	(void)state;
	slow.pool = "slow";
	slow.pool_limit = 1;
	slow.timeout_ms = 1000;
	call_start(&s, &slow);
	quick.pool = "quick";
	q = call(&quick);
	assert_int_equal(q.err, MST_OK);
	assert_int_equal(__atomic_load_n(&s.done, __ATOMIC_SEQ_CST), 0);
	call_wait(&s);
	assert_int_equal(s.err, MST_E_TIMEOUT);
}

/* Calls that run, wait or have just failed when the daemon ends: told once, nothing leaks. */
static void
calls_end_with_the_daemon(void **state)
{
	struct world save = w;
	struct net_call c;
	struct result r[4];

	(void)state;
	world_start(&w, NULL, 1, 0);
	c = good_call("/hang");
	c.pool_limit = 1;
	for (size_t i = 0; i < 3; i++)
		call_start(&r[i], &c);
	while (__atomic_load_n(&w.handled, __ATOMIC_SEQ_CST) == 0)
		usleep(1000);
	world_stop(&w);
	for (size_t i = 0; i < 3; i++) {
		call_wait(&r[i]);
		assert_int_equal(r[i].err, MST_E_CANCELLED);
	}
	w = save;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(good_call_has_its_answer),
	cmocka_unit_test(empty_body_may_be_posted),
	cmocka_unit_test(refusal_is_an_answer),
	cmocka_unit_test(retry_after_is_told),
	cmocka_unit_test(trace_and_basic_are_sent),
	cmocka_unit_test(client_certificate_is_shown_with_its_chain),
	cmocka_unit_test(redirect_is_not_followed),
	cmocka_unit_test(wrong_anchor_is_refused),
	cmocka_unit_test(webpki_does_not_trust_a_private_ca),
	cmocka_unit_test(wrong_name_is_refused),
	cmocka_unit_test(name_in_the_subject_alone_is_refused),
	cmocka_unit_test(only_https_is_called),
	cmocka_unit_test(header_injection_is_refused),
	cmocka_unit_test(environment_proxy_is_ignored),
	cmocka_unit_test(huge_answer_is_cut),
	cmocka_unit_test(hanging_server_is_given_up),
	cmocka_unit_test(silent_server_is_given_up),
	cmocka_unit_test(connections_are_kept),
	cmocka_unit_test(closed_connection_is_replaced),
	cmocka_unit_test(pool_limit_holds),
	cmocka_unit_test(waiting_calls_get_their_turn),
	cmocka_unit_test(one_pool_does_not_delay_another),
	cmocka_unit_test(calls_end_with_the_daemon),
};

int
main(void)
{
	return cmocka_run_group_tests_name("net/call", tests, start, stop);
}
