/* SPDX-License-Identifier: Apache-2.0 */
/* One line for each decision on the way, with the words of host/vocab.def. */
#include "agent/room.h"

#include <stdio.h>
#include <string.h>

static enum step
step_of_resource(enum mst_resource what)
{
	switch (what) {
	case MST_RES_REQUESTVOUCHER: return STEP_VOUCHER;
	case MST_RES_VOUCHER_STATUS: return STEP_VOUCHER_STATUS;
	case MST_RES_CACERTS: return STEP_CACERTS;
	case MST_RES_CSRATTRS: return STEP_CSRATTRS;
	case MST_RES_SIMPLEENROLL: return STEP_ENROLL;
	case MST_RES_SIMPLEREENROLL: return STEP_REENROLL;
	case MST_RES_ENROLLSTATUS: break;
	}
	return STEP_ENROLLSTATUS;
}

static enum step
step_of(const struct agent *a)
{
	return a->sending ? step_of_resource(a->sent.resource) : STEP_CONNECT;
}

bool
agent_is_refusal(mst_err e)
{
	return e != MST_OK && e != MST_E_UNREACHABLE && e != MST_E_TIMEOUT &&
	       e != MST_E_PLEDGE_PEER_LOST && e != MST_E_PLEDGE_NO_PEER &&
	       e != MST_E_PLEDGE_PENDING_TOO_LONG && e != MST_E_AUTHZ_PENDING &&
	       e != MST_E_EST_PENDING && e != MST_E_CANCELLED;
}

static void
decide(struct agent *a, enum step step, mst_err e, const char *detail)
{
	struct decision d = {
		.role = "pledge",
		.step = step,
		.err = e,
		.trace = a->trace[0] != '\0' ? a->trace : NULL,
		.request = a->request_id,
		.serial = a->serial,
		.peer = a->base[0] != '\0' ? a->base + 8 : NULL, /* behind its scheme */
		.detail = detail != NULL && detail[0] != '\0' ? detail : NULL,
	};

	log_decision(&d);
	/* A refusal by name says more than a later silence. */
	if (e != MST_OK && (agent_is_refusal(e) || !agent_is_refusal(a->verdict)))
		a->verdict = e;
}

/* The first line of a refusal, for a person: from anybody, so in plain letters and short. */
static const char *
first_words(mst_span body, char out[128])
{
	size_t n = 0;

	while (n < body.len && n < 127 && body.ptr[n] != '\n' && body.ptr[n] != '\r') {
		out[n] = body.ptr[n] >= 0x20 && body.ptr[n] < 0x7f ? (char)body.ptr[n] : '?';
		n++;
	}
	out[n] = '\0';
	return out;
}

/* Over CoAP a status is class*100+detail, but for 200, which stands for 2.04 and 2.05. */
static void
status_text(const struct agent *a, int status, char out[32])
{
	if (a->cfg->transport == AGENT_HTTPS)
		snprintf(out, 32, "HTTP %d", status);
	else if (status >= 400)
		snprintf(out, 32, "CoAP %d.%02d", status / 100, status % 100);
	else
		snprintf(out, 32, "CoAP 2.xx");
}

static void
on_answer(struct agent *a, const struct mst_pledge_event *ev, const struct mst_pledge_action *act)
{
	enum step step = step_of(a);
	bool told = step == STEP_VOUCHER_STATUS || step == STEP_ENROLLSTATUS;
	char words[128], detail[192], code[32];

	status_text(a, ev->status, code);
	snprintf(detail, sizeof detail, "%s", code);
	if (ev->status == 202) { /* over CoAP also 5.03, and that is not always an operator */
		snprintf(detail, sizeof detail, "waits for %lld seconds%s%s",
		    (long long)(act->until - ev->mono), ev->body.len > 0 ? ": " : "",
		    first_words(ev->body, words));
		decide(a, step, step == STEP_VOUCHER ? MST_E_AUTHZ_PENDING : MST_E_EST_PENDING,
		    act->kind == MST_ACT_WAIT ? detail : NULL);
	} else if (told && act->because != MST_OK && act->because == a->logged) {
		/* The verdict has been told: that is a success of this step. */
		decide(a, step, MST_OK, mst_err_info(a->logged)->code);
		a->logged = MST_OK;
	} else {
		if (ev->status >= 400 && act->because != MST_OK)
			snprintf(
			    detail, sizeof detail, "%s: %s", code, first_words(ev->body, words));
		decide(a, step, act->because, detail);
		a->logged = act->because;
	}
}

void
agent_log_step(
    struct agent *a, const struct mst_pledge_event *ev, const struct mst_pledge_action *act)
{
	if (act->kind == MST_ACT_SEND)
		log_line(LOG_DEBUG_, "%s: %s", mst_pledge_state_name(a->p.state),
		    step_sentence(step_of_resource(act->resource)));
	switch (ev->kind) {
	case MST_EV_RESPONSE: on_answer(a, ev, act); return;
	case MST_EV_FAILED:
		decide(a, step_of(a), act->because != MST_OK ? act->because : ev->err, a->detail);
		a->logged = act->because;
		return;
	case MST_EV_CONNECTED:
		if (act->kind == MST_ACT_SEND)
			decide(a, STEP_CONNECT, MST_OK,
			    a->p.provisional ? "provisional: nothing is trusted yet"
			                     : "known by the domain's anchors");
		else
			decide(a, STEP_CONNECT, act->because, NULL);
		return;
	case MST_EV_STORED:
		if (ev->err != MST_OK)
			decide(a, step_of(a), MST_E_PLEDGE_STORE, agent_store_why());
		return;
	case MST_EV_TICK:
	case MST_EV_PEER:
	case MST_EV_PEER_GONE:
	case MST_EV_LINK_UP: break;
	}
	if (act->kind == MST_ACT_CLOSE && act->because != MST_OK)
		decide(a, step_of(a), act->because, NULL);
	if (act->because == MST_E_PLEDGE_NO_PEER && !a->told_no_peer) {
		a->told_no_peer = true;
		decide(a, STEP_CONNECT, MST_E_PLEDGE_NO_PEER, NULL);
	}
}
