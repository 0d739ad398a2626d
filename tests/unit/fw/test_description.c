/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions: what is taken, and each refusal with its line. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "host/suit/suit_value.h"
#include "muster/cbor.h"
#include "unit/fw/support_fw.h"

/* A good description, of which a row replaces one piece. */
static const char good[] =
    "sequence-number = 7\n" /* line 1 */
    "reference-uri = \"https://example.com/m\"\n"
    "component \"app\" { id = { \"slot\", \"hex:00\" } }\n"
    "component \"boot\" { }\n"
    "sequence \"a\" { do = { \"override-parameters component-slot=0\" } }\n" /* 5 */
    "sequence \"b\" { do = { \"component-slot\", \"fetch policy=15\" } }\n"
    "shared = { \"set-component-index app\",\n"
    "  \"override-parameters vendor-id=dns:example.com class-id=class:example.com/lamp\",\n"
    "  \"vendor-identifier\", \"class-identifier\" }\n"
    "install = { \"set-component-index app boot\", \"try-each a b nothing\",\n" /* 10 */
    "  \"set-component-index all\", \"run-sequence a\" }\n"
    "validate = { \"set-component-index app\", \"image-match\" }\n"
    "text \"en\" { update-description = \"two holes less\"\n"
    "  component \"app\" { vendor-name = \"Example\" } }\n"
    "payload \"#x\" { file = app.bin }\n" /* 15 */
    "sever = { text }\n";

