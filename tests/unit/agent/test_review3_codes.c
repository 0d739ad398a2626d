/* SPDX-License-Identifier: Apache-2.0 */
/* Codes of CoAP that look like others' of HTTP: 2.02 is no 202, 2.00 no 200 (13.1, CO-3). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/agent_store.h"
#include "unit/agent/support_coap_ra.h"
#include "unit/agent/support_world.h"

static void (*honest)(struct coap_toy *, const struct coap_toy_request *, struct coap_toy_answer *);
static int code;

/* The honest registrar, but for the code of its voucher. */
static void
with_code(struct coap_toy *t, const struct coap_toy_request *q, struct coap_toy_answer *r)
{
	honest(t, q, r);
	if (strstr(q->path, "/rv") != NULL)
		r->code = code;
}

static void
voucher_with(int its)
{
	struct agent_record kept;
	struct coap_ra r;
	struct world w;
	char lines[128];

	world_open(&w, TOY_HONEST);
	coap_ra_start(&r, world_pki(), TOY_HONEST);
	honest = r.toy.serve;
	code = its;
	r.toy.serve = with_code;
	snprintf(lines, sizeof lines, "transport = \"coaps\"\nregistrars = { \"127.0.0.1:%d\" }\n",
	    r.toy.port);
	world_configure(&w, lines);
	assert_int_not_equal(world_run(&w, AGENT_ONCE, 2), AGENT_OK);
	assert_true(world_logged(&w, mst_err_info(MST_E_PLEDGE_PROTOCOL)->code));
	assert_int_equal(agent_record_read(w.state, &kept), MST_E_NOT_FOUND);
	coap_ra_stop(&r);
	world_close(&w);
}

/* Deleted. Taken for 202, a pledge waited for four days. */
static void
CO_3_202_of_CoAP_is_no_delay(void **state)
{
	(void)state;
	voucher_with(202);
}

/* Not assigned (RFC 7252 12.1.2). */
static void
CO_3_200_of_CoAP_is_no_success(void **state)
{
	(void)state;
	voucher_with(200);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(CO_3_202_of_CoAP_is_no_delay),
		cmocka_unit_test(CO_3_200_of_CoAP_is_no_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
