/* SPDX-License-Identifier: Apache-2.0 */
/* muster voucher check on the published voucher: one change, one name (RFC 8995 5.6.1). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "cli/cli.h"
#include "unit/cli/support_run.h"

#define D "_00-D0-E5-F2-00-02"
#define SERIAL "00-D0-E5-F2-00-02"
#define NONCE "-_XE9zK9q8Ll1qylMtLKeg"
#define NOW "2021-04-20T00:00:00Z"

/* A good call, of which a row changes one thing; code NULL: accepted. */
static const struct row {
	const char *name, *file, *anchor, *serial, *nonce, *now, *code;
} rows[] = {
	{ "8.7 good voucher, base64", NULL, NULL, NULL, NULL, NULL, NULL },
	{ "8.7 good voucher, PEM", "brski-cms/voucher" D ".pkcs", NULL, NULL, NULL, NULL, NULL },
	{ "DM-2 nonce in hex", NULL, NULL, NULL, "fbf5c4f732bdabc2e5d6aca532d2ca7a", NULL, NULL },
	{ "DM-2 nonce in standard base64", NULL, NULL, NULL, "+/XE9zK9q8Ll1qylMtLKeg==", NULL,
	    NULL },
	{ "8.7.3 another serial", NULL, NULL, "00-D0-E5-F2-00-03", NULL, NULL, "MU-1204" },
	{ "8.7.5 another nonce", NULL, NULL, NULL, "-_XE9zK9q8Ll1qylMtLKeh", NULL, "MU-1207" },
	{ "8.7.2 another anchor", NULL, "brski-cms/ownerca_secp384r1.crt", NULL, NULL, NULL,
	    "MU-1203" },
	{ "8.7.6 within the skew of created-on", NULL, NULL, NULL, NULL, "2021-04-13T21:41:00Z",
	    NULL },
	{ "8.7.2 signer expired", NULL, NULL, NULL, NULL, "2026-01-01T00:00:00Z", "MU-1162" },
	{ "8.7.1 a request instead", "brski-cms/vr" D ".b64", NULL, NULL, NULL, NULL, "MU-1201" },
	{ "8.7.1 a certificate instead", "brski-cms/vendor.crt", NULL, NULL, NULL, NULL,
	    "MU-1170" },
	{ "8.7.1 compact JWS instead", "jws/voucher_01.b64", NULL, NULL, NULL, NULL, "MU-1170" },
#define COSE(nonce, serial, anchor)                                                                \
	"brski-cose/voucher.hex", anchor, serial, nonce, "2025-01-01T00:00:00Z"
#define JADA "JADA123456789"
	{ "8.7 good voucher, COSE", COSE("57eed786ad404907", JADA, "brski-cose/masa_ca.pem"),
	    NULL },
	{ "DM-2 COSE: the nonce in base64", COSE("V+7Xhq1ASQc=", JADA, "brski-cose/masa_ca.pem"),
	    NULL },
	{ "8.7.3 COSE: another serial",
	    COSE("57eed786ad404907", "JADA123456780", "brski-cose/masa_ca.pem"), "MU-1204" },
	{ "8.7.5 COSE: another nonce", COSE("23bfbbc9c2bcf213", JADA, "brski-cose/masa_ca.pem"),
	    "MU-1207" },
	{ "8.7.2 COSE: another anchor", COSE("57eed786ad404907", JADA, "brski-cose/domain_ca.pem"),
	    "MU-1202" },
	{ "8.7.1 COSE: a request instead", "brski-cose/rvr.hex", "brski-cose/masa_ca.pem", JADA,
	    "57eed786ad404907", "2025-01-01T00:00:00Z", "MU-1201" },
};
#define ROWS (sizeof rows / sizeof rows[0])

static const char * or (const char *a, const char *b)
{
	return a != NULL ? a : b;
}

