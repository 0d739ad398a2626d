/* SPDX-License-Identifier: Apache-2.0 */
#include "support_store.h"

#include <string.h>

#include "server/store/store_device.h"

static struct manufacturer
full_manufacturer(void)
{
	return (struct manufacturer){ .name = "acme",
		.anchors_pem = MST_LIT("A"),
		.crl_pem = MST_LIT("C"),
		.voucher_anchors_pem = MST_LIT("V"),
		.masa_url = "https://masa.example/",
		.masa_anchors_pem = MST_LIT("T"),
		.masa_hosts = "masa.example:443 other.example",
		.masa_cert_uri = "file:c",
		.masa_key_uri = "file:k",
		.masa_user = "u",
		.masa_password = "p",
		.serial_rule = CERT_SERIAL_SAN_HWMODULE,
		.ignore_expiry = true,
		.mode = ACCEPT_LISTED,
		.audit_policy = "strict",
		.legacy_base64 = true,
		.enabled = true };
}

static void
manufacturer_every_field_comes_back(void **state)
{
	struct world *w = *state;
	struct manufacturer m = full_manufacturer(), got;

	assert_int_equal(manufacturer_put(w->db, &m), MST_OK);
	assert_int_equal(manufacturer_get(w->db, w->a, "acme", &got), MST_OK);
	assert_int_equal(got.id, m.id);
	assert_string_equal(got.name, "acme");
	assert_true(mst_span_eq(got.anchors_pem, MST_LIT("A")));
	assert_true(mst_span_eq(got.crl_pem, MST_LIT("C")));
	assert_true(mst_span_eq(got.voucher_anchors_pem, MST_LIT("V")));
	assert_string_equal(got.masa_url, "https://masa.example/");
	assert_true(mst_span_eq(got.masa_anchors_pem, MST_LIT("T")));
	assert_string_equal(got.masa_hosts, "masa.example:443 other.example");
	assert_string_equal(got.masa_cert_uri, "file:c");
	assert_string_equal(got.masa_key_uri, "file:k");
	assert_string_equal(got.masa_user, "u");
	assert_string_equal(got.masa_password, "p");
	assert_int_equal(got.serial_rule, CERT_SERIAL_SAN_HWMODULE);
	assert_true(got.ignore_expiry);
	assert_int_equal(got.mode, ACCEPT_LISTED);
	assert_string_equal(got.audit_policy, "strict");
	assert_true(got.legacy_base64);
	assert_true(got.enabled);
	assert_int_equal(got.generation, m.generation);
}

static void
manufacturer_absent_fields_stay_absent(void **state)
{
	struct world *w = *state;
	struct manufacturer got;

	(void)some_manufacturer(w->db, "bare");
	assert_int_equal(manufacturer_get(w->db, w->a, "bare", &got), MST_OK);
	assert_null(got.crl_pem.ptr);
	assert_null(got.voucher_anchors_pem.ptr);
	assert_null(got.masa_url);
	assert_null(got.masa_hosts);
	assert_false(got.ignore_expiry);
}

static void
manufacturer_empty_is_not_absent(void **state)
{
	struct world *w = *state;
	struct manufacturer m = full_manufacturer(), got;

	m.crl_pem = MST_LIT("");
	m.masa_hosts = "";
	assert_int_equal(manufacturer_put(w->db, &m), MST_OK);
	assert_int_equal(manufacturer_get(w->db, w->a, "acme", &got), MST_OK);
	assert_non_null(got.crl_pem.ptr);
	assert_int_equal(got.crl_pem.len, 0);
	assert_string_equal(got.masa_hosts, "");
}

static void
manufacturer_put_again_edits_and_keeps_id(void **state)
{
	struct world *w = *state;
	struct manufacturer m = full_manufacturer(), n = m, got;

	assert_int_equal(manufacturer_put(w->db, &m), MST_OK);
	n.masa_url = NULL;
	assert_int_equal(manufacturer_put(w->db, &n), MST_OK);
	assert_int_equal(n.id, m.id);
	assert_true(n.generation > m.generation);
	assert_int_equal(manufacturer_get(w->db, w->a, "acme", &got), MST_OK);
	assert_null(got.masa_url);
}

