/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to MASAs: libcurl's multi interface on the loop's own event base.
 *
 * A pool is one multi handle, so one set of kept-alive connections. libcurl
 * picks a kept connection by host and by the options it knows; what our
 * SSL_CTX callback installs (anchors, client credential) it does not know. So
 * everything that this callback installs belongs to the pool, and calls with
 * another trust get another pool even under the same name.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <openssl/x509v3.h>

#include "host/clock.h"
#include "host/log.h"
#include "server/net/net_internal.h"

#define CONNECT_MS 10000
#define QUEUE_PER_SLOT 16
#define DEFAULT_SLOTS 8
#define HEADERS_MAX 65536
#define POOL_IDLE_US (600LL * 1000000)

struct call {
	struct call *next; /* in the queue, among the active or the failed */
	struct call_pool *pool;
	struct net_loop *loop;
	CURL *easy;
	struct curl_slist *headers;
	char *host; /* as the certificate must name it */
	uint8_t *body;
	uint8_t *answer;
	size_t len, cap, limit, header_bytes;
	bool over;
	char *location;
	bool has_retry_after;
	char error[CURL_ERROR_SIZE];
	int64_t deadline_us;
	struct net_timer *timer; /* while it queues */
	mst_err error_code; /* what to report when it never started */
	const char *why;
	net_call_done done;
	void *arg;
};

struct call_pool {
	struct call_pool *next;
	struct net_loop *loop;
	char *name;
	bool system; /* WebPKI */
	STACK_OF(X509) *anchors, *chain;
	X509 *cert;
	EVP_PKEY *key;
	X509_STORE *store;
	CURLM *multi;
	struct event *timer;
	struct call *active, *first, **last;
	unsigned running, queued, slots, busy;
	int64_t used_us;
};

/* A socket of libcurl and the event that watches it. */
struct watch {
	struct event event;
	struct call_pool *pool;
};

static void pool_fill(struct call_pool *p);

/* --- the end of a call --- */

static void
call_free(struct call *k)
{
	net_cancel(k->timer);
	if (k->easy != NULL)
		curl_easy_cleanup(k->easy);
	curl_slist_free_all(k->headers);
	curl_free(k->host);
	free(k->body);
	free(k->answer);
	free(k->location);
	free(k);
}

static void
call_fail(struct call *k, mst_err e, const char *why)
{
	k->done(k->arg, &(struct net_answer){ .err = e, .retry_after = -1, .why = why });
	call_free(k);
}

static void
fail_all(void *arg)
{
	struct net_loop *l = arg;
	struct call *k;

	while ((k = l->failed) != NULL) {
		l->failed = k->next;
		call_fail(k, k->error_code, k->why);
	}
}

/* done is promised to come later, never from inside net_call_start. */
static void
fail_later(struct call *k, mst_err e, const char *why)
{
	k->error_code = e;
	k->why = why;
	k->next = k->loop->failed;
	k->loop->failed = k;
	if (k->next == NULL)
		net_post(k->loop, fail_all, k->loop);
}

static mst_err
error_of(const struct call *k, CURLcode code)
{
	if (k->over)
		return MST_E_HTTP_BODY_LIMIT;
	switch ((int)code) {
	case CURLE_OK: return MST_OK;
	case CURLE_OPERATION_TIMEDOUT: return MST_E_TIMEOUT;
	case CURLE_FILESIZE_EXCEEDED: return MST_E_HTTP_BODY_LIMIT;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT: return MST_E_MASA_URL;
	case CURLE_OUT_OF_MEMORY: return MST_E_NOMEM;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT: return MST_E_MASA_TLS;
	default: return MST_E_MASA_UNREACHABLE;
	}
}

