/* SPDX-License-Identifier: Apache-2.0 */
#include "host/http.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "host/clock.h"
#include "host/http_tls.h"

#define HEADER_MAX_ (64 * 1024)
#define PATH_CAP 1024

struct http_client {
	struct http_options o;
	struct http_tls tls;
	CURL *curl;
	struct curl_slist *headers;
	char host[256];
	char error[CURL_ERROR_SIZE];

	/* The exchange under way. */
	bool may_open; /* a new connection is allowed */
	bool refused; /* one was wanted and not allowed */
	bool fresh; /* one was opened and its chain is not taken yet */
	long opened;
	mst_err err; /* what a callback of ours ended it for */
	http_first_fn first;
	void *first_arg;
	mst_span to_send;
	char path[PATH_CAP];
	uint8_t *body;
	size_t body_len, body_cap, limit, header_len;
	int64_t last_us; /* when a byte last moved */
	curl_off_t moved;
	int64_t stall_us; /* how long nothing may move */
	int64_t end_us; /* of the exchange, whatever moves; 0: TIMEOUT_MS alone */
};

static _Thread_local char why[512];

const char *
http_why(void)
{
	return why;
}

static mst_err
fail(mst_err e, const char *words)
{
	snprintf(why, sizeof(why), "%s", words);
	return e;
}

/* ---- callbacks of libcurl ---- */

static CURLcode
on_context(CURL *curl, void *ctx, void *arg)
{
	struct http_client *c = arg;

	(void)curl;
	return http_tls_context(&c->tls, ctx) == 0 ? CURLE_OK : CURLE_SSL_CONNECT_ERROR;
}

/* The only door to a new connection. */
static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http_client *c = arg;

	(void)purpose;
	if (!c->may_open) {
		c->refused = true;
		return CURL_SOCKET_BAD;
	}
	c->fresh = true;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct http_client *c = arg;

	(void)p;
	c->last_us = clock_mono_us();
	c->header_len += size * n;
	if (c->header_len > HEADER_MAX_) {
		c->err = fail(MST_E_HTTP_BODY_LIMIT, "the answer's header is too large");
		return 0;
	}
	return size * n;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_client *c = arg;
	size_t len = size * n, cap = c->body_cap;
	uint8_t *grown;

	c->last_us = clock_mono_us();
	if (len > c->limit - c->body_len) {
		c->err = fail(MST_E_HTTP_BODY_LIMIT, "the answer is larger than its limit");
		return 0;
	}
	while (cap - c->body_len < len)
		cap = cap == 0 ? 4096 : cap * 2;
	if (cap != c->body_cap) {
		if ((grown = realloc(c->body, cap)) == NULL) {
			c->err = fail(MST_E_NOMEM, "out of memory");
			return 0;
		}
		c->body = grown;
		c->body_cap = cap;
	}
	memcpy(c->body + c->body_len, p, len);
	c->body_len += len;
	return len;
}

static size_t
on_send(char *p, size_t size, size_t n, void *arg)
{
	struct http_client *c = arg;
	size_t len = size * n < c->to_send.len ? size * n : c->to_send.len;

	if (len > 0)
		memcpy(p, c->to_send.ptr, len);
	c->to_send = mst_span_of(len > 0 ? c->to_send.ptr + len : NULL, c->to_send.len - len);
	return len;
}

/* TLS-9: a peer that lets nothing move for so long. Connecting has its own limit. */
static int
on_progress(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow)
{
	struct http_client *c = arg;
	int64_t now = clock_mono_us();

	(void)dltotal;
	(void)ultotal;
	if (c->end_us != 0 && now >= c->end_us) {
		c->err = fail(MST_E_TIMEOUT, "the answer takes too long");
		return 1;
	}
	if (dlnow + ulnow != c->moved || c->last_us == 0 || c->fresh) {
		c->moved = dlnow + ulnow;
		c->last_us = now;
	} else if (now - c->last_us > c->stall_us) {
		c->err = fail(MST_E_TIMEOUT, "the server lets nothing move");
		return 1;
	}
	return 0;
}

static bool
is_clean(const char *s)
{
	for (; s != NULL && *s != '\0'; s++)
		if ((uint8_t)*s < 0x20 || (uint8_t)*s > 0x7e)
			return false;
	return true;
}

