/* SPDX-License-Identifier: Apache-2.0 */
/* A connection whose verdict finds no memory is refused, and ends like any other. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/trust/trust.h"
#include "tests/unit/registrar/support_id.h"

static struct arena *area;
static char dir[64];
static struct store *store;
static struct trust *trust;
static struct id maker, device;
static bool no_memory;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *
__wrap_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __real_calloc(n, size);
}

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
	maker = ID(.kind = ID_CA, .cn = "maker");
	device = ID(.kind = ID_DEVICE, .cn = "d", .serial_number = "S-1", .issuer = &maker);
	m.anchors_pem = pem_of(area, &maker.cert, 1);
	strcpy(dir, "/tmp/muster-memory-XXXXXX");
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
	arena_free(area);
	return 0;
}

static void
a_connection_without_memory_for_its_note_is_refused_and_ends(void **state)
{
	struct net_peer before = { .leaf = device.cert }, peer = before;
	struct net_request first = { .peer = &before }, rq = { .peer = &peer };
	const struct trust_verdict *v;

	(void)state;
	assert_int_equal(trust_judge(trust, &first)->class, TRUST_IDEVID); /* the reader is open */
	before.note_free(before.note);
	no_memory = true;
	v = trust_judge(trust, &rq);
	no_memory = false;
	assert_int_equal(v->class, TRUST_REFUSED);
	assert_int_equal(v->why, MST_E_NOMEM);
	if (peer.note_free != NULL) /* as the connection does when it ends */
		peer.note_free(peer.note);
}

static void
with_memory_again_the_same_connection_is_judged(void **state)
{
	struct net_peer peer = { .leaf = device.cert };
	struct net_request rq = { .peer = &peer };

	(void)state;
	no_memory = true;
	assert_int_equal(trust_judge(trust, &rq)->why, MST_E_NOMEM);
	no_memory = false;
	assert_int_equal(trust_judge(trust, &rq)->class, TRUST_IDEVID);
	peer.note_free(peer.note);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_without_memory_for_its_note_is_refused_and_ends),
		cmocka_unit_test(with_memory_again_the_same_connection_is_judged),
	};

	return cmocka_run_group_tests_name("verdicts without memory", tests, setup, teardown);
}