static void
call_finish(struct call *k, CURLcode code)
{
	struct net_answer a = { .err = error_of(k, code), .retry_after = -1 };
	long status = 0;
	curl_off_t wait = 0;
	char *type = NULL;

	if (a.err == MST_OK) {
		curl_easy_getinfo(k->easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(k->easy, CURLINFO_CONTENT_TYPE, &type);
		curl_easy_getinfo(k->easy, CURLINFO_RETRY_AFTER, &wait);
		a.status = (int)status;
		a.content_type = type;
		a.location = k->location;
		a.body = k->len > 0 ? mst_span_of(k->answer, k->len) : MST_LIT("");
		if (k->has_retry_after)
			a.retry_after = (int64_t)wait;
	} else {
		a.why = k->error[0] != '\0' ? k->error : curl_easy_strerror(code);
	}
	k->done(k->arg, &a);
	call_free(k);
}

static void
unlink_active(struct call_pool *p, struct call *k)
{
	struct call **at = &p->active;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	p->running--;
	curl_multi_remove_handle(p->multi, k->easy);
}

/* --- libcurl and libevent --- */

static void
pool_reap(struct call_pool *p)
{
	CURLMsg *m;
	struct call *k;
	CURLcode code;
	int left;

	p->busy++;
	while ((m = curl_multi_info_read(p->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		code = m->data.result; /* m dies with its handle */
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&k);
		unlink_active(p, k);
		call_finish(k, code);
	}
	pool_fill(p);
	p->used_us = clock_mono_us();
	p->busy--;
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;
	struct call_pool *p = w->pool; /* w may be freed inside */
	int bits = ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
	           ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(p->multi, fd, bits, &running);
	pool_reap(p);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct call_pool *p = arg;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	pool_reap(p);
}

static int
on_socket(CURL *easy, curl_socket_t s, int what, void *userp, void *socketp)
{
	struct call_pool *p = userp;
	struct watch *w = socketp;
	short events;

	(void)easy;
	if (w != NULL)
		event_del(&w->event);
	if (what == CURL_POLL_REMOVE) {
		free(w);
		curl_multi_assign(p->multi, s, NULL);
		return 0;
	}
	if (w == NULL) {
		if ((w = calloc(1, sizeof *w)) == NULL)
			return -1;
		w->pool = p;
		curl_multi_assign(p->multi, s, w);
	}
	events = (short)(((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
	                 ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0) | EV_PERSIST);
	event_assign(&w->event, p->loop->base, s, events, on_ready, w);
	return event_add(&w->event, NULL);
}

static int
on_timer(CURLM *multi, long ms, void *userp)
{
	struct call_pool *p = userp;

	(void)multi;
	if (ms < 0)
		return evtimer_del(p->timer);
	return event_add(p->timer, &(struct timeval){ ms / 1000, (ms % 1000) * 1000 });
}

/* --- what a transfer calls --- */

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct call *k = arg;
	size_t cap;
	uint8_t *bigger;

	n *= size;
	if (n > k->limit - k->len) {
		k->over = true;
		return 0;
	}
	if (k->len + n > k->cap) {
		cap = (k->len + n) * 2 < k->limit ? (k->len + n) * 2 : k->limit;
		if ((bigger = realloc(k->answer, cap)) == NULL)
			return 0;
		k->answer = bigger;
		k->cap = cap;
	}
	memcpy(k->answer + k->len, data, n);
	k->len += n;
	return n;
}

static bool
is_field(const char *line, size_t len, const char *name)
{
	size_t n = strlen(name);

	return len > n && line[n] == ':' && strncasecmp(line, name, n) == 0;
}

static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	struct call *k = arg;
	size_t from = sizeof "location:" - 1;

	n *= size;
	k->header_bytes += n;
	if (k->header_bytes > HEADERS_MAX) {
		k->over = true;
		return 0;
	}
	if (is_field(line, n, "retry-after"))
		k->has_retry_after = true;
	if (is_field(line, n, "location")) {
		size_t end = n;

		while (from < end && (line[from] == ' ' || line[from] == '\t'))
			from++;
		while (end > from && (uint8_t)line[end - 1] <= ' ')
			end--;
		free(k->location);
		k->location = strndup(line + from, end - from);
	}
	return n;
}

/*
 * TLS-6: verification is ours and mandatory; RFC 9525 6.3: the name comes from
 * subjectAltName, never from the subject, where libcurl alone would look too.
 */
static mst_err
demand_name(SSL_CTX *ctx, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
	struct in6_addr any;
	char bare[64];
	size_t n = strlen(host);

	if (host[0] == '[' && n > 2 && n - 2 < sizeof bare) {
		memcpy(bare, host + 1, n - 2);
		bare[n - 2] = '\0';
		return X509_VERIFY_PARAM_set1_ip_asc(param, bare) == 1 ? MST_OK : MST_E_MASA_URL;
	}
	if (inet_pton(AF_INET, host, &any) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1 ? MST_OK : MST_E_MASA_URL;
	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 ? MST_OK : MST_E_MASA_URL;
}

static CURLcode
on_tls(CURL *easy, void *sslctx, void *arg)
{
	struct call *k = arg;
	struct call_pool *p = k->pool;
	SSL_CTX *ctx = sslctx;

	(void)easy;
	SSL_CTX_set1_cert_store(ctx, p->store);
	if (demand_name(ctx, k->host) != MST_OK)
		return CURLE_SSL_CERTPROBLEM;
	if (p->cert == NULL)
		return CURLE_OK;
	if (SSL_CTX_use_certificate(ctx, p->cert) != 1 || SSL_CTX_use_PrivateKey(ctx, p->key) != 1)
		return CURLE_SSL_CERTPROBLEM;
	for (int i = 0; i < sk_X509_num(p->chain); i++)
		if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(p->chain, i)) != 1)
			return CURLE_OUT_OF_MEMORY;
	return CURLE_OK;
}

