/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "muster/cbor.h"
#include "server/keys/keys_wire.h"

enum field {
	F_ID,
	F_KIND,
	F_ENTRY,
	F_SLOT,
	F_PROFILE,
	F_SERIAL,
	F_SUBJECT,
	F_SPKI,
	F_SAN,
	F_NOT_BEFORE,
	F_NOT_AFTER,
	F_DEVICE_SERIAL,
	F_MASA_URL,
	F_ORGANIZATION,
	F_CRL_NUMBER,
	F_THIS_UPDATE,
	F_NEXT_UPDATE,
	F_REVOKED,
	F_MEDIA,
	F_CLAIMS,
	F_ID_DATA,
	F_OTHER_SLOT,
	F_COUNT
};
#define BIT(f) (1u << (unsigned)(f))
#define ALWAYS (BIT(F_ID) | BIT(F_KIND) | BIT(F_ENTRY) | BIT(F_SLOT))

/* What each kind must have, and what it may have besides. */
static const struct {
	unsigned must, may;
} shapes[] = {
	[KEYS_SIGN_CERT] = { ALWAYS | BIT(F_PROFILE) | BIT(F_SERIAL) | BIT(F_SUBJECT) |
	                         BIT(F_SPKI) | BIT(F_NOT_BEFORE) | BIT(F_NOT_AFTER),
	    BIT(F_SAN) },
	[KEYS_SIGN_IDEVID] = { ALWAYS | BIT(F_SERIAL) | BIT(F_SPKI) | BIT(F_NOT_BEFORE) |
	                           BIT(F_DEVICE_SERIAL) | BIT(F_MASA_URL),
	    BIT(F_ORGANIZATION) },
	[KEYS_SIGN_CRL] = { ALWAYS | BIT(F_CRL_NUMBER) | BIT(F_THIS_UPDATE) | BIT(F_NEXT_UPDATE) |
	                        BIT(F_REVOKED),
	    0 },
	[KEYS_SIGN_RVR] = { ALWAYS | BIT(F_MEDIA) | BIT(F_CLAIMS) | BIT(F_ID_DATA), 0 },
	[KEYS_SIGN_VOUCHER] = { ALWAYS | BIT(F_MEDIA) | BIT(F_CLAIMS) | BIT(F_ID_DATA), 0 },
	[KEYS_SIGN_ROLLOVER] = { ALWAYS | BIT(F_SERIAL) | BIT(F_OTHER_SLOT), 0 },
};
#define KINDS (sizeof shapes / sizeof shapes[0])

/* --- claims: their own map, keys in this order --- */
enum claim {
	C_KIND,
	C_ASSERTION,
	C_CREATED,
	C_EXPIRES,
	C_RENEWAL,
	C_SERIAL,
	C_NONCE,
	C_NONCE_TEXT,
	C_ISSUER,
	C_PIN_CERT,
	C_PIN_PUBK,
	C_PIN_SHA256,
	C_REVOCATION,
	C_PROX_CERT,
	C_PROX_PUBK,
	C_PROX_SHA256,
	C_PRIOR,
	C_EST_DOMAIN,
	C_CONFIG_URL,
	C_PROPRIETARY,
	C_COUNT
};

/* The span of a claim; NULL for the ones that are numbers. */
static mst_span *
claim_span(struct mst_voucher_claims *c, enum claim f)
{
	mst_span *const spans[C_COUNT] = {
		[C_SERIAL] = &c->serial,
		[C_NONCE] = &c->nonce,
		[C_NONCE_TEXT] = &c->nonce_text,
		[C_ISSUER] = &c->idevid_issuer,
		[C_PIN_CERT] = &c->pinned_cert,
		[C_PIN_PUBK] = &c->pinned_pubk,
		[C_PIN_SHA256] = &c->pinned_pubk_sha256,
		[C_PROX_CERT] = &c->proximity_cert,
		[C_PROX_PUBK] = &c->proximity_pubk,
		[C_PROX_SHA256] = &c->proximity_pubk_sha256,
		[C_PRIOR] = &c->prior_request,
		[C_EST_DOMAIN] = &c->est_domain,
		[C_CONFIG_URL] = &c->additional_configuration_url,
		[C_PROPRIETARY] = &c->manufacturer_proprietary,
	};

	return spans[f];
}

