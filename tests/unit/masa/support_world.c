/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "tests/unit/masa/support_world.h"

struct pki pki;
enum mst_media world_media = MST_MEDIA_CMS_JSON;
const struct world_form world_forms[WORLD_FORMS] = {
	{ MST_MEDIA_CMS_JSON, "" },
	{ MST_MEDIA_JWS_JSON, ", JWS" },
	{ MST_MEDIA_COSE_CBOR, ", COSE" },
};

int
world_media_set(void **state)
{
	world_media = *(const enum mst_media *)*state;
	return 0;
}

static void
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *x;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(x);
	assert_int_equal(X509_add_ext(cert, x, -1), 1);
	X509_EXTENSION_free(x);
}

static void
add_name(X509_NAME *name, const char *field, const char *value)
{
	assert_int_equal(X509_NAME_add_entry_by_txt(
	                     name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0),
	    1);
}

static void
add_extensions(X509 *cert, X509 *issuer, const struct id_spec *s)
{
	switch (s->kind) {
	case ID_CA:
		add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE");
		add_extension(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
		break;
	case ID_REGISTRAR:
		add_extension(
		    cert, issuer, NID_ext_key_usage, "1.3.6.1.5.5.7.3.28,serverAuth,clientAuth");
		break;
	case ID_PLAIN:
		add_extension(cert, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
		break;
	case ID_DEVICE: break;
	}
	if (s->flags & ID_CRL_URL)
		add_extension(cert, issuer, NID_crl_distribution_points,
		    "URI:http://crl.example.com/site.crl");
	if (!(s->flags & ID_NO_SKI))
		add_extension(cert, issuer, NID_subject_key_identifier, "hash");
	if (!(s->flags & ID_NO_AKI) && s->issuer != NULL)
		add_extension(cert, issuer, NID_authority_key_identifier, "keyid");
}

struct id
id_make(const struct id_spec *s)
{
	struct id id = { X509_new(), s->key };
	X509 *issuer = s->issuer != NULL ? s->issuer->cert : id.cert;
	uint8_t serial[8];
	BIGNUM *bn;

	assert_non_null(id.cert);
	if (id.key == NULL)
		id.key = EVP_EC_gen("P-256");
	else
		EVP_PKEY_up_ref(id.key);
	assert_int_equal(RAND_bytes(serial, sizeof(serial)), 1);
	serial[0] = (serial[0] & 0x3f) | 0x40;
	bn = BN_bin2bn(serial, sizeof(serial), NULL);
	BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(id.cert));
	BN_free(bn);
	X509_set_version(id.cert, 2);
	X509_gmtime_adj(X509_getm_notBefore(id.cert), s->from != 0 ? s->from : -86400);
	X509_gmtime_adj(X509_getm_notAfter(id.cert), s->until != 0 ? s->until : 365L * 86400);
	add_name(X509_get_subject_name(id.cert), "O", "muster test");
	add_name(X509_get_subject_name(id.cert), "CN", s->cn);
	if (s->serial_number != NULL)
		add_name(X509_get_subject_name(id.cert), "serialNumber", s->serial_number);
	X509_set_issuer_name(id.cert, X509_get_subject_name(issuer));
	X509_set_pubkey(id.cert, id.key);
	add_extensions(id.cert, issuer, s);
	assert_true(X509_sign(id.cert, s->issuer != NULL ? s->issuer->key : id.key,
	                s->flags & ID_SHA1 ? EVP_sha1() : EVP_sha256()) > 0);
	return id;
}

void
id_free(struct id *id)
{
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
	id->cert = NULL;
	id->key = NULL;
}

static mst_span
bio_take(struct arena *a, BIO *b)
{
	char *mem;
	long n = BIO_get_mem_data(b, &mem);
	mst_span s = arena_dup(a, mst_span_of(mem, (size_t)n));

	BIO_free(b);
	return s;
}

mst_span
pem_of(struct arena *a, X509 *const *certs, size_t count)
{
	BIO *b = BIO_new(BIO_s_mem());

	for (size_t i = 0; i < count; i++)
		assert_int_equal(PEM_write_bio_X509(b, certs[i]), 1);
	return bio_take(a, b);
}

mst_span
pem_of_key(struct arena *a, EVP_PKEY *key)
{
	BIO *b = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL), 1);
	return bio_take(a, b);
}

mst_span
crl_of(struct arena *a, const struct id *ca, X509 *revoked, long life)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = X509_gmtime_adj(NULL, -3600);
	BIO *b = BIO_new(BIO_s_mem());

	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert));
	X509_CRL_set1_lastUpdate(crl, t);
	if (revoked != NULL) {
		X509_REVOKED *r = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(revoked));
		X509_REVOKED_set_revocationDate(r, t);
		X509_CRL_add0_revoked(crl, r);
	}
	X509_gmtime_adj(t, life);
	X509_CRL_set1_nextUpdate(crl, t);
	ASN1_TIME_free(t);
	assert_true(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509_CRL(b, crl), 1);
	X509_CRL_free(crl);
	return bio_take(a, b);
}

mst_span
span_der(struct arena *a, X509 *cert)
{
	mst_span s;

	assert_int_equal(cert_der(a, cert, &s), MST_OK);
	return s;
}

#define MAKE(...) id_make(&(struct id_spec){ __VA_ARGS__ })

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
		.idevid_cert = span_der(w->a, pki.device.cert),
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
	w->pvr.proximity_cert = span_der(w->a, pki.registrar.cert);
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
damage(enum mst_media media, mst_span message, size_t at)
{
	uint8_t *p = (uint8_t *)(uintptr_t)message.ptr + message.len - at;

	if (media == MST_MEDIA_JWS_JSON && at == 1)
		p[-20] = p[-20] == 'A' ? 'B' : 'A';
	else
		*p ^= 1;
}

static mst_span
seal(struct world *w, const struct mst_voucher_claims *c, const struct id *signer,
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
		damage(w->media, copy, flip_at);
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
			w->rvr.prior_request = seal(w, &w->pvr, w->pvr_signer, w->pvr_chain,
			    w->pvr_chain_count, w->flip_prior_at);
	}
	w->message =
	    seal(w, &w->rvr, w->rvr_signer, w->rvr_chain, w->rvr_chain_count, w->flip_rvr_at);
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
