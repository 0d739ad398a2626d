/* SPDX-License-Identifier: Apache-2.0 */
/* fw dry-run, fw report: what a device would do, and whether what one says can be true. */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd_fw.h"
#include "cli/cmd_inspect.h"
#include "host/conf.h"
#include "host/file.h"
#include "host/suit/suit_dryrun.h"
#include "host/suit/suit_replay.h"
#include "host/suit/suit_value.h"
#include "host/suit_text.h"
#include "muster/cbor.h"

#define DEPENDENCIES_MAX 8

static int
take_nonce(struct cli *c, mst_span *out)
{
	const char *text = cli_option(c, "nonce");
	struct suit_values v = { .a = c->a };
	mst_err e;

	*out = MST_NONE;
	if (text == NULL)
		return CLI_OK;
	e = value_bytes(&v, mst_span_str(text), VALUE_PREFIXED, out);
	return e == MST_OK ? CLI_OK : cli_fail(c, CLI_USAGE, "--nonce: %s", suit_author_why());
}

/* "20" "install"; of what is no element of a manifest a word alone. */
static const char *
section_name(struct cli *c, int64_t section)
{
	switch (section) {
	case MST_SUIT_AT_ENVELOPE: return "envelope";
	case MST_SUIT_AT_AUTHENTICATION: return "authentication-wrapper";
	case MST_SUIT_AT_MANIFEST: return "manifest";
	case MST_SUIT_AT_NOWHERE: return "";
	default: return suit_text_section(c->a, section);
	}
}

static json_t *
path_of(const uint16_t *path, unsigned depth)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < depth; i++)
		json_array_append_new(list, json_integer(path[i]));
	return list;
}

/* --- dry-run --- */

static json_t *
measured_of(struct cli *c, mst_span pairs)
{
	struct mst_cbor_reader r;
	json_t *o = json_object();

	mst_cbor_init(&r, pairs);
	while (pairs.ptr != NULL && mst_cbor_more(&r)) {
		int64_t key = mst_cbor_int(&r);
		mst_span value = mst_cbor_raw(&r);

		if (r.err != MST_OK)
			break;
		json_object_set_new(o, suit_text_parameter(c->a, key),
		    json_string(suit_text_value(c->a, key, value)));
	}
	return o;
}

static json_t *
traced(struct cli *c, const struct suit_traced *t)
{
	const struct mst_err_info *i = t->result != MST_OK ? mst_err_info(t->result) : NULL;

	return json_pack("{s:s,s:I,s:s,s:I,s:s,s:o,s:o,s:o,s:s,s:s?,s:s?,s:o}", "procedure",
	    t->procedure, "section", (json_int_t)t->section, "section_name",
	    section_name(c, t->section), "offset", (json_int_t)t->offset, "command",
	    suit_text_command(c->a, t->command), "component",
	    t->component >= 0 ? json_integer(t->component) : json_null(), "component_id",
	    t->id.ptr != NULL ? json_string(suit_text_id(c->a, t->id)) : json_null(), "manifest",
	    path_of(t->path, t->depth), "how", t->how, "code", i != NULL ? i->code : NULL, "name",
	    i != NULL ? i->name : NULL, "measured", measured_of(c, t->measured));
}

static const char *
detail_of(struct cli *c, const struct suit_dryrun *r, const struct suit_device *d)
{
	if (r->err == MST_E_SUIT_FETCH && d->missing.ptr != NULL)
		return arena_printf(c->a, "no --payload %.*s=FILE was given", (int)d->missing.len,
		    (const char *)d->missing.ptr);
	return NULL;
}

static json_t *
components_of(struct cli *c, const struct suit_device *d)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < d->count; i++) {
		const struct suit_device_component *k = &d->component[i];
		uint8_t sum[SUIT_DIGEST_MAX];
		struct mst_buf b = MST_BUF(sum);
		const char *digest = NULL;

		if (k->holds && suit_digest_bytes(
		                    MST_SUIT_SHA256, mst_span_of(k->bytes, k->size), &b) == MST_OK)
			digest = suit_text_hex(c->a, mst_buf_span(&b));
		json_array_append_new(
		    list, json_pack("{s:s,s:b,s:b,s:I,s:s?}", "id", suit_text_id(c->a, k->id),
		              "holds", k->holds, "valid", k->valid, "size",
		              (json_int_t)(k->holds ? k->size : 0), "sha256", digest));
	}
	return list;
}

