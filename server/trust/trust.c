/* SPDX-License-Identifier: Apache-2.0 */
#include "server/trust/trust.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "host/clock.h"

/* The manufacturers with their anchors parsed; shared by loops, never changed once made. */
struct snapshot {
	atomic_uint refs;
	int64_t generation;
	struct arena *arena;
	struct manufacturer *list;
	struct anchors **anchors; /* NULL where the stored PEM does not parse */
	size_t count;
};

struct trust {
	struct store *store;
	const struct anchors *own;
	pthread_mutex_t lock;
	struct snapshot *latest;
};

/* What a connection keeps: the verdict, which snapshot it came from, and whether the chain is ours.
 */
struct note {
	struct arena *arena;
	int64_t generation;
	bool ours;
	struct trust_verdict verdict;
};

static void
snapshot_drop(struct snapshot *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (size_t i = 0; i < s->count && s->anchors != NULL; i++)
		anchors_free(s->anchors[i]);
	free(s->anchors);
	arena_free(s->arena);
	free(s);
}

static struct snapshot *
snapshot_load(struct db *db, int64_t generation)
{
	struct snapshot *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	atomic_init(&s->refs, 1);
	s->generation = generation;
	if ((s->arena = arena_new(0)) == NULL ||
	    manufacturer_list(db, s->arena, &s->list, &s->count) != MST_OK ||
	    (s->anchors = calloc(s->count + 1, sizeof(struct anchors *))) == NULL) {
		s->count = 0;
		snapshot_drop(s);
		return NULL;
	}
	for (size_t i = 0; i < s->count; i++)
		if (anchors_new(s->list[i].anchors_pem, s->list[i].crl_pem, &s->anchors[i]) !=
		    MST_OK)
			s->anchors[i] = NULL; /* fails closed: nobody chains to nothing */
	return s;
}

/* The snapshot of the present generation, with a reference for the caller; NULL when it cannot be
 * had. */
static struct snapshot *
snapshot_now(struct trust *t, struct db *db)
{
	int64_t generation = manufacturer_generation(db);
	struct snapshot *s;

	if (generation < 0) /* what cannot be read cannot be judged: fail closed */
		return NULL;
	pthread_mutex_lock(&t->lock);
	if (t->latest == NULL || t->latest->generation != generation) {
		s = snapshot_load(db, generation);
		if (s != NULL) {
			snapshot_drop(t->latest);
			t->latest = s;
		}
	}
	s = t->latest != NULL && t->latest->generation == generation ? t->latest : NULL;
	if (s != NULL)
		atomic_fetch_add(&s->refs, 1);
	pthread_mutex_unlock(&t->lock);
	return s;
}

mst_err
trust_new(struct store *store, const struct anchors *own_anchors, struct trust **out)
{
	struct trust *t = calloc(1, sizeof *t);

	if (t == NULL)
		return MST_E_NOMEM;
	t->store = store;
	t->own = own_anchors;
	pthread_mutex_init(&t->lock, NULL);
	*out = t;
	return MST_OK;
}

void
trust_free(struct trust *t)
{
	if (t == NULL)
		return;
	snapshot_drop(t->latest);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

mst_err
trust_hold(
    struct trust *t, int64_t manufacturer, struct snapshot **hold, const struct anchors **out)
{
	struct db *db = store_reader(t->store);
	struct snapshot *s = db != NULL ? snapshot_now(t, db) : NULL;

	if (s == NULL)
		return MST_E_NOMEM;
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].id == manufacturer && s->anchors[i] != NULL) {
			*hold = s;
			*out = s->anchors[i];
			return MST_OK;
		}
	snapshot_drop(s);
	return MST_E_NOT_FOUND;
}

void
trust_release(struct snapshot *hold)
{
	snapshot_drop(hold);
}

static void
refuse(struct trust_verdict *v, mst_err why, const char *detail)
{
	v->class = TRUST_REFUSED;
	v->why = why;
	v->detail = detail;
}

static bool
before(const ASN1_TIME *when, const struct mst_clock *clock)
{
	time_t now = (time_t)clock->now;

	return X509_cmp_time(when, &now) < 0; /* 0 is an error: not "before" */
}

/* The serial number of the certificate as the store keeps it. */
static mst_span
serial_of(struct arena *a, X509 *leaf)
{
	const ASN1_INTEGER *n = X509_get0_serialNumber(leaf);

	return arena_dup(a, mst_span_of(ASN1_STRING_get0_data(n), (size_t)ASN1_STRING_length(n)));
}

/*
 * Signed by the site's CA: then it must be one that the CA remembers, byte for
 * byte, or somebody else can sign as the CA (requirements EST-3, A4).
 */
static void
judge_own(struct db *db, struct arena *a, X509 *leaf, const struct mst_clock *clock,
    struct trust_verdict *v)
{
	struct device device;
	mst_span der = MST_NONE;

