/* SPDX-License-Identifier: Apache-2.0 */
/* EST's life, its paths and what its handlers share. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "muster/base64.h"
#include "server/est/room.h"

#define PREFIX "/.well-known/est"
#define GET (1U << NET_GET)
#define POST (1U << NET_POST)

static _Thread_local char why[256];

const char *
est_why(void)
{
	return why;
}

void
est_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
}

/* est.md section 1: each with and without label (U2). */
static const struct {
	const char *name;
	unsigned methods;
	net_handler handler;
} ops[EST_OPS] = {
	{ "cacerts", GET, est_on_cacerts },
	{ "csrattrs", GET, est_on_csrattrs },
	{ "simpleenroll", POST, est_on_enroll },
	{ "simplereenroll", POST, est_on_reenroll },
	{ "serverkeygen", POST, est_on_keygen },
	{ "fullcmc", POST, est_on_fullcmc },
};

/* RFC 7030 3.2.2: one path segment, never the name of an operation. */
static mst_err
check_label(const char *label)
{
	if (strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~") !=
	    strlen(label)) {
		est_say("the label \"%s\" is more than letters, digits and -_.~", label);
		return MST_E_CONFIG_VALUE;
	}
	if (strcmp(label, ".") == 0 || strcmp(label, "..") == 0) {
		est_say("the label \"%s\" is no path segment", label);
		return MST_E_CONFIG_VALUE;
	}
	for (size_t i = 0; i < EST_OPS; i++)
		if (strcmp(label, ops[i].name) == 0) {
			est_say("the label \"%s\" is the name of an operation", label);
			return MST_E_CONFIG_VALUE;
		}
	return MST_OK;
}

static mst_err
check_profile(struct est *e, const struct est_profile *p)
{
	const struct ca_profile *signs = ca_profile_find(e->c.ca, p->label, p->profile);

	if (signs == NULL) {
		est_say("the CA \"%s\" has no profile \"%s\"", p->label, p->profile);
		return MST_E_CONFIG_VALUE;
	}
	if (p->san == EST_SAN_SERIAL && (signs->san & CA_SAN_DNS) == 0) {
		est_say("the profile \"%s\" signs no dNSName", p->profile);
		return MST_E_CONFIG_VALUE;
	}
	return MST_OK;
}

static struct est_label *
find_label(struct est *e, const char *label)
{
	for (size_t i = 0; i < e->label_count; i++)
		if (strcmp(e->labels[i].label, label) == 0)
			return &e->labels[i];
	return NULL;
}

static mst_err
add_label(struct est *e, const struct est_profile *p)
{
	struct est_label *l = &e->labels[e->label_count];
	mst_span der = ca_cacerts(e->c.ca, p->label);
	mst_err err = check_label(p->label);

	if (err != MST_OK)
		return err;
	if (e->label_count == EST_LABELS_MAX) {
		est_say("more than %d labels", EST_LABELS_MAX);
		return MST_E_CONFIG_VALUE;
	}
	*l = (struct est_label){ .est = e, .label = p->label, .profile = p };
	if ((err = est_body_encode(e->arena, der, 0, &l->cacerts)) != MST_OK ||
	    (err = est_body_encode(e->arena, der, 64, &l->cacerts_wrapped)) != MST_OK)
		return err;
	if (p->label[0] != '\0' && p->manufacturers.count == 0 && p->users.count == 0)
		log_line(LOG_WARNING_,
		    "ca '%s' certifies nobody: its section names no manufacturers and no users",
		    p->label);
	e->label_count++;
	return MST_OK;
}

static mst_err
add_labels(struct est *e)
{
	mst_err err = MST_OK;

	for (size_t i = 0; err == MST_OK && i < e->c.profile_count; i++) {
		const struct est_profile *p = &e->c.profiles[i];

		if ((err = check_profile(e, p)) == MST_OK && find_label(e, p->label) == NULL)
			err = add_label(e, p);
	}
	if (err == MST_OK && find_label(e, "") == NULL) { /* U2: a real default CA */
		est_say("no CA without a label: the paths without one need it");
		err = MST_E_CONFIG_MISSING;
	}
	return err;
}

