/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attacks that TUF names (RFC 9124 has them, too), each played against one
 * device that lives on from one envelope to the next; and what an attacker
 * gains by cutting the power at a chosen moment.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "suit/support_rows.h"

static struct board board;

#define WORDS(...)                                                                                 \
	(const struct edn_word[]){ __VA_ARGS__ },                                                  \
	    sizeof((const struct edn_word[]){ __VA_ARGS__ }) / sizeof(struct edn_word)

/* A new device of these words (those of base where there are none). */
static void
device(const struct edn_scope *base, const struct edn_word *words, size_t count)
{
	struct edn_scope scope = { words, count, base };

	board_free(&board);
	board_init(&board, &scope);
}

/* What the source serves from now on, at coap://x/1. */
static void
serve(const struct edn_scope *base, const struct edn_word *words, size_t count)
{
	struct edn_bytes item = forge(base, words, count, "payload1");
	size_t head = item.ptr[0] == 0x58 ? 2 : 1;

	edn_free(&board.served[0].content);
	edn_append(&board.served[0].content, item.ptr + head, item.len - head);
	edn_free(&item);
}

/* One envelope, after a reset of the device; its storage, record and journal live on. */
static struct row_outcome
play(const struct edn_scope *base, const struct edn_word *words, size_t count,
    enum mst_suit_procedure procedure)
{
	struct edn_bytes made = forge(base, words, count, "envelope");
	uint8_t *exact = test_malloc(made.len);
	struct row_outcome o;

	memcpy(exact, made.ptr, made.len);
	board_reset(&board);
	board_mark(&board);
	o = row_play(&board, mst_span_of(exact, made.len), procedure);
	test_free(exact);
	edn_free(&made);
	return o;
}

static struct row_outcome
update(const struct edn_scope *base, const struct edn_word *words, size_t count)
{
	return play(base, words, count, MST_SUIT_UPDATE);
}

/* Reset, check, confirm: what the new image does when it finds itself well. */
static mst_err
confirm(const struct edn_scope *base, const struct edn_word *words, size_t count)
{
	struct edn_bytes made = forge(base, words, count, "envelope");
	struct mst_suit_envelope envelope;
	struct mst_suit_manifest manifest;
	mst_err e;

	board_reset(&board);
	board_mark(&board);
	if ((e = mst_suit_envelope_parse(mst_span_of(made.ptr, made.len), &envelope)) == MST_OK &&
	    (e = mst_suit_check(&board.suit, &envelope, &manifest)) == MST_OK)
		e = mst_suit_confirm(&board.suit, &manifest);
	edn_free(&made);
	return e;
}

static void
refused_untouched(struct row_outcome o, mst_err want)
{
	assert_string_equal(err_name(o.err), err_name(want));
	if (board_changed(&board) != NULL)
		fail_msg("%s was changed", board_changed(&board));
}

static void
refused_invalid(struct row_outcome o, mst_err want)
{
	assert_string_equal(err_name(o.err), err_name(want));
	assert_int_equal(board.finalised, 0);
	assert_int_equal(board.invoked, 0);
	assert_int_equal(board.records, 0);
}

static void
taken(struct row_outcome o)
{
	assert_string_equal(err_name(o.err), err_name(MST_OK));
}

/* ---- The named ones --------------------------------------------------------------------- */

static void
rollback(void **state)
{
	(void)state;
	device(&forge_one, NULL, 0);
	taken(update(&forge_one, WORDS({ "seq", "7" })));
	assert_int_equal(confirm(&forge_one, WORDS({ "seq", "7" })), MST_OK);
	assert_int_equal(board.now.record.number, 7);
	refused_untouched(update(&forge_one, WORDS({ "seq", "6" })), MST_E_SUIT_ROLLBACK);
	refused_untouched(update(&forge_one, WORDS({ "seq", "0" })), MST_E_SUIT_ROLLBACK);
	refused_untouched(
	    play(&forge_one, WORDS({ "seq", "6" }), MST_SUIT_INVOCATION), MST_E_SUIT_ROLLBACK);
	assert_int_equal(confirm(&forge_one, WORDS({ "seq", "6" })), MST_E_SUIT_ROLLBACK);
	assert_int_equal(board.now.record.number, 7);
	/* equal: the same again, and nothing else under its number */
	refused_untouched(update(&forge_one, WORDS({ "seq", "7" }, { "invoke", "23 3" })),
	    MST_E_SUIT_SEQUENCE_REUSED);
	taken(update(&forge_one, WORDS({ "seq", "7" })));
	taken(update(&forge_one, WORDS({ "seq", "8" })));
}

