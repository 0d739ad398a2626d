/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters (sheet 8): which there are, what their values look like, where they are kept. */
#include <string.h>

#include "core/suit/suit_impl.h"

enum value_form {
	VALUE_VENDOR,
	VALUE_UUID,
	VALUE_DIGEST,
	VALUE_UINT,
	VALUE_INT,
	VALUE_BOOL,
	VALUE_BYTES,
	VALUE_URI,
	VALUE_ENCRYPTION,
	VALUE_VERSION,
	VALUE_WAIT,
	VALUE_METADATA,
};
#define NOT_KEPT 0xff /* the interpreter's own, or of no use in this build */
#ifdef MUSTER_SUIT_BOOT
#define KEPT(full, boot) (boot)
#else
#define KEPT(full, boot) (full)
#endif

static const struct {
	uint8_t key, form, kept;
} params[] = {
	{ MST_SUIT_PARAM_VENDOR, VALUE_VENDOR, 0 },
	{ MST_SUIT_PARAM_CLASS, VALUE_UUID, 1 },
	{ MST_SUIT_PARAM_DIGEST, VALUE_DIGEST, 2 },
	{ MST_SUIT_PARAM_USE_BEFORE, VALUE_UINT, KEPT(9, NOT_KEPT) },
	{ MST_SUIT_PARAM_SLOT, VALUE_UINT, 3 },
	{ MST_SUIT_PARAM_STRICT_ORDER, VALUE_BOOL, NOT_KEPT },
	{ MST_SUIT_PARAM_SOFT_FAILURE, VALUE_BOOL, NOT_KEPT },
	{ MST_SUIT_PARAM_SIZE, VALUE_UINT, 4 },
	{ MST_SUIT_PARAM_CONTENT, VALUE_BYTES, KEPT(5, NOT_KEPT) },
	{ MST_SUIT_PARAM_ENCRYPTION, VALUE_ENCRYPTION, KEPT(10, NOT_KEPT) },
	{ MST_SUIT_PARAM_URI, VALUE_URI, KEPT(11, NOT_KEPT) },
	{ MST_SUIT_PARAM_SOURCE, VALUE_UINT, 6 },
	{ MST_SUIT_PARAM_INVOKE_ARGS, VALUE_BYTES, 7 },
	{ MST_SUIT_PARAM_DEVICE, VALUE_UUID, KEPT(8, 5) },
	{ MST_SUIT_PARAM_FETCH_ARGS, VALUE_BYTES, KEPT(12, NOT_KEPT) },
	{ MST_SUIT_PARAM_BATTERY, VALUE_UINT, KEPT(13, NOT_KEPT) },
	{ MST_SUIT_PARAM_PRIORITY, VALUE_INT, KEPT(14, NOT_KEPT) },
	{ MST_SUIT_PARAM_VERSION, VALUE_VERSION, KEPT(15, NOT_KEPT) },
	{ MST_SUIT_PARAM_WAIT, VALUE_WAIT, KEPT(16, NOT_KEPT) },
	{ MST_SUIT_PARAM_METADATA, VALUE_METADATA, KEPT(17, NOT_KEPT) },
};
#define PARAMS (sizeof params / sizeof params[0])

static unsigned
row(int64_t key)
{
	unsigned i, want = (uint64_t)key <= UINT8_MAX ? (unsigned)key : 0;

	for (i = 0; i < PARAMS && params[i].key != want; i++)
		;
	return i;
}

bool
suit_param_known(int64_t key)
{
	return row(key) < PARAMS;
}

int
suit_param_key(unsigned n)
{
	return n < PARAMS ? params[n].key : 0;
}

const uint8_t **
suit_param_at(struct mst_suit_slot *slot, int64_t key)
{
	unsigned i = row(key);

	return i == PARAMS || params[i].kept == NOT_KEPT ? NULL : &slot->param[params[i].kept];
}

const uint8_t *
suit_param(const struct suit_act *a, int64_t key)
{
	const uint8_t **at = suit_param_at(a->slot, key);

	return at == NULL ? NULL : *at;
}

#ifndef MUSTER_SUIT_BOOT
/* UM 4.4: [ comparison 1 to 5, [+ int] ]; a pre-release (-1 rc, -2 beta, -3 alpha) is never first
 * and follows at most three release numbers. */
