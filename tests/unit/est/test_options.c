/* SPDX-License-Identifier: Apache-2.0 */
/* What a site may switch on: HTTP Basic, serverkeygen, a required binding, a renewal window. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "host/file.h"
#include "host/password.h"
#include "unit/est/support_site.h"
#include "unit/keys/support_pki.h"

#define SERIAL "SN-0042"
#define POLICY "O=Acme,serialNumber=" SERIAL
#define PLAIN "O=Acme,CN=printer-1"

static struct site site;
static struct device_at_site dev;
static const char *users; /* path */
static char good_line[256]; /* of a user "a", without names */

static void
opened(void)
{
	site_open(&site);
	dev = site_device(&site, SERIAL);
}

static int
init(void **state)
{
	(void)state;
	site_init(&site);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	site_close(&site);
	site_wipe(&site);
	return 0;
}

static struct reply
post_as(X509 *cert, EVP_PKEY *key, const char *op, const char *body, const char *more)
{
	struct client c;
	struct reply r;

	client_open(&c, site.port, &(struct client_options){ .cert = cert, .key = key });
	r = ask(&c, op, TYPE_PKCS10, body, more);
	client_close(&c);
	return r;
}

static char *
basic(const char *user, const char *password)
{
	char *both = arena_printf(site.arena, "%s:%s", user, password);

	return arena_printf(
	    site.arena, "Authorization: Basic %s\r\n", text_of(site.arena, mst_span_str(both)));
}

static void
expect(X509 *cert, EVP_PKEY *key, const char *op, const char *body, const char *more, mst_err e)
{
	size_t before = site_certs(&site);
	struct reply r = post_as(cert, key, op, body, more);

	assert_refused(&r, e);
	assert_in_trail(&site, &r, e);
	reply_free(&r);
	assert_int_equal(site_certs(&site), before);
}

/* --- HTTP Basic --- */

static void
basic_user_enrols_A2(void **state)
{
	X509_NAME *want = a_name(PLAIN);
	struct cert_row *rows;
	struct reply r;
	X509 *cert;
	size_t n;

	(void)state;
	site.config.basic_file = users;
	opened();
	r = post_as(NULL, NULL, EST "/simpleenroll", csr_text(&site, a_key("P-256 a"), PLAIN),
	    basic("alice", "sesame"));
	cert = cert_of(&r);
	assert_int_equal(X509_NAME_cmp(X509_get_subject_name(cert), want), 0);
	assert_int_equal(
	    cert_rows(store_reader(site.store), site.arena, 0, 0, 10, &rows, &n), MST_OK);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].device, 0);
	assert_string_equal(rows[0].identity, "basic:alice");
	X509_NAME_free(want);
	X509_free(cert);
	reply_free(&r);
}

static void
basic_user_renews_with_the_certificate_alone_A3(void **state)
{
	struct reply r;
	X509 *cert;

	(void)state;
	site.config.basic_file = users;
	opened();
	r = post_as(NULL, NULL, EST "/simpleenroll", csr_text(&site, a_key("P-256 a"), PLAIN),
	    basic("alice", "sesame"));
	cert = cert_of(&r);
	reply_free(&r);
	expect(NULL, NULL, EST "/simplereenroll", csr_text(&site, a_key("P-256 b"), PLAIN),
	    basic("alice", "sesame"), MST_E_EST_CLIENT_CERT);
	r = post_as(cert, a_key("P-256 a"), EST "/simplereenroll",
	    csr_text(&site, a_key("P-256 b"), PLAIN), NULL);
	X509_free(cert_of(&r));
	reply_free(&r);
	X509_free(cert);
}

static void
basic_without_credentials_A2(void **state)
{
	struct reply r;

	(void)state;
	site.config.basic_file = users;
	opened();
	r = post_as(
	    NULL, NULL, EST "/simpleenroll", csr_text(&site, a_key("P-256 a"), PLAIN), NULL);
	assert_refused(&r, MST_E_HTTP_AUTH);
	assert_non_null(strstr(reply_header(&r, "WWW-Authenticate"), "Basic realm="));
	assert_int_equal(site_certs(&site), 0);
	reply_free(&r);
}

