/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the identity that BRSKI and EST gave the device to the keys of its
 * updates (docs/decisions/0018-updates-by-the-same-identity.md). Nothing is
 * provisioned for updates:
 *
 *   authority 0, the manufacturer: who signed a manifest shows a certificate
 *     (x5chain, RFC 9360, in the block's protected header) for code signing that chains
 *     to what the factory put into the device, by default the anchors of its
 *     vouchers; or it is a raw key of the factory (HSS-LMS, which X.509 lacks)
 *   authority 1, the site: the same, chaining to the anchors that the voucher
 *     pinned and EST delivered
 *   decryption: the device's own keys, IDevID and LDevID, as ECDH-ES
 *     recipients named by the SHA-256 of their SubjectPublicKeyInfo
 *
 * Which of the two authorities must have signed is the policy's (struct
 * mst_suit_policy); that a certificate verifies makes nobody an author.
 */
#ifndef AGENT_UPDATE_KEYS_H
#define AGENT_UPDATE_KEYS_H

#include "host/cert.h"
#include "muster/suit.h"

enum update_authority { UPDATE_MANUFACTURER, UPDATE_SITE };

/* Borrowed as long as the keys that are made from it. */
struct update_trust {
	const struct anchors *manufacturer;
	const struct anchors *site; /* NULL: not enrolled */
	struct mst_clock clock;
	const struct mst_suit_key *factory; /* raw keys; rows as they go into the table */
	size_t factory_count;
	EVP_PKEY *own[2]; /* IDevID's and LDevID's; NULL: none, or not good for ECDH */
};

/*
 * The table for this envelope: the factory's keys, a row for each of its
 * signers whose certificate is good, and the device's own keys. Everything
 * lives in the arena. A signer without certificate, or with one that leads
 * nowhere, gets no row: then the block is one of an unknown key, and *why says
 * what was wrong with the first of them: MST_E_UPDATE_SIGNER, _SIGNER_USE,
 * MST_E_X509_EXPIRED, _WEAK; MST_OK if there was none. MST_E_NOMEM.
 */
MST_MUST_USE mst_err update_keys_make(struct arena *a, const struct update_trust *t,
    const struct mst_suit_envelope *envelope, struct mst_suit_keys *out, mst_err *why);

/* SHA-256 of the SubjectPublicKeyInfo: how a device's key is named to those who encrypt for it. */
MST_MUST_USE mst_err update_key_id(struct arena *a, EVP_PKEY *key, mst_span *kid);

#endif
