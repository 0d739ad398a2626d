/* SPDX-License-Identifier: Apache-2.0 */
/* The loop around the engine, and the loop around that: what a device does all its life. */
#include "agent/room.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "host/clock.h"

#define HOUR 3600
/* A certificate that is due the moment it comes must not keep device and CA busy. */
#define RENEWAL_GAP 60
/* --once: so long discovery may look for somebody else after all who are known have refused. */
#define DISCOVERY_PATIENCE 10

/* How a session with the engine ended. */
enum end {
	END_DONE, /* enrolled and reported */
	END_STOPPED,
	END_TIME, /* nothing more can be tried before the deadline */
	END_REFUSED, /* everybody who is known has refused for good */
	END_DUE, /* not reported yet, but a renewal is more urgent */
	END_EXPIRED,
	END_FAILED, /* our own storage or memory */
};

void
agent_step(struct agent *a, struct mst_pledge_event *ev, struct mst_pledge_action *act)
{
	ev->mono = clock_mono();
	ev->clock = agent_clock(a);
	mst_pledge_step(&a->p, ev, act);
	agent_mark_refusal(a, ev, act);
	agent_log_step(a, ev, act);
}

/* ---- keeping ---- */

static mst_err
read_list(mst_span der, STACK_OF(X509) **out)
{
	const uint8_t *p = der.ptr, *end = der.ptr + der.len;
	STACK_OF(X509) *list = sk_X509_new_null();

	if (list == NULL)
		return MST_E_NOMEM;
	while (p < end) {
		X509 *cert = d2i_X509(NULL, &p, (long)(end - p));

		if (cert == NULL || sk_X509_push(list, cert) <= 0) {
			X509_free(cert);
			sk_X509_pop_free(list, X509_free);
			return MST_E_X509;
		}
	}
	*out = list;
	return MST_OK;
}

mst_err
agent_adopt(struct agent *a, struct agent_record *r)
{
	STACK_OF(X509) *between = sk_X509_new_null();
	int64_t from, to;
	mst_err e = between == NULL ? MST_E_NOMEM : agent_record_validity(r, &from, &to);

	/* What is not self-signed among the anchors is a link between LDevID and anchor. */
	for (int i = 0; e == MST_OK && i < sk_X509_num(r->anchors); i++) {
		X509 *cert = sk_X509_value(r->anchors, i);

		if (X509_self_signed(cert, 0) == 1)
			continue;
		if (X509_up_ref(cert) != 1 || sk_X509_push(between, cert) <= 0)
			e = MST_E_NOMEM;
	}
	if (e == MST_OK)
		e = crypto_openssl_set_ldevid(&a->openssl, r->key, r->cert);
	if (e != MST_OK) {
		sk_X509_pop_free(between, X509_free);
		return e;
	}
	sk_X509_pop_free(a->ldevid_chain, X509_free);
	agent_record_wipe(&a->record);
	a->ldevid_chain = between;
	a->record = *r;
	*r = (struct agent_record){ 0 };
	a->not_before = from;
	a->not_after = to;
	agent_believe(a, from);
	return MST_OK;
}

/* KEEP: durable as one, or not at all. */
static mst_err
store(struct agent *a, const struct mst_pledge_action *act)
{
	struct agent_record r = { .reported = AGENT_NOT_REPORTED };
	const uint8_t *p = act->ldevid.ptr;
	mst_err e;

	memcpy(r.peer, a->base, sizeof r.peer);
	r.key = crypto_openssl_pending_key(&a->openssl);
	if (r.key == NULL || EVP_PKEY_up_ref(r.key) != 1) {
		r.key = NULL;
		return MST_E_PLEDGE_STORE;
	}
	r.cert = d2i_X509(NULL, &p, (long)act->ldevid.len);
	e = r.cert == NULL ? MST_E_X509 : read_list(act->anchors, &r.anchors);
	if (e == MST_OK && RAND_bytes((uint8_t *)&r.jitter, sizeof r.jitter) != 1)
		e = MST_E_RANDOM;
	if (e == MST_OK)
		e = agent_record_write(a->cfg->state, &r);
	if (e == MST_OK) {
		e = agent_adopt(a, &r);
		a->renew_gap = clock_mono() + RENEWAL_GAP;
		log_line(LOG_INFO_, "enrolled: key, certificate and anchors are stored");
		agent_remember_time(a);
	}
	agent_record_wipe(&r);
	return e;
}

