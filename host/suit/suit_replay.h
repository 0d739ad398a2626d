/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report beside its manifest (suit-report 5, sheet 16): the manifest is
 * followed with the records, and each record is true, or can not be. What a
 * true report proves is as much as its signature: the device measured this, if
 * its key and its processor are to be believed.
 */
#ifndef HOST_SUIT_SUIT_REPLAY_H
#define HOST_SUIT_SUIT_REPLAY_H

#include "host/suit/suit_keys.h"
#include "muster/suit.h"

enum suit_truth {
	SUIT_TRUE, /* the manifest has such a command there, and what was measured fits */
	SUIT_OPEN, /* can not be judged: a severed section or a dependency is not at hand */
	SUIT_FALSE, /* can not be: contradicts the manifest, or another record */
};

struct suit_statement { /* of a record, or of the whole */
	enum suit_truth truth;
	size_t record; /* from 0; SIZE_MAX: the result's own, or none */
	int64_t section, offset, command; /* 0, -1, 0: none */
	int component; /* -1: none */
	const char *words;
	struct suit_statement *next;
};

struct suit_replay_want {
	const struct suit_key *keys; /* of devices; none: the signature is not judged */
	size_t count;
	const struct suit_key *decrypt; /* for a report in COSE_Encrypt0 */
	size_t decrypt_count;
	mst_span nonce; /* that was asked with; absent: not judged */
	const mst_span *dependencies; /* envelopes of manifests that the manifest depends on */
	size_t dependency_count;
};

struct suit_replay {
	mst_err err; /* MST_OK: nothing in it can not be true */
	bool is_protected, verified; /* COSE around it; by one of the keys */
	unsigned by; /* which key */
	struct mst_suit_report report; /* once it could be read */
	struct suit_statement *records; /* what becomes of each, in order */
	struct suit_statement *proves; /* what it shows when it is believed */
	struct suit_statement *lacks; /* what it does not show */
};

/*
 * MST_OK when it was judged, however that ended (out->err: MST_E_SUIT_REPORT*,
 * MST_E_COSE*, of an envelope that is none MST_E_FW_ENVELOPE). MST_E_NOMEM,
 * MST_E_FW_KEY.
 */
MST_MUST_USE mst_err suit_replay(struct arena *a, mst_span report, mst_span envelope,
    const struct suit_replay_want *want, struct suit_replay *out);

#endif
