/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords of HTTP Basic: what is stored, and what a client sends. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "host/password.h"

static struct arena *arena;
/* Of "sesame", with few rounds. Computed by Python's hashlib.pbkdf2_hmac, not by this program. */
#define STORED                                                                                     \
	"pbkdf2-sha256$10000$AAECAwQFBgcICQoLDA0ODw==$xgt8nWBA5w9EXaP/mwbC4/"                      \
	"J7ZWPWyciWSOZrDZzlBSw="

static void
foreign_hash_verifies_RFC_8018(void **state)
{
	(void)state;
	assert_int_equal(password_verify(MST_LIT("sesame"), STORED), MST_OK);
	assert_int_equal(password_verify(MST_LIT("Sesame"), STORED), MST_E_HTTP_AUTH);
	assert_int_equal(password_verify(MST_LIT("sesame "), STORED), MST_E_HTTP_AUTH);
	assert_int_equal(password_verify(MST_LIT(""), STORED), MST_E_HTTP_AUTH);
}

static void
hashes_are_salted_and_verify_A2(void **state)
{
	const char *a, *b;

	(void)state;
	assert_int_equal(password_hash(arena, MST_LIT("sesame"), &a), MST_OK);
	assert_int_equal(password_hash(arena, MST_LIT("sesame"), &b), MST_OK);
	assert_string_not_equal(a, b);
	assert_true(password_stored_ok(a));
	assert_int_equal(password_verify(MST_LIT("sesame"), a), MST_OK);
	assert_int_equal(password_verify(MST_LIT("sesam"), a), MST_E_HTTP_AUTH);
}

static void
unknown_user_is_refused_A2(void **state)
{
	(void)state;
	assert_int_equal(password_verify(MST_LIT("sesame"), NULL), MST_E_HTTP_AUTH);
	/* not even by the password that the stand-in's zeros could stand for */
	assert_int_equal(password_verify(MST_LIT(""), NULL), MST_E_HTTP_AUTH);
}

static void
lengths_that_are_refused_A2(void **state)
{
	uint8_t *big = calloc(1, 1025);
	const char *out;

	(void)state;
	assert_int_equal(password_hash(arena, MST_LIT(""), &out), MST_E_USAGE);
	assert_int_equal(password_hash(arena, mst_span_of(big, 1025), &out), MST_E_USAGE);
	assert_int_equal(password_verify(mst_span_of(big, 1025), STORED), MST_E_HTTP_AUTH);
	free(big);
}

static void
stored_forms_that_are_refused_A2(void **state)
{
	static const char *const bad[] = { "", "sesame", "pbkdf2-sha256$",
		"pbkdf2-sha256$10000$AA==",
		"pbkdf2-sha1$10000$AAECAwQFBgcICQoLDA0ODw==$xgt8nWBA5w9EXaP/mwbC4/"
		"J7ZWPWyciWSOZrDZzlBSw=",
		"pbkdf2-sha256$9999$AAECAwQFBgcICQoLDA0ODw==$xgt8nWBA5w9EXaP/mwbC4/"
		"J7ZWPWyciWSOZrDZzlBSw=",
		"pbkdf2-sha256$5000001$AAECAwQFBgcICQoLDA0ODw==$xgt8nWBA5w9EXaP/mwbC4/"
		"J7ZWPWyciWSOZrDZzlBSw=",
		"pbkdf2-sha256$-10000$AAECAwQFBgcICQoLDA0ODw==$xgt8nWBA5w9EXaP/mwbC4/"
		"J7ZWPWyciWSOZrDZzlBSw=",
		"pbkdf2-sha256$ "
		"10000$AAECAwQFBgcICQoLDA0ODw==$xgt8nWBA5w9EXaP/mwbC4/J7ZWPWyciWSOZrDZzlBSw=",
		"pbkdf2-sha256$10000$$xgt8nWBA5w9EXaP/mwbC4/J7ZWPWyciWSOZrDZzlBSw=",
		"pbkdf2-sha256$10000$AAECAwQFBgcICQoLDA0ODw==$AAAA",
		"pbkdf2-sha256$10000$AAECAwQFBgcICQoLDA0ODw==$xgt8nWBA5w9EXaP/mwbC4/"
		"J7ZWPWyciWSOZrDZzlBSw= " };

	(void)state;
	assert_true(password_stored_ok(STORED));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(password_stored_ok(bad[i]));
		assert_int_equal(password_verify(MST_LIT("sesame"), bad[i]), MST_E_HTTP_AUTH);
	}
}

static void
header_is_read_RFC_7617_2(void **state)
{
	static const struct {
		const char *text, *user, *password;
	} good[] = {
		{ "Basic YWxpY2U6c2VzYW1l", "alice", "sesame" },
		{ "bAsIc   YWxpY2U6c2VzYW1l", "alice", "sesame" },
		{ "Basic YTpiOmM=", "a", "b:c" },
		{ "Basic Onc=", "", "w" }, /* RFC 7030 3.2.3: an empty user is allowed */
		{ "Basic YTo=", "a", "" },
	};
	mst_span user, password;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_int_equal(password_basic(arena, good[i].text, &user, &password), MST_OK);
		assert_true(mst_span_eq(user, mst_span_str(good[i].user)));
		assert_true(mst_span_eq(password, mst_span_str(good[i].password)));
	}
}

static void
headers_that_are_refused_RFC_7617_2(void **state)
{
	static const char *const bad[] = { "", "Basic", "Basic ", "Basic *",
		"Basic YWxpY2U=", "Basic YWxpY2U6c2VzYW1l=", "Digest YWxpY2U6c2VzYW1l",
		"BasicYWxpY2U6c2VzYW1l", "Basic AWE6Yg==", "Basic YTpiAA==", "Basic YTpi\n" };
	mst_span user, password;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(password_basic(arena, bad[i], &user, &password), MST_E_HTTP_AUTH);
}

static int
setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_hash_verifies_RFC_8018),
		cmocka_unit_test(hashes_are_salted_and_verify_A2),
		cmocka_unit_test(unknown_user_is_refused_A2),
		cmocka_unit_test(lengths_that_are_refused_A2),
		cmocka_unit_test(stored_forms_that_are_refused_A2),
		cmocka_unit_test(header_is_read_RFC_7617_2),
		cmocka_unit_test(headers_that_are_refused_RFC_7617_2),
	};

	return cmocka_run_group_tests_name("host password", tests, setup, teardown);
}