static mst_err
reported(struct agent *a)
{
	a->record.reported = AGENT_REPORTED;
	return agent_record_write(a->cfg->state, &a->record);
}

/* ---- waiting ---- */

/* Until mono, or until someone wakes us. True when a link came up. */
static bool
sleep_until(struct agent *a, int64_t mono)
{
	struct pollfd p[] = { { .fd = a->wake, .events = POLLIN },
		{ .fd = a->links.fd, .events = POLLIN } };
	int64_t us =
	    mono - clock_mono() > HOUR ? HOUR * INT64_C(1000000) : mono * 1000000 - clock_mono_us();
	uint64_t n;

	if (us > 0)
		(void)poll(p, 2, (int)(us / 1000) + 1);
	if (read(a->wake, &n, sizeof n) < 0 && errno != EAGAIN)
		log_line(LOG_WARNING_, "eventfd: %s", strerror(errno));
	return link_came_up(&a->links);
}

static bool
is_expired(const struct agent *a)
{
	return agent_clock(a).trust == MST_CLOCK_TRUSTED && agent_believed(a) >= a->not_after;
}

static bool
is_due(const struct agent *a)
{
	if (atomic_load(&a->renew))
		return true;
	return clock_mono() >= a->renew_gap &&
	       agent_believed(a) >= agent_renew_at(a->cfg, &a->record, a->not_before, a->not_after);
}

/*
 * One that was told to try once: nobody who is known would say anything else.
 * Discovery is given a moment to find who would.
 */
static bool
is_final(const struct agent *a, int64_t deadline)
{
	if (deadline == INT64_MAX || !agent_all_refused(a))
		return false;
	return a->discovery == NULL || clock_mono() - a->session_began >= DISCOVERY_PATIENCE;
}

/* WAIT: true with *act the engine's word on what woke us, or false with *end. */
static bool
await(struct agent *a, struct mst_pledge_action *act, int64_t deadline, enum end *end)
{
	struct mst_pledge_event tick = { .kind = MST_EV_TICK }; /* or that a link came up */
	int64_t until = act->until, wake = until < deadline ? until : deadline;

	if (a->p.cfg.mode != MST_PLEDGE_BOOTSTRAP && is_expired(a))
		return *end = END_EXPIRED, false;
	if (a->p.cfg.mode == MST_PLEDGE_REPORT && is_due(a))
		return *end = END_DUE, false;
	if (deadline <= clock_mono() ||
	    (deadline != INT64_MAX && until >= deadline && a->discovery == NULL))
		return *end = END_TIME, false;
	if (is_final(a, deadline))
		return *end = END_REFUSED, false;
	if (deadline != INT64_MAX && a->discovery != NULL && agent_all_refused(a) &&
	    wake > a->session_began + DISCOVERY_PATIENCE)
		wake = a->session_began + DISCOVERY_PATIENCE;
	if (sleep_until(a, wake)) {
		log_line(LOG_INFO_, "a link came up: no peer is waited for any longer");
		tick.kind = MST_EV_LINK_UP;
		agent_spares_due(a);
	}
	*act = (struct mst_pledge_action){ .kind = MST_ACT_WAIT, .until = until };
	agent_found_peers(a, act);
	if (act->kind == MST_ACT_WAIT)
		agent_step(a, &tick, act);
	return true;
}

/* ---- one session: from init to DONE, or to what ends it ---- */

/* The id by which pledge, registrar and MASA speak of one bootstrap in their logs. No secret. */
static void
make_trace(struct agent *a)
{
	uint8_t id[16];

	a->trace[0] = '\0';
	if (RAND_bytes(id, sizeof id) != 1)
		return; /* the registrar makes one */
	for (size_t i = 0; i < sizeof id; i++)
		snprintf(a->trace + 2 * i, 3, "%02x", id[i]);
}