/* SUIT-13.2: neither download nor install advances the number; only who confirms does. */
static void
unconfirmed_advances_nothing(void **state)
{
	(void)state;
	device(&forge_one, NULL, 0);
	taken(update(&forge_one, WORDS({ "seq", "9" })));
	assert_false(board.now.record.known);
	taken(play(&forge_one, WORDS({ "seq", "9" }), MST_SUIT_INVOCATION));
	assert_false(board.now.record.known);
	taken(update(&forge_one, WORDS({ "seq", "8" }))); /* reverted to the older one */
	assert_int_equal(confirm(&forge_one, WORDS({ "seq", "8" })), MST_OK);
	assert_int_equal(board.now.record.number, 8);
}

/* Confirm looks once more: an image that was altered after its install is not confirmed. */
static void
confirm_validates(void **state)
{
	(void)state;
	device(&forge_one, NULL, 0);
	taken(update(&forge_one, WORDS({ "seq", "9" })));
	board_component(&board, "a")->bytes[3] ^= 1;
	assert_int_equal(confirm(&forge_one, WORDS({ "seq", "9" })), MST_E_SUIT_IMAGE_MISMATCH);
	assert_false(board.now.record.known);
}

static void
freeze(void **state)
{
	static const struct edn_word old[] = { { "install",
	    "20 {4: 2000 21: $uri} 4 15 21 15 3 15" } };

	(void)state;
	device(&forge_one, NULL, 0);
	board.time = 1999;
	taken(update(&forge_one, old, 1));
	device(&forge_one, NULL, 0);
	board.time = 2000;
	refused_untouched(update(&forge_one, old, 1), MST_E_SUIT_EXPIRED);
	board.has_time = false; /* and who takes the clock away gains nothing */
	refused_untouched(update(&forge_one, old, 1), MST_E_SUIT_NO_TIME);
}

static void
mix_and_match(void **state)
{
	static const struct edn_word v1[] = { { "seq", "1" }, { "image", "b'image one'" },
		{ "text", "{'en': {1: 'one'}}" } };
	static const struct edn_word v2[] = { { "seq", "2" }, { "image", "b'image two'" },
		{ "text", "{'en': {1: 'two'}}" }, { "install", "20 {21: $uri} 1 15 21 15 3 15" } };
	struct edn_bytes wrapper = forge(&forge_severed, v1, 3, "auth");
	struct edn_bytes install = forge(&forge_severed, v1, 3, "s20");
	char text[2][2048];
	struct edn_bytes *const part[] = { &wrapper, &install };

	(void)state;
	for (size_t i = 0; i < 2; i++) { /* as raw('..') */
		char *at = text[i] + sprintf(text[i], "raw(h'");

		for (size_t k = 0; k < part[i]->len; k++)
			at += sprintf(at, "%02x", part[i]->ptr[k]);
		strcpy(at, "')");
		edn_free(part[i]);
	}
	device(&forge_severed, v2, 4);
	/* the wrapper of one release, the manifest of the other */
	refused_untouched(
	    update(&forge_severed, WORDS(v2[0], v2[1], v2[2], v2[3], { "auth", text[0] })),
	    MST_E_SUIT_MANIFEST_DIGEST);
	/* a severed section of one release in the envelope of the other */
	refused_untouched(
	    update(&forge_severed, WORDS(v2[0], v2[1], v2[2], v2[3], { "env", text[1] },
	                               { "map", "{2: $auth 3: $manifest 20: $env 23: $s23}" })),
	    MST_E_SUIT_SEVERED_DIGEST);
	/* the payload of one release for the other */
	serve(&forge_severed, v1, 3);
	refused_invalid(update(&forge_severed, v2, 4), MST_E_SUIT_IMAGE_MISMATCH);
	serve(&forge_severed, v2, 4);
	taken(update(&forge_severed, v2, 4));
}

