/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end: own certificates (est.md A4), IDevIDs (8.2 step 1, ID-4), strangers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "server/trust/trust.h"
#include "tests/unit/registrar/support_id.h"

static struct {
	struct id site, ldevid, revoked, forged, forged_serial, expired, future, other_site,
	    other_ldevid;
	struct id maker, sub, device, late, listed, weak, nameless, off_maker, off_device,
	    false_maker;
	struct id false_device, of_sub, of_device, masa_device, bad_url, registrar;
} pki;
static struct arena *area;
static char dir[64];
static struct store *store;
static struct trust *trust;
static struct anchors *own;
static int64_t device_id;
static struct manufacturer maker;

static mst_err
put_maker(struct db *db, void *arg)
{
	return manufacturer_put(db, arg);
}

static void
put(struct manufacturer *m)
{
	assert_int_equal(store_write_wait(store, put_maker, m), MST_OK);
}

static mst_err
add_device(struct db *db, void *arg)
{
	struct device d;
	bool created;
	mst_err e =
	    device_touch(db, area, maker.id, MST_LIT("S-1"), MST_NONE, time(NULL), &d, &created);

	(void)arg;
	device_id = d.id;
	return e;
}

static mst_span
number_of(X509 *x)
{
	const ASN1_INTEGER *n = X509_get0_serialNumber(x);

	return mst_span_of(ASN1_STRING_get0_data(n), (size_t)ASN1_STRING_length(n));
}

struct order {
	struct id *id;
	int64_t device;
	int issue; /* 0: only ordered */
};

static mst_err
record(struct db *db, void *arg)
{
	struct order *o = arg;
	X509 *x = o->id->cert;
	uint8_t digest[32];
	mst_span spki;
	struct cert_row c = { .device = o->device,
		.profile = "device",
		.ca = "",
		.subject = MST_LIT("name"),
		.identity = "test",
		.serial = number_of(x),
		.not_after = time(NULL) + 3600,
		.revoke_reason = -1 };
	mst_err e = cert_spki(area, x, &spki);

	if (e != MST_OK || EVP_Digest(spki.ptr, spki.len, digest, NULL, EVP_sha256(), NULL) != 1)
		return MST_E_INTERNAL;
	c.spki = spki;
	c.spki_sha256 = c.order_key = mst_span_of(digest, 32);
	if ((e = cert_order(db, &c)) != MST_OK || !o->issue)
		return e;
	return cert_issued(db, c.id, der_of(area, x), time(NULL));
}

static void
recorded(struct id *id, int64_t device, int issue)
{
	struct order o = { id, device, issue };

	assert_int_equal(store_write_wait(store, record, &o), MST_OK);
}

static mst_err
take_back(struct db *db, void *arg)
{
	struct id *id = arg;

	return cert_revoke(db, number_of(id->cert), 1, time(NULL));
}

