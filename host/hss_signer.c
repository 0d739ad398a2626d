/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HSS keys on disk and their state: RFC 8554 6 and 9, sheet suit.md 17.
 *
 *   PATH         magic, parameters, key's name, seed, HMAC: never written again
 *   PATH.state   magic, key's name, next leaf, where the key file lies, HMAC
 *   PATH.lock    the lock; in it the next leaf once more, written behind the state
 *   PATH.nodes   the top tree, which anybody may know and nobody need believe
 *
 * A leaf is spent in this order: state durable, lock file durable, signature
 * made, verified, released. So each of the files may lag behind the world by
 * no more than the order allows, and a state that is behind its lock file was
 * put back.
 */
#include "host/hss_signer.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/arena.h"
#include "host/file.h"
#include "host/hss_tree.h"

#define N MST_HSS_HASH_LEN
#define TOTAL_MAX 60 /* bits of leaf numbers, of all levels together */
#define PATH_MAX_ 4096

static _Thread_local char why[256];

const char *
hss_why(void)
{
	return why;
}

__attribute__((format(printf, 2, 3))) static mst_err
refuse(mst_err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	return e;
}

/* --- formats: fixed, big-endian, each ended by an HMAC under a key from the seed --- */

struct key_file {
	char magic[8];
	uint8_t levels, height[MST_HSS_LEVELS], width[MST_HSS_LEVELS];
	uint8_t name[16], seed[HSS_SEED_LEN], root[N]; /* of the top tree */
	uint8_t mac[N];
};
struct state_file {
	char magic[8];
	uint8_t name[16], next[8], place[N];
	uint8_t mac[N];
};
_Static_assert(sizeof(struct key_file) == 8 + 17 + 48 + 32 + 32, "bytes only, so no padding");
_Static_assert(sizeof(struct state_file) == 8 + 24 + 32 + 32, "bytes only, so no padding");

#define KEY_MAGIC "MSTHSSK1"
#define STATE_MAGIC "MSTHSSS1"

struct hss_signer {
	char path[PATH_MAX_];
	struct key_file key;
	struct hss_tree tree[MST_HSS_LEVELS];
	uint64_t tree_number[MST_HSS_LEVELS]; /* which of its level the tree is */
	uint8_t public_key[MST_HSS_PUBLIC_LEN], place[N];
	uint64_t next, total;
	int lock;
};

static void
put64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static uint64_t
get64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static mst_err
mac_of(const uint8_t seed[HSS_SEED_LEN], const char *what, const void *bytes, size_t len,
    uint8_t out[N])
{
	uint8_t key[N];
	const mst_span piece[3] = { MST_LIT("muster hss "), mst_span_str(what),
		mst_span_of(seed, HSS_SEED_LEN) };
	size_t n = 0;
	mst_err e = hss_sha256(piece, 3, key);

	if (e == MST_OK && (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, sizeof key, bytes,
	                        len, out, N, &n) == NULL ||
	                       n != N))
		e = MST_E_INTERNAL;
	OPENSSL_cleanse(key, sizeof key);
	return e;
}

/* --- parameters --- */

static unsigned
bits_below(const struct key_file *k, unsigned level)
{
	unsigned bits = 0;

	for (unsigned i = level + 1; i < k->levels; i++)
		bits += k->height[i];
	return bits;
}

static bool
parameters_are_good(const struct key_file *k)
{
	unsigned bits = 0;

	if (k->levels < 1 || k->levels > MST_HSS_LEVELS)
		return false;
	for (unsigned i = 0; i < k->levels; i++) {
		if (hss_tree_nodes_len(k->height[i], k->width[i]) == 0)
			return false;
		bits += k->height[i];
	}
	return bits <= TOTAL_MAX;
}