static json_t *
describe(struct cli *c, const struct suit_dryrun *r, const struct suit_device *d)
{
	const struct mst_err_info *i = r->err != MST_OK ? mst_err_info(r->err) : NULL;
	const struct mst_suit_refusal *at = &r->refusal;
	bool element = i != NULL && at->section > 0, command = element && at->command != 0;
	json_t *o = json_pack("{s:b,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?}", "accepted",
	    r->err == MST_OK, "code", i != NULL ? i->code : NULL, "name",
	    i != NULL ? i->name : NULL, "reason", i != NULL ? i->reason : NULL, "clause",
	    i != NULL ? i->clause : NULL, "sentence", i != NULL ? i->sentence : NULL, "next",
	    i != NULL ? i->next : NULL, "detail", detail_of(c, r, d));
	json_t *trace = json_array();

	for (const struct suit_traced *t = r->first; t != NULL; t = t->next)
		json_array_append_new(trace, traced(c, t));
	json_object_set_new(o, "section", element ? json_integer(at->section) : json_null());
	json_object_set_new(
	    o, "section_name", i != NULL ? json_string(section_name(c, at->section)) : json_null());
	json_object_set_new(o, "offset", command ? json_integer(at->offset) : json_null());
	json_object_set_new(o, "command",
	    command ? json_string(suit_text_command(c->a, at->command)) : json_null());
	json_object_set_new(o, "component",
	    i != NULL && at->component != MST_SUIT_NO_INDEX ? json_integer(at->component)
	                                                    : json_null());
	json_object_set_new(o, "manifest", i != NULL ? path_of(at->path, at->depth) : json_array());
	json_object_set_new(o, "ran", json_boolean(r->checked));
	if (r->checked)
		json_object_set_new(
		    o, "sequence_number", json_integer((json_int_t)r->manifest.sequence_number));
	json_object_set_new(o, "trace", trace);
	json_object_set_new(o, "components", components_of(c, d));
	return o;
}

static void
print_traced(struct cli *c, const struct suit_traced *t)
{
	json_t *measured = measured_of(c, t->measured), *value;
	const char *key;

	for (unsigned i = 0; i < t->depth; i++)
		printf("dependency %u: ", t->path[i]);
	printf("%-11s %s@%u", t->procedure, section_name(c, t->section), t->offset);
	printf("  %s", suit_text_command(c->a, t->command));
	if (t->component >= 0) {
		printf("  component %d ", t->component);
		inspect_print(t->id.ptr != NULL ? suit_text_id(c->a, t->id) : "");
	}
	printf("  %s", t->result == MST_OK ? strcmp(t->how, "done") == 0 ? "ok" : t->how
	                                   : mst_err_info(t->result)->code);
	json_object_foreach(measured, key, value)
	{
		printf("  %s=", key);
		inspect_print(json_string_value(value));
	}
	json_decref(measured);
	putchar('\n');
}

static void
print_run(struct cli *c, const struct suit_dryrun *r, const struct suit_device *d)
{
	for (const struct suit_traced *t = r->first; t != NULL; t = t->next)
		print_traced(c, t);
	printf("accepted  %s\n", r->err == MST_OK ? "yes" : "no");
	if (r->err == MST_OK)
		return;
	if (section_name(c, r->refusal.section)[0] != '\0')
		printf("section   %s\n", section_name(c, r->refusal.section));
	if (r->refusal.command != 0)
		printf("command   %s at offset %u\n", suit_text_command(c->a, r->refusal.command),
		    r->refusal.offset);
	if (r->refusal.component != MST_SUIT_NO_INDEX)
		printf("component %u\n", r->refusal.component);
	fflush(stdout);
	(void)cli_refuse(c, r->err, detail_of(c, r, d));
}

static int
take_device(struct cli *c, mst_span bytes, struct suit_device *d)
{
	const char *path = cli_option(c, "device");
	struct suit_envelope *env = arena_alloc(c->a, sizeof *env);
	mst_span text;
	mst_err e;

	if (env == NULL)
		return cli_refuse(c, MST_E_NOMEM, NULL);
	if (path == NULL) {
		if (suit_envelope_read(bytes, env) != MST_OK)
			*env = (struct suit_envelope){ .block_count = 0 };
		e = suit_device_for(c->a, env, d);
		return e == MST_OK ? CLI_OK : fw_refuse(c, e);
	}
	if ((e = conf_load(c->a, path, &text)) != MST_OK)
		return cli_refuse(c, e == MST_E_CONFIG_SYNTAX ? MST_E_FW_DEVICE : e, conf_why());
	e = suit_device_described(
	    c->a, path, dirname(arena_printf(c->a, "%s", path)), (const char *)text.ptr, d);
	return e == MST_OK ? CLI_OK : fw_refuse(c, e);
}

