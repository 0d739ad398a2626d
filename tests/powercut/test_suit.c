/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The power-cut proof with the SUIT processor as the installer: an authentic
 * manifest, its payload streamed into the slot, journal and record in the flash of
 * the simulator, the validate section run over a slot before it boots, and the
 * confirmation by mst_suit_confirm. Every cut; pairs sampled.
 *
 * A slot: one sector with the envelope (its length, 2 bytes, before it), then the image.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/openssl/suit_openssl.h"
#include "muster/suit.h"
#include "muster/torture.h"
#include "suit/support_forge.h"
#include "suit/support_keys.h"

enum {
	SECTOR = 2048,
	RECORD = 2,
	SLOT = 3,
	SECTORS = RECORD + 2 * SLOT,
	IMAGE = 2900,
	CHUNK = 300
};
enum { IMAGES = 3, BOOTS = 6, ENVELOPE = 700 };

enum scenario {
	UPDATE,
	CRASH, /* never confirmed */
	TAMPERED, /* the first download is not what was signed */
	REFUSED, /* an older manifest is offered after the update */
	SCENARIOS,
};

/* By number: 1 is the factory's. */
static struct {
	struct edn_bytes envelope;
	uint8_t bytes[IMAGE];
	struct mst_slot_image is;
} images[IMAGES + 1];

struct world { /* plain bytes: what the oracle knows */
	enum scenario scenario;
	unsigned armed, trials;
	bool may, did, tampered, done;
	uint64_t seen;
	const char *broken;
};

struct device {
	struct mst_nor nor;
	struct mst_slots_config config;
	struct world world;
	struct mst_torture rig;
	uint8_t memory[SECTORS * SECTOR];
	uint8_t room[2 * (SECTORS * SECTOR + sizeof(struct world))];
};

/* One power-on. */
struct session {
	struct device *d;
	struct world *w;
	struct mst_slots s;
	unsigned verified, running;

	/* The platform's: which slot the component is, and what is written to it. */
	unsigned slot;
	bool judging; /* in the bootloader: the selector looks at numbers, nobody else */
	struct mst_slot_writer writer;
	const uint8_t *source;
	uint64_t source_at;
};

static struct mst_suit_key key;
static uint8_t key_bytes[97];
static const struct mst_suit_keys keys = { &key, 1 };

static void
breach(struct session *b, const char *what)
{
	if (b->w->broken == NULL)
		b->w->broken = what;
}

/* ---- the platform over core/slots ---- */

static mst_err
p_component(void *ctx, mst_span id, mst_suit_handle *handle)
{
	(void)ctx;
	*handle = 0;
	return mst_span_eq(id, MST_LIT("\x81\x41\x61")) ? MST_OK : MST_E_SUIT_COMPONENT_UNKNOWN;
}

static mst_err
p_info(void *ctx, mst_suit_handle c, struct mst_suit_component_info *out)
{
	struct session *b = ctx;

	(void)c;
	out->size = 0;
	out->capacity = mst_slot_capacity(&b->s, b->slot) - SECTOR;
	out->state = MST_SUIT_HOLDS_UNSIZED;
	return MST_OK;
}

static mst_err
p_read(void *ctx, mst_suit_handle c, uint64_t offset, uint8_t *out, size_t len)
{
	struct session *b = ctx;

	(void)c;
	return mst_slot_read(&b->s, b->slot, SECTOR + offset, out, len);
}

static mst_err
p_begin(void *ctx, mst_suit_handle c, uint64_t size, uint64_t *offset)
{
	struct session *b = ctx;

	(void)c;
	(void)size;
	*offset = mst_slot_resume_at(&b->s, b->slot, *offset);
	return mst_slot_writer_init(&b->writer, &b->s, b->slot, SECTOR + *offset);
}

static mst_err
p_write(void *ctx, mst_suit_handle c, mst_span block)
{
	(void)c;
	return mst_slot_writer_put(&((struct session *)ctx)->writer, block);
}

static mst_err
p_end(void *ctx, mst_suit_handle c, mst_span metadata)
{
	(void)c;
	(void)metadata;
	return mst_slot_writer_end(&((struct session *)ctx)->writer);
}

