/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bad input in masses at the CoAPS side of a whole registrar (issue 3): each
 * kind is refused by name every time, counted every time, and leaves no memory
 * behind; a good device is served in between. JPY garbage and forged headers:
 * tests/unit/net/test_jpy.c, tests/unit/proxy/test_udp_stateless.c; floods by
 * multicast: tests/unit/discovery/test_wire.c, tests/e2e/discovery.bash.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/metrics.h"
#include "tests/twins/wires.h"

#define WARM_UP 100
#define STORM 1000
#define PER_SESSION 20
/*
 * Bytes that may be left of STORM of them: pages of the database (no more than
 * 60 rows a minute are of strangers), and the listener's spare association,
 * which is there or not yet, 80 KiB. 50 sessions would be 4 MiB.
 */
#define LEFT_BEHIND (192L * 1024)

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SANITIZED)
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

/* Bytes that are allocated and not freed: what is resident says less, under a sanitizer nothing. */
static long
allocated(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SANITIZED)
	return (long)__sanitizer_get_current_allocated_bytes();
#else
	struct mallinfo2 m = mallinfo2();

	return (long)(m.uordblks + m.hblkhd);
#endif
}

/* The sum of a family's samples whose labels contain both texts. */
static double
counted(const char *family, const char *one, const char *two)
{
	static char text[1 << 18];
	size_t n = metrics_text(text, sizeof text - 1);
	char *save, *line;
	double sum = 0;

	assert_true(n < sizeof text);
	text[n] = '\0';
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, family, strlen(family)) == 0 && strstr(line, one) != NULL &&
		    strstr(line, two) != NULL)
			sum += strtod(strrchr(line, ' '), NULL);
	return sum;
}

static bool
no_session_is_left(void)
{
	for (int i = 0; i < 2000; i++) {
		if (counted("muster_dtls_sessions{", "registrar", "") == 0)
			return true;
		usleep(5000);
	}
	return false;
}

/* --- kinds --- */

struct kind {
	const char *name;
	const char *path;
	long format, block1; /* -1: none */
	const char *payload;
	enum { KNOWN, STRANGER, ANONYMOUS } who;
	mst_err want;
	const char *family, *label; /* what counts it */
};
#define DECIDED "muster_decisions_total{"
static const struct kind kinds[] = {
	{ "13.1 a content-format that nobody knows", "/b/rv", 9999, -1, "x", KNOWN,
	    MST_E_MEDIA_UNSUPPORTED, DECIDED, "reason=\"media.unsupported\"" },
	{ "13.1 a wrong content-format", "/b/rv", 286, -1, "x", KNOWN, MST_E_MEDIA_UNSUPPORTED,
	    DECIDED, "reason=\"media.unsupported\"" },
	{ "CO-4 a block without its beginning", "/b/rv", 836, 3 << 4 | 4, "x", KNOWN,
	    MST_E_COAP_BLOCK, DECIDED, "reason=\"coap.block\"" },
	{ "RFC 7959 2.2 a block of size 7", "/b/rv", 836, 7, "x", KNOWN, MST_E_COAP_MALFORMED,
	    DECIDED, "reason=\"coap.malformed\"" },
	{ "13.1 a path that is none", "/b/nothing", 836, -1, "x", KNOWN, MST_E_HTTP_PATH, DECIDED,
	    "reason=\"http.path\"" },
	{ "8.2-1 rv with a certificate that nobody knows", "/b/rv", 836, -1, "x", STRANGER,
	    MST_E_TLS_UNTRUSTED_MANUFACTURER, DECIDED, "reason=\"tls.untrusted_manufacturer\"" },
	{ "A4 sen with a certificate that nobody knows", "/e/sen", 286, -1, "x", STRANGER,
	    MST_E_TLS_UNTRUSTED_MANUFACTURER, DECIDED, "reason=\"tls.untrusted_manufacturer\"" },
	{ "X3 no certificate", "/b/rv", 836, -1, "x", ANONYMOUS, MST_E_TLS_NO_CLIENT_CERT,
	    "muster_dtls_handshakes_total{", "outcome=\"no_client_cert\"" },
};

static const struct id *
client_of(const struct kind *k)
{
	switch (k->who) {
	case KNOWN: return &site.device[0];
	case STRANGER: return &site.stranger;
	case ANONYMOUS: break;
	}
	return NULL;
}

static void
ask_once(struct link *l, const struct kind *k)
{
	struct coap_ask q = { 2, k->path, NULL, k->format, -1, k->block1, -1,
		mst_span_str(k->payload) };
	struct coap_got g;

	coap_ask(&l->dtls, &q, &g);
	assert_int_equal(g.m.code, mst_err_info(k->want)->coap);
	assert_true(coap_says(&g, mst_err_info(k->want)->code));
}

/* So many of them, each refused by name. */
static void
storm(const struct kind *k, int n)
{
	int port = twins_port(ON_COAPS, USUAL);
	struct link l;

	while (n > 0) {
		if (!link_open(&l, ON_COAPS, port, client_of(k))) {
			assert_int_equal(k->who, ANONYMOUS);
			n--;
			continue;
		}
		assert_int_not_equal(k->who, ANONYMOUS);
		for (int i = 0; i < PER_SESSION && n > 0; i++, n--)
			ask_once(&l, k);
		link_close(&l);
	}
}

static void
a_good_device_is_served(void)
{
	struct twin_verdict v;
	struct twin t;

	twin_begin(&t, ON_COAPS, OP_PVR);
	twin_ask(&t, &v);
	assert_int_equal(v.status, 204);
	twin_end(&t);
}

static void
bad_input_is_named_counted_and_forgotten(void **state)
{
	const struct kind *k = *state;
	double before;
	long bytes;

	a_good_device_is_served();
	storm(k, WARM_UP);
	assert_true(no_session_is_left());
	(void)site_row("none"); /* what was to be written is written */
	bytes = allocated();
	before = counted(k->family, k->label, "registrar");
	storm(k, STORM);
	assert_true(no_session_is_left());
	/* the last handshake may be judged after its client has left: waited for, never exceeded */
	for (int i = 0; i < 1000 && counted(k->family, k->label, "registrar") < before + STORM; i++)
		usleep(5000);
	assert_true(counted(k->family, k->label, "registrar") == before + STORM);
	(void)site_row("none");
	bytes = allocated() - bytes;
	if (bytes > LEFT_BEHIND)
		fail_msg("%ld bytes are left of %d", bytes, STORM);
	a_good_device_is_served();
}

static int
setup(void **state)
{
	(void)state;
	twins_start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	twins_stop();
	return 0;
}

int
main(void)
{
	static struct CMUnitTest tests[sizeof kinds / sizeof kinds[0]];

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		tests[i] =
		    (struct CMUnitTest){ kinds[i].name, bad_input_is_named_counted_and_forgotten,
			    NULL, NULL, (void *)(uintptr_t)&kinds[i] };
	return _cmocka_run_group_tests(
	    "storm", tests, sizeof tests / sizeof tests[0], setup, teardown);
}
