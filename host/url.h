/* SPDX-License-Identifier: Apache-2.0 */
/* A URI-reference to what a client needs of it (RFC 3986), over libcurl's URL parser. */
#ifndef HOST_URL_H
#define HOST_URL_H

#include "host/arena.h"

struct url {
	const char *scheme; /* "https" */
	const char *host; /* "a.example", "fe80::1" */
	const char *base; /* "https://a.example:8443": no path, never ends in "/" */
	const char *path; /* "/fw/image.bin?x=1": path and query, at least "/" */
	const char *whole; /* the absolute URI */
};
/*
 * reference, resolved against base (an absolute URI, or NULL: then it must be
 * absolute itself; RFC 3986 5). Everything lies in the arena. MST_E_URL: no
 * URI, with user or password in it, or with characters that have no place
 * there; MST_E_NOMEM.
 */
MST_MUST_USE mst_err url_resolve(
    struct arena *a, const char *base, mst_span reference, struct url *out);

#endif
