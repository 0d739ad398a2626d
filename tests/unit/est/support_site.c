/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "host/log.h"
#include "muster/base64.h"
#include "unit/est/support_site.h"
#include "unit/keys/support_pki.h"

static const struct ca_profile ca_profiles[] = {
	{ .name = "device", .seconds = 90 * 86400, .san = CA_SAN_DNS },
	{ .name = "named", .seconds = 90 * 86400, .san = CA_SAN_DNS },
};
static const char *const acme[] = { "acme" }, *const lab_users[] = { "carol" };
static const struct est_profile profiles[] = {
	{ .label = "", .profile = "device", .organization = "Acme" },
	{ .label = "lab",
	    .profile = "named",
	    .manufacturers = { acme, 1 },
	    .users = { lab_users, 1 },
	    .organization = "Acme",
	    .san = EST_SAN_SERIAL },
};
static const struct ca_config configs[] = {
	{ .label = "", .slot = "ca", .profiles = ca_profiles, .profile_count = 2 },
	{ .label = "lab", .slot = "lab", .profiles = ca_profiles, .profile_count = 2 },
};
static struct keys *keys;
static struct arena *keys_arena;

void
site_keys_start(void)
{
	struct keys_slot slots[2] = { { .name = "ca", .purpose = KEYS_CA },
		{ .name = "lab", .purpose = KEYS_CA } };
	static const char *const files[] = { "root", "labroot" };
	struct keys_profile *list;
	size_t count;

	log_open("test_est", LOG_TEXT, LOG_ERROR_, 2);
	tpki_usual();
	tpki_make(&(struct tpki_spec){ .name = "labroot",
	    .constraints = "critical,CA:TRUE",
	    .usage = "critical,keyCertSign,cRLSign" });
	keys_arena = arena_new(0);
	for (size_t i = 0; i < 2; i++) {
		slots[i].key_uri = arena_str(keys_arena, mst_span_str(tpki_path(files[i], "key")));
		slots[i].cert_path =
		    arena_str(keys_arena, mst_span_str(tpki_path(files[i], "pem")));
	}
	assert_int_equal(ca_keys_profiles(keys_arena, configs, 2, &list, &count), MST_OK);
	if (keys_start(slots, 2, list, count, &keys) != MST_OK)
		fail_msg("keys: %s", keys_why());
}

void
site_keys_stop(void)
{
	keys_stop(keys);
	arena_free(keys_arena);
	tpki_clean();
}

void
site_init(struct site *s)
{
	*s = (struct site){ .arena = arena_new(0) };
	assert_int_equal(tpki_run(NULL, "rm -f %s*", tpki_path("store", "db")), 0);
	s->factory_key = a_key("P-256 factory");
	s->factory = a_cert("CN=Factory CA", s->factory_key, NULL, s->factory_key);
	s->config = (struct est_config){ .profiles = profiles,
		.profile_count = 2,
		.challenge = EST_CHALLENGE_BINDING,
		.csrattrs = EST_CSRATTRS_BOTH,
		.retry_after = 7 };
}

static void *
run(void *arg)
{
	struct site *s = arg;

	assert_int_equal(net_run(s->net), MST_OK);
	return NULL;
}

static mst_err
put_manufacturer(struct db *db, void *arg)
{
	struct site *s = arg;
	struct manufacturer m = { .name = "acme",
		.serial_rule = CERT_SERIAL_SUBJECT,
		.mode = ACCEPT_AUTO,
		.audit_policy = "strict",
		.enabled = true };
	mst_err e;

	assert_int_equal(cert_pem(s->arena, s->factory, &m.anchors_pem), MST_OK);
	if ((e = manufacturer_put(db, &m)) == MST_OK)
		s->manufacturer = m.id;
	return e;
}

