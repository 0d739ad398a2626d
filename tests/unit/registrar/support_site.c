/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <curl/curl.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "host/file.h"
#include "host/log.h"
#include "muster/base64.h"
#include "tests/unit/registrar/support_site.h"

struct site site = { .media = MST_MEDIA_CMS_JSON };
const struct site_more *site_more;

int
site_in_jws(void **state)
{
	(void)state;
	site.media = MST_MEDIA_JWS_JSON;
	return 0;
}

int
site_in_cose(void **state)
{
	(void)state;
	site.media = MST_MEDIA_COSE_CBOR;
	return 0;
}

int
site_in_cms(void **state)
{
	(void)state;
	site.media = MST_MEDIA_CMS_JSON;
	return 0;
}

void
site_sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, (ms % 1000) * 1000000 }, NULL);
}

/* --- the MASA --- */

static void
say(struct net_request *rq, int status, const char *type, const char *text)
{
	net_reply(rq, status, type, mst_span_str(text), NULL, 0);
}

static mst_err
open_rvr(struct net_request *rq, struct envelope *env)
{
	return envelope_open(rq->arena, mst_media_find(mst_span_str(rq->content_type)),
	    MST_VOUCHER_REQUEST, rq->body, NULL, env);
}

static void
send_voucher(struct net_request *rq, enum masa_mode mode)
{
	struct mst_voucher_claims v;
	struct envelope env;
	const struct id *signer = &site.voucher, *ca = &site.voucher_ca;
	struct envelope_signer s = { 0 };
	mst_span out = MST_NONE;

	mst_voucher_claims_init(&v, MST_VOUCHER);
	if (open_rvr(rq, &env) != MST_OK) {
		say(rq, 400, "text/plain", "no request\n");
		return;
	}
	v.assertion = MST_ASSERT_PROXIMITY;
	v.created_on = time(NULL);
	v.serial = mode == MASA_WRONG_SERIAL ? MST_LIT("someone else") : env.claims.serial;
	v.nonce = mode == MASA_WRONG_NONCE ? MST_LIT("another nonce!!!") : env.claims.nonce;
	v.nonce_text =
	    mode == MASA_WRONG_NONCE ? MST_LIT("YW5vdGhlciBub25jZSEhIQ==") : env.claims.nonce_text;
	if (cert_der(rq->arena, mode == MASA_WRONG_PIN ? site.other_site.cert : site.root.cert,
	        &v.pinned_cert) != MST_OK)
		abort();
	if (mode == MASA_WRONG_SIGNER) {
		signer = &site.other_voucher;
		ca = &site.other_voucher_ca;
	}
	s.key = signer->key;
	s.cert = signer->cert;
	s.chain = sk_X509_new_null();
	if (mode != MASA_LONE)
		sk_X509_push((STACK_OF(X509) *)(uintptr_t)s.chain, ca->cert);
	if (envelope_seal(rq->arena, env.media, &v, &s, &out) != MST_OK)
		abort();
	sk_X509_free((STACK_OF(X509) *)(uintptr_t)s.chain);
	net_reply(rq, 200,
	    mode == MASA_WRONG_TYPE ? "application/octet-stream" : mst_media_type(env.media), out,
	    NULL, 0);
}

void
site_good_masa(struct net_request *rq, void *arg)
{
	(void)arg;
	send_voucher(rq, MASA_GOOD);
}

static void
send_late(void *arg)
{
	send_voucher(arg, MASA_GOOD);
}

