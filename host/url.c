/* SPDX-License-Identifier: Apache-2.0 */
#include "host/url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define URL_MAX 2048

/* RFC 3986 2: printable ASCII; the rest is percent-encoded by whoever writes the URI. */
static bool
is_clean(mst_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= 0x20 || s.ptr[i] > 0x7e || strchr("\"<>\\^`{|}", s.ptr[i]) != NULL)
			return false;
	return s.len > 0 && s.len <= URL_MAX;
}

static bool
has(CURLU *u, CURLUPart part)
{
	char *value = NULL;
	bool there = curl_url_get(u, part, &value, 0) == CURLUE_OK && value[0] != '\0';

	curl_free(value);
	return there;
}

/* A part's text in the arena; "" where it is absent; NULL without memory. */
static const char *
text(struct arena *a, CURLU *u, CURLUPart part)
{
	char *value = NULL;
	const char *copy;

	(void)curl_url_get(u, part, &value, 0);
	copy = arena_str(a, mst_span_str(value == NULL ? "" : value));
	curl_free(value);
	return copy;
}

static mst_err
take(struct arena *a, CURLU *u, struct url *out)
{
	struct url w = { .scheme = text(a, u, CURLUPART_SCHEME),
		.whole = text(a, u, CURLUPART_URL) };
	const char *host = text(a, u, CURLUPART_HOST), *port = text(a, u, CURLUPART_PORT);
	const char *path = text(a, u, CURLUPART_PATH), *query = text(a, u, CURLUPART_QUERY);
	const char *zone = text(a, u, CURLUPART_ZONEID);
	size_t n;
	char *bare;

	if (w.scheme == NULL || w.whole == NULL || host == NULL || port == NULL || path == NULL ||
	    query == NULL || zone == NULL)
		return MST_E_NOMEM;
	n = strlen(host);
	bare = n > 2 && host[0] == '[' ? arena_str(a, mst_span_of(host + 1, n - 2))
	                               : arena_str(a, mst_span_of(host, n));
	w.host = bare;
	/* RFC 6874: the zone of a link-local address stands within the brackets */
	if (zone[0] != '\0' && n > 2)
		host = arena_printf(a, "[%s%%25%s]", bare, zone);
	w.base = host == NULL ? NULL
	                      : arena_printf(a, "%s://%s%s%s", w.scheme, host,
	                            port[0] != '\0' ? ":" : "", port);
	w.path = arena_printf(
	    a, "%s%s%s", path[0] != '\0' ? path : "/", query[0] != '\0' ? "?" : "", query);
	if (bare == NULL || w.base == NULL || w.path == NULL)
		return MST_E_NOMEM;
	*out = w;
	return MST_OK;
}

mst_err
url_resolve(struct arena *a, const char *base, mst_span reference, struct url *out)
{
	char given[URL_MAX + 1];
	mst_err e = MST_E_URL;
	CURLU *u;

	if (!is_clean(reference) || (base != NULL && !is_clean(mst_span_str(base))))
		return MST_E_URL;
	memcpy(given, reference.ptr, reference.len);
	given[reference.len] = '\0';
	if ((u = curl_url()) == NULL)
		return MST_E_NOMEM;
	if ((base == NULL ||
	        curl_url_set(u, CURLUPART_URL, base, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK) &&
	    curl_url_set(u, CURLUPART_URL, given, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
	    has(u, CURLUPART_HOST) && !has(u, CURLUPART_USER) && !has(u, CURLUPART_PASSWORD))
		e = take(a, u, out);
	curl_url_cleanup(u);
	return e;
}