/* Without its envelope no slot passes as an image; what is dropped was open for writing anyway. */
static void
p_drop(void *ctx, mst_suit_handle c)
{
	struct session *b = ctx;

	(void)c;
	if (mst_slot_writer_init(&b->writer, &b->s, b->slot, 0) == MST_OK &&
	    mst_slot_writer_put(&b->writer, MST_LIT("\0\0\0\0\0\0\0\0")) != MST_OK)
		b->writer.dead = true;
}

static mst_err
p_fetch_open(void *ctx, const struct mst_suit_fetch *fetch, uint64_t *offset)
{
	struct session *b = ctx;

	b->source_at = *offset;
	return mst_span_eq(fetch->uri, MST_LIT("coap://x/1")) ? MST_OK : MST_E_SUIT_FETCH;
}

static mst_err
p_fetch_read(void *ctx, struct mst_buf *block)
{
	struct session *b = ctx;
	size_t n = IMAGE - (size_t)b->source_at, room = block->cap - block->len;

	if (n > room)
		n = room;
	if (n > CHUNK)
		n = CHUNK;
	b->source_at += n;
	return mst_buf_put(block, mst_span_of(b->source + b->source_at - n, n));
}

static void
p_fetch_close(void *ctx)
{
	(void)ctx;
}

static mst_span
p_identity(void *ctx, mst_suit_handle c, enum mst_suit_identity kind, unsigned n)
{
	static uint8_t ids[3][16];

	(void)ctx;
	(void)c;
	for (unsigned i = 0; i < 16; i++) {
		ids[MST_SUIT_ID_VENDOR][i] = (uint8_t)(0xa0 + i);
		ids[MST_SUIT_ID_CLASS][i] = (uint8_t)(0xc0 + i);
	}
	return n == 0 ? mst_span_of(ids[kind], 16) : MST_NONE;
}

static mst_err
p_record_read(void *ctx, mst_span identity, struct mst_suit_record *out)
{
	struct session *b = ctx;
	mst_err e;

	memset(out, 0, sizeof(*out));
	if (b->judging)
		return MST_OK;
	if ((e = mst_slots_number_get(&b->s, identity, &out->number, out->digest)) == MST_OK)
		out->known = out->number != 0;
	return e;
}

/* The number is the slots': it advances with the confirmation, in one entry. */
static mst_err
p_record_write(void *ctx, mst_span identity, const struct mst_suit_record *record)
{
	struct session *b = ctx;

	(void)identity;
	if (record->number != b->s.boot.slot[b->running].number)
		return MST_E_SUIT_RECORD;
	return mst_slots_confirm(&b->s, b->running);
}

static mst_err
p_journal_read(void *ctx, struct mst_suit_journal *out)
{
	struct session *b = ctx;
	struct mst_journal j;

	if (mst_slots_journal_read(&b->s, &j) != MST_OK)
		return MST_E_SUIT_JOURNAL;
	memcpy(out->digest, j.digest, sizeof(out->digest));
	out->section = j.section;
	out->command = j.command;
	out->component = j.component;
	out->state = j.state;
	out->offset = j.offset;
	return MST_OK;
}

static mst_err
p_journal_write(void *ctx, const struct mst_suit_journal *journal)
{
	struct session *b = ctx;
	struct mst_journal j = { .section = journal->section,
		.command = journal->command,
		.component = journal->component,
		.state = journal->state,
		.offset = journal->offset };

	memcpy(j.digest, journal->digest, sizeof(j.digest));
	return mst_slots_journal_write(&b->s, &j);
}

static mst_err
p_journal_erase(void *ctx)
{
	return mst_slots_journal_clear(&((struct session *)ctx)->s);
}

static const struct mst_suit_rules rules = {
	.procedures = 1u << MST_SUIT_UPDATE | 1u << MST_SUIT_VALIDATION,
	.domain = { (const uint8_t *)"fw", 2 },
	.journal_every = 512,
};