static int
take_payloads(struct cli *c, struct suit_device *d)
{
	const char *pair;

	while ((pair = cli_option_at(c, "payload", d->payloads)) != NULL) {
		const char *equals = strrchr(pair, '=');
		int code;

		if (d->payloads == SUIT_DEVICE_PAYLOADS)
			return cli_fail(c, CLI_USAGE, "at most %d --payload", SUIT_DEVICE_PAYLOADS);
		if (equals == NULL || equals == pair)
			return cli_fail(c, CLI_USAGE, "--payload takes URI=FILE");
		d->payload[d->payloads].uri = mst_span_of(pair, (size_t)(equals - pair));
		code = fw_read(c, equals + 1, &d->payload[d->payloads].bytes);
		if (code != CLI_OK)
			return code;
		if (d->learns) /* it may be the envelope of a dependency */
			suit_device_learn(d, d->payload[d->payloads].bytes);
		d->payloads++;
	}
	return CLI_OK;
}

/* The report that this device would send: signed, if a key is given. */
static int
write_report(struct cli *c, const struct suit_dryrun *r)
{
	const char *path = cli_option(c, "report"), *word = cli_option(c, "report-key");
	struct suit_key key = { 0 };
	struct cose_signer signer;
	mst_span message = r->report;
	mst_err e = MST_OK;

	if (path == NULL)
		return CLI_OK;
	if (r->report.ptr == NULL)
		return cli_refuse(c, MST_E_FW_ENVELOPE, "there is nothing to report about");
	if (word != NULL) {
		mst_span kid;

		if ((e = suit_key_named(c->a, word, &kid, &word)) == MST_OK &&
		    (e = suit_key_private(c->a, word, &key)) == MST_OK &&
		    (e = suit_key_signer(&key, 0, kid, &signer)) == MST_OK)
			e = signer.secret.ptr != NULL ? cose_author_mac0(c->a, &signer, r->report,
			                                    MST_SUIT_ATTACHED, &message)
			                              : cose_author_sign1(c->a, &signer, r->report,
			                                    MST_SUIT_ATTACHED, &message);
		suit_key_close(&key);
		if (e != MST_OK)
			return fw_refuse(c, e);
	}
	return fw_write_file(c, path, message);
}

static int
run_on(struct cli *c, mst_span bytes, struct suit_device *d, const struct suit_dryrun_want *want)
{
	struct suit_dryrun *r = arena_alloc(c->a, sizeof *r);
	int code = CLI_OK;
	mst_err e;

	if (r == NULL)
		return cli_refuse(c, MST_E_NOMEM, NULL);
	if ((e = suit_dryrun(c->a, bytes, d, want, r)) != MST_OK)
		return fw_refuse(c, e);
	if (c->json)
		code = cli_print_json(c, describe(c, r, d));
	else
		print_run(c, r, d);
	if (code == CLI_OK)
		code = write_report(c, r);
	/* One answer for scripts, as of voucher check. */
	if (code == CLI_OK && (r->err == MST_E_NOMEM || r->err == MST_E_INTERNAL))
		return CLI_FAILED;
	return code == CLI_OK && r->err != MST_OK ? CLI_REFUSED : code;
}

