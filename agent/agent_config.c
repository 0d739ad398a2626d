/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_config.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/conf.h"
#include "host/log.h"
#include "muster/cbor.h"

const char *
agent_config_why(void)
{
	return conf_why();
}

/* --- values that have a range or a set of words --- */

static const struct conf_range ranges[] = {
	{ "stall", 1, 60 },
	{ "retry_after_cap", 1, 60 }, /* RFC 8995 5.6: MUST NOT be more */
	{ "pending_max", 60, 345600 }, /* 5.6: four days */
	{ "pending_share", 1, 86400 },
	{ "peer_gap", 1, 60 },
	{ "backoff_first", 1, 3600 },
	{ "backoff_max", 1, 3600 }, /* RFC 8995 4.1: at most an hour */
	{ "answer_max", 1, 600 },
	{ "block", 16, 512 }, /* CO-4: 512 at most on a constrained link */
	{ "fragment", 512, 1024 }, /* cV 6.1.4: 2^9 or 2^10 */
	{ "renew_after", 0.05, 0.9 },
	{ "slot_size", 65536, 1099511627776.0 },
	{ "health_time", 1, 86400 },
	{ "tries", 1, 15 },
	{ "poll", 0, 31536000 },
};

static const struct conf_words words[] = {
	{ "format", "json journald text" },
	{ "level", "debug info warning error" },
	{ "clock", "trusted untrusted none" },
	{ "transport", "https coaps" },
	{ "voucher", "cms jws cose" },
	{ "signers", "manufacturer both" },
};

static const struct conf_rules rules = { ranges, sizeof ranges / sizeof ranges[0], words,
	sizeof words / sizeof words[0] };

/* --- the schema; defaults are those of requirements section 9 --- */

static cfg_opt_t log_opts[] = { CFG_STR("format", "json", CFGF_NONE),
	CFG_STR("level", "info", CFGF_NONE), CFG_END() };
static cfg_opt_t timer_opts[] = { CFG_INT("stall", 5, CFGF_NONE),
	CFG_INT("retry_after_cap", 60, CFGF_NONE), CFG_INT("pending_max", 345600, CFGF_NONE),
	CFG_INT("pending_share", 600, CFGF_NONE), CFG_INT("peer_gap", 4, CFGF_NONE),
	CFG_INT("backoff_first", 4, CFGF_NONE), CFG_INT("backoff_max", 3600, CFGF_NONE),
	CFG_INT("answer_max", 0, CFGF_NONE), CFG_END() };
static cfg_opt_t coap_opts[] = { CFG_INT("block", 256, CFGF_NONE),
	CFG_INT("fragment", 1024, CFGF_NONE), CFG_END() };