static mst_err
session_open(struct agent *a, enum mst_pledge_mode mode)
{
	struct mst_pledge_config cfg = {
		.mode = mode,
		.profile =
		    a->cfg->transport == AGENT_COAPS ? MST_PROFILE_CONSTRAINED : MST_PROFILE_FULL,
		.crypto = &a->crypto,
		.media = a->cfg->media,
		.serial = a->serial,
		.idevid_issuer = a->idevid_issuer,
		.refuse_nonceless = a->cfg->refuse_nonceless,
		.timers = a->cfg->timers,
		.pvr = MST_BUF(a->pvr),
		.scratch = MST_BUF(a->scratch),
		.keep = MST_BUF(a->keep),
		.chain = MST_BUF(a->chain),
	};
	enum discover_for wire =
	    a->cfg->transport == AGENT_COAPS ? DISCOVER_FOR_COAPS : DISCOVER_FOR_HTTPS;
	mst_err e;

	/* RFC 8995 5: an enrolled device never starts BRSKI again. */
	if (mode == MST_PLEDGE_BOOTSTRAP && a->record.cert != NULL)
		return MST_E_PLEDGE_CONFIGURED;
	/* The network may have come only now. */
	if (a->cfg->discover && a->discovery == NULL &&
	    discover_open(wire, a->wake, &a->discovery) != MST_OK)
		log_line(LOG_WARNING_, "no discovery: %s", discover_why());
	arena_reset(a->session);
	if (mode != MST_PLEDGE_BOOTSTRAP &&
	    (e = agent_record_anchors(a->session, &a->record, &cfg.anchors)) != MST_OK)
		return e;
	mst_pledge_init(&a->p, &cfg);
	for (unsigned i = 0; i < MST_PLEDGE_PEERS_MAX; i++) {
		a->peers[i].redirected[0] = '\0';
		a->peers[i].refused = false;
	}
	a->session_began = clock_mono();
	/* Over CoAPS the registrar makes the id: no message of CoAP carries one. */
	if (a->cfg->transport != AGENT_HTTPS)
		a->trace[0] = '\0';
	else if (mode != MST_PLEDGE_REPORT ||
	         a->trace[0] == '\0') /* the report ends what it tells of */
		make_trace(a);
	a->passing = a->sending = a->has_next = a->redirected = a->told_no_peer = false;
	a->logged = MST_OK;
	a->base[0] = '\0';
	return MST_OK;
}

static enum end
converse(struct agent *a, struct mst_pledge_action *act, int64_t deadline)
{
	enum end end = END_STOPPED;
	struct mst_pledge_event ev;

	while (!atomic_load(&a->stop)) {
		ev = (struct mst_pledge_event){ .kind = MST_EV_TICK };
		switch (act->kind) {
		case MST_ACT_WAIT:
			if (!await(a, act, deadline, &end))
				return end;
			continue;
		case MST_ACT_CONNECT: a->wire->connect(a, act, &ev); break;
		case MST_ACT_SEND: a->wire->send(a, act, &ev); break;
		case MST_ACT_KEEP:
			ev.kind = MST_EV_STORED;
			ev.err = store(a, act);
			break;
		case MST_ACT_CLOSE: a->wire->disconnect(a); break;
		case MST_ACT_DONE: return reported(a) == MST_OK ? END_DONE : END_FAILED;
		}
		if (a->has_next)
			*act = a->next;
		else
			agent_step(a, &ev, act);
		a->has_next = false;
	}
	return END_STOPPED;
}

static enum end
session(struct agent *a, enum mst_pledge_mode mode, int64_t deadline)
{
	struct mst_pledge_action act = { .kind = MST_ACT_WAIT, .until = deadline };
	mst_err e = session_open(a, mode);
	enum end end = END_FAILED;

	if (e != MST_OK) {
		log_line(LOG_ERROR_, "%s %s", mst_err_info(e)->code, mst_err_info(e)->sentence);
		return end;
	}
	agent_first_peers(a, &act);
	if (act.kind == MST_ACT_WAIT)
		agent_step(a, &(struct mst_pledge_event){ .kind = MST_EV_TICK }, &act);
	end = converse(a, &act, deadline);
	a->wire->disconnect(a);
	mst_pledge_wipe(&a->p);
	return end;
}

