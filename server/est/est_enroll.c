/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simpleenroll, simplereenroll, serverkeygen. In order: who is it (TLS, else
 * HTTP Basic), may it order (the gate), what may be issued (the CSR's
 * judgement), order from the CA, whose answer is durable with the device's new
 * state and its row in the trail, and only then the client's answer.
 */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "host/clock.h"
#include "server/est/room.h"

#define BASIC "basic:" /* begins the identity of a plain client */
struct run {
	const struct est_label *label;
	struct est *est;
	struct net_request *rq;
	enum est_op op;
	enum step step;
	struct trust_verdict client;
	enum est_basic basic;
	const struct est_user *user; /* EST_BASIC_PROVED */
	const char *manufacturer; /* the device's */
	const char *identity;
	struct device device; /* id 0: none */
	const struct est_profile *profile;
	struct est_csr csr;
	mst_span key; /* EST_KEYGEN: PKCS#8 */
	mst_span leaf; /* the certificate */
	mst_span certs; /* it, as certs-only */
	struct ca_order order;
	enum est_placed placed;
	int64_t cert; /* the row of what is handed out */
	size_t superseded; /* former certificates that it put out of date */
	bool recorded; /* by the transaction that issued; not so for a repeat (C5) */
	const char *words;
};

static void
refuse(struct run *u, mst_err e)
{
	if (mst_err_info(e)->http == 202)
		journal_wait(u->est->journal, u->rq, u->device.id, u->step, e,
		    u->est->c.retry_after, u->words);
	else
		journal_refuse(u->est->journal, u->rq, u->device.id, u->step, e, u->words);
}

/* --- the gate --- */

/* The name of a plain client: what stands behind "basic:" in its identity. */
static const char *
user_name(const struct run *u)
{
	if (u->client.class == TRUST_LDEVID && u->client.row.device == 0 &&
	    strncmp(u->client.row.identity, BASIC, sizeof BASIC - 1) == 0)
		return u->client.row.identity + sizeof BASIC - 1;
	return u->user != NULL ? u->user->name : NULL;
}

/* A plain client has no row of a device that would say it: its identity may be shut out. */
static mst_err
look_barred(const struct run *u, struct db *db, bool *barred)
{
	bool plain = u->client.class == TRUST_ANONYMOUS ||
	             (u->client.class == TRUST_LDEVID && u->client.row.device == 0);

	*barred = false;
	return plain && u->identity != NULL ? barred_find(db, u->identity, barred) : MST_OK;
}

/* Where there is a file of users, a certificate of one who left it renews nothing. */
static bool
is_user_gone(const struct run *u)
{
	const char *name = user_name(u);

	return u->est->auth != NULL && u->client.class == TRUST_LDEVID &&
	       u->client.row.device == 0 && (name == NULL || !est_auth_knows(u->est->auth, name));
}

static mst_err
gate(struct run *u, struct db *db, const struct device *d)
{
	struct est_gate_in in = { .op = u->op,
		.client = &u->client,
		.basic = u->basic,
		.device = d,
		.profile = u->profile,
		.manufacturer = u->manufacturer,
		.user = user_name(u),
		.user_gone = is_user_gone(u),
		.status_optional = u->est->c.status_optional };
	mst_err e = look_barred(u, db, &in.barred);

	return e != MST_OK ? e : est_gate(&in);
}

static mst_err
pass_gate(struct run *u)
{
	struct db *db = store_reader(u->est->c.store);
	mst_err e = est_device(db, u->rq->arena, &u->client, &u->device);
	bool known = e == MST_OK;

	if (known && u->device.manufacturer != 0)
		e = manufacturer_name_of(
		    db, u->rq->arena, u->device.manufacturer, &u->manufacturer);
	if (e != MST_OK && e != MST_E_NOT_FOUND)
		return e;
	if (!known)
		u->device.id = 0;
	return gate(u, db, known ? &u->device : NULL);
}

/* Who asks, in words, the same over all its life: a key belongs to one identity (EST-2). */
static mst_err
name_client(struct run *u)
{
	struct arena *a = u->rq->arena;
	const struct trust_verdict *c = &u->client;

	switch (c->class) {
	case TRUST_IDEVID:
		u->identity = arena_printf(a, "idevid:%s:%.*s", c->manufacturer.name,
		    (int)c->serial.len, (const char *)c->serial.ptr);
		break;
	case TRUST_LDEVID: u->identity = c->row.identity; break;
	case TRUST_ANONYMOUS:
		if (u->user == NULL) /* nobody, and the gate says so */
			return MST_OK;
		u->identity = arena_printf(a, BASIC "%s", u->user->name);
		break;
	case TRUST_REFUSED: return MST_OK;
	}
	return u->identity != NULL ? MST_OK : MST_E_NOMEM;
}

