/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "server/ca/ca_room.h"

#define CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define CRL_SECONDS (7 * 86400)

static _Thread_local char words[512];

void
ca_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
}

const char *
ca_why(void)
{
	return words;
}

mst_err
ca_serial(uint8_t serial[16])
{
	if (RAND_bytes(serial, 16) != 1)
		return MST_E_RANDOM;
	/* RFC 5280 4.1.2.2: positive; no leading zero, so that octets and number are one. 126 bits
	 * are random. */
	serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
	return MST_OK;
}

/* --- configuration --- */

static const char *
ekus_of(const struct ca_profile *p)
{
	return p->ekus != NULL ? p->ekus : CLIENT_AUTH;
}

static mst_err
check_profiles(const struct ca_config *c)
{
	for (size_t i = 0; i < c->profile_count; i++) {
		const struct ca_profile *p = &c->profiles[i];

		if (p->name == NULL || p->seconds <= 0 || strstr(ekus_of(p), CLIENT_AUTH) == NULL) {
			ca_say("ca '%s': profile %s has no lifetime or no clientAuth", c->label,
			    p->name != NULL ? p->name : "?");
			return MST_E_CONFIG_VALUE;
		}
		for (size_t j = 0; j < i; j++)
			if (strcmp(c->profiles[j].name, p->name) == 0) {
				ca_say("ca '%s': profile %s is there twice", c->label, p->name);
				return MST_E_CONFIG_VALUE;
			}
	}
	return MST_OK;
}

static mst_err
check_configs(const struct ca_config *configs, size_t count)
{
	mst_err e;

	for (size_t i = 0; i < count; i++) {
		if (configs[i].label == NULL || configs[i].slot == NULL ||
		    configs[i].crl_seconds < 0) {
			ca_say("ca: no label, no slot or a negative CRL lifetime");
			return MST_E_CONFIG_VALUE;
		}
		for (size_t j = 0; j < i; j++)
			if (strcmp(configs[i].label, configs[j].label) == 0 ||
			    strcmp(configs[i].slot, configs[j].slot) == 0) {
				ca_say("ca '%s': its label or slot is another's too",
				    configs[i].label);
				return MST_E_CONFIG_VALUE;
			}
		if ((e = check_profiles(&configs[i])) != MST_OK)
			return e;
	}
	return MST_OK;
}

mst_err
ca_keys_profiles(struct arena *a, const struct ca_config *configs, size_t count,
    struct keys_profile **out, size_t *out_count)
{
	struct keys_profile *list;
	size_t n = 0;
	mst_err e;

	if ((e = check_configs(configs, count)) != MST_OK)
		return e;
	for (size_t i = 0; i < count; i++)
		n += configs[i].profile_count;
	if ((list = arena_alloc(a, (n + 1) * sizeof *list)) == NULL)
		return MST_E_NOMEM;
	n = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < configs[i].profile_count; j++) {
			const struct ca_profile *p = &configs[i].profiles[j];

			list[n++] = (struct keys_profile){ .name = p->name,
				.slot = configs[i].slot,
				.max_seconds = p->seconds,
				.ekus = ekus_of(p),
				.crl_url = configs[i].crl_url };
		}
	*out = list;
	*out_count = n;
	return MST_OK;
}

static const char *
copy(struct arena *a, const char *s, bool *ok)
{
	const char *c = s != NULL ? arena_str(a, mst_span_str(s)) : NULL;

	*ok = *ok && (s == NULL || c != NULL);
	return c;
}

static mst_err
copy_config(struct authority *au, const struct ca_config *from)
{
	struct ca_profile *list;
	bool ok = true;

	if ((au->mem = arena_new(0)) == NULL ||
	    (list = arena_alloc(au->mem, (from->profile_count + 1) * sizeof *list)) == NULL)
		return MST_E_NOMEM;
	au->config = *from;
	au->config.label = copy(au->mem, from->label, &ok);
	au->config.slot = copy(au->mem, from->slot, &ok);
	au->config.old_slot = copy(au->mem, from->old_slot, &ok);
	au->config.rollover_path = copy(au->mem, from->rollover_path, &ok);
	au->config.crl_url = copy(au->mem, from->crl_url, &ok);
	au->config.crl_seconds = from->crl_seconds != 0 ? from->crl_seconds : CRL_SECONDS;
	for (size_t i = 0; i < from->profile_count; i++) {
		list[i] = from->profiles[i];
		list[i].name = copy(au->mem, from->profiles[i].name, &ok);
		list[i].ekus = copy(au->mem, ekus_of(&from->profiles[i]), &ok);
	}
	au->config.profiles = list;
	return ok ? MST_OK : MST_E_NOMEM;
}

/* --- life --- */

