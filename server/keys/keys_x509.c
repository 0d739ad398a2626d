/* SPDX-License-Identifier: Apache-2.0 */
/* The key process makes certificates and CRLs from typed fields; nobody hands it something to sign.
 */
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "host/cert.h"
#include "server/keys/keys_room.h"

#define YEAR_9999_END INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define MASA_URL_MAX 1024 /* ID-3 */

mst_err
keys_x509_time(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return MST_E_X509;
	*out = (int64_t)timegm(&tm);
	return MST_OK;
}

/* --- extensions that never vary --- */

static mst_err
extension(int nid, int critical, void *value, X509_EXTENSION **out)
{
	X509_EXTENSION *x = value != NULL ? X509V3_EXT_i2d(nid, critical, value) : NULL;

	if (x == NULL)
		return MST_E_NOMEM;
	*out = x;
	return MST_OK;
}

/* The octets of RFC 5280 4.2.1.2 method 1, or what the issuer's own SKI says. */
mst_err
keys_x509_aki(X509 *issuer, X509_EXTENSION **out)
{
	const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(issuer);
	AUTHORITY_KEYID *aki = AUTHORITY_KEYID_new();
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	mst_err e = MST_E_NOMEM;

	if (aki == NULL || (aki->keyid = ASN1_OCTET_STRING_new()) == NULL)
		goto out;
	if (ski != NULL) {
		if (ASN1_OCTET_STRING_set(
		        aki->keyid, ASN1_STRING_get0_data(ski), ASN1_STRING_length(ski)) != 1)
			goto out;
	} else if (X509_pubkey_digest(issuer, EVP_sha1(), hash, &n) != 1 ||
	           ASN1_OCTET_STRING_set(aki->keyid, hash, (int)n) != 1) {
		goto out;
	}
	e = extension(NID_authority_key_identifier, 0, aki, out);
out:
	AUTHORITY_KEYID_free(aki);
	return e;
}

mst_err
keys_x509_eku(const char *oids, X509_EXTENSION **out)
{
	EXTENDED_KEY_USAGE *eku = sk_ASN1_OBJECT_new_null();
	char word[64];
	mst_err e = MST_E_NOMEM;

	if (eku == NULL)
		return e;
	for (const char *p = oids; *p != 0;) {
		size_t n = strcspn(p, " ");
		ASN1_OBJECT *o;

		if (n == 0) {
			p++;
			continue;
		}
		e = MST_E_CONFIG_VALUE;
		if (n >= sizeof word)
			goto out;
		memcpy(word, p, n);
		word[n] = 0;
		p += n;
		if ((o = OBJ_txt2obj(word, 1)) == NULL)
			goto out;
		if (sk_ASN1_OBJECT_push(eku, o) <= 0) {
			ASN1_OBJECT_free(o);
			goto out;
		}
	}
	e = sk_ASN1_OBJECT_num(eku) > 0 ? extension(NID_ext_key_usage, 0, eku, out)
	                                : MST_E_CONFIG_VALUE;
out:
	sk_ASN1_OBJECT_pop_free(eku, ASN1_OBJECT_free);
	return e;
}

mst_err
keys_x509_crl_points(const char *url, X509_EXTENSION **out)
{
	CRL_DIST_POINTS *points = sk_DIST_POINT_new_null();
	DIST_POINT *point = DIST_POINT_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	mst_err e = MST_E_NOMEM;

	if (points == NULL || point == NULL || name == NULL || text == NULL ||
	    ASN1_STRING_set(text, url, -1) != 1 ||
	    (point->distpoint = DIST_POINT_NAME_new()) == NULL ||
	    (point->distpoint->name.fullname = sk_GENERAL_NAME_new_null()) == NULL)
		goto out;
	point->distpoint->type = 0; /* fullName */
	GENERAL_NAME_set0_value(name, GEN_URI, text);
	text = NULL;
	if (sk_GENERAL_NAME_push(point->distpoint->name.fullname, name) <= 0)
		goto out;
	name = NULL;
	if (sk_DIST_POINT_push(points, point) <= 0)
		goto out;
	point = NULL;
	e = extension(NID_crl_distribution_points, 0, points, out);
out:
	ASN1_IA5STRING_free(text);
	GENERAL_NAME_free(name);
	DIST_POINT_free(point);
	CRL_DIST_POINTS_free(points);
	return e;
}

