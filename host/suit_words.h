/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of SUIT: each registered number with its name, what its value is
 * and the clause that says so (suit-manifest 11, trust-domains 9,
 * update-management 7, firmware-encryption 4). The author's tool, its
 * descriptions and `muster inspect` share this one table.
 */
#ifndef HOST_SUIT_WORDS_H
#define HOST_SUIT_WORDS_H

#include "muster/span.h"

enum suit_value { /* what stands behind a number */
	SUIT_VALUE_POLICY, /* of commands: a reporting policy */
	SUIT_VALUE_INDEX, /* set-component-index */
	SUIT_VALUE_TRY, /* try-each */
	SUIT_VALUE_SEQUENCE, /* bstr .cbor sequence */
	SUIT_VALUE_PARAMETERS,
	SUIT_VALUE_MULTIPLE, /* override-multiple */
	SUIT_VALUE_COPY_PARAMS,
	SUIT_VALUE_UINT,
	SUIT_VALUE_INT,
	SUIT_VALUE_BOOL,
	SUIT_VALUE_TEXT,
	SUIT_VALUE_BYTES,
	SUIT_VALUE_UUID, /* 16 bytes; vendor-identifier also tag 112 */
	SUIT_VALUE_DIGEST, /* bstr .cbor SUIT_Digest */
	SUIT_VALUE_ENCRYPTION, /* bstr .cbor tag 96 COSE_Encrypt */
	SUIT_VALUE_VERSION, /* bstr .cbor [comparison, [+int]] */
	SUIT_VALUE_WAIT, /* bstr .cbor {+event} */
	SUIT_VALUE_METADATA, /* bstr .cbor map */
	SUIT_VALUE_COMPONENT, /* index of a component */
	SUIT_VALUE_ID, /* array of byte strings */
	SUIT_VALUE_COMMON,
	SUIT_VALUE_TEXTS,
	SUIT_VALUE_COSWID,
	SUIT_VALUE_VERSIONS, /* bstr .cbor [+int] */
};

struct suit_word {
	int64_t number;
	const char *name; /* "image-match" */
	enum suit_value value;
	const char *clause;
	const char *words; /* what it means, for people */
};

enum suit_list {
	SUIT_LIST_ENVELOPE,
	SUIT_LIST_MANIFEST,
	SUIT_LIST_COMMON,
	SUIT_LIST_COMMAND,
	SUIT_LIST_PARAMETER,
	SUIT_LIST_TEXT, /* of the manifest */
	SUIT_LIST_COMPONENT_TEXT,
	SUIT_LIST_DIGEST, /* algorithms of COSE */
	SUIT_LIST_ALGORITHM, /* of authentication, key exchange and encryption */
	SUIT_LIST_REPORT,
	SUIT_LIST_REASON,
	SUIT_LIST_WAIT,
	SUIT_LISTS
};

/* All rows of a list; *count of them. */
const struct suit_word *suit_words(enum suit_list list, size_t *count);
/* NULL when it is not registered. */
const struct suit_word *suit_word(enum suit_list list, int64_t number);
const struct suit_word *suit_word_find(enum suit_list list, mst_span name);

/* Conditions test, directives do (sheet 7). */
bool suit_is_condition(int64_t code);
/* May the manifest's element of this key be severed (M 8.6, TD, UM)? */
bool suit_is_severable(int64_t key);
/* Is it a command sequence? */
bool suit_is_section(int64_t key);

#endif