static mst_err
load(struct ca *ca, const struct ca_config *configs, STACK_OF(X509) *roots)
{
	mst_err e;

	for (size_t i = 0; i < ca->count; i++) {
		struct authority *au = &ca->list[i];

		au->ca = ca;
		STAILQ_INIT(&au->waiting);
		STAILQ_INIT(&au->served);
		if ((e = copy_config(au, &configs[i])) != MST_OK ||
		    (e = ca_chain_load(au, roots, ca->untrusted)) != MST_OK ||
		    (e = ca_crl_load(au)) != MST_OK)
			return e;
	}
	return anchors_from_stack(roots, &ca->anchors);
}

mst_err
ca_new(
    struct store *s, struct keys *k, const struct ca_config *configs, size_t count, struct ca **out)
{
	STACK_OF(X509) *roots = sk_X509_new_null();
	struct ca *ca = NULL;
	mst_err e;

	ca_say("%s", "");
	if ((e = check_configs(configs, count)) != MST_OK)
		goto out;
	e = MST_E_NOMEM;
	if (roots == NULL || (ca = calloc(1, sizeof *ca)) == NULL)
		goto out;
	pthread_mutex_init(&ca->lock, NULL);
	ca->store = s;
	ca->keys = k;
	if ((ca->list = calloc(count + 1, sizeof *ca->list)) == NULL ||
	    (ca->untrusted = sk_X509_new_null()) == NULL)
		goto out;
	ca->count = count;
	if ((e = load(ca, configs, roots)) == MST_OK)
		*out = ca;
out:
	sk_X509_pop_free(roots, X509_free);
	if (e != MST_OK)
		ca_free(ca);
	return e;
}

void
ca_free(struct ca *ca)
{
	if (ca == NULL)
		return;
	for (size_t i = 0; i < ca->count; i++) {
		sk_X509_pop_free(ca->list[i].certs, X509_free);
		free(ca->list[i].crl);
		arena_free(ca->list[i].mem);
	}
	free(ca->list);
	anchors_free(ca->anchors);
	sk_X509_pop_free(ca->untrusted, X509_free);
	pthread_mutex_destroy(&ca->lock);
	free(ca);
}

/* --- lookups: what does not change after ca_new needs no lock --- */

struct authority *
ca_find(const struct ca *ca, const char *label)
{
	for (size_t i = 0; label != NULL && i < ca->count; i++)
		if (strcmp(ca->list[i].config.label, label) == 0)
			return &ca->list[i];
	return NULL;
}

const char *
ca_label_at(const struct ca *ca, size_t i)
{
	return i < ca->count ? ca->list[i].config.label : NULL;
}

const struct ca_profile *
ca_profile_find(const struct ca *ca, const char *label, const char *name)
{
	const struct authority *au = ca_find(ca, label);

	for (size_t i = 0; au != NULL && name != NULL && i < au->config.profile_count; i++)
		if (strcmp(au->config.profiles[i].name, name) == 0)
			return &au->config.profiles[i];
	return NULL;
}

X509 *
ca_cert(const struct ca *ca, const char *label)
{
	const struct authority *au = ca_find(ca, label);

	return au != NULL ? au->cert : NULL;
}

mst_span
ca_cacerts(const struct ca *ca, const char *label)
{
	const struct authority *au = ca_find(ca, label);

	return au != NULL ? au->cacerts : MST_NONE;
}

const STACK_OF(X509) *
ca_certs(const struct ca *ca, const char *label)
{
	const struct authority *au = ca_find(ca, label);

	return au != NULL ? au->certs : NULL;
}

const struct anchors *
ca_anchors(const struct ca *ca, const STACK_OF(X509) **untrusted)
{
	if (untrusted != NULL)
		*untrusted = ca->untrusted;
	return ca->anchors;
}

/* --- loops --- */

void
ca_host_post(const struct ca_host *h, void (*fn)(void *), void *arg)
{
	h->post(h->post_arg, fn, arg);
}

mst_err
ca_loop_new(struct ca *ca, const struct ca_host *host, struct ca_loop **out)
{
	struct ca_loop *l = calloc(1, sizeof *l);
	mst_err e;

	if (l == NULL)
		return MST_E_NOMEM;
	l->ca = ca;
	l->host = *host;
	if ((e = keys_client_new(ca->keys, host->base, &l->keys)) == MST_OK)
		*out = l;
	else
		free(l);
	return e;
}

void
ca_loop_free(struct ca_loop *l)
{
	struct keys_client *keys;

	if (l == NULL)
		return;
	keys = l->keys;
	l->keys = NULL; /* nothing new is signed while calls end */
	ca_crl_stop(l);
	keys_client_free(keys);
	ca_issue_stop(l);
	free(l);
}

struct keys_client *
ca_loop_keys(const struct ca_loop *l)
{
	return l->keys;
}
