/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of reports (sheet 16) and its protection, on any bytes. */
#include <stdlib.h>

#include "crypto/fake/suit_fake.h"
#include "muster/suit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
within(mst_span part, const uint8_t *data, size_t size)
{
	if (part.ptr != NULL && part.len > 0 &&
	    (part.ptr < data || part.ptr + part.len > data + size))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mst_suit_key key = { .usage = MST_SUIT_USE_MAC_REPORT,
		.alg = MST_SUIT_HMAC256,
		.material = { (const uint8_t *)"a mac key of 32 bytes, of course", 32 } };
	static const struct mst_suit_keys keys = { &key, 1 };
	struct fake_suit fake = { .calls = 0 };
	struct mst_suit_crypto crypto = fake_suit_crypto(&fake);
	struct mst_suit_report r;
	struct mst_suit_report_record record;
	mst_span rest, payload;
	uint8_t authority;
	size_t n;

	(void)!mst_suit_report_open(&crypto, &keys, mst_span_of(data, size), &payload, &authority);
	if (fake.open != 0)
		abort();
	if (mst_suit_report_parse(mst_span_of(data, size), &r) != MST_OK)
		return 0;
	within(r.uri, data, size);
	within(r.digest.digest, data, size);
	within(r.nonce, data, size);
	within(r.records, data, size);
	within(r.failure, data, size);
	within(r.capability, data, size);
	if (r.digest.digest.len < 32 || (r.success && r.failure.ptr != NULL))
		abort();
	rest = r.records;
	for (n = 0; mst_suit_report_next(&rest, &record) == MST_OK; n++) {
		within(record.properties, data, size);
		within(record.component_id, data, size);
		if (record.kind == MST_SUIT_RECORD && record.depth > MST_SUIT_DEPTH_MAX)
			abort();
	}
	if (n > r.records_count)
		abort();
	return 0;
}
