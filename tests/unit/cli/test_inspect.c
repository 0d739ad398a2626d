/* SPDX-License-Identifier: Apache-2.0 */
/* muster inspect: kind, format and exit code of every published file; words for people. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "unit/cli/support_run.h"

#define CERT "certificate", "x509"
#define KEY "private-key", "pkcs8"
#define D "_00-D0-E5-F2-00-02"

/* kind NULL: refused as unknown (MU-1170). */
static const struct row {
	const char *file, *kind, *format;
} rows[] = {
	{ "brski-cms/idevid" D ".cert", CERT },
	{ "brski-cms/idevid" D ".crt", CERT },
	{ "brski-cms/idevid" D ".key", KEY },
	{ "brski-cms/idevid" D ".txt", NULL, NULL },
	{ "brski-cms/idevid" D ".asn1.txt", NULL, NULL },
	{ "brski-cms/jrc_prime256v1.cert", CERT },
	{ "brski-cms/jrc_prime256v1.crt", CERT },
	{ "brski-cms/jrc_prime256v1.key", KEY },
	{ "brski-cms/masa.cert", CERT },
	{ "brski-cms/masa.crt", CERT },
	{ "brski-cms/masa.key", KEY },
	{ "brski-cms/masa_secp384r1.crt", CERT },
	{ "brski-cms/masa_secp384r1.key", KEY },
	{ "brski-cms/ownerca_secp384r1.cert", CERT },
	{ "brski-cms/ownerca_secp384r1.crt", CERT },
	{ "brski-cms/ownerca_secp384r1.key", KEY },
	{ "brski-cms/server_secp256k1.crt", CERT },
	{ "brski-cms/server_secp256k1.key", KEY },
	{ "brski-cms/vendor.cert", CERT },
	{ "brski-cms/vendor.crt", CERT },
	{ "brski-cms/vendor.key", KEY },
	{ "brski-cms/parboiled" D ".b64", "voucher-request", "cms+json" },
	{ "brski-cms/parboiled_vr" D ".b64", "voucher-request", "cms+json" },
	{ "brski-cms/parboiled_vr" D ".pkcs", "voucher-request", "cms+json" },
	{ "brski-cms/parboiled_vr" D ".json", "voucher-request", "json" },
	{ "brski-cms/parboiled_vr" D ".asn1.txt", NULL, NULL },
	{ "brski-cms/vr" D ".b64", "voucher-request", "cms+json" },
	{ "brski-cms/vr" D ".pkcs", "voucher-request", "cms+json" },
	{ "brski-cms/vr" D ".json", "voucher-request", "json" },
	{ "brski-cms/vr" D ".asn1.txt", NULL, NULL },
	{ "brski-cms/voucher" D ".b64", "voucher", "cms+json" },
	{ "brski-cms/voucher" D ".pkcs", "voucher", "cms+json" },
	{ "brski-cms/voucher" D ".json", "voucher", "json" },
	{ "brski-cms/voucher" D ".asn1.txt", NULL, NULL },
	{ "brski-cose/voucher.hex", "voucher", "cose+cbor" },
	{ "brski-cose/pvr.hex", "voucher-request", "cose+cbor" },
	{ "brski-cose/rvr.hex", "voucher-request", "cose+cbor" },
	{ "brski-cose/voucher-nonsigned.hex", "voucher", "cbor" },
	{ "brski-cose/pvr-nonsigned.hex", "voucher-request", "cbor" },
	{ "brski-cose/rvr-nonsigned.hex", "voucher-request", "cbor" },
	{ "brski-cose/pledge.der", CERT },
	{ "csrattrs/harkins01.csrattr.b64", "csrattrs", "csrattrs" },
	{ "csrattrs/harkins02.csrattr.b64", "csrattrs", "csrattrs" },
	{ "csrattrs/harkins03.csrattr.der", "csrattrs", "csrattrs" },
	{ "csrattrs/potato-example.csrattr.b64", "csrattrs", "csrattrs" },
	{ "csrattrs/realistic-acp.csrattr.der", "csrattrs", "csrattrs" },
	{ "csrattrs/rfc7030-example01.csrattr.b64", "csrattrs", "csrattrs" },
	{ "csrattrs/harkins01.csrattr.dump", NULL, NULL },
	{ "jws/voucher_01.b64", "voucher", "jws+json" },
	{ "jws/voucher_01-header.b64", "jws-header", "json" },
	{ "jws/voucher_01-payload.b64", "voucher", "json" },
	{ "jws/voucher_01-signature.b64", NULL, NULL },
	{ "jws/voucher_request_01.b64", "voucher-request", "jws+json" },
	{ "jws/voucher_request_01-header.b64", "jws-header", "json" },
	{ "jws/voucher_request_01-payload.b64", "voucher-request", "json" },
	{ "jws/voucher_request_01-signature.b64", NULL, NULL },
	{ "jws/parboiled_voucher_request_01.b64", "voucher-request", "jws+json" },
	{ "jws/parboiled_voucher_request_01-header.b64", "jws-header", "json" },
	{ "jws/parboiled_voucher_request_01-payload.b64", "voucher-request", "json" },
	{ "jws/parboiled_voucher_request_01-signature.b64", NULL, NULL },
	{ "idevid/cisco-sudi1/sudi.pem", CERT },
	{ "idevid/cisco-sudi1/00info.txt", CERT },
	{ "idevid/huawei-ek-iak/ek.pem", CERT },
	{ "idevid/huawei-ek-iak/iak.pem", CERT },
	{ "idevid/huawei-ek-iak/00info.txt", CERT },
};
#define ROWS (sizeof rows / sizeof rows[0])

