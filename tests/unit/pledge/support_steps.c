/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "unit/pledge/support_steps.h"

static const enum peer_kind one_honest[] = { PEER_HONEST };

struct world w;

/* A world whose engine has just entered state. */
void
reach(enum mst_pledge_state state)
{
	world_init(&w, one_honest, 1);
	w.voucher_202 = state == PLEDGE_PENDING;
	w.enroll_202 = state == PLEDGE_ENROLL_PENDING;
	world_boot(&w);
	assert_true(world_until(&w, state, 200));
	assert_int_equal(w.bad, 0);
}

void
reach_renewal(enum mst_pledge_state state)
{
	world_init(&w, one_honest, 1);
	world_boot(&w);
	assert_true(world_run(&w, 200));
	w.renew_due = true;
	world_boot(&w);
	assert_true(world_until(&w, state, 200));
}

struct mst_pledge_action
respond(int status, int64_t retry_after, mst_span body)
{
	struct mst_pledge_event ev = world_event(&w, MST_EV_RESPONSE);

	ev.status = status;
	ev.retry_after = retry_after;
	ev.body = body;
	ev.media = world_media(&w);
	return world_give(&w, ev);
}

struct mst_pledge_action
tick_at(int64_t mono)
{
	w.mono = mono;
	return world_give(&w, world_event(&w, MST_EV_TICK));
}

struct mst_pledge_action
connected(struct mst_chain chain)
{
	struct mst_pledge_event ev = world_event(&w, MST_EV_CONNECTED);

	ev.chain = chain;
	return world_give(&w, ev);
}

struct mst_pledge_action
failed(mst_err e)
{
	struct mst_pledge_event ev = world_event(&w, MST_EV_FAILED);

	ev.err = e;
	return world_give(&w, ev);
}

bool
contains(mst_span body, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= body.len; i++)
		if (memcmp(body.ptr + i, word, len) == 0)
			return true;
	return false;
}
