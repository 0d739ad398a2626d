/* SPDX-License-Identifier: Apache-2.0 */
/* manufacturer: whose devices this site takes. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "host/file.h"

#define PEM_BYTES (1 << 20)

/* --option FILE becomes the member with the file's text. */
static int
put_file(struct cli *c, json_t *args, const char *option, const char *member)
{
	const char *path = cli_option(c, option);
	mst_span bytes;
	mst_err e;

	if (path == NULL)
		return CLI_OK;
	if ((e = file_read(c->a, path, PEM_BYTES, &bytes)) != MST_OK)
		return cli_refuse(c, e, file_why());
	if (json_object_set_new(args, member, json_stringn((const char *)bytes.ptr, bytes.len)) !=
	    0)
		return cli_fail(c, CLI_USAGE, "%s is not a PEM text", path);
	return CLI_OK;
}

/* The daemon reads this file itself: its path must hold wherever the daemon runs. */
static void
put_path(struct cli *c, json_t *args, const char *option, const char *member)
{
	const char *path = cli_option(c, option);
	char *absolute = path != NULL ? realpath(path, NULL) : NULL;

	if (path != NULL)
		json_object_set_new(args, member, json_string(absolute != NULL ? absolute : path));
	free(absolute);
}

static void
put_text(struct cli *c, json_t *args, const char *option, const char *member)
{
	const char *text = cli_option(c, option);

	if (text != NULL)
		json_object_set_new(args, member, json_string(text));
}

static int
trust(struct cli *c)
{
	json_t *args = json_pack("{s:s}", "name", c->argv[0]), *data;
	int code;

	if ((code = put_file(c, args, "anchors", "anchors")) != CLI_OK ||
	    (code = put_file(c, args, "voucher-anchors", "voucher_anchors")) != CLI_OK ||
	    (code = put_file(c, args, "masa-anchors", "masa_anchors")) != CLI_OK ||
	    (code = put_file(c, args, "crl", "crl")) != CLI_OK) {
		json_decref(args);
		return code;
	}
	put_text(c, args, "masa", "masa");
	put_text(c, args, "masa-hosts", "masa_hosts");
	put_text(c, args, "masa-user", "masa_user");
	put_path(c, args, "masa-cert", "masa_cert");
	put_path(c, args, "masa-key", "masa_key");
	put_text(c, args, "mode", "mode");
	put_text(c, args, "serial-rule", "serial_rule");
	put_text(c, args, "audit-policy", "audit_policy");
	if (cli_option(c, "masa-password-file") != NULL &&
	    (code = put_file(c, args, "masa-password-file", "masa_password")) != CLI_OK) {
		json_decref(args);
		return code;
	}
	if (cli_flag(c, "ignore-expiry"))
		json_object_set_new(args, "ignore_expiry", json_true());
	if (cli_flag(c, "legacy-base64"))
		json_object_set_new(args, "legacy_base64", json_true());
	if (cli_flag(c, "enable") || cli_flag(c, "disable"))
		json_object_set_new(args, "enabled", json_boolean(!cli_flag(c, "disable")));
	code = cli_daemon(c, "manufacturer.trust", args, NULL, &data);
	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	cli_say(c, "%s is trusted; devices are admitted: %s", c->argv[0],
	    json_string_value(json_object_get(data, "mode")));
	json_decref(data);
	return CLI_OK;
}

static int
list(struct cli *c)
{
	static const struct cli_column columns[] = { { "name", "NAME" }, { "enabled", "ENABLED" },
		{ "mode", "MODE" }, { "masa", "MASA" }, { "masa_hosts", "MASA HOSTS" },
		{ "audit_policy", "AUDIT" } };
	json_t *data;
	int code = cli_daemon(c, "manufacturer.list", NULL, NULL, &data);

	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	cli_table(c, data, columns, 6);
	json_decref(data);
	return CLI_OK;
}

/* A word, or of certificates how many they are: --json has them whole. */
static void
print_value(const json_t *v)
{
	const char *text = json_string_value(v), *at = text;
	int certificates = 0;

	while (at != NULL && (at = strstr(at, "-----BEGIN ")) != NULL) {
		certificates++;
		at++;
	}
	if (certificates != 0)
		printf("%d certificate%s (--json shows them)\n", certificates,
		    certificates == 1 ? "" : "s");
	else
		printf("%s\n", text != NULL       ? text
		               : json_is_true(v)  ? "yes"
		               : json_is_false(v) ? "no"
		                                  : "-");
}

static int
show(struct cli *c)
{
	const char *key;
	json_t *data, *v;
	int code =
	    cli_daemon(c, "manufacturer.show", json_pack("{s:s}", "name", c->argv[0]), NULL, &data);

	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	json_object_foreach(data, key, v)
	{
		printf("%-16s ", key);
		print_value(v);
	}
	json_decref(data);
	return CLI_OK;
}

static int
forget(struct cli *c)
{
	json_t *data;
	int code = cli_daemon(
	    c, "manufacturer.forget", json_pack("{s:s}", "name", c->argv[0]), NULL, &data);

	if (code == CLI_OK) {
		cli_say(c, "%s is forgotten", c->argv[0]);
		json_decref(data);
	}
	return code;
}

static const struct cli_option trust_options[] = {
	{ "anchors", "FILE", "PEM of the CAs that issue its IDevIDs (needed the first time)" },
	{ "voucher-anchors", "FILE", "PEM of the anchors of its vouchers" },
	{ "masa", "URL", "its MASA, whatever the IDevID says" },
	{ "masa-hosts", "HOSTS", "which host[:port] an IDevID may name as MASA, space-separated" },
	{ "masa-anchors", "FILE", "PEM of the anchors of its MASA's TLS (default: the system's)" },
	{ "masa-cert", "FILE", "this site's client certificate for that MASA" },
	{ "masa-key", "URI", "and its key" },
	{ "masa-user", "NAME", "or HTTP Basic" },
	{ "masa-password-file", "FILE", "with this password" },
	{ "mode", "MODE", "auto, listed or ask (default: ask)" },
	{ "serial-rule", "RULE", "subject, hardware-module or cn: where IDevIDs have the serial" },
	{ "audit-policy", "POLICY", "strict or warn (default: strict)" },
	{ "crl", "FILE", "CRLs of its IDevID CAs, PEM" },
	{ "ignore-expiry", NULL, "take IDevIDs after their notAfter (RFC 8995 2.6.2)" },
	{ "legacy-base64", NULL, "take base64 voucher-requests of old pledges" },
	{ "enable", NULL, "switch it on" },
	{ "disable", NULL, "switch it off: no device of it bootstraps" },
	{ NULL, NULL, NULL },
};

const struct cli_command cmd_manufacturer[] = {
	{ "manufacturer", "trust", "NAME", "take devices of a manufacturer, or change how",
	    "What is not given stays as it is. A MASA is asked only when --masa names it or "
	    "--masa-hosts allows the host that an IDevID names.",
	    trust_options, trust },
	{ "manufacturer", "list", "", "the manufacturers this site trusts", NULL, NULL, list },
	{ "manufacturer", "show", "NAME", "one of them, whole", NULL, NULL, show },
	{ "manufacturer", "forget", "NAME", "no longer trust it; it must have no devices", NULL,
	    NULL, forget },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
