/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/net/coap_table.h"
#include "tests/twins/wires.h"

/* RFC 7252 12.2, RFC 7959 6; numbers, so that the client is no mirror of the server. */
#define OPTION_MAX_AGE 14
#define OPTION_BLOCK1 27
#define TYPE_CON 0
#define CODE_POST 2
#define SZX 4 /* 256 bytes */

bool
link_open(struct link *l, enum wire wire, int port, const struct id *client)
{
	struct client_options o = { 0 };
	struct coap_client_options d = { .anonymous = client == NULL };

	memset(l, 0, sizeof *l);
	l->wire = wire;
	if (client != NULL) {
		o.cert = d.cert = client->cert;
		o.key = d.key = client->key;
	}
	if (wire == ON_COAPS)
		return coap_client_try(&l->dtls, port, &d);
	if (client_try(&l->tls, port, &o))
		return true;
	client_close(&l->tls);
	return false;
}

void
link_close(struct link *l)
{
	if (l->wire == ON_COAPS)
		coap_client_close(&l->dtls);
	else
		client_close(&l->tls);
}

mst_span
link_binding(const struct link *l, struct arena *a)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	SSL *ssl = l->wire == ON_COAPS ? l->dtls.ssl : l->tls.tls;
	uint8_t v[64];
	size_t n = 32;

	if (SSL_version(ssl) == TLS1_3_VERSION)
		assert_int_equal(SSL_export_keying_material(
		                     ssl, v, n, label, 24, (const unsigned char *)"", 0, 1),
		    1);
	else
		assert_int_equal(n = SSL_get_finished(ssl, v, sizeof v), 12);
	return arena_dup(a, mst_span_of(v, n));
}

/* --- HTTPS --- */

static void
ask_https(struct link *l, const struct link_ask *q, struct twin_verdict *v)
{
	char head[1024], type[256] = "", accept[256] = "";
	const char *wait;
	struct reply r;
	int n;

	if (q->type != NULL)
		snprintf(type, sizeof type, "Content-Type: %s\r\n", q->type);
	if (q->accept != NULL)
		snprintf(accept, sizeof accept, "Accept: %s\r\n", q->accept);
	n = snprintf(head, sizeof head,
	    "POST %s HTTP/1.1\r\nHost: localhost\r\n%s%sContent-Length: %zu\r\n\r\n", q->path, type,
	    accept, q->body.len);
	assert_true(n > 0 && (size_t)n < sizeof head);
	assert_true(client_send(&l->tls, head, (size_t)n));
	assert_true(client_send(&l->tls, q->body.ptr, q->body.len));
	r = client_read(&l->tls, false);
	if (r.status == 0)
		fail_msg("no answer to %s", q->path);
	v->status = r.status;
	wait = reply_header(&r, "Retry-After");
	v->wait = wait != NULL ? atol(wait) : -1;
	snprintf(v->body, sizeof v->body, "%.*s", (int)r.len, r.body);
	reply_free(&r);
}

/* --- CoAPS --- */

/* The answer to m, separate or not. */
static void
take_answer(struct coap_client *c, const struct coap_sent *m, struct coap_got *g)
{
	do {
		if (!coap_get(c, g, 20000))
			fail_msg("no answer");
		if (g->m.code == 0)
			assert_int_equal(g->m.mid, m->mid);
	} while (g->m.code == 0);
	assert_int_equal(g->m.token.len, 1);
	assert_int_equal(g->m.token.ptr[0], c->token);
	if (g->m.type == TYPE_CON) {
		uint8_t ack[4] = { 0x60, 0, (uint8_t)(g->m.mid >> 8), (uint8_t)g->m.mid };

		assert_int_equal(SSL_write(c->ssl, ack, sizeof ack), sizeof ack);
	}
}

static long
format_of(const char *type)
{
	long n = type != NULL ? coap_format_number(type) : -1;

	if (type != NULL && strcmp(type, "text/plain") == 0)
		n = 0;
	if (type != NULL && strcmp(type, "application/octet-stream") == 0)
		n = 42;
	if (type != NULL && n < 0)
		fail_msg("no content-format for %s", type);
	return n;
}

static void
ask_coaps(struct link *l, const struct link_ask *q, struct twin_verdict *v)
{
	const size_t size = (size_t)16 << SZX;
	struct coap_ask k = { .code = CODE_POST,
		.path = q->path,
		.format = format_of(q->type),
		.accept = format_of(q->accept),
		.block1 = -1,
		.block2 = -1 };
	struct coap_sent m;
	struct coap_got g;
	size_t at = 0, n;

	do { /* RFC 7959 2.5 */
		n = q->body.len - at < size ? q->body.len - at : size;
		k.payload = n > 0 ? mst_span_of(q->body.ptr + at, n) : MST_NONE;
		if (q->body.len > size)
			k.block1 = (long)(at / size) << 4 | (at + n < q->body.len) << 3 | SZX;
		coap_compose(&l->dtls, &m, &k);
		coap_send_it(&l->dtls, &m);
		take_answer(&l->dtls, &m, &g);
		at += n;
	} while (g.m.code == 231 && at < q->body.len);
	assert_int_not_equal(g.m.code, 231);
	v->status = (int)g.m.code;
	v->wait = coap_number(&g, OPTION_MAX_AGE);
	if (g.m.code >= 400) /* words for people: RFC 7252 5.5.2 */
		snprintf(v->body, sizeof v->body, "%.*s", (int)g.m.payload.len,
		    (const char *)g.m.payload.ptr);
}

void
link_ask(struct link *l, const struct link_ask *q, struct twin_verdict *v)
{
	if (l->wire == ON_COAPS)
		ask_coaps(l, q, v);
	else
		ask_https(l, q, v);
}

/* RFC 6690: whatever else a session may ask for, this costs nothing. */
static bool
dtls_answers(struct coap_client *c, long patience_ms)
{
	struct coap_sent m;
	struct coap_got g;

	coap_compose(c, &m, &COAP_ASK_GET(COAP_PATH_CORE));
	coap_send_it(c, &m);
	while (coap_get(c, &g, patience_ms))
		if (g.m.mid == m.mid)
			return true;
	return false;
}

bool
link_lives(struct link *l, long patience_ms)
{
	struct reply r;

	if (l->wire == ON_COAPS)
		return dtls_answers(&l->dtls, patience_ms);
	client_say(&l->tls, "GET " COAP_PATH_CORE " HTTP/1.1\r\nHost: localhost\r\n\r\n");
	r = client_read(&l->tls, false);
	reply_free(&r);
	return r.status != 0;
}
