/* SPDX-License-Identifier: Apache-2.0 */
/* muster-agent status: what the device is and what it will do next. */
#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>

#include "agent/room.h"
#include "host/clock.h"
#include "host/file.h"
#include "host/json.h"
#include "host/vocab.h"

struct status {
	struct arena *a;
	const struct agent_config *cfg;
	mst_err err; /* of the record */
	struct agent_record record;
	struct agent_counters counters;
	int64_t from, to, renew;
	mst_span serial;
	pid_t running;
	const char *state, *health;
};

/* A word of design.md section 7 with what it means. */
static const char *
state_words(struct status *s)
{
	enum device_state known = device_state_find(s->state);

	return known == DEVICE_STATE_COUNT
	           ? s->state
	           : arena_printf(s->a, "%s: %s", s->state, device_state_sentence(known));
}

static const char *
time_text(struct arena *a, int64_t t)
{
	struct mst_buf b = arena_buf(a, MST_TIME_LEN + 1);

	if (b.cap == 0 || mst_time_format(t, &b) != MST_OK)
		return "?";
	return (const char *)b.ptr;
}

static void
read_serial(struct status *s)
{
	STACK_OF(X509) *certs = NULL;
	mst_span pem;

	if (file_read(s->a, s->cfg->idevid_cert, 256 * 1024, &pem) == MST_OK &&
	    cert_list(pem, &certs) == MST_OK &&
	    cert_device_serial(s->a, sk_X509_value(certs, 0), CERT_SERIAL_SUBJECT, &s->serial) !=
	        MST_OK)
		s->serial = MST_NONE;
	sk_X509_pop_free(certs, X509_free);
}

/* Words of design.md section 7 where there are any; "fresh" is this side's. */
static void
judge(struct status *s)
{
	struct mst_clock now = clock_now();
	bool timed = s->cfg->clock == AGENT_CLOCK_TRUSTED && now.trust == MST_CLOCK_TRUSTED;

	s->health = "ok";
	if (s->err == MST_E_NOT_FOUND) {
		s->state = "fresh";
		return;
	}
	if (s->err != MST_OK) {
		s->state = "damaged";
		s->health = mst_err_info(s->err)->code;
		return;
	}
	s->state = s->record.reported == AGENT_REPORTED ? "active" : "enrolled";
	if (timed && now.now >= s->to) {
		s->state = "stale";
		s->health = "expired";
	} else if (timed && now.now >= s->renew) {
		s->health = "renewal due";
	}
}

static const char *
number_of(struct arena *a, X509 *cert)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	char *hex = n == NULL ? NULL : BN_bn2hex(n);
	const char *out = hex == NULL ? "?" : arena_str(a, mst_span_str(hex));

	OPENSSL_free(hex);
	BN_free(n);
	return out;
}

static const char *
issuer_of(struct arena *a, X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long n = 0;
	const char *out = "?";

	if (bio != NULL &&
	    X509_NAME_print_ex(bio, X509_get_issuer_name(cert), 0, XN_FLAG_RFC2253) >= 0 &&
	    (n = BIO_get_mem_data(bio, &text)) > 0)
		out = arena_str(a, mst_span_of(text, (size_t)n));
	BIO_free(bio);
	return out;
}

static json_t *
ldevid_json(struct status *s)
{
	X509 *c = s->record.cert;

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i}", "subject",
	    cert_subject(s->a, c), "issuer", issuer_of(s->a, c), "number", number_of(s->a, c),
	    "not-before", time_text(s->a, s->from), "not-after", time_text(s->a, s->to), "sha256",
	    cert_fingerprint(s->a, c), "file", arena_printf(s->a, "%s/ldevid.pem", s->cfg->state),
	    "anchors", sk_X509_num(s->record.anchors));
}

static mst_err
write_json(struct status *s, const char **text)
{
	json_t *o = json_pack("{s:s, s:s, s:s%, s:b, s:I, s:I, s:I}", "state", s->state, "health",
	    s->health, "serial-number", s->serial.ptr != NULL ? (const char *)s->serial.ptr : "",
	    s->serial.len, "reported", s->err == MST_OK && s->record.reported == AGENT_REPORTED,
	    "boots", (json_int_t)s->counters.boots, "factory-resets",
	    (json_int_t)s->counters.resets, "running", (json_int_t)s->running);
	mst_span out;
	mst_err e;

	if (o != NULL && s->err == MST_OK) {
		json_object_set_new(o, "ldevid", ldevid_json(s));
		json_object_set_new(o, "renew-at", json_string(time_text(s->a, s->renew)));
		json_object_set_new(o, "registrar", json_string(s->record.peer));
	} else if (o != NULL && s->err != MST_E_NOT_FOUND) {
		json_object_set_new(o, "error", json_string(mst_err_info(s->err)->name));
	}
	if ((e = json_close(s->a, o, &out)) == MST_OK)
		*text = arena_printf(s->a, "%s\n", (const char *)out.ptr);
	return e == MST_OK && *text == NULL ? MST_E_NOMEM : e;
}

static mst_err
write_table(struct status *s, const char **text)
{
	X509 *c = s->record.cert;
	const char *head = arena_printf(s->a,
	    "state           %s\nhealth          %s\nserial number   %.*s\n"
	    "boots           %lld\nfactory resets  %lld\nrunning         %s\n",
	    state_words(s), s->health, (int)s->serial.len,
	    s->serial.ptr != NULL ? (const char *)s->serial.ptr : "", (long long)s->counters.boots,
	    (long long)s->counters.resets,
	    s->running != 0 ? arena_printf(s->a, "process %d", (int)s->running) : "no");

	*text = head;
	if (s->err == MST_OK && head != NULL)
		*text = arena_printf(s->a,
		    "%sreported        %s\nsubject         %s\nissuer          %s\n"
		    "number          %s\nvalid           %s to %s\nrenewal         %s\n"
		    "registrar       %s\nfile            %s/ldevid.pem\n",
		    head, s->record.reported == AGENT_REPORTED ? "yes" : "no",
		    cert_subject(s->a, c), issuer_of(s->a, c), number_of(s->a, c),
		    time_text(s->a, s->from), time_text(s->a, s->to), time_text(s->a, s->renew),
		    s->record.peer, s->cfg->state);
	else if (s->err != MST_E_NOT_FOUND && head != NULL)
		*text = arena_printf(s->a, "%serror           %s: %s\n", head,
		    mst_err_info(s->err)->name, agent_store_why());
	return *text == NULL ? MST_E_NOMEM : MST_OK;
}

mst_err
agent_status(
    struct arena *arena, const struct agent_config *cfg, enum agent_form form, const char **text)
{
	struct status s = { .a = arena, .cfg = cfg };
	mst_err e, counted;

	*text = "";
	read_serial(&s);
	counted = agent_counters_read(cfg->state, &s.counters);
	s.err = agent_record_read(cfg->state, &s.record);
	if (s.err == MST_OK && (s.err = agent_record_validity(&s.record, &s.from, &s.to)) == MST_OK)
		s.renew = agent_renew_at(cfg, &s.record, s.from, s.to);
	s.running = agent_lock_holder(cfg->state);
	judge(&s);
	e = form == AGENT_JSON ? write_json(&s, text) : write_table(&s, text);
	agent_record_wipe(&s.record);
	if (e != MST_OK)
		return e;
	if (s.err != MST_OK && s.err != MST_E_NOT_FOUND)
		return s.err;
	return counted;
}
