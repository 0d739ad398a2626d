/* SPDX-License-Identifier: Apache-2.0 */
/* R4: what one CA of the site named is not thereby named by another of its CAs. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "unit/est/support_csr.h"

#define NAME "O=Acme,CN=printer-1"

struct row {
	const char *name, *ca;
	enum est_op op;
	mst_err want;
};
static const struct row rows[] = {
	{ "R4 a plain client at its own CA", "lab", EST_ENROLL, MST_OK },
	{ "R4 a plain client at another CA", "", EST_ENROLL, MST_E_EST_CLIENT_CERT },
	{ "R4 a plain client's key from another CA", "", EST_KEYGEN, MST_E_EST_CLIENT_CERT },
	{ "R4 a plain client renews at another CA", "", EST_REENROLL, MST_E_EST_CLIENT_CERT },
};

static void
test_row(void **state)
{
	const struct row *r = *state;
	struct arena *a = arena_new(0);
	struct est_profile lab = { .label = "lab", .profile = "device", .organization = "Acme" };
	struct csr_spec csr = { .key = a_key("P-256 b"), .subject = NAME };
	X509 *leaf = a_cert(NAME, a_key("P-256"), NULL, a_key("P-256"));
	struct cert_row row = { .serial = MST_LIT("serial-of-16-byt"),
		.profile = "device",
		.ca = r->ca,
		.subject = a_name_der(a, NAME),
		.spki = MST_LIT("the old key"),
		.not_before = 1000,
		.not_after = 3000 };
	struct est_csr_in in = { .der = csr_make(a, &csr),
		.op = r->op,
		.class = TRUST_LDEVID,
		.leaf = leaf,
		.row = &row,
		.identity = "basic:alice",
		.profile = &lab,
		.now = 2000 };
	const char *words;
	struct est_csr out;

	assert_string_equal(
	    mst_err_info(est_judge_csr(a, &in, &out, &words))->name, mst_err_info(r->want)->name);
	X509_free(leaf);
	arena_free(a);
}

int
main(void)
{
	struct CMUnitTest tests[sizeof rows / sizeof rows[0]];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, test_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	return cmocka_run_group_tests_name("labels and plain clients", tests, NULL, NULL);
}
