/* SPDX-License-Identifier: Apache-2.0 */
/* lint: a good manifest is silent; each change brings the one finding that names it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "host/suit/suit_lint.h"
#include "host/suit_cbor.h"
#include "unit/fw/support_fw.h"

#define SHARED                                                                                     \
	"shared = { \"override-parameters vendor-id=dns:example.com "                              \
	"class-id=class:example.com/lamp image-digest=file:app.bin image-size=file:app.bin\",\n"   \
	"  \"vendor-identifier\", \"class-identifier\" }\n"
#define INSTALL                                                                                    \
	"install = { \"override-parameters uri=https://example.com/app.bin\", \"fetch\", "         \
	"\"image-match\" }\n"
#define HEAD "sequence-number = 7\ncomponent \"app\" { id = { \"slot\", \"hex:00\" } }\n"
#define VALIDATE "validate = { \"image-match\" }\n"
#define TWO                                                                                        \
	"sequence-number = 7\ncomponent \"app\" { }\ncomponent \"old\" { }\n"                      \
	"shared = { \"set-component-index app\", \"override-parameters vendor-id=dns:example.com " \
	"class-id=class:example.com/lamp image-digest=file:app.bin image-size=file:app.bin\",\n"   \
	"  \"vendor-identifier\", \"class-identifier\" }\n"

/* rule NULL: nothing but that it is unsigned. section 0: not judged. */
static const struct row {
	const char *name, *text, *rule;
	enum suit_level level;
	mst_err err;
	int64_t section;
	int component;
} rows[] = {
	{ "SUIT-23 a good one is silent", HEAD SHARED INSTALL VALIDATE, NULL, SUIT_WARNING, MST_OK,
	    0, -1 },
	{ "SUIT-23 fetch without image-match",
	    HEAD SHARED
	    "install = { \"override-parameters uri=https://example.com/a\", \"fetch\" }\n" VALIDATE,
	    "image-match-missing", SUIT_WARNING, MST_OK, 20, 0 },
	{ "SUIT-23 copy without image-match",
	    TWO "install = { \"set-component-index app\", \"override-parameters "
	        "source-component=old\", \"copy\" }\nvalidate = { \"set-component-index app\", "
	        "\"image-match\" }\n",
	    "image-match-missing", SUIT_WARNING, MST_OK, 20, 0 },
	{ "SUIT-23 image-match of another component",
	    TWO
	    "install = { \"set-component-index app\", \"override-parameters "
	    "uri=https://example.com/a\", \"fetch\", \"set-component-index old\", "
	    "\"override-parameters image-digest=file:app.bin\", \"image-match\" }\nvalidate = { "
	    "\"set-component-index app\", \"image-match\" }\n",
	    "image-match-missing", SUIT_WARNING, MST_OK, 20, 0 },
	{ "SUIT-23 digest set with set-parameters",
	    HEAD SHARED "install = { \"set-parameters image-digest=file:app.bin "
	                "uri=https://example.com/a\", \"fetch\", \"image-match\" }\n" VALIDATE,
	    "digest-by-set", SUIT_WARNING, MST_OK, 20, -1 },
	{ "SUIT-5 no vendor check",
	    HEAD "shared = { \"override-parameters class-id=class:example.com/lamp "
	         "image-digest=file:app.bin image-size=file:app.bin\", \"class-identifier\" "
	         "}\n" INSTALL VALIDATE,
	    "vendor-check-missing", SUIT_WARNING, MST_OK, 3, -1 },
	{ "SUIT-5 no class check",
	    HEAD "shared = { \"override-parameters vendor-id=dns:example.com "
	         "image-digest=file:app.bin image-size=file:app.bin\", \"vendor-identifier\" "
	         "}\n" INSTALL VALIDATE,
	    "class-check-missing", SUIT_WARNING, MST_OK, 3, -1 },
	{ "SUIT-8 digest without size",
	    HEAD "shared = { \"override-parameters vendor-id=dns:example.com "
	         "class-id=class:example.com/lamp image-digest=file:app.bin\",\n"
	         "  \"vendor-identifier\", \"class-identifier\" }\n" INSTALL VALIDATE,
	    "size-missing", SUIT_WARNING, MST_OK, 20, 0 },
	{ "SUIT-8 fetch without uri",
	    HEAD SHARED "install = { \"fetch\", \"image-match\" }\n" VALIDATE, "uri-missing",
	    SUIT_WARNING, MST_OK, 20, 0 },
	{ "SUIT-8 condition without its parameter",
	    HEAD SHARED INSTALL "validate = { \"image-match\", \"device-identifier\" }\n",
	    "parameter-missing", SUIT_WARNING, MST_OK, 7, 0 },
	{ "SUIT-10 copy without source",
	    TWO
	    "install = { \"set-component-index app\", \"copy\", \"image-match\" }\nvalidate = { "
	    "\"set-component-index app\", \"image-match\" }\n",
	    "source-missing", SUIT_WARNING, MST_OK, 20, 0 },
	{ "SUIT-11 no validate", HEAD SHARED INSTALL, "validate-missing", SUIT_WARNING, MST_OK, 7,
	    -1 },
	{ "SUIT-19 payload that is not there",
	    HEAD SHARED "install = { \"override-parameters uri=#app\", \"fetch\", \"image-match\" "
	                "}\n" VALIDATE,
	    "payload-missing", SUIT_WARNING, MST_OK, 20, 0 },
	{ "SUIT-19 payload that is not the digest's",
	    HEAD SHARED "install = { \"override-parameters uri=#app\", \"fetch\", \"image-match\" "
	                "}\n" VALIDATE "payload \"#app\" { file = other.bin }\n",
	    "payload-digest", SUIT_ERROR, MST_E_FW_PAYLOAD, 20, 0 },
	{ "SUIT-19 payload that nothing fetches",
	    HEAD SHARED INSTALL VALIDATE "payload \"#app\" { file = app.bin }\n", "payload-unused",
	    SUIT_WARNING, MST_OK, 0, -1 },
	{ "SUIT-6 text inline",
	    HEAD SHARED INSTALL VALIDATE "text \"en\" { update-description = x }\n", "text-inline",
	    SUIT_WARNING, MST_OK, 23, -1 },
	{ "SUIT-6 severed element that is smaller than its digest",
	    HEAD SHARED INSTALL VALIDATE
	    "text \"en\" { update-description = x }\nsever = { text }\n",
	    "severed-small", SUIT_WARNING, MST_OK, 23, -1 },
	{ "SUIT-7 custom command",
	    HEAD SHARED INSTALL "validate = { \"image-match\", \"-300 int:1\" }\n",
	    "custom-command", SUIT_WARNING, MST_OK, 7, -1 },
	{ "SUIT-20 component that can be no path",
	    "sequence-number = 7\ncomponent \"app\" { id = { \"..\" } }\n" SHARED INSTALL VALIDATE,
	    "component-path", SUIT_WARNING, MST_OK, 3, 0 },
	{ "SUIT-10 wait for what no profile has",
	    HEAD SHARED "install = { \"override-parameters uri=https://example.com/a "
	                "wait-info=time-of-day:5\", \"wait\", \"fetch\", \"image-match\" "
	                "}\n" VALIDATE,
	    "wait-unsupported", SUIT_WARNING, MST_OK, 20, 0 },
	{ "SUIT-14 process without integrity",
	    HEAD
	    "dependency \"lib\" { prefix = { \"lib.suit\" } }\nshared = { \"set-component-index "
	    "app\", \"override-parameters vendor-id=dns:example.com "
	    "class-id=class:example.com/lamp\", \"vendor-identifier\", \"class-identifier\" }\n"
	    "install = { \"set-component-index lib\", \"override-parameters "
	    "image-digest=file:app.bin\", \"process-dependency\" }\nvalidate = { "
	    "\"set-component-index lib\", \"dependency-integrity\" }\n",
	    "integrity-missing", SUIT_WARNING, MST_OK, 20, 1 },
	{ "SUIT-5 several components without an index first",
	    TWO INSTALL "validate = { \"set-component-index app\", \"image-match\" }\n", "device",
	    SUIT_ERROR, MST_E_SUIT_INDEX_FIRST, 20, -1 },
	{ "SUIT-5 directive in the shared sequence",
	    HEAD
	    "shared = { \"override-parameters vendor-id=dns:example.com "
	    "class-id=class:example.com/lamp uri=https://example.com/a\", \"vendor-identifier\", "
	    "\"class-identifier\", \"fetch\" }\n" VALIDATE,
	    "device", SUIT_ERROR, MST_E_SUIT_COMMAND_PLACE, 3, -1 },
	{ "SUIT-9.3 soft-failure outside of try-each",
	    HEAD SHARED "install = { \"override-parameters soft-failure=true "
	                "uri=https://example.com/a\", \"fetch\", \"image-match\" }\n" VALIDATE,
	    "device", SUIT_ERROR, MST_E_SUIT_SOFT_FAILURE, 20, -1 },
};
#define ROWS (sizeof rows / sizeof rows[0])

