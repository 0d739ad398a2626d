/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two IDevIDs with one serial number under one manufacturer's entry: serial
 * numbers are unique per issuer only (RFC 8366bis 6.1), and makers re-issue.
 * What the one was given, the other must not use.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/admin/admin.h"
#include "tests/unit/registrar/support_site.h"

#define GOOD "{\"version\":1,\"status\":true}"
#define BAD "{\"version\":1,\"status\":false,\"reason\":\"no\"}"
#define N(x) "bm9uY2Ugb2YgdGVzdCAwM" x

/* Same names, same maker, another key. */
static struct id
namesake_of(const char *serial)
{
	return ID(.kind = ID_DEVICE, .cn = serial, .serial_number = serial, .issuer = &site.maker);
}

static mst_span
key_of(const struct id *id)
{
	uint8_t digest[32];
	mst_span spki;

	assert_int_equal(cert_spki(site.a, id->cert, &spki), MST_OK);
	assert_int_equal(EVP_Digest(spki.ptr, spki.len, digest, NULL, EVP_sha256(), NULL), 1);
	return arena_dup(site.a, mst_span_of(digest, sizeof digest));
}

/* EST-3: asking alone must not turn the voucher of one key into that of another. */
static void
test_asking_is_not_having(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	struct id other = namesake_of(serial);
	struct got g = site_ask(d, site_pvr(d, serial, N("RA=")));

	(void)state;
	assert_int_equal(g.status, 200);
	assert_true(mst_span_eq(site_row(serial).idevid_spki_sha256, key_of(d)));
	atomic_store(&site.mode, MASA_403);
	g = site_ask(&other, site_pvr(&other, serial, N("RB=")));
	atomic_store(&site.mode, MASA_GOOD);
	assert_int_equal(g.status, 403); /* HT-2 */
	/* the gate compares this with the TLS client */
	assert_true(mst_span_eq(site_row(serial).idevid_spki_sha256, key_of(d)));
	assert_int_equal(site_row(serial).state, DEVICE_VOUCHER);
	id_free(&other);
}

/* A voucher of its own makes it the device's key, and the former status and audit void. */
static void
test_voucher_binds_key(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	struct id other = namesake_of(serial);
	struct got g = site_ask(d, site_pvr(d, serial, N("RC=")));

	(void)state;
	assert_int_equal(g.status, 200);
	assert_int_equal(site_status(d, "voucher_status", GOOD).status, 200);
	g = site_ask(&other, site_pvr(&other, serial, N("RD=")));
	assert_int_equal(g.status, 200);
	assert_true(mst_span_eq(site_row(serial).idevid_spki_sha256, key_of(&other)));
	assert_int_equal(site_row(serial).voucher_status, -1);
	id_free(&other);
}

static mst_err
forgive(struct db *db, void *arg)
{
	struct device *d = arg;

	d->audit_override = 1;
	return device_save(db, d);
}

/* AUD-6: an operator forgave the history of one device, not of another of its name. */
static void
test_override_binds_key(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	struct id other = namesake_of(serial);
	struct device row;

	(void)state;
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("RF="))).status, 200);
	row = site_row(serial);
	site_write(forgive, &row);
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("RG="))).status, 200);
	assert_int_equal(site_row(serial).audit_override, 1);
	assert_int_equal(site_ask(&other, site_pvr(&other, serial, N("RH="))).status, 200);
	assert_int_equal(site_row(serial).audit_override, 0);
	id_free(&other);
}

/* TEL-3: the verdict on a voucher comes from the key that it was given to. */
static void
test_report_of_another_key(void **state)
{
	const char *what = *state, *serial;
	const struct id *d = site_device(&serial);
	struct id other = namesake_of(serial);
	struct device row;

	assert_int_equal(site_ask(d, site_pvr(d, serial, N("RE="))).status, 200);
	assert_int_not_equal(site_status(&other, what, GOOD).status, 200);
	assert_int_not_equal(site_status(&other, what, BAD).status, 200);
	row = site_row(serial);
	assert_int_equal(row.voucher_status, -1);
	assert_int_equal(row.enroll_status, -1);
	assert_int_equal(site_status(d, what, BAD).status, 200);
	id_free(&other);
}

static struct device
row_of(const struct id *id, const char *serial)
{
	struct device d = { .id = 0 };
	mst_span issuer;

	assert_int_equal(cert_idevid_issuer(site.a, id->cert, &issuer), MST_OK);
	assert_int_equal(device_find(store_reader(site.store), site.a, site.maker_row.id,
	                     mst_span_str(serial), issuer, &d),
	    MST_OK);
	return d;
}

