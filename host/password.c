/* SPDX-License-Identifier: Apache-2.0 */
#include "host/password.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "muster/base64.h"

#define ROUNDS 210000 /* PBKDF2-HMAC-SHA256: about a tenth of a second */
#define ROUNDS_MIN 10000
#define ROUNDS_MAX 5000000
#define SALT_LEN 16
#define SALT_MAX 64
#define HASH_LEN 32
#define PASSWORD_MAX 1024
#define PREFIX "pbkdf2-sha256$"

struct stored {
	int rounds;
	uint8_t salt[SALT_MAX], hash[HASH_LEN];
	size_t salt_len;
};

static mst_err
derive(mst_span password, const struct stored *s, uint8_t out[HASH_LEN])
{
	return PKCS5_PBKDF2_HMAC((const char *)password.ptr, (int)password.len, s->salt,
	           (int)s->salt_len, s->rounds, EVP_sha256(), HASH_LEN, out) == 1
	           ? MST_OK
	           : MST_E_INTERNAL;
}

mst_err
password_hash(struct arena *a, mst_span password, const char **out)
{
	struct stored s = { .rounds = ROUNDS, .salt_len = SALT_LEN };
	uint8_t salt[MST_BASE64_LEN(SALT_LEN)], hash[MST_BASE64_LEN(HASH_LEN)];
	struct mst_buf sb = MST_BUF(salt), hb = MST_BUF(hash);
	const char *text;
	mst_err e;

	if (password.len == 0 || password.len > PASSWORD_MAX)
		return MST_E_USAGE;
	if (RAND_bytes(s.salt, SALT_LEN) != 1)
		return MST_E_RANDOM;
	if ((e = derive(password, &s, s.hash)) != MST_OK ||
	    (e = mst_base64_encode(mst_span_of(s.salt, SALT_LEN), &sb)) != MST_OK ||
	    (e = mst_base64_encode(mst_span_of(s.hash, HASH_LEN), &hb)) != MST_OK)
		return e;
	text = arena_printf(a, PREFIX "%d$%.*s$%.*s", ROUNDS, (int)sb.len, (const char *)sb.ptr,
	    (int)hb.len, (const char *)hb.ptr);
	if (text == NULL)
		return MST_E_NOMEM;
	*out = text;
	return MST_OK;
}

static mst_err
parse(const char *text, struct stored *out)
{
	struct mst_buf salt = MST_BUF(out->salt), hash = MST_BUF(out->hash);
	const char *p, *dollar;
	char *end;
	long rounds;

	if (strncmp(text, PREFIX, sizeof PREFIX - 1) != 0)
		return MST_E_HTTP_AUTH;
	p = text + sizeof PREFIX - 1;
	if (*p < '1' || *p > '9') /* strtol takes signs and spaces */
		return MST_E_HTTP_AUTH;
	rounds = strtol(p, &end, 10);
	if (*end != '$' || rounds < ROUNDS_MIN || rounds > ROUNDS_MAX ||
	    (dollar = strchr(end + 1, '$')) == NULL)
		return MST_E_HTTP_AUTH;
	if (mst_base64_decode(mst_span_of(end + 1, (size_t)(dollar - end - 1)), MST_BASE64_STRICT,
	        &salt) != MST_OK ||
	    mst_base64_decode(mst_span_str(dollar + 1), MST_BASE64_STRICT, &hash) != MST_OK ||
	    salt.len == 0 || hash.len != HASH_LEN)
		return MST_E_HTTP_AUTH;
	out->rounds = (int)rounds;
	out->salt_len = salt.len;
	return MST_OK;
}

bool
password_stored_ok(const char *stored)
{
	struct stored s;

	return parse(stored, &s) == MST_OK;
}

mst_err
password_verify(mst_span password, const char *stored)
{
	struct stored s = { .rounds = ROUNDS, .salt_len = SALT_LEN };
	bool real = stored != NULL && parse(stored, &s) == MST_OK;
	uint8_t seen[HASH_LEN] = { 0 };
	mst_err e;

	if (!real)
		s = (struct stored){ .rounds = ROUNDS, .salt_len = SALT_LEN };
	if (password.ptr == NULL || password.len > PASSWORD_MAX)
		return MST_E_HTTP_AUTH;
	e = derive(password, &s, seen);
	if (e == MST_OK &&
	    (!mst_ct_eq(mst_span_of(seen, HASH_LEN), mst_span_of(s.hash, HASH_LEN)) || !real))
		e = MST_E_HTTP_AUTH;
	mst_wipe(seen, sizeof seen);
	return e;
}

mst_err
password_basic(struct arena *a, const char *authorization, mst_span *user, mst_span *password)
{
	size_t len = strlen(authorization);
	const uint8_t *colon;
	struct mst_buf b;

	if (len > 4096 || strncasecmp(authorization, "Basic ", 6) != 0)
		return MST_E_HTTP_AUTH;
	authorization += 6 + strspn(authorization + 6, " ");
	b = arena_buf(a, len);
	if (b.cap == 0)
		return MST_E_NOMEM;
	if (mst_base64_decode(mst_span_str(authorization), MST_BASE64_STRICT, &b) != MST_OK ||
	    b.len == 0 || (colon = memchr(b.ptr, ':', b.len)) == NULL)
		goto refused;
	for (size_t i = 0; i < b.len; i++)
		if (b.ptr[i] < ' ' || b.ptr[i] == 0x7f)
			goto refused;
	*user = mst_span_of(b.ptr, (size_t)(colon - b.ptr));
	*password = mst_span_of(colon + 1, b.len - user->len - 1);
	return MST_OK;
refused:
	mst_wipe(b.ptr, b.cap);
	return MST_E_HTTP_AUTH;
}
