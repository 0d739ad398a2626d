/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device takes of core/suit: a bootloader (MUSTER_SUIT_BOOT: check and
 * invocation), or an updater with all commands, reports and encryption.
 * Platform, keys and cryptography are the board's.
 */
#include "muster/suit.h"
#include "size/startup.h"

struct mst_suit suit_state;
struct mst_suit_manifest suit_root;
extern const struct mst_suit_platform suit_platform;
extern const struct mst_suit_crypto suit_crypto;
extern const struct mst_suit_keys suit_keys;
extern const struct mst_suit_rules suit_rules;
int suit_roots(mst_span bytes, struct mst_buf *out);

int
suit_roots(mst_span bytes, struct mst_buf *out)
{
	static uint8_t block[512];
	struct mst_suit *s = &suit_state;
	struct mst_suit_envelope envelope;
	unsigned e = 0;

	s->platform = &suit_platform;
	s->crypto = &suit_crypto;
	s->keys = &suit_keys;
	s->rules = &suit_rules;
	s->block = MST_BUF(block);
	e |= mst_suit_envelope_parse(bytes, &envelope);
	e |= mst_suit_check(s, &envelope, &suit_root);
	e |= mst_suit_run(s, &suit_root, MST_SUIT_INVOCATION);
#ifndef MUSTER_SUIT_BOOT
	static uint8_t arena[4096];
	const struct mst_suit_report_content content = { .envelope = &envelope, .result = e };
	struct mst_suit_collector collector = { .store = MST_BUF(block) };
	struct mst_suit_event event = { .result = e };

	s->arena = MST_BUF(arena);
	e |= mst_suit_run(s, &suit_root, MST_SUIT_UPDATE);
	e |= mst_suit_confirm(s, &suit_root);
	mst_suit_collect(&collector, &event);
	e |= mst_suit_report_build(&content, out);
	e |= mst_suit_sign1_build(0, bytes, MST_SUIT_ATTACHED, out);
	e |= mst_suit_capability_build(&suit_platform, 0, out);
#else
	(void)out;
#endif
	return (int)e;
}

void
board_reset(void)
{
	static uint8_t room[16];
	struct mst_buf out = MST_BUF(room);

	board_exit(suit_roots(mst_buf_span(&out), &out));
}