static void
on_voucher(struct net_request *rq, void *arg)
{
	static char large[300 << 10];
	static const struct net_header wait = { "Retry-After", "33" };
	enum masa_mode mode = (enum masa_mode)atomic_load(&site.mode);
	const char *type = mst_media_type(mst_media_find(mst_span_str(rq->content_type)));

	(void)arg;
	atomic_fetch_add(&site.calls, 1);
	switch (mode) {
	case MASA_GOOD:
	case MASA_WRONG_NONCE:
	case MASA_WRONG_SERIAL:
	case MASA_WRONG_PIN:
	case MASA_WRONG_SIGNER:
	case MASA_LONE:
	case MASA_WRONG_TYPE: send_voucher(rq, mode); return;
	case MASA_SLOW:
		if (net_after(rq->loop, 3000, send_late, rq) == NULL)
			abort();
		return;
	case MASA_GARBAGE: say(rq, 200, type, "this is no voucher"); return;
	case MASA_EMPTY: say(rq, 200, type, ""); return;
	case MASA_TOO_LARGE:
		memset(large, 'x', sizeof large - 1);
		say(rq, 200, type, large);
		return;
	case MASA_400: say(rq, 400, "text/plain", "what?\n"); return;
	case MASA_401: say(rq, 401, "text/plain", "who are you\r\nX: y\n"); return;
	case MASA_403: say(rq, 403, "text/plain", "SECRET of the MASA\n"); return;
	case MASA_404: say(rq, 404, "text/plain", "unknown device\n"); return;
	case MASA_406: say(rq, 406, "text/plain", "not that type\n"); return;
	case MASA_415: say(rq, 415, "text/plain", "not this type\n"); return;
	case MASA_500: say(rq, 500, "text/plain", "oops\n"); return;
	case MASA_202: net_reply(rq, 202, NULL, MST_NONE, &wait, 1); return;
	case MASA_302: say(rq, 302, "text/plain", "elsewhere\n"); return;
	case MASA_HANG: return;
	}
}

static void
send_log(struct net_request *rq, enum audit_mode mode, mst_span nonce)
{
	uint8_t text[64];
	struct mst_buf b = MST_BUF(text);
	mst_span id;
	const char *mine;

	if (cert_domain_id(rq->arena, site.root.cert, &id) != MST_OK ||
	    mst_base64_encode(id, &b) != MST_OK)
		abort();
	mine = arena_printf(rq->arena,
	    "{\"date\":\"2026-11-23T09:00:00Z\",\"domainID\":\"%.*s\",\"nonce\":\"%.*s\","
	    "\"assertion\":\"proximity\"}",
	    (int)b.len, (char *)text, (int)nonce.len, (const char *)nonce.ptr);
	say(rq, 200, mode == AUDIT_WRONG_TYPE ? "text/html" : "application/json",
	    arena_printf(rq->arena, "{\"version\":1,\"events\":[%s%s],\"truncation\":{}}",
	        mode == AUDIT_EMPTY ? "" : mine,
	        mode == AUDIT_FOREIGN
	            ? ",{\"date\":\"2026-11-23T09:00:00Z\",\"domainID\":\"SEVSUw==\","
	              "\"nonce\":\"eHh4eHh4eHg=\",\"assertion\":\"logged\"}"
	            : ""));
}

static char moved[128]; /* the nonce behind the Location */

static void
on_auditlog(struct net_request *rq, void *arg)
{
	struct net_header to = { "Location", "/log/4711" };
	enum audit_mode mode = (enum audit_mode)atomic_load(&site.audit);
	struct envelope env;
	mst_span nonce;

	(void)arg;
	atomic_fetch_add(&site.audit_calls, 1);
	if (open_rvr(rq, &env) != MST_OK ||
	    envelope_nonce_text(rq->arena, &env.claims, &nonce) != MST_OK) {
		say(rq, 400, "text/plain", "no request\n");
		return;
	}
	atomic_store(&site.bag, sk_X509_num(env.certs));
	switch (mode) {
	case AUDIT_GOOD:
	case AUDIT_FOREIGN:
	case AUDIT_EMPTY:
	case AUDIT_WRONG_TYPE: send_log(rq, mode, nonce); return;
	case AUDIT_GARBAGE: say(rq, 200, "application/json", "{\"version\":"); return;
	case AUDIT_404: say(rq, 404, "text/plain", "no\n"); return;
	case AUDIT_ELSEWHERE: to.value = "https://127.0.0.2:1/log"; break;
	case AUDIT_LOCATION:
		snprintf(moved, sizeof moved, "%.*s", (int)nonce.len, (const char *)nonce.ptr);
		break;
	}
	net_reply(rq, 201, NULL, MST_NONE, &to, 1);
}

