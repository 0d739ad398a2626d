/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA's audit log as a document: RFC 8995 5.8.1, brski.md AUD-4 and AUD-5. */
#include <stdlib.h>

#include "host/json.h"
#include "host/telemetry.h"
#include "muster/base64.h"

#define EVENTS_MAX 10000u
#define TEXT_MAX (4u << 20)
#define DOMAIN_ID_MAX 128u

static const char nonced[] = "nonced duplicates";
static const char nonceless[] = "nonceless duplicates";
static const char arbitrary[] = "arbitrary";

/* AUD-4: an integer, or one in quotes as RFC 8995's own example has it. Absent leaves *out alone.
 */
static mst_err
read_int(const json_t *object, const char *name, int64_t *out)
{
	const json_t *value = json_object_get(object, name);
	const char *text;
	char *end;

	if (value == NULL)
		return MST_OK;
	if (json_is_integer(value)) {
		*out = json_integer_value(value);
		return *out < 0 ? MST_E_AUDIT_PARSE : MST_OK;
	}
	text = json_string_value(value);
	if (text == NULL || text[0] < '0' || text[0] > '9' || json_string_length(value) > 18)
		return MST_E_AUDIT_PARSE;
	*out = strtoll(text, &end, 10);
	return *end == '\0' ? MST_OK : MST_E_AUDIT_PARSE;
}

static mst_err
read_domain_id(struct arena *a, mst_span text, mst_span *out)
{
	struct mst_buf buf;

	if (text.ptr == NULL || text.len > MST_BASE64_LEN(DOMAIN_ID_MAX))
		return MST_E_AUDIT_PARSE;
	buf = arena_buf(a, text.len / 4 * 3 + 3);
	if (buf.cap == 0)
		return MST_E_NOMEM;
	if (mst_base64_decode(text, MST_BASE64_URL, &buf) != MST_OK || buf.len == 0)
		return MST_E_AUDIT_PARSE;
	*out = mst_buf_span(&buf);
	return MST_OK;
}

static mst_err
read_event(struct arena *a, const json_t *value, struct audit_event *out)
{
	const json_t *nonce = json_object_get(value, "nonce");
	mst_span date = json_text(json_object_get(value, "date"));
	mst_span word = json_text(json_object_get(value, "assertion"));
	mst_err e;

	if (!json_is_object(value) || date.ptr == NULL ||
	    mst_time_parse(date, &out->date) != MST_OK)
		return MST_E_AUDIT_PARSE;
	e = read_domain_id(a, json_text(json_object_get(value, "domainID")), &out->domain_id);
	if (e != MST_OK)
		return e;
	/* AUD-5: null, or left out, is nonceless */
	out->nonce = MST_NONE;
	if (nonce != NULL && !json_is_null(nonce)) {
		if (!json_is_string(nonce) || json_string_length(nonce) > MST_NONCE_TEXT_MAX)
			return MST_E_AUDIT_PARSE;
		out->nonce = arena_dup(a, json_text(nonce));
		if (out->nonce.ptr == NULL)
			return MST_E_NOMEM;
	}
	out->assertion = word.ptr == NULL ? MST_ASSERT_ABSENT : mst_assertion_find(word);
	if (out->assertion == MST_ASSERT_ABSENT)
		return MST_E_AUDIT_PARSE;
	return read_int(value, "truncated", &out->truncated);
}

static mst_err
read_truncation(const json_t *top, struct audit_log *log)
{
	const json_t *t = json_object_get(top, "truncation");
	mst_err e;

	if (t == NULL)
		return MST_OK;
	if (!json_is_object(t))
		return MST_E_AUDIT_PARSE;
	if ((e = read_int(t, nonced, &log->nonced_duplicates)) != MST_OK ||
	    (e = read_int(t, nonceless, &log->nonceless_duplicates)) != MST_OK ||
	    (e = read_int(t, arbitrary, &log->arbitrary)) != MST_OK)
		return e;
	return MST_OK;
}

mst_err
audit_log_parse(struct arena *a, mst_span json, struct audit_log *out)
{
	const struct json_limits limits = { TEXT_MAX, 8, EVENTS_MAX };
	struct audit_log log = { .version = -1 };
	const json_t *events;
	json_t *top;
	mst_err e;

	e = json_open(a, json, limits, &top);
	if (e != MST_OK)
		return e == MST_E_NOMEM ? e : MST_E_AUDIT_PARSE;
	e = read_int(top, "version", &log.version);
	events = json_object_get(top, "events");
	if (e != MST_OK || log.version < 1 || !json_is_array(events))
		return MST_E_AUDIT_PARSE;
	log.count = json_array_size(events);
	log.events = arena_alloc(a, (log.count + 1) * sizeof(*log.events));
	if (log.events == NULL)
		return MST_E_NOMEM;
	for (size_t i = 0; i < log.count; i++) {
		e = read_event(a, json_array_get(events, i), &log.events[i]);
		if (e != MST_OK)
			return e;
	}
	e = read_truncation(top, &log);
	if (e == MST_OK)
		*out = log;
	return e;
}

static json_t *
event_value(struct arena *a, const struct audit_event *ev)
{
	uint8_t room[MST_TIME_LEN];
	struct mst_buf date = MST_BUF(room);
	struct mst_buf id = arena_buf(a, MST_BASE64_LEN(ev->domain_id.len) + 1);
	json_t *nonce, *value;

	if (id.cap == 0 || mst_base64_encode(ev->domain_id, &id) != MST_OK ||
	    mst_time_format(ev->date, &date) != MST_OK)
		return NULL;
	nonce = ev->nonce.ptr == NULL ? json_null()
	                              : json_stringn((const char *)ev->nonce.ptr, ev->nonce.len);
	if (nonce == NULL)
		return NULL;
	value = json_pack("{s:s%, s:s%, s:o, s:s}", "date", date.ptr, date.len, "domainID", id.ptr,
	    id.len, "nonce", nonce, "assertion", mst_assertion_name(ev->assertion));
	if (value != NULL && ev->truncated > 0 &&
	    json_object_set_new(value, "truncated", json_integer(ev->truncated)) != 0) {
		json_decref(value);
		value = NULL;
	}
	return value;
}

mst_err
audit_log_build(struct arena *a, const struct audit_log *log, mst_span *json)
{
	json_t *events = json_array(), *top;

	for (size_t i = 0; i < log->count; i++)
		if (json_array_append_new(events, event_value(a, &log->events[i])) != 0) {
			json_decref(events);
			return MST_E_AUDIT_PARSE;
		}
	top = json_pack("{s:I, s:o, s:{s:I, s:I, s:I}}", "version", (json_int_t)log->version,
	    "events", events, "truncation", nonced, (json_int_t)log->nonced_duplicates, nonceless,
	    (json_int_t)log->nonceless_duplicates, arbitrary, (json_int_t)log->arbitrary);
	return json_close(a, top, json);
}
