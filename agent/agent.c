/* SPDX-License-Identifier: Apache-2.0 */
/* The device itself: what the factory gave it, what it has stored since. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/room.h"
#include "host/clock.h"
#include "host/file.h"
#include "host/key.h"

#define PEM_MAX (256 * 1024)
#define EXCHANGE_MAX (1024 * 1024)

static _Thread_local char why[768];

const char *
agent_why(void)
{
	return why;
}

static mst_err
fail(mst_err e, const char *what, const char *words)
{
	snprintf(why, sizeof why, "%s: %s", what, words);
	return e;
}

static mst_err
read_certs(struct agent *a, const char *path, STACK_OF(X509) **out)
{
	mst_span pem;
	mst_err e = file_read(a->life, path, PEM_MAX, &pem);

	if (e != MST_OK)
		return fail(e, path, file_why());
	if ((e = cert_list(pem, out)) != MST_OK)
		return fail(e, path, "no certificate in PEM");
	return MST_OK;
}

/* ID-1, ID-8: serial number and issuer are those of the IDevID, never configured. */
static mst_err
read_identity(struct agent *a)
{
	const struct agent_config *c = a->cfg;
	mst_err e = read_certs(a, c->idevid_cert, &a->idevid_chain);

	if (e != MST_OK)
		return e;
	a->idevid = sk_X509_shift(a->idevid_chain);
	if ((e = cert_device_serial(a->life, a->idevid, CERT_SERIAL_SUBJECT, &a->serial)) != MST_OK)
		return fail(e, c->idevid_cert, "no serialNumber in the subject");
	if ((e = cert_idevid_issuer(a->life, a->idevid, &a->idevid_issuer)) != MST_OK)
		return fail(e, c->idevid_cert, "no issuer that can be named");
	if ((e = key_open(c->idevid_key, &a->idevid_key)) != MST_OK)
		return fail(e, "idevid_key", key_why());
	if ((e = key_matches(a->idevid_key, a->idevid)) != MST_OK)
		return fail(e, "idevid_key", key_why());
	return MST_OK;
}

static mst_err
read_anchors(struct agent *a)
{
	mst_span pem;
	mst_err e = file_read(a->life, a->cfg->masa_anchors, PEM_MAX, &pem);

	if (e != MST_OK)
		return fail(e, a->cfg->masa_anchors, file_why());
	if ((e = anchors_new(pem, MST_NONE, &a->masa)) != MST_OK)
		return fail(e, a->cfg->masa_anchors, "no certificate in PEM");
	return MST_OK;
}

static mst_err
start_crypto(struct agent *a)
{
	struct crypto_openssl_config o = {
		.idevid_key = a->idevid_key,
		.idevid = a->idevid,
		.idevid_chain = a->idevid_chain,
		.masa = a->masa,
	};
	mst_err e = crypto_openssl_init(&a->openssl, &o);

	if (e != MST_OK)
		return fail(e, a->cfg->idevid_cert, "not the certificate of its key");
	a->crypto = crypto_openssl(&a->openssl);
	return MST_OK;
}

/* Damaged counters are lost counters: said loudly, but no reason to leave a site. */
static mst_err
count_start(struct agent *a)
{
	mst_err e = agent_counters_read(a->cfg->state, &a->counters);

	if (e == MST_E_PLEDGE_STORE_CORRUPT) {
		log_line(LOG_ERROR_, "%s %s; the counts begin anew", mst_err_info(e)->code,
		    agent_store_why());
		a->counters = (struct agent_counters){ 0 };
		e = MST_OK;
	}
	a->counters.boots++;
	if (e == MST_OK)
		e = agent_counters_write(a->cfg->state, &a->counters);
	return e == MST_OK ? e : fail(e, "state", agent_store_why());
}

static mst_err
read_state(struct agent *a)
{
	struct agent_record r;
	mst_err e = count_start(a);

	if (e != MST_OK)
		return e;
	a->base_mono = clock_mono();
	a->base_time = a->counters.last_time;
	e = agent_record_read(a->cfg->state, &r);
	if (e == MST_E_NOT_FOUND)
		return MST_OK;
	if (e != MST_OK)
		return fail(e, "state", agent_store_why());
	if ((e = agent_adopt(a, &r)) != MST_OK) {
		agent_record_wipe(&r);
		return fail(e, "state", "the stored LDevID is not usable");
	}
	return MST_OK;
}

static mst_err
make_room(struct agent *a)
{
	a->life = arena_new(0);
	a->session = arena_new(EXCHANGE_MAX);
	a->exchange = arena_new(EXCHANGE_MAX);
	a->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->life == NULL || a->session == NULL || a->exchange == NULL)
		return fail(MST_E_NOMEM, "start", "out of memory");
	link_open(&a->links);
	if (a->wake < 0)
		return fail(MST_E_IO, "eventfd", strerror(errno));
	return MST_OK;
}

mst_err
agent_open(const struct agent_config *cfg, struct agent **out, pid_t *holder)
{
	struct agent *a = calloc(1, sizeof *a);
	mst_err e;

	*holder = 0;
	if (a == NULL)
		return fail(MST_E_NOMEM, "start", "out of memory");
	a->cfg = cfg;
	a->wire = cfg->transport == AGENT_COAPS ? &agent_wire_coaps : &agent_wire_https;
	a->lock = a->wake = a->links.fd = -1;
	if ((e = make_room(a)) != MST_OK)
		goto out;
	if ((e = agent_lock(cfg->state, &a->lock, holder)) != MST_OK) {
		fail(e, "state", agent_store_why());
		goto out;
	}
	if ((e = read_identity(a)) != MST_OK || (e = read_anchors(a)) != MST_OK ||
	    (e = start_crypto(a)) != MST_OK || (e = read_state(a)) != MST_OK)
		goto out;
	*out = a;
out:
	if (e != MST_OK)
		agent_close(a);
	return e;
}

void
agent_close(struct agent *a)
{
	if (a == NULL)
		return;
	discover_close(a->discovery);
	link_close(&a->links);
	http_close(a->client);
	coaps_close(a->coaps);
	crypto_openssl_wipe(&a->openssl);
	agent_record_wipe(&a->record);
	sk_X509_pop_free(a->ldevid_chain, X509_free);
	sk_X509_pop_free(a->idevid_chain, X509_free);
	X509_free(a->idevid);
	EVP_PKEY_free(a->idevid_key);
	anchors_free(a->masa);
	arena_free(a->exchange);
	arena_free(a->session);
	arena_free(a->life);
	if (a->wake >= 0)
		close(a->wake);
	if (a->lock >= 0)
		close(a->lock);
	mst_wipe(a, sizeof *a);
	free(a);
}

mst_err
agent_factory_reset(const struct agent_config *cfg, pid_t *holder)
{
	struct agent_counters c;
	int lock = -1;
	mst_err e;

	*holder = 0;
	if ((e = agent_lock(cfg->state, &lock, holder)) != MST_OK)
		return fail(e, "state", agent_store_why());
	e = agent_counters_read(cfg->state, &c);
	if (e == MST_E_PLEDGE_STORE_CORRUPT) {
		c = (struct agent_counters){ 0 };
		e = MST_OK;
	}
	/* Counted first: a reset that a power cut interrupts is done again by its user. */
	c.resets++;
	c.last_time = 0; /* the site's certificates told it */
	if (e == MST_OK)
		e = agent_counters_write(cfg->state, &c);
	if (e == MST_OK)
		e = agent_record_clear(cfg->state);
	if (e != MST_OK)
		fail(e, "state", agent_store_why());
	close(lock);
	return e;
}
