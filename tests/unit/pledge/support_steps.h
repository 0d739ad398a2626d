/* SPDX-License-Identifier: Apache-2.0 */
/* One world, and the words in which the tests of single transitions speak of it. */
#ifndef TESTS_PLEDGE_STEPS_H
#define TESTS_PLEDGE_STEPS_H

#include "unit/pledge/support_world.h"

extern struct world w;

/* A world whose engine has just entered state, in bootstrap or in renewal. */
void reach(enum mst_pledge_state state);
void reach_renewal(enum mst_pledge_state state);
/* One event, and what the engine wants then. */
struct mst_pledge_action respond(int status, int64_t retry_after, mst_span body);
struct mst_pledge_action tick_at(int64_t mono);
struct mst_pledge_action connected(struct mst_chain chain);
struct mst_pledge_action failed(mst_err e);
bool contains(mst_span body, const char *word);

#define assert_sends(action, what)                                                                 \
	do {                                                                                       \
		struct mst_pledge_action sends_ = (action);                                        \
		assert_int_equal(sends_.kind, MST_ACT_SEND);                                       \
		assert_int_equal(sends_.resource, what);                                           \
	} while (0)

#define assert_gives_up(action, e)                                                                 \
	do {                                                                                       \
		struct mst_pledge_action gives_up_ = (action);                                     \
		assert_int_equal(gives_up_.kind, MST_ACT_CLOSE);                                   \
		assert_int_equal(gives_up_.because, e);                                            \
		assert_int_equal(w.p.state, PLEDGE_DISCOVER);                                      \
	} while (0)

#endif
