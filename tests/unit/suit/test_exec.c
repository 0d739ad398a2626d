/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is executed, in which order, on which component (sheet 9, 10, 11, 14):
 * each row is an install section and the trace that it must leave.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "unit/suit/support_world.h"

struct row {
	const char *name;
	const struct edn_scope *base;
	const char *install, *trace; /* trace: of the section alone */
	mst_err want;
};

static const struct row rows[] = {
	{ "SUIT-9.1 true is all components in order", &forge_three, "12 true 1 15",
	    "12 1.0 1.1 1.2", MST_OK },
	{ "SUIT-9.1 a list is taken in its own order", &forge_three, "12 [2 0] 1 15", "12 1.2 1.0",
	    MST_OK },
	{ "SUIT-9.1 try-each runs once for each component", &forge_three,
	    "12 [0 1] 15 [<<[20 {5: 9} 5 15]>> <<[1 15]>>]", "12 20.0 5.0! 1.0 15 20.1 5.1! 1.1 15",
	    MST_OK },
	{ "SUIT-9.1 run-sequence runs once for each component", &forge_three,
	    "12 true 32 <<[1 15 2 15]>>", "12 1.0 2.0 32 1.1 2.1 32 1.2 2.2 32", MST_OK },
	{ "SUIT-9.3 a soft failure ends a run-sequence and nothing else", &forge_three,
	    "12 0 32 <<[20 {13: true} 20 {5: 9} 5 15 2 15]>> 1 15", "12 20.0 20.0 5.0! 32 1.0",
	    MST_OK },
	{ "SUIT-9.3 soft-failure is not inherited", &forge_three,
	    "12 0 15 [<<[32 <<[20 {5: 9} 5 15]>>]>> <<[1 15]>>]", "12 20.0 5.0! 1.0 15", MST_OK },
	{ "SUIT-9.4 null is the last alternative", &forge_three,
	    "12 0 15 [<<[20 {5: 9} 5 15]>> <<[14 15]>> null] 1 15", "12 20.0 5.0! 14.0! 15 1.0",
	    MST_OK },
	{ "SUIT-9.4 no alternative: the error of try-each", &forge_three,
	    "12 0 15 [<<[20 {5: 9} 5 15]>> <<[14 15]>>] 1 15", "12 20.0 5.0! 14.0! 15!",
	    MST_E_SUIT_NO_ALTERNATIVE },
	{ "SUIT-9.4 an outer try-each takes the inner's failure", &forge_three,
	    "12 0 15 [<<[15 [<<[14 15]>> <<[14 15]>>]]>> <<[1 15]>>]", "12 14.0! 14.0! 15! 1.0 15",
	    MST_OK },
	{ "SUIT-9.3 soft-failure false in try-each: its failure is try-each's", &forge_three,
	    "12 0 15 [<<[20 {13: false} 14 15]>> <<[1 15]>>]", "12 20.0 14.0!", MST_E_SUIT_ABORT },
	{ "SUIT-9.5 a selection within is local", &forge_three, "12 1 32 <<[12 2 1 15]>> 2 15",
	    "12 12 1.2 32 2.1", MST_OK },
	{ "SUIT-9.5 parameters of a failed alternative stay", &forge_three,
	    "12 0 15 [<<[20 {5: 1} 14 15]>> <<[14 15]>> null] 5 15", "12 20.0 14.0! 14.0! 15 5.0",
	    MST_OK },
	{ "SUIT-10.20 override replaces", &forge_three, "12 0 20 {5: 9} 20 {5: 1} 5 15",
	    "12 20.0 20.0 5.0", MST_OK },
	{ "SUIT-8.2 set-parameters leaves what is set", &forge_three,
	    "12 0 20 {5: 1} 19 {5: 9} 5 15", "12 20.0 19.0 5.0", MST_OK },
	{ "SUIT-8.2 set-parameters sets what is not", &forge_three, "12 0 19 {5: 9} 5 15",
	    "12 19.0 5.0!", MST_E_SUIT_SLOT },
	{ "SUIT-10.34 override-multiple leaves the last index", &forge_three,
	    "34 {0: {5: 9} 2: {5: 1}} 5 15", "34 5.2", MST_OK },
	{ "SUIT-10.35 copy-params", &forge_three, "12 0 20 {5: 1} 12 1 35 {0: [5]} 5 15",
	    "12 20.0 12 35.1 5.1", MST_OK },
	{ "SUIT-10.35 a source without the parameter fails", &forge_three, "12 1 35 {0: [5]} 5 15",
	    "12 35.1!", MST_E_SUIT_PARAMETER_MISSING },
	{ "SUIT-10.28 equal to a shorter version", &forge_three, "12 0 20 {28: <<[3 [1]]>>} 28 15",
	    "12 20.0 28.0", MST_OK },
	{ "SUIT-10.28 a release is newer than its candidate", &forge_three,
	    "12 0 20 {28: <<[1 [1 2 3 -1]]>>} 28 15", "12 20.0 28.0", MST_OK },
	{ "SUIT-10.28 lesser or equal", &forge_three, "12 0 20 {28: <<[4 [1 2 3]]>>} 28 15",
	    "12 20.0 28.0", MST_OK },
	{ "SUIT-10.28 lesser", &forge_three, "12 0 20 {28: <<[5 [1 2 3]]>>} 28 15", "12 20.0 28.0!",
	    MST_E_SUIT_VERSION_MISMATCH },
	{ "SUIT-10.25 another image", &forge_three, "12 0 20 {3: $other} 25 15", "12 20.0 25.0",
	    MST_OK },
	{ "SUIT-10.21 what is there is not fetched again", &forge_three,
	    "12 0 20 {21: 'coap://x/1'} 21 15", "12 20.0 21.0=", MST_OK },
};
#define ROWS (sizeof rows / sizeof rows[0])