void
site_open(struct site *s)
{
	struct net_listen o = { .name = "registrar",
		.address = "127.0.0.1:0",
		.cert = pki()->server,
		.key = pki()->server_key,
		.ask_client_cert = true };

	if (store_open(tpki_path("store", "db"), &s->store) != MST_OK)
		fail_msg("store: %s", store_why());
	assert_int_equal(store_write_wait(s->store, put_manufacturer, s), MST_OK);
	assert_int_equal(net_new(1, &s->net), MST_OK);
	if (ca_new(s->store, keys, configs, 2, &s->ca) != MST_OK)
		fail_msg("ca: %s", ca_why());
	assert_int_equal(ca_loop_new_net(s->ca, net_loop_at(s->net, 0), &s->loops[0]), MST_OK);
	assert_int_equal(trust_new(s->store, ca_anchors(s->ca, NULL), &s->trust), MST_OK);
	s->config.store = s->store;
	s->config.trust = s->trust;
	s->config.ca = s->ca;
	s->config.loops = s->loops;
	s->config.net = s->net;
	if (est_open(&s->config, &s->est) != MST_OK)
		fail_msg("est: %s", est_why());
	o.routes = est_routes(s->est, &o.route_count);
	assert_int_equal(net_listen(s->net, &o, &s->port), MST_OK);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

/* Orders on their way end first, while store, est and loops are there; then the writer runs dry. */
void
site_close(struct site *s)
{
	net_stop(s->net);
	pthread_join(s->thread, NULL);
	ca_loop_free(s->loops[0]);
	store_close(s->store);
	est_close(s->est);
	trust_free(s->trust);
	ca_free(s->ca);
	net_free(s->net);
}

void
site_wipe(struct site *s)
{
	X509_free(s->factory);
	arena_free(s->arena);
}

/* --- devices --- */

struct wanted {
	struct site *s;
	struct device d;
	const char *serial;
	mst_span spki;
	int64_t manufacturer;
};

static mst_err
put_other(struct db *db, void *arg)
{
	return manufacturer_put(db, arg);
}

static mst_err
make_device(struct db *db, void *arg)
{
	struct wanted *w = arg;
	bool created;
	mst_err e = device_touch(db, w->s->arena, w->manufacturer, mst_span_str(w->serial),
	    MST_NONE, 1700000000, &w->d, &created);

	if (e != MST_OK)
		return e;
	w->d.state = DEVICE_VOUCHER;
	w->d.idevid_spki_sha256 = w->spki;
	w->d.voucher_at = 1700000000;
	w->d.voucher_status = 1;
	w->d.audit_verdict = 1;
	return device_save(db, &w->d);
}

static struct device_at_site
make_one(struct site *s, const char *serial, int64_t manufacturer, X509 *ca, const char *key)
{
	struct device_at_site out = { .key = a_key(key) };
	struct wanted w = { .s = s,
		.serial = serial,
		.spki = a_spki_sha256(s->arena, out.key),
		.manufacturer = manufacturer };
	char *subject = arena_printf(s->arena, "O=Factory,serialNumber=%s", serial);

	out.idevid = a_cert(subject, out.key, ca, s->factory_key);
	assert_non_null(arena_own(s->arena, out.idevid, (void (*)(void *))X509_free));
	assert_int_equal(store_write_wait(s->store, make_device, &w), MST_OK);
	out.id = w.d.id;
	return out;
}

struct device_at_site
site_device(struct site *s, const char *serial)
{
	return make_one(s, serial, s->manufacturer, s->factory, "P-256 idevid");
}

struct device_at_site
site_twin(struct site *s, const char *serial)
{
	X509 *ca = a_cert("CN=Other Factory CA", s->factory_key, NULL, s->factory_key);
	struct manufacturer m = { .name = "other",
		.serial_rule = CERT_SERIAL_SUBJECT,
		.mode = ACCEPT_AUTO,
		.audit_policy = "strict",
		.enabled = true };

	assert_non_null(arena_own(s->arena, ca, (void (*)(void *))X509_free));
	assert_int_equal(cert_pem(s->arena, ca, &m.anchors_pem), MST_OK);
	assert_int_equal(store_write_wait(s->store, put_other, &m), MST_OK);
	return make_one(s, serial, m.id, ca, "P-256 idevid b");
}

struct device
site_device_row(struct site *s, int64_t id)
{
	struct device d;

	assert_int_equal(device_by_id(store_reader(s->store), s->arena, id, &d), MST_OK);
	return d;
}

static mst_err
save(struct db *db, void *arg)
{
	return device_save(db, arg);
}

void
site_device_save(struct site *s, const struct device *d)
{
	struct device copy = *d;

	assert_int_equal(store_write_wait(s->store, save, &copy), MST_OK);
}

size_t
site_certs(struct site *s)
{
	struct cert_row *rows;
	size_t count;

	assert_int_equal(
	    cert_rows(store_reader(s->store), s->arena, 0, 0, 1000, &rows, &count), MST_OK);
	return count;
}

static mst_err
nothing(struct db *db, void *arg)
{
	(void)db;
	(void)arg;
	return MST_OK;
}

struct trail
site_last_trail(struct site *s, int64_t device)
{
	struct trail *rows;
	size_t count;

	/* rows of refusals are written behind the answer; the queue is in order */
	assert_int_equal(store_write_wait(s->store, nothing, NULL), MST_OK);
	assert_int_equal(
	    trail_list(store_reader(s->store), s->arena, device, 0, 10000, &rows, &count), MST_OK);
	assert_true(count > 0);
	return rows[count - 1];
}

/* --- requests --- */

struct reply
ask(struct client *c, const char *path, const char *type, const char *body, const char *more)
{
	size_t n = body != NULL ? strlen(body) : 0, cap = n + 2048;
	char *text = malloc(cap);
	struct reply r;

	snprintf(text, cap, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s%s%s",
	    body != NULL ? "POST" : "GET", path, type != NULL ? "Content-Type: " : "",
	    type != NULL ? type : "", type != NULL ? "\r\n" : "", more != NULL ? more : "");
	if (body != NULL)
		snprintf(text + strlen(text), cap - strlen(text), "Content-Length: %zu\r\n", n);
	strcat(text, "\r\n");
	if (body != NULL)
		strcat(text, body);
	client_say(c, text);
	r = client_read(c, false);
	free(text);
	return r;
}

char *
text_of(struct arena *a, mst_span der)
{
	struct mst_buf b = arena_buf(a, MST_BASE64_LEN(der.len) + 1);

	assert_int_equal(mst_base64_encode(der, &b), MST_OK);
	return arena_str(a, mst_buf_span(&b));
}

char *
csr_text(struct site *s, EVP_PKEY *key, const char *subject)
{
	return text_of(
	    s->arena, csr_make(s->arena, &(struct csr_spec){ .key = key, .subject = subject }));
}

X509 *
cert_of(const struct reply *r)
{
	struct arena *a = arena_new(0);
	STACK_OF(X509) *certs = NULL;
	mst_span der;
	X509 *cert;

	if (r->status != 200)
		fail_msg("%d: %s", r->status, r->body);
	assert_string_equal(
	    reply_header(r, "Content-Type"), "application/pkcs7-mime; smime-type=certs-only");
	assert_string_equal(reply_header(r, "Content-Transfer-Encoding"), "base64");
	assert_int_equal(r->body[r->len - 1], '\n');
	assert_int_equal(est_body_decode(a, mst_span_of(r->body, r->len), &der), MST_OK);
	assert_int_equal(certs_only_parse(der, &certs), MST_OK);
	assert_int_equal(sk_X509_num(certs), 1); /* P4 */
	cert = sk_X509_shift(certs);
	sk_X509_pop_free(certs, X509_free);
	arena_free(a);
	return cert;
}

void
assert_refused(const struct reply *r, mst_err e)
{
	const struct mst_err_info *i = mst_err_info(e);

	if (r->status != i->http)
		fail_msg("%d, not %d: %s", r->status, i->http, r->body);
	if (i->http == 202) {
		assert_int_equal(r->len, 0); /* H7 */
		assert_string_equal(reply_header(r, "Content-Length"), "0");
		assert_non_null(reply_header(r, "Retry-After"));
		return;
	}
	if (strstr(r->body, i->code) == NULL)
		fail_msg("not %s: %s", i->code, r->body);
	assert_string_equal(reply_header(r, "Content-Type"), "text/plain; charset=utf-8");
}

void
assert_in_trail(struct site *s, const struct reply *r, mst_err e)
{
	struct trail t = site_last_trail(s, 0);

	if (t.err != e)
		fail_msg(
		    "the trail has %s, not %s", mst_err_info(t.err)->name, mst_err_info(e)->name);
	assert_string_equal(t.role, "est");
	assert_string_equal(t.request, reply_header(r, "X-Request-Id"));
}

char *
binding_of(struct site *s, struct client *c)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	uint8_t v[64];
	size_t n = 32;

	/* written apart from server/net: L3, L4 */
	if (SSL_version(c->tls) == TLS1_3_VERSION)
		assert_int_equal(SSL_export_keying_material(
		                     c->tls, v, n, label, 24, (const unsigned char *)"", 0, 1),
		    1);
	else if (SSL_session_reused(c->tls))
		n = SSL_get_peer_finished(c->tls, v, sizeof v);
	else
		n = SSL_get_finished(c->tls, v, sizeof v);
	assert_int_equal(n, SSL_version(c->tls) == TLS1_3_VERSION ? 32 : 12);
	return text_of(s->arena, mst_span_of(v, n));
}
