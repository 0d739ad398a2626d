/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <curl/curl.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "host/file.h"
#include "host/log.h"
#include "tests/unit/masa/support_server.h"

struct server server;

static const char *
put_file(const char *name, mst_span bytes)
{
	char *path = arena_printf(server.a, "%s/%s", server.dir, name);

	assert_int_equal(file_write_new(path, bytes, 0600), MST_OK);
	return path;
}

static struct keys_slot
slot(const char *name, enum keys_purpose purpose, const struct id *id)
{
	X509 *chain[] = { id->cert, server.voucher_ca.cert };

	return (struct keys_slot){ .name = name,
		.purpose = purpose,
		.key_uri =
		    put_file(arena_printf(server.a, "%s.key", name), pem_of_key(server.a, id->key)),
		.cert_path =
		    put_file(arena_printf(server.a, "%s.pem", name), pem_of(server.a, chain, 2)) };
}

static void
start_keys(void)
{
	struct keys_slot slots[2];

	server.voucher_ca = id_make(&(struct id_spec){ .kind = ID_CA, .cn = "voucher CA" });
	server.short_id = id_make(&(struct id_spec){
	    .kind = ID_DEVICE, .cn = "short vouchers", .issuer = &server.voucher_ca });
	server.long_id = id_make(&(struct id_spec){
	    .kind = ID_DEVICE, .cn = "long vouchers", .issuer = &server.voucher_ca });
	server.tls = id_make(&(struct id_spec){ .kind = ID_PLAIN, .cn = "localhost" });
	slots[0] = slot("short", KEYS_VOUCHER_SHORT, &server.short_id);
	slots[1] = slot("long", KEYS_VOUCHER_LONG, &server.long_id);
	if (keys_start(slots, 2, NULL, 0, &server.keys) != MST_OK)
		fail_msg("keys: %s", keys_why());
}

void
server_write(store_job job, void *arg)
{
	assert_int_equal(store_write_wait(server.store, job, arg), MST_OK);
}

static mst_err
add_devices(struct db *db, void *arg)
{
	struct world *w = arg;
	mst_err e = MST_OK;

	for (size_t i = 0; i < w->device_count && e == MST_OK; i++) {
		struct masa_device d = w->devices[i];

		d.id = 0;
		e = masa_device_add(db, &d);
	}
	return e;
}

static int
listen_on(struct masa *m, const char *name)
{
	struct net_listen o = { .name = name,
		.address = "127.0.0.1:0",
		.cert = server.tls.cert,
		.key = server.tls.key,
		.ask_client_cert = true };
	int port = 0;

	o.routes = masa_routes(m, &o.route_count);
	if (net_listen(server.net, &o, &port) != MST_OK)
		fail_msg("listen: %s", net_why());
	return port;
}

static void *
run(void *arg)
{
	(void)arg;
	if (net_run(server.net) != MST_OK)
		abort();
	return NULL;
}

static const char *const old_products[] = { "lamp" };

void
server_start(void)
{
	struct masa_config cfg = { .failure_delay_ms = 1,
		.failures_per_minute = 1000,
		.refusals_per_minute = 100000,
		.id_data_products = old_products,
		.id_data_count = 1 };
	struct world w;

	log_open("test", LOG_JSON, LOG_ERROR_, 2);
	server.a = arena_new(0);
	strcpy(server.dir, "/tmp/muster-masa-XXXXXX");
	assert_non_null(mkdtemp(server.dir));
	curl_global_init(CURL_GLOBAL_DEFAULT);
	start_keys();
	if (store_open(arena_printf(server.a, "%s/masa.db", server.dir), &server.store) != MST_OK)
		fail_msg("store: %s", store_why());
	world_good(&w);
	server_write(add_devices, &w);
	world_free(&w);
	assert_int_equal(net_new(2, &server.net), MST_OK);
	cfg.idevid_anchors_pem = pem_of(server.a, &pki.idevid_ca.cert, 1);
	if (masa_open(&cfg, server.net, server.store, server.keys, &server.masa) != MST_OK)
		fail_msg("masa: %s", masa_why());
	cfg.source_per_minute = 2;
	if (masa_open(&cfg, server.net, server.store, server.keys, &server.strict) != MST_OK)
		fail_msg("masa: %s", masa_why());
	cfg.source_per_minute = 0;
	cfg.failures_per_minute = 1;
	if (masa_open(&cfg, server.net, server.store, server.keys, &server.slow) != MST_OK)
		fail_msg("masa: %s", masa_why());
	server.port = listen_on(server.masa, "masa");
	server.strict_port = listen_on(server.strict, "masa");
	server.slow_port = listen_on(server.slow, "masa");
	assert_int_equal(pthread_create(&server.thread, NULL, run, NULL), 0);
}

static void
remove_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *f;
	char path[400];

	while (d != NULL && (f = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, f->d_name);
		(void)unlink(path);
	}
	if (d != NULL)
		closedir(d);
	(void)rmdir(dir);
}

void
server_stop(void)
{
	net_stop(server.net);
	pthread_join(server.thread, NULL);
	masa_close(server.masa);
	masa_close(server.strict);
	masa_close(server.slow);
	net_free(server.net);
	keys_stop(server.keys);
	store_close(server.store);
	id_free(&server.voucher_ca);
	id_free(&server.short_id);
	id_free(&server.long_id);
	id_free(&server.tls);
	remove_dir(server.dir);
	curl_global_cleanup();
	arena_free(server.a);
}

static size_t
take_body(char *data, size_t one, size_t n, void *arg)
{
	struct mst_buf *b = arg;

	(void)one;
	return mst_buf_put(b, mst_span_of(data, n)) == MST_OK ? n : 0;
}