/*
 * The same for orders alone (C5): two devices of one maker may have one serial
 * number, and what the one ordered is not the other's.
 */
static const char *
orderer(const struct run *u)
{
	return u->device.id == 0
	           ? u->identity
	           : arena_printf(u->rq->arena, "%s#%lld", u->identity, (long long)u->device.id);
}

/* --- the CSR --- */

static mst_err
judge(struct run *u)
{
	struct net_request *rq = u->rq;
	uint8_t room[64];
	struct mst_buf binding = MST_BUF(room);
	struct est_csr_in in = { .op = u->op,
		.class = u->client.class,
		.leaf = rq->peer->leaf,
		.row = u->client.class == TRUST_LDEVID ? &u->client.row : NULL,
		.serial = u->device.id != 0 ? u->device.serial : MST_NONE,
		.idevid_spki_sha256 = u->device.idevid_spki_sha256,
		.user = u->user,
		.identity = orderer(u),
		.profile = u->profile,
		.challenge = u->est->c.challenge,
		.binding_required = u->est->c.binding_required,
		.window_percent = u->est->c.window_percent,
		.now = clock_wall() };
	mst_err e = est_csr_der(rq, &in.der);

	if (in.identity == NULL)
		return MST_E_NOMEM;
	if (e == MST_OK && in.serial.ptr != NULL && u->op != EST_REENROLL)
		e = device_twin(store_reader(u->est->c.store), in.serial, u->device.id, &in.twin);
	if (e != MST_OK)
		return e;
	if (net_binding(rq, &binding) == MST_OK)
		in.binding = mst_buf_span(&binding);
	return est_judge_csr(rq->arena, &in, &u->csr, &u->words);
}

/* RFC 7030 4.4: the CSR's key gives way to a new one, which is never kept: a repeat is a new order.
 */
static mst_err
replace_key(struct run *u)
{
	uint8_t both[sizeof u->csr.order_key + SHA256_DIGEST_LENGTH];
	mst_err e = est_keygen(u->rq->arena, &u->key, &u->csr.spki);

	if (e != MST_OK)
		return e;
	memcpy(both, u->csr.order_key, sizeof u->csr.order_key);
	if (EVP_Digest(u->csr.spki.ptr, u->csr.spki.len, both + sizeof u->csr.order_key, NULL,
	        EVP_sha256(), NULL) != 1 ||
	    EVP_Digest(both, sizeof both, u->csr.order_key, NULL, EVP_sha256(), NULL) != 1)
		return MST_E_INTERNAL;
	return MST_OK;
}

/* --- the answer --- */