/* A tree's seed and I, from the key's seed and the tree's place in it. */
static mst_err
tree_begin(const struct key_file *k, unsigned level, uint64_t number, struct hss_tree *t)
{
	uint8_t place[9], id[N];
	mst_span piece[4] = { MST_LIT("seed"), mst_span_of(k->seed, HSS_SEED_LEN),
		mst_span_of(k->name, sizeof k->name), mst_span_of(place, sizeof place) };
	mst_err e;

	place[0] = (uint8_t)level;
	put64(place + 1, number);
	*t = (struct hss_tree){ .height = k->height[level], .width = k->width[level] };
	if ((e = hss_sha256(piece, 4, t->seed)) != MST_OK)
		return e;
	piece[0] = MST_LIT("id");
	if ((e = hss_sha256(piece, 4, id)) == MST_OK)
		memcpy(t->id, id, sizeof t->id);
	return e;
}

/* --- where the key lies --- */

/*
 * Machine, inode and birth of the key file: a copy was born elsewhere or later.
 * Not the device's number, which another order of disks at boot changes.
 */
static mst_err
place_of(const char *path, uint8_t out[N])
{
	char machine[64] = "", text[160];
	struct statx st;
	FILE *f;
	mst_span piece;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &st) != 0)
		return refuse(MST_E_NOT_FOUND, "stat %s: %s", path, strerror(errno));
	if ((st.stx_mask & STATX_BTIME) == 0) /* a file system that does not keep it */
		st.stx_btime = (struct statx_timestamp){ .tv_sec = 0 };
	if ((f = fopen("/etc/machine-id", "re")) != NULL) {
		if (fgets(machine, sizeof machine, f) == NULL)
			machine[0] = '\0';
		fclose(f);
	}
	(void)snprintf(text, sizeof text, "%s %llu %lld.%09u", machine,
	    (unsigned long long)st.stx_ino, (long long)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
	piece = mst_span_str(text);
	return hss_sha256(&piece, 1, out);
}

static mst_err
beside(const char *path, const char *suffix, char out[PATH_MAX_])
{
	int n = snprintf(out, PATH_MAX_, "%s%s", path, suffix);

	return n > 0 && n < PATH_MAX_ ? MST_OK : refuse(MST_E_IO, "the path is too long");
}

/* --- state --- */

static mst_err
state_write(const struct hss_signer *s, uint64_t next)
{
	struct state_file f;
	char path[PATH_MAX_];
	mst_err e;

	memcpy(f.magic, STATE_MAGIC, sizeof f.magic);
	memcpy(f.name, s->key.name, sizeof f.name);
	put64(f.next, next);
	memcpy(f.place, s->place, sizeof f.place);
	if ((e = mac_of(s->key.seed, "state", &f, sizeof f - N, f.mac)) != MST_OK ||
	    (e = beside(s->path, ".state", path)) != MST_OK)
		return e;
	if ((e = file_write_atomic(path, mst_span_of(&f, sizeof f), 0600)) != MST_OK)
		return refuse(e, "%s", file_why());
	return MST_OK;
}

static mst_err
state_read(const struct hss_signer *s, uint64_t *next)
{
	struct arena *a = arena_new(0);
	struct state_file f;
	char path[PATH_MAX_];
	uint8_t mac[N];
	mst_span bytes;
	mst_err e = MST_E_NOMEM;

	if (a == NULL || (e = beside(s->path, ".state", path)) != MST_OK)
		goto out;
	if (file_read(a, path, sizeof f, &bytes) != MST_OK || bytes.len != sizeof f) {
		e = refuse(MST_E_HSS_STATE, "%s is missing or not a state", path);
		goto out;
	}
	memcpy(&f, bytes.ptr, sizeof f);
	if ((e = mac_of(s->key.seed, "state", &f, sizeof f - N, mac)) != MST_OK)
		goto out;
	if (!mst_ct_eq(mst_span_of(mac, N), mst_span_of(f.mac, N)) ||
	    memcmp(f.magic, STATE_MAGIC, sizeof f.magic) != 0 ||
	    memcmp(f.name, s->key.name, sizeof f.name) != 0)
		e = refuse(MST_E_HSS_STATE, "%s is damaged, or of another key", path);
	else if (memcmp(f.place, s->place, N) != 0)
		e = refuse(MST_E_HSS_STATE_BACK,
		    "%s was copied here: the key file lies elsewhere "
		    "than when it was written",
		    path);
	else
		*next = get64(f.next);
out:
	arena_free(a);
	return e;
}