mst_err
keys_x509_constants(struct keys_room *room)
{
	BASIC_CONSTRAINTS *bc =
	    BASIC_CONSTRAINTS_new(); /* cA stays FALSE: nothing here can set it */
	ASN1_BIT_STRING *ku = ASN1_BIT_STRING_new();
	mst_err e = MST_E_NOMEM;

	if (bc == NULL || ku == NULL ||
	    ASN1_BIT_STRING_set_bit(ku, 0, 1) != 1) /* digitalSignature */
		goto out;
	if ((e = extension(NID_basic_constraints, 1, bc, &room->end_entity)) == MST_OK)
		e = extension(NID_key_usage, 1, ku, &room->key_usage);
out:
	BASIC_CONSTRAINTS_free(bc);
	ASN1_BIT_STRING_free(ku);
	return e;
}

/* --- fields that vary --- */

static bool
serial_ok(mst_span s, size_t least)
{
	/* RFC 5280 4.1.2.2: positive, at most 20 octets; canonical, so that the store finds it. */
	return s.ptr != NULL && s.len >= least && s.len <= 20 && s.ptr[0] != 0 && s.ptr[0] < 0x80;
}

static mst_err
serial_set(ASN1_INTEGER *to, mst_span s)
{
	BIGNUM *n = BN_bin2bn(s.ptr, (int)s.len, NULL);
	mst_err e = n != NULL && BN_to_ASN1_INTEGER(n, to) != NULL ? MST_OK : MST_E_NOMEM;

	BN_free(n);
	return e;
}

static mst_err
times_set(X509 *x, int64_t from, int64_t to)
{
	if (from < 0 || to <= from || to > YEAR_9999_END)
		return MST_E_CA_VALIDITY;
	if (ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from) == NULL ||
	    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)to) == NULL)
		return MST_E_NOMEM;
	return MST_OK;
}

/* Built again entry by entry, the name must encode to the same bytes: OpenSSL keeps what it read.
 */
static bool
name_canonical(const X509_NAME *name, mst_span der)
{
	X509_NAME *copy = X509_NAME_new();
	const unsigned char *bytes;
	size_t n;
	bool same = false;

	for (int i = 0, last = -1; copy != NULL && i < X509_NAME_entry_count(name); i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		int set = X509_NAME_ENTRY_set(entry);

		if (X509_NAME_add_entry(copy, entry, -1, set == last ? -1 : 0) != 1)
			goto out;
		last = set;
	}
	same = copy != NULL && X509_NAME_get0_der(copy, &bytes, &n) == 1 &&
	       mst_span_eq(mst_span_of(bytes, n), der);
out:
	X509_NAME_free(copy);
	return same;
}

static mst_err
subject_set(X509 *x, const struct keys_request *rq)
{
	const unsigned char *p = rq->subject.ptr;
	X509_NAME *name;
	mst_err e = MST_E_CSR_SUBJECT;

	if (rq->subject.len > 4096 ||
	    (name = d2i_X509_NAME(NULL, &p, (long)rq->subject.len)) == NULL)
		return MST_E_CSR_SUBJECT;
	/* RFC 5280 4.1.2.6: an empty subject needs a critical subjectAltName. */
	if (p != rq->subject.ptr + rq->subject.len || !name_canonical(name, rq->subject) ||
	    (X509_NAME_entry_count(name) == 0 && rq->san.ptr == NULL))
		goto out;
	e = X509_set_subject_name(x, name) == 1 ? MST_OK : MST_E_NOMEM;
out:
	X509_NAME_free(name);
	return e;
}

