/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA's endpoints through TLS, database and key process, as a registrar sees them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/password.h"
#include "host/clock.h"
#include "tests/unit/masa/support_server.h"

#define AUDIT "/.well-known/brski/requestauditlog"

/* D19: a row of the trail with that name, and the request's id as the answer told it. */
static void
in_the_trail(const struct got *g, mst_err want)
{
	struct arena *a = arena_new(0);
	struct trail *rows;
	size_t n = server_trail(a, &rows);

	if (want == MST_E_HTTP_BODY_LIMIT || want == MST_E_HTTP_METHOD ||
	    want == MST_E_CUSTOMER_RATE) { /* not heard, so not judged */
		arena_free(a);
		return;
	}
	assert_true(n > 0);
	assert_string_equal(mst_err_info(rows[n - 1].err)->name, mst_err_info(want)->name);
	assert_string_equal(rows[n - 1].role, "masa");
	assert_true(memmem(g->body.ptr, g->body.len, rows[n - 1].request,
	                strlen(rows[n - 1].request)) != NULL);
	arena_free(a);
}

/* A refusal as HT-2 wants it, a row in the trail, and nothing in the log of vouchers. */
static void
refused(const struct got *g, mst_err want, size_t before)
{
	const struct mst_err_info *info = mst_err_info(want);

	if (g->status != info->http || strncmp((const char *)g->body.ptr, info->code, 7) != 0)
		print_error("want %s (%d), got %d: %.*s\n", info->name, info->http, g->status,
		    (int)g->body.len, (const char *)g->body.ptr);
	assert_int_equal(g->status, info->http);
	assert_memory_equal(g->body.ptr, info->code, strlen(info->code));
	assert_memory_equal(g->type, "text/plain", 10);
	if (info->http == 503 || info->http == 429)
		assert_true(atoi(g->retry_after) > 0);
	assert_int_equal(server_log_count(SERIAL) + server_log_count("OTHER0001"), before);
	in_the_trail(g, want);
}

static size_t
logged(void)
{
	return server_log_count(SERIAL) + server_log_count("OTHER0001");
}

struct row {
	enum mst_media media;
	const struct deviation *deviation;
};

static void
deviation(void **state)
{
	const struct row *row = *state;
	const struct deviation *d = row->deviation;
	size_t before = logged();
	struct world w;
	struct got g;

	world_media = row->media;
	if (d->flags & NONCELESS)
		world_nonceless(&w);
	else
		world_good(&w);
	d->bend(&w);
	server_be(&w);
	g = ask_world(&w, NULL);
	refused(&g, d->want, before);
	world_free(&w);
}

/* The pledge's view: signature, chain to the factory's anchor, and by which of the two keys. */
static void
open_voucher(struct world *w, const struct got *g, const struct id *by, struct envelope *env)
{
	X509 *ca = server.voucher_ca.cert;
	struct anchors *t;

	if (g->status != 200)
		print_error("%.*s\n", (int)g->body.len, (const char *)g->body.ptr);
	assert_int_equal(g->status, 200);
	assert_string_equal(g->type, mst_media_type(w->media));
	assert_int_equal(envelope_open(w->a, w->media, MST_VOUCHER, g->body, NULL, env), MST_OK);
	assert_int_equal(anchors_new(pem_of(w->a, &ca, 1), MST_NONE, &t), MST_OK);
	assert_int_equal(chain_verify(t, env->signer, env->certs, &w->clock, 0, NULL), MST_OK);
	anchors_free(t);
	assert_int_equal(X509_cmp(env->signer, by->cert), 0);
}

static void
good_world(struct world *w)
{
	world_good(w);
	server_be(w);
}

