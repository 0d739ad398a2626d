/* SPDX-License-Identifier: Apache-2.0 */
/* Customers with their anchors parsed: who is a certificate, a user name (RFC 8995 5.5.4)? */
#include <openssl/sha.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "server/masa/masa_judge.h"

struct anchor_of {
	uint8_t sum[SHA256_DIGEST_LENGTH]; /* of the DER */
	size_t party;
};

struct masa_customers {
	atomic_uint refs;
	struct arena *arena;
	struct masa_party *party;
	size_t count;
	struct anchors *all; /* every customer's, so that one path is built for all; NULL: none */
	struct anchor_of *of;
	size_t of_count;
};

static mst_err
copy_row(struct arena *a, const struct masa_customer *from, struct masa_customer *to)
{
	*to = *from;
	to->name = arena_str(a, mst_span_str(from->name != NULL ? from->name : ""));
	to->user = from->user != NULL ? arena_str(a, mst_span_str(from->user)) : NULL;
	to->password_hash =
	    from->password_hash != NULL ? arena_str(a, mst_span_str(from->password_hash)) : NULL;
	to->anchors_pem = from->anchors_pem.len != 0 ? arena_dup(a, from->anchors_pem) : MST_NONE;
	to->crl_pem = from->crl_pem.len != 0 ? arena_dup(a, from->crl_pem) : MST_NONE;
	if (to->name == NULL || (from->user != NULL && to->user == NULL) ||
	    (from->password_hash != NULL && to->password_hash == NULL) ||
	    to->anchors_pem.len != from->anchors_pem.len || to->crl_pem.len != from->crl_pem.len)
		return MST_E_NOMEM;
	return MST_OK;
}

/* The customer's own store: its anchors with its CRLs and the configured ones. */
static mst_err
load_anchors(struct masa_customers *c, struct masa_party *p, mst_span crl_pem)
{
	struct mst_buf crls = arena_buf(c->arena, crl_pem.len + p->row.crl_pem.len + 1);

	if (crls.cap == 0)
		return MST_E_NOMEM;
	if (mst_buf_put(&crls, crl_pem) != MST_OK || mst_buf_put(&crls, MST_LIT("\n")) != MST_OK ||
	    mst_buf_put(&crls, p->row.crl_pem) != MST_OK)
		return MST_E_INTERNAL;
	return anchors_new(
	    p->row.anchors_pem, crls.len > 1 ? mst_buf_span(&crls) : MST_NONE, &p->anchors);
}

static mst_err
index_anchors(struct masa_customers *c, STACK_OF(X509) *all)
{
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++)
		n += c->party[i].anchors != NULL
		         ? (size_t)sk_X509_num(anchors_certs(c->party[i].anchors))
		         : 0;
	if (n == 0)
		return MST_OK;
	if ((c->of = arena_alloc(c->arena, n * sizeof(*c->of))) == NULL)
		return MST_E_NOMEM;
	for (size_t i = 0; i < c->count; i++) {
		const STACK_OF(X509) *own =
		    c->party[i].anchors != NULL ? anchors_certs(c->party[i].anchors) : NULL;

		for (int j = 0; own != NULL && j < sk_X509_num(own); j++) {
			X509 *cert = sk_X509_value(own, j);
			struct anchor_of *of = &c->of[c->of_count];

			if (X509_digest(cert, EVP_sha256(), of->sum, NULL) != 1 ||
			    sk_X509_push(all, cert) <= 0)
				return MST_E_NOMEM;
			of->party = i;
			c->of_count++;
		}
	}
	return anchors_from_stack(all, &c->all);
}

mst_err
masa_customers_new(const struct masa_customer *rows, size_t count, mst_span crl_pem,
    struct masa_customers **out, size_t *broken)
{
	struct masa_customers *c = calloc(1, sizeof(*c));
	STACK_OF(X509) *all = sk_X509_new_null();
	mst_err e = MST_E_NOMEM;
	size_t bad = 0;

