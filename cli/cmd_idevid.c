/* SPDX-License-Identifier: Apache-2.0 */
/* idevid, inventory, customer, voucher log: the manufacturer's nouns. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "host/control.h"
#include "host/file.h"
#include "host/pki.h"
#include "muster/base64.h"
#include "muster/voucher.h"

#define CSR_BYTES (64u << 10)
#define LIST_BYTES (64u << 20)

/* --- idevid issue --- */

struct issue {
	struct cli *c;
	struct control *control;
	const char *out; /* folder that gets a folder for each device */
};

/* A serial number as a folder's name: what could leave the folder is refused. */
static bool
good_folder(const char *serial)
{
	return mst_serial_check(mst_span_str(serial)) == MST_OK && strchr(serial, '/') == NULL &&
	       serial[0] != '.';
}

/* PEM or DER of a CSR as base64. */
static mst_err
read_csr(struct cli *c, const char *path, const char **base64)
{
	mst_span bytes, der = MST_NONE;
	struct mst_buf text;
	mst_err e = file_read(c->a, path, CSR_BYTES, &bytes);

	if (e != MST_OK)
		return e;
	e = pki_csr_der(c->a, bytes, &der);
	text = arena_buf(c->a, MST_BASE64_LEN(der.len) + 1);
	if (e == MST_OK && (e = mst_base64_encode(der, &text)) == MST_OK)
		*base64 = arena_str(c->a, mst_buf_span(&text));
	return e;
}

static mst_err
new_csr(struct cli *c, const char *key_path, const char **base64)
{
	mst_span der;
	struct mst_buf text;
	mst_err e = pki_csr_new(c->a, key_path, &der);

	if (e != MST_OK)
		return e;
	text = arena_buf(c->a, MST_BASE64_LEN(der.len) + 1);
	if ((e = mst_base64_encode(der, &text)) == MST_OK)
		*base64 = arena_str(c->a, mst_buf_span(&text));
	return e;
}

static mst_err
write_chain(struct cli *c, const char *path, const json_t *chain)
{
	const char *all = "";
	size_t i;
	json_t *pem;

	json_array_foreach(chain, i, pem)
	{
		all = arena_printf(c->a, "%s%s", all, json_string_value(pem));
	}
	return file_write_new(path, mst_span_str(all), 0644);
}

static int
issue_one(struct issue *in, const char *serial, const char *csr)
{
	struct cli *c = in->c;
	const char *folder = arena_printf(c->a, "%s/%s", in->out, serial);
	const char *cert = arena_printf(c->a, "%s/idevid.pem", folder);
	json_t *args, *data;
	mst_err e;

	if (!good_folder(serial))
		return cli_refuse(c, MST_E_VOUCHER_SERIAL_FORMAT, serial);
	if (access(cert, F_OK) == 0)
		return cli_refuse(c, MST_E_CONFLICT, cert);
	if ((e = file_make_dir(folder, 0700)) != MST_OK)
		return cli_refuse(c, e, file_why());
	if (csr == NULL &&
	    (e = new_csr(c, arena_printf(c->a, "%s/idevid.key", folder), &csr)) != MST_OK)
		return cli_refuse(c, e, pki_why());
	args = json_pack(
	    "{s:s,s:s,s:s?}", "serial", serial, "csr", csr, "product", cli_option(c, "product"));
	e = control_call(in->control, "idevid.issue", args, NULL, NULL, &data);
	json_decref(args);
	if (e != MST_OK)
		return cli_refuse(c, e, control_why());
	e = write_chain(c, cert, json_object_get(data, "chain"));
	json_decref(data);
	return e == MST_OK ? CLI_OK : cli_refuse(c, e, file_why());
}

