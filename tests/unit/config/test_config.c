/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "server/config/config.h"

#define SITE                                                                                       \
	"state = \"site\"\n"                                                                       \
	"registrar {\n\tcert = \"r.pem\"\n\tkey = \"file:r.key\"\n}\n"                             \
	"ca \"\" {\n\tcert = \"/abs/ca.pem\"\n\tkey = \"pkcs11:token=t;object=ca\"\n}\n"
#define MASA                                                                                       \
	"state = \"m\"\nmasa {\n\tcert = \"c\"\n\tkey = \"k\"\n\turl = \"masa.example\"\n"         \
	"\tidevid_anchors = \"i\"\n\tshort_cert = \"sc\"\n\tshort_key = \"sk\"\n"

static void
good_site(void **state)
{
	struct arena *a = arena_new(0);
	struct config c;

	(void)state;
	assert_int_equal(config_parse(a, "/etc/m/site.conf", SITE, &c), MST_OK);
	assert_string_equal(c.state, "/etc/m/site");
	assert_string_equal(c.database, "/etc/m/site/muster.db");
	assert_non_null(c.registrar);
	assert_null(c.masa);
	assert_null(c.proxy);
	assert_null(c.est);
	assert_null(c.ops);
	assert_string_equal(c.registrar->cert, "/etc/m/r.pem");
	assert_string_equal(c.registrar->key, "/etc/m/r.key");
	assert_string_equal(c.registrar->rvr_key, "/etc/m/r.key"); /* ID-6 */
	assert_int_equal(c.ca_count, 1);
	assert_string_equal(c.cas[0].label, "");
	assert_string_equal(c.cas[0].cert, "/abs/ca.pem");
	assert_string_equal(c.cas[0].key, "pkcs11:token=t;object=ca");
	assert_int_equal(c.cas[0].profile_count, 1);
	assert_string_equal(c.cas[0].profiles[0].name, "device");
	assert_int_equal(c.http.body_bytes, 65536); /* est.md H9 */
	assert_int_equal(c.log_format, LOG_JSON);
	arena_free(a);
}

static void
good_masa(void **state)
{
	struct arena *a = arena_new(0);
	struct config c;

	(void)state;
	assert_int_equal(
	    config_parse(a, "x.conf", MASA "\tproduct \"old\" {\n\t\tid_data = true\n\t}\n}\n", &c),
	    MST_OK);
	assert_string_equal(c.state, "./m");
	assert_true(c.masa->require_prior);
	assert_int_equal(c.masa->product_count, 1);
	assert_true(c.masa->products[0].id_data);
	arena_free(a);
}

static void
good_label_U2(void **state)
{
	struct arena *a = arena_new(0);
	struct config c;

	(void)state;
	assert_int_equal(
	    config_parse(a, "t.conf",
	        "state = \"s\"\nregistrar {\n\tcert = \"c\"\n\tkey = \"k\"\n}\n"
	        "ca \"\" {\n\tcert = \"c\"\n\tkey = \"k\"\n}\n"
	        "ca \"lab\" {\n\tcert = \"c\"\n\tkey = \"k\"\n"
	        "\tmanufacturers = {\"acme\", \"zeta works\"}\n\tusers = {\"alice\"}\n}\n",
	        &c),
	    MST_OK);
	assert_int_equal(c.cas[0].manufacturer_count, 0);
	assert_int_equal(c.cas[0].user_count, 0);
	assert_int_equal(c.cas[1].manufacturer_count, 2);
	assert_string_equal(c.cas[1].manufacturers[1], "zeta works");
	assert_int_equal(c.cas[1].user_count, 1);
	assert_string_equal(c.cas[1].users[0], "alice");
	arena_free(a);
}

