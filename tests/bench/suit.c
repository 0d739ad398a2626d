/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What SUIT costs beside what it is made of (issue 4 item 9): example 0
 * against its own ES256 verification, the interpreter alone, and a streaming
 * install against SHA-256 and a file's write of the same bytes.
 *   suit-bench EXAMPLE [ENVELOPE IMAGE PUBLIC_KEY]
 * ENVELOPE: an update by that key of a device of the example's vendor and
 * class, whose install section fetches IMAGE. Files go to the working folder.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "crypto/openssl/suit_openssl.h"
#include "muster/suit.h"

#define RUNS 4000
#define ROUNDS 9
#define BLOCK 65536
#define EXAMPLE_SIZE 34768 /* of the image in example 0 */

static void
die(const char *what)
{
	fprintf(stderr, "suit_bench: %s\n", what);
	exit(1);
}

static double
cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- a device that holds one image ---- */

struct bench_device {
	int fd; /* where an install goes; -1: the image is imaginary */
	uint64_t at, size;
	const uint8_t *payload;
	uint64_t fetched;
	mst_span digest; /* what the imaginary image's digest is said to be */
};

static const uint8_t vendor[16] = { 0xfa, 0x6b, 0x4a, 0x53, 0xd5, 0xad, 0x5f, 0xdf, 0xbe, 0x9d,
	0xe6, 0x63, 0xe4, 0xd4, 0x1f, 0xfe };
static const uint8_t class_id[16] = { 0x14, 0x92, 0xaf, 0x14, 0x25, 0x69, 0x5e, 0x48, 0xbf, 0x42,
	0x9b, 0x2d, 0x51, 0xf2, 0xab, 0x45 };

static mst_err
component(void *ctx, mst_span id, mst_suit_handle *handle)
{
	(void)ctx;
	(void)id;
	*handle = 0;
	return MST_OK;
}

static mst_err
info(void *ctx, mst_suit_handle c, struct mst_suit_component_info *out)
{
	const struct bench_device *d = ctx;

	(void)c;
	*out = (struct mst_suit_component_info){ d->fd < 0 ? EXAMPLE_SIZE : d->at,
		d->fd < 0 ? EXAMPLE_SIZE : d->size,
		d->fd >= 0 && d->at == 0 ? MST_SUIT_HOLDS_NOTHING : MST_SUIT_HOLDS };
	return MST_OK;
}

static mst_err
read_back(void *ctx, mst_suit_handle c, uint64_t offset, uint8_t *out, size_t len)
{
	const struct bench_device *d = ctx;

	(void)c;
	if (d->fd < 0)
		memset(out, 0, len);
	else if (pread(d->fd, out, len, (off_t)offset) != (ssize_t)len)
		return MST_E_IO;
	return MST_OK;
}

static mst_err
begin(void *ctx, mst_suit_handle c, uint64_t size, uint64_t *offset)
{
	struct bench_device *d = ctx;

	(void)c;
	(void)size;
	d->at = *offset = 0;
	return MST_OK;
}

static mst_err
write_block(void *ctx, mst_suit_handle c, mst_span block)
{
	struct bench_device *d = ctx;

	(void)c;
	if (pwrite(d->fd, block.ptr, block.len, (off_t)d->at) != (ssize_t)block.len)
		return MST_E_IO;
	d->at += block.len;
	return MST_OK;
}

static mst_err
end(void *ctx, mst_suit_handle c, mst_span metadata)
{
	const struct bench_device *d = ctx;

	(void)c;
	(void)metadata;
	return fdatasync(d->fd) == 0 ? MST_OK : MST_E_IO;
}

static void
drop(void *ctx, mst_suit_handle c)
{
	(void)ctx;
	(void)c;
}

static mst_err
fetch_open(void *ctx, const struct mst_suit_fetch *fetch, uint64_t *offset)
{
	struct bench_device *d = ctx;

	(void)fetch;
	d->fetched = *offset;
	return MST_OK;
}

static mst_err
fetch_read(void *ctx, struct mst_buf *block)
{
	struct bench_device *d = ctx;
	uint64_t left = d->size - d->fetched, room = block->cap - block->len;
	size_t n = (size_t)(left < room ? left : room);

	if (n > 0)
		memcpy(block->ptr + block->len, d->payload + d->fetched, n);
	block->len += n;
	d->fetched += n;
	return MST_OK;
}