static void
basic_refusals_A2(void **state)
{
	static const char *const bad[][2] = { { "alice", "Sesame" }, { "alice", "" },
		{ "bob", "sesame" } };

	(void)state;
	site.config.basic_file = users;
	opened();
	for (size_t i = 0; i < 3; i++)
		expect(NULL, NULL, EST "/simpleenroll", csr_text(&site, a_key("P-256 a"), PLAIN),
		    basic(bad[i][0], bad[i][1]), MST_E_HTTP_AUTH);
}

static void
basic_malformed_A2(void **state)
{
	static const char *const bad[] = { "Authorization: Basic\r\n", "Authorization: Basic *\r\n",
		"Authorization: Basic YWxpY2U=\r\n",
		"Authorization: Digest username=\"alice\"\r\n" };

	(void)state;
	site.config.basic_file = users;
	opened();
	for (size_t i = 0; i < 4; i++)
		expect(NULL, NULL, EST "/simpleenroll", csr_text(&site, a_key("P-256 a"), PLAIN),
		    bad[i], MST_E_HTTP_AUTH);
}

static void
basic_source_that_fails_must_wait_A2(void **state)
{
	const char *csr;

	(void)state;
	site.config.basic_file = users;
	opened();
	csr = csr_text(&site, a_key("P-256 a"), PLAIN);
	for (int i = 0; i < 4; i++)
		expect(
		    NULL, NULL, EST "/simpleenroll", csr, basic("alice", "wrong"), MST_E_HTTP_AUTH);
	/* even with the right password: nothing is learnt while waiting */
	expect(NULL, NULL, EST "/simpleenroll", csr, basic("alice", "sesame"), MST_E_QUOTA);
}

/* A2: what the line does not say is another's, the user's own name too where others are said. */
static void
basic_names_of_the_line_A2(void **state)
{
	static const struct {
		const char *user, *password, *subject;
		mst_err want;
	} rows[] = {
		{ "alice", "sesame", "O=Acme,CN=printer-2", MST_E_CSR_NAME },
		{ "alice", "sesame", "O=Acme,CN=alice", MST_E_CSR_NAME },
		{ "alice", "sesame", "O=Acme,CN=carol", MST_E_CSR_NAME },
		{ "alice", "sesame", "O=Acme,OU=Board,CN=printer-1", MST_E_CSR_NAME },
		{ "carol", "sesame", "O=Acme,CN=printer-1", MST_E_CSR_NAME },
		{ "carol", "sesame", "O=Acme,CN=Carol", MST_E_CSR_NAME },
	};
	struct reply r;

	(void)state;
	site.config.basic_file = users;
	opened();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect(NULL, NULL, EST "/simpleenroll",
		    csr_text(&site, a_key("P-256 a"), rows[i].subject),
		    basic(rows[i].user, rows[i].password), rows[i].want);
	r = post_as(NULL, NULL, EST "/simpleenroll",
	    csr_text(&site, a_key("P-256 c"), "O=Acme,CN=carol"), basic("carol", "sesame"));
	X509_free(cert_of(&r));
	reply_free(&r);
	r = post_as(NULL, NULL, EST "/simpleenroll",
	    csr_text(&site, a_key("P-256 a"), "O=Acme,OU=Lab,CN=printer-1"),
	    basic("alice", "sesame"));
	X509_free(cert_of(&r));
	reply_free(&r);
}

/* RFC 7030 3.2.2: each label is a CA, and says itself whom it certifies. */
static void
label_is_for_whom_it_names_U2(void **state)
{
	struct reply r;
	X509 *cert;

	(void)state;
	site.config.basic_file = users;
	opened();
	expect(NULL, NULL, EST "/lab/simpleenroll", csr_text(&site, a_key("P-256 a"), PLAIN),
	    basic("alice", "sesame"), MST_E_EST_LABEL_DENIED);
	r = post_as(NULL, NULL, EST "/lab/simpleenroll",
	    csr_text(&site, a_key("P-256 c"), "O=Acme,CN=carol"), basic("carol", "sesame"));
	cert = cert_of(&r);
	reply_free(&r);
	r = post_as(cert, a_key("P-256 c"), EST "/lab/simplereenroll",
	    csr_text(&site, a_key("P-256 d"), "O=Acme,CN=carol"), NULL);
	X509_free(cert_of(&r));
	reply_free(&r);
	X509_free(cert);
}

