/* SPDX-License-Identifier: Apache-2.0 */
/* A voucher or request in CMS, opened as both kinds; the certificates are asked everything. */
#include "host/cert.h"
#include "host/envelope.h"

static void
ask(struct arena *a, const struct envelope *env)
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(8u << 20);
	struct envelope env;

	if (envelope_open(
	        a, MST_MEDIA_CMS_JSON, MST_VOUCHER, mst_span_of(data, size), NULL, &env) == MST_OK)
		ask(a, &env);
	if (envelope_open(a, MST_MEDIA_CMS_JSON, MST_VOUCHER_REQUEST, mst_span_of(data, size), NULL,
	        &env) == MST_OK)
		ask(a, &env);
	arena_free(a);
	return 0;
}