/* A dependency of another release, rightly signed by its own author. */
static void
mix_and_match_of_dependencies(void **state)
{
	static const struct edn_word older = { "dep.seq", "4" };
	struct edn_bytes old = forge(&forge_dep, &older, 1, "depenvelope");
	char text[4096];
	char *at = text + sprintf(text, "'#dep': h'");

	(void)state;
	for (size_t i = 0; i < old.len; i++)
		at += sprintf(at, "%02x", old.ptr[i]);
	strcpy(at, "'");
	edn_free(&old);
	device(&forge_dep, NULL, 0);
	refused_invalid(update(&forge_dep, WORDS({ "env", text })), MST_E_SUIT_DEPENDENCY_DIGEST);
	taken(update(&forge_dep, NULL, 0));
}

static void
endless_data(void **state)
{
	(void)state;
	device(&forge_one, WORDS({ "dev.endless", "true" }));
	refused_invalid(update(&forge_one, NULL, 0), MST_E_SUIT_PAYLOAD_LONG);
	assert_in_range(board.taken, 39, 39 + sizeof board.block);
	/* without image-size the component's room is the end of it */
	device(&forge_one, WORDS({ "dev.endless", "true" }, { "imgparams", "3: $imgdigest" },
	                       { "dev.capacity", "500" }));
	refused_invalid(
	    update(&forge_one, WORDS({ "imgparams", "3: $imgdigest" })), MST_E_SUIT_CAPACITY);
	assert_in_range(board.taken, 500, 500 + sizeof board.block);
}

/* A source that lets the transfer creep: it ends in bounded calls, and resumes what is durable. */
static void
slow_retrieval(void **state)
{
	unsigned resumed = 0;
	struct row_outcome o;

	(void)state;
	device(&forge_one, NULL, 0);
	board.chunk = 1;
	for (size_t i = 1; i < 39; i++) {
		board.cut = i; /* a byte, and then the source is gone */
		o = update(&forge_one, NULL, 0);
		refused_invalid(o, MST_E_SUIT_INTERRUPTED);
		resumed++;
	}
	board.cut = SIZE_MAX;
	taken(update(&forge_one, NULL, 0));
	assert_int_equal(resumed, 38);
}

/* ... but it cannot be drawn out past use-before (freeze by slow retrieval). */
static void
slow_retrieval_past_use_before(void **state)
{
	static const struct edn_word w[] = { { "install",
	    "20 {4: 2000 21: $uri} 4 15 21 15 3 15" } };

	(void)state;
	device(&forge_one, w, 1);
	board.cut = 20;
	refused_invalid(update(&forge_one, w, 1), MST_E_SUIT_INTERRUPTED);
	board.cut = SIZE_MAX;
	board.time = 3000;
	refused_invalid(update(&forge_one, w, 1), MST_E_SUIT_EXPIRED);
	assert_false(board_component(&board, "a")->valid);
}

/* Nor can the owner's permission or the battery of yesterday be used today. */
static void
slow_retrieval_past_permission(void **state)
{
	static const struct edn_word w[] = { { "install",
	    "20 {21: $uri 26: 20 27: 0} 26 15 27 15 21 15 3 15" } };

	(void)state;
	device(&forge_one, w, 1);
	board.cut = 20;
	refused_invalid(update(&forge_one, w, 1), MST_E_SUIT_INTERRUPTED);
	board.cut = SIZE_MAX;
	board.authorized = false;
	refused_invalid(update(&forge_one, w, 1), MST_E_SUIT_NOT_AUTHORIZED);
	board.authorized = true;
	board.battery = 1;
	refused_invalid(update(&forge_one, w, 1), MST_E_SUIT_BATTERY);
}

/*
 * Whoever gets one manifest of the highest number signed must not shut out all
 * later ones: a number counts only when its image has confirmed itself.
 */
static void
fast_forward(void **state)
{
	(void)state;
	device(&forge_one, NULL, 0);
	taken(update(&forge_one, WORDS({ "seq", "18446744073709551615" })));
	assert_false(board.now.record.known);
	taken(update(&forge_one, WORDS({ "seq", "6" })));
	assert_int_equal(confirm(&forge_one, WORDS({ "seq", "6" })), MST_OK);
	/* and the number of one identity is not that of another */
	taken(update(&forge_one, WORDS({ "seq", "18446744073709551615" }, { "m5", "5: [b'm']" })));
	assert_int_equal(
	    confirm(&forge_one, WORDS({ "seq", "18446744073709551615" }, { "m5", "5: [b'm']" })),
	    MST_OK);
	taken(update(&forge_one, WORDS({ "seq", "7" })));
}