static void
on_moved(struct net_request *rq, void *arg)
{
	(void)arg;
	send_log(rq, AUDIT_GOOD, mst_span_str(moved));
}

static const struct net_route masa_routes_[] = {
	{ "/.well-known/brski/requestvoucher", 1u << NET_POST, on_voucher, NULL },
	{ "/.well-known/brski/requestauditlog", 1u << NET_POST, on_auditlog, NULL },
	{ "/log/4711", 1u << NET_GET, on_moved, NULL },
};

/* --- up and down --- */

static const struct ca_profile profile = {
	.name = "device", .seconds = 86400, .ekus = "1.3.6.1.5.5.7.3.2", .san = CA_SAN_DNS
};
static const struct ca_config ca_configs[] = {
	{ .label = "", .slot = "ca", .profiles = &profile, .profile_count = 1 },
	{ .label = "lab", .slot = "lab", .profiles = &profile, .profile_count = 1 },
};

static size_t
ca_count(void)
{
	return site_more != NULL ? 2 : 1;
}

static struct keys_slot
slot(const char *name, enum keys_purpose purpose, const struct id *id)
{
	X509 *chain[] = { id->cert, site.root.cert };
	size_t count = id == &site.root || id == &site.lab ? 1 : 2;
	const char *key = arena_printf(site.a, "%s/%s.key", site.dir, name);
	const char *cert = arena_printf(site.a, "%s/%s.pem", site.dir, name);

	assert_int_equal(file_write_new(key, pem_of_key(site.a, id->key), 0600), MST_OK);
	assert_int_equal(file_write_new(cert, pem_of(site.a, chain, count), 0600), MST_OK);
	return (struct keys_slot){
		.name = name, .purpose = purpose, .key_uri = key, .cert_path = cert
	};
}

static void
start_keys(void)
{
	struct keys_slot slots[] = { slot("ca", KEYS_CA, &site.root),
		slot("rvr", KEYS_RVR, &site.registrar), slot("lab", KEYS_CA, &site.lab) };
	struct keys_profile *profiles;
	size_t n;

	assert_int_equal(ca_keys_profiles(site.a, ca_configs, ca_count(), &profiles, &n), MST_OK);
	if (keys_start(slots, 1 + ca_count(), profiles, n, &site.keys) != MST_OK)
		fail_msg("keys: %s", keys_why());
}

static void
make_certs(void)
{
	site.root = ID(.kind = ID_CA, .cn = "site");
	site.lab = ID(.kind = ID_CA, .cn = "lab");
	site.other_site = ID(.kind = ID_CA, .cn = "site");
	site.registrar = ID(.kind = ID_REGISTRAR, .cn = "registrar", .issuer = &site.root);
	site.maker = ID(.kind = ID_CA, .cn = "maker");
	site.stranger_ca = ID(.kind = ID_CA, .cn = "maker");
	site.stranger =
	    ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "D-00", .issuer = &site.stranger_ca);
	site.voucher_ca = ID(.kind = ID_CA, .cn = "vouchers");
	site.voucher = ID(.kind = ID_DEVICE, .cn = "signer", .issuer = &site.voucher_ca);
	site.other_voucher_ca = ID(.kind = ID_CA, .cn = "vouchers");
	site.other_voucher =
	    ID(.kind = ID_DEVICE, .cn = "signer", .issuer = &site.other_voucher_ca);
	site.masa = ID(.kind = ID_PLAIN, .cn = "masa", .san = "IP:127.0.0.1");
	for (int i = 0; i < DEVICES; i++) {
		char serial[8];

		snprintf(serial, sizeof serial, "D-%02d", i);
		site.device[i] = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = serial,
		    .issuer = &site.maker);
	}
}

static int
listen_on(const char *name, const struct id *tls, const struct net_route *routes, size_t count)
{
	struct net_listen o = { .name = name,
		.address = "127.0.0.1:0",
		.cert = tls->cert,
		.key = tls->key,
		.ask_client_cert = true,
		.routes = routes,
		.route_count = count };
	int port = 0;

	if (net_listen(site.net, &o, &port) != MST_OK)
		fail_msg("listen: %s", net_why());
	return port;
}

