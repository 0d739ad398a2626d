/* SPDX-License-Identifier: Apache-2.0 */
/* Answers, byte for byte as est.md H2 to H7 want them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/crypto.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/metrics.h"
#include "server/net/net_internal.h"

#define HEAD_MAX 1000 /* est.md H4: what strongSwan reads at once */
#define WAIT_PENDING 10 /* seconds of Retry-After, when the caller has no opinion */
#define WAIT_OVERLOAD 30

static const char *
reason_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} table[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (table[i].status == status)
			return table[i].phrase;
	return "Answer"; /* RFC 9112 4: a client should ignore it anyway */
}

/* --- the head --- */

struct text {
	char bytes[HEAD_MAX]; /* the last two are kept for the empty line */
	size_t len;
	bool full;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	size_t room = sizeof t->bytes - 2 - t->len;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->bytes + t->len, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		t->full = true;
	else
		t->len += (size_t)n;
}

/* RFC 9110 6.6.1; made once a second. */
static const char *
date(struct net_loop *l)
{
	int64_t now = clock_wall();
	time_t t = (time_t)now;
	struct tm tm;

	if (now != l->date_at || l->date[0] == '\0') {
		gmtime_r(&t, &tm);
		strftime(l->date, sizeof l->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		l->date_at = now;
	}
	return l->date;
}

/* A value must not become a second header (RFC 9110 5.5). */
static bool
is_one_line(const char *s)
{
	for (; *s != '\0'; s++)
		if ((uint8_t)*s < ' ' && *s != '\t')
			return false;
	return true;
}

static void
put_headers(struct text *t, const struct answer *a)
{
	for (size_t i = 0; i < a->header_count; i++) {
		const struct net_header *h = &a->headers[i];
		size_t before = t->len;

		if (is_one_line(h->name) && is_one_line(h->value))
			put(t, "%s: %s\r\n", h->name, h->value);
		else
			log_line(LOG_ERROR_, "an answer's header %.40s was left out", h->name);
		if (t->full) { /* H4 before completeness */
			t->len = before;
			t->full = false;
			log_line(LOG_ERROR_, "an answer's header %.40s was too long", h->name);
		}
	}
}

/* Content-Type first: clients that look at fixed places exist. Canonical case, est.md H3. */
static void
put_head(struct text *t, struct request *r, const struct answer *a, size_t length)
{
	put(t, "HTTP/1.1 %d %s\r\n", a->status, reason_phrase(a->status));
	if (a->type != NULL && length > 0 && is_one_line(a->type))
		put(t, "Content-Type: %s\r\n", a->type);
	if (a->status != 204) /* RFC 9110 8.6 */
		put(t, "Content-Length: %zu\r\n", length);
	put(t, "Date: %s\r\n", date(r->pub.loop));
	put(t, "X-Request-Id: %s\r\n", r->pub.id);
	if (r->conn->close_after)
		put(t, "Connection: close\r\n");
	put_headers(t, a);
	memcpy(t->bytes + t->len, "\r\n", 2);
	t->len += 2;
}

/* --- sending --- */

static void
count(const struct request *r, int status)
{
	static const char *const words[] = { "GET", "POST", "HEAD", "other" };
	const struct listener *ls = r->conn->ls;
	char labels[200];

	snprintf(labels, sizeof labels, "%s,method=\"%s\",status=\"%d\"", ls->labels,
	    words[r->is_head ? NET_HEAD : r->pub.method], status);
	metric_add("muster_http_requests_total", labels, 1);
	if (r->route != NULL)
		metric_observe("muster_http_request_seconds", r->route->labels,
		    (double)(clock_mono_us() - r->pub.started_us) / 1e6);
}

/* libevent has sent it: it may hold a device's key (est.md G4). */
static void
wipe_sent(const void *bytes, size_t len, void *arg)
{
	(void)bytes;
	mst_wipe(arg, len);
	free(arg);
}

/* Head and body in one chain: one SSL_write, one record (est.md H4). NULL: out of memory. */
static struct evbuffer *
put_together(const struct text *head, mst_span body)
{
	struct evbuffer *out = evbuffer_new();
	size_t len = head->len + body.len;
	uint8_t *all = malloc(len);

	if (out == NULL || all == NULL)
		goto fail;
	memcpy(all, head->bytes, head->len);
	if (body.len != 0)
		memcpy(all + head->len, body.ptr, body.len);
	if (evbuffer_add_reference(out, all, len, wipe_sent, all) == 0)
		return out;
	mst_wipe(all, len);
fail:
	free(all);
	if (out != NULL)
		evbuffer_free(out);
	return NULL;
}

static void
answer(struct request *r, const struct answer *a)
{
	struct conn *c = r->conn;
	struct evbuffer *out;
	size_t length = a->status == 202 || a->status == 204 ? 0 : a->body.len; /* est.md H7 */
	struct text t = { .len = 0 };

	if (r->exchange != NULL) {
		coap_answer(r, a);
		return;
	}
	if (c == NULL) { /* net_free has taken the connection */
		request_free(r);
		return;
	}
	count(r, a->status);
	put_head(&t, r, a, length);
	out = put_together(
	    &t, r->is_head || length == 0 ? MST_NONE : mst_span_of(a->body.ptr, length));
	request_free(r);
	conn_answer(c, out);
	if (out != NULL)
		evbuffer_free(out);
}

void
net_reply(struct net_request *rq, int status, const char *content_type, mst_span body,
    const struct net_header *headers, size_t header_count)
{
	answer((struct request *)(void *)rq,
	    &(struct answer){ status, content_type, body, headers, header_count, MST_OK, -1 });
}

/* --- decisions --- */

static void
say(const struct net_request *rq, enum step step, mst_err e, const char *detail)
{
	const struct request *r = (const struct request *)(const void *)rq;

	log_decision(&(struct decision){ .role = r->conn != NULL       ? r->conn->ls->name
	                                         : r->exchange != NULL ? coap_role(r->exchange)
	                                                               : "net",
	    .step = step,
	    .err = e,
	    .trace = rq->trace,
	    .request = rq->id,
	    .serial = rq->serial,
	    .manufacturer = rq->manufacturer,
	    .peer = r->conn != NULL || r->exchange != NULL ? rq->peer->address : NULL,
	    .detail = detail,
	    .us = clock_mono_us() - rq->started_us });
}

void
net_accept(struct net_request *rq, enum step step, const char *detail)
{
	say(rq, step, MST_OK, detail);
}

/* RFC 8995 5.2, 5.5 and 7030 3.5 (est.md L7): no second try on the same connection. */
static bool
ends_connection(mst_err e)
{
	return e == MST_E_PVR_ASSERTION || e == MST_E_PVR_PROXIMITY || e == MST_E_CSR_BINDING;
}

static size_t
put_allow(char *out, size_t cap, unsigned methods)
{
	static const struct {
		enum net_method method;
		const char *word;
	} all[] = { { NET_GET, "GET" }, { NET_HEAD, "HEAD" }, { NET_POST, "POST" } };
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < 3; i++)
		if ((methods & 1U << all[i].method) != 0)
			n += (size_t)snprintf(
			    out + n, cap - n, "%s%s", n > 0 ? ", " : "", all[i].word);
	return n;
}