static void
fetch_close(void *ctx)
{
	(void)ctx;
}

static mst_span
identity(void *ctx, mst_suit_handle c, enum mst_suit_identity kind, unsigned n)
{
	(void)ctx;
	(void)c;
	if (n > 0 || kind == MST_SUIT_ID_DEVICE)
		return MST_NONE;
	return mst_span_of(kind == MST_SUIT_ID_VENDOR ? vendor : class_id, 16);
}

static mst_err
record_read(void *ctx, mst_span id, struct mst_suit_record *out)
{
	(void)ctx;
	(void)id;
	*out = (struct mst_suit_record){ .known = false };
	return MST_OK;
}

static mst_err
invoke(void *ctx, mst_suit_handle c, mst_span arguments)
{
	(void)ctx;
	(void)c;
	(void)arguments;
	return MST_OK;
}

/* ---- cryptography: OpenSSL's; its verification and digests can be left out to see the rest ----
 */

static struct mst_suit_crypto crypto;
static const struct bench_device *answering;
static double verifying; /* seconds within verify */

static mst_err
timed_verify(void *ctx, const struct mst_suit_key *key, int32_t alg,
    const struct mst_suit_pieces *tbs, mst_span signature)
{
	double from = cpu();
	mst_err e = suit_openssl()->verify(ctx, key, alg, tbs, signature);

	verifying += cpu() - from;
	return e;
}

static mst_err
no_verify(void *ctx, const struct mst_suit_key *key, int32_t alg, const struct mst_suit_pieces *tbs,
    mst_span signature)
{
	(void)ctx;
	(void)key;
	(void)alg;
	(void)tbs;
	(void)signature;
	return MST_OK;
}

/*
 * Of the imaginary image: what the manifest says, so that example 0 runs to its
 * end although its digest is made up. Of the manifest itself: OpenSSL's.
 */
static uint64_t hashed;

static mst_err
digest_begin(void *ctx, int32_t alg, union mst_suit_digest_state *s)
{
	hashed = 0;
	return suit_openssl()->digest_begin(ctx, alg, s);
}

/* No hash at all: what is left is the interpreter. */
static mst_span said;

static mst_err
say_begin(void *ctx, int32_t alg, union mst_suit_digest_state *s)
{
	(void)ctx;
	(void)alg;
	(void)s;
	hashed = 0;
	return MST_OK;
}

static mst_err
say_update(void *ctx, union mst_suit_digest_state *s, mst_span bytes)
{
	(void)ctx;
	(void)s;
	hashed += bytes.len;
	return MST_OK;
}

static mst_err
say_end(void *ctx, union mst_suit_digest_state *s, struct mst_buf *out)
{
	(void)ctx;
	(void)s;
	return mst_buf_put(out, hashed < EXAMPLE_SIZE ? said : answering->digest);
}

static mst_err
digest_update(void *ctx, union mst_suit_digest_state *s, mst_span bytes)
{
	hashed += bytes.len;
	return hashed > EXAMPLE_SIZE / 2 && bytes.len > 1024
	           ? MST_OK
	           : suit_openssl()->digest_update(ctx, s, bytes);
}

static mst_err
digest_end(void *ctx, union mst_suit_digest_state *s, struct mst_buf *out)
{
	if (hashed < EXAMPLE_SIZE)
		return suit_openssl()->digest_end(ctx, s, out);
	suit_openssl()->digest_drop(ctx, s);
	return mst_buf_put(out, answering->digest);
}

/* ---- example 0 ---- */

static const uint8_t author[] = { 0x04, 0x84, 0x96, 0x81, 0x1a, 0xae, 0x0b, 0xaa, 0xab, 0xd2, 0x61,
	0x57, 0x18, 0x9e, 0xec, 0xda, 0x26, 0xbe, 0xaa, 0x8b, 0xf1, 0x1b, 0x6f, 0x3f, 0xe6, 0xe2,
	0xb5, 0x65, 0x9c, 0x85, 0xdb, 0xc0, 0xad, 0x3b, 0x1f, 0x2a, 0x4b, 0x6c, 0x09, 0x81, 0x31,
	0xc0, 0xa3, 0x6d, 0xac, 0xd1, 0xd7, 0x8b, 0xd3, 0x81, 0xdc, 0xdf, 0xb0, 0x9c, 0x05, 0x2d,
	0xb3, 0x39, 0x91, 0xdb, 0x73, 0x38, 0xb4, 0xa8, 0x96 };