static bool
claim_present(struct mst_voucher_claims *c, enum claim f)
{
	mst_span *s = claim_span(c, f);

	if (s != NULL)
		return s->ptr != NULL;
	if (f == C_CREATED)
		return c->created_on != MST_NO_TIME;
	if (f == C_EXPIRES)
		return c->expires_on != MST_NO_TIME;
	if (f == C_RENEWAL)
		return c->last_renewal != MST_NO_TIME;
	return true; /* kind, assertion, revocation: -1 is absent */
}

static void
put_claim(struct mst_cbor_writer *w, struct mst_voucher_claims *c, enum claim f)
{
	mst_span *s = claim_span(c, f);

	mst_cbor_put_int(w, (int64_t)f);
	if (s != NULL)
		mst_cbor_put_bytes(w, *s);
	else if (f == C_KIND)
		mst_cbor_put_int(w, (int64_t)c->kind);
	else if (f == C_ASSERTION)
		mst_cbor_put_int(w, (int64_t)c->assertion);
	else if (f == C_CREATED)
		mst_cbor_put_int(w, c->created_on);
	else if (f == C_EXPIRES)
		mst_cbor_put_int(w, c->expires_on);
	else if (f == C_RENEWAL)
		mst_cbor_put_int(w, c->last_renewal);
	else
		mst_cbor_put_int(w, c->revocation_checks);
}

static void
put_claims(struct mst_cbor_writer *w, const struct mst_voucher_claims *claims)
{
	struct mst_voucher_claims c = *claims;
	uint64_t pairs = 0;

	for (unsigned f = 0; f < C_COUNT; f++)
		pairs += claim_present(&c, (enum claim)f) ? 1 : 0;
	mst_cbor_put_map(w, pairs);
	for (unsigned f = 0; f < C_COUNT; f++)
		if (claim_present(&c, (enum claim)f))
			put_claim(w, &c, (enum claim)f);
}

static void
read_claim(struct mst_cbor_reader *r, struct mst_voucher_claims *c, enum claim f)
{
	mst_span *s = claim_span(c, f);
	int64_t v;

	if (s != NULL) {
		*s = mst_cbor_bytes(r);
		return;
	}
	v = mst_cbor_int(r);
	if (f == C_KIND && (v == MST_VOUCHER || v == MST_VOUCHER_REQUEST))
		c->kind = (enum mst_voucher_kind)v;
	else if (f == C_ASSERTION && v >= MST_ASSERT_ABSENT && v <= MST_ASSERT_AGENT_PROXIMITY)
		c->assertion = (enum mst_assertion)v;
	else if (f == C_REVOCATION && v >= -1 && v <= 1)
		c->revocation_checks = (int)v;
	else if (f == C_CREATED && v != MST_NO_TIME)
		c->created_on = v;
	else if (f == C_EXPIRES && v != MST_NO_TIME)
		c->expires_on = v;
	else if (f == C_RENEWAL && v != MST_NO_TIME)
		c->last_renewal = v;
	else
		mst_cbor_fail(r, MST_E_KEY_REFUSED);
}

static void
read_claims(struct mst_cbor_reader *r, struct mst_voucher_claims *c)
{
	int64_t key, last = -1;
	unsigned seen = 0;

	mst_voucher_claims_init(c, MST_VOUCHER);
	mst_cbor_map(r);
	while (mst_cbor_key(r, &key)) {
		if (key <= last || key >= C_COUNT) {
			mst_cbor_fail(r, MST_E_KEY_REFUSED);
			return;
		}
		last = key;
		seen |= BIT(key);
		read_claim(r, c, (enum claim)key);
	}
	if ((seen & BIT(C_KIND)) == 0)
		mst_cbor_fail(r, MST_E_KEY_REFUSED);
}

/* --- requests --- */

static bool
field_present(const struct keys_request *rq, enum field f)
{
	unsigned want = shapes[rq->kind].must | shapes[rq->kind].may;

	if ((want & BIT(f)) == 0)
		return false;
	if (f == F_SAN)
		return rq->san.ptr != NULL;
	if (f == F_ORGANIZATION)
		return rq->organization != NULL;
	return true;
}

static void
put_revoked(struct mst_cbor_writer *w, const struct keys_request *rq)
{
	mst_cbor_put_array(w, rq->revoked_count);
	for (size_t i = 0; i < rq->revoked_count; i++) {
		mst_cbor_put_array(w, 3);
		mst_cbor_put_bytes(w, rq->revoked[i].serial);
		mst_cbor_put_int(w, rq->revoked[i].at);
		mst_cbor_put_int(w, rq->revoked[i].reason);
	}
}

