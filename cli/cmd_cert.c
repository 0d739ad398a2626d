/* SPDX-License-Identifier: Apache-2.0 */
/* cert: what the site's CA has issued. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

static int
list(struct cli *c)
{
	static const struct cli_column columns[] = { { "serial", "SERIAL" }, { "state", "STATE" },
		{ "subject", "SUBJECT" }, { "not_after", "NOT AFTER" },
		{ "identity", "ASKED BY" } };
	json_t *data;
	int code = cli_daemon(
	    c, "cert.list", json_pack("{s:s?}", "device", cli_option(c, "device")), NULL, &data);

	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	cli_table(c, data, columns, 5);
	json_decref(data);
	return CLI_OK;
}

static int
show(struct cli *c)
{
	json_t *data;
	int code =
	    cli_daemon(c, "cert.show", json_pack("{s:s}", "serial", c->argv[0]), NULL, &data);
	const char *key;
	json_t *v;

	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	json_object_foreach(data, key, v)
	{
		if (json_is_string(v) && strcmp(key, "pem") != 0)
			printf("%-13s %s\n", key, json_string_value(v));
	}
	if (json_is_string(json_object_get(data, "pem")))
		fputs(json_string_value(json_object_get(data, "pem")), stdout);
	json_decref(data);
	return CLI_OK;
}

/* RFC 5280 5.3.1. */
static const char *const reasons[] = { "unspecified", "keyCompromise", "cACompromise",
	"affiliationChanged", "superseded", "cessationOfOperation", "certificateHold", NULL, NULL,
	"privilegeWithdrawn", "aACompromise" };

static int
revoke(struct cli *c)
{
	const char *reason = cli_option(c, "reason"), *owner = cli_option(c, "owner");
	int number = reason == NULL ? 0 : -1, code;
	json_t *data;

	for (int i = 0; reason != NULL && i < (int)(sizeof reasons / sizeof reasons[0]); i++)
		if (reasons[i] != NULL && strcasecmp(reason, reasons[i]) == 0)
			number = i;
	if (number < 0)
		return cli_fail(c, CLI_USAGE,
		    "no reason \"%s\"; RFC 5280 has unspecified, keyCompromise, superseded, "
		    "cessationOfOperation, ...",
		    reason);
	if ((c->argc == 0) == (owner == NULL) || (owner != NULL && cli_flag(c, "only")))
		return cli_fail(c, CLI_USAGE, "whose? give a SERIAL, or --owner alone");
	code = cli_daemon(c, "cert.revoke",
	    json_pack("{s:s?,s:s?,s:b,s:i,s:s?}", "serial", c->argc > 0 ? c->argv[0] : NULL,
	        "owner", owner, "only", cli_flag(c, "only"), "reason", number, "words", reason),
	    NULL, &data);
	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	cli_say(c, "%lld of %s revoked%s; the new CRL is out",
	    (long long)json_integer_value(json_object_get(data, "revoked")),
	    json_string_value(json_object_get(data, "identity")),
	    json_is_true(json_object_get(data, "barred")) ? ", and barred" : "");
	json_decref(data);
	return CLI_OK;
}

static int
barred(struct cli *c)
{
	static const struct cli_column columns[] = { { "owner", "OWNER" }, { "at", "SINCE" },
		{ "by", "BY" }, { "reason", "REASON" } };
	json_t *data;
	int code = cli_daemon(c, "cert.barred", NULL, NULL, &data);

	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	cli_table(c, data, columns, 4);
	json_decref(data);
	return CLI_OK;
}

static int
unbar(struct cli *c)
{
	json_t *data;
	int code =
	    cli_daemon(c, "cert.unbar", json_pack("{s:s}", "owner", c->argv[0]), NULL, &data);

	if (code == CLI_OK) {
		cli_say(c, "%s may enrol again; what was revoked stays revoked", c->argv[0]);
		json_decref(data);
	}
	return code;
}

static int
accept_order(struct cli *c)
{
	json_t *data;
	int code =
	    cli_daemon(c, "cert.accept", json_pack("{s:s}", "serial", c->argv[0]), NULL, &data);

	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	cli_say(c, "signed; the client gets it when it asks again");
	json_decref(data);
	return CLI_OK;
}

static const struct cli_option list_options[] = {
	{ "device", "SERIAL", "only those of this device" },
	{ NULL, NULL, NULL },
};
static const struct cli_option revoke_options[] = {
	{ "reason", "REASON", "as RFC 5280 5.3.1 calls them (default: unspecified)" },
	{ "only", NULL, "this certificate alone; its owner stays trusted and keeps its others" },
	{ "owner", "OWNER", "all of a plain client, basic:USER, in place of a SERIAL" },
	{ NULL, NULL, NULL },
};

const struct cli_command cmd_cert[] = {
	{ "cert", "list", "", "certificates issued, newest first", NULL, list_options, list },
	{ "cert", "show", "SERIAL", "one certificate, by its serial number in hexadecimal", NULL,
	    NULL, show },
	{ "cert", "accept", "SERIAL", "sign an order that waits for an operator",
	    "Orders wait where the configuration says est { manual = true }; `muster cert list` "
	    "shows "
	    "them as ordered. `muster cert revoke` refuses one.",
	    NULL, accept_order },
	{ "cert", "revoke", "[SERIAL]", "take back all certificates of an owner, publish a CRL",
	    "A certificate is taken for the sign of an owner that is not trusted any more: all "
	    "that "
	    "the owner holds is revoked, a device loses its standing (`muster device accept` gives "
	    "it "
	    "back), and a plain client is barred until `muster cert unbar`. With --only it is that "
	    "one "
	    "certificate. It holds at once for this site's own services; others see it in the CRL.",
	    revoke_options, revoke },
	{ "cert", "barred", "", "plain clients that get no certificate", NULL, NULL, barred },
	{ "cert", "unbar", "OWNER", "let a plain client enrol again", NULL, NULL, unbar },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
