/* SPDX-License-Identifier: Apache-2.0 */
/* fw create: a description, or a template filled in by options. */
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd_fw.h"
#include "host/conf.h"
#include "host/file.h"
#include "host/suit/suit_description.h"
#include "host/suit/suit_lint.h"
#include "host/suit/suit_sign.h"
#include "host/suit/suit_value.h"
#include "host/suit_text.h"

const char fw_create_text[] =
    "A description is a file in the syntax of musterd.conf(5): sequence-number, component "
    "\"NAME\" { id = { \"segment\", \"hex:00\" } }, then the sections shared, validate, load, "
    "invoke, dependency-resolution, payload-fetch, candidate-verification, install and uninstall, "
    "each a list of commands: install = { \"override-parameters uri=https://example.com/a.bin\", "
    "\"fetch\", \"image-match\" }. Commands and parameters have their registered names. Values: "
    "file:PATH (its bytes; of image-digest and image-size its digest and size), hex:, text:, "
    "base64:, uuid:, dns:DOMAIN for a vendor, class:DOMAIN/MODEL for a class, manifest:FILE for "
    "the digest of another manifest, >=1.2.3 for a version. Sequences for try-each and "
    "run-sequence have names: sequence \"a\" { do = { ... } }. Also dependency \"NAME\" { prefix = "
    "{ ... } }, payload \"#name\" { file = ... }, text \"en\" { ... }, sever = { text, install }. "
    "Without a file --template writes one of the usual cases; --print shows it, to start from. The "
    "result is linted; what devices would refuse is not written.";

const struct cli_option fw_create_options[] = {
	{ "out", "FILE", "the envelope; - is standard output" },
	{ "after", "FILE",
	    "the envelope that this one follows: its sequence number must be lower" },
	{ "template", "WORD",
	    "image, ab, components, dependency, encrypted or integrated, instead of a "
	    "description" },
	{ "print", NULL, "the template's description on standard output, and no envelope" },
	{ "sequence-number", "N", "template: above that of every manifest before" },
	{ "vendor", "ID", "template: dns:DOMAIN, uuid:UUID or pen:NUMBER" },
	{ "class", "ID", "template: class:DOMAIN/MODEL or uuid:UUID" },
	{ "component", "ID", "template: segments parted by /, as slot/hex:00; one for each image" },
	{ "image", "FILE",
	    "template: the image, as the device will hold it; several for ab, components" },
	{ "uri", "URI", "template: where a device fetches it; #NAME is in the envelope" },
	{ "reference-uri", "URI", "template: where the whole manifest is" },
	{ "text", "TEXT", "template: what this update is, for people" },
	{ "invoke", NULL, "template: the image is started, too" },
	{ "dependency", "FILE", "template dependency: the other authority's envelope" },
	{ "dependency-uri", "URI", "template dependency: where a device fetches it" },
	{ "dependency-id", "ID", "template dependency: where a device keeps it" },
	{ "encrypt-for", "[KID=]KEY",
	    "template encrypted: a device's public key, certificate or secret:PATH; up to 8" },
	{ "algorithm", "WORD",
	    "of --encrypt-for: a128gcm (default), chacha20-poly1305, a128ctr ..." },
	{ "ciphertext", "FILE",
	    "template encrypted: written for --encrypt-for, else read: made by fw encrypt" },
	{ "encryption-info", "FILE",
	    "template encrypted, without --encrypt-for: made by fw encrypt" },
	{ NULL, NULL, NULL },
};

static int
take_images(struct cli *c, struct suit_case *k)
{
	const char *component = NULL, *next;
	size_t n;

	for (n = 0;
	     cli_option_at(c, "image", n) != NULL || cli_option_at(c, "component", n) != NULL;
	     n++) {
		if (n == SUIT_TEMPLATE_IMAGES_MAX)
			return cli_fail(
			    c, CLI_USAGE, "at most %d images", SUIT_TEMPLATE_IMAGES_MAX);
		/* of A/B there is one component and several images */
		next = cli_option_at(c, "component", n);
		if (next != NULL)
			component = next;
		k->image[n].component = k->which == SUIT_TEMPLATE_COMPONENTS ? next : component;
		k->image[n].file = cli_option_at(c, "image", n);
		k->image[n].uri = cli_option_at(c, "uri", n);
	}
	k->images = n;
	if (cli_option_at(c, "uri", n) != NULL)
		return cli_fail(c, CLI_USAGE, "there are more --uri than images");
	return CLI_OK;
}

static int
encrypt_image(struct cli *c, const struct suit_case *k, const struct fw_keys *whom, mst_span *info)
{
	int32_t alg = MST_SUIT_A128GCM;
	mst_span image, ciphertext;
	int code;
	mst_err e;

	if (k->images == 0 || k->image[0].file == NULL || k->ciphertext == NULL)
		return cli_fail(c, CLI_USAGE, "--encrypt-for takes --image and --ciphertext");
	if ((code = fw_algorithm(c, &alg)) != CLI_OK ||
	    (code = fw_read(c, k->image[0].file, &image)) != CLI_OK)
		return code;
	e = suit_encrypt(c->a, alg, whom->key, whom->count, image, &ciphertext, info);
	return e == MST_OK ? fw_write_file(c, k->ciphertext, ciphertext) : fw_refuse(c, e);
}

