/* SPDX-License-Identifier: Apache-2.0 */
#include "host/init.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/cert.h"
#include "host/file.h"
#include "host/pki.h"

#define YEAR ((int64_t)365 * 86400)
#define EKU_SERVER "1.3.6.1.5.5.7.3.1"
#define EKU_CLIENT "1.3.6.1.5.5.7.3.2"
#define EKU_CMC_RA "1.3.6.1.5.5.7.3.28"

static _Thread_local char why[512];

const char *
init_why(void)
{
	return why;
}

static mst_err
fail(mst_err e, const char *words)
{
	snprintf(why, sizeof why, "%s", words);
	return e;
}

static const char *
in(struct arena *a, const char *folder, const char *name)
{
	return arena_printf(a, "%s/%s", folder, name);
}

/* One identity: given key or a new file beside the certificate. */
static mst_err
make(struct arena *a, const char *folder, const char *name, const char *key_uri,
    struct pki_spec *spec, struct pki_identity *out)
{
	mst_err e;

	spec->cert_path = arena_printf(a, "%s/%s.pem", folder, name);
	spec->key_uri = key_uri != NULL ? key_uri : arena_printf(a, "%s/%s.key", folder, name);
	if (spec->cert_path == NULL || spec->key_uri == NULL)
		return fail(MST_E_NOMEM, "out of memory");
	e = pki_make(a, spec, out);
	return e == MST_OK ? e : fail(e, pki_why());
}

static mst_err
begin(struct arena *a, const char *folder)
{
	if (access(in(a, folder, "muster.conf"), F_OK) == 0)
		return fail(MST_E_CONFLICT, "the folder has a muster.conf already");
	return file_make_dir(folder, 0700) == MST_OK ? MST_OK : fail(MST_E_IO, file_why());
}

static mst_err
write_config(struct arena *a, const char *folder, const char *text)
{
	mst_err e = text == NULL
	                ? MST_E_NOMEM
	                : file_write_new(in(a, folder, "muster.conf"), mst_span_str(text), 0600);

	return e == MST_OK ? e : fail(e, file_why());
}

static const char *
ops_section(struct arena *a, const char *ops)
{
	return ops == NULL ? "" : arena_printf(a, "ops {\n\tlisten = \"%s\"\n}\n", ops);
}

static const char *
or_file(const char *uri, const char *file)
{
	return uri != NULL ? uri : file;
}

/* The host of "host:port/path". */
static const char *
host_of(struct arena *a, const char *url)
{
	const char *p = strstr(url, "://");
	size_t n;

	p = p != NULL ? p + 3 : url;
	if (*p == '[') {
		n = strcspn(++p, "]");
	} else {
		n = strcspn(p, ":/");
	}
	return arena_str(a, mst_span_of(p, n));
}

static const char *
factory_config(struct arena *a, const struct init_factory *f)
{
	return arena_printf(a,
	    "# made by `muster init factory`; see musterd.conf(5)\n"
	    "state = \"state\"\n%s"
	    "masa {\n\tlisten = \"%s\"\n\turl = \"%s\"\n\torganization = \"%s\"\n"
	    "\tcert = \"masa-tls.pem\"\n\tkey = \"masa-tls.key\"\n"
	    "\tidevid_anchors = \"idevid-ca.pem\"\n\tidevid_cert = \"idevid-ca.pem\"\n"
	    "\tidevid_key = \"%s\"\n"
	    "\tshort_cert = \"voucher-short.pem\"\n\tshort_key = \"%s\"\n"
	    "\tlong_cert = \"voucher-long.pem\"\n\tlong_key = \"%s\"\n}\n",
	    ops_section(a, f->ops), f->listen, f->url, f->organization,
	    or_file(f->idevid_ca_key, "idevid-ca.key"), or_file(f->short_key, "voucher-short.key"),
	    or_file(f->long_key, "voucher-long.key"));
}

/* A CA that the manufacturer has: its certificate is copied, its key stays where it is. */
static mst_err
import_idevid_ca(struct arena *a, const struct init_factory *f)
{
	mst_span pem;
	mst_err e;

	if (f->idevid_ca_key == NULL)
		return fail(MST_E_USAGE, "an IDevID CA certificate needs its key's URI");
	if ((e = file_read(a, f->idevid_ca_cert, 1 << 20, &pem)) != MST_OK ||
	    (e = file_write_new(in(a, f->folder, "idevid-ca.pem"), pem, 0644)) != MST_OK)
		return fail(e, file_why());
	return MST_OK;
}

