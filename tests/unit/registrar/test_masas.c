/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two manufacturers, two MASAs: one that hangs, refuses or lies delays its own
 * devices and nobody else's (issue 2, item B7).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "host/file.h"
#include "tests/unit/registrar/support_site.h"

#define WAITING 12 /* more than the calls that one MASA gets at once */

static int other_port;
static struct manufacturer other;
static char asker[128], authorization[128]; /* at the other MASA, the latest */

static void
other_masa(struct net_request *rq, void *arg)
{
	snprintf(asker, sizeof asker, "nobody");
	if (rq->peer->leaf != NULL)
		X509_NAME_get_text_by_NID(
		    X509_get_subject_name(rq->peer->leaf), NID_commonName, asker, sizeof asker);
	snprintf(authorization, sizeof authorization, "%s",
	    rq->authorization != NULL ? rq->authorization : "none");
	site_good_masa(rq, arg);
}

static void
other_up(const struct net_route *routes, size_t count)
{
	static const struct net_route masa[] = {
		{ "/.well-known/brski/requestvoucher", 1u << NET_POST, other_masa, NULL },
	};
	struct net_listen o = { .name = "other",
		.address = "127.0.0.1:0",
		.cert = site.masa.cert,
		.key = site.masa.key,
		.ask_client_cert = true,
		.routes = masa,
		.route_count = 1 };

	(void)routes;
	(void)count;
	if (net_listen(site.net, &o, &other_port) != MST_OK)
		fail_msg("listen: %s", net_why());
}

static void
other_down(void)
{
}

static mst_err
put(struct db *db, void *arg)
{
	return manufacturer_put(db, arg);
}

struct asker {
	const struct id *d;
	const char *serial;
	mst_span pvr;
	pthread_t thread;
	int status;
};

static void *
ask(void *arg)
{
	struct asker *k = arg;

	k->status = site_ask_quietly(k->d, k->pvr);
	return NULL;
}

static void
test_others_get_through(void **state)
{
	enum masa_mode mode = *(const enum masa_mode *)*state;
	struct asker k[WAITING];
	struct got g = { 0 };
	mst_span pvr;

	for (int i = 0; i < WAITING; i++) {
		k[i].d = site_device(&k[i].serial);
		k[i].pvr = site_pvr(k[i].d, k[i].serial, "bm9uY2Ugb2YgdGVzdCAwMTI=");
	}
	atomic_store(&site.mode, mode);
	for (int i = 0; i < WAITING; i++)
		assert_int_equal(pthread_create(&k[i].thread, NULL, ask, &k[i]), 0);
	while (atomic_load(&site.calls) < 2) /* what a loop may have open */
		site_sleep_ms(20);
	/* another nonce for each row of the table: the stranger is the same device */
	pvr = site_pvr(
	    &site.stranger, "D-00", arena_printf(site.a, "bm9uY2Ugb2YgdGVzdCAwM%03d", (int)mode));
	for (int i = 0; i < 5 && g.status != 200; i++)
		g = site_ask(&site.stranger, pvr);
	if (g.status != 200)
		print_error("%d %.*s\n", g.status, (int)g.body.len, (const char *)g.body.ptr);
	assert_int_equal(g.status, 200);
	if (mode == MASA_HANG) /* and meanwhile nothing has become of them */
		for (int i = 0; i < WAITING; i++)
			assert_int_equal(site_trail(k[i].serial, STEP_VOUCHER), MST_E_INTERNAL);
	for (int i = 0; i < WAITING; i++) {
		pthread_join(k[i].thread, NULL);
		assert_int_not_equal(k[i].status, 200);
	}
}

static const char *
put_file(const char *name, mst_span bytes)
{
	const char *path = arena_printf(site.a, "%s/%s", site.dir, name);

	assert_int_equal(file_write_new(path, bytes, 0600), MST_OK);
	return path;
}

static void
ask_as_stranger(const char *nonce)
{
	struct got g = { 0 };
	mst_span pvr = site_pvr(&site.stranger, "D-00", nonce);

	for (int i = 0; i < 5 && g.status != 200; i++)
		g = site_ask(&site.stranger, pvr);
	assert_int_equal(g.status, 200);
}

/* TLS-6: what the manufacturer's entry says is shown to its MASA; without, the registrar's own. */
static void
test_credentials(void **state)
{
	struct id customer = ID(.kind = ID_PLAIN, .cn = "customer 7");
	struct manufacturer m = other;

	(void)state;
	ask_as_stranger("bm9uY2Ugb2YgdGVzdCBBMDA=");
	assert_string_equal(asker, "registrar");
	assert_string_equal(authorization, "none");
	m.masa_cert_uri = put_file("customer.pem", pem_of(site.a, &customer.cert, 1));
	m.masa_key_uri = put_file("customer.key", pem_of_key(site.a, customer.key));
	m.masa_user = "site";
	m.masa_password = "secret";
	site_write(put, &m);
	ask_as_stranger("bm9uY2Ugb2YgdGVzdCBBMDE=");
	assert_string_equal(asker, "customer 7");
	assert_string_equal(authorization, "Basic c2l0ZTpzZWNyZXQ=");
	site_write(put, &other);
	ask_as_stranger("bm9uY2Ugb2YgdGVzdCBBMDI=");
	assert_string_equal(asker, "registrar");
	id_free(&customer);
}

static int
setup(void **state)
{
	site_start();
	(void)site_in_cms(state);
	other = (struct manufacturer){ .name = "other",
		.mode = ACCEPT_AUTO,
		.enabled = true,
		.audit_policy = "strict",
		.anchors_pem = pem_of(site.a, &site.stranger_ca.cert, 1),
		.voucher_anchors_pem = pem_of(site.a, &site.voucher_ca.cert, 1),
		.masa_anchors_pem = pem_of(site.a, &site.masa.cert, 1),
		.masa_url = arena_printf(site.a, "127.0.0.1:%d", other_port) };
	site_write(put, &other);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	site_stop();
	return 0;
}

int
main(void)
{
	static const struct site_more more = { other_up, other_down };
	static enum masa_mode modes[] = { MASA_HANG, MASA_500, MASA_WRONG_SIGNER };
	const struct CMUnitTest tests[] = {
		{ "B7 a MASA that hangs delays only its own devices", test_others_get_through, NULL,
		    NULL, &modes[0] },
		{ "B7 one that fails, the same", test_others_get_through, NULL, NULL, &modes[1] },
		{ "TLS-6 the credential of a manufacturer's entry", test_credentials, NULL, NULL,
		    NULL },
		{ "B7 one that lies, the same", test_others_get_through, NULL, NULL, &modes[2] },
	};

	site_more = &more;
	return cmocka_run_group_tests_name("registrar and two MASAs", tests, setup, teardown);
}
