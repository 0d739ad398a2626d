/* SPDX-License-Identifier: Apache-2.0 */
/* Reports as a device makes them (sheet 16): records while it runs, and the report at the end. */
#include <string.h>

#include "core/suit/suit_impl.h"

#ifndef MUSTER_SUIT_BOOT

#define REPORT_NONCE 2
#define REPORT_RECORDS 3
#define REPORT_RESULT 4
#define RESULT_CODE 5
#define RESULT_RECORD 6
#define RESULT_REASON 7
#define REPORT_CAPABILITY 8
#define REPORT_REFERENCE 99
#define CLAIMS_COMPONENT 0

enum policy { RECORD_SUCCESS = 1, RECORD_FAILURE = 2, SYSINFO_SUCCESS = 4, SYSINFO_FAILURE = 8 };

/* What was read or made by this library before. */
static void
put_item(struct mst_cbor_writer *w, mst_span item)
{
	if (w->err == MST_OK)
		w->err = mst_buf_put(w->out, item);
}

/* [ manifest-id, section, offset, component-index, { properties } ] */
static void
put_record(struct mst_cbor_writer *w, const uint16_t *path, unsigned depth, int32_t section,
    uint32_t offset, uint16_t component)
{
	mst_cbor_put_array(w, 5);
	mst_cbor_put_array(w, depth);
	for (unsigned i = 0; i < depth; i++)
		mst_cbor_put_uint(w, path[i]);
	mst_cbor_put_int(w, section);
	mst_cbor_put_uint(w, offset);
	mst_cbor_put_uint(w, component == MST_SUIT_NO_INDEX ? 0 : component);
}

static bool
end_item(struct mst_suit_collector *c, const struct mst_cbor_writer *w, size_t before)
{
	if (mst_cbor_put_end(w) == MST_OK) {
		c->records++;
		return true;
	}
	c->store.len = before;
	c->lost++;
	return false;
}

static void
put_event(struct mst_suit_collector *c, const struct mst_suit_event *ev)
{
	size_t before = c->store.len;
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &c->store);
	put_record(&w, ev->path, ev->depth, ev->section, ev->offset, ev->component);
	mst_cbor_put_map(&w, ev->measured_count);
	put_item(&w, ev->measured);
	if (end_item(c, &w, before) && (ev->result != MST_OK || ev->how == MST_SUIT_PENDING))
		c->failure = mst_span_of(c->store.ptr + before, c->store.len - before);
}

/* { 0: component-id, + parameters }: only where something was measured. */
static void
put_claims(struct mst_suit_collector *c, const struct mst_suit_event *ev)
{
	size_t before = c->store.len;
	struct mst_cbor_writer w;
	mst_span id;

	if (c->component_id == NULL || ev->measured_count == 0)
		return;
	id = c->component_id(c->ctx, ev->handle);
	if (id.ptr == NULL)
		return;
	mst_cbor_put_init(&w, &c->store);
	mst_cbor_put_map(&w, ev->measured_count + 1U);
	mst_cbor_put_uint(&w, CLAIMS_COMPONENT);
	put_item(&w, id);
	put_item(&w, ev->measured);
	(void)end_item(c, &w, before);
}

void
mst_suit_collect(struct mst_suit_collector *c, const struct mst_suit_event *ev)
{
	bool failed = ev->result != MST_OK;
	mst_span inner = c->failure;

	c->pending = ev->how == MST_SUIT_PENDING;
	if (failed)
		c->failure = MST_NONE;
	/* sheet 14: that a check was made implicitly is noted */
	if (failed || c->pending || ev->how == MST_SUIT_IMPLIED ||
	    (ev->policy & RECORD_SUCCESS) != 0)
		put_event(c, ev);
	/* process-dependency passes on what failed within (TD 5.5.2): that one tells more */
	if (failed && ev->result == c->failed && ev->depth < c->depth)
		c->failure = inner;
	else if (failed) {
		c->failed = ev->result;
		c->depth = ev->depth;
	}
	if ((ev->policy & (failed ? SYSINFO_FAILURE : SYSINFO_SUCCESS)) != 0)
		put_claims(c, ev);
}

