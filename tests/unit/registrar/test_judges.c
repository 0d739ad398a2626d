/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's other judges: authorisation, MASA URL, voucher, audit log. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "server/registrar/registrar.h"
#include "tests/unit/registrar/support_id.h"

static struct {
	struct id root, ca, registrar, stranger, maker, signer, foreign, foreign_signer;
	struct id false_ca;
} pki;

static void
is(mst_err got, mst_err want)
{
	assert_string_equal(mst_err_info(got)->name, mst_err_info(want)->name);
}

/* --- 8.2 step 8: every mode, state and decision --- */

static mst_err
authorise_says(int enabled, enum accept_mode mode, enum device_state s, int decision)
{
	if (!enabled)
		return MST_E_AUTHZ_MANUFACTURER;
	if (s == DEVICE_QUARANTINED || s == DEVICE_REVOKED)
		return MST_E_AUTHZ_QUARANTINED;
	if (s == DEVICE_RETIRED)
		return decision < 0 ? MST_E_AUTHZ_DENIED : MST_E_AUTHZ_QUARANTINED;
	if (decision < 0)
		return MST_E_AUTHZ_DENIED;
	if (decision > 0)
		return MST_OK;
	if (mode == ACCEPT_LISTED)
		return MST_E_AUTHZ_UNKNOWN;
	return mode == ACCEPT_ASK ? MST_E_AUTHZ_PENDING : MST_OK;
}

static void
test_authorise(void **state)
{
	const int *key = *state;
	struct manufacturer m = { .enabled = key[0] != 0, .mode = (enum accept_mode)key[1] };
	struct device d = { .state = (enum device_state)key[2], .decision = key[3] };

	is(registrar_authorise(&m, &d), authorise_says(key[0], m.mode, d.state, key[3]));
}

static void
test_authorise_odd_mode(void **state)
{
	struct manufacturer m = { .enabled = true, .mode = (enum accept_mode)77 };
	struct device d = { .state = DEVICE_SEEN };

	(void)state;
	is(registrar_authorise(&m, &d), MST_E_AUTHZ_UNKNOWN);
}

/* --- ID-3 --- */

