/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sheet 13.4: the power is cut at every call that changes something, and at
 * every pair of them (a cut while it recovers). What comes out is what comes out
 * without a cut, byte for byte.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "unit/suit/support_world.h"

/* A cut of power frees nothing: what is allocated in a run that is cut is not counted as lost.
 * Of the sanitizers, where there are any. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static void
count_leaks(bool counted)
{
	if (__lsan_disable != NULL && __lsan_enable != NULL)
		(counted ? __lsan_enable : __lsan_disable)();
}

#define PARTS 6

struct outcome {
	uint8_t bytes[PARTS][2048];
	size_t size[PARTS];
	int holds[PARTS];
	bool valid[PARTS];
};

struct scene {
	const char *name;
	const struct edn_scope *base;
	struct edn_word words[5];
	const char *held; /* components that hold something at first */
};

static const struct scene scenes[] = {
	{ "SUIT-13.4 cut: one image", &forge_one, { { NULL, NULL } }, "" },
	{ "SUIT-13.4 cut: three components, copied", &forge_three, { { NULL, NULL } }, "" },
	{ "SUIT-13.4 cut: A/B by try-each", &forge_ab, { { NULL, NULL } }, "" },
	{ "SUIT-13.4 cut: a dependency", &forge_dep, { { NULL, NULL } }, "" },
	{ "SUIT-13.4 cut: written, encrypted", &forge_encw, { { NULL, NULL } }, "" },
	{ "SUIT-13.4 cut: fetched, then decrypted", &forge_ence, { { NULL, NULL } }, "" },
	/* swap is not repeatable (M 6.3.1): fetched beside, then exchanged */
	{ "SUIT-13.4 cut: swapped", &forge_three,
	    { { "share", "12 true 20 {$ids $p0} 1 15 2 15" },
	        { "fetch", "12 1 20 {21: 'coap://x/1'} 21 15 3 15" },
	        { "install", "12 0 20 {22: 1} 31 15 3 15" }, { "validate", "12 0 3 15" } },
	    "ac" },
	/* the first alternative holds after the swap, and had not held before it */
	{ "SUIT-13.4 cut: swapped after a choice by what was installed", &forge_three,
	    { { "share", "12 true 20 {$ids $p0} 1 15 2 15" },
	        { "fetch", "12 1 15 [<<[3 15]>> <<[20 {21: 'coap://x/1'} 21 15 3 15]>>]" },
	        { "install", "12 0 15 [<<[3 15]>> <<[20 {22: 1} 31 15 3 15]>>]" },
	        { "validate", "12 0 3 15" } },
	    "ac" },
};
#define SCENES (sizeof scenes / sizeof scenes[0])

static void
begin_scene(const struct scene *sc)
{
	static const struct scene *current;
	size_t n = 0;

	while (n < 5 && sc->words[n].name != NULL)
		n++;
	if (current != sc) {
		world_free();
		world_new(sc->base, sc->words, n);
	}
	current = sc;
	world_again();
	for (const char *c = sc->held; *c != 0; c++) {
		struct device_component *k = world_component(*c);
		k->size = (size_t)sprintf((char *)k->bytes, "the old one of %c", *c);
		k->holds = 1;
	}
}

static void
look(struct outcome *o)
{
	memset(o, 0, sizeof *o);
	for (unsigned i = 0; i < PARTS; i++) {
		const struct device_component *c = &world.dev.component[i];
		o->holds[i] = c->holds;
		o->valid[i] = c->valid;
		o->size[i] = c->size;
		memcpy(o->bytes[i], c->bytes, c->size);
	}
}

/* Run until the power goes (the at-th change) or the end; false: it was cut. */
static bool
run_until(unsigned at, mst_err *e)
{
	world_reset();
	world.dev.changes = 0;
	world.dev.cut_at = at;
	if (at != 0)
		count_leaks(false);
	if (setjmp(world.dev.power) != 0) {
		count_leaks(true);
		return false;
	}
	*e = world_run(MST_SUIT_UPDATE);
	if (at != 0)
		count_leaks(true);
	return true;
}

static void
as_without_cut(const struct outcome *want, unsigned first, unsigned second)
{
	static struct outcome have;
	mst_err e = MST_OK;

	assert_true(run_until(0, &e));
	/* M 6.3.1: resumed, or applied anew */
	if (e == MST_E_SUIT_JOURNAL_DIVERGED)
		assert_true(run_until(0, &e));
	if (e != MST_OK)
		print_error(
		    "cut at %u, %u: %s; %s\n", first, second, mst_err_info(e)->name, world_trace());
	assert_int_equal(e, MST_OK);
	look(&have);
	if (memcmp(want, &have, sizeof have) != 0)
		print_error("cut at %u, %u: another state; %s\n", first, second, world_trace());
	assert_memory_equal(want, &have, sizeof have);
	assert_false(world.dev.has_journal);
}

