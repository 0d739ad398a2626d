/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "host/cert.h"
#include "host/file.h"
#include "host/key.h"
#include "server/keys/keys_room.h"
#include "server/keys/keys_wire.h"

#define CERT_FILE_MAX (256u << 10)
#define OID_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"

static _Thread_local char words[512];

void
keys_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
}

const char *
keys_why(void)
{
	return words;
}

/* --- configuration and certificates: before the fork --- */

static char *
copy(const char *s)
{
	return s != NULL ? strdup(s) : NULL;
}

static mst_err
load_chain(struct keys_room_slot *s, const char *path)
{
	struct arena *a = arena_new(0);
	mst_span pem;
	mst_err e = MST_E_NOMEM;

	if (a == NULL)
		return e;
	if ((e = file_read(a, path, CERT_FILE_MAX, &pem)) != MST_OK)
		keys_say("slot %s: %s", s->name, file_why());
	else if ((e = cert_list(pem, &s->chain)) != MST_OK)
		keys_say("slot %s: %s is not a list of certificates", s->name, path);
	else if ((s->cert = sk_X509_shift(s->chain)) == NULL)
		e = MST_E_X509;
	if (e == MST_OK &&
	    ((e = keys_x509_time(X509_get0_notBefore(s->cert), &s->not_before)) != MST_OK ||
	        (e = keys_x509_time(X509_get0_notAfter(s->cert), &s->not_after)) != MST_OK))
		keys_say("slot %s: %s has no readable validity", s->name, path);
	arena_free(a);
	return e;
}

static mst_err
take_slot(struct keys_room *room, const struct keys_slot *from)
{
	struct keys_room_slot *s = &room->slots[room->slot_count];

	if (from->name == NULL || from->key_uri == NULL || from->cert_path == NULL ||
	    keys_room_find(room, from->name) != NULL) {
		keys_say("slot %s: no name, key or certificate, or there twice",
		    from->name != NULL ? from->name : "?");
		return MST_E_CONFIG_VALUE;
	}
	room->slot_count++;
	s->purpose = from->purpose;
	if ((s->name = copy(from->name)) == NULL || (s->uri = copy(from->key_uri)) == NULL)
		return MST_E_NOMEM;
	return load_chain(s, from->cert_path);
}

/* EST-1: what a device gets must work as a TLS client certificate. */
static bool
has_client_auth(const char *ekus)
{
	size_t n = sizeof OID_CLIENT_AUTH - 1;

	for (const char *p = ekus; p != NULL && (p = strstr(p, OID_CLIENT_AUTH)) != NULL; p += n)
		if ((p == ekus || p[-1] == ' ') && (p[n] == 0 || p[n] == ' '))
			return true;
	return false;
}

static mst_err
take_profile(struct keys_room *room, const struct keys_profile *from)
{
	struct keys_room_profile *p = &room->profiles[room->profile_count];

	if (from->name == NULL || from->max_seconds <= 0 || !has_client_auth(from->ekus) ||
	    (from->slot != NULL && keys_room_find(room, from->slot) == NULL)) {
		keys_say("profile %s: no lifetime, no clientAuth or no such slot",
		    from->name != NULL ? from->name : "?");
		return MST_E_CONFIG_VALUE;
	}
	room->profile_count++;
	p->max_seconds = from->max_seconds;
	p->slot = copy(from->slot);
	p->crl_url = copy(from->crl_url);
	if ((p->name = copy(from->name)) == NULL || (p->ekus = copy(from->ekus)) == NULL ||
	    (from->slot != NULL && p->slot == NULL) ||
	    (from->crl_url != NULL && p->crl_url == NULL))
		return MST_E_NOMEM;
	return MST_OK;
}

