/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "tests/unit/masa/support_world.h"

struct pki pki;
enum mst_media world_media = MST_MEDIA_CMS_JSON;

int
world_media_set(void **state)
{
	world_media = *(const enum mst_media *)*state;
	return 0;
}

#define MAKE(...) id_make(&(struct id_spec){ .organization = "muster test", __VA_ARGS__ })

static void
make_factory(void)
{
	pki.idevid_ca = MAKE(.kind = ID_CA, .cn = "IDevID CA");
	pki.device = MAKE(.kind = ID_DEVICE, .cn = "device", .serial_number = SERIAL,
	    .issuer = &pki.idevid_ca);
	pki.device2 = MAKE(.kind = ID_DEVICE, .cn = "device", .serial_number = "OTHER0001",
	    .issuer = &pki.idevid_ca);
	pki.device_rekeyed = MAKE(.kind = ID_DEVICE, .cn = "device", .serial_number = SERIAL,
	    .issuer = &pki.idevid_ca);
	pki.device_expired = MAKE(.kind = ID_DEVICE, .cn = "device", .serial_number = SERIAL,
	    .issuer = &pki.idevid_ca, .key = pki.device.key, .from = -7200, .until = -3600);
	pki.foreign_idevid_ca = MAKE(.kind = ID_CA, .cn = "IDevID CA");
	pki.foreign_device = MAKE(.kind = ID_DEVICE, .cn = "device", .serial_number = SERIAL,
	    .issuer = &pki.foreign_idevid_ca);
}

void
pki_make(void)
{
	make_factory();
	pki.root = MAKE(.kind = ID_CA, .cn = "site root");
	pki.ca = MAKE(.kind = ID_CA, .cn = "site CA", .issuer = &pki.root);
	pki.registrar = MAKE(.kind = ID_REGISTRAR, .cn = "registrar", .issuer = &pki.ca);
	pki.sibling = MAKE(.kind = ID_REGISTRAR, .cn = "registrar TLS", .issuer = &pki.ca);
	pki.sibling_plain = MAKE(.kind = ID_PLAIN, .cn = "an LDevID", .issuer = &pki.ca);
	pki.registrar_of_root = MAKE(.kind = ID_REGISTRAR, .cn = "of root", .issuer = &pki.root);
	pki.plain = MAKE(.kind = ID_PLAIN, .cn = "no registrar", .issuer = &pki.ca);
	pki.expired = MAKE(.kind = ID_REGISTRAR, .cn = "registrar", .issuer = &pki.ca,
	    .from = -7200, .until = -3600);
	pki.future = MAKE(.kind = ID_REGISTRAR, .cn = "registrar", .issuer = &pki.ca, .from = 3600);
	pki.self_signed = MAKE(.kind = ID_REGISTRAR, .cn = "lone registrar", .flags = ID_NO_SKI);
	pki.weak = MAKE(.kind = ID_REGISTRAR, .cn = "weak", .issuer = &pki.ca, .flags = ID_SHA1);
	pki.other_root = MAKE(.kind = ID_CA, .cn = "other root");
	pki.other_registrar = MAKE(.kind = ID_REGISTRAR, .cn = "r2", .issuer = &pki.other_root);
	pki.registrar_of_plain = MAKE(.kind = ID_REGISTRAR, .cn = "r3", .issuer = &pki.plain);
	pki.with_crl_url =
	    MAKE(.kind = ID_REGISTRAR, .cn = "r4", .issuer = &pki.ca, .flags = ID_CRL_URL);
	/* bears the name of the site's CA, not its key */
	pki.false_ca = MAKE(.kind = ID_CA, .cn = "site CA", .issuer = &pki.root);
}

void
pki_free(void)
{
	struct id *all = (struct id *)&pki;

	for (size_t i = 0; i < sizeof(pki) / sizeof(*all); i++)
		id_free(&all[i]);
}

