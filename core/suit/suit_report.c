/* SPDX-License-Identifier: Apache-2.0 */
/* Reports as a server reads them (sheet 16): any order of keys, none twice. */
#include <string.h>

#include "core/suit/suit_impl.h"

#ifndef MUSTER_SUIT_BOOT

const char *
mst_suit_reason_name(uint64_t reason)
{
	static const char *const names[] = { "ok", "cbor-parse", "cose-unsupported",
		"alg-unsupported", "unauthorised", "command-unsupported", "component-unsupported",
		"component-unauthorised", "parameter-unsupported", "severing-unsupported",
		"condition-failed", "operation-failed", "invoke-pending" };

	return reason < sizeof names / sizeof names[0] ? names[reason] : NULL;
}

/* [ uri, SUIT_Digest ] */
static mst_err
read_reference(struct mst_cbor_reader *r, struct mst_suit_report *out)
{
	mst_cbor_array(r);
	out->uri = mst_cbor_text(r);
	out->digest_encoded = mst_cbor_raw(r);
	mst_cbor_leave(r);
	if (r->err != MST_OK)
		return MST_E_SUIT_REPORT;
	return mst_suit_digest_parse(out->digest_encoded, &out->digest);
}

static mst_err
check_record(mst_span item)
{
	struct mst_suit_report_record record;
	mst_span rest = item;

	return mst_suit_report_next(&rest, &record);
}

/* true / { 5: code, 6: record, 7: reason }, all three */
static mst_err
read_result(struct mst_cbor_reader *r, struct mst_suit_report *out)
{
	unsigned seen = 0;
	int64_t key;

	if (mst_cbor_peek(r) == MST_CBOR_BOOL) {
		out->success = mst_cbor_bool(r);
		return r->err == MST_OK && out->success ? MST_OK : MST_E_SUIT_REPORT_RESULT;
	}
	for (mst_cbor_map(r); mst_cbor_key(r, &key); seen++) {
		if (key == 5)
			out->code = mst_cbor_int(r);
		else if (key == 6)
			out->failure = mst_cbor_raw(r);
		else if (key == 7)
			out->reason = mst_cbor_uint(r);
		else
			return MST_E_SUIT_REPORT_RESULT;
	}
	if (r->err != MST_OK || seen != 3 || mst_suit_reason_name(out->reason) == NULL)
		return MST_E_SUIT_REPORT_RESULT;
	return check_record(out->failure) == MST_OK ? MST_OK : MST_E_SUIT_REPORT_RECORD;
}

static mst_err
read_records(struct mst_cbor_reader *r, struct mst_suit_report *out)
{
	const uint8_t *from = NULL;
	mst_span item = MST_NONE;

	mst_cbor_array(r);
	while (mst_cbor_more(r)) {
		item = mst_cbor_raw(r);
		if (item.ptr == NULL || check_record(item) != MST_OK)
			return MST_E_SUIT_REPORT_RECORD;
		if (from == NULL)
			from = item.ptr;
		out->records_count++;
	}
	if (from != NULL)
		out->records = mst_span_of(from, (size_t)(item.ptr + item.len - from));
	return r->err == MST_OK ? MST_OK : MST_E_SUIT_REPORT;
}

/* Its keys are 1 to 10, or paths; the values arrays (report 6). */
static mst_err
check_capability(mst_span item)
{
	struct mst_cbor_reader r;
	unsigned must = 0;

	mst_cbor_init(&r, item);
	mst_cbor_map(&r);
	while (mst_cbor_more(&r)) {
		if (mst_cbor_peek(&r) == MST_CBOR_ARRAY)
			mst_cbor_skip(&r);
		else {
			uint64_t key = mst_cbor_uint(&r);
			if (key >= 1 && key <= 4)
				must |= 1U << key;
		}
		if (mst_cbor_peek(&r) != MST_CBOR_ARRAY)
			return MST_E_SUIT_REPORT_CAPABILITY;
		mst_cbor_skip(&r);
	}
	return mst_cbor_end(&r) == MST_OK && must == 0x1e ? MST_OK : MST_E_SUIT_REPORT_CAPABILITY;
}

