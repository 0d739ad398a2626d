/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/agent/support_toy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/ssl.h>

#define YEAR (365L * 86400)
#define MESSAGE_MAX (256 * 1024)

void
toy_pki_make(struct toy_pki *p)
{
	p->masa_ca = pki_root("Acme voucher CA");
	p->masa = pki_leaf(&p->masa_ca, "Acme MASA", NULL, NULL, YEAR);
	p->false_ca = pki_root("Acme voucher CA");
	p->false_masa = pki_leaf(&p->false_ca, "Acme MASA", NULL, NULL, YEAR);
	p->idevid_ca = pki_root("Acme IDevID CA");
	p->idevid = pki_leaf(&p->idevid_ca, "lamp", "LAMP-1", "clientAuth", YEAR);
	p->domain = pki_root("Site CA");
	p->foreign = pki_root("Other site's CA");
	p->ra = pki_leaf(&p->domain, "registrar", NULL, PKI_RA, YEAR);
	p->other_ra = pki_leaf(&p->domain, "registrar 2", NULL, PKI_RA, YEAR);
	p->no_ra = pki_leaf(&p->domain, "printer", NULL, "serverAuth", YEAR);
}

void
toy_pki_free(struct toy_pki *p)
{
	struct pki *all[] = { &p->masa_ca, &p->masa, &p->false_ca, &p->false_masa, &p->idevid_ca,
		&p->idevid, &p->domain, &p->foreign, &p->ra, &p->other_ra, &p->no_ra };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		pki_free(all[i]);
}

/* ---- base64 by OpenSSL ---- */

static char *
encode(const unsigned char *der, int n)
{
	char *out = malloc((size_t)n / 3 * 4 + 8);

	MUST(out != NULL);
	EVP_EncodeBlock((unsigned char *)out, der, n);
	return out;
}

static unsigned char *
decode(const char *text, int *n)
{
	BIO *b64 = BIO_new(BIO_f_base64()), *mem = BIO_new_mem_buf(text, -1);
	unsigned char *out = malloc(strlen(text) + 4);

	MUST(b64 != NULL && mem != NULL && out != NULL);
	if (strchr(text, '\n') == NULL)
		BIO_set_flags(b64, BIO_FLAGS_BASE64_NO_NL);
	BIO_push(b64, mem);
	*n = BIO_read(b64, out, (int)strlen(text));
	BIO_free_all(b64);
	return out;
}

static char *
cert_text(X509 *cert)
{
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);
	char *out = encode(der, n);

	OPENSSL_free(der);
	return out;
}

/* ---- vouchers ---- */

/* The claims of a PVR, signature checked with the certificate inside. */
static json_t *
open_pvr(const unsigned char *body, int len, X509 *client)
{
	const unsigned char *p = body;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, len);
	BIO *out = BIO_new(BIO_s_mem());
	STACK_OF(X509) *signers = NULL;
	json_t *root = NULL, *claims = NULL;
	char *text;
	long n;

	if (cms != NULL && CMS_verify(cms, NULL, NULL, NULL, out, CMS_NO_SIGNER_CERT_VERIFY) == 1 &&
	    (signers = CMS_get0_signers(cms)) != NULL && sk_X509_num(signers) == 1 &&
	    X509_cmp(sk_X509_value(signers, 0), client) == 0 &&
	    (n = BIO_get_mem_data(out, &text)) > 0)
		root = json_loadb(text, (size_t)n, 0, NULL);
	claims = json_incref(json_object_get(root, "ietf-voucher-request:voucher"));
	json_decref(root);
	sk_X509_free(signers);
	BIO_free(out);
	CMS_ContentInfo_free(cms);
	return claims;
}

static char *
sign_voucher(const char *json, const struct pki *signer)
{
	unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP;
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
	ASN1_OBJECT *type = OBJ_txt2obj("1.2.840.113549.1.9.16.1.40", 1);
	BIO *in = BIO_new_mem_buf(json, -1);
	unsigned char *der = NULL;
	char *out;
	int n;

	MUST(CMS_set1_eContentType(cms, type) == 1);
	MUST(CMS_add1_signer(cms, signer->cert, signer->key, EVP_sha256(), flags) != NULL);
	MUST(CMS_final(cms, in, NULL, flags) == 1 && (n = i2d_CMS_ContentInfo(cms, &der)) > 0);
	out = encode(der, n);
	OPENSSL_free(der);
	BIO_free(in);
	ASN1_OBJECT_free(type);
	CMS_ContentInfo_free(cms);
	return out;
}