static void
make_certs(void)
{
	pki.site = ID(.kind = ID_CA, .cn = "site");
	pki.ldevid = ID(.cn = "S-1", .kind = ID_DEVICE, .issuer = &pki.site);
	pki.revoked = ID(.cn = "S-1", .kind = ID_DEVICE, .issuer = &pki.site);
	pki.forged = ID(.cn = "S-1", .kind = ID_DEVICE, .issuer = &pki.site);
	pki.expired =
	    ID(.cn = "S-1", .kind = ID_DEVICE, .issuer = &pki.site, .from = -7200, .until = -60);
	pki.future = ID(.cn = "S-1", .kind = ID_DEVICE, .issuer = &pki.site, .from = 3600);
	/* as issued, but signed once more with another key: same number, other bytes */
	pki.forged_serial = ID(.cn = "S-1", .kind = ID_DEVICE, .issuer = &pki.site);
	X509_set_serialNumber(pki.forged_serial.cert, X509_get_serialNumber(pki.ldevid.cert));
	X509_sign(pki.forged_serial.cert, pki.site.key, EVP_sha256());
	pki.other_site = ID(.kind = ID_CA, .cn = "site");
	pki.other_ldevid = ID(.cn = "S-1", .kind = ID_DEVICE, .issuer = &pki.other_site);
	pki.registrar = ID(.kind = ID_REGISTRAR, .cn = "registrar", .issuer = &pki.site);
	pki.maker = ID(.kind = ID_CA, .cn = "maker");
	pki.sub = ID(.kind = ID_CA, .cn = "maker sub", .issuer = &pki.maker);
	pki.device = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-1", .issuer = &pki.maker);
	pki.of_sub = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-2", .issuer = &pki.sub);
	pki.of_device =
	    ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-9", .issuer = &pki.device);
	pki.late = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-3", .issuer = &pki.maker,
	    .from = -7200, .until = -60);
	pki.listed = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-4", .issuer = &pki.maker);
	pki.weak = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-5", .issuer = &pki.maker,
	    .flags = ID_SHA1);
	pki.nameless = ID(.kind = ID_DEVICE, .cn = "d", .issuer = &pki.maker);
	pki.masa_device = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-6",
	    .issuer = &pki.maker, .masa_url = "masa.example");
	pki.bad_url = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-7", .issuer = &pki.maker,
	    .masa_url = "http://masa.example/");
	pki.false_maker = ID(.kind = ID_CA, .cn = "maker");
	pki.false_device =
	    ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-1", .issuer = &pki.false_maker);
	pki.off_maker = ID(.kind = ID_CA, .cn = "off");
	pki.off_device =
	    ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-8", .issuer = &pki.off_maker);
}

static int
setup(void **state)
{
	struct manufacturer off = { .name = "off", .mode = ACCEPT_AUTO, .masa_url = "m" };

	(void)state;
	area = arena_new(0);
	make_certs();
	strcpy(dir, "/tmp/muster-trust-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(store_open(arena_printf(area, "%s/db", dir), &store), MST_OK);
	maker = (struct manufacturer){ .name = "maker",
		.mode = ACCEPT_AUTO,
		.enabled = true,
		.masa_hosts = "masa.example",
		.masa_password = "secret",
		.anchors_pem = pem_of(area, &pki.maker.cert, 1) };
	put(&maker);
	off.anchors_pem = pem_of(area, &pki.off_maker.cert, 1);
	put(&off);
	assert_int_equal(store_write_wait(store, add_device, NULL), MST_OK);
	recorded(&pki.ldevid, device_id, 1);
	recorded(&pki.revoked, device_id, 1);
	recorded(&pki.expired, device_id, 1);
	recorded(&pki.future, device_id, 1);
	assert_int_equal(store_write_wait(store, take_back, &pki.revoked), MST_OK);
	assert_int_equal(anchors_new(pem_of(area, &pki.site.cert, 1), MST_NONE, &own), MST_OK);
	assert_int_equal(trust_new(store, own, &trust), MST_OK);
	return 0;
}

static int
teardown(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *f;

	(void)state;
	trust_free(trust);
	anchors_free(own);
	store_close(store);
	while (d != NULL && (f = readdir(d)) != NULL)
		(void)unlink(arena_printf(area, "%s/%s", dir, f->d_name));
	closedir(d);
	(void)rmdir(dir);
	for (size_t i = 0; i < sizeof pki / sizeof(struct id); i++)
		id_free((struct id *)&pki + i);
	arena_free(area);
	return 0;
}

static struct trust_verdict
judge(struct arena *a, const struct id *id, X509 *untrusted)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct mst_clock clock = { MST_CLOCK_TRUSTED, time(NULL) };
	struct trust_verdict v;

	if (untrusted != NULL)
		sk_X509_push(chain, untrusted);
	trust_judge_cert(
	    trust, store_reader(store), a, id != NULL ? id->cert : NULL, chain, &clock, &v);
	sk_X509_free(chain);
	return v;
}

/* --- one certificate, one verdict --- */