static mst_err
san_add(X509 *x, mst_span san)
{
	bool critical = X509_NAME_entry_count(X509_get_subject_name(x)) == 0;
	const unsigned char *p = san.ptr;
	unsigned char *again = NULL;
	GENERAL_NAMES *names = NULL;
	ASN1_OCTET_STRING *value = NULL;
	X509_EXTENSION *ext = NULL;
	mst_err e = MST_E_CSR_SAN;
	int n;

	if (san.ptr == NULL)
		return MST_OK;
	if (san.len > 8192 || (names = d2i_GENERAL_NAMES(NULL, &p, (long)san.len)) == NULL ||
	    p != san.ptr + san.len || sk_GENERAL_NAME_num(names) < 1)
		goto out;
	n = i2d_GENERAL_NAMES(names, &again);
	if (n < 0 || !mst_span_eq(mst_span_of(again, (size_t)n), san)) /* DER, not BER */
		goto out;
	e = MST_E_NOMEM;
	if ((value = ASN1_OCTET_STRING_new()) == NULL ||
	    ASN1_OCTET_STRING_set(value, san.ptr, (int)san.len) != 1 ||
	    (ext = X509_EXTENSION_create_by_NID(
	         NULL, NID_subject_alt_name, critical ? 1 : 0, value)) == NULL ||
	    X509_add_ext(x, ext, -1) != 1)
		goto out;
	e = MST_OK;
out:
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(value);
	OPENSSL_free(again);
	GENERAL_NAMES_free(names);
	return e;
}

/*
 * The SPKI of a P-256 key has one encoding: these 27 bytes, then X and Y.
 * Nearly all devices have it, and decoding a key through OpenSSL 3.0's
 * decoders costs more than the signature (dependencies.md 1), so the point is
 * put in as it is. That the key works was proven by the CSR's signature.
 */
static const uint8_t p256_head[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
	0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42,
	0x00, 0x04 };
#define P256_SPKI 91

static mst_err
p256_set(X509 *x, mst_span spki)
{
	size_t at = sizeof p256_head - 1;
	int n = (int)(spki.len - at);
	unsigned char *point = OPENSSL_memdup(spki.ptr + at, (size_t)n);

	if (point == NULL)
		return MST_E_NOMEM;
	if (X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(x), OBJ_nid2obj(NID_X9_62_id_ecPublicKey),
	        V_ASN1_OBJECT, OBJ_nid2obj(NID_X9_62_prime256v1), point, n) != 1) {
		OPENSSL_free(point);
		return MST_E_NOMEM;
	}
	return MST_OK;
}

/* C2: EC P-256, P-384, P-521 by name and uncompressed; Ed25519; RSA 2048 to 4096, e odd and >=
 * 65537. */
static bool
key_allowed(EVP_PKEY *key, const X509_PUBKEY *pub)
{
	X509_ALGOR *algorithm;
	const ASN1_OBJECT *oid;
	const void *value;
	const unsigned char *bits;
	BIGNUM *e = NULL;
	int type, n, curve;
	bool ok;

	if (key == NULL || X509_PUBKEY_get0_param(NULL, &bits, &n, &algorithm, pub) != 1)
		return false;
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_ED25519: return true;
	case EVP_PKEY_EC:
		X509_ALGOR_get0(&oid, &type, &value, algorithm);
		curve = type == V_ASN1_OBJECT ? OBJ_obj2nid(value) : NID_undef;
		return n > 0 && bits[0] == 4 &&
		       (curve == NID_X9_62_prime256v1 || curve == NID_secp384r1 ||
		           curve == NID_secp521r1);
	case EVP_PKEY_RSA:
		if (EVP_PKEY_get_bits(key) < 2048 || EVP_PKEY_get_bits(key) > 4096 ||
		    EVP_PKEY_get_bn_param(key, "e", &e) != 1)
			return false;
		ok = BN_is_odd(e) && BN_num_bits(e) >= 17 && BN_num_bits(e) <= 64;
		BN_free(e);
		return ok;
	default: return false;
	}
}