/* The second witness. */
static mst_err
witness_write(const struct hss_signer *s, uint64_t next)
{
	uint8_t bytes[8];

	put64(bytes, next);
	if (pwrite(s->lock, bytes, sizeof bytes, 0) != sizeof bytes || fsync(s->lock) != 0)
		return refuse(MST_E_IO, "write %s.lock: %s", s->path, strerror(errno));
	return MST_OK;
}

static mst_err
witness_check(const struct hss_signer *s, uint64_t next)
{
	uint8_t bytes[8];

	if (pread(s->lock, bytes, sizeof bytes, 0) != sizeof bytes)
		return refuse(MST_E_HSS_STATE, "%s.lock is empty", s->path);
	if (get64(bytes) > next)
		return refuse(MST_E_HSS_STATE_BACK,
		    "%s.state went back: it says %llu leaves are used, %s.lock says %llu", s->path,
		    (unsigned long long)next, s->path, (unsigned long long)get64(bytes));
	return MST_OK;
}

static mst_err
lock_take(struct hss_signer *s, int flags)
{
	char path[PATH_MAX_];
	mst_err e = beside(s->path, ".lock", path);

	if (e != MST_OK)
		return e;
	s->lock = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	if (s->lock < 0)
		return refuse(errno == EEXIST   ? MST_E_CONFLICT
		              : errno == ENOENT ? MST_E_HSS_STATE
		                                : MST_E_IO,
		    "open %s: %s", path, strerror(errno));
	if (flock(s->lock, LOCK_EX | LOCK_NB) != 0)
		return refuse(errno == EWOULDBLOCK ? MST_E_HSS_BUSY : MST_E_IO, "lock %s: %s", path,
		    strerror(errno));
	return MST_OK;
}

/* --- making --- */

static mst_err
nodes_write(const struct hss_signer *s)
{
	char path[PATH_MAX_];
	const struct hss_tree *t = &s->tree[0];
	mst_err e = beside(s->path, ".nodes", path);

	if (e == MST_OK &&
	    (e = file_write_atomic(path,
	         mst_span_of(t->nodes, hss_tree_nodes_len(t->height, t->width)), 0600)) != MST_OK)
		return refuse(e, "%s", file_why());
	return e;
}

static mst_err
key_write(struct hss_signer *s)
{
	mst_err e;

	memcpy(s->key.root, s->tree[0].nodes + N, N);
	e = mac_of(s->key.seed, "key", &s->key, sizeof s->key - N, s->key.mac);
	if (e != MST_OK)
		return e;
	if ((e = file_write_new(s->path, mst_span_of(&s->key, sizeof s->key), 0600)) != MST_OK)
		return refuse(e, "%s", file_why());
	return MST_OK;
}

