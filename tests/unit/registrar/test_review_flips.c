/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every single-bit flip of a good PVR and of a good voucher is refused at the
 * registrar, also in the certificates that go along beside the signer's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "server/registrar/registrar.h"
#include "tests/unit/flips.h"
#include "tests/unit/registrar/support_id.h"

static struct {
	struct id root, ca, device, registrar, stranger;
} pki;
static struct anchors *root, *ca;

static const enum mst_media cms = MST_MEDIA_CMS_JSON, jws = MST_MEDIA_JWS_JSON,
                            cose = MST_MEDIA_COSE_CBOR;

static struct anchors *
anchors_of(X509 *cert)
{
	STACK_OF(X509) *one = sk_X509_new_null();
	struct anchors *t = NULL;

	if (one != NULL && sk_X509_push(one, cert) > 0 && anchors_from_stack(one, &t) != MST_OK)
		t = NULL;
	sk_X509_free(one);
	return t;
}

struct pvr {
	struct arena *a;
	struct mst_voucher_claims c;
	struct trust_verdict client;
	struct registrar_pvr_in in;
};

/* The device and its CA in the message, by an anchor that is the CA or above it. */
static void
pvr_good(struct pvr *p, enum mst_media media, X509 *chain)
{
	memset(p, 0, sizeof *p);
	p->a = arena_new(0);
	mst_voucher_claims_init(&p->c, MST_VOUCHER_REQUEST);
	p->c.assertion = MST_ASSERT_PROXIMITY;
	p->c.created_on = time(NULL) - 5;
	p->c.serial = MST_LIT("S-1");
	p->c.nonce = MST_LIT("This is a nonce!");
	p->c.nonce_text = MST_LIT("VGhpcyBpcyBhIG5vbmNlIQ==");
	p->c.proximity_cert = der_of(p->a, pki.registrar.cert);
	p->client = (struct trust_verdict){ .class = TRUST_IDEVID, .serial = MST_LIT("S-1") };
	p->in = (struct registrar_pvr_in){ .media = media,
		.message = seal(p->a, media, &p->c, &pki.device, chain),
		.client = &p->client,
		.client_cert = pki.device.cert,
		.maker = root,
		.own = pki.registrar.cert,
		.clock = { MST_CLOCK_TRUSTED, time(NULL) } };
}

static mst_err
pvr_judge(const struct pvr *p, mst_span message)
{
	struct arena *a = arena_new(0);
	struct registrar_pvr_in in = p->in;
	struct registrar_pvr out;
	mst_err e;

	in.message = message;
	e = registrar_judge_pvr(a, &in, &out);
	arena_free(a);
	return e;
}

struct voucher {
	struct mst_voucher_claims v, rvr;
	struct registrar_voucher_in in;
};

static mst_err
voucher_judge(const struct voucher *v, mst_span message)
{
	struct arena *a = arena_new(0);
	struct registrar_voucher_in in = v->in;
	const char *why;
	mst_err e;

	in.message = message;
	e = registrar_judge_voucher(a, &in, &why);
	arena_free(a);
	return e;
}

static void
voucher_good(struct voucher *v, struct arena *a, enum mst_media media)
{
	mst_voucher_claims_init(&v->v, MST_VOUCHER);
	v->v.assertion = MST_ASSERT_PROXIMITY;
	v->v.created_on = time(NULL) - 5;
	v->v.serial = MST_LIT("S-1");
	v->v.nonce = MST_LIT("This is a nonce!");
	v->v.nonce_text = MST_LIT("VGhpcyBpcyBhIG5vbmNlIQ==");
	v->v.pinned_cert = der_of(a, pki.registrar.cert);
	mst_voucher_claims_init(&v->rvr, MST_VOUCHER_REQUEST);
	v->rvr.serial = v->v.serial;
	v->rvr.nonce = v->v.nonce;
	v->rvr.nonce_text = v->v.nonce_text;
	v->rvr.idevid_issuer = MST_LIT("\x04\x04\x30\x02\x80\x00");
	v->in = (struct registrar_voucher_in){ .media = media,
		.rvr = &v->rvr,
		.voucher_anchors = ca,
		.own = pki.registrar.cert,
		.clock = { MST_CLOCK_TRUSTED, time(NULL) } };
}

static mst_err
judge_pvr(void *p, mst_span message)
{
	return pvr_judge(p, message);
}

static mst_err
judge_voucher(void *v, mst_span message)
{
	return voucher_judge(v, message);
}

/* JSON is of characters that are one of 64, whichever bit makes one another. */
static enum flips
which(enum mst_media media)
{
	return media == MST_MEDIA_JWS_JSON ? FLIPS_ONE_A_BYTE : FLIPS_EVERY;
}

static void
test_pvr(void **state)
{
	struct pvr p;

	pvr_good(&p, *(const enum mst_media *)*state, pki.ca.cert);
	flips_are_refused(which(p.in.media), p.in.message, judge_pvr, &p);
	arena_free(p.a);
}