/* No line break can slip into a header, no space into the request line. */
static mst_err
request_check(const struct http_request *r)
{
	if (r->method == NULL || r->path == NULL ||
	    (strcmp(r->method, "GET") != 0 && strcmp(r->method, "POST") != 0))
		return fail(MST_E_USAGE, "the method is neither GET nor POST");
	if (r->path[0] != '/' || strlen(r->path) >= PATH_CAP || !is_clean(r->path) ||
	    strpbrk(r->path, " #") != NULL || !is_clean(r->content_type) || !is_clean(r->accept) ||
	    !is_clean(r->range) || !is_clean(r->if_range))
		return fail(MST_E_USAGE, "path or header with characters that do not belong there");
	if (r->body.len > 0 && strcmp(r->method, "GET") == 0)
		return fail(MST_E_USAGE, "a GET has no body");
	return MST_OK;
}

static mst_err
header_add(struct http_client *c, const char *name, const char *value)
{
	char line[512];
	struct curl_slist *list;
	int n;

	if (value == NULL)
		n = snprintf(line, sizeof(line), "%s:", name); /* libcurl: leave this header out */
	else
		n = snprintf(line, sizeof(line), "%s: %s", name, value);
	if (n < 0 || (size_t)n >= sizeof(line))
		return fail(MST_E_USAGE, "a header is too long");
	if ((list = curl_slist_append(c->headers, line)) == NULL)
		return fail(MST_E_NOMEM, "out of memory");
	c->headers = list;
	return MST_OK;
}

static mst_err
headers_set(struct http_client *c, const struct http_request *r)
{
	mst_err e;

	curl_slist_free_all(c->headers);
	c->headers = NULL;
	if ((e = header_add(c, "Expect", NULL)) != MST_OK ||
	    (e = header_add(c, "Content-Type", r->content_type)) != MST_OK ||
	    (e = header_add(c, "Accept", r->accept)) != MST_OK)
		return e;
	if (r->range != NULL && (e = header_add(c, "Range", r->range)) != MST_OK)
		return e;
	if (r->if_range != NULL && (e = header_add(c, "If-Range", r->if_range)) != MST_OK)
		return e;
	return c->o.trace != NULL ? header_add(c, "X-Muster-Trace", c->o.trace) : MST_OK;
}

/*
 * The request of http_begin is written when libcurl has already settled that
 * this is a POST of unknown length: so its length goes into a header of ours,
 * chunking is switched off, and method and path are overridden. (libcurl
 * reads these options when it writes the request; a test looks at the bytes.)
 */
static mst_err
first_set(struct http_client *c, const struct http_request *r)
{
	char length[32];
	mst_err e;

	if ((e = request_check(r)) != MST_OK || (e = headers_set(c, r)) != MST_OK ||
	    (e = header_add(c, "Transfer-Encoding", NULL)) != MST_OK)
		return e;
	snprintf(length, sizeof(length), "%zu", r->body.len);
	if (strcmp(r->method, "POST") == 0 &&
	    (e = header_add(c, "Content-Length", length)) != MST_OK)
		return e;
	c->to_send = r->body;
	snprintf(c->path, sizeof(c->path), "%s", r->path);
	if (curl_easy_setopt(c->curl, CURLOPT_REQUEST_TARGET, c->path) != CURLE_OK ||
	    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, r->method) != CURLE_OK ||
	    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers) != CURLE_OK)
		return fail(MST_E_NOMEM, "out of memory");
	return MST_OK;
}