static void
traces(void **state)
{
	const struct row *r = *state;
	char install[512];
	const char *have;
	mst_err e;

	(void)snprintf(install, sizeof install, "%s", r->install);
	world_new(r->base, WORDS({ "install", install }, { "other", "<<[-16 bytes(32 7)]>>" },
	                       { "m7", "" }, { "m9", "" }));
	world.dev.version[0] = 1;
	world.dev.version[1] = 2;
	world.dev.version[2] = 3;
	world.dev.version_count = 3;
	e = world_run(MST_SUIT_UPDATE);
	have = world_trace();
	/* behind the shared sequence of this section, of which 20.2 is the last command */
	for (const char *at = have; (at = strstr(at, "20.2 ")) != NULL;)
		have = at += 5;
	if (strcmp(have, r->trace) != 0)
		print_error("%s: %s\n", mst_err_info(e)->name, world_trace());
	assert_string_equal(have, r->trace);
	assert_int_equal(e, r->want);
	if (e != MST_OK) {
		assert_int_equal(world.suit.refusal.err, e);
		assert_int_equal(world.suit.refusal.section, MST_SUIT_INSTALL);
	}
	world_free();
}

/* The parent's path, and where it is in the dependency (sheet 16). */
static void
dependency_refusal(void **state)
{
	(void)state;
	world_new(&forge_dep, WORDS({ "dep.install", "20 {5: 7} 5 15" }));
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_E_SUIT_SLOT);
	assert_int_equal(world.suit.refusal.depth, 1);
	assert_int_equal(world.suit.refusal.path[0], 1);
	assert_int_equal(world.suit.refusal.section, MST_SUIT_INSTALL);
	assert_int_equal(world.suit.refusal.component, 0);
	assert_int_equal(world.suit.refusal.command, MST_SUIT_CMD_SLOT);
	world_free();
}

/* TD 5.4: lockstep; all of a section before any of the next. */
static void
dependency_in_step(void **state)
{
	int32_t last = MST_SUIT_DEPENDENCY_RESOLUTION;

	(void)state;
	world_new(&forge_dep, WORDS({ "m9", "" }));
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_OK);
	for (unsigned i = 0; i < world.dev.events; i++) {
		int32_t now = world.dev.event[i].section;
		if (now == MST_SUIT_COMMON || now == last)
			continue;
		assert_true((last == MST_SUIT_DEPENDENCY_RESOLUTION && now == MST_SUIT_INSTALL) ||
		            (last == MST_SUIT_INSTALL && now == MST_SUIT_VALIDATE));
		last = now;
	}
	assert_true(mst_span_eq(world_holds('b'), world_word("payload2")));
	assert_true(world_component('b')->valid);
	world_free();
}

