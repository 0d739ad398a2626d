/* SPDX-License-Identifier: Apache-2.0 */
/* CLK-2: a clock that fell back while the daemon ran must not make the expired valid. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/clock.h"
#include "server/trust/trust.h"
#include "tests/unit/registrar/support_id.h"

static struct arena *area;
static char dir[64];
static struct store *store;
static struct trust *trust;
static struct id maker, device, late;
static struct net_peer peer;
static struct net_request rq = { .peer = &peer };

static mst_err
put_maker(struct db *db, void *arg)
{
	return manufacturer_put(db, arg);
}

static int
setup(void **state)
{
	struct manufacturer m = { .name = "maker", .mode = ACCEPT_AUTO, .enabled = true };

	(void)state;
	area = arena_new(0);
	maker = ID(.kind = ID_CA, .cn = "maker", .from = -9 * 86400L, .until = 86400);
	device = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-1", .issuer = &maker);
	late = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-2", .issuer = &maker,
	    .from = -8 * 86400L, .until = -7 * 86400L);
	m.anchors_pem = pem_of(area, &maker.cert, 1);
	strcpy(dir, "/tmp/muster-clock-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(store_open(arena_printf(area, "%s/db", dir), &store), MST_OK);
	assert_int_equal(store_write_wait(store, put_maker, &m), MST_OK);
	assert_int_equal(trust_new(store, NULL, &trust), MST_OK);
	return 0;
}

static int
teardown(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *f;

	(void)state;
	trust_free(trust);
	store_close(store);
	while (d != NULL && (f = readdir(d)) != NULL)
		(void)unlink(arena_printf(area, "%s/%s", dir, f->d_name));
	closedir(d);
	(void)rmdir(dir);
	id_free(&maker);
	id_free(&device);
	id_free(&late);
	arena_free(area);
	return 0;
}

static void
connect_as(const struct id *id)
{
	if (peer.note_free != NULL)
		peer.note_free(peer.note);
	peer = (struct net_peer){ .leaf = id->cert };
}

static int
leave(void **state)
{
	(void)state;
	clock_set(INT64_MIN);
	if (peer.note_free != NULL)
		peer.note_free(peer.note);
	peer = (struct net_peer){ .leaf = NULL };
	return 0;
}

static void
test_expired(void **state)
{
	(void)state;
	connect_as(&late);
	assert_int_equal(trust_judge(trust, &rq)->why, MST_E_TLS_IDEVID_EXPIRED);
	connect_as(&late);
	clock_set(0);
	assert_int_equal(trust_judge(trust, &rq)->class, TRUST_REFUSED);
}

static void
test_new_connection(void **state)
{
	(void)state;
	clock_set(0);
	connect_as(&device);
	assert_int_equal(trust_judge(trust, &rq)->why, MST_E_CLOCK);
	clock_set(INT64_MIN);
	assert_int_equal(trust_judge(trust, &rq)->class, TRUST_IDEVID);
}

static void
test_old_connection(void **state)
{
	(void)state;
	connect_as(&device);
	assert_int_equal(trust_judge(trust, &rq)->class, TRUST_IDEVID);
	clock_set(0);
	assert_int_equal(trust_judge(trust, &rq)->why, MST_E_CLOCK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{ "CLK-2 expired, and the clock falls back", test_expired, NULL, leave, NULL },
		{ "CLK-2 a new connection by a wrong clock", test_new_connection, NULL, leave,
		    NULL },
		{ "CLK-2 an old connection, and the clock falls back", test_old_connection, NULL,
		    leave, NULL },
	};

	return cmocka_run_group_tests_name("the registrar's clock", tests, setup, teardown);
}
