/* SPDX-License-Identifier: Apache-2.0 */
/* What /cacerts shows and what the site trusts: chain, root, and the bridges of a rollover. */
#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "host/clock.h"
#include "host/file.h"
#include "server/ca/ca_room.h"

#define ROLLOVER_FILE_MAX (64u << 10)

struct rollover {
	X509 *old_old, *old_new, *new_old; /* borrowed */
};

static mst_err
push(STACK_OF(X509) *to, X509 *x)
{
	for (int i = 0; i < sk_X509_num(to); i++)
		if (X509_cmp(sk_X509_value(to, i), x) == 0)
			return MST_OK;
	return X509_add_cert(to, x, X509_ADD_FLAG_UP_REF) == 1 ? MST_OK : MST_E_NOMEM;
}

/* est.md P3: the root and every intermediate MUST be shown, so the slot's file must have them. */
static mst_err
take_chain(struct authority *au, const STACK_OF(X509) *chain, X509 **root)
{
	X509 *last = au->cert;
	mst_err e = push(au->certs, au->cert);

	for (int i = 0; e == MST_OK && i < sk_X509_num(chain); i++)
		if ((e = push(au->certs, last = sk_X509_value(chain, i))) != MST_OK)
			return e;
	if (e == MST_OK && X509_self_signed(last, 1) != 1) {
		ca_say("ca '%s': the certificate file of slot %s does not end with the root",
		    au->config.label, au->config.slot);
		e = MST_E_X509_CHAIN;
	}
	if (e == MST_OK)
		*root = last;
	return e;
}

static mst_err
verify_chain(struct authority *au, X509 *root)
{
	STACK_OF(X509) *top = sk_X509_new_null();
	struct mst_clock now = clock_now();
	struct anchors *t = NULL;
	mst_err e = MST_E_NOMEM;

	if (top != NULL && push(top, root) == MST_OK &&
	    (e = anchors_from_stack(top, &t)) == MST_OK &&
	    (e = chain_verify(t, au->cert, au->certs, &now, 0, NULL)) != MST_OK)
		ca_say("ca '%s': its own chain does not verify: %s", au->config.label, cert_why());
	anchors_free(t);
	sk_X509_pop_free(top, X509_free);
	return e;
}

/* --- rollover (RFC 7030 4.1.3, RFC 4210 4.4) --- */

static bool
same_key(X509 *a, X509 *b)
{
	return EVP_PKEY_eq(X509_get0_pubkey(a), X509_get0_pubkey(b)) == 1;
}

/* x certifies who's key and name, signed by signer. */
static bool
certifies(X509 *x, X509 *who, X509 *signer)
{
	return same_key(x, who) &&
	       X509_NAME_cmp(X509_get_subject_name(x), X509_get_subject_name(who)) == 0 &&
	       X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(signer)) == 0 &&
	       X509_verify(x, X509_get0_pubkey(signer)) == 1 && X509_check_ca(x) == 1;
}

/* Tell the three apart by what they certify, whatever their order. */
static bool
sort_rollover(const STACK_OF(X509) *certs, X509 *root, struct rollover *r)
{
	*r = (struct rollover){ NULL, NULL, NULL };
	for (int i = 0; i < sk_X509_num(certs); i++) {
		X509 *x = sk_X509_value(certs, i);

		if (X509_self_signed(x, 1) == 1 && !same_key(x, root))
			r->old_old = x;
	}
	for (int i = 0; r->old_old != NULL && i < sk_X509_num(certs); i++) {
		X509 *x = sk_X509_value(certs, i);

		if (certifies(x, r->old_old, root))
			r->old_new = x;
		else if (certifies(x, root, r->old_old))
			r->new_old = x;
	}
	return r->old_old != NULL && r->old_new != NULL && r->new_old != NULL;
}

struct order {
	const char *label;
	const char *what;
};

static mst_err
order_job(struct db *db, void *arg)
{
	const struct order *o = arg;
	char text[256];
	struct trail t = { .at = clock_wall(), .role = "ca", .step = STEP_CACERTS };

	snprintf(text, sizeof text, "root rollover of ca '%s': %s is signed", o->label, o->what);
	t.detail = text;
	return trail_add(db, &t);
}

static mst_err
cross_sign(struct authority *au, const char *what, const char *slot, const char *other,
    struct arena *a, STACK_OF(X509) *to)
{
	struct order order = { au->config.label, what };
	uint8_t serial[16];
	struct keys_request rq = { .kind = KEYS_SIGN_ROLLOVER,
		.entry = (uint64_t)clock_wall(),
		.slot = slot,
		.other_slot = other,
		.serial = { serial, sizeof serial } };
	mst_span der;
	X509 *x;
	mst_err e;

	if ((e = ca_serial(serial)) != MST_OK ||
	    (e = store_write_wait(au->ca->store, order_job, &order)) != MST_OK ||
	    (e = keys_call_wait(au->ca->keys, &rq, a, &der)) != MST_OK ||
	    (e = cert_parse(der, &x)) != MST_OK)
		return e;
	e = push(to, x);
	X509_free(x);
	return e;
}