int
fw_dry_run(struct cli *c)
{
	struct suit_device *d = arena_alloc(c->a, sizeof *d);
	struct suit_dryrun_want want = { .run = SUIT_RUN_ALL };
	const char *run = cli_option(c, "procedure"), *confirmed = cli_option(c, "confirmed");
	struct fw_keys anchors = { .count = 0 }, decrypt = { .count = 0 };
	mst_span bytes, before;
	int code;
	mst_err e;

	if (d == NULL)
		return cli_refuse(c, MST_E_NOMEM, NULL);
	if (run != NULL && !suit_run_find(run, &want.run))
		return cli_fail(
		    c, CLI_USAGE, "--procedure is all, check, update, invocation or uninstall");
	if (cli_option(c, "anchor") == NULL)
		return cli_fail(c, CLI_USAGE,
		    "whom does the device trust? give --anchor KEY, its update anchor");
	if ((code = take_nonce(c, &want.nonce)) != CLI_OK ||
	    (code = fw_read(c, c->argv[0], &bytes)) != CLI_OK ||
	    (code = take_device(c, bytes, d)) != CLI_OK)
		return code;
	if (confirmed != NULL && (code = fw_read(c, confirmed, &before)) == CLI_OK &&
	    (e = suit_device_confirmed(d, before)) != MST_OK)
		code = fw_refuse(c, e);
	if (code == CLI_OK && (code = take_payloads(c, d)) == CLI_OK &&
	    (code = fw_open_keys(c, "anchor", suit_key_public, &anchors)) == CLI_OK &&
	    (code = fw_open_keys(c, "decrypt", suit_key_private, &decrypt)) == CLI_OK) {
		want.anchors = anchors.key;
		want.anchor_count = anchors.count;
		want.decrypt = decrypt.key;
		want.decrypt_count = decrypt.count;
		code = run_on(c, bytes, d, &want);
	}
	fw_close_keys(&anchors);
	fw_close_keys(&decrypt);
	suit_device_free(d);
	return code;
}

const struct cli_option fw_dry_run_options[] = {
	{ "anchor", "[KID=]KEY",
	    "whom the device trusts: a public key or certificate, COSE_Key, HSS-LMS key or "
	    "secret:PATH; may be given several times" },
	{ "device", "FILE", "a description of the device; else the one it was written for" },
	{ "payload", "URI=FILE", "what the device gets from there; may be given several times" },
	{ "decrypt", "[KID=]KEY", "the device's key for encrypted payloads: PEM or secret:PATH" },
	{ "confirmed", "FILE", "the envelope that the device installed and confirmed last" },
	{ "procedure", "WORD", "all (default), check, update, invocation or uninstall" },
	{ "report", "FILE", "write the report that this device would send" },
	{ "report-key", "[KID=]KEY", "sign that report" },
	{ "nonce", "BYTES", "of the report: hex:, text: or base64:" },
	{ NULL, NULL, NULL },
};

/* --- report verify --- */

static json_t *
statement(struct cli *c, const struct suit_statement *s)
{
	static const char *const truth[] = { "true", "open", "false" };

	return json_pack("{s:s,s:o,s:o,s:s?,s:o,s:s?,s:o,s:s}", "verdict", truth[s->truth],
	    "record", s->record != SIZE_MAX ? json_integer((json_int_t)s->record) : json_null(),
	    "section", s->section != 0 ? json_integer(s->section) : json_null(), "section_name",
	    s->section != 0 ? section_name(c, s->section) : NULL, "offset",
	    s->offset >= 0 ? json_integer(s->offset) : json_null(), "command",
	    s->command != 0 ? suit_text_command(c->a, s->command) : NULL, "component",
	    s->component >= 0 ? json_integer(s->component) : json_null(), "words", s->words);
}

static json_t *
statements(struct cli *c, const struct suit_statement *first)
{
	json_t *list = json_array();

	for (const struct suit_statement *s = first; s != NULL; s = s->next)
		json_array_append_new(list, statement(c, s));
	return list;
}

static json_t *
describe_replay(struct cli *c, const struct suit_replay *r)
{
	const struct mst_err_info *i = r->err != MST_OK ? mst_err_info(r->err) : NULL;
	const struct suit_statement *lie = r->records;
	json_t *o;

	while (lie != NULL && lie->truth != SUIT_FALSE)
		lie = lie->next;
	o = json_pack("{s:b,s:s?,s:s?,s:s?,s:s?,s:s?,s:b,s:b}", "accepted", r->err == MST_OK,
	    "code", i != NULL ? i->code : NULL, "name", i != NULL ? i->name : NULL, "clause",
	    i != NULL ? i->clause : NULL, "sentence", i != NULL ? i->sentence : NULL, "detail",
	    lie != NULL ? lie->words : NULL, "protected", r->is_protected, "verified", r->verified);
	json_object_set_new(o, "section",
	    lie != NULL && lie->section != 0 ? json_integer(lie->section) : json_null());
	json_object_set_new(
	    o, "offset", lie != NULL && lie->offset >= 0 ? json_integer(lie->offset) : json_null());
	json_object_set_new(o, "component",
	    lie != NULL && lie->component >= 0 ? json_integer(lie->component) : json_null());
	json_object_set_new(o, "record",
	    lie != NULL && lie->record != SIZE_MAX ? json_integer((json_int_t)lie->record)
	                                           : json_null());
	json_object_set_new(o, "success", json_boolean(r->report.success));
	if (!r->report.success && r->report.digest.digest.ptr != NULL) {
		const char *reason = mst_suit_reason_name(r->report.reason);

		json_object_set_new(
		    o, "reason", reason != NULL ? json_string(reason) : json_null());
	}
	json_object_set_new(o, "records", statements(c, r->records));
	json_object_set_new(o, "proves", statements(c, r->proves));
	json_object_set_new(o, "lacks", statements(c, r->lacks));
	return o;
}

