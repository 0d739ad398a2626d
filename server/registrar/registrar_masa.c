/* SPDX-License-Identifier: Apache-2.0 */
/* Towards a MASA: whose certificate, which anchors, what its answers mean (RFC 8995 5.4, 5.6). */
#include "server/registrar/room.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/file.h"
#include "host/key.h"

#define ANSWER_BYTES (256 << 10)
#define WORDS_MOST 300

static mst_err
load_credential(struct masa_access *x, const struct manufacturer *m)
{
	struct arena *a;
	mst_span pem;
	mst_err e = MST_E_NOMEM;

	if (m->masa_cert_uri == NULL || m->masa_key_uri == NULL)
		return MST_OK;
	if ((a = arena_new(1 << 20)) != NULL &&
	    (e = file_read(a, m->masa_cert_uri, 1 << 18, &pem)) == MST_OK &&
	    (e = cert_list(pem, &x->certs)) == MST_OK &&
	    (e = key_open(m->masa_key_uri, &x->key)) == MST_OK)
		e = key_matches(x->key, sk_X509_value(x->certs, 0));
	arena_free(a);
	return e;
}

static mst_err
access_new(const struct manufacturer *m, struct masa_access **out)
{
	struct masa_access *x = calloc(1, sizeof *x);
	mst_err e = MST_OK;

	if (x == NULL)
		return MST_E_NOMEM;
	x->manufacturer = m->id;
	x->generation = m->generation;
	snprintf(x->pool, sizeof x->pool, "%lld.%lld", (long long)m->id, (long long)m->generation);
	if (m->masa_anchors_pem.len != 0)
		e = anchors_new(m->masa_anchors_pem, MST_NONE, &x->tls);
	if (e == MST_OK && m->voucher_anchors_pem.len != 0)
		e = anchors_new(m->voucher_anchors_pem, MST_NONE, &x->vouchers);
	if (e == MST_OK)
		e = load_credential(x, m);
	if (e == MST_OK) {
		*out = x;
		return MST_OK;
	}
	anchors_free(x->tls);
	anchors_free(x->vouchers);
	EVP_PKEY_free(x->key);
	sk_X509_pop_free(x->certs, X509_free);
	free(x);
	return e;
}

/* Former generations are kept: a call under way may still use their anchors. */
mst_err
masa_access(struct registrar *r, const struct manufacturer *m, struct masa_access **out)
{
	struct masa_access *x;
	mst_err e = MST_OK;

	pthread_mutex_lock(&r->lock);
	for (x = r->access; x != NULL; x = x->next)
		if (x->manufacturer == m->id && x->generation == m->generation)
			break;
	if (x == NULL && (e = access_new(m, &x)) == MST_OK) {
		x->next = r->access;
		r->access = x;
	}
	pthread_mutex_unlock(&r->lock);
	if (e == MST_OK)
		*out = x;
	return e;
}

mst_err
masa_post(struct registrar *r, struct net_loop *l, const struct manufacturer *m, const char *base,
    const char *path, enum mst_media media, const char *accept, mst_span rvr, const char *trace,
    net_call_done done, void *arg)
{
	struct masa_access *x;
	char url[2048];
	mst_err e = masa_access(r, m, &x);
	size_t n = strlen(base);

	if (e != MST_OK)
		return e;
	if (n != 0 && base[n - 1] == '/')
		n--;
	if (snprintf(url, sizeof url, "%.*s/%s", (int)n, base, path) >= (int)sizeof url)
		return MST_E_MASA_NOT_ALLOWED;
	struct net_call call = { .url = url,
		.method = "POST",
		.content_type = mst_media_type(media),
		.accept = accept,
		.trace = trace,
		.body = rvr,
		.anchors = x->tls,
		.cert = x->key != NULL ? sk_X509_value(x->certs, 0) : r->c.tls_cert,
		.key = x->key != NULL ? x->key : r->c.tls_key,
		.chain = x->key != NULL ? x->certs : r->c.tls_chain,
		.user = m->masa_user,
		.password = m->masa_password,
		.timeout_ms = r->c.masa_timeout_ms,
		.limit = ANSWER_BYTES,
		.pool = x->pool,
		.pool_limit = r->c.masa_concurrency };
	net_call_start(l, &call, done, arg);
	return MST_OK;
}

/* The MASA's own words, printable and short; for operators, never for the pledge (HT-2). */
static const char *
quote(struct arena *a, mst_span body)
{
	char *s =
	    arena_str(a, mst_span_of(body.ptr, body.len < WORDS_MOST ? body.len : WORDS_MOST));

	for (char *p = s; p != NULL && *p != '\0'; p++)
		if (!isprint((unsigned char)*p))
			*p = ' ';
	return s != NULL ? s : "";
}

mst_err
masa_answer_judge(struct arena *a, const struct net_answer *answer, const char **words)
{
	if (answer->err != MST_OK) {
		*words =
		    arena_printf(a, "MASA: %s", answer->why != NULL ? answer->why : "no answer");
		if (answer->err == MST_E_HTTP_BODY_LIMIT)
			return MST_E_MASA_FORMAT;
		return answer->err == MST_E_TIMEOUT ? MST_E_MASA_UNREACHABLE : answer->err;
	}
	*words = arena_printf(a, "MASA answered %d: %s", answer->status,
	    answer->body.len != 0 ? quote(a, answer->body) : "");
	if (answer->status == 200)
		return MST_OK;
	if (answer->status == 202 || answer->status == 429 || answer->status == 503)
		return MST_E_MASA_BUSY;
	if (answer->status == 401)
		return MST_E_MASA_AUTH; /* 8995 5.4.1: fail gracefully, tell the administrator */
	if (answer->status >= 500)
		return MST_E_MASA_UNREACHABLE;
	return MST_E_MASA_REJECTED;
}
