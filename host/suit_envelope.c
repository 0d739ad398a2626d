/* SPDX-License-Identifier: Apache-2.0 */
/* Envelopes taken apart and put together; digests of what is in them (sheet 1 to 3, 6). */
#include "host/suit_envelope.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "host/suit_cbor.h"
#include "host/suit_words.h"

#define TAG_ENVELOPE 107u

static _Thread_local char why[512];

const char *
suit_author_why(void)
{
	return why;
}

void
suit_author_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
}

/* --- digests --- */

static const struct {
	int64_t alg;
	const char *name;
	size_t len;
} digests[] = {
	{ -16, "SHA256", 32 },
	{ -18, "SHAKE128", 32 }, /* RFC 9054 3.3: 256 bits of output */
	{ -43, "SHA384", 48 },
	{ -44, "SHA512", 64 },
	{ -45, "SHAKE256", 64 },
};

size_t
suit_digest_len(int64_t alg)
{
	for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
		if (digests[i].alg == alg)
			return digests[i].len;
	return 0;
}

static mst_err
hash(int64_t alg, mst_span head, mst_span bytes, struct mst_buf *out)
{
	uint8_t sum[SUIT_DIGEST_MAX];
	EVP_MD_CTX *ctx = NULL;
	EVP_MD *md = NULL;
	size_t i = 0, n = sizeof digests / sizeof digests[0];
	mst_err e = MST_E_INTERNAL;
	bool xof;

	while (i < n && digests[i].alg != alg)
		i++;
	if (i == n)
		return MST_E_UNSUPPORTED;
	xof = alg == -18 || alg == -45;
	md = EVP_MD_fetch(NULL, digests[i].name, NULL);
	ctx = EVP_MD_CTX_new();
	if (md == NULL || ctx == NULL || EVP_DigestInit_ex(ctx, md, NULL) != 1 ||
	    EVP_DigestUpdate(ctx, head.ptr, head.len) != 1 ||
	    EVP_DigestUpdate(ctx, bytes.ptr, bytes.len) != 1)
		goto out;
	if ((xof ? EVP_DigestFinalXOF(ctx, sum, digests[i].len)
	         : EVP_DigestFinal_ex(ctx, sum, NULL)) != 1)
		goto out;
	e = mst_buf_put(out, mst_span_of(sum, digests[i].len));
out:
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	return e;
}

mst_err
suit_digest_wrapped(int64_t alg, mst_span content, struct mst_buf *out)
{
	uint8_t head[9];
	struct mst_buf b = MST_BUF(head);
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &b);
	mst_cbor_put_bytes_head(&w, content.len);
	return hash(alg, mst_buf_span(&b), content, out);
}

mst_err
suit_digest_bytes(int64_t alg, mst_span bytes, struct mst_buf *out)
{
	return hash(alg, MST_LIT(""), bytes, out);
}

mst_err
suit_digest_read(mst_span item, int64_t *alg, mst_span *digest)
{
	struct mst_cbor_reader r;
	int64_t number;
	mst_span bytes;
	size_t at;

	mst_cbor_init(&r, item);
	mst_cbor_array(&r);
	number = mst_cbor_int(&r);
	bytes = mst_cbor_bytes(&r);
	mst_cbor_leave(&r);
	if (mst_cbor_end(&r) != MST_OK || cbs_breach(item, &at) != NULL) {
		suit_author_say("a digest is an array of algorithm and byte string");
		return MST_E_FW_ENVELOPE;
	}
	if (suit_digest_len(number) == 0) {
		suit_author_say("digest algorithm %lld", (long long)number);
		return MST_E_UNSUPPORTED;
	}
	if (bytes.len != suit_digest_len(number)) {
		suit_author_say("a digest of %zu bytes; its algorithm has %zu", bytes.len,
		    suit_digest_len(number));
		return MST_E_FW_ENVELOPE;
	}
	*alg = number;
	*digest = bytes;
	return MST_OK;
}

/* --- reading --- */

static mst_err
bad(const char *what, size_t at)
{
	suit_author_say("%s, at offset %zu", what, at);
	return MST_E_FW_ENVELOPE;
}

static size_t
offset(mst_span whole, mst_span part)
{
	return part.ptr >= whole.ptr && part.ptr <= whole.ptr + whole.len
	           ? (size_t)(part.ptr - whole.ptr)
	           : 0;
}