static void
wrong_software(void **state)
{
	(void)state;
	device(&forge_one, WORDS({ "dev.class", "flip(7 $class)" }));
	refused_untouched(update(&forge_one, NULL, 0), MST_E_SUIT_CLASS);
	device(&forge_one, WORDS({ "dev.vendor", "flip(7 $vendor)" }));
	refused_untouched(update(&forge_one, NULL, 0), MST_E_SUIT_VENDOR);
	device(&forge_one, NULL, 0);
	refused_untouched(update(&forge_one, WORDS({ "components", "[b'other']" })),
	    MST_E_SUIT_COMPONENT_UNKNOWN);
	/* the right envelope, another program behind its uri */
	serve(
	    &forge_one, WORDS({ "payload1", "b'An image of version two, of some other length'" }));
	refused_invalid(update(&forge_one, NULL, 0), MST_E_SUIT_PAYLOAD_LONG);
	serve(&forge_one, WORDS({ "payload1", "flip(100 $image)" }));
	refused_invalid(update(&forge_one, NULL, 0), MST_E_SUIT_IMAGE_MISMATCH);
}

static void
key_compromise(void **state)
{
	static const struct edn_word needs_two[] = { { "dev.need", "2" } };

	(void)state;
	/* one of two keys is not enough */
	device(&forge_one, needs_two, 1);
	refused_untouched(update(&forge_one, NULL, 0), MST_E_SUIT_AUTH_POLICY);
	/* a key reaches as far as its rights */
	device(&forge_one,
	    WORDS({ "dev.acl", "[[1 [b'a'] 18446744073709551615 18446744073709551615] "
	                       "[2 [b'b'] 18446744073709551615 18446744073709551615]]" }));
	refused_untouched(
	    update(&forge_one, WORDS({ "key", "'k2'" }, { "unprot", "4: b'k2'" })), MST_E_SUIT_ACL);
	taken(update(&forge_one, NULL, 0));
	/* a key that was taken out of the trust store is a stranger's */
	device(&forge_one, NULL, 0);
	for (size_t i = 0; i < board.keys.count; i++)
		if (mst_span_eq(board.key[i].kid, MST_LIT("k1")))
			board.key[i] = board.key[--board.keys.count];
	refused_untouched(update(&forge_one, NULL, 0), MST_E_COSE_KID);
}

/* ---- Cuts of power at a chosen moment ------------------------------------------------------ */

/* The journal of one manifest is no journal of another (equal number, other digest, same way). */
static void
resumed_with_another_manifest(void **state)
{
	(void)state;
	device(&forge_one, NULL, 0);
	board.cut = 30;
	refused_invalid(update(&forge_one, NULL, 0), MST_E_SUIT_INTERRUPTED);
	board.cut = SIZE_MAX;
	board.taken = 0;
	serve(&forge_one, WORDS({ "image", "b'Another image that is of just that length'" }));
	taken(
	    update(&forge_one, WORDS({ "image", "b'Another image that is of just that length'" })));
	assert_int_equal(board.taken, 41); /* from its beginning */
}

/* What an image-match said before a cut is no proof of what the storage holds after it. */
static void
altered_between_check_and_resume(void **state)
{
	static const struct edn_word w[] = { { "validate", "12 0 1 15" },
		{ "fetch", "12 0 20 {21: 'coap://x/1'} 21 15 3 15" },
		{ "install", "12 1 20 {21: 'coap://x/2'} 21 15 3 15" } };
	struct row_outcome o;

	(void)state;
	device(&forge_three, w, 3);
	board.cut = 45; /* within the second payload; the first was checked */
	o = update(&forge_three, w, 3);
	refused_invalid(o, MST_E_SUIT_INTERRUPTED);
	board.cut = SIZE_MAX;
	board_component(&board, "a")->bytes[0] ^= 1;
	o = update(&forge_three, w, 3);
	if (o.err == MST_OK)
		fail_msg("an altered image was made valid");
	assert_false(board_component(&board, "a")->valid);
	assert_int_equal(board.finalised, 0);
}

