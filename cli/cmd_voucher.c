/* SPDX-License-Identifier: Apache-2.0 */
/* voucher: the pledge's verdict on any voucher. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd_inspect.h"
#include "cli/commands.h"
#include "host/file.h"
#include "host/inspect.h"
#include "host/verdict.h"

#define VOUCHER_BYTES (1u << 20)

/* "RFC 8995 5.6.1" ends in its section. */
static const char *
section_of(const char *clause)
{
	const char *space = strrchr(clause, ' ');

	return space != NULL ? space + 1 : "";
}

static json_t *
describe(struct cli *c, const struct verdict *v)
{
	const struct mst_err_info *i = v->err != MST_OK ? mst_err_info(v->err) : NULL;
	json_t *o = json_pack("{s:b,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?}", "accepted",
	    v->err == MST_OK, "code", i != NULL ? i->code : NULL, "name",
	    i != NULL ? i->name : NULL, "reason", i != NULL ? i->reason : NULL, "clause",
	    i != NULL ? i->clause : NULL, "section", i != NULL ? section_of(i->clause) : NULL,
	    "sentence", i != NULL ? i->sentence : NULL, "next", i != NULL ? i->next : NULL,
	    "detail", v->detail[0] != '\0' ? v->detail : NULL);

	json_object_set_new(o, "media", json_string(mst_media_type(v->media)));
	if (v->opened) {
		json_object_set_new(o, "nonceless", json_boolean(!v->nonced));
		json_object_set_new(o, "nonce_judged", json_boolean(v->nonce_judged));
		json_object_set_new(o, "idevid_issuer_judged", json_boolean(v->issuer_judged));
		json_object_set_new(o, "claims", inspect_claims(c->a, &v->env.claims));
	}
	return o;
}

/* Certificates are long and say nothing to the eye: --json has the whole. */
static void
print_claim(const char *name, const json_t *value)
{
	enum { WIDTH = 64 };
	char text[WIDTH + 1];
	const char *s = json_string_value(value);

	if (json_is_boolean(value))
		s = json_is_true(value) ? "true" : "false";
	snprintf(text, sizeof text, "%s", s != NULL ? s : "");
	printf("  %-30s ", name);
	inspect_print(text);
	puts(s != NULL && strlen(s) > WIDTH ? "..." : "");
}

static void
print_verdict(struct cli *c, const struct verdict *v)
{
	json_t *claims, *value;
	const char *name;

	printf("accepted  %s\n", v->err == MST_OK ? "yes" : "no");
	if (v->opened && v->nonced && !v->nonce_judged)
		puts("nonce     not judged: give --nonce");
	else if (v->opened && !v->nonced)
		puts("nonce     none: it holds for any attempt");
	if (v->opened && !v->issuer_judged)
		puts("issuer    not judged: give --idevid");
	if (!v->opened)
		return;
	claims = inspect_claims(c->a, &v->env.claims);
	json_object_foreach(claims, name, value)
	{
		print_claim(name, value);
	}
	json_decref(claims);
}

/* --serial and --idevid into what the device knows of itself. */
static int
take_device(struct cli *c, struct verdict_want *want)
{
	const char *idevid = cli_option(c, "idevid"), *serial = cli_option(c, "serial");
	struct inspect_cert_facts facts;
	mst_span pem;
	mst_err e;

	if (serial != NULL)
		want->serial = mst_span_str(serial);
	if (idevid != NULL) {
		if ((e = file_read(c->a, idevid, VOUCHER_BYTES, &pem)) != MST_OK)
			return cli_refuse(c, e, file_why());
		if ((e = inspect_cert_facts(c->a, pem, &facts)) != MST_OK)
			return cli_refuse(c, e, "--idevid takes a certificate");
		want->idevid_issuer = facts.idevid_issuer;
		if (serial == NULL)
			want->serial = facts.serial;
	}
	if (want->serial.ptr == NULL || want->serial.len == 0)
		return cli_fail(c, CLI_USAGE,
		    "which device? give --serial SERIAL, or --idevid with its certificate");
	return CLI_OK;
}

static int
check(struct cli *c)
{
	struct verdict_want want = { .nonce = cli_option(c, "nonce"),
		.nonceless = cli_flag(c, "refuse-nonceless") ? VERDICT_NONCELESS_REFUSED
		                                             : VERDICT_NONCELESS_TAKEN };
	struct anchors *anchors;
	struct verdict v;
	mst_span file;
	int code;
	mst_err e;

	if (!inspect_clock(c, &want.clock))
		return CLI_USAGE;
	if (cli_option(c, "anchor") == NULL)
		return cli_fail(c, CLI_USAGE,
		    "whom does the device trust? give --anchor FILE, its voucher anchor");
	if ((code = take_device(c, &want)) != CLI_OK)
		return code;
	if ((e = file_read(c->a, c->argv[0], VOUCHER_BYTES, &file)) != MST_OK)
		return cli_refuse(c, e, file_why());
	if ((code = inspect_take_anchors(c, &anchors)) != CLI_OK)
		return code;
	want.anchors = anchors;
	verdict_voucher(c->a, file, &want, &v);
	if (c->json) {
		code = cli_print_json(c, describe(c, &v));
	} else {
		print_verdict(c, &v);
		if (v.err != MST_OK)
			(void)cli_refuse(c, v.err, v.detail);
	}
	anchors_free(anchors);
	/* One answer for scripts: whatever a device refuses is 4. Our own troubles are not that. */
	if (v.err == MST_E_NOMEM || v.err == MST_E_INTERNAL)
		return CLI_FAILED;
	return v.err != MST_OK ? CLI_REFUSED : code;
}

static const struct cli_option options[] = {
	{ "anchor", "FILE", "the device's voucher anchor, PEM; may be given several times" },
	{ "serial", "SERIAL", "the device's serial number" },
	{ "nonce", "NONCE", "what the device sent: as in the JSON, or base64 or hex of its bytes" },
	{ "idevid", "FILE", "the device's certificate: gives serial number and issuer" },
	{ "now", "TIME", "judge as of this time (2026-11-23T09:00:00Z)" },
	{ "refuse-nonceless", NULL, "as a device that takes no nonceless voucher" },
	{ NULL, NULL, NULL },
};

const struct cli_command cmd_voucher[] = {
	{ "voucher", "check", "FILE", "what a device would say to this voucher",
	    "The verdict is a device's own (RFC 8995 5.6.1), by the same code: exit code 0 or 4. "
	    "Without --nonce the nonce is not judged, without --idevid the idevid-issuer is not, "
	    "and "
	    "the output says so.",
	    options, check },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