static void
every_cut(void **state)
{
	const struct scene *sc = *state;
	static struct outcome want;
	mst_err e = MST_OK;
	unsigned pairs = 0;

	world.dev.cut_at = 0;
	begin_scene(sc);
	assert_true(run_until(0, &e));
	assert_int_equal(e, MST_OK);
	look(&want);
	for (unsigned first = 1;; first++) {
		begin_scene(sc);
		if (run_until(first, &e))
			break;
		as_without_cut(&want, first, 0);
		for (unsigned second = 1;; second++, pairs++) {
			begin_scene(sc);
			(void)run_until(first, &e);
			if (run_until(second, &e))
				break;
			as_without_cut(&want, first, second);
		}
	}
	print_message("%s: %u pairs of cuts\n", sc->name, pairs);
}

/* Sheet 13.6: an interrupted transfer goes on where it stopped. */
static void
resumes_by_range(void **state)
{
	mst_err e;

	(void)state;
	world_new(&forge_one, WORDS({ "m9", "" }));
	world.dev.fetch_stops = 20;
	e = world_run(MST_SUIT_UPDATE);
	assert_int_equal(e, MST_E_SUIT_INTERRUPTED);
	assert_int_equal(world.dev.fetched, 20);
	assert_false(world_component('a')->valid);
	world_reset();
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_OK);
	assert_int_equal(world.dev.fetched, world_word("image").len);
	assert_true(mst_span_eq(world_holds('a'), world_word("image")));
	world_free();
}

static void
resumes_without_ranges(void **state)
{
	(void)state;
	world_new(&forge_one, WORDS({ "m9", "" }));
	world.dev.fetch_stops = 20;
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_E_SUIT_INTERRUPTED);
	world.dev.no_ranges = true;
	world_reset();
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_OK);
	assert_int_equal(world.dev.fetched, 20 + world_word("image").len);
	assert_true(mst_span_eq(world_holds('a'), world_word("image")));
	world_free();
}

/* Without digest and size nobody could tell whether the rest fits: anew. */
static void
does_not_resume_without_size(void **state)
{
	(void)state;
	world_new(&forge_one, WORDS({ "imgparams", "3: $imgdigest" }));
	world.dev.fetch_stops = 20;
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_E_SUIT_INTERRUPTED);
	assert_int_equal(world_component('a')->holds, 0);
	assert_int_equal(world_component('a')->size, 0);
	assert_false(world.dev.has_journal);
	world_free();
}

/* What waits is asked again later, and what was done stays done. */
static void
waits_and_goes_on(void **state)
{
	(void)state;
	world_new(
	    &forge_one, WORDS({ "install", "20 {21: $uri} 21 15 3 15 20 {29: <<{2: 1}>>} 29 15" }));
	world.dev.waits = MST_E_SUIT_WAIT;
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_E_SUIT_WAIT);
	assert_true(world.dev.has_journal);
	world.dev.waits = MST_OK;
	world.dev.fetched = 0;
	world_reset();
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_OK);
	assert_int_equal(world.dev.fetched, 0);
	assert_non_null(strstr(world_trace(), "21.0*"));
	world_free();
}

/* The n-th change fails instead: refused, nothing valid that is not right, and the next run ends
 * well. */
static void
every_failure(void **state)
{
	const struct scene *sc = *state;
	static struct outcome want;
	mst_err e = MST_OK;

	begin_scene(sc);
	assert_true(run_until(0, &e));
	look(&want);
	for (unsigned at = 1;; at++) {
		begin_scene(sc);
		world_reset();
		world.dev.cut_at = 0;
		world.dev.changes = 0;
		world.dev.fail_at = at;
		e = world_run(MST_SUIT_UPDATE);
		world.dev.fail_at = 0;
		if (world.dev.changes < at)
			break;
		for (unsigned i = 0; i < PARTS; i++)
			if (world.dev.component[i].valid) {
				assert_int_equal(world.dev.component[i].size, want.size[i]);
				assert_memory_equal(
				    world.dev.component[i].bytes, want.bytes[i], want.size[i]);
			}
		assert_int_not_equal(e, MST_OK);
		assert_int_equal(world.suit.refusal.err, e);
	}
}

int
main(void)
{
	static struct CMUnitTest tests[2 * SCENES + 4];
	static char names[SCENES][96];
	size_t n = 0;

	for (size_t i = 0; i < SCENES; i++) {
		tests[n++] = (struct CMUnitTest){ scenes[i].name, every_cut, NULL, NULL,
			(void *)(uintptr_t)&scenes[i] };
		(void)snprintf(names[i], sizeof names[i], "SUIT-12 failing calls%s",
		    strchr(scenes[i].name, ':'));
		tests[n++] = (struct CMUnitTest){ names[i], every_failure, NULL, NULL,
			(void *)(uintptr_t)&scenes[i] };
	}
	tests[n++] =
	    (struct CMUnitTest){ "SUIT-13.6 goes on by range", resumes_by_range, NULL, NULL, NULL };
	tests[n++] = (struct CMUnitTest){ "SUIT-13.6 anew where the source has no ranges",
		resumes_without_ranges, NULL, NULL, NULL };
	tests[n++] = (struct CMUnitTest){ "SUIT-13.6 anew without digest and size",
		does_not_resume_without_size, NULL, NULL, NULL };
	tests[n++] = (struct CMUnitTest){ "SUIT-10.29 what waits goes on later", waits_and_goes_on,
		NULL, NULL, NULL };
	return _cmocka_run_group_tests("journal", tests, n, NULL, NULL);
}
