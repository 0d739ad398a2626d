/* SPDX-License-Identifier: Apache-2.0 */
/* Keys by URI; the token is SoftHSM in a folder of its own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "host/file.h"
#include "host/key.h"

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"

static char dir[] = "/tmp/muster-key-XXXXXX";
static int have_token;

static const char *
in(const char *name)
{
	static char path[2][128];
	static unsigned turn;
	char *s = path[turn++ % 2];

	snprintf(s, sizeof(path[0]), "%s/%s", dir, name);
	return s;
}

static void
put(const char *name, const char *text, unsigned mode)
{
	assert_int_equal(file_write_atomic(in(name), mst_span_str(text), mode), MST_OK);
	assert_int_equal(chmod(in(name), (mode_t)mode), 0);
}

/* PEM of a fresh key, with a passphrase or none. */
static void
put_pem(const char *name, EVP_PKEY *key, const char *pass, unsigned mode)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *text;
	long n;

	assert_int_equal(
	    PEM_write_bio_PKCS8PrivateKey(b, key, pass != NULL ? EVP_aes_128_cbc() : NULL, pass,
	        pass != NULL ? (int)strlen(pass) : 0, NULL, NULL),
	    1);
	n = BIO_get_mem_data(b, &text);
	assert_int_equal(file_write_atomic(in(name), mst_span_of(text, (size_t)n), mode), MST_OK);
	assert_int_equal(chmod(in(name), (mode_t)mode), 0);
	BIO_free(b);
}

static X509 *
cert_for(EVP_PKEY *key)
{
	X509 *c = X509_new();

	assert_non_null(c);
	assert_int_equal(X509_set_pubkey(c, key), 1);
	return c;
}

static void
opens(const char *uri)
{
	EVP_PKEY *key = NULL;
	mst_err e = key_open(uri, &key);

	if (e != MST_OK)
		print_error("%s: %s\n", uri, key_why());
	assert_int_equal(e, MST_OK);
	assert_non_null(key);
	EVP_PKEY_free(key);
}

static void
refused(const char *uri, mst_err want, const char *words)
{
	EVP_PKEY *key = NULL;

	assert_int_equal(key_open(uri, &key), want);
	assert_null(key);
	if (strstr(key_why(), words) == NULL)
		print_error("<%s> is not in <%s>\n", words, key_why());
	assert_non_null(strstr(key_why(), words));
}

static int
setup(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char cmd[1024];

	(void)state;
	if (mkdtemp(dir) == NULL || key == NULL)
		return -1;
	put_pem("good", key, NULL, 0600);
	put_pem("encrypted", key, "secret", 0600);
	EVP_PKEY_free(key);
	snprintf(cmd, sizeof(cmd),
	    "exec >/dev/null 2>&1; cd %s && mkdir tokens && "
	    "echo directories.tokendir = %s/tokens >softhsm.conf && export "
	    "SOFTHSM2_CONF=%s/softhsm.conf && "
	    "for t in one two; do "
	    "softhsm2-util --init-token --free --label $t --pin 1234 --so-pin 5678 && "
	    "pkcs11-tool --module " SOFTHSM " --login --pin 1234 --token-label $t "
	    "--keypairgen --key-type EC:prime256v1 --label k1 --id 01 || exit 1; done; "
	    "pkcs11-tool --module " SOFTHSM " --login --pin 1234 --token-label one "
	    "--keypairgen --key-type rsa:2048 --label r1 --id 02",
	    dir, dir, dir);
	have_token = system(cmd) == 0 && access("/usr/lib/x86_64-linux-gnu/engines-3", R_OK) == 0;
	snprintf(cmd, sizeof(cmd), "%s/softhsm.conf", dir);
	setenv("SOFTHSM2_CONF", cmd, 1);
	unsetenv("PKCS11_MODULE_PATH");
	if (!have_token)
		print_message("skip: softhsm2-util, pkcs11-tool or the pkcs11 engine is missing\n");
	return 0;
}