/* The ciphertext to its file, how to decrypt it into the description. */
static int
take_encryption(struct cli *c, struct suit_case *k)
{
	const char *file = cli_option(c, "encryption-info");
	struct fw_keys whom;
	mst_span info;
	int code;

	if (cli_option(c, "encrypt-for") == NULL) {
		if (file != NULL)
			k->encryption_info = arena_printf(c->a, "file:%s", file);
		return CLI_OK;
	}
	if (file != NULL)
		return cli_fail(
		    c, CLI_USAGE, "--encryption-info is made here; it is not for --encrypt-for");
	code = fw_open_keys(c, "encrypt-for", suit_key_public, &whom);
	if (code == CLI_OK)
		code = encrypt_image(c, k, &whom, &info);
	fw_close_keys(&whom);
	if (code == CLI_OK)
		k->encryption_info = arena_printf(c->a, "hex:%s", suit_text_hex(c->a, info));
	return code;
}

static int
from_template(struct cli *c, const char **text)
{
	struct suit_case k = { .vendor = cli_option(c, "vendor"),
		.device_class = cli_option(c, "class"),
		.reference = cli_option(c, "reference-uri"),
		.text = cli_option(c, "text"),
		.dependency = cli_option(c, "dependency"),
		.dependency_uri = cli_option(c, "dependency-uri"),
		.dependency_id = cli_option(c, "dependency-id"),
		.ciphertext = cli_option(c, "ciphertext"),
		.invoke = cli_flag(c, "invoke") ? SUIT_INVOKE_FIRST : SUIT_INVOKE_NOT };
	const char *number = cli_option(c, "sequence-number");
	int code;
	mst_err e;

	if (!suit_template_find(cli_option(c, "template"), &k.which))
		return cli_fail(c, CLI_USAGE,
		    "--template is image, ab, components, dependency, encrypted or integrated");
	if (number == NULL)
		return cli_fail(c, CLI_USAGE, "which? give --sequence-number N");
	if ((e = value_uint(mst_span_str(number), &k.number)) != MST_OK)
		return cli_fail(c, CLI_USAGE, "--sequence-number: %s", suit_author_why());
	if ((code = take_images(c, &k)) != CLI_OK)
		return code;
	if ((code = take_encryption(c, &k)) != CLI_OK)
		return code;
	if ((e = suit_template_text(c->a, &k, text)) != MST_OK)
		return e == MST_E_FW_VALUE ? cli_fail(c, CLI_USAGE, "%s", suit_author_why())
		                           : fw_refuse(c, e);
	return CLI_OK;
}

/* That nobody has signed yet what is being made goes without saying. */
static void
drop_unsigned(struct suit_lint *lint)
{
	for (struct suit_finding **p = &lint->first; *p != NULL; p = &(*p)->next)
		if (strcmp((*p)->rule, "unsigned") == 0) {
			*p = (*p)->next;
			return;
		}
}

/* What devices would refuse is no manifest worth signing. */
static int
judge(struct cli *c, mst_span envelope)
{
	struct suit_lint_want want = { .before = MST_NONE };
	const char *after = cli_option(c, "after");
	struct suit_lint lint;
	int code;
	mst_err e;

	if (after != NULL && (code = fw_read(c, after, &want.before)) != CLI_OK)
		return code;
	if ((e = suit_lint(c->a, envelope, &want, &lint)) != MST_OK)
		return fw_refuse(c, e);
	drop_unsigned(&lint);
	if (!c->quiet || lint.errors > 0)
		fw_print_findings(c, stderr, &lint);
	if (lint.errors == 0)
		return CLI_OK;
	for (const struct suit_finding *f = lint.first; f != NULL; f = f->next)
		if (f->level == SUIT_ERROR)
			return cli_refuse(
			    c, f->err == MST_E_FW_NUMBER ? f->err : MST_E_FW_LINT, f->words);
	return CLI_REFUSED;
}

int
fw_create(struct cli *c)
{
	struct suit_description d = { .name = "template" };
	const char *text = NULL;
	struct suit_author *m;
	mst_span bytes;
	int code;
	mst_err e;

	if ((c->argc == 0) == (cli_option(c, "template") == NULL))
		return cli_fail(c, CLI_USAGE, "give a DESCRIPTION, or --template WORD");
	if (c->argc > 0) {
		if ((e = conf_load(c->a, c->argv[0], &bytes)) != MST_OK)
			return cli_refuse(
			    c, e == MST_E_CONFIG_SYNTAX ? MST_E_FW_DESCRIPTION : e, conf_why());
		text = (const char *)bytes.ptr;
		d.name = c->argv[0];
		if (strcmp(c->argv[0], "-") != 0)
			d.folder = dirname(arena_printf(c->a, "%s", c->argv[0]));
	} else if ((code = from_template(c, &text)) != CLI_OK) {
		return code;
	}
	if (cli_flag(c, "print"))
		return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? CLI_FAILED : CLI_OK;
	if ((e = suit_description_parse(c->a, &d, text, &m)) != MST_OK ||
	    (e = suit_author_build(m, &bytes)) != MST_OK)
		return fw_refuse(c, e);
	if ((code = judge(c, bytes)) != CLI_OK)
		return code;
	return fw_write(c, bytes);
}