static void
change(json_t *v, const char *text)
{
	json_t *o, *value;
	const char *key;

	if (text == NULL)
		return;
	MUST((o = json_loads(text, 0, NULL)) != NULL);
	json_object_foreach(o, key, value)
	{
		if (json_is_null(value))
			json_object_del(v, key);
		else
			json_object_set(v, key, value);
	}
	json_decref(o);
}

/* base64 of the voucher for these claims, as the trick wants it */
static char *
make_voucher(struct toy *t, json_t *claims)
{
	const struct toy_pki *p = t->pki;
	X509 *pin = t->trick == TOY_WRONG_PIN ? p->foreign.cert
	            : t->pin_ra               ? p->ra.cert
	                                      : p->domain.cert;
	char now[32], *pinned = cert_text(pin), *json, *out;
	time_t seconds = time(NULL);
	struct tm tm;
	json_t *v, *root;

	strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
	v = json_pack("{s:s, s:s, s:s, s:s, s:b}", "assertion", "proximity", "created-on", now,
	    "serial-number",
	    t->trick == TOY_WRONG_SERIAL
	        ? "LAMP-2"
	        : json_string_value(json_object_get(claims, "serial-number")),
	    "pinned-domain-cert", pinned, "domain-cert-revocation-checks", 0);
	if (t->trick != TOY_NO_NONCE)
		json_object_set(v, "nonce", json_object_get(claims, "nonce"));
	change(v, t->claims);
	root = json_pack("{s:o}", "ietf-voucher:voucher", v);
	MUST(root != NULL && (json = json_dumps(root, JSON_COMPACT)) != NULL);
	out = sign_voucher(json, t->trick == TOY_FORGED_VOUCHER ? &p->false_masa : &p->masa);
	free(json);
	free(pinned);
	json_decref(root);
	return out;
}

/* ---- one exchange ---- */

struct exchange {
	struct toy *t;
	SSL *ssl;
	X509 *client, *shown;
	char *text; /* the whole request */
	const char *path;
	unsigned char *body;
	int body_len;
	bool hang_up;
};

static void
answer(struct exchange *x, int status, const char *headers, const void *body, size_t len)
{
	char head[1024];
	int n = snprintf(head, sizeof head, "HTTP/1.1 %d -\r\nContent-Length: %zu\r\n%s\r\n",
	    status, len, headers);

	if (SSL_write(x->ssl, head, n) != n || (len > 0 && SSL_write(x->ssl, body, (int)len) <= 0))
		x->hang_up = true;
}

static void
pending(struct exchange *x)
{
	answer(x, 202, "Retry-After: 1\r\n", "", 0);
	if (x->t->trick == TOY_CHANGES_CERT)
		x->hang_up = true;
}

static void
answer_certs(struct exchange *x, X509 *first, X509 *second)
{
	PKCS7 *p7 = PKCS7_new();
	unsigned char *der = NULL;
	char *text;
	int n;

	MUST(p7 != NULL && PKCS7_set_type(p7, NID_pkcs7_signed) == 1);
	MUST(PKCS7_content_new(p7, NID_pkcs7_data) == 1);
	MUST(PKCS7_add_certificate(p7, first) == 1);
	MUST(second == NULL || PKCS7_add_certificate(p7, second) == 1);
	MUST((n = i2d_PKCS7(p7, &der)) > 0);
	text = encode(der, n);
	answer(x, 200, "Content-Type: application/pkcs7-mime; smime-type=certs-only\r\n", text,
	    strlen(text));
	free(text);
	OPENSSL_free(der);
	PKCS7_free(p7);
}

/* RFC 8995 5.2: the request names the certificate of this very connection. */
static bool
is_near(struct exchange *x, json_t *claims)
{
	char *own = cert_text(x->shown);
	const char *told = json_string_value(json_object_get(claims, "proximity-registrar-cert"));
	bool same = told != NULL && strcmp(own, told) == 0;

	free(own);
	return same;
}

static void
remember_pvr(struct exchange *x)
{
	char *text = encode(x->body, x->body_len);

	if (x->t->last_pvr != NULL && strcmp(x->t->last_pvr, text) == 0)
		x->t->identical_pvr++;
	free(x->t->last_pvr);
	x->t->last_pvr = text;
}