static void
label_refuses_devices_of_others_U2(void **state)
{
	static const char *const others[] = { "zeta" };
	struct est_profile mine[2];

	(void)state;
	memcpy(mine, site.config.profiles, sizeof mine);
	mine[1].manufacturers = (struct est_names){ others, 1 };
	site.config.profiles = mine;
	opened();
	expect(dev.idevid, dev.key, EST "/lab/simpleenroll",
	    csr_text(&site, a_key("P-256 a"), POLICY), NULL, MST_E_EST_LABEL_DENIED);
	assert_int_equal(site_last_trail(&site, dev.id).err, MST_E_EST_LABEL_DENIED);
}

/* A4: who is taken off the file of users renews nothing; where Basic is off, the certificate
 * counts. */
static void
user_off_the_list_renews_nothing_A4(void **state)
{
	const char *others = arena_printf(site.arena, "bob%s\n", good_line + 1);
	struct reply r;
	X509 *cert;

	(void)state;
	site.config.basic_file = users;
	opened();
	r = post_as(NULL, NULL, EST "/simpleenroll", csr_text(&site, a_key("P-256 a"), PLAIN),
	    basic("alice", "sesame"));
	cert = cert_of(&r);
	reply_free(&r);
	site_close(&site);
	tpki_write("others", "users", mst_span_str(others));
	site.config.basic_file = arena_str(site.arena, mst_span_str(tpki_path("others", "users")));
	site_open(&site);
	expect(cert, a_key("P-256 a"), EST "/simplereenroll",
	    csr_text(&site, a_key("P-256 b"), PLAIN), NULL, MST_E_EST_USER_GONE);
	site_close(&site);
	site.config.basic_file = NULL;
	site_open(&site);
	r = post_as(cert, a_key("P-256 a"), EST "/simplereenroll",
	    csr_text(&site, a_key("P-256 b"), PLAIN), NULL);
	X509_free(cert_of(&r));
	reply_free(&r);
	X509_free(cert);
}

static mst_err
bar_alice(struct db *db, void *arg)
{
	(void)arg;
	return barred_add(db, &(struct barred){ .owner = "basic:alice", .at = 1, .by = "root" });
}

static mst_err
unbar_alice(struct db *db, void *arg)
{
	(void)arg;
	return barred_delete(db, "basic:alice");
}

/* A4: who is barred gets nothing, by password or by what it still holds; others do. */
static void
barred_user_gets_nothing_A4(void **state)
{
	struct reply r;
	X509 *cert;

	(void)state;
	site.config.basic_file = users;
	opened();
	r = post_as(NULL, NULL, EST "/simpleenroll", csr_text(&site, a_key("P-256 a"), PLAIN),
	    basic("alice", "sesame"));
	cert = cert_of(&r);
	reply_free(&r);
	assert_int_equal(store_write_wait(site.store, bar_alice, NULL), MST_OK);
	expect(NULL, NULL, EST "/simpleenroll", csr_text(&site, a_key("P-256 a"), PLAIN),
	    basic("alice", "sesame"), MST_E_EST_BARRED);
	expect(cert, a_key("P-256 a"), EST "/simplereenroll",
	    csr_text(&site, a_key("P-256 b"), PLAIN), NULL, MST_E_EST_BARRED);
	expect(cert, a_key("P-256 a"), EST "/simpleenroll",
	    csr_text(&site, a_key("P-256 b"), PLAIN), NULL, MST_E_EST_BARRED);
	r = post_as(NULL, NULL, EST "/simpleenroll",
	    csr_text(&site, a_key("P-256 c"), "O=Acme,CN=carol"), basic("carol", "sesame"));
	X509_free(cert_of(&r));
	reply_free(&r);
	assert_int_equal(store_write_wait(site.store, unbar_alice, NULL), MST_OK);
	r = post_as(cert, a_key("P-256 a"), EST "/simplereenroll",
	    csr_text(&site, a_key("P-256 b"), PLAIN), NULL);
	X509_free(cert_of(&r));
	reply_free(&r);
	X509_free(cert);
}

