/* SPDX-License-Identifier: Apache-2.0 */
/* Dry runs: what a device in memory says, section, offset and component, and what it then holds. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>

#include "host/suit/suit_dryrun.h"
#include "host/suit/suit_sign.h"
#include "unit/fw/support_fw.h"

#define APP MST_LIT("firmware of a lamp")
#define URI MST_LIT("https://example.com/app.bin")

static struct suit_key signer, stranger;

static int
make_keys(void **state)
{
	(void)state;
	signer = (struct suit_key){ .pkey = EVP_EC_gen("P-256") };
	stranger = (struct suit_key){ .pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
	return signer.pkey == NULL || stranger.pkey == NULL;
}

static int
drop_keys(void **state)
{
	(void)state;
	suit_key_close(&signer);
	suit_key_close(&stranger);
	return 0;
}

static mst_span
signed_one(struct arena *a, const char *text, const struct suit_key *key)
{
	struct suit_signing s = { .form = SUIT_SIGN_EACH, .keys = key, .count = 1 };
	struct suit_envelope *env = arena_alloc(a, sizeof *env);
	mst_span out;

	assert_int_equal(suit_envelope_read(fw_must(a, text, fw_good_files), env), MST_OK);
	assert_int_equal(suit_sign(a, &s, env), MST_OK);
	assert_int_equal(suit_envelope_write(a, env, &out), MST_OK);
	return out;
}

/* A good run, of which a row changes one thing. */
static const struct row {
	const char *name;
	const char *from, *to; /* of the good description */
	const char *device; /* description; NULL: the one it was written for */
	const char *payload; /* NULL: the right one */
	enum { SIGNED, BY_STRANGER, UNSIGNED } by;
	mst_err err;
	int64_t section;
	int64_t command;
	int component;
} rows[] = {
#define LAMP                                                                                       \
	"vendor = { \"dns:example.com\" }\nclass = { \"class:example.com/lamp\" }\n"               \
	"component \"app\" { id = { \"slot\", \"hex:00\" } }\n"
	{ "SUIT-11 a good one", NULL, NULL, NULL, NULL, SIGNED, MST_OK, 0, 0, -1 },
	{ "SUIT-11 a good one on a described device", NULL, NULL, LAMP, NULL, SIGNED, MST_OK, 0, 0,
	    -1 },
	{ "SUIT-3.4 nobody signed it", NULL, NULL, NULL, NULL, UNSIGNED, MST_E_SUIT_AUTH_NONE,
	    MST_SUIT_AT_AUTHENTICATION, 0, -1 },
	{ "SUIT-3.4 a stranger signed it", NULL, NULL, NULL, NULL, BY_STRANGER,
	    MST_E_COSE_ALGORITHM, MST_SUIT_AT_AUTHENTICATION, 0, -1 },
	{ "SUIT-10 another payload of the same length", NULL, NULL, NULL, "firmware of a fan!",
	    SIGNED, MST_E_SUIT_IMAGE_MISMATCH, 20, 3, 0 },
	{ "SUIT-10 a payload that is too short", NULL, NULL, NULL, "firmware", SIGNED,
	    MST_E_SUIT_PAYLOAD_SHORT, 20, 21, 0 },
	{ "SUIT-10 a payload that nobody has", "com/app.bin", "com/other.bin", NULL, NULL, SIGNED,
	    MST_E_SUIT_FETCH, 20, 21, 0 },
	{ "SUIT-10 another vendor", NULL, NULL,
	    "vendor = { \"dns:example.org\" }\nclass = { \"class:example.com/lamp\" }\n"
	    "component \"app\" { id = { \"slot\", \"hex:00\" } }\n",
	    NULL, SIGNED, MST_E_SUIT_VENDOR, 3, 1, 0 },
	{ "SUIT-10 another class", NULL, NULL,
	    "vendor = { \"dns:example.com\" }\nclass = { \"class:example.com/fan\" }\n"
	    "component \"app\" { id = { \"slot\", \"hex:00\" } }\n",
	    NULL, SIGNED, MST_E_SUIT_CLASS, 3, 2, 0 },
	{ "SUIT-5 a component that the device does not have", NULL, NULL,
	    "vendor = { \"dns:example.com\" }\nclass = { \"class:example.com/lamp\" }\n"
	    "component \"app\" { id = { \"slot\", \"hex:01\" } }\n",
	    NULL, SIGNED, MST_E_SUIT_COMPONENT_UNKNOWN, 3, 0, -1 },
	{ "SUIT-12 a component that is too small", NULL, NULL,
	    "vendor = { \"dns:example.com\" }\nclass = { \"class:example.com/lamp\" }\n"
	    "component \"app\" { id = { \"slot\", \"hex:00\" } capacity = 10 }\n",
	    NULL, SIGNED, MST_E_SUIT_CAPACITY, 3, 20, 0 },
	{ "SUIT-10 expired", "\"fetch\"",
	    "\"override-parameters use-before=2020-01-01T00:00:00Z\", \"use-before\", \"fetch\"",
	    NULL, NULL, SIGNED, MST_E_SUIT_EXPIRED, 20, 4, 0 },
	{ "SUIT-10 no trusted time", "\"fetch\"",
	    "\"override-parameters use-before=2036-01-01T00:00:00Z\", \"use-before\", \"fetch\"",
	    LAMP "time = none\n", NULL, SIGNED, MST_E_SUIT_NO_TIME, 20, 4, 0 },
	{ "SUIT-10 battery", "\"fetch\"",
	    "\"override-parameters minimum-battery=500\", \"minimum-battery\", \"fetch\"",
	    LAMP "battery = 499\n", NULL, SIGNED, MST_E_SUIT_BATTERY, 20, 26, 0 },
	{ "SUIT-10 not authorized", "\"fetch\"",
	    "\"override-parameters update-priority=1\", \"update-authorized\", \"fetch\"",
	    LAMP "authorized = false\n", NULL, SIGNED, MST_E_SUIT_NOT_AUTHORIZED, 20, 27, 0 },
	{ "SUIT-10 version that is installed", "\"fetch\"",
	    "\"override-parameters version=>=2\", \"version\", \"fetch\"",
	    "vendor = { \"dns:example.com\" }\nclass = { \"class:example.com/lamp\" }\n"
	    "component \"app\" { id = { \"slot\", \"hex:00\" } version = \"1.9\" }\n",
	    NULL, SIGNED, MST_E_SUIT_VERSION_MISMATCH, 20, 28, 0 },
	{ "SUIT-10 slot", "\"fetch\"",
	    "\"override-parameters component-slot=1\", \"component-slot\", \"fetch\"", LAMP, NULL,
	    SIGNED, MST_E_SUIT_SLOT, 20, 5, 0 },
	{ "SUIT-21 two signers are needed", NULL, NULL, LAMP "signers = 2\n", NULL, SIGNED,
	    MST_E_SUIT_AUTH_POLICY, MST_SUIT_AT_AUTHENTICATION, 0, -1 },
};
#define ROWS (sizeof rows / sizeof rows[0])

