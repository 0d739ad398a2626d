/* SPDX-License-Identifier: Apache-2.0 */
/* The gate: from a device that may enrol, each field alone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "server/est/judge.h"

struct world {
	struct est_gate_in in;
	struct trust_verdict client;
	struct device device;
	struct est_profile profile;
};

struct row {
	const char *name;
	void (*bend)(struct world *w);
	mst_err want;
};

/* An IDevID whose voucher was delivered, accepted and found good in the audit log. */
static void
good(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->client.class = TRUST_IDEVID;
	w->client.spki_sha256 = MST_LIT("0123456789abcdef0123456789abcdef");
	w->device = (struct device){ .id = 7,
		.state = DEVICE_VOUCHER,
		.idevid_spki_sha256 = MST_LIT("0123456789abcdef0123456789abcdef"),
		.voucher_at = 1700000000,
		.voucher_status = 1,
		.enroll_status = -1,
		.audit_verdict = 1 };
	w->in = (struct est_gate_in){
		.op = EST_ENROLL,
		.client = &w->client,
		.basic = EST_BASIC_OFF,
		.device = &w->device,
		.profile = &w->profile,
		.manufacturer = "acme",
	};
	w->profile = (struct est_profile){ .label = "", .profile = "device" };
}

static void
ldevid(struct world *w)
{
	w->client.class = TRUST_LDEVID;
	w->client.row.device = 7;
	w->device.state = DEVICE_ACTIVE;
	w->in.op = EST_REENROLL;
}

static void
anonymous(struct world *w)
{
	w->client.class = TRUST_ANONYMOUS;
	w->in.device = NULL;
	w->in.manufacturer = NULL;
	w->in.user = "alice";
}

static const char *const acme[] = { "zeta", "acme" }, *const others[] = { "acm", "acme2", "Acme" },
                         *const alice[] = { "alice" }, *const any[] = { "*" };

static void
lab(struct world *w)
{
	w->profile.label = "lab";
}

#define BEND(name, ...)                                                                            \
	static void name(struct world *w)                                                          \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}

BEND(nothing, (void)w)
BEND(enrolled, w->device.state = DEVICE_ENROLLED)
BEND(active, w->device.state = DEVICE_ACTIVE)
BEND(stale, w->device.state = DEVICE_STALE)
BEND(seen_again, w->device.state = DEVICE_SEEN)
BEND(pending, w->device.state = DEVICE_PENDING)
BEND(quarantined, w->device.state = DEVICE_QUARANTINED)
BEND(revoked, w->device.state = DEVICE_REVOKED)
BEND(retired, w->device.state = DEVICE_RETIRED)
BEND(rejected, w->device.decision = -1)
BEND(unknown, w->in.device = NULL)
BEND(no_voucher, w->device.voucher_at = 0)
BEND(other_idevid, w->client.spki_sha256 = MST_LIT("X123456789abcdef0123456789abcdef"))
BEND(idevid_not_bound, w->device.idevid_spki_sha256 = MST_NONE)
BEND(status_absent, w->device.voucher_status = -1)
BEND(status_absent_optional, w->device.voucher_status = -1; w->in.status_optional = true)
BEND(status_false, w->device.voucher_status = 0)
BEND(status_false_optional, w->device.voucher_status = 0; w->in.status_optional = true)
BEND(audit_pending, w->device.audit_verdict = -1)
BEND(audit_bad, w->device.audit_verdict = 0)
BEND(audit_warnings, w->device.audit_verdict = 2)
BEND(audit_bad_override, w->device.audit_verdict = 0; w->device.audit_override = 1)
BEND(audit_pending_override, w->device.audit_verdict = -1; w->device.audit_override = 1)
BEND(quarantined_override, w->device.audit_override = 1; w->device.state = DEVICE_QUARANTINED)
BEND(keygen, w->in.op = EST_KEYGEN)
BEND(keygen_audit_bad, w->in.op = EST_KEYGEN; w->device.audit_verdict = 0)
BEND(idevid_renews, w->in.op = EST_REENROLL)
BEND(refused_untrusted, w->client.class = TRUST_REFUSED;
     w->client.why = MST_E_TLS_UNTRUSTED_MANUFACTURER)
