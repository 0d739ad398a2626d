/* SPDX-License-Identifier: Apache-2.0 */
/* brski.md 8.2 steps 1 to 7: a good PVR, and one deviation at a time. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "server/registrar/registrar.h"
#include "tests/unit/registrar/support_id.h"

static struct {
	struct id idevid_ca, device, twin, rekeyed, other, foreign_ca, foreign, registrar, sibling;
} pki;
static struct anchors *maker; /* pki.idevid_ca */

struct world {
	struct arena *a;
	struct mst_voucher_claims c;
	const struct id *signer;
	X509 *chain;
	enum mst_media media;
	struct registrar_pvr_in in;
	struct trust_verdict client;
	mst_span message; /* instead of the sealed claims */
	bool flip;
	size_t cut;
	struct registrar_pvr out;
};

static void
good(struct world *w, enum mst_media media)
{
	int64_t now = time(NULL);

	memset(w, 0, sizeof *w);
	w->a = arena_new(0);
	mst_voucher_claims_init(&w->c, MST_VOUCHER_REQUEST);
	w->c.assertion = MST_ASSERT_PROXIMITY;
	w->c.created_on = now - 5;
	w->c.serial = MST_LIT("S-1");
	w->c.nonce = MST_LIT("This is a nonce!");
	w->c.nonce_text = MST_LIT("VGhpcyBpcyBhIG5vbmNlIQ==");
	w->c.proximity_cert = der_of(w->a, pki.registrar.cert);
	w->signer = &pki.device;
	w->chain = pki.idevid_ca.cert;
	w->media = media;
	w->client = (struct trust_verdict){ .class = TRUST_IDEVID, .serial = MST_LIT("S-1") };
	w->in.media = w->media;
	w->in.client = &w->client;
	w->in.client_cert = pki.device.cert;
	w->in.maker = maker;
	w->in.own = pki.registrar.cert;
	w->in.clock = (struct mst_clock){ MST_CLOCK_TRUSTED, now };
}

static mst_err
run(struct world *w)
{
	w->in.message =
	    w->message.ptr != NULL ? w->message : seal(w->a, w->media, &w->c, w->signer, w->chain);
	if (w->flip)
		damage(w->media, w->in.message);
	w->in.message.len -= w->cut;
	return registrar_judge_pvr(w->a, &w->in, &w->out);
}

static void
sha_of(struct world *w, X509 *cert)
{
	uint8_t digest[32];
	mst_span spki;

	assert_int_equal(cert_spki(w->a, cert, &spki), MST_OK);
	assert_int_equal(EVP_Digest(spki.ptr, spki.len, digest, NULL, EVP_sha256(), NULL), 1);
	w->c.proximity_pubk_sha256 = arena_dup(w->a, mst_span_of(digest, 32));
}

/* --- deviations --- */
#define BEND(name, ...)                                                                            \
	static void name(struct world *w)                                                          \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
BEND(b_nothing, (void)w)
BEND(b_anonymous, w->client.class = TRUST_ANONYMOUS)
BEND(b_refused, w->client.class = TRUST_REFUSED; w->client.why = MST_E_TLS_IDEVID_REVOKED)
BEND(b_ldevid, w->client.class = TRUST_LDEVID)
BEND(b_no_media, w->in.media = MST_MEDIA_NONE)
BEND(b_as_other, w->in.media = another_form(w->media))
BEND(b_as_cbor,
    w->in.media = w->media == MST_MEDIA_COSE_CBOR ? MST_MEDIA_CMS_JSON : MST_MEDIA_COSE_CBOR)
BEND(b_empty, w->message = MST_LIT(""))
BEND(b_garbage, w->message = MST_LIT("not a request at all"))
BEND(b_cut, w->cut = 12)
BEND(b_voucher, w->c.kind = MST_VOUCHER; w->c.proximity_cert = MST_NONE)
BEND(b_flip, w->flip = true)
BEND(b_other_signer, w->signer = &pki.other)
BEND(b_foreign_signer, w->signer = &pki.foreign)
BEND(b_rekeyed, w->signer = &pki.rekeyed)
BEND(b_twin, w->signer = &pki.twin)
BEND(b_other_client, w->in.client_cert = pki.other.cert)
BEND(b_logged, w->c.assertion = MST_ASSERT_LOGGED)
BEND(b_verified, w->c.assertion = MST_ASSERT_VERIFIED)
BEND(b_absent, w->c.assertion = MST_ASSERT_ABSENT)
BEND(b_agent, w->c.assertion = MST_ASSERT_AGENT_PROXIMITY)
BEND(b_prox_sibling, w->c.proximity_cert = der_of(w->a, pki.sibling.cert))
BEND(b_prox_none, w->c.proximity_cert = MST_NONE)
BEND(b_prox_prefix, w->c.proximity_cert.len--)
BEND(b_own_other, w->in.own = pki.sibling.cert)
BEND(b_pubk, w->c.proximity_cert = MST_NONE;
     assert_int_equal(cert_spki(w->a, pki.registrar.cert, &w->c.proximity_pubk), MST_OK))
