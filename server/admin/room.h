/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the admin room share: a call, and the table of verbs. */
#ifndef SERVER_ADMIN_ROOM_H
#define SERVER_ADMIN_ROOM_H

#include <jansson.h>

#include "server/admin/admin.h"

struct admin_call {
	struct admin_config *c;
	struct arena *a;
	json_t *args; /* an object */
	json_t *data; /* the answer; a verb takes a new one in its place */
	char by[64]; /* who asks: a user's name */
	char detail[512]; /* words of a refusal */
	void (*progress)(struct admin_call *call, int64_t done, int64_t of);
	int out; /* where progress goes */
	struct manufacturer *makers; /* read once a call, for names */
	size_t maker_count;
	size_t revoked; /* certificates, by the job of this call */
};

typedef mst_err (*admin_verb)(struct admin_call *call);
struct admin_word {
	const char *verb;
	admin_verb run;
};
/* One table a file, ended by a NULL verb. */
extern const struct admin_word admin_device_verbs[], admin_manufacturer_verbs[], admin_cert_verbs[],
    admin_masa_verbs[], admin_site_verbs[];

/* Arguments. The text of a string member, NULL when absent; a wrong type counts as absent. */
const char *admin_text(const struct admin_call *call, const char *name);
int64_t admin_int(const struct admin_call *call, const char *name, int64_t otherwise);
/* The member "limit", 1 to most; anything else counts as most. */
size_t admin_limit(const struct admin_call *call, int64_t most);
int admin_bool(const struct admin_call *call, const char *name, int otherwise);
/* Base64 or hex member as bytes; MST_E_USAGE when malformed, MST_OK and absent when not there. */
MST_MUST_USE mst_err admin_base64(struct admin_call *call, const char *name, mst_span *out);
MST_MUST_USE mst_err admin_hex(struct admin_call *call, const char *name, mst_span *out);
/* MST_E_USAGE with words unless the string is there; *out gets it. */
MST_MUST_USE mst_err admin_need(struct admin_call *call, const char *name, const char **out);
/* A name that an operator gives: text without control characters, at most 100 bytes. */
MST_MUST_USE mst_err admin_need_name(struct admin_call *call, const char **out);
/* The string member as PEM: absent leaves *field, "" empties it. */
void admin_take_span(const struct admin_call *call, const char *name, mst_span *field);
/* Refuse with printf words. */
mst_err admin_refuse(struct admin_call *call, mst_err e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The one device that the member `key` (a serial number) and, where several
 * share it, "manufacturer" and "issuer" (hex, ID-8) name. MST_E_CONFLICT with
 * all of them in words.
 */
MST_MUST_USE mst_err admin_device(
    struct admin_call *call, struct db *db, const char *key, struct device *out);

/* Has new CRLs signed, where a job of the caller's recorded revocations. MST_E_EST_CA: not yet. */
MST_MUST_USE mst_err admin_publish(struct admin_call *call);

/* Answers. */
json_t *admin_json_text(mst_span s); /* null when absent; bytes that are no UTF-8 as hex */
json_t *admin_json_base64(struct arena *a, mst_span s);
json_t *admin_json_hex(struct arena *a, mst_span s);
json_t *admin_json_time(struct arena *a, int64_t t); /* RFC 3339; null for 0 and MST_NO_TIME */
json_t *admin_json_words(const char *s); /* null for NULL */
/* code, name, reason of a refusal into o; "accepted" for MST_OK. */
void admin_json_outcome(json_t *o, mst_err e);

/* Row of the audit trail about what the operator did; inside a job. */
MST_MUST_USE mst_err admin_trail(
    struct admin_call *call, struct db *db, int64_t device, const char *detail);

#endif
