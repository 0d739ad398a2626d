/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Twins: two devices of one kind, one that speaks HTTPS and one that speaks
 * CoAPS, at one site. Both listeners of it have the same routes; MASA, CA,
 * database and EST are one. A test makes a twin ready for an operation, bends
 * one thing, asks, and sees what the site made of it.
 */
#ifndef TESTS_TWINS_TWINS_H
#define TESTS_TWINS_TWINS_H

#include "server/store/store_masa.h"
#include "tests/unit/est/support_csr.h"
#include "tests/unit/registrar/support_site.h"

enum wire { ON_HTTPS, ON_COAPS };
#define WIRES 2

enum twin_op { OP_PVR, OP_STATUS, OP_ENROLLSTATUS, OP_ENROLL, OP_REENROLL, OP_KEYGEN };

/* What a site may choose: EST with each, behind ports of its own. serverkeygen is on. */
enum twin_option {
	USUAL,
	BINDING_REQUIRED,
	CHALLENGE_IGNORED,
	WITH_SAN, /* EST_SAN_SERIAL */
	REKEY,
	WINDOW, /* nobody is in it */
	OTHER_MAKERS, /* label "" is for another maker's devices, "lab" for those of this one */
	MANUAL, /* each order waits for an operator */
	STATUS_OPTIONAL,
	OPTIONS
};

/* What the CSR says of its connection. */
enum twin_binding {
	NO_BINDING,
	BINDING,
	BINDING_CUT, /* by one byte */
	BINDING_HALF,
	BINDING_TEXT_CUT,
	BINDING_LONGER,
	BINDING_NEWLINE,
	BINDING_BIT,
	BINDING_EMPTY,
	BINDING_TWICE, /* the attribute, not its value; the signature does not fit any more */
	BINDING_OF_ANOTHER, /* connection of the same client */
};

struct twin {
	struct arena *a;
	enum wire wire;
	enum twin_op op;
	struct id device, ldevid, other; /* other: for tests; freed with the twin */
	const char *serial;
	EVP_PKEY *key; /* of its CSR */
	/* what is asked, and by whom */
	const struct id *client; /* of the connection */
	enum twin_option option;
	const char *label; /* "": none */
	const char *type; /* media type; over CoAPS its content-format */
	const char *accept; /* NULL: none */
	const char *path; /* NULL: that of op and label */
	struct mst_voucher_claims claims;
	const struct id *signer;
	X509 *chain;
	enum mst_media media; /* of what is sealed */
	bool flip; /* one bit of the signature */
	size_t cut; /* so much at its end */
	struct csr_spec csr;
	enum twin_binding binding;
	const char *binding_oid;
	int binding_type; /* V_ASN1_... */
	int binding_copies; /* values of the attribute; 0: one */
	mst_span body; /* instead of what op makes; NULL pointer: that */
	int times; /* so often, until it is refused */
	bool ends; /* what is refused is expected to end the connection */
};

struct twin_verdict {
	bool connected;
	int status; /* HTTP; 403 for 4.03 */
	long wait; /* Retry-After, Max-Age; -1: absent */
	bool ended; /* nothing more is answered on this connection */
	char body[320];
	/* the last decision of the site that was none of acceptance, in its log; empty: none */
	char code[12], name[40], step[24], detail[256];
	char masa[40]; /* name of the MASA's own refusal; empty: none */
	mst_err trail; /* of the device's newest row; MST_OK: accepted or none */
	enum device_state state;
	int audit; /* verdict of the device */
	bool kept; /* something a later step would trust: a voucher, a certificate, a report */
};

void twins_start(void);
void twins_stop(void);
int twins_port(enum wire wire, enum twin_option option);

/* Ready for op, by good requests over this wire: a control for what is refused. */
void twin_begin(struct twin *t, enum wire wire, enum twin_op op);
void twin_ask(struct twin *t, struct twin_verdict *v);
void twin_end(struct twin *t);

/* --- for those who bend --- */
/* The manufacturer's entry until twin_end; from a copy of site.maker_row. */
void twin_maker(const struct manufacturer *m);
/* A real MASA instead of the one that does as it is told; it knows the device, in this state. */
void twin_real_masa(struct twin *t, const struct masa_device *d);
struct masa_device twin_masa_device(struct twin *t); /* as it was made: the good one */
int64_t twin_other_customer(void); /* of the real MASA */
/* The device's row; and it in another state. */
struct device twin_row(const struct twin *t);
void twin_save(const struct device *d);
void twin_revoke(X509 *cert);
/* A voucher by a good PVR of these claims, and all that was asked is forgotten. */
void twin_voucher(struct twin *t);
/* Its first certificate was issued: ready for OP_REENROLL with it, at the same option. */
void twin_enrolled(struct twin *t);

/* --- the table --- */
struct twin_case {
	const char *name;
	enum twin_op op;
	void (*bend)(struct twin *t);
	mst_err want;
	mst_err masa; /* what the real MASA called it; MST_OK: it was not asked, or agreed */
	enum {
		ANSWERED = 1, /* with success: the verdict stands in the journal alone */
		BY_TABLE = 2, /* over CoAPS the table of content-formats refuses it: step "http" */
		NO_SESSION = 4, /* over CoAPS there is no session to ask over */
		SAME_WORDS_NOT = 8, /* what the log says besides the name is the wire's own */
	} flags;
};
extern const struct twin_case brski_cases[], est_cases[];
extern const size_t brski_case_count, est_case_count;

#endif