BEND(b_pubk_bad, w->c.proximity_cert = MST_NONE;
     assert_int_equal(cert_spki(w->a, pki.sibling.cert, &w->c.proximity_pubk), MST_OK))
BEND(b_sha, w->c.proximity_cert = MST_NONE; sha_of(w, pki.registrar.cert))
BEND(b_sha_bad, w->c.proximity_cert = MST_NONE; sha_of(w, pki.sibling.cert))
BEND(b_sha_bad_cert_good, sha_of(w, pki.sibling.cert))
BEND(b_pubk_bad_cert_good,
    assert_int_equal(cert_spki(w->a, pki.sibling.cert, &w->c.proximity_pubk), MST_OK))
BEND(b_serial, w->c.serial = MST_LIT("S-2"))
BEND(b_serial_prefix, w->c.serial = MST_LIT("S-"))
BEND(b_serial_case, w->c.serial = MST_LIT("s-1"))
BEND(b_serial_none, w->c.serial = MST_NONE)
BEND(b_client_serial, w->client.serial = MST_LIT("S-2"))
BEND(b_client_no_serial, w->client.serial = MST_NONE)
BEND(b_nonce_none, w->c.nonce = w->c.nonce_text = MST_NONE)
BEND(b_nonce_short, w->c.nonce = MST_LIT("seven!!"); w->c.nonce_text = MST_LIT("c2V2ZW4hIQ=="))
BEND(b_nonce_long, w->c.nonce = MST_LIT("0123456789abcdef0123456789abcdefX");
     w->c.nonce_text = MST_LIT("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWZY"))
BEND(b_expires, w->c.expires_on = w->in.clock.now + 60)
BEND(b_future, w->c.created_on = w->in.clock.now + 2 * 86400)
BEND(b_tomorrow, w->c.created_on = w->in.clock.now + 80000)
BEND(b_future_untrusted, w->c.created_on = w->in.clock.now + 2 * 86400;
     w->in.clock.trust = MST_CLOCK_UNTRUSTED)
BEND(b_no_date, w->c.created_on = MST_NO_TIME)

