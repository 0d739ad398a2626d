/* SPDX-License-Identifier: Apache-2.0 */
/* M_FLOOD of RFC 8990 2.8.9, as RFC 8995 4.1.1 and 4.3 fill it. */
#include "muster/cbor.h"
#include "muster/grasp.h"

static uint64_t
number(struct mst_cbor_reader *r, uint64_t most)
{
	uint64_t n = mst_cbor_uint(r);

	if (n <= most)
		return n;
	mst_cbor_fail(r, MST_E_GRASP);
	return 0;
}

/* Enter an array of at least one item. */
static bool
enter(struct mst_cbor_reader *r)
{
	mst_cbor_array(r);
	if (r->err == MST_OK && mst_cbor_more(r))
		return true;
	mst_cbor_fail(r, MST_E_GRASP);
	return false;
}

/* The next of the array's items; refused when none is left. */
static bool
another(struct mst_cbor_reader *r)
{
	if (r->err == MST_OK && mst_cbor_more(r))
		return true;
	mst_cbor_fail(r, MST_E_GRASP);
	return false;
}

static void
drop_rest(struct mst_cbor_reader *r)
{
	while (mst_cbor_more(r))
		mst_cbor_skip(r);
}

/* [name, flags, loop-count, ?value]; the array is entered already. */
static void
read_objective(struct mst_cbor_reader *r, struct mst_grasp_objective *o)
{
	o->name = mst_cbor_text(r);
	if (another(r))
		o->flags = (uint8_t)number(r, UINT8_MAX);
	if (another(r))
		o->loop_count = (uint8_t)number(r, UINT8_MAX);
	if (r->err != MST_OK || !mst_cbor_more(r))
		return;
	if (mst_cbor_peek(r) == MST_CBOR_TEXT)
		o->value = mst_cbor_text(r);
	else
		mst_cbor_skip(r); /* RFC 8995 4.1.1: any */
	drop_rest(r);
}

/* [103, address, protocol, port / null], [], or one of another kind. */
static void
read_locator(struct mst_cbor_reader *r, struct mst_grasp_objective *o)
{
	mst_cbor_array(r);
	if (r->err != MST_OK || !mst_cbor_more(r))
		return;
	if (mst_cbor_uint(r) != MST_GRASP_O_IPV6_LOCATOR) {
		drop_rest(r);
		return;
	}
	if (another(r))
		o->address = mst_cbor_bytes(r);
	if (r->err == MST_OK && o->address.len != 16)
		mst_cbor_fail(r, MST_E_GRASP);
	if (another(r))
		o->protocol = (uint8_t)number(r, UINT8_MAX);
	if (another(r)) {
		if (mst_cbor_peek(r) == MST_CBOR_NULL)
			mst_cbor_null(r);
		else
			o->port = (uint16_t)number(r, UINT16_MAX);
	}
	drop_rest(r);
}

/* The rest of [objective, locator], whose objective is entered. */
static void
read_pair(struct mst_cbor_reader *r, struct mst_grasp_flood *f)
{
	struct mst_grasp_objective o = { .port = 0 };

	read_objective(r, &o);
	if (another(r))
		read_locator(r, &o);
	drop_rest(r);
	if (r->err == MST_OK && f->count < MST_GRASP_OBJECTIVES)
		f->objectives[f->count++] = o;
}

/* [objective, locator], or an array of such pairs, in which no further array of them may be. */
static void
read_pairs(struct mst_cbor_reader *r, struct mst_grasp_flood *f)
{
	if (!enter(r) || !enter(r))
		return;
	if (mst_cbor_peek(r) == MST_CBOR_TEXT) {
		read_pair(r, f);
		return;
	}
	do { /* within the first pair of the nested array */
		if (enter(r))
			read_pair(r, f);
		if (r->err == MST_OK && mst_cbor_more(r))
			mst_cbor_array(r);
		else
			return;
	} while (another(r));
}

mst_err
mst_grasp_parse(mst_span message, struct mst_grasp_flood *out)
{
	struct mst_grasp_flood f = { .count = 0 };
	struct mst_cbor_reader r;
	mst_err e;

	if (message.len > MST_GRASP_MESSAGE_MAX)
		return MST_E_GRASP;
	mst_cbor_init(&r, message);
	if (enter(&r) && number(&r, UINT8_MAX) != MST_GRASP_M_FLOOD)
		mst_cbor_fail(&r, MST_E_GRASP);
	if (another(&r))
		f.session = (uint32_t)number(&r, UINT32_MAX);
	if (another(&r))
		f.initiator = mst_cbor_bytes(&r);
	if (r.err == MST_OK && f.initiator.len != 4 && f.initiator.len != 16)
		mst_cbor_fail(&r, MST_E_GRASP);
	if (another(&r))
		f.ttl_ms = (uint32_t)number(&r, UINT32_MAX);
	if (another(&r)) {
		do {
			read_pairs(&r, &f);
		} while (r.err == MST_OK && mst_cbor_more(&r));
	}
	if ((e = mst_cbor_end(&r)) == MST_OK)
		*out = f;
	return e;
}

static void
write_pair(struct mst_cbor_writer *w, const struct mst_grasp_objective *o)
{
	bool has_value = o->value.ptr != NULL;

	mst_cbor_put_array(w, 2);
	mst_cbor_put_array(w, has_value ? 4 : 3);
	mst_cbor_put_text(w, o->name);
	mst_cbor_put_uint(w, o->flags);
	mst_cbor_put_uint(w, o->loop_count);
	if (has_value)
		mst_cbor_put_text(w, o->value);
	if (o->address.ptr == NULL) {
		mst_cbor_put_array(w, 0);
		return;
	}
	mst_cbor_put_array(w, 4);
	mst_cbor_put_uint(w, MST_GRASP_O_IPV6_LOCATOR);
	mst_cbor_put_bytes(w, o->address);
	mst_cbor_put_uint(w, o->protocol);
	mst_cbor_put_uint(w, o->port);
}

mst_err
mst_grasp_build(const struct mst_grasp_flood *f, struct mst_buf *out)
{
	struct mst_cbor_writer w;

	if (f->count == 0 || f->count > MST_GRASP_OBJECTIVES ||
	    (f->initiator.len != 4 && f->initiator.len != 16))
		return MST_E_GRASP;
	for (size_t i = 0; i < f->count; i++)
		if (f->objectives[i].name.len == 0 || f->objectives[i].loop_count == 0 ||
		    (f->objectives[i].address.ptr != NULL && f->objectives[i].address.len != 16))
			return MST_E_GRASP;
	mst_cbor_put_init(&w, out);
	mst_cbor_put_array(&w, 4 + (uint64_t)f->count);
	mst_cbor_put_uint(&w, MST_GRASP_M_FLOOD);
	mst_cbor_put_uint(&w, f->session);
	mst_cbor_put_bytes(&w, f->initiator);
	mst_cbor_put_uint(&w, f->ttl_ms);
	for (size_t i = 0; i < f->count; i++)
		write_pair(&w, &f->objectives[i]);
	return mst_cbor_put_end(&w);
}