/* What a missing mandatory string or span looks like: refused here, not sent as empty. */
static void
put_span(struct mst_cbor_writer *w, mst_span s)
{
	if (s.ptr == NULL && w->err == MST_OK)
		w->err = MST_E_USAGE;
	mst_cbor_put_bytes(w, s);
}

static void
put_string(struct mst_cbor_writer *w, const char *s)
{
	if (s == NULL && w->err == MST_OK)
		w->err = MST_E_USAGE;
	mst_cbor_put_text(w, s != NULL ? mst_span_str(s) : MST_LIT(""));
}

static void
put_field(struct mst_cbor_writer *w, const struct keys_request *rq, uint64_t id, enum field f)
{
	mst_cbor_put_int(w, (int64_t)f);
	switch (f) {
	case F_ID: mst_cbor_put_uint(w, id); break;
	case F_KIND: mst_cbor_put_uint(w, (uint64_t)rq->kind); break;
	case F_ENTRY: mst_cbor_put_uint(w, rq->entry); break;
	case F_SLOT: put_string(w, rq->slot); break;
	case F_PROFILE: put_string(w, rq->profile); break;
	case F_SERIAL: put_span(w, rq->serial); break;
	case F_SUBJECT: put_span(w, rq->subject); break;
	case F_SPKI: put_span(w, rq->spki); break;
	case F_SAN: put_span(w, rq->san); break;
	case F_NOT_BEFORE: mst_cbor_put_int(w, rq->not_before); break;
	case F_NOT_AFTER: mst_cbor_put_int(w, rq->not_after); break;
	case F_DEVICE_SERIAL: put_span(w, rq->device_serial); break;
	case F_MASA_URL: put_string(w, rq->masa_url); break;
	case F_ORGANIZATION: put_string(w, rq->organization); break;
	case F_CRL_NUMBER: mst_cbor_put_int(w, rq->crl_number); break;
	case F_THIS_UPDATE: mst_cbor_put_int(w, rq->this_update); break;
	case F_NEXT_UPDATE: mst_cbor_put_int(w, rq->next_update); break;
	case F_REVOKED: put_revoked(w, rq); break;
	case F_MEDIA: mst_cbor_put_uint(w, (uint64_t)rq->media); break;
	case F_CLAIMS: put_claims(w, rq->claims); break;
	case F_ID_DATA: mst_cbor_put_bool(w, rq->id_data); break;
	case F_OTHER_SLOT: put_string(w, rq->other_slot); break;
	case F_COUNT: break;
	}
}

/* The length goes in front when the CBOR is whole. On failure out is as it was. */
static mst_err
frame_close(struct mst_buf *out, size_t start, mst_err e)
{
	size_t n = out->len - start - KEYS_FRAME_HEAD;

	if (e == MST_OK && n > KEYS_FRAME_MAX)
		e = MST_E_SPACE;
	if (e != MST_OK) {
		out->len = start;
		return e;
	}
	for (unsigned i = 0; i < KEYS_FRAME_HEAD; i++)
		out->ptr[start + i] = (uint8_t)(n >> (24 - 8 * i));
	return MST_OK;
}

mst_err
keys_request_encode(const struct keys_request *rq, uint64_t id, struct mst_buf *out)
{
	static const uint8_t head[KEYS_FRAME_HEAD];
	struct mst_cbor_writer w;
	size_t start = out->len;
	uint64_t pairs = 0;
	mst_err e;

	if ((size_t)rq->kind >= KINDS ||
	    ((shapes[rq->kind].must & BIT(F_CLAIMS)) != 0 && rq->claims == NULL))
		return MST_E_USAGE;
	if (rq->kind == KEYS_SIGN_CRL && rq->revoked_count > KEYS_REVOKED_MAX)
		return MST_E_SPACE;
	if ((e = mst_buf_put(out, mst_span_of(head, sizeof head))) != MST_OK)
		return e;
	for (unsigned f = 0; f < F_COUNT; f++)
		pairs += field_present(rq, (enum field)f) ? 1 : 0;
	mst_cbor_put_init(&w, out);
	mst_cbor_put_map(&w, pairs);
	for (unsigned f = 0; f < F_COUNT; f++)
		if (field_present(rq, (enum field)f))
			put_field(&w, rq, id, (enum field)f);
	return frame_close(out, start, mst_cbor_put_end(&w));
}

