/* SPDX-License-Identifier: Apache-2.0 */
/* est.md A4: a certificate that is revoked while its renewal waits for the store renews nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>

#include "unit/est/support_site.h"

#define SERIAL "SN-0042"
#define POLICY "O=Acme,serialNumber=" SERIAL

static struct site site;
static struct device_at_site dev;
static sem_t inside, go;

static int
setup(void **state)
{
	(void)state;
	sem_init(&inside, 0, 0);
	sem_init(&go, 0, 0);
	site_init(&site);
	site_open(&site);
	dev = site_device(&site, SERIAL);
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

static mst_err
hold(struct db *db, void *arg)
{
	(void)db;
	(void)arg;
	sem_post(&inside);
	sem_wait(&go);
	return MST_OK;
}

static mst_err
revoke(struct db *db, void *arg)
{
	const ASN1_INTEGER *n = X509_get0_serialNumber(arg);

	return cert_revoke(db, mst_span_of(ASN1_STRING_get0_data(n), (size_t)ASN1_STRING_length(n)),
	    1, time(NULL));
}

struct work {
	store_job job;
	void *arg;
	mst_err e;
};

static void *
write_it(void *arg)
{
	struct work *w = arg;

	w->e = store_write_wait(site.store, w->job, w->arg);
	return NULL;
}

struct renewal {
	struct client c;
	const char *csr;
	struct reply r;
};

static void *
renew(void *arg)
{
	struct renewal *n = arg;

	n->r = ask(&n->c, EST "/simplereenroll", TYPE_PKCS10, n->csr, NULL);
	return NULL;
}

/* Until so many jobs wait behind the one that holds the writer. */
static void
await_backlog(size_t n)
{
	const struct timespec pause = { 0, 2000000 };

	for (int i = 0; i < 5000 && store_backlog(site.store) < n; i++)
		nanosleep(&pause, NULL);
	assert_true(store_backlog(site.store) >= n);
}

static X509 *
enrol(EVP_PKEY *key)
{
	struct client c;
	struct reply r;
	X509 *cert;

	client_open(&c, site.port, &(struct client_options){ .cert = dev.idevid, .key = dev.key });
	r = ask(&c, EST "/simpleenroll", TYPE_PKCS10, csr_text(&site, key, POLICY), NULL);
	cert = cert_of(&r);
	reply_free(&r);
	client_close(&c);
	return cert;
}

static void
revoked_while_it_waits_A4(void **state)
{
	X509 *a = enrol(a_key("P-256 a"));
	struct renewal n = { .csr = csr_text(&site, a_key("P-256 b"), POLICY) };
	struct work holding = { hold, NULL, MST_OK }, revoking = { revoke, a, MST_OK };
	pthread_t t[3];
	size_t base;

	(void)state;
	client_open(
	    &n.c, site.port, &(struct client_options){ .cert = a, .key = a_key("P-256 a") });
	assert_int_equal(pthread_create(&t[0], NULL, write_it, &holding), 0);
	sem_wait(&inside);
	base = store_backlog(site.store);
	assert_int_equal(pthread_create(&t[1], NULL, renew, &n), 0);
	await_backlog(base + 1); /* judged, and ordered behind us */
	assert_int_equal(pthread_create(&t[2], NULL, write_it, &revoking), 0);
	await_backlog(base + 2);
	sem_post(&go);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(revoking.e, MST_OK);
	assert_refused(&n.r, MST_E_TLS_LDEVID_REVOKED);
	reply_free(&n.r);
	client_close(&n.c);
	X509_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(revoked_while_it_waits_A4, setup, teardown),
	};
	int failed;

	site_keys_start();
	failed = cmocka_run_group_tests_name("revocation and renewal", tests, NULL, NULL);
	site_keys_stop();
	return failed;
}