BEND(refused_revoked, w->client.class = TRUST_REFUSED; w->client.why = MST_E_TLS_LDEVID_REVOKED)
BEND(refused_expired, w->client.class = TRUST_REFUSED; w->client.why = MST_E_TLS_LDEVID_EXPIRED)
BEND(refused_without_reason, w->client.class = TRUST_REFUSED)
BEND(refused_with_basic, w->client.class = TRUST_REFUSED; w->client.why = MST_E_TLS_IDEVID_EXPIRED;
     w->in.basic = EST_BASIC_PROVED)
BEND(ldevid_renews, ldevid(w))
BEND(ldevid_renews_enrolled, ldevid(w); w->device.state = DEVICE_ENROLLED)
BEND(ldevid_renews_rebootstrap, ldevid(w); w->device.state = DEVICE_PENDING)
BEND(ldevid_quarantined, ldevid(w); w->device.state = DEVICE_QUARANTINED)
BEND(ldevid_revoked, ldevid(w); w->device.state = DEVICE_REVOKED)
BEND(ldevid_retired, ldevid(w); w->device.state = DEVICE_RETIRED)
BEND(ldevid_rejected, ldevid(w); w->device.decision = -1)
BEND(ldevid_device_gone, ldevid(w); w->in.device = NULL)
BEND(ldevid_enrols, ldevid(w); w->in.op = EST_ENROLL)
BEND(ldevid_keygen, ldevid(w); w->in.op = EST_KEYGEN)
BEND(plain_renews, ldevid(w); w->client.row.device = 0; w->in.device = NULL)
BEND(plain_enrols, plain_renews(w); w->in.op = EST_ENROLL)
BEND(label_unsaid, lab(w))
BEND(label_named, lab(w); w->profile.manufacturers = (struct est_names){ acme, 2 })
BEND(label_others, lab(w); w->profile.manufacturers = (struct est_names){ others, 3 })
BEND(label_any, lab(w); w->profile.manufacturers = (struct est_names){ any, 1 })
BEND(label_users_alone, lab(w); w->profile.users = (struct est_names){ any, 1 })
BEND(label_renewal, ldevid(w); label_others(w))
BEND(label_renewal_named, ldevid(w); label_named(w))
BEND(label_keygen, w->in.op = EST_KEYGEN; lab(w))
BEND(label_unknown_maker, label_named(w); w->in.manufacturer = NULL)
BEND(label_quarantined, label_others(w); w->device.state = DEVICE_QUARANTINED)
BEND(default_others, w->profile.manufacturers = (struct est_names){ others, 3 })
BEND(default_named, w->profile.manufacturers = (struct est_names){ acme, 2 })
BEND(label_plain, anonymous(w); w->in.basic = EST_BASIC_PROVED; lab(w))
BEND(label_plain_named, label_plain(w); w->profile.users = (struct est_names){ alice, 1 })
BEND(label_plain_other, label_plain_named(w); w->in.user = "alicia")
BEND(label_plain_maker, label_plain(w); w->in.user = "acme";
     w->profile.manufacturers = (struct est_names){ acme, 2 })
BEND(label_plain_renews, ldevid(w); w->client.row.device = 0; w->in.device = NULL;
     w->in.manufacturer = NULL; w->in.user = "alice"; lab(w))
BEND(label_plain_renews_named, label_plain_renews(w);
     w->profile.users = (struct est_names){ alice, 1 })
