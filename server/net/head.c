/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/net/head.h"

/* RFC 9110 5.6.2: the characters of a token. */
static bool
is_token(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static uint8_t
lower(uint8_t c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool
is_word(mst_span s, const char *word)
{
	size_t i = 0;

	while (i < s.len && word[i] != '\0' && lower(s.ptr[i]) == (uint8_t)word[i])
		i++;
	return i == s.len && word[i] == '\0';
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static mst_span
cut(mst_span s, size_t from, size_t to)
{
	return mst_span_of(s.ptr + from, to - from);
}

static mst_span
trim(mst_span s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* A byte that may stand inside a line: RFC 9110 5.5, with HTAB and obs-text. */
static bool
is_text(uint8_t c)
{
	return c == '\t' || (c >= ' ' && c != 0x7f);
}

mst_err
head_scan(struct head_scan *s, mst_span in, size_t limit, size_t *end)
{
	*end = 0;
	for (; s->at < in.len; s->at++) {
		uint8_t c = in.ptr[s->at];

		if (s->at >= limit || (s->lines == 0 && s->at - s->line >= HEAD_LINE_MAX))
			return MST_E_HTTP_HEADER_LIMIT;
		if (c == '\r') {
			if (s->at + 1 == in.len)
				return MST_OK; /* its LF decides */
			if (in.ptr[s->at + 1] != '\n')
				return MST_E_HTTP_MALFORMED;
			continue;
		}
		if (c != '\n') {
			if (!is_text(c))
				return MST_E_HTTP_MALFORMED;
			continue;
		}
		/* RFC 9112 2.2 lets a recipient take a bare LF; two recipients then differ. */
		if (s->at == s->line || in.ptr[s->at - 1] != '\r')
			return MST_E_HTTP_MALFORMED;
		if (s->at - s->line == 1) {
			if (s->lines == 0)
				return MST_E_HTTP_MALFORMED;
			*end = s->at + 1;
			return MST_OK;
		}
		s->lines++;
		s->line = s->at + 1;
	}
	return MST_OK;
}

/* The line at *at without its CRLF; *at moves behind it. head_scan has seen to the CRLFs. */
static mst_span
next_line(mst_span bytes, size_t *at)
{
	size_t from = *at, to = from;

	while (to + 1 < bytes.len && bytes.ptr[to] != '\r')
		to++;
	*at = to + 2 <= bytes.len ? to + 2 : bytes.len;
	return cut(bytes, from, to);
}

static enum net_method
method_of(mst_span word)
{
	if (mst_span_eq(word, MST_LIT("GET")))
		return NET_GET;
	if (mst_span_eq(word, MST_LIT("POST")))
		return NET_POST;
	if (mst_span_eq(word, MST_LIT("HEAD")))
		return NET_HEAD;
	return NET_OTHER;
}

/* RFC 9112 3.2.2: a server MUST accept the absolute form; what counts is its path. */
static bool
strip_authority(mst_span *target)
{
	static const char *const schemes[] = { "https://", "http://" };
	size_t i, at;

	if (target->len > 0 && target->ptr[0] == '/')
		return true;
	for (i = 0; i < 2; i++) {
		at = strlen(schemes[i]);
		if (target->len > at && is_word(cut(*target, 0, at), schemes[i]))
			break;
	}
	if (i == 2)
		return false; /* "*", authority form, anything else */
	for (; at < target->len && target->ptr[at] != '/' && target->ptr[at] != '?'; at++)
		if (target->ptr[at] == '@')
			return false; /* RFC 9110 4.2.4: userinfo is an error */
	if (at == strlen(schemes[i]) || at == target->len || target->ptr[at] != '/')
		return false;
	*target = cut(*target, at, target->len);
	return true;
}

static mst_err
parse_target(mst_span target, struct head *h, const char **why)
{
	size_t q;

	for (size_t i = 0; i < target.len; i++)
		if (target.ptr[i] <= ' ' || target.ptr[i] >= 0x7f || target.ptr[i] == '#') {
			*why = "a character that no request target has";
			return MST_E_HTTP_MALFORMED;
		}
	if (!strip_authority(&target)) {
		*why = "the request target is not a path";
		return MST_E_HTTP_MALFORMED;
	}
	for (q = 0; q < target.len && target.ptr[q] != '?'; q++)
		;
	h->path = cut(target, 0, q);
	h->query = q < target.len ? cut(target, q + 1, target.len) : MST_LIT("");
	return MST_OK;
}

/* RFC 9112 3: method SP request-target SP HTTP-version, one space each. */
static mst_err
parse_request_line(mst_span line, struct head *h, const char **why)
{
	size_t a = 0, b;
	mst_span version;

	while (a < line.len && is_token(line.ptr[a]))
		a++;
	for (b = a + 1; b < line.len && line.ptr[b] != ' '; b++)
		;
	if (a == 0 || a >= line.len || line.ptr[a] != ' ' || b >= line.len || b == a + 1) {
		*why = "the request line is not 'METHOD /path HTTP/1.1'";
		return MST_E_HTTP_MALFORMED;
	}
	h->method_word = cut(line, 0, a);
	h->method = method_of(h->method_word);
	version = cut(line, b + 1, line.len);
	h->http10 = mst_span_eq(version, MST_LIT("HTTP/1.0"));
	if (!h->http10 && !mst_span_eq(version, MST_LIT("HTTP/1.1"))) {
		*why = "the version is neither HTTP/1.1 nor HTTP/1.0";
		return MST_E_HTTP_MALFORMED;
	}
	h->close = h->http10;
	return parse_target(cut(line, a + 1, b), h, why);
}

static mst_err
take_length(struct head *h, mst_span value, const char **why)
{
	size_t n = 0;

	/* RFC 9112 6.3: even equal duplicates are the shape of request smuggling. */
	if (h->has_length) {
		*why = "Content-Length stands twice";
		return MST_E_HTTP_MALFORMED;
	}
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9') {
			value.len = 0;
			break;
		}
		if (n > (SIZE_MAX - 9) / 10)
			n = SIZE_MAX;
		else
			n = n * 10 + (size_t)(value.ptr[i] - '0');
	}
	if (value.len == 0) {
		*why = "Content-Length is not a number";
		return MST_E_HTTP_MALFORMED;
	}
	h->has_length = true;
	h->length = n;
	return MST_OK;
}

static mst_err
take_coding(struct head *h, mst_span value, const char **why)
{
	if (h->chunked) {
		*why = "Transfer-Encoding stands twice";
		return MST_E_HTTP_MALFORMED;
	}
	if (!is_word(value, "chunked")) {
		*why = "only the chunked transfer coding is understood";
		return MST_E_UNSUPPORTED;
	}
	h->chunked = true;
	return MST_OK;
}

/* RFC 9110 7.6.1: a list of tokens; only "close" matters here. */
static void
take_connection(struct head *h, mst_span value)
{
	size_t from = 0;

	for (size_t i = 0; i <= value.len; i++) {
		if (i < value.len && value.ptr[i] != ',')
			continue;
		if (is_word(trim(cut(value, from, i)), "close"))
			h->close = true;
		from = i + 1;
	}
}

static mst_err
take_once(mst_span *field, mst_span value, const char **why)
{
	if (field->ptr != NULL) {
		*why = "a field that may stand once stands twice";
		return MST_E_HTTP_MALFORMED;
	}
	*field = value;
	return MST_OK;
}

/* RFC 9112 3.2: a Host that is no authority is refused; which one it is does not matter to us. */
static mst_err
take_host(mst_span *host, mst_span value, const char **why)
{
	for (size_t i = 0; i < value.len; i++)
		if (!is_token(value.ptr[i]) &&
		    (value.ptr[i] == '\0' || strchr(":[]%()=,;", value.ptr[i]) == NULL))
			value.len = 0;
	if (value.len == 0) {
		*why = "Host is empty or not a host name";
		return MST_E_HTTP_MALFORMED;
	}
	return take_once(host, value, why);
}

static mst_err
take_field(struct head *h, mst_span name, mst_span value, mst_span *host, const char **why)
{
	if (is_word(name, "host"))
		return take_host(host, value, why);
	if (is_word(name, "content-length"))
		return take_length(h, value, why);
	if (is_word(name, "transfer-encoding"))
		return take_coding(h, value, why);
	if (is_word(name, "content-type"))
		return take_once(&h->content_type, value, why);
	if (is_word(name, "authorization"))
		return take_once(&h->authorization, value, why);
	if (is_word(name, "user-agent"))
		return take_once(&h->user_agent, value, why);
	if (is_word(name, "x-muster-trace"))
		return take_once(&h->trace, value, why);
	if (is_word(name, "connection"))
		take_connection(h, value);
	if (is_word(name, "accept")) {
		if (h->accepts == HEAD_ACCEPT_MAX) {
			*why = "too many Accept fields";
			return MST_E_HTTP_HEADER_LIMIT;
		}
		h->accept[h->accepts++] = value;
	}
	if (is_word(name, "expect")) {
		if (!is_word(value, "100-continue")) {
			*why = "an expectation other than 100-continue";
			return MST_E_HTTP_MALFORMED;
		}
		h->expect = !h->http10; /* RFC 9110 10.1.1 */
	}
	return MST_OK;
}

/* RFC 9112 5: no space before the colon, no folded line. */
static mst_err
parse_field(struct head *h, mst_span line, mst_span *host, const char **why)
{
	size_t n = 0;

	while (n < line.len && is_token(line.ptr[n]))
		n++;
	if (n == 0 || n == line.len || line.ptr[n] != ':') {
		*why = "a header line is not 'Name: value'";
		return MST_E_HTTP_MALFORMED;
	}
	return take_field(h, cut(line, 0, n), trim(cut(line, n + 1, line.len)), host, why);
}

static mst_err
judge_framing(const struct head *h, mst_span host, const char **why)
{
	if (host.ptr == NULL && !h->http10) { /* RFC 9112 3.2 */
		*why = "Host is missing";
		return MST_E_HTTP_MALFORMED;
	}
	if (h->chunked && h->has_length) { /* RFC 9112 6.1 */
		*why = "both Content-Length and Transfer-Encoding";
		return MST_E_HTTP_MALFORMED;
	}
	if (h->chunked && h->http10) {
		*why = "Transfer-Encoding in HTTP/1.0";
		return MST_E_HTTP_MALFORMED;
	}
	return MST_OK;
}

mst_err
head_parse(mst_span bytes, struct head *out, const char **why)
{
	struct head h = { 0 };
	mst_span host = MST_NONE, line;
	size_t at = 0, fields = 0;
	mst_err e;

	if ((e = parse_request_line(next_line(bytes, &at), &h, why)) != MST_OK)
		return e;
	while (at < bytes.len) {
		line = next_line(bytes, &at);
		if (line.len == 0)
			break;
		if (++fields > HEAD_FIELDS_MAX) {
			*why = "too many header fields";
			return MST_E_HTTP_HEADER_LIMIT;
		}
		if ((e = parse_field(&h, line, &host, why)) != MST_OK)
			return e;
	}
	if ((e = judge_framing(&h, host, why)) != MST_OK)
		return e;
	*out = h;
	return MST_OK;
}

mst_err
head_path_decode(mst_span path, struct mst_buf *out)
{
	int hi, lo;

	for (size_t i = 0; i < path.len; i++) {
		uint8_t c = path.ptr[i];

		if (c == '%') {
			if (path.len - i < 3 || (hi = hex_digit(path.ptr[i + 1])) < 0 ||
			    (lo = hex_digit(path.ptr[i + 2])) < 0)
				return MST_E_HTTP_MALFORMED;
			c = (uint8_t)(hi << 4 | lo);
			i += 2;
			/* A "/" in disguise would be another path to another reader. */
			if (c < ' ' || c == 0x7f || c == '/')
				return MST_E_HTTP_MALFORMED;
		}
		if (mst_buf_put_byte(out, c) != MST_OK)
			return MST_E_HTTP_HEADER_LIMIT;
	}
	return MST_OK;
}

/* The length of the line at the start of in with its CRLF; 0: it is not complete yet. */
static mst_err
chunk_line(mst_span in, size_t limit, size_t *len)
{
	*len = 0;
	for (size_t i = 0; i < in.len; i++) {
		if (i >= limit)
			return MST_E_HTTP_MALFORMED;
		if (in.ptr[i] == '\n')
			return MST_E_HTTP_MALFORMED;
		if (in.ptr[i] == '\r') {
			if (i + 1 == in.len)
				return MST_OK;
			if (in.ptr[i + 1] != '\n')
				return MST_E_HTTP_MALFORMED;
			*len = i + 2;
			return MST_OK;
		}
		if (!is_text(in.ptr[i]))
			return MST_E_HTTP_MALFORMED;
	}
	return in.len >= limit ? MST_E_HTTP_MALFORMED : MST_OK;
}

/* RFC 9112 7.1.1: extensions are allowed and ignored. */
static mst_err
chunk_size(struct chunked *c, mst_span line, size_t limit)
{
	size_t n = 0, i = 0;

	for (; i < line.len && hex_digit(line.ptr[i]) >= 0; i++) {
		if (i == 8)
			return MST_E_HTTP_BODY_LIMIT;
		n = n << 4 | (size_t)hex_digit(line.ptr[i]);
	}
	if (i == 0)
		return MST_E_HTTP_MALFORMED;
	line = trim(cut(line, i, line.len));
	if (line.len > 0 && line.ptr[0] != ';')
		return MST_E_HTTP_MALFORMED;
	if (n > limit || c->total > limit - n)
		return MST_E_HTTP_BODY_LIMIT;
	c->left = n;
	c->state = n == 0 ? CHUNK_TRAILER : CHUNK_DATA;
	return MST_OK;
}

static mst_err
chunk_trailer(struct chunked *c, mst_span line)
{
	size_t n = 0;

	if (line.len == 0) {
		c->state = CHUNK_DONE;
		return MST_OK;
	}
	c->trailer += line.len + 2;
	while (n < line.len && is_token(line.ptr[n]))
		n++;
	if (n == 0 || n == line.len || line.ptr[n] != ':' || c->trailer > CHUNK_TRAILER_MAX)
		return MST_E_HTTP_MALFORMED;
	return MST_OK; /* RFC 9110 6.5.1: trailers may be discarded, and no field of ours may come
	                  there */
}

static mst_err
chunk_data(struct chunked *c, mst_span in, size_t *taken, mst_span *data)
{
	*taken = in.len < c->left ? in.len : c->left;
	*data = cut(in, 0, *taken);
	c->left -= *taken;
	c->total += *taken;
	if (c->left == 0)
		c->state = CHUNK_DATA_END;
	return MST_OK;
}

mst_err
chunked_step(struct chunked *c, mst_span in, size_t limit, size_t *taken, mst_span *data)
{
	size_t n;
	mst_err e;

	*taken = 0;
	*data = MST_NONE;
	if (in.len == 0 || c->state == CHUNK_DONE)
		return MST_OK;
	if (c->state == CHUNK_DATA)
		return chunk_data(c, in, taken, data);
	e = chunk_line(in, c->state == CHUNK_TRAILER ? CHUNK_TRAILER_MAX : CHUNK_LINE_MAX, &n);
	if (e != MST_OK || n == 0)
		return e;
	if (c->state == CHUNK_SIZE)
		e = chunk_size(c, cut(in, 0, n - 2), limit);
	else if (c->state == CHUNK_TRAILER)
		e = chunk_trailer(c, cut(in, 0, n - 2));
	else if (n != 2)
		e = MST_E_HTTP_MALFORMED; /* more data than the chunk's size said */
	else
		c->state = CHUNK_SIZE;
	if (e == MST_OK)
		*taken = n;
	return e;
}
