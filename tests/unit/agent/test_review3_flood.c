/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that nobody has vouched for yet and that never stops talking
 * (RFC 8995 5.1, TLS-9). The DTLS half is played: it always has another
 * message, sooner than the client looks at its clock.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "agent/coaps.h"
#include "agent/coaps_dtls.h"
#include "host/clock.h"

#define MORE_THAN_ENOUGH 20000000 /* then the server is gone, which is another end */

static mst_span says; /* again and again */
static long said;

mst_err
coaps_dtls_open(struct coaps_dtls *d, const struct coaps_options *o, int64_t end_us)
{
	(void)o;
	(void)end_us;
	*d = (struct coaps_dtls){ .fd = -1 };
	said = 0;
	return MST_OK;
}

void
coaps_dtls_close(struct coaps_dtls *d)
{
	(void)d;
}

mst_err
coaps_dtls_send(struct coaps_dtls *d, mst_span message)
{
	(void)d;
	(void)message;
	return MST_OK;
}

mst_err
coaps_dtls_receive(
    struct coaps_dtls *d, int64_t until_us, uint8_t room[COAPS_DATAGRAM], mst_span *message)
{
	(void)d;
	(void)until_us;
	(void)room;
	if (++said > MORE_THAN_ENOUGH)
		return MST_E_TLS;
	*message = says;
	return MST_OK;
}

/* What the exchange comes to when its time is over. */
static mst_err
flooded(mst_span with, int64_t idle_us)
{
	struct coaps_request r = { false, "x", -1, -1, MST_NONE };
	struct coaps_options o = { .base = "coaps://[::1]:5684",
		.cert = X509_new(),
		.key = EVP_PKEY_new(),
		.idle_us = idle_us,
		.fragment = 1024,
		.block = 256 };
	struct arena *a = arena_new(0);
	struct coaps_patience p;
	struct coaps_client *c;
	struct coaps_answer an;
	mst_err e;

	says = with;
	assert_int_equal(coaps_open(&o, clock_mono_us(), &c), MST_OK);
	for (int64_t from = clock_mono_us(); clock_mono_us() == from;)
		;
	p = (struct coaps_patience){ 20000, clock_mono_us() + 20000 };
	e = coaps_exchange(c, a, &r, &p, 1024, &an);
	coaps_close(c);
	arena_free(a);
	X509_free(o.cert);
	EVP_PKEY_free(o.key);
	return e;
}

static void
RFC8995_5_1_a_flood_of_what_is_no_message_is_left(void **state)
{
	(void)state;
	assert_int_equal(flooded(MST_LIT("\x13\x37"), 0), MST_E_TIMEOUT);
}

static void
RFC8995_5_1_a_flood_of_answers_to_others_is_left(void **state)
{
	(void)state;
	assert_int_equal(flooded(MST_LIT("\x52\x45\0\1ab"), 0), MST_E_TIMEOUT);
}

/* Nobody answered the ping, so nobody is there any more. */
static void
RFC8995_5_1_a_flood_behind_a_ping_is_left(void **state)
{
	(void)state;
	assert_int_equal(flooded(MST_LIT("\x52\x45\0\1ab"), 1), MST_E_UNREACHABLE);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(RFC8995_5_1_a_flood_of_what_is_no_message_is_left),
		cmocka_unit_test(RFC8995_5_1_a_flood_of_answers_to_others_is_left),
		cmocka_unit_test(RFC8995_5_1_a_flood_behind_a_ping_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