static int
teardown(void **state)
{
	char cmd[64];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static void
need_token(void)
{
	if (!have_token)
		skip();
}

static void
file_by_path_and_by_uri(void **state)
{
	char uri[160];

	(void)state;
	opens(in("good"));
	snprintf(uri, sizeof(uri), "file:%s", in("good"));
	opens(uri);
	snprintf(uri, sizeof(uri), "file://%s", in("good"));
	opens(uri);
}

static void
sec1_pem_with_parameters(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *b = BIO_new(BIO_s_mem());
	char *text;
	long n;

	(void)state;
	BIO_puts(
	    b, "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n");
	assert_int_equal(
	    PEM_write_bio_PrivateKey_traditional(b, key, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_get_mem_data(b, &text);
	assert_int_equal(file_write_atomic(in("sec1"), mst_span_of(text, (size_t)n), 0600), MST_OK);
	opens(in("sec1"));
	BIO_free(b);
	EVP_PKEY_free(key);
}

/* SEC-6: one row per bit that gives others access. */
static void
file_that_others_can_reach(void **state)
{
	static const unsigned modes[] = { 0640, 0620, 0610, 0604, 0602, 0601, 0644, 0777 };

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(chmod(in("good"), modes[i]), 0);
		refused(in("good"), MST_E_KEY_PERMISSIONS, "check permissions: ");
	}
	assert_int_equal(chmod(in("good"), 0400), 0);
	opens(in("good"));
	assert_int_equal(chmod(in("good"), 0600), 0);
}

static void
file_of_another_owner_is_judged_alike(void **state)
{
	(void)state;
	if (getuid() != 0) {
		print_message("skip: needs root to give a file away\n");
		skip();
	}
	assert_int_equal(chown(in("good"), 65534, 65534), 0);
	opens(in("good"));
	assert_int_equal(chmod(in("good"), 0640), 0);
	refused(in("good"), MST_E_KEY_PERMISSIONS, "0640");
	assert_int_equal(chmod(in("good"), 0600), 0);
	assert_int_equal(chown(in("good"), 0, 0), 0);
}

static void
file_missing(void **state)
{
	(void)state;
	refused(in("none"), MST_E_KEY_OPEN, "open file: ");
}

static void
file_is_a_folder(void **state)
{
	(void)state;
	refused(dir, MST_E_KEY_OPEN, "not a regular file");
}

static void
file_is_a_fifo(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(in("fifo"), 0600), 0);
	refused(in("fifo"), MST_E_KEY_OPEN, "not a regular file");
}

static void
file_encrypted(void **state)
{
	(void)state;
	refused(in("encrypted"), MST_E_KEY_OPEN, "encrypted with a passphrase");
}

static void
file_without_key(void **state)
{
	(void)state;
	put("text", "hello\n", 0600);
	refused(in("text"), MST_E_KEY_OPEN, "holds no PEM private key");
	put("empty", "", 0600);
	refused(in("empty"), MST_E_KEY_OPEN, "holds no PEM private key");
}

static void
file_too_large(void **state)
{
	static char big[40000];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	put("big", big, 0600);
	refused(in("big"), MST_E_KEY_OPEN, "too large");
}

static const struct {
	const char *uri, *words;
	mst_err err;
} bad_uris[] = {
	{ "", "empty", MST_E_KEY_URI },
	{ "file:", "empty", MST_E_KEY_URI },
	{ "file://host/key", "host", MST_E_KEY_URI },
	{ "https://host/key", "not a kind of key", MST_E_KEY_URI },
	{ "tpm2:handle=0x81000001", "tpm2", MST_E_UNSUPPORTED },
	{ "pkcs11:", "neither token nor object", MST_E_KEY_URI },
	{ "pkcs11:token", "\"token\"", MST_E_KEY_URI },
	{ "pkcs11:token=a;colour=b", "\"colour\"", MST_E_KEY_URI },
	{ "pkcs11:token=a;token=b", "\"token\"", MST_E_KEY_URI },
	{ "pkcs11:token=%4", "\"token\"", MST_E_KEY_URI },
	{ "pkcs11:token=%zz", "\"token\"", MST_E_KEY_URI },
	{ "pkcs11:token=a%00b", "\"token\"", MST_E_KEY_URI },
	{ "pkcs11:token=a?pin-value=1&pin-value=2", "\"pin-value\"", MST_E_KEY_URI },
	{ "pkcs11:token=a?pin-value=1&pin-source=/x", "exclude each other", MST_E_KEY_URI },
	{ "pkcs11:token=a?pin-source=|cat", "must be a file", MST_E_KEY_URI },
	{ "pkcs11:token=a?module-name=b", "\"module-name\"", MST_E_KEY_URI },
};

static void
bad_uri(void **state)
{
	size_t i = (size_t)(uintptr_t)*state;

	refused(bad_uris[i].uri, bad_uris[i].err, bad_uris[i].words);
	assert_non_null(strstr(key_why(), "parse URI: ") == key_why()
	                    ? key_why()
	                    : strstr(key_why(), "read PIN"));
}

static void
generated_key_is_private_and_new(void **state)
{
	EVP_PKEY *made = NULL, *again = NULL;
	struct stat st;

	(void)state;
	assert_int_equal(key_generate_file(in("made"), &made), MST_OK);
	assert_int_equal(stat(in("made"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(key_open(in("made"), &again), MST_OK);
	assert_int_equal(EVP_PKEY_eq(made, again), 1);
	EVP_PKEY_free(again);
	again = NULL;
	assert_int_equal(key_generate_file(in("made"), &again), MST_E_CONFLICT);
	assert_null(again);
	EVP_PKEY_free(made);
}

static void
key_matches_its_certificate_only(void **state)
{
	EVP_PKEY *a = EVP_EC_gen("P-256"), *b = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048);
	X509 *ca = cert_for(a), *crsa = cert_for(rsa);

	(void)state;
	assert_int_equal(key_matches(a, ca), MST_OK);
	assert_int_equal(key_matches(rsa, crsa), MST_OK);
	assert_int_equal(key_matches(b, ca), MST_E_KEY_MISMATCH);
	assert_int_equal(key_matches(rsa, ca), MST_E_KEY_MISMATCH);
	X509_free(ca);
	X509_free(crsa);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	EVP_PKEY_free(rsa);
}

static void
ed25519_matches(void **state)
{
	EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *c = cert_for(k);

	(void)state;
	assert_int_equal(key_matches(k, c), MST_OK);
	X509_free(c);
	EVP_PKEY_free(k);
}

struct trace {
	char text[1024];
	int leaked;
};

static void
record(void *arg, const char *step, mst_err e, const char *detail)
{
	struct trace *t = arg;
	size_t n = strlen(t->text);

	/* Not asserted here: a jump out of the callback would leave key.c's lock held. */
	t->leaked |= strstr(detail, "1234") != NULL || strstr(detail, "9999") != NULL;
	snprintf(t->text + n, sizeof(t->text) - n, "%s%s%s", n > 0 ? ", " : "", step,
	    e == MST_OK ? "" : "!");
}

static void
steps_are(const char *uri, mst_err want, const char *steps)
{
	struct trace t = { "", 0 };

	assert_int_equal(key_test(uri, record, &t), want);
	assert_string_equal(t.text, steps);
	assert_int_equal(t.leaked, 0); /* no PIN in words */
}

static void
test_names_the_steps_of_a_file(void **state)
{
	(void)state;
	steps_are(
	    in("good"), MST_OK, "parse URI, open file, check permissions, read key, sign, verify");
	steps_are(in("none"), MST_E_KEY_OPEN, "parse URI, open file!");
	steps_are(
	    in("encrypted"), MST_E_KEY_OPEN, "parse URI, open file, check permissions, read key!");
	steps_are("nothing:x", MST_E_KEY_URI, "parse URI!");
}

/* First of the token tests: SoftHSM stays logged in once a PIN was right. */
static void
pkcs11_wrong_pin(void **state)
{
	(void)state;
	need_token();
	steps_are("pkcs11:token=two;object=k1?pin-value=9999", MST_E_KEY_OPEN,
	    "parse URI, load module, find token, log in!");
	assert_non_null(strstr(key_why(), "log in: "));
	assert_non_null(strstr(key_why(), "PIN"));
	assert_null(strstr(key_why(), "9999"));
}

static void
pkcs11_without_pin(void **state)
{
	(void)state;
	need_token();
	steps_are("pkcs11:token=two;object=k1", MST_E_KEY_OPEN,
	    "parse URI, load module, find token, find key!");
	assert_non_null(strstr(key_why(), "without pin-value"));
}

static void
pkcs11_opens_and_signs(void **state)
{
	(void)state;
	need_token();
	steps_are("pkcs11:token=one;object=k1?pin-value=1234", MST_OK,
	    "parse URI, load module, find token, log in, find key, sign, verify");
	steps_are("pkcs11:token=one;id=%01?pin-value=1234&module-path=" SOFTHSM, MST_OK,
	    "parse URI, load module, find token, log in, find key, sign, verify");
	steps_are("pkcs11:token=one;object=r1;type=private?pin-value=%31234", MST_OK,
	    "parse URI, load module, find token, log in, find key, sign, verify");
}

static void
pkcs11_pin_from_file(void **state)
{
	char uri[256];

	(void)state;
	need_token();
	put("pin", "1234\n", 0600);
	snprintf(uri, sizeof(uri), "pkcs11:token=two;object=k1?pin-source=file:%s", in("pin"));
	steps_are(uri, MST_OK,
	    "parse URI, open file, check permissions, load module, find token, log in, find key, "
	    "sign, verify");
	assert_int_equal(chmod(in("pin"), 0644), 0);
	refused(uri, MST_E_KEY_PERMISSIONS, "check permissions");
	put("pin", "\n", 0600);
	refused(uri, MST_E_KEY_OPEN, "is empty");
}

static void
pkcs11_no_such_token(void **state)
{
	(void)state;
	need_token();
	steps_are("pkcs11:token=three;object=k1?pin-value=1234", MST_E_KEY_OPEN,
	    "parse URI, load module, find token!");
	assert_non_null(strstr(key_why(), "no token has the label \"three\""));
}

static void
pkcs11_no_such_key(void **state)
{
	(void)state;
	need_token();
	steps_are("pkcs11:token=one;object=k9?pin-value=1234", MST_E_KEY_OPEN,
	    "parse URI, load module, find token, log in, find key!");
}

static void
pkcs11_wrong_module(void **state)
{
	(void)state;
	steps_are("pkcs11:token=one?module-path=/nonexistent.so", MST_E_KEY_OPEN,
	    "parse URI, load module!");
	assert_non_null(strstr(key_why(), "/nonexistent.so"));
	steps_are(
	    "pkcs11:token=one?module-path=libm.so.6", MST_E_KEY_OPEN, "parse URI, load module!");
	assert_non_null(strstr(key_why(), "not a PKCS#11 module"));
}

static void
pkcs11_key_matches_certificate(void **state)
{
	EVP_PKEY *key = NULL, *other = NULL;
	X509 *c;

	(void)state;
	need_token();
	assert_int_equal(key_open("pkcs11:token=one;object=k1?pin-value=1234", &key), MST_OK);
	assert_int_equal(key_open("pkcs11:token=two;object=k1?pin-value=1234", &other), MST_OK);
	c = cert_for(key);
	assert_int_equal(key_matches(key, c), MST_OK);
	assert_int_equal(key_matches(other, c), MST_E_KEY_MISMATCH);
	X509_free(c);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

static void *
open_and_sign(void *arg)
{
	mst_err *e = arg;

	for (int i = 0; i < 20 && *e == MST_OK; i++)
		*e = key_test("pkcs11:token=one;object=k1?pin-value=1234", NULL, NULL);
	return NULL;
}

static void
pkcs11_from_threads(void **state)
{
	pthread_t t[4];
	mst_err e[4] = { MST_OK, MST_OK, MST_OK, MST_OK };

	(void)state;
	need_token();
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, open_and_sign, &e[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(e[i], MST_OK);
	}
}

int
main(void)
{
#define BAD (sizeof(bad_uris) / sizeof(bad_uris[0]))
	static char names[BAD][96];
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test(pkcs11_wrong_pin),
		cmocka_unit_test(pkcs11_without_pin),
		cmocka_unit_test(pkcs11_no_such_token),
		cmocka_unit_test(pkcs11_opens_and_signs),
		cmocka_unit_test(pkcs11_pin_from_file),
		cmocka_unit_test(pkcs11_no_such_key),
		cmocka_unit_test(pkcs11_wrong_module),
		cmocka_unit_test(pkcs11_key_matches_certificate),
		cmocka_unit_test(pkcs11_from_threads),
		cmocka_unit_test(file_by_path_and_by_uri),
		cmocka_unit_test(sec1_pem_with_parameters),
		cmocka_unit_test(file_that_others_can_reach),
		cmocka_unit_test(file_of_another_owner_is_judged_alike),
		cmocka_unit_test(file_missing),
		cmocka_unit_test(file_is_a_folder),
		cmocka_unit_test(file_is_a_fifo),
		cmocka_unit_test(file_encrypted),
		cmocka_unit_test(file_without_key),
		cmocka_unit_test(file_too_large),
		cmocka_unit_test(generated_key_is_private_and_new),
		cmocka_unit_test(key_matches_its_certificate_only),
		cmocka_unit_test(ed25519_matches),
		cmocka_unit_test(test_names_the_steps_of_a_file),
	};
	struct CMUnitTest tests[sizeof(fixed) / sizeof(fixed[0]) + BAD];
	size_t n = sizeof(fixed) / sizeof(fixed[0]);

	memcpy(tests, fixed, sizeof(fixed));
	for (size_t i = 0; i < BAD; i++) {
		snprintf(names[i], sizeof(names[i]), "RFC 7512 refused: %s", bad_uris[i].uri);
		tests[n + i] =
		    (struct CMUnitTest){ names[i], bad_uri, NULL, NULL, (void *)(uintptr_t)i };
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