static void
test_voucher(void **state)
{
	enum mst_media media = *(const enum mst_media *)*state;
	struct arena *a = arena_new(0);
	struct voucher v;
	mst_span good;

	voucher_good(&v, a, media);
	good = seal(a, media, &v.v, &pki.device, pki.ca.cert);
	flips_are_refused(which(media), good, judge_voucher, &v);
	arena_free(a);
}

/* 8.2-4: idle certificates, whole and well signed, but of no chain of this PVR. */
static void
test_pvr_stranger(void **state)
{
	struct pvr p;

	pvr_good(&p, *(const enum mst_media *)*state, pki.stranger.cert);
	p.in.maker = ca;
	assert_int_equal(pvr_judge(&p, p.in.message), MST_E_PVR_SIGNATURE);
	arena_free(p.a);
}

/* Without anchors nothing goes along but what TLS showed. */
static void
test_pvr_no_maker(void **state)
{
	STACK_OF(X509) *shown = sk_X509_new_null();
	struct pvr p;

	pvr_good(&p, *(const enum mst_media *)*state, pki.ca.cert);
	p.in.maker = NULL;
	assert_int_equal(pvr_judge(&p, p.in.message), MST_E_PVR_SIGNATURE);
	assert_true(sk_X509_push(shown, pki.ca.cert) > 0);
	p.in.client_chain = shown;
	assert_int_equal(pvr_judge(&p, p.in.message), MST_OK);
	sk_X509_free(shown);
	arena_free(p.a);
}

/* The other way about: TLS showed the link, the PVR carries the root above it. */
static void
test_pvr_split(void **state)
{
	STACK_OF(X509) *shown = sk_X509_new_null();
	struct pvr p;

	pvr_good(&p, *(const enum mst_media *)*state, pki.root.cert);
	assert_true(sk_X509_push(shown, pki.ca.cert) > 0);
	p.in.client_chain = shown;
	assert_int_equal(pvr_judge(&p, p.in.message), MST_OK);
	sk_X509_free(shown);
	arena_free(p.a);
}

/* 8366bis 8: the pledge would refuse it. */
static void
test_voucher_issuer(void **state)
{
	enum mst_media media = *(const enum mst_media *)*state;
	struct arena *a = arena_new(0);
	struct voucher v;

	voucher_good(&v, a, media);
	v.v.idevid_issuer = v.rvr.idevid_issuer;
	assert_int_equal(voucher_judge(&v, seal(a, media, &v.v, &pki.device, pki.ca.cert)), MST_OK);
	v.v.idevid_issuer = MST_LIT("\x04\x04\x30\x02\x81\x00");
	assert_int_equal(
	    voucher_judge(&v, seal(a, media, &v.v, &pki.device, pki.ca.cert)), MST_E_MASA_VOUCHER);
	arena_free(a);
}

#define ROW(name, fn, media)                                                                       \
	{                                                                                          \
		name, fn, NULL, NULL, (void *)(uintptr_t)&media                                    \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW("8.2-4 every flipped bit of a PVR with its chain, CMS", test_pvr, cms),
		ROW("8.2-4 a flipped bit in each byte of a PVR with its chain, JWS", test_pvr, jws),
		ROW("8.2-4 every flipped bit of a PVR, COSE", test_pvr, cose),
		ROW("8.6 every flipped bit of a voucher with its chain, COSE", test_voucher, cose),
		ROW("8.6 every flipped bit of a voucher with its chain, CMS", test_voucher, cms),
		ROW("8.6 a flipped bit in each byte of a voucher with its chain, JWS", test_voucher,
		    jws),
		ROW("8.2-4 a stranger's certificate goes along, CMS", test_pvr_stranger, cms),
		ROW("8.2-4 a stranger's certificate goes along, JWS", test_pvr_stranger, jws),
		ROW("8.2-4 without anchors only what TLS showed", test_pvr_no_maker, cms),
		ROW("8.2-4 good: link by TLS, root in the PVR", test_pvr_split, cms),
		ROW("8.6 a voucher for another idevid-issuer", test_voucher_issuer, cms),
		ROW("8.6 a voucher for another idevid-issuer, COSE", test_voucher_issuer, cose),
	};
	int failed;

	pki.root = ID(.kind = ID_CA, .cn = "root");
	pki.ca = ID(.kind = ID_CA, .cn = "IDevID CA", .issuer = &pki.root);
	pki.device = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-1", .issuer = &pki.ca);
	pki.registrar = ID(.kind = ID_REGISTRAR, .cn = "registrar");
	pki.stranger = ID(.kind = ID_CA, .cn = "stranger");
	root = anchors_of(pki.root.cert);
	ca = anchors_of(pki.ca.cert);
	failed = cmocka_run_group_tests_name("flipped bits", tests, NULL, NULL);
	anchors_free(root);
	anchors_free(ca);
	for (size_t i = 0; i < sizeof pki / sizeof(struct id); i++)
		id_free((struct id *)&pki + i);
	return failed;
}