struct bad {
	const char *name, *text;
	mst_err err;
	const char *words; /* must stand in config_why() */
};
static const struct bad bad[] = {
	{ "unknown option", SITE "colour = 1\n", MST_E_CONFIG_SYNTAX, "t.conf:10: " },
	{ "not closed", "registrar {\n", MST_E_CONFIG_SYNTAX, "t.conf:" },
	{ "wrong type", "loops = \"many\"\n" SITE, MST_E_CONFIG_SYNTAX, "t.conf:1: " },
	{ "out of range", "loops = 0\n" SITE, MST_E_CONFIG_SYNTAX, "from 1 to 64" },
	{ "range in a section", SITE "http {\n\tbody_ms = 1\n}\n", MST_E_CONFIG_SYNTAX, "body_ms" },
	{ "word", "log {\n\tformat = \"xml\"\n}\n" SITE, MST_E_CONFIG_SYNTAX,
	    "json journald text" },
	{ "no role", "state = \"s\"\n", MST_E_CONFIG_MISSING, "no role" },
	{ "no state", "proxy {\n\tregistrar = \"r:1\"\n}\n", MST_E_CONFIG_MISSING, "\"state\"" },
	{ "no cert", "state = \"s\"\nregistrar {\n\tkey = \"k\"\n}\n", MST_E_CONFIG_MISSING,
	    "section \"registrar\" lacks \"cert\"" },
	{ "no ca", "state = \"s\"\nregistrar {\n\tcert = \"c\"\n\tkey = \"k\"\n}\n",
	    MST_E_CONFIG_MISSING, "needs a section ca" },
	{ "half a pair", MASA "\tlong_cert = \"x\"\n}\n", MST_E_CONFIG_MISSING, "go together" },
	{ "one key for both vouchers (SEC-2)", MASA "\tlong_cert = \"x\"\n\tlong_key = \"sk\"\n}\n",
	    MST_E_CONFIG_VALUE, "long_key" },
	{ "metrics for everybody", SITE "ops {\n\tlisten = \"0.0.0.0:9464\"\n}\n",
	    MST_E_CONFIG_VALUE, "loopback" },
	{ "JP-U2 jpy without coaps",
	    "state = \"s\"\nregistrar {\n\tcert = \"c\"\n\tkey = \"k\"\n\tjpy = \"[::]:7634\"\n}\n",
	    MST_E_CONFIG_MISSING, "jpy needs coaps" },
	{ "JP-U4 a UDP registrar without a join port",
	    "state = \"s\"\nproxy {\n\tdiscover = true\n\tudp_registrar = \"jpy://[::1]:1\"\n}\n",
	    MST_E_CONFIG_MISSING, "udp_listen" },
	{ "JP-U1 no mapping per pledge",
	    "state = \"s\"\nproxy {\n\tudp_listen = \"[::]:1\"\n\tudp_per_pledge = 0\n}\n",
	    MST_E_CONFIG_SYNTAX, "udp_per_pledge" },
	{ "JP-U3 a key for ever",
	    "state = \"s\"\nproxy {\n\tudp_listen = \"[::]:1\"\n\tudp_key_hours = 9000\n}\n",
	    MST_E_CONFIG_SYNTAX, "udp_key_hours" },
	{ "DI-7 discovery without interfaces", SITE "discovery {\n\tcoap = true\n}\n",
	    MST_E_CONFIG_MISSING, "interfaces" },
	{ "DI-7 discovery, a name that no interface has",
	    SITE "discovery {\n\tinterfaces = { \"sixteen-letters-\" }\n}\n", MST_E_CONFIG_VALUE,
	    "sixteen-letters-" },
	{ "DI-7 discovery, no name", SITE "discovery {\n\tinterfaces = { \"\" }\n}\n",
	    MST_E_CONFIG_VALUE, "interface" },
	{ "DI-7 discovery, more than 16 interfaces",
	    SITE "discovery {\n\tinterfaces = { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q "
	         "}\n}\n",
	    MST_E_CONFIG_VALUE, "16" },
	{ "DI-1 floods more often than each 60 s",
	    SITE "discovery {\n\tinterfaces = { a }\n\tflood_seconds = 59\n}\n",
	    MST_E_CONFIG_SYNTAX, "flood_seconds" },
	{ "DI-7 no bound on answers",
	    SITE "discovery {\n\tinterfaces = { a }\n\tanswers_per_second = 0\n}\n",
	    MST_E_CONFIG_SYNTAX, "answers_per_second" },
	{ "discovery of a MASA alone", MASA "}\ndiscovery {\n\tinterfaces = { a }\n}\n",
	    MST_E_CONFIG_MISSING, "registrar or proxy" },
	{ "proxy to nowhere", "state = \"s\"\nproxy {\n}\n", MST_E_CONFIG_MISSING, "discover" },
	{ "basic without a file", SITE "est {\n\tbasic = true\n}\n", MST_E_CONFIG_MISSING,
	    "basic_file" },
	{ "ca for a nameless one (U2)",
	    "state = \"s\"\nregistrar {\n\tcert = \"c\"\n\tkey = \"k\"\n}\nca \"lab\" {\n"
	    "\tcert = \"c\"\n\tkey = \"k\"\n\tmanufacturers = {\"a\", \"\"}\n}\n",
	    MST_E_CONFIG_VALUE, "manufacturers" },
	{ "est without registrar", MASA "}\nest {\n}\n", MST_E_CONFIG_MISSING, "est needs" },
	{ "profile without clientAuth",
	    "state = \"s\"\nregistrar {\n\tcert = \"c\"\n\tkey = \"k\"\n}\nca \"\" {\n\tcert = "
	    "\"c\"\n"
	    "\tkey = \"k\"\n\tprofile \"p\" {\n\t\tekus = \"1.2.3\"\n\t}\n}\n",
	    MST_E_CONFIG_VALUE, "clientAuth" },
};