static cfg_opt_t update_opts[] = { CFG_STR("manifest", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("slots", "{}", CFGF_NONE), CFG_INT("slot_size", 64 << 20, CFGF_NONE),
	CFG_STR_LIST("component", "{\"00\"}", CFGF_NONE), CFG_STR("vendor", NULL, CFGF_NODEFAULT),
	CFG_STR("class", NULL, CFGF_NODEFAULT), CFG_STR("anchors", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("keys", "{}", CFGF_NONE), CFG_STR("signers", "manufacturer", CFGF_NONE),
	CFG_STR("authorize", NULL, CFGF_NODEFAULT), CFG_STR("health", NULL, CFGF_NODEFAULT),
	CFG_INT("health_time", 300, CFGF_NONE), CFG_STR("restart", NULL, CFGF_NODEFAULT),
	CFG_STR("link", NULL, CFGF_NODEFAULT), CFG_INT("tries", 1, CFGF_NONE),
	CFG_INT("poll", 86400, CFGF_NONE), CFG_STR("report", NULL, CFGF_NODEFAULT), CFG_END() };
static cfg_opt_t opts[] = { CFG_STR("state", NULL, CFGF_NODEFAULT),
	CFG_STR("idevid_cert", NULL, CFGF_NODEFAULT), CFG_STR("idevid_key", NULL, CFGF_NODEFAULT),
	CFG_STR("masa_anchors", NULL, CFGF_NODEFAULT), CFG_STR("transport", "https", CFGF_NONE),
	CFG_SEC("coap", coap_opts, CFGF_NONE), CFG_STR_LIST("registrars", "{}", CFGF_NONE),
	CFG_BOOL("discover", cfg_false, CFGF_NONE), CFG_STR("voucher", "", CFGF_NONE),
	CFG_BOOL("refuse_nonceless", cfg_false, CFGF_NONE), CFG_STR("clock", "trusted", CFGF_NONE),
	CFG_FLOAT("renew_after", 2.0 / 3, CFGF_NONE), CFG_SEC("timers", timer_opts, CFGF_NONE),
	CFG_SEC("update", update_opts, CFGF_NODEFAULT), CFG_SEC("log", log_opts, CFGF_NONE),
	CONF_LAST, CFG_END() };

/* --- from libconfuse's tree to the struct --- */

struct reader {
	struct arena *a;
	struct agent_config *out;
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

static const char *
need(struct reader *r, cfg_t *c, const char *name)
{
	const char *v = cfg_getstr(c, name);
	char *copy = NULL;

	if (v == NULL || v[0] == '\0')
		fail(r, c, MST_E_CONFIG_MISSING, arena_printf(r->a, "\"%s\" is missing", name));
	else if ((copy = arena_str(r->a, mst_span_str(v))) == NULL)
		fail(r, c, MST_E_NOMEM, NULL);
	return copy;
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
key_uri(struct reader *r, const char *uri)
{
	return kept(r, uri, conf_key_uri(r->a, r->out->folder, uri));
}

/* The digits behind the last colon: 1 to 65535. */
static bool
is_port(const char *s)
{
	long n = 0;

	for (const char *p = s; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || n > 65535)
			return false;
		n = n * 10 + (*p - '0');
	}
	return *s != '\0' && n >= 1 && n <= 65535;
}

static const char host_chars[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

const char *
agent_scheme(enum agent_transport over)
{
	return over == AGENT_COAPS ? "coaps://" : "https://";
}

mst_err
agent_base(struct arena *a, enum agent_transport over, const char *text, const char **base)
{
	const char *scheme = agent_scheme(over);
	const char *host = strncmp(text, scheme, 8) == 0 ? text + 8 : text;
	const char *colon = strrchr(host, ':'), *zone;
	size_t n = colon == NULL ? 0 : (size_t)(colon - host);
	const char *made;

	if (n == 0 || n > 253 || !is_port(colon + 1))
		return MST_E_CONFIG_VALUE;
	if (host[0] == '[') {
		if (host[n - 1] != ']' || n < 4)
			return MST_E_CONFIG_VALUE;
		zone = memchr(host, '%', n);
		if (1 + strspn(host + 1, "0123456789abcdefABCDEF:.") !=
		    (zone != NULL ? (size_t)(zone - host) : n - 1))
			return MST_E_CONFIG_VALUE;
		/* RFC 6874: the '%' before a zone is written %25 in a URI. */
		if (zone != NULL && strncmp(zone, "%25", 3) == 0)
			zone += 2;
		if (zone != NULL &&
		    (zone[1] == ']' || zone + 1 + strspn(zone + 1, host_chars) != host + n - 1))
			return MST_E_CONFIG_VALUE;
		made = zone == NULL ? arena_printf(a, "%s%s", scheme, host)
		                    : arena_printf(a, "%s%.*s%%25%s", scheme,
		                          (int)strcspn(host, "%"), host, zone + 1);
	} else {
		if (strspn(host, host_chars) != n)
			return MST_E_CONFIG_VALUE;
		made = arena_printf(a, "%s%s", scheme, host);
	}
	if (made == NULL)
		return MST_E_NOMEM;
	*base = made;
	return MST_OK;
}

static void
read_registrars(struct reader *r, cfg_t *c)
{
	struct agent_config *o = r->out;
	size_t n = cfg_size(c, "registrars");

	if (n > MST_PLEDGE_PEERS_MAX)
		fail(r, c, MST_E_CONFIG_VALUE, "registrars: at most 8");
	for (unsigned i = 0; i < n && r->err == MST_OK; i++) {
		const char *text = cfg_getnstr(c, "registrars", i);
		mst_err e = agent_base(r->a, o->transport, text, &o->registrars[i]);

		if (e != MST_OK)
			fail(r, c, e,
			    arena_printf(r->a,
			        "registrars: \"%s\" is not \"host:port\" or \"[address]:port\"",
			        text));
		o->registrar_count = i + 1;
	}
	o->discover = cfg_getbool(c, "discover") == cfg_true;
	if (n == 0 && !o->discover)
		fail(r, c, MST_E_CONFIG_MISSING, "give \"registrars\" or set \"discover\"");
}

static void
read_timers(struct reader *r, cfg_t *c)
{
	struct mst_pledge_timers *t = &r->out->timers;

	t->stall = cfg_getint(c, "stall");
	t->retry_after_cap = cfg_getint(c, "retry_after_cap");
	t->pending_max = cfg_getint(c, "pending_max");
	t->pending_share = cfg_getint(c, "pending_share");
	t->peer_gap = cfg_getint(c, "peer_gap");
	t->backoff_first = cfg_getint(c, "backoff_first");
	t->backoff_max = cfg_getint(c, "backoff_max");
	t->answer_max = cfg_getint(c, "answer_max");
	/* RFC 7252 4.8.2: a message that is lost twice has its answer after 14 seconds; bodies
	 * have many. */
	if (t->answer_max == 0)
		t->answer_max = r->out->transport == AGENT_COAPS ? 120 : 30;
	if (t->backoff_first > t->backoff_max)
		fail(r, c, MST_E_CONFIG_VALUE, "timers: backoff_first is more than backoff_max");
}

/* 13.6: COSE goes over both; CMS and JWS over CoAP nobody has defined. */
static void
read_transport(struct reader *r, cfg_t *cfg)
{
	struct agent_config *o = r->out;
	const char *voucher = cfg_getstr(cfg, "voucher");
	cfg_t *coap = cfg_getsec(cfg, "coap");

	o->transport = cfg_getstr(cfg, "transport")[0] == 'c' ? AGENT_COAPS : AGENT_HTTPS;
	o->media = strcmp(voucher, "jws") == 0    ? MST_MEDIA_JWS_JSON
	           : strcmp(voucher, "cose") == 0 ? MST_MEDIA_COSE_CBOR
	           : strcmp(voucher, "cms") == 0  ? MST_MEDIA_CMS_JSON
	           : o->transport == AGENT_COAPS  ? MST_MEDIA_COSE_CBOR
	                                          : MST_MEDIA_CMS_JSON;
	if (o->transport == AGENT_COAPS && o->media != MST_MEDIA_COSE_CBOR)
		fail(r, cfg, MST_E_CONFIG_VALUE, "voucher: over coaps it is \"cose\"");
	o->coap_block = (unsigned)cfg_getint(coap, "block");
	o->coap_fragment = (unsigned)cfg_getint(coap, "fragment");
	if ((o->coap_block & (o->coap_block - 1)) != 0)
		fail(r, coap, MST_E_CONFIG_VALUE, "coap: block is a power of two");
	if (o->coap_fragment != 512 && o->coap_fragment != 1024)
		fail(r, coap, MST_E_CONFIG_VALUE, "coap: fragment is 512 or 1024");
	else if (o->coap_block * 2 > o->coap_fragment)
		fail(r, coap, MST_E_CONFIG_VALUE,
		    "coap: block is at most half of fragment, for the options beside it");
}

/* --- update --- */

static int
hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c == '\0' ? NULL : strchr(digits, c | 32);

	return at == NULL ? -1 : (int)(at - digits);
}

/* Hex digits in pairs, with dashes between them allowed (a UUID): bytes, or -1. */
static int
hex_bytes(const char *text, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (const char *p = text; *p != '\0'; p += 2) {
		if (*p == '-')
			p++;
		if (hex_digit(p[0]) < 0 || hex_digit(p[1]) < 0 || n == cap)
			return -1;
		out[n++] = (uint8_t)(hex_digit(p[0]) << 4 | hex_digit(p[1]));
	}
	return (int)n;
}

static void
read_uuid(struct reader *r, cfg_t *c, const char *name, uint8_t out[16])
{
	const char *text = need(r, c, name);

	if (text != NULL && hex_bytes(text, out, 16) != 16)
		fail(r, c, MST_E_CONFIG_VALUE,
		    arena_printf(r->a, "%s: a UUID of 32 hex digits", name));
}

/* SUIT_Component_Identifier: an array of byte strings, here in hex; last: one more, or NULL. */
static mst_span
read_component(struct reader *r, cfg_t *c, const char *last)
{
	unsigned n = cfg_size(c, "component");
	struct mst_buf b = arena_buf(r->a, 512);
	struct mst_cbor_writer w;
	uint8_t segment[64];

	mst_cbor_put_init(&w, &b);
	mst_cbor_put_array(&w, n + (last != NULL));
	for (unsigned i = 0; i < n; i++) {
		int len = hex_bytes(cfg_getnstr(c, "component", i), segment, sizeof segment);

		if (len < 1)
			fail(r, c, MST_E_CONFIG_VALUE,
			    "update: component is a list of byte strings in hex, {\"00\"}");
		else
			mst_cbor_put_bytes(&w, mst_span_of(segment, (size_t)len));
	}
	if (last != NULL)
		mst_cbor_put_bytes(&w, mst_span_str(last));
	if (n == 0 || mst_cbor_put_end(&w) != MST_OK)
		fail(r, c, MST_E_CONFIG_VALUE, "update: component has 1 to 6 segments");
	return mst_buf_span(&b);
}

/* libconfuse's own text goes with its tree. */
static const char *
copy_of(struct reader *r, const char *text)
{
	return kept(r, text, arena_str(r->a, mst_span_str(text)));
}

static const char *
path_or_none(struct reader *r, cfg_t *c, const char *name)
{
	const char *v = cfg_getstr(c, name);

	return v == NULL || v[0] == '\0' ? NULL : resolve(r, copy_of(r, v));
}

static const char *
text_or_none(struct reader *r, cfg_t *c, const char *name)
{
	const char *v = cfg_getstr(c, name);

	return v == NULL || v[0] == '\0' ? NULL : copy_of(r, v);
}

static void
read_update(struct reader *r, cfg_t *c)
{
	struct agent_update *u = &r->out->update;

	if (c == NULL)
		return;
	u->there = true;
	u->manifest = need(r, c, "manifest");
	if (u->manifest != NULL && strncmp(u->manifest, "https://", 8) != 0 &&
	    strncmp(u->manifest, "coaps://", 8) != 0)
		fail(r, c, MST_E_CONFIG_VALUE, "update: manifest begins with https:// or coaps://");
	if (cfg_size(c, "slots") != 2)
		fail(r, c, MST_E_CONFIG_MISSING, "update: slots are two, for A and for B");
	for (unsigned i = 0; i < 2 && i < cfg_size(c, "slots"); i++)
		u->slot[i] = resolve(r, copy_of(r, cfg_getnstr(c, "slots", i)));
	if (u->slot[0] != NULL && u->slot[1] != NULL && strcmp(u->slot[0], u->slot[1]) == 0)
		fail(r, c, MST_E_CONFIG_VALUE, "update: slots are two different places");
	u->slot_size = cfg_getint(c, "slot_size");
	u->component = read_component(r, c, NULL);
	u->staging = read_component(r, c, "encrypted");
	read_uuid(r, c, "vendor", u->vendor);
	read_uuid(r, c, "class", u->class_id);
	u->anchors = path_or_none(r, c, "anchors");
	if (u->anchors == NULL)
		u->anchors = r->out->masa_anchors;
	u->key_count = cfg_size(c, "keys");
	if (u->key_count > AGENT_FACTORY_KEYS_MAX)
		fail(r, c, MST_E_CONFIG_VALUE, "update: keys are eight at most");
	for (unsigned i = 0; i < u->key_count && i < AGENT_FACTORY_KEYS_MAX; i++)
		u->keys[i] = resolve(r, copy_of(r, cfg_getnstr(c, "keys", i)));
	u->both = cfg_getstr(c, "signers")[0] == 'b';
	u->authorize = path_or_none(r, c, "authorize");
	u->health = path_or_none(r, c, "health");
	u->health_time = (int)cfg_getint(c, "health_time");
	u->restart = path_or_none(r, c, "restart");
	u->link = path_or_none(r, c, "link");
	for (unsigned i = 0; i < 2; i++) /* the link replaces what has its name */
		if (u->link != NULL && u->slot[i] != NULL && strcmp(u->link, u->slot[i]) == 0)
			fail(r, c, MST_E_CONFIG_VALUE, "update: link is none of the slots");
	u->tries = (int)cfg_getint(c, "tries");
	u->poll = (int)cfg_getint(c, "poll");
	u->report = text_or_none(r, c, "report");
	if (u->report != NULL && strncmp(u->report, "https://", 8) != 0)
		fail(r, c, MST_E_CONFIG_VALUE, "update: report begins with https://");
}

static void
read_all(struct reader *r, cfg_t *cfg)
{
	struct agent_config *o = r->out;
	const char *word = cfg_getstr(cfg, "clock");

	o->state = resolve(r, need(r, cfg, "state"));
	o->idevid_cert = resolve(r, need(r, cfg, "idevid_cert"));
	o->idevid_key = key_uri(r, need(r, cfg, "idevid_key"));
	o->masa_anchors = resolve(r, need(r, cfg, "masa_anchors"));
	read_transport(r, cfg);
	o->refuse_nonceless = cfg_getbool(cfg, "refuse_nonceless") == cfg_true;
	o->clock = word[0] == 't'   ? AGENT_CLOCK_TRUSTED
	           : word[0] == 'u' ? AGENT_CLOCK_UNTRUSTED
	                            : AGENT_CLOCK_NONE;
	o->renew_after = cfg_getfloat(cfg, "renew_after");
	o->log_format = log_format_find(cfg_getstr(cfg_getsec(cfg, "log"), "format"));
	o->log_level = log_level_find(cfg_getstr(cfg_getsec(cfg, "log"), "level"));
	read_registrars(r, cfg);
	read_timers(r, cfg_getsec(cfg, "timers"));
	read_update(r, cfg_size(cfg, "update") > 0 ? cfg_getsec(cfg, "update") : NULL);
}

mst_err
agent_config_parse(struct arena *a, const char *name, const char *text_, struct agent_config *out)
{
	struct agent_config c = { 0 };
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
agent_config_load(struct arena *a, const char *path, struct agent_config *out)
{
	mst_span bytes;
	mst_err e = conf_load(a, path, &bytes);
	char *absolute;

	if (e != MST_OK)
		return e;
	absolute = realpath(path, NULL);
	e = agent_config_parse(a, absolute != NULL ? absolute : path, (const char *)bytes.ptr, out);
	free(absolute);
	return e;
}