static const struct row {
	const char *name;
	void (*bend)(struct world *);
	mst_err want;
	enum {
		ALL_FORMS,
		WITH_CERTS /* is about certificates in the message: none in COSE */
	} in;
} rows[] = {
	{ "8.2 good", b_nothing, MST_OK, ALL_FORMS },
	{ "8.2-1 TLS_NO_CLIENT_CERT: anonymous", b_anonymous, MST_E_TLS_NO_CLIENT_CERT, ALL_FORMS },
	{ "8.2-1 the refusal of the trust room", b_refused, MST_E_TLS_IDEVID_REVOKED, ALL_FORMS },
	{ "8.2-1 TLS_UNTRUSTED_MANUFACTURER: an LDevID", b_ldevid, MST_E_TLS_UNTRUSTED_MANUFACTURER,
	    ALL_FORMS },
	{ "8.2-2 MEDIA_UNSUPPORTED: unknown type", b_no_media, MST_E_MEDIA_UNSUPPORTED, ALL_FORMS },
	{ "8.2-3 PVR_PARSE: sent as another form in JSON", b_as_other, MST_E_PVR_PARSE, ALL_FORMS },
	{ "8.2-3 PVR_PARSE: JSON sent as CBOR, or CBOR as JSON", b_as_cbor, MST_E_PVR_PARSE,
	    ALL_FORMS },
	{ "8.2-3 PVR_PARSE: empty", b_empty, MST_E_PVR_PARSE, ALL_FORMS },
	{ "8.2-3 PVR_PARSE: garbage", b_garbage, MST_E_PVR_PARSE, ALL_FORMS },
	{ "8.2-3 PVR_PARSE: cut short", b_cut, MST_E_PVR_PARSE, ALL_FORMS },
	{ "8.2-3 PVR_PARSE: a voucher", b_voucher, MST_E_PVR_PARSE, ALL_FORMS },
	{ "8.2-4 PVR_SIGNATURE: one bit", b_flip, MST_E_PVR_SIGNATURE, ALL_FORMS },
	{ "8.2-4 PVR_SIGNATURE: another device of the maker", b_other_signer, MST_E_PVR_SIGNATURE,
	    ALL_FORMS },
	{ "8.2-4 PVR_SIGNATURE: foreign CA, same names", b_foreign_signer, MST_E_PVR_SIGNATURE,
	    ALL_FORMS },
	{ "8.2-4 PVR_SIGNATURE: same names, another key", b_rekeyed, MST_E_PVR_SIGNATURE,
	    ALL_FORMS },
	{ "8.2-4 PVR_SIGNATURE: own certificate on the same key", b_twin, MST_E_PVR_SIGNATURE,
	    WITH_CERTS },
	{ "8.2-4 PVR_SIGNATURE: another TLS client forwards it", b_other_client,
	    MST_E_PVR_SIGNATURE, ALL_FORMS },
	{ "8.2-5 PVR_ASSERTION: logged", b_logged, MST_E_PVR_ASSERTION, ALL_FORMS },
	{ "8.2-5 PVR_ASSERTION: verified", b_verified, MST_E_PVR_ASSERTION, ALL_FORMS },
	{ "8.2-5 PVR_ASSERTION: absent", b_absent, MST_E_PVR_ASSERTION, ALL_FORMS },
	{ "8.2-5 PVR_ASSERTION: agent-proximity", b_agent, MST_E_PVR_ASSERTION, ALL_FORMS },
	{ "8.2-6 PVR_PROXIMITY: a sibling registrar", b_prox_sibling, MST_E_PVR_PROXIMITY,
	    ALL_FORMS },
	{ "8.2-6 PVR_PROXIMITY: none", b_prox_none, MST_E_PVR_PROXIMITY, ALL_FORMS },
	{ "8.2-6 PVR_PROXIMITY: one byte short", b_prox_prefix, MST_E_PVR_PROXIMITY, ALL_FORMS },
	{ "8.2-6 PVR_PROXIMITY: this connection showed another", b_own_other, MST_E_PVR_PROXIMITY,
	    ALL_FORMS },
	{ "8.2-6 good: pubk", b_pubk, MST_OK, ALL_FORMS },
	{ "8.2-6 PVR_PROXIMITY: pubk of another", b_pubk_bad, MST_E_PVR_PROXIMITY, ALL_FORMS },
	{ "8.2-6 good: pubk-sha256", b_sha, MST_OK, ALL_FORMS },
	{ "8.2-6 PVR_PROXIMITY: pubk-sha256 of another", b_sha_bad, MST_E_PVR_PROXIMITY,
	    ALL_FORMS },
	{ "DM-4 PVR_PROXIMITY: digest wrong, cert right", b_sha_bad_cert_good, MST_E_PVR_PROXIMITY,
	    ALL_FORMS },
	{ "DM-4 PVR_PROXIMITY: key wrong, cert right", b_pubk_bad_cert_good, MST_E_PVR_PROXIMITY,
	    ALL_FORMS },
	{ "8.2-7 PVR_SERIAL: another", b_serial, MST_E_PVR_SERIAL, ALL_FORMS },
	{ "8.2-7 PVR_SERIAL: a prefix", b_serial_prefix, MST_E_PVR_SERIAL, ALL_FORMS },
	{ "ID-9 PVR_SERIAL: letter case counts", b_serial_case, MST_E_PVR_SERIAL, ALL_FORMS },
	{ "ID-9 PVR_PARSE: none", b_serial_none, MST_E_PVR_PARSE, ALL_FORMS },
	{ "8.2-7 PVR_SERIAL: the certificate has another", b_client_serial, MST_E_PVR_SERIAL,
	    ALL_FORMS },
	{ "8.2-7 PVR_SERIAL: the certificate has none", b_client_no_serial, MST_E_PVR_SERIAL,
	    ALL_FORMS },
	{ "8366bis-8 PVR_NONCE: none", b_nonce_none, MST_E_PVR_NONCE, ALL_FORMS },
	{ "8366bis-8 PVR_NONCE: seven bytes", b_nonce_short, MST_E_PVR_NONCE, ALL_FORMS },
	{ "8366bis-8 PVR_NONCE: 33 bytes", b_nonce_long, MST_E_PVR_NONCE, ALL_FORMS },
	{ "8366bis-8 PVR_PARSE: expires-on beside the nonce", b_expires, MST_E_PVR_PARSE,
	    ALL_FORMS },
	{ "8995-5.5 PVR_CREATED: the day after tomorrow", b_future, MST_E_PVR_CREATED, ALL_FORMS },
	{ "8995-5.5 good: within a day", b_tomorrow, MST_OK, ALL_FORMS },
	{ "CLK-1 good: a clock that nobody trusts judges no date", b_future_untrusted, MST_OK,
	    ALL_FORMS },
	{ "8.1-3 good: a pledge without clock", b_no_date, MST_OK, ALL_FORMS },
};

