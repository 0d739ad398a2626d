/* SPDX-License-Identifier: Apache-2.0 */
/* The domain's anchors after bootstrap and at renewal: RFC 7030 4.1.3, RFC 8995 5.9.1, EST-5. */
#include "crypto/openssl/impl.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

static int
contains(const STACK_OF(X509) *list, X509 *cert)
{
	for (int i = 0; i < sk_X509_num(list); i++)
		if (X509_cmp(sk_X509_value(list, i), cert) == 0)
			return 1;
	return 0;
}

static int
push_ref(STACK_OF(X509) *list, X509 *cert)
{
	if (X509_up_ref(cert) != 1)
		return 0;
	if (sk_X509_push(list, cert) > 0)
		return 1;
	X509_free(cert);
	return 0;
}

static int
chains(X509 *leaf, STACK_OF(X509) *anchors, const STACK_OF(X509) *between,
    const struct mst_clock *clock)
{
	struct anchors *t = NULL;
	int ok = anchors_from_stack(anchors, &t) == MST_OK &&
	         chain_verify(t, leaf, between, clock, 0, NULL) == MST_OK;

	anchors_free(t);
	return ok;
}

/* Does the pin's own chain end at cert? Then cert is the authority above what was pinned. */
static int
is_above(X509 *cert, const STACK_OF(X509) *pins, const STACK_OF(X509) *all,
    const struct mst_clock *clock)
{
	STACK_OF(X509) *one = sk_X509_new_null();
	int ok = 0;

	if (one != NULL && sk_X509_push(one, cert) > 0)
		for (int i = 0; ok == 0 && i < sk_X509_num(pins); i++)
			ok = chains(sk_X509_value(pins, i), one, all, clock);
	sk_X509_free(one);
	return ok;
}

static int
self_signed(X509 *cert)
{
	return X509_self_signed(cert, 1) == 1;
}

/* NewWithNew: the self-signed form of a key that NewWithOld has vouched for, under the same name.
 */
static int
is_root_of_accepted(X509 *cert, const STACK_OF(X509) *accepted)
{
	if (!self_signed(cert))
		return 0;
	for (int i = 0; i < sk_X509_num(accepted); i++) {
		X509 *other = sk_X509_value(accepted, i);

		if (X509_NAME_cmp(X509_get_subject_name(cert), X509_get_subject_name(other)) == 0 &&
		    EVP_PKEY_eq(X509_get0_pubkey(cert), X509_get0_pubkey(other)) == 1)
			return 1;
	}
	return 0;
}

static int
valid_now(X509 *cert, const struct mst_clock *clock)
{
	time_t now = (time_t)clock->now;

	return clock->trust != MST_CLOCK_TRUSTED ||
	       (X509_cmp_time(X509_get0_notBefore(cert), &now) < 0 &&
	           X509_cmp_time(X509_get0_notAfter(cert), &now) > 0);
}

struct judgement {
	const STACK_OF(X509) *all; /* what was sent */
	STACK_OF(X509) *pins; /* what the voucher pinned; empty in a renewal */
	STACK_OF(X509) *accepted; /* pins, held, and all that was accepted so far */
	STACK_OF(X509) *kept; /* of what was sent */
	const struct mst_clock *clock;
};

static int
acceptable(const struct judgement *j, X509 *cert)
{
	/* EST-5: only authorities are anchors, whoever signed them */
	if (X509_check_ca(cert) != 1 || cert_key_strength(X509_get0_pubkey(cert)) != MST_OK ||
	    !valid_now(cert, j->clock))
		return 0;
	if (contains(j->accepted, cert) || is_root_of_accepted(cert, j->accepted))
		return 1;
	return chains(cert, j->accepted, j->all, j->clock) ||
	       is_above(cert, j->pins, j->all, j->clock);
}

/* Until nothing more is accepted: a rollover may need two rounds. */
static mst_err
judge_all(struct judgement *j)
{
	int before;

	do {
		before = sk_X509_num(j->kept);
		for (int i = 0; i < sk_X509_num(j->all); i++) {
			X509 *cert = sk_X509_value(j->all, i);

			if (contains(j->kept, cert) || !acceptable(j, cert))
				continue;
			if (!push_ref(j->kept, cert) || !push_ref(j->accepted, cert))
				return MST_E_NOMEM;
		}
	} while (sk_X509_num(j->kept) != before);
	return before == 0 ? MST_E_PLEDGE_CA_CERTS : MST_OK;
}

/* P3: the newest root is the self-signed one with the latest notAfter; without one, the first. */
static int
newest(const STACK_OF(X509) *kept)
{
	int best = -1;

	for (int i = 0; i < sk_X509_num(kept); i++) {
		X509 *cert = sk_X509_value(kept, i);

		if (!self_signed(cert))
			continue;
		if (best < 0 || ASN1_TIME_compare(X509_get0_notAfter(cert),
		                    X509_get0_notAfter(sk_X509_value(kept, best))) > 0)
			best = i;
	}
	return best < 0 ? 0 : best;
}

static mst_err
put_all(const STACK_OF(X509) *kept, struct mst_buf *out)
{
	size_t before = out->len;
	int first = newest(kept);
	mst_err e = openssl_put_cert(sk_X509_value(kept, first), out);

	for (int i = 0; e == MST_OK && i < sk_X509_num(kept); i++)
		if (i != first)
			e = openssl_put_cert(sk_X509_value(kept, i), out);
	if (e != MST_OK)
		out->len = before;
	return e;
}

mst_err
openssl_cacerts_open(void *ctx, enum mst_form form, mst_span body, mst_span pinned_cert,
    mst_span held, const struct mst_clock *clock, struct mst_buf *out)
{
	STACK_OF(X509) *sent = NULL;
	struct judgement j = { .kept = sk_X509_new_null(), .clock = clock };
	mst_err e = MST_E_NOMEM;

	(void)ctx;
	if (j.kept == NULL)
		goto out;
	e = openssl_read_body(form, body, &sent);
	if (e == MST_OK)
		e = openssl_read_der_list(pinned_cert, &j.pins);
	if (e == MST_OK)
		e = openssl_read_der_list(held, &j.accepted);
	if (e != MST_OK && e != MST_E_NOMEM)
		e = MST_E_PLEDGE_CA_CERTS;
	j.all = sent;
	for (int i = 0; e == MST_OK && i < sk_X509_num(j.pins); i++)
		if (!push_ref(j.accepted, sk_X509_value(j.pins, i)))
			e = MST_E_NOMEM;
	if (e == MST_OK)
		e = judge_all(&j);
	if (e == MST_OK)
		e = put_all(j.kept, out);
out:
	sk_X509_pop_free(sent, X509_free);
	sk_X509_pop_free(j.pins, X509_free);
	sk_X509_pop_free(j.accepted, X509_free);
	sk_X509_pop_free(j.kept, X509_free);
	ERR_clear_error();
	return e;
}

mst_err
openssl_root_signed(void *ctx, mst_span ca, mst_span cert)
{
	X509 *root = NULL, *leaf = NULL;
	mst_err e = MST_E_PLEDGE_ENROLL;

	(void)ctx;
	if (ca.ptr != NULL && cert.ptr != NULL && cert_parse(ca, &root) == MST_OK &&
	    cert_parse(cert, &leaf) == MST_OK && X509_check_ca(root) == 1 && self_signed(root) &&
	    X509_check_issued(root, leaf) == X509_V_OK &&
	    X509_verify(leaf, X509_get0_pubkey(root)) == 1)
		e = MST_OK;
	X509_free(leaf);
	X509_free(root);
	ERR_clear_error();
	return e;
}
