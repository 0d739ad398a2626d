/* SPDX-License-Identifier: Apache-2.0 */
/* Recognising what a file is: its encoding first, then what the bytes are. */
#include "host/inspect_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "muster/base64.h"

#define BLOCKS_MAX 64

static _Thread_local char why[256];

const char *
inspect_why(void)
{
	return why;
}

void
inspect_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
}

/* --- one object of DER --- */

static mst_err
begin(struct report *r, struct arena *a, const struct inspect_options *o, unsigned depth,
    json_t **out)
{
	*out = NULL;
	return report_begin(r, a, o, depth);
}

static mst_err
end(struct report *r, json_t **out)
{
	*out = report_end(r);
	return MST_OK;
}

struct der_try {
	struct arena *a;
	const struct inspect_options *o;
	unsigned depth;
	mst_span der;
	const char *encoding;
	const STACK_OF(X509) *beside;
};

static mst_err
try_cert(const struct der_try *t, json_t **out)
{
	const uint8_t *p = t->der.ptr;
	X509 *cert = d2i_X509(NULL, &p, (long)t->der.len);
	mst_err e = MST_E_CONTENT_UNKNOWN;
	struct report r;

	if (cert != NULL && p == t->der.ptr + t->der.len &&
	    (e = begin(&r, t->a, t->o, t->depth, out)) == MST_OK) {
		report_kind(&r, "certificate", "x509", t->encoding);
		inspect_x509(&r, cert, t->beside);
		e = end(&r, out);
	}
	X509_free(cert);
	return e;
}

static mst_err
try_csr(const struct der_try *t, json_t **out)
{
	const uint8_t *p = t->der.ptr;
	X509_REQ *csr = d2i_X509_REQ(NULL, &p, (long)t->der.len);
	mst_err e = MST_E_CONTENT_UNKNOWN;
	struct report r;

	if (csr != NULL && p == t->der.ptr + t->der.len &&
	    (e = begin(&r, t->a, t->o, t->depth, out)) == MST_OK) {
		report_kind(&r, "csr", "pkcs10", t->encoding);
		inspect_csr(&r, csr);
		e = end(&r, out);
	}
	X509_REQ_free(csr);
	return e;
}

static mst_err
try_crl(const struct der_try *t, json_t **out)
{
	const uint8_t *p = t->der.ptr;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)t->der.len);
	mst_err e = MST_E_CONTENT_UNKNOWN;
	struct report r;

	if (crl != NULL && p == t->der.ptr + t->der.len &&
	    (e = begin(&r, t->a, t->o, t->depth, out)) == MST_OK) {
		report_kind(&r, "crl", "x509", t->encoding);
		inspect_crl(&r, crl);
		e = end(&r, out);
	}
	X509_CRL_free(crl);
	return e;
}

static mst_err
try_certs_only(const struct der_try *t, json_t **out)
{
	STACK_OF(X509) *certs = NULL;
	struct report r;
	json_t *list;
	mst_err e;

	if (certs_only_parse(t->der, &certs) != MST_OK)
		return MST_E_CONTENT_UNKNOWN;
	if ((e = begin(&r, t->a, t->o, t->depth, out)) != MST_OK)
		goto out;
	report_kind(&r, "certificates", "pkcs7", t->encoding);
	report_text(&r, "count", arena_printf(t->a, "%d", sk_X509_num(certs)), "RFC 7030 4.1.3",
	    "certificates without a signature around them, as EST sends them");
	list = json_array();
	for (int i = 0; i < sk_X509_num(certs); i++) {
		struct report one;

		if (report_begin(&one, t->a, t->o, t->depth + 1) != MST_OK)
			break;
		report_kind(&one, "certificate", "x509", "der");
		inspect_x509(&one, sk_X509_value(certs, i), certs);
		r.failed = r.failed || one.failed;
		r.judged = true;
		json_array_append_new(list, report_end(&one));
	}
	json_object_set_new(r.top, "certificates", list);
	e = end(&r, out);
out:
	sk_X509_pop_free(certs, X509_free);
	return e;
}

