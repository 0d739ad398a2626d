/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar over TLS, with a MASA that lies, hangs and comes back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "muster/base64.h"
#include "server/admin/admin.h"
#include "tests/unit/registrar/support_site.h"

static void
is(mst_err got, mst_err want)
{
	assert_string_equal(mst_err_info(got)->name, mst_err_info(want)->name);
}

static bool
says(const struct got *g, const char *text)
{
	return memmem(g->body.ptr, g->body.len, text, strlen(text)) != NULL;
}

#define N(x) "bm9uY2Ugb2YgdGVzdCAwM" x /* base64 text of a nonce, made different by x */

/* --- good --- */

static void
test_good(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span pvr = site_pvr(d, serial, N("AA="));
	struct got g = site_ask(d, pvr), again;
	struct exchange x;
	struct device row;

	(void)state;
	assert_int_equal(g.status, 200);
	assert_string_equal(g.type, mst_media_type(site.media));
	assert_int_equal(atomic_load(&site.calls), 1);
	row = site_row(serial);
	assert_int_equal(row.state, DEVICE_VOUCHER);
	assert_int_equal(row.audit_verdict, -1);
	is(site_trail(serial, STEP_PVR), MST_OK);
	is(site_trail(serial, STEP_VOUCHER), MST_OK);
	assert_int_equal(site_exchanges(serial, &x), 1);
	assert_true(mst_span_eq(x.pvr, pvr));
	assert_true(mst_span_eq(x.voucher, g.body)); /* 5.6: byte-identical */
	/* the answer was lost: 8.2 step 9 */
	again = site_ask(d, pvr);
	assert_int_equal(again.status, 200);
	assert_true(mst_span_eq(again.body, g.body));
	assert_int_equal(atomic_load(&site.calls), 1);
	/* and after a restart */
	site_restart();
	again = site_ask(d, pvr);
	assert_int_equal(again.status, 200);
	assert_true(mst_span_eq(again.body, g.body));
	assert_int_equal(atomic_load(&site.calls), 1);
}

static void
test_replay(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	struct got g = site_ask(d, site_pvr(d, serial, N("BB=")));

	(void)state;
	assert_int_equal(g.status, 200);
	site_sleep_ms(1100); /* another created-on, so other bytes */
	g = site_ask(d, site_pvr(d, serial, N("BB=")));
	assert_int_equal(g.status, 403);
	is(site_trail(serial, STEP_DECISION), MST_E_PVR_REPLAY);
	assert_int_equal(atomic_load(&site.calls), 1);
}

/* Another device's PVR, forwarded: the bytes are known, the client is not their signer. */
static void
test_foreign_replay(void **state)
{
	const char *serial, *other;
	const struct id *d = site_device(&serial), *thief = site_device(&other);
	mst_span pvr = site_pvr(d, serial, N("CC="));
	struct got g = site_ask(d, pvr);

	(void)state;
	assert_int_equal(g.status, 200);
	g = site_ask(thief, pvr);
	assert_int_equal(g.status, 403);
	assert_true(says(&g, "MU-2101"));
}

/* --- what the MASA answers --- */

