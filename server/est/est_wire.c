/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where EST differs by wire: base64 with its headers over HTTPS (est.md B, H),
 * raw DER in the format that Accept names over CoAPS (est.md section 13, CO-2).
 */
#include <string.h>

#include <openssl/x509.h>

#include "server/est/room.h"
#include "server/net/coap_table.h"
#include "server/net/multipart.h"

mst_err
est_csr_der(struct net_request *rq, mst_span *der)
{
	if (rq->wire == NET_HTTP)
		return est_body_decode(rq->arena, rq->body, der);
	*der = rq->body; /* RFC 9148 4.3: never base64 */
	return MST_OK;
}

static bool
is_listed(const struct est *e, const char *manufacturer)
{
	for (size_t i = 0; manufacturer != NULL && i < e->c.single_count; i++)
		if (strcmp(e->c.single_certificate[i], manufacturer) == 0)
			return true;
	return false;
}

/* est.md F1: as Accept says; without it what the maker's devices expect, else 281. */
static bool
wants_single(const struct est *e, const struct net_request *rq, const char *manufacturer)
{
	return rq->accept != NULL ? net_is_type(rq->accept, COAP_TYPE_CERT)
	                          : is_listed(e, manufacturer);
}

void
est_answer_issued(const struct est *e, struct net_request *rq, enum step step,
    const char *manufacturer, mst_span cert, mst_span certs_only)
{
	if (rq->wire == NET_HTTP)
		est_answer(rq, step, EST_TYPE_ENROLLED, certs_only);
	else if (wants_single(e, rq, manufacturer))
		net_reply(rq, 200, COAP_TYPE_CERT, cert, NULL, 0);
	else
		net_reply(rq, 200, COAP_TYPE_CERTS, certs_only, NULL, 0);
}

/* est.md F3: the key, then skg: certs-only, skc: the certificate. */
mst_err
est_answer_key(struct net_request *rq, mst_span key, mst_span cert, mst_span certs_only)
{
	bool single = rq->short_name != NULL && strcmp(rq->short_name, "skc") == 0;
	const struct multipart parts[] = {
		{ COAP_CF_PKCS8, key },
		{ single ? COAP_CF_CERT : COAP_CF_P7_CERTS, single ? cert : certs_only },
	};
	struct mst_buf out;
	mst_err e = est_secret_new(rq->arena, multipart_size(parts, 2), &out);

	if (e != MST_OK || (e = multipart_put(&out, parts, 2)) != MST_OK)
		return e;
	net_reply(rq, 200, COAP_TYPE_MULTIPART, mst_buf_span(&out), NULL, 0);
	return MST_OK;
}

/* --- CA certificates: CO-2 --- */

static mst_err
der_of(struct arena *a, X509 *x, mst_span *out)
{
	int n = i2d_X509(x, NULL);
	unsigned char *p = n > 0 ? arena_alloc(a, (size_t)n) : NULL;

	if (p == NULL)
		return n > 0 ? MST_E_NOMEM : MST_E_INTERNAL;
	*out = mst_span_of(p, (size_t)n);
	return i2d_X509(x, &p) == n ? MST_OK : MST_E_INTERNAL;
}

/* The issuer of LDevIDs first, up to the highest, then the others: the order of ca_certs. */
static mst_err
all_of_them(struct arena *a, const STACK_OF(X509) *certs, mst_span *out)
{
	size_t count = (size_t)sk_X509_num(certs);
	struct multipart *parts = arena_alloc(a, count * sizeof *parts);
	struct mst_buf b;
	mst_err e = parts != NULL ? MST_OK : MST_E_NOMEM;

	for (size_t i = 0; e == MST_OK && i < count; i++) {
		parts[i].format = COAP_CF_CERT;
		e = der_of(a, sk_X509_value(certs, (int)i), &parts[i].body);
	}
	if (e != MST_OK)
		return e;
	b = arena_buf(a, multipart_size(parts, count));
	if (b.cap == 0)
		return MST_E_NOMEM;
	e = multipart_put(&b, parts, count);
	*out = mst_buf_span(&b);
	return e;
}

/* CO-2: one certificate alone says nothing where the domain has several anchors. */
static mst_err
the_issuing_one(struct arena *a, const STACK_OF(X509) *certs, mst_span *out)
{
	int anchors = 0;

	for (int i = 0; i < sk_X509_num(certs); i++)
		anchors += X509_self_signed(sk_X509_value(certs, i), 1) == 1;
	return anchors > 1 ? MST_E_MEDIA_ACCEPT : der_of(a, sk_X509_value(certs, 0), out);
}

mst_err
est_crts(const struct est_label *l, struct net_request *rq, const char **type, mst_span *body)
{
	const STACK_OF(X509) *certs = ca_certs(l->est->c.ca, l->label);

	if (certs == NULL)
		return MST_E_EST_LABEL;
	if (rq->accept != NULL && net_is_type(rq->accept, COAP_TYPE_MULTIPART)) {
		*type = COAP_TYPE_MULTIPART;
		return all_of_them(rq->arena, certs, body);
	}
	if (rq->accept != NULL && net_is_type(rq->accept, COAP_TYPE_CERT)) {
		*type = COAP_TYPE_CERT;
		return the_issuing_one(rq->arena, certs, body);
	}
	*type = COAP_TYPE_CERTS;
	*body = ca_cacerts(l->est->c.ca, l->label);
	return MST_OK;
}

/* est.md D3: no anonymous crts over CoAPS, nor att. */
mst_err
est_known_client(const struct est *e, struct net_request *rq)
{
	const struct trust_verdict *v;

	if (rq->wire == NET_HTTP)
		return MST_OK;
	v = trust_judge(e->c.trust, rq);
	switch (v->class) {
	case TRUST_IDEVID:
	case TRUST_LDEVID: return MST_OK;
	case TRUST_ANONYMOUS: return MST_E_TLS_NO_CLIENT_CERT;
	case TRUST_REFUSED: return v->why;
	}
	return MST_E_INTERNAL;
}