static mst_err
read_element(struct mst_cbor_reader *r, int64_t key, struct mst_suit_report *out)
{
	mst_err e = MST_OK;

	switch (key) {
	case 2: out->nonce = mst_cbor_bytes(r); break;
	case 3: e = read_records(r, out); break;
	case 4: e = read_result(r, out); break;
	case 8:
		out->capability = mst_cbor_raw(r);
		e = r->err == MST_OK ? check_capability(out->capability) : MST_OK;
		break;
	case 99: e = read_reference(r, out); break;
	default: return MST_E_SUIT_REPORT_KEY;
	}
	return e == MST_OK && r->err != MST_OK ? MST_E_SUIT_REPORT : e;
}

mst_err
mst_suit_report_parse(mst_span bytes, struct mst_suit_report *out)
{
	struct mst_suit_report v;
	struct mst_cbor_reader r;
	unsigned seen = 0;
	int64_t key;
	mst_err e;

	memset(&v, 0, sizeof v);
	if (mst_cbor_validate_unique(bytes) != MST_OK)
		return MST_E_SUIT_REPORT;
	mst_cbor_init(&r, bytes);
	r.indefinite_is = MST_E_SUIT_REPORT;
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &key)) {
		if ((e = read_element(&r, key, &v)) != MST_OK)
			return e;
		seen |= key == 99 ? 1U : key == 3 ? 2U : key == 4 ? 4U : 0;
	}
	if (mst_cbor_end(&r) != MST_OK || seen != 7)
		return MST_E_SUIT_REPORT;
	*out = v;
	return MST_OK;
}

/* { ? 0: component-id, + parameter => value } */
static void
read_properties(struct mst_cbor_reader *r, struct mst_suit_report_record *out)
{
	size_t from;
	int64_t key;

	mst_cbor_map(r);
	from = r->at;
	while (mst_cbor_key(r, &key)) {
		if (key == 0 && out->kind == MST_SUIT_CLAIMS) {
			if (out->properties_count != 0) /* the rest would be in two pieces */
				mst_cbor_fail(r, MST_E_SUIT_REPORT_RECORD);
			out->component_id = mst_cbor_raw(r);
			from = r->at;
			continue;
		}
		mst_cbor_skip(r);
		out->properties_count++;
	}
	out->properties = mst_span_of(r->in.ptr + from, r->at - from);
}

static void
read_path(struct mst_cbor_reader *r, struct mst_suit_report_record *out)
{
	uint64_t index;

	mst_cbor_array(r);
	while (mst_cbor_more(r)) {
		index = mst_cbor_uint(r);
		if (out->depth == MST_SUIT_DEPTH_MAX || index >= MST_SUIT_NO_INDEX)
			mst_cbor_fail(r, MST_E_SUIT_REPORT_RECORD);
		else
			out->path[out->depth++] = (uint16_t)index;
	}
}

mst_err
mst_suit_report_next(mst_span *rest, struct mst_suit_report_record *out)
{
	struct mst_cbor_reader r;
	struct mst_suit_report_record v;

	if (rest->len == 0)
		return MST_E_SUIT_REPORT_RECORD;
	memset(&v, 0, sizeof v);
	mst_cbor_init(&r, *rest);
	r.indefinite_is = MST_E_SUIT_REPORT_RECORD;
	v.kind = mst_cbor_peek(&r) == MST_CBOR_MAP ? MST_SUIT_CLAIMS : MST_SUIT_RECORD;
	if (v.kind == MST_SUIT_CLAIMS) {
		read_properties(&r, &v);
		if (v.component_id.ptr == NULL || v.properties_count == 0)
			return MST_E_SUIT_REPORT_RECORD;
	} else {
		mst_cbor_array(&r);
		read_path(&r, &v);
		v.section = mst_cbor_int(&r);
		v.offset = mst_cbor_uint(&r);
		v.component = mst_cbor_uint(&r);
		read_properties(&r, &v);
		mst_cbor_leave(&r);
	}
	if (r.err != MST_OK)
		return MST_E_SUIT_REPORT_RECORD;
	*rest = mst_span_of(rest->ptr + r.at, rest->len - r.at);
	*out = v;
	return MST_OK;
}
#endif