static mst_err
spki_set(X509 *x, mst_span spki)
{
	const unsigned char *p = spki.ptr;
	unsigned char *again = NULL;
	X509_PUBKEY *pub;
	EVP_PKEY *key;
	mst_err e = MST_E_CSR_KEY;
	int n;

	if (spki.len == P256_SPKI && memcmp(spki.ptr, p256_head, sizeof p256_head) == 0)
		return p256_set(x, spki);
	if (spki.len > 1024 || (pub = d2i_X509_PUBKEY(NULL, &p, (long)spki.len)) == NULL)
		return MST_E_CSR_KEY;
	key = X509_PUBKEY_get0(pub);
	if (p != spki.ptr + spki.len || !key_allowed(key, pub))
		goto out;
	if (X509_set_pubkey(x, key) != 1) {
		e = MST_E_NOMEM;
		goto out;
	}
	n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &again);
	if (n > 0 && mst_span_eq(mst_span_of(again, (size_t)n), spki))
		e = MST_OK;
out:
	OPENSSL_free(again);
	X509_PUBKEY_free(pub);
	return e;
}

/* RFC 5280 4.2.1.2 method 1. */
static mst_err
ski_add(X509 *x)
{
	ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext = NULL;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	mst_err e = MST_E_NOMEM;

	if (id == NULL || X509_pubkey_digest(x, EVP_sha1(), hash, &n) != 1 ||
	    ASN1_OCTET_STRING_set(id, hash, (int)n) != 1 ||
	    (e = extension(NID_subject_key_identifier, 0, id, &ext)) != MST_OK)
		goto out;
	e = X509_add_ext(x, ext, -1) == 1 ? MST_OK : MST_E_NOMEM;
out:
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(id);
	return e;
}

static mst_err
add(X509 *x, X509_EXTENSION *ext)
{
	return ext == NULL || X509_add_ext(x, ext, -1) == 1 ? MST_OK : MST_E_NOMEM;
}

static mst_err
sign_out(X509 *x, const struct keys_room_slot *slot, struct arena *a, mst_span *answer)
{
	unsigned char *der, *p;
	int n;

	if (X509_sign(x, slot->key, slot->digest) <= 0)
		return MST_E_KEY_SIGN;
	if ((n = i2d_X509(x, NULL)) <= 0 || (der = p = arena_alloc(a, (size_t)n)) == NULL)
		return MST_E_NOMEM;
	if (i2d_X509(x, &p) != n)
		return MST_E_INTERNAL;
	*answer = mst_span_of(der, (size_t)n);
	return MST_OK;
}

/* Version, serial, issuer: what every certificate made here begins with. */
static mst_err
begin(const struct keys_room_slot *slot, mst_span serial, X509 **out)
{
	X509 *x = X509_new();
	mst_err e = MST_E_NOMEM;

	if (x != NULL && X509_set_version(x, X509_VERSION_3) == 1 &&
	    X509_set_issuer_name(x, X509_get_subject_name(slot->cert)) == 1)
		e = serial_set(X509_get_serialNumber(x), serial);
	if (e == MST_OK)
		*out = x;
	else
		X509_free(x);
	return e;
}

static const struct keys_room_profile *
profile_find(const struct keys_room *room, const char *slot, const char *name)
{
	for (size_t i = 0; i < room->profile_count; i++) {
		const struct keys_room_profile *p = &room->profiles[i];

		if (strcmp(p->name, name) == 0 && (p->slot == NULL || strcmp(p->slot, slot) == 0))
			return p;
	}
	return NULL;
}

