/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Same verdict as HTTPS for the same device" (issue 3, item 7): each row of
 * rows_brski.c and rows_est.c is asked by two devices with the same one thing
 * wrong, over HTTPS and over CoAPS. Both must be told the row's number, as
 * err.def says it for their wire; log line, newest row of the trail, words,
 * states and delays must be the same, and nothing may be kept that a later
 * step would trust. BY_TABLE: over CoAPS a content-format that a resource does
 * not take is refused before the role is asked, with the same number.
 *
 * Of the refusals that HTTPS has, these cannot be made to happen over CoAPS:
 * - whoever has no certificate (TLS_NO_CLIENT_CERT): there is no session, which
 *   the rows NO_SESSION hold;
 * - HTTP Basic and what follows from it (A2, A3, plain clients, EST_BARRED,
 *   EST_USER_GONE, CSR_NAME, HTTP_AUTH): CoAP has no such thing;
 * - base64 (HT-4, B1 to B6, BASE64, BASE64_RAW_DER): RFC 9148 sends DER;
 * - no Content-Type: the resource's own format is meant (est.md F2);
 * - vouchers in CMS and JWS: rv takes 836 alone; sent as such they are rows;
 * - fullcmc, and serverkeygen where it is off (EST_DISABLED): no such resource;
 * - crts and att for strangers: HTTPS serves anybody (A1), CoAPS nobody (D3),
 *   tests/interop/coap.bash;
 * - TLS 1.3 and resumption (15.10), header lines, chunks, HEAD (15.5, 15.6):
 *   HTTP's and TLS's own. What CoAP has instead is in tests/unit/net.
 * And these by no request at all: a clock that nobody trusts (CLK-1), a daemon
 * that is restarted or rejects meanwhile, a device whose row is gone, and the
 * MASA's refusals of what only a registrar writes (8.4 steps 3 to 6 and 9):
 * this registrar writes none of it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/twins/twins.h"

static const char *const wires[] = { "HTTPS", "CoAPS" };

static bool
ends_connection(mst_err e)
{
	return e == MST_E_PVR_ASSERTION || e == MST_E_PVR_PROXIMITY || e == MST_E_CSR_BINDING;
}

static void
run_on(const struct twin_case *c, enum wire wire, struct twin_verdict *v)
{
	struct twin t;

	twin_begin(&t, wire, c->op);
	c->bend(&t);
	t.ends = ends_connection(c->want);
	twin_ask(&t, v);
	twin_end(&t);
}

static void
is_text(enum wire wire, const char *what, const char *got, const char *want)
{
	if (strcmp(got, want) != 0)
		fail_msg("%s: %s is %s, not %s", wires[wire], what, got, want);
}

static void
is_number(enum wire wire, const char *what, long got, long want)
{
	if (got != want)
		fail_msg("%s: %s is %ld, not %ld", wires[wire], what, got, want);
}

static void
check_good(enum wire wire, const struct twin_verdict *v)
{
	is_number(wire, "connected", v->connected, true);
	if (v->status / 100 != 2)
		fail_msg("%s: %d %s", wires[wire], v->status, v->body);
	is_text(wire, "name", v->name, "");
	is_number(wire, "kept", v->kept, true);
}

static void
check_refusal(const struct twin_case *c, enum wire wire, const struct twin_verdict *v)
{
	const struct mst_err_info *i = mst_err_info(c->want);
	bool answered = (c->flags & ANSWERED) != 0;

	if (!v->connected)
		fail_msg("%s: no connection", wires[wire]);
	if (answered && v->name[0] == '\0') { /* what is reported is accepted; the row has it */
		is_text(wire, "row", mst_err_info(v->trail)->name, i->name);
	} else {
		is_text(wire, "name", v->name, i->name);
		is_text(wire, "code", v->code, i->code);
	}
	if (answered)
		is_number(wire, "status", v->status / 100, 2);
	else
		is_number(wire, "status", v->status, wire == ON_COAPS ? i->coap : i->http);
	if (!answered && (wire == ON_COAPS || i->http != 202) && strstr(v->body, i->code) == NULL)
		fail_msg("%s: %s does not say %s", wires[wire], v->body, i->code);
	is_number(wire, "ended", v->ended, ends_connection(c->want));
	is_text(
	    wire, "the MASA's name", v->masa, c->masa != MST_OK ? mst_err_info(c->masa)->name : "");
	if (!answered)
		is_number(wire, "kept", v->kept, false);
}

static void
check_same(const struct twin_case *c, const struct twin_verdict v[WIRES])
{
	const struct twin_verdict *h = &v[ON_HTTPS], *d = &v[ON_COAPS];

	if ((c->flags & BY_TABLE) == 0) {
		is_text(ON_COAPS, "step", d->step, h->step);
		is_text(ON_COAPS, "detail", d->detail, h->detail);
		is_text(ON_COAPS, "newest row", mst_err_info(d->trail)->name,
		    mst_err_info(h->trail)->name);
	}
	is_number(ON_COAPS, "state", d->state, h->state);
	is_number(ON_COAPS, "audit verdict", d->audit, h->audit);
	is_number(ON_COAPS, "kept", d->kept, h->kept);
	if (h->wait >= 0 || d->wait >= 0)
		is_number(ON_COAPS, "wait", d->wait, h->wait);
}

static void
test_case(void **state)
{
	const struct twin_case *c = *state;
	struct twin_verdict v[WIRES];

	for (int w = 0; w < WIRES; w++) {
		run_on(c, (enum wire)w, &v[w]);
		if (w == ON_COAPS && (c->flags & NO_SESSION) != 0) {
			is_number(ON_COAPS, "connected", v[w].connected, false);
			is_number(ON_COAPS, "kept", v[w].kept, false);
			return;
		}
		if (c->want == MST_OK)
			check_good((enum wire)w, &v[w]);
		else
			check_refusal(c, (enum wire)w, &v[w]);
	}
	check_same(c, v);
}

static int
setup(void **state)
{
	(void)state;
	twins_start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	twins_stop();
	return 0;
}

int
main(void)
{
	static struct CMUnitTest tests[400];
	size_t n = 0;

	if (brski_case_count + est_case_count > sizeof tests / sizeof tests[0])
		return 1;
	for (size_t i = 0; i < brski_case_count + est_case_count; i++) {
		const struct twin_case *c =
		    i < brski_case_count ? &brski_cases[i] : &est_cases[i - brski_case_count];

		tests[n++] =
		    (struct CMUnitTest){ c->name, test_case, NULL, NULL, (void *)(uintptr_t)c };
	}
	return _cmocka_run_group_tests("twins", tests, n, setup, teardown);
}