static const struct masa_row {
	const char *name;
	enum masa_mode mode;
	int status;
	mst_err want;
} masas[] = {
	{ "8.6 MASA_VOUCHER: wrong nonce", MASA_WRONG_NONCE, 502, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: wrong serial", MASA_WRONG_SERIAL, 502, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: wrong pin", MASA_WRONG_PIN, 502, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_VOUCHER: wrong signer", MASA_WRONG_SIGNER, 502, MST_E_MASA_VOUCHER },
	{ "8.6 MASA_FORMAT: garbage", MASA_GARBAGE, 502, MST_E_MASA_FORMAT },
	{ "8.6 MASA_FORMAT: another media type", MASA_WRONG_TYPE, 502, MST_E_MASA_FORMAT },
	{ "8.6 MASA_FORMAT: empty", MASA_EMPTY, 502, MST_E_MASA_FORMAT },
	{ "8.6 MASA_FORMAT: too large", MASA_TOO_LARGE, 502, MST_E_MASA_FORMAT },
	{ "8995-5.4.1 MASA_AUTH: 401", MASA_401, 502, MST_E_MASA_AUTH },
	{ "HT-2 MASA_REJECTED: 400 keeps its class", MASA_400, 403, MST_E_MASA_REJECTED },
	{ "HT-2 MASA_REJECTED: 403 stays 403", MASA_403, 403, MST_E_MASA_REJECTED },
	{ "HT-2 MASA_UNKNOWN: 404 stays 404", MASA_404, 404, MST_E_MASA_UNKNOWN },
	{ "HT-2 MASA_MEDIA: 406 stays 406", MASA_406, 406, MST_E_MASA_MEDIA },
	{ "HT-2 MASA_MEDIA: 415 keeps its class", MASA_415, 406, MST_E_MASA_MEDIA },
	{ "8995-5.6 MASA_FORMAT: 302 is not followed", MASA_302, 502, MST_E_MASA_FORMAT },
	{ "8995-5.6 MASA_UNREACHABLE: 500", MASA_500, 504, MST_E_MASA_UNREACHABLE },
	{ "8995-5.6 MASA_BUSY: 202", MASA_202, 202, MST_E_MASA_BUSY },
};

static void
test_masa(void **state)
{
	const struct masa_row *r = *state;
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span pvr = site_pvr(d, serial, N("DD="));
	struct exchange x;
	struct device row;
	struct got g;

	atomic_store(&site.mode, r->mode);
	g = site_ask(d, pvr);
	assert_int_equal(g.status, r->status);
	is(site_trail(serial, STEP_VOUCHER), r->want);
	assert_false(says(&g, "SECRET")); /* HT-2 */
	if (r->status == 202) {
		assert_int_equal(g.body.len, 0);
		assert_string_equal(g.retry_after, "33"); /* the MASA's own */
	}
	/* nothing that a later step would trust */
	row = site_row(serial);
	assert_int_equal(row.state, DEVICE_SEEN);
	assert_int_equal(row.voucher_at, 0);
	assert_int_equal(site_exchanges(serial, &x), 1);
	assert_null(x.voucher.ptr);
	is(x.result, r->want);
	/* the MASA comes to its senses: the same bytes get their voucher, with the same RVR */
	atomic_store(&site.mode, MASA_GOOD);
	g = site_ask(d, pvr);
	assert_int_equal(g.status, 200);
	assert_int_equal(site_row(serial).state, DEVICE_VOUCHER);
}

/* RFC 8995 5.1: 202 before the pledge loses its patience; the exchange goes on. */
static void
test_slow(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span pvr = site_pvr(d, serial, N("EE="));
	struct got g;

	(void)state;
	atomic_store(&site.mode, MASA_SLOW);
	g = site_ask(d, pvr);
	assert_int_equal(g.status, 202);
	assert_string_equal(g.retry_after, "7");
	g = site_ask(d, pvr); /* joins, whichever loop it comes to */
	assert_true(g.status == 200 || g.status == 202);
	for (int i = 0; i < 30 && g.status == 202; i++) {
		site_sleep_ms(200);
		g = site_ask(d, pvr);
	}
	assert_int_equal(g.status, 200);
	assert_int_equal(atomic_load(&site.calls), 1);
	assert_int_equal(site_trail_count(serial, STEP_VOUCHER, MST_OK), 1);
	assert_int_equal(site_trail_count(serial, STEP_PVR, MST_OK), 1);
}

#define ASKERS 4
struct asker {
	const struct id *d;
	mst_span pvr;
	int status;
	pthread_t thread;
};

/* Its own certificate and bodies only: the site's arena is the main thread's. */
static void *
ask_too(void *arg)
{
	struct asker *k = arg;

	k->status = site_ask_quietly(k->d, k->pvr);
	return NULL;
}

/* The same bytes many times at once: one MASA call, one answer for all. */
static void
test_together(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span pvr = site_pvr(d, serial, N("FF="));
	struct asker k[ASKERS];

	(void)state;
	for (int i = 0; i < ASKERS; i++) {
		k[i] = (struct asker){ .d = d, .pvr = pvr };
		assert_int_equal(pthread_create(&k[i].thread, NULL, ask_too, &k[i]), 0);
	}
	for (int i = 0; i < ASKERS; i++) {
		pthread_join(k[i].thread, NULL);
		assert_true(k[i].status == 200 || k[i].status == 202);
	}
	assert_int_equal(site_ask(d, pvr).status, 200);
	assert_int_equal(atomic_load(&site.calls), 1);
	assert_int_equal(site_trail_count(serial, STEP_VOUCHER, MST_OK), 1);
}

/* A MASA that never answers costs its own devices time, and leaves nothing behind. */
static void
test_hang(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span pvr = site_pvr(d, serial, N("GG="));
	struct exchange x;
	struct got g;

	(void)state;
	atomic_store(&site.mode, MASA_HANG);
	g = site_ask(d, pvr);
	assert_int_equal(g.status, 202);
	for (int i = 0; i < 50 && site_trail(serial, STEP_VOUCHER) == MST_E_INTERNAL; i++)
		site_sleep_ms(200);
	is(site_trail(serial, STEP_VOUCHER), MST_E_MASA_UNREACHABLE);
	assert_int_equal(site_exchanges(serial, &x), 1);
	assert_null(x.voucher.ptr);
	atomic_store(&site.mode, MASA_GOOD);
	g = site_ask(d, pvr);
	assert_int_equal(g.status, 200);
}

/* Down in the middle of an exchange: nothing is lost, nothing is used after it is freed. */
static void
test_restart_meanwhile(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span pvr = site_pvr(d, serial, N("HH="));
	struct got g;

	(void)state;
	atomic_store(&site.mode, MASA_HANG);
	g = site_ask(d, pvr);
	assert_int_equal(g.status, 202);
	site_restart();
	atomic_store(&site.mode, MASA_GOOD);
	g = site_ask(d, pvr);
	assert_int_equal(g.status, 200);
	assert_int_equal(site_trail_count(serial, STEP_PVR, MST_OK), 1);
}

/* --- an operator --- */

struct decision_of {
	const char *serial;
	int decision;
	enum device_state state;
};

static mst_err
decide(struct db *db, void *arg)
{
	struct decision_of *o = arg;
	struct device d;
	mst_err e = device_by_serial(db, site.a, mst_span_str(o->serial), &d);

	if (e != MST_OK)
		return e;
	d.decision = o->decision;
	d.state = o->state;
	return device_save(db, &d);
}

static void
set_mode(enum accept_mode mode)
{
	site.maker_row.mode = mode;
	site_put_maker(&site.maker_row);
}

/* As an operator's command line does it. */
static void
command(const char *verb, const char *serial)
{
	struct admin_config c = { .store = site.store, .net = site.net, .roles = "registrar" };
	char text[200], answer[65536];
	struct admin *admin;
	int in[2], out[2];
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, in), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, out), 0);
	snprintf(
	    text, sizeof text, "{\"verb\":\"%s\",\"args\":{\"serial\":\"%s\"}}\n", verb, serial);
	assert_int_equal(write(in[0], text, strlen(text)), strlen(text));
	assert_int_equal(shutdown(in[0], SHUT_WR), 0);
	assert_int_equal(admin_new(&c, &admin), MST_OK);
	admin_serve(admin, in[1], out[1]);
	admin_free(admin);
	n = read(out[0], answer, sizeof answer);
	assert_true(n > 10);
	assert_memory_equal(answer, "{\"ok\":true", 10);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}

