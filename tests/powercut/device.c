/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "powercut/device.h"

const struct device_geometry device_geometries[] = {
	{ "NOR, bytes, 0xff", 2048, 2, 1, 0xff, MST_NOR_PLAIN },
	{ "NOR, 8 bytes, ECC", 2048, 3, 8, 0xff, MST_NOR_ECC },
	{ "flash that erases to 0x00, 4 bytes", 2048, 2, 4, 0x00, MST_NOR_PLAIN },
	{ "NOR, 32 bytes, ECC, larger sectors", 4096, 4, 32, 0xff, MST_NOR_ECC },
};
const unsigned device_geometry_count = sizeof(device_geometries) / sizeof(device_geometries[0]);

enum { CHUNK = 700, IMAGE = 2900, IMAGES = 4, BOOTS = 8 };

const char *
scenario_name(enum scenario s)
{
	static const char *const names[SCENARIOS] = { "update", "revert by crash",
		"revert by health", "two updates", "counter", "journal", "references",
		"damaged image" };

	return names[s];
}

const char *
start_name(enum start s)
{
	static const char *const names[STARTS] = { "factory", "half installed", "staged", "pending",
		"on trial", "confirmed", "reverted", "one copy lost" };

	return names[s];
}

/* ---- images: number, identity, then bytes that follow from the number ---- */

/* Not a digest for anybody but this test. */
static void
digest_of(const uint8_t *p, uint8_t out[MST_SLOT_DIGEST])
{
	uint64_t h[4] = { 1, 2, 3, 4 }, v;

	for (size_t i = 0; i + 8 <= IMAGE; i += 8) {
		memcpy(&v, p + i, 8);
		h[i / 8 % 4] = (h[i / 8 % 4] ^ v) * 0x9e3779b97f4a7c15u;
		h[i / 8 % 4] ^= h[i / 8 % 4] >> 29;
	}
	memcpy(out, h, MST_SLOT_DIGEST);
}

/* Made once: an image is what its number says, and verify compares it byte by byte. */
static struct {
	uint8_t bytes[IMAGE];
	struct mst_slot_image is;
} images[IMAGES + 1];

static void
images_make(void)
{
	for (uint32_t n = 1; n <= IMAGES && images[IMAGES].is.number == 0; n++) {
		uint8_t *p = images[n].bytes;
		uint32_t x = n * 2654435761u;

		for (size_t i = 0; i < IMAGE; i++) {
			x = x * 1664525u + 1013904223u;
			p[i] = (uint8_t)(x >> 24);
		}
		p[0] = (uint8_t)n;
		digest_of(p, images[n].is.digest);
		images[n].is.number = n;
		images[n].is.id_len = 3;
		memcpy(images[n].is.id, "fw", 3);
	}
}

static const uint8_t *
image_bytes(uint64_t number)
{
	return images[number].bytes;
}

static void
image_of(uint64_t number, struct mst_slot_image *out)
{
	*out = images[number].is;
}

/* ---- one power-on ---- */

struct session {
	struct device *d;
	struct device_world *w;
	struct mst_slots s;
	unsigned verified; /* slots that verify said OK to in this boot, by bit */
};

static void
breach(struct session *b, const char *what)
{
	if (b->w->broken == NULL)
		b->w->broken = what;
}

/* The boot profile: reads the slot, believes nothing else. */
static mst_err
verify(void *ctx, unsigned slot, struct mst_slot_image *found)
{
	struct session *b = ctx;
	uint8_t bytes[IMAGE];
	mst_err e;

	if ((e = mst_slot_read(&b->s, slot, 0, bytes, sizeof(bytes))) != MST_OK)
		return e;
	if (bytes[0] == 0 || bytes[0] > IMAGES ||
	    memcmp(bytes, image_bytes(bytes[0]), sizeof(bytes)) != 0)
		return MST_E_SLOT_MISMATCH;
	image_of(bytes[0], found);
	b->verified |= 1u << slot;
	return MST_OK;
}

/* The oracle's own look into the flash. */
static bool
intact(const struct device *d, unsigned slot, uint64_t number)
{
	const struct mst_area *a = &d->config.slot[slot];

	return memcmp(d->memory + (size_t)a->first * d->nor.flash.sector_size, image_bytes(number),
	           IMAGE) == 0;
}