static void
manufacturer_generation_never_comes_back(void **state)
{
	struct world *w = *state;
	int64_t seen[4];

	seen[0] = manufacturer_generation(w->db);
	(void)some_manufacturer(w->db, "a");
	seen[1] = manufacturer_generation(w->db);
	assert_int_equal(manufacturer_delete(w->db, "a"), MST_OK);
	seen[2] = manufacturer_generation(w->db);
	(void)some_manufacturer(w->db, "a");
	seen[3] = manufacturer_generation(w->db);
	assert_true(seen[0] < seen[1] && seen[1] < seen[2] && seen[2] < seen[3]);
}

static void
manufacturer_get_unknown_not_found(void **state)
{
	struct world *w = *state;
	struct manufacturer got;

	assert_int_equal(manufacturer_get(w->db, w->a, "nobody", &got), MST_E_NOT_FOUND);
}

static void
manufacturer_delete_unknown_not_found(void **state)
{
	struct world *w = *state;

	assert_int_equal(manufacturer_delete(w->db, "nobody"), MST_E_NOT_FOUND);
}

static void
manufacturer_delete_with_devices_conflict(void **state)
{
	struct world *w = *state;
	int64_t id = some_manufacturer(w->db, "acme");
	struct device d;
	bool created;

	assert_int_equal(
	    device_touch(w->db, w->a, id, MST_LIT("S1"), MST_NONE, 1, &d, &created), MST_OK);
	assert_int_equal(manufacturer_delete(w->db, "acme"), MST_E_CONFLICT);
	assert_int_equal(ask(w->db, "SELECT count(*) FROM manufacturer"), 1);
}

static void
manufacturer_without_anchors_refused(void **state)
{
	struct world *w = *state;
	struct manufacturer m = full_manufacturer();

	m.anchors_pem = MST_NONE;
	assert_int_equal(manufacturer_put(w->db, &m), MST_E_INTERNAL);
	assert_int_equal(ask(w->db, "SELECT count(*) FROM manufacturer"), 0);
}

static void
manufacturer_list_is_by_name(void **state)
{
	struct world *w = *state;
	struct manufacturer *rows;
	size_t n;

	(void)some_manufacturer(w->db, "c");
	(void)some_manufacturer(w->db, "a");
	(void)some_manufacturer(w->db, "b");
	assert_int_equal(manufacturer_list(w->db, w->a, &rows, &n), MST_OK);
	assert_int_equal(n, 3);
	assert_string_equal(rows[0].name, "a");
	assert_string_equal(rows[1].name, "b");
	assert_string_equal(rows[2].name, "c");
}

static void
accept_mode_words_both_ways(void **state)
{
	(void)state;
	assert_int_equal(accept_mode_find("ask"), ACCEPT_ASK);
	assert_int_equal(accept_mode_find("listed"), ACCEPT_LISTED);
	assert_int_equal(accept_mode_find("auto"), ACCEPT_AUTO);
	assert_int_equal(accept_mode_find("AUTO"), -1);
	assert_int_equal(accept_mode_find(NULL), -1);
	assert_string_equal(accept_mode_word(ACCEPT_LISTED), "listed");
}

static void
device_touch_creates_once(void **state)
{
	struct world *w = *state;
	struct device d, again;
	bool created;

	assert_int_equal(
	    device_touch(w->db, w->a, 0, MST_LIT("S1"), MST_NONE, 77, &d, &created), MST_OK);
	assert_true(created);
	assert_int_equal(d.state, DEVICE_SEEN);
	assert_int_equal(d.first_seen, 77);
	assert_int_equal(d.last_seen, 77);
	assert_int_equal(d.voucher_status, -1);
	assert_int_equal(d.enroll_status, -1);
	assert_int_equal(d.audit_verdict, -1);
	assert_int_equal(
	    device_touch(w->db, w->a, 0, MST_LIT("S1"), MST_NONE, 99, &again, &created), MST_OK);
	assert_false(created);
	assert_int_equal(again.id, d.id);
	assert_int_equal(again.first_seen, 77);
	assert_int_equal(again.last_seen, 77);
}

static void
device_touch_unknown_manufacturer_not_found(void **state)
{
	struct world *w = *state;
	struct device d;
	bool created;

	assert_int_equal(device_touch(w->db, w->a, 4711, MST_LIT("S1"), MST_NONE, 1, &d, &created),
	    MST_E_NOT_FOUND);
}