mst_err
keys_x509_cert(struct keys_room *room, struct keys_room_slot *slot, const struct keys_request *rq,
    struct arena *a, mst_span *answer)
{
	const struct keys_room_profile *profile = profile_find(room, slot->name, rq->profile);
	X509 *x = NULL;
	mst_err e;

	if (profile == NULL)
		return MST_E_CA_PROFILE;
	if (!serial_ok(rq->serial, 8))
		return MST_E_KEY_REFUSED;
	if (rq->not_before < slot->not_before || rq->not_after > slot->not_after ||
	    rq->not_after <= rq->not_before ||
	    rq->not_after - rq->not_before > profile->max_seconds)
		return MST_E_CA_VALIDITY;
	if ((e = begin(slot, rq->serial, &x)) != MST_OK)
		return e;
	if ((e = times_set(x, rq->not_before, rq->not_after)) == MST_OK &&
	    (e = subject_set(x, rq)) == MST_OK && (e = spki_set(x, rq->spki)) == MST_OK &&
	    (e = add(x, room->end_entity)) == MST_OK && (e = add(x, room->key_usage)) == MST_OK &&
	    (e = add(x, profile->eku)) == MST_OK && (e = ski_add(x)) == MST_OK &&
	    (e = add(x, slot->aki)) == MST_OK && (e = san_add(x, rq->san)) == MST_OK &&
	    (e = add(x, profile->crl_points)) == MST_OK)
		e = sign_out(x, slot, a, answer);
	X509_free(x);
	return e;
}

/* --- IDevIDs (brski.md section 1) --- */

static mst_err
name_add(X509_NAME *name, int nid, mst_span text)
{
	/* Type and length by OpenSSL's table of RFC 5280's upper bounds. */
	return X509_NAME_add_entry_by_NID(
	           name, nid, MBSTRING_UTF8, text.ptr, (int)text.len, -1, 0) == 1
	           ? MST_OK
	           : MST_E_KEY_REFUSED;
}

/* ID-1: the serial number stands in the subject; X520SerialNumber is a PrintableString of 1..64. */
static mst_err
idevid_subject(X509 *x, const struct keys_request *rq)
{
	X509_NAME *name = X509_NAME_new();
	mst_err e = MST_E_NOMEM;

	if (name == NULL)
		return e;
	if (rq->organization != NULL &&
	    (e = name_add(name, NID_organizationName, mst_span_str(rq->organization))) != MST_OK)
		goto out;
	if (mst_serial_check(rq->device_serial) != MST_OK ||
	    name_add(name, NID_serialNumber, rq->device_serial) != MST_OK) {
		e = MST_E_VOUCHER_SERIAL_FORMAT;
		goto out;
	}
	e = X509_set_subject_name(x, name) == 1 ? MST_OK : MST_E_NOMEM;
out:
	X509_NAME_free(name);
	return e;
}

/* ID-3: non-critical, the value an IA5String, by the rules of the side that reads it. */
static mst_err
masa_url_add(X509 *x, const char *url, struct arena *a)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(CERT_OID_MASA_URL, 1);
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext = NULL;
	unsigned char *der = NULL;
	const char *base;
	mst_err e = MST_E_MASA_URL;
	int n;

	if (strlen(url) > MASA_URL_MAX ||
	    (e = cert_masa_url_check(a, mst_span_str(url), &base)) != MST_OK)
		goto out;
	e = MST_E_NOMEM;
	if (oid == NULL || text == NULL || value == NULL || ASN1_STRING_set(text, url, -1) != 1 ||
	    (n = i2d_ASN1_IA5STRING(text, &der)) <= 0 ||
	    ASN1_OCTET_STRING_set(value, der, n) != 1 ||
	    (ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value)) == NULL)
		goto out;
	e = add(x, ext);
out:
	OPENSSL_free(der);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(value);
	ASN1_IA5STRING_free(text);
	ASN1_OBJECT_free(oid);
	return e;
}

mst_err
keys_x509_idevid(struct keys_room *room, struct keys_room_slot *slot, const struct keys_request *rq,
    struct arena *a, mst_span *answer)
{
	X509 *x = NULL;
	mst_err e;