/*
 * Cut at each block of each payload; while the device is off somebody changes
 * any component and, in half of the cases, the source as well. Either the update
 * is refused, or every component that is valid holds what was signed.
 */
static void
resumed_under_an_adversary(void **state)
{
	static const char *const names[] = { "a", "b", "c" };
	static const char image[] = "The application, in its version two.";
	static const char image2[] = "The radio, which has a version of its own.";
	unsigned refused = 0, whole = 0;

	(void)state;
	for (size_t cut = 0; cut < 80; cut += 2)
		for (size_t which = 0; which < 6; which++) {
			struct row_outcome o;

			device(&forge_three, NULL, 0);
			board.chunk = 8;
			board.cut = cut;
			(void)update(&forge_three, NULL, 0);
			board.cut = SIZE_MAX;
			board_component(&board, names[which % 3])->bytes[cut % 36] ^= 0x20;
			if (which >= 3)
				board.served[which % 2].content.ptr[0] ^= 1;
			o = update(&forge_three, NULL, 0);
			if (o.err != MST_OK) {
				refused++;
				assert_int_equal(board.finalised, 0);
				continue;
			}
			whole++;
			for (size_t i = 0; i < 3; i++) {
				struct board_component *c = board_component(&board, names[i]);

				assert_true(c->valid);
				assert_memory_equal(c->bytes, i == 1 ? image2 : image,
				    i == 1 ? sizeof image2 - 1 : sizeof image - 1);
			}
		}
	print_message("resumed: %u refused, %u whole\n", refused, whole);
	assert_true(refused > 0 && whole > 0);
}

/* What is already there of an interrupted payload may have been altered, too. */
static void
altered_partial_payload(void **state)
{
	(void)state;
	device(&forge_one, NULL, 0);
	board.cut = 32;
	refused_invalid(update(&forge_one, NULL, 0), MST_E_SUIT_INTERRUPTED);
	board.cut = SIZE_MAX;
	board_component(&board, "a")->bytes[2] ^= 1;
	refused_invalid(update(&forge_one, NULL, 0), MST_E_SUIT_IMAGE_MISMATCH);
	/* and the device is not caught in it: the next attempt begins anew */
	taken(update(&forge_one, NULL, 0));
}

/* A manifest that is refused leaves the journal of the update under way alone. */
static void
refused_manifest_keeps_the_journal(void **state)
{
	(void)state;
	device(&forge_one, NULL, 0);
	board.cut = 32;
	refused_invalid(update(&forge_one, NULL, 0), MST_E_SUIT_INTERRUPTED);
	board.cut = SIZE_MAX;
	refused_untouched(update(&forge_one, WORDS({ "key", "'evil'" })), MST_E_COSE_SIGNATURE);
	refused_untouched(update(&forge_one, WORDS({ "m1", "1: 2" })), MST_E_SUIT_VERSION);
	board.taken = 0;
	taken(update(&forge_one, NULL, 0));
	assert_true(board.taken < 39); /* it went on where it was */
}

/* The same envelope once more, after it was confirmed: it may be applied, and ends the same. */
static void
replayed(void **state)
{
	struct board_component first;

	(void)state;
	device(&forge_one, NULL, 0);
	taken(update(&forge_one, NULL, 0));
	assert_int_equal(confirm(&forge_one, NULL, 0), MST_OK);
	first = *board_component(&board, "a");
	taken(update(&forge_one, NULL, 0));
	assert_memory_equal(first.bytes, board_component(&board, "a")->bytes, sizeof first.bytes);
	assert_int_equal(board.now.record.number, 5);
}