static void *
run(void *arg)
{
	(void)arg;
	if (net_run(site.net) != MST_OK)
		abort();
	return NULL;
}

static mst_err
put_maker(struct db *db, void *arg)
{
	return manufacturer_put(db, arg);
}

void
site_put_maker(struct manufacturer *m)
{
	m->masa_url = arena_printf(site.a, "127.0.0.1:%d", site.masa_port);
	site_write(put_maker, m);
}

static void
up(void)
{
	struct registrar_config c = { .keys = site.keys,
		.loops = site.loops,
		.rvr_slot = "rvr",
		.tls_cert = site.registrar.cert,
		.tls_key = site.registrar.key,
		.masa_timeout_ms = 5000,
		.masa_concurrency = 4,
		.retry_after = 7,
		.device_rate = 30,
		.answer_ms = 1500 };
	const struct net_route *routes;
	size_t n;

	if (store_open(arena_printf(site.a, "%s/db", site.dir), &site.store) != MST_OK)
		fail_msg("store: %s", store_why());
	assert_int_equal(net_new(2, &site.net), MST_OK);
	if (ca_new(site.store, site.keys, ca_configs, ca_count(), &site.ca) != MST_OK)
		fail_msg("ca: %s", ca_why());
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
		    ca_loop_new_net(site.ca, net_loop_at(site.net, i), &site.loops[i]), MST_OK);
	assert_int_equal(trust_new(site.store, ca_anchors(site.ca, NULL), &site.trust), MST_OK);
	c.store = site.store;
	c.trust = site.trust;
	c.ca = site.ca;
	c.net = site.net;
	assert_int_equal(registrar_new(&c, &site.registrar_role), MST_OK);
	routes = registrar_routes(site.registrar_role, &n);
	site.port = listen_on("registrar", &site.registrar, routes, n);
	site.masa_port = listen_on(
	    "masa", &site.masa, masa_routes_, sizeof masa_routes_ / sizeof masa_routes_[0]);
	if (site_more != NULL)
		site_more->up(routes, n);
	site_put_maker(&site.maker_row);
	assert_int_equal(pthread_create(&site.thread, NULL, run, NULL), 0);
}

/* In the order of server/roles.c. */
static void
down(void)
{
	net_stop(site.net);
	pthread_join(site.thread, NULL);
	for (unsigned i = 0; i < 2; i++)
		ca_loop_free(site.loops[i]);
	registrar_stop(site.registrar_role);
	store_close(site.store);
	if (site_more != NULL)
		site_more->down();
	net_free(site.net);
	registrar_free(site.registrar_role);
	trust_free(site.trust);
	ca_free(site.ca);
}

void
site_restart(void)
{
	down();
	up();
}

void
site_start(void)
{
	log_open("test", LOG_JSON,
	    site.log_fd > 0 || getenv("TEST_LOG") != NULL ? LOG_DEBUG_ : LOG_ERROR_,
	    site.log_fd > 0 ? site.log_fd : 2);
	site.a = arena_new(0);
	strcpy(site.dir, "/tmp/muster-site-XXXXXX");
	assert_non_null(mkdtemp(site.dir));
	curl_global_init(CURL_GLOBAL_DEFAULT);
	make_certs();
	start_keys();
	site.maker_row = (struct manufacturer){ .name = "maker",
		.mode = ACCEPT_AUTO,
		.enabled = true,
		.audit_policy = "strict",
		.anchors_pem = pem_of(site.a, &site.maker.cert, 1),
		.voucher_anchors_pem = pem_of(site.a, &site.voucher_ca.cert, 1),
		.masa_anchors_pem = pem_of(site.a, &site.masa.cert, 1) };
	up();
}

void
site_stop(void)
{
	struct id *ids[] = { &site.root, &site.registrar, &site.maker, &site.voucher_ca,
		&site.voucher, &site.other_voucher_ca, &site.other_voucher, &site.masa,
		&site.stranger_ca, &site.stranger, &site.other_site, &site.lab };
	DIR *d;
	struct dirent *f;

	down();
	keys_stop(site.keys);
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
		id_free(ids[i]);
	for (int i = 0; i < DEVICES; i++)
		id_free(&site.device[i]);
	d = opendir(site.dir);
	while (d != NULL && (f = readdir(d)) != NULL)
		(void)unlink(arena_printf(site.a, "%s/%s", site.dir, f->d_name));
	closedir(d);
	(void)rmdir(site.dir);
	curl_global_cleanup();
	arena_free(site.a);
}

