/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/update_fetch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "host/clock.h"
#include "host/url.h"

#define COAP_WAIT_US INT64_C(60000000)

struct update_source {
	const struct update_client *who;
	struct arena *life, *part_of; /* of the source; of the latest part */
	struct url at;
	uint64_t next; /* the first byte that was not fetched yet */
	bool whole; /* there is nothing behind next */
	mst_span part; /* fetched, and not handed out yet */
	char version[128]; /* ETag; empty: the server names none */
	bool begun; /* a part has come: the version is settled */
	struct http_client *http;
	struct coaps_client *coaps;
	mst_err (*fetch)(struct update_source *s);
};

static _Thread_local char why[512];

const char *
update_fetch_why(void)
{
	return why;
}

static mst_err
fail(const struct update_source *s, mst_err e, const char *words)
{
	snprintf(why, sizeof why, "%s: %s", s->at.whole, words);
	return e;
}

/* The same version as the parts before. */
static mst_err
settle(struct update_source *s, const char *version)
{
	if (!s->begun)
		snprintf(s->version, sizeof s->version, "%s", version);
	s->begun = true;
	/* one that is too long is cut in both */
	return strncmp(s->version, version, sizeof s->version - 1) == 0
	           ? MST_OK
	           : fail(s, MST_E_UPDATE_CHANGED, "its ETag is another one now");
}

static mst_err
took(struct update_source *s, mst_span bytes)
{
	s->part = bytes;
	s->next += bytes.len;
	return MST_OK;
}

/* ---- HTTPS ---- */

static mst_err
https_open(struct update_source *s)
{
	const struct http_options o = { .base = s->at.base,
		.trust = HTTP_ANCHORS,
		.anchors = s->who->anchors,
		.cert = s->who->cert,
		.key = s->who->key,
		.chain = s->who->chain };

	return s->http != NULL ? MST_OK : http_open(&o, &s->http);
}

/* "bytes 0-1023/4096" */
static bool
range_parse(const char *text, uint64_t *first, uint64_t *last, uint64_t *all)
{
	int end = 0;

	return text != NULL &&
	       sscanf(text, "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64 "%n", first, last, all,
	           &end) == 3 &&
	       text[end] == '\0' && *first <= *last && *last < *all;
}

static mst_err
https_part(struct update_source *s, const struct http_answer *an)
{
	uint64_t first, last, all;
	mst_err e;

	if (!range_parse(an->content_range, &first, &last, &all) || first != s->next ||
	    last - first + 1 != an->body.len)
		return fail(s, MST_E_HTTP_MALFORMED, "not the range that was asked for");
	if ((e = settle(s, an->etag == NULL ? "" : an->etag)) != MST_OK)
		return e;
	s->whole = last + 1 == all;
	return took(s, an->body);
}

static mst_err
https_answer(struct update_source *s, const struct http_answer *an)
{
	char words[64];

	switch (an->status) {
	case 206: return https_part(s, an);
	case 200: /* no ranges here; or, behind If-Range, another version */
		if (s->next != 0)
			return s->begun && s->version[0] != '\0'
			           ? fail(s, MST_E_UPDATE_CHANGED, "another version by now")
			           : fail(s, MST_E_UPDATE_RANGES, "whole, and not from the middle");
		s->whole = s->begun = true;
		return took(s, an->body);
	case 416: /* RFC 9110 15.5.17: it ends here */ s->whole = true; return took(s, MST_LIT(""));
	default:
		snprintf(words, sizeof words, "status %d", an->status);
		/* 5xx, 408, 425, 429: it may be better later */
		return fail(s,
		    an->status >= 500 || an->status == 408 || an->status == 425 || an->status == 429
		        ? MST_E_SUIT_INTERRUPTED
		        : MST_E_UPDATE_STATUS,
		    words);
	}
}