/* The number of a root that says where it is kept is that identity's, from the first look on. */
static void
rollback_of_another_identity(void **state)
{
	static const struct edn_word newer[] = { { "seq", "9" }, { "m5", "5: [b'm']" } };
	static const struct edn_word older[] = { { "seq", "8" }, { "m5", "5: [b'm']" } };
	static const struct edn_word reused[] = { { "seq", "9" }, { "m5", "5: [b'm']" },
		{ "invoke", "23 3" } };

	(void)state;
	device(&forge_one, NULL, 0);
	taken(update(&forge_one, newer, 2));
	assert_int_equal(confirm(&forge_one, newer, 2), MST_OK);
	assert_int_equal(board.now.other.number, 9);
	refused_untouched(update(&forge_one, older, 2), MST_E_SUIT_ROLLBACK);
	refused_untouched(update(&forge_one, reused, 3), MST_E_SUIT_SEQUENCE_REUSED);
	refused_untouched(play(&forge_one, older, 2, MST_SUIT_INVOCATION), MST_E_SUIT_ROLLBACK);
	taken(update(&forge_one, newer, 2));
}

/* Storage is altered once its image-match was done, before the copy from it. */
static void
alter_the_source(struct board *b)
{
	struct board_component *a = board_component(b, "a");
	size_t *reads = b->meanwhile_arg;

	if (a->info.state == MST_SUIT_HOLDS && ++*reads == 2)
		a->bytes[0] ^= 1;
}

static void
altered_between_check_and_copy(void **state)
{
	static const struct edn_word w[] = { { "validate", "12 1 3 15" },
		{ "install", "12 1 20 {21: 'coap://x/2'} 21 15 3 15 12 2 20 {22: 0} 22 15" } };
	struct row_outcome o;
	size_t reads;

	(void)state;
	for (size_t when = 0; when < 8; when++) {
		device(&forge_three, w, 2);
		reads = 2 - when; /* counts up to 2: each of the reads in turn */
		board.meanwhile = alter_the_source;
		board.meanwhile_arg = &reads;
		o = update(&forge_three, w, 2);
		board.meanwhile = NULL;
		if (o.err == MST_OK && board_component(&board, "c")->bytes[0] != 'T')
			fail_msg("an altered image was made valid (read %zu)", when);
	}
}

/* The same of a ciphertext without tag: AES-CTR turns each flipped bit into one of the image. */
static void
alter_the_ciphertext(struct board *b)
{
	struct board_component *c = board_component(b, "b");
	size_t *reads = b->meanwhile_arg;

	if (c->info.state == MST_SUIT_HOLDS && ++*reads == 2)
		c->bytes[0] ^= 1;
}

static void
altered_between_check_and_decryption(void **state)
{
	static const struct edn_word w[] = { { "validate", "12 1 1 15" },
		{ "install", "12 1 20 {21: $uri} 21 15 3 15 12 0 20 {19: $encinfo 22: 1} 22 15" } };
	size_t reads;

	(void)state;
	for (size_t when = 0; when < 8; when++) {
		device(&forge_ence, w, 2);
		reads = 2 - when;
		board.meanwhile = alter_the_ciphertext;
		board.meanwhile_arg = &reads;
		if (update(&forge_ence, w, 2).err == MST_OK &&
		    board_component(&board, "a")->bytes[0] != 'A')
			fail_msg("an altered image was decrypted and made valid (read %zu)", when);
		board.meanwhile = NULL;
	}
}

/* The journal of one procedure is none of another. */
static void
uninstall_after_an_interrupted_update(void **state)
{
	static const struct edn_word w[] = { { "m24", "24: <<[12 0 33 15]>>" },
		{ "install", "12 0 1 15 12 1 20 {21: 'coap://x/2'} 21 15 3 15 12 2 20 {22: 0} 22 "
		             "15 3 15" } };
	struct board_component *a;
	struct row_outcome o;

	(void)state;
	device(&forge_three, w, 2);
	board.cut = 45;
	refused_invalid(update(&forge_three, w, 2), MST_E_SUIT_INTERRUPTED);
	board.cut = SIZE_MAX;
	a = board_component(&board, "a");
	o = play(&forge_three, w, 2, MST_SUIT_UNINSTALLATION);
	if (o.err == MST_OK && a->info.state != MST_SUIT_HOLDS_NOTHING)
		fail_msg("the uninstallation says it is done, and did nothing");
}

/* What is there already, of an update that failed, is marked valid by the one that succeeds. */
static void
needless_but_never_finalised(void **state)
{
	(void)state;
	device(&forge_three, NULL, 0);
	board.served[1].content.ptr[0] ^= 1;
	refused_invalid(update(&forge_three, NULL, 0), MST_E_SUIT_IMAGE_MISMATCH);
	board.served[1].content.ptr[0] ^= 1;
	taken(update(&forge_three, WORDS({ "seq", "6" })));
	assert_true(board_component(&board, "a")->valid);
	assert_true(board_component(&board, "b")->valid);
	assert_true(board_component(&board, "c")->valid);
}