static void
check_counter(struct session *b, uint64_t booted, bool confirmed)
{
	struct device_world *w = b->w;
	struct mst_slot_image old;
	uint8_t digest[MST_SLOT_DIGEST];
	uint64_t n;
	mst_err judged;

	image_of(w->old, &old);
	if (mst_slots_number_get(&b->s, mst_span_of(old.id, old.id_len), &n, digest) != MST_OK) {
		breach(b, "the counter is gone");
		return;
	}
	if (n < w->seen)
		breach(b, "the counter went back");
	w->seen = n;
	if (n == w->next && !w->may)
		breach(b, "the counter advanced before the confirmation");
	if (n != w->old && n != w->next)
		breach(b, "the counter is a number that was never confirmed");
	if (w->did && n != w->next)
		breach(b, "the counter lost a confirmation");
	if (confirmed && booted == w->next && n != w->next)
		breach(b, "the counter stays behind the confirmation");
	if (n == w->next && booted != w->next)
		breach(b, "the counter advanced and the old image boots");
	judged = mst_slots_judge(&b->s, &old);
	if (judged != (n == w->next ? MST_E_SLOT_ROLLBACK : MST_OK))
		breach(
		    b, n == w->next ? "a downgrade is acceptable" : "the old manifest is refused");
}

/* Every promise about what boots. */
static void
check_boot(struct session *b, const struct mst_boot *boot)
{
	struct device_world *w = b->w;
	uint64_t number = boot->image.number;

	if ((b->verified >> boot->slot & 1) == 0)
		breach(b, "unverified boot");
	else if (number == 0 || number > IMAGES || !intact(b->d, boot->slot, number))
		breach(b, "what boots is not what was verified");
	if (number != w->old && number != w->next)
		breach(b, "an image that nobody installed");
	if (w->did && (number != w->next || boot->kind != MST_BOOT_CONFIRMED))
		breach(b, "lost confirmation");
	switch (boot->kind) {
	case MST_BOOT_CONFIRMED:
	case MST_BOOT_REVERT:
		if (number == w->next && !w->may)
			breach(b, "what never confirmed itself boots as confirmed");
		break;
	case MST_BOOT_TRIAL:
		if (++w->trials > w->armed)
			breach(b, "tried more often than armed");
		if (number != w->next)
			breach(b, "the old image boots on trial");
		break;
	case MST_BOOT_FALLBACK: breach(b, "a fallback, though nothing is bad"); break;
	}
	check_counter(b, number, boot->kind == MST_BOOT_CONFIRMED);
}

/* A call was refused: right only if the power went, or the flash is bad. */
static bool
refused(struct session *b, mst_err e, const char *what)
{
	if (e == MST_OK)
		return false;
	if (b->d->nor.powered && !b->w->tolerant && b->d->nor.event_at == 0)
		breach(b, what);
	return true;
}

/* From the byte at into the slot; the journal follows at each sector's end. */
static bool
write_image(struct session *b, const struct mst_slot_image *image, unsigned slot, uint64_t at)
{
	const uint8_t *p = image_bytes(image->number);
	struct mst_slot_writer writer;
	struct mst_journal j = { .section = 20, .command = 7 };

	memcpy(j.digest, image->digest, MST_SLOT_DIGEST);
	if (refused(b, mst_slot_writer_init(&writer, &b->s, slot, at), "the writer is refused"))
		return false;
	while (at < IMAGE) {
		size_t n = IMAGE - at < CHUNK ? (size_t)(IMAGE - at) : CHUNK;

		if (refused(
		        b, mst_slot_writer_put(&writer, mst_span_of(p + at, n)), "put is refused"))
			return false;
		at += n;
		j.offset = writer.durable;
		/* not each time: a journal that lags behind must be right too */
		if (at / CHUNK % 2 == 0)
			continue;
		if (refused(b, mst_slots_journal_write(&b->s, &j), "the journal is refused"))
			return false;
		b->w->journalled = j.offset;
	}
	return !refused(b, mst_slot_writer_end(&writer), "the writer's end is refused");
}

/* What arrived is not what was signed: the journal goes, and all of it comes again. */
static bool
start_over(struct session *b)
{
	b->w->journalled = 0;
	return !refused(b, mst_slots_journal_clear(&b->s), "clearing the journal is refused");
}