/* The first column of a CSV; a heading and empty lines are passed over. */
static int
issue_list(struct issue *in, const char *path)
{
	struct cli *c = in->c;
	mst_span bytes;
	char *text, *save = NULL;
	int64_t of = 0, done = 0;
	int code = CLI_OK;
	mst_err e = file_read(c->a, path, LIST_BYTES, &bytes);

	if (e != MST_OK)
		return cli_refuse(c, e, file_why());
	for (size_t i = 0; i < bytes.len; i++)
		of += bytes.ptr[i] == '\n' && i > 0 && bytes.ptr[i - 1] != '\n';
	of += bytes.len != 0 && bytes.ptr[bytes.len - 1] != '\n';
	text = arena_str(c->a, bytes);
	for (char *line = strtok_r(text, "\r\n", &save); line != NULL && code == CLI_OK;
	     line = strtok_r(NULL, "\r\n", &save)) {
		size_t n = strcspn(line, ",;\t");

		line[n] = '\0';
		if (n >= 2 && line[0] == '"' && line[n - 1] == '"') {
			n -= 2;
			(++line)[n] = '\0';
		}
		if (done == 0 && cli_is_heading(line, n)) {
			of--;
			continue;
		}
		code = issue_one(in, line, NULL);
		done += code == CLI_OK;
		cli_progress(c, "IDevIDs", done, of);
	}
	return code;
}

static int
issue(struct cli *c)
{
	struct issue in = { .c = c, .out = cli_option(c, "out") };
	const char *csr = NULL, *batch = cli_option(c, "batch"), *config = cli_config(c);
	int code;
	mst_err e;

	if (in.out == NULL)
		return cli_fail(c, CLI_USAGE, "where to? give --out FOLDER");
	if ((batch == NULL) == (c->argc == 0))
		return cli_fail(c, CLI_USAGE, "give a SERIAL, or --batch FILE");
	if (config == NULL)
		return cli_fail(c, CLI_USAGE, "which factory? give --config FILE");
	if (cli_option(c, "csr") != NULL) {
		if (batch != NULL)
			return cli_fail(c, CLI_USAGE, "--csr is for one SERIAL");
		if ((e = read_csr(c, cli_option(c, "csr"), &csr)) != MST_OK)
			return cli_refuse(c, e, cli_option(c, "csr"));
	}
	if ((e = control_open(config, &in.control)) != MST_OK)
		return cli_refuse(c, e, control_why());
	code = batch != NULL ? issue_list(&in, batch) : issue_one(&in, c->argv[0], csr);
	control_close(in.control);
	if (code == CLI_OK && batch == NULL)
		cli_say(c, "%s/%s/idevid.pem%s", in.out, c->argv[0],
		    csr == NULL ? ", with its key beside it" : "");
	return code;
}

/* --- inventory, customers, voucher log --- */

static int
show_list(struct cli *c, const char *verb, json_t *args, const struct cli_column *columns, size_t n)
{
	json_t *data;
	int code = cli_daemon(c, verb, args, NULL, &data);

	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	cli_table(c, data, columns, n);
	json_decref(data);
	return CLI_OK;
}

static int
list_inventory(struct cli *c)
{
	static const struct cli_column columns[] = { { "serial", "SERIAL" },
		{ "product", "PRODUCT" }, { "state", "STATE" }, { "made_at", "MADE" },
		{ "reason", "REASON" } };

	return show_list(c, "inventory.list", NULL, columns, 5);
}

static int
set_inventory(struct cli *c)
{
	json_t *data;
	int code = cli_daemon(c, "inventory.set",
	    json_pack("{s:s,s:s?,s:s?,s:s?}", "serial", c->argv[0], "state",
	        cli_flag(c, "block") ? "blocked" : NULL, "customer", cli_option(c, "customer"),
	        "reason", cli_option(c, "reason")),
	    NULL, &data);

	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	cli_say(c, "%s is %s", c->argv[0], json_string_value(json_object_get(data, "state")));
	json_decref(data);
	return CLI_OK;
}

static int
put_file(struct cli *c, json_t *args, const char *option)
{
	const char *path = cli_option(c, option);
	mst_span bytes;
	mst_err e;

	if (path == NULL)
		return CLI_OK;
	if ((e = file_read(c->a, path, 1 << 20, &bytes)) != MST_OK)
		return cli_refuse(c, e, file_why());
	while (bytes.len != 0 && strcmp(option, "password-file") == 0 &&
	       (bytes.ptr[bytes.len - 1] == '\n' || bytes.ptr[bytes.len - 1] == '\r'))
		bytes.len--;
	json_object_set_new(args, strcmp(option, "password-file") == 0 ? "password" : option,
	    json_stringn((const char *)bytes.ptr, bytes.len));
	return CLI_OK;
}

