/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the key process reads: any bytes as the CBOR of one frame, judged and
 * executed with real keys made at start. Whatever it signs must be a
 * certificate that is no CA, a CRL or a message, and must parse. The same bytes
 * are read as an answer, as the network side would.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "server/keys/keys_room.h"
#include "server/keys/keys_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

static char dir[] = "/tmp/muster-fuzz-XXXXXX";
static struct keys_room *room;

static void
add_ext(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	MUST(e != NULL && X509_add_ext(x, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static void
make(const char *name, const char *constraints, const char *eku)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509_NAME *subject = X509_NAME_new();
	X509 *x = X509_new();
	char path[128];
	FILE *f;
	int fd;

	MUST(key != NULL && subject != NULL && x != NULL);
	X509_NAME_add_entry_by_txt(
	    subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_set_subject_name(x, subject);
	X509_set_issuer_name(x, subject);
	ASN1_TIME_set(X509_getm_notBefore(x), 0);
	ASN1_TIME_set_string(X509_getm_notAfter(x), "99991231235959Z");
	X509_set_pubkey(x, key);
	if (constraints != NULL)
		add_ext(x, NID_basic_constraints, constraints);
	if (eku != NULL)
		add_ext(x, NID_ext_key_usage, eku);
	MUST(X509_sign(x, key, EVP_sha256()) > 0);
	snprintf(path, sizeof path, "%s/%s.key", dir, name);
	MUST((fd = open(path, O_WRONLY | O_CREAT, 0600)) >= 0 && (f = fdopen(fd, "w")) != NULL);
	MUST(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
	snprintf(path, sizeof path, "%s/%s.pem", dir, name);
	MUST((f = fopen(path, "w")) != NULL && PEM_write_X509(f, x) == 1 && fclose(f) == 0);
	X509_NAME_free(subject);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void
open_room(void)
{
	static const struct {
		const char *name;
		enum keys_purpose purpose;
		const char *constraints, *eku;
	} all[] = {
		{ "ca", KEYS_CA, "critical,CA:TRUE", NULL },
		{ "old", KEYS_CA, "critical,CA:TRUE", NULL },
		{ "idevid", KEYS_IDEVID_CA, "critical,CA:TRUE", NULL },
		{ "rvr", KEYS_RVR, NULL, "1.3.6.1.5.5.7.3.28" },
		{ "short", KEYS_VOUCHER_SHORT, NULL, NULL },
		{ "long", KEYS_VOUCHER_LONG, NULL, NULL },
	};
	static const struct keys_profile profile = { .name = "device",
		.max_seconds = 1000000,
		.ekus = "1.3.6.1.5.5.7.3.2",
		.crl_url = "http://x/y" };
	struct keys_slot slots[6];
	char key[6][128], cert[6][128], command[128];

	MUST(mkdtemp(dir) != NULL);
	for (size_t i = 0; i < 6; i++) {
		make(all[i].name, all[i].constraints, all[i].eku);
		snprintf(key[i], sizeof key[i], "%s/%s.key", dir, all[i].name);
		snprintf(cert[i], sizeof cert[i], "%s/%s.pem", dir, all[i].name);
		slots[i] = (struct keys_slot){ all[i].name, all[i].purpose, key[i], cert[i] };
	}
	MUST(keys_room_new(slots, 6, &profile, 1, &room) == MST_OK &&
	     keys_room_open(room) == MST_OK);
	snprintf(command, sizeof command, "rm -r %s", dir);
	MUST(system(command) == 0);
}

/* Never CA:TRUE, but for the two roots' bridges. */
static void
look_at(mst_span der, const struct keys_request *rq)
{
	const unsigned char *p = der.ptr;
	X509_CRL *crl;
	X509 *x;

	if (rq->kind == KEYS_SIGN_CERT || rq->kind == KEYS_SIGN_IDEVID ||
	    rq->kind == KEYS_SIGN_ROLLOVER) {
		MUST((x = d2i_X509(NULL, &p, (long)der.len)) != NULL && p == der.ptr + der.len);
		MUST(rq->kind == KEYS_SIGN_ROLLOVER || X509_check_ca(x) == 0);
		X509_free(x);
	} else if (rq->kind == KEYS_SIGN_CRL) {
		MUST((crl = d2i_X509_CRL(NULL, &p, (long)der.len)) != NULL &&
		     p == der.ptr + der.len);
		X509_CRL_free(crl);
	}
	MUST(rq->entry != 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mst_span message = mst_span_of(data, size), answer, frame;
	struct arena *a = arena_new(64u << 20);
	struct keys_request rq;
	uint64_t id;
	size_t n;
	mst_err e;

	MUST(a != NULL);
	if (room == NULL)
		open_room();
	if (keys_request_decode(message, a, &id, &rq) == MST_OK) {
		struct mst_buf again = arena_buf(a, keys_request_room(&rq));

		/* What was read can be said again, and fits the room foretold. */
		e = keys_request_encode(&rq, id, &again);
		MUST(e == MST_OK);
		MUST(keys_room_serve(room, message, a, &frame));
		MUST(keys_frame_size(frame, &n) && n == frame.len);
		frame = mst_span_of(frame.ptr + KEYS_FRAME_HEAD, frame.len - KEYS_FRAME_HEAD);
		MUST(keys_answer_decode(frame, &n, &e, &answer) == MST_OK && n == id);
		if (e == MST_OK)
			look_at(answer, &rq);
	} else {
		MUST(!keys_room_serve(room, message, a, &frame));
	}
	if (keys_answer_decode(message, &id, &e, &answer) == MST_OK && e == MST_OK)
		MUST(answer.ptr >= data && answer.ptr + answer.len <= data + size);
	(void)keys_frame_size(message, &n);
	arena_free(a);
	return 0;
}
