/* SPDX-License-Identifier: Apache-2.0 */
/* device: what a site operator sees of devices, and decides. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "host/file.h"

#define LIST_BYTES (64u << 20)

static const char *
text(const json_t *o, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : otherwise;
}

static int
list(struct cli *c)
{
	static const struct cli_column columns[] = { { "serial", "SERIAL" },
		{ "manufacturer", "MANUFACTURER" }, { "state", "STATE" },
		{ "last_seen", "LAST SEEN" }, { "expects", "NEXT" } };
	json_t *data;
	int code = cli_daemon(
	    c, "device.list", json_pack("{s:s?}", "state", cli_option(c, "state")), NULL, &data);

	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	cli_table(c, data, columns, 5);
	json_decref(data);
	return CLI_OK;
}

static void
print_timeline(const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		printf("  %s  %-15s %-9s %s%s%s\n", text(row, "at", "-"), text(row, "step", "-"),
		    text(row, "outcome", "-"), text(row, "code", ""),
		    json_object_get(row, "code") != NULL ? " " : "",
		    text(row, "detail", text(row, "sentence", "")));
	}
}

static void
print_device(const json_t *d)
{
	size_t i;
	json_t *cert;

	printf("%s of %s: %s\n", text(d, "serial", "?"), text(d, "manufacturer", "nobody"),
	    text(d, "state", "?"));
	if (json_is_string(json_object_get(d, "issuer")))
		printf("  issuer of its IDevID: %s\n", text(d, "issuer", ""));
	printf("  next: %s\n", text(d, "expects", "-"));
	if (json_is_string(json_object_get(d, "decision")))
		printf("  %s by %s on %s%s%s\n", text(d, "decision", ""),
		    text(d, "decided_by", "?"), text(d, "decided_at", "?"),
		    json_is_string(json_object_get(d, "decision_reason")) ? ": " : "",
		    text(d, "decision_reason", ""));
	if (json_is_string(json_object_get(d, "audit_words")))
		printf("  audit log: %s\n", text(d, "audit_words", ""));
	json_array_foreach(json_object_get(d, "certificates"), i, cert)
	{
		printf("  certificate %s until %s%s%s\n", text(cert, "serial", "?"),
		    text(cert, "not_after", "?"),
		    json_is_string(json_object_get(cert, "revoked_at")) ? ", revoked " : "",
		    text(cert, "revoked_at", ""));
	}
	printf("\nTimeline:\n");
	print_timeline(json_object_get(d, "timeline"));
}

static int
show(struct cli *c)
{
	json_t *data;
	int code = cli_daemon(c, "device.show",
	    json_pack("{s:s,s:s?,s:s?}", "serial", c->argv[0], "manufacturer",
	        cli_option(c, "manufacturer"), "issuer", cli_option(c, "issuer")),
	    NULL, &data);

	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	print_device(data);
	json_decref(data);
	return CLI_OK;
}

static int
decide(struct cli *c, const char *verb, const char *done)
{
	json_t *data;
	int code = cli_daemon(c, verb,
	    json_pack("{s:s,s:s?,s:s?,s:s?,s:b}", "serial", c->argv[0], "manufacturer",
	        cli_option(c, "manufacturer"), "issuer", cli_option(c, "issuer"), "reason",
	        cli_option(c, "reason"), "after_audit", cli_flag(c, "after-audit")),
	    NULL, &data);

	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	cli_say(c, "%s is %s; next: %s", c->argv[0], done, text(data, "expects", "-"));
	json_decref(data);
	return CLI_OK;
}

static int
accept_device(struct cli *c)
{
	return decide(c, "device.accept", "accepted");
}

static int
reject_device(struct cli *c)
{
	return decide(c, "device.reject", "rejected");
}

/* The first column of each line; a heading "serial..." and empty lines are passed over. */
static json_t *
read_serials(char *bytes)
{
	json_t *list_ = json_array();
	char *save = NULL;

	for (char *line = strtok_r(bytes, "\r\n", &save); line != NULL;
	     line = strtok_r(NULL, "\r\n", &save)) {
		size_t n = strcspn(line, ",;\t");

		if (n >= 2 && line[0] == '"' && line[n - 1] == '"') {
			line++;
			n -= 2;
		}
		if (n == 0 || (json_array_size(list_) == 0 && cli_is_heading(line, n)))
			continue;
		if (json_array_append_new(list_, json_stringn(line, n)) != 0) {
			json_decref(list_);
			return NULL;
		}
	}
	return list_;
}

static int
import(struct cli *c)
{
	const char *manufacturer = cli_option(c, "manufacturer");
	json_t *serials, *data;
	mst_span bytes;
	int code;
	mst_err e;

	if (manufacturer == NULL)
		return cli_fail(c, CLI_USAGE, "whose devices? give --manufacturer NAME");
	if ((e = file_read(c->a, c->argv[0], LIST_BYTES, &bytes)) != MST_OK)
		return cli_refuse(c, e, file_why());
	if ((serials = read_serials(arena_str(c->a, bytes))) == NULL)
		return cli_fail(c, CLI_FAILED, "%s is not UTF-8 text", c->argv[0]);
	code = cli_daemon(c, "device.import",
	    json_pack("{s:s,s:s?,s:o}", "manufacturer", manufacturer, "issuer",
	        cli_option(c, "issuer"), "serials", serials),
	    "import", &data);
	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	cli_say(c, "%lld devices added, %lld were there already",
	    (long long)json_integer_value(json_object_get(data, "added")),
	    (long long)json_integer_value(json_object_get(data, "known")));
	json_decref(data);
	return CLI_OK;
}

static const struct cli_option list_options[] = {
	{ "state", "STATE", "only devices in this state (planned, seen, pending, voucher, ...)" },
	{ NULL, NULL, NULL },
};
static const struct cli_option one_options[] = {
	{ "manufacturer", "NAME", "where two manufacturers share a serial number" },
	{ "issuer", "HEX", "where two IDevID CAs share one: as `muster device show` names it" },
	{ NULL, NULL, NULL },
};
static const struct cli_option decide_options[] = {
	{ "manufacturer", "NAME", "where two manufacturers share a serial number" },
	{ "issuer", "HEX", "where two IDevID CAs share one: as `muster device show` names it" },
	{ "reason", "TEXT", "kept with the decision" },
	{ "after-audit", NULL, "in spite of its audit log; needs --reason" },
	{ NULL, NULL, NULL },
};
static const struct cli_option reject_options[] = {
	{ "manufacturer", "NAME", "where two manufacturers share a serial number" },
	{ "issuer", "HEX", "where two IDevID CAs share one: as `muster device show` names it" },
	{ "reason", "TEXT", "kept with the decision" },
	{ NULL, NULL, NULL },
};
static const struct cli_option import_options[] = {
	{ "manufacturer", "NAME", "whose devices they are" },
	{ "issuer", "HEX",
	    "authority key identifier of their IDevIDs (default: of the first that comes)" },
	{ NULL, NULL, NULL },
};

const struct cli_command cmd_device[] = {
	{ "device", "list", "", "the devices of this site and what each waits for", NULL,
	    list_options, list },
	{ "device", "show", "SERIAL", "one device, with every protocol step it took", NULL,
	    one_options, show },
	{ "device", "accept", "SERIAL", "admit a device, waiting or not yet seen", NULL,
	    decide_options, accept_device },
	{ "device", "reject", "SERIAL", "refuse a device",
	    "All certificates that it has from this site are revoked, and a new CRL is published.",
	    reject_options, reject_device },
	{ "device", "import", "FILE", "admit the devices of a list (CSV, serial number first)",
	    NULL, import_options, import },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
