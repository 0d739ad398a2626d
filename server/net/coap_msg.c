/* SPDX-License-Identifier: Apache-2.0 */
#include "server/net/coap_msg.h"

#include <string.h>

#include "server/net/coap_table.h"

mst_err
coap_msg_parse(mst_span datagram, struct coap_msg *m, bool *header)
{
	struct mst_coap_reader r;
	struct mst_coap head;
	struct coap_opt o;
	mst_err e = mst_coap_parse(datagram, &head, header);

	m->count = 0;
	m->token = m->payload = MST_NONE;
	if (!*header)
		return e;
	m->type = head.type;
	m->code = head.code;
	m->mid = head.mid;
	m->token = head.token;
	if (e != MST_OK)
		return e;
	m->payload = head.payload;
	mst_coap_options(&head, &r);
	while (mst_coap_next(&r, &o.number, &o.value)) {
		if (m->count == COAP_OPTIONS_MAX)
			return MST_E_COAP_MALFORMED;
		m->options[m->count++] = o;
	}
	return MST_OK;
}

/* --- what options mean --- */

/* RFC 7252 5.10, RFC 7959, coap-uri-path-abbrev: length, and whether it may come twice. */
static const struct known {
	unsigned number;
	size_t least, most;
	bool repeats;
} known[] = {
	{ MST_COAP_URI_HOST, 1, 255, false },
	{ MST_COAP_ETAG, 1, 8, true },
	{ MST_COAP_URI_PORT, 0, 2, false },
	{ MST_COAP_URI_PATH, 0, 255, true },
	{ MST_COAP_CONTENT_FORMAT, 0, 2, false },
	{ COAP_URI_PATH_ABBREV, 0, 4, false },
	{ MST_COAP_URI_QUERY, 0, 255, true },
	{ MST_COAP_ACCEPT, 0, 2, false },
	{ MST_COAP_BLOCK2, 0, 3, false },
	{ MST_COAP_BLOCK1, 0, 3, false },
	{ MST_COAP_SIZE2, 0, 4, false },
	{ MST_COAP_SIZE1, 0, 4, false },
};

static const struct known *
find_known(unsigned number)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].number == number)
			return &known[i];
	return NULL;
}

/* The next part of a path or query, behind its separator; false when it does not fit. */
static bool
join(char *out, size_t cap, char separator, mst_span part)
{
	size_t n = strlen(out);

	if (n + part.len + 2 > cap || (part.len > 0 && memchr(part.ptr, 0, part.len) != NULL))
		return false;
	if (separator == '/' && part.len > 0 && memchr(part.ptr, '/', part.len) != NULL)
		return false; /* a hidden separator would name another resource */
	if (separator == '/' || n > 0)
		out[n++] = separator;
	if (part.len > 0)
		memcpy(out + n, part.ptr, part.len);
	out[n + part.len] = '\0';
	return true;
}

static mst_err
read_block(mst_span v, struct mst_coap_block *out, const char **why)
{
	*out = mst_coap_block_read(v);
	if (out->szx <= MST_COAP_SZX_MAX)
		return MST_OK;
	*why = "block size 7 is reserved";
	return MST_E_COAP_MALFORMED; /* RFC 7959 2.2: 4.00 */
}

static mst_err
read_option(struct coap_request *rq, const struct coap_opt *o, const char **why)
{
	switch (o->number) {
	case MST_COAP_URI_PATH:
		*why = "the path is too long or has a separator inside";
		return join(rq->path, sizeof rq->path, '/', o->value) ? MST_OK : MST_E_HTTP_PATH;
	case MST_COAP_URI_QUERY:
		*why = "the query is too long";
		return join(rq->query, sizeof rq->query, '&', o->value) ? MST_OK
		                                                        : MST_E_HTTP_HEADER_LIMIT;
	case COAP_URI_PATH_ABBREV: rq->abbrev = (long)mst_coap_uint(o->value); return MST_OK;
	case MST_COAP_CONTENT_FORMAT:
		rq->content_format = (long)mst_coap_uint(o->value);
		return MST_OK;
	case MST_COAP_ACCEPT: rq->accept = (long)mst_coap_uint(o->value); return MST_OK;
	case MST_COAP_BLOCK1: return read_block(o->value, &rq->block1, why);
	case MST_COAP_BLOCK2: return read_block(o->value, &rq->block2, why);
	case MST_COAP_SIZE1: rq->size1 = (long)mst_coap_uint(o->value); return MST_OK;
	case MST_COAP_SIZE2: rq->wants_size2 = true; return MST_OK;
	case MST_COAP_ETAG:
		if (rq->etags[0].ptr == NULL)
			rq->etags[0] = o->value;
		else if (rq->etags[1].ptr == NULL)
			rq->etags[1] = o->value;
		return MST_OK;
	default: return MST_OK; /* Uri-Host, Uri-Port: there is one virtual host */
	}
}

/*
 * RFC 7252 5.4: out of its length (5.4.3) or repeated (5.4.5) is treated as
 * unknown; unknown and critical (odd) is refused, unknown and elective ignored.
 */
static mst_err
check_option(const struct coap_msg *m, size_t i, bool *ignore, const char **why)
{
	const struct coap_opt *o = &m->options[i];
	const struct known *k = find_known(o->number);
	bool good = k != NULL && o->value.len >= k->least && o->value.len <= k->most &&
	            (k->repeats || i == 0 || m->options[i - 1].number != o->number);

	*ignore = !good;
	if (good || o->number % 2 == 0)
		return MST_OK;
	if (o->number == MST_COAP_PROXY_URI || o->number == MST_COAP_PROXY_SCHEME) {
		*why = "Proxy-Uri or Proxy-Scheme"; /* RFC 7252 5.7.2 */
		return MST_E_COAP_PROXY;
	}
	*why = k == NULL ? "a critical option that is not known"
	                 : "a critical option of wrong length or given twice";
	return MST_E_COAP_OPTION;
}

mst_err
coap_request_read(const struct coap_msg *m, struct coap_request *rq, const char **why)
{
	mst_err e;
	bool ignore;

	memset(rq, 0, sizeof *rq);
	rq->abbrev = rq->content_format = rq->accept = rq->size1 = -1;
	*why = "";
	for (size_t i = 0; i < m->count; i++) {
		if ((e = check_option(m, i, &ignore, why)) != MST_OK)
			return e;
		if (!ignore && (e = read_option(rq, &m->options[i], why)) != MST_OK)
			return e;
	}
	if (rq->abbrev >= 0 && rq->path[0] != '\0') { /* coap-uri-path-abbrev 2.1 */
		*why = "Uri-Path-Abbrev beside Uri-Path";
		return MST_E_COAP_OPTION;
	}
	return MST_OK;
}