static mst_err
read_authentication(mst_span whole, mst_span content, struct suit_envelope *out)
{
	struct mst_cbor_reader r;
	const char *breach;
	size_t at;

	if ((breach = cbs_breach(content, &at)) != NULL)
		return bad(breach, offset(whole, content) + at);
	mst_cbor_init(&r, content);
	mst_cbor_array(&r);
	out->digest = mst_cbor_bytes(&r);
	while (mst_cbor_more(&r)) {
		if (out->block_count == SUIT_BLOCKS_MAX)
			return bad("more authentication blocks than the tool takes",
			    offset(whole, content));
		out->block[out->block_count++] = mst_cbor_bytes(&r);
	}
	if (mst_cbor_end(&r) != MST_OK)
		return bad("the authentication wrapper is no array of byte strings",
		    offset(whole, content));
	return MST_OK;
}

static mst_err
read_member(mst_span whole, struct mst_cbor_reader *r, struct suit_envelope *out)
{
	bool named = mst_cbor_peek(r) == MST_CBOR_TEXT;
	struct suit_member m = { 0 };
	size_t at = r->at;

	if (named)
		m.name = mst_cbor_text(r);
	else
		m.key = mst_cbor_int(r);
	m.content = mst_cbor_bytes(r);
	if (r->err != MST_OK)
		return bad("a member is no number or text with a byte string", at);
	if (!named && m.key == 2)
		return read_authentication(whole, m.content, out);
	if (!named && m.key == 3) {
		out->manifest = m.content;
		return MST_OK;
	}
	if (!named && !suit_is_severable(m.key))
		return bad("a member with a key that is not registered", at);
	if (out->member_count == SUIT_MEMBERS_MAX)
		return bad("more members than the tool takes", at);
	out->member[out->member_count++] = m;
	return MST_OK;
}

mst_err
suit_envelope_read(mst_span bytes, struct suit_envelope *out)
{
	struct suit_envelope env = { 0 };
	struct mst_cbor_reader r;
	const char *breach;
	mst_err e = MST_OK;
	size_t at;

	if (bytes.len > SUIT_ENVELOPE_MAX)
		return bad("larger than the tool takes", SUIT_ENVELOPE_MAX);
	if ((breach = cbs_breach(bytes, &at)) != NULL)
		return bad(breach, at);
	mst_cbor_init(&r, bytes);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG) {
		if (mst_cbor_tag(&r) != TAG_ENVELOPE)
			return bad("a tag that is not 107", 0);
		env.tagged = true;
	}
	if (mst_cbor_peek(&r) != MST_CBOR_MAP)
		return bad("no map", r.at);
	mst_cbor_map(&r);
	while (e == MST_OK && mst_cbor_more(&r))
		e = read_member(bytes, &r, &env);
	if (e != MST_OK)
		return e;
	if (env.digest.ptr == NULL)
		return bad("no authentication wrapper (key 2)", 0);
	if (env.manifest.ptr == NULL)
		return bad("no manifest (key 3)", 0);
	*out = env;
	return MST_OK;
}

/* --- writing --- */

mst_err
suit_envelope_write(struct arena *a, const struct suit_envelope *env, mst_span *bytes)
{
	struct cb_pairs p;
	struct cb b;
	mst_err e = MST_OK;
	mst_span map;

	cb_init(&b, a);
	cb_array(&b, 1 + env->block_count);
	cb_bytes(&b, env->digest);
	for (size_t i = 0; i < env->block_count; i++)
		cb_bytes(&b, env->block[i]);
	cb_pairs_init(&p, a);
	cb_pair_int(&p, 2, cb_one_bytes(a, cb_end(&b, &e)));
	cb_pair_int(&p, 3, cb_one_bytes(a, env->manifest));
	for (size_t i = 0; i < env->member_count; i++) {
		const struct suit_member *m = &env->member[i];
		mst_span content = cb_one_bytes(a, m->content);

		if (m->name.ptr != NULL)
			cb_pair_text(&p, m->name, content);
		else
			cb_pair_int(&p, m->key, content);
	}
	map = cb_pairs_end(&p, &e);
	if (e != MST_OK)
		return e;
	if (map.len + 2 > SUIT_ENVELOPE_MAX) {
		suit_author_say("an envelope of %zu bytes; the tool makes up to %u", map.len + 2,
		    SUIT_ENVELOPE_MAX);
		return MST_E_SPACE;
	}
	cb_init(&b, a);
	if (env->tagged)
		cb_tag(&b, TAG_ENVELOPE);
	cb_raw(&b, map);
	map = cb_end(&b, &e);
	if (e == MST_OK)
		*bytes = map;
	return e;
}