static void
test_pending(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span pvr = site_pvr(d, serial, N("KK="));
	struct exchange x;
	struct got g;

	(void)state;
	set_mode(ACCEPT_ASK);
	for (int i = 0; i < 3; i++) {
		g = site_ask(d, pvr);
		assert_int_equal(g.status, 202);
		assert_string_equal(g.retry_after, "7");
		assert_int_equal(g.body.len, 0);
	}
	assert_int_equal(site_row(serial).state, DEVICE_PENDING);
	/* one row, however often it asks */
	assert_int_equal(site_trail_count(serial, STEP_DECISION, MST_E_AUTHZ_PENDING), 1);
	assert_int_equal(site_exchanges(serial, &x), 0);
	assert_int_equal(atomic_load(&site.calls), 0);
	site_restart();
	g = site_ask(d, pvr);
	assert_int_equal(g.status, 202);
	command("device.accept", serial);
	assert_int_equal(site_row(serial).decision, 1);
	g = site_ask(d, pvr);
	assert_int_equal(g.status, 200);
	set_mode(ACCEPT_AUTO);
}

static void
test_listed(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);

	(void)state;
	set_mode(ACCEPT_LISTED);
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("LL="))).status, 404);
	is(site_trail(serial, STEP_DECISION), MST_E_AUTHZ_UNKNOWN);
	site_write(decide, &(struct decision_of){ serial, -1, DEVICE_RETIRED });
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("LM="))).status, 406);
	is(site_trail(serial, STEP_DECISION), MST_E_AUTHZ_DENIED);
	assert_int_equal(atomic_load(&site.calls), 0);
	set_mode(ACCEPT_AUTO);
}