/* Authenticate and scan an envelope as the processor of b. */
static mst_err
suit_open(struct session *b, struct mst_suit *suit, struct mst_suit_platform *platform,
    mst_span bytes, struct mst_suit_envelope *envelope, struct mst_suit_manifest *manifest)
{
	static uint8_t block[512];
	mst_err e;

	*platform = (struct mst_suit_platform){ .ctx = b,
		.component = p_component,
		.info = p_info,
		.read = p_read,
		.begin = p_begin,
		.write = p_write,
		.end = p_end,
		.drop = p_drop,
		.fetch_open = p_fetch_open,
		.fetch_read = p_fetch_read,
		.fetch_close = p_fetch_close,
		.identity = p_identity,
		.record_read = p_record_read,
		.record_write = p_record_write,
		.journal_read = p_journal_read,
		.journal_write = p_journal_write,
		.journal_erase = p_journal_erase };
	memset(suit, 0, sizeof(*suit));
	suit->platform = platform;
	suit->crypto = suit_openssl();
	suit->keys = &keys;
	suit->rules = &rules;
	suit->block = MST_BUF(block);
	if ((e = mst_suit_envelope_parse(bytes, envelope)) != MST_OK)
		return e;
	return mst_suit_check(suit, envelope, manifest);
}

static mst_err
describe(const struct mst_suit_envelope *envelope, uint64_t number, struct mst_slot_image *out)
{
	struct mst_suit_digest_claim claim;
	mst_err e = mst_suit_digest_parse(envelope->digest, &claim);

	if (e != MST_OK || claim.digest.len < MST_SLOT_DIGEST)
		return e != MST_OK ? e : MST_E_SUIT_DIGEST_LENGTH;
	memset(out, 0, sizeof(*out));
	memcpy(out->digest, claim.digest.ptr, MST_SLOT_DIGEST);
	out->number = number;
	memcpy(out->id, "fw", 2);
	out->id_len = 2;
	return MST_OK;
}

/* The envelope that lies in a slot, into a copy that nobody else writes. */
static mst_err
stored(struct session *b, unsigned slot, uint8_t copy[ENVELOPE], mst_span *out)
{
	uint8_t head[2];
	size_t len;
	mst_err e = mst_slot_read(&b->s, slot, 0, head, 2);

	if (e != MST_OK)
		return e;
	len = (size_t)head[0] << 8 | head[1];
	if (len == 0 || len > ENVELOPE)
		return MST_E_SUIT_ENVELOPE;
	*out = mst_span_of(copy, len);
	return mst_slot_read(&b->s, slot, 2, copy, len);
}

/* The boot profile: authenticate what the slot holds, run its validate section over it. */
static mst_err
verify(void *ctx, unsigned slot, struct mst_slot_image *found)
{
	struct session *b = ctx;
	struct mst_suit suit;
	struct mst_suit_platform platform;
	struct mst_suit_envelope envelope;
	struct mst_suit_manifest manifest;
	uint8_t copy[ENVELOPE];
	mst_span bytes;
	unsigned before = b->slot;
	mst_err e;

	b->slot = slot;
	b->judging = true;
	if ((e = stored(b, slot, copy, &bytes)) == MST_OK &&
	    (e = suit_open(b, &suit, &platform, bytes, &envelope, &manifest)) == MST_OK &&
	    (e = mst_suit_run(&suit, &manifest, MST_SUIT_VALIDATION)) == MST_OK)
		e = describe(&envelope, manifest.sequence_number, found);
	b->judging = false;
	b->slot = before;
	if (e == MST_OK)
		b->verified |= 1u << slot;
	return e;
}

/* ---- what the firmware does ---- */

static bool
refused(struct session *b, mst_err e, const char *what)
{
	if (e == MST_OK)
		return false;
	if (b->d->nor.powered)
		breach(b, what);
	return true;
}

/* The envelope goes first, so that what is there always has its manifest; not again on resume. */
static mst_err
store_envelope(struct session *b, unsigned slot, mst_span bytes)
{
	uint8_t copy[ENVELOPE], head[2] = { (uint8_t)(bytes.len >> 8), (uint8_t)bytes.len };
	mst_span there;
	mst_err e;

	if (stored(b, slot, copy, &there) == MST_OK && mst_span_eq(there, bytes))
		return MST_OK;
	if ((e = mst_slot_writer_init(&b->writer, &b->s, slot, 0)) != MST_OK ||
	    (e = mst_slot_writer_put(&b->writer, mst_span_of(head, 2))) != MST_OK ||
	    (e = mst_slot_writer_put(&b->writer, bytes)) != MST_OK)
		return e;
	return mst_slot_writer_end(&b->writer);
}

