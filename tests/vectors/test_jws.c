/* SPDX-License-Identifier: Apache-2.0 */
/* Published JWS vouchers (brski.md section 21, V5). The files are of the compact form of before
 * 2021. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cert.h"
#include "host/envelope.h"
#include "unit/host/support_pki.h"

struct row {
	const char *name, *file;
	enum mst_voucher_kind kind;
	const char *cn;
};
static const struct row rows[] = {
	{ "V5 PVR", "voucher_request_01", MST_VOUCHER_REQUEST, "JingJingDevice" },
	{ "V5 RVR", "parboiled_voucher_request_01", MST_VOUCHER_REQUEST, "Registrar" },
	{ "V5 voucher", "voucher_01", MST_VOUCHER, "JingJingCorp Voucher Signing Key" },
};

static char *
compact(struct arena *a, const char *name)
{
	mst_span text = vector_read(arena_printf(a, "jws/%s.b64", name));
	char *copy;

	if (text.ptr == NULL)
		skip();
	copy = arena_str(a, text);
	copy[strcspn(copy, "\r\n")] = '\0';
	free((void *)(uintptr_t)text.ptr);
	return copy;
}

/* The same signature in the general form. */
static mst_span
general(struct arena *a, const char *name)
{
	char *header = compact(a, name), *payload = strchr(header, '.'), *sig;

	assert_non_null(payload);
	*payload++ = '\0';
	sig = strchr(payload, '.');
	assert_non_null(sig);
	*sig++ = '\0';
	return mst_span_str(arena_printf(a,
	    "{\"payload\":\"%s\",\"signatures\":[{\"protected\":\"%s\",\"signature\":\"%s\"}]}",
	    payload, header, sig));
}

static void
verifies_in_the_general_form(void **state)
{
	const struct row *row = *state;
	struct arena *a = arena_new(0);
	struct envelope env;

	assert_int_equal(
	    envelope_open(a, MST_MEDIA_JWS_JSON, row->kind, general(a, row->file), NULL, &env),
	    MST_OK);
	assert_true(mst_span_eq(env.claims.serial, MST_LIT("0123456789")));
	assert_true(mst_span_eq(env.claims.nonce_text, MST_LIT("eDs++/FuDHGUnRxN3E14CQ==")));
	assert_int_equal(env.claims.nonce.len, 16);
	assert_non_null(strstr(cert_subject(a, env.signer), row->cn));
	arena_free(a);
}

static void
compact_form_is_refused(void **state)
{
	const struct row *row = *state;
	struct arena *a = arena_new(0);
	struct envelope env;

	assert_int_equal(envelope_open(a, MST_MEDIA_JWS_JSON, row->kind,
	                     mst_span_str(compact(a, row->file)), NULL, &env),
	    MST_E_JWS);
	arena_free(a);
}

static void
damaged_payload_is_refused(void **state)
{
	const struct row *row = *state;
	struct arena *a = arena_new(0);
	mst_span text = general(a, row->file);
	uint8_t *at = memmem(text.ptr, text.len, "payload\":\"", 10);
	struct envelope env;

	at[20] = at[20] == 'A' ? 'B' : 'A';
	assert_int_equal(envelope_open(a, MST_MEDIA_JWS_JSON, row->kind, text, NULL, &env),
	    MST_E_VOUCHER_SIGNATURE);
	arena_free(a);
}

static void
the_registrar_chains_to_the_pin(void **state)
{
	const struct mst_clock then = { MST_CLOCK_TRUSTED, INT64_C(1603334259) };
	struct arena *a = arena_new(0);
	struct envelope rvr, v;

	(void)state;
	assert_int_equal(envelope_open(a, MST_MEDIA_JWS_JSON, MST_VOUCHER_REQUEST,
	                     general(a, rows[1].file), NULL, &rvr),
	    MST_OK);
	assert_int_equal(
	    envelope_open(a, MST_MEDIA_JWS_JSON, MST_VOUCHER, general(a, rows[2].file), NULL, &v),
	    MST_OK);
	/* the pin is the domain's CA; the RVR's signer has cmcRA below it */
	assert_int_equal(
	    pin_judge(v.claims.pinned_cert, MST_NONE, MST_NONE, rvr.signer, rvr.certs, &then),
	    MST_OK);
	assert_int_equal(
	    pin_judge(v.claims.pinned_cert, MST_NONE, MST_NONE, v.signer, v.certs, &then),
	    MST_E_VOUCHER_TLS_CHAIN);
	arena_free(a);
}

int
main(void)
{
	const struct {
		const char *what;
		CMUnitTestFunction fn;
	} kinds[] = {
		{ "verifies in the general form", verifies_in_the_general_form },
		{ "JWS-1 compact form is refused", compact_form_is_refused },
		{ "JWS-3 damaged payload is refused", damaged_payload_is_refused },
	};
	struct CMUnitTest tests[10];
	static char names[9][80];
	size_t n = 0;

	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; i < 3; i++, n++) {
			(void)snprintf(
			    names[n], sizeof(names[n]), "%s %s", rows[i].name, kinds[k].what);
			tests[n] = (struct CMUnitTest){ names[n], kinds[k].fn, NULL, NULL,
				(void *)(uintptr_t)&rows[i] };
		}
	tests[n] = (struct CMUnitTest){ "V5 8.7.9 the registrar chains to the pin",
		the_registrar_chains_to_the_pin, NULL, NULL, NULL };
	vectors_or_skip("jws", tests, sizeof tests / sizeof tests[0]);
	return cmocka_run_group_tests_name("jws vectors", tests, NULL, NULL);
}