static size_t
take_header(char *data, size_t one, size_t n, void *arg)
{
	static const char *const names[] = {
		"Content-Type: ", "Retry-After: ", "WWW-Authenticate: "
	};
	struct got *g = arg;
	char *out[] = { g->type, g->retry_after, g->authenticate };
	size_t cap[] = { sizeof(g->type), sizeof(g->retry_after), sizeof(g->authenticate) };

	(void)one;
	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(names[i]);

		if (n > len && strncasecmp(data, names[i], len) == 0)
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
set_tls(CURL *c, struct arena *a, const struct ask *q)
{
	struct curl_blob ca = blob(pem_of(a, &server.tls.cert, 1));

	curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	if (q->client != NULL) {
		X509 *chain[] = { q->client->cert, pki.ca.cert };
		struct curl_blob cert = blob(pem_of(a, chain, 2));
		struct curl_blob key = blob(pem_of_key(a, q->client->key));

		curl_easy_setopt(c, CURLOPT_SSLCERT_BLOB, &cert);
		curl_easy_setopt(c, CURLOPT_SSLCERTTYPE, "PEM");
		curl_easy_setopt(c, CURLOPT_SSLKEY_BLOB, &key);
		curl_easy_setopt(c, CURLOPT_SSLKEYTYPE, "PEM");
	}
}

struct got
ask(struct arena *a, const struct ask *q)
{
	struct mst_buf body = arena_buf(a, 256 * 1024);
	struct curl_slist *headers = NULL;
	struct got g = { 0 };
	CURL *c = curl_easy_init();
	long status = 0;
	CURLcode rc;

	curl_easy_setopt(c, CURLOPT_URL,
	    arena_printf(a, "https://127.0.0.1:%d%s", q->port != 0 ? q->port : server.port,
	        q->path != NULL ? q->path : "/.well-known/brski/requestvoucher"));
	set_tls(c, a, q);
	if (q->method != NULL) {
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
	} else {
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)q->body.len);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->body.ptr);
	}
	headers = curl_slist_append(headers,
	    q->type != NULL ? arena_printf(a, "Content-Type: %s", q->type) : "Content-Type:");
	headers = curl_slist_append(headers, "Expect:");
	headers = curl_slist_append(
	    headers, q->accept != NULL ? arena_printf(a, "Accept: %s", q->accept) : "Accept:");
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	if (q->user_password != NULL)
		curl_easy_setopt(c, CURLOPT_USERPWD, q->user_password);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &body);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, &g);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 30L);
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	rc = curl_easy_perform(c);
	if (rc != CURLE_OK)
		print_error("curl: %s\n", curl_easy_strerror(rc));
	assert_int_equal(rc, CURLE_OK);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(c);
	g.status = (int)status;
	g.body = mst_buf_span(&body);
	return g;
}

struct got
ask_world(struct world *w, const struct ask *more)
{
	struct ask q = more != NULL ? *more : (struct ask){ 0 };

	if (w->message.ptr == NULL)
		world_seal(w);
	q.body = w->message;
	if (q.type == NULL)
		q.type = mst_media_type(w->media);
	if (q.accept == NULL)
		q.accept = w->accept;
	return ask(w->a, &q);
}

/* Nobody but the world's customers has anchors, credentials or rights. */
static mst_err
be(struct db *db, void *arg)
{
	struct world *w = arg;
	struct masa_customer *old;
	struct masa_device d;
	int64_t owner = w->devices[0].customer;
	size_t n;
	mst_err e;

	if ((e = masa_customer_list(db, w->a, &old, &n)) != MST_OK)
		return e;
	for (size_t i = 0; i < n; i++) {
		struct masa_customer c = { .name = old[i].name };

		if ((e = masa_customer_put(db, &c)) != MST_OK)
			return e;
	}
	for (size_t i = 0; i < w->customer_count; i++) {
		int64_t was = w->customers[i].id;

		if ((e = masa_customer_put(db, &w->customers[i])) != MST_OK)
			return e;
		if (owner == was)
			w->devices[0].customer = w->customers[i].id;
	}
	if ((e = masa_device_find(db, w->a, MST_LIT(SERIAL), w->devices[0].idevid_issuer, &d)) !=
	    MST_OK)
		return e;
	d.customer = w->devices[0].customer;
	d.state = w->devices[0].state;
	d.state_reason = w->devices[0].state_reason;
	w->devices[0].id = d.id;
	return masa_device_save(db, &d);
}

void
server_be(struct world *w)
{
	server_write(be, w);
	masa_reload(server.masa);
	masa_reload(server.strict);
	masa_reload(server.slow);
}

static mst_err
nothing(struct db *db, void *arg)
{
	(void)db;
	(void)arg;
	return MST_OK;
}

size_t
server_trail(struct arena *a, struct trail **rows)
{
	size_t n = 0;

	server_write(nothing, NULL); /* rows of refusals are written behind the answer, in order */
	assert_int_equal(trail_list(store_reader(server.store), a, 0, 0, 100000, rows, &n), MST_OK);
	return n;
}

size_t
server_log(const char *serial, struct arena *a, struct masa_entry **entries)
{
	struct db *db = store_reader(server.store);
	struct masa_device d;
	size_t n = 0;

	assert_int_equal(masa_device_by_serial(db, a, mst_span_str(serial), &d), MST_OK);
	assert_int_equal(masa_log_list(db, a, d.id, entries, &n), MST_OK);
	return n;
}

size_t
server_log_count(const char *serial)
{
	struct arena *a = arena_new(0);
	struct masa_entry *entries;
	size_t n = server_log(serial, a, &entries);

	arena_free(a);
	return n;
}
