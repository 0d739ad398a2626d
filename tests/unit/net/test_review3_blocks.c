/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of an answer to POST, asked for in ways that must not order it once more (est.md M2). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/net/support_coap.h"

#define SEN COAP_EST "/sen"
#define PIECE(num) ((long)((num) << 4 | 4)) /* of 256 bytes */

static struct coap_world world;
static uint8_t csr[700];

static int
start(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof csr; i++)
		csr[i] = (uint8_t)(i * 13);
	coap_world_start(&world, NULL);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	coap_world_stop(&world);
	return 0;
}

/* RFC 7959 3.3 has no payload there; a client that repeats it still asks for a piece. */
static void
m2_a_follow_up_with_its_payload_is_no_new_request(void **state)
{
	struct coap_ask a = COAP_ASK_POST(SEN, 286, mst_span_of(csr, sizeof csr));
	int before = coap_handled(&world);
	struct coap_client c;
	struct coap_got g;

	(void)state;
	coap_client_open(&c, world.port, NULL);
	a.block2 = PIECE(0);
	coap_ask(&c, &a, &g);
	assert_int_equal(g.m.code, COAP_CHANGED);
	assert_true(coap_block_of(&g, MST_COAP_BLOCK2).more);
	a.block2 = PIECE(1);
	coap_ask(&c, &a, &g);
	assert_int_equal(coap_handled(&world), before + 1);
	assert_int_equal(g.m.code, COAP_CHANGED);
	assert_int_equal(g.m.payload.len, 256);
	assert_memory_equal(g.m.payload.ptr, csr + 256, 256);
	coap_client_close(&c);
}

/* It would be carried out, and its answer not be delivered: there is no such piece, or half. */
static void
m2_a_post_that_wants_the_middle_is_not_carried_out(void **state)
{
	struct coap_ask a = COAP_ASK_POST(SEN, 286, mst_span_of(csr, sizeof csr));
	int before = coap_handled(&world);
	struct coap_client c;
	struct coap_got g;

	(void)state;
	coap_client_open(&c, world.port, NULL);
	a.block2 = PIECE(1);
	coap_ask(&c, &a, &g);
	assert_int_equal(g.m.code, 408);
	a.block2 = PIECE(500);
	coap_ask(&c, &a, &g);
	assert_int_equal(g.m.code, 408);
	assert_int_equal(coap_handled(&world), before);
	coap_client_close(&c);
}

/* The same of a request in pieces: its last one must not be thrown away with the certificate. */
static void
m2_a_last_piece_that_wants_the_middle_is_not_carried_out(void **state)
{
	struct coap_ask a = COAP_ASK_POST(SEN, 286, mst_span_of(csr, 256));
	int before = coap_handled(&world);
	struct coap_client c;
	struct coap_got g;

	(void)state;
	coap_client_open(&c, world.port, NULL);
	a.block1 = 0 << 4 | 8 | 4;
	coap_ask(&c, &a, &g);
	assert_int_equal(g.m.code, COAP_CONTINUE);
	a.block1 = 1 << 4 | 4;
	a.block2 = PIECE(500);
	a.payload = mst_span_of(csr + 256, 200);
	coap_ask(&c, &a, &g);
	assert_int_equal(coap_handled(&world), before);
	assert_true(g.m.code >= 400);
	coap_client_close(&c);
}

/* The first blocks of a request, all but the last; the code of the latest answer. */
static unsigned
begin_request(struct coap_client *c, unsigned blocks)
{
	static const uint8_t piece[1024];
	struct coap_ask a = COAP_ASK_POST(SEN, 286, mst_span_of(piece, sizeof piece));
	struct coap_got g;

	for (unsigned i = 0; i < blocks; i++) {
		a.block1 = (long)(i << 4 | 8 | 6);
		coap_ask(c, &a, &g);
	}
	return g.m.code;
}

/* 35 kB a second from one host with made-up certificates kept every pledge from its voucher. */
static void
m5_who_holds_most_gives_way_to_who_needs_little(void **state)
{
	static const struct net_coaps_limits limits = { .body_total = 40000, .body_bytes = 16384 };
	struct coap_client greedy[2], modest;
	struct coap_world w;

	(void)state;
	coap_world_start(&w, &limits);
	for (size_t i = 0; i < 2; i++) {
		coap_client_open(&greedy[i], w.port, NULL);
		assert_int_equal(begin_request(&greedy[i], 9), COAP_CONTINUE); /* 16384 each */
	}
	coap_client_open(&modest, w.port, NULL);
	assert_int_equal(begin_request(&modest, 7), COAP_CONTINUE);
	coap_client_close(&modest);
	for (size_t i = 0; i < 2; i++)
		coap_client_close(&greedy[i]);
	coap_world_stop(&w);
}

/* Among equals the first ones stay: else nobody would ever get to the end. */
static void
m5_equals_do_not_give_way(void **state)
{
	static const struct net_coaps_limits limits = { .body_total = 2048 };
	struct coap_client c[3];
	struct coap_world w;

	(void)state;
	coap_world_start(&w, &limits);
	for (size_t i = 0; i < 3; i++)
		coap_client_open(&c[i], w.port, NULL);
	assert_int_equal(begin_request(&c[0], 1), COAP_CONTINUE);
	assert_int_equal(begin_request(&c[1], 1), COAP_CONTINUE);
	assert_int_equal(begin_request(&c[2], 1), 503);
	for (size_t i = 0; i < 3; i++)
		coap_client_close(&c[i]);
	coap_world_stop(&w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(m2_a_follow_up_with_its_payload_is_no_new_request),
		cmocka_unit_test(m2_a_post_that_wants_the_middle_is_not_carried_out),
		cmocka_unit_test(m2_a_last_piece_that_wants_the_middle_is_not_carried_out),
		cmocka_unit_test(m5_who_holds_most_gives_way_to_who_needs_little),
		cmocka_unit_test(m5_equals_do_not_give_way),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