static const struct url_row {
	const char *name, *override, *hosts, *from;
	const char *want; /* NULL: MASA_NOT_ALLOWED */
} urls[] = {
	{ "ID-3 override without an extension", "masa.example", NULL, NULL,
	    "https://masa.example/.well-known/brski" },
	{ "ID-3 override beats the extension", "masa.example", "evil.example",
	    "https://evil.example/.well-known/brski", "https://masa.example/.well-known/brski" },
	{ "ID-3 override: a private address by the operator's word", "10.0.0.7:9443", NULL, NULL,
	    "https://10.0.0.7:9443/.well-known/brski" },
	{ "ID-3 override with a path", "https://masa.example/x", NULL, NULL,
	    "https://masa.example/x" },
	{ "ID-3 override: http is refused", "http://masa.example/x", NULL, NULL, NULL },
	{ "ID-3 override: userinfo is refused", "https://a:b@masa.example/", NULL, NULL, NULL },
	{ "ID-3 override: a line break is refused", "masa.example\r\nHost: x", NULL, NULL, NULL },
	{ "ID-3 a bad override is no reason to take the extension", "http://x/", "masa.example",
	    "https://masa.example/.well-known/brski", NULL },
	{ "ID-3 no extension, no override", NULL, "masa.example", NULL, NULL },
	{ "ID-3 nothing allowed", NULL, NULL, "https://masa.example/.well-known/brski", NULL },
	{ "ID-3 empty list", NULL, "", "https://masa.example/.well-known/brski", NULL },
	{ "ID-3 allowed host", NULL, "masa.example", "https://masa.example/.well-known/brski",
	    "https://masa.example/.well-known/brski" },
	{ "ID-3 allowed host, second in the list", NULL, "a.example  masa.example",
	    "https://masa.example/b", "https://masa.example/b" },
	{ "ID-3 a list in lines", NULL, "a.example\nmasa.example\n", "https://masa.example/b",
	    "https://masa.example/b" },
	{ "ID-3 host without port allows each port", NULL, "masa.example",
	    "https://masa.example:9443/b", "https://masa.example:9443/b" },
	{ "ID-3 host with port allows that port", NULL, "masa.example:9443",
	    "https://masa.example:9443/b", "https://masa.example:9443/b" },
	{ "ID-3 host with port allows no other", NULL, "masa.example:9443",
	    "https://masa.example:9444/b", NULL },
	{ "ID-3 host with port does not allow none", NULL, "masa.example:9443",
	    "https://masa.example/b", NULL },
	{ "ID-3 letter case of the list", NULL, "MASA.Example", "https://masa.example/b",
	    "https://masa.example/b" },
	{ "ID-3 evil-masa.example is not masa.example", NULL, "masa.example",
	    "https://evil-masa.example/b", NULL },
	{ "ID-3 masa.example.evil is not masa.example", NULL, "masa.example",
	    "https://masa.example.evil/b", NULL },
	{ "ID-3 a subdomain is not the host", NULL, "masa.example", "https://x.masa.example/b",
	    NULL },
	{ "ID-3 the host is not a subdomain", NULL, "x.masa.example", "https://masa.example/b",
	    NULL },
	{ "ID-3 a prefix of an entry is no entry", NULL, "masa.example.com",
	    "https://masa.example/b", NULL },
	{ "ID-3 the host in the path does not count", NULL, "masa.example",
	    "https://evil.example/masa.example", NULL },
	{ "ID-3 the port's digits are compared whole", NULL, "masa.example:944",
	    "https://masa.example:9443/b", NULL },
	{ "ID-3 not https", NULL, "masa.example", "http://masa.example/b", NULL },
	{ "ID-3 private: loopback is refused", NULL, "masa.example", "https://127.0.0.1/b", NULL },
	{ "ID-3 private: allowed by host and port", NULL, "127.0.0.1:9443",
	    "https://127.0.0.1:9443/b", "https://127.0.0.1:9443/b" },
	{ "ID-3 private: the address alone allows no port", NULL, "127.0.0.1",
	    "https://127.0.0.1:22/b", NULL },
	{ "ID-3 private: the address alone allows the default port", NULL, "127.0.0.1",
	    "https://127.0.0.1/b", "https://127.0.0.1/b" },
	{ "ID-3 private: localhost needs its port", NULL, "localhost", "https://localhost:5432/b",
	    NULL },
	{ "ID-3 private: link-local metadata service", NULL, "masa.example",
	    "https://169.254.169.254/latest", NULL },
	{ "ID-3 private: IPv6 loopback by name of another", NULL, "[::2]", "https://[::1]/b",
	    NULL },
	{ "ID-3 private: IPv6 with port", NULL, "[fd00::1]:443", "https://[fd00::1]:443/b",
	    "https://[fd00::1]:443/b" },
	{ "ID-3 private: IPv6 without its port", NULL, "[fd00::1]", "https://[fd00::1]:8443/b",
	    NULL },
	{ "ID-3 public IPv6, each port", NULL, "[2a00:1::1]", "https://[2a00:1::1]:8443/b",
	    "https://[2a00:1::1]:8443/b" },
};

static void
test_url(void **state)
{
	const struct url_row *r = *state;
	struct manufacturer m = { .masa_url = r->override, .masa_hosts = r->hosts };
	struct arena *a = arena_new(0);
	const char *base = NULL;
	mst_err e = registrar_masa_url(a, &m, r->from, &base);

	is(e, r->want != NULL ? MST_OK : MST_E_MASA_NOT_ALLOWED);
	if (r->want != NULL)
		assert_string_equal(base, r->want);
	else
		assert_null(base);
	arena_free(a);
}

/* --- 8.6 --- */

struct world {
	struct arena *a;
	struct mst_voucher_claims v, rvr;
	const struct id *signer;
	X509 *chain;
	enum mst_media media;
	struct registrar_voucher_in in;
	struct anchors *anchors;
	STACK_OF(X509) *own_chain;
	mst_span message;
	bool flip;
};

