/* SPDX-License-Identifier: Apache-2.0 */
/* What a TLS client may offer: suites by their numbers (T1, T2), and names nobody looks at (TLS-4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <sys/socket.h>

#include "tests/unit/net/support_net.h"

static struct world shared;

static int
shared_start(void **state)
{
	(void)state;
	world_start(&shared, NULL, 1, 0);
	return 0;
}

static int
shared_stop(void **state)
{
	(void)state;
	world_stop(&shared);
	return 0;
}

/* --- suites: a ClientHello of our own, for OpenSSL has no words for the worst of them --- */

enum { HANDSHAKE = 22, ALERT = 21, FATAL = 2, HANDSHAKE_FAILURE = 40, PROTOCOL_VERSION = 70 };
#define SUITES_MAX 8

static const struct suite_row {
	const char *name;
	uint16_t version;
	uint16_t suites[SUITES_MAX]; /* of the IANA registry; 0 ends, NULL_NULL goes by itself */
	int alert; /* 0: served */
} suite_rows[] = {
	{ "T2 control: ECDHE_ECDSA AES_128_GCM is served", 0x0303, { 0xc02b }, 0 },
	{ "T2 control: a good one among the worst is chosen", 0x0303, { 0xc006, 0x0003, 0xc02b },
	    0 },
	{ "T2 NULL: ECDHE_ECDSA, ECDHE_RSA, RSA", 0x0303,
	    { 0xc006, 0xc010, 0x003b, 0x0002, 0x0001 }, HANDSHAKE_FAILURE },
	{ "T2 anonymous: ECDH_anon, DH_anon with CBC, GCM and RC4", 0x0303,
	    { 0xc018, 0xc019, 0x0034, 0x00a6, 0x006c, 0xc016 }, HANDSHAKE_FAILURE },
	{ "T2 anonymous and NULL at once", 0x0303, { 0xc015 }, HANDSHAKE_FAILURE },
	{ "T2 export: RSA, DHE, DH_anon of 40 bits", 0x0303,
	    { 0x0003, 0x0006, 0x0008, 0x0014, 0x0011, 0x0017, 0x0019 }, HANDSHAKE_FAILURE },
	{ "T2 CBC: ECDHE_ECDSA with SHA, SHA256, SHA384", 0x0303,
	    { 0xc009, 0xc00a, 0xc023, 0xc024 }, HANDSHAKE_FAILURE },
	{ "T2 CBC: ECDHE_RSA, DHE_RSA, RSA", 0x0303,
	    { 0xc013, 0xc014, 0xc027, 0x0033, 0x002f, 0x0035 }, HANDSHAKE_FAILURE },
	{ "T2 RC4 and 3DES", 0x0303, { 0xc007, 0xc008, 0xc011, 0x0005, 0x000a },
	    HANDSHAKE_FAILURE },
	{ "T2 no forward secrecy: RSA AES_GCM, static ECDH", 0x0303,
	    { 0x009c, 0x009d, 0xc02d, 0xc004 }, HANDSHAKE_FAILURE },
	{ "T2 a pre-shared key", 0x0303, { 0x00a8, 0xc035, 0xc037 }, HANDSHAKE_FAILURE },
	{ "T1 TLS 1.1", 0x0302, { 0xc009, 0xc00a, 0x002f }, PROTOCOL_VERSION },
	{ "T1 TLS 1.0", 0x0301, { 0xc009, 0xc00a, 0x002f }, PROTOCOL_VERSION },
	{ "T1 SSL 3.0", 0x0300, { 0x0035, 0x002f, 0x000a }, HANDSHAKE_FAILURE },
};

static size_t
client_hello(const struct suite_row *r, uint8_t *out, size_t cap)
{
	/* P-256, uncompressed points, ecdsa_secp256r1_sha256 */
	static const uint8_t extensions[] = { 0x00, 0x16, 0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00,
		0x17, 0x00, 0x0b, 0x00, 0x02, 0x01, 0x00, 0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x04,
		0x03 };
	uint8_t body[256];
	size_t n = 0, suites = 0;

	while (suites < SUITES_MAX && r->suites[suites] != 0)
		suites++;
	body[n++] = (uint8_t)(r->version >> 8);
	body[n++] = (uint8_t)r->version;
	memset(body + n, 0x5a, 32); /* random */
	n += 32;
	body[n++] = 0; /* no session */
	body[n++] = 0;
	body[n++] = (uint8_t)(2 * suites);
	for (size_t i = 0; i < suites; i++) {
		body[n++] = (uint8_t)(r->suites[i] >> 8);
		body[n++] = (uint8_t)r->suites[i];
	}
	body[n++] = 1; /* compression: none */
	body[n++] = 0;
	memcpy(body + n, extensions, sizeof extensions);
	n += sizeof extensions;
	assert_true(n + 9 <= cap);
	memcpy(out, (uint8_t[]){ HANDSHAKE, 3, 1, 0, (uint8_t)(n + 4), 1, 0, 0, (uint8_t)n }, 9);
	memcpy(out + 9, body, n);
	return n + 9;
}