/* Update to image 2 by the processor; true: restart. */
static bool
install(struct session *b)
{
	static uint8_t bad[IMAGE];
	struct mst_suit suit;
	struct mst_suit_platform platform;
	struct mst_suit_envelope envelope;
	struct mst_suit_manifest manifest;
	struct mst_slot_image image;
	mst_span bytes = mst_span_of(images[2].envelope.ptr, images[2].envelope.len);
	bool resume, tamper = b->w->scenario == TAMPERED && !b->w->tampered;
	mst_err e;

	memcpy(bad, images[2].bytes, IMAGE);
	bad[2222] ^= 1;
	b->source = tamper ? bad : images[2].bytes;
	b->slot = 1 - b->running;
	if (refused(b, suit_open(b, &suit, &platform, bytes, &envelope, &manifest), "check") ||
	    refused(b, describe(&envelope, manifest.sequence_number, &image), "describe"))
		return false;
	if (b->s.boot.state != MST_SLOT_STAGED) {
		if (refused(b, mst_slots_begin(&b->s, b->running, &image, &b->slot, &resume),
		        "begin") ||
		    refused(b, store_envelope(b, b->slot, bytes), "the envelope is not stored"))
			return false;
		e = mst_suit_run(&suit, &manifest, MST_SUIT_UPDATE);
		if (tamper && e == MST_OK)
			breach(b, "a tampered payload was installed");
		if (tamper && b->d->nor.powered) {
			b->w->tampered = true;
			return true;
		}
		if (b->w->scenario == TAMPERED && e == MST_E_SUIT_IMAGE_MISMATCH)
			return true; /* resumed into tampered bytes: dropped, and all of it again */
		if (refused(b, e, "the processor refuses") ||
		    refused(b, mst_slots_stage(&b->s, &image, verify, b), "stage"))
			return false;
	}
	b->w->armed++;
	return !refused(b, mst_slots_arm(&b->s, 1), "arm");
}

static void
confirm(struct session *b)
{
	struct mst_suit suit;
	struct mst_suit_platform platform;
	struct mst_suit_envelope envelope;
	struct mst_suit_manifest manifest;
	uint8_t copy[ENVELOPE];
	mst_span bytes;

	b->slot = b->running;
	if (refused(b, stored(b, b->running, copy, &bytes), "no envelope") ||
	    refused(b, suit_open(b, &suit, &platform, bytes, &envelope, &manifest), "own check"))
		return;
	b->w->may = true;
	if (refused(b, mst_suit_confirm(&suit, &manifest), "the confirmation is refused"))
		return;
	b->w->did = true;
}

/* Sheet 13.1: what was confirmed before is refused by the processor, nothing touched. */
static void
offer_old(struct session *b)
{
	struct mst_suit suit;
	struct mst_suit_platform platform;
	struct mst_suit_envelope envelope;
	struct mst_suit_manifest manifest;
	uint64_t before = b->d->nor.total;
	mst_err e = suit_open(b, &suit, &platform,
	    mst_span_of(images[1].envelope.ptr, images[1].envelope.len), &envelope, &manifest);

	if (e != MST_E_SUIT_ROLLBACK || b->d->nor.total != before)
		breach(b, "a downgrade is not refused");
}

static void
check_boot(struct session *b, const struct mst_boot *boot)
{
	struct world *w = b->w;
	uint64_t n = boot->image.number, counter = 0;
	uint8_t digest[MST_SLOT_DIGEST];
	const uint8_t *at =
	    b->d->memory + (size_t)(b->d->config.slot[boot->slot].first + 1) * SECTOR;

	if ((b->verified >> boot->slot & 1) == 0)
		breach(b, "unverified boot");
	if (n < 1 || n > 2 || memcmp(at, images[n].bytes, IMAGE) != 0)
		breach(b, "what boots is not an image that was signed");
	if (w->did && (n != 2 || boot->kind != MST_BOOT_CONFIRMED))
		breach(b, "lost confirmation");
	if (boot->kind == MST_BOOT_TRIAL && ++w->trials > w->armed)
		breach(b, "tried more often than armed");
	if (boot->kind == MST_BOOT_FALLBACK)
		breach(b, "a fallback, though nothing is bad");
	if (boot->kind != MST_BOOT_TRIAL && n == 2 && !w->may)
		breach(b, "what never confirmed itself boots as confirmed");
	if (mst_slots_number_get(&b->s, MST_LIT("fw"), &counter, digest) != MST_OK)
		breach(b, "the counter is gone");
	if (counter < w->seen)
		breach(b, "the counter went back");
	w->seen = counter;
	if ((counter != n && boot->kind != MST_BOOT_TRIAL) || (counter == 2 && !w->may))
		breach(b, "the counter is not that of what was confirmed");
}

