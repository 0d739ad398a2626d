/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forgeries written as text: a small dialect of CBOR's diagnostic notation,
 * so that a forged envelope is a good one with one word of it replaced and
 * everything behind that word (lengths, digests, signatures) made anew. It
 * shares no line with core/cbor, core/suit or host/suit.
 *
 *	17 -16 0x10 true false null undefined 1.5
 *	'text' h'00ff' b'bytes as text'
 *	[ ... ] { ... } << ... >> TAG( item )	, and : are white space
 *	17_1			the head in a longer form than needed (_0 one, _1 two,
 *				_2 four, _3 eight bytes), also [_1 {_1 <<_1 'x'_1 h'00'_1
 *	[_ {_ <<_		indefinite length; <<_ puts its content in one chunk
 *	raw(h'..')		these bytes as one item
 *	bytes(n v)		a byte string of n times v
 *	text(n 'x')		a text of n times x
 *	many(n item...)		the items n times
 *	cut(n item) grow(n item) flip(n item)	a string's content: n bytes shorter, n
 *				bytes longer, bit n turned over
 *	len(item)		how many bytes the encoding of item has, as a number
 *	sizeof(item)		how many bytes the content of a string has
 *	hash(alg item...)	the hash over the items' encoding, a byte string
 *	hashof(alg string)	the hash over the string's content
 *	sign('key' item...)	the signature or MAC of the items' encoding (support_keys.h)
 *	sub(x item...)		the items with every word $y read as $x.y, else as the outermost $y
 *	pub(key)		a COSE_Key of P-256
 *	wrap(key bytes) ctr(key iv bytes) gcm(key iv bytes aad) chacha(key iv bytes aad)
 *	kek(key salt info)	see support_keys.h
 *	$name			the text of that name, the newest of them;
 *	$^name			the one that this one stands in the way of
 */
#ifndef TESTS_SUIT_SUPPORT_EDN_H
#define TESTS_SUIT_SUPPORT_EDN_H

#include <stddef.h>
#include <stdint.h>

struct edn_word {
	const char *name, *text;
};

/* Words of an inner scope stand in the way of those of outer ones. */
struct edn_scope {
	const struct edn_word *words; /* up to a name of NULL, or count */
	size_t count;
	const struct edn_scope *outer;
};

struct edn_bytes {
	uint8_t *ptr; /* of malloc */
	size_t len, cap;
	unsigned items;
};

/* The encoding of text; ends the program at what it does not understand. */
struct edn_bytes edn_encode(const struct edn_scope *scope, const char *text);
void edn_free(struct edn_bytes *b);
void edn_append(struct edn_bytes *b, const void *bytes, size_t len);

#endif
