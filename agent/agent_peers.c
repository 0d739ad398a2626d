/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's eight peers: configured, remembered, found on the link. Who is
 * found when all eight are taken is spare: it takes the place of one that was
 * tried and waits longer than it. So a link with many proxies, or with one
 * liar who plays many, hides no proxy for ever.
 */
#include "agent/room.h"

#include <stdio.h>
#include <string.h>

static int
find(const struct agent *a, const char *base)
{
	for (int i = 0; i < MST_PLEDGE_PEERS_MAX; i++)
		if (strcmp(a->peers[i].base, base) == 0)
			return i;
	return -1;
}

/* A peer event is welcome in any state; only the engine's last word counts, but no CONNECT is lost.
 */
static void
tell(struct agent *a, enum mst_pledge_event_kind kind, unsigned n, struct mst_pledge_action *act)
{
	struct mst_pledge_event ev = { .kind = kind, .peer = n };
	struct mst_pledge_action latest;

	agent_step(a, &ev, &latest);
	if (act->kind == MST_ACT_CONNECT && latest.kind == MST_ACT_WAIT)
		act->until = latest.until;
	else
		*act = latest;
}

/* ---- spares ---- */

/* The engine is at it: what it began there is not handed to another. */
static bool
is_under_way(const struct agent *a, unsigned n)
{
	return n == a->p.peer && a->p.state != PLEDGE_DISCOVER;
}

static int
free_number(const struct agent *a)
{
	for (unsigned i = 0; i < MST_PLEDGE_PEERS_MAX; i++)
		if (a->peers[i].base[0] == '\0' && !is_under_way(a, i))
			return (int)i;
	return -1;
}

static struct spare *
spare_find(struct agent *a, const char *base)
{
	for (size_t i = 0; i < AGENT_SPARES; i++)
		if (strcmp(a->spares[i].base, base) == 0)
			return &a->spares[i];
	return NULL;
}

static void
spare_put(struct agent *a, const char *base)
{
	struct spare *s = spare_find(a, base);

	if (s == NULL && (s = spare_find(a, "")) != NULL && strlen(base) < sizeof s->base) {
		*s = (struct spare){ .due = { .not_before = INT64_MIN } };
		snprintf(s->base, sizeof s->base, "%s", base);
	}
	if (s != NULL && s->base[0] != '\0')
		s->found++;
	else
		log_line(LOG_DEBUG_, "%s is one peer too many", base);
}

static void
spare_gone(struct agent *a, const char *base)
{
	struct spare *s = spare_find(a, base);

	if (s != NULL && --s->found == 0)
		s->base[0] = '\0';
}

static struct spare *
next_spare(struct agent *a)
{
	struct spare *best = NULL;

	for (size_t i = 0; i < AGENT_SPARES; i++) {
		struct spare *s = &a->spares[i];

		if (s->base[0] != '\0' &&
		    (best == NULL || s->due.not_before < best->due.not_before))
			best = s;
	}
	return best;
}

/* Who is tried later than anybody else, and was only found. */
static int
latest_number(const struct agent *a)
{
	int latest = -1;

	for (unsigned i = 0; i < MST_PLEDGE_PEERS_MAX; i++)
		if (a->peers[i].base[0] != '\0' && !a->peers[i].fixed && !is_under_way(a, i) &&
		    (latest < 0 || a->p.peers[i].not_before > a->p.peers[latest].not_before))
			latest = (int)i;
	return latest;
}

/* They change places. The number has been told gone, or was free. */
static void
exchange(struct agent *a, unsigned n, struct spare *s)
{
	struct peer *p = &a->peers[n];
	struct spare former = { .found = p->found, .refused = p->refused, .due = a->p.peers[n] };

	if (p->base[0] != '\0' && strlen(p->base) < sizeof former.base)
		memcpy(former.base, p->base, strlen(p->base) + 1);
	*p = (struct peer){ .found = s->found, .refused = s->refused };
	snprintf(p->base, sizeof p->base, "%s", s->base);
	a->p.peers[n] = s->due;
	a->p.peers[n].there = false;
	*s = former;
}

/* Spares that are due before those who have a number. */
static void
promote(struct agent *a, struct mst_pledge_action *act)
{
	struct spare *s;

	for (int i = 0; i < AGENT_SPARES && (s = next_spare(a)) != NULL; i++) {
		int n = free_number(a);

		if (n < 0) {
			n = latest_number(a);
			if (n < 0 || a->p.peers[n].not_before <= s->due.not_before)
				return;
			log_line(LOG_DEBUG_, "%s gives way to %s", a->peers[n].base, s->base);
			tell(a, MST_EV_PEER_GONE, (unsigned)n, act);
		}
		exchange(a, (unsigned)n, s);
		tell(a, MST_EV_PEER, (unsigned)n, act);
	}
}