/* --- pools --- */

static bool
same_certs(const STACK_OF(X509) *a, const STACK_OF(X509) *b)
{
	int n = sk_X509_num(a);

	if (a == NULL || b == NULL)
		return (a == NULL || n == 0) && (b == NULL || sk_X509_num(b) == 0);
	if (n != sk_X509_num(b))
		return false;
	for (int i = 0; i < n; i++)
		/* The pool holds references, so an equal address is the same certificate. */
		if (sk_X509_value(a, i) != sk_X509_value(b, i))
			return false;
	return true;
}

static const STACK_OF(X509) *
anchors_of(const struct net_call *c)
{
	return c->anchors != NULL ? anchors_certs(c->anchors) : NULL;
}

static bool
pool_fits(const struct call_pool *p, const char *name, const struct net_call *c)
{
	return strcmp(p->name, name) == 0 && p->system == (c->anchors == NULL) &&
	       same_certs(p->anchors, anchors_of(c)) && p->cert == c->cert && p->key == c->key &&
	       same_certs(p->chain, c->chain);
}

static void
pool_free(struct call_pool *p)
{
	if (p->multi != NULL)
		curl_multi_cleanup(p->multi);
	if (p->timer != NULL)
		event_free(p->timer);
	sk_X509_pop_free(p->anchors, X509_free);
	sk_X509_pop_free(p->chain, X509_free);
	X509_free(p->cert);
	EVP_PKEY_free(p->key);
	X509_STORE_free(p->store);
	free(p->name);
	free(p);
}

static X509_STORE *
make_store(const struct call_pool *p)
{
	X509_STORE *s = X509_STORE_new();
	bool ok = s != NULL && X509_STORE_set_flags(s, X509_V_FLAG_PARTIAL_CHAIN) == 1;

	if (ok && p->system)
		ok = X509_STORE_set_default_paths(s) == 1;
	for (int i = 0; ok && i < sk_X509_num(p->anchors); i++)
		ok = X509_STORE_add_cert(s, sk_X509_value(p->anchors, i)) == 1;
	if (ok)
		return s;
	X509_STORE_free(s);
	return NULL;
}

static bool
copy_certs(const STACK_OF(X509) *from, STACK_OF(X509) **to)
{
	*to = NULL;
	/* chain_up_ref takes no const, though it only counts references. */
	return from == NULL || (*to = X509_chain_up_ref((STACK_OF(X509) *)from)) != NULL;
}

static bool
pool_open(struct call_pool *p, const struct net_call *c)
{
	if (!copy_certs(anchors_of(c), &p->anchors) || !copy_certs(c->chain, &p->chain))
		return false;
	if (c->cert != NULL) {
		X509_up_ref(c->cert);
		p->cert = c->cert;
	}
	if (c->key != NULL) {
		EVP_PKEY_up_ref(c->key);
		p->key = c->key;
	}
	p->store = make_store(p);
	p->multi = curl_multi_init();
	p->timer = evtimer_new(p->loop->base, on_time, p);
	if (p->store == NULL || p->multi == NULL || p->timer == NULL)
		return false;
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
	return true;
}

