/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of SUIT's COSE share. They stand apart from COSE_Sign1 of
 * vouchers (cose.h), whose rules differ: there the protected header is never
 * empty and algorithms are four; a device of either kind links only its own.
 */
#ifndef MUSTER_CORE_SUIT_COSE_H
#define MUSTER_CORE_SUIT_COSE_H

#include "muster/cbor.h"
#include "muster/cose.h"
#include "muster/suit_crypto.h"

enum suit_cose_tag { /* RFC 9052 2 */
	SUIT_TAG_ENCRYPT0 = 16,
	SUIT_TAG_MAC0 = 17,
	SUIT_TAG_SIGN1 = 18,
	SUIT_TAG_ENCRYPT = 96,
	SUIT_TAG_MAC = 97,
	SUIT_TAG_SIGN = 98,
};

/* IANA "COSE Header Parameters" and "COSE Header Algorithm Parameters". */
enum suit_label {
	SUIT_LABEL_ALG = 1,
	SUIT_LABEL_CRIT = 2,
	SUIT_LABEL_CONTENT_TYPE = 3,
	SUIT_LABEL_KID = 4,
	SUIT_LABEL_IV = 5,
	SUIT_LABEL_PARTIAL_IV = 6,
	SUIT_LABEL_X5CHAIN = 33, /* not looked into: whoever makes the table of keys may */
	SUIT_LABEL_EPHEMERAL = -1,
	SUIT_LABEL_SALT = -20,
};

/* One layer's two headers: RFC 9052 3. Spans point into the message. */
struct suit_layer {
	mst_span
	    protected_header; /* as structures cover it: as received, but h'' when it is empty */
	bool is_written; /* it was not h'' */
	int32_t alg; /* 0: not one that a number here can name */
	bool has_alg, alg_protected, has_partial_iv;
	bool is_strange; /* unprotected there is what nobody signed and nobody here understands */
	mst_span kid, iv, salt; /* absent: none */
	mst_span ephemeral; /* the encoded COSE_Key; absent: none */
};

/* A reader that refuses indefinite lengths. */
void suit_reader(struct mst_cbor_reader *r, mst_span in);
/* Latch e unless what stands next has the shortest head (sheet 1.3). */
void suit_strict(struct mst_cbor_reader *r, mst_err e);
/* nil or a byte string: the latter, or absent. */
mst_span suit_bytes_or_nil(struct mst_cbor_reader *r);
/* The two headers that stand next. Their rules' refusals latch in r. */
void suit_layer_read(struct mst_cbor_reader *r, struct suit_layer *out);
/* MST_E_COSE_ALG_MISSING, _ALG_UNPROTECTED. */
MST_MUST_USE mst_err suit_layer_alg(const struct suit_layer *l);
/* Is there nothing but what a signature, a MAC or a wrapped key has use for: alg, kid, type? */
bool suit_layer_is_plain(const struct suit_layer *l);

/* [ context, field... ], each field a byte string (RFC 9052 4.4, 6.3): at most four fields. */
void suit_pieces_make(
    struct mst_suit_pieces *p, mst_span context, const mst_span *field, size_t count);

/* Is the key for this use, and does it take that algorithm? */
bool suit_key_takes(const struct mst_suit_key *key, enum mst_suit_usage usage, int32_t alg);
/* May it be tried for a block of this kid: an equal one, or has one of both none? */
bool suit_key_is_named(const struct mst_suit_key *key, mst_span kid);
bool suit_key_may_be(const struct mst_suit_key *key, mst_span kid);

/* What is asked of a message's recipients. */
struct suit_recipients {
	const struct mst_suit_crypto *crypto;
	const struct mst_suit_keys *keys;
	enum mst_suit_usage kek_usage, ecdh_usage; /* equal: no ECDH */
	size_t cek_len;
	uint8_t tries; /* made so far */
};
/*
 * RFC 9052 5.1, 6.1: count the recipients that stand next (an array), and hand
 * out what is between its head and its end. MST_E_SUIT_RECIPIENTS.
 */
mst_span suit_recipients_read(struct mst_cbor_reader *r, size_t *count);
/*
 * The next recipient of the sequence: its CEK into cek (emptied before), and
 * the key that opened it. MST_E_SUIT_RECIPIENT, _UNWRAP, _EPHEMERAL, _CEK:
 * another one may do. Anything else refuses the message.
 */
MST_MUST_USE mst_err suit_recipient_open(struct suit_recipients *ask, struct mst_cbor_reader *r,
    struct mst_buf *cek, const struct mst_suit_key **by);
bool suit_recipient_may_go_on(mst_err e);

#endif