/* ---- life ---- */

static void
rest(struct agent *a, bool expired)
{
	int64_t due = agent_renew_at(a->cfg, &a->record, a->not_before, a->not_after);
	int64_t wait = expired ? HOUR : due - agent_believed(a);
	int64_t gap = a->renew_gap - clock_mono();

	agent_remember_time(a);
	if (wait < gap)
		wait = gap;
	/* In pieces: the wall clock may be set in the meantime. */
	(void)sleep_until(a, clock_mono() + (wait < HOUR ? wait : HOUR));
}

/* What the device would do now; false: nothing. */
static bool
what_now(const struct agent *a, enum mst_pledge_mode *mode)
{
	if (a->record.cert == NULL)
		return *mode = MST_PLEDGE_BOOTSTRAP, true;
	if (is_expired(a))
		return false;
	if (is_due(a))
		return *mode = MST_PLEDGE_RENEW, true;
	if (a->record.reported == AGENT_NOT_REPORTED)
		return *mode = MST_PLEDGE_REPORT, true;
	return false;
}

static void
tell_expired(struct agent *a)
{
	struct decision d = { .role = "pledge",
		.step = STEP_REENROLL,
		.err = MST_E_TLS_LDEVID_EXPIRED,
		.serial = a->serial,
		.detail =
		    "a device that was enrolled never starts BRSKI by itself: factory-reset" };

	log_decision(&d);
	a->verdict = MST_E_TLS_LDEVID_EXPIRED;
}

static enum agent_exit
live(struct agent *a)
{
	enum mst_pledge_mode mode;
	bool told = false;

	while (!atomic_load(&a->stop)) {
		if (what_now(a, &mode)) {
			told = false;
			if (mode == MST_PLEDGE_RENEW)
				atomic_store(&a->renew, false);
			if (session(a, mode, INT64_MAX) == END_FAILED)
				return AGENT_FAILED;
			continue;
		}
		if (is_expired(a) && !told) {
			told = true;
			tell_expired(a);
		}
		atomic_store(&a->renew, false);
		rest(a, is_expired(a));
	}
	return AGENT_OK;
}

static enum agent_exit
once(struct agent *a, int64_t deadline)
{
	enum mst_pledge_mode mode;
	enum end end = END_DONE;

	while (end == END_DONE && what_now(a, &mode)) {
		if (mode == MST_PLEDGE_RENEW)
			atomic_store(&a->renew, false);
		end = session(a, mode, deadline);
		if (end == END_DUE)
			end = END_DONE;
	}
	if (a->record.cert != NULL && is_expired(a))
		end = END_EXPIRED;
	switch (end) {
	case END_DONE: return AGENT_OK;
	case END_FAILED: return AGENT_FAILED;
	case END_EXPIRED: tell_expired(a); return AGENT_REFUSED;
	case END_STOPPED:
	case END_TIME:
	case END_REFUSED:
	case END_DUE: break;
	}
	return agent_is_refusal(a->verdict) ? AGENT_REFUSED : AGENT_UNREACHABLE;
}

enum agent_exit
agent_run(struct agent *a, enum agent_task task, int64_t timeout)
{
	enum agent_exit code = AGENT_FAILED;

	a->verdict = MST_OK;
	switch (task) {
	case AGENT_DAEMON: code = live(a); break;
	case AGENT_RENEW:
		if (a->record.cert == NULL)
			return AGENT_NOT_ENROLLED;
		atomic_store(&a->renew, true);
		code = once(a, clock_mono() + timeout);
		break;
	case AGENT_ONCE: code = once(a, clock_mono() + timeout); break;
	}
	agent_remember_time(a);
	return code;
}

void
agent_stop(struct agent *a)
{
	uint64_t n = 1;

	atomic_store(&a->stop, true);
	if (write(a->wake, &n, sizeof n) < 0)
		return; /* full: it is awake anyway */
}

void
agent_renew_now(struct agent *a)
{
	uint64_t n = 1;

	atomic_store(&a->renew, true);
	if (write(a->wake, &n, sizeof n) < 0)
		return;
}

mst_err
agent_verdict(const struct agent *a)
{
	return a->verdict;
}