mst_err
keys_room_new(const struct keys_slot *slots, size_t slot_count, const struct keys_profile *profiles,
    size_t profile_count, struct keys_room **out)
{
	struct keys_room *room = calloc(1, sizeof *room);
	mst_err e = MST_OK;

	if (room == NULL)
		return MST_E_NOMEM;
	if (slot_count > KEYS_SLOTS_MAX || profile_count > KEYS_PROFILES_MAX) {
		keys_say("at most %d slots and %d profiles", KEYS_SLOTS_MAX, KEYS_PROFILES_MAX);
		e = MST_E_CONFIG_VALUE;
	}
	for (size_t i = 0; e == MST_OK && i < slot_count; i++)
		e = take_slot(room, &slots[i]);
	for (size_t i = 0; e == MST_OK && i < profile_count; i++)
		e = take_profile(room, &profiles[i]);
	if (e == MST_OK)
		*out = room;
	else
		keys_room_free(room);
	return e;
}

void
keys_room_free(struct keys_room *room)
{
	if (room == NULL)
		return;
	for (size_t i = 0; i < room->slot_count; i++) {
		struct keys_room_slot *s = &room->slots[i];

		free(s->name);
		free(s->uri);
		X509_free(s->cert);
		sk_X509_pop_free(s->chain, X509_free);
		EVP_PKEY_free(s->key);
		X509_EXTENSION_free(s->aki);
	}
	for (size_t i = 0; i < room->profile_count; i++) {
		struct keys_room_profile *p = &room->profiles[i];

		free(p->name);
		free(p->slot);
		free(p->ekus);
		free(p->crl_url);
		X509_EXTENSION_free(p->eku);
		X509_EXTENSION_free(p->crl_points);
	}
	X509_EXTENSION_free(room->end_entity);
	X509_EXTENSION_free(room->key_usage);
	free(room);
}

struct keys_room_slot *
keys_room_find(struct keys_room *room, const char *name)
{
	for (size_t i = 0; name != NULL && i < room->slot_count; i++)
		if (strcmp(room->slots[i].name, name) == 0)
			return &room->slots[i];
	return NULL;
}

/* --- keys: after the fork --- */

static bool
is_ca(X509 *x)
{
	return X509_check_ca(x) == 1; /* 1: v3 with basicConstraints CA:TRUE */
}

/* keyUsage, where it is there, allows the use. */
static bool
usage_allows(X509 *x, uint32_t bits)
{
	return (X509_get_key_usage(x) & bits) == bits; /* all ones when the extension is absent */
}

static mst_err
purpose_check(const struct keys_room_slot *s)
{
	switch (s->purpose) {
	case KEYS_CA:
		if (is_ca(s->cert) && usage_allows(s->cert, KU_KEY_CERT_SIGN | KU_CRL_SIGN))
			return MST_OK;
		keys_say("slot %s: its certificate is no CA that may sign certificates and CRLs",
		    s->name);
		return MST_E_X509_CHAIN;
	case KEYS_IDEVID_CA:
		if (is_ca(s->cert) && usage_allows(s->cert, KU_KEY_CERT_SIGN))
			return MST_OK;
		keys_say("slot %s: its certificate is no CA", s->name);
		return MST_E_X509_CHAIN;
	case KEYS_RVR:
		/* ID-6, RFC 8995 5.5.4: the MASA refuses what a registrar without cmcRA signs. */
		if (!is_ca(s->cert) && cert_has_eku(s->cert, CERT_OID_CMC_RA) &&
		    usage_allows(s->cert, KU_DIGITAL_SIGNATURE))
			return MST_OK;
		keys_say("slot %s: its certificate lacks cmcRA or digitalSignature, or is a CA",
		    s->name);
		return MST_E_VOUCHER_NOT_RA;
	case KEYS_VOUCHER_SHORT:
	case KEYS_VOUCHER_LONG:
		if (!is_ca(s->cert) && usage_allows(s->cert, KU_DIGITAL_SIGNATURE))
			return MST_OK;
		keys_say("slot %s: its certificate is a CA or lacks digitalSignature", s->name);
		return MST_E_X509_CHAIN;
	}
	return MST_E_CONFIG_VALUE;
}

