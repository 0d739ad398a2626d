/* SPDX-License-Identifier: Apache-2.0 */
/* muster-agent.conf: what is read, and what is refused with file, line and word. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/agent_config.h"
#include "host/log.h"

#define BASE                                                                                       \
	"state = \"state\"\nidevid_cert = \"id.pem\"\nidevid_key = \"id.key\"\n"                   \
	"masa_anchors = \"masa.pem\"\n"
#define PEER "registrars = { \"reg.example:8443\" }\n"
#define GOOD BASE PEER

static mst_err
parse(struct arena *a, const char *text, struct agent_config *out)
{
	return agent_config_parse(a, "/etc/muster/agent.conf", text, out);
}

static void
defaults(void **state)
{
	struct arena *a = arena_new(0);
	struct agent_config c;

	(void)state;
	assert_int_equal(parse(a, GOOD, &c), MST_OK);
	assert_string_equal(c.state, "/etc/muster/state");
	assert_string_equal(c.idevid_key, "/etc/muster/id.key");
	assert_int_equal(c.registrar_count, 1);
	assert_string_equal(c.registrars[0], "https://reg.example:8443");
	assert_false(c.discover);
	assert_false(c.refuse_nonceless);
	assert_int_equal(c.clock, AGENT_CLOCK_TRUSTED);
	assert_int_equal(c.media, MST_MEDIA_CMS_JSON);
	assert_true(c.renew_after > 0.666 && c.renew_after < 0.667);
	assert_int_equal(c.timers.stall, 5);
	assert_int_equal(c.timers.retry_after_cap, 60);
	assert_int_equal(c.timers.pending_max, 4 * 86400);
	assert_int_equal(c.timers.peer_gap, 4);
	assert_int_equal(c.timers.backoff_max, 3600);
	assert_int_equal(c.log_format, LOG_JSON);
	assert_int_equal(c.log_level, LOG_INFO_);
	arena_free(a);
}

static void
constrained(void **state)
{
	struct arena *a = arena_new(0);
	struct agent_config c;

	(void)state;
	assert_int_equal(parse(a, GOOD, &c), MST_OK);
	assert_int_equal(c.transport, AGENT_HTTPS);
	assert_int_equal(c.timers.answer_max, 30);
	assert_int_equal(parse(a,
	                     BASE "transport = \"coaps\"\nregistrars = { "
	                          "\"[fe80::1%eth0]:5684\", \"coaps://r.example:1\" }\n",
	                     &c),
	    MST_OK);
	assert_int_equal(c.transport, AGENT_COAPS);
	assert_int_equal(c.media, MST_MEDIA_COSE_CBOR);
	assert_int_equal(c.coap_block, 256);
	assert_int_equal(c.coap_fragment, 1024);
	assert_int_equal(c.timers.answer_max, 120);
	assert_string_equal(c.registrars[0], "coaps://[fe80::1%25eth0]:5684");
	assert_string_equal(c.registrars[1], "coaps://r.example:1");
	/* 13.6: COSE over HTTPS is a matter of the voucher alone */
	assert_int_equal(parse(a, GOOD "voucher = \"cose\"\n", &c), MST_OK);
	assert_int_equal(c.transport, AGENT_HTTPS);
	assert_int_equal(c.media, MST_MEDIA_COSE_CBOR);
	arena_free(a);
}

static void
everything(void **state)
{
	struct arena *a = arena_new(0);
	struct agent_config c;

	(void)state;
	assert_int_equal(
	    parse(a,
	        "state = \"/var/lib/muster-agent\"\nidevid_cert = \"/f/id.pem\"\n"
	        "idevid_key = \"pkcs11:token=dev;object=idevid\"\nmasa_anchors = \"/f/masa.pem\"\n"
	        "registrars = { \"192.0.2.1:443\", \"[2001:db8::1]:8443\",\n"
	        "\t\"[fe80::1%eth0]:443\", \"https://r.example:1\" }\n"
	        "discover = true\nvoucher = \"jws\"\nrefuse_nonceless = yes\nclock = \"none\"\n"
	        "renew_after = 0.5\n"
	        "timers {\n\tstall = 6\n\tretry_after_cap = 7\n\tpending_max = 80\n"
	        "\tpending_share = 9\n\tpeer_gap = 3\n\tbackoff_first = 2\n\tbackoff_max = 11\n"
	        "\tanswer_max = 12\n}\nlog {\n\tformat = \"text\"\n\tlevel = \"debug\"\n}\n",
	        &c),
	    MST_OK);
	assert_string_equal(c.state, "/var/lib/muster-agent");
	assert_string_equal(c.idevid_key, "pkcs11:token=dev;object=idevid");
	assert_int_equal(c.registrar_count, 4);
	assert_string_equal(c.registrars[1], "https://[2001:db8::1]:8443");
	assert_string_equal(c.registrars[2], "https://[fe80::1%25eth0]:443");
	assert_string_equal(c.registrars[3], "https://r.example:1");
	assert_true(c.discover && c.refuse_nonceless);
	assert_int_equal(c.media, MST_MEDIA_JWS_JSON);
	assert_int_equal(c.clock, AGENT_CLOCK_NONE);
	assert_true(c.renew_after == 0.5);
	assert_int_equal(c.timers.stall, 6);
	assert_int_equal(c.timers.pending_max, 80);
	assert_int_equal(c.timers.answer_max, 12);
	assert_int_equal(c.log_format, LOG_TEXT);
	assert_int_equal(c.log_level, LOG_DEBUG_);
	arena_free(a);
}

