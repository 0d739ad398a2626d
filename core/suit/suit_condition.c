/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions (sheet 10) and what they measured. A missing parameter fails them (M 8.4.9). */
#include <string.h>

#include "core/suit/suit_impl.h"

#ifndef MUSTER_SUIT_BOOT
static void
measure(struct suit_act *a, struct mst_cbor_writer *w, size_t before)
{
	if (mst_cbor_put_end(w) == MST_OK)
		a->measured_count++;
	else
		a->measured.len = before; /* too long for a record: left out */
}

void
suit_measure_uint(struct suit_act *a, int key, uint64_t value)
{
	struct mst_cbor_writer w;
	size_t before = a->measured.len;

	mst_cbor_put_init(&w, &a->measured);
	mst_cbor_put_uint(&w, (uint64_t)key);
	mst_cbor_put_uint(&w, value);
	measure(a, &w, before);
}

void
suit_measure_bytes(struct suit_act *a, int key, mst_span value)
{
	struct mst_cbor_writer w;
	size_t before = a->measured.len;

	mst_cbor_put_init(&w, &a->measured);
	mst_cbor_put_uint(&w, (uint64_t)key);
	mst_cbor_put_bytes(&w, value);
	measure(a, &w, before);
}

/* bstr .cbor [ alg, digest ] */
void
suit_measure_digest(struct suit_act *a, int32_t alg, mst_span digest)
{
	struct mst_cbor_writer w;
	size_t before = a->measured.len;
	size_t head = alg < -24 ? 2 : 1; /* of the digests that exist */

	mst_cbor_put_init(&w, &a->measured);
	mst_cbor_put_uint(&w, MST_SUIT_PARAM_DIGEST);
	mst_cbor_put_bytes_head(&w, 1 + head + (digest.len < 24 ? 1 : 2) + digest.len);
	mst_cbor_put_array(&w, 2);
	mst_cbor_put_int(&w, alg);
	mst_cbor_put_bytes(&w, digest);
	measure(a, &w, before);
}
#else
#define suit_measure_uint(a, key, value) ((void)0)
#define suit_measure_bytes(a, key, value) ((void)0)
#define suit_measure_digest(a, alg, digest) ((void)0)
#endif

