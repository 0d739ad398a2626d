/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of TLS: est.md section 5, brski.md TLS-1 to TLS-9. */
#include <string.h>

#include <openssl/err.h>

#include "server/net/net_internal.h"

/*
 * TLS says only that the client holds the key of the certificate it shows; who
 * it is, the trust room judges, per operation (T4). The result is left at an
 * error, so that code which asks SSL_get_verify_result instead of trust fails
 * closed.
 */
static int
accept_any_certificate(X509_STORE_CTX *ctx, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_APPLICATION_VERIFICATION);
	return 1;
}

/* RFC 7301 3.2: a client that offers ALPN without http/1.1 is told so. */
static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
    unsigned int inlen, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, outlen, ours, sizeof ours - 1, in, inlen) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static mst_err
set_policy(SSL_CTX *ctx)
{
	/*
	 * No session is resumed, though RFC 7030 3.3 would have it (T3, SHOULD):
	 * a ticket carries the client's leaf without its chain, so the trust room
	 * could not judge it; see docs/decisions/0010-net-own-http-reader.md.
	 */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                             SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
	                             SSL_OP_PRIORITIZE_CHACHA |
	                             SSL_OP_IGNORE_UNEXPECTED_EOF); /* bodies are length-delimited:
	                                                               a cut is seen without it */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_max_cert_list(ctx, 32768);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 0) != 1 || SSL_CTX_set_max_early_data(ctx, 0) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
	    SSL_CTX_set1_groups_list(ctx, "P-256:X25519:P-384:P-521") != 1)
		return MST_E_INTERNAL;
	return MST_OK;
}

static mst_err
set_credential(SSL_CTX *ctx, const struct net_listen *o)
{
	if (SSL_CTX_use_certificate(ctx, o->cert) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, o->key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
		return MST_E_KEY_MISMATCH;
	if (o->chain != NULL)
		for (int i = 0; i < sk_X509_num(o->chain); i++)
			if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(o->chain, i)) != 1)
				return MST_E_NOMEM;
	return MST_OK;
}

mst_err
tls_server(const struct net_listen *o, SSL_CTX **out)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	mst_err e;

	if (ctx == NULL)
		return MST_E_NOMEM;
	if ((e = set_policy(ctx)) != MST_OK || (e = set_credential(ctx, o)) != MST_OK) {
		net_set_why("TLS: %s", ERR_reason_error_string(ERR_peek_last_error()));
		ERR_clear_error();
		SSL_CTX_free(ctx);
		return e;
	}
	if (o->ask_client_cert) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_cert_verify_callback(ctx, accept_any_certificate, NULL);
	}
	*out = ctx;
	return MST_OK;
}

/* --- DTLS: brski.md 13.2, est.md X1 to X5 --- */

#define CCM8 "ECDHE-ECDSA-AES128-CCM8" /* in no default list: named, and looked for */

static mst_err
set_datagram_policy(SSL_CTX *ctx)
{
	/* SSL_OP_COOKIE_EXCHANGE is set where each session begins. No session is resumed, as above.
	 */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                             SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_max_cert_list(ctx, 32768);
	if (SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(
	        ctx, CCM8 ":ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384") != 1 ||
	    SSL_CTX_set1_groups_list(ctx, "P-256:X25519:P-384") != 1)
		return MST_E_INTERNAL;
	return MST_OK;
}

/* Newer OpenSSL may call 8-byte tags weak: better no start than pledges that find no suite. */
static bool
has_ccm8(const SSL_CTX *ctx)
{
	const STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);

	for (int i = 0; i < sk_SSL_CIPHER_num(all); i++)
		if (strcmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(all, i)), CCM8) == 0)
			return true;
	return false;
}

static bool
signs_ecdsa(EVP_PKEY *key)
{
	int id = EVP_PKEY_get_base_id(key);

	return id == EVP_PKEY_EC || id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448;
}

mst_err
tls_datagrams(const struct net_listen *o, SSL_CTX **out)
{
	SSL_CTX *ctx = SSL_CTX_new(DTLS_server_method());
	mst_err e;

	if (ctx == NULL)
		return MST_E_NOMEM;
	if ((e = set_datagram_policy(ctx)) != MST_OK || (e = set_credential(ctx, o)) != MST_OK) {
		net_set_why("DTLS: %s", ERR_reason_error_string(ERR_peek_last_error()));
		ERR_clear_error();
	} else if (!signs_ecdsa(o->key)) {
		net_set_why("DTLS: all suites are ECDSA, and the certificate's key is not of that "
		            "kind");
		e = MST_E_UNSUPPORTED;
	} else if (!has_ccm8(ctx)) {
		net_set_why("DTLS: this OpenSSL does not offer " CCM8);
		e = MST_E_UNSUPPORTED;
	}
	if (e != MST_OK) {
		SSL_CTX_free(ctx);
		return e;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_any_certificate, NULL);
	*out = ctx;
	return MST_OK;
}
