/* SPDX-License-Identifier: Apache-2.0 */
/* Who may order a certificate (brski.md EST-3, est.md A1 to A6, J1, J2). */
#include <string.h>

#include "server/est/judge.h"

/* What an operator or the audit log said about the device, whatever it holds. */
static mst_err
judge_state(const struct device *d)
{
	switch (d->state) {
	case DEVICE_QUARANTINED:
	case DEVICE_REVOKED:
	case DEVICE_RETIRED: return MST_E_AUTHZ_QUARANTINED;
	case DEVICE_PLANNED:
	case DEVICE_SEEN:
	case DEVICE_PENDING:
	case DEVICE_VOUCHER:
	case DEVICE_ENROLLED:
	case DEVICE_ACTIVE:
	case DEVICE_STALE:
	case DEVICE_STATE_COUNT: break;
	}
	return d->decision < 0 ? MST_E_AUTHZ_QUARANTINED : MST_OK;
}

/* RFC 8995 5.8.3: voucher, the pledge's word on it, audit log, in this order. */
static mst_err
judge_bootstrap(const struct est_gate_in *in)
{
	const struct device *d = in->device;
	mst_err e;

	if (d == NULL)
		return MST_E_EST_GATE_VOUCHER;
	if ((e = judge_state(d)) != MST_OK)
		return e;
	if (d->state == DEVICE_PENDING) /* it asked for another voucher meanwhile */
		return MST_E_AUTHZ_PENDING;
	/* The voucher went to the holder of one IDevID; another of the same serial is not it. */
	if (d->voucher_at == 0 || !mst_span_eq(d->idevid_spki_sha256, in->client->spki_sha256))
		return MST_E_EST_GATE_VOUCHER;
	/* A pledge that refused its voucher is refused, however optional the report is. */
	if (d->voucher_status == 0 || (d->voucher_status != 1 && !in->status_optional))
		return MST_E_EST_GATE_STATUS;
	if (d->audit_override == 1 || d->audit_verdict == 1 || d->audit_verdict == 2)
		return MST_OK;
	return d->audit_verdict < 0 ? MST_E_EST_GATE_AUDIT_PENDING : MST_E_EST_GATE_AUDIT;
}

static mst_err
judge_ldevid(const struct est_gate_in *in)
{
	bool is_device = in->client->row.device != 0;

	if (is_device && in->op != EST_REENROLL)
		return MST_E_EST_CLIENT_CERT;
	if (!is_device && in->barred)
		return MST_E_EST_BARRED;
	if (!is_device) /* who was taken off the list has left, whatever he still holds */
		return in->user_gone ? MST_E_EST_USER_GONE : MST_OK;
	return in->device == NULL ? MST_E_AUTHZ_QUARANTINED : judge_state(in->device);
}

static mst_err
judge_anonymous(const struct est_gate_in *in)
{
	if (in->op == EST_REENROLL) /* A3 */
		return MST_E_EST_CLIENT_CERT;
	switch (in->basic) {
	case EST_BASIC_OFF: return MST_E_TLS_NO_CLIENT_CERT;
	case EST_BASIC_ABSENT: return MST_E_HTTP_AUTH;
	case EST_BASIC_PROVED: return in->barred ? MST_E_EST_BARRED : MST_OK;
	}
	return MST_E_HTTP_AUTH;
}

static bool
names_one(const struct est_names *n, const char *label, const char *name)
{
	if (n->count == 0) /* a CA beside the default is for whom it names, or for nobody */
		return label[0] == '\0';
	for (size_t i = 0; i < n->count; i++)
		if (strcmp(n->list[i], "*") == 0 || (name != NULL && strcmp(n->list[i], name) == 0))
			return true;
	return false;
}

/* RFC 7030 3.2.2: a label is another CA, and being admitted here is not being admitted there. */
static mst_err
judge_label(const struct est_gate_in *in)
{
	const struct est_profile *p = in->profile;
	bool is_device = in->client->class == TRUST_IDEVID ||
	                 (in->client->class == TRUST_LDEVID && in->client->row.device != 0);
	bool ok = is_device ? names_one(&p->manufacturers, p->label, in->manufacturer)
	                    : names_one(&p->users, p->label, in->user);

	return ok ? MST_OK : MST_E_EST_LABEL_DENIED;
}

static mst_err
judge_client(const struct est_gate_in *in)
{
	switch (in->client->class) {
	case TRUST_REFUSED:
		return in->client->why != MST_OK ? in->client->why : MST_E_EST_CLIENT_CERT;
	case TRUST_ANONYMOUS: return judge_anonymous(in);
	case TRUST_IDEVID:
		return in->op == EST_REENROLL ? MST_E_EST_CLIENT_CERT : judge_bootstrap(in);
	case TRUST_LDEVID: return judge_ldevid(in);
	}
	return MST_E_EST_CLIENT_CERT;
}

mst_err
est_gate(const struct est_gate_in *in)
{
	mst_err e = judge_client(in);

	return e != MST_OK ? e : judge_label(in);
}