static mst_err
try_cms(const struct der_try *t, json_t **out)
{
	struct report r;
	mst_err e = begin(&r, t->a, t->o, t->depth, out);

	if (e != MST_OK)
		return e;
	e = inspect_voucher(&r, MST_MEDIA_CMS_JSON, t->der, t->encoding);
	if (e == MST_OK)
		return end(&r, out);
	report_drop(&r);
	return e;
}

/* What is said of a key: its kind and that it is one. Nothing of its value. */
static mst_err
say_key(
    const struct der_try *t, const char *format, const char *about, const char *words, json_t **out)
{
	struct report r;
	mst_err e = begin(&r, t->a, t->o, t->depth, out);

	if (e != MST_OK)
		return e;
	report_kind(&r, "private-key", format, t->encoding);
	report_text(&r, "key", about, "RFC 5958", words);
	report_check(&r, "secret", OUTCOME_OPEN, MST_OK, "muster SEC-6",
	    "keep it from other people's eyes: its value is not shown");
	return end(&r, out);
}

static mst_err
try_private(const struct der_try *t, json_t **out)
{
	const uint8_t *p = t->der.ptr;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)t->der.len);
	X509_SIG *sealed;
	mst_err e = MST_E_CONTENT_UNKNOWN;

	if (key != NULL && p == t->der.ptr + t->der.len)
		e = say_key(t, "pkcs8", text_key(t->a, key), "a private key, not encrypted", out);
	EVP_PKEY_free(key);
	if (e != MST_E_CONTENT_UNKNOWN)
		return e;
	p = t->der.ptr;
	sealed = d2i_X509_SIG(NULL, &p, (long)t->der.len);
	if (sealed != NULL && p == t->der.ptr + t->der.len && t->der.len > 64)
		e = say_key(
		    t, "pkcs8-encrypted", "encrypted", "a private key behind a passphrase", out);
	X509_SIG_free(sealed);
	return e;
}

static mst_err
try_public(const struct der_try *t, json_t **out)
{
	const uint8_t *p = t->der.ptr;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)t->der.len);
	mst_err e = MST_E_CONTENT_UNKNOWN;
	uint8_t sum[EVP_MAX_MD_SIZE];
	struct report r;
	unsigned n = 0;

	if (key != NULL && p == t->der.ptr + t->der.len &&
	    (e = begin(&r, t->a, t->o, t->depth, out)) == MST_OK) {
		report_kind(&r, "public-key", "spki", t->encoding);
		report_text(&r, "key", text_key(t->a, key), "RFC 5280 4.1.2.7", "a public key");
		if (EVP_Digest(t->der.ptr, t->der.len, sum, &n, EVP_sha256(), NULL) == 1)
			report_hex(&r, "key-sha256", mst_span_of(sum, n), "RFC 7469 2.4",
			    "its fingerprint, as pinned-domain-pubk-sha256 has it");
		e = end(&r, out);
	}
	EVP_PKEY_free(key);
	return e;
}

static mst_err
try_csrattrs(const struct der_try *t, json_t **out)
{
	struct report r;
	mst_err e = begin(&r, t->a, t->o, t->depth, out);

	if (e != MST_OK)
		return e;
	report_kind(&r, "csrattrs", "csrattrs", t->encoding);
	e = inspect_csrattrs(&r, t->der);
	if (e == MST_OK)
		return end(&r, out);
	report_drop(&r);
	return e;
}

static mst_err
inspect_der(const struct der_try *t, json_t **out)
{
	static mst_err (*const tries[])(const struct der_try *, json_t **) = { try_cert, try_csr,
		try_crl, try_certs_only, try_cms, try_private, try_public, try_csrattrs };
	mst_err e = MST_E_CONTENT_UNKNOWN;

	if (t->der.len < 2 || t->der.ptr[0] != 0x30)
		return e;
	for (size_t i = 0; e == MST_E_CONTENT_UNKNOWN && i < sizeof tries / sizeof tries[0]; i++)
		e = tries[i](t, out);
	ERR_clear_error();
	if (e == MST_E_CONTENT_UNKNOWN && why[0] == '\0')
		inspect_say("DER, or the start of it, but of nothing that is known here");
	return e;
}

