/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/agent/support_coap_ra.h"

#include <string.h>
#include <time.h>

#include <openssl/pkcs7.h>

#include "host/cert.h"
#include "host/envelope.h"
#include "muster/cbor.h"

static void
refuse(struct coap_toy_answer *out, int code, const char *words)
{
	out->code = code;
	out->len = (size_t)snprintf((char *)out->body, 128, "%s", words);
}

static void
later(struct coap_toy_answer *out)
{
	refuse(out, 503, "later");
	out->max_age = 1;
}

static mst_span
der(struct coap_ra *r, X509 *cert)
{
	mst_span s = MST_NONE;

	MUST(cert_der(r->a, cert, &s) == MST_OK);
	return s;
}

/* ---- vouchers ---- */

static mst_span
make_voucher(struct coap_ra *r, const struct mst_voucher_claims *pvr)
{
	const struct toy_pki *p = r->pki;
	const struct pki *masa = r->trick == TOY_FORGED_VOUCHER ? &p->false_masa : &p->masa;
	struct envelope_signer signer = { .key = masa->key, .cert = masa->cert };
	struct mst_voucher_claims c;
	mst_span message = MST_NONE;

	mst_voucher_claims_init(&c, MST_VOUCHER);
	c.assertion = MST_ASSERT_PROXIMITY;
	c.created_on = time(NULL);
	c.serial = r->trick == TOY_WRONG_SERIAL ? MST_LIT("LAMP-2") : pvr->serial;
	if (r->trick != TOY_NO_NONCE)
		c.nonce = pvr->nonce;
	c.pinned_cert = der(r, r->trick == TOY_WRONG_PIN ? p->foreign.cert
	                       : r->pin_ra               ? p->ra.cert
	                                                 : p->domain.cert);
	MUST(envelope_seal(r->a, MST_MEDIA_COSE_CBOR, &c, &signer, &message) == MST_OK);
	if (r->trick == TOY_ALTERED_VOUCHER) {
		uint8_t *at = memmem(message.ptr, message.len, "LAMP-1", 6);

		MUST(at != NULL);
		at[5] = '2';
	}
	return message;
}

static void
on_rv(struct coap_ra *r, const struct coap_toy_request *q, struct coap_toy_answer *out)
{
	mst_span body = mst_span_of(q->body, q->len);
	STACK_OF(X509) *client = sk_X509_new_null();
	struct envelope env;

	MUST(q->len <= sizeof r->last_pvr && sk_X509_push(client, q->client) > 0);
	r->identical_pvr += r->pvr_len == q->len && memcmp(r->last_pvr, q->body, q->len) == 0;
	memcpy(r->last_pvr, q->body, r->pvr_len = q->len);
	if (q->format != 836 || q->accept != 836) {
		refuse(out, 415, "format");
	} else if (envelope_open(r->a, MST_MEDIA_COSE_CBOR, MST_VOUCHER_REQUEST, body, client,
	               &env) != MST_OK ||
	           X509_cmp(env.signer, q->client) != 0 ||
	           !mst_span_eq(env.claims.proximity_cert, der(r, r->toy.id->cert)) ||
	           env.claims.assertion != MST_ASSERT_PROXIMITY) {
		refuse(out, 400, "not a voucher-request of this association");
	} else if (r->trick == TOY_REFUSES_VOUCHER) {
		refuse(out, 403, "MU-2200 not on the list");
	} else if (r->pending > 0) {
		r->pending--;
		later(out);
	} else {
		mst_span v = make_voucher(r, &env.claims);

		r->vouchers++;
		out->code = 204;
		out->format = 836;
		memcpy(out->body, v.ptr, out->len = v.len);
	}
	sk_X509_free(client);
}

/* ---- telemetry: {"version": 1, "status": bool, "reason": text, ...} ---- */

static void
on_status(struct coap_ra *r, const struct coap_toy_request *q, struct coap_toy_answer *out,
    atomic_int *good, atomic_int *bad)
{
	struct mst_cbor_reader c;
	mst_span key, reason = MST_LIT("");
	bool status = false, version = false;

	mst_cbor_init(&c, mst_span_of(q->body, q->len));
	mst_cbor_map(&c);
	while (mst_cbor_text_key(&c, &key)) {
		if (mst_span_eq(key, MST_LIT("version")))
			version = mst_cbor_uint(&c) == 1;
		else if (mst_span_eq(key, MST_LIT("status")))
			status = mst_cbor_bool(&c);
		else if (mst_span_eq(key, MST_LIT("reason")))
			reason = mst_cbor_text(&c);
		else
			mst_cbor_skip(&c);
	}
	if (q->format != 60 || mst_cbor_end(&c) != MST_OK || !version) {
		refuse(out, 400, "not telemetry");
		return;
	}
	(*(status ? good : bad))++;
	if (!status)
		snprintf(r->reason, sizeof r->reason, "%.*s", (int)reason.len, reason.ptr);
	out->code = 204;
}

/* ---- EST ---- */

