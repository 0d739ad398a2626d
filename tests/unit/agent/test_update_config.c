/* SPDX-License-Identifier: Apache-2.0 */
/* The section "update" of muster-agent.conf: what it means, and each option's refusals. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_config.h"
#include "agent/update.h"

#define BASE                                                                                       \
	"state = \"state\"\nidevid_cert = \"id.pem\"\nidevid_key = \"id.key\"\n"                   \
	"masa_anchors = \"masa.pem\"\nregistrars = { \"reg.example:8443\" }\n"
#define MANIFEST "manifest = \"https://u.example/m.suit\"\n"
#define SLOTS "slots = { \"a.bin\", \"/dev/b\" }\n"
#define VENDOR "vendor = \"fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe\"\n"
#define CLASS "class = \"1492af1425695e48bf429b2d51f2ab45\"\n"
#define GOOD MANIFEST SLOTS VENDOR CLASS
#define SECTION(x) BASE "update {\n" x "}\n"

static mst_err
parse(struct arena *a, const char *text, struct agent_config *out)
{
	return agent_config_parse(a, "/etc/muster/agent.conf", text, out);
}

static void
absent(void **state)
{
	struct arena *a = arena_new(0);
	struct update *u = NULL;
	struct agent_config c;

	(void)state;
	assert_int_equal(parse(a, BASE, &c), MST_OK);
	assert_false(c.update.there);
	assert_int_equal(update_open(&c, &u), MST_E_USAGE);
	assert_null(u);
	arena_free(a);
}

static void
defaults(void **state)
{
	static const uint8_t image[] = { 0x81, 0x41, 0x00 }, staging[] = { 0x82, 0x41, 0x00, 0x49,
		'e', 'n', 'c', 'r', 'y', 'p', 't', 'e', 'd' };
	struct arena *a = arena_new(0);
	struct agent_config c;
	const struct agent_update *u = &c.update;

	(void)state;
	assert_int_equal(parse(a, SECTION(GOOD), &c), MST_OK);
	assert_true(u->there);
	assert_string_equal(u->slot[0], "/etc/muster/a.bin");
	assert_string_equal(u->slot[1], "/dev/b");
	assert_int_equal(u->slot_size, 64 << 20);
	assert_true(mst_span_eq(u->component, mst_span_of(image, sizeof image)));
	assert_true(mst_span_eq(u->staging, mst_span_of(staging, sizeof staging)));
	assert_int_equal(u->vendor[0], 0xfa);
	assert_int_equal(u->class_id[15], 0x45);
	assert_string_equal(u->anchors, "/etc/muster/masa.pem");
	assert_int_equal(u->key_count, 0);
	assert_false(u->both);
	assert_null(u->authorize);
	assert_null(u->health);
	assert_null(u->restart);
	assert_null(u->link);
	assert_null(u->report);
	assert_int_equal(u->health_time, 300);
	assert_int_equal(u->tries, 1);
	assert_int_equal(u->poll, 86400);
	arena_free(a);
}

struct row {
	const char *name, *text;
	mst_err e;
};

#define ROW(name, text, e)                                                                         \
	{                                                                                          \
		"update: " name, SECTION(text), e                                                  \
	}
#define BAD(name, text) ROW(name, text, MST_E_CONFIG_VALUE)
#define RANGE(name, text) ROW(name, text, MST_E_CONFIG_SYNTAX) /* the reader's own words */
#define FINE(name, text) ROW(name, text, MST_OK)
#define K "\"k\","