/* --- PEM --- */

struct block {
	char *name;
	unsigned char *bytes;
	long len;
	bool encrypted;
};

static size_t
read_blocks(mst_span pem, struct block *blocks)
{
	BIO *in = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	size_t n = 0;
	char *header = NULL;

	while (in != NULL && n < BLOCKS_MAX &&
	       PEM_read_bio(in, &blocks[n].name, &header, &blocks[n].bytes, &blocks[n].len) == 1) {
		blocks[n].encrypted = strstr(header, "ENCRYPTED") != NULL;
		OPENSSL_free(header);
		n++;
	}
	ERR_clear_error();
	BIO_free(in);
	return n;
}

static bool
ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && strcmp(s + n - m, tail) == 0;
}

static STACK_OF(X509) *
certs_among(const struct block *blocks, size_t n)
{
	STACK_OF(X509) *certs = sk_X509_new_null();

	for (size_t i = 0; certs != NULL && i < n; i++) {
		const uint8_t *p = blocks[i].bytes;
		X509 *cert = ends_with(blocks[i].name, "CERTIFICATE")
		                 ? d2i_X509(NULL, &p, blocks[i].len)
		                 : NULL;

		if (cert != NULL && sk_X509_push(certs, cert) <= 0)
			X509_free(cert);
	}
	ERR_clear_error();
	return certs;
}

static mst_err
inspect_block(const struct der_try *base, const struct block *b, json_t **out)
{
	struct der_try t = *base;

	t.der = mst_span_of(b->bytes, (size_t)b->len);
	t.encoding = "pem";
	if (b->encrypted)
		return say_key(
		    &t, "pem-encrypted", "encrypted", "a private key behind a passphrase", out);
	return inspect_der(&t, out);
}

/* The first block is what the file is; further certificates are its chain, the rest lies beside. */
static mst_err
inspect_pem(
    struct arena *a, mst_span pem, const struct inspect_options *o, unsigned depth, json_t **out)
{
	struct block blocks[BLOCKS_MAX] = { { NULL, NULL, 0, false } };
	size_t n = read_blocks(pem, blocks);
	STACK_OF(X509) *certs = certs_among(blocks, n);
	struct der_try base = { a, o, depth, MST_NONE, "pem", certs };
	json_t *chain = json_array(), *more = json_array(), *one;
	mst_err e = MST_E_CONTENT_UNKNOWN, e1;

	*out = NULL;
	for (size_t i = 0; i < n; i++) {
		if (ends_with(blocks[i].name, "PARAMETERS"))
			continue; /* of the key behind it */
		e1 = inspect_block(&base, &blocks[i], &one);
		if (e1 == MST_OK && *out == NULL)
			*out = one;
		else if (e1 == MST_OK)
			json_array_append_new(
			    ends_with(blocks[i].name, "CERTIFICATE") ? chain : more, one);
		else if (*out == NULL)
			e = e1;
		base.depth = depth + 1;
	}
	if (*out != NULL) {
		e = MST_OK;
		if (json_array_size(chain) > 0)
			json_object_set(*out, "chain", chain);
		if (json_array_size(more) > 0)
			json_object_set(*out, "more", more);
	} else if (n == 0) {
		inspect_say("PEM armour, but what is inside is damaged");
	}
	json_decref(chain);
	json_decref(more);
	for (size_t i = 0; i < n; i++) {
		OPENSSL_free(blocks[i].name);
		OPENSSL_clear_free(blocks[i].bytes, (size_t)blocks[i].len);
	}
	sk_X509_pop_free(certs, X509_free);
	return e;
}

/* --- texts --- */