static void
device_save_every_field_comes_back(void **state)
{
	struct world *w = *state;
	int64_t m = some_manufacturer(w->db, "acme");
	struct device d, got;
	bool created;

	assert_int_equal(
	    device_touch(w->db, w->a, m, MST_LIT("S1"), MST_NONE, 1, &d, &created), MST_OK);
	d.state = DEVICE_VOUCHER;
	d.idevid_issuer = MST_LIT("issuer");
	d.idevid_spki_sha256 = hash_of(w, 1);
	d.decision = 1;
	d.decided_by = "alice";
	d.decision_reason = "ordered";
	d.first_seen = 2;
	d.last_seen = 3;
	d.decided_at = 4;
	d.voucher_status = 1;
	d.enroll_status = 0;
	d.audit_verdict = 2;
	d.audit_words = "fine";
	d.audit_override = 1;
	d.voucher_at = 5;
	d.trace = "tr";
	assert_int_equal(device_save(w->db, &d), MST_OK);
	assert_int_equal(device_find(w->db, w->a, m, MST_LIT("S1"), MST_NONE, &got), MST_OK);
	assert_int_equal(got.manufacturer, m);
	assert_true(mst_span_eq(got.serial, MST_LIT("S1")));
	assert_int_equal(got.state, DEVICE_VOUCHER);
	assert_true(mst_span_eq(got.idevid_issuer, MST_LIT("issuer")));
	assert_true(mst_span_eq(got.idevid_spki_sha256, hash_of(w, 1)));
	assert_int_equal(got.decision, 1);
	assert_string_equal(got.decided_by, "alice");
	assert_string_equal(got.decision_reason, "ordered");
	assert_int_equal(got.first_seen, 2);
	assert_int_equal(got.last_seen, 3);
	assert_int_equal(got.decided_at, 4);
	assert_int_equal(got.voucher_status, 1);
	assert_int_equal(got.enroll_status, 0);
	assert_int_equal(got.audit_verdict, 2);
	assert_string_equal(got.audit_words, "fine");
	assert_int_equal(got.audit_override, 1);
	assert_int_equal(got.voucher_at, 5);
	assert_string_equal(got.trace, "tr");
}

static void
device_save_unknown_not_found(void **state)
{
	struct world *w = *state;
	struct device d = { .id = 5, .serial = MST_LIT("S"), .state = DEVICE_SEEN };

	assert_int_equal(device_save(w->db, &d), MST_E_NOT_FOUND);
}

static void
device_same_serial_two_manufacturers(void **state)
{
	struct world *w = *state;
	int64_t m1 = some_manufacturer(w->db, "a"), m2 = some_manufacturer(w->db, "b");
	struct device d1, d2, got;
	bool created;

	assert_int_equal(
	    device_touch(w->db, w->a, m1, MST_LIT("S"), MST_NONE, 1, &d1, &created), MST_OK);
	assert_int_equal(device_by_serial(w->db, w->a, MST_LIT("S"), &got), MST_OK);
	assert_int_equal(got.id, d1.id);
	assert_int_equal(
	    device_touch(w->db, w->a, m2, MST_LIT("S"), MST_NONE, 1, &d2, &created), MST_OK);
	assert_true(created);
	assert_int_not_equal(d1.id, d2.id);
	assert_int_equal(device_by_serial(w->db, w->a, MST_LIT("S"), &got), MST_E_CONFLICT);
	assert_int_equal(device_find(w->db, w->a, m2, MST_LIT("S"), MST_NONE, &got), MST_OK);
	assert_int_equal(got.id, d2.id);
}

