/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CoAP message, what its options mean, the resource it names, discovery by
 * its query, and its payload as multipart-core: what was read reads the same
 * once written (RFC 7252 3, RFC 7959 2.2, RFC 6690 4.1, RFC 8710).
 */
#include <stdlib.h>
#include <string.h>

#include "server/net/coap_msg.h"
#include "server/net/coap_table.h"
#include "server/net/multipart.h"

#define PARTS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static bool
same_message(const struct coap_msg *a, const struct coap_msg *b)
{
	bool same = a->type == b->type && a->code == b->code && a->mid == b->mid &&
	            mst_span_eq(a->token, b->token) && a->count == b->count &&
	            mst_span_eq(a->payload, b->payload);

	for (size_t i = 0; same && i < a->count; i++)
		same = a->options[i].number == b->options[i].number &&
		       mst_span_eq(a->options[i].value, b->options[i].value);
	return same;
}

static void
write_again(const struct coap_msg *m, size_t size)
{
	struct mst_buf out = { malloc(size + 8), size + 8, 0 };
	struct mst_coap_writer w;
	struct coap_msg again;
	bool header;

	want(out.ptr != NULL);
	mst_coap_put_head(&w, &out, m->type, m->code, m->mid, m->token);
	for (size_t i = 0; i < m->count; i++)
		mst_coap_put_option(&w, m->options[i].number, m->options[i].value);
	mst_coap_put_payload(&w, m->payload);
	want(w.err == MST_OK); /* ours is never longer */
	want(coap_msg_parse(mst_buf_span(&out), &again, &header) == MST_OK);
	want(same_message(m, &again));
	free(out.ptr);
}

static bool
all_of_them(void *arg, const struct coap_resource *r)
{
	(void)arg;
	(void)r;
	return true;
}

static void
look_up(const struct coap_request *q)
{
	char route[COAP_PATH_MAX + 32];
	uint8_t text[1024];
	struct mst_buf out = MST_BUF(text);
	const struct coap_resource *r = coap_find(q->path, route, sizeof route);

	if (r != NULL)
		want(strncmp(route, r->base, strlen(r->base)) == 0);
	if (q->abbrev >= 0)
		(void)coap_abbrev_path(q->abbrev);
	if (coap_format_type(q->content_format) != NULL)
		want(coap_format_number(coap_format_type(q->content_format)) == q->content_format);
	(void)coap_format_number(q->query);
	if (coap_links(q->query, all_of_them, NULL, &out) == MST_OK)
		want(out.len > 0 && out.ptr[0] == '<');
}

static void
read_parts(mst_span payload)
{
	struct multipart parts[PARTS], again[PARTS];
	size_t n = PARTS, m = PARTS;
	struct mst_buf out;

	if (multipart_read(payload, parts, &n) != MST_OK)
		return;
	for (size_t i = 0; i < n; i++)
		if (parts[i].body.ptr == NULL)
			parts[i].body = MST_LIT(""); /* null comes back as an empty string */
	out = (struct mst_buf){ malloc(multipart_size(parts, n)), multipart_size(parts, n), 0 };
	want(out.ptr != NULL);
	want(multipart_put(&out, parts, n) == MST_OK);
	want(multipart_read(mst_buf_span(&out), again, &m) == MST_OK && m == n);
	for (size_t i = 0; i < n; i++)
		want(parts[i].format == again[i].format &&
		     mst_span_eq(parts[i].body, again[i].body));
	free(out.ptr);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct coap_msg m;
	struct coap_request q;
	const char *why;
	bool header;
	mst_err e = coap_msg_parse(mst_span_of(data, size), &m, &header);

	if (e == MST_OK) {
		want(header);
		write_again(&m, size);
		if (coap_request_read(&m, &q, &why) == MST_OK)
			look_up(&q);
		else
			want(why[0] != '\0');
		read_parts(m.payload);
	}
	read_parts(mst_span_of(data, size));
	return 0;
}