static const struct row {
	const char *name;
	const struct id *id;
	X509 **untrusted;
	enum trust_class class;
	mst_err why;
} rows[] = {
	{ "8.2-1 anonymous", NULL, NULL, TRUST_ANONYMOUS, MST_OK },
	{ "A4 LDevID, as issued", &pki.ldevid, NULL, TRUST_LDEVID, MST_OK },
	{ "A4 LDEVID_REVOKED", &pki.revoked, NULL, TRUST_REFUSED, MST_E_TLS_LDEVID_REVOKED },
	{ "A4 LDEVID_EXPIRED", &pki.expired, NULL, TRUST_REFUSED, MST_E_TLS_LDEVID_EXPIRED },
	{ "A4 refused: not yet valid", &pki.future, NULL, TRUST_REFUSED,
	    MST_E_TLS_UNTRUSTED_MANUFACTURER },
	{ "A4 LDEVID_UNKNOWN: signed by our CA, never recorded", &pki.forged, NULL, TRUST_REFUSED,
	    MST_E_TLS_LDEVID_UNKNOWN },
	{ "A4 LDEVID_UNKNOWN: the number of a good one, other bytes", &pki.forged_serial, NULL,
	    TRUST_REFUSED, MST_E_TLS_LDEVID_UNKNOWN },
	{ "A4 LDEVID_UNKNOWN: the registrar's own certificate", &pki.registrar, NULL, TRUST_REFUSED,
	    MST_E_TLS_LDEVID_UNKNOWN },
	{ "A4 UNTRUSTED: another CA of the same name", &pki.other_ldevid, NULL, TRUST_REFUSED,
	    MST_E_TLS_UNTRUSTED_MANUFACTURER },
	{ "A4 UNTRUSTED: the same, bringing its CA", &pki.other_ldevid, &pki.other_site.cert,
	    TRUST_REFUSED, MST_E_TLS_UNTRUSTED_MANUFACTURER },
	{ "8.2-1 IDevID", &pki.device, NULL, TRUST_IDEVID, MST_OK },
	{ "8.2-1 IDevID with its intermediate", &pki.of_sub, &pki.sub.cert, TRUST_IDEVID, MST_OK },
	{ "8.2-1 UNTRUSTED: without its intermediate", &pki.of_sub, NULL, TRUST_REFUSED,
	    MST_E_TLS_UNTRUSTED_MANUFACTURER },
	{ "8.2-1 UNTRUSTED: issued by a device", &pki.of_device, &pki.device.cert, TRUST_REFUSED,
	    MST_E_TLS_UNTRUSTED_MANUFACTURER },
	{ "ID-4 IDEVID_EXPIRED", &pki.late, NULL, TRUST_REFUSED, MST_E_TLS_IDEVID_EXPIRED },
	{ "CMS-5 X509_WEAK: signed with SHA-1", &pki.weak, NULL, TRUST_REFUSED, MST_E_X509_WEAK },
	{ "ID-1 IDEVID_SERIAL: none", &pki.nameless, NULL, TRUST_REFUSED, MST_E_TLS_IDEVID_SERIAL },
	{ "8.2-1 UNTRUSTED: another maker of the same name", &pki.false_device, NULL, TRUST_REFUSED,
	    MST_E_TLS_UNTRUSTED_MANUFACTURER },
	{ "8.2-1 UNTRUSTED: the same, bringing its CA", &pki.false_device, &pki.false_maker.cert,
	    TRUST_REFUSED, MST_E_TLS_UNTRUSTED_MANUFACTURER },
	{ "8.2-8 AUTHZ_MANUFACTURER: switched off", &pki.off_device, NULL, TRUST_REFUSED,
	    MST_E_AUTHZ_MANUFACTURER },
};

static void
test_row(void **state)
{
	const struct row *r = *state;
	struct arena *a = arena_new(0);
	struct trust_verdict v = judge(a, r->id, r->untrusted != NULL ? *r->untrusted : NULL);

	assert_int_equal(v.class, r->class);
	assert_string_equal(mst_err_info(v.why)->name, mst_err_info(r->why)->name);
	arena_free(a);
}