static mst_err
https_error(struct update_source *s, mst_err e)
{
	switch ((int)e) {
	case MST_E_UNREACHABLE:
	case MST_E_TIMEOUT: return fail(s, MST_E_SUIT_INTERRUPTED, http_why());
	case MST_E_HTTP_BODY_LIMIT: return fail(s, MST_E_UPDATE_RANGES, http_why());
	case MST_E_X509_CHAIN:
	case MST_E_X509_EXPIRED:
	case MST_E_X509_REVOKED:
	case MST_E_X509_WEAK:
	case MST_E_X509_HOST: return fail(s, MST_E_UPDATE_SERVER, http_why());
	default: return fail(s, e, http_why());
	}
}

static mst_err
https_fetch(struct update_source *s)
{
	char range[64];
	const struct http_request r = { .method = "GET",
		.path = s->at.path,
		.range = range,
		.if_range = s->begun && s->version[0] == '"' ? s->version : NULL };
	struct http_answer an;
	mst_err e;

	snprintf(
	    range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, s->next, s->next + UPDATE_PART - 1);
	if ((e = https_open(s)) != MST_OK ||
	    (e = http_send(s->http, s->part_of, &r, UPDATE_PART, &an)) != MST_OK)
		return https_error(s, e);
	return https_answer(s, &an);
}

/* ---- CoAPS ---- */

/* RFC 9525: a DNS name or address of the certificate, never its common name. */
static bool
bears_name(X509 *leaf, const char *host)
{
	return X509_check_ip_asc(leaf, host, 0) == 1 ||
	       X509_check_host(leaf, host, 0,
	           X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
	           NULL) == 1;
}

static mst_err
judge_server(struct update_source *s)
{
	struct mst_chain shown = coaps_chain(s->coaps);
	STACK_OF(X509) *list = sk_X509_new_null();
	mst_err e = list == NULL ? MST_E_NOMEM : MST_OK;

	for (size_t i = 0; e == MST_OK && i < shown.count; i++) {
		X509 *cert = NULL;

		e = cert_parse(shown.cert[i], &cert);
		if (e == MST_OK && sk_X509_push(list, cert) <= 0) {
			X509_free(cert);
			e = MST_E_NOMEM;
		}
	}
	if (e == MST_OK && sk_X509_num(list) == 0)
		e = MST_E_UPDATE_SERVER;
	if (e == MST_OK)
		e = chain_verify(
		    s->who->anchors, sk_X509_value(list, 0), list, &s->who->clock, 0, NULL);
	if (e == MST_OK && !bears_name(sk_X509_value(list, 0), s->at.host))
		e = MST_E_X509_HOST;
	sk_X509_pop_free(list, X509_free);
	return e == MST_OK || e == MST_E_NOMEM ? e : fail(s, MST_E_UPDATE_SERVER, cert_why());
}

static void
coaps_drop(struct update_source *s)
{
	coaps_close(s->coaps);
	s->coaps = NULL;
}

static mst_err
coaps_start(struct update_source *s)
{
	const struct coaps_options o = { .base = s->at.base,
		.cert = s->who->cert,
		.key = s->who->key,
		.chain = s->who->chain,
		.fragment = s->who->coap_fragment,
		.block = s->who->coap_block };
	mst_err e;

	if (s->coaps != NULL)
		return MST_OK;
	if ((e = coaps_open(&o, clock_mono_us() + COAP_WAIT_US, &s->coaps)) != MST_OK)
		return e;
	if ((e = judge_server(s)) != MST_OK)
		coaps_drop(s);
	return e;
}

static mst_err
coaps_answer(struct update_source *s, const struct coaps_piece *p)
{
	char text[2 * COAPS_ETAG_MAX + 1] = "";
	mst_err e;

	if (p->code != 205) {
		snprintf(text, sizeof text, "code %d.%02d", p->code / 100, p->code % 100);
		return fail(s, p->code >= 500 ? MST_E_SUIT_INTERRUPTED : MST_E_UPDATE_STATUS, text);
	}
	for (size_t i = 0; i < p->etag_len; i++)
		snprintf(text + 2 * i, 3, "%02x", p->etag[i]);
	if ((e = settle(s, text)) != MST_OK)
		return e;
	s->whole = !p->more;
	return took(s, p->body);
}