static int
trust_customer(struct cli *c)
{
	json_t *args = json_pack("{s:s,s:s?}", "name", c->argv[0], "user", cli_option(c, "user")),
	       *data;
	int code;

	if ((code = put_file(c, args, "anchors")) != CLI_OK ||
	    (code = put_file(c, args, "crl")) != CLI_OK ||
	    (code = put_file(c, args, "password-file")) != CLI_OK) {
		json_decref(args);
		return code;
	}
	if (cli_flag(c, "nonceless"))
		json_object_set_new(args, "nonceless", json_true());
	if (cli_flag(c, "hard-revocation"))
		json_object_set_new(args, "hard_revocation", json_true());
	if ((code = cli_daemon(c, "customer.trust", args, NULL, &data)) != CLI_OK)
		return code;
	cli_say(c, "%s is a customer", c->argv[0]);
	json_decref(data);
	return CLI_OK;
}

static int
list_customers(struct cli *c)
{
	static const struct cli_column columns[] = { { "name", "NAME" }, { "user", "USER" },
		{ "nonceless", "NONCELESS" }, { "hard_revocation", "HARD REVOCATION" } };

	return show_list(c, "customer.list", NULL, columns, 4);
}

static int
list_voucher_log(struct cli *c)
{
	static const struct cli_column columns[] = { { "seq", "NO." }, { "at", "TIME" },
		{ "assertion", "ASSERTION" }, { "nonceless", "NONCELESS" },
		{ "domain_id", "DOMAIN" }, { "client", "CLIENT" }, { "signed", "SIGNED" } };

	return show_list(
	    c, "voucherlog.list", json_pack("{s:s}", "serial", c->argv[0]), columns, 7);
}

static const struct cli_option issue_options[] = {
	{ "out", "FOLDER", "gets a folder SERIAL with idevid.pem, and idevid.key unless --csr" },
	{ "csr", "FILE", "the device made its own key: certify this PKCS#10 request" },
	{ "batch", "FILE", "all serial numbers of a CSV's first column, with new keys" },
	{ "product", "NAME", "product line, for masa.product settings" },
	{ NULL, NULL, NULL },
};
static const struct cli_option set_options[] = {
	{ "customer", "NAME", "it belongs to this customer" },
	{ "block", NULL, "stolen, lost or recalled: no voucher is issued" },
	{ "reason", "TEXT", "why" },
	{ NULL, NULL, NULL },
};
static const struct cli_option customer_options[] = {
	{ "anchors", "FILE", "PEM of the CAs of its registrars" },
	{ "crl", "FILE", "PEM CRLs of those CAs" },
	{ "user", "NAME", "HTTP Basic user" },
	{ "password-file", "FILE", "and the file with its password" },
	{ "nonceless", NULL, "may have nonceless vouchers" },
	{ "hard-revocation", NULL, "refuse when no CRL covers its registrar" },
	{ NULL, NULL, NULL },
};

const struct cli_command cmd_idevid[] = {
	{ "idevid", "issue", "[SERIAL]", "make an IDevID and record the device with the MASA", NULL,
	    issue_options, issue },
	{ "inventory", "list", "", "the devices this manufacturer made", NULL, NULL,
	    list_inventory },
	{ "inventory", "set", "SERIAL", "whose a device is, or that it is blocked",
	    "Without options the device is free again.", set_options, set_inventory },
	{ "inventory", "log", "SERIAL", "every voucher ever issued for a device", NULL, NULL,
	    list_voucher_log },
	{ "customer", "trust", "NAME", "a site that this MASA knows", NULL, customer_options,
	    trust_customer },
	{ "customer", "list", "", "the sites that this MASA knows", NULL, NULL, list_customers },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