/* M 8.4.8.2: one of the identifiers that the device asserts suffices. */
mst_err
suit_identity(struct suit_act *a)
{
	static const struct {
		uint8_t code, kind;
		mst_err e;
	} kinds[] = {
		{ MST_SUIT_CMD_VENDOR, MST_SUIT_ID_VENDOR, MST_E_SUIT_VENDOR },
		{ MST_SUIT_CMD_CLASS, MST_SUIT_ID_CLASS, MST_E_SUIT_CLASS },
		{ MST_SUIT_CMD_DEVICE, MST_SUIT_ID_DEVICE, MST_E_SUIT_DEVICE },
	};
	const struct mst_suit_platform *pf = a->s->platform;
	/* the parameters have the numbers of the conditions */
	const uint8_t *want = suit_param(a, a->command->code);
	unsigned k = 0;
	bool tagged;
	mst_span have, value;

	while (kinds[k].code != a->command->code)
		k++;
	if (want == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	/* #6.112(bstr): the content of the tag, which no UUID equals */
	tagged = *want >> 5 == MAJOR_TAG;
	value = suit_value_string(tagged ? suit_value_content(want) : want);
	for (unsigned n = 0;; n++) {
		have = pf->identity(
		    pf->ctx, a->slot->handle, (enum mst_suit_identity)kinds[k].kind, n);
		if (have.ptr == NULL)
			return kinds[k].e;
		if (n == 0)
			suit_measure_bytes(a, a->command->code, have);
		if (mst_span_eq(have, value) && !(tagged && have.len == 16)) {
#ifndef MUSTER_SUIT_BOOT
			a->measured.len = 0;
			a->measured_count = 0;
#endif
			suit_measure_bytes(a, a->command->code, have);
			return MST_OK;
		}
	}
}

/* Hash len bytes of the component, read back from storage (RFC 9124 COMPLETE_DIGEST). */
mst_err
suit_hash(struct suit_act *a, union mst_suit_digest_state *st, int32_t alg, uint64_t len,
    struct mst_buf *out)
{
	const struct mst_suit_crypto *y = a->s->crypto;
	const struct mst_suit_platform *pf = a->s->platform;
	mst_err e;

	if ((e = y->digest_begin(y->ctx, alg, st)) != MST_OK)
		return e;
	for (uint64_t at = 0; at < len;) {
		size_t n = a->s->block.cap;
		if (n > len - at)
			n = (size_t)(len - at);
		if ((e = pf->read(pf->ctx, a->slot->handle, at, a->s->block.ptr, n)) != MST_OK ||
		    (e = y->digest_update(y->ctx, st, mst_span_of(a->s->block.ptr, n))) != MST_OK) {
			y->digest_drop(y->ctx, st);
			return e;
		}
		at += n;
	}
	return y->digest_end(y->ctx, st, out);
}

/* How many bytes count, and does the component have exactly them? */
static mst_err
image_size(struct suit_act *a, uint64_t *len)
{
	const struct mst_suit_platform *pf = a->s->platform;
	const uint8_t *want = suit_param(a, MST_SUIT_PARAM_SIZE);
	struct mst_suit_component_info info;
	mst_err e;

	if ((e = pf->info(pf->ctx, a->slot->handle, &info)) != MST_OK)
		return e;
	if (info.state == MST_SUIT_HOLDS_NOTHING)
		return MST_E_SUIT_IMAGE_MISMATCH;
	if (info.state == MST_SUIT_HOLDS_UNSIZED && want == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	*len = want == NULL ? info.size : suit_value_arg(want);
	if (info.state == MST_SUIT_HOLDS && *len != info.size) {
		suit_measure_uint(a, MST_SUIT_PARAM_SIZE, info.size);
		return MST_E_SUIT_IMAGE_SIZE;
	}
	return *len > info.capacity ? MST_E_SUIT_IMAGE_SIZE : MST_OK;
}

/* Does the component hold what parameters 3 and 14 say? MST_E_SUIT_IMAGE_MISMATCH, _SIZE. */
static mst_err
compare_image(struct suit_act *a)
{
	const uint8_t *want = suit_param(a, MST_SUIT_PARAM_DIGEST);
	struct mst_suit_digest_claim claim;
	uint8_t store[MST_SUIT_DIGEST_MAX];
	struct mst_buf have = MST_BUF(store);
	union mst_suit_digest_state st;
	uint64_t len;
	mst_err e;

	if (want == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
#ifndef MUSTER_SUIT_BOOT
	if (suit_is_dependency(a->m, a->place))
		return suit_dependency_match(a);
#endif
	if ((e = mst_suit_digest_parse(suit_value_string(want), &claim)) != MST_OK ||
	    (e = image_size(a, &len)) != MST_OK ||
	    (e = suit_hash(a, &st, claim.alg, len, &have)) != MST_OK)
		return e;
	suit_measure_digest(a, claim.alg, mst_buf_span(&have));
	if (suit_param(a, MST_SUIT_PARAM_SIZE) != NULL)
		suit_measure_uint(a, MST_SUIT_PARAM_SIZE, len);
	return mst_ct_eq(mst_buf_span(&have), claim.digest) ? MST_OK : MST_E_SUIT_IMAGE_MISMATCH;
}

mst_err
suit_image_match(struct suit_act *a)
{
	mst_err e = compare_image(a);

	if (e == MST_OK)
		a->slot->flags |= SUIT_CHECKED;
	return e;
}

mst_err
suit_component_slot(struct suit_act *a)
{
	const uint8_t *want = suit_param(a, MST_SUIT_PARAM_SLOT);
	uint64_t have;
	mst_err e;

	if (want == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	if ((e = a->s->platform->slot(a->s->platform->ctx, a->slot->handle, &have)) != MST_OK)
		return e;
	suit_measure_uint(a, MST_SUIT_PARAM_SLOT, have);
	return have == suit_value_arg(want) ? MST_OK : MST_E_SUIT_SLOT;
}

mst_err
suit_abort(struct suit_act *a)
{
	(void)a;
	return MST_E_SUIT_ABORT;
}

#ifndef MUSTER_SUIT_BOOT
/* M 8.4.9.3: constant time, and of the same length */
mst_err
suit_check_content(struct suit_act *a)
{
	const struct mst_suit_platform *pf = a->s->platform;
	const uint8_t *param = suit_param(a, MST_SUIT_PARAM_CONTENT);
	struct mst_suit_component_info info;
	mst_span want;
	uint8_t different = 0;
	mst_err e;

	if (param == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	want = suit_value_string(param);
	if ((e = pf->info(pf->ctx, a->slot->handle, &info)) != MST_OK)
		return e;
	if (info.state == MST_SUIT_HOLDS_NOTHING || info.size != want.len)
		return MST_E_SUIT_CONTENT;
	for (size_t at = 0; at < want.len;) {
		size_t n = a->s->block.cap;
		if (n > want.len - at)
			n = want.len - at;
		if ((e = pf->read(pf->ctx, a->slot->handle, at, a->s->block.ptr, n)) != MST_OK)
			return e;
		for (size_t i = 0; i < n; i++)
			different |= (uint8_t)(a->s->block.ptr[i] ^ want.ptr[at + i]);
		at += n;
	}
	if (different != 0)
		return MST_E_SUIT_CONTENT;
	a->slot->flags |= SUIT_CHECKED; /* byte for byte what the manifest holds */
	return MST_OK;
}

/* UM 5.2: a digest must be there; another content is the success. */
mst_err
suit_image_not_match(struct suit_act *a)
{
	mst_err e = compare_image(a);

	if (e == MST_OK)
		return MST_E_SUIT_IMAGE_MATCHES;
	return e == MST_E_SUIT_IMAGE_MISMATCH || e == MST_E_SUIT_IMAGE_SIZE ? MST_OK : e;
}

mst_err
suit_use_before(struct suit_act *a)
{
	const uint8_t *until = suit_param(a, MST_SUIT_PARAM_USE_BEFORE);
	uint64_t now;
	mst_err e;

	if (until == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	if ((e = a->s->platform->now(a->s->platform->ctx, &now)) != MST_OK)
		return e; /* no trusted time: it fails */
	suit_measure_uint(a, MST_SUIT_PARAM_USE_BEFORE, now);
	return now < suit_value_arg(until) ? MST_OK : MST_E_SUIT_EXPIRED;
}

mst_err
suit_battery(struct suit_act *a)
{
	const uint8_t *need = suit_param(a, MST_SUIT_PARAM_BATTERY);
	uint64_t have;
	mst_err e;

	if (need == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	if ((e = a->s->platform->battery(a->s->platform->ctx, &have)) != MST_OK)
		return e;
	suit_measure_uint(a, MST_SUIT_PARAM_BATTERY, have);
	return have >= suit_value_arg(need) ? MST_OK : MST_E_SUIT_BATTERY;
}

mst_err
suit_authorized(struct suit_act *a)
{
	const uint8_t *priority = suit_param(a, MST_SUIT_PARAM_PRIORITY);

	if (priority == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	return a->s->platform->authorized(
	    a->s->platform->ctx, a->slot->handle, suit_value_int(priority));
}

static mst_err
judge_version(int64_t comparison, int order)
{
	static const int8_t from[] = { 1, 0, 0, -1, -1 }, to[] = { 1, 1, 0, 0, -1 };

	return order >= from[comparison - 1] && order <= to[comparison - 1]
	           ? MST_OK
	           : MST_E_SUIT_VERSION_MISMATCH;
}

void
suit_measure_version(struct suit_act *a, const int64_t *ints, size_t count)
{
	uint8_t store[4 + 9 * MST_SUIT_VERSION_MAX];
	struct mst_buf b = MST_BUF(store);
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &b);
	mst_cbor_put_array(&w, 2);
	mst_cbor_put_uint(&w, 3); /* equal: what it is */
	mst_cbor_put_array(&w, count);
	for (size_t i = 0; i < count; i++)
		mst_cbor_put_int(&w, ints[i]);
	if (mst_cbor_put_end(&w) == MST_OK)
		suit_measure_bytes(a, MST_SUIT_PARAM_VERSION, mst_buf_span(&b));
}

/* UM 4.4: int by int until the manifest's are consumed; what the component lacks is 0 [D]. */
mst_err
suit_version(struct suit_act *a)
{
	const uint8_t *param = suit_param(a, MST_SUIT_PARAM_VERSION);
	int64_t want[MST_SUIT_VERSION_MAX], have[MST_SUIT_VERSION_MAX], comparison;
	size_t count, held = 0;
	int order = 0;
	mst_err e;

	if (param == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	if ((e = suit_version_read(suit_value_string(param), &comparison, want, &count)) !=
	        MST_OK ||
	    (e = a->s->platform->version(a->s->platform->ctx, a->slot->handle, have, &held)) !=
	        MST_OK)
		return e;
	suit_measure_version(a, have, held);
	for (size_t i = 0; i < count && order == 0; i++) {
		int64_t h = i < held ? have[i] : 0;
		order = h < want[i] ? -1 : h > want[i];
	}
	return judge_version(comparison, order);
}

mst_err
suit_wait(struct suit_act *a)
{
	const uint8_t *param = suit_param(a, MST_SUIT_PARAM_WAIT);
	struct mst_suit_wait w;
	mst_err e;

	if (param == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	if ((e = suit_wait_read(suit_value_string(param), &w)) != MST_OK)
		return e;
	return a->s->platform->wait(a->s->platform->ctx, a->slot->handle, &w);
}
#endif