static const struct fw_file files[] = {
	{ "app.bin", { (const uint8_t *)"firmware of a lamp", 18 } },
	{ "other.bin", { (const uint8_t *)"firmware of a fan!", 18 } },
	{ NULL, { NULL, 0 } },
};

static struct suit_lint
lint(struct arena *a, mst_span envelope, const struct suit_lint_want *want)
{
	static const struct suit_lint_want nothing = { .before = { NULL, 0 } };
	struct suit_lint out;

	assert_int_equal(suit_lint(a, envelope, want != NULL ? want : &nothing, &out), MST_OK);
	return out;
}

static const struct suit_finding *
find(const struct suit_lint *l, const char *rule)
{
	for (const struct suit_finding *f = l->first; f != NULL; f = f->next)
		if (strcmp(f->rule, rule) == 0)
			return f;
	return NULL;
}

static void
tell(const struct suit_lint *l)
{
	for (const struct suit_finding *f = l->first; f != NULL; f = f->next)
		print_message("  %s: %s\n", f->rule, f->words);
}

static void
one_finding(void **state)
{
	const struct row *w = *state;
	struct arena *a = arena_new(0);
	struct suit_lint l = lint(a, fw_must(a, w->text, files), NULL);
	const struct suit_finding *f = w->rule != NULL ? find(&l, w->rule) : NULL;

	if (w->rule == NULL) {
		if (l.errors != 0 || l.warnings != 1 || find(&l, "unsigned") == NULL) {
			tell(&l);
			fail_msg("it is not silent");
		}
		arena_free(a);
		return;
	}
	if (f == NULL) {
		tell(&l);
		fail_msg("no %s", w->rule);
	}
	assert_int_equal(f->level, w->level);
	assert_int_equal(f->err, w->err);
	assert_int_equal(f->section, w->section);
	if (strcmp(w->rule, "device") != 0) /* its own tests judge where it says it is */
		assert_int_equal(f->component, w->component);
	assert_true(w->level == SUIT_WARNING || l.errors > 0);
	/* one thing was changed: nothing else is an error */
	assert_int_equal(l.errors, w->level == SUIT_ERROR);
	arena_free(a);
}