static void
good_voucher(struct world *w, enum mst_media media)
{
	int64_t now = time(NULL);

	memset(w, 0, sizeof *w);
	w->a = arena_new(0);
	w->media = w->in.media = media;
	mst_voucher_claims_init(&w->v, MST_VOUCHER);
	w->v.assertion = MST_ASSERT_PROXIMITY;
	w->v.created_on = now;
	w->v.serial = MST_LIT("S-1");
	w->v.nonce = MST_LIT("This is a nonce!");
	w->v.nonce_text = MST_LIT("VGhpcyBpcyBhIG5vbmNlIQ==");
	w->v.pinned_cert = der_of(w->a, pki.ca.cert);
	mst_voucher_claims_init(&w->rvr, MST_VOUCHER_REQUEST);
	w->rvr.serial = w->v.serial;
	w->rvr.nonce = w->v.nonce;
	w->rvr.nonce_text = w->v.nonce_text;
	w->signer = &pki.signer;
	w->chain = pki.maker.cert;
	assert_int_equal(
	    anchors_new(pem_of(w->a, &pki.maker.cert, 1), MST_NONE, &w->anchors), MST_OK);
	w->own_chain = sk_X509_new_null();
	sk_X509_push(w->own_chain, pki.ca.cert);
	sk_X509_push(w->own_chain, pki.root.cert);
	w->in.rvr = &w->rvr;
	w->in.voucher_anchors = w->anchors;
	w->in.own = pki.registrar.cert;
	w->in.own_chain = w->own_chain;
	w->in.clock = (struct mst_clock){ MST_CLOCK_TRUSTED, now };
}

#define BEND(name, ...)                                                                            \
	static void name(struct world *w)                                                          \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
BEND(v_good, (void)w)
BEND(v_no_anchors, w->in.voucher_anchors = NULL)
BEND(v_pin_ee, w->v.pinned_cert = der_of(w->a, pki.registrar.cert))
BEND(v_pin_root, w->v.pinned_cert = der_of(w->a, pki.root.cert))
BEND(v_nonce_url, w->v.nonce_text = MST_LIT("VGhpcyBpcyBhIG5vbmNlIQ"))
BEND(v_verified, w->v.assertion = MST_ASSERT_VERIFIED)
BEND(v_garbage, w->message = MST_LIT("<html>hello</html>"))
BEND(v_empty, w->message = MST_LIT(""))
BEND(v_type, w->in.media = another_form(w->media))
BEND(v_request, w->v.kind = MST_VOUCHER_REQUEST; w->v.pinned_cert = MST_NONE)
BEND(v_flip, w->flip = true)
BEND(v_foreign, w->signer = &pki.foreign_signer; w->chain = pki.foreign.cert)
BEND(v_foreign_no_chain, w->signer = &pki.foreign_signer; w->chain = NULL)
BEND(v_registrar_signs, w->signer = &pki.registrar; w->chain = pki.ca.cert)
BEND(v_serial, w->v.serial = MST_LIT("S-2"))
BEND(v_serial_none, w->v.serial = MST_NONE)
BEND(v_nonce, w->v.nonce = MST_LIT("This is a nonce?");
     w->v.nonce_text = MST_LIT("VGhpcyBpcyBhIG5vbmNlPw=="))
BEND(v_nonceless, w->v.nonce = w->v.nonce_text = MST_NONE)
BEND(v_assertion, w->v.assertion = MST_ASSERT_ABSENT)
BEND(v_pin_none, w->v.pinned_cert = MST_NONE)
BEND(v_pin_stranger, w->v.pinned_cert = der_of(w->a, pki.stranger.cert))
BEND(v_pin_false_ca, w->v.pinned_cert = der_of(w->a, pki.false_ca.cert))
BEND(v_pin_garbage, w->v.pinned_cert = MST_LIT("certificate"))
BEND(v_pin_maker, w->v.pinned_cert = der_of(w->a, pki.maker.cert))