void
world_good(struct world *w)
{
	int64_t now = time(NULL);
	mst_span issuer;

	memset(w, 0, sizeof(*w));
	w->a = arena_new(0);
	w->clock = (struct mst_clock){ MST_CLOCK_TRUSTED, now };
	w->media = world_media;
	w->policy = (struct masa_policy){ .skew = 300,
		.rvr_max_age = 86400,
		.prior_skew = 86400,
		.prior_max_age = 7 * 86400,
		.slot_short = "short",
		.slot_long = "long" };
	assert_int_equal(cert_idevid_issuer(w->a, pki.device.cert, &issuer), MST_OK);
	w->devices[0] = (struct masa_device){ .id = 1,
		.serial = MST_LIT(SERIAL),
		.idevid_issuer = issuer,
		.idevid_cert = der_of(w->a, pki.device.cert),
		.product = "bulb",
		.state = MASA_MADE };
	assert_int_equal(
	    masa_spki_sha256(w->a, pki.device.cert, &w->devices[0].spki_sha256), MST_OK);
	w->devices[1] = (struct masa_device){ .id = 2,
		.serial = MST_LIT("OTHER0001"),
		.idevid_issuer = issuer,
		.product = "lamp",
		.state = MASA_MADE };
	w->device_count = 2;
	mst_voucher_claims_init(&w->pvr, MST_VOUCHER_REQUEST);
	w->pvr.assertion = MST_ASSERT_PROXIMITY;
	w->pvr.created_on = now - 5;
	w->pvr.serial = MST_LIT(SERIAL);
	w->pvr.nonce_text = MST_LIT(NONCE);
	w->pvr.nonce = MST_LIT("This is a nonce!");
	w->pvr.proximity_cert = der_of(w->a, pki.registrar.cert);
	w->pvr_signer = &pki.device;
	mst_voucher_claims_init(&w->rvr, MST_VOUCHER_REQUEST);
	w->rvr.assertion = MST_ASSERT_PROXIMITY;
	w->rvr.created_on = now - 1;
	w->rvr.serial = w->pvr.serial;
	w->rvr.nonce_text = w->pvr.nonce_text;
	w->rvr.nonce = w->pvr.nonce;
	w->rvr.idevid_issuer = issuer;
	w->rvr_signer = &pki.registrar;
	w->rvr_chain[0] = pki.ca.cert;
	w->rvr_chain[1] = pki.root.cert;
	w->rvr_chain_count = 2;
}

void
world_nonceless(struct world *w)
{
	world_good(w);
	w->rvr.nonce = w->rvr.nonce_text = MST_NONE;
	w->rvr.assertion = MST_ASSERT_ABSENT;
	w->no_prior = true;
	w->customers[0] = (struct masa_customer){ .id = 7,
		.name = "site",
		.nonceless = true,
		.anchors_pem = pem_of(w->a, &pki.root.cert, 1) };
	w->customer_count = 1;
}

/* The byte so many from the end; of JSON a letter of the signature at its end. */
static void
damage_at(enum mst_media media, mst_span message, size_t at)
{
	uint8_t *p = (uint8_t *)(uintptr_t)message.ptr + message.len - at;

	if (media == MST_MEDIA_JWS_JSON && at == 1)
		p[-20] = p[-20] == 'A' ? 'B' : 'A';
	else
		*p ^= 1;
}

static mst_span
seal_of(struct world *w, const struct mst_voucher_claims *c, const struct id *signer,
    X509 *const *chain, size_t count, size_t flip_at)
{
	STACK_OF(X509) *more = sk_X509_new_null();
	struct envelope_signer s = { .key = signer->key, .cert = signer->cert, .chain = more };
	mst_span out, copy;

	for (size_t i = 0; i < count; i++)
		sk_X509_push(more, chain[i]);
	assert_int_equal(envelope_seal(w->a, w->media, c, &s, &out), MST_OK);
	sk_X509_free(more);
	copy = arena_dup(w->a, out);
	if (flip_at != 0)
		damage_at(w->media, copy, flip_at);
	return copy;
}