/* The concurrency is promised for the daemon; each loop has its share, at least one. */
static unsigned
share_of(const struct net_loop *l, unsigned limit)
{
	unsigned n = (limit > 0 ? limit : DEFAULT_SLOTS) / l->net->count;

	return n > 0 ? n : 1;
}

static void
drop_idle_pools(struct net_loop *l)
{
	int64_t now = clock_mono_us();

	for (struct call_pool **at = &l->pools; *at != NULL;) {
		struct call_pool *p = *at;

		if (p->busy == 0 && p->running == 0 && p->queued == 0 &&
		    now - p->used_us > POOL_IDLE_US) {
			*at = p->next;
			pool_free(p);
		} else {
			at = &p->next;
		}
	}
}

static struct call_pool *
pool_get(struct net_loop *l, const struct net_call *c)
{
	const char *name = c->pool != NULL ? c->pool : "";
	struct call_pool *p;

	for (p = l->pools; p != NULL; p = p->next)
		if (pool_fits(p, name, c))
			break;
	if (p == NULL) {
		drop_idle_pools(l);
		if ((p = calloc(1, sizeof *p)) == NULL)
			return NULL;
		p->loop = l;
		p->last = &p->first;
		p->system = c->anchors == NULL;
		if ((p->name = strdup(name)) == NULL || !pool_open(p, c)) {
			pool_free(p);
			return NULL;
		}
		p->next = l->pools;
		l->pools = p;
	}
	p->slots = share_of(l, c->pool_limit);
	p->used_us = clock_mono_us();
	curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)p->slots);
	return p;
}

/* --- starting --- */

static bool
add_header(struct call *k, const char *name, const char *value)
{
	char line[1024];
	struct curl_slist *more;
	int n;

	if (value == NULL)
		return true;
	n = snprintf(line, sizeof line, "%s: %s", name, value);
	if (n < 0 || (size_t)n >= sizeof line || strpbrk(line, "\r\n") != NULL)
		return false;
	if ((more = curl_slist_append(k->headers, line)) == NULL)
		return false;
	k->headers = more;
	return true;
}

static bool
add_headers(struct call *k, const struct net_call *c)
{
	struct curl_slist *more;

	if (!add_header(k, "Content-Type", c->content_type) ||
	    !add_header(k, "Accept", c->accept) || !add_header(k, "X-Muster-Trace", c->trace))
		return false;
	/* No 100-continue: it costs a round trip, and libcurl a second when unanswered. */
	if ((more = curl_slist_append(k->headers, "Expect:")) == NULL)
		return false;
	k->headers = more;
	return true;
}

/* https with a host, nothing that libcurl would read as credentials. */
static bool
take_url(struct call *k, const char *url)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *user = NULL;
	bool ok = u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	          curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	          strcmp(scheme, "https") == 0 &&
	          curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER &&
	          curl_url_get(u, CURLUPART_HOST, &k->host, 0) == CURLUE_OK;

	curl_free(scheme);
	curl_free(user);
	curl_url_cleanup(u);
	return ok;
}

static void
set_options(struct call *k, const struct net_call *c)
{
	CURL *e = k->easy;

	curl_easy_setopt(e, CURLOPT_URL, c->url);
	curl_easy_setopt(e, CURLOPT_PRIVATE, k);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, k->error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "muster/" MUSTER_VERSION);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, k->headers);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, k);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, k);
	if (strcmp(c->method, "POST") == 0) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.len);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, k->body);
	} else if (strcmp(c->method, "GET") != 0) {
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, c->method);
	}
	if (c->user != NULL) { /* RFC 8995 5.4.1; the server is verified by then */
		curl_easy_setopt(e, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		curl_easy_setopt(e, CURLOPT_USERNAME, c->user);
		curl_easy_setopt(e, CURLOPT_PASSWORD, c->password != NULL ? c->password : "");
	}
}

/* Where a call may go and whom it trusts: nothing from the environment, no redirect. */
static bool
set_bounds(struct call *k)
{
	CURL *e = k->easy;

	return curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_NOPROXY, "*") == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L) == CURLE_OK &&
	       /* Else libcurl reads the system's whole bundle for every new connection. */
	       curl_easy_setopt(e, CURLOPT_CAINFO, NULL) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_tls) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, k) == CURLE_OK;
}