mst_err
init_factory(struct arena *a, const struct init_factory *f)
{
	const char *o = f->organization;
	struct pki_identity idevid = { 0 }, voucher = { 0 }, web = { 0 }, leaf = { 0 };
	struct pki_spec idevid_ca = { "IDevID CA", o, .path_length = 0 };
	struct pki_spec voucher_ca = { "Voucher CA", o, .path_length = 0 };
	struct pki_spec web_ca = { "MASA TLS CA", o, .path_length = 0, .seconds = 20 * YEAR };
	struct pki_spec nonced = { "MASA voucher signer (nonced)", o, .issuer = &voucher,
		.path_length = -1, .seconds = 10 * YEAR, .append_issuer = true };
	/* a nonceless voucher may be kept in a drawer: its signer lives as long as its anchor */
	struct pki_spec nonceless = { "MASA voucher signer (nonceless)", o, .issuer = &voucher,
		.path_length = -1, .append_issuer = true };
	/* a device finds it good by the anchor of its vouchers; it signs no vouchers */
	struct pki_spec firmware = { "Firmware signer", o, .issuer = &voucher, .path_length = -1,
		.seconds = 10 * YEAR, .ekus = CERT_OID_CODE_SIGNING, .append_issuer = true };
	struct pki_spec tls = { "MASA", o, .issuer = &web, .path_length = -1, .seconds = 2 * YEAR,
		.ekus = EKU_SERVER, .hosts = host_of(a, f->url), .append_issuer = true };
	mst_err e = begin(a, f->folder);

	if (e == MST_OK)
		e = f->idevid_ca_cert != NULL
		        ? import_idevid_ca(a, f)
		        : make(a, f->folder, "idevid-ca", f->idevid_ca_key, &idevid_ca, &idevid);
	if (e == MST_OK)
		e = make(a, f->folder, "voucher-ca", f->voucher_ca_key, &voucher_ca, &voucher);
	if (e == MST_OK &&
	    (e = make(a, f->folder, "voucher-short", f->short_key, &nonced, &leaf)) == MST_OK)
		pki_wipe(&leaf);
	if (e == MST_OK &&
	    (e = make(a, f->folder, "voucher-long", f->long_key, &nonceless, &leaf)) == MST_OK)
		pki_wipe(&leaf);
	if (e == MST_OK && (e = make(a, f->folder, "firmware", NULL, &firmware, &leaf)) == MST_OK)
		pki_wipe(&leaf);
	if (e == MST_OK)
		e = make(a, f->folder, "masa-tls-ca", NULL, &web_ca, &web);
	if (e == MST_OK && (e = make(a, f->folder, "masa-tls", NULL, &tls, &leaf)) == MST_OK)
		pki_wipe(&leaf);
	if (e == MST_OK)
		e = write_config(a, f->folder, factory_config(a, f));
	pki_wipe(&idevid);
	pki_wipe(&voucher);
	pki_wipe(&web);
	return e;
}

/* One option of a section, or nothing. */
static const char *
option(struct arena *a, const char *name, const char *value)
{
	return value == NULL ? "" : arena_printf(a, "\t%s = \"%s\"\n", name, value);
}

static const char *
site_config(struct arena *a, const struct init_site *s)
{
	return arena_printf(a,
	    "# made by `muster init site`; see musterd.conf(5)\n"
	    "state = \"state\"\n%s"
	    "registrar {\n\tlisten = \"%s\"\n\tcert = \"registrar.pem\"\n\tkey = "
	    "\"registrar.key\"\n%s%s%s}\n"
	    "ca \"\" {\n\tcert = \"ca.pem\"\n\tkey = \"%s\"\n\torganization = \"%s\"\n"
	    "\tprofile \"device\" {\n\t\tdays = %ld\n\t}\n}\n"
	    "est {\n}\n",
	    ops_section(a, s->ops), s->listen, option(a, "announce", s->announce),
	    option(a, "coaps", s->coaps), option(a, "jpy", s->jpy), or_file(s->ca_key, "ca.key"),
	    s->organization, s->days != 0 ? s->days : 90);
}

mst_err
init_site(struct arena *a, const struct init_site *s)
{
	const char *o = s->organization;
	struct pki_identity ca = { 0 }, registrar = { 0 };
	struct pki_spec root = { "Domain CA", o, .path_length = 0, .seconds = 20 * YEAR };
	struct pki_spec ra = { "Registrar", o, .issuer = &ca, .path_length = -1,
		.seconds = 2 * YEAR, .ekus = EKU_SERVER " " EKU_CLIENT " " EKU_CMC_RA,
		.hosts = s->hosts, .append_issuer = true };
	mst_err e = begin(a, s->folder);

	if (e == MST_OK)
		e = make(a, s->folder, "ca", s->ca_key, &root, &ca);
	if (e == MST_OK)
		e = make(a, s->folder, "registrar", NULL, &ra, &registrar);
	if (e == MST_OK)
		e = write_config(a, s->folder, site_config(a, s));
	pki_wipe(&ca);
	pki_wipe(&registrar);
	return e;
}
