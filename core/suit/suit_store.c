/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directives that change what components hold (sheet 10): fetch, copy, write,
 * swap. Payloads pass in blocks; decryption happens on the way. What was written
 * counts for nothing until a digest of it, read back, was found right (sheet 19).
 */
#include <string.h>

#include "core/suit/suit_impl.h"

#ifdef MUSTER_SUIT_BOOT
/* load (M 7): from storage to where it runs; image-match follows, or it is not started. */
static mst_err
copy_blocks(const struct suit_act *a, const struct mst_suit_slot *source, uint64_t len)
{
	const struct mst_suit_platform *pf = a->s->platform;
	mst_span block = mst_buf_span(&a->s->block);
	mst_err e = MST_OK;

	for (uint64_t at = 0; at < len && e == MST_OK; at += block.len) {
		block.len = len - at < a->s->block.cap ? (size_t)(len - at) : a->s->block.cap;
		e = pf->read(pf->ctx, source->handle, at, a->s->block.ptr, block.len);
		if (e == MST_OK)
			e = pf->write(pf->ctx, a->slot->handle, block);
	}
	return e;
}

mst_err
suit_copy(struct suit_act *a)
{
	const struct mst_suit_platform *pf = a->s->platform;
	const uint8_t *from = suit_param(a, MST_SUIT_PARAM_SOURCE);
	const uint8_t *size = suit_param(a, MST_SUIT_PARAM_SIZE);
	struct mst_suit_component_info info;
	struct mst_suit_slot *source;
	uint64_t offset = 0;
	mst_err e;

	if (from == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	source = &a->s->slot[a->m->slot[suit_value_arg(from)]];
	if (source == a->slot)
		return MST_E_SUIT_SOURCE;
	if ((e = pf->info(pf->ctx, source->handle, &info)) != MST_OK)
		return e;
	if (info.state == MST_SUIT_HOLDS_UNSIZED && size != NULL)
		info.size = suit_value_arg(size);
	else if (info.state != MST_SUIT_HOLDS)
		return MST_E_SUIT_SOURCE;
	a->slot->flags = SUIT_WRITTEN;
	if ((e = pf->begin(pf->ctx, a->slot->handle, info.size, &offset)) != MST_OK)
		return e;
	e = offset == 0 ? copy_blocks(a, source, info.size) : MST_E_SUIT_PLATFORM;
	if (e == MST_OK)
		e = pf->end(pf->ctx, a->slot->handle, MST_NONE);
	if (e != MST_OK)
		pf->drop(pf->ctx, a->slot->handle);
	return e;
}
#else
/* Not in the frame of its caller, which holds the states of the payload. */
#define APART __attribute__((noinline))
#define PROOF MST_SUIT_SHA256
#define JOURNAL_EVERY 65536

/* A component being written. */
struct store {
	struct suit_act *a;
	uint64_t size; /* that must come; UINT64_MAX: not said */
	uint64_t limit; /* that may come */
	uint64_t stored;
	bool proves; /* what is written is right if it is read back the same */
	bool sums, began; /* sum was; the component was */
	bool decrypts, resumable;
	uint64_t noted; /* bytes that the journal knows of */
	/* A ciphertext whose digest is all that proves its plaintext: compared with what was
	 * decrypted, not with what was there before (storage may be another's). */
	const uint8_t *pin; /* its parameter 3 */
	union mst_suit_digest_state pin_sum;
	struct mst_suit_decrypt decrypt;
	union mst_suit_digest_state sum;
};

static bool
is_of(const struct mst_suit_manifest *m, const uint8_t *value)
{
	return value >= m->envelope.bytes.ptr &&
	       value < m->envelope.bytes.ptr + m->envelope.bytes.len;
}

/* NULL: of a dependency that was fetched anew since. */
static const struct mst_suit_manifest *
owner_of(const struct suit_act *a, const uint8_t *value)
{
	for (unsigned i = 0; i < MST_SUIT_DEPENDENCIES_MAX; i++)
		if ((a->s->dependency[i].flags & SUIT_IN_USE) != 0 &&
		    is_of(&a->s->dependency[i], value))
			return &a->s->dependency[i];
	return is_of(a->s->root, value) ? a->s->root : NULL;
}

uint8_t
suit_number(const struct mst_suit *s, const struct mst_suit_manifest *m)
{
	if (m != s->root)
		return (uint8_t)(1 + (m - s->dependency));
	return 0;
}

/* The component that parameter 22 names, in the index space of the manifest that set it. */
static struct mst_suit_slot *
source_of(const struct suit_act *a)
{
	const uint8_t *param = suit_param(a, MST_SUIT_PARAM_SOURCE);
	const struct mst_suit_manifest *owner;
	struct mst_suit_slot *slot;
	unsigned place;

	if (param == NULL)
		return NULL;
	owner = owner_of(a, param);
	if (owner == NULL || !suit_place(owner, suit_value_arg(param), &place))
		return NULL;
	slot = &a->s->slot[owner->slot[place]];
	return slot == a->slot ? NULL : slot;
}

void
suit_written(struct suit_act *a)
{
	uint8_t before = a->slot->flags;

	a->slot->flags = (uint8_t)((before | SUIT_WRITTEN | SUIT_WANTED) & ~SUIT_CHECKED);
	a->slot->writer = suit_number(a->s, a->m);
	suit_dependencies_forget(a->s, a->slot);
	if (a->command->code == MST_SUIT_CMD_SWAP) {
		struct mst_suit_slot *source = source_of(a);
		if (source != NULL) { /* it holds what was here, as right as that was */
			source->flags &= (uint8_t) ~(SUIT_WRITTEN | SUIT_CHECKED);
			source->flags |= before & (SUIT_WRITTEN | SUIT_CHECKED);
			suit_dependencies_forget(a->s, source);
		}
	}
}

/* M 8.4.10.4, 8.4.10.5: MAY be skipped when digest and size are set and it is there already. */
static bool
holds_already(struct suit_act *a)
{
	const struct mst_suit_platform *pf = a->s->platform;
	const uint8_t *size = suit_param(a, MST_SUIT_PARAM_SIZE);
	struct mst_suit_component_info info;

	if (size == NULL || suit_param(a, MST_SUIT_PARAM_DIGEST) == NULL ||
	    pf->info(pf->ctx, a->slot->handle, &info) != MST_OK ||
	    info.state == MST_SUIT_HOLDS_NOTHING ||
	    (a->slot->flags & (SUIT_WRITTEN | SUIT_CHECKED)) == SUIT_WRITTEN)
		return false;
	if (suit_image_match(a) != MST_OK) {
		a->measured.len = 0;
		a->measured_count = 0;
		return false;
	}
	a->slot->flags |= SUIT_WANTED;
	a->how = MST_SUIT_NEEDLESS;
	return true;
}

/* TD 5.5.5: nothing that another manifest needs is overwritten. */
static mst_err
unreferenced(const struct suit_act *a, const struct mst_suit_slot *slot)
{
	const struct mst_suit_platform *pf = a->s->platform;
	uint8_t by[32];
	unsigned count = 0;
	mst_err e;

	if (pf->references == NULL)
		return MST_OK;
	suit_digest32(a->m, by);
	e = pf->references(pf->ctx, slot->handle, mst_span_of(by, sizeof by), &count);
	return e == MST_OK && count > 0 ? MST_E_SUIT_REFERENCED : e;
}

static mst_err
pin_begin(struct store *st)
{
	const struct mst_suit_crypto *y = st->a->s->crypto;
	struct mst_suit_digest_claim claim;
	mst_err e;

	if ((e = mst_suit_digest_parse(suit_value_string(st->pin), &claim)) == MST_OK)
		e = y->digest_begin(y->ctx, claim.alg, &st->pin_sum);
	if (e != MST_OK)
		st->pin = NULL;
	return e;
}

APART static mst_err
pin_end(struct store *st)
{
	const struct mst_suit_crypto *y = st->a->s->crypto;
	struct mst_suit_digest_claim claim;
	uint8_t store[MST_SUIT_DIGEST_MAX];
	struct mst_buf have = MST_BUF(store);
	mst_err e;

	if ((e = mst_suit_digest_parse(suit_value_string(st->pin), &claim)) != MST_OK)
		return e;
	st->pin = NULL; /* the state is released, whatever follows */
	if ((e = y->digest_end(y->ctx, &st->pin_sum, &have)) != MST_OK)
		return e;
	return mst_ct_eq(mst_buf_span(&have), claim.digest) ? MST_OK : MST_E_SUIT_IMAGE_MISMATCH;
}

/* FE 4.3: where decryption does not tell a forgery, a digest over either text must. */
APART static mst_err
begin_decryption(struct store *st, struct mst_suit_slot *source)
{
	struct suit_act *a = st->a;
	const uint8_t *param = suit_param(a, MST_SUIT_PARAM_ENCRYPTION);
	struct mst_suit_encryption info;
	mst_span bytes;
	bool aead;
	mst_err e;

	if (param == NULL)
		return MST_OK;
	bytes = suit_value_string(param);
	if ((e = mst_suit_encryption_parse(bytes, &info)) != MST_OK)
		return e;
	aead = mst_suit_cipher_is_aead(info.alg);
	if (!aead && !st->proves && suit_param(a, MST_SUIT_PARAM_DIGEST) == NULL) {
		if (source != NULL)
			st->pin = *suit_param_at(source, MST_SUIT_PARAM_DIGEST);
		if (st->pin == NULL)
			return MST_E_SUIT_NO_PAYLOAD_DIGEST;
		if ((e = pin_begin(st)) != MST_OK)
			return e;
	}
	/* FE 7.1: a digest of the ciphertext, or the tag, is as good as one of the plaintext */
	st->proves = st->proves || aead || st->pin != NULL;
	e = mst_suit_decrypt_begin(&st->decrypt, a->s->crypto, a->s->keys, bytes);
	st->decrypts = e == MST_OK;
	return e;
}

static void
drop(struct store *st)
{
	const struct mst_suit_platform *pf = st->a->s->platform;
	const struct mst_suit_crypto *y = st->a->s->crypto;

	if (st->sums)
		y->digest_drop(y->ctx, &st->sum);
	if (st->pin != NULL)
		y->digest_drop(y->ctx, &st->pin_sum);
	if (st->decrypts)
		mst_suit_decrypt_drop(&st->decrypt);
	if (st->began && (st->a->s->flags & SUIT_HOLD_PARTIAL) == 0)
		pf->drop(pf->ctx, st->a->slot->handle);
}

/* What may come, and where; *offset as in the platform's begin. */
APART static mst_err
open_store(struct store *st, struct mst_suit_slot *source, uint64_t *offset)
{
	struct suit_act *a = st->a;
	const struct mst_suit_platform *pf = a->s->platform;
	const struct mst_suit_crypto *y = a->s->crypto;
	const uint8_t *size = suit_param(a, MST_SUIT_PARAM_SIZE);
	struct mst_suit_component_info info;
	mst_err e;

	if ((e = pf->info(pf->ctx, a->slot->handle, &info)) != MST_OK)
		return e;
	/* of a dependency it is the envelope's, with or without tag (sheet 24.3): capacity bounds
	 * it */
	st->size =
	    size == NULL || suit_is_dependency(a->m, a->place) ? UINT64_MAX : suit_value_arg(size);
	st->limit = st->size < info.capacity ? st->size : info.capacity;
	if (st->size != UINT64_MAX && st->size > info.capacity)
		return MST_E_SUIT_CAPACITY;
	st->resumable = size != NULL && suit_param(a, MST_SUIT_PARAM_DIGEST) != NULL && !st->proves;
	e = begin_decryption(st, source);
	if (e == MST_OK && st->proves) {
		e = y->digest_begin(y->ctx, PROOF, &st->sum);
		st->sums = e == MST_OK;
	}
	/* where the journal lies others may write, too: it is not believed beyond the limit */
	if (st->decrypts || !st->resumable || *offset > st->limit)
		*offset = 0;
	st->resumable = st->resumable && !st->decrypts;
	if (e == MST_OK) {
		suit_written(a);
		e = pf->begin(pf->ctx, a->slot->handle, st->size, offset);
		st->began = e == MST_OK;
	}
	st->stored = st->noted = *offset;
	if (e != MST_OK)
		drop(st);
	return e;
}

static mst_err
put_plain(struct store *st, mst_span block)
{
	const struct suit_act *a = st->a;
	const struct mst_suit_crypto *y = a->s->crypto;
	mst_err e;

	if (block.len > st->limit - st->stored)
		return st->size == UINT64_MAX ? MST_E_SUIT_CAPACITY : MST_E_SUIT_PAYLOAD_LONG;
	if (st->sums && (e = y->digest_update(y->ctx, &st->sum, block)) != MST_OK)
		return e;
	if (block.len > 0 &&
	    (e = a->s->platform->write(a->s->platform->ctx, a->slot->handle, block)) != MST_OK)
		return e;
	st->stored += block.len;
	uint32_t every =
	    a->s->rules->journal_every == 0 ? JOURNAL_EVERY : a->s->rules->journal_every;
	if (st->resumable && st->stored - st->noted >= every) {
		st->noted = st->stored;
		return suit_journal_progress(st->a, st->stored);
	}
	return MST_OK;
}

/* Room for one block: all of it, or the first half where the plaintext needs the other. */
static struct mst_buf
room(const struct store *st)
{
	struct mst_buf b = st->a->s->block;

	b.len = 0;
	if (st->decrypts)
		b.cap /= 2;
	return b;
}

static mst_err
put(struct store *st, mst_span block)
{
	size_t half = st->a->s->block.cap / 2;
	struct mst_buf plain;
	mst_err e;

	for (size_t at = 0, n; st->decrypts && at < block.len; at += n) {
		n = block.len - at < half ? block.len - at : half;
		plain = (struct mst_buf){ st->a->s->block.ptr + half, half, 0 };
		if ((e = mst_suit_decrypt_update(
		         &st->decrypt, mst_span_of(block.ptr + at, n), &plain)) != MST_OK ||
		    (e = put_plain(st, mst_buf_span(&plain))) != MST_OK)
			return e;
	}
	if (st->decrypts)
		return MST_OK;
	return put_plain(st, block);
}

/* Read back what was written where nothing else will tell that it is right. */
static mst_err
prove(struct store *st)
{
	struct suit_act *a = st->a;
	uint8_t have[32], stored[32];
	struct mst_buf h = MST_BUF(have), r = MST_BUF(stored);
	mst_err e;

	st->sums = false; /* the state is released, whatever follows */
	if ((e = a->s->crypto->digest_end(a->s->crypto->ctx, &st->sum, &h)) != MST_OK ||
	    (e = suit_hash(a, &st->sum, PROOF, st->stored, &r)) != MST_OK)
		return e;
	if (!mst_ct_eq(mst_buf_span(&h), mst_buf_span(&r)))
		return MST_E_SUIT_WRITE;
	a->slot->flags |= SUIT_CHECKED;
	return MST_OK;
}

/* e: how it went until now. */
static mst_err
close_store(struct store *st, mst_err e)
{
	struct suit_act *a = st->a;
	const struct mst_suit_platform *pf = a->s->platform;
	mst_span metadata = MST_NONE;

	const uint8_t *param = suit_param(a, MST_SUIT_PARAM_METADATA);
	if (param != NULL)
		metadata = suit_value_string(param);
	if (e == MST_OK && st->decrypts) {
		/* never valid before the tag holds (sheet 15) */
		e = mst_suit_decrypt_finish(&st->decrypt);
		st->decrypts = false;
	}
	if (e == MST_OK && st->size != UINT64_MAX && st->stored != st->size)
		e = MST_E_SUIT_PAYLOAD_SHORT;
	if (e == MST_OK)
		e = pf->end(pf->ctx, a->slot->handle, metadata);
	if (e == MST_OK && st->sums)
		e = prove(st);
	if (e != MST_OK)
		drop(st);
	return e;
}

static uint64_t
source_len(const struct suit_act *a, const struct mst_suit_slot *source,
    const struct mst_suit_component_info *info, const struct store *st)
{
	const uint8_t **own =
	    suit_param_at((struct mst_suit_slot *)(uintptr_t)source, MST_SUIT_PARAM_SIZE);
	const uint8_t *target = suit_param(a, MST_SUIT_PARAM_SIZE);

	if (info->state == MST_SUIT_HOLDS)
		return info->size;
	if (*own != NULL)
		return suit_value_arg(*own);
	if (st->decrypts)
		return 0; /* how long the ciphertext is, nobody said */
	return target == NULL ? 0 : suit_value_arg(target);
}

APART static mst_err
copy_blocks(struct store *st, const struct mst_suit_slot *source, uint64_t len)
{
	const struct mst_suit_platform *pf = st->a->s->platform;
	struct mst_buf b = room(st);
	const struct mst_suit_crypto *y = st->a->s->crypto;
	mst_err e = MST_OK;

	for (uint64_t at = 0; at < len && e == MST_OK; at += b.len) {
		b.len = len - at < b.cap ? (size_t)(len - at) : b.cap;
		e = pf->read(pf->ctx, source->handle, at, b.ptr, b.len);
		if (e == MST_OK && st->pin != NULL)
			e = y->digest_update(y->ctx, &st->pin_sum, mst_buf_span(&b));
		if (e == MST_OK)
			e = put(st, mst_buf_span(&b));
	}
	return e == MST_OK && st->pin != NULL ? pin_end(st) : e;
}

APART static mst_err
copy_from(
    struct suit_act *a, struct mst_suit_slot *source, const struct mst_suit_component_info *info)
{
	struct store st;
	uint64_t len, offset = 0;
	mst_err e;

	memset(&st, 0, sizeof st);
	st.a = a;
	if ((e = open_store(&st, source, &offset)) != MST_OK)
		return e;
	len = source_len(a, source, info, &st);
	e = len == 0 && info->state == MST_SUIT_HOLDS_UNSIZED ? MST_E_SUIT_SOURCE
	                                                      : copy_blocks(&st, source, len);
	e = close_store(&st, e);
	/* the tag vouches for the whole ciphertext, too */
	if (e == MST_OK && st.decrypt.stage == MST_SUIT_DECRYPT_AUTHENTIC)
		source->flags |= SUIT_CHECKED;
	return e;
}

mst_err
suit_copy(struct suit_act *a)
{
	const struct mst_suit_platform *pf = a->s->platform;
	struct mst_suit_slot *source = source_of(a);
	struct mst_suit_component_info info;
	mst_err e;

	if (suit_param(a, MST_SUIT_PARAM_SOURCE) == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	if (holds_already(a))
		return MST_OK;
	if (source == NULL)
		return MST_E_SUIT_SOURCE;
	if ((e = unreferenced(a, a->slot)) != MST_OK ||
	    (e = pf->info(pf->ctx, source->handle, &info)) != MST_OK)
		return e;
	return info.state == MST_SUIT_HOLDS_NOTHING ? MST_E_SUIT_SOURCE
	                                            : copy_from(a, source, &info);
}

APART static mst_err
store_bytes(struct suit_act *a, mst_span bytes, bool proves)
{
	struct store st;
	uint64_t offset = 0;
	mst_err e;

	memset(&st, 0, sizeof st);
	st.a = a;
	st.proves = proves;
	if ((e = open_store(&st, NULL, &offset)) != MST_OK)
		return e;
	if (offset != 0) /* what it asked for was 0 */
		return close_store(&st, MST_E_SUIT_PLATFORM);
	return close_store(&st, put(&st, bytes));
}

mst_err
suit_write(struct suit_act *a)
{
	const uint8_t *content = suit_param(a, MST_SUIT_PARAM_CONTENT);
	mst_err e;

	if (content == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	if ((e = unreferenced(a, a->slot)) != MST_OK)
		return e;
	/* the manifest's signature vouches for it */
	return store_bytes(a, suit_value_string(content), true);
}

APART static mst_err
fetch_blocks(struct store *st)
{
	const struct mst_suit_platform *pf = st->a->s->platform;
	struct mst_buf b;
	mst_err e;

	do {
		b = room(st);
		if ((e = pf->fetch_read(pf->ctx, &b)) == MST_OK)
			e = put(st, mst_buf_span(&b));
	} while (e == MST_OK && b.len > 0);
	/* sheet 13.6: what is here of it may stay, if the journal can say how much */
	if (e == MST_E_SUIT_INTERRUPTED && st->resumable &&
	    (st->a->s->flags & SUIT_NO_JOURNAL) == 0 &&
	    suit_journal_progress(st->a, st->stored) == MST_OK)
		st->a->s->flags |= SUIT_HOLD_PARTIAL;
	return e;
}

APART static mst_err
fetch_stream(struct suit_act *a, mst_span uri)
{
	const struct mst_suit_platform *pf = a->s->platform;
	const uint8_t *arguments = suit_param(a, MST_SUIT_PARAM_FETCH_ARGS);
	struct mst_suit_fetch f = { .target = a->slot->handle, .uri = uri };
	uint64_t offset = a->s->journal.offset, from;
	struct store st;
	mst_err e;

	memset(&st, 0, sizeof st);
	st.a = a;
	if (arguments != NULL)
		f.arguments = suit_value_string(arguments);
	if ((e = open_store(&st, NULL, &offset)) != MST_OK)
		return e;
	f.limit = st.limit;
	if (st.decrypts && st.limit <= UINT64_MAX - MST_SUIT_TAG_LEN)
		f.limit += MST_SUIT_TAG_LEN;
	from = offset;
	if ((e = pf->fetch_open(pf->ctx, &f, &from)) != MST_OK)
		return close_store(&st, e);
	if (from != offset) { /* its source has no ranges: anew */
		from = 0;
		e = pf->begin(pf->ctx, a->slot->handle, st.size, &from);
		st.stored = st.noted = 0;
	}
	if (e == MST_OK)
		e = fetch_blocks(&st);
	pf->fetch_close(pf->ctx);
	return close_store(&st, e);
}

mst_err
suit_fetch(struct suit_act *a)
{
	const uint8_t *param = suit_param(a, MST_SUIT_PARAM_URI);
	const struct mst_suit_manifest *owner;
	mst_span uri, payload = MST_NONE;
	mst_err e;

	if (param == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	if (holds_already(a))
		return MST_OK;
	if ((e = unreferenced(a, a->slot)) != MST_OK)
		return e;
	uri = suit_value_string(param);
	/* M 8.2: integrated, in the envelope of the manifest that names it */
	if ((owner = owner_of(a, param)) != NULL)
		payload = mst_suit_envelope_payload(&owner->envelope, uri);
	if (payload.ptr != NULL)
		return store_bytes(a, payload, false);
	return uri.ptr[0] == '#' ? MST_E_SUIT_FETCH : fetch_stream(a, uri);
}

/* Eight bytes that tell one content from another; never 0. */
static mst_err
fingerprint(struct suit_act *a, struct mst_suit_slot *slot, uint64_t *out)
{
	const struct mst_suit_platform *pf = a->s->platform;
	struct mst_suit_slot *own = a->slot;
	struct mst_suit_component_info info;
	uint8_t store[32];
	struct mst_buf h = MST_BUF(store);
	union mst_suit_digest_state st;
	mst_err e;

	if ((e = pf->info(pf->ctx, slot->handle, &info)) != MST_OK)
		return e;
	a->slot = slot;
	e = suit_hash(
	    a, &st, PROOF, info.state == MST_SUIT_HOLDS_UNSIZED ? info.capacity : info.size, &h);
	a->slot = own;
	*out = 0;
	for (unsigned i = 0; i < 8; i++)
		*out = *out << 8 | store[i];
	*out |= 1;
	return e;
}

/*
 * M 6.3.1: swap is not repeatable. Before it the journal learns what the source
 * held; where the target holds that after a cut, it was done. In between the
 * platform completes what it began.
 */
static mst_err
is_swapped(struct suit_act *a, struct mst_suit_slot *source, bool *done)
{
	uint64_t before = a->s->journal.offset, now, there;
	mst_err e;

	*done = false;
	if ((a->s->flags & SUIT_NO_JOURNAL) != 0)
		return MST_OK;
	if ((e = fingerprint(a, source, &now)) != MST_OK)
		return e;
	if (before == 0)
		return suit_journal_progress(a, now);
	if ((e = fingerprint(a, a->slot, &there)) == MST_OK)
		*done = now != before && there == before;
	return e;
}

mst_err
suit_swap(struct suit_act *a)
{
	const struct mst_suit_platform *pf = a->s->platform;
	struct mst_suit_slot *source = source_of(a);
	struct mst_suit_component_info info;
	bool done;
	mst_err e;

	if (suit_param(a, MST_SUIT_PARAM_SOURCE) == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	if (source == NULL)
		return MST_E_SUIT_SOURCE;
	if ((e = unreferenced(a, a->slot)) != MST_OK || (e = unreferenced(a, source)) != MST_OK ||
	    (e = pf->info(pf->ctx, source->handle, &info)) != MST_OK)
		return e;
	if (info.state == MST_SUIT_HOLDS_NOTHING && a->s->journal.offset == 0)
		return MST_E_SUIT_SOURCE;
	if ((e = is_swapped(a, source, &done)) != MST_OK)
		return e;
	suit_written(a);
	if (done)
		a->how = MST_SUIT_RESUMED;
	return done ? MST_OK : pf->swap(pf->ctx, a->slot->handle, source->handle);
}
#endif

mst_err
suit_invoke(struct suit_act *a)
{
	const struct mst_suit_platform *pf = a->s->platform;
	const uint8_t *arguments = suit_param(a, MST_SUIT_PARAM_INVOKE_ARGS);
	mst_err e;

	/* what was loaded is not started unchecked */
	if ((a->slot->flags & (SUIT_WRITTEN | SUIT_CHECKED)) == SUIT_WRITTEN)
		return MST_E_SUIT_UNCHECKED;
	a->how = MST_SUIT_PENDING; /* sheet 10: it may not return */
	suit_trace(a, MST_OK);
	e = pf->invoke(
	    pf->ctx, a->slot->handle, arguments == NULL ? MST_NONE : suit_value_string(arguments));
	a->how = MST_SUIT_DONE;
	return e;
}
