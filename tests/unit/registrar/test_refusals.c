/* SPDX-License-Identifier: Apache-2.0 */
/* Each check of brski.md 8.2 alone, as the pledge sees it over TLS and as the site remembers it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/unit/registrar/support_site.h"

static void
is(mst_err got, mst_err want)
{
	assert_string_equal(mst_err_info(got)->name, mst_err_info(want)->name);
}

static bool
says(const struct got *g, const char *text)
{
	return memmem(g->body.ptr, g->body.len, text, strlen(text)) != NULL;
}

#define N(x) "bm9uY2Ugb2YgdGVzdCAwM" x /* base64 text of a nonce, made different by x */

static const struct id *refused_device; /* one that is known to the site */
static const char *refused_serial;
static struct id expired,
    sibling; /* IDevIDs of that maker: its own of yesterday, another device's */

struct bend {
	struct mst_voucher_claims c;
	const struct id *client, *signer;
	const char *type, *accept;
	mst_span body;
	size_t cut;
	bool damaged;
};

#define BEND(name, ...)                                                                            \
	static void bend_##name(struct bend *b)                                                    \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
BEND(assertion, b->c.assertion = MST_ASSERT_LOGGED)
BEND(no_assertion, b->c.assertion = MST_ASSERT_ABSENT)
BEND(proximity, b->c.proximity_cert = der_of(site.a, site.other_site.cert))
BEND(no_proximity, b->c.proximity_cert = MST_NONE)
BEND(pubk, b->c.proximity_cert = MST_NONE;
     assert_int_equal(cert_spki(site.a, site.other_site.cert, &b->c.proximity_pubk), MST_OK))
BEND(serial, b->c.serial = MST_LIT("D-99"))
BEND(no_serial, b->c.serial = MST_NONE)
BEND(no_nonce, b->c.nonce = b->c.nonce_text = MST_NONE)
BEND(nonce_short, b->c.nonce = MST_LIT("seven!!"); b->c.nonce_text = MST_LIT("c2V2ZW4hIQ=="))
BEND(future, b->c.created_on = time(NULL) + 2 * 86400)
BEND(expires, b->c.expires_on = time(NULL) + 600)
BEND(voucher, b->c.kind = MST_VOUCHER; b->c.proximity_cert = MST_NONE)
BEND(cut, b->cut = 12)
BEND(damaged, b->damaged = true)
BEND(signer, b->signer = &sibling)
BEND(media, b->type = "application/json")
BEND(no_media, b->type = NULL)
BEND(cose, b->type = "application/voucher+cose")
BEND(accept, b->accept = "application/voucher-jws+json")
BEND(anonymous, b->client = NULL)
BEND(stranger, b->client = &site.stranger)
BEND(expired, b->client = b->signer = &expired)
BEND(revoked, (void)b;
     site.maker_row.crl_pem = crl_of(site.a, &site.maker, refused_device->cert, 3600);
     site_put_maker(&site.maker_row))
BEND(garbage, b->body = MST_LIT("garbage"))
BEND(base64, b->body = MST_LIT("MIIB")) /* HT-4 is off */

static const struct refusal_row {
	const char *name;
	void (*bend)(struct bend *);
	int status;
	mst_err want;
	int closes, known; /* known: the row stands in the device's timeline */
} refusals[] = {
	{ "8.2-1 TLS_NO_CLIENT_CERT: 401", bend_anonymous, 401, MST_E_TLS_NO_CLIENT_CERT, 0, 0 },
	{ "8.2-1 TLS_UNTRUSTED_MANUFACTURER: 403", bend_stranger, 403,
	    MST_E_TLS_UNTRUSTED_MANUFACTURER, 0, 0 },
	{ "8.2-1 TLS_IDEVID_EXPIRED: 403", bend_expired, 403, MST_E_TLS_IDEVID_EXPIRED, 0, 0 },
	{ "8.2-1 TLS_IDEVID_REVOKED: 403", bend_revoked, 403, MST_E_TLS_IDEVID_REVOKED, 0, 0 },
	{ "8.2-2 MEDIA_UNSUPPORTED: 415", bend_media, 415, MST_E_MEDIA_UNSUPPORTED, 0, 1 },
	{ "8.2-2 MEDIA_UNSUPPORTED: no Content-Type", bend_no_media, 415, MST_E_MEDIA_UNSUPPORTED,
	    0, 1 },
	{ "8.2-2 MEDIA_ACCEPT: 406", bend_accept, 406, MST_E_MEDIA_ACCEPT, 0, 1 },
	{ "8.2-3 PVR_PARSE: 400", bend_garbage, 400, MST_E_PVR_PARSE, 0, 1 },
	{ "8.2-3 PVR_PARSE: cut short", bend_cut, 400, MST_E_PVR_PARSE, 0, 1 },
	{ "8.2-3 PVR_PARSE: CMS sent as COSE", bend_cose, 400, MST_E_PVR_PARSE, 0, 1 },
	{ "8.2-3 PVR_PARSE: a voucher", bend_voucher, 400, MST_E_PVR_PARSE, 0, 1 },
	{ "8.2-3 PVR_PARSE: no serial number", bend_no_serial, 400, MST_E_PVR_PARSE, 0, 1 },
	{ "8.2-3 PVR_PARSE: expires-on beside the nonce", bend_expires, 400, MST_E_PVR_PARSE, 0,
	    1 },
	{ "HT-4 PVR_PARSE: base64 where it is not allowed", bend_base64, 400, MST_E_PVR_PARSE, 0,
	    1 },
	{ "8.2-4 PVR_SIGNATURE: one bit: 403", bend_damaged, 403, MST_E_PVR_SIGNATURE, 0, 1 },
	{ "8.2-4 PVR_SIGNATURE: another device of the maker: 403", bend_signer, 403,
	    MST_E_PVR_SIGNATURE, 0, 1 },
	{ "8.2-5 PVR_ASSERTION: 401 and the connection ends", bend_assertion, 401,
	    MST_E_PVR_ASSERTION, 1, 1 },
	{ "8.2-5 PVR_ASSERTION: absent", bend_no_assertion, 401, MST_E_PVR_ASSERTION, 1, 1 },
	{ "8.2-6 PVR_PROXIMITY: 401 and the connection ends", bend_proximity, 401,
	    MST_E_PVR_PROXIMITY, 1, 1 },
	{ "8.2-6 PVR_PROXIMITY: absent", bend_no_proximity, 401, MST_E_PVR_PROXIMITY, 1, 1 },
	{ "8.2-6 PVR_PROXIMITY: the key of another", bend_pubk, 401, MST_E_PVR_PROXIMITY, 1, 1 },
	{ "8.2-7 PVR_SERIAL: 403", bend_serial, 403, MST_E_PVR_SERIAL, 0, 1 },
	{ "8366bis-8 PVR_NONCE: absent: 400", bend_no_nonce, 400, MST_E_PVR_NONCE, 0, 1 },
	{ "8366bis-8 PVR_NONCE: seven bytes: 400", bend_nonce_short, 400, MST_E_PVR_NONCE, 0, 1 },
	{ "8995-5.5 PVR_CREATED: the day after tomorrow: 403", bend_future, 403, MST_E_PVR_CREATED,
	    0, 1 },
};