static void
firmware(struct session *b, const struct mst_boot *boot)
{
	struct world *w = b->w;

	b->running = boot->slot;
	if (boot->kind == MST_BOOT_TRIAL) {
		if (w->scenario != CRASH)
			confirm(b);
		return;
	}
	if (boot->image.number == 2) {
		if (w->scenario == REFUSED)
			offer_old(b);
		w->done = true;
	} else if (w->scenario == CRASH && b->s.boot.state == MST_SLOT_REVERTED && w->trials != 0) {
		w->done = true;
	} else {
		(void)install(b);
	}
}

static void
power_on(void *ctx, void *world)
{
	struct session b = { .d = ctx, .w = world };
	struct mst_boot boot;
	mst_err e;

	b.w->done = false;
	for (unsigned i = 0; i < BOOTS && !b.w->done && b.w->broken == NULL; i++) {
		b.verified = 0;
		if (mst_slots_open(&b.s, &b.d->config) != MST_OK && b.d->nor.powered)
			breach(&b, "the record is lost");
		e = mst_slots_boot(&b.s, verify, &b, &boot);
		if (!b.d->nor.powered)
			return;
		if (e != MST_OK)
			breach(&b, "brick");
		else
			check_boot(&b, &boot);
		if (b.w->broken == NULL)
			firmware(&b, &boot);
		if (!b.d->nor.powered)
			return;
	}
}

static const char *
check(void *ctx, void *world)
{
	struct world *w = world;

	(void)ctx;
	return w->broken == NULL && !w->done ? "it never comes to an end" : w->broken;
}

/* ---- setting up ---- */

static void
make_image(unsigned n)
{
	static char hex[2 * IMAGE + 8], number[8];
	uint32_t x = n * 2654435761u;
	struct edn_word words[] = { { "image", hex }, { "seq", number },
		{ "block",
		    "<<17([$prot {4: b'mac1'} null sign('mac1' ['MAC0' $prot h'' $digest])])>>" },
		{ "alg", "5" }, { "m9", "" } };
	struct mst_suit_envelope envelope;
	char *p = hex;

	p += sprintf(p, "h'");
	for (unsigned i = 0; i < IMAGE; i++) {
		x = x * 1664525u + 1013904223u;
		images[n].bytes[i] = (uint8_t)(x >> 24);
		p += sprintf(p, "%02x", images[n].bytes[i]);
	}
	sprintf(p, "'");
	snprintf(number, sizeof(number), "%u", n);
	images[n].envelope = forge(&forge_one, words, sizeof(words) / sizeof(words[0]), "envelope");
	assert_true(images[n].envelope.len <= ENVELOPE - 2);
	assert_int_equal(
	    mst_suit_envelope_parse(
	        mst_span_of(images[n].envelope.ptr, images[n].envelope.len), &envelope),
	    MST_OK);
	assert_int_equal(describe(&envelope, n, &images[n].is), MST_OK);
}

static int
make_images(void **state)
{
	(void)state;
	key = (struct mst_suit_key){ .usage = MST_SUIT_USE_MAC_MANIFEST,
		.alg = MST_SUIT_HMAC256,
		.kid = MST_LIT("mac1"),
		.material =
		    mst_span_of(key_bytes, keys_raw("mac1", key_bytes, sizeof(key_bytes))) };
	make_image(1);
	make_image(2);
	return 0;
}

static int
free_images(void **state)
{
	(void)state;
	edn_free(&images[1].envelope);
	edn_free(&images[2].envelope);
	return 0;
}

static struct device device;
static uint64_t total;

