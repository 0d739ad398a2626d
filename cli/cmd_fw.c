/* SPDX-License-Identifier: Apache-2.0 */
/* fw: firmware manifests (SUIT) from the author's desk. This file: what needs no key. */
#include "cli/cmd_fw.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd_inspect.h"
#include "cli/commands.h"
#include "host/file.h"
#include "host/suit/suit_diff.h"
#include "host/suit/suit_lint.h"
#include "host/suit_text.h"
#include "host/suit_words.h"

int
fw_refuse(const struct cli *c, mst_err e)
{
	return cli_refuse(c, e, suit_author_why());
}

int
fw_read(struct cli *c, const char *path, mst_span *bytes)
{
	mst_err e = file_read(c->a, path, SUIT_ENVELOPE_MAX, bytes);

	return e == MST_OK ? CLI_OK : cli_refuse(c, e, file_why());
}

int
fw_envelope(struct cli *c, const char *path, struct suit_envelope **env)
{
	mst_span bytes;
	int code = fw_read(c, path, &bytes);
	mst_err e;

	if (code != CLI_OK)
		return code;
	if ((*env = arena_alloc(c->a, sizeof **env)) == NULL)
		return cli_refuse(c, MST_E_NOMEM, NULL);
	if ((e = suit_envelope_read(bytes, *env)) != MST_OK)
		return fw_refuse(c, e);
	return CLI_OK;
}

int
fw_write_file(struct cli *c, const char *path, mst_span bytes)
{
	mst_err e = file_write_atomic(path, bytes, 0644);

	return e == MST_OK ? CLI_OK : cli_refuse(c, e, file_why());
}

int
fw_write(struct cli *c, mst_span bytes)
{
	const char *out = cli_option(c, "out");

	if (out != NULL && strcmp(out, "-") != 0)
		return fw_write_file(c, out, bytes);
	if (isatty(STDOUT_FILENO))
		return cli_fail(c, CLI_USAGE, "these are bytes, not words: give --out FILE");
	if (fwrite(bytes.ptr, 1, bytes.len, stdout) != bytes.len || fflush(stdout) != 0)
		return cli_fail(c, CLI_FAILED, "the output could not be written");
	return CLI_OK;
}

int
fw_write_envelope(struct cli *c, const struct suit_envelope *env)
{
	mst_span bytes;
	mst_err e = suit_envelope_write(c->a, env, &bytes);

	return e == MST_OK ? fw_write(c, bytes) : fw_refuse(c, e);
}

/* --- lint --- */

static json_t *
finding(const struct suit_finding *f)
{
	const struct mst_err_info *i = f->err != MST_OK ? mst_err_info(f->err) : NULL;

	return json_pack("{s:s,s:s,s:s?,s:s?,s:o,s:o,s:o,s:s,s:s}", "level",
	    f->level == SUIT_ERROR ? "error" : "warning", "rule", f->rule, "code",
	    i != NULL ? i->code : NULL, "name", i != NULL ? i->name : NULL, "section",
	    f->section != 0 ? json_integer(f->section) : json_null(), "offset",
	    f->offset >= 0 ? json_integer(f->offset) : json_null(), "component",
	    f->component >= 0 ? json_integer(f->component) : json_null(), "clause", f->clause,
	    "words", f->words);
}

json_t *
fw_findings(const struct suit_lint *lint)
{
	json_t *list = json_array();

	for (const struct suit_finding *f = lint->first; f != NULL; f = f->next)
		json_array_append_new(list, finding(f));
	return list;
}

