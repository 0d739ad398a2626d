/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals of RFC 8995 over both wires: brski.md 8.2, 8.4 relayed, 8.6, sections 9 to 11. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "tests/twins/twins.h"

#define BEND(name, ...)                                                                            \
	static void name(struct twin *t)                                                           \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}

/* The twin with another certificate, which asks and signs. */
static void
be(struct twin *t, const struct id_spec *spec)
{
	t->other = id_make(spec);
	t->client = t->signer = &t->other;
}
#define BE(...) be(t, &(struct id_spec){ .kind = ID_DEVICE, .cn = "d", __VA_ARGS__ })

BEND(nothing, (void)t)

/* --- 8.2 step 1 --- */
BEND(anonymous, t->client = NULL)
BEND(stranger, BE(.serial_number = t->serial, .issuer = &site.stranger_ca))
BEND(self_signed, BE(.serial_number = t->serial))
BEND(of_a_device, BE(.serial_number = t->serial, .issuer = &t->device))
BEND(expired, BE(.serial_number = t->serial, .issuer = &site.maker, .from = -7200, .until = -60))
BEND(not_yet, BE(.serial_number = t->serial, .issuer = &site.maker, .from = 3600))
BEND(sha1, BE(.serial_number = t->serial, .issuer = &site.maker, .flags = ID_SHA1))
BEND(no_serial, BE(.issuer = &site.maker))
BEND(site_ca_device, BE(.serial_number = t->serial, .issuer = &site.root))
BEND(registrar_itself, t->client = t->signer = &site.registrar)
static void
revoked_by_maker(struct twin *t)
{
	struct manufacturer m = site.maker_row;

	m.crl_pem = crl_of(t->a, &site.maker, t->device.cert, 3600);
	twin_maker(&m);
}
static void
maker_disabled(struct twin *t)
{
	struct manufacturer m = site.maker_row;

	(void)t;
	m.enabled = false;
	twin_maker(&m);
}
static void
ldevid(struct twin *t)
{
	twin_voucher(t);
	t->ldevid = site_ldevid(t->serial);
	t->client = &t->ldevid;
	t->claims.nonce = MST_LIT("another nonce...");
	t->claims.nonce_text = MST_LIT("YW5vdGhlciBub25jZS4uLg==");
}

/* --- steps 2 and 3 --- */
BEND(as_json, t->type = "application/json")
BEND(as_text, t->type = "text/plain")
BEND(as_octets, t->type = "application/octet-stream")
BEND(as_csr, t->type = "application/pkcs10")
BEND(accept_other, t->accept = "application/pkix-cert")
BEND(is_cms, t->media = MST_MEDIA_CMS_JSON)
BEND(is_jws, t->media = MST_MEDIA_JWS_JSON)
BEND(no_such_path, t->path = t->wire == ON_COAPS ? "/b/nothing" : "/.well-known/brski/nothing")
BEND(empty, t->body = MST_LIT(""))
BEND(garbage, t->body = MST_LIT("not a request at all"))
BEND(cut, t->cut = 12)
BEND(a_voucher, t->claims.kind = MST_VOUCHER; t->claims.proximity_cert = MST_NONE)
BEND(serial_none, t->claims.serial = MST_NONE)
BEND(expires, t->claims.expires_on = time(NULL) + 60)

/* --- steps 4 to 7 --- */
BEND(flip, t->flip = true)
BEND(other_signer,
     t->other = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "T-other", .issuer = &site.maker);
     t->signer = &t->other)
BEND(foreign_signer, t->other = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = t->serial,
                         .issuer = &site.stranger_ca);
     t->signer = &t->other)
BEND(rekeyed,
     t->other = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = t->serial, .issuer = &site.maker);
     t->signer = &t->other)
BEND(other_client,
     t->other = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "T-thief", .issuer = &site.maker);
     t->client = &t->other)