static struct cert_row
row_of(X509 *cert)
{
	const ASN1_INTEGER *n = X509_get0_serialNumber(cert);
	struct cert_row row;

	assert_int_equal(
	    cert_by_serial(store_reader(site.store), site.arena,
	        mst_span_of(ASN1_STRING_get0_data(n), (size_t)ASN1_STRING_length(n)), &row),
	    MST_OK);
	return row;
}

static X509 *
enrolled(const char *op, EVP_PKEY *key, const char *san)
{
	struct csr_spec spec = { .key = key, .subject = POLICY };
	struct reply r;
	X509 *cert;

	if (san != NULL)
		csr_add_ext(&spec, NID_subject_alt_name, san, 0);
	r = post_as(
	    dev.idevid, dev.key, op, text_of(site.arena, csr_make(site.arena, &spec)), NULL);
	cert = cert_of(&r);
	reply_free(&r);
	return cert;
}

/* SEC-3: a new bootstrap ends what was given before it, by whichever CA. */
static void
bootstrap_again_supersedes_former_certificates_SEC_3(void **state)
{
	X509 *old, *lab, *now;
	struct device d;

	(void)state;
	opened();
	old = enrolled(EST "/simpleenroll", a_key("P-256 a"), NULL);
	lab = enrolled(EST "/lab/simpleenroll", a_key("P-256 b"), "DNS:sn-0042");
	assert_int_equal(row_of(old).state, CERT_ISSUED); /* another CA's is no chain of its own */
	d = site_device_row(&site, dev.id);
	d.state = DEVICE_VOUCHER;
	d.voucher_at = time(NULL) + 10;
	site_device_save(&site, &d);
	now = enrolled(EST "/simpleenroll", a_key("P-256 c"), NULL);
	assert_int_equal(row_of(old).state, CERT_REVOKED);
	assert_int_equal(row_of(old).revoke_reason, 4); /* RFC 5280 5.3.1: superseded */
	assert_int_equal(row_of(lab).state, CERT_REVOKED);
	assert_int_equal(row_of(now).state, CERT_ISSUED);
	expect(old, a_key("P-256 a"), EST "/simplereenroll",
	    csr_text(&site, a_key("P-256 d"), POLICY), NULL, MST_E_TLS_LDEVID_REVOKED);
	X509_free(old);
	X509_free(lab);
	X509_free(now);
}

/* J2: one chain at one CA; the same CSR again is the same link of it (C5). */
static void
second_first_certificate_supersedes_the_first_J2(void **state)
{
	X509 *one, *again, *two, *renewed;
	struct reply r;

	(void)state;
	opened();
	one = enrolled(EST "/simpleenroll", a_key("P-256 a"), NULL);
	again = enrolled(EST "/simpleenroll", a_key("P-256 a"), NULL);
	assert_int_equal(X509_cmp(one, again), 0);
	assert_int_equal(row_of(one).state, CERT_ISSUED);
	two = enrolled(EST "/simpleenroll", a_key("P-256 b"), NULL);
	assert_int_equal(row_of(one).state, CERT_REVOKED);
	r = post_as(two, a_key("P-256 b"), EST "/simplereenroll",
	    csr_text(&site, a_key("P-256 c"), POLICY), NULL);
	renewed = cert_of(&r);
	reply_free(&r);
	assert_int_equal(row_of(two).state, CERT_ISSUED); /* a renewal leaves it until it ends */
	X509_free(one);
	X509_free(again);
	X509_free(two);
	X509_free(renewed);
}