mst_err
suit_envelope_covers(const struct suit_envelope *env)
{
	uint8_t sum[SUIT_DIGEST_MAX];
	struct mst_buf b = MST_BUF(sum);
	mst_span digest;
	int64_t alg;
	mst_err e = suit_digest_read(env->digest, &alg, &digest);

	if (e == MST_OK && (e = suit_digest_wrapped(alg, env->manifest, &b)) == MST_OK &&
	    !mst_span_eq(digest, mst_buf_span(&b))) {
		suit_author_say("the wrapper's digest and the manifest do not belong together");
		e = MST_E_FW_DIGEST;
	}
	return e;
}

/* A tagged COSE message whose payload, the third of its array, is nil (sheet 3.2, 3.3). */
static bool
is_block(mst_span block)
{
	struct mst_cbor_reader r;
	size_t items = 0;
	uint64_t tag;

	mst_cbor_init(&r, block);
	if (mst_cbor_peek(&r) != MST_CBOR_TAG)
		return false;
	tag = mst_cbor_tag(&r);
	if (tag != 18 && tag != 98 && tag != 17 && tag != 97)
		return false;
	mst_cbor_array(&r);
	for (; mst_cbor_more(&r); items++) {
		if (items == 0 && mst_cbor_peek(&r) != MST_CBOR_BYTES)
			return false;
		if (items == 1 && mst_cbor_peek(&r) != MST_CBOR_MAP)
			return false;
		if (items == 2 && mst_cbor_peek(&r) != MST_CBOR_NULL)
			return false;
		mst_cbor_skip(&r);
	}
	return mst_cbor_end(&r) == MST_OK && items == (tag == 97 ? 5 : 4);
}

mst_err
suit_envelope_attach(struct suit_envelope *env, mst_span block)
{
	if (!is_block(block)) {
		suit_author_say(
		    "neither COSE_Sign1, COSE_Sign, COSE_Mac0 nor COSE_Mac, tagged, payload nil");
		return MST_E_FW_BLOCK;
	}
	for (size_t i = 0; i < env->block_count; i++)
		if (mst_span_eq(env->block[i], block)) {
			suit_author_say("this very block is there");
			return MST_E_FW_SIGNED;
		}
	if (env->block_count == SUIT_BLOCKS_MAX) {
		suit_author_say("there are %d blocks", SUIT_BLOCKS_MAX);
		return MST_E_SPACE;
	}
	env->block[env->block_count++] = block;
	return MST_OK;
}

static bool
is_member(const struct suit_member *m, int64_t key, mst_span name)
{
	return name.ptr != NULL ? mst_span_eq(m->name, name) : m->name.ptr == NULL && m->key == key;
}

mst_err
suit_envelope_drop(struct suit_envelope *env, int64_t key, mst_span name)
{
	for (size_t i = 0; i < env->member_count; i++) {
		if (!is_member(&env->member[i], key, name))
			continue;
		memmove(&env->member[i], &env->member[i + 1],
		    (env->member_count - i - 1) * sizeof env->member[0]);
		env->member_count--;
		return MST_OK;
	}
	suit_author_say("the envelope has no such member");
	return MST_E_NOT_FOUND;
}

mst_err
suit_envelope_integrate(struct suit_envelope *env, mst_span uri, mst_span bytes)
{
	for (size_t i = 0; i < env->member_count; i++)
		if (is_member(&env->member[i], 0, uri)) {
			suit_author_say("%.*s is there", (int)uri.len, (const char *)uri.ptr);
			return MST_E_CONFLICT;
		}
	if (env->member_count == SUIT_MEMBERS_MAX) {
		suit_author_say("there are %d members", SUIT_MEMBERS_MAX);
		return MST_E_SPACE;
	}
	env->member[env->member_count++] = (struct suit_member){ .name = uri, .content = bytes };
	return MST_OK;
}