BEND(logged, t->claims.assertion = MST_ASSERT_LOGGED)
BEND(verified, t->claims.assertion = MST_ASSERT_VERIFIED)
BEND(no_assertion, t->claims.assertion = MST_ASSERT_ABSENT)
BEND(agent, t->claims.assertion = MST_ASSERT_AGENT_PROXIMITY)
BEND(prox_sibling, t->claims.proximity_cert = der_of(t->a, site.other_site.cert))
BEND(prox_none, t->claims.proximity_cert = MST_NONE)
BEND(prox_prefix, t->claims.proximity_cert.len--)
static mst_span
sha_of(struct twin *t, X509 *cert)
{
	uint8_t digest[32];
	mst_span spki;

	assert_int_equal(cert_spki(t->a, cert, &spki), MST_OK);
	assert_int_equal(EVP_Digest(spki.ptr, spki.len, digest, NULL, EVP_sha256(), NULL), 1);
	return arena_dup(t->a, mst_span_of(digest, 32));
}
BEND(pubk_good, t->claims.proximity_cert = MST_NONE;
     assert_int_equal(cert_spki(t->a, site.registrar.cert, &t->claims.proximity_pubk), MST_OK))
BEND(pubk_bad, t->claims.proximity_cert = MST_NONE;
     assert_int_equal(cert_spki(t->a, site.other_site.cert, &t->claims.proximity_pubk), MST_OK))
BEND(pubk_bad_cert_good,
    assert_int_equal(cert_spki(t->a, site.other_site.cert, &t->claims.proximity_pubk), MST_OK))
BEND(sha_good, t->claims.proximity_cert = MST_NONE;
     t->claims.proximity_pubk_sha256 = sha_of(t, site.registrar.cert))
BEND(sha_bad, t->claims.proximity_cert = MST_NONE;
     t->claims.proximity_pubk_sha256 = sha_of(t, site.other_site.cert))
BEND(sha_bad_cert_good, t->claims.proximity_pubk_sha256 = sha_of(t, site.other_site.cert))
BEND(serial_other, t->claims.serial = MST_LIT("T-99"))
BEND(serial_prefix, t->claims.serial.len--)
BEND(serial_case, char *s = arena_str(t->a, t->claims.serial); s[0] = 't';
     t->claims.serial = mst_span_str(s))
BEND(nonce_none, t->claims.nonce = t->claims.nonce_text = MST_NONE)
BEND(nonce_short, t->claims.nonce = MST_LIT("seven!!");
     t->claims.nonce_text = MST_LIT("c2V2ZW4hIQ=="))
BEND(nonce_long, t->claims.nonce = MST_LIT("0123456789abcdef0123456789abcdefX");
     t->claims.nonce_text = MST_LIT("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWZY"))
BEND(future, t->claims.created_on += 2 * 86400)
BEND(replay, twin_voucher(t); t->claims.created_on -= 60)

/* --- step 8: rows of the site --- */
static void
in_mode(enum accept_mode mode)
{
	struct manufacturer m = site.maker_row;

	m.mode = mode;
	twin_maker(&m);
}
BEND(unlisted, (void)t; in_mode(ACCEPT_LISTED))
BEND(pending, (void)t; in_mode(ACCEPT_ASK))
static void
in_state(struct twin *t, enum device_state state, int decision)
{
	struct device d;

	twin_voucher(t);
	d = twin_row(t);
	d.state = state;
	d.decision = decision;
	twin_save(&d);
	t->claims.nonce = MST_LIT("another nonce...");
	t->claims.nonce_text = MST_LIT("YW5vdGhlciBub25jZS4uLg==");
}
BEND(rejected, in_state(t, DEVICE_RETIRED, -1))
BEND(quarantined, in_state(t, DEVICE_QUARANTINED, 0))
BEND(revoked, in_state(t, DEVICE_REVOKED, 0))
BEND(retired, in_state(t, DEVICE_RETIRED, 0))
BEND(never_stops, garbage(t); t->times = 80)
static void
masa_at(const char *url, const char *hosts)
{
	struct manufacturer m = site.maker_row;

	m.masa_url = url;
	m.masa_hosts = hosts;
	twin_maker(&m);
}
BEND(no_masa, (void)t; masa_at(NULL, NULL))
BEND(masa_not_https, (void)t; masa_at("http://127.0.0.1/", NULL))
BEND(masa_private, BE(.serial_number = t->serial, .issuer = &site.maker, .masa_url = "127.0.0.1:1");
     masa_at(NULL, "masa.example"))
BEND(masa_foreign,
     BE(.serial_number = t->serial, .issuer = &site.maker, .masa_url = "evil-masa.example");
     masa_at(NULL, "masa.example"))
