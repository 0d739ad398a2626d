/* SPDX-License-Identifier: Apache-2.0 */
/* `muster inspect` on any file, with and without anchors: a report or words, and no private key. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/inspect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of a factory made for the corpus: it issued the signer of corpus/inspect/voucher.der. */
static const char anchor[] = "-----BEGIN CERTIFICATE-----\n"
                             "MIIBjzCCATagAwIBAgIUHIV0p3tJ6qiN1T+m/HGlJSTu7kgwCgYIKoZIzj0EAwIw\n"
                             "JTEOMAwGA1UECgwFTWFrZXIxEzARBgNVBAMMClZvdWNoZXIgQ0EwIBcNMjYxMTIz\n"
                             "MjMzMTE2WhgPMjEyNjEwMzAyMzMxMTZaMCUxDjAMBgNVBAoMBU1ha2VyMRMwEQYD\n"
                             "VQQDDApWb3VjaGVyIENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEk/lXe0Qi\n"
                             "u8wFnZcjQRjbcwEJ/VIJ3GninrYVbpqsLtTgsWDrRpj9hDFdZ1q5f33DqxTZKXsO\n"
                             "YGakhNAjYrI3EqNCMEAwDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYw\n"
                             "HQYDVR0OBBYEFGVdly4t3Svwn7eQ8c2bUe+k1ppNMAoGCCqGSM49BAMCA0cAMEQC\n"
                             "IDHM9C24yw/aaas4L2Ik2uy/rA5Gfd8sPTq46S2wEeXUAiAdna8CHlHJxfjnJlPb\n"
                             "aUNew0B6a3jh5fV3/vGJr92YYw==\n"
                             "-----END CERTIFICATE-----\n";

static const struct anchors *
anchors(void)
{
	static struct anchors *a;
	mst_span file = mst_span_of(anchor, sizeof anchor - 1);

	if (a == NULL && inspect_anchors(&file, 1, &a) != MST_OK)
		abort();
	return a;
}

static void
report(mst_span bytes, const struct anchors *by)
{
	const struct inspect_options o = {
		.anchors = by, .clock = { MST_CLOCK_TRUSTED, 1800000000 }, .want = INSPECT_DIAG
	};
	struct arena *a = arena_new(32u << 20);
	json_t *out = NULL;
	char *text;

	if (a == NULL)
		abort();
	if (inspect(a, bytes, &o, &out) != MST_OK) {
		if (inspect_why()[0] == '\0')
			abort();
	} else if (json_string_value(json_object_get(out, "kind")) == NULL ||
	           json_string_value(json_object_get(out, "format")) == NULL ||
	           json_string_value(json_object_get(out, "encoding")) == NULL ||
	           (text = json_dumps(out, JSON_COMPACT)) == NULL) {
		abort(); /* what cannot be printed is no report */
	} else {
		free(text);
	}
	json_decref(out);
	arena_free(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const mst_span bytes = mst_span_of(data, size);
	struct arena *a = arena_new(32u << 20);
	struct inspect_cert_facts facts;
	struct anchors *t = NULL;
	enum mst_media media;
	mst_span message;

	report(bytes, NULL);
	report(bytes, anchors());
	if (a == NULL)
		abort();
	(void)!inspect_message(a, bytes, &media, &message);
	(void)!inspect_cert_facts(a, bytes, &facts);
	if (inspect_anchors(&bytes, 1, &t) == MST_OK)
		anchors_free(t);
	arena_free(a);
	return 0;
}
