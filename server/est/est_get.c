/* SPDX-License-Identifier: Apache-2.0 */
/* What anybody may read: CA certificates, CSR attributes, the CRL (A1; est.md P3, section 10). */
#include "server/est/room.h"

/* The device behind the connection; false when there is none. */
static bool
device_of(const struct est *e, struct net_request *rq, struct device *d)
{
	const struct trust_verdict *v = rq->peer->leaf != NULL ? trust_judge(e->c.trust, rq) : NULL;

	return v != NULL && (v->class == TRUST_IDEVID || v->class == TRUST_LDEVID) &&
	       est_device(store_reader(e->c.store), rq->arena, v, d) == MST_OK;
}

/* A step of a device's way stands in its timeline; what strangers read is only logged. */
static void
note_step(const struct est *e, struct net_request *rq, enum step step, const char *label)
{
	const struct journal_who who = { rq->trace, rq->id, rq->peer->address };
	struct device d;

	journal_accept(e->journal, rq, step, label);
	if (device_of(e, rq, &d))
		journal_record(e->journal, &who, d.id, step, MST_OK, NULL);
}

void
est_on_cacerts(struct net_request *rq, void *arg)
{
	static const struct net_header cte = { "Content-Transfer-Encoding", "base64" };
	const struct est_label *l = arg;
	bool wrap = l->cacerts.len > 1020 && est_wrap(rq) != 0;
	const char *type;
	mst_span body;
	mst_err e = est_known_client(l->est, rq);

	if (e == MST_OK && rq->wire == NET_COAPS)
		e = est_crts(l, rq, &type, &body);
	if (e != MST_OK) {
		journal_refuse(l->est->journal, rq, 0, STEP_CACERTS, e, l->label);
		return;
	}
	note_step(l->est, rq, STEP_CACERTS, l->label);
	if (rq->wire == NET_COAPS) {
		net_reply(rq, 200, type, body, NULL, 0);
		return;
	}
	/* H6: the type without a parameter. */
	net_reply(
	    rq, 200, "application/pkcs7-mime", wrap ? l->cacerts_wrapped : l->cacerts, &cte, 1);
}

/* The serial number of the device behind the connection, if a device is there, and its twin's
 * number. */
static mst_span
device_serial(const struct est *e, struct net_request *rq, int64_t *twin)
{
	struct db *db = store_reader(e->c.store);
	const struct trust_verdict *v;
	struct device d;

	*twin = 0;
	if (rq->peer->leaf == NULL)
		return MST_NONE;
	v = trust_judge(e->c.trust, rq);
	if (est_device(db, rq->arena, v, &d) == MST_OK &&
	    device_twin(db, d.serial, d.id, twin) == MST_OK)
		return d.serial;
	/* an IDevID that has not bootstrapped yet may ask what it will be asked for */
	return v->class == TRUST_IDEVID ? arena_dup(rq->arena, v->serial) : MST_NONE;
}

void
est_on_csrattrs(struct net_request *rq, void *arg)
{
	const struct est_label *l = arg;
	struct est *e = l->est;
	mst_span der;
	int64_t twin;
	mst_err err = est_known_client(e, rq);

	rq->serial = device_serial(e, rq, &twin);
	if (err == MST_OK)
		err = est_csrattrs_build(rq->arena, l->profile, e->c.csrattrs, rq->serial, twin,
		    e->c.binding_required, &der);
	if (err != MST_OK) {
		journal_refuse(e->journal, rq, 0, STEP_CSRATTRS, err, l->label);
		return;
	}
	note_step(e, rq, STEP_CSRATTRS, l->label);
	if (der.ptr == NULL) /* RFC 7030 4.5.2: none available */
		net_reply(rq, 204, NULL, MST_NONE, NULL, 0);
	else if (rq->wire == NET_COAPS)
		net_reply(rq, 200, "application/csrattrs", der, NULL, 0);
	else
		est_answer(rq, STEP_CSRATTRS, "application/csrattrs", der);
}

void
est_on_crl(struct net_request *rq, void *arg)
{
	const struct est_label *l = arg;
	mst_span der;
	mst_err e = ca_crl_der(l->est->c.ca, l->label, rq->arena, &der);

	if (e != MST_OK)
		journal_refuse(l->est->journal, rq, 0, STEP_CRL, e, l->label);
	else /* RFC 5280 4.2.1.13, RFC 2585 4.2: DER */
		net_reply(rq, 200, "application/pkix-crl", der, NULL, 0);
}