/* RFC 8366bis 6.1, ID-8: serial numbers are unique per issuer of IDevIDs only. */
static void
device_same_serial_two_issuers_ID_8(void **state)
{
	struct world *w = *state;
	int64_t m = some_manufacturer(w->db, "acme");
	struct device d1, d2, got, *rows;
	bool created;
	int64_t twin;
	size_t n;

	assert_int_equal(
	    device_touch(w->db, w->a, m, MST_LIT("S"), MST_LIT("ca 1"), 1, &d1, &created), MST_OK);
	assert_true(created);
	d1.decision = 1;
	assert_int_equal(device_save(w->db, &d1), MST_OK);
	assert_int_equal(
	    device_touch(w->db, w->a, m, MST_LIT("S"), MST_LIT("ca 2"), 2, &d2, &created), MST_OK);
	assert_true(created);
	assert_int_not_equal(d1.id, d2.id);
	assert_int_equal(d2.decision, 0);
	assert_int_equal(
	    device_touch(w->db, w->a, m, MST_LIT("S"), MST_LIT("ca 1"), 3, &got, &created), MST_OK);
	assert_false(created);
	assert_int_equal(got.id, d1.id);
	assert_int_equal(device_find(w->db, w->a, m, MST_LIT("S"), MST_LIT("ca 2"), &got), MST_OK);
	assert_int_equal(got.id, d2.id);
	assert_int_equal(
	    device_find(w->db, w->a, m, MST_LIT("S"), MST_LIT("ca 3"), &got), MST_E_NOT_FOUND);
	assert_int_equal(device_find(w->db, w->a, m, MST_LIT("S"), MST_NONE, &got), MST_E_CONFLICT);
	assert_int_equal(device_by_serial(w->db, w->a, MST_LIT("S"), &got), MST_E_CONFLICT);
	assert_int_equal(device_namesakes(w->db, w->a, MST_LIT("S"), &rows, &n), MST_OK);
	assert_int_equal(n, 2);
	assert_true(mst_span_eq(rows[1].idevid_issuer, MST_LIT("ca 2")));
	/* the elder's name needs no addition */
	assert_int_equal(device_twin(w->db, MST_LIT("S"), d1.id, &twin), MST_OK);
	assert_int_equal(twin, 0);
	assert_int_equal(device_twin(w->db, MST_LIT("S"), d2.id, &twin), MST_OK);
	assert_int_equal(twin, d2.id);
	assert_int_equal(device_twin(w->db, MST_LIT("T"), d2.id, &twin), MST_OK);
	assert_int_equal(twin, 0);
}

/* What an operator listed belongs to the issuer that comes with it first, then to it alone. */
static void
device_of_unseen_issuer_is_bound_once_ID_8(void **state)
{
	struct world *w = *state;
	int64_t m = some_manufacturer(w->db, "acme");
	struct device d, got;
	bool created;

	assert_int_equal(
	    device_touch(w->db, w->a, m, MST_LIT("S"), MST_NONE, 1, &d, &created), MST_OK);
	d.decision = 1;
	assert_int_equal(device_save(w->db, &d), MST_OK);
	assert_int_equal(
	    device_touch(w->db, w->a, m, MST_LIT("S"), MST_LIT("ca 1"), 2, &got, &created), MST_OK);
	assert_false(created);
	assert_int_equal(got.id, d.id);
	assert_true(mst_span_eq(got.idevid_issuer, MST_LIT("ca 1")));
	assert_int_equal(device_save(w->db, &got), MST_OK);
	assert_int_equal(
	    device_touch(w->db, w->a, m, MST_LIT("S"), MST_LIT("ca 2"), 3, &got, &created), MST_OK);
	assert_true(created);
	assert_int_equal(got.decision, 0);
}

static void
device_same_key_twice_conflict_ID_8(void **state)
{
	struct world *w = *state;
	int64_t m = some_manufacturer(w->db, "acme");
	struct device d1, d2;
	bool created;

	assert_int_equal(
	    device_touch(w->db, w->a, m, MST_LIT("S"), MST_LIT("ca 1"), 1, &d1, &created), MST_OK);
	assert_int_equal(
	    device_touch(w->db, w->a, m, MST_LIT("S"), MST_LIT("ca 2"), 1, &d2, &created), MST_OK);
	d2.idevid_issuer = MST_LIT("ca 1");
	assert_int_equal(device_save(w->db, &d2), MST_E_CONFLICT);
}

static void
device_unknown_not_found(void **state)
{
	struct world *w = *state;
	struct device got;

	assert_int_equal(
	    device_find(w->db, w->a, 0, MST_LIT("S"), MST_NONE, &got), MST_E_NOT_FOUND);
	assert_int_equal(device_by_serial(w->db, w->a, MST_LIT("S"), &got), MST_E_NOT_FOUND);
	assert_int_equal(device_by_id(w->db, w->a, 1, &got), MST_E_NOT_FOUND);
}