static mst_err
coaps_fetch(struct update_source *s)
{
	struct coaps_patience patience = { COAP_WAIT_US, clock_mono_us() + COAP_WAIT_US };
	struct coaps_piece piece;
	mst_err e = coaps_start(s);

	/* RFC 7959: a piece begins at a multiple of its size; what is before next is not new */
	if (e == MST_OK) {
		uint64_t skip = s->next % coaps_piece_size(s->coaps);

		e = coaps_piece_get(s->coaps, s->at.path + 1, s->next - skip, &patience, &piece);
		if (e == MST_OK && piece.code == 205) {
			skip = skip < piece.body.len ? skip : piece.body.len;
			piece.body =
			    mst_span_of(piece.body.ptr + skip, piece.body.len - (size_t)skip);
		}
	}
	if (e == MST_OK)
		return coaps_answer(s, &piece);
	coaps_drop(s);
	if (e == MST_E_UNREACHABLE || e == MST_E_TIMEOUT)
		return fail(s, MST_E_SUIT_INTERRUPTED, coaps_why());
	return e == MST_E_UPDATE_SERVER ? e : fail(s, e, coaps_why());
}

/* ---- both ---- */

mst_err
update_source_open(const struct update_client *who, const char *base, mst_span uri,
    uint64_t *offset, struct update_source **out)
{
	struct update_source *s = calloc(1, sizeof *s);
	mst_err e = MST_E_NOMEM;

	if (s == NULL)
		return e;
	s->who = who;
	s->life = arena_new(0);
	s->part_of = arena_new(0);
	if (s->life == NULL || s->part_of == NULL ||
	    (e = url_resolve(s->life, base, uri, &s->at)) != MST_OK) {
		snprintf(why, sizeof why, "%s", mst_err_info(e)->sentence);
		update_source_close(s);
		return e;
	}
	s->fetch = strcasecmp(s->at.scheme, "https") == 0   ? https_fetch
	           : strcasecmp(s->at.scheme, "coaps") == 0 ? coaps_fetch
	                                                    : NULL;
	if (s->fetch == NULL) {
		e = fail(s, MST_E_UPDATE_SCHEME, "neither https nor coaps");
		update_source_close(s);
		return e;
	}
	s->next = *offset;
	*out = s;
	return MST_OK;
}

static void
pause_ms(unsigned ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&t, NULL);
}

static mst_err
fetch_patiently(struct update_source *s)
{
	unsigned attempts = s->who->attempts != 0 ? s->who->attempts : 3;
	unsigned pause = s->who->pause_ms != 0 ? s->who->pause_ms : 1000;
	mst_err e = MST_E_SUIT_INTERRUPTED;

	for (unsigned i = 0; e == MST_E_SUIT_INTERRUPTED && i < attempts; i++) {
		if (i > 0)
			pause_ms(pause << (i - 1));
		arena_reset(s->part_of);
		e = s->fetch(s);
	}
	return e;
}

mst_err
update_source_read(struct update_source *s, struct mst_buf *block)
{
	size_t n;
	mst_err e;

	while (s->part.len == 0 && !s->whole)
		if ((e = fetch_patiently(s)) != MST_OK)
			return e;
	n = block->cap - block->len < s->part.len ? block->cap - block->len : s->part.len;
	if (n > 0)
		memcpy(block->ptr + block->len, s->part.ptr, n);
	block->len += n;
	s->part = mst_span_of(n > 0 ? s->part.ptr + n : s->part.ptr, s->part.len - n);
	return MST_OK;
}

void
update_source_close(struct update_source *s)
{
	if (s == NULL)
		return;
	http_close(s->http);
	coaps_close(s->coaps);
	arena_free(s->life);
	arena_free(s->part_of);
	free(s);
}
