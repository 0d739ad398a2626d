/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every refusal has a name. The table is err.def; this header turns it into
 * an enum. The same row feeds the log line, the audit entry, the metric label,
 * the HTTP body and `muster explain MU-....`, so they cannot drift apart.
 */
#ifndef MUSTER_ERR_H
#define MUSTER_ERR_H

#include <stddef.h>

typedef enum mst_err {
	MST_OK = 0,
#define MST_ERR(name, code, http, coap, reason, clause, sentence, next) MST_E_##name = (code),
#include "muster/err.def"
#undef MST_ERR
} mst_err_code;

/*
 * The return type of everything that can be refused. The attribute makes an
 * unread result a warning, and warnings are errors here.
 */
#define MST_MUST_USE __attribute__((warn_unused_result))
typedef mst_err_code mst_err;

struct mst_err_info {
	mst_err err;
	int http; /* HTTP status a server answers with */
	int coap; /* CoAP code as class*100+detail: 4.03 is 403 */
	const char *code; /* "MU-1207" */
	const char *name; /* "MST_E_VOUCHER_NONCE" */
	const char *reason; /* "voucher.nonce": stable label for logs and metrics */
	const char *clause; /* "RFC 8995 5.6.1" */
	const char *sentence; /* what is wrong, one sentence */
	const char *next; /* what a person can do about it */
};

/* The row of an error; never NULL (an unknown value gives the row of MST_E_INTERNAL). */
const struct mst_err_info *mst_err_info(mst_err e);

/*
 * The row for "MU-1207", "1207", "MST_E_VOUCHER_NONCE", "VOUCHER_NONCE" or
 * "voucher.nonce", in either letter case; NULL if there is none.
 */
const struct mst_err_info *mst_err_find(const char *word);

/* All rows, ordered by code; *count rows. */
const struct mst_err_info *mst_err_table(size_t *count);

#endif