/* TD 5.2.2: a prefix at an index that is a component. */
static void
prefixed(void **state)
{
	static const struct edn_word w[] = { { "components", "[b'a'] [b'd']" },
		{ "deps", "1: {1: {1: [b'p']}}" } };
	static const uint8_t id[] = { 0x82, 0x41, 'p', 0x41, 'b' };
	unsigned n;

	(void)state;
	world_new(&forge_dep, w, 2);
	assert_int_equal(world_check(), MST_E_SUIT_DEPENDENCY_METADATA);
	world.rules.rules = MST_SUIT_RULE_PREFIX_PREPENDS;
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_E_SUIT_COMPONENT_UNKNOWN);
	assert_int_equal(world.suit.refusal.depth, 1);
	n = device_component(&world.dev, mst_span_of(id, sizeof id), 2048);
	world.dev.component[n].slot = 1;
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_OK);
	assert_int_equal(world_component('b')->holds, 0);
	assert_true(
	    mst_span_eq(mst_span_of(world.dev.component[n].bytes, world.dev.component[n].size),
	        world_word("payload2")));
	world_free();
}

/* Sheet 13.2: the number advances when the image confirms itself, not before. */
static void
confirms(void **state)
{
	(void)state;
	world_new(&forge_one, WORDS({ "seq", "7" }));
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_OK);
	assert_false(world.dev.record.known);
	assert_int_equal(world_run(MST_SUIT_INVOCATION), MST_OK);
	assert_false(world.dev.record.known);
	assert_int_equal(mst_suit_confirm(&world.suit, &world.manifest), MST_OK);
	assert_true(world.dev.record.known);
	assert_int_equal(world.dev.record.number, 7);
	/* re-applied */
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_OK);
	/* lower */
	world_offer(&forge_one, WORDS({ "seq", "6" }));
	assert_int_equal(world_check(), MST_E_SUIT_ROLLBACK);
	assert_int_equal(world.suit.refusal.section, MST_SUIT_AT_SEQUENCE);
	/* equal, and another manifest */
	world_offer(&forge_one, WORDS({ "seq", "7" }, { "m4", "4: 'coap://x/m'" }));
	assert_int_equal(world_check(), MST_E_SUIT_SEQUENCE_REUSED);
	world_free();
}

static void
confirms_only_what_validates(void **state)
{
	(void)state;
	world_new(&forge_one, WORDS({ "seq", "7" }));
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_OK);
	world_component('a')->bytes[0] ^= 1;
	assert_int_equal(mst_suit_confirm(&world.suit, &world.manifest), MST_E_SUIT_IMAGE_MISMATCH);
	assert_false(world.dev.record.known);
	/* nor what has nothing to validate */
	world_offer(&forge_one, WORDS({ "m7", "" }));
	assert_int_equal(world_check(), MST_OK);
	assert_int_equal(mst_suit_confirm(&world.suit, &world.manifest), MST_E_SUIT_NO_SECTION);
	assert_false(world.dev.record.known);
	world_free();
}

/* TD 5.5.5: linked by the update; the last unlink frees, and others keep it. */
static void
references(void **state)
{
	static const struct edn_word w[] = { { "m24", "24: <<[33 15]>>" } };
	struct device_component *a;

	(void)state;
	world_new(&forge_one, w, 1);
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_OK);
	a = world_component('a');
	assert_int_equal(a->references, 1);
	memset(a->by[a->references++], 7, 32); /* somebody else's */
	assert_int_equal(world_run(MST_SUIT_UNINSTALLATION), MST_OK);
	assert_int_equal(a->references, 1);
	assert_int_equal(a->holds, 1);
	/* once per manifest, also the second time */
	assert_int_equal(world_run(MST_SUIT_UNINSTALLATION), MST_OK);
	assert_int_equal(a->references, 1);
	a->bytes[0] ^= 1; /* so that there is something to fetch */
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_E_SUIT_REFERENCED);
	a->references = 0;
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_OK);
	world_free();
}

/* The last unlink of a dependency runs its uninstall. */
static void
uninstalls_a_dependency(void **state)
{
	(void)state;
	world_new(&forge_dep, WORDS({ "m24", "24: <<[12 1 7 15 33 15 12 0 33 15]>>" },
	                          { "dep.m24", "24: <<[33 15]>>" }));
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_OK);
	assert_int_equal(world_component('d')->references, 1);
	assert_int_equal(world_component('b')->references, 1);
	assert_int_equal(world_run(MST_SUIT_UNINSTALLATION), MST_OK);
	assert_int_equal(world_component('a')->holds, 0);
	assert_int_equal(world_component('b')->holds, 0);
	assert_int_equal(world_component('d')->holds, 0);
	world_free();
}