BEND(barred_plain, anonymous(w); w->in.basic = EST_BASIC_PROVED; w->in.barred = true)
BEND(barred_plain_keygen, barred_plain(w); w->in.op = EST_KEYGEN)
BEND(barred_plain_renews, plain_renews(w); w->in.barred = true)
BEND(barred_plain_enrols, plain_enrols(w); w->in.barred = true)
BEND(barred_absent, anonymous(w); w->in.basic = EST_BASIC_ABSENT; w->in.barred = true)
BEND(gone_plain_renews, plain_renews(w); w->in.user_gone = true)
BEND(gone_plain_enrols, plain_enrols(w); w->in.user_gone = true)
BEND(gone_and_barred, gone_plain_renews(w); w->in.barred = true)
BEND(gone_device, ldevid(w); w->in.user_gone = true)
BEND(anonymous_off, anonymous(w))
BEND(anonymous_absent, anonymous(w); w->in.basic = EST_BASIC_ABSENT)
BEND(anonymous_proved, anonymous(w); w->in.basic = EST_BASIC_PROVED)
BEND(anonymous_keygen, anonymous(w); w->in.basic = EST_BASIC_PROVED; w->in.op = EST_KEYGEN)
BEND(anonymous_renews, anonymous(w); w->in.basic = EST_BASIC_PROVED; w->in.op = EST_REENROLL)

#define ROW(bend, clause, want)                                                                    \
	{                                                                                          \
		clause " " #bend, bend, want                                                       \
	}