/* From the factory: image 1 in slot A, by hand. filled: entries more in the record. */
static void
make_device(struct device *d, enum scenario scenario, unsigned filled)
{
	struct mst_flash f = {
		.sector_size = SECTOR, .sectors = SECTORS, .write_size = 8, .erased = 0xff
	};
	uint8_t *at = d->memory + (size_t)RECORD * SECTOR;
	static struct mst_slots s;
	unsigned left;

	mst_nor_init(&d->nor, &f, d->memory);
	d->nor.kind = MST_NOR_ECC;
	memset(&d->config, 0, sizeof(d->config));
	d->config.record = (struct mst_area){ &d->nor.flash, 0, RECORD };
	d->config.slot[0] = (struct mst_area){ &d->nor.flash, RECORD, SLOT };
	d->config.slot[1] = (struct mst_area){ &d->nor.flash, RECORD + SLOT, SLOT };
	at[0] = (uint8_t)(images[1].envelope.len >> 8);
	at[1] = (uint8_t)images[1].envelope.len;
	memcpy(at + 2, images[1].envelope.ptr, images[1].envelope.len);
	memcpy(at + SECTOR, images[1].bytes, IMAGE);
	assert_int_equal(mst_slots_open(&s, &d->config), MST_E_SLOT_BLANK);
	assert_int_equal(mst_slots_format(&s, 0, &images[1].is), MST_OK);
	for (unsigned i = 0; i < filled; i++)
		assert_int_equal(
		    i % 2 == 0 ? mst_slots_link(&s, MST_LIT("x"), images[1].is.digest)
		               : mst_slots_unlink(&s, MST_LIT("x"), images[1].is.digest, &left),
		    MST_OK);
	memset(&d->world, 0, sizeof(d->world));
	d->world.scenario = scenario;
	memset(&d->rig, 0, sizeof(d->rig));
	d->rig.nor = &d->nor;
	d->rig.world = (struct mst_buf){ (uint8_t *)&d->world, sizeof(d->world), sizeof(d->world) };
	d->rig.power_on = power_on;
	d->rig.check = check;
	d->rig.ctx = d;
	d->rig.room = MST_BUF(d->room);
	d->rig.events = 1u << MST_NOR_CUT;
	d->rig.seed = filled + 1;
}

static void
run(enum scenario scenario, unsigned filled, enum mst_torture_depth depth, unsigned stride)
{
	mst_err e;

	make_device(&device, scenario, filled);
	device.rig.depth = depth;
	device.rig.stride = stride;
	e = mst_torture_run(&device.rig);
	total += device.rig.schedules;
	if (e != MST_OK)
		printf("suit %d, filled %u: %s: op %" PRIu64 " tear %d, op %" PRIu64 " tear %d\n",
		    (int)scenario, filled, device.rig.broken, device.rig.where.point[0].op,
		    (int)device.rig.where.point[0].tear, device.rig.where.point[1].op,
		    (int)device.rig.where.point[1].tear);
	assert_int_equal(e, MST_OK);
	assert_true(device.rig.operations > 4);
}

static void
every_cut(void **state)
{
	for (unsigned filled = 0; filled < 16; filled += 3)
		run((enum scenario)(uintptr_t)*state, filled, MST_TORTURE_SINGLES, 1);
}

static void
pairs_sampled(void **state)
{
	run((enum scenario)(uintptr_t)*state, 7, MST_TORTURE_PAIRS, 17);
}

static void
how_many(void **state)
{
	(void)state;
	printf("powercut: %" PRIu64 " schedules with the SUIT processor as installer\n", total);
	assert_true(total > 5000);
}

#define ROW(name, f, scenario)                                                                     \
	{                                                                                          \
		name, f, NULL, NULL, (void *)(uintptr_t)(scenario)                                 \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW("SUIT-13.4 every cut: update by the processor", every_cut, UPDATE),
		ROW("SUIT-13.2 every cut: the new image crashes", every_cut, CRASH),
		ROW("SUIT-13.6 every cut: the payload was tampered with", every_cut, TAMPERED),
		ROW("SUIT-13.1 every cut: the old manifest after it", every_cut, REFUSED),
		ROW("SUIT-13.4 pairs, sampled: update by the processor", pairs_sampled, UPDATE),
		ROW("SUIT-13.2 pairs, sampled: the new image crashes", pairs_sampled, CRASH),
		ROW("SUIT-13.6 pairs, sampled: the payload was tampered with", pairs_sampled,
		    TAMPERED),
		ROW("SUIT-13.4 how many", how_many, 0),
	};

	return cmocka_run_group_tests_name("powercut with SUIT", tests, make_images, free_images);
}
