/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/utf8.h"

/* The rows of RFC 3629 4: what the first byte says of the length and of the second byte. */
struct sequence {
	uint8_t first, last; /* range of the first byte */
	uint8_t tail; /* bytes after it */
	uint8_t min, max; /* range of the second byte */
};

static const struct sequence sequences[] = {
	{ 0x00, 0x7f, 0, 0, 0 }, { 0xc2, 0xdf, 1, 0x80, 0xbf },
	{ 0xe0, 0xe0, 2, 0xa0, 0xbf }, /* else overlong */
	{ 0xe1, 0xec, 2, 0x80, 0xbf }, { 0xed, 0xed, 2, 0x80, 0x9f }, /* else a surrogate */
	{ 0xee, 0xef, 2, 0x80, 0xbf }, { 0xf0, 0xf0, 3, 0x90, 0xbf }, /* else overlong */
	{ 0xf1, 0xf3, 3, 0x80, 0xbf }, { 0xf4, 0xf4, 3, 0x80, 0x8f }, /* else above U+10FFFF */
};

static const struct sequence *
sequence_of(uint8_t c)
{
	for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++)
		if (c >= sequences[i].first && c <= sequences[i].last)
			return &sequences[i];
	return NULL;
}

bool
mst_utf8_ok(mst_span text)
{
	size_t at = 0;

	while (at < text.len) {
		const struct sequence *s = sequence_of(text.ptr[at++]);

		if (s == NULL || s->tail > text.len - at)
			return false;
		for (unsigned i = 0; i < s->tail; i++, at++) {
			uint8_t min = i == 0 ? s->min : 0x80;
			uint8_t max = i == 0 ? s->max : 0xbf;

			if (text.ptr[at] < min || text.ptr[at] > max)
				return false;
		}
	}
	return true;
}
