/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config/config.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/conf.h"

const char *
config_why(void)
{
	return conf_why();
}

/* --- values that have a range or a set of words --- */

static const struct conf_range ranges[] = {
	{ "loops", 1, 64 },
	{ "header_bytes", 1024, 1 << 20 },
	{ "body_bytes", 1024, 1 << 24 },
	{ "handshake_ms", 100, 600000 },
	{ "header_ms", 100, 600000 },
	{ "body_ms", 100, 600000 },
	{ "idle_ms", 100, 86400000 },
	{ "connections", 1, 1000000 },
	{ "per_source", 1, 1000000 },
	{ "masa_timeout_ms", 100, 600000 },
	{ "masa_concurrency", 1, 1000 },
	{ "retry_after", 1, 86400 },
	{ "device_rate", 1, 100000 },
	{ "exchange_days", 0, 36500 },
	{ "days", 1, 36500 },
	{ "crl_hours", 1, 8760 },
	{ "window_percent", 0, 99 },
	{ "nonceless_days", 0, 36500 },
	{ "request_age", 60, 31536000 },
	{ "rate", 1, 1000000 },
	{ "max_connections", 1, 1000000 },
	{ "per_peer", 1, 1000000 },
	{ "leisure_ms", 0, 60000 },
	{ "answers_per_source", 1, 600 },
	{ "answers_per_second", 1, 1000 },
	{ "flood_seconds", 60, 170 }, /* RFC 8995 4.3: not below 60; a flood is worth 180 */
	{ "coaps_sessions", 1, 100000 },
	{ "coaps_per_source", 1, 100000 },
	{ "coaps_handshake_rate", 1, 100000 },
	{ "jpy_connections", 1, 20000 },
	{ "jpy_per_proxy", 1, 20000 },
	{ "jpy_handshake_rate", 1, 100000 },
	{ "udp_idle_ms", 100, 86400000 },
	{ "udp_per_pledge", 1, 1000 },
	{ "udp_per_interface", 1, 10000 },
	{ "udp_key_hours", 1, 8760 },
};

static const struct conf_words words[] = {
	{ "format", "json journald text" },
	{ "level", "debug info warning error" },
	{ "san", "none serial" },
	{ "challenge", "binding ignore" },
	{ "csrattrs", "template old both" },
};

static const struct conf_rules rules = { ranges, sizeof ranges / sizeof ranges[0], words,
	sizeof words / sizeof words[0] };

/* --- the schema; defaults are those of the requirement sheets --- */

static cfg_opt_t http_opts[] = { CFG_INT("header_bytes", 16384, CFGF_NONE),
	CFG_INT("body_bytes", 65536, CFGF_NONE), CFG_INT("handshake_ms", 10000, CFGF_NONE),
	CFG_INT("header_ms", 10000, CFGF_NONE), CFG_INT("body_ms", 30000, CFGF_NONE),
	CFG_INT("idle_ms", 60000, CFGF_NONE), CFG_INT("connections", 4000, CFGF_NONE),
	CFG_INT("per_source", 200, CFGF_NONE), CFG_END() };
static cfg_opt_t log_opts[] = { CFG_STR("format", "json", CFGF_NONE),
	CFG_STR("level", "info", CFGF_NONE), CFG_END() };
static cfg_opt_t ops_opts[] = { CFG_STR("listen", NULL, CFGF_NODEFAULT), CFG_END() };
static cfg_opt_t registrar_opts[] = { CFG_STR("listen", "0.0.0.0:8443", CFGF_NONE),
	CFG_STR("cert", NULL, CFGF_NODEFAULT), CFG_STR("key", NULL, CFGF_NODEFAULT),
	CFG_STR("rvr_cert", NULL, CFGF_NODEFAULT), CFG_STR("rvr_key", NULL, CFGF_NODEFAULT),
	CFG_STR("announce", NULL, CFGF_NODEFAULT), CFG_INT("masa_timeout_ms", 20000, CFGF_NONE),
	CFG_INT("masa_concurrency", 16, CFGF_NONE), CFG_INT("retry_after", 10, CFGF_NONE),
	CFG_BOOL("status_optional", cfg_false, CFGF_NONE), CFG_INT("device_rate", 30, CFGF_NONE),
	CFG_INT("exchange_days", 90, CFGF_NONE), CFG_STR("coaps", NULL, CFGF_NODEFAULT),
	CFG_INT("coaps_sessions", 1000, CFGF_NONE), CFG_INT("coaps_per_source", 200, CFGF_NONE),
	CFG_INT("coaps_handshake_rate", 20, CFGF_NONE), CFG_STR("jpy", NULL, CFGF_NODEFAULT),
	CFG_INT("jpy_connections", 512, CFGF_NONE), CFG_INT("jpy_per_proxy", 200, CFGF_NONE),
	CFG_INT("jpy_handshake_rate", 100, CFGF_NONE), CFG_END() };