/* Once, a byte in the slot is not as signed: it must not be staged. */
static bool
damage(struct session *b, const struct mst_slot_image *image, unsigned slot)
{
	struct device *d = b->d;
	size_t at = (size_t)d->config.slot[slot].first * d->nor.flash.sector_size + 1000;

	d->memory[at] = (uint8_t)(image_bytes(image->number)[1000] ^ 0x10);
	b->w->damaged = true;
	if (mst_slots_stage(&b->s, image, verify, b) == MST_OK)
		breach(b, "a damaged image was staged");
	return start_over(b);
}

static bool
install(struct session *b, unsigned running)
{
	struct device_world *w = b->w;
	struct mst_slot_image image;
	struct mst_journal j = { .offset = 0 };
	unsigned slot = MST_SLOT_NONE;
	uint64_t due = w->journalled;
	bool resume = false;
	mst_err e;

	image_of(w->next, &image);
	if (b->s.boot.state == MST_SLOT_STAGED) {
		w->journalled = 0; /* the install is over, and its journal */
	} else {
		w->journalled = 0;
		if (refused(b, mst_slots_begin(&b->s, running, &image, &slot, &resume),
		        "begin is refused"))
			return false;
		if (slot == running)
			breach(b, "the running slot was opened for writing");
		if (resume && mst_slots_journal_read(&b->s, &j) != MST_OK)
			breach(b, "it resumes without a journal");
		if (j.offset < due)
			breach(b, "the journal lost what it was told");
		/* it goes on at a sector's beginning, and the journal with it */
		w->journalled = mst_slot_resume_at(&b->s, slot, j.offset);
		if (!write_image(b, &image, slot, w->journalled))
			return false;
		if (w->scenario == DAMAGED && !w->damaged)
			return damage(b, &image, slot);
		e = mst_slots_stage(&b->s, &image, verify, b);
		/* a cut came before the journal of the damaged image was cleared */
		if (e == MST_E_SLOT_MISMATCH && w->damaged && resume)
			return start_over(b);
		if (refused(b, e, "stage is refused"))
			return false;
		w->journalled = 0;
	}
	w->armed++;
	return !refused(b, mst_slots_arm(&b->s, 1), "arm is refused");
}

/* After a confirmation: the next update of TWICE, or the end. */
static void
finished(struct session *b)
{
	struct device_world *w = b->w;

	if (w->scenario == TWICE && w->next < w->goal) {
		w->old = w->next++;
		w->may = w->did = false;
		w->journalled = 0;
		w->armed = w->trials = 0;
	} else {
		w->done = true;
	}
}

static void
confirm(struct session *b, unsigned running)
{
	b->w->may = true;
	if (refused(b, mst_slots_confirm(&b->s, running), "the confirmation is refused"))
		return;
	b->w->did = true;
	check_counter(b, b->w->next, true);
	finished(b);
}

/* What the firmware does that runs now; it ends with a restart, or done. */
static void
firmware(struct session *b, const struct mst_boot *boot)
{
	struct device_world *w = b->w;

	if (boot->image.number == w->next && boot->kind == MST_BOOT_CONFIRMED) {
		/* the cut came after the confirmation was durable and before it was answered */
		finished(b);
	} else if (boot->kind == MST_BOOT_TRIAL) {
		if (w->scenario == REVERT_CRASH)
			w->crashes++;
		else if (w->scenario == REVERT_HEALTH)
			refused(b, mst_slots_revert(&b->s), "the revert is refused");
		else
			confirm(b, boot->slot);
	} else if ((w->scenario == REVERT_CRASH || w->scenario == REVERT_HEALTH) &&
	           b->s.boot.state == MST_SLOT_REVERTED && w->trials != 0) {
		w->done = true;
	} else if (!install(b, boot->slot) && b->d->nor.powered) {
		w->running = BOOTS; /* given up until somebody restarts it */
	}
}

static void
count_on(struct session *b)
{
	uint8_t digest[MST_SLOT_DIGEST] = { 9 };
	uint64_t n = 0;

	if (refused(b, mst_slots_number_get(&b->s, MST_LIT("other"), &n, digest), "no number"))
		return;
	if (n < b->w->counted || n > b->w->counted + 1)
		breach(b, "a number that was never set");
	while (n < b->w->goal) {
		digest[0] = (uint8_t)++n;
		b->w->counted = n - 1;
		if (refused(b, mst_slots_number_set(&b->s, MST_LIT("other"), n, digest),
		        "the number is refused"))
			return;
		b->w->counted = n;
		if (mst_slots_number_set(&b->s, MST_LIT("other"), n - 1, digest) !=
		    MST_E_SLOT_ROLLBACK)
			breach(b, "a lower number is taken");
	}
	b->w->done = true;
}