static mst_err
reject(struct db *db, void *arg)
{
	struct device *d = arg;

	d->decision = -1;
	d->state = DEVICE_RETIRED;
	return device_save(db, d);
}

/* ID-8: a second IDevID CA of the maker, the same serial number: another device, from nothing. */
static void
test_another_issuer_is_another_device(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	struct id other =
	    ID(.kind = ID_DEVICE, .cn = "d", .serial_number = serial, .issuer = &site.stranger_ca);
	X509 *both[] = { site.maker.cert, site.stranger_ca.cert };
	struct manufacturer m = site.maker_row;
	struct device first, second;

	(void)state;
	m.anchors_pem = pem_of(site.a, both, 2);
	site_put_maker(&m);
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("RL="))).status, 200);
	assert_int_equal(site_status(d, "voucher_status", GOOD).status, 200);
	/* it has no voucher to report on */
	assert_int_not_equal(site_status(&other, "voucher_status", BAD).status, 200);
	assert_int_equal(site_ask(&other, site_pvr(&other, serial, N("RM="))).status, 200);
	first = row_of(d, serial);
	second = row_of(&other, serial);
	assert_int_not_equal(first.id, second.id);
	assert_true(mst_span_eq(first.idevid_spki_sha256, key_of(d)));
	assert_int_equal(first.voucher_status, 1);
	assert_true(mst_span_eq(second.idevid_spki_sha256, key_of(&other)));
	assert_int_equal(second.voucher_status, -1);
	/* what an operator decides about the one says nothing about the other */
	site_write(reject, &second);
	assert_int_equal(site_ask(&other, site_pvr(&other, serial, N("RN="))).status, 406);
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("RO="))).status, 200);
	m = site.maker_row;
	site_put_maker(&m);
	id_free(&other);
}

/* What an operator types, through the channel that the daemon serves. */
static void
command(const char *line)
{
	struct admin_config c = { .store = site.store,
		.keys = site.keys,
		.net = site.net,
		.ca = site.ca,
		.ca_loop = site.loops[0],
		.roles = "registrar" };
	struct admin *admin;
	int in[2], out[2];
	char text[8192];
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, in), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, out), 0);
	assert_int_equal(write(in[0], line, strlen(line)), (ssize_t)strlen(line));
	shutdown(in[0], SHUT_WR);
	assert_int_equal(admin_new(&c, &admin), MST_OK);
	admin_serve(admin, in[1], out[1]);
	admin_free(admin);
	close(out[1]);
	n = read(out[0], text, sizeof text);
	assert_true(n > 0); /* this site signs no CRL; the revocation itself is recorded */
	close(in[0]);
	close(in[1]);
	close(out[0]);
}

/* ID-8: a device of the list is the first issuer's that comes; the second is not on the list. */
static void
test_listed_device_is_one_device(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	struct id other =
	    ID(.kind = ID_DEVICE, .cn = "d", .serial_number = serial, .issuer = &site.stranger_ca);
	X509 *both[] = { site.maker.cert, site.stranger_ca.cert };
	struct manufacturer m = site.maker_row;
	char line[256];

	(void)state;
	m.anchors_pem = pem_of(site.a, both, 2);
	m.mode = ACCEPT_LISTED;
	site_put_maker(&m);
	snprintf(line, sizeof line,
	    "{\"verb\":\"device.import\",\"args\":{\"manufacturer\":\"maker\",\"serials\":[\"%s\"]}"
	    "}\n",
	    serial);
	command(line);
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("RP="))).status, 200);
	assert_int_equal(site_ask(&other, site_pvr(&other, serial, N("RQ="))).status, 404);
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("RR="))).status, 200);
	m = site.maker_row;
	site_put_maker(&m);
	id_free(&other);
}

/* A4: taking back its certificate shuts out a device that is about to bootstrap again, too. */
static void
test_revoked_while_bootstrapping(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	const ASN1_INTEGER *number;
	struct id ldevid;
	char line[256], hex[64] = "";

	(void)state;
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("RI="))).status, 200);
	ldevid = site_ldevid(serial);
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("RJ="))).status, 200);
	assert_int_equal(site_row(serial).state, DEVICE_VOUCHER);
	number = X509_get0_serialNumber(ldevid.cert);
	for (int i = 0; i < ASN1_STRING_length(number) && i < 20; i++)
		snprintf(hex + 2 * i, 3, "%02x", ASN1_STRING_get0_data(number)[i]);
	snprintf(
	    line, sizeof line, "{\"verb\":\"cert.revoke\",\"args\":{\"serial\":\"%s\"}}\n", hex);
	command(line);
	assert_int_equal(site_row(serial).state, DEVICE_REVOKED);
	assert_int_not_equal(site_ask(d, site_pvr(d, serial, N("RK="))).status, 200);
	id_free(&ldevid);
}