static void
basic_user_has_no_device_name_EST_2(void **state)
{
	(void)state;
	site.config.basic_file = users;
	opened();
	expect(NULL, NULL, EST "/simpleenroll", csr_text(&site, a_key("P-256 a"), POLICY),
	    basic("alice", "sesame"), MST_E_CSR_SUBJECT);
}

static void
basic_does_not_outvote_a_refused_certificate_A2(void **state)
{
	(void)state;
	site.config.basic_file = users;
	opened();
	expect(pki()->client, pki()->client_key, EST "/simpleenroll",
	    csr_text(&site, a_key("P-256 a"), PLAIN), basic("alice", "sesame"),
	    MST_E_TLS_UNTRUSTED_MANUFACTURER);
}

static void
basic_key_of_another_user_EST_2(void **state)
{
	struct reply r;

	(void)state;
	site.config.basic_file = users;
	opened();
	r = post_as(NULL, NULL, EST "/simpleenroll", csr_text(&site, a_key("P-256 a"), PLAIN),
	    basic("alice", "sesame"));
	X509_free(cert_of(&r));
	reply_free(&r);
	expect(NULL, NULL, EST "/simpleenroll", csr_text(&site, a_key("P-256 a"), PLAIN),
	    basic("", "open"), MST_E_CSR_KEY_REUSED); /* RFC 7030 3.2.3: an empty user */
}

static void
basic_files_that_are_refused_A2(void **state)
{
	static const char *const bad[] = { "alice", "alice:sesame",
		"alice:pbkdf2-sha256$1$AA==$AA==", "\nalice:pbkdf2-sha256$10000$AAAA$AAAA\n",
		/* from a good line, its names */
		"", ",", "a,", "a,,b", " a", "a ", "a\tb" };
	struct est_config c;
	struct est *e;
	char *path;

	(void)state;
	opened();
	c = site.config;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const char *line =
		    i < 4 ? bad[i] : arena_printf(site.arena, "%s:%s", good_line, bad[i]);

		tpki_write("bad", "users", mst_span_str(line));
		path = arena_str(site.arena, mst_span_str(tpki_path("bad", "users")));
		c.basic_file = path;
		assert_int_equal(est_open(&c, &e), MST_E_CONFIG_VALUE);
		assert_non_null(strstr(est_why(), "line"));
	}
	c.basic_file = "/nonexistent/users";
	assert_int_equal(est_open(&c, &e), MST_E_NOT_FOUND);
}

/* --- serverkeygen --- */

/* The body of the n-th part, decoded. */
static mst_span
part(const struct reply *r, int n, const char *type)
{
	const char *boundary = strstr(r->head, "boundary=");
	char mark[64], *at = r->body, *end;
	mst_span der;

	assert_non_null(boundary);
	snprintf(mark, sizeof mark, "--%.24s", boundary + 9);
	for (int i = 0; i <= n; i++) {
		at = strstr(at, mark);
		assert_non_null(at);
		at += strlen(mark);
	}
	end = strstr(at, mark);
	assert_non_null(end);
	assert_non_null(strstr(at, type));
	assert_true(strstr(at, type) < end);
	assert_non_null(strstr(at, "Content-Transfer-Encoding: base64\r\n")); /* H5 */
	at = strstr(at, "\r\n\r\n");
	assert_non_null(at);
	assert_int_equal(
	    est_body_decode(site.arena, mst_span_of(at + 4, (size_t)(end - at - 4)), &der), MST_OK);
	return der;
}

static X509 *
keygen_answer(const struct reply *r, EVP_PKEY **key)
{
	STACK_OF(X509) *certs = NULL;
	const unsigned char *p;
	PKCS8_PRIV_KEY_INFO *info;
	mst_span der;
	X509 *cert;

	if (r->status != 200)
		fail_msg("%d: %s", r->status, r->body);
	assert_int_equal(
	    strncmp(reply_header(r, "Content-Type"), "multipart/mixed; boundary=", 26), 0);
	der = part(r, 0, "Content-Type: application/pkcs8\r\n");
	p = der.ptr;
	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.len); /* G2: PKCS#8 */
	assert_non_null(info);
	assert_ptr_equal(p, der.ptr + der.len);
	*key = EVP_PKCS82PKEY(info);
	assert_non_null(*key);
	PKCS8_PRIV_KEY_INFO_free(info);
	der = part(r, 1, "Content-Type: application/pkcs7-mime; smime-type=certs-only\r\n");
	assert_int_equal(certs_only_parse(der, &certs), MST_OK);
	assert_int_equal(sk_X509_num(certs), 1);
	cert = sk_X509_shift(certs);
	sk_X509_pop_free(certs, X509_free);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(cert), *key), 1);
	return cert;
}