mst_err
hss_key_make(const char *path, const struct hss_parameters *parameters)
{
	struct hss_signer *s = calloc(1, sizeof *s);
	mst_err e = MST_E_NOMEM;

	if (s == NULL)
		return MST_E_NOMEM;
	s->lock = -1;
	memcpy(s->key.magic, KEY_MAGIC, sizeof s->key.magic);
	s->key.levels = (uint8_t)parameters->levels;
	for (unsigned i = 0; i < parameters->levels && i < MST_HSS_LEVELS; i++) {
		s->key.height[i] = (uint8_t)parameters->height[i];
		s->key.width[i] = (uint8_t)parameters->width[i];
	}
	if (parameters->levels > MST_HSS_LEVELS || !parameters_are_good(&s->key)) {
		e = refuse(MST_E_HSS_PARAMETERS, "heights 5, 10, 15 or 20, Winternitz 1, 2, 4 or "
		                                 "8, not more than 60 levels of tree in all");
		goto out;
	}
	if (RAND_priv_bytes(s->key.seed, sizeof s->key.seed) != 1 ||
	    RAND_bytes(s->key.name, sizeof s->key.name) != 1) {
		e = MST_E_RANDOM;
		goto out;
	}
	(void)snprintf(s->path, sizeof s->path, "%s", path);
	if (strlen(path) + 8 > sizeof s->path) {
		e = refuse(MST_E_IO, "the path is too long");
		goto out;
	}
	/* the state last: a key without one never signs */
	if ((e = tree_begin(&s->key, 0, 0, &s->tree[0])) == MST_OK &&
	    (e = hss_tree_grow(&s->tree[0])) == MST_OK &&
	    (e = lock_take(s, O_CREAT | O_EXCL)) == MST_OK && (e = witness_write(s, 0)) == MST_OK &&
	    (e = key_write(s)) == MST_OK && (e = nodes_write(s)) == MST_OK &&
	    (e = place_of(path, s->place)) == MST_OK)
		e = state_write(s, 0);
out:
	hss_signer_close(s);
	return e;
}

/* --- opening --- */

static mst_err
key_read(struct hss_signer *s)
{
	struct arena *a = arena_new(0);
	struct stat st;
	uint8_t mac[N];
	mst_span bytes;
	mst_err e = MST_E_NOMEM;

	if (a == NULL)
		return e;
	if (stat(s->path, &st) != 0) {
		e = refuse(errno == ENOENT ? MST_E_NOT_FOUND : MST_E_IO, "%s: %s", s->path,
		    strerror(errno));
		goto out;
	}
	if ((st.st_mode & 077) != 0) {
		e = refuse(MST_E_KEY_PERMISSIONS, "%s can be read by others", s->path);
		goto out;
	}
	if (file_read(a, s->path, sizeof s->key, &bytes) != MST_OK || bytes.len != sizeof s->key) {
		e = refuse(MST_E_HSS_KEY, "%s is not an HSS key", s->path);
		goto out;
	}
	memcpy(&s->key, bytes.ptr, sizeof s->key);
	OPENSSL_cleanse((void *)(uintptr_t)bytes.ptr, bytes.len); /* the arena wipes nothing */
	if ((e = mac_of(s->key.seed, "key", &s->key, sizeof s->key - N, mac)) != MST_OK)
		goto out;
	if (memcmp(s->key.magic, KEY_MAGIC, sizeof s->key.magic) != 0 ||
	    !mst_ct_eq(mst_span_of(mac, N), mst_span_of(s->key.mac, N)) ||
	    !parameters_are_good(&s->key))
		e = refuse(MST_E_HSS_KEY, "%s is damaged, or not an HSS key", s->path);
out:
	arena_free(a);
	return e;
}

/* The top tree, from its file or anew: a signature is verified before it leaves. */
static mst_err
top_read(struct hss_signer *s)
{
	struct hss_tree *t = &s->tree[0];
	size_t len = hss_tree_nodes_len(s->key.height[0], s->key.width[0]);
	char path[PATH_MAX_];
	FILE *f;
	mst_err e;

	if ((e = tree_begin(&s->key, 0, 0, t)) != MST_OK ||
	    (e = beside(s->path, ".nodes", path)) != MST_OK)
		return e;
	if ((f = fopen(path, "rbe")) != NULL) {
		if ((t->nodes = malloc(len)) != NULL &&
		    (fread(t->nodes, 1, len, f) != len ||
		        memcmp(t->nodes + N, s->key.root, N) != 0)) {
			free(t->nodes);
			t->nodes = NULL;
		}
		fclose(f);
	}
	if (t->nodes == NULL && (e = hss_tree_grow(t)) == MST_OK)
		e = nodes_write(s);
	if (e == MST_OK && memcmp(t->nodes + N, s->key.root, N) != 0)
		e = refuse(MST_E_HSS_KEY, "%s does not lead to its own public key", s->path);
	return e;
}