static const struct voucher_row {
	const char *name;
	void (*bend)(struct world *);
	mst_err want;
} vouchers[] = {
	{ "8.6 good", v_good, MST_OK },
	{ "COSE-6 good: no voucher anchors configured", v_no_anchors, MST_OK },
	{ "8.6 good: pins the registrar itself", v_pin_ee, MST_OK },
	{ "8.6 good: pins the root", v_pin_root, MST_OK },
	{ "DM-2 good: the nonce in another spelling", v_nonce_url, MST_OK },
	{ "8.6 good: assertion verified", v_verified, MST_OK },
	{ "8.6 MASA_FORMAT: HTML", v_garbage, MST_E_MASA_FORMAT },
	{ "8.6 MASA_FORMAT: empty", v_empty, MST_E_MASA_FORMAT },
	{ "8.6 MASA_FORMAT: sent as another form", v_type, MST_E_MASA_FORMAT },
	{ "8.6 MASA_FORMAT: a request", v_request, MST_E_MASA_FORMAT },
	{ "8.6 MASA_VOUCHER: one bit of the signature", v_flip, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: signer of another maker", v_foreign, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: the same without its CA", v_foreign_no_chain, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: signed by this registrar", v_registrar_signs, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: another serial number", v_serial, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: another nonce", v_nonce, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: nonceless for a nonced request", v_nonceless, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: no assertion", v_assertion, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: no pin", v_pin_none, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: pins another site", v_pin_stranger, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: pins a CA of our CA's name", v_pin_false_ca, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: pins no certificate", v_pin_garbage, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: pins the maker", v_pin_maker, MST_E_MASA_VOUCHER },
};

struct one {
	const struct voucher_row *row;
	enum mst_media media;
};

static void
test_voucher(void **state)
{
	const struct one *o = *state;
	const struct voucher_row *r = o->row;
	const char *why = NULL;
	struct world w;
	mst_err e;

	good_voucher(&w, o->media);
	r->bend(&w);
	w.in.message =
	    w.message.ptr != NULL ? w.message : seal(w.a, w.media, &w.v, w.signer, w.chain);
	if (w.flip)
		damage(w.media, w.in.message);
	e = registrar_judge_voucher(w.a, &w.in, &why);
	is(e, r->want);
	if (e != MST_OK)
		assert_non_null(why);
	anchors_free(w.anchors);
	sk_X509_free(w.own_chain);
	arena_free(w.a);
}

/* A voucher without any serial number: whatever it is called, it is refused. */
static void
test_voucher_no_serial(void **state)
{
	const char *why = NULL;
	struct world w;
	mst_span message;

	(void)state;
	good_voucher(&w, MST_MEDIA_CMS_JSON);
	v_serial_none(&w);
	message = seal(w.a, w.media, &w.v, w.signer, w.chain);
	w.in.message = message;
	assert_int_not_equal(registrar_judge_voucher(w.a, &w.in, &why), MST_OK);
	anchors_free(w.anchors);
	sk_X509_free(w.own_chain);
	arena_free(w.a);
}

/* --- AUD-6, through the document as a MASA sends it --- */

#define OWN "T1dO" /* "OWN" */
#define OWN2 "T1dOMg==" /* "OWN2" */
#define NONCE "VGhpcyBpcyBhIG5vbmNlIQ=="
#define EV(domain, nonce)                                                                          \
	"{\"date\":\"2026-11-23T09:00:00Z\",\"domainID\":\"" domain "\",\"nonce\":" nonce          \
	",\"assertion\":\"proximity\"}"
#define LOG(events) "{\"version\":1,\"events\":[" events "],\"truncation\":{}}"
#define MINE EV(OWN, "\"" NONCE "\"")
#define HERS EV("SEVSUw==", "\"b3RoZXJub25jZQ==\"")
#define HERS_NONCELESS EV("SEVSUw==", "null")
#define CUT(n)                                                                                     \
	"{\"version\":1,\"events\":[" MINE "],\"truncation\":{\"nonced duplicates\":0,"            \
	"\"nonceless duplicates\":0,\"arbitrary\":" n "}}"