static void
keygen_gives_a_pair_that_fits_G2(void **state)
{
	EVP_PKEY *a, *b;
	X509 *x, *y;
	struct reply r;

	(void)state;
	site.config.keygen = true;
	opened();
	r = post_as(dev.idevid, dev.key, EST "/serverkeygen",
	    csr_text(&site, a_key("P-256 a"), POLICY), NULL);
	x = keygen_answer(&r, &a);
	reply_free(&r);
	assert_int_equal(EVP_PKEY_eq(a, a_key("P-256 a")), 0); /* RFC 7030 4.4.1 */
	/* G4: the key is not kept, so a repeat is a new pair */
	r = post_as(dev.idevid, dev.key, EST "/serverkeygen",
	    csr_text(&site, a_key("P-256 a"), POLICY), NULL);
	y = keygen_answer(&r, &b);
	reply_free(&r);
	assert_int_equal(EVP_PKEY_eq(a, b), 0);
	assert_int_equal(site_last_trail(&site, dev.id).step, STEP_KEYGEN);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	X509_free(x);
	X509_free(y);
}

static void
keygen_takes_a_csr_with_a_bad_signature_15_9(void **state)
{
	struct csr_spec spec = {
		.key = a_key("P-256 a"), .signer = a_key("P-256 b"), .subject = POLICY
	};
	struct reply r;
	EVP_PKEY *key;

	(void)state;
	site.config.keygen = true;
	opened();
	r = post_as(dev.idevid, dev.key, EST "/serverkeygen",
	    text_of(site.arena, csr_make(site.arena, &spec)), NULL);
	X509_free(keygen_answer(&r, &key));
	EVP_PKEY_free(key);
	reply_free(&r);
}

static void
keygen_for_unknown_keys_G3(void **state)
{
	static const char *const oids[] = { "1.2.840.113549.1.9.16.2.37",
		"1.2.840.113549.1.9.16.2.54" };

	(void)state;
	site.config.keygen = true;
	opened();
	for (size_t i = 0; i < 2; i++) {
		struct csr_spec spec = { .key = a_key("P-256 a"), .subject = POLICY };

		csr_add_attr(&spec, oids[i], V_ASN1_OCTET_STRING, "id");
		expect(dev.idevid, dev.key, EST "/serverkeygen",
		    text_of(site.arena, csr_make(site.arena, &spec)), NULL, MST_E_KEYGEN_KEY_ID);
	}
}

static void
keygen_behind_the_gate_EST_3(void **state)
{
	struct device d;

	(void)state;
	site.config.keygen = true;
	opened();
	d = site_device_row(&site, dev.id);
	d.audit_verdict = 0;
	site_device_save(&site, &d);
	expect(dev.idevid, dev.key, EST "/serverkeygen", csr_text(&site, a_key("P-256 a"), POLICY),
	    NULL, MST_E_EST_GATE_AUDIT);
}

/* --- manual mode: EST-7 --- */

struct accepting {
	struct ca_order order;
	_Atomic int done;
	mst_err e;
};

static void
on_accepted(void *arg, mst_err e, mst_span der, const struct cert_row *row)
{
	struct accepting *a = arg;

	(void)der;
	(void)row;
	a->e = e;
	a->done = 1;
}

static void
accept_on_loop(void *arg)
{
	struct accepting *a = arg;

	ca_issue(site.loops[0], &a->order, on_accepted, a);
}