	if (c == NULL || all == NULL || (c->arena = arena_new(0)) == NULL)
		goto out;
	atomic_init(&c->refs, 1);
	c->party = arena_alloc(c->arena, (count + 1) * sizeof(*c->party));
	if (c->party == NULL)
		goto out;
	c->count = count;
	for (size_t i = 0; i < count; i++) {
		if ((e = copy_row(c->arena, &rows[i], &c->party[i].row)) != MST_OK)
			goto out;
		if (rows[i].anchors_pem.len == 0)
			continue;
		if ((e = load_anchors(c, &c->party[i], crl_pem)) == MST_E_NOMEM)
			goto out;
		bad += e != MST_OK;
	}
	e = index_anchors(c, all);
out:
	sk_X509_free(all);
	if (e == MST_OK) {
		*out = c;
		*broken = bad;
	} else if (c != NULL) {
		atomic_store(&c->refs, 1);
		masa_customers_unref(c);
	}
	return e;
}

struct masa_customers *
masa_customers_ref(struct masa_customers *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void
masa_customers_unref(struct masa_customers *c)
{
	if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	for (size_t i = 0; c->party != NULL && i < c->count; i++)
		anchors_free(c->party[i].anchors);
	anchors_free(c->all);
	arena_free(c->arena);
	free(c);
}

/* The one party that has this anchor; *shared when more than one has. */
static const struct masa_party *
owner_of(const struct masa_customers *c, X509 *cert, bool *shared)
{
	const struct masa_party *p = NULL;
	uint8_t sum[SHA256_DIGEST_LENGTH];

	*shared = false;
	if (X509_digest(cert, EVP_sha256(), sum, NULL) != 1)
		return NULL;
	for (size_t i = 0; i < c->of_count; i++) {
		if (memcmp(c->of[i].sum, sum, sizeof(sum)) != 0)
			continue;
		if (p != NULL && p != &c->party[c->of[i].party])
			*shared = true;
		p = &c->party[c->of[i].party];
	}
	return p;
}

const struct masa_party *
masa_customers_by_cert(const struct masa_customers *c, X509 *leaf, const STACK_OF(X509) *chain,
    const struct mst_clock *clock)
{
	const struct masa_party *p = NULL;
	STACK_OF(X509) *built = NULL;
	bool shared = false;
	int i;

	if (c == NULL || c->all == NULL || clock->trust != MST_CLOCK_TRUSTED ||
	    chain_verify(c->all, leaf, chain, clock, 0, &built) != MST_OK)
		return NULL;
	for (i = 0; i < sk_X509_num(built) && p == NULL; i++)
		p = owner_of(c, sk_X509_value(built, i), &shared);
	/* i is one past the anchor: at 1 the leaf itself is the anchor. */
	if (shared || (i > 1 && !cert_has_eku(leaf, CERT_OID_CMC_RA)))
		p = NULL;
	sk_X509_pop_free(built, X509_free);
	return p;
}

const struct masa_party *
masa_customers_by_user(const struct masa_customers *c, mst_span user)
{
	const struct masa_party *p = NULL;

	for (size_t i = 0; c != NULL && i < c->count; i++)
		if (c->party[i].row.user != NULL &&
		    mst_ct_eq(mst_span_str(c->party[i].row.user), user))
			p = &c->party[i];
	return p;
}

const struct masa_party *
masa_customers_by_id(const struct masa_customers *c, int64_t id)
{
	for (size_t i = 0; c != NULL && i < c->count; i++)
		if (c->party[i].row.id == id)
			return &c->party[i];
	return NULL;
}

bool
masa_party_has_anchor(const struct masa_customers *c, const struct masa_party *p, X509 *cert)
{
	uint8_t sum[SHA256_DIGEST_LENGTH];

	if (c == NULL || p == NULL || X509_digest(cert, EVP_sha256(), sum, NULL) != 1)
		return false;
	for (size_t i = 0; i < c->of_count; i++)
		if (&c->party[c->of[i].party] == p && memcmp(c->of[i].sum, sum, sizeof(sum)) == 0)
			return true;
	return false;
}