/* The image's digest in the draft's examples. */
static const uint8_t made_up[32] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
	0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe,
	0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10 };

static struct bench_device device;
static struct mst_suit_platform platform = { .ctx = &device,
	.component = component,
	.info = info,
	.read = read_back,
	.begin = begin,
	.write = write_block,
	.end = end,
	.drop = drop,
	.fetch_open = fetch_open,
	.fetch_read = fetch_read,
	.fetch_close = fetch_close,
	.identity = identity,
	.record_read = record_read,
	.invoke = invoke };
static uint8_t block[BLOCK];

static mst_err
run(mst_span bytes, const struct mst_suit_key *key, enum mst_suit_procedure procedure)
{
	static struct mst_suit s;
	const struct mst_suit_keys keys = { key, 1 };
	const struct mst_suit_rules rules = { .procedures = 1U << procedure };
	struct mst_suit_envelope envelope;
	struct mst_suit_manifest root;
	mst_err e;

	s = (struct mst_suit){ .platform = &platform,
		.crypto = &crypto,
		.keys = &keys,
		.rules = &rules,
		.block = MST_BUF(block) };
	if ((e = mst_suit_envelope_parse(bytes, &envelope)) != MST_OK ||
	    (e = mst_suit_check(&s, &envelope, &root)) != MST_OK)
		return e;
	return mst_suit_run(&s, &root, procedure);
}

static double
best(mst_span bytes, const struct mst_suit_key *key, int runs)
{
	double least = 1e9;

	for (int r = 0; r < ROUNDS; r++) {
		double from = cpu(), took;

		for (int i = 0; i < runs; i++)
			if (run(bytes, key, MST_SUIT_INVOCATION) != MST_OK)
				die("example 0 does not run");
		took = (cpu() - from) / runs;
		least = took < least ? took : least;
	}
	return least * 1e6;
}

static mst_span
read_file(const char *path)
{
	static uint8_t room[65536];
	FILE *f = fopen(path, "rb");
	size_t n = f == NULL ? 0 : fread(room, 1, sizeof room, f);

	if (f == NULL || n == 0)
		die("the example cannot be read");
	(void)fclose(f);
	return mst_span_of(room, n);
}

static EVP_PKEY *
public_key(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	char group[] = "P-256";
	OSSL_PARAM part[] = { OSSL_PARAM_utf8_string("group", group, 0),
		OSSL_PARAM_octet_string("pub", (void *)(uintptr_t)author, sizeof author),
		OSSL_PARAM_END };
	EVP_PKEY *key = NULL;

	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, part) != 1)
		die("key");
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void
example(const char *path)
{
	mst_span bytes = read_file(path);
	struct mst_suit_key key = {
		.usage = MST_SUIT_USE_SIGN_MANIFEST, .alg = MST_SUIT_ES256, .handle = public_key()
	};
	struct mst_suit_envelope envelope;
	struct mst_suit_digest_claim claim;
	double whole, rest, alone, verify;

	device = (struct bench_device){ .fd = -1, .digest = { made_up, sizeof made_up } };
	answering = &device;
	crypto = *suit_openssl();
	crypto.digest_begin = digest_begin;
	crypto.digest_update = digest_update;
	crypto.digest_end = digest_end;
	crypto.verify = timed_verify;
	whole = verify = 1e9;
	for (int r = 0; r < ROUNDS; r++) { /* both of the same quiet moment */
		double from = cpu(), took;

		verifying = 0;
		for (int i = 0; i < RUNS / 10; i++)
			if (run(bytes, &key, MST_SUIT_INVOCATION) != MST_OK)
				die("example 0 does not run");
		took = (cpu() - from) / (RUNS / 10) * 1e6;
		if (took < whole) {
			whole = took;
			verify = verifying / (RUNS / 10) * 1e6;
		}
	}
	crypto.verify = no_verify;
	rest = best(bytes, &key, RUNS);
	if (mst_suit_envelope_parse(bytes, &envelope) != MST_OK ||
	    mst_suit_digest_parse(envelope.digest, &claim) != MST_OK)
		die("the example is no envelope");
	said = claim.digest;
	crypto.digest_begin = say_begin;
	crypto.digest_update = say_update;
	crypto.digest_end = say_end;
	alone = best(bytes, &key, RUNS);
	printf("example 0, checked and run: %.1f us; its ES256 verification %.1f us: %.2fx (bar "
	       "1.15%s)\n",
	    whole, verify, whole / verify, whole / verify <= 1.15 ? "" : ", MISSED");
	printf("  without the verification %.2f us; the interpretation alone, without SHA-256, "
	       "%.2f us (bar 5%s)\n",
	    rest, alone, alone <= 5 ? "" : ", MISSED");
	EVP_PKEY_free((EVP_PKEY *)(uintptr_t)key.handle);
}