	(void)room;
	if (!serial_ok(rq->serial, 8))
		return MST_E_KEY_REFUSED;
	if ((e = begin(slot, rq->serial, &x)) != MST_OK)
		return e;
	/* ID-4: no expiry; it outlives its issuer by intent. ID-5: neither keyUsage nor EKU. */
	if ((e = times_set(x, rq->not_before, YEAR_9999_END)) == MST_OK &&
	    (e = idevid_subject(x, rq)) == MST_OK && (e = spki_set(x, rq->spki)) == MST_OK &&
	    (e = ski_add(x)) == MST_OK && (e = add(x, slot->aki)) == MST_OK &&
	    (e = masa_url_add(x, rq->masa_url, a)) == MST_OK)
		e = sign_out(x, slot, a, answer);
	X509_free(x);
	return e;
}

/* --- CRLs (RFC 5280 5) --- */

/* 5.3.1: 0 SHOULD be left out; 7 is unused; 8 is for delta CRLs. */
static bool
reason_ok(int reason)
{
	return reason >= -1 && reason <= 10 && reason != 7 && reason != 8;
}

static mst_err
revoked_add(X509_CRL *crl, const struct keys_revoked *r)
{
	X509_REVOKED *entry = NULL;
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
	ASN1_TIME *at = NULL;
	mst_err e = MST_E_KEY_REFUSED;

	if (!serial_ok(r->serial, 1) || !reason_ok(r->reason) || r->at < 0 || r->at > YEAR_9999_END)
		goto out;
	e = MST_E_NOMEM;
	if (serial == NULL || reason == NULL || (entry = X509_REVOKED_new()) == NULL ||
	    (at = ASN1_TIME_set(NULL, (time_t)r->at)) == NULL ||
	    serial_set(serial, r->serial) != MST_OK ||
	    X509_REVOKED_set_serialNumber(entry, serial) != 1 ||
	    X509_REVOKED_set_revocationDate(entry, at) != 1)
		goto out;
	if (r->reason > 0 &&
	    (ASN1_ENUMERATED_set(reason, r->reason) != 1 ||
	        X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason, 0, 0) != 1))
		goto out;
	if (X509_CRL_add0_revoked(crl, entry) != 1)
		goto out;
	entry = NULL;
	e = MST_OK;
out:
	X509_REVOKED_free(entry);
	ASN1_INTEGER_free(serial);
	ASN1_ENUMERATED_free(reason);
	ASN1_TIME_free(at);
	return e;
}

/* After sorting, a serial that stands twice has itself as neighbour. */
static bool
revoked_unique(X509_CRL *crl)
{
	STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(crl);

	for (int i = 1; i < sk_X509_REVOKED_num(all); i++)
		if (ASN1_INTEGER_cmp(
		        X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(all, i - 1)),
		        X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(all, i))) == 0)
			return false;
	return true;
}

static mst_err
crl_head(X509_CRL *crl, const struct keys_room_slot *slot, const struct keys_request *rq)
{
	ASN1_TIME *t0 = ASN1_TIME_set(NULL, (time_t)rq->this_update);
	ASN1_TIME *t1 = ASN1_TIME_set(NULL, (time_t)rq->next_update);
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	mst_err e = MST_E_NOMEM;

	if (t0 != NULL && t1 != NULL && number != NULL &&
	    X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
	    X509_CRL_set_issuer_name(crl, X509_get_subject_name(slot->cert)) == 1 &&
	    X509_CRL_set1_lastUpdate(crl, t0) == 1 && X509_CRL_set1_nextUpdate(crl, t1) == 1 &&
	    ASN1_INTEGER_set_int64(number, rq->crl_number) == 1 &&
	    X509_CRL_add_ext(crl, slot->aki, -1) == 1 &&
	    X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1)
		e = MST_OK;
	ASN1_TIME_free(t0);
	ASN1_TIME_free(t1);
	ASN1_INTEGER_free(number);
	return e;
}

