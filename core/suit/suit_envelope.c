/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope's map (sheet 2): which elements there are, and nothing of what they say. */
#include <string.h>

#include "core/suit/suit_impl.h"

#define TAG_ENVELOPE 107
#define KEY_AUTHENTICATION 2
#define KEY_MANIFEST 3

static bool
is_severable(int64_t key)
{
	return key == MST_SUIT_COSWID || key == MST_SUIT_DEPENDENCY_RESOLUTION ||
	       key == MST_SUIT_PAYLOAD_FETCH || key == MST_SUIT_CANDIDATE_VERIFICATION ||
	       key == MST_SUIT_INSTALL || key == MST_SUIT_TEXT;
}

/* M 8.3: [ bstr .cbor SUIT_Digest, * bstr .cbor block ] */
static mst_err
read_wrapper(mst_span wrapper, struct mst_suit_envelope *out)
{
	struct mst_suit_digest_claim claim;
	struct suit_cur c;
	size_t n;

	suit_cur_init(&c, wrapper);
	if (suit_peek(&c) != MAJOR_ARRAY || (n = suit_count(&c, MAJOR_ARRAY)) == 0)
		return MST_E_SUIT_AUTH;
	out->digest = suit_bytes(&c);
	out->blocks = mst_span_of(c.at, (size_t)(c.end - c.at));
	while (--n > 0)
		(void)suit_bytes(&c);
	if (suit_end(&c) != MST_OK)
		return c.e == MST_E_SUIT_CBOR_TYPE ? MST_E_SUIT_AUTH : c.e;
	return mst_suit_digest_parse(out->digest, &claim);
}

static mst_err
read_element(struct suit_cur *c, int64_t key, struct mst_suit_envelope *out, size_t *payloads)
{
	mst_span value = suit_bytes(c);
	mst_err e;

	if (c->e != MST_OK)
		return c->e == MST_E_SUIT_CBOR_TYPE && key == SUIT_TEXT_KEY ? MST_E_SUIT_INTEGRATED
		                                                            : c->e;
	if (key == SUIT_TEXT_KEY)
		*payloads += value.len;
	else if (key == KEY_AUTHENTICATION) {
		if ((e = read_wrapper(value, out)) != MST_OK)
			return e;
	} else if (key == KEY_MANIFEST)
		out->manifest = value;
	else if (!is_severable(key)) /* sheet 2: unknown, private and reserved ones (1) */
		return MST_E_SUIT_ENVELOPE_KEY;
	return MST_OK;
}

mst_err
mst_suit_envelope_parse(mst_span bytes, struct mst_suit_envelope *out)
{
	struct mst_suit_envelope v = { .bytes = bytes };
	size_t payloads = 0;
	struct suit_cur c;
	struct suit_map m;
	int64_t key;
	mst_span text;
	mst_err e;

	suit_cur_init(&c, bytes);
	if (suit_peek(&c) == MAJOR_TAG && suit_take(&c, MAJOR_TAG) != TAG_ENVELOPE && c.e == MST_OK)
		return MST_E_SUIT_TAG;
	if (c.e == MST_OK && suit_peek(&c) != MAJOR_MAP)
		return MST_E_SUIT_ENVELOPE;
	suit_map_init(&m, &c);
	v.elements = mst_span_of(c.at, (size_t)(c.end - c.at));
	while (suit_map_next(&m, &key, &text))
		if ((e = read_element(&c, key, &v, &payloads)) != MST_OK)
			return e;
	if (suit_end(&c) != MST_OK)
		return c.e;
	if (v.digest.ptr == NULL)
		return MST_E_SUIT_AUTH_MISSING;
	if (v.manifest.ptr == NULL)
		return MST_E_SUIT_MANIFEST_MISSING;
	if (bytes.len - payloads > MST_SUIT_ENVELOPE_MAX)
		return MST_E_SUIT_ENVELOPE_SIZE;
	*out = v;
	return MST_OK;
}

/* The map was read before: what stands in it is well-formed. */
static mst_span
element(const struct mst_suit_envelope *envelope, int64_t want, mst_span uri)
{
	struct suit_cur c;
	struct suit_map m = { .c = &c };
	int64_t key;
	mst_span text = MST_NONE, value;

	suit_cur_init(&c, envelope->elements);
	for (m.left = SIZE_MAX; c.at != c.end && suit_map_next(&m, &key, &text);) {
		value = suit_bytes(&c);
		if (key == want && (key != SUIT_TEXT_KEY || mst_span_eq(text, uri)))
			return value;
	}
	return MST_NONE;
}

mst_span
mst_suit_envelope_element(const struct mst_suit_envelope *envelope, int64_t key)
{
	return key == SUIT_TEXT_KEY ? MST_NONE : element(envelope, key, MST_NONE);
}

mst_span
mst_suit_envelope_payload(const struct mst_suit_envelope *envelope, mst_span uri)
{
	return element(envelope, SUIT_TEXT_KEY, uri);
}