void
agent_spares_due(struct agent *a)
{
	for (size_t i = 0; i < AGENT_SPARES; i++) {
		a->spares[i].refused = false;
		a->spares[i].due = (struct mst_pledge_peer){ .not_before = INT64_MIN };
	}
}

/* ---- who is known ---- */

static void
add(struct agent *a, const char *base, bool fixed, struct mst_pledge_action *act)
{
	int n = find(a, base);

	if (base[0] == '\0' || strlen(base) >= AGENT_PEER_MAX)
		return;
	/* Remembered from a time when the device spoke another way. */
	if (strncmp(base, agent_scheme(a->cfg->transport), 8) != 0)
		return;
	if (n < 0 && !fixed && (spare_find(a, base) != NULL || free_number(a) < 0)) {
		spare_put(a, base);
		return;
	}
	if (n < 0 && (n = free_number(a)) < 0) {
		log_line(LOG_DEBUG_, "%s is one peer too many", base);
		return;
	}
	if (a->peers[n].base[0] == '\0') /* the back-off there was another's */
		a->p.peers[n] = (struct mst_pledge_peer){ .not_before = INT64_MIN };
	snprintf(a->peers[n].base, sizeof a->peers[n].base, "%s", base);
	if (fixed)
		a->peers[n].fixed = true;
	else
		a->peers[n].found++;
	tell(a, MST_EV_PEER, (unsigned)n, act);
}

void
agent_first_peers(struct agent *a, struct mst_pledge_action *act)
{
	/* What discovery knows stays known; the engine of this session has yet to hear of it. */
	agent_spares_due(a);
	add(a, a->record.peer, true, act);
	for (size_t i = 0; i < a->cfg->registrar_count; i++)
		add(a, a->cfg->registrars[i], true, act);
	for (unsigned i = 0; i < MST_PLEDGE_PEERS_MAX; i++)
		if (a->peers[i].found > 0)
			tell(a, MST_EV_PEER, i, act);
}

void
agent_found_peers(struct agent *a, struct mst_pledge_action *act)
{
	struct discovered d;

	while (discover_next(a->discovery, &d)) {
		int n = find(a, d.base);

		log_line(LOG_DEBUG_, "%s %s", d.base, d.what == DISCOVER_FOUND ? "found" : "gone");
		if (d.what == DISCOVER_FOUND) {
			add(a, d.base, false, act);
		} else if (n < 0) {
			spare_gone(a, d.base);
		} else if (n >= 0 && a->peers[n].found > 0 && --a->peers[n].found == 0 &&
		           !a->peers[n].fixed) {
			a->peers[n].base[0] = '\0';
			a->peers[n].refused = false;
			tell(a, MST_EV_PEER_GONE, (unsigned)n, act);
		}
	}
	promote(a, act);
}

/* ---- final refusals ---- */

/* RFC 9110: what a server says about itself or about the moment, not about this device. */
static bool
may_pass(const struct mst_pledge_event *ev)
{
	return ev->status < 400 || ev->status > 499 || ev->status == 408 || ev->status == 425 ||
	       ev->status == 429 || ev->retry_after >= 0;
}

/*
 * Refusals that another question to the same peer would only bring again: it
 * says so, or what it sent over its own line cannot be believed. Not among
 * them: what memory, storage, the line or the moment is to blame for.
 */
static bool
is_final(mst_err e, bool passing)
{
	switch ((int)e) {
	case MST_E_PLEDGE_REFUSED: return !passing;
	case MST_E_PLEDGE_REDIRECTS:
	case MST_E_PLEDGE_ENROLL:
	case MST_E_PLEDGE_CA_CERTS:
	case MST_E_PLEDGE_CSRATTRS: return true;
	default: break;
	}
	/* 11xx, 18xx: not what it should be; 12xx: the voucher, or the server by the voucher */
	return ((int)e >= 1100 && (int)e < 1300) || ((int)e >= 1800 && (int)e < 1900);
}

void
agent_mark_refusal(
    struct agent *a, const struct mst_pledge_event *ev, const struct mst_pledge_action *act)
{
	/* The answer to the report of a refusal is no refusal of its own. */
	if (ev->kind == MST_EV_RESPONSE && act->because == MST_E_PLEDGE_REFUSED &&
	    a->sent.because == MST_OK)
		a->passing = may_pass(ev);
	if (act->kind != MST_ACT_CLOSE || a->p.state != PLEDGE_DISCOVER || act->because == MST_OK)
		return;
	a->peers[act->peer].refused = is_final(act->because, a->passing);
	a->passing = false;
}

bool
agent_all_refused(const struct agent *a)
{
	bool any = false;

	for (size_t i = 0; i < MST_PLEDGE_PEERS_MAX; i++) {
		if (a->peers[i].base[0] != '\0' && !a->peers[i].refused)
			return false;
		any = any || a->peers[i].base[0] != '\0';
	}
	for (size_t i = 0; i < AGENT_SPARES; i++)
		if (a->spares[i].base[0] != '\0' && !a->spares[i].refused)
			return false;
	return any;
}