/* COSE-4: the certificates of both sides are in the bag of the registrar's request, unordered. */
static void
fill_bag(struct world *w)
{
	STACK_OF(X509) *more = sk_X509_new_null();

	if (!w->no_prior) {
		sk_X509_push(more, pki.idevid_ca.cert);
		for (size_t i = 0; i < w->pvr_chain_count; i++)
			sk_X509_push(more, w->pvr_chain[i]);
		sk_X509_push(more, w->pvr_signer->cert);
	}
	for (size_t i = 0; i < w->rvr_chain_count; i++)
		sk_X509_push(more, w->rvr_chain[i]);
	sk_X509_push(more, w->rvr_signer->cert);
	if (w->rvr.kind == MST_VOUCHER_REQUEST)
		assert_int_equal(envelope_bag_add(w->a, w->message, more, &w->message), MST_OK);
	sk_X509_free(more);
}

void
world_seal(struct world *w)
{
	if (!w->no_prior) {
		w->rvr.prior_request = w->prior;
		if (w->prior.ptr == NULL)
			w->rvr.prior_request = seal_of(w, &w->pvr, w->pvr_signer, w->pvr_chain,
			    w->pvr_chain_count, w->flip_prior_at);
	}
	w->message =
	    seal_of(w, &w->rvr, w->rvr_signer, w->rvr_chain, w->rvr_chain_count, w->flip_rvr_at);
	if (w->media == MST_MEDIA_COSE_CBOR)
		fill_bag(w);
}

static mst_err
find(void *arg, struct arena *a, mst_span serial, mst_span issuer, struct masa_device *out)
{
	struct world *w = arg;

	(void)a;
	for (size_t i = 0; i < w->device_count; i++)
		if (mst_span_eq(w->devices[i].serial, serial) &&
		    (issuer.ptr == NULL || mst_span_eq(w->devices[i].idevid_issuer, issuer))) {
			*out = w->devices[i];
			return MST_OK;
		}
	return MST_E_NOT_FOUND;
}

mst_err
world_judge(struct world *w)
{
	struct masa_customers *customers = NULL;
	struct masa_public *public_cas = NULL;
	struct anchors *idevid = NULL;
	struct masa_judge_in in = { .find = find,
		.find_arg = w,
		.media = w->media,
		.accept = w->accept,
		.clock = w->clock,
		.source = "192.0.2.1:4711" };
	X509 *ca = w->public_ca != NULL ? w->public_ca : pki.other_root.cert;
	size_t broken;
	mst_err e;

	if (w->message.ptr == NULL)
		world_seal(w);
	assert_int_equal(
	    anchors_new(pem_of(w->a, &pki.idevid_ca.cert, 1), MST_NONE, &idevid), MST_OK);
	assert_int_equal(masa_public_new(pem_of(w->a, &ca, 1), &public_cas), MST_OK);
	assert_int_equal(masa_customers_new(w->customers, w->customer_count, w->policy.crl_pem,
	                     &customers, &broken),
	    MST_OK);
	assert_int_equal(broken, 0);
	if (w->policy.idevid == NULL)
		w->policy.idevid = idevid;
	w->policy.public_cas = public_cas;
	in.policy = &w->policy;
	in.customers = customers;
	in.rvr = w->message;
	in.client = masa_customers_by_id(customers, w->client);
	e = masa_judge_rvr(&in, w->a, &w->report, &w->verdict);
	w->verdict.customer =
	    w->verdict.customer != NULL ? arena_str(w->a, mst_span_str(w->verdict.customer)) : NULL;
	masa_customers_unref(customers);
	masa_public_free(public_cas);
	if (w->policy.idevid == idevid)
		w->policy.idevid = NULL;
	w->policy.public_cas = NULL;
	anchors_free(idevid);
	return e;
}

void
world_free(struct world *w)
{
	arena_free(w->a);
}