static void
issue(void **state)
{
	size_t before = logged();
	struct masa_entry *entries;
	struct envelope env;
	struct world w;
	struct got g;
	size_t n;

	(void)state;
	good_world(&w);
	g = ask_world(&w, NULL);
	open_voucher(&w, &g, &server.short_id, &env);
	assert_false(env.id_data);
	assert_int_equal(env.claims.assertion, MST_ASSERT_PROXIMITY);
	assert_true(mst_nonce_eq(
	    env.claims.nonce_text, env.claims.nonce, MST_LIT(NONCE), MST_LIT("This is a nonce!")));
	assert_true(mst_span_eq(env.claims.serial, MST_LIT(SERIAL)));
	assert_true(mst_span_eq(env.claims.pinned_cert, der_of(w.a, pki.ca.cert)));
	assert_true(env.claims.expires_on == MST_NO_TIME);
	assert_int_equal(logged(), before + 1);
	n = server_log(SERIAL, w.a, &entries);
	assert_true(mst_span_eq(entries[n - 1].voucher, g.body));
	assert_int_equal(entries[n - 1].at, env.claims.created_on);
	assert_null(entries[n - 1].client);
	assert_memory_equal(entries[n - 1].source, "127.0.0.1:", 10);
	world_free(&w);
}

static void
repeat(void **state)
{
	struct world w;
	struct got first, second;
	size_t before;

	(void)state;
	good_world(&w);
	first = ask_world(&w, NULL);
	before = logged();
	second = ask_world(&w, NULL);
	assert_int_equal(second.status, 200);
	assert_true(mst_span_eq(first.body, second.body));
	assert_int_equal(logged(), before);
	world_free(&w);
}

struct again {
	struct world *w;
	struct arena *a;
	struct got got;
};

static void *
ask_again(void *arg)
{
	struct again *x = arg;

	x->got =
	    ask(x->a, &(struct ask){ .type = mst_media_type(x->w->media), .body = x->w->message });
	return NULL;
}

static void
same_request_at_once(void **state)
{
	size_t before = logged();
	struct again x[4];
	pthread_t t[4];
	struct world w;

	(void)state;
	good_world(&w);
	world_seal(&w);
	for (size_t i = 0; i < 4; i++) {
		x[i] = (struct again){ .w = &w, .a = arena_new(0) };
		assert_int_equal(pthread_create(&t[i], NULL, ask_again, &x[i]), 0);
	}
	for (size_t i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(x[i].got.status, 200);
		assert_true(mst_span_eq(x[i].got.body, x[0].got.body));
	}
	for (size_t i = 0; i < 4; i++)
		arena_free(x[i].a);
	assert_int_equal(logged(), before + 1);
	world_free(&w);
}

struct add {
	struct masa_entry *entry;
};

static mst_err
add_entry(struct db *db, void *arg)
{
	return masa_log_add(db, ((struct add *)arg)->entry);
}

/* The daemon died after the entry and before the voucher: the log has one without a voucher. */
static void
crash(struct world *w, int64_t at, X509 *pin)
{
	assert_int_equal(world_judge(w), MST_OK);
	w->verdict.entry.device = w->devices[0].id;
	w->verdict.entry.at = at;
	assert_int_equal(masa_spki_sha256(w->a, pin, &w->verdict.entry.pin_sha256), MST_OK);
	server_write(add_entry, &(struct add){ &w->verdict.entry });
}

static void
killed_before_voucher(void **state)
{
	struct masa_entry *entries;
	struct envelope env;
	struct world w;
	struct got g;
	size_t before, n;

	(void)state;
	good_world(&w);
	crash(&w, w.clock.now - 30, pki.ca.cert);
	before = logged();
	g = ask_world(&w, NULL);
	open_voucher(&w, &g, &server.short_id, &env);
	assert_int_equal(env.claims.created_on, w.clock.now - 30); /* as the entry says */
	assert_int_equal(logged(), before);
	n = server_log(SERIAL, w.a, &entries);
	assert_true(mst_span_eq(entries[n - 1].voucher, g.body));
	world_free(&w);
}