struct one {
	const struct row *row;
	enum mst_media media;
};

static void
test_row(void **state)
{
	const struct one *o = *state;
	struct world w;

	good(&w, o->media);
	o->row->bend(&w);
	assert_string_equal(mst_err_info(run(&w))->name, mst_err_info(o->row->want)->name);
	arena_free(w.a);
}

/* DM-5: no prefix of a good message is a good message. */
static void
test_prefixes(void **state)
{
	const struct one *o = *state;
	struct world w;
	mst_span whole;

	good(&w, o->media);
	whole = seal(w.a, w.media, &w.c, w.signer, w.chain);
	for (size_t n = 0; n < whole.len; n += o->media == MST_MEDIA_COSE_CBOR ? 1 : 7) {
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, whole.ptr, n);
		w.in.message = mst_span_of(copy, n);
		assert_int_not_equal(registrar_judge_pvr(w.a, &w.in, &w.out), MST_OK);
		free(copy);
	}
	arena_free(w.a);
}

/* COSE-4: "A Registrar that processes a PVR with such a structure MUST ignore it". */
static void
test_cose_bag(void **state)
{
	STACK_OF(X509) *bag = sk_X509_new_null();
	struct world w;

	(void)state;
	good(&w, MST_MEDIA_COSE_CBOR);
	sk_X509_push(bag, pki.foreign_ca.cert);
	sk_X509_push(bag, pki.twin.cert); /* of the same key, with another MASA's URL */
	w.message = seal(w.a, w.media, &w.c, w.signer, NULL);
	assert_int_equal(envelope_bag_add(w.a, w.message, bag, &w.message), MST_OK);
	assert_int_equal(run(&w), MST_OK);
	assert_ptr_equal(w.out.request.signer, pki.device.cert);
	/* and whom the bag names is nobody's proof */
	w.in.client_cert = pki.other.cert;
	assert_int_equal(run(&w), MST_E_PVR_SIGNATURE);
	sk_X509_free(bag);
	arena_free(w.a);
}

/* COSE-4: what goes into the RVR's x5bag: EE up to and including the root. */
static void
test_pledge_chain(void **state)
{
	STACK_OF(X509) *chain = NULL;
	struct world w;

	(void)state;
	good(&w, MST_MEDIA_COSE_CBOR);
	assert_int_equal(registrar_pledge_chain(w.a, &w.in, &chain), MST_OK);
	assert_int_equal(sk_X509_num(chain), 2);
	assert_int_equal(X509_cmp(sk_X509_value(chain, 0), pki.device.cert), 0);
	assert_int_equal(X509_cmp(sk_X509_value(chain, 1), pki.idevid_ca.cert), 0);
	w.in.client_cert = pki.foreign.cert;
	assert_int_equal(registrar_pledge_chain(w.a, &w.in, &chain), MST_E_X509_CHAIN);
	w.in.maker = NULL;
	assert_int_equal(
	    registrar_pledge_chain(w.a, &w.in, &chain), MST_E_TLS_UNTRUSTED_MANUFACTURER);
	arena_free(w.a);
}

