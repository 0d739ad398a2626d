/* SPDX-License-Identifier: Apache-2.0 */
/* Each HTTP status in each state that awaits one, and each event in each state. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "unit/pledge/support_steps.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- each status in each state --- */

static const int statuses[] = { -1, 0, 100, 199, 200, 201, 202, 203, 204, 206, 299, 300, 301, 302,
	307, 399, 400, 401, 403, 404, 406, 408, 415, 429, 499, 500, 501, 502, 503, 504, 599, 600,
	999 };

static const enum mst_pledge_state answer_states[] = { PLEDGE_AWAIT_VOUCHER,
	PLEDGE_AWAIT_STATUS_ACK, PLEDGE_AWAIT_CACERTS, PLEDGE_AWAIT_CSRATTRS, PLEDGE_AWAIT_CERT,
	PLEDGE_AWAIT_ENROLL_ACK };

static mst_err
refusal_of(int status)
{
	if (status >= 300 && status < 400)
		return MST_E_PLEDGE_REDIRECTS;
	return status >= 400 && status < 600 ? MST_E_PLEDGE_REFUSED : MST_E_PLEDGE_PROTOCOL;
}

/* A body that is empty, so that 200 itself is tried too. */
static void
expect_after(enum mst_pledge_state state, int status, struct mst_pledge_action a)
{
	bool none = status == 204 || status == 404;

	if (state == PLEDGE_AWAIT_STATUS_ACK) { /* 5.7: ignores any response */
		assert_sends(a, MST_RES_CACERTS);
	} else if (state == PLEDGE_AWAIT_ENROLL_ACK) {
		assert_int_equal(a.kind, MST_ACT_CLOSE);
		if ((status >= 200 && status < 300) || status == 404)
			assert_int_equal(w.p.state, PLEDGE_FINISHED);
		else
			assert_gives_up(a, refusal_of(status));
	} else if (status == 202) {
		assert_int_equal(a.kind, MST_ACT_WAIT);
	} else if (state == PLEDGE_AWAIT_VOUCHER && status == 200) {
		assert_sends(a, MST_RES_VOUCHER_STATUS);
		assert_int_equal(a.because, MST_E_VOUCHER_PARSE);
	} else if (state == PLEDGE_AWAIT_VOUCHER) {
		assert_gives_up(a, refusal_of(status));
	} else if (state == PLEDGE_AWAIT_CSRATTRS && (status == 200 || none)) {
		assert_sends(a, MST_RES_SIMPLEENROLL);
	} else {
		assert_sends(a, MST_RES_ENROLLSTATUS); /* 5.9.4: on the same connection */
		assert_true(contains(a.body, "\"status\":false"));
		if (status != 200)
			assert_int_equal(a.because, refusal_of(status));
		assert_gives_up(respond(200, -1, MST_NONE), a.because);
	}
}

static void
status_row(void **state)
{
	uintptr_t n = (uintptr_t)*state;
	enum mst_pledge_state s = answer_states[n / COUNT(statuses)];

	reach(s);
	expect_after(s, statuses[n % COUNT(statuses)],
	    respond(statuses[n % COUNT(statuses)], -1, MST_LIT("")));
	assert_int_equal(w.p.cfg.mode == MST_PLEDGE_BOOTSTRAP, s != PLEDGE_AWAIT_ENROLL_ACK);
}

/* --- each event in each state --- */

enum { EVENT_KINDS = MST_EV_STORED + 1, STATES = PLEDGE_FINISHED + 1 };

static void
event_row(void **state)
{
	uintptr_t n = (uintptr_t)*state;
	enum mst_pledge_state s = (enum mst_pledge_state)(n / EVENT_KINDS);
	struct mst_pledge_event ev;
	struct mst_pledge_action a;

	for (int late = 0; late < 2; late++) {
		reach(s);
		w.mono += late * 100000;
		ev = world_event(&w, (enum mst_pledge_event_kind)(n % EVENT_KINDS));
		a = world_give(&w, ev);
		assert_in_range(a.kind, MST_ACT_WAIT, MST_ACT_DONE);
		assert_true(a.peer < MST_PLEDGE_PEERS_MAX);
		if (a.kind == MST_ACT_WAIT)
			assert_true(a.until > w.mono);
		if (a.kind == MST_ACT_CONNECT)
			assert_int_equal(a.identity == MST_IDENTITY_IDEVID,
			    w.p.cfg.mode == MST_PLEDGE_BOOTSTRAP);
		if (s == PLEDGE_FINISHED)
			assert_int_equal(a.kind, MST_ACT_DONE);
		/* Whatever it was: with an honest world from here it ends enrolled. */
		w.up = false;
		w.ev = world_event(&w, MST_EV_FAILED);
		if (w.p.state == PLEDGE_STORING)
			w.ev = world_event(&w, MST_EV_STORED);
		w.announced = 0;
		assert_true(world_run(&w, 2000));
		assert_true(w.flash.enrolled);
	}
}

#define STATUS_ROWS (COUNT(answer_states) * COUNT(statuses))
#define EVENT_ROWS ((size_t)STATES * EVENT_KINDS)

static char names[STATUS_ROWS + EVENT_ROWS][64];
static struct CMUnitTest tests[STATUS_ROWS + EVENT_ROWS];

int
main(void)
{
	static const char *const event_names[EVENT_KINDS] = { "tick", "peer", "peer-gone",
		"link-up", "connected", "failed", "response", "stored" };
	size_t n = 0;

	for (size_t i = 0; i < STATUS_ROWS; i++, n++) {
		(void)snprintf(names[n], sizeof(names[n]), "5.6 status %d in %s",
		    statuses[i % COUNT(statuses)],
		    mst_pledge_state_name(answer_states[i / COUNT(statuses)]));
		tests[n] = (struct CMUnitTest){ names[n], status_row, NULL, NULL, (void *)i };
	}
	for (size_t i = 0; i < EVENT_ROWS; i++, n++) {
		(void)snprintf(names[n], sizeof(names[n]), "event %s in %s",
		    event_names[i % EVENT_KINDS],
		    mst_pledge_state_name((enum mst_pledge_state)(i / EVENT_KINDS)));
		tests[n] = (struct CMUnitTest){ names[n], event_row, NULL, NULL, (void *)i };
	}
	return cmocka_run_group_tests_name("pledge_tables", tests, NULL, NULL);
}
