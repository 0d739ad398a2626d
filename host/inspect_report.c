/* SPDX-License-Identifier: Apache-2.0 */
/* How a report is written: fields, checks, and texts for people. */
#include "host/inspect_impl.h"

#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/evp.h>

#include "muster/base64.h"

mst_err
report_begin(struct report *r, struct arena *a, const struct inspect_options *o, unsigned depth)
{
	*r = (struct report){ .a = a, .o = o, .depth = depth };
	r->top = json_object();
	r->fields = json_array();
	r->checks = json_array();
	if (r->top != NULL && r->fields != NULL && r->checks != NULL)
		return MST_OK;
	report_drop(r);
	return MST_E_NOMEM;
}

void
report_drop(struct report *r)
{
	json_decref(r->top);
	json_decref(r->fields);
	json_decref(r->checks);
	r->top = r->fields = r->checks = NULL;
}

void
report_kind(struct report *r, const char *kind, const char *format, const char *encoding)
{
	json_object_set_new(r->top, "kind", json_string(kind));
	json_object_set_new(r->top, "format", json_string(format));
	json_object_set_new(r->top, "encoding", json_string(encoding));
}

json_t *
report_end(struct report *r)
{
	json_t *top = r->top;

	json_object_set_new(top, "fields", r->fields);
	json_object_set_new(top, "checks", r->checks);
	if (r->o->anchors != NULL)
		json_object_set_new(top, "verified", json_boolean(r->judged && !r->failed));
	r->top = r->fields = r->checks = NULL;
	return top;
}

static void
put_field(struct report *r, const char *name, json_t *value, const char *clause, const char *words)
{
	json_array_append_new(r->fields, json_pack("{s:s,s:o,s:s?,s:s?}", "name", name, "value",
	                                     value, "words", words, "clause", clause));
}

void
report_text(
    struct report *r, const char *name, const char *value, const char *clause, const char *words)
{
	if (value != NULL)
		report_span(r, name, mst_span_str(value), clause, words);
}

void
report_span(
    struct report *r, const char *name, mst_span value, const char *clause, const char *words)
{
	if (value.ptr != NULL)
		put_field(r, name, json_span(r->a, value), clause, words);
}

void
report_hex(
    struct report *r, const char *name, mst_span value, const char *clause, const char *words)
{
	if (value.ptr != NULL)
		put_field(r, name, json_string(text_hex(r->a, value)), clause, words);
}

void
report_base64(
    struct report *r, const char *name, mst_span value, const char *clause, const char *words)
{
	if (value.ptr != NULL)
		put_field(r, name, json_string(text_base64(r->a, value)), clause, words);
}

void
report_time(struct report *r, const char *name, int64_t t, const char *clause, const char *words)
{
	if (t != MST_NO_TIME)
		put_field(r, name, json_string(text_time(r->a, t)), clause, words);
}

void
report_check(struct report *r, const char *check, enum outcome outcome, mst_err e,
    const char *clause, const char *words)
{
	const struct mst_err_info *i = e != MST_OK ? mst_err_info(e) : NULL;
	json_t *ok = outcome == OUTCOME_OPEN ? json_null() : json_boolean(outcome == OUTCOME_OK);
	json_t *row = json_pack("{s:s,s:o,s:s?,s:s?,s:s?,s:s?}", "check", check, "ok", ok, "code",
	    i != NULL ? i->code : NULL, "name", i != NULL ? i->name : NULL, "clause",
	    clause != NULL || i == NULL ? clause : i->clause, "words", words);

	if (outcome == OUTCOME_BAD)
		r->failed = true;
	json_array_append_new(r->checks, row);
}

void
report_verdict(struct report *r, const char *check, mst_err e, const char *clause, const char *good,
    const char *detail)
{
	const char *words = good;

	if (e != MST_OK) {
		words = mst_err_info(e)->sentence;
		if (detail != NULL && detail[0] != '\0')
			words = arena_printf(r->a, "%s (%s)", words, detail);
	}
	report_check(r, check, e == MST_OK ? OUTCOME_OK : OUTCOME_BAD, e, clause, words);
}

const char *
text_hex(struct arena *a, mst_span bytes)
{
	static const char hex[] = "0123456789abcdef";
	char *text = arena_alloc(a, 2 * bytes.len + 1);

	for (size_t i = 0; text != NULL && i < bytes.len; i++) {
		text[2 * i] = hex[bytes.ptr[i] >> 4];
		text[2 * i + 1] = hex[bytes.ptr[i] & 15];
	}
	return text != NULL ? text : "";
}

const char *
text_base64(struct arena *a, mst_span bytes)
{
	struct mst_buf b = arena_buf(a, MST_BASE64_LEN(bytes.len) + 1);

	if (b.cap == 0 || mst_base64_encode(bytes, &b) != MST_OK)
		return "";
	return (const char *)b.ptr;
}

const char *
text_time(struct arena *a, int64_t t)
{
	uint8_t room[MST_TIME_LEN];
	struct mst_buf b = MST_BUF(room);
	const char *text;

	if (mst_time_format(t, &b) != MST_OK)
		return "";
	text = arena_str(a, mst_buf_span(&b));
	return text != NULL ? text : "";
}

const char *
text_name(struct arena *a, const X509_NAME *name)
{
	BIO *mem = BIO_new(BIO_s_mem());
	const char *text = "";
	char *at = NULL;
	long n;

	if (mem != NULL &&
	    X509_NAME_print_ex(mem, name, 0, XN_FLAG_RFC2253 | ASN1_STRFLGS_ESC_CTRL) >= 0) {
		n = BIO_get_mem_data(mem, &at);
		text = n > 0 ? arena_str(a, mst_span_of(at, (size_t)n)) : "";
	}
	BIO_free(mem);
	return text != NULL ? text : "";
}

const char *
text_key(struct arena *a, EVP_PKEY *key)
{
	char group[64] = "";
	const char *type = key != NULL ? EVP_PKEY_get0_type_name(key) : NULL, *text;

	if (type == NULL)
		return "of a type not known here";
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
	    EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1) {
		if (strcmp(group, "prime256v1") == 0)
			strcpy(group, "P-256");
		else if (strcmp(group, "secp384r1") == 0)
			strcpy(group, "P-384");
		else if (strcmp(group, "secp521r1") == 0)
			strcpy(group, "P-521");
		text = arena_printf(a, "EC %s", group);
	} else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
		text = arena_printf(a, "RSA, %d bits", EVP_PKEY_get_bits(key));
	} else {
		text = arena_printf(a, "%s", type);
	}
	return text != NULL ? text : "";
}

int64_t
time_of(const ASN1_TIME *t)
{
	struct tm tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return MST_NO_TIME;
	return (int64_t)timegm(&tm);
}

json_t *
json_span(struct arena *a, mst_span s)
{
	json_t *text = s.ptr != NULL ? json_stringn((const char *)s.ptr, s.len) : json_null();

	/* Embedded NULs are legal for jansson and a trap for whoever prints. */
	if (text == NULL || (s.len != 0 && memchr(s.ptr, 0, s.len) != NULL)) {
		json_decref(text);
		text = json_string(text_hex(a, s));
	}
	return text;
}
