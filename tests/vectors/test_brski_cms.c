/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8995 appendix C: request, registrar request and voucher in CMS (brski.md section 21, V1). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "host/cert.h"
#include "host/envelope.h"
#include "unit/host/support_pki.h"

#define PVR "vr_00-D0-E5-F2-00-02"
#define RVR "parboiled_vr_00-D0-E5-F2-00-02"
#define VOUCHER "voucher_00-D0-E5-F2-00-02"
#define AT_THE_TIME INT64_C(1618350210)

static const struct mst_clock then = { MST_CLOCK_TRUSTED, AT_THE_TIME };

static mst_span
read_named(const char *name, const char *suffix)
{
	char path[128];
	mst_span text;

	(void)snprintf(path, sizeof(path), "brski-cms/%s%s", name, suffix);
	text = vector_read(path);
	if (text.ptr == NULL)
		skip();
	return text;
}

static mst_span
message_of(const char *name)
{
	mst_span text = read_named(name, ".b64"), der = vector_base64(text);

	free((void *)(uintptr_t)text.ptr);
	return der;
}

static struct anchors *
anchors_of(const char *name)
{
	mst_span pem = read_named(name, ".crt");
	struct anchors *t = NULL;

	assert_int_equal(anchors_new(pem, MST_NONE, &t), MST_OK);
	free((void *)(uintptr_t)pem.ptr);
	return t;
}

/* The published JSON is folded at 60 columns, in the middle of strings. */
static json_t *
json_of(const char *name, const char *top)
{
	mst_span text = read_named(name, ".json");
	char *flat = calloc(1, text.len + 1);
	json_t *whole, *inner;
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] != '\n')
			flat[n++] = (char)text.ptr[i];
	whole = json_loadb(flat, n, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(whole);
	inner = json_incref(json_object_get(whole, top));
	assert_non_null(inner);
	json_decref(whole);
	free(flat);
	free((void *)(uintptr_t)text.ptr);
	return inner;
}

static void
assert_span(mst_span got, const void *ptr, size_t len)
{
	assert_non_null(got.ptr);
	assert_int_equal(got.len, len);
	assert_memory_equal(got.ptr, ptr, len);
}

static void
assert_text(mst_span got, const json_t *inner, const char *leaf)
{
	const char *want = json_string_value(json_object_get(inner, leaf));

	assert_non_null(want);
	assert_span(got, want, strlen(want));
}

static void
assert_binary(mst_span got, const json_t *inner, const char *leaf)
{
	mst_span want =
	    vector_base64(mst_span_str(json_string_value(json_object_get(inner, leaf))));

	assert_span(got, want.ptr, want.len);
	free((void *)(uintptr_t)want.ptr);
}

static void
assert_time(int64_t got, const json_t *inner, const char *leaf)
{
	const char *want = json_string_value(json_object_get(inner, leaf));
	int64_t t = 0;

	assert_int_equal(mst_time_parse(mst_span_str(want), &t), MST_OK);
	assert_int_equal(got, t);
}

struct opened {
	struct arena *a;
	mst_span message;
	struct envelope env;
};

static struct opened
open_it(const char *name, enum mst_voucher_kind kind)
{
	struct opened o = { .message = message_of(name) };

	o.a = arena_new(0);
	assert_int_equal(
	    envelope_open(o.a, MST_MEDIA_CMS_JSON, kind, o.message, NULL, &o.env), MST_OK);
	return o;
}

static void
close_it(struct opened *o)
{
	arena_free(o->a);
	free((void *)(uintptr_t)o->message.ptr);
}

static void
pvr_claims_are_those_of_the_json_file(void **state)
{
	json_t *want = json_of(PVR, "ietf-voucher-request:voucher");
	struct opened o = open_it(PVR, MST_VOUCHER_REQUEST);

	(void)state;
	assert_int_equal(o.env.claims.kind, MST_VOUCHER_REQUEST);
	assert_int_equal(o.env.claims.assertion, MST_ASSERT_PROXIMITY);
	assert_true(o.env.id_data);
	assert_int_equal(o.env.signing_time, INT64_C(1618350203));
	assert_text(o.env.claims.serial, want, "serial-number");
	assert_text(o.env.claims.nonce_text, want, "nonce");
	assert_int_equal(o.env.claims.nonce.len, 16);
	assert_time(o.env.claims.created_on, want, "created-on");
	assert_binary(o.env.claims.proximity_cert, want, "proximity-registrar-cert");
	assert_null(o.env.claims.prior_request.ptr);
	assert_int_equal(o.env.claims.unknown, 0);
	close_it(&o);
	json_decref(want);
}