	if (cert_by_serial(db, a, serial_of(a, leaf), &v->row) != MST_OK ||
	    cert_der(a, leaf, &der) != MST_OK || !mst_span_eq(der, v->row.der)) {
		refuse(v, MST_E_TLS_LDEVID_UNKNOWN, cert_subject(a, leaf));
		return;
	}
	if (v->row.state != CERT_ISSUED) {
		refuse(v, MST_E_TLS_LDEVID_REVOKED, cert_subject(a, leaf));
		return;
	}
	if (clock->trust == MST_CLOCK_TRUSTED && (before(X509_get0_notAfter(leaf), clock) ||
	                                             !before(X509_get0_notBefore(leaf), clock))) {
		refuse(v, MST_E_TLS_LDEVID_EXPIRED, cert_subject(a, leaf));
		return;
	}
	if (v->row.device != 0 && device_by_id(db, a, v->row.device, &device) == MST_OK)
		v->serial = device.serial;
	v->class = TRUST_LDEVID;
}

static void
judge_manufacturer(
    struct arena *a, X509 *leaf, const struct manufacturer *m, struct trust_verdict *v)
{
	mst_err e;

	v->manufacturer = *m;
	if (!m->enabled) {
		refuse(v, MST_E_AUTHZ_MANUFACTURER, m->name);
		return;
	}
	if ((e = cert_device_serial(a, leaf, m->serial_rule, &v->serial)) != MST_OK ||
	    (e = cert_idevid_issuer(a, leaf, &v->idevid_issuer)) != MST_OK) {
		refuse(v, e, cert_subject(a, leaf));
		return;
	}
	v->masa_url_err = cert_masa_url(a, leaf, &v->masa_url);
	if (v->masa_url_err != MST_OK)
		v->masa_url = NULL;
	v->class = TRUST_IDEVID;
}

/* The refusal under which a manufacturer's certificate that did not verify is known. */
static mst_err
idevid_refusal(mst_err e)
{
	if (e == MST_E_X509_EXPIRED)
		return MST_E_TLS_IDEVID_EXPIRED;
	if (e == MST_E_X509_REVOKED)
		return MST_E_TLS_IDEVID_REVOKED;
	return e == MST_E_X509_WEAK ? e : MST_E_TLS_UNTRUSTED_MANUFACTURER;
}

static void
judge_manufacturers(const struct snapshot *s, struct arena *a, X509 *leaf,
    const STACK_OF(X509) *chain, const struct mst_clock *clock, struct trust_verdict *v)
{
	mst_err nearest = MST_E_X509_CHAIN;

	for (size_t i = 0; i < s->count; i++) {
		const struct manufacturer *m = &s->list[i];
		unsigned flags = m->ignore_expiry ? CHAIN_NO_LEAF_TIME : 0; /* ID-4 */
		mst_err e;

		if (s->anchors[i] == NULL)
			continue;
		e = chain_verify(s->anchors[i], leaf, chain, clock, flags, NULL);
		if (e == MST_OK) {
			judge_manufacturer(a, leaf, m, v);
			return;
		}
		if (e != MST_E_X509_CHAIN)
			nearest = e;
	}
	refuse(v, idevid_refusal(nearest), cert_subject(a, leaf));
}

static mst_span
spki_digest(struct arena *a, X509 *leaf)
{
	mst_span spki;
	uint8_t digest[32];

	if (cert_spki(a, leaf, &spki) != MST_OK ||
	    EVP_Digest(spki.ptr, spki.len, digest, NULL, EVP_sha256(), NULL) != 1)
		return MST_NONE;
	return arena_dup(a, mst_span_of(digest, sizeof digest));
}

static void
judge_with(struct trust *t, const struct snapshot *s, struct db *db, struct arena *a, X509 *leaf,
    const STACK_OF(X509) *chain, const struct mst_clock *clock, struct trust_verdict *out)
{
	struct trust_verdict v = { .class = TRUST_ANONYMOUS };

	if (leaf == NULL) {
		*out = v;
		return;
	}
	v.spki_sha256 = spki_digest(a, leaf);
	if (v.spki_sha256.ptr == NULL || s == NULL)
		refuse(&v, MST_E_NOMEM, "no room to judge the client's certificate");
	else if (t->own != NULL &&
	         chain_verify(t->own, leaf, chain, clock, CHAIN_NO_LEAF_TIME, NULL) == MST_OK)
		judge_own(db, a, leaf, clock, &v);
	else
		judge_manufacturers(s, a, leaf, chain, clock, &v);
	*out = v;
}

static void
keep_text(struct arena *a, const char **s, bool *lost)
{
	if (*s != NULL && (*s = arena_str(a, mst_span_str(*s))) == NULL)
		*lost = true;
}

static void
keep_span(struct arena *a, mst_span *s, bool *lost)
{
	if (s->ptr != NULL && (*s = arena_dup(a, *s)).ptr == NULL)
		*lost = true;
}