/* Rejected while the MASA thinks: the voucher that comes is not for it any more. */
static void
test_rejected_meanwhile(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span pvr = site_pvr(d, serial, N("MM="));
	struct exchange x;

	(void)state;
	atomic_store(&site.mode, MASA_SLOW);
	assert_int_equal(site_ask(d, pvr).status, 202);
	site_write(decide, &(struct decision_of){ serial, -1, DEVICE_RETIRED });
	for (int i = 0; i < 50 && site_trail(serial, STEP_VOUCHER) == MST_E_INTERNAL; i++)
		site_sleep_ms(100);
	is(site_trail(serial, STEP_VOUCHER), MST_E_AUTHZ_DENIED);
	assert_int_equal(site_row(serial).state, DEVICE_RETIRED);
	assert_int_equal(site_exchanges(serial, &x), 1);
	assert_null(x.voucher.ptr);
	assert_int_equal(site_ask(d, pvr).status, 406);
}

static void
test_quota(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	int status = 0;

	(void)state;
	for (int i = 0; i < 62 && status != 503; i++)
		status = site_post(
		    d, "requestvoucher", "application/voucher-cms+json", MST_LIT("garbage"))
		             .status;
	assert_int_equal(status, 503);
}

/* --- telemetry and the audit log --- */

#define GOOD "{\"version\":1,\"status\":true}"
#define BAD "{\"version\":1,\"status\":false,\"reason\":\"no\\u001b[31m\\u00fc\"}"

static const struct id *
with_voucher(const char **serial, const char *nonce)
{
	const struct id *d = site_device(serial);

	assert_int_equal(site_ask(d, site_pvr(d, *serial, nonce)).status, 200);
	return d;
}

static void
test_voucher_status(void **state)
{
	const char *serial;
	const struct id *d = with_voucher(&serial, N("NN="));
	struct device row;

	(void)state;
	assert_int_equal(site_status(d, "voucher_status", GOOD).status, 200);
	row = site_row(serial);
	assert_int_equal(row.voucher_status, 1);
	assert_int_equal(row.audit_verdict, 1); /* judged before the answer */
	assert_int_equal(row.state, DEVICE_VOUCHER);
	is(site_trail(serial, STEP_AUDIT), MST_OK);
	/* once judged, it costs the MASA nothing more */
	assert_int_equal(site_status(d, "voucher_status", GOOD).status, 200);
	assert_int_equal(atomic_load(&site.audit_calls), 1);
}

static void
test_voucher_status_bad(void **state)
{
	const char *serial;
	const struct id *d = with_voucher(&serial, N("OO="));

	(void)state;
	assert_int_equal(site_status(d, "voucher_status", BAD).status, 200);
	assert_int_equal(site_row(serial).voucher_status, 0);
	is(site_trail(serial, STEP_VOUCHER_STATUS), MST_E_TELEMETRY_FAILED);
	assert_int_equal(atomic_load(&site.audit_calls), 0);
}