/* The digest that fits the key's strength (CMS-5). */
static const EVP_MD *
digest_for(EVP_PKEY *key)
{
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519)
		return NULL;
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) > 384)
		return EVP_sha512();
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) > 256)
		return EVP_sha384();
	return EVP_sha256();
}

static mst_err
open_slot(struct keys_room_slot *s)
{
	mst_err e;

	if ((e = key_open(s->uri, &s->key)) != MST_OK) {
		keys_say("slot %s: %s", s->name, key_why());
		return e;
	}
	if ((e = key_matches(s->key, s->cert)) != MST_OK) {
		keys_say("slot %s: the key does not belong to the certificate", s->name);
		return e;
	}
	/* A root's own signature is nobody's evidence, but its key must be strong too. */
	if ((e = cert_strength(s->cert)) != MST_OK) {
		keys_say("slot %s: the certificate's key or signature is too weak", s->name);
		return e;
	}
	s->digest = digest_for(s->key);
	if ((e = purpose_check(s)) != MST_OK)
		return e;
	return keys_x509_aki(s->cert, &s->aki);
}

mst_err
keys_room_open(struct keys_room *room)
{
	mst_err e = keys_x509_constants(room);

	for (size_t i = 0; e == MST_OK && i < room->slot_count; i++)
		e = open_slot(&room->slots[i]);
	for (size_t i = 0; e == MST_OK && i < room->profile_count; i++) {
		struct keys_room_profile *p = &room->profiles[i];

		if ((e = keys_x509_eku(p->ekus, &p->eku)) != MST_OK)
			keys_say("profile %s: an extended key usage is not an OID", p->name);
		else if (p->crl_url != NULL)
			e = keys_x509_crl_points(p->crl_url, &p->crl_points);
	}
	return e;
}

/* --- requests --- */

static bool
has_nonce(const struct mst_voucher_claims *c)
{
	return c->nonce.ptr != NULL || c->nonce_text.ptr != NULL;
}

static bool
has_proximity(const struct mst_voucher_claims *c)
{
	return c->proximity_cert.ptr != NULL || c->proximity_pubk.ptr != NULL ||
	       c->proximity_pubk_sha256.ptr != NULL;
}

/* 8.3: what a registrar may say to a MASA. */
static mst_err
judge_rvr(const struct mst_voucher_claims *c)
{
	mst_err e;

	if (c->kind != MST_VOUCHER_REQUEST)
		return MST_E_VOUCHER_KIND;
	if (has_proximity(c)) /* 8366bis 6: MUST NOT be present */
		return MST_E_RVR_PROXIMITY_PRESENT;
	if (c->idevid_issuer.ptr == NULL || c->idevid_issuer.len == 0) /* ID-8 */
		return MST_E_RVR_IDEVID_ISSUER;
	if ((e = mst_request_check(c)) != MST_OK)
		return e;
	return c->created_on != MST_NO_TIME && mst_serial_check(c->serial) == MST_OK
	           ? MST_OK
	           : MST_E_KEY_REFUSED;
}

/* SEC-2: the short key never signs what lasts, the long key never what answers a nonce. */
static mst_err
judge_nonce(enum keys_purpose purpose, const struct mst_voucher_claims *c)
{
	if (purpose == KEYS_VOUCHER_LONG)
		return has_nonce(c) ? MST_E_VOUCHER_NONCE : MST_OK;
	if (!has_nonce(c))
		return MST_E_VOUCHER_NONCELESS;
	if (c->expires_on != MST_NO_TIME) /* 8366bis: a nonce or an expiry, not both */
		return MST_E_VOUCHER_EXPIRES_WITH_NONCE;
	return c->nonce.ptr == NULL ||
	               (c->nonce.len >= MST_NONCE_MIN && c->nonce.len <= MST_NONCE_TEXT_MAX)
	           ? MST_OK
	           : MST_E_VOUCHER_NONCE_LENGTH;
}

