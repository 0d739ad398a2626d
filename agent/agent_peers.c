/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's eight peers: configured, remembered, found on the link. */
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

static void
add(struct agent *a, const char *base, bool fixed, struct mst_pledge_action *act)
{
	int n = find(a, base);

	if (base[0] == '\0' || strlen(base) >= AGENT_PEER_MAX)
		return;
	if (n < 0 && (n = find(a, "")) < 0) {
		log_line(LOG_DEBUG_, "%s is one peer too many", base);
		return;
	}
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
		} else if (n >= 0 && a->peers[n].found > 0 && --a->peers[n].found == 0 &&
		           !a->peers[n].fixed) {
			a->peers[n].base[0] = '\0';
			tell(a, MST_EV_PEER_GONE, (unsigned)n, act);
		}
	}
}
