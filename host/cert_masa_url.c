/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MASA URL of an IDevID (RFC 8995 2.3.2, brski.md ID-3). The text comes
 * from a certificate, and a registrar opens a connection because of it: it
 * is read by a narrow grammar, and whatever resolvers and URL parsers are
 * known to disagree about is refused.
 */
#include "host/cert.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/x509v3.h>

#define URL_MAX 1024
#define HOST_MAX 253
#define WELL_KNOWN "/.well-known/brski"

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool
is_alnum(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static mst_span
span_from(mst_span s, size_t at)
{
	return mst_span_of(s.ptr + at, s.len - at);
}

/* The position of c, or the length. */
static size_t
find(mst_span s, uint8_t c)
{
	size_t i = 0;

	while (i < s.len && s.ptr[i] != c)
		i++;
	return i;
}

/* RFC 3986 path: pchar and "/", no empty or dot segments in the middle. */
static bool
path_ok(mst_span path)
{
	static const char others[] = "-._~!$&'()*+,;=:@/";

	for (size_t i = 0; i < path.len; i++) {
		uint8_t c = path.ptr[i];

		if (c == '%') {
			if (path.len - i < 3 || !is_hex(path.ptr[i + 1]) ||
			    !is_hex(path.ptr[i + 2]))
				return false;
			i += 2;
		} else if (c == 0 || (!is_alnum(c) && strchr(others, c) == NULL)) {
			return false;
		}
	}
	for (size_t i = 0; i < path.len; i++) {
		mst_span rest = span_from(path, i);

		if (rest.len >= 2 && memcmp(rest.ptr, "//", 2) == 0)
			return false;
		/* "/./" and "/../" are rewritten by some clients and not by others */
		if (rest.len >= 2 && memcmp(rest.ptr, "/.", 2) == 0 &&
		    (rest.len == 2 || rest.ptr[2] == '/' ||
		        (rest.ptr[2] == '.' && (rest.len == 3 || rest.ptr[3] == '/'))))
			return false;
	}
	return true;
}

static bool
port_ok(mst_span port)
{
	unsigned value = 0;

	if (port.len == 0 || port.len > 5 || port.ptr[0] == '0')
		return false;
	for (size_t i = 0; i < port.len; i++) {
		if (!is_digit(port.ptr[i]))
			return false;
		value = value * 10 + (unsigned)(port.ptr[i] - '0');
	}
	return value <= 65535;
}

/* Letters, digits and hyphens in labels of 1 to 63; an address only as four plain decimal numbers.
 */
static bool
name_ok(mst_span host)
{
	char text[HOST_MAX + 1];
	struct in_addr v4;
	size_t label = 0, last = 0;

	if (host.len == 0 || host.len > HOST_MAX)
		return false;
	for (size_t i = 0; i <= host.len; i++) {
		uint8_t c = i < host.len ? host.ptr[i] : '.';

		if (c == '.') {
			if (i == label || i - label > 63 || host.ptr[label] == '-' ||
			    host.ptr[i - 1] == '-')
				return false;
			last = label;
			label = i + 1;
		} else if (!is_alnum(c) && c != '-') {
			return false;
		}
	}
	/* "127.1", "0x7f.1" and "2130706433" are addresses to getaddrinfo(3). */
	if (!is_digit(host.ptr[last]))
		return true;
	memcpy(text, host.ptr, host.len);
	text[host.len] = '\0';
	return inet_pton(AF_INET, text, &v4) == 1;
}

static bool
literal6_ok(mst_span inside)
{
	char text[INET6_ADDRSTRLEN + 1];
	struct in6_addr v6;

	if (inside.len == 0 || inside.len >= sizeof(text) || memchr(inside.ptr, 0, inside.len))
		return false;
	memcpy(text, inside.ptr, inside.len);
	text[inside.len] = '\0';
	return inet_pton(AF_INET6, text, &v6) == 1;
}

static bool
authority_ok(mst_span authority)
{
	size_t end;

	if (authority.len != 0 && authority.ptr[0] == '[') {
		end = find(authority, ']');
		if (end == authority.len || !literal6_ok(mst_span_of(authority.ptr + 1, end - 1)))
			return false;
		end++;
	} else {
		end = find(authority, ':');
		if (!name_ok(mst_span_of(authority.ptr, end)))
			return false;
	}
	if (end == authority.len)
		return true;
	return authority.ptr[end] == ':' && port_ok(span_from(authority, end + 1));
}

mst_err
cert_masa_url_check(struct arena *a, mst_span text, const char **base)
{
	static const char scheme[] = "https://";
	mst_span authority = text, path = MST_LIT(WELL_KNOWN);
	size_t slash;
	char *url;

	if (text.ptr == NULL || text.len == 0 || text.len > URL_MAX)
		return MST_E_MASA_URL;
	/* RFC 8995 2.3.2: without a slash there is only the authority. */
	if (find(text, '/') < text.len) {
		if (text.len < sizeof(scheme) ||
		    strncasecmp((const char *)text.ptr, scheme, sizeof(scheme) - 1) != 0)
			return MST_E_MASA_URL;
		authority = span_from(text, sizeof(scheme) - 1);
		slash = find(authority, '/');
		if (slash + 1 < authority.len)
			path = span_from(authority, slash);
		authority.len = slash;
	}
	if (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	if (!authority_ok(authority) || !path_ok(path))
		return MST_E_MASA_URL;
	url = arena_printf(a, "%s%.*s%.*s", scheme, (int)authority.len, (const char *)authority.ptr,
	    (int)path.len, (const char *)path.ptr);
	if (url == NULL)
		return MST_E_NOMEM;
	for (char *c = url; c < url + sizeof(scheme) - 1 + authority.len; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	*base = url;
	return MST_OK;
}

mst_err
cert_masa_url(struct arena *a, X509 *cert, const char **base)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(CERT_OID_MASA_URL, 1);
	const ASN1_OCTET_STRING *value;
	ASN1_IA5STRING *url = NULL;
	const uint8_t *p;
	mst_err e = MST_E_NOT_FOUND;
	int at, n;

	if (oid == NULL)
		return MST_E_NOMEM;
	at = X509_get_ext_by_OBJ(cert, oid, -1);
	if (at < 0)
		goto out;
	e = MST_E_MASA_URL;
	if (X509_get_ext_by_OBJ(cert, oid, at) >= 0)
		goto out;
	value = X509_EXTENSION_get_data(X509_get_ext(cert, at));
	p = ASN1_STRING_get0_data(value);
	n = ASN1_STRING_length(value);
	url = d2i_ASN1_IA5STRING(NULL, &p, n);
	if (url == NULL || p != ASN1_STRING_get0_data(value) + n)
		goto out;
	e = cert_masa_url_check(
	    a, mst_span_of(ASN1_STRING_get0_data(url), (size_t)ASN1_STRING_length(url)), base);
out:
	ASN1_IA5STRING_free(url);
	ASN1_OBJECT_free(oid);
	return e;
}

struct net {
	uint8_t bytes[16];
	unsigned bits;
};

static bool
in_net(const uint8_t *addr, const struct net *net)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (memcmp(addr, net->bytes, whole) != 0)
		return false;
	return rest == 0 || ((addr[whole] ^ net->bytes[whole]) >> (8 - rest)) == 0;
}

static bool
v4_is_private(const uint8_t *addr)
{
	/* IANA special-purpose registry: not globally reachable, and multicast upwards */
	static const struct net nets[] = {
		{ { 0 }, 8 },
		{ { 10 }, 8 },
		{ { 100, 64 }, 10 },
		{ { 127 }, 8 },
		{ { 169, 254 }, 16 },
		{ { 172, 16 }, 12 },
		{ { 192, 0, 0 }, 24 },
		{ { 192, 0, 2 }, 24 },
		{ { 192, 168 }, 16 },
		{ { 198, 18 }, 15 },
		{ { 198, 51, 100 }, 24 },
		{ { 203, 0, 113 }, 24 },
		{ { 224 }, 3 },
	};

	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++)
		if (in_net(addr, &nets[i]))
			return true;
	return false;
}