mst_err
keys_x509_crl(
    struct keys_room_slot *slot, const struct keys_request *rq, struct arena *a, mst_span *answer)
{
	X509_CRL *crl;
	unsigned char *der, *p;
	mst_err e;
	int n;

	if (rq->crl_number < 1 || rq->this_update < 0 || rq->next_update <= rq->this_update ||
	    rq->next_update > YEAR_9999_END)
		return MST_E_KEY_REFUSED;
	if ((crl = X509_CRL_new()) == NULL)
		return MST_E_NOMEM;
	if ((e = crl_head(crl, slot, rq)) != MST_OK)
		goto out;
	for (size_t i = 0; i < rq->revoked_count; i++)
		if ((e = revoked_add(crl, &rq->revoked[i])) != MST_OK)
			goto out;
	X509_CRL_sort(crl);
	if (!revoked_unique(crl))
		e = MST_E_KEY_REFUSED;
	else if (X509_CRL_sign(crl, slot->key, slot->digest) <= 0)
		e = MST_E_KEY_SIGN;
	else if ((n = i2d_X509_CRL(crl, NULL)) <= 0 ||
	         (der = p = arena_alloc(a, (size_t)n)) == NULL)
		e = MST_E_NOMEM;
	else if (i2d_X509_CRL(crl, &p) == n)
		*answer = mst_span_of(der, (size_t)n);
	else
		e = MST_E_INTERNAL;
out:
	X509_CRL_free(crl);
	return e;
}

/* --- root rollover (RFC 7030 4.1.3, RFC 4210 4.4) --- */

static bool
self_signed(X509 *x)
{
	return X509_self_signed(x, 0) == 1;
}

/* The certified root's own extensions, but for its AKI, which names the signer's key. */
static mst_err
rollover_extensions(X509 *x, const struct keys_room_slot *slot, X509 *root)
{
	mst_err e;

	for (int i = 0; i < X509_get_ext_count(root); i++) {
		X509_EXTENSION *ext = X509_get_ext(root, i);
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(ext));

		if (nid != NID_basic_constraints && nid != NID_key_usage &&
		    nid != NID_subject_key_identifier)
			continue;
		if ((e = add(x, ext)) != MST_OK)
			return e;
	}
	if (X509_get_ext_by_NID(x, NID_subject_key_identifier, -1) < 0 &&
	    (e = ski_add(x)) != MST_OK)
		return e;
	return add(x, slot->aki);
}

/*
 * The one place that certifies a CA: only a key that is another slot here, under
 * that slot's name and extensions, within the lifetimes of both roots.
 */
mst_err
keys_x509_rollover(struct keys_room_slot *slot, struct keys_room_slot *other,
    const struct keys_request *rq, struct arena *a, mst_span *answer)
{
	int64_t from = other->not_before > slot->not_before ? other->not_before : slot->not_before;
	int64_t to = other->not_after < slot->not_after ? other->not_after : slot->not_after;
	X509 *x = NULL;
	mst_err e;

	if (slot == other || !self_signed(slot->cert) || !self_signed(other->cert) ||
	    !serial_ok(rq->serial, 8) || X509_check_ca(other->cert) != 1)
		return MST_E_KEY_REFUSED;
	if ((e = begin(slot, rq->serial, &x)) != MST_OK)
		return e;
	if ((e = times_set(x, from, to)) == MST_OK) {
		if (X509_set_subject_name(x, X509_get_subject_name(other->cert)) != 1 ||
		    X509_set_pubkey(x, X509_get0_pubkey(other->cert)) != 1)
			e = MST_E_NOMEM;
		else if ((e = rollover_extensions(x, slot, other->cert)) == MST_OK)
			e = sign_out(x, slot, a, answer);
	}
	X509_free(x);
	return e;
}