mst_err
hss_signer_open(const char *path, uint64_t floor, struct hss_signer **out)
{
	struct hss_signer *s = calloc(1, sizeof *s);
	mst_err e;

	if (s == NULL)
		return MST_E_NOMEM;
	s->lock = -1;
	if (snprintf(s->path, sizeof s->path, "%s", path) >= (int)sizeof s->path - 8) {
		e = refuse(MST_E_IO, "the path is too long");
		goto out;
	}
	if ((e = key_read(s)) != MST_OK || (e = lock_take(s, 0)) != MST_OK ||
	    (e = place_of(path, s->place)) != MST_OK || (e = state_read(s, &s->next)) != MST_OK ||
	    (e = witness_check(s, s->next)) != MST_OK)
		goto out;
	if (s->next < floor) {
		e = refuse(MST_E_HSS_STATE_BACK,
		    "%llu leaves are known to be used, the state has %llu",
		    (unsigned long long)floor, (unsigned long long)s->next);
		goto out;
	}
	if ((e = top_read(s)) != MST_OK)
		goto out;
	s->total = UINT64_C(1) << (s->key.height[0] + bits_below(&s->key, 0));
	s->public_key[3] = s->key.levels;
	hss_tree_public(&s->tree[0], s->public_key + 4);
	*out = s;
	return MST_OK;
out:
	hss_signer_close(s);
	return e;
}

void
hss_signer_close(struct hss_signer *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < MST_HSS_LEVELS; i++)
		hss_tree_wipe(&s->tree[i]);
	if (s->lock >= 0)
		close(s->lock);
	OPENSSL_cleanse(s, sizeof *s);
	free(s);
}

mst_span
hss_signer_public(const struct hss_signer *s)
{
	return mst_span_of(s->public_key, sizeof s->public_key);
}

uint64_t
hss_signer_used(const struct hss_signer *s)
{
	return s->next;
}

uint64_t
hss_signer_left(const struct hss_signer *s)
{
	return s->total - s->next;
}

size_t
hss_signer_signature_len(const struct hss_signer *s)
{
	size_t len = 4;

	for (unsigned i = 0; i < s->key.levels; i++)
		len += hss_tree_signature_len(s->key.height[i], s->key.width[i]) +
		       (i + 1 < s->key.levels ? HSS_LMS_PUBLIC_LEN : 0);
	return len;
}

/* --- signing --- */

/* The tree of this level that leaf `number` lies below. */
static mst_err
tree_for(struct hss_signer *s, unsigned level, uint64_t number)
{
	uint64_t which =
	    level == 0 ? 0 : number >> (bits_below(&s->key, level) + s->key.height[level]);
	struct hss_tree *t = &s->tree[level];
	mst_err e;

	if (t->nodes != NULL && s->tree_number[level] == which)
		return MST_OK;
	hss_tree_wipe(t);
	s->tree_number[level] = which;
	if ((e = tree_begin(&s->key, level, which, t)) != MST_OK)
		return e;
	return hss_tree_grow(t);
}

/*
 * C of a level above the last one is not random: the same leaf signs the same
 * key below, again and again, and must do so with the same bytes.
 */
static mst_err
salt_for(const struct hss_signer *s, unsigned level, uint32_t q, uint8_t c[N])
{
	const uint8_t number[4] = { (uint8_t)(q >> 24), (uint8_t)(q >> 16), (uint8_t)(q >> 8),
		(uint8_t)q };
	const mst_span piece[3] = { MST_LIT("salt"), mst_span_of(s->tree[level].seed, HSS_SEED_LEN),
		mst_span_of(number, 4) };

	if (level + 1u < s->key.levels)
		return hss_sha256(piece, 3, c);
	return RAND_bytes(c, N) == 1 ? MST_OK : MST_E_RANDOM;
}

static mst_err
sign_by(
    struct hss_signer *s, uint64_t number, const mst_span *piece, size_t count, struct mst_buf *out)
{
	uint8_t below[HSS_LMS_PUBLIC_LEN], c[N];
	const mst_span key_below = mst_span_of(below, sizeof below);
	mst_err e =
	    mst_buf_put(out, mst_span_of((uint8_t[4]){ 0, 0, 0, (uint8_t)(s->key.levels - 1) }, 4));