static bool
v6_is_private(const uint8_t *addr)
{
	static const struct net mapped = { { [10] = 0xff, [11] = 0xff }, 96 };
	static const struct net nat64 = { { 0x00, 0x64, 0xff, 0x9b }, 96 };
	static const struct net sixtofour = { { 0x20, 0x02 }, 16 };
	static const struct net global = { { 0x20 }, 3 };
	static const struct net documentation = { { 0x20, 0x01, 0x0d, 0xb8 }, 32 };
	static const struct net special = { { 0x20, 0x01 }, 23 };

	if (in_net(addr, &mapped) || in_net(addr, &nat64))
		return v4_is_private(addr + 12);
	if (in_net(addr, &sixtofour))
		return v4_is_private(addr + 2);
	return !in_net(addr, &global) || in_net(addr, &documentation) || in_net(addr, &special);
}

bool
cert_masa_url_is_private(const char *base)
{
	const char *host = strstr(base, "://");
	char text[HOST_MAX + 1];
	uint8_t addr[16];
	size_t n;

	host = host == NULL ? base : host + 3;
	if (*host == '[')
		n = strcspn(++host, "]");
	else
		n = strcspn(host, ":/");
	if (n >= sizeof(text))
		return true;
	memcpy(text, host, n);
	text[n] = '\0';
	if (inet_pton(AF_INET, text, addr) == 1)
		return v4_is_private(addr);
	if (inet_pton(AF_INET6, text, addr) == 1)
		return v6_is_private(addr);
	return strcasecmp(text, "localhost") == 0 ||
	       (n > 10 && strcasecmp(text + n - 10, ".localhost") == 0);
}