/* TLS is done and nothing sent yet. */
static int
on_connected(void *arg, char *peer, char *self, int peer_port, int self_port)
{
	struct http_client *c = arg;
	const struct curl_tlssessioninfo *info = NULL;
	struct http_request r = { .method = NULL };

	(void)peer;
	(void)self;
	(void)peer_port;
	(void)self_port;
	c->last_us = clock_mono_us();
	if (c->fresh) {
		c->fresh = false;
		c->opened++;
		if (curl_easy_getinfo(c->curl, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK ||
		    info == NULL || info->internals == NULL ||
		    info->backend != CURLSSLBACKEND_OPENSSL) {
			c->err = fail(MST_E_UNSUPPORTED, "this libcurl is not built with OpenSSL");
			return CURL_PREREQFUNC_ABORT;
		}
		if ((c->err = http_tls_capture(&c->tls, info->internals)) != MST_OK) {
			fail(c->err, c->tls.why);
			return CURL_PREREQFUNC_ABORT;
		}
	}
	if (c->first != NULL) {
		http_first_fn fn = c->first;

		c->first = NULL;
		snprintf(why, sizeof(why), "the caller did not want this server");
		if ((c->err = fn(c->first_arg, &c->tls.chain, &r)) != MST_OK ||
		    (c->err = first_set(c, &r)) != MST_OK)
			return CURL_PREREQFUNC_ABORT;
	}
	return CURL_PREREQFUNC_OK;
}

/* ---- opening ---- */

static mst_err
options_check(const struct http_options *o)
{
	if (o->base == NULL || strncmp(o->base, "https://", 8) != 0 || !is_clean(o->base) ||
	    strpbrk(o->base + 8, "/@ #?") != NULL || o->base[8] == '\0')
		return fail(MST_E_USAGE, "the base must be https://host[:port]");
	if (o->trust == HTTP_ANCHORS && o->anchors == NULL)
		return fail(MST_E_USAGE, "trust anchors are needed");
	if ((o->cert == NULL) != (o->key == NULL))
		return fail(MST_E_USAGE, "client certificate and key go together");
	/* est.md T6: no HTTP authentication towards an unauthenticated server. */
	if (o->user != NULL && o->trust != HTTP_ANCHORS)
		return fail(MST_E_USAGE, "a password is only sent to a server verified by anchors");
	return MST_OK;
}

/* "https://[fe80::1%25eth0]:443" bears "fe80::1", "https://a.example:443" bears "a.example". */
static void
host_of(const char *base, char *out, size_t cap)
{
	const char *p = base + 8;
	size_t n = *p == '[' ? strcspn(++p, "%]") : strcspn(p, ":");

	snprintf(out, cap, "%.*s", (int)n, p);
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void
curl_start(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

#define SET(opt, value) ok = ok && curl_easy_setopt(h, (opt), (value)) == CURLE_OK

static int
set_transport(struct http_client *c, CURL *h)
{
	int ok = 1;

	SET(CURLOPT_ERRORBUFFER, c->error);
	SET(CURLOPT_URL, c->o.base);
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	SET(CURLOPT_MAXCONNECTS, 1L);
	/* A pledge waits up to a minute between polls, an operator longer: the server decides when
	 * it is over. */
	SET(CURLOPT_MAXAGE_CONN, 86400L);
	/* Our own verification stands in place of all of libcurl's sources of trust. */
	SET(CURLOPT_CAINFO, NULL);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_SSL_VERIFYPEER, c->o.trust == HTTP_ANCHORS ? 1L : 0L);
	SET(CURLOPT_SSL_VERIFYHOST, c->o.trust == HTTP_ANCHORS ? 2L : 0L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, c->o.connect_timeout_ms);
	SET(CURLOPT_TIMEOUT_MS, c->o.total_timeout_ms);
	SET(CURLOPT_USERAGENT, c->o.user_agent);
	if (c->o.user != NULL) {
		SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		SET(CURLOPT_USERNAME, c->o.user);
		SET(CURLOPT_PASSWORD, c->o.password == NULL ? "" : c->o.password);
	}
	return ok;
}

static int
set_callbacks(struct http_client *c, CURL *h)
{
	int ok = 1;

	SET(CURLOPT_SSL_CTX_FUNCTION, on_context);
	SET(CURLOPT_SSL_CTX_DATA, c);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(CURLOPT_OPENSOCKETDATA, c);
	SET(CURLOPT_PREREQFUNCTION, on_connected);
	SET(CURLOPT_PREREQDATA, c);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, c);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, c);
	SET(CURLOPT_READFUNCTION, on_send);
	SET(CURLOPT_READDATA, c);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, c);
	SET(CURLOPT_NOPROGRESS, 0L);
	return ok;
}

/* A handle of its own for each beginning: nothing of a former connection is left to be picked up.
 */
static mst_err
handle_new(struct http_client *c)
{
	if (c->curl != NULL)
		curl_easy_cleanup(c->curl);
	http_tls_wipe(&c->tls);
	if ((c->curl = curl_easy_init()) == NULL || !set_transport(c, c->curl) ||
	    !set_callbacks(c, c->curl))
		return fail(MST_E_NOMEM, "libcurl takes no handle or option");
	return MST_OK;
}