static void
refused(void **state)
{
	const struct bad *b = *state;
	struct arena *a = arena_new(0);
	struct config c = { .loops = 77 };

	assert_int_equal(config_parse(a, "t.conf", b->text, &c), b->err);
	assert_int_equal(c.loops, 77); /* written only on success */
	if (strstr(config_why(), b->words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", config_why(), b->words);
	arena_free(a);
}

/* constrained-join-proxy 4.3, 4.5.5: the defaults are those of the draft */
static void
good_discovery_DI_1_DI_7(void **state)
{
	struct arena *a = arena_new(0);
	struct config c;

	(void)state;
	assert_int_equal(config_parse(a, "x.conf",
	                     SITE "discovery {\n\tinterfaces = { \"eth0\", \"wpan0\" }\n}\n", &c),
	    MST_OK);
	assert_int_equal(c.discovery->interface_count, 2);
	assert_string_equal(c.discovery->interfaces[1], "wpan0");
	assert_int_equal(c.discovery->registrar_interface_count, 0); /* not where pledges are */
	assert_true(c.discovery->coap);
	assert_false(c.discovery->grasp); /* RFC 8995 4.1.1: the registrar MAY */
	assert_int_equal(c.discovery->leisure_ms, 5000); /* RFC 7252 4.8 */
	assert_int_equal(c.discovery->flood_seconds, 60); /* RFC 8995 4.3 */
	assert_int_equal(config_parse(a, "x.conf", SITE, &c), MST_OK);
	assert_null(c.discovery);
	arena_free(a);
}

static void
good_udp_proxy_JP_U1_JP_U3(void **state)
{
	struct arena *a = arena_new(0);
	struct config c;

	(void)state;
	assert_int_equal(config_parse(a, "t.conf",
	                     "state = \"s\"\nproxy {\n\tudp_listen = \"[::]:5685\"\n}\n", &c),
	    MST_OK);
	assert_string_equal(c.proxy->udp_listen, "[::]:5685");
	assert_null(c.proxy->udp_registrar);
	assert_int_equal(c.proxy->udp_idle_ms, 30000);
	assert_int_equal(c.proxy->udp_per_pledge, 2);
	assert_int_equal(c.proxy->udp_per_interface, 10);
	assert_int_equal(c.proxy->udp_key_hours, 24);
	assert_false(c.proxy->udp_any_source);
	arena_free(a);
}

static void
missing_file(void **state)
{
	struct arena *a = arena_new(0);
	struct config c;

	(void)state;
	assert_int_equal(config_load(a, "/nonexistent/x.conf", &c), MST_E_NOT_FOUND);
	assert_non_null(strstr(config_why(), "/nonexistent/x.conf"));
	arena_free(a);
}

/* Every strict prefix of a good file is either refused or a good file itself; it never crashes. */
static void
prefixes(void **state)
{
	char text[sizeof SITE];
	int accepted = 0;

	(void)state;
	for (size_t n = 0; n < sizeof SITE - 1; n++) {
		struct arena *a = arena_new(0);
		struct config c;

		memcpy(text, SITE, n);
		text[n] = '\0';
		accepted += config_parse(a, "t.conf", text, &c) == MST_OK;
		arena_free(a);
	}
	assert_in_range(accepted, 0, 1); /* only the one without the last newline */
}

int
main(void)
{
	struct CMUnitTest tests[6 + sizeof bad / sizeof bad[0]] = { cmocka_unit_test(good_site),
		cmocka_unit_test(good_masa), cmocka_unit_test(good_label_U2),
		cmocka_unit_test(good_udp_proxy_JP_U1_JP_U3),
		cmocka_unit_test(good_discovery_DI_1_DI_7), cmocka_unit_test(missing_file),
		cmocka_unit_test(prefixes) };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		tests[6 + i] = (struct CMUnitTest){ bad[i].name, refused, NULL, NULL,
			(void *)(uintptr_t)&bad[i] };
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
