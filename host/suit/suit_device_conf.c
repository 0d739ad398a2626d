/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated device as it is described. */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/conf.h"
#include "host/file.h"
#include "host/suit/suit_device_impl.h"
#include "host/suit/suit_value.h"
#include "host/suit_cbor.h"
#include "muster/cbor.h"
#include "muster/time.h"

#define SEGMENTS_MAX 32

static cfg_opt_t component_options[] = { CFG_STR_LIST("id", NULL, CFGF_NONE),
	CFG_STR("file", NULL, CFGF_NONE), CFG_INT("capacity", SUIT_ENVELOPE_MAX, CFGF_NONE),
	CFG_INT("slot", 0, CFGF_NONE), CFG_STR("version", NULL, CFGF_NONE), CFG_END() };
static cfg_opt_t options[] = { CFG_STR_LIST("vendor", NULL, CFGF_NONE),
	CFG_STR_LIST("class", NULL, CFGF_NONE), CFG_STR_LIST("device-id", NULL, CFGF_NONE),
	CFG_SEC("component", component_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	CFG_STR("confirmed", NULL, CFGF_NONE), CFG_STR("time", NULL, CFGF_NONE),
	CFG_INT("battery", 1 << 20, CFGF_NONE), CFG_BOOL("authorized", cfg_true, CFGF_NONE),
	CFG_BOOL("events", cfg_true, CFGF_NONE), CFG_INT("signers", 1, CFGF_NONE),
	CFG_STR_LIST("rules", NULL, CFGF_NONE), CONF_LAST, CFG_END() };

static const struct conf_range ranges[] = {
	{ "capacity", 0, 1 << 30 },
	{ "slot", 0, 1 << 20 },
	{ "battery", 0, 1e15 },
	{ "signers", 1, MST_SUIT_AUTHORITIES },
};
static const struct conf_words words[] = {
	{ "rules", "strict-dependencies no-class-check prefix-prepends" },
};
static const struct conf_rules rules = { ranges, sizeof ranges / sizeof ranges[0], words,
	sizeof words / sizeof words[0] };

struct reading {
	struct suit_device *d;
	struct suit_values values;
	const char *name;
};

/* The words so far, or what, behind file and line. */
static mst_err
bad(struct reading *x, cfg_t *at, const char *what)
{
	char text[400];

	snprintf(text, sizeof text, "%s", what != NULL ? what : suit_author_why());
	suit_author_say("%s:%d: %s", x->name, at != NULL ? at->line : 1, text);
	return MST_E_FW_DEVICE;
}

static mst_err
identities(struct reading *x, cfg_t *cfg, const char *name, enum mst_suit_identity kind)
{
	for (unsigned i = 0; i < cfg_size(cfg, name); i++) {
		struct mst_cbor_reader r;
		mst_span text = mst_span_str(cfg_getnstr(cfg, name, i)), item;
		mst_err e;

		if (i == SUIT_DEVICE_IDS)
			return bad(x, NULL, "more identifiers than a simulated device has");
		e = value_uuid(&x->values, arena_dup(x->d->a, text), &item);
		if (e != MST_OK)
			return bad(x, NULL, NULL);
		mst_cbor_init(&r, item);
		if (mst_cbor_peek(&r) == MST_CBOR_TAG)
			(void)mst_cbor_tag(&r);
		x->d->id[kind][i] = mst_cbor_bytes(&r);
	}
	return MST_OK;
}

static mst_err
id_of(struct reading *x, cfg_t *section, mst_span *id)
{
	mst_span segments[SEGMENTS_MAX];
	unsigned n = cfg_size(section, "id");

	for (unsigned i = 0; i < n && i < SEGMENTS_MAX; i++)
		if (value_bytes(&x->values,
		        arena_dup(x->d->a, mst_span_str(cfg_getnstr(section, "id", i))),
		        VALUE_PLAIN, &segments[i]) != MST_OK)
			return bad(x, section, NULL);
	if (n > SEGMENTS_MAX)
		return bad(x, section, "more segments than there may be");
	if (n == 0) {
		segments[0] = arena_dup(x->d->a, mst_span_str(cfg_title(section)));
		n = 1;
	}
	*id = cb_one_id(x->d->a, segments, n);
	return id->ptr != NULL ? MST_OK : MST_E_NOMEM;
}

static mst_err
content(struct reading *x, cfg_t *section, struct suit_device_component *k)
{
	const char *file = cfg_getstr(section, "file");
	char *word;
	mst_span bytes;
	mst_err e;

	if (file == NULL)
		return MST_OK;
	if ((word = arena_printf(x->d->a, "file:%s", file)) == NULL)
		return MST_E_NOMEM;
	e = value_bytes(&x->values, mst_span_str(word), VALUE_PREFIXED, &bytes);
	if (e != MST_OK) {
		(void)bad(x, section, NULL);
		return e;
	}
	if (bytes.len > k->capacity)
		return bad(x, section, "its file does not fit into it");
	k->bytes = malloc(bytes.len + 1);
	if (k->bytes == NULL)
		return MST_E_NOMEM;
	memcpy(k->bytes, bytes.ptr, bytes.len);
	k->size = bytes.len;
	k->room = bytes.len + 1;
	k->holds = true;
	return MST_OK;
}

static mst_err
components(struct reading *x, cfg_t *cfg)
{
	mst_err e = MST_OK;

	for (unsigned i = 0; e == MST_OK && i < cfg_size(cfg, "component"); i++) {
		cfg_t *section = cfg_getnsec(cfg, "component", i);
		const char *version = cfg_getstr(section, "version");
		struct suit_device_component *k;

		if (x->d->count == SUIT_DEVICE_COMPONENTS)
			return bad(x, section, "more components than a device has");
		k = &x->d->component[x->d->count++];
		*k = (struct suit_device_component){ .capacity =
			                                 (uint64_t)cfg_getint(section, "capacity"),
			.slot = (uint64_t)cfg_getint(section, "slot"),
			.version_count = MST_SUIT_VERSION_MAX };
		if ((e = id_of(x, section, &k->id)) != MST_OK ||
		    (e = content(x, section, k)) != MST_OK)
			return e;
		if (version == NULL)
			k->version_count = 0;
		else if (value_version(mst_span_str(version), k->version, &k->version_count) !=
		         MST_OK)
			return bad(x, section, NULL);
	}
	return e;
}

/* The envelope that it confirmed last: its number and digest (sheet 13). */
static mst_err
confirmed(struct reading *x, cfg_t *cfg)
{
	const char *file = cfg_getstr(cfg, "confirmed");
	char *word;
	mst_span bytes;
	mst_err e;

	if (file == NULL)
		return MST_OK;
	if ((word = arena_printf(x->d->a, "file:%s", file)) == NULL)
		return MST_E_NOMEM;
	if ((e = value_bytes(&x->values, mst_span_str(word), VALUE_PREFIXED, &bytes)) != MST_OK) {
		(void)bad(x, NULL, NULL);
		return e;
	}
	e = suit_device_confirmed(x->d, bytes);
	return e == MST_OK || e == MST_E_NOMEM ? e : bad(x, NULL, NULL);
}

mst_err
suit_device_confirmed(struct suit_device *d, mst_span envelope)
{
	struct suit_envelope *env = arena_alloc(d->a, sizeof *env);
	struct mst_cbor_reader r;
	mst_span digest;
	int64_t alg, key;
	mst_err e;

	if (env == NULL)
		return MST_E_NOMEM;
	if ((e = suit_envelope_read(envelope, env)) != MST_OK ||
	    (e = suit_digest_read(env->digest, &alg, &digest)) != MST_OK)
		return e;
	mst_cbor_init(&r, env->manifest);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &key))
		if (key == MST_SUIT_AT_SEQUENCE) {
			d->record.number = mst_cbor_uint(&r);
			d->record.known = true;
		} else {
			mst_cbor_skip(&r);
		}
	if (mst_cbor_end(&r) != MST_OK || !d->record.known)
		return MST_E_FW_MANIFEST;
	memcpy(d->record.digest, digest.ptr, sizeof d->record.digest);
	return MST_OK;
}

