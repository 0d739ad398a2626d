/* SPDX-License-Identifier: Apache-2.0 */
/* The DTLS half of the CoAPS client: between coaps.c and coaps_dtls.c only. */
#ifndef AGENT_COAPS_DTLS_H
#define AGENT_COAPS_DTLS_H

#include <openssl/ssl.h>

#include "agent/coaps.h"

#define COAPS_DATAGRAM 2048 /* room for any record that comes */

struct coaps_dtls {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	struct mst_chain chain;
	uint8_t *der[MST_CHAIN_MAX]; /* OpenSSL's; what chain points to */
};

/* Errors of coaps_open; words through coaps_fail. On failure nothing is left open. */
MST_MUST_USE mst_err coaps_dtls_open(
    struct coaps_dtls *d, const struct coaps_options *o, int64_t end_us);
void coaps_dtls_close(struct coaps_dtls *d);
/* One message as one record. */
MST_MUST_USE mst_err coaps_dtls_send(struct coaps_dtls *d, mst_span message);
/*
 * One message, until until_us at the latest: MST_OK with *message (in room),
 * MST_E_TIMEOUT, MST_E_UNREACHABLE, MST_E_TLS.
 */
MST_MUST_USE mst_err coaps_dtls_receive(
    struct coaps_dtls *d, int64_t until_us, uint8_t room[COAPS_DATAGRAM], mst_span *message);
/* Sets coaps_why(). */
mst_err coaps_fail(mst_err e, const char *words);

#endif