static void
refuse(struct net_request *rq, enum step step, mst_err e, long wait, const char *detail)
{
	struct request *r = (struct request *)(void *)rq;
	const struct mst_err_info *info = mst_err_info(e);
	struct net_header headers[2];
	char seconds[24], allow[24], text[512];
	size_t n = 0;
	int len;

	say(rq, step, e, detail);
	if (ends_connection(e))
		net_close_after(rq);
	if (wait < 0 && info->http == 202)
		wait = WAIT_PENDING;
	else if (wait < 0 && (info->http == 429 || info->http == 503))
		wait = WAIT_OVERLOAD;
	if (wait >= 0) {
		snprintf(seconds, sizeof seconds, "%ld", wait);
		headers[n++] = (struct net_header){ "Retry-After", seconds };
	}
	if (e == MST_E_HTTP_METHOD && put_allow(allow, sizeof allow, r->allowed) > 0)
		headers[n++] = (struct net_header){ "Allow", allow };
	if (e == MST_E_HTTP_AUTH) /* RFC 9110 15.5.2 */
		headers[n++] = (struct net_header){ "WWW-Authenticate", "Basic realm=\"muster\"" };
	len =
	    snprintf(text, sizeof text, "%s %s (request %s)\n", info->code, info->sentence, rq->id);
	answer(r, &(struct answer){ info->http, "text/plain; charset=utf-8",
	              mst_span_of(text, len > 0 ? (size_t)len : 0), headers, n, e, wait });
}

void
net_refuse(struct net_request *rq, enum step step, mst_err e, const char *detail)
{
	refuse(rq, step, e, -1, detail);
}

void
net_wait(struct net_request *rq, enum step step, mst_err e, long retry_after, const char *detail)
{
	refuse(rq, step, e, retry_after < 0 ? 0 : retry_after, detail);
}

void
net_close_after(struct net_request *rq)
{
	struct request *r = (struct request *)(void *)rq;

	if (r->conn != NULL)
		r->conn->close_after = true;
	else if (r->exchange != NULL)
		coap_close_after(r->exchange);
}

bool
net_is_type(const char *content_type, const char *type)
{
	size_t n = strlen(type);

	if (content_type == NULL || strncasecmp(content_type, type, n) != 0)
		return false;
	content_type += n;
	content_type += strspn(content_type, " \t");
	return *content_type == '\0' || *content_type == ';';
}

/* --- channel binding --- */

#define TLS_UNIQUE 12
#define TLS_EXPORTER 32

mst_err
net_binding(struct net_request *rq, struct mst_buf *out)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	const struct request *r = (const struct request *)(const void *)rq;
	SSL *ssl = r->conn != NULL || r->exchange != NULL ? rq->peer->ssl : NULL;
	uint8_t value[64];
	size_t n;

	if (ssl == NULL)
		return MST_E_UNSUPPORTED;
	/* Version first: SSL_get_finished answers on 1.3 too, with something else (L5). */
	if (SSL_version(ssl) == TLS1_3_VERSION) { /* RFC 9266 2: an empty context, present */
		n = TLS_EXPORTER;
		if (SSL_export_keying_material(ssl, value, n, label, sizeof label - 1,
		        (const unsigned char *)"", 0, 1) != 1)
			return MST_E_UNSUPPORTED;
	} else {
		/* RFC 9266 4.2 and RFC 7627: without EMS tls-unique proves nothing (L3). */
		if ((SSL_version(ssl) != TLS1_2_VERSION && SSL_version(ssl) != DTLS1_2_VERSION) ||
		    SSL_get_extms_support(ssl) != 1)
			return MST_E_UNSUPPORTED;
		/* RFC 5929 3.1: the first Finished; in a resumed handshake that is the server's. */
		n = SSL_session_reused(ssl) ? SSL_get_finished(ssl, value, sizeof value)
		                            : SSL_get_peer_finished(ssl, value, sizeof value);
		if (n != TLS_UNIQUE)
			return MST_E_UNSUPPORTED;
	}
	out->len = 0;
	return mst_buf_put(out, mst_span_of(value, n));
}