static void
assert_member(const json_t *j, const char *key, const char *value)
{
	const char *s = json_string_value(json_object_get(j, key));

	assert_non_null(s);
	assert_string_equal(s, value);
}

static void
published(void **state)
{
	const struct row *w = *state;
	const char *path = vector_path(w->file);
	struct ran *r;
	json_t *j;

	if (path == NULL)
		skip();
	r = RUN("inspect", path, "--json");
	j = ran_json(r);
	if (w->kind == NULL) {
		assert_int_equal(r->code, CLI_REFUSED);
		assert_member(j, "code", "MU-1170");
	} else {
		assert_int_equal(r->code, CLI_OK);
		assert_member(j, "kind", w->kind);
		assert_member(j, "format", w->format);
		assert_true(json_array_size(json_object_get(j, "fields")) > 0);
		assert_true(json_array_size(json_object_get(j, "checks")) > 0);
	}
	json_decref(j);
}

/* The check of this name; fails when there is none. */
static const json_t *
check_of(const json_t *j, const char *name)
{
	size_t i;
	json_t *k;

	json_array_foreach(json_object_get(j, "checks"), i, k)
	{
		if (strcmp(json_string_value(json_object_get(k, "check")), name) == 0)
			return k;
	}
	fail_msg("no check %s", name);
	return NULL;
}

static json_t *
inspected(const char *file, const char *now)
{
	const char *path = vector_path(file);

	if (path == NULL)
		skip();
	return ran_json(RUN("inspect", path, "--json", "--now", now));
}

static void
cisco_serial_is_in_the_subject_ID_1(void **state)
{
	(void)state;
	json_t *j = inspected("idevid/cisco-sudi1/sudi.pem", "2026-11-23T00:00:00Z");

	assert_member(j, "serial_number", "PID:C9500-16X SN:FCW2117A56M");
	assert_member(j, "serial_rule", "subject");
	assert_true(json_is_true(json_object_get(check_of(j, "ID-1"), "ok")));
	assert_member(check_of(j, "ID-3"), "code", "MU-1165");
	json_decref(j);
}

static void
huawei_iak_needs_the_cn_rule_ID_2(void **state)
{
	(void)state;
	json_t *j = inspected("idevid/huawei-ek-iak/iak.pem", "2026-11-23T00:00:00Z");

	assert_member(j, "serial_rule", "cn");
	assert_member(check_of(j, "ID-1"), "code", "MU-2004");
	assert_member(check_of(j, "validity"), "code", "MU-1162");
	json_decref(j);
}

static void
tpm_ek_cannot_sign_ID_5(void **state)
{
	(void)state;
	json_t *j = inspected("idevid/huawei-ek-iak/ek.pem", "2026-11-23T00:00:00Z");

	assert_member(j, "role", "tpm-ek");
	assert_true(json_is_null(json_object_get(j, "serial_rule")));
	assert_member(check_of(j, "ID-5"), "code", "MU-1167");
	json_decref(j);
}

static void
words_for_people_name_the_clause(void **state)
{
	(void)state;
	const char *path = vector_path("brski-cms/voucher" D ".b64");
	struct ran *r;

	if (path == NULL)
		skip();
	r = RUN("inspect", path);
	assert_int_equal(r->code, CLI_OK);
	assert_non_null(strstr(r->out, "00-D0-E5-F2-00-02"));
	assert_non_null(strstr(r->out, "[RFC 8995 5.6.1]"));
}

static void
its_anchor_verifies_a_voucher(void **state)
{
	(void)state;
	const char *file = vector_path("brski-cms/voucher" D ".pkcs");
	const char *anchor = vector_path("brski-cms/vendor.crt");
	struct ran *r;
	json_t *j;

	if (file == NULL || anchor == NULL)
		skip();
	r = RUN("inspect", file, "--json", "--anchor", anchor, "--now", "2021-04-20T00:00:00Z");
	assert_int_equal(r->code, CLI_OK);
	j = ran_json(r);
	assert_true(json_is_true(json_object_get(j, "verified")));
	json_decref(j);
}