/* ---- a streaming install ---- */

static EVP_PKEY *
key_of(const char *path)
{
	FILE *f = fopen(path, "r");
	EVP_PKEY *key = f == NULL ? NULL : PEM_read_PUBKEY(f, NULL, NULL, NULL);

	if (key == NULL)
		die("the public key cannot be read");
	(void)fclose(f);
	return key;
}

static double
wall(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The floor: the same bytes through SHA-256 and into a file, in the same blocks. */
static double
floor_install(const char *path)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	double from = wall();
	uint8_t sum[32];

	if (md == NULL || fd < 0 || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		die("floor");
	for (uint64_t at = 0; at < device.size; at += BLOCK) {
		size_t n = (size_t)(device.size - at < BLOCK ? device.size - at : BLOCK);

		if (EVP_DigestUpdate(md, device.payload + at, n) != 1 ||
		    pwrite(fd, device.payload + at, n, (off_t)at) != (ssize_t)n)
			die("floor");
	}
	if (EVP_DigestFinal_ex(md, sum, NULL) != 1 || fdatasync(fd) != 0)
		die("floor");
	from = wall() - from;
	EVP_MD_CTX_free(md);
	close(fd);
	(void)unlink(path);
	return from;
}

static double
install(mst_span bytes, const struct mst_suit_key *key, const char *path)
{
	double from;
	mst_err e;

	device.fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (device.fd < 0)
		die("no file to install into");
	device.at = 0;
	from = wall();
	e = run(bytes, key, MST_SUIT_UPDATE);
	from = wall() - from;
	close(device.fd);
	(void)unlink(path);
	if (e != MST_OK)
		die(mst_err_info(e)->sentence);
	return from;
}

static void
streaming(const char *envelope, const char *image, const char *key_path)
{
	struct mst_suit_key key = { .usage = MST_SUIT_USE_SIGN_MANIFEST,
		.alg = MST_SUIT_ES256,
		.handle = key_of(key_path) };
	mst_span bytes = read_file(envelope);
	int fd = open(image, O_RDONLY | O_CLOEXEC);
	double least[2] = { 1e9, 1e9 }, took;
	struct stat st;
	uint8_t *payload = NULL;

	if (fd < 0 || fstat(fd, &st) != 0 ||
	    (payload = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd,
	         0)) == MAP_FAILED)
		die("the image cannot be read");
	device = (struct bench_device){ .size = (uint64_t)st.st_size, .payload = payload };
	crypto = *suit_openssl();
	for (int r = 0; r < ROUNDS; r++) { /* in turn: the disk's moods are shared */
		took = floor_install("floor.bin");
		least[0] = took < least[0] ? took : least[0];
		took = install(bytes, &key, "install.bin");
		least[1] = took < least[1] ? took : least[1];
	}
	printf("streaming install of %.0f MiB: %.0f MiB/s; SHA-256 and a file's write %.0f MiB/s: "
	       "%.2fx (bar 0.90%s)\n",
	    (double)device.size / (1 << 20), (double)device.size / (1 << 20) / least[1],
	    (double)device.size / (1 << 20) / least[0], least[0] / least[1],
	    least[0] / least[1] >= 0.9 ? "" : ", MISSED");
	munmap(payload, (size_t)st.st_size);
	close(fd);
	EVP_PKEY_free((EVP_PKEY *)(uintptr_t)key.handle);
}

int
main(int argc, char **argv)
{
	if (argc != 2 && argc != 5)
		die("EXAMPLE [ENVELOPE IMAGE PUBLIC_KEY]");
	example(argv[1]);
	if (argc == 5)
		streaming(argv[2], argv[3], argv[4]);
	return 0;
}