mst_err
http_open(const struct http_options *o, struct http_client **out)
{
	struct http_client *c;
	mst_err e = options_check(o);

	if (e != MST_OK)
		return e;
	pthread_once(&curl_once, curl_start);
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return fail(MST_E_NOMEM, "out of memory");
	c->o = *o;
	if (c->o.connect_timeout_ms <= 0)
		c->o.connect_timeout_ms = 10000;
	if (c->o.stall_timeout_ms <= 0)
		c->o.stall_timeout_ms = 30000;
	if (c->o.total_timeout_ms <= 0)
		c->o.total_timeout_ms = 120000;
	if (c->o.user_agent == NULL)
		c->o.user_agent = "muster/" MUSTER_VERSION;
	c->stall_us = c->o.stall_timeout_ms * INT64_C(1000);
	host_of(o->base, c->host, sizeof(c->host));
	c->tls.o = &c->o;
	c->tls.host = c->host;
	if ((e = handle_new(c)) != MST_OK) {
		http_close(c);
		return e;
	}
	*out = c;
	return MST_OK;
}

void
http_close(struct http_client *c)
{
	if (c == NULL)
		return;
	curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->headers);
	http_tls_wipe(&c->tls);
	free(c->body);
	free(c);
}

void
http_set_patience(struct http_client *c, long stall_ms, long total_ms)
{
	if (stall_ms <= 0 || stall_ms > c->o.stall_timeout_ms)
		stall_ms = c->o.stall_timeout_ms;
	c->stall_us = stall_ms * INT64_C(1000);
	c->end_us = total_ms <= 0 ? 0 : clock_mono_us() + total_ms * INT64_C(1000);
}

/* ---- exchanges ---- */

static mst_err
error_of(struct http_client *c, CURLcode r)
{
	const char *words = c->error[0] != '\0' ? c->error : curl_easy_strerror(r);

	if (c->err != MST_OK)
		return c->err; /* a callback ended it and said why */
	if (c->tls.err != MST_OK)
		return fail(c->tls.err, c->tls.why);
	if (c->refused)
		return fail(
		    MST_E_UNREACHABLE, "the connection on which the server was judged is closed");
	/* A server's refusal of our certificate comes with the first read in TLS 1.3. */
	if (strstr(words, "alert") != NULL)
		return fail(MST_E_TLS, words);
	if (r == CURLE_OPERATION_TIMEDOUT)
		return fail(MST_E_TIMEOUT, words);
	if (r == CURLE_SSL_CONNECT_ERROR || r == CURLE_PEER_FAILED_VERIFICATION ||
	    r == CURLE_SSL_CERTPROBLEM || r == CURLE_SSL_CIPHER)
		return fail(MST_E_TLS, words);
	if (r == CURLE_OUT_OF_MEMORY)
		return fail(MST_E_NOMEM, words);
	if (r == CURLE_WEIRD_SERVER_REPLY || r == CURLE_UNSUPPORTED_PROTOCOL ||
	    r == CURLE_BAD_CONTENT_ENCODING)
		return fail(MST_E_HTTP_MALFORMED, words);
	return fail(MST_E_UNREACHABLE, words);
}

/* RFC 9110 10.2.3: seconds or a date. */
static int64_t
retry_after(const char *value)
{
	time_t date;
	char *end;
	long long n;

	if (value == NULL)
		return -1;
	n = strtoll(value, &end, 10);
	if (end != value && *end == '\0')
		return n < 0 ? -1 : n;
	if ((date = curl_getdate(value, NULL)) == (time_t)-1)
		return -1;
	return date > clock_wall() ? date - clock_wall() : 0;
}

