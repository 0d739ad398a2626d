/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement of a CSR on arbitrary bytes. The first byte picks the client
 * and the operation; what is accepted must hold what policy promises.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "server/est/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t binding[12] = "tls-unique!";
static const struct est_profile profiles[] = {
	{ .label = "", .profile = "device", .organization = "Acme" },
	{ .label = "", .profile = "device", .organization = "Acme", .san = EST_SAN_SERIAL },
};
static const struct cert_row row = { .serial = { (const uint8_t *)"0123456789abcdef", 16 },
	.ca = "",
	.subject = { (const uint8_t *)"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x05\x13\x01S", 14 },
	.spki = { (const uint8_t *)"x", 1 },
	.not_before = 1000,
	.not_after = 9000 };

static const char *const names[] = { "printer-1", "a" };
static const struct est_user user = { "u", names, 2 };

static void
hold(int promise)
{
	if (!promise)
		abort();
}

static void
check(struct arena *a, const struct est_csr_in *in, const struct est_csr *out)
{
	mst_span want;

	hold(out->subject.ptr != NULL && out->spki.ptr != NULL && out->subject.len > 2);
	if (in->op == EST_REENROLL) {
		hold(mst_span_eq(out->subject, row.subject) && out->san.ptr == NULL);
	} else if (in->serial.ptr != NULL) {
		hold(est_policy_subject(a, in->profile, in->serial, in->twin, &want) == MST_OK);
		hold(mst_span_eq(out->subject, want));
		hold(est_policy_san(a, in->profile, in->serial, in->twin, &want) == MST_OK);
		hold(mst_span_eq(out->san, want));
	} else {
		hold(out->san.ptr == NULL || in->profile->san != EST_SAN_NONE);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a;
	uint8_t how = size > 0 ? data[0] : 0;
	struct est_csr_in in = { .op = (how & 3) == 1   ? EST_REENROLL
		                       : (how & 3) == 2 ? EST_KEYGEN
		                                        : EST_ENROLL,
		.class = (how & 3) == 1 || (how & 8) == 0 ? TRUST_LDEVID : TRUST_ANONYMOUS,
		.row = &row,
		.serial = (how & 8) == 0 ? mst_span_of("S", 1) : MST_NONE,
		.user = &user,
		.identity = "fuzz",
		.profile = &profiles[how >> 2 & 1],
		.binding = mst_span_of(binding, sizeof binding),
		.challenge = (how & 16) != 0 ? EST_CHALLENGE_IGNORE : EST_CHALLENGE_BINDING,
		.binding_required = (how & 32) != 0,
		.now = 8000 };
	struct est_csr out;
	const char *words;

	if (size < 1 || (a = arena_new(1 << 20)) == NULL)
		return 0;
	in.der = mst_span_of(data + 1, size - 1);
	if (est_judge_csr(a, &in, &out, &words) == MST_OK)
		check(a, &in, &out);
	hold(ERR_peek_error() == 0); /* nothing left for TLS to stumble over */
	arena_free(a);
	return 0;
}