/* Ranges of refusals, in order; what is in none is operation-failed. */
static const struct {
	uint16_t from, to;
	uint8_t reason;
} reasons[] = {
	{ MST_E_COSE_ALGORITHM, MST_E_COSE_ALGORITHM, MST_SUIT_REASON_ALG_UNSUPPORTED },
	{ MST_E_COSE_SIGNATURE, MST_E_COSE_SIGNATURE, MST_SUIT_REASON_UNAUTHORISED },
	{ MST_E_COSE_KID, MST_E_COSE_KID, MST_SUIT_REASON_UNAUTHORISED },
	{ 1800, 1899, MST_SUIT_REASON_COSE_UNSUPPORTED },
	{ MST_E_SUIT_MANIFEST_DIGEST, MST_E_SUIT_SEVERED_DIGEST, MST_SUIT_REASON_UNAUTHORISED },
	{ MST_E_SUIT_SEVERED_MISSING, MST_E_SUIT_SEVERED_MISSING,
	    MST_SUIT_REASON_OPERATION_FAILED },
	{ 8000, 8113, MST_SUIT_REASON_CBOR_PARSE },
	{ MST_E_SUIT_COMPONENT_LIMIT, MST_E_SUIT_COMPONENT_TWICE,
	    MST_SUIT_REASON_COMPONENT_UNSUPPORTED },
	{ MST_E_SUIT_NOT_SEVERABLE, MST_E_SUIT_COMMANDS, MST_SUIT_REASON_CBOR_PARSE },
	{ MST_E_SUIT_COMMAND_UNKNOWN, MST_E_SUIT_COMMAND_UNSUPPORTED,
	    MST_SUIT_REASON_COMMAND_UNSUPPORTED },
	{ MST_E_SUIT_COMMAND_ARGUMENT, MST_E_SUIT_REPORTING_POLICY, MST_SUIT_REASON_CBOR_PARSE },
	{ MST_E_SUIT_PARAMETER_UNKNOWN, MST_E_SUIT_PARAMETER_UNSUPPORTED,
	    MST_SUIT_REASON_PARAMETER_UNSUPPORTED },
	{ MST_E_SUIT_PARAMETER_VALUE, MST_E_SUIT_PARAMETER_VALUE, MST_SUIT_REASON_CBOR_PARSE },
	{ MST_E_SUIT_PARAMETER_MISSING, MST_E_SUIT_PARAMETER_MISSING,
	    MST_SUIT_REASON_CONDITION_FAILED },
	{ MST_E_SUIT_ACL, MST_E_SUIT_ACL, MST_SUIT_REASON_COMPONENT_UNAUTHORISED },
	{ MST_E_SUIT_VENDOR, MST_E_SUIT_UNDETERMINED, MST_SUIT_REASON_CONDITION_FAILED },
	{ MST_E_SUIT_NO_TIME, MST_E_SUIT_NO_TIME, MST_SUIT_REASON_CONDITION_FAILED },
	{ MST_E_SUIT_ROLLBACK, MST_E_SUIT_SEQUENCE_REUSED, MST_SUIT_REASON_UNAUTHORISED },
	{ MST_E_SUIT_COSE, MST_E_SUIT_COSE_TAG, MST_SUIT_REASON_COSE_UNSUPPORTED },
	{ MST_E_SUIT_DIGEST_ALG, MST_E_SUIT_DIGEST_ALG, MST_SUIT_REASON_ALG_UNSUPPORTED },
	{ MST_E_SUIT_AUTH_NONE, MST_E_SUIT_MAC_LENGTH, MST_SUIT_REASON_UNAUTHORISED },
	{ MST_E_SUIT_ENCRYPT_ALG, MST_E_SUIT_ENCRYPT_ALG, MST_SUIT_REASON_ALG_UNSUPPORTED },
};

enum mst_suit_reason
mst_suit_reason_of(mst_err e)
{
	if (e == MST_OK)
		return MST_SUIT_REASON_OK;
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if ((unsigned)e >= reasons[i].from && (unsigned)e <= reasons[i].to)
			return (enum mst_suit_reason)reasons[i].reason;
	return e == MST_E_UNSUPPORTED ? MST_SUIT_REASON_ALG_UNSUPPORTED
	                              : MST_SUIT_REASON_OPERATION_FAILED;
}

/* true only if the whole procedure succeeded (sheet 16). */
static void
put_result(struct mst_cbor_writer *w, const struct mst_suit_report_content *content)
{
	const struct mst_suit_collector *c = content->collector;
	const struct mst_suit_refusal *r = content->refusal;
	bool pending = c != NULL && c->pending;

	if (content->result == MST_OK && !pending) {
		mst_cbor_put_bool(w, true);
		return;
	}
	mst_cbor_put_map(w, 3);
	mst_cbor_put_uint(w, RESULT_CODE);
	mst_cbor_put_uint(w, (uint64_t)content->result);
	mst_cbor_put_uint(w, RESULT_RECORD);
	if (c != NULL && c->failure.ptr != NULL && (r == NULL || r->command != 0 || pending))
		put_item(w, c->failure);
	else {
		if (r != NULL)
			put_record(w, r->path, r->depth, r->section, r->offset, r->component);
		else
			put_record(w, NULL, 0, 0, 0, 0);
		mst_cbor_put_map(w, 0);
	}
	mst_cbor_put_uint(w, RESULT_REASON);
	mst_cbor_put_uint(w, pending && content->result == MST_OK
	                         ? (unsigned)MST_SUIT_REASON_INVOKE_PENDING
	                         : (unsigned)mst_suit_reason_of(content->result));
}