static void
journal_on(struct session *b)
{
	struct mst_journal j = { .section = 16, .component = 1 };

	if (mst_slots_journal_read(&b->s, &j) != MST_OK && b->w->journalled != 0 &&
	    b->w->journalled < b->w->goal && b->d->nor.powered)
		breach(b, "the journal lost what it was told");
	if (j.offset < b->w->journalled && b->w->journalled < b->w->goal && b->d->nor.powered)
		breach(b, "the journal went back");
	if (b->w->journalled == b->w->goal)
		j.offset = b->w->goal;
	b->w->journalled = j.offset;
	while (j.offset < b->w->goal) {
		j.offset++;
		j.digest[0] = (uint8_t)j.offset;
		if (refused(b, mst_slots_journal_write(&b->s, &j), "the journal is refused"))
			return;
		b->w->journalled = j.offset;
	}
	if (refused(b, mst_slots_journal_clear(&b->s), "clearing the journal is refused"))
		return;
	b->w->done = true;
	if (mst_slots_journal_read(&b->s, &j) != MST_E_SLOT_NO_JOURNAL)
		breach(b, "the journal is still there");
}

/* Three manifests link one component and unlink it again, one by one. */
static void
link_on(struct session *b)
{
	uint8_t by[MST_SLOT_DIGEST] = { 0 };
	unsigned count = 0, expected;

	if (refused(b, mst_slots_references(&b->s, MST_LIT("lib"), by, &count), "no count"))
		return;
	expected = b->w->linked <= 3 ? b->w->linked : 6 - b->w->linked;
	if (count != expected && count != expected + 1 && count + 1 != expected)
		breach(b, "a count that never was");
	/* each step repeats what the cut may have undone, as a processor does */
	for (unsigned step = b->w->linked; step < 6; step++) {
		by[0] = (uint8_t)(1 + step % 3);
		if (refused(b,
		        step < 3 ? mst_slots_link(&b->s, MST_LIT("lib"), by)
		                 : mst_slots_unlink(&b->s, MST_LIT("lib"), by, &count),
		        "link or unlink is refused"))
			return;
		b->w->linked = step + 1;
	}
	by[0] = 0;
	if (mst_slots_references(&b->s, MST_LIT("lib"), by, &count) != MST_OK || count != 0)
		breach(b, "what nobody needs has a count");
	b->w->done = true;
}

static void
act(struct session *b, const struct mst_boot *boot)
{
	switch (b->w->scenario) {
	case UPDATE:
	case REVERT_CRASH:
	case REVERT_HEALTH:
	case TWICE:
	case DAMAGED:
	case SCENARIOS: firmware(b, boot); break;
	case COUNTER: count_on(b); break;
	case JOURNAL: journal_on(b); break;
	case REFERENCES: link_on(b); break;
	}
}

void
device_power_on(void *ctx, void *world)
{
	struct session b = { .d = ctx, .w = world };
	struct mst_boot boot;
	mst_err e;

	b.w->done = false;
	for (b.w->running = 0; b.w->running < BOOTS && !b.w->done; b.w->running++) {
		b.verified = 0;
		e = mst_slots_open(&b.s, &b.d->config);
		if (!b.d->nor.powered)
			return;
		if (e != MST_OK)
			breach(&b, "the record is lost");
		e = mst_slots_boot(&b.s, verify, &b, &boot);
		if (!b.d->nor.powered)
			return;
		if (e == MST_OK)
			check_boot(&b, &boot);
		else
			breach(&b, "brick");
		if (b.w->broken != NULL)
			return;
		act(&b, &boot);
		if (!b.d->nor.powered || b.w->broken != NULL)
			return;
	}
}

const char *
device_check(void *ctx, void *world)
{
	struct device *d = ctx;
	struct device_world *w = world;

	if (w->broken == NULL && !w->done && !w->tolerant)
		return "it never comes to an end";
	(void)d;
	return w->broken;
}

/* ---- starting states ---- */

static void
must(mst_err e, const char *what)
{
	if (e == MST_OK)
		return;
	fprintf(stderr, "powercut: %s: %s\n", what, mst_err_info(e)->name);
	abort();
}