static void
send_voucher(struct exchange *x, json_t *claims)
{
	struct toy *t = x->t;
	char *text = t->trick == TOY_REPLAYED_VOUCHER ? strdup(t->replay) : make_voucher(t, claims);
	unsigned char *der = malloc(strlen(text) + 4);
	int n = EVP_DecodeBlock(der, (unsigned char *)text, (int)strlen(text));

	MUST(n > 0);
	for (size_t i = strlen(text); i > 0 && text[i - 1] == '='; i--)
		n--;
	if (t->trick == TOY_ALTERED_VOUCHER) {
		unsigned char *at = memmem(der, (size_t)n, "proximity", 9);

		MUST(at != NULL);
		memcpy(at, "verified ", 9);
	}
	t->vouchers++;
	if (t->trick == TOY_NO_VOUCHER)
		memset(der, 'x', (size_t)n);
	answer(x, 200,
	    t->trick == TOY_OTHER_FORM ? "Content-Type: application/voucher-jws+json\r\n"
	                               : "Content-Type: application/voucher-cms+json\r\n",
	    der, (size_t)n);
	free(der);
	free(t->last_voucher);
	t->last_voucher = text;
}

static void
on_requestvoucher(struct exchange *x)
{
	struct toy *t = x->t;
	json_t *claims = open_pvr(x->body, x->body_len, x->client);
	char header[256];

	remember_pvr(x);
	if (claims == NULL || !is_near(x, claims)) {
		answer(x, 400, "", "not a voucher-request of this connection", 40);
	} else if (t->trick == TOY_REDIRECTS) {
		snprintf(header, sizeof header, "Location: %s/.well-known/brski/requestvoucher\r\n",
		    t->redirect);
		answer(x, 307, header, "", 0);
	} else if (t->trick == TOY_MOVES && strstr(x->path, "/moved/") == NULL) {
		answer(x, 307, "Location: /moved/requestvoucher\r\n", "", 0);
	} else if (t->trick == TOY_REFUSES_VOUCHER) {
		answer(x, 403, "", "MU-2200 not on the list\n", 24);
	} else if (t->trick == TOY_BUSY) {
		t->trick = TOY_HONEST;
		answer(x, 503, "", "MU-2031 later\n", 14);
	} else if (t->trick == TOY_SILENT) {
		x->hang_up = true;
		sleep(3);
	} else if (t->pending > 0) {
		t->pending--;
		pending(x);
	} else {
		send_voucher(x, claims);
	}
	json_decref(claims);
}

/* RFC 8995 5.7, 5.9.4 */
static void
on_status(struct exchange *x, atomic_int *good, atomic_int *bad)
{
	json_t *root = json_loadb((char *)x->body, (size_t)x->body_len, 0, NULL);
	const char *reason = json_string_value(json_object_get(root, "reason"));

	if (json_integer_value(json_object_get(root, "version")) != 1) {
		answer(x, 400, "", "", 0);
	} else {
		if (json_is_true(json_object_get(root, "status"))) {
			(*good)++;
		} else {
			(*bad)++;
			snprintf(
			    x->t->reason, sizeof x->t->reason, "%s", reason != NULL ? reason : "");
		}
		answer(x, 200, "", "", 0);
	}
	json_decref(root);
}

/* RFC 7030 3.5: base64 of the channel binding of this connection, est.md L3, L4 */
static bool
is_bound(struct exchange *x, X509_REQ *req)
{
	int at = X509_REQ_get_attr_by_NID(req, NID_pkcs9_challengePassword, -1);
	unsigned char bytes[64];
	const ASN1_TYPE *value;
	size_t n = 32;
	char *want;
	bool same;

	if (at < 0)
		return false;
	value = X509_ATTRIBUTE_get0_type(X509_REQ_get_attr(req, at), 0);
	if (SSL_version(x->ssl) == TLS1_3_VERSION)
		MUST(SSL_export_keying_material(x->ssl, bytes, n, "EXPORTER-Channel-Binding", 24,
		         (const unsigned char *)"", 0, 1) == 1);
	else
		n = SSL_get_peer_finished(x->ssl, bytes, sizeof bytes);
	want = encode(bytes, (int)n);
	same = (size_t)ASN1_STRING_length(value->value.asn1_string) == strlen(want) &&
	       memcmp(ASN1_STRING_get0_data(value->value.asn1_string), want, strlen(want)) == 0;
	free(want);
	return same;
}