static mst_err
answer_keygen(struct run *u)
{
	const char *type;
	mst_span body;
	uint8_t random[12];
	char boundary[2 * sizeof random + 1];
	mst_err e;

	if (u->rq->wire == NET_COAPS)
		return est_answer_key(u->rq, u->key, u->leaf, u->certs);
	if (RAND_bytes(random, sizeof random) != 1)
		return MST_E_RANDOM;
	for (size_t i = 0; i < sizeof random; i++) {
		boundary[2 * i] = "0123456789abcdef"[random[i] >> 4];
		boundary[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
	}
	boundary[sizeof boundary - 1] = '\0';
	if ((e = est_keygen_body(u->rq->arena, u->key, u->certs, boundary, &body, &type)) != MST_OK)
		return e;
	net_reply(u->rq, 200, type, body, NULL, 0);
	return MST_OK;
}

static void
answer(struct run *u)
{
	mst_err e;

	journal_accept(u->est->journal, u->rq, u->step, u->identity);
	if (u->superseded != 0) /* it holds here already; others read the CRL */
		ca_crl_refresh(est_ca_loop(u->est, u->rq->loop), NULL, NULL);
	if (u->csr.bound) /* RFC 9266 4.1: one authentication by a binding (L7) */
		net_close_after(u->rq);
	if (u->op != EST_KEYGEN)
		est_answer_issued(u->est, u->rq, u->step, u->manufacturer, u->leaf, u->certs);
	else if ((e = answer_keygen(u)) != MST_OK)
		refuse(u, e);
}

/* Inside the transaction: device or certificate may have been taken back meanwhile (A4). */
static mst_err
gate_again(struct run *u, struct db *db, const struct device *d)
{
	struct cert_row now;
	mst_err e;

	if (u->client.class == TRUST_LDEVID) {
		e = cert_by_serial(db, u->rq->arena, u->client.row.serial, &now);
		if (e != MST_OK)
			return e;
		if (now.state != CERT_ISSUED)
			return MST_E_TLS_LDEVID_REVOKED;
	}
	return gate(u, db, d);
}

/*
 * SEC-3: whoever bootstraps again begins a new chain of certificates (J2), and
 * the former one ends with it: it may be in the hands of a former holder.
 */
static mst_err
supersede(struct run *u, struct db *db, const struct device *d)
{
	mst_err e = cert_supersede(
	    db, d->id, u->profile->label, u->cert, d->voucher_at, clock_wall(), &u->superseded);

	if (e != MST_OK || u->superseded == 0)
		return e;
	return journal_row(u->est->journal, db, u->rq, d->id, STEP_REVOKE, MST_OK,
	    arena_printf(u->rq->arena, "%zu former certificates, superseded", u->superseded));
}

static mst_err
record(struct run *u, struct db *db, bool again)
{
	struct device d = { 0 };
	mst_err e = est_device(db, u->rq->arena, &u->client, &d);
	bool known = e == MST_OK;

	if (e != MST_OK && e != MST_E_NOT_FOUND)
		return e;
	if ((e = gate_again(u, db, known ? &d : NULL)) != MST_OK)
		return e;
	if (known) {
		if (u->op != EST_REENROLL && !(again && d.state == DEVICE_ACTIVE))
			d.state = DEVICE_ENROLLED;
		else if (d.state == DEVICE_STALE)
			d.state = DEVICE_ACTIVE;
		d.last_seen = clock_wall();
		d.trace = u->rq->trace;
		if ((e = device_save(db, &d)) != MST_OK)
			return e;
	}
	if (known && u->client.class == TRUST_IDEVID && (e = supersede(u, db, &d)) != MST_OK)
		return e;
	return journal_row(u->est->journal, db, u->rq, u->device.id, u->step, MST_OK,
	    again ? "the certificate of an earlier order with this CSR" : u->identity);
}

/* In the transaction that makes the certificate durable. */
static mst_err
record_issued(struct db *db, const struct cert_row *row, void *arg)
{
	struct run *u = arg;
	mst_err e;

	u->cert = row->id;
	e = record(u, db, false);
	u->recorded = e == MST_OK;
	return e;
}

static mst_err
record_again(struct db *db, void *arg)
{
	return record(arg, db, true);
}

static void
on_recorded(void *arg, mst_err e)
{
	if (e != MST_OK)
		refuse(arg, e);
	else
		answer(arg);
}

static void
post(void *loop, void (*fn)(void *), void *arg)
{
	net_post(loop, fn, arg);
}

static void
on_issued(void *arg, mst_err e, mst_span der, const struct cert_row *row)
{
	struct run *u = arg;

	if (e == MST_OK) {
		u->cert = row->id;
		u->leaf = arena_dup(u->rq->arena, der);
		e = u->leaf.ptr != NULL
		        ? certs_only_wrap(u->rq->arena, der, &u->certs) /* P4: it alone */
		        : MST_E_NOMEM;
	}
	if (e != MST_OK)
		refuse(u, e);
	else if (u->recorded)
		answer(u);
	else
		store_write(u->est->c.store, record_again, on_recorded, u, post, u->rq->loop);
}

/* --- manual mode: EST-7 --- */

static mst_err
place(struct db *db, void *arg)
{
	struct run *u = arg;
	struct device d = { 0 };
	mst_err e = est_device(db, u->rq->arena, &u->client, &d);

	if (e != MST_OK && e != MST_E_NOT_FOUND)
		return e;
	if ((e = gate_again(u, db, e == MST_OK ? &d : NULL)) != MST_OK ||
	    (e = est_manual_place(u->est, db, u->rq->arena, &u->order, &u->placed)) != MST_OK)
		return e;
	return u->placed != EST_PLACED_NOW ? MST_OK
	                                   : journal_row(u->est->journal, db, u->rq, u->device.id,
	                                         u->step, MST_E_EST_PENDING, u->identity);
}

static void
on_placed(void *arg, mst_err e)
{
	struct run *u = arg;

	if (e != MST_OK)
		refuse(u, e);
	else if (u->placed == EST_PLACED_ISSUED)
		ca_issue(est_ca_loop(u->est, u->rq->loop), &u->order, on_issued, u);
	else /* the row is there; a poll leaves none */
		net_wait(u->rq, u->step, MST_E_EST_PENDING, u->est->c.retry_after, u->identity);
}

static void
order(struct run *u)
{
	u->order = (struct ca_order){ .label = u->profile->label,
		.profile = u->profile->profile,
		.subject = u->csr.subject,
		.san = u->csr.san,
		.spki = u->csr.spki,
		.order_key = mst_span_of(u->csr.order_key, sizeof u->csr.order_key),
		.device = u->device.id,
		.identity = u->identity,
		.also = record_issued,
		.also_arg = u };
	if (u->est->c.manual)
		store_write(u->est->c.store, place, on_placed, u, post, u->rq->loop);
	else
		ca_issue(est_ca_loop(u->est, u->rq->loop), &u->order, on_issued, u);
}

/* --- the request --- */

static void
proceed(struct run *u)
{
	mst_err e = name_client(u);

	if (e == MST_OK)
		e = pass_gate(u);
	if (e == MST_OK)
		e = judge(u);
	if (e == MST_OK && u->op == EST_KEYGEN)
		e = replace_key(u);
	if (e != MST_OK)
		refuse(u, e);
	else
		order(u);
}

static void
on_user(void *arg, mst_err e, const struct est_user *user)
{
	struct run *u = arg;

	if (e != MST_OK) {
		refuse(u, e);
		return;
	}
	u->basic = EST_BASIC_PROVED;
	u->user = user;
	u->rq->peer->http_auth = true;
	proceed(u);
}

static mst_err
begin(struct run *u)
{
	struct net_request *rq = u->rq;
	mst_err e;

	if (!net_is_type(rq->content_type, "application/pkcs10")) /* U5 */
		return MST_E_MEDIA_UNSUPPORTED;
	if ((e = trust_copy(rq->arena, trust_judge(u->est->c.trust, rq), &u->client)) != MST_OK)
		return e;
	rq->serial = u->client.serial;
	rq->manufacturer = u->client.manufacturer.name;
	u->words = u->client.detail;
	u->profile = u->op == EST_REENROLL && u->client.class == TRUST_LDEVID
	                 ? est_profile_of(u->label, u->client.row.profile)
	                 : u->label->profile;
	return MST_OK;
}

static void
receive(struct net_request *rq, struct est_label *l, enum est_op op, enum step step)
{
	struct run *u = arena_alloc(rq->arena, sizeof *u);
	mst_err e;

	if (u == NULL) {
		net_refuse(rq, step, MST_E_NOMEM, NULL);
		return;
	}
	u->label = l;
	u->est = l->est;
	u->rq = rq;
	u->op = op;
	u->step = step;
	if ((e = begin(u)) != MST_OK) {
		refuse(u, e);
		return;
	}
	u->basic = u->est->auth == NULL ? EST_BASIC_OFF : EST_BASIC_ABSENT;
	/* A2: for clients without certificate alone; a refused certificate is not outvoted. */
	if (u->client.class == TRUST_ANONYMOUS && u->est->auth != NULL &&
	    rq->authorization != NULL && op != EST_REENROLL)
		est_auth_check(u->est->auth, rq, on_user, u);
	else
		proceed(u);
}

void
est_on_enroll(struct net_request *rq, void *arg)
{
	receive(rq, arg, EST_ENROLL, STEP_ENROLL);
}

void
est_on_reenroll(struct net_request *rq, void *arg)
{
	receive(rq, arg, EST_REENROLL, STEP_REENROLL);
}

void
est_on_keygen(struct net_request *rq, void *arg)
{
	struct est_label *l = arg;

	if (!l->est->c.keygen) /* RFC 7030 6: off unless wanted */
		journal_refuse(l->est->journal, rq, 0, STEP_KEYGEN, MST_E_EST_DISABLED, NULL);
	else if (l->est->c.manual) /* a key that waits would have to be kept (G4) */
		journal_refuse(l->est->journal, rq, 0, STEP_KEYGEN, MST_E_EST_DISABLED,
		    "not where certificates wait for an operator");
	else
		receive(rq, l, EST_KEYGEN, STEP_KEYGEN);
}

/* Optional (RFC 7030 4.3), and not built: est.md section 12. */
void
est_on_fullcmc(struct net_request *rq, void *arg)
{
	struct est_label *l = arg;

	journal_refuse(l->est->journal, rq, 0, STEP_ENROLL, MST_E_EST_DISABLED, "fullcmc");
}
