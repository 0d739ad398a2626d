/* SPDX-License-Identifier: Apache-2.0 */
/* One deviation each from a request that is good, and the name that its refusal must have. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/masa/support_world.h"

static void
b00(struct world *w)
{
	w->message = MST_LIT("hello");
}

static void
b01(struct world *w)
{
	world_seal(w);
	w->message.len -= 20;
}

static void
b02(struct world *w)
{
	w->rvr.serial = MST_NONE;
}

static void
b03(struct world *w)
{
	w->rvr.kind = MST_VOUCHER;
	w->rvr.idevid_issuer = MST_NONE;
	w->no_prior = true;
}

static void
b04(struct world *w)
{
	w->flip_rvr_at = 1;
}

static void
b05(struct world *w)
{
	w->rvr_chain[0] = pki.false_ca.cert;
}

static void
b06(struct world *w)
{
	w->rvr_signer = &pki.registrar_of_plain;
	w->pvr.proximity_cert = der_of(w->a, pki.registrar_of_plain.cert);
	w->rvr_chain[2] = w->rvr_chain[1];
	w->rvr_chain[1] = w->rvr_chain[0];
	w->rvr_chain[0] = pki.plain.cert;
	w->rvr_chain_count = 3;
}

static void
b07(struct world *w)
{
	w->rvr_signer = &pki.expired;
	w->pvr.proximity_cert = der_of(w->a, pki.expired.cert);
}

static void
b08(struct world *w)
{
	w->rvr_signer = &pki.future;
	w->pvr.proximity_cert = der_of(w->a, pki.future.cert);
}

static void
b09(struct world *w)
{
	w->rvr_signer = &pki.weak;
	w->pvr.proximity_cert = der_of(w->a, pki.weak.cert);
}

static void
b10(struct world *w)
{
	w->customers[0] = (struct masa_customer){
		.id = 7, .name = "site", .anchors_pem = pem_of(w->a, &pki.root.cert, 1)
	};
	w->customer_count = 1;
	w->customers[0].crl_pem = crl_of(w->a, &pki.ca, pki.registrar.cert, 3600);
}

static void
b11(struct world *w)
{
	w->policy.crl_pem = crl_of(w->a, &pki.ca, pki.registrar.cert, 3600);
}

static void
b12(struct world *w)
{
	w->customers[0] = (struct masa_customer){
		.id = 7, .name = "site", .anchors_pem = pem_of(w->a, &pki.root.cert, 1)
	};
	w->customer_count = 1;
	w->customers[0].hard_revocation = true;
}

static void
b13(struct world *w)
{
	w->customers[0] = (struct masa_customer){
		.id = 7, .name = "site", .anchors_pem = pem_of(w->a, &pki.root.cert, 1)
	};
	w->customer_count = 1;
	w->customers[0].hard_revocation = true;
	w->customers[0].crl_pem = crl_of(w->a, &pki.ca, NULL, -60);
}

static void
b14(struct world *w)
{
	w->rvr_signer = &pki.plain;
	w->pvr.proximity_cert = der_of(w->a, pki.plain.cert);
}

static void
b15(struct world *w)
{
	w->rvr.proximity_cert = w->pvr.proximity_cert;
}

static void
b16(struct world *w)
{
	assert_int_equal(cert_spki(w->a, pki.registrar.cert, &w->rvr.proximity_pubk), MST_OK);
}

static void
b17(struct world *w)
{
	assert_int_equal(
	    masa_spki_sha256(w->a, pki.registrar.cert, &w->rvr.proximity_pubk_sha256), MST_OK);
}

static void
b18(struct world *w)
{
	w->rvr.idevid_issuer = MST_NONE;
}

static void
b19(struct world *w)
{
	w->rvr.created_on = w->clock.now + 3600;
}

static void
b20(struct world *w)
{
	w->rvr.created_on = w->clock.now - 86400 - 60;
}

static void
b21(struct world *w)
{
	w->rvr.nonce_text = MST_LIT("c2V2ZW4hIQ==");
	w->rvr.nonce = MST_LIT("seven!!");
}

static void
b22(struct world *w)
{
	w->rvr.expires_on = w->clock.now + 60;
}

static void
b24(struct world *w)
{
	w->rvr.serial = MST_LIT("JADA123456780");
}

static void
b25(struct world *w)
{
	assert_int_equal(
	    cert_idevid_issuer(w->a, pki.foreign_device.cert, &w->rvr.idevid_issuer), MST_OK);
}

static void
b26(struct world *w)
{
	w->devices[0].state = MASA_BLOCKED;
	w->devices[0].state_reason = "stolen";
}

static void
b27(struct world *w)
{
	w->devices[0].customer = 8;
	w->customers[0] = (struct masa_customer){ .id = 8, .name = "buyer" };
	w->customer_count = 1;
}

static void
b28(struct world *w)
{
	w->devices[0].state = MASA_OWNED;
}

static void
b29(struct world *w)
{
	w->clock.trust = MST_CLOCK_UNTRUSTED;
}

static void
b30(struct world *w)
{
	w->customer_count = 0;
}

static void
b31(struct world *w)
{
	w->customers[0].nonceless = false;
}

static void
b32(struct world *w)
{
	w->client = 7;
	w->rvr_signer = &pki.self_signed;
	w->rvr_chain_count = 0;
}

static void
b33(struct world *w)
{
	w->customers[1] = w->customers[0];
	w->customers[1].id = 8;
	w->customers[1].name = "twin";
	w->customer_count = 2;
}

static void
b34(struct world *w)
{
	w->no_prior = false;
	w->prior = MST_LIT("not a request");
}

static void
b35(struct world *w)
{
	w->no_prior = true;
}

static void
b36(struct world *w)
{
	w->prior = MST_LIT("garbage");
}

static void
b37(struct world *w)
{
	w->pvr.kind = MST_VOUCHER;
	w->pvr.proximity_cert = MST_NONE;
}

/* Any other form. */
static enum mst_media
another(enum mst_media m)
{
	return m == MST_MEDIA_JWS_JSON ? MST_MEDIA_CMS_JSON : MST_MEDIA_JWS_JSON;
}