static cfg_opt_t profile_opts[] = { CFG_INT("days", 90, CFGF_NONE),
	CFG_STR("ekus", "1.3.6.1.5.5.7.3.2", CFGF_NONE), CFG_STR("san", "none", CFGF_NONE),
	CFG_BOOL("rekey", cfg_false, CFGF_NONE), CFG_END() };
static cfg_opt_t ca_opts[] = { CFG_STR("cert", NULL, CFGF_NODEFAULT),
	CFG_STR("key", NULL, CFGF_NODEFAULT), CFG_STR("old_cert", NULL, CFGF_NODEFAULT),
	CFG_STR("old_key", NULL, CFGF_NODEFAULT), CFG_STR("crl_url", NULL, CFGF_NODEFAULT),
	CFG_INT("crl_hours", 168, CFGF_NONE), CFG_STR("organization", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("manufacturers", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("users", NULL, CFGF_NODEFAULT),
	CFG_SEC("profile", profile_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	CFG_END() };
static cfg_opt_t est_opts[] = { CFG_BOOL("basic", cfg_false, CFGF_NONE),
	CFG_STR("basic_file", NULL, CFGF_NODEFAULT), CFG_BOOL("keygen", cfg_false, CFGF_NONE),
	CFG_BOOL("binding_required", cfg_false, CFGF_NONE),
	CFG_STR("challenge", "binding", CFGF_NONE), CFG_STR("csrattrs", "both", CFGF_NONE),
	CFG_BOOL("manual", cfg_false, CFGF_NONE), CFG_INT("window_percent", 0, CFGF_NONE),
	CFG_STR_LIST("single_certificate", NULL, CFGF_NODEFAULT), CFG_END() };
static cfg_opt_t product_opts[] = { CFG_BOOL("id_data", cfg_false, CFGF_NONE), CFG_END() };
static cfg_opt_t masa_opts[] = { CFG_STR("listen", "0.0.0.0:9443", CFGF_NONE),
	CFG_STR("cert", NULL, CFGF_NODEFAULT), CFG_STR("key", NULL, CFGF_NODEFAULT),
	CFG_STR("url", NULL, CFGF_NODEFAULT), CFG_STR("idevid_anchors", NULL, CFGF_NODEFAULT),
	CFG_STR("idevid_cert", NULL, CFGF_NODEFAULT), CFG_STR("idevid_key", NULL, CFGF_NODEFAULT),
	CFG_STR("short_cert", NULL, CFGF_NODEFAULT), CFG_STR("short_key", NULL, CFGF_NODEFAULT),
	CFG_STR("long_cert", NULL, CFGF_NODEFAULT), CFG_STR("long_key", NULL, CFGF_NODEFAULT),
	CFG_STR("organization", NULL, CFGF_NODEFAULT), CFG_STR("crl", NULL, CFGF_NODEFAULT),
	CFG_STR("public_cas", "/etc/ssl/certs/ca-certificates.crt", CFGF_NONE),
	CFG_BOOL("require_prior", cfg_true, CFGF_NONE), CFG_INT("nonceless_days", 0, CFGF_NONE),
	CFG_INT("request_age", 86400, CFGF_NONE), CFG_INT("rate", 600, CFGF_NONE),
	CFG_SEC("product", product_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	CFG_END() };
static cfg_opt_t proxy_opts[] = { CFG_STR("listen", "[::]:8444", CFGF_NONE),
	CFG_STR("registrar", NULL, CFGF_NODEFAULT), CFG_STR("announce", NULL, CFGF_NODEFAULT),
	CFG_BOOL("discover", cfg_false, CFGF_NONE), CFG_INT("max_connections", 256, CFGF_NONE),
	CFG_INT("per_peer", 4, CFGF_NONE), CFG_INT("idle_ms", 300000, CFGF_NONE),
	CFG_STR("udp_listen", NULL, CFGF_NODEFAULT), CFG_STR("udp_registrar", NULL, CFGF_NODEFAULT),
	CFG_INT("udp_idle_ms", 30000, CFGF_NONE), CFG_INT("udp_per_pledge", 2, CFGF_NONE),
	CFG_INT("udp_per_interface", 10, CFGF_NONE), CFG_INT("udp_key_hours", 24, CFGF_NONE),
	CFG_BOOL("udp_any_source", cfg_false, CFGF_NONE), CFG_END() };
static cfg_opt_t discovery_opts[] = { CFG_STR_LIST("interfaces", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("registrar_interfaces", "{}", CFGF_NONE),
	CFG_BOOL("coap", cfg_true, CFGF_NONE), CFG_BOOL("grasp", cfg_false, CFGF_NONE),
	CFG_INT("leisure_ms", 5000, CFGF_NONE), CFG_INT("answers_per_source", 6, CFGF_NONE),
	CFG_INT("answers_per_second", 10, CFGF_NONE), CFG_INT("flood_seconds", 60, CFGF_NONE),
	CFG_END() };
static cfg_opt_t opts[] = { CFG_STR("state", NULL, CFGF_NODEFAULT), CFG_INT("loops", 1, CFGF_NONE),
	CFG_SEC("log", log_opts, CFGF_NONE), CFG_SEC("ops", ops_opts, CFGF_NODEFAULT),
	CFG_SEC("http", http_opts, CFGF_NONE), CFG_SEC("registrar", registrar_opts, CFGF_NODEFAULT),
	CFG_SEC("ca", ca_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	CFG_SEC("est", est_opts, CFGF_NODEFAULT), CFG_SEC("masa", masa_opts, CFGF_NODEFAULT),
	CFG_SEC("proxy", proxy_opts, CFGF_NODEFAULT),
	CFG_SEC("discovery", discovery_opts, CFGF_NODEFAULT), CONF_LAST, CFG_END() };

/* --- from libconfuse's tree to the struct --- */

struct reader {
	struct arena *a;
	struct config *out;
	mst_err err;
};

static void
fail(struct reader *r, cfg_t *at, mst_err e, const char *words_)
{
	if (r->err != MST_OK)
		return;
	r->err = e;
	conf_say(r->out->path, at, words_);
}

static void *
zeroed(struct reader *r, size_t size)
{
	void *p = arena_alloc(r->a, size);

	if (p == NULL)
		fail(r, NULL, MST_E_NOMEM, "out of memory");
	return p;
}

static const char *
text(struct reader *r, cfg_t *c, const char *name)
{
	const char *v = cfg_getstr(c, name);
	char *copy;

	if (v == NULL)
		return NULL;
	copy = arena_str(r->a, mst_span_str(v));
	if (copy == NULL)
		fail(r, c, MST_E_NOMEM, "out of memory");
	return copy;
}

static const char *
need(struct reader *r, cfg_t *c, const char *section, const char *name)
{
	const char *v = text(r, c, name);

	if (v == NULL || v[0] == '\0')
		fail(r, c, MST_E_CONFIG_MISSING,
		    arena_printf(r->a, "section \"%s\" lacks \"%s\"", section, name));
	return v;
}

/* What was given must not become absent because memory ran out. */
static const char *
kept(struct reader *r, const char *given, const char *whole)
{
	if (given != NULL && whole == NULL)
		fail(r, NULL, MST_E_NOMEM, "out of memory");
	return whole;
}

static const char *
resolve(struct reader *r, const char *path)
{
	return kept(r, path, conf_path(r->a, r->out->folder, path));
}

static const char *
noted(struct reader *r, const char *path)
{
	if (path != NULL && r->out->file_count < CONFIG_FILES)
		r->out->files[r->out->file_count++] = path;
	return path;
}

static const char *
need_path(struct reader *r, cfg_t *c, const char *section, const char *name)
{
	return noted(r, resolve(r, need(r, c, section, name)));
}

static const char *
path(struct reader *r, cfg_t *c, const char *name)
{
	return noted(r, resolve(r, text(r, c, name)));
}

static const char *
key_uri(struct reader *r, const char *uri)
{
	const char *whole = kept(r, uri, conf_key_uri(r->a, r->out->folder, uri));

	if (whole != NULL && whole[0] == '/') /* no URI of another scheme */
		(void)noted(r, whole);
	return whole;
}

static void
need_pair(struct reader *r, cfg_t *c, const char *a, const char *b)
{
	if ((cfg_getstr(c, a) == NULL) != (cfg_getstr(c, b) == NULL))
		fail(r, c, MST_E_CONFIG_MISSING,
		    arena_printf(r->a, "\"%s\" and \"%s\" go together", a, b));
}

static void
read_registrar(struct reader *r, cfg_t *c)
{
	struct config_registrar *g = zeroed(r, sizeof *g);

	if (g == NULL)
		return;
	g->listen = need(r, c, "registrar", "listen");
	g->cert = need_path(r, c, "registrar", "cert");
	g->key = key_uri(r, need(r, c, "registrar", "key"));
	need_pair(r, c, "rvr_cert", "rvr_key");
	g->rvr_cert = path(r, c, "rvr_cert");
	g->rvr_key = key_uri(r, text(r, c, "rvr_key"));
	if (g->rvr_cert == NULL) { /* requirements ID-6 */
		g->rvr_cert = g->cert;
		g->rvr_key = g->key;
	}
	g->announce = text(r, c, "announce");
	g->masa_timeout_ms = cfg_getint(c, "masa_timeout_ms");
	g->masa_concurrency = cfg_getint(c, "masa_concurrency");
	g->retry_after = cfg_getint(c, "retry_after");
	g->status_optional = cfg_getbool(c, "status_optional") == cfg_true;
	g->device_rate = cfg_getint(c, "device_rate");
	g->exchange_days = cfg_getint(c, "exchange_days");
	g->coaps = text(r, c, "coaps");
	g->jpy = text(r, c, "jpy");
	if (g->jpy != NULL && g->coaps == NULL)
		fail(r, c, MST_E_CONFIG_MISSING, "registrar: jpy needs coaps");
	g->coaps_sessions = cfg_getint(c, "coaps_sessions");
	g->coaps_per_source = cfg_getint(c, "coaps_per_source");
	g->coaps_handshake_rate = cfg_getint(c, "coaps_handshake_rate");
	g->jpy_connections = cfg_getint(c, "jpy_connections");
	g->jpy_per_proxy = cfg_getint(c, "jpy_per_proxy");
	g->jpy_handshake_rate = cfg_getint(c, "jpy_handshake_rate");
	r->out->registrar = g;
}

#define EKU_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define EKU_CMC_RA "1.3.6.1.5.5.7.3.28"

/* Is the OID one of the words? As a part of another it says something else: .3.2 begins .3.28. */
static bool
has_oid(const char *list, const char *oid)
{
	size_t len = strlen(oid), n;

	for (; *list != '\0'; list += n) {
		list += strspn(list, " ");
		n = strcspn(list, " ");
		if (n == len && strncmp(list, oid, n) == 0)
			return true;
	}
	return false;
}

static void
check_ekus(struct reader *r, cfg_t *p, const char *ekus)
{
	if (ekus == NULL)
		return;
	if (!has_oid(ekus, EKU_CLIENT_AUTH))
		fail(r, p, MST_E_CONFIG_VALUE, "ekus must contain clientAuth, " EKU_CLIENT_AUTH);
	/*
	 * RFC 7030 3.6.1, 8.7 step 9: cmcRA under the site's CA is what a pledge
	 * knows its registrar by. What EST hands out to devices must not have it.
	 */
	else if (has_oid(ekus, EKU_CMC_RA))
		fail(r, p, MST_E_CONFIG_VALUE,
		    "ekus must not contain cmcRA, " EKU_CMC_RA
		    ": each device would be a registrar");
}

static void
read_profiles(struct reader *r, cfg_t *c, struct config_ca *ca)
{
	size_t n = cfg_size(c, "profile");

	ca->profile_count = n != 0 ? n : 1;
	ca->profiles = zeroed(r, ca->profile_count * sizeof *ca->profiles);
	if (ca->profiles == NULL)
		return;
	if (n == 0)
		ca->profiles[0] = (struct config_profile){
			.name = "device", .days = 90, .ekus = EKU_CLIENT_AUTH, .san = "none"
		};
	for (unsigned i = 0; i < n; i++) {
		cfg_t *p = cfg_getnsec(c, "profile", i);
		struct config_profile *out = &ca->profiles[i];

		out->name = arena_str(r->a, mst_span_str(cfg_title(p)));
		out->days = cfg_getint(p, "days");
		out->ekus = text(r, p, "ekus");
		out->san = text(r, p, "san");
		out->rekey = cfg_getbool(p, "rekey") == cfg_true;
		check_ekus(r, p, out->ekus);
	}
}

static void
read_names(struct reader *r, cfg_t *c, const char *name, const char ***out, size_t *count)
{
	size_t n = cfg_size(c, name);
	const char **list = zeroed(r, (n + 1) * sizeof *list);

	for (unsigned i = 0; list != NULL && i < n; i++) {
		list[i] = arena_str(r->a, mst_span_str(cfg_getnstr(c, name, i)));
		if (list[i] == NULL)
			fail(r, c, MST_E_NOMEM, "out of memory");
		else if (list[i][0] == '\0')
			fail(r, c, MST_E_CONFIG_VALUE,
			    arena_printf(r->a, "an empty name in \"%s\"", name));
	}
	*out = list;
	*count = n;
}

static void
read_cas(struct reader *r, cfg_t *cfg)
{
	r->out->ca_count = cfg_size(cfg, "ca");
	r->out->cas = zeroed(r, (r->out->ca_count + 1) * sizeof *r->out->cas);
	if (r->out->cas == NULL)
		return;
	for (unsigned i = 0; i < r->out->ca_count; i++) {
		cfg_t *c = cfg_getnsec(cfg, "ca", i);
		struct config_ca *ca = &r->out->cas[i];

		ca->label = arena_str(r->a, mst_span_str(cfg_title(c)));
		ca->cert = need_path(r, c, "ca", "cert");
		ca->key = key_uri(r, need(r, c, "ca", "key"));
		need_pair(r, c, "old_cert", "old_key");
		ca->old_cert = path(r, c, "old_cert");
		ca->old_key = key_uri(r, text(r, c, "old_key"));
		ca->crl_url = text(r, c, "crl_url");
		ca->crl_hours = cfg_getint(c, "crl_hours");
		ca->organization = text(r, c, "organization");
		read_names(r, c, "manufacturers", &ca->manufacturers, &ca->manufacturer_count);
		read_names(r, c, "users", &ca->users, &ca->user_count);
		read_profiles(r, c, ca);
	}
}

static void
read_est(struct reader *r, cfg_t *c)
{
	struct config_est *e = zeroed(r, sizeof *e);

	if (e == NULL)
		return;
	e->basic = cfg_getbool(c, "basic") == cfg_true;
	e->basic_file = path(r, c, "basic_file");
	e->keygen = cfg_getbool(c, "keygen") == cfg_true;
	e->binding_required = cfg_getbool(c, "binding_required") == cfg_true;
	e->challenge = text(r, c, "challenge");
	e->csrattrs = text(r, c, "csrattrs");
	e->manual = cfg_getbool(c, "manual") == cfg_true;
	e->window_percent = cfg_getint(c, "window_percent");
	read_names(r, c, "single_certificate", &e->single_certificate, &e->single_count);
	if (e->basic && e->basic_file == NULL)
		fail(r, c, MST_E_CONFIG_MISSING, "est: basic needs basic_file");
	r->out->est = e;
}

static void
read_products(struct reader *r, cfg_t *c, struct config_masa *m)
{
	m->product_count = cfg_size(c, "product");
	m->products = zeroed(r, (m->product_count + 1) * sizeof *m->products);
	if (m->products == NULL)
		return;
	for (unsigned i = 0; i < m->product_count; i++) {
		cfg_t *p = cfg_getnsec(c, "product", i);

		m->products[i].name = arena_str(r->a, mst_span_str(cfg_title(p)));
		m->products[i].id_data = cfg_getbool(p, "id_data") == cfg_true;
	}
}

static void
read_masa(struct reader *r, cfg_t *c)
{
	struct config_masa *m = zeroed(r, sizeof *m);

	if (m == NULL)
		return;
	m->listen = need(r, c, "masa", "listen");
	m->cert = need_path(r, c, "masa", "cert");
	m->key = key_uri(r, need(r, c, "masa", "key"));
	m->url = need(r, c, "masa", "url");
	m->idevid_anchors = need_path(r, c, "masa", "idevid_anchors");
	need_pair(r, c, "idevid_cert", "idevid_key");
	m->idevid_cert = path(r, c, "idevid_cert");
	m->idevid_key = key_uri(r, text(r, c, "idevid_key"));
	m->short_cert = need_path(r, c, "masa", "short_cert");
	m->short_key = key_uri(r, need(r, c, "masa", "short_key"));
	need_pair(r, c, "long_cert", "long_key");
	m->long_cert = path(r, c, "long_cert");
	m->long_key = key_uri(r, text(r, c, "long_key"));
	if (m->long_key != NULL && strcmp(m->long_key, m->short_key) == 0)
		fail(r, c, MST_E_CONFIG_VALUE,
		    "long_key is short_key; nonceless vouchers need a key of their own");
	m->organization = text(r, c, "organization");
	m->crl = path(r, c, "crl");
	m->public_cas = path(r, c, "public_cas");
	m->require_prior = cfg_getbool(c, "require_prior") == cfg_true;
	m->nonceless_days = cfg_getint(c, "nonceless_days");
	m->request_age = cfg_getint(c, "request_age");
	m->rate = cfg_getint(c, "rate");
	read_products(r, c, m);
	r->out->masa = m;
}

static void
read_proxy(struct reader *r, cfg_t *c)
{
	struct config_proxy *p = zeroed(r, sizeof *p);

	if (p == NULL)
		return;
	p->listen = need(r, c, "proxy", "listen");
	p->registrar = text(r, c, "registrar");
	p->announce = text(r, c, "announce");
	p->discover = cfg_getbool(c, "discover") == cfg_true;
	p->max_connections = cfg_getint(c, "max_connections");
	p->per_peer = cfg_getint(c, "per_peer");
	p->idle_ms = cfg_getint(c, "idle_ms");
	p->udp_listen = text(r, c, "udp_listen");
	p->udp_registrar = text(r, c, "udp_registrar");
	p->udp_idle_ms = cfg_getint(c, "udp_idle_ms");
	p->udp_per_pledge = cfg_getint(c, "udp_per_pledge");
	p->udp_per_interface = cfg_getint(c, "udp_per_interface");
	p->udp_key_hours = cfg_getint(c, "udp_key_hours");
	p->udp_any_source = cfg_getbool(c, "udp_any_source") == cfg_true;
	if (p->registrar == NULL && !p->discover && p->udp_listen == NULL)
		fail(r, c, MST_E_CONFIG_MISSING,
		    "proxy: give \"registrar\" or \"udp_listen\", or set \"discover\"");
	if (p->udp_registrar != NULL && p->udp_listen == NULL)
		fail(r, c, MST_E_CONFIG_MISSING, "proxy: udp_registrar needs udp_listen");
	r->out->proxy = p;
}

#define INTERFACES_MAX 16 /* of host/discovery */

static const char **
read_interfaces(struct reader *r, cfg_t *c, const char *name, size_t *count)
{
	size_t n = cfg_size(c, name);
	const char **list = zeroed(r, (n + 1) * sizeof *list);

	*count = n;
	if (n > INTERFACES_MAX)
		fail(r, c, MST_E_CONFIG_VALUE,
		    arena_printf(r->a, "discovery: more than %d %s", INTERFACES_MAX, name));
	for (unsigned i = 0; list != NULL && i < n; i++) {
		const char *v = cfg_getnstr(c, name, i);

		/* IFNAMSIZ - 1 */
		if (v[0] == '\0' || strlen(v) > 15)
			fail(r, c, MST_E_CONFIG_VALUE,
			    arena_printf(r->a, "discovery: \"%s\" names no interface", v));
		list[i] = arena_str(r->a, mst_span_str(v));
		if (list[i] == NULL)
			fail(r, c, MST_E_NOMEM, "out of memory");
	}
	return list;
}

static void
read_discovery(struct reader *r, cfg_t *c)
{
	struct config_discovery *d = zeroed(r, sizeof *d);

	if (d == NULL)
		return;
	d->interfaces = read_interfaces(r, c, "interfaces", &d->interface_count);
	/* Only what is named: no other link hears of this daemon. */
	if (d->interface_count == 0)
		fail(r, c, MST_E_CONFIG_MISSING, "section \"discovery\" lacks \"interfaces\"");
	d->registrar_interfaces =
	    read_interfaces(r, c, "registrar_interfaces", &d->registrar_interface_count);
	d->coap = cfg_getbool(c, "coap") == cfg_true;
	d->grasp = cfg_getbool(c, "grasp") == cfg_true;
	d->leisure_ms = cfg_getint(c, "leisure_ms");
	d->answers_per_source = cfg_getint(c, "answers_per_source");
	d->answers_per_second = cfg_getint(c, "answers_per_second");
	d->flood_seconds = cfg_getint(c, "flood_seconds");
	r->out->discovery = d;
}

static void
read_http(cfg_t *c, struct config_http *h)
{
	h->header_bytes = cfg_getint(c, "header_bytes");
	h->body_bytes = cfg_getint(c, "body_bytes");
	h->handshake_ms = cfg_getint(c, "handshake_ms");
	h->header_ms = cfg_getint(c, "header_ms");
	h->body_ms = cfg_getint(c, "body_ms");
	h->idle_ms = cfg_getint(c, "idle_ms");
	h->connections = cfg_getint(c, "connections");
	h->per_source = cfg_getint(c, "per_source");
}

static void
read_ops(struct reader *r, cfg_t *c)
{
	r->out->ops = need(r, c, "ops", "listen");
	if (r->out->ops != NULL && strncmp(r->out->ops, "127.", 4) != 0 &&
	    strncmp(r->out->ops, "[::1]", 5) != 0)
		fail(r, c, MST_E_CONFIG_VALUE, "ops: listen must be a loopback address");
}

static void
read_all(struct reader *r, cfg_t *cfg)
{
	struct config *o = r->out;

	o->state = resolve(r, need(r, cfg, "the file", "state")); /* made when it is missing */
	if (o->state != NULL) {
		o->database = arena_printf(r->a, "%s/muster.db", o->state);
		o->control = arena_printf(r->a, "%s/control", o->state);
	}
	o->loops = (unsigned)cfg_getint(cfg, "loops");
	o->log_format = log_format_find(cfg_getstr(cfg_getsec(cfg, "log"), "format"));
	o->log_level = log_level_find(cfg_getstr(cfg_getsec(cfg, "log"), "level"));
	read_http(cfg_getsec(cfg, "http"), &o->http);
	if (cfg_size(cfg, "ops") != 0)
		read_ops(r, cfg_getsec(cfg, "ops"));
	if (cfg_size(cfg, "registrar") != 0)
		read_registrar(r, cfg_getsec(cfg, "registrar"));
	read_cas(r, cfg);
	if (cfg_size(cfg, "est") != 0)
		read_est(r, cfg_getsec(cfg, "est"));
	if (cfg_size(cfg, "masa") != 0)
		read_masa(r, cfg_getsec(cfg, "masa"));
	if (cfg_size(cfg, "proxy") != 0)
		read_proxy(r, cfg_getsec(cfg, "proxy"));
	if (cfg_size(cfg, "discovery") != 0)
		read_discovery(r, cfg_getsec(cfg, "discovery"));
	if (o->discovery != NULL && o->registrar == NULL && o->proxy == NULL)
		fail(r, NULL, MST_E_CONFIG_MISSING, "discovery needs a section registrar or proxy");
	if (o->registrar == NULL && o->masa == NULL && o->proxy == NULL)
		fail(r, NULL, MST_E_CONFIG_MISSING,
		    "no role: give a section registrar, masa or proxy");
	if (o->registrar != NULL && o->ca_count == 0)
		fail(r, NULL, MST_E_CONFIG_MISSING, "a registrar needs a section ca");
	if (o->est != NULL && o->registrar == NULL)
		fail(r, NULL, MST_E_CONFIG_MISSING, "est needs a section registrar");
}

mst_err
config_parse(struct arena *a, const char *name, const char *text_, struct config *out)
{
	struct config c = { 0 };
	struct reader r = { a, &c, MST_OK };
	cfg_t *cfg = NULL;
	char *copy = arena_str(a, mst_span_str(name));

	if (copy == NULL || (c.path = arena_str(a, mst_span_str(name))) == NULL)
		return MST_E_NOMEM;
	c.folder = dirname(copy);
	if ((r.err = conf_parse(opts, &rules, name, text_, &cfg)) != MST_OK)
		return r.err;
	read_all(&r, cfg);
	cfg_free(cfg);
	if (r.err == MST_OK)
		*out = c;
	return r.err;
}

mst_err
config_load(struct arena *a, const char *path_, struct config *out)
{
	mst_span bytes;
	mst_err e = conf_load(a, path_, &bytes);
	char *absolute;

	if (e != MST_OK)
		return e;
	absolute = realpath(path_, NULL);
	e = config_parse(a, absolute != NULL ? absolute : path_, (const char *)bytes.ptr, out);
	free(absolute);
	return e;
}