static const struct refusal {
	const char *name, *from, *to;
	mst_err err;
	const char *words; /* that must be in the answer */
} refusals[] = {
	{ "no sequence number", "sequence-number = 7\n", "\n", MST_E_FW_DESCRIPTION,
	    "test.fw:1: sequence-number is missing" },
	{ "SUIT-1.4 sequence number of 65 bits", "= 7", "= 18446744073709551616", MST_E_FW_VALUE,
	    "test.fw:1:" },
	{ "sequence number that is none", "= 7", "= seven", MST_E_FW_VALUE, "test.fw:1:" },
	{ "unknown option", "reference-uri", "reference-url", MST_E_FW_DESCRIPTION, "test.fw:2:" },
	{ "section not closed", "sever = { text }", "sever = { text", MST_E_FW_DESCRIPTION,
	    "not closed" },
	{ "component twice", "component \"boot\"", "component \"app\"", MST_E_FW_DESCRIPTION,
	    "test.fw:4:" },
	{ "component named like an index", "component \"boot\"", "component \"12\"",
	    MST_E_FW_DESCRIPTION, "test.fw:4: this is no name" },
	{ "component named all", "component \"boot\"", "component \"all\"", MST_E_FW_DESCRIPTION,
	    "test.fw:4: this is no name" },
	{ "segment with odd hex", "hex:00", "hex:0", MST_E_FW_VALUE, "test.fw:3:" },
	{ "SUIT-7 unknown command", "\"image-match\"", "\"image-fits\"", MST_E_FW_VALUE,
	    "test.fw:12: there is no command \"image-fits\"" },
	{ "SUIT-7 unassigned command by number", "\"image-match\"", "\"17 int:1\"", MST_E_FW_VALUE,
	    "test.fw:12:" },
	{ "SUIT-24.9 custom command at -256", "\"image-match\"", "\"-256 int:1\"", MST_E_FW_VALUE,
	    "test.fw:12:" },
	{ "custom command without argument", "\"image-match\"", "\"-300\"", MST_E_FW_VALUE,
	    "takes one argument" },
	{ "custom command with a bool", "\"image-match\"", "\"-300 bool:true\"", MST_E_FW_VALUE,
	    "not for a command" },
	{ "SUIT-8 unknown parameter", "component-slot=0", "component-slat=0", MST_E_FW_VALUE,
	    "test.fw:5: there is no parameter \"component-slat\"" },
	{ "SUIT-1.3 parameter twice", "component-slot=0", "component-slot=0 component-slot=1",
	    MST_E_FW_VALUE, "test.fw:5: twice in one command" },
	{ "custom parameter of nothing", "component-slot=0", "-300=nothing", MST_E_FW_VALUE,
	    "test.fw:5:" },
	{ "parameter without value", "component-slot=0", "component-slot", MST_E_FW_VALUE,
	    "no parameter=value" },
	{ "override of nothing", "override-parameters component-slot=0", "override-parameters",
	    MST_E_FW_VALUE, "test.fw:5:" },
	{ "SUIT-7 policy of five bits", "policy=15", "policy=16", MST_E_FW_VALUE,
	    "test.fw:6: a reporting policy" },
	{ "argument that is no policy", "fetch policy=15", "fetch https://example.com",
	    MST_E_FW_VALUE, "test.fw:6:" },
	{ "index of no component", "app boot\"", "app root\"", MST_E_FW_REFERENCE,
	    "test.fw:10: there is no component \"root\"" },
	{ "index beyond the components", "app boot\"", "app 2\"", MST_E_FW_REFERENCE,
	    "test.fw:10:" },
	{ "set-component-index without one", "\"set-component-index all\"",
	    "\"set-component-index\"", MST_E_FW_VALUE, "test.fw:11: which component?" },
	{ "SUIT-9.4 try-each of one", "try-each a b nothing", "try-each a nothing", MST_E_FW_VALUE,
	    "test.fw:10: try-each takes two" },
	{ "try-each of an unknown sequence", "try-each a b", "try-each a c", MST_E_FW_REFERENCE,
	    "test.fw:10: there is no sequence \"c\"" },
	{ "run-sequence of two", "run-sequence a", "run-sequence a b", MST_E_FW_VALUE,
	    "test.fw:11: run-sequence takes one" },
	{ "sequence without commands", "do = { \"override-parameters component-slot=0\" }", "",
	    MST_E_FW_DESCRIPTION, "test.fw:5: no command in sequence" },
	{ "SUIT-9.9 sequence that runs itself", "\"component-slot\", \"fetch",
	    "\"run-sequence b\", \"fetch", MST_E_FW_VALUE, "run themselves" },
	{ "empty command", "\"image-match\"", "\"\"", MST_E_FW_VALUE,
	    "test.fw:12: there is no command" },
	{ "quotation without end", "\"image-match\"", "\"write 'x\"", MST_E_FW_VALUE,
	    "a quotation without its end" },
	{ "SUIT-18 tag of no language", "text \"en\"", "text \"e_n\"", MST_E_FW_VALUE,
	    "test.fw:14:" },
	{ "SUIT-18 language of nine letters", "text \"en\"", "text \"abcdefghi\"", MST_E_FW_VALUE,
	    "test.fw:14:" },
	{ "SUIT-18 text about no component", "component \"app\" { vendor",
	    "component \"apple\" { vendor", MST_E_FW_REFERENCE, "test.fw:14:" },
	{ "payload without file", "{ file = app.bin }", "{ }", MST_E_FW_DESCRIPTION,
	    "test.fw:15:" },
	{ "file that is not there", "app.bin", "gone.bin", MST_E_NOT_FOUND, "gone.bin" },
	{ "SUIT-6 severed validate", "sever = { text }", "sever = { validate }", MST_E_FW_VALUE,
	    "test.fw:16: this can not be severed" },
	{ "SUIT-6 severed where there is none", "sever = { text }", "sever = { payload-fetch }",
	    MST_E_FW_SEVERABLE, "there is no payload-fetch" },
	{ "text that is no UTF-8", "two holes less", "two \xff\xfe less", MST_E_CBOR_UTF8, "" },
};
#define REFUSALS (sizeof refusals / sizeof refusals[0])