static void
another_anchor_is_exit_4(void **state)
{
	(void)state;
	const char *file = vector_path("brski-cms/voucher" D ".pkcs");
	const char *anchor = vector_path("brski-cms/ownerca_secp384r1.crt");
	struct ran *r;
	json_t *j;

	if (file == NULL || anchor == NULL)
		skip();
	r = RUN("inspect", file, "--json", "--anchor", anchor, "--now", "2021-04-20T00:00:00Z");
	assert_int_equal(r->code, CLI_REFUSED);
	j = ran_json(r);
	assert_true(json_is_false(json_object_get(j, "verified")));
	assert_member(check_of(j, "signer"), "code", "MU-1203");
	json_decref(j);
}

static void
cose_is_judged_by_its_anchor(void **state)
{
	(void)state;
	const char *file = vector_path("brski-cose/voucher.hex");
	const char *anchor = vector_path("brski-cose/masa_ca.pem");
	const char *other = vector_path("brski-cose/domain_ca.pem");
	struct ran *r;
	json_t *j;

	if (file == NULL || anchor == NULL || other == NULL)
		skip();
	r = RUN("inspect", file, "--json", "--anchor", anchor, "--now", "2025-01-01T00:00:00Z");
	assert_int_equal(r->code, CLI_OK);
	j = ran_json(r);
	assert_true(json_is_true(json_object_get(j, "verified")));
	assert_null(json_object_get(j, "diag")); /* not asked for */
	json_decref(j);
	assert_int_equal(RUN("inspect", file, "--anchor", other)->code, CLI_REFUSED);
	/* it carries no certificate: nothing is said of a signature that nobody can judge */
	j = ran_json(RUN("inspect", file, "--json"));
	assert_true(json_is_null(json_object_get(check_of(j, "signature"), "ok")));
	json_decref(j);
}

static void
diagnostic_notation_RFC_8949_8(void **state)
{
	(void)state;
	static const char map[] = "\xa2\x01\x82\x02\x03\x61\x78\xf5";
	const char *file = vector_path("brski-cose/pvr.hex");
	const char *own = scratch_file("m.cbor", map, sizeof map - 1);
	struct ran *r = RUN("inspect", own);

	assert_int_equal(r->code, CLI_OK);
	assert_non_null(strstr(r->out, "{1: [2, 3], \"x\": true}"));
	r = RUN("inspect", scratch_file("n", "\x18\x2a", 2), "--diag");
	assert_int_equal(r->code, CLI_OK);
	assert_non_null(strstr(r->out, "42"));
	r = RUN("inspect", scratch_file("t.json", "{\"version\":1,\"status\":true}", 27), "--diag");
	assert_int_equal(r->code, CLI_OK);
	assert_non_null(strstr(r->err, "no CBOR"));
	if (file == NULL)
		skip();
	r = RUN("inspect", file, "--diag");
	assert_int_equal(r->code, CLI_OK);
	assert_non_null(strstr(r->out, "<<{1: -7}>>"));
	assert_non_null(strstr(r->out, "13: \"JADA123456789\""));
}

static void
nothing_in_it_is_MU_1170(void **state)
{
	(void)state;
	struct ran *r = RUN("inspect", scratch_file("empty", "", 0), "--json");
	json_t *j = ran_json(r);

	assert_int_equal(r->code, CLI_REFUSED);
	assert_member(j, "code", "MU-1170");
	json_decref(j);
}

static void
wrong_now_is_usage(void **state)
{
	(void)state;
	assert_int_equal(RUN("inspect", "/dev/null", "--now", "yesterday")->code, CLI_USAGE);
}

static void
escape_sequences_do_not_reach_the_terminal(void **state)
{
	(void)state;
	static const char text[] = "{\"version\":1,\"status\":false,\"reason\":\"\\u001b[2Jgone\"}";
	struct ran *r = RUN("inspect", scratch_file("t.json", text, sizeof text - 1));

	assert_int_equal(r->code, CLI_OK);
	assert_null(strchr(r->out, '\033'));
	assert_non_null(strstr(r->out, "gone"));
}

int
main(void)
{
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test(cisco_serial_is_in_the_subject_ID_1),
		cmocka_unit_test(huawei_iak_needs_the_cn_rule_ID_2),
		cmocka_unit_test(tpm_ek_cannot_sign_ID_5),
		cmocka_unit_test(words_for_people_name_the_clause),
		cmocka_unit_test(its_anchor_verifies_a_voucher),
		cmocka_unit_test(another_anchor_is_exit_4),
		cmocka_unit_test(cose_is_judged_by_its_anchor),
		cmocka_unit_test(diagnostic_notation_RFC_8949_8),
		cmocka_unit_test(nothing_in_it_is_MU_1170),
		cmocka_unit_test(wrong_now_is_usage),
		cmocka_unit_test(escape_sequences_do_not_reach_the_terminal),
	};
	enum { FIXED = sizeof fixed / sizeof fixed[0] };
	static struct CMUnitTest tests[FIXED + ROWS];

	memcpy(tests, fixed, sizeof fixed);
	for (size_t i = 0; i < ROWS; i++)
		tests[FIXED + i] = (struct CMUnitTest){ rows[i].file, published, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	return _cmocka_run_group_tests("inspect", tests, FIXED + ROWS, NULL, NULL);
}
