/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A little world for the MASA's tests: a factory with its IDevID CA and one
 * device, a site with root, issuing CA and registrar, another site, all made
 * with OpenSSL at run time. A test takes the good world, bends one thing and
 * looks at the verdict.
 */
#ifndef TESTS_MASA_WORLD_H
#define TESTS_MASA_WORLD_H

#include "server/masa/masa_judge.h"
#include "tests/unit/registrar/support_id.h"

#define SERIAL "JADA123456789"
#define NONCE "VGhpcyBpcyBhIG5vbmNlIQ=="

/* Made once per program. */
struct pki {
	struct id idevid_ca, device, device2, device_rekeyed, device_expired;
	struct id foreign_idevid_ca, foreign_device;
	struct id root, ca, registrar, sibling, plain, expired, future, self_signed, weak;
	struct id sibling_plain, registrar_of_root;
	struct id other_root, other_registrar, false_ca, registrar_of_plain, with_crl_url;
};
extern struct pki pki;
void pki_make(void);
void pki_free(void);

struct world {
	struct arena *a;
	struct masa_policy policy;
	struct masa_customer customers[3];
	size_t customer_count;
	struct masa_device devices[3];
	size_t device_count;
	int64_t client; /* id of the customer that the connection authenticated; 0: none */
	enum mst_media media;
	const char *accept;
	struct mst_clock clock;
	/* the messages, as claims and signers; a test bends these */
	struct mst_voucher_claims pvr, rvr;
	struct id *pvr_signer;
	X509 *pvr_chain[4];
	size_t pvr_chain_count;
	bool no_prior;
	mst_span prior; /* instead of sealing pvr, when set */
	struct id *rvr_signer;
	X509 *rvr_chain[4]; /* after the signer */
	size_t rvr_chain_count;
	size_t flip_prior_at; /* 1 + offset from the end of the byte to change; 0: none */
	size_t flip_rvr_at;
	X509 *public_ca; /* the one public CA of this world; NULL: a stranger */
	/* results */
	mst_span message;
	struct masa_report report;
	struct masa_verdict verdict;
};
/* Of every world that is made from now on. A setup of cmocka's: state points to an enum mst_media.
 */
extern enum mst_media world_media;
int world_media_set(void **state);
void world_good(struct world *w); /* nonced, anonymous, with prior */
void world_nonceless(struct world *w); /* customer 1, by TLS, with the site's root as anchor */
/* Build the messages only: w->message. */
void world_seal(struct world *w);
/* Build the messages and judge them. */
mst_err world_judge(struct world *w);
void world_free(struct world *w);

/* One deviation and what it must be called. */
struct deviation {
	const char *name;
	void (*bend)(struct world *w);
	mst_err want;
	enum {
		ON_WIRE = 1,
		NONCELESS = 2
	} flags; /* ON_WIRE: in the message, device or customer rows alone */
};
extern const struct deviation deviations[];
extern const size_t deviation_count;

#endif
