/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "host/algorithms.h"
#include "host/file.h"

#define RECORD_MAX (256 * 1024)
#define HEAD "muster-agent ldevid 1\n"
#define DIGEST "sha256: "
#define DIGEST_AT (sizeof HEAD - 1)
#define BODY_AT (DIGEST_AT + sizeof DIGEST - 1 + 64 + 1)

static _Thread_local char why[512];

const char *
agent_store_why(void)
{
	return why;
}

static mst_err
fail(mst_err e, const char *path, const char *words)
{
	snprintf(why, sizeof why, "%s: %s", path, words);
	return e;
}

struct path {
	char text[PATH_MAX];
};

static struct path
path_of(const char *folder, const char *name)
{
	struct path p;

	/* A path cut short does not exist or is refused by the kernel. */
	snprintf(p.text, sizeof p.text, "%s/%s", folder, name);
	return p;
}

/* ---- writing ---- */

static void
hex_digest(mst_span bytes, char out[65])
{
	uint8_t d[SHA256_DIGEST_LENGTH];

	SHA256(bytes.ptr, bytes.len, d);
	for (size_t i = 0; i < sizeof d; i++)
		snprintf(out + 2 * i, 3, "%02x", d[i]);
}

static bool
put_body(BIO *bio, const struct agent_record *r)
{
	if (BIO_printf(bio, "reported: %s\npeer: %s\njitter: %010u\n",
	        r->reported == AGENT_REPORTED ? "yes" : "no", r->peer, r->jitter) <= 0 ||
	    PEM_write_bio_PKCS8PrivateKey(bio, r->key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    PEM_write_bio_X509(bio, r->cert) != 1)
		return false;
	for (int i = 0; i < sk_X509_num(r->anchors); i++)
		if (PEM_write_bio_X509(bio, sk_X509_value(r->anchors, i)) != 1)
			return false;
	return true;
}

mst_err
agent_record_write(const char *folder, const struct agent_record *r)
{
	struct path p = path_of(folder, "ldevid.pem");
	BIO *body = BIO_new(BIO_s_secmem());
	char *text = NULL, digest[65];
	uint8_t *whole = NULL;
	size_t len = 0;
	long n = 0;
	mst_err e = MST_E_NOMEM;

	if (body == NULL || !put_body(body, r) || (n = BIO_get_mem_data(body, &text)) <= 0)
		goto out;
	len = BODY_AT + (size_t)n;
	if (len > RECORD_MAX) {
		e = fail(MST_E_PLEDGE_STORE, p.text, "larger than a record may be");
		goto out;
	}
	if ((whole = malloc(len + 1)) == NULL)
		goto out;
	hex_digest(mst_span_of(text, (size_t)n), digest);
	snprintf((char *)whole, len + 1, HEAD DIGEST "%s\n", digest);
	memcpy(whole + BODY_AT, text, (size_t)n);
	/* One rename is the one atomic step (issue 2 item 10). */
	e = file_write_atomic(p.text, mst_span_of(whole, len), 0600);
	if (e != MST_OK)
		e = fail(MST_E_PLEDGE_STORE, p.text, file_why());
out:
	if (whole != NULL)
		mst_wipe(whole, len);
	free(whole);
	BIO_free(body);
	ERR_clear_error();
	return e;
}

/* ---- reading ---- */

/* "name: value\n" at *at; the value without its end, in place. */
static mst_span
take_line(mst_span text, size_t *at, const char *name)
{
	size_t n = strlen(name);
	const uint8_t *start = text.ptr + *at, *end;

	if (text.len - *at < n || memcmp(start, name, n) != 0)
		return MST_NONE;
	end = memchr(start + n, '\n', text.len - *at - n);
	if (end == NULL)
		return MST_NONE;
	*at = (size_t)(end - text.ptr) + 1;
	return mst_span_of(start + n, (size_t)(end - start) - n);
}

static bool
read_words(mst_span body, size_t *at, struct agent_record *r)
{
	mst_span reported = take_line(body, at, "reported: ");
	mst_span peer = take_line(body, at, "peer: ");
	mst_span jitter = take_line(body, at, "jitter: ");
	char digits[16] = "", *end;

	if (peer.ptr == NULL || peer.len >= sizeof r->peer || jitter.ptr == NULL ||
	    jitter.len != 10)
		return false;
	if (mst_span_eq(reported, MST_LIT("yes")))
		r->reported = AGENT_REPORTED;
	else if (mst_span_eq(reported, MST_LIT("no")))
		r->reported = AGENT_NOT_REPORTED;
	else
		return false;
	memcpy(r->peer, peer.ptr, peer.len);
	r->peer[peer.len] = '\0';
	memcpy(digits, jitter.ptr, jitter.len);
	r->jitter = (uint32_t)strtoul(digits, &end, 10);
	return *end == '\0';
}

static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static bool
read_objects(mst_span pem, struct agent_record *r)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	X509 *cert;
	bool ok = false;

	if (bio == NULL || (r->anchors = sk_X509_new_null()) == NULL)
		goto out;
	r->key = algorithms_read_key(bio, no_passphrase, NULL);
	r->cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	if (r->key == NULL || r->cert == NULL)
		goto out;
	while ((cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL)
		if (sk_X509_push(r->anchors, cert) <= 0) {
			X509_free(cert);
			goto out;
		}
	ok = sk_X509_num(r->anchors) > 0 && EVP_PKEY_eq(r->key, X509_get0_pubkey(r->cert)) == 1;
out:
	BIO_free(bio);
	ERR_clear_error();
	return ok;
}

static const char *
record_parse(mst_span all, struct agent_record *r)
{
	char digest[65];
	mst_span body;
	size_t at = 0;

	if (all.len <= BODY_AT || memcmp(all.ptr, HEAD DIGEST, BODY_AT - 65) != 0 ||
	    all.ptr[BODY_AT - 1] != '\n')
		return "it does not begin as a record does";
	body = mst_span_of(all.ptr + BODY_AT, all.len - BODY_AT);
	hex_digest(body, digest);
	if (memcmp(digest, all.ptr + BODY_AT - 65, 64) != 0)
		return "its content is not what its SHA-256 says";
	if (!read_words(body, &at, r))
		return "a line is missing";
	if (!read_objects(mst_span_of(body.ptr + at, body.len - at), r))
		return "key, certificate and anchors do not belong together";
	return NULL;
}

/* SEC-6: a key that others can read is no secret any more. */
static mst_err
judge_mode(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return fail(errno == ENOENT ? MST_E_NOT_FOUND : MST_E_IO, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(MST_E_PLEDGE_STORE_CORRUPT, path, "not a regular file");
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return fail(MST_E_KEY_PERMISSIONS, path, "others than its owner have access");
	return MST_OK;
}

mst_err
agent_record_read(const char *folder, struct agent_record *out)
{
	struct path p = path_of(folder, "ldevid.pem");
	struct agent_record r = { 0 };
	struct arena *a = NULL;
	const char *bad;
	mst_span all = MST_NONE;
	mst_err e = judge_mode(p.text);

	if (e != MST_OK)
		return e;
	if ((a = arena_new(0)) == NULL)
		return fail(MST_E_NOMEM, p.text, "out of memory");
	if ((e = file_read(a, p.text, RECORD_MAX, &all)) != MST_OK) {
		e = fail(e == MST_E_SPACE ? MST_E_PLEDGE_STORE_CORRUPT : e, p.text, file_why());
		goto out;
	}
	if ((bad = record_parse(all, &r)) != NULL) {
		e = fail(MST_E_PLEDGE_STORE_CORRUPT, p.text, bad);
		agent_record_wipe(&r);
		goto out;
	}
	*out = r;
out:
	if (all.ptr != NULL)
		mst_wipe((void *)(uintptr_t)all.ptr, all.len);
	arena_free(a);
	return e;
}

void
agent_record_wipe(struct agent_record *r)
{
	EVP_PKEY_free(r->key);
	X509_free(r->cert);
	sk_X509_pop_free(r->anchors, X509_free);
	*r = (struct agent_record){ 0 };
}

static bool
seconds_of(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	*out = (int64_t)timegm(&tm);
	return true;
}

mst_err
agent_record_validity(const struct agent_record *r, int64_t *not_before, int64_t *not_after)
{
	int64_t from, to;

	if (!seconds_of(X509_get0_notBefore(r->cert), &from) ||
	    !seconds_of(X509_get0_notAfter(r->cert), &to))
		return MST_E_X509;
	*not_before = from;
	*not_after = to;
	return MST_OK;
}

mst_err
agent_record_anchors(struct arena *a, const struct agent_record *r, mst_span *out)
{
	struct mst_buf all;
	size_t total = 0;
	uint8_t *p;

	for (int i = 0; i < sk_X509_num(r->anchors); i++) {
		int n = i2d_X509(sk_X509_value(r->anchors, i), NULL);

		if (n <= 0)
			return MST_E_X509;
		total += (size_t)n;
	}
	all = arena_buf(a, total);
	if (all.cap < total || total == 0)
		return MST_E_NOMEM;
	p = all.ptr;
	for (int i = 0; i < sk_X509_num(r->anchors); i++)
		if (i2d_X509(sk_X509_value(r->anchors, i), &p) <= 0)
			return MST_E_X509;
	*out = mst_span_of(all.ptr, total);
	return MST_OK;
}

/* ---- the folder ---- */

static mst_err
sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mst_err e = MST_OK;

	if (fd < 0 || fsync(fd) != 0)
		e = fail(MST_E_PLEDGE_STORE, folder, strerror(errno));
	if (fd >= 0)
		close(fd);
	return e;
}

mst_err
agent_record_clear(const char *folder)
{
	struct path p = path_of(folder, "ldevid.pem");

	if (unlink(p.text) != 0 && errno != ENOENT)
		return fail(MST_E_PLEDGE_STORE, p.text, strerror(errno));
	return sync_folder(folder);
}

#define COUNTERS "boots %lld\nresets %lld\ntime %lld\n"

static int
counters_format(const struct agent_counters *c, char out[128])
{
	return snprintf(
	    out, 128, COUNTERS, (long long)c->boots, (long long)c->resets, (long long)c->last_time);
}

/* Only what was written is read. */
static bool
counters_parse(mst_span text, struct agent_counters *out)
{
	long long boots, resets, last;
	struct agent_counters c;
	char again[128];
	int n;

	if (sscanf((const char *)text.ptr, "boots %18lld resets %18lld time %18lld", &boots,
	        &resets, &last) != 3 ||
	    boots < 0 || resets < 0 || last < 0)
		return false;
	c = (struct agent_counters){ boots, resets, last };
	n = counters_format(&c, again);
	if (!mst_span_eq(text, mst_span_of(again, (size_t)n)))
		return false;
	*out = c;
	return true;
}

mst_err
agent_counters_read(const char *folder, struct agent_counters *out)
{
	struct path p = path_of(folder, "counters");
	struct arena *a = arena_new(0);
	mst_span text;
	mst_err e;

	if (a == NULL)
		return fail(MST_E_NOMEM, p.text, "out of memory");
	*out = (struct agent_counters){ 0 };
	e = file_read(a, p.text, 1024, &text);
	if (e == MST_E_NOT_FOUND)
		e = MST_OK;
	else if (e != MST_OK)
		e = fail(e == MST_E_SPACE ? MST_E_PLEDGE_STORE_CORRUPT : e, p.text, file_why());
	else if (!counters_parse(text, out))
		e = fail(MST_E_PLEDGE_STORE_CORRUPT, p.text, "not three numbers");
	arena_free(a);
	return e;
}

mst_err
agent_counters_write(const char *folder, const struct agent_counters *c)
{
	struct path p = path_of(folder, "counters");
	char text[128];
	int n = counters_format(c, text);

	if (file_write_atomic(p.text, mst_span_of(text, (size_t)n), 0600) != MST_OK)
		return fail(MST_E_PLEDGE_STORE, p.text, file_why());
	return MST_OK;
}

/* What a crash within file_write_atomic leaves: ".ldevid.pem.<hex>", with a key in it. */
static void
sweep(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *f;

	if (d == NULL)
		return;
	while ((f = readdir(d)) != NULL)
		if (strncmp(f->d_name, ".ldevid.pem.", 12) == 0 ||
		    strncmp(f->d_name, ".counters.", 10) == 0)
			(void)unlinkat(dirfd(d), f->d_name, 0);
	closedir(d);
}

static const struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

pid_t
agent_lock_holder(const char *folder)
{
	struct path p = path_of(folder, "lock");
	struct flock l = whole_file;
	int fd = open(p.text, O_RDWR | O_CLOEXEC);
	pid_t holder = 0;

	if (fd < 0)
		return 0;
	if (fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK)
		holder = l.l_pid;
	close(fd);
	return holder;
}

/* A lock of fcntl(2) tells who holds it and ends with its process, however that ends. */
mst_err
agent_lock(const char *folder, int *out, pid_t *holder)
{
	struct path p = path_of(folder, "lock");
	struct flock l = whole_file;
	int fd;

	if (file_make_dir(folder, 0700) != MST_OK)
		return fail(MST_E_IO, folder, file_why());
	if ((fd = open(p.text, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
		return fail(MST_E_IO, p.text, strerror(errno));
	if (fcntl(fd, F_SETLK, &l) != 0) {
		int err = errno;

		l = whole_file;
		*holder = fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK ? l.l_pid : 0;
		close(fd);
		return err == EACCES || err == EAGAIN
		           ? fail(MST_E_CONFLICT, p.text, "another agent runs on this state")
		           : fail(MST_E_IO, p.text, strerror(err));
	}
	sweep(folder);
	*out = fd;
	return MST_OK;
}
