/* SPDX-License-Identifier: Apache-2.0 */
#include "support_cose.h"

#include <stdlib.h>
#include <string.h>

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

struct mst_buf
unhex(const char *hex, uint8_t *room, size_t cap)
{
	struct mst_buf b = { room, cap, 0 };

	for (; *hex != '\0'; hex++) {
		int high = digit(hex[0]), low;

		if (*hex == ' ' || *hex == '\n')
			continue;
		low = digit(hex[1]);
		if (high < 0 || low < 0 ||
		    mst_buf_put_byte(&b, (uint8_t)(high << 4 | low)) != MST_OK)
			abort();
		hex++;
	}
	return b;
}

mst_span
heap_copy(mst_span bytes)
{
	uint8_t *copy = malloc(bytes.len != 0 ? bytes.len : 1);

	if (copy == NULL)
		abort();
	if (bytes.len != 0)
		memcpy(copy, bytes.ptr, bytes.len);
	return mst_span_of(copy, bytes.len);
}

void
heap_free(mst_span bytes)
{
	free((void *)(uintptr_t)bytes.ptr);
}

/* FNV-1a, spread over the length that is wanted. */
static void
toy_sum(mst_span tbs, uint8_t *out, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < tbs.len; i++)
		h = (h ^ tbs.ptr[i]) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < len; i++) {
		h = (h ^ i) * UINT64_C(0x100000001b3);
		out[i] = (uint8_t)(h >> 32);
	}
}

static void
put(struct mst_buf *b, mst_span s)
{
	if (mst_buf_put(b, s) != MST_OK)
		abort();
}

static void
put_bstr(struct mst_buf *b, mst_span s)
{
	const uint8_t head[3] = { 0x59, (uint8_t)(s.len >> 8), (uint8_t)s.len };
	const uint8_t head1[2] = { 0x58, (uint8_t)s.len };
	const uint8_t head0 = (uint8_t)(0x40 | s.len);

	if (s.len > 255)
		put(b, mst_span_of(head, 3));
	else if (s.len > 23)
		put(b, mst_span_of(head1, 2));
	else
		put(b, mst_span_of(&head0, 1));
	put(b, s);
}

static void
put_hex(struct mst_buf *b, const char *hex)
{
	static uint8_t room[65536];
	struct mst_buf bytes = unhex(hex, room, sizeof(room));

	put(b, mst_buf_span(&bytes));
}

struct parts
good_parts(void)
{
	return (struct parts){ .protected_header = "a1 01 26", .payload = "payload" };
}

mst_span
compose(const struct parts *p, uint8_t *room, size_t cap)
{
	static uint8_t header_room[65536], tbs_room[65536];
	uint8_t signature[256];
	struct mst_buf header = unhex(p->protected_header, header_room, sizeof(header_room));
	struct mst_buf tbs = MST_BUF(tbs_room), out = { room, cap, 0 };
	size_t len = p->signature_len != 0 ? p->signature_len : 64;

	put(&tbs, MST_LIT("\x84\x6aSignature1"));
	put_bstr(&tbs, mst_buf_span(&header));
	put(&tbs, MST_LIT("\x40"));
	put_bstr(&tbs, mst_span_str(p->payload != NULL ? p->payload : p->detached));
	toy_sum(mst_buf_span(&tbs), signature, len);

	put_hex(&out, p->tag != NULL ? p->tag : "d2");
	put_hex(&out, "84");
	put_bstr(&out, mst_buf_span(&header));
	put_hex(&out, p->unprotected_header != NULL ? p->unprotected_header : "a0");
	if (p->payload != NULL)
		put_bstr(&out, mst_span_str(p->payload));
	else
		put_hex(&out, "f6");
	put_bstr(&out, mst_span_of(signature, len));
	return mst_buf_span(&out);
}

static mst_err
toy_verify(void *ctx, const struct mst_cose_sign1 *message, const struct mst_cose_tbs *tbs)
{
	static uint8_t room[131072];
	struct mst_buf joined = MST_BUF(room);
	uint8_t want[MST_COSE_SIGNATURE_MAX];
	struct toy *t = ctx;

	t->calls++;
	if (t->answer != MST_OK)
		return t->answer;
	if (mst_cose_tbs_join(tbs, &joined) != MST_OK)
		abort();
	toy_sum(mst_buf_span(&joined), want, message->signature.len);
	if (!mst_span_eq(message->signature, mst_span_of(want, message->signature.len)))
		return MST_E_COSE_SIGNATURE;
	t->good++;
	return MST_OK;
}

struct mst_cose_verifier
toy_verifier(struct toy *t)
{
	return (struct mst_cose_verifier){
		.ctx = t,
		.accept = MST_COSE_TAKE_VOUCHER | (unsigned)MST_COSE_TAKE_ES384 |
		          (unsigned)MST_COSE_TAKE_ES512,
		.verify = toy_verify,
	};
}

static mst_err
toy_sign(
    void *ctx, enum mst_cose_alg alg, const struct mst_cose_tbs *tbs, struct mst_buf *signature)
{
	static uint8_t room[131072];
	struct mst_buf joined = MST_BUF(room);
	uint8_t sum[MST_COSE_SIGNATURE_MAX];
	size_t len = mst_cose_signature_len(alg);

	(void)ctx;
	if (mst_cose_tbs_join(tbs, &joined) != MST_OK)
		abort();
	toy_sum(mst_buf_span(&joined), sum, len);
	return mst_buf_put(signature, mst_span_of(sum, len));
}

struct mst_cose_signer
toy_signer(enum mst_cose_alg alg)
{
	return (struct mst_cose_signer){ .alg = alg, .sign = toy_sign };
}

mst_err
verdict(mst_span message, mst_span detached)
{
	mst_span copy = heap_copy(message);
	struct toy t = { .answer = MST_OK };
	struct mst_cose_verifier v = toy_verifier(&t);
	struct mst_cose_sign1 m;
	mst_span payload = MST_NONE;
	mst_err e;

	e = mst_cose_sign1_parse(copy, &m);
	if (e == MST_OK)
		e = mst_cose_sign1_check(&m, MST_NONE, detached, &v, &payload);
	/* a verdict is good exactly when a signature was */
	if ((e == MST_OK) != (t.good == 1) || (e == MST_OK) != (payload.ptr != NULL))
		abort();
	heap_free(copy);
	return e;
}