/* 8.3: what goes into the RVR. */
static void
test_rvr_claims(void **state)
{
	struct mst_voucher_claims c;
	struct world w;

	(void)state;
	good(&w, MST_MEDIA_CMS_JSON);
	w.client.idevid_issuer = MST_LIT("issuer");
	assert_int_equal(run(&w), MST_OK);
	registrar_rvr_claims(&w.out, w.in.message, &w.client, 1234, &c);
	assert_int_equal(c.kind, MST_VOUCHER_REQUEST);
	assert_int_equal(c.created_on, 1234);
	assert_int_equal(c.assertion, MST_ASSERT_PROXIMITY);
	assert_true(mst_span_eq(c.nonce_text, MST_LIT("VGhpcyBpcyBhIG5vbmNlIQ==")));
	assert_ptr_equal(c.serial.ptr, w.client.serial.ptr); /* from the certificate */
	assert_true(mst_span_eq(c.idevid_issuer, MST_LIT("issuer")));
	assert_true(mst_span_eq(c.prior_request, w.in.message));
	assert_null(c.proximity_cert.ptr);
	assert_null(c.proximity_pubk.ptr);
	assert_null(c.proximity_pubk_sha256.ptr);
	assert_int_equal(c.expires_on, MST_NO_TIME);
	arena_free(w.a);
}

int
main(void)
{
	enum { MOST = FORMS * (sizeof rows / sizeof rows[0] + 1) + 3 };
	static struct CMUnitTest tests[MOST];
	static struct one ones[MOST];
	struct arena *names = arena_new(0);
	STACK_OF(X509) *anchors;
	size_t n = 0;
	int failed;

	pki.idevid_ca = ID(.kind = ID_CA, .cn = "IDevID CA");
	anchors = sk_X509_new_null();
	if (sk_X509_push(anchors, pki.idevid_ca.cert) <= 0 ||
	    anchors_from_stack(anchors, &maker) != MST_OK)
		return 1;
	pki.device =
	    ID(.cn = "d", .kind = ID_DEVICE, .serial_number = "S-1", .issuer = &pki.idevid_ca);
	pki.twin = ID(.cn = "d", .kind = ID_DEVICE, .serial_number = "S-1", .key = pki.device.key,
	    .masa_url = "masa.example");
	pki.rekeyed =
	    ID(.cn = "d", .kind = ID_DEVICE, .serial_number = "S-1", .issuer = &pki.idevid_ca);
	pki.other =
	    ID(.cn = "d", .kind = ID_DEVICE, .serial_number = "S-2", .issuer = &pki.idevid_ca);
	pki.foreign_ca = ID(.kind = ID_CA, .cn = "IDevID CA");
	pki.foreign =
	    ID(.cn = "d", .kind = ID_DEVICE, .serial_number = "S-1", .issuer = &pki.foreign_ca);
	pki.registrar = ID(.kind = ID_REGISTRAR, .cn = "registrar");
	pki.sibling = ID(.kind = ID_REGISTRAR, .cn = "registrar");
	for (const struct form *f = forms; f < forms + FORMS; f++) {
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			if (f->media == MST_MEDIA_COSE_CBOR && rows[i].in == WITH_CERTS)
				continue;
			ones[n] = (struct one){ &rows[i], f->media };
			tests[n] = (struct CMUnitTest){ arena_printf(
				                            names, "%s%s", rows[i].name, f->suffix),
				test_row, NULL, NULL, &ones[n] };
			n++;
		}
		ones[n].media = f->media;
		tests[n] = (struct CMUnitTest){ arena_printf(names, "DM-5 prefixes are refused%s",
			                            f->suffix),
			test_prefixes, NULL, NULL, &ones[n] };
		n++;
	}
	tests[n++] =
	    (struct CMUnitTest){ "8.3 claims of the RVR", test_rvr_claims, NULL, NULL, NULL };
	tests[n++] = (struct CMUnitTest){ "COSE-4 x5bag and kid of a PVR are ignored",
		test_cose_bag, NULL, NULL, NULL };
	tests[n++] = (struct CMUnitTest){ "COSE-4 the pledge's chain up to its root",
		test_pledge_chain, NULL, NULL, NULL };
	failed = _cmocka_run_group_tests("registrar_judge_pvr", tests, n, NULL, NULL);
	arena_free(names);
	anchors_free(maker);
	sk_X509_free(anchors);
	for (size_t i = 0; i < sizeof pki / sizeof(struct id); i++)
		id_free((struct id *)&pki + i);
	return failed;
}