static void
b38(struct world *w)
{
	world_seal(w);
	w->media = another(w->media);
	w->prior = w->rvr.prior_request;
	w->message = MST_NONE;
}

static void
b39(struct world *w)
{
	w->pvr.expires_on = w->clock.now + 60;
}

static void
b40(struct world *w)
{
	w->flip_prior_at = 1;
}

static void
b41(struct world *w)
{
	w->pvr_signer = &pki.device_rekeyed;
}

static void
b42(struct world *w)
{
	w->devices[0].spki_sha256 = MST_NONE;
	w->pvr_signer = &pki.device_rekeyed;
}

static void
b43(struct world *w)
{
	w->pvr_signer = &pki.foreign_device;
}

static void
b44(struct world *w)
{
	w->pvr_signer = &pki.foreign_device;
	w->pvr_chain[0] = pki.foreign_idevid_ca.cert;
	w->pvr_chain_count = 1;
}

static void
b45(struct world *w)
{
	w->pvr_signer = &pki.device_expired;
}

static void
b46(struct world *w)
{
	w->pvr_signer = &pki.registrar;
}

static void
b47(struct world *w)
{
	w->pvr_signer = &pki.device2;
	w->pvr.serial = MST_LIT("OTHER0001");
}

static void
b48(struct world *w)
{
	w->pvr.serial = MST_LIT("OTHER0001");
}

static void
b49(struct world *w)
{
	w->pvr.proximity_cert = der_of(w->a, pki.other_registrar.cert);
}

static void
b50(struct world *w)
{
	w->pvr.proximity_cert = MST_NONE;
}

static void
b51(struct world *w)
{
	w->pvr.proximity_cert = der_of(w->a, pki.sibling_plain.cert);
}

static void
b52(struct world *w)
{
	w->pvr.proximity_cert = der_of(w->a, pki.expired.cert);
}

static void
b53(struct world *w)
{
	w->pvr.proximity_cert = der_of(w->a, pki.ca.cert);
}

static void
b54(struct world *w)
{
	w->pvr.proximity_cert = der_of(w->a, pki.registrar_of_root.cert);
}

static void
b55(struct world *w)
{
	w->pvr.proximity_cert = MST_LIT("certificate");
}

static void
b56(struct world *w)
{
	w->pvr.proximity_cert = MST_NONE;
	assert_int_equal(cert_spki(w->a, pki.other_registrar.cert, &w->pvr.proximity_pubk), MST_OK);
}

static void
b57(struct world *w)
{
	w->pvr.proximity_cert = MST_NONE;
	assert_int_equal(
	    masa_spki_sha256(w->a, pki.other_registrar.cert, &w->pvr.proximity_pubk_sha256),
	    MST_OK);
}