static double
failures(void)
{
	return world_metric("muster_tls_handshakes_total{outcome=\"failed\"} ");
}

/* The alert leaves before the row is counted; the loop's thread does both. */
static void
counted(double want)
{
	for (int i = 0; i < 500 && failures() < want; i++)
		usleep(10000);
	assert_true(failures() == want);
}

static void
suites_are_judged(void **state)
{
	const struct suite_row *r = *state;
	double before = failures();
	uint8_t hello[300], got[7];
	struct client c;
	size_t n = client_hello(r, hello, sizeof hello);

	client_open(&c, shared.port, &(struct client_options){ .plain = true });
	assert_true(client_send(&c, hello, n));
	assert_int_equal(recv(c.fd, got, sizeof got, MSG_WAITALL), sizeof got);
	if (r->alert == 0) {
		assert_int_equal(got[0], HANDSHAKE);
		assert_int_equal(got[5], 2); /* ServerHello */
	} else {
		assert_int_equal(got[0], ALERT);
		assert_int_equal(got[5], FATAL);
		assert_int_equal(got[6], r->alert);
		assert_int_equal(recv(c.fd, got, 1, 0), 0); /* and hangs up */
	}
	client_close(&c);
	counted(before + 1); /* a client that leaves in the middle has failed, too */
	assert_int_equal(shared.handled, 0);
}

/* The same through a client that knows TLS: nothing below 1.2, nothing without ECDHE and AEAD. */
static void
old_tls_is_refused(void **state)
{
	static const struct {
		int version;
		const char *ciphers;
		bool ok;
	} tries[] = {
		{ TLS1_1_VERSION, "ALL:@SECLEVEL=0", false },
		{ TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0", false },
		{ TLS1_2_VERSION, "eNULL:aNULL:@SECLEVEL=0", false },
		{ TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", true },
		{ TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
		struct client c;
		SSL *tls;

		client_open(&c, shared.port, &(struct client_options){ .plain = true });
		c.ctx = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_min_proto_version(c.ctx, tries[i].version);
		SSL_CTX_set_max_proto_version(c.ctx, tries[i].version);
		assert_int_equal(SSL_CTX_set_cipher_list(c.ctx, tries[i].ciphers), 1);
		tls = SSL_new(c.ctx);
		SSL_set_fd(tls, c.fd);
		assert_int_equal(SSL_connect(tls) == 1, tries[i].ok);
		SSL_free(tls);
		client_close(&c);
	}
}

/* --- TLS-4: a registrar does not look at SNI --- */

static const struct name_row {
	const char *name, *sni;
} name_rows[] = {
	{ "TLS-4 no name", NULL },
	{ "TLS-4 its own name", "localhost" },
	{ "TLS-4 a name of somebody else", "registrar.example.com" },
	{ "TLS-4 an address, which RFC 6066 3 forbids", "127.0.0.1" },
	{ "TLS-4 a name that is none", "..//%00 \xc3\xa4" },
	{ "TLS-4 the longest name",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
};

static void
any_name_is_served_the_same(void **state)
{
	const struct name_row *r = *state;
	const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	for (size_t i = 0; i < 2; i++) {
		struct client c;
		struct reply a;
		X509 *shown;

		client_open(&c, shared.port,
		    &(struct client_options){ .version = versions[i],
		        .sni = r->sni,
		        .cert = pki()->client,
		        .key = pki()->client_key });
		shown = SSL_get0_peer_certificate(c.tls);
		assert_int_equal(X509_cmp(shown, pki()->server), 0);
		a = client_ask(&c, "GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n");
		assert_int_equal(a.status, 200);
		assert_string_equal(a.body, "device 1 0 50 127.0.0.1 own");
		reply_free(&a);
		client_close(&c);
	}
}

#define COUNT(rows) (sizeof rows / sizeof rows[0])

int
main(void)
{
	static struct CMUnitTest tests[COUNT(suite_rows) + COUNT(name_rows) + 1];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(suite_rows); i++)
		tests[n++] = (struct CMUnitTest){ suite_rows[i].name, suites_are_judged, NULL, NULL,
			(void *)(uintptr_t)&suite_rows[i] };
	for (size_t i = 0; i < COUNT(name_rows); i++)
		tests[n++] = (struct CMUnitTest){ name_rows[i].name, any_name_is_served_the_same,
			NULL, NULL, (void *)(uintptr_t)&name_rows[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(old_tls_is_refused);
	return cmocka_run_group_tests_name("net/tls", tests, shared_start, shared_stop);
}