size_t
keys_request_room(const struct keys_request *rq)
{
	const char *const strings[] = { rq->slot, rq->profile, rq->masa_url, rq->organization,
		rq->other_slot };
	size_t n = KEYS_FRAME_HEAD + 512; /* heads and numbers of all fields and claims */

	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
		n += strings[i] != NULL ? strlen(strings[i]) : 0;
	n += rq->serial.len + rq->subject.len + rq->spki.len + rq->san.len + rq->device_serial.len;
	if (rq->kind == KEYS_SIGN_CRL && rq->revoked_count <= KEYS_REVOKED_MAX)
		for (size_t i = 0; i < rq->revoked_count; i++)
			n += 32 + rq->revoked[i].serial.len;
	if (rq->claims != NULL) {
		struct mst_voucher_claims c = *rq->claims;

		for (unsigned f = 0; f < C_COUNT; f++)
			n += claim_span(&c, (enum claim)f) != NULL
			         ? claim_span(&c, (enum claim)f)->len
			         : 0;
	}
	return n;
}

/* A text without NUL, as a C string in the arena. */
static const char *
read_string(struct mst_cbor_reader *r, struct arena *a)
{
	mst_span s = mst_cbor_text(r);
	char *text;

	if (s.ptr == NULL || memchr(s.ptr, 0, s.len) != NULL) {
		mst_cbor_fail(r, MST_E_KEY_REFUSED);
		return "";
	}
	if ((text = arena_str(a, s)) == NULL) {
		mst_cbor_fail(r, MST_E_NOMEM);
		return "";
	}
	return text;
}

static void
read_revoked(struct mst_cbor_reader *r, struct arena *a, struct keys_request *rq)
{
	struct mst_cbor_reader probe =
	    *r; /* counts first, so that a false length allocates nothing */
	struct keys_revoked *list;
	size_t n = 0, i = 0;

	mst_cbor_array(&probe);
	while (mst_cbor_more(&probe) && n <= KEYS_REVOKED_MAX) {
		mst_cbor_skip(&probe);
		n++;
	}
	if (n > KEYS_REVOKED_MAX) {
		mst_cbor_fail(r, MST_E_SPACE);
		return;
	}
	if ((list = arena_alloc(a, (n + 1) * sizeof *list)) == NULL) {
		mst_cbor_fail(r, MST_E_NOMEM);
		return;
	}
	mst_cbor_array(r);
	while (mst_cbor_more(r) && i < n) {
		int64_t reason;

		mst_cbor_array(r);
		list[i].serial = mst_cbor_bytes(r);
		list[i].at = mst_cbor_int(r);
		reason = mst_cbor_int(r);
		mst_cbor_leave(r);
		list[i].reason =
		    reason >= -1 && reason <= 10 ? (int)reason : 99; /* refused by the judge */
		i++;
	}
	rq->revoked = list;
	rq->revoked_count = i;
}

static void
read_enum(struct mst_cbor_reader *r, uint64_t end, uint64_t *out)
{
	uint64_t v = mst_cbor_uint(r);

	if (v >= end)
		mst_cbor_fail(r, MST_E_KEY_REFUSED);
	else
		*out = v;
}

static void
read_field(
    struct mst_cbor_reader *r, struct arena *a, enum field f, uint64_t *id, struct keys_request *rq)
{
	struct mst_voucher_claims *claims;
	uint64_t v = 0;

	switch (f) {
	case F_ID: *id = mst_cbor_uint(r); break;
	case F_KIND:
		read_enum(r, KINDS, &v);
		rq->kind = (enum keys_kind)v;
		break;
	case F_ENTRY: rq->entry = mst_cbor_uint(r); break;
	case F_SLOT: rq->slot = read_string(r, a); break;
	case F_PROFILE: rq->profile = read_string(r, a); break;
	case F_SERIAL: rq->serial = mst_cbor_bytes(r); break;
	case F_SUBJECT: rq->subject = mst_cbor_bytes(r); break;
	case F_SPKI: rq->spki = mst_cbor_bytes(r); break;
	case F_SAN: rq->san = mst_cbor_bytes(r); break;
	case F_NOT_BEFORE: rq->not_before = mst_cbor_int(r); break;
	case F_NOT_AFTER: rq->not_after = mst_cbor_int(r); break;
	case F_DEVICE_SERIAL: rq->device_serial = mst_cbor_bytes(r); break;
	case F_MASA_URL: rq->masa_url = read_string(r, a); break;
	case F_ORGANIZATION: rq->organization = read_string(r, a); break;
	case F_CRL_NUMBER: rq->crl_number = mst_cbor_int(r); break;
	case F_THIS_UPDATE: rq->this_update = mst_cbor_int(r); break;
	case F_NEXT_UPDATE: rq->next_update = mst_cbor_int(r); break;
	case F_REVOKED: read_revoked(r, a, rq); break;
	case F_MEDIA:
		read_enum(r, MST_MEDIA_COSE_CBOR + 1, &v);
		rq->media = (enum mst_media)v;
		break;
	case F_CLAIMS:
		if ((claims = arena_alloc(a, sizeof *claims)) == NULL) {
			mst_cbor_fail(r, MST_E_NOMEM);
			break;
		}
		read_claims(r, claims);
		rq->claims = claims;
		break;
	case F_ID_DATA: rq->id_data = mst_cbor_bool(r); break;
	case F_OTHER_SLOT: rq->other_slot = read_string(r, a); break;
	case F_COUNT: break;
	}
}