static void
device_of(struct arena *a, const char *text, mst_span envelope, struct suit_device *d)
{
	struct suit_envelope *env = arena_alloc(a, sizeof *env);

	if (text != NULL) {
		if (suit_device_described(a, "device.conf", NULL, text, d) != MST_OK)
			fail_msg("%s", suit_author_why());
	} else {
		assert_int_equal(suit_envelope_read(envelope, env), MST_OK);
		assert_int_equal(suit_device_for(a, env, d), MST_OK);
	}
}

static void
verdict(void **state)
{
	const struct row *w = *state;
	struct arena *a = arena_new(0);
	const char *text = fw_good, *at;
	struct suit_dryrun_want want = { .anchors = &signer, .anchor_count = 1 };
	struct suit_device *d = arena_alloc(a, sizeof *d);
	struct suit_dryrun r;
	mst_span envelope;

	if (w->from != NULL) {
		at = strstr(fw_good, w->from);
		assert_non_null(at);
		text = arena_printf(
		    a, "%.*s%s%s", (int)(at - fw_good), fw_good, w->to, at + strlen(w->from));
	}
	envelope = w->by == UNSIGNED ? fw_must(a, text, fw_good_files)
	                             : signed_one(a, text, w->by == SIGNED ? &signer : &stranger);
	device_of(a, w->device, envelope, d);
	d->payload[0].uri = URI;
	d->payload[0].bytes = w->payload != NULL ? mst_span_str(w->payload) : APP;
	d->payloads = 1;
	assert_int_equal(suit_dryrun(a, envelope, d, &want, &r), MST_OK);
	if (r.err != w->err)
		fail_msg("%s", r.err == MST_OK ? "accepted" : mst_err_info(r.err)->name);
	if (w->err == MST_OK) {
		assert_int_equal(d->count, 1);
		assert_true(d->component[0].holds && d->component[0].valid);
		assert_true(
		    mst_span_eq(mst_span_of(d->component[0].bytes, d->component[0].size), APP));
		assert_true(d->record.known && d->record.number == 7);
		assert_true(r.commands > 6 && r.first != NULL);
	} else {
		assert_int_equal(r.refusal.err, w->err);
		assert_int_equal(r.refusal.section, w->section);
		assert_int_equal(r.refusal.command, w->command);
		assert_true(w->component < 0 || r.refusal.component == w->component);
		assert_false(d->record.known);
		assert_true(d->count == 0 || !d->component[0].valid);
	}
	suit_device_free(d);
	arena_free(a);
}