static const struct audit_row {
	const char *name;
	enum audit_mode mode;
	int verdict;
	enum device_state state;
	mst_err want;
} audits[] = {
	{ "AUD-6 FOREIGN: quarantined", AUDIT_FOREIGN, 0, DEVICE_QUARANTINED, MST_E_AUDIT_FOREIGN },
	{ "AUD-6 MISSING_OWN: quarantined", AUDIT_EMPTY, 0, DEVICE_QUARANTINED,
	    MST_E_AUDIT_MISSING_OWN },
	{ "AUD-4 AUDIT_PARSE: garbage is no verdict", AUDIT_GARBAGE, -1, DEVICE_VOUCHER,
	    MST_E_AUDIT_PARSE },
	{ "AUD-2 AUDIT_PARSE: another media type", AUDIT_WRONG_TYPE, -1, DEVICE_VOUCHER,
	    MST_E_AUDIT_PARSE },
	{ "AUD-2 AUDIT_UNAVAILABLE: 404", AUDIT_404, -1, DEVICE_VOUCHER, MST_E_AUDIT_UNAVAILABLE },
	{ "AUD-2 good: 201 with Location", AUDIT_LOCATION, 1, DEVICE_VOUCHER, MST_OK },
	{ "AUD-2 AUDIT_UNAVAILABLE: Location at another host", AUDIT_ELSEWHERE, -1, DEVICE_VOUCHER,
	    MST_E_AUDIT_UNAVAILABLE },
};

static void
test_audit(void **state)
{
	const struct audit_row *r = *state;
	const char *serial;
	const struct id *d = with_voucher(&serial, N("PP="));
	struct device row;

	atomic_store(&site.audit, r->mode);
	assert_int_equal(site_status(d, "voucher_status", GOOD).status, 200);
	row = site_row(serial);
	assert_int_equal(row.audit_verdict, r->verdict);
	assert_int_equal(row.state, r->state);
	is(site_trail(serial, STEP_AUDIT), r->want);
	if (r->verdict == 0) { /* and from here on no voucher either */
		assert_int_equal(site_ask(d, site_pvr(d, serial, N("PQ="))).status, 403);
		is(site_trail(serial, STEP_DECISION), MST_E_AUTHZ_QUARANTINED);
	}
}

static const struct telemetry_row {
	const char *name, *type, *body;
	int status;
	mst_err want;
} telemetries[] = {
	{ "10 TELEMETRY_PARSE: no JSON", "application/json", "no", 400, MST_E_TELEMETRY_PARSE },
	{ "10 TELEMETRY_PARSE: no status", "application/json", "{\"version\":1}", 400,
	    MST_E_TELEMETRY_PARSE },
	{ "10 TELEMETRY_PARSE: status as text", "application/json",
	    "{\"version\":1,\"status\":\"true\"}", 400, MST_E_TELEMETRY_PARSE },
	{ "10 TELEMETRY_PARSE: empty", "application/json", "", 400, MST_E_TELEMETRY_PARSE },
	{ "10 TELEMETRY_PARSE: JSON sent as CBOR", "application/cbor", GOOD, 400,
	    MST_E_TELEMETRY_PARSE },
	{ "3 MEDIA_UNSUPPORTED: text", "text/plain", GOOD, 415, MST_E_MEDIA_UNSUPPORTED },
	{ "TEL-3 good: a newer version", "application/json; charset=utf-8",
	    "{\"version\":2,\"status\":true,\"more\":1}", 200, MST_OK },
};
static const struct id *reporter;
static const char *reporter_serial;

static void
test_telemetry(void **state)
{
	const struct telemetry_row *r = *state;
	struct got g;

	if (reporter == NULL)
		reporter = with_voucher(&reporter_serial, N("RR="));
	g = site_post(reporter, "voucher_status", r->type, mst_span_str(r->body));
	assert_int_equal(g.status, r->status);
	if (r->want != MST_OK)
		assert_true(says(&g, mst_err_info(r->want)->code));
}

static void
test_status_clients(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);

	(void)state;
	/* nobody gave it a voucher */
	assert_int_equal(site_status(d, "voucher_status", GOOD).status, 403);
	assert_int_equal(site_row(serial).id, 0);
	assert_int_equal(site_status(NULL, "voucher_status", GOOD).status, 401);
	assert_int_equal(site_status(&site.stranger, "voucher_status", GOOD).status, 403);
	assert_int_equal(site_status(&site.stranger, "enrollstatus", GOOD).status, 403);
}