mst_err
keys_request_decode(mst_span message, struct arena *a, uint64_t *id, struct keys_request *out)
{
	struct keys_request rq = { .kind = KEYS_SIGN_CERT };
	struct mst_cbor_reader r;
	int64_t key, last = -1;
	uint64_t number = 0;
	unsigned seen = 0;
	mst_err e;

	mst_cbor_init(&r, message);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &key)) {
		if (key <= last || key >= F_COUNT) {
			mst_cbor_fail(&r, MST_E_KEY_REFUSED);
			break;
		}
		last = key;
		seen |= BIT(key);
		read_field(&r, a, (enum field)key, &number, &rq);
	}
	if ((e = mst_cbor_end(&r)) != MST_OK)
		return e;
	if ((seen & shapes[rq.kind].must) != shapes[rq.kind].must ||
	    (seen & ~(shapes[rq.kind].must | shapes[rq.kind].may)) != 0)
		return MST_E_KEY_REFUSED;
	*id = number;
	*out = rq;
	return MST_OK;
}

/* --- answers --- */

mst_err
keys_answer_encode(uint64_t id, mst_err e, mst_span answer, struct mst_buf *out)
{
	static const uint8_t head[KEYS_FRAME_HEAD];
	struct mst_cbor_writer w;
	size_t start = out->len;
	mst_err bad;

	if ((bad = mst_buf_put(out, mst_span_of(head, sizeof head))) != MST_OK)
		return bad;
	mst_cbor_put_init(&w, out);
	mst_cbor_put_map(&w, e == MST_OK ? 3 : 2);
	mst_cbor_put_int(&w, 0);
	mst_cbor_put_uint(&w, id);
	mst_cbor_put_int(&w, 1);
	mst_cbor_put_uint(&w, (uint64_t)e);
	if (e == MST_OK) {
		mst_cbor_put_int(&w, 2);
		mst_cbor_put_bytes(&w, answer);
	}
	return frame_close(out, start, mst_cbor_put_end(&w));
}

mst_err
keys_answer_decode(mst_span message, uint64_t *id, mst_err *e, mst_span *answer)
{
	struct mst_cbor_reader r;
	uint64_t number = 0, code = 0;
	mst_span bytes = MST_NONE;
	int64_t key, last = -1;
	mst_err bad;

	mst_cbor_init(&r, message);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &key)) {
		if (key != last + 1 || key > 2) {
			mst_cbor_fail(&r, MST_E_CBOR_TYPE);
			break;
		}
		last = key;
		if (key == 0)
			number = mst_cbor_uint(&r);
		else if (key == 1)
			code = mst_cbor_uint(&r);
		else
			bytes = mst_cbor_bytes(&r);
	}
	if ((bad = mst_cbor_end(&r)) != MST_OK)
		return bad;
	if (last != (code == 0 ? 2 : 1))
		return MST_E_CBOR_TYPE;
	*id = number;
	*e = code == 0 ? MST_OK : code < 65536 ? mst_err_info((mst_err)code)->err : MST_E_INTERNAL;
	*answer = bytes;
	return MST_OK;
}

bool
keys_frame_size(mst_span bytes, size_t *size)
{
	size_t n = 0;

	*size = 0;
	if (bytes.len < KEYS_FRAME_HEAD)
		return true;
	for (unsigned i = 0; i < KEYS_FRAME_HEAD; i++)
		n = n << 8 | bytes.ptr[i];
	if (n == 0 || n > KEYS_FRAME_MAX)
		return false;
	*size = n + KEYS_FRAME_HEAD;
	return true;
}
