/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's CONNECT and SEND on CoAPS: paths, formats and codes of
 * brski.md 13.1. No redirects here, and the chain is known before the first
 * request is made, so nothing is stepped from within.
 */
#include "agent/room.h"

#include <stdio.h>
#include <string.h>

#include "host/clock.h"

#define ANSWER_MAX (64 * 1024)

/* RFC 7252 12.3, RFC 8710, RFC 9148 8.1, constrained-voucher 14.4 (2026-06) */
enum content {
	CONTENT_NONE = -1,
	CONTENT_CBOR = 60,
	CONTENT_MULTIPART = 62,
	CONTENT_CERTS_ONLY = 281,
	CONTENT_CSRATTRS = 285,
	CONTENT_PKCS10 = 286,
	CONTENT_PKIX_CERT = 287,
	CONTENT_VOUCHER_COSE = 836,
};

#define BRSKI ".well-known/brski/"
#define EST ".well-known/est/"

static struct coaps_request
request_of(const struct mst_pledge_action *act)
{
	mst_span body = act->body;

	switch (act->resource) {
	case MST_RES_REQUESTVOUCHER:
		return (struct coaps_request){ true, BRSKI "rv", CONTENT_VOUCHER_COSE,
			CONTENT_VOUCHER_COSE, body };
	case MST_RES_VOUCHER_STATUS:
		return (struct coaps_request){ true, BRSKI "vs", CONTENT_CBOR, CONTENT_NONE, body };
	case MST_RES_ENROLLSTATUS:
		return (struct coaps_request){ true, BRSKI "es", CONTENT_CBOR, CONTENT_NONE, body };
	case MST_RES_CACERTS:
		return (struct coaps_request){ false, EST "crts", CONTENT_NONE, CONTENT_MULTIPART,
			MST_NONE };
	case MST_RES_CSRATTRS:
		return (struct coaps_request){ false, EST "att", CONTENT_NONE, CONTENT_CSRATTRS,
			MST_NONE };
	case MST_RES_SIMPLEENROLL:
		return (struct coaps_request){ true, EST "sen", CONTENT_PKCS10, CONTENT_PKIX_CERT,
			body };
	case MST_RES_SIMPLEREENROLL: break;
	}
	return (struct coaps_request){ true, EST "sren", CONTENT_PKCS10, CONTENT_PKIX_CERT, body };
}

static enum mst_form
form_of(int content_format)
{
	switch (content_format) {
	case CONTENT_PKIX_CERT: return MST_FORM_CERT;
	case CONTENT_CERTS_ONLY: return MST_FORM_DER;
	case CONTENT_MULTIPART: return MST_FORM_MULTIPART;
	default: return MST_FORM_OTHER;
	}
}

/* CO-3, RFC 9148 4.7: what RFC 8995 says with 202 is 5.03 here; to telemetry it is only busy. */
static bool
is_delay(enum mst_resource what, int code)
{
	return code == 503 && what != MST_RES_VOUCHER_STATUS && what != MST_RES_ENROLLSTATUS;
}

static void
fill(struct mst_pledge_event *ev, enum mst_resource what, const struct coaps_answer *answer)
{
	*ev = (struct mst_pledge_event){ .kind = MST_EV_RESPONSE,
		.status = answer->code,
		.retry_after = -1,
		.media = answer->content_format == CONTENT_VOUCHER_COSE ? MST_MEDIA_COSE_CBOR
		                                                        : MST_MEDIA_NONE,
		.form = form_of(answer->content_format),
		.body = answer->body };
	if (answer->code == 204 || answer->code == 205)
		ev->status = 200;
	else if (answer->code == 200 || answer->code == 202)
		ev->status = 0; /* 2.00 is none, 2.02 is Deleted: neither what HTTP means by it */
	if (is_delay(what, answer->code)) {
		ev->status = 202;
		ev->retry_after = answer->max_age < 0 ? 60 : answer->max_age;
	} else if (answer->code == 503) {
		ev->retry_after = answer->max_age;
	}
}

static int64_t
deadline_us(int64_t until)
{
	return until > INT64_MAX / 1000000 ? INT64_MAX : until * 1000000;
}

static void
failed(struct agent *a, mst_err e, struct mst_pledge_event *ev)
{
	*ev = (struct mst_pledge_event){ .kind = MST_EV_FAILED, .err = e };
	snprintf(a->detail, sizeof a->detail, "%s", coaps_why());
}

static void
coaps_disconnect(struct agent *a)
{
	coaps_close(a->coaps);
	a->coaps = NULL;
	a->sending = false;
}

static void
coaps_connect(struct agent *a, const struct mst_pledge_action *act, struct mst_pledge_event *ev)
{
	bool ldevid = a->p.cfg.mode != MST_PLEDGE_BOOTSTRAP;
	struct coaps_options o = {
		.base = a->base,
		.cert = ldevid ? a->record.cert : a->idevid,
		.key = ldevid ? a->record.key : a->idevid_key,
		.chain = ldevid ? a->ldevid_chain : a->idevid_chain,
		.fragment = a->cfg->coap_fragment,
		.block = a->cfg->coap_block,
	};
	mst_err e;

	coaps_disconnect(a);
	a->request_id = NULL;
	a->detail[0] = '\0';
	snprintf(a->base, sizeof a->base, "%s", a->peers[act->peer].base);
	if (a->base[0] == '\0') {
		*ev = (struct mst_pledge_event){ .kind = MST_EV_FAILED,
			.err = MST_E_PLEDGE_PEER_LOST };
		return;
	}
	if ((e = coaps_open(&o, deadline_us(act->until), &a->coaps)) != MST_OK) {
		failed(a, e, ev);
		return;
	}
	*ev = (struct mst_pledge_event){ .kind = MST_EV_CONNECTED, .chain = coaps_chain(a->coaps) };
	/* csrattrs are not asked for in this profile, so no CSR will want a binding. */
	(void)!crypto_openssl_set_binding(&a->openssl, MST_NONE);
}

static void
coaps_send(struct agent *a, const struct mst_pledge_action *act, struct mst_pledge_event *ev)
{
	struct coaps_request r = request_of(act);
	/* RFC 8995 5.1: the engine says how long there may be no progress; blocks are some. */
	struct coaps_patience patience = {
		.stall_us = deadline_us(act->until) - clock_mono_us(),
		.end_us = clock_mono_us() + a->cfg->timers.answer_max * 1000000,
	};
	struct coaps_answer answer;
	mst_err e = MST_E_PLEDGE_PEER_LOST;

	a->sent = *act;
	a->sending = true;
	a->request_id = NULL;
	a->detail[0] = '\0';
	arena_reset(a->exchange);
	if (a->coaps != NULL)
		e = coaps_exchange(a->coaps, a->exchange, &r, &patience, ANSWER_MAX, &answer);
	if (e != MST_OK) {
		failed(a, e, ev);
		return;
	}
	log_line(LOG_DEBUG_, "%s: %d.%02d, %zu bytes there, %zu back; %u messages of %zu bytes",
	    r.path, answer.code / 100, answer.code % 100, r.body.len, answer.body.len,
	    answer.messages, answer.bytes);
	fill(ev, act->resource, &answer);
}

const struct agent_wire agent_wire_coaps = { coaps_connect, coaps_send, coaps_disconnect };