static const struct audit_row {
	const char *name, *json, *policy;
	int nonceless; /* the voucher just issued had no nonce */
	int verdict;
	mst_err err;
} audits[] = {
	{ "AUD-6 good: ours alone", LOG(MINE), "strict", 0, 1, MST_OK },
	{ "AUD-6 good: ours, and ours of before", LOG(EV(OWN, "\"b2xkb2xkb2xk\"") "," MINE),
	    "strict", 0, 1, MST_OK },
	{ "ID-7 good: ours under another of our certificates", LOG(EV(OWN2, "\"" NONCE "\"")),
	    "strict", 0, 1, MST_OK },
	{ "DM-2 good: the nonce without padding", LOG(EV(OWN, "\"VGhpcyBpcyBhIG5vbmNlIQ\"")),
	    "strict", 0, 1, MST_OK },
	{ "AUD-6 good: our own nonceless", LOG(EV(OWN, "null")), "strict", 1, 1, MST_OK },
	{ "AUD-6 good: nonceless of ours beside", LOG(EV(OWN, "null") "," MINE), "strict", 0, 1,
	    MST_OK },
	{ "AUD-6 MISSING_OWN: empty, strict", LOG(""), "strict", 0, 0, MST_E_AUDIT_MISSING_OWN },
	{ "AUD-6 MISSING_OWN: empty, warn", LOG(""), "warn", 0, 0, MST_E_AUDIT_MISSING_OWN },
	{ "AUD-6 MISSING_OWN: only an older of ours", LOG(EV(OWN, "\"b2xkb2xkb2xk\"")), "warn", 0,
	    0, MST_E_AUDIT_MISSING_OWN },
	{ "AUD-6 MISSING_OWN: our nonce under another domain", LOG(EV("SEVSUw==", "\"" NONCE "\"")),
	    "warn", 0, 0, MST_E_AUDIT_MISSING_OWN },
	{ "AUD-6 MISSING_OWN: a nonceless of ours is not the nonced one", LOG(EV(OWN, "null")),
	    "warn", 0, 0, MST_E_AUDIT_MISSING_OWN },
	{ "AUD-6 FOREIGN: strict", LOG(HERS "," MINE), "strict", 0, 0, MST_E_AUDIT_FOREIGN },
	{ "AUD-6 FOREIGN: after ours", LOG(MINE "," HERS), "strict", 0, 0, MST_E_AUDIT_FOREIGN },
	{ "AUD-6 FOREIGN: warn", LOG(HERS "," MINE), "warn", 0, 2, MST_E_AUDIT_FOREIGN },
	{ "AUD-6 FOREIGN: no policy is strict", LOG(HERS "," MINE), NULL, 0, 0,
	    MST_E_AUDIT_FOREIGN },
	{ "AUD-6 FOREIGN: an unknown policy is strict", LOG(HERS "," MINE), "lax", 0, 0,
	    MST_E_AUDIT_FOREIGN },
	{ "AUD-6 FOREIGN: a prefix of our domainID", LOG(EV("T1c=", "\"eHh4eHh4eHg=\"") "," MINE),
	    "strict", 0, 0, MST_E_AUDIT_FOREIGN },
	{ "AUD-6 NONCELESS: foreign, strict", LOG(HERS_NONCELESS "," MINE), "strict", 0, 0,
	    MST_E_AUDIT_NONCELESS },
	{ "AUD-6 NONCELESS: foreign, warn", LOG(HERS_NONCELESS "," MINE), "warn", 0, 2,
	    MST_E_AUDIT_NONCELESS },
	{ "AUD-6 TRUNCATED: strict", CUT("3"), "strict", 0, 0, MST_E_AUDIT_TRUNCATED },
	{ "AUD-6 TRUNCATED: warn", CUT("3"), "warn", 0, 2, MST_E_AUDIT_TRUNCATED },
	{ "AUD-4 TRUNCATED: a quoted integer", CUT("\"3\""), "strict", 0, 0,
	    MST_E_AUDIT_TRUNCATED },
	{ "AUD-4 good: a quoted zero", CUT("\"0\""), "strict", 0, 1, MST_OK },
};

static void
test_audit(void **state)
{
	const struct audit_row *r = *state;
	const mst_span domains[] = { MST_LIT("OWN"), MST_LIT("OWN2") };
	struct arena *a = arena_new(0);
	struct audit_log log;
	struct registrar_audit_in in = { .log = &log,
		.own_domains = domains,
		.own_count = 2,
		.own_nonce = r->nonceless ? MST_NONE : MST_LIT(NONCE),
		.policy = r->policy };
	struct registrar_audit out;

	assert_int_equal(audit_log_parse(a, mst_span_str(r->json), &log), MST_OK);
	assert_int_equal(registrar_judge_audit(a, &in, &out), MST_OK);
	assert_int_equal(out.verdict, r->verdict);
	is(out.err, r->err);
	assert_non_null(out.words);
	arena_free(a);
}

