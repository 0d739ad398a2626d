/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the voucher data model: media types, assertions, the empty claims. */
#include "muster/voucher.h"

static const struct {
	enum mst_media media;
	const char *type;
} media_types[] = {
	{ MST_MEDIA_CMS_JSON, "application/voucher-cms+json" },
	{ MST_MEDIA_JWS_JSON, "application/voucher-jws+json" },
	{ MST_MEDIA_COSE_CBOR, "application/voucher+cose" },
};

static const char *const assertion_names[] = {
	[MST_ASSERT_VERIFIED] = "verified",
	[MST_ASSERT_LOGGED] = "logged",
	[MST_ASSERT_PROXIMITY] = "proximity",
	[MST_ASSERT_AGENT_PROXIMITY] = "agent-proximity",
};

const char *
mst_media_type(enum mst_media m)
{
	for (size_t i = 0; i < sizeof(media_types) / sizeof(media_types[0]); i++)
		if (media_types[i].media == m)
			return media_types[i].type;
	return "";
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* "type/subtype" of a Content-Type, without parameters and the space around it. */
static mst_span
without_parameters(mst_span t)
{
	size_t end = 0;

	while (end < t.len && t.ptr[end] != ';')
		end++;
	t.len = end;
	while (t.len > 0 && is_space(t.ptr[0])) {
		t.ptr++;
		t.len--;
	}
	while (t.len > 0 && is_space(t.ptr[t.len - 1]))
		t.len--;
	return t;
}

static bool
same_ignoring_case(mst_span a, mst_span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.ptr[i]) != lower(b.ptr[i]))
			return false;
	return true;
}

enum mst_media
mst_media_find(mst_span content_type)
{
	mst_span type;

	if (content_type.ptr == NULL)
		return MST_MEDIA_NONE;
	type = without_parameters(content_type);
	for (size_t i = 0; i < sizeof(media_types) / sizeof(media_types[0]); i++)
		if (same_ignoring_case(type, mst_span_str(media_types[i].type)))
			return media_types[i].media;
	return MST_MEDIA_NONE;
}

void
mst_voucher_claims_init(struct mst_voucher_claims *c, enum mst_voucher_kind kind)
{
	*c = (struct mst_voucher_claims){
		.kind = kind,
		.assertion = MST_ASSERT_ABSENT,
		.created_on = MST_NO_TIME,
		.expires_on = MST_NO_TIME,
		.last_renewal = MST_NO_TIME,
		.revocation_checks = -1,
	};
}

const char *
mst_assertion_name(enum mst_assertion a)
{
	switch (a) {
	case MST_ASSERT_VERIFIED:
	case MST_ASSERT_LOGGED:
	case MST_ASSERT_PROXIMITY:
	case MST_ASSERT_AGENT_PROXIMITY: return assertion_names[a];
	case MST_ASSERT_ABSENT: break;
	}
	return "";
}

enum mst_assertion
mst_assertion_find(mst_span name)
{
	for (int a = MST_ASSERT_VERIFIED; a <= MST_ASSERT_AGENT_PROXIMITY; a++)
		if (mst_span_eq(name, mst_span_str(assertion_names[a])))
			return (enum mst_assertion)a;
	return MST_ASSERT_ABSENT;
}
