/* SPDX-License-Identifier: Apache-2.0 */
/* voucher_status, enrollstatus (RFC 8995 5.7, 5.9.4) and the audit log (5.8.1). */
#ifndef HOST_TELEMETRY_H
#define HOST_TELEMETRY_H

#include "host/arena.h"
#include "muster/voucher.h"

struct telemetry {
	int64_t version; /* > 1: log and tell a human (TEL-3) */
	bool status;
	mst_span reason; /* text, may be absent */
	mst_span reason_context; /* the JSON of the object, or absent */
	unsigned unknown;
};
/* JSON object, or CBOR map when cbor. MST_E_TELEMETRY_PARSE. */
enum telemetry_form { TELEMETRY_JSON, TELEMETRY_CBOR };
MST_MUST_USE mst_err telemetry_parse(
    struct arena *a, enum telemetry_form form, mst_span body, struct telemetry *out);

struct audit_event {
	int64_t date;
	mst_span domain_id; /* decoded bytes */
	mst_span nonce; /* text; absent: nonceless */
	enum mst_assertion assertion;
	int64_t truncated; /* of this event */
};
struct audit_log {
	int64_t version;
	struct audit_event *events;
	size_t count;
	int64_t nonced_duplicates, nonceless_duplicates, arbitrary; /* truncation */
};
/* AUD-4: quoted integers accepted; at most 10,000 events. MST_E_AUDIT_PARSE. */
MST_MUST_USE mst_err audit_log_parse(struct arena *a, mst_span json, struct audit_log *out);
MST_MUST_USE mst_err audit_log_build(struct arena *a, const struct audit_log *log, mst_span *json);

#endif