static int keys[2 * 3 * DEVICE_STATE_COUNT * 3][4];
static char names[2 * 3 * DEVICE_STATE_COUNT * 3][96];
static struct CMUnitTest tests[2 * 3 * DEVICE_STATE_COUNT * 3 + 200];

static size_t
add_authorise(size_t n)
{
	static const char *const decisions[] = { "rejected", "undecided", "accepted" };
	size_t k = 0;

	for (int enabled = 0; enabled < 2; enabled++)
		for (int mode = 0; mode < 3; mode++)
			for (int s = 0; s < DEVICE_STATE_COUNT; s++)
				for (int d = -1; d <= 1; d++, k++) {
					memcpy(keys[k], (int[]){ enabled, mode, s, d },
					    sizeof keys[k]);
					snprintf(names[k], sizeof names[k], "8.2-8 %s%s %s %s",
					    enabled ? "" : "switched off, ",
					    accept_mode_word((enum accept_mode)mode),
					    device_state_word((enum device_state)s),
					    decisions[d + 1]);
					tests[n++] = (struct CMUnitTest){ names[k], test_authorise,
						NULL, NULL, keys[k] };
				}
	return n;
}

#define ADD(rows, fn)                                                                              \
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)                                  \
		tests[n++] = (struct CMUnitTest)                                                   \
		{                                                                                  \
			rows[i].name, fn, NULL, NULL, (void *)(uintptr_t)&rows[i]                  \
		}

static size_t
add_vouchers(struct arena *a, size_t n)
{
	static struct one ones[FORMS * sizeof vouchers / sizeof vouchers[0]];
	struct one *o = ones;

	for (const struct form *f = forms; f < forms + FORMS; f++)
		for (size_t i = 0; i < sizeof vouchers / sizeof vouchers[0]; i++, o++) {
			*o = (struct one){ &vouchers[i], f->media };
			tests[n++] = (struct CMUnitTest){ arena_printf(a, "%s%s", vouchers[i].name,
				                              f->suffix),
				test_voucher, NULL, NULL, o };
		}
	return n;
}

int
main(void)
{
	struct arena *names_of_forms = arena_new(0);
	size_t n = add_authorise(0);
	int failed;

	pki.root = ID(.kind = ID_CA, .cn = "site root");
	pki.ca = ID(.kind = ID_CA, .cn = "site CA", .issuer = &pki.root);
	pki.registrar = ID(.kind = ID_REGISTRAR, .cn = "registrar", .issuer = &pki.ca);
	pki.stranger = ID(.kind = ID_CA, .cn = "other site");
	pki.false_ca = ID(.kind = ID_CA, .cn = "site CA", .issuer = &pki.root);
	pki.maker = ID(.kind = ID_CA, .cn = "maker");
	pki.signer = ID(.kind = ID_DEVICE, .cn = "vouchers", .issuer = &pki.maker);
	pki.foreign = ID(.kind = ID_CA, .cn = "maker");
	pki.foreign_signer = ID(.kind = ID_DEVICE, .cn = "vouchers", .issuer = &pki.foreign);
	ADD(urls, test_url);
	n = add_vouchers(names_of_forms, n);
	ADD(audits, test_audit);
	tests[n++] = (struct CMUnitTest){ "8.2-8 a mode that nobody knows admits nobody",
		test_authorise_odd_mode, NULL, NULL, NULL };
	tests[n++] = (struct CMUnitTest){ "8.6 refused: a voucher without serial number",
		test_voucher_no_serial, NULL, NULL, NULL };
	failed = _cmocka_run_group_tests("registrar judges", tests, n, NULL, NULL);
	arena_free(names_of_forms);
	for (size_t i = 0; i < sizeof pki / sizeof(struct id); i++)
		id_free((struct id *)&pki + i);
	return failed;
}
