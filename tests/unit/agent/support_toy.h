/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A toy registrar: MASA, registrar and CA in one thread, written with OpenSSL
 * and jansson alone, so that agent and server cannot be wrong in the same way
 * (issue 2 item 24). It does what the texts say, except for one trick.
 */
#ifndef UNIT_AGENT_SUPPORT_TOY_H
#define UNIT_AGENT_SUPPORT_TOY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "unit/agent/support_pki.h"

enum toy_trick {
	TOY_HONEST,
	TOY_FORGED_VOUCHER, /* signed by a MASA that the factory never named */
	TOY_ALTERED_VOUCHER, /* one byte of the signed text changed */
	TOY_WRONG_PIN, /* pins another registrar */
	TOY_WRONG_SERIAL,
	TOY_NO_NONCE, /* a nonceless voucher */
	TOY_REPLAYED_VOUCHER, /* .replay */
	TOY_REFUSES_VOUCHER, /* 403 with a cause */
	TOY_NO_CSRATTRS, /* 404 */
	TOY_EMPTY_CSRATTRS, /* 204 */
	TOY_FOREIGN_CACERTS, /* not beneath the pin */
	TOY_FOREIGN_CERT, /* the LDevID comes from another CA */
	TOY_CERT_OF_OTHER_KEY,
	TOY_REFUSES_ENROLL, /* 403 */
	TOY_REDIRECTS, /* requestvoucher: 307 to .redirect */
	TOY_MOVES, /* requestvoucher: 307 within the origin */
	TOY_CHANGES_CERT, /* 202, hang up, then another certificate */
	TOY_NO_RA, /* its certificate lacks cmcRA */
	TOY_SILENT, /* never answers requestvoucher */
	TOY_BUSY, /* 503 to the first requestvoucher */
	TOY_BUSY_ENROLLING, /* 503 to the first simpleenroll */
	TOY_NO_VOUCHER, /* 200 with something else */
	TOY_OTHER_FORM, /* the voucher in JWS's media type */
};

/* What many worlds share: the factory's and the site's authorities. */
struct toy_pki {
	struct pki masa_ca, masa; /* voucher signer */
	struct pki false_ca, false_masa;
	struct pki idevid_ca, idevid;
	struct pki domain, foreign;
	struct pki ra, other_ra, no_ra;
};

struct toy {
	const struct toy_pki *pki;
	/* The script; set before toy_start, or while no agent runs. */
	enum toy_trick trick;
	int pending; /* so many 202 before requestvoucher is answered */
	int enroll_pending; /* the same for simpleenroll */
	int cut_at; /* hang up instead of answering this request (1 is the first), once */
	bool pin_ra; /* pin the registrar itself instead of its CA */
	long life; /* seconds of an LDevID */
	bool tls12;
	const char *redirect;
	const char *claims; /* JSON over the voucher's own; null takes one away. NULL: nothing */
	char *replay; /* base64 of a voucher */

	/* What was seen */
	atomic_int connections, requests, vouchers, good_status, bad_status, enrolls, reenrolls,
	    reports, bad_reports, ldevid_connections, bindings, identical_pvr, with_sni;
	char reason[128]; /* of the latest bad status */
	char *last_voucher; /* base64 */
	char *last_pvr;

	int port, listener;
	char base[64];
	atomic_bool stop, runs;
	pthread_t thread;
};

void toy_pki_make(struct toy_pki *p);
void toy_pki_free(struct toy_pki *p);

void toy_start(struct toy *t, const struct toy_pki *pki, enum toy_trick trick);
void toy_stop(struct toy *t);
/* Forget what was seen. */
void toy_forget(struct toy *t);

#endif