static X509 *
issue(struct toy *t, X509_REQ *req)
{
	EVP_PKEY *other = EVP_EC_gen("P-256");
	X509 *cert = pki_sign(t->trick == TOY_FOREIGN_CERT ? &t->pki->foreign : &t->pki->domain,
	    X509_REQ_get_subject_name(req),
	    t->trick == TOY_CERT_OF_OTHER_KEY ? other : X509_REQ_get0_pubkey(req), t->life);

	EVP_PKEY_free(other);
	return cert;
}

static bool
is_ldevid(struct exchange *x)
{
	return X509_NAME_cmp(X509_get_issuer_name(x->client),
	           X509_get_subject_name(x->t->pki->domain.cert)) == 0;
}

static void
on_enroll(struct exchange *x, bool again)
{
	struct toy *t = x->t;
	int n;
	unsigned char *der = decode((char *)x->body, &n);
	const unsigned char *p = der;
	X509_REQ *req = n > 0 ? d2i_X509_REQ(NULL, &p, n) : NULL;
	X509 *cert = NULL;

	if (req == NULL || X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) != 1 ||
	    again != is_ldevid(x) ||
	    (again && X509_NAME_cmp(
	                  X509_REQ_get_subject_name(req), X509_get_subject_name(x->client)) != 0)) {
		answer(x, 400, "", "bad CSR", 7);
	} else if (t->trick == TOY_REFUSES_ENROLL) {
		answer(x, 403, "", "MU-4000 not yet", 15);
	} else if (t->trick == TOY_BUSY_ENROLLING) {
		t->trick = TOY_HONEST;
		answer(x, 503, "", "MU-4001 later\n", 14);
	} else if (t->enroll_pending > 0) {
		t->enroll_pending--;
		pending(x);
	} else {
		t->bindings += is_bound(x, req);
		cert = issue(t, req);
		(*(again ? &t->reenrolls : &t->enrolls))++;
		answer_certs(x, cert, NULL);
	}
	X509_free(cert);
	X509_REQ_free(req);
	free(der);
}

static void
on_csrattrs(struct exchange *x)
{
	/* SEQUENCE { challengePassword } */
	static const char wanted[] = "MAsGCSqGSIb3DQEJBw==";

	if (x->t->trick == TOY_NO_CSRATTRS)
		answer(x, 404, "", "", 0);
	else if (x->t->trick == TOY_EMPTY_CSRATTRS)
		answer(x, 204, "", "", 0);
	else
		answer(x, 200, "Content-Type: application/csrattrs\r\n", wanted, sizeof wanted - 1);
}

static void
dispatch(struct exchange *x)
{
	const struct toy_pki *p = x->t->pki;

	if (strstr(x->path, "/requestvoucher ") != NULL)
		on_requestvoucher(x);
	else if (strstr(x->path, "/voucher_status ") != NULL)
		on_status(x, &x->t->good_status, &x->t->bad_status);
	else if (strstr(x->path, "/enrollstatus ") != NULL)
		on_status(x, &x->t->reports, &x->t->bad_reports);
	else if (strstr(x->path, "/cacerts ") != NULL)
		answer_certs(
		    x, x->t->trick == TOY_FOREIGN_CACERTS ? p->foreign.cert : p->domain.cert, NULL);
	else if (strstr(x->path, "/csrattrs ") != NULL)
		on_csrattrs(x);
	else if (strstr(x->path, "/simpleenroll ") != NULL)
		on_enroll(x, false);
	else if (strstr(x->path, "/simplereenroll ") != NULL)
		on_enroll(x, true);
	else
		answer(x, 404, "", "", 0);
}

/* ---- connections ---- */