static void
start_install(struct session *b, enum start start)
{
	struct mst_slot_image image;
	struct mst_journal j = { .section = 20, .command = 7 };
	struct mst_slot_writer writer;
	struct mst_boot boot;
	unsigned slot;
	bool resume;

	image_of(b->w->next, &image);
	memcpy(j.digest, image.digest, MST_SLOT_DIGEST);
	must(mst_slots_begin(&b->s, b->s.boot.active, &image, &slot, &resume), "begin");
	if (start == START_OPEN) {
		must(mst_slot_writer_init(&writer, &b->s, slot, 0), "writer");
		must(mst_slot_writer_put(&writer, mst_span_of(image_bytes(b->w->next), 2400)),
		    "put");
		j.offset = b->w->journalled = writer.durable;
		must(mst_slots_journal_write(&b->s, &j), "journal");
		return;
	}
	if (!write_image(b, &image, slot, 0))
		abort();
	b->w->journalled = 0;
	must(mst_slots_stage(&b->s, &image, verify, b), "stage");
	if (start == START_STAGED)
		return;
	b->w->armed++;
	must(mst_slots_arm(&b->s, 1), "arm");
	if (start == START_PENDING)
		return;
	must(mst_slots_boot(&b->s, verify, b, &boot), "boot");
	b->w->trials++;
	if (start == START_REVERTED)
		must(mst_slots_revert(&b->s), "revert");
	if (start == START_CONFIRMED)
		must(mst_slots_confirm(&b->s, boot.slot), "confirm");
}

static void
begin_world(struct device *d, enum scenario scenario)
{
	memset(&d->world, 0, sizeof(d->world));
	d->world.scenario = scenario;
	d->world.old = 1;
	d->world.next = 2;
	d->world.goal = scenario == TWICE ? 3 : 5;
}

static void
make_record(struct session *b, enum start start, unsigned filled)
{
	struct device *d = b->d;
	uint8_t by[MST_SLOT_DIGEST] = { 7 };
	struct mst_slot_image image;
	unsigned left;

	image_of(1, &image);
	must(mst_slots_open(&b->s, &d->config) == MST_E_SLOT_BLANK ? MST_OK : MST_E_INTERNAL,
	    "blank");
	must(mst_slots_format(&b->s, 0, &image), "format");
	memcpy(d->memory + (size_t)d->config.slot[0].first * d->nor.flash.sector_size,
	    image_bytes(1), IMAGE);
	if (start != START_FACTORY && start != START_ONE_COPY)
		start_install(b, start);
	for (unsigned i = 0; i < filled; i++) {
		must(i % 2 == 0 ? mst_slots_link(&b->s, MST_LIT("fill"), by)
		                : mst_slots_unlink(&b->s, MST_LIT("fill"), by, &left),
		    "fill");
	}
	if (start == START_ONE_COPY)
		memset(d->memory + (filled % 2) * d->nor.flash.sector_size, 0x11,
		    d->nor.flash.sector_size);
	if (start == START_CONFIRMED) {
		d->world.old = 2;
		d->world.next = 3;
		d->world.goal = d->world.goal == 3 ? 4 : d->world.goal;
		d->world.armed = d->world.trials = 0;
	}
}

void
device_init(struct device *d, const struct device_geometry *g, enum scenario scenario,
    enum start start, unsigned filled)
{
	struct mst_flash f = { .sector_size = g->sector_size,
		.sectors = g->record_sectors + MST_SLOTS * DEVICE_SLOT_SECTORS,
		.write_size = g->write_size,
		.erased = g->erased };
	struct session b = { .d = d, .w = &d->world };

	images_make();
	d->geometry = g;
	mst_nor_init(&d->nor, &f, d->memory);
	d->nor.kind = g->kind;
	d->config = (struct mst_slots_config){ .record = { &d->nor.flash, 0, g->record_sectors } };
	for (unsigned i = 0; i < MST_SLOTS; i++)
		d->config.slot[i] = (struct mst_area){ &d->nor.flash,
			g->record_sectors + i * DEVICE_SLOT_SECTORS, DEVICE_SLOT_SECTORS };
	begin_world(d, scenario);
	make_record(&b, start, filled);
	memset(&d->rig, 0, sizeof(d->rig));
	d->rig.nor = &d->nor;
	d->rig.world = (struct mst_buf){ (uint8_t *)&d->world, sizeof(d->world), sizeof(d->world) };
	d->rig.power_on = device_power_on;
	d->rig.check = device_check;
	d->rig.ctx = d;
	d->rig.room = MST_BUF(d->room);
	d->rig.events = 1u << MST_NOR_CUT;
	d->rig.depth = MST_TORTURE_SINGLES;
}