static enum cert_state
state_of(const struct id *ldevid)
{
	const ASN1_INTEGER *n = X509_get0_serialNumber(ldevid->cert);
	struct cert_row row;

	assert_int_equal(
	    cert_by_serial(store_reader(site.store), site.a,
	        mst_span_of(ASN1_STRING_get0_data(n), (size_t)ASN1_STRING_length(n)), &row),
	    MST_OK);
	return row.state;
}

static const char *
number_of(const struct id *ldevid)
{
	const ASN1_INTEGER *n = X509_get0_serialNumber(ldevid->cert);
	char *hex = arena_alloc(site.a, 64);

	for (int i = 0; i < ASN1_STRING_length(n) && i < 20; i++)
		snprintf(hex + 2 * i, 3, "%02x", ASN1_STRING_get0_data(n)[i]);
	return hex;
}

/* A4: one certificate of a device tells on the device: the others go with it. */
static void
test_revoke_takes_all(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	struct id one, two;

	(void)state;
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("RS="))).status, 200);
	one = site_ldevid(serial);
	two = site_ldevid(serial);
	command(arena_printf(
	    site.a, "{\"verb\":\"cert.revoke\",\"args\":{\"serial\":\"%s\"}}\n", number_of(&two)));
	assert_int_equal(state_of(&one), CERT_REVOKED);
	assert_int_equal(state_of(&two), CERT_REVOKED);
	assert_int_equal(site_row(serial).state, DEVICE_REVOKED);
	id_free(&one);
	id_free(&two);
}

/* --only: what was lost is one certificate, and the device is as good as before. */
static void
test_revoke_only_takes_one(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	struct id one, two;

	(void)state;
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("RT="))).status, 200);
	one = site_ldevid(serial);
	two = site_ldevid(serial);
	command(arena_printf(site.a,
	    "{\"verb\":\"cert.revoke\",\"args\":{\"serial\":\"%s\",\"only\":true}}\n",
	    number_of(&one)));
	assert_int_equal(state_of(&one), CERT_REVOKED);
	assert_int_equal(state_of(&two), CERT_ISSUED);
	assert_int_not_equal(site_row(serial).state, DEVICE_REVOKED);
	id_free(&one);
	id_free(&two);
}

/* SEC-4: a device that is refused keeps nothing that this site certified. */
static void
test_reject_takes_all(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	struct id one, two;

	(void)state;
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("RU="))).status, 200);
	one = site_ldevid(serial);
	two = site_ldevid(serial);
	command(arena_printf(
	    site.a, "{\"verb\":\"device.reject\",\"args\":{\"serial\":\"%s\"}}\n", serial));
	assert_int_equal(site_row(serial).state, DEVICE_RETIRED);
	assert_int_equal(state_of(&one), CERT_REVOKED);
	assert_int_equal(state_of(&two), CERT_REVOKED);
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("RV="))).status, 406);
	id_free(&one);
	id_free(&two);
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

static int
start_good(void **state)
{
	(void)state;
	atomic_store(&site.mode, MASA_GOOD);
	atomic_store(&site.audit, AUDIT_GOOD);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{ "EST-3 a namesake that asks gets nothing of the first one's",
		    test_asking_is_not_having, start_good, NULL, NULL },
		{ "EST-3 a namesake with a voucher of its own starts anew", test_voucher_binds_key,
		    start_good, NULL, NULL },
		{ "AUD-6 an override is not inherited by a namesake", test_override_binds_key,
		    start_good, NULL, NULL },
		{ "A4 revoked while it bootstraps again", test_revoked_while_bootstrapping,
		    start_good, NULL, NULL },
		{ "A4 revoking one of a device revokes all", test_revoke_takes_all, start_good,
		    NULL, NULL },
		{ "A4 revoking one only", test_revoke_only_takes_one, start_good, NULL, NULL },
		{ "SEC-4 a rejected device holds nothing", test_reject_takes_all, start_good, NULL,
		    NULL },
		{ "ID-8 another issuer's serial is another device",
		    test_another_issuer_is_another_device, start_good, NULL, NULL },
		{ "ID-8 a listed device is one device", test_listed_device_is_one_device,
		    start_good, NULL, NULL },
		{ "TEL-3 voucher_status of a namesake", test_report_of_another_key, start_good,
		    NULL, (void *)(uintptr_t) "voucher_status" },
		{ "TEL-3 enrollstatus of a namesake", test_report_of_another_key, start_good, NULL,
		    (void *)(uintptr_t) "enrollstatus" },
	};

	return cmocka_run_group_tests_name(
	    "one serial number, two IDevIDs", tests, setup, teardown);
}