struct bad {
	const char *name, *text;
	mst_err err;
	const char *words; /* in agent_config_why() */
};
static const struct bad bads[] = {
	{ "no state", "idevid_cert = \"a\"\nidevid_key = \"b\"\nmasa_anchors = \"c\"\n" PEER,
	    MST_E_CONFIG_MISSING, "\"state\"" },
	{ "no IDevID", "state = \"s\"\nidevid_key = \"b\"\nmasa_anchors = \"c\"\n" PEER,
	    MST_E_CONFIG_MISSING, "\"idevid_cert\"" },
	{ "no IDevID key", "state = \"s\"\nidevid_cert = \"b\"\nmasa_anchors = \"c\"\n" PEER,
	    MST_E_CONFIG_MISSING, "\"idevid_key\"" },
	{ "RFC8995-7.2 no anchors", "state = \"s\"\nidevid_cert = \"a\"\nidevid_key = \"b\"\n" PEER,
	    MST_E_CONFIG_MISSING, "\"masa_anchors\"" },
	{ "empty state", "state = \"\"\n" GOOD "state = \"\"\n", MST_E_CONFIG_MISSING,
	    "\"state\"" },
	{ "nobody to ask", BASE, MST_E_CONFIG_MISSING, "discover" },
	{ "unknown word", GOOD "skip_checks = true\n", MST_E_CONFIG_SYNTAX, ":6:" },
	{ "unknown word in a section", GOOD "log {\n\tcolour = 1\n}\n", MST_E_CONFIG_SYNTAX,
	    "colour" },
	{ "open section", GOOD "log {\n\tlevel = \"info\"\n", MST_E_CONFIG_SYNTAX, "not closed" },
	{ "open string", GOOD "clock = \"none\n", MST_E_CONFIG_SYNTAX, "" },
	{ "unknown clock", GOOD "clock = \"sundial\"\n", MST_E_CONFIG_SYNTAX, "one of" },
	{ "two words for one", GOOD "clock = \"trusted untrusted\"\n", MST_E_CONFIG_SYNTAX,
	    "one of" },
	{ "unknown transport", GOOD "transport = \"udp\"\n", MST_E_CONFIG_SYNTAX, "one of" },
	{ "13.6 CMS over CoAPS", GOOD "transport = \"coaps\"\nvoucher = \"cms\"\n",
	    MST_E_CONFIG_VALUE, "voucher" },
	{ "13.6 JWS over CoAPS", GOOD "transport = \"coaps\"\nvoucher = \"jws\"\n",
	    MST_E_CONFIG_VALUE, "voucher" },
	{ "https address with coaps",
	    BASE "transport = \"coaps\"\nregistrars = { \"https://a:443\" }\n", MST_E_CONFIG_VALUE,
	    "registrars" },
	{ "CO-4 block of 200", GOOD "coap {\n\tblock = 200\n}\n", MST_E_CONFIG_VALUE, "block" },
	{ "CO-4 block of 1024", GOOD "coap {\n\tblock = 1024\n}\n", MST_E_CONFIG_SYNTAX,
	    "from 16 to 512" },
	{ "13.2 fragment of 600", GOOD "coap {\n\tfragment = 600\n}\n", MST_E_CONFIG_VALUE,
	    "fragment" },
	{ "13.2 block that fits no record", GOOD "coap {\n\tblock = 512\n\tfragment = 512\n}\n",
	    MST_E_CONFIG_VALUE, "block" },
	{ "unknown voucher form", GOOD "voucher = \"xml\"\n", MST_E_CONFIG_SYNTAX, "one of" },
	{ "unknown level", GOOD "log {\n\tlevel = \"loud\"\n}\n", MST_E_CONFIG_SYNTAX, "one of" },
	{ "RFC8995-5.6 Retry-After beyond 60", GOOD "timers {\n\tretry_after_cap = 61\n}\n",
	    MST_E_CONFIG_SYNTAX, "from 1 to 60" },
	{ "RFC8995-4.1 back-off beyond an hour", GOOD "timers {\n\tbackoff_max = 3601\n}\n",
	    MST_E_CONFIG_SYNTAX, "3600" },
	{ "RFC8995-5.6 pending beyond four days", GOOD "timers {\n\tpending_max = 345601\n}\n",
	    MST_E_CONFIG_SYNTAX, "345600" },
	{ "no stall", GOOD "timers {\n\tstall = 0\n}\n", MST_E_CONFIG_SYNTAX, "from 1" },
	{ "negative gap", GOOD "timers {\n\tpeer_gap = -1\n}\n", MST_E_CONFIG_SYNTAX, "from 1" },
	{ "number beyond a long", GOOD "timers {\n\tstall = 99999999999999999999\n}\n",
	    MST_E_CONFIG_SYNTAX, "" },
	{ "back-off upside down", GOOD "timers {\n\tbackoff_first = 9\n\tbackoff_max = 8\n}\n",
	    MST_E_CONFIG_VALUE, "backoff_first" },
	{ "renewal at birth", GOOD "renew_after = 0.0\n", MST_E_CONFIG_SYNTAX, "0.05" },
	{ "renewal after the end", GOOD "renew_after = 1.1\n", MST_E_CONFIG_SYNTAX, "0.9" },
	{ "renewal that is no number", GOOD "renew_after = nan\n", MST_E_CONFIG_SYNTAX, "" },
	{ "nine registrars",
	    BASE "registrars = { \"a:1\",\"a:2\",\"a:3\",\"a:4\",\"a:5\",\"a:6\",\"a:7\",\"a:8\","
	         "\"a:9\" }\n",
	    MST_E_CONFIG_VALUE, "at most 8" },
	{ "registrar without a port", BASE "registrars = { \"reg.example\" }\n", MST_E_CONFIG_VALUE,
	    "reg.example" },
	{ "registrar with port 0", BASE "registrars = { \"a:0\" }\n", MST_E_CONFIG_VALUE, "" },
	{ "registrar with port 65536", BASE "registrars = { \"a:65536\" }\n", MST_E_CONFIG_VALUE,
	    "" },
	{ "registrar with an empty port", BASE "registrars = { \"a:\" }\n", MST_E_CONFIG_VALUE,
	    "" },
	{ "registrar without a host", BASE "registrars = { \":443\" }\n", MST_E_CONFIG_VALUE, "" },
	{ "registrar with a path", BASE "registrars = { \"https://a:443/x\" }\n",
	    MST_E_CONFIG_VALUE, "" },
	{ "registrar in clear text", BASE "registrars = { \"http://a:80\" }\n", MST_E_CONFIG_VALUE,
	    "" },
	{ "registrar with a user", BASE "registrars = { \"me@a:443\" }\n", MST_E_CONFIG_VALUE, "" },
	{ "bare IPv6 address", BASE "registrars = { \"2001:db8::1:443\" }\n", MST_E_CONFIG_VALUE,
	    "" },
	{ "open bracket", BASE "registrars = { \"[2001:db8::1:443\" }\n", MST_E_CONFIG_VALUE, "" },
	{ "name in brackets", BASE "registrars = { \"[reg]:443\" }\n", MST_E_CONFIG_VALUE, "" },
	{ "empty zone", BASE "registrars = { \"[fe80::1%]:443\" }\n", MST_E_CONFIG_VALUE, "" },
};

