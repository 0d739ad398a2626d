/* SPDX-License-Identifier: Apache-2.0 */
/*
 * G4: of a key that serverkeygen made nothing is left behind. Every block that
 * the server's threads give back, ours (free is wrapped at link time), OpenSSL's
 * and libevent's (by their hooks), is copied aside as it goes; afterwards the
 * client, who got the key, looks for it there, in the database and in the log.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "host/log.h"
#include "unit/est/support_site.h"
#include "unit/keys/support_pki.h"

#define SUBJECT "O=Acme,serialNumber=SN-0042"

/* --- what was given back --- */

#define GIVEN_MAX ((size_t)64 << 20)
static uint8_t *given;
static atomic_size_t given_len;
static atomic_int watching; /* 1: the server's threads, 2: every thread */
static pthread_t client_thread;

static void
look(const void *p, size_t n)
{
	size_t at;

	if (p == NULL || atomic_load(&watching) <= pthread_equal(pthread_self(), client_thread))
		return;
	at = atomic_fetch_add(&given_len, n);
	if (at + n > GIVEN_MAX)
		abort(); /* a test that sees half is none */
	memcpy(given + at, p, n);
}

void __real_free(void *p);
void __wrap_free(void *p);

void
__wrap_free(void *p)
{
	look(p, malloc_usable_size(p));
	__real_free(p);
}

static void *
event_realloc(void *p, size_t n)
{
	void *q = malloc(n);

	if (q == NULL || p == NULL)
		return q;
	memcpy(q, p, malloc_usable_size(p) < n ? malloc_usable_size(p) : n);
	free(p);
	return q;
}

static void *
crypto_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(n);
}

static void *
crypto_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return event_realloc(p, n);
}

static void
crypto_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

/* --- the site --- */

static struct site site;
static struct device_at_site dev;
static int log_fd;

static bool is_open;

static int
keys_setup(void **state)
{
	(void)state;
	site_keys_start();
	return 0;
}

static int
keys_teardown(void **state)
{
	(void)state;
	site_keys_stop();
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	site_init(&site);
	site.config.keygen = true;
	site_open(&site);
	is_open = true;
	dev = site_device(&site, "SN-0042");
	log_fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(log_fd >= 0);
	log_open("test", LOG_JSON, LOG_DEBUG_, log_fd);
	return 0;
}

static void
close_site(void)
{
	if (is_open)
		site_close(&site);
	is_open = false;
}

static int
teardown(void **state)
{
	(void)state;
	atomic_store(&watching, 0);
	close_site();
	log_open("test", LOG_JSON, LOG_ERROR_, 2);
	close(log_fd);
	site_wipe(&site);
	return 0;
}

/* --- the key, as it may lie about --- */

struct key {
	uint8_t scalar[32], backwards[32]; /* as in DER, as in a BIGNUM */
	char text[41]; /* base64, from the middle of what was sent */
};

static struct key
key_of(const struct reply *r)
{
	/* of P-256 without attributes the scalar stands at octet 36: 48 characters of base64 */
	const char *at = strstr(r->body, "Content-Type: application/pkcs8\r\n");
	const unsigned char *p;
	PKCS8_PRIV_KEY_INFO *info;
	struct key k = { .text = "" };
	BIGNUM *d = NULL;
	EVP_PKEY *key;
	mst_span der;

	assert_non_null(at);
	at = strstr(at, "\r\n\r\n") + 4;
	memcpy(k.text, at + 48, 40);
	assert_int_equal(
	    est_body_decode(site.arena, mst_span_of(at, (size_t)(strstr(at, "\r\n") - at)), &der),
	    MST_OK);
	p = der.ptr;
	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.len);
	key = EVP_PKCS82PKEY(info);
	assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &d), 1);
	assert_int_equal(BN_bn2binpad(d, k.scalar, 32), 32);
	assert_int_equal(BN_bn2lebinpad(d, k.backwards, 32), 32);
	assert_memory_equal(der.ptr + 36, k.scalar, 32); /* so k.text is of the scalar */
	BN_free(d);
	EVP_PKEY_free(key);
	PKCS8_PRIV_KEY_INFO_free(info);
	return k;
}

static void
is_nowhere(const struct key *k, const uint8_t *bytes, size_t n, const char *where)
{
	if (memmem(bytes, n, k->scalar, 32) != NULL)
		fail_msg("the key's octets are in %s", where);
	if (memmem(bytes, n, k->backwards, 32) != NULL)
		fail_msg("the key as a number is in %s", where);
	if (memmem(bytes, n, k->text, 40) != NULL)
		fail_msg("the key's base64 is in %s", where);
}

