/* SPDX-License-Identifier: Apache-2.0 */
/* What a bootloader takes of core/slots; with SLOTS_ALL what the application does, too. */
#include "muster/slots.h"
#include "size/startup.h"

struct mst_slots slots_state;
extern const struct mst_slots_config slots_config;
mst_err slots_verify(void *ctx, unsigned slot, struct mst_slot_image *found);
int slots_roots(struct mst_boot *boot, const struct mst_slot_image *image, struct mst_journal *j);

int
slots_roots(struct mst_boot *boot, const struct mst_slot_image *image, struct mst_journal *j)
{
	struct mst_slots *s = &slots_state;
	unsigned n = mst_slots_open(s, &slots_config);

	n |= mst_slots_boot(s, slots_verify, s, boot);
#ifdef SLOTS_ALL
	static struct mst_slot_writer w;
	bool resume;
	uint64_t number;

	n |= mst_slots_begin(s, boot->slot, image, &n, &resume);
	n |= mst_slot_writer_init(&w, s, n, 0) | mst_slot_writer_put(&w, MST_LIT("x"));
	n |= mst_slot_writer_end(&w) | mst_slots_stage(s, image, slots_verify, s);
	n |= mst_slots_arm(s, 1) | mst_slots_confirm(s, n) | mst_slots_revert(s);
	n |= mst_slots_journal_read(s, j) | mst_slots_journal_write(s, j);
	n |= mst_slots_number_get(s, MST_LIT("x"), &number, j->digest);
	n |= mst_slots_number_set(s, MST_LIT("x"), number, j->digest);
	n |= mst_slots_link(s, MST_LIT("x"), j->digest) | mst_slots_format(s, 0, image);
	n |= mst_slots_unlink(s, MST_LIT("x"), j->digest, &n) | mst_slots_repair(s);
#else
	(void)image;
	(void)j;
#endif
	return (int)n;
}

void
board_reset(void)
{
	struct mst_boot boot;
	struct mst_slot_image image = { .number = 1 };
	struct mst_journal j = { .section = 1 };

	board_exit(slots_roots(&boot, &image, &j));
}