static const struct row rows[] = {
	ROW(nothing, "EST-3", MST_OK),
	ROW(enrolled, "EST-3", MST_OK),
	ROW(active, "EST-3", MST_OK),
	ROW(stale, "EST-3", MST_OK),
	ROW(seen_again, "EST-3", MST_OK),
	ROW(pending, "EST-3", MST_E_AUTHZ_PENDING),
	ROW(quarantined, "RFC 8995 5.8.3", MST_E_AUTHZ_QUARANTINED),
	ROW(revoked, "A4", MST_E_AUTHZ_QUARANTINED),
	ROW(retired, "A4", MST_E_AUTHZ_QUARANTINED),
	ROW(rejected, "A4", MST_E_AUTHZ_QUARANTINED),
	ROW(unknown, "J1", MST_E_EST_GATE_VOUCHER),
	ROW(no_voucher, "J1", MST_E_EST_GATE_VOUCHER),
	ROW(other_idevid, "A6", MST_E_EST_GATE_VOUCHER),
	ROW(idevid_not_bound, "A6", MST_E_EST_GATE_VOUCHER),
	ROW(status_absent, "EST-3", MST_E_EST_GATE_STATUS),
	ROW(status_absent_optional, "EST-3", MST_OK),
	ROW(status_false, "EST-3", MST_E_EST_GATE_STATUS),
	ROW(status_false_optional, "EST-3", MST_E_EST_GATE_STATUS),
	ROW(audit_pending, "RFC 8995 5.8.3", MST_E_EST_GATE_AUDIT_PENDING),
	ROW(audit_bad, "RFC 8995 5.8.3", MST_E_EST_GATE_AUDIT),
	ROW(audit_warnings, "RFC 8995 5.8.3", MST_OK),
	ROW(audit_bad_override, "EST-3", MST_OK),
	ROW(audit_pending_override, "EST-3", MST_OK),
	ROW(quarantined_override, "EST-3", MST_E_AUTHZ_QUARANTINED),
	ROW(keygen, "EST-3", MST_OK),
	ROW(keygen_audit_bad, "EST-3", MST_E_EST_GATE_AUDIT),
	ROW(idevid_renews, "R4", MST_E_EST_CLIENT_CERT),
	ROW(refused_untrusted, "A4", MST_E_TLS_UNTRUSTED_MANUFACTURER),
	ROW(refused_revoked, "A4", MST_E_TLS_LDEVID_REVOKED),
	ROW(refused_expired, "A4", MST_E_TLS_LDEVID_EXPIRED),
	ROW(refused_without_reason, "A4", MST_E_EST_CLIENT_CERT),
	ROW(refused_with_basic, "A2", MST_E_TLS_IDEVID_EXPIRED),
	ROW(ldevid_renews, "R4", MST_OK),
	ROW(ldevid_renews_enrolled, "R4", MST_OK),
	ROW(ldevid_renews_rebootstrap, "R4", MST_OK),
	ROW(ldevid_quarantined, "A4", MST_E_AUTHZ_QUARANTINED),
	ROW(ldevid_revoked, "A4", MST_E_AUTHZ_QUARANTINED),
	ROW(ldevid_retired, "A4", MST_E_AUTHZ_QUARANTINED),
	ROW(ldevid_rejected, "A4", MST_E_AUTHZ_QUARANTINED),
	ROW(ldevid_device_gone, "A4", MST_E_AUTHZ_QUARANTINED),
	ROW(ldevid_enrols, "J2", MST_E_EST_CLIENT_CERT),
	ROW(ldevid_keygen, "J2", MST_E_EST_CLIENT_CERT),
	ROW(plain_renews, "R4", MST_OK),
	ROW(plain_enrols, "RFC 7030 4.2", MST_OK),
	ROW(label_unsaid, "U2", MST_E_EST_LABEL_DENIED),
	ROW(label_named, "U2", MST_OK),
	ROW(label_others, "U2", MST_E_EST_LABEL_DENIED),
	ROW(label_any, "U2", MST_OK),
	ROW(label_users_alone, "U2", MST_E_EST_LABEL_DENIED),
	ROW(label_renewal, "U2", MST_E_EST_LABEL_DENIED),
	ROW(label_renewal_named, "U2", MST_OK),
	ROW(label_keygen, "U2", MST_E_EST_LABEL_DENIED),
	ROW(label_unknown_maker, "U2", MST_E_EST_LABEL_DENIED),
	ROW(label_quarantined, "U2", MST_E_AUTHZ_QUARANTINED),
	ROW(default_others, "U2", MST_E_EST_LABEL_DENIED),
	ROW(default_named, "U2", MST_OK),
	ROW(label_plain, "U2", MST_E_EST_LABEL_DENIED),
	ROW(label_plain_named, "U2", MST_OK),
	ROW(label_plain_other, "U2", MST_E_EST_LABEL_DENIED),
	ROW(label_plain_maker, "U2", MST_E_EST_LABEL_DENIED),
	ROW(label_plain_renews, "U2", MST_E_EST_LABEL_DENIED),
	ROW(label_plain_renews_named, "U2", MST_OK),
	ROW(barred_plain, "A4", MST_E_EST_BARRED),
	ROW(barred_plain_keygen, "A4", MST_E_EST_BARRED),
	ROW(barred_plain_renews, "A4", MST_E_EST_BARRED),
	ROW(barred_plain_enrols, "A4", MST_E_EST_BARRED),
	ROW(barred_absent, "A2", MST_E_HTTP_AUTH),
	ROW(gone_plain_renews, "A4", MST_E_EST_USER_GONE),
	ROW(gone_plain_enrols, "A4", MST_E_EST_USER_GONE),
	ROW(gone_and_barred, "A4", MST_E_EST_BARRED),
	ROW(gone_device, "A4", MST_OK),
	ROW(anonymous_off, "EST-8", MST_E_TLS_NO_CLIENT_CERT),
	ROW(anonymous_absent, "A2", MST_E_HTTP_AUTH),
	ROW(anonymous_proved, "A2", MST_OK),
	ROW(anonymous_keygen, "A2", MST_OK),
	ROW(anonymous_renews, "A3", MST_E_EST_CLIENT_CERT),
};
#define COUNT (sizeof rows / sizeof rows[0])

static void
run(void **state)
{
	const struct row *r = *state;
	struct world w;
	mst_err e;

	good(&w);
	assert_int_equal(est_gate(&w.in), MST_OK);
	r->bend(&w);
	e = est_gate(&w.in);
	if (e != r->want)
		fail_msg("%s, not %s", mst_err_info(e)->name, mst_err_info(r->want)->name);
}

int
main(void)
{
	struct CMUnitTest tests[COUNT];

	for (size_t i = 0; i < COUNT; i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, run, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	return _cmocka_run_group_tests("est gate", tests, COUNT, NULL, NULL);
}
