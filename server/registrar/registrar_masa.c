/* SPDX-License-Identifier: Apache-2.0 */
/* Towards a MASA: whose certificate, which anchors, what its answers mean (RFC 8995 5.4, 5.6). */
#include "server/registrar/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/file.h"
#include "host/key.h"
#include "host/metrics.h"

#define ANSWER_BYTES (256 << 10)
#define WORDS_MOST 300

static mst_err
load_credential(struct masa_access *x, struct arena *a, const struct manufacturer *m)
{
	mst_span pem;
	mst_err e;

	if (m->masa_cert_uri == NULL || m->masa_key_uri == NULL)
		return MST_OK;
	if ((e = file_read(a, m->masa_cert_uri, 1 << 18, &pem)) == MST_OK &&
	    (e = cert_list(pem, &x->certs)) == MST_OK &&
	    (e = key_open(m->masa_key_uri, &x->key)) == MST_OK)
		e = key_matches(x->key, sk_X509_value(x->certs, 0));
	if (e == MST_OK)
		x->cert = sk_X509_shift(x->certs); /* what remains is its chain */
	return e;
}

static void
access_free(struct masa_access *x)
{
	anchors_free(x->tls);
	anchors_free(x->vouchers);
	EVP_PKEY_free(x->key);
	X509_free(x->cert);
	sk_X509_pop_free(x->certs, X509_free);
	free(x->user);
	if (x->password != NULL)
		mst_wipe(x->password, strlen(x->password));
	free(x->password);
	free(x);
}

static mst_err
keep(const char *text, char **out)
{
	if (text == NULL)
		return MST_OK;
	*out = strdup(text);
	return *out != NULL ? MST_OK : MST_E_NOMEM;
}

static mst_err
access_new(struct arena *a, const struct manufacturer *m, struct masa_access **out)
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
	if (e == MST_OK && (e = keep(m->masa_user, &x->user)) == MST_OK)
		e = keep(m->masa_password, &x->password);
	if (e == MST_OK)
		e = load_credential(x, a, m);
	if (e != MST_OK) {
		access_free(x);
		return e;
	}
	*out = x;
	return MST_OK;
}

static struct masa_access *
access_find(struct registrar *r, int64_t manufacturer, int64_t generation)
{
	struct masa_access *x;

	for (x = r->access; x != NULL; x = x->next)
		if (x->manufacturer == manufacturer && x->generation == generation)
			break;
	return x;
}

/* The row as it is now: it may be newer than the verdict that led here. */
static mst_err
access_load(struct registrar *r, const struct manufacturer *m, struct masa_access **out)
{
	struct arena *a = arena_new(16 << 20);
	struct manufacturer now;
	mst_err e = MST_E_NOMEM;

	if (a == NULL ||
	    (e = manufacturer_get(store_reader(r->c.store), a, m->name, &now)) != MST_OK)
		goto out;
	e = MST_E_NOT_FOUND;
	if (now.id != m->id)
		goto out;
	e = MST_OK;
	if ((*out = access_find(r, now.id, now.generation)) == NULL &&
	    (e = access_new(a, &now, out)) == MST_OK) {
		(*out)->next = r->access;
		r->access = *out;
	}
out:
	arena_free(a);
	return e;
}

/* Former generations are kept: a call under way may still use their anchors. */
mst_err
masa_access(struct registrar *r, const struct manufacturer *m, struct masa_access **out)
{
	struct masa_access *x;
	mst_err e = MST_OK;

	pthread_mutex_lock(&r->access_lock);
	if ((x = access_find(r, m->id, m->generation)) == NULL)
		e = access_load(r, m, &x);
	pthread_mutex_unlock(&r->access_lock);
	if (e == MST_OK)
		*out = x;
	return e;
}

void
masa_access_free(struct registrar *r)
{
	struct masa_access *next;

	for (struct masa_access *x = r->access; x != NULL; x = next) {
		next = x->next;
		access_free(x);
	}
	r->access = NULL;
}