/* One whole request into x->text; false when there is none. */
static bool
read_request(struct exchange *x)
{
	size_t len = 0, want = 0;
	char *end = NULL, *length;

	while (end == NULL || len < want) {
		int n = SSL_read(x->ssl, x->text + len, (int)(MESSAGE_MAX - len - 1));

		if (n <= 0)
			return false;
		len += (size_t)n;
		x->text[len] = '\0';
		if (end == NULL && (end = strstr(x->text, "\r\n\r\n")) != NULL) {
			length = strcasestr(x->text, "\r\nContent-Length:");
			want = (size_t)(end + 4 - x->text);
			if (length != NULL && length < end)
				want += strtoul(length + 17, NULL, 10);
		}
	}
	x->body = (unsigned char *)end + 4;
	x->body_len = (int)(len - (size_t)(end + 4 - x->text));
	x->path = x->text;
	*end = '\0';
	/* Only the request line decides. */
	if ((length = strstr(x->text, "\r\n")) != NULL)
		*length = '\0';
	return true;
}

static int
accept_any(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

static int
on_sni(SSL *ssl, int *alert, void *arg)
{
	struct toy *t = arg;

	(void)alert;
	t->with_sni += SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL;
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *
context(struct toy *t, X509 **shown)
{
	bool changed = t->trick == TOY_CHANGES_CERT && t->connections > 1;
	const struct pki *id = t->trick == TOY_NO_RA ? &t->pki->no_ra
	                       : changed             ? &t->pki->other_ra
	                                             : &t->pki->ra;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	MUST(ctx != NULL && SSL_CTX_use_certificate(ctx, id->cert) == 1);
	MUST(SSL_CTX_use_PrivateKey(ctx, id->key) == 1);
	MUST(SSL_CTX_add1_chain_cert(ctx, t->pki->domain.cert) == 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_sni);
	SSL_CTX_set_tlsext_servername_arg(ctx, t);
	if (t->tls12)
		MUST(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) == 1);
	*shown = id->cert;
	return ctx;
}

static void
serve(struct toy *t, int fd)
{
	struct exchange x = { .t = t, .text = malloc(MESSAGE_MAX) };
	struct timeval patience = { 10, 0 };
	SSL_CTX *ctx;

	t->connections++;
	ctx = context(t, &x.shown);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	MUST(x.text != NULL && (x.ssl = SSL_new(ctx)) != NULL && SSL_set_fd(x.ssl, fd) == 1);
	if (SSL_accept(x.ssl) == 1) {
		x.client = SSL_get1_peer_certificate(x.ssl);
		t->ldevid_connections += is_ldevid(&x);
		while (!x.hang_up && !t->stop && read_request(&x)) {
			if (++t->requests == t->cut_at) {
				t->cut_at = 0;
				break;
			}
			dispatch(&x);
		}
	}
	ERR_clear_error();
	SSL_free(x.ssl);
	SSL_CTX_free(ctx);
	X509_free(x.client);
	free(x.text);
	close(fd);
}

static void *
run(void *arg)
{
	struct toy *t = arg;

	t->runs = true;
	while (!t->stop) {
		int fd = accept(t->listener, NULL, NULL);

		if (fd >= 0 && !t->stop)
			serve(t, fd);
		else if (fd >= 0)
			close(fd);
	}
	return NULL;
}

void
toy_start(struct toy *t, const struct toy_pki *pki, enum toy_trick trick)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof at;

	*t = (struct toy){ .pki = pki, .trick = trick, .life = 90L * 86400 };
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	t->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(t->listener >= 0 && bind(t->listener, (struct sockaddr *)&at, sizeof at) == 0);
	MUST(listen(t->listener, 16) == 0);
	MUST(getsockname(t->listener, (struct sockaddr *)&at, &len) == 0);
	t->port = ntohs(at.sin_port);
	snprintf(t->base, sizeof t->base, "https://127.0.0.1:%d", t->port);
	MUST(pthread_create(&t->thread, NULL, run, t) == 0);
	/* A fork while a thread is being made may copy a lock that nobody will open. */
	while (!t->runs)
		usleep(1000);
}

void
toy_forget(struct toy *t)
{
	atomic_int *all[] = { &t->connections, &t->requests, &t->vouchers, &t->good_status,
		&t->bad_status, &t->enrolls, &t->reenrolls, &t->reports, &t->bad_reports,
		&t->ldevid_connections, &t->bindings, &t->identical_pvr, &t->with_sni };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		*all[i] = 0;
	t->reason[0] = '\0';
}

void
toy_stop(struct toy *t)
{
	t->stop = true;
	shutdown(t->listener, SHUT_RDWR);
	MUST(pthread_join(t->thread, NULL) == 0);
	close(t->listener);
	free(t->replay);
	free(t->last_voucher);
	free(t->last_pvr);
}