static void
killed_and_pin_changed(void **state)
{
	struct world w;
	struct got g;
	size_t before;

	(void)state;
	good_world(&w);
	crash(&w, w.clock.now, pki.root.cert);
	before = logged();
	g = ask_world(&w, NULL);
	refused(&g, MST_E_CONFLICT, before);
	world_free(&w);
}

static void
id_data(void **state)
{
	struct envelope env;
	struct world w;
	struct got g;

	(void)state;
	good_world(&w);
	w.pvr_signer = &pki.device2; /* product "lamp" */
	w.pvr.serial = w.rvr.serial = MST_LIT("OTHER0001");
	g = ask_world(&w, NULL);
	open_voucher(&w, &g, &server.short_id, &env);
	assert_true(env.id_data);
	world_free(&w);
}

static void
blocked_after_issue(void **state)
{
	struct world w;
	struct got g;
	size_t before;

	(void)state;
	good_world(&w);
	g = ask_world(&w, NULL);
	assert_int_equal(g.status, 200);
	before = logged();
	w.devices[0].state = MASA_BLOCKED;
	w.devices[0].state_reason = "stolen";
	server_be(&w);
	g = ask_world(&w, NULL);
	refused(&g, MST_E_DEVICE_BLOCKED, before);
	world_free(&w);
}

/* A customer by HTTP Basic, without anchors. */
static void
basic_world(struct world *w)
{
	world_nonceless(w);
	w->customers[0].anchors_pem = MST_NONE;
	w->customers[0].user = "site";
	assert_int_equal(
	    password_hash(w->a, MST_LIT("secret"), &w->customers[0].password_hash), MST_OK);
	server_be(w);
}

static void
nonceless_anonymous(void **state)
{
	size_t before = logged();
	struct world w;
	struct got g;

	(void)state;
	basic_world(&w);
	g = ask_world(&w, NULL);
	refused(&g, MST_E_RVR_NONCELESS_DENIED, before);
	world_free(&w);
}

static void
nonceless_basic(void **state)
{
	struct masa_entry *entries;
	struct envelope env;
	struct world w;
	struct got g;
	size_t n;

	(void)state;
	basic_world(&w);
	g = ask_world(&w, &(struct ask){ .user_password = "site:secret" });
	open_voucher(&w, &g, &server.long_id, &env);
	assert_null(env.claims.nonce.ptr);
	n = server_log(SERIAL, w.a, &entries);
	assert_string_equal(entries[n - 1].client, "basic:site");
	/* The copy is for who shows the same identity: 401 is not it, 403 is. */
	g = ask_world(&w, NULL);
	refused(&g, MST_E_RVR_NONCELESS_DENIED, logged());
	g = ask_world(&w, &(struct ask){ .user_password = "site:secret" });
	assert_int_equal(g.status, 200);
	world_free(&w);
}

static void
wrong_password(void **state)
{
	static const char *const wrong[] = { "site:Secret", "site:", "nobody:secret", "site" };
	size_t before = logged();
	struct world w;
	struct got g;

	(void)state;
	basic_world(&w);
	for (size_t i = 0; i < 4; i++) {
		g = ask_world(&w, &(struct ask){ .user_password = wrong[i] });
		refused(&g, MST_E_HTTP_AUTH, before);
		assert_memory_equal(g.authenticate, "Basic", 5);
	}
	world_free(&w);
}

static void
wrong_password_nonced(void **state)
{
	size_t before = logged();
	struct world w;
	struct got g;

	(void)state;
	good_world(&w);
	g = ask_world(&w, &(struct ask){ .user_password = "site:x" });
	refused(&g, MST_E_HTTP_AUTH, before);
	world_free(&w);
}