static void
device_state_not_in_vocabulary_corrupt(void **state)
{
	struct world *w = *state;
	int64_t id = some_device(w, w->db, "S");
	struct device got;

	assert_int_equal(db_exec(w->db, "UPDATE device SET state = 'happy'"), MST_OK);
	assert_int_equal(device_by_id(w->db, w->a, id, &got), MST_E_STORE_CORRUPT);
}

static void
device_list_pages_by_serial(void **state)
{
	struct world *w = *state;
	struct device *rows;
	mst_span after = MST_NONE;
	size_t n, total = 0;
	int i;

	for (i = 0; i < 25; i++)
		(void)some_device(w, w->db, arena_printf(w->a, "S%02d", (i * 7) % 25));
	do {
		assert_int_equal(
		    device_list(w->db, w->a, DEVICE_STATE_COUNT, after, 10, &rows, &n), MST_OK);
		for (i = 0; i < (int)n; i++)
			assert_memory_equal(
			    rows[i].serial.ptr, arena_printf(w->a, "S%02d", (int)total + i), 3);
		total += n;
		if (n != 0)
			after = rows[n - 1].serial;
	} while (n != 0);
	assert_int_equal(total, 25);
}

static void
device_list_never_splits_equal_serials(void **state)
{
	struct world *w = *state;
	int64_t m1 = some_manufacturer(w->db, "a"), m2 = some_manufacturer(w->db, "b");
	struct device d, *rows;
	bool created;
	size_t n;

	assert_int_equal(
	    device_touch(w->db, w->a, m1, MST_LIT("S"), MST_NONE, 1, &d, &created), MST_OK);
	assert_int_equal(
	    device_touch(w->db, w->a, m2, MST_LIT("S"), MST_NONE, 1, &d, &created), MST_OK);
	assert_int_equal(
	    device_list(w->db, w->a, DEVICE_STATE_COUNT, MST_NONE, 1, &rows, &n), MST_OK);
	assert_int_equal(n, 2);
	assert_int_equal(
	    device_list(w->db, w->a, DEVICE_STATE_COUNT, MST_LIT("S"), 1, &rows, &n), MST_OK);
	assert_int_equal(n, 0);
}

static void
device_list_and_count_by_state(void **state)
{
	struct world *w = *state;
	struct device d, *rows;
	int64_t count;
	bool created;
	size_t n;

	(void)some_device(w, w->db, "A");
	(void)some_device(w, w->db, "B");
	assert_int_equal(
	    device_touch(w->db, w->a, 0, MST_LIT("C"), MST_NONE, 1, &d, &created), MST_OK);
	d.state = DEVICE_PENDING;
	assert_int_equal(device_save(w->db, &d), MST_OK);
	assert_int_equal(device_list(w->db, w->a, DEVICE_PENDING, MST_NONE, 9, &rows, &n), MST_OK);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].id, d.id);
	assert_int_equal(device_count(w->db, DEVICE_PENDING, &count), MST_OK);
	assert_int_equal(count, 1);
	assert_int_equal(device_count(w->db, DEVICE_SEEN, &count), MST_OK);
	assert_int_equal(count, 2);
	assert_int_equal(device_count(w->db, DEVICE_RETIRED, &count), MST_OK);
	assert_int_equal(count, 0);
	assert_int_equal(device_count(w->db, DEVICE_STATE_COUNT, &count), MST_OK);
	assert_int_equal(count, 3);
}