static bool
is_ldevid(struct coap_ra *r, const struct coap_toy_request *q)
{
	return X509_NAME_cmp(X509_get_issuer_name(q->client),
	           X509_get_subject_name(r->pki->domain.cert)) == 0;
}

static void
answer_cert(struct coap_ra *r, X509 *cert, struct coap_toy_answer *out)
{
	STACK_OF(X509) *one = sk_X509_new_null();
	mst_span body = der(r, cert);

	MUST(sk_X509_push(one, cert) > 0);
	if (r->certs_only)
		MUST(certs_only_build(r->a, one, &body) == MST_OK);
	out->code = 204;
	out->format = r->certs_only ? 281 : 287;
	memcpy(out->body, body.ptr, out->len = body.len);
	sk_X509_free(one);
}

static void
on_sen(struct coap_ra *r, const struct coap_toy_request *q, struct coap_toy_answer *out, bool again)
{
	const uint8_t *p = q->body;
	X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)q->len);
	const struct pki *ca = r->trick == TOY_FOREIGN_CERT ? &r->pki->foreign : &r->pki->domain;
	X509 *cert;

	MUST(q->len <= sizeof r->last_csr);
	r->identical_csr += r->csr_len == q->len && memcmp(r->last_csr, q->body, q->len) == 0;
	memcpy(r->last_csr, q->body, r->csr_len = q->len);
	/* 13.3: the subject of the IDevID, unmodified; 4.2.2: that of the LDevID */
	if (q->format != 286 || q->accept != 287 || req == NULL || p != q->body + q->len ||
	    X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) != 1 || again != is_ldevid(r, q) ||
	    X509_NAME_cmp(X509_REQ_get_subject_name(req), X509_get_subject_name(q->client)) != 0) {
		refuse(out, 400, "bad CSR");
	} else if (r->trick == TOY_REFUSES_ENROLL) {
		refuse(out, 403, "MU-4000 not yet");
	} else if (r->enroll_pending > 0) {
		r->enroll_pending--;
		later(out);
	} else {
		(*(again ? &r->reenrolls : &r->enrolls))++;
		cert = pki_sign(
		    ca, X509_REQ_get_subject_name(req), X509_REQ_get0_pubkey(req), r->life);
		answer_cert(r, cert, out);
		X509_free(cert);
	}
	X509_REQ_free(req);
}

static void
on_crts(struct coap_ra *r, const struct coap_toy_request *q, struct coap_toy_answer *out)
{
	const struct pki *ca = r->trick == TOY_FOREIGN_CACERTS ? &r->pki->foreign : &r->pki->domain;
	struct mst_buf body = { out->body, sizeof out->body, 0 };
	struct mst_cbor_writer w;

	r->crts++;
	if (q->accept != 62) {
		refuse(out, 406, "62 alone");
		return;
	}
	mst_cbor_put_init(&w, &body);
	mst_cbor_put_array(&w, 2);
	mst_cbor_put_uint(&w, 287);
	mst_cbor_put_bytes(&w, der(r, ca->cert));
	MUST(mst_cbor_put_end(&w) == MST_OK);
	out->code = 205;
	out->format = 62;
	out->len = body.len;
}

static void
serve(struct coap_toy *t, const struct coap_toy_request *q, struct coap_toy_answer *out)
{
	struct coap_ra *r = t->arg;
	bool post = q->method == 2;

	arena_reset(r->a);
	r->ldevid += is_ldevid(r, q);
	if (post && strcmp(q->path, "/.well-known/brski/rv") == 0)
		on_rv(r, q, out);
	else if (post && strcmp(q->path, "/.well-known/brski/vs") == 0)
		on_status(r, q, out, &r->good_status, &r->bad_status);
	else if (post && strcmp(q->path, "/.well-known/brski/es") == 0)
		on_status(r, q, out, &r->reports, &r->bad_reports);
	else if (!post && strcmp(q->path, "/.well-known/est/crts") == 0)
		on_crts(r, q, out);
	else if (post && strcmp(q->path, "/.well-known/est/sen") == 0)
		on_sen(r, q, out, false);
	else if (post && strcmp(q->path, "/.well-known/est/sren") == 0)
		on_sen(r, q, out, true);
	else
		refuse(out, 404, "nothing here");
}

void
coap_ra_start(struct coap_ra *r, const struct toy_pki *pki, enum toy_trick trick)
{
	memset(r, 0, sizeof *r);
	r->pki = pki;
	r->trick = trick;
	r->life = 90L * 86400;
	MUST((r->a = arena_new(0)) != NULL);
	coap_toy_start(
	    &r->toy, trick == TOY_NO_RA ? &pki->no_ra : &pki->ra, pki->domain.cert, serve, r);
}

void
coap_ra_forget(struct coap_ra *r)
{
	coap_toy_forget(&r->toy);
	r->vouchers = r->good_status = r->bad_status = r->enrolls = r->reenrolls = r->crts = 0;
	r->reports = r->bad_reports = r->ldevid = r->identical_pvr = r->identical_csr = 0;
}

void
coap_ra_stop(struct coap_ra *r)
{
	coap_toy_stop(&r->toy);
	arena_free(r->a);
}