static void
nonceless_tls(void **state)
{
	struct masa_entry *entries;
	struct envelope env;
	struct world w;
	struct got g;
	size_t n;

	(void)state;
	world_nonceless(&w);
	server_be(&w);
	g = ask_world(&w, &(struct ask){ .client = &pki.registrar });
	open_voucher(&w, &g, &server.long_id, &env);
	assert_true(mst_span_eq(env.claims.pinned_cert, der_of(w.a, pki.root.cert)));
	n = server_log(SERIAL, w.a, &entries);
	assert_string_equal(entries[n - 1].client, "tls:site");
	world_free(&w);
}

/* RFC 8995 5.5.1: the same domain asks anew for a voucher that ended: granted and logged again. */
static void
renewal(void **state)
{
	struct envelope env;
	struct world w;
	struct got g;
	size_t before;

	(void)state;
	world_nonceless(&w);
	server_be(&w);
	w.rvr.created_on -= 7200;
	assert_int_equal(ask_world(&w, NULL).status, 200);
	before = logged();
	w.message = MST_NONE;
	w.rvr.created_on += 7200;
	g = ask_world(&w, NULL);
	open_voucher(&w, &g, &server.long_id, &env);
	assert_int_equal(logged(), before + 1);
	world_free(&w);
}

/* A device of the customer's site is not the customer. */
static void
tls_of_a_device(void **state)
{
	size_t before = logged();
	struct world w;
	struct got g;

	(void)state;
	world_nonceless(&w);
	w.rvr_signer = &pki.self_signed;
	w.rvr_chain_count = 0;
	server_be(&w);
	g = ask_world(&w, &(struct ask){ .client = &pki.sibling_plain });
	refused(&g, MST_E_RVR_NONCELESS_DENIED, before);
	world_free(&w);
}

static void
tls_stranger_nonced(void **state)
{
	struct envelope env;
	struct world w;
	struct got g;

	(void)state;
	good_world(&w);
	g = ask_world(&w, &(struct ask){ .client = &pki.other_registrar });
	open_voucher(&w, &g, &server.short_id, &env);
	world_free(&w);
}

static void
owner(void **state)
{
	struct envelope env;
	struct world w;
	struct got g;

	(void)state;
	world_nonceless(&w);
	w.devices[0].customer = w.customers[0].id;
	w.devices[0].state = MASA_OWNED;
	server_be(&w);
	g = ask_world(&w, NULL);
	open_voucher(&w, &g, &server.long_id, &env);
	assert_int_equal(env.claims.assertion, MST_ASSERT_VERIFIED);
	world_free(&w);
}

static void
media(void **state)
{
	static const char *const types[] = { NULL, "application/json", "text/plain",
		"application/voucher-cms" };
	size_t before = logged();
	struct world w;
	struct got g;

	(void)state;
	good_world(&w);
	world_seal(&w);
	for (size_t i = 0; i < 4; i++) {
		g = ask(w.a, &(struct ask){ .type = types[i], .body = w.message });
		refused(&g, MST_E_MEDIA_UNSUPPORTED, before);
		g = ask(w.a, &(struct ask){ .path = AUDIT, .type = types[i], .body = w.message });
		refused(&g, MST_E_MEDIA_UNSUPPORTED, before);
	}
	world_free(&w);
}

static void
empty_body(void **state)
{
	size_t before = logged();
	struct world w;
	struct got g;

	(void)state;
	good_world(&w);
	w.message = MST_LIT("");
	g = ask_world(&w, NULL);
	refused(&g, MST_E_RVR_PARSE, before);
	world_free(&w);
}

static void
large_body(void **state)
{
	size_t before = logged();
	struct mst_buf b;
	struct world w;
	struct got g;

	(void)state;
	good_world(&w);
	b = arena_buf(w.a, 70000);
	memset(b.ptr, 'x', b.cap);
	w.message = mst_span_of(b.ptr, b.cap);
	g = ask_world(&w, NULL);
	refused(&g, MST_E_HTTP_BODY_LIMIT, before);
	world_free(&w);
}