static void
b58(struct world *w)
{
	assert_int_equal(
	    masa_spki_sha256(w->a, pki.other_registrar.cert, &w->pvr.proximity_pubk_sha256),
	    MST_OK);
}

static void
b59(struct world *w)
{
	w->rvr.nonce_text = MST_LIT("YW5vdGhlciBub25jZSEhIQ==");
	w->rvr.nonce = MST_LIT("another nonce!!!");
}

static void
b60(struct world *w)
{
	w->pvr.nonce = w->pvr.nonce_text = MST_NONE;
}

static void
b61(struct world *w)
{
	w->pvr.created_on = w->clock.now + 2 * 86400;
}

static void
b62(struct world *w)
{
	w->pvr.created_on = w->clock.now - 8 * 86400;
}

static void
b63(struct world *w)
{
	w->pvr.assertion = MST_ASSERT_LOGGED;
}

static void
b64(struct world *w)
{
	w->pvr.assertion = MST_ASSERT_ABSENT;
}

static void
b65(struct world *w)
{
	w->policy.prior = MASA_PRIOR_OPTIONAL;
	w->pvr.proximity_cert = der_of(w->a, pki.other_registrar.cert);
}

static void
b66(struct world *w)
{
	w->public_ca = pki.ca.cert;
}

static void
b67(struct world *w)
{
	w->public_ca = pki.root.cert;
}

static void
b68(struct world *w)
{
	w->accept = mst_media_type(another(w->media));
}

static void
b69(struct world *w)
{
	w->accept = arena_printf(w->a, "%s;q=0.0, */*", mst_media_type(w->media));
}

static void
b70(struct world *w)
{
	w->accept = "text/html, image/png;q=0.5";
}

static void
b71(struct world *w)
{
	world_seal(w);
	w->media = another(w->media);
}

static void
b72(struct world *w)
{
	world_seal(w);
	w->media = w->media == MST_MEDIA_COSE_CBOR ? MST_MEDIA_CMS_JSON : MST_MEDIA_COSE_CBOR;
}