static const struct row rows[] = {
	ROW("no manifest", SLOTS VENDOR CLASS, MST_E_CONFIG_MISSING),
	ROW("no slots", MANIFEST VENDOR CLASS, MST_E_CONFIG_MISSING),
	ROW("no vendor", MANIFEST SLOTS CLASS, MST_E_CONFIG_MISSING),
	ROW("no class", MANIFEST SLOTS VENDOR, MST_E_CONFIG_MISSING),
	FINE("manifest over coaps", "manifest = \"coaps://u/m\"\n" SLOTS VENDOR CLASS),
	BAD("manifest over http", "manifest = \"http://u/m\"\n" SLOTS VENDOR CLASS),
	BAD("manifest over coap", "manifest = \"coap://u/m\"\n" SLOTS VENDOR CLASS),
	BAD("manifest is a file", "manifest = \"file:///m\"\n" SLOTS VENDOR CLASS),
	BAD("manifest is a path", "manifest = \"/m\"\n" SLOTS VENDOR CLASS),
	ROW("one slot", MANIFEST "slots = { \"a\" }\n" VENDOR CLASS, MST_E_CONFIG_MISSING),
	ROW("three slots", MANIFEST "slots = { \"a\", \"b\", \"c\" }\n" VENDOR CLASS,
	    MST_E_CONFIG_MISSING),
	BAD("the same slot twice", MANIFEST "slots = { \"a\", \"a\" }\n" VENDOR CLASS),
	RANGE("slot_size too small", GOOD "slot_size = 65535\n"),
	RANGE("slot_size negative", GOOD "slot_size = -1\n"),
	FINE("component of six segments",
	    GOOD "component = { \"00\",\"01\",\"02\",\"03\",\"04\",\"0a\" }\n"),
	BAD("component of no segment", GOOD "component = {}\n"),
	BAD("component of an empty segment", GOOD "component = { \"\" }\n"),
	BAD("component of half a byte", GOOD "component = { \"0\" }\n"),
	BAD("component that is no hex", GOOD "component = { \"zz\" }\n"),
	BAD("component that ends in a dash", GOOD "component = { \"00-\" }\n"),
	BAD("component of a segment of 65 bytes",
	    GOOD "component = { \"0000000000000000000000000000000000000000000000000000000000000000"
	         "000000000000000000000000000000000000000000000000000000000000000000\" }\n"),
	BAD("vendor too short", MANIFEST SLOTS "vendor = \"00\"\n" CLASS),
	BAD("vendor too long",
	    MANIFEST SLOTS "vendor = \"00112233445566778899aabbccddeeff00\"\n" CLASS),
	BAD("class is a name", MANIFEST SLOTS VENDOR "class = \"lamp\"\n"),
	BAD("nine keys", GOOD "keys = { " K K K K K K K K "\"k\" }\n"),
	FINE("eight keys", GOOD "keys = { " K K K K K K K "\"k\" }\n"),
	FINE("signers both", GOOD "signers = \"both\"\n"),
	RANGE("signers nobody", GOOD "signers = \"nobody\"\n"),
	RANGE("signers site alone", GOOD "signers = \"site\"\n"),
	BAD("link is a slot", GOOD "link = \"a.bin\"\n"),
	BAD("link is the other slot", GOOD "link = \"/dev/b\"\n"),
	RANGE("health_time 0", GOOD "health_time = 0\n"),
	RANGE("health_time over a day", GOOD "health_time = 86401\n"),
	RANGE("tries 0", GOOD "tries = 0\n"),
	RANGE("tries 16", GOOD "tries = 16\n"),
	RANGE("poll negative", GOOD "poll = -1\n"),
	FINE("poll never", GOOD "poll = 0\n"),
	BAD("report over http", GOOD "report = \"http://u/r\"\n"),
	BAD("report over coaps", GOOD "report = \"coaps://u/r\"\n"),
};

static void
row(void **state)
{
	const struct row *r = *state;
	struct arena *a = arena_new(0);
	struct agent_config c;

	assert_int_equal(parse(a, r->text, &c), r->e);
	arena_free(a);
}

int
main(void)
{
	struct CMUnitTest tests[sizeof rows / sizeof rows[0] + 2] = {
		{ "update: the section is absent", absent, NULL, NULL, NULL },
		{ "update: defaults", defaults, NULL, NULL, NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		tests[i + 2] = (struct CMUnitTest){ rows[i].name, row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	return cmocka_run_group_tests_name("update_config", tests, NULL, NULL);
}