static void
method(void **state)
{
	size_t before = logged();
	struct world w;
	struct got g;

	(void)state;
	good_world(&w);
	g = ask(w.a, &(struct ask){ .method = "GET" });
	refused(&g, MST_E_HTTP_METHOD, before);
	world_free(&w);
}

static void
rates(void **state)
{
	size_t before;
	struct world w;
	struct got g;

	(void)state;
	good_world(&w);
	g = ask_world(&w, &(struct ask){ .port = server.strict_port });
	assert_int_equal(g.status, 200);
	before = logged();
	w.message = MST_LIT("rubbish");
	g = ask_world(&w, &(struct ask){ .port = server.strict_port });
	refused(&g, MST_E_RVR_PARSE, before);
	g = ask_world(&w, &(struct ask){ .port = server.strict_port });
	refused(&g, MST_E_CUSTOMER_RATE, before);
	world_free(&w);
}

/* Of the strict server: one wrong password a minute, then 429 before any hash is made. */
static void
failures(void **state)
{
	size_t before = logged();
	struct world w;
	struct got g;

	(void)state;
	basic_world(&w);
	g = ask_world(&w, &(struct ask){ .user_password = "site:x", .port = server.slow_port });
	refused(&g, MST_E_HTTP_AUTH, before);
	g = ask_world(
	    &w, &(struct ask){ .user_password = "site:secret", .port = server.slow_port });
	refused(&g, MST_E_CUSTOMER_RATE, before);
	world_free(&w);
}

/* 8.5: a MASA that cannot know the public CAs does not start. */
static void
open_refused(void **state)
{
	struct masa_config cfg = { .idevid_anchors_pem = pem_of(server.a, &pki.idevid_ca.cert, 1) };
	struct masa *m = NULL;

	(void)state;
	cfg.public_cas = "/nonexistent/public.pem";
	assert_int_equal(
	    masa_open(&cfg, server.net, server.store, server.keys, &m), MST_E_NOT_FOUND);
	cfg.public_cas = NULL;
	cfg.slot_long = "longer";
	assert_int_equal(
	    masa_open(&cfg, server.net, server.store, server.keys, &m), MST_E_NOT_FOUND);
	assert_non_null(strstr(masa_why(), "longer"));
	assert_null(m);
}

/* --- audit log --- */

static void
audit_owner(void **state)
{
	struct audit_log log;
	struct world w;
	mst_span id;
	struct got g;
	size_t n;

	(void)state;
	good_world(&w);
	assert_int_equal(ask_world(&w, NULL).status, 200);
	n = server_log_count(SERIAL);
	g = ask_world(&w, &(struct ask){ .path = AUDIT });
	assert_int_equal(g.status, 200);
	assert_string_equal(g.type, "application/json");
	assert_int_equal(audit_log_parse(w.a, g.body, &log), MST_OK);
	assert_int_equal(log.version, 1);
	assert_true(log.count >= 1 && log.count <= n);
	assert_int_equal(cert_domain_id(w.a, pki.ca.cert, &id), MST_OK);
	assert_true(mst_span_eq(log.events[log.count - 1].domain_id, id));
	assert_true(mst_span_eq(log.events[log.count - 1].nonce, MST_LIT(NONCE)));
	assert_int_equal(log.events[log.count - 1].assertion, MST_ASSERT_PROXIMITY);
	assert_int_equal(server_log_count(SERIAL), n); /* reading adds nothing */
	world_free(&w);
}

/* A new request of the same domain, another registrar of it (AUD-1). */
static void
audit_same_domain(void **state)
{
	struct world w;

	(void)state;
	good_world(&w);
	assert_int_equal(ask_world(&w, NULL).status, 200);
	w.message = MST_NONE;
	w.rvr_signer = &pki.sibling;
	w.no_prior = true;
	w.rvr.prior_request = MST_NONE;
	assert_int_equal(ask_world(&w, &(struct ask){ .path = AUDIT }).status, 200);
	world_free(&w);
}