static const char *
replaced(struct arena *a, const char *from, const char *to)
{
	const char *at = strstr(good, from);

	if (at == NULL)
		fail_msg("\"%s\" is not in the good one", from);
	return arena_printf(a, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
}

static void
refused_by_name(void **state)
{
	const struct refusal *w = *state;
	struct arena *a = arena_new(0);
	mst_span out;
	mst_err e = fw_build(a, replaced(a, w->from, w->to), fw_good_files, &out);

	if (e != w->err || strstr(suit_author_why(), w->words) == NULL)
		fail_msg(
		    "%s: %s", e == MST_OK ? "accepted" : mst_err_info(e)->name, suit_author_why());
	arena_free(a);
}

static void
good_one_is_taken(void **state)
{
	struct arena *a = arena_new(0);
	struct suit_envelope env;

	(void)state;
	assert_int_equal(suit_envelope_read(fw_must(a, good, fw_good_files), &env), MST_OK);
	assert_int_equal(suit_envelope_covers(&env), MST_OK);
	assert_int_equal(env.member_count, 2);
	arena_free(a);
}

/* --- values: the parameter as it comes out --- */

static const struct value {
	const char *parameter, *hex; /* hex NULL: refused */
} values[] = {
	{ "image-size=0x10", "10" },
	{ "image-size=18446744073709551615", "1bffffffffffffffff" },
	{ "image-size=18446744073709551616", NULL },
	{ "image-size=-1", NULL },
	{ "image-size=", NULL },
	{ "image-size=file:app.bin", "12" },
	{ "use-before=2026-11-24T00:00:00Z", "1a6b04d380" },
	{ "use-before=1700000000", "1a6553f100" },
	{ "use-before=tomorrow", NULL },
	{ "vendor-id=uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
	    "506ba7b8109dad11d180b400c04fd430c8" },
	{ "vendor-id=uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c", NULL },
	{ "vendor-id=uuid:6ba7b8109-dad-11d1-80b4-00c04fd430c8", NULL },
	{ "vendor-id=hex:00", NULL },
	{ "vendor-id=example.com", NULL },
	{ "vendor-id=dns:", NULL },
	{ "vendor-id=dns:arm.com", "50fa6b4a53d5ad5fdfbe9de663e4d41ffe" },
	{ "vendor-id=pen:0", "d8704100" },
	{ "vendor-id=pen:32473", "d8704381fd59" },
	{ "class-id=pen:32473", NULL },
	{ "class-id=class:arm.com/", NULL },
	{ "class-id=class:/lamp", NULL },
	{ "strict-order=true", "f5" },
	{ "strict-order=yes", NULL },
	{ "uri=https://example.com/a?b=c", "7819"
	                                   "68747470733a2f2f6578616d706c652e636f6d2f613f623d63" },
	{ "content=hex:0102", "420102" },
	{ "content=base64:AQI=", "420102" },
	{ "content='text:a b'", "43612062" },
	{ "content=bare", NULL },
	{ "version=>=1.2.3", "46820283010203" },
	{ "version=<1.2-rc.3", "4782058401022003" },
	{ "version==1", "4482038101" },
	{ "version=1.2", NULL },
	{ "version=>1.2.3.4", NULL },
	{ "version=>rc", NULL },
	{ "version=>1-gamma", NULL },
	{ "version=>1.2-rc-beta", NULL },
	{ "version=>1.-rc", NULL },
	{ "wait-info=authorization:1,time:5", "45a201010505" },
	{ "wait-info=time:-1", NULL },
	{ "wait-info=power:1,power:2", NULL },
	{ "wait-info=tide:1", NULL },
	{ "wait-info=hex:a10101", "43a10101" },
	{ "wait-info=hex:bf0101ff", NULL },
	{ "update-priority=-5", "24" },
	{ "source-component=boot", "01" },
	{ "source-component=root", NULL },
	{ "image-digest=hex:00", NULL },
	{ "image-digest=md5:00", NULL },
	{ "image-digest=manifest:app.bin", NULL },
	{ "-300=int:-1", "20" },
	{ "-300=bool:false", "f4" },
	{ "-300=text:x", "6178" },
	{ "-256=int:1", NULL },
	{ "-300=1", NULL },
};
#define VALUES (sizeof values / sizeof values[0])

static void
value_as_it_comes_out(void **state)
{
	const struct value *w = *state;
	struct arena *a = arena_new(0);
	struct suit_envelope env;
	uint8_t want[64];
	size_t n = 0;
	mst_span out = MST_NONE;
	mst_err e = fw_build(a, replaced(a, "component-slot=0", w->parameter), fw_good_files, &out);

	if (w->hex == NULL) {
		if (e == MST_OK)
			fail_msg("%s was taken", w->parameter);
		assert_non_null(strstr(suit_author_why(), "test.fw:5:"));
		arena_free(a);
		return;
	}
	if (e != MST_OK)
		fail_msg("%s", suit_author_why());
	for (const char *p = w->hex; *p != '\0'; p += 2) {
		unsigned byte;

		assert_int_equal(sscanf(p, "%2x", &byte), 1);
		want[n++] = (uint8_t)byte;
	}
	assert_int_equal(suit_envelope_read(out, &env), MST_OK);
	assert_non_null(memmem(env.manifest.ptr, env.manifest.len, want, n));
	arena_free(a);
}

/* RFC 9562 A.4: DNS namespace, www.example.com. */
static void
uuid5_of_the_rfc(void **state)
{
	static const uint8_t dns[16] = { 0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4,
		0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 };
	static const uint8_t want[16] = { 0x2e, 0xd6, 0x65, 0x7d, 0xe9, 0x27, 0x56, 0x8b, 0x95,
		0xe1, 0x26, 0x65, 0xa8, 0xae, 0xa6, 0xa2 };
	uint8_t out[16];

	(void)state;
	assert_int_equal(value_uuid5(dns, MST_LIT("www.example.com"), out), MST_OK);
	assert_memory_equal(out, want, 16);
}

/* override-multiple and copy-params of several components are one command each (UM 5.7, 5.8). */
static void
several_components_in_one_command(void **state)
{
	static const uint8_t multiple[] = { 0x18, 0x22, 0xa2, 0x00, 0xa1, 0x05, 0x00, 0x01, 0xa1,
		0x05, 0x01 };
	static const uint8_t copy[] = { 0x18, 0x23, 0xa2, 0x00, 0x82, 0x15, 0x03, 0x01, 0x81,
		0x0e };
	struct arena *a = arena_new(0);
	struct suit_envelope env;
	const char *text = replaced(a, "\"set-component-index all\"",
	    "\"override-multiple app component-slot=0 -- boot component-slot=1\", "
	    "\"copy-params app uri image-digest -- boot image-size\", \"set-component-index all\"");

	(void)state;
	assert_int_equal(suit_envelope_read(fw_must(a, text, fw_good_files), &env), MST_OK);
	assert_non_null(memmem(env.manifest.ptr, env.manifest.len, multiple, sizeof multiple));
	assert_non_null(memmem(env.manifest.ptr, env.manifest.len, copy, sizeof copy));
	arena_free(a);
}

int
main(void)
{
	static struct CMUnitTest tests[REFUSALS + VALUES + 3];
	static char names[VALUES][96];
	size_t n = 0;

	for (size_t i = 0; i < REFUSALS; i++)
		tests[n++] = (struct CMUnitTest){ refusals[i].name, refused_by_name, NULL, NULL,
			(void *)(uintptr_t)&refusals[i] };
	for (size_t i = 0; i < VALUES; i++) {
		snprintf(names[i], sizeof names[i], "SUIT-8 %s %s", values[i].parameter,
		    values[i].hex != NULL ? "is taken" : "is refused");
		tests[n++] = (struct CMUnitTest){ names[i], value_as_it_comes_out, NULL, NULL,
			(void *)(uintptr_t)&values[i] };
	}
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(good_one_is_taken);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(uuid5_of_the_rfc);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(several_components_in_one_command);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