static void
test_idevid_facts(void **state)
{
	struct arena *a = arena_new(0);
	struct trust_verdict v = judge(a, &pki.masa_device, NULL);

	(void)state;
	assert_int_equal(v.class, TRUST_IDEVID);
	assert_true(mst_span_eq(v.serial, MST_LIT("S-6")));
	assert_string_equal(v.manufacturer.name, "maker");
	assert_string_equal(v.masa_url, "https://masa.example/.well-known/brski");
	assert_int_equal(v.idevid_issuer.len, 26); /* ID-8 */
	assert_int_equal(v.spki_sha256.len, 32);
	/* nothing large, nothing secret */
	assert_null(v.manufacturer.masa_password);
	assert_null(v.manufacturer.anchors_pem.ptr);
	v = judge(a, &pki.bad_url, NULL);
	assert_int_equal(v.class, TRUST_IDEVID);
	assert_null(v.masa_url);
	assert_int_equal(v.masa_url_err, MST_E_MASA_URL);
	v = judge(a, &pki.device, NULL);
	assert_int_equal(v.masa_url_err, MST_E_NOT_FOUND);
	arena_free(a);
}

static void
test_ldevid_device(void **state)
{
	struct arena *a = arena_new(0);
	struct trust_verdict v = judge(a, &pki.ldevid, NULL);

	(void)state;
	assert_true(mst_span_eq(v.serial, MST_LIT("S-1")));
	assert_int_equal(v.row.device, device_id);
	arena_free(a);
}

static void
test_expiry_ignored(void **state)
{
	struct arena *a = arena_new(0);
	struct manufacturer m = maker;

	(void)state;
	m.ignore_expiry = true;
	put(&m);
	assert_int_equal(judge(a, &pki.late, NULL).class, TRUST_IDEVID);
	m.ignore_expiry = false;
	put(&m);
	assert_int_equal(judge(a, &pki.late, NULL).why, MST_E_TLS_IDEVID_EXPIRED);
	arena_free(a);
}

static void
test_crl(void **state)
{
	struct arena *a = arena_new(0);
	struct manufacturer m = maker;

	(void)state;
	m.crl_pem = crl_of(a, &pki.maker, pki.listed.cert, 3600);
	put(&m);
	assert_int_equal(judge(a, &pki.listed, NULL).why, MST_E_TLS_IDEVID_REVOKED);
	assert_int_equal(judge(a, &pki.device, NULL).class, TRUST_IDEVID);
	m.crl_pem = MST_LIT("no CRL"); /* fails closed */
	put(&m);
	assert_int_equal(judge(a, &pki.device, NULL).why, MST_E_TLS_UNTRUSTED_MANUFACTURER);
	put(&maker);
	assert_int_equal(judge(a, &pki.listed, NULL).class, TRUST_IDEVID);
	arena_free(a);
}

static void
test_untrusted_clock(void **state)
{
	struct mst_clock clock = { MST_CLOCK_UNTRUSTED, 0 };
	struct arena *a = arena_new(0);
	struct trust_verdict v;

	(void)state;
	trust_judge_cert(trust, store_reader(store), a, pki.late.cert, NULL, &clock, &v);
	assert_int_equal(v.class, TRUST_IDEVID); /* CLK-1 */
	arena_free(a);
}

/* --- the same connection, later --- */

static struct net_peer peer;
static struct net_request rq;

static const struct trust_verdict *
connection(const struct id *id)
{
	if (peer.note_free != NULL)
		peer.note_free(peer.note);
	peer = (struct net_peer){ .leaf = id->cert };
	rq = (struct net_request){ .peer = &peer };
	return trust_judge(trust, &rq);
}

static void
end_connection(void)
{
	peer.note_free(peer.note);
	peer = (struct net_peer){ .leaf = NULL };
}

static void
test_revoked_meanwhile(void **state)
{
	struct id late = ID(.cn = "S-1", .kind = ID_DEVICE, .issuer = &pki.site);

	(void)state;
	recorded(&late, device_id, 1);
	assert_int_equal(connection(&late)->class, TRUST_LDEVID);
	assert_int_equal(trust_judge(trust, &rq)->class, TRUST_LDEVID);
	assert_int_equal(store_write_wait(store, take_back, &late), MST_OK);
	assert_int_equal(trust_judge(trust, &rq)->why, MST_E_TLS_LDEVID_REVOKED);
	end_connection();
	id_free(&late);
}