static void
test_enrollstatus(void **state)
{
	const char *serial, *other;
	const struct id *d = with_voucher(&serial, N("SS="));
	struct id ldevid, forged;

	(void)state;
	/* success, and no certificate was issued */
	assert_int_equal(site_status(d, "enrollstatus", GOOD).status, 403);
	is(site_trail(serial, STEP_ENROLLSTATUS), MST_E_TELEMETRY_CLIENT);
	/* failure on the IDevID's connection: TEL-2 */
	assert_int_equal(site_status(d, "enrollstatus", BAD).status, 200);
	assert_int_equal(site_row(serial).enroll_status, 0);
	ldevid = site_ldevid(serial);
	/* success shown with the IDevID is noted and proves nothing */
	assert_int_equal(site_status(d, "enrollstatus", GOOD).status, 200);
	assert_int_equal(site_row(serial).state, DEVICE_ENROLLED);
	assert_int_equal(site_status(&ldevid, "enrollstatus", GOOD).status, 200);
	assert_int_equal(site_row(serial).state, DEVICE_ACTIVE);
	assert_int_equal(site_row(serial).enroll_status, 1);
	/* an LDevID is no pledge */
	assert_int_equal(site_status(&ldevid, "voucher_status", GOOD).status, 403);
	assert_int_equal(site_ask(&ldevid, site_pvr(d, serial, N("ST="))).status, 403);
	/* signed by our CA, never recorded */
	(void)with_voucher(&other, N("SU="));
	forged = ID(.kind = ID_DEVICE, .cn = other, .issuer = &site.root);
	assert_int_equal(site_status(&forged, "enrollstatus", GOOD).status, 403);
	assert_int_equal(site_row(other).state, DEVICE_VOUCHER);
	id_free(&ldevid);
	id_free(&forged);
}

static void
start_sweep(void *arg)
{
	(void)arg;
	registrar_sweep_start(site.registrar_role);
}

/* A sweep takes a few of a manufacturer: the devices that other tests left go before. */
static mst_err
settle_all(struct db *db, void *arg)
{
	struct device *list;
	size_t n;
	mst_err e = device_list(db, site.a, DEVICE_VOUCHER, MST_NONE, 1000, &list, &n);

	(void)arg;
	for (size_t i = 0; e == MST_OK && i < n; i++) {
		list[i].audit_verdict = 1;
		e = device_save(db, &list[i]);
	}
	return e;
}

/* TEL-4: no report comes, the log is judged all the same. */
static void
test_sweep(void **state)
{
	const char *serial;

	(void)state;
	site_write(settle_all, NULL);
	(void)with_voucher(&serial, N("TT="));
	assert_int_equal(site_row(serial).audit_verdict, -1);
	net_post(net_loop_at(site.net, 0), start_sweep, NULL);
	for (int i = 0; i < 80 && site_row(serial).audit_verdict < 0; i++)
		site_sleep_ms(250);
	assert_int_equal(site_row(serial).audit_verdict, 1);
}

/* --- HT-4: a manufacturer whose old pledges send base64 --- */

static void
set_base64(bool on)
{
	site.maker_row.legacy_base64 = on;
	site_put_maker(&site.maker_row);
}

/* Lines of width characters; 0: one line. */
static mst_span
in_base64(mst_span der, size_t width)
{
	struct mst_buf text = arena_buf(site.a, MST_BASE64_LEN(der.len)), out;

	out = arena_buf(site.a, 2 * MST_BASE64_LEN(der.len));
	assert_int_equal(mst_base64_encode(der, &text), MST_OK);
	for (size_t i = 0, n; i < text.len; i += n) {
		n = width != 0 && text.len - i > width ? width : text.len - i;
		assert_int_equal(mst_buf_put(&out, mst_span_of(text.ptr + i, n)), MST_OK);
		if (width != 0)
			assert_int_equal(mst_buf_put(&out, MST_LIT("\r\n")), MST_OK);
	}
	return mst_buf_span(&out);
}

/* As the bytes that were signed it is judged, kept and told to the MASA; nothing is sent so. */
static void
test_base64(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span pvr = site_pvr(d, serial, N("WA="));
	struct exchange x;
	struct got g;

	(void)state;
	set_base64(true);
	g = site_ask(d, in_base64(pvr, 0));
	assert_int_equal(g.status, 200);
	assert_int_equal(g.body.ptr[0], 0x30);
	assert_int_equal(site_exchanges(serial, &x), 1);
	assert_true(mst_span_eq(x.pvr, pvr));
	is(site_trail(serial, STEP_VOUCHER), MST_OK);
	/* the same request, however it is written: 8.2 step 9 */
	assert_int_equal(site_ask(d, in_base64(pvr, 64)).status, 200);
	assert_int_equal(site_ask(d, pvr).status, 200);
	assert_int_equal(atomic_load(&site.calls), 1);
	set_base64(false);
	g = site_ask(d, in_base64(pvr, 64));
	assert_int_equal(g.status, 400);
	is(site_trail(serial, STEP_PVR), MST_E_PVR_PARSE);
}