mst_err
trust_copy(struct arena *a, const struct trust_verdict *v, struct trust_verdict *out)
{
	struct trust_verdict c = *v;
	struct manufacturer *m = &c.manufacturer;
	const char **text[] = { &m->name, &m->masa_url, &m->masa_hosts, &m->audit_policy, &c.detail,
		&c.masa_url, &c.row.profile, &c.row.ca, &c.row.identity };
	mst_span *bytes[] = { &c.serial, &c.idevid_issuer, &c.spki_sha256, &c.row.serial,
		&c.row.subject, &c.row.san, &c.row.spki, &c.row.spki_sha256, &c.row.order_key,
		&c.row.der };
	bool lost = false;

	/* A CRL of a megabyte is no business of each connection's, nor is a password. */
	m->anchors_pem = m->crl_pem = m->voucher_anchors_pem = m->masa_anchors_pem = MST_NONE;
	m->masa_cert_uri = m->masa_key_uri = m->masa_user = m->masa_password = NULL;

	for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
		keep_text(a, text[i], &lost);
	for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++)
		keep_span(a, bytes[i], &lost);
	if (lost)
		return MST_E_NOMEM;
	*out = c;
	return MST_OK;
}

void
trust_judge_cert(struct trust *t, struct db *db, struct arena *a, X509 *leaf,
    const STACK_OF(X509) *chain, const struct mst_clock *clock, struct trust_verdict *out)
{
	struct snapshot *s = snapshot_now(t, db);

	judge_with(t, s, db, a, leaf, chain, clock, out);
	if (trust_copy(a, out, out) != MST_OK) /* the manufacturer's row lies in the snapshot */
		*out = (struct trust_verdict){ .class = TRUST_REFUSED,
			.why = MST_E_NOMEM,
			.detail = "no memory to judge the client" };
	snapshot_drop(s);
}

/* NULL allowed: a connection whose note found no memory has none when it ends. */
static void
note_free(void *p)
{
	struct note *n = p;

	if (n == NULL)
		return;
	arena_free(n->arena);
	free(n);
}

/*
 * Revocation and expiry hold at once, even for a chain verified minutes ago:
 * only the signatures are not looked at again.
 */
static void
judge_again(struct db *db, X509 *leaf, const struct mst_clock *clock, struct note *n)
{
	struct trust_verdict *v = &n->verdict;
	uint8_t spki[32];

	if (n->ours && v->spki_sha256.len == sizeof spki) {
		memcpy(spki, v->spki_sha256.ptr, sizeof spki);
		arena_reset(n->arena); /* else a long connection would grow it */
		*v = (struct trust_verdict){ .spki_sha256 = arena_dup(
			                         n->arena, mst_span_of(spki, sizeof spki)) };
		judge_own(db, n->arena, leaf, clock, v);
	} else if (v->class == TRUST_IDEVID && !v->manufacturer.ignore_expiry &&
	           clock->trust == MST_CLOCK_TRUSTED && before(X509_get0_notAfter(leaf), clock)) {
		refuse(v, MST_E_TLS_IDEVID_EXPIRED, cert_subject(n->arena, leaf));
	}
}

static struct note *
note_new(struct trust *t, struct db *db, struct net_peer *peer, const struct mst_clock *clock)
{
	struct note *n = calloc(1, sizeof *n);

	if (n == NULL)
		return NULL;
	if ((n->arena = arena_new(1 << 20)) == NULL) {
		free(n);
		return NULL;
	}
	n->generation = manufacturer_generation(db);
	trust_judge_cert(t, db, n->arena, peer->leaf, peer->chain, clock, &n->verdict);
	n->ours = n->verdict.class == TRUST_LDEVID;
	return n;
}

const struct trust_verdict *
trust_judge_peer(struct trust *t, struct net_peer *peer)
{
	static const struct trust_verdict no_memory = { .class = TRUST_REFUSED,
		.why = MST_E_NOMEM,
		.detail = "no memory to judge the client" };
	static const struct trust_verdict no_clock = { .class = TRUST_REFUSED,
		.why = MST_E_CLOCK,
		.detail = "this machine's clock is before the build date" };
	struct db *db = store_reader(t->store);
	struct mst_clock clock = clock_now();
	struct note *n = peer->note;

	/*
	 * CLK-2: a clock that went wrong while the daemon ran. Dates are not judged
	 * by such a clock, and what had expired would be taken again.
	 */
	if (clock.trust != MST_CLOCK_TRUSTED)
		return &no_clock;
	if (n != NULL && n->generation == manufacturer_generation(db)) {
		judge_again(db, peer->leaf, &clock, n);
		return &n->verdict;
	}
	note_free(n);
	n = note_new(t, db, peer, &clock);
	peer->note = n;
	peer->note_free = note_free;
	return n != NULL ? &n->verdict : &no_memory;
}

const struct trust_verdict *
trust_judge(struct trust *t, struct net_request *rq)
{
	return trust_judge_peer(t, rq->peer);
}