/* --- envelopes that somebody changed --- */

static struct suit_envelope *
good(struct arena *a)
{
	struct suit_envelope *env = arena_alloc(a, sizeof *env);

	assert_int_equal(
	    suit_envelope_read(
	        fw_must(a, HEAD SHARED INSTALL VALIDATE "sever = { install }\n", files), env),
	    MST_OK);
	return env;
}

static mst_span
written(struct arena *a, const struct suit_envelope *env)
{
	mst_span out;

	assert_int_equal(suit_envelope_write(a, env, &out), MST_OK);
	return out;
}

static void
undeclared_element_SUIT_2(void **state)
{
	struct arena *a = arena_new(0);
	struct suit_envelope *env = good(a);
	struct suit_lint l;

	(void)state;
	env->member[env->member_count++] =
	    (struct suit_member){ .key = 16, .content = MST_LIT("\x82\x03\x0f") };
	l = lint(a, written(a, env), NULL);
	assert_non_null(find(&l, "undeclared"));
	assert_int_equal(find(&l, "undeclared")->section, 16);
	arena_free(a);
}

static void
severed_element_that_was_changed_SUIT_6(void **state)
{
	struct arena *a = arena_new(0);
	struct suit_envelope *env = good(a);
	struct suit_lint l;

	(void)state;
	assert_int_equal(env->member_count, 1);
	env->member[0].content = MST_LIT("\x82\x03\x0f");
	l = lint(a, written(a, env), NULL);
	assert_int_equal(find(&l, "severed-digest")->err, MST_E_FW_DIGEST);
	assert_int_equal(find(&l, "device")->err, MST_E_SUIT_SEVERED_DIGEST);
	arena_free(a);
}

