/* SPDX-License-Identifier: Apache-2.0 */
/* A voucher or request of one format, opened as both kinds; the certificates are asked everything.
 */
#ifndef TESTS_FUZZ_ENVELOPE_H
#define TESTS_FUZZ_ENVELOPE_H

#include "host/cert.h"
#include "host/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ask_certificates(struct arena *a, const struct envelope *env)
{
	const struct mst_clock now = { MST_CLOCK_TRUSTED, 1800000000 };
	struct anchors *t = NULL;
	const char *url;
	mst_span s;

	for (int i = 0; i < sk_X509_num(env->certs); i++) {
		X509 *cert = sk_X509_value(env->certs, i);

		(void)!cert_device_serial(a, cert, CERT_SERIAL_SUBJECT, &s);
		(void)!cert_device_serial(a, cert, CERT_SERIAL_SAN_HWMODULE, &s);
		(void)!cert_masa_url(a, cert, &url);
		(void)!cert_idevid_issuer(a, cert, &s);
		(void)!cert_domain_id(a, cert, &s);
		(void)!cert_strength(cert);
		(void)cert_subject(a, cert);
		(void)cert_has_eku(cert, CERT_OID_CMC_RA);
	}
	if (anchors_from_stack(env->certs, &t) == MST_OK)
		(void)!chain_verify(t, env->signer, env->certs, &now, CHAIN_NOTHING_ELSE, NULL);
	anchors_free(t);
	(void)!pin_judge(
	    env->claims.pinned_cert, MST_NONE, MST_NONE, env->signer, env->certs, &now);
}

static int
fuzz_envelope(enum mst_media media, const uint8_t *data, size_t size)
{
	static const enum mst_voucher_kind kinds[] = { MST_VOUCHER, MST_VOUCHER_REQUEST };
	struct arena *a = arena_new(8u << 20);
	struct envelope env;

	for (int i = 0; i < 2; i++)
		if (envelope_open(a, media, kinds[i], mst_span_of(data, size), NULL, &env) ==
		    MST_OK)
			ask_certificates(a, &env);
	arena_free(a);
	return 0;
}

#endif