static mst_err
nothing(struct db *db, void *arg)
{
	(void)db;
	(void)arg;
	return MST_OK;
}

/* The newest row of the trail, what is on its way included. */
static struct trail
last_row(void)
{
	struct trail *rows;
	int64_t seq;
	size_t n;

	site_write(nothing, NULL);
	assert_int_equal(trail_last(store_reader(site.store), &seq), MST_OK);
	assert_int_equal(
	    trail_list(store_reader(site.store), site.a, 0, seq - 1, 2, &rows, &n), MST_OK);
	assert_int_equal(n, 1);
	return rows[0];
}

static void
make_refused(void)
{
	const char *other;

	if (refused_device != NULL)
		return;
	refused_device = site_device(&refused_serial);
	expired = ID(.kind = ID_DEVICE, .cn = refused_serial, .serial_number = refused_serial,
	    .issuer = &site.maker, .from = -10 * 86400, .until = -86400);
	sibling = *site_device(&other);
	assert_int_equal(
	    site_ask(refused_device, site_pvr(refused_device, refused_serial, N("II="))).status,
	    200);
}

/* D19: refused by its name and status, told in the trail, and nothing stored that counts later. */
static void
test_refusal(void **state)
{
	const struct refusal_row *r = *state;
	struct bend b = { .type = "application/voucher-cms+json" };
	struct device before, after;
	struct exchange x, y;
	struct trail row;
	struct got g;
	int calls;

	make_refused();
	mst_voucher_claims_init(&b.c, MST_VOUCHER_REQUEST);
	b.client = b.signer = refused_device;
	b.c.assertion = MST_ASSERT_PROXIMITY;
	b.c.serial = mst_span_str(refused_serial);
	b.c.nonce = b.c.nonce_text = MST_LIT(N("JJ="));
	b.c.proximity_cert = der_of(site.a, site.registrar.cert);
	calls = atomic_load(&site.calls);
	before = site_row(refused_serial);
	assert_int_equal(site_exchanges(refused_serial, &x), 1);
	r->bend(&b);
	if (b.body.ptr == NULL)
		b.body = seal(site.a, MST_MEDIA_CMS_JSON, &b.c, b.signer, site.maker.cert);
	if (b.damaged)
		damage(MST_MEDIA_CMS_JSON, b.body);
	b.body.len -= b.cut;
	site.accept = b.accept;
	g = site_post(b.client, "requestvoucher", b.type, b.body);
	site.accept = NULL;
	assert_int_equal(g.status, r->status);
	assert_true(says(&g, mst_err_info(r->want)->code));
	assert_string_equal(g.connection, r->closes ? "close" : "");
	after = site_row(refused_serial);
	row = last_row();
	is(row.err, r->want);
	assert_string_equal(row.role, "registrar");
	assert_int_equal(row.device, r->known ? after.id : 0);
	assert_true(says(&g, row.request));
	assert_int_equal(after.state, before.state);
	assert_int_equal(after.decision, before.decision);
	assert_int_equal(after.voucher_at, before.voucher_at);
	assert_int_equal(after.audit_verdict, before.audit_verdict);
	assert_true(mst_span_eq(after.idevid_spki_sha256, before.idevid_spki_sha256));
	assert_int_equal(site_exchanges(refused_serial, &y), 1);
	assert_int_equal(x.id, y.id);
	assert_int_equal(site_row("D-99").id, 0);
	assert_int_equal(atomic_load(&site.calls), calls);
	if (site.maker_row.crl_pem.ptr != NULL) {
		site.maker_row.crl_pem = MST_NONE;
		site_put_maker(&site.maker_row);
	}
}

static int
setup(void **state)
{
	(void)state;
	site_start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	id_free(&expired);
	site_stop();
	return 0;
}

int
main(void)
{
	enum { COUNT = sizeof refusals / sizeof refusals[0] };
	struct CMUnitTest tests[COUNT];

	for (size_t i = 0; i < COUNT; i++)
		tests[i] = (struct CMUnitTest){ refusals[i].name, test_refusal, NULL, NULL,
			(void *)(uintptr_t)&refusals[i] };
	return _cmocka_run_group_tests("registrar refusals", tests, COUNT, setup, teardown);
}
