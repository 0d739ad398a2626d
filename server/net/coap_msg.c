/* SPDX-License-Identifier: Apache-2.0 */
#include "server/net/coap_msg.h"

#include <assert.h>
#include <string.h>

#include "server/net/coap_table.h"

/* --- bytes to options --- */

struct cursor {
	mst_span in;
	size_t at;
};

static bool
take(struct cursor *c, size_t n, const uint8_t **out)
{
	if (c->in.len - c->at < n)
		return false;
	*out = c->in.ptr + c->at;
	c->at += n;
	return true;
}

/* RFC 7252 3.1: 13 and 14 extend, 15 is reserved. */
static bool
take_extended(struct cursor *c, unsigned nibble, unsigned *out)
{
	const uint8_t *p;

	switch (nibble) {
	case 13:
		if (!take(c, 1, &p))
			return false;
		*out = p[0] + 13U;
		return true;
	case 14:
		if (!take(c, 2, &p))
			return false;
		*out = ((unsigned)p[0] << 8 | p[1]) + 269U;
		return true;
	case 15: return false;
	default: *out = nibble; return true;
	}
}

static bool
take_option(struct cursor *c, unsigned *number, mst_span *value)
{
	const uint8_t *p;
	unsigned delta, length;

	if (!take(c, 1, &p) || !take_extended(c, *p >> 4, &delta) ||
	    !take_extended(c, *p & 15, &length) || !take(c, length, &p))
		return false;
	*number += delta;
	*value = mst_span_of(p, length);
	return *number <= 65535;
}

static bool
take_options(struct cursor *c, struct coap_msg *m)
{
	unsigned number = 0;
	mst_span value;

	m->count = 0;
	m->payload = MST_NONE;
	while (c->at < c->in.len) {
		if (c->in.ptr[c->at] == 0xFF) { /* the marker wants a payload behind it */
			c->at++;
			m->payload = mst_span_of(c->in.ptr + c->at, c->in.len - c->at);
			return m->payload.len > 0;
		}
		if (m->count == COAP_OPTIONS_MAX || !take_option(c, &number, &value))
			return false;
		m->options[m->count++] = (struct coap_opt){ number, value };
	}
	return true;
}

mst_err
coap_msg_parse(mst_span datagram, struct coap_msg *m, bool *header)
{
	struct cursor c = { datagram, 0 };
	const uint8_t *p, *token;
	size_t tkl;

	*header = false;
	if (!take(&c, 4, &p) || p[0] >> 6 != 1) /* RFC 7252 3: another version is ignored */
		return MST_E_COAP_MALFORMED;
	*header = true;
	m->type = (enum coap_type)(p[0] >> 4 & 3);
	m->code = (p[1] >> 5) * 100U + (p[1] & 31U);
	m->mid = (unsigned)p[2] << 8 | p[3];
	m->count = 0;
	m->token = m->payload = MST_NONE;
	tkl = p[0] & 15;
	if (tkl > COAP_TOKEN_MAX || !take(&c, tkl, &token))
		return MST_E_COAP_MALFORMED;
	m->token = mst_span_of(token, tkl);
	if (m->code == COAP_EMPTY) /* 4.1: nothing may follow the Message ID */
		return tkl == 0 && c.at == datagram.len ? MST_OK : MST_E_COAP_MALFORMED;
	return take_options(&c, m) ? MST_OK : MST_E_COAP_MALFORMED;
}

/* --- what options mean --- */

/* RFC 7252 5.10, RFC 7959, coap-uri-path-abbrev: length, and whether it may come twice. */
static const struct known {
	unsigned number;
	size_t least, most;
	bool repeats;
} known[] = {
	{ COAP_URI_HOST, 1, 255, false },
	{ COAP_ETAG, 1, 8, true },
	{ COAP_URI_PORT, 0, 2, false },
	{ COAP_URI_PATH, 0, 255, true },
	{ COAP_CONTENT_FORMAT, 0, 2, false },
	{ COAP_URI_PATH_ABBREV, 0, 4, false },
	{ COAP_URI_QUERY, 0, 255, true },
	{ COAP_ACCEPT, 0, 2, false },
	{ COAP_BLOCK2, 0, 3, false },
	{ COAP_BLOCK1, 0, 3, false },
	{ COAP_SIZE2, 0, 4, false },
	{ COAP_SIZE1, 0, 4, false },
};

static const struct known *
find_known(unsigned number)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].number == number)
			return &known[i];
	return NULL;
}

