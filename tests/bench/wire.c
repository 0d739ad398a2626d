/* SPDX-License-Identifier: Apache-2.0 */
/* HTTPS by hand, so that the client beside the server costs as little as it can. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "bench.h"

#define ROOM (128u << 10)

static int
take_any(X509_STORE_CTX *ctx, void *arg)
{
	(void)ctx;
	(void)arg;
	return 1; /* the pledge engine judges the chain, by the voucher (RFC 8995 5.1) */
}

SSL_CTX *
wire_context(const char *anchors_path, enum wire_trust trust)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1)
		bench_die("no TLS");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (trust == WIRE_JUDGED_LATER)
		SSL_CTX_set_cert_verify_callback(ctx, take_any, NULL);
	else if (SSL_CTX_load_verify_locations(ctx, anchors_path, NULL) != 1)
		bench_die("%s: no anchors", anchors_path);
	return ctx;
}

static int
dial(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool
wire_open(struct wire *w, SSL_CTX *ctx, int port, const struct identity *who)
{
	if (w->in == NULL && (w->in = malloc(ROOM)) == NULL)
		return false;
	w->cap = ROOM;
	if ((w->fd = dial(port)) < 0)
		return false;
	if ((w->ssl = SSL_new(ctx)) == NULL)
		return false;
	if (who != NULL && SSL_use_cert_and_key(w->ssl, who->cert, who->key, who->chain, 1) != 1)
		return false;
	return SSL_set_fd(w->ssl, w->fd) == 1 && SSL_connect(w->ssl) == 1;
}

void
wire_close(struct wire *w)
{
	if (w->ssl != NULL) {
		SSL_shutdown(w->ssl);
		SSL_free(w->ssl);
	}
	if (w->fd >= 0)
		close(w->fd);
	free(w->in);
	*w = (struct wire){ .fd = -1 };
}

static bool
send_request(struct wire *w, const char *method, const char *path, const char *type,
    const char *accept, mst_span body)
{
	char *out = w->in; /* nothing of an answer is wanted any more */
	int n = snprintf(out, w->cap,
	    "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s%s%s%s%sContent-Length: %zu\r\n\r\n", method,
	    path, type != NULL ? "Content-Type: " : "", type != NULL ? type : "",
	    type != NULL ? "\r\n" : "", accept != NULL ? "Accept: " : "",
	    accept != NULL ? accept : "", accept != NULL ? "\r\n" : "", body.len);

	if (n < 0 || (size_t)n + body.len > w->cap)
		return false;
	if (body.len != 0)
		memcpy(out + n, body.ptr, body.len);
	return SSL_write(w->ssl, out, n + (int)body.len) == n + (int)body.len;
}

/* Lines of the head; the text is cut into strings. */
static size_t
read_head(char *head, struct wire_answer *out)
{
	size_t length = 0;
	char *save = NULL, *line = strtok_r(head, "\r\n", &save);

	if (line == NULL || sscanf(line, "HTTP/1.1 %d", &out->status) != 1)
		return 0;
	while ((line = strtok_r(NULL, "\r\n", &save)) != NULL) {
		if (strncasecmp(line, "content-length:", 15) == 0)
			length = strtoul(line + 15, NULL, 10);
		else if (strncasecmp(line, "retry-after:", 12) == 0)
			out->retry_after = strtol(line + 12, NULL, 10);
		else if (strncasecmp(line, "content-type: ", 14) == 0)
			snprintf(out->type, sizeof out->type, "%s", line + 14);
		else if (strcasecmp(line, "connection: close") == 0)
			out->close = true;
	}
	return length;
}

bool
wire_ask(struct wire *w, const char *method, const char *path, const char *type, const char *accept,
    mst_span body, struct wire_answer *out)
{
	size_t have = 0, head = 0, length = 0;

	*out = (struct wire_answer){ .retry_after = -1 };
	if (!send_request(w, method, path, type, accept, body))
		return false;
	while (head == 0 || have < head + length) {
		int n = SSL_read(w->ssl, w->in + have, (int)(w->cap - have - 1));
		char *end;

		if (n <= 0)
			return false;
		have += (size_t)n;
		w->in[have] = '\0';
		if (head == 0 && (end = strstr(w->in, "\r\n\r\n")) != NULL) {
			head = (size_t)(end - w->in) + 4;
			end[2] = '\0';
			length = read_head(w->in, out);
			if (out->status == 0 || head + length >= w->cap)
				return false;
		}
	}
	out->body = mst_span_of(w->in + head, length);
	return true;
}