static void
audit_stranger(void **state)
{
	struct world w;
	struct got g;
	size_t n;

	(void)state;
	good_world(&w);
	assert_int_equal(ask_world(&w, NULL).status, 200);
	n = logged();
	w.message = MST_NONE;
	w.rvr_signer = &pki.other_registrar;
	w.rvr_chain[0] = pki.other_root.cert;
	w.rvr_chain_count = 1;
	g = ask_world(&w, &(struct ask){ .path = AUDIT });
	refused(&g, MST_E_AUDITLOG_DENIED, n);
	world_free(&w);
}

/* A stranger who writes the owner's subject key identifier into a CA of his own. */
static void
audit_copied_domain_id(void **state)
{
	struct id ca =
	    id_make(&(struct id_spec){ .kind = ID_CA, .cn = "thief", .flags = ID_NO_SKI });
	struct id ra;
	struct world w;
	mst_span id, theirs;
	struct got g;
	size_t n;
	int at;

	(void)state;
	at = X509_get_ext_by_NID(pki.ca.cert, NID_subject_key_identifier, -1);
	X509_add_ext(ca.cert, X509_get_ext(pki.ca.cert, at), -1);
	assert_true(X509_sign(ca.cert, ca.key, EVP_sha256()) > 0);
	ra = id_make(&(struct id_spec){ .kind = ID_REGISTRAR, .cn = "ra", .issuer = &ca });
	good_world(&w);
	assert_int_equal(cert_domain_id(w.a, pki.ca.cert, &id), MST_OK);
	assert_int_equal(cert_domain_id(w.a, ca.cert, &theirs), MST_OK);
	assert_true(mst_span_eq(id, theirs));
	assert_int_equal(ask_world(&w, NULL).status, 200);
	n = logged();
	w.message = MST_NONE;
	w.rvr_signer = &ra;
	w.rvr_chain[0] = ca.cert;
	w.rvr_chain_count = 1;
	g = ask_world(&w, &(struct ask){ .path = AUDIT });
	refused(&g, MST_E_AUDITLOG_DENIED, n);
	id_free(&ca);
	id_free(&ra);
	world_free(&w);
}

/* The device belongs to another customer now; the domain that had it may still read. */
static void
audit_former_owner(void **state)
{
	struct world w;

	(void)state;
	good_world(&w);
	assert_int_equal(ask_world(&w, NULL).status, 200);
	w.customers[0] = (struct masa_customer){ .id = 8, .name = "buyer" };
	w.customer_count = 1;
	w.devices[0].customer = 8;
	w.devices[0].state = MASA_OWNED;
	server_be(&w);
	w.message = MST_NONE;
	w.rvr.created_on--;
	assert_int_equal(ask_world(&w, &(struct ask){ .path = AUDIT }).status, 200);
	world_free(&w);
}

static void
audit_customer(void **state)
{
	struct world w;
	struct got g;

	(void)state;
	basic_world(&w);
	w.devices[0].customer = w.customers[0].id;
	w.devices[0].state = MASA_OWNED;
	server_be(&w);
	w.rvr_signer = &pki.other_registrar;
	w.rvr_chain[0] = pki.other_root.cert;
	w.rvr_chain_count = 1;
	g = ask_world(&w, &(struct ask){ .path = AUDIT });
	refused(&g, MST_E_AUDITLOG_DENIED, logged());
	g = ask_world(&w, &(struct ask){ .path = AUDIT, .user_password = "site:secret" });
	assert_int_equal(g.status, 200);
	world_free(&w);
}

static void
audit_unknown_device(void **state)
{
	struct world w;
	struct got g;

	(void)state;
	good_world(&w);
	w.rvr.serial = MST_LIT("NONE");
	g = ask_world(&w, &(struct ask){ .path = AUDIT });
	refused(&g, MST_E_DEVICE_UNKNOWN, logged());
	world_free(&w);
}