const struct deviation deviations[] = {
	{ "8.4-3 RVR_PARSE: not a CMS", b00, MST_E_RVR_PARSE, ON_WIRE },
	{ "8.4-3 RVR_PARSE: cut short", b01, MST_E_RVR_PARSE, ON_WIRE },
	{ "ID-9 VOUCHER_SERIAL_FORMAT: no serial-number", b02, MST_E_VOUCHER_SERIAL_FORMAT,
	    ON_WIRE },
	{ "8.4-3 VOUCHER_KIND: a voucher, not a request", b03, MST_E_VOUCHER_KIND, ON_WIRE },
	{ "8.4-4 RVR_SIGNATURE: one bit of the signature", b04, MST_E_RVR_SIGNATURE, ON_WIRE },
	{ "8.4-3 RVR_CHAIN: a CA of the right name and another key", b05, MST_E_RVR_CHAIN,
	    ON_WIRE },
	{ "8.4-4 RVR_CHAIN: issued by an end-entity", b06, MST_E_RVR_CHAIN, ON_WIRE },
	{ "8.4-4 RVR_EXPIRED: registrar certificate past", b07, MST_E_RVR_EXPIRED, ON_WIRE },
	{ "8.4-4 RVR_EXPIRED: registrar certificate not yet valid", b08, MST_E_RVR_EXPIRED,
	    ON_WIRE },
	{ "CMS-5 X509_WEAK: registrar certificate signed with SHA-1", b09, MST_E_X509_WEAK,
	    ON_WIRE },
	{ "8.4-5 RVR_REVOKED: on the customer's CRL", b10, MST_E_RVR_REVOKED, ON_WIRE },
	{ "8.4-5 RVR_REVOKED: on the configured CRL, unknown domain", b11, MST_E_RVR_REVOKED, 0 },
	{ "8.4-5 RVR_CRL_UNAVAILABLE: hard policy and no CRL", b12, MST_E_RVR_CRL_UNAVAILABLE,
	    ON_WIRE },
	{ "8.4-5 RVR_CRL_UNAVAILABLE: hard policy and a CRL of yesterday", b13,
	    MST_E_RVR_CRL_UNAVAILABLE, ON_WIRE },
	{ "8.4-6 RVR_NOT_RA: signer without cmcRA", b14, MST_E_RVR_NOT_RA, ON_WIRE },
	{ "8995-5.5 RVR_PROXIMITY_PRESENT: certificate", b15, MST_E_RVR_PROXIMITY_PRESENT,
	    ON_WIRE },
	{ "8366bis-6 RVR_PROXIMITY_PRESENT: key", b16, MST_E_RVR_PROXIMITY_PRESENT, ON_WIRE },
	{ "8366bis-6 RVR_PROXIMITY_PRESENT: digest", b17, MST_E_RVR_PROXIMITY_PRESENT, ON_WIRE },
	{ "ID-8 RVR_IDEVID_ISSUER: absent", b18, MST_E_RVR_IDEVID_ISSUER, ON_WIRE },
	{ "8995-5.6 RVR_STALE: created in the future", b19, MST_E_RVR_STALE, ON_WIRE },
	{ "8995-5.6 RVR_STALE: created long ago", b20, MST_E_RVR_STALE, ON_WIRE },
	{ "8366bis-8 VOUCHER_NONCE_LENGTH: seven bytes", b21, MST_E_VOUCHER_NONCE_LENGTH, ON_WIRE },
	{ "8366bis-8 VOUCHER_EXPIRES_WITH_NONCE", b22, MST_E_VOUCHER_EXPIRES_WITH_NONCE, ON_WIRE },
	{ "8.4-7 DEVICE_UNKNOWN: serial number", b24, MST_E_DEVICE_UNKNOWN, ON_WIRE },
	{ "8.4-7 DEVICE_UNKNOWN: right serial number, other issuer", b25, MST_E_DEVICE_UNKNOWN,
	    ON_WIRE },
	{ "8.4-8 DEVICE_BLOCKED", b26, MST_E_DEVICE_BLOCKED, ON_WIRE },
	{ "8.4-8 DEVICE_OTHER_OWNER: sold to a customer who does not ask", b27,
	    MST_E_DEVICE_OTHER_OWNER, ON_WIRE },
	{ "8.4-8 DEVICE_OTHER_OWNER: owned, and by nobody who could show it", b28,
	    MST_E_DEVICE_OTHER_OWNER, ON_WIRE },
	{ "CLK-2 CLOCK: before the build date", b29, MST_E_CLOCK, 0 },
	{ "8.4-9 RVR_NONCELESS_DENIED: anonymous", b30, MST_E_RVR_NONCELESS_DENIED,
	    ON_WIRE | NONCELESS },
	{ "8.4-9 RVR_NONCELESS_DENIED: customer without that right", b31,
	    MST_E_RVR_NONCELESS_DENIED, ON_WIRE | NONCELESS },
	{ "8.5 RVR_NONCELESS_DENIED: a customer for another domain", b32,
	    MST_E_RVR_NONCELESS_DENIED, NONCELESS },
	{ "8.4-9 RVR_NONCELESS_DENIED: two customers with one anchor", b33,
	    MST_E_RVR_NONCELESS_DENIED, ON_WIRE | NONCELESS },
	{ "8.4-10 PRIOR_PARSE: a failing prior of a nonceless request", b34, MST_E_PRIOR_PARSE,
	    ON_WIRE | NONCELESS },
	{ "8.4-10 PRIOR_MISSING", b35, MST_E_PRIOR_MISSING, ON_WIRE },
	{ "8.4-10a PRIOR_PARSE: garbage", b36, MST_E_PRIOR_PARSE, ON_WIRE },
	{ "8.4-10a PRIOR_PARSE: a voucher instead", b37, MST_E_PRIOR_PARSE, ON_WIRE },
	{ "8.4-10a PRIOR_PARSE: another format than the registrar's", b38, MST_E_PRIOR_PARSE,
	    ON_WIRE },
	{ "8366bis-8 PRIOR_PARSE: expires-on beside the nonce", b39, MST_E_PRIOR_PARSE, ON_WIRE },
	{ "8.4-10b PRIOR_SIGNATURE: one bit of the signature", b40, MST_E_PRIOR_SIGNATURE,
	    ON_WIRE },
	{ "8.4-10b PRIOR_SIGNATURE: another key, same CA and serial number", b41,
	    MST_E_PRIOR_SIGNATURE, ON_WIRE },
	{ "8.4-10b PRIOR_SIGNATURE: the same, and only the certificate on record", b42,
	    MST_E_PRIOR_SIGNATURE, ON_WIRE },
	{ "8.4-10b PRIOR_IDEVID_CHAIN: foreign CA of the same name", b43, MST_E_PRIOR_IDEVID_CHAIN,
	    ON_WIRE },
	{ "8.4-10b PRIOR_IDEVID_CHAIN: foreign CA brought along", b44, MST_E_PRIOR_IDEVID_CHAIN,
	    ON_WIRE },
	{ "ID-4 PRIOR_IDEVID_CHAIN: IDevID expired", b45, MST_E_PRIOR_IDEVID_CHAIN, ON_WIRE },
	{ "8.4-10b PRIOR_IDEVID_CHAIN: signed by the registrar itself", b46,
	    MST_E_PRIOR_IDEVID_CHAIN, ON_WIRE },
	{ "8.4-10c RVR_SERIAL: the request of another device", b47, MST_E_RVR_SERIAL, ON_WIRE },
	{ "8.4-10c PRIOR_SERIAL: the pledge claims another serial number", b48, MST_E_PRIOR_SERIAL,
	    ON_WIRE },
	{ "8.4-10d PRIOR_PROXIMITY: another registrar", b49, MST_E_PRIOR_PROXIMITY, ON_WIRE },
	{ "8.4-10d PRIOR_PROXIMITY: no proximity leaf", b50, MST_E_PRIOR_PROXIMITY, ON_WIRE },
	{ "8.4-10d PRIOR_PROXIMITY: a device under the same CA", b51, MST_E_PRIOR_PROXIMITY,
	    ON_WIRE },
	{ "8.4-10d PRIOR_PROXIMITY: an expired sibling", b52, MST_E_PRIOR_PROXIMITY, ON_WIRE },
	{ "8.4-10d PRIOR_PROXIMITY: the CA of the chain", b53, MST_E_PRIOR_PROXIMITY, ON_WIRE },
	{ "8.4-10d PRIOR_PROXIMITY: a registrar under another CA of the same root", b54,
	    MST_E_PRIOR_PROXIMITY, ON_WIRE },
	{ "8.4-10d PRIOR_PROXIMITY: not a certificate", b55, MST_E_PRIOR_PROXIMITY, ON_WIRE },
	{ "8.4-10d PRIOR_PROXIMITY: key of another registrar", b56, MST_E_PRIOR_PROXIMITY,
	    ON_WIRE },
	{ "8.4-10d PRIOR_PROXIMITY: digest of another registrar", b57, MST_E_PRIOR_PROXIMITY,
	    ON_WIRE },
	{ "8.4-10d PRIOR_PROXIMITY: right certificate, wrong digest (DM-4)", b58,
	    MST_E_PRIOR_PROXIMITY, ON_WIRE },
	{ "8.4-10e RVR_NONCE: another nonce", b59, MST_E_RVR_NONCE, ON_WIRE },
	{ "8.4-10e RVR_NONCE: the pledge sent none", b60, MST_E_RVR_NONCE, ON_WIRE },
	{ "8.4-10f PRIOR_CREATED: in the future", b61, MST_E_PRIOR_CREATED, ON_WIRE },
	{ "8.4-10f PRIOR_CREATED: long ago", b62, MST_E_PRIOR_CREATED, ON_WIRE },
	{ "8995-5.2 PRIOR_ASSERTION: logged", b63, MST_E_PRIOR_ASSERTION, ON_WIRE },
	{ "8995-5.2 PRIOR_ASSERTION: absent", b64, MST_E_PRIOR_ASSERTION, ON_WIRE },
	{ "8.4-10 PRIOR_PROXIMITY: a failing prior where none is needed", b65,
	    MST_E_PRIOR_PROXIMITY, 0 },
	{ "8.5 RVR_PUBLIC_CA: the site CA is in the public list", b66, MST_E_RVR_PUBLIC_CA, 0 },
	{ "8.5 RVR_PUBLIC_CA: the site CA is beneath a public CA", b67, MST_E_RVR_PUBLIC_CA, 0 },
	{ "8.4-14 MEDIA_ACCEPT: only another form accepted", b68, MST_E_MEDIA_ACCEPT, ON_WIRE },
	{ "8.4-14 MEDIA_ACCEPT: refused by q=0", b69, MST_E_MEDIA_ACCEPT, ON_WIRE },
	{ "8995-5.6 MEDIA_UNSUPPORTED: nothing in Accept is understood", b70,
	    MST_E_MEDIA_UNSUPPORTED, ON_WIRE },
	{ "8.4-2 RVR_PARSE: sent as another form in JSON", b71, MST_E_RVR_PARSE, ON_WIRE },
	{ "8.4-2 RVR_PARSE: JSON sent as CBOR, or CBOR as JSON", b72, MST_E_RVR_PARSE, ON_WIRE },
};
const size_t deviation_count = sizeof(deviations) / sizeof(deviations[0]);