static void
manifest_that_was_changed_SUIT_3_1(void **state)
{
	struct arena *a = arena_new(0);
	struct suit_envelope *env = good(a);
	uint8_t *bytes = (uint8_t *)(uintptr_t)arena_dup(a, env->manifest).ptr;
	struct suit_lint l;

	(void)state;
	bytes[4] ^= 1; /* the sequence number */
	env->manifest.ptr = bytes;
	l = lint(a, written(a, env), NULL);
	assert_int_equal(find(&l, "digest")->err, MST_E_FW_DIGEST);
	arena_free(a);
}

static void
no_envelope_SUIT_2(void **state)
{
	struct arena *a = arena_new(0);
	struct suit_lint l = lint(a, MST_LIT("\xa1\x02\x41\x00"), NULL);

	(void)state;
	assert_int_equal(l.errors, 1);
	assert_int_equal(find(&l, "envelope-form")->err, MST_E_FW_ENVELOPE);
	arena_free(a);
}

/* Every strict prefix of an envelope is an error, whatever it is called. */
static void
cut_short_SUIT_1_3(void **state)
{
	struct arena *a = arena_new(0);
	mst_span whole = written(a, good(a));

	(void)state;
	for (size_t n = 0; n < whole.len; n++) {
		struct arena *b = arena_new(0);
		struct suit_lint l = lint(b, arena_dup(b, mst_span_of(whole.ptr, n)), NULL);

		assert_true(l.errors > 0);
		arena_free(b);
	}
	arena_free(a);
}

/* --- sequence numbers (M 8.4.2) --- */

static mst_span
numbered(struct arena *a, unsigned number, const char *install)
{
	return fw_must(a,
	    arena_printf(a,
	        "sequence-number = %u\ncomponent \"app\" { id = { \"slot\", \"hex:00\" } }\n" SHARED
	        "%s" VALIDATE,
	        number, install),
	    files);
}

static void
sequence_number_SUIT_13_1(void **state)
{
	static const char other[] = "install = { \"override-parameters "
	                            "uri=https://example.com/b\", \"fetch\", \"image-match\" }\n";
	struct arena *a = arena_new(0);
	struct suit_lint_want want = { .before = numbered(a, 7, INSTALL) };
	struct suit_lint l = lint(a, numbered(a, 8, other), &want);

	(void)state;
	assert_int_equal(l.errors, 0);
	l = lint(a, numbered(a, 7, other), &want);
	assert_int_equal(find(&l, "number-reused")->err, MST_E_FW_NUMBER);
	l = lint(a, numbered(a, 6, other), &want);
	assert_int_equal(find(&l, "number-lower")->err, MST_E_FW_NUMBER);
	l = lint(a, numbered(a, 7, INSTALL), &want);
	assert_int_equal(l.errors, 0);
	assert_non_null(find(&l, "same-manifest"));
	arena_free(a);
}

/* --- capability reports (suit-report 6) --- */

static mst_span
capability(struct arena *a, const mst_span *id, size_t segments, int64_t command, int64_t parameter)
{
	struct cb b;
	mst_err e = MST_OK;

	cb_init(&b, a);
	cb_map(&b, 4);
	cb_uint(&b, 1);
	cb_array(&b, 1);
	cb_array(&b, segments + 1);
	for (size_t i = 0; i < segments; i++)
		cb_bytes(&b, id[i]);
	cb_bool(&b, true);
	cb_uint(&b, 2);
	cb_array(&b, 1);
	cb_int(&b, command);
	cb_uint(&b, 3);
	cb_array(&b, 1);
	cb_int(&b, parameter);
	cb_uint(&b, 4);
	cb_array(&b, 1);
	cb_int(&b, -7);
	return cb_end(&b, &e);
}