BEND(masa_away, (void)t; masa_at("127.0.0.1:1", NULL))
static void
masa_unknown_tls(struct twin *t)
{
	struct manufacturer m = site.maker_row;

	m.masa_anchors_pem = pem_of(t->a, &site.stranger_ca.cert, 1);
	twin_maker(&m);
}

/* --- 8.6: the MASA lies --- */
#define LIES(name, how) BEND(name, (void)t; atomic_store(&site.mode, how))
LIES(lies_nonce, MASA_WRONG_NONCE)
LIES(lies_serial, MASA_WRONG_SERIAL)
LIES(lies_pin, MASA_WRONG_PIN)
LIES(lies_signer, MASA_WRONG_SIGNER)
LIES(lies_garbage, MASA_GARBAGE)
LIES(lies_type, MASA_WRONG_TYPE)
LIES(lies_empty, MASA_EMPTY)
LIES(lies_large, MASA_TOO_LARGE)
LIES(says_400, MASA_400)
LIES(says_401, MASA_401)
LIES(says_403, MASA_403)
LIES(says_404, MASA_404)
LIES(says_406, MASA_406)
LIES(says_415, MASA_415)
LIES(says_500, MASA_500)
LIES(says_202, MASA_202)
LIES(says_302, MASA_302)
LIES(says_nothing, MASA_HANG)

/* --- 8.4: a real MASA judges --- */
static void
real(struct twin *t, void (*change)(struct twin *t, struct masa_device *d))
{
	struct masa_device d = twin_masa_device(t);

	if (change != NULL)
		change(t, &d);
	twin_real_masa(t, &d);
}
static void
m_blocked(struct twin *t, struct masa_device *d)
{
	(void)t;
	d->state = MASA_BLOCKED;
	d->state_reason = "stolen";
}
static void
m_sold(struct twin *t, struct masa_device *d)
{
	(void)t;
	d->customer = twin_other_customer();
}
static void
m_issuer(struct twin *t, struct masa_device *d)
{
	assert_int_equal(cert_idevid_issuer(t->a, site.stranger.cert, &d->idevid_issuer), MST_OK);
}
static void
m_key(struct twin *t, struct masa_device *d)
{
	d->spki_sha256 = a_spki_sha256(t->a, site.stranger.key);
	d->idevid_cert = MST_NONE;
}
BEND(real_good, real(t, NULL))
BEND(real_unknown, twin_real_masa(t, NULL))
BEND(real_other_issuer, real(t, m_issuer))
BEND(real_blocked, real(t, m_blocked))
BEND(real_sold, real(t, m_sold))
BEND(real_other_key, real(t, m_key))
BEND(real_old, real(t, NULL); t->claims.created_on -= 8 * 86400)
static void
real_expired(struct twin *t)
{
	struct manufacturer m;

	expired(t);
	real(t, NULL);
	m = site.maker_row; /* with the real MASA's URL */
	m.ignore_expiry = true;
	twin_maker(&m);
}

/* --- reports: sections 9 to 11 --- */
#define BYTES(text) mst_span_of((const uint8_t *)(text), sizeof(text) - 1)
#define BODY(name, text) BEND(name, t->body = BYTES(text))
BODY(no_map, "\x01")
BODY(no_status, "\xa1\x67version\x01")
BODY(status_text, "\xa2\x67version\x01\x66status\x64true")
BODY(json_as_cbor, "{\"version\":1,\"status\":true}")
BODY(cbor_cut, "\xa2\x67version\x01\x66status")
BODY(cbor_endless, "\xbf\x67version\x01\x66status\xf5")
BODY(cbor_twice, "\xa3\x67version\x01\x66status\xf5\x66status\xf4")
BODY(version_text, "\xa2\x67version\x61\x31\x66status\xf5")
BODY(failed, "\xa3\x67version\x01\x66status\xf4\x66reason\x62no")
BEND(in_json, t->type = "application/json"; t->body = MST_LIT("{\"version\":1,\"status\":true}"))
BEND(json_garbage, t->type = "application/json"; t->body = MST_LIT("no"))
BEND(json_no_status, t->type = "application/json"; t->body = MST_LIT("{\"version\":1}"))
BEND(json_status_text, t->type = "application/json";
     t->body = MST_LIT("{\"version\":1,\"status\":\"true\"}"))