static void
rvr_claims_are_those_of_the_json_file(void **state)
{
	json_t *want = json_of(RVR, "ietf-voucher-request:voucher");
	struct opened o = open_it(RVR, MST_VOUCHER_REQUEST);
	mst_span pvr = message_of(PVR);

	(void)state;
	assert_int_equal(o.env.claims.assertion, MST_ASSERT_PROXIMITY);
	assert_text(o.env.claims.serial, want, "serial-number");
	assert_text(o.env.claims.nonce_text, want, "nonce");
	assert_time(o.env.claims.created_on, want, "created-on");
	assert_binary(o.env.claims.prior_request, want, "prior-signed-voucher-request");
	assert_span(o.env.claims.prior_request, pvr.ptr, pvr.len);
	assert_null(o.env.claims.idevid_issuer.ptr);
	free((void *)(uintptr_t)pvr.ptr);
	close_it(&o);
	json_decref(want);
}

static void
voucher_claims_are_those_of_the_json_file(void **state)
{
	json_t *want = json_of(VOUCHER, "ietf-voucher:voucher");
	struct opened o = open_it(VOUCHER, MST_VOUCHER), pvr = open_it(PVR, MST_VOUCHER_REQUEST);

	(void)state;
	assert_int_equal(o.env.claims.kind, MST_VOUCHER);
	assert_int_equal(o.env.claims.assertion, MST_ASSERT_LOGGED);
	assert_text(o.env.claims.serial, want, "serial-number");
	assert_text(o.env.claims.nonce_text, want, "nonce");
	assert_time(o.env.claims.created_on, want, "created-on");
	assert_int_equal(o.env.claims.expires_on, MST_NO_TIME);
	assert_binary(o.env.claims.pinned_cert, want, "pinned-domain-cert");
	assert_span(o.env.claims.pinned_cert, pvr.env.claims.proximity_cert.ptr,
	    pvr.env.claims.proximity_cert.len);
	close_it(&pvr);
	close_it(&o);
	json_decref(want);
}

struct chain_row {
	const char *name;
	const char *message, *anchor;
	enum mst_voucher_kind kind;
	int64_t now;
	mst_err want;
};
static const struct chain_row chain_rows[] = {
	{ "CMS-8 PVR chains to the vendor CA", PVR, "vendor", MST_VOUCHER_REQUEST, AT_THE_TIME,
	    MST_OK },
	{ "CMS-8 voucher chains to the vendor CA", VOUCHER, "vendor", MST_VOUCHER, AT_THE_TIME,
	    MST_OK },
	{ "CMS-8 voucher chains to the MASA certificate alone (partial chain)", VOUCHER, "masa",
	    MST_VOUCHER, AT_THE_TIME, MST_OK },
	{ "CMS-8 RVR with a cmcRA-only signer chains to the owner CA", RVR, "ownerca_secp384r1",
	    MST_VOUCHER_REQUEST, AT_THE_TIME, MST_OK },
	{ "CMS-9 voucher does not chain to the owner CA", VOUCHER, "ownerca_secp384r1", MST_VOUCHER,
	    AT_THE_TIME, MST_E_X509_CHAIN },
	{ "CMS-9 RVR does not chain to the vendor CA", RVR, "vendor", MST_VOUCHER_REQUEST,
	    AT_THE_TIME, MST_E_X509_CHAIN },
	{ "8.7.6 voucher signer is out of its validity in 2026", VOUCHER, "masa", MST_VOUCHER,
	    INT64_C(1795000000), MST_E_X509_EXPIRED },
	{ "8.7.6 voucher signer is not yet valid in 2020", VOUCHER, "masa", MST_VOUCHER,
	    INT64_C(1590000000), MST_E_X509_EXPIRED },
};
#define CHAIN_ROWS (sizeof(chain_rows) / sizeof(chain_rows[0]))

static void
chain_case(void **state)
{
	const struct chain_row *row = *state;
	struct mst_clock clock = { MST_CLOCK_TRUSTED, row->now };
	struct opened o = open_it(row->message, row->kind);
	struct anchors *t = anchors_of(row->anchor);

	assert_int_equal(chain_verify(t, o.env.signer, o.env.certs, &clock, 0, NULL), row->want);
	anchors_free(t);
	close_it(&o);
}