static void
refused(void **state)
{
	const struct bad *b = *state;
	struct arena *a = arena_new(0);
	struct agent_config c = { .path = "untouched" };

	assert_int_equal(parse(a, b->text, &c), b->err);
	assert_string_equal(c.path, "untouched");
	if (strstr(agent_config_why(), b->words) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", agent_config_why(), b->words);
	assert_non_null(strstr(agent_config_why(), "agent.conf"));
	arena_free(a);
}

static void
no_file(void **state)
{
	struct arena *a = arena_new(0);
	struct agent_config c;

	(void)state;
	assert_int_equal(agent_config_load(a, "/nonexistent/agent.conf", &c), MST_E_NOT_FOUND);
	assert_non_null(strstr(agent_config_why(), "/nonexistent"));
	arena_free(a);
}

int
main(void)
{
	enum { ROWS = sizeof bads / sizeof bads[0] };
	static struct CMUnitTest tests[ROWS + 4] = {
		{ "section-9 defaults", defaults, NULL, NULL, NULL },
		{ "13 transport", constrained, NULL, NULL, NULL },
		{ "every option", everything, NULL, NULL, NULL },
		{ "no such file", no_file, NULL, NULL, NULL },
	};
	static char names[ROWS][96];

	for (size_t i = 0; i < ROWS; i++) {
		snprintf(names[i], sizeof names[i], "refused: %s", bads[i].name);
		tests[4 + i] = (struct CMUnitTest){ names[i], refused, NULL, NULL,
			(void *)(uintptr_t)&bads[i] };
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
