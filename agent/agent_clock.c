/* SPDX-License-Identifier: Apache-2.0 */
/* What the device may believe of the time (CLK-1), also without a real-time clock. */
#include "agent/room.h"

#include "host/clock.h"

struct mst_clock
agent_clock(const struct agent *a)
{
	switch (a->cfg->clock) {
	case AGENT_CLOCK_TRUSTED: return clock_now();
	case AGENT_CLOCK_UNTRUSTED: return (struct mst_clock){ MST_CLOCK_UNTRUSTED, clock_wall() };
	case AGENT_CLOCK_NONE: break;
	}
	return (struct mst_clock){ MST_CLOCK_NONE, 0 };
}

/*
 * Without a trusted clock a device knows a lower bound: a certificate that it
 * was given had begun by then, and so much has passed since. The time it was
 * without power is missing, so it renews too late rather than all the time.
 */
int64_t
agent_believed(const struct agent *a)
{
	struct mst_clock c = agent_clock(a);

	return c.trust == MST_CLOCK_TRUSTED ? c.now : a->base_time + clock_mono() - a->base_mono;
}

void
agent_believe(struct agent *a, int64_t t)
{
	int64_t now = agent_believed(a);

	a->base_mono = clock_mono();
	a->base_time = t > now ? t : now;
}

void
agent_remember_time(struct agent *a)
{
	int64_t now = agent_believed(a);

	if (now <= a->counters.last_time)
		return;
	a->counters.last_time = now;
	if (agent_counters_write(a->cfg->state, &a->counters) != MST_OK)
		log_line(LOG_WARNING_, "the time is not remembered: %s", agent_store_why());
}

int64_t
agent_renew_at(const struct agent_config *cfg, const struct agent_record *r, int64_t not_before,
    int64_t not_after)
{
	/* The engine's rule speaks of two thirds; another part is that of a longer or shorter life.
	 */
	double life = (double)(not_after - not_before) * cfg->renew_after * 1.5;

	return mst_pledge_renew_at(not_before, not_before + (int64_t)life, r->jitter);
}
