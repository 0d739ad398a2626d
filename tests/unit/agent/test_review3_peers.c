/* SPDX-License-Identifier: Apache-2.0 */
/*
 * More proxies on a link than the engine has numbers for, or one who plays
 * many (RFC 8995 4.1: every proxy is tried; DI-3). Discovery is played.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/room.h"
#include "host/clock.h"

/* ---- discovery ---- */

static struct discovered news[64];
static size_t told, untold;

mst_err
discover_open(enum discover_for wire, int wake, struct discovery **out)
{
	(void)wire;
	(void)wake;
	(void)out;
	return MST_E_IO;
}

void
discover_close(struct discovery *d)
{
	(void)d;
}

bool
discover_next(struct discovery *d, struct discovered *out)
{
	(void)d;
	if (told == untold)
		return false;
	*out = news[told++ % 64];
	return true;
}

const char *
discover_why(void)
{
	return "";
}

static void
discovered(enum discover_what what, const char *who)
{
	struct discovered *d = &news[untold++ % 64];

	d->what = what;
	snprintf(d->base, sizeof d->base, "coaps://[fe80::%s%%25eth0]:8485", who);
}

/* ---- a device ---- */

static struct agent *a;
static struct agent_config cfg;
static uint8_t room[64];
static int null;

static int
setup(void **state)
{
	static const struct mst_crypto crypto;
	struct mst_pledge_config c = { .mode = MST_PLEDGE_BOOTSTRAP,
		.profile = MST_PROFILE_CONSTRAINED,
		.crypto = &crypto,
		.media = MST_MEDIA_COSE_CBOR,
		.serial = MST_LIT("1"),
		.timers = mst_pledge_timers_default(),
		.pvr = MST_BUF(room),
		.scratch = MST_BUF(room),
		.keep = MST_BUF(room),
		.chain = MST_BUF(room) };
	struct mst_pledge_action act = { .kind = MST_ACT_WAIT };

	(void)state;
	log_open("test", LOG_TEXT, LOG_ERROR_, null);
	a = calloc(1, sizeof *a);
	assert_non_null(a);
	cfg = (struct agent_config){ .transport = AGENT_COAPS };
	a->cfg = &cfg;
	told = untold = 0;
	mst_pledge_init(&a->p, &c);
	agent_first_peers(a, &act);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(a);
	return 0;
}

/* Whoever it would be connected to now, without waiting; "" for nobody. */
static const char *
next(void)
{
	struct mst_pledge_action act = { .kind = MST_ACT_WAIT, .until = INT64_MAX };

	a->p.next_start = INT64_MIN;
	agent_found_peers(a, &act);
	if (act.kind == MST_ACT_WAIT)
		agent_step(a, &(struct mst_pledge_event){ .kind = MST_EV_TICK }, &act);
	if (act.kind != MST_ACT_CONNECT)
		return "";
	return a->peers[act.peer].base;
}

static void
fails(void)
{
	struct mst_pledge_event ev = { .kind = MST_EV_FAILED, .err = MST_E_UNREACHABLE };
	struct mst_pledge_action act;

	agent_step(a, &ev, &act);
	assert_int_equal(act.kind, MST_ACT_CLOSE);
}

static bool
is(const char *base, const char *who)
{
	char want[128];

	snprintf(want, sizeof want, "coaps://[fe80::%s%%25eth0]:8485", who);
	return strcmp(base, want) == 0;
}

static void
eight_impostors(void)
{
	char who[2] = "0";

	for (; who[0] < '8'; who[0]++)
		discovered(DISCOVER_FOUND, who);
}

static void
DI_3_the_ninth_proxy_is_tried(void **state)
{
	bool tried = false;

	(void)state;
	eight_impostors();
	discovered(DISCOVER_FOUND, "good");
	for (int i = 0; i < 9; i++) {
		tried = tried || is(next(), "good");
		fails();
	}
	assert_true(tried);
}

/* It was found once, when there was no room, and is not found again: it never went away. */
static void
DI_3_the_ninth_proxy_is_tried_when_others_have_gone(void **state)
{
	char who[2] = "0";

	(void)state;
	eight_impostors();
	discovered(DISCOVER_FOUND, "good");
	(void)next();
	fails();
	for (; who[0] < '8'; who[0]++)
		discovered(DISCOVER_GONE, who);
	if (!is(next(), "good")) { /* it had begun with one of them meanwhile */
		fails();
		assert_true(is(next(), "good"));
	}
}

static void
DI_3_a_number_is_handed_on_without_the_back_off_of_another(void **state)
{
	char who[2] = "0";

	(void)state;
	eight_impostors();
	for (int i = 0; i < 8; i++) {
		assert_string_not_equal(next(), "");
		fails();
	}
	for (; who[0] < '8'; who[0]++)
		discovered(DISCOVER_GONE, who);
	discovered(DISCOVER_FOUND, "good");
	assert_true(is(next(), "good"));
}

/* RFC 8995 4.1: whoever gave way comes back with the back-off that it had. */
static void
DI_3_back_off_goes_along(void **state)
{
	(void)state;
	eight_impostors();
	discovered(DISCOVER_FOUND, "8");
	for (int i = 0; i < 9; i++) {
		assert_string_not_equal(next(), "");
		fails();
	}
	assert_string_equal(next(), ""); /* all nine wait */
}

/* A spare that went away does not come back by itself. */
static void
DI_3_a_spare_that_has_gone_is_forgotten(void **state)
{
	(void)state;
	eight_impostors();
	discovered(DISCOVER_FOUND, "gone");
	discovered(DISCOVER_GONE, "gone");
	for (int i = 0; i < 8; i++) {
		assert_false(is(next(), "gone"));
		fails();
	}
	assert_string_equal(next(), "");
}

/* Who is being talked to keeps its number, whatever is found. */
static void
DI_3_the_present_peer_is_not_exchanged(void **state)
{
	struct mst_pledge_action act = { .kind = MST_ACT_WAIT, .until = INT64_MAX };
	const char *now;
	char kept[128];

	(void)state;
	eight_impostors();
	now = next();
	snprintf(kept, sizeof kept, "%s", now);
	discovered(DISCOVER_FOUND, "a");
	discovered(DISCOVER_FOUND, "b");
	agent_found_peers(a, &act);
	assert_string_equal(a->peers[a->p.peer].base, kept);
	assert_true(a->p.peers[a->p.peer].there);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(DI_3_the_ninth_proxy_is_tried),
		TEST(DI_3_the_ninth_proxy_is_tried_when_others_have_gone),
		TEST(DI_3_a_number_is_handed_on_without_the_back_off_of_another),
		TEST(DI_3_back_off_goes_along),
		TEST(DI_3_a_spare_that_has_gone_is_forgotten),
		TEST(DI_3_the_present_peer_is_not_exchanged),
	};

	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