static void
no_clock_means_no_validity_check(void **state)
{
	const struct mst_clock untrusted = { MST_CLOCK_UNTRUSTED, 0 };
	struct opened o = open_it(VOUCHER, MST_VOUCHER);
	struct anchors *t = anchors_of("masa");

	(void)state;
	assert_int_equal(chain_verify(t, o.env.signer, o.env.certs, &untrusted, 0, NULL), MST_OK);
	anchors_free(t);
	close_it(&o);
}

static void
the_pin_accepts_the_rvr_signer(void **state)
{
	struct opened v = open_it(VOUCHER, MST_VOUCHER), rvr = open_it(RVR, MST_VOUCHER_REQUEST);

	(void)state;
	assert_int_equal(pin_judge(v.env.claims.pinned_cert, MST_NONE, MST_NONE, rvr.env.signer,
	                     rvr.env.certs, &then),
	    MST_OK);
	close_it(&rvr);
	close_it(&v);
}

static void
the_pin_refuses_the_masa_as_registrar(void **state)
{
	struct opened v = open_it(VOUCHER, MST_VOUCHER);

	(void)state;
	assert_int_equal(pin_judge(v.env.claims.pinned_cert, MST_NONE, MST_NONE, v.env.signer,
	                     v.env.certs, &then),
	    MST_E_VOUCHER_TLS_CHAIN);
	close_it(&v);
}

static void
the_idevid_names_its_serial_and_masa(void **state)
{
	struct opened o = open_it(PVR, MST_VOUCHER_REQUEST);
	mst_span serial = MST_NONE, issuer = MST_NONE;
	const char *base = NULL;

	(void)state;
	assert_int_equal(
	    cert_device_serial(o.a, o.env.signer, CERT_SERIAL_SUBJECT, &serial), MST_OK);
	assert_span(serial, "00-D0-E5-F2-00-02", 17);
	assert_int_equal(cert_masa_url(o.a, o.env.signer, &base), MST_OK);
	assert_string_equal(base, "https://highway-test.example.com:9443/.well-known/brski");
	/* ID-8: this IDevID has no AKI */
	assert_int_equal(cert_idevid_issuer(o.a, o.env.signer, &issuer), MST_OK);
	assert_int_equal(issuer.len, 26);
	assert_memory_equal(issuer.ptr, "\x04\x18\x30\x16\x80\x14", 6);
	close_it(&o);
}

static void
a_voucher_is_no_request(void **state)
{
	struct arena *a = arena_new(0);
	mst_span der = message_of(VOUCHER);
	struct envelope env;

	(void)state;
	assert_int_equal(envelope_open(a, MST_MEDIA_CMS_JSON, MST_VOUCHER_REQUEST, der, NULL, &env),
	    MST_E_VOUCHER_KIND);
	arena_free(a);
	free((void *)(uintptr_t)der.ptr);
}

static mst_err
open_and_chain(struct arena *a, enum mst_voucher_kind kind, mst_span message,
    const struct anchors *t, struct envelope *env)
{
	mst_err e = envelope_open(a, MST_MEDIA_CMS_JSON, kind, message, NULL, env);

	if (e == MST_OK)
		e = chain_verify(t, env->signer, env->certs, &then, 0, NULL);
	return e;
}

/*
 * Every single-bit flip is refused by what a pledge (or registrar) does:
 * signature, then chain. A flip that is accepted all the same must have hit
 * bytes that say nothing: payload and signer are the same to the bit.
 */
static void
flip_every_bit(const char *name, enum mst_voucher_kind kind, unsigned allowed)
{
	struct opened good = open_it(name, kind);
	struct anchors *t = anchors_of("vendor");
	size_t n = good.message.len;
	uint8_t *copy = malloc(n);
	unsigned accepted = 0;

	memcpy(copy, good.message.ptr, n);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		struct arena *a = arena_new(0);
		struct envelope env;

		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (open_and_chain(a, kind, mst_span_of(copy, n), t, &env) == MST_OK) {
			accepted++;
			printf("# %s: bit %zu of byte %zu says nothing\n", name, bit % 8, bit / 8);
			assert_span(env.payload, good.env.payload.ptr, good.env.payload.len);
			assert_int_equal(X509_cmp(env.signer, good.env.signer), 0);
		}
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		arena_free(a);
	}
	printf("# %s: %zu flips, %u of them without meaning\n", name, 8 * n, accepted);
	assert_true(accepted <= allowed);
	free(copy);
	anchors_free(t);
	close_it(&good);
}