/* M 8.4.2: what was confirmed is not gone behind. */
static void
numbers_SUIT_13_1(void **state)
{
	static const struct {
		const char *from, *to;
		mst_err err;
	} next[] = {
		{ "= 7", "= 8", MST_OK },
		{ "= 7", "= 7", MST_OK }, /* the same: applied again */
		{ "= 7", "= 6", MST_E_SUIT_ROLLBACK },
		{ "class-identifier\" }", "class-identifier\", \"vendor-identifier\" }",
		    MST_E_SUIT_SEQUENCE_REUSED },
	};
	struct suit_dryrun_want want = { .anchors = &signer, .anchor_count = 1 };

	(void)state;
	for (size_t i = 0; i < sizeof next / sizeof next[0]; i++) {
		struct arena *a = arena_new(0);
		const char *at = strstr(fw_good, next[i].from);
		const char *text = arena_printf(a, "%.*s%s%s", (int)(at - fw_good), fw_good,
		    next[i].to, at + strlen(next[i].from));
		struct suit_device *d = arena_alloc(a, sizeof *d);
		mst_span envelope = signed_one(a, text, &signer);
		struct suit_dryrun r;

		device_of(a, NULL, envelope, d);
		d->payload[0].uri = URI;
		d->payload[0].bytes = APP;
		d->payloads = 1;
		assert_int_equal(
		    suit_device_confirmed(d, fw_must(a, fw_good, fw_good_files)), MST_OK);
		assert_int_equal(suit_dryrun(a, envelope, d, &want, &r), MST_OK);
		assert_int_equal(r.err, next[i].err);
		suit_device_free(d);
		arena_free(a);
	}
}

/* The trace tells each command where it stands, in the order of sheet 11. */
static void
trace_SUIT_11(void **state)
{
	static const struct {
		int64_t section, command;
	} want_trace[] = { { 3, 20 }, { 3, 1 }, { 3, 2 }, { 20, 20 }, { 20, 21 }, { 20, 3 },
		{ 3, 20 }, { 3, 1 }, { 3, 2 }, { 7, 3 } };
	struct arena *a = arena_new(0);
	struct suit_dryrun_want want = {
		.anchors = &signer, .anchor_count = 1, .run = SUIT_RUN_UPDATE
	};
	struct suit_device *d = arena_alloc(a, sizeof *d);
	mst_span envelope = signed_one(a, fw_good, &signer);
	const struct suit_traced *t;
	struct suit_dryrun r;
	size_t i = 0;

	(void)state;
	device_of(a, NULL, envelope, d);
	d->payload[0].uri = URI;
	d->payload[0].bytes = APP;
	d->payloads = 1;
	assert_int_equal(suit_dryrun(a, envelope, d, &want, &r), MST_OK);
	assert_int_equal(r.err, MST_OK);
	for (t = r.first; t != NULL; t = t->next, i++) {
		assert_true(i < sizeof want_trace / sizeof want_trace[0]);
		assert_int_equal(t->section, want_trace[i].section);
		assert_int_equal(t->command, want_trace[i].command);
		assert_string_equal(t->procedure, "update");
	}
	assert_int_equal(i, sizeof want_trace / sizeof want_trace[0]);
	assert_false(d->record.known); /* an update alone confirms nothing */
	suit_device_free(d);
	arena_free(a);
}

static const struct bad_device {
	const char *name, *text, *words;
} bad_devices[] = {
	{ "an unknown word", "colour = red\n", "device.conf:1:" },
	{ "a vendor that is none", "vendor = { \"example.com\" }\n", "device.conf:" },
	{ "a version that is none", "component \"a\" { version = \"x\" }\n", "device.conf:1:" },
	{ "a time that is none", "time = \"soon\"\n", "device.conf:" },
	{ "no signer at all", "signers = 0\n", "device.conf:1:" },
	{ "an unknown rule", "rules = { \"anything-goes\" }\n", "device.conf:1:" },
	{ "a negative capacity", "component \"a\" { capacity = -1 }\n", "device.conf:" },
};
#define BAD_DEVICES (sizeof bad_devices / sizeof bad_devices[0])

static void
device_refused(void **state)
{
	const struct bad_device *w = *state;
	struct arena *a = arena_new(0);
	struct suit_device *d = arena_alloc(a, sizeof *d);

	assert_int_equal(
	    suit_device_described(a, "device.conf", NULL, w->text, d), MST_E_FW_DEVICE);
	if (strstr(suit_author_why(), w->words) == NULL)
		fail_msg("%s", suit_author_why());
	arena_free(a);
}

int
main(void)
{
	static struct CMUnitTest tests[ROWS + BAD_DEVICES + 2];
	size_t n = 0;

	for (size_t i = 0; i < ROWS; i++)
		tests[n++] = (struct CMUnitTest){ rows[i].name, verdict, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	for (size_t i = 0; i < BAD_DEVICES; i++)
		tests[n++] = (struct CMUnitTest){ bad_devices[i].name, device_refused, NULL, NULL,
			(void *)(uintptr_t)&bad_devices[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(numbers_SUIT_13_1);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(trace_SUIT_11);
	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