static void
print_statements(struct cli *c, const char *heading, const struct suit_statement *first)
{
	static const char *const truth[] = { "", "open ", "FALSE " };

	if (first != NULL)
		puts(heading);
	for (const struct suit_statement *s = first; s != NULL; s = s->next) {
		fputs("  ", stdout);
		fputs(truth[s->truth], stdout);
		if (s->record != SIZE_MAX)
			printf("record %zu ", s->record);
		if (s->section != 0)
			printf("%s", section_name(c, s->section));
		if (s->offset >= 0)
			printf("@%lld", (long long)s->offset);
		if (s->command != 0)
			printf(" %s", suit_text_command(c->a, s->command));
		if (s->section != 0 || s->record != SIZE_MAX)
			fputs(": ", stdout);
		inspect_print(s->words);
		putchar('\n');
	}
}

static int
judge_report(struct cli *c, mst_span report, mst_span envelope, const struct suit_replay_want *want)
{
	struct suit_replay r;
	int code = CLI_OK;
	mst_err e = suit_replay(c->a, report, envelope, want, &r);

	if (e != MST_OK)
		return fw_refuse(c, e);
	if (c->json) {
		code = cli_print_json(c, describe_replay(c, &r));
	} else {
		print_statements(c, "Its records:", r.records);
		print_statements(c,
		    r.err == MST_OK ? "What it shows, if the device is to be believed:"
		                    : "What it would show, were it true:",
		    r.proves);
		print_statements(c, "What it does not show:", r.lacks);
		fflush(stdout);
		if (r.err != MST_OK)
			(void)cli_refuse(c, r.err, NULL);
	}
	return code == CLI_OK && r.err != MST_OK ? CLI_REFUSED : code;
}

int
fw_report(struct cli *c)
{
	struct suit_replay_want want = { .count = 0 };
	struct fw_keys keys = { .count = 0 }, decrypt = { .count = 0 };
	mst_span report, envelope, dependency[DEPENDENCIES_MAX];
	const char *path;
	int code;

	if (strcmp(c->argv[0], "verify") != 0)
		return cli_fail(c, CLI_USAGE, "fw report verify REPORT ENVELOPE");
	if ((code = take_nonce(c, &want.nonce)) != CLI_OK ||
	    (code = fw_read(c, c->argv[1], &report)) != CLI_OK ||
	    (code = fw_read(c, c->argv[2], &envelope)) != CLI_OK)
		return code;
	while ((path = cli_option_at(c, "dependency", want.dependency_count)) != NULL) {
		if (want.dependency_count == DEPENDENCIES_MAX)
			return cli_fail(c, CLI_USAGE, "at most %d --dependency", DEPENDENCIES_MAX);
		if ((code = fw_read(c, path, &dependency[want.dependency_count])) != CLI_OK)
			return code;
		want.dependency_count++;
	}
	want.dependencies = dependency;
	if ((code = fw_open_keys(c, "anchor", suit_key_public, &keys)) == CLI_OK &&
	    (code = fw_open_keys(c, "decrypt", suit_key_private, &decrypt)) == CLI_OK) {
		want.keys = keys.key;
		want.count = keys.count;
		want.decrypt = decrypt.key;
		want.decrypt_count = decrypt.count;
		code = judge_report(c, report, envelope, &want);
	}
	fw_close_keys(&keys);
	fw_close_keys(&decrypt);
	return code;
}

const struct cli_option fw_report_options[] = {
	{ "anchor", "[KID=]KEY", "the device's key; without one the signature is not judged" },
	{ "dependency", "FILE", "the envelope of a manifest that this one depends on" },
	{ "nonce", "BYTES", "what the device was asked with: hex:, text: or base64:" },
	{ "decrypt", "[KID=]KEY", "secret:PATH, for a report that is encrypted" },
	{ NULL, NULL, NULL },
};