static void
every_flip_of_the_voucher_is_refused(void **state)
{
	(void)state;
	flip_every_bit(VOUCHER, MST_VOUCHER, 0);
}

static void
every_flip_of_the_pvr_is_refused(void **state)
{
	(void)state;
	flip_every_bit(PVR, MST_VOUCHER_REQUEST, 0);
}

static void
every_prefix_of_the_voucher_is_refused(void **state)
{
	mst_span der = message_of(VOUCHER);

	(void)state;
	for (size_t n = 0; n < der.len; n++) {
		struct arena *a = arena_new(0);
		uint8_t *copy = malloc(n == 0 ? 1 : n);
		struct envelope env;

		memcpy(copy, der.ptr, n);
		assert_int_equal(envelope_open(a, MST_MEDIA_CMS_JSON, MST_VOUCHER,
		                     mst_span_of(copy, n), NULL, &env),
		    MST_E_CMS);
		free(copy);
		arena_free(a);
	}
	free((void *)(uintptr_t)der.ptr);
}

static void
a_byte_behind_the_voucher_is_refused(void **state)
{
	mst_span der = message_of(VOUCHER);
	struct arena *a = arena_new(0);
	uint8_t *copy = calloc(1, der.len + 1);
	struct envelope env;

	(void)state;
	memcpy(copy, der.ptr, der.len);
	assert_int_equal(envelope_open(a, MST_MEDIA_CMS_JSON, MST_VOUCHER,
	                     mst_span_of(copy, der.len + 1), NULL, &env),
	    MST_E_CMS);
	free(copy);
	arena_free(a);
	free((void *)(uintptr_t)der.ptr);
}

int
main(void)
{
	struct CMUnitTest single[] = {
		{ "V1 PVR: claims match the JSON file", pvr_claims_are_those_of_the_json_file, NULL,
		    NULL, NULL },
		{ "V1 RVR: claims match the JSON file, prior is the PVR",
		    rvr_claims_are_those_of_the_json_file, NULL, NULL, NULL },
		{ "V1 voucher: claims match the JSON file, pin is the proximity certificate",
		    voucher_claims_are_those_of_the_json_file, NULL, NULL, NULL },
		{ "CLK-1 without a trusted clock validity is not judged",
		    no_clock_means_no_validity_check, NULL, NULL, NULL },
		{ "8.7.9 the pin accepts the RVR signer", the_pin_accepts_the_rvr_signer, NULL,
		    NULL, NULL },
		{ "8.7.9 the pin refuses another certificate",
		    the_pin_refuses_the_masa_as_registrar, NULL, NULL, NULL },
		{ "ID-1 ID-3 ID-8 what the IDevID says", the_idevid_names_its_serial_and_masa, NULL,
		    NULL, NULL },
		{ "section 4: a voucher where a request is due", a_voucher_is_no_request, NULL,
		    NULL, NULL },
		{ "D19 every bit flip of the voucher", every_flip_of_the_voucher_is_refused, NULL,
		    NULL, NULL },
		{ "D19 every bit flip of the PVR", every_flip_of_the_pvr_is_refused, NULL, NULL,
		    NULL },
		{ "CMS-1 every strict prefix of the voucher",
		    every_prefix_of_the_voucher_is_refused, NULL, NULL, NULL },
		{ "CMS-1 a byte behind the voucher", a_byte_behind_the_voucher_is_refused, NULL,
		    NULL, NULL },
	};
	struct CMUnitTest rows[CHAIN_ROWS];
	int bad;

	for (size_t i = 0; i < CHAIN_ROWS; i++)
		rows[i] = (struct CMUnitTest){ chain_rows[i].name, chain_case, NULL, NULL,
			(void *)(uintptr_t)&chain_rows[i] };
	vectors_or_skip("brski-cms", single, sizeof single / sizeof single[0]);
	vectors_or_skip("brski-cms", rows, CHAIN_ROWS);
	bad = cmocka_run_group_tests_name("brski-cms", single, NULL, NULL);
	return bad + cmocka_run_group_tests_name("brski-cms chains", rows, NULL, NULL);
}