BEND(cbor_as_json, t->type = "application/json"; t->body = BYTES("\xa1\x66status\xf5"))
/* Another device of the maker that nobody gave a voucher. */
BEND(no_voucher, BE(.serial_number = "T-none", .issuer = &site.maker))
BEND(ldevid_reports, t->ldevid = site_ldevid(t->serial); t->client = &t->ldevid)
BEND(forged_ldevid, BE(.serial_number = t->serial, .issuer = &site.root))
BEND(ldevid_revoked, ldevid_reports(t); twin_revoke(t->ldevid.cert))
BEND(ldevid_of_other_site, BE(.serial_number = t->serial, .issuer = &site.other_site))

#define AUDIT(name, how) BEND(name, (void)t; atomic_store(&site.audit, how))
AUDIT(audit_foreign, AUDIT_FOREIGN)
AUDIT(audit_empty, AUDIT_EMPTY)
AUDIT(audit_garbage, AUDIT_GARBAGE)
AUDIT(audit_type, AUDIT_WRONG_TYPE)
AUDIT(audit_404, AUDIT_404)
AUDIT(audit_elsewhere, AUDIT_ELSEWHERE)

#define P(clause, bend, want)                                                                      \
	{                                                                                          \
		clause " " #bend, OP_PVR, bend, MST_E_##want, MST_OK, 0                            \
	}
#define M(clause, bend, want, masa)                                                                \
	{                                                                                          \
		clause " " #bend, OP_PVR, bend, MST_E_##want, MST_E_##masa, 0                      \
	}
#define S(clause, bend, want)                                                                      \
	{                                                                                          \
		clause " " #bend, OP_STATUS, bend, MST_E_##want, MST_OK, 0                         \
	}
#define E(clause, bend, want)                                                                      \
	{                                                                                          \
		clause " es " #bend, OP_ENROLLSTATUS, bend, MST_E_##want, MST_OK, 0                \
	}
#define A(clause, bend, want)                                                                      \
	{                                                                                          \
		clause " " #bend, OP_STATUS, bend, MST_E_##want, MST_OK, ANSWERED                  \
	}