static struct cert_row
only_row(void)
{
	struct cert_row *rows;
	size_t n;

	assert_int_equal(
	    cert_rows(store_reader(site.store), site.arena, 0, 0, 10, &rows, &n), MST_OK);
	assert_int_equal(n, 1);
	return rows[0];
}

/* What an operator's accept does: the row's own fields, to the CA. */
static void
accept_order(const struct cert_row *row)
{
	struct accepting a = { .order = { .label = row->ca,
		                   .profile = row->profile,
		                   .subject = row->subject,
		                   .san = row->san,
		                   .spki = row->spki,
		                   .order_key = row->order_key,
		                   .device = row->device,
		                   .identity = row->identity } };

	net_post(net_loop_at(site.net, 0), accept_on_loop, &a);
	while (!a.done)
		usleep(1000);
	assert_int_equal(a.e, MST_OK);
}

static struct reply
post_good(void)
{
	return post_as(dev.idevid, dev.key, EST "/simpleenroll",
	    csr_text(&site, a_key("P-256 a"), POLICY), NULL);
}

static void
expect_pending(void)
{
	struct reply r = post_good();

	assert_refused(&r, MST_E_EST_PENDING);
	assert_string_equal(reply_header(&r, "Retry-After"), "7");
	assert_int_equal(only_row().state, CERT_ORDERED);
	reply_free(&r);
}

static void
manual_waits_over_a_restart_and_is_accepted_EST_7(void **state)
{
	struct cert_row row;
	struct reply r;
	X509 *cert;
	const ASN1_INTEGER *n;

	(void)state;
	site.config.manual = true;
	opened();
	expect_pending();
	assert_int_equal(site_last_trail(&site, dev.id).err, MST_E_EST_PENDING);
	assert_int_equal(site_device_row(&site, dev.id).state, DEVICE_VOUCHER);
	site_close(&site);
	site_open(&site);
	expect_pending();
	row = only_row();
	accept_order(&row);
	r = post_good();
	cert = cert_of(&r);
	n = X509_get0_serialNumber(cert);
	assert_true(mst_span_eq(
	    row.serial, mst_span_of(ASN1_STRING_get0_data(n), (size_t)ASN1_STRING_length(n))));
	assert_int_equal(only_row().state, CERT_ISSUED);
	assert_int_equal(site_device_row(&site, dev.id).state, DEVICE_ENROLLED);
	assert_int_equal(site_last_trail(&site, dev.id).err, MST_OK);
	X509_free(cert);
	reply_free(&r);
}

static mst_err
reject(struct db *db, void *arg)
{
	const struct cert_row *row = arg;

	return cert_revoke(db, row->serial, 0, 1800000000);
}

static void
manual_is_rejected_EST_7(void **state)
{
	struct cert_row row;
	struct reply r;

	(void)state;
	site.config.manual = true;
	opened();
	expect_pending();
	row = only_row();
	assert_int_equal(store_write_wait(site.store, reject, &row), MST_OK);
	r = post_good();
	assert_refused(&r, MST_E_X509_REVOKED);
	assert_null(only_row().der.ptr);
	reply_free(&r);
}

static void
manual_behind_the_gate_EST_3(void **state)
{
	struct device d;

	(void)state;
	site.config.manual = true;
	opened();
	d = site_device_row(&site, dev.id);
	d.audit_verdict = 0;
	site_device_save(&site, &d);
	expect(dev.idevid, dev.key, EST "/simpleenroll", csr_text(&site, a_key("P-256 a"), POLICY),
	    NULL, MST_E_EST_GATE_AUDIT);
}

static void
manual_makes_no_keys_G4(void **state)
{
	(void)state;
	site.config.manual = true;
	site.config.keygen = true;
	opened();
	expect(dev.idevid, dev.key, EST "/serverkeygen", csr_text(&site, a_key("P-256 a"), POLICY),
	    NULL, MST_E_EST_DISABLED);
}

/* --- binding, window --- */