/* TD 7: another domain installs what this one staged. */
static void
staged_then_installed(void **state)
{
	(void)state;
	world_new(&forge_three,
	    WORDS({ "install", "12 2 20 {22: 0} 22 15 3 15" }, { "validate", "12 [0 2] 3 15" }));
	assert_int_equal(world_run(MST_SUIT_STAGING), MST_OK);
	assert_false(world_component('a')->valid);
	assert_int_equal(world_run(MST_SUIT_INSTALLATION), MST_OK);
	assert_true(world_component('c')->valid);
	assert_true(mst_span_eq(world_holds('c'), world_word("image")));
	world_free();
}

/* Sections of procedures that this processor does not run need no support. */
static void
other_domain(void **state)
{
	(void)state;
	world_new(&forge_one, WORDS({ "seq", "5" }));
	world.dev.platform.invoke = NULL;
	assert_int_equal(world_check(), MST_E_SUIT_COMMAND_UNSUPPORTED);
	assert_int_equal(world.suit.refusal.section, MST_SUIT_INVOKE);
	world.rules.procedures = 1U << MST_SUIT_UPDATE;
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_OK);
	assert_int_equal(
	    mst_suit_run(&world.suit, &world.manifest, MST_SUIT_INVOCATION), MST_E_SUIT_NO_SECTION);
	world_free();
}

/* UM 4.4 [D]: what the component's version lacks is read as 0. */
static void
short_version(void **state)
{
	(void)state;
	for (unsigned want = 0; want < 2; want++) {
		world_new(&forge_one,
		    WORDS({ "install", "20 {28: $v} 28 15" },
		        { "v", want == 0 ? "<<[3 [1 2 0]]>>" : "<<[3 [1 2 1]]>>" }, { "m7", "" }));
		world.dev.version[0] = 1;
		world.dev.version[1] = 2;
		world.dev.version_count = 2;
		assert_int_equal(
		    world_run(MST_SUIT_UPDATE), want == 0 ? MST_OK : MST_E_SUIT_VERSION_MISMATCH);
		world_free();
	}
}

static void
paths(void **state)
{
	static const uint8_t good[] = { 0x82, 0x41, 'a', 0x42, '.', 'b' };
	static const uint8_t bad[][6] = { { 5, 0x82, 0x41, 'a', 0x41, '.' },
		{ 4, 0x82, 0x41, 'a', 0x40 }, { 5, 0x81, 0x43, '.', '.', '/' },
		{ 4, 0x81, 0x42, '.', '.' }, { 3, 0x81, 0x41, 0 }, { 4, 0x81, 0x42, 'a', '/' } };

	(void)state;
	assert_int_equal(mst_suit_id_check_path(mst_span_of(good, sizeof good)), MST_OK);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(mst_suit_id_check_path(mst_span_of(bad[i] + 1, bad[i][0])),
		    MST_E_SUIT_COMPONENT_ID);
}

int
main(void)
{
	static struct CMUnitTest tests[ROWS + 12];
	static const struct CMUnitTest more[] = {
		{ "SUIT-16 a refusal within a dependency names its path", dependency_refusal, NULL,
		    NULL, NULL },
		{ "SUIT-14.5 dependencies run in step", dependency_in_step, NULL, NULL, NULL },
		{ "SUIT-5.2 a prefix goes before the identifiers of the dependency", prefixed, NULL,
		    NULL, NULL },
		{ "SUIT-13.2 the number advances by confirmation only", confirms, NULL, NULL,
		    NULL },
		{ "SUIT-13.2 what does not validate is not confirmed", confirms_only_what_validates,
		    NULL, NULL, NULL },
		{ "SUIT-14.11 what others need stays", references, NULL, NULL, NULL },
		{ "SUIT-14.11 the last unlink runs the uninstall of a dependency",
		    uninstalls_a_dependency, NULL, NULL, NULL },
		{ "SUIT-11.6 staged by one domain and installed by another", staged_then_installed,
		    NULL, NULL, NULL },
		{ "SUIT-11.6 sections of other domains need no support", other_domain, NULL, NULL,
		    NULL },
		{ "SUIT-10.28 what a short version lacks is 0", short_version, NULL, NULL, NULL },
		{ "SUIT-20.1 identifiers that become paths", paths, NULL, NULL, NULL },
	};
	size_t n = 0;

	for (size_t i = 0; i < ROWS; i++)
		tests[n++] = (struct CMUnitTest){ rows[i].name, traces, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
		tests[n++] = more[i];
	return _cmocka_run_group_tests("exec", tests, n, NULL, NULL);
}