static mst_span
trim(mst_span s)
{
	while (s.len > 0 && memchr(" \t\r\n", s.ptr[0], 4) != NULL)
		s = mst_span_of(s.ptr + 1, s.len - 1);
	while (s.len > 0 && memchr(" \t\r\n", s.ptr[s.len - 1], 4) != NULL)
		s.len--;
	return s;
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
decode_hex(mst_span text, struct mst_buf *out)
{
	int high = -1, d;

	for (size_t i = 0; i < text.len; i++) {
		if (memchr(" \t\r\n:", text.ptr[i], 5) != NULL)
			continue;
		if ((d = hex_digit(text.ptr[i])) < 0)
			return false;
		if (high < 0) {
			high = d;
			continue;
		}
		if (mst_buf_put_byte(out, (uint8_t)(high << 4 | d)) != MST_OK)
			return false;
		high = -1;
	}
	return high < 0 && out->len > 1;
}

static mst_err
inspect_text_json(struct arena *a, mst_span text, const struct inspect_options *o, unsigned depth,
    const char *encoding, json_t **out)
{
	struct report r;
	mst_err e = begin(&r, a, o, depth, out);

	if (e != MST_OK)
		return e;
	e = inspect_json(&r, text, encoding);
	if (e == MST_OK)
		return end(&r, out);
	report_drop(&r);
	return e;
}

static mst_err
inspect_text_cbor(struct arena *a, mst_span bytes, const struct inspect_options *o, unsigned depth,
    const char *encoding, json_t **out)
{
	struct report r;
	mst_err e = begin(&r, a, o, depth, out);

	if (e != MST_OK)
		return e;
	e = inspect_suit(&r, bytes, encoding);
	if (e == MST_E_CONTENT_UNKNOWN)
		e = inspect_suit_report(&r, bytes, encoding);
	if (e == MST_E_CONTENT_UNKNOWN)
		e = inspect_voucher(&r, MST_MEDIA_COSE_CBOR, bytes, encoding);
	if (e == MST_E_CONTENT_UNKNOWN)
		e = inspect_cbor(&r, bytes, encoding);
	if (e == MST_E_CONTENT_UNKNOWN)
		e = inspect_any_cbor(&r, bytes, encoding);
	else if (e == MST_OK && (o->want & INSPECT_DIAG) != 0)
		inspect_diag(&r, bytes);
	if (e == MST_OK)
		return end(&r, out);
	report_drop(&r);
	return e;
}

static mst_err
inspect_compact_text(
    struct arena *a, mst_span text, const struct inspect_options *o, unsigned depth, json_t **out)
{
	struct report r;
	mst_span general;
	mst_err e;

	if (inspect_compact(a, text, &general) != MST_OK)
		return MST_E_CONTENT_UNKNOWN;
	if ((e = begin(&r, a, o, depth, out)) != MST_OK)
		return e;
	e = inspect_voucher(&r, MST_MEDIA_JWS_JSON, general, "compact");
	if (e != MST_OK) {
		report_drop(&r);
		return e;
	}
	report_check(&r, "serialization", OUTCOME_BAD, MST_E_JWS, "anima-jws-voucher 3",
	    "this is JWS compact serialization; a voucher is due in the general JSON form");
	return end(&r, out);
}

/* Bytes that some armour held: DER, CBOR or JSON. */
static mst_err
inspect_bytes(struct arena *a, mst_span bytes, const struct inspect_options *o, unsigned depth,
    const char *encoding, json_t **out)
{
	struct der_try t = { a, o, depth, bytes, encoding, NULL };
	mst_span text = trim(bytes);
	mst_err e = inspect_der(&t, out);

	if (e == MST_E_CONTENT_UNKNOWN && text.len > 0 && text.ptr[0] == '{')
		return inspect_text_json(a, text, o, depth, encoding, out);
	if (e == MST_E_CONTENT_UNKNOWN && bytes.len > 0 &&
	    (bytes.ptr[0] >= 0x80 || (o->want & INSPECT_DIAG) != 0))
		e = inspect_text_cbor(a, bytes, o, depth, encoding, out);
	return e;
}

/* Armour without a frame: hex first, since hex digits are letters of base64 as well. */
static mst_err
inspect_armoured(
    struct arena *a, mst_span text, const struct inspect_options *o, unsigned depth, json_t **out)
{
	struct mst_buf b = arena_buf(a, text.len + 1);
	mst_err e = MST_E_CONTENT_UNKNOWN;

	if (b.cap == 0)
		return MST_E_NOMEM;
	if (decode_hex(text, &b))
		e = inspect_bytes(a, mst_buf_span(&b), o, depth, "hex", out);
	if (e == MST_E_CONTENT_UNKNOWN) {
		b.len = 0;
		if (mst_base64_decode(text, MST_BASE64_SPACE | MST_BASE64_URL, &b) == MST_OK)
			e = inspect_bytes(a, mst_buf_span(&b), o, depth, "base64", out);
	}
	mst_wipe(b.ptr, b.cap); /* it may have been a key */
	return e;
}

mst_err
inspect_inside(
    struct arena *a, mst_span bytes, const struct inspect_options *o, unsigned depth, json_t **out)
{
	mst_span text = trim(bytes);
	const char *encoding = "der";
	mst_err e;

	if (depth > INSPECT_DEPTH_MAX)
		return MST_E_CONTENT_UNKNOWN;
	if (text.len == 0)
		inspect_say("there is nothing in it");
	if (text.len == 0)
		return MST_E_CONTENT_UNKNOWN;
	if (memmem(bytes.ptr, bytes.len, "-----BEGIN ", 11) != NULL)
		return inspect_pem(a, bytes, o, depth, out);
	if (text.ptr[0] == '{')
		encoding = "json";
	else if (bytes.ptr[0] >= 0x80)
		encoding = "cbor";
	e = inspect_bytes(a, bytes, o, depth, encoding, out);
	if (e == MST_E_CONTENT_UNKNOWN)
		e = inspect_compact_text(a, text, o, depth, out);
	if (e == MST_E_CONTENT_UNKNOWN)
		e = inspect_armoured(a, text, o, depth, out);
	return e;
}

mst_err
inspect(struct arena *a, mst_span bytes, const struct inspect_options *o, json_t **out)
{
	mst_err e;

	why[0] = '\0';
	if (bytes.len > INSPECT_BYTES_MAX) {
		inspect_say("larger than %u bytes", INSPECT_BYTES_MAX);
		return MST_E_SPACE;
	}
	e = inspect_inside(a, bytes, o, 0, out);
	if (e != MST_OK && why[0] == '\0')
		inspect_say(
		    "neither PEM, DER, base64, hex, JSON nor CBOR of anything that is known here");
	return e;
}

/* --- the message alone --- */

static bool
is_signed_data(mst_span der)
{
	const uint8_t *p = der.ptr;
	CMS_ContentInfo *cms =
	    der.len > 1 && p[0] == 0x30 ? d2i_CMS_ContentInfo(NULL, &p, (long)der.len) : NULL;
	bool is = cms != NULL;

	CMS_ContentInfo_free(cms);
	ERR_clear_error();
	return is;
}

static bool
from_pem(struct arena *a, mst_span pem, mst_span *der)
{
	struct block blocks[BLOCKS_MAX] = { { NULL, NULL, 0, false } };
	size_t n = read_blocks(pem, blocks);
	mst_span first = n > 0 ? mst_span_of(blocks[0].bytes, (size_t)blocks[0].len) : MST_NONE;

	*der = n == 1 ? arena_dup(a, first) : MST_NONE;
	for (size_t i = 0; i < n; i++) {
		OPENSSL_free(blocks[i].name);
		OPENSSL_clear_free(blocks[i].bytes, (size_t)blocks[i].len);
	}
	return der->ptr != NULL && is_signed_data(*der);
}

mst_err
inspect_message(struct arena *a, mst_span bytes, enum mst_media *media, mst_span *message)
{
	mst_span text = trim(bytes), der;
	struct mst_buf b;

	why[0] = '\0';
	*media = MST_MEDIA_CMS_JSON;
	*message = bytes;
	if (is_signed_data(bytes))
		return MST_OK;
	if (text.len > 0 && text.ptr[0] == '{') {
		*media = MST_MEDIA_JWS_JSON;
		return MST_OK;
	}
	if (bytes.len > 1 && (bytes.ptr[0] == 0xd2 || bytes.ptr[0] == 0x84) &&
	    mst_base64_decode(text, MST_BASE64_SPACE, &(struct mst_buf){ NULL, 0, 0 }) != MST_OK) {
		*media = MST_MEDIA_COSE_CBOR;
		return MST_OK;
	}
	if (text.len > 0 && memmem(bytes.ptr, bytes.len, "-----BEGIN ", 11) != NULL) {
		if (from_pem(a, bytes, &der)) {
			*message = der;
			return MST_OK;
		}
		inspect_say("PEM, but not one block of CMS");
		return MST_E_CONTENT_UNKNOWN;
	}
	b = arena_buf(a, text.len + 1);
	if (b.cap == 0)
		return MST_E_NOMEM;
	if (decode_hex(text, &b)) {
		*message = mst_buf_span(&b);
		*media = b.ptr[0] == 0x30 ? MST_MEDIA_CMS_JSON : MST_MEDIA_COSE_CBOR;
		return MST_OK;
	}
	b.len = 0;
	if (mst_base64_decode(text, MST_BASE64_SPACE | MST_BASE64_URL, &b) == MST_OK) {
		*message = mst_buf_span(&b);
		if (b.len > 0 && b.ptr[0] >= 0x80)
			*media = MST_MEDIA_COSE_CBOR;
		return MST_OK; /* what it is, opening it will tell */
	}
	inspect_say("neither CMS, JWS in JSON nor COSE, as it is or in PEM, base64 or hex");
	return MST_E_CONTENT_UNKNOWN;
}

mst_err
inspect_cert_facts(struct arena *a, mst_span pem_or_der, struct inspect_cert_facts *out)
{
	static const enum cert_serial_rule rules[] = { CERT_SERIAL_SUBJECT,
		CERT_SERIAL_SAN_HWMODULE, CERT_SERIAL_CN };
	STACK_OF(X509) *list = NULL;
	X509 *cert;
	mst_err e = cert_list(pem_or_der, &list);

	if (e != MST_OK)
		return e;
	cert = sk_X509_value(list, 0);
	*out = (struct inspect_cert_facts){ .subject = cert_subject(a, cert),
		.not_before = time_of(X509_get0_notBefore(cert)),
		.not_after = time_of(X509_get0_notAfter(cert)) };
	if (cert_idevid_issuer(a, cert, &out->idevid_issuer) != MST_OK)
		out->idevid_issuer = MST_NONE;
	for (size_t i = 0; out->serial.ptr == NULL && i < 3; i++)
		if (cert_device_serial(a, cert, rules[i], &out->serial) != MST_OK)
			out->serial = MST_NONE;
	sk_X509_pop_free(list, X509_free);
	return MST_OK;
}

mst_err
inspect_anchors(const mst_span *files, size_t count, struct anchors **out)
{
	STACK_OF(X509) *all = sk_X509_new_null(), *list;
	mst_err e = all == NULL ? MST_E_NOMEM : MST_OK;

	for (size_t i = 0; e == MST_OK && i < count; i++) {
		if ((e = cert_list(files[i], &list)) != MST_OK)
			break;
		while (e == MST_OK && sk_X509_num(list) > 0) {
			X509 *cert = sk_X509_shift(list);

			if (sk_X509_push(all, cert) <= 0) {
				X509_free(cert);
				e = MST_E_NOMEM;
			}
		}
		sk_X509_pop_free(list, X509_free);
	}
	if (e == MST_OK)
		e = anchors_from_stack(all, out);
	sk_X509_pop_free(all, X509_free);
	return e;
}