static mst_err
make_url(char *out, size_t cap, const struct masa_request *q)
{
	size_t n = strlen(q->base);
	int len;

	if (q->path == NULL) {
		len = snprintf(out, cap, "%s", q->base);
	} else {
		if (n != 0 && q->base[n - 1] == '/')
			n--;
		len = snprintf(out, cap, "%.*s/%s", (int)n, q->base, q->path);
	}
	return len >= 0 && (size_t)len < cap ? MST_OK : MST_E_MASA_NOT_ALLOWED;
}

mst_err
masa_call(struct registrar *r, struct net_loop *l, const struct masa_request *q, net_call_done done,
    void *arg)
{
	struct masa_access *x;
	char url[2048];
	mst_err e;

	if ((e = make_url(url, sizeof url, q)) != MST_OK ||
	    (e = masa_access(r, q->m, &x)) != MST_OK)
		return e;
	struct net_call call = { .url = url,
		.method = q->path != NULL ? "POST" : "GET",
		.content_type = q->path != NULL ? mst_media_type(q->media) : NULL,
		.accept = q->accept,
		.trace = q->trace,
		.body = q->path != NULL ? q->rvr : MST_NONE,
		.anchors = x->tls,
		.cert = x->cert != NULL ? x->cert : r->c.tls_cert,
		.key = x->cert != NULL ? x->key : r->c.tls_key,
		.chain = x->cert != NULL ? x->certs : r->c.tls_chain,
		.user = x->user,
		.password = x->password,
		.timeout_ms = r->c.masa_timeout_ms,
		.limit = ANSWER_BYTES,
		.pool = x->pool,
		.pool_limit = r->c.masa_concurrency };
	net_call_start(l, &call, done, arg);
	return MST_OK;
}

/*
 * HT-2: a refusal keeps its class on the way to the pledge, and of RFC 8995
 * 5.6's own statuses its number; the MASA's words stay in the timeline. 401 is
 * about this site's credentials (5.4.1), not about the pledge, and so no 4xx.
 */
static mst_err
refusal_of(int status)
{
	if (status == 401 || status == 407)
		return MST_E_MASA_AUTH;
	if (status == 404 || status == 410)
		return MST_E_MASA_UNKNOWN;
	if (status == 406 || status == 415)
		return MST_E_MASA_MEDIA;
	if (status >= 400 && status <= 499)
		return MST_E_MASA_REJECTED;
	/* A redirection is never followed; 1xx and other 2xx are no answers. */
	return status >= 500 ? MST_E_MASA_UNREACHABLE : MST_E_MASA_FORMAT;
}

mst_err
masa_answer_judge(struct arena *a, const struct net_answer *answer, const char **words)
{
	metric_add("muster_masa_requests_total",
	    answer->err != MST_OK   ? "outcome=\"no answer\""
	    : answer->status == 200 ? "outcome=\"accepted\""
	                            : "outcome=\"refused\"",
	    1);
	if (answer->err != MST_OK) {
		*words =
		    arena_printf(a, "MASA: %s", answer->why != NULL ? answer->why : "no answer");
		if (answer->err == MST_E_HTTP_BODY_LIMIT)
			return MST_E_MASA_FORMAT;
		if (answer->err == MST_E_MASA_URL)
			return MST_E_MASA_NOT_ALLOWED;
		return answer->err == MST_E_TIMEOUT ? MST_E_MASA_UNREACHABLE : answer->err;
	}
	*words = arena_printf(a, "MASA answered %d: %s", answer->status,
	    answer->body.len != 0 ? registrar_quote(a, answer->body, WORDS_MOST) : "");
	if (answer->status == 200)
		return MST_OK;
	if (answer->status == 202 || answer->status == 429 || answer->status == 503)
		return MST_E_MASA_BUSY;
	return refusal_of(answer->status);
}