static void
binding_required_L1(void **state)
{
	struct client c;
	struct reply r;
	mst_span der;

	(void)state;
	site.config.binding_required = true;
	opened();
	expect(dev.idevid, dev.key, EST "/simpleenroll", csr_text(&site, a_key("P-256 a"), POLICY),
	    NULL, MST_E_CSR_BINDING_MISSING);
	client_open(&c, site.port, NULL);
	r = ask(&c, EST "/csrattrs", NULL, NULL, NULL); /* then csrattrs MUST list it */
	assert_int_equal(r.status, 200);
	assert_int_equal(est_body_decode(site.arena, mst_span_of(r.body, r.len), &der), MST_OK);
	assert_non_null(memmem(der.ptr, der.len, "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07", 9));
	reply_free(&r);
	client_close(&c);
}

static void
status_optional_EST_3(void **state)
{
	struct device d;
	struct reply r;

	(void)state;
	site.config.status_optional = true;
	opened();
	d = site_device_row(&site, dev.id);
	d.voucher_status = -1;
	site_device_save(&site, &d);
	r = post_as(dev.idevid, dev.key, EST "/simpleenroll",
	    csr_text(&site, a_key("P-256 a"), POLICY), NULL);
	X509_free(cert_of(&r));
	reply_free(&r);
}

static void
renewal_before_its_time_R4(void **state)
{
	struct reply r;
	X509 *cert;

	(void)state;
	site.config.window_percent = 50;
	opened();
	r = post_as(dev.idevid, dev.key, EST "/simpleenroll",
	    csr_text(&site, a_key("P-256 a"), POLICY), NULL);
	cert = cert_of(&r);
	reply_free(&r);
	expect(cert, a_key("P-256 a"), EST "/simplereenroll",
	    csr_text(&site, a_key("P-256 b"), POLICY), NULL, MST_E_CSR_TOO_EARLY);
	X509_free(cert);
}

static int
group_setup(void **state)
{
	struct arena *a = arena_new(0);
	const char *one, *two;
	char *text;
	static char path[256];

	(void)state;
	site_keys_start();
	assert_int_equal(password_hash(a, MST_LIT("sesame"), &one), MST_OK);
	assert_int_equal(password_hash(a, MST_LIT("open"), &two), MST_OK);
	text = arena_printf(
	    a, "# people\nalice:%s:printer-1,Lab\r\n\n:%s:printer-1\ncarol:%s\n", one, two, one);
	snprintf(good_line, sizeof good_line, "a:%s", one);
	tpki_write("site", "users", mst_span_str(text));
	snprintf(path, sizeof path, "%s", tpki_path("site", "users"));
	users = path;
	arena_free(a);
	return 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	site_keys_stop();
	return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, init, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(basic_user_enrols_A2),
		T(basic_user_renews_with_the_certificate_alone_A3),
		T(basic_without_credentials_A2),
		T(basic_refusals_A2),
		T(basic_malformed_A2),
		T(basic_source_that_fails_must_wait_A2),
		T(basic_names_of_the_line_A2),
		T(label_is_for_whom_it_names_U2),
		T(label_refuses_devices_of_others_U2),
		T(user_off_the_list_renews_nothing_A4),
		T(barred_user_gets_nothing_A4),
		T(bootstrap_again_supersedes_former_certificates_SEC_3),
		T(second_first_certificate_supersedes_the_first_J2),
		T(basic_user_has_no_device_name_EST_2),
		T(basic_does_not_outvote_a_refused_certificate_A2),
		T(basic_key_of_another_user_EST_2),
		T(basic_files_that_are_refused_A2),
		T(keygen_gives_a_pair_that_fits_G2),
		T(keygen_takes_a_csr_with_a_bad_signature_15_9),
		T(keygen_for_unknown_keys_G3),
		T(keygen_behind_the_gate_EST_3),
		T(manual_waits_over_a_restart_and_is_accepted_EST_7),
		T(manual_is_rejected_EST_7),
		T(manual_behind_the_gate_EST_3),
		T(manual_makes_no_keys_G4),
		T(binding_required_L1),
		T(status_optional_EST_3),
		T(renewal_before_its_time_R4),
	};

	return cmocka_run_group_tests_name("est options", tests, group_setup, group_teardown);
}