/* Allowed is base64, not anything that begins like it; and what is in it is judged as ever. */
static void
test_base64_refused(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span good = in_base64(site_pvr(d, serial, N("WB=")), 0), bad;
	uint8_t *copy = (uint8_t *)arena_str(site.a, good);
	struct got g;

	(void)state;
	set_base64(true);
	copy[good.len / 2] = '*';
	g = site_ask(d, mst_span_of(copy, good.len));
	assert_int_equal(g.status, 400);
	assert_true(says(&g, mst_err_info(MST_E_PVR_PARSE)->code));
	g = site_ask(d, mst_span_of(good.ptr, good.len - 3));
	assert_int_equal(g.status, 400);
	bad = in_base64(site_pvr(d, "D-99", N("WC=")), 0);
	g = site_ask(d, bad);
	assert_int_equal(g.status, 403);
	assert_true(says(&g, mst_err_info(MST_E_PVR_SERIAL)->code));
	assert_int_equal(atomic_load(&site.calls), 0);
	assert_int_equal(site_ask(d, good).status, 200);
	set_base64(false);
}

/* --- SEC-3: who was enrolled and begins anew --- */

/* The words of the newest row of a step. */
static const char *
words_of(const char *serial, enum step step)
{
	struct device d = site_row(serial);
	struct trail *rows;
	size_t n;

	assert_int_equal(
	    trail_list(store_reader(site.store), site.a, d.id, 0, 1000, &rows, &n), MST_OK);
	while (n-- > 0)
		if (rows[n].step == step)
			return rows[n].detail != NULL ? rows[n].detail : "";
	return "no row";
}

static void
test_bootstraps_again(void **state)
{
	const char *serial, *wants = "a device that was enrolled bootstraps again (SEC-3)";
	const struct id *d = with_voucher(&serial, N("XA="));
	struct device row;
	struct id ldevid, second;

	(void)state;
	assert_string_equal(words_of(serial, STEP_VOUCHER), ""); /* the first is nothing odd */
	assert_int_equal(site_status(d, "voucher_status", GOOD).status, 200);
	assert_int_equal(atomic_load(&site.audit_calls), 1);
	ldevid = site_ldevid(serial);
	assert_int_equal(site_row(serial).state, DEVICE_ENROLLED);
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("XB="))).status, 200);
	assert_string_equal(words_of(serial, STEP_VOUCHER), wants);
	row = site_row(serial); /* what was found good before is not good for this */
	assert_int_equal(row.state, DEVICE_VOUCHER);
	assert_int_equal(row.audit_verdict, -1);
	assert_int_equal(row.voucher_status, -1);
	/* 11.4: the audit log is fetched again, not remembered */
	assert_int_equal(site_status(d, "voucher_status", GOOD).status, 200);
	assert_int_equal(atomic_load(&site.audit_calls), 2);
	/* the certificate of before proves no enrolment of now */
	assert_int_equal(site_status(&ldevid, "enrollstatus", GOOD).status, 403);
	/* and from the state after enrolment was reported */
	second = site_ldevid(serial);
	assert_int_equal(site_status(&second, "enrollstatus", GOOD).status, 200);
	assert_int_equal(site_row(serial).state, DEVICE_ACTIVE);
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("XC="))).status, 200);
	assert_string_equal(words_of(serial, STEP_VOUCHER), wants);
	id_free(&ldevid);
	id_free(&second);
}

/* The same serial number with another key, which re-issued IDevIDs have: the row says it. */
static void
test_another_key(void **state)
{
	const char *serial;
	const struct id *d = with_voucher(&serial, N("XD="));
	struct id other =
	    ID(.kind = ID_DEVICE, .cn = serial, .serial_number = serial, .issuer = &site.maker);

	(void)state;
	assert_string_equal(words_of(serial, STEP_PVR), "");
	assert_int_equal(site_ask(&other, site_pvr(&other, serial, N("XE="))).status, 200);
	assert_string_equal(
	    words_of(serial, STEP_PVR), "it shows another IDevID key than before (SEC-3)");
	(void)d;
	id_free(&other);
}