/* --- looking into the database --- */

void
site_write(store_job job, void *arg)
{
	assert_int_equal(store_write_wait(site.store, job, arg), MST_OK);
}

static mst_err
nothing(struct db *db, void *arg)
{
	(void)db;
	(void)arg;
	return MST_OK;
}

const struct id *
site_device(const char **serial)
{
	assert_true(site.next_device < DEVICES);
	*serial = arena_printf(site.a, "D-%02d", site.next_device);
	atomic_store(&site.mode, MASA_GOOD);
	atomic_store(&site.audit, AUDIT_GOOD);
	atomic_store(&site.calls, 0);
	atomic_store(&site.audit_calls, 0);
	return &site.device[site.next_device++];
}

struct device
site_row(const char *serial)
{
	struct device d = { .id = 0 };

	site_write(nothing, NULL); /* behind what was submitted before */
	(void)!device_by_serial(store_reader(site.store), site.a, mst_span_str(serial), &d);
	return d;
}

static size_t
timeline(const char *serial, struct trail **rows)
{
	struct device d = site_row(serial);
	size_t n = 0;

	if (d.id != 0)
		assert_int_equal(
		    trail_list(store_reader(site.store), site.a, d.id, 0, 1000, rows, &n), MST_OK);
	return n;
}

mst_err
site_trail(const char *serial, enum step step)
{
	struct trail *rows;

	for (size_t n = timeline(serial, &rows); n-- > 0;)
		if (rows[n].step == step)
			return rows[n].err;
	return MST_E_INTERNAL;
}

size_t
site_trail_count(const char *serial, enum step step, mst_err e)
{
	struct trail *rows;
	size_t found = 0;

	for (size_t n = timeline(serial, &rows); n-- > 0;)
		found += rows[n].step == step && rows[n].err == e;
	return found;
}

size_t
site_exchanges(const char *serial, struct exchange *latest)
{
	struct device d = site_row(serial);

	*latest = (struct exchange){ .id = 0 };
	return d.id != 0 &&
	       exchange_latest(store_reader(site.store), site.a, d.id, latest) == MST_OK;
}

/* --- pledges --- */

mst_span
site_pvr(const struct id *device, const char *serial, const char *nonce)
{
	struct mst_voucher_claims c;

	mst_voucher_claims_init(&c, MST_VOUCHER_REQUEST);
	c.assertion = MST_ASSERT_PROXIMITY;
	c.created_on = time(NULL);
	c.serial = mst_span_str(serial);
	c.nonce_text = mst_span_str(nonce);
	c.nonce = mst_span_str(nonce); /* the writer takes the text */
	c.proximity_cert = der_of(site.a, site.registrar.cert);
	return seal(site.a, site.media, &c, device,
	    X509_verify(device->cert, X509_get0_pubkey(site.stranger_ca.cert)) == 1
	        ? site.stranger_ca.cert
	        : site.maker.cert);
}

static size_t
take_body(char *data, size_t one, size_t n, void *arg)
{
	(void)one;
	return mst_buf_put(arg, mst_span_of(data, n)) == MST_OK ? n : 0;
}

static size_t
take_header(char *data, size_t one, size_t n, void *arg)
{
	static const char *const names[] = { "Content-Type: ", "Retry-After: ", "Connection: " };
	struct got *g = arg;
	char *out[] = { g->type, g->retry_after, g->connection };
	size_t cap[] = { sizeof g->type, sizeof g->retry_after, sizeof g->connection };

	(void)one;
	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(names[i]);

		if (n > len + 1 && strncasecmp(data, names[i], len) == 0)
			snprintf(out[i], cap[i], "%.*s", (int)(n - len - 2), data + len);
	}
	return n;
}