	for (unsigned i = 0; e == MST_OK && i < s->key.levels; i++) {
		bool last = i + 1u == s->key.levels;
		uint32_t q = (uint32_t)(number >> bits_below(&s->key, i)) &
		             (((uint32_t)1 << s->key.height[i]) - 1);

		if (!last)
			hss_tree_public(&s->tree[i + 1], below);
		if ((e = salt_for(s, i, q, c)) == MST_OK)
			e = hss_tree_sign(
			    &s->tree[i], q, c, last ? piece : &key_below, last ? count : 1, out);
		if (e == MST_OK && !last)
			e = mst_buf_put(out, key_below);
	}
	return e;
}

/* --- the seam that verification wants, as far as it wants it --- */

static mst_err
digest_begin(void *ctx, int32_t alg, union mst_suit_digest_state *st)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	(void)ctx;
	if (md == NULL || alg != MST_SUIT_SHA256 ||
	    EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(md);
		return MST_E_NOMEM;
	}
	memcpy(st->bytes, &md, sizeof md);
	return MST_OK;
}

static EVP_MD_CTX *
md_in(const union mst_suit_digest_state *st)
{
	EVP_MD_CTX *md;

	memcpy(&md, st->bytes, sizeof md);
	return md;
}

static mst_err
digest_update(void *ctx, union mst_suit_digest_state *st, mst_span bytes)
{
	(void)ctx;
	return EVP_DigestUpdate(md_in(st), bytes.ptr, bytes.len) == 1 ? MST_OK : MST_E_INTERNAL;
}

static void
digest_drop(void *ctx, union mst_suit_digest_state *st)
{
	(void)ctx;
	EVP_MD_CTX_free(md_in(st));
}

static mst_err
digest_end(void *ctx, union mst_suit_digest_state *st, struct mst_buf *out)
{
	mst_err e = MST_E_INTERNAL;

	if (out->cap - out->len >= N &&
	    EVP_DigestFinal_ex(md_in(st), out->ptr + out->len, NULL) == 1) {
		out->len += N;
		e = MST_OK;
	}
	digest_drop(ctx, st);
	return e;
}

mst_err
hss_signer_sign(struct hss_signer *s, const mst_span *piece, size_t count, struct mst_buf *out)
{
	static const struct mst_suit_crypto crypto = { .digest_begin = digest_begin,
		.digest_update = digest_update,
		.digest_end = digest_end,
		.digest_drop = digest_drop };
	uint64_t number, found = 0;
	size_t before = out->len;
	mst_err e;

	if (hss_signer_signature_len(s) > out->cap - out->len)
		return MST_E_SPACE;
	if ((e = state_read(s, &found)) != MST_OK || (e = witness_check(s, found)) != MST_OK)
		return e;
	if (found != s->next)
		return refuse(
		    MST_E_HSS_STATE_BACK, "%s.state was changed while we held its lock", s->path);
	if (s->next == s->total)
		return refuse(
		    MST_E_HSS_EXHAUSTED, "all %llu leaves are used", (unsigned long long)s->total);
	number = s->next;
	for (unsigned i = 0; i < s->key.levels; i++) /* slow, and before a leaf is spent */
		if ((e = tree_for(s, i, number)) != MST_OK)
			return e;
	/* RFC 8554 9.1, sheet 17: spent before it is used */
	if ((e = state_write(s, number + 1)) != MST_OK)
		return e;
	s->next = number + 1;
	if ((e = witness_write(s, s->next)) != MST_OK)
		return e;
	if ((e = sign_by(s, number, piece, count, out)) == MST_OK)
		e = mst_hss_verify(&crypto, hss_signer_public(s), piece, count,
		    mst_span_of(out->ptr + before, out->len - before));
	if (e != MST_OK) {
		mst_wipe(out->ptr + before, out->len - before);
		out->len = before;
	}
	return e;
}