/* The journal lies in storage that somebody may write to: whatever it says, nothing gets in. */
static void
forged_journal(void **state)
{
	static const uint64_t offsets[] = { 1, 38, 39, 40, 2048, UINT32_MAX, UINT64_MAX };
	struct mst_suit_journal seen;
	struct row_outcome o;

	(void)state;
	device(&forge_one, NULL, 0);
	board.cut = 20;
	refused_invalid(update(&forge_one, NULL, 0), MST_E_SUIT_INTERRUPTED);
	seen = board.now.journal;
	for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++)
		for (uint32_t flip = 0; flip < 24; flip++) {
			device(&forge_one, NULL, 0);
			memset(board_component(&board, "a")->bytes, 'e', BOARD_CAPACITY);
			board_component(&board, "a")->info.size = 39;
			board.now.journalled = true;
			board.now.journal = seen;
			board.now.journal.offset = offsets[i];
			board.now.journal.state ^= UINT32_C(1) << flip;
			serve(&forge_one,
			    WORDS({ "payload1", "b'evil evil evil evil evil evil evil evil'" }));
			o = update(&forge_one, NULL, 0);
			if (o.err == MST_OK || board_component(&board, "a")->valid)
				fail_msg("offset %zu, bit %u", i, (unsigned)flip);
		}
}

/* Swap exchanges: whoever needs the source loses it as well. */
static void
needed_source_of_swap(void **state)
{
	static const struct edn_word w[] = { { "dev.c", "b'x'" },
		{ "install", "12 1 20 {21: 'coap://x/2'} 21 15 3 15 20 {22: 2} 31 15 3 15" } };
	struct board_component *c;

	(void)state;
	device(&forge_three, w, 2);
	c = board_component(&board, "c");
	memset(c->by[0], 0x77, 32);
	c->references = 1;
	refused_invalid(update(&forge_three, w, 2), MST_E_SUIT_REFERENCED);
	assert_memory_equal(c->bytes, "x", 1);
}

/* ---- Storage that others need ------------------------------------------------------------- */

static void
needed_component(void **state)
{
	struct board_component *a;

	(void)state;
	device(&forge_one, NULL, 0);
	a = board_component(&board, "a");
	memset(a->by[0], 0x77, 32); /* of another root manifest */
	a->references = 1;
	refused_invalid(update(&forge_one, NULL, 0), MST_E_SUIT_REFERENCED);
	assert_int_equal(a->references, 1);
	a->references = 0;
	taken(update(&forge_one, NULL, 0));
}

/* A refused update leaves no reference behind. */
static void
refused_leaves_no_reference(void **state)
{
	(void)state;
	device(&forge_one, WORDS({ "payload1", "flip(0 $image)" }));
	refused_invalid(update(&forge_one, NULL, 0), MST_E_SUIT_IMAGE_MISMATCH);
	assert_int_equal(board_component(&board, "a")->references, 0);
}

/* ---- What is read twice ------------------------------------------------------------------- */

static void
swap_behind_the_hash(struct board *b)
{
	struct board_component *a = board_component(b, "a");
	unsigned *reads = b->meanwhile_arg;

	/* once the update is over, somebody who holds the storage changes it */
	if (++*reads == 0)
		a->bytes[0] ^= 1;
}

/* RFC 9124 COMPLETE_DIGEST: what is hashed is read back from storage, each time anew. */
static void
validated_anew_before_invocation(void **state)
{
	unsigned reads = 1;

	(void)state;
	device(&forge_one, NULL, 0);
	taken(update(&forge_one, NULL, 0));
	board.meanwhile = swap_behind_the_hash;
	board.meanwhile_arg = &reads;
	taken(play(&forge_one, NULL, 0, MST_SUIT_INVOCATION));
	assert_true(reads > 1); /* it did read */
	board.meanwhile = NULL;
	board_component(&board, "a")->bytes[5] ^= 0x80;
	refused_untouched(
	    play(&forge_one, NULL, 0, MST_SUIT_INVOCATION), MST_E_SUIT_IMAGE_MISMATCH);
}