static struct curl_blob
blob(mst_span s)
{
	return (struct curl_blob){ (void *)(uintptr_t)s.ptr, s.len, CURL_BLOB_COPY };
}

static void
set_tls(CURL *c, struct arena *a, const struct id *client)
{
	struct curl_blob ca = blob(pem_of(a, &site.root.cert, 1)), cert, key;

	curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	if (client == NULL)
		return;
	cert = blob(pem_of(a, &client->cert, 1));
	key = blob(pem_of_key(a, client->key));
	curl_easy_setopt(c, CURLOPT_SSLCERT_BLOB, &cert);
	curl_easy_setopt(c, CURLOPT_SSLKEY_BLOB, &key);
}

static struct got
post_into(
    struct arena *keep, const struct id *client, const char *path, const char *type, mst_span body)
{
	struct arena *a = arena_new(0);
	struct mst_buf out = arena_buf(keep, 1 << 17);
	struct got g = { 0 };
	struct curl_slist *headers = NULL;
	CURL *c = curl_easy_init();
	long status = 0;

	curl_easy_setopt(c, CURLOPT_URL,
	    arena_printf(a, "https://127.0.0.1:%d/.well-known/brski/%s", site.port, path));
	set_tls(c, a, client);
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)body.len);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.ptr);
	headers = curl_slist_append(
	    headers, type != NULL ? arena_printf(a, "Content-Type: %s", type) : "Content-Type:");
	headers = curl_slist_append(headers, "Expect:");
	headers = curl_slist_append(
	    headers, site.accept != NULL ? arena_printf(a, "Accept: %s", site.accept) : "Accept:");
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &out);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, &g);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 30L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	if (curl_easy_perform(c) == CURLE_OK)
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(c);
	arena_free(a);
	g.status = (int)status;
	g.body = mst_buf_span(&out);
	return g;
}

struct got
site_post(const struct id *client, const char *path, const char *type, mst_span body)
{
	return post_into(site.a, client, path, type, body);
}

int
site_ask_quietly(const struct id *client, mst_span pvr)
{
	struct arena *a = arena_new(0);
	int status = post_into(a, client, "requestvoucher", mst_media_type(site.media), pvr).status;

	arena_free(a);
	return status;
}

struct got
site_ask(const struct id *client, mst_span pvr)
{
	return site_post(client, "requestvoucher", mst_media_type(site.media), pvr);
}

struct got
site_status(const struct id *client, const char *what, const char *json)
{
	return site_post(client, what, "application/json", mst_span_str(json));
}

struct order {
	X509 *cert;
	int64_t device;
};

static mst_err
record(struct db *db, void *arg)
{
	struct order *o = arg;
	const ASN1_INTEGER *number = X509_get0_serialNumber(o->cert);
	uint8_t digest[32];
	mst_span spki;
	struct cert_row c = { .device = o->device,
		.profile = "device",
		.ca = "",
		.subject = MST_LIT("name"),
		.identity = "test",
		.not_after = time(NULL) + 3600,
		.revoke_reason = -1 };
	struct device d;
	mst_err e;

	c.serial = mst_span_of(ASN1_STRING_get0_data(number), (size_t)ASN1_STRING_length(number));
	if ((e = cert_spki(site.a, o->cert, &spki)) != MST_OK)
		return e;
	EVP_Digest(spki.ptr, spki.len, digest, NULL, EVP_sha256(), NULL);
	c.spki = spki;
	c.spki_sha256 = c.order_key = mst_span_of(digest, 32);
	if ((e = cert_order(db, &c)) != MST_OK ||
	    (e = cert_issued(db, c.id, der_of(site.a, o->cert), time(NULL))) != MST_OK ||
	    (e = device_by_id(db, site.a, o->device, &d)) != MST_OK)
		return e;
	d.state = DEVICE_ENROLLED;
	return device_save(db, &d);
}

void
site_record(const struct id *id, const char *serial)
{
	struct order o = { id->cert, site_row(serial).id };

	site_write(record, &o);
}

struct id
site_ldevid(const char *serial)
{
	struct id id = ID(.kind = ID_DEVICE, .cn = serial, .issuer = &site.root);

	site_record(&id, serial);
	return id;
}