const struct twin_case brski_cases[] = {
	{ "8.2 good", OP_PVR, nothing, MST_OK, MST_OK, 0 },
	{ "8.2-6 good: pubk", OP_PVR, pubk_good, MST_OK, MST_OK, 0 },
	{ "8.2-6 good: pubk-sha256", OP_PVR, sha_good, MST_OK, MST_OK, 0 },
	{ "8.2-1 anonymous", OP_PVR, anonymous, MST_E_TLS_NO_CLIENT_CERT, MST_OK, NO_SESSION },
	P("8.2-1", stranger, TLS_UNTRUSTED_MANUFACTURER),
	P("8.2-1", self_signed, TLS_UNTRUSTED_MANUFACTURER),
	P("8.2-1", of_a_device, TLS_UNTRUSTED_MANUFACTURER),
	P("ID-4", expired, TLS_IDEVID_EXPIRED),
	P("ID-4", not_yet, TLS_IDEVID_EXPIRED),
	P("CMS-5", sha1, X509_WEAK),
	P("ID-1", no_serial, TLS_IDEVID_SERIAL),
	P("A4", site_ca_device, TLS_LDEVID_UNKNOWN),
	P("A4", registrar_itself, TLS_LDEVID_UNKNOWN),
	P("8.2-1", revoked_by_maker, TLS_IDEVID_REVOKED),
	P("8.2-8", maker_disabled, AUTHZ_MANUFACTURER),
	P("8.2-1", ldevid, TLS_UNTRUSTED_MANUFACTURER),
	{ "8.2-2 as_json", OP_PVR, as_json, MST_E_MEDIA_UNSUPPORTED, MST_OK, BY_TABLE },
	{ "8.2-2 as_text", OP_PVR, as_text, MST_E_MEDIA_UNSUPPORTED, MST_OK, BY_TABLE },
	{ "8.2-2 as_octets", OP_PVR, as_octets, MST_E_MEDIA_UNSUPPORTED, MST_OK, BY_TABLE },
	{ "8.2-2 as_csr", OP_PVR, as_csr, MST_E_MEDIA_UNSUPPORTED, MST_OK, BY_TABLE },
	{ "HT-3 accept_other", OP_PVR, accept_other, MST_E_MEDIA_ACCEPT, MST_OK, BY_TABLE },
	P("U3", no_such_path, HTTP_PATH),
	P("8.2-3", is_cms, PVR_PARSE),
	P("8.2-3", is_jws, PVR_PARSE),
	P("8.2-3", empty, PVR_PARSE),
	P("8.2-3", garbage, PVR_PARSE),
	P("8.2-3", cut, PVR_PARSE),
	P("8.2-3", a_voucher, PVR_PARSE),
	P("ID-9", serial_none, PVR_PARSE),
	P("8366bis-8", expires, PVR_PARSE),
	P("8.2-4", flip, PVR_SIGNATURE),
	P("8.2-4", other_signer, PVR_SIGNATURE),
	P("8.2-4", foreign_signer, PVR_SIGNATURE),
	P("8.2-4", rekeyed, PVR_SIGNATURE),
	P("8.2-4", other_client, PVR_SIGNATURE),
	P("8.2-5", logged, PVR_ASSERTION),
	P("8.2-5", verified, PVR_ASSERTION),
	P("8.2-5", no_assertion, PVR_ASSERTION),
	P("8.2-5", agent, PVR_ASSERTION),
	P("8.2-6", prox_sibling, PVR_PROXIMITY),
	P("8.2-6", prox_none, PVR_PROXIMITY),
	P("8.2-6", prox_prefix, PVR_PROXIMITY),
	P("8.2-6", pubk_bad, PVR_PROXIMITY),
	P("8.2-6", sha_bad, PVR_PROXIMITY),
	P("DM-4", pubk_bad_cert_good, PVR_PROXIMITY),
	P("DM-4", sha_bad_cert_good, PVR_PROXIMITY),
	P("8.2-7", serial_other, PVR_SERIAL),
	P("8.2-7", serial_prefix, PVR_SERIAL),
	P("ID-9", serial_case, PVR_SERIAL),
	P("8366bis-8", nonce_none, PVR_NONCE),
	P("8366bis-8", nonce_short, PVR_NONCE),
	P("8366bis-8", nonce_long, PVR_NONCE),
	P("8995-5.5", future, PVR_CREATED),
	P("8995-5.2", replay, PVR_REPLAY),
	P("8.2-8", unlisted, AUTHZ_UNKNOWN),
	P("8.2-8", pending, AUTHZ_PENDING),
	P("8.2-8", rejected, AUTHZ_DENIED),
	P("8.2-8", quarantined, AUTHZ_QUARANTINED),
	P("8.2-8", revoked, AUTHZ_QUARANTINED),
	P("8.2-8", retired, AUTHZ_QUARANTINED),
	P("8995-11.1", never_stops, QUOTA),
	P("ID-3", no_masa, MASA_NOT_ALLOWED),
	P("ID-3", masa_not_https, MASA_NOT_ALLOWED),
	P("ID-3", masa_private, MASA_NOT_ALLOWED),
	P("ID-3", masa_foreign, MASA_NOT_ALLOWED),
	P("8995-5.4", masa_away, MASA_UNREACHABLE),
	P("8995-5.4", masa_unknown_tls, MASA_TLS),
	P("8.6", lies_nonce, MASA_VOUCHER),
	P("8.6", lies_serial, MASA_VOUCHER),
	P("8.6", lies_pin, MASA_VOUCHER),
	P("8.6", lies_signer, MASA_VOUCHER),
	P("8.6", lies_garbage, MASA_FORMAT),
	P("8.6", lies_type, MASA_FORMAT),
	P("8.6", lies_empty, MASA_FORMAT),
	P("8.6", lies_large, MASA_FORMAT),
	P("8995-5.4.1", says_401, MASA_AUTH),
	P("HT-2", says_400, MASA_REJECTED),
	P("HT-2", says_403, MASA_REJECTED),
	P("HT-2", says_404, MASA_UNKNOWN),
	P("HT-2", says_406, MASA_MEDIA),
	P("HT-2", says_415, MASA_MEDIA),
	P("8995-5.6", says_302, MASA_FORMAT),
	P("8995-5.6", says_500, MASA_UNREACHABLE),
	P("8995-5.6", says_202, MASA_BUSY),
	P("8995-5.1", says_nothing, MASA_BUSY),
	{ "8.4 good: the real MASA", OP_PVR, real_good, MST_OK, MST_OK, 0 },
	M("8.4-7", real_unknown, MASA_UNKNOWN, DEVICE_UNKNOWN),
	M("8.4-7", real_other_issuer, MASA_UNKNOWN, DEVICE_UNKNOWN),
	M("8.4-8", real_blocked, MASA_REJECTED, DEVICE_BLOCKED),
	M("8.4-8", real_sold, MASA_REJECTED, DEVICE_OTHER_OWNER),
	M("8.4-10b", real_other_key, MASA_REJECTED, PRIOR_SIGNATURE),
	M("8.4-10f", real_old, MASA_REJECTED, PRIOR_CREATED),
	M("ID-4", real_expired, MASA_REJECTED, PRIOR_IDEVID_CHAIN),
	{ "TEL-1 good", OP_STATUS, nothing, MST_OK, MST_OK, 0 },
	{ "TEL-1 good: JSON", OP_STATUS, in_json, MST_OK, MST_OK, 0 },
	S("10", empty, TELEMETRY_PARSE),
	S("10", no_map, TELEMETRY_PARSE),
	S("10", no_status, TELEMETRY_PARSE),
	S("10", status_text, TELEMETRY_PARSE),
	S("10", version_text, TELEMETRY_PARSE),
	S("10", json_as_cbor, TELEMETRY_PARSE),
	S("10", cbor_as_json, TELEMETRY_PARSE),
	S("10", cbor_cut, TELEMETRY_PARSE),
	S("10", cbor_endless, TELEMETRY_PARSE),
	S("10", cbor_twice, TELEMETRY_PARSE),
	S("10", json_garbage, TELEMETRY_PARSE),
	S("10", json_no_status, TELEMETRY_PARSE),
	S("10", json_status_text, TELEMETRY_PARSE),
	{ "3 vs as_text", OP_STATUS, as_text, MST_E_MEDIA_UNSUPPORTED, MST_OK, BY_TABLE },
	{ "3 vs as_csr", OP_STATUS, as_csr, MST_E_MEDIA_UNSUPPORTED, MST_OK, BY_TABLE },
	{ "TEL-3 vs anonymous", OP_STATUS, anonymous, MST_E_TLS_NO_CLIENT_CERT, MST_OK,
	    NO_SESSION },
	S("TEL-3", stranger, TLS_UNTRUSTED_MANUFACTURER),
	S("TEL-3", no_voucher, TELEMETRY_CLIENT),
	S("TEL-3", ldevid_reports, TELEMETRY_CLIENT),
	A("TEL-1", failed, TELEMETRY_FAILED),
	A("AUD-6", audit_foreign, AUDIT_FOREIGN),
	A("AUD-6", audit_empty, AUDIT_MISSING_OWN),
	A("AUD-4", audit_garbage, AUDIT_PARSE),
	A("AUD-2", audit_type, AUDIT_PARSE),
	A("AUD-2", audit_404, AUDIT_UNAVAILABLE),
	A("AUD-2", audit_elsewhere, AUDIT_UNAVAILABLE),
	{ "TEL-2 es good", OP_ENROLLSTATUS, ldevid_reports, MST_OK, MST_OK, 0 },
	E("TEL-2", nothing, TELEMETRY_CLIENT),
	E("TEL-2", empty, TELEMETRY_PARSE),
	E("TEL-2", status_text, TELEMETRY_PARSE),
	{ "3 es as_text", OP_ENROLLSTATUS, as_text, MST_E_MEDIA_UNSUPPORTED, MST_OK, BY_TABLE },
	E("TEL-2", stranger, TLS_UNTRUSTED_MANUFACTURER),
	E("TEL-2", forged_ldevid, TLS_LDEVID_UNKNOWN),
	E("TEL-2", ldevid_revoked, TLS_LDEVID_REVOKED),
	E("TEL-2", ldevid_of_other_site, TLS_UNTRUSTED_MANUFACTURER),
	{ "TEL-2 es failed", OP_ENROLLSTATUS, failed, MST_E_TELEMETRY_FAILED, MST_OK, ANSWERED },
};
const size_t brski_case_count = sizeof brski_cases / sizeof brski_cases[0];
