/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and vouchers are kept for a time, not for ever: within it the same
 * request gets the same answer (8.2 step 9) and an operator can look at both.
 * The chained logs say for ever that they were. The writer deletes in small
 * batches, one job each, so that no device waits behind a long one.
 */
#include "server/registrar/room.h"

#include "host/clock.h"
#include "host/log.h"

#define BATCH 64
#define BATCHES 16 /* in one round; rounds come with the sweep */
#define DAY 86400

static void on_pruned(void *arg, mst_err e);

static mst_err
prune(struct db *db, void *arg)
{
	struct registrar *r = arg;
	int64_t now = clock_wall(), after = r->prune_after;
	size_t n;
	mst_err e = exchange_prune(db, now - r->c.exchange_days * DAY, now, BATCH, &after, &n);

	if (e == MST_OK) {
		r->prune_after = after;
		r->pruned += n;
	}
	return e;
}

static void
batch(struct registrar *r)
{
	registrar_write(r, net_loop_at(r->c.net, 0), prune, on_pruned, r);
}

static void
on_pruned(void *arg, mst_err e)
{
	struct registrar *r = arg;

	if (atomic_load(&r->stopped))
		return;
	if (e == MST_OK && r->prune_after != 0 && --r->prune_left != 0) {
		batch(r);
		return;
	}
	if (e != MST_OK)
		log_line(LOG_WARNING_, "old exchanges could not be deleted: %s",
		    mst_err_info(e)->sentence);
	if (r->pruned != 0)
		log_line(LOG_INFO_, "%zu exchanges older than %ld days deleted", r->pruned,
		    r->c.exchange_days);
	r->pruning = false;
}

void
registrar_prune(struct registrar *r)
{
	/* CLK-2: by a clock that went wrong everything might look old. */
	if (r->c.exchange_days == 0 || r->pruning || clock_now().trust != MST_CLOCK_TRUSTED)
		return;
	r->pruning = true;
	r->pruned = 0;
	r->prune_left = BATCHES;
	batch(r);
}