static void
test_ordered_only(void **state)
{
	struct id half = ID(.cn = "S-1", .kind = ID_DEVICE, .issuer = &pki.site);
	struct arena *a = arena_new(0);

	(void)state;
	recorded(&half, device_id, 0);
	assert_int_equal(judge(a, &half, NULL).why, MST_E_TLS_LDEVID_UNKNOWN);
	arena_free(a);
	id_free(&half);
}

static void
test_switched_off_meanwhile(void **state)
{
	struct manufacturer m = maker;

	(void)state;
	assert_int_equal(connection(&pki.device)->class, TRUST_IDEVID);
	m.enabled = false;
	put(&m);
	assert_int_equal(trust_judge(trust, &rq)->why, MST_E_AUTHZ_MANUFACTURER);
	put(&maker);
	assert_int_equal(trust_judge(trust, &rq)->class, TRUST_IDEVID);
	end_connection();
}

static void
test_crl_meanwhile(void **state)
{
	struct arena *a = arena_new(0);
	struct manufacturer m = maker;

	(void)state;
	assert_int_equal(connection(&pki.listed)->class, TRUST_IDEVID);
	m.crl_pem = crl_of(a, &pki.maker, pki.listed.cert, 3600);
	put(&m);
	assert_int_equal(trust_judge(trust, &rq)->why, MST_E_TLS_IDEVID_REVOKED);
	put(&maker);
	end_connection();
	arena_free(a);
}

static void
test_long_connection(void **state)
{
	(void)state;
	(void)connection(&pki.ldevid);
	for (int i = 0; i < 2000; i++) /* its memory must not grow beyond its limit */
		assert_int_equal(trust_judge(trust, &rq)->class, TRUST_LDEVID);
	end_connection();
}

static void
test_copy_too_large(void **state)
{
	struct arena *a = arena_new(0), *small = arena_new(64);
	struct trust_verdict v = judge(a, &pki.device, NULL), out = { .class = TRUST_ANONYMOUS };

	(void)state;
	assert_int_equal(trust_copy(small, &v, &out), MST_E_NOMEM);
	assert_int_equal(out.class, TRUST_ANONYMOUS); /* untouched */
	arena_free(small);
	arena_free(a);
}

int
main(void)
{
	static const struct CMUnitTest more[] = {
		cmocka_unit_test(test_idevid_facts),
		cmocka_unit_test(test_ldevid_device),
		{ "ID-4 expiry ignored by the manufacturer's rule, and back", test_expiry_ignored,
		    NULL, NULL, NULL },
		{ "8.2-1 IDEVID_REVOKED by CRL; a broken CRL fails closed", test_crl, NULL, NULL,
		    NULL },
		{ "CLK-1 no clock, no expiry", test_untrusted_clock, NULL, NULL, NULL },
		{ "A4 revoked meanwhile: same connection", test_revoked_meanwhile, NULL, NULL,
		    NULL },
		{ "A4 LDEVID_UNKNOWN: ordered, never issued", test_ordered_only, NULL, NULL, NULL },
		{ "8.2-8 switched off meanwhile: same connection", test_switched_off_meanwhile,
		    NULL, NULL, NULL },
		{ "8.2-1 CRL meanwhile: same connection", test_crl_meanwhile, NULL, NULL, NULL },
		cmocka_unit_test(test_long_connection),
		cmocka_unit_test(test_copy_too_large),
	};
	struct CMUnitTest tests[sizeof rows / sizeof rows[0] + sizeof more / sizeof more[0]];
	size_t n = 0;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		tests[n++] = (struct CMUnitTest){ rows[i].name, test_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	memcpy(tests + n, more, sizeof more);
	return cmocka_run_group_tests_name("trust", tests, setup, teardown);
}