static mst_err
make_routes(struct est *e)
{
	struct net_route *r = arena_alloc(e->arena, e->label_count * (EST_OPS + 1) * sizeof *r);
	size_t n = 0;

	for (size_t i = 0; r != NULL && i < e->label_count; i++) {
		struct est_label *l = &e->labels[i];
		bool bare = l->label[0] == '\0';

		for (size_t k = 0; k < EST_OPS; k++) {
			r[n].path = arena_printf(
			    e->arena, "%s%s%s/%s", PREFIX, bare ? "" : "/", l->label, ops[k].name);
			r[n].methods = ops[k].methods;
			r[n].handler = ops[k].handler;
			r[n].arg = l;
			if (r[n++].path == NULL)
				return MST_E_NOMEM;
		}
		r[n].path = arena_printf(e->arena, "/crl/%s.crl", bare ? "default" : l->label);
		r[n].methods = GET;
		r[n].handler = est_on_crl;
		r[n].arg = l;
		if (r[n++].path == NULL)
			return MST_E_NOMEM;
	}
	e->routes = r;
	e->route_count = n;
	return r != NULL ? MST_OK : MST_E_NOMEM;
}

static mst_err
open_est(struct est *e)
{
	mst_err err;

	if ((e->arena = arena_new(0)) == NULL)
		return MST_E_NOMEM;
	if (e->c.ca == NULL) {
		est_say("EST needs a CA");
		return MST_E_CONFIG_MISSING;
	}
	if ((err = journal_new(e->c.store, "est", &e->journal)) != MST_OK ||
	    (err = add_labels(e)) != MST_OK || (err = make_routes(e)) != MST_OK)
		return err;
	if (e->c.basic_file != NULL && (err = est_auth_new(e->c.basic_file, &e->auth)) != MST_OK)
		return err;
	return MST_OK;
}

mst_err
est_open(const struct est_config *c, struct est **out)
{
	struct est *e = calloc(1, sizeof *e);
	mst_err err;

	why[0] = '\0';
	if (e == NULL)
		return MST_E_NOMEM;
	e->c = *c;
	if ((err = open_est(e)) != MST_OK) {
		est_close(e);
		return err;
	}
	*out = e;
	return MST_OK;
}

void
est_close(struct est *e)
{
	if (e == NULL)
		return;
	est_auth_free(e->auth);
	journal_free(e->journal);
	arena_free(e->arena);
	free(e);
}

const struct net_route *
est_routes(const struct est *e, size_t *count)
{
	*count = e->route_count;
	return e->routes;
}

/* --- shared --- */

const struct est_profile *
est_profile_of(const struct est_label *l, const char *profile)
{
	const struct est_config *c = &l->est->c;

	for (size_t i = 0; i < c->profile_count; i++)
		if (strcmp(c->profiles[i].label, l->label) == 0 &&
		    strcmp(c->profiles[i].profile, profile) == 0)
			return &c->profiles[i];
	return l->profile;
}

struct ca_loop *
est_ca_loop(const struct est *e, const struct net_loop *l)
{
	for (unsigned i = 0; i < net_loops(e->c.net); i++)
		if (net_loop_at(e->c.net, i) == l)
			return e->c.loops[i];
	return e->c.loops[0];
}

unsigned
est_wrap(const struct net_request *rq)
{
	return rq->user_agent != NULL && strncmp(rq->user_agent, "libest", 6) == 0 ? 64 : 0;
}

void
est_answer(struct net_request *rq, enum step step, const char *type, mst_span der)
{
	/* H5: RFC 8951 3 has receivers ignore it, but Bouncy Castle decodes only where it is. */
	static const struct net_header cte = { "Content-Transfer-Encoding", "base64" };
	/* B4: libest fails at 1024 characters without a line end, strongSwan at any inside. */
	unsigned wrap = MST_BASE64_LEN(der.len) > 1020 ? est_wrap(rq) : 0;
	mst_span body;
	mst_err e = est_body_encode(rq->arena, der, wrap, &body);

	if (e != MST_OK)
		net_refuse(rq, step, e, NULL);
	else
		net_reply(rq, 200, type, body, &cte, 1);
}

mst_err
est_device(struct db *db, struct arena *a, const struct trust_verdict *client, struct device *out)
{
	switch (client->class) {
	case TRUST_IDEVID:
		return device_find(
		    db, a, client->manufacturer.id, client->serial, client->idevid_issuer, out);
	case TRUST_LDEVID:
		return client->row.device == 0 ? MST_E_NOT_FOUND
		                               : device_by_id(db, a, client->row.device, out);
	case TRUST_ANONYMOUS:
	case TRUST_REFUSED: break;
	}
	return MST_E_NOT_FOUND;
}