mst_err
suit_version_read(mst_span encoded, int64_t *comparison, int64_t *ints, size_t *count)
{
	struct suit_cur c;
	size_t n;
	size_t releases = 0;

	suit_cur_init(&c, encoded);
	if (suit_take(&c, MAJOR_ARRAY) != 2)
		return MST_E_SUIT_PARAMETER_VALUE;
	*comparison = suit_int(&c);
	n = suit_count(&c, MAJOR_ARRAY);
	if (c.e != MST_OK || *comparison < 1 || *comparison > 5 || n == 0 ||
	    n > MST_SUIT_VERSION_MAX)
		return MST_E_SUIT_PARAMETER_VALUE;
	*count = (size_t)n;
	for (size_t i = 0; i < n; i++) {
		ints[i] = suit_int(&c);
		if (ints[i] < -3 || (i == 0 && ints[i] < 0))
			suit_fail(&c, MST_E_SUIT_PARAMETER_VALUE);
		if (ints[i] >= 0 && releases == i)
			releases++;
	}
	if (releases > 3 || suit_end(&c) != MST_OK)
		return MST_E_SUIT_PARAMETER_VALUE;
	return MST_OK;
}

static mst_err
read_event(struct suit_cur *c, int64_t event, struct mst_suit_wait *w)
{
	switch (event) {
	case MST_SUIT_WAIT_AUTHORIZATION: w->authorization = suit_int(c); break;
	case MST_SUIT_WAIT_POWER: w->power = suit_int(c); break;
	case MST_SUIT_WAIT_NETWORK: w->network = suit_int(c); break;
	case MST_SUIT_WAIT_TIME: w->time = suit_take(c, MAJOR_UINT); break;
	case MST_SUIT_WAIT_TIME_OF_DAY: w->time_of_day = suit_take(c, MAJOR_UINT); break;
	case MST_SUIT_WAIT_DAY_OF_WEEK: w->day_of_week = suit_take(c, MAJOR_UINT); break;
	case MST_SUIT_WAIT_TIME_OF_DAY_UTC: w->time_of_day_utc = suit_take(c, MAJOR_UINT); break;
	case MST_SUIT_WAIT_DAY_OF_WEEK_UTC: w->day_of_week_utc = suit_take(c, MAJOR_UINT); break;
	case MST_SUIT_WAIT_OTHER_DEVICE: (void)suit_item(c); break;
	default: return MST_E_SUIT_PARAMETER_VALUE;
	}
	w->has |= MST_SUIT_WAIT_BIT(event);
	return c->e;
}

mst_err
suit_wait_read(mst_span encoded, struct mst_suit_wait *out)
{
	struct suit_cur c;
	struct suit_map m;
	int64_t event;
	mst_err e;

	memset(out, 0, sizeof *out);
	suit_cur_init(&c, encoded);
	suit_map_init(&m, &c);
	while (suit_map_int(&m, &event))
		if ((e = read_event(&c, event, out)) != MST_OK)
			return e;
	if (suit_end(&c) != MST_OK)
		return c.e;
	/* seconds of a day, days since Sunday */
	if (out->has == 0 || out->time_of_day >= 86400 || out->time_of_day_utc >= 86400 ||
	    out->day_of_week > 6 || out->day_of_week_utc > 6)
		return MST_E_SUIT_PARAMETER_VALUE;
	return MST_OK;
}

#ifndef MUSTER_SUIT_MCU
#define META_TIME_TAG 1
#define META_UUID_TAG 37
#define META_BITS 0x3fff /* UM 4.6.3: permissions 0 to 13 */

/* actor: #6.37(bstr) / bstr / tstr / int */
static bool
is_actor(int64_t key, mst_span other)
{
	if (key != SUIT_OTHER_KEY)
		return true;
	return *other.ptr >> 5 == MAJOR_BYTES ||
	       (*other.ptr >> 5 == MAJOR_TAG && suit_value_arg(other.ptr) == META_UUID_TAG &&
	           *suit_value_content(other.ptr) >> 5 == MAJOR_BYTES);
}

static void
read_permissions(struct suit_cur *c)
{
	struct suit_map m;
	int64_t key;
	mst_span actor;

	suit_map_init(&m, c);
	if (m.left == 0)
		suit_fail(c, MST_E_SUIT_METADATA);
	while (suit_map_next(&m, &key, &actor))
		if (!is_actor(key, actor) || suit_take(c, MAJOR_UINT) > META_BITS)
			suit_fail(c, MST_E_SUIT_METADATA);
}

static void
read_metadatum(struct suit_cur *c, int64_t key)
{
	mst_span actor;
	int64_t kind;

	switch (key) {
	case 1:
		if (suit_take(c, MAJOR_UINT) > META_BITS)
			suit_fail(c, MST_E_SUIT_METADATA);
		return;
	case 2:
	case 3:
	case 4: read_permissions(c); return;
	case 5:
		kind = suit_int(c);
		if (kind < 1 || kind > 3)
			suit_fail(c, MST_E_SUIT_METADATA);
		return;
	case 6:
	case 7:
		if (suit_take(c, MAJOR_TAG) != META_TIME_TAG)
			suit_fail(c, MST_E_SUIT_METADATA);
		(void)suit_take(c, MAJOR_UINT);
		return;
	case 8:
		actor = suit_item(c);
		if (c->e == MST_OK && *actor.ptr >> 5 != MAJOR_TEXT &&
		    *actor.ptr >> 5 > MAJOR_NINT && !is_actor(SUIT_OTHER_KEY, actor))
			suit_fail(c, MST_E_SUIT_METADATA);
		return;
	default: suit_fail(c, MST_E_SUIT_METADATA);
	}
}
#endif

