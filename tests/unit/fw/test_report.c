/* SPDX-License-Identifier: Apache-2.0 */
/* report verify: a true report is believed as far as it goes, each lie is told by its record. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "crypto/openssl/suit_openssl.h"
#include "host/suit/suit_replay.h"
#include "host/suit_cbor.h"
#include "unit/fw/support_fw.h"

enum measured { NOTHING, GOOD_DIGEST, BAD_DIGEST, GOOD_VENDOR, BAD_VENDOR, CLAIMS };

/* [path, section, offset, component, {3: digest}] */
struct record {
	int dependency; /* -1: of the root */
	int64_t section;
	uint64_t offset, component;
	enum measured measured;
};

/* Where things are in the good manifest; found out, not counted. */
static uint64_t vendor_at, class_at, fetch_at, match_at;
static mst_span envelope, wrapper, digest, vendor;
static struct arena *all;

static mst_span
element(mst_span map, int64_t want)
{
	struct mst_cbor_reader r;
	int64_t key;

	mst_cbor_init(&r, map);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &key)) {
		mst_span raw = mst_cbor_raw(&r);

		if (key == want)
			return raw;
	}
	return MST_NONE;
}

static mst_span
bytes_of(mst_span item)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, item);
	return mst_cbor_bytes(&r);
}

static uint64_t
offset_of(mst_span sequence, int64_t code)
{
	struct mst_suit_walk w;
	struct mst_suit_step s;

	mst_suit_walk_init(&w, sequence);
	while (mst_suit_walk_next(&w, &s))
		if (s.code == code)
			return s.offset;
	fail_msg("no command %d", (int)code);
	return 0;
}