static mst_err
judge_voucher(enum keys_purpose purpose, const struct mst_voucher_claims *c)
{
	mst_err e;

	if (c->kind != MST_VOUCHER || has_proximity(c) || c->prior_request.ptr != NULL)
		return MST_E_VOUCHER_KIND;
	if (c->assertion == MST_ASSERT_ABSENT)
		return MST_E_VOUCHER_ASSERTION;
	if ((e = mst_serial_check(c->serial)) != MST_OK || (e = judge_nonce(purpose, c)) != MST_OK)
		return e;
	if (c->pinned_cert.ptr == NULL && c->pinned_pubk.ptr == NULL &&
	    c->pinned_pubk_sha256.ptr == NULL)
		return MST_E_VOUCHER_PIN;
	if (c->last_renewal != MST_NO_TIME && c->expires_on == MST_NO_TIME)
		return MST_E_VOUCHER_LAST_RENEWAL;
	if (c->created_on == MST_NO_TIME ||
	    (c->expires_on != MST_NO_TIME && c->expires_on <= c->created_on))
		return MST_E_KEY_REFUSED;
	return MST_OK;
}

static mst_err
seal(struct keys_room_slot *s, const struct keys_request *rq, struct arena *a, mst_span *answer)
{
	struct envelope_signer signer = {
		.key = s->key, .cert = s->cert, .chain = s->chain, .id_data = rq->id_data
	};

	return envelope_seal(a, rq->media, rq->claims, &signer, answer);
}

/* Which purpose each kind wants; vouchers have two. */
static bool
purpose_fits(enum keys_kind kind, enum keys_purpose purpose)
{
	switch (kind) {
	case KEYS_SIGN_CERT:
	case KEYS_SIGN_CRL:
	case KEYS_SIGN_ROLLOVER: return purpose == KEYS_CA;
	case KEYS_SIGN_IDEVID: return purpose == KEYS_IDEVID_CA;
	case KEYS_SIGN_RVR: return purpose == KEYS_RVR;
	case KEYS_SIGN_VOUCHER:
		return purpose == KEYS_VOUCHER_SHORT || purpose == KEYS_VOUCHER_LONG;
	}
	return false;
}

mst_err
keys_room_execute(
    struct keys_room *room, const struct keys_request *rq, struct arena *a, mst_span *answer)
{
	struct keys_room_slot *s = keys_room_find(room, rq->slot), *other;
	mst_err e;

	if (rq->entry == 0 || s == NULL || !purpose_fits(rq->kind, s->purpose))
		return MST_E_KEY_REFUSED;
	switch (rq->kind) {
	case KEYS_SIGN_CERT: return keys_x509_cert(room, s, rq, a, answer);
	case KEYS_SIGN_IDEVID: return keys_x509_idevid(room, s, rq, a, answer);
	case KEYS_SIGN_CRL: return keys_x509_crl(s, rq, a, answer);
	case KEYS_SIGN_RVR:
		e = judge_rvr(rq->claims);
		return e != MST_OK ? e : seal(s, rq, a, answer);
	case KEYS_SIGN_VOUCHER:
		e = judge_voucher(s->purpose, rq->claims);
		return e != MST_OK ? e : seal(s, rq, a, answer);
	case KEYS_SIGN_ROLLOVER:
		other = keys_room_find(room, rq->other_slot);
		if (other == NULL || other->purpose != KEYS_CA)
			return MST_E_KEY_REFUSED;
		return keys_x509_rollover(s, other, rq, a, answer);
	}
	return MST_E_KEY_REFUSED;
}

bool
keys_room_serve(struct keys_room *room, mst_span message, struct arena *a, mst_span *frame)
{
	struct keys_request rq;
	mst_span answer = MST_NONE;
	struct mst_buf out;
	uint64_t id;
	mst_err e;

	if (keys_request_decode(message, a, &id, &rq) != MST_OK)
		return false;
	e = keys_room_execute(room, &rq, a, &answer);
	ERR_clear_error();
	out = arena_buf(a, answer.len + 64);
	if (keys_answer_encode(id, e, answer, &out) != MST_OK)
		return false;
	*frame = mst_buf_span(&out);
	return true;
}
