/* SPDX-License-Identifier: Apache-2.0 */
/* A registrar with MASA and CA for constrained devices, on the server of support_coap.h. */
#ifndef UNIT_AGENT_SUPPORT_COAP_RA_H
#define UNIT_AGENT_SUPPORT_COAP_RA_H

#include "host/arena.h"
#include "unit/agent/support_coap.h"
#include "unit/agent/support_toy.h"

struct coap_ra {
	struct coap_toy toy;
	const struct toy_pki *pki;
	struct arena *a;
	/* The script */
	enum toy_trick trick;
	int pending, enroll_pending; /* so many 5.03 first */
	bool pin_ra; /* pin the registrar, so that crts are needed */
	bool certs_only; /* answer 281 whatever is accepted */
	long life;
	/* What was seen */
	atomic_int vouchers, good_status, bad_status, enrolls, reenrolls, crts, atts, reports,
	    bad_reports, ldevid, identical_pvr, identical_csr;
	uint8_t last_pvr[8192], last_csr[8192];
	size_t pvr_len, csr_len;
	char reason[64];
};

void coap_ra_start(struct coap_ra *r, const struct toy_pki *pki, enum toy_trick trick);
void coap_ra_stop(struct coap_ra *r);
void coap_ra_forget(struct coap_ra *r);

#endif