static int
setup(void **state)
{
	(void)state;
	site_start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	site_stop();
	return 0;
}

static struct CMUnitTest tests[256];

#define ADD(rows, fn)                                                                              \
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)                                  \
		tests[n++] = (struct CMUnitTest)                                                   \
		{                                                                                  \
			rows[i].name, fn, NULL, NULL, (void *)(uintptr_t)&rows[i]                  \
		}

/* The first count tests once more, with pledges of another form. */
static size_t
again_in(struct arena *a, int (*form)(void **), const char *suffix, size_t count, size_t n)
{
	for (size_t i = 0; i < count; i++) {
		tests[n] = tests[i];
		tests[n].name = arena_printf(a, "%s, %s", tests[i].name, suffix);
		tests[n].setup_func = form;
		tests[n++].teardown_func = site_in_cms;
	}
	return n;
}

int
main(void)
{
	static const struct CMUnitTest single[] = {
		{ "8995-5.2 PVR_REPLAY: the nonce in another PVR", test_replay, NULL, NULL, NULL },
		{ "8.2-4 PVR_SIGNATURE: a stored PVR from another client", test_foreign_replay,
		    NULL, NULL, NULL },
		{ "8995-5.1 a slow MASA: 202, then its voucher, one call", test_slow, NULL, NULL,
		    NULL },
		{ "8995-5.1 the same bytes four times at once: one call", test_together, NULL, NULL,
		    NULL },
		{ "8995-5.1 a MASA that hangs", test_hang, NULL, NULL, NULL },
		{ "8995-5.1 restart while the MASA hangs", test_restart_meanwhile, NULL, NULL,
		    NULL },
		{ "8.2-8 pending, restart, accepted", test_pending, NULL, NULL, NULL },
		{ "8.2-8 unknown, then refused", test_listed, NULL, NULL, NULL },
		{ "8.2-8 rejected while the MASA thinks", test_rejected_meanwhile, NULL, NULL,
		    NULL },
		{ "8995-11.1 QUOTA: a device that never stops", test_quota, NULL, NULL, NULL },
		{ "TEL-1 voucher_status bad", test_voucher_status_bad, NULL, NULL, NULL },
		{ "TEL-3 reports from who has nothing to report", test_status_clients, NULL, NULL,
		    NULL },
		{ "TEL-2 enrollstatus: IDevID, LDevID, forged", test_enrollstatus, NULL, NULL,
		    NULL },
		{ "HT-4 good: base64 where the entry allows it", test_base64, NULL, NULL, NULL },
		{ "HT-4 PVR_PARSE, PVR_SERIAL: bad ones in base64", test_base64_refused, NULL, NULL,
		    NULL },
		{ "SEC-3 an enrolled device bootstraps again: row and audit log",
		    test_bootstraps_again, NULL, NULL, NULL },
		{ "SEC-3 another IDevID key than before: row", test_another_key, NULL, NULL, NULL },
	};
	static const struct CMUnitTest in_each_form[] = {
		{ "8.2-9 good, and again after a lost answer and a restart", test_good, NULL, NULL,
		    NULL },
		{ "TEL-1 voucher_status good: the log is judged", test_voucher_status, NULL, NULL,
		    NULL },
		{ "TEL-4 no report: the sweep", test_sweep, NULL, NULL, NULL },
	};
	struct arena *a = arena_new(0);
	size_t n = sizeof in_each_form / sizeof in_each_form[0], one;
	int failed;

	memcpy(tests, in_each_form, sizeof in_each_form);
	ADD(masas, test_masa);
	ADD(audits, test_audit);
	one = n;
	n = again_in(a, site_in_jws, "JWS", one, n);
	n = again_in(a, site_in_cose, "COSE", one, n);
	memcpy(&tests[n], single, sizeof single);
	n += sizeof single / sizeof single[0];
	ADD(telemetries, test_telemetry);
	failed = _cmocka_run_group_tests("registrar on the wire", tests, n, setup, teardown);
	arena_free(a);
	return failed;
}