static void
audit_unsigned(void **state)
{
	struct world w;
	struct got g;

	(void)state;
	good_world(&w);
	w.flip_rvr_at = 1;
	g = ask_world(&w, &(struct ask){ .path = AUDIT });
	refused(&g, MST_E_RVR_SIGNATURE, logged());
	world_free(&w);
}

/* Design.md 3.4: the entry is durable before the key is asked; without a key there is no voucher.
 */
static void
key_process_gone(void **state)
{
	struct masa_entry *entries;
	struct world w;
	struct got g;
	size_t before, n;

	(void)state;
	good_world(&w);
	before = server_log_count(SERIAL);
	kill((pid_t)keys_pid(server.keys), SIGKILL);
	g = ask_world(&w, NULL);
	assert_int_equal(g.status, 503);
	n = server_log(SERIAL, w.a, &entries);
	assert_int_equal(n, before + 1);
	assert_null(entries[n - 1].voucher.ptr);
	world_free(&w);
}

static void
chain_intact(void **state)
{
	(void)state;
	assert_int_equal(masa_log_verify(store_reader(server.store)), MST_OK);
}

static int
start(void **state)
{
	(void)state;
	pki_make();
	server_start();
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	server_stop();
	pki_free();
	return 0;
}

static const struct CMUnitTest first[] = {
	{ "8.4-15..17 a nonced voucher is logged, signed, delivered", issue, NULL, NULL, NULL },
	{ "B6 the same bytes get the same answer and no second entry", repeat, NULL, NULL, NULL },
	{ "B6 the same bytes four times at once: one entry, one voucher", same_request_at_once,
	    NULL, NULL, NULL },
	{ "D21 killed between entry and voucher: signed under that entry", killed_before_voucher,
	    NULL, NULL, NULL },
	{ "D21 the same, and the pin has changed: refused", killed_and_pin_changed, NULL, NULL,
	    NULL },
	{ "CMS-2 id-data for a product line", id_data, NULL, NULL, NULL },
	{ "8.4-8 blocked since: the copy is refused too", blocked_after_issue, NULL, NULL, NULL },
	{ "8.4-9 nonceless and anonymous", nonceless_anonymous, NULL, NULL, NULL },
	{ "8.4-9 nonceless by HTTP Basic, long key", nonceless_basic, NULL, NULL, NULL },
	{ "TLS-7 wrong password or user", wrong_password, NULL, NULL, NULL },
	{ "TLS-7 wrong password where none is needed", wrong_password_nonced, NULL, NULL, NULL },
	{ "8.4-9 nonceless by TLS certificate", nonceless_tls, NULL, NULL, NULL },
	{ "8995-5.5.1 renewal is granted and logged", renewal, NULL, NULL, NULL },
	{ "8.4-9 a site's device is not the customer", tls_of_a_device, NULL, NULL, NULL },
	{ "TLS-7 a stranger's certificate, nonced", tls_stranger_nonced, NULL, NULL, NULL },
	{ "8.4-9 the owner: verified", owner, NULL, NULL, NULL },
	{ "8995-5.6 415 by Content-Type", media, NULL, NULL, NULL },
	{ "8.4-2 empty body", empty_body, NULL, NULL, NULL },
	{ "TLS-9 413 over the limit", large_body, NULL, NULL, NULL },
	{ "405", method, NULL, NULL, NULL },
	{ "8.4-1 429 by source", rates, NULL, NULL, NULL },
	{ "TLS-7 429 after wrong passwords", failures, NULL, NULL, NULL },
	{ "8.5 no start without the list of public CAs, nor a slot", open_refused, NULL, NULL,
	    NULL },
	{ "AUD-1 the owner's request again", audit_owner, NULL, NULL, NULL },
	{ "AUD-1 a new request of the same domain", audit_same_domain, NULL, NULL, NULL },
	{ "AUD-2 never an owner: 404", audit_stranger, NULL, NULL, NULL },
	{ "AUD-3 a copied domainID proves nothing: 404", audit_copied_domain_id, NULL, NULL, NULL },
	{ "AUD-2 a former owner", audit_former_owner, NULL, NULL, NULL },
	{ "AUD-3 an authenticated customer", audit_customer, NULL, NULL, NULL },
	{ "AUD-2 unknown device: 404", audit_unknown_device, NULL, NULL, NULL },
	{ "AUD-1 the request is judged", audit_unsigned, NULL, NULL, NULL },
};
static const struct CMUnitTest last[] = {
	{ "AUD-7 the log's hash chain after all this", chain_intact, NULL, NULL, NULL },
	{ "SEC-1 no key process: an entry, no voucher, 503", key_process_gone, NULL, NULL, NULL },
};