static void
check_metadata(struct suit_cur *outer)
{
	struct suit_cur c;
	struct suit_map m;
	int64_t key;

	suit_cur_init(&c, suit_bytes(outer));
	suit_map_init(&m, &c);
	while (suit_map_int(&m, &key)) {
#ifdef MUSTER_SUIT_MCU
		/* a small device has no owners and permissions: its platform takes what it knows */
		(void)suit_item(&c);
#else
		read_metadatum(&c, key);
#endif
	}
	if (suit_end(&c) != MST_OK)
		suit_fail(outer, c.e == MST_E_SUIT_CBOR_TYPE ? MST_E_SUIT_METADATA : c.e);
}

static mst_err
check_encryption(mst_span info)
{
	struct mst_suit_encryption e;

	return mst_suit_encryption_parse(info, &e);
}

static mst_err
check_version(mst_span v)
{
	int64_t comparison, ints[MST_SUIT_VERSION_MAX];
	size_t count;

	return suit_version_read(v, &comparison, ints, &count);
}

static mst_err
check_wait(mst_span v)
{
	struct mst_suit_wait w;
	mst_err e = suit_wait_read(v, &w);

	/* no profile says what it means */
	return e == MST_OK && (w.has & MST_SUIT_WAIT_BIT(MST_SUIT_WAIT_OTHER_DEVICE)) != 0
	           ? MST_E_SUIT_WAIT_UNSUPPORTED
	           : e;
}

static void
check_wrapped(struct suit_cur *c, mst_err (*check)(mst_span))
{
	mst_span v = suit_bytes(c);
	mst_err e;

	if (c->e == MST_OK && (e = check(v)) != MST_OK)
		suit_fail(c, e);
}
#endif

static mst_err
check_digest(mst_span v)
{
	struct mst_suit_digest_claim claim;

	return mst_suit_digest_parse(v, &claim);
}

/* 16 bytes; of a vendor also a PEN, #6.112(bstr) (M 8.4.8.1) */
static void
check_uuid(struct suit_cur *c, enum value_form form)
{
	if (form == VALUE_VENDOR && suit_peek(c) == MAJOR_TAG) {
		if (suit_take(c, MAJOR_TAG) != 112 || suit_bytes(c).len == 0)
			suit_fail(c, MST_E_SUIT_PARAMETER_VALUE);
	} else if (suit_bytes(c).len != 16)
		suit_fail(c, MST_E_SUIT_PARAMETER_VALUE);
}

void
suit_param_check(struct suit_cur *c, int64_t key)
{
	enum value_form form = (enum value_form)params[row(key)].form;
	mst_span v;
	mst_err e;

	switch (form) {
	case VALUE_VENDOR:
	case VALUE_UUID: check_uuid(c, form); break;
	case VALUE_DIGEST:
		v = suit_bytes(c);
		if (c->e == MST_OK && (e = check_digest(v)) != MST_OK)
			suit_fail(c, e);
		break;
	case VALUE_UINT: (void)suit_take(c, MAJOR_UINT); break;
	case VALUE_INT: (void)suit_int(c); break;
	case VALUE_BOOL: (void)suit_bool(c); break;
	case VALUE_URI:
		v = suit_text(c);
		if (c->e == MST_OK && (v.len == 0 || v.len > MST_SUIT_URI_MAX))
			suit_fail(c, MST_E_SUIT_URI);
		break;
#ifdef MUSTER_SUIT_BOOT
	case VALUE_ENCRYPTION:
	case VALUE_VERSION:
	case VALUE_WAIT:
	case VALUE_METADATA:
	case VALUE_BYTES: (void)suit_bytes(c); break;
#else
	case VALUE_BYTES: (void)suit_bytes(c); break;
	case VALUE_ENCRYPTION: check_wrapped(c, check_encryption); break;
	case VALUE_VERSION: check_wrapped(c, check_version); break;
	case VALUE_WAIT: check_wrapped(c, check_wait); break;
	case VALUE_METADATA: check_metadata(c); break;
#endif
	}
	if (c->e == MST_E_SUIT_CBOR_TYPE)
		c->e = MST_E_SUIT_PARAMETER_VALUE;
}