static mst_err
state(struct reading *x, cfg_t *cfg)
{
	const char *now = cfg_getstr(cfg, "time");
	int64_t t;

	x->d->battery = (uint64_t)cfg_getint(cfg, "battery");
	x->d->authorized = cfg_getbool(cfg, "authorized");
	x->d->events = cfg_getbool(cfg, "events");
	x->d->signers = (unsigned)cfg_getint(cfg, "signers");
	for (unsigned i = 0; i < cfg_size(cfg, "rules"); i++) {
		const char *rule = cfg_getnstr(cfg, "rules", i);

		x->d->rules |=
		    strcmp(rule, "strict-dependencies") == 0 ? MST_SUIT_RULE_STRICT_DEPENDENCIES
		    : strcmp(rule, "no-class-check") == 0    ? MST_SUIT_RULE_NO_CLASS_CHECK
		                                             : MST_SUIT_RULE_PREFIX_PREPENDS;
	}
	if (now == NULL)
		return MST_OK;
	x->d->has_time = strcmp(now, "none") != 0;
	if (x->d->has_time && (mst_time_parse(mst_span_str(now), &t) != MST_OK || t < 0))
		return bad(x, NULL, "time is such as 2026-11-24T00:00:00Z, or none");
	if (x->d->has_time)
		x->d->time = (uint64_t)t;
	return MST_OK;
}

mst_err
suit_device_described(struct arena *a, const char *name, const char *folder, const char *text,
    struct suit_device *out)
{
	struct reading x = { .d = out, .name = name };
	cfg_t *cfg = NULL;
	mst_err e;

	suit_device_init(a, out);
	x.values = (struct suit_values){ .a = a, .folder = folder, .alg = MST_SUIT_SHA256 };
	if ((e = conf_parse(options, &rules, name, text, &cfg)) != MST_OK) {
		suit_author_say("%s", conf_why());
		return e == MST_E_CONFIG_SYNTAX ? MST_E_FW_DEVICE : e;
	}
	if ((e = identities(&x, cfg, "vendor", MST_SUIT_ID_VENDOR)) == MST_OK &&
	    (e = identities(&x, cfg, "class", MST_SUIT_ID_CLASS)) == MST_OK &&
	    (e = identities(&x, cfg, "device-id", MST_SUIT_ID_DEVICE)) == MST_OK &&
	    (e = components(&x, cfg)) == MST_OK && (e = confirmed(&x, cfg)) == MST_OK)
		e = state(&x, cfg);
	cfg_free(cfg);
	if (e != MST_OK)
		suit_device_free(out);
	return e;
}