static struct reply
keygen(int version)
{
	struct client c;
	struct reply r;

	client_open(&c, site.port,
	    &(struct client_options){ .version = version, .cert = dev.idevid, .key = dev.key });
	atomic_store(&given_len, 0);
	atomic_store(&watching, 1);
	r = ask(&c, EST "/serverkeygen", "application/pkcs10",
	    csr_text(&site, a_key("P-256 a"), SUBJECT), NULL);
	client_close(&c);
	if (r.status != 200)
		fail_msg("%d: %s", r.status, r.body);
	return r;
}

/* The end of connection and listener frees what the request's did not. */
static void
end_of_watch(void)
{
	atomic_store(&watching, 2);
	close_site();
	atomic_store(&watching, 0);
}

static void
freed_memory(void **state)
{
	struct reply r = keygen(*(const int *)*state);
	struct key k = key_of(&r);

	end_of_watch();
	assert_true(atomic_load(&given_len) > 10000);
	/* what is no secret is there, or this looks at nothing */
	assert_non_null(memmem(given, atomic_load(&given_len), "SN-0042", 7));
	is_nowhere(&k, given, atomic_load(&given_len), "freed memory");
	reply_free(&r);
}

static void
whole_file(const struct key *k, int fd, const char *name)
{
	off_t n = lseek(fd, 0, SEEK_END);
	uint8_t *bytes = test_malloc((size_t)n + 1);

	assert_int_equal(pread(fd, bytes, (size_t)n, 0), n);
	is_nowhere(k, bytes, (size_t)n, name);
	test_free(bytes);
}

static void
log_and_database(void **state)
{
	struct reply r = keygen(TLS1_3_VERSION);
	struct key k = key_of(&r);
	size_t files = 0;
	DIR *d = opendir("/proc/self/fd");
	struct dirent *f;

	(void)state;
	atomic_store(&watching, 0);
	assert_true(lseek(log_fd, 0, SEEK_END) > 100);
	whole_file(&k, log_fd, "the log");
	/* the store's files are open: database, log of writes, index */
	while ((f = readdir(d)) != NULL) {
		char target[512];
		ssize_t n = readlinkat(dirfd(d), f->d_name, target, sizeof target - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		if (strstr(target, "/db") == NULL && strstr(target, "-wal") == NULL)
			continue;
		whole_file(&k, atoi(f->d_name), target);
		files++;
	}
	closedir(d);
	assert_true(files >= 2);
	reply_free(&r);
}

/* The hooks see a secret that is not wiped, in each of the three ways. */
static void *
careless(void *arg)
{
	const struct key *k = arg;
	uint8_t *a = malloc(100), *b = OPENSSL_malloc(100);

	memcpy(a + 10, k->scalar, 32);
	memcpy(b + 10, k->text, 40);
	__asm__ volatile("" : : "r"(a), "r"(b) : "memory"); /* what dies is not left out */
	free(a);
	OPENSSL_free(b);
	return NULL;
}

static void
hooks_see(void **state)
{
	struct key k = { .text = "0123456789012345678901234567890123456789" };
	pthread_t t;

	(void)state;
	memset(k.scalar, 0xd5, 32);
	atomic_store(&given_len, 0);
	atomic_store(&watching, 1);
	assert_int_equal(pthread_create(&t, NULL, careless, &k), 0);
	pthread_join(t, NULL);
	atomic_store(&watching, 0);
	assert_non_null(memmem(given, atomic_load(&given_len), k.scalar, 32));
	assert_non_null(memmem(given, atomic_load(&given_len), k.text, 40));
}

int
main(void)
{
	static const int tls12 = TLS1_2_VERSION, tls13 = TLS1_3_VERSION;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hooks_see),
		{ "G4 no freed block holds the key, TLS 1.3", freed_memory, setup, teardown,
		    (void *)(uintptr_t)&tls13 },
		{ "G4 no freed block holds the key, TLS 1.2", freed_memory, setup, teardown,
		    (void *)(uintptr_t)&tls12 },
		{ "G4 neither log nor database holds the key", log_and_database, setup, teardown,
		    NULL },
	};

	if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1)
		abort();
	event_set_mem_functions(malloc, event_realloc, free);
	client_thread = pthread_self();
	given = mmap(NULL, GIVEN_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (given == MAP_FAILED)
		abort();
	return cmocka_run_group_tests_name("est G4", tests, keys_setup, keys_teardown);
}