/* What is more than judging: each form has its way through log, key process and database. */
static const struct CMUnitTest each_form[] = {
	{ "8.4-15..17 a nonced voucher is logged, signed, delivered", issue, NULL, NULL, NULL },
	{ "B6 the same bytes get the same answer and no second entry", repeat, NULL, NULL, NULL },
	{ "D21 killed between entry and voucher: signed under that entry", killed_before_voucher,
	    NULL, NULL, NULL },
	{ "8.4-8 blocked since: the copy is refused too", blocked_after_issue, NULL, NULL, NULL },
	{ "8.4-9 nonceless by TLS certificate", nonceless_tls, NULL, NULL, NULL },
	{ "8.4-9 the owner: verified", owner, NULL, NULL, NULL },
	{ "AUD-1 the owner's request again", audit_owner, NULL, NULL, NULL },
	{ "AUD-1 a new request of the same domain", audit_same_domain, NULL, NULL, NULL },
	{ "AUD-2 never an owner: 404", audit_stranger, NULL, NULL, NULL },
	{ "AUD-2 a former owner", audit_former_owner, NULL, NULL, NULL },
};
#define FIRST (sizeof first / sizeof first[0])
#define LAST (sizeof last / sizeof last[0])
#define EACH_FORM (sizeof each_form / sizeof each_form[0])

static struct CMUnitTest
in_form(struct arena *a, const struct CMUnitTest *t, const struct form *f)
{
	return (struct CMUnitTest){ arena_printf(a, "%s%s", t->name, f->suffix), t->test_func,
		world_media_set, NULL, (void *)(uintptr_t)&f->media };
}

int
main(void)
{
	struct arena *a = arena_new(0);
	size_t most = FIRST + FORMS * (EACH_FORM + deviation_count) + LAST, n = 0;
	struct CMUnitTest *tests = arena_alloc(a, most * sizeof *tests);
	struct row *rows = arena_alloc(a, most * sizeof *rows);
	int failed;

	if (tests == NULL || rows == NULL)
		return 1;
	for (size_t i = 0; i < FIRST; i++)
		tests[n++] = in_form(a, &first[i], &forms[0]);
	for (const struct form *f = forms; f < forms + FORMS; f++) {
		for (size_t i = 0; f != forms && i < EACH_FORM; i++)
			tests[n++] = in_form(a, &each_form[i], f);
		for (size_t i = 0; i < deviation_count; i++) {
			if ((deviations[i].flags & ON_WIRE) == 0)
				continue;
			rows[n] = (struct row){ f->media, &deviations[i] };
			tests[n] = (struct CMUnitTest){ arena_printf(a, "%s%s", deviations[i].name,
				                            f->suffix),
				deviation, NULL, NULL, &rows[n] };
			n++;
		}
	}
	for (size_t i = 0; i < LAST; i++)
		tests[n++] = in_form(a, &last[i], &forms[0]);
	failed = _cmocka_run_group_tests("masa_handlers", tests, n, start, stop);
	arena_free(a);
	return failed;
}
