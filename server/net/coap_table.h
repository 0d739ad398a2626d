/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a registrar offers over CoAPS, once (brski.md 13.1; RFC 9148 4.1;
 * draft-ietf-anima-constrained-voucher 6.5): short names, where they lie, the
 * HTTP path of the same handler, methods, content-formats and the numbers of
 * Uri-Path-Abbrev. Parsers, discovery and tests read it from here.
 */
#ifndef SERVER_NET_COAP_TABLE_H
#define SERVER_NET_COAP_TABLE_H

#include "server/net/net.h"

/* Requested, not yet assigned (coap-uri-path-abbrev 5): this is the one place that names it. */
#define COAP_URI_PATH_ABBREV 13

/* Content-formats (IANA CoRE parameters): X(name, number, media type). */
#define COAP_FORMATS(X)                                                                            \
	X(LINK, 40, "application/link-format")                                                     \
	X(JSON, 50, "application/json")                                                            \
	X(CBOR, 60, "application/cbor")                                                            \
	X(MULTIPART, 62, "application/multipart-core")                                             \
	X(P7_KEY, 280, "application/pkcs7-mime; smime-type=server-generated-key")                  \
	X(P7_CERTS, 281, "application/pkcs7-mime; smime-type=certs-only")                          \
	X(PKCS8, 284, "application/pkcs8")                                                         \
	X(CSRATTRS, 285, "application/csrattrs")                                                   \
	X(PKCS10, 286, "application/pkcs10")                                                       \
	X(CERT, 287, "application/pkix-cert")                                                      \
	X(VOUCHER, 836, "application/voucher+cose")
enum coap_format {
#define X(name, number, type) COAP_CF_##name = (number),
	COAP_FORMATS(X)
#undef X
};
#define COAP_TYPE_MULTIPART "application/multipart-core"
#define COAP_TYPE_CERTS "application/pkcs7-mime; smime-type=certs-only"
#define COAP_TYPE_CERT "application/pkix-cert"

/* NULL, -1: not in the table. Types are compared without regard to case and space. */
const char *coap_format_type(long number);
long coap_format_number(const char *type);

#define COAP_BRSKI "/.well-known/brski"
#define COAP_EST "/.well-known/est"

/*
 * X(name, base, short base, last segment of the HTTP path, method, abbrev,
 * request formats, response formats). The first request format is meant where
 * the option is absent (est.md F2); NONE ends a list.
 */
#define COAP_NONE (-1)
#define COAP_RESOURCES(X)                                                                          \
	X("rv", COAP_BRSKI, "/b", "requestvoucher", NET_POST, 402, (COAP_CF_VOUCHER),              \
	    (COAP_CF_VOUCHER))                                                                     \
	X("vs", COAP_BRSKI, "/b", "voucher_status", NET_POST, 403, (COAP_CF_CBOR, COAP_CF_JSON),   \
	    (COAP_NONE))                                                                           \
	X("es", COAP_BRSKI, "/b", "enrollstatus", NET_POST, 401, (COAP_CF_CBOR, COAP_CF_JSON),     \
	    (COAP_NONE))                                                                           \
	X("crts", COAP_EST, "/e", "cacerts", NET_GET, 301, (COAP_NONE),                            \
	    (COAP_CF_MULTIPART, COAP_CF_P7_CERTS, COAP_CF_CERT))                                   \
	X("sen", COAP_EST, "/e", "simpleenroll", NET_POST, 302, (COAP_CF_PKCS10),                  \
	    (COAP_CF_P7_CERTS, COAP_CF_CERT))                                                      \
	X("sren", COAP_EST, "/e", "simplereenroll", NET_POST, 303, (COAP_CF_PKCS10),               \
	    (COAP_CF_P7_CERTS, COAP_CF_CERT))                                                      \
	X("att", COAP_EST, "/e", "csrattrs", NET_GET, 306, (COAP_NONE), (COAP_CF_CSRATTRS))        \
	X("skg", COAP_EST, "/e", "serverkeygen", NET_POST, 304, (COAP_CF_PKCS10),                  \
	    (COAP_CF_MULTIPART))                                                                   \
	X("skc", COAP_EST, "/e", "serverkeygen", NET_POST, 305, (COAP_CF_PKCS10),                  \
	    (COAP_CF_MULTIPART))

struct coap_resource {
	const char *name, *base, *alias, *route;
	enum net_method method;
	long abbrev;
	long request[3], response[4]; /* ended by COAP_NONE */
};
extern const struct coap_resource coap_resources[];
extern const size_t coap_resource_count;

/* Abbreviations of what is no resource of the table: discovery, and two that others serve. */
#define COAP_ABBREV_CORE 0
#define COAP_ABBREV_RD 1
#define COAP_ABBREV_EDHOC 2
#define COAP_PATH_CORE "/.well-known/core"

/*
 * The path that the number stands for; NULL: not assigned. May be one that is
 * not served here.
 */
const char *coap_abbrev_path(long number);
/*
 * The resource at a path: its base or short base, for EST perhaps a label
 * (RFC 9148 4.1), its name. NULL: none. The HTTP path of the same handler goes
 * to route, which has room for cap bytes; too long a path is none.
 */
const struct coap_resource *coap_find(const char *path, char *route, size_t cap);
bool coap_takes(const long formats[], long number);

/*
 * RFC 6690: the links to those resources that serves(arg, resource) says yes
 * to, filtered by query ("", "rt=ace.est*", "href=/b/rv", "ct=836"), appended to out.
 * MST_E_NOT_FOUND: no link matches; MST_E_SPACE.
 */
MST_MUST_USE mst_err coap_links(const char *query,
    bool (*serves)(void *arg, const struct coap_resource *r), void *arg, struct mst_buf *out);

#endif