static const char *
header_get(CURL *h, const char *name)
{
	struct curl_header *found = NULL;

	return curl_easy_header(h, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value
	                                                                           : NULL;
}

static const char *
keep(struct arena *a, const char *s, bool *full)
{
	char *copy = s == NULL ? NULL : arena_str(a, mst_span_str(s));

	*full = *full || (s != NULL && copy == NULL);
	return copy;
}

static mst_err
answer_take(struct http_client *c, struct arena *a, struct http_answer *out)
{
	struct http_answer w = { .new_connections = c->opened };
	const char *location = NULL;
	bool full = false;
	long status = 0;

	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(c->curl, CURLINFO_REDIRECT_URL, &location);
	w.status = (int)status;
	w.retry_after = retry_after(header_get(c->curl, "Retry-After"));
	w.content_type = keep(a, header_get(c->curl, "Content-Type"), &full);
	w.request_id = keep(a, header_get(c->curl, "X-Request-Id"), &full);
	w.location = keep(a, location, &full);
	w.content_range = keep(a, header_get(c->curl, "Content-Range"), &full);
	w.etag = keep(a, header_get(c->curl, "ETag"), &full);
	w.body =
	    arena_dup(a, mst_span_of(c->body_len > 0 ? (const void *)c->body : "", c->body_len));
	if (full || w.body.ptr == NULL)
		return fail(MST_E_NOMEM, "out of memory");
	*out = w;
	return MST_OK;
}

static mst_err
exchange(struct http_client *c, struct arena *a, size_t limit, struct http_answer *out)
{
	CURLcode r;

	c->limit = limit;
	c->body_len = c->header_len = 0;
	c->opened = 0;
	c->err = c->tls.err = MST_OK;
	c->refused = c->fresh = false;
	c->last_us = 0;
	c->moved = 0;
	c->error[0] = '\0';
	r = curl_easy_perform(c->curl);
	http_set_patience(c, 0, 0); /* said for this exchange alone */
	return r == CURLE_OK ? answer_take(c, a, out) : error_of(c, r);
}

mst_err
http_begin(struct http_client *c, struct arena *a, http_first_fn fn, void *arg, size_t limit,
    struct http_answer *out)
{
	mst_err e = handle_new(c);
	CURL *h = c->curl;
	int ok = 1;

	if (e != MST_OK)
		return e;
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDS, NULL);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)-1);
	/* Seen before the request is known; first_set() replaces it. */
	curl_slist_free_all(c->headers);
	c->headers = NULL;
	if ((e = header_add(c, "Transfer-Encoding", NULL)) != MST_OK)
		return e;
	SET(CURLOPT_HTTPHEADER, c->headers);
	if (!ok)
		return fail(MST_E_NOMEM, "libcurl takes no option");
	c->first = fn;
	c->first_arg = arg;
	c->may_open = true;
	e = exchange(c, a, limit, out);
	c->may_open = false;
	c->first = NULL;
	c->to_send = MST_NONE;
	SET(CURLOPT_REQUEST_TARGET, NULL);
	SET(CURLOPT_CUSTOMREQUEST, NULL);
	return e == MST_OK && !ok ? fail(MST_E_NOMEM, "libcurl takes no option") : e;
}

mst_err
http_send(struct http_client *c, struct arena *a, const struct http_request *r, size_t limit,
    struct http_answer *out)
{
	char url[PATH_CAP + 512];
	CURL *h = c->curl;
	mst_err e;
	int ok = 1;

	if ((e = request_check(r)) != MST_OK || (e = headers_set(c, r)) != MST_OK)
		return e;
	if (snprintf(url, sizeof(url), "%s%s", c->o.base, r->path) >= (int)sizeof(url))
		return fail(MST_E_USAGE, "the URL is too long");
	SET(CURLOPT_URL, url);
	SET(CURLOPT_HTTPHEADER, c->headers);
	if (strcmp(r->method, "GET") == 0) {
		SET(CURLOPT_HTTPGET, 1L);
	} else {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
		SET(CURLOPT_POSTFIELDS, r->body.len > 0 ? (const char *)r->body.ptr : "");
	}
	if (!ok)
		return fail(MST_E_NOMEM, "libcurl takes no option");
	c->may_open = c->o.trust == HTTP_ANCHORS;
	return exchange(c, a, limit, out);
}

mst_err
http_server_chain(struct http_client *c, struct mst_chain *out)
{
	if (c->tls.chain.count == 0)
		return fail(MST_E_NOT_FOUND, "there was no connection yet");
	*out = c->tls.chain;
	return MST_OK;
}

mst_err
http_binding(struct http_client *c, struct mst_buf *out)
{
	if (c->tls.binding_len == 0)
		return fail(MST_E_UNSUPPORTED, "this connection has no channel binding");
	return mst_buf_put(out, mst_span_of(c->tls.binding, c->tls.binding_len));
}