/* RFC 7252 3.2: leading zero bytes are to be taken. */
static uint32_t
read_uint(mst_span v)
{
	uint32_t n = 0;

	for (size_t i = 0; i < v.len; i++)
		n = n << 8 | v.ptr[i];
	return n;
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
read_block(mst_span v, struct coap_block *out, const char **why)
{
	uint32_t n = read_uint(v);

	*out = (struct coap_block){ true, (n & 8) != 0, n & 7, n >> 4 };
	if (out->szx <= COAP_SZX_MAX)
		return MST_OK;
	*why = "block size 7 is reserved";
	return MST_E_COAP_MALFORMED; /* RFC 7959 2.2: 4.00 */
}

static mst_err
read_option(struct coap_request *rq, const struct coap_opt *o, const char **why)
{
	switch (o->number) {
	case COAP_URI_PATH:
		*why = "the path is too long or has a separator inside";
		return join(rq->path, sizeof rq->path, '/', o->value) ? MST_OK : MST_E_HTTP_PATH;
	case COAP_URI_QUERY:
		*why = "the query is too long";
		return join(rq->query, sizeof rq->query, '&', o->value) ? MST_OK
		                                                        : MST_E_HTTP_HEADER_LIMIT;
	case COAP_URI_PATH_ABBREV: rq->abbrev = (long)read_uint(o->value); return MST_OK;
	case COAP_CONTENT_FORMAT: rq->content_format = (long)read_uint(o->value); return MST_OK;
	case COAP_ACCEPT: rq->accept = (long)read_uint(o->value); return MST_OK;
	case COAP_BLOCK1: return read_block(o->value, &rq->block1, why);
	case COAP_BLOCK2: return read_block(o->value, &rq->block2, why);
	case COAP_SIZE1: rq->size1 = (long)read_uint(o->value); return MST_OK;
	case COAP_SIZE2: rq->wants_size2 = true; return MST_OK;
	case COAP_ETAG:
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
	if (o->number == COAP_PROXY_URI || o->number == COAP_PROXY_SCHEME) {
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

/* --- writing --- */

static void
put(struct coap_writer *w, mst_span bytes)
{
	if (w->err == MST_OK && bytes.len > 0)
		w->err = mst_buf_put(w->out, bytes);
}

void
coap_put_head(struct coap_writer *w, struct mst_buf *out, enum coap_type type, unsigned code,
    unsigned mid, mst_span token)
{
	const uint8_t head[4] = { (uint8_t)(0x40U | (unsigned)type << 4 | (unsigned)token.len),
		(uint8_t)((code / 100) << 5 | code % 100), (uint8_t)(mid >> 8), (uint8_t)mid };

	assert(token.len <= COAP_TOKEN_MAX && code / 100 < 8 && code % 100 < 32);
	*w = (struct coap_writer){ out, 0, MST_OK };
	put(w, mst_span_of(head, sizeof head));
	put(w, token);
}

static uint8_t
nibble(size_t n)
{
	return n < 13 ? (uint8_t)n : n < 269 ? 13 : 14;
}

static size_t
put_extended(uint8_t *out, size_t n)
{
	if (n < 13)
		return 0;
	if (n < 269) {
		out[0] = (uint8_t)(n - 13);
		return 1;
	}
	out[0] = (uint8_t)((n - 269) >> 8);
	out[1] = (uint8_t)(n - 269);
	return 2;
}

void
coap_put_option(struct coap_writer *w, unsigned number, mst_span value)
{
	uint8_t head[5];
	size_t n = 1;

	assert(number >= w->last && number <= 65535 && value.len <= 65535);
	head[0] = (uint8_t)(nibble(number - w->last) << 4 | nibble(value.len));
	n += put_extended(head + n, number - w->last);
	n += put_extended(head + n, value.len);
	w->last = number;
	put(w, mst_span_of(head, n));
	put(w, value);
}

void
coap_put_uint(struct coap_writer *w, unsigned number, uint32_t value)
{
	const uint8_t all[4] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16),
		(uint8_t)(value >> 8), (uint8_t)value };
	size_t skip = 0;

	while (skip < sizeof all && all[skip] == 0) /* RFC 7252 3.2: as short as can be */
		skip++;
	coap_put_option(w, number, mst_span_of(all + skip, sizeof all - skip));
}

void
coap_put_block(struct coap_writer *w, unsigned number, const struct coap_block *b)
{
	coap_put_uint(w, number, b->num << 4 | (b->more ? 8U : 0U) | b->szx);
}

void
coap_put_payload(struct coap_writer *w, mst_span payload)
{
	if (payload.len == 0)
		return;
	put(w, MST_LIT("\xFF"));
	put(w, payload);
}
