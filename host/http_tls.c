/* SPDX-License-Identifier: Apache-2.0 */
#include "host/http_tls.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "host/clock.h"

void
http_tls_wipe(struct http_tls *t)
{
	for (size_t i = 0; i < MST_CHAIN_MAX; i++) {
		OPENSSL_free(t->der[i]);
		t->der[i] = NULL;
	}
	memset(&t->chain, 0, sizeof(t->chain));
	mst_wipe(t->binding, sizeof(t->binding));
	t->binding_len = 0;
}

/* RFC 9525 6: subjectAltName alone decides, never the common name. */
static int
bears_name(X509 *leaf, const char *host)
{
	unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;

	return X509_check_ip_asc(leaf, host, 0) == 1 ||
	       X509_check_host(leaf, host, 0, flags, NULL) == 1;
}

static mst_err
judge(struct http_tls *t, X509 *leaf, const STACK_OF(X509) *untrusted)
{
	struct mst_clock clock = clock_now();
	mst_err e = chain_verify(t->o->anchors, leaf, untrusted, &clock, 0, NULL);

	if (e != MST_OK) {
		snprintf(t->why, sizeof(t->why), "the server's certificate: %s", cert_why());
		return e;
	}
	/* RFC 5280 4.2.1.12: where key usages are named, TLS server must be among them. */
	if (X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) != 1) {
		snprintf(t->why, sizeof(t->why), "the server's certificate is not for TLS servers");
		return MST_E_X509_CHAIN;
	}
	if (!bears_name(leaf, t->host)) {
		snprintf(t->why, sizeof(t->why), "the server's certificate does not bear \"%s\"",
		    t->host);
		return MST_E_X509_HOST;
	}
	return MST_OK;
}

/* In place of OpenSSL's own verification, so that anchors, CRLs and clock are those of cert.h. */
static int
verify(X509_STORE_CTX *store, void *arg)
{
	struct http_tls *t = arg;

	/* TLS-3: the caller judges in http_begin; TLS goes on to verify the handshake signature. */
	if (t->o->trust == HTTP_PROVISIONAL)
		return 1;
	t->err = judge(t, X509_STORE_CTX_get0_cert(store), X509_STORE_CTX_get0_untrusted(store));
	X509_STORE_CTX_set_error(
	    store, t->err == MST_OK ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
	ERR_clear_error();
	return t->err == MST_OK;
}

/* TLS-4: a pledge sends no SNI. libcurl sets it after its own hook for the context, so it is taken
 * away as the handshake starts. */
static void
drop_sni(const SSL *ssl, int where, int ret)
{
	(void)ret;
	if ((where & SSL_CB_HANDSHAKE_START) != 0)
		SSL_set_tlsext_host_name((SSL *)(uintptr_t)ssl, NULL);
}

static int
use_credential(const struct http_options *o, SSL_CTX *ctx)
{
	/* Only what we were given goes out, not what OpenSSL finds to complete the chain. */
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	if (o->cert == NULL)
		return 0;
	if (SSL_CTX_use_certificate(ctx, o->cert) != 1 || SSL_CTX_use_PrivateKey(ctx, o->key) != 1)
		return -1;
	for (int i = 0; i < sk_X509_num(o->chain); i++)
		if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(o->chain, i)) != 1)
			return -1;
	return 0;
}

int
http_tls_context(struct http_tls *t, SSL_CTX *ctx)
{
	t->err = MST_OK;
	SSL_CTX_set_cert_verify_callback(ctx, verify, t);
	if (t->o->trust == HTTP_PROVISIONAL)
		SSL_CTX_set_info_callback(ctx, drop_sni);
	/* TLS-8: no resumption, no renegotiation; without sessions there is no early data. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    use_credential(t->o, ctx) != 0) {
		t->err = MST_E_TLS;
		ERR_error_string_n(ERR_peek_last_error(), t->why, sizeof(t->why));
		ERR_clear_error();
		return -1;
	}
	return 0;
}

/* est.md L3 (RFC 5929 3), L4 (RFC 9266 2), L5. */
static size_t
binding_of(SSL *ssl, uint8_t out[BINDING_MAX])
{
	static const char label[] = "EXPORTER-Channel-Binding";

	if (SSL_version(ssl) == TLS1_3_VERSION)
		return SSL_export_keying_material(ssl, out, 32, label, sizeof(label) - 1,
		           (const unsigned char *)"", 0, 1) == 1
		           ? 32
		           : 0;
	/* Without the extended master secret tls-unique does not bind (RFC 7627 1). */
	if (SSL_version(ssl) != TLS1_2_VERSION || SSL_get_extms_support(ssl) != 1 ||
	    SSL_session_reused(ssl))
		return 0;
	return SSL_get_finished(ssl, out, BINDING_MAX) == 12 ? 12 : 0;
}

mst_err
http_tls_capture(struct http_tls *t, SSL *ssl)
{
	STACK_OF(X509) *certs = SSL_get_peer_cert_chain(ssl); /* at a client: with the EE */
	int n = sk_X509_num(certs);

	http_tls_wipe(t);
	if (n < 1 || n > MST_CHAIN_MAX) {
		snprintf(t->why, sizeof(t->why), "the server shows %d certificates", n < 0 ? 0 : n);
		return MST_E_X509_CHAIN;
	}
	for (int i = 0; i < n; i++) {
		int len = i2d_X509(sk_X509_value(certs, i), &t->der[i]);

		if (len <= 0) {
			http_tls_wipe(t);
			snprintf(t->why, sizeof(t->why), "a certificate of the server");
			return MST_E_X509;
		}
		t->chain.cert[i] = mst_span_of(t->der[i], (size_t)len);
		t->chain.count++;
	}
	t->binding_len = binding_of(ssl, t->binding);
	return MST_OK;
}