static void
capability_report_SUIT_16(void **state)
{
	static const char copies[] =
	    TWO "install = { \"set-component-index app\", \"override-parameters "
	        "source-component=old\", \"copy\", \"image-match\" }\nvalidate = { "
	        "\"set-component-index app\", \"image-match\" }\n";
	struct arena *a = arena_new(0);
	mst_span slot = MST_LIT("slot"), app = MST_LIT("app");
	struct suit_lint_want want = { .capability = capability(a, &slot, 1, 22, 22) };
	struct suit_lint l = lint(a, fw_must(a, HEAD SHARED INSTALL VALIDATE, files), &want);

	(void)state;
	/* the prefix of its one component; all else every device has */
	assert_int_equal(l.errors, 0);
	l = lint(a, fw_must(a, copies, files), &want);
	assert_int_equal(find(&l, "capability-component")->err, MST_E_FW_CAPABILITY);
	assert_int_equal(l.errors, 2); /* app and old */
	want.capability = capability(a, &app, 0, 22, 22);
	l = lint(a, fw_must(a, copies, files), &want);
	assert_int_equal(l.errors, 0);
	want.capability = capability(a, &app, 0, 18, 22);
	l = lint(a, fw_must(a, copies, files), &want);
	assert_int_equal(l.errors, 1);
	assert_int_equal(find(&l, "capability-command")->section, 20);
	want.capability = capability(a, &app, 0, 22, 18);
	l = lint(a, fw_must(a, copies, files), &want);
	assert_int_equal(l.errors, 1);
	assert_non_null(find(&l, "capability-parameter"));
	arena_free(a);
}

static void
capability_report_that_is_none(void **state)
{
	struct arena *a = arena_new(0);
	struct suit_lint_want want = { .capability = MST_LIT("\xa1\x01\x80") };
	struct suit_lint out;

	(void)state;
	assert_int_equal(suit_lint(a, fw_must(a, HEAD SHARED INSTALL VALIDATE, files), &want, &out),
	    MST_E_SUIT_REPORT_CAPABILITY);
	arena_free(a);
}

/* What the five drafts publish has no errors, but what the sheet says of two of them. */
static void
published_examples_SUIT_24_2(void **state)
{
	static const struct {
		const char *name, *rule;
	} vectors[] = {
		{ "manifest-ex0-1.suit", NULL },
		{ "manifest-ex3-1.suit", NULL },
		{ "manifest-ex5-1.suit", NULL },
		{ "td-example1_process.suit", "vendor-check-missing" },
		{ "td-example2_integrated.suit", "integrity-missing" },
		{ "teep-suit_personalization.suit", "integrity-missing" },
		{ "fe-suit-manifest-aes-kw.suit", "image-match-missing" },
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		mst_span bytes = fw_vector(a, vectors[i].name);
		struct suit_lint l;

		if (bytes.ptr == NULL) {
			arena_free(a);
			skip();
		}
		l = lint(a, bytes, NULL);
		assert_int_equal(l.errors, 0);
		if (vectors[i].rule == NULL)
			assert_int_equal(l.warnings, 0);
		else
			assert_non_null(find(&l, vectors[i].rule));
	}
	arena_free(a);
}

int
main(void)
{
	static struct CMUnitTest tests[ROWS + 9];
	size_t n = 0;

	for (size_t i = 0; i < ROWS; i++)
		tests[n++] = (struct CMUnitTest){ rows[i].name, one_finding, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(undeclared_element_SUIT_2);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(severed_element_that_was_changed_SUIT_6);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(manifest_that_was_changed_SUIT_3_1);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_envelope_SUIT_2);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(cut_short_SUIT_1_3);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(sequence_number_SUIT_13_1);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(capability_report_SUIT_16);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(capability_report_that_is_none);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(published_examples_SUIT_24_2);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