static void
verdict(void **state)
{
	const struct row *w = *state;
	const char *file = vector_path(or (w->file, "brski-cms/voucher" D ".b64"));
	const char *anchor = vector_path(or (w->anchor, "brski-cms/vendor.crt"));
	struct ran *r;
	json_t *j;

	if (file == NULL || anchor == NULL)
		skip();
	r = run((const char *const[]){ "voucher", "check", file, "--anchor", anchor, "--serial",
	    or (w->serial, SERIAL), "--nonce", or (w->nonce, NONCE), "--now", or (w->now, NOW),
	    "--json", NULL });
	j = ran_json(r);
	if (w->code == NULL) {
		assert_int_equal(r->code, CLI_OK);
		assert_true(json_is_true(json_object_get(j, "accepted")));
		assert_true(json_is_true(json_object_get(j, "nonce_judged")));
	} else {
		assert_int_equal(r->code, CLI_REFUSED);
		assert_true(json_is_false(json_object_get(j, "accepted")));
		assert_string_equal(json_string_value(json_object_get(j, "code")), w->code);
		assert_non_null(json_object_get(j, "name"));
		assert_non_null(json_object_get(j, "clause"));
	}
	json_decref(j);
}

static void
without_nonce_it_is_said_not_to_be_judged(void **state)
{
	(void)state;
	const char *file = vector_path("brski-cms/voucher" D ".b64");
	const char *anchor = vector_path("brski-cms/vendor.crt");
	struct ran *r;

	if (file == NULL || anchor == NULL)
		skip();
	r = RUN("voucher", "check", file, "--anchor", anchor, "--serial", SERIAL, "--now", NOW);
	assert_int_equal(r->code, CLI_OK);
	assert_non_null(strstr(r->out, "nonce     not judged"));
}

static void
idevid_gives_the_serial(void **state)
{
	(void)state;
	const char *file = vector_path("brski-cms/voucher" D ".b64");
	const char *anchor = vector_path("brski-cms/vendor.crt");
	const char *idevid = vector_path("brski-cms/idevid" D ".crt");

	if (file == NULL || anchor == NULL || idevid == NULL)
		skip();
	assert_int_equal(RUN("voucher", "check", file, "--anchor", anchor, "--idevid", idevid,
	                     "--nonce", NONCE, "--now", NOW)
	                     ->code,
	    CLI_OK);
}

/* The last bytes are the signature. */
static void
a_changed_signature_is_refused(void **state)
{
	(void)state;
	const char *file = vector_path("brski-cms/voucher" D ".b64");
	const char *anchor = vector_path("brski-cms/vendor.crt");
	static char text[8192];
	FILE *f;
	size_t n;

	if (file == NULL || anchor == NULL)
		skip();
	f = fopen(file, "rb");
	assert_non_null(f);
	n = fread(text, 1, sizeof text, f);
	fclose(f);
	text[n - 30] = text[n - 30] == 'A' ? 'B' : 'A';
	assert_int_equal(RUN("voucher", "check", scratch_file("bad.b64", text, n), "--anchor",
	                     anchor, "--serial", SERIAL, "--now", NOW)
	                     ->code,
	    CLI_REFUSED);
}

static void
without_anchor_is_usage(void **state)
{
	(void)state;
	assert_int_equal(RUN("voucher", "check", "x", "--serial", SERIAL)->code, CLI_USAGE);
}

static void
without_device_is_usage(void **state)
{
	(void)state;
	assert_int_equal(RUN("voucher", "check", "x", "--anchor", "y")->code, CLI_USAGE);
}

static void
missing_file_is_not_found(void **state)
{
	(void)state;
	assert_int_equal(
	    RUN("voucher", "check", "/nonexistent", "--anchor", "y", "--serial", "s")->code,
	    CLI_NOT_FOUND);
}

int
main(void)
{
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test(without_nonce_it_is_said_not_to_be_judged),
		cmocka_unit_test(idevid_gives_the_serial),
		cmocka_unit_test(a_changed_signature_is_refused),
		cmocka_unit_test(without_anchor_is_usage),
		cmocka_unit_test(without_device_is_usage),
		cmocka_unit_test(missing_file_is_not_found),
	};
	enum { FIXED = sizeof fixed / sizeof fixed[0] };
	static struct CMUnitTest tests[FIXED + ROWS];

	memcpy(tests, fixed, sizeof fixed);
	for (size_t i = 0; i < ROWS; i++)
		tests[FIXED + i] = (struct CMUnitTest){ rows[i].name, verdict, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	return _cmocka_run_group_tests("voucher", tests, FIXED + ROWS, NULL, NULL);
}