static mst_err
make_rollover(struct authority *au, struct arena *a, STACK_OF(X509) *to)
{
	const char *now = au->config.slot, *old = au->config.old_slot;
	const char *text = "";
	mst_span pem;
	X509 *x;
	mst_err e;

	if ((e = keys_cert(au->ca->keys, old, &x, NULL)) == MST_OK && (e = push(to, x)) == MST_OK &&
	    (e = cross_sign(au, "OldWithNew", now, old, a, to)) == MST_OK)
		e = cross_sign(au, "NewWithOld", old, now, a, to);
	if (e != MST_OK) {
		ca_say("ca '%s': rollover certificates of slots %s and %s: %s", au->config.label,
		    now, old, mst_err_info(e)->sentence);
		return e;
	}
	if (au->config.rollover_path == NULL)
		return MST_OK;
	for (int i = 0; i < sk_X509_num(to); i++) {
		if ((e = cert_pem(a, sk_X509_value(to, i), &pem)) != MST_OK)
			return e;
		if ((text = arena_printf(a, "%s%.*s", text, (int)pem.len, (const char *)pem.ptr)) ==
		    NULL)
			return MST_E_NOMEM;
	}
	if ((e = file_write_atomic(au->config.rollover_path, mst_span_str(text), 0644)) != MST_OK)
		ca_say("ca '%s': %s", au->config.label, file_why());
	return e;
}

static mst_err
read_rollover(struct authority *au, struct arena *a, STACK_OF(X509) **to)
{
	mst_span pem;
	mst_err e = MST_E_NOT_FOUND;

	if (au->config.rollover_path != NULL)
		e = file_read(a, au->config.rollover_path, ROLLOVER_FILE_MAX, &pem);
	if (e == MST_OK)
		return cert_list(pem, to);
	if (e != MST_E_NOT_FOUND) {
		ca_say("ca '%s': %s", au->config.label, file_why());
		return e;
	}
	if (au->config.old_slot == NULL) {
		ca_say("ca '%s': no rollover file and no slot of the old root", au->config.label);
		return MST_E_CONFIG_VALUE;
	}
	return (*to = sk_X509_new_null()) != NULL ? make_rollover(au, a, *to) : MST_E_NOMEM;
}

static mst_err
take_rollover(struct authority *au, X509 *root, STACK_OF(X509) *roots, STACK_OF(X509) *untrusted)
{
	struct arena *a = arena_new(0);
	STACK_OF(X509) *certs = NULL;
	struct rollover r;
	mst_err e = MST_E_NOMEM;

	if (a == NULL || (e = read_rollover(au, a, &certs)) != MST_OK)
		goto out;
	if (!sort_rollover(certs, root, &r)) {
		ca_say("ca '%s': %s is not OldWithOld, OldWithNew and NewWithOld of its root",
		    au->config.label,
		    au->config.rollover_path != NULL ? au->config.rollover_path : "the rollover");
		e = MST_E_X509_CHAIN;
		goto out;
	}
	if ((e = push(au->certs, r.old_old)) == MST_OK &&
	    (e = push(au->certs, r.old_new)) == MST_OK &&
	    (e = push(au->certs, r.new_old)) == MST_OK && (e = push(roots, r.old_old)) == MST_OK &&
	    (e = push(untrusted, r.old_new)) == MST_OK)
		e = push(untrusted, r.new_old);
out:
	sk_X509_pop_free(certs, X509_free);
	arena_free(a);
	return e;
}

static mst_err
read_time(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return MST_E_X509;
	*out = (int64_t)timegm(&tm);
	return MST_OK;
}

mst_err
ca_chain_load(struct authority *au, STACK_OF(X509) *roots, STACK_OF(X509) *untrusted)
{
	const STACK_OF(X509) *chain;
	X509 *root = NULL;
	mst_err e;

	if ((e = keys_cert(au->ca->keys, au->config.slot, &au->cert, &chain)) != MST_OK) {
		ca_say(
		    "ca '%s': the key process has no slot %s", au->config.label, au->config.slot);
		return e;
	}
	if ((au->certs = sk_X509_new_null()) == NULL)
		return MST_E_NOMEM;
	if ((e = read_time(X509_get0_notBefore(au->cert), &au->not_before)) != MST_OK ||
	    (e = read_time(X509_get0_notAfter(au->cert), &au->not_after)) != MST_OK ||
	    (e = take_chain(au, chain, &root)) != MST_OK ||
	    (e = verify_chain(au, root)) != MST_OK || (e = push(roots, root)) != MST_OK)
		return e;
	for (int i = 0; e == MST_OK && i < sk_X509_num(au->certs); i++)
		if (sk_X509_value(au->certs, i) != root &&
		    (e = push(untrusted, sk_X509_value(au->certs, i))) == MST_OK)
			e = push(roots, sk_X509_value(au->certs, i));
	if (e == MST_OK && (au->config.old_slot != NULL || au->config.rollover_path != NULL))
		e = take_rollover(au, root, roots, untrusted);
	if (e == MST_OK)
		e = certs_only_build(au->mem, au->certs, &au->cacerts);
	return e;
}
