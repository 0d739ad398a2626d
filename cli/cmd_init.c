/* SPDX-License-Identifier: Apache-2.0 */
/* init: a factory or a site from nothing. */
#include <string.h>

#include "cli/commands.h"
#include "host/init.h"

static const char *
option_or(const struct cli *c, const char *name, const char *otherwise)
{
	const char *v = cli_option(c, name);

	return v != NULL ? v : otherwise;
}

/* What goes between quotes into a configuration file must not end them. */
static bool
plain(const struct cli *c, const char *name, const char *value)
{
	if (value == NULL || strpbrk(value, "\"\\\n\r$") == NULL)
		return true;
	cli_fail(
	    c, CLI_USAGE, "--%s must not contain quotes, backslashes, dollars or line ends", name);
	return false;
}

static bool
all_plain(const struct cli *c, const struct cli_option *options)
{
	for (; options->name != NULL; options++)
		if (!plain(c, options->name, cli_option(c, options->name)))
			return false;
	return true;
}

static const struct cli_option factory_options[] = {
	{ "organization", "NAME", "O= in its certificates (default: Example Manufacturer)" },
	{ "url", "HOST[:PORT]", "where its MASA is reached; goes into every IDevID (needed)" },
	{ "listen", "ADDRESS", "where the MASA listens (default: 0.0.0.0:9443)" },
	{ "ops", "ADDRESS", "metrics and health, on loopback (default: none)" },
	{ "idevid-ca-key", "URI", "an existing key for the IDevID CA, e.g. pkcs11:..." },
	{ "idevid-ca-cert", "FILE", "and its certificate, if it has one" },
	{ "voucher-ca-key", "URI", "an existing key for the anchor of vouchers" },
	{ "short-key", "URI", "an existing key for nonced vouchers" },
	{ "long-key", "URI", "an existing key for nonceless vouchers" },
	{ NULL, NULL, NULL },
};

static int
factory(struct cli *c)
{
	struct init_factory f = { .folder = c->argv[0],
		.organization = option_or(c, "organization", "Example Manufacturer"),
		.listen = option_or(c, "listen", "0.0.0.0:9443"),
		.url = cli_option(c, "url"),
		.ops = cli_option(c, "ops"),
		.idevid_ca_key = cli_option(c, "idevid-ca-key"),
		.idevid_ca_cert = cli_option(c, "idevid-ca-cert"),
		.voucher_ca_key = cli_option(c, "voucher-ca-key"),
		.short_key = cli_option(c, "short-key"),
		.long_key = cli_option(c, "long-key") };
	mst_err e;

	if (f.url == NULL)
		return cli_fail(
		    c, CLI_USAGE, "where will the MASA be reached? give --url HOST[:PORT]");
	if (!all_plain(c, factory_options))
		return CLI_USAGE;
	if ((e = init_factory(c->a, &f)) != MST_OK)
		return cli_refuse(c, e, init_why());
	cli_say(c,
	    "%s is a factory: IDevID CA, voucher keys (nonced, nonceless), MASA.\n"
	    "Next: muster idevid issue SERIAL --out FOLDER --config %s/muster.conf\n"
	    "      musterd --config %s/muster.conf\n"
	    "Keep voucher-ca.key and masa-tls-ca.key offline: the daemon does not need them.",
	    f.folder, f.folder, f.folder);
	return CLI_OK;
}

static const struct cli_option site_options[] = {
	{ "organization", "NAME", "O= in its certificates (default: Example Site)" },
	{ "hosts", "NAMES", "names and addresses of the registrar, space-separated (needed)" },
	{ "listen", "ADDRESS", "where the registrar listens (default: 0.0.0.0:8443)" },
	{ "ops", "ADDRESS", "metrics and health, on loopback (default: none)" },
	{ "ca-key", "URI", "an existing key for the domain CA, e.g. pkcs11:..." },
	{ "announce", "NAME", "announce the registrar by DNS-SD under this name" },
	{ "coaps", "ADDRESS", "UDP address for constrained devices, \"[::]:5684\"" },
	{ "jpy", "ADDRESS", "UDP address for stateless join proxies" },
	{ "days", "N", "life of device certificates (default: 90)" },
	{ NULL, NULL, NULL },
};

static int
site(struct cli *c)
{
	bool bad = false;
	struct init_site s = { .folder = c->argv[0],
		.organization = option_or(c, "organization", "Example Site"),
		.listen = option_or(c, "listen", "0.0.0.0:8443"),
		.hosts = cli_option(c, "hosts"),
		.ops = cli_option(c, "ops"),
		.ca_key = cli_option(c, "ca-key"),
		.announce = cli_option(c, "announce"),
		.coaps = cli_option(c, "coaps"),
		.jpy = cli_option(c, "jpy"),
		.days = cli_number(c, "days", 90, 1, 36500, &bad) };
	mst_err e;

	if (s.hosts == NULL)
		return cli_fail(c, CLI_USAGE, "what is the registrar called? give --hosts NAMES");
	if (bad || !all_plain(c, site_options))
		return CLI_USAGE;
	if ((e = init_site(c->a, &s)) != MST_OK)
		return cli_refuse(c, e, init_why());
	cli_say(c,
	    "%s is a site: domain CA, registrar.\n"
	    "Next: muster manufacturer trust NAME --anchors FILE --masa-hosts HOST --config "
	    "%s/muster.conf\n"
	    "      musterd --config %s/muster.conf",
	    s.folder, s.folder, s.folder);
	return CLI_OK;
}

const struct cli_command cmd_init[] = {
	{ "init", "factory", "FOLDER", "make a manufacturer: IDevID CA, voucher keys, MASA",
	    "Nothing is overwritten. Keys that exist are used by their URIs.", factory_options,
	    factory },
	{ "init", "site", "FOLDER", "make a site: domain CA and registrar",
	    "Nothing is overwritten. Keys that exist are used by their URIs.", site_options, site },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