static void
nobody_remembers(void **state)
{
	(void)state;
	/* a refused manifest leaves nothing in the processor that helps the next one */
	device(&forge_one, NULL, 0);
	refused_untouched(
	    update(&forge_one, WORDS({ "validate", "99 15" })), MST_E_SUIT_COMMAND_UNKNOWN);
	{
		struct edn_bytes bad = forge(&forge_one, WORDS({ "key", "'evil'" }), "envelope");
		struct edn_bytes good = forge(&forge_one, NULL, 0, "envelope");
		struct mst_suit_envelope parsed;
		struct mst_suit_manifest manifest;

		board_reset(&board);
		board_mark(&board);
		assert_int_equal(
		    mst_suit_envelope_parse(mst_span_of(good.ptr, good.len), &parsed), MST_OK);
		assert_int_equal(mst_suit_check(&board.suit, &parsed, &manifest), MST_OK);
		assert_int_equal(
		    mst_suit_envelope_parse(mst_span_of(bad.ptr, bad.len), &parsed), MST_OK);
		assert_int_equal(
		    mst_suit_check(&board.suit, &parsed, &manifest), MST_E_COSE_SIGNATURE);
		assert_null(board_changed(&board));
		assert_int_equal(manifest.authorities, 0);
		assert_null(manifest.envelope.bytes.ptr); /* there is nothing that could be run */
		edn_free(&bad);
		edn_free(&good);
	}
}

#define T(name, f)                                                                                 \
	{                                                                                          \
		name, f, NULL, NULL, NULL                                                          \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T("SUIT-TUF rollback", rollback),
		T("SUIT-13.2 an update that is not confirmed advances nothing",
		    unconfirmed_advances_nothing),
		T("SUIT-13.2 confirming validates once more", confirm_validates),
		T("SUIT-TUF freeze", freeze),
		T("SUIT-TUF mix-and-match", mix_and_match),
		T("SUIT-TUF mix-and-match of dependencies", mix_and_match_of_dependencies),
		T("SUIT-TUF endless data", endless_data),
		T("SUIT-TUF slow retrieval", slow_retrieval),
		T("SUIT-TUF slow retrieval past use-before", slow_retrieval_past_use_before),
		T("SUIT-TUF slow retrieval past battery and permission",
		    slow_retrieval_past_permission),
		T("SUIT-TUF fast-forward", fast_forward),
		T("SUIT-TUF wrong software", wrong_software),
		T("SUIT-TUF key compromise", key_compromise),
		T("SUIT-13.4 resumed with another manifest", resumed_with_another_manifest),
		T("SUIT-13.4 altered between check and resume", altered_between_check_and_resume),
		T("SUIT-13.4 resumed under an adversary", resumed_under_an_adversary),
		T("SUIT-13.6 a partial payload that was altered", altered_partial_payload),
		T("SUIT-13.4 a refused manifest leaves the journal alone",
		    refused_manifest_keeps_the_journal),
		T("SUIT-13.1 replayed after it was confirmed", replayed),
		T("SUIT-13.1 rollback with a manifest-component-id", rollback_of_another_identity),
		T("SUIT-19.3 source altered between its check and the copy",
		    altered_between_check_and_copy),
		T("SUIT-15.6 ciphertext altered between its check and its decryption",
		    altered_between_check_and_decryption),
		T("SUIT-13.4 uninstall after an interrupted update",
		    uninstall_after_an_interrupted_update),
		T("SUIT-13.4 what is there already is marked valid as well",
		    needless_but_never_finalised),
		T("SUIT-13.4 a forged journal", forged_journal),
		T("SUIT-14.11 a source of swap that another manifest needs", needed_source_of_swap),
		T("SUIT-14.11 a component that another manifest needs", needed_component),
		T("SUIT-14.11 a refused update leaves no reference", refused_leaves_no_reference),
		T("SUIT-22.1 the image is read back before each invocation",
		    validated_anew_before_invocation),
		T("SUIT-22.2 a refused manifest leaves nothing to run", nobody_remembers),
	};

	return cmocka_run_group_tests_name("attacks", tests, NULL, NULL);
}
