/* SPDX-License-Identifier: Apache-2.0 */
/* Values of descriptions and of the command line: "file:app.bin", "uuid:...", ">=1.2.3". */
#ifndef HOST_SUIT_SUIT_VALUE_H
#define HOST_SUIT_SUIT_VALUE_H

#include "host/arena.h"
#include "host/suit_words.h"

#define SUIT_PAYLOAD_BYTES (1u << 30) /* of a file that a description names */

/* How names of a description become numbers. */
struct suit_values {
	struct arena *a;
	const char *folder; /* what file: is relative to; NULL: where the program runs */
	int64_t alg; /* of digests that name none */
	/* Index of a component or dependency by its name; -1. */
	int (*component)(void *ctx, mst_span name);
	/* NULL: file_read(). */
	mst_err (*read)(void *ctx, struct arena *a, const char *path, mst_span *out);
	void *ctx;
};

/* All: MST_E_FW_VALUE (MST_E_FW_REFERENCE for a name) with words in suit_author_why(), or what
 * reading a file says. */
MST_MUST_USE mst_err value_uint(mst_span text, uint64_t *out); /* 12, 0x0c */
MST_MUST_USE mst_err value_int(mst_span text, int64_t *out);
/* hex: text: base64: file: uuid: and, where PLAIN, anything else as it is. */
enum value_plain { VALUE_PREFIXED, VALUE_PLAIN };
MST_MUST_USE mst_err value_bytes(
    const struct suit_values *v, mst_span text, enum value_plain plain, mst_span *out);
/* uuid:6ba7..., hex:, dns:DOMAIN (vendor), class:VENDOR/INFO, pen:NUMBER (vendor; tag 112). */
MST_MUST_USE mst_err value_uuid(const struct suit_values *v, mst_span text, mst_span *item);
/* UUID of version 5 (RFC 9562 5.5). */
MST_MUST_USE mst_err value_uuid5(const uint8_t space[16], mst_span name, uint8_t out[16]);
/* file:, hex:, sha-384:hex, manifest:FILE (the digest of another manifest). */
MST_MUST_USE mst_err value_digest(
    const struct suit_values *v, mst_span text, int64_t *alg, mst_span *digest);
/* 1.2.3, 1.2-rc.3 (UM 4.4): at most *count integers; gives how many. */
MST_MUST_USE mst_err value_version(mst_span text, int64_t *out, size_t *count);
/* The value of a parameter, encoded. */
MST_MUST_USE mst_err value_parameter(
    const struct suit_values *v, const struct suit_word *w, mst_span text, mst_span *item);
/* Of a custom command or parameter: int:, bool:, text:, hex:, nothing. */
MST_MUST_USE mst_err value_custom(const struct suit_values *v, mst_span text, mst_span *item);
/* text begins with prefix: then *rest is what follows. */
bool value_prefix(mst_span text, const char *prefix, mst_span *rest);

#endif