static void
put_reference(struct mst_cbor_writer *w, const struct mst_suit_report_content *content)
{
	mst_span uri = suit_find(content->envelope->manifest, MST_SUIT_REFERENCE_URI);

	uri = uri.ptr != NULL && *uri.ptr >> 5 == MAJOR_TEXT ? suit_value_string(uri.ptr)
	                                                     : content->reference_uri;
	mst_cbor_put_uint(w, REPORT_REFERENCE);
	mst_cbor_put_array(w, 2);
	mst_cbor_put_text(w, uri.ptr == NULL ? MST_LIT("") : uri);
	put_item(w, content->envelope->digest);
}

mst_err
mst_suit_report_build(const struct mst_suit_report_content *content, struct mst_buf *out)
{
	const struct mst_suit_collector *c = content->collector;
	size_t before = out->len;
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, out);
	mst_cbor_put_map(&w, 3U + (content->nonce.ptr != NULL) + (content->capability.ptr != NULL));
	if (content->nonce.ptr != NULL) {
		mst_cbor_put_uint(&w, REPORT_NONCE);
		mst_cbor_put_bytes(&w, content->nonce);
	}
	mst_cbor_put_uint(&w, REPORT_RECORDS);
	mst_cbor_put_array(&w, c == NULL ? 0 : c->records);
	if (c != NULL)
		put_item(&w, mst_buf_span(&c->store));
	mst_cbor_put_uint(&w, REPORT_RESULT);
	put_result(&w, content);
	if (content->capability.ptr != NULL) {
		mst_cbor_put_uint(&w, REPORT_CAPABILITY);
		put_item(&w, content->capability);
	}
	put_reference(&w, content);
	if (mst_cbor_put_end(&w) != MST_OK)
		out->len = before;
	return mst_cbor_put_end(&w);
}

static void
put_commands(struct mst_cbor_writer *w, const struct mst_suit_platform *platform)
{
	const struct suit_command *c = NULL;
	unsigned n = 0;

	while ((c = suit_command_next(c)) != NULL)
		n += suit_command_supported(platform, c);
	mst_cbor_put_uint(w, 2);
	mst_cbor_put_array(w, n);
	while ((c = suit_command_next(c)) != NULL)
		if (suit_command_supported(platform, c))
			mst_cbor_put_uint(w, c->code);
}

static void
put_parameters(struct mst_cbor_writer *w)
{
	unsigned n = 0;

	while (suit_param_key(n) != 0)
		n++;
	mst_cbor_put_uint(w, 3);
	mst_cbor_put_array(w, n);
	for (unsigned i = 0; i < n; i++)
		mst_cbor_put_int(w, suit_param_key(i));
}

static void
put_keys(struct mst_cbor_writer *w, unsigned key, const uint8_t *keys, size_t count)
{
	mst_cbor_put_uint(w, key);
	mst_cbor_put_array(w, count);
	for (size_t i = 0; i < count; i++)
		mst_cbor_put_uint(w, keys[i]);
}

mst_err
mst_suit_capability_build(const struct mst_suit_platform *platform,
    const struct mst_suit_capability *capability, struct mst_buf *out)
{
	static const uint8_t envelope[] = { 2, 3, 14, 15, 16, 18, 20, 23 };
	static const uint8_t manifest[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16, 18, 20, 23, 24 };
	static const uint8_t common[] = { 1, 2, 4 };
	size_t before = out->len;
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, out);
	mst_cbor_put_map(&w, 7);
	mst_cbor_put_uint(&w, 1);
	mst_cbor_put_array(&w, capability->components_count);
	for (size_t i = 0; i < capability->components_count; i++)
		put_item(&w, capability->components[i]);
	put_commands(&w, platform);
	put_parameters(&w);
	mst_cbor_put_uint(&w, 4);
	mst_cbor_put_array(&w, capability->algorithms_count);
	for (size_t i = 0; i < capability->algorithms_count; i++)
		mst_cbor_put_int(&w, capability->algorithms[i]);
	put_keys(&w, 5, envelope, sizeof envelope);
	put_keys(&w, 6, manifest, sizeof manifest);
	put_keys(&w, 7, common, sizeof common);
	if (mst_cbor_put_end(&w) != MST_OK)
		out->len = before;
	return mst_cbor_put_end(&w);
}
#endif