/* What `expects` says, row by row: start from a device and set what the row names. */
struct expectation {
	const char *name;
	enum device_state state;
	int decision, voucher_status, enroll_status, verdict, override;
	const char *words;
};
static const struct expectation expectations[] = {
	{ "expects: planned", DEVICE_PLANNED, 0, -1, -1, -1, 0, "waits for the device to appear" },
	{ "expects: pending names the command", DEVICE_PENDING, 0, -1, -1, -1, 0,
	    "waits for an operator: muster device accept S-1" },
	{ "expects: pending and accepted", DEVICE_PENDING, 1, -1, -1, -1, 0,
	    "waits for the device to ask again: it is accepted" },
	{ "expects: rejected", DEVICE_RETIRED, -1, -1, -1, -1, 0,
	    "nothing: refused by an operator" },
	{ "expects: voucher delivered", DEVICE_VOUCHER, 1, -1, -1, -1, 0,
	    "the device reports its verdict on the voucher" },
	{ "expects: voucher refused", DEVICE_VOUCHER, 1, 0, -1, -1, 0,
	    "the device refused its voucher and starts anew" },
	{ "expects: audit log outstanding", DEVICE_VOUCHER, 1, 1, -1, -1, 0,
	    "the registrar fetches and judges the audit log" },
	{ "expects: audit log bad", DEVICE_VOUCHER, 1, 1, -1, 0, 0,
	    "waits for an operator: the audit log was judged bad" },
	{ "expects: audit log bad, overridden", DEVICE_VOUCHER, 1, 1, -1, 0, 1,
	    "the device enrols" },
	{ "expects: audit log good", DEVICE_VOUCHER, 1, 1, -1, 1, 0, "the device enrols" },
	{ "expects: enrolled", DEVICE_ENROLLED, 1, 1, -1, 1, 0,
	    "the device reports its enrolment" },
	{ "expects: enrolment failed", DEVICE_ENROLLED, 1, 1, 0, 1, 0,
	    "the device reported that its enrolment failed and tries again" },
	{ "expects: active", DEVICE_ACTIVE, 1, 1, 1, 1, 0,
	    "nothing: the device renews its certificate by itself" },
	{ "expects: quarantined", DEVICE_QUARANTINED, 1, 1, 1, 0, 0,
	    "waits for an operator: muster device accept S-1, or reject" },
	{ "expects: revoked", DEVICE_REVOKED, 1, 1, 1, 1, 0,
	    "nothing: its certificate is revoked" },
};
#define EXPECTATIONS (sizeof(expectations) / sizeof(expectations[0]))
static size_t at; /* cmocka runs the rows in order */

static void
device_expects(void **state)
{
	struct world *w = *state;
	const struct expectation *x = &expectations[at++];
	struct device d, got;
	bool created;

	assert_int_equal(
	    device_touch(w->db, w->a, 0, MST_LIT("S-1"), MST_NONE, 1, &d, &created), MST_OK);
	d.state = x->state;
	d.decision = x->decision;
	d.voucher_status = x->voucher_status;
	d.enroll_status = x->enroll_status;
	d.audit_verdict = x->verdict;
	d.audit_override = x->override;
	assert_int_equal(device_save(w->db, &d), MST_OK);
	assert_int_equal(device_by_id(w->db, w->a, d.id, &got), MST_OK);
	assert_string_equal(got.expects, x->words);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_db, world_gone)

int
main(void)
{
	static struct CMUnitTest rows[EXPECTATIONS];
	const struct CMUnitTest tests[] = {
		T(manufacturer_every_field_comes_back),
		T(manufacturer_absent_fields_stay_absent),
		T(manufacturer_empty_is_not_absent),
		T(manufacturer_put_again_edits_and_keeps_id),
		T(manufacturer_generation_never_comes_back),
		T(manufacturer_get_unknown_not_found),
		T(manufacturer_delete_unknown_not_found),
		T(manufacturer_delete_with_devices_conflict),
		T(manufacturer_without_anchors_refused),
		T(manufacturer_list_is_by_name),
		cmocka_unit_test(accept_mode_words_both_ways),
		T(device_touch_creates_once),
		T(device_touch_unknown_manufacturer_not_found),
		T(device_save_every_field_comes_back),
		T(device_save_unknown_not_found),
		T(device_same_serial_two_manufacturers),
		T(device_same_serial_two_issuers_ID_8),
		T(device_of_unseen_issuer_is_bound_once_ID_8),
		T(device_same_key_twice_conflict_ID_8),
		T(device_unknown_not_found),
		T(device_state_not_in_vocabulary_corrupt),
		T(device_list_pages_by_serial),
		T(device_list_never_splits_equal_serials),
		T(device_list_and_count_by_state),
	};
	size_t i;
	int failed;

	for (i = 0; i < EXPECTATIONS; i++)
		rows[i] = (struct CMUnitTest){ expectations[i].name, device_expects, world_db,
			world_gone, NULL };
	failed = cmocka_run_group_tests_name("store device", tests, NULL, NULL);
	return failed + cmocka_run_group_tests_name("store device.expects", rows, NULL, NULL);
}