static int
setup(void **state)
{
	static struct suit_envelope env;
	mst_span common, shared, install;
	struct mst_suit_walk w;
	struct mst_suit_step s;

	(void)state;
	all = arena_new(0);
	envelope = fw_must(all, fw_good, fw_good_files);
	assert_int_equal(suit_envelope_read(envelope, &env), MST_OK);
	wrapper = env.digest;
	common = bytes_of(element(env.manifest, 3));
	shared = bytes_of(element(common, 4));
	install = bytes_of(element(env.manifest, 20));
	vendor_at = offset_of(shared, 1);
	class_at = offset_of(shared, 2);
	fetch_at = offset_of(install, 21);
	match_at = offset_of(install, 3);
	mst_suit_walk_init(&w, shared);
	assert_true(mst_suit_walk_next(&w, &s));
	digest = element(s.argument, 3);
	vendor = element(s.argument, 1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(all);
	return 0;
}

static void
put_record(struct cb *b, const struct record *r)
{
	uint8_t *other =
	    (uint8_t *)(uintptr_t)arena_dup(b->a, r->measured == BAD_VENDOR ? vendor : digest).ptr;
	bool is_vendor = r->measured == GOOD_VENDOR || r->measured == BAD_VENDOR;
	mst_span value = is_vendor ? vendor : digest;

	if (r->measured == CLAIMS) { /* of the one component */
		cb_map(b, 2);
		cb_uint(b, 0);
		cb_raw(b, MST_LIT("\x82\x44slot\x41\x00"));
		cb_uint(b, 3);
		cb_raw(b, digest);
		return;
	}
	if (r->measured == BAD_DIGEST || r->measured == BAD_VENDOR) {
		other[value.len - 1] ^= 1;
		value.ptr = other;
	}
	cb_array(b, 5);
	cb_array(b, r->dependency >= 0);
	if (r->dependency >= 0)
		cb_uint(b, (uint64_t)r->dependency);
	cb_int(b, r->section);
	cb_uint(b, r->offset);
	cb_uint(b, r->component);
	cb_map(b, r->measured != NOTHING);
	if (r->measured != NOTHING) {
		cb_uint(b, is_vendor ? 1 : 3);
		cb_raw(b, value);
	}
}

struct made {
	struct record record[6];
	size_t count;
	bool failed; /* with the last record as its own */
	uint64_t reason;
	mst_span nonce, other_digest;
};

static mst_span
report_of(struct arena *a, const struct made *m)
{
	struct cb b;
	mst_err e = MST_OK;

	cb_init(&b, a);
	cb_map(&b, 3 + (m->nonce.ptr != NULL));
	cb_uint(&b, 99);
	cb_array(&b, 2);
	cb_text(&b, MST_LIT(""));
	cb_raw(&b, m->other_digest.ptr != NULL ? m->other_digest : wrapper);
	if (m->nonce.ptr != NULL) {
		cb_uint(&b, 2);
		cb_bytes(&b, m->nonce);
	}
	cb_uint(&b, 3);
	cb_array(&b, m->count);
	for (size_t i = 0; i < m->count; i++)
		put_record(&b, &m->record[i]);
	cb_uint(&b, 4);
	if (!m->failed) {
		cb_bool(&b, true);
	} else {
		cb_map(&b, 3);
		cb_uint(&b, 5);
		cb_uint(&b, 1);
		cb_uint(&b, 6);
		put_record(
		    &b, &m->record[m->count - 1 - (m->record[m->count - 1].measured == CLAIMS)]);
		cb_uint(&b, 7);
		cb_uint(&b, m->reason);
	}
	return cb_end(&b, &e);
}

#define AT_VENDOR -1
#define AT_CLASS -2
#define AT_FETCH -3
#define AT_MATCH -4

static uint64_t
place(int64_t at)
{
	switch (at) {
	case AT_VENDOR: return vendor_at;
	case AT_CLASS: return class_at;
	case AT_FETCH: return fetch_at;
	case AT_MATCH: return match_at;
	default: return (uint64_t)at;
	}
}

static const struct row {
	const char *name;
	struct {
		int dependency;
		int64_t section, at;
		uint64_t component;
		enum measured measured;
	} record[5];
	size_t count;
	bool failed;
	uint64_t reason;
	mst_err err;
	size_t lie; /* the record that is false; SIZE_MAX: none */
} rows[] = {
#define OF_VENDOR                                                                                  \
	{                                                                                          \
		-1, 3, AT_VENDOR, 0, GOOD_VENDOR                                                   \
	}
#define OF_MATCH                                                                                   \
	{                                                                                          \
		-1, 20, AT_MATCH, 0, GOOD_DIGEST                                                   \
	}
#define OF_VALIDATE                                                                                \
	{                                                                                          \
		-1, 7, 1, 0, GOOD_DIGEST                                                           \
	}
#define LIE MST_E_SUIT_REPORT_CONTRADICTION
	{ "SUIT-16 a true one", { OF_VENDOR, OF_MATCH, OF_VENDOR, OF_VALIDATE }, 4, false, 0,
	    MST_OK, SIZE_MAX },
	{ "SUIT-16 a true one without records", { OF_VENDOR }, 0, false, 0, MST_OK, SIZE_MAX },
	{ "SUIT-16 a true failure", { OF_VENDOR, { -1, 20, AT_MATCH, 0, BAD_DIGEST } }, 2, true, 10,
	    MST_OK, SIZE_MAX },
	{ "SUIT-16 a true failure with claims behind its record",
	    { OF_VENDOR, { -1, 20, AT_MATCH, 0, BAD_DIGEST }, { -1, 0, 0, 0, CLAIMS } }, 3, true,
	    10, MST_OK, SIZE_MAX },
	{ "SUIT-16 a fetch that failed", { OF_VENDOR, { -1, 20, AT_FETCH, 0, NOTHING } }, 2, true,
	    11, MST_OK, SIZE_MAX },
	{ "SUIT-16 success with a wrong digest",
	    { OF_VENDOR, { -1, 20, AT_MATCH, 0, BAD_DIGEST }, OF_VALIDATE }, 3, false, 0, LIE, 1 },
	{ "SUIT-16 success with another vendor", { { -1, 3, AT_VENDOR, 0, BAD_VENDOR }, OF_MATCH },
	    2, false, 0, LIE, 0 },
	{ "SUIT-16 failure with the right digest", { OF_VENDOR, OF_MATCH }, 2, true, 10, LIE, 1 },
	{ "SUIT-16 a section that is not there", { { -1, 16, 1, 0, GOOD_DIGEST } }, 1, false, 0,
	    LIE, 0 },
	{ "SUIT-16 an offset inside of a command", { { -1, 7, 2, 0, GOOD_DIGEST } }, 1, false, 0,
	    LIE, 0 },
	{ "SUIT-16 a component that is not there", { { -1, 7, 1, 1, GOOD_DIGEST } }, 1, false, 0,
	    LIE, 0 },
	{ "SUIT-16 a dependency that is not there", { { 1, 7, 1, 0, GOOD_DIGEST } }, 1, false, 0,
	    LIE, 0 },
	{ "SUIT-16 the way back", { OF_VALIDATE, OF_MATCH }, 2, false, 0, LIE, 1 },
	{ "SUIT-16 condition-failed of a directive",
	    { OF_VENDOR, { -1, 20, AT_FETCH, 0, NOTHING } }, 2, true, 10, LIE, SIZE_MAX },
	{ "SUIT-16 a failure for the reason ok", { OF_VENDOR, { -1, 20, AT_MATCH, 0, BAD_DIGEST } },
	    2, true, 0, LIE, SIZE_MAX },
	{ "SUIT-16 invoke-pending of what starts nothing",
	    { OF_VENDOR, { -1, 20, AT_FETCH, 0, NOTHING } }, 2, true, 12, LIE, SIZE_MAX },
};
#define ROWS (sizeof rows / sizeof rows[0])

static struct made
made_of(const struct row *w)
{
	struct made m = { .count = w->count, .failed = w->failed, .reason = w->reason };

	for (size_t i = 0; i < w->count; i++)
		m.record[i] = (struct record){ .dependency = w->record[i].dependency,
			.section = w->record[i].section,
			.offset = place(w->record[i].at),
			.component = w->record[i].component,
			.measured = w->record[i].measured };
	return m;
}

static void
told_by_its_record(void **state)
{
	const struct row *w = *state;
	struct arena *a = arena_new(0);
	struct made m = made_of(w);
	struct suit_replay_want want = { .count = 0 };
	const struct suit_statement *s;
	struct suit_replay r;

	assert_int_equal(suit_replay(a, report_of(a, &m), envelope, &want, &r), MST_OK);
	for (s = r.records; s != NULL && s->truth != SUIT_FALSE; s = s->next)
		;
	if (r.err != w->err)
		fail_msg("%s: %s", r.err == MST_OK ? "believed" : mst_err_info(r.err)->name,
		    s != NULL ? s->words : "");
	if (w->err == MST_OK) {
		assert_null(s);
	} else {
		assert_non_null(s);
		if (w->lie != SIZE_MAX)
			assert_int_equal(s->record, w->lie);
	}
	arena_free(a);
}

/* A record of success where the policy asks for none. */
static void
policy_SUIT_7(void **state)
{
	static const char text[] =
	    "sequence-number = 7\ncomponent \"app\" { id = { \"slot\", \"hex:00\" } }\n"
	    "shared = { \"override-parameters image-digest=file:app.bin\" }\n"
	    "validate = { \"image-match policy=2\" }\n";
	struct arena *a = arena_new(0);
	struct suit_envelope *env = arena_alloc(a, sizeof *env);
	struct made m = { .record = { { -1, 7, 1, 0, GOOD_DIGEST } }, .count = 1 };
	struct suit_replay_want want = { .count = 0 };
	mst_span other = fw_must(a, text, fw_good_files);
	struct suit_replay r;

	(void)state;
	assert_int_equal(suit_envelope_read(other, env), MST_OK);
	m.other_digest = env->digest;
	assert_int_equal(suit_replay(a, report_of(a, &m), other, &want, &r), MST_OK);
	assert_int_equal(r.err, MST_E_SUIT_REPORT_CONTRADICTION);
	arena_free(a);
}

static void
another_manifest_SUIT_16(void **state)
{
	struct arena *a = arena_new(0);
	struct made m = made_of(&rows[0]);
	uint8_t *other = (uint8_t *)(uintptr_t)arena_dup(a, wrapper).ptr;
	struct suit_replay_want want = { .count = 0 };
	struct suit_replay r;

	(void)state;
	other[wrapper.len - 1] ^= 1;
	m.other_digest = mst_span_of(other, wrapper.len);
	assert_int_equal(suit_replay(a, report_of(a, &m), envelope, &want, &r), MST_OK);
	assert_int_equal(r.err, MST_E_SUIT_REPORT_REFERENCE);
	arena_free(a);
}

static void
nonce_SUIT_16(void **state)
{
	struct arena *a = arena_new(0);
	struct made m = made_of(&rows[0]);
	struct suit_replay_want want = { .nonce = MST_LIT("asked") };
	struct suit_replay r;

	(void)state;
	assert_int_equal(suit_replay(a, report_of(a, &m), envelope, &want, &r), MST_OK);
	assert_int_equal(r.err, MST_E_SUIT_REPORT_NONCE);
	m.nonce = MST_LIT("other");
	assert_int_equal(suit_replay(a, report_of(a, &m), envelope, &want, &r), MST_OK);
	assert_int_equal(r.err, MST_E_SUIT_REPORT_NONCE);
	m.nonce = MST_LIT("asked");
	assert_int_equal(suit_replay(a, report_of(a, &m), envelope, &want, &r), MST_OK);
	assert_int_equal(r.err, MST_OK);
	arena_free(a);
}

static void
signature_SUIT_16(void **state)
{
	struct arena *a = arena_new(0);
	struct made m = made_of(&rows[0]);
	struct suit_key key = { .pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
	struct suit_key stranger = { .pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
	struct suit_replay_want want = { .keys = &key, .count = 1 };
	struct cose_signer signer;
	struct suit_replay r;
	mst_span message;

	(void)state;
	assert_int_equal(suit_key_signer(&key, 0, MST_LIT("device-1"), &signer), MST_OK);
	assert_int_equal(
	    cose_author_sign1(a, &signer, report_of(a, &m), MST_SUIT_ATTACHED, &message), MST_OK);
	assert_int_equal(suit_replay(a, message, envelope, &want, &r), MST_OK);
	assert_int_equal(r.err, MST_OK);
	assert_true(r.is_protected && r.verified);
	want.keys = &stranger;
	assert_int_equal(suit_replay(a, message, envelope, &want, &r), MST_OK);
	assert_int_equal(r.err, MST_E_COSE_SIGNATURE);
	want.count = 0;
	assert_int_equal(suit_replay(a, message, envelope, &want, &r), MST_OK);
	assert_int_equal(r.err, MST_OK);
	assert_true(r.is_protected && !r.verified && r.lacks != NULL);
	suit_key_close(&key);
	suit_key_close(&stranger);
	arena_free(a);
}

/* COSE_Encrypt0 around it, opened by the key that the device shares (suit-report 7). */
static void
encrypted_SUIT_16(void **state)
{
	static const uint8_t bytes[16] = "sixteen bytes !";
	struct arena *a = arena_new(0);
	struct made m = made_of(&rows[0]);
	struct suit_key key = { .secret = { bytes, sizeof bytes } };
	struct suit_replay_want want = { .decrypt = &key, .decrypt_count = 1 };
	struct mst_buf out = arena_buf(a, 4096);
	struct mst_suit_key row;
	struct suit_replay r;

	(void)state;
	assert_int_equal(suit_key_row(a, &key, MST_SUIT_USE_CONTENT_REPORT, 0, &row), MST_OK);
	assert_int_equal(
	    mst_suit_encrypt0_build(suit_openssl(), &row, report_of(a, &m), &out), MST_OK);
	assert_int_equal(suit_replay(a, mst_buf_span(&out), envelope, &want, &r), MST_OK);
	assert_int_equal(r.err, MST_OK);
	out.ptr[out.len - 1] ^= 1;
	assert_int_equal(suit_replay(a, mst_buf_span(&out), envelope, &want, &r), MST_OK);
	assert_int_not_equal(r.err, MST_OK);
	want.decrypt_count = 0;
	assert_int_equal(suit_replay(a, mst_buf_span(&out), envelope, &want, &r), MST_OK);
	assert_int_not_equal(r.err, MST_OK);
	arena_free(a);
}

/* What is no report, or cut short, is refused by name and not believed. */
static void
cut_short_SUIT_16(void **state)
{
	struct arena *a = arena_new(0);
	struct made m = made_of(&rows[0]);
	mst_span whole = report_of(a, &m);
	struct suit_replay_want want = { .count = 0 };

	(void)state;
	for (size_t n = 0; n < whole.len; n++) {
		struct arena *b = arena_new(0);
		struct suit_replay r;

		assert_int_equal(
		    suit_replay(b, arena_dup(b, mst_span_of(whole.ptr, n)), envelope, &want, &r),
		    MST_OK);
		assert_int_not_equal(r.err, MST_OK);
		arena_free(b);
	}
	arena_free(a);
}

int
main(void)
{
	static struct CMUnitTest tests[ROWS + 6];
	size_t n = 0;

	for (size_t i = 0; i < ROWS; i++)
		tests[n++] = (struct CMUnitTest){ rows[i].name, told_by_its_record, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(policy_SUIT_7);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(another_manifest_SUIT_16);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(nonce_SUIT_16);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(signature_SUIT_16);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(encrypted_SUIT_16);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(cut_short_SUIT_16);
	return cmocka_run_group_tests(tests, setup, teardown);
}