static void
call_begin(struct call_pool *p, struct call *k)
{
	int64_t left = (k->deadline_us - clock_mono_us()) / 1000;

	net_cancel(k->timer);
	k->timer = NULL;
	if (left <= 0) {
		fail_later(k, MST_E_TIMEOUT, "it waited too long for its turn");
		return;
	}
	curl_easy_setopt(k->easy, CURLOPT_TIMEOUT_MS, (long)left);
	curl_easy_setopt(
	    k->easy, CURLOPT_CONNECTTIMEOUT_MS, left < CONNECT_MS ? (long)left : CONNECT_MS);
	k->next = p->active;
	p->active = k;
	p->running++;
	if (curl_multi_add_handle(p->multi, k->easy) != CURLM_OK) {
		unlink_active(p, k);
		fail_later(k, MST_E_NOMEM, "libcurl did not take the call");
	}
}

/* Give free slots to those who wait. */
static void
pool_fill(struct call_pool *p)
{
	struct call *k;

	while (!p->loop->ending && p->running < p->slots && (k = p->first) != NULL) {
		p->first = k->next;
		if (p->first == NULL)
			p->last = &p->first;
		p->queued--;
		call_begin(p, k);
	}
}

static void
queue_expired(void *arg)
{
	struct call *k = arg;
	struct call_pool *p = k->pool;
	struct call **at = &p->first;

	k->timer = NULL; /* it has fired */
	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	if (*at == NULL)
		p->last = at;
	p->queued--;
	call_fail(k, MST_E_TIMEOUT, "it waited too long for its turn");
}

static void
call_queue(struct call_pool *p, struct call *k, long timeout_ms)
{
	if (p->queued >= p->slots * QUEUE_PER_SLOT) {
		fail_later(k, MST_E_MASA_BUSY, "too many calls wait already");
		return;
	}
	if ((k->timer = net_after(k->loop, timeout_ms, queue_expired, k)) == NULL) {
		fail_later(k, MST_E_NOMEM, NULL);
		return;
	}
	k->next = NULL;
	*p->last = k;
	p->last = &k->next;
	p->queued++;
}

static bool
call_prepare(struct call *k, const struct net_call *c)
{
	if (c->body.len > 0) {
		if ((k->body = malloc(c->body.len)) == NULL)
			return false;
		memcpy(k->body, c->body.ptr, c->body.len);
	} else if ((k->body = calloc(1, 1)) == NULL) {
		return false;
	}
	if ((k->easy = curl_easy_init()) == NULL || !add_headers(k, c))
		return false;
	set_options(k, c);
	return set_bounds(k);
}

void
net_call_start(struct net_loop *l, const struct net_call *c, net_call_done done, void *arg)
{
	struct call *k = calloc(1, sizeof *k);

	if (k == NULL) {
		/* done cannot be kept for later, and calling it now breaks the contract. */
		log_line(LOG_ERROR_, "out of memory while starting a call");
		abort();
	}
	k->loop = l;
	k->done = done;
	k->arg = arg;
	k->limit = c->limit;
	k->deadline_us = clock_mono_us() + c->timeout_ms * 1000;
	if (l->ending)
		fail_later(k, MST_E_CANCELLED, "the daemon ends");
	else if (!take_url(k, c->url))
		fail_later(k, MST_E_MASA_URL, "not an https URL");
	else if (!call_prepare(k, c) || (k->pool = pool_get(l, c)) == NULL)
		fail_later(k, MST_E_NOMEM, "the call could not be prepared");
	else if (k->pool->running < k->pool->slots)
		call_begin(k->pool, k);
	else
		call_queue(k->pool, k, c->timeout_ms);
}

/* net_free: every call that runs or waits ends as cancelled. */
void
calls_end(struct net_loop *l)
{
	struct call_pool *p;
	struct call *k;

	while ((p = l->pools) != NULL) {
		while ((k = p->active) != NULL) {
			unlink_active(p, k);
			call_fail(k, MST_E_CANCELLED, "the daemon ends");
		}
		while ((k = p->first) != NULL) {
			p->first = k->next;
			call_fail(k, MST_E_CANCELLED, "the daemon ends");
		}
		l->pools = p->next;
		pool_free(p);
	}
	fail_all(l);
}