void
fw_print_findings(struct cli *c, FILE *out, const struct suit_lint *lint)
{
	for (const struct suit_finding *f = lint->first; f != NULL; f = f->next) {
		fprintf(out, "%s ", f->level == SUIT_ERROR ? "error  " : "warning");
		if (f->err != MST_OK)
			fprintf(out, "%s ", mst_err_info(f->err)->code);
		if (f->section != 0)
			fprintf(out, "%s", suit_text_section(c->a, f->section));
		if (f->offset >= 0)
			fprintf(out, "@%lld", (long long)f->offset);
		if (f->section != 0)
			fputs(" ", out);
		if (f->component >= 0)
			fprintf(out, "component %d ", f->component);
		fprintf(out, "%s: ", f->rule);
		for (const char *p = f->words; *p != '\0'; p++)
			fputc((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p, out);
		fprintf(out, " [%s]\n", f->clause);
	}
}

static int
take_want(struct cli *c, struct suit_lint_want *want)
{
	const char *before = cli_option(c, "after"), *capability = cli_option(c, "capability");
	int code = CLI_OK;

	if (before != NULL)
		code = fw_read(c, before, &want->before);
	if (code == CLI_OK && capability != NULL)
		code = fw_read(c, capability, &want->capability);
	return code;
}

static int
run_lint(struct cli *c)
{
	struct suit_lint_want want = { .before = MST_NONE };
	struct suit_lint lint;
	mst_span bytes;
	int code;
	mst_err e;

	if ((code = take_want(c, &want)) != CLI_OK ||
	    (code = fw_read(c, c->argv[0], &bytes)) != CLI_OK)
		return code;
	if ((e = suit_lint(c->a, bytes, &want, &lint)) != MST_OK)
		return fw_refuse(c, e);
	if (c->json)
		code = cli_print_json(c, json_pack("{s:b,s:i,s:i,s:o}", "good", lint.errors == 0,
		                             "errors", (int)lint.errors, "warnings",
		                             (int)lint.warnings, "findings", fw_findings(&lint)));
	else
		fw_print_findings(c, stdout, &lint);
	cli_say(c, "muster: %zu error%s, %zu warning%s", lint.errors, lint.errors == 1 ? "" : "s",
	    lint.warnings, lint.warnings == 1 ? "" : "s");
	if (code == CLI_OK && (lint.errors > 0 || (cli_flag(c, "strict") && lint.warnings > 0)))
		code = CLI_REFUSED;
	return code;
}

/* --- sever, extract: edits that keep signatures valid (sheet 6) --- */

/* "text", "install", a number, or the URI of a payload. */
static mst_err
drop(struct cli *c, struct suit_envelope *env, const char *what)
{
	mst_span name = mst_span_str(what);
	const struct suit_word *w = suit_word_find(SUIT_LIST_MANIFEST, name);
	mst_err e;

	(void)c;
	if (w == NULL)
		return suit_envelope_drop(env, 0, name);
	if (!suit_is_severable(w->number)) {
		suit_author_say("%s", what);
		return MST_E_FW_SEVERABLE;
	}
	e = suit_envelope_drop(env, w->number, MST_NONE);
	if (e != MST_OK)
		suit_author_say("%s does not stand beside the manifest: it was not severed when it "
		                "was made, or has been taken away",
		    what);
	return e != MST_OK ? MST_E_FW_SEVERABLE : MST_OK;
}

static int
run_sever(struct cli *c)
{
	struct suit_envelope *env;
	const char *what;
	int code = fw_envelope(c, c->argv[0], &env);
	mst_err e;

	if (code != CLI_OK)
		return code;
	if (cli_option(c, "drop") == NULL && !cli_flag(c, "all"))
		return cli_fail(c, CLI_USAGE, "what? give --drop ELEMENT, or --all");
	for (size_t n = 0; (what = cli_option_at(c, "drop", n)) != NULL; n++)
		if ((e = drop(c, env, what)) != MST_OK)
			return fw_refuse(c, e);
	/* not the payloads: a device may have no other way to them */
	for (size_t i = 0; cli_flag(c, "all") && i < env->member_count;) {
		if (env->member[i].name.ptr != NULL)
			i++;
		else if ((e = suit_envelope_drop(env, env->member[i].key, MST_NONE)) != MST_OK)
			return fw_refuse(c, e);
	}
	return fw_write_envelope(c, env);
}

static int
extract_members(struct cli *c, const struct suit_envelope *env)
{
	json_t *list = json_array();

	for (size_t i = 0; i < env->member_count; i++) {
		const struct suit_member *m = &env->member[i];
		json_t *one = json_object();

		if (m->name.ptr != NULL)
			json_object_set_new(
			    one, "element", json_stringn((const char *)m->name.ptr, m->name.len));
		else
			json_object_set_new(
			    one, "element", json_string(suit_text_section(c->a, m->key)));
		json_object_set_new(
		    one, "kind", json_string(m->name.ptr != NULL ? "payload" : "severed"));
		json_object_set_new(one, "bytes", json_integer((json_int_t)m->content.len));
		json_array_append_new(list, one);
	}
	json_array_append_new(list, json_pack("{s:s,s:s,s:I}", "element", "manifest", "kind",
	                                "manifest", "bytes", (json_int_t)env->manifest.len));
	for (size_t i = 0; i < env->block_count; i++)
		json_array_append_new(
		    list, json_pack("{s:o,s:s,s:I}", "element",
		              json_string(arena_printf(c->a, "block-%zu", i)), "kind", "block",
		              "bytes", (json_int_t)env->block[i].len));
	if (c->json)
		return cli_print_json(c, list);
	cli_table(c, list,
	    (const struct cli_column[]){
	        { "element", "ELEMENT" }, { "kind", "KIND" }, { "bytes", "BYTES" } },
	    3);
	json_decref(list);
	return CLI_OK;
}

static mst_span
find_element(struct cli *c, const struct suit_envelope *env, const char *what)
{
	mst_span name = mst_span_str(what);

	if (strcmp(what, "manifest") == 0)
		return env->manifest;
	if (strcmp(what, "digest") == 0)
		return env->digest;
	for (size_t i = 0; i < env->block_count; i++) {
		const char *block = arena_printf(c->a, "block-%zu", i);

		if (block != NULL && strcmp(what, block) == 0)
			return env->block[i];
	}
	for (size_t i = 0; i < env->member_count; i++) {
		const struct suit_member *m = &env->member[i];

		if (m->name.ptr != NULL ? mst_span_eq(m->name, name)
		                        : strcmp(what, suit_text_section(c->a, m->key)) == 0)
			return m->content;
	}
	return MST_NONE;
}

static int
run_extract(struct cli *c)
{
	struct suit_envelope *env;
	int code = fw_envelope(c, c->argv[0], &env);
	mst_span bytes;

	if (code != CLI_OK)
		return code;
	if (c->argc < 2)
		return extract_members(c, env);
	bytes = find_element(c, env, c->argv[1]);
	if (bytes.ptr == NULL)
		return cli_refuse(c, MST_E_NOT_FOUND,
		    arena_printf(
		        c->a, "%s: muster fw extract FILE lists what there is", c->argv[1]));
	return fw_write(c, bytes);
}

/* --- integrate --- */

/* An intermediary may add a payload that it fetched, under its URI (M 8.5). */
static int
run_integrate(struct cli *c)
{
	struct suit_envelope *env;
	const char *pair;
	int code = fw_envelope(c, c->argv[0], &env);
	mst_err e;

	if (code != CLI_OK)
		return code;
	if (cli_option(c, "payload") == NULL)
		return cli_fail(c, CLI_USAGE, "which? give --payload URI=FILE");
	for (size_t n = 0; (pair = cli_option_at(c, "payload", n)) != NULL; n++) {
		const char *equals = strrchr(pair, '=');
		mst_span bytes;

		if (equals == NULL || equals == pair)
			return cli_fail(c, CLI_USAGE, "--payload takes URI=FILE");
		if ((code = fw_read(c, equals + 1, &bytes)) != CLI_OK)
			return code;
		e = suit_envelope_integrate(env, mst_span_of(pair, (size_t)(equals - pair)), bytes);
		if (e != MST_OK)
			return fw_refuse(c, e);
	}
	return fw_write_envelope(c, env);
}

/* --- diff --- */

static json_t *
difference(const struct suit_difference *d)
{
	return json_pack("{s:s,s:s,s:s}", "change", d->change == SUIT_NEW ? "new" : "gone", "name",
	    d->name, "value", d->value);
}

static void
print_difference(const struct suit_difference *d, bool color)
{
	bool is_new = d->change == SUIT_NEW;

	fputs(color ? is_new ? "\033[32m" : "\033[31m" : "", stdout);
	printf("%c %s ", is_new ? '+' : '-', d->name);
	inspect_print(d->value);
	puts(color ? "\033[0m" : "");
}

static int
run_diff(struct cli *c)
{
	struct suit_difference *first;
	bool color = c->color && isatty(STDOUT_FILENO);
	json_t *list = NULL;
	mst_span from, to;
	size_t changes;
	int code;
	mst_err e;

	if ((code = fw_read(c, c->argv[0], &from)) != CLI_OK ||
	    (code = fw_read(c, c->argv[1], &to)) != CLI_OK)
		return code;
	if ((e = suit_diff(c->a, from, to, &first, &changes)) != MST_OK)
		return fw_refuse(c, e);
	if (c->json)
		list = json_array();
	for (const struct suit_difference *d = first; d != NULL; d = d->next) {
		if (d->change == SUIT_SAME)
			continue;
		if (c->json)
			json_array_append_new(list, difference(d));
		else
			print_difference(d, color);
	}
	if (c->json)
		return cli_print_json(
		    c, json_pack("{s:b,s:o}", "same", changes == 0, "differences", list));
	cli_say(
	    c, changes == 0 ? "muster: they say the same" : "muster: %zu lines differ", changes);
	return CLI_OK;
}

static const struct cli_option lint_options[] = {
	{ "after", "FILE",
	    "the envelope that this one follows: its sequence number must be lower" },
	{ "capability", "FILE",
	    "a device's capability report, or a report with one in it: can it do this?" },
	{ "strict", NULL, "exit code 4 for warnings, too" },
	{ NULL, NULL, NULL },
};

static const struct cli_option sever_options[] = {
	{ "drop", "ELEMENT",
	    "text, install, payload-fetch, dependency-resolution, candidate-verification, coswid, "
	    "or the URI of a payload; may be given several times" },
	{ "all", NULL, "all severed elements, but no payload" },
	{ "out", "FILE", "the new envelope; - is standard output" },
	{ NULL, NULL, NULL },
};

static const struct cli_option extract_options[] = {
	{ "out", "FILE", "where to; - is standard output" },
	{ NULL, NULL, NULL },
};

static const struct cli_option integrate_options[] = {
	{ "payload", "URI=FILE", "a payload under its URI; may be given several times" },
	{ "out", "FILE", "the new envelope; - is standard output" },
	{ NULL, NULL, NULL },
};

const struct cli_command cmd_fw[] = {
	{ "fw", "create", "[DESCRIPTION]",
	    "a manifest in an envelope, from a description or template", fw_create_text,
	    fw_create_options, fw_create },
	{ "fw", "lint", "FILE", "what devices would refuse in this envelope, and what they might",
	    "Errors are what the device's own check refuses, with its names, sections and offsets; "
	    "warnings are what most authors did not mean: no image-match behind a fetch, an "
	    "image-digest that somebody else may set first, no check of vendor or class. Exit code "
	    "4 "
	    "when there are errors.",
	    lint_options, run_lint },
	{ "fw", "sever", "FILE", "take away what a device can do without; signatures stay valid",
	    NULL, sever_options, run_sever },
	{ "fw", "integrate", "FILE", "put payloads into the envelope; signatures stay valid", NULL,
	    integrate_options, run_integrate },
	{ "fw", "extract", "FILE [ELEMENT]",
	    "what is in an envelope, or one element of it as bytes",
	    "ELEMENT is manifest, digest, block-0 and so on, the name of a severed element, or the "
	    "URI "
	    "of a payload.",
	    extract_options, run_extract },
	{ "fw", "sign", "FILE", "sign an envelope, or MAC it",
	    "The digest is compared with the manifest and the manifest linted before the key is "
	    "asked. "
	    "An HSS-LMS key counts its leaves: the count is on disk before a signature leaves, and "
	    "a "
	    "key file that was copied or set back is refused.",
	    fw_sign_options, fw_sign },
	{ "fw", "countersign", "FILE", "add another authority's or algorithm's block", NULL,
	    fw_sign_options, fw_countersign },
	{ "fw", "digest", "FILE", "what a signer elsewhere has to sign",
	    "For keys that no computer with a network ever sees: fw digest --out writes the bytes "
	    "that "
	    "the signature covers, fw attach puts the signature in.",
	    fw_digest_options, fw_digest },
	{ "fw", "attach", "FILE", "put in a signature that was made elsewhere", NULL,
	    fw_attach_options, fw_attach },
	{ "fw", "encrypt", "IMAGE", "encrypt an image for a list of devices",
	    "Each run makes a new key and IV. The manifest then has image-digest of both, plain "
	    "and "
	    "encrypted: fw create --template encrypted.",
	    fw_encrypt_options, fw_encrypt },
	{ "fw", "keygen", "", "make a key for all this", NULL, fw_keygen_options, fw_keygen },
	{ "fw", "dry-run", "FILE", "run an envelope on a simulated device, each command as it runs",
	    "The verdict is a device's own, by the same code: exit code 0 or 4, and with --json "
	    "one "
	    "object that names section, offset and component. The device is in memory; a "
	    "description "
	    "says what it is: vendor = { \"dns:example.com\" }, class = { ... }, component \"app\" "
	    "{ "
	    "id = { ... } file = \"old.bin\" capacity = 65536 slot = 1 version = \"1.2\" }, "
	    "confirmed = "
	    "\"before.suit\", time, battery, authorized, events, signers, rules = { "
	    "\"strict-dependencies\", \"no-class-check\" }. Without one it is the device that the "
	    "manifest was written for.",
	    fw_dry_run_options, fw_dry_run },
	{ "fw", "report", "verify REPORT ENVELOPE", "whether what a device reports can be true",
	    "The manifest is followed with the records of the report. Printed is what it shows if "
	    "the "
	    "device is to be believed, and which record can not be true: exit code 4.",
	    fw_report_options, fw_report },
	{ "fw", "diff", "FROM TO", "how two manifests differ, command by command", NULL, NULL,
	    run_diff },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
