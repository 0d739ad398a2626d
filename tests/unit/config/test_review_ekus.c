/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 7030 3.6.1: who has cmcRA under the site's CA is a registrar to every pledge. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "server/config/config.h"

#define CLIENT "1.3.6.1.5.5.7.3.2"
#define RA "1.3.6.1.5.5.7.3.28"

struct row {
	const char *name, *ekus, *words; /* NULL: taken */
};
static const struct row rows[] = {
	{ "EST-3 clientAuth", CLIENT, NULL },
	{ "EST-3 clientAuth and serverAuth", "1.3.6.1.5.5.7.3.1 " CLIENT, NULL },
	{ "EST-3 cmcRA alone: its OID begins as clientAuth's", RA, "clientAuth" },
	{ "EST-3 another OID that begins so", "1.3.6.1.5.5.7.3.21", "clientAuth" },
	{ "EST-3 another OID that ends so", "2.1.3.6.1.5.5.7.3.2", "clientAuth" },
	{ "ID-6 clientAuth and cmcRA", CLIENT " " RA, "registrar" },
	{ "ID-6 cmcRA and clientAuth", RA "  " CLIENT, "registrar" },
};

static void
test_row(void **state)
{
	const struct row *r = *state;
	struct arena *a = arena_new(0);
	struct config c = { .loops = 77 };
	const char *text = arena_printf(a,
	    "state = \"s\"\nregistrar {\n\tlisten = \"127.0.0.1:0\"\n\tcert = \"c\"\n\tkey = "
	    "\"k\"\n}\nca \"\" {\n\tcert = \"c\"\n\tkey = \"k\"\n\tprofile \"p\" {\n\t\tekus = "
	    "\"%s\"\n\t}\n}\n",
	    r->ekus);
	mst_err e = config_parse(a, "t.conf", text, &c);

	assert_int_equal(e, r->words == NULL ? MST_OK : MST_E_CONFIG_VALUE);
	if (r->words != NULL)
		assert_non_null(strstr(config_why(), r->words));
	arena_free(a);
}

int
main(void)
{
	struct CMUnitTest tests[sizeof rows / sizeof rows[0]];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, test_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	return cmocka_run_group_tests_name("ekus of a profile", tests, NULL, NULL);
}
